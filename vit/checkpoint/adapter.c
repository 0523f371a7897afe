/*
 * adapter.c - see adapter.h.
 *
 * Reading has two steps. The first checks and converts everything into separate memory and may
 * fail. The second moves it into the model and cannot fail. So an adapter is applied completely or
 * not at all.
 */
#include "vit/checkpoint/adapter.h"

#include "tensor/base/c_locale.h"
#include "tensor/base/mem.h"
#include "vit/names.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A planned change: new values of a tensor, or parts that a weight keeps. */
typedef struct Change {
    VitParameter *parameter; /* NULL for a tensor of the head */
    Tensor *tensor;
    float *values;         /* owned until applied; NULL if there are parts */
    Tensor *parts;         /* [row_count] or NULL; array and data are owned until applied */
    const VitChoice *kept; /* method, rank and scale of the parts */
    float scale;
} Change;

typedef struct Reading {
    Vit *vit;
    VitHead *head;
    SafeTensors *file;
    VitNamed *named;   /* [safetensors_count] */
    VitChoice *chosen; /* [parameter_count] the changes that "tune" permits */
    Change *changes;
    int change_count;
    VitHeadKind kind;
    VitAdapterReport report;
} Reading;

/* True if a stored tensor has the type and shape for `tensor`; otherwise records a problem. */
static bool fits(const SafeTensor *stored, const Tensor *tensor, Error *error)
{
    char have[VIT_SHAPE_TEXT], want[VIT_SHAPE_TEXT];
    if (!vit_is_float(stored))
        error_detail(error, "type %s is not F32, F16 or BF16: %.200s", stored->dtype_text,
                     stored->name);
    else if (!vit_same_shape(stored, tensor))
        error_detail(error, "shape %s, but the model has %s: %.200s", vit_shape_text(have, stored),
                     vit_tensor_shape_text(want, tensor), stored->name);
    else
        return true;
    return false;
}

/* Converts a stored tensor to f32 in *values, which the caller frees. If a value is not finite,
 * records a problem and sets *values to NULL. STATUS_FAILED: out of memory. */
static Status convert(const SafeTensor *stored, float **values, Error *error)
{
    size_t count = 1;
    for (int i = 0; i < stored->ndim; i++)
        count *= stored->shape[i];
    *values = mem_new(count, sizeof **values, stored->name, error);
    if (!*values)
        return STATUS_FAILED;
    dtype_to_f32(stored->dtype, stored->data, *values, count);
    if (dtype_all_finite(*values, count))
        return STATUS_OK;
    error_detail(error, "NaN or infinity: %.200s", stored->name);
    free(*values);
    *values = NULL;
    return STATUS_OK;
}

/* Plans to set `tensor` from a stored tensor. */
static Status plan(Reading *reading, VitParameter *parameter, Tensor *tensor,
                   const SafeTensor *stored, Error *error)
{
    float *values;
    if (!fits(stored, tensor, error))
        return STATUS_OK;
    TRY(convert(stored, &values, error));
    if (values)
        reading->changes[reading->change_count++] =
            (Change){.parameter = parameter, .tensor = tensor, .values = values};
    return STATUS_OK;
}

/* Checks that a frozen tensor equals the base model's. */
static Status compare(Reading *reading, const Tensor *tensor, const SafeTensor *stored,
                      Error *error)
{
    float *values;
    if (!fits(stored, tensor, error))
        return STATUS_OK;
    TRY(convert(stored, &values, error));
    if (values && memcmp(values, tensor_f32(tensor), tensor_count(tensor) * sizeof *values) == 0)
        reading->report.frozen_equal++;
    else if (values)
        error_detail(error, "frozen, but different from the model: %.200s", stored->name);
    free(values);
    return STATUS_OK;
}

