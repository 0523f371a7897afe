/*
 * sbi_transform.c - see sbi_transform.h.
 *
 * Sources: albumentations' RGBShift, HueSaturationValue, RandomBrightnessContrast and Sharpen, and OpenCV's
 * 8-bit HSV, by their documented formulas. Everything is integer arithmetic or a table of 256 values, but for
 * sharpening.
 */
#include "data/augment/sbi_transform_private.h"

#include "data/image/preprocess.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Clipped to 8 bits and truncated. */
static uint8_t to_byte(double value)
{
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value);
}

static size_t pixels_of(const DataImage *image)
{
    return (size_t)image->width * (size_t)image->height;
}

void data_rgb_shift(DataImage *image, const double shift[3])
{
    uint8_t table[3][256];
    for (int c = 0; c < 3; c++)
        for (int value = 0; value < 256; value++)
            table[c][value] = to_byte(value + shift[c]);
    uint8_t *pixel = image->pixels;
    for (size_t i = pixels_of(image); i > 0; i--, pixel += 3)
        for (int c = 0; c < 3; c++)
            pixel[c] = table[c][pixel[c]];
}

void data_linear(DataImage *image, double contrast, double brightness)
{
    uint8_t table[256];
    for (int value = 0; value < 256; value++)
        table[value] = to_byte(contrast * value + 255 * brightness);
    const size_t values = pixels_of(image) * 3;
    for (size_t i = 0; i < values; i++)
        image->pixels[i] = table[image->pixels[i]];
}

enum {
    CIRCLE = 180,
    SECTOR = 30
}; /* steps of hue in all, and from one pure or mixed colour to the next */

typedef struct Hsv {
    int hue, saturation, value;
} Hsv;

/* Halves are rounded up. */
static Hsv to_hsv(const uint8_t pixel[3])
{
    const int r = pixel[0], g = pixel[1], b = pixel[2];
    const int largest = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const int smallest = r < g ? (r < b ? r : b) : (g < b ? g : b);
    const int range = largest - smallest;
    if (range == 0)
        return (Hsv){.value = largest};
    const int ahead = largest == r ? g - b : largest == g ? b - r : r - g;
    const int base = largest == r ? CIRCLE : largest == g ? 2 * SECTOR : 4 * SECTOR;
    /* Positive, so that the division rounds downwards: base / SECTOR is at least 2, and |ahead| <= range. */
    const int hue = (2 * (base * range + SECTOR * ahead) + range) / (2 * range);
    return (Hsv){.hue = hue >= CIRCLE ? hue - CIRCLE : hue,
                 .saturation = (2 * 255 * range + largest) / (2 * largest),
                 .value = largest};
}

static void to_rgb(Hsv hsv, uint8_t pixel[3])
{
    enum { WHOLE = 255 * SECTOR };
    const int sector = hsv.hue / SECTOR, along = hsv.hue % SECTOR;
    const int v = hsv.value, s = hsv.saturation;
    const uint8_t high = (uint8_t)v;
    const uint8_t low = (uint8_t)((v * (255 - s) + 127) / 255);
    const uint8_t falling = (uint8_t)((v * (WHOLE - s * along) + WHOLE / 2) / WHOLE);
    const uint8_t rising = (uint8_t)((v * (WHOLE - s * (SECTOR - along)) + WHOLE / 2) / WHOLE);
    const uint8_t colours[6][3] = {{high, rising, low}, {falling, high, low},
                                   {low, high, rising}, {low, falling, high},
                                   {rising, low, high}, {high, low, falling}};
    memcpy(pixel, colours[sector], 3);
}

static int clip(int value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

void data_hsv_shift(DataImage *image, const int shift[3])
{
    assert(abs(shift[0]) <= CIRCLE);
    uint8_t *pixel = image->pixels;
    for (size_t i = pixels_of(image); i > 0; i--, pixel += 3) {
        Hsv hsv = to_hsv(pixel);
        hsv.hue = (hsv.hue + shift[0] + CIRCLE) % CIRCLE;
        hsv.saturation = clip(hsv.saturation + shift[1]);
        hsv.value = clip(hsv.value + shift[2]);
        to_rgb(hsv, pixel);
    }
}

Status data_downscale(DataImage *image, int factor, Error *error)
{
    assert(factor > 0 && image->width >= factor && image->height >= factor);
    DataImage small;
    TRY(data_image_create(&small, image->width / factor, image->height / factor, error));
    /* The nearest pixel of OpenCV: the scale is not quite the factor where that does not divide the side. */
    const double scale_x = (double)image->width / small.width;
    const double scale_y = (double)image->height / small.height;
    uint8_t *to = small.pixels;
    for (int y = 0; y < small.height; y++) {
        const uint8_t *const row = image->pixels + (size_t)(y * scale_y) * (size_t)image->width * 3;
        for (int x = 0; x < small.width; x++, to += 3)
            memcpy(to, row + (size_t)(x * scale_x) * 3, 3);
    }
    DataResizer resizer = {.filter = DATA_FILTER_BILINEAR};
    const Status status =
        data_resize(&resizer, &small, image->width, image->height, image->pixels, error);
    data_resizer_free(&resizer);
    data_image_free(&small);
    return status;
}

/* sums [n] = for each value the sum of the three below each other in the rows. */
static void add_rows(const uint8_t *restrict above, const uint8_t *restrict at,
                     const uint8_t *restrict below, int16_t *restrict sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = (int16_t)(above[i] + at[i] + below[i]);
}

/* row [n] = own * row - others * the sum of three sums: those of the pixel and its neighbours in x. */
static void sharpen_row(uint8_t *restrict row, const int16_t *restrict sums, float own,
                        float others, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int sum = sums[i] + sums[i + 3] + sums[i + 6];
        const float value = own * (float)row[i] - others * (float)sum + 0.5F;
        row[i] = (uint8_t)(int)(value <= 0 ? 0 : value >= 255 ? 255 : value);
    }
}

Status data_sharpen(DataImage *image, double alpha, double lightness, Error *error)
{
    assert(alpha >= 0 && alpha <= 1 && image->width >= 2 && image->height >= 2);
    const size_t n = (size_t)image->width * 3;
    /* The sums with a pixel to either side, and what the row above was before it was sharpened. */
    int16_t *const sums = malloc((n + 6) * sizeof *sums + 2 * n);
    if (!sums)
        return error_set(error, STATUS_FAILED, "sharpening: no memory for %zu bytes; free some",
                         (n + 6) * sizeof *sums + 2 * n);
    uint8_t *above = (uint8_t *)(sums + n + 6), *at = above + n;
    /* The pixel itself is in the sum, too: 1 - alpha + alpha * (8 + lightness) + alpha. */
    const float own = (float)(1 + alpha * (8 + lightness)), others = (float)alpha;
    memcpy(above, image->pixels + n, n); /* the row above the first is the second, reflected */
    for (int y = 0; y < image->height; y++) {
        uint8_t *const row = image->pixels + (size_t)y * n;
        memcpy(at, row, n);
        add_rows(above, at, y + 1 < image->height ? row + n : above, sums + 3, n);
        for (size_t c = 0; c < 3; c++) { /* reflected to either side */
            sums[c] = sums[6 + c];
            sums[n + 3 + c] = sums[n - 3 + c];
        }
        sharpen_row(row, sums, own, others, n);
        uint8_t *const swap = above;
        above = at;
        at = swap;
    }
    free(sums);
    return STATUS_OK;
}
