/*
 * augment_affine.c - rotation, scaling and shift as Pillow samples them: see augment.h.
 *
 * Sources: torchvision's affine for the inverse matrix, whose operations are repeated in their order since every
 * rounding shows, and Pillow's transform for the walk through the source. A row of the result crosses the
 * source along a line, so what lies inside is one interval: it is computed, and the loop over its pixels
 * tests nothing.
 */
#include "data/augment/augment.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* Output pixel (x, y) shows the source at (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]). */
typedef struct Matrix {
    double m[6];
} Matrix;

static Matrix inverse_of(const DataAffine *affine, int width, int height)
{
    const double angle = affine->degrees * (PI / 180);
    const double cosine = cos(angle) / affine->scale, sine = sin(angle) / affine->scale;
    const double center_x = width * 0.5, center_y = height * 0.5;
    const double back_x = -center_x - affine->shift_x, back_y = -center_y - affine->shift_y;
    return (Matrix){{cosine, sine, cosine * back_x + sine * back_y + center_x, -sine, cosine,
                     -sine * back_x + cosine * back_y + center_y}};
}

/* True if the corner (x, y) is mapped to where 16.16 reaches. */
static bool fits_fixed(const Matrix *inverse, int x, int y)
{
    const double *const m = inverse->m;
    return fabs(x * m[0] + y * m[1] + m[2]) < 32768 && fabs(x * m[3] + y * m[4] + m[5]) < 32768;
}

static int64_t fixed(double value)
{
    return (int64_t)floor(value * 65536 + 0.5);
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    const int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

/* Narrows first..end to the steps i with 0 <= start + i * step < limit. */
static void clip_steps(int64_t start, int64_t step, int64_t limit, int *first, int *end)
{
    int64_t low = 0, high = *end; /* low <= i < high */
    if (step > 0) {
        low = -floor_divide(start, step);
        high = -floor_divide(start - limit, step);
    } else if (step < 0) {
        low = floor_divide(limit - start, step) + 1;
        high = floor_divide(-start, step) + 1;
    } else if (start < 0 || start >= limit) {
        high = 0;
    }
    if (low > *first)
        *first = low < *end ? (int)low : *end;
    if (high < *end)
        *end = high > *first ? (int)high : *first;
}

static void walk_fixed(const Matrix *inverse, const DataImage *in, DataImage *out)
{
    const double *const m = inverse->m;
    const int width = in->width, height = in->height;
    const int64_t dx = fixed(m[0]), dy = fixed(m[3]);
    int64_t row_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
    int64_t row_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    for (int y = 0; y < height; y++, row_x += fixed(m[1]), row_y += fixed(m[4])) {
        uint8_t *const row = out->pixels + (size_t)y * (size_t)width * 3;
        int first = 0, end = width;
        clip_steps(row_x, dx, (int64_t)width << 16, &first, &end);
        clip_steps(row_y, dy, (int64_t)height << 16, &first, &end);
        memset(row, 0, (size_t)first * 3);
        memset(row + (size_t)end * 3, 0, (size_t)(width - end) * 3);
        int64_t at_x = row_x + first * dx, at_y = row_y + first * dy;
        for (int x = first; x < end; x++, at_x += dx, at_y += dy)
            memcpy(row + (size_t)x * 3, in->pixels + ((at_y >> 16) * width + (at_x >> 16)) * 3, 3);
    }
}

/* What Pillow does without rotation, and with images too large for 16.16. Positions are sums, as there. */
static void walk_double(const Matrix *inverse, const DataImage *in, DataImage *out)
{
    const double *const m = inverse->m;
    double row_x = m[2] + m[0] * 0.5 + m[1] * 0.5, row_y = m[5] + m[3] * 0.5 + m[4] * 0.5;
    uint8_t *to = out->pixels;
    for (int y = 0; y < in->height; y++, row_x += m[1], row_y += m[4]) {
        double at_x = row_x, at_y = row_y;
        for (int x = 0; x < in->width; x++, at_x += m[0], at_y += m[3], to += 3) {
            if (at_x >= 0 && at_x < in->width && at_y >= 0 && at_y < in->height)
                memcpy(to, in->pixels + ((size_t)at_y * (size_t)in->width + (size_t)at_x) * 3, 3);
            else
                memset(to, 0, 3);
        }
    }
}

Status data_affine(DataImage *image, const DataAffine *affine, Error *error)
{
    assert(image && image->pixels && affine && affine->scale > 0 && error);
    const int width = image->width, height = image->height;
    const Matrix inverse = inverse_of(affine, width, height);
    DataImage out;
    TRY(data_image_create(&out, width, height, error));
    const bool turned = inverse.m[1] != 0 || inverse.m[3] != 0;
    if (turned && fits_fixed(&inverse, 0, 0) && fits_fixed(&inverse, width, height) &&
        fits_fixed(&inverse, 0, height) && fits_fixed(&inverse, width, 0))
        walk_fixed(&inverse, image, &out);
    else
        walk_double(&inverse, image, &out);
    data_image_free(image);
    *image = out;
    return STATUS_OK;
}
