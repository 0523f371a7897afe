/*
 * test_packed.c - packs contain the weights they were filled from. In each precision the packed
 * product equals sums in double over the pack, stays inside its operands, and is bit-identical for
 * any grouping of rows and number of threads. The factors of int8 preserve accuracy. (Kernels of
 * the product: test_kernels_product.c; op_linear with packs: test_ops_packed.c.)
 */
#include "tests/support.h"
#include "tests/support_guard.h"

#include "tensor/kernels/kernels.h"
#include "tensor/packed.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = KERNELS_COLUMNS };

/*
 * Normally distributed values, different for each stream. Drawn once, since drawing takes longer
 * than the products.
 */
static void fill(float *values, size_t count, unsigned stream)
{
    enum { DRAWN = 8191 }; /* a prime, so that no two rows or columns of a matrix are equal */
    static float drawn[DRAWN];
    if (drawn[0] == 0)
        support_fill_normal(drawn, DRAWN, 1, 1);
    for (size_t i = 0; i < count; i++)
        values[i] = drawn[(i * (2 * stream + 1) + 977 * (size_t)stream) % DRAWN];
}

static float *numbers(Arena *arena, size_t count, unsigned stream)
{
    float *const block = arena_alloc(arena, count * sizeof(float));
    fill(block, count, stream);
    return block;
}

static Arena *room(size_t bytes)
{
    Error error = {0};
    Arena *arena;
    ck_ok(arena_create(&arena, bytes, &error), &error);
    return arena;
}

static Threads *pool(int count)
{
    Error error = {0};
    Threads *threads;
    ck_ok(threads_create(&threads, count, &error), &error);
    return threads;
}

static float as_f32(uint16_t bits)
{
    float value;
    dtype_to_f32(DTYPE_BF16, &bits, &value, 1);
    return value;
}

static float rounded(float value)
{
    return as_f32(dtype_bf16_from_f32(value));
}

/* --- Packs --- */

/* Element [k,n] of the panels; k and n may be in the padding. */
static float held(const PackedMatrix *B, int k, int n)
{
    const int g = packed_group(B->precision);
    const size_t panel = (size_t)(n / COLUMNS) * (size_t)packed_groups(B) + (size_t)(k / g);
    const size_t index = (panel * COLUMNS + (size_t)(n % COLUMNS)) * (size_t)g + (size_t)(k % g);
    switch (B->precision) {
    case PRECISION_BF16:
        return as_f32(((const uint16_t *)B->panels)[index]);
    case PRECISION_INT8:
        return ((const int8_t *)B->panels)[index];
    default:
        return ((const float *)B->panels)[index];
    }
}

/* Divides W into two parts if it has more than one row. */
static int parts_of(const float *W, int rows, int width, PackedPart parts[2])
{
    const int half = rows / 2;
    parts[0] = (PackedPart){W, half ? half : rows};
    parts[1] = (PackedPart){W + (ptrdiff_t)half * width, rows - half};
    return half ? 2 : 1;
}

/* Packs W, [N,K] if transposed, else [K,N], as B [K,N]. */
static PackedMatrix pack(Arena *arena, Precision precision, const float *W, int K, int N,
                         bool transposed, const float *magnitude, Threads *threads)
{
    PackedPart parts[2];
    PackedMatrix B = packed_place(arena, precision, K, N);
    /* Old contents of the memory must not survive in the padding. */
    const size_t columns = (size_t)(N + COLUMNS - 1) / COLUMNS * COLUMNS;
    memset(B.panels, 0x7f, columns * (size_t)packed_groups(&B) * sizeof(uint32_t));
    if (transposed)
        packed_fill_transposed(&B, parts, parts_of(W, N, K, parts), magnitude, threads);
    else
        packed_fill(&B, parts, parts_of(W, K, N, parts), threads);
    return B;
}

static void check_number(const PackedMatrix *B, int k, int n, float w)
{
    const float have = held(B, k, n);
    if (B->precision == PRECISION_INT8) {
        const float factor = B->factor ? B->factor[k] : 1, wanted = w / factor / B->scale[n];
        ck_each(fabsf(have - wanted) <= 0.501F && fabsf(have) <= 127,
                "K %d N %d: [%d,%d] is %g, not %g", B->K, B->N, k, n, (double)have, (double)wanted);
        return;
    }
    const float wanted = B->precision == PRECISION_BF16 ? rounded(w) : w;
    ck_each(have == wanted, "%s, K %d N %d: [%d,%d] is %g, not %g", precision_name(B->precision),
            B->K, B->N, k, n, (double)have, (double)wanted);
}

