/*
 * preprocess.h - from an RGB image to the input of the encoder: CLIPImageProcessor on Pillow, byte
 * for byte.
 *
 * The shorter edge is resized to S (the longer to int(S * long / short)) with Pillow's antialiased
 * bicubic filter; then centre crop S x S, then (x / 255 - mean) / std. Only the rows and columns
 * that the crop needs are computed.
 *
 * Tests: tests/test_resize.c.
 */
#ifndef LNCLIP_DATA_IMAGE_PREPROCESS_H
#define LNCLIP_DATA_IMAGE_PREPROCESS_H

#include "data/image/image.h"

#include <stdbool.h>

/* Pillow's resize filters. All but nearest are antialiased: they widen when an image shrinks. */
typedef enum DataFilter {
    DATA_FILTER_BILINEAR,
    DATA_FILTER_BICUBIC,
    DATA_FILTER_BOX,
    DATA_FILTER_HAMMING,
    DATA_FILTER_LANCZOS, /* three lobes */
    DATA_FILTER_NEAREST, /* one input pixel for each output pixel */
    DATA_FILTERS
} DataFilter;

/*
 * The weights of one axis: output pixel first + i is the sum over k < taps of weights[i][k] * input
 * pixel start[i] + k, in units of 2^-22. Every output pixel has the same number of taps, some of
 * them zero, so that the innermost loop always runs equally often.
 */
typedef struct DataResizeAxis {
    DataFilter filter;
    int in, out;      /* pixels of the entire axis before and after */
    int first, count; /* the output pixels to compute */
    int taps;         /* at most `in` */
    int *start;       /* [count], first input pixel: 0 .. in - taps */
    int32_t *weights; /* [count,taps] */
    size_t capacity;  /* bytes of the allocation, which begins at `start` */
} DataResizeAxis;

/*
 * Working memory of one thread, grown on demand and reused; {0} is empty. The weights of the last
 * size are kept, because most frames of a data set have the same size.
 */
typedef struct DataResizer {
    DataFilter
        filter; /* filter of data_resize, may change between calls; the crop always uses bicubic */
    DataResizeAxis x, y;
    /* [rows needed, x.count, 3] between the passes, followed by the first pass's scratch. */
    uint8_t *rows;
    size_t capacity;
} DataResizer;

/* Frees the memory of the resizer and empties it. */
void data_resizer_free(DataResizer *resizer);

/*
 * The size of a width x height image after its shorter edge is resized to `size` pixels: the longer
 * becomes int(size * longer / shorter), as in Python. False, and nothing stored, if the result
 * exceeds DATA_MAX_PIXELS.
 */
bool data_resized_shape(int width, int height, int size, int *out_width, int *out_height);

/*
 * out [size,size,3] = centre crop of the resized image. STATUS_FAILED when out of memory, or if the
 * entire resized image would exceed DATA_MAX_PIXELS (1 x 20,000 pixels: no face would be
 * recognisable). One resizer serves one thread at a time.
 */
Status data_resize_crop(DataResizer *resizer, const DataImage *image, int size, uint8_t *out,
                        Error *error);

/*
 * Resizes the entire image to width x height with resizer->filter, as Pillow does: out
 * [height,width,3]. STATUS_FAILED when out of memory. One resizer serves one thread at a time.
 */
Status data_resize(DataResizer *resizer, const DataImage *image, int width, int height,
                   uint8_t *out, Error *error);

/*
 * pixels [size,size,3] -> out [3,size,size]: (x * (1/255) - mean) / std, each operation rounded to
 * f32 as the processor's NumPy code rounds. Cannot fail; thread-safe.
 */
void data_normalize(const uint8_t *pixels, int size, const float mean[3], const float std[3],
                    float *out);

#endif
