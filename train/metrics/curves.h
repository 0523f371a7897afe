/*
 * curves.h - curves for drawing: ROC, precision-recall, histograms, reliability diagram.
 *
 * Curves are simplified to a number of points that a plot can show, without a visible change.
 * Metrics are never computed from them.
 *
 * Tests: tests/test_curves.c.
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
    /* [pr_count] (recall, precision) from (0,1), an added start point, to recall 1. */
    MetricsPoint *pr;
    int pr_count;
    /* Histogram: bin b is [low + b width, low + (b+1) width), the last one closed. The range is
     * [0, 1] if all scores are in it, else from the minimum to the maximum score. */
    double low, width;
    size_t real[METRICS_HISTOGRAM_BINS], fake[METRICS_HISTOGRAM_BINS];
    bool has_reliability; /* all scores in [0, 1] */
    MetricsReliability reliability[METRICS_CALIBRATION_BINS];
} MetricsCurves;

/*
 * Computes the curves of scores [n], ranks [n] and labels [n], as in metrics_on: ROC and
 * precision-recall use ranks, histogram and reliability use scores. Each curve has at most `points`
 * points (>= 8, asserted), which are vertices of the exact curve including both ends. Vertices are
 * dropped by the Ramer-Douglas-Peucker rule, worst segment first, which keeps the distance of
 * dropped vertices small. The caller frees *curves by metrics_curves_free. Fails as
 * metrics_compute.
 */
Status metrics_curves(const double *scores, const double *ranks, const uint8_t *labels, size_t n,
                      int points, MetricsCurves *curves, Error *error);
void metrics_curves_free(MetricsCurves *curves);

#endif
