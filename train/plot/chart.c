/*
 * chart.c - see chart.h.
 *
 * layout() computes the space for title, legend and axis labels; the rest is the plot. The plot is
 * a nested <svg>, which clips the marks. Marks use its coordinates: viewBox pixels, y downwards.
 */
#include "train/plot/chart.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/c_locale.h"
#include "tensor/base/text.h"
#include "train/plot/chart_private.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 360,
    LINE_HEIGHT = 18, /* height of a line of text */
    HEADING = 32,     /* height of the title of a file */
    SWATCH = 22,      /* width of a legend symbol with its gap */
    GAP = 8,
    EDGE = 5,       /* marks may extend this far beyond the axes */
    TICK_ROOM = 72, /* minimum distance of ticks on the x axis; half of it on the y axis */
};

/* Estimated width of a character at 12 pixels, rather too large: text cannot be measured here. */
static const double CHARACTER = 7.1;

static const char STYLE[] =
    ".chart{color:#1c1e21;font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "max-width:100%;height:auto}\n"
    ".chart text{fill:currentColor;stroke:none}\n"
    ".chart .title{font-size:14px;font-weight:600}\n"
    ".chart .name{font-size:17px;font-weight:600}\n"
    ".chart .soft{color:#5c6066}\n"
    ".chart .paper{fill:#fff}\n"
    ".chart .grid{stroke:#8888;stroke-width:.5;fill:none}\n"
    ".chart .axis{stroke:#888;stroke-width:1;fill:none}\n"
    ".chart .line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}\n"
    ".chart .line.faint{stroke-width:1;stroke-opacity:.45}\n"
    ".chart .rule{fill:none;stroke:currentColor;stroke-width:1.2;stroke-dasharray:2 3}\n"
    ".chart .dashed{stroke-dasharray:6 4}\n"
    ".chart .band{fill:currentColor;fill-opacity:.2;stroke:none}\n"
    ".chart .band.faint{fill-opacity:.1}\n"
    ".chart .bar{fill:currentColor;fill-opacity:.75;stroke:currentColor;stroke-width:.5}\n"
    ".chart .point{fill:currentColor;stroke:none}\n"
    ".chart .error{fill:none;stroke:currentColor;stroke-width:1.2}\n"
    ".chart .bar+.error{stroke:#444}\n";

/* Based on the palette of Okabe and Ito; yellow and sky blue are darker, to be visible on white. */
static const char *const light[PLOT_COLOURS] = {"#0067a5", "#c44e00", "#00805c", "#b0508a",
                                                "#8a6d00", "#2f8fc4", "#5b3fa8", "#7a4b2a"};
static const char *const dark[PLOT_COLOURS] = {"#5cb3ec", "#ff9350", "#3fce9f", "#ec9ccb",
                                               "#e0c04a", "#9ad4f5", "#b39df5", "#cfa07c"};

void plot_write_style(FILE *stream)
{
    fputs(STYLE, stream);
    for (int i = 0; i < PLOT_COLOURS; i++)
        fprintf(stream, ".chart .k%d{color:%s}\n", i, light[i]);
    fputs("@media screen and (prefers-color-scheme:dark){\n.chart{color:#e6e6e6}\n"
          ".chart .soft{color:#a4a8ae}\n.chart .paper{fill:#16181b}\n"
          ".chart .bar+.error{stroke:#ddd}\n",
          stream);
    for (int i = 0; i < PLOT_COLOURS; i++)
        fprintf(stream, ".chart .k%d{color:%s}\n", i, dark[i]);
    fputs("}\n", stream);
}

/* ---- axes ------------------------------------------------------------------------------------ */

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

