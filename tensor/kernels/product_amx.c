/*
 * product_amx.c - the packed product's bf16 and int8 kernels for the tile registers of AMX.
 *
 * Four of the eight tiles hold 32 x 32 sums. Two hold 16 groups of 32 rows of A, one cache line of
 * each row; two hold 16 groups of 32 columns of B, from 16 rows of the panel. The limit is not the
 * multiplier but loading these 64 lines from the second-level cache. Keeping partial sums in
 * memory, so that blocks of A and B could stay in the first level, costs more than it gains:
 * storing and loading four tiles takes as long as two steps. The destination of the results is
 * prefetched too; otherwise `store` would wait for it, a tenth of the time in training.
 *
 * If the number of rows is not a multiple of 16, the last tile overlaps the one before, and some
 * sums are computed twice; only with fewer than 16 rows is a tile smaller. So every sum is computed
 * by the same instructions in the same order, whatever the position of its row. Up to 16 rows that
 * remain after blocks of 32 join the last block, which saves a pass over the panel.
 */
#include "tensor/kernels/kernels_private.h"
#include "tensor/kernels/tiles_private.h"

#if defined(__x86_64__)

#include <assert.h>
#include <immintrin.h>

#define TARGET __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#define INLINE __attribute__((always_inline)) TARGET static inline

enum {
    COLUMNS = KERNELS_COLUMNS,
    SIDE = TILE_SIDE,
    ROWS = 2 * SIDE,     /* rows of a block */
    MAX_ROWS = 3 * SIDE, /* most rows of the last block */
    HALF = 2 * SIDE,     /* columns of a block */
    LINE = TILE_LINE,
    PANEL_ROW = COLUMNS * 4, /* bytes between groups of B */
};
_Static_assert(MAX_ROWS *COLUMNS <= KERNELS_SUMS, "a block is stored at once");

/* The tile registers. Macros, because gcc pastes the numbers into the names of registers. */
#define SUM00 0
#define SUM01 1
#define SUM10 2
#define SUM11 3
#define A0    4
#define A1    5
#define B0    6
#define B1    7
/* In a block of three rows of tiles: six tiles of sums leave one for A and one for B. */
#define SUM20 4
#define SUM21 5
#define B_ANY 6
#define A_ANY 7

typedef enum Kind { BF16, INT8 } Kind;

/*
 * Shapes for 1..16 rows, at index rows - 1. They apply to sums and A; tiles of B always have 16
 * rows.
 */
static const TileShapes SHAPES_OF[SIDE] = {
    TILE_SHAPES(1),  TILE_SHAPES(2),  TILE_SHAPES(3),  TILE_SHAPES(4),
    TILE_SHAPES(5),  TILE_SHAPES(6),  TILE_SHAPES(7),  TILE_SHAPES(8),
    TILE_SHAPES(9),  TILE_SHAPES(10), TILE_SHAPES(11), TILE_SHAPES(12),
    TILE_SHAPES(13), TILE_SHAPES(14), TILE_SHAPES(15), TILE_SHAPES(16),
};

/* Data to prefetch, `step` bytes at each step. */
typedef struct Prefetch {
    const char *next, *end;
    ptrdiff_t step;
} Prefetch;

INLINE void prefetch_lines(Prefetch *prefetch)
{
    const char *end = prefetch->end - prefetch->next < prefetch->step
                          ? prefetch->end
                          : prefetch->next + prefetch->step;
    for (; prefetch->next < end; prefetch->next += LINE)
        _mm_prefetch(prefetch->next, _MM_HINT_T1);
}

/* Macros, since tile numbers must be constants: sum += a b, and a load. */
#define MULTIPLY(kind, sum, a, b)                                                                  \
    do {                                                                                           \
        if ((kind) == BF16)                                                                        \
            _tile_dpbf16ps(sum, a, b);                                                             \
        else                                                                                       \
            _tile_dpbusd(sum, a, b);                                                               \
    } while (0)
#define LOAD(tile, from, ld)                                                                       \
    do {                                                                                           \
        _tile_loadd(tile, from, ld);                                                               \
        TILE_SPACE();                                                                              \
    } while (0)

/*
 * Prefetches the next step's lines of eight rows of A into the first-level cache, which takes as
 * long as a TILE_SPACE. Rows an even number of lines apart would evict each other: for them it is a
 * TILE_SPACE.
 */
