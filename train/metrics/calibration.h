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

/* How a threshold is chosen on validation scores. */
typedef enum MetricsRule {
    METRICS_RULE_FPR,    /* the lowest with a false-positive rate of at most `rate`, in [0, 1) */
    METRICS_RULE_TPR,    /* the highest with a true-positive rate of at least `rate`, in (0, 1] */
    METRICS_RULE_EER,    /* false-positive and false-negative rate differ least */
    METRICS_RULE_YOUDEN, /* TPR - FPR is highest (Youden 1950) */
    METRICS_RULES
} MetricsRule;

typedef struct MetricsThresholdRule {
    MetricsRule kind;
    double rate; /* of FPR and TPR, else 0 */
} MetricsThresholdRule;

enum { METRICS_RULE_SIZE = 32 };

/* The rule as text: "fpr=0.01", "tpr=0.95", "eer" or "youden". */
void metrics_rule_format(char out[METRICS_RULE_SIZE], MetricsThresholdRule rule);

/* The inverse of metrics_rule_format. False for other text or a rate out of range. */
bool metrics_rule_parse(const char *text, MetricsThresholdRule *rule);

/* The calibration stored in an adapter. Thresholds apply to p_fake after temperature scaling. */
typedef struct MetricsCalibration {
    double temperature; /* > 0 */
    MetricsThresholdRule rule;
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
 * Chooses a threshold by `rule` on probabilities [n] and labels [n], both borrowed. It is halfway
 * between two neighbouring scores (0 and 1 included), so that rounding does not matter. Ties keep
 * the promise of the rule: a false-positive rate may be lower than asked, a true-positive rate
 * higher. Of several equally good thresholds by EER or Youden, the highest. STATUS_FAILED without
 * reals, without fakes unless the rule is FPR, or if out of memory. Thread-safe.
 */
Status metrics_calibration_threshold(const double *probabilities, const uint8_t *labels, size_t n,
                                     MetricsThresholdRule rule, double *threshold, Error *error);

/* ---- in the metadata of an adapter, and applied to a head ------------------------------------ */

/*
 * Reads "temperature", "threshold_rule", "threshold_frame", "threshold_video" and "calibrated_on"
 * from the metadata of the adapter `path`. "threshold_fpr" stands for the rule FPR. STATUS_FAILED
 * if the adapter is not calibrated, or a value is missing or out of range. Thread-safe.
 */
Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error);

/*
 * Copies the adapter `path` to `out` with this calibration, replacing an earlier one, and with the
 * head kind, which `path` may lack. `out` may equal `path`. Written atomically; the bytes depend on
 * the arguments only. With `base`, a fingerprint, `path` is a model that carries its head, and only
 * the head is copied: `out` is then an adapter of this model. STATUS_FAILED if a file cannot be
 * read or written.
 */
Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const char *base, const MetricsCalibration *calibration,
                                 Error *error);

/* Divides weight and bias of `head`, and so its logits, by the temperature. Cannot fail. */
void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration);

#endif
