/*
 * eval_tables.c - see eval_tables.h.
 */
#include "tools/eval/eval_tables.h"

#include "tensor/base/mem.h"
#include "tools/cli/cli_metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const level_keys[EVAL_LEVELS] = {"frame", "video"};
static const char *const level_names[EVAL_LEVELS] = {"frame", "video (mean p_fake)"};

const Metrics *eval_metrics(const MetricsReport *report, EvalLevel level)
{
    return level == EVAL_FRAMES ? &report->frame : &report->video;
}

const MetricsIntervals *eval_intervals(const MetricsReport *report, EvalLevel level)
{
    return level == EVAL_FRAMES ? &report->frame_ci : &report->video_ci;
}

static const char *adapter_name(const EvalResult *result)
{
    return result->adapter && result->adapter->name ? result->adapter->name : "";
}

static bool has_level(const MetricsReport *report, EvalLevel level)
{
    return level == EVAL_FRAMES || report->has_videos;
}

double eval_mean(const EvalResult *result, EvalLevel level, Metric metric)
{
    double sum = 0;
    for (int s = 0; s < result->sets->set_count; s++) {
        if (!has_level(&result->reports[s], level))
            return NAN;
        sum += metrics_value(eval_metrics(&result->reports[s], level), (int)metric);
    }
    return sum / result->sets->set_count;
}

/* ---- axes of forest plots -------------------------------------------------------------------- */

static void include(double *low, double value)
{
    if (isfinite(value))
        *low = fmin(*low, value);
}

/*
 * The column of forest plots of AUROC, up to 1. The axis includes all data sets at `level`, and the
 * sources of data set `set` (-1: none), so that plots can be compared. `heading` is its memory.
 */
static CliColumn auroc_axis(const EvalResult *results, int count, EvalLevel level, int set,
                            char heading[64])
{
    double low = 0.9;
    for (int r = 0; r < count; r++)
        for (int s = 0; s < results[r].sets->set_count; s++) {
            const MetricsReport *report = &results[r].reports[s];
            include(&low, eval_metrics(report, level)->auroc);
            include(&low, eval_intervals(report, level)->of[METRICS_AUROC].lower);
            for (int i = 0; i < report->source_count && s == set; i++) {
                include(&low, report->sources[i].video.auroc);
                include(&low, report->sources[i].video_ci.of[METRICS_AUROC].lower);
            }
        }
    low = fmax(floor(low * 10) / 10, 0);
    snprintf(heading, 64, "AUROC, axis %.1f-1", low);
    return (CliColumn){.heading = heading, .unit = CLI_FOREST, .low = low, .high = 1};
}

/* ---- summary --------------------------------------------------------------------------------- */

static bool any_interval(const EvalResult *results, int count, EvalLevel level)
{
    for (int r = 0; r < count; r++)
        for (int s = 0; s < results[r].sets->set_count; s++)
            for (int l = 0; l < EVAL_LEVELS; l++)
                if ((level == EVAL_LEVELS || (int)level == l) &&
                    eval_intervals(&results[r].reports[s], l)->auroc != METRICS_INTERVAL_NONE)
                    return true;
    return false;
}

/* One row: a data set at a level, or the mean over data sets. */
typedef struct SummaryRow {
    const char *adapter, *dataset, *level;
    const Metrics *metrics;            /* NULL: the mean over data sets */
    const MetricsIntervals *intervals; /* NULL: none */
} SummaryRow;

/* What the summary shows. */
typedef struct Summary {
    const EvalResult *results;
    int count;
    EvalLevel level; /* EVAL_LEVELS: those of the view */
    const CliView *view;
    Metric metrics[METRICS_NAMES];
    int metric_count;
} Summary;

static bool is_shown(const Summary *summary, const MetricsReport *report, EvalLevel level)
{
    const bool hidden = level == EVAL_FRAMES ? summary->view->no_frames : summary->view->no_videos;
    return has_level(report, level) &&
           (summary->level == EVAL_LEVELS ? !hidden : summary->level == level);
}

