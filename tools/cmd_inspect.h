/*
 * cmd_inspect.h - the parts of lnclip inspect that look into files: each adds members to a JSON
 * object. Without memory members are left out.
 */
#ifndef LNCLIP_TOOLS_CMD_INSPECT_H
#define LNCLIP_TOOLS_CMD_INSPECT_H

#include "tools/cli/cli_model.h"

#include <jansson.h>

/* The metadata of a file as an object, recipes and JSON in it taken apart. NULL without memory. */
json_t *cmd_inspect_metadata(const SafeTensors *file);

/* "path", "metadata" {key: value; recipe, metrics and record of a run as objects}, "parameters", "tensors" [{name, dtype, shape, count}]. */
void cmd_inspect_safetensors(const SafeTensors *file, json_t *out);

/*
 * "layer_norms" [{name, norm_base, norm_change, drift}] and "layer_norms_set", "layer_norms_kept": how far
 * the adapter takes each LayerNorm of the base model. drift = |w - w0| / |w0|, null where w0 is 0.
 */
Status cmd_inspect_drift(const CliModelOptions *base, const char *adapter,
                         const CliArguments *arguments, json_t *out, Error *error);

/* "kind", "path", "files", "steps", "recipe" {key: value}, "last_step", "best_epoch", "last_epoch",
 * and of best.safetensors "selected_on" and "record". */
Status cmd_inspect_run(const char *folder, json_t *out, Error *error);

#endif
