/*
 * sbi_transform_private.h - what one side of a self-blended image goes through: for sbi.c and its test alone.
 *
 * The operations and ranges are those of the public code, which takes them from albumentations on OpenCV's
 * 8-bit images. They differ from the operations of augment.h that share their names.
 */
#ifndef LNCLIP_DATA_AUGMENT_SBI_TRANSFORM_PRIVATE_H
#define LNCLIP_DATA_AUGMENT_SBI_TRANSFORM_PRIVATE_H

#include "data/image/image.h"

/* Adds shift[c], -255 to 255, to channel c, clips to 0..255 and truncates. */
void data_rgb_shift(DataImage *image, const double shift[3]);

/*
 * Adds whole numbers to hue (in steps of 2 degrees, 0 to 179, around the circle), saturation and value (0 to
 * 255, clipped), each of which is rounded to its 8 bits on the way to HSV, as colours are on the way back.
 * |shift[0]| <= 180.
 */
void data_hsv_shift(DataImage *image, const int shift[3]);

/* Replaces every value v by the clipped and truncated contrast * v + 255 * brightness. contrast >= 0. */
void data_linear(DataImage *image, double contrast, double brightness);

/*
 * Takes every factor-th row and column and enlarges the image to its size again, bilinearly: pixels are lost
 * without being averaged.
 * Both sides must be at least factor > 0. STATUS_FAILED without memory.
 */
Status data_downscale(DataImage *image, int factor, Error *error);

/*
 * Mixes the image with its filter by [-1 -1 -1; -1 8 + lightness -1; -1 -1 -1], which has the share alpha;
 * rounded and clipped, the image reflected about its border pixels. 0 <= alpha <= 1, both sides at least 2.
 * STATUS_FAILED without memory.
 */
Status data_sharpen(DataImage *image, double alpha, double lightness, Error *error);

#endif
