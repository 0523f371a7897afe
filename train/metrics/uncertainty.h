/*
 * uncertainty.h - confidence intervals of all metrics of a data set.
 *
 * Frames of one video are correlated, so an interval that assumes independent frames is much too
 * narrow. The video AUROC gets DeLong's interval on the logit scale; all other metrics, of frames
 * and of videos, a bootstrap over videos, stratified by class. Rows of a file without videos are
 * assumed to be independent; the method name says so.
 *
 * Tests: tests/test_uncertainty.c.
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
    uint64_t seed;    /* random seed of the resamples */
    Threads *threads; /* NULL: calling thread only. Results do not depend on it */
} MetricsUncertainty;

/* METRICS_CI_AUTO, 2,000 resamples, seed 0, one thread. */
MetricsUncertainty metrics_uncertainty_defaults(void);

/* True if the bootstrap runs for a data set of `rows` rows. */
bool metrics_uncertainty_resamples(const MetricsUncertainty *settings, size_t rows);

/* The level of an interval. */
typedef enum MetricsLevel { METRICS_FRAMES, METRICS_VIDEOS, METRICS_VIDEO_MEDIANS } MetricsLevel;

/* The rows of a level. Arrays are [count], borrowed from the set. */
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
 * Computes intervals [count] for choices [count]. All choices use the same resamples, which depend
 * only on the seed, the name of the data set and its videos. NaN if a class has fewer than two
 * videos (rows). STATUS_FAILED if out of memory.
 */
Status metrics_intervals(const MetricsScores *set, const MetricsLevelChoice *choices, int count,
                         const MetricsUncertainty *settings, MetricsIntervals *intervals,
                         Error *error);

#endif
