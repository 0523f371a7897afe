/*
 * run_files.h - the readable files of a run: recipe.txt, steps.csv, epochs.csv, curves.svg, and
 * with log.tensorboard an event file. See docs/formats.md.
 *
 * Rows are appended and handed to the system at once; the checkpoint is written after them. So on
 * resume the files hold at least the rows the checkpoint knows, and what is newer (also a row cut
 * off in the middle) is removed.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_FILES_H
#define LNCLIP_TRAIN_RUN_RUN_FILES_H

#include "tensor/base/file.h"
#include "train/recipe.h"
#include "train/validate.h"

#include <dirent.h>

typedef struct TrainRunFiles {
    FILE *steps, *epochs;    /* NULL when nothing is written */
    FILE *events;            /* NULL also without log.tensorboard */
    DIR *lock;               /* the folder, locked against a second process; NULL likewise */
    bool unlocked;           /* the file system has no locks */
    char monitor[48];        /* the last column of epochs.csv; "" if it has one in any case */
    char epochs_header[256]; /* line of epochs.csv */
    char folder[FILE_PATH_SIZE];
} TrainRunFiles;

/* One row of steps.csv. */
typedef struct TrainStepRow {
    int64_t step;
    int epoch;
    double lr;
    TrainLosses losses;
    double grad_norm, images_per_second;
} TrainStepRow;

/* STATUS_FAILED if `folder` holds any file of a run: a new run needs a folder of its own. */
Status train_run_check_new(const char *folder, Error *error);

/*
 * Starts the files of a new run in `folder`, which is made if need be. STATUS_FAILED as
 * train_run_check_new. Close with train_run_files_close.
 */
Status train_run_files_create(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              Error *error);

/*
 * Reopens the files of a run that has completed `steps` steps and `epochs` epochs: newer rows are
 * cut, recipe.txt is written again (threads, workers, memory, micro_batch and log.tensorboard may
 * differ). STATUS_FAILED for a file that lacks an older row, or if another process holds the run.
 */
Status train_run_files_resume(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              int64_t steps, int epochs, Error *error);

/*
 * STATUS_FAILED if the recipe in the folder, if there is one, differs from `recipe`
 * (train_recipe_same).
 */
Status train_run_files_check_recipe(const char *folder, const TrainRecipe *recipe, Error *error);

/* Appends a row. STATUS_FAILED if it cannot be written (a full disk). */
Status train_run_files_step(TrainRunFiles *files, const TrainStepRow *row, Error *error);
Status train_run_files_epoch(TrainRunFiles *files, const TrainEpoch *row, Error *error);

typedef enum TrainRunTable { TRAIN_RUN_STEPS, TRAIN_RUN_EPOCHS } TrainRunTable;

/*
 * The column `name` of all rows of steps.csv or epochs.csv: *values [*count], owned by the caller;
 * free(). Asserts that there is such a column.
 */
Status train_run_files_column(const TrainRunFiles *files, TrainRunTable table, const char *name,
                              double **values, int *count, Error *error);

/*
 * Draws curves.svg from the rows of steps.csv and epochs.csv: loss over the steps, validation over
 * the epochs. The second chart and the validation loss only with `validated`. Many steps are drawn
 * as means of chunks of equal length, with a band from the least to the largest loss of each.
 * Atomic; the same rows give the same bytes.
 */
Status train_run_curves_write(const TrainRunFiles *files, bool validated, Error *error);

/* Waits until all rows are on the disk: before a checkpoint counts on them. */
Status train_run_files_sync(TrainRunFiles *files, Error *error);

/* {0} is allowed. */
void train_run_files_close(TrainRunFiles *files);

#endif
