/*
 * cmd_eval.c - lnclip eval: scores data sets with one adapter or several, and writes and prints
 * what the scores are worth.
 *
 * The story: arguments and lists (train/eval/eval_sets.h), then for each adapter its scores
 * (eval_model.h), what they yield (train/eval/eval_result.h) and its files
 * (train/eval/eval_files.h), and at the end all adapters together
 * (eval_print.h). An earlier evaluation in a folder stays whole until the new one is finished, and
 * an interrupted one continues where it stopped.
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

/* What was asked for, as given. */
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
    bool calibrated, json;
} Request;

/* Everything that has to be given back. */
typedef struct Evaluation {
    const Request *request;
    MetricsUncertainty settings;
    CliFormat format;
    EvalSets sets;
    EvalAdapters adapters;
    DataPerturbation *perturbations; /* [perturbation_count] */
    int perturbation_count;
    EvalScores *scores;          /* [adapters.count], kept for a restart until all is done */
    EvalResult *results;         /* [adapters.count] */
    EvalComparison *comparisons; /* [adapters.count - 1] */
} Evaluation;

/* ---- before the work
 * ----------------------------------------------------------------------------- */

/* What will be scored. A set of one class has no AUROC, but its scores may still be wanted. */
static bool has_both_classes(const EvalSet *set)
{
    int frames[2], videos[2];
    data_list_counts(&set->frames, frames, videos);
    return frames[0] > 0 && frames[1] > 0;
}

static Status describe_sets(const Evaluation *evaluation, Error *error)
{
    const Request *request = evaluation->request;
    const char **paths = calloc((size_t)evaluation->adapters.count, sizeof *paths);
    CliStrings adapters = {paths, 0};
    if (!paths)
        return mem_full(0, "the evaluation", error);
    for (int i = 0; i < evaluation->adapters.count; i++)
        if (evaluation->adapters.adapters[i].path)
            paths[adapters.count++] = evaluation->adapters.adapters[i].path;
    char model[FILE_PATH_SIZE];
    if (adapters.count == 0 && vit_model_file(request->model.model, model, error) == STATUS_OK)
        paths[adapters.count++] = model; /* one that lnclip exported says what it was trained on */
    cli_tell_sources_head(request->arguments);
    Status status = STATUS_OK;
    for (int i = 0; i < evaluation->sets.set_count && status == STATUS_OK; i++) {
        const EvalSet *set = &evaluation->sets.sets[i];
        cli_tell_sources(request->arguments, set->name, &set->frames);
        if (!has_both_classes(set))
            cli_warn("%s: all frames are %s; AUROC and everything else that compares the classes "
                     "is undefined (null)",
                     set->name, set->frames.frames[0].label ? "fake" : "real");
        status = cli_check_evaluated(request->arguments, set->name, &set->frames,
                                     cli_checks_expect(request->checks), &adapters, error);
    }
    free(paths);
    return status;
}

static Status prepare(Evaluation *evaluation, Error *error)
{
    const Request *request = evaluation->request;
    TRY(eval_perturbations_parse(request->perturb.items, request->perturb.count,
                                 &evaluation->perturbations, &evaluation->perturbation_count,
                                 error));
    TRY(eval_adapters_read(&evaluation->adapters, request->adapters.items, request->adapters.count,
                           request->model.model, request->calibrated, error));
    const CliFrames frames = {request->frames_per_video,
                              cli_frame_choice_expect(request->frame_choice), request->limit,
                              request->metrics.seed};
    const CliStrings *sets = &request->arguments->positional;
    TRY(eval_sets_parse(&evaluation->sets, sets->items, sets->count, error));
    TRY(eval_read_lists(&evaluation->sets, &frames, &request->labels, error));
    const size_t count = (size_t)evaluation->adapters.count;
    evaluation->scores = calloc(count, sizeof *evaluation->scores);
    evaluation->results = calloc(count, sizeof *evaluation->results);
    evaluation->comparisons = calloc(count, sizeof *evaluation->comparisons);
    if (!evaluation->scores || !evaluation->results || !evaluation->comparisons)
        return mem_full(0, "the evaluation", error);
    return describe_sets(evaluation, error);
}

/* An evaluation of one adapter in the place of one of several, or the other way round. */
static void tell_replaced(const Evaluation *evaluation)
{
    const Request *request = evaluation->request;
    if (evaluation->adapters.named ? eval_result_is_in(request->out)
                                   : eval_comparisons_are_in(request->out))
        cli_note(request->arguments,
                 "%s: holds an evaluation of %s; its files there go when this one is finished",
                 request->out,
                 evaluation->adapters.named ? "an adapter without a name" : "several adapters");
}

/* ---- the work
 * ------------------------------------------------------------------------------------ */

/* --out, or the adapter's folder in it. */
static Status folder_of(const Evaluation *evaluation, int which, char folder[FILE_PATH_SIZE],
                        Error *error)
{
    const char *name = evaluation->adapters.adapters[which].name;
    return name ? file_join(folder, evaluation->request->out, name, error)
                : file_join(folder, "", evaluation->request->out, error);
}

/* Scores everything with one adapter. */
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
                         &evaluation->scores[which], &result->provenance, error));
    return eval_result_make(result, &scoring, adapter, &evaluation->scores[which],
                            &evaluation->settings, error);
}

/* Each adapter against the first. */
static Status compare_adapters(Evaluation *evaluation, Error *error)
{
    const EvalResult *first = &evaluation->results[0];
    for (int i = 0; i + 1 < evaluation->adapters.count; i++) {
        EvalComparison *comparison = &evaluation->comparisons[i];
        int count = 0;
        *comparison = (EvalComparison){.first = first, .other = &evaluation->results[i + 1]};
        TRY(metrics_compare(&comparison->other->predictions, comparison->other->adapter->name,
                            &first->predictions, first->adapter->name, &evaluation->settings,
                            &comparison->sets, &count, error));
    }
    return STATUS_OK;
}

