/* test_vit_load.c - loading models in all supported forms, and errors. */
#include "tensor/base/file.h"
#include "tests/support_folder.h"
#include "vit/checkpoint/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TENSORS = 100 };

/* A model to be written, which tests change. */
typedef struct Model {
    Vit *vit;
    SafeTensor tensors[MAX_TENSORS];
    char names[MAX_TENSORS][160];
    int count;
} Model;

static VitConfig small_config(void)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.layers = 2;
    return config;
}

static void add_tensor(Model *model, const char *name, DType dtype, int ndim, const int64_t *shape,
                       const void *data)
{
    SafeTensor *tensor = &model->tensors[model->count];
    ck_assert_int_lt(model->count, MAX_TENSORS);
    snprintf(model->names[model->count], sizeof model->names[0], "%s", name);
    *tensor = (SafeTensor){
        .name = model->names[model->count], .dtype = dtype, .ndim = ndim, .data = data};
    tensor->bytes = dtype_size(dtype);
    for (int i = 0; i < ndim; i++) {
        tensor->shape[i] = shape[i];
        tensor->bytes *= (size_t)shape[i];
    }
    model->count++;
}

/* A random model with `prefix` before all names. */
static Model *make_model(const char *prefix)
{
    Error error = {0};
    Model *model = calloc(1, sizeof *model);
    const VitConfig config = small_config();
    ck_ok(vit_create(&model->vit, &config, 5, NULL, &error), &error);
    for (int i = 0; i < model->vit->parameter_count; i++) {
        const VitParameter *parameter = &model->vit->parameters[i];
        char name[160];
        int64_t shape[4];
        for (int d = 0; d < parameter->tensor.ndim; d++)
            shape[d] = parameter->tensor.shape[d];
        snprintf(name, sizeof name, "%s%s", prefix, parameter->name);
        add_tensor(model, name, DTYPE_F32, parameter->tensor.ndim, shape, parameter->tensor.data);
    }
    return model;
}

static void free_model(Model *model)
{
    vit_destroy(model->vit);
    free(model);
}

static SafeTensor *tensor_of(Model *model, const char *end)
{
    for (int i = 0; i < model->count; i++) {
        const size_t length = strlen(model->names[i]), tail = strlen(end);
        if (length >= tail && strcmp(model->names[i] + length - tail, end) == 0)
            return &model->tensors[i];
    }
    ck_abort_msg("no tensor %s", end);
    return NULL;
}

/* Writes model.safetensors and, unless `config` is NULL, a config.json with this text; "": the
 * correct text. */
static const char *write_model(const Model *model, const char *config)
{
    Error error = {0};
    if (config && config[0])
        ck_ok(file_write(support_in_folder("config.json"), config, strlen(config), &error), &error);
    else if (config)
        ck_ok(vit_config_write(&model->vit->config, support_in_folder(""), &error), &error);
    ck_ok(safetensors_write(support_in_folder("model.safetensors"), model->tensors, model->count,
                            NULL, 0, &error),
          &error);
    return support_in_folder("");
}

static void expect_same(const Vit *a, const Vit *b)
{
    ck_assert_int_eq(a->parameter_count, b->parameter_count);
    for (int i = 0; i < a->parameter_count; i++) {
        const Tensor *x = &a->parameters[i].tensor, *y = &b->parameters[i].tensor;
        ck_assert_str_eq(a->parameters[i].name, b->parameters[i].name);
        ck_assert(tensor_same_shape(x, y));
        ck_assert_mem_eq(x->data, y->data, tensor_count(x) * sizeof(float));
    }
    ck_assert_str_eq(a->fingerprint, b->fingerprint);
}

static const VitHints quick_gelu = {.activation = ACTIVATION_QUICK_GELU};

static void expect_loads_with(const char *path, const VitHints *hints, const Vit *wanted)
{
    Error error = {0};
    Vit *vit;
    Threads *threads;
    ck_ok(threads_create(&threads, 2, &error), &error);
    ck_assert_msg(vit_load_with(&vit, path, hints, threads, &error) == STATUS_OK, "%s (%s)",
                  error.message, error.detail[0]);
    expect_same(vit, wanted);
    vit_destroy(vit);
    threads_destroy(threads);
}

