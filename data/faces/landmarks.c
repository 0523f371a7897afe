/*
 * landmarks.c - see landmarks.h.
 *
 * An integer of the file is one byte (low four bits: number of bytes that follow, 1 to 8; 0x80:
 * negative) and a little-endian magnitude. A float is two integers m and e: m 2^e. A vector is
 * its count and its items; a matrix has its sides, stored negative, and its values row by row. In
 * order: version 1; initial shape [2K,1]; forests of trees, each with its splits (pixel, pixel,
 * threshold) and its leaves, matrices [2K,1]; for each forest the anchors of its pixels, points
 * of the shape; then their offsets (x,y) from the anchors.
 */
#include "data/faces/landmarks.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 fuses nothing */
#endif

/* A pixel relative to the shape: an offset from one of its points. */
typedef struct Pixel {
    int anchor;
    float x, y;
} Pixel;

/* An inner node: goes left if value[first] - value[second] > threshold. */
typedef struct Split {
    int first, second;
    float threshold;
} Split;

struct DataShapePredictor {
    int points;   /* K */
    int forests;  /* applied one after the other */
    int trees;    /* of a forest */
    int splits;   /* of a tree: 2^depth - 1, children of i are 2i + 1 and 2i + 2 */
    int pixels;   /* of a forest */
    float *shape; /* [K,2] initial shape, in units of the box */
    Split *split; /* [forests,trees,splits] */
    float *leaf;  /* [forests,trees,splits + 1,K,2] */
    Pixel *pixel; /* [forests,pixels] */
    char hash[HASH_TEXT_SIZE];
};

/* ---- reading --------------------------------------------------------------------------------- */

/* The first problem ends the reading: all later values are 0. */
typedef struct Reader {
    const unsigned char *at, *end;
    const char *problem; /* NULL if none */
} Reader;

static void refuse(Reader *reader, const char *problem)
{
    if (!reader->problem)
        reader->problem = problem;
    reader->at = reader->end;
}

