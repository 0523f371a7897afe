/*
 * cmd_eval.c - lnclip eval: scores data sets with one or several adapters, and writes and prints
 * the metrics.
 *
 * Order of work: arguments and lists (train/eval/eval_sets.h); for each adapter its scores
 * (eval_model.h), metrics (train/eval/eval_result.h) and files (train/eval/eval_files.h); finally
 * the tables of all adapters (eval_print.h). An earlier evaluation in the folder is kept until the
 * new one is finished. An interrupted evaluation continues where it stopped.
 */
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_checks.h"
#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_metrics.h"
#include "tools/eval/eval_model.h"
#include "tools/eval/eval_print.h"
#include "tools/report/report.h"
#include "train/eval/eval_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The command line. */
typedef struct Request {
    const CliArguments *arguments;
    CliModelOptions model; /* without an adapter */
    CliStrings adapters, perturb, labels;
    CliMetricsOptions metrics;
    const char *out, *checks;
    int frames_per_video; /* 0 = all */
    const char *frame_choice;
    int limit;      /* frames of a set; 0 = all */
    int thumbnails; /* of report.html */
    bool calibrated, overwrite, json;
} Request;

/* The state of the command; freed by evaluation_free. */
typedef struct Evaluation {
    const Request *request;
    MetricsUncertainty settings;
    CliView view;
    EvalSets sets;
    EvalAdapters adapters;
    DataPerturbation *perturbations; /* [perturbation_count] */
    int perturbation_count;
    EvalScores *scores;          /* [adapters.count], kept for a restart until all is done */
    EvalResult *results;         /* [adapters.count] */
    EvalComparison *comparisons; /* [adapters.count - 1] */
} Evaluation;

/* ---- before the work ------------------------------------------------------------------------- */

/* A set with one class has no AUROC, but its scores may still be of use. */
static bool has_both_classes(const EvalSet *set)
{
    int frames[2], videos[2];
    data_list_counts(&set->frames, frames, videos);
    return frames[0] > 0 && frames[1] > 0;
}

static Status describe_sets(const Evaluation *evaluation, Error *error)
{
    const Request *request = evaluation->request;
    const char **paths = calloc(evaluation->adapters.count, sizeof *paths);
    CliStrings adapters = {paths, 0};
    if (!paths)
        return mem_full(0, "the evaluation", error);
    for (int i = 0; i < evaluation->adapters.count; i++)
        if (evaluation->adapters.adapters[i].path)
            paths[adapters.count++] = evaluation->adapters.adapters[i].path;
    char model[FILE_PATH_SIZE];
    if (adapters.count == 0 && vit_model_file(request->model.model, model, error) == STATUS_OK)
        paths[adapters.count++] = model; /* a model from lnclip export names its training list */
    cli_print_sources_head(request->arguments);
    Status status = STATUS_OK;
    for (int i = 0; i < evaluation->sets.set_count && status == STATUS_OK; i++) {
        const EvalSet *set = &evaluation->sets.sets[i];
        cli_print_sources(request->arguments, set->name, &set->frames);
        if (!has_both_classes(set))
            cli_warn("%s: all frames are %s; AUROC and all other metrics that need both classes "
                     "are undefined (null)",
                     set->name, set->frames.frames[0].label ? "fake" : "real");
        status = cli_check_evaluated(request->arguments, set->name, &set->frames,
                                     cli_checks_expect(request->checks), &adapters, error);
    }
    free(paths);
    return status;
}

/* The output folder of an adapter: --out, or for a named adapter --out/NAME. */
static Status folder_of(const Evaluation *evaluation, int which, char folder[FILE_PATH_SIZE],
                        Error *error)
{
    const char *name = evaluation->adapters.adapters[which].name;
    return name ? file_join(folder, evaluation->request->out, name, error)
                : file_join(folder, "", evaluation->request->out, error);
}

static bool has_adapter(const Evaluation *evaluation, const char *hash)
{
    for (int i = 0; i < evaluation->adapters.count; i++)
        if (strcmp(evaluation->adapters.adapters[i].hash, hash) == 0)
            return true;
    return false;
}

/*
 * STATUS_FAILED if the evaluation would replace one of another adapter, unless --overwrite is
 * given. Models are compared once they are loaded (eval_model.c).
 */
