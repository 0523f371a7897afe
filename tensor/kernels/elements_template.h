/*
 * elements_template.h - the kernels of single elements, written once in plain C: exponentials, activations,
 * conversions, and the end of the packed products. Included by rows_template.h, which says how.
 *
 * Polynomials are minimax fits; fit.py beside this file makes their coefficients.
 */
#include "tensor/kernels/variants_private.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* what is fused is said by KERNELS_MADD; gcc -std=c11 fuses nothing */
/* The iterations of the loop that follows may run side by side: outputs are inputs or disjoint. */
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

KERNELS_TARGET static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

KERNELS_TARGET static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Rounding adds just under half of the last place kept, and all of half where that place is odd. */
KERNELS_TARGET static inline uint16_t bf16_of(float value)
{
    const uint32_t bits = bits_of_float(value);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(value == value ? rounded : bits >> 16 | 0x40); /* a NaN stays one */
}

KERNELS_TARGET static inline float of_bf16(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

/* The `low` of an argument known no better: x + -0 is x for every x, so compilers drop the addition. */
#define NO_LOW (-0.0f)

/*
 * exp(x + low) for |low| < 0.01: a caller that knows its argument to more than f32 passes the rest.
 *
 * x = k ln 2 + r with |r| <= ln(2) / 2 and integer k, so exp(x) = 2^k exp(r). Adding 1.5 2^23 rounds to
 * an integer and leaves it in the low bits. ln 2 is subtracted in two parts, the first of so few bits
 * that k times it is exact. 2^k may itself be too small or too large for an f32 (k from -151 to 151), so
 * it is applied as two factors; the second product rounds once, also to a subnormal. Beyond +-104 the
 * result is 0 or infinity anyway; a NaN passes through every step.
 */
KERNELS_TARGET static inline float exp_of(float x, float low)
{
    const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 0x1.8p23f;
    const float bounded = fabsf(x) > 104.0f ? copysignf(104.0f, x) : x;
    const float shifted = KERNELS_MADD(bounded, log2_e, rounder);
    const float k = shifted - rounder;
    float r = KERNELS_MADD(k, -ln2_high, bounded);
    r = KERNELS_MADD(k, -ln2_low, r) + low;

    float series = 0.0013814612f; /* E of fit.py: relative error 3.1e-9 */
    series = KERNELS_MADD(series, r, 0.00836870994f);
    series = KERNELS_MADD(series, r, 0.0416683874f);
    series = KERNELS_MADD(series, r, 0.166665207f);
    series = KERNELS_MADD(series, r, 0.499999935f);
    const float exp_r = KERNELS_MADD(series, r * r, r) + 1.0f;

    const uint32_t exponent = bits_of_float(shifted) - bits_of_float(rounder) + 2 * 127;
    const uint32_t half = exponent / 2;
    return exp_r * float_of_bits(half << 23) * float_of_bits((exponent - half) << 23);
}

KERNELS_TARGET static void kernel_exp(const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = exp_of(x[i], NO_LOW);
}

/* CLIP's sigmoid approximation of GELU: y = z s, s = sigmoid(1.702 z). */
KERNELS_TARGET static inline float quick_gelu_sigmoid(float z)
{
    return 1.0f / (1.0f + exp_of(-1.702f * z, NO_LOW));
}

KERNELS_TARGET static void kernel_quick_gelu(const float *z, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = z[i] * quick_gelu_sigmoid(z[i]);
}

/* ds/dz = 1.702 s (1 - s), so dy/dz = s + 1.702 (z s) (1 - s), in the order that never overflows. */
KERNELS_TARGET static void kernel_quick_gelu_backward(const float *z, const float *dy, float *dz,
                                                      size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const float s = quick_gelu_sigmoid(z[i]);
        dz[i] = dy[i] * KERNELS_MADD(1.702f, (z[i] * s) * (1.0f - s), s);
    }
}

/* The normal distribution at z: its function Phi and its density phi. */
typedef struct Normal {
    float cdf, density;
} Normal;

/*
 * With a = |z|, both share exp(-a^2 / 2); Phi(-a) = exp(-a^2 / 2) t Q(t) with t = 1 / (1 + a / 4), where
 * t Q(t) is Mills' ratio over sqrt(2 pi), smooth and without cancellation. The lower tail is therefore
 * accurate relative to itself. a^2 is split into an exact square and a rest, because its rounding error
 * would be magnified by the exponential. Beyond a = 15 the tail is 0 (the bits of
 * positive floats are ordered as they are, and a minimum of integers is never turned into a branch).
 */
