/*
 * load.c - vit_load: an encoder from files. Tensors and configuration must match exactly.
 *
 * f32 weights are used in place from the mapped file, so loading 1.2 GB needs no copy. LayerNorms
 * are copied: they are small, and an adapter may change them.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Paths {
    char folder[FILE_PATH_SIZE]; /* folder of config.json; "" is the working directory */
    char model[FILE_PATH_SIZE];
    char config[FILE_PATH_SIZE];
    bool is_folder; /* a folder must hold a config.json */
} Paths;

static Status find_files(const char *path, Paths *paths, Error *error)
{
    TRY(file_join(paths->folder, "", path, error));
    paths->is_folder = file_is_folder(path);
    if (paths->is_folder) {
        TRY(file_join(paths->model, paths->folder, "model.safetensors", error));
        if (!file_exists(paths->model)) {
            char index[FILE_PATH_SIZE];
            TRY(file_join(index, paths->folder, "model.safetensors.index.json", error));
            if (!file_exists(index))
                return error_set(
                    error, STATUS_FAILED,
                    "%s: contains neither model.safetensors nor its index; choose a model folder",
                    path);
            memcpy(paths->model, index, sizeof index);
        }
    } else {
        memcpy(paths->model, paths->folder, sizeof paths->folder);
        paths->folder[file_name(path) - path] = '\0';
    }
    return file_join(paths->config, paths->folder, "config.json", error);
}

/* ---- the backbone of a GenD model ---- */

/* True if the backbone's name implies activation, eps, head width and preprocessing. */
static bool is_known(const VitConfig *config)
{
    const char *known = config->tower->known;
    return strncmp(config->backbone, known, strlen(known)) == 0;
}

/* True if `folder` has a config.json. In the Hugging Face cache, `folder` becomes the snapshot of
 * the main branch. */
static bool has_config(char folder[FILE_PATH_SIZE])
{
    char path[FILE_PATH_SIZE], *revision = NULL;
    size_t size;
    Error error = {0};
    if (file_join(path, folder, "config.json", &error) == STATUS_OK && file_exists(path))
        return true;
    if (file_join(path, folder, "refs/main", &error) != STATUS_OK || !file_exists(path) ||
        file_read(path, 256, &revision, &size, &error) != STATUS_OK)
        return false;
    revision[strcspn(revision, " \r\n")] = '\0';
    const int length = snprintf(path, sizeof path, "%s/snapshots/%s", folder, revision);
    free(revision);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    memcpy(folder, path, length + 1);
    return file_join(path, folder, "config.json", &error) == STATUS_OK && file_exists(path);
}

/* The download cache of huggingface_hub; false if no variable gives it. */
static bool hub_cache(char folder[FILE_PATH_SIZE])
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"HF_HUB_CACHE", ""},
        {"HUGGINGFACE_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *value = getenv(places[i].variable);
        if (!value || value[0] == '\0')
            continue;
        const int length = snprintf(folder, FILE_PATH_SIZE, "%s%s", value, places[i].below);
        return length > 0 && length < FILE_PATH_SIZE;
    }
    return false;
}

/* Finds the snapshot of the model `id` ("owner/name") in the cache; false if it has none. */
static bool find_in_cache(const char *id, char folder[FILE_PATH_SIZE])
{
    Error error = {0};
    char cache[FILE_PATH_SIZE], name[FILE_PATH_SIZE];
    if (id[0] == '/' || id[0] == '.' || !hub_cache(cache))
        return false;
    size_t used = snprintf(name, sizeof name, "models--");
    for (const char *at = id; *at && used + 3 < sizeof name; at++) {
        if (*at == '/')
            name[used++] = '-';
        name[used++] = *at == '/' ? '-' : *at;
    }
    name[used] = '\0';
    return file_join(folder, cache, name, &error) == STATUS_OK && has_config(folder);
}

/*
 * Finds the folder with the backbone's config.json. `backbone` is a path relative to the working
 * directory or to the model's folder, or the name of a model in the Hugging Face cache.
 */
