/*
 * cli_json.c - see cli_json.h. Encoding is jansson's; only the layout for people is ours.
 */
#include "tools/cli/cli_json.h"

#include "tensor/base/text.h"
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* ---- text and numbers ------------------------------------------------------------------------ */

enum { MAX_COLUMNS = 16, MAX_INDENT = 32, MAX_TEXT = 200 };

/*
 * `text` as cli_print_escaped shows it, cut where it would fill the screen (a list of thousands of
 * paths). The caller frees it.
 */
static char *shortened(const char *text)
{
    char *const copy = text_printed(text);
    const size_t length = copy ? strlen(copy) : 0;
    if (length > MAX_TEXT) {
        size_t cut = MAX_TEXT - 3;
        while (((unsigned char)copy[cut] & 0xc0) == 0x80) /* not inside a character */
            cut--;
        memcpy(copy + cut, "...", 4);
    }
    return copy;
}

void cli_json_print_string(FILE *stream, const char *text)
{
    json_t *const string = train_json_string(text);
    if (!string)
        train_json_lose();
    if (!string || json_dumpf(string, stream, JSON_ENCODE_ANY) != 0)
        fputs("null", stream);
    json_decref(string);
}

/* ---- text for people ------------------------------------------------------------------------- */

/* One value on one line, in memory the caller frees; NULL without memory. */
static char *format_value(const json_t *value)
{
    char number[32];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return shortened(json_string_value(value));
    case JSON_INTEGER:
        return strdup(cli_count((unsigned long long)json_integer_value(value)));
    case JSON_REAL:
        snprintf(number, sizeof number, "%.6g", json_real_value(value));
        return strdup(number);
    case JSON_TRUE:
        return strdup("yes");
    case JSON_FALSE:
        return strdup("no");
    case JSON_NULL:
        return strdup("-");
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return json_dumps(value, JSON_COMPACT);
}

/* The same; a failure is remembered. A row may lack a member: that is null. */
static char *value_text(const json_t *value)
{
    char *const text = value ? format_value(value) : strdup("-");
    if (!text)
        train_json_lose();
    return text;
}

/* One column of a table. Numbers stand right, everything else left. */
typedef struct Column {
    const char *name; /* borrowed from the first row */
    int width;
    bool right;
} Column;

static void measure(Column *column, const json_t *value)
{
    char *const text = value_text(value);
    const int width = text ? (int)strlen(text) : 0;
    column->width = width > column->width ? width : column->width;
    column->right |= json_is_number(value);
    free(text);
}

/* One cell; nothing is padded at the end of a line. */
static void print_cell(FILE *stream, const Column *column, const char *text, bool last)
{
    const int width = last && !column->right ? 0 : column->width;
    fprintf(stream, "%*s%s", column->right ? width : -width, text, last ? "\n" : "  ");
}

/* An array of objects that all have the members of the first. */
static void print_table(FILE *stream, const json_t *rows, int indent)
{
    Column columns[MAX_COLUMNS] = {0};
    int count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json_array_get(rows, 0), name, value)
    {
        if (count < MAX_COLUMNS)
            columns[count++] = (Column){name, (int)strlen(name), false};
    }
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row)
    {
        for (int c = 0; c < count; c++)
            measure(&columns[c], json_object_get(row, columns[c].name));
    }
    fprintf(stream, "%*s", indent, "");
    for (int c = 0; c < count; c++)
        print_cell(stream, &columns[c], columns[c].name, c + 1 == count);
    json_array_foreach(rows, i, row)
    {
        fprintf(stream, "%*s", indent, "");
        for (int c = 0; c < count; c++) {
            char *const text = value_text(json_object_get(row, columns[c].name));
            print_cell(stream, &columns[c], text ? text : "?", c + 1 == count);
            free(text);
        }
    }
}

static void print_object(FILE *stream, const json_t *object, int indent)
{
    int width = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const int length = (int)strlen(name);
        width = length > width && !json_is_object(value) ? length : width;
    }
    json_object_foreach((json_t *)object, name, value)
    {
        fprintf(stream, "%*s", indent, "");
        if (json_is_object(json_array_get(value, 0))) {
            fprintf(stream, "%s:\n", name);
            print_table(stream, value, indent + 2);
        } else if (json_object_size(value) > 0 && indent < MAX_INDENT) {
            fprintf(stream, "%s:\n", name);
            print_object(stream, value, indent + 2);
        } else {
            char *const text = value_text(value);
            fprintf(stream, "%s:%*s %s\n", name, width - (int)strlen(name), "", text ? text : "?");
            free(text);
        }
    }
}

void cli_json_print_text(FILE *stream, const json_t *object)
{
    print_object(stream, object, 0);
}
