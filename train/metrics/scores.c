/*
 * scores.c - see scores.h.
 *
 * All sets share one array of each kind, divided by data set. Rows are sorted by counting, so every
 * step is linear except the medians, which sort the few frames of each video.
 */
#include "train/metrics/scores.h"

#include "tensor/base/mem.h"
#include "tensor/base/number.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The arrays that the sets point into; NULL if not needed. */
struct TrainScoresMemory {
    uint32_t *rows;        /* [count] by data set, stable */
    double *scores;        /* [count] */
    double *ranks;         /* [count] tables with margins only */
    uint8_t *labels;       /* [count] */
    uint32_t *frame_video; /* [count] */
    uint32_t *video_index; /* [video_count], like all below */
    double *mean, *median;
    double *mean_ranks, *median_ranks; /* tables with margins only */
    uint8_t *video_labels;
    int *video_source;
    const char **sources;
};

/* A video of a set, for sorting by name. */
typedef struct NamedVideo {
    const char *name;
    uint32_t number, video; /* in order of first row; index into the table's videos */
} NamedVideo;

/* Temporary arrays. */
typedef struct Scratch {
    size_t *first;       /* [dataset_count + 1] position of each set's first row */
    uint32_t *local;     /* [video_count] index within its set, by video of the table */
    size_t *video_first; /* [video_count + 1] position of each video's first score in `by_video` */
    double *by_video;    /* [count] scores, then margins of a set, video by video */
    NamedVideo *named;   /* [video_count] of a set, for sorting */
} Scratch;

static void free_memory(struct TrainScoresMemory *memory)
{
    if (!memory)
        return;
    free(memory->rows);
    free(memory->scores);
    free(memory->ranks);
    free(memory->labels);
    free(memory->frame_video);
    free(memory->video_index);
    free(memory->mean);
    free(memory->median);
    free(memory->mean_ranks);
    free(memory->median_ranks);
    free(memory->video_labels);
    free(memory->video_source);
    free(memory->sources);
    free(memory);
}

static void free_scratch(Scratch *scratch)
{
    free(scratch->first);
    free(scratch->local);
    free(scratch->video_first);
    free(scratch->by_video);
    free(scratch->named);
}

/* An array of `count` elements, or NULL if not wanted. Sets *complete = false if out of memory. */
static void *array(bool wanted, size_t count, size_t size, bool *complete)
{
    void *made = wanted ? malloc((count > 0 ? count : 1) * size) : NULL;
    *complete = *complete && (made || !wanted);
    return made;
}

static bool make_arrays(const MetricsPredictions *table, struct TrainScoresMemory *memory,
                        Scratch *scratch)
{
    const bool many = table->row_dataset != NULL, videos = table->row_video != NULL;
    const bool margins = table->margins != NULL;
    const size_t rows = table->count, count = table->video_count;
    bool complete = true;
    memory->rows = array(many, rows, sizeof *memory->rows, &complete);
    memory->scores = array(many, rows, sizeof *memory->scores, &complete);
    memory->ranks = array(many && margins, rows, sizeof *memory->ranks, &complete);
    memory->labels = array(many, rows, sizeof *memory->labels, &complete);
    memory->frame_video = array(videos, rows, sizeof *memory->frame_video, &complete);
    memory->video_index = array(videos, count, sizeof *memory->video_index, &complete);
    memory->mean = array(videos, count, sizeof *memory->mean, &complete);
    memory->median = array(videos, count, sizeof *memory->median, &complete);
    memory->mean_ranks = array(videos && margins, count, sizeof *memory->mean_ranks, &complete);
    memory->median_ranks = array(videos && margins, count, sizeof *memory->median_ranks, &complete);
    memory->video_labels = array(videos, count, sizeof *memory->video_labels, &complete);
    memory->video_source = array(videos, count, sizeof *memory->video_source, &complete);
    memory->sources = array(videos, count, sizeof *memory->sources, &complete);
    scratch->first = calloc(table->dataset_count + (size_t)1, sizeof *scratch->first);
    scratch->local = array(videos, count, sizeof *scratch->local, &complete);
    scratch->video_first = array(videos, count + 1, sizeof *scratch->video_first, &complete);
    scratch->by_video = array(videos, rows, sizeof *scratch->by_video, &complete);
    scratch->named = array(videos, count, sizeof *scratch->named, &complete);
    return complete && scratch->first;
}

