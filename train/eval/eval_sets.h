/*
 * eval_sets.h - the arguments of an evaluation: data sets, adapters, perturbations.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_SETS_H
#define LNCLIP_TRAIN_EVAL_EVAL_SETS_H

#include "data/augment/augment.h"
#include "train/eval/eval_result.h"

/*
 * Parses arguments [count] of the form NAME=LIST[,LIST...]; a comma separates only if no file has
 * the full name. The caller then reads EvalSet.lists into EvalSet.frames and calls
 * eval_sets_line_up. STATUS_USAGE for another form. Call eval_sets_free in every case.
 */
Status eval_sets_parse(EvalSets *sets, const char *const *arguments, int count, Error *error);

/* Makes one set `name` of lists [count], borrowed. Otherwise as eval_sets_parse. */
Status eval_sets_name(EvalSets *sets, const char *name, const char *const *lists, int count,
                      Error *error);

/* Assigns EvalSet.first and hash and the total count, after the frames have been read. */
void eval_sets_line_up(EvalSets *sets);
void eval_sets_free(EvalSets *sets);

typedef struct EvalAdapters {
    EvalAdapter *adapters; /* [count] at least one; without --adapter its path is NULL */
    int count;
    bool named;   /* given as NAME=FILE: each has its own folder */
    char **texts; /* [count] owned strings that names and paths point into */
} EvalAdapters;

/*
 * Parses the arguments of --adapter, one FILE or any number of NAME=FILE (an argument that exists
 * as a file is a FILE), and reads their metadata; with `calibrated` also their calibration. Without
 * arguments the metadata is read from `model`. STATUS_USAGE for several adapters without names, a
 * duplicate name or one that is not a valid folder name; STATUS_FAILED for a file that cannot be
 * read or is not calibrated. Call eval_adapters_free in every case.
 */
Status eval_adapters_read(EvalAdapters *adapters, const char *const *arguments, int count,
                          const char *model, bool calibrated, Error *error);
void eval_adapters_free(EvalAdapters *adapters);

/*
 * Parses the arguments of --perturb: KIND=STRENGTH[,STRENGTH...], or several joined by "+", which
 * means all combinations of their strengths. *perturbations [*count] is grouped by kind; the caller
 * calls free(). STATUS_USAGE for an invalid perturbation (data_augment_perturb), a duplicate, or
 * more than EVAL_PERTURBATIONS_MOST.
 */
Status eval_perturbations_parse(const char *const *arguments, int argument_count,
                                DataPerturbation **perturbations, int *count, Error *error);

enum { EVAL_PERTURBATIONS_MOST = 1000 };

#endif
