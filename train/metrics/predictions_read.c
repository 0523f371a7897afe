/*
 * predictions_read.c - score files: RFC 4180 as it is found in practice, read in one pass.
 *
 * The file streams through one buffer that holds at least a whole record, so that memory does not grow with
 * the file. Fields are used where they lie. The reader is strict about what would change a number (widths,
 * quotes, text) and lax about what cannot (line ends, byte order mark, blank lines, other columns).
 */
#include "tensor/base/number.h"
#include "train/metrics/predictions.h"

#include "tensor/base/file.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUFFER = 1 << 20, LARGEST_RECORD = 1 << 26 };

typedef enum Role {
    ROLE_FILE,
    ROLE_LABEL,
    ROLE_FAKE,
    ROLE_REAL,
    ROLE_DATASET,
    ROLE_VIDEO,
    ROLE_SOURCE,
    ROLE_MARGIN,
    ROLES
} Role;

/* The names a column may have. */
static const char *const role_names[ROLES][2] = {
    [ROLE_FILE] = {"files"},
    [ROLE_LABEL] = {"labels", "label"},
    [ROLE_FAKE] = {"prob_class_1", "score"},
    [ROLE_REAL] = {"prob_class_0"},
    [ROLE_DATASET] = {"dataset"},
    [ROLE_VIDEO] = {"video"},
    [ROLE_SOURCE] = {"source"},
    [ROLE_MARGIN] = {"margin"},
};

/* A column that is read; those between are skipped. */
typedef struct Column {
    size_t position; /* from 0 */
    Role role;
} Column;

typedef struct Field {
    char *text; /* ends with a zero byte, written over what separated it */
    size_t length;
} Field;

typedef struct Reader {
    const char *path;
    FILE *stream;
    char *buffer; /* [capacity + 1] */
    size_t capacity;
    size_t begin, end;      /* what is read and not yet used */
    bool at_end;            /* of the file */
    size_t line, next_line; /* number of the first line of this record and of the next one */
    Column columns[ROLES];  /* [column_count] by position */
    int column_count;
    size_t width;     /* fields of the header */
    bool bare_scores; /* the column of scores is named `score` */
    Error *error;
} Reader;

static Status fail(const Reader *reader, const char *what, const char *todo)
{
    return error_set(reader->error, STATUS_FAILED, "%s: line %zu: %s; %s", reader->path,
                     reader->line, what, todo);
}

/* Reads more behind what is there, moving it to the front or enlarging the buffer if need be. */
static Status refill(Reader *reader)
{
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->begin = 0;
    if (reader->end == reader->capacity) {
        if (reader->capacity >= LARGEST_RECORD)
            return fail(reader, "is longer than 64 MiB", "check that every quote is closed");
        char *const grown = realloc(reader->buffer, 2 * reader->capacity + 1);
        if (!grown)
            return fail(reader, "is too long for the memory there is", "free some");
        reader->buffer = grown;
        reader->capacity *= 2;
    }
    const size_t got =
        fread(reader->buffer + reader->end, 1, reader->capacity - reader->end, reader->stream);
    if (got == 0 && ferror(reader->stream))
        return error_set(reader->error, STATUS_FAILED,
                         "%s: cannot be read: %s; check the path and its permissions", reader->path,
                         strerror(errno));
    reader->end += got;
    reader->at_end = got == 0;
    return STATUS_OK;
}

/* Where within a record a scan stands. */
typedef enum Place { FIELD_START, PLAIN, IN_QUOTES, BEHIND_QUOTE } Place;

/*
 * Looks for the line end that is in no quotes, from `from`, where *place says how the text before ended.
 * Returns its position, or the end of what is there. A quote opens a field at its beginning only.
 */
static size_t scan_quoted(const Reader *reader, size_t from, Place *place)
{
    size_t i = from;
    for (; i < reader->end; i++) {
        const char c = reader->buffer[i];
        if (*place == IN_QUOTES)
            *place = c == '"' ? BEHIND_QUOTE : IN_QUOTES;
        else if (c == '\n')
            break;
        else if (c == ',')
            *place = FIELD_START;
        else if (c == '"' && *place != PLAIN) /* behind a quote: a doubled one */
            *place = IN_QUOTES;
        else
            *place = PLAIN;
    }
    return i;
}

