/*
 * rows_avx512.c - the row and element kernels for AVX-512 (F, BW, DQ, VL), on every rung from avx512 up.
 *
 * It has the kernels in which instructions that no compiler finds by itself pay: vreduceps and vscalefps
 * take an exponential apart and together again, vrcp14ps with one Newton step replaces a division,
 * masks replace scalar ends of rows. The others stay those of the rung below. What each kernel computes, and the
 * derivations, are in rows_template.h; the numbers agree with it within the contracts of kernels.h, not bit
 * for bit: exponentials are powers of two here, and sums have more partial sums.
 *
 * bf16 is rounded in integers also where the processor has vcvtneps2bf16: that instruction flushes
 * subnormals, and the rungs would differ.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define INLINE __attribute__((always_inline)) TARGET static inline

enum { LANES = 16, SUMS = 4 /* partial sums of vectors: each addition waits four cycles */ };

static const double LOG2_E = 1.44269504088896341, LN_2 = 0.693147180559945309;

INLINE __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count >= LANES ? 0xffff : (1u << count) - 1);
}

INLINE __m512 constant(float value)
{
    return _mm512_set1_ps(value);
}

/* --- bf16 --- */

INLINE __m512 widened(__m256i bf16)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

INLINE __m512 load_bf16(const uint16_t *x)
{
    return widened(_mm256_loadu_si256((const void *)x));
}

INLINE __m512 load_first_bf16(__mmask16 lanes, const uint16_t *x)
{
    return widened(_mm256_maskz_loadu_epi16(lanes, x));
}

/* Rounded to nearest even, in the upper halves; a NaN keeps its bits and is made quiet. */
INLINE __m512i rounded(__m512 v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    __m512i r = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
    r = _mm512_mask_add_epi32(r, odd, bits, _mm512_set1_epi32(0x8000));
    return _mm512_mask_or_epi32(r, nan, bits, _mm512_set1_epi32(0x400000));
}

/* The upper halves of 32 numbers. */
INLINE void store_upper(uint16_t *y, __m512i low, __m512i high)
{
    const __m512i odd_words =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    _mm512_storeu_si512(y, _mm512_permutex2var_epi16(low, odd_words, high));
}

INLINE void store_first_upper(__mmask16 lanes, uint16_t *y, __m512i v)
{
    _mm256_mask_storeu_epi16(y, lanes, _mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
}

INLINE void store_bf16(uint16_t *y, __m512 low, __m512 high)
{
    store_upper(y, rounded(low), rounded(high));
}

INLINE void store_first_bf16(__mmask16 lanes, uint16_t *y, __m512 v)
{
    store_first_upper(lanes, y, rounded(v));
}

TARGET static void to_bf16(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        store_bf16(y + i, _mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + LANES));
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes(n - i);
        store_first_bf16(lanes, y + i, _mm512_maskz_loadu_ps(lanes, x + i));
    }
}

TARGET static void from_bf16(const uint16_t *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, load_bf16(x + i));
    const __mmask16 lanes = first_lanes(n - i);
    _mm512_mask_storeu_ps(y + i, lanes, load_first_bf16(lanes, x + i));
}

/* --- Functions of one element --- */

/* y[i] = of(x[i]), and y[i] = of(a[i], b[i]). */
INLINE void map(__m512 (*of)(__m512 x), const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, of(_mm512_loadu_ps(x + i)));
    const __mmask16 lanes = first_lanes(n - i);
    if (lanes)
        _mm512_mask_storeu_ps(y + i, lanes, of(_mm512_maskz_loadu_ps(lanes, x + i)));
}

