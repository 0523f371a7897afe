/*
 * eval_files.h - the files that hold the result of an evaluation (docs/formats.md).
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_FILES_H
#define LNCLIP_TRAIN_EVAL_EVAL_FILES_H

#include "train/eval/eval_result.h"

#include <jansson.h>

/*
 * Writes predictions.csv, metrics.json, summary.json, evaluation.json, and with perturbations
 * robustness.json and robustness.csv into `folder`: all beside their targets first, so that a full
 * disk is met before any earlier result is replaced. Removes the robustness of an earlier
 * evaluation.
 */
Status eval_result_write(const EvalResult *result, const char *folder, Error *error);

/*
 * What eval_result_write, or eval_comparisons_write, left in `folder` earlier: whether there is
 * any, and without it. For an evaluation that writes others there, so that no files of two
 * evaluations stand side by side.
 */
bool eval_result_is_in(const char *folder);
bool eval_comparisons_are_in(const char *folder);
Status eval_result_remove(const char *folder, Error *error);
Status eval_comparisons_remove(const char *folder, Error *error);

/* Whether an evaluation has a file of that name, so that no adapter's folder can have it. */
bool eval_is_file_name(const char *name);

/* The object of metrics.json. The caller owns the reference; NULL without memory. */
json_t *eval_metrics_json(const EvalResult *result);

/*
 * {"first": NAME, "others": {NAME: comparisons as in metrics_comparisons_json, a = other, b =
 * first}}, of comparisons [count] with one first. The caller owns the reference; NULL without
 * memory.
 */
json_t *eval_comparisons_json(const EvalComparison *comparisons, int count);

/* Writes comparison.json into `folder`. */
Status eval_comparisons_write(const EvalComparison *comparisons, int count, const char *folder,
                              Error *error);

#endif
