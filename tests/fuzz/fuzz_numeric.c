/*
 * fuzz_numeric.c - harnesses for computations on untrusted values: hulls of landmarks, masks,
 * resizing, augmentation, packed product. Inputs are parameters, not files, so that most of them
 * reach the arithmetic.
 *
 * Oracles: hull: lines between all pairs of points; resizing: two passes in 64-bit integers; packed
 * product: sums in double.
 */
#include "tests/fuzz/fuzz.h"

#include "data/augment/augment.h"
#include "data/augment/sbi.h"
#include "data/augment/sbi_private.h"
#include "data/image/preprocess.h"
#include "tensor/packed.h"

#include <math.h>
#include <string.h>

/* ---- landmarks ------------------------------------------------------------------------------- */

/* Moves `value` by `steps` units in the last place. */
static float nudge(float value, int steps)
{
    for (; steps > 0; steps--)
        value = nextafterf(value, INFINITY);
    for (; steps < 0; steps++)
        value = nextafterf(value, -INFINITY);
    return value;
}

/*
 * A convex chain of points, all of them corners. The last ones are on a line near the origin, where
 * rounding to the grid determines the direction of the turn. Coordinates are exact multiples of
 * 1/8192. It is built from its end to the left, in small steps with increasing slope.
 */
static void take_chain(FuzzInput *input, bool both_sides, DataLandmarks *landmarks)
{
    const float x = (float)fuzz_take(input, 2) / 4096;
    const float y = (float)(int16_t)fuzz_take(input, 2) / 8192;
    const float step_x = (float)(1 + fuzz_take(input, 2)) / 8192;
    const float step_y = (float)(int16_t)fuzz_take(input, 2) / 8192;
    const int bend =
        landmarks->count - 3 - (int)fuzz_take(input, 1) % 2; /* first point on the line */
    const float back = (float)(1 + fuzz_take(input, 1) % 32) / 64;
    for (int i = bend; i < landmarks->count; i++) {
        landmarks->x[i] = x + (float)(i - bend) * step_x;
        landmarks->y[i] = y + (float)(i - bend) * step_y;
    }
    float rise = ceilf(fmaxf(0, -step_y / step_x * back) * 64) / 64;
    for (int i = bend - 1; i >= 0; i--) {
        const int byte = (int8_t)fuzz_take(input, 1);
        rise += (float)(both_sides ? byte : 1 + abs(byte) % 64) / 64;
        landmarks->x[i] = landmarks->x[i + 1] - back;
        landmarks->y[i] = landmarks->y[i + 1] + rise;
    }
}

/*
 * Points in one of several shapes. Uniformly random points are rarely collinear or all on their
 * hull, where rounding matters; so there are chains, and points near a line or an arc, moved by a
 * few units in the last place.
 */
static void take_landmarks(FuzzInput *input, DataLandmarks *landmarks)
{
    enum { FREE, LINE, ARC, CHAIN, SHAPES = CHAIN + 5 }; /* most are chains */
    const unsigned shape = fuzz_take(input, 1) % SHAPES, flags = fuzz_take(input, 1);
    /* Each with probability 1/4; the hardest chain has none. */
    const bool count_68 = flags % 4 == 1, mirrored = flags / 4 % 4 == 1;
    const bool upside_down = flags / 16 % 4 == 1, both_sides = flags / 64 == 1;
    landmarks->count = count_68 ? 68 : 81;
    if (shape >= CHAIN) {
        take_chain(input, both_sides, landmarks);
    } else {
        const float first_x = (float)fuzz_take(input, 2) / 512;
        const float first_y = (float)(int16_t)fuzz_take(input, 2) / 256;
        const float step_x = (float)fuzz_take(input, 2) / 8192;
        const float step_y = (float)(int16_t)fuzz_take(input, 2) / 4096;
        for (int i = 0; i < landmarks->count; i++) {
            const int byte = (int8_t)fuzz_take(input, 1);
            float x = (float)byte * 4, y;
            if (shape == FREE) {
                y = (float)(int16_t)fuzz_take(input, 2) / 64;
            } else if (shape == LINE) {
                x = nudge(first_x + (float)(i % 9) * step_x, byte % 4);
                y = nudge(first_y + (float)(i % 9) * step_y, byte / 4 % 4);
            } else {
                x = nudge(128 + 100 * cosf((float)i * step_x), byte % 4);
                y = nudge(128 + 100 * sinf((float)i * step_x), byte / 4 % 4);
            }
            landmarks->x[i] = x;
            landmarks->y[i] = y;
        }
    }
    for (int i = 0; i < landmarks->count; i++) {
        const float x = mirrored ? 256 - landmarks->x[i] : landmarks->x[i];
        const float y = upside_down ? 256 - landmarks->y[i] : landmarks->y[i];
        landmarks->x[i] = fmaxf(-1e6F, fminf(1e6F, x)); /* limits of data_landmarks_read */
        landmarks->y[i] = fmaxf(-1e6F, fminf(1e6F, y));
    }
}

