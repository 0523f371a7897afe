/*
 * cmd_auc.c - lnclip auc: metrics with confidence intervals of any score file, or a comparison of
 * two.
 */
#include "tools/cli/cli.h"

#include "tensor/base/file.h"
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
    MetricsColumns columns;
    char (*paths)[FILE_PATH_SIZE]; /* [count] score files; of a folder its predictions.csv */
    int count;
} Request;

static Status show(const Request *request, const char *path, Error *error)
{
    MetricsPredictions predictions;
    MetricsReport *reports = NULL;
    int count = 0;
    TRY(metrics_predictions_read_columns(&predictions, path, &request->columns, error));
    Status status = metrics_reports_with(&predictions, &request->settings, &reports, &count, error);
    if (status == STATUS_OK) {
        cli_metrics_warn(path, predictions.duplicates, reports, count);
        status = request->view.format == CLI_JSON
                     ? metrics_reports_write_json(stdout, reports, count, error)
                     : cli_metrics_print(reports, count, &request->view, stdout, error);
    }
    if (status == STATUS_OK && request->report) {
        const ReportScores scores = {
            .predictions = &predictions, .reports = reports, .set_count = count};
        status = report_write_scores(request->report, path, &scores, 1, &request->settings,
                                     request->thumbnails, error);
    }
    if (status == STATUS_OK)
        cli_metrics_print_methods(request->arguments, &request->settings, reports, count);
    metrics_reports_free(reports, count);
    metrics_predictions_free(&predictions);
    return status;
}

/* Warnings and notes about the comparison of a data set. */
static void note_comparison(const Request *request, const MetricsComparison *comparison)
{
    if (comparison->ci_left_out)
        cli_warn("%s: more than a million rows: no bootstrap, so most differences have no "
                 "interval and no p; use --ci on",
                 comparison->dataset);
    const MetricsDifference *auroc =
        &(comparison->has_videos ? comparison->video : comparison->frame)[METRICS_AUROC];
    if (auroc->method != METRICS_INTERVAL_NONE && isnan(auroc->p))
        cli_note(request->arguments,
                 "%s: the AUROC difference is the same in every resample of the %s (zero "
                 "variance); no p-value",
                 comparison->dataset, comparison->has_videos ? "videos" : "rows");
    if (!comparison->has_videos)
        cli_note(request->arguments, "%s: no videos are named; rows are assumed to be independent",
                 comparison->dataset);
}

/* True if several comparisons become one table or object. */
static bool is_one_table(const Request *request)
{
    return request->view.format == CLI_JSON || cli_format_is_exact(request->view.format);
}

/* The output of several comparisons in exact formats: one table, or one JSON object. */
typedef struct Collected {
    MetricsComparison *items; /* [count] data sets named PATH: NAME, owned */
    size_t count, capacity;
    json_t *others; /* {PATH: comparisons} */
} Collected;

/* Adds the comparisons [count] with the file `path`. */
static Status collect(Collected *collected, const char *path, const MetricsComparison *comparisons,
                      int count, Error *error)
{
    if (!collected->others)
        collected->others = json_object();
    json_object_set_new(collected->others, path, metrics_comparisons_json(comparisons, count));
    for (int i = 0; i < count; i++) {
        TRY(mem_grow(&collected->items, collected->count + 1, &collected->capacity,
                     sizeof *collected->items, "the comparisons", error));
        MetricsComparison *item = &collected->items[collected->count];
        *item = comparisons[i];
        item->dataset = mem_print("the comparisons", error, "%s: %s", path, comparisons[i].dataset);
        if (!item->dataset)
            return error->status;
        collected->count++;
    }
    return STATUS_OK;
}

/* Prints and frees what was collected. */
static Status print_collected(const Request *request, Collected *collected, Status status,
                              Error *error)
{
    const bool json = request->view.format == CLI_JSON;
    if (status == STATUS_OK && json)
        status =
            train_json_write(json_pack("{s:o, s:O}", "first", train_json_string(request->paths[0]),
                                       "others", collected->others),
                             stdout, 17, "comparison", error);
    else if (status == STATUS_OK && collected->count > 0)
        status = cli_metrics_print_comparisons(collected->items, (int)collected->count, "", "",
                                               &request->view, stdout, error);
    for (size_t i = 0; i < collected->count; i++)
        free((char *)collected->items[i].dataset);
    free(collected->items);
    json_decref(collected->others);
    return status;
}

/*
 * Compares the file `other` with the first. Of two files, the difference is the first less the
 * other; of several, each other less the first, as in comparison.json.
 */
