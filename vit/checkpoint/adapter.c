/*
 * adapter.c - see adapter.h.
 *
 * Reading has two halves: first everything is checked and converted into memory of its own, which may
 * fail; then it is copied into place, which cannot. So an adapter is taken over whole or not at all.
 */
#include "vit/checkpoint/adapter.h"

#include "tensor/base/c_locale.h"
#include "tensor/base/mem.h"
#include "vit/lora.h"
#include "vit/names.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor that will be set, and its new numbers. */
typedef struct Change {
    VitParameter *parameter; /* NULL for the head's tensors */
    Tensor *tensor;
    float *values; /* owned until it is applied */
} Change;

typedef struct Reading {
    Vit *vit;
    VitHead *head;
    SafeTensors *file;
    VitNamed *named;   /* [safetensors_count] */
    int rank;          /* of LoRA, 0 without any */
    VitChoice *chosen; /* [parameter_count] what the adapter may change */
    Change *changes;
    int change_count;
    VitHeadKind kind;
    VitAdapterReport report;
} Reading;

/* True if the stored tensor can stand for `tensor`; else what is wrong is counted. */
static bool fits(const SafeTensor *stored, const Tensor *tensor, Error *error)
{
    char have[VIT_SHAPE_TEXT], want[VIT_SHAPE_TEXT];
    if (!vit_is_float(stored))
        error_detail(error, "of type %s, not F32, F16 or BF16: %.200s", stored->dtype_text,
                     stored->name);
    else if (!vit_same_shape(stored, tensor))
        error_detail(error, "of shape %s, where the model has %s: %.200s",
                     vit_shape_text(have, stored), vit_tensor_shape_text(want, tensor),
                     stored->name);
    else
        return true;
    return false;
}

/*
 * The numbers of a stored tensor as f32, to be freed; NULL, counted as a problem, without memory or where they are
 * not finite.
 */
static float *convert(const SafeTensor *stored, size_t count, Error *error)
{
    float *values = malloc(count * sizeof *values);
    if (!values) {
        error_detail(error, "out of memory: %.200s", stored->name);
        return NULL;
    }
    dtype_to_f32(stored->dtype, stored->data, values, count);
    if (dtype_all_finite(values, count))
        return values;
    error_detail(error, "NaN or infinity: %.200s", stored->name);
    free(values);
    return NULL;
}

/* Plans to set `tensor` from the file. */
static void plan(Reading *reading, VitParameter *parameter, Tensor *tensor,
                 const SafeTensor *stored, Error *error)
{
    if (!fits(stored, tensor, error))
        return;
    float *values = convert(stored, tensor_count(tensor), error);
    if (values)
        reading->changes[reading->change_count++] = (Change){parameter, tensor, values};
}

/* A tensor that did not train must hold the base's numbers. */
static void compare(Reading *reading, const Tensor *tensor, const SafeTensor *stored, Error *error)
{
    const size_t count = tensor_count(tensor);
    float *values = fits(stored, tensor, error) ? convert(stored, count, error) : NULL;
    if (values && memcmp(values, tensor_f32(tensor), count * sizeof *values) == 0)
        reading->report.frozen_equal++;
    else if (values)
        error_detail(error, "frozen, but not as in the model: %.200s", stored->name);
    free(values);
}

static void read_encoder_tensor(Reading *reading, const VitNamed *named, Error *error)
{
    Vit *vit = reading->vit;
    VitParameter *parameter = vit_find(vit, named->native);
    if (!parameter) {
        error_detail(error, "unknown: %.200s", named->tensor->name);
    } else if (named->kind == VIT_NAME_ORIGINAL ||
               reading->chosen[parameter - vit->parameters] != VIT_TRAINS) {
        compare(reading, &parameter->tensor, named->tensor, error);
    } else {
        const bool norm = parameter->kind == VIT_LAYER_NORM;
        reading->report.layer_norms_set += norm;
        reading->report.others_set += !norm;
        plan(reading, parameter, &parameter->tensor, named->tensor, error);
    }
}

/* The scale of B A, which peft keeps in another file: without it nobody knows. False if it is no scale. */
static bool lora_scale(const Reading *reading, float *scale)
{
    const char *text = safetensors_metadata(reading->file, "lora_scale");
    if (!text || text[0] == '\0')
        return false;
    char *end = NULL;
    const locale_t before = c_locale_begin();
    *scale = strtof(text, &end);
    c_locale_end(before);
    return *end == '\0' && isfinite(*scale) && *scale > 0;
}