/*
 * The next record without its line end: [*record, *stop). *record = NULL at the end of the file. Almost every
 * record has no quote, and is found by two calls of memchr.
 */
static Status next_record(Reader *reader, char **record, char **stop)
{
    size_t scanned = reader->begin;
    bool has_quote = false;
    Place place = FIELD_START;
    reader->line = reader->next_line;
    for (;;) {
        size_t at = reader->end;
        if (!has_quote) {
            const char *const from = reader->buffer + scanned;
            const char *const newline = memchr(from, '\n', reader->end - scanned);
            at = newline ? (size_t)(newline - reader->buffer) : reader->end;
            has_quote = memchr(from, '"', at - scanned) != NULL;
            scanned = has_quote ? reader->begin : scanned;
        }
        if (has_quote)
            at = scan_quoted(reader, scanned, &place);
        if (at < reader->end || reader->at_end) {
            *record =
                at > reader->begin || at < reader->end ? reader->buffer + reader->begin : NULL;
            *stop = reader->buffer + at;
            for (const char *p = *record; has_quote && p && p < *stop; p++)
                reader->next_line += *p == '\n';
            if (place == IN_QUOTES)
                return fail(reader, "opens a quote that is never closed",
                            "close it, or double it inside");
            reader->next_line++;
            reader->begin = at < reader->end ? at + 1 : at;
            if (*record && *stop > *record && (*stop)[-1] == '\r')
                (*stop)--;
            return STATUS_OK;
        }
        scanned = reader->end - reader->begin;
        TRY(refill(reader));
    }
}

/* Unquotes a field that begins with a quote at *cursor, in place. */
static Status quoted_field(const Reader *reader, char **cursor, const char *stop, Field *field)
{
    char *in = *cursor + 1, *out = in;
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
    in++; /* the closing quote: next_record made sure that it is there */
    if (in < stop && *in != ',')
        return fail(reader, "has text behind a closing quote", "put the whole field in quotes");
    *out = '\0';
    *cursor = in;
    return STATUS_OK;
}

/* The field at *cursor; *cursor moves to the comma behind it or to `stop`. */
static Status next_field(const Reader *reader, char **cursor, char *stop, Field *field)
{
    if (*cursor < stop && **cursor == '"')
        return quoted_field(reader, cursor, stop, field);
    field->text = *cursor;
    char *p = *cursor;
    while (p < stop && *p != ',')
        p++;
    field->length = (size_t)(p - *cursor);
    *cursor = p;
    return STATUS_OK;
}

static void trim(Field *field)
{
    while (field->length > 0 && (*field->text == ' ' || *field->text == '\t')) {
        field->text++;
        field->length--;
    }
    while (field->length > 0 &&
           (field->text[field->length - 1] == ' ' || field->text[field->length - 1] == '\t'))
        field->length--;
}

static bool is_named(const Field *field, const char *name)
{
    return name && strlen(name) == field->length && memcmp(field->text, name, field->length) == 0;
}

/* Notes the column if it has a role. */
static Status note_column(Reader *reader, const Field *field)
{
    for (Role role = 0; role < ROLES; role++) {
        if (!is_named(field, role_names[role][0]) && !is_named(field, role_names[role][1]))
            continue;
        for (int i = 0; i < reader->column_count; i++)
            if (reader->columns[i].role == role)
                return error_set(reader->error, STATUS_FAILED,
                                 "%s: line %zu, column %zu: a second column of %s; keep one",
                                 reader->path, reader->line, reader->width + 1,
                                 role == ROLE_FAKE ? "scores" : role_names[role][0]);
        reader->columns[reader->column_count++] = (Column){reader->width, role};
        reader->bare_scores |= role == ROLE_FAKE && is_named(field, role_names[role][1]);
    }
    return STATUS_OK;
}

