/*
 * report_charts.c - charts of a data set in report.html.
 *
 * In all charts the colour identifies the result, and videos have solid, frames dashed lines.
 * Charts have the width of a phone, so that their text is not scaled down there; wider screens show
 * several in a row.
 */
#include "tensor/base/mem.h"
#include "tools/report/report_private.h"
#include "train/metrics/curves.h"
#include "train/plot/chart.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 344,
    HEIGHT = 282,         /* without the legend */
    POINTS = 400,         /* of a curve: enough for FPR below 0.01 */
    SAMPLES = 121,        /* points of a curve on a logarithmic axis */
    DRAWN = PLOT_COLOURS, /* maximum number of results */
    BOTH_LEVELS = 3,      /* maximum number of results drawn with frames and videos */
    NAME_SIZE = 96,
    OUTLINE = 2 * METRICS_HISTOGRAM_BINS,
    REAL_COLOUR = 0,
    FAKE_COLOUR = 1,
};

typedef enum Level { VIDEOS, FRAMES, LEVELS } Level;

static const char *const level_names[LEVELS] = {"videos", "frames"};

/* The curves of one result at one level, with separate x and y arrays for the charts. */
typedef struct Curves {
    bool there; /* false for videos if the data set has none */
    MetricsCurves of;
    double *values; /* [2 roc_count + 2 pr_count] */
    const double *roc_x, *roc_y, *pr_x, *pr_y;
    char name[NAME_SIZE];
    double auroc, ap;
} Curves;

/* All curves of a data set. */
typedef struct SetCurves {
    const Report *report;
    const char *name;
    int set;
    int count; /* results drawn */
    Curves curves[DRAWN][LEVELS];
} SetCurves;

static int drawn(const Report *report)
{
    return report->count < DRAWN ? report->count : DRAWN;
}

/* Writes "videos", or "NAME, videos" if there are several results. Long names are shortened. */
static void name_curve(char out[NAME_SIZE], const Report *report, int result, Level level)
{
    if (report->count == 1) {
        snprintf(out, NAME_SIZE, "%s", level_names[level]);
        return;
    }
    const char *name = report_result_name(report, &report->results[result]);
    int length = (int)strnlen(name, 25);
    const bool cut = length > 24;
    while (cut && length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    snprintf(out, NAME_SIZE, "%.*s%s, %s", length, name, cut ? "\xe2\x80\xa6" : "",
             level_names[level]);
}

static void split(const MetricsPoint *points, int count, double *x, double *y)
{
    for (int i = 0; i < count; i++) {
        x[i] = points[i].x;
        y[i] = points[i].y;
    }
}

static Status find_curves(Curves *curves, const SetCurves *all, int result, Level level,
                          Error *error)
{
    const EvalResult *of = &all->report->results[result];
    const MetricsScores *scores = &of->scores[all->set];
    const MetricsLevelRows rows =
        metrics_level_rows(scores, level == VIDEOS ? METRICS_VIDEOS : METRICS_FRAMES);
    TRY(metrics_curves(rows.scores, rows.ranks, rows.labels, rows.count, POINTS, &curves->of,
                       error));
    curves->there = true;
    const MetricsCurves *c = &curves->of;
    const size_t needed = 2 * ((size_t)c->roc_count + (size_t)c->pr_count) + 1;
    double *values = malloc(needed * sizeof *values);
    if (!values)
        return mem_full(0, "the charts of the report", error);
    curves->values = values;
    double *roc_y = values + c->roc_count, *pr_x = roc_y + c->roc_count;
    split(c->roc, c->roc_count, values, roc_y);
    split(c->pr, c->pr_count, pr_x, pr_x + c->pr_count);
    curves->roc_x = values;
    curves->roc_y = roc_y;
    curves->pr_x = pr_x;
    curves->pr_y = pr_x + c->pr_count;
    const Metrics *metrics =
        eval_metrics(&of->reports[all->set], level == FRAMES ? EVAL_FRAMES : EVAL_VIDEOS);
    curves->auroc = metrics->auroc;
    curves->ap = metrics->ap;
    name_curve(curves->name, all->report, result, level);
    return STATUS_OK;
}

static void free_curves(SetCurves *all)
{
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            metrics_curves_free(&all->curves[r][level].of);
            free(all->curves[r][level].values);
        }
}

