/*
 * sets_json_private.h - a large JSON file, parsed in pieces; private to data/.
 *
 * jansson parses 40 MB/s on one core and takes three times the file in memory. So the text is cut first: every
 * object without objects in it (a video) becomes a piece, and in its place the outline, which is small, gets a
 * number. jansson parses the outline at once, and the pieces by the hundred, on all threads, when they are asked
 * for. Cutting looks at strings and braces only: what is no JSON stays none and is refused by jansson.
 */
#ifndef LNCLIP_DATA_SETS_SETS_JSON_PRIVATE_H
#define LNCLIP_DATA_SETS_SETS_JSON_PRIVATE_H

#include "tensor/base/error.h"
#include "tensor/base/file.h"
#include "tensor/threads.h"

#include <jansson.h>
#include <stdbool.h>

enum { DATA_JSON_WINDOW = 512 }; /* pieces that are parsed at a time */

/* One piece of the text. */
typedef struct DataJsonPiece {
    size_t begin, end; /* in the file */
    int line;          /* of its beginning, from 1 */
} DataJsonPiece;

typedef struct DataJson {
    json_t *outline; /* of the whole file; objects without objects in them stand as references */
    const char *path;
    Threads *threads;
    FileMap map;
    DataJsonPiece *pieces; /* [count] */
    size_t count, capacity;
    bool filled;  /* there is a window */
    size_t first; /* it holds pieces first, first + 1... */
    json_t *window[DATA_JSON_WINDOW];
    json_error_t reasons[DATA_JSON_WINDOW]; /* why one is NULL */
} DataJson;

/* Reads the outline of `path` (borrowed, as `threads` is, until the end). On success end it with data_json_close. */
Status data_json_open(DataJson *json, const char *path, Threads *threads, Error *error);

/*
 * *value = `node` of the outline, or the piece it refers to, parsed: that is borrowed until the next call. STATUS_FAILED
 * if the piece is no valid JSON.
 */
Status data_json_value(DataJson *json, const json_t *node, const json_t **value, Error *error);

void data_json_close(DataJson *json);

#endif
