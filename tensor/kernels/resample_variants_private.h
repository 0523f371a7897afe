/*
 * resample_variants_private.h - what resample.c chooses from. Private to tensor/kernels.
 */
#ifndef LNCLIP_TENSOR_KERNELS_RESAMPLE_VARIANTS_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_RESAMPLE_VARIANTS_PRIVATE_H

#include "tensor/kernels/resample.h"

/* The reference: the vector variants leave it what is shorter than their vectors. */
void kernels_resample_blend_reference(const int32_t *weights, int taps, const uint8_t *in,
                                      size_t stride, uint8_t *out, size_t n);
void kernels_resample_transpose_reference(const uint8_t *in, size_t in_stride, size_t rows,
                                          size_t columns, uint8_t *out, size_t out_stride);

/* The table of a variant, or NULL where the compiler's target has no such instructions. */
const KernelsResample *kernels_resample_avx2(void);
const KernelsResample *kernels_resample_avx512(void);

#endif