/* Checks all elements, and the zeros of the padding. */
static void check_pack(const PackedMatrix *B, const float *W, bool transposed)
{
    const int depth = packed_groups(B) * packed_group(B->precision);
    const int columns = (B->N + COLUMNS - 1) / COLUMNS * COLUMNS;
    for (int n = 0; n < columns; n++) {
        int sum = 0;
        for (int k = 0; k < depth; k++) {
            if (k < B->K && n < B->N)
                check_number(B, k, n, W[transposed ? n * B->K + k : k * B->N + n]);
            else
                ck_each(held(B, k, n) == 0, "K %d N %d: [%d,%d]", B->K, B->N, k, n);
            sum += (int)held(B, k, n);
        }
        if (B->precision == PRECISION_INT8)
            ck_each(B->sum[n] == sum, "sum of column %d is %d", n, B->sum[n]);
    }
}

START_TEST(packs_hold_the_numbers)
{
    static const int sizes[] = {1, 3, 31, 32, 33, 63, 64, 65, 130, 257, 300};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    const Precision precision = (Precision)_i;
    Threads *const threads = pool(2);
    for (int i = 0; i < COUNT * 4; i++) {
        const int K = sizes[i % COUNT], N = sizes[(i * 3 + i / COUNT) % COUNT];
        Arena *const arena = room(4 << 20);
        const float *const W = numbers(arena, (size_t)(K * N), 2);
        float *const magnitude = numbers(arena, (size_t)K, 3);
        for (int k = 0; k < K; k++)
            magnitude[k] = fabsf(magnitude[k]);
        const PackedMatrix B =
            pack(arena, precision, W, K, N, true, i % 2 ? magnitude : NULL, threads);
        check_pack(&B, W, true);
        if (precision != PRECISION_INT8) {
            const PackedMatrix C = pack(arena, precision, W, K, N, false, NULL, threads);
            check_pack(&C, W, false);
            PackedMatrix back = packed_place(arena, precision, N, K), forth = B;
            PackedPart parts[2];
            packed_fill_both(&forth, &back, parts, parts_of(W, N, K, parts), threads);
            check_pack(&forth, W, true);
            check_pack(&back, W, false);
        }
        arena_destroy(arena);
    }
    threads_destroy(threads);
}
END_TEST

START_TEST(factors_balance_weights_and_activations)
{
    enum { K = 5, N = 3 };
    /* Largest weights 4, 1, 2, 0 and 8 of the channels. */
    static const float W[N * K] = {1, 1, 0, 0, 8, -4, 0.5F, 2, 0, 1, 2, -1, -1, 0, -3};
    static const float magnitude[K] = {1, 4, 8, 1, 0.5F};
    Arena *const arena = room(1 << 16);
    const PackedMatrix B = pack(arena, PRECISION_INT8, W, K, N, true, magnitude, NULL);
    ck_close(B.factor[1] / B.factor[0], 0.25, 1e-6);
    ck_close(B.factor[2] / B.factor[0], 0.25, 1e-6);
    ck_close(B.factor[4] / B.factor[0], 2.0, 1e-6);
    double product = 1;
    for (int k = 0; k < K; k++)
        product *= (double)B.factor[k];
    ck_assert(B.factor[3] > 0); /* the weights of this channel are all zero */
    ck_close(product, 1, 1e-5);
    arena_destroy(arena);
}
END_TEST

START_TEST(weights_that_are_not_finite_show)
{
    static const float W[4] = {1, NAN, 2, INFINITY};
    static const uint16_t A[2] = {0x3f80, 0x3f80};
    Arena *const arena = room(1 << 16);
    const PackedMatrix B = pack(arena, PRECISION_INT8, W, 2, 2, true, NULL, NULL);
    float C[2] = {0};
    const PackedInput input = {.type = DTYPE_BF16, .numbers = A};
    void *const scratch = arena_alloc(arena, packed_scratch(1, &input, &B));
    packed_product(NULL, 1, &input, &B, &(Epilogue){.type = DTYPE_F32, .c = C}, scratch);
    ck_assert(isnan(C[0]) && isnan(C[1]));
    arena_destroy(arena);
}
END_TEST

