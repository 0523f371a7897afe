/*
 * predictions.c - the table of predictions, and how score files are written and read: see
 * predictions.h.
 *
 * Names are interned: every data set and video is stored once, and rows hold indices. Columns that
 * bare scores do not need are allocated by the first row that needs them.
 */
#include "train/metrics/predictions.h"

#include "data/lists/list_table.h"
#include "data/lists/path.h"
#include "tensor/base/c_locale.h"
#include "tensor/base/csv.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/base/table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct MetricsNames {
    Table datasets, videos, files;
    MemPool texts;
    size_t dataset_capacity, video_capacity;
};

/* Purpose of allocations, for messages. */
static const char purpose[] = "the table of scores";

MetricsPredictions metrics_predictions_empty(void)
{
    return (MetricsPredictions){0};
}

void metrics_predictions_free(MetricsPredictions *predictions)
{
    MetricsNames *names = predictions->names;
    if (names) {
        table_free(&names->datasets);
        table_free(&names->videos);
        table_free(&names->files);
        mem_pool_free(&names->texts);
        free(names);
    }
    free(predictions->scores);
    free(predictions->margins);
    free(predictions->labels);
    free(predictions->row_dataset);
    free(predictions->row_video);
    free(predictions->files);
    free(predictions->datasets);
    free(predictions->videos);
    *predictions = (MetricsPredictions){0};
}

/* Key of the three hash tables: a name within a data set (0 for names of data sets). */

static TableKey dataset_key(const void *predictions, uint32_t i)
{
    const char *name = ((const MetricsPredictions *)predictions)->datasets[i];
    return (TableKey){.text = name, .length = strlen(name)};
}

static TableKey video_key(const void *predictions, uint32_t i)
{
    const MetricsVideo *video = &((const MetricsPredictions *)predictions)->videos[i];
    return (TableKey){video->name, strlen(video->name), video->dataset};
}

static TableKey file_key(const void *context, uint32_t row)
{
    const MetricsPredictions *predictions = context;
    const uint32_t dataset = predictions->row_dataset ? predictions->row_dataset[row] : 0;
    return (TableKey){predictions->files[row], strlen(predictions->files[row]), dataset};
}

static const char *keep_text(MetricsNames *names, const char *text, size_t length, Error *error)
{
    return mem_pool_text(&names->texts, text, length, purpose, error);
}

/* *out: index of the data set, which is added if new. */
static Status intern_dataset(MetricsPredictions *predictions, const char *name, uint32_t *out,
                             Error *error)
{
    MetricsNames *names = predictions->names;
    const TableKey key = {.text = name, .length = strlen(name)};
    bool added = false;
    *out = predictions->dataset_count;
    TRY(mem_grow(&predictions->datasets, *out + (size_t)1, &names->dataset_capacity,
                 sizeof *predictions->datasets, purpose, error));
    TRY(table_find(&names->datasets, key, dataset_key, predictions, out, &added, error));
    if (!added)
        return STATUS_OK;
    predictions->datasets[*out] = keep_text(names, name, key.length, error);
    predictions->dataset_count++;
    return predictions->datasets[*out] ? STATUS_OK : error->status;
}

/* The source in a path, [*length] characters; NULL if none. */
static const char *path_source(const char *file, size_t *length)
{
    const DataPath parts = file ? data_path_read(file) : (DataPath){0};
    *length = parts.source_length;
    return *length > 0 ? parts.source : NULL;
}

/* The row's source, else that of its path, [*length] characters; NULL if none. */
static const char *source_of(const MetricsPrediction *row, size_t *length)
{
    if (!row->source)
        return path_source(row->file, length);
    *length = strlen(row->source);
    return row->source;
}

