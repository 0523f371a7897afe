/*
 * load.c - vit_load: from files to an encoder, with nothing missing, left over or of another shape.
 *
 * f32 weights are used where they lie in the mapped file, so loading 1.2 GB costs no copy. LayerNorms are
 * copied: they are small, and an adapter may change them.
 */
#include "tensor/file.h"
#include "vit/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Paths {
    char model[FILE_PATH_SIZE];
    char config[FILE_PATH_SIZE];
    char preprocessor[FILE_PATH_SIZE];
    bool folder; /* a folder must hold a config.json */
} Paths;

static Status find_files(const char *path, Paths *paths, Error *error)
{
    char folder[FILE_PATH_SIZE];
    TRY(file_join(folder, "", path, error));
    paths->folder = file_is_folder(path);
    if (paths->folder) {
        TRY(file_join(paths->model, folder, "model.safetensors", error));
        if (!file_exists(paths->model)) {
            char index[FILE_PATH_SIZE];
            TRY(file_join(index, folder, "model.safetensors.index.json", error));
            if (!file_exists(index))
                return error_set(
                    error, STATUS_FAILED,
                    "%s: holds neither model.safetensors nor its index; name a model folder", path);
            memcpy(paths->model, index, sizeof index);
        }
    } else {
        memcpy(paths->model, folder, sizeof folder);
        folder[file_name(path) - path] = '\0';
    }
    TRY(file_join(paths->config, folder, "config.json", error));
    return file_join(paths->preprocessor, folder, "preprocessor_config.json", error);
}

/* The configuration as far as files tell it; width 0 if the tensors have to. */
static Status find_config(const Paths *paths, const SafeTensors *file, VitConfig *config,
                          Error *error)
{
    if (paths->folder || file_exists(paths->config))
        return vit_config_read(paths->config, paths->preprocessor, config, error);
    const char *const text = safetensors_metadata(file, "config");
    const char *const seen = safetensors_metadata(file, "preprocessor_config");
    char origin[FILE_PATH_SIZE + 64];
    snprintf(origin, sizeof origin, "%s: metadata \"config\"", paths->model);
    if (text)
        TRY(vit_config_parse(text, origin, config, error));
    else
        *config = vit_config_unknown();
    if (file_exists(paths->preprocessor))
        return vit_config_read_preprocessor(paths->preprocessor, config, error);
    snprintf(origin, sizeof origin, "%s: metadata \"preprocessor_config\"", paths->model);
    if (seen)
        return vit_config_parse_preprocessor(seen, origin, config, error);
    vit_config_assume(config, "no preprocessor_config.json: CLIP's mean and std");
    return STATUS_OK;
}

static const SafeTensor *find(const VitNamed *named, int count, const char *native, int ndim)
{
    const VitNamed *const found = vit_named_find(named, count, native);
    if (!found || found->tensor->ndim != ndim)
        return NULL;
    for (int i = 0; i < ndim; i++)
        if (found->tensor->shape[i] < 1 || found->tensor->shape[i] > 1 << 20)
            return NULL;
    return found->tensor;
}

/* Takes the shape from the tensors: all but the number of heads, which they do not tell. */
static Status infer_shape(const char *path, const VitNamed *named, int count, VitConfig *config,
                          Error *error)
{
    static const char *const patch_name = "vision_model.embeddings.patch_embedding.weight";
    static const char *const position_name = "vision_model.embeddings.position_embedding.weight";
    static const char *const fc1_name = "vision_model.encoder.layers.0.mlp.fc1.weight";
    const SafeTensor *const patch = find(named, count, patch_name, 4);
    const SafeTensor *const position = find(named, count, position_name, 2);
    const SafeTensor *const fc1 = find(named, count, fc1_name, 2);
    if (!patch || !position || !fc1)
        return error_set(
            error, STATUS_FAILED,
            "%s: has no usable tensor %s, so it is no CLIP vision model; name another file", path,
            !patch      ? patch_name
            : !position ? position_name
                        : fc1_name);
    config->width = (int)patch->shape[0];
    config->patch_size = (int)patch->shape[2];
    config->mlp = (int)fc1->shape[0];
    config->heads = config->width / 64;
    char name[VIT_NAME_SIZE];
    do
        snprintf(name, sizeof name, "vision_model.encoder.layers.%d.layer_norm1.weight",
                 config->layers++);
    while (config->layers <= 1000 && vit_named_find(named, count, name));
    config->layers--;

    const int patches = (int)position->shape[0] - 1;
    int side = 1;
    while ((side + 1) * (side + 1) <= patches)
        side++;
    if (side * side != patches || config->width % 64 != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: %d tokens of width %d fit no square image and heads of 64; put its config.json "
            "beside it",
            path, patches + 1, config->width);
    if (config->image_size == 0)
        config->image_size = side * config->patch_size;
    else if (config->image_size / config->patch_size != side)
        return error_set(
            error, STATUS_FAILED,
            "%s: has %d patches a side, but preprocessor_config.json makes images of %d pixels; "
            "correct it",
            path, side, config->image_size);
    vit_config_assume(config, "no shape in a config.json: heads = width/64, quick_gelu, eps 1e-5");
    return vit_config_check(config, path, error);
}

