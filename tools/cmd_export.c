/*
 * cmd_export.c - lnclip export: writes a model with its adapter merged, for programs that do not
 * read adapters.
 *
 * The adapter's provenance is kept in the metadata: recipe, record, lists, selection and
 * calibration. So a merged model still causes a warning on its own training list, and --calibrated
 * still works.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/safetensors.h"
#include "tools/cli/cli_model.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Request {
    CliModelOptions model;
    const char *out, *format, *backbone;
} Request;

static bool is_gend(const Request *request)
{
    return request->format && strcmp(request->format, "gend") == 0;
}

/* True for a metadata key that describes the file's layout. The exported file has its own. */
static bool is_of_layout(const char *key)
{
    static const char *const keys[] = {
        "format",           "config",       "preprocessor_config", "head",     "tune",
        "base_fingerprint", "base_network", "base_preprocessing",  "base_arch"};
    for (int m = 0; vit_methods[m]; m++)
        if (vit_methods[m]->scale_key && strcmp(vit_methods[m]->scale_key, key) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* The provenance in a file's metadata. The caller frees the array; keys and values are borrowed. */
static Status carried_metadata(const SafeTensors *file, SafeTensorsMetadata **out, int *count,
                               Error *error)
{
    const int all = file ? safetensors_metadata_count(file) : 0;
    *count = 0;
    *out = calloc(all + 1, sizeof **out);
    if (!*out)
        return mem_full(0, "the metadata", error);
    for (int i = 0; i < all; i++) {
        const char *key = safetensors_metadata_key(file, i);
        if (!is_of_layout(key))
            (*out)[(*count)++] = (SafeTensorsMetadata){key, safetensors_metadata(file, key)};
    }
    return STATUS_OK;
}

/* Reads config.json and preprocessor_config.json from the folder `backbone`. */
static Status read_backbone(const char *backbone, const char *path, VitConfig *config, Error *error)
{
    bool found;
    json_t *root = json_load_file(path, 0, NULL);
    const bool is_tower = root && !json_object_get(root, "vision_config");
    json_decref(root);
    if (is_tower)
        return error_set(error, STATUS_FAILED,
                         "backbone %s: is not a complete CLIP, as GenD's class needs: its "
                         "config.json has no vision_config; pass --backbone with a CLIPModel",
                         backbone);
    TRY(vit_config_read(path, config, error));
    return vit_config_read_preprocessor(backbone, config, &found, error);
}

/*
 * Checks the backbone against the model: GenD's class uses its shape, activation, eps and
 * preprocessing. A name that is neither a folder nor one of OpenAI's is not checked.
 */
static Status check_backbone(const char *backbone, const VitConfig *config, Error *error)
{
    char path[FILE_PATH_SIZE];
    char ours[VIT_CONFIG_TEXT], theirs[VIT_CONFIG_TEXT];
    VitConfig named = {.width = 0};
    TRY(file_join(path, backbone, "config.json", error));
    if (file_exists(path))
        TRY(read_backbone(backbone, path, &named, error));
    const VitTower *tower = config->tower;
    for (int i = 0; named.width == 0 && i < tower->shape_count; i++)
        if (tower->shapes[i].hub && strcmp(tower->shapes[i].hub, backbone) == 0)
            TRY(vit_config_named(tower->shapes[i].name, &named, error));
    if (named.width == 0)
        return STATUS_OK;
    if (named.image_size != config->image_size || named.patch_size != config->patch_size ||
        named.width != config->width || named.layers != config->layers || named.mlp != config->mlp)
        return error_set(error, STATUS_FAILED,
                         "backbone %s: shape differs from the model (width %d, not %d; %d layers, "
                         "not %d; patches of %d, not %d; images of %d, not %d); pass --backbone "
                         "with the CLIP the model was made from",
                         backbone, named.width, config->width, named.layers, config->layers,
                         named.patch_size, config->patch_size, named.image_size,
                         config->image_size);
    vit_config_describe_network(config, ours);
    vit_config_describe_network(&named, theirs);
    if (strcmp(ours, theirs) == 0) {
        vit_config_describe_preprocessing(config, ours);
        vit_config_describe_preprocessing(&named, theirs);
    }
    if (strcmp(ours, theirs) != 0)
        return error_set(error, STATUS_FAILED,
                         "backbone %s: has %s, which GenD's class would use, but the model has %s; "
                         "pass --backbone with the CLIP the model was made from",
                         backbone, theirs, ours);
    return STATUS_OK;
}

/*
 * Finds the name of the CLIP that GenD's class builds: --backbone, else OpenAI's model of the same
 * shape.
 */
static Status find_backbone(const Request *request, const VitConfig *config, const char **backbone,
                            Error *error)
{
    const VitTower *tower = config->tower;
    *backbone = request->backbone;
    if (!*backbone && config->backbone[0])
        *backbone = config->backbone;
    for (int i = 0; !*backbone && i < tower->shape_count; i++)
        if (config->activation == ACTIVATION_QUICK_GELU && config->eps == tower->eps &&
            strcmp(tower->shapes[i].name, vit_config_name(config)) == 0)
            *backbone = tower->shapes[i].hub;
    if (!*backbone)
        return error_set(
            error, STATUS_FAILED,
            "%s: no CLIP of OpenAI has this shape, and GenD's config.json needs the name of one; "
            "pass --backbone NAME, the folder of a CLIPModel or a model on the Hub",
            request->model.model);
    if (!strcasestr(*backbone, "clip"))
        return error_set(
            error, STATUS_FAILED,
            "--backbone %s: GenD recognises a CLIP by \"clip\" in its name; use such a name",
            *backbone);
    return check_backbone(*backbone, config, error);
}

static Status save(const Request *request, const CliModel *model, Error *error)
{
    VitSaving saving = {.head = model->has_head ? &model->head : NULL};
    SafeTensors *adapter = NULL;
    SafeTensorsMetadata *metadata = NULL;
    Status status = STATUS_OK;
    if (is_gend(request) && !saving.head)
        return error_set(error, STATUS_FAILED,
                         "%s: neither the model nor the adapter has a head, which GenD's class "
                         "needs; give --adapter FILE",
                         request->model.model);
    if (is_gend(request))
        TRY(find_backbone(request, &model->vit->config, &saving.backbone, error));
    if (request->model.adapter)
        status = safetensors_open(&adapter, request->model.adapter, error);
    if (status == STATUS_OK)
        status = carried_metadata(adapter ? adapter : model->vit->file, &metadata,
                                  &saving.metadata_count, error);
    saving.metadata = metadata;
    if (status == STATUS_OK)
        status = vit_save_as(model->vit, &saving, request->out, error); /* creates the folder */
    free(metadata);
    safetensors_close(adapter);
    return status;
}

static Status export_model(const Request *request, const CliArguments *arguments, Error *error)
{
    TRY(cli_model_refuse_existing(request->out, error));
    CliModel model = {0};
    Status status = cli_model_load(&model, &request->model, arguments, CLI_HEAD_IF_ANY, error);
    if (status == STATUS_OK)
        status = cli_interrupted("export", "nothing was written", error);
    if (status == STATUS_OK)
        status = save(request, &model, error);
    if (status == STATUS_OK)
        cli_note(arguments, "%s: %s parameters, %s", request->out, cli_count(vit_size(model.vit)),
                 model.has_head ? vit_head_kind_name(model.head.kind) : "no head");
    cli_model_free(&model);
    return status;
}

/* Exits 2 if the format is unknown or not available. */
static void expect_format(const char *format)
{
    static const char *const later[] = {"peft", "onnx", "transformers", "transformers-js"};
    for (size_t i = 0; format && i < COUNT_OF(later); i++)
        if (strcmp(format, later[i]) == 0)
            exit(cli_finish(cli_usage_error(
                "--format %s: is not available in this version; choose hf or gend", format)));
    if (format && strcmp(format, "hf") != 0 && strcmp(format, "gend") != 0)
        exit(cli_finish(cli_usage_error("--format %s: unknown format; choose hf or gend", format)));
}

int cmd_export(int argc, char **argv)
{
    Request request = {0};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        CLI_ADAPTER_OPTION(request.model),
        CLI_HEAD_OPTION(request.model),
        {"--format", CLI_STRING, &request.format, 0, 0, "NAME",
         "hf (default): Hugging Face's clip_vision_model;\ngend: for GenD's class"},
        {"--backbone", CLI_STRING, &request.backbone, 0, 0, "NAME",
         "for gend: the CLIP that its class builds, a CLIPModel\nfolder or a name on the Hub "
         "(default: OpenAI's model of\nthe same shape)"},
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR", "output folder; must be empty or missing"},
        {0},
    };
    const CliCommand command = {
        .name = "export",
        .summary = "write a model with its adapter merged",
        .usage = "lnclip export --model M [--adapter A] [--format hf|gend] --out DIR",
        .details = "Writes config.json, preprocessor_config.json and model.safetensors (F32) with "
                   "the adapter's parameters,\nLoRA merged into the weights, and the head as "
                   "model.linear.{weight,bias}. Recipe, record, lists and\ncalibration of the "
                   "adapter are kept in the metadata. The folder can be used as --model.",
        .example = "lnclip export --model clip --adapter run/best.safetensors --out merged",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    cli_model_expect(&arguments, &request.model);
    cli_expect_option(&arguments, "--out", request.out);
    expect_format(request.format);
    if (request.backbone && !is_gend(&request))
        return cli_usage_error("--backbone: only for --format gend; give both");
    cli_catch_signals();
    Error error = {0};
    Status status = cli_model_find_all(&arguments, &request.model, &error);
    if (status == STATUS_OK)
        status = export_model(&request, &arguments, &error);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
