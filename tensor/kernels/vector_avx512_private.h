/*
 * vector_avx512_private.h - the vocabulary of rows_avx512.c and elements_avx512.c. Private to them.
 *
 * Kernels advance by 32 elements: two registers of f32, one of bf16. A step takes the mask of those that
 * exist; given ALL as a constant, compilers drop the masking, so a kernel is one step, written once, and
 *
 *     for (i = 0; i + STEP <= n; i += STEP)
 *         step(..., ALL);
 *     if (i < n)
 *         step(..., first_of(n - i));
 *
 * bf16 is rounded in integers also where the processor has vcvtneps2bf16: that instruction flushes
 * subnormals, and the rungs would differ.
 */
#ifndef LNCLIP_TENSOR_KERNELS_VECTOR_AVX512_PRIVATE_H
#define LNCLIP_TENSOR_KERNELS_VECTOR_AVX512_PRIVATE_H

#include <immintrin.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define INLINE __attribute__((always_inline)) TARGET static inline

enum { LANES = 16, STEP = 2 * LANES };

#define ALL 0xffffffffu

/* LANES * 2 numbers. */
typedef struct Pair {
    __m512 v[2];
} Pair;

INLINE __mmask32 first_of(size_t count)
{
    return count >= STEP ? ALL : (1u << count) - 1;
}

/* Those in register v of a pair. */
INLINE __mmask16 half_of(__mmask32 wanted, int v)
{
    return (__mmask16)(wanted >> v * LANES);
}

INLINE __m512 constant(float value)
{
    return _mm512_set1_ps(value);
}

/* Zeros where not wanted. */
INLINE Pair load_f32(const float *x, __mmask32 wanted)
{
    return (Pair){{_mm512_maskz_loadu_ps(half_of(wanted, 0), x),
                   _mm512_maskz_loadu_ps(half_of(wanted, 1), x + LANES)}};
}

INLINE void store_f32(float *y, __mmask32 wanted, Pair p)
{
    _mm512_mask_storeu_ps(y, half_of(wanted, 0), p.v[0]);
    _mm512_mask_storeu_ps(y + LANES, half_of(wanted, 1), p.v[1]);
}

INLINE __m512 widened(__m256i bf16)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

INLINE Pair load_bf16(const uint16_t *x, __mmask32 wanted)
{
    return (Pair){{widened(_mm256_maskz_loadu_epi16(half_of(wanted, 0), x)),
                   widened(_mm256_maskz_loadu_epi16(half_of(wanted, 1), x + LANES))}};
}

/* Stores upper halves. */
INLINE void store_truncated(uint16_t *y, __mmask32 wanted, Pair p)
{
    const __m512i order =
        _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24,
                         22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(p.v[0]), 16);
    const __m512i both = _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_castps_si512(p.v[1]));
    _mm512_mask_storeu_epi16(y, wanted, _mm512_permutexvar_epi16(order, both));
}

/* To nearest even, in the upper half; a NaN keeps its bits and is made quiet. */
INLINE __m512 rounded(__m512 v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    __m512i r = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
    r = _mm512_mask_add_epi32(r, odd, bits, _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_mask_or_epi32(r, nan, bits, _mm512_set1_epi32(0x400000)));
}

INLINE void store_bf16(uint16_t *y, __mmask32 wanted, Pair p)
{
    store_truncated(y, wanted, (Pair){{rounded(p.v[0]), rounded(p.v[1])}});
}

/* What vreduceps takes away; vscalefps rounds its exponent in that way by itself. */
enum { FLOOR = 0x9 };

/* 2^t for any t (T4 of fit.py: relative error 8.2e-8). */
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
 * 2^t rounded to bf16, as f32 (T3 of fit.py: 2.9e-6 beside a rounding of 2e-3). Next to 1.5 2^16, an f32 has
 * seven bits after the point: as many as bf16 next to 1. The fused addition of it therefore rounds the
 * mantissa, once, to nearest even. (A result below 2^-126 keeps more bits than bf16 has.)
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

#endif
