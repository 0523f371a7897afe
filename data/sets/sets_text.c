/*
 * sets_text.c - see sets_text_private.h: text files in the forms that users have, with byte-order
 * marks, CRLF and quotes.
 */
#include "data/sets/sets_text_private.h"

#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const size_t MAX_TEXT_SIZE = (size_t)1 << 30;

/* Size of the byte-order mark, 0 if there is none. */
static size_t mark_size(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static Status empty_file(const char *path, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: the file is empty; get it again", path);
}

static Status bad_json(const char *path, int line, const char *reason, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: line %d: invalid JSON (%s); get the file again",
                     path, line, reason);
}

Status data_json_read(const char *path, json_t **document, Error *error)
{
    FileMap map;
    json_error_t reason;
    *document = NULL;
    TRY(file_map(path, &map, error));
    const char *text = (const char *)map.data;
    const size_t size = map.size, mark = mark_size(text, size);
    if (size > 0)
        *document = json_loadb(text + mark, size - mark, JSON_REJECT_DUPLICATES, &reason);
    file_unmap(&map);
    if (size == 0)
        return empty_file(path, error);
    return *document ? STATUS_OK : bad_json(path, reason.line, reason.text, error);
}

/* ---- lines --------------------------------------------------------------------------------- */

Status data_lines_open(DataLines *lines, const char *path, Error *error)
{
    size_t size;
    *lines = (DataLines){0};
    TRY(file_read(path, MAX_TEXT_SIZE, &lines->content, &size, error));
    if (strlen(lines->content) != size) {
        free(lines->content);
        return error_set(error, STATUS_FAILED,
                         "%s: has a zero byte: not a text file (UTF-16?); save it as UTF-8", path);
    }
    lines->next = lines->content + mark_size(lines->content, size);
    return STATUS_OK;
}

char *data_lines_next(DataLines *lines)
{
    while (lines->next) {
        char *line = lines->next, *newline = strchr(line, '\n');
        char *stop = newline ? newline : line + strlen(line);
        lines->next = newline ? newline + 1 : NULL;
        lines->line++;
        while (stop > line && strchr(" \t\r\v\f", stop[-1]))
            stop--;
        *stop = '\0';
        line += strspn(line, " \t\r\v\f");
        if (*line)
            return line;
    }
    return NULL;
}

/* ---- a large JSON file ----------------------------------------------------------------------- */

/*
 * A reference is the object {"@": NUMBER}. The file cannot contain such an object in the outline:
 * it has no nested object, so it would have become a chunk.
 */
static const char REFERENCE[] = "@";

/* The outline while it is built. */
typedef struct Outline {
    char *text; /* [capacity] */
    size_t size, capacity;
} Outline;

/* Appends text [size] to the outline. */
static Status append(Outline *outline, const char *text, size_t size, const char *path,
                     Error *error)
{
    TRY(mem_grow(&outline->text, outline->size + size, &outline->capacity, 1, path, error));
    if (size > 0) /* empty text may be NULL */
        memcpy(outline->text + outline->size, text, size);
    outline->size += size;
    return STATUS_OK;
}

/* The position after the string that begins at `at` (a quote), or `end` if it is unterminated. */
static const char *skip_string(const char *at, const char *end)
{
    const char *quote = at;
    for (;;) {
        const char *from = quote + 1;
        quote = from < end ? memchr(from, '"', end - from) : NULL;
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
    for (; (begin = memchr(begin, '\n', end - begin)); begin++)
        lines++;
    return lines;
}

/*
 * Records the chunk [begin, end) and appends a reference and the chunk's line ends to the outline.
 */
static Status add_chunk(DataJson *json, Outline *outline, const char *begin, const char *end,
                        int *line, Error *error)
{
    TRY(mem_grow(&json->chunks, json->count + 1, &json->capacity, sizeof *json->chunks, json->path,
                 error));
    const char *text = (const char *)json->map.data;
    char reference[40];
    const int size = snprintf(reference, sizeof reference, "{\"%s\":%zu", REFERENCE, json->count);
    json->chunks[json->count++] = (DataJsonChunk){begin - text, end - text, *line};
    TRY(append(outline, reference, size, json->path, error));
    for (int ends = count_lines(begin, end); ends > 0; ends--, (*line)++)
        TRY(append(outline, "\n", 1, json->path, error));
    return append(outline, "}", 1, json->path, error);
}

/* Splits the text [at, end) into outline and chunks. */
static Status split_objects(DataJson *json, Outline *outline, const char *at, const char *end,
                            Error *error)
{
    const char *open = NULL; /* the last opening brace, unless one was closed since */
    const char *copied = at; /* everything before is in the outline */
    int line = 1;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{') {
            open = at++;
        } else if (*at++ == '}' && open) {
            line += count_lines(copied, open);
            TRY(append(outline, copied, open - copied, json->path, error));
            TRY(add_chunk(json, outline, open, at, &line, error));
            copied = at;
            open = NULL;
        }
    }
    return append(outline, copied, end - copied, json->path, error);
}

Status data_json_open(DataJson *json, const char *path, Threads *threads, Error *error)
{
    *json = (DataJson){.path = path, .threads = threads};
    TRY(file_map(path, &json->map, error));
    const char *text = (const char *)json->map.data;
    const size_t size = json->map.size, mark = mark_size(text, size);
    Outline outline = {0};
    json_error_t reason;
    Status status = STATUS_OK;
    if (size == mark)
        status = empty_file(path, error);
    else
        status = split_objects(json, &outline, text + mark, text + size, error);
    if (status == STATUS_OK) {
        json->outline = json_loadb(outline.text, outline.size, JSON_REJECT_DUPLICATES, &reason);
        if (!json->outline)
            status = bad_json(path, reason.line, reason.text, error);
    }
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

static void parse_chunks(void *context, int task, int worker)
{
    DataJson *json = context;
    (void)worker;
    for (int i = task * PER_TASK; i < (task + 1) * PER_TASK; i++) {
        if (json->first + i >= json->count)
            return;
        const DataJsonChunk *chunk = &json->chunks[json->first + i];
        json->window[i] =
            json_loadb((const char *)json->map.data + chunk->begin, chunk->end - chunk->begin,
                       JSON_REJECT_DUPLICATES, &json->reasons[i]);
    }
}

Status data_json_value(DataJson *json, const json_t *node, const json_t **value, Error *error)
{
    const json_t *number = json_object_get(node, REFERENCE);
    *value = node;
    if (json_object_size(node) != 1 || !json_is_integer(number))
        return STATUS_OK;
    const size_t chunk = json_integer_value(number);
    if (!json->filled || chunk < json->first || chunk - json->first >= DATA_JSON_WINDOW) {
        empty_window(json);
        json->first = chunk;
        json->filled = true;
        threads_run(json->threads, DATA_JSON_WINDOW / PER_TASK, parse_chunks, json);
    }
    const size_t slot = chunk - json->first;
    *value = json->window[slot];
    if (*value)
        return STATUS_OK;
    return bad_json(json->path, json->chunks[chunk].line + json->reasons[slot].line - 1,
                    json->reasons[slot].text, error);
}

void data_json_close(DataJson *json)
{
    empty_window(json);
    json_decref(json->outline);
    free(json->chunks);
    file_unmap(&json->map);
    *json = (DataJson){0};
}