/* ---- figures --------------------------------------------------------------------------------- */

static void add_series(PlotSeries *series, int *count, PlotSeries one)
{
    series[*count] = one;
    ++*count;
}

static void write_figure(FILE *stream, PlotChart *chart)
{
    chart->width = WIDTH;
    chart->height = HEIGHT;
    chart->grows = true;
    plot_write(stream, chart);
    fputs("</figure>\n", stream);
}

/* An axis from 0 to 1. */
static PlotAxis unit_axis(const char *title)
{
    return (PlotAxis){.title = title, .fixed = true, .low = 0, .high = 1};
}

static const double unit[2] = {0, 1};

/* Adds a reference line: chance level, or perfect calibration. */
static void add_reference(PlotSeries *series, int *count, const char *name, const double *x,
                          const double *y, int points)
{
    add_series(series, count,
               (PlotSeries){.mark = PLOT_LINE,
                            .name = name,
                            .x = x,
                            .y = y,
                            .count = points,
                            .colour = PLOT_MUTED,
                            .dashed = true});
}

/*
 * True if a curve is drawn: both classes exist, and frames are omitted if there are many results.
 */
static bool is_ranked(const SetCurves *all, int result, Level level)
{
    const Curves *c = all->curves[result];
    const bool crowded = c[VIDEOS].there && all->report->count > BOTH_LEVELS;
    return c[level].there && c[level].of.roc && !(level == FRAMES && crowded);
}

/* ROC, or the precision-recall curve, of every result and level, and the line of chance. */
static void write_ranking(FILE *stream, const SetCurves *all, bool roc)
{
    PlotSeries series[DRAWN * LEVELS + 1];
    char names[DRAWN * LEVELS][NAME_SIZE + 16], chance[32], label[NAME_SIZE * 4];
    int count = 0;
    int length = snprintf(label, sizeof label, "%s:", roc ? "ROC" : "Precision and recall");
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            const Curves *c = &all->curves[r][level];
            if (!is_ranked(all, r, level))
                continue;
            char *name = names[count];
            snprintf(name, sizeof names[count], "%s %.4f", c->name, roc ? c->auroc : c->ap);
            if (length < (int)sizeof label)
                length += snprintf(label + length, sizeof label - length, " %s %s;",
                                   roc ? "AUROC" : "AP", name);
            add_series(series, &count,
                       (PlotSeries){.mark = PLOT_LINE,
                                    .name = name,
                                    .x = roc ? c->roc_x : c->pr_x,
                                    .y = roc ? c->roc_y : c->pr_y,
                                    .count = roc ? c->of.roc_count : c->of.pr_count,
                                    .colour = r,
                                    .dashed = level == FRAMES});
        }
    /* The precision of random scores is the fraction of fakes. */
    const MetricsReport *first = &all->report->results[0].reports[all->set];
    const Metrics *metrics = eval_metrics(first, first->has_videos ? EVAL_VIDEOS : EVAL_FRAMES);
    const double fakes = (double)metrics->n_fake / (double)(metrics->n_real + metrics->n_fake);
    const double level[2] = {fakes, fakes};
    snprintf(chance, sizeof chance, "chance %.4f", roc ? 0.5 : fakes);
    add_reference(series, &count, chance, unit, roc ? unit : level, 2);
    fprintf(stream, "<figure><figcaption><b>%s</b> %s in the legend.</figcaption>\n",
            roc ? "ROC" : "Precision and recall", roc ? "AUROC" : "AP");
    PlotChart chart = {.label = label,
                       .x = unit_axis(roc ? "false positive rate" : "recall"),
                       .y = unit_axis(roc ? "true positive rate" : "precision"),
                       .series = series,
                       .series_count = count};
    write_figure(stream, &chart);
}