INLINE void map_two(__m512 (*of)(__m512 a, __m512 b), const float *a, const float *b, float *y,
                    size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, of(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
    const __mmask16 lanes = first_lanes(n - i);
    if (lanes)
        _mm512_mask_storeu_ps(
            y + i, lanes,
            of(_mm512_maskz_loadu_ps(lanes, a + i), _mm512_maskz_loadu_ps(lanes, b + i)));
}

/*
 * exp(x + low), as exp_of in rows_template.h. vscalefps applies 2^k at once and rounds once. The operand of
 * a minimum that is returned for a NaN is the second.
 */
INLINE __m512 exp_of(__m512 x, __m512 low)
{
    x = _mm512_min_ps(constant(104.0f), _mm512_max_ps(constant(-104.0f), x));
    const __m512 rounder = constant(0x1.8p23f);
    const __m512 k = _mm512_sub_ps(_mm512_fmadd_ps(x, constant((float)LOG2_E), rounder), rounder);
    __m512 r = _mm512_fnmadd_ps(k, constant(0.693359375f), x);
    r = _mm512_add_ps(_mm512_fnmadd_ps(k, constant(-2.12194440e-4f), r), low);

    __m512 series = constant(0.0013814612f); /* E of fit.py: relative error 3.1e-9 */
    series = _mm512_fmadd_ps(series, r, constant(0.00836870994f));
    series = _mm512_fmadd_ps(series, r, constant(0.0416683874f));
    series = _mm512_fmadd_ps(series, r, constant(0.166665207f));
    series = _mm512_fmadd_ps(series, r, constant(0.499999935f));
    series = _mm512_fmadd_ps(series, r, constant(1.0f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(series, r, constant(1.0f)), k);
}

INLINE __m512 exp_vector(__m512 x)
{
    return exp_of(x, constant(-0.0f));
}

TARGET static void kernel_exp(const float *x, float *y, size_t n)
{
    map(exp_vector, x, y, n);
}

enum { FLOOR = 0x9 }; /* what vreduceps takes away; vscalefps rounds its exponent so by itself */

/* 2^t for any t, relative error 1e-7 (Q5 of fit.py: 8.2e-8). */
INLINE __m512 exp2_of(__m512 t)
{
    const __m512 r = _mm512_reduce_ps(t, FLOOR);
    __m512 series = constant(0.0018671303f);
    series = _mm512_fmadd_ps(series, r, constant(0.00901702967f));
    series = _mm512_fmadd_ps(series, r, constant(0.0557999137f));
    series = _mm512_fmadd_ps(series, r, constant(0.24016445f));
    series = _mm512_fmadd_ps(series, r, constant(0.693151312f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(series, r, constant(1.0f)), t);
}

/*
 * 2^t rounded to bf16, as f32 (Q4 of fit.py: 2.9e-6 beside a rounding of 2e-3). Next to 1.5 2^16, an f32 has
 * seven bits after the point: as many as bf16 next to 1. The fused addition of it therefore rounds the
 * mantissa, once, to nearest even. (A result below 2^-126 keeps more bits; its upper half is it truncated.)
 */
INLINE __m512 exp2_bf16_of(__m512 t)
{
    const __m512 r = _mm512_reduce_ps(t, FLOOR);
    __m512 series = constant(0.0134266862f);
    series = _mm512_fmadd_ps(series, r, constant(0.0522424698f));
    series = _mm512_fmadd_ps(series, r, constant(0.241280208f));
    series = _mm512_fmadd_ps(series, r, constant(0.693044844f));
    const float rounder = 0x1.8p16f;
    const __m512 mantissa =
        _mm512_sub_ps(_mm512_fmadd_ps(series, r, constant(rounder + 1)), constant(rounder));
    return _mm512_scalef_ps(mantissa, t);
}

/* 1 / d within 1 ulp; a NaN for an infinite d. */
INLINE __m512 reciprocal(__m512 d)
{
    const __m512 near = _mm512_rcp14_ps(d);
    return _mm512_fmadd_ps(near, _mm512_fnmadd_ps(d, near, constant(1.0f)), near);
}

/* sigmoid(1.702 z); where 1 + exp(-1.702 z) overflows it is 0. */
INLINE __m512 quick_gelu_sigmoid(__m512 z)
{
    const __m512 t = _mm512_mul_ps(z, constant((float)(-1.702 * LOG2_E)));
    const __m512 d = _mm512_add_ps(exp2_of(t), constant(1.0f));
    const __mmask16 finite = _mm512_cmp_ps_mask(d, constant(INFINITY), _CMP_NEQ_UQ);
    return _mm512_maskz_mov_ps(finite, reciprocal(d));
}

INLINE __m512 quick_gelu_of(__m512 z)
{
    return _mm512_mul_ps(z, quick_gelu_sigmoid(z));
}

INLINE __m512 quick_gelu_gradient(__m512 z, __m512 dy)
{
    const __m512 one = constant(1.0f), s = quick_gelu_sigmoid(z);
    const __m512 change = _mm512_mul_ps(_mm512_mul_ps(z, s), _mm512_sub_ps(one, s));
    return _mm512_mul_ps(dy, _mm512_fmadd_ps(constant(1.702f), change, s));
}

TARGET static void quick_gelu(const float *z, float *y, size_t n)
{
    map(quick_gelu_of, z, y, n);
}

TARGET static void quick_gelu_backward(const float *z, const float *dy, float *dz, size_t n)
{
    map_two(quick_gelu_gradient, z, dy, dz, n);
}

typedef struct Normal {
    __m512 cdf, density;
} Normal;

/* The normal distribution, as normal_at in rows_template.h. */
INLINE Normal normal_at(__m512 z)
{
    const __m512 half = constant(-0.5f);
    const __m512i magnitude = _mm512_castps_si512(_mm512_abs_ps(z));
    const __m512 a =
        _mm512_castsi512_ps(_mm512_min_epu32(magnitude, _mm512_castps_si512(constant(15.0f))));
    const __m512 high = _mm512_castsi512_ps(
        _mm512_and_epi32(_mm512_castps_si512(a), _mm512_set1_epi32((int)0xfffff000)));
    const __m512 rest = _mm512_mul_ps(_mm512_sub_ps(a, high), _mm512_add_ps(a, high));
    const __m512 gauss =
        exp_of(_mm512_mul_ps(half, _mm512_mul_ps(high, high)), _mm512_mul_ps(half, rest));
    const __m512 t = reciprocal(_mm512_fmadd_ps(constant(0.25f), a, constant(1.0f)));

    __m512 series = constant(0.0171772088f); /* Q of fit.py: relative error 9.1e-9 */
    series = _mm512_fmadd_ps(series, t, constant(-0.0661193172f));
    series = _mm512_fmadd_ps(series, t, constant(0.0596933257f));
    series = _mm512_fmadd_ps(series, t, constant(0.0173845261f));
    series = _mm512_fmadd_ps(series, t, constant(0.0222131963f));
    series = _mm512_fmadd_ps(series, t, constant(0.0813674467f));
    series = _mm512_fmadd_ps(series, t, constant(0.0739026818f));
    series = _mm512_fmadd_ps(series, t, constant(0.0950896014f));
    series = _mm512_fmadd_ps(series, t, constant(0.0995463449f));
    series = _mm512_fmadd_ps(series, t, constant(0.09974499f));
    const __m512 tail = _mm512_mul_ps(gauss, _mm512_mul_ps(t, series));
    const __mmask16 positive = _mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_GT_OQ);
    return (Normal){.cdf = _mm512_mask_sub_ps(tail, positive, constant(1.0f), tail),
                    .density = _mm512_mul_ps(constant(0.398942280f), gauss)};
}

INLINE __m512 gelu_of(__m512 z)
{
    return _mm512_mul_ps(z, normal_at(z).cdf);
}

INLINE __m512 gelu_gradient(__m512 z, __m512 dy)
{
    const Normal normal = normal_at(z);
    return _mm512_mul_ps(dy, _mm512_fmadd_ps(z, normal.density, normal.cdf));
}

TARGET static void gelu(const float *z, float *y, size_t n)
{
    map(gelu_of, z, y, n);
}

TARGET static void gelu_backward(const float *z, const float *dy, float *dz, size_t n)
{
    map_two(gelu_gradient, z, dy, dz, n);
}

/* --- Softmax --- */

/* Largest of factor x[n]; NaNs are passed over here and come back through the sum. */
INLINE float max_scaled(const float *x, int n, float factor)
{
    const __m512 f = constant(factor);
    __m512 largest[2] = {constant(-INFINITY), constant(-INFINITY)};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int v = 0; v < 2; v++)
            largest[v] =
                _mm512_max_ps(_mm512_mul_ps(f, _mm512_loadu_ps(x + i + v * LANES)), largest[v]);
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 scaled = _mm512_mul_ps(f, _mm512_maskz_loadu_ps(lanes, x + i));
        largest[0] = _mm512_mask_max_ps(largest[0], lanes, scaled, largest[0]);
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1]));
}

