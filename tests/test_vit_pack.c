/*
 * test_vit_pack.c - the encoder with packed weights: the features and gradients of the one without, the same
 * bits for any micro-batch, packs only where they are of use, and the numbers still there afterwards.
 */
#include "tests/support.h"

#include "vit/tune.h"

#include <string.h>

enum { IMAGES = 2 };

/* Features, and the gradient of all LayerNorms, of the tiny model. */
static size_t run_encoder(bool packed, int images_at_once, float *features, float *grads)
{
    Error error = {0};
    VitConfig config;
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    SupportEngine engine;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, config.width, 1, &error), &error);
    ck_ok(vit_tune(&tuned, vit, &head, "ln", &error), &error);
    support_engine_open(&engine, 2, 64 << 20);
    if (packed) {
        ck_ok(vit_pack(vit, PRECISION_F32, true, engine.threads, &error), &error);
        ck_assert_int_eq(vit->packed != NULL, packed_pays());
        ck_assert(!packed_pays() || (vit->blocks[0].fc1.forward && vit->blocks[0].q.backward));
    }
    const int S = config.image_size;
    const size_t image = (size_t)3 * (size_t)S * (size_t)S, D = (size_t)config.width;
    float *const pixels = malloc(IMAGES * image * sizeof *pixels);
    support_fill_normal(pixels, IMAGES * image, 9, 1);
    float *const seed = malloc(IMAGES * D * sizeof *seed);
    support_fill_normal(seed, IMAGES * D, 10, 1);
    Tape *tape;
    ck_ok(tape_create(&tape, engine.arena, engine.threads, vit_forward_operations(&config), &error),
          &error);
    vit_tuned_zero_grads(tuned);
    for (int first = 0; first < IMAGES; first += images_at_once) {
        Tensor input =
            tensor_leaf(pixels + (size_t)first * image, 4, (const int[]){images_at_once, 3, S, S});
        Tensor *const out = vit_forward(vit, tape, &input, NULL);
        memcpy(features + (size_t)first * D, tensor_f32(out),
               (size_t)images_at_once * D * sizeof *features);
        tape_backward(tape, out, seed + (size_t)first * D);
        tape_reset(tape);
    }
    const size_t count = tuned->count;
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

START_TEST(the_encoder_agrees_with_and_without_packs)
{
    static float features[3][IMAGES * 64], grads[3][1 << 16];
    size_t count = 0;
    for (int packed = 0; packed < 2; packed++)
        count = run_encoder(packed, IMAGES, features[packed], grads[packed]);
    run_encoder(true, 1, features[2], grads[2]);
    ck_each(support_relative_error(features[1], features[0], IMAGES * 64) < 1e-5, "features");
    ck_each(support_relative_error(grads[1], grads[0], count) < 1e-5, "gradients");
    ck_assert_mem_eq(features[1], features[2], sizeof features[1]);
    ck_assert_mem_eq(grads[1], grads[2], count * sizeof(float));
}
END_TEST

/* Tunes a model of three blocks as told and packs it. */
static Vit *packed_model(const char *tune, bool backward, VitTuned **tuned)
{
    Error error = {0};
    VitConfig config;
    Vit *vit;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.layers = 3;
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_tune(tuned, vit, NULL, tune, &error), &error);
    ck_ok(vit_pack(vit, PRECISION_F32, backward, NULL, &error), &error);
    return vit;
}

START_TEST(only_what_is_frozen_and_needed_is_packed)
{
    VitTuned *tuned;
    if (!packed_pays())
        return;
    Vit *vit = packed_model("*.layers.1.mlp.fc1.weight", true, &tuned);
    const VitBlock *const blocks = vit->blocks;
    ck_assert(blocks[0].fc2.forward && !blocks[0].fc2.backward); /* nothing before it trains */
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
    ck_assert(!vit->blocks[0].q.forward && !vit->blocks[2].fc2.forward);
    ck_assert_uint_ge(vit_bytes(vit), vit_size(vit) * sizeof(float));
    vit_tuned_destroy(tuned);
    vit_destroy(vit);
}
END_TEST

/* The pages of a packed weight are let go; its numbers must still be there, and be counted once. */
START_TEST(a_mapped_model_keeps_its_numbers)
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
    ck_ok(vit_pack(loaded, PRECISION_F32, true, NULL, &error), &error);
    for (int i = 0; i < made->parameter_count; i++) {
        const Tensor *const before = &made->parameters[i].tensor;
        const Tensor *const after = &loaded->parameters[i].tensor;
        ck_each(memcmp(before->data, after->data, tensor_count(before) * sizeof(float)) == 0, "%s",
                made->parameters[i].name);
    }
    /* Widths are multiples of 64 here, so the packs are as large as the weights, but for rounding
     * and red zones; counted twice, they would make it 1.9 times. */
    ck_assert_uint_ge(vit_bytes(loaded), vit_size(loaded) * sizeof(float));
    ck_assert_uint_lt(vit_bytes(loaded), vit_size(loaded) * sizeof(float) * 5 / 4);
    vit_destroy(loaded);
    vit_destroy(made);
    support_remove_folder(folder);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("vit_pack");
    TCase *const all = support_case(suite, "vit_pack", 120);
    tcase_add_test(all, the_encoder_agrees_with_and_without_packs);
    tcase_add_test(all, only_what_is_frozen_and_needed_is_packed);
    tcase_add_test(all, a_mapped_model_keeps_its_numbers);
    return support_main(suite);
}
