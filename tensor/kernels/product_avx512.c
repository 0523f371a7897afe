/*
 * product_avx512.c - the packed product's kernels for AVX-512 and its extensions: one template,
 * instantiated for groups of one f32, two bf16 or four bytes with the instruction that multiplies
 * such groups; and the layouts of operands.
 *
 * There is no int8 kernel without VNNI: it would need three instructions instead of one and be no
 * faster than bf16.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define PRODUCT_NAME                kernels_product_f32_avx512
#define PRODUCT_TARGET              __attribute__((target("avx512f,avx512dq")))
#define PRODUCT_MULTIPLY(a, b, sum) _mm512_fmadd_ps(a, b, sum)
#define PRODUCT_PACKED_A            1
#define PRODUCT_PARTS               1
#define PRODUCT_PART(x, part)       (x)
#include "tensor/kernels/product_avx512_template.h"

/* VDPBF16PS: rounds to nearest even regardless of MXCSR, and treats subnormals as zero. */
#define PRODUCT_NAME                kernels_product_bf16_avx512_bf16
#define PRODUCT_TARGET              __attribute__((target("avx512f,avx512dq,avx512bf16")))
#define PRODUCT_MULTIPLY(a, b, sum) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#define PRODUCT_PACKED_A            0
#define PRODUCT_PARTS               1
#define PRODUCT_PART(x, part)       (x)
#include "tensor/kernels/product_avx512_template.h"

/* VPDPBUSD: unsigned times signed, exact as long as the sum of the whole row fits 32 bits. */
#define PRODUCT_NAME   kernels_product_int8_avx512_vnni
#define PRODUCT_TARGET __attribute__((target("avx512f,avx512dq,avx512vnni")))
#define PRODUCT_MULTIPLY(a, b, sum)                                                                \
    _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(sum), _mm512_castps_si512(a),      \
                                            _mm512_castps_si512(b)))
#define PRODUCT_PACKED_A      0
#define PRODUCT_PARTS         1
#define PRODUCT_PART(x, part) (x)
#include "tensor/kernels/product_avx512_template.h"

/*
 * Without BF16 instructions: a bf16 value is the upper half of an f32. The even value of a pair is
 * shifted up, the odd one is masked in place: 20 instructions for 48 products.
 */
