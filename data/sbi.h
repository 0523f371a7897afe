/*
 * sbi.h - self-blended images: a fake made from one real frame (Shiohara and Yamasaki, CVPR 2022, arXiv 2204.08376).
 *
 * Two copies of a face, one of them slightly changed in colour, sharpness, place and size, are blended within a mask of
 * the face whose shape and edge vary. What is left to see is what every face swap leaves: the border of the blending and
 * the disagreement of the two sides.
 */
#ifndef LNCLIP_DATA_SBI_H
#define LNCLIP_DATA_SBI_H

#include "data/image.h"
#include "tensor/random.h"

/* Points of a face, in pixels of its image. */
typedef struct DataLandmarks {
    int count;   /* 68 or 81, or 0: none are known */
    float x[81]; /* [count] */
    float y[81]; /* [count] */
} DataLandmarks;

/*
 * The landmarks of the frame `file`: DIR/../landmarks/VIDEO/NAME.npy or the other places that docs/formats.md names. count = 0
 * if there is no such file. STATUS_FAILED for one that is no array of 68 or 81 points.
 */
Status data_landmarks_read(const char *file, DataLandmarks *landmarks, Error *error);

/*
 * Replaces `image` by a self-blended one of the same size, with the mask of the convex hull of the landmarks, or an
 * ellipse where there are none. All draws come from *random. STATUS_FAILED without memory, or for an image too small to blend.
 */
Status data_self_blend(DataImage *image, const DataLandmarks *landmarks, Random *random,
                       Error *error);

/* The most that data_self_blend holds beside an image of this size, in bytes. */
size_t data_self_blend_bytes(int width, int height);

#endif
