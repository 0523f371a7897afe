/*
 * product_avx512.c - the packed product's kernels for AVX-512.
 *
 * A tile keeps 6 x 64 sums in 24 of the 32 registers. Each k takes 4 loads of b and 6 broadcasts of a for
 * 24 fused products, so the multipliers are the limit and not the two loads a cycle. Packed operands
 * make all reads sequential. Columns beyond the matrix are zeros in the pack: the arithmetic never
 * looks at them, only the stores are masked.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq")))

enum {
    ROWS = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    LANES = 16, /* floats in a register */
    VECTORS = COLUMNS / LANES,
    UNROLL = 4,      /* steps of k between two prefetches: also keeps the loop's counting cheap */
    CACHE_LINE = 64, /* bytes */
};

TARGET static inline __mmask16 first_lanes(int count)
{
    return (__mmask16)(count >= LANES ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

/* One k: sum[rows][VECTORS] += a[rows] b[COLUMNS]. */
__attribute__((always_inline)) TARGET static inline void step(const int rows,
                                                              __m512 sum[ROWS][VECTORS],
                                                              const float *a, const float *b)
{
    __m512 row[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        row[v] = _mm512_load_ps(b + LANES * v);
    for (int r = 0; r < rows; r++) {
        const __m512 factor = _mm512_set1_ps(a[r]);
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] = _mm512_fmadd_ps(factor, row[v], sum[r][v]);
    }
}

/* One tile: sums [rows,64] = a b; fetches `lines` of `ahead` meanwhile. */
__attribute__((always_inline)) TARGET static inline void tile_of(const int rows,
                                                                 const KernelProduct *p,
                                                                 const float *a, float *sums,
                                                                 ptrdiff_t ld, const char *ahead,
                                                                 int lines)
{
    const float *b = p->b;
    int k = 0;
    __m512 sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            sum[r][v] = _mm512_setzero_ps();
    for (; k + UNROLL <= p->groups; k += UNROLL) {
        if (lines-- > 0) {
            _mm_prefetch(ahead, _MM_HINT_T1);
            ahead += CACHE_LINE;
        }
        step(rows, sum, a, b);
        step(rows, sum, a + ROWS, b + COLUMNS);
        step(rows, sum, a + 2 * ROWS, b + 2 * COLUMNS);
        step(rows, sum, a + 3 * ROWS, b + 3 * COLUMNS);
        a += UNROLL * ROWS;
        b += UNROLL * COLUMNS;
    }
    for (; k < p->groups; k++, a += ROWS, b += COLUMNS)
        step(rows, sum, a, b);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++)
            _mm512_storeu_ps(sums + r * ld + LANES * v, sum[r][v]);
}

/* The number of rows is a constant in each: that is what keeps the sums in registers. */
TARGET void kernels_product_f32_avx512(const KernelProduct *p)
{
    const ptrdiff_t ld = p->deliver ? COLUMNS : p->ld_sums;
    const int tiles = (p->rows + ROWS - 1) / ROWS;
    const int lines = p->ahead ? (int)(p->ahead_bytes / CACHE_LINE) / tiles + 1 : 0;
    const char *ahead = p->ahead;
    for (int t = 0; t < tiles; t++, ahead += lines * CACHE_LINE) {
        const int row = t * ROWS, rows = p->rows - row < ROWS ? p->rows - row : ROWS;
        const float *const a = (const float *)p->a + (ptrdiff_t)row * p->groups;
        float *const sums = (float *)p->sums + (p->deliver ? 0 : row * ld);
        switch (rows) {
        case 1:
            tile_of(1, p, a, sums, ld, ahead, lines);
            break;
        case 2:
            tile_of(2, p, a, sums, ld, ahead, lines);
            break;
        case 3:
            tile_of(3, p, a, sums, ld, ahead, lines);
            break;
        case 4:
            tile_of(4, p, a, sums, ld, ahead, lines);
            break;
        case 5:
            tile_of(5, p, a, sums, ld, ahead, lines);
            break;
        default:
            tile_of(6, p, a, sums, ld, ahead, lines);
            break;
        }
        if (p->deliver)
            p->deliver(p->finish, row, rows, sums);
    }
}

/*
 * Six rows of sixteen become sixteen groups of six in two steps: rows are paired, (0,1), (2,3), (4,5),
 * which leaves three streams of 64-bit elements, and these are dealt out in turn.
 */
TARGET static inline void deal_six(__m512 rows[ROWS], __m512 groups[ROWS])
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    /* Of pairs p, q: which go where; `third` then fills the places of the third stream. */
    const __m512i first[3] = {_mm512_setr_epi64(0, 8, 0, 1, 9, 0, 2, 10),
                              _mm512_setr_epi64(0, 3, 11, 0, 4, 12, 0, 5),
                              _mm512_setr_epi64(13, 0, 6, 14, 0, 7, 15, 0)};
    const __m512i third[3] = {_mm512_setr_epi64(0, 1, 8, 3, 4, 9, 6, 7),
                              _mm512_setr_epi64(10, 1, 2, 11, 4, 5, 12, 7),
                              _mm512_setr_epi64(0, 13, 2, 3, 14, 5, 6, 15)};
    for (int half = 0; half < 2; half++) {
        const __m512i pairing = half ? high : low;
        const __m512d p = _mm512_castps_pd(_mm512_permutex2var_ps(rows[0], pairing, rows[1]));
        const __m512d q = _mm512_castps_pd(_mm512_permutex2var_ps(rows[2], pairing, rows[3]));
        const __m512d s = _mm512_castps_pd(_mm512_permutex2var_ps(rows[4], pairing, rows[5]));
        for (int i = 0; i < 3; i++) {
            const __m512d two = _mm512_permutex2var_pd(p, first[i], q);
            groups[3 * half + i] = _mm512_castpd_ps(_mm512_permutex2var_pd(two, third[i], s));
        }
    }
}

