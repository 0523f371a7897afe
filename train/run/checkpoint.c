/*
 * checkpoint.c - see checkpoint.h.
 *
 * transfer_state lists the fields of a TrainState once, for writing and reading. All are stored as
 * doubles, which represent counts below 2^53 exactly.
 */
#include "train/run/checkpoint.h"

#include "tensor/base/c_locale.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/checkpoint/adapter.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- state ----------------------------------------------------------------------------------- */

/* Files of a run with a state of OLD_FORMAT count epochs from 0. */
static const char FORMAT[] = "lnclip state 2", OLD_FORMAT[] = "lnclip state 1";

enum {
    METRICS_NUMBERS = 2 + METRICS_NAMES,
    EPOCH_NUMBERS = 6 + 2 * METRICS_NUMBERS,
    STATE_NUMBERS = 6 + 2 * EPOCH_NUMBERS,
};

/* The values of a TrainState, being read or written. */
typedef struct Transfer {
    double numbers[STATE_NUMBERS];
    int count; /* values transferred so far */
    bool reading;
    bool valid; /* false after an invalid count */
} Transfer;

static void transfer_double(Transfer *transfer, double *value)
{
    double *number = &transfer->numbers[transfer->count++];
    if (transfer->reading)
        *value = *number;
    else
        *number = *value;
}

/* Transfers an integer in [0, limit]. */
static int64_t transfer_count(Transfer *transfer, int64_t value, int64_t limit)
{
    double number = (double)value;
    transfer_double(transfer, &number);
    if (number >= 0 && number <= (double)limit && number == floor(number))
        return (int64_t)number;
    transfer->valid = false;
    return 0;
}

static void transfer_int64(Transfer *transfer, int64_t *value)
{
    *value = transfer_count(transfer, *value, (int64_t)1 << 53);
}

static void transfer_int(Transfer *transfer, int *value)
{
    *value = (int)transfer_count(transfer, *value, INT_MAX);
}

static void transfer_bool(Transfer *transfer, bool *value)
{
    *value = transfer_count(transfer, *value, 1) != 0;
}

static void transfer_metrics(Transfer *transfer, Metrics *metrics)
{
    metrics->n_real = (size_t)transfer_count(transfer, (int64_t)metrics->n_real, (int64_t)1 << 53);
    metrics->n_fake = (size_t)transfer_count(transfer, (int64_t)metrics->n_fake, (int64_t)1 << 53);
    for (int i = 0; i < METRICS_NAMES; i++) {
        char *at = (char *)metrics + metrics_names[i].offset;
        double value;
        memcpy(&value, at, sizeof value);
        transfer_double(transfer, &value);
        memcpy(at, &value, sizeof value);
    }
}

static void transfer_epoch(Transfer *transfer, TrainEpoch *epoch)
{
    transfer_int(transfer, &epoch->epoch);
    transfer_int64(transfer, &epoch->step);
    transfer_double(transfer, &epoch->lr);
    transfer_double(transfer, &epoch->train_loss);
    transfer_double(transfer, &epoch->val_loss);
    transfer_metrics(transfer, &epoch->frame);
    transfer_metrics(transfer, &epoch->video);
    transfer_bool(transfer, &epoch->best);
}

static void transfer_state(Transfer *transfer, TrainState *state)
{
    transfer_int64(transfer, &state->step);
    transfer_int(transfer, &state->epoch);
    transfer_double(transfer, &state->loss_sum);
    transfer_int64(transfer, &state->loss_steps);
    transfer_int(transfer, &state->since_best);
    transfer_bool(transfer, &state->has_best);
    transfer_epoch(transfer, &state->best);
    transfer_epoch(transfer, &state->last);
    assert(transfer->count == STATE_NUMBERS);
}

TrainState train_state_empty(void)
{
    return (TrainState){.best = train_epoch_empty(), .last = train_epoch_empty()};
}

/* One line "name count" per trainable parameter. A state is valid only for an equal text. */
static char *tuned_names(const VitTuned *tuned)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    for (int i = 0; i < tuned->entry_count; i++)
        fprintf(stream, "%s %zu\n", tuned->entries[i].name, tuned->entries[i].count);
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A tensor [count] for safetensors_write. */
static SafeTensor vector(const char *name, DType dtype, const void *data, size_t count)
{
    return (SafeTensor){.name = name,
                        .dtype = dtype,
                        .ndim = 1,
                        .shape = {(int64_t)count},
                        .data = data,
                        .bytes = count * dtype_size(dtype)};
}

