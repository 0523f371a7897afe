/*
 * cli_metrics.c - see cli_metrics.h.
 *
 * Frame and video metrics have separate columns, each with its heading and its counts of real and
 * fake: they differ by several points and are not comparable.
 */
#include "tools/cli/cli_metrics.h"

#include "tensor/base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void cli_metrics_expect(const CliMetricsOptions *options, MetricsUncertainty *settings,
                        CliView *view)
{
    static const char *const modes[] = {
        [METRICS_CI_AUTO] = "auto", [METRICS_CI_ON] = "on", [METRICS_CI_OFF] = "off"};
    *settings = metrics_uncertainty_defaults();
    *view = cli_view_expect(&options->view);
    bool known = !options->ci;
    for (int i = 0; i < 3 && options->ci; i++)
        if (strcmp(options->ci, modes[i]) == 0) {
            settings->mode = (MetricsCiMode)i;
            known = true;
        }
    if (!known)
        exit(cli_usage_error("--ci %s: unknown value; use auto, on or off", options->ci));
    settings->resamples = options->resamples > 0 ? options->resamples : settings->resamples;
    settings->seed = options->seed;
}

static bool has_intervals(const MetricsIntervals *intervals)
{
    return intervals->auroc != METRICS_INTERVAL_NONE || intervals->others != METRICS_INTERVAL_NONE;
}

void cli_metrics_row_unit(CliTable *table, Metric metric, CliUnit fraction)
{
    const bool scale = metric == METRICS_EER_THRESHOLD || metric == METRICS_LOG_LOSS;
    cli_table_row_unit(table, scale ? CLI_SCORE : fraction);
}

/* All metrics, or those of the view. */
static int all_metrics(const CliView *view, Metric metrics[METRICS_NAMES])
{
    for (int m = 0; m < METRICS_NAMES; m++)
        metrics[m] = (Metric)m;
    return cli_view_metrics(view, metrics, METRICS_NAMES, metrics);
}

CliTable *cli_metrics_table(const MetricsReport *report, const CliView *view)
{
    Metric metrics[METRICS_NAMES];
    const int metric_count = all_metrics(view, metrics);
    const bool frames = !view->no_frames;
    const bool videos = report->has_videos && !view->no_videos;
    const bool frame_ci = has_intervals(&report->frame_ci),
               video_ci = has_intervals(&report->video_ci);
    const CliColumn columns[] = {
        {.key = "metric", .heading = ""},
        {.heading = "FRAMES", .unit = CLI_METRIC, .hidden = !frames},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = !frames || !frame_ci},
        {.heading = "VIDEOS (mean)", .unit = CLI_METRIC, .hidden = !videos},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = !videos || !video_ci},
        {.heading = "VIDEOS (median)", .unit = CLI_METRIC, .hidden = !videos},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = true},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    MetricsReportLevel levels[METRICS_REPORT_LEVELS];
    metrics_report_levels(report, levels);
    for (int fake = 0; fake < 2; fake++) {
        cli_table_words(table, fake ? "fake" : "real");
        for (int l = 0; l < METRICS_REPORT_LEVELS; l++) {
            cli_table_count(table, fake ? levels[l].metrics->n_fake : levels[l].metrics->n_real);
            cli_table_words(table, "");
        }
    }
    cli_table_rule(table);
    for (int i = 0; i < metric_count; i++) {
        const Metric m = metrics[i];
        cli_metrics_row_unit(table, m, CLI_METRIC);
        cli_table_words(table, metrics_names[m].title);
        for (int l = 0; l < METRICS_REPORT_LEVELS; l++) {
            cli_table_number(table, metrics_value(levels[l].metrics, (int)m));
            cli_table_interval(table, levels[l].intervals->of[m]);
        }
    }
    return table;
}

CliTable *cli_metrics_sources_create(const MetricsReport *report, bool adapters,
                                     const CliColumn *axis)
{
    const bool frame_ci = has_intervals(&report->sources[0].frame_ci),
               video_ci = has_intervals(&report->sources[0].video_ci);
    const CliColumn columns[] = {
        {.heading = "source"},
        {.heading = "adapter", .hidden = !adapters},
        {.heading = "fake frames", .unit = CLI_COUNT},
        {.heading = "AUROC, FRAMES", .unit = CLI_METRIC},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = !frame_ci},
        {.heading = "fake videos", .unit = CLI_COUNT},
        {.heading = "AUROC, VIDEOS", .unit = CLI_METRIC, .style = CLI_MAIN},
        {.heading = "95% interval", .unit = CLI_INTERVAL, .hidden = !video_ci},
        *axis,
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    cli_table_title(table, "%s: AUROC of each fake source against all real", report->dataset);
    return table;
}