static Status check_replaced(const Evaluation *evaluation, Error *error)
{
    const EvalAdapters *adapters = &evaluation->adapters;
    const char *out = evaluation->request->out;
    for (int i = 0; i <= adapters->count && !evaluation->request->overwrite; i++) {
        char folder[FILE_PATH_SIZE];
        EvalOrigin origin;
        const bool whole = i == adapters->count; /* --out itself, also if adapters have names */
        TRY(whole ? file_join(folder, "", out, error) : folder_of(evaluation, i, folder, error));
        eval_origin_read(folder, &origin);
        if (origin.found && (whole ? !has_adapter(evaluation, origin.adapter)
                                   : strcmp(origin.adapter, adapters->adapters[i].hash) != 0))
            return error_set(error, STATUS_FAILED,
                             "%s: contains an evaluation of another adapter (%s); choose another "
                             "--out, or replace it with --overwrite",
                             folder, origin.path);
    }
    return STATUS_OK;
}

static Status prepare(Evaluation *evaluation, Error *error)
{
    const Request *request = evaluation->request;
    TRY(eval_perturbations_parse(request->perturb.items, request->perturb.count,
                                 &evaluation->perturbations, &evaluation->perturbation_count,
                                 error));
    TRY(eval_adapters_read(&evaluation->adapters, request->adapters.items, request->adapters.count,
                           request->model.model, request->calibrated, error));
    TRY(check_replaced(evaluation, error));
    const CliFrames frames = {request->frames_per_video,
                              cli_frame_choice_expect(request->frame_choice), request->limit,
                              request->metrics.seed};
    const CliStrings *sets = &request->arguments->positional;
    TRY(eval_sets_parse(&evaluation->sets, sets->items, sets->count, error));
    TRY(eval_read_lists(&evaluation->sets, DATA_TEST, &frames, &request->labels, error));
    const size_t count = evaluation->adapters.count;
    evaluation->scores = calloc(count, sizeof *evaluation->scores);
    evaluation->results = calloc(count, sizeof *evaluation->results);
    evaluation->comparisons = calloc(count, sizeof *evaluation->comparisons);
    if (!evaluation->scores || !evaluation->results || !evaluation->comparisons)
        return mem_full(0, "the evaluation", error);
    return describe_sets(evaluation, error);
}

/*
 * Notes that --out holds an evaluation of one unnamed adapter and this one has several, or the
 * reverse.
 */
static void note_replaced(const Evaluation *evaluation)
{
    const Request *request = evaluation->request;
    if (evaluation->adapters.named ? eval_result_is_in(request->out)
                                   : eval_comparisons_are_in(request->out))
        cli_note(
            request->arguments,
            "%s: contains an evaluation of %s; its files are removed when this one is finished",
            request->out, evaluation->adapters.named ? "one unnamed adapter" : "several adapters");
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Scores all sets with one adapter and computes the metrics. */
static Status evaluate_adapter(Evaluation *evaluation, int which, Error *error)
{
    const Request *request = evaluation->request;
    const EvalAdapter *adapter = &evaluation->adapters.adapters[which];
    EvalResult *result = &evaluation->results[which];
    const EvalScoring scoring = {
        .sets = &evaluation->sets,
        .perturbations = evaluation->perturbations,
        .perturbation_count = evaluation->perturbation_count,
        .seed = request->metrics.seed,
    };
    char folder[FILE_PATH_SIZE];
    TRY(folder_of(evaluation, which, folder, error));
    if (adapter->name)
        cli_note(request->arguments, "%s: %s", adapter->name, adapter->path);
    result->provenance.frames_per_video = request->frames_per_video;
    result->provenance.frame_choice = request->frame_choice ? request->frame_choice : "even";
    result->provenance.limit = request->limit;
    result->provenance.seed = evaluation->settings.seed;
    result->provenance.ci = evaluation->settings.mode;
    TRY(eval_score_model(&scoring, &request->model, request->arguments, adapter, folder,
                         request->overwrite, &evaluation->scores[which], &result->provenance,
                         error));
    return eval_result_make(result, &scoring, adapter, &evaluation->scores[which],
                            &evaluation->settings, error);
}

/* Compares each adapter with the first. */
static Status compare_adapters(Evaluation *evaluation, Error *error)
{
    const EvalResult *first = &evaluation->results[0];
    for (int i = 0; i + 1 < evaluation->adapters.count; i++) {
        EvalComparison *comparison = &evaluation->comparisons[i];
        int count = 0;
        *comparison = (EvalComparison){.first = first, .other = &evaluation->results[i + 1]};
        TRY(metrics_compare(&first->predictions, first->adapter->name,
                            &comparison->other->predictions, comparison->other->adapter->name,
                            &evaluation->settings, &comparison->sets, &count, error));
    }
    return STATUS_OK;
}

/*
 * Writes the files of each adapter and comparison.json. Removes the files of an earlier evaluation
 * that this one does not overwrite.
 */
static Status write_results(const Evaluation *evaluation, Error *error)
{
    const char *out = evaluation->request->out;
    const int count = evaluation->adapters.count;
    for (int i = 0; i < count; i++) {
        char folder[FILE_PATH_SIZE];
        TRY(folder_of(evaluation, i, folder, error));
        TRY(eval_result_write(&evaluation->results[i], folder, error));
    }
    if (evaluation->adapters.named)
        TRY(eval_result_remove(out, error));
    return count > 1 ? eval_comparisons_write(evaluation->comparisons, count - 1, out, error)
                     : eval_comparisons_remove(out, error);
}

/* Writes report.html, one for all adapters. */
static Status write_report(const Evaluation *evaluation, Error *error)
{
    const Request *request = evaluation->request;
    const MetricsUncertainty *settings = &evaluation->settings;
    const int count = evaluation->adapters.count;
    const Report report = {
        .subject = evaluation->results[0].provenance.model,
        .results = evaluation->results,
        .count = count,
        .comparisons = evaluation->comparisons,
        .comparison_count = count - 1,
        .resamples = settings->mode == METRICS_CI_OFF ? 0 : settings->resamples,
        .thumbnails = request->thumbnails,
    };
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, request->out, "report.html", error));
    return report_write_file(path, &report, error);
}