static Status read_encoder_tensor(Reading *reading, const VitNamed *named, Error *error)
{
    Vit *vit = reading->vit;
    VitParameter *parameter = vit_find(vit, named->native);
    if (!parameter) {
        error_detail(error, "unknown: %.200s", named->tensor->name);
        return STATUS_OK;
    }
    if (named->kind == VIT_NAME_ORIGINAL || !reading->chosen[parameter - vit->parameters].trains)
        return compare(reading, &parameter->tensor, named->tensor, error);
    const bool norm = parameter->kind == VIT_LAYER_NORM;
    reading->report.layer_norms_set += norm;
    reading->report.others_set += !norm;
    return plan(reading, parameter, &parameter->tensor, named->tensor, error);
}

/* Reads the scale of a method's parts from the metadata. False if it is missing or invalid. peft
 * stores it in another file. */
static bool read_scale(const Reading *reading, const VitMethod *method, float *scale)
{
    *scale = 1;
    if (!method->scale_key)
        return true;
    const char *text = safetensors_metadata(reading->file, method->scale_key);
    if (!text || text[0] == '\0')
        return false;
    char *end = NULL;
    const locale_t before = c_locale_begin();
    *scale = strtof(text, &end);
    c_locale_end(before);
    return *end == '\0' && isfinite(*scale) && *scale > 0;
}

/* Plans to merge parts into a weight. */
static Status plan_merge(Reading *reading, VitParameter *parameter, const VitChoice *choice,
                         const Tensor *parts, float scale, const char *first, Error *error)
{
    const Tensor *weight = &parameter->tensor;
    float *values[VIT_MAX_PARTS];
    for (int i = 0; i < choice->method->row_count; i++)
        values[i] = tensor_f32(&parts[i]);
    float *merged = mem_new(tensor_count(weight), sizeof *merged, first, error);
    if (!merged)
        return STATUS_FAILED;
    choice->method->merge(weight, values, choice->rank, scale, merged);
    if (!dtype_all_finite(merged, tensor_count(weight))) {
        error_detail(error, "NaN or infinity after merging %s: %.200s", choice->method->name,
                     first);
        free(merged);
        return STATUS_OK;
    }
    reading->changes[reading->change_count++] =
        (Change){.parameter = parameter, .tensor = &parameter->tensor, .values = merged};
    reading->report.weights_merged++;
    return STATUS_OK;
}

/* Plans to keep parts, which already have values, at a weight. Takes over their data. */
static Status plan_keep(Reading *reading, VitParameter *parameter, const VitChoice *choice,
                        Tensor *parts, float scale, const char *first, Error *error)
{
    Tensor *kept = mem_new(choice->method->row_count, sizeof *kept, first, error);
    if (!kept)
        return STATUS_FAILED;
    for (int i = 0; i < choice->method->row_count; i++) {
        kept[i] = parts[i];
        parts[i].data = NULL; /* now owned by the copy */
    }
    reading->changes[reading->change_count++] =
        (Change){.parameter = parameter, .parts = kept, .kept = choice, .scale = scale};
    reading->report.parts_kept++;
    return STATUS_OK;
}

/* Reads all parts of a method at one weight: found [row_count]. */
static Status read_parts(Reading *reading, const VitNamed *const *found, Error *error)
{
    const VitMethod *method = found[0]->method;
    const char *first = found[0]->tensor->name;
    VitParameter *parameter = vit_find(reading->vit, found[0]->native);
    float scale;
    if (!parameter || parameter->kind != VIT_WEIGHT) {
        error_detail(error, "%s, but not at a linear map: %.200s", method->name, first);
        return STATUS_OK;
    }
    const VitChoice *choice = &reading->chosen[parameter - reading->vit->parameters];
    if (choice->method != method) {
        error_detail(error, "%s not selected by metadata \"tune\": %.200s", method->name, first);
        return STATUS_OK;
    }
    if (!read_scale(reading, method, &scale)) {
        error_detail(error, "%s without metadata \"%s\" above 0: %.200s", method->name,
                     method->scale_key, first);
        return STATUS_OK;
    }
    const int *shape = parameter->tensor.shape;
    Tensor parts[VIT_MAX_PARTS] = {0};
    bool complete = true;
    Status status = STATUS_OK;
    for (int i = 0; i < method->row_count; i++) {
        parts[i] = vit_part_tensor(&method->rows[i], shape[0], shape[1], choice->rank);
        complete = complete && fits(found[i]->tensor, &parts[i], error);
    }
    for (int i = 0; i < method->row_count && complete && status == STATUS_OK; i++) {
        float *values = NULL;
        status = convert(found[i]->tensor, &values, error);
        parts[i].data = values;
        complete = values;
    }
    if (complete)
        status = method->merge ? plan_merge(reading, parameter, choice, parts, scale, first, error)
                               : plan_keep(reading, parameter, choice, parts, scale, first, error);
    for (int i = 0; i < method->row_count; i++)
        free(parts[i].data);
    return status;
}

