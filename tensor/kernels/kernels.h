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
 *
 * Tests: tests/test_kernels.c.
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
    KERNELS_COLUMNS = 64,  /* columns of a panel of a packed matrix (tensor/packed.h) */
    KERNELS_TILE_ROWS = 6, /* rows of A in a tile of the f32 product (pack_a) */
    KERNELS_LINE = 64,     /* bytes: rows of A in bf16 and int8 are whole lines long */
    KERNELS_SUMS = 48 * KERNELS_COLUMNS, /* most sums in one call of `store` */
    /*
     * Fractional bits of a weight of `blend`: 32 - 8 bits of a pixel - 2 of headroom for negative
     * lobes.
     */
    KERNELS_WEIGHT_BITS = 22,
};

/*
 * The epilogue of a product: how its sums are stored. With v = sum, or for int8
 * row_scale[m] column_scale[n] (sum - row_zero[m] column_sum[n]):
 *
 *     z = v + bias + residual        c = activate(z), or z
 */
typedef struct Epilogue {
    int columns;  /* 1..KERNELS_COLUMNS: columns to write */
    ptrdiff_t ld; /* elements between rows of c, z and residual */
    DType type;   /* type of c, z, residual: DTYPE_F32 or DTYPE_BF16 (rounded to nearest even) */
    const float *bias;                                    /* [columns] or NULL */
    const void *residual;                                 /* [rows,columns] or NULL; may be c */
    void (*activate)(const float *z, float *y, size_t n); /* or NULL */
    void *z;                                              /* [rows,columns] receives z, or NULL */
    void *c;                   /* [rows,columns]; NULL if `store` does not write it */
    const float *row_scale;    /* int8: [rows], else NULL */
    const int32_t *row_zero;   /* int8: [rows], the byte of A that means 0 */
    const float *column_scale; /* int8: [columns] */
    const int32_t *column_sum; /* int8: [columns], the sum of each column of B */
} Epilogue;

/*
 * sums [rows,64] = A B for one panel of B. Both are stored in 32-bit groups of g = 1 (f32), 2
 * (bf16) or 4 (int8: A unsigned, B signed) elements along k. The order of each sum depends on
 * `groups` alone: not on `rows` or on the position of a row. int8 sums are exact. bf16 subnormals
 * may count as zero.
 */
typedef struct KernelProduct {
    int rows;    /* >= 1 */
    int columns; /* 1..64: columns to compute; others may be computed too */
    int groups;  /* k / g, >= 1; bf16 and int8: a multiple of 16, whole lines of A */
    const void
        *a; /* f32: [ceil(rows/6)][groups][6], the layout of pack_a; else rows, lda bytes apart */
    ptrdiff_t lda;
    const void *b; /* [groups][64] groups, 64-byte aligned; zero where A is padded */
    /*
     * Called with the sums (f32, int8: i32) of `count` rows from `row` on, as [count,64], before
     * the next ones overwrite them in the buffer `sums` (KERNELS_SUMS elements, 64-byte aligned).
     * NULL: the sums of row r are left at sums + r ld_sums, which must have room for 64 columns of
     * every row, whatever `columns` is.
     */
    void (*store)(const Epilogue *epilogue, int row, int count, const void *sums);
    const Epilogue *epilogue;
    void *sums;
    ptrdiff_t ld_sums;     /* sums between rows, >= 64; unused with `store` */
    const char *prefetch;  /* data that will be read soon; need not be mapped; NULL for none */
    size_t prefetch_bytes; /* bytes of it to prefetch into the second-level cache */
} KernelProduct;

/*
 * One or two rows of attention's scores, and the P and dS in bf16 that are computed from them. dS
 * is stored twice: row by row, and, like P, as a packed operand whose k is the index of the row. In
 * that operand two rows form one row of pairs, in panels of 64 columns that are `step` pairs apart;
 * a missing second row is zeros.
 */
