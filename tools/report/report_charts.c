/*
 * report_charts.c - the charts of a data set in report.html.
 *
 * What a curve belongs to is said the same way in every chart: a colour is a result, a solid line
 * stands for videos and a dashed one for frames. Charts are as wide as a phone, so that their text
 * keeps its size on one; wider screens put several in a row.
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
    HEIGHT = 300,
    LEGEND_LINE = 18,
    POINTS = 400,         /* of a curve: enough to look at its first hundredth */
    SAMPLES = 121,        /* of a curve on a logarithmic axis */
    DRAWN = PLOT_COLOURS, /* results at most */
    BOTH_LEVELS = 3,      /* results at most whose frames are drawn beside their videos */
    NAME_SIZE = 96,
    OUTLINE = 2 * METRICS_HISTOGRAM_BINS,
    REAL_COLOUR = 0,
    FAKE_COLOUR = 1,
};

typedef enum Level { VIDEOS, FRAMES, LEVELS } Level;

static const char *const level_names[LEVELS] = {"videos", "frames"};

/* The curves of one result at one level, with x and y apart as charts want them. */
typedef struct Curves {
    bool there; /* false: the data set has no videos */
    MetricsCurves of;
    double *numbers; /* [2 roc_count + 2 pr_count] */
    const double *roc_x, *roc_y, *pr_x, *pr_y;
    char name[NAME_SIZE];
    double auroc, ap;
} Curves;

/* Those of a data set. */
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

/* "videos", or "NAME, videos" where there are several results; long names lose their end. */
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
    double *numbers = malloc(needed * sizeof *numbers);
    if (!numbers)
        return mem_full(0, "the charts of the report", error);
    curves->numbers = numbers;
    double *roc_y = numbers + c->roc_count, *pr_x = roc_y + c->roc_count;
    split(c->roc, c->roc_count, numbers, roc_y);
    split(c->pr, c->pr_count, pr_x, pr_x + c->pr_count);
    curves->roc_x = numbers;
    curves->roc_y = roc_y;
    curves->pr_x = pr_x;
    curves->pr_y = pr_x + c->pr_count;
    curves->auroc = report_metrics(&of->reports[all->set], level == FRAMES)->auroc;
    curves->ap = report_metrics(&of->reports[all->set], level == FRAMES)->ap;
    name_curve(curves->name, all->report, result, level);
    return STATUS_OK;
}

static void free_curves(SetCurves *all)
{
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            metrics_curves_free(&all->curves[r][level].of);
            free(all->curves[r][level].numbers);
        }
}

/* ---- figures --------------------------------------------------------------------------------- */

static void add_series(PlotSeries *series, int *count, PlotSeries one)
{
    series[*count] = one;
    ++*count;
}

/* Names that need more than a line of legend make the figure higher, not its plot smaller. */
static void write_figure(FILE *stream, PlotChart *chart)
{
    int named = 0;
    for (int i = 0; i < chart->series_count; i++)
        named += chart->series[i].name != NULL;
    chart->width = WIDTH;
    chart->height = HEIGHT + (named > 2 ? (named - 1) * LEGEND_LINE : 0);
    plot_write(stream, chart);
    fputs("</figure>\n", stream);
}

/* Axes whose numbers are shares. */
static PlotAxis share_axis(const char *title)
{
    return (PlotAxis){.title = title, .fixed = true, .low = 0, .high = 1};
}

static const double unit[2] = {0, 1};

/* The line that chance, or perfect calibration, would draw. */
static void add_reference(PlotSeries *series, int *count, const double *x, int points)
{
    add_series(series, count,
               (PlotSeries){.mark = PLOT_LINE,
                            .x = x,
                            .y = x,
                            .count = points,
                            .colour = PLOT_MUTED,
                            .dashed = true});
}

/* Whether a curve is drawn: both classes are there, and so is the room. */
static bool is_ranked(const SetCurves *all, int result, Level level)
{
    const Curves *c = all->curves[result];
    const bool crowded = c[VIDEOS].there && all->report->count > BOTH_LEVELS;
    return c[level].there && c[level].of.roc && !(level == FRAMES && crowded);
}

