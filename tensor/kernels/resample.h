/*
 * resample.h - the kernels of image resizing: weighted sums of rows of bytes, and transposition.
 *
 * A table of its own beside kernels.h, chosen by the same rung (LNCLIP_CPU), because what is computed here
 * is integers: every variant gives the same bits as the C reference. Both passes of a resize are weighted
 * sums of rows; the horizontal one works on the transposed image, where a column of pixels is a row of bytes.
 *
 * The kernels are single-threaded, allocate nothing, cannot fail; pointers need no alignment, outputs must
 * not overlap inputs, and no byte outside the operands is read or written.
 */
#ifndef LNCLIP_TENSOR_KERNELS_RESAMPLE_H
#define LNCLIP_TENSOR_KERNELS_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* Fractional bits of a weight: 32 - 8 bits of a pixel - 2 of headroom for negative lobes. */
enum { KERNELS_RESAMPLE_BITS = 22 };

typedef struct KernelsResample {
    const char *name; /* "ref", "avx2" or "avx512" */

    /*
     * out[i] = clip(round(sum over k < taps of weights[k] * in[k * stride + i] / 2^22)), i < n, where round
     * takes halves up and clip keeps 0..255. |weights[k]| < 2^27, taps >= 1, and the sum of |weights[k]| *
     * 255 must stay below 2^31 - 2^21.
     */
    void (*blend)(const int32_t *weights, int taps, const uint8_t *in, size_t stride, uint8_t *out,
                  size_t n);

    /* out [columns,rows], out_stride bytes between rows = transpose of in [rows,columns], in_stride. */
    void (*transpose)(const uint8_t *in, size_t in_stride, size_t rows, size_t columns,
                      uint8_t *out, size_t out_stride);
} KernelsResample;

/* The table that goes with kernels(). Initialises on first use as that does. Thread-safe. */
const KernelsResample *kernels_resample(void);

/* A variant by name if this processor can run it, else NULL: for tests that compare all. "ref" is the oracle. */
const KernelsResample *kernels_resample_variant(const char *name);

#endif
