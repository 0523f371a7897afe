/*
 * chart_axis.c - see chart_axis.h.
 */
#include "train/plot/chart_axis_private.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The smallest of 1, 2, 5 times a power of ten that is at least `step`. */
static double nice_step(double step)
{
    const double power = pow(10, floor(log10(step)));
    static const double leads[] = {1, 2, 5, 10};
    for (int i = 0; i < 4; i++)
        if (leads[i] * power >= step * (1 - 1e-9))
            return leads[i] * power;
    return 10 * power;
}

/* Short: 0.25, 1500, 12k, 3M, 1e-07. `step` tells how many decimals ticks differ in. */
static void label_tick(char out[16], double value, double step)
{
    const double size = fabs(value);
    const int decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    if (size < step * 1e-6)
        snprintf(out, 16, "0");
    else if (size >= 1e9 || decimals > 6)
        snprintf(out, 16, "%.4g", value);
    else if (size >= 1e6)
        snprintf(out, 16, "%gM", value / 1e6);
    else if (size >= 1e4)
        snprintf(out, 16, "%gk", value / 1e3);
    else
        snprintf(out, 16, "%.*f", decimals, value);
}

static void put_tick(PlotScale *scale, double value, double step)
{
    if (scale->tick_count == PLOT_TICKS)
        return;
    label_tick(scale->labels[scale->tick_count], value, step);
    scale->ticks[scale->tick_count++] = value;
}

static void linear_ticks(PlotScale *scale, int wanted, bool integers, bool round)
{
    double step = nice_step((scale->high - scale->low) / wanted);
    if (integers && step < 1)
        step = 1;
    const double slack = 1e-9 * step;
    if (round) {
        scale->low = floor((scale->low + slack) / step) * step;
        scale->high = ceil((scale->high - slack) / step) * step;
        if (!(scale->low < scale->high)) /* integers around a range far below 1 */
            scale->high = scale->low + step;
    }
    /* A counter, since adding 1 to a large double changes nothing. */
    const double first = ceil((scale->low - slack) / step);
    for (int i = 0; i < PLOT_TICKS && (first + i) * step <= scale->high + slack; i++)
        put_tick(scale, (first + i) * step, step);
}

/* Powers of ten; between few of them 2 and 5 times these. */
static void logarithmic_ticks(PlotScale *scale)
{
    const bool few = scale->high - scale->low < 2;
    for (double i = floor(scale->low); i <= scale->high + 1e-9; i++)
        for (int lead = 1; lead <= 5; lead += lead == 1 ? 1 : 3) {
            const double value = lead * pow(10, i), at = log10(value);
            if (at >= scale->low - 1e-9 && at <= scale->high + 1e-9 && (few || lead == 1))
                put_tick(scale, value, pow(10, i));
        }
}

PlotScale plot_scale(const PlotAxis *axis, double low, double high, int wanted, bool round)
{
    assert(wanted > 0);
    if (axis->categories)
        return (PlotScale){.low = -0.5, .high = axis->category_count - 0.5};
    if (axis->fixed) {
        low = axis->low;
        high = axis->high;
    }
    if (!(low <= high)) {
        low = axis->logarithmic ? 0.1 : 0;
        high = 1;
    }
    low = fmin(fmax(low, -PLOT_GREATEST), PLOT_GREATEST);
    high = fmin(fmax(high, -PLOT_GREATEST), PLOT_GREATEST);
    PlotScale scale = {.low = low, .high = high, .logarithmic = axis->logarithmic};
    if (axis->logarithmic) {
        assert(low > 0);
        scale.low = log10(low);
        scale.high = log10(high);
    }
    if (scale.high - scale.low <= 1e-12 * fmax(1, fabs(scale.high))) { /* one value: room for it */
        /* As good as 0: steps of a range among the least doubles would be 0. */
        const bool zero = fabs(scale.high) < 1 / PLOT_GREATEST;
        const double room = zero ? 1 : 0.1 * fabs(scale.high);
        scale.low -= room;
        scale.high += room;
    }
    if (axis->logarithmic)
        logarithmic_ticks(&scale);
    else
        linear_ticks(&scale, wanted, axis->integers, round && !axis->fixed);
    return scale;
}

double plot_place(const PlotScale *scale, double value)
{
    if (!(fabs(value) <= PLOT_GREATEST))
        return NAN;
    const double at = !scale->logarithmic ? value : value > 0 ? log10(value) : (double)NAN;
    const double place = (at - scale->low) / (scale->high - scale->low);
    return isfinite(place) ? place : (double)NAN; /* too far from a narrow axis: nowhere */
}