/* *out: index of the row's video within data set key->group, which is added if new. */
static Status intern_video(MetricsPredictions *predictions, const MetricsPrediction *row,
                           const TableKey *key, uint32_t *out, Error *error)
{
    MetricsNames *names = predictions->names;
    bool added = false;
    *out = predictions->video_count;
    TRY(mem_grow(&predictions->videos, *out + (size_t)1, &names->video_capacity,
                 sizeof *predictions->videos, purpose, error));
    TRY(table_find(&names->videos, *key, video_key, predictions, out, &added, error));
    if (!added)
        return STATUS_OK;
    MetricsVideo *video = &predictions->videos[*out];
    *video = (MetricsVideo){.dataset = key->group, .label = row->label};
    video->name = keep_text(names, key->text, key->length, error);
    predictions->video_count++;
    if (!video->name)
        return error->status;
    size_t length = 0;
    const char *source = source_of(row, &length);
    if (!source)
        return STATUS_OK;
    video->source = keep_text(names, source, length, error);
    return video->source ? STATUS_OK : error->status;
}

/* Grows all allocated columns for one more row; on failure `capacity` is still valid for all. */
static Status grow_columns(MetricsPredictions *p, Error *error)
{
    if (p->count < p->capacity)
        return STATUS_OK;
    const struct {
        bool is_there;
        void *column;
        size_t size;
    } columns[] = {
        {true, &p->scores, sizeof *p->scores},
        {true, &p->labels, sizeof *p->labels},
        {p->margins != NULL, &p->margins, sizeof *p->margins},
        {p->row_dataset != NULL, &p->row_dataset, sizeof *p->row_dataset},
        {p->row_video != NULL, &p->row_video, sizeof *p->row_video},
        {p->files != NULL, &p->files, sizeof *p->files},
    };
    size_t capacity = 0;
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        if (columns[i].is_there) {
            capacity = p->capacity;
            TRY(mem_grow(columns[i].column, p->count + 1, &capacity, columns[i].size, purpose,
                         error));
        }
    p->capacity = capacity;
    return STATUS_OK;
}

/* Allocates a column of indices unless it exists, with `value` in the earlier rows. */
static Status make_column(MetricsPredictions *predictions, uint32_t **column, uint32_t value,
                          Error *error)
{
    if (*column)
        return STATUS_OK;
    *column = mem_new(predictions->capacity, sizeof **column, purpose, error);
    if (!*column)
        return error->status;
    for (size_t i = 0; i < predictions->count; i++)
        (*column)[i] = value;
    return STATUS_OK;
}

/* Stores the file of the new row and counts it if it is a duplicate. */
static Status put_file(MetricsPredictions *predictions, const char *file, uint32_t dataset,
                       Error *error)
{
    MetricsNames *names = predictions->names;
    const TableKey key = {file, strlen(file), dataset};
    uint32_t row = (uint32_t)predictions->count;
    bool added = false;
    if (!predictions->files) {
        predictions->files =
            mem_new(predictions->capacity, sizeof *predictions->files, purpose, error);
        if (!predictions->files)
            return error->status;
    }
    TRY(table_find(&names->files, key, file_key, predictions, &row, &added, error));
    predictions->duplicates += !added;
    const char *text = added ? keep_text(names, file, key.length, error) : predictions->files[row];
    predictions->files[predictions->count] = text;
    return text ? STATUS_OK : error->status;
}

/* The row's video name, given or from its path (may be in `buffer`); false if it has none. */
static bool video_of(const MetricsPrediction *row, char buffer[FILE_PATH_SIZE], TableKey *key)
{
    if (row->video) {
        key->text = row->video;
        key->length = strlen(row->video);
        return true;
    }
    key->length = 0;
    key->text = row->file ? data_path_video(row->file, buffer, FILE_PATH_SIZE, &key->length) : NULL;
    return key->length > 0;
}

