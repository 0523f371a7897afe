/*
 * order.c - see order.h. Units of one or two samples are laid out in list order and then permuted.
 *
 * A unit is a frame, a real frame with its fake, or a frame with its blend. Both samples of a unit
 * of two are always in one batch, because a batch starts at a multiple of an even number.
 */
#include "data/order.h"

#include "data/lists/identity.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/random.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct DataOrder {
    const DataList *list;
    DataOrderSettings settings;
    int count;    /* samples per epoch */
    int width;    /* samples per unit: 1 or 2 */
    int unpaired; /* fakes */
    /*
     * [count] frame of each sample, unit by unit, before the permutation; the first 2 * pair_count
     * entries never change.
     */
    int *frames;
    int pair_count;
    /* [first[strata]] frames, stratum by stratum; with pairs, frames without a partner */
    int *members;
    int *first; /* [strata + 1] */
    int strata; /* groups used equally often: everything, classes or sources */
    int quota;  /* units per non-empty stratum */
    int *drawn; /* [max(units, frames of the list)] permutation */
    int *tally; /* [list->count] how often each frame is used */
};

const char *data_sampling_name(int sampling)
{
    static const char *const names[] = {[DATA_SAMPLING_ALL] = "all",
                                        [DATA_SAMPLING_CLASS] = "class",
                                        [DATA_SAMPLING_SOURCE] = "source"};
    return sampling >= 0 && sampling <= DATA_SAMPLING_SOURCE ? names[sampling] : NULL;
}

/* ---- pairs: first the real video of each fake one, then the frame within it ------------------ */

/*
 * Only names and paths are read. A data set whose names do not say what its fakes were made from
 * has no pairs: guessing would pair faces of different people.
 */

/* A frame of a video and its position in it. */
typedef struct Moment {
    uint64_t number; /* number in its name; 0 if none */
    int frame;       /* index into list->frames */
} Moment;

typedef struct RealVideo {
    const char *name; /* name of its folder */
    int video;        /* index into list->videos */
} RealVideo;

typedef struct Pairing {
    const DataList *list;
    Moment *moments;  /* [list->count] video by video */
    int *first;       /* [video_count + 1] index of each video's first moment */
    bool *numbered;   /* [video_count] sorted by distinct numbers; else in list order */
    RealVideo *reals; /* [real_count] sorted by name */
    int real_count;
} Pairing;

/*
 * Reads the last run of digits in the file name, without its suffix; false without digits or with
 * too many.
 */
static bool read_number(const char *path, uint64_t *number)
{
    enum { MOST_DIGITS = 18 };
    const char *name = file_name(path), *suffix = strrchr(name, '.');
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
    const Moment *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->frame - y->frame;
}

static int compare_frames(const void *a, const void *b)
{
    return ((const Moment *)a)->frame - ((const Moment *)b)->frame;
}

/* Names that are equal to identity.h are equal here, too. */
static int compare_names(const char *a, const char *b)
{
    return strncmp(a, b, DATA_IDENTITY_SIZE - 1);
}

static int compare_reals(const void *a, const void *b)
{
    const RealVideo *x = a, *y = b;
    const int names = compare_names(x->name, y->name);
    return names != 0 ? names : x->video - y->video;
}

/* Sorts the moments of a video by their numbers if these are distinct. */
static bool sort_by_numbers(Moment *moments, int count, bool all_have_one)
{
    qsort(moments, count, sizeof *moments, compare_numbers);
    bool different = true;
    for (int i = 1; i < count; i++)
        different = different && moments[i - 1].number != moments[i].number;
    if (!all_have_one || !different)
        qsort(moments, count, sizeof *moments, compare_frames);
    return all_have_one && different;
}

/* Gathers the frames of each video. */
static void find_moments(Pairing *pairing)
{
    const DataList *list = pairing->list;
    int *first = pairing->first;
    for (int i = 0; i < list->count; i++)
        first[list->frames[i].video + 1]++;
    for (int v = 0; v < list->video_count; v++) {
        first[v + 1] += first[v];
        pairing->numbered[v] = true;
    }
    for (int i = list->count - 1; i >= 0; i--) { /* backwards: first[v + 1] ends as first[v] */
        const int video = list->frames[i].video;
        Moment *moment = &pairing->moments[--first[video + 1]];
        moment->frame = i;
        if (!read_number(list->frames[i].path, &moment->number))
            pairing->numbered[video] = false;
    }
    memmove(first, first + 1, list->video_count * sizeof *first);
    first[list->video_count] = list->count;
    for (int v = 0; v < list->video_count; v++)
        pairing->numbered[v] = sort_by_numbers(pairing->moments + first[v], first[v + 1] - first[v],
                                               pairing->numbered[v]);
}

