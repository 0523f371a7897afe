/*
 * test_ops_bf16.c - operations on values in bf16, against the same operation in f32 on the same
 * numbers.
 *
 * Whatever enters in bf16 was rounded to bf16 beforehand, for both sides. What remains are the
 * roundings of the operation itself, each of at most 2^-9 of the number that is rounded. Where one
 * rounding ends a computation, so is the error in the Euclidean norm over all numbers (y, dx).
 * Where rounded numbers are summed, the errors of the terms are as independent as the terms, and
 * the relative error of the sum is about that of a term.
 */
#include "tensor/ops/op.h"
#include "tests/support.h"

#include <math.h>
#include <signal.h>
#include <string.h>

enum { B = 3, MAX_PARTS = 2, ARENA_BYTES = 1 << 23 };

#define U   0x1p-9 /* of one rounding to bf16 */
#define F32 1e-5   /* of sums in f32 in another order */

/* x [B,M,in], and two vectors that may train: gamma and beta [in], or the biases of the parts [out
 * / parts]. */
typedef struct Case {
    const char *name;
    bool norm; /* layer_norm, else linear */
    int M, in, out, parts;
    Activation activation;
    bool residual;
    bool twice; /* x is used a second time, so that its gradient is a sum */
    /* Relative errors allowed: of y, of dx, and of the gradients of the two vectors. */
    double y, dx, first, second;
} Case;

static const Case cases[] = {
    {"layer_norm", true, 5, 19, 19, 1, ACTIVATION_NONE, false, false, U, U, U, F32},
    {"layer_norm many rows", true, 131, 40, 40, 1, ACTIVATION_NONE, false, true, U, U, U, F32},
    {"layer_norm one row", true, 1, 201, 201, 1, ACTIVATION_NONE, false, false, U, U, U, F32},
    {"linear", false, 5, 19, 37, 1, ACTIVATION_NONE, false, false, U, U, F32, 0},
    {"linear two parts", false, 7, 70, 130, 2, ACTIVATION_NONE, false, false, U, U, F32, F32},
    {"linear large", false, 70, 200, 130, 1, ACTIVATION_NONE, false, false, U, U, F32, 0},
    {"linear one row", false, 1, 64, 64, 1, ACTIVATION_NONE, false, false, U, U, F32, 0},
    {"linear twice", false, 6, 33, 20, 2, ACTIVATION_NONE, false, true, 2 * U, 2 * U, F32, F32},
    {"linear residual", false, 9, 66, 65, 1, ACTIVATION_NONE, true, false, F32, 2 * U, F32, 0},
    {"linear quick_gelu", false, 5, 24, 39, 1, ACTIVATION_QUICK_GELU, false, false, U, 2 * U, 2 * U,
     0},
    {"linear gelu", false, 66, 140, 70, 1, ACTIVATION_GELU, false, false, U, 2 * U, 2 * U, 0},
};

enum { CASES = sizeof cases / sizeof *cases };

static Error error;

/* The numbers of one case; the weights' packs belong to `packs`. */
typedef struct Bench {
    const Case *c;
    float *x, *residual, *seed; /* [B,M,in], [B,M,out], [B,M,out] */
    float *weight;              /* [out,in] */
    float *vector[MAX_PARTS];   /* gamma and beta, or biases */
    Arena *packs;
    PackedMatrix forward, backward;
} Bench;

typedef struct Run {
    float *y, *dx, *dresidual;
    float *dvector[MAX_PARTS];
} Run;

static size_t x_count(const Case *c)
{
    return (size_t)B * (size_t)c->M * (size_t)c->in;
}

static size_t y_count(const Case *c)
{
    return (size_t)B * (size_t)c->M * (size_t)c->out;
}

static int vectors(const Case *c)
{
    return c->norm ? 2 : c->parts;
}

static int vector_length(const Case *c)
{
    return c->out / c->parts;
}

/* Normal numbers, if `round` such that bf16 can hold. */
static float *numbers(size_t count, unsigned stream, double scale, bool round)
{
    float *const values = malloc(count * sizeof *values);
    support_fill_normal(values, count, stream, scale);
    for (size_t i = 0; round && i < count; i++) {
        const uint16_t bits = dtype_bf16_from_f32(values[i]);
        dtype_to_f32(DTYPE_BF16, &bits, &values[i], 1);
    }
    return values;
}

