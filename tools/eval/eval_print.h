/*
 * eval_print.h - what an evaluation shows on stdout.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_PRINT_H
#define LNCLIP_TOOLS_EVAL_EVAL_PRINT_H

#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"
#include "train/eval/eval_result.h"

/*
 * Prints one evaluation: a row for frames and videos of each data set, then what the thresholds of
 * a calibrated adapter do, and AUROC against the strength of perturbations. Exact: every metric,
 * a row each. CLI_JSON: the object of metrics.json.
 */
Status eval_print(const EvalResult *result, const CliArguments *arguments, CliFormat format,
                  FILE *stream, Error *error);

/*
 * Prints several evaluations, results [count], side by side by their AUROC, and comparisons [count
 * - 1] of each with the first. Exact: one row an adapter, data set and level. CLI_JSON:
 * {"adapters": {NAME: metrics.json}, "comparison": comparison.json}.
 */
Status eval_print_several(const EvalResult *results, const EvalComparison *comparisons, int count,
                          const CliArguments *arguments, CliFormat format, FILE *stream,
                          Error *error);

#endif
