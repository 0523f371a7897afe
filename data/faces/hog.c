/*
 * hog.c - see hog.h: pyramid, features, filters, and the choice among overlapping hits.
 *
 * Work is cut into tasks of rows, each computed as if alone, so the number of threads changes
 * nothing. Images are three planes of bytes and histograms planes of floats, because loops along a
 * row are then vectorised without shuffles. dlib's rules are kept where they look odd: see
 * plan_axis (two formulas in one row), gradient_row (ties between channels) and overlap.
 */
#include "data/faces/hog.h"

#include "data/faces/hog_private.h"
#include "tensor/base/mem.h"
#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 fuses nothing */
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* ---- kernels --------------------------------------------------------------------------------- */

/* The loops of hog_template.h. */
typedef struct HogKernels {
    void (*blend)(const uint16_t *above, const uint16_t *under, const float *right, double below,
                  int n, uint8_t *out);
    void (*gradients)(const uint8_t *const rows[3][3], int begin, int end, int later,
                      float *magnitude, int32_t *bin);
    void (*energy)(const float *histogram, size_t stride, int n, float *energy);
    void (*features)(const float *histogram, size_t stride, const float *const energy[3], int n,
                     float *out, size_t plane, float *scratch);
    void (*filter_row)(const float *in, const float *taps, int n, float *out);
    void (*filter_column)(const float *const *rows, const float *taps, int n, float *sums);
} HogKernels;

#define TARGET
#define NAME(x) x##_reference
#include "data/faces/hog_template.h"

#if defined(__x86_64__)
#define TARGET  __attribute__((target("avx2")))
#define NAME(x) x##_avx2
#include "data/faces/hog_template.h"

#define TARGET  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2")))
#define NAME(x) x##_avx512
#include "data/faces/hog_template.h"
#endif

static const HogKernels *choose_kernels(void)
{
#if defined(__x86_64__)
    const char *level = kernels()->name;
    if (strcmp(level, "avx2") == 0)
        return &hog_kernels_avx2;
    if (strcmp(level, "ref") != 0)
        return &hog_kernels_avx512;
#endif
    return &hog_kernels_reference;
}

/* ---- images ---------------------------------------------------------------------------------- */

/* dlib's conversion of a coordinate to an integer. */
static int round_half_up(double value)
{
    return (int)floor(value + 0.5);
}

/* Three planes of bytes. */
typedef struct Planes {
    int width, height;
    uint8_t *values; /* [3,height,width] */
} Planes;

static const uint8_t *plane_row(const Planes *image, int channel, int y)
{
    return image->values + ((size_t)channel * image->height + y) * image->width;
}

/* The columns of a resized row: output x lies between input pixels left[x] and left[x] + 1. */
typedef struct Axis {
    int grouped;   /* the first columns, computed in f32 by four; the others in f64 */
    int *left;     /* [n] */
    float *right;  /* [n] weight of the right pixel, of the grouped columns */
    double *exact; /* [n] likewise, of the others */
} Axis;

typedef struct Resize {
    const HogKernels *kernels;
    const Planes *in;
    Planes *out;
    Axis axis;
    const double *rows; /* [out height] position in the input */
    uint16_t *pairs;    /* [tasks at once,2,3,out width] neighbours in two rows of the input */
    int rows_a_task;
} Resize;

/*
 * Corners of both images coincide. dlib computes columns by four in f32, adding 4 steps each time,
 * until the right neighbour would leave the row; the rest in f64, adding one step each time.
 */
static void plan_axis(Axis *axis, int in, int out)
{
    const double step = (in - 1) / (double)(out > 1 ? out - 1 : 1);
    const float four = (float)(4 * step);
    float at[4];
    for (int j = 0; j < 4; j++)
        at[j] = (float)(-4 * step + j * step);
    int x = 0;
    for (;; x += 4) {
        for (int j = 0; j < 4; j++)
            at[j] += four;
        if (x >= out || (int)at[3] + 1 >= in)
            break;
        for (int j = 0; j < 4 && x + j < out; j++) {
            axis->left[x + j] = (int)at[j];
            axis->right[x + j] = at[j] - (float)(int)at[j];
        }
    }
    axis->grouped = x < out ? x : out;
    double position = -step + x * step;
    for (; x < out; x++) {
        position += step;
        axis->left[x] = (int)floor(position);
        axis->exact[x] = position - axis->left[x];
    }
}

