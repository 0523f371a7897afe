/*
 * cli_table.h - one result, one table: printed for a terminal, a README, a paper or a program.
 *
 * A command describes the columns (key, heading, unit), fills in numbers row by row, and prints
 * once. How a number looks follows from its unit and from the format alone: people get few digits
 * and "-" for what is undefined, programs get keys as heads, all digits, and an empty field. Each
 * format is one row of the table of renderers in cli_table.c, which escapes what would break it.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_TABLE_H
#define LNCLIP_TOOLS_CLI_CLI_TABLE_H

#include "train/metrics/metrics.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum CliFormat {
    CLI_TEXT,     /* columns aligned by spaces; control characters escaped */
    CLI_MARKDOWN, /* a pipe table, aligned in its source too */
    CLI_LATEX,    /* tabular with booktabs' rules */
    CLI_CSV,      /* RFC 4180, with the keys as first line and no title */
    CLI_JSON,     /* for commands that print JSON of their own: no format of a table (asserted) */
    CLI_FORMATS
} CliFormat;

/* text, md, latex, csv, json. False for any other word. */
bool cli_format_parse(const char *word, CliFormat *format);

/*
 * Whether a format is for programs: keys as heads and all digits. A command then prints one table
 * of everything, else tables with titles.
 */
bool cli_format_is_exact(CliFormat format);

/* Whether a line of text may follow a table of this format. */
bool cli_format_has_text(CliFormat format);

/* The words of cli_format_parse, for help and messages. */
#define CLI_FORMAT_WORDS "text, md, latex, csv or json"

/* What a column holds, and how people see it. */
typedef enum CliUnit {
    CLI_WORDS,    /* text, to the left */
    CLI_FIGURES,  /* text that is aligned like numbers */
    CLI_COUNT,    /* a number of things */
    CLI_FRACTION, /* 0.9123 */
    CLI_METRIC,   /* 0.912345 */
    CLI_SCORE,    /* 0.912345 or 12.3457: on the scale of the scores, whatever that is */
    CLI_CHANGE,   /* +0.0123 */
    CLI_P,        /* 0.0123, or < 0.0001, since no p of 0 was measured */
    CLI_INTERVAL, /* [0.8801, 0.9377]; for programs two columns, KEY_lower and KEY_upper */
    CLI_ESTIMATE, /* 0.9123 [0.8801, 0.9377]; for programs KEY and the two of an interval */
} CliUnit;

typedef struct CliColumn {
    const char *key;     /* for programs; NULL: the heading. Of an interval "": lower and upper */
    const char *heading; /* for people; NULL: the key */
    CliUnit unit;
    bool hidden; /* filled like the others, but not printed */
} CliColumn;

enum { CLI_NUMBER_SIZE = 64 };

/* Writes `value` as people see it. False, with "-", if it is NaN. For what is no table, such as
 * HTML. */
bool cli_number(char out[CLI_NUMBER_SIZE], CliUnit unit, double value);

typedef struct CliTable CliTable;

/*
 * An empty table of columns [count]; title (NULL for none), keys and headings are copied. NULL
 * without memory: every function below accepts that.
 */
CliTable *cli_table_create(const char *title, const CliColumn *columns, size_t count);
void cli_table_free(CliTable *table);

/* Gives a table that has no title (asserted) one of any length. */
void cli_table_title(CliTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a column. All columns come before the first cell (asserted). */
void cli_table_column(CliTable *table, CliColumn column);

/*
 * Each adds a cell: cells fill rows from the left, and a full row is followed by the next. Texts
 * are copied; of numbers, NaN is undefined. An interval or estimate belongs into a column of that
 * unit (asserted).
 */
void cli_table_words(CliTable *table, const char *text);
void cli_table_count(CliTable *table, unsigned long long count);
void cli_table_number(CliTable *table, double value);
void cli_table_interval(CliTable *table, MetricsInterval interval);
void cli_table_estimate(CliTable *table, double value, MetricsInterval interval);

/* In the row being filled, intervals and the numbers of CLI_METRIC columns have
 * this unit instead. */
void cli_table_row_unit(CliTable *table, CliUnit unit);

/* Puts blanks before each row: for a table within other text. */
void cli_table_indent(CliTable *table, int indent);

/* A rule before the next row (a blank line in text, none in CSV and Markdown). */
void cli_table_rule(CliTable *table);

/*
 * Prints the table and frees it. STATUS_FAILED if memory ran out while it was filled; write errors
 * stay with the stream (cli_finish reports them).
 */
Status cli_table_print(CliTable *table, CliFormat format, FILE *stream, Error *error);

#endif
