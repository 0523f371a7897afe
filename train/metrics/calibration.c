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
#include "train/metrics/ranking.h"
#include "vit/names.h"

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

/*
 * One threshold between two neighbouring scores: counts of reals and fakes above it. The loop of
 * metrics_calibration_threshold visits them from the highest threshold down, so that counts rise.
 */
typedef struct Candidate {
    double threshold;
    uint64_t fp, tp;
} Candidate;

/* How good a threshold is, for the rules that compare; higher is better. */
static double merit(MetricsRule kind, const MetricsRanking *all, const Candidate *at)
{
    const double fpr = (double)at->fp / (double)all->n_real;
    const double tpr = (double)at->tp / (double)all->n_fake;
    return kind == METRICS_RULE_EER ? -fabs(fpr - (1 - tpr)) : tpr - fpr;
}

/* True if `next`, a lower threshold, is to replace `best`. */
static bool is_better(MetricsThresholdRule rule, const MetricsRanking *all, const Candidate *next,
                      const Candidate *best)
{
    /* 0.29 is slightly less in binary, but 0.29 of 100 must be 29; likewise a share of fakes. */
    const double slack = 4 * DBL_EPSILON;
    switch (rule.kind) {
    case METRICS_RULE_FPR:
        return next->fp <= (uint64_t)floor(rule.rate * (double)all->n_real * (1 + slack)) &&
               next->fp < all->n_real;
    case METRICS_RULE_TPR:
        return best->tp < (uint64_t)ceil(rule.rate * (double)all->n_fake * (1 - slack));
    default:
        return merit(rule.kind, all, next) > merit(rule.kind, all, best);
    }
}

Status metrics_calibration_threshold(const double *probabilities, const uint8_t *labels, size_t n,
                                     MetricsThresholdRule rule, double *threshold, Error *error)
{
    assert(probabilities && labels && threshold && error);
    MetricsRanking ranking;
    TRY(metrics_ranking_create(&ranking, NULL, probabilities, labels, n, error));
    const bool reals = ranking.n_real > 0;
    if (!reals || (ranking.n_fake == 0 && rule.kind != METRICS_RULE_FPR)) {
        metrics_ranking_free(&ranking);
        return error_set(error, STATUS_FAILED,
                         "calibration: this threshold needs %s frames; add %s",
                         reals ? "fake" : "real", reals ? "fakes" : "reals");
    }
    Candidate best = {.threshold = 1}, next = {.threshold = 1};
    double above = 1, score;
    uint64_t real, fake;
    bool first = true;
    while (metrics_ranking_next(&ranking, &score, &real, &fake)) {
        next.threshold = score + (above - score) / 2;
        if (first || is_better(rule, &ranking, &next, &best))
            best = next;
        first = false;
        next.fp += real;
        next.tp += fake;
        above = score;
    }
    next.threshold = above / 2; /* everything is above, unless the lowest score is 0 */
    if (above > 0 && is_better(rule, &ranking, &next, &best))
        best = next;
    *threshold = best.threshold;
    metrics_ranking_free(&ranking);
    return STATUS_OK;
}

static const char *const rule_names[METRICS_RULES] = {"fpr=", "tpr=", "eer", "youden"};

void metrics_rule_format(char out[METRICS_RULE_SIZE], MetricsThresholdRule rule)
{
    char number[NUMBER_SIZE] = "";
    if (rule.kind <= METRICS_RULE_TPR)
        number_format(number, rule.rate);
    snprintf(out, METRICS_RULE_SIZE, "%s%.24s", rule_names[rule.kind], number);
}

bool metrics_rule_parse(const char *text, MetricsThresholdRule *rule)
{
    for (int kind = 0; kind < METRICS_RULES; kind++) {
        const char *name = rule_names[kind], *rest = text + strlen(name);
        if (strncmp(text, name, strlen(name)) != 0)
            continue;
        *rule = (MetricsThresholdRule){.kind = (MetricsRule)kind};
        if (kind > METRICS_RULE_TPR)
            return *rest == '\0';
        return number_parse(rest, strlen(rest), &rule->rate) && rule->rate >= 0 &&
               rule->rate <= 1 && rule->rate != (kind == METRICS_RULE_FPR ? 1 : 0);
    }
    return false;
}

