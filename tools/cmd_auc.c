/*
 * cmd_auc.c - lnclip auc: the metrics of any score file with their intervals, or two files
 * compared.
 */
#include "tools/cli/cli.h"

#include "tensor/base/mem.h"
#include "tools/cli/cli_metrics.h"
#include "tools/report/report.h"
#include "train/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What was asked for. */
typedef struct Request {
    const CliArguments *arguments;
    MetricsUncertainty settings;
    CliFormat format;
    const char *report; /* where to write report.html; NULL: nowhere */
    int thumbnails;
} Request;

/* Writes the page of one file of scores: an evaluation without model and lists. */
static Status write_report(const Request *request, const char *path,
                           const MetricsPredictions *predictions, MetricsReport *reports, int count,
                           Error *error)
{
    EvalSet *sets = calloc((size_t)count, sizeof *sets);
    MetricsScores *scores = NULL;
    int gathered = 0;
    if (!sets)
        return mem_full(0, "the report", error);
    Status status = metrics_scores_gather(predictions, &scores, &gathered, error);
    if (status == STATUS_OK) {
        for (int i = 0; i < count; i++)
            sets[i].name = reports[i].dataset;
        const EvalSets all = {.sets = sets, .set_count = count, .count = predictions->count};
        const EvalResult result = {
            .sets = &all,
            .provenance = {.seed = request->settings.seed, .ci = request->settings.mode},
            .predictions = *predictions,
            .scores = scores,
            .reports = reports};
        const Report report = {
            .subject = path,
            .results = &result,
            .count = 1,
            .resamples = request->settings.mode == METRICS_CI_OFF ? 0 : request->settings.resamples,
            .thumbnails = request->thumbnails};
        status = report_write_file(request->report, &report, error);
    }
    metrics_scores_free(scores, gathered);
    free(sets);
    return status;
}

static Status show(const Request *request, const char *path, Error *error)
{
    MetricsPredictions predictions;
    MetricsReport *reports = NULL;
    int count = 0;
    TRY(metrics_predictions_read(&predictions, path, error));
    Status status = metrics_reports_with(&predictions, &request->settings, &reports, &count, error);
    if (status == STATUS_OK) {
        cli_metrics_warn(path, predictions.duplicates, reports, count);
        status = request->format == CLI_JSON
                     ? metrics_reports_write_json(stdout, reports, count, error)
                     : cli_metrics_print(reports, count, request->format, stdout, error);
    }
    if (status == STATUS_OK && request->report)
        status = write_report(request, path, &predictions, reports, count, error);
    if (status == STATUS_OK)
        cli_metrics_tell_methods(request->arguments, &request->settings, reports, count);
    metrics_reports_free(reports, count);
    metrics_predictions_free(&predictions);
    return status;
}

static Status print_comparisons(const Request *request, const MetricsComparison *comparisons,
                                int count, Error *error)
{
    const char *const *paths = request->arguments->positional.items;
    if (request->format != CLI_JSON)
        return cli_metrics_print_comparisons(comparisons, count, paths[0], paths[1],
                                             request->format, stdout, error);
    return train_json_write(metrics_comparisons_json(comparisons, count), stdout, 17, "comparison",
                            error);
}

static Status compare(const Request *request, Error *error)
{
    const char *const *paths = request->arguments->positional.items;
    MetricsPredictions a, b = metrics_predictions_empty();
    MetricsComparison *comparisons = NULL;
    int count = 0;
    TRY(metrics_predictions_read(&a, paths[0], error));
    Status status = metrics_predictions_read(&b, paths[1], error);
    if (status == STATUS_OK && !a.margins != !b.margins)
        cli_warn("%s: has no column margin, so it is ranked by probability, unlike the other file; "
                 "evaluate it again for a comparison of like with like",
                 paths[a.margins ? 1 : 0]);
    if (status == STATUS_OK)
        status = metrics_compare(&a, paths[0], &b, paths[1], &request->settings, &comparisons,
                                 &count, error);
    if (status == STATUS_OK)
        status = print_comparisons(request, comparisons, count, error);
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        if (comparisons[i].ci_left_out)
            cli_warn("%s: more than a million rows: no bootstrap, so most differences stand "
                     "without interval and p; --ci on takes the time",
                     comparisons[i].dataset);
        const MetricsDifference *auroc = &(
            comparisons[i].has_videos ? comparisons[i].video : comparisons[i].frame)[METRICS_AUROC];
        if (auroc->method != METRICS_INTERVAL_NONE && isnan(auroc->p))
            cli_note(request->arguments,
                     "%s: the files rank all %s alike, each in its own way: their AUROCs differ "
                     "without any variance, so that nothing can be said of chance",
                     comparisons[i].dataset, comparisons[i].has_videos ? "videos" : "rows");
        if (!comparisons[i].has_videos)
            cli_note(request->arguments, "%s: no videos are named: assumes independent rows",
                     comparisons[i].dataset);
    }
    free(comparisons);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
    return status;
}

int cmd_auc(int argc, char **argv)
{
    bool json = false;
    Request request = {.thumbnails = REPORT_THUMBNAILS};
    CliMetricsOptions metrics = {0};
    CliOption options[] = {
        {"--json", CLI_FLAG, &json, 0, 0, NULL,
         "print the object of metrics.json instead of a table"},
        {"--report", CLI_STRING, &request.report, 0, 0, "FILE.html",
         "write a web page with curves, sources and the hardest frames"},
        {"--thumbnails", CLI_INT, &request.thumbnails, 0, REPORT_THUMBNAILS_MOST, "N",
         "hardest frames of each class in it (default 8)"},
        CLI_METRICS_OPTIONS(metrics),
        {0},
    };
    const CliCommand command = {
        .name = "auc",
        .summary = "metrics of any score file",
        .usage = "lnclip auc SCORES.csv [OTHER.csv] [--json]",
        .details =
            "SCORES.csv has the columns files,labels,prob_class_0,prob_class_1[,dataset,video] or "
            "label,score, in any\norder; label 1 and high scores mean fake. A column margin (the "
            "difference of the logits) ranks in the place\nof prob_class_1, which rounds to 0 and "
            "1. A video is the folder of its frames, unless the column video\nsays otherwise. "
            "Fractions, never per cent; "
            "the definitions are scikit-learn's. The EER threshold is\nchosen on the same scores, "
            "so what is measured at it is optimistic. With OTHER.csv, scores of the same\nrows, "
            "the two are compared: differences with intervals and p. docs/metrics.md tells how.",
        .example = "lnclip auc eval/predictions.csv",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, 2, "a score file");
    if (request.report && arguments.positional.count == 2)
        return cli_usage_error("--report: is of one score file; give one, or leave it out");
    request.arguments = &arguments;
    cli_metrics_expect(&metrics, &request.settings, &request.format);
    request.format = json ? CLI_JSON : request.format;
    Error error = {0};
    Status status = threads_create(&request.settings.threads, arguments.threads, &error);
    if (status == STATUS_OK)
        status = arguments.positional.count == 2
                     ? compare(&request, &error)
                     : show(&request, arguments.positional.items[0], &error);
    threads_destroy(request.settings.threads);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
