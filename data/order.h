/*
 * order.h - which frame stands where in an epoch: shuffling, balance between classes or sources,
 * pairs, and self-blended fakes.
 *
 * An epoch is a sequence of samples. A sample is a frame of the list, how often that frame stood in
 * this epoch before (so that a repeated frame has an augmentation draw of its own), and whether it
 * is to be shown self-blended. The sequence is a pure function of (settings, list, epoch): not of
 * workers, batches in flight, or resume.
 *
 * Length of an epoch:
 *
 *     DATA_SAMPLING_ALL     every frame once
 *     DATA_SAMPLING_CLASS   2 x the frames of the larger class
 *     DATA_SAMPLING_SOURCE  sources x the frames of the largest source
 *     pairs                 2 x the fake frames that have a real one, and each frame left over once
 *     blend                 2 x the real frames (of the lengths above, of the real frames alone)
 *
 * So no frame is ever left out. Where n frames fill m samples, each stands there floor(m / n) or
 * ceil(m / n) times; which ones stand once more is drawn anew in every epoch.
 */
#ifndef LNCLIP_DATA_ORDER_H
#define LNCLIP_DATA_ORDER_H

#include "data/lists/list.h"

#include <stdbool.h>

/* How often the frames of a list stand in an epoch. */
typedef enum DataSampling {
    DATA_SAMPLING_ALL,   /* each frame once */
    DATA_SAMPLING_CLASS, /* as many real as fake frames: those of the smaller class repeat */
    DATA_SAMPLING_SOURCE /* as many of every source: those of smaller sources repeat */
} DataSampling;

/* "all", "class", "source"; NULL past the last. */
const char *data_sampling_name(int sampling);

/*
 * pairs: every fake frame stands right after a real one of the video it was made from, so that an
 * even batch_size holds whole pairs. That video is the real one whose folder has the name of the
 * fake video's origin (identity.h); of several, the one with the most leading folders in common
 * with the fake video, then with the most trailing ones (c23/frames), then the first. Of that video
 * it is the frame with the same number in its name (the last digits), or the nearest number, the
 * lower of two; where the frames of one of the two videos have no numbers, or the same twice, the
 * frame at the same share of the video, in the order of the list. A real frame stands there as
 * often as fakes were made from it. Fakes without a real video, and real frames that no fake chose,
 * stand alone, two by two among the pairs, an odd one at the end.
 *
 * blend: each real frame stands once as it is and right after that once self-blended; fakes of the
 * list are ignored.
 *
 * Asserts that batch_size is even with pairs or blend, and that pairs comes with neither blend nor
 * a sampling: it has its own measure of how often a frame stands.
 */
typedef struct DataOrderSettings {
    uint64_t seed;
    int batch_size;
    bool shuffle; /* off: in the order of the list, repeated frames one after the other */
    bool pairs;   /* every fake frame with a real one of the video it was made from */
    bool blend;   /* real frames alone, each once as it is and once self-blended (label 1) */
    DataSampling sampling;
} DataOrderSettings;

typedef struct DataSample {
    int frame;      /* of the list */
    int occurrence; /* samples of this epoch before this one that show the same frame */
    bool blend;     /* shown self-blended, as a fake */
} DataSample;

typedef struct DataOrder DataOrder;

/*
 * Finds the groups that the settings need. `list` is borrowed until data_order_destroy.
 * STATUS_FAILED without memory, for an epoch of more samples than an int counts, with `pairs` for a
 * list in which no fake video has its real one, with `blend` for one without real frames. *order is
 * NULL then.
 */
Status data_order_create(DataOrder **order, const DataList *list, const DataOrderSettings *settings,
                         Error *error);
void data_order_destroy(DataOrder *order); /* NULL is allowed */

/* Places of an epoch: the same number in every epoch. */
int data_order_count(const DataOrder *order);

/* Fakes that have no real frame to go with (pairs) and stand alone: for a notice. */
int data_order_unpaired(const DataOrder *order);

/*
 * The samples of `epoch` into samples [data_order_count]. With shuffle, single samples, pairs or
 * couples of a frame and its blend are permuted by random_stream(seed, RANDOM_SHUFFLE, epoch, 0);
 * what else is drawn takes sub-indices from 1. For one thread at a time.
 */
void data_order_fill(DataOrder *order, int epoch, DataSample *samples);

/* The label under which a sample is trained. */
int data_sample_label(const DataList *list, const DataSample *sample);

/*
 * A test seam, what data_order_create asks for pairs. Into partner [list->count]: for a fake frame
 * the real one of the same video and moment, -1 for real frames and for fakes whose real video is
 * not in the list. STATUS_FAILED without memory. Thread-safe.
 */
Status data_order_partners(const DataList *list, int *partner, Error *error);

#endif
