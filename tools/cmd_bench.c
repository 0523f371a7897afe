/*
 * cmd_bench.c - lnclip bench: measures the peak speed of the machine and the fraction of it that
 * each part of the program reaches.
 *
 * The peak is measured first, since all other results are relative to it, and again at the end: on
 * a shared machine, speed changes from minute to minute. Compare results within one run only.
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

/* The parts that --only selects. */
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
 * Sets chosen [count] from a comma-separated list of names; NULL or "" chooses all. Exits 2 for an
 * unknown name, suggesting the nearest.
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
        exit(cli_finish(cli_usage_error("%s %s: unknown %s; %s%s%s", option, word, what,
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
    bench_print(bench, "model      %s, %.1f GFLOP per forward pass, %.1f per LN-tuning step\n",
                bench->model ? bench->model : vit_config_name(&bench->config),
                bench_forward_work(&bench->config) * 1e-9, bench_step_work(&bench->config) * 1e-9);
    if (forced)
        cli_warn("OPENBLAS_CORETYPE=%s: OpenBLAS runs at half the speed of this processor or less; "
                 "unset it",
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

/* Reads the model's configuration only; the model itself is loaded by bench_model. */
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

/*
 * Creates one pool with --threads threads; without the option, one of a single thread and one of
 * all processors.
 */
static Status create_pools(Bench *bench, Error *error)
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
    TRY(create_pools(bench, error));
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
        {"--json", CLI_FLAG, &bench.json, 0, 0, NULL, "print a JSON object instead of tables"},
        {"--model", CLI_STRING, &bench.model, 0, 0, "M", "use the weights of this model"},
        CLI_NETWORK_OPTIONS(model),
        {"--arch", CLI_STRING, &arch, 0, 0, "NAME",
         "use random weights of this architecture (default vit-l-14)"},
        {"--precision", CLI_STRING, &precision, 0, 0, "P",
         "comma-separated precisions to measure: f32,bf16,int8\n(default: all)"},
        {"--rounds", CLI_INT, &bench.rounds, 1, 1000, "N",
         "samples per median (default 5; at most 3 if a call takes\nover a second)"},
        {"--only", CLI_STRING, &only, 0, 0, "PARTS",
         "comma-separated parts to measure: peak, gemm, attention,\nlayer_norm, forward, step, "
         "loader (default: all)"},
        {"--quick", CLI_FLAG, &bench.quick, 0, 0, NULL,
         "smoke test in seconds; results are meaningless"},
        {0},
    };
    const CliCommand command = {
        .name = "bench",
        .summary = "measure speed and fraction of the machine's peak",
        .usage = "lnclip bench [--json] [--model M | --arch NAME] [--only PARTS]",
        .details = "Measures the peak of the machine, then matrix products, attention, LayerNorm, "
                   "the full encoder, a\ntraining step at batch 8 and the loader, with one thread "
                   "and with all; with --threads N only with N.\nEach result is the best of three "
                   "medians; operations are counted by formula (docs/benchmarks.md). On a\nshared "
                   "machine compare results within one run only.",
        .example = "lnclip bench --only gemm,forward --precision f32,bf16",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    if (bench.model && arch)
        return cli_usage_error("--arch %s: cannot be combined with --model; give one of the two",
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
    Status status = bench.model ? cli_model_find(&arguments, &bench.model, &error) : STATUS_OK;
    if (status == STATUS_OK)
        status = run(&bench, arch ? arch : "vit-l-14", parts, &error);
    json_decref(bench.report);
    for (int t = 0; t < bench.pool_count; t++)
        threads_destroy(bench.pools[t].threads);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
