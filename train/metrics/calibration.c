/*
 * calibration.c - see calibration.h.
 *
 * With b = 1/T and s = margin for a fake, -margin for a real, the loss is the mean of log(1 +
 * exp(-b s)). It is convex in b, with slope mean(-s sigmoid(-b s)) and curvature mean(s^2
 * sigmoid(-b s) sigmoid(b s)). It has a minimum at a finite b > 0 if and only if the mean of s is
 * positive and some s is negative.
 */
#include "train/metrics/calibration.h"

#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/safetensors.h"
#include "train/metrics/metrics_private.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the calibration";

/* 1 / (1 + exp(-x)), without overflow. */
static double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

double metrics_calibration_probability(double margin, double temperature)
{
    return sigmoid(margin / temperature);
}

/* ---- temperature ----------------------------------------------------------------------------- */

typedef struct Margins {
    const double *margins;
    const uint8_t *labels;
    size_t n;
} Margins;

/* s of row i: the margin in favour of its label. */
static double signed_margin(const Margins *all, size_t i)
{
    return all->labels[i] ? all->margins[i] : -all->margins[i];
}

/* The loss: mean of log(1 + exp(-b s)). */
static double loss_at(const Margins *all, double b)
{
    MetricsSum sum = {0};
    for (size_t i = 0; i < all->n; i++) {
        const double x = b * signed_margin(all, i);
        metrics_sum_add(&sum, fmax(-x, 0) + log1p(exp(-fabs(x))));
    }
    return metrics_sum_total(&sum) / (double)all->n;
}

/* Slope and curvature of the loss in b. */
static double slope_at(const Margins *all, double b, double *curvature)
{
    MetricsSum slope = {0}, bend = {0};
    for (size_t i = 0; i < all->n; i++) {
        const double s = signed_margin(all, i);
        const double wrong = sigmoid(-b * s);
        metrics_sum_add(&slope, -s * wrong);
        metrics_sum_add(&bend, s * s * wrong * (1 - wrong));
    }
    *curvature = metrics_sum_total(&bend) / (double)all->n;
    return metrics_sum_total(&slope) / (double)all->n;
}

/* The root of the slope in [low, high], where it changes sign: Newton steps, bisection if a step
 * would leave the bracket. */
static double find_root(const Margins *all, double low, double high)
{
    enum { ENOUGH = 200 }; /* pure bisection needs about 60 */
    double b = low < 1 && 1 < high ? 1 : (low + high) / 2;
    for (int i = 0; i < ENOUGH; i++) {
        double curvature;
        const double slope = slope_at(all, b, &curvature);
        if (slope == 0)
            break;
        if (slope < 0)
            low = b;
        else
            high = b;
        double next = b - slope / curvature;
        if (!(next > low && next < high))
            next = (low + high) / 2;
        if (fabs(next - b) <= 2 * DBL_EPSILON * b || next <= low || next >= high)
            break;
        b = next;
    }
    return b;
}

Status metrics_calibration_fit(const double *margins, const uint8_t *labels, size_t n,
                               MetricsTemperature *result, Error *error)
{
    assert(margins && labels && result && error);
    const Margins all = {margins, labels, n};
    size_t fakes = 0;
    for (size_t i = 0; i < n; i++)
        fakes += labels[i] != 0;
    if (fakes == 0 || fakes == n)
        return error_set(error, STATUS_FAILED,
                         "calibration: %s; give real and fake frames that the model was not "
                         "trained on",
                         n == 0 ? "no frames" : "only one class");
    const double low = 1 / METRICS_TEMPERATURE_MOST, high = 1 / METRICS_TEMPERATURE_LEAST;
    double curvature;
    *result = (MetricsTemperature){.temperature = 1, .nll_before = loss_at(&all, 1)};
    result->separated = slope_at(&all, high, &curvature) < 0;
    result->fitted = !result->separated && slope_at(&all, low, &curvature) < 0;
    if (result->fitted)
        result->temperature = 1 / find_root(&all, low, high);
    result->nll_after = loss_at(&all, 1 / result->temperature);
    return STATUS_OK;
}

/* ---- thresholds ------------------------------------------------------------------------------ */

