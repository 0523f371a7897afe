/*
 * sbi.h - self-blended images: fakes made from one real frame (Shiohara and Yamasaki, CVPR 2022,
 * arXiv 2204.08376).
 *
 * Two copies of a face, one of them slightly changed in colour, sharpness, position and size, are
 * blended within a mask of the face whose shape and edge vary. What remains visible is what every
 * face swap leaves: the blending boundary and the mismatch between its two sides.
 *
 * Tests: tests/test_sbi.c.
 */
#ifndef LNCLIP_DATA_AUGMENT_SBI_H
#define LNCLIP_DATA_AUGMENT_SBI_H

#include "data/image/image.h"
#include "tensor/random.h"

/* Facial landmarks, in pixels of the image. */
typedef struct DataLandmarks {
    int count;   /* 68, 81, or 0 if unknown */
    float x[81]; /* [count] */
    float y[81]; /* [count] */
} DataLandmarks;

/*
 * Reads the landmarks of the frame `file`, VIDEO/NAME.png: the first existing file of
 * VIDEO/NAME.npy, VIDEO/../landmarks/VIDEO/NAME.npy and, for a path frames/VIDEO/NAME.png (or
 * faces, crops, images), landmarks/VIDEO/NAME.npy next to that folder. The array is [81,2] or
 * [68,2] of (x, y), or [faces,81,2] or [faces,68,2], of which the first face is used; the first 68
 * of 81 points are dlib's. count = 0 if there is no such file. STATUS_FAILED, naming the file, if
 * it does not hold such an array (see npy.h) or its points are not pixel coordinates. Thread-safe.
 */
Status data_landmarks_read(const char *file, DataLandmarks *landmarks, Error *error);

/*
 * Replaces `image`, a cropped face, by a self-blended image of the same size. A copy, the source,
 * is moved and resized by a few per cent. The colours and sharpness of one of the two are changed,
 * with equal probability: of the source, or of the image itself (the target). Then the source is
 * blended over the target within a mask: the convex hull of the landmarks, or, without landmarks
 * (NULL or count 0), an ellipse that fits a face cropped with margin 1.3. The mask's edge is
 * deformed, eroded and blurred. Outside of the mask the target is unchanged.
 *
 * Uses up the first 28 uniform numbers of *random, each for a fixed purpose, whatever the
 * landmarks. STATUS_FAILED, with the image unchanged, when out of memory, for an image with a side
 * below 32 pixels, or for landmarks that enclose less than 2 % of the image or give an empty mask.
 * Thread-safe.
 */
Status data_self_blend(DataImage *image, const DataLandmarks *landmarks, Random *random,
                       Error *error);

/*
 * Replaces `image` by the target of the fake that data_self_blend makes from an equal *random: the
 * real frame of the pair. Half of all targets are unchanged; in the others colours and sharpness
 * are changed, so that these alone cannot separate a fake from its real frame. Uses up 28 numbers.
 * STATUS_FAILED when out of memory, with the image then partly changed, or if the image is too
 * small. Thread-safe.
 */
Status data_self_blend_real(DataImage *image, Random *random, Error *error);

/* Peak bytes that one call of either function allocates for an image of this size in pixels. */
size_t data_self_blend_bytes(int width, int height);

#endif
