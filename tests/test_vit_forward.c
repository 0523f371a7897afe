/*
 * test_vit_forward.c - the encoder: PyTorch parity, finite differences, and results that are
 * bit-identical for any number of threads and any batch size.
 *
 * tests/golden/make_vit.py makes the golden files. To compare another model, such as a full
 * ViT-L/14, set LNCLIP_VIT_MODEL to the model and LNCLIP_VIT_GOLDEN to a file made by
 * tests/golden/check_long_vit.py.
 */
#include "tensor/ops/op.h"
#include "tensor/safetensors.h"
#include "tests/support.h"
#include "vit/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A model, golden values and a tape. */
typedef struct Bench {
    Threads *threads;
    Vit *vit;
    SafeTensors *golden;
    Arena *arena;
    Tape *tape;
    Tensor pixels;
} Bench;

static Bench open_bench(int threads)
{
    Error error = {0};
    Bench bench = {0};
    char model[4096], golden[4096];
    support_golden(model, "vit_model.safetensors");
    support_golden(golden, "vit.safetensors");
    if (getenv("LNCLIP_VIT_MODEL") && getenv("LNCLIP_VIT_GOLDEN")) {
        snprintf(model, sizeof model, "%s", getenv("LNCLIP_VIT_MODEL"));
        snprintf(golden, sizeof golden, "%s", getenv("LNCLIP_VIT_GOLDEN"));
    }
    ck_ok(threads_create(&bench.threads, threads, &error), &error);
    ck_ok(vit_load(&bench.vit, model, bench.threads, &error), &error);
    ck_ok(safetensors_open(&bench.golden, golden, &error), &error);
    const SafeTensor *pixels = safetensors_find(bench.golden, "pixels");
    ck_assert_ptr_nonnull(pixels);
    const int shape[4] = {(int)pixels->shape[0], 3, (int)pixels->shape[2], (int)pixels->shape[3]};
    bench.pixels = tensor_leaf((void *)(uintptr_t)pixels->data, 4, shape);
    return bench;
}

static void close_bench(Bench *bench)
{
    tape_destroy(bench->tape);
    arena_destroy(bench->arena);
    safetensors_close(bench->golden);
    vit_destroy(bench->vit);
    threads_destroy(bench->threads);
}

/* Replaces arena and tape. The arena has exactly the size that the run needs. */
static void plan_step(Bench *bench, bool backward, Tensor *probabilities)
{
    Error error = {0};
    const int operations = vit_forward_operations(bench->vit);
    tape_destroy(bench->tape);
    arena_destroy(bench->arena);
    Arena *plan;
    ck_ok(arena_create_measuring(&plan, &error), &error);
    ck_ok(tape_create(&bench->tape, plan, bench->threads, operations, &error), &error);
    Tensor *features = vit_forward(bench->vit, bench->tape, &bench->pixels, probabilities);
    if (backward)
        tape_backward(bench->tape, features,
                      (const float *)(uintptr_t)64); /* not read during planning */
    const size_t capacity = arena_peak(plan);
    tape_destroy(bench->tape);
    arena_destroy(plan);
    ck_ok(arena_create(&bench->arena, capacity, &error), &error);
    ck_ok(tape_create(&bench->tape, bench->arena, bench->threads, operations, &error), &error);
}

/* The golden tensor group/name, or NULL. */
static const SafeTensor *golden_of(const Bench *bench, const char *group, const char *name)
{
    char key[512];
    snprintf(key, sizeof key, "%s/%s", group, name);
    return safetensors_find(bench->golden, key);
}

/* Returns the relative error, which must be within the tolerance. */
static double compare(const float *have, const SafeTensor *want, double tolerance)
{
    ck_assert_ptr_nonnull(want);
    const double wrong = support_relative_error(have, want->data, want->bytes / sizeof(float));
    ck_assert_msg(wrong <= tolerance, "%s: relative error %g", want->name, wrong);
    return wrong;
}

/*
 * Compares a gradient relative to its own norm. The exact gradient of the keys' bias is zero,
 * because the bias shifts all scores of a query equally. Its rounding errors are compared with the
 * gradient of the queries' bias.
 */
