/*
 * resize.c - Pillow's antialiased bicubic in 8 bits, and the crop CLIP takes of it.
 *
 * Source: Pillow's documented resampling (two passes, horizontal first, 8 bits between them) with the
 * constants below; Keys, "Cubic convolution interpolation", 1981, for the kernel. To equal it byte for
 * byte the table of weights repeats every rounding: doubles are normalised in the same order and then
 * rounded half away from zero to integers, after which the arithmetic is exact and may be arranged
 * freely. That is why rows and columns outside the crop can be left out.
 */
#include "data/preprocess.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 22 }; /* 32 - 8 bits of a pixel - 2 of headroom for negative lobes */
static const double KERNEL_RADIUS =
    2; /* in output pixels when shrinking, input pixels when enlarging */
static const double KERNEL_A = -0.5;

void data_resizer_free(DataResizer *resizer)
{
    free(resizer->x.start);
    free(resizer->y.start);
    free(resizer->rows);
    *resizer = (DataResizer){0};
}

/* Keys' kernel, evaluated in the order that fixes its last bit. */
static double bicubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return ((KERNEL_A + 2) * x - (KERNEL_A + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * KERNEL_A;
    return 0;
}

/* The input pixels that bear on output pixel `i` of those wanted: start .. start + length - 1. */
typedef struct Window {
    double center, stretch;
    int start, length;
} Window;

static Window window_of(int in, int out, int output)
{
    const double scale = (double)in / out;
    const double stretch = scale < 1 ? 1 : scale;
    const double support = KERNEL_RADIUS * stretch;
    const double center = (output + 0.5) * scale;
    const int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
    const int start = low < 0 ? 0 : low;
    return (Window){.center = center,
                    .stretch = stretch,
                    .start = start,
                    .length = (high > in ? in : high) - start};
}

static double weight_at(const Window *window, int k)
{
    return bicubic((k + window->start - window->center + 0.5) * (1.0 / window->stretch));
}

/* Start and weights of output pixel first + i. */
static void fill_weights(const DataResizeAxis *axis, int i)
{
    const Window window = window_of(axis->in, axis->out, axis->first + i);
    const int last_start = axis->in - axis->taps;
    axis->start[i] = window.start < last_start ? window.start : last_start;
    int32_t *const weights = axis->weights + (size_t)i * (size_t)axis->taps;
    memset(weights, 0, (size_t)axis->taps * sizeof *weights);

    double sum = 0;
    for (int k = 0; k < window.length; k++)
        sum += weight_at(&window, k);
    for (int k = 0; k < window.length; k++) {
        double weight = weight_at(&window, k);
        if (sum != 0)
            weight /= sum;
        weight *= 1 << WEIGHT_BITS;
        weights[window.start - axis->start[i] + k] =
            (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
}

/* Prepares the table of one axis, unless it is there from the image before. */
static Status prepare_axis(DataResizeAxis *axis, int in, int out, int first, int count,
                           Error *error)
{
    if (axis->in == in && axis->out == out && axis->first == first && axis->count == count)
        return STATUS_OK;
    int taps = 0;
    for (int i = 0; i < count; i++) {
        const int length = window_of(in, out, first + i).length;
        taps = length > taps ? length : taps;
    }
    const size_t bytes =
        (size_t)count * ((size_t)taps * sizeof *axis->weights + sizeof *axis->start);
    int *memory = axis->start;
    if (bytes > axis->capacity) {
        free(memory);
        memory = malloc(bytes);
        *axis = (DataResizeAxis){.start = memory, .capacity = memory ? bytes : 0};
        if (!memory)
            return error_set(error, STATUS_FAILED, "resizing %d to %d pixels: no memory; free some",
                             in, out);
    }
    *axis = (DataResizeAxis){.in = in,
                             .out = out,
                             .first = first,
                             .count = count,
                             .taps = taps,
                             .start = memory,
                             .weights = memory + count,
                             .capacity = axis->capacity};
    for (int i = 0; i < count; i++)
        fill_weights(axis, i);
    return STATUS_OK;
}

static uint8_t clip(int32_t sum)
{
    const int32_t value = sum >> WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row: out [count,3] from in [axis->in,3]. */
static void resize_row(const DataResizeAxis *axis, const uint8_t *restrict in,
                       uint8_t *restrict out)
{
    const int taps = axis->taps;
    for (int i = 0; i < axis->count; i++) {
        const int32_t *const weights = axis->weights + (size_t)i * (size_t)taps;
        const uint8_t *const pixel = in + (size_t)axis->start[i] * 3;
        int32_t red = 1 << (WEIGHT_BITS - 1), green = red, blue = red;
        for (int k = 0; k < taps; k++) {
            red += weights[k] * pixel[3 * k];
            green += weights[k] * pixel[3 * k + 1];
            blue += weights[k] * pixel[3 * k + 2];
        }
        out[3 * i] = clip(red);
        out[3 * i + 1] = clip(green);
        out[3 * i + 2] = clip(blue);
    }
}

/* out [bytes] = weighted sum of `taps` rows, the first at `in`, `stride` bytes apart. */
static void blend_rows(const int32_t *weights, int taps, const uint8_t *restrict in, size_t stride,
                       uint8_t *restrict out, size_t bytes)
{
    enum { BLOCK = 128 }; /* sums that stay in the first-level cache */
    for (size_t begin = 0; begin < bytes; begin += BLOCK) {
        const size_t n = bytes - begin < BLOCK ? bytes - begin : BLOCK;
        int32_t sums[BLOCK];
        for (size_t i = 0; i < n; i++)
            sums[i] = 1 << (WEIGHT_BITS - 1);
        for (int k = 0; k < taps; k++) {
            const uint8_t *const row = in + (size_t)k * stride + begin;
            const int32_t weight = weights[k];
            for (size_t i = 0; i < n; i++)
                sums[i] += weight * row[i];
        }
        for (size_t i = 0; i < n; i++)
            out[begin + i] = clip(sums[i]);
    }
}

/* Makes the wanted output pixels of both axes: out [y.count,x.count,3]. */
static Status resample(DataResizer *resizer, const DataImage *image, uint8_t *out, Error *error)
{
    const DataResizeAxis *const x = &resizer->x, *const y = &resizer->y;
    const int top = y->start[0];
    const int rows = y->start[y->count - 1] + y->taps - top;
    const size_t in_stride = (size_t)image->width * 3, out_stride = (size_t)x->count * 3;
    const size_t bytes = (size_t)rows * out_stride;
    if (bytes > resizer->capacity) {
        free(resizer->rows);
        resizer->rows = malloc(bytes);
        resizer->capacity = resizer->rows ? bytes : 0;
        if (!resizer->rows)
            return error_set(error, STATUS_FAILED,
                             "resizing %d x %d pixels: no memory for %zu bytes; free some",
                             image->width, image->height, bytes);
    }
    for (int row = 0; row < rows; row++)
        resize_row(x, image->pixels + (size_t)(top + row) * in_stride,
                   resizer->rows + (size_t)row * out_stride);
    for (int i = 0; i < y->count; i++)
        blend_rows(y->weights + (size_t)i * (size_t)y->taps, y->taps,
                   resizer->rows + (size_t)(y->start[i] - top) * out_stride, out_stride,
                   out + (size_t)i * out_stride, out_stride);
    return STATUS_OK;
}

Status data_resize(DataResizer *resizer, const DataImage *image, int width, int height,
                   uint8_t *out, Error *error)
{
    assert(resizer && image && image->pixels && width > 0 && height > 0 && out && error);
    TRY(prepare_axis(&resizer->x, image->width, width, 0, width, error));
    TRY(prepare_axis(&resizer->y, image->height, height, 0, height, error));
    return resample(resizer, image, out, error);
}

Status data_resize_crop(DataResizer *resizer, const DataImage *image, int size, uint8_t *out,
                        Error *error)
{
    assert(resizer && image && image->pixels && size > 0 && out && error);
    const int width = image->width, height = image->height;
    const int shorter = width < height ? width : height, longer = width < height ? height : width;
    /* Both factors are below 2^31, so the double is Python's true division, rounded once. */
    const double resized = (double)((int64_t)size * longer) / shorter;
    if (resized * size > DATA_MAX_PIXELS)
        return error_set(
            error, STATUS_FAILED,
            "image of %d x %d pixels: too long and thin to be resized to %d (more than %d "
            "pixels); crop it to the face",
            width, height, size, DATA_MAX_PIXELS);
    const int long_side = (int)resized;
    const int out_width = width <= height ? size : long_side;
    const int out_height = width <= height ? long_side : size;
    TRY(prepare_axis(&resizer->x, width, out_width, (out_width - size) / 2, size, error));
    TRY(prepare_axis(&resizer->y, height, out_height, (out_height - size) / 2, size, error));
    return resample(resizer, image, out, error);
}
