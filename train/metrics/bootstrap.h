/*
 * bootstrap.h - the spread of every metric when the videos are drawn again.
 *
 * Rows are sorted once. A resample draws as many videos of each class as there are, with
 * replacement, which gives each video a whole number as its weight; one pass down the sorted rows
 * with those weights then yields all metrics. Nothing is copied or sorted again, and what is
 * counted stays exact.
 */
#ifndef LNCLIP_TRAIN_METRICS_BOOTSTRAP_H
#define LNCLIP_TRAIN_METRICS_BOOTSTRAP_H

#include "train/metrics/metrics.h"

#include "tensor/threads.h"

#include <stdbool.h>

/* Rows in order of score, with the cluster (video) of each. Opaque; not changed by any use. */
typedef struct MetricsSample MetricsSample;

/*
 * Sorts rows [n]: scores (finite), ranks (finite; NULL or scores itself: scores rank; see
 * metrics_on), labels (0 or 1) and cluster, the number of the video of each row, or NULL if every
 * row is one of its own. All borrowed for the call alone. *sample is owned by the caller
 * (metrics_sample_free; NULL is allowed there). STATUS_FAILED as metrics_compute, and for n beyond
 * 2^31.
 */
Status metrics_sample_create(MetricsSample **sample, const double *scores, const double *ranks,
                             const uint8_t *labels, const uint32_t *cluster, size_t n,
                             Error *error);
void metrics_sample_free(MetricsSample *sample);

/* What is drawn. */
typedef struct MetricsClusters {
    uint32_t count;
    const uint8_t *labels; /* [count] 0 or 1, drawn apart: every resample has both classes */
    bool
        are_rows; /* each is a row of its own: drawn in the order of their ranks, not of the file */
} MetricsClusters;

typedef struct MetricsDraw {
    int resamples;
    uint64_t seed;
    const char *dataset; /* its name gives it draws of its own, wherever it stands among others */
    Threads *threads;    /* NULL: the calling thread alone */
} MetricsDraw;

/*
 * Metrics of all samples [count] under the same `draw->resamples` draws of `clusters`, into values
 * [count][METRICS_NAMES][resamples]; resample r draws from random_stream(seed, RANDOM_BOOTSTRAP, r,
 * hash of the name), the real clusters first, in their order. NaN where a metric is undefined in a
 * resample. The same bits for any number of threads. STATUS_FAILED without memory.
 */
Status metrics_bootstrap(const MetricsSample *const *samples, int count,
                         const MetricsClusters *clusters, const MetricsDraw *draw, double *values,
                         Error *error);

/*
 * The percentile interval of values [n], which it sorts, undefined ones last: the 2.5 and 97.5 %
 * points, linear between order statistics (Hyndman and Fan, The American Statistician 50 (1996)
 * 361, definition 7). Undefined values are left out; NaN if fewer than half are defined.
 */
MetricsInterval metrics_percentile_interval(double *values, size_t n);

/*
 * The interval of an area (AUROC, average precision) from its resampled values [n]: logit(estimate)
 * -+ t s, where s is their standard deviation on the logit scale and t the 97.5 % point of
 * Student's distribution with one degree of freedom less than the smaller class has clusters. Near
 * 1, where areas of good detectors lie, it covers more truly than percentiles do (measured:
 * docs/metrics.md). Values of 0 or 1, which have no logit, count as half a pair of clusters away
 * from there, or half as far as the estimate where that is less. NaN if fewer than half the values
 * are defined; the percentile interval if the estimate is 0 or 1. Sorts values.
 */
MetricsInterval metrics_logit_interval(double estimate, double *values, size_t n,
                                       const size_t clusters[2]);

#endif
