/*
 * test_packed.c - the packed product: every variant of its kernels against the portable one and against
 * sums in double, nothing touched outside the operands, the same bits however rows are grouped and on
 * any number of threads, and op_linear with packs against the same without.
 */
#include "tests/support.h"

#include "tensor/kernels/kernels.h"
#include "tensor/ops.h"
#include "tensor/packed.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

static const char *const VARIANTS[] = {"ref", "avx2", "avx512"};
enum { VARIANT_COUNT = sizeof VARIANTS / sizeof *VARIANTS };
enum { ROWS = KERNELS_TILE_ROWS, COLUMNS = KERNELS_TILE_COLUMNS, PAGE = 4096 };

/* --- The kernels --- */

/* Memory whose last float lies right before a page that may not be touched. */
typedef struct Guarded {
    char *map;
    size_t bytes;
    float *numbers;
} Guarded;

static Guarded guarded(size_t count, size_t alignment)
{
    const size_t bytes = count * sizeof(float);
    Guarded g = {.bytes = (bytes + alignment + 2 * PAGE) / PAGE * PAGE};
    g.map = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(g.map != MAP_FAILED);
    ck_assert_int_eq(mprotect(g.map + g.bytes - PAGE, PAGE, PROT_NONE), 0);
    const size_t start = (g.bytes - PAGE - bytes) / alignment * alignment;
    g.numbers = (float *)(void *)(g.map + start);
    return g;
}

static void guarded_free(Guarded *g)
{
    munmap(g->map, g->bytes);
}

enum { TILE_DEPTH = 133, TILE_LD = COLUMNS + 3 };

typedef struct TileCase {
    int rows, columns, depth;
    bool bias, addend, in_place;
} TileCase;

/* Runs one variant over the case: operands end at guard pages; c receives [rows][TILE_LD]. */
static void run_tile(const Kernels *table, TileCase test, const float *a, const float *b,
                     const float *bias, const float *addend, float *c)
{
    const size_t span = (size_t)(test.rows - 1) * TILE_LD + (size_t)test.columns;
    Guarded ga = guarded((size_t)test.depth * ROWS, sizeof(float));
    Guarded gb = guarded((size_t)test.depth * COLUMNS, 64);
    Guarded gbias = guarded((size_t)test.columns, sizeof(float));
    Guarded gadd = guarded(span, sizeof(float)), gc = guarded(span, sizeof(float));
    memcpy(ga.numbers, a, (size_t)test.depth * ROWS * sizeof *a);
    memcpy(gb.numbers, b, (size_t)test.depth * COLUMNS * sizeof *b);
    memcpy(gbias.numbers, bias, (size_t)test.columns * sizeof *bias);
    memcpy(gadd.numbers, addend, span * sizeof *addend);
    memcpy(gc.numbers, addend, span * sizeof *addend);
    const KernelTile tile = {.rows = test.rows,
                             .columns = test.columns,
                             .depth = test.depth,
                             .a = ga.numbers,
                             .b = gb.numbers,
                             .bias = test.bias ? gbias.numbers : NULL,
                             .addend = !test.addend    ? NULL
                                       : test.in_place ? gc.numbers
                                                       : gadd.numbers,
                             .c = gc.numbers,
                             .ld = TILE_LD,
                             .ahead = ga.map,
                             .ahead_lines = 3};
    table->tile(&tile);
    memcpy(c, gc.numbers, span * sizeof *c);
    guarded_free(&ga);
    guarded_free(&gb);
    guarded_free(&gbias);
    guarded_free(&gadd);
    guarded_free(&gc);
}

static float tile_a[TILE_DEPTH * ROWS], tile_b[TILE_DEPTH * COLUMNS], tile_bias[COLUMNS];
static float tile_addend[ROWS * TILE_LD], tile_c[ROWS * TILE_LD], tile_wanted[ROWS * TILE_LD];

static void compare_tile(const Kernels *table, TileCase test)
{
    run_tile(table, test, tile_a, tile_b, tile_bias, tile_addend, tile_c);
    for (int r = 0; r < test.rows; r++) {
        for (int n = 0; n < TILE_LD && r * TILE_LD + n < (test.rows - 1) * TILE_LD + test.columns;
             n++) {
            const int i = r * TILE_LD + n;
            double sum = 0, magnitude = 0;
            for (int k = 0; k < test.depth && n < test.columns; k++) {
                const double product = (double)tile_a[k * ROWS + r] * tile_b[k * COLUMNS + n];
                sum += product;
                magnitude += fabs(product);
            }
            sum += n < test.columns && test.bias ? tile_bias[n] : 0;
            sum += n < test.columns && test.addend ? tile_addend[i] : 0;
            magnitude += fabs((double)tile_bias[n % COLUMNS]) + fabs((double)tile_addend[i]);
            const double wanted = n < test.columns ? sum : tile_addend[i];
            const double allowed = n < test.columns ? 1e-6 * magnitude : 0;
            ck_each(fabs(tile_c[i] - wanted) <= allowed,
                    "%s: %d x %d, depth %d, bias %d, addend %d, in place %d: c[%d,%d] = %.9g, not "
                    "%.9g",
                    table->name, test.rows, test.columns, test.depth, test.bias, test.addend,
                    test.in_place, r, n, (double)tile_c[i], wanted);
        }
    }
}

