/*
 * cli_table.c - see cli_table.h.
 *
 * Cells are kept as text in one row-major array; widths are counted when the table is printed, in code points, since
 * names of data sets need not be ASCII. Without memory the table remembers that, and printing reports it.
 */
#include "tools/cli/cli_table.h"

#include "tools/cli/cli.h"
#include "train/metrics/predictions.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Column {
    char *head;
    CliAlign align;
} Column;

typedef struct Cell {
    char *text;
    bool rule; /* precedes it; read of the first cell of a row */
} Cell;

struct CliTable {
    char *title;
    Column *column; /* [columns] */
    int columns;
    Cell *cells; /* [count], row by row */
    size_t count, capacity;
    bool rule_next;
    bool broken; /* memory ran out */
};

bool cli_format_parse(const char *word, CliFormat *format)
{
    static const char *const words[] = {
        [CLI_TEXT] = "text", [CLI_MARKDOWN] = "md", [CLI_LATEX] = "latex",
        [CLI_CSV] = "csv",   [CLI_JSON] = "json",
    };
    _Static_assert(sizeof words / sizeof words[0] == CLI_FORMATS, "a word for each format");
    for (int i = 0; i < CLI_FORMATS; i++)
        if (strcmp(word, words[i]) == 0) {
            *format = (CliFormat)i;
            return true;
        }
    return false;
}

CliTable *cli_table_create(const char *title)
{
    CliTable *const table = calloc(1, sizeof *table);
    if (table && title) {
        table->title = strdup(title);
        table->broken = !table->title;
    }
    return table;
}

void cli_table_title(CliTable *table, const char *format, ...)
{
    if (!table)
        return;
    assert(!table->title);
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&table->title, format, arguments) < 0) {
        table->title = NULL;
        table->broken = true;
    }
    va_end(arguments);
}

void cli_table_free(CliTable *table)
{
    if (!table)
        return;
    for (int c = 0; c < table->columns; c++)
        free(table->column[c].head);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->column);
    free(table->cells);
    free(table->title);
    free(table);
}

void cli_table_column(CliTable *table, const char *head, CliAlign align)
{
    if (!table || table->broken)
        return;
    assert(table->count == 0);
    Column *const grown = realloc(table->column, ((size_t)table->columns + 1) * sizeof *grown);
    table->broken = !grown;
    if (!grown)
        return;
    table->column = grown;
    grown[table->columns] = (Column){strdup(head), align};
    table->broken = !grown[table->columns++].head;
}

/* Makes room for one more cell. */
static bool grow(CliTable *table)
{
    const size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
    Cell *const grown = realloc(table->cells, capacity * sizeof *grown);
    if (!grown)
        return false;
    table->cells = grown;
    table->capacity = capacity;
    return true;
}

void cli_table_cell(CliTable *table, const char *format, ...)
{
    if (!table || table->broken)
        return;
    assert(table->columns > 0);
    if (table->count == table->capacity && !grow(table)) {
        table->broken = true;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        table->broken = true;
        return;
    }
    table->cells[table->count++] = (Cell){text, table->rule_next};
    table->rule_next = false;
}

void cli_table_exact(CliTable *table, double value)
{
    if (isfinite(value))
        cli_table_cell(table, "%.17g", value);
    else
        cli_table_cell(table, "%s", "");
}

void cli_table_rule(CliTable *table)
{
    if (table)
        table->rule_next = table->count > 0;
}

/* `text` as the format wants it inside a cell. The caller frees it; NULL without memory. */
static char *escape(const char *text, CliFormat format)
{
    char *escaped = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&escaped, &size);
    if (!stream)
        return NULL;
    if (format == CLI_CSV) {
        metrics_predictions_write_field(stream, text, strlen(text));
    } else if (format == CLI_TEXT) {
        cli_print_escaped(stream, text);
    } else {
        for (const char *p = text; *p; p++) {
            if ((unsigned char)*p < 0x20 || *p == 0x7F)
                fprintf(stream, format == CLI_LATEX ? "\\textbackslash{}x%02X" : "\\\\x%02X",
                        (unsigned)(unsigned char)*p);
            else if (format == CLI_MARKDOWN && strchr("\\|*_`<>~", *p))
                fprintf(stream, "\\%c", *p);
            else if (format == CLI_LATEX && strchr("&%$#_{}", *p))
                fprintf(stream, "\\%c", *p);
            else if (format == CLI_LATEX && *p == '\\')
                fputs("\\textbackslash{}", stream);
            else if (format == CLI_LATEX && *p == '~')
                fputs("\\textasciitilde{}", stream);
            else if (format == CLI_LATEX && *p == '^')
                fputs("\\textasciicircum{}", stream);
            else if (format == CLI_LATEX && *p == '|')
                fputs("\\textbar{}", stream);
            else if (format == CLI_LATEX && (*p == '<' || *p == '>'))
                fprintf(stream, "$%c$", *p);
            else
                putc(*p, stream);
        }
    }
    if (fclose(stream) != 0) {
        free(escaped);
        return NULL;
    }
    return escaped;
}

/* Code points of a UTF-8 text. */
static int cell_width(const char *text)
{
    int width = 0;
    for (const char *p = text; *p; p++)
        width += ((unsigned char)*p & 0xC0) != 0x80;
    return width;
}

