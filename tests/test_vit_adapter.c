/* test_vit_adapter.c - adapters: writing, reading, foreign tensor names and errors. */
#include "tensor/base/file.h"
#include "tests/support_folder.h"
#include "vit/checkpoint/adapter.h"

#include <stdio.h>
#include <string.h>

static Vit *vit;
static VitHead head;
static VitAdapterReport report;

static void make_vit(void)
{
    Error error = {0};
    VitConfig config;
    support_folder_setup();
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, config.width, 1, &error), &error);
}

static void destroy_vit(void)
{
    vit_head_destroy(&head);
    vit_destroy(vit);
    support_folder_teardown();
}

static float *values_of(const char *name)
{
    const VitParameter *parameter = vit_find(vit, name);
    ck_assert_ptr_nonnull(parameter);
    return tensor_f32(&parameter->tensor);
}

/* Writes an adapter of the parameters that `tune` selects, with changed values. */
static void write_trained(const char *path, const char *tune, VitHeadKind kind)
{
    Error error = {0};
    Vit *other;
    VitHead trained;
    VitTuned *tuned;
    const SafeTensorsMetadata metadata[] = {{"recipe", "paper"}, {"seed", "42"}};
    ck_ok(vit_create(&other, &vit->config, 1, NULL, &error), &error);
    ck_ok(vit_head_create(&trained, kind, vit->config.width, 1, &error), &error);
    ck_ok(vit_tune(&tuned, other, &trained, tune, 0, &error), &error);
    for (size_t i = 0; i < tuned->count; i++)
        tuned->values[i] = 2 * tuned->values[i] + 0.5F;
    ck_ok(vit_adapter_write(other, &trained, tuned, path, metadata, 2, &error), &error);
    vit_tuned_destroy(tuned);
    vit_head_destroy(&trained);
    vit_destroy(other);
}

static void expect_refused(const char *path, int problems, const char *why)
{
    Error error = {0};
    /* All or nothing: the values must be unchanged afterwards. */
    float *before[200];
    ck_assert_int_lt(vit->parameter_count, 200);
    for (int i = 0; i < vit->parameter_count; i++) {
        const Tensor *tensor = &vit->parameters[i].tensor;
        before[i] = malloc(tensor_count(tensor) * sizeof(float));
        memcpy(before[i], tensor->data, tensor_count(tensor) * sizeof(float));
    }
    const VitHead old = head;
    float storage[130];
    memcpy(storage, head.storage, sizeof storage);

    ck_assert_int_eq(vit_adapter_read(vit, &head, path, &report, &error), STATUS_FAILED);
    ck_assert_msg(error.problems == problems, "%d problems: %s", error.problems, error.message);
    bool reported = strstr(error.message, why) != NULL;
    for (int i = 0; i < error.problems && i < ERROR_MAX_DETAILS; i++)
        reported = reported || strstr(error.detail[i], why);
    ck_assert_msg(reported, "\"%s\" not in: %s (%s)", why, error.message, error.detail[0]);

    for (int i = 0; i < vit->parameter_count; i++) {
        const Tensor *tensor = &vit->parameters[i].tensor;
        ck_assert_mem_eq(before[i], tensor->data, tensor_count(tensor) * sizeof(float));
        free(before[i]);
    }
    ck_assert_mem_eq(storage, head.storage, sizeof storage);
    ck_assert_int_eq(old.kind, head.kind);
}

