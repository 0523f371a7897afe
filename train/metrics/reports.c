/*
 * reports.c - from a table of predictions to metrics and intervals by data set, frame, video and source.
 */
#include "train/metrics/reports.h"

#include <assert.h>
#include <stdlib.h>

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED, "scores: no memory for the reports; free some");
}

/* Metrics of one level: all rows where they lie, those of one source gathered first. */
static Status level_metrics(const MetricsScores *set, const MetricsLevelChoice *choice,
                            Threads *threads, Metrics *metrics, Error *error)
{
    const MetricsLevelRows all = metrics_level_rows(set, choice->level);
    const size_t rows = all.count;
    if (choice->source == METRICS_NO_SOURCE)
        return metrics_on(threads, all.scores, all.ranks, all.labels, rows, metrics, error);

    uint32_t *const selected = malloc((rows + 1) * sizeof *selected);
    double *const scores = malloc((rows + 1) * sizeof *scores);
    double *const ranks = malloc((rows + 1) * sizeof *ranks);
    uint8_t *const labels = malloc(rows + 1);
    Status status = STATUS_OK;
    if (!selected || !scores || !ranks || !labels)
        status = no_memory(error);
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

/* The levels of a report: where their metrics and intervals go. */
typedef struct Slot {
    Metrics *metrics;
    MetricsIntervals *intervals;
} Slot;

/* Lists all levels of `report`, whose sources are there. choices and slots have room for 3 + 2 source_count. */
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
        MetricsSourceReport *const source = &report->sources[s];
        choices[count] = (MetricsLevelChoice){METRICS_FRAMES, s};
        slots[count++] = (Slot){&source->frame, &source->frame_ci};
        choices[count] = (MetricsLevelChoice){METRICS_VIDEOS, s};
        slots[count++] = (Slot){&source->video, &source->video_ci};
    }
    return count;
}

/* Metrics, then intervals, of all levels. */
static Status fill_levels(const MetricsScores *set, const MetricsUncertainty *settings,
                          MetricsReport *report, Error *error)
{
    const size_t room = 3 + 2 * (size_t)report->source_count;
    MetricsLevelChoice *const choices = calloc(room, sizeof *choices);
    Slot *const slots = calloc(room, sizeof *slots);
    MetricsIntervals *const intervals = calloc(room, sizeof *intervals);
    Status status = choices && slots && intervals ? STATUS_OK : no_memory(error);
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
    report->sources = calloc((size_t)set->source_count + 1, sizeof *report->sources);
    if (!report->sources)
        return no_memory(error);
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
    MetricsReport *const made = calloc((size_t)made_count, sizeof *made);
    Status status = made ? STATUS_OK : no_memory(error);
    for (int d = 0; d < made_count && status == STATUS_OK; d++)
        status = report_set(&sets[d], settings, &made[d], error);
    /* Names of sources are strings of the table: they outlive the sets. */
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

void metrics_reports_free(MetricsReport *reports, int count)
{
    for (int i = 0; i < count; i++)
        free(reports[i].sources);
    free(reports);
}