INLINE void prefetch_rows(const char *a, ptrdiff_t lda)
{
    if (lda / LINE % 2 == 0) {
        TILE_SPACE();
        return;
    }
    for (int row = 0; row < SIDE / 2; row++)
        _mm_prefetch(a + row * lda + LINE, _MM_HINT_T0);
}

/* The destination and residual of a block of rows, to be prefetched row by row. */
typedef struct Results {
    const Epilogue *epilogue;
    int row, end, column; /* row = end: nothing is left to prefetch, or there is no epilogue */
} Results;

/* Prefetches one row of 32 columns. */
INLINE void prefetch_result(Results *results)
{
    const Epilogue *f = results->epilogue;
    if (results->row >= results->end || !f->c)
        return;
    const ptrdiff_t size = f->type == DTYPE_F32 ? 4 : 2;
    const ptrdiff_t at = (results->row++ * f->ld + results->column) * size;
    for (ptrdiff_t line = 0; line < HALF * size; line += LINE) {
        _mm_prefetch((const char *)f->c + at + line, _MM_HINT_T0);
        if (f->z)
            _mm_prefetch((const char *)f->z + at + line, _MM_HINT_T0);
        if (f->residual && f->residual != f->c)
            _mm_prefetch((const char *)f->residual + at + line, _MM_HINT_T0);
    }
}

/* Operands of a block of sums. */
typedef struct Block {
    const char *a;
    ptrdiff_t lda;
    const char *b;
    int groups;
    float *sums;
    ptrdiff_t ld;   /* sums between rows */
    ptrdiff_t last; /* first row of the last row of tiles, if it is not the first */
    Results results;
} Block;

#define STORE(sum, row, column)                                                                    \
    _tile_stored(sum, p->sums + (row)*p->ld + (column), p->ld * (ptrdiff_t)sizeof(float))

/* A block of 1 or 2 rows and 1 or 2 columns of tiles. */
INLINE void block(const Kind kind, const int high, const int wide, const Block *p,
                  Prefetch *prefetch)
{
    const char *a = p->a, *b = p->b;
    const char *a1 = p->a + p->last * p->lda;
    Results results = p->results;
    _tile_zero(SUM00);
    _tile_zero(SUM01);
    _tile_zero(SUM10);
    _tile_zero(SUM11);
    for (int k = 0; k < p->groups; k += SIDE) {
        prefetch_lines(prefetch);
        prefetch_result(&results);
        LOAD(B0, b, PANEL_ROW);
        if (wide > 1)
            LOAD(B1, b + LINE, PANEL_ROW);
        LOAD(A0, a, p->lda);
        if (high > 1)
            LOAD(A1, a1, p->lda);
        MULTIPLY(kind, SUM00, A0, B0);
        prefetch_rows(a, p->lda);
        if (wide > 1)
            MULTIPLY(kind, SUM01, A0, B1);
        prefetch_rows(a + SIDE / 2 * p->lda, p->lda);
        if (high > 1) {
            MULTIPLY(kind, SUM10, A1, B0);
            prefetch_rows(a1, p->lda);
            if (wide > 1)
                MULTIPLY(kind, SUM11, A1, B1);
            prefetch_rows(a1 + SIDE / 2 * p->lda, p->lda);
        }
        a += LINE;
        a1 += LINE;
        b += SIDE * PANEL_ROW;
    }
    STORE(SUM00, 0, 0);
    if (wide > 1)
        STORE(SUM01, 0, SIDE);
    if (high > 1)
        STORE(SUM10, p->last, 0);
    if (high > 1 && wide > 1)
        STORE(SUM11, p->last, SIDE);
}

/*
 * A block of 3 rows and 1 or 2 columns of tiles. A is read once per column of tiles, the second
 * time from the first-level cache.
 */
