/*
 * cmd_inspect.c - lnclip inspect: what a model, an adapter, a run or any safetensors file holds,
 * and what the network sees of an image.
 *
 * Each kind of thing is described once, as a JSON object; without --json that object is shown as
 * text.
 */
#include "tools/cmd_inspect.h"

#include "data/image/preprocess.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_model.h"
#include "vit/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Request {
    const char *path;
    CliModelOptions model_options; /* the base, for drift */
    const char *tune;
    const char *image, *out; /* --tensor and --out */
    const CliArguments *arguments;
} Request;

enum { MAX_RECIPE = 1 << 20, MAX_STEPS = 1 << 30 }; /* bytes; a run's files are far smaller */

/* ---- text that has structure ----------------------------------------------------------------- */

/* A number if all of `text` is one, else text. "nan" and "" are null. */
static json_t *cell_json(const char *text)
{
    char *end;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 18)
        return json_integer(strtoll(text, NULL, 10));
    const double value = strtod(text, &end);
    if (end != text && *end == '\0')
        return train_json_number(value);
    return text[0] == '\0' ? json_null() : train_json_string(text);
}

/* Metadata is text; where it holds a recipe or a JSON object, as adapters of runs do, its parts are
 * shown. */
static json_t *metadata_json(const char *key, const char *value)
{
    if (strcmp(key, "recipe") == 0 && strchr(value, '\n'))
        return train_json_recipe(value, cell_json);
    json_t *object = value[0] == '{' ? json_loads(value, 0, NULL) : NULL;
    return object ? object : train_json_string(value);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* The metadata of a file; recipes and JSON in it become objects. NULL without memory. */
static json_t *metadata_of_file(const SafeTensors *file)
{
    json_t *metadata = json_object();
    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        const char *key = safetensors_metadata_key(file, i);
        train_json_set(metadata, key, metadata_json(key, safetensors_metadata(file, key)));
    }
    return metadata;
}

void cmd_inspect_safetensors(const SafeTensors *file, json_t *out)
{
    train_json_set(out, "path", train_json_string(safetensors_path(file)));
    json_t *metadata = metadata_of_file(file);
    json_t *tensors = json_array();
    json_int_t parameters = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *tensor = safetensors_at(file, i);
        const json_int_t count = (json_int_t)safetensors_elements(tensor);
        json_t *row = json_object(), *shape = json_array();
        for (int d = 0; d < tensor->ndim; d++)
            train_json_append(shape, json_integer(tensor->shape[d]));
        train_json_set(row, "name", train_json_string(tensor->name));
        train_json_set(row, "dtype", json_string(tensor->dtype_text));
        train_json_set(row, "shape", shape);
        train_json_set(row, "count", json_integer(count));
        train_json_append(tensors, row);
        parameters += count;
    }
    train_json_set(out, "tensors", tensors);
    train_json_set(out, "parameters", json_integer(parameters));
    train_json_set(out, "metadata", metadata);
}

/* ---- drift ----------------------------------------------------------------------------------- */

/* Copies of the LayerNorms of `vit`, one after the other, before an adapter changes them. */
static float *copy_layer_norms(const Vit *vit)
{
    size_t total = 0;
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM)
            total += tensor_count(&vit->parameters[i].tensor);
    float *copy = malloc(total * sizeof *copy);
    float *at = copy;
    for (int i = 0; copy && i < vit->parameter_count; i++) {
        const Tensor *tensor = &vit->parameters[i].tensor;
        if (vit->parameters[i].kind != VIT_LAYER_NORM)
            continue;
        memcpy(at, tensor_f32(tensor), tensor_count(tensor) * sizeof *at);
        at += tensor_count(tensor);
    }
    return copy;
}

/* One row: w [n] against w0 [n]. */
static json_t *drift_row(const char *name, const float *w, const float *w0, size_t n)
{
    double base = 0, change = 0;
    for (size_t i = 0; i < n; i++) {
        const double difference = (double)w[i] - (double)w0[i];
        base += (double)w0[i] * (double)w0[i];
        change += difference * difference;
    }
    json_t *row = json_object();
    train_json_set(row, "name", json_string(name));
    train_json_set(row, "norm_base", train_json_number(sqrt(base)));
    train_json_set(row, "norm_change", train_json_number(sqrt(change)));
    train_json_set(row, "drift", train_json_number(base > 0 ? sqrt(change / base) : NAN));
    return row;
}

