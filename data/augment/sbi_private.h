/*
 * sbi_private.h - the parts of a self-blended image, for sbi.c and its tests.
 *
 * The public code resizes the mask of a face to a random size of 192 to 256 pixels before it
 * softens the edge, so that the filter widths vary relative to the face. Here the mask is made in
 * that grid from the start.
 *
 * The operations on colour and sharpness, and their ranges, are those of the public code, which
 * uses albumentations on OpenCV's 8-bit images. They differ from the operations of augment.h with
 * the same names.
 *
 * Tests: tests/test_sbi.c.
 */
#ifndef LNCLIP_DATA_AUGMENT_SBI_PRIVATE_H
#define LNCLIP_DATA_AUGMENT_SBI_PRIVATE_H

#include "data/augment/sbi.h"

#include <stdbool.h>

/* ---- masks ----------------------------------------------------------------------------------- */

enum {
    DATA_MASK_SIDE = 256,  /* largest side of the grid */
    DATA_MASK_KERNEL = 25, /* largest width of a filter in cells (taps) */
    DATA_MASK_PADDED = DATA_MASK_SIDE + DATA_MASK_KERNEL - 1,
    DATA_MASK_LATTICE = 66, /* side of the lattice on which the deformation is computed */
    DATA_MASK_NOISE = 80,   /* side of the noise lattice that it is made from */
};

/* The map of one axis: x -> scale * x + offset. */
typedef struct DataAxis {
    double scale, offset;
} DataAxis;

/* A convex region of the grid [height,width]: row y covers the columns first[y] <= x < end[y]. */
typedef struct DataRegion {
    int width, height;
    int first[DATA_MASK_SIDE], end[DATA_MASK_SIDE];
} DataRegion;

/*
 * Fills *region with the cells whose centre lies in the convex hull of the first `count` landmarks,
 * or on its edge, after mapping image points to the grid by x and y, whose scales must be positive.
 * Landmarks must be finite; they may lie outside of the grid or nearly on a line, because corners
 * are found by exact arithmetic. Exact for integers that are not mapped.
 */
void data_region_hull(DataRegion *region, int width, int height, const DataLandmarks *landmarks,
                      int count, DataAxis x, DataAxis y);

/*
 * Fills *region with the cells whose centre lies in the ellipse about (center_x, center_y); all
 * lengths in cells, radius_x, radius_y > 0.
 */
void data_region_ellipse(DataRegion *region, int width, int height, double center_x,
                         double center_y, double radius_x, double radius_y);

/* Removes everything outside of the cells low_x..high_x, low_y..high_y. */
void data_region_clip(DataRegion *region, double low_x, double high_x, double low_y, double high_y);

/* Number of cells of the region. */
size_t data_region_area(const DataRegion *region);

/* Working memory of one mask. */
typedef struct DataMask {
    int width, height;
    float values[DATA_MASK_SIDE * DATA_MASK_SIDE];      /* [height,width], 0 to 1: the result */
    uint8_t inside[2][DATA_MASK_SIDE * DATA_MASK_SIDE]; /* before and after erosion */
    float padded[DATA_MASK_PADDED * DATA_MASK_PADDED];  /* [height + taps - 1,width + taps - 1] */
    float between[DATA_MASK_PADDED * DATA_MASK_SIDE];   /* between the two passes of the blur */
    float shift[2][DATA_MASK_LATTICE * DATA_MASK_LATTICE]; /* the deformation, in cells */
} DataMask;

/* Parameters of the softened edge. */
typedef struct DataMaskEdge {
    uint64_t deformation; /* seeds the elastic deformation */
    int erosion;          /* side of the eroding square, odd, at most DATA_MASK_KERNEL */
    int blur;             /* width of the Gaussian filter, odd, at most DATA_MASK_KERNEL */
    double sigma;         /* sigma of the Gaussian filter, in cells */
} DataMaskEdge;

/*
 * Deforms, erodes and blurs the region into mask->values, scaled so that the largest is 1. If the
 * erosion would leave nothing, a smaller square is used. False if the deformed region is empty.
 */
bool data_mask_make(DataMask *mask, const DataRegion *region, const DataMaskEdge *edge);

/* ---- colour and sharpness -------------------------------------------------------------------- */

/* Adds shift[c], -255 to 255, to channel c, clips to 0..255 and truncates. */
void data_rgb_shift(DataImage *image, const double shift[3]);

/*
 * Adds integers to hue (in steps of 2 degrees, 0 to 179, cyclic), saturation and value (0 to 255,
 * clipped). HSV values, and then RGB values, are rounded to 8 bits. |shift[0]| <= 180.
 */
void data_hsv_shift(DataImage *image, const int shift[3]);

/*
 * Replaces every value v by contrast * v + 255 * brightness, clipped and truncated; contrast >= 0.
 */
void data_linear(DataImage *image, double contrast, double brightness);

/*
 * Keeps every factor-th row and column and enlarges the image bilinearly to its size again: pixels
 * are lost without averaging. Both sides must be at least factor > 0. STATUS_FAILED when out of
 * memory.
 */
Status data_downscale(DataImage *image, int factor, Error *error);

/*
 * Mixes the image with its convolution by [-1 -1 -1; -1 8 + lightness -1; -1 -1 -1], which has the
 * weight alpha; rounded and clipped; the image is reflected about its border pixels. 0 <= alpha <=
 * 1, both sides at least 2. STATUS_FAILED when out of memory.
 */
Status data_sharpen(DataImage *image, double alpha, double lightness, Error *error);

#endif
