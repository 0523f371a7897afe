/*
 * list_limit.c - reduces a list to fewer, representative frames: see list.h.
 *
 * Frames of a video are chosen in the order of the numbers in their names. data_list_limit_videos
 * adds entire videos one at a time, always from the class, and within it from the source, that has
 * the fewest frames so far. Within a source, videos come in bit-reversed order (0, 1/2, 1/4, 3/4,
 * 1/8, ...): every prefix of that order is spread evenly over the source, so no part of a data set
 * is left out. data_list_limit_ratio follows the published code of the method: random videos, with
 * the classes in their proportion.
 */
#include "data/lists/list.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/random.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char WHAT[] = "a choice of frames";

/* ---- frames of a video ----------------------------------------------------------------------- */

int data_list_spread(int j, int kept, int n)
{
    assert(0 <= j && j < kept && kept <= n);
    if (j == 0)
        return 0;
    return j == kept - 1 ? n - 1 : (int)floor(j * ((double)(n - 1) / (kept - 1)));
}

const char *data_frame_choice_name(int choice)
{
    static const char *const NAMES[] = {
        [DATA_FRAMES_EVEN] = "even", [DATA_FRAMES_RANDOM] = "random"};
    return choice <= DATA_FRAMES_RANDOM ? NAMES[choice] : NULL;
}

/* The last two parts of a path, with slashes or backslashes. */
static const char *short_name(const char *video)
{
    const char *name = video + strlen(video);
    for (int slashes = 0; name > video; name--)
        if ((name[-1] == '/' || name[-1] == '\\') && ++slashes == 2)
            break;
    return name;
}

void data_list_choose(DataFrameChoice choice, uint64_t seed, const char *video, int n, int kept,
                      int *positions)
{
    assert(0 < kept && kept <= n && positions);
    if (choice == DATA_FRAMES_EVEN || kept == n) {
        for (int j = 0; j < kept; j++)
            positions[j] = kept == n ? j : data_list_spread(j, kept, n);
        return;
    }
    /* Knuth's algorithm S: a frame is chosen with probability (still wanted) / (still to come). */
    const char *name = short_name(video);
    const uint64_t hash = XXH3_64bits(name, strlen(name));
    Random random = random_stream(seed, RANDOM_FRAMES, (uint32_t)hash, (uint32_t)(hash >> 32));
    for (int i = 0, chosen = 0; chosen < kept; i++)
        if (random_below(&random, (uint32_t)(n - i)) < (uint32_t)(kept - chosen))
            positions[chosen++] = i;
}

/* A frame and its video. */
typedef struct Ranked {
    const char *name; /* name of its file */
    int video, frame; /* frame: index into list->frames */
} Ranked;

