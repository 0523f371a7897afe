/*
 * report.c - see report.h. Sections: header, warnings, summary, differences between adapters, one
 * section per data set, coverage, provenance, definitions of the metrics.
 *
 * Videos and frames have separate tables, marked with their level, because their metrics are not
 * comparable.
 */
#include "tools/report/report_private.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_metrics.h"
#include "train/json.h"
#include "train/plot/chart.h"
#include "train/run/run_record.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Metrics in the summary in addition to AUROC. */
static const Metric shown[] = {METRICS_AP, METRICS_EER, METRICS_TPR_AT_FPR_001};
enum { SHOWN = COUNT_OF(shown) };

static int set_count(const Report *report)
{
    return report->results[0].sets->set_count;
}

static bool have_videos(const Report *report)
{
    for (int s = 0; s < set_count(report); s++)
        if (report->results[0].reports[s].has_videos)
            return true;
    return false;
}

static void write_level(FILE *stream, bool frames)
{
    fprintf(stream, "<span class=\"level %s</span>", frames ? "frame\">frames" : "video\">videos");
}

/* ---- top ------------------------------------------------------------------------------------- */

static void write_title(FILE *stream, const Report *report)
{
    if (report->count == 1)
        report_text(stream, "Evaluation of %s", report_result_name(report, &report->results[0]));
    else
        report_text(stream, "Evaluation of %d adapters", report->count);
}

static void write_head(FILE *stream, const Report *report)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:\">\n<title>",
          stream);
    write_title(stream, report);
    fputs("</title>\n<style>\n", stream);
    report_write_style(stream);
    fputs("</style>\n</head>\n", stream);
}

static void count_all(const Report *report, size_t *videos, size_t *frames)
{
    *videos = *frames = 0;
    for (int s = 0; s < set_count(report); s++) {
        const MetricsReport *of = &report->results[0].reports[s];
        *videos += of->video.n_real + of->video.n_fake;
        *frames += of->frame.n_real + of->frame.n_fake;
    }
}

static void write_navigation(FILE *stream, const Report *report)
{
    fputs("<nav aria-label=\"Contents\"><ul>\n<li><a href=\"#summary\">Summary</a></li>\n", stream);
    if (report->comparison_count > 0)
        fputs("<li><a href=\"#differences\">Differences</a></li>\n", stream);
    for (int s = 0; s < set_count(report); s++) {
        fprintf(stream, "<li><a href=\"#set-%d\">", s);
        report_text(stream, "%s", report->results[0].reports[s].dataset);
        fputs("</a></li>\n", stream);
    }
    fputs("<li><a href=\"#coverage\">Coverage</a></li>\n"
          "<li><a href=\"#provenance\">Provenance</a></li>\n"
          "<li><a href=\"#definitions\">Definitions of the metrics</a></li>\n</ul></nav>\n",
          stream);
}

static double mean_over_sets(const EvalResult *result, bool frames, int metric)
{
    double sum = 0;
    for (int s = 0; s < result->sets->set_count; s++) {
        const MetricsReport *of = &result->reports[s];
        if (!frames && !of->has_videos)
            return NAN;
        sum += metrics_value(report_metrics(of, frames), metric);
    }
    return sum / result->sets->set_count;
}

/* Writes a metric in large type, with `note` below it, or its interval if `note` is "". */
static void write_tile(FILE *stream, const char *name, bool main, double value,
                       MetricsInterval interval, const char *note)
{
    fprintf(stream, "<div%s><dt>%s</dt><dd>", main ? " class=\"main\"" : "", name);
    report_number(stream, value);
    fprintf(stream, "<small>%s", note);
    if (!note[0])
        report_range(stream, CLI_FRACTION, interval);
    fputs("</small></dd></div>\n", stream);
}

static void write_count_tile(FILE *stream, const char *name, size_t count)
{
    fprintf(stream, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, cli_count(count));
}

