/*
 * cli_metrics.c - see cli_metrics.h.
 *
 * Frame and video level stand in columns of their own, under their names and their numbers of real and
 * fake: the two differ by several points, and are too often compared with one another.
 */
#include "tools/cli/cli_metrics.h"

#include "tools/cli/cli_json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void cli_metrics_expect(const CliMetricsOptions *options, MetricsUncertainty *settings,
                        CliFormat *format)
{
    static const char *const modes[] = {
        [METRICS_CI_AUTO] = "auto", [METRICS_CI_ON] = "on", [METRICS_CI_OFF] = "off"};
    *settings = metrics_uncertainty_defaults();
    *format = CLI_TEXT;
    bool known = !options->ci;
    for (int i = 0; i < 3 && options->ci; i++)
        if (strcmp(options->ci, modes[i]) == 0) {
            settings->mode = (MetricsCiMode)i;
            known = true;
        }
    if (!known)
        exit(cli_usage_error("--ci %s: is none of auto, on and off; choose one", options->ci));
    if (options->format && !cli_format_parse(options->format, format))
        exit(cli_usage_error("--format %s: is unknown; give " CLI_FORMAT_WORDS, options->format));
    settings->resamples = options->resamples > 0 ? options->resamples : settings->resamples;
    settings->seed = options->seed;
}

static bool has_intervals(const MetricsIntervals *intervals)
{
    return intervals->auroc != METRICS_INTERVAL_NONE || intervals->others != METRICS_INTERVAL_NONE;
}

/* The EER threshold is on the scale of the scores, whatever that is; all else has fixed decimals. */
static void value_cell(CliTable *table, int metric, double value)
{
    if (isnan(value))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, metric == METRICS_EER_THRESHOLD ? "%.6g" : "%.6f", value);
}

static void interval_cell(CliTable *table, int metric, MetricsInterval interval)
{
    if (isnan(interval.lower) || isnan(interval.upper))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, metric == METRICS_EER_THRESHOLD ? "[%.4g, %.4g]" : "[%.4f, %.4f]",
                       interval.lower, interval.upper);
}

/* What one report's table shows. */
typedef struct Shape {
    bool frame_ci, video_ci;
} Shape;

static void add_counts(CliTable *table, const MetricsReport *report, const Shape *shape, bool fake)
{
    const Metrics *const levels[] = {&report->frame, &report->video, &report->video_median};
    const bool intervals[] = {shape->frame_ci, shape->video_ci, false};
    cli_table_cell(table, fake ? "fake" : "real");
    for (int i = 0; i < (report->has_videos ? 3 : 1); i++) {
        cli_table_cell(table, "%zu", fake ? levels[i]->n_fake : levels[i]->n_real);
        if (intervals[i])
            cli_table_cell(table, "%s", "");
    }
}

static void add_metric(CliTable *table, const MetricsReport *report, const Shape *shape, int m)
{
    cli_table_cell(table, "%s", metrics_names[m].title);
    value_cell(table, m, metrics_value(&report->frame, m));
    if (shape->frame_ci)
        interval_cell(table, m, report->frame_ci.of[m]);
    if (!report->has_videos)
        return;
    value_cell(table, m, metrics_value(&report->video, m));
    if (shape->video_ci)
        interval_cell(table, m, report->video_ci.of[m]);
    value_cell(table, m, metrics_value(&report->video_median, m));
}

static Status print_report(const MetricsReport *report, CliFormat format, FILE *stream,
                           Error *error)
{
    static const char interval[] = "95% interval";
    const Shape shape = {has_intervals(&report->frame_ci), has_intervals(&report->video_ci)};
    CliTable *const table = cli_table_create(report->dataset);
    cli_table_column(table, "", CLI_LEFT);
    cli_table_column(table, "FRAMES", CLI_RIGHT);
    if (shape.frame_ci)
        cli_table_column(table, interval, CLI_RIGHT);
    if (report->has_videos) {
        cli_table_column(table, "VIDEOS (mean)", CLI_RIGHT);
        if (shape.video_ci)
            cli_table_column(table, interval, CLI_RIGHT);
        cli_table_column(table, "VIDEOS (median)", CLI_RIGHT);
    }
    add_counts(table, report, &shape, false);
    add_counts(table, report, &shape, true);
    cli_table_rule(table);
    for (int m = 0; m < METRICS_NAMES; m++)
        add_metric(table, report, &shape, m);
    const Status status = cli_table_print(table, format, stream, error);
    cli_table_free(table);
    return status;
}

