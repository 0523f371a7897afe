/*
 * fuzz_models.c - harnesses for weights and configurations: safetensors, models, adapters, training
 * states.
 *
 * If an input is the JSON of a header, the harness generates data of matching size: mutation would
 * rarely produce the right length. States, adapters and models have one tiny shape. This program
 * writes their seeds (fuzz_write_model_seeds), so that they follow the formats.
 */
#include "tests/fuzz/fuzz.h"

#include "tensor/base/file.h"
#include "tensor/safetensors.h"
#include "tools/cmd_inspect.h"
#include "train/metrics/calibration.h"
#include "train/run/checkpoint.h"
#include "vit/checkpoint/adapter.h"
#include "vit/config.h"
#include "vit/names.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

enum { MOST_DATA = 1 << 20 }; /* bytes of data after a header */

/* The largest number in brackets after "data_offsets": the end of the data. */
static size_t data_of_header(const uint8_t *header, size_t size)
{
    static const char key[] = "data_offsets";
    size_t end = 0;
    const uint8_t *at = header, *stop = header + size;
    while ((at = memmem(at, (size_t)(stop - at), key, sizeof key - 1))) {
        size_t value = 0;
        for (at += sizeof key - 1; at < stop && *at != ']'; at++) {
            value = isdigit(*at) ? value * 10 + (size_t)(*at - '0') : 0;
            value = value < MOST_DATA ? value : 0;
            end = value > end ? value : end;
        }
    }
    return end;
}

/* A file with this header and moderate f32 values (0x3e......). The caller frees it. */
static uint8_t *file_of_header(const uint8_t *header, size_t size, size_t *bytes)
{
    const size_t data = data_of_header(header, size);
    uint8_t *file = malloc(8 + size + data);
    CHECK(file);
    const uint64_t length = size;
    memcpy(file, &length, 8);
    memcpy(file + 8, header, size);
    for (size_t i = 0; i < data; i++)
        file[8 + size + i] = i % 4 == 3 ? 0x3e : (uint8_t)i;
    *bytes = 8 + size + data;
    return file;
}

/* ---- the format ------------------------------------------------------------------------------ */

static void use_safetensors(const char *path)
{
    SafeTensors *file;
    Error error = {0};
    if (safetensors_open(&file, path, &error) != STATUS_OK) {
        CHECK(error.message[0] != '\0');
        return;
    }
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *tensor = safetensors_at(file, i);
        CHECK(safetensors_find(file, tensor->name) == tensor);
        fuzz_touch(tensor->data, tensor->bytes);
    }
    for (int i = 0; i < safetensors_metadata_count(file); i++)
        CHECK(safetensors_metadata(file, safetensors_metadata_key(file, i)));
    VitNamed *named = NULL;
    if (vit_named_list(file, vit_tower_default, &named, &error) == STATUS_OK)
        free(named);
    json_t *object = json_object();
    cmd_inspect_safetensors(file, object);
    json_decref(object);
    safetensors_close(file);
    MetricsCalibration calibration;
    (void)metrics_calibration_read(path, &calibration, &error);
}

void fuzz_safetensors(const uint8_t *data, size_t size)
{
    use_safetensors(fuzz_file(data, size));
}

void fuzz_safetensors_header(const uint8_t *data, size_t size)
{
    size_t bytes;
    uint8_t *file = file_of_header(data, size, &bytes);
    use_safetensors(fuzz_file(file, bytes));
    free(file);
}

/* An index next to two constant shards. */
void fuzz_safetensors_index(const uint8_t *data, size_t size)
{
    static bool shards;
    if (!shards) {
        shards = true;
        static const float numbers[6] = {1, 2, 3, 4, 5, 6};
        static const char *const names[2][2] = {{"a", "b"}, {"c", "d"}};
        for (int s = 0; s < 2; s++) {
            SafeTensor tensors[2];
            for (int t = 0; t < 2; t++)
                tensors[t] = (SafeTensor){.name = names[s][t],
                                          .dtype = DTYPE_F32,
                                          .ndim = 2,
                                          .shape = {2, 3},
                                          .data = numbers,
                                          .bytes = sizeof numbers};
            Error error = {0};
            CHECK_OK(safetensors_write(s ? "2.safetensors" : "1.safetensors", tensors, 2, NULL, 0,
                                       &error),
                     error);
        }
    }
    fuzz_write("model.safetensors.index.json", data, size);
    use_safetensors("model.safetensors.index.json");
}