/* Reads all parts of a method at a weight when called for the first part. If one is missing,
 * records a problem for each part present. */
static Status read_part(Reading *reading, const VitNamed *named, Error *error)
{
    const VitNamed *found[VIT_MAX_PARTS] = {NULL};
    bool complete = true;
    for (int i = 0; i < named->method->row_count; i++) {
        found[i] = vit_named_find_part(reading->named, safetensors_count(reading->file),
                                       named->method, i, named->native);
        complete = complete && found[i];
    }
    if (complete)
        return named->part == 0 ? read_parts(reading, found, error) : STATUS_OK;
    error_detail(error, "incomplete %s: only %.200s is present", named->method->name,
                 named->tensor->name);
    return STATUS_OK;
}

/* Counts parameters, except LayerNorms, that "tune" selects but the file lacks. */
static void count_missing(Reading *reading)
{
    const int count = safetensors_count(reading->file);
    for (int i = 0; i < reading->vit->parameter_count; i++) {
        const VitParameter *parameter = &reading->vit->parameters[i];
        const VitChoice *choice = &reading->chosen[i];
        if ((!choice->trains && !choice->method) || parameter->kind == VIT_LAYER_NORM ||
            (choice->method
                 ? vit_named_find_part(reading->named, count, choice->method, 0, parameter->name)
                 : vit_named_find(reading->named, count, parameter->name)))
            continue;
        if (reading->report.others_kept++ == 0)
            reading->report.first_kept = parameter->name;
    }
}

Status vit_head_kind_of_file(const SafeTensors *file, char kind[16], bool *conflict, Error *error)
{
    const char *path = safetensors_path(file), *name = safetensors_metadata(file, "head");
    VitHeadKind known;
    char neighbour[16] = "";
    Error unreadable = {0};
    if (conflict)
        *conflict = false;
    kind[0] = '\0';
    if (!name)
        return vit_config_read_head(path, kind, error);
    if (!vit_head_kind_parse(name, &known))
        return error_set(
            error, STATUS_FAILED,
            "%s: metadata \"head\" is %.64s, not LinearNorm or linear; use a file written by "
            "lnclip or GenD",
            path, name);
    snprintf(kind, 16, "%s", name);
    /* The metadata has priority: the config.json may belong to another model. */
    if (conflict && vit_config_read_head(path, neighbour, &unreadable) == STATUS_OK)
        *conflict = neighbour[0] && strcmp(neighbour, kind) != 0;
    return STATUS_OK;
}

/* Determines the head kind from the file (`stored`) and the hints. */
static Status resolve_head_kind(Reading *reading, const char *stored, const VitHints *hints,
                                Error *error)
{
    const char *path = safetensors_path(reading->file), *hinted = hints->head;
    if (stored[0] && hinted[0] && strcmp(stored, hinted) != 0)
        return error_set(error, STATUS_USAGE,
                         "%s: its head kind is %s, not %s; leave out --head, or correct the file",
                         path, stored, hinted);
    if (!stored[0] && !hinted[0])
        return error_set(
            error, STATUS_FAILED,
            "%s: neither its metadata nor a config.json next to it gives the head kind; pass "
            "--head LinearNorm (a head on L2-normalised features) or --head linear",
            path);
    const bool known = vit_head_kind_parse(stored[0] ? stored : hinted, &reading->kind);
    assert(known && "the hint is one of the two names");
    (void)known;
    return STATUS_OK;
}

