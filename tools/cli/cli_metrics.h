/*
 * cli_metrics.h - tables of metrics, confidence intervals and comparisons, and warnings about them:
 * for auc, eval and compare.
 *
 * Tests: tests/test_auc.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_METRICS_H
#define LNCLIP_TOOLS_CLI_CLI_METRICS_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"

/* The values of --ci, --resamples, --seed and --format; {0} before cli_parse. */
typedef struct CliMetricsOptions {
    const char *ci, *format;
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
    {"--format", CLI_STRING, &(o).format, 0, 0, "F", CLI_FORMAT_WORDS " (default text)"}
/* clang-format on */

/*
 * Sets *settings and *format from the options. Exits 2 for an unknown value. The caller sets
 * settings->threads.
 */
void cli_metrics_expect(const CliMetricsOptions *options, MetricsUncertainty *settings,
                        CliFormat *format);

/*
 * Prints reports [count]: for each data set a table of frame and video metrics and one of its
 * sources; in an exact format a single table with one row per metric. Not for CLI_JSON (use
 * metrics_reports_write_json).
 */
Status cli_metrics_print(const MetricsReport *reports, int count, CliFormat format, FILE *stream,
                         Error *error);

/* All metrics of a data set at all levels, with the counts of real and fake: a row per metric. */
CliTable *cli_metrics_table(const MetricsReport *report);

/*
 * An empty table of the AUROC of fake sources against all real, and its rows, one per source or, if
 * `adapters`, per source and adapter. `axis`: the column of forest plots of videos. Columns of
 * intervals are hidden if `report` has none.
 */
CliTable *cli_metrics_sources_create(const MetricsReport *report, bool adapters,
                                     const CliColumn *axis);
void cli_metrics_sources_add(CliTable *table, const char *adapter,
                             const MetricsSourceReport *source);

/* Adds the last cells of a row: a, b, difference, interval, forest plot (CLI_FOREST) and p. */
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
                                     const char *name_a, const char *name_b, CliFormat format,
                                     FILE *stream, Error *error);

#endif
