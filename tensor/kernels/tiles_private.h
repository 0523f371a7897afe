/*
 * tiles_private.h - the tile registers of AMX: the operand of LDTILECFG, and the spacing of tile
 * instructions. Private to tensor/kernels.
 *
 * Tests: tests/test_kernels_product.c.
 */
#ifndef LNCLIP_TENSOR_KERNELS_TILES_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_TILES_PRIVATE_H

#include <stdint.h>

enum {
    TILE_SIDE = 16, /* rows of a tile, and its 32-bit columns */
    TILE_LINE = 64, /* bytes of a row of a tile */
};

/* Palette 1 has eight tiles of up to 16 rows of 64 bytes (Intel SDM 1, 18.2). */
typedef struct TileShapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileShapes;
_Static_assert(sizeof(TileShapes) == 64, "LDTILECFG reads 64 bytes");

/*
 * Tiles 0 to 5 have `high` rows, tiles 6 and 7 sixteen. Use it to initialise constants only: a
 * compiler may not see that LDTILECFG reads memory.
 */
#define TILE_SHAPES(high)                                                                          \
    {                                                                                              \
        .palette = 1, .row_bytes = {TILE_LINE, TILE_LINE, TILE_LINE, TILE_LINE,                    \
                                    TILE_LINE, TILE_LINE, TILE_LINE, TILE_LINE},                   \
        .rows = {high, high, high, high, high, high, TILE_SIDE, TILE_SIDE},                        \
    }

/*
 * Eight NOPs, after each load and each multiplication. On a core shared (it seems) with another
 * hyper-thread, tile instructions in close succession take up to twice as long. Without and with
 * the NOPs, four multiplications take 65 and 43 ns; with four loads from the first-level cache, 121
 * and 75 ns. On an unshared core the NOPs are hidden by the latency of the second-level cache.
 */
#define TILE_SPACE() __asm__ volatile(".rept 8\n\tnop\n\t.endr")

#endif
