/*
 * kernels.h - the table of kernels, chosen once for this processor.
 *
 * The C reference of each kernel is always compiled and is the oracle of the tests; ISA levels
 * (AVX2, AVX-512, with VNNI, with BF16, AMX) replace entries at run time (per-function target
 * attributes, no -march). The environment variable
 * LNCLIP_CPU=ref|avx2|avx512|avx512_vnni|avx512_bf16|amx chooses a level, so that every path can be
 * reached on one machine. Each level includes the previous one, and all features of a level are
 * required. Few processors have only some: one with BF16 instructions but not VNNI would run
 * avx512.
 *
 * Kernels are single-threaded, allocate nothing, cannot fail; pointers need no alignment and,
 * unless noted, outputs may alias inputs of the same shape exactly (in place) but not overlap
 * otherwise.
 */
#ifndef LNCLIP_TENSOR_KERNELS_KERNELS_H
#define LNCLIP_TENSOR_KERNELS_KERNELS_H

#include "tensor/base/error.h"
#include "tensor/dtype.h"
#include "tensor/precision.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KERNELS_COLUMNS = 64,  /* of a panel of a packed matrix (tensor/packed.h) */
    KERNELS_TILE_ROWS = 6, /* rows of A that the f32 product wants side by side */
    KERNELS_LINE = 64,     /* bytes: rows of A in bf16 and int8 are whole lines long */
    KERNELS_SUMS = 48 * KERNELS_COLUMNS, /* most sums that a product hands over at once */
    /* Fractional bits of a weight of `blend`: 32 - 8 bits of a pixel - 2 of headroom for negative
     * lobes. */
    KERNELS_WEIGHT_BITS = 22,
};

/*
 * What happens to finished sums on their way to memory. With v = sum, or for int8
 * row_scale[m] column_scale[n] (sum - row_zero[m] column_sum[n]):
 *
 *     z = v + bias + residual        c = activate(z), or z
 */
typedef struct Epilogue {
    int columns;       /* 1..KERNELS_COLUMNS: what is written */
    ptrdiff_t ld;      /* elements between rows of c, z and residual */
    DType type;        /* of c, z and residual: DTYPE_F32 or DTYPE_BF16 (rounded to nearest even) */
    const float *bias; /* [columns] or NULL */
    const void *residual;                                 /* [rows,columns] or NULL; may be c */
    void (*activate)(const float *z, float *y, size_t n); /* or NULL */
    void *z;                   /* [rows,columns] receives what `activate` is given, or NULL */
    void *c;                   /* [rows,columns]; NULL for a `store` that does not write it */
    const float *row_scale;    /* int8: [rows], else NULL */
    const int32_t *row_zero;   /* int8: [rows], the byte of A that means 0 */
    const float *column_scale; /* int8: [columns] */
    const int32_t *column_sum; /* int8: [columns], of each column of B */
} Epilogue;

/*
 * sums [rows,64] = A B for one panel of B. Both lie in 32-bit groups of g = 1 (f32), 2 (bf16) or 4
 * (int8: A unsigned, B signed) numbers along k. The order of each sum follows from `groups` alone:
 * not from `rows`, nor from where a row stands. int8 sums are exact. bf16 subnormals may count as
 * zero.
 */
typedef struct KernelProduct {
    int rows;    /* >= 1 */
    int columns; /* 1..64: the sums wanted; those beyond need not be computed */
    int groups;  /* k / g, >= 1; bf16 and int8: a multiple of 16, so rows of A are whole lines */
    const void
        *a; /* f32: [ceil(rows/6)][groups][6], as `pack_a` lays it; else rows, lda bytes apart */
    ptrdiff_t lda;
    const void *b; /* [groups][64] groups, 64-byte aligned; zero where A is padded */
    /*
     * `store` gets the sums, f32 or for int8 i32, of `count` rows from `row` on, as [count,64],
     * before the next are computed in the same place (`sums`, KERNELS_SUMS of them, 64-byte
     * aligned). If it is NULL, row r's sums stay at sums + r ld_sums: room for all rows, 64 columns
     * each, whatever `columns` is.
     */
    void (*store)(const Epilogue *epilogue, int row, int count, const void *sums);
    const Epilogue *epilogue;
    void *sums;
    ptrdiff_t ld_sums;     /* sums between rows, >= 64; unused with `store` */
    const char *prefetch;  /* bytes that will be wanted soon; need not be mapped; NULL for none */
    size_t prefetch_bytes; /* how many of them to fetch into the second-level cache meanwhile */
} KernelProduct;

