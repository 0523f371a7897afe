/*
 * records.c - see records.h.
 */
#include "data/faces/records.h"

#include "data/lists/path.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HEADER[] =
    "path,frame,face,score,x0,y0,x1,y1,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5,crop\n";
static const char WHAT[] = "the rows of faces.csv";

enum { EMPTY_FIELDS = 17, ROW_SIZE = 4 * FILE_PATH_SIZE + 1024 };

/* A row without its line end. The key is its beginning: path and frame. */
typedef struct Row {
    const char *text;
    size_t key;
} Row;

struct DataRecords {
    char folder[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    FILE *stream; /* open for appending, locked */
    MemPool pool;
    Row *rows;   /* [count] */
    int earlier; /* the first ones, read at the start, are sorted by key */
    int count;
    size_t capacity;
};

/* ---- fields ---------------------------------------------------------------------------------- */

/* Appends a field to row [*used], quoted if needed. The row has room for every path. */
static void put_text(char *row, size_t *used, const char *text)
{
    const bool quoted = strpbrk(text, ",\"") != NULL;
    if (quoted)
        row[(*used)++] = '"';
    for (; *text; text++) {
        if (*text == '"')
            row[(*used)++] = '"';
        row[(*used)++] = *text;
    }
    if (quoted)
        row[(*used)++] = '"';
}

static void put_number(char *row, size_t *used, double value)
{
    char text[NUMBER_SIZE];
    number_format(text, value);
    row[(*used)++] = ',';
    memcpy(row + *used, text, strlen(text));
    *used += strlen(text);
}

/* The field at *text, unquoted into out [FILE_PATH_SIZE]; *text moves behind its comma or to the
 * end. False if it is malformed or too long. */
static bool take_field(const char **text, char out[FILE_PATH_SIZE])
{
    const char *at = *text;
    const bool quoted = *at == '"';
    size_t used = 0;
    at += quoted;
    while (*at && (quoted || *at != ',')) {
        if (quoted && *at == '"' && *++at != '"')
            break;
        if (used + 1 >= FILE_PATH_SIZE)
            return false;
        out[used++] = *at++;
    }
    out[used] = '\0';
    if (*at && *at != ',')
        return false;
    *text = at + (*at == ',');
    return !quoted || at[-1] == '"';
}

/* Writes path and frame to row: the key of a row. Returns its length. */
static size_t put_key(char *row, const char *path, int frame)
{
    size_t used = 0;
    put_text(row, &used, path);
    if (frame >= 0)
        put_number(row, &used, frame);
    else
        row[used++] = ',';
    return used;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int by_key(const void *left, const void *right)
{
    const Row *a = left, *b = right;
    const int order = memcmp(a->text, b->text, a->key < b->key ? a->key : b->key);
    return order ? order : (a->key > b->key) - (a->key < b->key);
}

/* Natural order: frames by number. */
static int by_text(const void *left, const void *right)
{
    return data_path_compare(((const Row *)left)->text, ((const Row *)right)->text);
}

static Status keep(DataRecords *records, const char *text, size_t length, size_t key, Error *error)
{
    TRY(mem_grow(&records->rows, (size_t)records->count + 1, &records->capacity,
                 sizeof *records->rows, WHAT, error));
    const char *copy = mem_pool_text(&records->pool, text, length, WHAT, error);
    if (!copy)
        return error->status;
    records->rows[records->count++] = (Row){copy, key};
    return STATUS_OK;
}

/* Keeps a line of the file if its crop exists. False if it is not a row of faces.csv. */
static bool read_line(DataRecords *records, const char *line, Error *error)
{
    char field[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    const char *at = line;
    size_t key = 0;
    for (int i = 0; i < 19; i++) {
        if ((i > 0 && at[-1] != ',') || !take_field(&at, field))
            return false;
        if (i == 1)
            key = at - line - 1;
    }
    if (*at)
        return false;
    Error ignored; /* a path that is too long does not exist */
    const bool missing =
        field[0] && (file_join(path, records->folder, field, &ignored) != 0 || !file_exists(path));
    if (!missing)
        (void)keep(records, line, strlen(line), key, error);
    return true;
}

/* Reads the rows and cuts an incomplete last line. *empty: there is not even a header. */
static Status read_rows(DataRecords *records, bool *empty, Error *error)
{
    enum { LARGEST = 1 << 30 };
    char *content;
    size_t size;
    TRY(file_read(records->path, LARGEST, &content, &size, error));
    while (size > 0 && content[size - 1] != '\n')
        size--;
    content[size] = '\0';
    *empty = size == 0;
    const bool ours = size == 0 || strncmp(content, HEADER, strlen(HEADER)) == 0;
    error_clear(error);
    int number = 1;
    bool valid = ours && strlen(content) == size;
    for (char *line = content + (size ? strlen(HEADER) : 0); valid && *line;) {
        char *end = strchr(line, '\n');
        *end = '\0';
        number++;
        valid = read_line(records, line, error);
        line = end + 1;
    }
    free(content);
    /* A frame has two rows if its crop was deleted and made again. */
    if (records->count > 0)
        qsort(records->rows, records->count, sizeof *records->rows, by_key);
    for (int i = 0; i < records->count; i++)
        if (i == 0 || by_key(&records->rows[i], &records->rows[records->earlier - 1]) != 0)
            records->rows[records->earlier++] = records->rows[i];
    records->count = records->earlier;
    if (!valid)
        return error_set(error, STATUS_FAILED,
                         "%s: line %d is not a row of lnclip faces; choose another --out",
                         records->path, number);
    TRY(error->status);
    if (truncate(records->path, (off_t)size) != 0)
        return error_set(error, STATUS_FAILED, "%s: cannot be written: %s; check its permissions",
                         records->path, strerror(errno));
    return STATUS_OK;
}

static Status write_failed(const DataRecords *records, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: cannot be written: %s; free some disk space",
                     records->path, strerror(errno));
}

Status data_records_open(DataRecords **records, const char *folder, Error *error)
{
    *records = NULL;
    DataRecords *opened = mem_new(1, sizeof *opened, WHAT, error);
    if (!opened)
        return error->status;
    bool empty = false;
    Status status = file_join(opened->folder, folder, "", error);
    if (status == STATUS_OK)
        status = file_join(opened->path, folder, "faces.csv", error);
    if (status == STATUS_OK && !(opened->stream = fopen(opened->path, "ae")))
        status = write_failed(opened, error);
    if (status == STATUS_OK && file_lock(fileno(opened->stream)) == FILE_LOCK_BUSY)
        status =
            error_set(error, STATUS_FAILED,
                      "%s: another lnclip faces is writing it; wait for its end", opened->path);
    if (status == STATUS_OK)
        status = read_rows(opened, &empty, error);
    if (status == STATUS_OK && empty &&
        (fputs(HEADER, opened->stream) < 0 || fflush(opened->stream) != 0))
        status = write_failed(opened, error);
    if (status != STATUS_OK) {
        data_records_close(opened);
        return status;
    }
    *records = opened;
    return STATUS_OK;
}

/* The last field of a row is its crop. */
static bool has_crop(const Row *row)
{
    return row->text[strlen(row->text) - 1] != ',';
}

DataRow data_records_find(const DataRecords *records, const char *path, int frame)
{
    char text[ROW_SIZE];
    const Row key = {text, put_key(text, path, frame)};
    const Row *row = records->earlier > 0
                         ? bsearch(&key, records->rows, records->earlier, sizeof key, by_key)
                         : NULL;
    return !row ? DATA_ROW_NONE : has_crop(row) ? DATA_ROW_CROP : DATA_ROW_NO_FACE;
}

Status data_records_add(DataRecords *records, const char *path, int frame, const DataCrop *found,
                        const char *crop, Error *error)
{
    char row[ROW_SIZE];
    const size_t key = put_key(row, path, frame);
    size_t used = key;
    if (found->found) {
        const DataBox *box = &found->face.box;
        const double values[] = {found->index, found->face.score, box->left,
                                 box->top,     box->right,        box->bottom};
        for (size_t i = 0; i < COUNT_OF(values); i++)
            put_number(row, &used, values[i]);
        for (int i = 0; i < 2 * DATA_ALIGN_POINTS; i++) {
            if (found->aligned)
                put_number(row, &used, found->points.at[i / 2][i % 2]);
            else
                row[used++] = ',';
        }
        row[used++] = ',';
        put_text(row, &used, crop);
    } else {
        memset(row + used, ',', EMPTY_FIELDS);
        used += EMPTY_FIELDS;
    }
    TRY(keep(records, row, used, key, error));
    row[used] = '\n';
    if (fwrite(row, 1, used + 1, records->stream) != used + 1 || fflush(records->stream) != 0)
        return write_failed(records, error);
    return STATUS_OK;
}

Status data_records_finish(DataRecords *records, Error *error)
{
    if (records->count > 0)
        qsort(records->rows, records->count, sizeof *records->rows, by_text);
    records->earlier = 0;
    FileWriter writer;
    TRY(file_begin(&writer, records->path, error));
    fputs(HEADER, writer.stream); /* file_commit finds write errors */
    for (int i = 0; i < records->count; i++) {
        fputs(records->rows[i].text, writer.stream);
        putc('\n', writer.stream);
    }
    return file_commit(&writer, error);
}

/* The folder of a row's path: its video. The path itself without a folder. */
static bool video_of(const Row *row, char video[FILE_PATH_SIZE])
{
    const char *at = row->text;
    if (!take_field(&at, video))
        return false;
    char *name = video + (file_name(video) - video);
    if (name > video && !data_is_video(video, NULL))
        name[-1] = '\0';
    return true;
}

Status data_records_coverage(DataRecords *records, DataCoverage *coverage, const char **first,
                             int limit, Error *error)
{
    *coverage = (DataCoverage){.frames = records->count};
    char video[FILE_PATH_SIZE] = "", next[FILE_PATH_SIZE] = "";
    int crops = 0;
    for (int i = 0; i <= records->count; i++) {
        if (i < records->count && !video_of(&records->rows[i], next))
            continue;
        if (i == 0 || i == records->count || strcmp(next, video) != 0) { /* another video */
            if (i > 0 && crops == 0) {
                if (coverage->empty_videos < limit) {
                    const char *copy =
                        mem_pool_text(&records->pool, video, strlen(video), WHAT, error);
                    if (!copy)
                        return error->status;
                    first[coverage->empty_videos] = copy;
                }
                coverage->empty_videos++;
            }
            coverage->videos += i < records->count;
            memcpy(video, next, sizeof video);
            crops = 0;
        }
        if (i < records->count) {
            const bool found = has_crop(&records->rows[i]);
            crops += found;
            coverage->crops += found;
        }
    }
    return STATUS_OK;
}

void data_records_close(DataRecords *records)
{
    if (!records)
        return;
    if (records->stream)
        fclose(records->stream);
    mem_pool_free(&records->pool);
    free(records->rows);
    free(records);
}
