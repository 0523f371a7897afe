/*
 * paired.h - paired comparison of two score files of the same rows.
 *
 * Tests: tests/test_paired.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_PAIRED_H
#define LNCLIP_TRAIN_METRICS_PAIRED_H

#include "train/metrics/uncertainty.h"

/* The comparison of one data set. Differences are b - a, indexed by Metric. */
typedef struct MetricsComparison {
    const char *dataset; /* of table a, borrowed */
    size_t frames;
    uint32_t videos;
    bool has_videos;
    bool ci_left_out; /* no bootstrap: too many rows */
    MetricsDifference frame[METRICS_NAMES], video[METRICS_NAMES];
} MetricsComparison;

/*
 * Compares data set by data set, in the order of `a`. Rows are matched by data set and file; a
 * single data set matches a single one of another name. Files of bare scores are matched by
 * position and must have equal labels.
 *
 * The video AUROC is compared by DeLong's paired method, all other metrics by a paired bootstrap
 * over videos. The bootstrap interval is that of the resampled differences; p is twice the fraction
 * of them on the other side of zero, (1 + count) / (1 + resamples), at most 1.
 *
 * The caller frees *comparisons [*count] by free(). STATUS_FAILED if rows, labels or videos differ,
 * if a file has duplicate rows, or if out of memory. Messages use name_a and name_b.
 */
Status metrics_compare(const MetricsPredictions *a, const char *name_a, const MetricsPredictions *b,
                       const char *name_b, const MetricsUncertainty *settings,
                       MetricsComparison **comparisons, int *count, Error *error);

#endif