/* The AUROCs of a single result, and the counts of videos, frames and data sets. */
static void write_tiles(FILE *stream, const Report *report)
{
    const EvalResult *result = &report->results[0];
    size_t videos, frames;
    count_all(report, &videos, &frames);
    const bool many = set_count(report) > 1;
    fputs("<dl class=\"tiles\">\n", stream);
    for (int level = 0; level < 2; level++) {
        const bool of_frames = level == 1;
        if (!of_frames && !have_videos(report))
            continue;
        const MetricsInterval ci =
            report_intervals(&result->reports[0], of_frames)->of[METRICS_AUROC];
        write_tile(stream, of_frames ? "frame AUROC" : "video AUROC", !of_frames,
                   mean_over_sets(result, of_frames, METRICS_AUROC), ci,
                   many ? "mean over data sets" : "");
    }
    if (videos > 0)
        write_count_tile(stream, "videos", videos);
    write_count_tile(stream, "frames", frames);
    if (many)
        write_count_tile(stream, "data sets", set_count(report));
    fputs("</dl>\n", stream);
}

static void write_header(FILE *stream, const Report *report)
{
    const EvalProvenance *from = &report->results[0].provenance;
    fputs("<body>\n<header>\n<p class=\"brand\">lnclip</p>\n<h1>", stream);
    write_title(stream, report);
    fputs("</h1>\n<p class=\"lede\">", stream);
    if (from->model)
        report_text(stream, "%s, %s, %d x %d pixels, %s", report_base_name(from->model), from->arch,
                    from->image_size, from->image_size, from->precision);
    else
        report_text(stream, "Scores read from %s", report->subject);
    fputs("</p>\n", stream);
    write_navigation(stream, report);
    fputs("</header>\n", stream);
}

/* ---- warnings -------------------------------------------------------------------------------- */

typedef struct Alerts {
    FILE *stream;
    const char *name; /* of the result; NULL if there is only one */
    bool first;       /* result: warnings about rows are printed once */
    int count;
} Alerts;

static void write_alert(void *context, const char *text, bool of_scores)
{
    Alerts *alerts = context;
    if (!of_scores && !alerts->first)
        return;
    if (alerts->count++ == 0)
        fputs("<section class=\"alerts\" aria-labelledby=\"alerts\"><h2 id=\"alerts\">Warnings</h2>"
              "<ul>\n",
              alerts->stream);
    fputs("<li>", alerts->stream);
    if (of_scores && alerts->name)
        report_text(alerts->stream, "%s: ", alerts->name);
    text_print_xml(alerts->stream, text);
    fputs("</li>\n", alerts->stream);
}

static void write_alerts(FILE *stream, const Report *report)
{
    Alerts alerts = {.stream = stream, .first = true};
    for (int i = 0; i < report->warning_count; i++)
        write_alert(&alerts, report->warnings[i], false);
    for (int r = 0; r < report->count; r++) {
        const EvalResult *result = &report->results[r];
        alerts.name = report->count > 1 ? report_result_name(report, result) : NULL;
        alerts.first = r == 0;
        cli_metrics_each_warning(report->subject, result->predictions.duplicates, result->reports,
                                 set_count(report), write_alert, &alerts);
    }
    if (alerts.count > 0)
        fputs("</ul></section>\n", stream);
}

/* ---- summary --------------------------------------------------------------------------------- */

static void write_summary_row(FILE *stream, const Report *report, int set, int result, bool frames,
                              double low)
{
    const MetricsReport *of = &report->results[result].reports[set];
    const Metrics *metrics = report_metrics(of, frames);
    const MetricsInterval ci = report_intervals(of, frames)->of[METRICS_AUROC];
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s", of->dataset);
    fputs("</th>", stream);
    report_adapter_cell(stream, report, result);
    fputs("<td class=\"key\">", stream);
    report_number(stream, metrics->auroc);
    fputs("</td>", stream);
    report_interval_cell(stream, ci);
    report_forest_cell(stream, low, metrics->auroc, ci);
    for (int i = 0; i < SHOWN; i++)
        report_number_cell(stream, metrics_value(metrics, (int)shown[i]));
    report_count_cell(stream, metrics->n_real);
    report_count_cell(stream, metrics->n_fake);
    fputs("</tr>\n", stream);
}

