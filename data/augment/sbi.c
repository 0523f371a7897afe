/*
 * sbi.c - self-blended images: see sbi.h.
 *
 * Source: Shiohara and Yamasaki, CVPR 2022, section 3, with the probabilities and ranges of their public code. What
 * differs from that code: the blend is rounded to 8 bits, not truncated, as truncation darkens a fake by half
 * a level;
 * hulls have one shape, not one of several; the deformation scales with the face, not with the pixels; and without
 * landmarks an ellipse takes the place of the hull.
 */
#include "data/augment/sbi.h"

#include "data/augment/sbi_mask_private.h"
#include "data/augment/sbi_transform_private.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_SIDE = 32 }; /* a face of fewer pixels has no border to be seen in it */

/* The share of the image that the hull of its face exceeds by far: a third to a half of a crop. */
static const double SMALLEST_SHARE = 0.02;

/* What each uniform number is for. Never renumber; a new use takes the next. */
enum {
    DRAW_SIDE, /* whether the source or the target is changed */
    DRAW_RGB,  /* whether by a shift of the channels, too */
    DRAW_RED,
    DRAW_GREEN,
    DRAW_BLUE,
    DRAW_HUE,
    DRAW_SATURATION,
    DRAW_VALUE,
    DRAW_BRIGHTNESS,
    DRAW_CONTRAST,
    DRAW_DETAIL, /* downscaled or sharpened */
    DRAW_FACTOR,
    DRAW_ALPHA,
    DRAW_LIGHTNESS,
    DRAW_SHIFT_X,
    DRAW_SHIFT_Y,
    DRAW_SCALE_X,
    DRAW_SCALE_Y,
    DRAW_SHAPE, /* whether the forehead's landmarks are left out; how high the ellipse reaches */
    DRAW_CHIN,  /* the other sizes of the ellipse */
    DRAW_BREADTH,
    DRAW_DEFORMATION,
    DRAW_GRID_X,
    DRAW_GRID_Y,
    DRAW_EROSION,
    DRAW_BLUR,
    DRAW_SIGMA,
    DRAW_RATIO,
    DRAWS
};

typedef struct Draws {
    double u[DRAWS];
} Draws;

static Draws draw(Random *random)
{
    Draws draws;
    for (int i = 0; i < DRAWS; i++)
        draws.u[i] = random_uniform(random);
    return draws;
}

static double between(const Draws *draws, int use, double low, double high)
{
    return low + (high - low) * draws->u[use];
}

/* A whole number from 0 to count - 1. */
static int choice(const Draws *draws, int use, int count)
{
    return (int)(count * draws->u[use]);
}

static bool changes_source(const Draws *draws)
{
    return draws->u[DRAW_SIDE] < 0.5;
}

/*
 * The change of colour and sharpness of one side. The published shifts of hue, saturation and value are -0.3 to 0.3
 * steps of 8 bits, truncated: each value becomes one less or stays. So most of what is left is the rounding to HSV.
 */
static Status change(DataImage *image, const Draws *draws, Error *error)
{
    if (draws->u[DRAW_RGB] < 0.3)
        data_rgb_shift(image, (const double[3]){between(draws, DRAW_RED, -20, 20),
                                                between(draws, DRAW_GREEN, -20, 20),
                                                between(draws, DRAW_BLUE, -20, 20)});
    data_hsv_shift(image,
                   (const int[3]){-choice(draws, DRAW_HUE, 2), -choice(draws, DRAW_SATURATION, 2),
                                  -choice(draws, DRAW_VALUE, 2)});
    data_linear(image, 1 + between(draws, DRAW_CONTRAST, -0.1, 0.1),
                between(draws, DRAW_BRIGHTNESS, -0.1, 0.1));
    if (choice(draws, DRAW_DETAIL, 2) == 0)
        return data_downscale(image, choice(draws, DRAW_FACTOR, 2) == 0 ? 2 : 4, error);
    return data_sharpen(image, between(draws, DRAW_ALPHA, 0.2, 0.5),
                        between(draws, DRAW_LIGHTNESS, 0.5, 1), error);
}

/* How the source is moved along one axis of n pixels: scaled about the middle, then shifted by a share of n. */
static DataAxis draw_motion(const Draws *draws, int scale_use, int shift_use, double shift, int n)
{
    const double scale = between(draws, scale_use, 0.95, 1 / 0.95);
    return (DataAxis){scale,
                      (1 - scale) * (n - 1) / 2 + between(draws, shift_use, -shift, shift) * n};
}

/* From the pixels of the unmoved source to the cells of a grid over the target, along one axis. */
static DataAxis to_grid(DataAxis motion, int n, int cells)
{
    const double ratio = (double)cells / n;
    return (DataAxis){ratio * motion.scale, ratio * (motion.offset + 0.5) - 0.5};
}

static double map(DataAxis axis, double at)
{
    return axis.scale * at + axis.offset;
}

