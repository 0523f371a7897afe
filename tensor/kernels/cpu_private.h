/*
 * cpu_private.h - which vector instructions this processor offers and the operating system lets
 * programs use.
 *
 * CPUID is not enough: registers that the system does not save on a context switch would be lost,
 * so the saved state (XCR0) is checked too. Each function checks only the features it names;
 * kernels.c checks that all lower levels are available as well. All return false on other
 * processors than x86-64. Thread-safe.
 *
 * Tests: tests/test_kernels.c.
 */
#ifndef LNCLIP_TENSOR_KERNELS_CPU_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_CPU_PRIVATE_H

#include <stdbool.h>

/* AVX2 and FMA. */
bool cpu_has_avx2(void);

/* AVX-512 F, BW, DQ and VL. */
bool cpu_has_avx512(void);

/* Dot products of bytes (VNNI), and of pairs of bf16 (BF16), in AVX-512 registers. */
bool cpu_has_avx512_vnni(void);
bool cpu_has_avx512_bf16(void);

/*
 * AMX tiles, and their products of bf16 and of bytes. Linux lets a process use tiles only after it
 * requested permission: this function requests it for all present and future threads of the
 * process, and returns false if it is refused. The request takes no memory; a thread's state grows
 * by 8 KiB when it first uses a tile.
 */
bool cpu_has_amx(void);

#endif
