/*
 * paired.h - two score files of the same rows, compared.
 */
#ifndef LNCLIP_TRAIN_METRICS_PAIRED_H
#define LNCLIP_TRAIN_METRICS_PAIRED_H

#include "train/metrics/uncertainty.h"

/* One data set of both files. Differences are a - b, by Metric. */
typedef struct MetricsComparison {
    const char *dataset; /* of table a, borrowed */
    size_t frames;
    uint32_t videos;
    bool has_videos;
    bool ci_left_out; /* too many rows for the bootstrap */
    MetricsDifference frame[METRICS_NAMES], video[METRICS_NAMES];
} MetricsComparison;

/*
 * Compares data set by data set, in the order of `a`. Rows are matched by data set and file (a
 * single data set matches a single one of another name), or, in files of bare scores, by position
 * with equal labels. The AUROC over videos is compared by the paired method of DeLong, everything
 * else by a paired bootstrap over videos: the interval is that of the resampled differences, p
 * twice the share of them on the other side of zero, counted with the observed one ((1 + count) /
 * (1 + resamples) on that side, at most 1). *comparisons [*count] is the caller's to free().
 *
 * STATUS_FAILED if rows, labels or the division into videos differ (`name_a` and `name_b` say which
 * file), if a file names a row twice, or without memory.
 */
Status metrics_compare(const MetricsPredictions *a, const char *name_a, const MetricsPredictions *b,
                       const char *name_b, const MetricsUncertainty *settings,
                       MetricsComparison **comparisons, int *count, Error *error);

#endif
