/*
 * paired.c - see paired.h.
 *
 * The two files are gathered separately, so that each has exactly the metrics it has alone. A map
 * from rows and videos of b to those of a joins them; one draw of videos then weights both.
 */
#include "train/metrics/paired.h"

#include "tensor/base/mem.h"
#include "train/metrics/bootstrap.h"
#include "train/metrics/delong.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the comparison";

/* One data set of one of the files. */
typedef struct Side {
    const MetricsPredictions *table;
    const char *name; /* file name, for messages */
    const MetricsScores *set;
} Side;

typedef struct Pair {
    Side a, b;
    uint32_t *frame_of; /* [frames] frame of a for each frame of b */
    uint32_t *video_of; /* [videos] video of a for each video of b */
} Pair;

static const char *file_at(const Side *side, size_t frame)
{
    if (!side->table->files)
        return NULL;
    return side->table->files[side->set->rows ? side->set->rows[frame] : frame];
}

/* A frame and its file, for sorting. */
typedef struct NamedFrame {
    const char *file;
    uint32_t frame;
} NamedFrame;

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const NamedFrame *)a)->file, ((const NamedFrame *)b)->file);
}

/* The frames of one side, sorted by file. *named is NULL if a frame has no file. */
static Status sort_files(const Side *side, NamedFrame **named, Error *error)
{
    const size_t n = side->set->frames;
    NamedFrame *made = mem_new(n, sizeof *made, purpose, error);
    *named = NULL;
    if (!made)
        return error->status;
    for (size_t i = 0; i < n; i++) {
        made[i] = (NamedFrame){file_at(side, i), (uint32_t)i};
        if (!made[i].file) {
            free(made);
            return STATUS_OK;
        }
    }
    qsort(made, n, sizeof *made, compare_files);
    for (size_t i = 1; i < n; i++)
        if (strcmp(made[i - 1].file, made[i].file) == 0) {
            const Status status = error_set(
                error, STATUS_FAILED, "%s: duplicate file %s; a comparison needs each file once",
                side->name, made[i].file);
            free(made);
            return status;
        }
    *named = made;
    return STATUS_OK;
}

/* Matches frames by file. Both lists are sorted, so the first difference is a missing row. */
static Status match_files(Pair *pair, const NamedFrame *a, const NamedFrame *b, Error *error)
{
    const size_t n_a = pair->a.set->frames, n_b = pair->b.set->frames;
    size_t missing_in_a = 0, missing_in_b = 0;
    const char *first = NULL;
    for (size_t i = 0, j = 0; i < n_a || j < n_b;) {
        const int order = i == n_a ? 1 : j == n_b ? -1 : strcmp(a[i].file, b[j].file);
        if (order == 0) {
            pair->frame_of[b[j++].frame] = a[i++].frame;
            continue;
        }
        if (!first)
            first = order < 0 ? a[i].file : b[j].file;
        missing_in_b += order < 0;
        missing_in_a += order > 0;
        i += order < 0;
        j += order > 0;
    }
    if (!first)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: %zu rows of data set %s are not in %s, and %zu the other way round, %s "
                     "among them; compare scores of the same files",
                     pair->a.name, missing_in_b, pair->a.set->dataset, pair->b.name, missing_in_a,
                     first);
}

static Status match_positions(Pair *pair, Error *error)
{
    if (pair->a.set->frames != pair->b.set->frames)
        return error_set(error, STATUS_FAILED,
                         "%s: has %zu rows of data set %s, and %s has %zu; compare scores of the "
                         "same rows, in the same order",
                         pair->a.name, pair->a.set->frames, pair->a.set->dataset, pair->b.name,
                         pair->b.set->frames);
    for (size_t i = 0; i < pair->a.set->frames; i++)
        pair->frame_of[i] = (uint32_t)i;
    return STATUS_OK;
}

static Status match_labels(const Pair *pair, Error *error)
{
    const MetricsScores *a = pair->a.set, *b = pair->b.set;
    for (size_t i = 0; i < b->frames; i++) {
        const uint32_t other = pair->frame_of[i];
        if (a->labels[other] == b->labels[i])
            continue;
        const char *file = file_at(&pair->b, i);
        return error_set(error, STATUS_FAILED,
                         "%s: row %zu of data set %s%s%s is labelled %d, but %d in %s; compare "
                         "scores of the same rows",
                         pair->b.name, i + 1, b->dataset, file ? ", " : "", file ? file : "",
                         b->labels[i], a->labels[other], pair->a.name);
    }
    return STATUS_OK;
}