static Status append(MetricsPredictions *predictions, const MetricsPrediction *row, Error *error)
{
    uint32_t dataset = predictions->dataset_count - 1, video = METRICS_NO_VIDEO;
    if (predictions->dataset_count == 0 ||
        strcmp(predictions->datasets[dataset], row->dataset) != 0)
        TRY(intern_dataset(predictions, row->dataset, &dataset, error));
    TableKey key = {.group = dataset};
    char buffer[FILE_PATH_SIZE];
    if (video_of(row, buffer, &key)) {
        TRY(intern_video(predictions, row, &key, &video, error));
        if (predictions->videos[video].label != row->label)
            return error_set(error, STATUS_FAILED,
                             "video %s of %s: has real and fake frames; a video must have one "
                             "label: check labels and folders",
                             predictions->videos[video].name, row->dataset);
    }
    TRY(grow_columns(predictions, error));
    if (dataset > 0)
        TRY(make_column(predictions, &predictions->row_dataset, 0, error));
    if (video != METRICS_NO_VIDEO)
        TRY(make_column(predictions, &predictions->row_video, METRICS_NO_VIDEO, error));
    if (row->has_margin && !predictions->margins) {
        predictions->margins =
            mem_new(predictions->capacity, sizeof *predictions->margins, purpose, error);
        if (!predictions->margins)
            return error->status;
    }

    const size_t at = predictions->count;
    if (predictions->margins)
        predictions->margins[at] = row->margin;
    if (predictions->row_dataset)
        predictions->row_dataset[at] = dataset;
    if (predictions->row_video)
        predictions->row_video[at] = video;
    if (predictions->files)
        predictions->files[at] = NULL;
    if (row->file)
        TRY(put_file(predictions, row->file, dataset, error));
    predictions->scores[at] = row->fake;
    predictions->labels[at] = (uint8_t)row->label;
    predictions->count++;
    return STATUS_OK;
}

/* Checks that all rows or none have a margin, and that it is finite and consistent with p_fake. */
static Status check_margin(const MetricsPredictions *predictions, const MetricsPrediction *row,
                           Error *error)
{
    if (predictions->count > 0 && row->has_margin != (predictions->margins != NULL))
        return error_set(error, STATUS_FAILED,
                         "margin of row %zu: is %s, unlike in the rows above; give every row "
                         "one, or none",
                         predictions->count + 1, row->has_margin ? "present" : "missing");
    if (!row->has_margin)
        return STATUS_OK;
    if (!isfinite(row->margin))
        return error_set(error, STATUS_FAILED,
                         "margin of row %zu: is not finite; find out what produced it",
                         predictions->count + 1);
    if (fabs(1 / (1 + exp(-row->margin)) - row->fake) > METRICS_MARGIN_TOLERANCE)
        return error_set(error, STATUS_FAILED,
                         "margin %.9g of row %zu: contradicts its probability %.9g, which is not "
                         "1 / (1 + exp(-margin)); correct the column margin or remove it",
                         row->margin, predictions->count + 1, row->fake);
    return STATUS_OK;
}

Status metrics_predictions_append(MetricsPredictions *predictions, const MetricsPrediction *row,
                                  Error *error)
{
    assert(predictions && row && row->dataset && error);
    if (row->label != 0 && row->label != 1)
        return error_set(error, STATUS_FAILED,
                         "label %d: is neither 0 (real) nor 1 (fake); correct it", row->label);
    if (!isfinite(row->fake))
        return error_set(error, STATUS_FAILED,
                         "score of row %zu: is not finite; find out what produced it",
                         predictions->count + 1);
    TRY(check_margin(predictions, row, error));
    if (predictions->count >= METRICS_NO_VIDEO - 1)
        return error_set(error, STATUS_FAILED, "scores: more than %lu rows; split them",
                         (unsigned long)METRICS_NO_VIDEO - 1);
    if (!predictions->names) {
        predictions->names = mem_new(1, sizeof *predictions->names, purpose, error);
        if (!predictions->names)
            return error->status;
    }
    return append(predictions, row, error);
}

bool metrics_predictions_source_differs(const MetricsPrediction *row)
{
    size_t length = 0;
    const char *of_path = path_source(row->file, &length);
    return row->source &&
           (!of_path || strlen(row->source) != length || memcmp(row->source, of_path, length) != 0);
}

void metrics_predictions_write_header(FILE *stream, bool source)
{
    fprintf(stream, "files,labels,prob_class_0,prob_class_1,dataset,video%s,margin\n",
            source ? ",source" : "");
}

