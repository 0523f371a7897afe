/*
 * chart_private.h - the scale of an axis: ends, ticks, positions. Private to train/plot/ and its
 * test.
 *
 * Tests: tests/test_chart.c.
 */
#ifndef LNCLIP_TRAIN_PLOT_CHART_PRIVATE_H
#define LNCLIP_TRAIN_PLOT_CHART_PRIVATE_H

#include "train/plot/chart.h"

enum { PLOT_TICKS = 32 }; /* maximum per axis */

/* Larger values are not drawn: their differences would overflow. */
#define PLOT_GREATEST 1e300

typedef struct PlotScale {
    double low, high; /* ends; log10 of the ends if logarithmic */
    bool logarithmic;
    double ticks[PLOT_TICKS]; /* [tick_count] values */
    char labels[PLOT_TICKS][16];
    int tick_count;
} PlotScale;

/*
 * The scale of an axis for values from `low` to `high` (low > high: no values), with about `wanted`
 * ticks at 1, 2 or 5 times a power of ten. `round` extends the ends to ticks. Terminates for any
 * two doubles: ends are clipped to PLOT_GREATEST, NaN counts as no value. Categories have no ticks;
 * their ends are -0.5 and count - 0.5.
 */
PlotScale plot_scale(const PlotAxis *axis, double low, double high, int wanted, bool round);

/* Position of `value`: 0 at the low end, 1 at the high end; NaN if it cannot be drawn. */
double plot_place(const PlotScale *scale, double value);

#endif
