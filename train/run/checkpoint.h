/*
 * checkpoint.h - what a run saves: state.safetensors, from which it resumes with the same bits, and
 * its adapters: the last one, the best one, and those of the best epochs (`keep`).
 *
 * None of them depends on the time of day, threads, workers, memory or micro_batch: two runs of one
 * recipe leave the same bytes. Each is written beside its target, synced and renamed: a crash or a
 * full disk leaves the old file.
 */
#ifndef LNCLIP_TRAIN_RUN_CHECKPOINT_H
#define LNCLIP_TRAIN_RUN_CHECKPOINT_H

#include "train/ema.h"
#include "train/optimizer.h"
#include "train/run/run_record.h"
#include "train/validate.h"

/* The progress of a run. */
typedef struct TrainState {
    int64_t step;    /* completed steps */
    int epoch;       /* the present one: all before it are closed, their row and adapters written */
    double loss_sum; /* of the steps of this epoch */
    int64_t loss_steps;
    int since_best; /* closed epochs since the best one */
    bool has_best;
    TrainEpoch best, last; /* best and latest closed epoch; seconds are not kept */
} TrainState;

/* The state before the first step. */
TrainState train_state_empty(void);

/*
 * Writes all of it to `path`, with the names of the trainable parameters; the average too if there
 * is one.
 */
Status train_state_write(const TrainState *state, const VitTuned *tuned,
                         const TrainOptimizer *optimizer, const TrainEma *ema,
                         const TrainRecord *record, const char *path, Error *error);

/*
 * Reads it back into *state, tuned->values, *optimizer and *ema. STATUS_FAILED, leaving all of them
 * as they were, for a damaged file, another base model, recipe or lists, or another set of
 * trainable parameters. *decoders_differ is set if the images were decoded by other libraries then.
 */
Status train_state_read(TrainState *state, VitTuned *tuned, TrainOptimizer *optimizer,
                        TrainEma *ema, const TrainRecord *record, const char *path,
                        bool *decoders_differ, Error *error);

/* Which adapter of a run, and so the name of its file and how it was selected. */
typedef enum TrainRunRole {
    TRAIN_RUN_LAST, /* last.safetensors */
    TRAIN_RUN_BEST, /* best.safetensors */
    TRAIN_RUN_KEPT  /* epoch-NNN.safetensors, of the epoch just closed */
} TrainRunRole;

typedef struct TrainRunAdapter {
    const Vit *vit;
    const VitHead *head;
    const VitTuned *tuned;
    const TrainRecipe *recipe;
    const TrainRecord *record;
    int64_t steps;           /* completed when it is written */
    const TrainEpoch *epoch; /* the latest closed epoch: its metrics go with the adapter */
} TrainRunAdapter;

/* Writes the adapter of this role into `folder`, atomically. */
Status train_run_adapter_write(const TrainRunAdapter *adapter, const char *folder,
                               TrainRunRole role, Error *error);

/*
 * Writes folder/epoch-NNN.safetensors for the epoch just closed if it is among the recipe->keep
 * best of `values` [epochs], the monitor of all closed epochs, and removes those that no longer
 * are. Of equal values the earlier epoch is better.
 */
Status train_run_adapters_keep(const TrainRunAdapter *adapter, const char *folder,
                               const double *values, int epochs, Error *error);

#endif