/* Maps videos of b to videos of a and checks that the map is one to one. */
static Status match_videos(Pair *pair, Error *error)
{
    const MetricsScores *a = pair->a.set, *b = pair->b.set;
    if (a->has_videos != b->has_videos)
        return error_set(error, STATUS_FAILED,
                         "%s: has no videos for data set %s, but %s has; give both files the "
                         "columns files or video",
                         a->has_videos ? pair->b.name : pair->a.name, a->dataset,
                         a->has_videos ? pair->a.name : pair->b.name);
    if (!a->has_videos)
        return STATUS_OK;
    bool same = a->videos == b->videos;
    for (uint32_t v = 0; v < b->videos; v++)
        pair->video_of[v] = METRICS_NO_VIDEO;
    for (size_t i = 0; i < b->frames && same; i++) {
        const uint32_t of_a = a->frame_video[pair->frame_of[i]];
        uint32_t *of_b = &pair->video_of[b->frame_video[i]];
        same = *of_b == METRICS_NO_VIDEO || *of_b == of_a;
        *of_b = of_a;
    }
    /* Equal numbers of videos, and every frame is matched: the map is onto, hence one to one. */
    if (same)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: groups the frames of data set %s into other videos than %s; compare "
                     "scores with the same videos",
                     pair->b.name, a->dataset, pair->a.name);
}

static Status match(Pair *pair, Error *error)
{
    NamedFrame *a = NULL, *b = NULL;
    pair->frame_of = mem_new(pair->b.set->frames + 1, sizeof *pair->frame_of, purpose, error);
    pair->video_of =
        mem_new(pair->b.set->videos + (size_t)1, sizeof *pair->video_of, purpose, error);
    Status status = pair->frame_of && pair->video_of ? STATUS_OK : error->status;
    if (status == STATUS_OK)
        status = sort_files(&pair->a, &a, error);
    if (status == STATUS_OK && a)
        status = sort_files(&pair->b, &b, error);
    if (status == STATUS_OK)
        status = a && b ? match_files(pair, a, b, error) : match_positions(pair, error);
    if (status == STATUS_OK)
        status = match_labels(pair, error);
    if (status == STATUS_OK)
        status = match_videos(pair, error);
    free(a);
    free(b);
    return status;
}

/* One level of both sides: rows, and the cluster of each row, numbered as in a. */
typedef struct Level {
    size_t n;
    const double *scores_a, *scores_b;
    const double *ranks_a, *ranks_b; /* as in MetricsScores */
    const uint8_t *labels_a, *labels_b;
    const uint32_t *cluster_a, *cluster_b; /* cluster_a NULL: every row is a cluster */
    bool rows_are_clusters;                /* in that case cluster_b is the row of a */
} Level;

static MetricsDifference undefined_difference(double a, double b)
{
    return (MetricsDifference){
        .a = a, .b = b, .difference = b - a, .interval = {NAN, NAN}, .p = NAN};
}

static Status level_points(const Level *level, Threads *threads, MetricsDifference *differences,
                           Metrics *metrics, Error *error)
{
    Metrics b;
    TRY(metrics_on(threads, level->scores_a, level->ranks_a, level->labels_a, level->n, metrics,
                   error));
    TRY(metrics_on(threads, level->scores_b, level->ranks_b, level->labels_b, level->n, &b, error));
    for (int m = 0; m < METRICS_NAMES; m++)
        differences[m] = undefined_difference(metrics_value(metrics, m), metrics_value(&b, m));
    return STATUS_OK;
}

/* DeLong's paired method, for a level whose rows are clusters. */
static Status level_delong(const Level *level, MetricsIntervalMethod method,
                           MetricsDifference *difference, Error *error)
{
    double *placements = mem_new(3 * (level->n + 1), sizeof *placements, purpose, error);
    if (!placements)
        return error->status;
    double *of_a = placements, *of_b = of_a + level->n, *const matched = of_b + level->n;
    Status status = metrics_placements(level->ranks_a, level->labels_a, level->n, of_a, error);
    if (status == STATUS_OK)
        status = metrics_placements(level->ranks_b, level->labels_b, level->n, of_b, error);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < level->n; i++)
            matched[level->cluster_b[i]] = of_b[i];
        const MetricsDifference found =
            metrics_delong_difference(of_a, matched, level->labels_a, level->n);
        difference->interval = found.interval;
        difference->p = found.p;
        difference->method = method;
    }
    free(placements);
    return status;
}

