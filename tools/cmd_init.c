/*
 * cmd_init.c - lnclip init: creates a model with random weights in Hugging Face's layout.
 *
 * For tests, benchmarks and trying the tools; not a substitute for pretrained weights.
 */
#include "tools/cli/cli_model.h"

static Status make_model(const char *arch, uint64_t seed, const char *folder,
                         const CliArguments *arguments, Error *error)
{
    VitConfig config;
    TRY(vit_config_named(arch, &config, error));
    TRY(cli_model_refuse_existing(folder, error));
    Threads *threads = NULL;
    Vit *vit = NULL;
    Status status = threads_create(&threads, arguments->threads, error);
    if (status == STATUS_OK)
        status = vit_create(&vit, &config, seed, threads, error);
    if (status == STATUS_OK)
        status = cli_interrupted("init", "nothing was written", error);
    if (status == STATUS_OK)
        status = vit_save(vit, folder, error);
    if (status == STATUS_OK)
        cli_note(arguments, "%s: %s with %s random parameters, seed %llu", folder, arch,
                 cli_count(vit_size(vit)), (unsigned long long)seed);
    if (vit)
        vit_destroy(vit);
    threads_destroy(threads);
    return status;
}

int cmd_init(int argc, char **argv)
{
    const char *arch = NULL, *out = NULL;
    uint64_t seed = 0;
    CliOption options[] = {
        {"--arch", CLI_STRING, &arch, 0, 0, "NAME",
         "tiny, vit-b-32, vit-b-16, vit-l-14 or vit-l-14-336"},
        {"--seed", CLI_UINT64, &seed, 0, 0, "N", "random seed (default 0)"},
        {"--out", CLI_STRING, &out, 0, 0, "DIR", "output folder; must be empty or missing"},
        {0},
    };
    const CliCommand command = {
        .name = "init",
        .summary = "make a model with random weights",
        .usage = "lnclip init --arch NAME [--seed N] --out DIR",
        .details = "Writes config.json, preprocessor_config.json and model.safetensors in Hugging "
                   "Face's layout, with\nweights drawn as Hugging Face initialises CLIP. The same "
                   "NAME and seed give the same file.",
        .example = "lnclip init --arch tiny --seed 1 --out models/tiny",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    cli_expect_option(&arguments, "--arch", arch);
    cli_expect_option(&arguments, "--out", out);
    cli_catch_signals();
    Error error = {0};
    return make_model(arch, seed, out, &arguments, &error) == STATUS_OK ? CLI_DONE
                                                                        : cli_report(&error);
}
