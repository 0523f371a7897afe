/*
 * cli_table.c - see cli_table.h.
 *
 * Cells are stored as numbers in a row-major array and formatted when the table is printed. Widths
 * are counted in code points, because names of data sets need not be ASCII. Failed allocations set
 * `broken`; printing reports them.
 */
#include "tools/cli/cli_table.h"

#include "tensor/base/mem.h"
#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "train/metrics/predictions.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct Cell {
    char *text;    /* of a text cell, else NULL */
    CliUnit unit;  /* of the number or of the interval's ends */
    bool rule;     /* before the row; used in its first cell */
    bool lowest;   /* of p: at most this */
    bool best;     /* see cli_table_best */
    double number; /* NaN in an interval cell */
    MetricsInterval interval;
} Cell;

struct CliTable {
    char *title;
    CliColumn *column; /* [columns], owning their texts */
    size_t columns, column_capacity;
    Cell *cells; /* [count], row by row */
    size_t count, capacity;
    bool rule_next;
    int digits;      /* after the point; 0: as the unit says */
    bool percent;    /* metrics in per cent */
    int indent;      /* blanks before each row */
    size_t unit_row; /* number (from 1) of the row with the unit `unit`; 0: none */
    CliUnit unit;
    bool broken; /* memory ran out */
};

static const char purpose[] = "a table";

/* ---- filling --------------------------------------------------------------------------------- */

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

CliTable *cli_table_create(const char *title, const CliColumn *columns, size_t count)
{
    Error error = {0};
    CliTable *table = mem_new(1, sizeof *table, purpose, &error);
    if (table && title)
        cli_table_title(table, "%s", title);
    for (size_t i = 0; i < count; i++)
        cli_table_column(table, columns[i]);
    return table;
}

void cli_table_free(CliTable *table)
{
    if (!table)
        return;
    for (size_t c = 0; c < table->columns; c++) {
        free((char *)table->column[c].key);
        free((char *)table->column[c].heading);
    }
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->column);
    free(table->cells);
    free(table->title);
    free(table);
}

void cli_table_column(CliTable *table, CliColumn column)
{
    Error error = {0};
    if (!table || table->broken)
        return;
    assert(table->count == 0 && (column.key || column.heading));
    if (mem_grow(&table->column, table->columns + 1, &table->column_capacity, sizeof *table->column,
                 purpose, &error) != STATUS_OK) {
        table->broken = true;
        return;
    }
    column.key = mem_copy(column.key ? column.key : column.heading, purpose, &error);
    column.heading =
        column.key ? mem_copy(column.heading ? column.heading : column.key, purpose, &error) : NULL;
    table->column[table->columns++] = column;
    table->broken = !column.heading;
}

/* True for the units that cli_table_digits applies to. */
static bool is_metric(CliUnit unit)
{
    return unit == CLI_METRIC || unit == CLI_FRACTION || unit == CLI_CHANGE;
}

/* Adds the next cell. NULL if the table is broken. */
static Cell *add_cell(CliTable *table)
{
    Error error = {0};
    if (!table || table->broken)
        return NULL;
    assert(table->columns > 0);
    if (mem_grow(&table->cells, table->count + 1, &table->capacity, sizeof *table->cells, purpose,
                 &error) != STATUS_OK) {
        table->broken = true;
        return NULL;
    }
    const CliUnit unit = table->column[table->count % table->columns].unit;
    const bool of_row = table->unit_row == table->count / table->columns + 1;
    const bool compound = unit >= CLI_INTERVAL;
    Cell *cell = &table->cells[table->count++];
    const bool takes = of_row && (compound || (table->unit == CLI_SCORE && is_metric(unit)));
    *cell = (Cell){.unit = takes      ? table->unit
                           : compound ? CLI_FRACTION
                                      : unit,
                   .rule = table->rule_next,
                   .number = NAN,
                   .interval = {NAN, NAN}};
    table->rule_next = false;
    return cell;
}

