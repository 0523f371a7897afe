/*
 * variants.h - what kernels.c chooses from. Private to tensor/kernels.
 *
 * Each function returns the table of one variant, or NULL where the compiler's target has no such
 * instructions; whether the processor has them is asked of cpu.h.
 */
#ifndef LNCLIP_TENSOR_KERNELS_VARIANTS_H
#define LNCLIP_TENSOR_KERNELS_VARIANTS_H

#include "tensor/kernels/kernels.h"

const Kernels *kernels_avx2_table(void);
const Kernels *kernels_avx512_table(void);

#endif
