/*
 * sbi.h - self-blended images: a fake made from one real frame (Shiohara and Yamasaki, CVPR 2022,
 * arXiv 2204.08376).
 *
 * Two copies of a face, one of them slightly changed in colour, sharpness, place and size, are
 * blended within a mask of the face whose shape and edge vary. What is left to see is what every
 * face swap leaves: the border of the blending and the disagreement of the two sides.
 */
#ifndef LNCLIP_DATA_AUGMENT_SBI_H
#define LNCLIP_DATA_AUGMENT_SBI_H

#include "data/image/image.h"
#include "tensor/random.h"

/* Points of a face, in pixels of its image. */
typedef struct DataLandmarks {
    int count;   /* 68 or 81, or 0: none are known */
    float x[81]; /* [count] */
    float y[81]; /* [count] */
} DataLandmarks;

/*
 * The landmarks of the frame `file`, VIDEO/NAME.png: the first there is of VIDEO/NAME.npy,
 * VIDEO/../landmarks/VIDEO/NAME.npy and, for a path frames/VIDEO/NAME.png (or faces, crops,
 * images), landmarks/VIDEO/NAME.npy beside that folder. An array [81,2] or [68,2] of (x, y), or
 * [faces,81,2] or [faces,68,2], of which the first face counts; of 81 points the first 68 are
 * dlib's. count = 0 if there is no such file. STATUS_FAILED, naming it, for a file that is no such
 * array (see npy.h) or whose points are no pixel coordinates. Thread-safe.
 */
Status data_landmarks_read(const char *file, DataLandmarks *landmarks, Error *error);

/*
 * Replaces `image`, a cropped face, by a self-blended one of the same size. A copy, the source, is
 * moved and resized by a few per cent; its colours and its sharpness, or with equal probability
 * those of the image itself, the target, are changed; and the source is laid over the target within
 * a mask: the convex hull of the landmarks, or an ellipse where there are none (landmarks NULL or
 * count 0), for a face cropped with margin 1.3; its edge deformed, eroded and blurred. Outside of
 * the mask the target stays as it is.
 *
 * The draws come from *random, whose first 28 uniform numbers are used up, each for a fixed use,
 * whatever the landmarks. STATUS_FAILED, with the image as it was, without memory, for an image
 * with a side of less than 32 pixels, or for landmarks that enclose less than 2 % of the image, or
 * nothing that the mask could show. Thread-safe.
 */
Status data_self_blend(DataImage *image, const DataLandmarks *landmarks, Random *random,
                       Error *error);

/*
 * Replaces `image` by the real frame that belongs to the fake of the same draws: its target. Half
 * of all draws change nothing, the others what data_self_blend changes in the target, so that no
 * change of colour or sharpness tells a fake from its real frame. The same numbers of *random are
 * used up. STATUS_FAILED without memory, with the image then somewhere between, or if it is too
 * small.
 */
Status data_self_blend_real(DataImage *image, Random *random, Error *error);

/* The most that either function holds beside an image of this size, in bytes. */
size_t data_self_blend_bytes(int width, int height);

#endif
