/*
 * landmarks.h - points of a face by an ensemble of regression trees, read from a file of dlib's
 * shape_predictor (68 points: Debian's libdlib-data; 81 points: a file of the user).
 *
 * Source: Kazemi and Sullivan, "One Millisecond Face Alignment with an Ensemble of Regression
 * Trees", CVPR 2014; dlib's shape_predictor.h and serialize.h. Points equal those of dlib 19.24.
 *
 * Tests: tests/test_faces.c.
 */
#ifndef LNCLIP_DATA_FACES_LANDMARKS_H
#define LNCLIP_DATA_FACES_LANDMARKS_H

#include "data/faces/hog.h"
#include "data/image/image.h"
#include "tensor/base/hash.h"

enum { DATA_SHAPE_POINTS = 256 }; /* largest number of points in a file */

typedef struct DataShapePredictor DataShapePredictor;

/*
 * Reads a file into *landmarks, owned by the caller (data_shape_close) and NULL on failure.
 * Every count is checked before memory is allocated for it, and every index against its count.
 * STATUS_FAILED, naming the file, if it cannot be read, is cut, is inconsistent, has bytes behind
 * its end, or when out of memory. Thread-safe.
 */
Status data_shape_open(DataShapePredictor **landmarks, const char *path, Error *error);

/* Frees the trees. NULL is allowed. */
void data_shape_close(DataShapePredictor *landmarks);

/* Number of points of a face. */
int data_shape_count(const DataShapePredictor *landmarks);

/* XXH3-128 of the file, as text of HASH_TEXT_SIZE bytes. Borrowed from `landmarks`. */
const char *data_shape_hash(const DataShapePredictor *landmarks);

/*
 * The points of the face in `box`, in pixels of the image: points [count,2] of x and y, rounded as
 * dlib does. They may lie outside of the image. STATUS_FAILED when out of memory. Thread-safe: the
 * trees are only read.
 */
Status data_shape_find(const DataShapePredictor *landmarks, const DataImage *image,
                       const DataBox *box, int (*points)[2], Error *error);

#endif
