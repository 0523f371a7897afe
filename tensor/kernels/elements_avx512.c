/*
 * elements_avx512.c - the kernels of single elements, and the end of the packed products, for AVX-512 (F, BW,
 * DQ, VL).
 *
 * What the kernels compute, and the derivations, are in elements_template.h. Instructions that compilers do not
 * find by themselves make the difference: vreduceps and vscalefps take an exponential apart and together
 * again, vrcp14ps with one Newton step replaces a division. The numbers agree with the reference within the
 * contracts of kernels.h, not bit for bit; conversions and the arithmetic of `finish` do to the bit.
 */
#include "tensor/kernels/kernels_private.h"

#if defined(__x86_64__)

#include "tensor/kernels/vector_avx512_private.h"

#include <math.h>

/* y[i] = of(x[i]). */
INLINE void map(__m512 (*of)(__m512 x), const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, of(_mm512_loadu_ps(x + i)));
    const __mmask16 rest = (__mmask16)first_of(n - i);
    if (rest)
        _mm512_mask_storeu_ps(y + i, rest, of(_mm512_maskz_loadu_ps(rest, x + i)));
}

/* y[i] = of(a[i], b[i]). */
INLINE void map_two(__m512 (*of)(__m512 a, __m512 b), const float *a, const float *b, float *y,
                    size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, of(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
    const __mmask16 rest = (__mmask16)first_of(n - i);
    if (rest)
        _mm512_mask_storeu_ps(
            y + i, rest,
            of(_mm512_maskz_loadu_ps(rest, a + i), _mm512_maskz_loadu_ps(rest, b + i)));
}

/*
 * exp(x + low), as exp_of in elements_template.h; vscalefps applies 2^k at once and rounds once. Of a minimum's
 * operands the second is returned if one is a NaN.
 */
INLINE __m512 exp_of(__m512 x, __m512 low)
{
    x = _mm512_min_ps(constant(104.0f), _mm512_max_ps(constant(-104.0f), x));
    const __m512 rounder = constant(0x1.8p23f);
    const __m512 k = _mm512_sub_ps(_mm512_fmadd_ps(x, constant(1.44269504f), rounder), rounder);
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

/* 1 / d within 1 ulp; a NaN for an infinite d. */
INLINE __m512 reciprocal(__m512 d)
{
    const __m512 near = _mm512_rcp14_ps(d);
    return _mm512_fmadd_ps(near, _mm512_fnmadd_ps(d, near, constant(1.0f)), near);
}

/* sigmoid(1.702 z) by way of a power of two; where 1 + exp(-1.702 z) overflows it is 0. */
INLINE __m512 quick_gelu_sigmoid(__m512 z)
{
    const __m512 t = _mm512_mul_ps(z, constant(-2.45546696f)); /* -1.702 / ln 2 */
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
    const __m512 s = quick_gelu_sigmoid(z);
    const __m512 change = _mm512_mul_ps(_mm512_mul_ps(z, s), _mm512_sub_ps(constant(1.0f), s));
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

/* The normal distribution, as normal_at in elements_template.h. */
INLINE Normal normal_at(__m512 z)
{
    const __m512 half = constant(-0.5f);
    const __m512 limit = constant(15.0f);
    const __m512 a = _mm512_castsi512_ps(
        _mm512_min_epu32(_mm512_castps_si512(_mm512_abs_ps(z)), _mm512_castps_si512(limit)));
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

TARGET static void add(const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_ps(y + i, _mm512_add_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
    const __mmask16 rest = (__mmask16)first_of(n - i);
    _mm512_mask_storeu_ps(
        y + i, rest,
        _mm512_add_ps(_mm512_maskz_loadu_ps(rest, x + i), _mm512_maskz_loadu_ps(rest, y + i)));
}

TARGET static void to_bf16(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        store_bf16(y + i, ALL, load_f32(x + i, ALL));
    if (i < n)
        store_bf16(y + i, first_of(n - i), load_f32(x + i, first_of(n - i)));
}

TARGET static void from_bf16(const uint16_t *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        store_f32(y + i, ALL, load_bf16(x + i, ALL));
    if (i < n)
        store_f32(y + i, first_of(n - i), load_bf16(x + i, first_of(n - i)));
}

INLINE void pair_step(const uint16_t *even, const uint16_t *odd, __mmask16 wanted, uint32_t *out)
{
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(wanted, even));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(wanted, odd));
    _mm512_mask_storeu_epi32(out, wanted, _mm512_or_epi32(low, _mm512_slli_epi32(high, 16)));
}

TARGET static void pair(const uint16_t *even, const uint16_t *odd, size_t n, uint32_t *out)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        pair_step(even + i, odd + i, 0xffff, out + i);
    if (i < n)
        pair_step(even + i, odd + i, (__mmask16)first_of(n - i), out + i);
}

/* --- The end of the packed products --- */

enum { FINISH_ROWS = 8 }; /* activated at once: enough for the call to cost nothing */

/* Sums of columns n.. of one row, in f32: scaled where they are integers, with bias and addend. */
INLINE Pair finished(const KernelFinish *f, int row, int n, __mmask32 wanted, const float *sums)
{
    const ptrdiff_t at = row * f->ld + n;
    Pair z = load_f32(sums + n, wanted);
    if (f->row_scale) {
        const __m512 row_scale = constant(f->row_scale[row]);
        const __m512i row_zero = _mm512_set1_epi32(f->row_zero[row]);
        const Pair scale = load_f32(f->column_scale + n, wanted);
        for (int v = 0; v < 2; v++) {
            const __m512i column_sum =
                _mm512_maskz_loadu_epi32(half_of(wanted, v), f->column_sum + n + v * LANES);
            const __m512i sum = _mm512_sub_epi32(_mm512_castps_si512(z.v[v]),
                                                 _mm512_mullo_epi32(row_zero, column_sum));
            z.v[v] = _mm512_mul_ps(_mm512_mul_ps(row_scale, scale.v[v]), _mm512_cvtepi32_ps(sum));
        }
    }
    if (f->bias) {
        const Pair bias = load_f32(f->bias + n, wanted);
        for (int v = 0; v < 2; v++)
            z.v[v] = _mm512_add_ps(z.v[v], bias.v[v]);
    }
    if (f->addend) {
        const Pair addend = f->type == DTYPE_F32
                                ? load_f32((const float *)f->addend + at, wanted)
                                : load_bf16((const uint16_t *)f->addend + at, wanted);
        for (int v = 0; v < 2; v++)
            z.v[v] = _mm512_add_ps(z.v[v], addend.v[v]);
    }
    return z;
}

INLINE void store_typed(DType type, void *out, ptrdiff_t at, __mmask32 wanted, Pair p)
{
    if (type == DTYPE_F32)
        store_f32((float *)out + at, wanted, p);
    else
        store_bf16((uint16_t *)out + at, wanted, p);
}

/* Up to FINISH_ROWS rows; `wanted` columns of the first and of the second 32. */
INLINE void finish_rows(const KernelFinish *f, int row, int count, const float *sums,
                        const __mmask32 wanted[2])
{
    _Alignas(64) float v[FINISH_ROWS * KERNELS_COLUMNS];
    for (int r = 0; r < count; r++) {
        for (int h = 0; h < 2; h++) {
            const int n = h * STEP, in_tile = r * KERNELS_COLUMNS;
            const Pair z = finished(f, row + r, n, wanted[h], sums + in_tile);
            if (f->z)
                store_typed(f->type, f->z, (row + r) * f->ld + n, wanted[h], z);
            if (f->activate)
                store_f32(v + in_tile + n, ALL, z);
            else
                store_typed(f->type, f->c, (row + r) * f->ld + n, wanted[h], z);
        }
    }
    if (!f->activate)
        return;
    f->activate(v, v, (size_t)(count * KERNELS_COLUMNS));
    for (int r = 0; r < count; r++)
        for (int h = 0; h < 2; h++)
            store_typed(f->type, f->c, (row + r) * f->ld + h * STEP, wanted[h],
                        load_f32(v + r * KERNELS_COLUMNS + h * STEP, ALL));
}

TARGET static void finish(const KernelFinish *f, int row, int count, const void *sums)
{
    const size_t columns = (size_t)f->columns;
    const __mmask32 all[2] = {ALL, ALL};
    const __mmask32 some[2] = {first_of(columns), columns > STEP ? first_of(columns - STEP) : 0};
    for (int r = 0; r < count; r += FINISH_ROWS) {
        const int rows = count - r < FINISH_ROWS ? count - r : FINISH_ROWS;
        const float *const from = (const float *)sums + (ptrdiff_t)r * KERNELS_COLUMNS;
        if (columns == KERNELS_COLUMNS)
            finish_rows(f, row + r, rows, from, all);
        else
            finish_rows(f, row + r, rows, from, some);
    }
}

void kernels_overlay_elements_avx512(Kernels *table)
{
    table->exp = kernel_exp;
    table->quick_gelu = quick_gelu;
    table->quick_gelu_backward = quick_gelu_backward;
    table->gelu = gelu;
    table->gelu_backward = gelu_backward;
    table->add = add;
    table->to_bf16 = to_bf16;
    table->from_bf16 = from_bf16;
    table->pair = pair;
    table->finish = finish;
}

#endif