START_TEST(tiles_of_all_sizes_equal_sums_in_double)
{
    const Kernels *const table = kernels_variant(VARIANTS[_i]);
    if (!table)
        return;
    support_fill_normal(tile_a, sizeof tile_a / sizeof *tile_a, 1, 1);
    support_fill_normal(tile_b, sizeof tile_b / sizeof *tile_b, 2, 1);
    support_fill_normal(tile_bias, COLUMNS, 3, 1);
    support_fill_normal(tile_addend, ROWS * TILE_LD, 4, 1);
    static const int depths[] = {1, 2, 3, 4, 5, 7, 8, 31, 133};
    int flags = 0;
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (int rows = 1; rows <= ROWS; rows++)
            for (int columns = 1; columns <= COLUMNS; columns++, flags++)
                compare_tile(table, (TileCase){rows, columns, depths[d], flags & 1, flags & 2,
                                               (flags & 4) != 0});
}
END_TEST

static bool same_kind(float a, float b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs((double)a - b) <= 1e-5 * fabs((double)b) + 1e-38;
}

START_TEST(extreme_numbers_pass_as_in_the_reference)
{
    const Kernels *const table = kernels_variant(VARIANTS[_i]);
    if (!table)
        return;
    static const float extreme[] = {0.0f, -0.0f,    1e-40f,    -1e-45f, FLT_MIN, 3e38f,
                                    1.0f, INFINITY, -INFINITY, NAN,     1e19f,   -2.5f};
    enum { COUNT = sizeof extreme / sizeof *extreme };
    memset(tile_bias, 0, sizeof tile_bias);
    memset(tile_addend, 0, sizeof tile_addend);
    /* One product a sum, so that an order of summation cannot hide behind infinities. */
    for (int i = 0; i < COUNT; i++) {
        for (int n = 0; n < COLUMNS; n++)
            tile_b[n] = extreme[n % COUNT];
        for (int r = 0; r < ROWS; r++)
            tile_a[r] = extreme[(r + i) % COUNT];
        const TileCase test = {ROWS, COLUMNS, 1, false, false, false};
        run_tile(kernels_reference(), test, tile_a, tile_b, tile_bias, tile_addend, tile_wanted);
        run_tile(table, test, tile_a, tile_b, tile_bias, tile_addend, tile_c);
        for (int r = 0; r < ROWS; r++)
            for (int n = 0; n < COLUMNS; n++)
                ck_each(same_kind(tile_c[r * TILE_LD + n], tile_wanted[r * TILE_LD + n]),
                        "%s: %g times %g is %g, in the reference %g", table->name,
                        (double)tile_a[r], (double)tile_b[n], (double)tile_c[r * TILE_LD + n],
                        (double)tile_wanted[r * TILE_LD + n]);
    }
}
END_TEST

START_TEST(rows_are_interleaved)
{
    const Kernels *const table = kernels_variant(VARIANTS[_i]);
    if (!table)
        return;
    for (int rows = 1; rows <= ROWS; rows++) {
        for (int depth = 1; depth <= 70; depth++) {
            const int lda = depth + depth % 3;
            const size_t span = (size_t)(rows - 1) * (size_t)lda + (size_t)depth;
            Guarded a = guarded(span, sizeof(float));
            Guarded out = guarded((size_t)depth * ROWS, sizeof(float));
            for (size_t i = 0; i < span; i++)
                a.numbers[i] = (float)(i + 1);
            memset(out.numbers, 0xff, (size_t)depth * ROWS * sizeof(float));
            table->interleave(a.numbers, lda, rows, depth, out.numbers);
            for (int k = 0; k < depth; k++)
                for (int r = 0; r < ROWS; r++)
                    ck_each(out.numbers[k * ROWS + r] ==
                                (r < rows ? (float)(r * lda + k + 1) : 0.0f),
                            "%s: rows %d, depth %d: [%d][%d] = %g", table->name, rows, depth, k, r,
                            (double)out.numbers[k * ROWS + r]);
            guarded_free(&a);
            guarded_free(&out);
        }
    }
}
END_TEST