void cli_table_words(CliTable *table, const char *text)
{
    Error error = {0};
    Cell *cell = add_cell(table);
    if (!cell)
        return;
    cell->text = mem_copy(text, purpose, &error);
    table->broken = !cell->text;
}

void cli_table_count(CliTable *table, unsigned long long count)
{
    Cell *cell = add_cell(table);
    if (!cell)
        return;
    cell->unit = CLI_COUNT;
    cell->number = (double)count;
}

void cli_table_number(CliTable *table, double value)
{
    Cell *cell = add_cell(table);
    if (cell)
        cell->number = value;
}

void cli_table_p(CliTable *table, double p, bool lowest)
{
    Cell *cell = add_cell(table);
    if (!cell)
        return;
    cell->number = p;
    cell->lowest = lowest;
}

void cli_table_interval(CliTable *table, MetricsInterval interval)
{
    cli_table_estimate(table, NAN, interval);
}

void cli_table_estimate(CliTable *table, double value, MetricsInterval interval)
{
    Cell *cell = add_cell(table);
    if (!cell)
        return;
    assert(table->column[(table->count - 1) % table->columns].unit >= CLI_INTERVAL);
    cell->number = value;
    cell->interval = interval;
}

void cli_table_best(CliTable *table)
{
    if (!table || table->broken)
        return;
    assert(table->count > 0);
    table->cells[table->count - 1].best = true;
}

void cli_table_row_unit(CliTable *table, CliUnit unit)
{
    if (!table || table->columns == 0)
        return;
    table->unit = unit;
    table->unit_row = table->count / table->columns + 1;
}

void cli_table_digits(CliTable *table, int digits, bool percent)
{
    if (!table)
        return;
    table->digits = digits;
    table->percent = percent;
}

void cli_table_indent(CliTable *table, int indent)
{
    if (table)
        table->indent = indent;
}

