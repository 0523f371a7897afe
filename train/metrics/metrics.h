/*
 * metrics.h - the metrics of a set of scores, by scikit-learn's definitions.
 *
 * One implementation for train, eval and auc. The positive class is fake. Exact with ties: whatever
 * can be counted is counted in integers, and divided once. Time is that of a radix sort; memory 8
 * bytes a score.
 */
#ifndef LNCLIP_TRAIN_METRICS_METRICS_H
#define LNCLIP_TRAIN_METRICS_METRICS_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <stddef.h>
#include <stdint.h>

enum { METRICS_FPR_POINTS = 3, METRICS_CALIBRATION_BINS = 15 };

/*
 * Fractions, never per cent. With one class only, everything but n_real, n_fake, accuracy and
 * calibration is undefined:
 * NaN, written as null; the four at the end say for themselves what they need.
 *
 * The ROC has one vertex (FPR, TPR) for each distinct score, "this score and above is fake", beside
 * (0,0); between vertices it is linear.
 */
typedef struct Metrics {
    size_t n_real, n_fake;
    double auroc; /* area under the ROC: ties count half (roc_auc_score) */
    double ap;  /* sum of (R_i - R_{i-1}) P_i over the distinct scores (average_precision_score) */
    double map; /* mean of ap and the average precision of real scored by 1 - p_fake */
    double eer; /* FPR where FPR = 1 - TPR on the ROC: 0 for perfect separation, 1 for inverted */
    /* That point lies between two vertices, and no threshold yields it. eer_threshold belongs to
     * the vertex where |FPR - (1 - TPR)| is smaller (the stricter one if equal), and lies halfway
     * between its score and the next lower one, so that "greater is fake" is that vertex and a
     * perfect separation is classified without error. For the vertex (0,0) it is the highest score,
     * for (1,1) the lowest. */
    double eer_threshold;
    /* accuracy_score, balanced_accuracy_score, f1_score(average="macro"): at p_fake > 0.5 (a tie is
     * real), */
    double accuracy, balanced_accuracy, f1_macro;
    /* and at p_fake > eer_threshold, which was chosen on the same scores and is therefore
     * optimistic. */
    double accuracy_at_eer, balanced_accuracy_at_eer, f1_macro_at_eer;
    /* TPR on the ROC at FPR 0.001, 0.01 and 0.05; where it rises vertically there, its highest. */
    double tpr_at_fpr[METRICS_FPR_POINTS];
    /* Area under the ROC up to FPR 0.1, standardised by McClish (1989) so that chance is 0.5 and
     * perfect 1 (roc_auc_score(max_fpr=0.1)). */
    double partial_auroc;
    /* What follows is defined for one class too, but only if all scores are in [0, 1], as
     * probabilities are. */
    double brier; /* mean of (p_fake - label)^2 (brier_score_loss) */
    /* Mean of -log(probability of the label), p_fake held within [2^-52, 1 - 2^-52] (log_loss). */
    double log_loss;
    /* Expected calibration error: over METRICS_CALIBRATION_BINS bins of equal width, the mean,
     * weighted by rows, of |mean p_fake - share of fake| (Naeini, Cooper, Hauskrecht 2015; Guo et
     * al. 2017, for p_fake instead of the greater of the two probabilities). Bin b holds
     * floor(p_fake * bins) = b, and p_fake = 1 the last. */
    double ece;
    /* Rows whose label and score an earlier row has too: in a file of 17-digit scores a sign of
     * doubled rows. */
    size_t repeated;
    /* Reals [0] and fakes [1] whose rank a row of the other class has too, which counts half in the
     * AUROC; and those whose p_fake is so shared at exactly 0 or 1, where softmax rounds what the
     * logits still told apart. */
    size_t tied[2], saturated[2];
} Metrics;

/* The metrics in the order of metrics.json: indices into metrics_names and into
 * MetricsIntervals.of. */
