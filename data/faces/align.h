/*
 * align.h - from the points or the box of a face to its crop.
 *
 * An aligned crop maps five points (eyes, nose, corners of the mouth) onto a template by a
 * similarity and samples the image there; outside of it is black. A box crop copies a square.
 *
 * Sources: DeepfakeBench, preprocessing (template, least squares); GenD, detector.py (template,
 * least median of squares); FaceForensics++, detect_from_video.py (square); OpenCV, imgwarp.cpp and
 * ptsetreg.cpp; Umeyama, TPAMI 1991.
 *
 * Tests: tests/test_faces.c.
 */
#ifndef LNCLIP_DATA_FACES_ALIGN_H
#define LNCLIP_DATA_FACES_ALIGN_H

#include "data/faces/hog.h"
#include "data/image/image.h"

#include <stdbool.h>

enum { DATA_ALIGN_POINTS = 5 };

/* Right eye, left eye (of the person), nose, right and left corner of the mouth, in pixels. */
typedef struct DataPoints {
    double at[DATA_ALIGN_POINTS][2]; /* x and y */
} DataPoints;

/* (x, y) -> (a x - b y + x0, b x + a y + y0). */
typedef struct DataSimilarity {
    double a, b, x0, y0;
} DataSimilarity;

/* The two versions of OpenCV's warpAffine with INTER_LINEAR. */
typedef enum DataWarp {
    DATA_WARP_FIXED, /* up to 4.10: positions in 1/32 pixel, weights in 1/32768 */
    DATA_WARP_FLOAT, /* from 4.11: f32 */
} DataWarp;

/* The template of DeepfakeBench or GenD for a crop of size x size pixels with that scale. */
DataPoints data_align_template_dfb(int size, double scale);
DataPoints data_align_template_gend(int size, double scale);

/*
 * The similarity from `from` to `to` with the least sum of squared distances. False if all points
 * of `from` coincide. Cannot fail otherwise; thread-safe, as all functions here.
 */
bool data_align_least_squares(const DataPoints *from, const DataPoints *to, DataSimilarity *map);

/*
 * As OpenCV's estimateAffinePartial2D with LMEDS: the similarity through two points with the least
 * median of squared distances (13 fixed random pairs), then least squares over its inliers. Points
 * are rounded to f32. False if there is none.
 */
bool data_align_least_median(const DataPoints *from, const DataPoints *to, DataSimilarity *map);

/*
 * Samples `image` at the inverse of `map`: crop of size x size pixels, bilinear; pixels outside of
 * the image are black. *crop is owned by the caller and empty on failure. STATUS_FAILED when out of
 * memory or if `map` cannot be inverted (a = b = 0).
 */
Status data_align_warp(const DataImage *image, const DataSimilarity *map, int size, DataWarp warp,
                       DataImage *crop, Error *error);

/*
 * The square of FaceForensics++: int(scale * the longer side of the box) pixels around its centre,
 * smaller where the image ends. *square is empty (right < left) if nothing of it is inside.
 */
void data_align_square(const DataImage *image, const DataBox *box, double scale, DataBox *square);

/* Copies the pixels of `box`, which must lie inside the image. Ownership as data_align_warp. */
Status data_align_copy(const DataImage *image, const DataBox *box, DataImage *crop, Error *error);

#endif
