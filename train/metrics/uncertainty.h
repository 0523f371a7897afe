/*
 * uncertainty.h - intervals of all metrics of a data set: which method serves which.
 *
 * Frames of a video resemble each other, so an interval that takes them for independent rows is far
 * too narrow. The AUROC over videos gets DeLong's interval on the logit scale; everything else, at
 * both levels, a bootstrap that draws videos, apart for each class. A file without videos is taken
 * for independent rows, and says so.
 */
#ifndef LNCLIP_TRAIN_METRICS_UNCERTAINTY_H
#define LNCLIP_TRAIN_METRICS_UNCERTAINTY_H

#include "train/metrics/metrics.h"
#include "train/metrics/scores.h"

#include "tensor/threads.h"

typedef enum MetricsCiMode {
    METRICS_CI_AUTO, /* no bootstrap for a data set of more than METRICS_CI_ROWS rows */
    METRICS_CI_ON,
    METRICS_CI_OFF,
} MetricsCiMode;

enum { METRICS_CI_ROWS = 1000000, METRICS_CI_RESAMPLES = 2000, METRICS_CI_FEW_VIDEOS = 30 };

typedef struct MetricsUncertainty {
    MetricsCiMode mode;
    int resamples;    /* at least 100 (asserted) */
    uint64_t seed;    /* of the resamples */
    Threads *threads; /* NULL: the calling thread alone. Results do not depend on it */
} MetricsUncertainty;

/* METRICS_CI_AUTO, 2,000 resamples, seed 0, one thread. */
MetricsUncertainty metrics_uncertainty_defaults(void);

/* Whether the bootstrap runs for a data set of so many rows. */
bool metrics_uncertainty_resamples(const MetricsUncertainty *settings, size_t rows);

/* One level to find intervals for: rows of `set` chosen by train_scores_select_*. */
typedef enum MetricsLevel { METRICS_FRAMES, METRICS_VIDEOS, METRICS_VIDEO_MEDIANS } MetricsLevel;

/* The rows of a level; all arrays are [count] and belong to the set. */
typedef struct MetricsLevelRows {
    const double *scores, *ranks; /* as in MetricsScores */
    const uint8_t *labels;
    size_t count;
} MetricsLevelRows;

MetricsLevelRows metrics_level_rows(const MetricsScores *set, MetricsLevel level);

typedef struct MetricsLevelChoice {
    MetricsLevel level;
    int source; /* METRICS_NO_SOURCE: all rows */
} MetricsLevelChoice;

/*
 * Intervals of the metrics of `choices` [count] into intervals [count]. All choices see the same
 * resamples, which depend on the seed, the name of the data set and its videos alone. NaN where a
 * class has fewer than two videos (rows). STATUS_FAILED without memory.
 */
Status metrics_intervals(const MetricsScores *set, const MetricsLevelChoice *choices, int count,
                         const MetricsUncertainty *settings, MetricsIntervals *intervals,
                         Error *error);

#endif