static void expect_loads_as(const char *path, const Vit *wanted)
{
    expect_loads_with(path, &(VitHints){0}, wanted);
}

static void expect_refused_with(const char *path, const VitHints *hints, int problems,
                                const char *why)
{
    Error error = {0};
    Vit *vit;
    ck_assert_int_ne(vit_load_with(&vit, path, hints, NULL, &error), STATUS_OK);
    ck_assert_ptr_null(vit);
    ck_assert_msg(error.problems == problems, "%d problems: %s", error.problems, error.message);
    if (strstr(error.message, why))
        return;
    for (int i = 0; i < error.problems && i < ERROR_MAX_DETAILS; i++)
        if (strstr(error.detail[i], why))
            return;
    ck_abort_msg("\"%s\" not in: %s (%s)", why, error.message, error.detail[0]);
}

static void expect_refused(const char *path, int problems, const char *why)
{
    expect_refused_with(path, &(VitHints){0}, problems, why);
}

/* A saved model can be loaded from its folder and from its tensor file alone. */
START_TEST(save_and_load)
{
    Error error = {0};
    Vit *vit;
    VitConfig config = small_config();
    config.activation = ACTIVATION_GELU;
    config.heads = 4; /* not width / 64, so the file must give it */
    ck_ok(vit_create(&vit, &config, 1, NULL, &error), &error);
    ck_ok(vit_save(vit, support_in_folder("m"), &error), &error);
    expect_loads_as(support_in_folder("m"), vit);
    ck_ok(file_make_folders(support_in_folder("alone"), &error), &error);
    const char *alone = support_in_folder("alone/x.safetensors");
    ck_assert_int_eq(rename(support_in_folder("m/model.safetensors"), alone), 0);
    expect_loads_as(alone, vit);
    Vit *again;
    ck_ok(vit_load(&again, alone, NULL, &error), &error);
    ck_assert_int_eq(again->config.heads, 4);
    ck_assert_int_eq(again->config.activation, ACTIVATION_GELU);
    vit_destroy(again);
    vit_destroy(vit);
}
END_TEST

/* Weights are used in place; LayerNorms have their own memory. */
START_TEST(in_place)
{
    Error error = {0};
    Vit *vit;
    Model *model = make_model("");
    ck_ok(vit_load(&vit, write_model(model, ""), NULL, &error), &error);
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        const SafeTensor *stored = safetensors_find(vit->file, parameter->name);
        ck_assert((parameter->tensor.data == stored->data) == (parameter->kind != VIT_LAYER_NORM));
    }
    ck_assert_uint_eq(vit_size(vit), 64 + 64 * 768 + 17 * 64 + 128 +
                                         2 * (4 * 64 * 65 + 4 * 64 + 64 * 256 * 2 + 320) + 128);
    vit_destroy(vit);
    free_model(model);
}
END_TEST

/* A full CLIP file: text tower, projections, scale and position_ids of any type are ignored. */
START_TEST(full_clip)
{
    Model *model = make_model("");
    static const float values[64];
    const int64_t one[] = {1}, row[] = {1, 17}, scalar[] = {0};
    static const int64_t ids[17];
    add_tensor(model, "text_model.encoder.layers.0.layer_norm1.weight", DTYPE_F32, 1, one, values);
    add_tensor(model, "text_model.embeddings.position_ids", DTYPE_I64, 2, row, ids);
    add_tensor(model, "vision_model.embeddings.position_ids", DTYPE_I64, 2, row, ids);
    add_tensor(model, "visual_projection.weight", DTYPE_U8, 1, one, values);
    add_tensor(model, "text_projection.weight", DTYPE_F64, 1, one, values);
    add_tensor(model, "logit_scale", DTYPE_F32, 0, scalar, values);
    expect_loads_as(write_model(model,
                                "{\"model_type\":\"clip\",\"vision_config\":{\"image_size\":64,"
                                "\"patch_size\":16,\"hidden_size\":64,\"num_hidden_layers\":2,"
                                "\"num_attention_heads\":2,\"intermediate_size\":256}}"),
                    model->vit);
    free_model(model);
}
END_TEST

