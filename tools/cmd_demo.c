/*
 * cmd_demo.c - lnclip demo: a small complete example of the method; its only input is a seed.
 *
 *     draw a data set -> train a small backbone on another task -> freeze it
 *     -> linear probe and LN-tuning on some forgery methods -> test on all -> a table
 *
 * It demonstrates the claim of the method: tuned LayerNorms, 0.1 % of the parameters of a large
 * encoder, generalise to unseen forgeries better than a probe on frozen features. The frames are
 * synthetic, so the results say nothing about real data sets.
 */
#include "tensor/base/file.h"
#include "tools/cli/cli.h"
#include "tools/demo/demo.h"
#include "tools/report/report.h"
#include "train/json.h"
#include "train/plan.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const DemoScale full_scale = {.videos = 240,
                                     .frames = 4,
                                     .portraits = 10000,
                                     .held_out = 1000,
                                     .pretraining_epochs = 6,
                                     .probe_epochs = 40,
                                     .tuning_epochs = 10};

/* --quick: every part of the demo, too small to learn. */
static const DemoScale smoke_test = {.videos = 12,
                                     .frames = 2,
                                     .portraits = 256,
                                     .held_out = 64,
                                     .pretraining_epochs = 2,
                                     .probe_epochs = 2,
                                     .tuning_epochs = 1};

typedef struct Outcome {
    DemoPretraining pretraining;
    DemoScore scores[DEMO_METHODS];
    double seconds;
} Outcome;

/* ---- the folder ------------------------------------------------------------------------------ */

/* The page of the evaluation. */
#define REPORT "report.html"

/*
 * A demo folder is recognised by demo.json, which is written first. Only files that the demo writes
 * are ever deleted, and none if the folder contains any other file.
 */
static const char *const own_names[] = {DEMO_BACKBONE,    DEMO_DATA,   "probe.safetensors",
                                        "ln.safetensors", "demo.json", REPORT};
enum { OWN_NAMES = sizeof own_names / sizeof own_names[0] };

static bool is_own(const char *name)
{
    for (int i = 0; i < OWN_NAMES; i++)
        if (strcmp(name, own_names[i]) == 0)
            return true;
    return false;
}

/* Deletes the files of an earlier demo. Links are removed, not followed. */
static Status clear(const char *folder, Error *error)
{
    char path[FILE_PATH_SIZE];
    for (int i = 0; i < OWN_NAMES; i++) {
        TRY(file_join(path, folder, own_names[i], error));
        const int reason = file_remove_tree(path);
        if (reason != 0 && reason != ENOENT)
            return error_set(error, STATUS_FAILED,
                             "%s: cannot be deleted: %s; choose another --out", path,
                             strerror(reason));
    }
    return STATUS_OK;
}

/*
 * Counts the entries of a folder. `foreign` becomes the name of one that the demo does not write,
 * or "".
 */
static Status look(const char *folder, int *entries, char foreign[256], Error *error)
{
    *entries = 0;
    foreign[0] = '\0';
    DIR *stream = opendir(folder);
    if (!stream && errno == ENOENT)
        return STATUS_OK;
    if (!stream)
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be opened as a folder: %s; choose another --out", folder,
                         strerror(errno));
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (*entries)++;
        if (!is_own(entry->d_name))
            snprintf(foreign, 256, "%s", entry->d_name);
    }
    closedir(stream);
    return STATUS_OK;
}

/*
 * Creates the folder, or clears that of an earlier demo. STATUS_FAILED if it contains any other
 * file; then nothing is deleted.
 */
static Status prepare_folder(const char *folder, Error *error)
{
    char foreign[256], mark[FILE_PATH_SIZE];
    int entries = 0;
    TRY(look(folder, &entries, foreign, error));
    TRY(file_join(mark, folder, "demo.json", error));
    if (foreign[0] != '\0')
        return error_set(
            error, STATUS_FAILED,
            "%s: contains %s, which is not from a demo; choose another --out, or move it", folder,
            foreign);
    if (entries > 0 && !file_exists(mark))
        return error_set(error, STATUS_FAILED,
                         "%s: is not empty and has no demo.json; choose another --out", folder);
    TRY(clear(folder, error));
    TRY(file_make_folders(folder, error));
    static const char unfinished[] = "{\"finished\": false}\n";
    return file_write(mark, unfinished, sizeof unfinished - 1, error);
}

/* ---- the four stages ------------------------------------------------------------------------- */

static void show_drawing(void *context, int done, int total)
{
    cli_progress_show(context, done, total, 0);
}

static Status draw_data(const Demo *demo, Error *error)
{
    char folder[FILE_PATH_SIZE];
    const DataSynthSettings settings = {.videos = demo->scale->videos,
                                        .frames = demo->scale->frames,
                                        .size = DEMO_SIZE,
                                        .seed = demo->seed,
                                        .threads = demo->threads};
    TRY(file_join(folder, demo->out, DEMO_DATA, error));
    CliProgress progress = cli_progress_begin(demo->arguments, "drawing the data set", "frames");
    const Status status = data_synth_write(folder, &settings, show_drawing, &progress, error);
    cli_progress_end(&progress);
    return status;
}

