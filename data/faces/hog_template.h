/*
 * hog_template.h - the inner loops of the face detector in plain C; hog.c includes it once per ISA
 * level, with NAME(x), the functions' names, and TARGET. Both are undefined at the end.
 *
 * Loops run over a row, so that the compiler vectorises them. The order of the operations of one
 * element is that of dlib, and nothing is fused: all levels give the same bits.
 */

/*
 * One row of a resized plane. pairs [2][n]: the left and right neighbour in the row above and in
 * the row below, left in the low byte; right [n]: weights of the right neighbour; share: that of
 * the row below. Truncates as dlib does.
 */
TARGET static void NAME(blend)(const uint16_t *restrict above, const uint16_t *restrict under,
                               const float *restrict right, double share, int n,
                               uint8_t *restrict out)
{
    const float over = (float)(1 - share), below = (float)share;
    INDEPENDENT
    for (int x = 0; x < n; x++) {
        const float left = 1 - right[x];
        const float w0 = over * left, w1 = over * right[x];
        const float w2 = below * left, w3 = below * right[x];
        float value = w0 * (float)(above[x] & 255);
        value = value + w1 * (float)(above[x] >> 8);
        value = value + w2 * (float)(under[x] & 255);
        value = value + w3 * (float)(under[x] >> 8);
        out[x] = (uint8_t)(int)value;
    }
}

/*
 * Gradients of the pixels `begin` <= x < `end` of a row: magnitude [x], and bin [x] of the signed
 * direction, 0..17. Each pixel uses the channel with the largest gradient; of equals the last if
 * `later` is 1, the first if it is 0. rows [3][3]: plane, then the rows above, of, and below the
 * pixel.
 */
TARGET static void NAME(gradients)(const uint8_t *const rows[3][3], int begin, int end, int later,
                                   float *restrict magnitude, int32_t *restrict bin)
{
    static const float COSINE[HOG_UNSIGNED] = {1,       0.9397f,  0.7660f,  0.5f,    0.1736f,
                                               -.1736f, -0.5000f, -0.7660f, -0.9397f};
    static const float SINE[HOG_UNSIGNED] = {0,       0.3420f, 0.6428f, 0.8660f, 0.9848f,
                                             0.9848f, 0.8660f, 0.6428f, 0.3420f};
    const uint8_t *a0 = rows[0][0], *b0 = rows[0][1], *c0 = rows[0][2];
    const uint8_t *a1 = rows[1][0], *b1 = rows[1][1], *c1 = rows[1][2];
    const uint8_t *a2 = rows[2][0], *b2 = rows[2][1], *c2 = rows[2][2];
    INDEPENDENT
    for (int x = begin; x < end; x++) {
        int dx = b0[x + 1] - b0[x - 1], dy = c0[x] - a0[x];
        int best = dx * dx + dy * dy;
        const int dx1 = b1[x + 1] - b1[x - 1], dy1 = c1[x] - a1[x];
        const int length1 = dx1 * dx1 + dy1 * dy1;
        const int use1 = length1 + later > best;
        dx = use1 ? dx1 : dx, dy = use1 ? dy1 : dy, best = use1 ? length1 : best;
        const int dx2 = b2[x + 1] - b2[x - 1], dy2 = c2[x] - a2[x];
        const int length2 = dx2 * dx2 + dy2 * dy2;
        const int use2 = length2 + later > best;
        dx = use2 ? dx2 : dx, dy = use2 ? dy2 : dy, best = use2 ? length2 : best;
        const float gx = (float)dx, gy = (float)dy;
        float product = 0;
        int chosen = 0;
#define TRY_DIRECTION(o)                                                                           \
    {                                                                                              \
        const float dot = gx * COSINE[o] + gy * SINE[o];                                           \
        chosen = dot > product ? (o) : chosen;                                                     \
        product = dot > product ? dot : product;                                                   \
        chosen = -dot > product ? (o) + HOG_UNSIGNED : chosen;                                     \
        product = -dot > product ? -dot : product;                                                 \
    }
        TRY_DIRECTION(0)
        TRY_DIRECTION(1)
        TRY_DIRECTION(2)
        TRY_DIRECTION(3)
        TRY_DIRECTION(4)
        TRY_DIRECTION(5)
        TRY_DIRECTION(6)
        TRY_DIRECTION(7)
        TRY_DIRECTION(8)
#undef TRY_DIRECTION
        bin[x] = chosen;
        magnitude[x] = sqrtf((float)best);
    }
}

/* energy [n] = sum over the unsigned directions of squares; histogram [18,stride]. */
TARGET static void NAME(energy)(const float *restrict histogram, size_t stride, int n,
                                float *restrict energy)
{
    for (int x = 0; x < n; x++)
        energy[x] = 0;
    for (int o = 0; o < HOG_UNSIGNED; o++) {
        const float *one = histogram + o * stride, *other = one + HOG_UNSIGNED * stride;
        INDEPENDENT
        for (int x = 0; x < n; x++) {
            const float both = one[x] + other[x];
            energy[x] += both * both;
        }
    }
}

/*
 * The features of a row of n cells. histogram [18,stride] of these cells; energy [3]: the rows
 * above, of, and below the cells, each with a cell more on either side; out: the row in the first
 * of 31 planes, `plane` floats apart; scratch [12,n].
 */