static void describe_drift(const Vit *vit, const float *base, json_t *out)
{
    json_t *rows = json_array();
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        if (parameter->kind != VIT_LAYER_NORM)
            continue;
        const size_t n = tensor_count(&parameter->tensor);
        train_json_append(rows,
                          drift_row(parameter->name, tensor_f32(&parameter->tensor), base, n));
        base += n;
    }
    train_json_set(out, "layer_norms", rows);
}

/*
 * "layer_norms" [{name, norm_base, norm_change, drift}] and "layer_norms_set", "layer_norms_kept":
 * how far the adapter takes each LayerNorm of the base model. drift = |w - w0| / |w0|, null where
 * w0 is 0.
 */
static Status inspect_drift(const CliModelOptions *base, const char *adapter,
                            const CliArguments *arguments, json_t *out, Error *error)
{
    CliModel model = {0};
    VitAdapterReport report = {0};
    float *before = NULL;
    Status status = cli_model_load(&model, base, arguments, CLI_HEAD_UNUSED, error);
    if (status == STATUS_OK && !(before = copy_layer_norms(model.vit)))
        status = mem_full(0, "the LayerNorms of the base model", error);
    if (status == STATUS_OK)
        status = vit_adapter_read(model.vit, NULL, adapter, &report, error);
    if (status == STATUS_OK) {
        describe_drift(model.vit, before, out);
        train_json_set(out, "layer_norms_set", json_integer(report.layer_norms_set));
        train_json_set(out, "layer_norms_kept", json_integer(report.layer_norms_kept));
    }
    free(before);
    cli_model_free(&model);
    return status;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The cells of one line under their names; both are cut at commas. The files hold numbers only: no
 * quotes. */
static json_t *row_json(const char *header, const char *line)
{
    json_t *row = json_object();
    char *names = strdup(header), *cells = strdup(line);
    char *name = names, *cell = cells;
    if (!names || !cells)
        train_json_lose();
    while (name && cell) {
        const char *this_name = strsep(&name, ",");
        const char *this_cell = strsep(&cell, ",");
        train_json_set(row, this_name, cell_json(this_cell));
    }
    free(names);
    free(cells);
    return row;
}

/* Adds the last row of a CSV file as `last`, the last one whose column best is 1 as `best` (unless
 * NULL). */
static Status describe_rows(const char *path, const char *last, const char *best, const char *count,
                            json_t *out, Error *error)
{
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, MAX_STEPS, &content, &size, error));
    char *rest = content;
    const char *header = strsep(&rest, "\n");
    const char *last_line = NULL;
    json_int_t rows = 0;
    while (rest) {
        const char *line = strsep(&rest, "\n");
        if (!rest) /* not ended by a line break: being written, or cut short */
            break;
        last_line = line;
        rows++;
        if (!best)
            continue;
        json_t *row = row_json(header, line);
        if (json_number_value(json_object_get(row, "best")) == 1)
            train_json_set(out, best, row);
        else
            json_decref(row);
    }
    if (count)
        train_json_set(out, count, json_integer(rows));
    if (last_line)
        train_json_set(out, last, row_json(header, last_line));
    free(content);
    return STATUS_OK;
}

static Status describe_recipe(const char *path, json_t *out, Error *error)
{
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, MAX_RECIPE, &content, &size, error));
    train_json_set(out, "recipe", train_json_recipe(content, cell_json));
    free(content);
    return STATUS_OK;
}

/* What the best adapter of a run says of its origin, if there is one yet. */
static Status describe_origin(const char *folder, json_t *out, Error *error)
{
    static const char *const keys[] = {"selected_on", "record"};
    char path[FILE_PATH_SIZE];
    SafeTensors *file = NULL;
    TRY(file_join(path, folder, "best.safetensors", error));
    if (!file_exists(path))
        return STATUS_OK;
    TRY(safetensors_open(&file, path, error));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *value = safetensors_metadata(file, keys[i]);
        if (value)
            train_json_set(out, keys[i], metadata_json(keys[i], value));
    }
    safetensors_close(file);
    return STATUS_OK;
}

