/*
 * sbi.c - self-blended images: see sbi.h. First landmarks, regions and masks, then colour and
 * sharpness, and at the end the draws and the blending that use them.
 *
 * Sources: Shiohara and Yamasaki, CVPR 2022, section 3, with the probabilities and ranges of their
 * public code; Andrew, "Another efficient algorithm for convex hulls in two dimensions", 1979;
 * Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates",
 * 1997; Simard, Steinkraus and Platt, ICDAR 2003, for the elastic deformation; albumentations'
 * RGBShift, HueSaturationValue, RandomBrightnessContrast and Sharpen, and OpenCV's 8-bit HSV, by
 * their documented formulas.
 *
 * Differences from the public code: the blend is rounded to 8 bits, not truncated, because
 * truncation darkens a fake by half a level; hulls have one shape, not one of several; the
 * deformation scales with the face, not with the pixels; and without landmarks an ellipse replaces
 * the hull.
 */
#include "data/augment/sbi.h"

#include "data/augment/sbi_private.h"
#include "data/image/npy.h"
#include "data/image/preprocess.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- landmarks ------------------------------------------------------------------------------- */

/*
 * DeepfakeBench writes landmarks/VIDEO/NAME.npy next to frames/VIDEO/NAME.png, one face per file;
 * the preprocessing of the public SBI code writes all faces of a frame, the largest first.
 */

/* Landmarks are never farther from an image than this; larger values are something else. */
static const double MAX_COORDINATE = 1e6;

/* Folders of frames that may have a folder `landmarks` next to them. */
static const char *const FRAMES[] = {"frames", "faces", "crops", "images"};

/* Length of the part of `path` before its last slash, 0 if none. */
static size_t parent(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 0 && path[length - 1] == '/')
        length--;
    return length;
}

/* Start of the last part of `path` [length]. */
static size_t last_part(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length;
}

/*
 * Writes path[0..head) + middle + path[from..stem) + ".npy" to `out`; false if that is too long or
 * does not exist.
 */
static bool npy_exists(char out[FILE_PATH_SIZE], const char *path, size_t head, const char *middle,
                       size_t from, size_t stem)
{
    const int length = snprintf(out, FILE_PATH_SIZE, "%.*s%s%.*s.npy", (int)head, path, middle,
                                (int)(stem - from), path + from);
    return length > 0 && length < FILE_PATH_SIZE && file_exists(out);
}

/* Finds the file of the frame's landmarks; false if there is none. */
static bool find_landmarks(const char *file, char out[FILE_PATH_SIZE])
{
    const size_t length = strlen(file), name = last_part(file, length);
    if (length >= FILE_PATH_SIZE)
        return false;
    const char *dot = strrchr(file + name, '.');
    const size_t stem = dot && dot > file + name ? (size_t)(dot - file) : length;
    if (npy_exists(out, file, 0, "", 0, stem))
        return true;
    const size_t video_end = parent(file, length), video = last_part(file, video_end);
    if (video_end == 0)
        return false;
    if (npy_exists(out, file, video, "landmarks/", video, stem))
        return true;
    const size_t folder_end = parent(file, video_end), folder = last_part(file, folder_end);
    for (size_t i = 0; i < COUNT_OF(FRAMES); i++)
        if (strlen(FRAMES[i]) == folder_end - folder &&
            strncmp(file + folder, FRAMES[i], folder_end - folder) == 0)
            return npy_exists(out, file, folder, "landmarks/", video, stem);
    return false;
}

static Status read_points(const char *path, const DataArray *array, DataLandmarks *landmarks,
                          Error *error)
{
    const size_t *shape = array->shape + (array->rank == 3);
    const bool faces = array->rank == 2 || (array->rank == 3 && array->shape[0] > 0);
    if (!faces || (shape[0] != 68 && shape[0] != 81) || shape[1] != 2)
        return error_set(error, STATUS_FAILED,
                         "%s: not landmarks: %d dimensions, [%zu, %zu, %zu]; give 68 or 81 points: "
                         "[81, 2], [68, 2], or one such array per face",
                         path, array->rank, array->shape[0], array->shape[1], array->shape[2]);
    const int count = (int)shape[0];
    for (int i = 0; i < count; i++) {
        const double x = array->values[2 * i], y = array->values[2 * i + 1];
        if (!(fabs(x) <= MAX_COORDINATE && fabs(y) <= MAX_COORDINATE))
            return error_set(error, STATUS_FAILED,
                             "%s: landmark %d is at (%g, %g); give pixels of the frame, or remove "
                             "the file",
                             path, i, x, y);
        landmarks->x[i] = (float)x;
        landmarks->y[i] = (float)y;
    }
    landmarks->count = count;
    return STATUS_OK;
}

