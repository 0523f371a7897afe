/*
 * eval_print.c - see eval_print.h.
 */
#include "tools/eval/eval_print.h"

#include "tensor/base/mem.h"
#include "tools/cli/cli_metrics.h"
#include "train/eval/eval_files.h"
#include "train/json.h"

#include <math.h>
#include <string.h>

/* The levels in the tables: frames, and videos by the mean of their frames. */
static const char *const level_names[] = {"frame", "video (mean p_fake)"};

static int levels_of(const MetricsReport *report, MetricsReportLevel levels[METRICS_REPORT_LEVELS])
{
    metrics_report_levels(report, levels);
    return report->has_videos ? 2 : 1;
}

/*
 * Prints the lists used for model selection, and the calibration. For formats without text they are
 * notes on stderr.
 */
static void print_selection(const EvalAdapter *adapter, const CliArguments *arguments,
                            CliFormat format, FILE *stream)
{
    if (!cli_format_has_text(format)) {
        cli_note(arguments, "%s%sselected on: %s", adapter->name ? adapter->name : "",
                 adapter->name ? ": " : "", adapter->selected_on);
        return;
    }
    fputc('\n', stream);
    if (adapter->name) {
        cli_print_escaped(stream, adapter->name);
        fputs(": ", stream);
    }
    fputs("selected on: ", stream);
    cli_print_escaped(stream, adapter->selected_on);
    fputc('\n', stream);
    if (!adapter->calibrated)
        return;
    fprintf(stream, "calibrated: T = %.4g, on ", adapter->calibration.temperature);
    cli_print_escaped(stream, adapter->calibration.on);
    fputc('\n', stream);
}

/* ---- one evaluation -------------------------------------------------------------------------- */

static bool any_interval(const MetricsReport *reports, int count)
{
    for (int i = 0; i < count; i++)
        if (reports[i].frame_ci.auroc != METRICS_INTERVAL_NONE ||
            reports[i].video_ci.auroc != METRICS_INTERVAL_NONE)
            return true;
    return false;
}

static Status print_metrics(const EvalResult *result, CliFormat format, FILE *stream, Error *error)
{
    const int count = result->sets->set_count;
    const bool intervals = any_interval(result->reports, count);
    const CliColumn columns[] = {
        {.heading = "data set"},
        {.heading = "level"},
        {.heading = "real", .unit = CLI_COUNT},
        {.heading = "fake", .unit = CLI_COUNT},
        {.heading = "AUROC", .unit = CLI_FRACTION},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = !intervals},
        {.heading = "EER", .unit = CLI_FRACTION},
        {.heading = "mAP", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int i = 0; i < count; i++) {
        MetricsReportLevel levels[METRICS_REPORT_LEVELS];
        const int n = levels_of(&result->reports[i], levels);
        for (int l = 0; l < n; l++) {
            cli_table_words(table, l == 0 ? result->reports[i].dataset : "");
            cli_table_words(table, level_names[l]);
            cli_table_count(table, levels[l].metrics->n_real);
            cli_table_count(table, levels[l].metrics->n_fake);
            cli_table_number(table, levels[l].metrics->auroc);
            cli_table_interval(table, levels[l].intervals->of[METRICS_AUROC]);
            cli_table_number(table, levels[l].metrics->eer);
            cli_table_number(table, levels[l].metrics->map);
        }
    }
    return cli_table_print(table, format, stream, error);
}

static void at_row(CliTable *table, const char *set, const char *level,
                   const MetricsAtThreshold *at)
{
    cli_table_words(table, set);
    cli_table_words(table, level);
    cli_table_number(table, at->threshold);
    cli_table_number(table, at->fpr);
    cli_table_number(table, at->tpr);
    cli_table_number(table, at->accuracy);
    cli_table_number(table, at->balanced_accuracy);
}

