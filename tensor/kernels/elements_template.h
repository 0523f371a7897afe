/*
 * elements_template.h - the kernels of single elements, written once in plain C: exponentials,
 * activations, conversions, and the epilogue of the packed products. rows_template.h includes it
 * and documents its macros.
 *
 * Polynomials are minimax fits; fit.py in this folder computes their coefficients.
 */
#ifndef LNCLIP_TENSOR_KERNELS_ELEMENTS_TEMPLATE_H
#define LNCLIP_TENSOR_KERNELS_ELEMENTS_TEMPLATE_H

#include "tensor/kernels/kernels_private.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* only MADD may fuse; gcc -std=c11 fuses nothing */
/* The iterations of the next loop are independent: outputs are inputs or disjoint. */
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Inlined into the kernels of every ISA level, and there compiled for that level. */
#define INLINE __attribute__((always_inline)) static inline

INLINE float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Rounding adds just under half of the last place kept, and all of half where that place is odd. */
INLINE uint16_t bf16_of(float value)
{
    const uint32_t bits = bits_of_float(value);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(value == value ? rounded : bits >> 16 | 0x40); /* a NaN stays one */
}

INLINE float of_bf16(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

/* `low` of exp_of for an argument known in f32 only: x + -0 is x for every x. */
#define NO_LOW (-0.0f)

/* The normal distribution at z: Phi(z) and phi(z). */
typedef struct Normal {
    float cdf, density;
} Normal;

enum {
    EPILOGUE_ROWS = 8
}; /* rows per call of `activate`, enough to make the call's cost negligible */

#endif

/*
 * exp(x + low) for |low| < 0.01. `low` is the part of the argument below the precision of an f32.
 *
 * x = k ln 2 + r with |r| <= ln(2) / 2 and integer k, so exp(x) = 2^k exp(r). Adding 1.5 2^23
 * rounds to an integer and leaves it in the low bits. ln 2 is subtracted in two parts, the first
 * with so few bits that its product with k is exact. 2^k may be too small or too large for an f32
 * (k is -151 to 151), so it is applied as two factors; the second product rounds once, also to a
 * subnormal. Beyond +-104 the result is 0 or infinity anyway; a NaN passes through every step.
 */
INLINE TARGET float NAME(exp_of)(float x, float low)
{
    const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 0x1.8p23f;
    const float bounded = fabsf(x) > 104.0f ? copysignf(104.0f, x) : x;
    const float shifted = MADD(bounded, log2_e, rounder);
    const float k = shifted - rounder;
    float r = MADD(k, -ln2_high, bounded);
    r = MADD(k, -ln2_low, r) + low;

    float series = 0.0013814612f; /* E of fit.py: relative error 3.1e-9 */
    series = MADD(series, r, 0.00836870994f);
    series = MADD(series, r, 0.0416683874f);
    series = MADD(series, r, 0.166665207f);
    series = MADD(series, r, 0.499999935f);
    const float exp_r = MADD(series, r * r, r) + 1.0f;

    const uint32_t exponent = bits_of_float(shifted) - bits_of_float(rounder) + 2 * 127;
    const uint32_t half = exponent / 2;
    return exp_r * float_of_bits(half << 23) * float_of_bits((exponent - half) << 23);
}

TARGET static void NAME(exp)(const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = NAME(exp_of)(x[i], NO_LOW);
}

/* CLIP's sigmoid approximation of GELU: y = z s, s = sigmoid(1.702 z). */
INLINE TARGET float NAME(quick_gelu_sigmoid)(float z)
{
    return 1.0f / (1.0f + NAME(exp_of)(-1.702f * z, NO_LOW));
}

TARGET static void NAME(quick_gelu)(const float *z, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = z[i] * NAME(quick_gelu_sigmoid)(z[i]);
}

/* ds/dz = 1.702 s (1 - s), so dy/dz = s + 1.702 (z s) (1 - s), in an order that never overflows. */
TARGET static void NAME(quick_gelu_backward)(const float *z, const float *dy, float *dz, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const float s = NAME(quick_gelu_sigmoid)(z[i]);
        dz[i] = dy[i] * MADD(1.702f, (z[i] * s) * (1.0f - s), s);
    }
}

/*
 * With a = |z|, Phi and phi share exp(-a^2 / 2); Phi(-a) = exp(-a^2 / 2) t Q(t) with t = 1 / (1 + a
 * / 4), where t Q(t) is Mills' ratio over sqrt(2 pi), smooth and without cancellation. So the
 * relative error of the lower tail is small. a^2 is split into an exact square and a rest, because
 * its rounding error would be magnified by the exponential. Beyond a = 15 the tail is 0 (the bits
 * of positive floats have the order of the floats, and compilers never turn a minimum of integers
 * into a branch).
 */
