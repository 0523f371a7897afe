/*
 * test_vit_precision.c - the encoder in bf16 and int8 compared with f32: features, gradients,
 * bit-identical results for any threads and micro-batches, and planned memory.
 *
 * Weights are random and LayerNorms are perturbed. The model with outliers has four channels of
 * every LayerNorm before a linear map scaled up by 50, and the corresponding columns of the map
 * scaled down. It computes the same function, with outliers as in trained transformers.
 *
 * LNCLIP_VIT_ARCH=vit-l-14 runs at full size and prints the errors, without the tests for
 * bit-identical results.
 */
#include "tests/support.h"
#include "vit/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 8, OUTLIERS = 4, OUTLIER_SCALE = 50 };

static Error error;

/* Settings of one run of the encoder. */
typedef struct Setup {
    Precision precision;
    bool packed;
    const char *tune; /* NULL: nothing trains and only features are computed */
    bool outliers;
    int threads, batch;
} Setup;

typedef struct Result {
    float *features; /* [IMAGES,D] */
    float *grads;    /* [count] */
    size_t count;
} Result;

static bool is_long(void)
{
    return getenv("LNCLIP_VIT_ARCH") != NULL;
}

static int image_count(void)
{
    return is_long() ? 2 : IMAGES;
}

static VitConfig shape(void)
{
    VitConfig config;
    ck_ok(vit_config_named(is_long() ? getenv("LNCLIP_VIT_ARCH") : "tiny", &config, &error),
          &error);
    return config;
}

/* Adds normal noise of standard deviation `scale` to a vector. */
static void perturb(const Tensor *vector, unsigned stream, double scale)
{
    const size_t count = tensor_count(vector);
    float *by = malloc(count * sizeof *by);
    support_fill_normal(by, count, stream, scale);
    for (size_t i = 0; i < count; i++)
        tensor_f32(vector)[i] += by[i];
    free(by);
}

static int outlier(int index, int width)
{
    return (index * 37 + 5) % width;
}

/* Scales some channels of a LayerNorm up. */
static void scale_up_channels(const VitLayerNorm *norm)
{
    for (int i = 0; i < OUTLIERS; i++) {
        const int channel = outlier(i, norm->weight->shape[0]);
        tensor_f32(norm->weight)[channel] *= OUTLIER_SCALE;
        tensor_f32(norm->bias)[channel] *= OUTLIER_SCALE;
    }
}

/* Scales the columns of a map for these channels down. */
static void scale_down_columns(const Linear *map)
{
    for (int part = 0; part < map->parts; part++)
        for (int row = 0; row < map->weight[part]->shape[0]; row++)
            for (int i = 0; i < OUTLIERS; i++)
                tensor_f32(map->weight[part])[(ptrdiff_t)row * map->in + outlier(i, map->in)] /=
                    OUTLIER_SCALE;
}

static Vit *model(bool outliers)
{
    const VitConfig config = shape();
    Vit *vit;
    ck_ok(vit_create(&vit, &config, 3, NULL, &error), &error);
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM || vit->parameters[i].kind == VIT_BIAS)
            perturb(&vit->parameters[i].tensor, (unsigned)i, 0.1);
    for (int i = 0; outliers && i < config.layers; i++) {
        const VitBlock *block = &vit->blocks[i];
        scale_up_channels(&block->ln1);
        scale_down_columns(&block->q);
        scale_down_columns(&block->kv);
        scale_up_channels(&block->ln2);
        scale_down_columns(&block->fc1);
    }
    return vit;
}

/* Runs the forward of some images and, if something trains, the backward. */
static void step(const Vit *vit, Tape *tape, float *pixels, int images, const float *seed,
                 bool trains, float *features)
{
    const int S = vit->config.image_size;
    Tensor input = tensor_leaf(pixels, 4, (const int[]){images, 3, S, S});
    Tensor *y = vit_forward(vit, tape, &input, NULL);
    ck_assert_int_eq(y->dtype, DTYPE_F32);
    if (!tape_is_planning(tape))
        memcpy(features, tensor_f32(y), tensor_count(y) * sizeof *features);
    tape_release(tape, y);
    if (trains) {
        tape_backward(tape, y, seed);
    } else {
        ck_assert_int_eq(tape_nodes(tape), 0);
        ck_assert_uint_eq(arena_used(tape_arena(tape)), 0);
    }
    tape_reset(tape);
}

