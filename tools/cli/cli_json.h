/*
 * cli_json.h - prints JSON documents (train/json.h) as JSON or as readable text.
 *
 * Tests: tests/test_tools.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_JSON_H
#define LNCLIP_TOOLS_CLI_CLI_JSON_H

#include "train/json.h"

/* Writes `text` as a quoted JSON string. Without memory writes null and calls train_json_lose. */
void cli_json_print_string(FILE *stream, const char *text);

/*
 * Prints an object as text: members as "key: value" lines, arrays of objects as aligned tables with
 * the member names as headings. Control characters are escaped; null is "-". Without memory calls
 * train_json_lose.
 */
void cli_json_print_text(FILE *stream, const json_t *object);

/*
 * Prints an object as JSON, with `digits` digits per number, or as text (cli_json_print_text).
 * Takes the reference to `document`. STATUS_FAILED, naming `what`, as train_json_write.
 */
Status cli_json_show(json_t *document, bool json, FILE *stream, int digits, const char *what,
                     Error *error);

#endif
