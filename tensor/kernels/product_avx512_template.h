/*
 * product_avx512_template.h - one packed product for AVX-512, written once for every multiply
 * instruction.
 *
 * A tile keeps 6 x 64 sums in 24 of the 32 registers. Each group of k takes 4 loads of b and 6
 * broadcasts of a for 24 fused products, so the limit is the multipliers, not the two loads per
 * cycle. In all three precisions the operands are 32-bit groups; only the instruction differs.
 * Columns beyond the matrix are zeros in the pack and need no special case.
 *
 * Sums are named members instead of an array, and are pinned to registers after each step.
 * Otherwise gcc spills sums in the loop that splits groups (PRODUCT_PARTS = 2), to hold vectors of
 * b that it could load again.
 *
 * The includer defines PRODUCT_NAME, the function; PRODUCT_TARGET, its attribute;
 * PRODUCT_MULTIPLY(a, b, sum), on vectors of 16 groups as __m512; PRODUCT_PACKED_A, 1 if a is
 * packed by pack_a (f32), 0 if its rows are lda bytes apart; PRODUCT_PARTS and PRODUCT_PART(x,
 * part), for groups whose elements must be multiplied one after the other. All are undefined at the
 * end.
 */
#include "tensor/kernels/kernels_private.h"

#include <immintrin.h>
#include <string.h>

#ifndef LNCLIP_TENSOR_KERNELS_PRODUCT_AVX512_TEMPLATE_H
#define LNCLIP_TENSOR_KERNELS_PRODUCT_AVX512_TEMPLATE_H

enum {
    ROWS = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    LANES = 16, /* groups in a register */
    VECTORS = COLUMNS / LANES,
    UNROLL = 4, /* groups per iteration of the loop and per prefetch */
    GROUP = 4,  /* bytes */
};

/* 64 columns of one row. */
typedef struct RowSums {
    __m512 s0, s1, s2, s3;
} RowSums;

typedef struct TileSums {
    RowSums r0, r1, r2, r3, r4, r5;
} TileSums;

/* Bytes between rows of a, and between groups of a row. */
typedef struct Strides {
    ptrdiff_t row, group;
} Strides;

/*
 * "memory" makes the compiler load b again for the second part of its groups: no register is left
 * to hold it.
 */
#define PIN_ROW(r)                                                                                 \
    __asm__ volatile("" : "+v"((r).s0), "+v"((r).s1), "+v"((r).s2), "+v"((r).s3) : : "memory")

#define PASTE_AGAIN(a, b) a##b
#define PASTE(a, b)       PASTE_AGAIN(a, b)

#endif

#define INLINE      __attribute__((always_inline)) PRODUCT_TARGET static inline
#define LOCAL(name) PASTE(PRODUCT_NAME, name)

/* sum += a b for one group of one row. */
INLINE void LOCAL(_row)(const int vectors, const int part, const char *a, const RowSums *b,
                        RowSums *sum)
{
    float group; /* bits that are only moved */
    memcpy(&group, a, sizeof group);
    const __m512 factor = PRODUCT_PART(_mm512_set1_ps(group), part);
    sum->s0 = PRODUCT_MULTIPLY(factor, b->s0, sum->s0);
    if (vectors > 1) {
        sum->s1 = PRODUCT_MULTIPLY(factor, b->s1, sum->s1);
        sum->s2 = PRODUCT_MULTIPLY(factor, b->s2, sum->s2);
        sum->s3 = PRODUCT_MULTIPLY(factor, b->s3, sum->s3);
    }
    (void)part; /* unused if a group has one part */
}

/* One group: sums += a b. */
INLINE void LOCAL(_step)(const int rows, const int vectors, const char *a, Strides at,
                         const float *b, TileSums *sums)
{
    for (int part = 0; part < PRODUCT_PARTS; part++) {
        RowSums b_row;
        b_row.s0 = PRODUCT_PART(_mm512_load_ps(b), part);
        if (vectors > 1) {
            b_row.s1 = PRODUCT_PART(_mm512_load_ps(b + LANES), part);
            b_row.s2 = PRODUCT_PART(_mm512_load_ps(b + 2 * LANES), part);
            b_row.s3 = PRODUCT_PART(_mm512_load_ps(b + 3 * LANES), part);
        }
        LOCAL(_row)(vectors, part, a, &b_row, &sums->r0);
        if (rows > 1)
            LOCAL(_row)(vectors, part, a + at.row, &b_row, &sums->r1);
        if (rows > 2)
            LOCAL(_row)(vectors, part, a + 2 * at.row, &b_row, &sums->r2);
        if (rows > 3)
            LOCAL(_row)(vectors, part, a + 3 * at.row, &b_row, &sums->r3);
        if (rows > 4)
            LOCAL(_row)(vectors, part, a + 4 * at.row, &b_row, &sums->r4);
        if (rows > 5)
            LOCAL(_row)(vectors, part, a + 5 * at.row, &b_row, &sums->r5);
        PIN_ROW(sums->r0);
        PIN_ROW(sums->r1);
        PIN_ROW(sums->r2);
        PIN_ROW(sums->r3);
        PIN_ROW(sums->r4);
        PIN_ROW(sums->r5);
    }
}