START_TEST(rows_become_columns)
{
    const Kernels *const table = kernels_variant(VARIANTS[_i]);
    if (!table)
        return;
    for (int count = 1; count <= COLUMNS; count++) {
        for (int depth = 1; depth <= 70; depth += 1 + depth / 20) {
            Guarded in = guarded((size_t)(count * depth), sizeof(float));
            Guarded out = guarded((size_t)depth * COLUMNS, 64);
            const float *rows[COLUMNS] = {NULL};
            for (int n = 0; n < count; n++)
                rows[n] = in.numbers + (ptrdiff_t)(count - 1 - n) * depth;
            for (int i = 0; i < count * depth; i++)
                in.numbers[i] = (float)(i + 1);
            memset(out.numbers, 0xff, (size_t)depth * COLUMNS * sizeof(float));
            table->transpose(rows, count, depth, out.numbers);
            for (int k = 0; k < depth; k++)
                for (int n = 0; n < COLUMNS; n++)
                    ck_each(out.numbers[k * COLUMNS + n] == (n < count ? rows[n][k] : 0.0f),
                            "%s: %d rows, depth %d: [%d][%d] = %g", table->name, count, depth, k, n,
                            (double)out.numbers[k * COLUMNS + n]);
            guarded_free(&in);
            guarded_free(&out);
        }
    }
}
END_TEST

/* --- The product --- */

typedef struct Bench {
    Arena *arena;
    float *A, *W, *bias, *residual, *C, *z, *wanted;
    PackedMatrix B;
    int M, N, K;
} Bench;

static float *numbers(Arena *arena, size_t count, unsigned stream)
{
    float *const block = arena_alloc(arena, count * sizeof(float));
    support_fill_normal(block, count, stream, 1);
    return block;
}

/* W is [N,K] in two parts where it can be, so B = W^T; or [K,N] if not transposed. */
static void bench_open(Bench *bench, int M, int N, int K, bool transposed, Threads *threads)
{
    Error error = {0};
    const size_t m = (size_t)M, n = (size_t)N, k = (size_t)K;
    *bench = (Bench){.M = M, .N = N, .K = K};
    ck_ok(arena_create(&bench->arena,
                       (m * k + (n + 64) * k * 2 + 4 * m * n + n) * sizeof(float) + (1 << 16),
                       &error),
          &error);
    bench->A = numbers(bench->arena, m * k, 1);
    bench->W = numbers(bench->arena, n * k, 2);
    bench->bias = numbers(bench->arena, n, 3);
    bench->residual = numbers(bench->arena, m * n, 4);
    bench->C = numbers(bench->arena, m * n, 5);
    bench->z = numbers(bench->arena, m * n, 6);
    bench->wanted = numbers(bench->arena, m * n, 7);
    bench->B = packed_place(bench->arena, K, N);
    const int rows = transposed ? N : K, width = transposed ? K : N, half = rows / 2;
    const PackedPart whole[] = {{bench->W, rows}};
    const PackedPart halves[] = {{bench->W, half},
                                 {bench->W + (ptrdiff_t)half * width, rows - half}};
    (transposed ? packed_fill_transposed : packed_fill)(&bench->B, half ? halves : whole,
                                                        half ? 2 : 1, threads);
}

static void product(const Bench *bench, Threads *threads, int first, int rows,
                    const PackedEpilogue *epilogue)
{
    Error error = {0};
    Arena *arena;
    const size_t scratch = packed_scratch(rows, bench->K) * sizeof(float);
    ck_ok(arena_create(&arena, scratch + 128, &error), &error);
    const ptrdiff_t shift = (ptrdiff_t)first * bench->N;
    PackedEpilogue part = *epilogue;
    part.residual = part.residual ? part.residual + shift : NULL;
    part.z = part.z ? part.z + shift : NULL;
    packed_product(threads, rows, bench->A + (ptrdiff_t)first * bench->K, &bench->B, &part,
                   arena_alloc(arena, scratch), bench->C + shift);
    arena_destroy(arena);
}