INLINE TARGET Normal NAME(normal_at)(float z)
{
    const uint32_t magnitude = bits_of_float(fabsf(z)), limit = bits_of_float(15.0f);
    const float a = float_of_bits(magnitude < limit ? magnitude : limit);
    const float high =
        float_of_bits(bits_of_float(a) & 0xfffff000); /* 12 bits: its square is exact */
    const float gauss = NAME(exp_of)(-0.5f * (high * high), -0.5f * ((a - high) * (a + high)));
    const float t = 1.0f / MADD(0.25f, a, 1.0f);

    float series = 0.0171772088f; /* Q of fit.py: relative error 9.1e-9 */
    series = MADD(series, t, -0.0661193172f);
    series = MADD(series, t, 0.0596933257f);
    series = MADD(series, t, 0.0173845261f);
    series = MADD(series, t, 0.0222131963f);
    series = MADD(series, t, 0.0813674467f);
    series = MADD(series, t, 0.0739026818f);
    series = MADD(series, t, 0.0950896014f);
    series = MADD(series, t, 0.0995463449f);
    series = MADD(series, t, 0.09974499f);
    const float tail = gauss * (t * series);
    const float step = z > 0 ? 1.0f : 0.0f; /* so cdf = 1 - tail or tail, by selecting a constant */
    const float inverse_sqrt_two_pi = 0.398942280f;
    return (Normal){.cdf = fabsf(step - tail), .density = inverse_sqrt_two_pi * gauss};
}

TARGET static void NAME(gelu)(const float *z, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = z[i] * NAME(normal_at)(z[i]).cdf;
}

TARGET static void NAME(gelu_backward)(const float *z, const float *dy, float *dz, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const Normal normal = NAME(normal_at)(z[i]);
        dz[i] = dy[i] * MADD(z[i], normal.density, normal.cdf);
    }
}

TARGET static void NAME(add)(const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

TARGET static void NAME(axpy)(float factor, const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = MADD(factor, x[i], y[i]);
}

TARGET static void NAME(to_bf16)(const float *x, uint16_t *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_of(x[i]);
}

TARGET static void NAME(from_bf16)(const uint16_t *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = of_bf16(x[i]);
}

TARGET static void NAME(pair)(const uint16_t *even, const uint16_t *odd, size_t n, uint32_t *out)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        out[i] = even[i] | (uint32_t)odd[i] << 16;
}

/* z of one row in f32: sums, scaled if they are integers, plus bias and residual. */
INLINE TARGET void NAME(epilogue_row)(const Epilogue *f, int row, const int columns,
                                      const void *sums, float z[KERNELS_COLUMNS])
{
    const ptrdiff_t start = row * f->ld;
    memcpy(z, sums, KERNELS_COLUMNS * sizeof *z);
    if (f->row_scale) {
        const float row_scale = f->row_scale[row], *column_scale = f->column_scale;
        const int32_t row_zero = f->row_zero[row];
        const int32_t *sum = sums, *column_sum = f->column_sum;
        INDEPENDENT
        for (int n = 0; n < columns; n++)
            z[n] = row_scale * column_scale[n] * (float)(sum[n] - row_zero * column_sum[n]);
    }
    if (f->bias) {
        const float *bias = f->bias;
        INDEPENDENT
        for (int n = 0; n < columns; n++)
            z[n] += bias[n];
    }
    if (f->residual && f->type == DTYPE_F32) {
        const float *residual = (const float *)f->residual + start;
        INDEPENDENT
        for (int n = 0; n < columns; n++)
            z[n] += residual[n];
    } else if (f->residual) {
        const uint16_t *residual = (const uint16_t *)f->residual + start;
        INDEPENDENT
        for (int n = 0; n < columns; n++)
            z[n] += of_bf16(residual[n]);
    }
}

INLINE TARGET void NAME(store_row)(const float *v, DType type, void *out, ptrdiff_t start,
                                   const int n)
{
    if (type == DTYPE_F32) {
        memcpy((float *)out + start, v, n * sizeof *v);
    } else {
        uint16_t *y = (uint16_t *)out + start;
        INDEPENDENT
        for (int i = 0; i < n; i++)
            y[i] = bf16_of(v[i]);
    }
}

/*
 * At most EPILOGUE_ROWS rows. For full panels `columns` is a constant: the loops then have no
 * remainder, and the sums of a row stay in registers.
 */
INLINE TARGET void NAME(epilogue_rows)(const Epilogue *f, int row, int count, const int columns,
                                       const float *sums)
{
    float activated[EPILOGUE_ROWS][KERNELS_COLUMNS];
    for (int r = 0; r < count; r++) {
        const ptrdiff_t start = (row + r) * f->ld;
        float z[KERNELS_COLUMNS];
        NAME(epilogue_row)(f, row + r, columns, sums + r * KERNELS_COLUMNS, z);
        if (f->z)
            NAME(store_row)(z, f->type, f->z, start, columns);
        if (f->activate)
            memcpy(activated[r], z, sizeof z);
        else
            NAME(store_row)(z, f->type, f->c, start, columns);
    }
    if (!f->activate)
        return;
    f->activate(activated[0], activated[0], (size_t)(count * KERNELS_COLUMNS));
    for (int r = 0; r < count; r++)
        NAME(store_row)(activated[r], f->type, f->c, (row + r) * f->ld, columns);
}

TARGET static void NAME(epilogue)(const Epilogue *f, int row, int count, const void *sums)
{
    for (int r = 0; r < count; r += EPILOGUE_ROWS) {
        const int rows = count - r < EPILOGUE_ROWS ? count - r : EPILOGUE_ROWS;
        const float *from = (const float *)sums + (ptrdiff_t)r * KERNELS_COLUMNS;
        if (f->columns == KERNELS_COLUMNS)
            NAME(epilogue_rows)(f, row + r, rows, KERNELS_COLUMNS, from);
        else
            NAME(epilogue_rows)(f, row + r, rows, f->columns, from);
    }
}
