/*
 * cli_metrics.h - metrics, intervals and comparisons as tables, and the warnings that belong to
 * them: shared by auc, eval and compare.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_METRICS_H
#define LNCLIP_TOOLS_CLI_CLI_METRICS_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"

/* --ci, --resamples, --seed and --format as given; {0} before cli_parse. */
typedef struct CliMetricsOptions {
    const char *ci, *format;
    int resamples;
    uint64_t seed;
} CliMetricsOptions;

/* Rows of an option table, for an `o` of type CliMetricsOptions. */
/* clang-format off */
#define CLI_METRICS_OPTIONS(o)                                                                     \
    {"--ci", CLI_STRING, &(o).ci, 0, 0, "auto|on|off",                                             \
     "95 % intervals; auto (default): no bootstrap above a million rows"},                         \
    {"--resamples", CLI_INT, &(o).resamples, 100, 1000000, "N", "of the bootstrap (default 2000)"},\
    {"--seed", CLI_UINT64, &(o).seed, 0, 0, "N", "of the bootstrap (default 0)"},                  \
    {"--format", CLI_STRING, &(o).format, 0, 0, "F", CLI_FORMAT_WORDS " (default text)"}
/* clang-format on */

/* Exits 2 for an unknown word. Threads are the caller's to set in *settings. */
void cli_metrics_expect(const CliMetricsOptions *options, MetricsUncertainty *settings,
                        CliFormat *format);

/*
 * Prints reports [count]: a table a data set with frames and videos side by side, and one of its
 * sources; in an exact format one table of everything, a metric a row. Not for CLI_JSON
 * (metrics_reports_write_json does that).
 */
Status cli_metrics_print(const MetricsReport *reports, int count, CliFormat format, FILE *stream,
                         Error *error);

/*
 * Warns of what is no error but should not be overlooked: one class, an AUROC below chance, few
 * videos of a class, rows twice, intervals left out. `path` names the file, `duplicates` is
 * MetricsPredictions.duplicates.
 */
void cli_metrics_warn(const char *path, size_t duplicates, const MetricsReport *reports, int count);

/*
 * What a warning says, and whether it is about the scores; else it is about the rows, so that other
 * scores of them share it.
 */
typedef void CliMetricsTell(void *context, const char *text, bool of_scores);

/*
 * The same, each warning handed to `tell` instead of stderr: for several sets of scores, and for a
 * file that holds them too.
 */
void cli_metrics_each_warning(const char *path, size_t duplicates, const MetricsReport *reports,
                              int count, CliMetricsTell *tell, void *context);

/* Tells, as a note, where the intervals of the reports come from; nothing if there are none. */
void cli_metrics_tell_methods(const CliArguments *arguments, const MetricsUncertainty *settings,
                              const MetricsReport *reports, int count);

/* Prints comparisons [count] of two files, named name_a and name_b: a table a data set; in an exact
 * format all in one. */
Status cli_metrics_print_comparisons(const MetricsComparison *comparisons, int count,
                                     const char *name_a, const char *name_b, CliFormat format,
                                     FILE *stream, Error *error);

#endif
