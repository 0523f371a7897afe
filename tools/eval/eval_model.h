/*
 * eval_model.h - evaluation of command-line models and lists: the library's scoring with messages
 * and progress.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_MODEL_H
#define LNCLIP_TOOLS_EVAL_EVAL_MODEL_H

#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_model.h"
#include "train/eval/eval_scores.h"
#include "train/eval/eval_sets.h"

/*
 * Reads the lists of all sets (of tables with splits the rows of `split`), keeping the selected
 * `frames` of each; `labels` are the values of --label. Fails as cli_read_sets.
 */
Status eval_read_lists(EvalSets *sets, DataSplit split, const CliFrames *frames,
                       const CliStrings *labels, Error *error);

/*
 * Loads the model of `options` with `adapter` and scores scoring->sets, printing progress, notes
 * and warnings. Uses only sets, perturbations and seed of *scoring. Writes nothing before the model
 * is loaded. Refuses a folder with an evaluation of another model unless `overwrite`. Otherwise as
 * eval_score.
 */
Status eval_score_model(const EvalScoring *scoring, const CliModelOptions *options,
                        const CliArguments *arguments, const EvalAdapter *adapter,
                        const char *folder, bool overwrite, EvalScores *scores,
                        EvalProvenance *provenance, Error *error);

#endif
