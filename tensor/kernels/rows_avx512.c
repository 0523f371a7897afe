/*
 * rows_avx512.c - the kernels of whole rows for AVX-512 (F, BW, DQ, VL): softmax, LayerNorm, quantisation.
 *
 * What they compute is in rows_template.h. Exponentials are powers of two here, of arguments in units of
 * ln 2, and LayerNorm has more partial sums, so numbers agree with the reference within the contracts of
 * kernels.h, not bit for bit; quantised bytes do to the bit. Every sum's order follows from the length of the
 * row alone.
 */
#include "tensor/kernels/kernels_private.h"

#if defined(__x86_64__)

#include "tensor/kernels/vector_avx512_private.h"

#include <math.h>

static const double LOG2_E = 1.44269504088896341, LN_2 = 0.693147180559945309;

/* --- Softmax --- */

INLINE float in_base_2(float exponent)
{
    return (float)((double)exponent * LOG2_E);
}

/* log sum exp from the largest exponent, in units of ln 2, and the sum beside it. */
INLINE float log_sum(float largest, float sum)
{
    return (float)((double)largest * LN_2 + (double)logf(sum));
}

INLINE float sum_of(const __m512 sum[2])
{
    return _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1]));
}

INLINE void max_step(const float *x, __mmask32 wanted, __m512 factor, __m512 largest[2])
{
    const Pair p = load_f32(x, wanted);
    for (int v = 0; v < 2; v++) /* of two operands, max returns the second if one is a NaN */
        largest[v] = _mm512_mask_max_ps(largest[v], half_of(wanted, v),
                                        _mm512_mul_ps(factor, p.v[v]), largest[v]);
}

/* Largest of factor x[n]; NaNs are passed over here and come back through the sum. */
INLINE float max_scaled(const float *x, int n, float factor)
{
    const __m512 f = constant(factor);
    __m512 largest[2] = {constant(-INFINITY), constant(-INFINITY)};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        max_step(x + i, ALL, f, largest);
    if (i < n)
        max_step(x + i, first_of((size_t)(n - i)), f, largest);
    return _mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1]));
}

/* How exp(scale x - shift) is computed: both in units of ln 2, in every lane. */
typedef struct Exponent {
    __m512 scale, shift;
} Exponent;

INLINE Exponent exponent(float scale, float shift)
{
    return (Exponent){constant(scale), constant(shift)};
}

/* The powers, zero where not wanted: f32, or rounded to bf16. */
INLINE Pair powers(const float *x, __mmask32 wanted, Exponent e, int to_bf16)
{
    Pair p = load_f32(x, wanted);
    for (int v = 0; v < 2; v++) {
        const __m512 t = _mm512_fmsub_ps(p.v[v], e.scale, e.shift);
        p.v[v] = _mm512_maskz_mov_ps(half_of(wanted, v), to_bf16 ? exp2_bf16_of(t) : exp2_of(t));
    }
    return p;
}

INLINE void exp_step(float *row, __mmask32 wanted, Exponent e, __m512 sum[2])
{
    const Pair p = powers(row, wanted, e, 0);
    store_f32(row, wanted, p);
    for (int v = 0; v < 2; v++)
        sum[v] = _mm512_add_ps(sum[v], p.v[v]);
}

/* Makes a row its powers; returns their sum. */
INLINE float exp_row(float *row, int n, Exponent e)
{
    __m512 sum[2] = {constant(0), constant(0)};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        exp_step(row + i, ALL, e, sum);
    if (i < n)
        exp_step(row + i, first_of((size_t)(n - i)), e, sum);
    return sum_of(sum);
}

INLINE void scale_step(float *row, __mmask32 wanted, __m512 factor)
{
    const Pair p = load_f32(row, wanted);
    store_f32(row, wanted, (Pair){{_mm512_mul_ps(factor, p.v[0]), _mm512_mul_ps(factor, p.v[1])}});
}

TARGET static float softmax(float *row, int n, float scale)
{
    const float factor = in_base_2(scale), largest = max_scaled(row, n, factor);
    const float sum = exp_row(row, n, exponent(factor, largest));
    const __m512 inverse = constant(1.0f / sum);
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        scale_step(row + i, ALL, inverse);
    if (i < n)
        scale_step(row + i, first_of((size_t)(n - i)), inverse);
    return log_sum(largest, sum);
}

