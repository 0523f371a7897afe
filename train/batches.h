/*
 * batches.h - where the batches of an epoch come from: the loader's pixels, or ready features.
 *
 * Ready features are those of a frozen encoder (feature_cache.h). Both sources visit the same
 * samples in the same order (data/order.h). For one thread.
 */
#ifndef LNCLIP_TRAIN_BATCHES_H
#define LNCLIP_TRAIN_BATCHES_H

#include "data/loader.h"

typedef struct TrainBatches {
    DataLoader *loader; /* NULL with ready features */

    const DataList *list;        /* borrowed */
    DataLoaderSettings settings; /* order and size of batches */
    DataOrder *order;            /* NULL with a loader */
    const float *features;       /* [list->count,D], borrowed; NULL with a loader */
    int width;                   /* D */
    DataSample *samples;         /* [data_order_count] of the present epoch */
    int position;                /* in it, of the next batch */
    int *batch_index;            /* [batch_size] */
    float *batch_features;       /* [batch_size,D] */
    int *batch_labels;           /* [batch_size] */
} TrainBatches;

/*
 * features: NULL, or [list->count, width] with one row a frame; never with settings->blend, whose
 * fakes have no row. `list` and `features` are borrowed until train_batches_close. STATUS_FAILED as
 * data_loader_create; *batches is then empty.
 */
Status train_batches_open(TrainBatches *batches, const DataList *list,
                          const DataLoaderSettings *settings, const float *features, int width,
                          Error *error);

/* {0} is allowed. */
void train_batches_close(TrainBatches *batches);

/* Starts at batch `first` of `epoch`. */
Status train_batches_start(TrainBatches *batches, int epoch, int first, Error *error);

/*
 * The next batch of the epoch, valid until the next call. *features is [batch->count,D] if they are
 * ready (batch->pixels is then NULL), else NULL. STATUS_FAILED names a frame that cannot be read.
 */
Status train_batches_next(TrainBatches *batches, DataBatch *batch, const float **features,
                          Error *error);

#endif
