/*
 * test_lora.c - LoRA: PyTorch parity, finite differences through the encoder, adapters that
 * reproduce the trained model, and bit-identical results of a resumed run.
 *
 * Other tests of LoRA: test_vit_tune.c (the text of `tune`), test_ops_gradients.c (each operand,
 * threads and micro-batches), test_vit_precision.c (bf16 in the encoder).
 */
#include "tensor/base/file.h"
#include "tests/support_folder.h"
#include "tests/support_train.h"
#include "train/evaluate.h"
#include "vit/checkpoint/adapter.h"
#include "vit/lora.h"

#include <math.h>
#include <string.h>

#define EVERY_MAP "lora:4:q+k+v+out+fc1+fc2"

enum { IN = 7, OUT = 6 };

static Error error;

/* How the frozen weight is multiplied: by gemm or from a pack. */
typedef enum Way { WAY_GEMM, WAY_F32, WAY_BF16, WAYS } Way;

/* A golden tensor as a leaf with its own memory; free with release(). */
static Tensor golden_leaf(const SafeTensors *file, const char *group, const char *name, bool trains)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", group, name);
    const SafeTensor *stored = safetensors_find(file, key);
    ck_assert_ptr_nonnull(stored);
    int shape[TENSOR_MAX_DIMS];
    for (int i = 0; i < stored->ndim; i++)
        shape[i] = (int)stored->shape[i];
    float *values = malloc(stored->bytes);
    memcpy(values, stored->data, stored->bytes);
    Tensor leaf = tensor_leaf(values, stored->ndim, shape);
    leaf.needs_grad = trains;
    leaf.grad = trains ? calloc(1, stored->bytes) : NULL;
    return leaf;
}

static void release(Tensor *leaf)
{
    free(leaf->data);
    free(leaf->grad);
}

static void expect_golden(const SafeTensors *file, const char *group, const char *name,
                          const float *have, double tolerance)
{
    Tensor want = golden_leaf(file, group, name, false);
    const double wrong = support_relative_error(have, tensor_f32(&want), tensor_count(&want));
    ck_assert_msg(wrong <= tolerance, "%s.%s: relative error %.2e", group, name, wrong);
    release(&want);
}

/* Checks forward and backward of one golden case. */
static void check_golden(const SafeTensors *file, const char *group, Activation activation, Way way)
{
    SupportEngine engine;
    support_engine_open(&engine, 2, 1 << 20);
    Tensor x = golden_leaf(file, group, "x", true), w = golden_leaf(file, group, "w", false);
    Tensor b = golden_leaf(file, group, "b", true), A = golden_leaf(file, group, "A", true);
    Tensor B = golden_leaf(file, group, "B", true), dy = golden_leaf(file, group, "dy", false);
    Linear map = {.in = IN, .out = OUT, .parts = 1, .weight = {&w}, .bias = {&b}};
    const Lora lora = {.in = IN, .out = OUT, .parts = 1, .rows = {OUT}, .down = {&A}, .up = {&B}};
    PackedMatrix forward, backward;
    if (way != WAY_GEMM) {
        const Precision precision = way == WAY_F32 ? PRECISION_F32 : PRECISION_BF16;
        const PackedPart part = {tensor_f32(&w), OUT};
        forward = packed_place(engine.arena, precision, IN, OUT);
        backward = packed_place(engine.arena, precision, OUT, IN);
        packed_fill_both(&forward, &backward, &part, 1, NULL);
        map.forward = &forward;
        map.backward = &backward;
    }
    Tensor *input = op_cast(engine.tape, &x, op_linear_type(&map));
    Tensor *added = op_lora(engine.tape, input, &lora, NULL);
    tape_hand_over(engine.tape, added);
    Tensor *output = op_linear(engine.tape, input, &map, activation, added);
    Tensor *y = op_cast(engine.tape, output, DTYPE_F32);
    const double tolerance = way == WAY_BF16 ? 1e-2 : 1e-6;
    expect_golden(file, group, "y", tensor_f32(y), tolerance);
    tape_backward(engine.tape, y, tensor_f32(&dy));
    expect_golden(file, group, "dx", x.grad, tolerance);
    expect_golden(file, group, "db", b.grad, tolerance);
    expect_golden(file, group, "dA", A.grad, tolerance);
    expect_golden(file, group, "dB", B.grad, tolerance);
    ck_assert_ptr_null(w.grad);
    tape_reset(engine.tape);
    if (way != WAY_GEMM) {
        arena_free(engine.arena, backward.panels);
        arena_free(engine.arena, forward.panels);
    }
    Tensor *const leaves[] = {&x, &w, &b, &A, &B, &dy};
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        release(leaves[i]);
    support_engine_close(&engine);
}

START_TEST(map_equals_pytorch)
{
    char path[4096];
    SafeTensors *file;
    support_golden(path, "lora.safetensors");
    ck_ok(safetensors_open(&file, path, &error), &error);
    check_golden(file, "plain", ACTIVATION_NONE, (Way)_i);
    check_golden(file, "quick_gelu", ACTIVATION_QUICK_GELU, (Way)_i);
    safetensors_close(file);
}
END_TEST

