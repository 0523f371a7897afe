/*
 * test_explain.c - relevance maps: parity with PyTorch, which multiplies full matrices as in the
 * papers (tests/golden/make_explain.py), and properties of every map.
 */
#include "tests/support.h"
#include "vit/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATCHES = 16, IMAGES = 3 }; /* those of the golden files */

typedef struct Bench {
    Threads *threads;
    Vit *vit;
    VitHead head;
    SafeTensors *images, *golden;
    VitExplainer *explainer;
} Bench;

static const float *golden_values(const SafeTensors *file, const char *name)
{
    const SafeTensor *tensor = safetensors_find(file, name);
    ck_assert_msg(tensor != NULL, "no golden %s", name);
    return tensor->data;
}

static void open_golden(SafeTensors **file, const char *name)
{
    Error error = {0};
    char path[4096];
    support_golden(path, name);
    ck_ok(safetensors_open(file, path, &error), &error);
}

/* Initialised in place, because the explainer keeps a pointer to the head. */
static void bench_open(Bench *bench, int threads, bool packed)
{
    Error error = {0};
    char model[4096];
    *bench = (Bench){0};
    support_golden(model, "vit_model.safetensors");
    ck_ok(threads_create(&bench->threads, threads, &error), &error);
    ck_ok(vit_load(&bench->vit, model, bench->threads, &error), &error);
    open_golden(&bench->images, "vit.safetensors");
    open_golden(&bench->golden, "explain.safetensors");
    const int D = bench->vit->config.width;
    ck_ok(vit_head_create(&bench->head, VIT_HEAD_LINEAR_NORM, D, 0, &error), &error);
    memcpy(bench->head.weight.data, golden_values(bench->golden, "head.weight"),
           tensor_count(&bench->head.weight) * sizeof(float));
    memcpy(bench->head.bias.data, golden_values(bench->golden, "head.bias"),
           tensor_count(&bench->head.bias) * sizeof(float));
    if (packed)
        ck_ok(vit_pack(bench->vit, PRECISION_F32, false, bench->threads, &error), &error);
    ck_ok(vit_explainer_create(&bench->explainer, bench->vit, &bench->head, bench->threads, &error),
          &error);
    ck_assert_int_eq(vit_explain_grid(&bench->vit->config), 4);
}

static void bench_close(Bench *bench)
{
    vit_explainer_destroy(bench->explainer);
    safetensors_close(bench->golden);
    safetensors_close(bench->images);
    vit_head_destroy(&bench->head);
    vit_destroy(bench->vit);
    threads_destroy(bench->threads);
}

static const float *pixels_of(const Bench *bench, int image)
{
    const int S = bench->vit->config.image_size;
    return golden_values(bench->images, "pixels") + (ptrdiff_t)image * 3 * S * S;
}

/* Checks that a map is non-negative and sums to 1. */
static void check_map(const float *map, int patches)
{
    double sum = 0;
    for (int i = 0; i < patches; i++) {
        ck_assert(map[i] >= 0);
        sum += (double)map[i];
    }
    ck_close(sum, 1, 1e-5);
}

START_TEST(maps_equal_pytorch)
{
    Bench bench;
    bench_open(&bench, 1 + _i, _i == 1);
    const float *rollouts = golden_values(bench.golden, "rollout");
    const float *gradients = golden_values(bench.golden, "gradient");
    for (int image = 0; image < IMAGES; image++) {
        float rollout[PATCHES], gradient[PATCHES];
        vit_explain(bench.explainer, pixels_of(&bench, image), rollout, gradient);
        check_map(rollout, PATCHES);
        check_map(gradient, PATCHES);
        const double wrong[] = {
            support_relative_error(rollout, rollouts + image * PATCHES, PATCHES),
            support_relative_error(gradient, gradients + image * PATCHES, PATCHES)};
        ck_assert_msg(wrong[0] <= 1e-5 && wrong[1] <= 1e-4,
                      "image %d: relative error of the rollout %g, of gradient x attention %g",
                      image, wrong[0], wrong[1]);
    }
    bench_close(&bench);
}
END_TEST

/*
 * Leaves for the attention receive a gradient although nothing trains. In one block the leaf has
 * its own gradient memory, and the gradient is added to it.
 */