/*
 * An ellipse for a face without landmarks: cropped and aligned with margin 1.3, as by DeepfakeBench and GenD,
 * the eyes are at 47 % of the height and the mouth is at 75 %. The ellipse reaches up to between the eyebrows
 * and the upper forehead, as hulls of 68 and of 81 points do, and down to the chin.
 */
static void draw_ellipse(DataRegion *region, int width, int height, const Draws *draws, DataAxis x,
                         DataAxis y, const DataImage *image)
{
    const double top = between(draws, DRAW_SHAPE, 0.18, 0.36) * image->height;
    const double bottom = between(draws, DRAW_CHIN, 0.88, 0.96) * image->height;
    const double breadth = between(draws, DRAW_BREADTH, 0.52, 0.64) * image->width;
    data_region_ellipse(region, width, height, map(x, 0.5 * (image->width - 1)),
                        map(y, 0.5 * (top + bottom)), 0.5 * breadth * x.scale,
                        0.5 * (bottom - top) * y.scale);
}

static Status draw_region(DataRegion *region, const Draws *draws, const DataLandmarks *landmarks,
                          DataAxis x, DataAxis y, const DataImage *image, Error *error)
{
    const int width = 192 + choice(draws, DRAW_GRID_X, 65);
    const int height = 192 + choice(draws, DRAW_GRID_Y, 65);
    const DataAxis grid_x = to_grid(x, image->width, width);
    const DataAxis grid_y = to_grid(y, image->height, height);
    if (landmarks && landmarks->count > 0) {
        const DataAxis still = {1, 0};
        data_region_hull(region, width, height, landmarks, landmarks->count,
                         to_grid(still, image->width, width),
                         to_grid(still, image->height, height));
        const double share = (double)data_region_area(region) / (width * height);
        if (share < SMALLEST_SHARE)
            return error_set(
                error, STATUS_FAILED,
                "landmarks of a frame of %d x %d pixels: they enclose %.1f %% of it; crop "
                "frames to the face, with landmarks in pixels of the crop",
                image->width, image->height, 100 * share);
        const int count = draws->u[DRAW_SHAPE] < 0.25 ? 68 : landmarks->count;
        data_region_hull(region, width, height, landmarks, count, grid_x, grid_y);
    } else {
        draw_ellipse(region, width, height, draws, grid_x, grid_y, image);
    }
    data_region_clip(region, map(grid_x, -0.5), map(grid_x, image->width - 0.5), map(grid_y, -0.5),
                     map(grid_y, image->height - 0.5));
    return STATUS_OK;
}

static Status make_mask(DataMask *mask, const Draws *draws, const DataLandmarks *landmarks,
                        DataAxis x, DataAxis y, const DataImage *image, Error *error)
{
    DataRegion region;
    TRY(draw_region(&region, draws, landmarks, x, y, image, error));
    const DataMaskEdge edge = {.deformation = (uint64_t)(draws->u[DRAW_DEFORMATION] * 0x1p53),
                               .erosion = 5 + 2 * choice(draws, DRAW_EROSION, 11),
                               .blur = 5 + 2 * choice(draws, DRAW_BLUR, 11),
                               .sigma = 5 + choice(draws, DRAW_SIGMA, 41)};
    if (data_mask_make(mask, &region, &edge))
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "landmarks of a frame of %d x %d pixels: their hull is too thin, or at its border; give "
        "landmarks in pixels of the crop, or remove their file",
        image->width, image->height);
}

/* The two samples about a position, and the second one's share: bilinear interpolation, constant beyond the ends. */
typedef struct Tap {
    int low, high;
    float share;
} Tap;

static Tap tap_at(double position, int n)
{
    const double at = position < 0 ? 0 : position > n - 1 ? n - 1 : position;
    const int low = (int)at;
    return (Tap){low, low + 1 < n ? low + 1 : low, (float)(at - low)};
}

static float mix(float a, float b, float share)
{
    return a + share * (b - a);
}

/* All that a pixel of the target needs to know of its column: [width] each, in one allocation. */
typedef struct Columns {
    Tap *mask, *source;
} Columns;

/*
 * Lays the moved source over row y of the target. The mask is interpolated along y into `line` [mask->width] first;
 * where it is zero the target is left alone.
 */
static void blend_row(DataImage *target, int y, const DataImage *source, Tap source_y,
                      const DataMask *mask, Tap mask_y, Columns columns, float ratio, float *line)
{
    const float *const upper = mask->values + (size_t)mask_y.low * (size_t)mask->width;
    const float *const lower = mask->values + (size_t)mask_y.high * (size_t)mask->width;
    for (int x = 0; x < mask->width; x++)
        line[x] = ratio * mix(upper[x], lower[x], mask_y.share);
    const size_t row = (size_t)source->width * 3;
    const uint8_t *const above = source->pixels + (size_t)source_y.low * row;
    const uint8_t *const below = source->pixels + (size_t)source_y.high * row;
    uint8_t *pixel = target->pixels + (size_t)y * row;
    for (int x = 0; x < target->width; x++, pixel += 3) {
        const Tap at = columns.mask[x], from = columns.source[x];
        const float weight = mix(line[at.low], line[at.high], at.share);
        if (weight <= 0)
            continue;
        const size_t left = (size_t)from.low * 3, right = (size_t)from.high * 3;
        for (size_t c = 0; c < 3; c++) {
            const float value = mix(
                mix((float)above[left + c], (float)above[right + c], from.share),
                mix((float)below[left + c], (float)below[right + c], from.share), source_y.share);
            pixel[c] = (uint8_t)(int)(mix((float)pixel[c], value, weight) + 0.5F);
        }
    }
}

