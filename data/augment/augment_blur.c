/*
 * augment_blur.c - Gaussian blur: see augment.h.
 *
 * The kernel is a product, so rows are blurred first, each once, into a ring of as many rows as the kernel is
 * high; an output row is the weighted sum of the ring. The image can thus be overwritten from the top. Both sums run
 * over shifted or stacked lines of floats, which compilers turn into vectors. torchvision sums the two-dimensional
 * kernel instead: results can differ, by one, where a sum lies within some 1e-4 of a half.
 */
#include "data/augment/augment.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* out [n] = the sum over k < taps of weights[k] * in[k][i]. Inlined with a constant number of taps. */
static inline void sum_lines(const float *const *in, const float *weights, int taps,
                             float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float sum = weights[0] * in[0][i];
        for (int k = 1; k < taps; k++)
            sum += weights[k] * in[k][i];
        out[i] = sum;
    }
}

/* The sizes of both recipes have loops of their own. */
static void sum_any_lines(const float *const *in, const float *weights, int taps,
                          float *restrict out, size_t n)
{
    if (taps == 3)
        sum_lines(in, weights, 3, out, n);
    else if (taps == 7)
        sum_lines(in, weights, 7, out, n);
    else
        sum_lines(in, weights, taps, out, n);
}

static void fill_weights(float *weights, int taps, double sigma)
{
    const float deviation = (float)sigma;
    float sum = 0;
    for (int k = 0; k < taps; k++) {
        const float distance = (float)(k - taps / 2) / deviation;
        weights[k] = expf(-0.5F * (distance * distance));
        sum += weights[k];
    }
    for (int k = 0; k < taps; k++)
        weights[k] /= sum;
}

/* Working memory of one blur, in one allocation that begins at `weights`. W and H: the kernel's sides. */
typedef struct Blur {
    float *weights;      /* [W], then those of the columns [H] */
    float *padded;       /* [width + W - 1, 3] */
    float *ring;         /* [H, width, 3] rows blurred along x */
    float *sums;         /* [width, 3] */
    const float **lines; /* [max(W, H)] */
    int width, height;   /* of the kernel */
} Blur;

size_t data_blur_bytes(int image_width, int width, int height)
{
    const size_t row = (size_t)image_width * 3, w = (size_t)width, h = (size_t)height;
    const size_t floats = w + h + (row + 3 * (w - 1)) + h * row + row;
    return (w > h ? w : h) * sizeof(float *) + floats * sizeof(float);
}

/* in [n,3] -> ring row `slot`: one image row, blurred along x. */
static void blur_row(const Blur *blur, const uint8_t *in, int n, int slot)
{
    const int reach = blur->width / 2;
    float *const middle = blur->padded + (size_t)reach * 3;
    for (size_t i = 0; i < (size_t)n * 3; i++)
        middle[i] = in[i];
    float *const last = middle + (size_t)(n - 1) * 3;
    for (int i = 1; i <= reach; i++) {
        memcpy(middle - (size_t)i * 3, middle + (size_t)i * 3, 3 * sizeof(float));
        memcpy(last + (size_t)i * 3, last - (size_t)i * 3, 3 * sizeof(float));
    }
    for (int k = 0; k < blur->width; k++)
        blur->lines[k] = blur->padded + (size_t)k * 3;
    sum_any_lines(blur->lines, blur->weights, blur->width,
                  blur->ring + (size_t)slot * (size_t)n * 3, (size_t)n * 3);
}

/* Adding 2^23 leaves the integer nearest to a value of 0 to 255, ties to even, in the low bits. */
static void round_row(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float shifted = in[i] + 0x1p23F;
        uint32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        out[i] = (uint8_t)bits;
    }
}

static void blur_image(const Blur *blur, DataImage *image)
{
    const int n = image->width, rows = image->height, reach = blur->height / 2;
    const size_t row_size = (size_t)n * 3;
    for (int y = -reach; y < rows; y++) {
        const int next = y + reach;
        if (next < rows)
            blur_row(blur, image->pixels + (size_t)next * row_size, n, next % blur->height);
        if (y < 0)
            continue;
        for (int k = 0; k < blur->height; k++) {
            int source = abs(y - reach + k);
            if (source >= rows)
                source = 2 * (rows - 1) - source;
            blur->lines[k] = blur->ring + (size_t)(source % blur->height) * row_size;
        }
        sum_any_lines(blur->lines, blur->weights + blur->width, blur->height, blur->sums, row_size);
        round_row(blur->sums, image->pixels + (size_t)y * row_size, row_size);
    }
}

Status data_blur(DataImage *image, int width, int height, double sigma, Error *error)
{
    assert(image && image->pixels && sigma > 0 && error);
    assert(width > 0 && width % 2 == 1 && height > 0 && height % 2 == 1);
    if (image->width <= width / 2 || image->height <= height / 2)
        return error_set(
            error, STATUS_FAILED,
            "image of %d x %d pixels: too small for a blur of %d x %d; leave it out, or "
            "choose an augmentation without blur",
            image->width, image->height, width, height);
    const size_t bytes = data_blur_bytes(image->width, width, height);
    const float **const lines = malloc(bytes);
    if (!lines)
        return error_set(error, STATUS_FAILED, "blur: no memory for %zu bytes; free some", bytes);
    const size_t row = (size_t)image->width * 3;
    Blur blur = {.lines = lines, .width = width, .height = height};
    blur.weights = (float *)(lines + (width > height ? width : height));
    blur.padded = blur.weights + width + height;
    blur.ring = blur.padded + row + (size_t)(width - 1) * 3;
    blur.sums = blur.ring + (size_t)height * row;
    fill_weights(blur.weights, width, sigma);
    fill_weights(blur.weights + width, height, sigma);
    blur_image(&blur, image);
    free(lines);
    return STATUS_OK;
}
