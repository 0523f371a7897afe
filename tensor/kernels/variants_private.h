/*
 * variants_private.h - the rungs that kernels.c builds its tables from, and the kernels that they share. Private to
 * tensor/kernels.
 *
 * The table of a rung is that of the rung below with what its overlay puts into it. The reference fills a
 * whole table. All but the reference exist only in programs for x86-64, and may only be put into a
 * table for a processor that has the instructions (cpu.h).
 */
#ifndef LNCLIP_TENSOR_KERNELS_VARIANTS_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_VARIANTS_PRIVATE_H

#include "tensor/kernels/kernels.h"

#include <float.h>
#include <math.h>

/* The packed product's kernels in portable C, in every table that has no better ones. */
void kernels_product_f32_reference(const KernelProduct *product);
void kernels_product_bf16_reference(const KernelProduct *product);
void kernels_product_int8_reference(const KernelProduct *product);
void kernels_interleave_reference(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_reference(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* Those of product_avx2.c. */
void kernels_product_f32_avx2(const KernelProduct *product);
void kernels_product_bf16_avx2(const KernelProduct *product);
void kernels_product_int8_avx2(const KernelProduct *product);
void kernels_interleave_avx2(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_avx2(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* Those of product_avx512.c. */
void kernels_product_f32_avx512(const KernelProduct *product);
void kernels_interleave_avx512(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_avx512(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* Put those of rows_avx512.c and of elements_avx512.c into the table of a processor with AVX-512. */
void kernels_overlay_rows_avx512(Kernels *table);
void kernels_overlay_elements_avx512(Kernels *table);

/* AVX-512 without BF16 instructions: widens to f32. */
void kernels_product_bf16_avx512(const KernelProduct *product);

/* What one extension of AVX-512 adds. */
void kernels_product_int8_avx512_vnni(const KernelProduct *product);
void kernels_product_bf16_avx512_bf16(const KernelProduct *product);

/*
 * Those of product_amx.c. The process must have been given leave to use tiles (cpu.h). They leave no tile
 * configured, and find none of value.
 */
void kernels_product_bf16_amx(const KernelProduct *product);
void kernels_product_int8_amx(const KernelProduct *product);

/*
 * The step that cuts least..largest into 254: 0 where it would be subnormal, and its inverse overflow; NaN
 * where one of them is NaN or infinity.
 */
static inline float kernels_step(float least, float largest)
{
    const float step = largest / 254.0f - least / 254.0f;
    if (!(step <= FLT_MAX))
        return NAN;
    return step >= FLT_MIN ? step : 0.0f;
}

/* 1 / sqrt(variance), NaN where the variance is beyond f32: 1 / sqrt(infinity) = 0 would hide the row. */
static inline float kernels_rstd(float variance)
{
    return variance <= FLT_MAX ? 1.0f / sqrtf(variance) : NAN;
}

/* The rungs, plainest first: kernels beyond the first are assigned over those of the rungs below. */
void kernels_overlay_reference(Kernels *table);
void kernels_overlay_avx2(Kernels *table);
void kernels_overlay_avx512(Kernels *table);
void kernels_overlay_avx512_vnni(Kernels *table);
void kernels_overlay_avx512_bf16(Kernels *table);
void kernels_overlay_amx(Kernels *table);

#endif