/* The argument of 2^t for exp(scale x - c), given scale and c in units of ln 2. */
INLINE __m512 exponent_of(__m512 x, __m512 scale, __m512 c)
{
    return _mm512_fmsub_ps(x, scale, c);
}

/* row = exp(scale row - c), both in units of ln 2; returns the sum. */
INLINE float exp_row(float *row, int n, float scale, float c)
{
    const __m512 f = constant(scale), shift = constant(c);
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        for (int v = 0; v < 2; v++) {
            float *const at = row + i + v * LANES;
            const __m512 p = exp2_of(exponent_of(_mm512_loadu_ps(at), f, shift));
            _mm512_storeu_ps(at, p);
            sum[v] = _mm512_add_ps(sum[v], p);
        }
    }
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 p = exp2_of(exponent_of(_mm512_maskz_loadu_ps(lanes, row + i), f, shift));
        _mm512_mask_storeu_ps(row + i, lanes, p);
        sum[0] = _mm512_mask_add_ps(sum[0], lanes, sum[0], p);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1]));
}

INLINE float in_base_2(float exponent)
{
    return (float)((double)exponent * LOG2_E);
}

TARGET static float softmax(float *row, int n, float scale)
{
    const float factor = in_base_2(scale), largest = max_scaled(row, n, factor);
    const float sum = exp_row(row, n, factor, largest);
    const __m512 inverse = constant(1.0f / sum);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(row + i, _mm512_mul_ps(inverse, _mm512_loadu_ps(row + i)));
    const __mmask16 lanes = first_lanes((size_t)(n - i));
    _mm512_mask_storeu_ps(row + i, lanes,
                          _mm512_mul_ps(inverse, _mm512_maskz_loadu_ps(lanes, row + i)));
    return (float)((double)largest * LN_2 + (double)logf(sum));
}

