/*
 * product_avx2.c - the packed product's kernels for AVX2 and FMA.
 *
 * A tile keeps 6 x 16 sums in 12 of the 16 registers and processes the four quarters of a panel in
 * turn. AVX2 cannot multiply bf16, and its product of bytes saturates at 16 bits. So groups are
 * split into their low and high halves and widened: groups of a beforehand (once for four
 * quarters), groups of b when they are loaded. A half is then
 *
 *     bf16   one element as an f32: products are exact, sums are in f32
 *     int8   two bytes (0 and 2, or 1 and 3) as 16-bit integers, whose products one instruction
 *            adds exactly
 *
 * Long rows are divided into chunks of k, so that the rows of a stay in the first-level cache.
 * Between chunks the sums are stored in memory; that rounds nothing, so results are the same as
 * without chunks.
 */
#include "tensor/kernels/kernels_private.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE __attribute__((always_inline)) TARGET static inline

/*
 * Keeps sums in their registers, and makes gcc load b again for its other half. gcc otherwise
 * reorders until it must spill, which costs int8 up to a tenth of its speed.
 */
#define PIN(sums) __asm__ volatile("" : "+x"((sums)[0]), "+x"((sums)[1]) : : "memory")

enum {
    ROWS = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    LANES = 8, /* groups in a register */
    QUARTER = 2 * LANES,
    CHUNK = 256, /* groups: both halves of a take 12 KiB */
    UNROLL = 4,  /* groups per iteration of the loop and per prefetch */
};

/* The halves of a tile of a, one chunk long, each [groups][ROWS]. f32 uses `low` alone. */
typedef struct Halves {
    const float *low, *high;
} Halves;

/* Lines to prefetch. */
typedef struct Prefetch {
    const char *next;
    int lines;
} Prefetch;

INLINE __m256 low_half(const Precision precision, __m256 groups)
{
    const __m256i bits = _mm256_castps_si256(groups);
    switch (precision) {
    case PRECISION_BF16:
        return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    case PRECISION_INT8: /* elements of b are signed */
        return _mm256_castsi256_ps(_mm256_srai_epi16(_mm256_slli_epi16(bits, 8), 8));
    default:
        return groups;
    }
}

INLINE __m256 high_half(const Precision precision, __m256 groups)
{
    const __m256i bits = _mm256_castps_si256(groups);
    return _mm256_castsi256_ps(precision == PRECISION_BF16
                                   ? _mm256_and_si256(bits, _mm256_set1_epi32((int)0xffff0000))
                                   : _mm256_srai_epi16(bits, 8));
}

INLINE __m256 multiply_add(const Precision precision, __m256 a, __m256 b, __m256 sum)
{
    if (precision != PRECISION_INT8)
        return _mm256_fmadd_ps(a, b, sum);
    const __m256i products = _mm256_madd_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b));
    return _mm256_castsi256_ps(_mm256_add_epi32(products, _mm256_castps_si256(sum)));
}

/* sum[rows][2] += a b for halves of one group. */
INLINE void multiply_half(const Precision precision, const int rows, const float *a, __m256 b0,
                          __m256 b1, __m256 sum[ROWS][2])
{
    for (int r = 0; r < rows; r++) {
        const __m256 factor = _mm256_broadcast_ss(a + r);
        sum[r][0] = multiply_add(precision, factor, b0, sum[r][0]);
        sum[r][1] = multiply_add(precision, factor, b1, sum[r][1]);
        PIN(sum[r]);
    }
}

INLINE void step(const Precision precision, const int rows, Halves a, const float *b,
                 __m256 sum[ROWS][2])
{
    multiply_half(precision, rows, a.low, low_half(precision, _mm256_load_ps(b)),
                  low_half(precision, _mm256_load_ps(b + LANES)), sum);
    if (precision != PRECISION_F32)
        multiply_half(precision, rows, a.high, high_half(precision, _mm256_load_ps(b)),
                      high_half(precision, _mm256_load_ps(b + LANES)), sum);
}

