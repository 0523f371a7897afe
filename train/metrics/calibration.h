/*
 * calibration.h - temperature scaling of p_fake, and thresholds for a given false-positive rate.
 *
 * Networks are usually overconfident. Dividing the logits by a temperature T, fitted on validation
 * frames, corrects most of this and does not change the ranking of frames (Guo, Pleiss, Sun,
 * Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2). The fitted values are
 * stored in the adapter; results are reported on other frames.
 *
 * Tests: tests/test_calibration.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_CALIBRATION_H
#define LNCLIP_TRAIN_METRICS_CALIBRATION_H

#include "tensor/base/error.h"
#include "vit/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The calibration stored in an adapter. Thresholds apply to p_fake after temperature scaling. */
typedef struct MetricsCalibration {
    double temperature;                      /* > 0 */
    double fpr;                              /* false-positive rate of the thresholds, in [0, 1) */
    double threshold_frame, threshold_video; /* above = fake; a video has its mean p_fake */
    char on[512];                            /* validation lists as text, with their hash */
} MetricsCalibration;

/* A fit outside this range means that the validation set does not determine T. */
#define METRICS_TEMPERATURE_LEAST 0.01
#define METRICS_TEMPERATURE_MOST  100.0

typedef struct MetricsTemperature {
    double temperature;           /* 1 unless `fitted` */
    double nll_before, nll_after; /* mean negative log-likelihood, at T = 1 and at T */
    /*
     * fitted: false if the loss has no minimum in the range above. In that case `separated` tells
     * why: true if the classes are almost perfectly separated, so that the loss falls as T falls;
     * false if the margins do not follow the labels.
     */
    bool fitted, separated;
} MetricsTemperature;

/* p_fake at temperature T: 1 / (1 + exp(-margin / T)); margin = logit of fake - logit of real. */
double metrics_calibration_probability(double margin, double temperature);

/*
 * Finds the T that minimises the mean of log(1 + exp(-+margin / T)) over margins [n] (finite) and
 * labels [n] (0 real, 1 fake), both borrowed. The loss is convex in 1/T; Newton's method within a
 * shrinking bracket converges to the last digits. STATUS_FAILED for n = 0 or a single class.
 * Thread-safe.
 */
Status metrics_calibration_fit(const double *margins, const uint8_t *labels, size_t n,
                               MetricsTemperature *result, Error *error);

/* Rates of the rule "fake if score > threshold". NaN if the class has no rows. */
typedef struct MetricsAtThreshold {
    double threshold;
    size_t n_real, n_fake;
    double fpr, tpr;                    /* fraction of reals, of fakes above the threshold */
    double accuracy, balanced_accuracy; /* (tpr + 1 - fpr) / 2 */
} MetricsAtThreshold;

MetricsAtThreshold metrics_at_threshold(const double *scores, const uint8_t *labels, size_t n,
                                        double threshold);

/*
 * Finds the lowest threshold with a false-positive rate of at most `fpr`, in [0, 1), on
 * probabilities [n] and labels [n]. With ties the rate may be lower, never higher. The threshold is
 * halfway between a real's score and the next higher score (1 if none), so that rounding does not
 * matter. STATUS_FAILED without reals or if out of memory. Thread-safe.
 */
Status metrics_calibration_threshold(const double *probabilities, const uint8_t *labels, size_t n,
                                     double fpr, double *threshold, Error *error);

/* ---- in the metadata of an adapter, and applied to a head ------------------------------------ */

/*
 * Reads "temperature", "threshold_fpr", "threshold_frame", "threshold_video" and "calibrated_on"
 * from the metadata of the adapter `path`. STATUS_FAILED if the adapter is not calibrated, or a
 * value is missing or out of range. Thread-safe.
 */
Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error);

/*
 * Copies the adapter `path` to `out` with this calibration, replacing an earlier one, and with the
 * head kind, which `path` may lack. `out` may equal `path`. Written atomically; the bytes depend on
 * the arguments only. STATUS_FAILED if a file cannot be read or written.
 */
Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const MetricsCalibration *calibration, Error *error);

/* Divides weight and bias of `head`, and so its logits, by the temperature. Cannot fail. */
void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration);

#endif
