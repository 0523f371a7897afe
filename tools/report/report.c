/*
 * report.c - see report.h. The page from top to bottom: what was evaluated, the summary, differences between
 * adapters, a section a data set, coverage, provenance, and what the figures mean.
 *
 * Videos and frames have tables of their own, each with its level in the first line, since figures of the two are
 * too often compared with one another.
 */
#include "tools/report/report_parts.h"

#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_metrics.h"

#include <assert.h>
#include <math.h>

/* What the summary shows beside the AUROC. */
static const Metric shown[] = {METRICS_AP, METRICS_EER, METRICS_TPR_AT_FPR_001};
enum { SHOWN = sizeof shown / sizeof shown[0] };

static int set_count(const Report *report)
{
    return report->results[0].sets->set_count;
}

static const Metrics *metrics_of(const MetricsReport *report, bool frames)
{
    return frames ? &report->frame : &report->video;
}

static const MetricsIntervals *intervals_of(const MetricsReport *report, bool frames)
{
    return frames ? &report->frame_ci : &report->video_ci;
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
        const MetricsReport *const of = &report->results[0].reports[s];
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
          "<li><a href=\"#definitions\">What the figures mean</a></li>\n</ul></nav>\n",
          stream);
}

static double mean_over_sets(const EvalResult *result, bool frames, int metric)
{
    double sum = 0;
    for (int s = 0; s < result->sets->set_count; s++) {
        const MetricsReport *const of = &result->reports[s];
        if (!frames && !of->has_videos)
            return NAN;
        sum += metrics_value(metrics_of(of, frames), metric);
    }
    return sum / result->sets->set_count;
}

/* One figure in large type. */
static void write_tile(FILE *stream, const char *name, bool main, double value, const char *note)
{
    fprintf(stream, "<div%s><dt>%s</dt><dd>", main ? " class=\"main\"" : "", name);
    report_number(stream, value);
    fprintf(stream, "<small>%s</small></dd></div>\n", note);
}

static void write_count_tile(FILE *stream, const char *name, size_t count)
{
    fprintf(stream, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, cli_count(count));
}

/* The AUROCs of the one result, and how much they rest on. */
static void write_tiles(FILE *stream, const Report *report)
{
    const EvalResult *const result = &report->results[0];
    size_t videos, frames;
    count_all(report, &videos, &frames);
    const bool many = set_count(report) > 1;
    fputs("<dl class=\"tiles\">\n", stream);
    for (int level = 0; level < 2; level++) {
        const bool of_frames = level == 1;
        if (!of_frames && !have_videos(report))
            continue;
        char note[64] = "mean of data sets";
        const MetricsInterval ci = intervals_of(&result->reports[0], of_frames)->of[METRICS_AUROC];
        if (!many)
            note[0] = '\0';
        if (!many && isfinite(ci.lower))
            snprintf(note, sizeof note, "%.4f to %.4f", ci.lower, ci.upper);
        write_tile(stream, of_frames ? "AUROC of frames" : "AUROC of videos", !of_frames,
                   mean_over_sets(result, of_frames, METRICS_AUROC), note);
    }
    if (videos > 0)
        write_count_tile(stream, "videos", videos);
    write_count_tile(stream, "frames", frames);
    if (many)
        write_count_tile(stream, "data sets", (size_t)set_count(report));
    fputs("</dl>\n", stream);
}

static void write_header(FILE *stream, const Report *report)
{
    const EvalProvenance *const from = &report->results[0].provenance;
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
    const char *name; /* of the result; NULL where there is one only */
    bool first;       /* result: the others have the same rows */
    int count;
} Alerts;

static void write_alert(void *context, const char *text, bool of_scores)
{
    Alerts *const alerts = context;
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
        const EvalResult *const result = &report->results[r];
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
    const MetricsReport *const of = &report->results[result].reports[set];
    const Metrics *const metrics = metrics_of(of, frames);
    const MetricsInterval ci = intervals_of(of, frames)->of[METRICS_AUROC];
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

/* The mean of data sets of each result. */
static void write_means(FILE *stream, const Report *report, bool frames, double low)
{
    const MetricsInterval none = {NAN, NAN};
    fputs("<tfoot>", stream);
    for (int r = 0; r < report->count; r++) {
        const EvalResult *const result = &report->results[r];
        const double auroc = mean_over_sets(result, frames, METRICS_AUROC);
        fputs("<tr><th scope=\"row\">Mean of data sets</th>", stream);
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
    snprintf(scale, sizeof scale, "from %.1f to 1", low);
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
    const MetricsDifference *const d =
        frames ? &of->sets[set].frame[METRICS_AUROC] : &of->sets[set].video[METRICS_AUROC];
    fputs("<tr><th scope=\"row\">", stream);
    report_text(stream, "%s", of->first->reports[set].dataset);
    fputs("</th><td class=\"word\">", stream);
    report_text(stream, "%s", report_result_name(report, of->other));
    fputs("</td>", stream);
    report_number_cell(stream, d->a);
    report_number_cell(stream, d->b);
    if (isfinite(d->difference))
        fprintf(stream, "<td class=\"key\">%+.4f</td>", d->difference);
    else
        report_number_cell(stream, NAN);
    fputs("<td class=\"interval\">", stream);
    if (isfinite(d->interval.lower) && isfinite(d->interval.upper))
        fprintf(stream, "%+.4f to %+.4f", d->interval.lower, d->interval.upper);
    fputs("</td><td>", stream);
    if (d->p < 1e-4)
        fputs("&lt; 0.0001", stream);
    else
        report_number(stream, d->p);
    fputs("</td></tr>\n", stream);
}

static void write_difference_table(FILE *stream, const Report *report, bool frames)
{
    fputs("<h3>", stream);
    write_level(stream, frames);
    fputs("AUROC</h3>\n", stream);
    report_open_table(stream, frames ? "Differences of the AUROC over frames"
                                     : "Differences of the AUROC over videos");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "data set");
    report_head(stream, false, "adapter");
    report_head(stream, true, "its AUROC");
    report_head(stream, true, "of the first");
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
    report_text(stream, "Each adapter less %s, on the same videos.",
                report_result_name(report, report->comparisons[0].first));
    fputs("</p>\n", stream);
    if (have_videos(report))
        write_difference_table(stream, report, false);
    write_difference_table(stream, report, true);
    fputs("</section>\n", stream);
}

/* ---- the page -------------------------------------------------------------------------------- */

/* Write errors stay with the stream: file_commit finds them. */
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
        TRY(report_write_set(stream, report, s, error));
    TRY(report_write_coverage(stream, report, error));
    report_write_provenance(stream, report);
    report_write_definitions(stream);
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
    if (status == STATUS_OK && !cli_json_complete())
        status =
            error_set(error, STATUS_FAILED, "%s: out of memory for a part of it; free some", path);
    if (status == STATUS_OK)
        return file_commit(&writer, error);
    file_abort(&writer);
    return status;
}