typedef enum Metric {
    METRICS_AUROC,
    METRICS_AP,
    METRICS_MAP,
    METRICS_EER,
    METRICS_EER_THRESHOLD,
    METRICS_ACCURACY,
    METRICS_BALANCED_ACCURACY,
    METRICS_F1_MACRO,
    METRICS_ACCURACY_AT_EER,
    METRICS_BALANCED_ACCURACY_AT_EER,
    METRICS_F1_MACRO_AT_EER,
    METRICS_TPR_AT_FPR_0001,
    METRICS_TPR_AT_FPR_001,
    METRICS_TPR_AT_FPR_005,
    METRICS_PARTIAL_AUROC,
    METRICS_BRIER,
    METRICS_LOG_LOSS,
    METRICS_ECE,
    METRICS_NAMES
} Metric;

/* A metric by its name in metrics.json, for writers and tables: a double at `offset` in Metrics. */
typedef struct MetricName {
    const char *name;  /* key in metrics.json */
    const char *title; /* for people: "AUROC", "TPR at FPR 0.01" */
    size_t offset;
    int better; /* 1: the greater the better, -1: the smaller, 0: neither, as for a threshold */
} MetricName;

extern const MetricName metrics_names[METRICS_NAMES]; /* in the order of metrics.json */

/* The metric metrics_names[index], index in [0, METRICS_NAMES). */
double metrics_value(const Metrics *metrics, int index);

/* No rows, and every metric NaN. */
Metrics metrics_undefined(void);

/*
 * Computes all metrics of scores [n] (p_fake, or any score that grows with fakeness; finite) and
 * labels [n] (0 real, 1 fake: asserted). Both are borrowed and not changed. STATUS_FAILED for n =
 * 0, n beyond 2^32 - 1, a score that is not finite, or without memory; *metrics is then undefined.
 * Thread-safe. The same bits for the same rows in any order.
 */
Status metrics_compute(const double *scores, const uint8_t *labels, size_t n, Metrics *metrics,
                       Error *error);

/*
 * The same on a pool of threads (NULL: on the calling one alone); the same bits for any number.
 * ranks [n], finite, puts the rows in order in place of p_fake (margins; NULL or `scores` itself:
 * p_fake does): auroc, ap, map, eer, tpr_at_fpr, partial_auroc, repeated and tied follow it.
 * Everything at a threshold (accuracies, F1, eer_threshold and what is at it) and calibration stay
 * with p_fake, tie for tie. map scores real by the negated rank, which unlike 1 - p_fake does not
 * round.
 */
Status metrics_on(Threads *threads, const double *scores, const double *ranks,
                  const uint8_t *labels, size_t n, Metrics *metrics, Error *error);

/* ---- intervals ------------------------------------------------------------------------------- */

/* The 97.5 % point of the standard normal distribution. */
#define METRICS_NORMAL_975 1.959963984540054

/* 95 %, both ends NaN if undefined. */
typedef struct MetricsInterval {
    double lower, upper;
} MetricsInterval;

typedef enum MetricsIntervalMethod {
    METRICS_INTERVAL_NONE,
    METRICS_INTERVAL_DELONG,         /* over videos, on the logit scale */
    METRICS_INTERVAL_BOOTSTRAP,      /* over videos */
    METRICS_INTERVAL_DELONG_ROWS,    /* over rows: assumes independent rows */
    METRICS_INTERVAL_BOOTSTRAP_ROWS, /* over rows: assumes independent rows */
    METRICS_INTERVAL_METHODS
} MetricsIntervalMethod;

/* "delong_videos", "bootstrap_videos", "delong_rows", "bootstrap_rows" as in metrics.json; "" for
 * none. */
const char *metrics_interval_method_name(MetricsIntervalMethod method);

/* The intervals of one Metrics. */
typedef struct MetricsIntervals {
    MetricsInterval of[METRICS_NAMES]; /* by Metric */
    MetricsIntervalMethod auroc;       /* how of[METRICS_AUROC] was found */
    MetricsIntervalMethod others;      /* and all others */
} MetricsIntervals;

/* No interval at all: every end NaN. */
MetricsIntervals metrics_intervals_none(void);

/* One metric of two score files. */
typedef struct MetricsDifference {
    double a, b;
    double difference;        /* a - b */
    MetricsInterval interval; /* 95 %, of the difference */
    double p;                 /* two-sided, of "no difference"; NaN if undefined */
    MetricsIntervalMethod method;
} MetricsDifference;

#endif
