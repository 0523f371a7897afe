/*
 * order.c - see order.h: units of one or two places are laid out in the order of the list, and then permuted.
 *
 * A unit is a frame, a real frame with its fake, or a frame with its blend. Units of two keep a couple in one batch
 * whatever the permutation is, since a batch begins at a multiple of an even number.
 */
#include "data/order.h"

#include "data/order_pairs_private.h"
#include "tensor/random.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

struct DataOrder {
    const DataList *list;
    DataOrderSettings settings;
    int count;    /* places of an epoch */
    int width;    /* places of a unit: 1 or 2 */
    int unpaired; /* fakes */
    /* [count] of the places, unit after unit, before the permutation; [pair_count x 2] never changes. */
    int *frames;
    int pair_count;
    /* [first[strata]] frames stratum after stratum; with pairs, those that stand alone. */
    int *members;
    int *first; /* [strata + 1] */
    int strata; /* what stands equally often: everything, classes or sources */
    int quota;  /* units of each stratum that has frames */
    int *drawn; /* [max(units, frames of the list)] permutation */
    int *tally; /* [list->count] how often a frame stands */
};

const char *data_sampling_name(int sampling)
{
    static const char *const names[] = {[DATA_SAMPLING_ALL] = "all",
                                        [DATA_SAMPLING_CLASS] = "class",
                                        [DATA_SAMPLING_SOURCE] = "source"};
    return sampling >= 0 && sampling <= DATA_SAMPLING_SOURCE ? names[sampling] : NULL;
}

static Status no_memory(const DataList *list, Error *error)
{
    return error_set(error, STATUS_FAILED, "order: no memory for %d frames; use fewer",
                     list->count);
}

/* ---- What never changes ------------------------------------------------------------------------ */

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

/* Sorts the frames that take part into strata and finds how many units each of these has. */
static Status divide(DataOrder *order, Error *error)
{
    const DataList *const list = order->list;
    const bool blend = order->settings.blend;
    int *const first = order->first;
    for (int i = 0; i < list->count; i++)
        if (!blend || list->frames[i].label == 0)
            first[stratum_of(order, &list->frames[i]) + 1]++;
    int filled = 0;
    for (int s = 0; s < order->strata; s++) {
        const int frames = first[s + 1];
        filled += frames > 0;
        order->quota = frames > order->quota ? frames : order->quota;
        first[s + 1] += first[s];
    }
    if (filled == 0)
        return error_set(error, STATUS_FAILED,
                         "data.sbi=on: none of the %d frames is real; add a list of real frames",
                         list->count);
    int *const end =
        order->tally; /* of each stratum so far: there are no more strata than frames */
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

/* Lays out the pairs, and gathers the frames that stand alone; `partner` is of data_order_partners. */
static Status couple(DataOrder *order, const int *partner, Error *error)
{
    const DataList *const list = order->list;
    int *const chosen = order->tally; /* how many fakes chose a real frame */
    int alone = 0;
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
            order->members[alone++] = i;
    order->first[1] = alone;
    const int64_t count = 2 * (int64_t)order->pair_count + alone;
    if (count > INT_MAX)
        return error_set(error, STATUS_FAILED,
                         "pairs=on: an epoch of %lld frames is too long; use fewer frames",
                         (long long)count);
    order->count = (int)count;
    return STATUS_OK;
}

static Status find_pairs(DataOrder *order, Error *error)
{
    const size_t frames = (size_t)order->list->count;
    int *const partner = malloc(frames * sizeof *partner);
    order->frames = malloc(2 * frames * sizeof *order->frames);
    Status status = partner && order->frames ? STATUS_OK : no_memory(order->list, error);
    if (status == STATUS_OK)
        status = data_order_partners(order->list, partner, error);
    if (status == STATUS_OK)
        status = couple(order, partner, error);
    free(partner);
    return status;
}

static Status build(DataOrder *order, Error *error)
{
    const DataList *const list = order->list;
    const DataOrderSettings *const settings = &order->settings;
    const size_t frames = (size_t)list->count;
    order->width = settings->pairs || settings->blend ? 2 : 1;
    order->strata = settings->sampling == DATA_SAMPLING_CLASS    ? 2
                    : settings->sampling == DATA_SAMPLING_SOURCE ? list->source_count
                                                                 : 1;
    order->first = calloc((size_t)order->strata + 1, sizeof *order->first);
    order->members = malloc(frames * sizeof *order->members);
    order->tally = calloc(frames + (size_t)order->strata, sizeof *order->tally);
    if (!order->first || !order->members || !order->tally)
        return no_memory(list, error);
    TRY(settings->pairs ? find_pairs(order, error) : divide(order, error));
    const int units = order->count / order->width;
    order->drawn = malloc((units > list->count ? (size_t)units : frames) * sizeof *order->drawn);
    if (!settings->pairs)
        order->frames = malloc((size_t)order->count * sizeof *order->frames);
    return order->drawn && order->frames ? STATUS_OK : no_memory(list, error);
}

Status data_order_create(DataOrder **result, const DataList *list,
                         const DataOrderSettings *settings, Error *error)
{
    assert(result && list && list->count > 0 && settings && error);
    assert((!settings->pairs && !settings->blend) || settings->batch_size % 2 == 0);
    assert(!settings->pairs || (!settings->blend && settings->sampling == DATA_SAMPLING_ALL));
    *result = NULL;
    DataOrder *const order = calloc(1, sizeof *order);
    if (!order)
        return no_memory(list, error);
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

/* ---- What an epoch draws ----------------------------------------------------------------------- */

/* How often each frame of the stratum stands in the epoch, into order->tally. */
static void draw_repeats(DataOrder *order, int stratum, int epoch)
{
    const int *const members = order->members + order->first[stratum];
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

/* Lays out the units: every frame as often as it stands, in the order of the list. */
static void lay_out(DataOrder *order, int epoch)
{
    for (int i = 0; i < order->list->count; i++)
        order->tally[i] = 0;
    for (int s = 0; s < order->strata; s++)
        draw_repeats(order, s, epoch);
    int at = 0;
    for (int i = 0; i < order->list->count; i++)
        for (int place = 0; place < order->tally[i] * order->width; place++)
            order->frames[at++] = i;
    assert(at == order->count);
}

/* Lays out the frames that stand alone behind the pairs. */
static void lay_out_singles(DataOrder *order, int epoch)
{
    const int alone = order->first[1];
    int *const singles = order->frames + 2 * (size_t)order->pair_count;
    if (order->settings.shuffle) {
        Random random = random_stream(order->settings.seed, RANDOM_SHUFFLE, (uint32_t)epoch, 1);
        random_permutation(&random, alone, order->drawn);
    }
    for (int i = 0; i < alone; i++)
        singles[i] = order->members[order->settings.shuffle ? order->drawn[i] : i];
}

void data_order_fill(DataOrder *order, int epoch, DataPlace *places)
{
    assert(order && epoch >= 0 && places);
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
        /* An odd frame that stands alone is no unit, and stays the last. */
        const bool moves = order->settings.shuffle && at / width < units;
        const int from = moves ? order->drawn[at / width] * width + at % width : at;
        const int frame = order->frames[from];
        places[at] = (DataPlace){.frame = frame,
                                 .occurrence = order->tally[frame]++,
                                 .blend = order->settings.blend && at % 2 == 1};
    }
}

int data_place_label(const DataList *list, const DataPlace *place)
{
    return place->blend ? 1 : list->frames[place->frame].label;
}