INLINE void softmax_bf16_step(const float *row, __mmask32 wanted, Exponent e, uint16_t *p,
                              __m512 sum[2])
{
    const Pair power = powers(row, wanted, e, 1);
    for (int v = 0; v < 2; v++)
        sum[v] = _mm512_add_ps(sum[v], power.v[v]);
    store_truncated(p, wanted, power);
}

TARGET static float softmax_bf16(const float *row, int n, float scale, uint16_t *p,
                                 float *inverse_sum)
{
    const float factor = in_base_2(scale), largest = max_scaled(row, n, factor);
    const Exponent e = exponent(factor, largest);
    __m512 sum[2] = {constant(0), constant(0)};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        softmax_bf16_step(row + i, ALL, e, p + i, sum);
    if (i < n)
        softmax_bf16_step(row + i, first_of((size_t)(n - i)), e, p + i, sum);
    const float total = sum_of(sum);
    *inverse_sum = 1.0f / total;
    return log_sum(largest, total);
}

/* sum p, sum p dP */
typedef struct Sums {
    __m512 p[2], p_dP[2];
} Sums;

INLINE void sums_of_powers(Pair p, const float *dP, __mmask32 wanted, Sums *sums)
{
    const Pair d = load_f32(dP, wanted);
    for (int v = 0; v < 2; v++) {
        sums->p[v] = _mm512_add_ps(sums->p[v], p.v[v]);
        sums->p_dP[v] = _mm512_fmadd_ps(p.v[v], d.v[v], sums->p_dP[v]);
    }
}

/* delta = sum p dP / sum p */
INLINE __m512 delta_of(const Sums *sums)
{
    return constant(sum_of(sums->p_dP) / sum_of(sums->p));
}

/* scale p (dP - delta) */
INLINE Pair score_gradient(Pair p, const float *dP, __mmask32 wanted, __m512 scale, __m512 delta)
{
    const Pair d = load_f32(dP, wanted);
    for (int v = 0; v < 2; v++)
        p.v[v] = _mm512_mul_ps(_mm512_mul_ps(scale, p.v[v]), _mm512_sub_ps(d.v[v], delta));
    return p;
}

INLINE void recompute_step(float *P, const float *dP, __mmask32 wanted, Exponent e, Sums *sums)
{
    const Pair p = powers(P, wanted, e, 0);
    store_f32(P, wanted, p);
    sums_of_powers(p, dP, wanted, sums);
}

INLINE void gradient_step(const float *P, float *dP, __mmask32 wanted, __m512 scale, __m512 delta)
{
    store_f32(dP, wanted, score_gradient(load_f32(P, wanted), dP, wanted, scale, delta));
}

/* Where column i of a row of a packed operand lies. */
INLINE ptrdiff_t in_panel(int i, ptrdiff_t step)
{
    return i / KERNELS_COLUMNS * step + i % KERNELS_COLUMNS;
}

TARGET static void softmax_gradient(float *P, float *dP, ptrdiff_t step, int n, float scale,
                                    float lse)
{
    const Exponent e = exponent(in_base_2(scale), in_base_2(lse));
    Sums sums = {{constant(0), constant(0)}, {constant(0), constant(0)}};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        recompute_step(P + in_panel(i, step), dP + in_panel(i, step), ALL, e, &sums);
    if (i < n)
        recompute_step(P + in_panel(i, step), dP + in_panel(i, step), first_of((size_t)(n - i)), e,
                       &sums);
    const __m512 factor = constant(scale), delta = delta_of(&sums);
    for (i = 0; i + STEP <= n; i += STEP)
        gradient_step(P + in_panel(i, step), dP + in_panel(i, step), ALL, factor, delta);
    if (i < n)
        gradient_step(P + in_panel(i, step), dP + in_panel(i, step), first_of((size_t)(n - i)),
                      factor, delta);
}

/* Stores the upper halves of two rows as pairs. */
INLINE void store_pairs(uint32_t *pairs, __mmask32 wanted, const Pair rows[2])
{
    for (int v = 0; v < 2; v++) {
        const __m512i even = _mm512_srli_epi32(_mm512_castps_si512(rows[0].v[v]), 16);
        const __m512i odd = _mm512_castps_si512(rows[1].v[v]);
        _mm512_mask_storeu_epi32(pairs + v * LANES, half_of(wanted, v),
                                 _mm512_mask_mov_epi16(even, 0xaaaaaaaa, odd));
    }
}