/* The sources of fake, each against all that is real. */
static Status print_sources(const MetricsReport *report, CliFormat format, FILE *stream,
                            Error *error)
{
    const bool frame_ci = has_intervals(&report->sources[0].frame_ci);
    const bool video_ci = has_intervals(&report->sources[0].video_ci);
    CliTable *const table = cli_table_create(NULL);
    cli_table_title(table, "%s: AUROC of each source of fake against all real", report->dataset);
    cli_table_column(table, "source", CLI_LEFT);
    cli_table_column(table, "fake frames", CLI_RIGHT);
    cli_table_column(table, "AUROC, FRAMES", CLI_RIGHT);
    if (frame_ci)
        cli_table_column(table, "95% interval", CLI_RIGHT);
    cli_table_column(table, "fake videos", CLI_RIGHT);
    cli_table_column(table, "AUROC, VIDEOS", CLI_RIGHT);
    if (video_ci)
        cli_table_column(table, "95% interval", CLI_RIGHT);
    for (int i = 0; i < report->source_count; i++) {
        const MetricsSourceReport *const source = &report->sources[i];
        cli_table_cell(table, "%s", source->name);
        cli_table_cell(table, "%zu", source->frame.n_fake);
        value_cell(table, METRICS_AUROC, source->frame.auroc);
        if (frame_ci)
            interval_cell(table, METRICS_AUROC, source->frame_ci.of[METRICS_AUROC]);
        cli_table_cell(table, "%zu", source->video.n_fake);
        value_cell(table, METRICS_AUROC, source->video.auroc);
        if (video_ci)
            interval_cell(table, METRICS_AUROC, source->video_ci.of[METRICS_AUROC]);
    }
    putc('\n', stream);
    const Status status = cli_table_print(table, format, stream, error);
    cli_table_free(table);
    return status;
}

static void add_csv_rows(CliTable *table, const char *dataset, const char *source,
                         const char *level, const Metrics *metrics,
                         const MetricsIntervals *intervals)
{
    for (int m = 0; m < METRICS_NAMES; m++) {
        cli_table_cell(table, "%s", dataset);
        cli_table_cell(table, "%s", source);
        cli_table_cell(table, "%s", level);
        cli_table_cell(table, "%zu", metrics->n_real);
        cli_table_cell(table, "%zu", metrics->n_fake);
        cli_table_cell(table, "%s", metrics_names[m].name);
        cli_table_exact(table, metrics_value(metrics, m));
        cli_table_exact(table, intervals->of[m].lower);
        cli_table_exact(table, intervals->of[m].upper);
        cli_table_cell(table, "%s",
                       metrics_interval_method_name(m == METRICS_AUROC ? intervals->auroc
                                                                       : intervals->others));
    }
}

static void add_heads(CliTable *table, const char *const *heads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cli_table_column(table, heads[i], CLI_LEFT);
}

