/*
 * uncertainty.c - see uncertainty.h.
 */
#include "train/metrics/uncertainty.h"

#include "tensor/base/mem.h"
#include "train/metrics/bootstrap.h"
#include "train/metrics/delong.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the intervals";

MetricsUncertainty metrics_uncertainty_defaults(void)
{
    return (MetricsUncertainty){.mode = METRICS_CI_AUTO, .resamples = METRICS_CI_RESAMPLES};
}

bool metrics_uncertainty_resamples(const MetricsUncertainty *settings, size_t rows)
{
    return settings->mode == METRICS_CI_ON ||
           (settings->mode == METRICS_CI_AUTO && rows <= METRICS_CI_ROWS);
}

MetricsLevelRows metrics_level_rows(const MetricsScores *set, MetricsLevel level)
{
    if (level == METRICS_FRAMES)
        return (MetricsLevelRows){set->scores, set->ranks, set->labels, set->frames};
    if (level == METRICS_VIDEOS)
        return (MetricsLevelRows){set->video_mean, set->video_mean_ranks, set->video_labels,
                                  set->videos};
    return (MetricsLevelRows){set->video_median, set->video_median_ranks, set->video_labels,
                              set->videos};
}

/* The selected rows of one level, copied. */
typedef struct Level {
    double *scores;
    double *ranks; /* equal to `scores` if scores rank */
    uint8_t *labels;
    uint32_t *cluster; /* NULL: every row is a cluster */
    size_t n;
    size_t clusters[2]; /* number of distinct real and fake clusters */
} Level;

static void free_level(Level *level)
{
    if (level->ranks != level->scores)
        free(level->ranks);
    free(level->scores);
    free(level->labels);
    free(level->cluster);
    *level = (Level){0};
}

/* Counts the distinct clusters of each class. */
static bool count_clusters(const MetricsScores *set, Level *level, Error *error)
{
    if (!set->has_videos) {
        for (size_t i = 0; i < level->n; i++)
            level->clusters[level->labels[i]]++;
        return true;
    }
    bool *seen = mem_new(set->videos + (size_t)1, sizeof *seen, purpose, error);
    for (size_t i = 0; seen && i < level->n; i++) {
        level->clusters[level->labels[i]] += !seen[level->cluster[i]];
        seen[level->cluster[i]] = true;
    }
    free(seen);
    return seen != NULL;
}

static Status make_level(const MetricsScores *set, const MetricsLevelChoice *choice, Level *level,
                         Error *error)
{
    const bool frames = choice->level == METRICS_FRAMES;
    const MetricsLevelRows rows = metrics_level_rows(set, choice->level);
    const size_t room = rows.count;
    *level = (Level){0};
    level->scores = mem_new(room + 1, sizeof *level->scores, purpose, error);
    level->ranks = rows.ranks == rows.scores
                       ? level->scores
                       : mem_new(room + 1, sizeof *level->ranks, purpose, error);
    level->labels = mem_new(room + 1, 1, purpose, error);
    level->cluster =
        set->has_videos ? mem_new(room + 1, sizeof *level->cluster, purpose, error) : NULL;
    uint32_t *selected = mem_new(room + 1, sizeof *selected, purpose, error);
    bool complete = level->scores && level->ranks && level->labels && selected &&
                    (level->cluster || !set->has_videos);
    if (complete) {
        level->n = frames ? metrics_scores_select_frames(set, choice->source, selected)
                          : metrics_scores_select_videos(set, choice->source, selected);
        for (size_t i = 0; i < level->n; i++) {
            level->scores[i] = rows.scores[selected[i]];
            level->ranks[i] = rows.ranks[selected[i]];
            level->labels[i] = rows.labels[selected[i]];
            if (level->cluster)
                level->cluster[i] = frames ? set->frame_video[selected[i]] : selected[i];
        }
        complete = count_clusters(set, level, error);
    }
    free(selected);
    if (complete)
        return STATUS_OK;
    free_level(level);
    return error->status;
}

/* DeLong's interval of the AUROC, for videos or for rows assumed to be independent. */
static Status delong_interval(const Level *level, bool of_videos, MetricsIntervals *intervals,
                              Error *error)
{
    double *placements = mem_new(level->n + 1, sizeof *placements, purpose, error);
    if (!placements)
        return error->status;
    const Status status =
        metrics_placements(level->ranks, level->labels, level->n, placements, error);
    if (status == STATUS_OK) {
        const MetricsDelong delong = metrics_delong(placements, level->labels, level->n);
        intervals->of[METRICS_AUROC] = metrics_delong_interval(&delong);
        intervals->auroc = of_videos ? METRICS_INTERVAL_DELONG : METRICS_INTERVAL_DELONG_ROWS;
    }
    free(placements);
    return status;
}

/* True for metrics that are areas in [0, 1], whose intervals use the logit scale. */
static bool is_area(int metric)
{
    return metric == METRICS_AUROC || metric == METRICS_AP || metric == METRICS_MAP ||
           metric == METRICS_PARTIAL_AUROC;
}

