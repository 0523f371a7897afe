/*
 * order_pairs.c - see order_pairs.h: first the real video of each fake one, then the frame within it.
 *
 * Only names and paths are read. A data set whose names do not tell what its fakes were made from has no
 * pairs here: a guess would put other people's faces beside each other.
 */
#include "data/order_pairs_private.h"

#include "data/lists/identity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A frame of a video, and where it stands there. */
typedef struct Moment {
    uint64_t number; /* in its name; 0 if there is none */
    int frame;       /* of the list */
} Moment;

typedef struct RealVideo {
    const char *name; /* of its folder */
    int video;        /* of the list */
} RealVideo;

typedef struct Pairing {
    const DataList *list;
    Moment *moments;  /* [list->count] video after video */
    int *first;       /* [video_count + 1] first moment of each video */
    bool *numbered;   /* [video_count] sorted by numbers, all different; else as in the list */
    RealVideo *reals; /* [real_count] sorted by name */
    int real_count;
} Pairing;

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Value of the last digits in the name of a file, its suffix left out; false without digits, or with too many. */
static bool read_number(const char *path, uint64_t *number)
{
    enum { MOST_DIGITS = 18 };
    const char *const name = base_name(path), *const suffix = strrchr(name, '.');
    const char *end = suffix ? suffix : name + strlen(name);
    while (end > name && !(end[-1] >= '0' && end[-1] <= '9'))
        end--;
    const char *start = end;
    while (start > name && start[-1] >= '0' && start[-1] <= '9')
        start--;
    *number = 0;
    for (const char *digit = start; digit < end && end - start <= MOST_DIGITS; digit++)
        *number = *number * 10 + (uint64_t)(*digit - '0');
    return end > start && end - start <= MOST_DIGITS;
}

static int compare_numbers(const void *a, const void *b)
{
    const Moment *const x = a, *const y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->frame - y->frame;
}

static int compare_frames(const void *a, const void *b)
{
    return ((const Moment *)a)->frame - ((const Moment *)b)->frame;
}

/* Names that count as one to identity.h are one here. */
static int compare_names(const char *a, const char *b)
{
    return strncmp(a, b, DATA_IDENTITY_SIZE - 1);
}

static int compare_reals(const void *a, const void *b)
{
    const RealVideo *const x = a, *const y = b;
    const int names = compare_names(x->name, y->name);
    return names != 0 ? names : x->video - y->video;
}

/* Sorts the moments of a video by their numbers, if these tell them apart. */
static bool sort_by_numbers(Moment *moments, int count, bool all_have_one)
{
    qsort(moments, (size_t)count, sizeof *moments, compare_numbers);
    bool different = true;
    for (int i = 1; i < count; i++)
        different = different && moments[i - 1].number != moments[i].number;
    if (!all_have_one || !different)
        qsort(moments, (size_t)count, sizeof *moments, compare_frames);
    return all_have_one && different;
}

/* Gathers the frames of each video. */
static void find_moments(Pairing *pairing)
{
    const DataList *const list = pairing->list;
    int *const first = pairing->first;
    for (int i = 0; i < list->count; i++)
        first[list->frames[i].video + 1]++;
    for (int v = 0; v < list->video_count; v++) {
        first[v + 1] += first[v];
        pairing->numbered[v] = true;
    }
    for (int i = list->count - 1; i >= 0; i--) { /* backwards: first[v + 1] ends as first[v] */
        const int video = list->frames[i].video;
        Moment *const moment = &pairing->moments[--first[video + 1]];
        moment->frame = i;
        if (!read_number(list->frames[i].path, &moment->number))
            pairing->numbered[video] = false;
    }
    memmove(first, first + 1, (size_t)list->video_count * sizeof *first);
    first[list->video_count] = list->count;
    for (int v = 0; v < list->video_count; v++)
        pairing->numbered[v] = sort_by_numbers(pairing->moments + first[v], first[v + 1] - first[v],
                                               pairing->numbered[v]);
}