static Status print_csv(const MetricsReport *reports, int count, FILE *stream, Error *error)
{
    static const char *const heads[] = {"dataset", "source", "level", "n_real", "n_fake",
                                        "metric",  "value",  "lower", "upper",  "method"};
    CliTable *const table = cli_table_create(NULL);
    add_heads(table, heads, sizeof heads / sizeof heads[0]);
    for (int i = 0; i < count; i++) {
        const MetricsReport *const r = &reports[i];
        add_csv_rows(table, r->dataset, "", "frame", &r->frame, &r->frame_ci);
        if (r->has_videos) {
            add_csv_rows(table, r->dataset, "", "video", &r->video, &r->video_ci);
            add_csv_rows(table, r->dataset, "", "video_median", &r->video_median,
                         &r->video_median_ci);
        }
        for (int s = 0; s < r->source_count; s++) {
            const MetricsSourceReport *const source = &r->sources[s];
            add_csv_rows(table, r->dataset, source->name, "frame", &source->frame,
                         &source->frame_ci);
            add_csv_rows(table, r->dataset, source->name, "video", &source->video,
                         &source->video_ci);
        }
    }
    const Status status = cli_table_print(table, CLI_CSV, stream, error);
    cli_table_free(table);
    return status;
}

Status cli_metrics_print(const MetricsReport *reports, int count, CliFormat format, FILE *stream,
                         Error *error)
{
    if (format == CLI_CSV)
        return print_csv(reports, count, stream, error);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            putc('\n', stream);
        TRY(print_report(&reports[i], format, stream, error));
        if (reports[i].source_count > 0)
            TRY(print_sources(&reports[i], format, stream, error));
    }
    return STATUS_OK;
}

/* Where warnings go. */
typedef struct Listener {
    CliMetricsTell *tell;
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
    listener->tell(listener->context, text, of_scores);
}

/* Rows of different classes that cannot be put in order: a head with large weights makes an AUROC of 0.5 of them. */
static void warn_about_ties(const Listener *listener, const MetricsReport *report)
{
    const Metrics *const frame = &report->frame;
    const size_t rows = frame->n_real + frame->n_fake;
    const size_t tied = frame->tied[0] + frame->tied[1];
    const size_t saturated = frame->saturated[0] + frame->saturated[1];
    if (!report->by_margin && saturated > 0)
        warn(listener, true,
             "%s: %zu real and %zu fake rows share a score of exactly 0 or 1 with the other class; "
             "AUROC, AP and EER count them as ties. If these are rounded probabilities, score by "
             "the difference of the logits (lnclip eval writes it as the column margin)",
             report->dataset, frame->saturated[0], frame->saturated[1]);
    else if (report->by_margin && tied > rows / 100)
        warn(listener, true,
             "%s: the margins of %zu real and %zu fake frames equal one of the other class; the "
             "weights or the bias of the head are too large for the logits to tell frames apart "
             "in f32, so AUROC, AP and EER count ties",
             report->dataset, frame->tied[0], frame->tied[1]);
    else if (report->by_margin && saturated > rows / 100)
        warn(listener, true,
             "%s: p_fake of %zu real and %zu fake frames is exactly 0 or 1 like one of the other "
             "class; the ranking metrics tell them apart by margin, but thresholds, calibration "
             "and log loss cannot",
             report->dataset, frame->saturated[0], frame->saturated[1]);
}

static void warn_about_report(const Listener *listener, const MetricsReport *report)
{
    const Metrics *const frame = &report->frame, *const video = &report->video;
    if (frame->n_real == 0 || frame->n_fake == 0) {
        warn(listener, false, "%s: all rows are %s; what needs both classes is undefined",
             report->dataset, frame->n_real == 0 ? "fake" : "real");
        return;
    }
    warn_about_ties(listener, report);
    if (frame->auroc < 0.5)
        warn(listener, true,
             "%s: the frame AUROC of %.4f is below chance; are labels or scores the wrong "
             "way round? (label 1 and high scores mean fake)",
             report->dataset, frame->auroc);
    if (report->has_videos &&
        (video->n_real < METRICS_CI_FEW_VIDEOS || video->n_fake < METRICS_CI_FEW_VIDEOS))
        warn(listener, false,
             "%s: %zu real and %zu fake videos; with fewer than %d of a class figures and "
             "intervals are rough (docs/metrics.md shows how rough)",
             report->dataset, video->n_real, video->n_fake, METRICS_CI_FEW_VIDEOS);
    if (report->ci_left_out)
        warn(listener, false,
             "%s: more than a million rows: no bootstrap, so most metrics stand without "
             "interval; --ci on takes the time",
             report->dataset);
}

