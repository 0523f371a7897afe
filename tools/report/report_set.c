/*
 * report_set.c - one data set in report.html: charts, sources, thresholds, all metrics, robustness, hardest frames.
 */
#include "tools/report/report_parts.h"

#include "tools/cli/cli.h"
#include "train/plot/chart.h"

static void write_source_row(FILE *stream, const Report *report, int set, int result, int source,
                             double low)
{
    const MetricsSourceReport *const of = &report->results[result].reports[set].sources[source];
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

/* Sources are those of videos: without videos there are none. */
static void write_sources(FILE *stream, const Report *report, int set)
{
    const MetricsReport *const first = &report->results[0].reports[set];
    if (first->source_count == 0)
        return;
    const double low = report_forest_low(report, set, false);
    char scale[64];
    snprintf(scale, sizeof scale, "from %.1f to 1", low);
    fputs("<h3>By source of the fakes</h3>\n", stream);
    report_open_table(stream, "AUROC of each source of fake against all real");
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

/* What the thresholds that were stored in the adapter do here. */
static void write_thresholds(FILE *stream, const Report *report, int set)
{
    if (!any_calibrated(report))
        return;
    fputs("<h3>At the threshold from validation</h3>\n", stream);
    report_open_table(stream, "Errors at thresholds that were chosen on other frames");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "level");
    if (report->count > 1)
        report_head(stream, false, "adapter");
    static const char *const heads[] = {"threshold", "FPR", "TPR", "accuracy", "balanced accuracy"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        report_head(stream, true, heads[i]);
    fputs("</tr></thead><tbody>\n", stream);
    for (int r = 0; r < report->count; r++) {
        const EvalAtThresholds *const at = report->results[r].at;
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

/* Every metric of metrics.json. */
static void write_all_metrics(FILE *stream, const Report *report, int set, int result)
{
    const MetricsReport *const of = &report->results[result].reports[set];
    fputs("<details><summary>All metrics", stream);
    if (report->count > 1)
        report_text(stream, " of %s", report_result_name(report, &report->results[result]));
    fputs("</summary>\n", stream);
    report_open_table(stream, "Every metric, over videos and over frames");
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

Status report_write_set(FILE *stream, const Report *report, int set, Error *error)
{
    const MetricsReport *const first = &report->results[0].reports[set];
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
