/*
 * resample_avx.c - the kernels of resample.h for AVX2 and AVX-512: sums by resample_template.h, and the
 * transposition, for which registers of AVX2 are wide enough.
 */
#include "tensor/kernels/resample_variants_private.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#define TARGET_AVX2   __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl")))

#define TARGET   TARGET_AVX2
#define VECTOR   __m256i
#define NAME(x)  x##_avx2
#define OP(x)    _mm256_##x
#define WHOLE(x) _mm256_##x##256
#include "tensor/kernels/resample_template.h"
#undef TARGET
#undef VECTOR
#undef NAME
#undef OP
#undef WHOLE

#define TARGET   TARGET_AVX512
#define VECTOR   __m512i
#define NAME(x)  x##_avx512
#define OP(x)    _mm512_##x
#define WHOLE(x) _mm512_##x##512
#include "tensor/kernels/resample_template.h"

enum { TILE = 16 }; /* rows of a tile, and columns of each of its two halves */

/*
 * One perfect shuffle of the rows: row i and row i + 8 are interleaved byte by byte into rows 2i and 2i + 1,
 * within each half. Four of them transpose 16 x 16 bytes: each rotates the bits of (row, column) by one.
 */
TARGET_AVX2 static inline void shuffle(const __m256i in[TILE], __m256i out[TILE])
{
    for (int i = 0; i < TILE / 2; i++) {
        out[2 * i] = _mm256_unpacklo_epi8(in[i], in[i + TILE / 2]);
        out[2 * i + 1] = _mm256_unpackhi_epi8(in[i], in[i + TILE / 2]);
    }
}

/* out [32,16] = transpose of in [16,32]. */
TARGET_AVX2 static inline void transpose_tile(const uint8_t *in, size_t in_stride, uint8_t *out,
                                              size_t out_stride)
{
    __m256i a[TILE], b[TILE];
    for (size_t i = 0; i < TILE; i++)
        a[i] = _mm256_loadu_si256((const void *)(in + i * in_stride));
    shuffle(a, b);
    shuffle(b, a);
    shuffle(a, b);
    shuffle(b, a);
    for (size_t i = 0; i < TILE; i++) {
        _mm_storeu_si128((void *)(out + i * out_stride), _mm256_castsi256_si128(a[i]));
        _mm_storeu_si128((void *)(out + (i + TILE) * out_stride),
                         _mm256_extracti128_si256(a[i], 1));
    }
}

TARGET_AVX2 static void transpose_avx2(const uint8_t *in, size_t in_stride, size_t rows,
                                       size_t columns, uint8_t *out, size_t out_stride)
{
    const size_t whole_rows = rows - rows % TILE, whole_columns = columns - columns % (2 * TILE);
    for (size_t row = 0; row < whole_rows; row += TILE)
        for (size_t column = 0; column < whole_columns; column += 2 * TILE)
            transpose_tile(in + row * in_stride + column, in_stride,
                           out + column * out_stride + row, out_stride);
    kernels_resample_transpose_reference(in + whole_columns, in_stride, whole_rows,
                                         columns - whole_columns, out + whole_columns * out_stride,
                                         out_stride);
    kernels_resample_transpose_reference(in + whole_rows * in_stride, in_stride, rows - whole_rows,
                                         columns, out + whole_rows, out_stride);
}

const KernelsResample *kernels_resample_avx2(void)
{
    static const KernelsResample table = {
        .name = "avx2", .blend = blend_avx2, .transpose = transpose_avx2};
    return &table;
}

const KernelsResample *kernels_resample_avx512(void)
{
    static const KernelsResample table = {
        .name = "avx512", .blend = blend_avx512, .transpose = transpose_avx2};
    return &table;
}

#else

const KernelsResample *kernels_resample_avx2(void)
{
    return NULL;
}

const KernelsResample *kernels_resample_avx512(void)
{
    return NULL;
}

#endif
