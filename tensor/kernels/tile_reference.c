/*
 * tile_reference.c - the packed product's kernels in portable C: the text to read and the oracle of
 * the others' tests. Nothing runs on them by choice: where there is no better one, OpenBLAS serves.
 */
#include "tensor/kernels/variants.h"

void kernels_tile_reference(const KernelTile *tile)
{
    for (int r = 0; r < tile->rows; r++) {
        float sum[KERNELS_TILE_COLUMNS] = {0};
        for (int k = 0; k < tile->depth; k++) {
            const float a = tile->a[(ptrdiff_t)k * KERNELS_TILE_ROWS + r];
            const float *const b = tile->b + (ptrdiff_t)k * KERNELS_TILE_COLUMNS;
            for (int n = 0; n < KERNELS_TILE_COLUMNS; n++)
                sum[n] += a * b[n];
        }
        const ptrdiff_t row = r * tile->ld;
        for (int n = 0; n < tile->columns; n++) {
            const float bias = tile->bias ? tile->bias[n] : 0;
            const float addend = tile->addend ? tile->addend[row + n] : 0;
            tile->c[row + n] = (sum[n] + bias) + addend;
        }
    }
}

void kernels_interleave_reference(const float *a, ptrdiff_t lda, int rows, int depth, float *out)
{
    for (int k = 0; k < depth; k++)
        for (int r = 0; r < KERNELS_TILE_ROWS; r++)
            out[(ptrdiff_t)k * KERNELS_TILE_ROWS + r] = r < rows ? a[r * lda + k] : 0;
}

/* Some k at a time, so that the lines of `out` are still at hand when the next row writes to them. */
void kernels_transpose_reference(const float *const *rows, int count, int depth, float *out)
{
    enum { BLOCK = 16 };
    for (int begin = 0; begin < depth; begin += BLOCK) {
        const int end = begin + BLOCK < depth ? begin + BLOCK : depth;
        for (int n = 0; n < KERNELS_TILE_COLUMNS; n++)
            for (int k = begin; k < end; k++)
                out[(ptrdiff_t)k * KERNELS_TILE_COLUMNS + n] = n < count ? rows[n][k] : 0;
    }
}