static void find_reals(Pairing *pairing)
{
    const DataList *list = pairing->list;
    for (int v = 0; v < list->video_count; v++)
        if (list->video_label[v] == 0)
            pairing->reals[pairing->real_count++] = (RealVideo){file_name(list->videos[v]), v};
    qsort(pairing->reals, pairing->real_count, sizeof *pairing->reals, compare_reals);
}

/* Number of leading folders that two paths share. */
static int shared_start(const char *a, const char *b)
{
    int folders = 0;
    for (; *a != '\0' && *a == *b; a++, b++)
        folders += *a == '/';
    return folders;
}

/* Number of trailing folders that the parents of two paths share. */
static int shared_end(const char *a, const char *b)
{
    const char *i = file_name(a), *j = file_name(b);
    int folders = -1; /* the slash that ends both parents does not count */
    for (; i > a && j > b && i[-1] == j[-1]; i--, j--)
        folders += i[-1] == '/';
    return folders;
}

/* The real video that a fake video was made from, or -1. */
static int find_origin(const Pairing *pairing, int fake)
{
    const char *path = pairing->list->videos[fake];
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
        const char *real = pairing->list->videos[pairing->reals[i].video];
        const int start = shared_start(path, real), end = shared_end(path, real);
        if (best < 0 || start > best_start || (start == best_start && end > best_end)) {
            best = pairing->reals[i].video;
            best_start = start;
            best_end = end;
        }
    }
    return best;
}

/* The frame of moments [count], sorted by number, whose number is nearest; of two, the lower. */
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
    const int *first = pairing->first;
    const Moment *fakes = pairing->moments + first[fake];
    const Moment *reals = pairing->moments + first[real];
    const int m = first[fake + 1] - first[fake], n = first[real + 1] - first[real];
    const bool numbered = pairing->numbered[fake] && pairing->numbered[real];
    for (int i = 0; i < m; i++) {
        /*
         * Relative position: the middle of the i-th of m parts, as one of n parts; n = m gives i.
         */
        const int64_t same_share = (2 * (int64_t)i + 1) * n / (2 * (int64_t)m);
        partner[fakes[i].frame] =
            numbered ? nearest(reals, n, fakes[i].number) : reals[same_share].frame;
    }
}

Status data_order_partners(const DataList *list, int *partner, Error *error)
{
    const int videos = list->video_count;
    const char *what = "the pairs of frames";
    Pairing pairing = {.list = list};
    Status status = STATUS_FAILED;
    if (!(pairing.moments = mem_new(list->count, sizeof *pairing.moments, what, error)) ||
        !(pairing.first = mem_new(videos + 1, sizeof *pairing.first, what, error)) ||
        !(pairing.numbered = mem_new(videos, sizeof *pairing.numbered, what, error)) ||
        !(pairing.reals = mem_new(videos, sizeof *pairing.reals, what, error)))
        goto done;
    find_moments(&pairing);
    find_reals(&pairing);
    for (int i = 0; i < list->count; i++)
        partner[i] = -1;
    for (int v = 0; v < videos; v++) {
        const int real = list->video_label[v] == 1 ? find_origin(&pairing, v) : -1;
        if (real >= 0)
            pair_videos(&pairing, v, real, partner);
    }
    status = STATUS_OK;
done:
    free(pairing.reals);
    free(pairing.numbered);
    free(pairing.first);
    free(pairing.moments);
    return status;
}

/* ---- strata and pairs: the same for every epoch ---------------------------------------------- */

static int stratum_of(const DataOrder *order, const DataFrame *frame)
{
    switch (order->settings.sampling) {
    case DATA_SAMPLING_CLASS:
        return frame->label;
    case DATA_SAMPLING_SOURCE:
        return frame->source;
    case DATA_SAMPLING_ALL:
        break;
    }
    return 0;
}

