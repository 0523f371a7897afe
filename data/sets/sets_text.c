/*
 * sets_text.c - see sets_build.h: the small files that come with data sets - JSON, CSV, lines of text - as people
 * have them: with byte-order marks, CRLF and quotes.
 */
#include "data/sets/sets_build_private.h"

#include <stdlib.h>
#include <string.h>

static const size_t MAX_TEXT_SIZE = (size_t)1 << 30;

Status data_json_read(const char *path, json_t **document, Error *error)
{
    FileMap map;
    json_error_t reason;
    TRY(file_map(path, &map, error));
    const size_t mark = map.size >= 3 && memcmp(map.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *document = map.size > 0 ? json_loadb((const char *)map.data + mark, map.size - mark,
                                          JSON_REJECT_DUPLICATES, &reason)
                             : NULL;
    const bool empty = map.size == 0;
    file_unmap(&map);
    if (*document)
        return STATUS_OK;
    if (empty)
        return error_set(error, STATUS_FAILED, "%s: the file is empty; get it again", path);
    return error_set(error, STATUS_FAILED, "%s: line %d: no valid JSON (%s); get the file again",
                     path, reason.line, reason.text);
}

Status data_lines_open(DataLines *lines, const char *path, Error *error)
{
    size_t size;
    *lines = (DataLines){0};
    TRY(file_read(path, MAX_TEXT_SIZE, &lines->content, &size, error));
    if (strlen(lines->content) != size) {
        free(lines->content);
        return error_set(error, STATUS_FAILED,
                         "%s: holds a zero byte: this is no text (UTF-16?); save it as UTF-8",
                         path);
    }
    lines->next =
        lines->content +
        (memcmp(lines->content, "\xef\xbb\xbf", size < 3 ? size : 3) == 0 && size >= 3 ? 3 : 0);
    return STATUS_OK;
}

char *data_lines_next(DataLines *lines)
{
    while (lines->next) {
        char *line = lines->next, *const newline = strchr(line, '\n');
        char *stop = newline ? newline : line + strlen(line);
        lines->next = newline ? newline + 1 : NULL;
        lines->line++;
        while (stop > line && strchr(" \t\r\v\f", stop[-1]))
            stop--;
        *stop = '\0';
        line += strspn(line, " \t\r\v\f");
        if (*line)
            return line;
    }
    return NULL;
}

int data_csv_cut(char *line, char **fields, int most)
{
    int count = 0;
    for (char *at = line; at; count++) {
        char *out = at;
        char *const begin = at;
        if (*at == '"') {
            for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
                at += *at == '"'; /* a doubled quote */
                *out++ = *at;
            }
            if (*at != '"' || (at[1] && at[1] != ','))
                return -1;
            at++;
        } else {
            out = at += strcspn(at, ",");
        }
        const bool last = *at == '\0';
        *out = '\0';
        if (count < most)
            fields[count] = begin;
        at = last ? NULL : at + 1;
    }
    return count;
}
