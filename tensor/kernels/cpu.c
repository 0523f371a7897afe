/*
 * cpu.c - see cpu.h. Bits: Intel SDM volume 2A, CPUID leaves 1 and 7; volume 1, 13.3 for XCR0.
 */
#include "tensor/kernels/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdint.h>

enum {
    XCR0_YMM = 0x6,
    XCR0_ZMM = 0xe6
}; /* SSE and AVX state; and opmask, upper halves, zmm16-31 */

typedef struct CpuId {
    unsigned eax, ebx, ecx, edx;
} CpuId;

/* One leaf, subleaf 0; zero if the processor does not know it. */
static CpuId cpuid(unsigned leaf)
{
    CpuId id = {0};
    if (!__get_cpuid_count(leaf, 0, &id.eax, &id.ebx, &id.ecx, &id.edx))
        id = (CpuId){0};
    return id;
}

/* What the operating system saves; 0 if it does not use XSAVE at all. */
static uint64_t saved_state(void)
{
    if (!(cpuid(1).ecx & bit_OSXSAVE))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

bool cpu_has_avx2(void)
{
    const unsigned basic = bit_AVX | bit_FMA;
    return (cpuid(1).ecx & basic) == basic && (cpuid(7).ebx & bit_AVX2) &&
           (saved_state() & XCR0_YMM) == XCR0_YMM;
}

bool cpu_has_avx512(void)
{
    const unsigned extended = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return cpu_has_avx2() && (cpuid(7).ebx & extended) == extended &&
           (saved_state() & XCR0_ZMM) == XCR0_ZMM;
}

#else

bool cpu_has_avx2(void)
{
    return false;
}

bool cpu_has_avx512(void)
{
    return false;
}

#endif
