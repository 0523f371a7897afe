/*
 * interval.c - see interval.h.
 */
#include "train/metrics/interval.h"

#include <math.h>

const char *metrics_interval_method_name(MetricsIntervalMethod method)
{
    static const char *const names[] = {
        [METRICS_INTERVAL_NONE] = "",
        [METRICS_INTERVAL_DELONG] = "delong_videos",
        [METRICS_INTERVAL_BOOTSTRAP] = "bootstrap_videos",
        [METRICS_INTERVAL_DELONG_ROWS] = "delong_rows",
        [METRICS_INTERVAL_BOOTSTRAP_ROWS] = "bootstrap_rows",
    };
    _Static_assert(sizeof names / sizeof names[0] == METRICS_INTERVAL_METHODS, "a name for each");
    return names[method];
}

MetricsIntervals metrics_intervals_none(void)
{
    MetricsIntervals none = {.auroc = METRICS_INTERVAL_NONE, .others = METRICS_INTERVAL_NONE};
    for (int i = 0; i < METRICS_NAMES; i++)
        none.of[i] = (MetricsInterval){NAN, NAN};
    return none;
}