MetricsAtThreshold metrics_at_threshold(const double *scores, const uint8_t *labels, size_t n,
                                        double threshold)
{
    size_t above[2] = {0, 0}, all[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        assert(labels[i] <= 1);
        all[labels[i]]++;
        above[labels[i]] += scores[i] > threshold;
    }
    MetricsAtThreshold at = {.threshold = threshold, .n_real = all[0], .n_fake = all[1]};
    at.fpr = all[0] ? (double)above[0] / (double)all[0] : NAN;
    at.tpr = all[1] ? (double)above[1] / (double)all[1] : NAN;
    at.accuracy = n ? (double)(all[0] - above[0] + above[1]) / (double)n : NAN;
    at.balanced_accuracy = (at.tpr + (1 - at.fpr)) / 2;
    return at;
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Halfway to the lowest probability above `score`, or to 1 if there is none. */
static double above(double score, const double *probabilities, size_t n)
{
    double next = 1;
    for (size_t i = 0; i < n; i++)
        if (probabilities[i] > score && probabilities[i] < next)
            next = probabilities[i];
    return score + (next - score) / 2;
}

Status metrics_calibration_threshold(const double *probabilities, const uint8_t *labels, size_t n,
                                     double fpr, double *threshold, Error *error)
{
    assert(probabilities && labels && threshold && error && fpr >= 0 && fpr < 1);
    double *reals = mem_new(n ? n : 1, sizeof *reals, purpose, error);
    if (!reals)
        return error->status;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (!labels[i])
            reals[count++] = probabilities[i];
    if (count == 0) {
        free(reals);
        return error_set(error, STATUS_FAILED,
                         "calibration: the thresholds need real frames; add real frames");
    }
    qsort(reals, count, sizeof *reals, descending);
    /* 0.29 is slightly less in binary, but 0.29 of 100 must be 29. */
    size_t allowed = (size_t)floor(fpr * (double)count * (1 + 4 * DBL_EPSILON));
    if (allowed >= count)
        allowed = count - 1;
    *threshold = above(reals[allowed], probabilities, n);
    free(reals);
    return STATUS_OK;
}

/* ---- in the metadata of an adapter ----------------------------------------------------------- */

enum { KEYS = 5 };
static const char *const keys[KEYS] = {"temperature", "threshold_fpr", "threshold_frame",
                                       "threshold_video", "calibrated_on"};

static bool is_key(const char *key)
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* Reads a number in [minimum, maximum] from the metadata. */
static Status read_number(const SafeTensors *file, const char *key, double minimum, double maximum,
                          double *value, Error *error)
{
    const char *text = safetensors_metadata(file, key);
    if (text && number_parse(text, strlen(text), value) && *value >= minimum && *value <= maximum)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: metadata \"%s\" is %.64s, not a number from %g to %g; calibrate the "
                     "adapter again (lnclip calibrate)",
                     safetensors_path(file), key, text ? text : "missing", minimum, maximum);
}

static Status read_all(const SafeTensors *file, MetricsCalibration *calibration, Error *error)
{
    if (!safetensors_metadata(file, keys[0]))
        return error_set(error, STATUS_FAILED,
                         "%s: not calibrated; run lnclip calibrate, or omit --calibrated",
                         safetensors_path(file));
    TRY(read_number(file, keys[0], METRICS_TEMPERATURE_LEAST, METRICS_TEMPERATURE_MOST,
                    &calibration->temperature, error));
    TRY(read_number(file, keys[1], 0, 1, &calibration->fpr, error));
    TRY(read_number(file, keys[2], 0, 1, &calibration->threshold_frame, error));
    TRY(read_number(file, keys[3], 0, 1, &calibration->threshold_video, error));
    const char *on = safetensors_metadata(file, keys[4]);
    snprintf(calibration->on, sizeof calibration->on, "%s", on ? on : "unknown");
    return STATUS_OK;
}

Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const Status status = read_all(file, calibration, error);
    safetensors_close(file);
    return status;
}

Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const MetricsCalibration *calibration, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const int count = safetensors_count(file), old = safetensors_metadata_count(file);
    SafeTensor *tensors = mem_new((size_t)count + 1, sizeof *tensors, purpose, error);
    SafeTensorsMetadata *metadata =
        mem_new((size_t)old + KEYS + 1, sizeof *metadata, purpose, error);
    char numbers[KEYS - 1][NUMBER_SIZE];
    const double values[KEYS - 1] = {calibration->temperature, calibration->fpr,
                                     calibration->threshold_frame, calibration->threshold_video};
    Status status = STATUS_OK;
    if (!tensors || !metadata)
        status = error->status;
    if (status == STATUS_OK) {
        int used = 0;
        for (int i = 0; i < count; i++)
            tensors[i] = *safetensors_at(file, i);
        for (int i = 0; i < old; i++) {
            const char *key = safetensors_metadata_key(file, i);
            if (!is_key(key) && strcmp(key, "head") != 0)
                metadata[used++] = (SafeTensorsMetadata){key, safetensors_metadata(file, key)};
        }
        for (int i = 0; i < KEYS - 1; i++) {
            number_format(numbers[i], values[i]);
            metadata[used++] = (SafeTensorsMetadata){keys[i], numbers[i]};
        }
        metadata[used++] = (SafeTensorsMetadata){keys[KEYS - 1], calibration->on};
        metadata[used++] = (SafeTensorsMetadata){"head", vit_head_kind_name(kind)};
        status = safetensors_write(out, tensors, count, metadata, used, error);
    }
    free(tensors);
    free(metadata);
    safetensors_close(file);
    return status;
}

void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration)
{
    Tensor *const tensors[] = {&head->weight, &head->bias};
    for (int t = 0; t < 2; t++) {
        float *numbers = tensor_f32(tensors[t]);
        const size_t count = tensor_count(tensors[t]);
        for (size_t i = 0; i < count; i++)
            numbers[i] = (float)((double)numbers[i] / calibration->temperature);
    }
}