void cli_table_rule(CliTable *table)
{
    if (table)
        table->rule_next = table->count > 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Formats a metric with `digits` after the point. */
static void format_metric(char out[CLI_NUMBER_SIZE], CliUnit unit, double value, int digits,
                          bool percent)
{
    snprintf(out, CLI_NUMBER_SIZE, unit == CLI_CHANGE ? "%+.*f" : "%.*f", digits,
             percent ? 100 * value : value);
}

/* Digits of a table's metrics, where `own` is the number without cli_table_digits. */
static int digits_of(const CliTable *table, int own)
{
    return table->digits > 0 ? table->digits : own - (table->percent ? 2 : 0);
}

bool cli_number(char out[CLI_NUMBER_SIZE], CliUnit unit, double value)
{
    const size_t size = CLI_NUMBER_SIZE;
    if (isnan(value))
        snprintf(out, size, "-");
    else if (unit == CLI_P)
        snprintf(out, size, value < 1e-4 ? "< 0.0001" : "%.4f", value);
    else if (unit == CLI_COUNT)
        snprintf(out, size, "%.0f", value);
    else if (unit == CLI_SCORE)
        snprintf(out, size, "%.6g", value);
    else
        format_metric(out, unit, value, unit == CLI_METRIC ? 6 : 4, false);
    return !isnan(value);
}

/* Formats the number of a cell as its table says. */
static bool format_cell(char out[CLI_NUMBER_SIZE], const CliTable *table, const Cell *cell)
{
    if (isnan(cell->number) || (!is_metric(cell->unit) && !cell->lowest))
        return cli_number(out, cell->unit, cell->number);
    if (cell->lowest)
        snprintf(out, CLI_NUMBER_SIZE, "<= %.1g", cell->number);
    else
        format_metric(out, cell->unit, cell->number,
                      digits_of(table, cell->unit == CLI_METRIC ? 6 : 4), table->percent);
    return true;
}

/* Formats an end of an interval of numbers with unit `unit`. */
static void format_end(char out[CLI_NUMBER_SIZE], const CliTable *table, CliUnit unit, double value)
{
    if (is_metric(unit))
        format_metric(out, unit, value, digits_of(table, 4), table->percent);
    else
        snprintf(out, CLI_NUMBER_SIZE, "%.4g", value);
}

static bool has_interval(const Cell *cell)
{
    return !isnan(cell->interval.lower) && !isnan(cell->interval.upper);
}

/* Prints the interval of a cell, if it has one, between `open`, `to` and `close`. */
static void print_interval(FILE *stream, const CliTable *table, const Cell *cell, const char *open,
                           const char *to, const char *close)
{
    char lower[CLI_NUMBER_SIZE], upper[CLI_NUMBER_SIZE];
    if (!has_interval(cell))
        return;
    format_end(lower, table, cell->unit, cell->interval.lower);
    format_end(upper, table, cell->unit, cell->interval.upper);
    fprintf(stream, "%s%s%s%s%s", open, lower, to, upper, close);
}

/* Prints a cell of a column with unit `unit` in readable form. */
static void print_readable(FILE *stream, const CliTable *table, const Cell *cell, CliUnit unit)
{
    char number[CLI_NUMBER_SIZE];
    const bool has_number = format_cell(number, table, cell);
    if (unit != CLI_INTERVAL)
        fputs(number, stream);
    if (unit == CLI_ESTIMATE && has_number && has_interval(cell))
        putc(' ', stream);
    if (unit == CLI_INTERVAL && !has_interval(cell))
        putc('-', stream);
    if (unit == CLI_INTERVAL || (unit == CLI_ESTIMATE && has_number))
        print_interval(stream, table, cell, "[", ", ", "]");
}

/* Prints all digits; nothing for NaN and infinity. */
static void print_exact(FILE *stream, double value)
{
    if (isfinite(value))
        fprintf(stream, "%.17g", value);
}

/* ---- renderers ------------------------------------------------------------------------------- */

static void escape_markdown(FILE *stream, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            fprintf(stream, "\\\\x%02X", (unsigned)(unsigned char)*p);
        else
            fprintf(stream, strchr("\\|*_`<>~", *p) ? "\\%c" : "%c", *p);
    }
}

static void escape_latex(FILE *stream, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            fprintf(stream, "\\textbackslash{}x%02X", (unsigned)(unsigned char)*p);
        else if (strchr("&%$#_{}", *p))
            fprintf(stream, "\\%c", *p);
        else if (p[0] == '<' && p[1] == '=') {
            fputs("$\\le$", stream);
            p++;
        } else if (*p == '\\')
            fputs("\\textbackslash{}", stream);
        else if (*p == '~')
            fputs("\\textasciitilde{}", stream);
        else if (*p == '^')
            fputs("\\textasciicircum{}", stream);
        else if (*p == '|')
            fputs("\\textbar{}", stream);
        else
            fprintf(stream, *p == '<' || *p == '>' ? "$%c$" : "%c", *p);
    }
}

static void escape_csv(FILE *stream, const char *text)
{
    metrics_predictions_write_field(stream, text, strlen(text));
}

/* A printed column: a column of the table, or one part of an interval or estimate. */
typedef struct Field {
    size_t column;
    int part; /* in exact formats: 0 value, 1 lower end, 2 upper end */
    bool right;
    int width; /* 0 in exact formats */
} Field;

/* The state of printing a table. */
typedef struct Print {
    const CliTable *table;
    const struct Renderer *renderer;
    FILE *stream;
    Field *fields; /* [field_count] */
    size_t field_count;
    char **texts; /* [rows + 1, field_count] escaped, headings first */
} Print;

static void markdown_rule(const Print *print)
{
    putc('|', print->stream);
    for (size_t f = 0; f < print->field_count; f++) {
        putc(print->fields[f].right ? '-' : ':', print->stream);
        for (int i = 0; i < print->fields[f].width; i++)
            putc('-', print->stream);
        fputs(print->fields[f].right ? ":|" : "-|", print->stream);
    }
    putc('\n', print->stream);
}

