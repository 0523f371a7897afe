/*
 * augment_colour.c - brightness and contrast: see augment.h.
 *
 * Both are Pillow's blend of the image with an even grey, so one table of 256 values does each. The blend is computed
 * in f32 and truncated, as there; Pillow clips only where the factor is above 1, the others cannot leave the range.
 */
#include "data/augment/augment.h"

#include <assert.h>

/* Replaces every value v by the truncated and clipped grey + factor * (v - grey). */
static void blend_with_grey(DataImage *image, int grey, double factor)
{
    const float share = (float)factor;
    uint8_t table[256];
    for (int value = 0; value < 256; value++) {
        const float blended = (float)grey + share * (float)(value - grey);
        table[value] = (uint8_t)(blended <= 0 ? 0 : blended >= 255 ? 255 : (int)blended);
    }
    const size_t values = (size_t)image->width * (size_t)image->height * 3;
    for (size_t i = 0; i < values; i++)
        image->pixels[i] = table[image->pixels[i]];
}

void data_brightness(DataImage *image, double factor)
{
    assert(image && image->pixels && factor >= 0);
    blend_with_grey(image, 0, factor);
}

/* The weights are those of ITU-R 601-2, in units of 2^-16, as Pillow rounds them. */
static int mean_grey(const DataImage *image)
{
    const size_t count = (size_t)image->width * (size_t)image->height;
    const uint8_t *pixel = image->pixels;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++, pixel += 3)
        sum += (19595U * pixel[0] + 38470U * pixel[1] + 7471U * pixel[2] + 0x8000U) >> 16;
    return (int)((double)sum / (double)count + 0.5);
}

void data_contrast(DataImage *image, double factor)
{
    assert(image && image->pixels && factor >= 0);
    blend_with_grey(image, mean_grey(image), factor);
}
