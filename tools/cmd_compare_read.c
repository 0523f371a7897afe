/*
 * cmd_compare_read.c - see cmd_compare_read.h.
 */
#include "tools/cmd_compare_read.h"

#include "tensor/base/file.h"
#include "tensor/safetensors.h"
#include "tools/cli/cli_json.h"
#include "tools/cmd_inspect_parts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_JSON = 1 << 30 }; /* bytes; metrics of a thousand data sets are far smaller */

static bool holds(const char *folder, const char *name)
{
    char path[FILE_PATH_SIZE];
    Error error = {0};
    return file_join(path, folder, name, &error) == STATUS_OK && file_exists(path);
}

/* The object in folder/name; the caller owns the reference. */
static Status read_object(const char *folder, const char *name, json_t **object, Error *error)
{
    char path[FILE_PATH_SIZE], *content = NULL;
    size_t size = 0;
    json_error_t wrong = {0};
    TRY(file_join(path, folder, name, error));
    TRY(file_read(path, MAX_JSON, &content, &size, error));
    *object = json_loadb(content, size, 0, &wrong);
    free(content);
    if (json_is_object(*object))
        return STATUS_OK;
    json_decref(*object);
    *object = NULL;
    return error_set(error, STATUS_FAILED,
                     "%s: is no JSON object as lnclip eval writes it (line %d: %.100s); evaluate "
                     "again",
                     path, wrong.line, wrong.text);
}

/* ---- runs ---------------------------------------------------------------------------------------- */

/* An adapter holds what trained and nothing else. */
static Status describe_adapter(const char *folder, json_t *run, Error *error)
{
    const char *const name =
        holds(folder, "best.safetensors") ? "best.safetensors" : "last.safetensors";
    char path[FILE_PATH_SIZE];
    SafeTensors *file = NULL;
    if (!holds(folder, name)) /* no epoch has ended yet */
        return STATUS_OK;
    TRY(file_join(path, folder, name, error));
    TRY(safetensors_open(&file, path, error));
    json_int_t numbers = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const SafeTensor *const tensor = safetensors_at(file, i);
        int64_t count = 1;
        /* The reader bounds the product, unless a dimension of 0 makes it 0 whatever the others are. */
        for (int d = 0; d < tensor->ndim; d++)
            count = tensor->shape[d] == 0 ? 0 : count;
        for (int d = 0; d < tensor->ndim && count > 0; d++)
            count *= tensor->shape[d];
        numbers += (json_int_t)count;
    }
    const char *const selected = safetensors_metadata(file, "selected_on");
    cli_json_set(run, "trained_parameters", json_integer(numbers));
    cli_json_set(run, "selected_on", cli_json_string(selected ? selected : "unknown"));
    safetensors_close(file);
    return STATUS_OK;
}

static Status read_run(const char *folder, json_t *runs, Error *error)
{
    json_t *const run = json_object();
    cli_json_append(runs, run);
    TRY(cmd_inspect_run(folder, run, error));
    json_object_del(run, "kind");
    json_object_del(run, "files");
    return describe_adapter(folder, run, error);
}

/* ---- evaluations --------------------------------------------------------------------------------- */

static Status read_evaluation(const char *folder, json_t *evaluations, Error *error)
{
    json_t *metrics = NULL, *origin = NULL;
    TRY(read_object(folder, "metrics.json", &metrics, error));
    json_t *const evaluation = json_object();
    cli_json_append(evaluations, evaluation);
    cli_json_set(evaluation, "path", cli_json_string(folder));
    cli_json_set(evaluation, "adapter", json_null());
    cli_json_set(evaluation, "selected_on", json_string("unknown"));
    cli_json_set(evaluation, "metrics", metrics);
    if (!holds(folder, "evaluation.json")) /* of an earlier version */
        return STATUS_OK;
    TRY(read_object(folder, "evaluation.json", &origin, error));
    json_t *const adapter = json_object_get(origin, "adapter");
    json_t *const path = json_object_get(adapter, "path");
    json_t *const selected = json_object_get(adapter, "selected_on");
    if (json_is_string(path))
        cli_json_set(evaluation, "adapter", json_incref(path));
    if (json_is_string(selected))
        cli_json_set(evaluation, "selected_on", json_incref(selected));
    json_decref(origin);
    return STATUS_OK;
}

/* The evaluation of one adapter of several, in its folder. */
static Status read_named(const char *folder, const char *name, json_t *evaluations, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, name, error));
    return read_evaluation(path, evaluations, error);
}

/* Each adapter's, in the order in which they were compared. */
static Status read_several(const char *folder, json_t *evaluations, Error *error)
{
    json_t *comparison = NULL, *value;
    const char *name;
    TRY(read_object(folder, "comparison.json", &comparison, error));
    const char *const first = json_string_value(json_object_get(comparison, "first"));
    Status status = first ? read_named(folder, first, evaluations, error) : STATUS_OK;
    json_object_foreach(json_object_get(comparison, "others"), name, value)
    {
        if (status == STATUS_OK)
            status = read_named(folder, name, evaluations, error);
    }
    json_decref(comparison);
    return status;
}

Status cmd_compare_read(const char *folder, json_t *runs, json_t *evaluations, Error *error)
{
    if (!file_is_folder(folder))
        return error_set(error, STATUS_FAILED,
                         "%s: there is no such folder; name one that lnclip train or lnclip eval "
                         "wrote",
                         folder);
    const bool run = holds(folder, "recipe.txt"), evaluation = holds(folder, "metrics.json");
    const bool several = holds(folder, "comparison.json");
    if (!run && !evaluation && !several)
        return error_set(error, STATUS_FAILED,
                         "%s: holds neither a run (recipe.txt) nor a finished evaluation "
                         "(metrics.json); name a folder that lnclip train or lnclip eval wrote",
                         folder);
    if (run)
        TRY(read_run(folder, runs, error));
    if (evaluation)
        TRY(read_evaluation(folder, evaluations, error));
    return several ? read_several(folder, evaluations, error) : STATUS_OK;
}
