/*
 * test_vit_pack.c - the encoder with packed weights: features and gradients agree with the unpacked
 * encoder within the precision and are bit-identical for any micro-batch. Only useful packs are
 * made, and the original values stay readable.
 */
#include "tests/support.h"

#include "tensor/kernels/kernels.h"
#include "vit/tune.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 2 };

enum { UNPACKED = -1 }; /* instead of a Precision */

/* The tiny model with random LayerNorms and biases. */
static Vit *tiny_model(void)
{
    Error error = {0};
    VitConfig config;
    Vit *vit;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
        if (parameter->kind != VIT_LAYER_NORM && parameter->kind != VIT_BIAS)
            continue;
        const size_t count = tensor_count(&parameter->tensor);
        float *change = malloc(count * sizeof *change);
        support_fill_normal(change, count, 100 + (unsigned)i, 0.2);
        kernels()->add(change, tensor_f32(&parameter->tensor), count);
        free(change);
    }
    return vit;
}

/* Computes features and, unless `grads` is NULL, the gradient of all LayerNorms. Returns its
 * length. */
static size_t run_encoder(Vit *vit, int precision, int micro_batch, float *features, float *grads)
{
    Error error = {0};
    const VitConfig config = vit->config;
    VitHead head;
    VitTuned *tuned = NULL;
    SupportEngine engine;
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, config.width, 1, &error), &error);
    if (grads)
        ck_ok(vit_tune(&tuned, vit, &head, "ln", 0, &error), &error);
    support_engine_open(&engine, 2, 64 << 20);
    if (precision != UNPACKED) {
        const Precision packed = (Precision)precision;
        ck_ok(vit_pack(vit, packed, grads != NULL, engine.threads, &error), &error);
        ck_assert_int_eq(vit->packed != NULL, packed_pays(packed));
        ck_assert(!packed_pays(packed) || vit->blocks[0].fc1.forward);
        ck_assert(!packed_pays(packed) || !grads || vit->blocks[0].q.backward);
    }
    const int S = config.image_size;
    const size_t image = (size_t)3 * (size_t)S * (size_t)S, D = (size_t)config.width;
    float *pixels = malloc(IMAGES * image * sizeof *pixels);
    support_fill_normal(pixels, IMAGES * image, 9, 1);
    float *seed = malloc(IMAGES * D * sizeof *seed);
    support_fill_normal(seed, IMAGES * D, 10, 1);
    Tape *tape;
    ck_ok(tape_create(&tape, engine.arena, engine.threads, vit_forward_operations(vit), &error),
          &error);
    if (tuned)
        vit_tuned_zero_grads(tuned);
    for (int first = 0; first < IMAGES; first += micro_batch) {
        Tensor input =
            tensor_leaf(pixels + (size_t)first * image, 4, (const int[]){micro_batch, 3, S, S});
        Tensor *out = vit_forward(vit, tape, &input, NULL);
        memcpy(features + (size_t)first * D, tensor_f32(out),
               (size_t)micro_batch * D * sizeof *features);
        if (tuned)
            tape_backward(tape, out, seed + (size_t)first * D);
        tape_reset(tape);
    }
    const size_t count = tuned ? tuned->count : 0;
    if (tuned)
        memcpy(grads, tuned->grads, count * sizeof *grads);
    tape_destroy(tape);
    support_engine_close(&engine);
    free(seed);
    free(pixels);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&head);
    vit_destroy(vit);
    return count;
}

START_TEST(packed_encoder_agrees_with_unpacked)
{
    static const double feature_limit[] = {1e-5, 2e-2}, gradient_limit[] = {1e-5, 2e-2};
    static float features[3][IMAGES * 64], grads[3][1 << 16];
    const size_t count = run_encoder(tiny_model(), UNPACKED, IMAGES, features[0], grads[0]);
    run_encoder(tiny_model(), _i, IMAGES, features[1], grads[1]);
    run_encoder(tiny_model(), _i, 1, features[2], grads[2]);
    const double by = support_relative_error(features[1], features[0], IMAGES * 64);
    const double gradients_by = support_relative_error(grads[1], grads[0], count);
    ck_each(by < feature_limit[_i] && gradients_by < gradient_limit[_i],
            "%s: features differ by %g, gradients by %g", precision_name((Precision)_i), by,
            gradients_by);
    ck_assert_mem_eq(features[1], features[2], sizeof features[1]);
    ck_assert_mem_eq(grads[1], grads[2], count * sizeof(float));
}
END_TEST

static double cosine(const float *a, const float *b, size_t n)
{
    return kernels()->dot(a, b, n) / sqrt(kernels()->dot(a, a, n) * kernels()->dot(b, b, n));
}

/* Scales four channels of a LayerNorm and, inversely, the next map's weights for them. */
static void enlarge_channels(const VitLayerNorm *norm, const Linear *linear, float factor, int D)
{
    enum { LARGE = 4 };
    for (int channel = 3; channel < D; channel += D / LARGE) {
        tensor_f32(norm->weight)[channel] *= linear ? 1 : factor;
        tensor_f32(norm->bias)[channel] *= linear ? 1 : factor;
        for (int part = 0; linear && part < linear->parts; part++)
            for (int row = 0; row < linear->weight[part]->shape[0]; row++)
                tensor_f32(linear->weight[part])[row * D + channel] /= factor;
    }
}

static Vit *model_with_large_channels(float factor)
{
    Vit *vit = tiny_model();
    for (int i = 0; i < vit->config.layers; i++) {
        VitBlock *block = &vit->blocks[i];
        const int D = vit->config.width;
        enlarge_channels(&block->ln1, NULL, factor, D);
        enlarge_channels(&block->ln1, &block->q, factor, D);
        enlarge_channels(&block->ln1, &block->kv, factor, D);
        enlarge_channels(&block->ln2, NULL, factor, D);
        enlarge_channels(&block->ln2, &block->fc1, factor, D);
    }
    return vit;
}