/* Sorts the used frames into strata and computes the units per stratum. */
static Status find_strata(DataOrder *order, Error *error)
{
    const DataList *list = order->list;
    const bool blend = order->settings.blend;
    int *first = order->first;
    for (int i = 0; i < list->count; i++)
        if (!blend || list->frames[i].label == 0)
            first[stratum_of(order, &list->frames[i]) + 1]++;
    int filled = 0;
    for (int s = 0; s < order->strata; s++) {
        const int frames = first[s + 1];
        filled += frames > 0;
        order->quota = max_int(order->quota, frames);
        first[s + 1] += first[s];
    }
    if (filled == 0)
        return error_set(error, STATUS_FAILED,
                         "data.sbi=on: none of the %d frames is real; add a list of real frames",
                         list->count);
    int *end = order->tally; /* frames so far per stratum: strata never outnumber frames */
    for (int i = 0; i < list->count; i++) {
        const int s = stratum_of(order, &list->frames[i]);
        if (!blend || list->frames[i].label == 0)
            order->members[first[s] + end[s]++] = i;
    }
    const int64_t count = (int64_t)filled * order->quota * order->width;
    if (count > INT_MAX)
        return error_set(error, STATUS_FAILED,
                         "sampling=%s: an epoch of %lld frames is too long; use fewer frames",
                         data_sampling_name((int)order->settings.sampling), (long long)count);
    order->count = (int)count;
    return STATUS_OK;
}

/*
 * Lays out the pairs and gathers the frames without a partner; partner [list->count] is from
 * data_order_partners.
 */
static Status lay_out_pairs(DataOrder *order, const int *partner, Error *error)
{
    const DataList *list = order->list;
    int *chosen = order->tally; /* number of fakes paired with each real frame */
    int single_count = 0;
    for (int i = 0; i < list->count; i++) {
        order->unpaired += list->frames[i].label == 1 && partner[i] < 0;
        if (partner[i] < 0)
            continue;
        chosen[partner[i]]++;
        order->frames[2 * (size_t)order->pair_count] = partner[i];
        order->frames[2 * (size_t)order->pair_count++ + 1] = i;
    }
    if (order->pair_count == 0)
        return error_set(error, STATUS_FAILED,
                         "pairs=on: no fake video is named after a real one of the lists (as "
                         "000_003 is after 000); add the lists of their real videos, or set "
                         "pairs=off");
    for (int i = 0; i < list->count; i++)
        if (partner[i] < 0 && chosen[i] == 0)
            order->members[single_count++] = i;
    order->first[1] = single_count;
    const int64_t count = 2 * (int64_t)order->pair_count + single_count;
    if (count > INT_MAX)
        return error_set(error, STATUS_FAILED,
                         "pairs=on: an epoch of %lld frames is too long; use fewer frames",
                         (long long)count);
    order->count = (int)count;
    return STATUS_OK;
}

static Status find_pairs(DataOrder *order, Error *error)
{
    const int frames = order->list->count;
    int *partner = mem_new(frames, sizeof *partner, "the pairs of frames", error);
    order->frames = mem_new(frames, 2 * sizeof *order->frames, "the pairs of frames", error);
    Status status =
        partner && order->frames ? data_order_partners(order->list, partner, error) : STATUS_FAILED;
    if (status == STATUS_OK)
        status = lay_out_pairs(order, partner, error);
    free(partner);
    return status;
}

static Status build(DataOrder *order, Error *error)
{
    static const char WHAT[] = "the order of an epoch";
    const DataList *list = order->list;
    const DataOrderSettings *settings = &order->settings;
    order->width = settings->pairs || settings->blend ? 2 : 1;
    order->strata = settings->sampling == DATA_SAMPLING_CLASS    ? 2
                    : settings->sampling == DATA_SAMPLING_SOURCE ? list->source_count
                                                                 : 1;
    if (!(order->first = mem_new(order->strata + 1, sizeof *order->first, WHAT, error)) ||
        !(order->members = mem_new(list->count, sizeof *order->members, WHAT, error)) ||
        !(order->tally =
              mem_new((size_t)list->count + order->strata, sizeof *order->tally, WHAT, error)))
        return error->status;
    TRY(settings->pairs ? find_pairs(order, error) : find_strata(order, error));
    const int drawn = max_int(order->count / order->width, list->count);
    if (!(order->drawn = mem_new(drawn, sizeof *order->drawn, WHAT, error)) ||
        (!settings->pairs &&
         !(order->frames = mem_new(order->count, sizeof *order->frames, WHAT, error))))
        return error->status;
    return STATUS_OK;
}

