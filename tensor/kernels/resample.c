/*
 * resample.c - the kernels of image resizing: weighted sums of rows of bytes, and transposition.
 * Both exist in C. The sums are also compiled for AVX2 and AVX-512 (resample_template.h), the
 * transposition for AVX2 only, whose registers are wide enough.
 *
 * All arithmetic is in integers, so every ISA level gives the same bytes.
 */
#include "tensor/kernels/kernels_private.h"

static uint8_t clip(int32_t sum)
{
    const int32_t value = sum >> KERNELS_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void kernels_blend_reference(const int32_t *weights, int taps, const uint8_t *restrict in,
                             size_t stride, uint8_t *restrict out, size_t n)
{
    enum { BLOCK = 128 }; /* the sums stay in the first-level cache */
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t count = n - begin < BLOCK ? n - begin : BLOCK;
        int32_t sums[BLOCK];
        for (size_t i = 0; i < count; i++)
            sums[i] = 1 << (KERNELS_WEIGHT_BITS - 1);
        for (int k = 0; k < taps; k++) {
            const uint8_t *row = in + (size_t)k * stride + begin;
            const int32_t weight = weights[k];
            for (size_t i = 0; i < count; i++)
                sums[i] += weight * row[i];
        }
        for (size_t i = 0; i < count; i++)
            out[begin + i] = clip(sums[i]);
    }
}

void kernels_transpose_bytes_reference(const uint8_t *restrict in, size_t in_stride, size_t rows,
                                       size_t columns, uint8_t *restrict out, size_t out_stride)
{
    for (size_t column = 0; column < columns; column++)
        for (size_t row = 0; row < rows; row++)
            out[column * out_stride + row] = in[row * in_stride + column];
}

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET_AVX2   __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl")))

#define TARGET   TARGET_AVX2
#define VECTOR   __m256i
#define NAME(x)  kernels_##x##_avx2
#define OP(x)    _mm256_##x
#define WHOLE(x) _mm256_##x##256
#include "tensor/kernels/resample_template.h"

#define TARGET   TARGET_AVX512
#define VECTOR   __m512i
#define NAME(x)  kernels_##x##_avx512
#define OP(x)    _mm512_##x
#define WHOLE(x) _mm512_##x##512
#include "tensor/kernels/resample_template.h"

enum { TILE = 16 }; /* rows of a tile, and columns of each of its two halves */

/*
 * One perfect shuffle of the rows: within each half, rows i and i + 8 are interleaved byte by byte
 * into rows 2i and 2i + 1. Four shuffles transpose 16 x 16 bytes, since each rotates the bits of
 * (row, column) by one.
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

TARGET_AVX2 void kernels_transpose_bytes_avx2(const uint8_t *in, size_t in_stride, size_t rows,
                                              size_t columns, uint8_t *out, size_t out_stride)
{
    const size_t whole_rows = rows - rows % TILE, whole_columns = columns - columns % (2 * TILE);
    for (size_t row = 0; row < whole_rows; row += TILE)
        for (size_t column = 0; column < whole_columns; column += 2 * TILE)
            transpose_tile(in + row * in_stride + column, in_stride,
                           out + column * out_stride + row, out_stride);
    kernels_transpose_bytes_reference(in + whole_columns, in_stride, whole_rows,
                                      columns - whole_columns, out + whole_columns * out_stride,
                                      out_stride);
    kernels_transpose_bytes_reference(in + whole_rows * in_stride, in_stride, rows - whole_rows,
                                      columns, out + whole_rows, out_stride);
}

#endif
