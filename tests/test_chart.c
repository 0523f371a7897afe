/*
 * test_chart.c - charts as SVG: where marks stand, ticks, and that any numbers and names give
 * well-formed XML.
 */
#include "tests/support.h"

#include "tensor/base/text.h"
#include "train/plot/chart.h"
#include "train/plot/chart_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) /* else gcc 12 takes the text for a dangling pointer */
static char *
written(const PlotChart *charts, int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    if (count > 0)
        plot_write_file(stream, "a file", charts, count);
    else
        plot_write(stream, charts);
    fclose(stream);
    return text;
}

/* Elements are closed in the order they were opened, attributes are quoted, and "&" and "<" stand
 * alone nowhere. */
static void check_well_formed(const char *text)
{
    char stack[64][32];
    int depth = 0;
    for (const char *at = text; *at;) {
        if (*at == '&') {
            const char *const end = strchr(at, ';');
            ck_assert_msg(end && end - at < 7, "a bare &: %.40s", at);
        }
        if (*at != '<') {
            at++;
            continue;
        }
        const char *const end = strchr(at, '>');
        ck_assert_ptr_nonnull(end);
        int quotes = 0;
        for (const char *c = at + 1; c < end; c++) {
            ck_assert_msg(*c != '<', "a bare <: %.40s", at);
            quotes += *c == '"';
        }
        ck_assert_int_eq(quotes % 2, 0);
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, " />"), at + 1);
        if (at[1] == '/') {
            snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 2, ">"), at + 2);
            ck_assert_int_gt(depth, 0);
            ck_assert_str_eq(stack[--depth], name);
        } else if (at[1] != '?' && end[-1] != '/') {
            ck_assert_int_lt(depth, 64);
            snprintf(stack[depth++], 32, "%s", name);
        }
        at = end + 1;
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_msg(!strstr(text, "nan") && !strstr(text, "inf"), "a place that is no number");
}

static int occurrences(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        count++;
    return count;
}

static void check_ticks(const PlotScale *scale, const char *expected)
{
    char text[512] = "";
    for (int i = 0; i < scale->tick_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 scale->labels[i]);
    ck_assert_str_eq(text, expected);
}

START_TEST(ticks_are_round_numbers)
{
    const PlotAxis plain = {0}, integers = {.integers = true}, log = {.logarithmic = true};
    PlotScale scale = plot_scale(&plain, 0.13, 0.94, 5, true);
    check_ticks(&scale, "0 0.2 0.4 0.6 0.8 1.0");
    ck_assert_double_eq(plot_place(&scale, 0.5), 0.5);
    scale = plot_scale(&plain, 0.13, 0.94, 5, false);
    check_ticks(&scale, "0.2 0.4 0.6 0.8");
    ck_assert_double_eq(plot_place(&scale, 0.13), 0);
    scale = plot_scale(&plain, -3, 9, 5, true);
    check_ticks(&scale, "-5 0 5 10");
    scale = plot_scale(&plain, 0, 115200, 5, false);
    check_ticks(&scale, "0 50k 100k");
    scale = plot_scale(&plain, 0, 3e-5, 3, true);
    check_ticks(&scale, "0 0.00001 0.00002 0.00003");
    scale = plot_scale(&integers, 1, 3, 8, false);
    check_ticks(&scale, "1 2 3");
    scale = plot_scale(&log, 0.001, 1, 5, false);
    check_ticks(&scale, "0.001 0.01 0.1 1");
    ck_assert_double_eq_tol(plot_place(&scale, 0.1), 2.0 / 3, 1e-12);
    ck_assert(isnan(plot_place(&scale, 0)));
    scale = plot_scale(&log, 0.02, 0.5, 5, false);
    check_ticks(&scale, "0.02 0.05 0.1 0.2 0.5");
    /* One number, and none at all. */
    scale = plot_scale(&plain, 0.5, 0.5, 4, true);
    ck_assert_int_ge(scale.tick_count, 2);
    ck_assert(plot_place(&scale, 0.5) > 0 && plot_place(&scale, 0.5) < 1);
    scale = plot_scale(&plain, INFINITY, -INFINITY, 5, true);
    check_ticks(&scale, "0 0.2 0.4 0.6 0.8 1.0");
}
END_TEST

