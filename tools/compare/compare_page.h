/*
 * compare_page.h - the page of lnclip compare --html: the tables, and the curves of all runs in one
 * chart each.
 *
 * Tests: tests/test_eval.sh, tests/check_report_browser.sh.
 */
#ifndef LNCLIP_TOOLS_COMPARE_COMPARE_PAGE_H
#define LNCLIP_TOOLS_COMPARE_COMPARE_PAGE_H

#include "tools/compare/compare_tables.h"

/*
 * Writes the page to the file `path`, atomically: runs with their curves, then evaluations; either
 * may be empty. Of the view, levels, metrics and digits apply. STATUS_FAILED if the steps.csv or
 * epochs.csv of a run cannot be read, the file cannot be written, or memory runs out.
 */
Status compare_page_write(const char *path, const CompareItems *runs,
                          const CompareItems *evaluations, const CliView *view, Error *error);

#endif