/* One chunk of one quarter: sums [rows,16] = a b if `first`, else += a b. */
INLINE void quarter(const Precision precision, const int rows, Halves a, const float *b, int groups,
                    bool first, float *sums, ptrdiff_t ld, Prefetch *prefetch)
{
    __m256 sum[ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            sum[r][v] = first ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + r * ld + LANES * v);
    int k = 0;
    for (; k + UNROLL <= groups; k += UNROLL) {
        if (prefetch->lines-- > 0) {
            _mm_prefetch(prefetch->next, _MM_HINT_T1);
            prefetch->next += KERNELS_LINE;
        }
        for (int i = 0; i < UNROLL; i++)
            step(precision, rows, (Halves){a.low + i * ROWS, a.high + i * ROWS}, b + i * COLUMNS,
                 sum);
        a = (Halves){a.low + UNROLL * ROWS, a.high + UNROLL * ROWS};
        b += UNROLL * COLUMNS;
    }
    for (; k < groups; k++, b += COLUMNS) {
        step(precision, rows, a, b, sum);
        a = (Halves){a.low + ROWS, a.high + ROWS};
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            _mm256_storeu_ps(sums + r * ld + LANES * v, sum[r][v]);
}

/* Each call has a constant number of rows, so that the compiler keeps the sums in registers. */
INLINE void quarter_of(const Precision precision, int rows, Halves a, const float *b, int groups,
                       bool first, float *sums, ptrdiff_t ld, Prefetch *prefetch)
{
    switch (rows) {
    case 1:
        quarter(precision, 1, a, b, groups, first, sums, ld, prefetch);
        break;
    case 2:
        quarter(precision, 2, a, b, groups, first, sums, ld, prefetch);
        break;
    case 3:
        quarter(precision, 3, a, b, groups, first, sums, ld, prefetch);
        break;
    case 4:
        quarter(precision, 4, a, b, groups, first, sums, ld, prefetch);
        break;
    case 5:
        quarter(precision, 5, a, b, groups, first, sums, ld, prefetch);
        break;
    default:
        quarter(precision, 6, a, b, groups, first, sums, ld, prefetch);
        break;
    }
}

/*
 * Transposes six rows of eight into eight groups of six. Rows are paired, (0,1), (2,3), (4,5), and
 * then the pairs of a group are joined. The two halves of a register are independent and hold
 * groups four apart.
 */
INLINE void pack_six(const __m256 rows[ROWS], float *out)
{
    for (int high = 0; high < 2; high++) {
        __m256d pair[3];
        for (int i = 0; i < 3; i++)
            pair[i] = _mm256_castps_pd(high ? _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1])
                                            : _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]));
        const __m256d two_groups[3] = {_mm256_unpacklo_pd(pair[0], pair[1]),
                                       _mm256_shuffle_pd(pair[2], pair[0], 0xa),
                                       _mm256_unpackhi_pd(pair[1], pair[2])};
        for (int i = 0; i < 3; i++) {
            const __m256 four = _mm256_castpd_ps(two_groups[i]);
            float *to = out + (2 * high) * ROWS + 4 * i;
            _mm_storeu_ps(to, _mm256_castps256_ps128(four));
            _mm_storeu_ps(to + 4 * ROWS, _mm256_extractf128_ps(four, 1));
        }
    }
}

/*
 * Splits `groups` (a multiple of LANES) groups of each row into halves. Missing rows count as
 * zeros.
 */
TARGET static void split_halves(const Precision precision, const char *a, ptrdiff_t lda, int rows,
                                int groups, float *low, float *high)
{
    for (int k = 0; k < groups; k += LANES) {
        __m256 lows[ROWS], highs[ROWS];
        for (int r = 0; r < ROWS; r++) {
            const __m256i bits = r < rows ? _mm256_loadu_si256((const void *)(a + r * lda + k * 4))
                                          : _mm256_setzero_si256();
            const __m256 whole = _mm256_castsi256_ps(bits);
            if (precision == PRECISION_BF16) {
                lows[r] = low_half(precision, whole);
                highs[r] = high_half(precision, whole);
            } else { /* unsigned */
                lows[r] = _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi16(0xff)));
                highs[r] = _mm256_castsi256_ps(_mm256_srli_epi16(bits, 8));
            }
        }
        pack_six(lows, low + (ptrdiff_t)k * ROWS);
        pack_six(highs, high + (ptrdiff_t)k * ROWS);
    }
}

