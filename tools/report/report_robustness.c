/*
 * report_robustness.c - what is left of the AUROC when frames are compressed, blurred, shrunk or noisy.
 */
#include "tools/report/report_parts.h"

#include "train/plot/chart.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 344, HEIGHT = 280, DRAWN = PLOT_COLOURS, LEVELS = 2 };

/* One kind of perturbation: entries [first, first + count) of EvalResult.perturbed. */
typedef struct Kind {
    const Report *report;
    int set, first, count;
} Kind;

/* The report of step `i`: 0 is without any perturbation. */
static const MetricsReport *step_report(const Kind *kind, int result, int i)
{
    const EvalResult *const of = &kind->report->results[result];
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
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(kind, names[i][0], strlen(names[i][0])) == 0) /* resize-lanczos, too */
            return names[i][1];
    return "strength";
}

/* AUROC and interval of every step, into y, low and high. */
static void fill(const Kind *kind, int result, bool frames, double *y, double *low, double *high)
{
    for (int i = 0; i <= kind->count; i++) {
        const MetricsReport *const of = step_report(kind, result, i);
        const MetricsIntervals *const ci = frames ? &of->frame_ci : &of->video_ci;
        y[i] = frames ? of->frame.auroc : of->video.auroc;
        low[i] = ci->of[METRICS_AUROC].lower;
        high[i] = ci->of[METRICS_AUROC].upper;
    }
}

static void write_chart(FILE *stream, const Kind *kind, double *numbers, const char **steps)
{
    const Report *const report = kind->report;
    const char *const what = report->results[0].perturbed[kind->first].perturbation->kind;
    const bool has_videos = report->results[0].reports[kind->set].has_videos;
    PlotSeries series[DRAWN * LEVELS * 2];
    char names[DRAWN][LEVELS][64], label[128];
    int count = 0;
    const int stride = kind->count + 1;
    for (int r = 0; r < report->count && r < DRAWN; r++)
        for (int frames = has_videos ? 0 : 1; frames < LEVELS; frames++) {
            double *const y = numbers, *const low = y + stride, *const high = low + stride;
            numbers += 3 * stride;
            fill(kind, r, frames, y, low, high);
            char *const name = names[r][frames];
            snprintf(name, sizeof names[r][frames], "%s%s%.32s", frames ? "frames" : "videos",
                     report->count > 1 ? ", " : "",
                     report->count > 1 ? report_result_name(report, &report->results[r]) : "");
            if (!frames && report->count == 1)
                report_add_series(
                    series, &count,
                    (PlotSeries){
                        .mark = PLOT_BAND, .low = low, .high = high, .count = stride, .colour = r});
            report_add_series(series, &count,
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
        .height = HEIGHT};
    plot_write(stream, &chart);
    fputs("</figure>\n", stream);
}

static void write_row(FILE *stream, const Kind *kind, int result, int i)
{
    const Report *const report = kind->report;
    const MetricsReport *const of = step_report(kind, result, i);
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
    const EvalPerturbed *const all = report->results[0].perturbed;
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
    Kind *const kinds = calloc((size_t)total, sizeof *kinds);
    const char **const steps = calloc((size_t)total + 1, sizeof *steps);
    double *const numbers = calloc(((size_t)total + 1) * DRAWN * LEVELS * 3, sizeof *numbers);
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
    return done ? STATUS_OK
                : error_set(error, STATUS_FAILED,
                            "report: no memory for its curves of robustness; free some");
}
