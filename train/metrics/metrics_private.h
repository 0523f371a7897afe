/*
 * metrics_private.h - computes all metrics in one walk down the distinct scores.
 *
 * Point metrics and bootstrap resamples use the same walk; they differ only in the number of reals
 * and fakes per score. Counts are integers; floating-point sums are compensated.
 *
 * Tests: tests/test_metrics.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_METRICS_PRIVATE_H
#define LNCLIP_TRAIN_METRICS_METRICS_PRIVATE_H

#include "train/metrics/metrics.h"

#include <stdbool.h>

/* A compensated sum (Neumaier, 1974): no loss of digits over millions of terms. */
typedef struct MetricsSum {
    double value, lost;
} MetricsSum;

/* Knuth's two-sum: the exact rounding error of an addition, without a branch. */
static inline void metrics_sum_add(MetricsSum *sum, double term)
{
    const double total = sum->value + term;
    const double of_term = total - sum->value;
    sum->lost += (sum->value - (total - of_term)) + (term - of_term);
    sum->value = total;
}

static inline double metrics_sum_total(const MetricsSum *sum)
{
    return sum->value + sum->lost;
}

/* The number of rows with one score. */
typedef struct MetricsGroup {
    double score;
    uint64_t reals, fakes;
} MetricsGroup;

/*
 * Sums for the metrics of probabilities: brier, log_loss, ece. They do not depend on the order of
 * rows; the bootstrap adds them up per video in advance.
 */
typedef struct MetricsProbabilitySums {
    bool outside;               /* a score was not in [0, 1]: all metrics are undefined */
    MetricsSum brier, log_loss; /* over all rows */
    MetricsSum bin_score[METRICS_CALIBRATION_BINS]; /* sum of the scores in each bin */
    uint64_t bin_fakes[METRICS_CALIBRATION_BINS];
} MetricsProbabilitySums;

/* Fills brier, log_loss and ece of *metrics; its n_real and n_fake must match the sums. */
void metrics_probability_end(const MetricsProbabilitySums *calibration, Metrics *metrics);

/* -log of the probability of `label` for `score` in [0, 1], clipped to [2^-52, 1 - 2^-52]. */
double metrics_log_loss(double score, int label);

/* The state of a walk, private to metrics_walk_*. */
typedef struct MetricsWalk {
    uint64_t n_real, n_fake;
    bool exact;             /* class real is scored by -score (margins), else by 1 - score */
    uint64_t fp, tp;        /* reals and fakes above the next score */
    uint64_t twice_area;    /* 2 x area under the ROC so far, times n_real n_fake */
    uint64_t twice_partial; /* twice_area at the last vertex with FPR <= 0.1 */
    double partial_tail;    /* area of the segment that crosses FPR 0.1, times n_fake */
    MetricsSum ap, ap_real;
    double inverted; /* current group of equal 1 - score, for the average precision of real */
    uint64_t inverted_reals, inverted_fp, inverted_tp; /* reals in that group; rows above it */
    bool has_inverted;
    double last_score;         /* score of the previous group */
    uint64_t half_fp, half_tp; /* rows above 0.5 */
    uint64_t eer_fp, eer_tp;   /* vertex of the EER threshold */
    double eer, eer_threshold;
    bool has_eer, threshold_open; /* open: the threshold needs the next lower score */
    int points;                   /* number of FPR points passed */
    double tpr[METRICS_FPR_POINTS + 1];
    uint64_t repeated;
    uint64_t tied_reals, tied_fakes;           /* rows with the score of a row of the other class */
    uint64_t saturated_reals, saturated_fakes; /* tied rows with a score of exactly 0 or 1 */
} MetricsWalk;

/* The bin of a score in [0, 1]. */
int metrics_calibration_bin(double score);

/*
 * begin: starts a walk over n_real + n_fake rows, n_real n_fake <= 2^62. groups: continues with
 * groups [count], in strictly descending order of score over all calls; empty groups are skipped.
 * end: fills all metrics except those of metrics_probability_end. `exact`: class real is scored by
 * -score, which keeps distinct scores distinct; otherwise by 1 - score, which rounds. Allocate
 * nothing; cannot fail.
 */
void metrics_walk_begin(MetricsWalk *walk, uint64_t n_real, uint64_t n_fake, bool exact);
void metrics_walk_groups(MetricsWalk *walk, const MetricsGroup *groups, size_t count);
void metrics_walk_end(MetricsWalk *walk, Metrics *metrics);

/*
 * Copies the metrics that depend on thresholds of p_fake (accuracies, F1, EER threshold, saturated
 * ties) from *by_probability, a walk down p_fake, to *metrics, a walk down margins of these rows.
 */
void metrics_walk_thresholds(const Metrics *by_probability, Metrics *metrics);

#endif