/* A loss of 1.8e308 in steps.csv used to make an axis without end. */
START_TEST(axes_of_any_numbers_end)
{
    static const double ends[] = {
        0,     5e-324,  1e-310, 1e-300,   1,  1 + 1e-15, 1e15,     9007199254740993.0,
        1e300, 1.7e308, NAN,    INFINITY, -1, -1e-310,   -1.7e308, -INFINITY};
    enum { ENDS = sizeof ends / sizeof ends[0] };
    for (int k = 0; k < ENDS * ENDS * 8; k++) {
        const double low = ends[k % ENDS], high = ends[k / ENDS % ENDS];
        const int kind = k / (ENDS * ENDS);
        const bool logarithmic = kind & 1, fixed = low <= high && (kind & 4);
        if (logarithmic && !(low > 0))
            continue;
        const PlotAxis axis = {.logarithmic = logarithmic,
                               .integers = kind & 2,
                               .fixed = fixed,
                               .low = low,
                               .high = high};
        const PlotScale scale = plot_scale(&axis, low, high, 5, kind & 2);
        ck_each(isfinite(scale.low) && isfinite(scale.high) && scale.low < scale.high,
                "%g to %g: an axis from %g to %g", low, high, scale.low, scale.high);
        ck_assert_int_le(scale.tick_count, PLOT_TICKS);
        for (int i = 0; i < ENDS; i++)
            ck_assert(!isinf(plot_place(&scale, ends[i])));
    }
    /* And a chart of them, every mark. */
    for (int mark = PLOT_LINE; mark <= PLOT_POINTS; mark++) {
        double low[ENDS], high[ENDS];
        for (int i = 0; i < ENDS; i++) {
            low[i] = -ends[i];
            high[i] = ends[i];
        }
        const PlotSeries series = {
            .mark = (PlotMark)mark, .x = ends, .y = high, .low = low, .high = high, .count = ENDS};
        const PlotChart chart = {.title = "any", .series = &series, .series_count = 1};
        char *const text = written(&chart, 0);
        ck_assert_ptr_null(strstr(text, "inf"));
        ck_assert_ptr_null(strstr(text, "nan"));
        free(text);
    }
}
END_TEST

/* Axes from 0 to 1 in a plot whose place is read from the file: a line must end in its corners. */
START_TEST(marks_stand_where_their_numbers_say)
{
    const double x[] = {0, 0.5, 1}, y[] = {0, 1, NAN};
    const PlotSeries line = {.mark = PLOT_LINE, .x = x, .y = y, .count = 3};
    PlotSeries steps = line;
    steps.mark = PLOT_STEPS;
    steps.colour = 1;
    const PlotSeries both[] = {line, steps};
    const PlotChart chart = {.x = {.fixed = true, .low = 0, .high = 1},
                             .y = {.fixed = true, .low = 0, .high = 1},
                             .series = both,
                             .series_count = 2,
                             .width = 400,
                             .height = 200};
    char *const text = written(&chart, 0);
    check_well_formed(text);
    double left, top, width, height;
    const char *const plot = strstr(text, "<svg x=");
    ck_assert_ptr_nonnull(plot);
    ck_assert_int_eq(sscanf(plot, "<svg x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &left,
                            &top, &width, &height),
                     4);
    width -= 10; /* marks may stand out by 5 on each side */
    height -= 10;
    char expected[128];
    snprintf(expected, sizeof expected, "d=\"M0.0 %.1fL%.1f 0.0\"", height, width / 2);
    ck_assert_ptr_nonnull(strstr(text, expected));
    snprintf(expected, sizeof expected, "d=\"M0.0 %.1fH%.1fV0.0\"", height, width / 2);
    ck_assert_ptr_nonnull(strstr(text, expected));
    ck_assert(left + width < 400 && top + height < 200);
    free(text);
}
END_TEST

