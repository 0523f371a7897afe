/*
 * reports.c - see reports.h.
 */
#include "train/metrics/reports.h"

#include "tensor/base/mem.h"
#include "train/json.h"
#include "train/metrics/metrics_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the reports";

/* Metrics of one level. All rows are used in place; the rows of one source are copied first. */
static Status level_metrics(const MetricsScores *set, const MetricsLevelChoice *choice,
                            Threads *threads, Metrics *metrics, Error *error)
{
    const MetricsLevelRows all = metrics_level_rows(set, choice->level);
    const size_t rows = all.count;
    if (choice->source == METRICS_NO_SOURCE)
        return metrics_on(threads, all.scores, all.ranks, all.labels, rows, metrics, error);

    uint32_t *selected = mem_new(rows + 1, sizeof *selected, purpose, error);
    double *scores = mem_new(rows + 1, sizeof *scores, purpose, error);
    double *ranks = mem_new(rows + 1, sizeof *ranks, purpose, error);
    uint8_t *labels = mem_new(rows + 1, 1, purpose, error);
    Status status = STATUS_OK;
    if (!selected || !scores || !ranks || !labels)
        status = error->status;
    if (status == STATUS_OK) {
        const size_t n = choice->level == METRICS_FRAMES
                             ? metrics_scores_select_frames(set, choice->source, selected)
                             : metrics_scores_select_videos(set, choice->source, selected);
        for (size_t i = 0; i < n; i++) {
            scores[i] = all.scores[selected[i]];
            ranks[i] = all.ranks[selected[i]];
            labels[i] = all.labels[selected[i]];
        }
        status = metrics_on(threads, scores, all.ranks == all.scores ? NULL : ranks, labels, n,
                            metrics, error);
    }
    free(selected);
    free(scores);
    free(ranks);
    free(labels);
    return status;
}

/* Destinations of the metrics and intervals of a level. */
typedef struct Slot {
    Metrics *metrics;
    MetricsIntervals *intervals;
} Slot;

/* Lists all levels of `report` with its sources. choices and slots: [3 + 2 source_count]. */
static int list_levels(MetricsReport *report, MetricsLevelChoice *choices, Slot *slots)
{
    int count = 0;
    choices[count] = (MetricsLevelChoice){METRICS_FRAMES, METRICS_NO_SOURCE};
    slots[count++] = (Slot){&report->frame, &report->frame_ci};
    if (!report->has_videos)
        return count;
    choices[count] = (MetricsLevelChoice){METRICS_VIDEOS, METRICS_NO_SOURCE};
    slots[count++] = (Slot){&report->video, &report->video_ci};
    choices[count] = (MetricsLevelChoice){METRICS_VIDEO_MEDIANS, METRICS_NO_SOURCE};
    slots[count++] = (Slot){&report->video_median, &report->video_median_ci};
    for (int s = 0; s < report->source_count; s++) {
        MetricsSourceReport *source = &report->sources[s];
        choices[count] = (MetricsLevelChoice){METRICS_FRAMES, s};
        slots[count++] = (Slot){&source->frame, &source->frame_ci};
        choices[count] = (MetricsLevelChoice){METRICS_VIDEOS, s};
        slots[count++] = (Slot){&source->video, &source->video_ci};
    }
    return count;
}

