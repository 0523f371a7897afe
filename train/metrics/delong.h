/*
 * delong.h - the variance of an AUROC, and of the difference of two, by DeLong's method.
 *
 * DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837: the AUROC is a mean of placements, and
 * its variance follows from theirs. Sun and Xu, IEEE Signal Processing Letters 21 (2014) 1389:
 * placements are differences of mid-ranks, so sorting suffices, O(n log n) instead of O(n^2). Rows
 * must be independent: videos are, frames of one video are not.
 *
 * Tests: tests/test_uncertainty.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_DELONG_H
#define LNCLIP_TRAIN_METRICS_DELONG_H

#include "train/metrics/metrics.h"

#include "tensor/base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Computes placements [n]: for a fake the fraction of reals with a lower score, for a real the
 * fraction of fakes with a higher score; ties count half. scores [n] are finite, labels [n] 0 or 1;
 * both borrowed. STATUS_FAILED if a class is missing, n > 2^32 - 1 or memory runs out. Thread-safe.
 */
Status metrics_placements(const double *scores, const uint8_t *labels, size_t n, double *placements,
                          Error *error);

typedef struct MetricsDelong {
    size_t n_real, n_fake;
    double auroc;
    double variance; /* of auroc; NaN if a class has a single row */
} MetricsDelong;

/* The AUROC of rows with placements [n] and labels [n], and its variance. */
MetricsDelong metrics_delong(const double *placements, const uint8_t *labels, size_t n);

/*
 * The 95 % interval of an AUROC on the logit scale, which keeps it within (0, 1) (Pepe, The
 * Statistical Evaluation of Medical Tests, 2003, 5.2): logit(auroc) -+ z sqrt(variance) / (auroc (1
 * - auroc)). An AUROC of exactly 0 or 1 has variance 0 and no logit; its interval is Newcombe's
 * method 5 (Statistics in Medicine 25 (2006) 559), which is not degenerate: 30 perfectly separated
 * videos per class give about [0.9, 1]. NaN for a NaN variance.
 */
MetricsInterval metrics_delong_interval(const MetricsDelong *delong);

/*
 * The difference b - a of the AUROCs of two scores of the same rows: index i of placements_a [n]
 * and placements_b [n] is the same row. The interval is difference -+ z sqrt(variance); p is
 * two-sided, from the normal distribution. With variance 0, p is 1 for equal AUROCs. Otherwise the
 * test does not apply and interval and p are NaN: a perfect and a constant score, for example,
 * differ equally in every row.
 */
MetricsDifference metrics_delong_difference(const double *placements_a, const double *placements_b,
                                            const uint8_t *labels, size_t n);

#endif