void metrics_predictions_write_field(FILE *stream, const char *text, size_t length)
{
    if (!memchr(text, ',', length) && !memchr(text, '"', length) && !memchr(text, '\n', length) &&
        !memchr(text, '\r', length)) {
        fwrite(text, 1, length, stream);
        return;
    }
    putc('"', stream);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            putc('"', stream);
        putc(text[i], stream);
    }
    putc('"', stream);
}

void metrics_predictions_write_row(FILE *stream, const MetricsPrediction *row, bool source)
{
    assert(stream && row && row->file && row->dataset);
    TableKey video = {0};
    char buffer[FILE_PATH_SIZE];
    metrics_predictions_write_field(stream, row->file, strlen(row->file));
    fprintf(stream, ",%d,", row->label);
    number_write(stream, 9, row->real);
    putc(',', stream);
    number_write(stream, 9, row->fake);
    putc(',', stream);
    metrics_predictions_write_field(stream, row->dataset, strlen(row->dataset));
    putc(',', stream);
    if (video_of(row, buffer, &video))
        metrics_predictions_write_field(stream, video.text, video.length);
    if (source) {
        size_t length = 0;
        const char *text = source_of(row, &length);
        putc(',', stream);
        if (text)
            metrics_predictions_write_field(stream, text, length);
    }
    putc(',', stream);
    if (row->has_margin)
        number_write(stream, 9, row->margin);
    putc('\n', stream);
}

double metrics_predictions_written(float probability)
{
    char text[32];
    const locale_t before = c_locale_begin();
    snprintf(text, sizeof text, "%.9g", (double)probability);
    const double written = strtod(text, NULL);
    c_locale_end(before);
    return written;
}

/* ---- score files ----------------------------------------------------------------------------- */

typedef enum Role {
    ROLE_FILE,
    ROLE_LABEL,
    ROLE_FAKE,
    ROLE_REAL,
    ROLE_DATASET,
    ROLE_VIDEO,
    ROLE_SOURCE,
    ROLE_MARGIN,
    ROLES
} Role;

/* Accepted names of a column. */
static const char *const role_names[ROLES][2] = {
    [ROLE_FILE] = {"files"},
    [ROLE_LABEL] = {"labels", "label"},
    [ROLE_FAKE] = {"prob_class_1", "score"},
    [ROLE_REAL] = {"prob_class_0"},
    [ROLE_DATASET] = {"dataset"},
    [ROLE_VIDEO] = {"video"},
    [ROLE_SOURCE] = {"source"},
    [ROLE_MARGIN] = {"margin"},
};

/* A column that is read. */
typedef struct Column {
    size_t position; /* from 0 */
    Role role;
} Column;

typedef struct Reader {
    CsvReader csv;
    Column columns[ROLES]; /* [column_count] by position */
    int column_count;
    size_t width;     /* number of fields in the header */
    bool bare_scores; /* the column of scores is not prob_class_1 */
    MetricsColumns given;
    Error *error;
} Reader;

static bool is_named(const CsvField *field, const char *name)
{
    return name && strlen(name) == field->length && memcmp(field->text, name, field->length) == 0;
}

static bool has_role(const Reader *reader, Role role)
{
    for (int i = 0; i < reader->column_count; i++)
        if (reader->columns[i].role == role)
            return true;
    return false;
}

/* The name that the user gave to the column of a role, or NULL. */
static const char *given_name(const Reader *reader, Role role)
{
    return role == ROLE_LABEL  ? reader->given.label
           : role == ROLE_FAKE ? reader->given.score
                               : NULL;
}

