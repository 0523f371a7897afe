/*
 * cmd_train_result.c - see cmd_train_result.h.
 */
#include "tools/cmd_train_result.h"

#include <string.h>

/* In the last column what the epochs were compared by. */
static void tell_epoch(const CliArguments *arguments, const char *name, const TrainEpoch *epoch,
                       const char *monitor)
{
    cli_note(arguments, "%-5s %6d %10.4f %12.4f %12.4f %12.4f %12.4f  %*.4f", name,
             epoch->epoch + 1, epoch->val_loss, epoch->frame.auroc, epoch->video.auroc,
             epoch->frame.map, epoch->video.map, (int)strlen(monitor),
             train_monitor_value(epoch, monitor));
}

static void tell_epochs(const CliArguments *arguments, const TrainRecipe *recipe,
                        const CliStrings *val, const TrainResult *result)
{
    cli_note(arguments, "%-5s %6s %10s %12s %12s %12s %12s  %s", "", "epoch", "val loss",
             "AUROC frame", "AUROC video", "mAP frame", "mAP video", recipe->monitor);
    tell_epoch(arguments, "best", &result->best, recipe->monitor);
    tell_epoch(arguments, "last", &result->last, recipe->monitor);
    for (int i = 0; i < val->count; i++)
        cli_note(arguments, "selected on: %s (%s)", val->items[i], recipe->monitor);
}

void cmd_train_tell_result(const CliArguments *arguments, const char *out,
                           const TrainRecipe *recipe, const CliStrings *val,
                           const TrainResult *result)
{
    if (result->stopped_early)
        cli_note(arguments, "stopped early: %s has not improved for %d epochs", recipe->monitor,
                 recipe->early_stopping);
    if (val->count > 0)
        tell_epochs(arguments, recipe, val, result);
    cli_note(arguments, "%s: %s steps in %s, peak memory %s; best.safetensors and last.safetensors",
             out, cli_count((unsigned long long)result->steps_done), cli_duration(result->seconds),
             cli_bytes(train_peak_bytes()));
}

void cmd_train_tell_forecast(const CliArguments *arguments, const TrainResult *result)
{
    cli_note(arguments, "forecast: %s a step, %s steps, %s in all (nothing was written)",
             cli_duration(result->forecast_step_seconds),
             cli_count((unsigned long long)result->steps), cli_duration(result->forecast_seconds));
}
