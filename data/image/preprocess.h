/*
 * preprocess.h - from an RGB image to what the encoder sees: CLIPImageProcessor on Pillow, byte for
 * byte.
 *
 * Shorter edge to S (longer to int(S * long / short)) with Pillow's antialiased bicubic, centre
 * crop S x S, then (x / 255 - mean) / std. Only the rows and columns the crop needs are computed.
 */
#ifndef LNCLIP_DATA_IMAGE_PREPROCESS_H
#define LNCLIP_DATA_IMAGE_PREPROCESS_H

#include "data/image/image.h"

#include <stdbool.h>

/*
 * Pillow's filters of resizing. All but nearest are antialiased: they widen when they shrink an
 * image.
 */
typedef enum DataFilter {
    DATA_FILTER_BILINEAR,
    DATA_FILTER_BICUBIC,
    DATA_FILTER_BOX,
    DATA_FILTER_HAMMING,
    DATA_FILTER_LANCZOS, /* of three lobes */
    DATA_FILTER_NEAREST, /* one input pixel for each output pixel */
    DATA_FILTERS
} DataFilter;

/*
 * How the pixels of one axis are made: output pixel first + i is the sum over k < taps of
 * weights[i][k] * input pixel start[i] + k, in units of 2^-22. Every output has the same number of
 * taps, some of them zero, so that the innermost loop runs equally often.
 */
typedef struct DataResizeAxis {
    DataFilter filter;
    int in, out;      /* pixels of the whole axis before and after */
    int first, count; /* the output pixels wanted */
    int taps;         /* at most `in` */
    int *start;       /* [count], first input pixel: 0 .. in - taps */
    int32_t *weights; /* [count,taps] */
    size_t capacity;  /* bytes of the allocation, which begins at `start` */
} DataResizeAxis;

/*
 * Working memory of one thread, grown on demand and reused; {0} is empty. The tables of the last
 * size are kept: frames of a data set mostly share one.
 */
typedef struct DataResizer {
    DataFilter
        filter; /* of data_resize, may be changed between calls; the crop is always bicubic */
    DataResizeAxis x, y;
    /* [rows needed, x.count, 3], between the passes; then what the first one works in. */
    uint8_t *rows;
    size_t capacity;
} DataResizer;

/* Frees what the resizer holds and empties it. */
void data_resizer_free(DataResizer *resizer);

/*
 * The size that width x height takes when its shorter edge is resized to `size` pixels: the longer
 * becomes int(size * longer / shorter), as in Python. False, and nothing stored, beyond
 * DATA_MAX_PIXELS.
 */
bool data_resized_shape(int width, int height, int size, int *out_width, int *out_height);

/*
 * out [size,size,3] = centre crop of the resized image. STATUS_FAILED for an image whose resized
 * form, of which the crop is the middle, would exceed DATA_MAX_PIXELS (1 x 20,000 pixels: nothing
 * of a face would be left in it), or without memory. One resizer serves one thread at a time.
 */
Status data_resize_crop(DataResizer *resizer, const DataImage *image, int size, uint8_t *out,
                        Error *error);

/* The whole image to width x height with Pillow's resizer->filter: out [height,width,3]. */
Status data_resize(DataResizer *resizer, const DataImage *image, int width, int height,
                   uint8_t *out, Error *error);

/*
 * pixels [size,size,3] -> out [3,size,size]: (x * (1/255) - mean) / std, each operation rounded to
 * f32 as the processor's NumPy code rounds. Cannot fail; thread-safe.
 */
void data_normalize(const uint8_t *pixels, int size, const float mean[3], const float std[3],
                    float *out);

#endif