/* One of the two rows that lie in pairs. */
INLINE Pair load_half(const uint32_t *pairs, __mmask32 wanted, const int row)
{
    Pair p;
    for (int v = 0; v < 2; v++) {
        const __m512i both = _mm512_maskz_loadu_epi32(half_of(wanted, v), pairs + v * LANES);
        p.v[v] =
            _mm512_castsi512_ps(row ? _mm512_and_si512(both, _mm512_set1_epi32((int)0xffff0000))
                                    : _mm512_slli_epi32(both, 16));
    }
    return p;
}

static const Pair NO_NUMBERS;

/* P of columns from i on, and what they add to the sums of each row. */
INLINE void recompute_pairs(const int rows, const KernelScores *s, int i, __mmask32 wanted,
                            const Exponent e[2], Sums sums[2])
{
    Pair p[2] = {NO_NUMBERS, NO_NUMBERS};
    for (int r = 0; r < rows; r++) {
        p[r] = powers(s->scores + r * s->ld + i, wanted, e[r], 1);
        sums_of_powers(p[r], s->dP + r * s->ld + i, wanted, sums + r);
    }
    store_pairs(s->P_pairs + in_panel(i, s->step), wanted, p);
}

INLINE void gradient_pairs(const int rows, const KernelScores *s, int i, __mmask32 wanted,
                           __m512 scale, const __m512 delta[2])
{
    Pair dS[2] = {NO_NUMBERS, NO_NUMBERS};
    for (int r = 0; r < rows; r++) {
        const Pair p = load_half(s->P_pairs + in_panel(i, s->step), wanted, r);
        const Pair exact = score_gradient(p, s->dP + r * s->ld + i, wanted, scale, delta[r]);
        dS[r] = (Pair){{rounded(exact.v[0]), rounded(exact.v[1])}};
        store_truncated(s->dS + r * s->ld_dS + i, wanted, dS[r]);
    }
    store_pairs(s->dS_pairs + in_panel(i, s->step), wanted, dS);
}

INLINE void gradient_of_rows(const int rows, const KernelScores *s)
{
    const __m512 zero = constant(0), scale = constant(s->scale);
    Exponent e[2];
    Sums sums[2];
    __m512 delta[2];
    for (int r = 0; r < rows; r++) {
        e[r] = exponent(in_base_2(s->scale), in_base_2(s->lse[r]));
        sums[r] = (Sums){{zero, zero}, {zero, zero}};
    }
    int i = 0;
    for (; i + STEP <= s->n; i += STEP)
        recompute_pairs(rows, s, i, ALL, e, sums);
    if (i < s->n)
        recompute_pairs(rows, s, i, first_of((size_t)(s->n - i)), e, sums);
    for (int r = 0; r < rows; r++)
        delta[r] = delta_of(sums + r);
    for (i = 0; i + STEP <= s->n; i += STEP)
        gradient_pairs(rows, s, i, ALL, scale, delta);
    if (i < s->n)
        gradient_pairs(rows, s, i, first_of((size_t)(s->n - i)), scale, delta);
}

TARGET static void softmax_gradient_bf16(const KernelScores *s)
{
    if (s->rows > 1)
        gradient_of_rows(2, s);
    else
        gradient_of_rows(1, s);
}

/* --- LayerNorm --- */

enum { SUMS = 4 }; /* an addition waits four cycles for the one before it in the same register */

INLINE float sum_of_four(const __m512 sum[SUMS])
{
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

/* Two passes over the row: the variance of differences from the mean suffers no cancellation. */
INLINE void row_statistics(const float *x, int D, float eps, float *mean, float *rstd)
{
    __m512 sum[SUMS], square[SUMS];
    for (int v = 0; v < SUMS; v++)
        sum[v] = square[v] = constant(0);
    int i = 0;
    for (; i + SUMS * LANES <= D; i += SUMS * LANES)
        for (int v = 0; v < SUMS; v++)
            sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(x + i + v * LANES));
    for (; i < D; i += STEP) {
        const Pair p = load_f32(x + i, first_of((size_t)(D - i)));
        for (int v = 0; v < 2; v++)
            sum[v] = _mm512_add_ps(sum[v], p.v[v]);
    }
    *mean = sum_of_four(sum) / (float)D;

    const __m512 m = constant(*mean);
    for (i = 0; i + SUMS * LANES <= D; i += SUMS * LANES) {
        for (int v = 0; v < SUMS; v++) {
            const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i + v * LANES), m);
            square[v] = _mm512_fmadd_ps(d, d, square[v]);
        }
    }
    for (; i < D; i += STEP) {
        const __mmask32 wanted = first_of((size_t)(D - i));
        const Pair p = load_f32(x + i, wanted);
        for (int v = 0; v < 2; v++) {
            const __m512 d = _mm512_maskz_sub_ps(half_of(wanted, v), p.v[v], m);
            square[v] = _mm512_fmadd_ps(d, d, square[v]);
        }
    }
    *rstd = kernels_rstd(sum_of_four(square) / (float)D + eps);
}

