/*
 * preprocess.h - from an RGB image to what the encoder sees: CLIPImageProcessor on Pillow, byte for byte.
 *
 * Shorter edge to S (longer to int(S * long / short)) with Pillow's antialiased bicubic, centre crop
 * S x S, then (x / 255 - mean) / std. Only the rows and columns the crop needs are computed.
 */
#ifndef LNCLIP_DATA_PREPROCESS_H
#define LNCLIP_DATA_PREPROCESS_H

#include "data/image.h"

/* Working memory of one thread, grown on demand and reused; {0} is empty. */
typedef struct DataResizer {
    void *memory;
    size_t capacity;
} DataResizer;

void data_resizer_free(DataResizer *resizer);

/*
 * out [size,size,3] = centre crop of the resized image. STATUS_FAILED for an image whose resized longer
 * edge would exceed the limits (1 x 20,000 pixels), or without memory.
 */
Status data_resize_crop(DataResizer *resizer, const DataImage *image, int size, uint8_t *out,
                        Error *error);

/* Whole-image Pillow bicubic to width x height: out [height,width,3]. For tests and tools. */
Status data_resize(DataResizer *resizer, const DataImage *image, int width, int height, uint8_t *out,
                   Error *error);

/* pixels [size,size,3] -> out [3,size,size], (x/255 - mean) / std in f32 as the processor rounds. */
void data_normalize(const uint8_t *pixels, int size, const float mean[3], const float std[3],
                    float *out);

#endif
