/*
 * cmd_compare.h - reads a training run or evaluations from a folder, for lnclip compare.
 *
 * Tests: tests/test_tools.sh.
 */
#ifndef LNCLIP_TOOLS_CMD_COMPARE_H
#define LNCLIP_TOOLS_CMD_COMPARE_H

#include "tensor/base/error.h"

#include <jansson.h>

/*
 * Appends the contents of the folder `given` to the arrays. A run: {"path", "recipe", "steps",
 * "best_epoch", "last_epoch", "record" as in lnclip inspect, "trained_parameters", "selected_on"}.
 * An evaluation: {"path", "adapter", "selected_on", "recipe" and "record" of the adapter,
 * "metrics": the object in metrics.json}; one for each adapter of an evaluation with several.
 * Slashes at the end of `given` do not count. STATUS_FAILED if the folder contains neither, or if a
 * file cannot be read.
 */
Status cmd_compare_read(const char *given, json_t *runs, json_t *evaluations, Error *error);

#endif