static bool find_backbone(const char *backbone, const char *model_folder,
                          char folder[FILE_PATH_SIZE])
{
    Error error = {0};
    if (file_join(folder, "", backbone, &error) == STATUS_OK && has_config(folder))
        return true;
    if (file_join(folder, model_folder, backbone, &error) == STATUS_OK && has_config(folder))
        return true;
    return find_in_cache(backbone, folder);
}

/* ---- the configuration ---- */

/*
 * Reads config.json or the file's metadata. These give everything, the activation alone, or
 * nothing. The shape of a GenD model comes from the metadata, else from its backbone. `backbone`
 * becomes the backbone's folder, or "" if it was not read.
 */
static Status read_config(const Paths *paths, const SafeTensors *file, VitConfig *config,
                          char backbone[FILE_PATH_SIZE], Error *error)
{
    char origin[FILE_PATH_SIZE + 64], path[FILE_PATH_SIZE];
    backbone[0] = '\0';
    const char *text = safetensors_metadata(file, "config");
    snprintf(origin, sizeof origin, "%s: metadata \"config\"", paths->model);
    if (paths->is_folder || file_exists(paths->config))
        TRY(vit_config_read(paths->config, config, error));
    else if (text)
        TRY(vit_config_parse(text, origin, config, error));
    else
        *config = vit_config_unknown();
    if (!config->backbone[0])
        return STATUS_OK;
    VitConfig named = {.width = 0};
    if (text) /* written by lnclip for these tensors */
        TRY(vit_config_parse(text, origin, &named, error));
    if (named.width == 0 && is_known(config)) {
        vit_activation_parse(config->tower->activation, &config->activation);
        return STATUS_OK;
    }
    if (named.width == 0) {
        if (!find_backbone(config->backbone, paths->folder, backbone)) {
            backbone[0] = '\0';
            return STATUS_OK;
        }
        TRY(file_join(path, backbone, "config.json", error));
        TRY(vit_config_read(path, &named, error));
        if (named.width == 0)
            return error_set(error, STATUS_FAILED,
                             "%s: does not give the shape of a CLIP; correct the backbone in %s",
                             path, paths->config);
    }
    memcpy(named.head, config->head, sizeof named.head);
    memcpy(named.backbone, config->backbone, sizeof named.backbone);
    *config = named;
    return STATUS_OK;
}

/* Reads the preprocessing from the model's files, else its metadata, else its backbone's files. */
static Status read_preprocessing(const Paths *paths, const SafeTensors *file, const char *backbone,
                                 VitConfig *config, Error *error)
{
    bool found;
    TRY(vit_config_read_preprocessor(paths->folder, config, &found, error));
    const char *text = safetensors_metadata(file, "preprocessor_config");
    if (!found && text) {
        char origin[FILE_PATH_SIZE + 64];
        snprintf(origin, sizeof origin, "%s: metadata \"preprocessor_config\"", paths->model);
        return vit_config_parse_preprocessor(text, origin, config, error);
    }
    if (!found && backbone[0])
        TRY(vit_config_read_preprocessor(backbone, config, &found, error));
    if (!found && !is_known(config))
        vit_config_assume(config, "no preprocessor_config.json: CLIP's mean and std");
    return STATUS_OK;
}

/* Checks the hints against the configuration and fills in the activation. */
static Status apply_hints(const char *path, const VitHints *hints, VitConfig *config, Error *error)
{
    if (config->activation != ACTIVATION_NONE && hints->activation != ACTIVATION_NONE &&
        config->activation != hints->activation)
        return error_set(
            error, STATUS_USAGE,
            "%s: its configuration says activation %s, not %s; leave out --activation, "
            "or correct the configuration",
            path, vit_activation_name(config->activation), vit_activation_name(hints->activation));
    if (config->heads > 0 && hints->heads > 0 && config->heads != hints->heads)
        return error_set(error, STATUS_USAGE,
                         "%s: its configuration says %d heads, not %d; leave out --heads, or "
                         "correct the configuration",
                         path, config->heads, hints->heads);
    if (config->activation == ACTIVATION_NONE)
        config->activation = hints->activation;
    if (config->activation != ACTIVATION_NONE)
        return STATUS_OK;
    if (config->backbone[0])
        return error_set(
            error, STATUS_FAILED,
            "%s: the config.json of its backbone \"%s\" is neither at that path nor in the "
            "Hugging Face cache; get it with `huggingface-cli download %s config.json "
            "preprocessor_config.json`, or pass --activation quick_gelu or gelu",
            path, config->backbone, config->backbone);
    return error_set(error, STATUS_FAILED,
                     "%s: has no configuration, and tensors do not show the activation; put its "
                     "config.json next to it, or pass --activation quick_gelu (OpenAI's weights) "
                     "or gelu (most of open_clip's)",
                     path);
}

