/*
 * config.c - see config.h.
 *
 * Keys and defaults: transformers' CLIPVisionConfig and CLIPImageProcessor. Unsupported values that
 * would change the result are errors. With another activation or resize, the features would be
 * slightly wrong without any warning.
 */
#include "vit/config.h"

#include "tensor/base/c_locale.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/towers/tower.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_JSON = 16 << 20 }; /* bytes; actual files have a few thousand */

int vit_tokens(const VitConfig *config)
{
    const int side = config->image_size / config->patch_size;
    return side * side + 1;
}

VitConfig vit_config_unknown(void)
{
    const VitTower *tower = vit_tower_default;
    VitConfig config = {.tower = tower, .eps = tower->eps};
    memcpy(config.mean, tower->mean, sizeof config.mean);
    memcpy(config.std, tower->std, sizeof config.std);
    return config;
}

static void set_shape(VitConfig *config, const VitShape *shape)
{
    config->image_size = shape->image_size;
    config->patch_size = shape->patch_size;
    config->width = shape->width;
    config->layers = shape->layers;
    config->heads = shape->heads;
    config->mlp = shape->mlp;
}

Status vit_config_named(const char *arch, VitConfig *config, Error *error)
{
    const VitTower *tower = vit_tower_default;
    for (int i = 0; i < tower->shape_count; i++) {
        if (strcmp(tower->shapes[i].name, arch) != 0)
            continue;
        *config = vit_config_unknown();
        vit_activation_parse(tower->activation, &config->activation);
        set_shape(config, &tower->shapes[i]);
        return STATUS_OK;
    }
    return error_set(error, STATUS_USAGE, "%s: unknown architecture; choose %s", arch,
                     tower->shape_names);
}

const char *vit_config_name(const VitConfig *config)
{
    for (int i = 0; i < config->tower->shape_count; i++) {
        const VitShape *shape = &config->tower->shapes[i];
        if (shape->image_size == config->image_size && shape->patch_size == config->patch_size &&
            shape->width == config->width && shape->layers == config->layers &&
            shape->heads == config->heads && shape->mlp == config->mlp)
            return shape->name;
    }
    return "vit";
}

static const char *const activation_names[] = {
    [ACTIVATION_NONE] = "none",
    [ACTIVATION_QUICK_GELU] = "quick_gelu",
    [ACTIVATION_GELU] = "gelu",
};

bool vit_activation_parse(const char *name, Activation *activation)
{
    for (Activation i = ACTIVATION_QUICK_GELU; i <= ACTIVATION_GELU; i++) {
        if (strcmp(name, activation_names[i]) != 0)
            continue;
        *activation = i;
        return true;
    }
    return false;
}

const char *vit_activation_name(Activation activation)
{
    return activation_names[activation];
}

void vit_config_assume(VitConfig *config, const char *sentence)
{
    char *end = config->assumptions + strlen(config->assumptions);
    const size_t free_bytes = config->assumptions + sizeof config->assumptions - end;
    const size_t separator = end > config->assumptions ? 2 : 0, length = strlen(sentence);
    if (separator + length >= free_bytes)
        return;
    memcpy(end, "; ", separator);
    memcpy(end + separator, sentence, length + 1);
}

static Status bad_value(const char *origin, const char *key, const char *what, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: %s %s; use the config.json of a CLIP vision model",
                     origin, key, what);
}

Status vit_config_check(const VitConfig *config, const char *origin, Error *error)
{
    const struct {
        const char *key;
        int value, limit;
    } sizes[] = {
        {"image_size", config->image_size, 8192},      {"patch_size", config->patch_size, 1024},
        {"hidden_size", config->width, 65536},         {"num_hidden_layers", config->layers, 999},
        {"num_attention_heads", config->heads, 65536}, {"intermediate_size", config->mlp, 1 << 20},
    };
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (sizes[i].value < 1 || sizes[i].value > sizes[i].limit)
            return error_set(error, STATUS_FAILED, "%s: %s is %d, not in 1..%d; correct it", origin,
                             sizes[i].key, sizes[i].value, sizes[i].limit);
    if (config->patch_size > config->image_size)
        return error_set(error, STATUS_FAILED,
                         "%s: patch_size %d does not fit into image_size %d; correct it", origin,
                         config->patch_size, config->image_size);
    if (config->width % config->heads != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: hidden_size %d is not a multiple of num_attention_heads %d; correct it", origin,
            config->width, config->heads);
    return STATUS_OK;
}