/* Intervals of one level from its resampled values [METRICS_NAMES][resamples]. */
static Status take_intervals(const Level *level, double *values, size_t resamples, bool of_videos,
                             MetricsIntervals *intervals, Error *error)
{
    Metrics metrics;
    TRY(metrics_on(NULL, level->scores, level->ranks, level->labels, level->n, &metrics, error));
    const MetricsIntervalMethod method =
        of_videos ? METRICS_INTERVAL_BOOTSTRAP : METRICS_INTERVAL_BOOTSTRAP_ROWS;
    intervals->others = method;
    for (int m = 0; m < METRICS_NAMES; m++) {
        if (m == METRICS_AUROC && intervals->auroc != METRICS_INTERVAL_NONE)
            continue;
        double *drawn = values + (size_t)m * resamples;
        const double value = metrics_value(&metrics, m);
        intervals->of[m] = is_area(m)
                               ? metrics_logit_interval(value, drawn, resamples, level->clusters)
                               : metrics_percentile_interval(drawn, resamples);
        if (m == METRICS_AUROC)
            intervals->auroc = method;
    }
    /* Perfectly separated classes are so in every resample: the interval depends only on the number
     * of videos. */
    if (intervals->auroc == METRICS_INTERVAL_BOOTSTRAP &&
        (metrics.auroc <= 0 || metrics.auroc >= 1)) {
        const MetricsDelong perfect = {
            .n_real = level->clusters[0], .n_fake = level->clusters[1], .auroc = metrics.auroc};
        intervals->of[METRICS_AUROC] = metrics_delong_interval(&perfect);
        intervals->auroc = METRICS_INTERVAL_DELONG;
    }
    return STATUS_OK;
}

static Status resample_levels(const MetricsScores *set, const Level *levels, const int *of,
                              int count, const MetricsUncertainty *settings,
                              MetricsIntervals *intervals, Error *error)
{
    const size_t resamples = (size_t)settings->resamples;
    MetricsSample **samples = mem_new(count, sizeof *samples, purpose, error);
    double *values =
        mem_new((size_t)count * METRICS_NAMES * resamples, sizeof *values, purpose, error);
    Status status = samples && values ? STATUS_OK : error->status;
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        const Level *level = &levels[of[i]];
        status = metrics_sample_create(&samples[i], level->scores, level->ranks, level->labels,
                                       level->cluster, level->n, error);
    }
    const MetricsClusters clusters = {
        .count = set->has_videos ? set->videos : (uint32_t)set->frames,
        .labels = set->has_videos ? set->video_labels : set->labels,
        .are_rows = !set->has_videos,
    };
    const MetricsDraw draw = {settings->resamples, settings->seed, set->dataset, settings->threads};
    if (status == STATUS_OK)
        status = metrics_bootstrap((const MetricsSample *const *)samples, count, &clusters, &draw,
                                   values, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = take_intervals(&levels[of[i]], values + (size_t)i * METRICS_NAMES * resamples,
                                resamples, set->has_videos, &intervals[of[i]], error);
    for (int i = 0; samples && i < count; i++)
        metrics_sample_free(samples[i]);
    free(samples);
    free(values);
    return status;
}

Status metrics_intervals(const MetricsScores *set, const MetricsLevelChoice *choices, int count,
                         const MetricsUncertainty *settings, MetricsIntervals *intervals,
                         Error *error)
{
    assert(set && choices && settings && intervals && error && count > 0);
    assert(settings->resamples >= 100);
    for (int i = 0; i < count; i++)
        intervals[i] = metrics_intervals_none();
    if (settings->mode == METRICS_CI_OFF)
        return STATUS_OK;
    const bool resampled = metrics_uncertainty_resamples(settings, set->frames);
    Level *levels = mem_new(count, sizeof *levels, purpose, error);
    int *of = mem_new(count, sizeof *of, purpose, error);
    int wanted = 0;
    Status status = levels && of ? STATUS_OK : error->status;
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        const bool by_delong = choices[i].level != METRICS_FRAMES || !set->has_videos;
        assert(set->has_videos || choices[i].level == METRICS_FRAMES);
        if (!resampled && (choices[i].level == METRICS_FRAMES))
            continue; /* too many rows for a bootstrap, but DeLong over videos is cheap */
        status = make_level(set, &choices[i], &levels[i], error);
        if (status != STATUS_OK || levels[i].clusters[0] < 2 || levels[i].clusters[1] < 2)
            continue;
        if (by_delong)
            status = delong_interval(&levels[i], set->has_videos, &intervals[i], error);
        of[wanted++] = i;
    }
    if (status == STATUS_OK && resampled && wanted > 0)
        status = resample_levels(set, levels, of, wanted, settings, intervals, error);
    for (int i = 0; levels && i < count; i++)
        free_level(&levels[i]);
    free(levels);
    free(of);
    return status;
}