/* Writes the mean over data sets for each result. */
static void write_means(FILE *stream, const Report *report, bool frames, double low)
{
    const MetricsInterval none = {NAN, NAN};
    fputs("<tfoot>", stream);
    for (int r = 0; r < report->count; r++) {
        const EvalResult *result = &report->results[r];
        const double auroc = mean_over_sets(result, frames, METRICS_AUROC);
        fputs("<tr><th scope=\"row\">Mean over data sets</th>", stream);
        report_adapter_cell(stream, report, r);
        fputs("<td class=\"key\">", stream);
        report_number(stream, auroc);
        fputs("</td><td></td>", stream);
        report_forest_cell(stream, low, auroc, none);
        for (int i = 0; i < SHOWN; i++)
            report_number_cell(stream, mean_over_sets(result, frames, (int)shown[i]));
        fputs("<td></td><td></td></tr>\n", stream);
    }
    fputs("</tfoot>\n", stream);
}

static void write_summary_table(FILE *stream, const Report *report, bool frames)
{
    const double low = report_forest_low(report, -1, frames);
    char scale[64];
    snprintf(scale, sizeof scale, "AUROC, axis %.1f-1", low);
    fputs("<h3>", stream);
    write_level(stream, frames);
    fprintf(stream, "%s level</h3>\n", frames ? "Frame" : "Video");
    report_open_table(
        stream, frames ? "Every frame counts by itself; not to be compared with figures of videos"
                       : "A video's score is the mean p_fake of its frames");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "data set");
    if (report->count > 1)
        report_head(stream, false, "adapter");
    report_head(stream, true, "AUROC");
    report_head(stream, true, "95 % interval");
    report_head(stream, true, scale);
    for (int i = 0; i < SHOWN; i++)
        report_head(stream, true, metrics_names[shown[i]].title);
    report_head(stream, true, frames ? "real frames" : "real videos");
    report_head(stream, true, frames ? "fake frames" : "fake videos");
    fputs("</tr></thead>\n<tbody>\n", stream);
    for (int s = 0; s < set_count(report); s++)
        for (int r = 0; r < report->count; r++)
            if (frames || report->results[r].reports[s].has_videos)
                write_summary_row(stream, report, s, r, frames, low);
    fputs("</tbody>\n", stream);
    if (set_count(report) > 1)
        write_means(stream, report, frames, low);
    report_close_table(stream);
}

static void write_summary(FILE *stream, const Report *report)
{
    fputs("<section id=\"summary\"><h2>Summary</h2>\n", stream);
    if (report->count == 1)
        write_tiles(stream, report);
    if (have_videos(report))
        write_summary_table(stream, report, false);
    write_summary_table(stream, report, true);
    fputs("</section>\n", stream);
}

/* ---- differences ----------------------------------------------------------------------------- */

static void write_difference_row(FILE *stream, const Report *report, const EvalComparison *of,
                                 int set, bool frames)
{
    const MetricsDifference *d =
        frames ? &of->sets[set].frame[METRICS_AUROC] : &of->sets[set].video[METRICS_AUROC];
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s", of->first->reports[set].dataset);
    fputs("</th><td class=\"word\">", stream);
    report_text(stream, "%s", report_result_name(report, of->other));
    fputs("</td>", stream);
    report_number_cell(stream, d->a);
    report_number_cell(stream, d->b);
    fputs(isfinite(d->difference) ? "<td class=\"key\">" : "<td>", stream);
    report_value(stream, CLI_CHANGE, d->difference);
    fputs("</td>", stream);
    report_range_cell(stream, CLI_CHANGE, d->interval);
    fputs("<td>", stream);
    report_value(stream, CLI_P, d->p);
    fputs("</td></tr>\n", stream);
}