/* A and B of a weight, which gets W + s B A. */
static void read_lora(Reading *reading, const VitNamed *A, const VitNamed *B, Error *error)
{
    VitParameter *parameter = vit_find(reading->vit, A->native);
    if (!parameter || parameter->kind != VIT_WEIGHT) {
        error_detail(error, "LoRA of no linear map: %.200s", A->tensor->name);
        return;
    }
    if (reading->chosen[parameter - reading->vit->parameters] != VIT_LORA) {
        error_detail(error, "LoRA that no metadata \"tune\" names: %.200s", A->tensor->name);
        return;
    }
    float scale = 1;
    if (!lora_scale(reading, &scale)) {
        error_detail(error, "LoRA without metadata \"lora_scale\" above 0: %.200s",
                     A->tensor->name);
        return;
    }
    const Tensor *weight = &parameter->tensor;
    const int out = weight->shape[0], in = weight->shape[1], rank = reading->rank;
    const Tensor down = tensor_leaf(NULL, 2, (const int[]){rank, in});
    const Tensor up = tensor_leaf(NULL, 2, (const int[]){out, rank});
    if (!fits(A->tensor, &down, error) || !fits(B->tensor, &up, error))
        return;
    float *a = convert(A->tensor, tensor_count(&down), error);
    float *b = convert(B->tensor, tensor_count(&up), error);
    float *merged = malloc(tensor_count(weight) * sizeof *merged);
    if (a && b && merged)
        vit_lora_merge(tensor_f32(weight), a, b, scale, out, in, rank, merged);
    else if (a && b) /* otherwise convert has said it */
        error_detail(error, "out of memory: %.200s", A->tensor->name);
    const bool made = a && b && merged;
    const bool finite = made && dtype_all_finite(merged, tensor_count(weight));
    if (made && !finite)
        error_detail(error, "NaN or infinity in W + s B A: %.200s", A->tensor->name);
    if (finite) {
        reading->changes[reading->change_count++] = (Change){parameter, &parameter->tensor, merged};
        reading->report.loras_merged++;
    } else {
        free(merged);
    }
    free(a);
    free(b);
}

/* Reads LoRA at its A; a B alone is named. */
static void read_lora_tensor(Reading *reading, const VitNamed *named, Error *error)
{
    const bool is_a = named->kind == VIT_NAME_LORA_A;
    const VitNamed *other =
        vit_named_find_kind(reading->named, safetensors_count(reading->file),
                            is_a ? VIT_NAME_LORA_B : VIT_NAME_LORA_A, named->native);
    if (!other)
        error_detail(error, "half of LoRA: %.200s alone", named->tensor->name);
    else if (is_a)
        read_lora(reading, named, other, error);
}

/* What "tune" says has trained, LayerNorms apart, and the file does not hold. */
static void find_lacking(Reading *reading)
{
    const int count = safetensors_count(reading->file);
    for (int i = 0; i < reading->vit->parameter_count; i++) {
        const VitParameter *parameter = &reading->vit->parameters[i];
        const VitChoice choice = reading->chosen[i];
        if (choice == VIT_FROZEN || parameter->kind == VIT_LAYER_NORM ||
            vit_named_find_kind(reading->named, count,
                                choice == VIT_LORA ? VIT_NAME_LORA_A : VIT_NAME_ENCODER,
                                parameter->name))
            continue;
        if (reading->report.others_kept++ == 0)
            reading->report.first_kept = parameter->name;
    }
}

Status vit_head_kind_of_file(const SafeTensors *file, char kind[16], bool *disputed, Error *error)
{
    const char *path = safetensors_path(file), *name = safetensors_metadata(file, "head");
    VitHeadKind known;
    char beside[16] = "";
    Error unreadable = {0};
    if (disputed)
        *disputed = false;
    kind[0] = '\0';
    if (!name)
        return vit_config_head_beside(path, kind, error);
    if (!vit_head_kind_parse(name, &known))
        return error_set(
            error, STATUS_FAILED,
            "%s: metadata \"head\" is %.64s, neither LinearNorm nor linear; use a file "
            "that lnclip or GenD wrote",
            path, name);
    snprintf(kind, 16, "%s", name);
    /* What lies beside an adapter may be another model's: the file's own word is the better one. */
    if (disputed && vit_config_head_beside(path, beside, &unreadable) == STATUS_OK)
        *disputed = beside[0] && strcmp(beside, kind) != 0;
    return STATUS_OK;
}