/* Stores the neighbours of the grouped columns in row y of the input: pairs [3,out width]. */
static void gather(const Resize *resize, int y, uint16_t *pairs)
{
    const int n = resize->axis.grouped, *left = resize->axis.left;
    for (int channel = 0; channel < 3; channel++, pairs += resize->out->width) {
        const uint8_t *row = plane_row(resize->in, channel, y);
        for (int x = 0; x < n; x++) {
            const int at = left[x];
            pairs[x] = (uint16_t)(row[at] | row[at + 1] << 8);
        }
    }
}

/* The columns that plan_axis left to f64, of one row. */
static void blend_exactly(const Resize *resize, int channel, int above, int under, double below,
                          uint8_t *out)
{
    const Planes *in = resize->in;
    const uint8_t *upper = plane_row(in, channel, above), *lower = plane_row(in, channel, under);
    for (int x = resize->axis.grouped; x < resize->out->width; x++) {
        const int left = resize->axis.left[x];
        const int right = left + 1 < in->width - 1 ? left + 1 : in->width - 1;
        const double share = resize->axis.exact[x];
        const double one = (1 - share) * upper[left] + share * upper[right];
        const double two = (1 - share) * lower[left] + share * lower[right];
        out[x] = (uint8_t)((1 - below) * one + below * two);
    }
}

static void resize_rows(void *context, int task, int worker)
{
    const Resize *resize = context;
    const Planes *in = resize->in, *out = resize->out;
    const size_t width = out->width;
    uint16_t *pairs = resize->pairs + worker * 6 * width;
    int held[2] = {-1, -1}; /* rows of the input in each half of `pairs` */
    const int begin = task * resize->rows_a_task;
    for (int y = begin; y < begin + resize->rows_a_task && y < out->height; y++) {
        const int above = (int)floor(resize->rows[y]);
        const int under = above + 1 < in->height - 1 ? above + 1 : in->height - 1;
        const double below = resize->rows[y] - above;
        const int needed[2] = {above, under};
        const uint16_t *found[2];
        for (int i = 0; i < 2; i++) {
            int half = held[0] == needed[i] ? 0 : held[1] == needed[i] ? 1 : -1;
            if (half < 0) {
                half = held[0] == needed[1 - i] ? 1 : 0;
                gather(resize, needed[i], pairs + half * 3 * width);
                held[half] = needed[i];
            }
            found[i] = pairs + half * 3 * width;
        }
        for (int channel = 0; channel < 3; channel++) {
            uint8_t *to = out->values + ((size_t)channel * out->height + y) * width;
            resize->kernels->blend(found[0] + channel * width, found[1] + channel * width,
                                   resize->axis.right, below, resize->axis.grouped, to);
            blend_exactly(resize, channel, above, under, below, to);
        }
    }
}

/* Resizes `in` to the size of `out`, whose values the caller allocated. */
static Status resize(const HogKernels *kernels, const Planes *in, Planes *out, Threads *threads,
                     Error *error)
{
    enum { ROWS_A_TASK = 32 };
    const size_t width = out->width, workers = threads_count(threads);
    double *exact = mem_new(width + out->height, sizeof *exact, "a resized image", error);
    float *right = mem_new(width, sizeof *right, "a resized image", error);
    int *left = mem_new(width, sizeof *left, "a resized image", error);
    uint16_t *pairs = mem_new(workers * 6 * width, sizeof *pairs, "a resized image", error);
    const bool complete = exact && right && left && pairs;
    if (complete) {
        Resize work = {.kernels = kernels,
                       .in = in,
                       .out = out,
                       .axis = {.left = left, .right = right, .exact = exact},
                       .rows = exact + width,
                       .pairs = pairs,
                       .rows_a_task = ROWS_A_TASK};
        plan_axis(&work.axis, in->width, out->width);
        const double step = (in->height - 1) / (double)(out->height > 1 ? out->height - 1 : 1);
        double position = -step;
        for (int y = 0; y < out->height; y++)
            exact[width + y] = position += step;
        threads_run(threads, (out->height + ROWS_A_TASK - 1) / ROWS_A_TASK, resize_rows, &work);
    }
    free(exact);
    free(right);
    free(left);
    free(pairs);
    return complete ? STATUS_OK : error->status;
}

/* ---- features and filters of one image ------------------------------------------------------- */

enum { ROWS_A_BLOCK = 16, FILTER_ROWS = 64 }; /* cell rows of a task */