/* Finds the stored tensor of each parameter, sources [parameter_count]; lists all that is wrong. */
static Status match(const Vit *vit, const char *path, const VitNamed *named, int count,
                    const SafeTensor **sources, Error *error)
{
    int missing = 0, wrong = 0, unexpected = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        const VitNamed *const found = vit_named_find(named, count, parameter->name);
        char have[VIT_SHAPE_TEXT], want[VIT_SHAPE_TEXT];
        if (!found) {
            missing++;
            error_detail(error, "missing: %s", parameter->name);
        } else if (!vit_is_float(found->tensor)) {
            wrong++;
            error_detail(error, "of type %s, not F32, F16 or BF16: %.200s",
                         found->tensor->dtype_text, found->tensor->name);
        } else if (!vit_same_shape(found->tensor, &parameter->tensor)) {
            wrong++;
            error_detail(error, "of shape %s, where the configuration asks for %s: %.200s",
                         vit_shape_text(have, found->tensor),
                         vit_tensor_shape_text(want, &parameter->tensor), found->tensor->name);
        } else {
            sources[i] = found->tensor;
        }
    }
    for (int i = 0; i < count; i++) {
        const bool known = named[i].kind == VIT_NAME_ENCODER
                               ? vit_find(vit, named[i].native) != NULL
                               : named[i].kind != VIT_NAME_UNKNOWN &&
                                     named[i].kind != VIT_NAME_LORA_A &&
                                     named[i].kind != VIT_NAME_LORA_B;
        if (known)
            continue;
        unexpected++;
        error_detail(error, "unexpected: %.200s", named[i].tensor->name);
    }
    if (error->problems == 0)
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "%s: %d tensors missing, %d unexpected, %d of wrong shape or type; check that it belongs "
        "to this config.json",
        path, missing, unexpected, wrong);
}

/* True if the numbers can be used where they lie: f32, aligned, and nothing an adapter changes. */
static bool usable_in_place(const VitParameter *parameter, const SafeTensor *source)
{
    return parameter->kind != VIT_LAYER_NORM && source->dtype == DTYPE_F32 &&
           (uintptr_t)source->data % sizeof(float) == 0;
}

/* Points parameters at their numbers in the mapped file, where those are usable as they lie. */
static void use_mapping(Vit *vit, const SafeTensor *const *sources)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *const parameter = &vit->parameters[i];
        parameter->mapped = usable_in_place(parameter, sources[i]);
        /* Nobody writes through this pointer: what may be written gets memory of its own. */
        if (parameter->mapped)
            parameter->tensor.data = (void *)(uintptr_t)sources[i]->data;
    }
}

typedef struct Conversion {
    Vit *vit;
    const SafeTensor *const *sources;
} Conversion;

static void convert_task(void *context, int task, int worker)
{
    (void)worker;
    const Conversion *const conversion = context;
    const SafeTensor *const source = conversion->sources[task];
    const Tensor *const tensor = &conversion->vit->parameters[task].tensor;
    if (!conversion->vit->parameters[task].mapped)
        dtype_to_f32(source->dtype, source->data, tensor->data, tensor_count(tensor));
}

/* Makes the numbers of all parameters available. */
static Status bind(Vit *vit, const char *path, const SafeTensor *const *sources, Threads *threads,
                   Error *error)
{
    use_mapping(vit, sources);
    TRY(vit_make_room(vit, error));
    Conversion conversion = {vit, sources};
    threads_run(threads, vit->parameter_count, convert_task, &conversion);
    return vit_compute_fingerprint(vit, path, threads, error);
}

/* Builds the encoder from an opened file and takes the file over, on success alone. */
static Status load(Vit **out, SafeTensors *file, VitConfig *config, Threads *threads, Error *error)
{
    VitNamed *named = NULL;
    const SafeTensor **sources = NULL;
    Vit *vit = NULL;
    const char *const path = safetensors_path(file);
    const int count = safetensors_count(file);
    TRY(vit_named_list(file, &named, error));
    Status status = STATUS_OK;
    if (config->width == 0)
        status = infer_shape(path, named, count, config, error);
    if (status == STATUS_OK)
        status = vit_build(&vit, config, error);
    if (status == STATUS_OK && !(sources = calloc((size_t)vit->parameter_count, sizeof *sources)))
        status = error_set(error, STATUS_FAILED, "%s: no memory for its names; free some", path);
    if (status == STATUS_OK)
        status = match(vit, path, named, count, sources, error);
    if (status == STATUS_OK)
        status = bind(vit, path, sources, threads, error);
    free(sources);
    free(named);
    if (status != STATUS_OK) {
        vit_destroy(vit);
        return status;
    }
    vit->file = file;
    *out = vit;
    return STATUS_OK;
}

Status vit_load(Vit **out, const char *path, Threads *threads, Error *error)
{
    assert(out && path && error);
    *out = NULL;
    Paths paths;
    VitConfig config;
    SafeTensors *file;
    TRY(find_files(path, &paths, error));
    TRY(safetensors_open(&file, paths.model, error));
    Status status = find_config(&paths, file, &config, error);
    if (status == STATUS_OK)
        status = load(out, file, &config, threads, error);
    if (status != STATUS_OK)
        safetensors_close(file);
    return status;
}