/* ROC, or the precision-recall curve, of every result and level. */
static void write_ranking(FILE *stream, const SetCurves *all, bool roc)
{
    PlotSeries series[DRAWN * LEVELS + 1];
    char names[DRAWN][LEVELS][NAME_SIZE + 16], label[NAME_SIZE * 4];
    int count = 0;
    int length = snprintf(label, sizeof label, "%s:", roc ? "ROC" : "Precision and recall");
    if (roc)
        add_reference(series, &count, unit, 2);
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            const Curves *c = &all->curves[r][level];
            const bool crowded =
                level == FRAMES && all->curves[r][VIDEOS].there && all->report->count > BOTH_LEVELS;
            if (!c->there || !c->of.roc || crowded)
                continue;
            char *name = names[r][level];
            snprintf(name, sizeof names[r][level], "%s %.4f", c->name, roc ? c->auroc : c->ap);
            if (length < (int)sizeof label)
                length += snprintf(label + length, sizeof label - (size_t)length, " %s %s;",
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
    fprintf(stream, "<figure><figcaption><b>%s</b> The legend gives the %s.</figcaption>\n",
            roc ? "ROC" : "Precision and recall", roc ? "AUROC" : "AP");
    PlotChart chart = {.label = label,
                       .x = share_axis(roc ? "false positive rate" : "recall"),
                       .y = share_axis(roc ? "true positive rate" : "precision"),
                       .series = series,
                       .series_count = count};
    write_figure(stream, &chart);
}

/* TPR at `x` on a ROC: linear between vertices, the highest where it rises vertically. */
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

/* The ROC where false alarms are rare, which is where a detector is used. */
static void write_rare_alarms(FILE *stream, const SetCurves *all)
{
    static const double least = 0.001;
    PlotSeries series[DRAWN * LEVELS + 1];
    double x[SAMPLES], y[DRAWN * LEVELS][SAMPLES];
    int count = 0;
    for (int i = 0; i < SAMPLES; i++)
        x[i] = pow(least, 1 - i / (SAMPLES - 1.0));
    add_reference(series, &count, x, SAMPLES);
    for (int r = 0; r < all->count; r++)
        for (Level level = 0; level < LEVELS; level++) {
            const Curves *c = &all->curves[r][level];
            if (!is_ranked(all, r, level))
                continue;
            double *heights = y[count - 1];
            for (int i = 0; i < SAMPLES; i++)
                heights[i] = roc_at(c, x[i]);
            add_series(series, &count,
                       (PlotSeries){.mark = PLOT_LINE,
                                    .name = c->name,
                                    .x = x,
                                    .y = heights,
                                    .count = SAMPLES,
                                    .colour = r,
                                    .dashed = level == FRAMES});
        }
    fputs("<figure><figcaption><b>ROC, rare false alarms</b> The same on a logarithmic axis."
          "</figcaption>\n",
          stream);
    PlotChart chart = {.label = "ROC with a logarithmic axis of false positive rates",
                       .x = {.title = "false positive rate",
                             .fixed = true,
                             .low = least,
                             .high = 1,
                             .logarithmic = true},
                       .y = share_axis("true positive rate"),
                       .series = series,
                       .series_count = count};
    write_figure(stream, &chart);
}

/* The outline of a histogram: its bins as shares of `total`. */
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
    fputs("</b> The bars of each class add up to 1.</figcaption>\n", stream);
    PlotChart chart = {.label = "Histograms of the scores of real and of fake",
                       .x = {.title = "p_fake",
                             .fixed = true,
                             .low = c->low,
                             .high = c->low + METRICS_HISTOGRAM_BINS * c->width},
                       .y = {.title = "share of the class"},
                       .series = series,
                       .series_count = 4};
    write_figure(stream, &chart);
}

/* What the reliability diagram of one result draws: bins that hold rows. */
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