TARGET void kernels_interleave_avx512(const float *a, ptrdiff_t lda, int rows, int depth,
                                      float *out)
{
    for (int k = 0; k < depth; k += LANES, out += ROWS * LANES) {
        const __mmask16 lanes = first_lanes(depth - k);
        __m512 in[ROWS], groups[ROWS];
        for (int r = 0; r < ROWS; r++)
            in[r] = r < rows ? _mm512_maskz_loadu_ps(lanes, a + r * lda + k) : _mm512_setzero_ps();
        deal_six(in, groups);
        for (int i = 0; i < ROWS; i++) {
            const __mmask16 written = first_lanes((depth - k) * ROWS - LANES * i);
            _mm512_mask_storeu_ps(out + LANES * i, written, groups[i]);
        }
    }
}

/*
 * Transposes 16 x 16 in four steps: twice within the 128-bit quarters of the registers, which leaves in
 * r[4 i + j] the columns j, j + 4, j + 8, j + 12 of rows 4 i to 4 i + 3, and twice by whole quarters.
 */
TARGET static inline void transpose_square(__m512 r[LANES])
{
    __m512 t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        for (int j = 0; j < 2; j++) {
            const __m512d upper = _mm512_castps_pd(t[i + j]),
                          lower = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(upper, lower));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(upper, lower));
        }
    }
    enum { EVEN = 0x88, ODD = 0xdd }; /* quarters 0 and 2, or 1 and 3, of both operands */
    for (int j = 0; j < 4; j++) {
        t[j] = _mm512_shuffle_f32x4(r[j], r[j + 4], EVEN);
        t[j + 4] = _mm512_shuffle_f32x4(r[j], r[j + 4], ODD);
        t[j + 8] = _mm512_shuffle_f32x4(r[j + 8], r[j + 12], EVEN);
        t[j + 12] = _mm512_shuffle_f32x4(r[j + 8], r[j + 12], ODD);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_f32x4(t[j], t[j + 8], EVEN);
        r[j + 4] = _mm512_shuffle_f32x4(t[j + 4], t[j + 12], EVEN);
        r[j + 8] = _mm512_shuffle_f32x4(t[j], t[j + 8], ODD);
        r[j + 12] = _mm512_shuffle_f32x4(t[j + 4], t[j + 12], ODD);
    }
}

TARGET void kernels_transpose_avx512(const uint32_t *const *rows, int count, int depth,
                                     uint32_t *out)
{
    for (int n = 0; n < COLUMNS; n += LANES) {
        for (int k = 0; k < depth; k += LANES) {
            const int deep = depth - k < LANES ? depth - k : LANES;
            const __mmask16 lanes = first_lanes(deep);
            __m512 square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] = _mm512_castsi512_ps(
                    n + i < count ? _mm512_maskz_loadu_epi32(lanes, rows[n + i] + k)
                                  : _mm512_setzero_si512());
            transpose_square(square);
            uint32_t *const to = out + (ptrdiff_t)k * COLUMNS + n;
            for (int i = 0; i < LANES; i++)
                if (i < deep)
                    _mm512_store_si512(to + (ptrdiff_t)i * COLUMNS, _mm512_castps_si512(square[i]));
        }
    }
}

#endif