/* What normalises a row, in every lane, and the parameters that follow. */
typedef struct Norm {
    __m512 mean, rstd;
    const float *gamma, *beta;
} Norm;

INLINE Pair normalised(const float *x, __mmask32 wanted, const Norm *norm)
{
    Pair p = load_f32(x, wanted);
    for (int v = 0; v < 2; v++)
        p.v[v] = _mm512_mul_ps(_mm512_sub_ps(p.v[v], norm->mean), norm->rstd);
    return p;
}

/* gamma xhat + beta for elements from i on. */
INLINE Pair scaled(Pair xhat, int i, __mmask32 wanted, const Norm *norm)
{
    const Pair gamma = load_f32(norm->gamma + i, wanted), beta = load_f32(norm->beta + i, wanted);
    for (int v = 0; v < 2; v++)
        xhat.v[v] = _mm512_fmadd_ps(xhat.v[v], gamma.v[v], beta.v[v]);
    return xhat;
}

INLINE void norm_step(const float *x, int i, __mmask32 wanted, const Norm *norm, float *y)
{
    store_f32(y + i, wanted, scaled(normalised(x + i, wanted, norm), i, wanted, norm));
}

TARGET static void layer_norm(const float *x, const float *gamma, const float *beta, int D,
                              float eps, float *y, float *mean, float *rstd)
{
    float m, s;
    row_statistics(x, D, eps, &m, &s);
    const Norm norm = {constant(m), constant(s), gamma, beta};
    int i = 0;
    for (; i + STEP <= D; i += STEP)
        norm_step(x, i, ALL, &norm, y);
    if (i < D)
        norm_step(x, i, first_of((size_t)(D - i)), &norm, y);
    *mean = m;
    *rstd = s;
}

INLINE void norm_bf16_step(const float *x, int i, __mmask32 wanted, const Norm *norm, uint16_t *y,
                           uint16_t *xhat)
{
    const Pair p = normalised(x + i, wanted, norm);
    if (xhat)
        store_bf16(xhat + i, wanted, p);
    store_bf16(y + i, wanted, scaled(p, i, wanted, norm));
}

TARGET static void layer_norm_bf16(const float *x, const float *gamma, const float *beta, int D,
                                   float eps, uint16_t *y, uint16_t *xhat, float *rstd)
{
    float m, s;
    row_statistics(x, D, eps, &m, &s);
    const Norm norm = {constant(m), constant(s), gamma, beta};
    int i = 0;
    for (; i + STEP <= D; i += STEP)
        norm_bf16_step(x, i, ALL, &norm, y, xhat);
    if (i < D)
        norm_bf16_step(x, i, first_of((size_t)(D - i)), &norm, y, xhat);
    *rstd = s;
}

/* What the backward of LayerNorm reads and adds to: x and dy in f32, or (x NULL) xhat and dy in bf16. */
typedef struct NormBackward {
    const float *x, *dy;
    const uint16_t *xhat_bf16, *dy_bf16;
    Norm norm;
    float *dx, *dgamma, *dbeta; /* or NULL */
    __m512 sum_g[2], sum_gx[2];
} NormBackward;

INLINE Pair xhat_at(const NormBackward *b, int i, __mmask32 wanted)
{
    return b->x ? normalised(b->x + i, wanted, &b->norm) : load_bf16(b->xhat_bf16 + i, wanted);
}

INLINE Pair dy_at(const NormBackward *b, int i, __mmask32 wanted)
{
    return b->x ? load_f32(b->dy + i, wanted) : load_bf16(b->dy_bf16 + i, wanted);
}