void cli_metrics_sources_add(CliTable *table, const char *adapter,
                             const MetricsSourceReport *source)
{
    const MetricsInterval video_ci = source->video_ci.of[METRICS_AUROC];
    cli_table_words(table, source->name);
    cli_table_words(table, adapter);
    cli_table_count(table, source->frame.n_fake);
    cli_table_number(table, source->frame.auroc);
    cli_table_interval(table, source->frame_ci.of[METRICS_AUROC]);
    cli_table_count(table, source->video.n_fake);
    cli_table_number(table, source->video.auroc);
    cli_table_interval(table, video_ci);
    cli_table_estimate(table, source->video.auroc, video_ci);
}

static Status print_report(const MetricsReport *report, const CliView *view, FILE *stream,
                           Error *error)
{
    CliTable *table = cli_metrics_table(report, view);
    cli_table_title(table, "%s", report->dataset);
    TRY(cli_view_print(view, table, stream, error));
    if (report->source_count == 0 || view->metric_count > 0 || view->no_frames || view->no_videos)
        return STATUS_OK;
    const CliColumn axis = {.heading = "AUROC", .unit = CLI_FOREST};
    table = cli_metrics_sources_create(report, false, &axis);
    for (int i = 0; i < report->source_count; i++)
        cli_metrics_sources_add(table, "", &report->sources[i]);
    putc('\n', stream);
    return cli_view_print(view, table, stream, error);
}

static void add_exact_rows(CliTable *table, const CliView *view, const char *dataset,
                           const char *source, const MetricsReportLevel *level)
{
    Metric metrics[METRICS_NAMES];
    const int count = all_metrics(view, metrics);
    const bool frames = strcmp(level->key, "frame") == 0;
    if (frames ? view->no_frames : view->no_videos)
        return;
    for (int i = 0; i < count; i++) {
        const Metric m = metrics[i];
        cli_table_words(table, dataset);
        cli_table_words(table, source);
        cli_table_words(table, level->key);
        cli_table_count(table, level->metrics->n_real);
        cli_table_count(table, level->metrics->n_fake);
        cli_table_words(table, metrics_names[m].name);
        cli_table_number(table, metrics_value(level->metrics, (int)m));
        cli_table_interval(table, level->intervals->of[m]);
        cli_table_words(table, metrics_interval_method_name(m == METRICS_AUROC
                                                                ? level->intervals->auroc
                                                                : level->intervals->others));
    }
}

/* Prints all metrics, one per row. */
static Status print_exact(const MetricsReport *reports, int count, const CliView *view,
                          FILE *stream, Error *error)
{
    static const CliColumn columns[] = {
        {.key = "dataset"},
        {.key = "source"},
        {.key = "level"},
        {.key = "n_real", .unit = CLI_COUNT},
        {.key = "n_fake", .unit = CLI_COUNT},
        {.key = "metric"},
        {.key = "value", .unit = CLI_METRIC},
        {.key = "", .unit = CLI_INTERVAL},
        {.key = "method"},
    };
    CliTable *table = cli_table_create(NULL, columns, COUNT_OF(columns));
    for (int i = 0; i < count; i++) {
        MetricsReportLevel levels[METRICS_REPORT_LEVELS];
        const int n = metrics_report_levels(&reports[i], levels);
        for (int l = 0; l < n; l++)
            add_exact_rows(table, view, reports[i].dataset, "", &levels[l]);
        for (int s = 0; s < reports[i].source_count; s++) {
            const MetricsSourceReport *source = &reports[i].sources[s];
            add_exact_rows(table, view, reports[i].dataset, source->name,
                           &(MetricsReportLevel){"frame", &source->frame, &source->frame_ci});
            add_exact_rows(table, view, reports[i].dataset, source->name,
                           &(MetricsReportLevel){"video", &source->video, &source->video_ci});
        }
    }
    return cli_view_print(view, table, stream, error);
}

Status cli_metrics_print(const MetricsReport *reports, int count, const CliView *view, FILE *stream,
                         Error *error)
{
    if (cli_format_is_exact(view->format))
        return print_exact(reports, count, view, stream, error);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            putc('\n', stream);
        TRY(print_report(&reports[i], view, stream, error));
    }
    return STATUS_OK;
}