/* A small tuned encoder with head and tape. */
typedef struct Bench {
    SupportEngine engine;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    float *pixels; /* [IMAGES,3,S,S] */
    TapeDropout dropout;
} Bench;

enum { IMAGES = 3 };

static Vit *tiny_vit(void)
{
    const VitConfig config = support_tiny_config();
    Vit *vit;
    ck_ok(vit_create(&vit, &config, 3, NULL, &error), &error);
    return vit;
}

/* Perturbs the trainable parameters. At its initial zero B would make dA zero, too. */
static void perturb(VitTuned *tuned, double scale)
{
    float *by = malloc(tuned->count * sizeof *by);
    support_fill_normal(by, tuned->count, 77, scale);
    for (size_t i = 0; i < tuned->count; i++)
        tuned->values[i] += by[i];
    free(by);
}

/* `tune` NULL: all parameters are frozen. */
static void open_bench(Bench *bench, const char *tune)
{
    *bench = (Bench){.vit = tiny_vit()};
    const VitConfig *config = &bench->vit->config;
    const size_t S = (size_t)config->image_size, pixel_count = (size_t)IMAGES * 3 * S * S;
    support_engine_open(&bench->engine, 2, 16 << 20);
    ck_ok(vit_head_create(&bench->head, VIT_HEAD_LINEAR_NORM, config->width, 7, &error), &error);
    if (tune) {
        ck_ok(vit_tune(&bench->tuned, bench->vit, &bench->head, tune, 5, &error), &error);
        perturb(bench->tuned, 0.1);
    }
    bench->pixels = malloc(pixel_count * sizeof *bench->pixels);
    support_fill_normal(bench->pixels, pixel_count, 9, 1);
}

static void close_bench(Bench *bench)
{
    support_engine_close(&bench->engine);
    vit_tuned_destroy(bench->tuned);
    vit_head_destroy(&bench->head);
    vit_destroy(bench->vit);
    free(bench->pixels);
}

/* Computes logits [IMAGES,2] and, unless `seed` is NULL, the gradients. */
static void run(Bench *bench, const float *seed, float logits[2 * IMAGES])
{
    const int S = bench->vit->config.image_size;
    Tensor pixels = tensor_leaf(bench->pixels, 4, (const int[]){IMAGES, 3, S, S});
    Tape *tape;
    ck_ok(tape_create(&tape, bench->engine.arena, bench->engine.threads,
                      vit_forward_operations(bench->vit) + 4, &error),
          &error);
    tape_set_dropout(tape, bench->dropout);
    Tensor *features = vit_forward(bench->vit, tape, &pixels, NULL);
    Tensor *y = vit_head_forward(&bench->head, tape, features, NULL);
    memcpy(logits, tensor_f32(y), 2 * IMAGES * sizeof *logits);
    if (seed)
        tape_backward(tape, y, seed);
    tape_destroy(tape);
}

static const char *const tunes[] = {EVERY_MAP ",ln", "lora:2", "lora:3:k+fc2,bias", "bias"};

/*
 * The slope of an objective along a random direction, by central differences, equals gradient times
 * direction, also with alpha and with dropout. At h = 1e-3, truncation and rounding errors are both
 * below 1e-3 of the slopes here.
 */
START_TEST(gradient_along_random_directions)
{
    static const float seed[2 * IMAGES] = {1, -0.5F, 0.25F, 1.5F, -1, 0.75F};
    Bench bench;
    open_bench(&bench, tunes[_i / 3]);
    VitTuned *tuned = bench.tuned;
    vit_tune_set_alpha(bench.vit, _i % 3 ? 5 : 0);
    bench.dropout = (TapeDropout){.p = _i % 3 == 2 ? 0.3 : 0, .seed = 4, .step = 9};
    const size_t bytes = tuned->count * sizeof(float);
    float logits[2 * IMAGES];
    float *direction = malloc(bytes), *start = malloc(bytes);
    memcpy(start, tuned->values, bytes);
    vit_tuned_zero_grads(tuned);
    run(&bench, seed, logits);
    support_fill_normal(direction, tuned->count, 3, 1);
    for (size_t k = tuned->count - 66; k < tuned->count; k++)
        direction[k] = 0; /* the head is tested elsewhere and would dominate the slope */
    double slope = 0, objective[2] = {0};
    for (size_t k = 0; k < tuned->count; k++)
        slope += (double)tuned->grads[k] * direction[k];
    const double h = 1e-3;
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < tuned->count; k++)
            tuned->values[k] = (float)(start[k] + (side ? -h : h) * direction[k]);
        run(&bench, NULL, logits);
        for (int i = 0; i < 2 * IMAGES; i++)
            objective[side] += (double)logits[i] * seed[i];
    }
    const double measured = (objective[0] - objective[1]) / (2 * h);
    ck_assert_msg(fabs(measured - slope) <= 5e-3 * fabs(slope) + 1e-4, "tune=%s: %g, measured %g",
                  tunes[_i / 3], slope, measured);
    ck_assert_double_gt(fabs(slope), 1e-2); /* a smaller slope would make the test meaningless */
    free(start);
    free(direction);
    close_bench(&bench);
}
END_TEST