static Status make_backbone(const Demo *demo, DemoPretraining *result, Error *error)
{
    char folder[FILE_PATH_SIZE];
    Vit *vit;
    const VitConfig config = demo_config();
    TRY(file_join(folder, demo->out, DEMO_BACKBONE, error));
    TRY(vit_create(&vit, &config, demo->seed, demo->threads, error));
    const Status status = demo_pretrain(demo, vit, folder, result, error);
    vit_destroy(vit);
    return status;
}

static Status perform(const Demo *demo, Outcome *outcome, Error *error)
{
    const double started = train_clock();
    TRY(prepare_folder(demo->out, error));
    cli_note(demo->arguments,
             "1/4 drawing a data set of %d videos per source, %d frames per video, in %s/%s",
             demo->scale->videos, demo->scale->frames, demo->out, DEMO_DATA);
    TRY(draw_data(demo, error));
    cli_note(demo->arguments,
             "2/4 pretraining a backbone on portraits (all parameters, no forgeries)");
    TRY(make_backbone(demo, &outcome->pretraining, error));
    for (int i = 0; i < DEMO_METHODS; i++) {
        cli_note(demo->arguments, "%d/4 training %s on the frozen backbone", 3 + i,
                 i == 0 ? "a linear probe" : "LN-tuning");
        TRY(demo_method(demo, i, &outcome->scores[i], error));
    }
    outcome->seconds = train_clock() - started;
    return STATUS_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static double mean(const double *values, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    return sum / count;
}

static void print_families(const Outcome *outcome, bool seen)
{
    for (int family = 1; family < DATA_SYNTH_FAMILIES; family++) {
        if (demo_family_is_seen((DataSynthFamily)family) != seen)
            continue;
        printf("  %-24s", data_synth_name((DataSynthFamily)family));
        for (int i = 0; i < DEMO_METHODS; i++)
            printf("  %14.3f", outcome->scores[i].family[family]);
        putchar('\n');
    }
    printf("  %-24s", seen ? "all seen" : "all unseen");
    for (int i = 0; i < DEMO_METHODS; i++)
        printf("  %14.3f", seen ? outcome->scores[i].seen : outcome->scores[i].unseen);
    putchar('\n');
}

static void print_table(const Demo *demo, const Outcome *outcome)
{
    const DemoScore *scores = outcome->scores;
    printf("%-26s", "");
    for (int i = 0; i < DEMO_METHODS; i++)
        printf("  %14s", scores[i].method);
    printf("\n%-26s", "trained parameters");
    for (int i = 0; i < DEMO_METHODS; i++)
        printf("  %14s", cli_count(scores[i].trained));
    printf("\n%-26s", "parameters in total");
    for (int i = 0; i < DEMO_METHODS; i++)
        printf("  %14s", cli_count(scores[i].parameters));
    printf("\n%-26s", "training time (s)");
    for (int i = 0; i < DEMO_METHODS; i++)
        printf("  %14.1f", scores[i].seconds);
    printf("\nvideo AUROC, forgery methods seen in training\n");
    print_families(outcome, true);
    printf("video AUROC, unseen forgery methods\n");
    print_families(outcome, false);
    printf("%.0f s in total, seed %llu. Written to %s: %s, %s, %s, %s, demo.json\n",
           outcome->seconds, (unsigned long long)demo->seed, demo->out, DEMO_DATA, DEMO_BACKBONE,
           scores[0].file, scores[1].file);
}

/* ---- demo.json ------------------------------------------------------------------------------- */

static json_t *pretraining_json(const DemoPretraining *pretraining)
{
    const int cells = DEMO_GRID * DEMO_GRID;
    json_t *traits = json_object();
    for (int t = 0; t < DEMO_TRAITS; t++)
        train_json_set(traits, demo_trait_names[t], train_json_number(pretraining->r2[t]));
    train_json_set(traits, "cell_brightness",
                   train_json_number(mean(pretraining->r2 + DEMO_TRAITS, cells)));
    train_json_set(traits, "cell_detail",
                   train_json_number(mean(pretraining->r2 + DEMO_TRAITS + cells, cells)));
    return json_pack("{s:i, s:i, s:i, s:f, s:o}", "frames", pretraining->frames, "held_out_frames",
                     pretraining->held_out, "steps", pretraining->steps, "seconds",
                     pretraining->seconds, "r2", traits);
}

static json_t *score_json(const Demo *demo, const DemoScore *score, int index)
{
    json_t *families = json_object();
    for (int family = 1; family < DATA_SYNTH_FAMILIES; family++)
        train_json_set(families, data_synth_name((DataSynthFamily)family),
                       train_json_number(score->family[family]));
    char *recipe = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&recipe, &size);
    if (stream)
        demo_print_recipe(demo, index, stream);
    if (!stream || fclose(stream) != 0 || !recipe)
        train_json_lose();
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:f}", "method", score->method, "adapter",
        score->file, "train", recipe ? recipe : "", "trained_parameters",
        (json_int_t)score->trained, "parameters", (json_int_t)score->parameters, "auroc_video_seen",
        train_json_number(score->seen), "auroc_video_unseen", train_json_number(score->unseen),
        "auroc_video", families, "seconds", score->seconds);
    free(recipe);
    return object;
}