INLINE void block_of_three(const Kind kind, const int wide, const Block *p, Prefetch *prefetch)
{
    const char *a = p->a, *b = p->b;
    const char *a1 = a + SIDE * p->lda, *a2 = a + p->last * p->lda;
    Results results = p->results;
    _tile_zero(SUM00);
    _tile_zero(SUM01);
    _tile_zero(SUM10);
    _tile_zero(SUM11);
    _tile_zero(SUM20);
    _tile_zero(SUM21);
    for (int k = 0; k < p->groups; k += SIDE) {
        prefetch_lines(prefetch);
        prefetch_result(&results);
        LOAD(B_ANY, b, PANEL_ROW);
        LOAD(A_ANY, a, p->lda);
        MULTIPLY(kind, SUM00, A_ANY, B_ANY);
        TILE_SPACE();
        LOAD(A_ANY, a1, p->lda);
        MULTIPLY(kind, SUM10, A_ANY, B_ANY);
        TILE_SPACE();
        LOAD(A_ANY, a2, p->lda);
        MULTIPLY(kind, SUM20, A_ANY, B_ANY);
        TILE_SPACE();
        if (wide > 1) {
            LOAD(B_ANY, b + LINE, PANEL_ROW);
            MULTIPLY(kind, SUM21, A_ANY, B_ANY);
            TILE_SPACE();
            LOAD(A_ANY, a1, p->lda);
            MULTIPLY(kind, SUM11, A_ANY, B_ANY);
            TILE_SPACE();
            LOAD(A_ANY, a, p->lda);
            MULTIPLY(kind, SUM01, A_ANY, B_ANY);
            TILE_SPACE();
        }
        a += LINE;
        a1 += LINE;
        a2 += LINE;
        b += SIDE * PANEL_ROW;
    }
    STORE(SUM00, 0, 0);
    STORE(SUM10, SIDE, 0);
    STORE(SUM20, p->last, 0);
    if (wide > 1) {
        STORE(SUM01, 0, SIDE);
        STORE(SUM11, SIDE, SIDE);
        STORE(SUM21, p->last, SIDE);
    }
}

/* Up to 48 rows and p->columns columns, rounded up to 16. */
INLINE void block_row(const Kind kind, const KernelProduct *p, int row, int rows, float *sums,
                      ptrdiff_t ld, Prefetch *prefetch)
{
    for (int column = 0; column < p->columns; column += HALF) {
        const bool wide = p->columns - column > SIDE;
        const Block b = {.a = (const char *)p->a + row * p->lda,
                         .lda = p->lda,
                         .b = (const char *)p->b + column * 4,
                         .groups = p->groups,
                         .sums = sums + column,
                         .ld = ld,
                         .last = rows > SIDE ? rows - SIDE : 0,
                         .results = {p->epilogue, row, p->store ? row + rows : row, column}};
        if (rows > ROWS && wide)
            block_of_three(kind, 2, &b, prefetch);
        else if (rows > ROWS)
            block_of_three(kind, 1, &b, prefetch);
        else if (rows > SIDE && wide)
            block(kind, 2, 2, &b, prefetch);
        else if (rows > SIDE)
            block(kind, 2, 1, &b, prefetch);
        else if (wide)
            block(kind, 1, 2, &b, prefetch);
        else
            block(kind, 1, 1, &b, prefetch);
    }
}

INLINE void product(const Kind kind, const KernelProduct *p)
{
    assert(p->groups % SIDE == 0);
    const ptrdiff_t ld = p->store ? COLUMNS : p->ld_sums;
    const int high = (p->rows + SIDE - 1) / ROWS, wide = (p->columns + HALF - 1) / HALF;
    const int blocks = (high > 1 ? high : 1) * wide;
    const size_t lines = p->prefetch ? p->prefetch_bytes / LINE : 0;
    const size_t steps = (size_t)blocks * (size_t)(p->groups / SIDE);
    Prefetch prefetch = {p->prefetch, p->prefetch ? p->prefetch + lines * LINE : NULL,
                         (ptrdiff_t)((lines + steps - 1) / steps) * LINE};
    _tile_loadconfig(&SHAPES_OF[(p->rows < SIDE ? p->rows : SIDE) - 1]);
    for (int row = 0, rows; row < p->rows; row += rows) {
        const int left = p->rows - row;
        rows = left <= MAX_ROWS ? left : ROWS;
        float *sums = (float *)p->sums + (p->store ? 0 : row * ld);
        block_row(kind, p, row, rows, sums, ld, &prefetch);
        if (p->store)
            p->store(p->epilogue, row, rows, sums);
    }
    _tile_release();
}

TARGET void kernels_product_bf16_amx(const KernelProduct *p)
{
    product(BF16, p);
}

TARGET void kernels_product_int8_amx(const KernelProduct *p)
{
    product(INT8, p);
}

#endif
