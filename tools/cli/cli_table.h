/*
 * cli_table.h - one table, printed for a terminal, a README, a paper or a program.
 *
 * A table is filled cell by cell and printed once. Cells are text: how many digits a number deserves is known
 * where it comes from. Every format escapes what would break it.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_TABLE_H
#define LNCLIP_TOOLS_CLI_CLI_TABLE_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum CliFormat {
    CLI_TEXT,     /* columns aligned by spaces; control characters escaped */
    CLI_MARKDOWN, /* a pipe table, aligned in its source too */
    CLI_LATEX,    /* tabular with booktabs' rules */
    CLI_CSV,      /* RFC 4180, with the heads as first line and no title */
    CLI_JSON,     /* for commands that print JSON of their own: no format of a table (asserted) */
    CLI_FORMATS
} CliFormat;

/* text, md, latex, csv, json. False for any other word. */
bool cli_format_parse(const char *word, CliFormat *format);

/* The words of cli_format_parse, for help and messages. */
#define CLI_FORMAT_WORDS "text, md, latex, csv or json"

typedef enum CliAlign { CLI_LEFT, CLI_RIGHT } CliAlign;

typedef struct CliTable CliTable;

/* An empty table. `title` is copied; NULL for none. NULL without memory: every function below accepts that. */
CliTable *cli_table_create(const char *title);
void cli_table_free(CliTable *table);

/* Gives a table that has no title (asserted) one of any length. */
void cli_table_title(CliTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a column. All columns come before the first cell (asserted). `head` is copied. */
void cli_table_column(CliTable *table, const char *head, CliAlign align);

/* Adds a cell: cells fill rows from the left, and a full row is followed by the next. Text is copied. */
void cli_table_cell(CliTable *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number for programs: all its digits, nothing if it is not finite. */
void cli_table_exact(CliTable *table, double value);

/* A rule before the next row (a blank line in text, none in CSV and Markdown). */
void cli_table_rule(CliTable *table);

/*
 * Prints the table. STATUS_FAILED if memory ran out while it was filled; write errors stay with the stream
 * (cli_finish reports them).
 */
Status cli_table_print(const CliTable *table, CliFormat format, FILE *stream, Error *error);

#endif