static void latex_begin(const Print *print)
{
    fputs("\\begin{tabular}{", print->stream);
    for (size_t f = 0; f < print->field_count; f++)
        putc(print->fields[f].right ? 'r' : 'l', print->stream);
    fputs("}\n\\toprule\n", print->stream);
}

static void latex_rule(const Print *print)
{
    fputs("\\midrule\n", print->stream);
}

/* ---- HTML ------------------------------------------------------------------------------------ */

/*
 * Classes of cells: word (text, left-aligned), long, key (main figure), interval, forest; the style
 * sheet is in tools/report/report_html.c. An undefined number is a dash with a tooltip.
 */

static void html_begin(const Print *print)
{
    const char *title = print->table->title;
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\"", print->stream);
    if (title) {
        fputs(" aria-label=\"", print->stream);
        text_print_xml(print->stream, title);
        fputs("\"><table>\n<caption><span>", print->stream);
        text_print_xml(print->stream, title);
        fputs("</span></caption>\n<thead>", print->stream);
    } else {
        fputs("><table>\n<thead>", print->stream);
    }
}

static void html_below_heads(const Print *print)
{
    fputs("</thead>\n<tbody>\n", print->stream);
}

enum { FOREST_WIDTH = 150, FOREST_HEIGHT = 18, FOREST_EDGE = 5 };

/* The position of a value on the axis of a forest plot, in pixels. */
static double forest_x(const CliColumn *column, double value)
{
    const double share = fmin(fmax((value - column->low) / (column->high - column->low), 0), 1);
    return FOREST_EDGE + share * (FOREST_WIDTH - 2 * FOREST_EDGE);
}

/* Writes a forest plot. Hidden from screen readers, since the numbers are in other cells. */
static void html_forest(FILE *stream, const CliColumn *column, const Cell *cell)
{
    const double middle = FOREST_HEIGHT / 2.0;
    if (!isfinite(cell->number))
        return;
    fprintf(stream,
            "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" aria-hidden=\"true\">"
            "<path class=\"track\" d=\"M%d %.1fH%d\"/>",
            FOREST_WIDTH, FOREST_HEIGHT, FOREST_WIDTH, FOREST_HEIGHT, FOREST_EDGE, middle,
            FOREST_WIDTH - FOREST_EDGE);
    if (column->low < 0 && column->high > 0)
        fprintf(stream, "<path class=\"zero\" d=\"M%.1f 0V%d\"/>", forest_x(column, 0),
                FOREST_HEIGHT);
    if (has_interval(cell))
        fprintf(stream, "<path class=\"range\" d=\"M%.1f %.1fH%.1f\"/>",
                forest_x(column, cell->interval.lower), middle,
                forest_x(column, cell->interval.upper));
    fprintf(stream, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/></svg>",
            forest_x(column, cell->number), middle);
}

static void html_number(FILE *stream, const CliTable *table, const Cell *cell)
{
    char number[CLI_NUMBER_SIZE];
    if (!format_cell(number, table, cell) || !isfinite(cell->number))
        fputs("<span class=\"none\" title=\"undefined\">&ndash;</span>", stream);
    else if (cell->unit == CLI_COUNT)
        fputs(cli_count((unsigned long long)cell->number), stream);
    else
        text_print_xml(stream, number);
}

/* Writes the contents of a cell. */
static void html_contents(FILE *stream, const CliTable *table, const CliColumn *column,
                          const Cell *cell)
{
    if (cell->text) {
        fputs(column->style == CLI_CODE ? "<code>" : cell->best ? "<b>" : "", stream);
        text_print_xml(stream, cell->text);
        fputs(column->style == CLI_CODE ? "</code>" : cell->best ? "</b>" : "", stream);
    } else if (column->unit == CLI_FOREST) {
        html_forest(stream, column, cell);
    } else if (column->unit == CLI_INTERVAL) {
        print_interval(stream, table, cell, "", " to ", "");
    } else {
        fputs(cell->best ? "<b>" : "", stream);
        html_number(stream, table, cell);
        fputs(cell->best ? "</b>" : "", stream);
        if (column->unit == CLI_ESTIMATE)
            print_interval(stream, table, cell, " <span class=\"interval\">", " to ", "</span>");
    }
}

