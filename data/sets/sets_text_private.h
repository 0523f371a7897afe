/*
 * sets_text_private.h - the files that come with data sets: JSON and lines of text; for the readers
 * in data/sets/.
 *
 * jansson parses 40 MB/s on one core and needs three times the file's size in memory. So a large
 * file is split first. Every object without nested objects (a video) becomes a chunk. The rest, the
 * outline, is small; each chunk is replaced by its number. jansson parses the outline at once, and
 * chunks on demand, DATA_JSON_WINDOW at a time, on all threads. Splitting only looks at strings and
 * braces, so invalid JSON stays invalid and jansson rejects it. One object is for one thread.
 *
 * Tests: tests/test_sets_json.c.
 */
#ifndef LNCLIP_DATA_SETS_SETS_TEXT_PRIVATE_H
#define LNCLIP_DATA_SETS_SETS_TEXT_PRIVATE_H

#include "tensor/base/error.h"
#include "tensor/base/file.h"
#include "tensor/threads.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * Parses a JSON file. A byte-order mark is allowed; a duplicate key in an object is an error. Free
 * *document with json_decref. STATUS_FAILED, naming the file, if it is unreadable or invalid.
 */
Status data_json_read(const char *path, json_t **document, Error *error);

/* A text file in memory, read line by line. The caller frees `content`. */
typedef struct DataLines {
    char *content; /* owned */
    char *next;    /* NULL at the end */
    int line;      /* number of the last returned line, from 1 */
} DataLines;

/* Reads the file. STATUS_FAILED if it is unreadable or binary; nothing must be freed then. */
Status data_lines_open(DataLines *lines, const char *path, Error *error);

/* The next non-blank line, trimmed, borrowed from `content`; NULL at the end. */
char *data_lines_next(DataLines *lines);

/* ---- a large JSON file ----------------------------------------------------------------------- */

enum { DATA_JSON_WINDOW = 512 }; /* chunks parsed at a time */

/* One chunk of the text. */
typedef struct DataJsonChunk {
    size_t begin, end; /* byte offsets in the file */
    int line;          /* line of its beginning, from 1 */
} DataJsonChunk;

typedef struct DataJson {
    json_t *outline; /* outline of the file; innermost objects are references */
    const char *path;
    Threads *threads;
    FileMap map;
    DataJsonChunk *chunks; /* [count] */
    size_t count, capacity;
    bool filled;  /* the window is valid */
    size_t first; /* the window contains chunks first, first + 1... */
    json_t *window[DATA_JSON_WINDOW];
    json_error_t reasons[DATA_JSON_WINDOW]; /* the reason if an entry is NULL */
} DataJson;

/*
 * Reads the outline of `path` (borrowed, like `threads`, until data_json_close). STATUS_FAILED for
 * an unreadable or invalid file; nothing must be closed then.
 */
Status data_json_open(DataJson *json, const char *path, Threads *threads, Error *error);

/*
 * Sets *value to `node` of the outline, or to the parsed chunk it refers to, which is borrowed
 * until the next call. STATUS_FAILED if the chunk is not valid JSON.
 */
Status data_json_value(DataJson *json, const json_t *node, const json_t **value, Error *error);

void data_json_close(DataJson *json);

#endif
