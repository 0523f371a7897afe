/*
 * product_avx512_narrow.c - the packed product's bf16 and int8 kernels for AVX-512 and its extensions: the
 * tile of the f32 kernel, with groups of two or four numbers and the instruction that multiplies such.
 *
 * There is none of int8 without VNNI: it would take three instructions for one and be no faster than bf16.
 */
#if defined(__x86_64__)

#include <immintrin.h>

/* VDPBF16PS: rounds to nearest even whatever MXCSR says, and takes subnormals for zero. */
#define PRODUCT_NAME                kernels_product_bf16_avx512_bf16
#define PRODUCT_TARGET              __attribute__((target("avx512f,avx512dq,avx512bf16")))
#define PRODUCT_MULTIPLY(a, b, sum) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#define PRODUCT_INTERLEAVED         0
#define PRODUCT_PARTS               1
#define PRODUCT_PART(x, part)       (x)
#include "tensor/kernels/product_avx512_template.h"

/* VPDPBUSD: unsigned times signed, exact as long as the sum of the whole row fits 32 bits. */
#define PRODUCT_NAME   kernels_product_int8_avx512_vnni
#define PRODUCT_TARGET __attribute__((target("avx512f,avx512dq,avx512vnni")))
#define PRODUCT_MULTIPLY(a, b, sum)                                                                \
    _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(sum), _mm512_castps_si512(a),      \
                                            _mm512_castps_si512(b)))
#define PRODUCT_INTERLEAVED   0
#define PRODUCT_PARTS         1
#define PRODUCT_PART(x, part) (x)
#include "tensor/kernels/product_avx512_template.h"

/*
 * Without either: a bf16 number is the upper half of an f32. The pair of a group is taken apart, the even
 * number shifted up, the odd one left where it is, which costs 20 instructions beside 48 products.
 */
__attribute__((target("avx512f,avx512dq"))) static inline __m512 number_of_pair(__m512 pair,
                                                                                int part)
{
    const __m512i bits = _mm512_castps_si512(pair);
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(part == 0 ? _mm512_slli_epi32(bits, 16)
                                         : _mm512_and_si512(bits, upper));
}

#define PRODUCT_NAME                kernels_product_bf16_avx512
#define PRODUCT_TARGET              __attribute__((target("avx512f,avx512dq")))
#define PRODUCT_MULTIPLY(a, b, sum) _mm512_fmadd_ps(a, b, sum)
#define PRODUCT_INTERLEAVED         0
#define PRODUCT_PARTS               2
#define PRODUCT_PART(x, part)       number_of_pair(x, part)
#include "tensor/kernels/product_avx512_template.h"

#endif
