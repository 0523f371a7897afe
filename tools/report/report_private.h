/*
 * report_private.h - declarations shared by the files of tools/report/; private to that folder.
 *
 * report.c writes the page, report_charts.c its charts, report_frames.c the thumbnails, and
 * report_html.c the HTML elements and the style sheet.
 *
 * Tests: tests/test_report.sh.
 */
#ifndef LNCLIP_TOOLS_REPORT_REPORT_PRIVATE_H
#define LNCLIP_TOOLS_REPORT_REPORT_PRIVATE_H

#include "tools/cli/cli_table.h"
#include "tools/report/report.h"
#include "train/plot/chart.h"

/* ---- report_html.c --------------------------------------------------------------------------- */

/* Writes text as printf does, with HTML escaped. */
void report_text(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Writes a number in the format of its unit ("0.9532" for CLI_FRACTION), or a dash if it is
 * undefined.
 */
void report_value(FILE *stream, CliUnit unit, double value);

/* Writes a fraction, as report_value. */
void report_number(FILE *stream, double value);

/* Writes an interval as "0.9311 to 0.9700"; nothing if it is undefined. */
void report_range(FILE *stream, CliUnit unit, MetricsInterval interval);

/* Write a table cell <td> with a number, an interval, or a count with thousands separators. */
void report_number_cell(FILE *stream, double value);
void report_interval_cell(FILE *stream, MetricsInterval interval);
void report_range_cell(FILE *stream, CliUnit unit, MetricsInterval interval); /* any unit */
void report_count_cell(FILE *stream, unsigned long long count);

/* The metrics of frames, or of videos by the mean of their frames. */
const Metrics *report_metrics(const MetricsReport *of, bool frames);
const MetricsIntervals *report_intervals(const MetricsReport *of, bool frames);

/* Writes a column heading, <th scope="col">, for numbers (`number`) or text. */
void report_head(FILE *stream, bool number, const char *text);

/* Open and close a table in a scrollable box. `caption` is its caption and its ARIA label. */
void report_open_table(FILE *stream, const char *caption);
void report_close_table(FILE *stream);

/* Write an item of a description list: a name and its value. */
void report_open_fact(FILE *stream, const char *name);
void report_close_fact(FILE *stream);
void report_fact(FILE *stream, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Writes a table cell with a forest plot: the value as a dot and its interval as a line, on an axis
 * from `low` to 1. Hidden from screen readers, since the numbers are in other cells.
 */
void report_forest_cell(FILE *stream, double low, double value, MetricsInterval interval);

/*
 * The lower end of the axis for all AUROCs of videos or frames, and of the sources of data set
 * `set` (-1: none).
 */
double report_forest_low(const Report *report, int set, bool frames);

/* The name of a result: name or file of the adapter, else of the model, else the score file. */
const char *report_result_name(const Report *report, const EvalResult *result);

/* Writes a table cell with the name of a result; nothing if there is only one result. */
void report_adapter_cell(FILE *stream, const Report *report, int result);

/* The last component of a path. */
const char *report_base_name(const char *path);

/* Writes the contents of <style>, including the style of the charts. */
void report_write_style(FILE *stream);

/* ---- report_charts.c ------------------------------------------------------------------------- */

/*
 * Writes the ROC, precision-recall, score and reliability charts of data set `set`. STATUS_FAILED
 * without memory.
 */
Status report_write_charts(FILE *stream, const Report *report, int set, Error *error);

/*
 * Writes charts and a table of AUROC by perturbation strength for data set `set`; nothing without
 * perturbations.
 */
Status report_write_robustness(FILE *stream, const Report *report, int set, Error *error);

/* ---- report_frames.c ------------------------------------------------------------------------- */

/*
 * Writes the hardest frames of data set `set` in the first result; nothing if frames have no files.
 */
Status report_write_frames(FILE *stream, const Report *report, int set, Error *error);

#endif