/*
 * A map of two parts with W zero, and A and B the identity. Its output is dropout(x) of both parts,
 * next to each other. The gradient of x is the sum of the dropout of both halves of dy.
 */
enum { WIDE = 70, ROWS = 67, SAMPLES = 4 };

/* y [samples,ROWS,2 WIDE], dx [samples,ROWS,WIDE] for x of ones and dy of 1 and 3 in the halves. */
static void run_identity(TapeDropout dropout, int lora_map, DType type, int samples, float *y,
                         float *dx)
{
    static float ones[SAMPLES * ROWS * WIDE], dy[SAMPLES * ROWS * 2 * WIDE], one[WIDE * WIDE];
    static const float zero[WIDE * WIDE];
    for (int i = 0; i < SAMPLES * ROWS * WIDE; i++)
        ones[i] = 1;
    for (int i = 0; i < SAMPLES * ROWS * 2 * WIDE; i++)
        dy[i] = i / WIDE % 2 ? 3 : 1;
    for (int i = 0; i < WIDE; i++)
        one[i * WIDE + i] = 1;
    SupportEngine engine;
    support_engine_open(&engine, 2, 1 << 23);
    const int square[] = {WIDE, WIDE};
    Tensor x = tensor_leaf(ones, 3, (const int[]){samples, ROWS, WIDE});
    Tensor W = tensor_leaf((float *)zero, 2, square);
    Tensor down = tensor_leaf(one, 2, square), up = down;
    const Linear map = {
        .in = WIDE, .out = 2 * WIDE, .parts = 2, .weight = {&W, &W}, .compute = type};
    const Lora lora = {.in = WIDE,
                       .out = 2 * WIDE,
                       .parts = 2,
                       .rows = {WIDE, WIDE},
                       .down = {&down, &down},
                       .up = {&up, &up},
                       .map = (uint16_t)lora_map};
    memset(dx, 0, (size_t)samples * ROWS * WIDE * sizeof *dx);
    x.needs_grad = true;
    x.grad = dx;
    tape_set_dropout(engine.tape, dropout);
    Tensor *input = op_cast(engine.tape, &x, op_linear_type(&map));
    Tensor *added = op_lora(engine.tape, input, &lora, NULL);
    tape_hand_over(engine.tape, added);
    Tensor *output = op_linear(engine.tape, input, &map, ACTIVATION_NONE, added);
    Tensor *wide = op_cast(engine.tape, output, DTYPE_F32);
    memcpy(y, tensor_f32(wide), (size_t)samples * ROWS * 2 * WIDE * sizeof *y);
    tape_backward(engine.tape, wide, dy);
    tape_reset(engine.tape);
    ck_assert_double_eq(tape_dropout(engine.tape).p, 0); /* off again after these samples */
    support_engine_close(&engine);
}

/* The fraction of draws that differ between two sets; about half at p = 0.5. */
static double fraction_different(const float *a, const float *b, int count)
{
    int different = 0;
    for (int i = 0; i < count; i++)
        different += a[i] != b[i];
    return (double)different / count;
}

static int calls_of_map[64];

static Tensor *count_call(Tape *tape, const VitMapParts *map, Tensor *x, Tensor *residual)
{
    ck_assert(map->index >= 0 && map->index < 64);
    calls_of_map[map->index]++;
    return vit_lora.residual(tape, map, x, residual);
}

/* Each map of an encoder has its own random stream. */
START_TEST(dropout_differs_between_maps)
{
    Bench bench;
    VitMethod counting = vit_lora;
    float logits[2 * IMAGES];
    counting.residual = count_call;
    vit_methods[0] = &counting;
    open_bench(&bench, EVERY_MAP);
    run(&bench, NULL, logits);
    const int maps = bench.vit->config.layers * VIT_MAPS;
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(calls_of_map[i], i < maps);
    close_bench(&bench);
    vit_methods[0] = &vit_lora;
}
END_TEST