/* The features of one level, and the response of every filter. Buffers serve all levels. */
typedef struct Level {
    const HogKernels *kernels;
    const Planes *image;
    int cell_rows, cell_columns;
    size_t stride;     /* of a row of `histogram` and `energy` */
    float *histogram;  /* [cell_rows + 2,18,stride]; cells from row and column 1 */
    float *energy;     /* [cell_rows,stride] */
    int rows, columns; /* of the padded features */
    float *features;   /* [31,rows,columns] */
    float *response;   /* [5,rows,columns]; from (5,5) to (rows - 5, columns - 5) */
    float *scratch;    /* [workers,scratch_size] */
    size_t scratch_size;
} Level;

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Adds the gradients of pixel row y to the rows [begin, end) of the histogram. */
static void vote(const Level *level, int y, int begin, int end, float *magnitude, int32_t *bin)
{
    /* A pixel between two cells votes for both, in proportion to its distance from the other. */
    static const float SHARE[HOG_CELL] = {.0625f, .1875f, .3125f, .4375f,
                                          .5625f, .6875f, .8125f, .9375f};
    const Planes *image = level->image;
    const int stop = least(level->cell_columns * HOG_CELL, image->width) - 1;
    int vectors = 1; /* end of dlib's vector loop */
    while (vectors < stop - 7)
        vectors += 8;
    const uint8_t *rows[3][3];
    for (int channel = 0; channel < 3; channel++)
        for (int i = 0; i < 3; i++)
            rows[channel][i] = plane_row(image, channel, y - 1 + i);
    level->kernels->gradients((const uint8_t *const(*)[3])rows, 1, least(vectors, stop), 1,
                              magnitude, bin);
    level->kernels->gradients((const uint8_t *const(*)[3])rows, vectors, stop, 0, magnitude, bin);
    const size_t cells = HOG_SIGNED * level->stride;
    const int row = (y + 4) / HOG_CELL;
    const float lower = SHARE[(y + 4) % HOG_CELL], upper = 1 - lower;
    float *above = row >= begin ? level->histogram + row * cells : NULL;
    float *under = row + 1 < end ? level->histogram + (row + 1) * cells : NULL;
    for (int x = 1; x < stop; x++) {
        const float right = SHARE[(x + 4) % HOG_CELL] * magnitude[x];
        const float left = (1 - SHARE[(x + 4) % HOG_CELL]) * magnitude[x];
        const size_t at = bin[x] * level->stride + (x + 4) / HOG_CELL;
        if (above) {
            above[at] += upper * left;
            above[at + 1] += upper * right;
        }
        if (under) {
            under[at] += lower * left;
            under[at + 1] += lower * right;
        }
    }
}

static void vote_rows(void *context, int task, int worker)
{
    const Level *level = context;
    const int begin = task * ROWS_A_BLOCK;
    const int end = least(begin + ROWS_A_BLOCK, level->cell_rows + 2);
    const size_t cells = HOG_SIGNED * level->stride;
    memset(level->histogram + begin * cells, 0, (end - begin) * cells * sizeof(float));
    float *magnitude = level->scratch + worker * level->scratch_size;
    int32_t *bin = (void *)(magnitude + level->image->width); /* as large as a float */
    const int stop = least(level->cell_rows * HOG_CELL, level->image->height) - 1;
    const int first = HOG_CELL * (begin - 1) - 4;
    for (int y = first > 1 ? first : 1; y < stop && y < HOG_CELL * end - 4; y++)
        vote(level, y, begin, end, magnitude, bin);
}

static void energy_rows(void *context, int task, int worker)
{
    (void)worker;
    const Level *level = context;
    const int end = least((task + 1) * ROWS_A_BLOCK, level->cell_rows);
    for (int y = task * ROWS_A_BLOCK; y < end; y++)
        level->kernels->energy(level->histogram + (y + 1) * HOG_SIGNED * level->stride + 1,
                               level->stride, level->cell_columns,
                               level->energy + y * level->stride);
}

static void feature_rows(void *context, int task, int worker)
{
    const Level *level = context;
    const int inner = level->cell_rows - 2, end = least((task + 1) * ROWS_A_BLOCK, inner);
    const size_t plane = (size_t)level->rows * level->columns;
    for (int y = task * ROWS_A_BLOCK; y < end; y++) {
        const float *energy[3];
        for (int i = 0; i < 3; i++)
            energy[i] = level->energy + (y + i) * level->stride;
        float *out = level->features + (size_t)(y + HOG_PAD_BEFORE) * level->columns;
        level->kernels->features(level->histogram + (y + 2) * HOG_SIGNED * level->stride + 2,
                                 level->stride, energy, level->cell_columns - 2,
                                 out + HOG_PAD_BEFORE, plane,
                                 level->scratch + worker * level->scratch_size);
    }
}