Status data_landmarks_read(const char *file, DataLandmarks *landmarks, Error *error)
{
    assert(file && landmarks && error);
    *landmarks = (DataLandmarks){0};
    char path[FILE_PATH_SIZE];
    if (!find_landmarks(file, path))
        return STATUS_OK;
    DataArray array;
    TRY(data_npy_read(path, &array, error));
    const Status status = read_points(path, &array, landmarks, error);
    data_array_free(&array);
    return status;
}

/* ---- the region of a face -------------------------------------------------------------------- */

/* A region is convex until it is deformed, so one interval per row describes it. */

typedef struct Point {
    float x, y; /* f32 like the landmarks: products of two are exact in double */
} Point;

enum { MAX_POINTS = 81 };

static int compare_points(const void *a, const void *b)
{
    const Point *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return (p->y > q->y) - (p->y < q->y);
}

/*
 * The sign of the exact sum of `terms` [count], count <= 6. Source: Shewchuk, 1997, Grow-Expansion.
 */
static int sign_of_sum(const double *terms, int count)
{
    double parts[6] = {
        0}; /* their exact sum is the sum of the terms so far; the last is the largest */
    for (int i = 0; i < count; i++) {
        double carried = terms[i];
        for (int k = 0; k < i; k++) {
            const double sum = carried + parts[k];
            const double from_part = sum - carried, from_carried = sum - from_part;
            parts[k] = (carried - from_carried) + (parts[k] - from_part);
            carried = sum;
        }
        parts[i] = carried;
    }
    for (int i = count - 1; i >= 0; i--)
        if (parts[i] != 0)
            return parts[i] > 0 ? 1 : -1;
    return 0;
}

/*
 * True if a, b, c make a left turn, with y upwards. Exact for all finite points, however close to a
 * line: the determinant is expanded into six products of two floats, each of 48 bits.
 */
static bool turns_left(Point a, Point b, Point c)
{
    const double ax = (double)a.x, ay = (double)a.y, bx = (double)b.x, by = (double)b.y;
    const double cx = (double)c.x, cy = (double)c.y;
    const double terms[6] = {ax * by, -(ay * bx), bx * cy, -(by * cx), cx * ay, -(cy * ax)};
    return sign_of_sum(terms, 6) > 0;
}

/*
 * Sorts the points and writes the corners of their convex hull, in order; returns their number. One
 * or two remain if all points are on a line. Each loop stores at most one point per visited point,
 * so `count` of the first and count - 1 of the second fit whatever turns_left returns.
 */
static int find_hull(Point points[MAX_POINTS], int count, Point hull[2 * MAX_POINTS])
{
    qsort(points, count, sizeof *points, compare_points);
    int n = 0;
    for (int i = 0; i < count; i++) { /* the lower side, from left to right */
        while (n >= 2 && !turns_left(hull[n - 2], hull[n - 1], points[i]))
            n--;
        hull[n++] = points[i];
    }
    const int lower = n + 1;
    for (int i = count - 2; i >= 0; i--) { /* and the upper one back */
        while (n >= lower && !turns_left(hull[n - 2], hull[n - 1], points[i]))
            n--;
        hull[n++] = points[i];
    }
    return n > 1 ? n - 1 : n; /* the first point is there twice */
}

/*
 * Sets row y to the cells from left to right, both included, clipped to the grid; empty if left >
 * right.
 */
static void set_row(DataRegion *region, int y, double left, double right)
{
    const double low = ceil(left > 0 ? left : 0);
    const double high = floor(right < region->width - 1 ? right : region->width - 1);
    region->first[y] = region->end[y] = 0;
    if (low <= high) {
        region->first[y] = (int)low;
        region->end[y] = (int)high + 1;
    }
}

static double map(DataAxis axis, double at)
{
    return axis.scale * at + axis.offset;
}

