/*
 * hog_private.h - the filters of the face detector, and its kernels, compiled per ISA level.
 *
 * Tests: tests/test_faces.c.
 */
#ifndef LNCLIP_DATA_FACES_HOG_PRIVATE_H
#define LNCLIP_DATA_FACES_HOG_PRIVATE_H

#include <stdint.h>

enum {
    HOG_CELL = 8,       /* sides of a cell in pixels */
    HOG_WINDOW = 10,    /* sides of a filter in cells */
    HOG_SIGNED = 18,    /* bins of signed gradient directions */
    HOG_UNSIGNED = 9,   /* bins of unsigned ones */
    HOG_PLANES = 31,    /* 18 signed, 9 unsigned, 4 textures */
    HOG_PAD_BEFORE = 4, /* empty cells before the features, for windows beyond the border */
    HOG_PAD = 9,        /* empty cells before and after */
    HOG_PAIRS = 305,    /* separable filters of all detectors */
    HOG_FILTERS = 5,
};

/* A separable filter on one plane of features. */
typedef struct HogPair {
    int plane;
    float row[HOG_WINDOW], column[HOG_WINDOW];
} HogPair;

/* A detector: the sum of its `pairs`, compared with `threshold`. */
typedef struct HogFilter {
    int pairs;
    double threshold;
} HogFilter;

extern const HogFilter data_hog_filters[HOG_FILTERS];
extern const HogPair data_hog_pairs[HOG_PAIRS]; /* those of filter 0, then of filter 1, ... */

#endif