START_TEST(bars_stand_side_by_side_on_zero)
{
    const double a[] = {2, -1}, b[] = {1, 1}, low[] = {0.5, 0.5}, high[] = {1.5, 1.5};
    const char *const names[] = {"first", "a \"second\" <b> & 'c' \xff\n"};
    const PlotSeries series[] = {
        {.mark = PLOT_BARS, .name = "a", .y = a, .count = 2},
        {.mark = PLOT_BARS, .name = "b", .y = b, .low = low, .high = high, .count = 2, .colour = 1},
    };
    const PlotChart chart = {.title = "<&>",
                             .x = {.categories = names, .category_count = 2},
                             .series = series,
                             .series_count = 2};
    char *const text = written(&chart, 1);
    check_well_formed(text);
    ck_assert_int_eq(occurrences(text, "<rect class=\"bar\" x"), 2 + 4); /* and the legend's */
    ck_assert_int_eq(occurrences(text, "class=\"error\""), 2);
    ck_assert_ptr_nonnull(
        strstr(text, "a &quot;second&quot; &lt;b&gt; &amp; &#39;c&#39; \\xff\\n"));
    double x[4], y[4], width[4], height[4];
    const char *at = strstr(text, "<svg x=");
    for (int i = 0; i < 4; i++) {
        at = strstr(at + 1, "<rect class=\"bar\" x");
        ck_assert_int_eq(sscanf(at,
                                "<rect class=\"bar\" x=\"%lf\" y=\"%lf\" width=\"%lf\" "
                                "height=\"%lf\"",
                                &x[i], &y[i], &width[i], &height[i]),
                         4);
    }
    ck_assert_double_eq_tol(x[0] + width[0], x[2], 0.15);    /* b right of a */
    ck_assert_double_eq_tol(y[0] + height[0], y[1], 0.15);   /* 2 ends where -1 begins */
    ck_assert_double_eq_tol(height[0], 2 * height[1], 0.25); /* 2 is twice as long as -1 */
    ck_assert_double_eq_tol(y[2] + height[2], y[0] + height[0], 0.15);
    free(text);
}
END_TEST

/* A band and a line that break where a number is missing. */
START_TEST(missing_numbers_break_a_mark)
{
    const double x[] = {0, 1, 2, 3, 4}, y[] = {1, 2, NAN, 2, 1};
    const double low[] = {0, 1, 1, 1, 0}, high[] = {2, 3, INFINITY, 3, 2};
    const PlotSeries series[] = {
        {.mark = PLOT_BAND, .name = "band", .x = x, .low = low, .high = high, .count = 5},
        {.mark = PLOT_LINE, .name = "line", .x = x, .y = y, .count = 5, .dashed = true},
        {.mark = PLOT_POINTS, .name = "points", .x = x, .y = y, .count = 5},
    };
    const PlotChart chart = {.series = series, .series_count = 3};
    char *const text = written(&chart, 0);
    check_well_formed(text);
    ck_assert_int_eq(occurrences(text, "<path class=\"band\""), 2);
    ck_assert_int_eq(occurrences(text, "<circle class=\"point\""), 1 + 4); /* one of the legend */
    const char *const line = strstr(strstr(text, "<svg x="), "<path class=\"line dashed\"");
    ck_assert_ptr_nonnull(line);
    char path[256];
    ck_assert_int_eq(sscanf(line, "<path class=\"line dashed\" d=\"%255[^\"]", path), 1);
    ck_assert_int_eq(occurrences(path, "M"), 2);
    ck_assert_int_eq(occurrences(path, "L"), 2);
    free(text);
}
END_TEST

START_TEST(charts_without_numbers_and_files_of_several)
{
    const PlotChart charts[] = {{.title = "nothing", .x = {.title = "x"}, .y = {.title = "y"}},
                                {.height = 100}};
    char *const text = written(charts, 2);
    check_well_formed(text);
    ck_assert_ptr_nonnull(strstr(text, "viewBox=\"0 0 640 492\""));
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme:dark"));
    ck_assert_ptr_nonnull(strstr(text, "<title>a file</title>"));
    char *const again = written(charts, 2);
    ck_assert_str_eq(text, again);
    free(again);
    free(text);
}
END_TEST

START_TEST(the_legend_goes_on_in_a_second_row)
{
    PlotSeries series[PLOT_COLOURS];
    const double y[] = {1, 2};
    for (int i = 0; i < PLOT_COLOURS; i++)
        series[i] = (PlotSeries){
            .mark = PLOT_LINE, .name = "a name of some length", .y = y, .count = 2, .colour = i};
    const PlotChart chart = {.series = series, .series_count = PLOT_COLOURS};
    char *const text = written(&chart, 0);
    check_well_formed(text);
    double first = 0, x = 0, line = 0;
    int rows = 0;
    for (const char *at = text; (at = strstr(at, "\" text-anchor=\"start\">a name")); at++) {
        const char *tag = at;
        while (strncmp(tag, "<text", 5) != 0)
            tag--;
        double y_of;
        ck_assert_int_eq(sscanf(tag, "<text x=\"%lf\" y=\"%lf", &x, &y_of), 2);
        ck_assert_double_le(x, 640);
        first = first == 0 ? x : first;
        rows += y_of > line;
        line = y_of;
    }
    ck_assert_int_gt(rows, 1);
    free(text);
}
END_TEST

/* Names of different lengths: the entries of each row start at the same places as those of the
 * first, and a chart that grows is as much higher as the legend. */