/* --- The product --- */

/* A product: its precision, the types and presence of its operands, and its shape. */
typedef struct Case {
    Precision precision;
    DType in, out;
    bool transposed, z, bias, residual, in_place;
    int M, N, K;
} Case;

typedef struct Bench {
    Case is;
    Arena *arena;
    PackedMatrix B;
    float *bias;             /* [N] */
    float *used;             /* [M,K] A as the product sees it: rounded, or dz */
    SupportGuarded A, Az;    /* [M,K] of type in */
    SupportGuarded residual; /* [M,N] of type out */
    SupportGuarded C, z;     /* [M,N] of type out */
} Bench;

/* A matrix of normally distributed values of `type`, and the same values as f32 in `values`. */
static SupportGuarded matrix(DType type, size_t count, unsigned stream, float *values)
{
    SupportGuarded out = support_guarded(count * dtype_size(type), dtype_size(type));
    fill(values, count, stream);
    for (size_t i = 0; i < count; i++) {
        if (type == DTYPE_BF16) {
            ((uint16_t *)out.data)[i] = dtype_bf16_from_f32(values[i]);
            values[i] = rounded(values[i]);
        } else {
            ((float *)out.data)[i] = values[i];
        }
    }
    return out;
}

static float value_at(DType type, const void *values, size_t i)
{
    return type == DTYPE_BF16 ? as_f32(((const uint16_t *)values)[i]) : ((const float *)values)[i];
}

static Bench bench_open(Case is, Threads *threads)
{
    const size_t m = (size_t)is.M, n = (size_t)is.N, k = (size_t)is.K;
    Bench bench = {.is = is,
                   .arena = room(((n + 2 * COLUMNS) * (k + 2 * COLUMNS) * 2 + 2 * m * k + m * n) *
                                     sizeof(float) +
                                 (1 << 16))};
    const float *const W = numbers(bench.arena, n * k, 2);
    float *const work = numbers(bench.arena, m * (k > n ? k : n), 1);
    bench.bias = numbers(bench.arena, n, 3);
    bench.used = numbers(bench.arena, m * k, 1);
    bench.B = pack(bench.arena, is.precision, W, is.K, is.N, is.transposed, NULL, threads);
    bench.A = matrix(is.in, m * k, 4, bench.used);
    bench.Az = matrix(is.in, m * k, 5, work);
    if (is.z)
        kernels()->quick_gelu_backward(work, bench.used, bench.used, m * k);
    for (size_t i = 0; is.precision != PRECISION_F32 && i < m * k; i++)
        bench.used[i] = rounded(bench.used[i]);
    bench.residual = matrix(is.out, m * n, 6, work);
    bench.C = matrix(is.out, m * n, 7, work);
    bench.z = matrix(is.out, m * n, 8, work);
    return bench;
}

static void bench_close(Bench *bench)
{
    SupportGuarded *const all[] = {&bench->A, &bench->Az, &bench->residual, &bench->C, &bench->z};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        support_guarded_free(all[i]);
    arena_destroy(bench->arena);
}

typedef void Activate(const float *z, float *y, size_t n);

/*
 * Computes the product of `rows` rows of A from `first` on, with scratch memory that ends at a
 * guard page.
 */
static void product(const Bench *bench, Threads *threads, int first, int rows, Activate *activate)
{
    const Case *const is = &bench->is;
    const size_t from = (size_t)first * (size_t)is->K * dtype_size(is->in);
    const size_t to = (size_t)first * (size_t)is->N * dtype_size(is->out);
    const PackedInput input = {.type = is->in,
                               .numbers = (const char *)bench->A.data + from,
                               .z = is->z ? (const char *)bench->Az.data + from : NULL,
                               .backward = kernels()->quick_gelu_backward};
    char *const C = (char *)bench->C.data + to;
    const Epilogue epilogue = {.type = is->out,
                               .c = C,
                               .bias = is->bias ? bench->bias : NULL,
                               .residual = is->in_place   ? C
                                           : is->residual ? (const char *)bench->residual.data + to
                                                          : NULL,
                               .activate = activate,
                               .z = activate ? (char *)bench->z.data + to : NULL};
    SupportGuarded scratch =
        support_guarded(packed_scratch(rows, &input, &bench->B), ARENA_ALIGNMENT);
    packed_product(threads, rows, &input, &bench->B, &epilogue, scratch.data);
    support_guarded_free(&scratch);
}

