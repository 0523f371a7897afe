/*
 * batches.c - see batches.h.
 */
#include "train/batches.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

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
    const char *what = "a batch of features (batch_size)";
    const size_t batch = settings->batch_size;
    Status status = data_loader_order(&batches->order, list, settings, error);
    if (status != STATUS_OK)
        goto done;
    const size_t samples = data_order_count(batches->order);
    if (!(batches->samples = mem_new(samples, sizeof *batches->samples, what, error)) ||
        !(batches->batch_index = mem_new(batch, sizeof *batches->batch_index, what, error)) ||
        !(batches->batch_labels = mem_new(batch, sizeof *batches->batch_labels, what, error)) ||
        !(batches->batch_features = mem_new(batch * width, sizeof(float), what, error)))
        status = error->status;
done:
    if (status != STATUS_OK)
        train_batches_close(batches);
    return status;
}

void train_batches_close(TrainBatches *batches)
{
    data_loader_destroy(batches->loader);
    free(batches->batch_features);
    free(batches->batch_labels);
    free(batches->batch_index);
    free(batches->samples);
    data_order_destroy(batches->order);
    *batches = (TrainBatches){0};
}

Status train_batches_start(TrainBatches *batches, int epoch, int first, Error *error)
{
    if (batches->loader)
        return data_loader_start(batches->loader, epoch, first, error);
    data_order_fill(batches->order, epoch, batches->samples);
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
    const size_t D = batches->width;
    *batch = (DataBatch){
        .count = min_int(left, batches->settings.batch_size),
        .index = batches->batch_index,
        .labels = batches->batch_labels,
    };
    for (int i = 0; i < batch->count; i++) {
        const DataSample *sample = &batches->samples[batches->position + i];
        batches->batch_index[i] = sample->frame;
        batches->batch_labels[i] = data_sample_label(batches->list, sample);
        memcpy(batches->batch_features + i * D, batches->features + sample->frame * D,
               D * sizeof(float));
    }
    batches->position += batch->count;
    *features = batches->batch_features;
    return STATUS_OK;
}