/* Parses `text` as one JSON object. The caller releases it. */
static Status parse_object(const char *text, const char *origin, json_t **object, Error *error)
{
    json_error_t reason;
    *object = json_loads(text, JSON_REJECT_DUPLICATES, &reason);
    if (!*object)
        return error_set(error, STATUS_FAILED,
                         "%s: is not valid JSON: %s (line %d); fetch it again", origin, reason.text,
                         reason.line);
    if (json_is_object(*object))
        return STATUS_OK;
    json_decref(*object);
    *object = NULL;
    return error_set(error, STATUS_FAILED, "%s: is not a JSON object; fetch it again", origin);
}

/* The value of `key`; NULL, meaning the default, if it is missing or null. */
static const json_t *value_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* Sets *target if the key is present. vit_config_check checks the range. */
static Status read_int(const json_t *object, const char *key, const char *origin, int *target,
                       Error *error)
{
    const json_t *value = value_of(object, key);
    if (!value)
        return STATUS_OK;
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > 1 << 20)
        return bad_value(origin, key, "is not an integer from 1 to 1048576", error);
    *target = (int)number;
    return STATUS_OK;
}

static Status read_activation(const json_t *vision, const char *origin, VitConfig *config,
                              Error *error)
{
    const json_t *value = value_of(vision, "hidden_act");
    const char *name = value ? json_string_value(value) : config->tower->activation;
    if (name && vit_activation_parse(name, &config->activation))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: hidden_act \"%.64s\" is not supported; quick_gelu and gelu are", origin,
                     name ? name : "(not a string)");
}

/* The keys of CLIPVisionConfig. */
static Status read_vision(const json_t *vision, const char *origin, VitConfig *config, Error *error)
{
    set_shape(config, &config->tower->defaults);
    int channels = 3;
    TRY(read_int(vision, "image_size", origin, &config->image_size, error));
    TRY(read_int(vision, "patch_size", origin, &config->patch_size, error));
    TRY(read_int(vision, "hidden_size", origin, &config->width, error));
    TRY(read_int(vision, "num_hidden_layers", origin, &config->layers, error));
    TRY(read_int(vision, "num_attention_heads", origin, &config->heads, error));
    TRY(read_int(vision, "intermediate_size", origin, &config->mlp, error));
    TRY(read_int(vision, "num_channels", origin, &channels, error));
    if (channels != 3)
        return bad_value(origin, "num_channels", "is not 3", error);
    const json_t *eps = value_of(vision, "layer_norm_eps");
    if (eps) {
        config->eps = (float)json_number_value(eps);
        if (!json_is_number(eps) || !(config->eps > 0 && config->eps < 1))
            return bad_value(origin, "layer_norm_eps", "is not a number between 0 and 1", error);
    }
    TRY(read_activation(vision, origin, config, error));
    return vit_config_check(config, origin, error);
}

/* True for the config.json of a GenD model. Older files lack the type. */
static bool is_gend(const json_t *root)
{
    const char *type = json_string_value(value_of(root, "model_type"));
    return type ? strcasecmp(type, "gend") == 0 : json_object_get(root, "backbone") != NULL;
}

static bool is_head_name(const char *name)
{
    return name && (strcmp(name, "LinearNorm") == 0 || strcmp(name, "linear") == 0);
}

static Status read_gend_head(const json_t *root, const char *origin, char head[16], Error *error)
{
    const json_t *value = value_of(root, "head");
    const char *name = value ? json_string_value(value) : "linear"; /* the class's default */
    if (!is_head_name(name))
        return error_set(error, STATUS_FAILED,
                         "%s: head \"%.64s\" is not supported; LinearNorm and linear are", origin,
                         name ? name : "(not a string)");
    snprintf(head, 16, "%s", name);
    return STATUS_OK;
}

/* A GenD config.json names backbone and head. It does not give the shape. */
static Status read_gend(const json_t *root, const char *origin, VitConfig *config, Error *error)
{
    const char *backbone = json_string_value(json_object_get(root, "backbone"));
    if (backbone && !strcasestr(backbone, config->tower->mark))
        return error_set(
            error, STATUS_FAILED,
            "%s: backbone \"%.100s\" is not a CLIP; use a GenD model with a CLIP backbone", origin,
            backbone);
    if (backbone && strlen(backbone) >= sizeof config->backbone)
        return bad_value(origin, "backbone", "is too long", error);
    snprintf(config->backbone, sizeof config->backbone, "%s", backbone ? backbone : "");
    return read_gend_head(root, origin, config->head, error);
}