static void check_shape(int M, int N, int K, bool transposed, int flags, Threads *threads)
{
    Bench bench;
    bench_open(&bench, M, N, K, transposed, threads);
    const bool bias = flags & 1, residual = flags & 2;
    product(&bench, threads, 0, M,
            &(PackedEpilogue){.bias = bias ? bench.bias : NULL,
                              .residual = residual ? bench.residual : NULL});
    const size_t step_k = transposed ? 1 : (size_t)N, step_n = transposed ? (size_t)K : 1;
    /* All of a small product, a sample of a large one. */
    const int stride = 1 + M * N / 4000;
    for (int i = 0; i < M * N; i += stride) {
        const int m = i / N, n = i % N;
        double sum = 0, magnitude = 1;
        for (int k = 0; k < K; k++) {
            const double a = bench.A[(size_t)m * (size_t)K + (size_t)k];
            const double w = bench.W[(size_t)k * step_k + (size_t)n * step_n];
            sum += a * w;
            magnitude += fabs(a * w);
        }
        sum += bias ? bench.bias[n] : 0;
        sum += residual ? bench.residual[i] : 0;
        ck_each(fabs(bench.C[i] - sum) <= 1e-6 * magnitude,
                "M %d N %d K %d, transposed %d, bias %d, residual %d: C[%d,%d] = %.9g, not %.9g", M,
                N, K, transposed, bias, residual, m, n, (double)bench.C[i], sum);
    }
    arena_destroy(bench.arena);
}

START_TEST(products_of_odd_shapes_equal_sums_in_double)
{
    static const int Ks[] = {1, 2, 3, 15, 16, 17, 63, 130, 1023, 1024, 1025, 2050};
    static const int Ns[] = {1, 2, 15, 16, 17, 63, 64, 65, 100, 127, 128, 130};
    enum { K_COUNT = sizeof Ks / sizeof *Ks, N_COUNT = sizeof Ns / sizeof *Ns };
    Error error = {0};
    Threads *threads;
    ck_ok(threads_create(&threads, 2, &error), &error);
    for (int M = 1; M <= 20; M++)
        for (int i = 0; i < 6; i++)
            check_shape(M, Ns[(M * 5 + i * 7) % N_COUNT], Ks[(M * 7 + i * 5) % K_COUNT],
                        (M + i) % 3 != 0, i + M, threads);
    for (int i = 0; i < N_COUNT; i++)
        check_shape(257, Ns[i], Ks[i], i % 2, i / 2, threads);
    check_shape(2200, 65, 70, true, 3, threads); /* more than one chunk of rows */
    check_shape(2117, 20, 1030, false, 1, threads);
    threads_destroy(threads);
}
END_TEST

START_TEST(grouping_and_threads_change_no_bit)
{
    enum { M = 300, N = 130, K = 1500 };
    Bench bench;
    bench_open(&bench, M, N, K, true, NULL);
    const PackedEpilogue epilogue = {
        .bias = bench.bias, .activate = kernels()->quick_gelu, .z = bench.z};
    const size_t bytes = (size_t)M * N * sizeof(float);
    product(&bench, NULL, 0, M, &epilogue);
    memcpy(bench.wanted, bench.C, bytes);
    memcpy(bench.residual, bench.z, bytes);
    for (int count = 1; count <= 3; count++) {
        Error error = {0};
        Threads *threads;
        ck_ok(threads_create(&threads, count, &error), &error);
        for (int size = 1; size <= M; size = size * 3 + 1) {
            memset(bench.C, 0xff, bytes);
            memset(bench.z, 0xff, bytes);
            for (int first = 0; first < M; first += size)
                product(&bench, threads, first, M - first < size ? M - first : size, &epilogue);
            ck_each(memcmp(bench.C, bench.wanted, bytes) == 0 &&
                        memcmp(bench.z, bench.residual, bytes) == 0,
                    "%d threads, groups of %d rows", count, size);
        }
        threads_destroy(threads);
    }
    arena_destroy(bench.arena);
}
END_TEST

START_TEST(the_activation_sees_the_whole_sum)
{
    enum { M = 13, N = 70, K = 1030 };
    Bench bench;
    bench_open(&bench, M, N, K, true, NULL);
    const size_t count = (size_t)M * N, bytes = count * sizeof(float);
    product(&bench, NULL, 0, M, &(PackedEpilogue){.bias = bench.bias});
    memcpy(bench.residual, bench.C, bytes);
    kernels()->gelu(bench.C, bench.wanted, count);
    product(&bench, NULL, 0, M,
            &(PackedEpilogue){.bias = bench.bias, .activate = kernels()->gelu, .z = bench.z});
    ck_assert_mem_eq(bench.C, bench.wanted, bytes);
    ck_assert_mem_eq(bench.z, bench.residual, bytes);
    product(&bench, NULL, 0, M, &(PackedEpilogue){.bias = bench.bias, .activate = kernels()->gelu});
    ck_assert_mem_eq(bench.C, bench.wanted, bytes);
    arena_destroy(bench.arena);
}
END_TEST

