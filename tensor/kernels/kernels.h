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

/* Rows and columns of C that one call of the packed product's kernel computes (tensor/packed.h). */
enum { KERNELS_TILE_ROWS = 6, KERNELS_TILE_COLUMNS = 64 };

/* One tile: c[rows,columns] = a b + bias + addend. The order of each sum over k is that of k alone. */
typedef struct KernelTile {
    int rows, columns;   /* 1..KERNELS_TILE_ROWS, 1..KERNELS_TILE_COLUMNS: what is written */
    int depth;           /* >= 1 */
    const float *a;      /* [depth][KERNELS_TILE_ROWS]; rows beyond `rows` are not used */
    const float *b;      /* [depth][KERNELS_TILE_COLUMNS], 64-byte aligned; zero beyond `columns` */
    const float *bias;   /* [columns] or NULL */
    const float *addend; /* [rows,columns], ld floats between rows, or NULL; may be c */
    float *c;            /* [rows,columns], ld floats between rows */
    ptrdiff_t ld;
    const char *ahead; /* bytes that will be wanted soon; need not be mapped; NULL for none */
    int ahead_lines;   /* how many lines of 64 of them to fetch into the second-level cache */
} KernelTile;

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

    /* The packed product: see KernelTile. */
    void (*tile)(const KernelTile *tile);

    /*
     * Lays `rows` (1..KERNELS_TILE_ROWS) of a [rows,depth], lda floats apart, side by side: out
     * [depth][KERNELS_TILE_ROWS], zero beyond `rows`. out must not overlap a.
     */
    void (*interleave)(const float *a, ptrdiff_t lda, int rows, int depth, float *out);

    /*
     * Lays `count` (1..KERNELS_TILE_COLUMNS) rows of `depth` numbers side by side as columns: out
     * [depth][KERNELS_TILE_COLUMNS], 64-byte aligned, zero beyond `count`.
     */
    void (*transpose)(const float *const *rows, int count, int depth, float *out);

    /* Whether `tile` is written for this processor and beats the library behind gemm. */
    bool tile_is_fast;
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
