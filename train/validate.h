/*
 * validate.h - the record of one epoch: losses and validation metrics.
 *
 * Tests: tests/test_evaluate.c.
 */
#ifndef LNCLIP_TRAIN_VALIDATE_H
#define LNCLIP_TRAIN_VALIDATE_H

#include "data/lists/list.h"
#include "train/metrics/metrics.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One row of epochs.csv. Undefined values are NaN, including all val_* of a run without validation.
 *
 * val_loss is the mean cross-entropy of the validation frames, without label smoothing, slerp or
 * the other losses, which are defined on training batches only.
 */
typedef struct TrainEpoch {
    int epoch;         /* from 0; from 1 in files and messages */
    int64_t step;      /* completed steps at the end of the epoch */
    double lr;         /* learning rate of the last step */
    double train_loss; /* mean loss of the steps */
    double val_loss, seconds;
    Metrics frame, video;
    bool best;
} TrainEpoch;

/* All values undefined, counts 0. */
TrainEpoch train_epoch_empty(void);

/*
 * Fills val_loss, frame and video from probabilities [count,2], margins [count] and cross_entropy
 * [count] of the list's frames. The metrics equal those computed from a predictions.csv of the same
 * scores: p_fake as %.9g, video means in double, in file order. STATUS_FAILED if out of memory.
 */
Status train_validation_metrics(const DataList *list, const float *probabilities,
                                const float *margins, const float *cross_entropy, TrainEpoch *epoch,
                                Error *error);

/* The value of monitor `name` (train_monitor_parse), such as val_map_video. */
double train_monitor_value(const TrainEpoch *epoch, const char *name);

/*
 * True if `value` is better than `best` for monitor `name`. NaN is worse than any other value.
 */
bool train_monitor_better(const char *name, double value, double best);

#endif