/* Each adapter's files, and what compares them; what an evaluation of the other form left in --out
 * goes. */
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

/* report.html, of all adapters. */
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

/* What is kept for a restart goes, with that of earlier evaluations in the same folders. */
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

/* ---- after the work
 * ------------------------------------------------------------------------------ */

/* What should not be overlooked in the results of one adapter. */
typedef struct Teller {
    const char *name; /* NULL where there is one only */
    bool first;       /* adapter: the others are scored on the same rows */
} Teller;

static void tell_warning(void *context, const char *text, bool of_scores)
{
    const Teller *teller = context;
    if (of_scores && teller->name)
        cli_warn("%s: %s", teller->name, text);
    else if (of_scores || teller->first)
        cli_warn("%s", text);
}

/* That a class is missing was told before. */
static void warn_about(const Evaluation *evaluation)
{
    for (int r = 0; r < evaluation->adapters.count; r++) {
        const EvalResult *result = &evaluation->results[r];
        Teller teller = {.name = result->adapter->name, .first = r == 0};
        for (int i = 0; i < result->sets->set_count; i++)
            if (has_both_classes(&result->sets->sets[i]))
                cli_metrics_each_warning(evaluation->request->out, 0, &result->reports[i], 1,
                                         tell_warning, &teller);
    }
}

static Status print_results(const Evaluation *evaluation, Error *error)
{
    const CliArguments *arguments = evaluation->request->arguments;
    const int count = evaluation->adapters.count;
    const EvalResult *results = evaluation->results;
    TRY(count > 1 ? eval_print_several(results, evaluation->comparisons, count, arguments,
                                       evaluation->format, stdout, error)
                  : eval_print(results, arguments, evaluation->format, stdout, error));
    cli_metrics_tell_methods(arguments, &evaluation->settings, results[0].reports,
                             results[0].sets->set_count);
    return STATUS_OK;
}

static Status evaluate(Evaluation *evaluation, Error *error)
{
    TRY(prepare(evaluation, error));
    TRY(threads_create(&evaluation->settings.threads, evaluation->request->arguments->threads,
                       error));
    tell_replaced(evaluation);
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

/* ---- the command
 * --------------------------------------------------------------------------------- */

static const CliCommand eval_command = {
    .name = "eval",
    .summary = "score data sets and compute their metrics",
    .usage = "lnclip eval --model M [--adapter A] --out DIR NAME=LIST[,LIST...]...",
    .details =
        "A LIST is a text file with one frame a line, or a folder DIR/SOURCE/VIDEO/FRAME or "
        "DIR/real/IMAGE. Lists of "
        "the same NAME\nare united; a comma separates lists unless there is a file of the whole "
        "name. Writes predictions.csv,\nmetrics.json, summary.json, evaluation.json and "
        "report.html "
        "when all frames are scored, with --perturb\nalso robustness.json and robustness.csv; of "
        "several adapters each into DIR/NAME, but comparison.json\nand report.html into DIR. "
        "Stopped before that, the same "
        "command goes on where it was. docs/evaluation.md tells more.",
    .example = "lnclip eval --model clip-vit-l-14 --adapter run/best.safetensors --out eval "
               "cdf=real.txt,fake.txt",
};

int cmd_eval(int argc, char **argv)
{
    Request request = {.thumbnails = REPORT_THUMBNAILS};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        {"--adapter", CLI_REPEATED, &request.adapters, 0, 0, "A",
         "LayerNorms and head from training (.safetensors);\nNAME=FILE for several, "
         "side by side"},
        CLI_HEAD_OPTION(request.model),
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR", "folder for the results"},
        {"--frames", CLI_INT, &request.frames_per_video, 0, 1000000, "N",
         "score at most N frames a video (default: all)"},
        {"--frame-choice", CLI_STRING, &request.frame_choice, 0, 0, "HOW",
         "which frames --frames keeps: even (default) or random,\nby --seed"},
        {"--limit", CLI_INT, &request.limit, 0, INT_MAX, "N",
         "score at most N frames of a set: random videos, by\n--seed, classes in proportion"},
        CLI_LABEL_OPTION(request.labels),
        {"--perturb", CLI_REPEATED, &request.perturb, 0, 0, "KIND=S[,S...]",
         "score everything once more under jpeg=QUALITY,\nblur=SIGMA, resize=SHARE, "
         "resize-FILTER=SHARE "
         "(nearest,\nbox, bilinear, hamming, bicubic, lanczos), noise=SIGMA,\nor several joined by "
         "+ "
         "(blur=2+jpeg=50)"},
        {"--calibrated", CLI_FLAG, &request.calibrated, 0, 0, NULL,
         "apply the adapter's temperature, and report at its\nthresholds (lnclip calibrate)"},
        {"--thumbnails", CLI_INT, &request.thumbnails, 0, REPORT_THUMBNAILS_MOST, "N",
         "hardest frames of each class in report.html\n(default 8)"},
        CLI_METRICS_OPTIONS(request.metrics),
        CLI_CHECKS_OPTION(request.checks),
        CLI_SCORING_OPTIONS(request.model),
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL, "the same as --format json"},
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
    cli_metrics_expect(&request.metrics, &evaluation.settings, &evaluation.format);
    if (request.json)
        evaluation.format = CLI_JSON;
    Error error = {0};
    const Status status = evaluate(&evaluation, &error);
    evaluation_free(&evaluation);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
