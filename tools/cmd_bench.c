/*
 * cmd_bench.c - lnclip bench: what this machine can do, and how much of it each part of the program
 * reaches.
 *
 * The machine comes first, so that everything else can be read as a share of it. On a shared
 * machine milliseconds move from minute to minute: the peak is measured again at the end, and what
 * must be compared belongs in one run.
 */
#include "tensor/base/mem.h"
#include "tools/bench/bench.h"
#include "tools/cli/cli_machine.h"
#include "tools/cli/cli_model.h"

#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/peak.h"
#include "train/json.h"
#include "train/run/run_record.h"
#include "vit/vit.h"

#include <stdlib.h>
#include <string.h>

/* What --only can name. */
typedef enum Part {
    PART_PEAK,
    PART_GEMM,
    PART_ATTENTION,
    PART_LAYER_NORM,
    PART_FORWARD,
    PART_STEP,
    PART_LOADER,
    PARTS,
} Part;

static const char *const part_names[PARTS] = {
    [PART_PEAK] = "peak",           [PART_GEMM] = "gemm",
    [PART_ATTENTION] = "attention", [PART_LAYER_NORM] = "layer_norm",
    [PART_FORWARD] = "forward",     [PART_STEP] = "step",
    [PART_LOADER] = "loader",
};

/*
 * Sets chosen [count] by a comma list of names; NULL or "" chooses all. Exits 2 for an unknown
 * name, telling the nearest.
 */
static void choose(const char *option, const char *what, const char *list, const char *const *names,
                   int count, bool *chosen)
{
    for (int i = 0; i < count; i++)
        chosen[i] = !list || !*list;
    for (const char *at = list ? list : ""; *at;) {
        char word[64];
        const size_t length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word), at);
        at += length + (at[length] == ',');
        int i = 0;
        while (i < count && strcmp(names[i], word) != 0)
            i++;
        if (i < count) {
            chosen[i] = true;
            continue;
        }
        const char *nearest = cli_nearest(word, names, count);
        exit(cli_finish(cli_usage_error("%s %s: is no %s; %s%s%s", option, word, what,
                                        nearest ? "did you mean '" : "see lnclip bench --help",
                                        nearest ? nearest : "", nearest ? "'?" : "")));
    }
}

static void show_machine(Bench *bench)
{
    char processor[128];
    train_processor(processor, sizeof processor);
    const BenchPool *pool = &bench->pools[bench->pool_count - 1];
    const char *forced = cli_machine_forced_core();
    bench_print(bench, "processor  %s, %d thread%s\n", processor, pool->count,
                pool->count == 1 ? "" : "s");
    bench_print(bench, "kernels    %s: %s, %s, %s\n", kernels()->name,
                kernels_peak_instruction(PRECISION_F32), kernels_peak_instruction(PRECISION_BF16),
                kernels_peak_instruction(PRECISION_INT8));
    bench_print(bench, "BLAS       %s, core %s\n", gemm_library(), gemm_core());
    bench_print(bench, "model      %s, %.1f GFLOP a forward, %.1f an LN-tuning step\n",
                bench->model ? bench->model : vit_config_name(&bench->config),
                bench_forward_work(&bench->config) * 1e-9, bench_step_work(&bench->config) * 1e-9);
    if (forced)
        cli_warn("OPENBLAS_CORETYPE=%s: OpenBLAS computes at half the speed of this processor or "
                 "less; unset it",
                 forced);
    train_json_set(bench->report, "machine",
                   json_pack("{s:o, s:i, s:s, s:s, s:s, s:s}", "processor",
                             train_json_string(processor), "threads", pool->count, "kernels",
                             kernels()->name, "f32", kernels_peak_instruction(PRECISION_F32),
                             "bf16", kernels_peak_instruction(PRECISION_BF16), "int8",
                             kernels_peak_instruction(PRECISION_INT8)));
    train_json_set(bench->report, "blas",
                   json_pack("{s:s, s:s, s:o}", "library", gemm_library(), "core", gemm_core(),
                             "forced", forced ? train_json_string(forced) : json_null()));
    train_json_set(
        bench->report, "model",
        json_pack("{s:o, s:f, s:f}", "name",
                  train_json_string(bench->model ? bench->model : vit_config_name(&bench->config)),
                  "forward_gflop", bench_forward_work(&bench->config) * 1e-9, "step_gflop",
                  bench_step_work(&bench->config) * 1e-9));
}

/* The shape alone: the model itself is loaded when its turn comes. */
static Status read_config(Bench *bench, const char *arch, Error *error)
{
    if (!bench->model)
        return vit_config_named(arch, &bench->config, error);
    Vit *vit = NULL;
    TRY(vit_load_with(&vit, bench->model, &bench->hints,
                      bench->pools[bench->pool_count - 1].threads, error));
    bench->config = vit->config;
    vit_destroy(vit);
    return STATUS_OK;
}

