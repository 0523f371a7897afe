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
#include "tools/eval/eval_tables.h"
#include "tools/report/report.h"
#include "tools/report/report_page.h"
#include "train/plot/chart.h"

/* ---- report_html.c --------------------------------------------------------------------------- */

/* Writes text as printf does, with HTML escaped. */
void report_text(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes a fraction, "0.9532", or a dash if it is undefined. */
void report_number(FILE *stream, double value);

/* Write an item of a description list: a name and its value. */
void report_open_fact(FILE *stream, const char *name);
void report_close_fact(FILE *stream);
void report_fact(FILE *stream, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a result: name or file of the adapter, else of the model, else the score file. */
const char *report_result_name(const Report *report, const EvalResult *result);

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
 * Writes the hardest frames of data set `set` by each result; nothing if frames have no files.
 */
Status report_write_frames(FILE *stream, const Report *report, int set, Error *error);

#endif
