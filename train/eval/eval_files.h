/*
 * eval_files.h - the files that hold the result of an evaluation (docs/formats.md).
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_FILES_H
#define LNCLIP_TRAIN_EVAL_EVAL_FILES_H

#include "tensor/base/file.h"
#include "train/eval/eval_result.h"

#include <jansson.h>

/*
 * Writes predictions.csv, metrics.json, summary.json, evaluation.json, and with perturbations
 * robustness.json and robustness.csv into `folder`. All are written to temporary files first, so
 * that a full disk does not destroy an earlier result. Without perturbations, removes the
 * robustness files of an earlier evaluation. STATUS_FAILED if a file cannot be written.
 */
Status eval_result_write(const EvalResult *result, const char *folder, Error *error);

/*
 * Files of an earlier eval_result_write or eval_comparisons_write in `folder`: test for them, or
 * remove them, so that a folder never mixes files of two evaluations.
 */
bool eval_result_is_in(const char *folder);
bool eval_comparisons_are_in(const char *folder);
Status eval_result_remove(const char *folder, Error *error);
Status eval_comparisons_remove(const char *folder, Error *error);

/* The model and adapter of an evaluation in a folder, from its evaluation.json. */
typedef struct EvalOrigin {
    bool found;                       /* there is an evaluation */
    char fingerprint[HASH_TEXT_SIZE]; /* EvalProvenance.fingerprint; "" if it cannot be read */
    char adapter[HASH_TEXT_SIZE];     /* EvalAdapter.hash; "" without adapter */
    char path[FILE_PATH_SIZE];        /* of the adapter; "the model's own head" without one */
} EvalOrigin;
void eval_origin_read(const char *folder, EvalOrigin *origin);

/* True if an evaluation writes a file of this name; an adapter's folder must not have it. */
bool eval_is_file_name(const char *name);

/* The object of metrics.json. The caller owns the reference; NULL if out of memory. */
json_t *eval_metrics_json(const EvalResult *result);

/*
 * {"first": NAME, "others": {NAME: metrics_comparisons_json with a = other, b = first}} of
 * comparisons [count], which all have the same first result. The caller owns the reference; NULL if
 * out of memory.
 */
json_t *eval_comparisons_json(const EvalComparison *comparisons, int count);

/* Writes comparison.json into `folder`. STATUS_FAILED if it cannot be written. */
Status eval_comparisons_write(const EvalComparison *comparisons, int count, const char *folder,
                              Error *error);

#endif