/* Trained encoders have channels far larger than the rest. int8 scales channels for this reason. */
START_TEST(int8_features_with_large_channels)
{
    static float wanted[IMAGES * 64], features[IMAGES * 64];
    const float factor = _i ? 50 : 1;
    run_encoder(model_with_large_channels(factor), UNPACKED, IMAGES, wanted, NULL);
    run_encoder(model_with_large_channels(factor), PRECISION_INT8, IMAGES, features, NULL);
    const double agreement = cosine(features, wanted, IMAGES * 64);
    ck_each(agreement > 0.998, "channels %g times as large: cosine %.6f", (double)factor,
            agreement);
    run_encoder(model_with_large_channels(factor), PRECISION_INT8, 1, wanted, NULL);
    ck_assert_mem_eq(features, wanted, sizeof features);
}
END_TEST

START_TEST(int8_refuses_sums_that_overflow)
{
    Error error = {0};
    VitConfig config;
    Vit *vit;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.layers = 1;
    config.mlp = 65600;
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_assert_int_eq(vit_pack(vit, PRECISION_INT8, false, NULL, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "65600"));
    vit_destroy(vit);
}
END_TEST

/* A tuned and packed model of three blocks. */
static Vit *packed_model(const char *tune, bool backward, VitTuned **tuned)
{
    Error error = {0};
    VitConfig config;
    Vit *vit;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.layers = 3;
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_tune(tuned, vit, NULL, tune, 0, &error), &error);
    ck_ok(vit_pack(vit, PRECISION_F32, backward, NULL, &error), &error);
    return vit;
}

START_TEST(only_needed_packs_are_made)
{
    VitTuned *tuned;
    if (!packed_pays(PRECISION_F32))
        return;
    Vit *vit = packed_model("*.layers.1.mlp.fc1.weight", true, &tuned);
    const VitBlock *blocks = vit->blocks;
    ck_assert(blocks[0].fc2.forward && !blocks[0].fc2.backward); /* nothing earlier trains */
    ck_assert(!blocks[1].fc1.forward && !blocks[1].fc1.backward);
    ck_assert(blocks[1].fc2.forward && blocks[1].fc2.backward);
    ck_assert(blocks[2].kv.forward && blocks[2].kv.backward);
    ck_assert_int_eq(blocks[2].kv.backward->K, blocks[2].kv.out);
    vit_tuned_destroy(tuned);
    vit_destroy(vit);

    vit = packed_model("ln", false, &tuned);
    ck_assert(vit->blocks[2].kv.forward && !vit->blocks[2].kv.backward);
    vit_tuned_destroy(tuned);
    vit_destroy(vit);

    vit = packed_model("all", true, &tuned);
    ck_assert(!vit->patch_pack);
    ck_assert(!vit->blocks[0].q.forward && !vit->blocks[2].fc2.forward);
    ck_assert_uint_ge(vit_bytes(vit), vit_size(vit) * sizeof(float));
    vit_tuned_destroy(tuned);
    vit_destroy(vit);
}
END_TEST

/* The file pages of packed weights are released, but the values stay readable and count once. */
START_TEST(mapped_model_keeps_its_values)
{
    char folder[4096];
    Error error = {0};
    VitConfig config;
    Vit *made, *loaded;
    support_make_folder(folder);
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(vit_create(&made, &config, 2, NULL, &error), &error);
    ck_ok(vit_save(made, folder, &error), &error);
    ck_ok(vit_load(&loaded, folder, NULL, &error), &error);
    ck_assert_uint_eq(vit_bytes(loaded), vit_size(loaded) * sizeof(float));
    const Precision precision = (Precision)_i;
    ck_ok(vit_pack(loaded, precision, precision != PRECISION_INT8, NULL, &error), &error);
    for (int i = 0; i < made->parameter_count; i++) {
        const Tensor *before = &made->parameters[i].tensor;
        const Tensor *after = &loaded->parameters[i].tensor;
        ck_each(memcmp(before->data, after->data, tensor_count(before) * sizeof(float)) == 0, "%s",
                made->parameters[i].name);
    }
    /* Widths are multiples of 64 here: packs are as large as what they hold, but for rounding and
     * red zones. */
    const size_t linears = (size_t)made->config.layers * 12 * 64 * 64;
    const size_t patches = tensor_count(loaded->patch_embedding);
    const size_t bytes[PRECISION_COUNT] = {4, 2, 1}, patch_bytes[PRECISION_COUNT] = {4, 2, 2};
    const size_t least = (vit_size(loaded) - linears - patches) * sizeof(float) +
                         linears * bytes[precision] + patches * patch_bytes[precision];
    if (packed_pays(precision)) {
        ck_assert_ptr_nonnull(loaded->patch_pack);
        ck_assert_uint_ge(vit_bytes(loaded), least);
        ck_assert_uint_lt(vit_bytes(loaded), least * 5 / 4);
    }
    vit_destroy(loaded);
    vit_destroy(made);
    support_remove_folder(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_pack");
    TCase *all = support_case(suite, "vit_pack", 120);
    tcase_add_loop_test(all, packed_encoder_agrees_with_unpacked, 0, PRECISION_INT8);
    tcase_add_loop_test(all, int8_features_with_large_channels, 0, 2);
    tcase_add_test(all, int8_refuses_sums_that_overflow);
    tcase_add_test(all, only_needed_packs_are_made);
    tcase_add_loop_test(all, mapped_model_keeps_its_values, 0, PRECISION_COUNT);
    return support_main(suite);
}
