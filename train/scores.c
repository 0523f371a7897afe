/*
 * scores.c - see scores.h.
 *
 * All sets share one array of each kind, cut by data set: a row or video belongs to one only. Rows are ordered by
 * counting, so nothing here is slower than a pass but the medians, which sort each video's few frames.
 */
#include "train/scores.h"

#include "train/number.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The arrays that the sets point into; NULL where a table needs none. */
struct TrainScoresMemory {
    uint32_t *rows;        /* [count] by data set, stable */
    double *scores;        /* [count] */
    uint8_t *labels;       /* [count] */
    uint32_t *frame_video; /* [count] */
    uint32_t *video_index; /* [video_count], as all below */
    double *mean, *median;
    uint8_t *video_labels;
    int *video_source;
    const char **sources;
};

/* What is needed only while gathering. */
typedef struct Scratch {
    size_t *first;       /* [dataset_count + 1] position of each set's first row */
    uint32_t *local;     /* [video_count] index within the set of a table's video */
    size_t *video_first; /* [video_count + 1] position of each video's first score in `by_video` */
    double *by_video;    /* [count] scores of a set, video by video */
} Scratch;

static void free_memory(struct TrainScoresMemory *memory)
{
    if (!memory)
        return;
    free(memory->rows);
    free(memory->scores);
    free(memory->labels);
    free(memory->frame_video);
    free(memory->video_index);
    free(memory->mean);
    free(memory->median);
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
}

/* An array of `count` elements, or none if it is not wanted; *complete becomes false without memory. */
static void *array(bool wanted, size_t count, size_t size, bool *complete)
{
    void *const made = wanted ? malloc((count > 0 ? count : 1) * size) : NULL;
    *complete = *complete && (made || !wanted);
    return made;
}

static bool make_arrays(const TrainPredictions *table, struct TrainScoresMemory *memory,
                        Scratch *scratch)
{
    const bool many = table->row_dataset != NULL, videos = table->row_video != NULL;
    const size_t rows = table->count, count = table->video_count;
    bool complete = true;
    memory->rows = array(many, rows, sizeof *memory->rows, &complete);
    memory->scores = array(many, rows, sizeof *memory->scores, &complete);
    memory->labels = array(many, rows, sizeof *memory->labels, &complete);
    memory->frame_video = array(videos, rows, sizeof *memory->frame_video, &complete);
    memory->video_index = array(videos, count, sizeof *memory->video_index, &complete);
    memory->mean = array(videos, count, sizeof *memory->mean, &complete);
    memory->median = array(videos, count, sizeof *memory->median, &complete);
    memory->video_labels = array(videos, count, sizeof *memory->video_labels, &complete);
    memory->video_source = array(videos, count, sizeof *memory->video_source, &complete);
    memory->sources = array(videos, count, sizeof *memory->sources, &complete);
    scratch->first = calloc(table->dataset_count + (size_t)1, sizeof *scratch->first);
    scratch->local = array(videos, count, sizeof *scratch->local, &complete);
    scratch->video_first = array(videos, count + 1, sizeof *scratch->video_first, &complete);
    scratch->by_video = array(videos, rows, sizeof *scratch->by_video, &complete);
    return complete && scratch->first;
}

/* Sorts the rows by data set, by counting, and copies what metrics read. */
static void order_rows(const TrainPredictions *table, struct TrainScoresMemory *memory,
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
    for (uint32_t d = table->dataset_count; d > 0; d--) /* undo the advance */
        first[d] = first[d - 1];
    first[0] = 0;
    for (size_t i = 0; i < table->count; i++) {
        memory->scores[i] = table->scores[memory->rows[i]];
        memory->labels[i] = table->labels[memory->rows[i]];
    }
}

static size_t row_at(const TrainScores *set, size_t frame)
{
    return set->rows ? set->rows[frame] : frame;
}

/*
 * Numbers the videos of a set in order of first row, from `first_video` in the shared arrays on. False if a frame
 * has none. frame_video [frames] holds the set's numbers.
 */
static bool number_videos(const TrainPredictions *table, TrainScores *set, uint32_t *local,
                          uint32_t *frame_video, uint32_t *video_index)
{
    uint32_t videos = 0;
    for (size_t i = 0; i < set->frames; i++) {
        const uint32_t video = table->row_video[row_at(set, i)];
        if (video == TRAIN_NO_VIDEO)
            return false;
        /* A video's entry counts only if the index leads back to it: nothing need be cleared between sets. */
        if (local[video] >= videos || video_index[local[video]] != video) {
            local[video] = videos;
            video_index[videos++] = video;
        }
        frame_video[i] = local[video];
    }
    set->videos = videos;
    return true;
}

