/*
 * chart.h - small charts as SVG: the curves of a run, and the figures of a report.
 *
 * A chart is described by plain structs that point at the caller's numbers, and written in one
 * call: nothing is allocated, nothing is kept, and the same numbers give the same bytes. It scales
 * with its viewBox, so that it fits a phone; colours are CSS classes (plot_write_style) with a
 * light and a dark set, and the light one on paper. No script, no fonts, nothing fetched.
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
 * Write errors stay with the stream. Any thread.
 */
#ifndef LNCLIP_TRAIN_PLOT_CHART_H
#define LNCLIP_TRAIN_PLOT_CHART_H

#include <stdbool.h>
#include <stdio.h>

typedef enum PlotMark {
    PLOT_LINE,  /* from point to point; one that is not finite breaks it */
    PLOT_STEPS, /* level up to the next x, then up or down: ROC curves, histograms */
    PLOT_BARS,  /* from 0; bar series of a chart stand side by side */
    PLOT_BAND,  /* filled between low and high; needs no y */
    PLOT_POINTS /* dots */
} PlotMark;

/* Colours 0 to 7 can be told apart, also by most colour-blind readers; a band takes that of its
 * line. */
enum { PLOT_COLOURS = 8, PLOT_MUTED = -1 /* for what is only a reference */ };

typedef struct PlotSeries {
    PlotMark mark;
    const char *name;   /* in the legend, any bytes; NULL: not in it */
    const double *x;    /* [count]; NULL: 0, 1, 2, ... */
    const double *y;    /* [count] */
    const double *low;  /* [count] of a band, or of the error bars of bars and points; NULL: none */
    const double *high; /* [count] likewise */
    int count;
    int colour;  /* 0 to PLOT_COLOURS - 1, or PLOT_MUTED */
    bool dashed; /* LINE and STEPS */
} PlotSeries;

typedef struct PlotAxis {
    const char *title; /* NULL: none */
    bool fixed;        /* low and high are the ends; else the data decide */
    double low, high;
    bool integers;    /* ticks at whole numbers only */
    bool logarithmic; /* ticks at powers of ten; numbers that are not above 0 are left out */
    const char *const
        *categories; /* [category_count] names at 0, 1, ...; x axis only; NULL: numbers */
    int category_count;
} PlotAxis;

typedef struct PlotChart {
    const char *title; /* NULL: none */
    const char *label; /* what a screen reader says; NULL: the title */
    PlotAxis x, y;
    const PlotSeries *series; /* [series_count], drawn in this order */
    int series_count;
    int width, height; /* of the viewBox; 0: 640 x 360 */
} PlotChart;

/* The chart as an <svg> element to stand in HTML; the page needs plot_write_style once. */
void plot_write(FILE *stream, const PlotChart *chart);

/* The CSS of all charts, to stand within <style>. */
void plot_write_style(FILE *stream);

/* Charts [count], one below the other, as an SVG file of its own that `title` names. */
void plot_write_file(FILE *stream, const char *title, const PlotChart *charts, int count);

#endif