TARGET static void softmax_again(float *row, int n, float scale, float lse)
{
    exp_row(row, n, in_base_2(scale), in_base_2(lse));
}

TARGET static float softmax_bf16(const float *row, int n, float scale, uint16_t *p,
                                 float *inverse_sum)
{
    const float factor = in_base_2(scale), largest = max_scaled(row, n, factor);
    const __m512 f = constant(factor), shift = constant(largest);
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m512 e[2];
        for (int v = 0; v < 2; v++) {
            e[v] = exp2_bf16_of(exponent_of(_mm512_loadu_ps(row + i + v * LANES), f, shift));
            sum[v] = _mm512_add_ps(sum[v], e[v]);
        }
        store_upper(p + i, _mm512_castps_si512(e[0]), _mm512_castps_si512(e[1]));
    }
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 e = exp2_bf16_of(exponent_of(_mm512_maskz_loadu_ps(lanes, row + i), f, shift));
        sum[0] = _mm512_mask_add_ps(sum[0], lanes, sum[0], e);
        store_first_upper(lanes, p + i, _mm512_castps_si512(e));
    }
    const float total = _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1]));
    *inverse_sum = 1.0f / total;
    return (float)((double)largest * LN_2 + (double)logf(total));
}

TARGET static void softmax_gradient(float *P, float *dP, int n, float scale, float lse)
{
    const __m512 f = constant(in_base_2(scale)), shift = constant(in_base_2(lse));
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        for (int v = 0; v < 2; v++) {
            float *const at = P + i + v * LANES;
            const __m512 p = exp2_of(exponent_of(_mm512_loadu_ps(at), f, shift));
            _mm512_storeu_ps(at, p);
            sum[v] = _mm512_fmadd_ps(p, _mm512_loadu_ps(dP + i + v * LANES), sum[v]);
        }
    }
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 p = exp2_of(exponent_of(_mm512_maskz_loadu_ps(lanes, P + i), f, shift));
        _mm512_mask_storeu_ps(P + i, lanes, p);
        sum[0] = _mm512_mask3_fmadd_ps(p, _mm512_maskz_loadu_ps(lanes, dP + i), sum[0], lanes);
    }
    const __m512 delta = constant(_mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1])));
    const __m512 factor = constant(scale);
    for (i = 0; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 p = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(lanes, P + i));
        const __m512 change = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, dP + i), delta);
        _mm512_mask_storeu_ps(dP + i, lanes, _mm512_mul_ps(p, change));
    }
}