/* The kind of the head that is read, from what its file and the caller say. */
static Status settle_kind(Reading *reading, const char *said, const VitHints *hints, Error *error)
{
    const char *path = safetensors_path(reading->file), *asked = hints->head;
    if (said[0] && asked[0] && strcmp(said, asked) != 0)
        return error_set(
            error, STATUS_USAGE,
            "%s: its head is of kind %s, not %s; leave out --head, or correct the file", path, said,
            asked);
    if (!said[0] && !asked[0])
        return error_set(
            error, STATUS_FAILED,
            "%s: neither its metadata nor a config.json beside it says of which kind its "
            "head is; pass --head LinearNorm (a head on L2-normalised features) or "
            "--head linear",
            path);
    const bool known = vit_head_kind_parse(said[0] ? said : asked, &reading->kind);
    assert(known && "the hint is one of the two names");
    (void)known;
    return STATUS_OK;
}

/* Both tensors of a head, or none. */
static void read_head(Reading *reading, Error *error)
{
    const int count = safetensors_count(reading->file);
    const VitNamed *weight = vit_named_of_kind(reading->named, count, VIT_NAME_HEAD_WEIGHT);
    const VitNamed *bias = vit_named_of_kind(reading->named, count, VIT_NAME_HEAD_BIAS);
    if (!weight && !bias)
        return;
    if (!weight || !bias) {
        error_detail(error, "half a head: %.200s alone", (weight ? weight : bias)->tensor->name);
        return;
    }
    if (!reading->head)
        return;
    plan(reading, NULL, &reading->head->weight, weight->tensor, error);
    plan(reading, NULL, &reading->head->bias, bias->tensor, error);
    reading->report.head_set = true;
}

/* The base must be computed and fed as it was in training. Adapters of older versions do not say how. */
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
                "%s: was trained on a model with %.150s, but this one is read with %s; "
                "give the model the configuration files it had, or the same --heads "
                "and --activation",
                safetensors_path(reading->file), said, texts[i]);
    }
    return STATUS_OK;
}

/* What the file says it was trained on, and what of the encoder it may change. */
static Status check_metadata(Reading *reading, Error *error)
{
    const SafeTensors *file = reading->file;
    const char *base = safetensors_metadata(file, "base_fingerprint");
    if (base && strcmp(base, reading->vit->fingerprint) != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: was made for the model %.64s, not for %s; name the model it was trained on",
            safetensors_path(file), base, reading->vit->fingerprint);
    TRY(check_base(reading, error));
    const char *tune = safetensors_metadata(file, "tune");
    if (vit_tune_choose(reading->vit, tune ? tune : "ln", reading->chosen, &reading->rank, error) ==
        STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: metadata \"tune\" is \"%.200s\", which fits nothing in this model; use "
                     "the version and "
                     "model it was made with",
                     safetensors_path(file), tune);
}

/* The half that may fail. */
static Status prepare(Reading *reading, Error *error)
{
    const int count = safetensors_count(reading->file), parameters = reading->vit->parameter_count;
    const char *path = safetensors_path(reading->file);
    TRY(vit_named_list(reading->file, &reading->named, error));
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
            read_encoder_tensor(reading, named, error);
        else if (named->kind == VIT_NAME_LORA_A || named->kind == VIT_NAME_LORA_B)
            read_lora_tensor(reading, named, error);
        else if (named->kind == VIT_NAME_UNKNOWN)
            error_detail(error, "unknown: %.200s", named->tensor->name);
    }
    read_head(reading, error);
    find_lacking(reading);
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED,
                         "%s: %d problems with its tensors; it is no adapter of this model", path,
                         error->problems);
    if (used == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: holds no LayerNorm and no head; name an adapter", path);
    if (!reading->report.head_set)
        return STATUS_OK;
    char said[16] = "";
    TRY(vit_head_kind_of_file(reading->file, said, &reading->report.head_disputed, error));
    return settle_kind(reading, said, &reading->vit->hints, error);
}