static void write_difference_table(FILE *stream, const Report *report, bool frames)
{
    fputs("<h3>", stream);
    write_level(stream, frames);
    fputs("AUROC</h3>\n", stream);
    report_open_table(stream, frames ? "Differences in frame AUROC" : "Differences in video AUROC");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "data set");
    report_head(stream, false, "adapter");
    report_head(stream, true, "AUROC");
    report_head(stream, true, "baseline AUROC");
    report_head(stream, true, "difference");
    report_head(stream, true, "95 % interval");
    report_head(stream, true, "p");
    fputs("</tr></thead><tbody>\n", stream);
    for (int s = 0; s < set_count(report); s++)
        for (int i = 0; i < report->comparison_count; i++)
            if (frames || report->comparisons[i].sets[s].has_videos)
                write_difference_row(stream, report, &report->comparisons[i], s, frames);
    fputs("</tbody>", stream);
    report_close_table(stream);
}

static void write_differences(FILE *stream, const Report *report)
{
    if (report->comparison_count == 0)
        return;
    fputs("<section id=\"differences\"><h2>Differences</h2>\n<p class=\"soft\">", stream);
    report_text(stream, "Each adapter minus %s (baseline), on the same videos.",
                report_result_name(report, report->comparisons[0].first));
    fputs("</p>\n", stream);
    if (have_videos(report))
        write_difference_table(stream, report, false);
    write_difference_table(stream, report, true);
    fputs("</section>\n", stream);
}

/* ---- a data set ------------------------------------------------------------------------------ */

static void write_source_row(FILE *stream, const Report *report, int set, int result, int source,
                             double low)
{
    const MetricsSourceReport *of = &report->results[result].reports[set].sources[source];
    const MetricsInterval ci = of->video_ci.of[METRICS_AUROC];
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s", of->name);
    fputs("</th>", stream);
    report_adapter_cell(stream, report, result);
    report_count_cell(stream, of->video.n_fake);
    fputs("<td class=\"key\">", stream);
    report_number(stream, of->video.auroc);
    fputs("</td>", stream);
    report_interval_cell(stream, ci);
    report_forest_cell(stream, low, of->video.auroc, ci);
    report_count_cell(stream, of->frame.n_fake);
    report_number_cell(stream, of->frame.auroc);
    report_interval_cell(stream, of->frame_ci.of[METRICS_AUROC]);
    fputs("</tr>\n", stream);
}

/* Sources belong to videos: without videos there are none. */
static void write_sources(FILE *stream, const Report *report, int set)
{
    const MetricsReport *first = &report->results[0].reports[set];
    if (first->source_count == 0)
        return;
    const double low = report_forest_low(report, set, false);
    char scale[64];
    snprintf(scale, sizeof scale, "AUROC, axis %.1f-1", low);
    fputs("<h3>By fake source</h3>\n", stream);
    report_open_table(stream, "AUROC of each fake source against all real");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "source");
    if (report->count > 1)
        report_head(stream, false, "adapter");
    report_head(stream, true, "fake videos");
    report_head(stream, true, "VIDEOS: AUROC");
    report_head(stream, true, "95 % interval");
    report_head(stream, true, scale);
    report_head(stream, true, "fake frames");
    report_head(stream, true, "FRAMES: AUROC");
    report_head(stream, true, "95 % interval");
    fputs("</tr></thead><tbody>\n", stream);
    for (int i = 0; i < first->source_count; i++)
        for (int r = 0; r < report->count; r++)
            write_source_row(stream, report, set, r, i, low);
    fputs("</tbody>", stream);
    report_close_table(stream);
}

static void write_threshold_row(FILE *stream, const Report *report, int result, const char *level,
                                const MetricsAtThreshold *at)
{
    if (at->n_real + at->n_fake == 0)
        return;
    fprintf(stream, "<tr><th scope=\"row\">%s</th>", level);
    report_adapter_cell(stream, report, result);
    report_number_cell(stream, at->threshold);
    report_number_cell(stream, at->fpr);
    report_number_cell(stream, at->tpr);
    report_number_cell(stream, at->accuracy);
    report_number_cell(stream, at->balanced_accuracy);
    fputs("</tr>\n", stream);
}

static bool any_calibrated(const Report *report)
{
    for (int r = 0; r < report->count; r++)
        if (report->results[r].at)
            return true;
    return false;
}