/* What separates cells and rows in each aligned format. */
typedef struct Frame {
    const char *before, *between, *after;
} Frame;

static const Frame frames[CLI_FORMATS] = {
    [CLI_TEXT] = {"", "  ", ""},        [CLI_MARKDOWN] = {"| ", " | ", " |"},
    [CLI_LATEX] = {"", " & ", " \\\\"}, [CLI_CSV] = {"", ",", ""},
    [CLI_JSON] = {"", "", ""},
};

/* The printing of one table: all texts escaped, heads first. */
typedef struct Print {
    const CliTable *table;
    CliFormat format;
    FILE *stream;
    char *title;  /* NULL: none */
    char **texts; /* [(rows + 1) columns] */
    int *widths;  /* [columns] 0 in CSV */
} Print;

static void print_row(const Print *print, size_t row)
{
    const size_t columns = (size_t)print->table->columns;
    const Frame *const frame = &frames[print->format];
    fputs(frame->before, print->stream);
    for (size_t c = 0; c < columns; c++) {
        const char *const text = print->texts[row * columns + c];
        const int space = print->widths[c] - cell_width(text);
        const bool right = print->table->column[c].align == CLI_RIGHT;
        /* No blanks at the end of a line of plain text. */
        const bool padded = right || c + 1 < columns || frame->after[0];
        /* LaTeX takes these two behind the end of a row for options of it. */
        if (c == 0 && print->format == CLI_LATEX && (text[0] == '[' || text[0] == '*'))
            fputs("{}", print->stream);
        if (right && space > 0)
            fprintf(print->stream, "%*s", space, "");
        fputs(text, print->stream);
        if (!right && padded && space > 0)
            fprintf(print->stream, "%*s", space, "");
        fputs(c + 1 < columns ? frame->between : frame->after, print->stream);
    }
    putc('\n', print->stream);
}

static void print_markdown_rule(const Print *print)
{
    putc('|', print->stream);
    for (int c = 0; c < print->table->columns; c++) {
        const bool right = print->table->column[c].align == CLI_RIGHT;
        putc(right ? '-' : ':', print->stream);
        for (int i = 0; i < print->widths[c]; i++)
            putc('-', print->stream);
        putc(right ? ':' : '-', print->stream);
        putc('|', print->stream);
    }
    putc('\n', print->stream);
}

static void print_latex_begin(const Print *print)
{
    fputs("\\begin{tabular}{", print->stream);
    for (int c = 0; c < print->table->columns; c++)
        putc(print->table->column[c].align == CLI_RIGHT ? 'r' : 'l', print->stream);
    fputs("}\n\\toprule\n", print->stream);
}

static void print_title(const Print *print)
{
    if (print->format != CLI_CSV)
        fprintf(print->stream,
                print->format == CLI_MARKDOWN ? "**%s**\n\n"
                : print->format == CLI_LATEX  ? "%% %s\n"
                                              : "%s\n",
                print->title);
}

static void print_rows(const Print *print)
{
    const CliTable *const table = print->table;
    const size_t rows = table->count / (size_t)table->columns;
    if (print->title)
        print_title(print);
    if (print->format == CLI_LATEX)
        print_latex_begin(print);
    print_row(print, 0);
    if (print->format == CLI_MARKDOWN)
        print_markdown_rule(print);
    if (print->format == CLI_LATEX)
        fputs("\\midrule\n", print->stream);
    for (size_t r = 0; r < rows; r++) {
        const bool rule = table->cells[r * (size_t)table->columns].rule;
        if (rule && print->format == CLI_LATEX)
            fputs("\\midrule\n", print->stream);
        if (rule && print->format == CLI_TEXT)
            putc('\n', print->stream);
        print_row(print, r + 1);
    }
    if (print->format == CLI_LATEX)
        fputs("\\bottomrule\n\\end{tabular}\n", print->stream);
}

Status cli_table_print(const CliTable *table, CliFormat format, FILE *stream, Error *error)
{
    assert(format != CLI_JSON && (!table || table->broken || table->columns > 0));
    bool complete = table && !table->broken;
    assert(!complete || table->count % (size_t)table->columns == 0);
    const size_t columns = complete ? (size_t)table->columns : 0;
    const size_t count = complete ? columns + table->count : 0;
    Print print = {.table = table, .format = format, .stream = stream};
    print.texts = calloc(count + 1, sizeof *print.texts);
    print.widths = calloc(columns + 1, sizeof *print.widths);
    if (complete && table->title)
        complete = (print.title = escape(table->title, format)) != NULL;
    complete = complete && print.texts && print.widths;
    for (size_t i = 0; i < count && complete; i++) {
        print.texts[i] =
            escape(i < columns ? table->column[i].head : table->cells[i - columns].text, format);
        complete = print.texts[i] != NULL;
        const int width = complete && format != CLI_CSV ? cell_width(print.texts[i]) : 0;
        if (width > print.widths[i % columns])
            print.widths[i % columns] = width;
    }
    if (complete)
        print_rows(&print);
    for (size_t i = 0; i < count && print.texts; i++)
        free(print.texts[i]);
    free(print.texts);
    free(print.title);
    free(print.widths);
    return complete ? STATUS_OK
                    : error_set(error, STATUS_FAILED, "table: no memory for it; free some");
}
