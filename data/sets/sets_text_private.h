/*
 * sets_text_private.h - the files that come with data sets: JSON, CSV, lines of text; for the
 * readers in data/sets/.
 *
 * jansson parses 40 MB/s on one core and takes three times the file in memory. So a large file is
 * cut first: every object without objects in it (a video) becomes a chunk, and in its place the
 * outline, which is small, gets a number. jansson parses the outline at once, and the chunks by the
 * hundred, on all threads, when they are asked for. Cutting looks at strings and braces only: what
 * is not JSON stays so and is refused by jansson.
 */
#ifndef LNCLIP_DATA_SETS_SETS_TEXT_PRIVATE_H
#define LNCLIP_DATA_SETS_SETS_TEXT_PRIVATE_H

#include "tensor/base/error.h"
#include "tensor/base/file.h"
#include "tensor/threads.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * Parses a JSON file (a byte-order mark is allowed; a name twice in an object is an error). Free
 * with json_decref.
 */
Status data_json_read(const char *path, json_t **document, Error *error);

/* A text file cut into lines, in memory the caller frees through `content`. */
typedef struct DataLines {
    char *content; /* owned */
    char *next;    /* NULL at the end */
    int line;      /* of the one last returned, from 1 */
} DataLines;

Status data_lines_open(DataLines *lines, const char *path, Error *error);

/* The next line that is not blank, without line end and surrounding blanks; NULL at the end. */
char *data_lines_next(DataLines *lines);

/*
 * Cuts one line of a CSV file into fields [most] in place, as RFC 4180 has it (but no line ends
 * within quotes). Returns how many there are, -1 for a quote that does not close or text behind
 * one.
 */
int data_csv_split(char *line, char **fields, int most);

/* ---- a large JSON file ----------------------------------------------------------------------- */

enum { DATA_JSON_WINDOW = 512 }; /* chunks that are parsed at a time */

/* One chunk of the text. */
typedef struct DataJsonChunk {
    size_t begin, end; /* in the file */
    int line;          /* of its beginning, from 1 */
} DataJsonChunk;

typedef struct DataJson {
    json_t *outline; /* of the whole file; objects without objects in them are references */
    const char *path;
    Threads *threads;
    FileMap map;
    DataJsonChunk *chunks; /* [count] */
    size_t count, capacity;
    bool filled;  /* there is a window */
    size_t first; /* it holds chunks first, first + 1... */
    json_t *window[DATA_JSON_WINDOW];
    json_error_t reasons[DATA_JSON_WINDOW]; /* why one is NULL */
} DataJson;

/*
 * Reads the outline of `path` (borrowed, as `threads` is, until the end). On success end it with
 * data_json_close.
 */
Status data_json_open(DataJson *json, const char *path, Threads *threads, Error *error);

/*
 * *value = `node` of the outline, or the chunk it refers to, parsed: that is borrowed until the
 * next call. STATUS_FAILED if the chunk is not valid JSON.
 */
Status data_json_value(DataJson *json, const json_t *node, const json_t **value, Error *error);

void data_json_close(DataJson *json);

#endif