/* TPR at FPR `x`: linear between vertices, the upper end of a vertical segment. */
static double roc_at(const Curves *curves, double x)
{
    int i = 0;
    while (i + 1 < curves->of.roc_count && curves->roc_x[i + 1] <= x)
        i++;
    if (i + 1 == curves->of.roc_count)
        return curves->roc_y[i];
    const double width = curves->roc_x[i + 1] - curves->roc_x[i];
    const double share = (x - curves->roc_x[i]) / width;
    return curves->roc_y[i] + share * (curves->roc_y[i + 1] - curves->roc_y[i]);
}

/* The ROC with a logarithmic FPR axis: detectors are used at a low FPR. */
static void write_rare_alarms(FILE *stream, const SetCurves *all)
{
    static const double least = 0.001, named = 0.01;
    PlotSeries series[DRAWN * LEVELS + 1];
    char names[DRAWN * LEVELS][NAME_SIZE + 16];
    double x[SAMPLES], y[DRAWN * LEVELS][SAMPLES];
    int count = 0;
    for (int i = 0; i < SAMPLES; i++)
        x[i] = pow(least, 1 - i / (SAMPLES - 1.0));
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            const Curves *c = &all->curves[r][level];
            if (!is_ranked(all, r, level))
                continue;
            double *heights = y[count];
            snprintf(names[count], sizeof names[count], "%s %.4f", c->name, roc_at(c, named));
            for (int i = 0; i < SAMPLES; i++)
                heights[i] = roc_at(c, x[i]);
            add_series(series, &count,
                       (PlotSeries){.mark = PLOT_LINE,
                                    .name = names[count],
                                    .x = x,
                                    .y = heights,
                                    .count = SAMPLES,
                                    .colour = r,
                                    .dashed = level == FRAMES});
        }
    add_reference(series, &count, "chance 0.0100", x, x, SAMPLES);
    fputs("<figure><figcaption><b>ROC at low FPR</b> TPR at FPR 0.01 in the legend.</figcaption>\n",
          stream);
    PlotChart chart = {.label = "ROC with a logarithmic false positive rate axis",
                       .x = {.title = "false positive rate",
                             .fixed = true,
                             .low = least,
                             .high = 1,
                             .logarithmic = true},
                       .y = unit_axis("true positive rate"),
                       .series = series,
                       .series_count = count};
    write_figure(stream, &chart);
}

/* The outline of a histogram, normalised to a sum of 1. */
static void outline(const MetricsCurves *curves, const size_t *rows, double x[OUTLINE],
                    double y[OUTLINE])
{
    size_t total = 0;
    for (int b = 0; b < METRICS_HISTOGRAM_BINS; b++)
        total += rows[b];
    for (int b = 0; b < METRICS_HISTOGRAM_BINS; b++) {
        x[2 * b] = curves->low + b * curves->width;
        x[2 * b + 1] = curves->low + (b + 1) * curves->width;
        y[2 * b] = y[2 * b + 1] = total > 0 ? (double)rows[b] / (double)total : NAN;
    }
}

static void write_histogram(FILE *stream, const SetCurves *all, int result, Level level)
{
    static const double zeros[OUTLINE];
    const MetricsCurves *c = &all->curves[result][level].of;
    double x[OUTLINE], real[OUTLINE], fake[OUTLINE];
    outline(c, c->real, x, real);
    outline(c, c->fake, x, fake);
    const double *const shares[2] = {real, fake};
    static const char *const names[2] = {"real", "fake"};
    PlotSeries series[4];
    for (int k = 0; k < 2; k++) {
        const int colour = k == 0 ? REAL_COLOUR : FAKE_COLOUR;
        series[2 * k] = (PlotSeries){.mark = PLOT_BAND,
                                     .x = x,
                                     .low = zeros,
                                     .high = shares[k],
                                     .count = OUTLINE,
                                     .colour = colour};
        series[2 * k + 1] = (PlotSeries){.mark = PLOT_LINE,
                                         .name = names[k],
                                         .x = x,
                                         .y = shares[k],
                                         .count = OUTLINE,
                                         .colour = colour,
                                         .dashed = k == 1};
    }
    fprintf(stream, "<figure><figcaption><b>Scores of %s", level_names[level]);
    if (all->report->count > 1)
        report_text(stream, ", %s", report_result_name(all->report, &all->report->results[result]));
    fputs("</b> Each histogram sums to 1.</figcaption>\n", stream);
    PlotChart chart = {.label = "Score histograms of real and fake",
                       .x = {.title = "p_fake",
                             .fixed = true,
                             .low = c->low,
                             .high = c->low + METRICS_HISTOGRAM_BINS * c->width},
                       .y = {.title = "fraction of the class"},
                       .series = series,
                       .series_count = 4};
    write_figure(stream, &chart);
}

