/*
 * augment.h - augmentation of one 8-bit image, before preprocessing: the random operations of
 * training, and single operations of a given strength, which also measure the robustness of a
 * detector.
 *
 * With the same parameters every operation gives the pixels of torchvision 0.14 on a Pillow image,
 * byte for byte; only the blur may differ, because its f32 sums can round the other way. An image
 * too small for an operation is an error, as in torchvision.
 *
 * Random draws: each frame has its own stream, random_stream(seed, RANDOM_AUGMENT, frame, epoch),
 * and every number of it has a fixed use. Uniform number 0 decides the flip; 1 to 4 are angle,
 * horizontal shift, vertical shift and scale; 5 decides the blur and 6 is its sigma; 7 is the order
 * of brightness and contrast, 8 and 9 are their factors; 10 is the JPEG quality; 11 seeds the
 * noise, which has its own stream (RANDOM_NOISE). All twelve are always drawn. So a frame is moved
 * in the same way by every augmentation that moves it, nothing depends on workers, and a new
 * operation uses number 12 and changes no earlier draw.
 *
 * Tests: tests/test_augment.c.
 */
#ifndef LNCLIP_DATA_AUGMENT_AUGMENT_H
#define LNCLIP_DATA_AUGMENT_AUGMENT_H

#include "data/image/image.h"
#include "data/image/preprocess.h"
#include "tensor/random.h"

#include <stdbool.h>

/* A parameter drawn uniformly from low to high; equal bounds fix it. */
typedef struct DataRange {
    double low, high;
} DataRange;

/*
 * The operations, in the order in which they are applied. A field of zero disables its operation;
 * {0} changes nothing.
 */
typedef struct DataAugment {
    double flip; /* probability of a horizontal flip */

    /* The affine map is applied if one of these three is above 0. */
    DataRange scale;  /* {0, 0}: 1 */
    double degrees;   /* largest rotation in either direction */
    double translate; /* largest shift, as a fraction of width and of height */

    double blur;                 /* probability of a Gaussian blur */
    int blur_width, blur_height; /* kernel sides in pixels, odd */
    DataRange sigma;             /* in pixels, for both axes */

    double brightness, contrast; /* largest deviation of the factor from 1, at most 1 */

    int quality_low, quality_high; /* JPEG quality, 1 to 100, both bounds included */
    int resize;                    /* target pixels of the shorter edge */
    double resize_share; /* target as a fraction of the present edge, at most 1; `resize` wins */
    DataFilter resize_filter;
    double noise; /* standard deviation, where white is 1 */
} DataAugment;

/*
 * Parses a value of `augment`: "off"; "flip" (probability 0.5); "paper" and "gend", the training
 * augmentation of arXiv 2503.19683 and arXiv 2508.06248. STATUS_USAGE for any other name.
 * Thread-safe.
 */
Status data_augment_parse(const char *name, DataAugment *augment, Error *error);

enum { DATA_PERTURB_MOST = 4 }; /* operations of one perturbation: blur, JPEG, resize, noise */

/* Operations of fixed strength, in the order in which they are applied. */
typedef struct DataPerturbation {
    char kind[48];                       /* their names: "jpeg", "blur+jpeg" */
    char text[128];                      /* their strengths as written */
    double strengths[DATA_PERTURB_MOST]; /* [count] */
    int count;
    DataAugment augment;
} DataPerturbation;

/*
 * Parses a perturbation of a robustness test: "blur=S" (sigma in pixels, 0.01 to 100; the kernel
 * reaches 3 sigma to either side), "jpeg=Q" (quality 1 to 100), "resize=N" (pixels of the shorter
 * edge, 2 to 8192, or a fraction of it, 0.01 to 1; bilinear, or "resize-FILTER=N" with nearest,
 * box, bilinear, hamming, bicubic or lanczos), "noise=S" (standard deviation where white is 1,
 * 0.0001 to 10), or several joined by "+". They are applied in this order, whatever order they are
 * given in, and each at most once. STATUS_USAGE for anything else; *perturbation then changes
 * nothing. Thread-safe.
 */
Status data_augment_perturb(const char *text, DataPerturbation *perturbation, Error *error);

/* True if the augmentation may change an image. */
bool data_augment_active(const DataAugment *augment);

/*
 * Peak bytes that data_augment_apply allocates for an image of this size, in addition to the image.
 */
size_t data_augment_bytes(const DataAugment *augment, int width, int height);

/*
 * Applies the operations in order, in place; a resize changes the size. Uses up the first twelve
 * uniform numbers of *random. STATUS_FAILED as the single operations; the image is then partly
 * processed and must still be freed. Thread-safe, as are all operations below.
 */
Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image,
                          Error *error);

/* Swaps left and right, in place. */
void data_flip_horizontal(DataImage *image);

/* An affine map: rotation about the centre, clockwise by `degrees`, and scaling, then a shift. */
typedef struct DataAffine {
    double degrees, scale; /* scale > 0 */
    int shift_x, shift_y;  /* in pixels, right and down */
} DataAffine;

/*
 * Maps the image, keeping its size: nearest neighbour, black where no source pixel is mapped to.
 * Same pixels as torchvision's affine with Pillow's arithmetic, which is 16.16 fixed point as long
 * as all corners are mapped within 32,768 pixels. STATUS_FAILED when out of memory.
 */
Status data_affine(DataImage *image, const DataAffine *affine, Error *error);

/*
 * Gaussian blur with a kernel of width x height pixels, both odd: weights exp(-i^2 / (2 sigma^2))
 * scaled to sum to 1, f32 sums, the image reflected about its border pixels, rounded half to even.
 * STATUS_FAILED when out of memory, or if the image is not larger than half the kernel, so that
 * there is nothing to reflect.
 */
Status data_blur(DataImage *image, int width, int height, double sigma, Error *error);

/*
 * Bytes that data_blur allocates for an image of this width, in pixels, and a kernel of width x
 * height.
 */
size_t data_blur_bytes(int image_width, int width, int height);

/* Multiplies by `factor` >= 0 in f32, truncates and clips to 255: Pillow's blend with black. */
void data_brightness(DataImage *image, double factor);

/*
 * Pillow's blend with a uniform grey, the image's mean brightness: mean + factor * (value - mean),
 * factor >= 0, truncated and clipped. The mean is that of (19595 R + 38470 G + 7471 B + 2^15) /
 * 2^16 over all pixels, rounded half up.
 */
void data_contrast(DataImage *image, double factor);

/*
 * Resizes so that the shorter edge has `size` > 0 pixels and the longer int(size * longer /
 * shorter), by Pillow's resize with that filter. STATUS_FAILED if the result exceeds
 * DATA_MAX_PIXELS, or when out of memory.
 */
Status data_resize_shorter(DataImage *image, int size, DataFilter filter, Error *error);

/*
 * Adds normal noise of standard deviation `sigma` (white is 1) to every value, clips, and truncates
 * to 8 bits, in f32. Value i uses number i of random_stream(seed, RANDOM_NOISE, 0, 0).
 */
void data_noise(DataImage *image, double sigma, uint64_t seed);

#endif
