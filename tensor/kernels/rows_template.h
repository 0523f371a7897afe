/*
 * rows_template.h - the kernels on rows, written once in plain C and compiled for each ISA level.
 * Those on single elements are in elements_template.h.
 *
 * kernels.c includes it once for each level, after it has defined
 *
 *     TARGET           the attribute that lets the compiler use the level's instructions
 *     NAME(x)          x with the level's suffix, for kernels and functions that use MADD
 *     MADD(a, b, c)    a b + c, fused where the instruction exists
 *
 * This defines NAME(fill_rows), which stores all kernels in a table. The macros are undefined at
 * the end.
 *
 * The loops are written so that gcc and clang vectorise them without reordering arithmetic:
 * elements are independent, conditions are selections, and sums run over LANES interleaved partial
 * sums that are combined in a fixed order. So the order of every sum is the same at every level;
 * levels differ only where MADD fuses. A step takes LANES elements. The last step of a row takes
 * the remaining `count` and adds zeros beyond them: that changes no sum, since a partial sum starts
 * at +0 and is never -0.
 */
#include "tensor/kernels/elements_template.h"

#ifndef LNCLIP_TENSOR_KERNELS_ROWS_TEMPLATE_H
#define LNCLIP_TENSOR_KERNELS_ROWS_TEMPLATE_H

#include <float.h>

/*
 * Partial sums: two registers of AVX-512, four of AVX2, eight of SSE2. More than one register,
 * because an addition waits four cycles for the previous one in the same register.
 */
enum { LANES = 32 };

INLINE void add_halves(float *lanes, const int width)
{
    for (int l = 0; l < width; l++)
        lanes[l] += lanes[l + width];
}

/*
 * Combines the partial sums: halves are added until one sum remains. (A loop over widths is not
 * vectorised.)
 */
INLINE float sum_lanes(float lanes[LANES])
{
    add_halves(lanes, 16);
    add_halves(lanes, 8);
    add_halves(lanes, 4);
    add_halves(lanes, 2);
    return lanes[0] + lanes[1];
}

INLINE void sum_step(const float *x, const int count, float lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++)
        lanes[l] += l < count ? x[l] : 0.0f;
}

INLINE float sum_row(const float *x, int n)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        sum_step(x + i, LANES, lanes);
    if (i < n)
        sum_step(x + i, n - i, lanes);
    return sum_lanes(lanes);
}

INLINE void sum_bf16_step(const uint16_t *x, const int count, float lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++)
        lanes[l] += l < count ? of_bf16(x[l]) : 0.0f;
}

INLINE float sum_row_bf16(const uint16_t *x, int n)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        sum_bf16_step(x + i, LANES, lanes);
    if (i < n)
        sum_bf16_step(x + i, n - i, lanes);
    return sum_lanes(lanes);
}

INLINE void max_step(const float *x, const int count, float scale, float lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++) {
        const float scaled = l < count ? scale * x[l] : -INFINITY;
        lanes[l] = scaled > lanes[l] ? scaled : lanes[l];
    }
}

/* Largest of scale x. NaNs are ignored here; the sum passes them on. */
INLINE float max_scaled(const float *x, int n, float scale)
{
    float lanes[LANES];
    for (int l = 0; l < LANES; l++)
        lanes[l] = -INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        max_step(x + i, LANES, scale, lanes);
    if (i < n)
        max_step(x + i, n - i, scale, lanes);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lanes[l] = lanes[l + width] > lanes[l] ? lanes[l + width] : lanes[l];
    return lanes[0];
}

/* Columns of the panel that begins at column `first` of a row of n columns. */
INLINE int columns_from(int first, int n)
{
    return n - first < KERNELS_COLUMNS ? n - first : KERNELS_COLUMNS;
}

/*
 * Stores a row x[n] as the first elements of pairs, with zeros as the second, or as the second
 * elements of existing pairs.
 */
INLINE void deal_row(const uint16_t *x, int n, bool second, uint32_t *pairs, ptrdiff_t step)
{
    for (int first = 0; first < n; first += KERNELS_COLUMNS, pairs += step) {
        const int count = columns_from(first, n);
        INDEPENDENT
        for (int i = 0; i < count; i++)
            pairs[i] = second ? pairs[i] | (uint32_t)x[first + i] << 16 : x[first + i];
    }
}

/*
 * 1 / sqrt(variance); NaN if the variance overflows f32, because 1 / sqrt(infinity) = 0 would hide
 * the error.
 */
INLINE float rstd_of(float variance)
{
    return variance <= FLT_MAX ? 1.0f / sqrtf(variance) : NAN;
}

/*
 * Maps the bits of a float to an integer of the same order, and back: compilers vectorise the
 * maximum of integers.
 */
