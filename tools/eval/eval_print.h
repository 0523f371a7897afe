/*
 * eval_print.h - prints evaluations on stdout.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_PRINT_H
#define LNCLIP_TOOLS_EVAL_EVAL_PRINT_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_view.h"
#include "train/eval/eval_result.h"

/*
 * Prints one evaluation: a row for frames and one for videos of each data set, then metrics at the
 * thresholds of a calibrated adapter, and AUROC by strength of perturbation. Exact formats: one row
 * per metric. CLI_JSON: the object of metrics.json.
 */
Status eval_print(const EvalResult *result, const CliArguments *arguments, const CliView *view,
                  FILE *stream, Error *error);

/*
 * Prints several evaluations, results [count], as a table of adapters by data sets for each metric
 * (by default AUROC) and level, and the comparisons [count - 1] of each with the first. Exact
 * formats: one row per adapter, data set and level. CLI_JSON: {"adapters": {NAME: metrics.json},
 * "comparison": comparison.json}.
 */
Status eval_print_several(const EvalResult *results, const EvalComparison *comparisons, int count,
                          const CliArguments *arguments, const CliView *view, FILE *stream,
                          Error *error);

#endif