TARGET static void softmax_gradient_bf16(const float *scores, const float *dP, int n, float scale,
                                         float lse, uint16_t *p, uint16_t *dS)
{
    const __m512 f = constant(in_base_2(scale)), shift = constant(in_base_2(lse));
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m512 e[2];
        for (int v = 0; v < 2; v++) {
            e[v] = exp2_bf16_of(exponent_of(_mm512_loadu_ps(scores + i + v * LANES), f, shift));
            sum[v] = _mm512_fmadd_ps(e[v], _mm512_loadu_ps(dP + i + v * LANES), sum[v]);
        }
        store_upper(p + i, _mm512_castps_si512(e[0]), _mm512_castps_si512(e[1]));
    }
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 e =
            exp2_bf16_of(exponent_of(_mm512_maskz_loadu_ps(lanes, scores + i), f, shift));
        sum[0] = _mm512_mask3_fmadd_ps(e, _mm512_maskz_loadu_ps(lanes, dP + i), sum[0], lanes);
        store_first_upper(lanes, p + i, _mm512_castps_si512(e));
    }
    const __m512 delta = constant(_mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1])));
    const __m512 factor = constant(scale);
    for (i = 0; i + 2 * LANES <= n; i += 2 * LANES) {
        __m512 d[2];
        for (int v = 0; v < 2; v++)
            d[v] = _mm512_mul_ps(_mm512_mul_ps(factor, load_bf16(p + i + v * LANES)),
                                 _mm512_sub_ps(_mm512_loadu_ps(dP + i + v * LANES), delta));
        store_bf16(dS + i, d[0], d[1]);
    }
    for (; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(n - i));
        const __m512 d = _mm512_mul_ps(_mm512_mul_ps(factor, load_first_bf16(lanes, p + i)),
                                       _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, dP + i), delta));
        store_first_bf16(lanes, dS + i, d);
    }
}

/* --- LayerNorm --- */

INLINE float sum_of(const __m512 sum[SUMS])
{
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

/* Two passes over the row: the variance of differences from the mean suffers no cancellation. */
TARGET static void row_statistics(const float *x, int D, float eps, float *mean, float *rstd)
{
    __m512 sum[SUMS], square[SUMS];
    for (int v = 0; v < SUMS; v++)
        sum[v] = square[v] = _mm512_setzero_ps();
    int i = 0;
    for (; i + SUMS * LANES <= D; i += SUMS * LANES)
        for (int v = 0; v < SUMS; v++)
            sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(x + i + v * LANES));
    for (; i < D; i += LANES)
        sum[0] = _mm512_add_ps(sum[0], _mm512_maskz_loadu_ps(first_lanes((size_t)(D - i)), x + i));
    *mean = sum_of(sum) / (float)D;

    const __m512 m = constant(*mean);
    for (i = 0; i + SUMS * LANES <= D; i += SUMS * LANES) {
        for (int v = 0; v < SUMS; v++) {
            const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i + v * LANES), m);
            square[v] = _mm512_fmadd_ps(d, d, square[v]);
        }
    }
    for (; i < D; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(D - i));
        const __m512 d = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, x + i), m);
        square[0] = _mm512_fmadd_ps(d, d, square[0]);
    }
    *rstd = 1.0f / sqrtf(sum_of(square) / (float)D + eps);
}

INLINE __m512 normalised(__m512 x, __m512 mean, __m512 rstd)
{
    return _mm512_mul_ps(_mm512_sub_ps(x, mean), rstd);
}

TARGET static void layer_norm(const float *x, const float *gamma, const float *beta, int D,
                              float eps, float *y, float *mean, float *rstd)
{
    row_statistics(x, D, eps, mean, rstd);
    const __m512 m = constant(*mean), s = constant(*rstd);
    int i = 0;
    for (; i + LANES <= D; i += LANES)
        _mm512_storeu_ps(y + i,
                         _mm512_fmadd_ps(normalised(_mm512_loadu_ps(x + i), m, s),
                                         _mm512_loadu_ps(gamma + i), _mm512_loadu_ps(beta + i)));
    const __mmask16 lanes = first_lanes((size_t)(D - i));
    const __m512 xhat = normalised(_mm512_maskz_loadu_ps(lanes, x + i), m, s);
    _mm512_mask_storeu_ps(y + i, lanes,
                          _mm512_fmadd_ps(xhat, _mm512_maskz_loadu_ps(lanes, gamma + i),
                                          _mm512_maskz_loadu_ps(lanes, beta + i)));
}