/* One filter over FILTER_ROWS rows. The ten last filtered rows of a pair are in a ring. */
static void filter_rows(void *context, int task, int worker)
{
    const Level *level = context;
    const int filter = task % HOG_FILTERS, n = level->columns - HOG_PAD;
    const int begin = task / HOG_FILTERS * FILTER_ROWS;
    const int end = least(begin + FILTER_ROWS, level->rows - HOG_PAD);
    const size_t columns = level->columns, plane = level->rows * columns;
    float *response = level->response + filter * plane + 5;
    for (int y = begin; y < end; y++)
        memset(response + (y + 5) * columns, 0, n * sizeof(float));
    float *ring = level->scratch + worker * level->scratch_size;
    const HogPair *pair = data_hog_pairs;
    for (int i = 0; i < filter; i++)
        pair += data_hog_filters[i].pairs;
    for (int i = 0; i < data_hog_filters[filter].pairs; i++, pair++) {
        const float *in = level->features + pair->plane * plane;
        for (int y = begin; y < end + HOG_PAD; y++) {
            level->kernels->filter_row(in + y * columns, pair->row, n,
                                       ring + (size_t)(y % HOG_WINDOW) * n);
            if (y < begin + HOG_PAD)
                continue;
            const float *rows[HOG_WINDOW];
            for (int k = 0; k < HOG_WINDOW; k++)
                rows[k] = ring + (size_t)((y - HOG_PAD + k) % HOG_WINDOW) * n;
            level->kernels->filter_column(rows, pair->column, n,
                                          response + (y - HOG_PAD + 5) * columns);
        }
    }
}

static int blocks(int rows, int rows_a_block)
{
    return (rows + rows_a_block - 1) / rows_a_block;
}

/* Sets the sizes of a level. False if the image is too small for a cell with neighbours. */
static bool size_level(Level *level, const Planes *image)
{
    level->image = image;
    level->cell_rows = (int)((float)image->height / HOG_CELL + 0.5f);
    level->cell_columns = (int)((float)image->width / HOG_CELL + 0.5f);
    level->stride = (size_t)level->cell_columns + 2;
    level->rows = level->cell_rows - 2 + HOG_PAD;
    level->columns = level->cell_columns - 2 + HOG_PAD;
    return level->cell_rows > 2 && level->cell_columns > 2;
}

/* Allocates the buffers for the largest level, whose sizes are set. */
static Status allocate_level(Level *level, Threads *threads, Error *error)
{
    static const char WHAT[] = "the features of an image";
    const size_t rows = level->cell_rows, columns = level->columns,
                 workers = threads_count(threads);
    const size_t plane = level->rows * columns, width = level->image->width;
    level->scratch_size = 2 * width > 12 * columns ? 2 * width : 12 * columns;
    level->histogram = mem_new((rows + 2) * HOG_SIGNED * level->stride, sizeof(float), WHAT, error);
    level->energy = mem_new(rows * level->stride, sizeof(float), WHAT, error);
    level->features = mem_new(HOG_PLANES * plane, sizeof(float), WHAT, error);
    level->response = mem_new(HOG_FILTERS * plane, sizeof(float), WHAT, error);
    level->scratch = mem_new(workers * level->scratch_size, sizeof(float), WHAT, error);
    return level->histogram && level->energy && level->features && level->response && level->scratch
               ? STATUS_OK
               : error->status;
}

static void free_level(Level *level)
{
    free(level->histogram);
    free(level->energy);
    free(level->features);
    free(level->response);
    free(level->scratch);
}

static void compute_level(Level *level, Threads *threads)
{
    const size_t plane = (size_t)level->rows * level->columns;
    memset(level->features, 0, HOG_PLANES * plane * sizeof(float));
    threads_run(threads, blocks(level->cell_rows + 2, ROWS_A_BLOCK), vote_rows, level);
    threads_run(threads, blocks(level->cell_rows, ROWS_A_BLOCK), energy_rows, level);
    threads_run(threads, blocks(level->cell_rows - 2, ROWS_A_BLOCK), feature_rows, level);
    threads_run(threads, HOG_FILTERS * blocks(level->rows - HOG_PAD, FILTER_ROWS), filter_rows,
                level);
}

