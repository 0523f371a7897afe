/*
 * eval_print.c - see eval_print.h.
 */
#include "tools/eval/eval_print.h"

#include "tools/cli/cli_json.h"
#include "tools/cli/cli_metrics.h"
#include "tools/eval/eval_files.h"

#include <math.h>
#include <string.h>

typedef struct Column {
    const char *head;
    CliAlign align;
} Column;

static CliTable *make_table(const char *title, const Column *columns, size_t count)
{
    CliTable *const table = cli_table_create(title);
    for (size_t i = 0; i < count; i++)
        cli_table_column(table, columns[i].head, columns[i].align);
    return table;
}

static Status print_and_free(CliTable *table, CliFormat format, FILE *stream, Error *error)
{
    const Status status = cli_table_print(table, format, stream, error);
    cli_table_free(table);
    return status;
}

static void fraction_cell(CliTable *table, double value)
{
    if (isnan(value))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "%.4f", value);
}

static void interval_cell(CliTable *table, MetricsInterval interval)
{
    if (isnan(interval.lower))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "[%.4f, %.4f]", interval.lower, interval.upper);
}

/* "0.9123 [0.8801, 0.9377]" in one cell. */
static void estimate_cell(CliTable *table, double value, MetricsInterval interval)
{
    if (isnan(value))
        cli_table_cell(table, "-");
    else if (isnan(interval.lower))
        cli_table_cell(table, "%.4f", value);
    else
        cli_table_cell(table, "%.4f [%.4f, %.4f]", value, interval.lower, interval.upper);
}

/* One level of a report. */
typedef struct Level {
    const char *name;
    const Metrics *metrics;
    const MetricsIntervals *intervals;
} Level;

static int levels_of(const MetricsReport *report, Level levels[2])
{
    levels[0] = (Level){"frame", &report->frame, &report->frame_ci};
    levels[1] = (Level){"video (mean p_fake)", &report->video, &report->video_ci};
    return report->has_videos ? 2 : 1;
}

