/*
 * cmd_inspect_parts.c - see cmd_inspect_parts.h.
 */
#include "tools/cmd_inspect_parts.h"

#include "tools/cli/cli_json.h"

#include "tensor/base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RECIPE = 1 << 20, MAX_STEPS = 1 << 30 }; /* bytes; a run's files are far smaller */

/* ---- text that has structure ----------------------------------------------------------------------- */

/* A number if all of `text` is one, else text. "nan" and "" are null. */
static json_t *cell_json(const char *text)
{
    char *end;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 18)
        return json_integer(strtoll(text, NULL, 10));
    const double value = strtod(text, &end);
    if (end != text && *end == '\0')
        return cli_json_number(value);
    return text[0] == '\0' ? json_null() : cli_json_string(text);
}

/* `key = value` a line, # comments: the recipe of a run. */
static json_t *recipe_json(const char *text)
{
    json_t *const recipe = json_object();
    char *const copy = strdup(text);
    if (!copy)
        cli_json_lose();
    for (char *rest = copy; rest;) {
        char *const line = strsep(&rest, "\n");
        char *const equals = strstr(line, " = ");
        if (line[0] == '#' || !equals)
            continue;
        *equals = '\0';
        cli_json_set(recipe, line, cell_json(equals + 3));
    }
    free(copy);
    return recipe;
}

/* Metadata is text; where it holds a recipe or a JSON object, as adapters of runs do, its parts are shown. */
static json_t *metadata_json(const char *key, const char *value)
{
    if (strcmp(key, "recipe") == 0 && strchr(value, '\n'))
        return recipe_json(value);
    json_t *const object = value[0] == '{' ? json_loads(value, 0, NULL) : NULL;
    return object ? object : cli_json_string(value);
}

/* ---- tensors ------------------------------------------------------------------------------------- */

json_t *cmd_inspect_metadata(const SafeTensors *file)
{
    json_t *const metadata = json_object();
    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        const char *const key = safetensors_metadata_key(file, i);
        cli_json_set(metadata, key, metadata_json(key, safetensors_metadata(file, key)));
    }
    return metadata;
}

void cmd_inspect_safetensors(const SafeTensors *file, json_t *out)
{
    cli_json_set(out, "path", cli_json_string(safetensors_path(file)));
    json_t *const metadata = cmd_inspect_metadata(file);
    json_t *const tensors = json_array();
    json_int_t parameters = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *const tensor = safetensors_at(file, i);
        const json_int_t count = (json_int_t)safetensors_elements(tensor);
        json_t *const row = json_object(), *const shape = json_array();
        for (int d = 0; d < tensor->ndim; d++)
            cli_json_append(shape, json_integer(tensor->shape[d]));
        cli_json_set(row, "name", cli_json_string(tensor->name));
        cli_json_set(row, "dtype", json_string(tensor->dtype_text));
        cli_json_set(row, "shape", shape);
        cli_json_set(row, "count", json_integer(count));
        cli_json_append(tensors, row);
        parameters += count;
    }
    cli_json_set(out, "tensors", tensors);
    cli_json_set(out, "parameters", json_integer(parameters));
    cli_json_set(out, "metadata", metadata);
}

/* ---- drift --------------------------------------------------------------------------------------- */

/* Copies of the LayerNorms of `vit`, one after the other, before an adapter changes them. */
static float *copy_layer_norms(const Vit *vit)
{
    size_t total = 0;
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM)
            total += tensor_count(&vit->parameters[i].tensor);
    float *const copy = malloc(total * sizeof *copy);
    float *at = copy;
    for (int i = 0; copy && i < vit->parameter_count; i++) {
        const Tensor *const tensor = &vit->parameters[i].tensor;
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
    json_t *const row = json_object();
    cli_json_set(row, "name", json_string(name));
    cli_json_set(row, "norm_base", cli_json_number(sqrt(base)));
    cli_json_set(row, "norm_change", cli_json_number(sqrt(change)));
    cli_json_set(row, "drift", cli_json_number(base > 0 ? sqrt(change / base) : NAN));
    return row;
}