/* Runs all images in micro-batches, in an arena of the planned size. */
static void run_steps(const Setup *setup, const Vit *vit, Threads *threads, Result *result)
{
    const int operations = vit_forward_operations(vit), images = image_count();
    const size_t D = (size_t)vit->config.width, S = (size_t)vit->config.image_size;
    const size_t image = 3 * S * S;
    float *pixels = malloc((size_t)images * image * sizeof *pixels);
    float *seed = malloc((size_t)images * D * sizeof *seed);
    support_fill_normal(pixels, (size_t)images * image, 9, 1);
    support_fill_normal(seed, (size_t)images * D, 10, 1);

    size_t planned = 0;
    for (int planning = 1; planning >= 0; planning--) {
        Arena *arena;
        Tape *tape;
        ck_ok(planning ? arena_create_measuring(&arena, &error)
                       : arena_create(&arena, planned, &error),
              &error);
        ck_ok(tape_create(&tape, arena, threads, operations, &error), &error);
        for (int first = 0; first < images; first += setup->batch) {
            const int count = first + setup->batch <= images ? setup->batch : images - first;
            step(vit, tape, pixels + (size_t)first * image, count, seed + (size_t)first * D,
                 setup->tune != NULL, result->features + (size_t)first * D);
        }
        if (planning)
            planned = arena_peak(arena);
        ck_assert_uint_eq(arena_peak(arena), planned);
        tape_destroy(tape);
        arena_destroy(arena);
    }
    free(seed);
    free(pixels);
}

/* Perturbs LoRA's B. At its initial zero the gradient of A would be zero, too. */
static void perturb_loras(const VitTuned *tuned)
{
    for (int i = 1; i < tuned->part_count; i += 2)
        perturb(&tuned->parts[i], (unsigned)i, 0.05);
}

static Result run(Setup setup)
{
    Vit *vit = model(setup.outliers);
    VitTuned *tuned = NULL;
    VitHead head;
    Threads *threads;
    ck_ok(threads_create(&threads, setup.threads, &error), &error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR, vit->config.width, 0, &error), &error);
    if (setup.tune)
        ck_ok(vit_tune(&tuned, vit, &head, setup.tune, 0, &error), &error);
    if (tuned)
        perturb_loras(tuned);
    if (setup.packed)
        ck_ok(vit_pack(vit, setup.precision, setup.tune != NULL, threads, &error), &error);
    Result result = {.features = calloc((size_t)IMAGES * (size_t)vit->config.width, sizeof(float))};
    if (tuned)
        vit_tuned_zero_grads(tuned);
    run_steps(&setup, vit, threads, &result);
    if (tuned) {
        result.count = tuned->count;
        result.grads = malloc(tuned->count * sizeof *result.grads);
        memcpy(result.grads, tuned->grads, tuned->count * sizeof *result.grads);
    }
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
    vit_destroy(vit);
    threads_destroy(threads);
    return result;
}

static void result_close(Result *result)
{
    free(result->features);
    free(result->grads);
}

/* The smallest cosine, over the images, between two features. */
static double cosine(const Result *a, const Result *b)
{
    const size_t D = (size_t)shape().width;
    double smallest = 1;
    for (int i = 0; i < image_count(); i++) {
        const float *x = a->features + (size_t)i * D, *y = b->features + (size_t)i * D;
        double xy = 0, xx = 0, yy = 0;
        for (size_t d = 0; d < D; d++) {
            xy += (double)x[d] * y[d];
            xx += (double)x[d] * x[d];
            yy += (double)y[d] * y[d];
        }
        smallest = fmin(smallest, xy / sqrt(xx * yy));
    }
    return smallest;
}

/* The reference: f32 without packs. */
static Result run_f32(const char *tune, bool outliers)
{
    return run((Setup){.tune = tune, .outliers = outliers, .threads = 2, .batch = image_count()});
}

static const struct {
    Precision precision;
    bool outliers;
    double cosine;
} features[] = {
    {PRECISION_F32, false, 0.9999999}, {PRECISION_BF16, false, 0.9995},
    {PRECISION_INT8, false, 0.998},    {PRECISION_F32, true, 0.9999999},
    {PRECISION_BF16, true, 0.9995},    {PRECISION_INT8, true, 0.998},
};

START_TEST(features_agree_with_f32)
{
    const bool outliers = features[_i].outliers;
    Result want = run_f32(NULL, outliers);
    Result have = run((Setup){.precision = features[_i].precision,
                              .packed = true,
                              .outliers = outliers,
                              .threads = 2,
                              .batch = image_count()});
    const double found = cosine(&have, &want);
    if (is_long())
        printf("%s%s: 1 - cosine %.2e\n", precision_name(features[_i].precision),
               outliers ? ", outliers" : "", 1 - found);
    ck_assert_msg(found >= features[_i].cosine, "%s%s: cosine %.6f",
                  precision_name(features[_i].precision), outliers ? ", outliers" : "", found);
    if (features[_i].precision != PRECISION_F32) /* exact equality would mean that f32 was used */
        ck_assert_double_lt(found, 0.99999999);
    result_close(&want);
    result_close(&have);
}
END_TEST