TARGET static void NAME(features)(const float *restrict histogram, size_t stride,
                                  const float *const energy[3], int n, float *restrict out,
                                  size_t plane, float *restrict scratch)
{
    float *limit = scratch, *scale = scratch + 4 * (size_t)n, *texture = scratch + 8 * (size_t)n;
    for (int q = 0; q < 4; q++) { /* the four blocks of 2 x 2 cells that contain the cell */
        const float *upper = energy[1 - (q & 1)] + 1 - (q >> 1),
                    *lower = energy[2 - (q & 1)] + 1 - (q >> 1);
        float *limit_q = limit + q * (size_t)n, *scale_q = scale + q * (size_t)n;
        float *texture_q = texture + q * (size_t)n;
        INDEPENDENT
        for (int x = 0; x < n; x++) {
            const float sum = ((upper[x] + upper[x + 1]) + lower[x]) + lower[x + 1];
            limit_q[x] = 0.2f * sqrtf(sum + 1e-4f);
            scale_q[x] = 0.1f / limit_q[x];
            texture_q[x] = 0;
        }
    }
    const float *l0 = limit, *l1 = l0 + n, *l2 = l1 + n, *l3 = l2 + n;
    const float *s0 = scale, *s1 = s0 + n, *s2 = s1 + n, *s3 = s2 + n;
    float *t0 = texture, *t1 = t0 + n, *t2 = t1 + n, *t3 = t2 + n;
#define LESSER(a, b) ((a) < (b) ? (a) : (b))
#define CLIP(h, q)   (LESSER(h, l##q[x]) * s##q[x])
    for (int o = 0; o < HOG_SIGNED; o += 3) {
        const float *h0 = histogram + o * stride, *h1 = h0 + stride, *h2 = h1 + stride;
        float *out0 = out + o * plane, *out1 = out0 + plane, *out2 = out1 + plane;
        INDEPENDENT
        for (int x = 0; x < n; x++) {
            const float a0 = CLIP(h0[x], 0), a1 = CLIP(h0[x], 1);
            const float a2 = CLIP(h0[x], 2), a3 = CLIP(h0[x], 3);
            const float b0 = CLIP(h1[x], 0), b1 = CLIP(h1[x], 1);
            const float b2 = CLIP(h1[x], 2), b3 = CLIP(h1[x], 3);
            const float c0 = CLIP(h2[x], 0), c1 = CLIP(h2[x], 1);
            const float c2 = CLIP(h2[x], 2), c3 = CLIP(h2[x], 3);
            out0[x] = (a0 + a2) + (a1 + a3);
            out1[x] = (b0 + b2) + (b1 + b3);
            out2[x] = (c0 + c2) + (c1 + c3);
            t0[x] += (a0 + b0) + c0;
            t1[x] += (a1 + b1) + c1;
            t2[x] += (a2 + b2) + c2;
            t3[x] += (a3 + b3) + c3;
        }
    }
    for (int o = 0; o < HOG_UNSIGNED; o++) {
        const float *one = histogram + o * stride, *other = one + HOG_UNSIGNED * stride;
        float *out_o = out + (HOG_SIGNED + o) * plane;
        INDEPENDENT
        for (int x = 0; x < n; x++) {
            const float both = one[x] + other[x];
            out_o[x] = (CLIP(both, 0) + CLIP(both, 2)) + (CLIP(both, 1) + CLIP(both, 3));
        }
    }
#undef CLIP
#undef LESSER
    for (int q = 0; q < 4; q++) {
        float *out_q = out + (HOG_SIGNED + HOG_UNSIGNED + q) * plane;
        const float *texture_q = texture + q * (size_t)n;
        for (int x = 0; x < n; x++)
            out_q[x] = texture_q[x] * (2 * 0.2357f);
    }
}

/* The sum of ten taps t of values v(0..9): three interleaved sums, as in dlib's vector code. */
#define TEN_TAPS(v, t)                                                                             \
    ((((v(0) * t[0] + v(3) * t[3]) + v(6) * t[6]) + v(9) * t[9]) +                                 \
     (((v(1) * t[1] + v(4) * t[4]) + v(7) * t[7]) + ((v(2) * t[2] + v(5) * t[5]) + v(8) * t[8])))

/* out [n]: sum over k < 10 of taps[k] in[x + k]. */
TARGET static void NAME(filter_row)(const float *restrict in, const float *restrict taps, int n,
                                    float *restrict out)
{
#define VALUE(k) in[x + (k)]
    for (int x = 0; x < n; x++)
        out[x] = TEN_TAPS(VALUE, taps);
#undef VALUE
}

/* sums [n] += sum over k < 10 of taps[k] rows[k][x]. */
TARGET static void NAME(filter_column)(const float *const *rows, const float *restrict taps, int n,
                                       float *restrict sums)
{
    const float *v0 = rows[0], *v1 = rows[1], *v2 = rows[2], *v3 = rows[3], *v4 = rows[4],
                *v5 = rows[5], *v6 = rows[6], *v7 = rows[7], *v8 = rows[8], *v9 = rows[9];
#define VALUE(k) v##k[x]
    INDEPENDENT
    for (int x = 0; x < n; x++)
        sums[x] += TEN_TAPS(VALUE, taps);
#undef VALUE
}

#undef TEN_TAPS

static const HogKernels NAME(hog_kernels) = {
    NAME(blend),    NAME(gradients),  NAME(energy),
    NAME(features), NAME(filter_row), NAME(filter_column),
};

#undef NAME
#undef TARGET
