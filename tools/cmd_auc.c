/*
 * cmd_auc.c - lnclip auc: metrics with confidence intervals of any score file, or a comparison of
 * two.
 */
#include "tools/cli/cli.h"

#include "tensor/base/mem.h"
#include "tools/cli/cli_metrics.h"
#include "tools/report/report.h"
#include "train/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The command line. */
typedef struct Request {
    const CliArguments *arguments;
    MetricsUncertainty settings;
    CliView view;
    const char *report; /* path of the HTML report, or NULL */
    int thumbnails;
} Request;

/* Writes the HTML report of one score file: an evaluation without model and lists. */
static Status write_report(const Request *request, const char *path,
                           const MetricsPredictions *predictions, MetricsReport *reports, int count,
                           Error *error)
{
    EvalSet *sets = calloc(count, sizeof *sets);
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
        status = request->view.format == CLI_JSON
                     ? metrics_reports_write_json(stdout, reports, count, error)
                     : cli_metrics_print(reports, count, &request->view, stdout, error);
    }
    if (status == STATUS_OK && request->report)
        status = write_report(request, path, &predictions, reports, count, error);
    if (status == STATUS_OK)
        cli_metrics_print_methods(request->arguments, &request->settings, reports, count);
    metrics_reports_free(reports, count);
    metrics_predictions_free(&predictions);
    return status;
}

static Status print_comparisons(const Request *request, const MetricsComparison *comparisons,
                                int count, Error *error)
{
    const char *const *paths = request->arguments->positional.items;
    if (request->view.format != CLI_JSON)
        return cli_metrics_print_comparisons(comparisons, count, paths[0], paths[1], &request->view,
                                             stdout, error);
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
                 "evaluate it again for a fair comparison",
                 paths[a.margins ? 1 : 0]);
    if (status == STATUS_OK)
        status = metrics_compare(&a, paths[0], &b, paths[1], &request->settings, &comparisons,
                                 &count, error);
    if (status == STATUS_OK)
        status = print_comparisons(request, comparisons, count, error);
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        if (comparisons[i].ci_left_out)
            cli_warn("%s: more than a million rows: no bootstrap, so most differences have no "
                     "interval and no p; use --ci on",
                     comparisons[i].dataset);
        const MetricsDifference *auroc = &(
            comparisons[i].has_videos ? comparisons[i].video : comparisons[i].frame)[METRICS_AUROC];
        if (auroc->method != METRICS_INTERVAL_NONE && isnan(auroc->p))
            cli_note(request->arguments,
                     "%s: the AUROC difference is the same in every resample of the %s (zero "
                     "variance); no p-value",
                     comparisons[i].dataset, comparisons[i].has_videos ? "videos" : "rows");
        if (!comparisons[i].has_videos)
            cli_note(request->arguments,
                     "%s: no videos are named; rows are assumed to be independent",
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
         "write an HTML report with curves, sources and the hardest frames"},
        {"--thumbnails", CLI_INT, &request.thumbnails, 0, REPORT_THUMBNAILS_MOST, "N",
         "hardest frames per class in the report (default 8)"},
        CLI_METRICS_OPTIONS(metrics),
        {0},
    };
    const CliCommand command = {
        .name = "auc",
        .summary = "metrics of any score file",
        .usage = "lnclip auc SCORES.csv [OTHER.csv] [--json]",
        .details =
            "SCORES.csv has the columns files,labels,prob_class_0,prob_class_1[,dataset,video] or "
            "label,score, in any\norder; label 1 and high scores mean fake. If there is a column "
            "margin (the difference of the logits), it\nis used for ranking instead of "
            "prob_class_1, which is rounded to 0 and 1. A video is the folder of its\nframes, "
            "unless there is a column video. All values are fractions, defined as in scikit-learn. "
            "The EER\nthreshold is chosen on the same scores, so the metrics at it are optimistic. "
            "With OTHER.csv, scores of\nthe same rows, prints differences with intervals and p. "
            "See docs/metrics.md.",
        .example = "lnclip auc eval/predictions.csv",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, 2, "a score file");
    if (request.report && arguments.positional.count == 2)
        return cli_usage_error("--report: needs a single score file; give one, or remove --report");
    request.arguments = &arguments;
    cli_metrics_expect(&metrics, &request.settings, &request.view);
    request.view.format = json ? CLI_JSON : request.view.format;
    Error error = {0};
    Status status = threads_create(&request.settings.threads, arguments.threads, &error);
    if (status == STATUS_OK)
        status = arguments.positional.count == 2
                     ? compare(&request, &error)
                     : show(&request, arguments.positional.items[0], &error);
    threads_destroy(request.settings.threads);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