TARGET static void layer_norm_bf16(const float *x, const float *gamma, const float *beta, int D,
                                   float eps, uint16_t *y, uint16_t *xhat, float *rstd)
{
    float mean;
    row_statistics(x, D, eps, &mean, rstd);
    const __m512 m = constant(mean), s = constant(*rstd);
    int i = 0;
    for (; i + 2 * LANES <= D; i += 2 * LANES) {
        __m512 normal[2], out[2];
        for (int v = 0; v < 2; v++) {
            const int at = i + v * LANES;
            normal[v] = normalised(_mm512_loadu_ps(x + at), m, s);
            out[v] =
                _mm512_fmadd_ps(normal[v], _mm512_loadu_ps(gamma + at), _mm512_loadu_ps(beta + at));
        }
        store_bf16(y + i, out[0], out[1]);
        if (xhat)
            store_bf16(xhat + i, normal[0], normal[1]);
    }
    for (; i < D; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(D - i));
        const __m512 normal = normalised(_mm512_maskz_loadu_ps(lanes, x + i), m, s);
        store_first_bf16(lanes, y + i,
                         _mm512_fmadd_ps(normal, _mm512_maskz_loadu_ps(lanes, gamma + i),
                                         _mm512_maskz_loadu_ps(lanes, beta + i)));
        if (xhat)
            store_first_bf16(lanes, xhat + i, normal);
    }
}

/* What the backward of LayerNorm reads of one row: in f32, or xhat and dy in bf16. */
typedef struct NormRow {
    const float *x, *dy; /* or NULL, */
    const uint16_t *xhat_bf16, *dy_bf16;
    float mean, rstd; /* mean: of f32 */
} NormRow;

INLINE __m512 xhat_at(const NormRow *row, int i, __mmask16 lanes)
{
    return row->x ? normalised(_mm512_maskz_loadu_ps(lanes, row->x + i), constant(row->mean),
                               constant(row->rstd))
                  : load_first_bf16(lanes, row->xhat_bf16 + i);
}

INLINE __m512 dy_at(const NormRow *row, int i, __mmask16 lanes)
{
    return row->x ? _mm512_maskz_loadu_ps(lanes, row->dy + i)
                  : load_first_bf16(lanes, row->dy_bf16 + i);
}

/* y += x on the lanes. */
INLINE void add_at(float *y, __mmask16 lanes, __m512 x)
{
    _mm512_mask_storeu_ps(y, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, y), x));
}

INLINE void norm_backward(const NormRow row, const float *gamma, int D, float *dx, float *dgamma,
                          float *dbeta)
{
    __m512 sum_g[2], sum_gx[2];
    for (int v = 0; v < 2; v++)
        sum_g[v] = sum_gx[v] = _mm512_setzero_ps();
    for (int i = 0; i < D; i += 2 * LANES) {
        for (int v = 0; v < 2; v++) {
            const int at = i + v * LANES;
            const __mmask16 lanes = at < D ? first_lanes((size_t)(D - at)) : 0;
            const __m512 xhat = xhat_at(&row, at, lanes), dy = dy_at(&row, at, lanes);
            const __m512 g = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, gamma + at), dy);
            sum_g[v] = _mm512_add_ps(sum_g[v], g);
            sum_gx[v] = _mm512_fmadd_ps(g, xhat, sum_gx[v]);
            if (dgamma)
                _mm512_mask_storeu_ps(
                    dgamma + at, lanes,
                    _mm512_fmadd_ps(dy, xhat, _mm512_maskz_loadu_ps(lanes, dgamma + at)));
            if (dbeta)
                add_at(dbeta + at, lanes, dy);
        }
    }
    if (!dx)
        return;
    const __m512 mean_g =
        constant(_mm512_reduce_add_ps(_mm512_add_ps(sum_g[0], sum_g[1])) / (float)D);
    const __m512 mean_gx =
        constant(_mm512_reduce_add_ps(_mm512_add_ps(sum_gx[0], sum_gx[1])) / (float)D);
    for (int i = 0; i < D; i += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(D - i));
        const __m512 centred =
            _mm512_fmsub_ps(_mm512_maskz_loadu_ps(lanes, gamma + i), dy_at(&row, i, lanes), mean_g);
        const __m512 change = _mm512_fnmadd_ps(xhat_at(&row, i, lanes), mean_gx, centred);
        _mm512_mask_storeu_ps(
            dx + i, lanes,
            _mm512_fmadd_ps(constant(row.rstd), change, _mm512_maskz_loadu_ps(lanes, dx + i)));
    }
}