static double compare_gradient(const Bench *bench, const char *group, const VitTunedEntry *entry)
{
    const char *name = strstr(entry->name, "vision_model.");
    char key[256];
    snprintf(key, sizeof key, "d/%s", name);
    const SafeTensor *want = golden_of(bench, group, key);
    ck_assert_msg(want != NULL, "no golden gradient of %s", name);
    const char *keys_bias = strstr(key, "k_proj.bias");
    if (!keys_bias)
        return compare(entry->tensor->grad, want, 1e-4);
    key[keys_bias - key] = 'q';
    const SafeTensor *scale = golden_of(bench, group, key);
    double size = 0, rest = 0;
    for (size_t i = 0; i < entry->count; i++) {
        size += pow(((const float *)scale->data)[i], 2);
        rest += pow(tensor_grad(entry->tensor)[i], 2);
    }
    ck_assert_msg(sqrt(rest) <= 1e-5 * sqrt(size), "%s: %g of %g", name, sqrt(rest), sqrt(size));
    return 0;
}

static const struct {
    const char *group, *tune;
    Activation activation;
    int threads;
} parities[] = {
    {"quick_gelu", "all", ACTIVATION_QUICK_GELU, 1},
    {"quick_gelu", "ln", ACTIVATION_QUICK_GELU, 2},
    {"gelu", "ln", ACTIVATION_GELU, 2},
};

START_TEST(parity_with_pytorch)
{
    Error error = {0};
    Bench bench = open_bench(parities[_i].threads);
    const char *group = parities[_i].group;
    const VitConfig *config = &bench.vit->config;
    const bool other_model = getenv("LNCLIP_VIT_MODEL") != NULL;
    if (!golden_of(&bench, group, "features") ||
        (other_model && strcmp(parities[_i].tune, "ln") != 0)) {
        ck_assert_msg(other_model, "no golden features for %s", group);
        close_bench(&bench);
        return;
    }
    bench.vit->config.activation = parities[_i].activation;

    VitTuned *tuned;
    VitHead head;
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR, config->width, 0, &error), &error);
    ck_ok(vit_tune(&tuned, bench.vit, &head, parities[_i].tune, 0, &error), &error);
    vit_tuned_zero_grads(tuned);

    Tensor probabilities[1000];
    for (int i = 0; i < config->layers; i++) {
        char key[32];
        snprintf(key, sizeof key, "attention/%d", i);
        const SafeTensor *want = golden_of(&bench, group, key);
        const int T = vit_tokens(config), Tq = i == config->layers - 1 ? 1 : T;
        probabilities[i] = tensor_leaf(want ? calloc(want->bytes, 1) : NULL, 4,
                                       (const int[]){bench.pixels.shape[0], config->heads, Tq, T});
    }
    plan_step(&bench, true, probabilities);
    Tensor *features = vit_forward(bench.vit, bench.tape, &bench.pixels, probabilities);
    const double wrong = compare(tensor_f32(features), golden_of(&bench, group, "features"), 1e-5);
    for (int i = 0; i < config->layers; i++) {
        char key[32];
        snprintf(key, sizeof key, "attention/%d", i);
        if (probabilities[i].data)
            (void)compare(probabilities[i].data, golden_of(&bench, group, key), 1e-5);
        free(probabilities[i].data);
    }
    tape_backward(bench.tape, features, safetensors_find(bench.golden, "seed")->data);
    double worst = 0;
    for (int i = 0; i < tuned->entry_count; i++)
        if (strstr(tuned->entries[i].name, "vision_model."))
            worst = fmax(worst, compare_gradient(&bench, group, &tuned->entries[i]));
    if (other_model)
        printf("relative error: features %.1e, worst gradient of a LayerNorm %.1e\n", wrong, worst);
    close_bench(&bench);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
}
END_TEST

