/*
 * metrics.h - what a set of scores is worth, by scikit-learn's definitions.
 *
 * One implementation for train, eval and auc. O(n log n), exact with ties. The positive class is fake.
 */
#ifndef LNCLIP_TRAIN_METRICS_H
#define LNCLIP_TRAIN_METRICS_H

#include "tensor/error.h"

#include <stddef.h>
#include <stdint.h>

enum { TRAIN_FPR_POINTS = 3 };
extern const double train_fpr_points[TRAIN_FPR_POINTS]; /* 0.001, 0.01, 0.05 */

/* What is undefined (one class only) is NaN; written as null. Fractions, never per cent. */
typedef struct TrainMetrics {
    size_t n_real, n_fake;
    double auroc; /* area under the ROC; ties count half */
    double ap;    /* average precision of fake, step-wise, no interpolation */
    double map;   /* mean of ap and the average precision of real scored by 1 - p_fake */
    double eer, eer_threshold; /* linear interpolation of the ROC where FPR = 1 - TPR */
    double accuracy, balanced_accuracy, f1_macro;                      /* at p_fake > 0.5 */
    double accuracy_at_eer, balanced_accuracy_at_eer, f1_macro_at_eer; /* at p_fake > eer_threshold */
    double tpr_at_fpr[TRAIN_FPR_POINTS]; /* linear between ROC vertices, highest TPR where FPR repeats */
} TrainMetrics;

/*
 * Computes all metrics of scores [n] (p_fake, or any score that grows with fakeness; finite) and labels
 * [n] (0 real, 1 fake). STATUS_FAILED for n = 0, a score that is not finite, or without memory.
 */
Status train_metrics(const double *scores, const uint8_t *labels, size_t n, TrainMetrics *metrics,
                     Error *error);

#endif