/* The cells of real and fake; empty without metrics. */
static void add_counts(CliTable *table, const Metrics *metrics)
{
    if (metrics) {
        cli_table_count(table, metrics->n_real);
        cli_table_count(table, metrics->n_fake);
    } else {
        cli_table_words(table, "");
        cli_table_words(table, "");
    }
}

/* On the page the counts are the last columns, so that a phone shows AUROC and interval. */
static void add_summary_row(CliTable *table, const Summary *summary, const EvalResult *result,
                            EvalLevel level, const SummaryRow *row)
{
    cli_table_words(table, row->adapter);
    cli_table_words(table, row->dataset);
    cli_table_words(table, row->level);
    add_counts(table, row->metrics);
    for (int m = 0; m < summary->metric_count; m++) {
        const Metric metric = summary->metrics[m];
        const double value = row->metrics ? metrics_value(row->metrics, (int)metric)
                                          : eval_mean(result, level, metric);
        const MetricsInterval interval =
            row->intervals ? row->intervals->of[metric] : (MetricsInterval){NAN, NAN};
        cli_table_number(table, value);
        cli_table_interval(table, interval);
        if (m == 0)
            cli_table_estimate(table, value, interval);
    }
    add_counts(table, row->metrics);
}

static void add_summary_rows(CliTable *table, const Summary *summary, const EvalResult *result)
{
    const char *const *names =
        cli_format_is_exact(summary->view->format) ? level_keys : level_names;
    for (int s = 0; s < result->sets->set_count; s++)
        for (int l = 0; l < EVAL_LEVELS; l++) {
            const MetricsReport *report = &result->reports[s];
            const SummaryRow row = {adapter_name(result), report->dataset, names[l],
                                    eval_metrics(report, l), eval_intervals(report, l)};
            if (is_shown(summary, report, l))
                add_summary_row(table, summary, result, l, &row);
        }
}

/* Adds the columns of the metrics: value, interval, and after the first a forest plot. */
static void add_metric_columns(CliTable *table, const Summary *summary)
{
    const bool exact = cli_format_is_exact(summary->view->format);
    const bool intervals = exact || any_interval(summary->results, summary->count, summary->level);
    char heading[64];
    for (int m = 0; m < summary->metric_count; m++) {
        const MetricName *name = &metrics_names[summary->metrics[m]];
        const bool first = m == 0;
        cli_table_column(table, (CliColumn){.key = name->name,
                                            .heading = name->heading,
                                            .unit = name->better == 0 ? CLI_SCORE : CLI_FRACTION,
                                            .style = first ? CLI_MAIN : CLI_PLAIN});
        cli_table_column(
            table,
            (CliColumn){.key = name->name,
                        .heading = "95% interval",
                        .unit = CLI_INTERVAL,
                        .hidden = !intervals || (!first && summary->view->metric_count == 0)});
        if (first)
            cli_table_column(
                table, auroc_axis(summary->results, summary->count,
                                  summary->level == EVAL_LEVELS ? EVAL_FRAMES : summary->level, -1,
                                  heading));
    }
}