/* Sorts the rows by data set (counting sort) and copies the columns that metrics read. */
static void order_rows(const MetricsPredictions *table, struct TrainScoresMemory *memory,
                       size_t *first)
{
    for (size_t i = 0; i < table->count; i++)
        first[(table->row_dataset ? table->row_dataset[i] : 0) + 1]++;
    for (uint32_t d = 0; d < table->dataset_count; d++)
        first[d + 1] += first[d];
    if (!table->row_dataset)
        return;
    for (size_t i = 0; i < table->count; i++)
        memory->rows[first[table->row_dataset[i]]++] = (uint32_t)i;
    for (uint32_t d = table->dataset_count; d > 0; d--) /* restore the start positions */
        first[d] = first[d - 1];
    first[0] = 0;
    for (size_t i = 0; i < table->count; i++) {
        memory->scores[i] = table->scores[memory->rows[i]];
        memory->labels[i] = table->labels[memory->rows[i]];
        if (memory->ranks)
            memory->ranks[i] = table->margins[memory->rows[i]];
    }
}

static size_t row_at(const MetricsScores *set, size_t frame)
{
    return set->rows ? set->rows[frame] : frame;
}

static int compare_videos(const void *a, const void *b)
{
    return strcmp(((const NamedVideo *)a)->name, ((const NamedVideo *)b)->name);
}

/* Renumbers the videos of a set by name instead of by first row. */
static void sort_videos(const MetricsPredictions *table, const MetricsScores *set, Scratch *scratch,
                        uint32_t *frame_video, uint32_t *video_index)
{
    NamedVideo *named = scratch->named;
    uint32_t *number = scratch->local; /* [videos] new number by old number */
    for (uint32_t v = 0; v < set->videos; v++)
        named[v] = (NamedVideo){table->videos[video_index[v]].name, v, video_index[v]};
    qsort(named, set->videos, sizeof *named, compare_videos);
    for (uint32_t v = 0; v < set->videos; v++) {
        video_index[v] = named[v].video;
        number[named[v].number] = v;
    }
    for (size_t i = 0; i < set->frames; i++)
        frame_video[i] = number[frame_video[i]];
}

/*
 * Numbers the videos of a set. False if a frame has none. frame_video [frames] and video_index
 * [videos] as in MetricsScores.
 */
static bool number_videos(const MetricsPredictions *table, MetricsScores *set, Scratch *scratch,
                          uint32_t *frame_video, uint32_t *video_index)
{
    uint32_t *local = scratch->local;
    uint32_t videos = 0;
    for (size_t i = 0; i < set->frames; i++) {
        const uint32_t video = table->row_video[row_at(set, i)];
        if (video == METRICS_NO_VIDEO)
            return false;
        /* An entry is valid only if its index points back to the video, so that the array need
 * not be cleared between sets. */
        if (local[video] >= videos || video_index[local[video]] != video) {
            local[video] = videos;
            video_index[videos++] = video;
        }
        frame_video[i] = local[video];
    }
    set->videos = videos;
    sort_videos(table, set, scratch, frame_video, video_index);
    return true;
}

/* Copies values [frames] into by_video, grouped by video in file order; first [videos] become the
 * ends of the groups. */