/* Bare rows have no name, so doubled ones can only be guessed: by labels and scores that all occur again. */
static bool looks_doubled(const MetricsReport *report)
{
    const size_t rows = report->frame.n_real + report->frame.n_fake;
    return !report->has_videos && rows >= 20 && 2 * report->frame.repeated == rows;
}

void cli_metrics_each_warning(const char *path, size_t duplicates, const MetricsReport *reports,
                              int count, CliMetricsTell *tell, void *context)
{
    const Listener listener = {tell, context};
    if (duplicates > 0)
        warn(&listener, false,
             "%s: %s %s a file of its data set a second time, and each is counted; remove what "
             "is not meant",
             path, cli_count(duplicates), duplicates == 1 ? "row names" : "rows name");
    for (int i = 0; i < count; i++) {
        warn_about_report(&listener, &reports[i]);
        if (looks_doubled(&reports[i]))
            warn(&listener, true,
                 "%s: half of the rows repeat the label and score of another row; were they "
                 "written twice?",
                 reports[i].dataset);
    }
}

static void tell_terminal(void *context, const char *text, bool of_scores)
{
    (void)context, (void)of_scores;
    cli_warn("%s", text);
}

void cli_metrics_warn(const char *path, size_t duplicates, const MetricsReport *reports, int count)
{
    cli_metrics_each_warning(path, duplicates, reports, count, tell_terminal, NULL);
}

void cli_metrics_tell_methods(const CliArguments *arguments, const MetricsUncertainty *settings,
                              const MetricsReport *reports, int count)
{
    bool delong = false, resampled = false, rows = false;
    for (int i = 0; i < count; i++) {
        const MetricsReport *const r = &reports[i];
        delong = delong || r->video_ci.auroc == METRICS_INTERVAL_DELONG;
        resampled = resampled || r->frame_ci.others == METRICS_INTERVAL_BOOTSTRAP;
        rows = rows || r->frame_ci.auroc == METRICS_INTERVAL_DELONG_ROWS;
    }
    if (delong)
        cli_note(arguments, "95%% intervals: AUROC over videos by DeLong on the logit scale");
    if (resampled)
        cli_note(arguments,
                 "95%% intervals of all else: bootstrap over videos, %d resamples, seed %llu",
                 settings->resamples, (unsigned long long)settings->seed);
    if (rows)
        cli_note(arguments,
                 "95%% intervals of files without videos: AUROC by DeLong, all else by bootstrap, "
                 "over rows: assumes independent rows");
}

/* p for people: two digits, and no zero where none was measured. */
static void p_cell(CliTable *table, double p)
{
    if (isnan(p))
        cli_table_cell(table, "-");
    else if (p < 1e-4)
        cli_table_cell(table, "< 0.0001");
    else
        cli_table_cell(table, "%.4f", p);
}

static void add_differences(CliTable *table, const MetricsDifference *differences,
                            const char *level)
{
    cli_table_rule(table);
    for (int m = 0; m < METRICS_NAMES; m++) {
        const MetricsDifference *const d = &differences[m];
        cli_table_cell(table, "%s", level);
        cli_table_cell(table, "%s", metrics_names[m].title);
        value_cell(table, m, d->a);
        value_cell(table, m, d->b);
        value_cell(table, m, d->difference);
        interval_cell(table, m, d->interval);
        p_cell(table, d->p);
    }
}

static void add_csv_differences(CliTable *table, const char *dataset,
                                const MetricsDifference *differences, const char *level)
{
    for (int m = 0; m < METRICS_NAMES; m++) {
        const MetricsDifference *const d = &differences[m];
        cli_table_cell(table, "%s", dataset);
        cli_table_cell(table, "%s", level);
        cli_table_cell(table, "%s", metrics_names[m].name);
        cli_table_exact(table, d->a);
        cli_table_exact(table, d->b);
        cli_table_exact(table, d->difference);
        cli_table_exact(table, d->interval.lower);
        cli_table_exact(table, d->interval.upper);
        cli_table_exact(table, d->p);
        cli_table_cell(table, "%s", metrics_interval_method_name(d->method));
    }
}