typedef struct KernelScores {
    int rows, n; /* rows: 1 or 2; n: columns */
    float scale;
    const float *lse;         /* [rows] */
    const float *scores, *dP; /* [rows,n], ld apart */
    ptrdiff_t ld;
    uint16_t *dS; /* [rows,n], ld_dS apart */
    ptrdiff_t ld_dS;
    uint32_t *P_pairs, *dS_pairs; /* [ceil(n/64)] panels of up to 64 pairs */
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
     * softmax without the division, for a product that divides its sums afterwards: with largest =
     * max(scale * row), p[n] = exp(scale * row - largest) in bf16, *inverse_sum = 1 / sum of the
     * rounded p. Returns largest - log(*inverse_sum), the log-sum-exp. n >= 1; masks as in softmax;
     * a NaN makes *inverse_sum and the result NaN. Not in place.
     */
    float (*softmax_bf16)(const float *row, int n, float scale, uint16_t *p, float *inverse_sum);

    /*
     * The backward of softmax from its scores and saved log-sum-exp. In place: P[n] holds the
     * scores on entry and p = exp(scale * score - lse) on return; dP[n] is overwritten by dS =
     * scale * p (dP - sum p dP / sum p), the gradient of the unscaled scores. (The division by sum
     * p is there because lse is rounded, so p does not sum to exactly 1.) Rows are stored as in a
     * packed operand: panels of 64 elements, `step` elements apart. The bf16 kernel computes the
     * same from p rounded to bf16, for one or two rows.
     */
    void (*softmax_gradient)(float *P, float *dP, ptrdiff_t step, int n, float scale, float lse);
    void (*softmax_gradient_bf16)(const KernelScores *scores);

    /*
     * y = z sigmoid(1.702 z), and dz = dy * derivative (z is the pre-activation). Relative error
     * below 1e-6 for |z| < 8, absolute error of the derivative below 1e-6.
     */
    void (*quick_gelu)(const float *z, float *y, size_t n);
    void (*quick_gelu_backward)(const float *z, const float *dy, float *dz, size_t n);

    /*
     * y = z Phi(z) within 8 ulp for z > -12.9 (below that, within 1e-37), and dz = dy * (Phi(z) + z
     * phi(z)).
     */
    void (*gelu)(const float *z, float *y, size_t n);
    void (*gelu_backward)(const float *z, const float *dy, float *dz, size_t n);

    /* One row [D]: y = gamma xhat + beta; *mean and *rstd are saved for the backward. */
    void (*layer_norm)(const float *x, const float *gamma, const float *beta, int D, float eps,
                       float *y, float *mean, float *rstd);

    /*
     * One row [D]: dx += rstd (g - mean(g) - xhat mean(g xhat)) with g = gamma dy, if dx is not
     * NULL; dgamma += dy xhat and dbeta += dy if those are not NULL. x, gamma and dy must not
     * overlap the outputs.
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

    /*
     * layer_norm that stores y and, if not NULL, xhat = (x - mean) rstd in bf16; the statistics are
     * computed in f32.
     */
    void (*layer_norm_bf16)(const float *x, const float *gamma, const float *beta, int D, float eps,
                            uint16_t *y, uint16_t *xhat, float *rstd);

    /*
     * layer_norm_backward from xhat [D] and dy [D] in bf16; dx, dgamma and dbeta are f32, added to.
     */
    void (*layer_norm_backward_bf16)(const uint16_t *xhat, const float *gamma, const uint16_t *dy,
                                     int D, float rstd, float *dx, float *dgamma, float *dbeta);

    /*
     * Quantises x[n] f[n] (factor f, NULL for 1) in 254 steps from the least to the largest of
     * these values and 0: with step = largest / 254 - least / 254, y = round(x f / step) + zero in
     * [0, 255], where zero = round(-least / step) is the byte of 0. Returns the step, or 0 and y =
     * zero = 0 if it would be subnormal, or NaN (y undefined) if an x f is NaN or infinity. Rounds
     * to nearest, y's ties to even.
     */
    float (*quantize)(const uint16_t *x, const float *factor, int n, uint8_t *y, int32_t *zero);

    /*
     * out[i] = even[i] | odd[i] << 16: two rows of bf16 as one row of pairs along k. Not in place.
     */
    void (*pair)(const uint16_t *even, const uint16_t *odd, size_t n, uint32_t *out);

    /* The packed product in each precision, and the `store` that applies an Epilogue. */
    void (*product[PRECISION_COUNT])(const KernelProduct *product);
    void (*epilogue)(const Epilogue *epilogue, int row, int count, const void *sums);

    /*
     * Packs `rows` (1..KERNELS_TILE_ROWS) rows of a [rows,depth], lda floats apart, for the f32
     * product: out [depth][KERNELS_TILE_ROWS] = a^T, zero beyond `rows`. out must not overlap a.
     */
    void (*pack_a)(const float *a, ptrdiff_t lda, int rows, int depth, float *out);

    /*
     * Transposes `count` (1..64) rows of `depth` 32-bit groups: out [depth][64], 64-byte aligned,
     * zero beyond `count`.
     */
    void (*transpose)(const uint32_t *const *rows, int count, int depth, uint32_t *out);

    /*
     * Image resizing, in integers: the same bytes at every ISA level. Both passes are weighted sums
     * of rows of bytes; the horizontal one works on the transposed image, where a column of pixels
     * is a row. Neither works in place.
     *
     * blend: out[i] = clip(round(sum over k < taps of weights[k] * in[k * stride + i] / 2^22)), i <
     * n, where round rounds halves up and clip limits to 0..255. |weights[k]| < 2^27, taps >= 1,
     * and the sum of |weights[k]| * 255 must stay below 2^31 - 2^21.
     */
    void (*blend)(const int32_t *weights, int taps, const uint8_t *in, size_t stride, uint8_t *out,
                  size_t n);

    /*
     * out [columns,rows] = transpose of in [rows,columns]; out_stride and in_stride are bytes
     * between rows.
     */
    void (*transpose_bytes)(const uint8_t *in, size_t in_stride, size_t rows, size_t columns,
                            uint8_t *out, size_t out_stride);

    /* True if product[PRECISION_F32] is written for this ISA level and is faster than gemm. */
    bool product_is_fast;

    /*
     * True if the bf16 and int8 products are so much faster with rows of A an odd number of lines
     * apart that copying the rows pays: rows a power of two apart share a few sets of the
     * first-level cache.
     */
    bool product_wants_odd_rows;
} Kernels;

/*
 * Detects the processor (what CPUID offers and the operating system saves), applies LNCLIP_CPU,
 * fills the table. Call once at start to report a bad LNCLIP_CPU: STATUS_USAGE for an unknown name,
 * STATUS_FAILED for a level that this processor lacks. Thread-safe; later calls return the first
 * result.
 */
Status kernels_init(Error *error);

/* The table in force. Initialises on first use; asserts if kernels_init would fail. Thread-safe. */
const Kernels *kernels(void);

/*
 * True if LNCLIP_CPU=ref was set, so that gemm too must not use OpenBLAS. False where the reference
 * runs only because the processor has no higher level. Initialises on first use like kernels().
 */
bool kernels_plain(void);

/* For tests. The table of the reference. Thread-safe. */
const Kernels *kernels_reference(void);

/*
 * For tests that compare all variants. The table of that name if this processor can run it, else
 * NULL, whatever LNCLIP_CPU is. Thread-safe.
 */
const Kernels *kernels_variant(const char *name);

/* The name of ISA level 0, 1, ..., as in LNCLIP_CPU, lowest first; NULL beyond the last. */
const char *kernels_variant_name(int level);

#endif
