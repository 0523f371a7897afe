/*
 * cmd_compare.h - what lnclip compare reads of a folder: a training run, an evaluation, or several.
 */
#ifndef LNCLIP_TOOLS_CMD_COMPARE_H
#define LNCLIP_TOOLS_CMD_COMPARE_H

#include "tensor/base/error.h"

#include <jansson.h>

/*
 * Appends what `folder` holds to the arrays. A run: {"path", "recipe", "steps", "best_epoch",
 * "last_epoch" as in lnclip inspect, "trained_parameters", "selected_on"}. An evaluation: {"path",
 * "adapter", "selected_on", "metrics": what metrics.json holds}; of an evaluation of several
 * adapters each. STATUS_FAILED for a folder that holds neither, and for files that cannot be read.
 */
Status cmd_compare_read(const char *folder, json_t *runs, json_t *evaluations, Error *error);

#endif