static int compare_ranked(const void *left, const void *right)
{
    const Ranked *a = left, *b = right;
    if (a->video != b->video)
        return a->video < b->video ? -1 : 1;
    const int order = data_path_compare(a->name, b->name);
    return order != 0 ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

/* All frames, video by video, sorted by name; NULL with *error set when out of memory. */
static Ranked *rank_frames(const DataList *list, Error *error)
{
    Ranked *ranked = mem_new(list->count, sizeof *ranked, WHAT, error);
    if (!ranked)
        return NULL;
    for (int i = 0; i < list->count; i++)
        ranked[i] = (Ranked){file_name(list->frames[i].file), list->frames[i].video, i};
    qsort(ranked, list->count, sizeof *ranked, compare_ranked);
    return ranked;
}

Status data_list_choose_frames(DataList *list, int frames, DataFrameChoice choice, uint64_t seed,
                               Error *error)
{
    assert(list && frames >= 0 && error);
    if (frames == 0 || list->video_count == 0)
        return STATUS_OK;
    Status status = STATUS_FAILED;
    Ranked *ranked = rank_frames(list, error);
    int *positions = mem_new(list->count, sizeof *positions, WHAT, error);
    bool *keep = mem_new(list->count, sizeof *keep, WHAT, error);
    if (!ranked || !positions || !keep)
        goto done;
    for (int begin = 0, end; begin < list->count; begin = end) {
        const int video = ranked[begin].video;
        for (end = begin; end < list->count && ranked[end].video == video;)
            end++;
        const int kept = min_int(end - begin, frames);
        data_list_choose(choice, seed, list->videos[video], end - begin, kept, positions);
        for (int j = 0; j < kept; j++)
            keep[ranked[begin + positions[j]].frame] = true;
    }
    data_list_keep_frames(list, keep);
    status = STATUS_OK;
done:
    free(ranked);
    free(positions);
    free(keep);
    return status;
}

/* ---- random videos, classes in proportion ---------------------------------------------------- */

/* Splits `limit` frames between the classes in their proportion. */
static void share_out(const int frames[2], int limit, int shares[2])
{
    const double all = (double)frames[0] + frames[1];
    shares[0] = (int)floor(limit * (frames[0] / all) + 0.5);
    if (frames[0] > 0 && frames[1] > 0) { /* neither class vanishes */
        shares[0] = min_int(max_int(shares[0], 1), limit - 1);
    }
    shares[1] = limit - shares[0];
}

/*
 * Marks `share` frames of the videos of one class in `keep`; the frames of video v start at
 * ranked[first[v]].
 */
static void keep_share(const DataList *list, const Ranked *ranked, const int *first, int label,
                       int share, uint64_t seed, int *order, int *positions, bool *keep)
{
    int *videos = order + list->video_count;
    int count = 0;
    for (int video = 0; video < list->video_count; video++)
        if (list->video_label[video] == label)
            videos[count++] = video;
    Random random = random_stream(seed, RANDOM_LIMIT, (uint32_t)label, 0);
    random_permutation(&random, count, order);
    for (int i = 0; i < count && share > 0; i++) {
        const int video = videos[order[i]], n = first[video + 1] - first[video];
        const int kept = min_int(n, share);
        data_list_choose(DATA_FRAMES_EVEN, 0, list->videos[video], n, kept, positions);
        for (int j = 0; j < kept; j++)
            keep[ranked[first[video] + positions[j]].frame] = true;
        share -= kept;
    }
}

Status data_list_limit_ratio(DataList *list, int frames, uint64_t seed, Error *error)
{
    assert(list && frames >= 0 && error);
    if (frames == 0 || list->count <= frames)
        return STATUS_OK;
    int counts[2], videos[2], shares[2];
    data_list_counts(list, counts, videos);
    if (frames == 1 && counts[0] > 0 && counts[1] > 0)
        return error_set(error, STATUS_FAILED,
                         "limit of 1 frame: there are two classes; give at least 2");
    share_out(counts, frames, shares);
    const int room = list->video_count + 1;
    Status status = STATUS_FAILED;
    Ranked *ranked = rank_frames(list, error);
    int *first = mem_new(room, sizeof *first, WHAT, error);
    int *order = mem_new(room, 2 * sizeof *order, WHAT, error);
    int *positions = mem_new(list->count, sizeof *positions, WHAT, error);
    bool *keep = mem_new(list->count, sizeof *keep, WHAT, error);
    if (!ranked || !first || !order || !positions || !keep)
        goto done;
    for (int i = 0; i < list->count; i++)
        first[ranked[i].video + 1] = i + 1;
    for (int label = 0; label < 2; label++)
        keep_share(list, ranked, first, label, shares[label], seed, order, positions, keep);
    data_list_keep_frames(list, keep);
    status = STATUS_OK;
done:
    free(ranked);
    free(first);
    free(order);
    free(positions);
    free(keep);
    return status;
}

/* ---- entire videos, classes and sources balanced --------------------------------------------- */

/* The state of one source. Its remaining videos are queue[next] to queue[end - 1]. */
typedef struct Source {
    int next, end;
    int kept; /* frames */
} Source;

typedef struct Choice {
    const DataList *list;
    int *frames;     /* [video_count] frames of each video */
    int *queue;      /* [video_count] videos, source by source, in order of choice */
    Source *sources; /* [source_count] */
    bool *keep;      /* [video_count] */
    int left;        /* frames that still fit in the limit */
    int kept[2];     /* frames of each class */
} Choice;

static void free_choice(Choice *choice)
{
    free(choice->frames);
    free(choice->queue);
    free(choice->sources);
    free(choice->keep);
}

static Status create_choice(Choice *choice, const DataList *list, int frames, Error *error)
{
    const int videos = list->video_count;
    *choice = (Choice){.list = list, .left = frames};
    if ((choice->frames = mem_new(videos, sizeof *choice->frames, WHAT, error)) &&
        (choice->queue = mem_new(videos, sizeof *choice->queue, WHAT, error)) &&
        (choice->sources = mem_new(list->source_count, sizeof *choice->sources, WHAT, error)) &&
        (choice->keep = mem_new(videos, sizeof *choice->keep, WHAT, error)))
        return STATUS_OK;
    free_choice(choice);
    return error->status;
}

static int reversed_bits(int value, int bits)
{
    int reversed = 0;
    for (int i = 0; i < bits; i++)
        reversed |= (value >> i & 1) << (bits - 1 - i);
    return reversed;
}

/*
 * Fills queue [count] with videos [count] of one source, given in list order, in bit-reversed
 * order.
 */
static void spread(const int *videos, int count, int *queue)
{
    int bits = 0, filled = 0;
    while ((int64_t)1 << bits < count)
        bits++;
    for (int i = 0; i < (int64_t)1 << bits; i++) {
        const int position = reversed_bits(i, bits);
        if (position < count)
            queue[filled++] = videos[position];
    }
    assert(filled == count);
}

/*
 * Counts the frames of each video and queues the videos of each source; a video has the source of
 * its first frame.
 */
static Status queue_videos(Choice *choice, Error *error)
{
    const DataList *list = choice->list;
    int *grouped = mem_new(list->video_count, sizeof *grouped, WHAT, error);
    if (!grouped)
        return error->status;
    for (int i = 0; i < list->count; i++)
        if (choice->frames[list->frames[i].video]++ == 0)
            choice->sources[list->frames[i].source].end++;
    for (int s = 0, end = 0; s < list->source_count; s++) {
        const int count = choice->sources[s].end;
        choice->sources[s].next = choice->sources[s].end = end;
        end += count;
    }
    int seen = -1; /* videos are numbered in order of first frame */
    for (int i = 0; i < list->count; i++) {
        const DataFrame *frame = &list->frames[i];
        if (frame->video <= seen)
            continue;
        seen = frame->video;
        grouped[choice->sources[frame->source].end++] = frame->video;
    }
    for (int s = 0; s < list->source_count; s++) {
        const Source *source = &choice->sources[s];
        spread(grouped + source->next, source->end - source->next, choice->queue + source->next);
    }
    free(grouped);
    return STATUS_OK;
}

/*
 * Among the sources of this class with a video that still fits, the one with the fewest kept
 * frames; NULL if there is none.
 */
static Source *poorest(const Choice *choice, int label)
{
    Source *found = NULL;
    for (int s = 0; s < choice->list->source_count; s++) {
        Source *source = &choice->sources[s];
        if (choice->list->source_label[s] != label)
            continue;
        while (source->next < source->end &&
               choice->frames[choice->queue[source->next]] > choice->left)
            source->next++;
        if (source->next < source->end && (!found || source->kept < found->kept))
            found = source;
    }
    return found;
}

static void choose(Choice *choice)
{
    for (;;) {
        int label = choice->kept[1] < choice->kept[0];
        Source *source = poorest(choice, label);
        if (!source) {
            label = !label;
            source = poorest(choice, label);
        }
        if (!source)
            return;
        const int video = choice->queue[source->next++], frames = choice->frames[video];
        choice->keep[video] = true;
        choice->left -= frames;
        choice->kept[label] += frames;
        source->kept += frames;
    }
}

/* A list with both classes must keep both: with one class there is nothing to measure. */
static Status check_classes(const Choice *choice, int limit, Error *error)
{
    int videos[2], frames[2];
    data_list_counts(choice->list, frames, videos);
    for (int label = 0; label < 2; label++)
        if (frames[label] > 0 && choice->kept[label] == 0)
            return error_set(
                error, STATUS_FAILED,
                "limit of %d frames: no complete %s video fits (videos have %d frames on "
                "average); raise the limit",
                limit, label ? "fake" : "real",
                (frames[label] + videos[label] - 1) / videos[label]);
    return STATUS_OK;
}

Status data_list_limit_videos(DataList *list, int frames, Error *error)
{
    assert(list && frames >= 0 && error);
    if (frames == 0 || list->count <= frames)
        return STATUS_OK;
    Choice choice;
    TRY(create_choice(&choice, list, frames, error));
    bool *keep = NULL;
    Status status = queue_videos(&choice, error);
    if (status != STATUS_OK)
        goto done;
    choose(&choice);
    status = check_classes(&choice, frames, error);
    if (status != STATUS_OK)
        goto done;
    if (!(keep = mem_new(list->count, sizeof *keep, WHAT, error))) {
        status = error->status;
        goto done;
    }
    for (int i = 0; i < list->count; i++)
        keep[i] = choice.keep[list->frames[i].video];
    data_list_keep_frames(list, keep);
done:
    free(keep);
    free_choice(&choice);
    return status;
}