static void group_by_video(const MetricsScores *set, const uint32_t *frame_video,
                           const double *values, Scratch *scratch)
{
    size_t *first = scratch->video_first;
    memset(first, 0, (set->videos + (size_t)1) * sizeof *first);
    for (size_t i = 0; i < set->frames; i++)
        first[frame_video[i]]++;
    size_t begin = 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const size_t frames = first[v];
        first[v] = begin;
        begin += frames;
    }
    for (size_t i = 0; i < set->frames; i++)
        scratch->by_video[first[frame_video[i]]++] = values[i];
}

/* log(1 + exp(x)): -log(sigmoid(-x)), for any x. */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/*
 * The logit of the mean of sigmoid(margins[i]): log(sum of p) - log(sum of q), as log-sum-exp with
 * the largest term factored out, so that nothing saturates. Equal margins give exactly that margin.
 */
static double logit_of_mean(const double *margins, size_t n)
{
    double low = margins[0], high = margins[0], fake = 0, real = 0;
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, margins[i]);
        high = fmax(high, margins[i]);
    }
    const double most_fake = -softplus(-high), most_real = -softplus(low); /* log p, log q */
    for (size_t i = 0; i < n; i++) {
        fake += exp(-softplus(-margins[i]) - most_fake);
        real += exp(-softplus(margins[i]) - most_real);
    }
    return (low == high ? high : most_fake - most_real) + (log(fake) - log(real));
}

/* Computes means (in file order) and medians of the set's videos, and their ranks. */
static void sum_videos(const MetricsScores *set, const uint32_t *frame_video, Scratch *scratch,
                       double *mean, double *median, double *mean_ranks, double *median_ranks)
{
    for (int margins = 0; margins <= (mean_ranks ? 1 : 0); margins++) {
        group_by_video(set, frame_video, margins ? set->ranks : set->scores, scratch);
        for (uint32_t v = 0; v < set->videos; v++) {
            double *values = scratch->by_video + (v > 0 ? scratch->video_first[v - 1] : 0);
            const size_t n = (size_t)(scratch->by_video + scratch->video_first[v] - values);
            double sum = 0;
            for (size_t i = 0; i < n && !margins; i++)
                sum += values[i];
            if (margins)
                mean_ranks[v] = logit_of_mean(values, n);
            else
                mean[v] = sum / (double)n;
            qsort(values, n, sizeof *values, number_compare);
            const double *middle = values + (n - 1) / 2; /* lower middle if n is even */
            if (margins)
                median_ranks[v] = logit_of_mean(middle, n % 2 ? 1 : 2);
            else
                median[v] = n % 2 ? middle[0] : 0.5 * middle[0] + 0.5 * middle[1];
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Fills the names of the fake sources in bytewise order, and the source of each video. */
static void find_sources(const MetricsPredictions *table, MetricsScores *set, const char **found,
                         int *video_source)
{
    size_t n = 0, unique = 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const MetricsVideo *video = &table->videos[set->video_index[v]];
        if (video->label == 1 && video->source)
            found[n++] = video->source;
    }
    qsort(found, n, sizeof *found, compare_names);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || strcmp(found[unique - 1], found[i]) != 0)
            found[unique++] = found[i];
    unique = unique <= METRICS_MAX_SOURCES ? unique : 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const MetricsVideo *video = &table->videos[set->video_index[v]];
        const char **at = video->label == 1 && video->source
                              ? bsearch(&video->source, found, unique, sizeof *found, compare_names)
                              : NULL;
        video_source[v] = at ? (int)(at - found) : METRICS_NO_SOURCE;
    }
    set->sources = found;
    set->source_count = (int)unique;
}