/*
 * Element [m,n] of the product with the pack, in double; *magnitude is the sum of the magnitudes of
 * its terms.
 */
static double entry(const Bench *bench, int m, int n, const uint8_t *quantized, float row_scale,
                    int row_zero, double *magnitude)
{
    const PackedMatrix *const B = &bench->B;
    const float *const a = bench->used + (ptrdiff_t)m * B->K;
    double sum = 0;
    *magnitude = 0;
    for (int k = 0; k < B->K; k++) {
        const double lhs = quantized ? quantized[k] - row_zero : (double)a[k];
        const double term = lhs * (double)held(B, k, n);
        sum += term;
        *magnitude += fabs(term);
    }
    if (!quantized)
        return sum;
    /* Sums of integers are exact; only their product with the scales is rounded. */
    const double scale = (double)row_scale * (double)B->scale[n];
    *magnitude = fabs(sum) * scale;
    return sum * scale;
}

static void check_row(const Bench *bench, int m, int step, const float *before)
{
    const Case *const is = &bench->is;
    uint8_t *quantized = NULL;
    float row_scale = 0;
    int32_t row_zero = 0;
    if (is->precision == PRECISION_INT8) {
        const float *const a = bench->used + (ptrdiff_t)m * is->K;
        uint16_t *const bits = malloc((size_t)is->K * sizeof *bits);
        quantized = malloc((size_t)is->K);
        for (int k = 0; k < is->K; k++)
            bits[k] = dtype_bf16_from_f32(a[k]);
        row_scale = kernels_reference()->quantize(bits, NULL, is->K, quantized, &row_zero);
        free(bits);
    }
    for (int n = m % step; n < is->N; n += step) {
        const size_t i = (size_t)m * (size_t)is->N + (size_t)n;
        double magnitude, sum = entry(bench, m, n, quantized, row_scale, row_zero, &magnitude);
        const double bias = is->bias ? (double)bench->bias[n] : 0;
        const double addend = is->in_place   ? (double)before[i]
                              : is->residual ? (double)value_at(is->out, bench->residual.data, i)
                                             : 0;
        sum += bias + addend;
        magnitude += fabs(bias) + fabs(addend);
        /* Half a step of bf16 is at most 2^-8 of the value. */
        const double allowed = 5e-7 * magnitude + (is->out == DTYPE_BF16 ? fabs(sum) / 255 : 0);
        const double have = (double)value_at(is->out, bench->C.data, i);
        ck_each(fabs(have - sum) <= allowed,
                "%s, types %s -> %s, transposed %d, z %d, bias %d, residual %d, in place %d, M %d "
                "N %d K %d: C[%d,%d] = %.9g, not %.9g",
                precision_name(is->precision), dtype_name(is->in), dtype_name(is->out),
                is->transposed, is->z, is->bias, is->residual, is->in_place, is->M, is->N, is->K, m,
                n, have, sum);
    }
    free(quantized);
}

/*
 * `flags` choose types and optional operands. Checks all elements of a small product, a sample of a
 * large one.
 */
static void check_shape(Precision precision, int M, int N, int K, int flags, Threads *threads)
{
    const bool low = precision != PRECISION_F32, int8 = precision == PRECISION_INT8;
    const Case is = {.precision = precision,
                     .in = low && flags & 1 ? DTYPE_BF16 : DTYPE_F32,
                     .out = low && flags & 2 ? DTYPE_BF16 : DTYPE_F32,
                     .transposed = int8 || flags & 4,
                     .z = !int8 && flags & 8,
                     .bias = flags & 16,
                     .residual = flags & 32,
                     .in_place = (flags & 96) == 96,
                     .M = M,
                     .N = N,
                     .K = K};
    Bench bench = bench_open(is, threads);
    const size_t count = (size_t)M * (size_t)N;
    float *const before = malloc(count * sizeof *before);
    for (size_t i = 0; i < count; i++)
        before[i] = value_at(is.out, bench.C.data, i);
    product(&bench, threads, 0, M, NULL);
    const int stride = (int)(1 + count * (size_t)K / 100000);
    for (int m = 0; m < M; m++)
        check_row(&bench, m, stride, before);
    free(before);
    bench_close(&bench);
}

