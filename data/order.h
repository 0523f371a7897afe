/*
 * order.h - which frame stands where in an epoch: shuffling, balance between classes or sources, pairs, and
 * self-blended fakes.
 *
 * An epoch is a sequence of places. A place is a frame of the list, how often that frame stood in this epoch before
 * (so that a repeated frame has an augmentation draw of its own), and whether it is to be shown self-blended. The
 * sequence is a pure function of (settings, list, epoch): not of workers, batches in flight, or resume.
 */
#ifndef LNCLIP_DATA_ORDER_H
#define LNCLIP_DATA_ORDER_H

#include "data/list.h"

#include <stdbool.h>

/* How often the frames of a list stand in an epoch. */
typedef enum DataSampling {
    DATA_SAMPLING_ALL,   /* each frame once */
    DATA_SAMPLING_CLASS, /* as many real as fake frames: those of the smaller class repeat */
    DATA_SAMPLING_SOURCE /* as many of every source: those of smaller sources repeat */
} DataSampling;

/* "all", "class", "source"; NULL past the last. */
const char *data_sampling_name(int sampling);

typedef struct DataOrderSettings {
    uint64_t seed;
    int batch_size; /* of pairs: a batch holds whole groups where they fit */
    bool shuffle;   /* off: in the order of the list, repeated frames one after the other */
    bool pairs;     /* every fake frame with a real one of the video it was made from */
    bool blend;     /* real frames alone, each once as it is and once self-blended (label 1) */
    DataSampling sampling;
} DataOrderSettings;

typedef struct DataPlace {
    int frame;      /* of the list */
    int occurrence; /* places of this epoch before this one that show the same frame */
    bool blend;     /* shown self-blended, as a fake */
} DataPlace;

typedef struct DataOrder DataOrder;

/*
 * Finds the groups that the settings need. `list` is borrowed until data_order_destroy. STATUS_FAILED without memory, with
 * `pairs` for a list in which no fake video has its real one, with `blend` for one without real frames. *order is NULL then.
 */
Status data_order_create(DataOrder **order, const DataList *list, const DataOrderSettings *settings,
                         Error *error);
void data_order_destroy(DataOrder *order); /* NULL is allowed */

/* Places of an epoch: the same number in every epoch. */
int data_order_count(const DataOrder *order);

/* Fakes that have no real frame to go with (pairs) and stand alone: for a notice. */
int data_order_unpaired(const DataOrder *order);

/* The places of `epoch` into places [data_order_count]. For one thread at a time. */
void data_order_fill(DataOrder *order, int epoch, DataPlace *places);

/* The label under which a place is trained. */
int data_place_label(const DataList *list, const DataPlace *place);

#endif
