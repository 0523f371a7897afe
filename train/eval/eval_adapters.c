/*
 * eval_adapters.c - the adapters of an evaluation: see eval_sets.h.
 */
#include "train/eval/eval_sets.h"

#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/mem.h"
#include "tensor/safetensors.h"
#include "train/eval/eval_files.h"
#include "train/metrics/calibration.h"

#include <stdlib.h>
#include <string.h>

static const char WHAT[] = "the adapters";

/* ---- arguments ------------------------------------------------------------------------------- */

/* Checks a name, which becomes a folder in --out. */
static Status check_name(const char *name, const char *argument, Error *error)
{
    if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        eval_is_file_name(name))
        return error_set(error, STATUS_USAGE,
                         "--adapter %s: file not found, and '%s' is not a valid folder name; give "
                         "an existing FILE, or NAME=FILE where NAME has no slash and is not the "
                         "name of a file that eval writes",
                         argument, name);
    return STATUS_OK;
}

/* Parses FILE or NAME=FILE; *named is true for the second form. */
static Status parse(EvalAdapters *all, const char *argument, bool *named, Error *error)
{
    char *text = mem_copy(argument, WHAT, error);
    if (!text)
        return STATUS_FAILED;
    all->texts[all->count] = text;
    EvalAdapter *adapter = &all->adapters[all->count++];
    char *equals = strchr(text, '=');
    *named = equals && !file_exists(argument);
    if (!*named) {
        adapter->path = text;
        return STATUS_OK;
    }
    *equals = '\0';
    adapter->name = text;
    adapter->path = equals + 1;
    TRY(check_name(adapter->name, argument, error));
    for (int i = 0; i + 1 < all->count; i++)
        if (strcmp(all->adapters[i].name, adapter->name) == 0)
            return error_set(error, STATUS_USAGE,
                             "--adapter %s: duplicate name '%s'; give each adapter its own name",
                             argument, adapter->name);
    return STATUS_OK;
}

static Status parse_all(EvalAdapters *all, const char *const *arguments, int count, Error *error)
{
    for (int i = 0; i < count; i++) {
        bool named;
        TRY(parse(all, arguments[i], &named, error));
        if (!named && count > 1)
            return error_set(error, STATUS_USAGE,
                             "--adapter %s: with several adapters each needs a name; write "
                             "NAME=FILE (NAME is its folder)",
                             arguments[i]);
        all->named = named;
    }
    return STATUS_OK;
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* Copies a metadata value, or `missing` (may be NULL) if there is none. */
static Status copy_value(const SafeTensors *file, const char *key, const char *missing, char **copy,
                         Error *error)
{
    const char *value = safetensors_metadata(file, key);
    const char *text = value ? value : missing;
    *copy = text ? mem_copy(text, WHAT, error) : NULL;
    return *copy || !text ? STATUS_OK : STATUS_FAILED;
}

static Status copy_metadata(EvalAdapter *adapter, const SafeTensors *file, const char *missing,
                            Error *error)
{
    TRY(copy_value(file, "selected_on", missing, &adapter->selected_on, error));
    TRY(copy_value(file, "recipe", NULL, &adapter->recipe, error));
    return copy_value(file, "record", NULL, &adapter->record, error);
}

static Status hash_file(EvalAdapter *adapter, Error *error)
{
    FileMap map;
    TRY(file_map(adapter->path, &map, error));
    Hash hash;
    hash_begin(&hash);
    hash_bytes(&hash, map.data, map.size);
    hash_end(&hash, adapter->hash);
    file_unmap(&map);
    return STATUS_OK;
}

static Status read_adapter(EvalAdapter *adapter, bool calibrated, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, adapter->path, error));
    Status status = copy_metadata(adapter, file, "unknown", error);
    safetensors_close(file);
    if (status == STATUS_OK)
        status = hash_file(adapter, error);
    if (status == STATUS_OK && calibrated)
        status = metrics_calibration_read(adapter->path, &adapter->calibration, error);
    adapter->calibrated = calibrated;
    return status;
}

/* Without --adapter: uses the model's head and the metadata of its file (lnclip export). */
static Status without_adapter(EvalAdapters *all, const char *model, bool calibrated, Error *error)
{
    char path[FILE_PATH_SIZE];
    SafeTensors *file = NULL;
    EvalAdapter *adapter = &all->adapters[all->count++];
    TRY(vit_model_file(model, path, error));
    TRY(safetensors_open(&file, path, error));
    Status status = copy_metadata(adapter, file, "unknown (the head is the model's own)", error);
    safetensors_close(file);
    if (status == STATUS_OK && calibrated)
        status = metrics_calibration_read(path, &adapter->calibration, error);
    adapter->calibrated = calibrated;
    return status;
}

Status eval_adapters_read(EvalAdapters *adapters, const char *const *arguments, int count,
                          const char *model, bool calibrated, Error *error)
{
    const size_t room = count > 0 ? count : 1;
    *adapters = (EvalAdapters){
        .adapters = mem_new(room, sizeof *adapters->adapters, WHAT, error),
        .texts = mem_new(room, sizeof *adapters->texts, WHAT, error),
    };
    if (!adapters->adapters || !adapters->texts)
        return STATUS_FAILED;
    if (count == 0)
        return without_adapter(adapters, model, calibrated, error);
    TRY(parse_all(adapters, arguments, count, error));
    for (int i = 0; i < adapters->count; i++)
        TRY(read_adapter(&adapters->adapters[i], calibrated, error));
    return STATUS_OK;
}

void eval_adapters_free(EvalAdapters *adapters)
{
    for (int i = 0; i < adapters->count; i++) {
        free(adapters->adapters[i].selected_on);
        free(adapters->adapters[i].recipe);
        free(adapters->adapters[i].record);
        free(adapters->texts[i]);
    }
    free(adapters->adapters);
    free(adapters->texts);
    *adapters = (EvalAdapters){0};
}