INLINE int32_t ordered_bits(int32_t bits)
{
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

/* The least and the largest of the values x f and 0. */
INLINE void range_of(const uint16_t *x, const float *factor, int n, float *least, float *largest)
{
    int32_t low = 0, high = 0;
    for (int i = 0; i < n; i++) {
        const float value = of_bf16(x[i]) * (factor ? factor[i] : 1.0f);
        const int32_t ordered = ordered_bits((int32_t)bits_of_float(value));
        low = ordered < low ? ordered : low;
        high = ordered > high ? ordered : high;
    }
    *least = float_of_bits((uint32_t)ordered_bits(low));
    *largest = float_of_bits((uint32_t)high);
}

/*
 * The step that divides least..largest into 254 steps. 0 if it would be subnormal, because its
 * inverse would overflow; NaN if `least` or `largest` is NaN or infinity.
 */
INLINE float step_of(float least, float largest)
{
    const float step = largest / 254.0f - least / 254.0f;
    if (!(step <= FLT_MAX))
        return NAN;
    return step >= FLT_MIN ? step : 0.0f;
}

INLINE void dot_step(const float *x, const float *y, const size_t count, double lanes[LANES])
{
    INDEPENDENT
    for (size_t l = 0; l < LANES; l++)
        lanes[l] += l < count ? (double)x[l] * (double)y[l] : 0.0;
}

#endif

TARGET static void NAME(softmax_again)(float *row, int n, float scale, float lse)
{
    INDEPENDENT
    for (int i = 0; i < n; i++)
        row[i] = NAME(exp_of)(scale * row[i] - lse, NO_LOW);
}

TARGET static float NAME(softmax)(float *row, int n, float scale)
{
    const float largest = max_scaled(row, n, scale);
    NAME(softmax_again)(row, n, scale, largest); /* exponents <= 0: no overflow */
    const float sum = sum_row(row, n);
    const float factor = 1.0f / sum;
    INDEPENDENT
    for (int i = 0; i < n; i++)
        row[i] *= factor;
    return largest + logf(sum);
}

TARGET static float NAME(softmax_bf16)(const float *row, int n, float scale, uint16_t *p,
                                       float *inverse_sum)
{
    const float largest = max_scaled(row, n, scale);
    INDEPENDENT
    for (int i = 0; i < n; i++)
        p[i] = bf16_of(NAME(exp_of)(scale * row[i] - largest, NO_LOW));
    *inverse_sum = 1.0f / sum_row_bf16(p, n);
    return largest - logf(*inverse_sum);
}

/* One step of sum p and sum p dP. */
INLINE TARGET void NAME(product_step)(const float *p, const float *dP, const int count,
                                      float p_lanes[LANES], float p_dP_lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++) {
        p_lanes[l] += l < count ? p[l] : 0.0f;
        /* cppcheck-suppress arrayIndexOutOfBoundsCond ; l is below LANES, count may not be */
        p_dP_lanes[l] = l < count ? MADD(p[l], dP[l], p_dP_lanes[l]) : p_dP_lanes[l];
    }
}

TARGET static void NAME(softmax_gradient)(float *P, float *dP, ptrdiff_t step, int n, float scale,
                                          float lse)
{
    float p_lanes[LANES] = {0}, p_dP_lanes[LANES] = {0};
    for (int first = 0; first < n; first += KERNELS_COLUMNS) {
        float *p = P + first / KERNELS_COLUMNS * step;
        const float *d = dP + first / KERNELS_COLUMNS * step;
        const int count = columns_from(first, n);
        NAME(softmax_again)(p, count, scale, lse);
        int i = 0;
        for (; i + LANES <= count; i += LANES)
            NAME(product_step)(p + i, d + i, LANES, p_lanes, p_dP_lanes);
        if (i < count)
            NAME(product_step)(p + i, d + i, count - i, p_lanes, p_dP_lanes);
    }
    const float delta = sum_lanes(p_dP_lanes) / sum_lanes(p_lanes);
    for (int first = 0; first < n; first += KERNELS_COLUMNS) {
        const float *p = P + first / KERNELS_COLUMNS * step;
        float *d = dP + first / KERNELS_COLUMNS * step;
        const int count = columns_from(first, n);
        INDEPENDENT
        for (int i = 0; i < count; i++)
            d[i] = scale * p[i] * (d[i] - delta);
    }
}

INLINE TARGET void NAME(product_bf16_step)(const uint16_t *p, const float *dP, const int count,
                                           float lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++)
        /* cppcheck-suppress arrayIndexOutOfBoundsCond ; l is below LANES, count may not be */
        lanes[l] = l < count ? MADD(of_bf16(p[l]), dP[l], lanes[l]) : lanes[l];
}

