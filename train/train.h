/*
 * train.h - a training run; train.c reads from top to bottom.
 */
#ifndef LNCLIP_TRAIN_TRAIN_H
#define LNCLIP_TRAIN_TRAIN_H

#include "train/recipe.h"
#include "train/stepper.h"
#include "train/validate.h"

/* For a progress line. */
typedef struct TrainProgress {
    const char *phase; /* "train", "validate", "cache features" */
    int epoch, epochs;
    int64_t step, total_steps; /* steps done; in other phases: images done and to do */
    double lr, seconds_left, images_per_second;
    TrainLosses losses;
    size_t peak_bytes; /* resident set size at its largest */
} TrainProgress;

/* Lists as the user named them, for the record of the run; {0} if they have no names. */
typedef struct TrainListNames {
    const char *const *paths; /* [count], borrowed */
    int count;
} TrainListNames;

typedef enum TrainEventKind {
    TRAIN_PLANNED,   /* before the first step: plan */
    TRAIN_STEP_PART, /* after each micro-batch: images `done` of `total` that pass in step `step` */
    TRAIN_STEP_DONE, /* after every step: progress */
    TRAIN_SCORING,   /* while images are scored or their features cached: progress */
    TRAIN_EPOCH_DONE, /* after an epoch is saved: epoch */
    TRAIN_NOTICE,     /* text */
    TRAIN_WARNING,    /* text */
} TrainEventKind;

/* What a run reports; pointers are valid during the call, fields of other kinds are 0. */
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
    const DataList *train; /* as they are to be used: recipe->frames is applied by the caller */
    const DataList *val;   /* NULL: no validation; best = last */
    bool lists_checked;    /* the caller has checked the lists (list_checks.h): not checked again */
    TrainListNames train_names, val_names;
    const char *folder; /* of the run; NULL: nothing is written (demo, tests) */
    bool resume, dry_run;
    Threads *threads;
    volatile sig_atomic_t *stop;                           /* may be NULL */
    void (*event)(void *context, const TrainEvent *event); /* may be NULL */
    void *context;
} TrainJob;

typedef struct TrainResult {
    int64_t steps, steps_done;    /* of the whole run, and completed (earlier sessions included) */
    bool stopped_early;           /* by early_stopping */
    TrainEpoch best, last;        /* everything undefined before the first epoch is closed */
    double seconds;               /* of this session */
    double forecast_seconds;      /* dry_run: of the whole run */
    double forecast_step_seconds; /* dry_run: of one step */
} TrainResult;

/*
 * Runs (or resumes) a job to its end. The values in job->tuned are the last ones afterwards, with
 * `ema` their average, as in last.safetensors; the best are in best.safetensors.
 *
 * STATUS_INTERRUPTED after a clean stop: the last completed step is saved. STATUS_FAILED for a
 * training or validation list with one class, a list too short for one step, training that diverges
 * (a loss, gradient, parameter or validation score that is not finite: step, epoch and rate are
 * named, and the state saved before stays), a folder that holds a run while resume is off, a
 * changed list, recipe or model on resume, and any file that cannot be read or written. *result is
 * filled in every case.
 *
 * With resume: continues from the last saved step (from 0, with a notice, if none was saved) to the
 * same bits in all tensors and in every column but images_per_second and seconds as a run that was
 * never interrupted.
 *
 * With dry_run: plans, measures a few micro-batches, forecasts the time of the whole run, and
 * writes nothing.
 */
Status train_run(const TrainJob *job, TrainResult *result, Error *error);

#endif