/* --- op_linear --- */

enum { SAMPLES = 3, TOKENS = 11, IN = 70, OUT = 90 };

/* y and dx of one linear map of two parts, with or without packs. */
static void run_linear(bool packed, Activation activation, bool residual, float *y, float *dx)
{
    SupportEngine engine;
    Error error = {0};
    Arena *arena;
    support_engine_open(&engine, 2, 1 << 22);
    ck_ok(arena_create(&arena, 1 << 20, &error), &error);
    const int half = OUT / 2, rows[2] = {half, OUT - half};
    float *const W = numbers(arena, OUT * IN, 11);
    float *const bias = numbers(arena, OUT, 12);
    Tensor weights[2], biases[2];
    for (int p = 0; p < 2; p++) {
        weights[p] = tensor_leaf(W + (ptrdiff_t)p * half * IN, 2, (const int[]){rows[p], IN});
        biases[p] = tensor_leaf(bias + (ptrdiff_t)p * half, 1, &rows[p]);
    }
    /* One part has no bias: zeros stand for it. */
    Linear linear = {.in = IN,
                     .out = OUT,
                     .parts = 2,
                     .weight = {&weights[0], &weights[1]},
                     .bias = {residual ? &biases[0] : NULL, residual ? NULL : &biases[1]}};
    PackedMatrix forward = packed_place(arena, IN, OUT), backward = packed_place(arena, OUT, IN);
    const PackedPart parts[] = {{weights[0].data, rows[0]}, {weights[1].data, rows[1]}};
    packed_fill_transposed(&forward, parts, 2, engine.threads);
    packed_fill(&backward, parts, 2, engine.threads);
    if (packed) {
        linear.forward = &forward;
        linear.backward = &backward;
    }
    Tensor x = tensor_leaf(numbers(arena, SAMPLES * TOKENS * IN, 13), 3,
                           (const int[]){SAMPLES, TOKENS, IN});
    Tensor add = tensor_leaf(numbers(arena, SAMPLES * TOKENS * OUT, 14), 3,
                             (const int[]){SAMPLES, TOKENS, OUT});
    float *const seed = numbers(arena, SAMPLES * TOKENS * OUT, 15);
    x.needs_grad = true;
    Tensor *const out = op_linear(engine.tape, &x, &linear, activation, residual ? &add : NULL);
    tape_backward(engine.tape, out, seed);
    memcpy(y, tensor_f32(out), SAMPLES * TOKENS * OUT * sizeof *y);
    memcpy(dx, x.grad, SAMPLES * TOKENS * IN * sizeof *dx);
    support_engine_close(&engine);
    arena_destroy(arena);
}

START_TEST(op_linear_agrees_with_and_without_packs)
{
    static float y[2][SAMPLES * TOKENS * OUT], dx[2][SAMPLES * TOKENS * IN];
    static const Activation activations[] = {ACTIVATION_NONE, ACTIVATION_QUICK_GELU,
                                             ACTIVATION_GELU, ACTIVATION_NONE};
    for (int i = 0; i < 4; i++) {
        for (int packed = 0; packed < 2; packed++)
            run_linear(packed, activations[i], i == 3, y[packed], dx[packed]);
        const double y_error = support_relative_error(y[1], y[0], SAMPLES * TOKENS * OUT);
        const double dx_error = support_relative_error(dx[1], dx[0], SAMPLES * TOKENS * IN);
        ck_each(y_error < 1e-6 && dx_error < 1e-6, "case %d: y differs by %g, dx by %g", i, y_error,
                dx_error);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("packed");
    TCase *const kernels_case = support_case(suite, "kernels", 120);
    tcase_add_loop_test(kernels_case, tiles_of_all_sizes_equal_sums_in_double, 0, VARIANT_COUNT);
    tcase_add_loop_test(kernels_case, extreme_numbers_pass_as_in_the_reference, 0, VARIANT_COUNT);
    tcase_add_loop_test(kernels_case, rows_are_interleaved, 0, VARIANT_COUNT);
    tcase_add_loop_test(kernels_case, rows_become_columns, 0, VARIANT_COUNT);
    TCase *const product_case = support_case(suite, "product", 120);
    tcase_add_test(product_case, products_of_odd_shapes_equal_sums_in_double);
    tcase_add_test(product_case, grouping_and_threads_change_no_bit);
    tcase_add_test(product_case, the_activation_sees_the_whole_sum);
    TCase *const users = support_case(suite, "users", 120);
    tcase_add_test(users, op_linear_agrees_with_and_without_packs);
    return support_main(suite);
}