TARGET static void NAME(softmax_gradient_bf16)(const KernelScores *s)
{
    const int n = s->n;
    const float scale = s->scale;
    for (int r = 0; r < s->rows; r++) {
        const float *scores = s->scores + r * s->ld, *dP = s->dP + r * s->ld;
        const float lse = s->lse[r];
        uint16_t *row = s->dS + r * s->ld_dS; /* holds p before dS */
        INDEPENDENT
        for (int i = 0; i < n; i++)
            row[i] = bf16_of(NAME(exp_of)(scale * scores[i] - lse, NO_LOW));
        deal_row(row, n, r > 0, s->P_pairs, s->step);
        float lanes[LANES] = {0};
        int i = 0;
        for (; i + LANES <= n; i += LANES)
            NAME(product_bf16_step)(row + i, dP + i, LANES, lanes);
        if (i < n)
            NAME(product_bf16_step)(row + i, dP + i, n - i, lanes);
        const float delta = sum_lanes(lanes) / sum_row_bf16(row, n);
        INDEPENDENT
        for (int j = 0; j < n; j++)
            row[j] = bf16_of(scale * of_bf16(row[j]) * (dP[j] - delta));
        deal_row(row, n, r > 0, s->dS_pairs, s->step);
    }
}

INLINE TARGET void NAME(square_step)(const float *x, const int count, float mean,
                                     float lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++) {
        const float difference = l < count ? x[l] - mean : 0.0f;
        lanes[l] = MADD(difference, difference, lanes[l]);
    }
}

/*
 * 1 / sqrt(variance + eps), by a second pass over the row: differences from the mean avoid
 * cancellation.
 */
INLINE TARGET float NAME(inverse_deviation)(const float *x, int D, float mean, float eps)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES)
        NAME(square_step)(x + i, LANES, mean, lanes);
    if (i < D)
        NAME(square_step)(x + i, D - i, mean, lanes);
    return rstd_of(sum_lanes(lanes) / (float)D + eps);
}

TARGET static void NAME(layer_norm)(const float *x, const float *gamma, const float *beta, int D,
                                    float eps, float *y, float *mean, float *rstd)
{
    const float m = sum_row(x, D) / (float)D;
    const float s = NAME(inverse_deviation)(x, D, m, eps);
    INDEPENDENT
    for (int d = 0; d < D; d++)
        y[d] = MADD((x[d] - m) * s, gamma[d], beta[d]);
    *mean = m;
    *rstd = s;
}

/* One step of sum g and sum g xhat, with g = gamma dy and xhat = (x - mean) rstd. */
INLINE TARGET void NAME(norm_step)(const float *x, const float *gamma, const float *dy,
                                   const int count, float mean, float rstd, float g_lanes[LANES],
                                   float gx_lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++) {
        const float g = l < count ? gamma[l] * dy[l] : 0.0f;
        const float xhat = l < count ? (x[l] - mean) * rstd : 0.0f;
        g_lanes[l] += g;
        gx_lanes[l] = MADD(g, xhat, gx_lanes[l]);
    }
}

TARGET static void NAME(layer_norm_backward)(const float *x, const float *gamma, const float *dy,
                                             int D, float mean, float rstd, float *dx,
                                             float *dgamma, float *dbeta)
{
    if (dgamma) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dgamma[d] = MADD(dy[d], (x[d] - mean) * rstd, dgamma[d]);
    }
    if (dbeta) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dbeta[d] += dy[d];
    }
    if (!dx)
        return;
    float g_lanes[LANES] = {0}, gx_lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES)
        NAME(norm_step)(x + i, gamma + i, dy + i, LANES, mean, rstd, g_lanes, gx_lanes);
    if (i < D)
        NAME(norm_step)(x + i, gamma + i, dy + i, D - i, mean, rstd, g_lanes, gx_lanes);
    const float mean_g = sum_lanes(g_lanes) / (float)D;
    const float mean_gx = sum_lanes(gx_lanes) / (float)D;
    INDEPENDENT
    for (int d = 0; d < D; d++) {
        const float xhat = (x[d] - mean) * rstd;
        const float centred = MADD(gamma[d], dy[d], -mean_g);
        dx[d] = MADD(rstd, MADD(-xhat, mean_gx, centred), dx[d]);
    }
}

TARGET static void NAME(layer_norm_bf16)(const float *x, const float *gamma, const float *beta,
                                         int D, float eps, uint16_t *y, uint16_t *xhat, float *rstd)
{
    const float m = sum_row(x, D) / (float)D;
    const float s = NAME(inverse_deviation)(x, D, m, eps);
    INDEPENDENT
    for (int d = 0; d < D; d++)
        y[d] = bf16_of(MADD((x[d] - m) * s, gamma[d], beta[d]));
    if (xhat) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            xhat[d] = bf16_of((x[d] - m) * s);
    }
    *rstd = s;
}

