/*
 * cpu.h - which vector instructions this processor offers and the operating system lets programs use.
 *
 * A processor's own word is not enough: registers that the system does not save across a switch of
 * tasks would be lost, so the saved state (XCR0) is asked too. All false off x86-64. Thread-safe.
 */
#ifndef LNCLIP_TENSOR_KERNELS_CPU_H
#define LNCLIP_TENSOR_KERNELS_CPU_H

#include <stdbool.h>

/* AVX2 and FMA. */
bool cpu_has_avx2(void);

/* AVX-512 F, BW, DQ and VL, besides AVX2 and FMA. */
bool cpu_has_avx512(void);

#endif