/* Interval and p of one metric from the resampled values of both sides; overwrites those of a. */
static void bootstrap_difference(double *a, const double *b, size_t resamples,
                                 MetricsIntervalMethod method, MetricsDifference *difference)
{
    size_t defined = 0, not_above = 0, not_below = 0;
    for (size_t r = 0; r < resamples; r++) {
        a[r] = b[r] - a[r];
        defined += isnan(a[r]) ? 0 : 1;
        not_above += a[r] <= 0;
        not_below += a[r] >= 0;
    }
    difference->interval = metrics_percentile_interval(a, resamples);
    if (isnan(difference->interval.lower) || isnan(difference->difference))
        return;
    const size_t fewer = not_above < not_below ? not_above : not_below;
    difference->p = fmin(1, 2 * (double)(1 + fewer) / (double)(1 + defined));
    difference->p_lowest = fewer == 0 && difference->p < 1;
    difference->method = method;
}

static Status bootstrap_levels(const Level *levels, int count, const MetricsClusters *clusters,
                               const char *dataset, const MetricsUncertainty *settings,
                               MetricsDifference *const *differences, Error *error)
{
    const size_t resamples = (size_t)settings->resamples;
    const size_t block = METRICS_NAMES * resamples; /* values of one sample */
    MetricsSample *samples[4] = {NULL};
    double *values = mem_new(2 * (size_t)count * block, sizeof *values, purpose, error);
    Status status = values ? STATUS_OK : error->status;
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        const Level *l = &levels[i];
        status = metrics_sample_create(&samples[2 * i], l->scores_a, l->ranks_a, l->labels_a,
                                       l->cluster_a, l->n, error);
        if (status == STATUS_OK)
            status = metrics_sample_create(&samples[2 * i + 1], l->scores_b, l->ranks_b,
                                           l->labels_b, l->cluster_b, l->n, error);
    }
    const MetricsDraw draw = {settings->resamples, settings->seed, dataset, settings->threads};
    if (status == STATUS_OK)
        status = metrics_bootstrap((const MetricsSample *const *)samples, 2 * count, clusters,
                                   &draw, values, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        for (int m = 0; m < METRICS_NAMES; m++) {
            double *a = values + 2 * (size_t)i * block + (size_t)m * resamples;
            if (differences[i][m].method == METRICS_INTERVAL_NONE)
                bootstrap_difference(a, a + block, resamples,
                                     levels[0].rows_are_clusters ? METRICS_INTERVAL_BOOTSTRAP_ROWS
                                                                 : METRICS_INTERVAL_BOOTSTRAP,
                                     &differences[i][m]);
        }
    for (int i = 0; i < 4; i++)
        metrics_sample_free(samples[i]);
    free(values);
    return status;
}

/* The levels of a matched pair. clusters_b [frames] is a buffer for the clusters of b's frames. */
static int list_levels(const Pair *pair, uint32_t *clusters_b, Level levels[2])
{
    const MetricsScores *a = pair->a.set, *b = pair->b.set;
    for (size_t i = 0; i < b->frames; i++)
        clusters_b[i] = a->has_videos ? pair->video_of[b->frame_video[i]] : pair->frame_of[i];
    levels[0] = (Level){.n = a->frames,
                        .scores_a = a->scores,
                        .scores_b = b->scores,
                        .ranks_a = a->ranks,
                        .ranks_b = b->ranks,
                        .labels_a = a->labels,
                        .labels_b = b->labels,
                        .cluster_a = a->frame_video,
                        .cluster_b = clusters_b,
                        .rows_are_clusters = !a->has_videos};
    levels[1] = (Level){.n = a->videos,
                        .scores_a = a->video_mean,
                        .scores_b = b->video_mean,
                        .ranks_a = a->video_mean_ranks,
                        .ranks_b = b->video_mean_ranks,
                        .labels_a = a->video_labels,
                        .labels_b = b->video_labels,
                        .cluster_b = pair->video_of,
                        .rows_are_clusters = true};
    return a->has_videos ? 2 : 1;
}