static const char *html_class(const CliColumn *column, const Cell *cell)
{
    if (column->unit == CLI_WORDS)
        return column->style == CLI_LONG ? " class=\"word long\"" : " class=\"word\"";
    if (column->style == CLI_MAIN && isfinite(cell->number))
        return " class=\"key\"";
    return column->unit == CLI_INTERVAL ? " class=\"interval\""
           : column->unit == CLI_FOREST ? " class=\"forest\""
                                        : "";
}

static void html_row(const Print *print, size_t row)
{
    fputs("<tr>", print->stream);
    for (size_t f = 0; f < print->field_count; f++) {
        const CliColumn *column = &print->table->column[print->fields[f].column];
        if (row == 0) {
            fprintf(print->stream, "<th scope=\"col\"%s>",
                    column->unit == CLI_WORDS ? " class=\"word\"" : "");
            text_print_xml(print->stream, column->heading[0] ? column->heading : column->key);
            fputs("</th>", print->stream);
            continue;
        }
        const Cell *cell =
            &print->table->cells[(row - 1) * print->table->columns + print->fields[f].column];
        if (f == 0)
            fputs("<th scope=\"row\">", print->stream);
        else
            fprintf(print->stream, "<td%s>", html_class(column, cell));
        html_contents(print->stream, print->table, column, cell);
        fputs(f == 0 ? "</th>" : "</td>", print->stream);
    }
    fputs("</tr>\n", print->stream);
}

/* ---- the table of formats -------------------------------------------------------------------- */

/* The description of a format. Parts that are NULL are not printed. */
typedef struct Renderer {
    const char *word; /* value of --format; NULL: not selectable */
    bool exact;       /* keys and all digits, not aligned */
    bool has_text;    /* text may appear between tables */
    bool drawn;       /* has columns of unit CLI_FOREST */
    bool full;        /* prints all cells of columns with `once` */
    void (*escape)(FILE *stream, const char *text);
    const char *before_title, *after_title;
    const char *before, *between, *after; /* around the fields of a row */
    const char *before_best, *after_best; /* around a marked cell */
    const char *guarded; /* characters that need {} before them at the start of a row */
    void (*begin)(const Print *print);
    void (*below_heads)(const Print *print);
    void (*row)(const Print *print, size_t row); /* NULL: print_row */
    const char *rule;                            /* between groups of rows */
    const char *end;
} Renderer;

static const Renderer renderers[] = {
    [CLI_TEXT] = {.word = "text",
                  .has_text = true,
                  .escape = cli_print_escaped,
                  .before_title = "",
                  .after_title = "\n",
                  .before = "",
                  .between = "  ",
                  .after = "",
                  .before_best = "*",
                  .after_best = "",
                  .rule = "\n"},
    [CLI_MARKDOWN] = {.word = "md",
                      .has_text = true,
                      .escape = escape_markdown,
                      .before_title = "**",
                      .after_title = "**\n\n",
                      .before = "| ",
                      .between = " | ",
                      .after = " |",
                      .before_best = "**",
                      .after_best = "**",
                      .below_heads = markdown_rule},
    [CLI_LATEX] = {.word = "latex",
                   .escape = escape_latex,
                   .before_title = "% ",
                   .after_title = "\n",
                   .before = "",
                   .between = " & ",
                   .after = " \\\\",
                   .before_best = "\\textbf{",
                   .after_best = "}",
                   .guarded = "[*", /* would be read as options of the previous row */
                   .begin = latex_begin,
                   .below_heads = latex_rule,
                   .rule = "\\midrule\n",
                   .end = "\\bottomrule\n\\end{tabular}\n"},
    [CLI_CSV] = {.word = "csv",
                 .exact = true,
                 .full = true,
                 .escape = escape_csv,
                 .before = "",
                 .between = ",",
                 .after = ""},
    [CLI_HTML] = {.drawn = true,
                  .full = true,
                  .escape = text_print_xml,
                  .begin = html_begin,
                  .below_heads = html_below_heads,
                  .row = html_row,
                  .rule = "</tbody>\n<tbody>\n",
                  .end = "</tbody></table></div>\n"},
    [CLI_JSON] = {.word = "json"},
};
_Static_assert(COUNT_OF(renderers) == CLI_FORMATS, "a renderer for each format");

