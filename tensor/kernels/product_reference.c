/*
 * product_reference.c - the packed product's kernels in portable C: the code to read first, and the
 * oracle for testing the other kernels.
 */
#include "tensor/kernels/kernels_private.h"

#include <string.h>

enum { TILE = KERNELS_TILE_ROWS, COLUMNS = KERNELS_COLUMNS };

static float float_of_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/*
 * Computes the sums of one row. `a` is the row's first group; its groups are `step` groups apart.
 */
typedef void RowProduct(const void *a, ptrdiff_t step, const void *b, int groups, void *sums);

static void row_f32(const void *a, ptrdiff_t step, const void *b, int groups, void *sums)
{
    const float *lhs = a, *rhs = b;
    float *sum = sums;
    memset(sum, 0, COLUMNS * sizeof *sum);
    for (int k = 0; k < groups; k++, rhs += COLUMNS)
        for (int n = 0; n < COLUMNS; n++)
            sum[n] += lhs[k * step] * rhs[n];
}

static void row_bf16(const void *a, ptrdiff_t step, const void *b, int groups, void *sums)
{
    enum { PAIR = 2 };
    (void)step; /* groups of a row follow each other */
    const uint16_t *lhs = a, *rhs = b;
    float *sum = sums;
    memset(sum, 0, COLUMNS * sizeof *sum);
    for (int g = 0; g < groups; g++, rhs += COLUMNS * PAIR)
        for (int n = 0; n < COLUMNS; n++)
            for (int i = 0; i < PAIR; i++)
                sum[n] += float_of_bf16(lhs[g * PAIR + i]) * float_of_bf16(rhs[n * PAIR + i]);
}

static void row_int8(const void *a, ptrdiff_t step, const void *b, int groups, void *sums)
{
    enum { FOUR = 4 };
    (void)step;
    const uint8_t *lhs = a;
    const int8_t *rhs = b;
    int32_t *sum = sums;
    memset(sum, 0, COLUMNS * sizeof *sum);
    for (int g = 0; g < groups; g++, rhs += COLUMNS * FOUR)
        for (int n = 0; n < COLUMNS; n++)
            for (int i = 0; i < FOUR; i++)
                sum[n] += lhs[g * FOUR + i] * rhs[n * FOUR + i];
}

/* Computes row by row. A sum takes 4 bytes in every precision. */
static void product_by_rows(const KernelProduct *p, bool packed_a, RowProduct *row_product)
{
    for (int row = 0; row < p->rows; row++) {
        const char *a = p->a;
        if (packed_a)
            a += ((ptrdiff_t)(row / TILE) * TILE * p->groups + row % TILE) * 4;
        else
            a += row * p->lda;
        char *sums = (char *)p->sums + (p->store ? 0 : row * p->ld_sums * 4);
        row_product(a, TILE, p->b, p->groups, sums);
        if (p->store)
            p->store(p->epilogue, row, 1, sums);
    }
}

void kernels_product_f32_reference(const KernelProduct *product)
{
    product_by_rows(product, true, row_f32);
}

void kernels_product_bf16_reference(const KernelProduct *product)
{
    product_by_rows(product, false, row_bf16);
}

void kernels_product_int8_reference(const KernelProduct *product)
{
    product_by_rows(product, false, row_int8);
}

void kernels_pack_a_reference(const float *a, ptrdiff_t lda, int rows, int depth, float *out)
{
    for (int k = 0; k < depth; k++)
        for (int r = 0; r < TILE; r++)
            out[(ptrdiff_t)k * TILE + r] = r < rows ? a[r * lda + k] : 0;
}

/*
 * Works on BLOCK values of k at a time, so that the lines of `out` are still in the cache when the
 * next row writes to them.
 */
void kernels_transpose_reference(const uint32_t *const *rows, int count, int depth, uint32_t *out)
{
    enum { BLOCK = 16 };
    for (int begin = 0; begin < depth; begin += BLOCK) {
        const int end = begin + BLOCK < depth ? begin + BLOCK : depth;
        for (int n = 0; n < COLUMNS; n++)
            for (int k = begin; k < end; k++)
                out[(ptrdiff_t)k * COLUMNS + n] = n < count ? rows[n][k] : 0;
    }
}