Status cmd_inspect_run(const char *folder, json_t *out, Error *error)
{
    static const char *const names[] = {
        "recipe.txt",       "steps.csv",         "epochs.csv", "best.safetensors",
        "last.safetensors", "state.safetensors", "curves.svg", "events.out.tfevents.lnclip"};
    train_json_set(out, "kind", json_string("run"));
    train_json_set(out, "path", train_json_string(folder));
    json_t *files = json_array();
    train_json_set(out, "files", files);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, folder, names[i], error));
        if (!file_exists(path))
            continue;
        train_json_append(files, json_string(names[i]));
        if (i == 0)
            TRY(describe_recipe(path, out, error));
        else if (i == 1)
            TRY(describe_rows(path, "last_step", NULL, "steps", out, error));
        else if (i == 2)
            TRY(describe_rows(path, "last_epoch", "best_epoch", NULL, out, error));
    }
    return describe_origin(folder, out, error);
}

/* ---- a model --------------------------------------------------------------------------------- */

static json_t *shape_json(const Tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->ndim; i++)
        train_json_append(shape, json_integer(tensor->shape[i]));
    return shape;
}

static void describe_config(json_t *out, const VitConfig *config)
{
    train_json_set(out, "arch", json_string(vit_config_name(config)));
    train_json_set(out, "image_size", json_integer(config->image_size));
    train_json_set(out, "patch_size", json_integer(config->patch_size));
    train_json_set(out, "tokens", json_integer(vit_tokens(config)));
    train_json_set(out, "width", json_integer(config->width));
    train_json_set(out, "layers", json_integer(config->layers));
    train_json_set(out, "heads", json_integer(config->heads));
    train_json_set(out, "mlp", json_integer(config->mlp));
    train_json_set(out, "eps", train_json_number((double)config->eps));
    train_json_set(out, "activation", json_string(vit_activation_name(config->activation)));
    if (config->assumptions[0])
        train_json_set(out, "assumed", train_json_string(config->assumptions));
}

/* The parameters and which of them train; counts include the head, which always does. */
static void describe_parameters(json_t *out, const Vit *vit, VitHead *own, const VitTuned *tuned)
{
    json_t *tensors = json_array();
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        json_t *row = json_object();
        train_json_set(row, "name", json_string(parameter->name));
        train_json_set(row, "shape", shape_json(&parameter->tensor));
        train_json_set(row, "count", json_integer((json_int_t)tensor_count(&parameter->tensor)));
        train_json_set(row, "trains", json_boolean(parameter->tensor.needs_grad));
        train_json_append(tensors, row);
    }
    size_t head = 0;
    for (int i = 0; i < VIT_HEAD_TENSORS; i++)
        head += tensor_count(vit_head_tensor(own, i));
    const size_t all = vit_size(vit) + head + vit_tuned_added(tuned);
    train_json_set(out, "tensors", tensors);
    train_json_set(out, "encoder_parameters", json_integer((json_int_t)vit_size(vit)));
    train_json_set(out, "head_parameters", json_integer((json_int_t)head));
    train_json_set(out, "trained_parameters", json_integer((json_int_t)tuned->count));
    train_json_set(out, "frozen_parameters", json_integer((json_int_t)(all - tuned->count)));
    train_json_set(out, "trained_fraction", train_json_number((double)tuned->count / (double)all));
}

/* "head": its kind, "unknown" if nothing says it, null without one. */
static Status describe_head(const SafeTensors *file, const VitHints *hints, json_t *out,
                            Error *error)
{
    char kind[16] = "", native[VIT_NAME_SIZE];
    bool found = false, disputed = false;
    for (int i = 0; i < safetensors_count(file); i++)
        found |= vit_name_kind(vit_tower_default, safetensors_at(file, i)->name, native) ==
                 VIT_NAME_HEAD_WEIGHT;
    if (found)
        TRY(vit_head_kind_of_file(file, kind, &disputed, error));
    if (disputed)
        cli_warn("%s: its metadata says a head of kind %s, the config.json beside it another one",
                 safetensors_path(file), kind);
    if (kind[0] && hints->head[0] && strcmp(kind, hints->head) != 0)
        return error_set(error, STATUS_USAGE,
                         "--head %s: %s says its head is of kind %s; leave out --head", hints->head,
                         safetensors_path(file), kind);
    const char *name = kind[0] ? kind : hints->head[0] ? hints->head : "unknown";
    train_json_set(out, "head", found ? json_string(name) : json_null());
    return STATUS_OK;
}