/* The points of a reliability diagram: the non-empty bins. */
typedef struct Reliability {
    double x[METRICS_CALIBRATION_BINS], y[METRICS_CALIBRATION_BINS];
    int count;
    char name[NAME_SIZE + 16];
} Reliability;

static void find_reliability(Reliability *out, const SetCurves *all, int result)
{
    const Curves *c = &all->curves[result][FRAMES];
    out->count = 0;
    for (int b = 0; b < METRICS_CALIBRATION_BINS; b++)
        if (c->of.reliability[b].rows > 0) {
            out->x[out->count] = c->of.reliability[b].mean_score;
            out->y[out->count++] = c->of.reliability[b].fraction_fake;
        }
    const MetricsReport *report = &all->report->results[result].reports[all->set];
    snprintf(out->name, sizeof out->name, "%s, ECE %.4f", c->name, report->frame.ece);
}

/* Writes the reliability diagram, unless the scores are not probabilities. */
static void write_reliability(FILE *stream, const SetCurves *all)
{
    Reliability lines[DRAWN];
    PlotSeries series[2 * DRAWN + 1];
    int count = 0;
    for (int r = 0; r < all->count; r++) {
        if (!all->curves[r][FRAMES].of.has_reliability)
            continue;
        Reliability *of = &lines[r];
        find_reliability(of, all, r);
        add_series(series, &count,
                   (PlotSeries){
                       .mark = PLOT_LINE, .x = of->x, .y = of->y, .count = of->count, .colour = r});
        add_series(series, &count,
                   (PlotSeries){.mark = PLOT_POINTS,
                                .name = of->name,
                                .x = of->x,
                                .y = of->y,
                                .count = of->count,
                                .colour = r});
    }
    if (count == 0)
        return;
    add_reference(series, &count, "calibrated", unit, unit, 2);
    const MetricsReport *first = &all->report->results[0].reports[all->set];
    fputs("<figure><figcaption><b>Reliability</b> Fraction of fakes by score. ", stream);
    if (isfinite(first->frame.brier) && all->report->count == 1)
        fprintf(stream, "Brier score %.4f.", first->frame.brier);
    fputs("</figcaption>\n", stream);
    PlotChart chart = {.label = "Reliability diagram: fraction of fakes by mean score",
                       .x = unit_axis("mean p_fake"),
                       .y = unit_axis("fraction of fakes"),
                       .series = series,
                       .series_count = count};
    write_figure(stream, &chart);
}

Status report_write_charts(FILE *stream, const Report *report, int set, Error *error)
{
    SetCurves *all = calloc(1, sizeof *all);
    if (!all)
        return mem_full(0, "the charts of the report", error);
    *all = (SetCurves){.report = report, .set = set, .count = drawn(report)};
    Status status = STATUS_OK;
    for (int r = 0; r < all->count && status == STATUS_OK; r++)
        for (Level level = 0; level < LEVELS && status == STATUS_OK; level++)
            if (level == FRAMES || report->results[r].reports[set].has_videos)
                status = find_curves(&all->curves[r][level], all, r, level, error);
    if (status == STATUS_OK) {
        const Metrics *frame = &report->results[0].reports[set].frame;
        fputs("<div class=\"figures\">\n", stream);
        if (frame->n_real > 0 && frame->n_fake > 0) {
            write_ranking(stream, all, true);
            write_rare_alarms(stream, all);
            write_ranking(stream, all, false);
        }
        if (report->count == 1 && all->curves[0][VIDEOS].there)
            write_histogram(stream, all, 0, VIDEOS);
        for (int r = 0; r < all->count; r++)
            write_histogram(stream, all, r, FRAMES);
        write_reliability(stream, all);
        fputs("</div>\n", stream);
    }
    free_curves(all);
    free(all);
    return status;
}

