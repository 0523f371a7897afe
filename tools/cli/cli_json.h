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

/*
 * Shows an object, which is built once, as JSON with `digits` digits of each number or to people as
 * cli_json_print_text does, and ends the reference. STATUS_FAILED, naming `what`, as
 * train_json_write.
 */
Status cli_json_show(json_t *document, bool json, FILE *stream, int digits, const char *what,
                     Error *error);

#endif