static void bench_open(Bench *bench, const Case *c, Precision precision)
{
    *bench = (Bench){.c = c};
    bench->x = numbers(x_count(c), 1, 1, !c->norm);
    bench->residual = numbers(y_count(c), 2, 1, false);
    bench->seed = numbers(y_count(c), 3, 1, !c->residual);
    bench->weight = numbers((size_t)c->out * (size_t)c->in, 4, 1 / sqrt(c->in), true);
    for (int i = 0; i < vectors(c); i++)
        bench->vector[i] = numbers((size_t)vector_length(c), 5 + (unsigned)i, 0.5, false);
    ck_ok(arena_create(&bench->packs, ARENA_BYTES, &error), &error);
    bench->forward = packed_place(bench->packs, precision, c->in, c->out);
    bench->backward = packed_place(bench->packs, precision, c->out, c->in);
    const PackedPart part = {bench->weight, c->out};
    packed_fill_transposed(&bench->forward, &part, 1, NULL, NULL);
    packed_fill(&bench->backward, &part, 1, NULL);
}

static void bench_close(Bench *bench)
{
    free(bench->x);
    free(bench->residual);
    free(bench->seed);
    free(bench->weight);
    for (int i = 0; i < vectors(bench->c); i++)
        free(bench->vector[i]);
    arena_destroy(bench->packs);
}

static Run run_open(const Case *c)
{
    Run run = {.y = calloc(y_count(c), sizeof(float)),
               .dx = calloc(x_count(c), sizeof(float)),
               .dresidual = calloc(y_count(c), sizeof(float))};
    for (int i = 0; i < vectors(c); i++)
        run.dvector[i] = calloc((size_t)vector_length(c), sizeof(float));
    return run;
}

static void run_close(const Case *c, Run *run)
{
    free(run->y);
    free(run->dx);
    free(run->dresidual);
    for (int i = 0; i < vectors(c); i++)
        free(run->dvector[i]);
}

/* What trains, or is held, of one run: leaves over the bench's numbers and the run's gradients. */
typedef struct Leaves {
    Tensor x, residual, weight[MAX_PARTS], vector[MAX_PARTS];
} Leaves;

static Tensor leaf(float *data, float *grad, int ndim, const int *shape)
{
    Tensor tensor = tensor_leaf(data, ndim, shape);
    tensor.grad = grad;
    tensor.needs_grad = grad != NULL;
    return tensor;
}

static Leaves leaves_of(const Bench *bench, int first, int samples, bool trains, Run *run)
{
    const Case *const c = bench->c;
    const int length = vector_length(c);
    const ptrdiff_t x = (ptrdiff_t)first * c->M * c->in, y = (ptrdiff_t)first * c->M * c->out;
    Leaves leaves = {
        .x = leaf(bench->x + x, run->dx + x, 3, (const int[]){samples, c->M, c->in}),
        .residual =
            leaf(bench->residual + y, run->dresidual + y, 3, (const int[]){samples, c->M, c->out}),
    };
    for (int i = 0; i < vectors(c); i++)
        leaves.vector[i] = leaf(bench->vector[i], trains ? run->dvector[i] : NULL, 1, &length);
    for (int i = 0; i < c->parts; i++)
        leaves.weight[i] = leaf(bench->weight + (ptrdiff_t)i * length * c->in, NULL, 2,
                                (const int[]){length, c->in});
    return leaves;
}

/* The operation, in bf16 or in f32; y comes back in f32. */
static Tensor *build(const Bench *bench, Tape *tape, Leaves *leaves, bool packed)
{
    const Case *const c = bench->c;
    Tensor *x = &leaves->x, *y;
    if (c->norm) {
        y = op_layer_norm(tape, x, &leaves->vector[0], &leaves->vector[1], 1e-5F,
                          packed ? DTYPE_BF16 : DTYPE_F32);
        Tensor *const wide = op_cast(tape, y, DTYPE_F32);
        return c->twice ? op_add(tape, wide, x) : wide;
    }
    Linear map = {.in = c->in, .out = c->out, .parts = c->parts};
    for (int i = 0; i < c->parts; i++) {
        map.weight[i] = &leaves->weight[i];
        map.bias[i] = &leaves->vector[i];
    }
    if (packed) {
        map.forward = &bench->forward;
        map.backward = &bench->backward;
    }
    x = op_cast(tape, x, op_linear_type(&map));
    y = op_linear(tape, x, &map, c->activation, c->residual ? &leaves->residual : NULL);
    ck_assert_int_eq(y->dtype, c->residual ? DTYPE_F32 : op_linear_type(&map));
    Tensor *const wide = op_cast(tape, y, DTYPE_F32);
    if (!c->twice)
        return wide;
    Tensor *const again = op_linear(tape, x, &map, c->activation, NULL);
    return op_add(tape, wide, op_scale(tape, op_cast(tape, again, DTYPE_F32), 0.5F));
}