/* ---- robustness ------------------------------------------------------------------------------ */

/* One kind of perturbation: entries [first, first + count) of EvalResult.perturbed. */
typedef struct Kind {
    const Report *report;
    int set, first, count;
} Kind;

/* The report of step `i`; step 0 is without perturbation. */
static const MetricsReport *step_report(const Kind *kind, int result, int i)
{
    const EvalResult *of = &kind->report->results[result];
    return i == 0 ? &of->reports[kind->set]
                  : &of->perturbed[kind->first + i - 1].reports[kind->set];
}

static const char *step_name(const Kind *kind, int i)
{
    return i == 0 ? "none"
                  : kind->report->results[0].perturbed[kind->first + i - 1].perturbation->text;
}

/* The quantity that measures the strength of a perturbation. */
static const char *strength_of(const char *kind)
{
    static const char *const names[][2] = {{"jpeg", "quality"},
                                           {"blur", "sigma, pixels"},
                                           {"resize", "fraction or pixels of the shorter edge"},
                                           {"noise", "sigma"}};
    if (strchr(kind, '+'))
        return "strengths, in the order of operations";
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strncmp(kind, names[i][0], strlen(names[i][0])) == 0) /* also resize-lanczos */
            return names[i][1];
    return "strength";
}

/* Fills y, low and high with AUROC and interval of each step. */
static void fill(const Kind *kind, int result, bool frames, double *y, double *low, double *high)
{
    for (int i = 0; i <= kind->count; i++) {
        const MetricsReport *of = step_report(kind, result, i);
        const MetricsIntervals *ci = frames ? &of->frame_ci : &of->video_ci;
        y[i] = frames ? of->frame.auroc : of->video.auroc;
        low[i] = ci->of[METRICS_AUROC].lower;
        high[i] = ci->of[METRICS_AUROC].upper;
    }
}

/* The level whose intervals are drawn as bands. */
static bool has_band(const Report *report, int set, bool frames)
{
    return frames != report->results[0].reports[set].has_videos;
}

/*
 * The y axis of all charts: it includes every value and band of every data set, so that charts can
 * be compared.
 */
static PlotAxis shared_axis(const Report *report)
{
    double low = 1;
    for (int r = 0; r < drawn(report); r++)
        for (int s = 0; s < report->results[0].sets->set_count; s++)
            for (int p = -1; p < report->results[0].perturbed_count; p++)
                for (int frames = 0; frames < LEVELS; frames++) {
                    const EvalResult *result = &report->results[r];
                    const MetricsReport *of =
                        p < 0 ? &result->reports[s] : &result->perturbed[p].reports[s];
                    const EvalLevel level = frames ? EVAL_FRAMES : EVAL_VIDEOS;
                    const double value = eval_metrics(of, level)->auroc;
                    const double end = eval_intervals(of, level)->of[METRICS_AUROC].lower;
                    low = isfinite(value) ? fmin(low, value) : low;
                    low = isfinite(end) && has_band(report, s, frames) ? fmin(low, end) : low;
                }
    return (PlotAxis){.title = "AUROC", .fixed = true, .low = floor(low * 10) / 10, .high = 1};
}

/*
 * Writes the chart of one kind of perturbation: AUROC by strength of every result, and its interval
 * over videos (over frames without videos) as a band.
 */
