/*
 * packed_fill.c - makes packs of f32 matrices; see packed.h for their layout.
 *
 * W is read once, 64 rows a task, in blocks of columns that stay in the first-level cache while they are
 * converted and laid out. The rows are a panel of W^T: transposed in units of 32 bits, since the numbers of a
 * group follow each other in a row. They are also 64 values of k in every panel of W: there two rows become
 * one row of pairs. What is mapped from a file is thus read at the speed of memory, and packing all of
 * ViT-L/14 takes a fraction of a second.
 *
 * int8. With w[k] the largest weight of input channel k, and a[k] the expected magnitude of its activation,
 * the factor of the channel is sqrt(w[k] / a[k]): then both, a[k] factor and w[k] / factor, are sqrt(a[k] w[k]).
 * A column's scale is its largest weight by 127.
 */
#include "tensor/packed.h"

#include "tensor/kernels/kernels.h"
#include "tensor/panels_private.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum {
    COLUMNS = KERNELS_COLUMNS,
    BLOCK = 256,          /* columns of W converted at once: 32 KiB of bf16 */
    FACTOR_COLUMNS = 128, /* of W in one task that looks for the largest weights */
    GROUP_BYTES = 4,
    STEPS = 127,                /* of int8 on either side of zero */
    MOST_INT8 = 1 << 16,        /* k at which a sum of 255 times 127 still fits 32 bits */
    LINE_LOW = KERNELS_LINE / 2 /* bf16 numbers of a line */
};

/* W, and the packs that are made of it. */
typedef struct Fill {
    const PackedPart *parts;
    int rows, width;          /* of W */
    PackedMatrix *transposed; /* B = W^T, or NULL */
    PackedMatrix *plain;      /* B = W, or NULL */
    const float *magnitude;   /* int8: [width] or NULL */
} Fill;

/* Row `row` of W. */
static const float *row_of(const Fill *fill, int row)
{
    const PackedPart *part = fill->parts;
    for (; row >= part->rows; part++)
        row -= part->rows;
    return part->numbers + (ptrdiff_t)row * fill->width;
}

/* The groups [64] of one value of k, or of 2 or 4, in a panel. */
static uint32_t *groups_at(const PackedMatrix *packed, int panel, int group)
{
    return (uint32_t *)packed->panels +
           ((ptrdiff_t)panel * packed_groups(packed) + group) * COLUMNS;
}

/* A panel of W^T, some k of it: from up to 64 rows that hold the columns of W from `column` on. */
static void lay_across(const PackedMatrix *packed, int panel, int column, int columns,
                       const uint32_t *const *rows, int count)
{
    const int group = packed_group(packed->precision);
    kernels()->transpose(rows, count, parts_of(columns, group),
                         groups_at(packed, panel, column / group));
}

/* Groups of a panel of W^T beyond K. */
static void clear_rest(const PackedMatrix *packed, int panel)
{
    const int used = parts_of(packed->K, packed_group(packed->precision));
    memset(groups_at(packed, panel, used), 0,
           (size_t)(packed_groups(packed) - used) * COLUMNS * GROUP_BYTES);
}

/* 64 rows of W in f32. */
static void f32_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const int first = task * COLUMNS, count = smaller(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    for (int r = 0; r < count; r++)
        rows[r] = row_of(fill, first + r);
    for (int column = 0; column < fill->width; column += BLOCK) {
        const int columns = smaller(BLOCK, fill->width - column);
        const uint32_t *bits[COLUMNS];
        for (int r = 0; r < count; r++)
            bits[r] = (const uint32_t *)(const void *)(rows[r] + column);
        if (fill->transposed)
            lay_across(fill->transposed, task, column, columns, bits, count);
        for (int c = 0; fill->plain && c < columns; c += COLUMNS) {
            const size_t used = (size_t)smaller(COLUMNS, columns - c) * GROUP_BYTES;
            for (int r = 0; r < count; r++) {
                char *const out = (char *)groups_at(fill->plain, (column + c) / COLUMNS, first + r);
                memcpy(out, bits[r] + c, used);
                memset(out + used, 0, COLUMNS * GROUP_BYTES - used);
            }
        }
    }
}

/*
 * A block of 64 rows of W in bf16, [64][BLOCK]: zero beyond `columns` up to whole panels, and beyond `count` rows.
 */
