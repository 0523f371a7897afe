/*
 * crop.h - the face crop of one image, made as the published preprocessing makes it.
 *
 *     dfb   DeepfakeBench: largest face, five of its landmarks onto a template by least squares,
 *           old warp; a crop in which no face is found again is dropped
 *     gend  GenD: largest face, centres of the eyes, nose, corners of the mouth onto its template
 *           by least median of squares, new warp
 *     ffpp  FaceForensics++: largest face, a square around its box; no landmarks, native size
 *
 * GenD itself detects faces with SCRFD; here its points come from dlib's landmarks.
 *
 * Tests: tests/test_faces.c, tests/test_faces.sh.
 */
#ifndef LNCLIP_DATA_FACES_CROP_H
#define LNCLIP_DATA_FACES_CROP_H

#include "data/faces/align.h"
#include "data/faces/hog.h"
#include "data/faces/landmarks.h"

/* A published way to crop. */
typedef enum DataLike { DATA_LIKE_DFB, DATA_LIKE_GEND, DATA_LIKE_FFPP, DATA_LIKES } DataLike;

/* "dfb", "gend", "ffpp". */
extern const char *const data_like_names[DATA_LIKES];

typedef struct DataCropSettings {
    DataLike like;
    bool upsample;                       /* double the image before faces are detected */
    int size;                            /* sides of an aligned crop, in pixels */
    double scale;                        /* crop to face, 1.3 in all three */
    const DataShapePredictor *landmarks; /* 68 points or more in the order of iBUG; not for ffpp */
} DataCropSettings;

/* dfb, upsample, 256 pixels, scale 1.3, no landmarks. */
DataCropSettings data_crop_defaults(void);

/* What was found in an image. */
typedef struct DataCrop {
    bool found;   /* there is a crop */
    bool aligned; /* `points` is set: not for ffpp */
    int index;    /* of the face among those found, by falling score */
    DataFace face;
    DataPoints points; /* in pixels of the image */
    DataImage image;   /* the crop; owned by the holder of the struct */
} DataCrop;

/* Frees the crop's pixels and empties the struct. */
void data_crop_free(DataCrop *crop);

/*
 * Crops the largest face of `image`. crop->found is false, with STATUS_OK, if there is no face, or
 * none that can be cropped. STATUS_FAILED, with *crop empty, when out of memory or if the image is
 * too large to be doubled. Ownership: *crop by the caller. `threads` may be NULL; the result does
 * not depend on it. Thread-safe.
 */
Status data_crop_face(const DataImage *image, const DataCropSettings *settings, Threads *threads,
                      DataCrop *crop, Error *error);

#endif
