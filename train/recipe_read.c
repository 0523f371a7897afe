/*
 * recipe_read.c - recipe files: see recipe.h.
 */
#include "tensor/base/file.h"
#include "train/recipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 128 };

/* Cuts spaces and tabs from both ends of [*begin, *end). */
static void trim(char **begin, char **end)
{
    while (*begin < *end && strchr(" \t\r", **begin))
        (*begin)++;
    while (*end > *begin && strchr(" \t\r", (*end)[-1]))
        (*end)--;
}

/* Where the setting of a line ends: before a '#' that begins it or follows a space. */
static char *before_comment(char *line, char *end)
{
    for (char *p = line; p < end; p++)
        if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t'))
            return p;
    return end;
}

/* One line of a recipe file, in a form that may be changed. `seen` has one mark a key. */
static Status read_line(TrainRecipe *recipe, char *line, char *end, bool seen[MAX_KEYS],
                        Error *error)
{
    end = before_comment(line, end);
    trim(&line, &end);
    if (line == end)
        return STATUS_OK;
    char *const equals = memchr(line, '=', (size_t)(end - line));
    if (!equals || memchr(line, '\0', (size_t)(end - line)))
        return error_set(error, STATUS_FAILED,
                         "is not of the form key = value; write one setting a line");
    char *key_end = equals, *value = equals + 1;
    trim(&line, &key_end);
    trim(&value, &end);
    *key_end = *end = '\0';
    if (strcmp(line, "recipe") == 0) {
        for (int i = 0; i < MAX_KEYS; i++)
            if (seen[i])
                return error_set(error, STATUS_FAILED,
                                 "recipe = %s would undo the lines above; move it to "
                                 "the top",
                                 value);
        return train_recipe_named(recipe, value, error);
    }
    if (strcmp(line, "augment") == 0)
        for (int i = 0; train_recipe_key(i); i++)
            if (seen[i] && strncmp(train_recipe_key(i), "augment.", 8) == 0)
                return error_set(error, STATUS_FAILED,
                                 "augment = %s would undo %s above; move it before that", value,
                                 train_recipe_key(i));
    TRY(train_recipe_set(recipe, line, value, error));
    int index = 0;
    while (strcmp(train_recipe_key(index), line) != 0)
        index++;
    assert(index < MAX_KEYS);
    if (seen[index])
        return error_set(error, STATUS_FAILED, "%s is set a second time; keep one of the two",
                         line);
    seen[index] = true;
    return STATUS_OK;
}

Status train_recipe_read(TrainRecipe *recipe, const char *path, Error *error)
{
    assert(recipe && path && error);
    enum { LARGEST_RECIPE = 1 << 20 };
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, LARGEST_RECIPE, &content, &size, error));
    bool seen[MAX_KEYS] = {false};
    char *line = content, *const end = content + size;
    if (size >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3;
    Status status = STATUS_OK;
    for (int number = 1; line < end && status == STATUS_OK; number++) {
        char *const newline = memchr(line, '\n', (size_t)(end - line));
        char *const stop = newline ? newline : end;
        Error inner = {0};
        status = read_line(recipe, line, stop, seen, &inner);
        if (status != STATUS_OK)
            error_set(error, status, "%s: line %d: %s", path, number, inner.message);
        line = stop + 1;
    }
    free(content);
    return status;
}
