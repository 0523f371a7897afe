/*
 * cli_json.h - JSON of the tools: text that may not be UTF-8, numbers that may be undefined, and JSON
 * shown as a table for people.
 */
#ifndef LNCLIP_TOOLS_CLI_JSON_H
#define LNCLIP_TOOLS_CLI_JSON_H

#include <jansson.h>
#include <stdio.h>

/*
 * `text` as a JSON string. File names need not be UTF-8: bytes that are not become \xNN, as on the
 * terminal. The caller owns the reference; NULL only without memory.
 */
json_t *cli_json_string(const char *text);

/* A number, or null if it is not finite. */
json_t *cli_json_number(double value);

/* Writes `text` as a quoted JSON string. */
void cli_json_print_string(FILE *stream, const char *text);

/*
 * Shows an object to people: members as "key: value" lines, arrays of objects as aligned tables with the
 * members' names as heads. Control characters are escaped; null is "-".
 */
void cli_json_print_text(FILE *stream, const json_t *object);

#endif