/*
 * Removes the files kept for a restart, including those of earlier evaluations in the same folders.
 */
static Status clean_up(Evaluation *evaluation, Error *error)
{
    for (int i = 0; i < evaluation->adapters.count; i++) {
        char folder[FILE_PATH_SIZE];
        TRY(folder_of(evaluation, i, folder, error));
        eval_scores_close(&evaluation->scores[i], true);
        eval_partial_clean(folder);
    }
    eval_partial_clean(evaluation->request->out);
    return STATUS_OK;
}

/* ---- after the work -------------------------------------------------------------------------- */

/* Context of print_warning for one adapter. */
typedef struct WarningContext {
    const char *name; /* NULL if there is only one */
    bool first;       /* adapter: warnings about rows are printed once */
} WarningContext;

static void print_warning(void *context, const char *text, bool of_scores)
{
    const WarningContext *warning = context;
    if (of_scores && warning->name)
        cli_warn("%s: %s", warning->name, text);
    else if (of_scores || warning->first)
        cli_warn("%s", text);
}

/* Sets with one class are skipped: describe_sets has warned of them. */
static void warn_about(const Evaluation *evaluation)
{
    for (int r = 0; r < evaluation->adapters.count; r++) {
        const EvalResult *result = &evaluation->results[r];
        WarningContext warning = {.name = result->adapter->name, .first = r == 0};
        for (int i = 0; i < result->sets->set_count; i++)
            if (has_both_classes(&result->sets->sets[i]))
                cli_metrics_each_warning(evaluation->request->out, 0, &result->reports[i], 1,
                                         print_warning, &warning);
    }
}

static Status print_results(const Evaluation *evaluation, Error *error)
{
    const CliArguments *arguments = evaluation->request->arguments;
    const int count = evaluation->adapters.count;
    const EvalResult *results = evaluation->results;
    TRY(count > 1 ? eval_print_several(results, evaluation->comparisons, count, arguments,
                                       &evaluation->view, stdout, error)
                  : eval_print(results, arguments, &evaluation->view, stdout, error));
    cli_metrics_print_methods(arguments, &evaluation->settings, results[0].reports,
                              results[0].sets->set_count);
    return STATUS_OK;
}

static Status evaluate(Evaluation *evaluation, Error *error)
{
    TRY(prepare(evaluation, error));
    TRY(threads_create(&evaluation->settings.threads, evaluation->request->arguments->threads,
                       error));
    note_replaced(evaluation);
    for (int i = 0; i < evaluation->adapters.count; i++)
        TRY(evaluate_adapter(evaluation, i, error));
    TRY(compare_adapters(evaluation, error));
    TRY(write_results(evaluation, error));
    TRY(write_report(evaluation, error));
    TRY(clean_up(evaluation, error));
    warn_about(evaluation);
    return print_results(evaluation, error);
}

