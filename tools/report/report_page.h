/*
 * report_page.h - the frame of a page: head with the style sheet, title and foot. For the report of
 * an evaluation and the page of lnclip compare.
 *
 * Between report_open_page and report_close_page the caller writes the rest of <header>, closes it,
 * and writes sections. Tables are printed with CLI_HTML. Write errors are left to ferror(stream).
 *
 * Tests: tests/test_report.sh, tests/test_eval.sh.
 */
#ifndef LNCLIP_TOOLS_REPORT_REPORT_PAGE_H
#define LNCLIP_TOOLS_REPORT_REPORT_PAGE_H

#include <stdio.h>

/* Writes everything up to the end of <h1>, with the title escaped. */
void report_open_page(FILE *stream, const char *title);

/* Ends <header> and begins the sections. */
void report_open_sections(FILE *stream);

/* Ends the sections and the page. */
void report_close_page(FILE *stream);

#endif
