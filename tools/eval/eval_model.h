/*
 * eval_model.h - an evaluation with lists and a model of the command line: the library's scoring,
 * shown on the terminal.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_MODEL_H
#define LNCLIP_TOOLS_EVAL_EVAL_MODEL_H

#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_model.h"
#include "train/eval/eval_scores.h"
#include "train/eval/eval_sets.h"

/*
 * Reads the lists of all sets; `frames` says what is kept of each set, `labels` are the values of
 * --label. STATUS_FAILED for lists that cannot be read, otherwise as cli_read_sets.
 */
Status eval_read_lists(EvalSets *sets, const CliFrames *frames, const CliStrings *labels,
                       Error *error);

/*
 * Loads the model of `options` with `adapter` and scores scoring->sets, with progress, notes and
 * warnings; of *scoring only sets, perturbations and seed are read. Nothing is written before the
 * model is known to be good. Otherwise as eval_score.
 */
Status eval_score_model(const EvalScoring *scoring, const CliModelOptions *options,
                        const CliArguments *arguments, const EvalAdapter *adapter,
                        const char *folder, EvalScores *scores, EvalProvenance *provenance,
                        Error *error);

#endif
