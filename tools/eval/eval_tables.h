/*
 * eval_tables.h - the tables of evaluations: on stdout (eval_print.h) and in report.html
 * (tools/report/report.h).
 *
 * Each function fills a table that the caller prints by cli_table_print; a title may be set first.
 * results [count] are on the same data sets. The column of adapters is hidden if there is only one.
 *
 * Tests: tests/test_eval.sh, tests/test_report.sh.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_TABLES_H
#define LNCLIP_TOOLS_EVAL_EVAL_TABLES_H

#include "tools/cli/cli_view.h"
#include "train/eval/eval_result.h"

typedef enum EvalLevel {
    EVAL_FRAMES,
    EVAL_VIDEOS, /* by the mean of their frames */
    EVAL_LEVELS
} EvalLevel;

/* Metrics and intervals of one level; those of videos are NaN if the data set has none. */
const Metrics *eval_metrics(const MetricsReport *report, EvalLevel level);
const MetricsIntervals *eval_intervals(const MetricsReport *report, EvalLevel level);

/* The unweighted mean of a metric over the data sets; NaN if one has no videos. */
double eval_mean(const EvalResult *result, EvalLevel level, Metric metric);

/*
 * The main metrics, or those of the view: one row per adapter, data set and level. EVAL_LEVELS: the
 * levels of the view, with a column that names them. CLI_HTML shows other metrics, and the mean
 * over several data sets.
 */
CliTable *eval_summary_table(const EvalResult *results, int count, EvalLevel level,
                             const CliView *view);

/*
 * One metric at one level: a row per adapter, a column per data set and one for their mean, with
 * intervals except in LaTeX. The best of each column is marked.
 */
CliTable *eval_pivot_table(const EvalResult *results, int count, EvalLevel level, Metric metric,
                           const CliView *view);

/* AUROC of each fake source of data set `set` against all real. */
CliTable *eval_sources_table(const EvalResult *results, int count, int set);

/* Rates at the thresholds of calibrated adapters, on data set `set` (-1: on all). */
CliTable *eval_thresholds_table(const EvalResult *results, int count, int set);

/* AUROC by strength of perturbation, on data set `set` (-1: on all). */
CliTable *eval_robustness_table(const EvalResult *results, int count, int set);

/*
 * The differences in AUROC of comparisons [count] with the first adapter. EVAL_LEVELS, for a single
 * comparison: the main metrics, or those of the view, at its levels.
 */
CliTable *eval_differences_table(const EvalComparison *comparisons, int count, EvalLevel level,
                                 const CliView *view);

#endif
