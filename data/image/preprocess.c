/*
 * preprocess.c - Pillow's resize filters in 8 bits, CLIP's bicubic crop, and normalisation.
 *
 * Source: Pillow's documented resampling (two passes, horizontal first, 8 bits between them) with
 * the constants below; Keys, "Cubic convolution interpolation", 1981, for the bicubic kernel. To
 * equal Pillow byte for byte the weights repeat every rounding: doubles are normalised in the same
 * order and then rounded half away from zero to integers. From there on the arithmetic is exact and
 * may be rearranged freely, so rows and columns outside of the crop are skipped and the sums are
 * vectorised.
 */
#include "data/image/preprocess.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"
#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double KERNEL_A = -0.5, PI = 3.14159265358979323846;

void data_resizer_free(DataResizer *resizer)
{
    free(resizer->x.start);
    free(resizer->y.start);
    free(resizer->rows);
    *resizer = (DataResizer){0};
}

/* Keys' kernel, in the evaluation order that fixes its last bit. */
static double bicubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return ((KERNEL_A + 2) * x - (KERNEL_A + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * KERNEL_A;
    return 0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Half open, so that a pixel on the border of two boxes counts once. */
static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(PI * x) / (PI * x);
}

/* Pillow's window coefficients are floats, which changes the sum. */
static double hamming(double x)
{
    return fabs(x) < 1 ? sinc(x) * (0.54f + 0.46f * cos(PI * x)) : 0;
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

typedef struct Kernel {
    double radius; /* radius in output pixels when shrinking, input pixels when enlarging */
    double (*weight)(double x);
} Kernel;

static const Kernel KERNELS[] = {
    [DATA_FILTER_BILINEAR] = {1, bilinear}, [DATA_FILTER_BICUBIC] = {2, bicubic},
    [DATA_FILTER_BOX] = {0.5, box},         [DATA_FILTER_HAMMING] = {1, hamming},
    [DATA_FILTER_LANCZOS] = {3, lanczos},
};
_Static_assert(COUNT_OF(KERNELS) == DATA_FILTER_NEAREST, "a kernel for every filter but nearest");

/* The input pixels that contribute to one output pixel: start .. start + length - 1. */
typedef struct Window {
    double center, filter_scale;
    int start, length;
} Window;

static Window window_of(DataFilter filter, int in, int out, int output)
{
    const double scale = (double)in / out;
    const double filter_scale = scale < 1 ? 1 : scale;
    const double support = KERNELS[filter].radius * filter_scale;
    const double center = (output + 0.5) * scale;
    const int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
    const int start = max_int(low, 0);
    return (Window){.center = center,
                    .filter_scale = filter_scale,
                    .start = start,
                    .length = min_int(high, in) - start};
}

static double weight_at(DataFilter filter, const Window *window, int k)
{
    return KERNELS[filter].weight((k + window->start - window->center + 0.5) *
                                  (1.0 / window->filter_scale));
}

/* Start and weights of output pixel first + i. */
static void fill_weights(const DataResizeAxis *axis, int i)
{
    const Window window = window_of(axis->filter, axis->in, axis->out, axis->first + i);
    axis->start[i] = min_int(window.start, axis->in - axis->taps);
    int32_t *weights = axis->weights + (size_t)i * axis->taps;
    memset(weights, 0, axis->taps * sizeof *weights);

    double sum = 0;
    for (int k = 0; k < window.length; k++)
        sum += weight_at(axis->filter, &window, k);
    for (int k = 0; k < window.length; k++) {
        double weight = weight_at(axis->filter, &window, k);
        if (sum != 0)
            weight /= sum;
        weight *= 1 << KERNELS_WEIGHT_BITS;
        weights[window.start - axis->start[i] + k] =
            (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
}

/*
 * Nearest neighbour as in Pillow's affine transform: the centre of an output pixel is computed by
 * adding the scale repeatedly, because rounding decides at the border between two pixels.
 */
static void fill_nearest(const DataResizeAxis *axis)
{
    const double scale = (double)axis->in / axis->out;
    double center = scale * 0.5;
    for (int i = -axis->first; i < axis->count; i++, center += scale) {
        if (i < 0)
            continue;
        axis->start[i] = center < axis->in ? (int)center : axis->in - 1;
        axis->weights[i] = 1 << KERNELS_WEIGHT_BITS;
    }
}

/* Prepares the weights of one axis, unless they are still valid from the previous image. */
static Status prepare_axis(DataResizeAxis *axis, DataFilter filter, int in, int out, int first,
                           int count, Error *error)
{
    if (axis->filter == filter && axis->in == in && axis->out == out && axis->first == first &&
        axis->count == count)
        return STATUS_OK;
    const bool nearest = filter == DATA_FILTER_NEAREST;
    int taps = nearest ? 1 : 0;
    for (int i = 0; i < count && !nearest; i++)
        taps = max_int(taps, window_of(filter, in, out, first + i).length);
    const size_t bytes = count * (taps * sizeof *axis->weights + sizeof *axis->start);
    int *memory = axis->start;
    if (bytes > axis->capacity) {
        free(memory);
        memory = malloc(bytes);
        *axis = (DataResizeAxis){.start = memory, .capacity = memory ? bytes : 0};
        if (!memory)
            return mem_full(bytes, "the weights of a resize", error);
    }
    *axis = (DataResizeAxis){.filter = filter,
                             .in = in,
                             .out = out,
                             .first = first,
                             .count = count,
                             .taps = taps,
                             .start = memory,
                             .weights = memory + count,
                             .capacity = axis->capacity};
    if (nearest)
        fill_nearest(axis);
    for (int i = 0; i < count && !nearest; i++)
        fill_weights(axis, i);
    return STATUS_OK;
}

/* Rows per block of the horizontal pass: its input and output stay in the L2 cache. */
enum { BLOCK_ROWS = 64 };

/*
 * The horizontal pass: out [rows,x->count,3] from in [rows,...,3]. In the transposed image a column
 * of pixels is a row of bytes, and an output column is a weighted sum of such rows. in_columns and
 * out_columns hold one block.
 */
static void resize_rows(const Kernels *table, const DataResizeAxis *x, const uint8_t *in,
                        size_t in_stride, size_t rows, uint8_t *in_columns, uint8_t *out_columns,
                        uint8_t *out)
{
    const size_t out_stride = (size_t)x->count * 3;
    const int left = x->start[0];
    const size_t used = (size_t)(x->start[x->count - 1] + x->taps - left) * 3;
    for (size_t row = 0; row < rows; row += BLOCK_ROWS) {
        const size_t n = min_size(rows - row, BLOCK_ROWS);
        table->transpose_bytes(in + row * in_stride + left * 3, in_stride, n, used, in_columns, n);
        for (int i = 0; i < x->count; i++)
            table->blend(x->weights + (size_t)i * x->taps, x->taps,
                         in_columns + (x->start[i] - left) * 3 * n, 3 * n, out_columns + i * 3 * n,
                         3 * n);
        table->transpose_bytes(out_columns, n, out_stride, n, out + row * out_stride, out_stride);
    }
}

/* Computes the requested output pixels of both axes: out [y.count,x.count,3]. */
static Status resample(DataResizer *resizer, const DataImage *image, uint8_t *out, Error *error)
{
    const Kernels *table = kernels();
    const DataResizeAxis *x = &resizer->x, *y = &resizer->y;
    const int top = y->start[0];
    const size_t rows = y->start[y->count - 1] + y->taps - top;
    const size_t block = min_size(rows, BLOCK_ROWS);
    const size_t in_stride = (size_t)image->width * 3, out_stride = (size_t)x->count * 3;
    const size_t bytes = rows * out_stride + block * (in_stride + out_stride);
    if (bytes > resizer->capacity) {
        free(resizer->rows);
        resizer->rows = malloc(bytes);
        resizer->capacity = resizer->rows ? bytes : 0;
        if (!resizer->rows)
            return mem_full(bytes, "resizing an image", error);
    }
    uint8_t *in_columns = resizer->rows + rows * out_stride;
    resize_rows(table, x, image->pixels + top * in_stride, in_stride, rows, in_columns,
                in_columns + block * in_stride, resizer->rows);
    for (int i = 0; i < y->count; i++)
        table->blend(y->weights + (size_t)i * y->taps, y->taps,
                     resizer->rows + (y->start[i] - top) * out_stride, out_stride,
                     out + i * out_stride, out_stride);
    return STATUS_OK;
}

Status data_resize(DataResizer *resizer, const DataImage *image, int width, int height,
                   uint8_t *out, Error *error)
{
    assert(resizer && image && image->pixels && width > 0 && height > 0 && out && error);
    TRY(prepare_axis(&resizer->x, resizer->filter, image->width, width, 0, width, error));
    TRY(prepare_axis(&resizer->y, resizer->filter, image->height, height, 0, height, error));
    return resample(resizer, image, out, error);
}

bool data_resized_shape(int width, int height, int size, int *out_width, int *out_height)
{
    assert(width > 0 && height > 0 && size > 0 && out_width && out_height);
    const int shorter = min_int(width, height), longer = max_int(width, height);
    /* Both factors are below 2^31, so the quotient is rounded once, like Python's. */
    const double resized = (double)((int64_t)size * longer) / shorter;
    if (resized * size > DATA_MAX_PIXELS)
        return false;
    *out_width = width <= height ? size : (int)resized;
    *out_height = width <= height ? (int)resized : size;
    return true;
}

Status data_resize_crop(DataResizer *resizer, const DataImage *image, int size, uint8_t *out,
                        Error *error)
{
    assert(resizer && image && image->pixels && size > 0 && out && error);
    const int width = image->width, height = image->height;
    int out_width = 0, out_height = 0;
    if (!data_resized_shape(width, height, size, &out_width, &out_height))
        return error_set(error, STATUS_FAILED,
                         "image of %d x %d pixels: too elongated to be resized to %d (more than %d "
                         "pixels); crop it to the face",
                         width, height, size, DATA_MAX_PIXELS);
    TRY(prepare_axis(&resizer->x, DATA_FILTER_BICUBIC, width, out_width, (out_width - size) / 2,
                     size, error));
    TRY(prepare_axis(&resizer->y, DATA_FILTER_BICUBIC, height, out_height, (out_height - size) / 2,
                     size, error));
    return resample(resizer, image, out, error);
}

/*
 * A pixel has 256 values, so the three roundings are done once per channel and value; the rest is a
 * table look-up that also converts interleaved channels to planes.
 */
void data_normalize(const uint8_t *pixels, int size, const float mean[3], const float std[3],
                    float *out)
{
    assert(pixels && size > 0 && out);
    const size_t count = (size_t)size * size;
    float table[3][256];
    for (int c = 0; c < 3; c++) {
        for (int value = 0; value < 256; value++) {
            const float unit = (float)((double)value * (1.0 / 255.0));
            table[c][value] = (unit - mean[c]) / std[c];
        }
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = table[0][pixels[3 * i]];
        out[count + i] = table[1][pixels[3 * i + 1]];
        out[2 * count + i] = table[2][pixels[3 * i + 2]];
    }
}