Status data_order_create(DataOrder **result, const DataList *list,
                         const DataOrderSettings *settings, Error *error)
{
    assert(result && list && list->count > 0 && settings && error);
    assert((!settings->pairs && !settings->blend) || settings->batch_size % 2 == 0);
    assert(!settings->pairs || (!settings->blend && settings->sampling == DATA_SAMPLING_ALL));
    *result = NULL;
    DataOrder *order = mem_new(1, sizeof *order, "the order of an epoch", error);
    if (!order)
        return error->status;
    order->list = list;
    order->settings = *settings;
    const Status status = build(order, error);
    if (status == STATUS_OK)
        *result = order;
    else
        data_order_destroy(order);
    return status;
}

void data_order_destroy(DataOrder *order)
{
    if (!order)
        return;
    free(order->tally);
    free(order->drawn);
    free(order->first);
    free(order->members);
    free(order->frames);
    free(order);
}

int data_order_count(const DataOrder *order)
{
    return order->count;
}

int data_order_unpaired(const DataOrder *order)
{
    return order->unpaired;
}

/* ---- the samples of one epoch ---------------------------------------------------------------- */

/* Writes to order->tally how often each frame of the stratum is used in the epoch. */
static void draw_repeats(DataOrder *order, int stratum, int epoch)
{
    const int *members = order->members + order->first[stratum];
    const int count = order->first[stratum + 1] - order->first[stratum];
    if (count == 0)
        return;
    const int each = order->quota / count, more = order->quota % count;
    for (int i = 0; i < count; i++)
        order->tally[members[i]] = each;
    if (more == 0)
        return;
    Random random =
        random_stream(order->settings.seed, RANDOM_SHUFFLE, (uint32_t)epoch, (uint32_t)stratum + 1);
    random_permutation(&random, count, order->drawn);
    for (int i = 0; i < more; i++)
        order->tally[members[order->drawn[i]]]++;
}

/* Lays out the units in list order, every frame as often as it is used. */
static void lay_out(DataOrder *order, int epoch)
{
    for (int i = 0; i < order->list->count; i++)
        order->tally[i] = 0;
    for (int s = 0; s < order->strata; s++)
        draw_repeats(order, s, epoch);
    int at = 0;
    for (int i = 0; i < order->list->count; i++)
        for (int sample = 0; sample < order->tally[i] * order->width; sample++)
            order->frames[at++] = i;
    assert(at == order->count);
}

/* Lays out the frames without a partner after the pairs. */
static void lay_out_singles(DataOrder *order, int epoch)
{
    const int single_count = order->first[1];
    int *singles = order->frames + 2 * (size_t)order->pair_count;
    if (order->settings.shuffle) {
        Random random = random_stream(order->settings.seed, RANDOM_SHUFFLE, (uint32_t)epoch, 1);
        random_permutation(&random, single_count, order->drawn);
    }
    for (int i = 0; i < single_count; i++)
        singles[i] = order->members[order->settings.shuffle ? order->drawn[i] : i];
}

void data_order_fill(DataOrder *order, int epoch, DataSample *samples)
{
    assert(order && epoch >= 0 && samples);
    const int width = order->width, units = order->count / width;
    if (order->settings.pairs)
        lay_out_singles(order, epoch);
    else
        lay_out(order, epoch);
    if (order->settings.shuffle) {
        Random random = random_stream(order->settings.seed, RANDOM_SHUFFLE, (uint32_t)epoch, 0);
        random_permutation(&random, units, order->drawn);
    }
    for (int i = 0; i < order->list->count; i++)
        order->tally[i] = 0;
    for (int at = 0; at < order->count; at++) {
        /* An odd frame without a partner is not a unit: it stays last. */
        const bool moves = order->settings.shuffle && at / width < units;
        const int from = moves ? order->drawn[at / width] * width + at % width : at;
        const int frame = order->frames[from];
        samples[at] = (DataSample){.frame = frame,
                                   .occurrence = order->tally[frame]++,
                                   .blend = order->settings.blend && at % 2 == 1};
    }
}

int data_sample_label(const DataList *list, const DataSample *sample)
{
    return sample->blend ? 1 : list->frames[sample->frame].label;
}