static Status compare_set(const Pair *pair, const MetricsUncertainty *settings,
                          MetricsComparison *comparison, Error *error)
{
    const MetricsScores *a = pair->a.set, *b = pair->b.set;
    /* The draws do not depend on which file is named first. */
    const char *drawn_as = strcmp(a->dataset, b->dataset) < 0 ? a->dataset : b->dataset;
    const bool resampled = metrics_uncertainty_resamples(settings, a->frames);
    MetricsDifference *const differences[2] = {comparison->frame, comparison->video};
    uint32_t *clusters_b = mem_new(a->frames + 1, sizeof *clusters_b, purpose, error);
    if (!clusters_b)
        return error->status;
    *comparison =
        (MetricsComparison){.dataset = a->dataset,
                            .frames = a->frames,
                            .videos = a->videos,
                            .has_videos = a->has_videos,
                            .ci_left_out = settings->mode == METRICS_CI_AUTO && !resampled};
    Level levels[2];
    Metrics points[2] = {metrics_undefined(), metrics_undefined()};
    const int count = list_levels(pair, clusters_b, levels);
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = level_points(&levels[i], settings->threads, differences[i], &points[i], error);
    /* Clusters are videos, or rows without videos. A class with one cluster has no spread. */
    const Level *drawn = &levels[count - 1];
    const bool spread = status == STATUS_OK && points[count - 1].n_real > 1 &&
                        points[count - 1].n_fake > 1 && settings->mode != METRICS_CI_OFF;
    if (spread && (resampled || a->has_videos))
        status = level_delong(
            drawn, a->has_videos ? METRICS_INTERVAL_DELONG : METRICS_INTERVAL_DELONG_ROWS,
            &differences[count - 1][METRICS_AUROC], error);
    const MetricsClusters clusters = {
        .count = (uint32_t)drawn->n, .labels = drawn->labels_a, .are_rows = !a->has_videos};
    if (status == STATUS_OK && spread && resampled)
        status = bootstrap_levels(levels, count, &clusters, drawn_as, settings, differences, error);
    free(clusters_b);
    return status;
}

/* The set of b that matches a set of a: the one of equal name, or the only one. */
static Status find_set(const Side *a, int count_a, const MetricsScores *sets_b, int count_b,
                       const char *name_b, const MetricsScores **found, Error *error)
{
    *found = NULL;
    for (int i = 0; i < count_b && !*found; i++)
        if (strcmp(sets_b[i].dataset, a->set->dataset) == 0 || (count_a == 1 && count_b == 1))
            *found = &sets_b[i];
    if (*found)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: has no data set %s, but %s has; compare scores of the same data sets",
                     name_b, a->set->dataset, a->name);
}

static Status compare_sets(const Side *a, int count_a, const Side *b, const MetricsScores *sets_b,
                           int count_b, const MetricsUncertainty *settings,
                           MetricsComparison *comparison, Error *error)
{
    Pair pair = {.a = *a, .b = *b};
    TRY(find_set(a, count_a, sets_b, count_b, b->name, &pair.b.set, error));
    Status status = match(&pair, error);
    if (status == STATUS_OK)
        status = compare_set(&pair, settings, comparison, error);
    free(pair.frame_of);
    free(pair.video_of);
    return status;
}

Status metrics_compare(const MetricsPredictions *a, const char *name_a, const MetricsPredictions *b,
                       const char *name_b, const MetricsUncertainty *settings,
                       MetricsComparison **comparisons, int *count, Error *error)
{
    assert(a && name_a && b && name_b && settings && comparisons && count && error);
    MetricsScores *sets_a = NULL, *sets_b = NULL;
    int count_a = 0, count_b = 0;
    *comparisons = NULL;
    *count = 0;
    Status status = metrics_scores_gather(a, &sets_a, &count_a, error);
    if (status == STATUS_OK)
        status = metrics_scores_gather(b, &sets_b, &count_b, error);
    if (status == STATUS_OK && count_a != count_b)
        status = error_set(error, STATUS_FAILED,
                           "%s: has %d data sets, and %s has %d; compare scores of the same data "
                           "sets",
                           name_a, count_a, name_b, count_b);
    MetricsComparison *made =
        status == STATUS_OK ? mem_new(count_a, sizeof *made, purpose, error) : NULL;
    if (status == STATUS_OK && !made)
        status = error->status;
    for (int d = 0; d < count_a && status == STATUS_OK; d++)
        status = compare_sets(&(Side){a, name_a, &sets_a[d]}, count_a, &(Side){b, name_b, NULL},
                              sets_b, count_b, settings, &made[d], error);
    metrics_scores_free(sets_a, count_a);
    metrics_scores_free(sets_b, count_b);
    if (status != STATUS_OK) {
        free(made);
        return status;
    }
    *comparisons = made;
    *count = count_a;
    return STATUS_OK;
}