/*
 * Rows of attention's scores, and of P and dS in bf16, which follow from them. dS is wanted twice:
 * by rows, and like P as part of a packed operand whose k runs down the rows. There two rows are
 * one of pairs: 64 columns, the next 64 `step` pairs further on, and so on; without a second row
 * its half is zeros.
 */
typedef struct KernelScores {
    int rows, n; /* 1 or 2; columns */
    float scale;
    const float *lse;         /* [rows] */
    const float *scores, *dP; /* [rows,n], ld apart */
    ptrdiff_t ld;
    uint16_t *dS; /* [rows,n], ld_dS apart */
    ptrdiff_t ld_dS;
    uint32_t *P_pairs, *dS_pairs; /* [ceil(n/64)] times up to 64 */
    ptrdiff_t step;
} KernelScores;

typedef struct Kernels {
    const char *name; /* "ref", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx" */

    /* y = exp(x) within 2 ulp, subnormal results too; underflows to 0, overflows to infinity. */
    void (*exp)(const float *x, float *y, size_t n);

    /*
     * row[n] = softmax(scale * row[n]); returns log sum exp(scale * row). n >= 1. -infinity masks
     * an element (not all of them); a NaN makes the whole row NaN.
     */
    float (*softmax)(float *row, int n, float scale);

    /*
     * softmax without the division, for a product that divides its sums instead: p[n] = exp(scale *
     * row - largest) in bf16, *inverse_sum = 1 / sum of those rounded p. Returns largest -
     * log(*inverse_sum), the log-sum-exp. n >= 1; masks as in softmax; a NaN makes *inverse_sum and
     * the result NaN. Not in place.
     */
    float (*softmax_bf16)(const float *row, int n, float scale, uint16_t *p, float *inverse_sum);

    /*
     * The backward of softmax from its scores and saved log-sum-exp. In place: P[n] comes as scores
     * and leaves as p = exp(scale * score - lse); dP[n] leaves as dS = scale * p (dP - sum p dP /
     * sum p), the gradient of the unscaled scores: lse is rounded, so the p do not quite sum to 1.
     * The rows lie as in a packed operand: 64 numbers, the next 64 `step` numbers further on, and
     * so on. The bf16 one computes the same from bf16's p throughout, of one or two rows.
     */
    void (*softmax_gradient)(float *P, float *dP, ptrdiff_t step, int n, float scale, float lse);
    void (*softmax_gradient_bf16)(const KernelScores *scores);

    /*
     * y = z sigmoid(1.702 z), and dz = dy * derivative (z is the pre-activation). Relative error
     * below 1e-6 for |z| < 8, absolute error of the derivative below 1e-6.
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
     * One row [D]: dx += rstd (g - mean(g) - xhat mean(g xhat)) with g = gamma dy, if dx is not
     * NULL; dgamma += dy xhat and dbeta += dy if those are not NULL. x, gamma and dy may not be
     * outputs.
     */
    void (*layer_norm_backward)(const float *x, const float *gamma, const float *dy, int D,
                                float mean, float rstd, float *dx, float *dgamma, float *dbeta);

    /* y[n] += x[n]; y[n] += factor x[n]. */
    void (*add)(const float *x, float *y, size_t n);
    void (*axpy)(float factor, const float *x, float *y, size_t n);

    /* Sum of x[n] y[n] in double, fixed order. */
    double (*dot)(const float *x, const float *y, size_t n);

    /* Conversions; f32 to bf16 rounds to nearest even, NaN stays NaN. Not in place. */
    void (*to_bf16)(const float *x, uint16_t *y, size_t n);
    void (*from_bf16)(const uint16_t *x, float *y, size_t n);

    /* layer_norm with y and, if not NULL, xhat = (x - mean) rstd in bf16; the
     * statistics are f32's. */
    void (*layer_norm_bf16)(const float *x, const float *gamma, const float *beta, int D, float eps,
                            uint16_t *y, uint16_t *xhat, float *rstd);

    /* layer_norm_backward from xhat [D] and dy [D] in bf16; dx, dgamma and dbeta are
     * f32, added to. */
    void (*layer_norm_backward_bf16)(const uint16_t *xhat, const float *gamma, const uint16_t *dy,
                                     int D, float rstd, float *dx, float *dgamma, float *dbeta);

    /*
     * Quantises x[n] f[n] (factor f, NULL for 1) in 254 steps from the least to the largest of them
     * and 0: with step = largest / 254 - least / 254, y = round(x f / step) + zero in [0, 255],
     * where zero = round(-least / step) is the byte of 0. Returns the step, or 0 and y = zero = 0
     * if it would be subnormal, or NaN (y means nothing) where an x f is NaN or infinity. Rounds to
     * nearest, y's ties to even.
     */
    float (*quantize)(const uint16_t *x, const float *factor, int n, uint8_t *y, int32_t *zero);

    /* out[i] = even[i] | odd[i] << 16: two rows of bf16 as one row of pairs along k.
     * Not in place. */
    void (*pair)(const uint16_t *even, const uint16_t *odd, size_t n, uint32_t *out);

    /* The packed product in each precision, and the usual `store`. */
    void (*product[PRECISION_COUNT])(const KernelProduct *product);
    void (*epilogue)(const Epilogue *epilogue, int row, int count, const void *sums);

    /*
     * Lays `rows` (1..KERNELS_TILE_ROWS) of a [rows,depth], lda floats apart, side by side: out
     * [depth][KERNELS_TILE_ROWS], zero beyond `rows`. out must not overlap a.
     */
    void (*pack_a)(const float *a, ptrdiff_t lda, int rows, int depth, float *out);

    /*
     * Lays `count` (1..64) rows of `depth` 32-bit groups side by side as columns: out [depth][64],
     * 64-byte aligned, zero beyond `count`.
     */
    void (*transpose)(const uint32_t *const *rows, int count, int depth, uint32_t *out);

    /*
     * Image resizing, in integers: the same bytes at every ISA level. Both passes are weighted sums
     * of rows of bytes; the horizontal one works on the transposed image, where a column of pixels
     * is a row. Neither works in place.
     *
     * blend: out[i] = clip(round(sum over k < taps of weights[k] * in[k * stride + i] / 2^22)), i <
     * n, where round takes halves up and clip keeps 0..255. |weights[k]| < 2^27, taps >= 1, and the
     * sum of |weights[k]| * 255 must stay below 2^31 - 2^21.
     */
    void (*blend)(const int32_t *weights, int taps, const uint8_t *in, size_t stride, uint8_t *out,
                  size_t n);

    /* out [columns,rows], out_stride bytes between rows = transpose of in [rows,columns],
     * in_stride. */
    void (*transpose_bytes)(const uint8_t *in, size_t in_stride, size_t rows, size_t columns,
                            uint8_t *out, size_t out_stride);

    /* Whether product[PRECISION_F32] is written for this processor and beats the library behind
     * gemm. */
    bool product_is_fast;

    /*
     * Whether product in bf16 and int8 is so much faster with rows of A an odd number of lines
     * apart that they are worth copying: rows a power of two apart share a few sets of the
     * first-level cache.
     */
    bool product_wants_odd_rows;
} Kernels;

/*
 * Detects the processor (what CPUID offers and the operating system saves), applies LNCLIP_CPU,
 * fills the table. Call once at start to have a bad LNCLIP_CPU reported: STATUS_USAGE for an
 * unknown name, STATUS_FAILED for one this processor lacks. Thread-safe; later calls repeat the
 * first answer.
 */
Status kernels_init(Error *error);

/* The table in force. Initialises on first use; asserts if kernels_init would fail. Thread-safe. */
const Kernels *kernels(void);

/*
 * True if LNCLIP_CPU=ref asks for plain C throughout: gemm then does without OpenBLAS too. (False
 * where the reference runs because the processor has no further level.) Initialises on first use
 * like kernels().
 */
bool kernels_plain(void);

/* The reference, for tests. Thread-safe. */
const Kernels *kernels_reference(void);

/*
 * A table by name if this processor can run it, else NULL, whatever LNCLIP_CPU says: for tests that
 * compare all variants. Thread-safe.
 */
const Kernels *kernels_variant(const char *name);

/* The names that kernels_variant and LNCLIP_CPU know, plainest first: of 0, 1, ...; NULL beyond the
 * last. */
const char *kernels_variant_name(int level);

#endif