CliTable *eval_summary_table(const EvalResult *results, int count, EvalLevel level,
                             const CliView *view)
{
    static const char *const real[] = {"real frames", "real videos", "real"};
    static const char *const fake[] = {"fake frames", "fake videos", "fake"};
    static const Metric of_text[] = {METRICS_AUROC, METRICS_EER, METRICS_MAP};
    static const Metric of_page[] = {METRICS_AUROC, METRICS_AP, METRICS_EER,
                                     METRICS_TPR_AT_FPR_001};
    const bool page = view->format == CLI_HTML;
    const CliColumn columns[] = {
        {.key = "adapter", .hidden = count == 1},
        {.key = "dataset", .heading = "data set", .once = true},
        {.key = "level", .hidden = level != EVAL_LEVELS},
        {.key = "n_real", .heading = real[level], .unit = CLI_COUNT, .hidden = page},
        {.key = "n_fake", .heading = fake[level], .unit = CLI_COUNT, .hidden = page},
    };
    Summary summary = {.results = results, .count = count, .level = level, .view = view};
    summary.metric_count =
        page ? cli_view_metrics(view, of_page, COUNT_OF(of_page), summary.metrics)
             : cli_view_metrics(view, of_text, COUNT_OF(of_text), summary.metrics);
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    add_metric_columns(table, &summary);
    for (int fakes = 0; fakes < 2; fakes++)
        cli_table_column(table, (CliColumn){.heading = fakes ? fake[level] : real[level],
                                            .unit = CLI_COUNT,
                                            .hidden = !page});
    for (int r = 0; r < count; r++) {
        if (count > 1)
            cli_table_rule(table);
        add_summary_rows(table, &summary, &results[r]);
        if (page && results[r].sets->set_count > 1) {
            const SummaryRow mean = {.adapter = adapter_name(&results[r]),
                                     .dataset = "Mean over data sets",
                                     .level = level_keys[level]};
            if (count == 1)
                cli_table_rule(table);
            add_summary_row(table, &summary, &results[r], level, &mean);
        }
    }
    return table;
}

/* ---- pivot ----------------------------------------------------------------------------------- */

/* The value of a cell of the pivot table: of data set `set`, or the mean of all (set_count). */
static double pivot_value(const EvalResult *result, int set, EvalLevel level, Metric metric)
{
    return set == result->sets->set_count
               ? eval_mean(result, level, metric)
               : metrics_value(eval_metrics(&result->reports[set], level), (int)metric);
}

/* True if no adapter is better by the digits that are printed. */
static bool is_best(const EvalResult *results, int count, int row, int set, EvalLevel level,
                    Metric metric)
{
    const int better = metrics_names[metric].better;
    const double mine = round(1e4 * pivot_value(&results[row], set, level, metric));
    for (int r = 0; r < count; r++)
        if (better * round(1e4 * pivot_value(&results[r], set, level, metric)) > better * mine)
            return false;
    return better != 0 && isfinite(mine);
}

CliTable *eval_pivot_table(const EvalResult *results, int count, EvalLevel level, Metric metric,
                           const CliView *view)
{
    const int sets = results[0].sets->set_count;
    const MetricsInterval none = {NAN, NAN};
    /* Papers print no intervals in such a table. */
    const CliUnit unit = view->format == CLI_LATEX           ? CLI_FRACTION
                         : metrics_names[metric].better == 0 ? CLI_SCORE
                                                             : CLI_ESTIMATE;
    CliTable *table = cli_table_create(NULL, &(CliColumn){.heading = "adapter"}, 1);
    for (int s = 0; s < sets; s++)
        cli_table_column(table,
                         (CliColumn){.heading = results[0].reports[s].dataset, .unit = unit});
    cli_table_column(table, (CliColumn){.heading = "mean", .unit = unit, .hidden = sets == 1});
    for (int r = 0; r < count; r++) {
        cli_table_words(table, adapter_name(&results[r]));
        for (int s = 0; s <= sets; s++) {
            const double value = pivot_value(&results[r], s, level, metric);
            if (unit == CLI_ESTIMATE)
                cli_table_estimate(
                    table, value,
                    s == sets ? none : eval_intervals(&results[r].reports[s], level)->of[metric]);
            else
                cli_table_number(table, value);
            if (is_best(results, count, r, s, level, metric))
                cli_table_best(table);
        }
    }
    return table;
}

/* ---- sources --------------------------------------------------------------------------------- */

