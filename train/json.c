/*
 * json.c - see json.h. Encoding is jansson's.
 */
#include "train/json.h"

#include "tensor/base/text.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool lost; /* a part of some document is missing */

void train_json_lose(void)
{
    atomic_store(&lost, true);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        train_json_lose();
    return memory;
}

void train_json_start(void)
{
    json_set_alloc_funcs(allocate, free);
}

bool train_json_complete(void)
{
    return !atomic_load(&lost);
}

void train_json_set(json_t *object, const char *key, json_t *value)
{
    json_t *name = train_json_string(key);
    if (json_object_set_new(object, json_string_value(name), value) != 0)
        train_json_lose();
    json_decref(name);
}

void train_json_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        train_json_lose();
}

Status train_json_write(json_t *document, FILE *stream, int digits, const char *what, Error *error)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION((size_t)digits);
    Status status = STATUS_OK;
    if (!document || !train_json_complete())
        status = error_set(error, STATUS_FAILED, "%s: out of memory for its JSON; free some memory",
                           what);
    else if (json_dumpf(document, stream, flags) != 0 || putc('\n', stream) == EOF)
        status = error_set(error, STATUS_FAILED,
                           "%s: its JSON cannot be written; free some memory or disk space", what);
    json_decref(document);
    return status;
}

Status train_json_save(json_t *document, const char *path, int digits, Error *error)
{
    FileWriter writer;
    Status status = file_begin(&writer, path, error);
    if (status != STATUS_OK) {
        json_decref(document);
        return status;
    }
    status = train_json_write(document, writer.stream, digits, path, error);
    if (status == STATUS_OK)
        return file_commit(&writer, error);
    file_abort(&writer);
    return status;
}

json_t *train_json_string(const char *text)
{
    json_t *string = json_string(text); /* NULL also if `text` is not UTF-8 */
    if (string)
        return string;
    char *copy = text_printed(text);
    if (copy)
        string = json_string(copy);
    free(copy);
    return string;
}

json_t *train_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *train_json_recipe(const char *recipe, json_t *(*value)(const char *text))
{
    json_t *object = json_object();
    char *copy = strdup(recipe);
    if (!copy)
        train_json_lose();
    for (char *rest = copy; rest;) {
        char *line = strsep(&rest, "\n");
        char *equals = strstr(line, " = ");
        if (line[0] == '#' || !equals)
            continue;
        *equals = '\0';
        train_json_set(object, line, value(equals + 3));
    }
    free(copy);
    return object;
}
