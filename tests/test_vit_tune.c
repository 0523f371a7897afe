/* test_vit_tune.c - the parameters that `tune` selects, and the flat arrays that hold them. */
#include "tests/support.h"
#include "vit/tune.h"

#include <string.h>

static Vit *vit;
static VitHead head;

static void make_vit(void)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, config.width, 1, &error), &error);
}

static void destroy_vit(void)
{
    vit_head_destroy(&head);
    vit_destroy(vit);
}

/* D = 64, L = 3: LayerNorms 2 x 64 x (2 + 2 x 3), head 2 x 64 + 2. */
enum { NORMS = 1024, HEAD = 130 };

/* Biases: those of the LayerNorms, plus five of 64 and one of 256 per block. */
enum { BIASES = NORMS / 2 + 3 * (5 * 64 + 256) };

START_TEST(choices)
{
    static const struct {
        const char *tune;
        int entries;
        size_t count;
    } table[] = {
        {"ln", 16 + 2, NORMS + HEAD},
        {"none", 2, HEAD},
        {"all", 55 + 2, 0},
        {"*", 55 + 2, 0},
        {"ln,all", 55 + 2, 0},
        {"bias", 26 + 2, BIASES + HEAD},
        {"bias,none", 26 + 2, BIASES + HEAD},
        {"bias,ln", 34 + 2, BIASES + NORMS / 2 + HEAD},
        {"lora:8", 12 + 2, 3 * 2 * 8 * (64 + 64) + HEAD},
        {"lora:3:k+out,ln", 12 + 16 + 2, 3 * 2 * 3 * (64 + 64) + NORMS + HEAD},
        {"lora:64:fc1+fc2", 12 + 2, 3 * 2 * 64 * (64 + 256) + HEAD},
        {"*layer_norm?.bias", 6 + 2, 6 * 64 + HEAD},
        {"vision_model.post_layernorm.*", 2 + 2, 128 + HEAD},
        {"*.layers.0.*,*.layers.1.*", 32 + 2, 0},
        {"*.layers.0.*,*.layers.0.mlp.*", 16 + 2, 0}, /* selected twice */
        {"vision_model.embeddings.class_embedding", 1 + 2, 64 + HEAD},
    };
    Error error = {0};
    const size_t all = vit_size(vit) + HEAD,
                 layer = 4 * (64 * 64 + 64) + 2 * 64 * 256 + 256 + 64 + 4 * 64;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        VitTuned *tuned;
        size_t count = table[i].count;
        if (count == 0)
            count = table[i].entries == 57 ? all : layer * (size_t)(table[i].entries / 16) + HEAD;
        ck_ok(vit_tune(&tuned, vit, &head, table[i].tune, 0, &error), &error);
        ck_assert_int_eq(tuned->entry_count, table[i].entries);
        ck_assert_uint_eq(tuned->count, count);
        ck_assert_str_eq(tuned->tune, table[i].tune);
        vit_tuned_destroy(tuned);
        destroy_vit();
        make_vit();
    }
}
END_TEST

