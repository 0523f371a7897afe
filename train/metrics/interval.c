/*
 * interval.c - see interval.h.
 */
#include "train/metrics/interval.h"

#include <math.h>

const char *train_interval_method_name(TrainIntervalMethod method)
{
    static const char *const names[] = {
        [TRAIN_INTERVAL_NONE] = "",
        [TRAIN_INTERVAL_DELONG] = "delong_videos",
        [TRAIN_INTERVAL_BOOTSTRAP] = "bootstrap_videos",
        [TRAIN_INTERVAL_DELONG_ROWS] = "delong_rows",
        [TRAIN_INTERVAL_BOOTSTRAP_ROWS] = "bootstrap_rows",
    };
    _Static_assert(sizeof names / sizeof names[0] == TRAIN_INTERVAL_METHODS, "a name for each");
    return names[method];
}

TrainIntervals train_intervals_none(void)
{
    TrainIntervals none = {.auroc = TRAIN_INTERVAL_NONE, .others = TRAIN_INTERVAL_NONE};
    for (int i = 0; i < TRAIN_METRIC_NAMES; i++)
        none.of[i] = (TrainInterval){NAN, NAN};
    return none;
}
