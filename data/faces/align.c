/*
 * align.c - see align.h.
 */
#include "data/faces/align.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 fuses nothing */
#endif

/* ---- templates ------------------------------------------------------------------------------- */

/* Adds a margin of (scale - 1) / 2 of the size on all sides and shrinks the result to the size. */
static DataPoints add_margin(DataPoints points, int size, double scale)
{
    const double margin = size * (scale - 1);
    for (int i = 0; i < DATA_ALIGN_POINTS; i++)
        for (int j = 0; j < 2; j++)
            points.at[i][j] = (points.at[i][j] + margin / 2) * size / (size + margin);
    return points;
}

DataPoints data_align_template_dfb(int size, double scale)
{
    /* In a face of 112 pixels, of which the template describes the 96 in the middle. */
    enum { WIDTH = 112, BORDER = 8 };
    static const double FACE[DATA_ALIGN_POINTS][2] = {{30.2946, 51.6963},
                                                      {65.5318, 51.5014},
                                                      {48.0252, 71.7366},
                                                      {33.5493, 92.3655},
                                                      {62.7299, 92.2041}};
    DataPoints points;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++) {
        points.at[i][0] = (FACE[i][0] + BORDER) * size / WIDTH;
        points.at[i][1] = FACE[i][1] * size / WIDTH;
    }
    return add_margin(points, size, scale);
}

DataPoints data_align_template_gend(int size, double scale)
{
    static const double FACE[DATA_ALIGN_POINTS][2] = {
        {.34, .46}, {.66, .46}, {.5, .64}, {.37, .82}, {.63, .82}};
    DataPoints points;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++)
        for (int j = 0; j < 2; j++)
            points.at[i][j] = FACE[i][j] * size;
    return add_margin(points, size, scale);
}

/* ---- similarities ---------------------------------------------------------------------------- */

/* Least squares over the points with used[i]; all if `used` is NULL. Two or more must be used. */
static bool least_squares(const DataPoints *from, const DataPoints *to, const bool *used,
                          DataSimilarity *map)
{
    double mean[4] = {0};
    int count = 0;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++) {
        if (used && !used[i])
            continue;
        for (int j = 0; j < 2; j++) {
            mean[j] += from->at[i][j];
            mean[2 + j] += to->at[i][j];
        }
        count++;
    }
    for (int j = 0; j < 4; j++)
        mean[j] /= count;
    double dot = 0, cross = 0, square = 0;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++) {
        if (used && !used[i])
            continue;
        const double x = from->at[i][0] - mean[0], y = from->at[i][1] - mean[1];
        const double u = to->at[i][0] - mean[2], v = to->at[i][1] - mean[3];
        dot += x * u + y * v;
        cross += x * v - y * u;
        square += x * x + y * y;
    }
    if (!(square > 0))
        return false;
    map->a = dot / square;
    map->b = cross / square;
    map->x0 = mean[2] - (map->a * mean[0] - map->b * mean[1]);
    map->y0 = mean[3] - (map->b * mean[0] + map->a * mean[1]);
    return true;
}

bool data_align_least_squares(const DataPoints *from, const DataPoints *to, DataSimilarity *map)
{
    return least_squares(from, to, NULL, map);
}

/* OpenCV's generator: multiply with carry. */
static int next_index(uint64_t *state, int count)
{
    *state = (uint64_t)(uint32_t)*state * 4164903690u + (uint32_t)(*state >> 32);
    return (int)((uint32_t)*state % (uint32_t)count);
}

/* The similarity through points i and j, in OpenCV's order of operations. */
static DataSimilarity through(const DataPoints *from, const DataPoints *to, int i, int j)
{
    const double x1 = from->at[i][0], y1 = from->at[i][1], x2 = from->at[j][0], y2 = from->at[j][1];
    const double u1 = to->at[i][0], v1 = to->at[i][1], u2 = to->at[j][0], v2 = to->at[j][1];
    const double d = 1. / ((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2));
    return (DataSimilarity){
        .a = d * ((u1 - u2) * (x1 - x2) + (v1 - v2) * (y1 - y2)),
        .b = d * ((v1 - v2) * (x1 - x2) - (u1 - u2) * (y1 - y2)),
        .x0 = d * ((v1 - v2) * (x1 * y2 - x2 * y1) - (u1 * y2 - u2 * y1) * (y1 - y2) -
                   (u1 * x2 - u2 * x1) * (x1 - x2)),
        .y0 = d * (-(u1 - u2) * (x1 * y2 - x2 * y1) - (v1 * x2 - v2 * x1) * (x1 - x2) -
                   (v1 * y2 - v2 * y1) * (y1 - y2))};
}

