/*
 * run_adapters.c - see run_adapters.h.
 */
#include "train/run/run_adapters.h"

#include "tensor/base/c_locale.h"
#include "tensor/base/file.h"
#include "vit/checkpoint/adapter.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* {"val_loss": 0.5, ...}: the columns of epochs.csv, and `monitor`; undefined = null. */
static void metrics_text(const TrainEpoch *epoch, const char *monitor, char *out, size_t size)
{
    const struct {
        const char *name;
        double value;
    } columns[] = {
        {"train_loss", epoch->train_loss},       {"val_loss", epoch->val_loss},
        {"val_auroc_frame", epoch->frame.auroc}, {"val_auroc_video", epoch->video.auroc},
        {"val_map_frame", epoch->frame.map},     {"val_map_video", epoch->video.map},
        {"val_eer_video", epoch->video.eer},     {monitor, train_monitor_value(epoch, monitor)},
    };
    size_t used = 0, count = sizeof columns / sizeof columns[0];
    for (size_t i = 0; i + 1 < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(columns[i].name, monitor) == 0)
            count--; /* it is there already */
    const locale_t before = c_locale_begin();
    for (size_t i = 0; i < count; i++) {
        char number[32] = "null";
        if (isfinite(columns[i].value))
            snprintf(number, sizeof number, "%.9g", columns[i].value);
        used += (size_t)snprintf(out + used, size - used, "%s\"%s\": %s", i ? ", " : "{",
                                 columns[i].name, number);
    }
    snprintf(out + used, size - used, "}");
    c_locale_end(before);
}

/*
 * Which list chose these weights, and by what: "val_map_video 0.9812 (epoch 4 of 10) on LISTS". A score on
 * that list flatters, so the adapter says it.
 */
static char *selection(const TrainRunAdapter *adapter, TrainRunRole role)
{
    const TrainRecipe *const recipe = adapter->recipe;
    const TrainEpoch *const epoch = adapter->epoch;
    char *text = NULL;
    int length;
    const locale_t before = c_locale_begin();
    if (!adapter->record->val)
        length = asprintf(&text, "nothing (no validation list; the last step)");
    else if (role == TRAIN_RUN_LAST)
        length = asprintf(&text, "nothing (the last step)");
    else
        length = asprintf(&text, "%s %.4f (epoch %d of %d) on %s", recipe->monitor,
                          train_monitor_value(epoch, recipe->monitor), epoch->epoch + 1,
                          recipe->epochs, adapter->record->val);
    c_locale_end(before);
    return length < 0 ? NULL : text;
}

static void file_of(const TrainRunAdapter *adapter, TrainRunRole role, char out[48])
{
    if (role == TRAIN_RUN_KEPT)
        snprintf(out, 48, "epoch-%03d.safetensors", adapter->epoch->epoch);
    else
        snprintf(out, 48, "%s", role == TRAIN_RUN_BEST ? "best.safetensors" : "last.safetensors");
}

Status train_run_adapter_write(const TrainRunAdapter *adapter, const char *folder,
                               TrainRunRole role, Error *error)
{
    char path[FILE_PATH_SIZE], name[48], steps[24], epoch[16], seed[24], metrics[1024];
    file_of(adapter, role, name);
    TRY(file_join(path, folder, name, error));
    snprintf(steps, sizeof steps, "%" PRId64, adapter->steps);
    snprintf(epoch, sizeof epoch, "%d", adapter->epoch->epoch);
    snprintf(seed, sizeof seed, "%" PRIu64, adapter->recipe->seed);
    metrics_text(adapter->epoch, adapter->recipe->monitor, metrics, sizeof metrics);
    char *const recipe = train_recipe_identity(adapter->recipe);
    char *const selected = selection(adapter, role);
    Status status = STATUS_OK;
    if (!recipe || !selected)
        status = error_set(error, STATUS_FAILED, "%s: no memory to write it; close other programs",
                           path);
    const SafeTensorsMetadata metadata[] = {
        {"recipe", recipe},
        {"seed", seed},
        {"steps", steps},
        {"epoch", epoch},
        {"metrics", metrics},
        {"selected_on", selected},
        {"train_list", adapter->origin->train},
        {"val_list", adapter->origin->val},
        {"decoders", adapter->origin->decoders},
        {"record", adapter->record->json},
    };
    if (status == STATUS_OK)
        status = vit_adapter_write(adapter->vit, adapter->head, adapter->tuned, path, metadata,
                                   (int)(sizeof metadata / sizeof metadata[0]), error);
    free(selected);
    free(recipe);
    return status;
}

/* How many epochs are better than this one. */
static int rank(const char *monitor, const double *values, int epochs, int epoch)
{
    int better = 0;
    for (int i = 0; i < epochs; i++) {
        const bool beats = train_monitor_better(monitor, values[i], values[epoch]);
        const bool beaten = train_monitor_better(monitor, values[epoch], values[i]);
        better += beats || (!beaten && i < epoch);
    }
    return better;
}

Status train_run_adapters_keep(const TrainRunAdapter *adapter, const char *folder,
                               const double *values, int epochs, Error *error)
{
    for (int epoch = 0; epoch < epochs && adapter->recipe->keep > 0; epoch++) {
        char name[48], path[FILE_PATH_SIZE];
        snprintf(name, sizeof name, "epoch-%03d.safetensors", epoch);
        TRY(file_join(path, folder, name, error));
        const bool keep =
            rank(adapter->recipe->monitor, values, epochs, epoch) < adapter->recipe->keep;
        if (keep && epoch == epochs - 1)
            TRY(train_run_adapter_write(adapter, folder, TRAIN_RUN_KEPT, error));
        if (!keep && unlink(path) != 0 && errno != ENOENT)
            return error_set(error, STATUS_FAILED, "%s: cannot be removed (%s); remove it by hand",
                             path, strerror(errno));
    }
    return STATUS_OK;
}