/* One tile: sums [rows,64] = a b. */
INLINE void tile(const Precision precision, const KernelProduct *p, int row, int rows, float *sums,
                 ptrdiff_t ld, Prefetch prefetch)
{
    float low[CHUNK * ROWS], high[CHUNK * ROWS];
    for (int k = 0; k < p->groups; k += CHUNK) {
        const int groups = p->groups - k < CHUNK ? p->groups - k : CHUNK;
        Halves a = {low, high};
        if (precision == PRECISION_F32)
            a.low = a.high = (const float *)p->a + (ptrdiff_t)row * p->groups + k * ROWS;
        else
            split_halves(precision, (const char *)p->a + row * p->lda + (ptrdiff_t)k * 4, p->lda,
                         rows, groups, low, high);
        const float *b = (const float *)p->b + (ptrdiff_t)k * COLUMNS;
        for (int n = 0; n < p->columns; n += QUARTER)
            quarter_of(precision, rows, a, b + n, groups, k == 0, sums + n, ld, &prefetch);
    }
}

INLINE void product(const Precision precision, const KernelProduct *p)
{
    const ptrdiff_t ld = p->store ? COLUMNS : p->ld_sums;
    const int tiles = (p->rows + ROWS - 1) / ROWS;
    const int lines = p->prefetch ? (int)(p->prefetch_bytes / KERNELS_LINE) / tiles + 1 : 0;
    for (int t = 0; t < tiles; t++) {
        const int row = t * ROWS, rows = p->rows - row < ROWS ? p->rows - row : ROWS;
        float *sums = (float *)p->sums + (p->store ? 0 : row * ld);
        const Prefetch prefetch = {lines ? p->prefetch + (ptrdiff_t)t * lines * KERNELS_LINE : NULL,
                                   lines};
        tile(precision, p, row, rows, sums, ld, prefetch);
        if (p->store)
            p->store(p->epilogue, row, rows, sums);
    }
}

TARGET void kernels_product_f32_avx2(const KernelProduct *p)
{
    product(PRECISION_F32, p);
}

TARGET void kernels_product_bf16_avx2(const KernelProduct *p)
{
    product(PRECISION_BF16, p);
}

TARGET void kernels_product_int8_avx2(const KernelProduct *p)
{
    product(PRECISION_INT8, p);
}

/* --- Layouts --- */

/* Loads `count` groups at `from`; the other lanes are zero. */
INLINE __m256 first_groups(const void *from, int count)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
}

TARGET void kernels_pack_a_avx2(const float *a, ptrdiff_t lda, int rows, int depth, float *out)
{
    for (int k = 0; k < depth; k += LANES) {
        const int count = depth - k < LANES ? depth - k : LANES;
        __m256 in[ROWS];
        for (int r = 0; r < ROWS; r++)
            in[r] = first_groups(a + (r < rows ? r : 0) * lda + k, r < rows ? count : 0);
        if (count == LANES) {
            pack_six(in, out + (ptrdiff_t)k * ROWS);
        } else {
            float last[LANES * ROWS];
            pack_six(in, last);
            memcpy(out + (ptrdiff_t)k * ROWS, last, (size_t)(count * ROWS) * sizeof *last);
        }
    }
}

/*
 * Transposes 8 x 8: two steps within the halves of the registers, then one that exchanges halves.
 */
INLINE void transpose_square(__m256 r[LANES])
{
    __m256 t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        for (int j = 0; j < 2; j++) {
            const __m256d upper = _mm256_castps_pd(t[i + j]),
                          lower = _mm256_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(upper, lower));
            r[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(upper, lower));
        }
    }
    for (int j = 0; j < LANES / 2; j++) {
        t[j] = _mm256_permute2f128_ps(r[j], r[j + 4], 0x20);
        t[j + 4] = _mm256_permute2f128_ps(r[j], r[j + 4], 0x31);
    }
    for (int j = 0; j < LANES; j++)
        r[j] = t[j];
}

TARGET void kernels_transpose_avx2(const uint32_t *const *rows, int count, int depth, uint32_t *out)
{
    for (int n = 0; n < COLUMNS; n += LANES) {
        for (int k = 0; k < depth; k += LANES) {
            const int deep = depth - k < LANES ? depth - k : LANES;
            __m256 square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] =
                    n + i < count ? first_groups(rows[n + i] + k, deep) : _mm256_setzero_ps();
            transpose_square(square);
            float *to = (float *)(void *)out + (ptrdiff_t)k * COLUMNS + n;
            for (int i = 0; i < LANES; i++)
                if (i < deep)
                    _mm256_store_ps(to + (ptrdiff_t)i * COLUMNS, square[i]);
        }
    }
}

#endif