/* Plans to set the head, if the file has one. */
static Status read_head(Reading *reading, Error *error)
{
    static const VitNameKind kinds[VIT_HEAD_TENSORS] = {VIT_NAME_HEAD_WEIGHT, VIT_NAME_HEAD_BIAS};
    const VitNamed *found[VIT_HEAD_TENSORS], *any = NULL;
    bool complete = true;
    for (int i = 0; i < VIT_HEAD_TENSORS; i++) {
        found[i] = vit_named_of_kind(reading->named, safetensors_count(reading->file), kinds[i]);
        any = any ? any : found[i];
        complete = complete && found[i];
    }
    if (any && !complete)
        error_detail(error, "incomplete head: only %.200s is present", any->tensor->name);
    if (!complete || !reading->head)
        return STATUS_OK;
    for (int i = 0; i < VIT_HEAD_TENSORS; i++)
        TRY(plan(reading, NULL, vit_head_tensor(reading->head, i), found[i]->tensor, error));
    reading->report.head_set = true;
    return STATUS_OK;
}

/* Checks that the base has the settings it had in training. Adapters of older versions do not store
 * them. */
static Status check_base(const Reading *reading, Error *error)
{
    char texts[2][VIT_CONFIG_TEXT];
    static const char *const keys[2] = {"base_network", "base_preprocessing"};
    vit_config_describe_network(&reading->vit->config, texts[0]);
    vit_config_describe_preprocessing(&reading->vit->config, texts[1]);
    for (int i = 0; i < 2; i++) {
        const char *said = safetensors_metadata(reading->file, keys[i]);
        if (said && strcmp(said, texts[i]) != 0)
            return error_set(
                error, STATUS_FAILED,
                "%s: was trained on a model with %.150s, but this model has %s; use the "
                "original configuration files, or the same --heads and --activation",
                safetensors_path(reading->file), said, texts[i]);
    }
    return STATUS_OK;
}

/* Checks the base model and determines which parameters the adapter may change. */
static Status check_metadata(Reading *reading, Error *error)
{
    const SafeTensors *file = reading->file;
    const char *base = safetensors_metadata(file, "base_fingerprint");
    if (base && strcmp(base, reading->vit->fingerprint) != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: was made for the model %.64s, not for %s; use the model it was trained on",
            safetensors_path(file), base, reading->vit->fingerprint);
    TRY(check_base(reading, error));
    const char *tune = safetensors_metadata(file, "tune");
    if (vit_tune_choose(reading->vit, tune ? tune : "ln", reading->chosen, error) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: metadata \"tune\" is \"%.200s\", which is not valid for this model; use "
                     "the version and model it was made with",
                     safetensors_path(file), tune);
}

/* Plans all changes. May fail. */
static Status prepare(Reading *reading, Error *error)
{
    const int count = safetensors_count(reading->file), parameters = reading->vit->parameter_count;
    const char *path = safetensors_path(reading->file);
    TRY(vit_named_list(reading->file, reading->vit->config.tower, &reading->named, error));
    reading->changes = mem_new(count, sizeof *reading->changes, path, error);
    reading->chosen = mem_new(parameters, sizeof *reading->chosen, path, error);
    if (!reading->changes || !reading->chosen)
        return STATUS_FAILED;
    TRY(check_metadata(reading, error));

    int used = 0;
    for (int i = 0; i < count; i++) {
        const VitNamed *named = &reading->named[i];
        used += named->kind < VIT_NAME_IGNORED;
        if (named->kind == VIT_NAME_ENCODER || named->kind == VIT_NAME_ORIGINAL)
            TRY(read_encoder_tensor(reading, named, error));
        else if (named->kind == VIT_NAME_PART)
            TRY(read_part(reading, named, error));
        else if (named->kind == VIT_NAME_UNKNOWN)
            error_detail(error, "unknown: %.200s", named->tensor->name);
    }
    TRY(read_head(reading, error));
    count_missing(reading);
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED,
                         "%s: %d problems with its tensors; use an adapter made for this model",
                         path, error->problems);
    if (used == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: contains neither a LayerNorm nor a head; choose an adapter", path);
    if (!reading->report.head_set)
        return STATUS_OK;
    char said[16] = "";
    TRY(vit_head_kind_of_file(reading->file, said, &reading->report.head_conflict, error));
    return resolve_head_kind(reading, said, &reading->vit->hints, error);
}

