/*
 * run_private.h - a training run under way; private to train/: train.c tells its story, run_setup.c what comes before the
 * first step.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_PRIVATE_H
#define LNCLIP_TRAIN_RUN_RUN_PRIVATE_H

#include "train/batches.h"
#include "train/evaluate.h"
#include "train/feature_cache.h"
#include "train/run/checkpoint.h"
#include "train/run/run_files.h"
#include "train/run/run_record.h"
#include "train/sam.h"
#include "train/train.h"

typedef struct TrainRun {
    const TrainJob *job;
    TrainOrigin origin;
    int places;                     /* images of an epoch */
    int64_t steps_per_epoch, steps; /* T: of the whole run */
    TrainOptimizer optimizer;
    TrainSam sam;
    TrainEma ema;
    TrainRunRecord record;
    TrainStepper *stepper;
    TrainRunFiles files;
    TrainState state;

    DataLoaderSettings loading;
    bool cached; /* the encoder is frozen and nothing changes the images: features are ready */
    TrainFeatureCache cache;
    TrainBatches batches;

    double epoch_started;      /* seconds of train_clock */
    double step_seconds;       /* spent in the steps of this session */
    double validation_seconds; /* of the last validation */
    int64_t first_step;        /* of this session */
    const char *phase;         /* for the progress of scoring */
    int ascents;               /* gradients of this step that are done: SAM needs two */
    int64_t saved_step;        /* of the state on the disk; 0 = none */
    bool diverged; /* the weights in memory are useless: what is on the disk must stay */
    bool torn; /* between a change and its row or file: what is in memory must not be saved now */
} TrainRun;

/*
 * Checks recipe and lists, counts the steps, plans the memory and allocates all that a step needs. Writes
 * nothing and reads no image. `run` holds the job and an empty state; on failure what was made stays in it,
 * for train_run.
 */
Status train_run_prepare(TrainRun *run, Error *error);

/* Measures a few micro-batches of the first batch and forecasts the whole run. */
Status train_run_forecast(TrainRun *run, TrainResult *result, Error *error);

/* Opens the folder, takes up a saved state, and opens what batches come from. */
Status train_run_open(TrainRun *run, Error *error);

/* How frames are scored in `phase` of this run. */
TrainScoring train_run_scoring(TrainRun *run, const char *phase);

/* Epochs that the run is to have. */
int train_run_epochs(const TrainRun *run);

#endif