/* Which list chose the weights belongs beside their scores; where a table stands alone it goes to stderr. */
static void tell_selection(const EvalAdapter *adapter, const CliArguments *arguments,
                           CliFormat format, FILE *stream)
{
    if (format != CLI_TEXT && format != CLI_MARKDOWN) {
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

/* ---- one evaluation ------------------------------------------------------------------------------ */

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
    const Column before[] = {{"data set", CLI_LEFT},
                             {"level", CLI_LEFT},
                             {"real", CLI_RIGHT},
                             {"fake", CLI_RIGHT},
                             {"AUROC", CLI_RIGHT}};
    CliTable *const table = make_table(NULL, before, sizeof before / sizeof before[0]);
    if (intervals)
        cli_table_column(table, "95% interval", CLI_RIGHT);
    cli_table_column(table, "EER", CLI_RIGHT);
    cli_table_column(table, "mAP", CLI_RIGHT);
    for (int i = 0; i < count; i++) {
        Level levels[2];
        const int n = levels_of(&result->reports[i], levels);
        for (int l = 0; l < n; l++) {
            cli_table_cell(table, "%s", l == 0 ? result->reports[i].dataset : "");
            cli_table_cell(table, "%s", levels[l].name);
            cli_table_cell(table, "%zu", levels[l].metrics->n_real);
            cli_table_cell(table, "%zu", levels[l].metrics->n_fake);
            fraction_cell(table, levels[l].metrics->auroc);
            if (intervals)
                interval_cell(table, levels[l].intervals->of[METRICS_AUROC]);
            fraction_cell(table, levels[l].metrics->eer);
            fraction_cell(table, levels[l].metrics->map);
        }
    }
    return print_and_free(table, format, stream, error);
}

static void at_row(CliTable *table, const char *set, const char *level,
                   const MetricsAtThreshold *at)
{
    cli_table_cell(table, "%s", set);
    cli_table_cell(table, "%s", level);
    cli_table_cell(table, "%.6g", at->threshold);
    fraction_cell(table, at->fpr);
    fraction_cell(table, at->tpr);
    fraction_cell(table, at->accuracy);
    fraction_cell(table, at->balanced_accuracy);
}

static Status print_at_thresholds(const EvalResult *result, CliFormat format, FILE *stream,
                                  Error *error)
{
    static const Column columns[] = {
        {"data set", CLI_LEFT},
        {"level", CLI_LEFT},
        {"threshold", CLI_RIGHT},
        {"FPR", CLI_RIGHT},
        {"TPR", CLI_RIGHT},
        {"accuracy", CLI_RIGHT},
        {"balanced accuracy", CLI_RIGHT},
    };
    CliTable *const table = make_table(NULL, columns, sizeof columns / sizeof columns[0]);
    cli_table_title(table, "At the thresholds of FPR %g on the calibration set",
                    result->adapter->calibration.fpr);
    for (int i = 0; i < result->sets->set_count; i++) {
        const EvalAtThresholds *const at = &result->at[i];
        at_row(table, result->sets->sets[i].name, "frame", &at->frame);
        if (at->video.n_real + at->video.n_fake > 0)
            at_row(table, "", "video", &at->video);
    }
    fputc('\n', stream);
    return print_and_free(table, format, stream, error);
}

static void robustness_row(CliTable *table, const MetricsReport *report, const MetricsReport *plain,
                           const char *kind, const char *strength)
{
    Level levels[2], before[2];
    const int n = levels_of(report, levels);
    levels_of(plain, before);
    cli_table_cell(table, "%s", report == plain ? report->dataset : "");
    cli_table_cell(table, "%s", kind);
    cli_table_cell(table, "%s", strength);
    for (int l = 0; l < 2; l++) {
        if (l >= n) {
            cli_table_cell(table, "-");
            cli_table_cell(table, "-");
            continue;
        }
        const double change = levels[l].metrics->auroc - before[l].metrics->auroc;
        estimate_cell(table, levels[l].metrics->auroc, levels[l].intervals->of[METRICS_AUROC]);
        if (report == plain || isnan(change))
            cli_table_cell(table, "-");
        else
            cli_table_cell(table, "%+.4f", change);
    }
}

static Status print_robustness(const EvalResult *result, CliFormat format, FILE *stream,
                               Error *error)
{
    static const Column columns[] = {
        {"data set", CLI_LEFT},      {"perturbation", CLI_LEFT}, {"strength", CLI_RIGHT},
        {"AUROC, FRAMES", CLI_LEFT}, {"change", CLI_RIGHT},      {"AUROC, VIDEOS", CLI_LEFT},
        {"change", CLI_RIGHT},
    };
    CliTable *const table = make_table("Robustness", columns, sizeof columns / sizeof columns[0]);
    for (int s = 0; s < result->sets->set_count; s++) {
        const MetricsReport *const plain = &result->reports[s];
        const char *kind = "";
        cli_table_rule(table);
        robustness_row(table, plain, plain, "none", "");
        for (int p = 0; p < result->perturbed_count; p++) {
            const EvalPerturbed *const one = &result->perturbed[p];
            const bool another = p == 0 || strcmp(kind, one->perturbation->kind) != 0;
            kind = one->perturbation->kind;
            robustness_row(table, &one->reports[s], plain, another ? kind : "",
                           one->perturbation->text);
        }
    }
    fputc('\n', stream);
    return print_and_free(table, format, stream, error);
}

Status eval_print(const EvalResult *result, const CliArguments *arguments, CliFormat format,
                  FILE *stream, Error *error)
{
    Status status = STATUS_OK;
    if (format == CLI_JSON)
        status = cli_json_write(eval_metrics_json(result), stream, 17, "eval", error);
    else if (format == CLI_CSV)
        status = cli_metrics_print(result->reports, result->sets->set_count, format, stream, error);
    else
        status = print_metrics(result, format, stream, error);
    if (status == STATUS_OK && result->at && format != CLI_JSON && format != CLI_CSV)
        status = print_at_thresholds(result, format, stream, error);
    if (status == STATUS_OK && result->perturbed_count > 0 && format != CLI_JSON &&
        format != CLI_CSV)
        status = print_robustness(result, format, stream, error);
    if (status == STATUS_OK)
        tell_selection(result->adapter, arguments, format, stream);
    return status;
}

/* ---- several ------------------------------------------------------------------------------------- */

static Status print_side_by_side(const EvalResult *results, int count, CliFormat format,
                                 FILE *stream, Error *error)
{
    static const Column columns[] = {{"data set", CLI_LEFT}, {"level", CLI_LEFT}};
    CliTable *const table = make_table("AUROC", columns, sizeof columns / sizeof columns[0]);
    for (int r = 0; r < count; r++)
        cli_table_column(table, results[r].adapter->name, CLI_LEFT);
    for (int s = 0; s < results[0].sets->set_count; s++) {
        const MetricsReport *const first = &results[0].reports[s];
        Level levels[2];
        const int n = levels_of(first, levels);
        for (int l = 0; l < n; l++) {
            cli_table_cell(table, "%s", l == 0 ? first->dataset : "");
            cli_table_cell(table, "%s", levels[l].name);
            for (int r = 0; r < count; r++) {
                Level of_this[2];
                levels_of(&results[r].reports[s], of_this);
                estimate_cell(table, of_this[l].metrics->auroc,
                              of_this[l].intervals->of[METRICS_AUROC]);
            }
        }
    }
    return print_and_free(table, format, stream, error);
}

static void difference_row(CliTable *table, const char *set, const char *level, Metric metric,
                           const MetricsDifference *differences)
{
    const MetricsDifference *const d = &differences[metric];
    cli_table_cell(table, "%s", set);
    cli_table_cell(table, "%s", level);
    cli_table_cell(table, "%s", metrics_names[metric].title);
    if (isnan(d->difference))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "%+.4f", d->difference);
    interval_cell(table, d->interval);
    if (isnan(d->p))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, d->p < 1e-4 ? "< 0.0001" : "%.4f", d->p);
}

