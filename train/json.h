/*
 * json.h - JSON documents of which nothing may be missing: text that may not be UTF-8, numbers that
 * may be undefined.
 *
 * Documents are built without looking at every step: each allocation of jansson that fails, and
 * each value that train_json_set or train_json_append cannot add, is remembered, and no document is
 * written afterwards. These functions are for the main thread; jansson's own may run in others.
 */
#ifndef LNCLIP_TRAIN_JSON_H
#define LNCLIP_TRAIN_JSON_H

#include "tensor/base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Has jansson allocate by functions that remember a failure. To be called before any other use of
 * it. */
void train_json_start(void);

/* Whether nothing was lost so far. A program that ends must not report success otherwise. */
bool train_json_complete(void);

/*
 * object[key] = value, and array + [value]. The reference to `value` is taken in any case. A key
 * may hold any bytes, as in train_json_string. NULL for `object`, `array` or `value`, or no memory,
 * is remembered.
 */
void train_json_set(json_t *object, const char *key, json_t *value);
void train_json_append(json_t *array, json_t *value);

/* Remembers a loss for which jansson is not the reason, such as a string that could
 * not be copied. */
void train_json_lose(void);

/*
 * Writes a document, indented, with `digits` digits of each number and a newline, and ends the
 * reference. STATUS_FAILED, naming `what`, if a part of it was lost or if it cannot be written.
 */
Status train_json_write(json_t *document, FILE *stream, int digits, const char *what, Error *error);

/* The same into a file, which is replaced only by a whole one. */
Status train_json_save(json_t *document, const char *path, int digits, Error *error);

/*
 * `text` as a JSON string. File names need not be UTF-8: bytes that are not become \xNN, as on the
 * terminal. The caller owns the reference; NULL only without memory.
 */
json_t *train_json_string(const char *text);

/* A number, or null if it is not finite. */
json_t *train_json_number(double value);

/*
 * The lines `key = value` of a recipe as an object, whose values `value` makes of their text; lines
 * that begin with # are comments. The caller owns the reference.
 */
json_t *train_json_recipe(const char *recipe, json_t *(*value)(const char *text));

#endif
