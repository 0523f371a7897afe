/*
 * validate.h - one epoch's record: its losses, and what the model is worth on the validation
 * frames.
 */
#ifndef LNCLIP_TRAIN_VALIDATE_H
#define LNCLIP_TRAIN_VALIDATE_H

#include "data/lists/list.h"
#include "train/metrics/metrics.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One row of epochs.csv. Undefined values are NaN, as are all of validation in a run without it.
 *
 * val_loss is the mean over the validation frames of the cross-entropy alone, without label
 * smoothing, slerp or the metric losses: those are properties of a training batch, and a list has
 * no batches.
 */
typedef struct TrainEpoch {
    int epoch;         /* from 0 */
    int64_t step;      /* completed steps at its end */
    double lr;         /* of its last step */
    double train_loss; /* mean of its steps' losses */
    double val_loss, seconds;
    Metrics frame, video;
    bool best;
} TrainEpoch;

/* Everything undefined. */
TrainEpoch train_epoch_empty(void);

/*
 * Fills val_loss, frame and video from probabilities [count,2], margins [count] and cross_entropy
 * [count] of the list's frames. The metrics are those of a predictions.csv with the same numbers:
 * p_fake as %.9g, video means in double, in file order.
 */
Status train_validation_metrics(const DataList *list, const float *probabilities,
                                const float *margins, const float *cross_entropy, TrainEpoch *epoch,
                                Error *error);

/* The value of the monitor `name`, which train_monitor_parse takes: such as val_map_video. */
double train_monitor_value(const TrainEpoch *epoch, const char *name);

/*
 * True if `value` beats `best` in the direction of the monitor `name`. NaN never beats; anything
 * else beats NaN.
 */
bool train_monitor_better(const char *name, double value, double best);

#endif
