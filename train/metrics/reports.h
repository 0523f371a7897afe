/*
 * reports.h - metrics by data set, frame, video and source, with their intervals, and as JSON.
 */
#ifndef LNCLIP_TRAIN_METRICS_REPORTS_H
#define LNCLIP_TRAIN_METRICS_REPORTS_H

#include "train/metrics/metrics.h"
#include "train/metrics/paired.h"
#include "train/metrics/predictions.h"
#include "train/metrics/scores.h"
#include "train/metrics/uncertainty.h"

#include <jansson.h>

/* The metrics of one fake source: its frames (videos) against all real ones of the data set. */
typedef struct MetricsSourceReport {
    const char *name;
    Metrics frame, video;
    MetricsIntervals frame_ci, video_ci;
} MetricsSourceReport;

/* The metrics of one data set. A video's score is the mean p_fake of its frames, in double, file
 * order. */
typedef struct MetricsReport {
    const char *dataset;
    Metrics frame, video;
    Metrics video_median; /* the same by the median p_fake of a video's frames */
    MetricsIntervals frame_ci, video_ci, video_median_ci;
    bool has_videos;              /* false if a frame has no folder: no video level, no sources */
    bool by_margin;               /* margins ranked the rows, not p_fake */
    bool ci_left_out;             /* too many rows for the bootstrap: see METRICS_CI_AUTO */
    MetricsSourceReport *sources; /* [source_count] fake sources, bytewise order */
    int source_count;
} MetricsReport;

/* One level of a report, by its key in metrics.json: "frame", "video", "video_median". */
typedef struct MetricsReportLevel {
    const char *key;
    const Metrics *metrics;
    const MetricsIntervals *intervals;
} MetricsReportLevel;

enum { METRICS_REPORT_LEVELS = 3 };

/* The levels that a report has, all borrowed from it; returns how many: one without videos. */
int metrics_report_levels(const MetricsReport *report,
                          MetricsReportLevel levels[METRICS_REPORT_LEVELS]);

/*
 * Sums up by data set, in order of first row. *reports [*count] is owned by the caller
 * (metrics_reports_free); names are borrowed from `predictions`. Without intervals. STATUS_FAILED
 * for an empty table or without memory. One class only is no failure: see metrics.h.
 */
Status metrics_reports(const MetricsPredictions *predictions, MetricsReport **reports, int *count,
                       Error *error);

/* The same on threads and with intervals, as `settings` says. The same bits for any number of
 * threads. */
Status metrics_reports_with(const MetricsPredictions *predictions,
                            const MetricsUncertainty *settings, MetricsReport **reports, int *count,
                            Error *error);
void metrics_reports_free(MetricsReport *reports, int count);

/*
 * The object of metrics.json: {NAME: {"frame": {...}, "video": {...}, "video_median": {...},
 * "sources": {NAME: {"frame", "video"}}}}, undefined = null; no "video" where has_videos is false.
 * Where there are intervals, METRIC_ci95: [lo, hi] follows each metric, and ci95_method names where
 * they come from. Bytes of a name that are not UTF-8 are written as \xNN. The caller owns the
 * reference; what is missing without memory is remembered (train/json.h).
 */
json_t *metrics_reports_json(const MetricsReport *reports, int count);

/* The same written to a stream, with 17 digits. STATUS_FAILED without memory or if the stream
 * fails. */
Status metrics_reports_write_json(FILE *stream, const MetricsReport *reports, int count,
                                  Error *error);

/*
 * summary.json: {"datasets": N, "frame": {...}, "video": {...}}, the macro average over data sets
 * of every metric; null where it is undefined in any of them. No "video" unless all have one.
 */
Status metrics_reports_write_summary(FILE *stream, const MetricsReport *reports, int count,
                                     Error *error);

/*
 * {NAME: {"frame": {METRIC: {"a", "b", "difference", "difference_ci95", "p", "method"}}, "video":
 * {...}}} of comparisons [count]. The caller owns the reference; what is missing without memory is
 * remembered.
 */
json_t *metrics_comparisons_json(const MetricsComparison *comparisons, int count);

#endif
