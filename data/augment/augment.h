/*
 * augment.h - augmentation of one 8-bit image, before preprocessing: what training draws, and
 * single operations of given strength, which also measure the robustness of a detector.
 *
 * With the same parameters every operation gives the pixels of torchvision 0.14 on a Pillow image,
 * byte for byte but for the blur, whose sums of f32 may round the other way. An image too small for
 * an operation is refused, as there.
 *
 * The draws. A frame has a stream of its own, random_stream(seed, RANDOM_AUGMENT, frame, epoch),
 * and every number of it a fixed use: uniform number 0 decides the flip; 1 to 4 are angle,
 * horizontal and vertical shift, and scale; 5 decides the blur and 6 is its sigma; 7 is the order
 * of brightness and contrast, 8 and 9 are their factors; 10 is the quality of JPEG; 11 seeds the
 * noise, which has a stream of its own (RANDOM_NOISE). All twelve are drawn whatever the recipe
 * uses. So a frame is moved alike under every recipe that moves it, nothing depends on workers, and
 * a new operation takes number 12 and changes no earlier draw.
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
 * The operations in the order in which they are applied. A field that is zero leaves its operation
 * out; {0} changes nothing.
 */
typedef struct DataAugment {
    double flip; /* probability of a horizontal flip */

    /* The affine map is applied where one of the three is above 0. */
    DataRange scale;  /* {0, 0}: 1 */
    double degrees;   /* largest rotation, either way */
    double translate; /* largest shift as a share of the width, and of the height */

    double blur;                 /* probability of a Gaussian blur */
    int blur_width, blur_height; /* of its kernel: odd */
    DataRange sigma;             /* in pixels, the same for both axes */

    double brightness, contrast; /* largest departure of the factor from 1, at most 1 */

    int quality_low, quality_high; /* of JPEG, both ends included, 1 to 100 */
    int resize;                    /* pixels of the shorter edge */
    double resize_share; /* the same as a share of what it has, at most 1; `resize` goes before */
    DataFilter resize_filter;
    double noise; /* standard deviation, where white is 1 */
} DataAugment;

/*
 * Parses `augment`: "off"; "flip" (probability 0.5); "paper" and "gend", the training recipes of
 * arXiv 2503.19683 and arXiv 2508.06248. STATUS_USAGE for any other name.
 */
Status data_augment_parse(const char *name, DataAugment *augment, Error *error);

enum { DATA_PERTURB_MOST = 4 }; /* operations of one perturbation: blur, JPEG, resize, noise */

/* Operations of fixed strength, in the order in which they are applied. */
typedef struct DataPerturbation {
    char kind[48];                       /* their names: "jpeg", "blur+jpeg" */
    char text[128];                      /* their strengths as given: "50", "2+50" */
    double strengths[DATA_PERTURB_MOST]; /* [count] */
    int count;
    DataAugment augment;
} DataPerturbation;

/*
 * Parses what a test of robustness does to an image: "blur=S" (sigma in pixels, 0.01 to 100; the
 * kernel reaches 3 sigma to either side), "jpeg=Q" (quality 1 to 100), "resize=N" (pixels of the
 * shorter edge, 2 to 8192; or a share of those it has, 0.01 to 1; bilinear, or "resize-FILTER=N"
 * with nearest, box, bilinear, hamming, bicubic or lanczos), "noise=S" (standard deviation where
 * white is 1, 0.0001 to 10), or several joined by "+". They are applied in this order, in whichever
 * they are given, and each once at most. STATUS_USAGE for anything else; *perturbation then changes
 * nothing.
 */
Status data_augment_perturb(const char *text, DataPerturbation *perturbation, Error *error);

/* True if the augmentation may change an image at all. */
bool data_augment_active(const DataAugment *augment);

/* The most that data_augment_apply holds beside an image of this size, in bytes. */
size_t data_augment_bytes(const DataAugment *augment, int width, int height);

/*
 * Applies the operations in their order, in place; a resize changes the size. The draws come from
 * *random, whose first twelve uniform numbers are used up. STATUS_FAILED as the operations say; the
 * image is then somewhere between, and still to be freed. Thread-safe, as are all operations below.
 */
Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image,
                          Error *error);

/* Mirrors left and right, in place. */
void data_flip_horizontal(DataImage *image);

/*
 * A map of the plane: rotation about the middle, clockwise by `degrees`, and scaling, then a shift.
 */
typedef struct DataAffine {
    double degrees, scale; /* scale > 0 */
    int shift_x, shift_y;  /* in pixels, to the right and down */
} DataAffine;

/*
 * Maps the image within its own frame: nearest neighbour, black where nothing is mapped to. As
 * torchvision's affine with Pillow's arithmetic, which is 16.16 fixed point while all corners are
 * mapped within 32,768 pixels. STATUS_FAILED without memory.
 */
Status data_affine(DataImage *image, const DataAffine *affine, Error *error);

/*
 * Gaussian blur with a kernel of width x height pixels, both odd: weights exp(-i^2 / (2 sigma^2))
 * scaled to sum to 1, f32 sums, the image continued by reflection about its border pixels, rounded
 * half to even. STATUS_FAILED without memory, or if the image is not larger than half the kernel,
 * which leaves nothing to reflect.
 */
Status data_blur(DataImage *image, int width, int height, double sigma, Error *error);

/* Bytes that data_blur allocates. */
size_t data_blur_bytes(int image_width, int width, int height);

/* Multiplies by `factor` >= 0 in f32, truncates and clips to 255: Pillow's blend with black. */
void data_brightness(DataImage *image, double factor);

/*
 * Pillow's blend with the even grey of the image's mean brightness: mean + factor * (value - mean),
 * factor >= 0, truncated and clipped. The mean is that of (19595 R + 38470 G + 7471 B + 2^15) /
 * 2^16 of each pixel, rounded half up.
 */
void data_contrast(DataImage *image, double factor);

/*
 * Resizes so that the shorter edge has `size` > 0 pixels and the longer int(size * longer /
 * shorter): Pillow's resize with that filter. STATUS_FAILED if that exceeds DATA_MAX_PIXELS, or
 * without memory.
 */
Status data_resize_shorter(DataImage *image, int size, DataFilter filter, Error *error);

/*
 * Adds to every value normal noise of standard deviation `sigma` (white is 1), clips, and truncates
 * to 8 bits, in f32. Value i takes number i of random_stream(seed, RANDOM_NOISE, 0, 0).
 */
void data_noise(DataImage *image, double sigma, uint64_t seed);

#endif