static bool has_role(const Reader *reader, Role role)
{
    for (int i = 0; i < reader->column_count; i++)
        if (reader->columns[i].role == role)
            return true;
    return false;
}

/* Passes over the column as over one without a role. */
static void drop_role(Reader *reader, Role role)
{
    int kept = 0;
    for (int i = 0; i < reader->column_count; i++)
        if (reader->columns[i].role != role)
            reader->columns[kept++] = reader->columns[i];
    reader->column_count = kept;
}

static Status check_encoding(Reader *reader)
{
    const char *const text = reader->buffer;
    if (reader->end == 0)
        return error_set(reader->error, STATUS_FAILED, "%s: is empty; write the scores first",
                         reader->path);
    if (reader->end >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
        return error_set(reader->error, STATUS_FAILED, "%s: is UTF-16; save it as UTF-8",
                         reader->path);
    if (memchr(text, '\0', reader->end < 4096 ? reader->end : 4096))
        return error_set(reader->error, STATUS_FAILED,
                         "%s: holds zero bytes, so it is no text; give a CSV file in UTF-8",
                         reader->path);
    if (reader->end >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        reader->begin = 3;
    return STATUS_OK;
}

static Status read_header(Reader *reader)
{
    char *cursor = NULL, *stop = NULL;
    TRY(refill(reader));
    TRY(check_encoding(reader));
    TRY(next_record(reader, &cursor, &stop));
    for (bool more = cursor != NULL; more; reader->width++) {
        Field field;
        TRY(next_field(reader, &cursor, stop, &field));
        more = cursor < stop;
        cursor++;
        trim(&field);
        TRY(note_column(reader, &field));
    }
    if (reader->bare_scores)
        drop_role(reader, ROLE_MARGIN);
    const bool label = has_role(reader, ROLE_LABEL);
    if (!label || !has_role(reader, ROLE_FAKE))
        return fail(
            reader, label ? "has no column prob_class_1 or score" : "has no column labels or label",
            "the first line must name the columns: files,labels,prob_class_0,prob_class_1 or "
            "label,score");
    return STATUS_OK;
}

static Status bad_cell(const Reader *reader, const Column *column, const Field *field,
                       const char *why)
{
    const char *const *const names = role_names[column->role];
    return error_set(reader->error, STATUS_FAILED, "%s: line %zu, column %zu (%s): '%.*s' %s",
                     reader->path, reader->line, column->position + 1,
                     names[1] && !has_role(reader, ROLE_FILE) ? names[1] : names[0],
                     (int)(field->length < 60 ? field->length : 60), field->text, why);
}

static Status read_number(const Reader *reader, const Column *column, Field *field, double *value)
{
    if (!number_parse(field->text, field->length, value)) {
        trim(field);
        if (!number_parse(field->text, field->length, value))
            return bad_cell(reader, column, field,
                            column->role == ROLE_LABEL ? "is no label; write 0 for real, 1 for fake"
                                                       : "is no number; write it like 0.5");
    }
    if (!isfinite(*value))
        return bad_cell(reader, column, field, "is not finite; find out what produced it");
    return STATUS_OK;
}

static Status read_text(const Reader *reader, const Column *column, const Field *field,
                        const char **text)
{
    if (field->length == 0)
        return bad_cell(reader, column, field, "is empty; fill it in");
    if (memchr(field->text, '\0', field->length))
        return bad_cell(reader, column, field, "holds a zero byte; write text");
    *text = field->text;
    return STATUS_OK;
}

static Status read_cell(const Reader *reader, const Column *column, Field *field,
                        MetricsPrediction *row)
{
    double number = 0;
    switch (column->role) {
    case ROLE_LABEL:
        TRY(read_number(reader, column, field, &number));
        if (number != 0 && number != 1)
            return bad_cell(reader, column, field, "is no label; 0 is real and 1 is fake");
        row->label = number == 1;
        return STATUS_OK;
    case ROLE_FAKE:
        return read_number(reader, column, field, &row->fake);
    case ROLE_REAL:
        return read_number(reader, column, field, &row->real);
    case ROLE_FILE:
        return read_text(reader, column, field, &row->file);
    case ROLE_DATASET:
        return read_text(reader, column, field, &row->dataset);
    case ROLE_VIDEO: /* may be empty: written so for a file without a folder */
        return field->length > 0 ? read_text(reader, column, field, &row->video) : STATUS_OK;
    case ROLE_SOURCE: /* empty: what the path says */
        return field->length > 0 ? read_text(reader, column, field, &row->source) : STATUS_OK;
    case ROLE_MARGIN: /* empty: there is none */
        if (field->length == 0)
            return STATUS_OK;
        row->has_margin = true;
        return read_number(reader, column, field, &row->margin);
    case ROLES:
        break;
    }
    assert(0 && "a known role");
    return STATUS_FAILED;
}

/* Fills *row from the fields of a record; texts point into the buffer. */
static Status read_row(const Reader *reader, char *cursor, char *stop, MetricsPrediction *row)
{
    const Column *column = reader->columns, *const last = column + reader->column_count;
    size_t position = 0;
    for (bool more = true; more; position++) {
        Field field;
        TRY(next_field(reader, &cursor, stop, &field));
        more = cursor < stop;
        if (column < last && column->position == position) {
            field.text[field.length] = '\0'; /* over the comma or line end */
            TRY(read_cell(reader, column, &field, row));
            column++;
        }
        cursor++;
    }
    if (position != reader->width)
        return error_set(reader->error, STATUS_FAILED,
                         "%s: line %zu: has %zu columns, but the first line has %zu; put fields "
                         "that hold commas "
                         "in quotes",
                         reader->path, reader->line, position, reader->width);
    return STATUS_OK;
}

static Status read_rows(Reader *reader, const char *dataset, MetricsPredictions *predictions)
{
    Error inner = {0}; /* here, since clearing its seven kilobytes would cost more than a row */
    for (;;) {
        char *record = NULL, *stop = NULL;
        TRY(next_record(reader, &record, &stop));
        if (!record)
            break;
        if (record == stop) /* a blank line */
            continue;
        MetricsPrediction row = {.dataset = dataset};
        TRY(read_row(reader, record, stop, &row));
        const Status status = metrics_predictions_append(predictions, &row, &inner);
        if (status != STATUS_OK)
            return error_set(reader->error, status, "%s: line %zu: %s", reader->path, reader->line,
                             inner.message);
    }
    if (predictions->count == 0)
        return error_set(reader->error, STATUS_FAILED,
                         "%s: has no row below its header; write the scores first", reader->path);
    return STATUS_OK;
}

Status metrics_predictions_read(MetricsPredictions *predictions, const char *path, Error *error)
{
    assert(predictions && path && error);
    *predictions = metrics_predictions_empty();
    Reader reader = {.path = path, .capacity = FIRST_BUFFER, .next_line = 1, .error = error};
    reader.stream = fopen(path, "rbe");
    if (!reader.stream)
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be read: %s; check the path and its permissions", path,
                         strerror(errno));
    setvbuf(reader.stream, NULL, _IONBF, 0); /* reads go straight into our buffer */

    /* Without a column `dataset`, the file's name without folder and suffix. */
    char *const stem = strdup(file_name(path));
    char *const dot = stem ? strrchr(stem, '.') : NULL;
    if (dot && dot > stem)
        *dot = '\0';
    reader.buffer = malloc(reader.capacity + 1);
    Status status = STATUS_OK;
    if (!stem || !reader.buffer)
        status = error_set(error, STATUS_FAILED, "%s: no memory to read it; free some", path);
    if (status == STATUS_OK)
        status = read_header(&reader);
    if (status == STATUS_OK)
        status = read_rows(&reader, stem, predictions);
    if (status != STATUS_OK)
        metrics_predictions_free(predictions);
    free(reader.buffer);
    free(stem);
    fclose(reader.stream);
    return status;
}