static void round_block(const float *const *rows, int count, int column, int columns,
                        uint16_t block[COLUMNS][BLOCK])
{
    const size_t filled = (size_t)parts_of(columns, COLUMNS) * COLUMNS;
    for (int r = 0; r < COLUMNS; r++) {
        const size_t used = r < count ? (size_t)columns : 0;
        if (used)
            kernels()->to_bf16(rows[r] + column, block[r], used);
        memset(block[r] + used, 0, (filled - used) * sizeof *block[r]);
    }
}

/* 64 rows of W in bf16. The last rows of a plain pack reach as far as its padding. */
static void bf16_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const int first = task * COLUMNS, count = smaller(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    _Alignas(KERNELS_LINE) uint16_t block[COLUMNS][BLOCK];
    const uint32_t *bits[COLUMNS];
    for (int r = 0; r < count; r++) {
        rows[r] = row_of(fill, first + r);
        bits[r] = (const uint32_t *)(const void *)block[r];
    }
    const int pairs = parts_of(count, LINE_LOW) * LINE_LOW / 2;
    for (int column = 0; column < fill->width; column += BLOCK) {
        const int columns = smaller(BLOCK, fill->width - column);
        round_block(rows, count, column, columns, block);
        if (fill->transposed)
            lay_across(fill->transposed, task, column, columns, bits, count);
        for (int c = 0; fill->plain && c < columns; c += COLUMNS)
            for (int pair = 0; pair < pairs; pair++)
                kernels()->pair(block[pair * 2] + c, block[pair * 2 + 1] + c, COLUMNS,
                                groups_at(fill->plain, (column + c) / COLUMNS, first / 2 + pair));
    }
    if (fill->transposed)
        clear_rest(fill->transposed, task);
}

/* max[n] = the larger of itself and |x[n]|; the bits of |x| order as the numbers do, NaN above all. */
static void raise(const float *x, int n, uint32_t *max)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= INT32_MAX;
        max[i] = bits > max[i] ? bits : max[i];
    }
}

/* The largest weight of some input channels, to where their factors will be. */
static void largest_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const int column = task * FACTOR_COLUMNS, n = smaller(FACTOR_COLUMNS, fill->width - column);
    uint32_t max[FACTOR_COLUMNS] = {0};
    for (int row = 0; row < fill->rows; row++)
        raise(row_of(fill, row) + column, n, max);
    memcpy(fill->transposed->factor + column, max, (size_t)n * sizeof *max);
}

/* Positive and finite, or `least`. */
static double sound(float value, double least)
{
    return isfinite(value) && (double)value > least ? (double)value : least;
}

/*
 * factor[n] = sqrt(factor[n] / magnitude[n]), then all divided by their geometric mean, which no product
 * sees, but whoever looks at the numbers does. Channels a millionth of the largest or less count as that.
 */
static void balance(float *factor, const float *magnitude, int n)
{
    double weight = 0, activation = 0, sum = 0;
    for (int k = 0; k < n; k++) {
        weight = fmax(weight, sound(factor[k], 0));
        activation = fmax(activation, sound(magnitude[k], 0));
    }
    weight = weight > 0 ? weight * 1e-6 : 1;
    activation = activation > 0 ? activation * 1e-6 : 1;
    for (int k = 0; k < n; k++) {
        const double ratio = sound(factor[k], weight) / sound(magnitude[k], activation);
        factor[k] = (float)sqrt(ratio);
        sum += log(ratio) / 2;
    }
    const double mean = exp(sum / n);
    for (int k = 0; k < n; k++)
        factor[k] = (float)(factor[k] / mean);
}

/* inverse[n] of the factors from `column` on. */
static void invert(const PackedMatrix *packed, int column, int n, float *inverse)
{
    for (int k = 0; k < n; k++)
        inverse[k] = packed->factor ? 1 / packed->factor[column + k] : 1;
}

/* out[n] = x inverse step rounded to nearest even; returns their sum. x inverse step is within 127. */
static int32_t quantize(const float *x, const float *inverse, float step, int n, int8_t *out)
{
    /* Adding 1.5 2^23 leaves the rounded number in the low bits of the sum. */
    const float shift = 12582912.0F;
    int32_t sum = 0;
    for (int k = 0; k < n; k++) {
        const float shifted = x[k] * inverse[k] * step + shift;
        uint32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        const int8_t value = (int8_t)(uint8_t)bits;
        out[k] = value;
        sum += value;
    }
    return sum;
}