/* ---- in the metadata of an adapter ----------------------------------------------------------- */

enum { KEYS = 5 };
static const char *const keys[KEYS] = {"temperature", "threshold_rule", "threshold_frame",
                                       "threshold_video", "calibrated_on"};
static const char fpr_key[] = "threshold_fpr"; /* stands for the rule FPR */

static bool is_key(const char *key)
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return strcmp(fpr_key, key) == 0;
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

static Status read_rule(const SafeTensors *file, MetricsThresholdRule *rule, Error *error)
{
    const char *text = safetensors_metadata(file, keys[1]);
    if (!text) {
        *rule = (MetricsThresholdRule){.kind = METRICS_RULE_FPR};
        return read_number(file, fpr_key, 0, 1, &rule->rate, error);
    }
    if (metrics_rule_parse(text, rule))
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "%s: metadata \"%s\" is %.64s, not fpr=RATE, tpr=RATE, eer or youden; calibrate "
        "the adapter again (lnclip calibrate)",
        safetensors_path(file), keys[1], text);
}

static Status read_all(const SafeTensors *file, MetricsCalibration *calibration, Error *error)
{
    if (!safetensors_metadata(file, keys[0]))
        return error_set(error, STATUS_FAILED,
                         "%s: not calibrated; run lnclip calibrate, or omit --calibrated",
                         safetensors_path(file));
    TRY(read_number(file, keys[0], METRICS_TEMPERATURE_LEAST, METRICS_TEMPERATURE_MOST,
                    &calibration->temperature, error));
    TRY(read_rule(file, &calibration->rule, error));
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

/* True for the tensors of a head, under any of the names that adapters may have. */
static bool is_head(const char *name)
{
    static const char *const NAMES[] = {VIT_HEAD_WEIGHT, VIT_HEAD_BIAS, "linear.weight",
                                        "linear.bias",   "head.weight", "head.bias"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (strcmp(name, NAMES[i]) == 0)
            return true;
    return false;
}

Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const char *base, const MetricsCalibration *calibration,
                                 Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const int count = safetensors_count(file), old = safetensors_metadata_count(file);
    SafeTensor *tensors = mem_new((size_t)count + 1, sizeof *tensors, purpose, error);
    SafeTensorsMetadata *metadata =
        mem_new((size_t)old + KEYS + 2, sizeof *metadata, purpose, error);
    const bool by_fpr = calibration->rule.kind == METRICS_RULE_FPR;
    char temperature[NUMBER_SIZE], frame[NUMBER_SIZE], video[NUMBER_SIZE];
    char rule[METRICS_RULE_SIZE];
    number_format(temperature, calibration->temperature);
    metrics_rule_format(rule, calibration->rule);
    number_format(frame, calibration->threshold_frame);
    number_format(video, calibration->threshold_video);
    const SafeTensorsMetadata made[] = {
        {keys[0], temperature},
        {by_fpr ? fpr_key : keys[1], by_fpr ? rule + strlen(rule_names[METRICS_RULE_FPR]) : rule},
        {keys[2], frame},
        {keys[3], video},
        {keys[4], calibration->on},
        {"head", vit_head_kind_name(kind)},
    };
    Status status = STATUS_OK;
    if (!tensors || !metadata)
        status = error->status;
    if (status == STATUS_OK) {
        int used = 0, kept = 0;
        for (int i = 0; i < count; i++)
            if (!base || is_head(safetensors_at(file, i)->name))
                tensors[kept++] = *safetensors_at(file, i);
        if (base)
            metadata[used++] = (SafeTensorsMetadata){"base_fingerprint", base};
        for (int i = 0; i < old && !base; i++) {
            const char *key = safetensors_metadata_key(file, i);
            if (!is_key(key) && strcmp(key, "head") != 0)
                metadata[used++] = (SafeTensorsMetadata){key, safetensors_metadata(file, key)};
        }
        for (size_t i = 0; i < COUNT_OF(made); i++)
            metadata[used++] = made[i];
        status = safetensors_write(out, tensors, kept, metadata, used, error);
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
