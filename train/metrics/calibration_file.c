/*
 * calibration_file.c - see calibration_file.h.
 */
#include "train/metrics/calibration_file.h"

#include "tensor/base/number.h"
#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS = 5 };
static const char *const keys[KEYS] = {"temperature", "threshold_fpr", "threshold_frame",
                                       "threshold_video", "calibrated_on"};

static bool is_key(const char *key)
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* The number in the metadata, within [minimum, maximum]. */
static Status read_number(const SafeTensors *file, const char *key, double minimum, double maximum,
                          double *value, Error *error)
{
    const char *const text = safetensors_metadata(file, key);
    if (text && number_parse(text, strlen(text), value) && *value >= minimum && *value <= maximum)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: metadata \"%s\" is %.64s, no number from %g to %g; calibrate the adapter "
                     "anew (lnclip calibrate)",
                     safetensors_path(file), key, text ? text : "missing", minimum, maximum);
}

static Status read_all(const SafeTensors *file, MetricsCalibration *calibration, Error *error)
{
    if (!safetensors_metadata(file, keys[0]))
        return error_set(error, STATUS_FAILED,
                         "%s: holds no calibration; make one with lnclip calibrate, or leave out "
                         "--calibrated",
                         safetensors_path(file));
    TRY(read_number(file, keys[0], METRICS_TEMPERATURE_LEAST, METRICS_TEMPERATURE_MOST,
                    &calibration->temperature, error));
    TRY(read_number(file, keys[1], 0, 1, &calibration->fpr, error));
    TRY(read_number(file, keys[2], 0, 1, &calibration->threshold_frame, error));
    TRY(read_number(file, keys[3], 0, 1, &calibration->threshold_video, error));
    const char *const on = safetensors_metadata(file, keys[4]);
    snprintf(calibration->on, sizeof calibration->on, "%s", on ? on : "unknown");
    return STATUS_OK;
}

Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const Status status = read_all(file, calibration, error);
    safetensors_close(file);
    return status;
}

Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const MetricsCalibration *calibration, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, path, error));
    const int count = safetensors_count(file), old = safetensors_metadata_count(file);
    SafeTensor *const tensors = calloc((size_t)count + 1, sizeof *tensors);
    SafeTensorsMetadata *const metadata = calloc((size_t)old + KEYS + 1, sizeof *metadata);
    char numbers[KEYS - 1][NUMBER_SIZE];
    const double values[KEYS - 1] = {calibration->temperature, calibration->fpr,
                                     calibration->threshold_frame, calibration->threshold_video};
    Status status = STATUS_OK;
    if (!tensors || !metadata)
        status =
            error_set(error, STATUS_FAILED, "%s: no memory to write it; close other programs", out);
    if (status == STATUS_OK) {
        int used = 0;
        for (int i = 0; i < count; i++)
            tensors[i] = *safetensors_at(file, i);
        for (int i = 0; i < old; i++) {
            const char *const key = safetensors_metadata_key(file, i);
            if (!is_key(key) && strcmp(key, "head") != 0)
                metadata[used++] = (SafeTensorsMetadata){key, safetensors_metadata(file, key)};
        }
        for (int i = 0; i < KEYS - 1; i++) {
            number_format(numbers[i], values[i]);
            metadata[used++] = (SafeTensorsMetadata){keys[i], numbers[i]};
        }
        metadata[used++] = (SafeTensorsMetadata){keys[KEYS - 1], calibration->on};
        metadata[used++] = (SafeTensorsMetadata){"head", vit_head_kind_name(kind)};
        status = safetensors_write(out, tensors, count, metadata, used, error);
    }
    free(tensors);
    free(metadata);
    safetensors_close(file);
    return status;
}

void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration)
{
    Tensor *const tensors[] = {&head->weight, &head->bias};
    for (int t = 0; t < 2; t++) {
        float *const numbers = tensor_f32(tensors[t]);
        const size_t count = tensor_count(tensors[t]);
        for (size_t i = 0; i < count; i++)
            numbers[i] = (float)((double)numbers[i] / calibration->temperature);
    }
}
