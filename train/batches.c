/*
 * batches.c - see batches.h.
 */
#include "train/batches.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

Status train_batches_open(TrainBatches *batches, const DataList *list,
                          const DataLoaderSettings *settings, const float *features, int width,
                          Error *error)
{
    *batches =
        (TrainBatches){.list = list, .settings = *settings, .features = features, .width = width};
    if (!features)
        return data_loader_create(&batches->loader, list, settings, error);
    const size_t batch = (size_t)settings->batch_size;
    batches->order = malloc((size_t)list->count * sizeof *batches->order);
    batches->batch_labels = malloc(batch * sizeof *batches->batch_labels);
    batches->batch_features = malloc(batch * (size_t)width * sizeof *batches->batch_features);
    if (batches->order && batches->batch_labels && batches->batch_features)
        return STATUS_OK;
    train_batches_close(batches);
    return error_set(error, STATUS_FAILED, "batches: no memory for %d features; lower batch_size",
                     settings->batch_size);
}

void train_batches_close(TrainBatches *batches)
{
    data_loader_destroy(batches->loader);
    free(batches->batch_features);
    free(batches->batch_labels);
    free(batches->order);
    *batches = (TrainBatches){0};
}

Status train_batches_start(TrainBatches *batches, int epoch, int first, Error *error)
{
    if (batches->loader)
        return data_loader_start(batches->loader, epoch, first, error);
    data_loader_order(&batches->settings, batches->list->count, epoch, batches->order);
    batches->position = first * batches->settings.batch_size;
    return STATUS_OK;
}

Status train_batches_next(TrainBatches *batches, DataBatch *batch, const float **features,
                          Error *error)
{
    *features = NULL;
    if (batches->loader)
        return data_loader_next(batches->loader, batch, error);
    const int left = batches->list->count - batches->position;
    assert(left > 0 && "past the last batch");
    const size_t D = (size_t)batches->width;
    *batch = (DataBatch){
        .count = left < batches->settings.batch_size ? left : batches->settings.batch_size,
        .index = batches->order + batches->position,
        .labels = batches->batch_labels,
    };
    for (int i = 0; i < batch->count; i++) {
        const int frame = batch->index[i];
        batches->batch_labels[i] = batches->list->frames[frame].label;
        memcpy(batches->batch_features + (size_t)i * D, batches->features + (size_t)frame * D,
               D * sizeof(float));
    }
    batches->position += batch->count;
    *features = batches->batch_features;
    return STATUS_OK;
}
