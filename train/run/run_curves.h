/*
 * run_curves.h - curves.svg in the folder of a run: loss over the steps, validation over the epochs.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_CURVES_H
#define LNCLIP_TRAIN_RUN_RUN_CURVES_H

#include "train/run/run_files.h"

/*
 * Draws the rows of steps.csv and epochs.csv; the second chart and the validation loss only with `validated`. Many
 * steps are drawn as means of equal stretches, with a band from the least to the largest loss of each. Atomic;
 * the same rows give the same bytes.
 */
Status train_run_curves_write(const TrainRunFiles *files, bool validated, Error *error);

#endif