/* Runs forward and backward in batches of `batch`, and returns features and gradients. */
static void run_batches(int threads, int batch, float *features, float *grads, size_t *grad_count)
{
    Error error = {0};
    Bench bench = open_bench(threads);
    const int B = bench.pixels.shape[0], D = bench.vit->config.width;
    const size_t image = tensor_count(&bench.pixels) / (size_t)B;
    float *all = tensor_f32(&bench.pixels);
    const float *seed = safetensors_find(bench.golden, "seed")->data;
    VitTuned *tuned;
    VitHead head;
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR, D, 0, &error), &error);
    ck_ok(vit_tune(&tuned, bench.vit, &head, "ln", 0, &error), &error);
    for (int i = 0; i < B; i += batch) {
        const int count = i + batch <= B ? batch : B - i;
        bench.pixels = tensor_leaf(
            all + (size_t)i * image, 4,
            (const int[]){count, 3, bench.vit->config.image_size, bench.vit->config.image_size});
        plan_step(&bench, true, NULL);
        Tensor *y = vit_forward(bench.vit, bench.tape, &bench.pixels, NULL);
        memcpy(features + i * D, tensor_f32(y), tensor_count(y) * sizeof(float));
        tape_backward(bench.tape, y, seed + i * D);
    }
    memcpy(grads, tuned->grads, tuned->count * sizeof *grads);
    *grad_count = tuned->count;
    close_bench(&bench);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
}

START_TEST(bit_identical)
{
    static float features[3][4096], grads[3][4096];
    static const struct {
        int threads, batch;
    } runs[3] = {{1, 3}, {2, 1}, {2, 2}};
    size_t count = 0;
    for (int i = 0; i < 3; i++)
        run_batches(runs[i].threads, runs[i].batch, features[i], grads[i], &count);
    ck_assert_uint_gt(count, 300);
    ck_assert(grads[0][0] != 0);
    for (int i = 1; i < 3; i++) {
        ck_assert_mem_eq(features[0], features[i], sizeof features[0]);
        ck_assert_mem_eq(grads[0], grads[i], count * sizeof(float));
    }
}
END_TEST

/* Inference records no node and keeps no tensor, so its memory does not grow with the blocks. */
START_TEST(inference_keeps_no_tensor)
{
    Bench bench = open_bench(2);
    plan_step(&bench, false, NULL);
    Tensor *features = vit_forward(bench.vit, bench.tape, &bench.pixels, NULL);
    (void)compare(tensor_f32(features), golden_of(&bench, "quick_gelu", "features"), 1e-5);
    ck_assert_int_eq(tape_nodes(bench.tape), 0);
    ck_assert_uint_eq(tape_kept_bytes(bench.tape), 0);
    tape_release(bench.tape, features);
    ck_assert_uint_eq(arena_used(bench.arena), 0);
    close_bench(&bench);

    Error error = {0};
    size_t peak[2];
    for (int i = 0; i < 2; i++) {
        VitConfig config;
        ck_ok(vit_config_named("tiny", &config, &error), &error);
        config.layers = i == 0 ? 2 : 9;
        bench = (Bench){0};
        ck_ok(vit_create(&bench.vit, &config, 1, NULL, &error), &error);
        bench.pixels = tensor_leaf(NULL, 4, (const int[]){2, 3, 64, 64});
        plan_step(&bench, false, NULL);
        peak[i] = arena_capacity(bench.arena);
        close_bench(&bench);
    }
    ck_assert_uint_eq(peak[0], peak[1]);
}
END_TEST

/* sum(features * seed) in double, plus a term of the logits if there is a head. */
static double objective(Bench *bench, VitHead *head, const float *seed, bool backward)
{
    Error error = {0};
    tape_destroy(bench->tape);
    ck_ok(tape_create(&bench->tape, bench->arena, bench->threads,
                      vit_forward_operations(bench->vit) + 2, &error),
          &error);
    Tensor *features = vit_forward(bench->vit, bench->tape, &bench->pixels, NULL);
    Tensor *logits = vit_head_forward(head, bench->tape, features, NULL);
    double sum = 0;
    for (size_t i = 0; i < tensor_count(logits); i++)
        sum += (double)tensor_f32(logits)[i] * seed[i];
    if (backward)
        tape_backward(bench->tape, logits, seed);
    return sum;
}

/*
 * For a fully trained model with head, the slope along a random direction, by central differences,
 * equals gradient times direction. At h = 5e-4, the truncation error h^2 f'''/6 and the rounding
 * error of about 1e-7 f / h are both below 1e-3 of the slopes here, which are 2 to 30.
 */