/* Squared distances in f32, as OpenCV computes them. */
static void distances(const DataPoints *from, const DataPoints *to, const DataSimilarity *map,
                      float out[DATA_ALIGN_POINTS])
{
    const float a = (float)map->a, b = (float)map->b, x0 = (float)map->x0, y0 = (float)map->y0;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++) {
        const float x = (float)from->at[i][0], y = (float)from->at[i][1];
        const float dx = a * x + -b * y + x0 - (float)to->at[i][0];
        const float dy = b * x + a * y + y0 - (float)to->at[i][1];
        out[i] = dx * dx + dy * dy;
    }
}

static int by_value(const void *left, const void *right)
{
    const float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static DataPoints round_points(const DataPoints *points)
{
    DataPoints rounded;
    for (int i = 0; i < DATA_ALIGN_POINTS; i++)
        for (int j = 0; j < 2; j++)
            rounded.at[i][j] = (float)points->at[i][j];
    return rounded;
}

bool data_align_least_median(const DataPoints *from, const DataPoints *to, DataSimilarity *map)
{
    enum { PAIRS = 13 }; /* for a confidence of 0.99 with 45 % outliers */
    const DataPoints source = round_points(from), target = round_points(to);
    uint64_t state = UINT64_MAX;
    double least = DBL_MAX;
    DataSimilarity best = {0};
    float square[DATA_ALIGN_POINTS];
    for (int pair = 0; pair < PAIRS; pair++) {
        const int i = next_index(&state, DATA_ALIGN_POINTS);
        int j = next_index(&state, DATA_ALIGN_POINTS);
        while (j == i)
            j = next_index(&state, DATA_ALIGN_POINTS);
        const DataSimilarity candidate = through(&source, &target, i, j);
        if (!isfinite(candidate.a) || !isfinite(candidate.x0) || !isfinite(candidate.y0))
            continue; /* the two points coincide */
        distances(&source, &target, &candidate, square);
        qsort(square, DATA_ALIGN_POINTS, sizeof *square, by_value);
        if (square[DATA_ALIGN_POINTS / 2] < least) {
            least = square[DATA_ALIGN_POINTS / 2];
            best = candidate;
        }
    }
    if (least == DBL_MAX)
        return false;
    const double robust = 2.5 * 1.4826 * (1 + 5. / (DATA_ALIGN_POINTS - 2)) * sqrt(least);
    const double sigma = robust > 0.001 ? robust : 0.001;
    distances(&source, &target, &best, square);
    bool used[DATA_ALIGN_POINTS];
    for (int i = 0; i < DATA_ALIGN_POINTS; i++)
        used[i] = square[i] <= (float)(sigma * sigma);
    return least_squares(&source, &target, used, map);
}

/* ---- crops ----------------------------------------------------------------------------------- */

/* The inverse: (x, y) of the crop -> (a x + b y + x0, c x + d y + y0) of the image. */
typedef struct Inverse {
    double a, b, x0, c, d, y0;
} Inverse;

/* In OpenCV's order of operations. */
static Inverse invert(const DataSimilarity *map)
{
    const double determinant = map->a * map->a - -map->b * map->b;
    const double scale = 1. / determinant;
    Inverse inverse = {.a = map->a * scale, .b = map->b * scale, .c = -map->b * scale};
    inverse.d = inverse.a;
    inverse.x0 = -inverse.a * map->x0 - inverse.b * map->y0;
    inverse.y0 = -inverse.c * map->x0 - inverse.d * map->y0;
    return inverse;
}

/* The pixel (x, y), black outside of the image. */
static const uint8_t *pixel_at(const DataImage *image, int x, int y)
{
    static const uint8_t BLACK[3];
    const bool inside = x >= 0 && y >= 0 && x < image->width && y < image->height;
    return inside ? image->pixels + 3 * ((size_t)y * image->width + x) : BLACK;
}

/* rint(value) as an int, saturated: damaged landmarks may be far away. */
static int round_even(double value)
{
    return (int)fmin(fmax(rint(value), -1e9), 1e9);
}

static void warp_fixed(const DataImage *image, const Inverse *map, DataImage *crop)
{
    enum { FRACTIONS = 32, ONE = 32768 };
    for (int y = 0; y < crop->height; y++) {
        const int row_x = round_even((map->b * y + map->x0) * 1024) + 16;
        const int row_y = round_even((map->d * y + map->y0) * 1024) + 16;
        uint8_t *out = crop->pixels + 3 * (size_t)y * crop->width;
        for (int x = 0; x < crop->width; x++, out += 3) {
            const int at_x = (row_x + round_even(map->a * x * 1024)) >> 5;
            const int at_y = (row_y + round_even(map->c * x * 1024)) >> 5;
            const int fx = at_x & (FRACTIONS - 1), fy = at_y & (FRACTIONS - 1);
            const int left = at_x >> 5, top = at_y >> 5;
            /* Exact: a weight is a multiple of 1/1024. */
            const int weight[4] = {(FRACTIONS - fy) * (FRACTIONS - fx) * (ONE / 1024),
                                   (FRACTIONS - fy) * fx * (ONE / 1024),
                                   fy * (FRACTIONS - fx) * (ONE / 1024), fy * fx * (ONE / 1024)};
            const uint8_t *pixel[4] = {pixel_at(image, left, top), pixel_at(image, left + 1, top),
                                       pixel_at(image, left, top + 1),
                                       pixel_at(image, left + 1, top + 1)};
            for (int channel = 0; channel < 3; channel++) {
                int sum = ONE / 2;
                for (int i = 0; i < 4; i++)
                    sum += weight[i] * pixel[i][channel];
                out[channel] = (uint8_t)(sum >> 15);
            }
        }
    }
}

static void warp_float(const DataImage *image, const Inverse *map, DataImage *crop)
{
    for (int y = 0; y < crop->height; y++) {
        const float row_x = (float)(y * map->b + map->x0), row_y = (float)(y * map->d + map->y0);
        uint8_t *out = crop->pixels + 3 * (size_t)y * crop->width;
        for (int x = 0; x < crop->width; x++, out += 3) {
            const float at_x = fmaf((float)map->a, (float)x, row_x);
            const float at_y = fmaf((float)map->c, (float)x, row_y);
            const int left = (int)fmin(fmax(floorf(at_x), -1e9), 1e9);
            const int top = (int)fmin(fmax(floorf(at_y), -1e9), 1e9);
            const float fx = at_x - (float)left, fy = at_y - (float)top;
            const uint8_t *p00 = pixel_at(image, left, top), *p01 = pixel_at(image, left + 1, top);
            const uint8_t *p10 = pixel_at(image, left, top + 1),
                          *p11 = pixel_at(image, left + 1, top + 1);
            for (int channel = 0; channel < 3; channel++) {
                const float v0 = (float)p00[channel] + fx * (float)(p01[channel] - p00[channel]);
                const float v1 = (float)p10[channel] + fx * (float)(p11[channel] - p10[channel]);
                const float value = rintf(v0 + fy * (v1 - v0));
                out[channel] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
    }
}

Status data_align_warp(const DataImage *image, const DataSimilarity *map, int size, DataWarp warp,
                       DataImage *crop, Error *error)
{
    assert(image->pixels && size > 0);
    *crop = (DataImage){0};
    const Inverse inverse = invert(map);
    if (!isfinite(inverse.a) || !isfinite(inverse.c) || !isfinite(inverse.x0) ||
        !isfinite(inverse.y0))
        return error_set(error, STATUS_FAILED,
                         "the face: its points coincide, so that it cannot be aligned; crop it by "
                         "its box: --like ffpp");
    TRY(data_image_create(crop, size, size, error));
    if (warp == DATA_WARP_FIXED)
        warp_fixed(image, &inverse, crop);
    else
        warp_float(image, &inverse, crop);
    return STATUS_OK;
}

void data_align_square(const DataImage *image, const DataBox *box, double scale, DataBox *square)
{
    const int width = box->right - box->left, height = box->bottom - box->top;
    int size = (int)((width > height ? width : height) * scale);
    /* Centres round down, also left of and above the image. */
    const int x = (int)floor((box->left + box->right) / 2.0) - size / 2;
    const int y = (int)floor((box->top + box->bottom) / 2.0) - size / 2;
    square->left = x > 0 ? x : 0;
    square->top = y > 0 ? y : 0;
    if (size > image->width - square->left)
        size = image->width - square->left;
    if (size > image->height - square->top)
        size = image->height - square->top;
    square->right = square->left + size - 1;
    square->bottom = square->top + size - 1;
}

Status data_align_copy(const DataImage *image, const DataBox *box, DataImage *crop, Error *error)
{
    assert(box->left >= 0 && box->top >= 0 && box->right < image->width &&
           box->bottom < image->height);
    *crop = (DataImage){0};
    TRY(data_image_create(crop, box->right - box->left + 1, box->bottom - box->top + 1, error));
    const size_t row = 3 * (size_t)crop->width;
    for (int y = 0; y < crop->height; y++)
        memcpy(crop->pixels + y * row,
               image->pixels + 3 * ((size_t)(box->top + y) * image->width + box->left), row);
    return STATUS_OK;
}
