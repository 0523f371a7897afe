/*
 * kernels.h - the table of row and element kernels, chosen once for this processor.
 *
 * The C reference of each kernel is always compiled and is the oracle of the tests; overlays for AVX2
 * and AVX-512 replace entries at run time (per-function target attributes, no -march). The environment
 * variable LNCLIP_CPU=ref|avx2|avx512 masks features, so that every path can be reached on one machine.
 *
 * Kernels are single-threaded, allocate nothing, cannot fail; pointers need no alignment and, unless
 * noted, outputs may alias inputs of the same shape exactly (in place) but not overlap otherwise.
 */
#ifndef LNCLIP_TENSOR_KERNELS_H
#define LNCLIP_TENSOR_KERNELS_H

#include "tensor/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Kernels {
    const char *name; /* "ref", "avx2", "avx512" */

    /* y = exp(x) within 2 ulp, subnormal results too; underflows to 0, overflows to infinity. */
    void (*exp)(const float *x, float *y, size_t n);

    /*
     * row[n] = softmax(scale * row[n]); returns log sum exp(scale * row). n >= 1. -infinity masks an
     * element (not all of them); a NaN makes the whole row NaN.
     */
    float (*softmax)(float *row, int n, float scale);

    /* row[n] = exp(scale * row[n] - lse): the probabilities again, from a saved log-sum-exp. */
    void (*softmax_again)(float *row, int n, float scale, float lse);

    /*
     * y = z sigmoid(1.702 z), and dz = dy * derivative (z is the pre-activation). Relative error below
     * 1e-6 for |z| < 8, absolute error of the derivative below 1e-6.
     */
    void (*quick_gelu)(const float *z, float *y, size_t n);
    void (*quick_gelu_backward)(const float *z, const float *dy, float *dz, size_t n);

    /* y = z Phi(z) within 8 ulp for z > -12.9 (1e-37 below), and dz = dy * (Phi(z) + z phi(z)). */
    void (*gelu)(const float *z, float *y, size_t n);
    void (*gelu_backward)(const float *z, const float *dy, float *dz, size_t n);

    /* One row [D]: y = gamma xhat + beta; *mean and *rstd are what the backward needs. */
    void (*layer_norm)(const float *x, const float *gamma, const float *beta, int D, float eps,
                       float *y, float *mean, float *rstd);

    /*
     * One row [D]: dx += rstd (g - mean(g) - xhat mean(g xhat)) with g = gamma dy, if dx is not NULL;
     * dgamma += dy xhat and dbeta += dy if those are not NULL. x, gamma and dy may not be outputs.
     */
    void (*layer_norm_backward)(const float *x, const float *gamma, const float *dy, int D,
                                float mean, float rstd, float *dx, float *dgamma, float *dbeta);

    /* y[n] += x[n]; y[n] += factor x[n]. */
    void (*add)(const float *x, float *y, size_t n);
    void (*axpy)(float factor, const float *x, float *y, size_t n);

    /* Sum of x[n] y[n] in double, fixed order. */
    double (*dot)(const float *x, const float *y, size_t n);
} Kernels;

/*
 * Detects the processor (what CPUID offers and the operating system saves), applies LNCLIP_CPU, fills
 * the table. Call once at start to have a bad LNCLIP_CPU reported: STATUS_USAGE for an unknown name,
 * STATUS_FAILED for one this processor lacks. Thread-safe; later calls repeat the first answer.
 */
Status kernels_init(Error *error);

/* The table in force. Initialises on first use; asserts if kernels_init would fail. Thread-safe. */
const Kernels *kernels(void);

/*
 * True if LNCLIP_CPU=ref asks for plain C throughout: gemm then does without OpenBLAS too. (False on a
 * processor for which there merely is no overlay.) Initialises on first use like kernels().
 */
bool kernels_plain(void);

/* The reference, for tests. */
const Kernels *kernels_reference(void);

/* An overlay by name if this processor can run it, else NULL: for tests that compare all variants. */
const Kernels *kernels_variant(const char *name);

#endif
