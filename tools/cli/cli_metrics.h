/*
 * cli_metrics.h - tables of metrics, confidence intervals and comparisons, and warnings about them:
 * for auc, eval and compare.
 *
 * Tests: tests/test_auc.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_METRICS_H
#define LNCLIP_TOOLS_CLI_CLI_METRICS_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_view.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"

/* The values of --ci, --resamples, --seed and the options of CliView; {0} before cli_parse. */
typedef struct CliMetricsOptions {
    CliViewOptions view;
    const char *ci;
    int resamples;
    uint64_t seed;
} CliMetricsOptions;

/* Rows of an option table, for an `o` of type CliMetricsOptions. */
/* clang-format off */
#define CLI_METRICS_OPTIONS(o)                                                                     \
    {"--ci", CLI_STRING, &(o).ci, 0, 0, "auto|on|off",                                             \
     "95 % confidence intervals; auto (default): no bootstrap\n"                                   \
     "above a million rows"},                                                                      \
    {"--resamples", CLI_INT, &(o).resamples, 100, 1000000, "N",                                    \
     "bootstrap resamples (default 2000)"},                                                        \
    {"--seed", CLI_UINT64, &(o).seed, 0, 0, "N", "random seed of the bootstrap (default 0)"},      \
    CLI_VIEW_OPTIONS((o).view)
/* clang-format on */

/*
 * Sets *settings and *view from the options. Exits 2 for an unknown value. The caller sets
 * settings->threads.
 */
void cli_metrics_expect(const CliMetricsOptions *options, MetricsUncertainty *settings,
                        CliView *view);

/*
 * Prints reports [count]: for each data set a table of frame and video metrics and one of its
 * sources; in an exact format a single table with one row per metric. Not for CLI_JSON (use
 * metrics_reports_write_json).
 */
Status cli_metrics_print(const MetricsReport *reports, int count, const CliView *view, FILE *stream,
                         Error *error);

/*
 * The metrics of a data set (by default all, at all levels) with the counts of real and fake: a row
 * per metric.
 */
CliTable *cli_metrics_table(const MetricsReport *report, const CliView *view);

/*
 * An empty table of the AUROC of fake sources against all real, and its rows, one per source or, if
 * `adapters`, per source and adapter. `axis`: the column of forest plots of videos. Columns of
 * intervals are hidden if `report` has none.
 */
CliTable *cli_metrics_sources_create(const MetricsReport *report, bool adapters,
                                     const CliColumn *axis);
void cli_metrics_sources_add(CliTable *table, const char *adapter,
                             const MetricsSourceReport *source);

/*
 * Sets the unit of a row of `metric`: CLI_SCORE for the EER threshold, which has the scale of the
 * scores, and for the log loss, which has no upper limit; else `fraction`.
 */
void cli_metrics_row_unit(CliTable *table, Metric metric, CliUnit fraction);

/* Adds four cells to a row: difference, interval, forest plot (CLI_FOREST) and p. */
void cli_metrics_add_difference(CliTable *table, const MetricsDifference *difference);

/*
 * Warns of a single class, an AUROC below chance, few videos of a class, duplicate rows and missing
 * intervals. `path` is the score file, `duplicates` is MetricsPredictions.duplicates.
 */
void cli_metrics_warn(const char *path, size_t duplicates, const MetricsReport *reports, int count);

/*
 * Receives a warning. `of_scores`: it concerns the scores; else it concerns the rows, and applies
 * to other scores of the same rows, too.
 */
typedef void CliMetricsHandler(void *context, const char *text, bool of_scores);

/*
 * Like cli_metrics_warn, but passes each warning to `handler`: for several score files, and for the
 * HTML report.
 */
void cli_metrics_each_warning(const char *path, size_t duplicates, const MetricsReport *reports,
                              int count, CliMetricsHandler *handler, void *context);

/* Prints the methods of the confidence intervals as notes; nothing if there are none. */
void cli_metrics_print_methods(const CliArguments *arguments, const MetricsUncertainty *settings,
                               const MetricsReport *reports, int count);

/*
 * Prints comparisons [count] of the files name_a and name_b: one table per data set; in an exact
 * format a single table.
 */
Status cli_metrics_print_comparisons(const MetricsComparison *comparisons, int count,
                                     const char *name_a, const char *name_b, const CliView *view,
                                     FILE *stream, Error *error);

#endif
