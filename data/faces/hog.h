/*
 * hog.h - frontal faces in an image: the detector of dlib's get_frontal_face_detector.
 *
 * Five linear filters (frontal, left, right, and frontal turned either way) look at histograms of
 * gradients on a pyramid of images. Boxes and scores are those of dlib 19.24, as g++ compiles it
 * for x86-64: every operation is rounded as there, without fused multiply-add, at each ISA level.
 *
 * Source: dlib (Boost licence: LICENSE): fhog.h, scan_fhog_pyramid.h, image_pyramid.h,
 * interpolation.h, box_overlap_testing.h. Felzenszwalb et al., "Object Detection with
 * Discriminatively Trained Part Based Models", TPAMI 2010, describes the features.
 *
 * Tests: tests/test_faces.c.
 */
#ifndef LNCLIP_DATA_FACES_HOG_H
#define LNCLIP_DATA_FACES_HOG_H

#include "data/image/image.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>

/* A rectangle of pixels; right and bottom are inside. It may extend beyond the image. */
typedef struct DataBox {
    int left, top, right, bottom;
} DataBox;

typedef struct DataFace {
    DataBox box;  /* in pixels of the image */
    double score; /* response above the filter's threshold, >= 0 */
    int filter;   /* 0..4: frontal, left, right, turned, turned the other way */
} DataFace;

/* Faces by falling score. {0} is empty. */
typedef struct DataFaces {
    DataFace *items; /* [count], owned by the holder of the struct */
    int count;
    size_t capacity;
} DataFaces;

/* Frees the faces and empties the struct. An empty one is allowed. */
void data_faces_free(DataFaces *faces);

/*
 * Finds the faces in `image` (not empty): from about 80 pixels, or from 40 with `upsample`, which
 * first doubles the image. *faces must be empty or from an earlier call, whose memory is used
 * again. STATUS_FAILED, with faces->count 0, when out of memory or if the doubled image would
 * exceed DATA_MAX_PIXELS. `threads` may be NULL: only the calling thread; the result does not
 * depend on it. Thread-safe for distinct `faces` and `threads`.
 */
Status data_faces_find(const DataImage *image, bool upsample, Threads *threads, DataFaces *faces,
                       Error *error);

/* Index of the face with the most pixels, the first of equals; -1 if there is none. */
int data_faces_largest(const DataFaces *faces);

#endif