static void evaluation_free(Evaluation *evaluation)
{
    for (int i = 0; i < evaluation->adapters.count; i++) {
        if (evaluation->scores)
            eval_scores_close(&evaluation->scores[i], false);
        if (evaluation->results)
            eval_result_free(&evaluation->results[i]);
        if (evaluation->comparisons)
            free(evaluation->comparisons[i].sets);
    }
    free(evaluation->scores);
    free(evaluation->results);
    free(evaluation->comparisons);
    free(evaluation->perturbations);
    eval_adapters_free(&evaluation->adapters);
    eval_sets_free(&evaluation->sets);
    threads_destroy(evaluation->settings.threads);
}

/* ---- the command ----------------------------------------------------------------------------- */

static const CliCommand eval_command = {
    .name = "eval",
    .summary = "score data sets and compute their metrics",
    .usage = "lnclip eval --model M [--adapter A] --out DIR NAME=LIST[,LIST...]...",
    .details = "A LIST is a text file with one frame per line, a folder DIR/SOURCE/VIDEO/FRAME or "
               "DIR/real/IMAGE, a\nfolder of lists, a table of paths and labels (.csv), a JSON "
               "file of DeepfakeBench (of both, the rows of the\nsplit test), or a pattern in "
               "quotes.\nLists with the same NAME are merged. A comma separates lists, "
               "unless a file of the full name exists.\nWrites predictions.csv, metrics.json, "
               "summary.json, evaluation.json and report.html once all frames are\nscored, and "
               "with --perturb robustness.json and robustness.csv. With several adapters each has "
               "a folder\nDIR/NAME; comparison.json and report.html are in DIR. After an "
               "interruption the same command continues.\nSee docs/evaluation.md.",
    .example = "lnclip eval --model clip-vit-l-14 --adapter run/best.safetensors --out eval "
               "cdf=real.txt,fake.txt",
};

int cmd_eval(int argc, char **argv)
{
    Request request = {.thumbnails = REPORT_THUMBNAILS};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        {"--adapter", CLI_REPEATED, &request.adapters, 0, 0, "A",
         "trained parameters and head: a .safetensors file, or a\nrun folder; NAME=FILE to compare "
         "several"},
        CLI_HEAD_OPTION(request.model),
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR", "output folder"},
        {"--overwrite", CLI_FLAG, &request.overwrite, 0, 0, NULL,
         "replace an evaluation of another model or adapter"},
        {"--frames", CLI_INT, &request.frames_per_video, 0, 1000000, "N",
         "score at most N frames per video (default: all)"},
        {"--frame-choice", CLI_STRING, &request.frame_choice, 0, 0, "HOW",
         "selection by --frames: even (default), or random with\n--seed"},
        {"--limit", CLI_INT, &request.limit, 0, INT_MAX, "N",
         "score at most N frames per set: random videos with\n--seed, class ratio kept"},
        CLI_LABEL_OPTION(request.labels),
        {"--perturb", CLI_REPEATED, &request.perturb, 0, 0, "KIND=S[,S...]",
         "also score perturbed images: jpeg=QUALITY, blur=SIGMA,\nresize=FRACTION, "
         "resize-FILTER=FRACTION (nearest, box,\nbilinear, hamming, bicubic, lanczos), "
         "noise=SIGMA, or\nseveral joined by + (blur=2+jpeg=50)"},
        {"--calibrated", CLI_FLAG, &request.calibrated, 0, 0, NULL,
         "apply the adapter's temperature and report at its\nthresholds (see lnclip calibrate)"},
        {"--thumbnails", CLI_INT, &request.thumbnails, 0, REPORT_THUMBNAILS_MOST, "N",
         "hardest frames per class in report.html (default 8)"},
        CLI_METRICS_OPTIONS(request.metrics),
        CLI_CHECKS_OPTION(request.checks),
        CLI_SCORING_OPTIONS(request.model),
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL, "same as --format json"},
        {0},
    };
    CliCommand command = eval_command;
    command.options = options;
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &request.model);
    cli_expect_option(&arguments, "--out", request.out);
    cli_checks_expect(request.checks);
    cli_frame_choice_expect(request.frame_choice);
    cli_expect_positional(&arguments, 1, argc, "a data set, NAME=LIST");
    request.arguments = &arguments;
    Evaluation evaluation = {.request = &request};
    cli_metrics_expect(&request.metrics, &evaluation.settings, &evaluation.view);
    if (request.json)
        evaluation.view.format = CLI_JSON;
    Error error = {0};
    Status status = cli_model_find_all(&arguments, &request.model, &error);
    for (int i = 0; i < request.adapters.count && status == STATUS_OK; i++)
        status = cli_adapter_find(&arguments, &request.adapters.items[i], &error);
    if (status == STATUS_OK)
        status = evaluate(&evaluation, &error);
    evaluation_free(&evaluation);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
