/*
 * cmd_features.c - lnclip features: saves the pooled feature of each image, before the head, as
 * safetensors.
 */
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_model.h"

#include "tensor/base/file.h"
#include "train/json.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct Work {
    CliProgress progress;
    Error unreadable; /* counts the images that could not be decoded */
} Work;

static void show_progress(void *context, int done, int total, double images_per_second)
{
    cli_progress_show(&((Work *)context)->progress, done, total, images_per_second);
}

static void count_unreadable(void *context, const DataFrame *frame, const Error *reason)
{
    (void)frame; /* the reason names the file */
    error_detail(&((Work *)context)->unreadable, "%s", reason->message);
}

/* Checks the images and the output file before the model is loaded. */
static Status check_files(const DataList *list, const char *out, Error *error)
{
    for (int i = 0; i < list->count; i++)
        if (access(list->frames[i].file, R_OK) != 0)
            error_detail(error, "%s: cannot be read", list->frames[i].path);
    if (error->problems > 0)
        return error_set(error, STATUS_FAILED,
                         "features: %d of %d images are missing or unreadable; correct the "
                         "paths",
                         error->problems, list->count);
    FileWriter probe;
    TRY(file_begin(&probe, out, error));
    file_abort(&probe);
    return STATUS_OK;
}

/* The paths as a JSON array, in memory the caller frees; NULL without memory. */
static char *paths_json(const DataList *list)
{
    json_t *paths = json_array();
    for (int i = 0; i < list->count; i++)
        train_json_append(paths, train_json_string(list->frames[i].path));
    char *text = train_json_complete() ? json_dumps(paths, JSON_COMPACT) : NULL;
    json_decref(paths);
    return text;
}

static Status write_features(const char *out, const CliModel *model, const DataList *list,
                             const float *features, Error *error)
{
    char *paths = paths_json(list);
    if (!paths)
        return mem_full(0, "the features", error);
    const int width = model->vit->config.width;
    const SafeTensor tensor = {
        .name = "features",
        .dtype = DTYPE_F32,
        .ndim = 2,
        .shape = {list->count, width},
        .data = features,
        .bytes = (size_t)list->count * (size_t)width * sizeof *features,
    };
    const SafeTensorsMetadata metadata[] = {
        {"base_fingerprint", model->vit->fingerprint},
        {"files", paths},
    };
    const Status status = safetensors_write(out, &tensor, 1, metadata, 2, error);
    free(paths);
    return status;
}

static Status score(const CliModelOptions *options, CliModel *model, const DataList *list,
                    float *features, Work *work, Error *error)
{
    TrainScoring scoring = cli_model_scoring(options);
    scoring.tolerant = true; /* to count all unreadable images; they fail below */
    scoring.stop = cli_catch_signals();
    scoring.progress = show_progress;
    scoring.unreadable = count_unreadable;
    scoring.context = work;
    const Status status =
        train_score(model->vit, NULL, list, 0, &scoring, model->threads, features, NULL, error);
    cli_progress_end(&work->progress);
    if (status == STATUS_INTERRUPTED)
        return cli_interrupted("features", "nothing was written", error);
    TRY(status);
    if (work->unreadable.problems == 0)
        return STATUS_OK;
    *error = work->unreadable;
    return error_set(error, STATUS_FAILED,
                     "features: %d of %d images could not be read, so nothing was written; repair "
                     "or remove them",
                     error->problems, list->count);
}

static Status run(const CliModelOptions *options, const CliArguments *arguments,
                  const DataList *list, const char *out, Error *error)
{
    TRY(check_files(list, out, error));
    CliModel model = {0};
    Work work = {0};
    float *features = NULL;
    Status status = cli_model_load(&model, options, arguments, CLI_HEAD_UNUSED, error);
    if (status != STATUS_OK)
        goto done;
    status = vit_pack(model.vit, model.precision, false, model.threads, error);
    if (status != STATUS_OK)
        goto done;
    const size_t width = model.vit->config.width;
    features = mem_new(list->count, width * sizeof *features, "the features", error);
    if (!features) {
        status = error->status;
        goto done;
    }
    work.progress = cli_progress_begin(arguments, "features", "images");
    status = score(options, &model, list, features, &work, error);
    if (status != STATUS_OK)
        goto done;
    status = write_features(out, &model, list, features, error);
    if (status == STATUS_OK)
        cli_note(arguments, "%s: features [%d,%d]", out, list->count, model.vit->config.width);
done:
    free(features);
    cli_model_free(&model);
    return status;
}

int cmd_features(int argc, char **argv)
{
    CliModelOptions model = {0};
    const char *out = NULL;
    CliOption options[] = {
        CLI_MODEL_OPTION(model),
        CLI_ADAPTER_OPTION(model),
        {"--out", CLI_STRING, &out, 0, 0, "F.safetensors", "output file"},
        CLI_SCORING_OPTIONS(model),
        {0},
    };
    const CliCommand command = {
        .name = "features",
        .summary = "save the pooled features of images",
        .usage = "lnclip features --model M [--adapter A] --out F.safetensors PATH...",
        .details =
            "Writes the tensor `features` [N,D] in f32: the class token after the last LayerNorm, "
            "before the head.\nThe metadata `files` is a JSON array of the N paths. Folders are "
            "searched in bytewise sorted order.\nNothing is written if an image cannot be read.",
        .example = "lnclip features --model clip-vit-l-14 --out features.safetensors faces/",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &model);
    cli_expect_option(&arguments, "--out", out);
    cli_expect_positional(&arguments, 1, argc, "an image or a folder");
    Error error = {0};
    DataList list = {0};
    Status status = cli_model_find_all(&arguments, &model, &error);
    if (status == STATUS_OK)
        status =
            data_list_paths(&list, arguments.positional.items, arguments.positional.count, &error);
    if (status == STATUS_OK) {
        cli_print_skipped(&arguments, "features", &list);
        status = run(&model, &arguments, &list, out, &error);
        data_list_free(&list);
    }
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
