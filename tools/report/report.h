/*
 * report.h - writes an evaluation as a web page, report.html.
 *
 * The page is a single file without scripts and external resources: charts are SVG and thumbnails
 * are embedded. Numbers and confidence intervals come from EvalResult; only curves and histograms
 * are computed here. The same results give the same bytes; the page has no timestamp.
 *
 * Tests: tests/test_report.sh.
 */
#ifndef LNCLIP_TOOLS_REPORT_REPORT_H
#define LNCLIP_TOOLS_REPORT_REPORT_H

#include "train/eval/eval_result.h"

#include <stdio.h>

enum { REPORT_THUMBNAILS = 8, REPORT_THUMBNAILS_MOST = 100 };

typedef struct Report {
    const char *subject;       /* the model, or the path of a score file */
    const EvalResult *results; /* [count], at least one; all on the same data sets */
    int count;
    const EvalComparison *comparisons; /* [comparison_count], of other results with the first */
    int comparison_count;
    const char *const *warnings; /* [warning_count], in addition to those about the results */
    int warning_count;
    int resamples;  /* of the bootstrap; 0: no bootstrap */
    int thumbnails; /* hardest frames per class, data set and result; 0: none */
} Report;

/*
 * Writes the page to the file `path`, atomically. Texts may contain any bytes: HTML is escaped, and
 * invalid UTF-8 becomes \xNN. Images are read only for thumbnails; an unreadable one has a
 * placeholder. STATUS_FAILED without memory, or if the file cannot be written.
 */
Status report_write_file(const char *path, const Report *report, Error *error);

/* Scores without model and lists. */
typedef struct ReportScores {
    const char *name; /* of the adapter or method; NULL if there is only one */
    const MetricsPredictions *predictions;
    MetricsReport *reports; /* [set_count], of the predictions */
    int set_count;
} ReportScores;

/*
 * Writes the page of scores [count], which are of the same frames, as report_write_file does.
 * Compares each with the first by `settings`. `subject`: where the scores are from.
 */
Status report_write_scores(const char *path, const char *subject, const ReportScores *scores,
                           int count, const MetricsUncertainty *settings, int thumbnails,
                           Error *error);

#endif