/* The receiver of warnings. */
typedef struct Listener {
    CliMetricsHandler *handler;
    void *context;
} Listener;

__attribute__((format(printf, 3, 4))) static void warn(const Listener *listener, bool of_scores,
                                                       const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    listener->handler(listener->context, text, of_scores);
}

/*
 * Warns of equal scores in different classes, which cannot be ranked. A head with too large weights
 * causes them.
 */
static void warn_about_ties(const Listener *listener, const MetricsReport *report)
{
    const Metrics *frame = &report->frame;
    const size_t rows = frame->n_real + frame->n_fake;
    const size_t tied = frame->tied[0] + frame->tied[1];
    const size_t saturated = frame->saturated[0] + frame->saturated[1];
    if (!report->by_margin && saturated > 0)
        warn(listener, true,
             "%s: %zu real and %zu fake rows have a score of exactly 0 or 1, as rows of the other "
             "class do; AUROC, AP and EER count ties. If these are rounded probabilities, use the "
             "difference of the logits (column margin of lnclip eval)",
             report->dataset, frame->saturated[0], frame->saturated[1]);
    else if (report->by_margin && tied > rows / 100)
        warn(listener, true,
             "%s: the margins of %zu real and %zu fake frames are equal to one of the other class; "
             "the weights or the bias of the head are too large for f32 logits, so AUROC, AP and "
             "EER count ties",
             report->dataset, frame->tied[0], frame->tied[1]);
    else if (report->by_margin && saturated > rows / 100)
        warn(
            listener, true,
            "%s: p_fake of %zu real and %zu fake frames is exactly 0 or 1, as in the other class; "
            "ranking metrics use the margin, but thresholds, calibration and log loss are affected",
            report->dataset, frame->saturated[0], frame->saturated[1]);
}

static void warn_about_report(const Listener *listener, const MetricsReport *report)
{
    const Metrics *frame = &report->frame, *video = &report->video;
    if (frame->n_real == 0 || frame->n_fake == 0) {
        warn(listener, false, "%s: all rows are %s; metrics that need both classes are undefined",
             report->dataset, frame->n_real == 0 ? "fake" : "real");
        return;
    }
    warn_about_ties(listener, report);
    if (frame->auroc < 0.5)
        warn(listener, true,
             "%s: the frame AUROC %.4f is below chance; check whether labels or scores are "
             "inverted (label 1 and high scores mean fake)",
             report->dataset, frame->auroc);
    if (report->has_videos &&
        (video->n_real < METRICS_CI_FEW_VIDEOS || video->n_fake < METRICS_CI_FEW_VIDEOS))
        warn(listener, false,
             "%s: %zu real and %zu fake videos; with fewer than %d per class, metrics and "
             "intervals are imprecise (see docs/metrics.md)",
             report->dataset, video->n_real, video->n_fake, METRICS_CI_FEW_VIDEOS);
    if (report->ci_left_out)
        warn(listener, false,
             "%s: more than a million rows: no bootstrap, so most metrics have no interval; use "
             "--ci on",
             report->dataset);
}

/*
 * True if every label and score occurs twice. Rows without file names can be recognised as
 * duplicates only in this way.
 */
static bool looks_doubled(const MetricsReport *report)
{
    const size_t rows = report->frame.n_real + report->frame.n_fake;
    return !report->has_videos && rows >= 20 && 2 * report->frame.repeated == rows;
}

void cli_metrics_each_warning(const char *path, size_t duplicates, const MetricsReport *reports,
                              int count, CliMetricsHandler *handler, void *context)
{
    const Listener listener = {handler, context};
    if (duplicates > 0)
        warn(&listener, false,
             "%s: %s %s a file of the same data set and is counted again; remove duplicate rows",
             path, cli_count(duplicates), duplicates == 1 ? "row repeats" : "rows repeat");
    for (int i = 0; i < count; i++) {
        warn_about_report(&listener, &reports[i]);
        if (looks_doubled(&reports[i]))
            warn(&listener, true,
                 "%s: half of the rows repeat the label and score of another row; check whether "
                 "they were written twice",
                 reports[i].dataset);
    }
}

static void warn_on_terminal(void *context, const char *text, bool of_scores)
{
    (void)context, (void)of_scores;
    cli_warn("%s", text);
}

