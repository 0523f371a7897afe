/*
 * normalize.c - 8-bit pixels to the encoder's input.
 *
 * A pixel has 256 values, so the three roundings of the processor are done once a channel and value, and
 * the image is a table look-up that also turns interleaved colours into planes.
 */
#include "data/image/preprocess.h"

#include <assert.h>

void data_normalize(const uint8_t *pixels, int size, const float mean[3], const float std[3],
                    float *out)
{
    assert(pixels && size > 0 && out);
    const size_t count = (size_t)size * (size_t)size;
    float table[3][256];
    for (int c = 0; c < 3; c++) {
        for (int value = 0; value < 256; value++) {
            const float unit = (float)((double)value * (1.0 / 255.0));
            table[c][value] = (unit - mean[c]) / std[c];
        }
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = table[0][pixels[3 * i]];
        out[count + i] = table[1][pixels[3 * i + 1]];
        out[2 * count + i] = table[2][pixels[3 * i + 2]];
    }
}