/* The stored tensor for a slot, in the first block, or NULL if it is missing or its shape is
 * unusable. `native` becomes its name. */
static const SafeTensor *find(const VitTower *tower, const VitNamed *named, int count, VitSlot slot,
                              int ndim, char native[VIT_NAME_SIZE])
{
    vit_tensor_name(tower, vit_tower_row(tower, slot), 0, native);
    const VitNamed *found = vit_named_find(named, count, native);
    if (!found || found->tensor->ndim != ndim)
        return NULL;
    for (int i = 0; i < ndim; i++)
        if (found->tensor->shape[i] < 1 || found->tensor->shape[i] > 1 << 20)
            return NULL;
    return found->tensor;
}

/* Sets the number of heads, which tensors do not show: from the hints, else by the usual head
 * width. */
static Status infer_heads(const char *path, const VitHints *hints, VitConfig *config, Error *error)
{
    const bool known = is_known(config);
    const int head_width = config->tower->head_width;
    config->heads = hints->heads;
    if (config->heads > 0 && known && config->heads * head_width != config->width)
        return error_set(error, STATUS_USAGE,
                         "%s: its backbone %s has %d heads of width %d, not %d; leave out --heads",
                         path, config->backbone, config->width / head_width, head_width,
                         config->heads);
    if (config->heads > 0)
        return STATUS_OK;
    if (config->width % head_width != 0 ||
        (config->width > config->tower->head_width_limit && !known))
        return error_set(error, STATUS_FAILED,
                         "%s: tensors of width %d do not show the number of heads; put its "
                         "config.json next to it, or pass --heads N (16 for ViT-H, g and bigG)",
                         path, config->width);
    config->heads = config->width / head_width;
    if (!known)
        vit_config_assume(config, "no shape in a config.json: heads = width/64, eps 1e-5");
    return STATUS_OK;
}

/* Sets the shape from the tensors, and the number of heads by infer_heads. */
static Status infer_shape(const char *path, const VitNamed *named, int count, const VitHints *hints,
                          VitConfig *config, Error *error)
{
    char names[3][VIT_NAME_SIZE];
    const SafeTensor *patch = find(config->tower, named, count, VIT_PATCH_EMBEDDING, 4, names[0]);
    const SafeTensor *position =
        find(config->tower, named, count, VIT_POSITION_EMBEDDING, 2, names[1]);
    const SafeTensor *fc1 = find(config->tower, named, count, VIT_FC1_WEIGHT, 2, names[2]);
    if (!patch || !position || !fc1)
        return error_set(
            error, STATUS_FAILED,
            "%s: has no usable tensor %s, so it is not a CLIP vision model; choose another file",
            path,
            names[!patch      ? 0
                  : !position ? 1
                              : 2]);
    config->width = (int)patch->shape[0];
    config->patch_size = (int)patch->shape[2];
    config->mlp = (int)fc1->shape[0];
    TRY(infer_heads(path, hints, config, error));
    char name[VIT_NAME_SIZE];
    do
        vit_tensor_name(config->tower, vit_tower_row(config->tower, VIT_LN1_WEIGHT),
                        config->layers++, name);
    while (config->layers <= 1000 && vit_named_find(named, count, name));
    config->layers--;

    const int patches = (int)position->shape[0] - 1;
    int side = 1;
    while ((side + 1) * (side + 1) <= patches)
        side++;
    if (side * side != patches)
        return error_set(error, STATUS_FAILED,
                         "%s: %d tokens do not form a square; put its config.json next to it", path,
                         patches + 1);
    if (config->image_size == 0)
        config->image_size = side * config->patch_size;
    else if (config->image_size / config->patch_size != side)
        return error_set(
            error, STATUS_FAILED,
            "%s: has %d patches per side, but its preprocessing makes images of %d pixels; "
            "correct it",
            path, side, config->image_size);
    return vit_config_check(config, path, error);
}

