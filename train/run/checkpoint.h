/*
 * checkpoint.h - the saved state of a run (state.safetensors) and its adapters: the last, the best,
 * and those of the best epochs (key `keep`).
 *
 * The files do not depend on time, threads, workers, memory or micro_batch: two runs of one recipe
 * write identical bytes. Each is written to a temporary file, synced and renamed, so that a crash
 * or a full disk leaves the previous file unchanged.
 *
 * Tests: tests/test_train_resume.c.
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
    int epoch;       /* current epoch, from 0; rows and adapters of all earlier ones are written */
    double loss_sum; /* sum of the losses of this epoch's steps */
    int64_t loss_steps;
    int since_best; /* completed epochs since the best one */
    bool has_best;
    TrainEpoch best, last; /* best and last completed epoch; `seconds` is not saved */
} TrainState;

/* The state before the first step. */
TrainState train_state_empty(void);

/*
 * Writes state, parameter values with their names, optimizer state and average (if any) to `path`,
 * atomically. STATUS_FAILED if the file cannot be written or memory runs out.
 */
Status train_state_write(const TrainState *state, const VitTuned *tuned,
                         const TrainOptimizer *optimizer, const TrainEma *ema,
                         const TrainRecord *record, const char *path, Error *error);

/*
 * Reads the file of train_state_write. STATUS_FAILED if it is damaged, or was written by an older
 * version or for another base model, recipe, list or set of trainable parameters; *state,
 * tuned->values, *optimizer and *ema are unchanged then. *decoders_differ: the image decoders have
 * changed since.
 */
Status train_state_read(TrainState *state, VitTuned *tuned, TrainOptimizer *optimizer,
                        TrainEma *ema, const TrainRecord *record, const char *path,
                        bool *decoders_differ, Error *error);

/* The role of an adapter in a run; it determines file name and selection. */
typedef enum TrainRunRole {
    TRAIN_RUN_LAST, /* last.safetensors */
    TRAIN_RUN_BEST, /* best.safetensors */
    TRAIN_RUN_KEPT  /* epoch-NNN.safetensors of the epoch just completed */
} TrainRunRole;

typedef struct TrainRunAdapter {
    const Vit *vit;
    const VitHead *head;
    const VitTuned *tuned;
    const TrainRecipe *recipe;
    const TrainRecord *record;
    int64_t steps;           /* completed steps */
    const TrainEpoch *epoch; /* last completed epoch; its metrics are stored in the adapter */
} TrainRunAdapter;

/* Writes the adapter of this role into `folder`, atomically. */
Status train_run_adapter_write(const TrainRunAdapter *adapter, const char *folder,
                               TrainRunRole role, Error *error);

/*
 * Keeps the adapters of the recipe->keep best epochs by `values` [epochs], the monitor of all
 * completed epochs: writes folder/epoch-NNN.safetensors (NNN from 1) for the last epoch if it is
 * among them, and removes the others. Of equal values the earlier epoch is better.
 */
Status train_run_adapters_keep(const TrainRunAdapter *adapter, const char *folder,
                               const double *values, int epochs, Error *error);

#endif
