/*
 * rows_template.h - the kernels, written once in plain C: those of whole rows here, those of single elements in
 * elements_template.h.
 *
 * Not a header in the usual sense: reference.c and avx2.c each include it after defining
 *
 *     KERNELS_TARGET         the attribute that lets the compiler use the variant's instructions
 *     KERNELS_MADD(a, b, c)  a b + c, fused where the instruction exists
 *
 * and get `overlay_rows`, which puts all of them into a table. The loops are the shape that gcc and clang
 * turn into vector code without leave to reorder arithmetic: elements are independent, conditions are
 * selections, and sums run over LANES interleaved partial sums that are combined in a fixed order. So the order
 * of every sum is the same in both; they differ only where one fuses a product with a sum.
 */
#include "tensor/kernels/elements_template.h"

/*
 * Partial sums: four registers of AVX2, eight of SSE2. More than one, because a sum waits four cycles for the
 * one before it in the same register.
 */
enum { LANES = 32 };

/* Combines the partial sums: halves are added until one is left. */
KERNELS_TARGET static inline float sum_lanes(float lanes[LANES])
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lanes[l] += lanes[l + width];
    return lanes[0];
}

KERNELS_TARGET static inline float sum_row(const float *x, int n)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += x[i + l];
    for (int l = 0; i + l < n; l++)
        lanes[l] += x[i + l];
    return sum_lanes(lanes);
}

/* Largest of scale x; NaNs are passed over here and come back through the sum. */
KERNELS_TARGET static inline float max_scaled(const float *x, int n, float scale)
{
    float lanes[LANES];
    for (int l = 0; l < LANES; l++)
        lanes[l] = -INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] = scale * x[i + l] > lanes[l] ? scale * x[i + l] : lanes[l];
    for (int l = 0; i + l < n; l++)
        lanes[l] = scale * x[i + l] > lanes[l] ? scale * x[i + l] : lanes[l];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lanes[l] = lanes[l + width] > lanes[l] ? lanes[l + width] : lanes[l];
    return lanes[0];
}

KERNELS_TARGET static void kernel_softmax_again(float *row, int n, float scale, float lse)
{
    INDEPENDENT
    for (int i = 0; i < n; i++)
        row[i] = exp_of(scale * row[i] - lse, NO_LOW);
}

KERNELS_TARGET static float kernel_softmax(float *row, int n, float scale)
{
    const float largest = max_scaled(row, n, scale);
    kernel_softmax_again(row, n, scale, largest); /* exponents <= 0: no overflow */
    const float sum = sum_row(row, n);
    const float factor = 1.0f / sum;
    INDEPENDENT
    for (int i = 0; i < n; i++)
        row[i] *= factor;
    return largest + logf(sum);
}

KERNELS_TARGET static inline float sum_row_bf16(const uint16_t *x, int n)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += of_bf16(x[i + l]);
    for (int l = 0; i + l < n; l++)
        lanes[l] += of_bf16(x[i + l]);
    return sum_lanes(lanes);
}

KERNELS_TARGET static float kernel_softmax_bf16(const float *row, int n, float scale, uint16_t *p,
                                                float *inverse_sum)
{
    const float largest = max_scaled(row, n, scale);
    INDEPENDENT
    for (int i = 0; i < n; i++)
        p[i] = bf16_of(exp_of(scale * row[i] - largest, NO_LOW));
    *inverse_sum = 1.0f / sum_row_bf16(p, n);
    return largest - logf(*inverse_sum);
}

/* Of the n columns of a row, how many a panel has that begins at `first`. */
KERNELS_TARGET static inline int columns_from(int first, int n)
{
    return n - first < KERNELS_COLUMNS ? n - first : KERNELS_COLUMNS;
}

KERNELS_TARGET static void kernel_softmax_gradient(float *P, float *dP, ptrdiff_t step, int n,
                                                   float scale, float lse)
{
    float p_lanes[LANES] = {0}, p_dP_lanes[LANES] = {0};
    for (int first = 0; first < n; first += KERNELS_COLUMNS) {
        float *const p = P + first / KERNELS_COLUMNS * step;
        const float *const d = dP + first / KERNELS_COLUMNS * step;
        const int count = columns_from(first, n);
        kernel_softmax_again(p, count, scale, lse);
        int i = 0;
        for (; i + LANES <= count; i += LANES) {
            for (int l = 0; l < LANES; l++) {
                p_lanes[l] += p[i + l];
                p_dP_lanes[l] = KERNELS_MADD(p[i + l], d[i + l], p_dP_lanes[l]);
            }
        }
        for (int l = 0; i + l < count; l++) {
            p_lanes[l] += p[i + l];
            p_dP_lanes[l] = KERNELS_MADD(p[i + l], d[i + l], p_dP_lanes[l]);
        }
    }
    const float delta = sum_lanes(p_dP_lanes) / sum_lanes(p_lanes);
    for (int first = 0; first < n; first += KERNELS_COLUMNS) {
        const float *const p = P + first / KERNELS_COLUMNS * step;
        float *const d = dP + first / KERNELS_COLUMNS * step;
        const int count = columns_from(first, n);
        INDEPENDENT
        for (int i = 0; i < count; i++)
            d[i] = scale * p[i] * (d[i] - delta);
    }
}