START_TEST(write_and_read)
{
    Error error = {0};
    const char *path = support_in_folder("a.safetensors");
    write_trained(path, "ln", VIT_HEAD_LINEAR);
    const float w0 = head.storage[0],
                fc1 = values_of("vision_model.encoder.layers.0.mlp.fc1.weight")[0];
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert_int_eq(report.layer_norms_set, 16);
    ck_assert_int_eq(report.layer_norms_kept, 0);
    ck_assert_int_eq(report.others_set, 0);
    ck_assert_int_eq(report.frozen_equal, 0);
    ck_assert(report.head_set && head.kind == VIT_HEAD_LINEAR);
    ck_assert(head.storage[0] == 2 * w0 + 0.5F);
    ck_assert(values_of("vision_model.encoder.layers.2.layer_norm2.weight")[63] == 2.5F);
    ck_assert(values_of("vision_model.pre_layrnorm.bias")[0] == 0.5F);
    ck_assert(values_of("vision_model.encoder.layers.0.mlp.fc1.weight")[0] == fc1);
    for (int i = 0; i < vit->parameter_count; i++)
        ck_assert(vit->parameters[i].changed == (vit->parameters[i].kind == VIT_LAYER_NORM));

    SafeTensors *file;
    ck_ok(safetensors_open(&file, path, &error), &error);
    ck_assert_int_eq(safetensors_count(file), 18);
    ck_assert_ptr_nonnull(safetensors_find(
        file, "feature_extractor.vision_model.encoder.layers.0.layer_norm1.weight"));
    ck_assert_ptr_nonnull(safetensors_find(file, "model.linear.bias"));
    ck_assert_str_eq(safetensors_metadata(file, "recipe"), "paper");
    ck_assert_str_eq(safetensors_metadata(file, "head"), "linear");
    ck_assert_str_eq(safetensors_metadata(file, "tune"), "ln");
    ck_assert_str_eq(safetensors_metadata(file, "base_arch"), "tiny");
    ck_assert_str_eq(safetensors_metadata(file, "base_fingerprint"), vit->fingerprint);
    safetensors_close(file);

    /* Writing is deterministic, and an adapter can be read twice. */
    char *first, *second;
    size_t size, again;
    ck_ok(file_read(path, 1 << 20, &first, &size, &error), &error);
    write_trained(path, "ln", VIT_HEAD_LINEAR);
    ck_ok(file_read(path, 1 << 20, &second, &again, &error), &error);
    ck_assert_uint_eq(size, again);
    ck_assert_mem_eq(first, second, size);
    free(first);
    free(second);
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_ok(vit_adapter_read(vit, NULL, path, &report, &error), &error);
    ck_assert(!report.head_set);
}
END_TEST

/* An adapter with more than LayerNorms, read twice. */
START_TEST(other_tune)
{
    Error error = {0};
    const char *path = support_in_folder("a.safetensors");
    const float fc1 = values_of("vision_model.encoder.layers.0.mlp.fc1.weight")[7];
    const float q = values_of("vision_model.encoder.layers.0.self_attn.q_proj.weight")[7];
    write_trained(path, "*.mlp.*,*layer_norm1*", VIT_HEAD_LINEAR_NORM);
    for (int i = 0; i < 2; i++) {
        ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
        ck_assert_int_eq(report.layer_norms_set, 6);
        ck_assert_int_eq(report.layer_norms_kept, 10);
        ck_assert_int_eq(report.others_set, 12);
        ck_assert(values_of("vision_model.encoder.layers.0.mlp.fc1.weight")[7] == 2 * fc1 + 0.5F);
        ck_assert(values_of("vision_model.encoder.layers.0.self_attn.q_proj.weight")[7] == q);
    }
    /* It can also be read into a model that is mapped read-only. */
    ck_ok(vit_save(vit, support_in_folder("m"), &error), &error);
    Vit *created = vit;
    ck_ok(vit_load(&vit, support_in_folder("m"), NULL, &error), &error);
    expect_refused(path, 0, "was made for the model"); /* the adapter has changed the base */
    vit_destroy(vit);
    vit = created;
    write_trained(path, "all", VIT_HEAD_LINEAR_NORM);
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert_int_eq(report.others_set, 55 - 16);
}
END_TEST

/* Writes a file with one tensor of 64 values 3. */
static const char *write_one(const char *name, int64_t width, DType dtype,
                             const SafeTensorsMetadata *metadata)
{
    static float values[128];
    for (int i = 0; i < 128; i++)
        values[i] = 3;
    Error error = {0};
    const SafeTensor tensor = {.name = name,
                               .dtype = dtype,
                               .ndim = 1,
                               .shape = {width},
                               .data = values,
                               .bytes = (size_t)width * dtype_size(dtype)};
    const char *path = support_in_folder("one.safetensors");
    ck_ok(safetensors_write(path, &tensor, 1, metadata, metadata ? 1 : 0, &error), &error);
    return path;
}

START_TEST(foreign_names)
{
    static const char *const names[] = {
        "feature_extractor.vision_model.post_layernorm.weight",
        "vision_model.post_layernorm.weight",
        "post_layernorm.weight",
        "base_model.model.vision_model.post_layernorm.ln_tuning_layers.weight",
        ("feature_extractor.base_model.model.vision_model.post_layernorm."
         "ln_tuning_layers.default.weight"),
    };
    Error error = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        float *values = values_of("vision_model.post_layernorm.weight");
        values[0] = values[63] = 1;
        ck_ok(
            vit_adapter_read(vit, &head, write_one(names[i], 64, DTYPE_F32, NULL), &report, &error),
            &error);
        ck_assert(values[0] == 3 && values[63] == 3);
        ck_assert_int_eq(report.layer_norms_set, 1);
        ck_assert_int_eq(report.layer_norms_kept, 15);
        ck_assert(!report.head_set && head.kind == VIT_HEAD_LINEAR_NORM);
    }
    /* Original values stored by peft must equal the base's. */
    expect_refused(write_one("base_model.model.vision_model.pre_layrnorm.base_layer.weight", 64,
                             DTYPE_F32, NULL),
                   1, "frozen, but different");
}
END_TEST