/* In f32 and bf16: 1/(1-p) = 2 and the sums are exact in both. */
START_TEST(dropout_draws_for_each_element_once)
{
    enum { COUNT = SAMPLES * ROWS * 2 * WIDE, SAMPLE = COUNT / SAMPLES };
    static float y[COUNT], dx[COUNT / 2], other[COUNT], other_dx[COUNT / 2];
    const DType type = _i == 1 ? DTYPE_BF16 : DTYPE_F32;
    const TapeDropout dropout = {.p = 0.5, .seed = 42, .step = 7, .first = 3};
    run_identity(dropout, 5, type, SAMPLES, y, dx);
    for (int i = 0; i < COUNT; i++)
        ck_each(y[i] == 0 || y[i] == 2, "y[%d] = %g", i, (double)y[i]);
    /* In each part, the gradient passes where the value passed. */
    for (int i = 0; i < COUNT / 2; i++) {
        const float *row = y + (ptrdiff_t)(i / WIDE) * 2 * WIDE;
        const float want = row[i % WIDE] + 3 * row[WIDE + i % WIDE];
        ck_each(dx[i] == want, "dx[%d] = %g, expected %g", i, (double)dx[i], (double)want);
    }
    /* The samples from the third on, as a separate micro-batch. */
    TapeDropout changed = dropout;
    changed.first += 2;
    run_identity(changed, 5, type, 2, other, other_dx);
    ck_assert_mem_eq(other, y + (ptrdiff_t)2 * SAMPLE, sizeof *y * 2 * SAMPLE);
    ck_assert_mem_eq(other_dx, dx + SAMPLE, sizeof *dx * SAMPLE);
    /* Draws depend on both halves of the seed, step, map and sample. */
    const TapeDropout others[] = {{0.5, 43, 7, 3},
                                  {0.5, 42 + (1ULL << 32), 7, 3},
                                  {0.5, 42, 8, 3},
                                  {0.5, 42, 7, 3},
                                  {0.5, 42, 7, 3 + SAMPLES}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        run_identity(others[i], i == 3 ? 6 : 5, type, SAMPLES, other, other_dx);
        const double different = fraction_different(y, other, COUNT);
        ck_assert_msg(fabs(different - 0.5) < 5 * 0.5 / sqrt(COUNT), "%zu: %g differ", i,
                      different);
    }
    /* Draws also differ between parts, samples and rows. */
    double parts = 0, samples = 0, rows = 0;
    for (int row = 0; row < SAMPLES * ROWS; row++)
        parts += fraction_different(y + (ptrdiff_t)row * 2 * WIDE,
                                    y + (ptrdiff_t)(row * 2 + 1) * WIDE, WIDE);
    samples = fraction_different(y, y + SAMPLE, COUNT - SAMPLE);
    rows = fraction_different(y, y + (ptrdiff_t)2 * WIDE, COUNT - 2 * WIDE);
    ck_assert_double_lt(fabs(parts / (SAMPLES * ROWS) - 0.5), 5 * 0.5 / sqrt(COUNT / 2));
    ck_assert_double_lt(fabs(samples - 0.5), 5 * 0.5 / sqrt(COUNT - SAMPLE));
    ck_assert_double_lt(fabs(rows - 0.5), 5 * 0.5 / sqrt(COUNT - 2 * WIDE));
    /* No dropout. */
    run_identity((TapeDropout){0}, 5, type, SAMPLES, other, other_dx);
    for (int i = 0; i < COUNT; i++)
        ck_each(other[i] == 1, "y[%d] = %g", i, (double)other[i]);
    for (int i = 0; i < COUNT / 2; i++)
        ck_each(other_dx[i] == 4, "dx[%d] = %g", i, (double)other_dx[i]);
}
END_TEST

/* The kept fraction is 1 - p within five standard deviations, and kept values are scaled. */
START_TEST(dropout_keeps_the_given_fraction)
{
    enum { COUNT = SAMPLES * ROWS * 2 * WIDE };
    static float y[COUNT], dx[COUNT / 2];
    const double shares[] = {0.01, 0.1, 0.3, 0.9, 0.999};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const double p = shares[i];
        run_identity((TapeDropout){.p = p, .seed = 2}, 0, false, SAMPLES, y, dx);
        int kept = 0;
        for (int k = 0; k < COUNT; k++) {
            ck_each(y[k] == 0 || y[k] == (float)(1 / (1 - p)), "p = %g: %g", p, (double)y[k]);
            kept += y[k] != 0;
        }
        const double sigma = sqrt(p * (1 - p) / COUNT);
        ck_assert_msg(fabs((double)kept / COUNT - (1 - p)) < 5 * sigma, "p = %g: %d of %d", p, kept,
                      COUNT);
    }
}
END_TEST

/* A is uniform within its bound and depends only on the seed. B is zero. */
START_TEST(initial_values)
{
    float base[2 * IMAGES], logits[2 * IMAGES];
    Bench plain;
    open_bench(&plain, NULL);
    run(&plain, NULL, base);
    Vit *vit = tiny_vit();
    VitTuned *tuned, *again;
    ck_ok(vit_tune(&tuned, plain.vit, &plain.head, EVERY_MAP, 5, &error), &error);
    plain.tuned = tuned;
    run(&plain, NULL, logits);
    ck_assert_mem_eq(logits, base, sizeof base);

    ck_assert_str_eq(tuned->entries[0].name, "feature_extractor.vision_model.encoder.layers.0."
                                             "self_attn.q_proj.lora_A.weight");
    ck_assert_str_eq(tuned->entries[1].name, "feature_extractor.vision_model.encoder.layers.0."
                                             "self_attn.q_proj.lora_B.weight");
    const float *A = tensor_f32(tuned->entries[0].tensor);
    const double bound = 1 / sqrt(32);
    double largest = 0, sum = 0;
    for (int i = 0; i < 4 * 32; i++) {
        largest = fmax(largest, fabs(A[i]));
        sum += A[i];
    }
    ck_assert(largest <= bound && largest > 0.95 * bound && fabs(sum / 128) < 0.2 * bound);
    for (int i = 0; i < 4 * 32; i++)
        ck_assert(tensor_f32(tuned->entries[1].tensor)[i] == 0);
    ck_assert(tuned->entries[0].decays && tuned->entries[1].decays);

    ck_ok(vit_tune(&again, vit, NULL, EVERY_MAP, 5, &error), &error);
    ck_assert_mem_eq(again->values, tuned->values, again->count * sizeof(float));
    vit_tuned_destroy(again);
    vit_destroy(vit);
    close_bench(&plain);
}
END_TEST