static json_t *families_json(bool seen)
{
    json_t *names = json_array();
    for (int family = 1; family < DATA_SYNTH_FAMILIES; family++)
        if (demo_family_is_seen((DataSynthFamily)family) == seen)
            train_json_append(names, json_string(data_synth_name((DataSynthFamily)family)));
    return names;
}

static json_t *outcome_json(const Demo *demo, const Outcome *outcome)
{
    json_t *results = json_array();
    for (int i = 0; i < DEMO_METHODS; i++)
        train_json_append(results, score_json(demo, &outcome->scores[i], i));
    return json_pack("{s:b, s:I, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:f, s:[s,s,s,s,s]}",
                     "finished", 1, "seed", (json_int_t)demo->seed, "videos_per_source",
                     demo->scale->videos, "frames_per_video", demo->scale->frames, "size",
                     DEMO_SIZE, "seen_families", families_json(true), "unseen_families",
                     families_json(false), "pretraining", pretraining_json(&outcome->pretraining),
                     "results", results, "seconds", outcome->seconds, "files", DEMO_DATA,
                     DEMO_BACKBONE, outcome->scores[0].file, outcome->scores[1].file, REPORT);
}

static Status write_json(const Demo *demo, const Outcome *outcome, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, demo->out, "demo.json", error));
    return train_json_save(outcome_json(demo, outcome), path, 17, error);
}

/* ---- report.html ----------------------------------------------------------------------------- */

static Status write_report(const Demo *demo, const Outcome *outcome, char path[FILE_PATH_SIZE],
                           Error *error)
{
    const MetricsUncertainty settings = demo_uncertainty(demo);
    ReportScores scores[DEMO_METHODS];
    for (int i = 0; i < DEMO_METHODS; i++)
        scores[i] = (ReportScores){.name = outcome->scores[i].method,
                                   .predictions = &outcome->scores[i].predictions,
                                   .reports = outcome->scores[i].reports,
                                   .set_count = DEMO_SETS};
    TRY(file_join(path, demo->out, REPORT, error));
    return report_write_scores(path, demo->out, scores, DEMO_METHODS, &settings, REPORT_THUMBNAILS,
                               error);
}

int cmd_demo(int argc, char **argv)
{
    Demo demo = {.out = "demo-out", .seed = 1};
    bool quick = false;
    CliOption options[] = {
        {"--out", CLI_STRING, &demo.out, 0, 0, "DIR",
         "output folder (default demo-out); an earlier demo in it\nis replaced"},
        {"--seed", CLI_UINT64, &demo.seed, 0, 0, "N", "random seed (default 1)"},
        {"--quick", CLI_FLAG, &quick, 0, 0, NULL, "smoke test in seconds; results are meaningless"},
        {0},
    };
    const CliCommand command = {
        .name = "demo",
        .summary = "small complete example of the method; no downloads",
        .usage = "lnclip demo [--out DIR] [--seed N] [--quick]",
        .details = "Draws a synthetic data set of forged faces, pretrains a small vision "
                   "transformer on another task, and\ncompares a linear probe with LN-tuning on "
                   "forgery methods seen in training and on unseen ones. Writes\ndata, backbone, "
                   "probe.safetensors, ln.safetensors, demo.json and report.html to DIR.",
        .example = "lnclip demo --out demo-out\n"
                   "  lnclip eval --model demo-out/backbone --adapter demo-out/ln.safetensors \\\n"
                   "      --out scores warp=demo-out/data/lists/test/warp.txt,"
                   "demo-out/data/lists/test/real.txt",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    demo.arguments = &arguments;
    demo.scale = quick ? &smoke_test : &full_scale;
    demo.stop = cli_catch_signals();
    Error error = {0};
    Outcome outcome = {0};
    Status status = threads_create(&demo.threads, arguments.threads, &error);
    if (status == STATUS_OK)
        status = perform(&demo, &outcome, &error);
    char page[FILE_PATH_SIZE];
    if (status == STATUS_OK)
        status = write_report(&demo, &outcome, page, &error);
    if (status == STATUS_OK)
        status = write_json(&demo, &outcome, &error);
    if (status == STATUS_INTERRUPTED)
        status = cli_interrupted(demo.out, "the same command restarts the demo", &error);
    threads_destroy(demo.threads);
    if (status == STATUS_OK) {
        print_table(&demo, &outcome);
        printf("Open this page in a browser: %s\n", page);
    }
    for (int i = 0; i < DEMO_METHODS; i++)
        demo_score_free(&outcome.scores[i]);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
