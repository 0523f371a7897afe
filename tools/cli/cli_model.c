/*
 * cli_model.c - see cli_model.h.
 */
#include "tools/cli/cli_model.h"

#include "tensor/base/file.h"

#include <stdlib.h>
#include <string.h>

Status cli_model_hints(const CliModelOptions *options, VitHints *hints, Error *error)
{
    VitHeadKind kind;
    *hints = (VitHints){.heads = options->heads};
    if (options->activation && !vit_activation_parse(options->activation, &hints->activation))
        return error_set(error, STATUS_USAGE,
                         "--activation %s: unknown activation; use quick_gelu or gelu",
                         options->activation);
    if (options->head && !vit_head_kind_parse(options->head, &kind))
        return error_set(error, STATUS_USAGE,
                         "--head %s: unknown kind of head; use LinearNorm or linear",
                         options->head);
    snprintf(hints->head, sizeof hints->head, "%s", options->head ? options->head : "");
    return STATUS_OK;
}

static Status check_options(const CliModelOptions *options, Precision *precision, VitHints *hints,
                            Error *error)
{
    *precision = PRECISION_F32;
    if (options->precision && !precision_parse(options->precision, precision))
        return error_set(error, STATUS_USAGE,
                         "--precision %s: unknown precision; use f32, bf16 or int8",
                         options->precision);
    return cli_model_hints(options, hints, error);
}

void cli_model_expect(const CliArguments *arguments, const CliModelOptions *options)
{
    Error error = {0};
    Precision precision;
    VitHints hints;
    cli_expect_option(arguments, "--model", options->model);
    if (check_options(options, &precision, &hints, &error) != STATUS_OK)
        exit(cli_finish(cli_report(&error)));
}

Status cli_model_find(const CliArguments *arguments, const char **model, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(vit_model_find(*model, path, error));
    if (file_exists(*model))
        return STATUS_OK;
    cli_note(arguments, "%s: using %s", *model, path);
    *model = cli_keep(path);
    return STATUS_OK;
}

Status cli_adapter_find(const CliArguments *arguments, const char **adapter, Error *error)
{
    char best[FILE_PATH_SIZE];
    const char *equals = strchr(*adapter, '=');
    const bool named = equals && !file_exists(*adapter);
    const char *path = named ? equals + 1 : *adapter;
    if (!file_is_folder(path))
        return STATUS_OK;
    TRY(file_join(best, path, "best.safetensors", error));
    if (!file_exists(best))
        return error_set(error, STATUS_FAILED,
                         "%s: contains no best.safetensors; name a run folder with a completed "
                         "epoch, or an adapter file",
                         path);
    cli_note(arguments, "%s: using %s", path, best);
    char text[FILE_PATH_SIZE + 256];
    const int length = snprintf(text, sizeof text, "%.*s%s",
                                named ? (int)(equals + 1 - *adapter) : 0, *adapter, best);
    if (length < 0 || (size_t)length >= sizeof text)
        return error_set(error, STATUS_USAGE, "--adapter %.100s: the name is too long; shorten it",
                         *adapter);
    *adapter = cli_keep(text);
    return STATUS_OK;
}

Status cli_model_find_all(const CliArguments *arguments, CliModelOptions *options, Error *error)
{
    if (options->model)
        TRY(cli_model_find(arguments, &options->model, error));
    return options->adapter ? cli_adapter_find(arguments, &options->adapter, error) : STATUS_OK;
}

static Status read_adapter(CliModel *model, const char *path, const CliArguments *arguments,
                           CliHeadUse use, Error *error)
{
    VitAdapterReport report = {0};
    TRY(vit_adapter_read(model->vit, use == CLI_HEAD_UNUSED ? NULL : &model->head, path, &report,
                         error));
    if (report.layer_norms_kept > 0)
        cli_note(arguments,
                 "%s: sets %d LayerNorm tensors; the other %d keep the values of the model", path,
                 report.layer_norms_set, report.layer_norms_kept);
    if (report.others_kept > 0)
        cli_note(arguments,
                 "%s: lacks %d tensors named by its metadata \"tune\" (the first: %s); they keep "
                 "the values of the model",
                 path, report.others_kept, report.first_kept);
    if (report.head_conflict)
        cli_warn("%s: the metadata gives the kind of head %s, but config.json next to it gives "
                 "another; using the metadata",
                 path, vit_head_kind_name(model->head.kind));
    model->has_head = report.head_set;
    return STATUS_OK;
}

static Status read_heads(CliModel *model, const CliModelOptions *options,
                         const CliArguments *arguments, CliHeadUse use, Error *error)
{
    const char *adapter = options->adapter;
    TRY(vit_head_create(&model->head, VIT_HEAD_LINEAR_NORM, vit_model_width(model->vit), 0, error));
    model->head_created = true;
    if (adapter)
        TRY(read_adapter(model, adapter, arguments, use, error));
    if (use == CLI_HEAD_UNUSED || model->has_head)
        return STATUS_OK;
    TRY(vit_head_read(model->vit, &model->head, &model->has_head, error));
    if (adapter)
        cli_note(arguments, "%s: has no head%s", adapter,
                 model->has_head ? "; using the head of the model" : "");
    if (use == CLI_HEAD_NEEDED && !model->has_head)
        return error_set(error, STATUS_FAILED,
                         "%s: neither the model nor the adapter has a head; give --adapter FILE, "
                         "for example best.safetensors of a training run",
                         adapter ? adapter : options->model);
    return STATUS_OK;
}

Status cli_model_load(CliModel *model, const CliModelOptions *options,
                      const CliArguments *arguments, CliHeadUse use, Error *error)
{
    VitHints hints;
    memset(model, 0, sizeof *model);
    TRY(check_options(options, &model->precision, &hints, error));
    TRY(threads_create(&model->threads, arguments->threads, error));
    TRY(vit_load_with(&model->vit, options->model, &hints, model->threads, error));
    if (model->vit->config.assumptions[0])
        cli_warn("%s: assumed: %s", options->model, model->vit->config.assumptions);
    return read_heads(model, options, arguments, use, error);
}

Status cli_model_refuse_existing(const char *folder, Error *error)
{
    if (file_folder_is_empty(folder))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: not an empty folder; choose another --out, or delete its contents",
                     folder);
}

void cli_model_free(CliModel *model)
{
    if (model->head_created)
        vit_head_destroy(&model->head);
    if (model->vit)
        vit_destroy(model->vit);
    threads_destroy(model->threads);
    memset(model, 0, sizeof *model);
}

TrainScoring cli_model_scoring(const CliModelOptions *options)
{
    TrainScoring scoring = train_scoring_defaults();
    if (options->batch > 0)
        scoring.batch_size = options->batch;
    if (options->workers > 0)
        scoring.workers = options->workers;
    return scoring;
}
