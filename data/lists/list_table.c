/*
 * list_table.c - see list_table.h.
 *
 * One pass reads the rows. Sources and videos depend on all rows of a name or folder, so they are
 * settled in a second pass.
 */
#include "data/lists/list_table.h"

#include "tensor/base/csv.h"
#include "tensor/base/number.h"
#include "tensor/base/table.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char WHAT[] = "a table of paths";

/* The columns: what they hold, how the user names one, and their usual names. */
static const struct {
    const char *holds, *option;
    const char *names[20]; /* lower case, without blanks, '-' and '_' */
} COLUMNS[DATA_COLUMNS] = {
    [DATA_COLUMN_PATH] = {"paths",
                          "--path-column",
                          {"path", "paths", "file", "files", "filename", "filenames", "filepath",
                           "image", "images", "imagepath", "imagefile", "imagename", "img",
                           "imgpath", "imgfile", "imgname", "frame", "framepath", "relpath"}},
    [DATA_COLUMN_LABEL] = {"labels",
                           "--label-column",
                           {"label", "labels", "target", "targets", "class", "isfake", "fake", "y",
                            "gt", "groundtruth", "truth"}},
    [DATA_COLUMN_VIDEO] = {"videos",
                           "--video-column",
                           {"video", "videos", "videoid", "videoname", "videopath", "vid", "clip"}},
    [DATA_COLUMN_SPLIT] = {"splits",
                           "--split-column",
                           {"split", "splits", "set", "subset", "partition", "phase"}},
    [DATA_COLUMN_SOURCE] = {"sources",
                            "--source-column",
                            {"source", "method", "manipulation", "forgery", "generator"}},
};

int data_label_of_cell(const char *text, size_t length)
{
    double number;
    for (; length > 0 && (*text == ' ' || *text == '\t'); length--)
        text++;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length == 4 && strncasecmp(text, "real", 4) == 0)
        return 0;
    if (length == 4 && strncasecmp(text, "fake", 4) == 0)
        return 1;
    if (length == 0 || !number_parse(text, length, &number) || (number != 0 && number != 1))
        return -1;
    return number == 1;
}

/* ---- the header ------------------------------------------------------------------------------ */

/* True if `text` is one of the usual names of a column. */
static bool is_usual(const char *text, DataColumn column)
{
    char plain[32];
    size_t length = 0;
    for (; *text; text++) {
        if (strchr(" -_", *text))
            continue;
        if (length + 1 == sizeof plain)
            return false;
        plain[length++] = (char)tolower((unsigned char)*text);
    }
    plain[length] = '\0';
    for (int i = 0; i < (int)COUNT_OF(COLUMNS[column].names) && COLUMNS[column].names[i]; i++)
        if (strcmp(plain, COLUMNS[column].names[i]) == 0)
            return true;
    return false;
}

bool data_table_has_header(char *line, size_t length)
{
    bool has[DATA_COLUMNS] = {false};
    const char separator = memchr(line, ',', length) ? ',' : memchr(line, ';', length) ? ';' : '\t';
    for (size_t begin = 0, end; begin <= length; begin = end + 1) {
        for (end = begin; end < length && line[end] != separator;)
            end++;
        CsvField field = {line + begin, end - begin};
        line[end] = '\0';
        while (field.length > 0 && strchr(" \t\r\"", field.text[field.length - 1]))
            field.text[--field.length] = '\0';
        field.text += strspn(field.text, " \t\"");
        for (int column = 0; column < DATA_COLUMNS; column++)
            has[column] |= is_usual(field.text, (DataColumn)column);
    }
    return has[DATA_COLUMN_PATH] && has[DATA_COLUMN_LABEL];
}

/* The state of reading. */
typedef struct Reader {
    CsvReader csv;
    DataTable *table;
    const char *const *names;        /* as given */
    int at[DATA_COLUMNS];            /* positions; -1: none */
    const char *title[DATA_COLUMNS]; /* names in the file, in the pool */
    int width;
    bool numbers;          /* labels are 0 and 1 */
    int agree, contradict; /* rows whose path has a word for their label, or for the other */
    int first_odd;         /* first row whose path contradicts its label */
} Reader;

static const char *keep(Reader *reader, const char *text, size_t length, Error *error)
{
    return mem_pool_text(&reader->table->pool, text, length, WHAT, error);
}