/* Makes a row x[n] one half of pairs: the first, clearing the other, or the second. */
KERNELS_TARGET static inline void deal_row(const uint16_t *x, int n, bool second, uint32_t *pairs,
                                           ptrdiff_t step)
{
    for (int first = 0; first < n; first += KERNELS_COLUMNS, pairs += step) {
        const int count = columns_from(first, n);
        INDEPENDENT
        for (int i = 0; i < count; i++)
            pairs[i] = second ? pairs[i] | (uint32_t)x[first + i] << 16 : x[first + i];
    }
}

KERNELS_TARGET static void kernel_softmax_gradient_bf16(const KernelScores *s)
{
    const int n = s->n;
    const float scale = s->scale;
    for (int r = 0; r < s->rows; r++) {
        const float *const scores = s->scores + r * s->ld, *const dP = s->dP + r * s->ld;
        const float lse = s->lse[r];
        uint16_t *const row = s->dS + r * s->ld_dS; /* p first */
        INDEPENDENT
        for (int i = 0; i < n; i++)
            row[i] = bf16_of(exp_of(scale * scores[i] - lse, NO_LOW));
        deal_row(row, n, r > 0, s->P_pairs, s->step);
        float lanes[LANES] = {0};
        int i = 0;
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lanes[l] = KERNELS_MADD(of_bf16(row[i + l]), dP[i + l], lanes[l]);
        for (int l = 0; i + l < n; l++)
            lanes[l] = KERNELS_MADD(of_bf16(row[i + l]), dP[i + l], lanes[l]);
        const float delta = sum_lanes(lanes) / sum_row_bf16(row, n);
        INDEPENDENT
        for (int j = 0; j < n; j++)
            row[j] = bf16_of(scale * of_bf16(row[j]) * (dP[j] - delta));
        deal_row(row, n, r > 0, s->dS_pairs, s->step);
    }
}

/* 1 / sqrt(variance + eps). A second pass over the row: differences from the mean suffer no cancellation. */
KERNELS_TARGET static inline float inverse_deviation(const float *x, int D, float mean, float eps)
{
    float lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] = KERNELS_MADD(x[i + l] - mean, x[i + l] - mean, lanes[l]);
    for (int l = 0; i + l < D; l++)
        lanes[l] = KERNELS_MADD(x[i + l] - mean, x[i + l] - mean, lanes[l]);
    return kernels_rstd(sum_lanes(lanes) / (float)D + eps);
}

KERNELS_TARGET static void kernel_layer_norm(const float *x, const float *gamma, const float *beta,
                                             int D, float eps, float *y, float *mean, float *rstd)
{
    const float m = sum_row(x, D) / (float)D;
    const float s = inverse_deviation(x, D, m, eps);
    INDEPENDENT
    for (int d = 0; d < D; d++)
        y[d] = KERNELS_MADD((x[d] - m) * s, gamma[d], beta[d]);
    *mean = m;
    *rstd = s;
}

/* dx += rstd (g - mean(g) - xhat mean(g xhat)), g = gamma dy, xhat = (x - mean) rstd. */
KERNELS_TARGET static inline void layer_norm_dx(const float *x, const float *gamma, const float *dy,
                                                int D, float mean, float rstd, float *dx)
{
    float g_lanes[LANES] = {0}, gx_lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            const float g = gamma[i + l] * dy[i + l];
            g_lanes[l] += g;
            gx_lanes[l] = KERNELS_MADD(g, (x[i + l] - mean) * rstd, gx_lanes[l]);
        }
    }
    for (int l = 0; i + l < D; l++) {
        const float g = gamma[i + l] * dy[i + l];
        g_lanes[l] += g;
        gx_lanes[l] = KERNELS_MADD(g, (x[i + l] - mean) * rstd, gx_lanes[l]);
    }
    const float mean_g = sum_lanes(g_lanes) / (float)D;
    const float mean_gx = sum_lanes(gx_lanes) / (float)D;
    INDEPENDENT
    for (int d = 0; d < D; d++) {
        const float xhat = (x[d] - mean) * rstd;
        const float centred = KERNELS_MADD(gamma[d], dy[d], -mean_g);
        dx[d] = KERNELS_MADD(rstd, KERNELS_MADD(-xhat, mean_gx, centred), dx[d]);
    }
}

KERNELS_TARGET static void kernel_layer_norm_backward(const float *x, const float *gamma,
                                                      const float *dy, int D, float mean,
                                                      float rstd, float *dx, float *dgamma,
                                                      float *dbeta)
{
    if (dgamma) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dgamma[d] = KERNELS_MADD(dy[d], (x[d] - mean) * rstd, dgamma[d]);
    }
    if (dbeta) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dbeta[d] += dy[d];
    }
    if (dx)
        layer_norm_dx(x, gamma, dy, D, mean, rstd, dx);
}