START_TEST(products_of_odd_shapes_equal_sums_in_double)
{
    static const int Ks[] = {1, 2, 5, 31, 32, 33, 63, 64, 65, 128, 257, 300, 1024, 1025, 2050};
    static const int Ns[] = {1, 5, 16, 63, 64, 65, 100, 128, 130, 257};
    static const int Ms[] = {1, 2, 5, 6, 7, 16, 31, 32, 33, 257, 300};
    enum { K_COUNT = sizeof Ks / sizeof *Ks, N_COUNT = sizeof Ns / sizeof *Ns };
    enum { M_COUNT = sizeof Ms / sizeof *Ms, CASES = 128 };
    Threads *const threads = pool(2);
    /* 37 is odd, so all combinations of flags occur, in an order unrelated to the shapes. */
    for (int i = 0; i < CASES; i++)
        check_shape((Precision)_i, Ms[i % M_COUNT], Ns[i * 3 % N_COUNT],
                    Ks[(i * 7 + i / M_COUNT) % K_COUNT], i * 37, threads);
    /* More than one group of rows, and more than one chunk. */
    for (int flags = 0; flags < 16; flags += 3) {
        check_shape((Precision)_i, 700, 65, 70, flags | 48, threads);
        check_shape((Precision)_i, 2117, 3, 1030, flags, threads);
        if (flags < 9)
            check_shape((Precision)_i, 530, 2, 16400, flags * 3, threads);
        check_shape((Precision)_i, 300, 65, 4128, flags | 16, threads);
        check_shape((Precision)_i, 40, 513, 128, flags | 16, threads); /* copied rows of bf16 */
    }
    threads_destroy(threads);
}
END_TEST

/*
 * Computes all rows at once on one thread, then group by group on several; the results must be
 * bit-identical.
 */
static void check_grouping(Case is)
{
    Bench bench = bench_open(is, NULL);
    const size_t bytes = (size_t)is.M * (size_t)is.N * dtype_size(is.out);
    char *const C = malloc(bytes), *const z = malloc(bytes);
    product(&bench, NULL, 0, is.M, kernels()->quick_gelu);
    memcpy(C, bench.C.data, bytes);
    memcpy(z, bench.z.data, bytes);
    for (int count = 1; count <= 3; count++) {
        Threads *const threads = pool(count);
        for (int size = is.M; size >= 1; size = size / 4 - 3) {
            memset(bench.C.data, 0xff, bytes);
            memset(bench.z.data, 0xff, bytes);
            for (int first = 0; first < is.M; first += size)
                product(&bench, threads, first, is.M - first < size ? is.M - first : size,
                        kernels()->quick_gelu);
            ck_each(memcmp(bench.C.data, C, bytes) == 0 && memcmp(bench.z.data, z, bytes) == 0,
                    "%s from %s: %d threads, groups of %d rows", precision_name(is.precision),
                    dtype_name(is.in), count, size);
        }
        threads_destroy(threads);
    }
    free(C);
    free(z);
    bench_close(&bench);
}

START_TEST(grouping_and_threads_change_no_bit)
{
    Case is = {.precision = (Precision)_i, .transposed = true, .bias = true, .M = 800, .N = 66};
    for (int i = 0; i < (is.precision == PRECISION_F32 ? 1 : 2); i++) {
        is.in = i ? DTYPE_BF16 : DTYPE_F32;
        is.out = is.in;
        is.K = i ? 1056 : 1100; /* bf16: read in place, and rounded */
        check_grouping(is);
    }
    is.N = 514; /* at this size bf16 rows may be copied first, with fewer rows they are not */
    is.M = 200;
    is.K = 1024;
    check_grouping(is);
}
END_TEST