KERNELS_TARGET static inline Normal normal_at(float z)
{
    const uint32_t magnitude = bits_of_float(fabsf(z)), limit = bits_of_float(15.0f);
    const float a = float_of_bits(magnitude < limit ? magnitude : limit);
    const float high =
        float_of_bits(bits_of_float(a) & 0xfffff000); /* 12 bits: its square is exact */
    const float gauss = exp_of(-0.5f * (high * high), -0.5f * ((a - high) * (a + high)));
    const float t = 1.0f / KERNELS_MADD(0.25f, a, 1.0f);

    float series = 0.0171772088f; /* Q of fit.py: relative error 9.1e-9 */
    series = KERNELS_MADD(series, t, -0.0661193172f);
    series = KERNELS_MADD(series, t, 0.0596933257f);
    series = KERNELS_MADD(series, t, 0.0173845261f);
    series = KERNELS_MADD(series, t, 0.0222131963f);
    series = KERNELS_MADD(series, t, 0.0813674467f);
    series = KERNELS_MADD(series, t, 0.0739026818f);
    series = KERNELS_MADD(series, t, 0.0950896014f);
    series = KERNELS_MADD(series, t, 0.0995463449f);
    series = KERNELS_MADD(series, t, 0.09974499f);
    const float tail = gauss * (t * series);
    const float step = z > 0 ? 1.0f : 0.0f; /* so cdf = 1 - tail or tail, by selecting a constant */
    const float inverse_sqrt_two_pi = 0.398942280f;
    return (Normal){.cdf = fabsf(step - tail), .density = inverse_sqrt_two_pi * gauss};
}

KERNELS_TARGET static void kernel_gelu(const float *z, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = z[i] * normal_at(z[i]).cdf;
}

KERNELS_TARGET static void kernel_gelu_backward(const float *z, const float *dy, float *dz,
                                                size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        const Normal normal = normal_at(z[i]);
        dz[i] = dy[i] * KERNELS_MADD(z[i], normal.density, normal.cdf);
    }
}

KERNELS_TARGET static void kernel_add(const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

KERNELS_TARGET static void kernel_axpy(float factor, const float *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = KERNELS_MADD(factor, x[i], y[i]);
}

KERNELS_TARGET static void kernel_to_bf16(const float *x, uint16_t *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_of(x[i]);
}

KERNELS_TARGET static void kernel_from_bf16(const uint16_t *x, float *y, size_t n)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = of_bf16(x[i]);
}

KERNELS_TARGET static void kernel_pair(const uint16_t *even, const uint16_t *odd, size_t n,
                                       uint32_t *out)
{
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        out[i] = even[i] | (uint32_t)odd[i] << 16;
}

/* Sums of one row of a tile, in f32: scaled where they are integers, with bias and addend. */
KERNELS_TARGET static inline void finish_row(const KernelFinish *f, int row, const void *sums,
                                             float z[KERNELS_COLUMNS])
{
    const ptrdiff_t start = row * f->ld;
    memcpy(z, sums, KERNELS_COLUMNS * sizeof *z);
    if (f->row_scale) {
        const float row_scale = f->row_scale[row], *const column_scale = f->column_scale;
        const int32_t row_zero = f->row_zero[row];
        const int32_t *const sum = sums, *const column_sum = f->column_sum;
        INDEPENDENT
        for (int n = 0; n < f->columns; n++)
            z[n] = row_scale * column_scale[n] * (float)(sum[n] - row_zero * column_sum[n]);
    }
    if (f->bias) {
        const float *const bias = f->bias;
        INDEPENDENT
        for (int n = 0; n < f->columns; n++)
            z[n] += bias[n];
    }
    if (f->addend && f->type == DTYPE_F32) {
        const float *const addend = (const float *)f->addend + start;
        INDEPENDENT
        for (int n = 0; n < f->columns; n++)
            z[n] += addend[n];
    } else if (f->addend) {
        const uint16_t *const addend = (const uint16_t *)f->addend + start;
        INDEPENDENT
        for (int n = 0; n < f->columns; n++)
            z[n] += of_bf16(addend[n]);
    }
}

KERNELS_TARGET static void store_row(const float *v, DType type, void *out, ptrdiff_t start, int n)
{
    if (type == DTYPE_F32)
        memcpy((float *)out + start, v, (size_t)n * sizeof *v);
    else
        kernel_to_bf16(v, (uint16_t *)out + start, (size_t)n);
}

enum { FINISH_ROWS = 8 }; /* activated at once: enough for the call to cost nothing */

KERNELS_TARGET static void kernel_finish(const KernelFinish *f, int row, int count,
                                         const void *sums)
{
    float v[FINISH_ROWS][KERNELS_COLUMNS];
    for (int first = 0; first < count; first += FINISH_ROWS) {
        const int rows = count - first < FINISH_ROWS ? count - first : FINISH_ROWS;
        for (int r = 0; r < rows; r++) {
            const int tile_row = first + r;
            finish_row(f, row + tile_row, (const char *)sums + (size_t)tile_row * sizeof v[r],
                       v[r]);
            if (f->z)
                store_row(v[r], f->type, f->z, (row + tile_row) * f->ld, f->columns);
        }
        if (f->activate)
            f->activate(v[0], v[0], (size_t)(rows * KERNELS_COLUMNS));
        for (int r = 0; r < rows; r++)
            store_row(v[r], f->type, f->c, (row + first + r) * f->ld, f->columns);
    }
}