/* ---- configurations -------------------------------------------------------------------------- */

static bool same_config(const VitConfig *a, const VitConfig *b)
{
    return a->image_size == b->image_size && a->patch_size == b->patch_size &&
           a->width == b->width && a->layers == b->layers && a->heads == b->heads &&
           a->mlp == b->mlp && a->eps == b->eps && a->activation == b->activation &&
           memcmp(a->mean, b->mean, sizeof a->mean) == 0 &&
           memcmp(a->std, b->std, sizeof a->std) == 0;
}

/* An accepted configuration can be written and is read back unchanged. */
static void check_config(const VitConfig *config)
{
    Error error = {0};
    CHECK_OK(vit_config_check(config, "input", &error), error);
    (void)vit_tokens(config);
    char *text = vit_config_format(config, &error);
    char *preprocessor = vit_config_format_preprocessor(config, &error);
    CHECK(text && preprocessor);
    VitConfig back = vit_config_unknown();
    CHECK_OK(vit_config_parse(text, "written", &back, &error), error);
    CHECK_OK(vit_config_parse_preprocessor(preprocessor, "written", &back, &error), error);
    CHECK(same_config(config, &back));
    free(text);
    free(preprocessor);
}

void fuzz_vit_config(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    Error error = {0};
    VitConfig config = vit_config_unknown();
    if (vit_config_parse(text, "input", &config, &error) == STATUS_OK && config.width > 0)
        check_config(&config);
    free(text);
}

void fuzz_vit_preprocessor(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    Error error = {0};
    VitConfig config;
    CHECK_OK(vit_config_named("vit-l-14", &config, &error), error);
    if (vit_config_parse_preprocessor(text, "input", &config, &error) == STATUS_OK)
        check_config(&config);
    config.image_size = 0;
    (void)vit_config_parse_preprocessor(text, "input", &config, &error);
    free(text);
}

void fuzz_tune(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    Error error = {0};
    (void)vit_tune_check(text, &error);
    free(text);
}

/* ---- models ---------------------------------------------------------------------------------- */

/* A model of the smallest shape, its head and its trainable parameters. */
typedef struct Model {
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
    TrainOptimizer optimizer;
    TrainEma ema;
    TrainRecord record;
} Model;

static void create_model(Model *model, const char *tune)
{
    Error error = {0};
    VitConfig config;
    CHECK_OK(vit_config_named("tiny", &config, &error), error);
    config.image_size = 8;
    config.patch_size = 4;
    config.layers = 1;
    config.width = config.mlp = 64;
    config.heads = 1;
    TrainRecipe recipe;
    CHECK_OK(train_recipe_named(&recipe, "cpu", &error), error);
    CHECK_OK(vit_create(&model->vit, &config, 1, NULL, &error), error);
    CHECK_OK(vit_head_create(&model->head, VIT_HEAD_LINEAR_NORM, config.width, 1, &error), error);
    if (tune) {
        CHECK_OK(vit_tune(&model->tuned, model->vit, &model->head, tune, 1, &error), error);
        CHECK_OK(train_optimizer_create(&model->optimizer, &recipe, model->tuned->count, &error),
                 error);
        CHECK_OK(train_ema_create(&model->ema, &recipe, model->tuned, &error), error);
    }
    model->record = (TrainRecord){.base = "b", .recipe = "r", .decoders = "d"};
}

static void destroy_model(Model *model)
{
    train_ema_destroy(&model->ema);
    train_optimizer_destroy(&model->optimizer);
    vit_tuned_destroy(model->tuned);
    vit_head_destroy(&model->head);
    vit_destroy(model->vit);
}

/*
 * Creates a folder with config.json of the tiny shape, and returns the header of its
 * model.safetensors.
 */