/* GenD: prefixed names, a config.json without shape, the head in the same file. */
START_TEST(gend)
{
    Error error = {0};
    Model *model = make_model("feature_extractor.");
    static const float W[2 * 64] = {1, 2, 3}, b[2] = {4, 5};
    const int64_t two[] = {2, 64};
    add_tensor(model, "feature_extractor.visual_projection.weight", DTYPE_F32, 1, two, b);
    add_tensor(model, "model.linear.weight", DTYPE_F32, 2, two, W);
    add_tensor(model, "model.linear.bias", DTYPE_F32, 1, two, b);
    /* All openai models have heads of 64; the reference model has two of 32, which changes no
     * stored number. */
    const char *path = write_model(
        model,
        "{\"model_type\":\"GenD\",\"backbone\":\"openai/clip-vit-tiny\",\"head\":\"linear\"}");
    expect_loads_as(path, model->vit);
    Vit *vit;
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    ck_assert_int_eq(vit->config.heads, 1);
    ck_assert_int_eq(vit->config.image_size, 64);
    ck_assert_int_eq(vit->config.activation, ACTIVATION_QUICK_GELU);
    ck_assert_str_eq(vit->config.assumptions, ""); /* nothing is assumed for OpenAI's models */
    VitHead head;
    bool found;
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, 64, 1, &error), &error);
    ck_ok(vit_head_read(vit, &head, &found, &error), &error);
    ck_assert(found);
    ck_assert_int_eq(head.kind, VIT_HEAD_LINEAR);
    ck_assert_mem_eq(head.weight.data, W, sizeof W);
    ck_assert_mem_eq(head.bias.data, b, sizeof b);
    vit_destroy(vit);

    /* A head of another shape and an incomplete head. */
    tensor_of(model, "linear.weight")->shape[0] = 1;
    tensor_of(model, "linear.weight")->bytes /= 2;
    write_model(model, NULL);
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    ck_assert_int_eq(vit_head_read(vit, &head, &found, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "shape [1,64]"));
    ck_assert_mem_eq(head.weight.data, W, sizeof W);
    vit_destroy(vit);
    error_clear(&error);
    model->count--;
    write_model(model, NULL);
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    ck_assert_int_eq(vit_head_read(vit, &head, &found, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "incomplete head"));
    vit_destroy(vit);

    /* No head. */
    error_clear(&error);
    model->count--;
    write_model(model, NULL);
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    ck_ok(vit_head_read(vit, &head, &found, &error), &error);
    ck_assert(!found);
    vit_destroy(vit);
    vit_head_destroy(&head);
    free_model(model);
}
END_TEST

/* GenD with another backbone than OpenAI's: the backbone's config.json or the caller gives heads
 * and activation. */