/* Formats a tick label: 0.25, 1500, 12k, 3M, 1e-07. `step` determines the number of decimals. */
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
        if (!(scale->low < scale->high)) /* integers: the range is far below 1 */
            scale->high = scale->low + step;
    }
    /* Counted, because adding 1 to a large double may not change it. */
    const double first = ceil((scale->low - slack) / step);
    for (int i = 0; i < PLOT_TICKS && (first + i) * step <= scale->high + slack; i++)
        put_tick(scale, (first + i) * step, step);
}

/* Ticks at powers of ten; if there are few, also at 2 and 5 times these. */
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
    if (scale.high - scale.low <=
        1e-12 * fmax(1, fabs(scale.high))) { /* a single value: widen the range */
        /* Treated as 0: steps in a range of subnormal numbers would be 0. */
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
    return isfinite(place) ? place : (double)NAN; /* overflow: too far from a narrow axis */
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* The entries of a legend are in columns of equal width. */
typedef struct Legend {
    int rows, columns;
    double column; /* width */
} Legend;

typedef struct Layout {
    const PlotChart *chart;
    double width, height;
    double left, top, plot_width, plot_height; /* position and size of the plot in the chart */
    Legend legend;
    bool slanted; /* category names are too long to be horizontal */
    double bar;   /* total width of the bars at one x, in x units */
    int bar_series;
    PlotScale x, y;
} Layout;

static double x_of(const PlotSeries *series, int i)
{
    return series->x ? series->x[i] : i;
}

static void include(double range[2], double value, const PlotAxis *axis)
{
    if (!(fabs(value) <= PLOT_GREATEST) || (axis->logarithmic && value <= 0))
        return;
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

/* Finds the range of the axes and the width of bars. */
static void find_ranges(Layout *layout, double x[2], double y[2])
{
    const PlotChart *chart = layout->chart;
    double nearest = INFINITY;
    for (int s = 0; s < chart->series_count; s++) {
        const PlotSeries *series = &chart->series[s];
        assert(series->mark == PLOT_BAND    ? series->low && series->high
               : series->mark == PLOT_RULES ? series->x != NULL
                                            : series->y != NULL);
        for (int i = 0; i < series->count; i++) {
            include(x, x_of(series, i), &chart->x);
            if (series->y)
                include(y, series->y[i], &chart->y);
            if (series->low)
                include(y, series->low[i], &chart->y);
            if (series->high)
                include(y, series->high[i], &chart->y);
            if (i > 0 && x_of(series, i) > x_of(series, i - 1))
                nearest = fmin(nearest, x_of(series, i) - x_of(series, i - 1));
        }
        if (series->mark != PLOT_BARS)
            continue;
        include(y, 0, &chart->y);
        layout->bar_series++;
    }
    layout->bar = 0.8 * (isfinite(nearest) ? nearest : 1);
    if (layout->bar_series > 0 && x[0] <= x[1]) {
        x[0] -= layout->bar / 2;
        x[1] += layout->bar / 2;
    }
}

static Legend find_legend(const PlotChart *chart, double width)
{
    Legend legend = {0};
    int names = 0;
    for (int s = 0; s < chart->series_count; s++) {
        const char *name = chart->series[s].name;
        if (!name)
            continue;
        names++;
        legend.column = fmax(legend.column, SWATCH + CHARACTER * text_width(name) + GAP);
    }
    if (names == 0)
        return legend;
    legend.columns = (int)fmin(fmax((width + GAP) / legend.column, 1), names);
    legend.rows = (names + legend.columns - 1) / legend.columns;
    return legend;
}

static double widest_label(const PlotScale *scale)
{
    size_t widest = 0;
    for (int i = 0; i < scale->tick_count; i++)
        widest = strlen(scale->labels[i]) > widest ? strlen(scale->labels[i]) : widest;
    return CHARACTER * (double)widest;
}

/* Computes the height of the category names below the plot, and if they are slanted. */
static double category_room(Layout *layout)
{
    const PlotAxis *axis = &layout->chart->x;
    double widest = 0;
    for (int i = 0; i < axis->category_count; i++)
        widest = fmax(widest, CHARACTER * text_width(axis->categories[i]));
    layout->slanted = (widest + GAP) * axis->category_count > layout->plot_width;
    return layout->slanted ? fmin(0.6 * widest, layout->height / 3) - GAP : 0;
}

static void find_layout(Layout *layout, const PlotChart *chart)
{
    double x[2] = {INFINITY, -INFINITY}, y[2] = {INFINITY, -INFINITY};
    *layout = (Layout){.chart = chart,
                       .width = chart->width > 0 ? chart->width : WIDTH,
                       .height = chart->height > 0 ? chart->height : HEIGHT};
    find_ranges(layout, x, y);
    layout->legend = find_legend(chart, layout->width - 2 * GAP);
    if (chart->grows)
        layout->height += layout->legend.rows * LINE_HEIGHT;
    layout->top = GAP + (chart->title ? 20 : 0) + layout->legend.rows * LINE_HEIGHT + GAP;
    const double below = LINE_HEIGHT + GAP + (chart->x.title ? LINE_HEIGHT : 0);
    layout->plot_height = layout->height - layout->top - below;

    const int rows = (int)fmax(2, 2 * layout->plot_height / TICK_ROOM);
    layout->y = plot_scale(&chart->y, y[0], y[1], rows, true);
    layout->left = GAP + widest_label(&layout->y) + GAP + (chart->y.title ? LINE_HEIGHT : 0);
    layout->plot_width = layout->width - layout->left - 3 * GAP;
    const int columns = (int)fmax(2, layout->plot_width / TICK_ROOM);
    layout->x = plot_scale(&chart->x, x[0], x[1], columns, false);
    if (chart->x.categories)
        layout->plot_height -= category_room(layout);
    assert(layout->plot_width > 0 && layout->plot_height > 0 && "the chart is large enough");
}

/* Positions in the plot in pixels; NaN if the value cannot be drawn. */
static double plot_x(const Layout *layout, double value)
{
    return plot_place(&layout->x, value) * layout->plot_width;
}

static double plot_y(const Layout *layout, double value)
{
    return (1 - plot_place(&layout->y, value)) * layout->plot_height;
}

/* ---- around the plot ------------------------------------------------------------------------- */

static void write_text(FILE *stream, double x, double y, const char *anchor, const char *attributes,
                       const char *text)
{
    fprintf(stream, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, attributes);
    text_print_xml(stream, text);
    fputs("</text>\n", stream);
}

static void open_colour(FILE *stream, const PlotSeries *series)
{
    assert(series->colour >= PLOT_MUTED && series->colour < PLOT_COLOURS);
    if (series->colour == PLOT_MUTED)
        fputs("<g class=\"soft\">", stream);
    else
        fprintf(stream, "<g class=\"k%d\">", series->colour);
}

static void write_swatch(FILE *stream, const PlotSeries *series, double x, double y)
{
    const double middle = y - 4;
    open_colour(stream, series);
    if (series->mark == PLOT_POINTS)
        fprintf(stream, "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", x + 8, middle);
    else if (series->mark == PLOT_BARS || series->mark == PLOT_BAND)
        fprintf(stream, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"10\"/>",
                series->mark == PLOT_BARS ? "bar" : "band", x, middle - 5);
    else if (series->mark == PLOT_RULES)
        fprintf(stream, "<path class=\"rule\" d=\"M%.1f %.1fv14\"/>", x + 8, middle - 7);
    else
        fprintf(stream, "<path class=\"line%s%s\" d=\"M%.1f %.1fh16\"/>",
                series->dashed ? " dashed" : "", series->faint ? " faint" : "", x, middle);
    fputs("</g>", stream);
}

static void write_legend(FILE *stream, const Layout *layout)
{
    const PlotChart *chart = layout->chart;
    const double top = GAP + (chart->title ? 20 : 0) + 12;
    int entry = 0;
    for (int s = 0; s < chart->series_count; s++) {
        const PlotSeries *series = &chart->series[s];
        if (!series->name)
            continue;
        const double x = GAP + entry % layout->legend.columns * layout->legend.column;
        const double y = top + entry / layout->legend.columns * LINE_HEIGHT;
        write_swatch(stream, series, x, y);
        write_text(stream, x + SWATCH, y, "start", "", series->name);
        entry++;
    }
}

static void write_y_axis(FILE *stream, const Layout *layout)
{
    const double right = layout->left + layout->plot_width;
    for (int i = 0; i < layout->y.tick_count; i++) {
        const double y = layout->top + plot_y(layout, layout->y.ticks[i]);
        fprintf(stream, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", layout->left, y, right);
        write_text(stream, layout->left - GAP, y + 4, "end", "", layout->y.labels[i]);
    }
    const char *title = layout->chart->y.title;
    if (!title)
        return;
    fprintf(stream, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", GAP + 8.0,
            layout->top + layout->plot_height / 2);
    write_text(stream, 0, 0, "middle", "", title);
    fputs("</g>", stream);
}

static void write_categories(FILE *stream, const Layout *layout)
{
    const PlotAxis *axis = &layout->chart->x;
    const double y = layout->top + layout->plot_height;
    for (int i = 0; i < axis->category_count; i++) {
        const double x = layout->left + plot_x(layout, i);
        if (!layout->slanted) {
            write_text(stream, x, y + LINE_HEIGHT, "middle", "", axis->categories[i]);
            continue;
        }
        fprintf(stream, "<g transform=\"translate(%.1f %.1f) rotate(-35)\">", x + 4, y + 14);
        write_text(stream, 0, 0, "end", "", axis->categories[i]);
        fputs("</g>", stream);
    }
}

static void write_x_axis(FILE *stream, const Layout *layout)
{
    const double bottom = layout->top + layout->plot_height;
    for (int i = 0; i < layout->x.tick_count; i++) {
        const double x = layout->left + plot_x(layout, layout->x.ticks[i]);
        fprintf(stream, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", x, bottom);
        write_text(stream, x, bottom + LINE_HEIGHT, "middle", "", layout->x.labels[i]);
    }
    write_categories(stream, layout);
    fprintf(stream, "<path class=\"axis\" d=\"M%.1f %.1fv%.1fh%.1f\"/>\n", layout->left,
            layout->top, layout->plot_height, layout->plot_width);
    if (layout->chart->x.title)
        write_text(stream, layout->left + layout->plot_width / 2, layout->height - GAP, "middle",
                   "", layout->chart->x.title);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void write_line(FILE *stream, const Layout *layout, const PlotSeries *series)
{
    bool drawing = false;
    fprintf(stream, "<path class=\"line%s%s\" d=\"", series->dashed ? " dashed" : "",
            series->faint ? " faint" : "");
    for (int i = 0; i < series->count; i++) {
        const double x = plot_x(layout, x_of(series, i)), y = plot_y(layout, series->y[i]);
        const bool there = isfinite(x) && isfinite(y);
        if (there && drawing && series->mark == PLOT_STEPS)
            fprintf(stream, "H%.1fV%.1f", x, y);
        else if (there)
            fprintf(stream, "%c%.1f %.1f", drawing ? 'L' : 'M', x, y);
        drawing = there;
    }
    fputs("\"/>\n", stream);
    /* A point between two gaps has no line: draw a dot. */
    if (series->count == 1 && isfinite(plot_x(layout, x_of(series, 0))) &&
        isfinite(plot_y(layout, series->y[0])))
        fprintf(stream, "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                plot_x(layout, x_of(series, 0)), plot_y(layout, series->y[0]));
}

static void write_rules(FILE *stream, const Layout *layout, const PlotSeries *series)
{
    for (int i = 0; i < series->count; i++) {
        const double x = plot_x(layout, series->x[i]);
        if (isfinite(x))
            fprintf(stream, "<path class=\"rule\" d=\"M%.1f 0V%.1f\"/>\n", x, layout->plot_height);
    }
}

/* One polygon for each run of finite points: along `high`, and back along `low`. */
static void write_band(FILE *stream, const Layout *layout, const PlotSeries *series)
{
    int first = 0;
    for (int i = 0; i <= series->count; i++) {
        const bool there = i < series->count && isfinite(plot_x(layout, x_of(series, i))) &&
                           isfinite(plot_y(layout, series->low[i])) &&
                           isfinite(plot_y(layout, series->high[i]));
        if (there)
            continue;
        if (i - first > 1) {
            fprintf(stream, "<path class=\"band%s\" d=\"M", series->faint ? " faint" : "");
            for (int j = first; j < i; j++)
                fprintf(stream, "%s%.1f %.1f", j > first ? "L" : "",
                        plot_x(layout, x_of(series, j)), plot_y(layout, series->high[j]));
            for (int j = i - 1; j >= first; j--)
                fprintf(stream, "L%.1f %.1f", plot_x(layout, x_of(series, j)),
                        plot_y(layout, series->low[j]));
            fputs("z\"/>\n", stream);
        }
        first = i + 1;
    }
}

/* Error bars from low to high. */
static void write_error(FILE *stream, const Layout *layout, const PlotSeries *series, int i,
                        double x)
{
    if (!series->low || !series->high)
        return;
    const double low = plot_y(layout, series->low[i]), high = plot_y(layout, series->high[i]);
    if (isfinite(low) && isfinite(high))
        fprintf(stream, "<path class=\"error\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8\"/>", x,
                low, high, x - 4, low, x - 4, high);
}

/* The tooltip of a mark. */
static void write_hint(FILE *stream, const PlotSeries *series, int i)
{
    fputs("<title>", stream);
    if (series->name) {
        text_print_xml(stream, series->name);
        fputs(": ", stream);
    }
    fprintf(stream, "%.4g", series->y[i]);
    if (series->low && series->high)
        fprintf(stream, " (%.4g to %.4g)", series->low[i], series->high[i]);
    fputs("</title>", stream);
}

static void write_points(FILE *stream, const Layout *layout, const PlotSeries *series)
{
    for (int i = 0; i < series->count; i++) {
        const double x = plot_x(layout, x_of(series, i)), y = plot_y(layout, series->y[i]);
        if (!isfinite(x) || !isfinite(y))
            continue;
        fprintf(stream, "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\">", x, y);
        write_hint(stream, series, i);
        fputs("</circle>", stream);
        write_error(stream, layout, series, i, x);
        fputs("\n", stream);
    }
}

/* `turn`: index of this series among the bar series of the chart. */
static void write_bars(FILE *stream, const Layout *layout, const PlotSeries *series, int turn)
{
    const double width = layout->bar / layout->bar_series;
    const double zero = fmin(fmax(plot_place(&layout->y, 0), 0), 1);
    const double base = (1 - (isfinite(zero) ? zero : 0)) * layout->plot_height;
    for (int i = 0; i < series->count; i++) {
        const double from = x_of(series, i) - layout->bar / 2 + turn * width;
        const double left = plot_x(layout, from), right = plot_x(layout, from + width);
        const double y = plot_y(layout, series->y[i]);
        if (!isfinite(left) || !isfinite(right) || !isfinite(y))
            continue;
        fprintf(stream, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
                left, fmin(y, base), right - left, fabs(base - y));
        write_hint(stream, series, i);
        fputs("</rect>", stream);
        write_error(stream, layout, series, i, (left + right) / 2);
        fputs("\n", stream);
    }
}

static void write_plot(FILE *stream, const Layout *layout)
{
    const PlotChart *chart = layout->chart;
    int turn = 0;
    fprintf(stream,
            "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
            "<g transform=\"translate(%d %d)\">\n",
            layout->left - EDGE, layout->top - EDGE, layout->plot_width + 2 * EDGE,
            layout->plot_height + 2 * EDGE, EDGE, EDGE);
    for (int s = 0; s < chart->series_count; s++) {
        const PlotSeries *series = &chart->series[s];
        open_colour(stream, series);
        if (series->mark == PLOT_BAND)
            write_band(stream, layout, series);
        else if (series->mark == PLOT_RULES)
            write_rules(stream, layout, series);
        else if (series->mark == PLOT_POINTS)
            write_points(stream, layout, series);
        else if (series->mark == PLOT_BARS)
            write_bars(stream, layout, series, turn++);
        else
            write_line(stream, layout, series);
        fputs("</g>", stream);
    }
    fputs("</g></svg>\n", stream);
}

/* ---- whole charts ---------------------------------------------------------------------------- */

static void write_inside(FILE *stream, const Layout *layout)
{
    const char *title = layout->chart->title;
    if (title)
        write_text(stream, GAP, GAP + 12, "start", " class=\"title\"", title);
    write_legend(stream, layout);
    fputs("<g class=\"soft\">\n", stream);
    write_y_axis(stream, layout);
    write_x_axis(stream, layout);
    fputs("</g>\n", stream);
    write_plot(stream, layout);
}

void plot_write(FILE *stream, const PlotChart *chart)
{
    const locale_t before = c_locale_begin();
    Layout layout;
    find_layout(&layout, chart);
    fprintf(stream, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\"",
            layout.width, layout.height, layout.width);
    const char *label = chart->label ? chart->label : chart->title;
    if (label) {
        fputs(" aria-label=\"", stream);
        text_print_xml(stream, label);
        fputs("\"", stream);
    }
    fputs(">\n", stream);
    write_inside(stream, &layout);
    fputs("</svg>\n", stream);
    c_locale_end(before);
}

void plot_write_file(FILE *stream, const char *title, const PlotChart *charts, int count)
{
    const locale_t before = c_locale_begin();
    double width = 0, height = HEADING;
    for (int i = 0; i < count; i++) {
        Layout layout;
        find_layout(&layout, &charts[i]);
        width = fmax(width, layout.width);
        height += layout.height;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", stream);
    fprintf(stream,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 %.0f %.0f\" "
            "width=\"%.0f\">\n<title>",
            width, height, width);
    text_print_xml(stream, title);
    fputs("</title>\n<style>\n", stream);
    plot_write_style(stream);
    fputs("</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n", stream);
    write_text(stream, GAP, HEADING - GAP, "start", " class=\"name\"", title);
    double y = HEADING;
    for (int i = 0; i < count; i++) {
        Layout layout;
        find_layout(&layout, &charts[i]);
        fprintf(stream, "<g transform=\"translate(0 %.0f)\">\n", y);
        write_inside(stream, &layout);
        fputs("</g>\n", stream);
        y += layout.height;
    }
    fputs("</svg>\n", stream);
    c_locale_end(before);
}

/* ---- long series ----------------------------------------------------------------------------- */

int plot_summarise(const double *values, int count, int limit, double *x, double *y, double *low,
                   double *high)
{
    assert(limit > 0);
    const int part = max_int(1, (int)ceil_div(count, limit));
    int parts = 0;
    for (int first = 0; first < count; first += part, parts++) {
        const int end = min_int(first + part, count);
        double sum = 0, least = values[first], most = values[first];
        for (int i = first; i < end; i++) {
            sum += values[i];
            least = fmin(least, values[i]);
            most = fmax(most, values[i]);
        }
        x[parts] = 0.5 * (first + end - 1);
        y[parts] = sum / (end - first);
        if (low)
            low[parts] = least;
        if (high)
            high[parts] = most;
    }
    return parts;
}