/* ---- hits ------------------------------------------------------------------------------------ */

/* A coordinate of level `depth` in the pyramid, in pixels of level 0, not yet rounded. */
static double unscale(double value, int depth)
{
    for (int i = 0; i < depth; i++)
        value = value * (6 / 5.0) + 0.3;
    return value;
}

/* The pixel of a corner of the window; dlib rounds cells towards the outside of the origin. */
static int cell_pixel(int cell)
{
    const int pixel = (cell + 1 - HOG_PAD_BEFORE) * HOG_CELL + 1;
    return pixel + (pixel >= 0 ? HOG_CELL / 2 : -HOG_CELL / 2);
}

static Status collect_hits(const Level *level, int depth, DataFaces *faces, Error *error)
{
    const size_t plane = (size_t)level->rows * level->columns;
    for (int filter = 0; filter < HOG_FILTERS; filter++) {
        const double threshold = data_hog_filters[filter].threshold;
        for (int y = 5; y < level->rows - 4; y++) {
            const float *row = level->response + filter * plane + (size_t)y * level->columns;
            for (int x = 5; x < level->columns - 4; x++) {
                if (row[x] < threshold)
                    continue;
                TRY(mem_grow(&faces->items, (size_t)faces->count + 1, &faces->capacity,
                             sizeof *faces->items, "the faces", error));
                faces->items[faces->count++] =
                    (DataFace){.box = {round_half_up(unscale(cell_pixel(x - 5), depth)),
                                       round_half_up(unscale(cell_pixel(y - 5), depth)),
                                       round_half_up(unscale(cell_pixel(x + 4), depth)),
                                       round_half_up(unscale(cell_pixel(y + 4), depth))},
                               .score = row[x] - threshold,
                               .filter = filter};
            }
        }
    }
    return STATUS_OK;
}

static double area(const DataBox *box)
{
    return (double)(box->right - box->left + 1) * (double)(box->bottom - box->top + 1);
}

/* True if two boxes are the same face. dlib divides by the area of the enclosing rectangle. */
static bool overlap(const DataBox *a, const DataBox *b)
{
    const DataBox common = {
        a->left > b->left ? a->left : b->left, a->top > b->top ? a->top : b->top,
        a->right < b->right ? a->right : b->right, a->bottom < b->bottom ? a->bottom : b->bottom};
    if (common.right < common.left || common.bottom < common.top)
        return false;
    const DataBox hull = {a->left < b->left ? a->left : b->left, a->top < b->top ? a->top : b->top,
                          a->right > b->right ? a->right : b->right,
                          a->bottom > b->bottom ? a->bottom : b->bottom};
    const double shared = area(&common);
    const double LEAST_OF_HULL = 0.3300823, LEAST_OF_BOX = 0.788571;
    return shared / area(&hull) > LEAST_OF_HULL || shared / area(a) > LEAST_OF_BOX ||
           shared / area(b) > LEAST_OF_BOX;
}

static int by_score(const void *left, const void *right)
{
    const DataFace *a = left, *b = right;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    if (a->filter != b->filter)
        return a->filter < b->filter ? -1 : 1;
    if (a->box.top != b->box.top)
        return a->box.top < b->box.top ? -1 : 1;
    return (a->box.left > b->box.left) - (a->box.left < b->box.left);
}

/* Keeps the best of overlapping hits. */
static void suppress(DataFaces *faces)
{
    if (faces->count > 0)
        qsort(faces->items, faces->count, sizeof *faces->items, by_score);
    int kept = 0;
    for (int i = 0; i < faces->count; i++) {
        int j = 0;
        while (j < kept && !overlap(&faces->items[i].box, &faces->items[j].box))
            j++;
        if (j == kept)
            faces->items[kept++] = faces->items[i];
    }
    faces->count = kept;
}

/* ---- the detector ---------------------------------------------------------------------------- */

/* The number of levels: the first whose rectangle falls below 64 pixels is still searched. */
static int count_levels(int width, int height)
{
    enum { LEAST_SIDE = 64, MAX_LEVELS = 1000 };
    double left = 0, top = 0, right = width - 1, bottom = height - 1;
    int levels = 0;
    do {
        left = round_half_up((left - 0.3) * (5 / 6.0));
        top = round_half_up((top - 0.3) * (5 / 6.0));
        right = round_half_up((right - 0.3) * (5 / 6.0));
        bottom = round_half_up((bottom - 0.3) * (5 / 6.0));
        levels++;
    } while (right - left + 1 >= LEAST_SIDE && bottom - top + 1 >= LEAST_SIDE &&
             levels < MAX_LEVELS);
    return levels;
}