/* An adapter merged into the base computes the same function as the model trained with LoRA. */
START_TEST(adapter_reproduces_the_trained_model)
{
    const char *path = support_in_folder("a.safetensors");
    float want[2 * IMAGES], have[2 * IMAGES];
    VitAdapterReport report;
    Bench trained, read;
    open_bench(&trained, EVERY_MAP ",ln");
    open_bench(&read, NULL);
    run(&trained, NULL, want);
    run(&read, NULL, have);
    ck_assert_double_gt(support_relative_error(have, want, 2 * IMAGES), 0.05);
    ck_ok(vit_adapter_write(trained.vit, &trained.head, trained.tuned, path, NULL, 0, &error),
          &error);
    ck_ok(vit_adapter_read(read.vit, &read.head, path, &report, &error), &error);
    ck_assert_int_eq(report.weights_merged, 12);
    ck_assert_int_eq(report.others_set, 0);
    ck_assert_int_eq(report.layer_norms_kept, 0);
    ck_assert_int_eq(report.frozen_equal, 0);
    run(&read, NULL, have);
    ck_assert_double_lt(support_relative_error(have, want, 2 * IMAGES), 1e-5);
    close_bench(&read);
    close_bench(&trained);
}
END_TEST

/*
 * With alpha the weight is W + alpha / R B A. Scaling B instead gives equal results, an adapter
 * stores the scale and is merged with it, and alpha = R is bit-identical to alpha = 0.
 */
START_TEST(alpha_scales_what_lora_adds)
{
    const char *path = support_in_folder("alpha.safetensors");
    const double alphas[] = {0, 4, 8, 1, 0.3};
    float plain[2 * IMAGES];
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        const double scale = alphas[i] == 0 ? 1 : alphas[i] / 4;
        float want[2 * IMAGES], have[2 * IMAGES];
        VitAdapterReport report;
        Bench scaled, by_hand, read;
        open_bench(&scaled, EVERY_MAP);
        open_bench(&by_hand, EVERY_MAP);
        open_bench(&read, NULL);
        vit_tune_set_alpha(scaled.vit, alphas[i]);
        for (int k = 1; k < by_hand.tuned->part_count; k += 2) {
            Tensor *B = &by_hand.tuned->parts[k];
            for (size_t j = 0; j < tensor_count(B); j++)
                tensor_f32(B)[j] *= (float)scale;
        }
        run(&scaled, NULL, have);
        run(&by_hand, NULL, want);
        ck_assert_double_lt(support_relative_error(have, want, 2 * IMAGES), 1e-5);
        if (i == 0)
            memcpy(plain, have, sizeof plain);
        else if (scale == 1)
            ck_assert_mem_eq(plain, have, sizeof plain);
        else
            ck_assert_double_gt(support_relative_error(have, plain, 2 * IMAGES), 1e-2);
        ck_ok(vit_adapter_write(scaled.vit, &scaled.head, scaled.tuned, path, NULL, 0, &error),
              &error);
        ck_ok(vit_adapter_read(read.vit, &read.head, path, &report, &error), &error);
        ck_assert_int_eq(report.weights_merged, 12);
        run(&read, NULL, want);
        ck_assert_double_lt(support_relative_error(want, have, 2 * IMAGES), 1e-5);
        close_bench(&read);
        close_bench(&by_hand);
        close_bench(&scaled);
    }
}
END_TEST

/*
 * Parts that cannot be merged stay in the encoder, which computes the same function as in training.
 * Such a model cannot be exported.
 */
START_TEST(parts_that_cannot_be_merged)
{
    const char *path = support_in_folder("kept.safetensors"), *folder = support_in_folder("kept");
    VitMethod unmergeable = vit_lora;
    float want[2 * IMAGES], have[2 * IMAGES];
    VitAdapterReport report;
    VitTuned *again = NULL;
    Bench trained, read;
    unmergeable.merge = NULL;
    vit_methods[0] = &unmergeable;
    open_bench(&trained, EVERY_MAP);
    open_bench(&read, NULL);
    vit_tune_set_alpha(trained.vit, 3);
    run(&trained, NULL, want);
    ck_ok(vit_adapter_write(trained.vit, &trained.head, trained.tuned, path, NULL, 0, &error),
          &error);
    for (int i = 0; i < 2; i++) { /* the second read replaces the parts of the first */
        ck_ok(vit_adapter_read(read.vit, &read.head, path, &report, &error), &error);
        ck_assert_int_eq(report.weights_merged, 0);
        ck_assert_int_eq(report.parts_kept, 12);
        run(&read, NULL, have);
        ck_assert_mem_eq(have, want, sizeof want);
    }
    ck_assert_int_eq(vit_save_as(read.vit, &(VitSaving){0}, folder, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "LoRA at vision_model.encoder.layers.0."));
    ck_assert(!file_exists(folder));
    error_clear(&error);
    ck_assert_int_eq(vit_tune(&again, read.vit, &read.head, "lora:2", 0, &error), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "from an adapter"));
    close_bench(&read);
    close_bench(&trained);
    vit_methods[0] = &vit_lora;
}
END_TEST