/* Means in file order, and medians, of the set's videos. */
static void sum_videos(const TrainScores *set, const uint32_t *frame_video, Scratch *scratch,
                       double *mean, double *median)
{
    size_t *const first = scratch->video_first;
    memset(first, 0, (set->videos + (size_t)1) * sizeof *first);
    memset(mean, 0, set->videos * sizeof *mean);
    for (size_t i = 0; i < set->frames; i++) {
        mean[frame_video[i]] += set->scores[i];
        first[frame_video[i]]++;
    }
    size_t begin = 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const size_t frames = first[v];
        mean[v] /= (double)frames;
        first[v] = begin;
        begin += frames;
    }
    for (size_t i = 0; i < set->frames; i++)
        scratch->by_video[first[frame_video[i]]++] = set->scores[i];
    for (uint32_t v = 0; v < set->videos; v++) { /* first[v] is now the end of v */
        double *const scores = scratch->by_video + (v > 0 ? first[v - 1] : 0);
        const size_t n = (size_t)(scratch->by_video + first[v] - scores);
        qsort(scores, n, sizeof *scores, train_number_compare);
        median[v] = n % 2 ? scores[n / 2] : 0.5 * scores[n / 2 - 1] + 0.5 * scores[n / 2];
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the fake sources in bytewise order, and which of them each video is of. */
static void find_sources(const TrainPredictions *table, TrainScores *set, const char **found,
                         int *video_source)
{
    size_t n = 0, unique = 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const TrainVideo *const video = &table->videos[set->video_index[v]];
        if (video->label == 1 && video->source)
            found[n++] = video->source;
    }
    qsort(found, n, sizeof *found, compare_names);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || strcmp(found[unique - 1], found[i]) != 0)
            found[unique++] = found[i];
    unique = unique <= TRAIN_MAX_SOURCES ? unique : 0;
    for (uint32_t v = 0; v < set->videos; v++) {
        const TrainVideo *const video = &table->videos[set->video_index[v]];
        const char **const at =
            video->label == 1 && video->source
                ? bsearch(&video->source, found, unique, sizeof *found, compare_names)
                : NULL;
        video_source[v] = at ? (int)(at - found) : TRAIN_NO_SOURCE;
    }
    set->sources = found;
    set->source_count = (int)unique;
}

/* Fills one set from row position `begin` on; its videos go to the shared arrays from `first_video` on. */
static void gather_set(const TrainPredictions *table, struct TrainScoresMemory *memory,
                       Scratch *scratch, size_t begin, uint32_t first_video, TrainScores *set)
{
    set->rows = memory->rows ? memory->rows + begin : NULL;
    set->scores = memory->rows ? memory->scores + begin : table->scores;
    set->labels = memory->rows ? memory->labels + begin : table->labels;
    set->memory = memory;
    if (!table->row_video)
        return;
    uint32_t *const index = memory->video_index + first_video;
    uint32_t *const frame_video = memory->frame_video + begin;
    if (!number_videos(table, set, scratch->local, frame_video, index))
        return;
    set->has_videos = true;
    set->frame_video = frame_video;
    set->video_index = index;
    sum_videos(set, frame_video, scratch, memory->mean + first_video, memory->median + first_video);
    set->video_mean = memory->mean + first_video;
    set->video_median = memory->median + first_video;
    for (uint32_t v = 0; v < set->videos; v++)
        memory->video_labels[first_video + v] = (uint8_t)table->videos[index[v]].label;
    set->video_labels = memory->video_labels + first_video;
    find_sources(table, set, memory->sources + first_video, memory->video_source + first_video);
    set->video_source = memory->video_source + first_video;
}

Status train_scores_gather(const TrainPredictions *table, TrainScores **sets, int *count,
                           Error *error)
{
    assert(table && sets && count && error);
    *sets = NULL;
    *count = 0;
    if (table->count == 0)
        return error_set(error, STATUS_FAILED, "scores: there are none; give at least one row");
    Scratch scratch = {0};
    struct TrainScoresMemory *const memory = calloc(1, sizeof *memory);
    TrainScores *const made = calloc(table->dataset_count, sizeof *made);
    if (!memory || !made || !make_arrays(table, memory, &scratch)) {
        free_scratch(&scratch);
        free_memory(memory);
        free(made);
        return error_set(error, STATUS_FAILED, "scores: no memory to sum up %zu rows; free some",
                         table->count);
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

void train_scores_free(TrainScores *sets, int count)
{
    if (sets && count > 0)
        free_memory(sets[0].memory);
    free(sets);
}

/* Whether a video is real or of the source asked for. */
static bool is_chosen(const TrainScores *set, uint32_t video, int source)
{
    return source == TRAIN_NO_SOURCE || set->video_labels[video] == 0 ||
           set->video_source[video] == source;
}

size_t train_scores_select_frames(const TrainScores *set, int source, uint32_t *selected)
{
    assert(set->has_videos || source == TRAIN_NO_SOURCE);
    size_t n = 0;
    for (size_t i = 0; i < set->frames; i++)
        if (source == TRAIN_NO_SOURCE || is_chosen(set, set->frame_video[i], source))
            selected[n++] = (uint32_t)i;
    return n;
}

size_t train_scores_select_videos(const TrainScores *set, int source, uint32_t *selected)
{
    size_t n = 0;
    for (uint32_t v = 0; v < set->videos; v++)
        if (is_chosen(set, v, source))
            selected[n++] = v;
    return n;
}
