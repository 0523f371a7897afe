/*
 * reports.h - metrics by data set, frame, video and source, with their intervals, and as JSON.
 *
 * Tests: tests/test_reports.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_REPORTS_H
#define LNCLIP_TRAIN_METRICS_REPORTS_H

#include "train/metrics/metrics.h"
#include "train/metrics/paired.h"
#include "train/metrics/predictions.h"
#include "train/metrics/scores.h"
#include "train/metrics/uncertainty.h"

#include <jansson.h>

/* The metrics of one fake source against all reals of the data set. */
typedef struct MetricsSourceReport {
    const char *name;
    Metrics frame, video;
    MetricsIntervals frame_ci, video_ci;
} MetricsSourceReport;

/* The metrics of one data set. The score of a video is the mean p_fake of its frames, summed in
 * double in file order. */
typedef struct MetricsReport {
    const char *dataset;
    Metrics frame, video;
    Metrics video_median; /* videos scored by the median p_fake of their frames */
    MetricsIntervals frame_ci, video_ci, video_median_ci;
    bool has_videos;              /* false if a frame has no video: no video level, no sources */
    bool by_margin;               /* rows are ranked by margin, not by p_fake */
    bool ci_left_out;             /* no bootstrap, too many rows: see METRICS_CI_AUTO */
    MetricsSourceReport *sources; /* [source_count] fake sources, bytewise order */
    int source_count;
} MetricsReport;

/* One level of a report; key in metrics.json: "frame", "video" or "video_median". */
typedef struct MetricsReportLevel {
    const char *key;
    const Metrics *metrics;
    const MetricsIntervals *intervals;
} MetricsReportLevel;

enum { METRICS_REPORT_LEVELS = 3 };

/* Fills the levels of a report, borrowed from it, and returns their number: 1 without videos. */
int metrics_report_levels(const MetricsReport *report,
                          MetricsReportLevel levels[METRICS_REPORT_LEVELS]);

/*
 * Computes the metrics of each data set, in order of first row, without intervals. The caller frees
 * *reports [*count] by metrics_reports_free; names are borrowed from `predictions`. STATUS_FAILED
 * for an empty table or if out of memory. A single class is not an error: see metrics.h.
 */
Status metrics_reports(const MetricsPredictions *predictions, MetricsReport **reports, int *count,
                       Error *error);

/* metrics_reports with the intervals and threads of `settings`. Bit-identical for any number of
 * threads. */
Status metrics_reports_with(const MetricsPredictions *predictions,
                            const MetricsUncertainty *settings, MetricsReport **reports, int *count,
                            Error *error);
void metrics_reports_free(MetricsReport *reports, int count);

/*
 * The object of metrics.json: {NAME: {"frame": {...}, "video": {...}, "video_median": {...},
 * "sources": {NAME: {"frame", "video"}}}}; undefined = null; no "video" if has_videos is false.
 * With intervals, METRIC_ci95: [lo, hi] follows each metric, and ci95_method names the methods.
 * Bytes of a name that are not UTF-8 are written as \xNN. The caller owns the reference. Failed
 * allocations are recorded by train/json.h.
 */
json_t *metrics_reports_json(const MetricsReport *reports, int count);

/* Writes metrics_reports_json with 17 digits. STATUS_FAILED if out of memory or on a write error.
 */
Status metrics_reports_write_json(FILE *stream, const MetricsReport *reports, int count,
                                  Error *error);

/*
 * Writes summary.json: {"datasets": N, "frame": {...}, "video": {...}}, the macro average of every
 * metric over the data sets; null if it is undefined in one of them. "video" only if all data sets
 * have videos. STATUS_FAILED if out of memory or on a write error.
 */
Status metrics_reports_write_summary(FILE *stream, const MetricsReport *reports, int count,
                                     Error *error);

/*
 * {NAME: {"frame": {METRIC: {"a", "b", "difference", "difference_ci95", "p", "method"}}, "video":
 * {...}}} of comparisons [count]. The caller owns the reference. Failed allocations are recorded by
 * train/json.h.
 */
json_t *metrics_comparisons_json(const MetricsComparison *comparisons, int count);

#endif