__attribute__((target("avx512f,avx512dq"))) static inline __m512 value_of_pair(__m512 pair,
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
#define PRODUCT_PACKED_A            0
#define PRODUCT_PARTS               2
#define PRODUCT_PART(x, part)       value_of_pair(x, part)
#include "tensor/kernels/product_avx512_template.h"

/* --- Layouts --- */

#define TARGET __attribute__((target("avx512f,avx512dq")))

TARGET static inline __mmask16 first_lanes(int count)
{
    return (__mmask16)(count >= LANES ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

/*
 * Transposes six rows of sixteen into sixteen groups of six in two steps: rows are paired, (0,1),
 * (2,3), (4,5), which gives three streams of 64-bit elements, and the streams are merged in turn.
 */
TARGET static inline void pack_six(__m512 rows[ROWS], __m512 groups[ROWS])
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    /*
     * `first` merges the pairs p and q and leaves gaps; `third` fills them with the third stream.
     */
    const __m512i first[3] = {_mm512_setr_epi64(0, 8, 0, 1, 9, 0, 2, 10),
                              _mm512_setr_epi64(0, 3, 11, 0, 4, 12, 0, 5),
                              _mm512_setr_epi64(13, 0, 6, 14, 0, 7, 15, 0)};
    const __m512i third[3] = {_mm512_setr_epi64(0, 1, 8, 3, 4, 9, 6, 7),
                              _mm512_setr_epi64(10, 1, 2, 11, 4, 5, 12, 7),
                              _mm512_setr_epi64(0, 13, 2, 3, 14, 5, 6, 15)};
    for (int half = 0; half < 2; half++) {
        const __m512i pairing = half ? high : low;
        const __m512d p = _mm512_castps_pd(_mm512_permutex2var_ps(rows[0], pairing, rows[1]));
        const __m512d q = _mm512_castps_pd(_mm512_permutex2var_ps(rows[2], pairing, rows[3]));
        const __m512d s = _mm512_castps_pd(_mm512_permutex2var_ps(rows[4], pairing, rows[5]));
        for (int i = 0; i < 3; i++) {
            const __m512d two = _mm512_permutex2var_pd(p, first[i], q);
            groups[3 * half + i] = _mm512_castpd_ps(_mm512_permutex2var_pd(two, third[i], s));
        }
    }
}

TARGET void kernels_pack_a_avx512(const float *a, ptrdiff_t lda, int rows, int depth, float *out)
{
    for (int k = 0; k < depth; k += LANES, out += ROWS * LANES) {
        const __mmask16 lanes = first_lanes(depth - k);
        __m512 in[ROWS], groups[ROWS];
        for (int r = 0; r < ROWS; r++)
            in[r] = r < rows ? _mm512_maskz_loadu_ps(lanes, a + r * lda + k) : _mm512_setzero_ps();
        pack_six(in, groups);
        for (int i = 0; i < ROWS; i++) {
            const __mmask16 written = first_lanes((depth - k) * ROWS - LANES * i);
            _mm512_mask_storeu_ps(out + LANES * i, written, groups[i]);
        }
    }
}

/*
 * Transposes 16 x 16 in four steps: two within the 128-bit quarters of the registers, after which
 * r[4 i + j] holds columns j, j + 4, j + 8, j + 12 of rows 4 i to 4 i + 3, and two that exchange
 * quarters.
 */
TARGET static inline void transpose_square(__m512 r[LANES])
{
    __m512 t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        for (int j = 0; j < 2; j++) {
            const __m512d upper = _mm512_castps_pd(t[i + j]),
                          lower = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(upper, lower));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(upper, lower));
        }
    }
    enum { EVEN = 0x88, ODD = 0xdd }; /* quarters 0 and 2, or 1 and 3, of both operands */
    for (int j = 0; j < 4; j++) {
        t[j] = _mm512_shuffle_f32x4(r[j], r[j + 4], EVEN);
        t[j + 4] = _mm512_shuffle_f32x4(r[j], r[j + 4], ODD);
        t[j + 8] = _mm512_shuffle_f32x4(r[j + 8], r[j + 12], EVEN);
        t[j + 12] = _mm512_shuffle_f32x4(r[j + 8], r[j + 12], ODD);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_f32x4(t[j], t[j + 8], EVEN);
        r[j + 4] = _mm512_shuffle_f32x4(t[j + 4], t[j + 12], EVEN);
        r[j + 8] = _mm512_shuffle_f32x4(t[j], t[j + 8], ODD);
        r[j + 12] = _mm512_shuffle_f32x4(t[j + 4], t[j + 12], ODD);
    }
}

TARGET void kernels_transpose_avx512(const uint32_t *const *rows, int count, int depth,
                                     uint32_t *out)
{
    for (int n = 0; n < COLUMNS; n += LANES) {
        for (int k = 0; k < depth; k += LANES) {
            const int deep = depth - k < LANES ? depth - k : LANES;
            const __mmask16 lanes = first_lanes(deep);
            __m512 square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] = _mm512_castsi512_ps(
                    n + i < count ? _mm512_maskz_loadu_epi32(lanes, rows[n + i] + k)
                                  : _mm512_setzero_si512());
            transpose_square(square);
            uint32_t *to = out + (ptrdiff_t)k * COLUMNS + n;
            for (int i = 0; i < LANES; i++)
                if (i < deep)
                    _mm512_store_si512(to + (ptrdiff_t)i * COLUMNS, _mm512_castps_si512(square[i]));
        }
    }
}

#endif
