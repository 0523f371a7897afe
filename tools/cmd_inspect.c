/*
 * cmd_inspect.c - lnclip inspect: shows the contents of a model, an adapter, a run or any
 * safetensors file, or writes the network input of an image.
 *
 * Each description is a JSON object; without --json it is printed as text.
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

/* ---- values ---------------------------------------------------------------------------------- */

/*
 * The value of a table cell: a number if all of `text` is one, else a string. "nan" and "" are
 * null.
 */
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

/*
 * The value of a metadata entry: an object if the text is a recipe or a JSON object, else a string.
 */
static json_t *metadata_json(const char *key, const char *value)
{
    if (strcmp(key, "recipe") == 0 && strchr(value, '\n'))
        return train_json_recipe(value, cell_json);
    json_t *object = value[0] == '{' ? json_loads(value, 0, NULL) : NULL;
    return object ? object : train_json_string(value);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* The metadata of a file as an object. NULL without memory. */
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

/*
 * Copies all LayerNorm parameters of `vit` into one array. The caller frees it; NULL without
 * memory.
 */
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

/* One row: the change from w0 [n] to w [n]. */
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
 * the drift of each LayerNorm from the base model, |w - w0| / |w0|; null if w0 is 0.
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

/*
 * A CSV line as an object with the column names as keys. The cells are numbers, so quotes are not
 * handled.
 */
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

/*
 * Adds the last row of a CSV file as `last`, and the last row with best = 1 as `best`, unless that
 * is NULL.
 */
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
        if (!rest) /* incomplete last line */
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

/* Adds the provenance stored in best.safetensors, if the file exists. */
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

/* The parameters and whether they are trainable. The counts include the head, which always is. */
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

/* Adds "head": its kind; "unknown" if it is not stored; null without a head. */
static Status describe_head(const SafeTensors *file, const VitHints *hints, json_t *out,
                            Error *error)
{
    char kind[16] = "", native[VIT_NAME_SIZE];
    bool found = false, conflict = false;
    for (int i = 0; i < safetensors_count(file); i++)
        found |= vit_name_kind(vit_tower_default, safetensors_at(file, i)->name, native) ==
                 VIT_NAME_HEAD_WEIGHT;
    if (found)
        TRY(vit_head_kind_of_file(file, kind, &conflict, error));
    if (conflict)
        cli_warn(
            "%s: the metadata gives the kind of head %s, but config.json next to it gives another",
            safetensors_path(file), kind);
    if (kind[0] && hints->head[0] && strcmp(kind, hints->head) != 0)
        return error_set(error, STATUS_USAGE, "--head %s: %s has a head of kind %s; remove --head",
                         hints->head, safetensors_path(file), kind);
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

/* ---- the network input ----------------------------------------------------------------------- */

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

/* ---- kinds of input -------------------------------------------------------------------------- */

typedef enum Kind { KIND_MODEL, KIND_ADAPTER, KIND_RUN, KIND_TENSORS } Kind;

/*
 * A file with a patch embedding is a model. A file in which all tensor names are known is an
 * adapter.
 */
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
        return error_set(error, STATUS_FAILED, "%s: no such file or folder; check the path", path);
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
                         "%s: contains neither a model (config.json, model.safetensors) nor a run "
                         "(recipe.txt); name another folder, or a .safetensors file",
                         path);
    }
    return STATUS_OK;
}

/* Describes an adapter or any other safetensors file. */
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

/* Writes the network input of an image. For an adapter or a run, --model names the base model. */
static Status inspect_image(const Request *request, Kind kind, json_t *out, Error *error)
{
    CliModelOptions options = request->model_options;
    CliModel model = {0};
    char best[FILE_PATH_SIZE];
    if (kind == KIND_MODEL)
        options.model = request->path;
    if (kind == KIND_TENSORS || !options.model)
        return error_set(
            error, STATUS_FAILED, "%s: does not contain the input size of the network; name %s",
            request->path, kind == KIND_TENSORS ? "a model instead" : "its base with --model M");
    if (kind == KIND_ADAPTER)
        options.adapter = request->path;
    if (kind == KIND_RUN) {
        TRY(file_join(best, request->path, "best.safetensors", error));
        if (file_exists(best)) /* a new run has none yet */
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
         "base model of an adapter or a run: shows the drift of\neach LayerNorm; needed for "
         "--tensor"},
        CLI_NETWORK_OPTIONS(request.model_options),
        CLI_HEAD_OPTION(request.model_options),
        {"--tune", CLI_STRING, &request.tune, 0, 0, "WHAT",
         "for a model: parameters to train, as in a recipe (default ln)"},
        {"--tensor", CLI_STRING, &request.image, 0, 0, "IMAGE",
         "write the network input for IMAGE to --out"},
        {"--out", CLI_STRING, &request.out, 0, 0, "X.png", "picture written by --tensor"},
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "print a JSON object"},
        {0},
    };
    const CliCommand command = {
        .name = "inspect",
        .summary = "show the contents of a model, an adapter or a run",
        .usage = "lnclip inspect PATH [--model M] [--tensor IMAGE --out X.png]",
        .details =
            "PATH is a model (folder or file), an adapter, a run folder, or any .safetensors file. "
            "Prints for a model\nits shape, tensors, and trainable and frozen parameters; for an "
            "adapter its tensors and metadata; for a\nrun its recipe, best and last epoch. The "
            "drift of a LayerNorm is |w - w0| / |w0|, with w0 of the base\nmodel. --tensor writes "
            "the exact pixels after resizing and cropping.",
        .example = "lnclip inspect run/best.safetensors --model clip-vit-l-14",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, 1, "the path of a model, an adapter or a run");
    if ((request.image == NULL) != (request.out == NULL))
        return cli_usage_error(
            "inspect: --tensor IMAGE and --out X.png need each other; give both");
    request.path = arguments.positional.items[0];
    request.arguments = &arguments;
    Error error = {0};
    if (cli_model_find_all(&arguments, &request.model_options, &error) != STATUS_OK)
        return cli_report(&error);
    return show(&request, json);
}