/* The products of two f32 are exact in double, so fusing would change nothing. */
KERNELS_TARGET static double kernel_dot(const float *x, const float *y, size_t n)
{
    double lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += (double)x[i + (size_t)l] * (double)y[i + (size_t)l];
    for (size_t l = 0; i + l < n; l++)
        lanes[l] += (double)x[i + l] * (double)y[i + l];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lanes[l] += lanes[l + width];
    return lanes[0];
}

KERNELS_TARGET static void kernel_layer_norm_bf16(const float *x, const float *gamma,
                                                  const float *beta, int D, float eps, uint16_t *y,
                                                  uint16_t *xhat, float *rstd)
{
    const float m = sum_row(x, D) / (float)D;
    const float s = inverse_deviation(x, D, m, eps);
    INDEPENDENT
    for (int d = 0; d < D; d++)
        y[d] = bf16_of(KERNELS_MADD((x[d] - m) * s, gamma[d], beta[d]));
    if (xhat) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            xhat[d] = bf16_of((x[d] - m) * s);
    }
    *rstd = s;
}

KERNELS_TARGET static void kernel_layer_norm_backward_bf16(const uint16_t *xhat, const float *gamma,
                                                           const uint16_t *dy, int D, float rstd,
                                                           float *dx, float *dgamma, float *dbeta)
{
    float g_lanes[LANES] = {0}, gx_lanes[LANES] = {0};
    int i = 0;
    for (; i + LANES <= D; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            const float g = gamma[i + l] * of_bf16(dy[i + l]);
            g_lanes[l] += g;
            gx_lanes[l] = KERNELS_MADD(g, of_bf16(xhat[i + l]), gx_lanes[l]);
        }
    }
    for (int l = 0; i + l < D; l++) {
        const float g = gamma[i + l] * of_bf16(dy[i + l]);
        g_lanes[l] += g;
        gx_lanes[l] = KERNELS_MADD(g, of_bf16(xhat[i + l]), gx_lanes[l]);
    }
    if (dgamma) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dgamma[d] = KERNELS_MADD(of_bf16(dy[d]), of_bf16(xhat[d]), dgamma[d]);
    }
    if (dbeta) {
        INDEPENDENT
        for (int d = 0; d < D; d++)
            dbeta[d] += of_bf16(dy[d]);
    }
    if (!dx)
        return;
    const float mean_g = sum_lanes(g_lanes) / (float)D;
    const float mean_gx = sum_lanes(gx_lanes) / (float)D;
    INDEPENDENT
    for (int d = 0; d < D; d++) {
        const float centred = KERNELS_MADD(gamma[d], of_bf16(dy[d]), -mean_g);
        dx[d] = KERNELS_MADD(rstd, KERNELS_MADD(-of_bf16(xhat[d]), mean_gx, centred), dx[d]);
    }
}

/* The bits of a float as an integer of the same order, and back. Compilers vectorise the maximum of integers. */
KERNELS_TARGET static inline int32_t ordered_bits(int32_t bits)
{
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

/* The least and the largest of x f and 0. */
KERNELS_TARGET static inline void range_of(const uint16_t *x, const float *factor, int n,
                                           float *least, float *largest)
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

KERNELS_TARGET static float kernel_quantize(const uint16_t *x, const float *factor, int n,
                                            uint8_t *y, int32_t *zero)
{
    float least, largest;
    if (factor)
        range_of(x, factor, n, &least, &largest);
    else
        range_of(x, NULL, n, &least, &largest);
    const float step = kernels_step(least, largest), scale = step > 0 ? 1 / step : 0;
    *zero = step > 0 ? (int32_t)lrintf(-least * scale) : 0;
    /* Its sum with a small number ends in that number's integer. */
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

/* Puts the row kernels of this file into the table. */
static void overlay_rows(Kernels *table)
{
    table->exp = kernel_exp;
    table->softmax = kernel_softmax;
    table->softmax_bf16 = kernel_softmax_bf16;
    table->softmax_gradient = kernel_softmax_gradient;
    table->softmax_gradient_bf16 = kernel_softmax_gradient_bf16;
    table->quick_gelu = kernel_quick_gelu;
    table->quick_gelu_backward = kernel_quick_gelu_backward;
    table->gelu = kernel_gelu;
    table->gelu_backward = kernel_gelu_backward;
    table->layer_norm = kernel_layer_norm;
    table->layer_norm_backward = kernel_layer_norm_backward;
    table->add = kernel_add;
    table->axpy = kernel_axpy;
    table->dot = kernel_dot;
    table->to_bf16 = kernel_to_bf16;
    table->from_bf16 = kernel_from_bf16;
    table->layer_norm_bf16 = kernel_layer_norm_bf16;
    table->layer_norm_backward_bf16 = kernel_layer_norm_backward_bf16;
    table->quantize = kernel_quantize;
    table->pair = kernel_pair;
    table->finish = kernel_finish;
}