/* Moves new values into a tensor and records if they differ. */
static void set_values(Change *change)
{
    VitParameter *parameter = change->parameter;
    const size_t bytes = tensor_count(change->tensor) * sizeof(float);
    if (parameter)
        parameter->changed |= memcmp(tensor_f32(change->tensor), change->values, bytes) != 0;
    if (parameter && parameter->kind != VIT_LAYER_NORM) {
        /* The data may be in the read-only mapping, so the tensor takes the new memory instead. */
        free(parameter->adapted);
        parameter->adapted = change->values;
        change->tensor->data = change->values;
        change->values = NULL;
    } else {
        memcpy(tensor_f32(change->tensor), change->values, bytes);
    }
}

static void keep_parts(Change *change)
{
    VitParameter *parameter = change->parameter;
    vit_part_attach(parameter, change->kept->method, change->parts, change->kept->rank);
    parameter->owns_parts = true;
    parameter->scale = change->scale;
    parameter->changed = true;
    change->parts = NULL;
}

/* Applies all changes. Cannot fail. */
static void apply(Reading *reading)
{
    for (int i = 0; i < reading->change_count; i++)
        if (reading->changes[i].parts)
            keep_parts(&reading->changes[i]);
        else
            set_values(&reading->changes[i]);
    if (reading->head && reading->report.head_set)
        reading->head->kind = reading->kind;
}

static void release(Reading *reading)
{
    for (int i = 0; i < reading->change_count; i++) {
        Change *change = &reading->changes[i];
        for (int k = 0; change->parts && k < change->kept->method->row_count; k++)
            free(change->parts[k].data);
        free(change->parts);
        free(change->values);
    }
    free(reading->changes);
    free(reading->chosen);
    free(reading->named);
}

Status vit_adapter_read(Vit *vit, VitHead *head, const char *path, VitAdapterReport *report,
                        Error *error)
{
    assert(vit && path && report && error);
    assert(!vit->packed && "adapters come before packing");
    *report = (VitAdapterReport){0};
    Reading reading = {.vit = vit, .head = head};
    TRY(safetensors_open(&reading.file, path, error));
    const Status status = prepare(&reading, error);
    if (status == STATUS_OK) {
        apply(&reading);
        int norms = 0;
        for (int i = 0; i < vit->parameter_count; i++)
            norms += vit->parameters[i].kind == VIT_LAYER_NORM;
        reading.report.layer_norms_kept = norms - reading.report.layer_norms_set;
        *report = reading.report;
    }
    release(&reading);
    safetensors_close(reading.file);
    return status;
}

/* Plans to set the head of a model. May fail. */
static Status prepare_model_head(Reading *reading, const VitConfig *config, const VitHints *hints,
                                 Error *error)
{
    const char *path = safetensors_path(reading->file), *other = config->head;
    char said[16] = "";
    TRY(vit_named_list(reading->file, config->tower, &reading->named, error));
    reading->changes = mem_new(VIT_HEAD_TENSORS, sizeof *reading->changes, path, error);
    if (!reading->changes)
        return STATUS_FAILED;
    TRY(read_head(reading, error));
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED, "%s: its head cannot be used: %s; fetch it again",
                         path, error->detail[0]);
    if (!reading->report.head_set)
        return STATUS_OK;
    TRY(vit_head_kind_of_file(reading->file, said, NULL, error));
    if (said[0] && other[0] && strcmp(said, other) != 0)
        return error_set(error, STATUS_FAILED,
                         "%s: its metadata gives head kind %s, its config.json %s; correct the "
                         "wrong one",
                         path, said, other);
    return resolve_head_kind(reading, said[0] ? said : other, hints, error);
}