static Status print_comparison(const MetricsComparison *comparison, const char *name_a,
                               const char *name_b, CliFormat format, FILE *stream, Error *error)
{
    CliTable *const table = cli_table_create(NULL);
    cli_table_title(table, "%s: %zu frames, %lu videos; A is %s, B is %s", comparison->dataset,
                    comparison->frames, (unsigned long)comparison->videos, name_a, name_b);
    cli_table_column(table, "level", CLI_LEFT);
    cli_table_column(table, "metric", CLI_LEFT);
    cli_table_column(table, "A", CLI_RIGHT);
    cli_table_column(table, "B", CLI_RIGHT);
    cli_table_column(table, "A - B", CLI_RIGHT);
    cli_table_column(table, "95% interval", CLI_RIGHT);
    cli_table_column(table, "p", CLI_RIGHT);
    if (comparison->has_videos)
        add_differences(table, comparison->video, "VIDEOS");
    add_differences(table, comparison->frame, "FRAMES");
    const Status status = cli_table_print(table, format, stream, error);
    cli_table_free(table);
    return status;
}

Status cli_metrics_print_comparisons(const MetricsComparison *comparisons, int count,
                                     const char *name_a, const char *name_b, CliFormat format,
                                     FILE *stream, Error *error)
{
    static const char *const heads[] = {"dataset",    "level", "metric", "a", "b",
                                        "difference", "lower", "upper",  "p", "method"};
    if (format != CLI_CSV) {
        for (int i = 0; i < count; i++) {
            if (i > 0)
                putc('\n', stream);
            TRY(print_comparison(&comparisons[i], name_a, name_b, format, stream, error));
        }
        return STATUS_OK;
    }
    CliTable *const table = cli_table_create(NULL);
    add_heads(table, heads, sizeof heads / sizeof heads[0]);
    for (int i = 0; i < count; i++) {
        add_csv_differences(table, comparisons[i].dataset, comparisons[i].frame, "frame");
        if (comparisons[i].has_videos)
            add_csv_differences(table, comparisons[i].dataset, comparisons[i].video, "video");
    }
    const Status status = cli_table_print(table, CLI_CSV, stream, error);
    cli_table_free(table);
    return status;
}

static json_t *differences_json(const MetricsDifference *differences)
{
    json_t *const object = json_object();
    for (int m = 0; m < METRICS_NAMES && object; m++) {
        const MetricsDifference *const d = &differences[m];
        json_t *const one = json_object();
        cli_json_set(one, "a", cli_json_number(d->a));
        cli_json_set(one, "b", cli_json_number(d->b));
        cli_json_set(one, "difference", cli_json_number(d->difference));
        json_t *interval = json_null();
        if (!isnan(d->interval.lower)) {
            interval = json_array();
            cli_json_append(interval, cli_json_number(d->interval.lower));
            cli_json_append(interval, cli_json_number(d->interval.upper));
        }
        cli_json_set(one, "difference_ci95", interval);
        cli_json_set(one, "p", cli_json_number(d->p));
        cli_json_set(one, "method",
                     d->method == METRICS_INTERVAL_NONE
                         ? json_null()
                         : json_string(metrics_interval_method_name(d->method)));
        cli_json_set(object, metrics_names[m].name, one);
    }
    return object;
}

json_t *cli_metrics_comparisons_json(const MetricsComparison *comparisons, int count)
{
    json_t *const document = json_object();
    for (int i = 0; i < count && document; i++) {
        json_t *const name = cli_json_string(comparisons[i].dataset);
        json_t *const levels = json_object();
        cli_json_set(levels, "frame", differences_json(comparisons[i].frame));
        if (comparisons[i].has_videos)
            cli_json_set(levels, "video", differences_json(comparisons[i].video));
        cli_json_set(document, json_string_value(name), levels);
        json_decref(name);
    }
    return document;
}
