/*
 * report_html.c - the elements of report.html: escaped text, numbers, tables, facts.
 *
 * Whatever comes from files or arguments goes through report_text or text_print_xml; tags are written
 * as they are.
 */
#include "tools/report/report_parts.h"

#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FOREST_WIDTH = 150, FOREST_HEIGHT = 18, FOREST_EDGE = 5 };

static void print_escaped(FILE *stream, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        cli_json_lose(); /* a word is missing: report_write_file refuses the page */
        return;
    }
    text_print_xml(stream, text);
    free(text);
}

void report_text(FILE *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_escaped(stream, format, arguments);
    va_end(arguments);
}

void report_number(FILE *stream, double value)
{
    if (isfinite(value))
        fprintf(stream, "%.4f", value);
    else
        fputs("<span class=\"none\" title=\"undefined\">&ndash;</span>", stream);
}

void report_number_cell(FILE *stream, double value)
{
    fputs("<td>", stream);
    report_number(stream, value);
    fputs("</td>", stream);
}

void report_interval_cell(FILE *stream, MetricsInterval interval)
{
    fputs("<td class=\"interval\">", stream);
    if (isfinite(interval.lower) && isfinite(interval.upper))
        fprintf(stream, "%.4f to %.4f", interval.lower, interval.upper);
    fputs("</td>", stream);
}

void report_count_cell(FILE *stream, unsigned long long count)
{
    fprintf(stream, "<td>%s</td>", cli_count(count));
}

void report_head(FILE *stream, bool number, const char *text)
{
    fprintf(stream, "<th scope=\"col\"%s>", number ? "" : " class=\"word\"");
    text_print_xml(stream, text);
    fputs("</th>", stream);
}

void report_open_table(FILE *stream, const char *caption)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", stream);
    text_print_xml(stream, caption);
    fputs("\"><table>\n<caption>", stream);
    text_print_xml(stream, caption);
    fputs("</caption>\n", stream);
}

void report_close_table(FILE *stream)
{
    fputs("</table></div>\n", stream);
}

void report_open_fact(FILE *stream, const char *name)
{
    fputs("<div><dt>", stream);
    text_print_xml(stream, name);
    fputs("</dt><dd>", stream);
}

void report_close_fact(FILE *stream)
{
    fputs("</dd></div>\n", stream);
}

void report_fact(FILE *stream, const char *name, const char *format, ...)
{
    report_open_fact(stream, name);
    va_list arguments;
    va_start(arguments, format);
    print_escaped(stream, format, arguments);
    va_end(arguments);
    report_close_fact(stream);
}

/* ---- dots in tables -------------------------------------------------------------------------- */

static double forest_x(double low, double value)
{
    const double share = fmin(fmax((value - low) / (1 - low), 0), 1);
    return FOREST_EDGE + share * (FOREST_WIDTH - 2 * FOREST_EDGE);
}

void report_forest_cell(FILE *stream, double low, double value, MetricsInterval interval)
{
    const double middle = FOREST_HEIGHT / 2.0;
    if (!isfinite(value)) {
        fputs("<td></td>", stream);
        return;
    }
    fprintf(stream,
            "<td class=\"forest\"><svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "aria-hidden=\"true\"><path class=\"track\" d=\"M%d %.1fH%d\"/>",
            FOREST_WIDTH, FOREST_HEIGHT, FOREST_WIDTH, FOREST_HEIGHT, FOREST_EDGE, middle,
            FOREST_WIDTH - FOREST_EDGE);
    if (isfinite(interval.lower) && isfinite(interval.upper))
        fprintf(stream, "<path class=\"range\" d=\"M%.1f %.1fH%.1f\"/>",
                forest_x(low, interval.lower), middle, forest_x(low, interval.upper));
    fprintf(stream, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></svg></td>", forest_x(low, value),
            middle);
}

static void include(double *low, double value)
{
    if (isfinite(value))
        *low = fmin(*low, value);
}

double report_forest_low(const Report *report, int set, bool frames)
{
    double low = 0.9;
    for (int r = 0; r < report->count; r++)
        for (int s = 0; s < report->results[r].sets->set_count; s++) {
            const MetricsReport *const of = &report->results[r].reports[s];
            include(&low, frames ? of->frame.auroc : of->video.auroc);
            include(&low, (frames ? &of->frame_ci : &of->video_ci)->of[METRICS_AUROC].lower);
            for (int i = 0; i < of->source_count && s == set; i++) {
                include(&low, of->sources[i].video.auroc);
                include(&low, of->sources[i].video_ci.of[METRICS_AUROC].lower);
            }
        }
    return fmax(floor(low * 10) / 10, 0);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *report_base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *report_result_name(const Report *report, const EvalResult *result)
{
    const EvalAdapter *const adapter = result->adapter;
    if (adapter && adapter->name)
        return adapter->name;
    if (adapter && adapter->path)
        return report_base_name(adapter->path);
    return report_base_name(result->provenance.model ? result->provenance.model : report->subject);
}

void report_adapter_cell(FILE *stream, const Report *report, int result)
{
    if (report->count == 1)
        return;
    fputs("<td class=\"word\">", stream);
    report_text(stream, "%s", report_result_name(report, &report->results[result]));
    fputs("</td>", stream);
}