/* Extends left..right by the intersection of the edge from a to b with the line y = row. */
static void cross_edge(Point a, Point b, DataAxis x, DataAxis y, int row, double *left,
                       double *right)
{
    const double ax = map(x, a.x), ay = map(y, a.y), bx = map(x, b.x), by = map(y, b.y);
    if ((ay < row && by < row) || (ay > row && by > row))
        return;
    /* Multiplying before dividing is exact where the edge meets the centre of a cell. */
    const double at = ay == by ? ax : ax + (bx - ax) * (row - ay) / (by - ay);
    *left = fmin(*left, ay == by ? fmin(ax, bx) : at);
    *right = fmax(*right, ay == by ? fmax(ax, bx) : at);
}

void data_region_hull(DataRegion *region, int width, int height, const DataLandmarks *landmarks,
                      int count, DataAxis x, DataAxis y)
{
    assert(region && width > 0 && width <= DATA_MASK_SIDE && height > 0);
    assert(height <= DATA_MASK_SIDE && count > 0 && count <= landmarks->count);
    assert(landmarks->count <= MAX_POINTS && x.scale > 0 && y.scale > 0);
    Point points[MAX_POINTS] = {{0, 0}}, hull[2 * MAX_POINTS];
    for (int i = 0; i < count; i++) {
        assert(isfinite(landmarks->x[i]) && isfinite(landmarks->y[i]));
        points[i] = (Point){landmarks->x[i], landmarks->y[i]};
    }
    const int corners = find_hull(points, count, hull);
    region->width = width;
    region->height = height;
    for (int row = 0; row < height; row++) {
        double left = INFINITY, right = -INFINITY;
        for (int i = 0; i < corners; i++)
            cross_edge(hull[i], hull[i + 1 < corners ? i + 1 : 0], x, y, row, &left, &right);
        set_row(region, row, left, right);
    }
}

void data_region_ellipse(DataRegion *region, int width, int height, double center_x,
                         double center_y, double radius_x, double radius_y)
{
    assert(region && width > 0 && width <= DATA_MASK_SIDE && height > 0);
    assert(height <= DATA_MASK_SIDE && radius_x > 0 && radius_y > 0);
    region->width = width;
    region->height = height;
    for (int row = 0; row < height; row++) {
        const double v = (row - center_y) / radius_y;
        const double half = v * v <= 1 ? radius_x * sqrt(1 - v * v) : -1;
        set_row(region, row, center_x - half, center_x + half);
    }
}

void data_region_clip(DataRegion *region, double low_x, double high_x, double low_y, double high_y)
{
    for (int row = 0; row < region->height; row++) {
        const bool kept = row >= low_y && row <= high_y && region->first[row] < region->end[row];
        set_row(region, row, kept ? fmax(low_x, region->first[row]) : 1,
                kept ? fmin(high_x, region->end[row] - 1) : 0);
    }
}

size_t data_region_area(const DataRegion *region)
{
    size_t area = 0;
    for (int row = 0; row < region->height; row++)
        area += region->end[row] - region->first[row];
    return area;
}

static void gaussian(float *weights, int taps, double sigma)
{
    double sum = 0, exact[DATA_MASK_KERNEL];
    for (int k = 0; k < taps; k++) {
        const double distance = (k - taps / 2) / sigma;
        exact[k] = exp(-0.5 * distance * distance);
        sum += exact[k];
    }
    for (int k = 0; k < taps; k++)
        weights[k] = (float)(exact[k] / sum);
}

/* out[i] = sum over k < taps of weights[k] * in[k * step + i], for i < n. */
static void sum_shifted(const float *restrict in, size_t step, const float *weights, int taps,
                        float *restrict out, size_t n)
{
    memset(out, 0, n * sizeof *out);
    for (int k = 0; k < taps; k++)
        for (size_t i = 0; i < n; i++)
            out[i] += weights[k] * in[k * step + i];
}

/*
 * in [height,width] -> out [height - taps + 1,width - taps + 1]: only positions where the filter
 * fits.
 */
