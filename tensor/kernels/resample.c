/*
 * resample.c - see resample.h: the C reference, and the choice of the variant.
 */
#include "tensor/kernels/resample.h"

#include "tensor/kernels/cpu_private.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/resample_variants_private.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static uint8_t clip(int32_t sum)
{
    const int32_t value = sum >> KERNELS_RESAMPLE_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void kernels_resample_blend_reference(const int32_t *weights, int taps, const uint8_t *restrict in,
                                      size_t stride, uint8_t *restrict out, size_t n)
{
    enum { BLOCK = 128 }; /* sums that stay in the first-level cache */
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t count = n - begin < BLOCK ? n - begin : BLOCK;
        int32_t sums[BLOCK];
        for (size_t i = 0; i < count; i++)
            sums[i] = 1 << (KERNELS_RESAMPLE_BITS - 1);
        for (int k = 0; k < taps; k++) {
            const uint8_t *const row = in + (size_t)k * stride + begin;
            const int32_t weight = weights[k];
            for (size_t i = 0; i < count; i++)
                sums[i] += weight * row[i];
        }
        for (size_t i = 0; i < count; i++)
            out[begin + i] = clip(sums[i]);
    }
}

void kernels_resample_transpose_reference(const uint8_t *restrict in, size_t in_stride, size_t rows,
                                          size_t columns, uint8_t *restrict out, size_t out_stride)
{
    for (size_t column = 0; column < columns; column++)
        for (size_t row = 0; row < rows; row++)
            out[column * out_stride + row] = in[row * in_stride + column];
}

static const KernelsResample reference = {.name = "ref",
                                          .blend = kernels_resample_blend_reference,
                                          .transpose = kernels_resample_transpose_reference};

const KernelsResample *kernels_resample_variant(const char *name)
{
    if (strcmp(name, "ref") == 0)
        return &reference;
    if (strcmp(name, "avx2") == 0)
        return cpu_has_avx2() ? kernels_resample_avx2() : NULL;
    if (strcmp(name, "avx512") == 0)
        return cpu_has_avx512() ? kernels_resample_avx512() : NULL;
    return NULL;
}

static pthread_once_t choose_once = PTHREAD_ONCE_INIT;
static const KernelsResample *chosen;

/* Every rung above avx2 has the instructions of avx512, and gains nothing here from its own. */
static void choose(void)
{
    const char *const rung = kernels()->name;
    const bool plain = strcmp(rung, "ref") == 0 || strcmp(rung, "avx2") == 0;
    chosen = kernels_resample_variant(plain ? rung : "avx512");
    if (!chosen)
        chosen = &reference;
}

/* Once, because asking a virtual machine for its processor takes longer than a tenth of a resize. */
const KernelsResample *kernels_resample(void)
{
    pthread_once(&choose_once, choose);
    return chosen;
}
