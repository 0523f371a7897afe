/*
 * variants.h - what kernels.c chooses from. Private to tensor/kernels.
 *
 * Each function returns the table of one variant, or NULL where the compiler's target has no such
 * instructions; whether the processor has them is asked of cpu.h.
 */
#ifndef LNCLIP_TENSOR_KERNELS_VARIANTS_H
#define LNCLIP_TENSOR_KERNELS_VARIANTS_H

#include "tensor/kernels/kernels.h"

/* The packed product's kernels in portable C, in every table that has no better ones. */
void kernels_product_f32_reference(const KernelProduct *product);
void kernels_product_bf16_reference(const KernelProduct *product);
void kernels_product_int8_reference(const KernelProduct *product);
void kernels_interleave_reference(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_reference(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* Those of product_avx512.c: only where kernels_avx512_table is not NULL. */
void kernels_product_f32_avx512(const KernelProduct *product);
void kernels_interleave_avx512(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_avx512(const uint32_t *const *rows, int count, int depth, uint32_t *out);

const Kernels *kernels_avx2_table(void);
const Kernels *kernels_avx512_table(void);

#endif