typedef struct Interval {
    double low, high;
} Interval;

/*
 * The intersection of the hull with the line y = `row`: the extreme crossings of lines between two
 * points.
 */
static Interval cross_hull(const double *x, const double *y, int count, double row)
{
    Interval all = {INFINITY, -INFINITY};
    int below[81], above[81], below_count = 0, above_count = 0;
    for (int i = 0; i < count; i++)
        if (y[i] < row)
            below[below_count++] = i;
        else
            above[above_count++] = i;
    for (int b = 0; b < below_count; b++)
        for (int a = 0; a < above_count; a++) {
            const int i = below[b], j = above[a];
            const double at = x[i] + (x[j] - x[i]) * ((row - y[i]) / (y[j] - y[i]));
            all.low = at < all.low ? at : all.low;
            all.high = at > all.high ? at : all.high;
        }
    return all;
}

void fuzz_hull(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    static DataRegion region;
    DataLandmarks landmarks;
    /* Few rows: the time goes into them, and they make no difference to which
     * points are corners. */
    const int width = 1 + (int)fuzz_take(&input, 1), height = 1 + (int)fuzz_take(&input, 1) % 16;
    /* The grid of data_self_blend for an image of about this size. */
    const double scale_x = width / (32. + fuzz_take(&input, 1)),
                 scale_y = height / (32. + fuzz_take(&input, 1));
    const DataAxis axis_x = {scale_x, 0.5 * scale_x - 0.5}, axis_y = {scale_y, 0.5 * scale_y - 0.5};
    const int row = (int)fuzz_take(&input, 1) % height;
    take_landmarks(&input, &landmarks);
    data_region_hull(&region, width, height, &landmarks, landmarks.count, axis_x, axis_y);
    CHECK(region.width == width && region.height == height);
    for (int y = 0; y < height; y++)
        CHECK(region.first[y] >= 0 && region.first[y] <= region.end[y] && region.end[y] <= width);

    double x[81], y[81], largest = 1;
    for (int i = 0; i < landmarks.count; i++) {
        x[i] = axis_x.scale * (double)landmarks.x[i] + axis_x.offset;
        y[i] = axis_y.scale * (double)landmarks.y[i] + axis_y.offset;
        largest = fmax(largest, fmax(fabs(x[i]), fabs(y[i])));
    }
    /*
     * A cell may be counted or not where the edge comes this close to its middle. Of a nearly
     * horizontal edge the rounding of y moves the crossing far, so rows that come close to a point
     * are judged between their neighbours.
     */
    const double slack = 1e-9 * largest;
    for (int i = 0; i < landmarks.count; i++)
        if (fabs(y[i] - row) < 1e-6 * largest)
            return;
    const Interval exact = cross_hull(x, y, landmarks.count, row);
    const double first = ceil(fmax(exact.low - slack, 0)),
                 last = floor(fmin(exact.high + slack, width - 1));
    const double inner_first = ceil(fmax(exact.low + slack, 0)),
                 inner_last = floor(fmin(exact.high - slack, width - 1));
    if (region.first[row] < region.end[row])
        CHECK(region.first[row] >= first && region.end[row] - 1 <= last);
    if (inner_first <= inner_last)
        CHECK(region.first[row] <= inner_first && region.end[row] - 1 >= inner_last);
}