/* Forward and backward of some samples; adds to the gradients of `run`. */
static void run_samples(const Bench *bench, Tape *tape, bool packed, bool trains, int first,
                        int samples, Run *run)
{
    Leaves leaves = leaves_of(bench, first, samples, trains, run);
    const ptrdiff_t start = (ptrdiff_t)first * bench->c->M * bench->c->out;
    Tensor *const y = build(bench, tape, &leaves, packed);
    if (!tape_is_planning(tape))
        memcpy(run->y + start, tensor_f32(y), tensor_count(y) * sizeof(float));
    tape_backward(tape, y, bench->seed + start);
    tape_reset(tape);
}

static Run run_whole(const Bench *bench, bool packed, bool trains, int threads)
{
    SupportEngine engine;
    support_engine_open(&engine, threads, ARENA_BYTES);
    Run run = run_open(bench->c);
    run_samples(bench, engine.tape, packed, trains, 0, B, &run);
    const size_t used = arena_peak(engine.arena);
    support_engine_close(&engine);

    support_engine_open(&engine, threads, 0);
    run_samples(bench, engine.tape, packed, trains, 0, B, &run);
    ck_assert_uint_eq(arena_peak(engine.arena), used);
    support_engine_close(&engine);
    return run;
}

static void expect_close(const Case *c, const char *what, const float *have, const float *want,
                         size_t count, double allowed)
{
    const double wrong = support_relative_error(have, want, count);
    ck_assert_msg(wrong <= allowed, "%s: %s is wrong by %.2e, allowed %.2e", c->name, what, wrong,
                  allowed);
}

START_TEST(close_to_f32)
{
    const Case *const c = &cases[_i];
    Bench bench;
    bench_open(&bench, c, PRECISION_BF16);
    Run want = run_whole(&bench, false, true, 1), have = run_whole(&bench, true, true, 1);
    expect_close(c, "y", have.y, want.y, y_count(c), c->y + F32);
    expect_close(c, "dx", have.dx, want.dx, x_count(c), c->dx + F32);
    const size_t length = (size_t)vector_length(c);
    expect_close(c, "the first vector's gradient", have.dvector[0], want.dvector[0], length,
                 c->first);
    if (vectors(c) > 1)
        expect_close(c, "the second vector's gradient", have.dvector[1], want.dvector[1], length,
                     c->second);
    ck_assert_mem_eq(have.dresidual, want.dresidual, y_count(c) * sizeof(float));
    run_close(c, &want);
    run_close(c, &have);
    bench_close(&bench);
}
END_TEST

static void expect_same(const Case *c, const Run *a, const Run *b, bool trains, const char *when)
{
    ck_assert_msg(!memcmp(a->y, b->y, y_count(c) * sizeof(float)), "%s: y differs %s", c->name,
                  when);
    ck_assert_msg(!memcmp(a->dx, b->dx, x_count(c) * sizeof(float)), "%s: dx differs %s", c->name,
                  when);
    for (int i = 0; trains && i < vectors(c); i++)
        ck_assert_msg(
            !memcmp(a->dvector[i], b->dvector[i], (size_t)vector_length(c) * sizeof(float)),
            "%s: the gradient of vector %d differs %s", c->name, i, when);
}

/* In bf16, and in f32 with packed weights. */
START_TEST(same_bits)
{
    const Case *const c = &cases[_i % CASES];
    Bench bench;
    bench_open(&bench, c, _i < CASES ? PRECISION_BF16 : PRECISION_F32);
    Run whole = run_whole(&bench, true, true, 1);
    for (int threads = 2; threads <= 3; threads++) {
        Run more = run_whole(&bench, true, true, threads);
        expect_same(c, &more, &whole, true, "with more threads");
        run_close(c, &more);
    }
    SupportEngine engine;
    support_engine_open(&engine, 2, ARENA_BYTES);
    Run parts = run_open(c);
    run_samples(&bench, engine.tape, true, true, 0, 1, &parts);
    run_samples(&bench, engine.tape, true, true, 1, 2, &parts);
    expect_same(c, &parts, &whole, true, "in micro-batches");
    run_close(c, &parts);
    support_engine_close(&engine);

    /* dz is then never written to memory: the packed product makes it on the way. */
    Run frozen = run_whole(&bench, true, false, 2);
    expect_same(c, &frozen, &whole, false, "when the vectors are frozen");
    run_close(c, &frozen);
    run_close(c, &whole);
    bench_close(&bench);
}
END_TEST

enum { IMAGES = 19, SIDE = 11, PATCH = 3, WIDTH = 70, PATCHES = 9, PIXELS = 2 * SIDE * SIDE };

