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
    assert(!features || !settings->blend);
    *batches =
        (TrainBatches){.list = list, .settings = *settings, .features = features, .width = width};
    if (!features)
        return data_loader_create(&batches->loader, list, settings, error);
    const Status status = data_loader_order(&batches->order, list, settings, error);
    if (status != STATUS_OK) {
        train_batches_close(batches);
        return status;
    }
    const size_t batch = (size_t)settings->batch_size;
    batches->places = malloc((size_t)data_order_count(batches->order) * sizeof *batches->places);
    batches->batch_index = malloc(batch * sizeof *batches->batch_index);
    batches->batch_labels = malloc(batch * sizeof *batches->batch_labels);
    batches->batch_features = malloc(batch * (size_t)width * sizeof *batches->batch_features);
    if (batches->places && batches->batch_index && batches->batch_labels && batches->batch_features)
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
    free(batches->batch_index);
    free(batches->places);
    data_order_destroy(batches->order);
    *batches = (TrainBatches){0};
}

Status train_batches_start(TrainBatches *batches, int epoch, int first, Error *error)
{
    if (batches->loader)
        return data_loader_start(batches->loader, epoch, first, error);
    data_order_fill(batches->order, epoch, batches->places);
    batches->position = first * batches->settings.batch_size;
    return STATUS_OK;
}

Status train_batches_next(TrainBatches *batches, DataBatch *batch, const float **features,
                          Error *error)
{
    *features = NULL;
    if (batches->loader)
        return data_loader_next(batches->loader, batch, error);
    const int left = data_order_count(batches->order) - batches->position;
    assert(left > 0 && "past the last batch");
    const size_t D = (size_t)batches->width;
    *batch = (DataBatch){
        .count = left < batches->settings.batch_size ? left : batches->settings.batch_size,
        .index = batches->batch_index,
        .labels = batches->batch_labels,
    };
    for (int i = 0; i < batch->count; i++) {
        const DataPlace *const place = &batches->places[batches->position + i];
        batches->batch_index[i] = place->frame;
        batches->batch_labels[i] = data_place_label(batches->list, place);
        memcpy(batches->batch_features + (size_t)i * D,
               batches->features + (size_t)place->frame * D, D * sizeof(float));
    }
    batches->position += batch->count;
    *features = batches->batch_features;
    return STATUS_OK;
}