INLINE void sums_step(NormBackward *b, int i, __mmask32 wanted)
{
    const Pair xhat = xhat_at(b, i, wanted), dy = dy_at(b, i, wanted);
    const Pair gamma = load_f32(b->norm.gamma + i, wanted);
    for (int v = 0; v < 2; v++) {
        const __m512 g = _mm512_mul_ps(gamma.v[v], dy.v[v]);
        b->sum_g[v] = _mm512_add_ps(b->sum_g[v], g);
        b->sum_gx[v] = _mm512_mask3_fmadd_ps(g, xhat.v[v], b->sum_gx[v], half_of(wanted, v));
    }
    if (b->dgamma) {
        Pair p = load_f32(b->dgamma + i, wanted);
        for (int v = 0; v < 2; v++)
            p.v[v] = _mm512_fmadd_ps(dy.v[v], xhat.v[v], p.v[v]);
        store_f32(b->dgamma + i, wanted, p);
    }
    if (b->dbeta) {
        Pair p = load_f32(b->dbeta + i, wanted);
        for (int v = 0; v < 2; v++)
            p.v[v] = _mm512_add_ps(p.v[v], dy.v[v]);
        store_f32(b->dbeta + i, wanted, p);
    }
}

INLINE void dx_step(const NormBackward *b, int i, __mmask32 wanted, __m512 mean_g, __m512 mean_gx)
{
    const Pair xhat = xhat_at(b, i, wanted), dy = dy_at(b, i, wanted);
    const Pair gamma = load_f32(b->norm.gamma + i, wanted);
    Pair dx = load_f32(b->dx + i, wanted);
    for (int v = 0; v < 2; v++) {
        const __m512 centred = _mm512_fmsub_ps(gamma.v[v], dy.v[v], mean_g);
        const __m512 change = _mm512_fnmadd_ps(xhat.v[v], mean_gx, centred);
        dx.v[v] = _mm512_fmadd_ps(b->norm.rstd, change, dx.v[v]);
    }
    store_f32(b->dx + i, wanted, dx);
}

INLINE void norm_backward(NormBackward b, int D)
{
    for (int v = 0; v < 2; v++)
        b.sum_g[v] = b.sum_gx[v] = constant(0);
    int i = 0;
    for (; i + STEP <= D; i += STEP)
        sums_step(&b, i, ALL);
    if (i < D)
        sums_step(&b, i, first_of((size_t)(D - i)));
    if (!b.dx)
        return;
    const __m512 mean_g = constant(sum_of(b.sum_g) / (float)D);
    const __m512 mean_gx = constant(sum_of(b.sum_gx) / (float)D);
    for (i = 0; i + STEP <= D; i += STEP)
        dx_step(&b, i, ALL, mean_g, mean_gx);
    if (i < D)
        dx_step(&b, i, first_of((size_t)(D - i)), mean_g, mean_gx);
}

TARGET static void layer_norm_backward(const float *x, const float *gamma, const float *dy, int D,
                                       float mean, float rstd, float *dx, float *dgamma,
                                       float *dbeta)
{
    norm_backward((NormBackward){.x = x,
                                 .dy = dy,
                                 .norm = {constant(mean), constant(rstd), gamma, NULL},
                                 .dx = dx,
                                 .dgamma = dgamma,
                                 .dbeta = dbeta},
                  D);
}

TARGET static void layer_norm_backward_bf16(const uint16_t *xhat, const float *gamma,
                                            const uint16_t *dy, int D, float rstd, float *dx,
                                            float *dgamma, float *dbeta)
{
    norm_backward((NormBackward){.xhat_bf16 = xhat,
                                 .dy_bf16 = dy,
                                 .norm = {constant(0), constant(rstd), gamma, NULL},
                                 .dx = dx,
                                 .dgamma = dgamma,
                                 .dbeta = dbeta},
                  D);
}

/* --- Quantisation --- */

/* 32 numbers in bf16 times their factors (NULL: 1): those of even index, then those of odd index. */
INLINE Pair even_and_odd(const uint16_t *x, const float *factor, __mmask32 wanted)
{
    const __m512i words = _mm512_maskz_loadu_epi16(wanted, x);
    Pair p = {{_mm512_castsi512_ps(_mm512_slli_epi32(words, 16)),
               _mm512_castsi512_ps(_mm512_and_epi32(words, _mm512_set1_epi32((int)0xffff0000)))}};
    if (factor) {
        const Pair f = load_f32(factor, wanted);
        const __m512i even =
            _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        p.v[0] = _mm512_mul_ps(p.v[0], _mm512_permutex2var_ps(f.v[0], even, f.v[1]));
        p.v[1] = _mm512_mul_ps(p.v[1], _mm512_permutex2var_ps(f.v[0], odd, f.v[1]));
    }
    return p;
}