/* Error rates at the thresholds stored in the adapter. */
static void write_thresholds(FILE *stream, const Report *report, int set)
{
    if (!any_calibrated(report))
        return;
    fputs("<h3>At the validation threshold</h3>\n", stream);
    report_open_table(stream, "Error rates at the thresholds chosen on validation frames");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "level");
    if (report->count > 1)
        report_head(stream, false, "adapter");
    static const char *const heads[] = {"threshold", "FPR", "TPR", "accuracy", "balanced accuracy"};
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        report_head(stream, true, heads[i]);
    fputs("</tr></thead><tbody>\n", stream);
    for (int r = 0; r < report->count; r++) {
        const EvalAtThresholds *at = report->results[r].at;
        if (!at)
            continue;
        write_threshold_row(stream, report, r, "VIDEOS", &at[set].video);
        write_threshold_row(stream, report, r, "FRAMES", &at[set].frame);
    }
    fputs("</tbody>", stream);
    report_close_table(stream);
}

static void write_metric_row(FILE *stream, const MetricsReport *of, int metric)
{
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s", metrics_names[metric].title);
    fputs("</th>", stream);
    if (of->has_videos) {
        report_number_cell(stream, metrics_value(&of->video, metric));
        report_interval_cell(stream, of->video_ci.of[metric]);
        report_number_cell(stream, metrics_value(&of->video_median, metric));
    }
    report_number_cell(stream, metrics_value(&of->frame, metric));
    report_interval_cell(stream, of->frame_ci.of[metric]);
    fputs("</tr>\n", stream);
}

/* All metrics of metrics.json. */
static void write_all_metrics(FILE *stream, const Report *report, int set, int result)
{
    const MetricsReport *of = &report->results[result].reports[set];
    fputs("<details><summary>All metrics", stream);
    if (report->count > 1)
        report_text(stream, " of %s", report_result_name(report, &report->results[result]));
    fputs("</summary>\n", stream);
    report_open_table(stream, "All metrics, by video and by frame");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "metric");
    if (of->has_videos) {
        report_head(stream, true, "VIDEOS (mean)");
        report_head(stream, true, "95 % interval");
        report_head(stream, true, "VIDEOS (median)");
    }
    report_head(stream, true, "FRAMES");
    report_head(stream, true, "95 % interval");
    fputs("</tr></thead><tbody>\n", stream);
    for (int m = 0; m < METRICS_NAMES; m++)
        write_metric_row(stream, of, m);
    fputs("</tbody>", stream);
    report_close_table(stream);
    fputs("</details>\n", stream);
}

static void write_set_line(FILE *stream, const Report *report, const MetricsReport *of)
{
    fputs("<p class=\"soft\">", stream);
    if (of->has_videos)
        fprintf(stream, "%s real and %s fake videos, ", cli_count(of->video.n_real),
                cli_count(of->video.n_fake));
    fprintf(stream, "%s real and %s fake frames.", cli_count(of->frame.n_real),
            cli_count(of->frame.n_fake));
    if (of->has_videos)
        fputs(" In the charts, solid lines are videos and dashed lines are frames.", stream);
    if (report->count > PLOT_COLOURS)
        fprintf(stream, " They show the first %d of %d adapters.", PLOT_COLOURS, report->count);
    fputs("</p>\n", stream);
}