Status vit_head_read(const Vit *vit, VitHead *head, bool *found, Error *error)
{
    assert(vit && head && found && error);
    *found = false;
    if (!vit->file)
        return STATUS_OK;
    Reading reading = {.head = head, .file = vit->file};
    Status status = prepare_model_head(&reading, &vit->config, &vit->hints, error);
    if (status == STATUS_OK) {
        apply(&reading);
        *found = reading.report.head_set;
    }
    release(&reading);
    return status;
}

/* True if all parameters train. The adapter is then a complete model, which vit_load can read. */
static bool all_train(const Vit *vit)
{
    for (int i = 0; i < vit->parameter_count; i++)
        if (!vit->parameters[i].tensor.needs_grad)
            return false;
    return true;
}

enum { SCALE_SIZE = 32 };

/* Lists the scales of all methods with trainable parts as metadata. Returns their number. `texts`
 * is the memory of the values. */
static int list_scales(const Vit *vit, SafeTensorsMetadata *metadata,
                       char texts[VIT_MAX_METHODS][SCALE_SIZE])
{
    int count = 0;
    const locale_t before = c_locale_begin();
    for (int m = 0; vit_methods[m]; m++) {
        int i = 0;
        while (i < vit->parameter_count && !(vit->parameters[i].method == vit_methods[m] &&
                                             vit_parts_train(&vit->parameters[i])))
            i++;
        if (i == vit->parameter_count || !vit_methods[m]->scale_key)
            continue;
        /* Nine digits represent a float exactly. */
        snprintf(texts[count], SCALE_SIZE, "%.9g", (double)vit->parameters[i].scale);
        metadata[count] = (SafeTensorsMetadata){vit_methods[m]->scale_key, texts[count]};
        count++;
    }
    c_locale_end(before);
    return count;
}

Status vit_adapter_write(const Vit *vit, const VitHead *head, const VitTuned *tuned,
                         const char *path, const SafeTensorsMetadata *metadata, int metadata_count,
                         Error *error)
{
    assert(vit && tuned && path && error);
    enum { ADDED = 9 + VIT_MAX_METHODS };
    char network[VIT_CONFIG_TEXT], preprocessing[VIT_CONFIG_TEXT];
    char scales[VIT_MAX_METHODS][SCALE_SIZE];
    vit_config_describe_network(&vit->config, network);
    vit_config_describe_preprocessing(&vit->config, preprocessing);
    SafeTensor *tensors = mem_new(tuned->entry_count, sizeof *tensors, path, error);
    SafeTensorsMetadata *all = mem_new(metadata_count + ADDED, sizeof *all, path, error);
    const bool complete = all_train(vit);
    char *config = complete ? vit_config_format(&vit->config, error) : NULL;
    char *preprocessor = complete ? vit_config_format_preprocessor(&vit->config, error) : NULL;
    Status status = STATUS_FAILED;
    if (!tensors || !all || (complete && (!config || !preprocessor)))
        goto done;
    for (int i = 0; i < tuned->entry_count; i++)
        tensors[i] = vit_stored(tuned->entries[i].name, tuned->entries[i].tensor);
    int count = 0;
    for (; count < metadata_count; count++)
        all[count] = metadata[count];
    all[count++] = (SafeTensorsMetadata){"format", "pt"};
    all[count++] = (SafeTensorsMetadata){"tune", tuned->tune};
    all[count++] = (SafeTensorsMetadata){"base_fingerprint", vit->fingerprint};
    all[count++] = (SafeTensorsMetadata){"base_arch", vit_config_name(&vit->config)};
    all[count++] = (SafeTensorsMetadata){"base_network", network};
    all[count++] = (SafeTensorsMetadata){"base_preprocessing", preprocessing};
    if (head)
        all[count++] = (SafeTensorsMetadata){"head", vit_head_kind_name(head->kind)};
    count += list_scales(vit, all + count, scales);
    if (complete) {
        all[count++] = (SafeTensorsMetadata){"config", config};
        all[count++] = (SafeTensorsMetadata){"preprocessor_config", preprocessor};
    }
    status = safetensors_write(path, tensors, tuned->entry_count, all, count, error);
done:
    free(preprocessor);
    free(config);
    free(all);
    free(tensors);
    return status;
}