/* Parameters that "tune" selects but the file lacks are reported. An incomplete pair is refused. */
START_TEST(missing_parameters_are_reported)
{
    const char *path = support_in_folder("part.safetensors");
    VitAdapterReport report;
    Bench trained, read;
    open_bench(&trained, "lora:4:q,*.fc2.bias");
    open_bench(&read, NULL);
    for (int dropped = 0; dropped <= 3; dropped++) {
        VitTuned part = *trained.tuned;
        part.entries += dropped;
        part.entry_count -= dropped;
        error_clear(&error);
        ck_ok(vit_adapter_write(trained.vit, &trained.head, &part, path, NULL, 0, &error), &error);
        const Status status = vit_adapter_read(read.vit, &read.head, path, &report, &error);
        if (dropped == 1) {
            ck_assert_int_eq(status, STATUS_FAILED);
            ck_assert_ptr_nonnull(strstr(error.message, "part.safetensors: 1 problems"));
            ck_assert_str_eq(
                error.detail[0],
                "incomplete LoRA: only feature_extractor.vision_model.encoder.layers.0."
                "self_attn.q_proj.lora_B.weight is present");
            continue;
        }
        ck_ok(status, &error);
        ck_assert_int_eq(report.weights_merged, dropped == 0 ? 2 : 1);
        ck_assert_int_eq(report.others_set, dropped == 3 ? 1 : 2);
        ck_assert_int_eq(report.others_kept, dropped == 0 ? 0 : dropped - 1);
        if (dropped == 0)
            ck_assert_ptr_null(report.first_kept);
        else
            ck_assert_str_eq(report.first_kept,
                             "vision_model.encoder.layers.0.self_attn.q_proj.weight");
    }
    close_bench(&read);
    close_bench(&trained);
}
END_TEST

/* A model saved with merged weights and head computes the same function. */
START_TEST(saved_model_equals_adapter)
{
    const char *path = support_in_folder("a.safetensors"), *folder = support_in_folder("m");
    float want[2 * IMAGES], have[2 * IMAGES];
    VitAdapterReport report;
    bool found;
    Bench trained, read, saved;
    open_bench(&trained, "lora:4:v+fc1,bias");
    open_bench(&read, NULL);
    open_bench(&saved, NULL);
    ck_ok(vit_adapter_write(trained.vit, &trained.head, trained.tuned, path, NULL, 0, &error),
          &error);
    ck_ok(vit_adapter_read(read.vit, &read.head, path, &report, &error), &error);
    read.head.kind = VIT_HEAD_LINEAR;
    run(&read, NULL, want);
    ck_ok(file_make_folders(folder, &error), &error);
    ck_ok(vit_save_with_head(read.vit, &read.head, folder, &error), &error);
    vit_destroy(saved.vit);
    ck_ok(vit_load(&saved.vit, folder, NULL, &error), &error);
    ck_ok(vit_head_read(saved.vit, &saved.head, &found, &error), &error);
    ck_assert(found && saved.head.kind == VIT_HEAD_LINEAR);
    run(&saved, NULL, have);
    ck_assert_mem_eq(have, want, sizeof want);
    close_bench(&saved);
    close_bench(&read);
    close_bench(&trained);
}
END_TEST

/* An invalid tensor and the expected message. */
typedef struct Bad {
    const char *tune, *name;
    int rows, columns;
    const char *why;
    const char *scale; /* metadata "lora_scale"; NULL: 1 */
} Bad;

static const Bad bad[] = {
    {NULL, "q_proj.lora_A.weight", 4, 32, "not selected by metadata \"tune\"", NULL},
    {"ln", "q_proj.lora_A.weight", 4, 32, "not selected by metadata \"tune\"", NULL},
    {"lora:4:v", "q_proj.lora_A.default.weight", 4, 32, "not selected by metadata \"tune\"", NULL},
    {"lora:5", "q_proj.lora_A.weight", 4, 32, "shape [4,32], but the model has [5,32]", NULL},
    {"lora:4", "q_proj.lora_A.weight", 4, 31, "shape [4,31], but the model has [4,32]", NULL},
    {"lora:4", "x_proj.lora_A.weight", 4, 32, "not at a linear map", NULL},
    {"lora:4", "q_proj.lora_A.weight", 4, 32, "\"lora_scale\" above 0", "0"},
    {"lora:4", "q_proj.lora_A.weight", 4, 32, "\"lora_scale\" above 0", "-2"},
    {"lora:4", "q_proj.lora_A.weight", 4, 32, "\"lora_scale\" above 0", "nan"},
    {"lora:4", "q_proj.lora_A.weight", 4, 32, "\"lora_scale\" above 0", "2x"},
    {"lora:4", "q_proj.lora_A.weight", 4, 32, "\"lora_scale\" above 0", ""},
};