START_TEST(the_legend_has_columns)
{
    enum { ENTRIES = 5 };
    static const char *const names[ENTRIES] = {"a name", "a name of some more length than others",
                                               "a name, third", "a name, 4", "a name of a"};
    PlotSeries series[ENTRIES];
    const double y[] = {1, 2};
    for (int i = 0; i < ENTRIES; i++)
        series[i] =
            (PlotSeries){.mark = PLOT_LINE, .name = names[i], .y = y, .count = 2, .colour = i};
    const PlotChart chart = {.series = series, .series_count = ENTRIES, .grows = true};
    char *const text = written(&chart, 0);
    double x[ENTRIES], rows[ENTRIES];
    int count = 0, columns = 0;
    for (const char *at = text; (at = strstr(at, "\" text-anchor=\"start\">a name")); at++) {
        const char *tag = at;
        while (strncmp(tag, "<text", 5) != 0)
            tag--;
        ck_assert_int_lt(count, ENTRIES);
        ck_assert_int_eq(sscanf(tag, "<text x=\"%lf\" y=\"%lf", &x[count], &rows[count]), 2);
        columns += rows[count] == rows[0];
        count++;
    }
    ck_assert_int_eq(count, ENTRIES);
    ck_assert_int_eq(columns, 2);
    for (int i = 0; i < ENTRIES; i++)
        ck_assert_double_eq(x[i], x[i % columns]);
    ck_assert_ptr_nonnull(strstr(text, "viewBox=\"0 0 640 414\"")); /* 360 and three rows */
    free(text);
}
END_TEST

START_TEST(a_file_has_a_heading_and_charts_have_rules)
{
    const double x[] = {0, 10}, y[] = {1, 2}, at[] = {5, NAN};
    const PlotSeries series[] = {
        {.mark = PLOT_LINE, .x = x, .y = y, .count = 2, .faint = true},
        {.mark = PLOT_RULES, .name = "best", .x = at, .count = 2, .colour = PLOT_MUTED}};
    const PlotChart chart = {.series = series, .series_count = 2};
    char *const text = written(&chart, 1);
    check_well_formed(text);
    ck_assert_ptr_nonnull(strstr(text, "class=\"name\">a file</text>"));
    ck_assert_ptr_nonnull(strstr(text, "class=\"line faint\""));
    ck_assert_int_eq(occurrences(text, "class=\"rule\""), 2); /* one, and that of the legend */
    free(text);
}
END_TEST

START_TEST(widths_count_characters)
{
    ck_assert_int_eq(text_width("caf\xc3\xa9"), 4);
    ck_assert_int_eq(text_width("\xff\n"), 6);
    char *const text = text_printed("a\xc3(\t");
    ck_assert_str_eq(text, "a\\xc3(\\t");
    free(text);
}
END_TEST

/* Ten values in at most four parts: three each, and one. */
START_TEST(long_series_are_summarised)
{
    const double values[] = {1, 2, 6, 0, 0, 3, 5, 4, 9, 7};
    double x[4], y[4], low[4], high[4];
    ck_assert_int_eq(plot_summarise(values, 10, 4, x, y, low, high), 4);
    const double expected[4][4] = {{1, 3, 1, 6}, {4, 1, 0, 3}, {7, 6, 4, 9}, {9, 7, 7, 7}};
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq(x[i], expected[i][0]);
        ck_assert_double_eq(y[i], expected[i][1]);
        ck_assert_double_eq(low[i], expected[i][2]);
        ck_assert_double_eq(high[i], expected[i][3]);
    }
    ck_assert_int_eq(plot_summarise(values, 3, 4, x, y, NULL, NULL), 3);
    ck_assert_double_eq(y[2], 6);
    ck_assert_int_eq(plot_summarise(values, 0, 4, x, y, NULL, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("chart");
    TCase *const charts = support_case(suite, "charts", 20);
    tcase_add_test(charts, ticks_are_round_numbers);
    tcase_add_test(charts, axes_of_any_numbers_end);
    tcase_add_test(charts, marks_stand_where_their_numbers_say);
    tcase_add_test(charts, bars_stand_side_by_side_on_zero);
    tcase_add_test(charts, missing_numbers_break_a_mark);
    tcase_add_test(charts, charts_without_numbers_and_files_of_several);
    tcase_add_test(charts, the_legend_goes_on_in_a_second_row);
    tcase_add_test(charts, the_legend_has_columns);
    tcase_add_test(charts, a_file_has_a_heading_and_charts_have_rules);
    tcase_add_test(charts, widths_count_characters);
    tcase_add_test(charts, long_series_are_summarised);
    return support_main(suite);
}
