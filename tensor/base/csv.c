/*
 * csv.c - see csv.h.
 */
#include "tensor/base/csv.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUFFER = 1 << 20, LARGEST_RECORD = 1 << 26, CHECKED = 4096 };

static Status fail(const CsvReader *reader, const char *what, const char *todo, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: line %zu: %s; %s", reader->path, reader->line, what,
                     todo);
}

static Status cannot_read(const char *path, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be read: %s; check the path and its permissions", path,
                     strerror(errno));
}

/* Reads more bytes; moves the unused ones to the front or grows the buffer if necessary. */
static Status refill(CsvReader *reader, Error *error)
{
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->begin = 0;
    if (reader->end == reader->capacity) {
        if (reader->capacity >= LARGEST_RECORD)
            return fail(reader, "is longer than 64 MiB", "check that every quote is closed", error);
        size_t room = reader->capacity + 1;
        TRY(mem_grow(&reader->buffer, 2 * reader->capacity + 1, &room, 1, reader->path, error));
        reader->capacity *= 2;
    }
    const size_t got =
        fread(reader->buffer + reader->end, 1, reader->capacity - reader->end, reader->stream);
    if (got == 0 && ferror(reader->stream))
        return cannot_read(reader->path, error);
    reader->end += got;
    reader->at_end = got == 0;
    return STATUS_OK;
}

/* State of the scan for the end of a record. */
typedef enum Place { FIELD_START, PLAIN, IN_QUOTES, BEHIND_QUOTE } Place;

/* The place after character `c`. Only a quote at the start of a field opens it. */
static Place next_place(Place place, char c, char separator)
{
    if (place == IN_QUOTES)
        return c == '"' ? BEHIND_QUOTE : IN_QUOTES;
    if (c == separator)
        return FIELD_START;
    return c == '"' && place != PLAIN ? IN_QUOTES : PLAIN; /* after a quote: a doubled quote */
}

/*
 * Finds the next line end outside quotes, from `from`; *place is the state of the scan. Returns its
 * position, or the end of the buffer.
 */
static size_t scan_quoted(const CsvReader *reader, size_t from, Place *place)
{
    size_t i = from;
    for (; i < reader->end; i++) {
        const char c = reader->buffer[i];
        if (c == '\n' && *place != IN_QUOTES)
            break;
        *place = next_place(*place, c, reader->separator);
    }
    return i;
}

/*
 * Finds the next record without its line end, [cursor, stop); cursor = NULL at the end of the
 * file. Most records have no quote and need only two calls of memchr.
 */
static Status next_record(CsvReader *reader, Error *error)
{
    size_t scanned = reader->begin;
    bool has_quote = false;
    Place place = FIELD_START;
    reader->line = reader->next_line;
    for (;;) {
        size_t at = reader->end;
        if (!has_quote) {
            const char *from = reader->buffer + scanned;
            const char *newline = memchr(from, '\n', reader->end - scanned);
            at = newline ? (size_t)(newline - reader->buffer) : reader->end;
            has_quote = memchr(from, '"', at - scanned) != NULL;
            scanned = has_quote ? reader->begin : scanned;
        }
        if (has_quote)
            at = scan_quoted(reader, scanned, &place);
        if (at < reader->end || reader->at_end) {
            char *record = reader->buffer + reader->begin, *stop = reader->buffer + at;
            const bool any = at > reader->begin || at < reader->end;
            for (const char *p = record; has_quote && p < stop; p++)
                reader->next_line += *p == '\n';
            if (place == IN_QUOTES)
                return fail(reader, "opens a quote that is never closed",
                            "close it, or double it inside", error);
            reader->next_line++;
            reader->begin = at < reader->end ? at + 1 : at;
            if (stop > record && stop[-1] == '\r')
                stop--;
            reader->cursor = any ? record : NULL;
            reader->stop = stop;
            return STATUS_OK;
        }
        scanned = reader->end - reader->begin;
        TRY(refill(reader, error));
    }
}

Status csv_record(CsvReader *reader, bool *any, Error *error)
{
    assert(reader && any && error);
    bool blank;
    do {
        TRY(next_record(reader, error));
        const char *c = reader->cursor;
        while (c && c < reader->stop && *c == ' ')
            c++;
        blank = c && c == reader->stop;
    } while (blank);
    *any = reader->cursor != NULL;
    return STATUS_OK;
}

