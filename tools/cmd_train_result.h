/*
 * cmd_train_result.h - what lnclip train says at its end.
 */
#ifndef LNCLIP_TOOLS_CMD_TRAIN_RESULT_H
#define LNCLIP_TOOLS_CMD_TRAIN_RESULT_H

#include "tools/cli/cli.h"
#include "train/train.h"

/*
 * Best and last epoch side by side, never one alone, and the lists that made one the best (`val`; may be
 * empty): on these its figures are optimistic. Then steps, time, memory and files of the run in `out`.
 */
void cmd_train_tell_result(const CliArguments *arguments, const char *out,
                           const TrainRecipe *recipe, const CliStrings *val,
                           const TrainResult *result);

/* Of a dry run: how long the whole one would take. */
void cmd_train_tell_forecast(const CliArguments *arguments, const TrainResult *result);

#endif