static void write_head(const char *path, const char *prefix, const char *kind, int64_t width)
{
    Error error = {0};
    static float values[2 * 65];
    char names[2][64];
    snprintf(names[0], 64, "%sweight", prefix);
    snprintf(names[1], 64, "%sbias", prefix);
    for (int i = 0; i < 130; i++)
        values[i] = (float)i;
    const SafeTensor tensors[] = {
        {.name = names[0],
         .dtype = DTYPE_F32,
         .ndim = 2,
         .shape = {2, width},
         .data = values,
         .bytes = (size_t)width * 8},
        {.name = names[1], .dtype = DTYPE_F32, .ndim = 1, .shape = {2}, .data = values, .bytes = 8},
    };
    const SafeTensorsMetadata metadata[] = {{"head", kind ? kind : ""}};
    ck_ok(safetensors_write(path, tensors, 2, metadata, kind ? 1 : 0, &error), &error);
}

static void write_head_config(const char *kind)
{
    snprintf(vit->hints.head, sizeof vit->hints.head, "%s", kind);
}

START_TEST(heads)
{
    static const char *const prefixes[] = {"model.linear.", "linear.", "head."};
    Error error = {0};
    const char *path = support_in_folder("h.safetensors");
    for (int i = 0; i < 3; i++) {
        head.kind = VIT_HEAD_LINEAR_NORM;
        write_head_config(i == 2 ? "LinearNorm" : "linear");
        memset(head.storage, 0, 130 * sizeof(float));
        write_head(path, prefixes[i], i == 1 ? "linear" : NULL, 64);
        ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
        ck_assert(report.head_set && head.storage[127] == 127 && head.storage[129] == 1);
        ck_assert_int_eq(head.kind, i < 2 ? VIT_HEAD_LINEAR : VIT_HEAD_LINEAR_NORM);
    }
    write_head(path, "head.", NULL, 48);
    expect_refused(path, 1, "shape [2,48], but the model has [2,64]");
    write_head(path, "head.", "mlp", 64);
    expect_refused(path, 0, "metadata \"head\" is mlp");
    expect_refused(write_one("head.bias", 2, DTYPE_F32, NULL), 1, "incomplete head");
}
END_TEST

/* The head kind is never assumed. Metadata, a config.json next to the file or the caller gives it.
 * */
START_TEST(head_kind)
{
    static const char gend[] =
        "{\"model_type\":\"GenD\",\"backbone\":\"clip\",\"head\":\"linear\"}";
    Error error = {0};
    const char *path = support_in_folder("h.safetensors");
    char config[FILE_PATH_SIZE];
    snprintf(config, sizeof config, "%s", support_in_folder("config.json"));
    write_head(path, "head.", NULL, 64);
    expect_refused(path, 0, "pass --head LinearNorm");
    ck_ok(vit_adapter_read(vit, NULL, path, &report, &error), &error); /* no head is read */

    ck_ok(file_write(config, gend, strlen(gend), &error), &error);
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert(report.head_set && head.kind == VIT_HEAD_LINEAR && !report.head_conflict);
    write_head_config("LinearNorm");
    ck_assert_int_eq(vit_adapter_read(vit, &head, path, &report, &error), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "linear, not LinearNorm"));

    /* The metadata has priority over the config.json, and the conflict is reported. */
    write_head(path, "head.", "LinearNorm", 64);
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert(head.kind == VIT_HEAD_LINEAR_NORM && report.head_conflict);
    write_head_config("linear");
    ck_assert_int_eq(vit_adapter_read(vit, &head, path, &report, &error), STATUS_USAGE);
}
END_TEST

/* An adapter is refused if the same weights have another configuration. */
START_TEST(different_configuration)
{
    Error error = {0};
    const char *path = support_in_folder("a.safetensors");
    write_trained(path, "ln", VIT_HEAD_LINEAR);
    const VitConfig config = vit->config;
    vit->config.activation = ACTIVATION_GELU;
    expect_refused(path, 0, "heads 2, quick_gelu");
    vit->config = config;
    vit->config.heads = 1;
    expect_refused(path, 0, "this model has heads 1, quick_gelu");
    vit->config = config;
    vit->config.mean[1] = 0.5F;
    expect_refused(path, 0, "mean 0.48145467 0.5 0.408210725");
    vit->config = config;
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
}
END_TEST