/* With --threads one pool of that size, else one thread and all processors. */
static Status create_teams(Bench *bench, Error *error)
{
    Threads *threads = NULL;
    TRY(threads_create(&threads, bench->arguments->threads, error));
    if (bench->arguments->threads == 0 && threads_count(threads) > 1)
        bench->pools[bench->pool_count++] = (BenchPool){.count = 1};
    bench->pools[bench->pool_count++] =
        (BenchPool){.count = threads_count(threads), .threads = threads};
    return STATUS_OK;
}

static Status measure(Bench *bench, const bool *parts, Error *error)
{
    TRY(bench_peaks(bench, "peak", error));
    if (parts[PART_GEMM])
        TRY(bench_products(bench, error));
    if (parts[PART_ATTENTION])
        TRY(bench_attention(bench, error));
    if (parts[PART_LAYER_NORM])
        TRY(bench_layer_norm(bench, error));
    if (parts[PART_FORWARD] || parts[PART_STEP])
        TRY(bench_model(bench, parts[PART_FORWARD], parts[PART_STEP], error));
    if (parts[PART_LOADER])
        TRY(bench_loader(bench, error));
    return bench_peaks(bench, "peak_after", error);
}

static Status run(Bench *bench, const char *arch, const bool *parts, Error *error)
{
    bench->report = json_pack("{s:[], s:[], s:[], s:[], s:[], s:{}}", "gemm", "attention",
                              "layer_norm", "forward", "step", "loader");
    if (!bench->report)
        return mem_full(0, "the report", error);
    TRY(create_teams(bench, error));
    TRY(read_config(bench, arch, error));
    show_machine(bench);
    TRY(measure(bench, parts, error));
    return bench->json ? train_json_write(json_incref(bench->report), stdout, 6, "bench", error)
                       : STATUS_OK;
}

int cmd_bench(int argc, char **argv)
{
    Bench bench = {.rounds = 5};
    const char *arch = NULL, *only = NULL, *precision = NULL;
    CliModelOptions model = {0};
    CliOption options[] = {
        {"--json", CLI_FLAG, &bench.json, 0, 0, NULL, "print one JSON object instead of tables"},
        {"--model", CLI_STRING, &bench.model, 0, 0, "M", "measure with the weights of this model"},
        CLI_NETWORK_OPTIONS(model),
        {"--arch", CLI_STRING, &arch, 0, 0, "NAME",
         "measure with random weights of this shape (default vit-l-14)"},
        {"--precision", CLI_STRING, &precision, 0, 0, "P",
         "of f32,bf16,int8 those to measure, a comma between them"},
        {"--rounds", CLI_INT, &bench.rounds, 1, 1000, "N",
         "samples a median (default 5; calls of over a second: at most 3)"},
        {"--only", CLI_STRING, &only, 0, 0, "PARTS",
         "peak,gemm,attention,layer_norm,forward,step,loader: those to measure"},
        {"--quick", CLI_FLAG, &bench.quick, 0, 0, NULL,
         "a rehearsal in seconds; its numbers mean nothing"},
        {0},
    };
    const CliCommand command = {
        .name = "bench",
        .summary = "speed of this machine, and what share of it is reached",
        .usage = "lnclip bench [--json] [--model M | --arch NAME] [--only PARTS]",
        .details =
            "Measures the machine's peak first, then products, attention, LayerNorm, the whole "
            "encoder, a training\nstep at batch 8 and the loader, on one thread and on all; with "
            "--threads N on N alone. Each figure is the\nbest of three medians; operations are "
            "counted by formula (docs/benchmarks.md). Nothing is read but\n--model, and nothing is "
            "left on disk. On a shared machine compare within one run only.",
        .example = "lnclip bench --only gemm,forward --precision f32,bf16",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    if (bench.model && arch)
        return cli_usage_error("--arch %s: beside --model, which has a shape; give one of the two",
                               arch);
    Error wrong = {0};
    if (cli_model_hints(&model, &bench.hints, &wrong) != STATUS_OK)
        return cli_report(&wrong);
    bool parts[PARTS];
    const char *precision_names[PRECISION_COUNT];
    for (int i = 0; i < PRECISION_COUNT; i++)
        precision_names[i] = precision_name((Precision)i);
    choose("--only", "part", only, part_names, PARTS, parts);
    choose("--precision", "precision", precision, precision_names, PRECISION_COUNT,
           bench.precisions);
    if (bench.quick)
        bench.rounds = 1;
    bench.arguments = &arguments;
    bench.stop = cli_catch_signals();
    Error error = {0};
    const Status status = run(&bench, arch ? arch : "vit-l-14", parts, &error);
    json_decref(bench.report);
    for (int t = 0; t < bench.pool_count; t++)
        threads_destroy(bench.pools[t].threads);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