static void create_image(DataImage *image, int width, int height, uint32_t seed)
{
    Error error = {0};
    CHECK_OK(data_image_create(image, width, height, &error), error);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        seed = seed * 1664525 + 1013904223;
        image->pixels[i] = (uint8_t)(seed >> 24);
    }
}

/* Two calls with the same random numbers give the same image. A failure does not change it. */
void fuzz_self_blend(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    DataLandmarks landmarks;
    DataImage first, second, before;
    const int width = 24 + (int)fuzz_take(&input, 1) / 4,
              height = 24 + (int)fuzz_take(&input, 1) / 4;
    const uint32_t seed = fuzz_take(&input, 4);
    take_landmarks(&input, &landmarks);
    create_image(&first, width, height, seed);
    create_image(&second, width, height, seed);
    create_image(&before, width, height, seed);
    const size_t bytes = (size_t)width * (size_t)height * 3;
    const DataLandmarks *given = seed % 5 == 0 ? NULL : &landmarks;
    Random random = random_stream(seed, RANDOM_TEST, 0, 0), again = random, real = random;
    Error error = {0};
    const Status status = data_self_blend(&first, given, &random, &error);
    CHECK(data_self_blend(&second, given, &again, &error) == status);
    CHECK(first.width == width && first.height == height);
    CHECK(memcmp(first.pixels, second.pixels, bytes) == 0);
    if (status != STATUS_OK)
        CHECK(memcmp(first.pixels, before.pixels, bytes) == 0);
    (void)data_self_blend_real(&before, &real, &error);
    data_image_free(&first);
    data_image_free(&second);
    data_image_free(&before);
}

/* ---- resizing -------------------------------------------------------------------------------- */