START_TEST(gend_backbones)
{
    static const char config[] =
        "{\"model_type\":\"GenD\",\"backbone\":\"laion/CLIP-tiny\",\"head\":\"LinearNorm\"}";
    static const char backbone[] =
        "{\"model_type\":\"clip_vision_model\",\"image_size\":64,\"patch_size\":16,\"hidden_size\":"
        "64,"
        "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":256,"
        "\"hidden_act\":\"gelu\"}";
    static const char processor[] =
        "{\"size\":64,\"crop_size\":64,\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.5,0.5]}";
    static const char snapshot[] = "hub/models--laion--CLIP-tiny/snapshots/abc";
    Error error = {0};
    Vit *vit;
    Model *model = make_model("feature_extractor.");
    char path[FILE_PATH_SIZE], file[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", write_model(model, config));
    setenv("HF_HUB_CACHE", support_in_folder("hub"), 1);
    expect_refused(path, 0, "huggingface-cli download laion/CLIP-tiny config.json");
    const VitHints gelu = {.activation = ACTIVATION_GELU, .heads = 2};
    expect_loads_with(path, &gelu, model->vit);

    ck_ok(file_make_folders(support_in_folder(snapshot), &error), &error);
    ck_ok(file_make_folders(support_in_folder("hub/models--laion--CLIP-tiny/refs"), &error),
          &error);
    ck_ok(
        file_write(support_in_folder("hub/models--laion--CLIP-tiny/refs/main"), "abc\n", 4, &error),
        &error);
    snprintf(file, sizeof file, "%s/config.json", support_in_folder(snapshot));
    ck_ok(file_write(file, backbone, strlen(backbone), &error), &error);
    snprintf(file, sizeof file, "%s/preprocessor_config.json", support_in_folder(snapshot));
    ck_ok(file_write(file, processor, strlen(processor), &error), &error);
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    expect_same(vit, model->vit);
    ck_assert_int_eq(vit->config.heads, 2);
    ck_assert_int_eq(vit->config.activation, ACTIVATION_GELU);
    ck_assert(vit->config.mean[0] == 0.5F);
    ck_assert_str_eq(vit->config.head, "LinearNorm");
    ck_assert_str_eq(vit->config.assumptions, "");
    vit_destroy(vit);

    /* Hints that contradict the files are errors. */
    expect_refused_with(path, &quick_gelu, 0, "says activation gelu, not quick_gelu");
    expect_refused_with(path, &(VitHints){.heads = 4}, 0, "says 2 heads, not 4");

    /* A path relative to the model's folder. */
    ck_ok(file_make_folders(support_in_folder("my-clip"), &error), &error);
    ck_ok(file_write(support_in_folder("my-clip/config.json"), backbone, strlen(backbone), &error),
          &error);
    write_model(model, "{\"model_type\":\"GenD\",\"backbone\":\"my-clip\",\"head\":\"linear\"}");
    ck_ok(vit_load(&vit, path, NULL, &error), &error);
    ck_assert_int_eq(vit->config.activation, ACTIVATION_GELU);
    ck_assert_ptr_nonnull(strstr(vit->config.assumptions, "CLIP's mean and std"));
    vit_destroy(vit);
    free_model(model);
}
END_TEST

/* The number of heads is not assumed for wide models such as a ViT-H. */
START_TEST(wide_models)
{
    VitConfig config = small_config();
    Error error = {0};
    Vit *vit;
    config.width = 1280;
    config.heads = 16;
    config.layers = 1;
    config.mlp = 64;
    config.activation = ACTIVATION_GELU;
    ck_ok(vit_create(&vit, &config, 3, NULL, &error), &error);
    ck_ok(vit_save(vit, support_in_folder("m"), &error), &error);
    SafeTensors *file;
    ck_ok(safetensors_open(&file, support_in_folder("m/model.safetensors"), &error), &error);
    SafeTensor tensors[MAX_TENSORS];
    for (int i = 0; i < safetensors_count(file); i++)
        tensors[i] = *safetensors_at(file, i);
    char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", support_in_folder("bare.safetensors"));
    ck_ok(safetensors_write(path, tensors, safetensors_count(file), NULL, 0, &error), &error);
    safetensors_close(file);
    VitHints hints = {.activation = ACTIVATION_GELU};
    expect_refused_with(path, &hints, 0, "number of heads");
    hints.heads = 16;
    expect_loads_with(path, &hints, vit);
    hints.heads = 7;
    expect_refused_with(path, &hints, 0, "hidden_size 1280 is not a multiple");
    vit_destroy(vit);
}
END_TEST

/* The shape is inferred from the tensors of a bare file, or an error names the problem. */
START_TEST(shape_from_tensors)
{
    Model *model = make_model("");
    Error error = {0};
    write_model(model, NULL);
    char path[FILE_PATH_SIZE];
    ck_ok(file_join(path, support_in_folder(""), "model.safetensors", &error), &error);
    expect_refused(path, 0, "pass --activation quick_gelu (OpenAI's weights) or gelu");
    expect_loads_with(path, &quick_gelu, model->vit);

    const char *preprocessor = "{\"size\":128,\"crop_size\":128}";
    ck_ok(file_write(support_in_folder("preprocessor_config.json"), preprocessor,
                     strlen(preprocessor), &error),
          &error);
    expect_refused_with(path, &quick_gelu, 0, "4 patches per side");
    ck_assert_int_eq(remove(support_in_folder("preprocessor_config.json")), 0);

    SafeTensor *position = tensor_of(model, "position_embedding.weight");
    position->shape[0]--;
    position->bytes -= 64 * sizeof(float);
    write_model(model, NULL);
    expect_refused_with(path, &quick_gelu, 0, "16 tokens");
    position->shape[0]++;
    position->bytes += 64 * sizeof(float);
    strcpy(model->names[tensor_of(model, "layers.0.layer_norm1.weight") - model->tensors], "decoy");
    write_model(model, NULL);
    expect_refused_with(path, &quick_gelu, 0, "model.safetensors: num_hidden_layers is 0");
    free_model(model);
}
END_TEST

/* A state_dict with peft's names: the tuned LayerNorms are used. */
START_TEST(peft_names)
{
    static float untuned[64];
    Model *model = make_model("feature_extractor.base_model.model.");
    const int64_t width[] = {64};
    const int count = model->count;
    for (int i = 0; i < count; i++) {
        char *name = model->names[i], stem[128], other[160];
        char *dot = strrchr(name, '.');
        if (!strstr(name, "norm"))
            continue;
        snprintf(stem, sizeof stem, "%.*s", (int)(dot - name), name);
        snprintf(other, sizeof other, "%s.base_layer.%s", stem, dot + 1);
        add_tensor(model, other, DTYPE_F32, 1, width, untuned);
        snprintf(other, sizeof other, "%s.ln_tuning_layers.default.%s", stem, dot + 1);
        memcpy(name, other, sizeof other);
    }
    expect_loads_as(write_model(model, ""), model->vit);
    free_model(model);
}
END_TEST

/* Rounds to f16 towards zero. Values below the normal range become 0. */
static uint16_t f16_towards_zero(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const uint32_t bias = (127 - 15) << 10; /* difference of the exponent biases */
    return (uint16_t)(fabsf(value) < 0x1p-14F ? sign : sign | ((magnitude >> 13) - bias));
}

/* F16 and BF16 are converted; the fingerprint is computed from the f32 values. */
START_TEST(half_types)
{
    const DType dtype = _i == 0 ? DTYPE_BF16 : DTYPE_F16;
    static uint16_t halves[300000];
    size_t used = 0;
    Model *model = make_model("");
    for (int i = 0; i < model->count; i++) {
        SafeTensor *tensor = &model->tensors[i];
        float *values = tensor_f32(&model->vit->parameters[i].tensor);
        const size_t count = tensor->bytes / 4;
        for (size_t k = 0; k < count; k++) {
            halves[used + k] =
                dtype == DTYPE_BF16 ? dtype_bf16_from_f32(values[k]) : f16_towards_zero(values[k]);
            const float before = values[k];
            dtype_to_f32(dtype, &halves[used + k], &values[k], 1);
            ck_each(fabsf(values[k] - before) <= 0x1p-8F * fabsf(before) + 0x1p-14F,
                    "%.9g became %.9g", (double)before, (double)values[k]);
        }
        tensor->dtype = dtype;
        tensor->bytes = count * 2;
        tensor->data = &halves[used];
        used += count;
    }
    /* The reference is an f32 file with the rounded values. */
    Error error = {0};
    Vit *rounded;
    ck_ok(vit_save(model->vit, support_in_folder("f32"), &error), &error);
    ck_ok(vit_load(&rounded, support_in_folder("f32"), NULL, &error), &error);
    expect_loads_as(write_model(model, ""), rounded);
    ck_assert_str_ne(rounded->fingerprint, model->vit->fingerprint); /* computed before rounding */
    vit_destroy(rounded);
    free_model(model);
}
END_TEST

START_TEST(sharded)
{
    Error error = {0};
    Model *model = make_model("");
    char index[20000] = "{\"weight_map\":{";
    for (int i = 0; i < model->count; i++) {
        char item[200];
        snprintf(item, sizeof item, "%s\"%s\":\"part-%d.safetensors\"", i ? "," : "",
                 model->names[i], i >= 20);
        strcat(index, item);
    }
    strcat(index, "}}");
    ck_ok(vit_config_write(&model->vit->config, support_in_folder(""), &error), &error);
    ck_ok(
        file_write(support_in_folder("model.safetensors.index.json"), index, strlen(index), &error),
        &error);
    ck_ok(safetensors_write(support_in_folder("part-0.safetensors"), model->tensors, 20, NULL, 0,
                            &error),
          &error);
    ck_ok(safetensors_write(support_in_folder("part-1.safetensors"), model->tensors + 20,
                            model->count - 20, NULL, 0, &error),
          &error);
    expect_loads_as(support_in_folder(""), model->vit);
    free_model(model);
}
END_TEST

/* Misaligned weights cannot be used in place and are copied. */
START_TEST(misaligned)
{
    Error error = {0};
    Model *model = make_model("");
    write_model(model, "");
    char *content;
    size_t size;
    ck_ok(file_read(support_in_folder("model.safetensors"), 1 << 24, &content, &size, &error),
          &error);
    char *shifted = malloc(size + 1);
    const uint64_t header =
        (uint64_t)(unsigned char)content[0] + 256u * (unsigned char)content[1] + 1;
    memset(shifted, 0, 8);
    shifted[0] = (char)(header & 255);
    shifted[1] = (char)(header >> 8);
    memcpy(shifted + 8, content + 8, header - 1);
    shifted[8 + header - 1] = ' ';
    memcpy(shifted + 8 + header, content + 8 + header - 1, size - 8 - header + 1);
    ck_ok(file_write(support_in_folder("model.safetensors"), shifted, size + 1, &error), &error);
    expect_loads_as(support_in_folder(""), model->vit);
    Vit *vit;
    ck_ok(vit_load(&vit, support_in_folder(""), NULL, &error), &error);
    for (int i = 0; i < vit->parameter_count; i++)
        ck_assert_uint_eq((uintptr_t)vit->parameters[i].tensor.data % sizeof(float), 0);
    vit_destroy(vit);
    free(shifted);
    free(content);
    free_model(model);
}
END_TEST

START_TEST(wrong_tensors)
{
    Model *model = make_model("");
    static const float values[64 * 768];
    const int64_t width[] = {64}, other[] = {48};
    add_tensor(model, "vision_model.encoder.layers.2.layer_norm1.weight", DTYPE_F32, 1, width,
               values);
    add_tensor(model, "vision_model.pre_layernorm.weight", DTYPE_F32, 1, width, values);
    add_tensor(model, "model.linear2.weight", DTYPE_F32, 1, width, values);
    strcpy(model->names[tensor_of(model, "layers.1.mlp.fc1.bias") - model->tensors], "decoy");
    expect_refused(write_model(model, ""), 5,
                   "missing: vision_model.encoder.layers.1.mlp.fc1.bias");
    expect_refused(support_in_folder(""), 5,
                   "unexpected: vision_model.encoder.layers.2.layer_norm1.weight");
    expect_refused(support_in_folder(""), 5, "unexpected: vision_model.pre_layernorm.weight");
    expect_refused(support_in_folder(""), 5, "unexpected: decoy");
    expect_refused(support_in_folder(""), 5, "1 tensors missing, 4 unexpected, 0 with wrong");
    free_model(model);

    model = make_model("");
    SafeTensor *shape = tensor_of(model, "post_layernorm.bias"),
               *type = tensor_of(model, "q_proj.bias");
    shape->shape[0] = other[0];
    shape->bytes = 48 * 4;
    *type = (SafeTensor){.name = type->name,
                         .dtype = DTYPE_F64,
                         .ndim = 1,
                         .shape = {64},
                         .bytes = 512,
                         .data = values};
    expect_refused(write_model(model, ""), 2,
                   "shape [48], but the configuration requires [64]: vision_model.post_");
    expect_refused(support_in_folder(""), 2,
                   "type F64 is not F32, F16 or BF16: vision_model.encoder.layers.0");
    free_model(model);

    model = make_model("");
    add_tensor(model, "feature_extractor.vision_model.pre_layrnorm.weight", DTYPE_F32, 1, width,
               values);
    expect_refused(write_model(model, ""), 1, "duplicate tensor");
    free_model(model);
}
END_TEST

/* With the configuration of another model, errors give both shapes of each tensor. */
START_TEST(config_of_another_model)
{
    Model *model = make_model("");
    const char *path = write_model(
        model, "{\"model_type\":\"clip_vision_model\",\"image_size\":64,\"patch_size\":16,\"hidden_"
               "size\":128,"
               "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":256}");
    expect_refused(path, model->count - 2 /* the biases of fc1 do not depend on the width */,
                   "shape [64,3,16,16], but the configuration requires [128,3,16,16]");
    write_model(model, "{\"model_type\":\"clip_vision_model\",\"hidden_act\":\"silu\"}");
    expect_refused(path, 0, "hidden_act \"silu\"");
    free_model(model);
}
END_TEST

START_TEST(other_families)
{
    static const struct {
        const char *name, *why;
    } table[] = {
        {"visual.class_embedding", "an OpenAI or open_clip checkpoint"},
        {"blocks.0.attn.qkv.weight", "a timm vision transformer"},
        {"backbone.vision_model.embeddings.class_embedding", "DeepfakeBench"},
        {"module.visual.class_embedding", "convert it to Hugging Face's CLIPVisionModel first"},
        {"feature_extractor.embeddings.cls_token", "a ViT or DINO of Hugging Face"},
        {"feature_extractor.backbone.embeddings.register_tokens", "DINOv2 or DINOv3"},
        {"visual.attn_pool.probe", "Perception Encoder"},
        {"feature_extractor.backbone.attn_pool.latent", "not a CLIP"},
        {"vision_model.head.probe", "a SigLIP, not a CLIP"},
        {"visual.trunk.blocks.0.ls1.gamma", "LayerScale"},
        {"blocks.0.attn.q_proj.weight", "an EVA"},
    };
    static const float values[1];
    const int64_t one[] = {1};
    Error error = {0};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const SafeTensor tensor = {.name = table[i].name,
                                   .dtype = DTYPE_F32,
                                   .ndim = 1,
                                   .shape = {one[0]},
                                   .data = values,
                                   .bytes = 4};
        ck_ok(safetensors_write(support_in_folder("x.safetensors"), &tensor, 1, NULL, 0, &error),
              &error);
        expect_refused(support_in_folder("x.safetensors"), 0, table[i].why);
    }
    const SafeTensor tensor = {.name = "weight",
                               .dtype = DTYPE_F32,
                               .ndim = 1,
                               .shape = {one[0]},
                               .data = values,
                               .bytes = 4};
    ck_ok(safetensors_write(support_in_folder("x.safetensors"), &tensor, 1, NULL, 0, &error),
          &error);
    expect_refused_with(support_in_folder("x.safetensors"), &quick_gelu, 0,
                        "not a CLIP vision model");
    expect_refused(support_in_folder(""), 0, "neither model.safetensors nor its index");
    expect_refused(support_in_folder("none"), 0, "cannot be read");
    ck_assert_int_eq(
        rename(support_in_folder("x.safetensors"), support_in_folder("model.safetensors")), 0);
    expect_refused(support_in_folder(""), 0, "config.json: cannot be read");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_load");
    TCase *cases = support_case(suite, "load", 60);
    tcase_add_checked_fixture(cases, support_folder_setup, support_folder_teardown);
    tcase_add_test(cases, save_and_load);
    tcase_add_test(cases, in_place);
    tcase_add_test(cases, full_clip);
    tcase_add_test(cases, gend);
    tcase_add_test(cases, gend_backbones);
    tcase_add_test(cases, wide_models);
    tcase_add_test(cases, shape_from_tensors);
    tcase_add_test(cases, peft_names);
    tcase_add_loop_test(cases, half_types, 0, 2);
    tcase_add_test(cases, sharded);
    tcase_add_test(cases, misaligned);
    tcase_add_test(cases, wrong_tensors);
    tcase_add_test(cases, config_of_another_model);
    tcase_add_test(cases, other_families);
    return support_main(suite);
}
