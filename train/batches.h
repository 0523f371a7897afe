/*
 * batches.h - the batches of an epoch: pixels from the image loader, or cached features.
 *
 * Cached features are those of a frozen encoder (feature_cache.h). Both sources yield the same
 * samples in the same order (data/order.h). For use by one thread.
 *
 * Tests: tests/test_train.c.
 */
#ifndef LNCLIP_TRAIN_BATCHES_H
#define LNCLIP_TRAIN_BATCHES_H

#include "data/loader.h"

typedef struct TrainBatches {
    DataLoader *loader; /* NULL with cached features */

    const DataList *list;        /* borrowed */
    DataLoaderSettings settings; /* order of samples, batch size */
    DataOrder *order;            /* NULL with a loader */
    const float *features;       /* [list->count,D], borrowed; NULL with a loader */
    int width;                   /* D */
    DataSample *samples;         /* [data_order_count] samples of the current epoch */
    int position;                /* sample at which the next batch starts */
    int *batch_index;            /* [batch_size] */
    float *batch_features;       /* [batch_size,D] */
    int *batch_labels;           /* [batch_size] */
} TrainBatches;

/*
 * Opens the source of batches. features: NULL to load images, or [list->count,width], one row per
 * frame; not with settings->blend, whose self-blended fakes have no row. `list` and `features` are
 * borrowed until train_batches_close. STATUS_FAILED as for data_loader_create; *batches is {0}
 * then.
 */
Status train_batches_open(TrainBatches *batches, const DataList *list,
                          const DataLoaderSettings *settings, const float *features, int width,
                          Error *error);

/* {0} is allowed. */
void train_batches_close(TrainBatches *batches);

/* Positions the source at batch `first` of `epoch`. STATUS_FAILED as for data_loader_start. */
Status train_batches_start(TrainBatches *batches, int epoch, int first, Error *error);

/*
 * Returns the next batch of the epoch, valid until the next call. With cached features, *features
 * is [batch->count,D] and batch->pixels NULL; otherwise *features is NULL. STATUS_FAILED if a frame
 * cannot be read; the message gives its path.
 */
Status train_batches_next(TrainBatches *batches, DataBatch *batch, const float **features,
                          Error *error);

#endif