static Status write_set(FILE *stream, const Report *report, int set, Error *error)
{
    const MetricsReport *first = &report->results[0].reports[set];
    fprintf(stream, "<section id=\"set-%d\"><h2>", set);
    report_text(stream, "%s", first->dataset);
    fputs("</h2>\n", stream);
    write_set_line(stream, report, first);
    TRY(report_write_charts(stream, report, set, error));
    write_sources(stream, report, set);
    write_thresholds(stream, report, set);
    for (int r = 0; r < report->count; r++)
        write_all_metrics(stream, report, set, r);
    TRY(report_write_robustness(stream, report, set, error));
    TRY(report_write_frames(stream, report, set, error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- coverage -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Writes a table cell with minimum, median and maximum frames per video. */
static Status write_spread(FILE *stream, const MetricsScores *scores, Error *error)
{
    uint32_t *frames = calloc((size_t)scores->videos + 1, sizeof *frames);
    if (!frames)
        return mem_full(0, "the report", error);
    for (size_t i = 0; i < scores->frames && scores->has_videos; i++)
        frames[scores->frame_video[i]]++;
    const uint32_t n = scores->videos;
    if (n == 0) {
        fputs("<td>&ndash;</td>", stream);
    } else {
        qsort(frames, n, sizeof *frames, by_size);
        fprintf(stream, "<td>%lu / %g / %lu</td>", (unsigned long)frames[0],
                ((double)frames[(n - 1) / 2] + frames[n / 2]) / 2, (unsigned long)frames[n - 1]);
    }
    free(frames);
    return STATUS_OK;
}

static void write_list_names(FILE *stream, const EvalSet *set)
{
    fputs("<td class=\"word long\">", stream);
    for (int i = 0; i < set->list_count; i++)
        report_text(stream, "%s%s", i > 0 ? ", " : "", set->lists[i]);
    fputs("</td><td class=\"word\"><code>", stream);
    report_text(stream, "%s", set->hash);
    fputs("</code></td>", stream);
}

static Status write_coverage(FILE *stream, const Report *report, Error *error)
{
    const EvalResult *first = &report->results[0];
    const bool lists = first->sets->sets[0].list_count > 0;
    fputs("<section id=\"coverage\"><h2>Coverage</h2>\n<p class=\"soft\">Results on an incomplete "
          "test set are not comparable with published ones.</p>\n",
          stream);
    report_open_table(
        stream, "Scored videos and frames of each data set; frames per video: min / median / max");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "data set");
    static const char *const heads[] = {"real videos", "fake videos", "real frames", "fake frames",
                                        "frames per video"};
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        report_head(stream, true, heads[i]);
    if (lists) {
        report_head(stream, false, "lists");
        report_head(stream, false, "hash of paths and labels");
    }
    fputs("</tr></thead><tbody>\n", stream);
    for (int s = 0; s < first->sets->set_count; s++) {
        const MetricsReport *of = &first->reports[s];
        fputs("<tr><th scope=\"row\">", stream);
        report_text(stream, "%s", of->dataset);
        fputs("</th>", stream);
        report_count_cell(stream, of->video.n_real);
        report_count_cell(stream, of->video.n_fake);
        report_count_cell(stream, of->frame.n_real);
        report_count_cell(stream, of->frame.n_fake);
        TRY(write_spread(stream, &first->scores[s], error));
        if (lists)
            write_list_names(stream, &first->sets->sets[s]);
        fputs("</tr>\n", stream);
    }
    fputs("</tbody>", stream);
    report_close_table(stream);
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- provenance ------------------------------------------------------------------------------ */

/* Writes all leaves of a JSON value as facts; the name of a fact is its path: "train hash". */
static void write_leaves(FILE *stream, const char *path, const json_t *value)
{
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            char longer[256];
            snprintf(longer, sizeof longer, "%s%s%s", path, path[0] ? " " : "", key);
            write_leaves(stream, longer, member);
        }
        return;
    }
    report_open_fact(stream, path);
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *item = json_dumps(json_array_get(value, i), JSON_ENCODE_ANY);
        const char *text = json_string_value(json_array_get(value, i));
        report_text(stream, "%s%s", i > 0 ? ", " : "", text ? text : item ? item : "");
        free(item);
    }
    if (json_is_string(value)) {
        text_print_xml(stream, json_string_value(value));
    } else if (!json_is_array(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
        report_text(stream, "%s", json_is_null(value) ? "none" : text ? text : "");
        free(text);
    }
    report_close_fact(stream);
}

/* Writes the record of a training run as facts, or as plain text if it is not JSON. */
static void write_record(FILE *stream, const char *record)
{
    json_t *json = json_loads(record, 0, NULL);
    if (json)
        write_leaves(stream, "", json);
    else
        report_fact(stream, "record", "%s", record);
    json_decref(json);
}

/* Writes preformatted lines. */
static void write_lines(FILE *stream, const char *text)
{
    fputs("<pre tabindex=\"0\">", stream);
    for (const char *line = text; *line;) {
        const size_t length = strcspn(line, "\n");
        report_text(stream, "%.*s", (int)length, line);
        putc('\n', stream);
        line += length + (line[length] == '\n');
    }
    fputs("</pre>\n", stream);
}

static void write_calibration(FILE *stream, const MetricsCalibration *calibration)
{
    report_fact(stream, "temperature", "%.6g, applied to every score", calibration->temperature);
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, calibration->rule);
    report_fact(stream, "thresholds", "%.6g for frames, %.6g for videos (%s on validation)",
                calibration->threshold_frame, calibration->threshold_video, rule);
    report_fact(stream, "calibrated on", "%s", calibration->on);
}