Status train_state_write(const TrainState *state, const VitTuned *tuned,
                         const TrainOptimizer *optimizer, const TrainEma *ema,
                         const TrainRecord *record, const char *path, Error *error)
{
    assert(optimizer->count == tuned->count);
    Transfer progress = {.valid = true};
    TrainState copy = *state;
    transfer_state(&progress, &copy);
    assert(progress.valid);
    const int64_t optimizer_steps = optimizer->steps;
    SafeTensor tensors[6] = {
        vector("values", DTYPE_F32, tuned->values, tuned->count),
        vector("first_moment", DTYPE_F32, optimizer->first, tuned->count),
        vector("progress", DTYPE_F64, progress.numbers, STATE_NUMBERS),
        vector("optimizer_steps", DTYPE_I64, &optimizer_steps, 1),
    };
    int tensor_count = 4;
    if (optimizer->second)
        tensors[tensor_count++] =
            vector("second_moment", DTYPE_F32, optimizer->second, tuned->count);
    if (ema->average)
        tensors[tensor_count++] = vector("average", DTYPE_F32, ema->average, tuned->count);
    char *names = tuned_names(tuned);
    if (!names)
        return mem_full(0, path, error);
    SafeTensorsMetadata metadata[TRAIN_RECORD_KEYS + 2] = {[TRAIN_RECORD_KEYS] = {"format", FORMAT},
                                                           {"tuned", names}};
    train_record_metadata(record, metadata);
    const Status status =
        safetensors_write(path, tensors, tensor_count, metadata, COUNT_OF(metadata), error);
    free(names);
    return status;
}

/* Checks that metadata `key` equals `wanted`; `what` describes the difference in the message. */
static Status expect(const SafeTensors *file, const char *key, const char *wanted, const char *what,
                     Error *error)
{
    const char *found = safetensors_metadata(file, key);
    if (found && strcmp(found, wanted) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: %s; start a new run in another folder, or resume with the original "
                     "settings",
                     safetensors_path(file), what);
}

/* Finds the tensor `name` and checks its type and length. */
static Status find(const SafeTensors *file, const char *name, DType dtype, size_t count,
                   const SafeTensor **tensor, Error *error)
{
    *tensor = safetensors_find(file, name);
    if (*tensor && (*tensor)->dtype == dtype && (*tensor)->ndim == 1 &&
        (*tensor)->shape[0] == (int64_t)count)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: tensor %s is missing or is not %s [%zu]; the file is damaged or of "
                     "another version, start a new run",
                     safetensors_path(file), name, dtype_name(dtype), count);
}

static Status check_origin(const SafeTensors *file, const VitTuned *tuned,
                           const TrainRecord *record, Error *error)
{
    const char *format = safetensors_metadata(file, "format");
    if (format && strcmp(format, OLD_FORMAT) == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: was saved by an older version, whose files count epochs from 0; "
                         "finish this run with that version, or start a new run in another folder "
                         "(with --adapter, from its last.safetensors)",
                         safetensors_path(file));
    TRY(expect(file, "format", FORMAT, "is not a saved state of this version", error));
    TRY(expect(file, "base_fingerprint", record->base, "was made with another base model", error));
    if (safetensors_metadata(file, "base_network")) /* missing in files of older versions */
        TRY(expect(file, "base_network", record->network,
                   "was made with another architecture or preprocessing", error));
    TRY(expect(file, "frozen_layer_norms", record->frozen, "was made with another adapter", error));
    TRY(expect(file, "recipe", record->recipe,
               "the recipe has changed since it was made, or this version has other keys", error));
    TRY(expect(file, "train_list", record->train, "the training list has changed since it was made",
               error));
    TRY(expect(file, "val_list", record->val, "the validation list has changed since it was made",
               error));
    char *names = tuned_names(tuned);
    if (!names)
        return mem_full(0, safetensors_path(file), error);
    const Status status =
        expect(file, "tuned", names, "was made with other trainable parameters", error);
    free(names);
    return status;
}