static Status read_root(const json_t *root, const char *origin, VitConfig *config, Error *error)
{
    const json_t *type = value_of(root, "model_type");
    const json_t *vision = value_of(root, "vision_config");
    const char *name = json_string_value(type);
    if (!type) /* older files lack it */
        name = vision                                 ? config->tower->full_type
               : json_object_get(root, "hidden_size") ? config->tower->model_type
                                                      : NULL;
    if (is_gend(root))
        return read_gend(root, origin, config, error);
    if (name && strcmp(name, config->tower->model_type) == 0)
        return read_vision(root, origin, config, error);
    if (name && strcmp(name, config->tower->full_type) == 0) {
        /* In older files, transformers prefers "vision_config_dict" over "vision_config". */
        const json_t *older = value_of(root, "vision_config_dict");
        const json_t *read = older ? older : vision;
        if (read && !json_is_object(read))
            return bad_value(origin, older ? "vision_config_dict" : "vision_config",
                             "is not a JSON object", error);
        return read_vision(read, origin, config, error);
    }
    return error_set(
        error, STATUS_FAILED,
        "%s: model_type \"%.64s\" is not a CLIP; supported are clip, clip_vision_model and GenD",
        origin, name ? name : "(none)");
}

Status vit_config_parse(const char *text, const char *origin, VitConfig *config, Error *error)
{
    assert(text && origin && config && error);
    json_t *root = NULL;
    TRY(parse_object(text, origin, &root, error));
    *config = vit_config_unknown();
    const Status status = read_root(root, origin, config, error);
    json_decref(root);
    return status;
}

/* Reads a side in pixels: a number, or an object with equal values for all `keys`
 * (NULL-terminated). */
static Status read_side(const json_t *object, const char *key, const char *const *keys,
                        const char *origin, int *side, Error *error)
{
    const json_t *value = value_of(object, key);
    if (!json_is_object(value))
        return read_int(object, key, origin, side, error);
    int first = 0;
    for (int i = 0; keys[i]; i++) {
        int this = 0;
        TRY(read_int(value, keys[i], origin, &this, error));
        if (this == 0 || (i > 0 && this != first))
            return error_set(
                error, STATUS_FAILED,
                "%s: %s must give one side length by %s%s%s; only resizing the shorter side and a "
                "square crop are supported",
                origin, key, keys[0], keys[1] ? " and " : "", keys[1] ? keys[1] : "");
        first = this;
    }
    *side = first;
    return STATUS_OK;
}

static Status read_triple(const json_t *object, const char *key, const char *origin,
                          float target[3], Error *error)
{
    const json_t *value = value_of(object, key);
    if (!value)
        return STATUS_OK;
    if (json_array_size(value) != 3)
        return bad_value(origin, key, "is not an array of three numbers", error);
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = json_array_get(value, c);
        target[c] = (float)json_number_value(number);
        if (!json_is_number(number) || !isfinite(target[c]))
            return bad_value(origin, key, "is not an array of three numbers", error);
    }
    return STATUS_OK;
}

/* Refuses preprocessing steps, resize filters and image processors other than CLIP's. */
static Status check_steps(const json_t *root, const char *origin, const VitTower *tower,
                          Error *error)
{
    static const char *const steps[] = {"do_resize", "do_center_crop", "do_rescale",
                                        "do_normalize"};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        const json_t *value = value_of(root, steps[i]);
        if (value && !json_is_true(value))
            return error_set(error, STATUS_FAILED,
                             "%s: %s is not true; only CLIP's own preprocessing is supported",
                             origin, steps[i]);
    }
    const json_t *resample = value_of(root, "resample");
    if (resample && json_integer_value(resample) != 3) /* Pillow's BICUBIC */
        return error_set(error, STATUS_FAILED,
                         "%s: resample %lld is not supported; only 3 (bicubic) is", origin,
                         (long long)json_integer_value(resample));
    const json_t *factor = value_of(root, "rescale_factor");
    if (factor && !(fabs(json_number_value(factor) * 255 - 1) < 1e-6))
        return error_set(error, STATUS_FAILED,
                         "%s: rescale_factor is not 1/255; only that is supported", origin);
    if (json_is_true(value_of(root, "do_pad")))
        return error_set(error, STATUS_FAILED,
                         "%s: do_pad is true; only CLIP's own preprocessing is supported", origin);
    const char *type = json_string_value(value_of(root, "image_processor_type"));
    type = type ? type : json_string_value(value_of(root, "feature_extractor_type"));
    if (type && strncmp(type, tower->mark, strlen(tower->mark)) != 0)
        return error_set(error, STATUS_FAILED,
                         "%s: image processor %.64s is not supported; only CLIP's are", origin,
                         type);
    return STATUS_OK;
}