CliTable *eval_sources_table(const EvalResult *results, int count, int set)
{
    const MetricsReport *first = &results[0].reports[set];
    char heading[64];
    const CliColumn axis = auroc_axis(results, count, EVAL_VIDEOS, set, heading);
    CliTable *table = cli_metrics_sources_create(first, count > 1, &axis);
    for (int i = 0; i < first->source_count; i++) {
        if (count > 1)
            cli_table_rule(table);
        for (int r = 0; r < count; r++)
            cli_metrics_sources_add(table, adapter_name(&results[r]),
                                    &results[r].reports[set].sources[i]);
    }
    return table;
}

/* ---- thresholds ------------------------------------------------------------------------------ */

static void add_threshold(CliTable *table, const EvalResult *result, int set, EvalLevel level)
{
    const MetricsAtThreshold *at =
        level == EVAL_FRAMES ? &result->at[set].frame : &result->at[set].video;
    if (at->n_real + at->n_fake == 0)
        return;
    cli_table_words(table, result->reports[set].dataset);
    cli_table_words(table, level_keys[level]);
    cli_table_words(table, adapter_name(result));
    cli_table_number(table, at->threshold);
    cli_table_number(table, at->fpr);
    cli_table_number(table, at->tpr);
    cli_table_number(table, at->accuracy);
    cli_table_number(table, at->balanced_accuracy);
}