static void write_adapter(FILE *stream, const Report *report, const EvalResult *result)
{
    const EvalAdapter *adapter = result->adapter;
    fputs("<h3>", stream);
    report_text(stream, "%s", report_result_name(report, result));
    fputs("</h3>\n<dl class=\"facts\">\n", stream);
    if (adapter->path) {
        report_fact(stream, "adapter", "%s", adapter->path);
        report_fact(stream, "file hash", "%s", adapter->hash);
    } else {
        report_fact(stream, "adapter", "none (head of the model)");
    }
    if (adapter->selected_on)
        report_fact(stream, "weights selected on", "%s", adapter->selected_on);
    if (adapter->calibrated)
        write_calibration(stream, &adapter->calibration);
    fputs("</dl>\n", stream);
    if (adapter->record) {
        fputs("<details><summary>Training run</summary>\n<dl class=\"facts\">\n", stream);
        write_record(stream, adapter->record);
        fputs("</dl></details>\n", stream);
    }
    if (adapter->recipe) {
        fputs("<details><summary>Recipe</summary>\n", stream);
        write_lines(stream, adapter->recipe);
        fputs("</details>\n", stream);
    }
}

static void write_model(FILE *stream, const EvalProvenance *from)
{
    report_fact(stream, "model", "%s", from->model);
    report_fact(stream, "architecture", "%s, %d x %d pixels", from->arch, from->image_size,
                from->image_size);
    report_fact(stream, "encoder fingerprint", "%s", from->fingerprint);
    report_fact(stream, "precision", "%s, kernels %s", from->precision, from->kernels);
    report_fact(stream, "image decoders", "%s", from->decoders);
    if (from->frames_per_video > 0)
        report_fact(stream, "frames per video", "at most %d, %s", from->frames_per_video,
                    strcmp(from->frame_choice, "even") == 0 ? "evenly spaced" : "random");
    else
        report_fact(stream, "frames per video", "all");
    if (from->limit > 0)
        report_fact(stream, "frames per set", "at most %d, random videos", from->limit);
}

static void write_provenance(FILE *stream, const Report *report)
{
    const EvalProvenance *from = &report->results[0].provenance;
    fputs("<section id=\"provenance\"><h2>Provenance</h2>\n<dl class=\"facts\">\n", stream);
    report_fact(stream, "program", "lnclip %s, revision %s", LNCLIP_VERSION, train_revision());
    if (from->model)
        write_model(stream, from);
    else
        report_fact(stream, "scores from", "%s", report->subject);
    if (report->resamples > 0)
        report_fact(stream, "intervals", "95 %%; bootstrap of %d resamples, seed %llu",
                    report->resamples, (unsigned long long)from->seed);
    else
        report_fact(stream, "intervals", "no bootstrap");
    fputs("</dl>\n", stream);
    for (int i = 0; i < report->count; i++)
        if (report->results[i].adapter)
            write_adapter(stream, report, &report->results[i]);
    fputs("</section>\n", stream);
}

/* ---- definitions ----------------------------------------------------------------------------- */

typedef struct Definition {
    const char *term, *meaning, *caution;
} Definition;

