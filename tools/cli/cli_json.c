/*
 * cli_json.c - see cli_json.h. jansson encodes JSON; the text layout is ours.
 */
#include "tools/cli/cli_json.h"

#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_table.h"

#include <stdlib.h>
#include <string.h>

/* ---- text and numbers ------------------------------------------------------------------------ */

enum { MAX_COLUMNS = 16, MAX_INDENT = 32, MAX_TEXT = 200 };

/*
 * `text` escaped as by cli_print_escaped, shortened to MAX_TEXT bytes. The caller frees it; NULL
 * without memory.
 */
static char *shortened(const char *text)
{
    char *copy = text_printed(text);
    const size_t length = copy ? strlen(copy) : 0;
    if (length > MAX_TEXT) {
        size_t cut = MAX_TEXT - 3;
        while (((unsigned char)copy[cut] & 0xc0) == 0x80) /* not inside a UTF-8 character */
            cut--;
        memcpy(copy + cut, "...", 4);
    }
    return copy;
}

void cli_json_print_string(FILE *stream, const char *text)
{
    json_t *string = train_json_string(text);
    if (!string)
        train_json_lose();
    if (!string || json_dumpf(string, stream, JSON_ENCODE_ANY) != 0)
        fputs("null", stream);
    json_decref(string);
}

/* ---- readable text --------------------------------------------------------------------------- */

/* A value as one line. The caller frees it; NULL without memory. */
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

/*
 * Like format_value, but a missing value (NULL) is "-", and a failure is recorded by
 * train_json_lose.
 */
static char *value_text(const json_t *value)
{
    char *text = value ? format_value(value) : strdup("-");
    if (!text)
        train_json_lose();
    return text;
}

/*
 * Prints an array of objects as a table with the members of the first object as columns. Numbers
 * are right-aligned.
 */
static void print_table(FILE *stream, const json_t *rows, int indent)
{
    CliColumn columns[MAX_COLUMNS] = {0};
    Error error = {0};
    size_t count = 0, i;
    const char *name;
    json_t *value;
    const json_t *row;
    json_object_foreach(json_array_get(rows, 0), name, value)
    {
        if (count < MAX_COLUMNS)
            columns[count++] = (CliColumn){.heading = name, .unit = CLI_WORDS};
    }
    if (count == 0)
        return;
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++)
            if (json_is_number(json_object_get(row, columns[c].heading)))
                columns[c].unit = CLI_FIGURES;
    }
    CliTable *table = cli_table_create(NULL, columns, count);
    cli_table_indent(table, indent);
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++) {
            char *text = value_text(json_object_get(row, columns[c].heading));
            cli_table_words(table, text ? text : "?");
            free(text);
        }
    }
    if (cli_table_print(table, CLI_TEXT, stream, &error) != STATUS_OK)
        train_json_lose();
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
            char *text = value_text(value);
            fprintf(stream, "%s:%*s %s\n", name, width - (int)strlen(name), "", text ? text : "?");
            free(text);
        }
    }
}

void cli_json_print_text(FILE *stream, const json_t *object)
{
    print_object(stream, object, 0);
}

Status cli_json_show(json_t *document, bool json, FILE *stream, int digits, const char *what,
                     Error *error)
{
    if (json)
        return train_json_write(document, stream, digits, what, error);
    cli_json_print_text(stream, document);
    json_decref(document);
    return STATUS_OK;
}