START_TEST(gradient_along_random_directions)
{
    Error error = {0};
    static const float seed[6] = {1, -0.5F, 0.25F, 1.5F, -1, 0.75F};
    Bench bench = open_bench(2);
    VitHead head;
    VitTuned *tuned;
    ck_ok(vit_head_create(&head, (VitHeadKind)(_i % 2), bench.vit->config.width, 7, &error),
          &error);
    ck_ok(vit_tune(&tuned, bench.vit, &head, "all", 0, &error), &error);
    ck_ok(arena_create(&bench.arena, 64 << 20, &error), &error);
    vit_tuned_zero_grads(tuned);
    objective(&bench, &head, seed, true);
    float *direction = malloc(tuned->count * sizeof *direction);
    support_fill_normal(direction, tuned->count, (unsigned)_i, 1);

    double slope = 0, values[2];
    for (size_t k = 0; k < tuned->count; k++)
        slope += (double)tuned->grads[k] * direction[k];
    const double h = 5e-4;
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < tuned->count; k++)
            tuned->values[k] = (float)(tuned->base[k] + (side ? -h : h) * direction[k]);
        values[side] = objective(&bench, &head, seed, false);
    }
    const double measured = (values[0] - values[1]) / (2 * h);
    ck_assert_msg(fabs(measured - slope) <= 1e-3 * fabs(slope) + 1e-3, "slope %g, measured %g",
                  slope, measured);
    ck_assert_double_gt(fabs(slope), 1); /* a smaller slope would make the test meaningless */
    free(direction);
    close_bench(&bench);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
}
END_TEST

/* The feature's norm affects the logits of the linear head only. */
START_TEST(heads)
{
    Error error = {0};
    Arena *arena;
    Tape *tape;
    ck_ok(arena_create(&arena, 1 << 16, &error), &error);
    ck_ok(tape_create(&tape, arena, NULL, 16, &error), &error);
    float values[2][4] = {{3, 0, 4, 0}, {0, 0, 0, 0}};
    Tensor features = tensor_leaf(values, 3, (const int[]){2, 1, 4});
    for (int kind = 0; kind < 2; kind++) {
        VitHead head;
        Tensor *z = NULL;
        ck_ok(vit_head_create(&head, (VitHeadKind)kind, 4, 1, &error), &error);
        const float *W = tensor_f32(&head.weight), *b = tensor_f32(&head.bias);
        const float *logits = tensor_f32(vit_head_forward(&head, tape, &features, &z));
        ck_close(tensor_f32(z)[0], 0.6, 1e-6);
        ck_close(tensor_f32(z)[2], 0.8, 1e-6);
        ck_assert(tensor_f32(z)[4] == 0); /* a zero feature stays zero */
        const double length = kind == VIT_HEAD_LINEAR ? 5 : 1;
        for (int c = 0; c < 2; c++) {
            ck_close(logits[c], length * (0.6 * W[c * 4] + 0.8 * W[c * 4 + 2]) + b[c], 1e-6);
            ck_close(logits[2 + c], b[c], 1e-6);
        }
        /* Initial values are in (-1/2, 1/2) and depend only on the seed. */
        VitHead again;
        ck_ok(vit_head_create(&again, (VitHeadKind)kind, 4, 1, &error), &error);
        ck_assert_mem_eq(head.storage, again.storage, 10 * sizeof(float));
        for (int i = 0; i < 10; i++)
            ck_assert(fabsf(head.storage[i]) < 0.5F &&
                      head.storage[i] != head.storage[(i + 1) % 10]);
        vit_head_destroy(&head);
        vit_head_destroy(&again);
    }
    tape_destroy(tape);
    arena_destroy(arena);

    VitHeadKind kind;
    ck_assert(vit_head_kind_parse("LinearNorm", &kind) && kind == VIT_HEAD_LINEAR_NORM);
    ck_assert(vit_head_kind_parse("linear", &kind) && kind == VIT_HEAD_LINEAR);
    ck_assert(!vit_head_kind_parse("Linear", &kind));
    ck_assert_str_eq(vit_head_kind_name(VIT_HEAD_LINEAR_NORM), "LinearNorm");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_forward");
    TCase *cases = support_case(suite, "forward", 600);
    tcase_add_loop_test(cases, parity_with_pytorch, 0, sizeof parities / sizeof parities[0]);
    if (!getenv("LNCLIP_VIT_MODEL")) {
        tcase_add_test(cases, bit_identical);
        tcase_add_test(cases, inference_keeps_no_tensor);
        tcase_add_loop_test(cases, gradient_along_random_directions, 0, 4);
        tcase_add_test(cases, heads);
    }
    return support_main(suite);
}
