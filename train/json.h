/*
 * json.h - builds JSON documents from text that may not be UTF-8 and numbers that may be undefined.
 *
 * A document is built without checking every call. A failed allocation of jansson in any thread,
 * and each value that cannot be added, is recorded for the process, as jansson's allocation
 * functions are; no document is written afterwards. These functions are for one thread; jansson's
 * own may run in others.
 *
 * Tests: tests/test_auc.sh, tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_JSON_H
#define LNCLIP_TRAIN_JSON_H

#include "tensor/base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Makes jansson record failed allocations. Applies to the process; call it once, before any other
 * use of jansson. Without it only train_json_set and train_json_append record failures.
 */
void train_json_start(void);

/* True if no failure is recorded. If false, a program must not report success. Thread-safe. */
bool train_json_complete(void);

/*
 * Set object[key] = value, or append `value` to `array`; take the reference to `value` in every
 * case. `key` is converted as by train_json_string. A NULL `object`, `array` or `value` (an earlier
 * failure) and a failed allocation are recorded.
 */
void train_json_set(json_t *object, const char *key, json_t *value);
void train_json_append(json_t *array, json_t *value);

/* Records a failure outside of jansson, such as a string that could not be copied. Thread-safe. */
void train_json_lose(void);

/*
 * Writes a document, indented, numbers with `digits` digits, and a newline; releases the reference.
 * STATUS_FAILED if a failure is recorded, or if the stream fails; `what` begins the message.
 */
Status train_json_write(json_t *document, FILE *stream, int digits, const char *what, Error *error);

/* train_json_write to the file `path`, atomically. */
Status train_json_save(json_t *document, const char *path, int digits, Error *error);

/*
 * `text` as a JSON string. Bytes that are not UTF-8, as in file names, become \xNN. The caller owns
 * the reference; NULL if out of memory.
 */
json_t *train_json_string(const char *text);

/* A JSON number; null if not finite. The caller owns the reference; NULL if out of memory. */
json_t *train_json_number(double value);

/*
 * The lines `key = value` of a recipe as an object; `value` converts the text of a value. Lines
 * that begin with # are skipped. The caller owns the reference.
 */
json_t *train_json_recipe(const char *recipe, json_t *(*value)(const char *text));

#endif