static Status read_preprocessor(const json_t *root, const char *origin, VitConfig *config,
                                Error *error)
{
    static const char *const shortest[] = {"shortest_edge", NULL};
    static const char *const sides[] = {"height", "width", NULL};
    TRY(check_steps(root, origin, config->tower, error));
    int size = config->tower->defaults.image_size, crop = size;
    TRY(read_side(root, "size", shortest, origin, &size, error));
    TRY(read_side(root, "crop_size", sides, origin, &crop, error));
    if (size != crop || (config->image_size != 0 && crop != config->image_size))
        return error_set(
            error, STATUS_FAILED,
            "%s: size %d, crop_size %d and the model's image_size %d differ; only equal ones are "
            "supported",
            origin, size, crop, config->image_size);
    config->image_size = crop;
    TRY(read_triple(root, "image_mean", origin, config->mean, error));
    TRY(read_triple(root, "image_std", origin, config->std, error));
    for (int c = 0; c < 3; c++)
        if (!(config->std[c] > 0))
            return bad_value(origin, "image_std", "is not positive", error);
    return STATUS_OK;
}

/* Reads a text file. The caller frees the text. */
static Status read_text(const char *path, char **text, Error *error)
{
    size_t size;
    TRY(file_read(path, MAX_JSON, text, &size, error));
    if (strlen(*text) == size)
        return STATUS_OK;
    free(*text);
    *text = NULL;
    return error_set(error, STATUS_FAILED,
                     "%s: contains zero bytes, so it is not text; fetch it again", path);
}

/*
 * Reads preprocessor_config.json, or the equivalent part of a CLIPProcessor's
 * processor_config.json. *found is false if that part is missing, as in files of transformers 4.
 */
static Status parse_preprocessor(const char *text, const char *origin, VitConfig *config,
                                 bool *found, Error *error)
{
    json_t *root = NULL;
    TRY(parse_object(text, origin, &root, error));
    const json_t *nested = value_of(root, "image_processor");
    *found = nested || !json_object_get(root, "processor_class") ||
             json_object_get(root, "image_mean") || json_object_get(root, "size");
    Status status = STATUS_OK;
    if (nested && !json_is_object(nested))
        status = bad_value(origin, "image_processor", "is not a JSON object", error);
    else if (*found)
        status = read_preprocessor(nested ? nested : root, origin, config, error);
    json_decref(root);
    return status;
}

Status vit_config_parse_preprocessor(const char *text, const char *origin, VitConfig *config,
                                     Error *error)
{
    bool found;
    TRY(parse_preprocessor(text, origin, config, &found, error));
    return found ? STATUS_OK
                 : error_set(error, STATUS_FAILED,
                             "%s: has no preprocessing; use a preprocessor_config.json", origin);
}

static bool same_preprocessing(const VitConfig *a, const VitConfig *b)
{
    return a->image_size == b->image_size && memcmp(a->mean, b->mean, sizeof a->mean) == 0 &&
           memcmp(a->std, b->std, sizeof a->std) == 0;
}

Status vit_config_read_preprocessor(const char *folder, VitConfig *config, bool *found,
                                    Error *error)
{
    static const char *const names[] = {"processor_config.json", "preprocessor_config.json"};
    const VitConfig before = *config;
    *found = false;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[FILE_PATH_SIZE], *text;
        bool has_images = false;
        VitConfig this = before;
        TRY(file_join(path, folder, names[i], error));
        if (!file_exists(path))
            continue;
        TRY(read_text(path, &text, error));
        const Status status = parse_preprocessor(text, path, &this, &has_images, error);
        free(text);
        TRY(status);
        if (has_images && *found && !same_preprocessing(config, &this))
            return error_set(
                error, STATUS_FAILED,
                "%s: differs from %s next to it in size, mean or std; remove the wrong "
                "one",
                path, names[0]);
        if (has_images)
            *config = this;
        *found = *found || has_images;
    }
    return STATUS_OK;
}

Status vit_config_read(const char *config_json, VitConfig *config, Error *error)
{
    assert(config_json && config && error);
    char *text;
    TRY(read_text(config_json, &text, error));
    const Status status = vit_config_parse(text, config_json, config, error);
    free(text);
    return status;
}

Status vit_config_read_head(const char *path, char head[16], Error *error)
{
    char folder[FILE_PATH_SIZE], config[FILE_PATH_SIZE], *text;
    head[0] = '\0';
    snprintf(folder, sizeof folder, "%.*s", (int)(file_name(path) - path), path);
    TRY(file_join(config, folder, "config.json", error));
    if (!file_exists(config))
        return STATUS_OK;
    TRY(read_text(config, &text, error));
    json_t *root = json_loads(text, 0, NULL);
    free(text);
    const char *name = json_string_value(json_object_get(root, "head"));
    Status status = STATUS_OK;
    if (is_gend(root) || is_head_name(name))
        status = read_gend_head(root, config, head, error);
    json_decref(root);
    return status;
}

