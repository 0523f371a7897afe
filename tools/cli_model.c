/*
 * cli_model.c - see cli_model.h.
 */
#include "tools/cli_model.h"

#include "tensor/file.h"

#include <stdlib.h>
#include <string.h>

static Status check_options(const CliModelOptions *options, Precision *precision, Error *error)
{
    *precision = PRECISION_F32;
    if (options->precision && !precision_parse(options->precision, precision))
        return error_set(error, STATUS_USAGE,
                         "--precision %s: not one of f32, bf16, int8; give one of these",
                         options->precision);
    return STATUS_OK;
}

void cli_model_expect(const CliArguments *arguments, const CliModelOptions *options)
{
    Error error = {0};
    Precision precision;
    cli_expect_option(arguments, "--model", options->model);
    if (check_options(options, &precision, &error) != STATUS_OK)
        exit(cli_finish(cli_report(&error)));
}

static Status read_adapter(CliModel *model, const char *path, const CliArguments *arguments,
                           Error *error)
{
    VitAdapterReport report = {0};
    TRY(vit_adapter_read(model->vit, &model->head, path, &report, error));
    if (report.layer_norms_kept > 0)
        cli_note(arguments, "%s: sets %d LayerNorm tensors; the other %d keep the model's values",
                 path, report.layer_norms_set, report.layer_norms_kept);
    if (report.others_kept > 0)
        cli_note(arguments,
                 "%s: lacks %d of what its metadata \"tune\" names (%s first); these keep the "
                 "model's values",
                 path, report.others_kept, report.first_kept);
    if (!report.head_set)
        cli_note(arguments, "%s: holds no head%s", path,
                 model->has_head ? "; the model's own is used" : "");
    model->has_head |= report.head_set;
    return STATUS_OK;
}

Status cli_model_load(CliModel *model, const CliModelOptions *options,
                      const CliArguments *arguments, bool head_needed, Error *error)
{
    memset(model, 0, sizeof *model);
    TRY(check_options(options, &model->precision, error));
    TRY(threads_create(&model->threads, arguments->threads, error));
    TRY(vit_load(&model->vit, options->model, model->threads, error));
    if (model->vit->config.assumptions[0])
        cli_note(arguments, "%s: assumed: %s", options->model, model->vit->config.assumptions);
    TRY(vit_head_create(&model->head, VIT_HEAD_LINEAR_NORM, model->vit->config.width, 0, error));
    model->head_created = true;
    TRY(vit_head_read(model->vit, &model->head, &model->has_head, error));
    if (options->adapter)
        TRY(read_adapter(model, options->adapter, arguments, error));
    if (head_needed && !model->has_head)
        return error_set(error, STATUS_FAILED,
                         "%s: neither the model nor an adapter holds a head to classify with; give "
                         "--adapter FILE, for example the best.safetensors of a training run",
                         options->adapter ? options->adapter : options->model);
    return STATUS_OK;
}

Status cli_model_refuse_existing(const char *folder, Error *error)
{
    static const char *const parts[] = {"config.json", "preprocessor_config.json",
                                        "model.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, folder, parts[i], error));
        if (file_exists(path))
            return error_set(error, STATUS_FAILED,
                             "%s: holds a model already (%s); choose another --out, or delete it",
                             folder, parts[i]);
    }
    return STATUS_OK;
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
