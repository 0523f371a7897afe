/*
 * eval_print.c - see eval_print.h.
 */
#include "tools/eval/eval_print.h"

#include "tensor/base/mem.h"
#include "tools/cli/cli_metrics.h"
#include "tools/eval/eval_tables.h"
#include "train/eval/eval_files.h"
#include "train/json.h"

#include <math.h>
#include <string.h>

/*
 * Prints the lists used for model selection, and the calibration. For formats without text they are
 * notes on stderr.
 */
static void print_selection(const EvalAdapter *adapter, const CliArguments *arguments,
                            const CliView *view, FILE *stream)
{
    if (!cli_format_has_text(view->format)) {
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

static Status print_at_thresholds(const EvalResult *result, const CliView *view, FILE *stream,
                                  Error *error)
{
    CliTable *table = eval_thresholds_table(result, 1, -1);
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, result->adapter->calibration.rule);
    cli_table_title(table, "At the thresholds by %s on the calibration set", rule);
    fputc('\n', stream);
    return cli_view_print(view, table, stream, error);
}

static Status print_robustness(const EvalResult *result, const CliView *view, FILE *stream,
                               Error *error)
{
    CliTable *table = eval_robustness_table(result, 1, -1);
    cli_table_title(table, "Robustness");
    fputc('\n', stream);
    return cli_view_print(view, table, stream, error);
}

Status eval_print(const EvalResult *result, const CliArguments *arguments, const CliView *view,
                  FILE *stream, Error *error)
{
    if (view->format == CLI_JSON) {
        TRY(train_json_write(eval_metrics_json(result), stream, 17, "eval", error));
    } else if (cli_format_is_exact(view->format)) {
        TRY(cli_metrics_print(result->reports, result->sets->set_count, view, stream, error));
    } else {
        CliTable *table = eval_summary_table(result, 1, EVAL_LEVELS, view);
        TRY(cli_view_print(view, table, stream, error));
        if (result->at)
            TRY(print_at_thresholds(result, view, stream, error));
        if (result->perturbed_count > 0)
            TRY(print_robustness(result, view, stream, error));
    }
    print_selection(result->adapter, arguments, view, stream);
    return STATUS_OK;
}

/* ---- several --------------------------------------------------------------------------------- */

/* A pivot per metric and level: AUROC, or the metrics of the view. */
static Status print_pivots(const EvalResult *results, int count, const CliView *view, FILE *stream,
                           Error *error)
{
    static const Metric own[] = {METRICS_AUROC};
    Metric metrics[METRICS_NAMES];
    const int metric_count = cli_view_metrics(view, own, COUNT_OF(own), metrics);
    const bool videos = !view->no_videos && results[0].reports[0].has_videos;
    bool begun = false;
    for (int m = 0; m < metric_count; m++)
        for (int l = EVAL_LEVELS - 1; l >= 0; l--) {
            if (l == EVAL_VIDEOS ? !videos : view->no_frames)
                continue;
            CliTable *table = eval_pivot_table(results, count, l, metrics[m], view);
            cli_table_title(table, "%s, %s", metrics_names[metrics[m]].heading,
                            l == EVAL_VIDEOS ? "videos (mean p_fake)" : "frames");
            if (begun)
                fputc('\n', stream);
            begun = true;
            TRY(cli_view_print(view, table, stream, error));
        }
    return STATUS_OK;
}

/* Prints the main metrics of a comparison; comparison.json has all. */
static Status print_comparison(const EvalComparison *comparison, const CliView *view, FILE *stream,
                               Error *error)
{
    CliTable *table = eval_differences_table(comparison, 1, EVAL_LEVELS, view);
    cli_table_title(table, "%s - %s (paired)", comparison->other->adapter->name,
                    comparison->first->adapter->name);
    fputc('\n', stream);
    return cli_view_print(view, table, stream, error);
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
                          const CliArguments *arguments, const CliView *view, FILE *stream,
                          Error *error)
{
    if (view->format == CLI_JSON)
        return print_json(results, comparisons, count, stream, error);
    if (cli_format_is_exact(view->format))
        return cli_view_print(view, eval_summary_table(results, count, EVAL_LEVELS, view), stream,
                              error);
    TRY(print_pivots(results, count, view, stream, error));
    for (int i = 0; i + 1 < count; i++)
        TRY(print_comparison(&comparisons[i], view, stream, error));
    for (int r = 0; r < count; r++) {
        const EvalResult *result = &results[r];
        if (result->at || result->perturbed_count > 0) {
            fputc('\n', stream);
            cli_print_escaped(stream, result->adapter->name);
            fputc('\n', stream);
        }
        if (result->at)
            TRY(print_at_thresholds(result, view, stream, error));
        if (result->perturbed_count > 0)
            TRY(print_robustness(result, view, stream, error));
    }
    for (int r = 0; r < count; r++)
        print_selection(results[r].adapter, arguments, view, stream);
    return STATUS_OK;
}