/* The half that cannot fail. */
static void apply(Reading *reading)
{
    for (int i = 0; i < reading->change_count; i++) {
        Change *change = &reading->changes[i];
        VitParameter *parameter = change->parameter;
        const size_t bytes = tensor_count(change->tensor) * sizeof(float);
        if (parameter)
            parameter->changed |= memcmp(tensor_f32(change->tensor), change->values, bytes) != 0;
        if (parameter && parameter->kind != VIT_LAYER_NORM) {
            /* May lie in the read-only mapping: it gets the memory just filled instead. */
            free(parameter->adapted);
            parameter->adapted = change->values;
            change->tensor->data = change->values;
            change->values = NULL;
        } else {
            memcpy(tensor_f32(change->tensor), change->values, bytes);
        }
    }
    if (reading->head && reading->report.head_set)
        reading->head->kind = reading->kind;
}

static void finish(Reading *reading)
{
    for (int i = 0; i < reading->change_count; i++)
        free(reading->changes[i].values);
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
    finish(&reading);
    safetensors_close(reading.file);
    return status;
}

/* The half of vit_head_read that may fail. */
static Status prepare_model_head(Reading *reading, const VitConfig *config, const VitHints *hints,
                                 Error *error)
{
    const char *path = safetensors_path(reading->file), *other = config->head;
    char said[16] = "";
    TRY(vit_named_list(reading->file, &reading->named, error));
    reading->changes = mem_new(VIT_HEAD_TENSORS, sizeof *reading->changes, path, error);
    if (!reading->changes)
        return STATUS_FAILED;
    read_head(reading, error);
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED, "%s: its head cannot be used: %s; fetch it again",
                         path, error->detail[0]);
    if (!reading->report.head_set)
        return STATUS_OK;
    TRY(vit_head_kind_of_file(reading->file, said, NULL, error));
    if (said[0] && other[0] && strcmp(said, other) != 0)
        return error_set(error, STATUS_FAILED,
                         "%s: its metadata says a head of kind %s, its config.json %s; correct the "
                         "wrong one",
                         path, said, other);
    return settle_kind(reading, said[0] ? said : other, hints, error);
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
    finish(&reading);
    return status;
}

/* Whether everything trains: then the file is a whole model, and says of what shape (load.c reads it). */
static bool is_whole(const Vit *vit)
{
    for (int i = 0; i < vit->parameter_count; i++)
        if (!vit->parameters[i].tensor.needs_grad)
            return false;
    return true;
}

Status vit_adapter_write(const Vit *vit, const VitHead *head, const VitTuned *tuned,
                         const char *path, const SafeTensorsMetadata *metadata, int metadata_count,
                         Error *error)
{
    assert(vit && tuned && path && error);
    enum { ADDED = 10 };
    char network[VIT_CONFIG_TEXT], preprocessing[VIT_CONFIG_TEXT], scale[32];
    const locale_t before = c_locale_begin();
    snprintf(scale, sizeof scale, "%.9g", (double)tuned->lora_scale); /* every bit of it */
    c_locale_end(before);
    vit_config_describe_network(&vit->config, network);
    vit_config_describe_preprocessing(&vit->config, preprocessing);
    SafeTensor *tensors = mem_new(tuned->entry_count, sizeof *tensors, path, error);
    SafeTensorsMetadata *all = mem_new(metadata_count + ADDED, sizeof *all, path, error);
    const bool whole = is_whole(vit);
    char *config = whole ? vit_config_format(&vit->config, error) : NULL;
    char *seen = whole ? vit_config_format_preprocessor(&vit->config, error) : NULL;
    Status status = STATUS_FAILED;
    if (!tensors || !all || (whole && (!config || !seen)))
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
    if (tuned->loras > 0)
        all[count++] = (SafeTensorsMetadata){"lora_scale", scale};
    if (whole) {
        all[count++] = (SafeTensorsMetadata){"config", config};
        all[count++] = (SafeTensorsMetadata){"preprocessor_config", seen};
    }
    status = safetensors_write(path, tensors, tuned->entry_count, all, count, error);
done:
    free(seen);
    free(config);
    free(all);
    free(tensors);
    return status;
}
