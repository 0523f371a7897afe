/*
 * cli_view.h - the options that choose what of a result is printed, and how: --format, --digits,
 * --percent, --level and --metrics of auc, eval and compare.
 *
 * Tests: tests/test_auc.sh, tests/test_eval.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_VIEW_H
#define LNCLIP_TOOLS_CLI_CLI_VIEW_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"

/* The values of the options; {0} before cli_parse. */
typedef struct CliViewOptions {
    const char *format, *level, *metrics;
    int digits;
    bool percent;
} CliViewOptions;

/* Rows of an option table, for an `o` of type CliViewOptions. */
/* clang-format off */
#define CLI_VIEW_OPTIONS(o)                                                                        \
    {"--format", CLI_STRING, &(o).format, 0, 0, "F", CLI_FORMAT_WORDS " (default text)"},          \
    {"--digits", CLI_INT, &(o).digits, 1, 9, "N",                                                  \
     "digits after the point of metrics in text, md and latex"},                                   \
    {"--percent", CLI_FLAG, &(o).percent, 0, 0, NULL,                                              \
     "metrics in per cent in text, md and latex"},                                                 \
    {"--level", CLI_STRING, &(o).level, 0, 0, "frame|video",                                       \
     "tables of one level only"},                                                                  \
    {"--metrics", CLI_STRING, &(o).metrics, 0, 0, "M[,M...]",                                      \
     "metrics of the tables, by their keys in metrics.json:\nauroc,ap,eer"}
/* clang-format on */

/* {0}: text, both levels, the metrics that each table has by default. */
typedef struct CliView {
    CliFormat format;
    int digits; /* after the point; 0: as the unit says */
    bool percent;
    bool no_frames, no_videos;
    Metric metrics[METRICS_NAMES]; /* [metric_count], in the order given */
    int metric_count;              /* 0: the default of the table */
} CliView;

/* The view of the options. Exits 2 for an unknown value. */
CliView cli_view_expect(const CliViewOptions *options);

/*
 * Copies the metrics of a table into metrics [METRICS_NAMES] and returns their number: those of the
 * view, or the table's own [count].
 */
int cli_view_metrics(const CliView *view, const Metric *own, int count, Metric *metrics);

/* cli_table_print in the format and with the digits of the view. */
Status cli_view_print(const CliView *view, CliTable *table, FILE *stream, Error *error);

#endif
