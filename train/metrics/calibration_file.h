/*
 * calibration_file.h - a calibration in the metadata of an adapter, and applied to a head.
 */
#ifndef LNCLIP_TRAIN_METRICS_CALIBRATION_FILE_H
#define LNCLIP_TRAIN_METRICS_CALIBRATION_FILE_H

#include "train/metrics/calibration.h"
#include "vit/head.h"

/*
 * Reads "temperature", "threshold_fpr", "threshold_frame", "threshold_video" and "calibrated_on" from the
 * metadata of the adapter `path`. STATUS_FAILED if it holds no calibration, half of one, or numbers that make
 * no sense. Thread-safe.
 */
Status metrics_calibration_read(const char *path, MetricsCalibration *calibration, Error *error);

/*
 * Writes the adapter `path` once more as `out`: the same tensors and metadata, with this calibration in place
 * of any it held, and the kind of head that it was made with, which `path` need not say. `out` may be `path`. Atomic; the bytes depend on the arguments alone.
 */
Status metrics_calibration_write(const char *path, const char *out, VitHeadKind kind,
                                 const MetricsCalibration *calibration, Error *error);

/* Divides the logits of `head` by the temperature from now on: its weight and bias. */
void metrics_calibration_apply(VitHead *head, const MetricsCalibration *calibration);

#endif