void vit_config_describe_network(const VitConfig *config, char text[VIT_CONFIG_TEXT])
{
    snprintf(text, VIT_CONFIG_TEXT, "heads %d, %s, eps %.9g", config->heads,
             vit_activation_name(config->activation), (double)config->eps);
}

void vit_config_describe_preprocessing(const VitConfig *config, char text[VIT_CONFIG_TEXT])
{
    const float *m = config->mean, *s = config->std;
    snprintf(text, VIT_CONFIG_TEXT, "size %d, mean %.9g %.9g %.9g, std %.9g %.9g %.9g",
             config->image_size, (double)m[0], (double)m[1], (double)m[2], (double)s[0],
             (double)s[1], (double)s[2]);
}

/* The shortest decimal that rounds to this float, as a double: 0.1F becomes 0.1. */
static json_t *real_of(float value)
{
    char text[32];
    const locale_t before = c_locale_begin();
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    const double rounded = strtod(text, NULL);
    c_locale_end(before);
    return json_real(rounded);
}

/* The text of `object`, which is released. Nine digits represent a float exactly. */
static char *dump(json_t *object, Error *error)
{
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text)
        mem_full(0, "the configuration of the model", error);
    return text;
}

char *vit_config_format(const VitConfig *config, Error *error)
{
    assert(config->activation != ACTIVATION_NONE);
    return dump(json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:o, s:s}",
                          "architectures", config->tower->architecture, "model_type",
                          config->tower->model_type, "image_size", config->image_size, "patch_size",
                          config->patch_size, "num_channels", 3, "hidden_size", config->width,
                          "num_hidden_layers", config->layers, "num_attention_heads", config->heads,
                          "intermediate_size", config->mlp, "hidden_act",
                          vit_activation_name(config->activation), "layer_norm_eps",
                          real_of(config->eps), "torch_dtype", "float32"),
                error);
}

char *vit_config_format_preprocessor(const VitConfig *config, Error *error)
{
    return dump(
        json_pack(
            "{s:s, s:b, s:{s:i}, s:i, s:b, s:{s:i, s:i}, s:b, s:f, s:b, s:[o,o,o], s:[o,o,o], s:b}",
            "image_processor_type", config->tower->image_processor, "do_resize", 1, "size",
            "shortest_edge", config->image_size, "resample", 3, "do_center_crop", 1, "crop_size",
            "height", config->image_size, "width", config->image_size, "do_rescale", 1,
            "rescale_factor", 1.0 / 255, "do_normalize", 1, "image_mean", real_of(config->mean[0]),
            real_of(config->mean[1]), real_of(config->mean[2]), "image_std",
            real_of(config->std[0]), real_of(config->std[1]), real_of(config->std[2]),
            "do_convert_rgb", 1),
        error);
}

/* Writes `text` and a newline to folder/name. */
static Status write_text(const char *folder, const char *name, const char *text, Error *error)
{
    char path[FILE_PATH_SIZE];
    FileWriter writer;
    TRY(file_join(path, folder, name, error));
    TRY(file_begin(&writer, path, error));
    fprintf(writer.stream, "%s\n", text);
    return file_commit(&writer, error);
}

/* Writes both files, with `text` as config.json. Frees `text`; NULL means out of memory. */
static Status write_configs(const VitConfig *config, char *text, const char *folder, Error *error)
{
    char *preprocessor = text ? vit_config_format_preprocessor(config, error) : NULL;
    Status status = preprocessor ? file_make_folders(folder, error) : STATUS_FAILED;
    if (status == STATUS_OK)
        status = write_text(folder, "config.json", text, error);
    if (status == STATUS_OK)
        status = write_text(folder, "preprocessor_config.json", preprocessor, error);
    free(preprocessor);
    free(text);
    return status;
}

Status vit_config_write(const VitConfig *config, const char *folder, Error *error)
{
    return write_configs(config, vit_config_format(config, error), folder, error);
}

Status vit_config_write_gend(const VitConfig *config, const char *backbone, const char *head,
                             const char *folder, Error *error)
{
    char *text =
        dump(json_pack("{s:[s], s:s, s:s, s:s, s:s}", "architectures", "GenD", "model_type", "GenD",
                       "backbone", backbone, "head", head, "torch_dtype", "float32"),
             error);
    return write_configs(config, text, folder, error);
}