static Status read_file(const SafeTensors *file, TrainState *state, VitTuned *tuned,
                        TrainOptimizer *optimizer, TrainEma *ema, const TrainRecord *record,
                        Error *error)
{
    const SafeTensor *values, *first, *second = NULL, *average = NULL, *progress, *steps;
    const size_t count = tuned->count;
    TRY(check_origin(file, tuned, record, error));
    TRY(find(file, "values", DTYPE_F32, count, &values, error));
    TRY(find(file, "first_moment", DTYPE_F32, count, &first, error));
    if (optimizer->second)
        TRY(find(file, "second_moment", DTYPE_F32, count, &second, error));
    if (ema->average)
        TRY(find(file, "average", DTYPE_F32, count, &average, error));
    TRY(find(file, "progress", DTYPE_F64, STATE_NUMBERS, &progress, error));
    TRY(find(file, "optimizer_steps", DTYPE_I64, 1, &steps, error));

    TrainState read = train_state_empty();
    Transfer transfer = {.reading = true, .valid = true};
    memcpy(transfer.numbers, progress->data, sizeof transfer.numbers);
    transfer_state(&transfer, &read);
    int64_t optimizer_steps;
    memcpy(&optimizer_steps, steps->data, sizeof optimizer_steps);
    if (!transfer.valid || optimizer_steps != read.step)
        return error_set(error, STATUS_FAILED,
                         "%s: invalid counts; the file is damaged, start a new run",
                         safetensors_path(file));
    *state = read;
    memcpy(tuned->values, values->data, count * sizeof(float));
    memcpy(optimizer->first, first->data, count * sizeof(float));
    if (optimizer->second)
        memcpy(optimizer->second, second->data, count * sizeof(float));
    if (ema->average)
        memcpy(ema->average, average->data, count * sizeof(float));
    optimizer->steps = optimizer_steps;
    return STATUS_OK;
}

Status train_state_read(TrainState *state, VitTuned *tuned, TrainOptimizer *optimizer,
                        TrainEma *ema, const TrainRecord *record, const char *path,
                        bool *decoders_differ, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const Status status = read_file(file, state, tuned, optimizer, ema, record, error);
    const char *decoders = safetensors_metadata(file, "decoders");
    *decoders_differ = !decoders || strcmp(decoders, record->decoders) != 0;
    safetensors_close(file);
    return status;
}

/* ---- adapters -------------------------------------------------------------------------------- */

/* {"val_loss": 0.5, ...}: the metrics in epochs.csv and `monitor`; undefined = null. */
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
    size_t used = 0, count = COUNT_OF(columns);
    for (size_t i = 0; i + 1 < COUNT_OF(columns); i++)
        if (strcmp(columns[i].name, monitor) == 0)
            count--; /* the monitor is already in the list */
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
 * How the adapter was selected: "val_map_video 0.9812 (epoch 4 of 10) on LISTS". Stored in the
 * adapter, because scores on that list are optimistic.
 */
static char *selection(const TrainRunAdapter *adapter, TrainRunRole role)
{
    const TrainRecipe *recipe = adapter->recipe;
    const TrainEpoch *epoch = adapter->epoch;
    char *text = NULL;
    int length;
    const locale_t before = c_locale_begin();
    if (!adapter->record->val_words)
        length = asprintf(&text, "nothing (no validation list; the last step)");
    else if (role == TRAIN_RUN_LAST)
        length = asprintf(&text, "nothing (the last step)");
    else
        length = asprintf(&text, "%s %.4f (epoch %d of %d) on %s", recipe->monitor,
                          train_monitor_value(epoch, recipe->monitor), epoch->epoch + 1,
                          recipe->epochs, adapter->record->val_words);
    c_locale_end(before);
    return length < 0 ? NULL : text;
}

static void file_of(const TrainRunAdapter *adapter, TrainRunRole role, char out[48])
{
    if (role == TRAIN_RUN_KEPT)
        snprintf(out, 48, "epoch-%03d.safetensors", adapter->epoch->epoch + 1);
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
    snprintf(epoch, sizeof epoch, "%d", adapter->epoch->epoch + 1);
    snprintf(seed, sizeof seed, "%" PRIu64, adapter->recipe->seed);
    metrics_text(adapter->epoch, adapter->recipe->monitor, metrics, sizeof metrics);
    char *recipe = train_recipe_identity(adapter->recipe), *selected = selection(adapter, role);
    Status status = STATUS_OK;
    if (!recipe || !selected)
        status = mem_full(0, path, error);
    const TrainRecord *record = adapter->record;
    const SafeTensorsMetadata metadata[] = {
        {"recipe", recipe},
        {"seed", seed},
        {"steps", steps},
        {"epoch", epoch},
        {"metrics", metrics},
        {"selected_on", selected},
        {"train_list", record->train},
        {"val_list", record->val},
        {"decoders", record->decoders},
        {"record", record->json},
    };
    if (status == STATUS_OK)
        status = vit_adapter_write(adapter->vit, adapter->head, adapter->tuned, path, metadata,
                                   COUNT_OF(metadata), error);
    free(selected);
    free(recipe);
    return status;
}

/* The number of epochs that are better than `epoch`. */
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
        snprintf(name, sizeof name, "epoch-%03d.safetensors", epoch + 1);
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
