/*
 * product_amx.c - the packed product's bf16 and int8 kernels for the tile registers of AMX.
 *
 * Four of the eight tiles hold 32 x 32 sums, two of them hold 32 rows of A and two 32 columns of B, 16 groups
 * deep: one line of each row of A, and 16 rows of the panel. Fewer rows are tiles of fewer rows. So every sum is
 * made by the same instructions in the same order, wherever its row stands.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#include <assert.h>
#include <immintrin.h>

#define TARGET __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#define INLINE __attribute__((always_inline)) TARGET static inline

enum {
    COLUMNS = KERNELS_COLUMNS,
    SIDE = 16,              /* rows of a tile, and 32-bit columns */
    ROWS = 2 * SIDE,        /* of sums in registers */
    HALF = 2 * SIDE,        /* columns of them */
    LINE = KERNELS_LINE,    /* bytes of a row of a tile */
    PANEL_ROW = COLUMNS * 4 /* bytes from group to group of B */
};

/* The tile registers. Macros: gcc pastes the numbers into the names of registers. */
#define SUM00 0
#define SUM01 1
#define SUM10 2
#define SUM11 3
#define A0    4
#define A1    5
#define B0    6
#define B1    7

typedef enum Kind { BF16, INT8 } Kind;

/* What LDTILECFG reads: palette 1 has eight tiles of up to 16 rows of 64 bytes (Intel SDM 1, 18.2). */
typedef struct TileShapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileShapes;

/* Shapes for `upper` rows in the first row of tiles and `lower` in the second. */
#define SHAPES(upper, lower)                                                                       \
    {                                                                                              \
        .palette = 1, .row_bytes = {LINE, LINE, LINE, LINE, LINE, LINE, LINE, LINE},               \
        .rows = {upper, upper, lower, lower, upper, lower, SIDE, SIDE},                            \
    }
#define UPPER(rows) SHAPES(rows, rows)
#define LOWER(rows) SHAPES(SIDE, rows)

/* By the number of rows, less one. Constants: a compiler may not see that LDTILECFG reads memory. */
static const TileShapes SHAPES_OF[ROWS] = {
    UPPER(1), UPPER(2),  UPPER(3),  UPPER(4),  UPPER(5),  UPPER(6),  UPPER(7),  UPPER(8),
    UPPER(9), UPPER(10), UPPER(11), UPPER(12), UPPER(13), UPPER(14), UPPER(15), UPPER(16),
    LOWER(1), LOWER(2),  LOWER(3),  LOWER(4),  LOWER(5),  LOWER(6),  LOWER(7),  LOWER(8),
    LOWER(9), LOWER(10), LOWER(11), LOWER(12), LOWER(13), LOWER(14), LOWER(15), LOWER(16),
};
_Static_assert(sizeof(TileShapes) == 64, "LDTILECFG reads 64 bytes");

/* Bytes to be fetched, some of them at each step. */
typedef struct Ahead {
    const char *next, *end;
    ptrdiff_t step;
} Ahead;

INLINE void fetch(Ahead *ahead)
{
    const char *const end =
        ahead->end - ahead->next < ahead->step ? ahead->end : ahead->next + ahead->step;
    for (; ahead->next < end; ahead->next += LINE)
        _mm_prefetch(ahead->next, _MM_HINT_T1);
}

/* A macro, since tile numbers are constants: sum += a b. */
#define MULTIPLY(kind, sum, a, b)                                                                  \
    do {                                                                                           \
        if ((kind) == BF16)                                                                        \
            _tile_dpbf16ps(sum, a, b);                                                             \
        else                                                                                       \
            _tile_dpbusd(sum, a, b);                                                               \
    } while (0)

/* Up to 16 high tiles and wide tiles of sums, in each direction one or two. */
INLINE void block(const Kind kind, const int high, const int wide, int groups, const char *a,
                  ptrdiff_t lda, const char *b, float *sums, ptrdiff_t ld, Ahead *ahead)
{
    const ptrdiff_t ld_bytes = ld * (ptrdiff_t)sizeof *sums;
    _tile_zero(SUM00);
    _tile_zero(SUM01);
    _tile_zero(SUM10);
    _tile_zero(SUM11);
    for (int k = 0; k < groups; k += SIDE, a += LINE, b += SIDE * PANEL_ROW) {
        fetch(ahead);
        _tile_loadd(B0, b, PANEL_ROW);
        _tile_loadd(A0, a, lda);
        MULTIPLY(kind, SUM00, A0, B0);
        if (wide > 1) {
            _tile_loadd(B1, b + LINE, PANEL_ROW);
            MULTIPLY(kind, SUM01, A0, B1);
        }
        if (high > 1) {
            _tile_loadd(A1, a + SIDE * lda, lda);
            MULTIPLY(kind, SUM10, A1, B0);
            if (wide > 1)
                MULTIPLY(kind, SUM11, A1, B1);
        }
    }
    _tile_stored(SUM00, sums, ld_bytes);
    if (wide > 1)
        _tile_stored(SUM01, sums + SIDE, ld_bytes);
    if (high > 1) {
        _tile_stored(SUM10, sums + SIDE * ld, ld_bytes);
        if (wide > 1)
            _tile_stored(SUM11, sums + SIDE * ld + SIDE, ld_bytes);
    }
}

/* Up to 32 rows: as many columns as are wanted, in units of 16. */
INLINE void block_row(const Kind kind, const KernelProduct *p, const int high, const char *a,
                      float *sums, ptrdiff_t ld, Ahead *ahead)
{
    for (int column = 0; column < p->columns; column += HALF) {
        const char *const b = (const char *)p->b + column * 4;
        if (p->columns - column > SIDE)
            block(kind, high, 2, p->groups, a, p->lda, b, sums + column, ld, ahead);
        else
            block(kind, high, 1, p->groups, a, p->lda, b, sums + column, ld, ahead);
    }
}

INLINE void product(const Kind kind, const KernelProduct *p)
{
    assert(p->groups % SIDE == 0);
    const ptrdiff_t ld = p->deliver ? COLUMNS : p->ld_sums;
    const int blocks = (p->rows + ROWS - 1) / ROWS * ((p->columns + HALF - 1) / HALF);
    const size_t lines = p->ahead ? p->ahead_bytes / LINE : 0;
    const size_t steps = (size_t)blocks * (size_t)(p->groups / SIDE);
    Ahead ahead = {p->ahead, p->ahead ? p->ahead + lines * LINE : NULL,
                   (ptrdiff_t)((lines + steps - 1) / steps) * LINE};
    for (int row = 0; row < p->rows; row += ROWS) {
        const int rows = p->rows - row < ROWS ? p->rows - row : ROWS;
        const char *const a = (const char *)p->a + row * p->lda;
        float *const sums = (float *)p->sums + (p->deliver ? 0 : row * ld);
        if (row == 0 || rows < ROWS)
            _tile_loadconfig(&SHAPES_OF[rows - 1]);
        if (rows > SIDE)
            block_row(kind, p, 2, a, sums, ld, &ahead);
        else
            block_row(kind, p, 1, a, sums, ld, &ahead);
        if (p->deliver)
            p->deliver(p->finish, row, rows, sums);
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