/* Unquotes a field that begins with a quote at the cursor, in place. */
static Status quoted_field(CsvReader *reader, CsvField *field, Error *error)
{
    char *in = reader->cursor + 1, *out = in;
    const char *const stop = reader->stop;
    field->text = in;
    for (; in < stop; in++) {
        if (*in == '"') {
            if (in + 1 >= stop || in[1] != '"')
                break;
            in++;
        }
        *out++ = *in;
    }
    field->length = (size_t)(out - field->text);
    in++; /* closing quote: next_record has checked that it exists */
    if (in < stop && *in != reader->separator)
        return fail(reader, "has text after a closing quote", "put the whole field in quotes",
                    error);
    *out = '\0';
    reader->cursor = in + 1;
    return STATUS_OK;
}

Status csv_field(CsvReader *reader, CsvField *field, Error *error)
{
    char *p = reader->cursor;
    if (p < reader->stop && *p == '"')
        return quoted_field(reader, field, error);
    field->text = p;
    while (p < reader->stop && *p != reader->separator)
        p++;
    *p = '\0'; /* overwrites the separator or the line end */
    field->length = (size_t)(p - field->text);
    reader->cursor = p + 1;
    return STATUS_OK;
}

void csv_trim(CsvField *field)
{
    while (field->length > 0 && (*field->text == ' ' || *field->text == '\t')) {
        field->text++;
        field->length--;
    }
    while (field->length > 0 &&
           (field->text[field->length - 1] == ' ' || field->text[field->length - 1] == '\t'))
        field->text[--field->length] = '\0';
}

/* ---- opening --------------------------------------------------------------------------------- */

static Status check_encoding(CsvReader *reader, Error *error)
{
    const char *text = reader->buffer;
    if (reader->end == 0)
        return error_set(error, STATUS_FAILED, "%s: is empty; write the table first", reader->path);
    if (reader->end >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
        return error_set(error, STATUS_FAILED, "%s: is UTF-16; save it as UTF-8", reader->path);
    if (memchr(text, '\0', min_size(reader->end, CHECKED)))
        return error_set(
            error, STATUS_FAILED,
            "%s: contains zero bytes, so it is not a text file; give a CSV file in UTF-8",
            reader->path);
    if (reader->end >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        reader->begin = 3;
    return STATUS_OK;
}

/* The separator that the first line has most of, outside quotes. */
static char find_separator(const CsvReader *reader)
{
    static const char SEPARATORS[] = ",;\t";
    size_t counts[sizeof SEPARATORS - 1] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = reader->begin; i < reader->end; i++) {
        const char c = reader->buffer[i];
        quoted ^= c == '"';
        if (c == '\n' && !quoted)
            break;
        const char *found = quoted || c == '\0' ? NULL : strchr(SEPARATORS, c);
        if (found)
            counts[found - SEPARATORS]++;
    }
    for (size_t i = 1; i < COUNT_OF(counts); i++)
        best = counts[i] > counts[best] ? i : best;
    return SEPARATORS[best];
}

Status csv_open(CsvReader *reader, const char *path, Error *error)
{
    assert(reader && path && error);
    *reader = (CsvReader){.path = path, .capacity = FIRST_BUFFER, .line = 1, .next_line = 1};
    reader->stream = fopen(path, "rbe");
    if (!reader->stream)
        return cannot_read(path, error);
    setvbuf(reader->stream, NULL, _IONBF, 0); /* unbuffered: reads go into our own buffer */
    reader->buffer = mem_new(reader->capacity + 1, 1, path, error);
    Status status = reader->buffer ? STATUS_OK : error->status;
    if (status == STATUS_OK)
        status = refill(reader, error);
    if (status == STATUS_OK)
        status = check_encoding(reader, error);
    if (status == STATUS_OK)
        reader->separator = find_separator(reader);
    else
        csv_close(reader);
    return status;
}

void csv_close(CsvReader *reader)
{
    free(reader->buffer);
    if (reader->stream)
        fclose(reader->stream);
    *reader = (CsvReader){0};
}
