/*
 * sbi_mask.c - see sbi_mask.h.
 *
 * Sources: Shiohara and Yamasaki, section 3.2, and the parameters of their public code; Andrew, "Another
 * efficient algorithm for convex hulls in two dimensions", 1979; Shewchuk, "Adaptive precision floating-point
 * arithmetic and fast robust geometric predicates", 1997; Simard, Steinkraus and Platt, ICDAR 2003,
 * for the elastic deformation.
 *
 * A region is kept as one interval a row until it is deformed, as that is all that a convex shape needs.
 */
#include "data/augment/sbi_mask_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Point {
    float x, y; /* as the landmarks have them: products of two are exact in double */
} Point;

enum { MAX_POINTS = 81 };

static int compare_points(const void *a, const void *b)
{
    const Point *const p = a, *const q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return (p->y > q->y) - (p->y < q->y);
}

/* The sign of the exact sum of `terms` [count], count <= 6. Source: Shewchuk, 1997, Grow-Expansion. */
static int sign_of_sum(const double *terms, int count)
{
    double parts[6] = {
        0}; /* their exact sum is that of the terms so far; the last is the largest */
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
 * Whether a, b, c turn to the left, in axes with y upwards. Exact for all finite points, however near to a line:
 * the determinant is multiplied out into six products of two floats each, of 48 bits.
 */
static bool turns_left(Point a, Point b, Point c)
{
    const double ax = (double)a.x, ay = (double)a.y, bx = (double)b.x, by = (double)b.y;
    const double cx = (double)c.x, cy = (double)c.y;
    const double terms[6] = {ax * by, -(ay * bx), bx * cy, -(by * cx), cx * ay, -(cy * ax)};
    return sign_of_sum(terms, 6) > 0;
}

/*
 * Sorts the points and leaves the corners of their hull, in order. One or two remain where they lie on a line.
 * Each loop stores at most one point for each that it visits, so `count` of the first and count - 1 of the second
 * fit whatever turns_left answers.
 */
static int find_hull(Point points[MAX_POINTS], int count, Point hull[2 * MAX_POINTS])
{
    qsort(points, (size_t)count, sizeof *points, compare_points);
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
    return n > 1 ? n - 1 : n; /* the first point came twice */
}

/* Sets row y to the cells from left to right, both included, within the grid. Nothing if left > right. */
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

static double map(DataAxis axis, float at)
{
    return axis.scale * (double)at + axis.offset;
}

/* Widens left..right by what the edge from a to b has of the line y = row. */
static void cross_edge(Point a, Point b, DataAxis x, DataAxis y, int row, double *left,
                       double *right)
{
    const double ax = map(x, a.x), ay = map(y, a.y), bx = map(x, b.x), by = map(y, b.y);
    if ((ay < row && by < row) || (ay > row && by > row))
        return;
    /* Multiplied before it is divided: exact where the edge meets the middle of a cell. */
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
        area += (size_t)(region->end[row] - region->first[row]);
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

/* out [n] = the sum over k < taps of weights[k] * in[k * step + i]. */
static void sum_shifted(const float *restrict in, size_t step, const float *weights, int taps,
                        float *restrict out, size_t n)
{
    memset(out, 0, n * sizeof *out);
    for (int k = 0; k < taps; k++)
        for (size_t i = 0; i < n; i++)
            out[i] += weights[k] * in[(size_t)k * step + i];
}

/* in [height,width] -> out [height - taps + 1,width - taps + 1]: only where the whole filter fits. */
static void blur(const float *in, size_t width, size_t height, const float *weights, int taps,
                 float *between, float *out)
{
    const size_t out_width = width - (size_t)taps + 1, out_height = height - (size_t)taps + 1;
    for (size_t y = 0; y < height; y++)
        sum_shifted(in + y * width, 1, weights, taps, between + y * out_width, out_width);
    for (size_t y = 0; y < out_height; y++)
        sum_shifted(between + y * out_width, out_width, weights, taps, out + y * out_width,
                    out_width);
}

/*
 * The public code deforms with white noise of -1 to 1 for each pixel, blurred with a sigma of 7 pixels and
 * multiplied by 50: shifts of 1.2 pixels on average, alike within some ten pixels. So smooth a field is known
 * from every fourth cell. There the same density of noise has a quarter of the deviation, and the sigma is a
 * quarter as wide; 15 weights are four sigma to either side.
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

/* The shift at cell (x, y), between the four points of the lattice about it. */
static float shift_at(const float *shift, int x, int y)
{
    const float u = (float)(x % STEP) / STEP, v = (float)(y % STEP) / STEP;
    const float *const at = shift + (y / STEP) * DATA_MASK_LATTICE + x / STEP;
    const float upper = at[0] + u * (at[1] - at[0]);
    const float lower =
        at[DATA_MASK_LATTICE] + u * (at[DATA_MASK_LATTICE + 1] - at[DATA_MASK_LATTICE]);
    return upper + v * (lower - upper);
}

/* The cell nearest to `position` of an axis of n cells. The sum is positive: shifts stay below AMPLITUDE. */
static int nearest(int position, float shift, int n)
{
    const int at = (int)((float)position + shift + (2 * AMPLITUDE + 0.5F)) - (int)(2 * AMPLITUDE);
    return at < 0 ? 0 : at >= n ? n - 1 : at;
}

/* mask->inside[0] = the deformed region; returns how many cells it has. */
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
 * inside[1] = the cells of inside[0] about which a square of 2 * reach + 1 cells is inside, as far as it lies
 * in the grid. The public code blurs and keeps what is still 1, which is the same. Returns how many cells are
 * left.
 */
static size_t erode(DataMask *mask, int reach)
{
    const int width = mask->width, height = mask->height;
    int last[DATA_MASK_SIDE]; /* of each column: the row of the last cell outside so far */
    size_t area = 0;
    for (int y = 0; y < height; y++) {
        const uint8_t *const in = mask->inside[0] + (size_t)y * (size_t)width;
        uint8_t *const out = mask->inside[1] + (size_t)y * (size_t)width;
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
        uint8_t *const in = mask->inside[1] + (size_t)y * (size_t)width;
        for (int x = 0; x < width && y < height; x++)
            last[x] = in[x] ? last[x] : y;
        if (y < reach)
            continue;
        uint8_t *const out = mask->inside[1] + (size_t)(y - reach) * (size_t)width;
        for (int x = 0; x < width; x++) {
            out[x] = last[x] < y - 2 * reach;
            area += out[x];
        }
    }
    return area;
}

/* i, reflected about the first and the last of n cells. */
static int reflect(int i, int n)
{
    i = abs(i);
    return i < n ? i : 2 * (n - 1) - i;
}

/* mask->values = inside[1], blurred, and scaled so that the largest is 1. */
static void soften(DataMask *mask, int taps, double sigma)
{
    const int reach = taps / 2, width = mask->width, height = mask->height;
    float weights[DATA_MASK_KERNEL];
    float *to = mask->padded;
    gaussian(weights, taps, sigma);
    for (int y = -reach; y < height + reach; y++) {
        const uint8_t *const row = mask->inside[1] + (size_t)reflect(y, height) * (size_t)width;
        for (int x = -reach; x < width + reach; x++)
            *to++ = row[reflect(x, width)];
    }
    blur(mask->padded, (size_t)(width + 2 * reach), (size_t)(height + 2 * reach), weights, taps,
         mask->between, mask->values);
    const size_t cells = (size_t)width * (size_t)height;
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
    while (erode(mask, reach) == 0) /* ends: without a reach all of it is left */
        reach--;
    soften(mask, edge->blur, edge->sigma);
    return true;
}
