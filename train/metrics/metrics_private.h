/*
 * metrics_private.h - all metrics in one walk down the distinct scores, and the sums of those of
 * calibration.
 *
 * Point metrics and every resample of the bootstrap differ only in how many reals and fakes stand
 * at each score, so both feed the same walk. Everything that can be counted is counted in integers;
 * what must be summed in floating point carries its rounding error along.
 */
#ifndef LNCLIP_TRAIN_METRICS_METRICS_PRIVATE_H
#define LNCLIP_TRAIN_METRICS_METRICS_PRIVATE_H

#include "train/metrics/metrics.h"

#include <stdbool.h>

/* A sum that carries its rounding error along (Neumaier, 1974): millions of terms
 * cost no digits. */
typedef struct MetricsSum {
    double value, lost;
} MetricsSum;

/* The error of one addition by Knuth's two-sum: exact whichever term is greater, and without a
 * branch. */
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

/* All rows of one score. */
typedef struct MetricsGroup {
    double score;
    uint64_t reals, fakes;
} MetricsGroup;

/*
 * The sums of the metrics that take scores for probabilities. They do not ask for an order, so rows
 * may be summed up beforehand in any parcels: the bootstrap does that for each video.
 */
typedef struct MetricsProbabilitySums {
    bool outside;               /* a score was not in [0, 1]: all is undefined */
    MetricsSum brier, log_loss; /* over all rows */
    MetricsSum bin_score[METRICS_CALIBRATION_BINS]; /* of the scores of a bin */
    uint64_t bin_fakes[METRICS_CALIBRATION_BINS];
} MetricsProbabilitySums;

/* Fills brier, log_loss and ece of *metrics, whose n_real and n_fake are those of the sums. */
void metrics_probability_end(const MetricsProbabilitySums *calibration, Metrics *metrics);

/* -log of the probability that `score` in [0, 1] gives to `label`, held within [2^-52,
 * 1 - 2^-52]. */
double metrics_log_loss(double score, int label);

/* The state of a walk: for metrics_walk_* alone. */
typedef struct MetricsWalk {
    uint64_t n_real, n_fake;
    bool exact;      /* negated scores have the same groups: true of margins, not of 1 - p_fake */
    uint64_t fp, tp; /* reals and fakes above the score that comes next */
    uint64_t twice_area;    /* of the ROC so far, times n_real n_fake */
    uint64_t twice_partial; /* the same at the last vertex with an FPR of at most 0.1 */
    double partial_tail;    /* of the segment that crosses it, times n_fake */
    MetricsSum ap, ap_real;
    double inverted; /* 1 - score of the group of the average precision of real in progress */
    uint64_t inverted_reals, inverted_fp, inverted_tp; /* its reals; what stands above it */
    bool has_inverted;
    double last_score;         /* of the group before */
    uint64_t half_fp, half_tp; /* above 0.5 */
    uint64_t eer_fp, eer_tp;   /* the vertex of the EER threshold */
    double eer, eer_threshold;
    bool has_eer, threshold_open; /* the threshold waits for the next lower score */
    int points;                   /* how many of the FPRs are done */
    double tpr[METRICS_FPR_POINTS + 1];
    uint64_t repeated;
    uint64_t tied_reals, tied_fakes;           /* whose score a row of the other class has, too */
    uint64_t saturated_reals, saturated_fakes; /* those of them at exactly 0 or 1 */
} MetricsWalk;

/* The bin of a score in [0, 1]. */
int metrics_calibration_bin(double score);

/*
 * Begins a walk over n_real and n_fake rows in all, continues it over groups [count], strictly
 * descending by score from call to call, and sums up: all but what is metrics_probability_end's.
 * Groups without rows are passed over. The product of the two numbers is at most 2^62. Nothing is
 * allocated; nothing can fail. `exact` says that different scores stay different when real is
 * scored by the negated score (margins), not by 1 - score, which rounds.
 */
void metrics_walk_begin(MetricsWalk *walk, uint64_t n_real, uint64_t n_fake, bool exact);
void metrics_walk_groups(MetricsWalk *walk, const MetricsGroup *groups, size_t count);
void metrics_walk_end(MetricsWalk *walk, Metrics *metrics);

/*
 * Copies into *metrics, which a walk down the margins filled, all that depends on thresholds on
 * p_fake from the metrics of a walk down p_fake of the same rows: accuracies, F1, the EER
 * threshold, saturated ties.
 */
void metrics_walk_thresholds(const Metrics *by_probability, Metrics *metrics);

#endif