/* Fills one set: rows start at `begin`, its videos at `first_video` in the shared arrays. */
static void gather_set(const MetricsPredictions *table, struct TrainScoresMemory *memory,
                       Scratch *scratch, size_t begin, uint32_t first_video, MetricsScores *set)
{
    set->rows = memory->rows ? memory->rows + begin : NULL;
    set->scores = memory->rows ? memory->scores + begin : table->scores;
    set->labels = memory->rows ? memory->labels + begin : table->labels;
    set->ranks = !table->margins ? set->scores
                 : memory->ranks ? memory->ranks + begin
                                 : table->margins;
    set->memory = memory;
    if (!table->row_video)
        return;
    uint32_t *index = memory->video_index + first_video;
    uint32_t *frame_video = memory->frame_video + begin;
    if (!number_videos(table, set, scratch, frame_video, index))
        return;
    set->has_videos = true;
    set->frame_video = frame_video;
    set->video_index = index;
    const bool margins = table->margins != NULL;
    double *mean_ranks = margins ? memory->mean_ranks + first_video : NULL;
    double *median_ranks = margins ? memory->median_ranks + first_video : NULL;
    sum_videos(set, frame_video, scratch, memory->mean + first_video, memory->median + first_video,
               mean_ranks, median_ranks);
    set->video_mean = memory->mean + first_video;
    set->video_median = memory->median + first_video;
    set->video_mean_ranks = margins ? mean_ranks : set->video_mean;
    set->video_median_ranks = margins ? median_ranks : set->video_median;
    for (uint32_t v = 0; v < set->videos; v++)
        memory->video_labels[first_video + v] = (uint8_t)table->videos[index[v]].label;
    set->video_labels = memory->video_labels + first_video;
    find_sources(table, set, memory->sources + first_video, memory->video_source + first_video);
    set->video_source = memory->video_source + first_video;
}

Status metrics_scores_gather(const MetricsPredictions *table, MetricsScores **sets, int *count,
                             Error *error)
{
    assert(table && sets && count && error);
    *sets = NULL;
    *count = 0;
    if (table->count == 0)
        return error_set(error, STATUS_FAILED, "scores: no rows; give at least one row");
    Scratch scratch = {0};
    struct TrainScoresMemory *memory = calloc(1, sizeof *memory);
    MetricsScores *made = calloc(table->dataset_count, sizeof *made);
    if (!memory || !made || !make_arrays(table, memory, &scratch)) {
        free_scratch(&scratch);
        free_memory(memory);
        free(made);
        return mem_full(0, "gathering the scores", error);
    }
    order_rows(table, memory, scratch.first);
    if (scratch.local)
        memset(scratch.local, 0, table->video_count * sizeof *scratch.local);
    uint32_t videos = 0;
    for (uint32_t d = 0; d < table->dataset_count; d++) {
        made[d].dataset = table->datasets[d];
        made[d].frames = scratch.first[d + 1] - scratch.first[d];
        gather_set(table, memory, &scratch, scratch.first[d], videos, &made[d]);
        videos += made[d].videos;
    }
    free_scratch(&scratch);
    *sets = made;
    *count = (int)table->dataset_count;
    return STATUS_OK;
}

void metrics_scores_free(MetricsScores *sets, int count)
{
    if (sets && count > 0)
        free_memory(sets[0].memory);
    free(sets);
}

/* True if a video is real or of the given source. */
static bool is_chosen(const MetricsScores *set, uint32_t video, int source)
{
    return source == METRICS_NO_SOURCE || set->video_labels[video] == 0 ||
           set->video_source[video] == source;
}

size_t metrics_scores_select_frames(const MetricsScores *set, int source, uint32_t *selected)
{
    assert(set->has_videos || source == METRICS_NO_SOURCE);
    size_t n = 0;
    for (size_t i = 0; i < set->frames; i++)
        if (source == METRICS_NO_SOURCE || is_chosen(set, set->frame_video[i], source))
            selected[n++] = (uint32_t)i;
    return n;
}

size_t metrics_scores_select_videos(const MetricsScores *set, int source, uint32_t *selected)
{
    size_t n = 0;
    for (uint32_t v = 0; v < set->videos; v++)
        if (is_chosen(set, v, source))
            selected[n++] = v;
    return n;
}
