/*
 * cpu.c - see cpu_private.h. Bits: Intel SDM volume 2A, CPUID leaves 1 and 7; volume 1, 13.3 for
 * XCR0. Tiles: Documentation/arch/x86/xstate.rst of the Linux kernel.
 */
#include "tensor/kernels/cpu_private.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Bits of XCR0: the state that the operating system saves. */
enum {
    XCR0_YMM = 0x6,              /* registers of SSE and AVX */
    XCR0_ZMM = 0xe6,             /* also opmask, upper halves, and zmm16-31 */
    XCR0_TILES = 0x3 << 17,      /* configuration and contents of tiles */
    XCR0_TILE_CONTENTS = 18,     /* number of the bit that needs permission */
    REQUEST_PERMISSION = 0x1023, /* ARCH_REQ_XCOMP_PERM of asm/prctl.h, which older systems lack */
};

/* Bits of leaf 7. cpuid.h of older compilers lacks these names or uses others. */
enum {
    ECX_AVX512_VNNI = 1 << 11,
    EDX_AMX_BF16 = 1 << 22,
    EDX_AMX_TILE = 1 << 24,
    EDX_AMX_INT8 = 1 << 25,
    EAX_AVX512_BF16 = 1 << 5, /* subleaf 1 */
};

typedef struct CpuId {
    unsigned eax, ebx, ecx, edx;
} CpuId;

/* One leaf; zero if the processor does not know it. */
static CpuId cpuid(unsigned leaf, unsigned subleaf)
{
    CpuId id = {0};
    if (!__get_cpuid_count(leaf, subleaf, &id.eax, &id.ebx, &id.ecx, &id.edx))
        id = (CpuId){0};
    return id;
}

/* True if the operating system uses XSAVE and saves all of `state`. */
static bool saves(uint32_t state)
{
    if (!(cpuid(1, 0).ecx & bit_OSXSAVE))
        return false;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & state) == state;
}

bool cpu_has_avx2(void)
{
    const unsigned basic = bit_AVX | bit_FMA;
    return (cpuid(1, 0).ecx & basic) == basic && (cpuid(7, 0).ebx & bit_AVX2) && saves(XCR0_YMM);
}

bool cpu_has_avx512(void)
{
    const unsigned extended = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return (cpuid(7, 0).ebx & extended) == extended && saves(XCR0_ZMM);
}

bool cpu_has_avx512_vnni(void)
{
    return (cpuid(7, 0).ecx & ECX_AVX512_VNNI) && saves(XCR0_ZMM);
}

bool cpu_has_avx512_bf16(void)
{
    /* eax of subleaf 0 is the number of the last subleaf. */
    return cpuid(7, 0).eax >= 1 && (cpuid(7, 1).eax & EAX_AVX512_BF16) && saves(XCR0_ZMM);
}

static bool request_amx_permission(void)
{
#if defined(__linux__)
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, XCR0_TILE_CONTENTS) == 0;
#else
    return false;
#endif
}

bool cpu_has_amx(void)
{
    const unsigned tiles = EDX_AMX_TILE | EDX_AMX_BF16 | EDX_AMX_INT8;
    return (cpuid(7, 0).edx & tiles) == tiles && saves(XCR0_TILES) && request_amx_permission();
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

bool cpu_has_avx512_vnni(void)
{
    return false;
}

bool cpu_has_avx512_bf16(void)
{
    return false;
}

bool cpu_has_amx(void)
{
    return false;
}

#endif