static Status print_at_thresholds(const EvalResult *result, CliFormat format, FILE *stream,
                                  Error *error)
{
    static const CliColumn columns[] = {
        {.heading = "data set"},
        {.heading = "level"},
        {.heading = "threshold", .unit = CLI_SCORE},
        {.heading = "FPR", .unit = CLI_FRACTION},
        {.heading = "TPR", .unit = CLI_FRACTION},
        {.heading = "accuracy", .unit = CLI_FRACTION},
        {.heading = "balanced accuracy", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, result->adapter->calibration.rule);
    cli_table_title(table, "At the thresholds by %s on the calibration set", rule);
    for (int i = 0; i < result->sets->set_count; i++) {
        const EvalAtThresholds *at = &result->at[i];
        at_row(table, result->sets->sets[i].name, "frame", &at->frame);
        if (at->video.n_real + at->video.n_fake > 0)
            at_row(table, "", "video", &at->video);
    }
    fputc('\n', stream);
    return cli_table_print(table, format, stream, error);
}

static void robustness_row(CliTable *table, const MetricsReport *report, const MetricsReport *plain,
                           const char *kind, const char *strength)
{
    MetricsReportLevel levels[METRICS_REPORT_LEVELS], before[METRICS_REPORT_LEVELS];
    const int n = levels_of(report, levels);
    levels_of(plain, before);
    cli_table_words(table, report == plain ? report->dataset : "");
    cli_table_words(table, kind);
    cli_table_words(table, strength);
    for (int l = 0; l < 2; l++) {
        const double auroc = l < n ? levels[l].metrics->auroc : NAN;
        cli_table_estimate(table, auroc, levels[l].intervals->of[METRICS_AUROC]);
        cli_table_number(table, report == plain ? NAN : auroc - before[l].metrics->auroc);
    }
}

static Status print_robustness(const EvalResult *result, CliFormat format, FILE *stream,
                               Error *error)
{
    static const CliColumn columns[] = {
        {.heading = "data set"},
        {.heading = "perturbation"},
        {.heading = "strength", .unit = CLI_FIGURES},
        {.heading = "AUROC, FRAMES", .unit = CLI_ESTIMATE},
        {.heading = "change", .unit = CLI_CHANGE},
        {.heading = "AUROC, VIDEOS", .unit = CLI_ESTIMATE},
        {.heading = "change", .unit = CLI_CHANGE},
    };
    CliTable *table = cli_table_create("Robustness", columns, COUNT_OF(columns));
    for (int s = 0; s < result->sets->set_count; s++) {
        const MetricsReport *plain = &result->reports[s];
        const char *kind = "";
        cli_table_rule(table);
        robustness_row(table, plain, plain, "none", "");
        for (int p = 0; p < result->perturbed_count; p++) {
            const EvalPerturbed *one = &result->perturbed[p];
            const bool another = p == 0 || strcmp(kind, one->perturbation->kind) != 0;
            kind = one->perturbation->kind;
            robustness_row(table, &one->reports[s], plain, another ? kind : "",
                           one->perturbation->text);
        }
    }
    fputc('\n', stream);
    return cli_table_print(table, format, stream, error);
}

Status eval_print(const EvalResult *result, const CliArguments *arguments, CliFormat format,
                  FILE *stream, Error *error)
{
    if (format == CLI_JSON) {
        TRY(train_json_write(eval_metrics_json(result), stream, 17, "eval", error));
    } else if (cli_format_is_exact(format)) {
        TRY(cli_metrics_print(result->reports, result->sets->set_count, format, stream, error));
    } else {
        TRY(print_metrics(result, format, stream, error));
        if (result->at)
            TRY(print_at_thresholds(result, format, stream, error));
        if (result->perturbed_count > 0)
            TRY(print_robustness(result, format, stream, error));
    }
    print_selection(result->adapter, arguments, format, stream);
    return STATUS_OK;
}

/* ---- several --------------------------------------------------------------------------------- */

static Status print_side_by_side(const EvalResult *results, int count, CliFormat format,
                                 FILE *stream, Error *error)
{
    static const CliColumn columns[] = {{.heading = "data set"}, {.heading = "level"}};
    CliTable *table = cli_table_create("AUROC", columns, COUNT_OF(columns));
    for (int r = 0; r < count; r++)
        cli_table_column(table,
                         (CliColumn){.heading = results[r].adapter->name, .unit = CLI_ESTIMATE});
    for (int s = 0; s < results[0].sets->set_count; s++) {
        const MetricsReport *first = &results[0].reports[s];
        MetricsReportLevel levels[METRICS_REPORT_LEVELS];
        const int n = levels_of(first, levels);
        for (int l = 0; l < n; l++) {
            cli_table_words(table, l == 0 ? first->dataset : "");
            cli_table_words(table, level_names[l]);
            for (int r = 0; r < count; r++) {
                levels_of(&results[r].reports[s], levels);
                cli_table_estimate(table, levels[l].metrics->auroc,
                                   levels[l].intervals->of[METRICS_AUROC]);
            }
        }
    }
    return cli_table_print(table, format, stream, error);
}

static void difference_row(CliTable *table, const char *set, const char *level, Metric metric,
                           const MetricsDifference *differences)
{
    const MetricsDifference *d = &differences[metric];
    cli_table_words(table, set);
    cli_table_words(table, level);
    cli_table_words(table, metrics_names[metric].title);
    cli_table_number(table, d->difference);
    cli_table_interval(table, d->interval);
    cli_table_number(table, d->p);
}

/* Prints the main metrics of a comparison; comparison.json has all. */
static Status print_comparison(const EvalComparison *comparison, CliFormat format, FILE *stream,
                               Error *error)
{
    static const CliColumn columns[] = {
        {.heading = "data set"},
        {.heading = "level"},
        {.heading = "metric"},
        {.heading = "difference", .unit = CLI_CHANGE},
        {.heading = "95% interval", .unit = CLI_INTERVAL},
        {.heading = "p", .unit = CLI_P},
    };
    static const Metric shown[] = {METRICS_AUROC, METRICS_MAP, METRICS_EER};
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    cli_table_title(table, "%s - %s (paired)", comparison->other->adapter->name,
                    comparison->first->adapter->name);
    for (int s = 0; s < comparison->first->sets->set_count; s++) {
        const MetricsComparison *set = &comparison->sets[s];
        for (int m = 0; m < 3; m++)
            difference_row(table, m == 0 ? set->dataset : "", m == 0 ? "frame" : "", shown[m],
                           set->frame);
        for (int m = 0; m < 3 && set->has_videos; m++)
            difference_row(table, "", m == 0 ? "video" : "", shown[m], set->video);
    }
    fputc('\n', stream);
    return cli_table_print(table, format, stream, error);
}

static Status print_exact(const EvalResult *results, int count, CliFormat format, FILE *stream,
                          Error *error)
{
    static const CliColumn columns[] = {
        {.key = "adapter"},
        {.key = "dataset"},
        {.key = "level"},
        {.key = "n_real", .unit = CLI_COUNT},
        {.key = "n_fake", .unit = CLI_COUNT},
        {.key = "auroc", .unit = CLI_ESTIMATE},
        {.key = "eer", .unit = CLI_FRACTION},
        {.key = "map", .unit = CLI_FRACTION},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int r = 0; r < count; r++) {
        for (int s = 0; s < results[r].sets->set_count; s++) {
            const MetricsReport *report = &results[r].reports[s];
            MetricsReportLevel levels[METRICS_REPORT_LEVELS];
            const int n = levels_of(report, levels);
            for (int l = 0; l < n; l++) {
                const Metrics *metrics = levels[l].metrics;
                cli_table_words(table, results[r].adapter->name);
                cli_table_words(table, report->dataset);
                cli_table_words(table, levels[l].key);
                cli_table_count(table, metrics->n_real);
                cli_table_count(table, metrics->n_fake);
                cli_table_estimate(table, metrics->auroc, levels[l].intervals->of[METRICS_AUROC]);
                cli_table_number(table, metrics->eer);
                cli_table_number(table, metrics->map);
            }
        }
    }
    return cli_table_print(table, format, stream, error);
}

static Status print_json(const EvalResult *results, const EvalComparison *comparisons, int count,
                         FILE *stream, Error *error)
{
    json_t *adapters = json_object();
    for (int r = 0; r < count; r++) {
        train_json_set(adapters, results[r].adapter->name, eval_metrics_json(&results[r]));
    }
    json_t *document = json_pack("{s:o, s:o}", "adapters", adapters, "comparison",
                                 eval_comparisons_json(comparisons, count - 1));
    return train_json_write(document, stream, 17, "eval", error);
}

Status eval_print_several(const EvalResult *results, const EvalComparison *comparisons, int count,
                          const CliArguments *arguments, CliFormat format, FILE *stream,
                          Error *error)
{
    if (format == CLI_JSON)
        return print_json(results, comparisons, count, stream, error);
    if (cli_format_is_exact(format))
        return print_exact(results, count, format, stream, error);
    TRY(print_side_by_side(results, count, format, stream, error));
    for (int i = 0; i + 1 < count; i++)
        TRY(print_comparison(&comparisons[i], format, stream, error));
    for (int r = 0; r < count; r++) {
        const EvalResult *result = &results[r];
        if (result->at || result->perturbed_count > 0) {
            fputc('\n', stream);
            cli_print_escaped(stream, result->adapter->name);
            fputc('\n', stream);
        }
        if (result->at)
            TRY(print_at_thresholds(result, format, stream, error));
        if (result->perturbed_count > 0)
            TRY(print_robustness(result, format, stream, error));
    }
    for (int r = 0; r < count; r++)
        print_selection(results[r].adapter, arguments, format, stream);
    return STATUS_OK;
}
