/*
 * kernels_private.h - the kernels written for a single ISA level. kernels.c builds its tables from
 * them and from those of rows_template.h.
 *
 * All but the reference are compiled for x86-64 only, and may only be called on a processor that
 * has the instructions (cpu_private.h).
 *
 * Tests: tests/test_kernels.c.
 */
#ifndef LNCLIP_TENSOR_KERNELS_KERNELS_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_KERNELS_PRIVATE_H

#include "tensor/kernels/kernels.h"

/* The packed products in portable C (product_reference.c). */
void kernels_product_f32_reference(const KernelProduct *product);
void kernels_product_bf16_reference(const KernelProduct *product);
void kernels_product_int8_reference(const KernelProduct *product);
void kernels_pack_a_reference(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_reference(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* product_avx2.c */
void kernels_product_f32_avx2(const KernelProduct *product);
void kernels_product_bf16_avx2(const KernelProduct *product);
void kernels_product_int8_avx2(const KernelProduct *product);
void kernels_pack_a_avx2(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_avx2(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* product_avx512.c; int8 needs VNNI, and bf16 without BF16 instructions widens to f32. */
void kernels_product_f32_avx512(const KernelProduct *product);
void kernels_product_bf16_avx512(const KernelProduct *product);
void kernels_product_bf16_avx512_bf16(const KernelProduct *product);
void kernels_product_int8_avx512_vnni(const KernelProduct *product);
void kernels_pack_a_avx512(const float *a, ptrdiff_t lda, int rows, int depth, float *out);
void kernels_transpose_avx512(const uint32_t *const *rows, int count, int depth, uint32_t *out);

/* resample.c */
void kernels_blend_reference(const int32_t *weights, int taps, const uint8_t *in, size_t stride,
                             uint8_t *out, size_t n);
void kernels_blend_avx2(const int32_t *weights, int taps, const uint8_t *in, size_t stride,
                        uint8_t *out, size_t n);
void kernels_blend_avx512(const int32_t *weights, int taps, const uint8_t *in, size_t stride,
                          uint8_t *out, size_t n);
void kernels_transpose_bytes_reference(const uint8_t *in, size_t in_stride, size_t rows,
                                       size_t columns, uint8_t *out, size_t out_stride);
void kernels_transpose_bytes_avx2(const uint8_t *in, size_t in_stride, size_t rows, size_t columns,
                                  uint8_t *out, size_t out_stride);

/* softmax_avx512.c */
float kernels_softmax_bf16_avx512(const float *row, int n, float scale, uint16_t *p,
                                  float *inverse_sum);
void kernels_softmax_gradient_bf16_avx512(const KernelScores *scores);

/*
 * product_amx.c. The process must have permission to use tiles (cpu_has_amx). Overwrites the tile
 * registers and leaves them unconfigured.
 */
void kernels_product_bf16_amx(const KernelProduct *product);
void kernels_product_int8_amx(const KernelProduct *product);

#endif
