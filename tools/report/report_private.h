/*
 * report_private.h - what the files of report.html share; private to tools/report/.
 *
 * report.c writes the page from top to bottom; report_charts.c has its charts, report_frames.c the
 * thumbnails, and report_html.c the elements and the style sheet.
 */
#ifndef LNCLIP_TOOLS_REPORT_REPORT_PRIVATE_H
#define LNCLIP_TOOLS_REPORT_REPORT_PRIVATE_H

#include "tools/cli/cli_table.h"
#include "tools/report/report.h"
#include "train/plot/chart.h"

/* ---- report_html.c --------------------------------------------------------------------------- */

/* printf of text without a byte of HTML in it: what it formats is escaped. */
void report_text(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number as its unit shows it ("0.9532" of CLI_FRACTION), or a dash if it is undefined. */
void report_value(FILE *stream, CliUnit unit, double value);

/* The same of a fraction. */
void report_number(FILE *stream, double value);

/* An interval: "0.9311 to 0.9700", nothing if there is none. */
void report_range(FILE *stream, CliUnit unit, MetricsInterval interval);

/*
 * <td> of a number, of an interval, of a count with thousands set apart.
 */
void report_number_cell(FILE *stream, double value);
void report_interval_cell(FILE *stream, MetricsInterval interval);
void report_range_cell(FILE *stream, CliUnit unit, MetricsInterval interval); /* of any unit */
void report_count_cell(FILE *stream, unsigned long long count);

/* The level of frames, or of videos by the mean of their frames. */
const Metrics *report_metrics(const MetricsReport *of, bool frames);
const MetricsIntervals *report_intervals(const MetricsReport *of, bool frames);

/* <th scope="col">; of numbers, or of text. */
void report_head(FILE *stream, bool number, const char *text);

/* A table in a box of its own that scrolls. `caption` says what it holds, to eyes and ears. */
void report_open_table(FILE *stream, const char *caption);
void report_close_table(FILE *stream);

/* A name and what it is, in a list of such. */
void report_open_fact(FILE *stream, const char *name);
void report_close_fact(FILE *stream);
void report_fact(FILE *stream, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * <td> with a value and its interval as a dot on a line from `low` to 1: for looking down a column.
 * The numbers stand beside it, so that it is silent.
 */
void report_forest_cell(FILE *stream, double low, double value, MetricsInterval interval);

/* `low` for all AUROCs of videos or frames, and those of the videos of the sources of data set
 * `set` (-1: none). */
double report_forest_low(const Report *report, int set, bool frames);

/* What to call a result: the adapter's name or file, the model's own head, or the
 * file of scores. */
const char *report_result_name(const Report *report, const EvalResult *result);

/* <td> of that name; nothing where there is one result only. */
void report_adapter_cell(FILE *stream, const Report *report, int result);

/* The last part of a path. */
const char *report_base_name(const char *path);

/* The contents of <style>, that of the charts among them. */
void report_write_style(FILE *stream);

/* ---- report_charts.c ------------------------------------------------------------------------- */

/* ROC, precision-recall, scores and reliability of data set `set`. STATUS_FAILED without memory. */
Status report_write_charts(FILE *stream, const Report *report, int set, Error *error);

/* AUROC against strength for data set `set`, a chart a kind; nothing if nothing was perturbed. */
Status report_write_robustness(FILE *stream, const Report *report, int set, Error *error);

/* ---- report_frames.c ------------------------------------------------------------------------- */

/* The hardest frames of data set `set` of the first result; nothing if frames have no files. */
Status report_write_frames(FILE *stream, const Report *report, int set, Error *error);

#endif
