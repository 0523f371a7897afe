/*
 * curves.h - what a set of scores looks like: ROC, precision-recall, histograms, reliability.
 *
 * For drawing. Curves are thinned to a number of points that a plot can hold, without a change one
 * could see; metrics are never computed from them.
 */
#ifndef LNCLIP_TRAIN_METRICS_CURVES_H
#define LNCLIP_TRAIN_METRICS_CURVES_H

#include "train/metrics/metrics.h"

#include <stdbool.h>

typedef struct MetricsPoint {
    double x, y;
} MetricsPoint;

enum { METRICS_HISTOGRAM_BINS = 40 };

/* One bin of the reliability diagram: the bins of Metrics.ece. */
typedef struct MetricsReliability {
    size_t rows;
    double mean_score;    /* NaN for an empty bin */
    double fraction_fake; /* NaN for an empty bin */
} MetricsReliability;

typedef struct MetricsCurves {
    /* [roc_count] (FPR, TPR) from (0,0) to (1,1); both curves NULL with one class only. */
    MetricsPoint *roc;
    int roc_count;
    /* [pr_count] (recall, precision) from (0,1), which stands for "none", to recall 1. */
    MetricsPoint *pr;
    int pr_count;
    /* Rows by score, bin b from low + b width to low + (b+1) width, the last one closed. [0, 1] if
     * all scores are within, else from the least to the greatest. */
    double low, width;
    size_t real[METRICS_HISTOGRAM_BINS], fake[METRICS_HISTOGRAM_BINS];
    bool has_reliability; /* all scores in [0, 1] */
    MetricsReliability reliability[METRICS_CALIBRATION_BINS];
} MetricsCurves;

/*
 * The curves of scores [n], ranks [n] and labels [n] as in metrics_on (ROC and precision-recall
 * follow the ranks, histogram and reliability p_fake), each of at most `points` points, at least 8
 * (asserted): those kept are vertices of the exact curve, its ends among them, and every vertex
 * left out lies within a distance of the line between its kept neighbours that is as small as that
 * number allows (Ramer, Douglas, Peucker, worst segment first). *curves is owned by the caller
 * (metrics_curves_free). Failures as metrics_compute.
 */
Status metrics_curves(const double *scores, const double *ranks, const uint8_t *labels, size_t n,
                      int points, MetricsCurves *curves, Error *error);
void metrics_curves_free(MetricsCurves *curves);

#endif