START_TEST(refused)
{
    const SafeTensorsMetadata foreign = {"base_fingerprint", "0123"},
                              tune = {"tune", "*.adapters.*"};
    const char *norm = "vision_model.post_layernorm.weight";
    expect_refused(write_one(norm, 65, DTYPE_F32, NULL), 1, "shape [65], but the model has [64]");
    expect_refused(write_one(norm, 64, DTYPE_U8, NULL), 1, "type U8 is not F32");
    expect_refused(write_one("lora_A.weight", 64, DTYPE_F32, NULL), 1, "unknown: lora_A.weight");
    expect_refused(
        write_one("vision_model.encoder.layers.3.layer_norm1.weight", 64, DTYPE_F32, NULL), 1,
        "unknown: vision_model.encoder.layers.3");
    expect_refused(write_one("vision_model.embeddings.class_embedding", 64, DTYPE_F32, NULL), 1,
                   "frozen, but different from the model: vision_model.embeddings.class_embedding");
    expect_refused(write_one("visual.ln_post.weight", 64, DTYPE_F32, NULL), 1,
                   "unknown: visual.ln_post");
    expect_refused(write_one("visual_projection.weight", 64, DTYPE_F32, NULL), 0,
                   "neither a LayerNorm nor a head");
    expect_refused(write_one(norm, 64, DTYPE_F32, &foreign), 0, "was made for the model 0123");
    expect_refused(write_one(norm, 64, DTYPE_F32, &tune), 0,
                   "metadata \"tune\" is \"*.adapters.*\"");
    expect_refused(support_in_folder("none"), 0, "cannot be read");
}
END_TEST

/* All problems are counted, and a valid LayerNorm in the same file is not set. */
START_TEST(all_or_nothing)
{
    Error error = {0};
    static float values[64];
    SafeTensor tensors[12];
    char names[12][64];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], i ? "wrong.%d" : "vision_model.post_layernorm.bias", i);
        tensors[i] = (SafeTensor){.name = names[i],
                                  .dtype = DTYPE_F32,
                                  .ndim = 1,
                                  .shape = {64},
                                  .data = values,
                                  .bytes = 256};
    }
    values[0] = 9;
    const char *path = support_in_folder("a.safetensors");
    ck_ok(safetensors_write(path, tensors, 12, NULL, 0, &error), &error);
    expect_refused(path, 11, "unknown: wrong.1");
    ck_ok(safetensors_write(path, tensors, 1, NULL, 0, &error), &error);
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert(values_of("vision_model.post_layernorm.bias")[0] == 9);
}
END_TEST

/* A complete GenD model is also an adapter if its frozen tensors equal the base's. */
START_TEST(complete_model)
{
    Error error = {0};
    ck_ok(vit_save(vit, support_in_folder("m"), &error), &error);
    values_of("vision_model.post_layernorm.bias")[3] = 7;
    const char *path = support_in_folder("m/model.safetensors");
    ck_ok(vit_adapter_read(vit, &head, path, &report, &error), &error);
    ck_assert_int_eq(report.layer_norms_set, 16);
    ck_assert_int_eq(report.frozen_equal, 55 - 16);
    ck_assert(values_of("vision_model.post_layernorm.bias")[3] == 0);
    values_of("vision_model.embeddings.position_embedding.weight")[0] += 1;
    expect_refused(path, 1,
                   "frozen, but different from the model: vision_model.embeddings.position");
}
END_TEST

/* A model with parts that cannot be merged is not written. */
START_TEST(unmerged_parts)
{
    static const VitMethod method = {.name = "Prompt"};
    Error error = {0};
    VitParameter *weight = vit_find(vit, "vision_model.encoder.layers.1.mlp.fc2.weight");
    weight->method = &method;
    const char *folder = support_in_folder("unmerged");
    ck_assert_int_eq(vit_save_with_head(vit, &head, folder, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "Prompt at vision_model.encoder.layers.1.mlp.fc2"));
    ck_assert(!file_exists(folder));
    weight->method = NULL;
    ck_ok(vit_save_with_head(vit, &head, folder, &error), &error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_adapter");
    TCase *cases = support_case(suite, "adapter", 60);
    tcase_add_checked_fixture(cases, make_vit, destroy_vit);
    tcase_add_test(cases, write_and_read);
    tcase_add_test(cases, other_tune);
    tcase_add_test(cases, foreign_names);
    tcase_add_test(cases, heads);
    tcase_add_test(cases, head_kind);
    tcase_add_test(cases, different_configuration);
    tcase_add_test(cases, refused);
    tcase_add_test(cases, all_or_nothing);
    tcase_add_test(cases, complete_model);
    tcase_add_test(cases, unmerged_parts);
    return support_main(suite);
}