INLINE void LOCAL(_store)(const int vectors, const RowSums *row, float *sums)
{
    _mm512_storeu_ps(sums, row->s0);
    if (vectors > 1) {
        _mm512_storeu_ps(sums + LANES, row->s1);
        _mm512_storeu_ps(sums + 2 * LANES, row->s2);
        _mm512_storeu_ps(sums + 3 * LANES, row->s3);
    }
}

/*
 * One tile: sums [rows,16 vectors] = a b, of which the first `count` rows are stored. Prefetches
 * `lines` lines from `prefetch` on.
 */
INLINE void LOCAL(_tile)(const int rows, const int vectors, const KernelProduct *p, const char *a,
                         Strides at, int count, float *sums, ptrdiff_t ld, const char *prefetch,
                         int lines)
{
    const __m512 zero = _mm512_setzero_ps();
    const RowSums none = {zero, zero, zero, zero};
    TileSums tile = {none, none, none, none, none, none};
    const float *b = p->b;
    int k = 0;
    for (; k + UNROLL <= p->groups; k += UNROLL) {
        if (lines-- > 0) {
            _mm_prefetch(prefetch, _MM_HINT_T1);
            prefetch += KERNELS_LINE;
        }
        for (int u = 0; u < UNROLL; u++, a += at.group, b += COLUMNS)
            LOCAL(_step)(rows, vectors, a, at, b, &tile);
    }
    /* Rows padded to whole lines are a multiple of UNROLL groups long and leave no rest. */
    for (; PRODUCT_PACKED_A && k < p->groups; k++, a += at.group, b += COLUMNS)
        LOCAL(_step)(rows, vectors, a, at, b, &tile);
    const RowSums *const row[ROWS] = {&tile.r0, &tile.r1, &tile.r2, &tile.r3, &tile.r4, &tile.r5};
    for (int r = 0; r < rows; r++)
        if (r < count)
            LOCAL(_store)(vectors, row[r], sums + r * ld);
}

/*
 * With six rows or more all tiles are full: the last one is moved up to end with the last row, and
 * its rows that the previous tile has computed are not stored again. Packed rows of A are padded to
 * six. Fewer than six rows are computed one by one: their speed is limited by loading b from
 * memory, not by the multipliers.
 */
PRODUCT_TARGET void PRODUCT_NAME(const KernelProduct *p)
{
    const ptrdiff_t ld = p->store ? COLUMNS : p->ld_sums;
    const bool whole = PRODUCT_PACKED_A || p->rows >= ROWS;
    const int size = whole ? ROWS : 1;
    const int tiles = (p->rows + size - 1) / size;
    const int lines = p->prefetch ? (int)(p->prefetch_bytes / KERNELS_LINE) / tiles + 1 : 0;
    const Strides at = PRODUCT_PACKED_A ? (Strides){GROUP, ROWS * GROUP} : (Strides){p->lda, GROUP};
    const char *prefetch = p->prefetch;
    for (int t = 0; t < tiles; t++) {
        const int row = t * size, left = p->rows - row, count = left < size ? left : size;
        const int again =
            PRODUCT_PACKED_A ? 0 : size - count; /* rows shared with the previous tile */
        const int first = row - again;
        const char *a =
            (const char *)p->a + first * (PRODUCT_PACKED_A ? (ptrdiff_t)p->groups * GROUP : p->lda);
        float *sums = (float *)p->sums + (p->store ? 0 : first * ld);
        const int wanted = again + count;
        if (!whole)
            LOCAL(_tile)(1, VECTORS, p, a, at, 1, sums, ld, prefetch, lines);
        else if (p->columns <= LANES)
            LOCAL(_tile)(ROWS, 1, p, a, at, wanted, sums, ld, prefetch, lines);
        else
            LOCAL(_tile)(ROWS, VECTORS, p, a, at, wanted, sums, ld, prefetch, lines);
        if (prefetch)
            prefetch += (ptrdiff_t)lines * KERNELS_LINE;
        if (p->store)
            p->store(p->epilogue, row, count, sums + again * ld);
    }
}

#undef INLINE
#undef LOCAL
#undef PRODUCT_NAME
#undef PRODUCT_TARGET
#undef PRODUCT_MULTIPLY
#undef PRODUCT_PACKED_A
#undef PRODUCT_PARTS
#undef PRODUCT_PART