static void blur(const float *in, size_t width, size_t height, const float *weights, int taps,
                 float *between, float *out)
{
    const size_t out_width = width - taps + 1, out_height = height - taps + 1;
    for (size_t y = 0; y < height; y++)
        sum_shifted(in + y * width, 1, weights, taps, between + y * out_width, out_width);
    for (size_t y = 0; y < out_height; y++)
        sum_shifted(between + y * out_width, out_width, weights, taps, out + y * out_width,
                    out_width);
}

/*
 * The public code deforms with white noise of -1 to 1 per pixel, blurred with a sigma of 7 pixels
 * and multiplied by 50: shifts of 1.2 pixels on average, similar within about ten pixels. A field
 * this smooth is determined by every fourth cell. On that lattice the same noise density has a
 * quarter of the deviation, and sigma is a quarter as wide; 15 weights reach four sigma to either
 * side.
 */
enum { STEP = 4, TAPS = DATA_MASK_NOISE - DATA_MASK_LATTICE + 1 };
static const float AMPLITUDE = 50.0F / STEP;
static const double SIGMA = 7.0 / STEP;

_Static_assert(TAPS == 15 && (DATA_MASK_LATTICE - 2) * STEP >= DATA_MASK_SIDE, "the lattice fits");

static void fill_shift(DataMask *mask, uint64_t seed)
{
    Random random = random_stream(seed, RANDOM_NOISE, 0, 0);
    float weights[TAPS];
    gaussian(weights, TAPS, SIGMA);
    for (int axis = 0; axis < 2; axis++) {
        for (int i = 0; i < DATA_MASK_NOISE * DATA_MASK_NOISE; i++)
            mask->padded[i] = AMPLITUDE * ((float)random_u32(&random) * 0x1p-31F - 1);
        blur(mask->padded, DATA_MASK_NOISE, DATA_MASK_NOISE, weights, TAPS, mask->between,
             mask->shift[axis]);
    }
}

/* The shift at cell (x, y), interpolated between the four lattice points around it. */
static float shift_at(const float *shift, int x, int y)
{
    const float u = (float)(x % STEP) / STEP, v = (float)(y % STEP) / STEP;
    const float *at = shift + (y / STEP) * DATA_MASK_LATTICE + x / STEP;
    const float upper = at[0] + u * (at[1] - at[0]);
    const float lower =
        at[DATA_MASK_LATTICE] + u * (at[DATA_MASK_LATTICE + 1] - at[DATA_MASK_LATTICE]);
    return upper + v * (lower - upper);
}

/*
 * The cell nearest to position + shift on an axis of n cells. The truncated sum is positive,
 * because shifts stay below AMPLITUDE.
 */
static int nearest(int position, float shift, int n)
{
    const int at = (int)((float)position + shift + (2 * AMPLITUDE + 0.5F)) - (int)(2 * AMPLITUDE);
    return at < 0 ? 0 : at >= n ? n - 1 : at;
}

/* Writes the deformed region to mask->inside[0]; returns its number of cells. */
static size_t deform(DataMask *mask, const DataRegion *region)
{
    uint8_t *inside = mask->inside[0];
    size_t area = 0;
    for (int y = 0; y < region->height; y++)
        for (int x = 0; x < region->width; x++) {
            const int from_x = nearest(x, shift_at(mask->shift[0], x, y), region->width);
            const int from_y = nearest(y, shift_at(mask->shift[1], x, y), region->height);
            *inside = from_x >= region->first[from_y] && from_x < region->end[from_y];
            area += *inside++;
        }
    return area;
}

/*
 * Writes to inside[1] the cells of inside[0] around which a square of 2 * reach + 1 cells is
 * inside, as far as it lies in the grid; returns their number. The public code blurs and keeps
 * values of exactly 1, which is equivalent.
 */
static size_t erode(DataMask *mask, int reach)
{
    const int width = mask->width, height = mask->height;
    int last[DATA_MASK_SIDE]; /* per column: row of the last cell outside so far */
    size_t area = 0;
    for (int y = 0; y < height; y++) {
        const uint8_t *in = mask->inside[0] + y * width;
        uint8_t *out = mask->inside[1] + y * width;
        int outside = -width - 2 * reach;
        for (int x = 0; x < width + reach; x++) {
            if (x < width && !in[x])
                outside = x;
            if (x >= reach)
                out[x - reach] = outside < x - 2 * reach;
        }
    }
    for (int x = 0; x < width; x++)
        last[x] = -height - 2 * reach;
    for (int y = 0; y < height + reach; y++) {
        uint8_t *in = mask->inside[1] + y * width;
        for (int x = 0; x < width && y < height; x++)
            last[x] = in[x] ? last[x] : y;
        if (y < reach)
            continue;
        uint8_t *out = mask->inside[1] + (y - reach) * width;
        for (int x = 0; x < width; x++) {
            out[x] = last[x] < y - 2 * reach;
            area += out[x];
        }
    }
    return area;
}