/* Notes that `title` at `position` may be a column. */
static Status note_title(Reader *reader, const char *title, int position, Error *error)
{
    for (int c = 0; c < DATA_COLUMNS; c++) {
        const char *given = reader->names ? reader->names[c] : NULL;
        if (given ? strcasecmp(given, title) != 0 : !is_usual(title, (DataColumn)c))
            continue;
        if (reader->at[c] >= 0)
            return error_set(error, STATUS_FAILED,
                             "%s: line %zu: the columns '%s' and '%s' can both be the %s; name one "
                             "with %s",
                             reader->csv.path, reader->csv.line, reader->title[c], title,
                             COLUMNS[c].holds, COLUMNS[c].option);
        reader->at[c] = position;
        reader->title[c] = keep(reader, title, strlen(title), error);
        if (!reader->title[c])
            return error->status;
    }
    return STATUS_OK;
}

/* The names in the first line, for a message. */
static void join_titles(char *all, size_t size, const char *title)
{
    const size_t used = strlen(all);
    snprintf(all + used, size - used, "%s%.60s", used ? ", " : "", title);
}

static Status read_header(Reader *reader, Error *error)
{
    char titles[400] = "";
    bool any;
    for (int c = 0; c < DATA_COLUMNS; c++)
        reader->at[c] = -1;
    TRY(csv_record(&reader->csv, &any, error));
    for (; any && csv_more(&reader->csv); reader->width++) {
        CsvField field;
        TRY(csv_field(&reader->csv, &field, error));
        csv_trim(&field);
        join_titles(titles, sizeof titles, field.text);
        TRY(note_title(reader, field.text, reader->width, error));
    }
    for (int c = 0; c < DATA_COLUMNS; c++) {
        const char *given = reader->names ? reader->names[c] : NULL;
        const bool none = given && strcmp(given, "none") == 0 && c > DATA_COLUMN_LABEL;
        if (reader->at[c] >= 0 || none || (!given && c > DATA_COLUMN_LABEL))
            continue;
        if (given)
            return error_set(error, STATUS_FAILED,
                             "%s: line %zu: has no column '%s'; the columns are: %s",
                             reader->csv.path, reader->csv.line, given, titles);
        return error_set(error, STATUS_FAILED,
                         "%s: line %zu: no column of %s is found by its name; name it with %s (the "
                         "columns are: %s)",
                         reader->csv.path, reader->csv.line, COLUMNS[c].holds, COLUMNS[c].option,
                         titles);
    }
    return STATUS_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static Status bad_cell(const Reader *reader, DataColumn column, const CsvField *field,
                       const char *why, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: line %zu, column '%s': '%.60s' %s",
                     reader->csv.path, reader->csv.line, reader->title[column], field->text, why);
}

static Status read_cell(Reader *reader, DataColumn column, const CsvField *field, DataTableRow *row,
                        Error *error)
{
    if (strlen(field->text) != field->length)
        return bad_cell(reader, column, field, "contains a zero byte; write text", error);
    const char *text = NULL;
    if (field->length > 0 && column != DATA_COLUMN_LABEL && column != DATA_COLUMN_SPLIT &&
        !(text = keep(reader, field->text, field->length, error)))
        return error->status;
    switch (column) {
    case DATA_COLUMN_PATH:
        if (!text || strpbrk(text, "\n\r"))
            return bad_cell(reader, column, field, "is not a path; give every row one", error);
        row->path = text;
        return STATUS_OK;
    case DATA_COLUMN_LABEL:
        row->label = data_label_of_cell(field->text, field->length);
        if (row->label < 0)
            return bad_cell(reader, column, field,
                            "is not a label; write 0 or real, 1 or fake, or name another column "
                            "with --label-column",
                            error);
        reader->numbers |= !isalpha((unsigned char)field->text[0]);
        return STATUS_OK;
    case DATA_COLUMN_VIDEO:
        row->video = text;
        return STATUS_OK;
    case DATA_COLUMN_SOURCE:
        row->source = text;
        return STATUS_OK;
    case DATA_COLUMN_SPLIT:
        row->split = data_split_parse(field->text);
        if (row->split < 0)
            return bad_cell(reader, column, field,
                            "is not train, val or test; correct it, or name another column with "
                            "--split-column (none: do not use this one)",
                            error);
        return STATUS_OK;
    case DATA_COLUMNS:
        break;
    }
    assert(0 && "a known column");
    return STATUS_FAILED;
}

