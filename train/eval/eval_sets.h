/*
 * eval_sets.h - the arguments of an evaluation: data sets, adapters, perturbations.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_SETS_H
#define LNCLIP_TRAIN_EVAL_EVAL_SETS_H

#include "data/augment/augment.h"
#include "train/eval/eval_result.h"

/*
 * Understands arguments [count] NAME=LIST[,LIST...] (a comma separates only if there is no file of
 * the whole name). STATUS_USAGE for another form. The frames of the sets are the caller's to read
 * (EvalSet.lists into EvalSet.frames), before eval_sets_line_up. *sets is the caller's to free
 * (eval_sets_free), also after a failure.
 */
Status eval_sets_parse(EvalSets *sets, const char *const *arguments, int count, Error *error);

/* One set of that name with lists [count], which are borrowed. Otherwise as eval_sets_parse. */
Status eval_sets_name(EvalSets *sets, const char *name, const char *const *lists, int count,
                      Error *error);

/* Puts the frames of all sets, which have been read, into one order, and hashes each set's. */
void eval_sets_line_up(EvalSets *sets);
void eval_sets_free(EvalSets *sets);

typedef struct EvalAdapters {
    EvalAdapter *adapters; /* [count] at least one: without --adapter one without a path */
    int count;
    bool named;   /* NAME=FILE: each has a folder of its own */
    char **texts; /* [count] copies that names and paths point into */
} EvalAdapters;

/*
 * Understands the arguments of --adapter: FILE, or NAME=FILE as often as wanted (whatever exists
 * under its whole name is a FILE), and reads what their metadata says; with `calibrated` also the
 * calibration of each. STATUS_USAGE for several without a name, a name twice or one that is no name
 * of a folder; STATUS_FAILED for a file that cannot be read or lacks the calibration. Without any
 * argument it is the file of `model` that says it. To be freed (eval_adapters_free) also after a
 * failure.
 */
Status eval_adapters_read(EvalAdapters *adapters, const char *const *arguments, int count,
                          const char *model, bool calibrated, Error *error);
void eval_adapters_free(EvalAdapters *adapters);

/*
 * Understands the arguments of --perturb, KIND=STRENGTH[,STRENGTH...], or several of these joined
 * by "+", which stands for every combination of their strengths: perturbations [*count], those of
 * one kind together, the caller's to free(). STATUS_USAGE for what data_augment_perturb refuses,
 * for one given twice, and for more than EVAL_PERTURBATIONS_MOST.
 */
Status eval_perturbations_parse(const char *const *arguments, int argument_count,
                                DataPerturbation **perturbations, int *count, Error *error);

enum { EVAL_PERTURBATIONS_MOST = 1000 };

#endif
