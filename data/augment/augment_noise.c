/*
 * augment_noise.c - Gaussian noise: see augment.h.
 *
 * Made for tests of robustness, where the encoder takes a hundred times as long: a normal number costs a logarithm
 * and a cosine in f64.
 */
#include "data/augment/augment.h"

#include <assert.h>

void data_noise(DataImage *image, double sigma, uint64_t seed)
{
    assert(image && image->pixels && sigma >= 0);
    const size_t values = (size_t)image->width * (size_t)image->height * 3;
    const float deviation = (float)sigma;
    Random random = random_stream(seed, RANDOM_NOISE, 0, 0);
    for (size_t i = 0; i < values; i++) {
        const float noisy =
            (float)image->pixels[i] / 255 + deviation * (float)random_normal(&random);
        const float clipped = noisy < 0 ? 0 : noisy > 1 ? 1 : noisy;
        image->pixels[i] = (uint8_t)(clipped * 255);
    }
}