START_TEST(flat_array)
{
    Error error = {0};
    VitTuned *tuned;
    float before[64];
    memcpy(before, head.weight.data, sizeof before);
    ck_ok(vit_tune(&tuned, vit, &head, "ln", 0, &error), &error);
    size_t offset = 0;
    for (int i = 0; i < tuned->entry_count; i++) {
        const VitTunedEntry *entry = &tuned->entries[i];
        ck_assert_uint_eq(entry->offset, offset);
        ck_assert_ptr_eq(entry->tensor->data, tuned->values + offset);
        ck_assert_ptr_eq(entry->tensor->grad, tuned->grads + offset);
        ck_assert(entry->tensor->needs_grad);
        ck_assert_int_eq(entry->decays, strcmp(entry->name, "model.linear.weight") == 0);
        offset += entry->count;
    }
    ck_assert_uint_eq(offset, tuned->count);
    ck_assert_str_eq(tuned->entries[0].name, "feature_extractor.vision_model.pre_layrnorm.weight");
    ck_assert_str_eq(tuned->entries[15].name, "feature_extractor.vision_model.post_layernorm.bias");
    ck_assert_str_eq(tuned->entries[16].name, "model.linear.weight");
    ck_assert_str_eq(tuned->entries[17].name, "model.linear.bias");
    ck_assert_ptr_eq(tuned->entries[16].tensor, &head.weight);
    ck_assert_mem_eq(head.weight.data, before, sizeof before);
    ck_assert_mem_eq(tuned->values, tuned->base, tuned->count * sizeof(float));

    /* The blocks read the values that the optimizer writes. */
    tuned->values[2 * 64] = 42;
    ck_assert(tensor_f32(vit->blocks[0].ln1.weight)[0] == 42);
    ck_assert(tuned->base[2 * 64] == 1);
    ck_assert(!vit->blocks[0].q.weight[0]->needs_grad);

    tuned->grads[5] = 1;
    vit_tuned_zero_grads(tuned);
    for (size_t i = 0; i < tuned->count; i++)
        ck_assert(tuned->grads[i] == 0);
    vit_tuned_destroy(tuned);
    vit_tuned_destroy(NULL);
}
END_TEST

/*
 * As in the papers' code, weight decay applies to names without "bias" and "norm": to matrices and
 * all embeddings, including the class embedding, which is a vector.
 */
START_TEST(decay)
{
    Error error = {0};
    VitTuned *tuned;
    ck_ok(vit_tune(&tuned, vit, &head, "all", 0, &error), &error);
    ck_assert_int_eq(tuned->entry_count, 57);
    int decaying = 0;
    for (int i = 0; i < tuned->entry_count; i++) {
        const char *name = tuned->entries[i].name;
        const bool expected = !strstr(name, "bias") && !strstr(name, "norm");
        ck_assert_msg(tuned->entries[i].decays == expected, "%s", name);
        decaying += tuned->entries[i].decays;
    }
    ck_assert_int_eq(decaying, 3 * 6 + 3 + 1); /* matrices in 3 blocks, embeddings, head */
    vit_tuned_destroy(tuned);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *tune, *why;
    } table[] = {
        {"", "an item is empty"},
        {"LN", "the pattern \"LN\" matches no tensor"},
        {"*layer_norm1*,*typo*", "the pattern \"*typo*\" matches no tensor"},
        {"*layer_norm1*,", "an item is empty"},
        {"lora", "invalid rank"},
        {"lora:", "invalid rank"},
        {"lora:0", "invalid rank"},
        {"lora:08", "invalid rank"},
        {"lora:4097", "invalid rank"},
        {"lora:99999999999999999999", "invalid rank"},
        {"lora:8x", "invalid rank"},
        {"lora:8:", "\"\" is not a linear map"},
        {"lora:8:q+", "\"\" is not a linear map"},
        {"lora:8:q+q", "\"q\" is not a linear map"},
        {"lora:8:mlp", "\"mlp\" is not a linear map"},
        {"lora:8,lora:4:k", "names LoRA twice"},
        {"lora:65", "rank 65 is not below the model width 64"},
        {"all,lora:8", "both for full training and for LoRA"},
        {"lora:8,*.2.self_attn.v_proj.weight", "layers.2.self_attn.v_proj.weight is selected both"},
        {"pre_layrnorm.weight", "matches no tensor"}, /* names begin with vision_model. */
    };
    Error error = {0};
    VitTuned *tuned;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(vit_tune(&tuned, vit, &head, table[i].tune, 0, &error), STATUS_USAGE);
        ck_assert_ptr_null(tuned);
        ck_assert_msg(strstr(error.message, table[i].why), "%s", error.message);
        ck_assert(!head.weight.needs_grad);
    }
    ck_assert_int_eq(vit_tune(&tuned, vit, NULL, "none", 0, &error), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "nothing would train"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_tune");
    TCase *cases = support_case(suite, "tune", 20);
    tcase_add_checked_fixture(cases, make_vit, destroy_vit);
    tcase_add_test(cases, choices);
    tcase_add_test(cases, flat_array);
    tcase_add_test(cases, decay);
    tcase_add_test(cases, refused);
    return support_main(suite);
}