static const Definition definitions[] = {
    {"Video and frame", "The score of a video is the mean p_fake of its frames.",
     "Frame and video metrics differ by several points and must not be compared."},
    {"AUROC",
     "The probability that a random fake scores higher than a random real one; ties count half.",
     "It does not measure a particular threshold, nor calibration."},
    {"95 % interval",
     "Video AUROC: DeLong's method on the logit scale. Other metrics: bootstrap over videos, since "
     "frames of a video are correlated.",
     "It accounts for the sampling of test videos, not for training seeds or other data. "
     "Overlapping intervals do not prove that there is no difference."},
    {"AP", "Average precision: the mean of precision, weighted by the increase in recall.",
     "It increases with the fraction of fakes: do not compare it between data sets."},
    {"EER", "Equal error rate: the error rate where FPR and miss rate are equal.",
     "Its threshold is chosen on the test scores, so it is optimistic."},
    {"TPR at FPR 0.01",
     "The fraction of fakes detected when 1 % of the real ones are classified as fake.",
     "With a few hundred real ones it depends on the two or three with the highest scores."},
    {"Brier score", "The mean squared difference between p_fake and the label.",
     "It mixes ranking and calibration, and depends on the fraction of fakes."},
    {"ECE",
     "Expected calibration error: the mean difference between mean score and fraction of fakes in "
     "15 bins of p_fake, weighted by frames.",
     "Low ECE does not mean a good detector: always predicting the base rate has ECE 0."},
    {"Source", "One kind of fake against all real videos of the data set.",
     "All sources share the same real videos, so hard reals lower every row."},
    {"Mean over data sets", "The unweighted mean of the rows above.",
     "It has no interval, and differs from the metric of the pooled frames."},
    {"Difference and p",
     "Both adapters on the same videos. Video AUROC: paired DeLong test. Other metrics: paired "
     "bootstrap.",
     "With many comparisons, some p are below 0.05 by chance."},
    {"Robustness", "The same frames, scored after the perturbation.",
     "It covers only these perturbations and strengths; real distribution channels differ."},
    {"Hardest frames", "The frames of each class with the most wrong scores.",
     "They show where the detector fails, not how often; some may be mislabelled."},
};

static void write_definitions(FILE *stream)
{
    fputs("<section id=\"definitions\"><h2>Definitions of the metrics</h2>\n"
          "<p class=\"soft\">The positive class is fake. All metrics are fractions.</p>\n<dl "
          "class=\"terms\">\n",
          stream);
    for (size_t i = 0; i < COUNT_OF(definitions); i++) {
        const Definition *of = &definitions[i];
        fputs("<div><dt>", stream);
        text_print_xml(stream, of->term);
        fputs("</dt><dd>", stream);
        text_print_xml(stream, of->meaning);
        fputs(" <span class=\"soft\">", stream);
        text_print_xml(stream, of->caution);
        fputs("</span></dd></div>\n", stream);
    }
    fputs("</dl></section>\n", stream);
}

/* ---- the page -------------------------------------------------------------------------------- */

/* Write errors are left in the stream; file_commit reports them. */
static Status write_page(FILE *stream, const Report *report, Error *error)
{
    assert(stream && report && report->count > 0 && set_count(report) > 0 && error);
    write_head(stream, report);
    write_header(stream, report);
    fputs("<main>\n", stream);
    write_alerts(stream, report);
    write_summary(stream, report);
    write_differences(stream, report);
    for (int s = 0; s < set_count(report); s++)
        TRY(write_set(stream, report, s, error));
    TRY(write_coverage(stream, report, error));
    write_provenance(stream, report);
    write_definitions(stream);
    fputs("</main>\n<footer>", stream);
    report_text(stream, "Written by lnclip %s.", LNCLIP_VERSION);
    fputs("</footer>\n</body>\n</html>\n", stream);
    return STATUS_OK;
}

Status report_write_file(const char *path, const Report *report, Error *error)
{
    FileWriter writer;
    TRY(file_begin(&writer, path, error));
    Status status = write_page(writer.stream, report, error);
    if (status == STATUS_OK && !train_json_complete())
        status = error_set(error, STATUS_FAILED, "%s: out of memory; close other programs", path);
    if (status == STATUS_OK)
        return file_commit(&writer, error);
    file_abort(&writer);
    return status;
}
