/*
 * cmd_inspect.h - the parts of lnclip inspect that read files. Each adds members to a JSON object;
 * without memory, members are missing (train/json.h).
 *
 * Tests: tests/test_tools.sh.
 */
#ifndef LNCLIP_TOOLS_CMD_INSPECT_H
#define LNCLIP_TOOLS_CMD_INSPECT_H

#include "tools/cli/cli_model.h"

#include <jansson.h>

/* "path", "metadata" {key: value; recipe, metrics and record of a run as objects}, "parameters",
 * "tensors" [{name, dtype, shape, count}]. */
void cmd_inspect_safetensors(const SafeTensors *file, json_t *out);

/* "kind", "path", "files", "steps", "recipe" {key: value}, "last_step", "best_epoch", "last_epoch",
 * and of best.safetensors "selected_on" and "record". */
Status cmd_inspect_run(const char *folder, json_t *out, Error *error);

#endif
