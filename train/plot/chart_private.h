/*
 * chart_private.h - an axis of a chart: its ends, its ticks, and where a number lies on it; private
 * to train/plot/ and its test.
 */
#ifndef LNCLIP_TRAIN_PLOT_CHART_PRIVATE_H
#define LNCLIP_TRAIN_PLOT_CHART_PRIVATE_H

#include "train/plot/chart.h"

enum { PLOT_TICKS = 32 }; /* at most on an axis */

/* Numbers beyond are drawn no more than infinity is: their differences and round numbers near them
 * overflow. */
#define PLOT_GREATEST 1e300

typedef struct PlotScale {
    double low, high; /* ends; logarithms to base 10 if logarithmic */
    bool logarithmic;
    double ticks[PLOT_TICKS]; /* [tick_count] values */
    char labels[PLOT_TICKS][16];
    int tick_count;
} PlotScale;

/*
 * An axis over numbers from `low` to `high` (low > high: there are none) with about `wanted` ticks
 * at 1, 2 or 5 times a power of ten. Terminates for any two doubles: ends beyond PLOT_GREATEST are
 * held there, NaN is no number. `round` extends the ends to ticks. Categories have none of these:
 * their ends are -0.5 and count - 0.5.
 */
PlotScale plot_scale(const PlotAxis *axis, double low, double high, int wanted, bool round);

/* Where `value` lies: 0 at the low end, 1 at the high end; NaN where it lies nowhere. */
double plot_place(const PlotScale *scale, double value);

#endif