bool cli_format_parse(const char *word, CliFormat *format)
{
    for (int i = 0; i < CLI_FORMATS; i++)
        if (renderers[i].word && strcmp(word, renderers[i].word) == 0) {
            *format = (CliFormat)i;
            return true;
        }
    return false;
}

bool cli_format_is_exact(CliFormat format)
{
    return renderers[format].exact;
}

bool cli_format_has_text(CliFormat format)
{
    return renderers[format].has_text;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void list_fields(Print *print)
{
    for (size_t c = 0; c < print->table->columns; c++) {
        const CliColumn *column = &print->table->column[c];
        const bool right = column->unit != CLI_WORDS && column->unit != CLI_ESTIMATE;
        const bool parts = print->renderer->exact &&
                           (column->unit == CLI_INTERVAL || column->unit == CLI_ESTIMATE);
        const int first = parts && column->unit == CLI_INTERVAL ? 1 : 0;
        if (column->unit == CLI_FOREST && !print->renderer->drawn)
            continue;
        for (int part = first; part <= (parts ? 2 : 0) && !column->hidden; part++)
            print->fields[print->field_count++] = (Field){c, part, right, 0};
    }
}

static void print_head(const Print *print, const Field *field, FILE *stream)
{
    static const char *const suffixes[] = {"", "lower", "upper"};
    const CliColumn *column = &print->table->column[field->column];
    fputs(print->renderer->exact ? column->key : column->heading, stream);
    if (print->table->percent && !print->renderer->exact &&
        (is_metric(column->unit) || column->unit == CLI_ESTIMATE))
        fputs(" (%)", stream);
    if (field->part > 0)
        fprintf(stream, "%s%s", column->key[0] ? "_" : "", suffixes[field->part]);
}

/* True if the cells of all `once` columns up to `column` are equal to those of the row above. */
static bool repeats(const CliTable *table, const Cell *cells, size_t row, size_t column)
{
    if (row == 0 || !table->column[column].once)
        return false;
    for (size_t c = 0; c <= column; c++)
        if (table->column[c].once && !table->column[c].hidden &&
            strcmp(cells[c].text, (cells - table->columns)[c].text) != 0)
            return false;
    return true;
}

static void print_cell(const Print *print, const Field *field, const Cell *cell, FILE *stream)
{
    if (cell->text)
        fputs(cell->text, stream);
    else if (!print->renderer->exact)
        print_readable(stream, print->table, cell, print->table->column[field->column].unit);
    else
        print_exact(stream, field->part == 0   ? cell->number
                            : field->part == 1 ? cell->interval.lower
                                               : cell->interval.upper);
}

/* The escaped text of a field; row 0 is the heading. The caller frees it; NULL without memory. */
static char *field_text(const Print *print, size_t row, const Field *field)
{
    char *text = NULL, *escaped = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    if (row == 0) {
        print_head(print, field, stream);
    } else {
        const Cell *cells = &print->table->cells[(row - 1) * print->table->columns];
        if (print->renderer->full || !repeats(print->table, cells, row - 1, field->column))
            print_cell(print, field, &cells[field->column], stream);
    }
    if (fclose(stream) == 0 && text && (stream = open_memstream(&escaped, &size)) != NULL) {
        const Renderer *renderer = print->renderer;
        const bool best =
            row > 0 && renderer->before_best &&
            print->table->cells[(row - 1) * print->table->columns + field->column].best;
        fputs(best ? renderer->before_best : "", stream);
        renderer->escape(stream, text);
        fputs(best ? renderer->after_best : "", stream);
        if (fclose(stream) != 0) {
            free(escaped);
            escaped = NULL;
        }
    }
    free(text);
    return escaped;
}

/* The number of code points of a UTF-8 text. */
static int text_points(const char *text)
{
    int width = 0;
    for (const char *p = text; *p; p++)
        width += ((unsigned char)*p & 0xC0) != 0x80;
    return width;
}

static void print_row(const Print *print, size_t row)
{
    const Renderer *renderer = print->renderer;
    if (renderer->row) {
        renderer->row(print, row);
        return;
    }
    fprintf(print->stream, "%*s", print->table->indent, "");
    fputs(renderer->before, print->stream);
    for (size_t f = 0; f < print->field_count; f++) {
        const Field *field = &print->fields[f];
        const char *text = print->texts[row * print->field_count + f];
        const int space = field->width - text_points(text);
        const bool last = f + 1 == print->field_count;
        /* Plain text has no trailing blanks. */
        const bool padded = field->right || !last || renderer->after[0];
        if (f == 0 && renderer->guarded && text[0] && strchr(renderer->guarded, text[0]))
            fputs("{}", print->stream);
        if (field->right && space > 0)
            fprintf(print->stream, "%*s", space, "");
        fputs(text, print->stream);
        if (!field->right && padded && space > 0)
            fprintf(print->stream, "%*s", space, "");
        fputs(last ? renderer->after : renderer->between, print->stream);
    }
    putc('\n', print->stream);
}

static void print_rows(const Print *print, size_t rows)
{
    const Renderer *renderer = print->renderer;
    if (print->table->title && renderer->before_title) {
        fputs(renderer->before_title, print->stream);
        renderer->escape(print->stream, print->table->title);
        fputs(renderer->after_title, print->stream);
    }
    if (renderer->begin)
        renderer->begin(print);
    print_row(print, 0);
    if (renderer->below_heads)
        renderer->below_heads(print);
    for (size_t r = 0; r < rows; r++) {
        if (renderer->rule && print->table->cells[r * print->table->columns].rule)
            fputs(renderer->rule, print->stream);
        print_row(print, r + 1);
    }
    if (renderer->end)
        fputs(renderer->end, print->stream);
}

Status cli_table_print(CliTable *table, CliFormat format, FILE *stream, Error *error)
{
    assert(format != CLI_JSON);
    Print print = {.table = table, .renderer = &renderers[format], .stream = stream};
    size_t count = 0;
    Status status = STATUS_OK;
    if (!table || table->broken) {
        status = mem_full(0, purpose, error);
        goto done;
    }
    assert(table->columns > 0 && table->count % table->columns == 0);
    const size_t rows = table->count / table->columns;
    print.fields = mem_new(3 * table->columns, sizeof *print.fields, purpose, error);
    if (!print.fields) {
        status = error->status;
        goto done;
    }
    list_fields(&print);
    print.texts = mem_new((rows + 1) * print.field_count, sizeof *print.texts, purpose, error);
    if (!print.texts) {
        status = error->status;
        goto done;
    }
    for (; count < (rows + 1) * print.field_count; count++) {
        Field *field = &print.fields[count % print.field_count];
        char *text = field_text(&print, count / print.field_count, field);
        if (!text) {
            status = mem_full(0, purpose, error);
            goto done;
        }
        print.texts[count] = text;
        if (!print.renderer->exact && text_points(text) > field->width)
            field->width = text_points(text);
    }
    print_rows(&print, rows);
done:
    for (size_t i = 0; i < count; i++)
        free(print.texts[i]);
    free(print.texts);
    free(print.fields);
    cli_table_free(table);
    return status;
}