static void write_chart(FILE *stream, const Kind *kind, const PlotAxis *axis, double *values,
                        const char **steps)
{
    const Report *report = kind->report;
    const char *what = report->results[0].perturbed[kind->first].perturbation->kind;
    const bool has_videos = report->results[0].reports[kind->set].has_videos;
    PlotSeries series[DRAWN * LEVELS * 2];
    char names[DRAWN][LEVELS][NAME_SIZE], label[128];
    int count = 0;
    const int stride = kind->count + 1;
    for (int r = 0; r < drawn(report); r++)
        for (int frames = has_videos ? 0 : 1; frames < LEVELS; frames++) {
            double *y = values, *low = y + stride, *high = low + stride;
            values += 3 * stride;
            fill(kind, r, frames, y, low, high);
            name_curve(names[r][frames], report, r, frames ? FRAMES : VIDEOS);
            if (has_band(report, kind->set, frames))
                add_series(series, &count,
                           (PlotSeries){.mark = PLOT_BAND,
                                        .low = low,
                                        .high = high,
                                        .count = stride,
                                        .colour = r,
                                        .faint = report->count > 1});
            add_series(series, &count,
                       (PlotSeries){.mark = PLOT_LINE,
                                    .name = names[r][frames],
                                    .y = y,
                                    .count = stride,
                                    .colour = r,
                                    .dashed = frames});
        }
    snprintf(label, sizeof label, "AUROC by strength of %s", what);
    fputs("<figure><figcaption><b>", stream);
    report_text(stream, "%s", what);
    fprintf(stream, "</b> AUROC by strength; bands are 95%% intervals of %s.</figcaption>\n",
            level_names[has_videos ? VIDEOS : FRAMES]);
    PlotChart chart = {
        .label = label,
        .x = {.title = strength_of(what), .categories = steps, .category_count = stride},
        .y = *axis,
        .series = series,
        .series_count = count};
    write_figure(stream, &chart);
}

static Status write_table(FILE *stream, const Report *report, int set, Error *error)
{
    fputs("<details><summary>Values</summary>\n", stream);
    CliTable *table = eval_robustness_table(report->results, report->count, set);
    cli_table_title(table, "AUROC under perturbations, with 95%% intervals");
    TRY(cli_table_print(table, CLI_HTML, stream, error));
    fputs("</details>\n", stream);
    return STATUS_OK;
}

/* The group of equal perturbation kinds that starts at `first`. */
static Kind find_kind(const Report *report, int set, int first)
{
    const EvalPerturbed *all = report->results[0].perturbed;
    Kind kind = {report, set, first, 0};
    while (first + kind.count < report->results[0].perturbed_count &&
           strcmp(all[first + kind.count].perturbation->kind, all[first].perturbation->kind) == 0)
        kind.count++;
    return kind;
}

Status report_write_robustness(FILE *stream, const Report *report, int set, Error *error)
{
    const int total = report->results[0].perturbed_count;
    if (total == 0)
        return STATUS_OK;
    for (int r = 1; r < report->count; r++)
        assert(report->results[r].perturbed_count == total && "the same perturbations for all");
    Kind *kinds = calloc(total, sizeof *kinds);
    const char **steps = calloc(total + 1, sizeof *steps);
    double *values = calloc((total + 1) * DRAWN * LEVELS * 3, sizeof *values);
    if (kinds && steps && values) {
        int count = 0;
        const PlotAxis axis = shared_axis(report);
        fputs("<h3>Robustness</h3>\n<div class=\"figures\">\n", stream);
        for (int first = 0; first < total; first += kinds[count++].count) {
            kinds[count] = find_kind(report, set, first);
            for (int i = 0; i <= kinds[count].count; i++)
                steps[i] = step_name(&kinds[count], i);
            write_chart(stream, &kinds[count], &axis, values, steps);
        }
        fputs("</div>\n", stream);
    }
    const bool done = kinds && steps && values;
    free(kinds);
    free(steps);
    free(values);
    return done ? write_table(stream, report, set, error)
                : mem_full(0, "the charts of the report", error);
}
