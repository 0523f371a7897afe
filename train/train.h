/*
 * train.h - one training run: epochs, validation, checkpoints, resume.
 *
 * Tests: tests/test_train.c.
 */
#ifndef LNCLIP_TRAIN_TRAIN_H
#define LNCLIP_TRAIN_TRAIN_H

#include "train/recipe.h"
#include "train/stepper.h"
#include "train/validate.h"

/* Contents of a progress line. */
typedef struct TrainProgress {
    const char *phase; /* "train", "validate", "cache features" */
    int epoch, epochs;
    int64_t step, total_steps; /* "train": completed steps and total; other phases: images */
    double part;               /* "train": completed fraction of the step after `step`, 0 to 1 */
    double lr;                 /* of the last completed step; NaN before the first and elsewhere */
    double seconds_left, images_per_second;
    TrainLosses losses; /* of the last completed step of this session; total is NaN before it */
    size_t peak_bytes;  /* largest resident set size so far */
} TrainProgress;

/* Paths of the lists as given by the user, for the record of the run; {0} without paths. */
typedef struct TrainListNames {
    const char *const *paths; /* [count], borrowed */
    int count;
} TrainListNames;

typedef enum TrainEventKind {
    TRAIN_PLANNED,    /* before the first step: plan */
    TRAIN_OPENED,     /* the folder of the run is open and locked, its state read */
    TRAIN_STEP_PART,  /* after each micro-batch of step `step`: `done` of `total` image passes;
                         progress */
    TRAIN_STEP_DONE,  /* after every step: progress */
    TRAIN_SCORING,    /* while images are scored or their features cached: progress */
    TRAIN_EPOCH_DONE, /* after an epoch is saved: epoch */
    TRAIN_NOTICE,     /* text */
    TRAIN_WARNING,    /* text */
} TrainEventKind;

/* One report of a run. Pointers are valid during the call; fields of other kinds are 0. */
typedef struct TrainEvent {
    TrainEventKind kind;
    const TrainPlan *plan;
    const TrainProgress *progress;
    const TrainEpoch *epoch;
    const char *text;
    int64_t step;
    int done, total;
} TrainEvent;

typedef struct TrainJob {
    Vit *vit;      /* borrowed; its LayerNorms train in place; packed here for recipe->precision */
    VitHead *head; /* borrowed */
    VitTuned *tuned; /* borrowed; made by vit_tune with recipe->tune */
    const TrainRecipe *recipe;
    const DataList *train; /* the caller has already applied recipe->frames and ->limit */
    const DataList *val;   /* NULL: no validation; best = last */
    bool lists_checked;    /* the caller has run list_checks.h; do not check again */
    TrainListNames train_names, val_names;
    const char *folder; /* folder of the run; NULL: write no files (demo, tests) */
    bool resume, dry_run;
    Threads *threads;
    volatile sig_atomic_t *stop;                           /* may be NULL */
    void (*event)(void *context, const TrainEvent *event); /* may be NULL */
    void *context;
} TrainJob;

typedef struct TrainResult {
    int64_t steps, steps_done;    /* total, and completed including earlier sessions */
    bool stopped_early;           /* early_stopping ended the run */
    TrainEpoch best, last;        /* train_epoch_empty() before the first epoch is complete */
    double seconds;               /* duration of this session */
    double forecast_seconds;      /* dry_run: expected duration of the whole run */
    double forecast_step_seconds; /* dry_run: expected duration of one step */
} TrainResult;

/*
 * Runs or resumes a job to its end. Afterwards job->tuned holds the parameters of last.safetensors
 * (the averaged ones if ema > 0); the best ones are in best.safetensors. Call it from one thread;
 * it uses job->threads and starts loader threads. *result is filled in every case.
 *
 * STATUS_INTERRUPTED after a clean stop: the last completed step is saved. STATUS_FAILED if
 *   - a list has one class only, or is too short for one step
 *   - training diverges: a loss, gradient, parameter or validation score is not finite. The message
 *     gives step, epoch and learning rate; the state saved before is kept
 *   - the folder holds a run and resume is off
 *   - a list, the recipe or the model has changed since the run to resume
 *   - a file cannot be read or written
 *
 * resume: continues from the last saved step, or from step 0 with a notice. All tensors and all
 * columns except images_per_second and seconds are bit-identical to those of an uninterrupted run.
 *
 * dry_run: plans the memory, measures a few micro-batches, forecasts the duration of the whole run
 * and writes nothing.
 */
Status train_run(const TrainJob *job, TrainResult *result, Error *error);

#endif