START_TEST(the_activation_sees_the_whole_sum)
{
    const Precision precision = (Precision)_i;
    Case is = {.precision = precision, .transposed = true, .bias = true, .M = 13, .N = 70};
    is.K = 1030;
    enum { COUNT = 13 * 70 };
    static float z[COUNT], y[COUNT];
    Bench bench = bench_open(is, NULL);
    product(&bench, NULL, 0, is.M, NULL);
    memcpy(z, bench.C.data, sizeof z);
    kernels()->gelu(z, y, COUNT);
    product(&bench, NULL, 0, is.M, kernels()->gelu);
    ck_assert_mem_eq(bench.C.data, y, sizeof y);
    ck_assert_mem_eq(bench.z.data, z, sizeof z);
    bench_close(&bench);
    if (precision == PRECISION_F32)
        return;
    /* In bf16, C and z are each rounded once. */
    is.out = DTYPE_BF16;
    bench = bench_open(is, NULL);
    product(&bench, NULL, 0, is.M, kernels()->gelu);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert(value_at(is.out, bench.C.data, i) == rounded(y[i]));
        ck_assert(value_at(is.out, bench.z.data, i) == rounded(z[i]));
    }
    bench_close(&bench);
}
END_TEST

/* The cosine of the angle between x W^T in int8 and in double. */
static double int8_cosine(const float *x, const float *W, const float *magnitude, int M, int N,
                          int K)
{
    Arena *const arena = room(4 << 20);
    const PackedMatrix B = pack(arena, PRECISION_INT8, W, K, N, true, magnitude, NULL);
    const PackedInput input = {.numbers = x};
    float *const C = arena_alloc(arena, (size_t)(M * N) * sizeof *C);
    packed_product(NULL, M, &input, &B, &(Epilogue){.type = DTYPE_F32, .c = C},
                   arena_alloc(arena, packed_scratch(M, &input, &B)));
    double across = 0, left = 0, right = 0;
    for (int i = 0; i < M * N; i++) {
        double sum = 0;
        for (int k = 0; k < K; k++)
            sum += (double)x[i / N * K + k] * (double)W[i % N * K + k];
        across += sum * (double)C[i];
        left += sum * sum;
        right += (double)C[i] * (double)C[i];
    }
    arena_destroy(arena);
    return across / sqrt(left * right);
}

/* Four channels of x 50 times as large as the others, their weights 50 times as small. */
START_TEST(factors_save_what_large_channels_would_drown)
{
    enum { M = 40, N = 70, K = 256, LARGE = 4 };
    static float x[M * K], W[N * K], magnitude[K];
    support_fill_normal(x, M * K, 20, 1);
    support_fill_normal(W, N * K, 21, 1);
    const double plain = int8_cosine(x, W, NULL, M, N, K);
    for (int k = 0; k < K; k++) {
        const bool large = k % (K / LARGE) == 7;
        magnitude[k] = large ? 50 : 1;
        for (int m = 0; m < M; m++)
            x[m * K + k] *= magnitude[k];
        for (int n = 0; n < N; n++)
            W[n * K + k] /= magnitude[k];
    }
    const double without = int8_cosine(x, W, NULL, M, N, K);
    const double with = int8_cosine(x, W, magnitude, M, N, K);
    ck_each(plain > 0.9998 && with > 0.9998 && without < 0.995,
            "cosine %.6f, with large channels %.6f, balanced %.6f", plain, without, with);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("packed");
    TCase *const packs = support_case(suite, "packs", 120);
    tcase_add_loop_test(packs, packs_hold_the_numbers, 0, PRECISION_COUNT);
    tcase_add_test(packs, factors_balance_weights_and_activations);
    tcase_add_test(packs, weights_that_are_not_finite_show);
    TCase *const product_case = support_case(suite, "product", 120);
    tcase_add_loop_test(product_case, products_of_odd_shapes_equal_sums_in_double, 0,
                        PRECISION_COUNT);
    tcase_add_loop_test(product_case, grouping_and_threads_change_no_bit, 0, PRECISION_COUNT);
    tcase_add_loop_test(product_case, the_activation_sees_the_whole_sum, 0, PRECISION_COUNT);
    tcase_add_test(product_case, factors_save_what_large_channels_would_drown);
    return support_main(suite);
}