/* Records the position of a known column. */
static Status note_column(Reader *reader, const CsvField *field)
{
    Role found = ROLES;
    for (Role role = 0; role < ROLES; role++) {
        const char *given = given_name(reader, role);
        if (given && is_named(field, given)) {
            found = role;
            break;
        }
        if (!given && found == ROLES &&
            (is_named(field, role_names[role][0]) || is_named(field, role_names[role][1])))
            found = role;
    }
    if (found == ROLES)
        return STATUS_OK;
    if (has_role(reader, found))
        return error_set(reader->error, STATUS_FAILED,
                         "%s: line %zu, column %zu: duplicate column of %s; keep one",
                         reader->csv.path, reader->csv.line, reader->width + 1,
                         found == ROLE_FAKE ? "scores" : role_names[found][0]);
    reader->columns[reader->column_count++] = (Column){reader->width, found};
    reader->bare_scores |=
        found == ROLE_FAKE && (reader->given.score || is_named(field, role_names[found][1]));
    return STATUS_OK;
}

/* Ignores a known column. */
static void drop_role(Reader *reader, Role role)
{
    int kept = 0;
    for (int i = 0; i < reader->column_count; i++)
        if (reader->columns[i].role != role)
            reader->columns[kept++] = reader->columns[i];
    reader->column_count = kept;
}

static Status read_header(Reader *reader)
{
    bool any;
    TRY(csv_record(&reader->csv, &any, reader->error));
    for (; any && csv_more(&reader->csv); reader->width++) {
        CsvField field;
        TRY(csv_field(&reader->csv, &field, reader->error));
        csv_trim(&field);
        TRY(note_column(reader, &field));
    }
    if (reader->bare_scores)
        drop_role(reader, ROLE_MARGIN);
    const bool label = has_role(reader, ROLE_LABEL);
    const char *missing = given_name(reader, label ? ROLE_FAKE : ROLE_LABEL);
    if (missing && (!label || !has_role(reader, ROLE_FAKE)))
        return error_set(reader->error, STATUS_FAILED,
                         "%s: line %zu: has no column %s; give --%s-column a name of this line",
                         reader->csv.path, reader->csv.line, missing, label ? "score" : "label");
    if (!label || !has_role(reader, ROLE_FAKE))
        return error_set(reader->error, STATUS_FAILED,
                         "%s: line %zu: %s; the first line must name the columns: "
                         "files,labels,prob_class_0,prob_class_1 or label,score",
                         reader->csv.path, reader->csv.line,
                         label ? "has no column prob_class_1 or score"
                               : "has no column labels or label");
    return STATUS_OK;
}

static Status bad_cell(const Reader *reader, const Column *column, const CsvField *field,
                       const char *why)
{
    const char *const *names = role_names[column->role];
    return error_set(reader->error, STATUS_FAILED, "%s: line %zu, column %zu (%s): '%.*s' %s",
                     reader->csv.path, reader->csv.line, column->position + 1,
                     names[1] && !has_role(reader, ROLE_FILE) ? names[1] : names[0],
                     (int)(field->length < 60 ? field->length : 60), field->text, why);
}

static Status read_number(const Reader *reader, const Column *column, CsvField *field,
                          double *value)
{
    if (!number_parse(field->text, field->length, value)) {
        csv_trim(field);
        if (!number_parse(field->text, field->length, value))
            return bad_cell(reader, column, field,
                            column->role == ROLE_LABEL
                                ? "is not a label; write 0 for real, 1 for fake"
                                : "is not a number; write it like 0.5");
    }
    if (!isfinite(*value))
        return bad_cell(reader, column, field, "is not finite; find out what produced it");
    return STATUS_OK;
}

static Status read_text(const Reader *reader, const Column *column, const CsvField *field,
                        const char **text)
{
    if (field->length == 0)
        return bad_cell(reader, column, field, "is empty; fill it in");
    if (memchr(field->text, '\0', field->length))
        return bad_cell(reader, column, field, "contains a zero byte; write text");
    *text = field->text;
    return STATUS_OK;
}