/* y [IMAGES,PATCHES,WIDTH] and the gradient of the pixels, in batches of `batch` images. */
static void embed_patches(const PackedMatrix *packed, float *pixels, float *weight, float *seed,
                          int threads, int batch, float *y, float *dpixels)
{
    size_t peak[2];
    for (int planning = 1; planning >= 0; planning--) {
        SupportEngine engine;
        support_engine_open(&engine, threads, planning ? 0 : ARENA_BYTES);
        for (int first = 0; first < IMAGES; first += batch) {
            const int count = IMAGES - first < batch ? IMAGES - first : batch;
            Tensor image = leaf(pixels + first * PIXELS, dpixels + first * PIXELS, 4,
                                (const int[]){count, 2, SIDE, SIDE});
            Tensor w = leaf(weight, NULL, 4, (const int[]){WIDTH, 2, PATCH, PATCH});
            Tensor *const patches = op_patch_embed(engine.tape, &image, &w, packed);
            const ptrdiff_t start = (ptrdiff_t)first * PATCHES * WIDTH;
            if (!planning)
                memcpy(y + start, tensor_f32(patches), tensor_count(patches) * sizeof *y);
            tape_backward(engine.tape, patches, seed + start);
            tape_reset(engine.tape);
        }
        peak[planning] = arena_peak(engine.arena);
        support_engine_close(&engine);
    }
    ck_assert_uint_eq(peak[0], peak[1]);
}

/* The patch embedding with a packed weight: pixels and weights rounded, one after the other, or
 * nothing. */
START_TEST(packed_patches)
{
    const Precision precision = (Precision)_i;
    enum { COUNT = IMAGES * PATCHES * WIDTH, RUNS = 4 };
    float *const pixels = numbers(IMAGES * PIXELS, 1, 1, false);
    float *const weight = numbers(WIDTH * 2 * PATCH * PATCH, 2, 0.2, false);
    float *const seed = numbers(COUNT, 3, 1, false);
    Arena *arena;
    ck_ok(arena_create(&arena, ARENA_BYTES, &error), &error);
    PackedMatrix packed = packed_place(arena, precision, 2 * PATCH * PATCH, WIDTH);
    packed_fill_transposed(&packed, &(PackedPart){weight, WIDTH}, 1, NULL, NULL);
    float *y[RUNS], *dpixels[RUNS];
    for (int run = 0; run < RUNS; run++) { /* the first is not packed */
        static const int batch[RUNS] = {IMAGES, IMAGES, 1, 10};
        y[run] = calloc(COUNT, sizeof(float));
        dpixels[run] = calloc((size_t)IMAGES * PIXELS, sizeof(float));
        embed_patches(run ? &packed : NULL, pixels, weight, seed, run ? run : 1, batch[run], y[run],
                      dpixels[run]);
    }
    const double wrong = support_relative_error(y[1], y[0], COUNT);
    ck_assert_msg(wrong <= (precision == PRECISION_F32 ? 1e-6 : 2 * U), "wrong by %.2e", wrong);
    for (int run = 1; run < RUNS; run++) {
        ck_assert_mem_eq(y[run], y[1], COUNT * sizeof(float));
        ck_assert_mem_eq(dpixels[run], dpixels[0], (size_t)IMAGES * PIXELS * sizeof(float));
    }
    for (int run = 0; run < RUNS; run++) {
        free(y[run]);
        free(dpixels[run]);
    }
    arena_destroy(arena);
    free(seed);
    free(weight);
    free(pixels);
}
END_TEST

START_TEST(a_cast_rounds_to_nearest_even)
{
    float wide[] = {0,      -0.0F,   1,        1 + 0x1p-8F, 1 + 0x3p-8F, -1 - 0x1.02p-8F,
                    1e-40F, 3.4e38F, INFINITY, -INFINITY,   NAN,         -0x1.fep-100F};
    enum { COUNT = sizeof wide / sizeof *wide };
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Tensor x = tensor_leaf(wide, 1, (const int[]){COUNT});
    Tensor *const as_bf16 = op_cast(engine.tape, &x, DTYPE_BF16);
    for (int i = 0; i < COUNT; i++)
        ck_assert_uint_eq(tensor_bf16(as_bf16)[i], dtype_bf16_from_f32(wide[i]));
    const float *const back = tensor_f32(op_cast(engine.tape, as_bf16, DTYPE_F32));
    ck_assert(back[2] == 1 && back[3] == 1 && back[4] == 1 + 0x1p-6F && isinf(back[7]));
    ck_assert(signbit(back[1]) && isnan(back[10]) && back[11] == wide[11]);
    support_engine_close(&engine);
}
END_TEST

