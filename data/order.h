/*
 * order.h - the order of the samples of an epoch: shuffling, balance between classes or sources,
 * pairs, and self-blended fakes.
 *
 * An epoch is a sequence of samples. A sample is a frame of the list, the number of earlier samples
 * of this epoch with the same frame (so that a repeated frame has its own augmentation draw), and a
 * flag for self-blending. The sequence is a pure function of (settings, list, epoch): it does not
 * depend on workers, on batches in flight, or on a resume.
 *
 * Length of an epoch:
 *
 *     DATA_SAMPLING_ALL     every frame once
 *     DATA_SAMPLING_CLASS   2 x the frames of the larger class
 *     DATA_SAMPLING_SOURCE  sources x the frames of the largest source
 *     pairs                 2 x the fakes with a real partner, and each remaining frame once
 *     blend                 2 x the real frames (2 x the lengths above over the real frames alone)
 *
 * No frame is left out. If n frames fill m samples, each is used floor(m / n) or ceil(m / n) times;
 * the frames used once more than the others are drawn again in every epoch.
 *
 * Tests: tests/test_order.c.
 */
#ifndef LNCLIP_DATA_ORDER_H
#define LNCLIP_DATA_ORDER_H

#include "data/lists/list.h"

#include <stdbool.h>

/* How often the frames of a list are used in an epoch. */
typedef enum DataSampling {
    DATA_SAMPLING_ALL,   /* each frame once */
    DATA_SAMPLING_CLASS, /* as many real as fake frames: the smaller class repeats */
    DATA_SAMPLING_SOURCE /* equally many frames of every source: smaller sources repeat */
} DataSampling;

/* "all", "class", "source"; NULL past the last. */
const char *data_sampling_name(int sampling);

/*
 * pairs: every fake frame comes right after a real one of the video it was made from, so that an
 * even batch_size holds whole pairs. That video is the real one whose folder has the name of the
 * fake video's origin (identity.h). If several match, the one with the most leading folders in
 * common with the fake video wins, then the one with the most trailing folders in common
 * (c23/frames), then the first. Within that video, the frame with the same number in its name (the
 * last digits) is used, or the nearest number, the lower of two. If the frames of one of the two
 * videos have no numbers, or duplicate ones, the frame at the same relative position in the list
 * order is used. A real frame is repeated once per fake made from it. Fakes without a real video,
 * and real frames that no fake uses, are put two by two among the pairs; an odd one comes last.
 *
 * blend: each real frame is used once unchanged and directly after that once self-blended; fakes of
 * the list are ignored.
 *
 * Asserts that batch_size is even with pairs or blend, and that pairs is not combined with blend or
 * a sampling: pairs define by themselves how often a frame is used.
 */
typedef struct DataOrderSettings {
    uint64_t seed;
    int batch_size;
    bool shuffle; /* off: list order, repeated frames next to each other */
    bool pairs;   /* pair every fake frame with a real one of its original video */
    bool blend;   /* only real frames, each once unchanged and once blended (label 1) */
    DataSampling sampling;
} DataOrderSettings;

typedef struct DataSample {
    int frame;      /* index into list->frames */
    int occurrence; /* earlier samples of this epoch with the same frame */
    bool blend;     /* the frame is to be self-blended; label 1 */
} DataSample;

typedef struct DataOrder DataOrder;

/*
 * Computes the groups or pairs that the settings need. `list` is borrowed until data_order_destroy.
 * STATUS_FAILED when out of memory, for an epoch longer than INT_MAX samples, with `pairs` for a
 * list in which no fake video has its real one, and with `blend` for a list without real frames;
 * *order is then NULL.
 */
Status data_order_create(DataOrder **order, const DataList *list, const DataOrderSettings *settings,
                         Error *error);
void data_order_destroy(DataOrder *order); /* NULL is allowed */

/* Number of samples of an epoch; the same for every epoch. */
int data_order_count(const DataOrder *order);

/* With pairs, the number of fakes without a real partner, for a warning; else 0. */
int data_order_unpaired(const DataOrder *order);

/*
 * Fills samples [data_order_count] for `epoch`. With shuffle, the units (single samples, pairs, or
 * a frame with its blend) are permuted by random_stream(seed, RANDOM_SHUFFLE, epoch, 0); other
 * draws use sub-indices from 1. Not thread-safe for one order.
 */
void data_order_fill(DataOrder *order, int epoch, DataSample *samples);

/* The training label of a sample: 0 real, 1 fake. */
int data_sample_label(const DataList *list, const DataSample *sample);

/*
 * For tests; data_order_create calls it for pairs. Fills partner [list->count]: for a fake frame
 * the matching real frame, -1 for real frames and for fakes whose real video is not in the list.
 * STATUS_FAILED when out of memory. Thread-safe.
 */
Status data_order_partners(const DataList *list, int *partner, Error *error);

#endif