void cli_metrics_warn(const char *path, size_t duplicates, const MetricsReport *reports, int count)
{
    cli_metrics_each_warning(path, duplicates, reports, count, warn_on_terminal, NULL);
}

void cli_metrics_print_methods(const CliArguments *arguments, const MetricsUncertainty *settings,
                               const MetricsReport *reports, int count)
{
    bool delong = false, resampled = false, rows = false;
    for (int i = 0; i < count; i++) {
        const MetricsReport *r = &reports[i];
        delong = delong || r->video_ci.auroc == METRICS_INTERVAL_DELONG;
        resampled = resampled || r->frame_ci.others == METRICS_INTERVAL_BOOTSTRAP;
        rows = rows || r->frame_ci.auroc == METRICS_INTERVAL_DELONG_ROWS;
    }
    if (delong)
        cli_note(arguments, "95%% intervals: AUROC over videos by DeLong on the logit scale");
    if (resampled)
        cli_note(arguments,
                 "95%% intervals of other metrics: bootstrap over videos, %d resamples, seed %llu",
                 settings->resamples, (unsigned long long)settings->seed);
    if (rows)
        cli_note(arguments,
                 "95%% intervals of files without videos: AUROC by DeLong, other metrics by "
                 "bootstrap, both over rows, which are assumed to be independent");
}

void cli_metrics_add_difference(CliTable *table, const MetricsDifference *difference)
{
    cli_table_number(table, difference->difference);
    cli_table_interval(table, difference->interval);
    cli_table_estimate(table, difference->difference, difference->interval);
    cli_table_p(table, difference->p, difference->p_lowest);
}

static void add_differences(CliTable *table, const char *dataset, const char *level,
                            const MetricsDifference *differences, const CliView *view, bool keys)
{
    Metric metrics[METRICS_NAMES];
    const int count = all_metrics(view, metrics);
    cli_table_rule(table);
    for (int i = 0; i < count; i++) {
        const Metric m = metrics[i];
        const MetricsDifference *d = &differences[m];
        cli_metrics_row_unit(table, m, CLI_CHANGE);
        cli_table_words(table, dataset);
        cli_table_words(table, level);
        cli_table_words(table, keys ? metrics_names[m].name : metrics_names[m].title);
        cli_table_number(table, d->a);
        cli_table_number(table, d->b);
        cli_metrics_add_difference(table, d);
        cli_table_words(table, metrics_interval_method_name(d->method));
    }
}

static CliTable *make_differences(bool keys)
{
    const CliColumn columns[] = {
        {.key = "dataset", .hidden = !keys},
        {.heading = "level"},
        {.heading = "metric"},
        {.key = "a", .heading = "A", .unit = CLI_METRIC},
        {.key = "b", .heading = "B", .unit = CLI_METRIC},
        {.key = "difference", .heading = "B - A", .unit = CLI_CHANGE},
        {.key = "", .heading = "95% interval", .unit = CLI_INTERVAL},
        {.heading = "B - A", .unit = CLI_FOREST},
        {.heading = "p", .unit = CLI_P},
        {.key = "method", .hidden = !keys},
    };
    return cli_table_create(NULL, columns, COUNT_OF(columns));
}

Status cli_metrics_print_comparisons(const MetricsComparison *comparisons, int count,
                                     const char *name_a, const char *name_b, const CliView *view,
                                     FILE *stream, Error *error)
{
    const bool keys = cli_format_is_exact(view->format);
    CliTable *table = keys ? make_differences(keys) : NULL;
    for (int i = 0; i < count; i++) {
        const MetricsComparison *one = &comparisons[i];
        const bool videos = one->has_videos && !view->no_videos, frames = !view->no_frames;
        if (!keys) {
            table = make_differences(keys);
            cli_table_title(table, "%s: %zu frames, %lu videos; A is %s, B is %s", one->dataset,
                            one->frames, (unsigned long)one->videos, name_a, name_b);
        }
        if (keys && frames)
            add_differences(table, one->dataset, "frame", one->frame, view, keys);
        if (videos)
            add_differences(table, one->dataset, keys ? "video" : "VIDEOS", one->video, view, keys);
        if (keys)
            continue;
        if (frames)
            add_differences(table, one->dataset, "FRAMES", one->frame, view, keys);
        if (i > 0)
            putc('\n', stream);
        TRY(cli_view_print(view, table, stream, error));
    }
    return keys ? cli_view_print(view, table, stream, error) : STATUS_OK;
}