START_TEST(attention_gradients_equal_pytorch)
{
    enum { LAYERS = 2, HEADS = 4, TOKENS = PATCHES + 1 };
    Bench bench;
    bench_open(&bench, 2, _i == 1);
    SupportEngine engine;
    support_engine_open(&engine, 2, 1 << 24);
    const int S = bench.vit->config.image_size;
    Tensor pixels =
        tensor_leaf((void *)(uintptr_t)pixels_of(&bench, 0), 4, (const int[]){IMAGES, 3, S, S});
    static float found[IMAGES * HEADS * TOKENS * TOKENS];
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        found[i] = 1;
    Tensor attention[LAYERS];
    for (int l = 0; l < LAYERS; l++) {
        attention[l] = tensor_leaf(
            NULL, 4, (const int[]){IMAGES, HEADS, l == LAYERS - 1 ? 1 : TOKENS, TOKENS});
        attention[l].needs_grad = true;
    }
    attention[0].grad = found;
    Tensor *features = vit_forward(bench.vit, engine.tape, &pixels, attention);
    Tensor *logits = vit_head_forward(&bench.head, engine.tape, features, NULL);
    tape_backward(engine.tape, logits, (const float[]){-1, 1, -1, 1, -1, 1});
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        found[i] -= 1;
    for (int l = 0; l < LAYERS; l++) {
        char name[32];
        snprintf(name, sizeof name, "d_attention/%d", l);
        const double wrong = support_relative_error(
            attention[l].grad, golden_values(bench.golden, name), tensor_count(&attention[l]));
        ck_assert_msg(wrong <= 1e-4, "%s: relative error %g", name, wrong);
    }
    support_engine_close(&engine);
    ck_assert_ptr_null(attention[1].grad); /* it was owned by the tape */
    bench_close(&bench);
}
END_TEST

START_TEST(threads_and_earlier_images_do_not_matter)
{
    float first[2][PATCHES], again[2][PATCHES], alone[PATCHES];
    Bench bench;
    bench_open(&bench, 1, true);
    vit_explain(bench.explainer, pixels_of(&bench, 2), first[0], first[1]);
    bench_close(&bench);
    bench_open(&bench, 2, true);
    for (int image = 0; image < IMAGES; image++)
        vit_explain(bench.explainer, pixels_of(&bench, image), again[0], again[1]);
    vit_explain(bench.explainer, pixels_of(&bench, 2), alone, NULL);
    ck_assert_mem_eq(first, again, sizeof first);
    ck_assert_mem_eq(first[0], alone, sizeof alone);
    vit_explain(bench.explainer, pixels_of(&bench, 2), NULL, alone);
    ck_assert_mem_eq(first[1], alone, sizeof alone);
    bench_close(&bench);
}
END_TEST

/* The rollout does not depend on the head. Gradient x attention is empty for a head with equal
 * logits. */
START_TEST(only_the_gradient_map_depends_on_the_head)
{
    float rollout[2][PATCHES], gradient[2][PATCHES];
    const float zeros[PATCHES] = {0};
    Bench bench;
    bench_open(&bench, 2, false);
    const float *pixels = pixels_of(&bench, 0);
    const size_t count = tensor_count(&bench.head.weight);
    float *W = tensor_f32(&bench.head.weight);
    vit_explain(bench.explainer, pixels, rollout[0], gradient[0]);
    for (size_t i = 0; i < count; i++)
        W[i] = -W[i];
    vit_explain(bench.explainer, pixels, rollout[1], gradient[1]);
    ck_assert_mem_eq(rollout[0], rollout[1], sizeof rollout[0]);
    ck_assert(support_relative_error(gradient[1], gradient[0], PATCHES) > 0.1);
    memcpy(W + count / 2, W, count / 2 * sizeof *W);
    vit_explain(bench.explainer, pixels, rollout[1], gradient[1]);
    ck_assert_mem_eq(rollout[0], rollout[1], sizeof rollout[0]);
    for (int i = 0; i < PATCHES; i++)
        ck_assert(gradient[1][i] == zeros[i]);
    bench_close(&bench);
}
END_TEST

/* An image side that is not a multiple of the patch, whose border belongs to no patch; and a model
 * with one block. */
START_TEST(other_shapes)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.image_size = 70;
    config.layers = 1 + _i;
    Vit *vit;
    VitHead head;
    VitExplainer *explainer;
    ck_ok(vit_create(&vit, &config, 3, NULL, &error), &error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR, config.width, 3, &error), &error);
    ck_ok(vit_explainer_create(&explainer, vit, &head, NULL, &error), &error);
    static float pixels[3 * 70 * 70], rollout[PATCHES], gradient[PATCHES];
    ck_assert_int_eq(vit_explain_grid(&config), 4);
    support_fill_normal(pixels, sizeof pixels / sizeof *pixels, 5, 1);
    vit_explain(explainer, pixels, rollout, gradient);
    check_map(rollout, PATCHES);
    check_map(gradient, PATCHES);
    vit_explainer_destroy(explainer);
    vit_head_destroy(&head);
    vit_destroy(vit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *golden = support_case(suite, "golden", 30);
    tcase_add_loop_test(golden, maps_equal_pytorch, 0, 2);
    tcase_add_loop_test(golden, attention_gradients_equal_pytorch, 0, 2);
    TCase *properties = support_case(suite, "properties", 30);
    tcase_add_test(properties, threads_and_earlier_images_do_not_matter);
    tcase_add_test(properties, only_the_gradient_map_depends_on_the_head);
    tcase_add_loop_test(properties, other_shapes, 0, 2);
    return support_main(suite);
}