TARGET static void layer_norm_backward(const float *x, const float *gamma, const float *dy, int D,
                                       float mean, float rstd, float *dx, float *dgamma,
                                       float *dbeta)
{
    norm_backward((NormRow){.x = x, .dy = dy, .mean = mean, .rstd = rstd}, gamma, D, dx, dgamma,
                  dbeta);
}

TARGET static void layer_norm_backward_bf16(const uint16_t *xhat, const float *gamma,
                                            const uint16_t *dy, int D, float rstd, float *dx,
                                            float *dgamma, float *dbeta)
{
    norm_backward((NormRow){.xhat_bf16 = xhat, .dy_bf16 = dy, .rstd = rstd}, gamma, D, dx, dgamma,
                  dbeta);
}

/* --- int8 and the products' ends --- */

/* Of 32 numbers in bf16 and their factors: those of even and those of odd index. */
typedef struct Halves {
    __m512 even, odd;
} Halves;

INLINE __mmask32 first_words(int count)
{
    return count >= 32 ? 0xffffffff : (1u << count) - 1;
}

INLINE Halves scaled_at(const uint16_t *x, const float *factor, int count)
{
    const __m512i words = _mm512_maskz_loadu_epi16(first_words(count), x);
    Halves h = {
        .even = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16)),
        .odd = _mm512_castsi512_ps(_mm512_and_epi32(words, _mm512_set1_epi32((int)0xffff0000)))};
    if (factor) {
        const __m512i even =
            _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        const __mmask32 words_wanted = first_words(count);
        const __m512 low = _mm512_maskz_loadu_ps((__mmask16)words_wanted, factor);
        const __m512 high =
            count > LANES
                ? _mm512_maskz_loadu_ps((__mmask16)(words_wanted >> LANES), factor + LANES)
                : low;
        h.even = _mm512_mul_ps(h.even, _mm512_permutex2var_ps(low, even, high));
        h.odd = _mm512_mul_ps(h.odd, _mm512_permutex2var_ps(low, odd, high));
    }
    return h;
}

INLINE float quantize_row(const uint16_t *x, const float *factor, int n, uint8_t *y)
{
    __m512 largest = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 2 * LANES) {
        const Halves h = scaled_at(x + i, factor ? factor + i : NULL, n - i);
        largest =
            _mm512_max_ps(largest, _mm512_max_ps(_mm512_abs_ps(h.even), _mm512_abs_ps(h.odd)));
    }
    const float m = _mm512_reduce_max_ps(largest);
    const __m512 scale = constant(m > 0 ? 127.0f / m : 0.0f);
    const __m512 rounder = constant(0x1.8p23f + 128); /* its sums end in the byte wanted */
    for (int i = 0; i < n; i += 2 * LANES) {
        const Halves h = scaled_at(x + i, factor ? factor + i : NULL, n - i);
        const __m512i even =
            _mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(h.even, scale), rounder));
        const __m512i odd =
            _mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(h.odd, scale), rounder));
        const __m512i bytes =
            _mm512_ternarylogic_epi32(even, _mm512_slli_epi32(odd, 8), _mm512_set1_epi32(0xff),
                                      0xac /* third ? first : second */);
        _mm256_mask_storeu_epi8(y + i, first_words(n - i), _mm512_cvtepi32_epi16(bytes));
    }
    return m / 127.0f;
}

TARGET static float quantize(const uint16_t *x, const float *factor, int n, uint8_t *y)
{
    return factor ? quantize_row(x, factor, n, y) : quantize_row(x, NULL, n, y);
}