static void describe_drift(const Vit *vit, const float *base, json_t *out)
{
    json_t *const rows = json_array();
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        if (parameter->kind != VIT_LAYER_NORM)
            continue;
        const size_t n = tensor_count(&parameter->tensor);
        cli_json_append(rows, drift_row(parameter->name, tensor_f32(&parameter->tensor), base, n));
        base += n;
    }
    cli_json_set(out, "layer_norms", rows);
}

Status cmd_inspect_drift(const CliModelOptions *base, const char *adapter,
                         const CliArguments *arguments, json_t *out, Error *error)
{
    CliModel model = {0};
    VitAdapterReport report = {0};
    float *before = NULL;
    Status status = cli_model_load(&model, base, arguments, CLI_HEAD_UNUSED, error);
    if (status == STATUS_OK && !(before = copy_layer_norms(model.vit)))
        status = error_set(
            error, STATUS_FAILED,
            "%s: no memory for the LayerNorms of the base model; close other programs", adapter);
    if (status == STATUS_OK)
        status = vit_adapter_read(model.vit, NULL, adapter, &report, error);
    if (status == STATUS_OK) {
        describe_drift(model.vit, before, out);
        cli_json_set(out, "layer_norms_set", json_integer(report.layer_norms_set));
        cli_json_set(out, "layer_norms_kept", json_integer(report.layer_norms_kept));
    }
    free(before);
    cli_model_free(&model);
    return status;
}

/* ---- a run --------------------------------------------------------------------------------------- */

/* The cells of one line under their names; both are cut at commas. The files hold numbers only: no quotes. */
static json_t *row_json(const char *header, const char *line)
{
    json_t *const row = json_object();
    char *const names = strdup(header), *const cells = strdup(line);
    char *name = names, *cell = cells;
    if (!names || !cells)
        cli_json_lose();
    while (name && cell) {
        const char *const this_name = strsep(&name, ",");
        const char *const this_cell = strsep(&cell, ",");
        cli_json_set(row, this_name, cell_json(this_cell));
    }
    free(names);
    free(cells);
    return row;
}

/* Adds the last row of a CSV file as `last`, the last one whose column best is 1 as `best` (unless NULL). */
static Status describe_rows(const char *path, const char *last, const char *best, const char *count,
                            json_t *out, Error *error)
{
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, MAX_STEPS, &content, &size, error));
    char *rest = content;
    const char *const header = strsep(&rest, "\n");
    const char *last_line = NULL;
    json_int_t rows = 0;
    while (rest) {
        const char *const line = strsep(&rest, "\n");
        if (!rest) /* not ended by a line break: being written, or cut short */
            break;
        last_line = line;
        rows++;
        if (!best)
            continue;
        json_t *const row = row_json(header, line);
        if (json_number_value(json_object_get(row, "best")) == 1)
            cli_json_set(out, best, row);
        else
            json_decref(row);
    }
    if (count)
        cli_json_set(out, count, json_integer(rows));
    if (last_line)
        cli_json_set(out, last, row_json(header, last_line));
    free(content);
    return STATUS_OK;
}

static Status describe_recipe(const char *path, json_t *out, Error *error)
{
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, MAX_RECIPE, &content, &size, error));
    cli_json_set(out, "recipe", recipe_json(content));
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
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *const value = safetensors_metadata(file, keys[i]);
        if (value)
            cli_json_set(out, keys[i], metadata_json(keys[i], value));
    }
    safetensors_close(file);
    return STATUS_OK;
}

Status cmd_inspect_run(const char *folder, json_t *out, Error *error)
{
    static const char *const names[] = {
        "recipe.txt",       "steps.csv",         "epochs.csv", "best.safetensors",
        "last.safetensors", "state.safetensors", "curves.svg", "events.out.tfevents.lnclip"};
    cli_json_set(out, "kind", json_string("run"));
    cli_json_set(out, "path", cli_json_string(folder));
    json_t *const files = json_array();
    cli_json_set(out, "files", files);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, folder, names[i], error));
        if (!file_exists(path))
            continue;
        cli_json_append(files, json_string(names[i]));
        if (i == 0)
            TRY(describe_recipe(path, out, error));
        else if (i == 1)
            TRY(describe_rows(path, "last_step", NULL, "steps", out, error));
        else if (i == 2)
            TRY(describe_rows(path, "last_epoch", "best_epoch", NULL, out, error));
    }
    return describe_origin(folder, out, error);
}