/* The two models compute the same function. */
START_TEST(outliers_do_not_change_the_function)
{
    Result plain = run_f32(NULL, false), outliers = run_f32(NULL, true);
    ck_assert_double_gt(cosine(&plain, &outliers), 0.9999999);
    result_close(&plain);
    result_close(&outliers);
}
END_TEST

/* `tune` determines which maps are packed once and which for each product. */
static const char *const tunes[] = {
    "ln",
    "*.bias",
    "*.q_proj.*",
    "*.k_proj.weight",
    "*.out_proj.weight",
    "*.fc1.weight",
    "*.fc2.weight,*.v_proj.bias",
    "bias",
    "lora:4",
    "lora:4:q+k+v+out+fc1+fc2,ln",
    "lora:4:k,*.v_proj.weight",
    "all",
};
enum { TUNES = sizeof tunes / sizeof *tunes };

START_TEST(gradients_agree_with_f32)
{
    const char *tune = tunes[_i];
    Result want = run_f32(tune, false);
    Result have = run((Setup){.precision = PRECISION_BF16,
                              .packed = true,
                              .tune = tune,
                              .threads = 2,
                              .batch = image_count()});
    ck_assert_uint_eq(have.count, want.count);
    const double wrong = support_relative_error(have.grads, want.grads, want.count);
    if (is_long())
        printf("bf16, tune=%s: relative error of the gradient %.2e\n", tune, wrong);
    ck_assert_msg(wrong <= 0.02, "tune=%s: relative error %.2e", tune, wrong);
    ck_assert_double_gt(cosine(&have, &want), 0.9995);
    result_close(&want);
    result_close(&have);
}
END_TEST

/* Each precision, forward and backward, and several kinds of trainable parameters. */
static const struct {
    Precision precision;
    const char *tune;
} ways[] = {
    {PRECISION_F32, "ln"},
    {PRECISION_BF16, "ln"},
    {PRECISION_BF16, "*.q_proj.*"},
    {PRECISION_BF16, "*.fc1.weight"},
    {PRECISION_BF16, "*.bias"},
    {PRECISION_BF16, NULL},
    {PRECISION_F32, "bias"},
    {PRECISION_F32, "lora:4:q+v+out+fc1+fc2"},
    {PRECISION_BF16, "lora:4:q+v+out+fc1+fc2"},
    {PRECISION_F32, "all"},
    {PRECISION_BF16, "all"},
    {PRECISION_INT8, NULL},
};
enum { WAYS = sizeof ways / sizeof *ways };

START_TEST(bit_identical)
{
    static const struct {
        int threads, batch;
    } runs[] = {{1, 8}, {2, 8}, {2, 3}, {1, 1}};
    Result first = {0};
    for (int i = 0; i < (int)(sizeof runs / sizeof *runs); i++) {
        Result next = run((Setup){.precision = ways[_i].precision,
                                  .packed = true,
                                  .tune = ways[_i].tune,
                                  .threads = runs[i].threads,
                                  .batch = runs[i].batch});
        if (i == 0) {
            first = next;
            ck_assert(next.features[0] != 0);
            continue;
        }
        const size_t size = (size_t)IMAGES * (size_t)shape().width * sizeof(float);
        ck_assert_msg(!memcmp(first.features, next.features, size), "%s: features in batches of %d",
                      precision_name(ways[_i].precision), runs[i].batch);
        ck_assert_msg(!first.count || !memcmp(first.grads, next.grads, first.count * sizeof(float)),
                      "%s, tune=%s: gradients in batches of %d", precision_name(ways[_i].precision),
                      ways[_i].tune, runs[i].batch);
        result_close(&next);
    }
    result_close(&first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_precision");
    TCase *cases = support_case(suite, "precision", 600);
    tcase_add_loop_test(cases, features_agree_with_f32, 0, sizeof features / sizeof *features);
    tcase_add_loop_test(cases, gradients_agree_with_f32, 0, is_long() ? 1 : TUNES);
    if (!is_long()) {
        tcase_add_test(cases, outliers_do_not_change_the_function);
        tcase_add_loop_test(cases, bit_identical, 0, WAYS);
    }
    return support_main(suite);
}
