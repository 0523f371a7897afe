/*
 * cli_table.h - tables of results, printed as text, Markdown, LaTeX, CSV or HTML.
 *
 * A command defines the columns (key, heading, unit), adds cells row by row, and prints the table
 * once. Unit and format determine how a number is printed: readable formats have few digits and "-"
 * for undefined values; exact formats have keys as headings, all digits and empty fields. Each
 * format is a row of the renderer table in cli_table.c, with its escaping.
 *
 * Tests: tests/test_auc.sh, tests/test_eval.sh, tests/test_report.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_TABLE_H
#define LNCLIP_TOOLS_CLI_CLI_TABLE_H

#include "train/metrics/metrics.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum CliFormat {
    CLI_TEXT,     /* columns aligned with spaces; control characters escaped */
    CLI_MARKDOWN, /* a pipe table, aligned in the source */
    CLI_LATEX,    /* tabular with the rules of booktabs */
    CLI_CSV,      /* RFC 4180; keys as first line, no title */
    CLI_HTML,     /* a <table> in a scrollable box; for report.html, not a value of --format */
    CLI_JSON,     /* printed by the commands; not for cli_table_print (asserted) */
    CLI_FORMATS
} CliFormat;

/* Parses text, md, latex, csv or json. False for any other name. */
bool cli_format_parse(const char *word, CliFormat *format);

/*
 * True for a format for programs, with keys as headings and all digits. Commands then print a
 * single table.
 */
bool cli_format_is_exact(CliFormat format);

/* True if a line of text may follow a table in this format. */
bool cli_format_has_text(CliFormat format);

/* The names of the formats, for help texts and messages. */
#define CLI_FORMAT_WORDS "text, md, latex, csv or json"

/* The contents of a column and its readable form. */
typedef enum CliUnit {
    CLI_WORDS,    /* text, left-aligned */
    CLI_FIGURES,  /* text, right-aligned like numbers */
    CLI_COUNT,    /* an integer; 1,234 in HTML */
    CLI_FRACTION, /* 0.9123 */
    CLI_METRIC,   /* 0.912345 */
    CLI_SCORE,    /* 0.912345 or 12.3457: any scale of scores */
    CLI_CHANGE,   /* +0.0123 */
    CLI_P,        /* 0.0123, < 0.0001, or <= 0.001 (cli_table_p) */
    CLI_INTERVAL, /* [0.8801, 0.9377]; if exact, two columns, KEY_lower and KEY_upper */
    CLI_ESTIMATE, /* 0.9123 [0.8801, 0.9377]; if exact, KEY, KEY_lower, KEY_upper */
    CLI_FOREST,   /* HTML only: a dot on an axis, and its interval as a line */
} CliUnit;

/* How HTML shows the cells of a column. */
typedef enum CliStyle {
    CLI_PLAIN,
    CLI_MAIN, /* the main figures of the table: bold */
    CLI_LONG, /* long text, broken into lines */
    CLI_CODE, /* monospaced */
} CliStyle;

typedef struct CliColumn {
    const char *key;     /* for exact formats; NULL: the heading; "" of an interval: lower, upper */
    const char *heading; /* for readable formats; NULL: the key */
    CliUnit unit;
    bool hidden;      /* has cells, but is not printed */
    bool once;        /* text, Markdown and LaTeX: empty where it repeats the row above */
    CliStyle style;   /* HTML only */
    double low, high; /* ends of the axis; CLI_FOREST only */
} CliColumn;

enum { CLI_NUMBER_SIZE = 64 };

/* Formats `value` as in a readable table, without the thousands separators of HTML. NaN gives "-"
 * and false. */
bool cli_number(char out[CLI_NUMBER_SIZE], CliUnit unit, double value);

typedef struct CliTable CliTable;

/*
 * Creates an empty table of columns [count]. The title (NULL for none), keys and headings are
 * copied. NULL without memory; all functions below accept NULL.
 */
CliTable *cli_table_create(const char *title, const CliColumn *columns, size_t count);
void cli_table_free(CliTable *table);

/* Sets the title of a table without one (asserted). */
void cli_table_title(CliTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a column. Not allowed after the first cell (asserted). */
void cli_table_column(CliTable *table, CliColumn column);

/*
 * Each adds a cell; cells fill one row after the other. Text is copied; NaN means undefined. An
 * interval or estimate needs a column of that unit or CLI_FOREST (asserted). The first printed cell
 * of a row is its heading in HTML.
 */
void cli_table_words(CliTable *table, const char *text);
void cli_table_count(CliTable *table, unsigned long long count);
void cli_table_number(CliTable *table, double value);
void cli_table_p(CliTable *table, double p, bool lowest); /* lowest: p is at most this */
void cli_table_interval(CliTable *table, MetricsInterval interval);
void cli_table_estimate(CliTable *table, double value, MetricsInterval interval);

/*
 * Marks the last cell as the best of its column: bold in Markdown, LaTeX and HTML, "*" before it in
 * text.
 */
void cli_table_best(CliTable *table);

/* Sets the unit of intervals in the current row; CLI_SCORE: also that of metrics and changes. */
void cli_table_row_unit(CliTable *table, CliUnit unit);

/* Indents each row by a number of blanks. */
void cli_table_indent(CliTable *table, int indent);

/*
 * Prints metrics, changes and the ends of their intervals with `digits` digits after the point (0:
 * as the unit says), and in per cent if `percent`, with "(%)" in the headings of their columns. No
 * effect in exact formats and HTML, and on counts, scores and p.
 */
void cli_table_digits(CliTable *table, int digits, bool percent);

/* Adds a rule before the next row (a blank line in text; none in CSV and Markdown; in HTML a new
 * group of rows). */
void cli_table_rule(CliTable *table);

/*
 * Prints the table and frees it. STATUS_FAILED if memory ran out. Write errors are left in the
 * stream (cli_finish reports them).
 */
Status cli_table_print(CliTable *table, CliFormat format, FILE *stream, Error *error);

#endif
