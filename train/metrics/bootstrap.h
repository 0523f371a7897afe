/*
 * bootstrap.h - cluster bootstrap over videos: the distribution of every metric.
 *
 * Rows are sorted once. A resample draws videos of each class with replacement, as many as there
 * are; each video gets an integer weight. One pass over the sorted rows with these weights yields
 * all metrics. Nothing is copied or sorted per resample, and counts are exact.
 *
 * Tests: tests/test_uncertainty.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_BOOTSTRAP_H
#define LNCLIP_TRAIN_METRICS_BOOTSTRAP_H

#include "train/metrics/metrics.h"

#include "tensor/threads.h"

#include <stdbool.h>

/* Rows sorted by score, with their clusters (videos). Opaque and immutable. */
typedef struct MetricsSample MetricsSample;

/*
 * Sorts rows [n]. scores: finite. ranks: finite ranking scores, see metrics_on; NULL or `scores`
 * itself ranks by score. labels: 0 or 1. cluster: video index per row; NULL = each row is a
 * cluster. Arrays are borrowed for the call only. The caller frees *sample by metrics_sample_free,
 * which accepts NULL. STATUS_FAILED as for metrics_compute, or if n > 2^31.
 */
Status metrics_sample_create(MetricsSample **sample, const double *scores, const double *ranks,
                             const uint8_t *labels, const uint32_t *cluster, size_t n,
                             Error *error);
void metrics_sample_free(MetricsSample *sample);

/* The clusters to draw from. */
typedef struct MetricsClusters {
    uint32_t count;
    const uint8_t *labels; /* [count] 0 or 1; classes are drawn separately */
    bool are_rows;         /* each cluster is one row: drawn in rank order, not in file order */
} MetricsClusters;

typedef struct MetricsDraw {
    int resamples;
    uint64_t seed;
    const char *dataset; /* its name selects the random stream, whatever its position */
    Threads *threads;    /* NULL: calling thread only */
} MetricsDraw;

/*
 * Computes the metrics of samples [count] for the same draw->resamples resamples of `clusters`.
 * values: [count][METRICS_NAMES][resamples], NaN where undefined. Resample r uses
 * random_stream(seed, RANDOM_BOOTSTRAP, r, hash of the data set name) and draws the real clusters
 * first, in order. Bit-identical for any number of threads. STATUS_FAILED if out of memory.
 */
Status metrics_bootstrap(const MetricsSample *const *samples, int count,
                         const MetricsClusters *clusters, const MetricsDraw *draw, double *values,
                         Error *error);

/*
 * The percentile interval of values [n]: the 2.5 and 97.5 % quantiles, linear between order
 * statistics (Hyndman and Fan, The American Statistician 50 (1996) 361, definition 7). Ignores NaN;
 * the interval is NaN if fewer than half of the values are defined. Sorts values, NaN last.
 */
MetricsInterval metrics_percentile_interval(double *values, size_t n);

/*
 * The interval of an area (AUROC, average precision) from its resampled values [n]: logit(estimate)
 * -+ t s. s is the standard deviation of the logits; t the 97.5 % quantile of Student's t
 * distribution with (clusters in the smaller class - 1) degrees of freedom. Near 1 its coverage is
 * better than that of the percentile interval (docs/metrics.md).
 *
 * A value of 0 or 1 has no logit: it is moved inwards by half a pair of clusters, or by half the
 * distance of the estimate if that is smaller. NaN if fewer than half of the values are defined;
 * the percentile interval if the estimate is 0 or 1. Sorts values.
 */
MetricsInterval metrics_logit_interval(double estimate, double *values, size_t n,
                                       const size_t clusters[2]);

#endif
