/*
 * calibration.h - makes p_fake mean what it says: one temperature, and thresholds for a wanted
 * share of false alarms.
 *
 * A network's probabilities are mostly too sure. Dividing its logits by one number T, found on
 * validation frames, mends most of that and changes no ranking of frames (Guo, Pleiss, Sun,
 * Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2). What is fitted on
 * validation frames is stored in the adapter and only ever reported on other frames.
 */
#ifndef LNCLIP_TRAIN_METRICS_CALIBRATION_H
#define LNCLIP_TRAIN_METRICS_CALIBRATION_H

#include "tensor/base/error.h"
#include "vit/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an adapter's metadata says. Thresholds belong to p_fake after the division by the
 * temperature. */
typedef struct MetricsCalibration {
    double temperature; /* > 0 */
    double fpr;         /* share of real ones that may lie above a threshold, in [0, 1) */
    double threshold_frame,
        threshold_video; /* fake is what lies above; of a video, its mean p_fake */
    char on[512];        /* the validation lists in words, with their hash */
} MetricsCalibration;

/* Temperatures outside are no calibration but a sign that the validation set says
 * nothing about T. */
#define METRICS_TEMPERATURE_LEAST 0.01
#define METRICS_TEMPERATURE_MOST  100.0

typedef struct MetricsTemperature {
    double temperature; /* 1 unless `fitted` */
    double nll_before,
        nll_after; /* mean negative log-likelihood of the labels, at T = 1 and at T */
    /*
     * False if no T in the range above is best. `separated`: so few frames lie on the wrong side of
     * a margin of 0 (or none) that a smaller T is always better; otherwise the margins do not
     * follow the labels at all.
     */
    bool fitted, separated;
} MetricsTemperature;

/* p_fake of a margin, logit of fake less logit of real, at temperature T: 1 / (1 + exp(-margin /
 * T)). */
double metrics_calibration_probability(double margin, double temperature);

/*
 * Finds the T that minimises the mean of log(1 + exp(-+margin / T)) over margins [n] (finite) and
 * labels [n] (0 real, 1 fake), both borrowed: in 1/T that is convex, and Newton's steps, kept
 * within a shrinking bracket, find it to the last digits. STATUS_FAILED for n = 0 or one class
 * only. Thread-safe.
 */
Status metrics_calibration_fit(const double *margins, const uint8_t *labels, size_t n,
                               MetricsTemperature *result, Error *error);

/* What "fake if above the threshold" does to a set of scores. Shares of nothing are NaN. */
typedef struct MetricsAtThreshold {
    double threshold;
    size_t n_real, n_fake;
    double fpr, tpr;                    /* of real and of fake: above the threshold */
    double accuracy, balanced_accuracy; /* (tpr + 1 - fpr) / 2 */
} MetricsAtThreshold;

MetricsAtThreshold metrics_at_threshold(const double *scores, const uint8_t *labels, size_t n,
                                        double threshold);

/*
 * A threshold above which lie at most a share `fpr`, in [0, 1), of the real ones among
 * probabilities [n], and of the fake ones as many as that allows. With ties the share may be
 * smaller but is never greater. It stands halfway between the score of a real one and the next
 * higher score (1 if there is none), so that rounding moves nothing across.
 * STATUS_FAILED without real ones, or without memory.
 */
Status metrics_calibration_threshold(const double *probabilities, const uint8_t *labels, size_t n,
                                     double fpr, double *threshold, Error *error);

/* ---- in the metadata of an adapter, and applied to a head ------------------------------------ */

/*
 * Reads "temperature", "threshold_fpr", "threshold_frame", "threshold_video" and "calibrated_on"
 * from the metadata of the adapter `path`. STATUS_FAILED if it holds no calibration, half of one,
 * or numbers that make no sense. Thread-safe.
 */
Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error);

/*
 * Writes the adapter `path` once more as `out`: the same tensors and metadata, with this
 * calibration in place of any it held, and the kind of head that it was made with, which `path`
 * need not say. `out` may be `path`. Atomic; the bytes depend on the arguments alone.
 */
Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const MetricsCalibration *calibration, Error *error);

/* Divides the logits of `head` by the temperature from now on: its weight and bias. */
void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration);

#endif