START_TEST(refused_adapters)
{
    static const float zeros[5 * 32];
    const char *path = support_in_folder("b.safetensors");
    Vit *vit = tiny_vit();
    VitAdapterReport report;
    char names[2][128];
    const Bad *c = &bad[_i];
    snprintf(names[0], 128, "vision_model.encoder.layers.1.self_attn.%s", c->name);
    snprintf(names[1], 128, "%s", names[0]);
    *strstr(names[1], "_A") = '_';
    memcpy(strstr(names[1], "lora_") + 5, "B", 1);
    const SafeTensor tensors[2] = {
        {.name = names[0],
         .dtype = DTYPE_F32,
         .ndim = 2,
         .shape = {c->rows, c->columns},
         .data = zeros,
         .bytes = (size_t)(c->rows * c->columns) * 4},
        {.name = names[1],
         .dtype = DTYPE_F32,
         .ndim = 2,
         .shape = {32, c->rows},
         .data = zeros,
         .bytes = (size_t)(32 * c->rows) * 4},
    };
    const SafeTensorsMetadata metadata[] = {{"lora_scale", c->scale ? c->scale : "1"},
                                            {"tune", c->tune ? c->tune : ""}};
    for (int count = 2; count >= 1; count--) {
        error_clear(&error);
        ck_ok(safetensors_write(path, tensors, count, metadata, c->tune ? 2 : 1, &error), &error);
        ck_assert_int_eq(vit_adapter_read(vit, NULL, path, &report, &error), STATUS_FAILED);
        const char *why = count == 2 ? c->why : "incomplete LoRA";
        ck_assert_msg(strstr(error.detail[0], why), "%s: %s", error.message, error.detail[0]);
    }
    vit_destroy(vit);
}
END_TEST

static char *content_of(const char *run_name, const char *name, size_t *size)
{
    char path[256], *content;
    snprintf(path, sizeof path, "%s/%s", run_name, name);
    ck_ok(file_read(support_in_folder(path), 1 << 24, &content, size, &error), &error);
    return content;
}

static void same_file(const char *a, const char *b, const char *name)
{
    size_t sizes[2];
    char *const contents[2] = {content_of(a, name, &sizes[0]), content_of(b, name, &sizes[1])};
    ck_assert_msg(sizes[0] == sizes[1] && memcmp(contents[0], contents[1], sizes[0]) == 0,
                  "%s of %s and %s differ", name, a, b);
    free(contents[0]);
    free(contents[1]);
}

static volatile sig_atomic_t stop;

static void stop_after_three(void *context, const TrainEvent *event)
{
    int *steps = context;
    if (event->kind == TRAIN_STEP_DONE && ++*steps == 3)
        stop = 1;
}

static Status train(const char *name, const char *settings, bool stops, bool resume)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    char folder[4096];
    int steps = 0;
    snprintf(folder, sizeof folder, "%s", support_in_folder(""));
    stop = 0;
    error_clear(&error);
    support_job_open(&job, folder, name, &config, settings);
    job.job.resume = resume;
    job.job.stop = &stop;
    job.job.event = stops ? stop_after_three : NULL;
    job.job.context = &steps;
    const Status status = train_run(&job.job, &result, &error);
    support_job_close(&job);
    return status;
}

/* Results are also bit-identical for other threads and micro-batches. */
static const char *const settings[] = {
    "tune=lora:4:q+v+fc1 lora.alpha=16 lr=1e-2", "tune=bias lr=1e-2",
    "tune=lora:4:k+out+fc2,bias lr=1e-2 precision=bf16", "tune=all lr=1e-3 precision=bf16",
    "tune=lora:4:q+v+fc1 lora.dropout=0.3 lr=1e-2 sam.rho=0.05"};

START_TEST(resumed_run_is_bit_identical)
{
    char folder[4096], other[256];
    snprintf(folder, sizeof folder, "%s", support_in_folder(""));
    support_write_frames(folder, 4, 4, 40);
    snprintf(other, sizeof other, "%s threads=2 micro_batch=2", settings[_i]);
    ck_ok(train("whole", settings[_i], false, false), &error);
    ck_assert_int_eq(train("parts", settings[_i], true, false), STATUS_INTERRUPTED);
    ck_ok(train("parts", other, false, true), &error);
    same_file("whole", "parts", "state.safetensors");
    same_file("whole", "parts", "last.safetensors");
    same_file("whole", "parts", "best.safetensors");
    /* Frozen parameters have not changed, so the adapter fits its base; trained ones have. */
    Vit *vit = tiny_vit();
    VitAdapterReport report;
    ck_ok(vit_adapter_read(vit, NULL, support_in_folder("whole/last.safetensors"), &report, &error),
          &error);
    ck_assert_int_eq(report.weights_merged, strstr(settings[_i], "lora") ? 6 : 0);
    vit_destroy(vit);
}
END_TEST

