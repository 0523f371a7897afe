/*
 * cli_json.h - JSON shown on the terminal, as it is or as text for people. Documents are built by
 * train/json.h.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_JSON_H
#define LNCLIP_TOOLS_CLI_CLI_JSON_H

#include "train/json.h"

/* Writes `text` as a quoted JSON string; null, which is remembered, without memory. */
void cli_json_print_string(FILE *stream, const char *text);

/*
 * Shows an object to people: members as "key: value" lines, arrays of objects as aligned tables
 * with the members' names as heads. Control characters are escaped; null is "-". What cannot be
 * shown for want of memory is remembered.
 */
void cli_json_print_text(FILE *stream, const json_t *object);

#endif