void fuzz_model(const uint8_t *data, size_t size)
{
    static bool written;
    Error error = {0};
    if (!written) {
        written = true;
        Model model = {0};
        create_model(&model, NULL);
        CHECK_OK(vit_save(model.vit, "model", &error), error);
        destroy_model(&model);
    }
    size_t bytes;
    uint8_t *file = file_of_header(data, size, &bytes);
    fuzz_write("model/model.safetensors", file, bytes);
    free(file);
    Vit *vit;
    if (vit_load(&vit, "model", NULL, &error) != STATUS_OK)
        return;
    CHECK(vit_size(vit) > 0 && vit_bytes(vit) > 0);
    VitHead head;
    bool found;
    if (vit_head_create(&head, VIT_HEAD_LINEAR_NORM, vit->config.width, 1, &error) == STATUS_OK) {
        (void)vit_head_read(vit, &head, &found, &error);
        vit_head_destroy(&head);
    }
    vit_destroy(vit);
}

void fuzz_adapter(const uint8_t *data, size_t size)
{
    static Model model;
    if (!model.vit)
        create_model(&model, NULL);
    size_t bytes;
    uint8_t *file = file_of_header(data, size, &bytes);
    VitAdapterReport report;
    Error error = {0};
    (void)vit_adapter_read(model.vit, &model.head, fuzz_file(file, bytes), &report, &error);
    free(file);
}

/* After a failure nothing has changed. */
void fuzz_state(const uint8_t *data, size_t size)
{
    static Model model;
    if (!model.vit)
        create_model(&model, "ln");
    size_t bytes;
    uint8_t *file = file_of_header(data, size, &bytes);
    TrainState state = train_state_empty();
    bool differ;
    Error error = {0};
    float *values = malloc(model.tuned->count * sizeof *values);
    CHECK(values);
    memcpy(values, model.tuned->values, model.tuned->count * sizeof *values);
    const Status status = train_state_read(&state, model.tuned, &model.optimizer, &model.ema,
                                           &model.record, fuzz_file(file, bytes), &differ, &error);
    if (status != STATUS_OK) {
        CHECK(memcmp(values, model.tuned->values, model.tuned->count * sizeof *values) == 0);
        CHECK(state.step == 0);
    }
    free(values);
    free(file);
}

/* Writes the header of the safetensors file `path` to corpus/TARGET/NAME. */
static void write_header(const char *path, const char *corpus, const char *target, const char *name)
{
    Error error = {0};
    char *content, folder[FILE_PATH_SIZE], seed[FILE_PATH_SIZE];
    size_t size;
    uint64_t length;
    CHECK_OK(file_read(path, 64 << 20, &content, &size, &error), error);
    memcpy(&length, content, 8);
    CHECK(length <= size - 8);
    CHECK_OK(file_join(folder, corpus, target, &error), error);
    CHECK_OK(file_join(seed, folder, name, &error), error);
    fuzz_folder(folder);
    fuzz_write(seed, content + 8, length);
    free(content);
}

void fuzz_write_model_seeds(const char *corpus)
{
    static const char *const tunes[] = {"ln", "ln,bias", "lora:2", "none", "all"};
    Error error = {0};
    for (size_t i = 0; i < sizeof tunes / sizeof tunes[0]; i++) {
        Model model = {0};
        create_model(&model, i == 0 ? NULL : tunes[i]);
        if (i == 0) {
            CHECK_OK(vit_save_with_head(model.vit, &model.head, "seed", &error), error);
            write_header("seed/model.safetensors", corpus, "model", "head");
            CHECK_OK(vit_save(model.vit, "plain", &error), error);
            write_header("plain/model.safetensors", corpus, "model", "plain");
            write_header("plain/model.safetensors", corpus, "safetensors_header", "model");
            destroy_model(&model);
            model = (Model){0};
            create_model(&model, tunes[i]);
        }
        const SafeTensorsMetadata calibration[] = {{"calibrated_on", "list"},
                                                   {"temperature", "1.5"},
                                                   {"threshold_fpr", "0.05"},
                                                   {"threshold_frame", "0.5"},
                                                   {"threshold_video", "0.5"}};
        CHECK_OK(vit_adapter_write(model.vit, &model.head, model.tuned, "seed/a.safetensors",
                                   calibration, 5, &error),
                 error);
        write_header("seed/a.safetensors", corpus, "adapter", tunes[i]);
        write_header("seed/a.safetensors", corpus, "safetensors_header", tunes[i]);
        TrainState state = train_state_empty();
        CHECK_OK(train_state_write(&state, model.tuned, &model.optimizer, &model.ema, &model.record,
                                   "seed/state.safetensors", &error),
                 error);
        write_header("seed/state.safetensors", corpus, "state", tunes[i]);
        destroy_model(&model);
    }
}
