/*
 * train.h - the training run: the story of the whole project, told in train.c from top to bottom.
 */
#ifndef LNCLIP_TRAIN_TRAIN_H
#define LNCLIP_TRAIN_TRAIN_H

#include "train/metrics.h"
#include "train/stepper.h"

/* Told after every step, and during validation: for a progress line. */
typedef struct TrainProgress {
    const char *phase; /* "train", "validate", "cache features" */
    int epoch, epochs;
    int64_t step, total_steps; /* steps done; in other phases: images done and to do */
    double lr, seconds_left, images_per_second;
    TrainLosses losses;
    size_t peak_bytes; /* resident set size at its largest */
} TrainProgress;

/* One row of epochs.csv. Undefined values are NaN. */
typedef struct TrainEpoch {
    int epoch;
    int64_t step;
    double lr, train_loss, val_loss, seconds;
    TrainMetrics frame, video;
    bool best;
} TrainEpoch;

typedef struct TrainJob {
    Vit *vit;               /* borrowed; its LayerNorms train in place */
    VitHead *head;          /* borrowed */
    VitTuned *tuned;        /* borrowed */
    const TrainRecipe *recipe;
    const DataList *train;
    const DataList *val;    /* NULL: no validation; best = last */
    const char *folder;     /* of the run; NULL: nothing is written (demo, tests) */
    bool resume, dry_run;
    Threads *threads;
    volatile sig_atomic_t *stop;                                       /* may be NULL */
    void (*progress)(void *context, const TrainProgress *progress);    /* may be NULL */
    void (*epoch_done)(void *context, const TrainEpoch *epoch);        /* may be NULL */
    void (*planned)(void *context, const TrainPlan *plan);             /* may be NULL */
    void (*notice)(void *context, const char *text);                   /* may be NULL */
    void *context;
} TrainJob;

typedef struct TrainResult {
    int64_t steps, steps_done;
    TrainEpoch best, last;
    double seconds;
    double forecast_seconds; /* dry_run: of the whole run */
} TrainResult;

/*
 * Runs (or resumes) a job to its end. The values in job->tuned are the last ones afterwards; the best
 * are in best.safetensors. STATUS_INTERRUPTED after a clean stop (the last completed step is saved), STATUS_FAILED
 * for a non-finite loss (step and files named, last good state saved), a folder that holds a run and
 * resume is off, a changed list or recipe on resume, or any file that cannot be written.
 */
Status train_run(const TrainJob *job, TrainResult *result, Error *error);

#endif