/* Where pixel `at` of the target lies in the unmoved source, and in the mask. */
static Tap source_tap(DataAxis motion, int at, int n)
{
    return tap_at((at - motion.offset) / motion.scale, n);
}

static Tap mask_tap(int at, int n, int cells)
{
    return tap_at((at + 0.5) * cells / n - 0.5, cells);
}

static Status blend(DataImage *target, const DataImage *source, const DataMask *mask, DataAxis x,
                    DataAxis y, float ratio, Error *error)
{
    const int width = target->width, height = target->height;
    Tap *const taps = malloc(2 * (size_t)width * sizeof *taps);
    if (!taps)
        return error_set(error, STATUS_FAILED, "blending: no memory for %zu bytes; free some",
                         2 * (size_t)width * sizeof *taps);
    const Columns columns = {taps, taps + width};
    for (int i = 0; i < width; i++) {
        columns.mask[i] = mask_tap(i, width, mask->width);
        columns.source[i] = source_tap(x, i, width);
    }
    float line[DATA_MASK_SIDE];
    for (int i = 0; i < height; i++)
        blend_row(target, i, source, source_tap(y, i, height), mask,
                  mask_tap(i, height, mask->height), columns, ratio, line);
    free(taps);
    return STATUS_OK;
}

static Status check_size(const DataImage *image, Error *error)
{
    if (image->width >= SMALLEST_SIDE && image->height >= SMALLEST_SIDE)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "image of %d x %d pixels: too small for self-blending, which needs %d a side; "
                     "extract larger frames, or leave it out",
                     image->width, image->height, SMALLEST_SIDE);
}

static Status copy_image(DataImage *copy, const DataImage *image, Error *error)
{
    TRY(data_image_create(copy, image->width, image->height, error));
    memcpy(copy->pixels, image->pixels, (size_t)image->width * (size_t)image->height * 3);
    return STATUS_OK;
}

Status data_self_blend(DataImage *image, const DataLandmarks *landmarks, Random *random,
                       Error *error)
{
    static const float RATIOS[] = {0.25F, 0.5F, 0.75F, 1, 1, 1};
    assert(image && image->pixels && random && error);
    const Draws draws = draw(random);
    TRY(check_size(image, error));
    const DataAxis x = draw_motion(&draws, DRAW_SCALE_X, DRAW_SHIFT_X, 0.03, image->width);
    const DataAxis y = draw_motion(&draws, DRAW_SCALE_Y, DRAW_SHIFT_Y, 0.015, image->height);
    DataMask *const mask = malloc(sizeof *mask);
    DataImage changed = {0};
    Status status =
        mask ? STATUS_OK
             : error_set(error, STATUS_FAILED, "self-blending: no memory for %zu bytes; free some",
                         sizeof *mask);
    if (status == STATUS_OK)
        status = make_mask(mask, &draws, landmarks, x, y, image, error);
    if (status == STATUS_OK)
        status = copy_image(&changed, image, error);
    if (status == STATUS_OK)
        status = change(&changed, &draws, error);
    if (status == STATUS_OK) {
        /* The target is written to; so it is the copy, or the image takes its place afterwards. */
        const bool of_source = changes_source(&draws);
        status = blend(of_source ? image : &changed, of_source ? &changed : image, mask, x, y,
                       RATIOS[choice(&draws, DRAW_RATIO, 6)], error);
        if (status == STATUS_OK && !of_source) {
            const DataImage unchanged = *image;
            *image = changed;
            changed = unchanged;
        }
    }
    data_image_free(&changed);
    free(mask);
    return status;
}

Status data_self_blend_real(DataImage *image, Random *random, Error *error)
{
    assert(image && image->pixels && random && error);
    const Draws draws = draw(random);
    TRY(check_size(image, error));
    return changes_source(&draws) ? STATUS_OK : change(image, &draws, error);
}

size_t data_self_blend_bytes(int width, int height)
{
    assert(width > 0 && height > 0);
    const size_t w = (size_t)width, h = (size_t)height, image = w * h * 3;
    /* The downscaled image, what lies between the passes of its enlargement (blocks of 64 rows), and the weights. */
    const size_t rows = h / 2 + 1, small = rows * (w / 2 + 1) * 3;
    const size_t downscale = small + rows * w * 3 + 64 * (w + w / 2 + 1) * 3 + (w + h) * 64;
    const size_t blending = 2 * w * sizeof(Tap);
    return sizeof(DataMask) + image + (downscale > blending ? downscale : blending);
}