/* The figures that are compared in words; comparison.json has all. */
static Status print_comparison(const EvalComparison *comparison, CliFormat format, FILE *stream,
                               Error *error)
{
    static const Column columns[] = {{"data set", CLI_LEFT},      {"level", CLI_LEFT},
                                     {"metric", CLI_LEFT},        {"difference", CLI_RIGHT},
                                     {"95% interval", CLI_RIGHT}, {"p", CLI_RIGHT}};
    static const Metric shown[] = {METRICS_AUROC, METRICS_MAP, METRICS_EER};
    CliTable *const table = make_table(NULL, columns, sizeof columns / sizeof columns[0]);
    cli_table_title(table, "%s less %s, paired", comparison->other->adapter->name,
                    comparison->first->adapter->name);
    for (int s = 0; s < comparison->first->sets->set_count; s++) {
        const MetricsComparison *const set = &comparison->sets[s];
        for (int m = 0; m < 3; m++)
            difference_row(table, m == 0 ? set->dataset : "", m == 0 ? "frame" : "", shown[m],
                           set->frame);
        for (int m = 0; m < 3 && set->has_videos; m++)
            difference_row(table, "", m == 0 ? "video" : "", shown[m], set->video);
    }
    fputc('\n', stream);
    return print_and_free(table, format, stream, error);
}

static Status print_csv(const EvalResult *results, int count, FILE *stream, Error *error)
{
    static const Column columns[] = {
        {"adapter", CLI_LEFT},     {"dataset", CLI_LEFT},     {"level", CLI_LEFT},
        {"n_real", CLI_LEFT},      {"n_fake", CLI_LEFT},      {"auroc", CLI_LEFT},
        {"auroc_lower", CLI_LEFT}, {"auroc_upper", CLI_LEFT}, {"eer", CLI_LEFT},
        {"map", CLI_LEFT},
    };
    CliTable *const table = make_table(NULL, columns, sizeof columns / sizeof columns[0]);
    for (int r = 0; r < count; r++) {
        for (int s = 0; s < results[r].sets->set_count; s++) {
            const MetricsReport *const report = &results[r].reports[s];
            Level levels[2];
            const int n = levels_of(report, levels);
            for (int l = 0; l < n; l++) {
                cli_table_cell(table, "%s", results[r].adapter->name);
                cli_table_cell(table, "%s", report->dataset);
                cli_table_cell(table, "%s", l == 0 ? "frame" : "video");
                cli_table_cell(table, "%zu", levels[l].metrics->n_real);
                cli_table_cell(table, "%zu", levels[l].metrics->n_fake);
                cli_table_exact(table, levels[l].metrics->auroc);
                cli_table_exact(table, levels[l].intervals->of[METRICS_AUROC].lower);
                cli_table_exact(table, levels[l].intervals->of[METRICS_AUROC].upper);
                cli_table_exact(table, levels[l].metrics->eer);
                cli_table_exact(table, levels[l].metrics->map);
            }
        }
    }
    return print_and_free(table, CLI_CSV, stream, error);
}

static Status print_json(const EvalResult *results, const EvalComparison *comparisons, int count,
                         FILE *stream, Error *error)
{
    json_t *const adapters = json_object();
    for (int r = 0; r < count; r++) {
        cli_json_set(adapters, results[r].adapter->name, eval_metrics_json(&results[r]));
    }
    json_t *const document = json_pack("{s:o, s:o}", "adapters", adapters, "comparison",
                                       eval_comparisons_json(comparisons, count - 1));
    return cli_json_write(document, stream, 17, "eval", error);
}

Status eval_print_several(const EvalResult *results, const EvalComparison *comparisons, int count,
                          const CliArguments *arguments, CliFormat format, FILE *stream,
                          Error *error)
{
    if (format == CLI_JSON)
        return print_json(results, comparisons, count, stream, error);
    if (format == CLI_CSV)
        return print_csv(results, count, stream, error);
    TRY(print_side_by_side(results, count, format, stream, error));
    for (int i = 0; i + 1 < count; i++)
        TRY(print_comparison(&comparisons[i], format, stream, error));
    for (int r = 0; r < count; r++) {
        const EvalResult *const result = &results[r];
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
        tell_selection(results[r].adapter, arguments, format, stream);
    return STATUS_OK;
}
