/*
 * delong.h - the variance of an AUROC, and of the difference of two, by DeLong's method.
 *
 * DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837: the AUROC is a mean of placements, and
 * its variance follows from theirs. Sun and Xu, IEEE Signal Processing Letters 21 (2014) 1389:
 * placements are differences of mid-ranks, so that sorting is all it takes, O(n log n) instead of
 * one step for each pair. The rows must be independent of each other: frames of one video are not,
 * videos are.
 */
#ifndef LNCLIP_TRAIN_METRICS_DELONG_H
#define LNCLIP_TRAIN_METRICS_DELONG_H

#include "train/metrics/metrics.h"

#include "tensor/base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The placement of each row, into placements [n]: for a fake the share of reals that score below
 * it, for a real the share of fakes that score above it, ties counted half. Scores [n] are finite,
 * labels [n] 0 or 1; both borrowed. STATUS_FAILED if a class is missing, n is beyond 2^32 - 1, or
 * without memory. Thread-safe.
 */
Status metrics_placements(const double *scores, const uint8_t *labels, size_t n, double *placements,
                          Error *error);

typedef struct MetricsDelong {
    size_t n_real, n_fake;
    double auroc;
    double variance; /* of auroc; NaN if a class has a single row */
} MetricsDelong;

/* The AUROC of rows with these placements [n] and labels [n], and its variance. */
MetricsDelong metrics_delong(const double *placements, const uint8_t *labels, size_t n);

/*
 * The 95 % interval of an AUROC on the logit scale, which keeps it within (0, 1) (Pepe, The
 * Statistical Evaluation of Medical Tests, 2003, 5.2): logit(auroc) -+ z sqrt(variance) / (auroc (1
 * - auroc)). An AUROC of exactly 0 or 1 has variance 0 and no logit: the interval is then
 * Newcombe's method 5 (Statistics in Medicine 25 (2006) 559), which is honest there: 30 videos a
 * class in perfect order say "above 0.9", not "1". NaN for a NaN variance.
 */
MetricsInterval metrics_delong_interval(const MetricsDelong *delong);

/*
 * The difference a - b of the AUROCs of two scores of the same rows. placements_a and placements_b
 * [n] belong to the same row at the same index. The interval is difference -+ z sqrt(variance), p
 * two-sided from the normal distribution. A variance of 0 gives p = 1 for equal AUROCs; for others
 * there is no such test, and interval and p are NaN: a perfect score beside a constant one differs
 * by the same in every row, were there two or a million.
 */
MetricsDifference metrics_delong_difference(const double *placements_a, const double *placements_b,
                                            const uint8_t *labels, size_t n);

#endif
