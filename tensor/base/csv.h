/*
 * csv.h - reads tables as text: RFC 4180, with comma, semicolon or tab between the fields.
 *
 * One pass over the file. It streams through a buffer that holds at least one record, so memory
 * does not grow with the file, and fields are used in place. Strict where an error could change a
 * value (quotes, encoding), tolerant elsewhere: CRLF, a UTF-8 BOM, blank lines and a missing last
 * newline are accepted. The separator is the one that the first line has most of outside quotes; a
 * comma if it has none. One reader is for one thread.
 *
 * Tests: tests/test_predictions.c, tests/test_list_table.c.
 */
#ifndef LNCLIP_TENSOR_BASE_CSV_H
#define LNCLIP_TENSOR_BASE_CSV_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct CsvField {
    char *text; /* NUL-terminated; valid until the next record */
    size_t length;
} CsvField;

typedef struct CsvReader {
    const char *path;       /* borrowed */
    size_t line, next_line; /* first line of the current record and of the next one, from 1 */
    char separator;
    FILE *stream;
    char *buffer; /* [capacity + 1] */
    size_t capacity;
    size_t begin, end;   /* bytes read but not yet used */
    bool at_end;         /* end of the file reached */
    char *cursor, *stop; /* the rest of the current record; cursor > stop after its last field */
} CsvReader;

/*
 * Opens a file and finds its separator. STATUS_FAILED if it cannot be read, is empty, is UTF-16, or
 * has a zero byte near its beginning. After success the caller calls csv_close; after a failure
 * nothing must be closed.
 */
Status csv_open(CsvReader *reader, const char *path, Error *error);
void csv_close(CsvReader *reader);

/*
 * Moves to the next record; *any is false at the end of the file. STATUS_FAILED, with path and
 * line, for a read error, an unclosed quote or a record longer than 64 MiB.
 */
Status csv_record(CsvReader *reader, bool *any, Error *error);

/*
 * True if the current record has another field, which csv_field reads, unquoted. STATUS_FAILED,
 * with path and line, for text after a closing quote.
 */
static inline bool csv_more(const CsvReader *reader)
{
    return reader->cursor <= reader->stop;
}
Status csv_field(CsvReader *reader, CsvField *field, Error *error);

/* Drops blanks and tabs at both ends of the field. */
void csv_trim(CsvField *field);

#endif