TARGET static void pair(const uint16_t *even, const uint16_t *odd, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 lanes = first_lanes(n - i);
        const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, even + i));
        const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, odd + i));
        _mm512_mask_storeu_epi32(out + i, lanes, _mm512_or_epi32(low, _mm512_slli_epi32(high, 16)));
    }
}

enum { FINISH_ROWS = 8 }; /* activated at once: enough for the call to cost nothing */

/* One row of sums, in f32: scaled where they are integers, with bias and addend. */
INLINE void finish_row(const KernelFinish *f, int row, const void *sums, float *z)
{
    for (int n = 0; n < f->columns; n += LANES) {
        const __mmask16 lanes = first_lanes((size_t)(f->columns - n));
        const ptrdiff_t at = row * f->ld + n;
        __m512 v;
        if (f->row_scale) {
            const __m512i sum = _mm512_maskz_loadu_epi32(lanes, (const int32_t *)sums + n);
            const __m512i zero = _mm512_maskz_loadu_epi32(lanes, f->column_zero + n);
            v = _mm512_mul_ps(_mm512_mul_ps(constant(f->row_scale[row]),
                                            _mm512_maskz_loadu_ps(lanes, f->column_scale + n)),
                              _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, zero)));
        } else {
            v = _mm512_maskz_loadu_ps(lanes, (const float *)sums + n);
        }
        if (f->bias)
            v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, f->bias + n));
        if (f->addend && f->type == DTYPE_F32)
            v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, (const float *)f->addend + at));
        else if (f->addend)
            v = _mm512_add_ps(v, load_first_bf16(lanes, (const uint16_t *)f->addend + at));
        _mm512_storeu_ps(z + n, v);
    }
}

/* Stores v [count,64] as rows from `row` on of out. */
INLINE void store_rows(const KernelFinish *f, int row, int count, const float *v, void *out)
{
    for (int r = 0; r < count; r++, v += KERNELS_COLUMNS) {
        const ptrdiff_t start = (row + r) * f->ld;
        if (f->type == DTYPE_BF16) {
            to_bf16(v, (uint16_t *)out + start, (size_t)f->columns);
        } else {
            for (int n = 0; n < f->columns; n += LANES)
                _mm512_mask_storeu_ps((float *)out + start + n,
                                      first_lanes((size_t)(f->columns - n)),
                                      _mm512_loadu_ps(v + n));
        }
    }
}

TARGET static void finish(const KernelFinish *f, int row, int count, const void *sums)
{
    _Alignas(64) float v[FINISH_ROWS * KERNELS_COLUMNS];
    for (int r = 0; r < count; r += FINISH_ROWS) {
        const int rows = count - r < FINISH_ROWS ? count - r : FINISH_ROWS;
        for (int i = 0; i < rows; i++)
            finish_row(f, row + r + i, (const float *)sums + (ptrdiff_t)(r + i) * KERNELS_COLUMNS,
                       v + i * KERNELS_COLUMNS);
        if (f->z)
            store_rows(f, row + r, rows, v, f->z);
        if (f->activate && f->columns == KERNELS_COLUMNS) {
            f->activate(v, v, (size_t)(rows * KERNELS_COLUMNS));
        } else if (f->activate) {
            for (int i = 0; i < rows; i++)
                f->activate(v + i * KERNELS_COLUMNS, v + i * KERNELS_COLUMNS, (size_t)f->columns);
        }
        store_rows(f, row + r, rows, v, f->c);
    }
}

void kernels_overlay_rows_avx512(Kernels *table)
{
    table->exp = kernel_exp;
    table->softmax = softmax;
    table->softmax_again = softmax_again;
    table->softmax_bf16 = softmax_bf16;
    table->softmax_gradient = softmax_gradient;
    table->softmax_gradient_bf16 = softmax_gradient_bf16;
    table->quick_gelu = quick_gelu;
    table->quick_gelu_backward = quick_gelu_backward;
    table->gelu = gelu;
    table->gelu_backward = gelu_backward;
    table->layer_norm = layer_norm;
    table->layer_norm_backward = layer_norm_backward;
    table->to_bf16 = to_bf16;
    table->from_bf16 = from_bf16;
    table->layer_norm_bf16 = layer_norm_bf16;
    table->layer_norm_backward_bf16 = layer_norm_backward_bf16;
    table->quantize = quantize;
    table->pair = pair;
    table->finish = finish;
}

#endif
