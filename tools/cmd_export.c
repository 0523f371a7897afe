/*
 * cmd_export.c - lnclip export: a model with its adapter merged, for programs that know no adapters.
 */
#include "tools/cli_model.h"

static Status export_model(const CliModelOptions *options, const char *folder,
                           const CliArguments *arguments, Error *error)
{
    TRY(cli_model_refuse_existing(folder, error));
    CliModel model = {0};
    Status status = cli_model_load(&model, options, arguments, CLI_HEAD_IF_ANY, error);
    const VitHead *const head = model.has_head ? &model.head : NULL;
    if (status == STATUS_OK)
        status = cli_interrupted("export", "nothing was written", error);
    if (status == STATUS_OK)
        status = vit_save_with_head(model.vit, head, folder, error); /* makes the folder */
    if (status == STATUS_OK)
        cli_note(arguments, "%s: %s parameters, %s", folder, cli_count(vit_size(model.vit)),
                 head ? vit_head_kind_name(head->kind) : "no head");
    cli_model_free(&model);
    return status;
}

int cmd_export(int argc, char **argv)
{
    CliModelOptions model = {0};
    const char *out = NULL;
    CliOption options[] = {
        CLI_MODEL_OPTION(model),
        CLI_ADAPTER_OPTION(model),
        CLI_HEAD_OPTION(model),
        {"--out", CLI_STRING, &out, 0, 0, "DIR", "folder to write; may not hold a model yet"},
        {0},
    };
    const CliCommand command = {
        .name = "export",
        .summary = "write a model with its adapter merged",
        .usage = "lnclip export --model M [--adapter A] --out DIR",
        .details =
            "Writes config.json, preprocessor_config.json and model.safetensors in Hugging "
            "Face's layout,\nF32, with what the adapter changed in place, LoRA merged into its "
            "weights, and the head as\nmodel.linear.{weight,bias}. --model takes the folder "
            "wherever it takes a model.",
        .example = "lnclip export --model clip --adapter run/best.safetensors --out merged",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    cli_model_expect(&arguments, &model);
    cli_expect_option(&arguments, "--out", out);
    cli_catch_signals();
    Error error = {0};
    return export_model(&model, out, &arguments, &error) == STATUS_OK ? CLI_DONE
                                                                      : cli_report(&error);
}
