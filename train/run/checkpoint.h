/*
 * checkpoint.h - state.safetensors: all that a run needs to go on to the same bits.
 *
 * It holds no wall-clock time and nothing that depends on threads, workers or memory, so two runs
 * of the same recipe leave the same file. Written beside, synced, renamed: a crash or a full disk
 * leaves the old one.
 */
#ifndef LNCLIP_TRAIN_RUN_CHECKPOINT_H
#define LNCLIP_TRAIN_RUN_CHECKPOINT_H

#include "train/ema.h"
#include "train/optimizer.h"
#include "train/run/origin.h"
#include "train/validate.h"

/* Where a run stands. */
typedef struct TrainState {
    int64_t step;    /* completed steps */
    int epoch;       /* under way: all before it are closed, their row and adapters written */
    double loss_sum; /* of the steps of this epoch */
    int64_t loss_steps;
    int since_best; /* closed epochs since the best one */
    bool has_best;
    TrainEpoch best, last; /* best and latest closed epoch; seconds are not kept */
} TrainState;

/* The state before the first step. */
TrainState train_state_empty(void);

/* Writes all of it to `path`, with the names of what trains; the average too if there is one. */
Status train_state_write(const TrainState *state, const VitTuned *tuned,
                         const TrainOptimizer *optimizer, const TrainEma *ema,
                         const TrainOrigin *origin, const char *path, Error *error);

/*
 * Reads it back into *state, tuned->values, *optimizer and *ema. STATUS_FAILED, leaving all of them as
 * they were, for a damaged file, another base model, recipe or lists, or another set of what trains.
 * *decoders_differ tells that the images were decoded by other libraries then.
 */
Status train_state_read(TrainState *state, VitTuned *tuned, TrainOptimizer *optimizer,
                        TrainEma *ema, const TrainOrigin *origin, const char *path,
                        bool *decoders_differ, Error *error);

#endif