static Status compare_with(const Request *request, const MetricsPredictions *first,
                           const char *other, Collected *collected, Error *error)
{
    MetricsPredictions predictions;
    MetricsComparison *comparisons = NULL;
    int count = 0;
    const bool two = request->count == 2;
    const char *path = request->paths[0];
    TRY(metrics_predictions_read_columns(&predictions, other, &request->columns, error));
    if (!first->margins != !predictions.margins)
        cli_warn("%s: has no column margin, so it is ranked by probability, unlike the other file; "
                 "evaluate it again for a fair comparison",
                 first->margins ? other : path);
    Status status = metrics_compare(first, path, &predictions, other, &request->settings,
                                    &comparisons, &count, error);
    if (status == STATUS_OK && two && request->view.format == CLI_JSON)
        status = train_json_write(metrics_comparisons_json(comparisons, count), stdout, 17,
                                  "comparison", error);
    else if (status == STATUS_OK && !two && is_one_table(request))
        status = collect(collected, other, comparisons, count, error);
    else if (status == STATUS_OK)
        status = cli_metrics_print_comparisons(comparisons, count, path, other, &request->view,
                                               stdout, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        note_comparison(request, &comparisons[i]);
    free(comparisons);
    metrics_predictions_free(&predictions);
    return status;
}

static Status compare(const Request *request, Error *error)
{
    MetricsPredictions first;
    Collected collected = {0};
    Status status = STATUS_OK;
    TRY(metrics_predictions_read_columns(&first, request->paths[0], &request->columns, error));
    for (int i = 1; i < request->count && status == STATUS_OK; i++) {
        if (i > 1 && !is_one_table(request))
            putchar('\n');
        status = compare_with(request, &first, request->paths[i], &collected, error);
    }
    if (collected.others)
        status = print_collected(request, &collected, status, error);
    metrics_predictions_free(&first);
    return status;
}

/* Fills request->paths: files as given, and predictions.csv of folders. */
static Status find_files(Request *request, Error *error)
{
    const CliStrings *given = &request->arguments->positional;
    request->count = given->count;
    request->paths = mem_new(given->count, sizeof *request->paths, "the score files", error);
    if (!request->paths)
        return error->status;
    for (int i = 0; i < given->count; i++) {
        const char *path = given->items[i];
        const bool folder = file_is_folder(path);
        if (folder && !file_is_in(path, "predictions.csv"))
            return error_set(error, STATUS_FAILED,
                             "%s: has no predictions.csv; name a folder that lnclip eval wrote (of "
                             "several adapters DIR/NAME), or a score file",
                             path);
        TRY(folder ? file_join(request->paths[i], path, "predictions.csv", error)
                   : file_join(request->paths[i], "", path, error));
    }
    return STATUS_OK;
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
        {"--label-column", CLI_STRING, &request.columns.label, 0, 0, "NAME",
         "column of labels: 0 or real, 1 or fake (default: labels or\nlabel)"},
        {"--score-column", CLI_STRING, &request.columns.score, 0, 0, "NAME",
         "column of scores, high for fake (default: prob_class_1 or\nscore)"},
        CLI_METRICS_OPTIONS(metrics),
        {0},
    };
    const CliCommand command = {
        .name = "auc",
        .summary = "metrics of any score file",
        .usage = "lnclip auc SCORES.csv [OTHER.csv...] [--json]",
        .details =
            "SCORES.csv has the columns files,labels,prob_class_0,prob_class_1[,dataset,video] or "
            "label,score, in any\norder; label 1 and high scores mean fake. If there is a column "
            "margin (the difference of the logits), it\nis used for ranking instead of "
            "prob_class_1, which is rounded to 0 and 1. A video is the folder of its\nframes, "
            "unless there is a column video. All values are fractions, defined as in scikit-learn. "
            "The EER\nthreshold is chosen on the same scores, so the metrics at it are optimistic. "
            "With OTHER.csv, scores of\nthe same rows, prints differences with intervals and p; of "
            "three or more files those of each to the first.\nA folder stands for its "
            "predictions.csv. See docs/metrics.md.",
        .example = "lnclip auc eval/predictions.csv",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, argc, "a score file");
    if (request.report && arguments.positional.count > 1)
        return cli_usage_error("--report: needs a single score file; give one, or remove --report");
    request.arguments = &arguments;
    cli_metrics_expect(&metrics, &request.settings, &request.view);
    request.view.format = json ? CLI_JSON : request.view.format;
    Error error = {0};
    Status status = threads_create(&request.settings.threads, arguments.threads, &error);
    if (status == STATUS_OK)
        status = find_files(&request, &error);
    if (status == STATUS_OK)
        status = request.count > 1 ? compare(&request, &error)
                                   : show(&request, request.paths[0], &error);
    free(request.paths);
    threads_destroy(request.settings.threads);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