/* The index i reflected about the first and the last of n cells. */
static int reflect(int i, int n)
{
    i = abs(i);
    return i < n ? i : 2 * (n - 1) - i;
}

/* Writes inside[1], blurred and scaled so that the largest value is 1, to mask->values. */
static void soften(DataMask *mask, int taps, double sigma)
{
    const int reach = taps / 2, width = mask->width, height = mask->height;
    float weights[DATA_MASK_KERNEL];
    float *to = mask->padded;
    gaussian(weights, taps, sigma);
    for (int y = -reach; y < height + reach; y++) {
        const uint8_t *row = mask->inside[1] + reflect(y, height) * width;
        for (int x = -reach; x < width + reach; x++)
            *to++ = row[reflect(x, width)];
    }
    blur(mask->padded, width + 2 * reach, height + 2 * reach, weights, taps, mask->between,
         mask->values);
    const size_t cells = (size_t)width * height;
    float largest = 0;
    for (size_t i = 0; i < cells; i++)
        largest = mask->values[i] > largest ? mask->values[i] : largest;
    for (size_t i = 0; i < cells; i++)
        mask->values[i] /= largest;
}

bool data_mask_make(DataMask *mask, const DataRegion *region, const DataMaskEdge *edge)
{
    assert(mask && region && edge);
    assert(edge->erosion % 2 == 1 && edge->erosion > 0 && edge->erosion <= DATA_MASK_KERNEL);
    assert(edge->blur % 2 == 1 && edge->blur > 0 && edge->blur <= DATA_MASK_KERNEL);
    assert(edge->sigma > 0 && region->width > edge->blur / 2 && region->height > edge->blur / 2);
    mask->width = region->width;
    mask->height = region->height;
    fill_shift(mask, edge->deformation);
    if (deform(mask, region) == 0)
        return false;
    int reach = edge->erosion / 2;
    while (erode(mask, reach) == 0) /* terminates: reach 0 removes nothing */
        reach--;
    soften(mask, edge->blur, edge->sigma);
    return true;
}

/* ---- colour and sharpness -------------------------------------------------------------------- */

/* All but sharpening is integer arithmetic or a table of 256 values. */

/* Clips to 0..255 and truncates. */
static uint8_t to_byte(double value)
{
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value);
}