static int64_t read_integer(Reader *reader)
{
    static const char CUT[] = "the file is cut";
    if (reader->at == reader->end) {
        refuse(reader, CUT);
        return 0;
    }
    const unsigned char head = *reader->at++;
    const int bytes = head & 15;
    const bool valid = bytes >= 1 && bytes <= 8 && !(head & 0x70);
    if (!valid || reader->end - reader->at < bytes) {
        refuse(reader, valid ? CUT : "an integer is invalid");
        return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += bytes;
    if (value > INT64_MAX) {
        refuse(reader, "an integer is invalid");
        return 0;
    }
    return head & 0x80 ? -(int64_t)value : (int64_t)value;
}

/* An integer in [minimum, maximum], else `problem`. */
static int read_count(Reader *reader, int minimum, int maximum, const char *problem)
{
    const int64_t value = read_integer(reader);
    if (value < minimum || value > maximum) {
        refuse(reader, problem);
        return minimum;
    }
    return (int)value;
}

/* Coordinates are in units of the box and grey values below 256, so large ones are damage. */
static float read_float(Reader *reader)
{
    const int64_t mantissa = read_integer(reader), exponent = read_integer(reader);
    const bool usual = exponent >= -2000 && exponent <= 2000;
    const double value = usual ? ldexp((double)mantissa, (int)exponent) : INFINITY;
    if (!(fabs(value) <= 1e6)) {
        refuse(reader, "a number is out of range");
        return 0;
    }
    return (float)value;
}

/* Reads the sides of a matrix [rows,1], which dlib stores negative. */
static void read_sides(Reader *reader, int rows)
{
    const int64_t height = read_integer(reader), width = read_integer(reader);
    if (llabs(height) != rows || llabs(width) != 1)
        refuse(reader, "a shape has another number of points than the first");
}

static void read_floats(Reader *reader, float *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = read_float(reader);
}

static void read_initial_shape(Reader *reader, DataShapePredictor *landmarks, Error *error)
{
    if (read_integer(reader) != 1)
        refuse(reader, "it is not a shape predictor of dlib, version 1");
    const int64_t height = llabs(read_integer(reader));
    const int64_t width = llabs(read_integer(reader));
    if (height < 4 || height > 2 * DATA_SHAPE_POINTS || height % 2 || width != 1)
        refuse(reader, "the number of points is out of range");
    if (reader->problem)
        return;
    landmarks->points = (int)height / 2;
    landmarks->shape = mem_new(2 * (size_t)landmarks->points, sizeof(float), "landmarks", error);
    if (landmarks->shape)
        read_floats(reader, landmarks->shape, 2 * landmarks->points);
}

/* Allocates splits and leaves; the file must be large enough to hold them. */
static bool allocate_trees(Reader *reader, DataShapePredictor *landmarks, Error *error)
{
    const size_t trees = (size_t)landmarks->forests * landmarks->trees;
    const size_t leaves = trees * (landmarks->splits + 1), values = 2 * (size_t)landmarks->points;
    /* A float has at least two bytes, and no product can overflow: the limits are small. */
    if (leaves * values > (size_t)(reader->end - reader->at) / 2) {
        refuse(reader, "the file is too small for its trees");
        return false;
    }
    landmarks->split =
        mem_new(trees * landmarks->splits, sizeof *landmarks->split, "landmarks", error);
    landmarks->leaf = mem_new(leaves * values, sizeof(float), "landmarks", error);
    return landmarks->split && landmarks->leaf;
}

static void read_tree(Reader *reader, DataShapePredictor *landmarks, size_t tree)
{
    const int values = 2 * landmarks->points, leaves = landmarks->splits + 1;
    for (int i = 0; i < landmarks->splits; i++) {
        Split *split = &landmarks->split[tree * landmarks->splits + i];
        split->first = read_count(reader, 0, INT32_MAX - 1, "the pixel of a tree is invalid");
        split->second = read_count(reader, 0, INT32_MAX - 1, "the pixel of a tree is invalid");
        split->threshold = read_float(reader);
    }
    (void)read_count(reader, leaves, leaves, "a tree has no leaf for each of its ends");
    for (int i = 0; i < leaves; i++) {
        read_sides(reader, values);
        read_floats(reader, landmarks->leaf + (tree * leaves + i) * values, values);
    }
}

static void read_forests(Reader *reader, DataShapePredictor *landmarks, Error *error)
{
    enum { MAX_FORESTS = 100, MAX_TREES = 10000, MAX_SPLITS = 1023 };
    static const char SIZE[] = "the number of trees is out of range";
    static const char UNEQUAL[] = "its forests or trees differ in size";
    landmarks->forests = read_count(reader, 1, MAX_FORESTS, SIZE);
    for (int forest = 0; forest < landmarks->forests && !reader->problem; forest++) {
        const int trees = read_count(reader, 1, MAX_TREES, SIZE);
        if (forest == 0)
            landmarks->trees = trees;
        else if (trees != landmarks->trees)
            refuse(reader, UNEQUAL);
        for (int tree = 0; tree < landmarks->trees && !reader->problem; tree++) {
            const int splits = read_count(reader, 1, MAX_SPLITS, "a tree has too many splits");
            if (forest == 0 && tree == 0) {
                landmarks->splits = splits;
                if (((splits + 1) & splits) != 0)
                    refuse(reader, "a tree is not complete");
                if (reader->problem || !allocate_trees(reader, landmarks, error))
                    return;
            } else if (splits != landmarks->splits) {
                refuse(reader, UNEQUAL);
            }
            if (!reader->problem)
                read_tree(reader, landmarks, (size_t)forest * landmarks->trees + tree);
        }
    }
}

static void read_pixels(Reader *reader, DataShapePredictor *landmarks, Error *error)
{
    enum { MAX_PIXELS = 100000 };
    static const char LISTS[] = "the pixels of its forests are inconsistent";
    const int forests = landmarks->forests;
    (void)read_count(reader, forests, forests, LISTS);
    for (int forest = 0; forest < forests && !reader->problem; forest++) {
        const int pixels = read_count(reader, forest ? landmarks->pixels : 1,
                                      forest ? landmarks->pixels : MAX_PIXELS, LISTS);
        if (forest == 0 && !reader->problem) {
            landmarks->pixels = pixels;
            landmarks->pixel =
                mem_new((size_t)forests * pixels, sizeof *landmarks->pixel, "landmarks", error);
            if (!landmarks->pixel)
                return;
        }
        for (int i = 0; i < pixels && !reader->problem; i++)
            landmarks->pixel[(size_t)forest * pixels + i].anchor =
                read_count(reader, 0, landmarks->points - 1, "a pixel refers to a missing point");
    }
    (void)read_count(reader, forests, forests, LISTS);
    for (int forest = 0; forest < forests && !reader->problem; forest++) {
        (void)read_count(reader, landmarks->pixels, landmarks->pixels, LISTS);
        for (int i = 0; i < landmarks->pixels && !reader->problem; i++) {
            Pixel *pixel = &landmarks->pixel[(size_t)forest * landmarks->pixels + i];
            pixel->x = read_float(reader);
            pixel->y = read_float(reader);
        }
    }
    const size_t splits = (size_t)forests * landmarks->trees * landmarks->splits;
    for (size_t i = 0; i < splits && !reader->problem; i++)
        if (landmarks->split[i].first >= landmarks->pixels ||
            landmarks->split[i].second >= landmarks->pixels)
            refuse(reader, "a tree refers to a missing pixel");
}

Status data_shape_open(DataShapePredictor **landmarks, const char *path, Error *error)
{
    *landmarks = NULL;
    FileMap map;
    TRY(file_map(path, &map, error));
    error_clear(error);
    DataShapePredictor *read = mem_new(1, sizeof *read, "landmarks", error);
    Reader reader = {.at = map.data, .end = map.data};
    if (map.size > 0) /* the data of an empty file may be NULL */
        reader.end += map.size;
    if (read)
        read_initial_shape(&reader, read, error);
    if (error->status == STATUS_OK && !reader.problem)
        read_forests(&reader, read, error);
    if (error->status == STATUS_OK && !reader.problem)
        read_pixels(&reader, read, error);
    if (!reader.problem && reader.at != reader.end)
        refuse(&reader, "it has bytes behind its end");
    if (error->status == STATUS_OK && reader.problem)
        error_set(error, STATUS_FAILED,
                  "%s: %s; use shape_predictor_68_face_landmarks.dat of Debian's libdlib-data, or "
                  "copy the file again",
                  path, reader.problem);
    if (error->status == STATUS_OK) {
        Hash hash;
        hash_begin(&hash);
        hash_bytes(&hash, map.data, map.size);
        hash_end(&hash, read->hash);
        (void)file_check_mappings(error);
    }
    file_unmap(&map);
    if (error->status != STATUS_OK) {
        data_shape_close(read);
        return error->status;
    }
    *landmarks = read;
    return STATUS_OK;
}

void data_shape_close(DataShapePredictor *landmarks)
{
    if (!landmarks)
        return;
    free(landmarks->shape);
    free(landmarks->split);
    free(landmarks->leaf);
    free(landmarks->pixel);
    free(landmarks);
}

int data_shape_count(const DataShapePredictor *landmarks)
{
    return landmarks->points;
}

const char *data_shape_hash(const DataShapePredictor *landmarks)
{
    return landmarks->hash;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/*
 * The 2 x 2 part [a -b; b a] of the least-squares similarity from `from` to `to` [K,2], in f32 as
 * in dlib: a = sum(x u + y v) / sum(x x + y y), b = sum(x v - y u) / sum(x x + y y) over centred
 * points.
 */
static void similarity(const float *from, const float *to, int points, float *a, float *b)
{
    double mean[4] = {0};
    for (int k = 0; k < points; k++) {
        mean[0] += from[2 * k];
        mean[1] += from[2 * k + 1];
        mean[2] += to[2 * k];
        mean[3] += to[2 * k + 1];
    }
    for (int i = 0; i < 4; i++)
        mean[i] /= points;
    double dot = 0, cross = 0, square = 0;
    for (int k = 0; k < points; k++) {
        const double x = from[2 * k] - mean[0], y = from[2 * k + 1] - mean[1];
        const double u = to[2 * k] - mean[2], v = to[2 * k + 1] - mean[3];
        dot += x * u + y * v;
        cross += x * v - y * u;
        square += x * x + y * y;
    }
    *a = (float)(dot / square);
    *b = (float)(cross / square);
}

/* The integer mean of the channels of a pixel; 0 outside of the image, and for NaN. */
static float grey(const DataImage *image, double x, double y)
{
    const double column = floor(x + 0.5), row = floor(y + 0.5);
    if (!(column >= 0 && row >= 0 && column < image->width && row < image->height))
        return 0;
    const uint8_t *pixel = image->pixels + 3 * ((size_t)row * image->width + (size_t)column);
    return (float)((pixel[0] + pixel[1] + pixel[2]) / 3);
}

/* floor(value + 1/2) within the range of int that images use; damaged trees may give infinity. */
static int round_point(double value)
{
    return (int)fmin(fmax(floor(value + 0.5), -1e9), 1e9);
}

Status data_shape_find(const DataShapePredictor *landmarks, const DataImage *image,
                       const DataBox *box, int (*points)[2], Error *error)
{
    assert(image->pixels);
    const int K = landmarks->points, splits = landmarks->splits;
    float *shape = mem_new(2 * (size_t)K + landmarks->pixels, sizeof *shape, "landmarks", error);
    if (!shape)
        return error->status;
    float *value = shape + 2 * K;
    memcpy(shape, landmarks->shape, 2 * (size_t)K * sizeof *shape);
    const double width = (double)box->right - box->left, height = (double)box->bottom - box->top;
    for (int forest = 0; forest < landmarks->forests; forest++) {
        float a, b;
        similarity(landmarks->shape, shape, K, &a, &b);
        const Pixel *pixel = landmarks->pixel + (size_t)forest * landmarks->pixels;
        for (int i = 0; i < landmarks->pixels; i++, pixel++) {
            const float x = (a * pixel->x + -b * pixel->y) + shape[2 * pixel->anchor];
            const float y = (b * pixel->x + a * pixel->y) + shape[2 * pixel->anchor + 1];
            value[i] = grey(image, width * x + box->left, height * y + box->top);
        }
        for (int tree = 0; tree < landmarks->trees; tree++) {
            const size_t at = (size_t)forest * landmarks->trees + tree;
            const Split *split = landmarks->split + at * splits;
            int node = 0;
            while (node < splits)
                node = 2 * node +
                       (value[split[node].first] - value[split[node].second] > split[node].threshold
                            ? 1
                            : 2);
            const float *leaf = landmarks->leaf + (at * (splits + 1) + node - splits) * 2 * K;
            for (int k = 0; k < 2 * K; k++)
                shape[k] += leaf[k];
        }
    }
    for (int k = 0; k < K; k++) {
        points[k][0] = round_point(width * shape[2 * k] + box->left);
        points[k][1] = round_point(height * shape[2 * k + 1] + box->top);
    }
    free(shape);
    return STATUS_OK;
}
