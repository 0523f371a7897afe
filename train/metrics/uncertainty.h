/*
 * uncertainty.h - intervals of all metrics of a data set: which method serves which.
 *
 * Frames of a video resemble each other, so an interval that takes them for independent rows is far too narrow. The
 * AUROC over videos gets DeLong's interval on the logit scale; everything else, at both levels, a bootstrap that
 * draws videos, apart for each class. A file without videos is taken for independent rows, and says so.
 */
#ifndef LNCLIP_TRAIN_METRICS_UNCERTAINTY_H
#define LNCLIP_TRAIN_METRICS_UNCERTAINTY_H

#include "train/metrics/interval.h"
#include "train/metrics/scores.h"

#include "tensor/threads.h"

typedef enum TrainCiMode {
    TRAIN_CI_AUTO, /* no bootstrap for a data set of more than TRAIN_CI_ROWS rows */
    TRAIN_CI_ON,
    TRAIN_CI_OFF,
} TrainCiMode;

enum { TRAIN_CI_ROWS = 1000000, TRAIN_CI_RESAMPLES = 2000, TRAIN_CI_FEW_VIDEOS = 30 };

typedef struct TrainUncertainty {
    TrainCiMode mode;
    int resamples;    /* at least 100 (asserted) */
    uint64_t seed;    /* of the resamples */
    Threads *threads; /* NULL: the calling thread alone. Results do not depend on it */
} TrainUncertainty;

/* TRAIN_CI_AUTO, 2,000 resamples, seed 0, one thread. */
TrainUncertainty train_uncertainty_defaults(void);

/* Whether the bootstrap runs for a data set of so many rows. */
bool train_uncertainty_resamples(const TrainUncertainty *settings, size_t rows);

/* One level to find intervals for: rows of `set` chosen by train_scores_select_*. */
typedef enum TrainLevel { TRAIN_FRAMES, TRAIN_VIDEOS, TRAIN_VIDEO_MEDIANS } TrainLevel;

/* The rows of a level; all arrays are [count] and belong to the set. */
typedef struct TrainLevelRows {
    const double *scores, *ranks; /* as in TrainScores */
    const uint8_t *labels;
    size_t count;
} TrainLevelRows;

TrainLevelRows train_level_rows(const TrainScores *set, TrainLevel level);

typedef struct TrainLevelChoice {
    TrainLevel level;
    int source; /* TRAIN_NO_SOURCE: all rows */
} TrainLevelChoice;

/*
 * Intervals of the metrics of `choices` [count] into intervals [count]. All choices see the same resamples, which
 * depend on the seed, the name of the data set and its videos alone. NaN where a class has fewer than two videos (rows).
 * STATUS_FAILED without memory.
 */
Status train_intervals(const TrainScores *set, const TrainLevelChoice *choices, int count,
                       const TrainUncertainty *settings, TrainIntervals *intervals, Error *error);

#endif
