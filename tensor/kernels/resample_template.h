/*
 * resample_template.h - the weighted sum of rows for one width of vector; resample.c includes it
 * twice.
 *
 * The multiply-add of 16-bit pairs processes two rows at once, while a 32-bit multiply costs twice
 * as much for one row. So each weight is split, w = 2^12 high + low with 0 <= low < 2^12, and two
 * sums are kept. They are combined modulo 2^32; the final sum fits 32 bits, so nothing is lost.
 *
 * The includer defines NAME(x), the functions' names; TARGET; VECTOR, the type; OP(x), the
 * intrinsic x; and WHOLE(x), the intrinsic x whose name also ends with the width of the register.
 * All are undefined at the end.
 */

/* Interleaving and packing both work within 128-bit lanes, so their permutations cancel. */
TARGET static inline void NAME(block)(const int32_t *weights, int taps, const uint8_t *in,
                                      size_t stride, uint8_t *out)
{
    const VECTOR zero = WHOLE(setzero_si)();
    VECTOR low0 = OP(set1_epi32)(1 << (KERNELS_WEIGHT_BITS - 1)), low1 = low0, low2 = low0,
           low3 = low0;
    VECTOR high0 = zero, high1 = zero, high2 = zero, high3 = zero;
    for (int k = 0; k < taps; k += 2, in += 2 * stride) {
        const bool pair = k + 1 < taps; /* else the row is paired with itself, weighted 0 */
        const int32_t w0 = weights[k], w1 = pair ? weights[k + 1] : 0;
        const VECTOR low = OP(set1_epi32)((w0 & 0xfff) | (w1 & 0xfff) << 16);
        const VECTOR high =
            OP(set1_epi32)(((w0 >> 12) & 0xffff) | (int)((unsigned)(w1 >> 12) << 16));
        const VECTOR row0 = WHOLE(loadu_si)((const void *)in);
        const VECTOR row1 = WHOLE(loadu_si)((const void *)(pair ? in + stride : in));
        const VECTOR left = OP(unpacklo_epi8)(row0, row1), right = OP(unpackhi_epi8)(row0, row1);
#define ADD(half, x)                                                                               \
    low##half = OP(add_epi32)(low##half, OP(madd_epi16)(x, low));                                  \
    high##half = OP(add_epi32)(high##half, OP(madd_epi16)(x, high))
        ADD(0, OP(unpacklo_epi8)(left, zero));
        ADD(1, OP(unpackhi_epi8)(left, zero));
        ADD(2, OP(unpacklo_epi8)(right, zero));
        ADD(3, OP(unpackhi_epi8)(right, zero));
#undef ADD
    }
#define SUM(low, high)                                                                             \
    OP(srai_epi32)(OP(add_epi32)(low, OP(slli_epi32)(high, 12)), KERNELS_WEIGHT_BITS)
    const VECTOR begin = OP(packs_epi32)(SUM(low0, high0), SUM(low1, high1));
    const VECTOR end = OP(packs_epi32)(SUM(low2, high2), SUM(low3, high3));
    WHOLE(storeu_si)((void *)out, OP(packus_epi16)(begin, end));
#undef SUM
}

TARGET void NAME(blend)(const int32_t *weights, int taps, const uint8_t *in, size_t stride,
                        uint8_t *out, size_t n)
{
    const size_t width = sizeof(VECTOR);
    if (n < width) {
        kernels_blend_reference(weights, taps, in, stride, out, n);
        return;
    }
    size_t i = 0;
    for (; i + width <= n; i += width)
        NAME(block)(weights, taps, in + i, stride, out + i);
    if (i < n) /* recomputes some bytes to fill the last vector */
        NAME(block)(weights, taps, in + n - width, stride, out + n - width);
}

#undef TARGET
#undef VECTOR
#undef NAME
#undef OP
#undef WHOLE
