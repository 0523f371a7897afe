/*
 * sets_json.c - see sets_json.h.
 *
 * A reference is the object {"@": NUMBER}. No such object of the file's own can stand in the outline: it has no
 * object in it, so it has become a piece itself.
 */
#include "data/sets/sets_json_private.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char REFERENCE[] = "@";

/* The outline in the making. */
typedef struct Outline {
    char *text; /* [capacity] */
    size_t size, capacity;
} Outline;

static Status no_memory(const DataJson *json, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: no memory to read it; free some", json->path);
}

static Status bad_text(const DataJson *json, int line, const char *reason, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: line %d: no valid JSON (%s); get the file again",
                     json->path, line, reason);
}

/* Appends text [size] to the outline. */
static bool append(Outline *outline, const char *text, size_t size)
{
    if (size > outline->capacity - outline->size) {
        const size_t larger = 2 * (outline->capacity + size) + 4096;
        char *const grown = realloc(outline->text, larger);
        if (!grown)
            return false;
        outline->text = grown;
        outline->capacity = larger;
    }
    if (size > 0) /* the text of nothing may be NULL */
        memcpy(outline->text + outline->size, text, size);
    outline->size += size;
    return true;
}

/* The position behind the string that begins at `at` (a quote), or `end` if it does not close. */
static const char *skip_string(const char *at, const char *end)
{
    const char *quote = at;
    for (;;) {
        const char *const from = quote + 1;
        quote = from < end ? memchr(from, '"', (size_t)(end - from)) : NULL;
        if (!quote)
            return end;
        const char *before = quote; /* an odd number of backslashes escapes it */
        while (before[-1] == '\\' && before - 1 > at)
            before--;
        if ((quote - before) % 2 == 0)
            return quote + 1;
    }
}

static int count_lines(const char *begin, const char *end)
{
    int lines = 0;
    for (; (begin = memchr(begin, '\n', (size_t)(end - begin))); begin++)
        lines++;
    return lines;
}

/* Notes the piece [begin, end) and puts a reference, and its line ends, into the outline. */
static bool add_piece(DataJson *json, Outline *outline, const char *begin, const char *end,
                      int *line)
{
    if (json->count == json->capacity) {
        const size_t larger = json->capacity ? 2 * json->capacity : 4096;
        DataJsonPiece *const grown = realloc(json->pieces, larger * sizeof *grown);
        if (!grown)
            return false;
        json->pieces = grown;
        json->capacity = larger;
    }
    const char *const text = (const char *)json->map.data;
    char reference[40];
    const int size = snprintf(reference, sizeof reference, "{\"%s\":%zu", REFERENCE, json->count);
    json->pieces[json->count++] =
        (DataJsonPiece){(size_t)(begin - text), (size_t)(end - text), *line};
    bool done = append(outline, reference, (size_t)size);
    for (int ends = count_lines(begin, end); ends > 0 && done; ends--, (*line)++)
        done = append(outline, "\n", 1);
    return done && append(outline, "}", 1);
}

/* Cuts the text [at, end) into outline and pieces. False without memory. */
static bool cut(DataJson *json, Outline *outline, const char *at, const char *end)
{
    const char *open = NULL; /* the brace opened last, unless one was closed since */
    const char *copied = at; /* what lies before is in the outline */
    int line = 1;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{') {
            open = at++;
        } else if (*at++ == '}' && open) {
            line += count_lines(copied, open);
            if (!append(outline, copied, (size_t)(open - copied)) ||
                !add_piece(json, outline, open, at, &line))
                return false;
            copied = at;
            open = NULL;
        }
    }
    return append(outline, copied, (size_t)(end - copied));
}

Status data_json_open(DataJson *json, const char *path, Threads *threads, Error *error)
{
    *json = (DataJson){.path = path, .threads = threads};
    TRY(file_map(path, &json->map, error));
    const char *const text = (const char *)json->map.data;
    const size_t size = json->map.size;
    const size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    Outline outline = {0};
    json_error_t reason;
    Status status = STATUS_OK;
    if (size == mark)
        status = error_set(error, STATUS_FAILED, "%s: the file is empty; get it again", path);
    else if (!cut(json, &outline, text + mark, text + size))
        status = no_memory(json, error);
    else if (!(json->outline =
                   json_loadb(outline.text, outline.size, JSON_REJECT_DUPLICATES, &reason)))
        status = bad_text(json, reason.line, reason.text, error);
    free(outline.text);
    if (status != STATUS_OK)
        data_json_close(json);
    return status;
}

static void empty_window(DataJson *json)
{
    for (int i = 0; i < DATA_JSON_WINDOW; i++) {
        json_decref(json->window[i]);
        json->window[i] = NULL;
    }
}

enum { PER_TASK = 16 };

static void parse_pieces(void *context, int task, int worker)
{
    DataJson *const json = context;
    (void)worker;
    for (int i = task * PER_TASK; i < (task + 1) * PER_TASK; i++) {
        if (json->first + (size_t)i >= json->count)
            return;
        const DataJsonPiece *const piece = &json->pieces[json->first + (size_t)i];
        json->window[i] =
            json_loadb((const char *)json->map.data + piece->begin, piece->end - piece->begin,
                       JSON_REJECT_DUPLICATES, &json->reasons[i]);
    }
}

Status data_json_value(DataJson *json, const json_t *node, const json_t **value, Error *error)
{
    const json_t *const number = json_object_get(node, REFERENCE);
    *value = node;
    if (json_object_size(node) != 1 || !json_is_integer(number))
        return STATUS_OK;
    const size_t piece = (size_t)json_integer_value(number);
    if (!json->filled || piece < json->first || piece - json->first >= DATA_JSON_WINDOW) {
        empty_window(json);
        json->first = piece;
        json->filled = true;
        threads_run(json->threads, DATA_JSON_WINDOW / PER_TASK, parse_pieces, json);
    }
    const size_t slot = piece - json->first;
    *value = json->window[slot];
    if (*value)
        return STATUS_OK;
    return bad_text(json, json->pieces[piece].line + json->reasons[slot].line - 1,
                    json->reasons[slot].text, error);
}

void data_json_close(DataJson *json)
{
    empty_window(json);
    json_decref(json->outline);
    free(json->pieces);
    file_unmap(&json->map);
    *json = (DataJson){0};
}