static Status new_planes(Planes *image, int width, int height, Error *error)
{
    *image = (Planes){width, height, NULL};
    image->values = mem_new((size_t)width * height, 3, "an image", error);
    return image->values ? STATUS_OK : error->status;
}

/* Splits an image into planes. */
static Status split(const DataImage *image, Planes *planes, Error *error)
{
    TRY(new_planes(planes, image->width, image->height, error));
    const size_t pixels = (size_t)image->width * image->height;
    for (size_t i = 0; i < pixels; i++)
        for (int channel = 0; channel < 3; channel++)
            planes->values[channel * pixels + i] = image->pixels[3 * i + channel];
    return STATUS_OK;
}

/* Replaces the planes by an image of twice the size. */
static Status enlarge(const HogKernels *kernels, Planes *planes, Threads *threads, Error *error)
{
    const int width = round_half_up((planes->width - 1 + 1.25) * 2) + 1;
    const int height = round_half_up((planes->height - 1 + 0.75) * 2) + 1;
    if ((double)width * (double)height > DATA_MAX_PIXELS)
        return error_set(error, STATUS_FAILED,
                         "the image: %d x %d pixels are too many to be doubled; use --upsample 0",
                         planes->width, planes->height);
    Planes large;
    TRY(new_planes(&large, width, height, error));
    const Status status = resize(kernels, planes, &large, threads, error);
    free(planes->values);
    *planes = large;
    return status;
}

/* A side of the next level. */
static int scaled(int side)
{
    return (int)(5L * side / 6);
}

/* Searches all levels. Two buffers hold the current and the next level in turn. */
static Status search(const HogKernels *kernels, Planes *first, Threads *threads, DataFaces *faces,
                     Error *error)
{
    Level level = {.kernels = kernels};
    if (!size_level(&level, first))
        return STATUS_OK;
    Planes current = *first, next = {0};
    Status status = allocate_level(&level, threads, error);
    if (status == STATUS_OK)
        status = new_planes(&next, scaled(first->width), scaled(first->height), error);
    uint8_t *spare = next.values;
    const int levels = count_levels(first->width, first->height);
    for (int depth = 0; status == STATUS_OK && depth < levels; depth++) {
        if (depth > 0) {
            next = (Planes){scaled(current.width), scaled(current.height),
                            current.values == first->values ? spare : first->values};
            status = resize(kernels, &current, &next, threads, error);
            current = next;
        }
        if (status != STATUS_OK || !size_level(&level, &current))
            break;
        compute_level(&level, threads);
        status = collect_hits(&level, depth, faces, error);
    }
    free(spare);
    free_level(&level);
    return status;
}

Status data_faces_find(const DataImage *image, bool upsample, Threads *threads, DataFaces *faces,
                       Error *error)
{
    assert(image->pixels && image->width > 0 && image->height > 0);
    faces->count = 0;
    const HogKernels *kernels = choose_kernels();
    Planes planes = {0};
    Status status = split(image, &planes, error);
    if (status == STATUS_OK && upsample)
        status = enlarge(kernels, &planes, threads, error);
    if (status == STATUS_OK)
        status = search(kernels, &planes, threads, faces, error);
    free(planes.values);
    if (status != STATUS_OK) {
        faces->count = 0;
        return status;
    }
    suppress(faces);
    for (int i = 0; i < faces->count && upsample; i++) {
        DataBox *box = &faces->items[i].box;
        box->left = round_half_up(box->left / 2.0 - 1.25);
        box->top = round_half_up(box->top / 2.0 - 0.75);
        box->right = round_half_up(box->right / 2.0 - 1.25);
        box->bottom = round_half_up(box->bottom / 2.0 - 0.75);
    }
    return STATUS_OK;
}

int data_faces_largest(const DataFaces *faces)
{
    int largest = faces->count > 0 ? 0 : -1;
    for (int i = 1; i < faces->count; i++)
        if (area(&faces->items[i].box) > area(&faces->items[largest].box))
            largest = i;
    return largest;
}

void data_faces_free(DataFaces *faces)
{
    free(faces->items);
    *faces = (DataFaces){0};
}