static Status inspect_model(const Request *request, json_t *out, Error *error)
{
    CliModelOptions options = request->model_options;
    options.model = request->path;
    CliModel model = {0};
    VitTuned *tuned = NULL;
    Status status = cli_model_load(&model, &options, request->arguments, CLI_HEAD_UNUSED, error);
    if (status == STATUS_OK)
        status = vit_tune(&tuned, model.vit, &model.head, request->tune, 0, error);
    if (status == STATUS_OK) {
        train_json_set(out, "kind", json_string("model"));
        train_json_set(out, "path", train_json_string(request->path));
        describe_config(out, &model.vit->config);
        train_json_set(out, "fingerprint", json_string(model.vit->fingerprint));
        status = describe_head(model.vit->file, &model.vit->hints, out, error);
    }
    if (status == STATUS_OK) {
        train_json_set(out, "metadata", metadata_of_file(model.vit->file));
        train_json_set(out, "tune", train_json_string(request->tune));
        describe_parameters(out, model.vit, &model.head, tuned);
    }
    vit_tuned_destroy(tuned);
    cli_model_free(&model);
    return status;
}

/* ---- what the network sees ------------------------------------------------------------------- */

static Status write_crop(const Request *request, int size, json_t *out, Error *error)
{
    DataImage image = {0}, crop = {0};
    DataResizer resizer = {0};
    TRY(data_image_read(request->image, &image, error));
    Status status = data_image_create(&crop, size, size, error);
    if (status == STATUS_OK)
        status = data_resize_crop(&resizer, &image, size, crop.pixels, error);
    if (status == STATUS_OK)
        status = data_image_write_png(&crop, request->out, error);
    if (status == STATUS_OK) {
        train_json_set(out, "kind", json_string("image"));
        train_json_set(out, "path", train_json_string(request->image));
        train_json_set(out, "width", json_integer(image.width));
        train_json_set(out, "height", json_integer(image.height));
        train_json_set(out, "image_size", json_integer(size));
        train_json_set(out, "written", train_json_string(request->out));
    }
    data_resizer_free(&resizer);
    data_image_free(&crop);
    data_image_free(&image);
    return status;
}

/* ---- which kind of thing --------------------------------------------------------------------- */

typedef enum Kind { KIND_MODEL, KIND_ADAPTER, KIND_RUN, KIND_TENSORS } Kind;

/* A file with a patch embedding is a model; one with LayerNorms or a head and nothing unknown an
 * adapter. */
static Kind kind_of_file(const SafeTensors *file)
{
    bool model = false, adapter = safetensors_count(file) > 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        char native[VIT_NAME_SIZE];
        const VitNameKind kind =
            vit_name_kind(vit_tower_default, safetensors_at(file, i)->name, native);
        model |= kind == VIT_NAME_ENCODER && strstr(native, "patch_embedding") != NULL;
        adapter &= kind != VIT_NAME_UNKNOWN;
    }
    return model ? KIND_MODEL : adapter ? KIND_ADAPTER : KIND_TENSORS;
}

static Status find_kind(const char *path, Kind *kind, Error *error)
{
    if (!file_exists(path))
        return error_set(error, STATUS_FAILED,
                         "%s: there is no such file or folder; check the path", path);
    if (!file_is_folder(path)) {
        SafeTensors *file = NULL;
        TRY(safetensors_open(&file, path, error));
        *kind = kind_of_file(file);
        safetensors_close(file);
    } else if (file_is_in(path, "recipe.txt")) {
        *kind = KIND_RUN;
    } else if (file_is_in(path, "config.json") || file_is_in(path, "model.safetensors") ||
               file_is_in(path, "model.safetensors.index.json")) {
        *kind = KIND_MODEL;
    } else {
        return error_set(error, STATUS_FAILED,
                         "%s: holds neither a model (config.json, model.safetensors) nor a run "
                         "(recipe.txt); name a folder that does, or a .safetensors file",
                         path);
    }
    return STATUS_OK;
}

/* An adapter, or any other file. */
static Status inspect_file(const Request *request, Kind kind, json_t *out, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, request->path, error));
    train_json_set(out, "kind", json_string(kind == KIND_ADAPTER ? "adapter" : "tensors"));
    cmd_inspect_safetensors(file, out);
    VitHints hints;
    Status status = cli_model_hints(&request->model_options, &hints, error);
    if (status == STATUS_OK && kind == KIND_ADAPTER)
        status = describe_head(file, &hints, out, error);
    safetensors_close(file);
    TRY(status);
    if (kind != KIND_ADAPTER || !request->model_options.model)
        return STATUS_OK;
    return inspect_drift(&request->model_options, request->path, request->arguments, out, error);
}