/* Nothing where scores are no probabilities. */
static void write_reliability(FILE *stream, const SetCurves *all)
{
    Reliability lines[DRAWN];
    PlotSeries series[2 * DRAWN + 1];
    int count = 0;
    add_reference(series, &count, unit, 2);
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
    if (count == 1)
        return;
    const MetricsReport *first = &all->report->results[0].reports[all->set];
    fputs("<figure><figcaption><b>Reliability</b> Share of fakes by score. ", stream);
    if (isfinite(first->frame.brier) && all->report->count == 1)
        fprintf(stream, "Brier score %.4f.", first->frame.brier);
    fputs("</figcaption>\n", stream);
    PlotChart chart = {.label = "Reliability diagram: share of fake against mean score",
                       .x = share_axis("mean p_fake"),
                       .y = share_axis("share of fake"),
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

/* ---- frames under perturbations -------------------------------------------------------------- */

enum { STRENGTH_HEIGHT = 280 }; /* of a chart over the strengths of a perturbation */

/* One kind of perturbation: entries [first, first + count) of EvalResult.perturbed. */
typedef struct Kind {
    const Report *report;
    int set, first, count;
} Kind;

/* The report of step `i`: 0 is without any perturbation. */
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

/* What the numbers of a kind are. */
static const char *strength_of(const char *kind)
{
    static const char *const names[][2] = {{"jpeg", "quality"},
                                           {"blur", "sigma, pixels"},
                                           {"resize", "share or pixels of the shorter edge"},
                                           {"noise", "sigma"}};
    if (strchr(kind, '+'))
        return "strengths, in the order of the operations";
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strncmp(kind, names[i][0], strlen(names[i][0])) == 0) /* resize-lanczos, too */
            return names[i][1];
    return "strength";
}

/* AUROC and interval of every step, into y, low and high. */
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

static void write_chart(FILE *stream, const Kind *kind, double *numbers, const char **steps)
{
    const Report *report = kind->report;
    const char *what = report->results[0].perturbed[kind->first].perturbation->kind;
    const bool has_videos = report->results[0].reports[kind->set].has_videos;
    PlotSeries series[DRAWN * LEVELS * 2];
    char names[DRAWN][LEVELS][64], label[128];
    int count = 0;
    const int stride = kind->count + 1;
    for (int r = 0; r < report->count && r < DRAWN; r++)
        for (int frames = has_videos ? 0 : 1; frames < LEVELS; frames++) {
            double *y = numbers, *low = y + stride, *high = low + stride;
            numbers += 3 * stride;
            fill(kind, r, frames, y, low, high);
            char *name = names[r][frames];
            snprintf(name, sizeof names[r][frames], "%s%s%.32s", frames ? "frames" : "videos",
                     report->count > 1 ? ", " : "",
                     report->count > 1 ? report_result_name(report, &report->results[r]) : "");
            if (!frames && report->count == 1)
                add_series(
                    series, &count,
                    (PlotSeries){
                        .mark = PLOT_BAND, .low = low, .high = high, .count = stride, .colour = r});
            add_series(series, &count,
                       (PlotSeries){.mark = PLOT_LINE,
                                    .name = name,
                                    .y = y,
                                    .count = stride,
                                    .colour = r,
                                    .dashed = frames});
        }
    snprintf(label, sizeof label, "AUROC against strength of %s", what);
    fputs("<figure><figcaption><b>", stream);
    report_text(stream, "%s", what);
    fputs("</b> AUROC against strength.</figcaption>\n", stream);
    const PlotChart chart = {
        .label = label,
        .x = {.title = strength_of(what), .categories = steps, .category_count = stride},
        .y = {.title = "AUROC"},
        .series = series,
        .series_count = count,
        .width = WIDTH,
        .height = STRENGTH_HEIGHT};
    plot_write(stream, &chart);
    fputs("</figure>\n", stream);
}

static void write_row(FILE *stream, const Kind *kind, int result, int i)
{
    const Report *report = kind->report;
    const MetricsReport *of = step_report(kind, result, i);
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s %s", report->results[0].perturbed[kind->first].perturbation->kind,
                step_name(kind, i));
    fputs("</th>", stream);
    if (report->count > 1) {
        fputs("<td class=\"word\">", stream);
        report_text(stream, "%s", report_result_name(report, &report->results[result]));
        fputs("</td>", stream);
    }
    if (of->has_videos) {
        report_number_cell(stream, of->video.auroc);
        report_interval_cell(stream, of->video_ci.of[METRICS_AUROC]);
    }
    report_number_cell(stream, of->frame.auroc);
    report_interval_cell(stream, of->frame_ci.of[METRICS_AUROC]);
    fputs("</tr>\n", stream);
}

static void write_table(FILE *stream, const Report *report, int set, const Kind *kinds, int count)
{
    fputs("<details><summary>The numbers</summary>\n", stream);
    report_open_table(stream, "AUROC under perturbations");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "perturbation");
    if (report->count > 1)
        report_head(stream, false, "adapter");
    if (report->results[0].reports[set].has_videos) {
        report_head(stream, true, "VIDEOS");
        report_head(stream, true, "95 % interval");
    }
    report_head(stream, true, "FRAMES");
    report_head(stream, true, "95 % interval");
    fputs("</tr></thead><tbody>\n", stream);
    for (int k = 0; k < count; k++)
        for (int i = 0; i <= kinds[k].count; i++)
            for (int r = 0; r < report->count; r++)
                write_row(stream, &kinds[k], r, i);
    fputs("</tbody>", stream);
    report_close_table(stream);
    fputs("</details>\n", stream);
}

/* The next kind from `first` on. */
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
    Kind *kinds = calloc((size_t)total, sizeof *kinds);
    const char **steps = calloc((size_t)total + 1, sizeof *steps);
    double *numbers = calloc(((size_t)total + 1) * DRAWN * LEVELS * 3, sizeof *numbers);
    if (kinds && steps && numbers) {
        int count = 0;
        fputs("<h3>Robustness</h3>\n<div class=\"figures\">\n", stream);
        for (int first = 0; first < total; first += kinds[count++].count) {
            kinds[count] = find_kind(report, set, first);
            for (int i = 0; i <= kinds[count].count; i++)
                steps[i] = step_name(&kinds[count], i);
            write_chart(stream, &kinds[count], numbers, steps);
        }
        fputs("</div>\n", stream);
        write_table(stream, report, set, kinds, count);
    }
    const bool done = kinds && steps && numbers;
    free(kinds);
    free(steps);
    free(numbers);
    return done ? STATUS_OK : mem_full(0, "the charts of the report", error);
}
