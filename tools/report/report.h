/*
 * report.h - an evaluation as one web page: report.html.
 *
 * One file that can be mailed, archived and printed: nothing is fetched, nothing is run, charts are
 * SVG and thumbnails are embedded. Every number is one of the EvalResult, with an interval where
 * there is one; nothing is computed here but what curves and histograms draw. The same results give
 * the same bytes: no time of day stands in it.
 */
#ifndef LNCLIP_TOOLS_REPORT_REPORT_H
#define LNCLIP_TOOLS_REPORT_REPORT_H

#include "train/eval/eval_result.h"

#include <stdio.h>

enum { REPORT_THUMBNAILS = 8, REPORT_THUMBNAILS_MOST = 100 };

typedef struct Report {
    const char *subject;       /* what was scored, in words: the model, or a file of scores */
    const EvalResult *results; /* [count] one or more, over the same data sets */
    int count;
    const EvalComparison *comparisons; /* [comparison_count], another result with the first */
    int comparison_count;
    const char *const *warnings; /* [warning_count] beside those that the results call for */
    int warning_count;
    int resamples;  /* of the bootstrap; 0: none was made */
    int thumbnails; /* the hardest frames of a class and data set, of the first result; 0: none */
} Report;

/*
 * Writes the page into the file `path`, atomically. Texts may be any bytes: HTML is escaped, and
 * what is no UTF-8 becomes \xNN. Images are read for thumbnails alone, and one that cannot be read
 * leaves an empty place. STATUS_FAILED without memory, or if the file cannot be written.
 */
Status report_write_file(const char *path, const Report *report, Error *error);

#endif