static void find_reals(Pairing *pairing)
{
    const DataList *const list = pairing->list;
    for (int v = 0; v < list->video_count; v++)
        if (list->video_label[v] == 0)
            pairing->reals[pairing->real_count++] = (RealVideo){base_name(list->videos[v]), v};
    qsort(pairing->reals, (size_t)pairing->real_count, sizeof *pairing->reals, compare_reals);
}

/* Leading folders that two paths share. */
static int shared_start(const char *a, const char *b)
{
    int folders = 0;
    for (; *a != '\0' && *a == *b; a++, b++)
        folders += *a == '/';
    return folders;
}

/* Trailing folders that the parents of two paths share. */
static int shared_end(const char *a, const char *b)
{
    const char *i = base_name(a), *j = base_name(b);
    int folders = -1; /* the slash that ends both parents is not one yet */
    for (; i > a && j > b && i[-1] == j[-1]; i--, j--)
        folders += i[-1] == '/';
    return folders;
}

/* The real video that a fake one was made from, or -1. */
static int find_origin(const Pairing *pairing, int fake)
{
    const char *const path = pairing->list->videos[fake];
    DataIdentity identity;
    data_identity(path, &identity);
    int low = 0, high = pairing->real_count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (compare_names(pairing->reals[middle].name, identity.origin) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    int best = -1, best_start = 0, best_end = 0;
    for (int i = low; i < pairing->real_count; i++) {
        if (compare_names(pairing->reals[i].name, identity.origin) != 0)
            break;
        const char *const real = pairing->list->videos[pairing->reals[i].video];
        const int start = shared_start(path, real), end = shared_end(path, real);
        if (best < 0 || start > best_start || (start == best_start && end > best_end)) {
            best = pairing->reals[i].video;
            best_start = start;
            best_end = end;
        }
    }
    return best;
}

/* The one of moments [count], sorted by number, that is nearest to `number`; the lower of two. */
static int nearest(const Moment *moments, int count, uint64_t number)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (moments[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count ||
        (low > 0 && number - moments[low - 1].number <= moments[low].number - number))
        low--;
    return moments[low].frame;
}

static void pair_videos(const Pairing *pairing, int fake, int real, int *partner)
{
    const int *const first = pairing->first;
    const Moment *const fakes = pairing->moments + first[fake];
    const Moment *const reals = pairing->moments + first[real];
    const int m = first[fake + 1] - first[fake], n = first[real + 1] - first[real];
    const bool numbered = pairing->numbered[fake] && pairing->numbered[real];
    for (int i = 0; i < m; i++) {
        /* The middle of the i-th of m parts lies in this one of n parts; n = m gives i. */
        const int64_t same_share = (2 * (int64_t)i + 1) * n / (2 * (int64_t)m);
        partner[fakes[i].frame] =
            numbered ? nearest(reals, n, fakes[i].number) : reals[same_share].frame;
    }
}

Status data_order_partners(const DataList *list, int *partner, Error *error)
{
    const size_t videos = (size_t)list->video_count;
    Pairing pairing = {
        .list = list,
        .moments = malloc((size_t)list->count * sizeof *pairing.moments),
        .first = calloc(videos + 1, sizeof *pairing.first),
        .numbered = malloc(videos * sizeof *pairing.numbered),
        .reals = malloc(videos * sizeof *pairing.reals),
    };
    Status status = STATUS_OK;
    if (pairing.moments && pairing.first && pairing.numbered && pairing.reals) {
        find_moments(&pairing);
        find_reals(&pairing);
        for (int i = 0; i < list->count; i++)
            partner[i] = -1;
        for (int v = 0; v < list->video_count; v++) {
            const int real = list->video_label[v] == 1 ? find_origin(&pairing, v) : -1;
            if (real >= 0)
                pair_videos(&pairing, v, real, partner);
        }
    } else {
        status = error_set(error, STATUS_FAILED, "pairs: no memory for %d frames; use fewer",
                           list->count);
    }
    free(pairing.reals);
    free(pairing.numbered);
    free(pairing.first);
    free(pairing.moments);
    return status;
}