/* Finds the stored tensor of each parameter: sources [parameter_count]. Lists all problems. */
static Status match(const Vit *vit, const char *path, const VitNamed *named, int count,
                    const SafeTensor **sources, Error *error)
{
    int missing = 0, wrong = 0, unexpected = 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        const VitNamed *found = vit_named_find(named, count, parameter->name);
        char have[VIT_SHAPE_TEXT], want[VIT_SHAPE_TEXT];
        if (!found) {
            missing++;
            error_detail(error, "missing: %s", parameter->name);
        } else if (!vit_is_float(found->tensor)) {
            wrong++;
            error_detail(error, "type %s is not F32, F16 or BF16: %.200s",
                         found->tensor->dtype_text, found->tensor->name);
        } else if (!vit_same_shape(found->tensor, &parameter->tensor)) {
            wrong++;
            error_detail(error, "shape %s, but the configuration requires %s: %.200s",
                         vit_shape_text(have, found->tensor),
                         vit_tensor_shape_text(want, &parameter->tensor), found->tensor->name);
        } else {
            sources[i] = found->tensor;
        }
    }
    for (int i = 0; i < count; i++) {
        const bool known =
            named[i].kind == VIT_NAME_ENCODER
                ? vit_find(vit, named[i].native) != NULL
                : named[i].kind != VIT_NAME_UNKNOWN && named[i].kind != VIT_NAME_PART;
        if (known)
            continue;
        unexpected++;
        error_detail(error, "unexpected: %.200s", named[i].tensor->name);
    }
    if (error->problems == 0)
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "%s: %d tensors missing, %d unexpected, %d with wrong shape or type; check that it belongs "
        "to this config.json",
        path, missing, unexpected, wrong);
}

/* True if the mapped values can be used in place: f32, aligned, and not a LayerNorm. */
static bool usable_in_place(const VitParameter *parameter, const SafeTensor *source)
{
    return parameter->kind != VIT_LAYER_NORM && source->dtype == DTYPE_F32 &&
           (uintptr_t)source->data % sizeof(float) == 0;
}