static size_t pixels_of(const DataImage *image)
{
    return (size_t)image->width * image->height;
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

/* Hue steps of the full circle, and of one of its six sectors. */
enum { CIRCLE = 180, SECTOR = 30 };

typedef struct Hsv {
    int hue, saturation, value;
} Hsv;

/* Halves are rounded up. */
static Hsv to_hsv(const uint8_t pixel[3])
{
    const int r = pixel[0], g = pixel[1], b = pixel[2];
    const int largest = max_int(r, max_int(g, b)), smallest = min_int(r, min_int(g, b));
    const int range = largest - smallest;
    if (range == 0)
        return (Hsv){.value = largest};
    const int difference = largest == r ? g - b : largest == g ? b - r : r - g;
    const int base = largest == r ? CIRCLE : largest == g ? 2 * SECTOR : 4 * SECTOR;
    /*
     * Positive, so the division rounds down: base / SECTOR is at least 2, |difference| <= range.
     */
    const int hue = (2 * (base * range + SECTOR * difference) + range) / (2 * range);
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

void data_hsv_shift(DataImage *image, const int shift[3])
{
    assert(abs(shift[0]) <= CIRCLE);
    uint8_t *pixel = image->pixels;
    for (size_t i = pixels_of(image); i > 0; i--, pixel += 3) {
        Hsv hsv = to_hsv(pixel);
        hsv.hue = (hsv.hue + shift[0] + CIRCLE) % CIRCLE;
        hsv.saturation = to_byte(hsv.saturation + shift[1]);
        hsv.value = to_byte(hsv.value + shift[2]);
        to_rgb(hsv, pixel);
    }
}

Status data_downscale(DataImage *image, int factor, Error *error)
{
    assert(factor > 0 && image->width >= factor && image->height >= factor);
    DataImage small;
    TRY(data_image_create(&small, image->width / factor, image->height / factor, error));
    /*
     * OpenCV's nearest pixel: the scale is not exactly the factor if that does not divide the side.
     */
    const double scale_x = (double)image->width / small.width;
    const double scale_y = (double)image->height / small.height;
    uint8_t *to = small.pixels;
    for (int y = 0; y < small.height; y++) {
        const uint8_t *row = image->pixels + (size_t)(y * scale_y) * image->width * 3;
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

/* sums[i] = above[i] + at[i] + below[i], for i < n. */
static void add_rows(const uint8_t *restrict above, const uint8_t *restrict at,
                     const uint8_t *restrict below, int16_t *restrict sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = (int16_t)(above[i] + at[i] + below[i]);
}

/*
 * row[i] = own * row[i] - others * (sums of the pixel and of its two neighbours in x), for i < n.
 */
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
    /* The sums with one more pixel on either side, and the unsharpened rows above and at y. */
    int16_t *sums = mem_new(1, (n + 6) * sizeof *sums + 2 * n, "sharpening an image", error);
    if (!sums)
        return error->status;
    uint8_t *above = (uint8_t *)(sums + n + 6), *at = above + n;
    /* The sum includes the pixel itself: 1 - alpha + alpha * (8 + lightness) + alpha. */
    const float own = (float)(1 + alpha * (8 + lightness)), others = (float)alpha;
    memcpy(above, image->pixels + n, n); /* the row above the first is the second, reflected */
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + y * n;
        memcpy(at, row, n);
        add_rows(above, at, y + 1 < image->height ? row + n : above, sums + 3, n);
        for (size_t c = 0; c < 3; c++) { /* reflect at both ends */
            sums[c] = sums[6 + c];
            sums[n + 3 + c] = sums[n - 3 + c];
        }
        sharpen_row(row, sums, own, others, n);
        uint8_t *swap = above;
        above = at;
        at = swap;
    }
    free(sums);
    return STATUS_OK;
}

/* ---- draws and blending ---------------------------------------------------------------------- */

enum { SMALLEST_SIDE = 32 }; /* smaller faces show no blending boundary */

/*
 * Smallest fraction of the image that a hull may cover; a face covers a third to a half of a crop.
 */
static const double SMALLEST_SHARE = 0.02;

/* The use of each uniform number. Never renumber; a new use gets the next. */
enum {
    DRAW_SIDE, /* choice of the changed side: source or target */
    DRAW_RGB,  /* add a shift of the channels */
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
    DRAW_SHAPE, /* use of the forehead's landmarks; top of the ellipse */
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

/* An integer from 0 to count - 1. */
static int choice(const Draws *draws, int use, int count)
{
    return (int)(count * draws->u[use]);
}

static bool changes_source(const Draws *draws)
{
    return draws->u[DRAW_SIDE] < 0.5;
}

/*
 * Changes colour and sharpness of one side. The published shifts of hue, saturation and value are
 * -0.3 to 0.3 steps of 8 bits, truncated: each value decreases by one or stays. So most of the
 * visible change is the rounding to HSV.
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

/*
 * Draws the motion of the source along one axis of n pixels: scaled about the centre, then shifted
 * by at most `shift` * n.
 */
static DataAxis draw_motion(const Draws *draws, int scale_use, int shift_use, double shift, int n)
{
    const double scale = between(draws, scale_use, 0.95, 1 / 0.95);
    return (DataAxis){scale,
                      (1 - scale) * (n - 1) / 2 + between(draws, shift_use, -shift, shift) * n};
}

/* The map from pixels of the unmoved source to cells of a grid over the target, along one axis. */
static DataAxis to_grid(DataAxis motion, int n, int cells)
{
    const double ratio = (double)cells / n;
    return (DataAxis){ratio * motion.scale, ratio * (motion.offset + 0.5) - 0.5};
}

/*
 * An ellipse for a face without landmarks. In crops aligned with margin 1.3, as by DeepfakeBench
 * and GenD, the eyes are at 47 % of the height and the mouth at 75 %. The top of the ellipse is
 * between the eyebrows and the upper forehead, as for hulls of 68 and 81 points; its bottom is the
 * chin.
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
        "landmarks of a frame of %d x %d pixels: the hull is too thin or at the border; give "
        "landmarks in pixels of the crop, or remove their file",
        image->width, image->height);
}

/*
 * The two samples around a position and the weight of the second: bilinear interpolation, constant
 * beyond the ends.
 */
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

/* Taps of each target column: [width] each, in one allocation. */
typedef struct Columns {
    Tap *mask, *source;
} Columns;

/*
 * Blends the moved source over row y of the target. The mask row is interpolated along y into
 * `line` [mask->width] first; where it is zero the target is unchanged.
 */
static void blend_row(DataImage *target, int y, const DataImage *source, Tap source_y,
                      const DataMask *mask, Tap mask_y, Columns columns, float ratio, float *line)
{
    const float *upper = mask->values + mask_y.low * mask->width;
    const float *lower = mask->values + mask_y.high * mask->width;
    for (int x = 0; x < mask->width; x++)
        line[x] = ratio * mix(upper[x], lower[x], mask_y.share);
    const size_t row = (size_t)source->width * 3;
    const uint8_t *above = source->pixels + source_y.low * row;
    const uint8_t *below = source->pixels + source_y.high * row;
    uint8_t *pixel = target->pixels + y * row;
    for (int x = 0; x < target->width; x++, pixel += 3) {
        const Tap at = columns.mask[x], from = columns.source[x];
        const float weight = mix(line[at.low], line[at.high], at.share);
        if (weight <= 0)
            continue;
        const int left = from.low * 3, right = from.high * 3;
        for (size_t c = 0; c < 3; c++) {
            const float value = mix(
                mix((float)above[left + c], (float)above[right + c], from.share),
                mix((float)below[left + c], (float)below[right + c], from.share), source_y.share);
            pixel[c] = (uint8_t)(int)(mix((float)pixel[c], value, weight) + 0.5F);
        }
    }
}

/* The position of target pixel `at` in the unmoved source; mask_tap: in the mask. */
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
    Tap *taps = mem_new(2 * width, sizeof *taps, "blending", error);
    if (!taps)
        return error->status;
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
    return error_set(
        error, STATUS_FAILED,
        "image of %d x %d pixels: too small for self-blending, which needs %d per side; "
        "extract larger frames, or remove the image",
        image->width, image->height, SMALLEST_SIDE);
}

static Status copy_image(DataImage *copy, const DataImage *image, Error *error)
{
    TRY(data_image_create(copy, image->width, image->height, error));
    memcpy(copy->pixels, image->pixels, (size_t)image->width * image->height * 3);
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
    DataImage changed = {0};
    Status status = STATUS_FAILED;
    DataMask *mask = mem_new(1, sizeof *mask, "self-blending", error);
    if (!mask || (status = make_mask(mask, &draws, landmarks, x, y, image, error)) != STATUS_OK ||
        (status = copy_image(&changed, image, error)) != STATUS_OK ||
        (status = change(&changed, &draws, error)) != STATUS_OK)
        goto done;
    /* The target is written to. If it is the copy, the copy then replaces the image. */
    const bool of_source = changes_source(&draws);
    status = blend(of_source ? image : &changed, of_source ? &changed : image, mask, x, y,
                   RATIOS[choice(&draws, DRAW_RATIO, 6)], error);
    if (status == STATUS_OK && !of_source) {
        const DataImage unchanged = *image;
        *image = changed;
        changed = unchanged;
    }
done:
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
    const size_t w = width, h = height, image = w * h * 3;
    /*
     * The downscaled image, the rows between the passes of its enlargement (blocks of 64 rows), and
     * the weights.
     */
    const size_t rows = h / 2 + 1, small = rows * (w / 2 + 1) * 3;
    const size_t downscale = small + rows * w * 3 + 64 * (w + w / 2 + 1) * 3 + (w + h) * 64;
    const size_t blending = 2 * w * sizeof(Tap);
    return sizeof(DataMask) + image + max_size(downscale, blending);
}
