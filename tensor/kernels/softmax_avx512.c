/*
 * softmax_avx512.c - softmax in bf16 and its gradient by hand for AVX-512 (F, BW, DQ, VL).
 *
 * rows_template.h defines what they compute; its code takes 2.7 times as long, which is 1.7 % of a
 * ViT-L/14 forward in bf16 on Zen 5. Two things that compilers do not find make the difference:
 * powers of two by vreduceps and vscalefps, which separate and apply the exponent, and rounding to
 * bf16 by one addition. Exponentials are powers of two of arguments in units of ln 2, so the values
 * agree with the reference within the contracts of kernels.h, not bit for bit. The order of each
 * sum depends on the length of the row alone.
 *
 * A step takes 32 elements: two registers of f32, one of bf16. Its mask selects the elements that
 * exist. Where the mask is the constant ALL, compilers drop the masking, so each step is written
 * once, and is used as
 *
 *     for (i = 0; i + STEP <= n; i += STEP)
 *         step(..., ALL);
 *     if (i < n)
 *         step(..., first_of(n - i));
 */
#include "tensor/kernels/kernels_private.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define INLINE __attribute__((always_inline)) TARGET static inline

enum { LANES = 16, STEP = 2 * LANES };

#define ALL 0xffffffffu

static const double LOG2_E = 1.44269504088896341, LN_2 = 0.693147180559945309;

/* STEP elements in two registers. */
typedef struct Pair {
    __m512 v[2];
} Pair;

INLINE __mmask32 first_of(size_t count)
{
    return count >= STEP ? ALL : (1u << count) - 1;
}

/* The part of the mask for register v of a Pair. */
INLINE __mmask16 half_of(__mmask32 wanted, int v)
{
    return (__mmask16)(wanted >> v * LANES);
}

INLINE __m512 constant(float value)
{
    return _mm512_set1_ps(value);
}

/* Loads elements in the mask `wanted`; the others are zero. */
INLINE Pair load_f32(const float *x, __mmask32 wanted)
{
    return (Pair){{_mm512_maskz_loadu_ps(half_of(wanted, 0), x),
                   _mm512_maskz_loadu_ps(half_of(wanted, 1), x + LANES)}};
}

/* Stores the upper halves of the elements in the mask `wanted`. */
INLINE void store_truncated(uint16_t *y, __mmask32 wanted, Pair p)
{
    const __m512i order =
        _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24,
                         22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(p.v[0]), 16);
    const __m512i both = _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_castps_si512(p.v[1]));
    _mm512_mask_storeu_epi16(y, wanted, _mm512_permutexvar_epi16(order, both));
}

/*
 * Rounds to bf16, to nearest even, in the upper half; a NaN keeps its bits and is made quiet. In
 * integer arithmetic, because vcvtneps2bf16 flushes subnormals, so that ISA levels would differ.
 */
INLINE __m512 rounded(__m512 v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    __m512i r = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
    r = _mm512_mask_add_epi32(r, odd, bits, _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_mask_or_epi32(r, nan, bits, _mm512_set1_epi32(0x400000)));
}

/* Mode of vreduceps: x - floor(x). vscalefps itself rounds its exponent down. */
enum { FLOOR = 0x9 };

/*
 * 2^t rounded to bf16, as f32 (T of fit.py: 2.9e-6, small against a rounding of 2e-3). Next to 1.5
 * 2^16, an f32 has seven bits after the point: as many as bf16 next to 1. The fused addition of 1.5
 * 2^16 therefore rounds the mantissa, once, to nearest even. (A result below 2^-126 keeps more bits
 * than bf16 has.)
 */
INLINE __m512 exp2_bf16_of(__m512 t)
{
    const __m512 r = _mm512_reduce_ps(t, FLOOR);
    const float rounder = 0x1.8p16f;
    __m512 series = constant(0.0134266862f);
    series = _mm512_fmadd_ps(series, r, constant(0.0522424698f));
    series = _mm512_fmadd_ps(series, r, constant(0.241280208f));
    series = _mm512_fmadd_ps(series, r, constant(0.693044844f));
    series = _mm512_fmadd_ps(series, r, constant(rounder + 1));
    return _mm512_scalef_ps(_mm512_sub_ps(series, constant(rounder)), t);
}

INLINE float in_base_2(float exponent)
{
    return (float)((double)exponent * LOG2_E);
}

/* log sum exp. `largest` is the largest exponent in units of ln 2; `sum` is relative to it. */
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
    for (int v = 0; v < 2; v++) /* max returns its second operand if one is NaN */
        largest[v] = _mm512_mask_max_ps(largest[v], half_of(wanted, v),
                                        _mm512_mul_ps(factor, p.v[v]), largest[v]);
}

/* Largest of factor x[n]. NaNs are ignored here; the sum passes them on. */
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

/* scale and shift of exp(scale x - shift), in units of ln 2, in every lane. */
typedef struct Exponent {
    __m512 scale, shift;
} Exponent;

INLINE Exponent exponent(float scale, float shift)
{
    return (Exponent){constant(scale), constant(shift)};
}

/* exp(scale x - shift) rounded to bf16, as f32; zero outside the mask `wanted`. */
INLINE Pair powers(const float *x, __mmask32 wanted, Exponent e)
{
    Pair p = load_f32(x, wanted);
    for (int v = 0; v < 2; v++) {
        const __m512 t = _mm512_fmsub_ps(p.v[v], e.scale, e.shift);
        p.v[v] = _mm512_maskz_mov_ps(half_of(wanted, v), exp2_bf16_of(t));
    }
    return p;
}

INLINE void softmax_bf16_step(const float *row, __mmask32 wanted, Exponent e, uint16_t *p,
                              __m512 sum[2])
{
    const Pair power = powers(row, wanted, e);
    for (int v = 0; v < 2; v++)
        sum[v] = _mm512_add_ps(sum[v], power.v[v]);
    store_truncated(p, wanted, power);
}

TARGET float kernels_softmax_bf16_avx512(const float *row, int n, float scale, uint16_t *p,
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

/* The sums of p and of p dP. */
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

/* The offset of column i in a row of a packed operand. */
INLINE ptrdiff_t in_panel(int i, ptrdiff_t step)
{
    return i / KERNELS_COLUMNS * step + i % KERNELS_COLUMNS;
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

/* Loads the first or second elements of pairs. */
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

static const Pair ZEROS;

/* Computes P of columns from i on, and adds their terms to the sums of each row. */
INLINE void recompute_pairs(const int rows, const KernelScores *s, int i, __mmask32 wanted,
                            const Exponent e[2], Sums sums[2])
{
    Pair p[2] = {ZEROS, ZEROS};
    for (int r = 0; r < rows; r++) {
        p[r] = powers(s->scores + r * s->ld + i, wanted, e[r]);
        sums_of_powers(p[r], s->dP + r * s->ld + i, wanted, sums + r);
    }
    store_pairs(s->P_pairs + in_panel(i, s->step), wanted, p);
}

INLINE void gradient_pairs(const int rows, const KernelScores *s, int i, __mmask32 wanted,
                           __m512 scale, const __m512 delta[2])
{
    Pair dS[2] = {ZEROS, ZEROS};
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

TARGET void kernels_softmax_gradient_bf16_avx512(const KernelScores *s)
{
    if (s->rows > 1)
        gradient_of_rows(2, s);
    else
        gradient_of_rows(1, s);
}

#endif