/* What one recorded operation keeps of [B,M,in] and [B,M,out]. */
START_TEST(what_is_kept_is_half_as_large)
{
    static const struct {
        int index;
        bool packed;
    } kept[] = {{1, false}, {1, true}, {10, false}, {10, true}, {5, true}};
    const Case *const c = &cases[kept[_i].index];
    Bench bench;
    bench_open(&bench, c, PRECISION_BF16);
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run run = run_open(c);
    Leaves leaves = leaves_of(&bench, 0, B, false, &run);
    Tensor stream = leaves.x;
    Tensor *const x = op_scale(engine.tape, &stream, 1); /* no leaf: it is kept if it is needed */
    Tensor *y;
    size_t expected = 0;
    const size_t line = ARENA_ALIGNMENT, number = kept[_i].packed ? 2 : 4;
    if (c->norm) {
        y = op_layer_norm(engine.tape, x, &leaves.vector[0], &leaves.vector[1], 1e-5F,
                          kept[_i].packed ? DTYPE_BF16 : DTYPE_F32);
        const size_t row = ((size_t)B * (size_t)c->M * 4 + line - 1) / line * line;
        expected = x_count(c) * number + (kept[_i].packed ? row : 2 * row);
    } else {
        const Linear map = {.in = c->in,
                            .out = c->out,
                            .parts = 1,
                            .weight = {&leaves.weight[0]},
                            .bias = {&leaves.vector[0]},
                            .forward = kept[_i].packed ? &bench.forward : NULL,
                            .backward = kept[_i].packed ? &bench.backward : NULL};
        Tensor *const input = op_cast(engine.tape, x, op_linear_type(&map));
        y = op_linear(engine.tape, input, &map, c->activation, NULL);
        tape_release(engine.tape, input);
        expected = c->activation == ACTIVATION_NONE ? 0 : y_count(c) * number;
    }
    tape_release(engine.tape, x);
    tape_release(engine.tape, y);
    ck_assert_uint_ge(tape_kept_bytes(engine.tape), expected);
    ck_assert_uint_lt(tape_kept_bytes(engine.tape),
                      expected + 4 * line); /* red zones of two blocks */
    ck_assert_uint_eq(arena_used(engine.arena), tape_kept_bytes(engine.tape));
    run_close(c, &run);
    support_engine_close(&engine);
    bench_close(&bench);
}
END_TEST

/* Misuse of the packs: 0 none, 1 an input in f32, 2 no pack for dx, 3 a weight that
 * trains, 4 int8. */
START_TEST(misuse_aborts)
{
    const Case *const c = &cases[3];
    Bench bench;
    bench_open(&bench, c, PRECISION_BF16);
    PackedMatrix int8 = packed_place(bench.packs, PRECISION_INT8, c->in, c->out);
    packed_fill_transposed(&int8, &(PackedPart){bench.weight, c->out}, 1, NULL, NULL);
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run run = run_open(c);
    Leaves leaves = leaves_of(&bench, 0, B, false, &run);
    leaves.weight[0].needs_grad = _i == 3;
    const Linear map = {.in = c->in,
                        .out = c->out,
                        .parts = 1,
                        .weight = {&leaves.weight[0]},
                        .bias = {&leaves.vector[0]},
                        .forward = _i == 4 ? &int8 : &bench.forward,
                        .backward = _i == 2 ? NULL : &bench.backward};
    Tensor *const x = _i == 1 ? &leaves.x : op_cast(engine.tape, &leaves.x, DTYPE_BF16);
    Tensor *const y = op_linear(engine.tape, x, &map, ACTIVATION_NONE, NULL);
    ck_assert_int_eq(y->dtype, DTYPE_BF16);
    ck_assert_int_eq(_i, 0);
    run_close(c, &run);
    support_engine_close(&engine);
    bench_close(&bench);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_bf16");
    TCase *const all = support_case(suite, "bf16", 120);
    tcase_add_loop_test(all, close_to_f32, 0, CASES);
    tcase_add_loop_test(all, same_bits, 0, 2 * CASES);
    tcase_add_loop_test(all, packed_patches, PRECISION_F32, PRECISION_BF16 + 1);
    tcase_add_test(all, a_cast_rounds_to_nearest_even);
    tcase_add_loop_test(all, what_is_kept_is_half_as_large, 0, 5);
    tcase_add_loop_test(all, misuse_aborts, 0, 1);
    tcase_add_loop_test_raise_signal(all, misuse_aborts, SIGABRT, 1, 5);
    return support_main(suite);
}
