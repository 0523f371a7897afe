/*
 * chart.h - writes SVG charts: the curves of a run and the figures of a report.
 *
 * A chart is described by plain structs that point to the caller's values and is written by one
 * call. Nothing is allocated or kept; equal values give identical bytes. Charts scale with their
 * viewBox. Colours are CSS classes (plot_write_style) with a light and a dark set; print uses the
 * light one. No scripts, fonts or external resources.
 *
 *     const PlotSeries series[] = {
 *         {.mark = PLOT_BAND, .x = x, .low = low, .high = high, .count = n, .colour = 0},
 *         {.mark = PLOT_LINE, .name = "video", .x = x, .y = y, .count = n, .colour = 0},
 *     };
 *     const PlotChart chart = {
 *         .title = "ROC", .series = series, .series_count = 2,
 *         .x = {.title = "false positives", .low = 0, .high = 1, .fixed = true}, ...
 *     };
 *     plot_write(stream, &chart);
 *
 * Write errors are left to ferror(stream). Thread-safe.
 *
 * Tests: tests/test_chart.c.
 */
#ifndef LNCLIP_TRAIN_PLOT_CHART_H
#define LNCLIP_TRAIN_PLOT_CHART_H

#include <stdbool.h>
#include <stdio.h>

typedef enum PlotMark {
    PLOT_LINE,   /* connects the points; a value that is not finite makes a gap */
    PLOT_STEPS,  /* horizontal to the next x, then vertical: ROC curves, histograms */
    PLOT_BARS,   /* from 0; several bar series are drawn next to each other */
    PLOT_BAND,   /* filled area between low and high; no y needed */
    PLOT_POINTS, /* dots */
    PLOT_RULES   /* vertical lines at x over the whole height; no y needed */
} PlotMark;

/* Colours 0 to 7 are distinguishable, also for most colour-blind readers. */
enum { PLOT_COLOURS = 8, PLOT_MUTED = -1 /* grey, for reference lines */ };

typedef struct PlotSeries {
    PlotMark mark;
    const char *name;   /* text in the legend, any bytes; NULL: not in the legend */
    const double *x;    /* [count]; NULL: 0, 1, 2, ... */
    const double *y;    /* [count] */
    const double *low;  /* [count] lower end of a band or error bar; NULL: no error bars */
    const double *high; /* [count] upper end */
    int count;
    int colour;  /* 0 to PLOT_COLOURS - 1, or PLOT_MUTED */
    bool dashed; /* PLOT_LINE and PLOT_STEPS only */
    bool faint;  /* thin and pale: raw values behind a smoothed line; bands: more transparent */
} PlotSeries;

typedef struct PlotAxis {
    const char *title; /* NULL: none */
    bool fixed;        /* the axis ends at low and high; otherwise it fits the data */
    double low, high;
    bool integers;    /* ticks at integers only */
    bool logarithmic; /* ticks at powers of ten; values <= 0 are not drawn */
    const char *const
        *categories; /* [category_count] names at 0, 1, ...; x axis only; NULL: numbers */
    int category_count;
} PlotAxis;

typedef struct PlotChart {
    const char *title; /* NULL: none */
    const char *label; /* description for screen readers; NULL: the title */
    PlotAxis x, y;
    const PlotSeries *series; /* [series_count], drawn in this order */
    int series_count;
    int width, height; /* size of the viewBox; 0: 640 x 360 */
    bool grows;        /* the legend adds to `height`, so that all plots have the same height */
} PlotChart;

/*
 * Summarises values [count] in equal parts of consecutive values, `limit` parts at most: x is the
 * middle of a part, counted from 0; y its mean; low and high, NULL or like x and y [limit], its
 * lowest and highest value. Returns the number of parts.
 */
int plot_summarise(const double *values, int count, int limit, double *x, double *y, double *low,
                   double *high);

/* Writes the chart as an <svg> element for HTML; the page needs plot_write_style once. */
void plot_write(FILE *stream, const PlotChart *chart);

/* Writes the CSS of all charts, for use inside <style>. */
void plot_write_style(FILE *stream);

/* Writes charts [count], one below the other, as a standalone SVG file under a visible title. */
void plot_write_file(FILE *stream, const char *title, const PlotChart *charts, int count);

#endif
