/*
 * metrics.h - the metrics of a set of scores, by scikit-learn's definitions.
 *
 * One implementation for train, eval and auc. The positive class is fake. Exact with ties: counts
 * are integers, divided once. Time: one radix sort. Memory: 8 bytes per score.
 *
 * Tests: tests/test_metrics.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_METRICS_H
#define LNCLIP_TRAIN_METRICS_METRICS_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRICS_FPR_POINTS = 3, METRICS_CALIBRATION_BINS = 15 };

/*
 * All metrics are fractions, not per cent. With a single class all are NaN (null in JSON) except
 * n_real, n_fake, accuracy, brier, log_loss, ece and the counts at the end.
 *
 * The ROC is piecewise linear, with a vertex at (0,0) and one vertex (FPR, TPR) per distinct score:
 * "this score or higher is fake".
 */
typedef struct Metrics {
    size_t n_real, n_fake;
    double auroc; /* area under the ROC, ties count half (roc_auc_score) */
    double ap;  /* sum of (R_i - R_{i-1}) P_i over the distinct scores (average_precision_score) */
    double map; /* mean of ap and the average precision of class real, scored by 1 - p_fake */
    double eer; /* FPR where FPR = 1 - TPR on the ROC: 0 for perfect separation, 1 for inverted */
    /* The EER point lies between two vertices, so no threshold yields it. eer_threshold is that of
     * the vertex with the smaller |FPR - (1 - TPR)|, the stricter one if equal. It lies halfway
     * between the vertex's score and the next lower one, so that "score > threshold" is that vertex
     * and perfectly separated classes get no error. For vertex (0,0) it is the highest score, for
     * (1,1) the lowest. */
    double eer_threshold;
    /* At p_fake > 0.5: accuracy_score, balanced_accuracy_score, f1_score(average="macro"). */
    double accuracy, balanced_accuracy, f1_macro;
    /* At p_fake > eer_threshold, which is optimistic: chosen on the same scores. */
    double accuracy_at_eer, balanced_accuracy_at_eer, f1_macro_at_eer;
    /* TPR on the ROC at FPR 0.001, 0.01 and 0.05; the maximum where the ROC is vertical. */
    double tpr_at_fpr[METRICS_FPR_POINTS];
    /* Area under the ROC up to FPR 0.1, standardised by McClish (1989): 0.5 = chance, 1 = perfect
     * (roc_auc_score(max_fpr=0.1)). */
    double partial_auroc;
    /* The metrics below are defined for a single class, too, if all scores are in [0, 1]. */
    double brier; /* mean of (p_fake - label)^2 (brier_score_loss) */
    /* Mean of -log(probability of the label), p_fake clipped to [2^-52, 1 - 2^-52] (log_loss). */
    double log_loss;
    /* Expected calibration error: the mean over bins, weighted by rows, of |mean p_fake - fraction
     * of fakes| (Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, with p_fake instead of the
     * larger probability). METRICS_CALIBRATION_BINS bins of equal width: bin floor(p_fake * bins);
     * p_fake = 1 is in the last. */
    double ece;
    /* Rows with the label and score of an earlier row: with 17 digits a sign of duplicates. */
    size_t repeated;
    /* tied: reals [0] and fakes [1] with the rank of a row of the other class; such pairs count
     * half in the AUROC. saturated: those tied at a p_fake of exactly 0 or 1, where softmax rounds
     * logits that differ. */
    size_t tied[2], saturated[2];
} Metrics;

/* Metrics in the order of metrics.json; index of metrics_names and MetricsIntervals.of. */
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

/* Description of a metric, a double at `offset` in Metrics. */
typedef struct MetricName {
    const char *name;    /* key in metrics.json */
    const char *heading; /* short, for a column: "AP" */
    const char *title;   /* for a row: "average precision" */
    size_t offset;
    int better; /* 1: higher is better, -1: lower is better, 0: no direction (threshold) */
} MetricName;

extern const MetricName metrics_names[METRICS_NAMES]; /* in the order of metrics.json */

/* The metric metrics_names[index], index in [0, METRICS_NAMES). */
double metrics_value(const Metrics *metrics, int index);

/* Counts 0, all metrics NaN. */
Metrics metrics_undefined(void);

/*
 * Computes all metrics of scores [n] (finite; higher = more likely fake) and labels [n] (0 real, 1
 * fake: asserted). Both are borrowed. The result is bit-identical for any order of the rows.
 * STATUS_FAILED if n = 0 or n > 2^32 - 1, a score is not finite, or memory runs out; *metrics is
 * then undefined. Thread-safe.
 */
Status metrics_compute(const double *scores, const uint8_t *labels, size_t n, Metrics *metrics,
                       Error *error);

/*
 * metrics_compute with a thread pool (NULL: calling thread only) and ranks [n]: finite scores, such
 * as margins, that order the rows instead of p_fake; NULL or `scores` itself: order by p_fake.
 * auroc, ap, map, eer, tpr_at_fpr, partial_auroc, repeated and tied use ranks. All metrics at a
 * threshold (accuracy, F1, eer_threshold, *_at_eer) and brier, log_loss and ece use p_fake. map
 * scores class real by the negated rank, which unlike 1 - p_fake is exact. Bit-identical for any
 * number of threads.
 */
Status metrics_on(Threads *threads, const double *scores, const double *ranks,
                  const uint8_t *labels, size_t n, Metrics *metrics, Error *error);

/* ---- intervals ------------------------------------------------------------------------------- */

/* The 97.5 % quantile of the standard normal distribution. */
#define METRICS_NORMAL_975 1.959963984540054

/* A 95 % confidence interval; both ends are NaN if undefined. */
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

/* Name in metrics.json: "delong_videos", "bootstrap_videos", "delong_rows", "bootstrap_rows" or
 * "". */
const char *metrics_interval_method_name(MetricsIntervalMethod method);

/* The intervals of one Metrics. */
typedef struct MetricsIntervals {
    MetricsInterval of[METRICS_NAMES]; /* by Metric */
    MetricsIntervalMethod auroc;       /* method of of[METRICS_AUROC] */
    MetricsIntervalMethod others;      /* method of all others */
} MetricsIntervals;

/* All intervals NaN. */
MetricsIntervals metrics_intervals_none(void);

/* A metric compared between two score files. */
typedef struct MetricsDifference {
    double a, b;
    double difference;        /* b - a */
    MetricsInterval interval; /* 95 % interval of the difference */
    double p;                 /* two-sided p-value of "no difference"; NaN if undefined */
    bool p_lowest;            /* p is the lowest that the bootstrap can give: at most this */
    MetricsIntervalMethod method;
} MetricsDifference;

#endif