/* Makes parameters use their values in the mapped file where possible. */
static void use_mapping(Vit *vit, const SafeTensor *const *sources)
{
    for (int i = 0; i < vit->parameter_count; i++) {
        VitParameter *parameter = &vit->parameters[i];
        parameter->mapped = usable_in_place(parameter, sources[i]);
        /* Nothing writes through this pointer; tensors that change get their own memory. */
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
    const Conversion *conversion = context;
    const SafeTensor *source = conversion->sources[task];
    const Tensor *tensor = &conversion->vit->parameters[task].tensor;
    if (!conversion->vit->parameters[task].mapped)
        dtype_to_f32(source->dtype, source->data, tensor->data, tensor_count(tensor));
}

/* Sets the values of all parameters: mapped or converted. */
static Status bind(Vit *vit, const char *path, const SafeTensor *const *sources, Threads *threads,
                   Error *error)
{
    use_mapping(vit, sources);
    TRY(vit_allocate_values(vit, error));
    Conversion conversion = {vit, sources};
    threads_run(threads, vit->parameter_count, convert_task, &conversion);
    return vit_compute_fingerprint(vit, path, threads, error);
}

/* Builds the encoder from an open file. On success the encoder owns the file. */
static Status load(Vit **out, SafeTensors *file, const VitHints *hints, VitConfig *config,
                   Threads *threads, Error *error)
{
    VitNamed *named = NULL;
    const SafeTensor **sources = NULL;
    Vit *vit = NULL;
    const char *path = safetensors_path(file);
    const int count = safetensors_count(file);
    Status status = vit_named_list(file, config->tower, &named, error);
    if (status == STATUS_OK && config->width == 0)
        status = infer_shape(path, named, count, hints, config, error);
    if (status == STATUS_OK)
        status = apply_hints(path, hints, config, error);
    if (status == STATUS_OK)
        status = vit_build(&vit, config, error);
    if (status != STATUS_OK)
        goto done;
    sources = mem_new(vit->parameter_count, sizeof *sources, path, error);
    status = sources ? match(vit, path, named, count, sources, error) : STATUS_FAILED;
    if (status == STATUS_OK)
        status = bind(vit, path, sources, threads, error);
    if (status != STATUS_OK)
        goto done;
    vit->file = file;
    vit->hints = *hints;
    *out = vit;
    vit = NULL;
done:
    vit_destroy(vit);
    free(sources);
    free(named);
    return status;
}

Status vit_load_with(Vit **out, const char *path, const VitHints *hints, Threads *threads,
                     Error *error)
{
    assert(out && path && hints && error);
    *out = NULL;
    Paths paths;
    VitConfig config;
    SafeTensors *file;
    char backbone[FILE_PATH_SIZE];
    TRY(find_files(path, &paths, error));
    TRY(safetensors_open(&file, paths.model, error));
    Status status = read_config(&paths, file, &config, backbone, error);
    if (status == STATUS_OK)
        status = read_preprocessing(&paths, file, backbone, &config, error);
    if (status == STATUS_OK)
        status = load(out, file, hints, &config, threads, error);
    if (status != STATUS_OK)
        safetensors_close(file);
    return status;
}

Status vit_model_file(const char *path, char file[FILE_PATH_SIZE], Error *error)
{
    Paths paths;
    TRY(find_files(path, &paths, error));
    memcpy(file, paths.model, sizeof paths.model);
    return STATUS_OK;
}

/* True for the form owner/name of a model on the Hugging Face Hub. */
static bool is_hub_id(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-_.";
    const size_t owner = strspn(name, allowed);
    if (owner == 0 || name[0] == '.' || name[owner] != '/')
        return false;
    const char *model = name + owner + 1;
    return model[0] != '\0' && model[strspn(model, allowed)] == '\0';
}

/* Fails for a model of the Hub that is not in the cache, with commands that download it. */
static Status not_in_cache(const char *id, const char *why, Error *error)
{
    static const char files[] = "config.json preprocessor_config.json model.safetensors";
    return error_set(
        error, STATUS_FAILED,
        "%s: %s; get it with `hf download %s %s` (older versions: huggingface-cli download), or "
        "with `for f in %s; do curl -fL --create-dirs -o %s/$f "
        "https://huggingface.co/%s/resolve/main/$f; done`",
        id, why, id, files, files, id, id);
}

Status vit_model_find(const char *name, char path[FILE_PATH_SIZE], Error *error)
{
    Paths paths;
    char why[FILE_PATH_SIZE + 128], cache[FILE_PATH_SIZE] = "no home folder";
    if (file_exists(name)) {
        TRY(find_files(name, &paths, error));
        return file_join(path, "", name, error);
    }
    if (!is_hub_id(name))
        return error_set(error, STATUS_FAILED,
                         "%s: no such file or folder; name a model folder or file, or a model in "
                         "the Hugging Face cache as owner/name",
                         name);
    const bool found = find_in_cache(name, path);
    hub_cache(cache);
    if (found && find_files(path, &paths, error) == STATUS_OK)
        return STATUS_OK;
    if (found)
        return not_in_cache(name, "is in the Hugging Face cache without model.safetensors", error);
    snprintf(why, sizeof why, "is neither a path nor in the Hugging Face cache (%s)", cache);
    return not_in_cache(name, why, error);
}

Status vit_load(Vit **out, const char *path, Threads *threads, Error *error)
{
    return vit_load_with(out, path, &(VitHints){0}, threads, error);
}