/*
 * A run with dropout validates without dropout, like eval and predict. Dropout changes the result
 * of training.
 */
START_TEST(dropout_applies_only_in_training)
{
    char folder[4096], path[4200];
    const VitConfig config = support_tiny_config();
    double losses[2];
    snprintf(folder, sizeof folder, "%s", support_in_folder(""));
    snprintf(path, sizeof path, "%s/drops/last.safetensors", folder);
    support_write_frames(folder, 4, 4, 40);
    for (int plain = 0; plain < 2; plain++) {
        SupportJob job;
        TrainResult result;
        support_job_open(&job, folder, plain ? NULL : "drops", &config,
                         plain ? "tune=lora:4 lr=1e-2" : "tune=lora:4 lr=1e-2 lora.dropout=0.5");
        ck_ok(train_run(&job.job, &result, &error), &error);
        losses[plain] = result.last.val_loss;
        support_job_close(&job);
    }
    ck_assert_double_gt(fabs(losses[0] - losses[1]), 1e-3);
    size_t size;
    char *recipe = content_of("drops", "recipe.txt", &size);
    ck_assert_ptr_nonnull(strstr(recipe, "\nlora.dropout = 0.5\n"));
    free(recipe);

    SupportJob job;
    VitAdapterReport report;
    float cross_entropy[64];
    double sum = 0;
    support_job_open(&job, folder, NULL, &config, "tune=none");
    ck_ok(vit_adapter_read(job.vit, &job.head, path, &report, &error), &error);
    TrainScoring scoring = train_scoring_defaults();
    scoring.cross_entropy = cross_entropy;
    ck_assert_int_le(job.val.count, 64);
    ck_ok(train_score(job.vit, &job.head, &job.val, 0, &scoring, job.threads, NULL, NULL, &error),
          &error);
    for (int i = 0; i < job.val.count; i++)
        sum += cross_entropy[i];
    ck_assert_double_lt(fabs(sum / job.val.count - losses[0]), 1e-5);
    support_job_close(&job);
}
END_TEST

/* With tune=all the adapter is a complete model with heads, activation, mean and std. */
START_TEST(adapter_of_all_parameters_is_a_model)
{
    const char *path = support_in_folder("all.safetensors");
    float want[2 * IMAGES], have[2 * IMAGES];
    bool found;
    Bench trained, read;
    open_bench(&trained, "all");
    open_bench(&read, NULL);
    trained.vit->config.mean[1] = 0.3125F; /* not CLIP's */
    trained.vit->config.std[2] = 0.1F;
    run(&trained, NULL, want);
    ck_ok(vit_adapter_write(trained.vit, &trained.head, trained.tuned, path, NULL, 0, &error),
          &error);
    vit_destroy(read.vit);
    ck_ok(vit_load(&read.vit, path, NULL, &error), &error);
    ck_assert_int_eq(read.vit->config.heads, 2);
    ck_assert_mem_eq(read.vit->config.mean, trained.vit->config.mean, sizeof read.vit->config.mean);
    ck_assert_mem_eq(read.vit->config.std, trained.vit->config.std, sizeof read.vit->config.std);
    ck_assert_str_eq(read.vit->config.assumptions, "");
    ck_ok(vit_head_read(read.vit, &read.head, &found, &error), &error);
    ck_assert(found);
    run(&read, NULL, have);
    ck_assert_mem_eq(have, want, sizeof want);
    close_bench(&read);
    close_bench(&trained);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lora");
    TCase *cases = support_case(suite, "lora", 60);
    tcase_add_checked_fixture(cases, support_folder_setup, support_folder_teardown);
    tcase_add_loop_test(cases, map_equals_pytorch, 0, WAYS);
    tcase_add_loop_test(cases, gradient_along_random_directions, 0,
                        3 * (int)(sizeof tunes / sizeof *tunes));
    tcase_add_loop_test(cases, dropout_draws_for_each_element_once, 0, 2);
    tcase_add_test(cases, dropout_differs_between_maps);
    tcase_add_test(cases, dropout_keeps_the_given_fraction);
    tcase_add_test(cases, dropout_applies_only_in_training);
    tcase_add_test(cases, initial_values);
    tcase_add_test(cases, adapter_reproduces_the_trained_model);
    tcase_add_test(cases, alpha_scales_what_lora_adds);
    tcase_add_test(cases, parts_that_cannot_be_merged);
    tcase_add_test(cases, missing_parameters_are_reported);
    tcase_add_test(cases, saved_model_equals_adapter);
    tcase_add_test(cases, adapter_of_all_parameters_is_a_model);
    tcase_add_loop_test(cases, refused_adapters, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(cases, resumed_run_is_bit_identical, 0, sizeof settings / sizeof *settings);
    return support_main(suite);
}