/* Computes metrics, then intervals, of all levels. */
static Status fill_levels(const MetricsScores *set, const MetricsUncertainty *settings,
                          MetricsReport *report, Error *error)
{
    const size_t room = 3 + 2 * (size_t)report->source_count;
    MetricsLevelChoice *choices = mem_new(room, sizeof *choices, purpose, error);
    Slot *slots = mem_new(room, sizeof *slots, purpose, error);
    MetricsIntervals *intervals = mem_new(room, sizeof *intervals, purpose, error);
    Status status = choices && slots && intervals ? STATUS_OK : error->status;
    const int count = status == STATUS_OK ? list_levels(report, choices, slots) : 0;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = level_metrics(set, &choices[i], settings->threads, slots[i].metrics, error);
    if (status == STATUS_OK)
        status = metrics_intervals(set, choices, count, settings, intervals, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        *slots[i].intervals = intervals[i];
    free(choices);
    free(slots);
    free(intervals);
    return status;
}

static Status report_set(const MetricsScores *set, const MetricsUncertainty *settings,
                         MetricsReport *report, Error *error)
{
    *report = (MetricsReport){
        .dataset = set->dataset,
        .has_videos = set->has_videos,
        .by_margin = set->ranks != set->scores,
        .source_count = set->source_count,
        .frame = metrics_undefined(),
        .video = metrics_undefined(),
        .video_median = metrics_undefined(),
        .frame_ci = metrics_intervals_none(),
        .video_ci = metrics_intervals_none(),
        .video_median_ci = metrics_intervals_none(),
        .ci_left_out = settings->mode == METRICS_CI_AUTO &&
                       !metrics_uncertainty_resamples(settings, set->frames),
    };
    report->sources =
        mem_new((size_t)set->source_count + 1, sizeof *report->sources, purpose, error);
    if (!report->sources)
        return error->status;
    for (int s = 0; s < set->source_count; s++)
        report->sources[s].name = set->sources[s];
    return fill_levels(set, settings, report, error);
}

Status metrics_reports_with(const MetricsPredictions *predictions,
                            const MetricsUncertainty *settings, MetricsReport **reports, int *count,
                            Error *error)
{
    assert(predictions && settings && reports && count && error);
    MetricsScores *sets = NULL;
    int made_count = 0;
    *reports = NULL;
    *count = 0;
    TRY(metrics_scores_gather(predictions, &sets, &made_count, error));
    MetricsReport *made = mem_new(made_count, sizeof *made, purpose, error);
    Status status = made ? STATUS_OK : error->status;
    for (int d = 0; d < made_count && status == STATUS_OK; d++)
        status = report_set(&sets[d], settings, &made[d], error);
    /* Source names belong to the table, so they outlive the sets. */
    metrics_scores_free(sets, made_count);
    if (status != STATUS_OK) {
        metrics_reports_free(made, made ? made_count : 0);
        return status;
    }
    *reports = made;
    *count = made_count;
    return STATUS_OK;
}

Status metrics_reports(const MetricsPredictions *predictions, MetricsReport **reports, int *count,
                       Error *error)
{
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.mode = METRICS_CI_OFF;
    return metrics_reports_with(predictions, &settings, reports, count, error);
}

int metrics_report_levels(const MetricsReport *report,
                          MetricsReportLevel levels[METRICS_REPORT_LEVELS])
{
    levels[0] = (MetricsReportLevel){"frame", &report->frame, &report->frame_ci};
    levels[1] = (MetricsReportLevel){"video", &report->video, &report->video_ci};
    levels[2] =
        (MetricsReportLevel){"video_median", &report->video_median, &report->video_median_ci};
    return report->has_videos ? METRICS_REPORT_LEVELS : 1;
}

void metrics_reports_free(MetricsReport *reports, int count)
{
    for (int i = 0; i < count; i++)
        free(reports[i].sources);
    free(reports);
}

/* ---- metrics.json and summary.json ----------------------------------------------------------- */

static json_t *interval_json(MetricsInterval interval)
{
    return isfinite(interval.lower) && isfinite(interval.upper)
               ? json_pack("[f, f]", interval.lower, interval.upper)
               : json_null();
}

/* The methods of the intervals. */
static json_t *methods_json(const MetricsIntervals *intervals)
{
    json_t *method = json_object();
    train_json_set(method, "auroc", json_string(metrics_interval_method_name(intervals->auroc)));
    if (intervals->others != METRICS_INTERVAL_NONE)
        train_json_set(method, "others",
                       json_string(metrics_interval_method_name(intervals->others)));
    if (intervals->auroc == METRICS_INTERVAL_DELONG_ROWS)
        train_json_set(method, "assumes", json_string("independent rows"));
    return method;
}

/* The metrics of one level as in metrics.json, with intervals if there are any. */
static json_t *metrics_json(const Metrics *metrics, const MetricsIntervals *intervals)
{
    json_t *object = json_object();
    train_json_set(object, "n_real", json_integer((json_int_t)metrics->n_real));
    train_json_set(object, "n_fake", json_integer((json_int_t)metrics->n_fake));
    for (int i = 0; i < METRICS_NAMES; i++) {
        const MetricsIntervalMethod method =
            i == METRICS_AUROC ? intervals->auroc : intervals->others;
        char key[64];
        train_json_set(object, metrics_names[i].name, train_json_number(metrics_value(metrics, i)));
        snprintf(key, sizeof key, "%s_ci95", metrics_names[i].name);
        if (method != METRICS_INTERVAL_NONE)
            train_json_set(object, key, interval_json(intervals->of[i]));
    }
    if (intervals->auroc != METRICS_INTERVAL_NONE)
        train_json_set(object, "ci95_method", methods_json(intervals));
    return object;
}

static json_t *report_json(const MetricsReport *report)
{
    json_t *object = json_object(), *sources = json_object();
    MetricsReportLevel levels[METRICS_REPORT_LEVELS];
    const int count = metrics_report_levels(report, levels);
    for (int i = 0; i < count; i++)
        train_json_set(object, levels[i].key, metrics_json(levels[i].metrics, levels[i].intervals));
    for (int i = 0; i < report->source_count; i++) {
        const MetricsSourceReport *source = &report->sources[i];
        json_t *of_source = json_object();
        train_json_set(of_source, "frame", metrics_json(&source->frame, &source->frame_ci));
        train_json_set(of_source, "video", metrics_json(&source->video, &source->video_ci));
        train_json_set(sources, source->name, of_source);
    }
    train_json_set(object, "sources", sources);
    return object;
}

json_t *metrics_reports_json(const MetricsReport *reports, int count)
{
    assert(count == 0 || reports);
    json_t *document = json_object();
    for (int i = 0; i < count; i++)
        train_json_set(document, reports[i].dataset, report_json(&reports[i]));
    return document;
}

Status metrics_reports_write_json(FILE *stream, const MetricsReport *reports, int count,
                                  Error *error)
{
    assert(stream && error);
    return train_json_write(metrics_reports_json(reports, count), stream, 17, "metrics", error);
}

/*
 * Mean of every metric over the reports; NaN if one of them is NaN, and for several thresholds,
 * whose mean is the threshold of no data set.
 */
static json_t *averages_json(const MetricsReport *reports, int count, bool of_videos)
{
    json_t *object = json_object();
    for (int m = 0; m < METRICS_NAMES; m++) {
        MetricsSum sum = {0}; /* compensated: does not depend on the order of the data sets */
        for (int i = 0; i < count; i++)
            metrics_sum_add(&sum,
                            metrics_value(of_videos ? &reports[i].video : &reports[i].frame, m));
        const bool threshold = metrics_names[m].better == 0;
        train_json_set(object, metrics_names[m].name,
                       train_json_number(threshold && count > 1 ? (double)NAN
                                                                : metrics_sum_total(&sum) / count));
    }
    return object;
}

Status metrics_reports_write_summary(FILE *stream, const MetricsReport *reports, int count,
                                     Error *error)
{
    assert(stream && error && reports && count > 0);
    bool videos = true;
    for (int i = 0; i < count; i++)
        videos = videos && reports[i].has_videos;
    json_t *document = json_object();
    train_json_set(document, "datasets", json_integer(count));
    train_json_set(document, "frame", averages_json(reports, count, false));
    if (videos)
        train_json_set(document, "video", averages_json(reports, count, true));
    return train_json_write(document, stream, 17, "metrics", error);
}

/* ---- comparisons ----------------------------------------------------------------------------- */

static json_t *differences_json(const MetricsDifference *differences)
{
    json_t *object = json_object();
    for (int m = 0; m < METRICS_NAMES; m++) {
        const MetricsDifference *d = &differences[m];
        json_t *one = json_object();
        train_json_set(one, "a", train_json_number(d->a));
        train_json_set(one, "b", train_json_number(d->b));
        train_json_set(one, "difference", train_json_number(d->difference));
        train_json_set(one, "difference_ci95", interval_json(d->interval));
        train_json_set(one, "p", train_json_number(d->p));
        train_json_set(one, "method",
                       d->method == METRICS_INTERVAL_NONE
                           ? json_null()
                           : json_string(metrics_interval_method_name(d->method)));
        train_json_set(object, metrics_names[m].name, one);
    }
    return object;
}

json_t *metrics_comparisons_json(const MetricsComparison *comparisons, int count)
{
    json_t *document = json_object();
    for (int i = 0; i < count; i++) {
        json_t *levels = json_object();
        train_json_set(levels, "frame", differences_json(comparisons[i].frame));
        if (comparisons[i].has_videos)
            train_json_set(levels, "video", differences_json(comparisons[i].video));
        train_json_set(document, comparisons[i].dataset, levels);
    }
    return document;
}