static Status read_row(Reader *reader, DataTableRow *row, Error *error)
{
    int position = 0;
    for (; csv_more(&reader->csv); position++) {
        CsvField field;
        TRY(csv_field(&reader->csv, &field, error));
        csv_trim(&field);
        for (int c = 0; c < DATA_COLUMNS; c++)
            if (reader->at[c] == position)
                TRY(read_cell(reader, (DataColumn)c, &field, row, error));
    }
    if (position != reader->width)
        return error_set(error, STATUS_FAILED,
                         "%s: line %zu: has %d columns, but the first line has %d; put fields that "
                         "hold separators in quotes",
                         reader->csv.path, reader->csv.line, position, reader->width);
    return STATUS_OK;
}

/* Counts whether the folders of the path have a word for its label, or for the other one. */
static void compare_with_path(Reader *reader, const DataTableRow *row)
{
    bool above;
    const DataPath parts = data_path_read(row->path);
    const DataLabel label = data_path_label(row->path, &parts, 0, false, &above);
    if (!label.by_word || label.label < 0)
        return;
    if (label.label == row->label) {
        reader->agree++;
    } else if (reader->contradict++ == 0) {
        reader->first_odd = reader->table->count;
    }
}

static Status read_rows(Reader *reader, Error *error)
{
    DataTable *table = reader->table;
    for (;;) {
        bool any;
        TRY(csv_record(&reader->csv, &any, error));
        if (!any)
            break;
        DataTableRow row = {.split = -1, .line = reader->csv.line};
        TRY(read_row(reader, &row, error));
        compare_with_path(reader, &row);
        if (table->count > INT_MAX / 2)
            return error_set(error, STATUS_FAILED, "%s: more than %d rows; split the table",
                             reader->csv.path, table->count);
        TRY(mem_grow(&table->rows, table->count + 1, &table->capacity, sizeof row, WHAT, error));
        table->rows[table->count++] = row;
    }
    if (table->count == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: has a header but no rows; write one row for each image",
                         reader->csv.path);
    return STATUS_OK;
}

/*
 * Labels that contradict the folders of every row that has a word for real or fake: in such a table
 * 1 probably means real.
 */
static Status check_labels(const Reader *reader, Error *error)
{
    const DataTable *table = reader->table;
    if (reader->contradict == 0)
        return STATUS_OK;
    const DataTableRow *odd = &table->rows[reader->first_odd];
    if (reader->agree == 0 && reader->numbers)
        return error_set(error, STATUS_FAILED,
                         "%s: line %zu: %.300s has label %d, and all folders that say real or fake "
                         "contradict their labels; here 0 is real and 1 is fake: exchange them, or "
                         "write the words real and fake",
                         reader->csv.path, odd->line, odd->path, odd->label);
    reader->table->doubts =
        mem_print(WHAT, error,
                  "%s: %d of %d rows have a label that contradicts the name of their folder, the "
                  "first in line %zu: %s is %s",
                  reader->csv.path, reader->contradict, table->count, odd->line, odd->path,
                  odd->label ? "fake" : "real");
    return table->doubts ? STATUS_OK : error->status;
}

/* ---- sources and videos ---------------------------------------------------------------------- */

enum { REAL_AND_FAKE = 3 }; /* a mask of labels: bit 0 real, bit 1 fake */

/* Names of all rows, and of each distinct one the labels. */
typedef struct Names {
    TableKey *keys;  /* [count] */
    uint32_t *first; /* [count] the first row with the same key */
    uint8_t *labels; /* [count] valid at first rows */
    int distinct;
    Table table;
} Names;

static TableKey key_of(const void *context, uint32_t i)
{
    return ((const Names *)context)->keys[i];
}

static Status names_create(Names *names, int count, Error *error)
{
    *names = (Names){.keys = mem_new(count, sizeof *names->keys, WHAT, error)};
    names->first = mem_new(count, sizeof *names->first, WHAT, error);
    names->labels = mem_new(count, sizeof *names->labels, WHAT, error);
    return names->keys && names->first && names->labels ? STATUS_OK : error->status;
}

static void names_free(Names *names)
{
    free(names->keys);
    free(names->first);
    free(names->labels);
    table_free(&names->table);
}

/* Fills first, labels and distinct from the keys. */
static Status names_compare(Names *names, const DataTable *table, Error *error)
{
    for (int i = 0; i < table->count; i++) {
        bool added;
        names->first[i] = (uint32_t)i;
        TRY(table_find(&names->table, names->keys[i], key_of, names, &names->first[i], &added,
                       error));
        names->distinct += added;
        names->labels[names->first[i]] |= (uint8_t)(1U << table->rows[i].label);
    }
    return STATUS_OK;
}

/* A name that can be that of a list: no slash, control character or leading dot. */
static void make_file_name(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ' || *c == 0x7f ||
            (c == text && *c == '.'))
            *c = '_';
}

