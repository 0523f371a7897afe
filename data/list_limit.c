/*
 * list_limit.c - fewer videos of a list, chosen so that what is left stands for the whole: see
 * data_list_limit_videos in list.h.
 *
 * Videos are taken one at a time, each from the class, and in it from the source, that has the fewest frames so
 * far. Within a source they come in bit-reversed order (0, 1/2, 1/4, 3/4, 1/8, ...), every beginning of which is
 * spread evenly over the source: whatever number fits, no part of a data set is left out.
 */
#include "data/list.h"

#include <assert.h>
#include <stdlib.h>

/* What is known of one source. Its videos are queue[next] to queue[end - 1]. */
typedef struct Source {
    int next, end;
    int kept; /* frames */
} Source;

typedef struct Choice {
    const DataList *list;
    int *frames;     /* [video_count] of each video */
    int *queue;      /* [video_count] videos, source by source, in the order they are taken */
    Source *sources; /* [source_count] */
    bool *keep;      /* [video_count] */
    int left;        /* frames that still fit */
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
    const size_t videos = (size_t)list->video_count, sources = (size_t)list->source_count;
    *choice = (Choice){.list = list,
                       .frames = calloc(videos, sizeof *choice->frames),
                       .queue = calloc(videos, sizeof *choice->queue),
                       .sources = calloc(sources, sizeof *choice->sources),
                       .keep = calloc(videos, sizeof *choice->keep),
                       .left = frames};
    if (choice->frames && choice->queue && choice->sources && choice->keep)
        return STATUS_OK;
    free_choice(choice);
    return error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some", list->count);
}

static int reversed_bits(int value, int bits)
{
    int reversed = 0;
    for (int i = 0; i < bits; i++)
        reversed |= (value >> i & 1) << (bits - 1 - i);
    return reversed;
}

/* Fills `queue` with the videos of `source`, which are videos[0] to videos[count - 1] in the list's order. */
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

/* Counts frames, and queues the videos of each source; that of a video is its first frame's. */
static Status queue_videos(Choice *choice, Error *error)
{
    const DataList *const list = choice->list;
    int *const grouped = calloc((size_t)list->video_count, sizeof *grouped);
    if (!grouped)
        return error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some",
                         list->count);
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
        const DataFrame *const frame = &list->frames[i];
        if (frame->video <= seen)
            continue;
        seen = frame->video;
        grouped[choice->sources[frame->source].end++] = frame->video;
    }
    for (int s = 0; s < list->source_count; s++) {
        const Source *const source = &choice->sources[s];
        spread(grouped + source->next, source->end - source->next, choice->queue + source->next);
    }
    free(grouped);
    return STATUS_OK;
}

/* The source of this class with the fewest frames so far that has a video which still fits, or NULL. */
static Source *poorest(const Choice *choice, int label)
{
    Source *found = NULL;
    for (int s = 0; s < choice->list->source_count; s++) {
        Source *const source = &choice->sources[s];
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

/* A list that had both classes must keep both: without one of them there is nothing to measure. */
static Status check_classes(const Choice *choice, int limit, Error *error)
{
    int videos[2], frames[2];
    data_list_counts(choice->list, frames, videos);
    for (int label = 0; label < 2; label++)
        if (frames[label] > 0 && choice->kept[label] == 0)
            return error_set(error, STATUS_FAILED,
                             "limit of %d frames: no whole %s video fits beside the others (videos "
                             "have %d frames on average); raise it",
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
    Status status = queue_videos(&choice, error);
    if (status == STATUS_OK) {
        choose(&choice);
        status = check_classes(&choice, frames, error);
    }
    if (status == STATUS_OK)
        data_list_keep_videos(list, choice.keep);
    free_choice(&choice);
    return status;
}
