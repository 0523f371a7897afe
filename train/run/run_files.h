/*
 * run_files.h - the readable files of a run: recipe.txt, steps.csv, epochs.csv, curves.svg, and
 * with log.tensorboard an event file. See docs/formats.md.
 *
 * Each row is flushed when written, and the checkpoint is written after the rows. On resume the
 * files therefore have at least the rows that the checkpoint counts; newer or incomplete rows are
 * removed.
 *
 * Tests: tests/test_train_resume.c.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_FILES_H
#define LNCLIP_TRAIN_RUN_RUN_FILES_H

#include "tensor/base/file.h"
#include "train/recipe.h"
#include "train/validate.h"

#include <dirent.h>

typedef struct TrainRunFiles {
    FILE *steps, *epochs;    /* NULL if no files are written */
    FILE *events;            /* NULL without log.tensorboard */
    DIR *lock;               /* the folder, locked against other processes; NULL if no files */
    bool unlocked;           /* the file system does not support locks */
    char monitor[48];        /* extra last column of epochs.csv; "" = a standard column */
    char epochs_header[256]; /* header line of epochs.csv */
    char folder[FILE_PATH_SIZE];
} TrainRunFiles;

/* One row of steps.csv. */
typedef struct TrainStepRow {
    int64_t step;
    int epoch; /* from 0; from 1 in the file */
    double lr;
    TrainLosses losses;
    double grad_norm, images_per_second;
} TrainStepRow;

/* STATUS_FAILED if `folder` contains a file of an earlier run. */
Status train_run_check_new(const char *folder, Error *error);

/*
 * Creates the files of a new run in `folder`, and the folder if necessary. STATUS_FAILED as for
 * train_run_check_new, or if a file cannot be created. Close with train_run_files_close.
 */
Status train_run_files_create(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              Error *error);

/*
 * Reopens the files of a run with `steps` completed steps and `epochs` completed epochs. Removes
 * newer rows and rewrites recipe.txt (threads, workers, memory, micro_batch and log.tensorboard may
 * have changed). STATUS_FAILED if an older row is missing or another process uses the folder.
 */
Status train_run_files_resume(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              int64_t steps, int epochs, Error *error);

/*
 * Compares recipe.txt in the folder, if present, with `recipe`; fails as train_recipe_same, or if
 * the file cannot be read.
 */
Status train_run_files_check_recipe(const char *folder, const TrainRecipe *recipe, Error *error);

/*
 * Append a row to steps.csv or epochs.csv, in which epochs count from 1. STATUS_FAILED if it cannot
 * be written (disk full).
 */
Status train_run_files_step(TrainRunFiles *files, const TrainStepRow *row, Error *error);
Status train_run_files_epoch(TrainRunFiles *files, const TrainEpoch *row, Error *error);

typedef enum TrainRunTable { TRAIN_RUN_STEPS, TRAIN_RUN_EPOCHS } TrainRunTable;

/*
 * Names the files of the run in `folder`, whose recipe has this monitor, for
 * train_run_files_column. Opens nothing: no train_run_files_close. STATUS_FAILED if the path is too
 * long.
 */
Status train_run_files_name(TrainRunFiles *files, const char *folder, const char *monitor,
                            Error *error);

/*
 * Reads column `name` of steps.csv or epochs.csv into *values [*count], NaN where a row lacks it;
 * the caller calls free(). Asserts that the column exists.
 */
Status train_run_files_column(const TrainRunFiles *files, TrainRunTable table, const char *name,
                              double **values, int *count, Error *error);

/*
 * Draws curves.svg from steps.csv and epochs.csv, under the name of the folder: loss by step, with
 * a smoothed line, and, if `validated`, validation loss and metrics by epoch. The best epoch is
 * marked, and the legend has the last values. A long run is drawn as means of equal chunks of
 * steps, with a band from the minimum to the maximum of each. Written atomically; equal rows in a
 * folder of the same name give identical bytes.
 */
Status train_run_curves_write(const TrainRunFiles *files, bool validated, Error *error);

/* Syncs all rows to disk. Call before writing a checkpoint. STATUS_FAILED if the disk is full. */
Status train_run_files_sync(TrainRunFiles *files, Error *error);

/* {0} is allowed. */
void train_run_files_close(TrainRunFiles *files);

#endif