static uint8_t weighted(const int32_t *weights, int taps, const uint8_t *in, size_t stride)
{
    int64_t sum =
        1 << 21; /* half of 2^22, by which weights are scaled (tensor/kernels/kernels.h) */
    for (int k = 0; k < taps; k++)
        sum += (int64_t)weights[k] * in[(size_t)k * stride];
    sum >>= 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/*
 * One pass from in [rows,width,3] to out [rows,axis->count,3]. The weights of an output sum to 1,
 * except for rounding.
 */
static void pass(const DataResizeAxis *axis, const uint8_t *in, int rows, uint8_t *out)
{
    for (int i = 0; i < axis->count; i++) {
        const int32_t *weights = axis->weights + (size_t)i * (size_t)axis->taps;
        int64_t sum = 0;
        for (int k = 0; k < axis->taps; k++)
            sum += weights[k];
        CHECK(llabs(sum - (1 << 22)) <= axis->taps);
        CHECK(axis->start[i] >= 0 && axis->start[i] + axis->taps <= axis->in);
        for (int row = 0; row < rows; row++)
            for (int c = 0; c < 3; c++)
                out[(row * axis->count + i) * 3 + c] = weighted(
                    weights, axis->taps, in + (row * axis->in + axis->start[i]) * 3 + c, 3);
    }
}

static void swap_axes(const uint8_t *in, int rows, int columns, uint8_t *out)
{
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            memcpy(out + (column * rows + row) * 3, in + (row * columns + column) * 3, 3);
}

void fuzz_resize(const uint8_t *data, size_t size)
{
    enum { SIDE = 64, PIXELS = SIDE * SIDE * 3 };
    static DataResizer resizer;
    static uint8_t out[PIXELS], rows[PIXELS], columns[PIXELS], wanted[PIXELS], crop[PIXELS];
    FuzzInput input = {data, size};
    const int width = 1 + (int)fuzz_take(&input, 1) % SIDE,
              height = 1 + (int)fuzz_take(&input, 1) % SIDE;
    const int to_width = 1 + (int)fuzz_take(&input, 1) % SIDE,
              to_height = 1 + (int)fuzz_take(&input, 1) % SIDE;
    const uint32_t kind = fuzz_take(&input, 1);
    DataImage image;
    create_image(&image, width, height, kind);
    if (input.size > 0) /* sharp edges, to test clipping of overshoot */
        for (int i = 0; i < width * height * 3; i++)
            image.pixels[i] =
                input.data[(size_t)i % input.size] & 1 ? 255 : input.data[(size_t)i % input.size];
    Error error = {0};
    resizer.filter = (DataFilter)(kind % DATA_FILTERS);
    CHECK_OK(data_resize(&resizer, &image, to_width, to_height, out, &error), error);
    pass(&resizer.x, image.pixels, height, rows);    /* [height,to_width] */
    swap_axes(rows, height, to_width, columns);      /* [to_width,height] */
    pass(&resizer.y, columns, to_width, wanted);     /* [to_width,to_height] */
    swap_axes(wanted, to_width, to_height, columns); /* [to_height,to_width] */
    CHECK(memcmp(out, columns, (size_t)(to_width * to_height) * 3) == 0);

    /* The crop is the centre of the resized image. */
    int full_width, full_height;
    const int side = 1 + (int)(kind >> 1) % 16;
    resizer.filter = DATA_FILTER_BICUBIC;
    if (data_resized_shape(width, height, side, &full_width, &full_height) &&
        full_width * full_height <= SIDE * SIDE) {
        CHECK_OK(data_resize(&resizer, &image, full_width, full_height, out, &error), error);
        CHECK_OK(data_resize_crop(&resizer, &image, side, crop, &error), error);
        const int left = (full_width - side) / 2, top = (full_height - side) / 2;
        for (int y = 0; y < side; y++)
            CHECK(memcmp(crop + y * side * 3, out + ((top + y) * full_width + left) * 3,
                         (size_t)side * 3) == 0);
    }
    data_image_free(&image);
}

/* ---- augmentation ---------------------------------------------------------------------------- */

static DataRange take_range(FuzzInput *input, double lowest, double width)
{
    const double low = lowest + width * fuzz_take(input, 1) / 255,
                 high = low + width * fuzz_take(input, 1) / 255;
    return (DataRange){low, high};
}

/*
 * Any settings in the ranges of the parsers: two calls with the same random numbers give the same
 * status and pixels.
 */
void fuzz_augment(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    const uint32_t used = fuzz_take(&input, 1), seed = fuzz_take(&input, 3);
    const int width = 1 + (int)fuzz_take(&input, 1) % 40,
              height = 1 + (int)fuzz_take(&input, 1) % 40;
    DataAugment augment = {0};
    if (used & 1)
        augment.flip = fuzz_take(&input, 1) / 255.;
    if (used & 2) {
        augment.scale = take_range(&input, 0.25, 2);
        augment.degrees = fuzz_take(&input, 1);
        augment.translate = fuzz_take(&input, 1) / 255.;
    }
    if (used & 4) {
        augment.blur = 1;
        augment.blur_width = 1 + 2 * ((int)fuzz_take(&input, 1) % 20);
        augment.blur_height = 1 + 2 * ((int)fuzz_take(&input, 1) % 20);
        augment.sigma = take_range(&input, 0.01, 10);
    }
    if (used & 8) {
        augment.brightness = fuzz_take(&input, 1) / 255.;
        augment.contrast = fuzz_take(&input, 1) / 255.;
    }
    if (used & 16) {
        augment.quality_low = 1 + (int)fuzz_take(&input, 1) % 100;
        augment.quality_high = 100;
    }
    if (used & 32)
        augment.resize = 2 + (int)fuzz_take(&input, 1) % 60;
    augment.resize_filter = (DataFilter)(seed % DATA_FILTERS);
    if (used & 64)
        augment.resize_share = (1 + fuzz_take(&input, 1)) / 256.;
    if (used & 128)
        augment.noise = fuzz_take(&input, 1) / 100.;
    DataImage first, second;
    create_image(&first, width, height, seed);
    create_image(&second, width, height, seed);
    Random random = random_stream(seed, RANDOM_TEST, 0, 0), again = random;
    Error error = {0};
    const Status status = data_augment_apply(&augment, &random, &first, &error);
    CHECK(data_augment_apply(&augment, &again, &second, &error) == status);
    if (status == STATUS_OK) {
        CHECK(first.width > 0 && first.height > 0);
        CHECK(first.width == second.width && first.height == second.height);
        CHECK(memcmp(first.pixels, second.pixels, (size_t)first.width * (size_t)first.height * 3) ==
              0);
    }
    data_image_free(&first);
    data_image_free(&second);
}

/* ---- the packed product ---------------------------------------------------------------------- */

/* A value from two bytes: a bf16 with an exponent from -16 to 15. */
static float take_value(FuzzInput *input)
{
    const uint32_t bits = fuzz_take(input, 2);
    const float value = ldexpf(1 + (float)(bits & 127) / 128, (int)(bits >> 7 & 31) - 16);
    return bits & 127 ? (bits & 0x8000 ? -value : value) : 0;
}

void fuzz_packed_product(const uint8_t *data, size_t size)
{
    enum { MOST = 72, BYTES = 4 << 20 };
    static Arena *arena;
    static float A[MOST * MOST], W[MOST * MOST], bias[MOST], C[MOST * MOST];
    static uint16_t narrow[MOST * MOST];
    Error error = {0};
    if (!arena)
        CHECK_OK(arena_create(&arena, BYTES, &error), error);
    arena_reset(arena);
    FuzzInput input = {data, size};
    const Precision precision = (Precision)(fuzz_take(&input, 1) % PRECISION_COUNT);
    const int M = 1 + (int)fuzz_take(&input, 1) % 20, K = 1 + (int)fuzz_take(&input, 1) % MOST,
              N = 1 + (int)fuzz_take(&input, 1) % MOST;
    FuzzInput values = input;
    for (int i = 0; i < M * K; i++, values = values.size ? values : input)
        A[i] = take_value(&values);
    for (int i = 0; i < N * K; i++, values = values.size ? values : input)
        W[i] = take_value(&values);
    for (int i = 0; i < N; i++, values = values.size ? values : input)
        bias[i] = take_value(&values);

    /* All values are representable in bf16, so f32 and bf16 packs are exact. */
    for (int i = 0; i < M * K; i++) {
        uint32_t bits;
        memcpy(&bits, &A[i], sizeof bits);
        narrow[i] = (uint16_t)(bits >> 16);
    }
    const bool f32 = precision == PRECISION_F32;
    PackedMatrix B = packed_place(arena, precision, K, N);
    packed_fill_transposed(&B, &(PackedPart){W, N}, 1, NULL, NULL);
    const PackedInput in = {.type = f32 ? DTYPE_F32 : DTYPE_BF16,
                            .numbers = f32 ? (const void *)A : (const void *)narrow};
    void *scratch = arena_alloc(arena, packed_scratch(M, &in, &B));
    CHECK(scratch);
    packed_product(NULL, M, &in, &B, &(Epilogue){.type = DTYPE_F32, .c = C, .bias = bias}, scratch);
    for (int m = 0; m < M; m++) {
        double low = 0, high = 0;
        for (int k = 0; k < K; k++) {
            low = fmin(low, (double)A[m * K + k]);
            high = fmax(high, (double)A[m * K + k]);
        }
        /* Of int8: half a step of an input (a whole one where the zero is rounded as well), and of
         * a weight. */
        const double step = precision == PRECISION_INT8 ? (high - low) / 254 : 0;
        for (int n = 0; n < N; n++) {
            double sum = (double)bias[n], allowed = 1e-5 * fabs(sum) + 1e-30;
            for (int k = 0; k < K; k++) {
                const double a = (double)A[m * K + k], w = (double)W[n * K + k];
                const double half = precision == PRECISION_INT8 ? 0.51 * (double)B.scale[n] : 0;
                sum += a * w;
                allowed += 1e-5 * fabs(a * w) + (fabs(w) + half) * step + (fabs(a) + step) * half;
            }
            CHECK(fabs((double)C[m * N + n] - sum) <= allowed);
        }
    }
}