/*
 * The least and the largest so far, and 0; and the largest word without its sign, which is 0x7f80 or more for
 * infinity and NaN: minimum and maximum would lose NaN.
 */
typedef struct Range {
    __m512 least, largest;
    __m512i words;
} Range;

INLINE Range range_step(const uint16_t *x, const float *factor, __mmask32 wanted, Range range)
{
    const Pair p = even_and_odd(x, factor, wanted);
    range.least = _mm512_min_ps(range.least, _mm512_min_ps(p.v[0], p.v[1]));
    range.largest = _mm512_max_ps(range.largest, _mm512_max_ps(p.v[0], p.v[1]));
    const __m512i magnitudes =
        _mm512_and_si512(_mm512_maskz_loadu_epi16(wanted, x), _mm512_set1_epi16(0x7fff));
    range.words = _mm512_max_epu16(range.words, magnitudes);
    return range;
}

enum { THIRD_CHOOSES = 0xac }; /* vpternlog: the first where the third is 1, else the second */

/* The sums of `rounder` end in the byte wanted. */
INLINE void quantize_step(const uint16_t *x, const float *factor, __mmask32 wanted, __m512 scale,
                          __m512 rounder, uint8_t *y)
{
    const Pair p = even_and_odd(x, factor, wanted);
    __m512i ends[2];
    for (int v = 0; v < 2; v++)
        ends[v] = _mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(p.v[v], scale), rounder));
    const __m512i bytes = _mm512_ternarylogic_epi32(ends[0], _mm512_slli_epi32(ends[1], 8),
                                                    _mm512_set1_epi32(0xff), THIRD_CHOOSES);
    _mm256_mask_storeu_epi8(y, wanted, _mm512_cvtepi32_epi16(bytes));
}

INLINE float quantize_row(const uint16_t *x, const float *factor, int n, uint8_t *y, int32_t *zero)
{
    Range range = {constant(0), constant(0), _mm512_setzero_si512()};
    int i = 0;
    for (; i + STEP <= n; i += STEP)
        range = range_step(x + i, factor ? factor + i : NULL, ALL, range);
    if (i < n)
        range = range_step(x + i, factor ? factor + i : NULL, first_of((size_t)(n - i)), range);
    const float least = _mm512_reduce_min_ps(range.least);
    const bool finite = _mm512_cmpge_epu16_mask(range.words, _mm512_set1_epi16(0x7f80)) == 0;
    const float step = finite ? kernels_step(least, _mm512_reduce_max_ps(range.largest)) : NAN;
    const float inverse = step > 0 ? 1 / step : 0;
    *zero = step > 0 ? _mm_cvtss_si32(_mm_set_ss(-least * inverse)) : 0;
    const __m512 scale = constant(inverse), rounder = constant(0x1.8p23f + (float)*zero);
    for (i = 0; i + STEP <= n; i += STEP)
        quantize_step(x + i, factor ? factor + i : NULL, ALL, scale, rounder, y + i);
    if (i < n)
        quantize_step(x + i, factor ? factor + i : NULL, first_of((size_t)(n - i)), scale, rounder,
                      y + i);
    return step;
}

TARGET static float quantize(const uint16_t *x, const float *factor, int n, uint8_t *y,
                             int32_t *zero)
{
    return factor ? quantize_row(x, factor, n, y, zero) : quantize_row(x, NULL, n, y, zero);
}

void kernels_overlay_rows_avx512(Kernels *table)
{
    table->softmax = softmax;
    table->softmax_bf16 = softmax_bf16;
    table->softmax_gradient = softmax_gradient;
    table->softmax_gradient_bf16 = softmax_gradient_bf16;
    table->layer_norm = layer_norm;
    table->layer_norm_backward = layer_norm_backward;
    table->layer_norm_bf16 = layer_norm_bf16;
    table->layer_norm_backward_bf16 = layer_norm_backward_bf16;
    table->quantize = quantize;
}

#endif