/* Sets the source of each row, which so far is that of the column, if any. */
static Status set_sources(Reader *reader, Error *error)
{
    static const char *const NAMES[] = {"real", "fake"};
    DataTable *table = reader->table;
    Names names;
    Status status = names_create(&names, table->count, error);
    for (int i = 0; i < table->count && status == STATUS_OK; i++) {
        const DataTableRow *row = &table->rows[i];
        const DataPath parts = data_path_read(row->path);
        names.keys[i] = row->source ? (TableKey){row->source, strlen(row->source), 0}
                                    : (TableKey){parts.source, parts.source_length, 0};
    }
    if (status == STATUS_OK)
        status = names_compare(&names, table, error);
    for (int i = 0; i < table->count && status == STATUS_OK; i++) {
        DataTableRow *row = &table->rows[i];
        const TableKey *key = &names.keys[i];
        const bool both = names.labels[names.first[i]] == REAL_AND_FAKE;
        char text[200];
        if (key->length == 0 || names.distinct > DATA_TABLE_SOURCES || key->length > 150 ||
            (both && !row->source))
            snprintf(text, sizeof text, "%s", NAMES[row->label]);
        else
            snprintf(text, sizeof text, "%.*s%s%s", (int)key->length, key->text, both ? "-" : "",
                     both ? NAMES[row->label] : "");
        make_file_name(text);
        if (!(row->source = keep(reader, text, strlen(text), error)))
            status = error->status;
    }
    names_free(&names);
    return status;
}

/* Sets video_by of each row. */
static Status set_videos(Reader *reader, Error *error)
{
    DataTable *table = reader->table;
    Names names;
    Status status = names_create(&names, table->count, error);
    for (int i = 0; i < table->count && status == STATUS_OK; i++) {
        const char *path = table->rows[i].path;
        names.keys[i] = (TableKey){path, data_path_read(path).video_length, 0};
    }
    if (status == STATUS_OK)
        status = names_compare(&names, table, error);
    for (int i = 0; i < table->count && status == STATUS_OK; i++) {
        DataTableRow *row = &table->rows[i];
        const bool own =
            data_path_read(row->path).own_video || names.labels[names.first[i]] == REAL_AND_FAKE;
        row->video_by = row->video ? DATA_VIDEO_NAME : own ? DATA_VIDEO_IMAGE : DATA_VIDEO_FOLDER;
    }
    names_free(&names);
    return status;
}

/* The sentence that names the columns. */
static Status describe(Reader *reader, Error *error)
{
    DataTable *table = reader->table;
    int own = 0;
    for (int i = 0; i < table->count; i++)
        own += table->rows[i].video_by == DATA_VIDEO_IMAGE;
    char videos[100], splits[100] = "";
    if (reader->at[DATA_COLUMN_VIDEO] >= 0)
        snprintf(videos, sizeof videos, "videos from '%.60s'", reader->title[DATA_COLUMN_VIDEO]);
    else if (own == table->count)
        snprintf(videos, sizeof videos, "every image is a video of its own");
    else
        snprintf(videos, sizeof videos, "videos are the folders of the images");
    if (table->has_split)
        snprintf(splits, sizeof splits, ", splits from '%.60s'", reader->title[DATA_COLUMN_SPLIT]);
    table->taken = mem_print(WHAT, error, "%s: paths from '%.60s', labels from '%.60s'%s; %s",
                             reader->csv.path, reader->title[DATA_COLUMN_PATH],
                             reader->title[DATA_COLUMN_LABEL], splits, videos);
    return table->taken ? STATUS_OK : error->status;
}

static Status read_table(Reader *reader, Error *error)
{
    TRY(read_header(reader, error));
    TRY(read_rows(reader, error));
    TRY(check_labels(reader, error));
    reader->table->has_split = reader->at[DATA_COLUMN_SPLIT] >= 0;
    TRY(set_videos(reader, error));
    TRY(set_sources(reader, error));
    return describe(reader, error);
}

Status data_table_read(DataTable *table, const char *path, const char *const *names, Error *error)
{
    assert(table && path && error);
    *table = (DataTable){0};
    Reader reader = {.table = table, .names = names};
    TRY(csv_open(&reader.csv, path, error));
    const Status status = read_table(&reader, error);
    csv_close(&reader.csv);
    if (status != STATUS_OK)
        data_table_free(table);
    return status;
}

void data_table_free(DataTable *table)
{
    free(table->rows);
    free(table->taken);
    free(table->doubts);
    mem_pool_free(&table->pool);
    *table = (DataTable){0};
}