CliTable *eval_thresholds_table(const EvalResult *results, int count, int set)
{
    const CliColumn columns[] = {
        {.heading = "data set", .hidden = set >= 0, .once = true},
        {.heading = "level"},
        {.heading = "adapter", .hidden = count == 1},
        {.heading = "threshold", .unit = CLI_SCORE},
        {.heading = "FPR", .unit = CLI_FRACTION},
        {.heading = "TPR", .unit = CLI_FRACTION},
        {.heading = "accuracy", .unit = CLI_FRACTION},
        {.heading = "balanced accuracy", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int s = 0; s < results[0].sets->set_count; s++)
        for (int r = 0; r < count; r++)
            for (int l = 0; l < EVAL_LEVELS; l++)
                if (results[r].at && (set < 0 || set == s))
                    add_threshold(table, &results[r], s, l);
    return table;
}

/* ---- robustness ------------------------------------------------------------------------------ */

/* Pass 0 is without perturbation, pass p is perturbation p - 1. */
static const MetricsReport *pass_report(const EvalResult *result, int set, int pass)
{
    return pass == 0 ? &result->reports[set] : &result->perturbed[pass - 1].reports[set];
}

static void add_robustness(CliTable *table, const EvalResult *result, int set, int pass)
{
    const MetricsReport *plain = pass_report(result, set, 0);
    const MetricsReport *report = pass_report(result, set, pass);
    const DataPerturbation *how = pass == 0 ? NULL : result->perturbed[pass - 1].perturbation;
    cli_table_words(table, report->dataset);
    cli_table_words(table, how ? how->kind : "none");
    cli_table_words(table, how ? how->text : "");
    cli_table_words(table, adapter_name(result));
    for (int l = 0; l < EVAL_LEVELS; l++) {
        const double auroc = has_level(report, l) ? eval_metrics(report, l)->auroc : NAN;
        const double before = eval_metrics(plain, l)->auroc;
        cli_table_estimate(table, auroc, eval_intervals(report, l)->of[METRICS_AUROC]);
        cli_table_number(table, pass == 0 ? NAN : auroc - before);
    }
}

CliTable *eval_robustness_table(const EvalResult *results, int count, int set)
{
    const CliColumn columns[] = {
        {.heading = "data set", .hidden = set >= 0, .once = true},
        {.heading = "perturbation", .once = true},
        {.heading = "strength", .unit = CLI_FIGURES},
        {.heading = "adapter", .hidden = count == 1},
        {.heading = "AUROC, FRAMES", .unit = CLI_ESTIMATE},
        {.heading = "change", .unit = CLI_CHANGE},
        {.heading = "AUROC, VIDEOS", .unit = CLI_ESTIMATE},
        {.heading = "change", .unit = CLI_CHANGE},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int s = 0; s < results[0].sets->set_count; s++) {
        if (set >= 0 && set != s)
            continue;
        cli_table_rule(table);
        for (int pass = 0; pass <= results[0].perturbed_count; pass++)
            for (int r = 0; r < count; r++)
                add_robustness(table, &results[r], s, pass);
    }
    return table;
}

/* ---- differences ----------------------------------------------------------------------------- */

static const MetricsDifference *difference_of(const MetricsComparison *set, EvalLevel level,
                                              Metric metric)
{
    return level == EVAL_FRAMES ? &set->frame[metric] : &set->video[metric];
}

/* The column of forest plots of differences in AUROC, on an axis with 0 in the middle. */
static CliColumn difference_axis(const EvalComparison *comparisons, int count, EvalLevel level,
                                 char heading[64])
{
    double reach = 0.01;
    for (int i = 0; i < count; i++)
        for (int s = 0; s < comparisons[i].first->sets->set_count; s++) {
            const MetricsDifference *d =
                difference_of(&comparisons[i].sets[s], level, METRICS_AUROC);
            const double ends[] = {d->difference, d->interval.lower, d->interval.upper};
            for (size_t e = 0; e < COUNT_OF(ends); e++)
                reach = isfinite(ends[e]) ? fmax(reach, fabs(ends[e])) : reach;
        }
    reach = ceil(reach * 20) / 20;
    snprintf(heading, 64, "difference, axis -%g to %g", reach, reach);
    return (CliColumn){.heading = heading, .unit = CLI_FOREST, .low = -reach, .high = reach};
}

CliTable *eval_differences_table(const EvalComparison *comparisons, int count, EvalLevel level,
                                 const CliView *view)
{
    static const Metric own[] = {METRICS_AUROC, METRICS_MAP, METRICS_EER};
    const bool both = level == EVAL_LEVELS;
    Metric metrics[METRICS_NAMES];
    const int shown = both ? cli_view_metrics(view, own, COUNT_OF(own), metrics) : 1;
    if (!both)
        metrics[0] = METRICS_AUROC;
    char axis[64];
    const CliColumn columns[] = {
        {.heading = "adapter", .hidden = both},
        {.heading = "data set", .once = true},
        {.heading = "level", .hidden = !both, .once = true},
        {.heading = "metric", .hidden = !both},
        {.heading = "difference", .unit = CLI_CHANGE, .style = CLI_MAIN},
        {.heading = "95% interval", .unit = CLI_INTERVAL},
        difference_axis(comparisons, count, both ? EVAL_FRAMES : level, axis),
        {.heading = "p", .unit = CLI_P},
        {.heading = "baseline AUROC", .unit = CLI_FRACTION, .hidden = both},
        {.heading = "AUROC", .unit = CLI_FRACTION, .hidden = both},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int i = 0; i < count; i++) {
        cli_table_rule(table);
        for (int s = 0; s < comparisons[i].first->sets->set_count; s++)
            for (int l = 0; l < EVAL_LEVELS; l++) {
                const MetricsComparison *set = &comparisons[i].sets[s];
                const bool hidden = l == EVAL_FRAMES ? view->no_frames : view->no_videos;
                if ((both ? hidden : (int)level != l) || (l == EVAL_VIDEOS && !set->has_videos))
                    continue;
                for (int m = 0; m < shown; m++) {
                    cli_metrics_row_unit(table, metrics[m], CLI_CHANGE);
                    cli_table_words(table, adapter_name(comparisons[i].other));
                    cli_table_words(table, set->dataset);
                    cli_table_words(table, level_keys[l]);
                    cli_table_words(table, metrics_names[metrics[m]].title);
                    const MetricsDifference *d = difference_of(set, l, metrics[m]);
                    cli_metrics_add_difference(table, d);
                    cli_table_number(table, d->a);
                    cli_table_number(table, d->b);
                }
            }
    }
    return table;
}