static Status inspect_run(const Request *request, json_t *out, Error *error)
{
    TRY(cmd_inspect_run(request->path, out, error));
    if (!request->model_options.model)
        return STATUS_OK;
    char adapter[FILE_PATH_SIZE];
    TRY(file_join(adapter, request->path, "best.safetensors", error));
    return inspect_drift(&request->model_options, adapter, request->arguments, out, error);
}

/* An adapter or a run sees as its base model does, which it must fit. */
static Status inspect_image(const Request *request, Kind kind, json_t *out, Error *error)
{
    CliModelOptions options = request->model_options;
    CliModel model = {0};
    char best[FILE_PATH_SIZE];
    if (kind == KIND_MODEL)
        options.model = request->path;
    if (kind == KIND_TENSORS || !options.model)
        return error_set(
            error, STATUS_FAILED, "%s: does not say how large an image the network sees; name %s",
            request->path, kind == KIND_TENSORS ? "a model instead" : "its base with --model M");
    if (kind == KIND_ADAPTER)
        options.adapter = request->path;
    if (kind == KIND_RUN) {
        TRY(file_join(best, request->path, "best.safetensors", error));
        if (file_exists(best)) /* of a run just begun there is none yet */
            options.adapter = best;
    }
    Status status = cli_model_load(&model, &options, request->arguments, CLI_HEAD_UNUSED, error);
    if (status == STATUS_OK)
        status = write_crop(request, model.vit->config.image_size, out, error);
    cli_model_free(&model);
    return status;
}

static Status inspect(const Request *request, json_t *out, Error *error)
{
    Kind kind = KIND_TENSORS;
    TRY(find_kind(request->path, &kind, error));
    if (request->image)
        return inspect_image(request, kind, out, error);
    switch (kind) {
    case KIND_MODEL:
        return inspect_model(request, out, error);
    case KIND_RUN:
        return inspect_run(request, out, error);
    case KIND_ADAPTER:
    case KIND_TENSORS:
        break;
    }
    return inspect_file(request, kind, out, error);
}

static int show(const Request *request, bool json)
{
    Error error = {0};
    json_t *out = json_object();
    if (inspect(request, out, &error) != STATUS_OK) {
        json_decref(out);
        return cli_report(&error);
    }
    return cli_json_show(out, json, stdout, 9, request->path, &error) == STATUS_OK
               ? CLI_DONE
               : cli_report(&error);
}

int cmd_inspect(int argc, char **argv)
{
    Request request = {.tune = "ln"};
    bool json = false;
    CliOption options[] = {
        {"--model", CLI_STRING, &request.model_options.model, 0, 0, "M",
         "the base of an adapter or a run: shows how far each\nLayerNorm has moved, or by --tensor "
         "what it sees"},
        CLI_NETWORK_OPTIONS(request.model_options),
        CLI_HEAD_OPTION(request.model_options),
        {"--tune", CLI_STRING, &request.tune, 0, 0, "WHAT",
         "for a model: what would train, as in a recipe (ln)"},
        {"--tensor", CLI_STRING, &request.image, 0, 0, "IMAGE",
         "write what the network sees of IMAGE"},
        {"--out", CLI_STRING, &request.out, 0, 0, "X.png", "where --tensor writes its picture"},
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "print a JSON object"},
        {0},
    };
    const CliCommand command = {
        .name = "inspect",
        .summary = "what a model, an adapter or a run holds",
        .usage = "lnclip inspect PATH [--model M] [--tensor IMAGE --out X.png]",
        .details =
            "PATH is a model (folder or file): its shape, tensors, what trains and what is frozen; "
            "an adapter: its\ntensors and metadata; the folder of a run: its recipe, best and last "
            "epoch; or any .safetensors file.\nDrift is |w - w0| / |w0| of each LayerNorm, w0 the "
            "base model's. --tensor shows the exact pixels after\nresizing and cropping.",
        .example = "lnclip inspect run/best.safetensors --model clip-vit-l-14",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, 1, "the path of a model, an adapter or a run");
    if ((request.image == NULL) != (request.out == NULL))
        return cli_usage_error("inspect: --tensor IMAGE and --out X.png go together; give both");
    request.path = arguments.positional.items[0];
    request.arguments = &arguments;
    return show(&request, json);
}