INLINE TARGET void NAME(norm_bf16_step)(const uint16_t *xhat, const float *gamma,
                                        const uint16_t *dy, const int count, float g_lanes[LANES],
                                        float gx_lanes[LANES])
{
    INDEPENDENT
    for (int l = 0; l < LANES; l++) {
        const float g = l < count ? gamma[l] * of_bf16(dy[l]) : 0.0f;
        g_lanes[l] += g;
        gx_lanes[l] = MADD(g, l < count ? of_bf16(xhat[l]) : 0.0f, gx_lanes[l]);
    }
}

TARGET static void NAME(layer_norm_backward_bf16)(const uint16_t *xhat, const float *gamma,
                                                  const uint16_t *dy, int D, float rstd, float *dx,
                                                  float *dgamma, float *dbeta)
{
    if (dgamma) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dgamma[d] = MADD(of_bf16(dy[d]), of_bf16(xhat[d]), dgamma[d]);
    }
    if (dbeta) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dbeta[d] += of_bf16(dy[d]);
    }
    if (!dx)
        return;
    float g_lanes[LANES] = {0}, gx_lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES)
        NAME(norm_bf16_step)(xhat + i, gamma + i, dy + i, LANES, g_lanes, gx_lanes);
    if (i < D)
        NAME(norm_bf16_step)(xhat + i, gamma + i, dy + i, D - i, g_lanes, gx_lanes);
    const float mean_g = sum_lanes(g_lanes) / (float)D;
    const float mean_gx = sum_lanes(gx_lanes) / (float)D;
    INDEPENDENT
    for (int d = 0; d < D; d++) {
        const float centred = MADD(gamma[d], of_bf16(dy[d]), -mean_g);
        dx[d] = MADD(rstd, MADD(-of_bf16(xhat[d]), mean_gx, centred), dx[d]);
    }
}

/* The products of two f32 are exact in double, so fusing would change nothing. */
TARGET static double NAME(dot)(const float *x, const float *y, size_t n)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        dot_step(x + i, y + i, LANES, lanes);
    if (i < n)
        dot_step(x + i, y + i, n - i, lanes);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lanes[l] += lanes[l + width];
    return lanes[0];
}

TARGET static float NAME(quantize)(const uint16_t *x, const float *factor, int n, uint8_t *y,
                                   int32_t *zero)
{
    float least, largest;
    if (factor)
        range_of(x, factor, n, &least, &largest);
    else
        range_of(x, NULL, n, &least, &largest);
    const float step = step_of(least, largest), scale = step > 0 ? 1 / step : 0;
    *zero = step > 0 ? (int32_t)lrintf(-least * scale) : 0;
    /* The low bits of rounder + v are v rounded to an integer, plus zero. */
    const float rounder = 0x1.8p23f + (float)*zero;
    if (factor) {
        INDEPENDENT
        for (int i = 0; i < n; i++)
            y[i] = (uint8_t)bits_of_float(of_bf16(x[i]) * factor[i] * scale + rounder);
    } else {
        INDEPENDENT
        for (int i = 0; i < n; i++)
            y[i] = (uint8_t)bits_of_float(of_bf16(x[i]) * scale + rounder);
    }
    return step;
}

/* Puts all kernels of both templates into the table. */
static void NAME(fill_rows)(Kernels *table)
{
    table->exp = NAME(exp);
    table->softmax = NAME(softmax);
    table->softmax_bf16 = NAME(softmax_bf16);
    table->softmax_gradient = NAME(softmax_gradient);
    table->softmax_gradient_bf16 = NAME(softmax_gradient_bf16);
    table->quick_gelu = NAME(quick_gelu);
    table->quick_gelu_backward = NAME(quick_gelu_backward);
    table->gelu = NAME(gelu);
    table->gelu_backward = NAME(gelu_backward);
    table->layer_norm = NAME(layer_norm);
    table->layer_norm_backward = NAME(layer_norm_backward);
    table->add = NAME(add);
    table->axpy = NAME(axpy);
    table->dot = NAME(dot);
    table->to_bf16 = NAME(to_bf16);
    table->from_bf16 = NAME(from_bf16);
    table->layer_norm_bf16 = NAME(layer_norm_bf16);
    table->layer_norm_backward_bf16 = NAME(layer_norm_backward_bf16);
    table->quantize = NAME(quantize);
    table->pair = NAME(pair);
    table->epilogue = NAME(epilogue);
}

#undef TARGET
#undef NAME
#undef MADD