/* The largest |weight| of each of 64 rows, its factors taken out. */
static void largest_of_rows(const Fill *fill, const float *const *rows, int count, float *largest)
{
    uint32_t max[COLUMNS] = {0};
    for (int column = 0; column < fill->width; column += BLOCK) {
        float inverse[BLOCK];
        const int columns = smaller(BLOCK, fill->width - column);
        invert(fill->transposed, column, columns, inverse);
        for (int r = 0; r < count; r++) {
            uint32_t row_max = max[r];
            for (int k = 0; k < columns; k++) {
                const float scaled = rows[r][column + k] * inverse[k];
                uint32_t bits;
                memcpy(&bits, &scaled, sizeof bits);
                bits &= INT32_MAX;
                row_max = bits > row_max ? bits : row_max;
            }
            max[r] = row_max;
        }
    }
    memcpy(largest, max, sizeof max);
}

/* 64 rows of W in int8, with the scales and sums of their columns of W^T. */
static void int8_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const PackedMatrix *const packed = fill->transposed;
    const int first = task * COLUMNS, count = smaller(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    const uint32_t *bits[COLUMNS];
    _Alignas(KERNELS_LINE) int8_t block[COLUMNS][BLOCK];
    float largest[COLUMNS], step[COLUMNS];
    int32_t sum[COLUMNS] = {0};
    for (int r = 0; r < count; r++) {
        rows[r] = row_of(fill, first + r);
        bits[r] = (const uint32_t *)(const void *)block[r];
    }
    largest_of_rows(fill, rows, count, largest);
    for (int r = 0; r < COLUMNS; r++) {
        const bool counts = largest[r] >= FLT_MIN * STEPS; /* or its inverse might overflow */
        step[r] = counts ? STEPS / largest[r] : 0;
        packed->scale[first + r] = isfinite(largest[r]) ? (counts ? largest[r] / STEPS : 0) : NAN;
    }
    for (int column = 0; column < fill->width; column += BLOCK) {
        float inverse[BLOCK];
        const int columns = smaller(BLOCK, fill->width - column);
        invert(packed, column, columns, inverse);
        for (int r = 0; r < count; r++) {
            sum[r] += quantize(rows[r] + column, inverse, step[r], columns, block[r]);
            memset(block[r] + columns, 0, (size_t)(-columns & (GROUP_BYTES - 1)));
        }
        lay_across(packed, task, column, columns, bits, count);
    }
    for (int r = 0; r < COLUMNS; r++)
        packed->sum[first + r] = sum[r];
    clear_rest(packed, task);
}

static void fill_all(Fill *fill, int count, Threads *threads)
{
    static const ThreadsTask tasks[PRECISION_COUNT] = {
        [PRECISION_F32] = f32_task, [PRECISION_BF16] = bf16_task, [PRECISION_INT8] = int8_task};
    const PackedMatrix *const any = fill->transposed ? fill->transposed : fill->plain;
    fill->rows = fill->transposed ? fill->transposed->N : fill->plain->K;
    fill->width = fill->transposed ? fill->transposed->K : fill->plain->N;
    int rows = 0;
    for (int i = 0; i < count; i++)
        rows += fill->parts[i].rows;
    assert(rows == fill->rows);
    if (any->precision == PRECISION_INT8) {
        PackedMatrix *const packed = fill->transposed;
        assert(packed && !fill->plain && packed->K <= MOST_INT8);
        if (!fill->magnitude)
            packed->factor = NULL;
        if (packed->factor) {
            threads_run(threads, parts_of(fill->width, FACTOR_COLUMNS), largest_task, fill);
            balance(packed->factor, fill->magnitude, fill->width);
        }
    }
    threads_run(threads, parts_of(fill->rows, COLUMNS), tasks[any->precision], fill);
}

void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads)
{
    fill_all(&(Fill){.parts = parts, .plain = packed}, count, threads);
}

void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            const float *magnitude, Threads *threads)
{
    fill_all(&(Fill){.parts = parts, .transposed = packed, .magnitude = magnitude}, count, threads);
}

void packed_fill_both(PackedMatrix *transposed, PackedMatrix *plain, const PackedPart *parts,
                      int count, Threads *threads)
{
    assert(transposed->precision == plain->precision && transposed->precision != PRECISION_INT8);
    assert(transposed->N == plain->K && transposed->K == plain->N);
    fill_all(&(Fill){.parts = parts, .transposed = transposed, .plain = plain}, count, threads);
}