static Status read_cell(const Reader *reader, const Column *column, CsvField *field,
                        MetricsPrediction *row)
{
    double number = 0;
    switch (column->role) {
    case ROLE_LABEL:
        row->label = data_label_of_cell(field->text, field->length);
        if (row->label >= 0)
            return STATUS_OK;
        TRY(read_number(reader, column, field, &number));
        if (number != 0 && number != 1)
            return bad_cell(reader, column, field, "is not a label; 0 is real and 1 is fake");
        row->label = number == 1;
        return STATUS_OK;
    case ROLE_FAKE:
        return read_number(reader, column, field, &row->fake);
    case ROLE_REAL:
        return read_number(reader, column, field, &row->real);
    case ROLE_FILE:
        return read_text(reader, column, field, &row->file);
    case ROLE_DATASET:
        return read_text(reader, column, field, &row->dataset);
    case ROLE_VIDEO: /* may be empty: a file without a folder */
        return field->length > 0 ? read_text(reader, column, field, &row->video) : STATUS_OK;
    case ROLE_SOURCE: /* empty: taken from the path */
        return field->length > 0 ? read_text(reader, column, field, &row->source) : STATUS_OK;
    case ROLE_MARGIN: /* empty: no margin */
        if (field->length == 0)
            return STATUS_OK;
        row->has_margin = true;
        return read_number(reader, column, field, &row->margin);
    case ROLES:
        break;
    }
    assert(0 && "a known role");
    return STATUS_FAILED;
}

/* Fills *row from the fields of a record; strings point into the buffer. */
static Status read_row(Reader *reader, MetricsPrediction *row)
{
    const Column *column = reader->columns, *last = column + reader->column_count;
    size_t position = 0;
    for (; csv_more(&reader->csv); position++) {
        CsvField field;
        TRY(csv_field(&reader->csv, &field, reader->error));
        if (column < last && column->position == position) {
            TRY(read_cell(reader, column, &field, row));
            column++;
        }
    }
    if (position != reader->width)
        return error_set(reader->error, STATUS_FAILED,
                         "%s: line %zu: has %zu columns, but the first line has %zu; put fields "
                         "that hold commas "
                         "in quotes",
                         reader->csv.path, reader->csv.line, position, reader->width);
    return STATUS_OK;
}

static Status read_rows(Reader *reader, const char *dataset, MetricsPredictions *predictions)
{
    Error inner = {0}; /* outside the loop: clearing its 7 KB would cost more than a row */
    for (;;) {
        bool any;
        TRY(csv_record(&reader->csv, &any, reader->error));
        if (!any)
            break;
        MetricsPrediction row = {.dataset = dataset};
        TRY(read_row(reader, &row));
        const Status status = metrics_predictions_append(predictions, &row, &inner);
        if (status != STATUS_OK)
            return error_set(reader->error, status, "%s: line %zu: %s", reader->csv.path,
                             reader->csv.line, inner.message);
    }
    if (predictions->count == 0)
        return error_set(reader->error, STATUS_FAILED,
                         "%s: has a header but no rows; write the scores first", reader->csv.path);
    return STATUS_OK;
}

Status metrics_predictions_read(MetricsPredictions *predictions, const char *path, Error *error)
{
    const MetricsColumns usual = {0};
    return metrics_predictions_read_columns(predictions, path, &usual, error);
}

Status metrics_predictions_read_columns(MetricsPredictions *predictions, const char *path,
                                        const MetricsColumns *columns, Error *error)
{
    assert(predictions && path && columns && error);
    *predictions = metrics_predictions_empty();
    Reader reader = {.given = *columns, .error = error};
    TRY(csv_open(&reader.csv, path, error));

    /* Data set without a column `dataset`: the file name without folder and suffix. */
    char *stem = mem_copy(file_name(path), path, error);
    char *dot = stem ? strrchr(stem, '.') : NULL;
    if (dot && dot > stem)
        *dot = '\0';
    Status status = stem ? STATUS_OK : error->status;
    if (status == STATUS_OK)
        status = read_header(&reader);
    if (status == STATUS_OK)
        status = read_rows(&reader, stem, predictions);
    if (status != STATUS_OK)
        metrics_predictions_free(predictions);
    csv_close(&reader.csv);
    free(stem);
    return status;
}
