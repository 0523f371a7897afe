/*
 * predictions.c - the table of predictions and how a row is written: see predictions.h.
 *
 * Names are interned: every data set and video is kept once, and rows hold indices. The columns that a file
 * of bare scores does not need are made when the first row asks for them. The table only collects; what
 * is right in a file is predictions_read.c's business, what it is worth reports.c's.
 */
#include "train/metrics/predictions.h"

#include "data/lists/path.h"
#include "tensor/base/c_locale.h"
#include "tensor/base/file.h"
#include "tensor/base/number.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A hash table of indices: what an index stands for, and whether two are equal, its user knows. */
typedef struct Slot {
    uint32_t index_plus_one; /* 0: free */
    uint32_t hash;
} Slot;

typedef struct Index {
    Slot *slots;     /* [capacity], linear probing */
    size_t capacity; /* 0 or a power of two, more than 4/3 of `used` */
    size_t used;
} Index;

/* Strings live in blocks that never move. */
typedef struct Block {
    struct Block *previous;
    char text[];
} Block;

struct MetricsNames {
    Index datasets, videos, files;
    Block *blocks;
    char *free; /* [room] in the newest block */
    size_t room;
    uint32_t video_capacity;
};

MetricsPredictions metrics_predictions_empty(void)
{
    return (MetricsPredictions){0};
}

void metrics_predictions_free(MetricsPredictions *predictions)
{
    MetricsNames *const names = predictions->names;
    if (names) {
        free(names->datasets.slots);
        free(names->videos.slots);
        free(names->files.slots);
        for (Block *block = names->blocks; block;) {
            Block *const previous = block->previous;
            free(block);
            block = previous;
        }
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

static Status no_memory(const MetricsPredictions *predictions, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "scores: no memory after %zu rows; free some, or use fewer rows",
                     predictions->count);
}

/* A copy of text [length] that lives as long as the table; NULL without memory. */
static char *keep_text(MetricsNames *names, const char *text, size_t length)
{
    enum { BLOCK_SIZE = 1 << 18 };
    if (names->room < length + 1) {
        const size_t size = length + 1 > BLOCK_SIZE ? length + 1 : BLOCK_SIZE;
        Block *const block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        block->previous = names->blocks;
        names->blocks = block;
        names->free = block->text;
        names->room = size;
    }
    char *const copy = names->free;
    memcpy(copy, text, length);
    copy[length] = '\0';
    names->free += length + 1;
    names->room -= length + 1;
    return copy;
}

/* Makes room for one more entry. False without memory. */
static bool index_grow(Index *index)
{
    if ((index->used + 1) * 4 < index->capacity * 3)
        return true;
    const size_t capacity = index->capacity > 0 ? 2 * index->capacity : 64;
    Slot *const slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->slots[i].index_plus_one == 0)
            continue;
        size_t at = index->slots[i].hash & (capacity - 1);
        while (slots[at].index_plus_one != 0)
            at = (at + 1) & (capacity - 1);
        slots[at] = index->slots[i];
    }
    free(index->slots);
    index->slots = slots;
    index->capacity = capacity;
    return true;
}

/* A name within a data set: what the three indices look for. */
typedef struct Key {
    uint32_t dataset; /* 0 for the names of data sets themselves */
    const char *text;
    size_t length;
} Key;

typedef Key (*KeyOf)(const MetricsPredictions *predictions, uint32_t index);

static Key dataset_key(const MetricsPredictions *predictions, uint32_t i)
{
    return (Key){0, predictions->datasets[i], strlen(predictions->datasets[i])};
}

static Key video_key(const MetricsPredictions *predictions, uint32_t i)
{
    const MetricsVideo *const video = &predictions->videos[i];
    return (Key){video->dataset, video->name, strlen(video->name)};
}

static Key file_key(const MetricsPredictions *predictions, uint32_t row)
{
    const uint32_t dataset = predictions->row_dataset ? predictions->row_dataset[row] : 0;
    return (Key){dataset, predictions->files[row], strlen(predictions->files[row])};
}

/* The slot that holds `key`, or the free one where it belongs. The index must have room. */
static Slot *index_find(const Index *index, const MetricsPredictions *predictions, KeyOf key_of,
                        const Key *key)
{
    const uint32_t hash = (uint32_t)XXH3_64bits_withSeed(key->text, key->length, key->dataset);
    size_t at = hash & (index->capacity - 1);
    for (; index->slots[at].index_plus_one != 0; at = (at + 1) & (index->capacity - 1)) {
        if (index->slots[at].hash != hash)
            continue;
        const Key other = key_of(predictions, index->slots[at].index_plus_one - 1);
        if (other.dataset == key->dataset && other.length == key->length &&
            memcmp(other.text, key->text, key->length) == 0)
            return &index->slots[at];
    }
    index->slots[at].hash = hash;
    return &index->slots[at];
}

static void index_put(Index *index, Slot *slot, size_t value)
{
    slot->index_plus_one = (uint32_t)(value + 1);
    index->used++;
}

/* Index of a data set, added if it is new. False without memory. */
static bool intern_dataset(MetricsPredictions *predictions, const char *name, uint32_t *out)
{
    MetricsNames *const names = predictions->names;
    const Key key = {0, name, strlen(name)};
    if (!index_grow(&names->datasets))
        return false;
    Slot *const slot = index_find(&names->datasets, predictions, dataset_key, &key);
    if (slot->index_plus_one == 0) {
        const size_t count = predictions->dataset_count;
        const char **const grown =
            realloc(predictions->datasets, (count + 1) * sizeof *predictions->datasets);
        if (!grown)
            return false;
        predictions->datasets = grown;
        predictions->datasets[count] = keep_text(names, name, key.length);
        if (!predictions->datasets[count])
            return false;
        predictions->dataset_count++;
        index_put(&names->datasets, slot, count);
    }
    *out = slot->index_plus_one - 1;
    return true;
}

/* The source that a path names, [*length]; NULL if it names none. */
static const char *path_source(const char *file, size_t *length)
{
    const DataPath parts = file ? data_path_read(file) : (DataPath){0};
    *length = parts.source_length;
    return *length > 0 ? parts.source : NULL;
}

/* The row's source, else that of its path, [*length]; NULL if it has neither. */
static const char *source_of(const MetricsPrediction *row, size_t *length)
{
    if (!row->source)
        return path_source(row->file, length);
    *length = strlen(row->source);
    return row->source;
}

/* The row's source, kept; NULL if there is none. False without memory. */
static bool keep_source(MetricsNames *names, const MetricsPrediction *row, const char **source)
{
    size_t length = 0;
    const char *const text = source_of(row, &length);
    *source = text ? keep_text(names, text, length) : NULL;
    return *source || !text;
}

/* Index of the video of `row` within data set key->dataset, added if it is new. False without memory. */
static bool intern_video(MetricsPredictions *predictions, const MetricsPrediction *row,
                         const Key *key, uint32_t *out)
{
    MetricsNames *const names = predictions->names;
    if (!index_grow(&names->videos))
        return false;
    Slot *const slot = index_find(&names->videos, predictions, video_key, key);
    if (slot->index_plus_one == 0) {
        const uint32_t count = predictions->video_count;
        if (count == names->video_capacity) {
            const uint32_t capacity = count > 0 ? 2 * count : 64;
            MetricsVideo *const grown = realloc(predictions->videos, capacity * sizeof *grown);
            if (!grown)
                return false;
            predictions->videos = grown;
            names->video_capacity = capacity;
        }
        MetricsVideo *const video = &predictions->videos[count];
        *video = (MetricsVideo){.dataset = key->dataset, .label = row->label};
        video->name = keep_text(names, key->text, key->length);
        if (!video->name || !keep_source(names, row, &video->source))
            return false;
        predictions->video_count++;
        index_put(&names->videos, slot, count);
    }
    *out = slot->index_plus_one - 1;
    return true;
}

/* A column of `capacity` elements: `old` grown, or NULL if there was none and none is wanted. */
static bool grow_column(void *old, bool wanted, size_t capacity, size_t size, void **grown)
{
    *grown = old || wanted ? realloc(old, capacity * size) : NULL;
    return *grown || (!old && !wanted);
}

/*
 * Makes room for one more row. False without memory: what was grown by then is kept, and `capacity` still
 * holds for all columns.
 */
static bool grow_columns(MetricsPredictions *p)
{
    if (p->count < p->capacity)
        return true;
    const size_t capacity = p->capacity > 0 ? 2 * p->capacity : 1024;
    void *grown = NULL;
    if (!grow_column(p->scores, true, capacity, sizeof *p->scores, &grown))
        return false;
    p->scores = grown;
    if (!grow_column(p->margins, false, capacity, sizeof *p->margins, &grown))
        return false;
    p->margins = grown;
    if (!grow_column(p->labels, true, capacity, sizeof *p->labels, &grown))
        return false;
    p->labels = grown;
    if (!grow_column(p->row_dataset, false, capacity, sizeof *p->row_dataset, &grown))
        return false;
    p->row_dataset = grown;
    if (!grow_column(p->row_video, false, capacity, sizeof *p->row_video, &grown))
        return false;
    p->row_video = grown;
    if (!grow_column(p->files, false, capacity, sizeof *p->files, &grown))
        return false;
    p->files = grown;
    p->capacity = capacity;
    return true;
}

/* Makes a column of indices, filled with `value` for the rows before, if there is none yet. */
static bool make_column(MetricsPredictions *predictions, uint32_t **column, uint32_t value)
{
    if (*column)
        return true;
    *column = malloc(predictions->capacity * sizeof **column);
    for (size_t i = 0; *column && i < predictions->count; i++)
        (*column)[i] = value;
    return *column != NULL;
}

/* Enters the file of the row being added and counts it if it was there before. */
static bool put_file(MetricsPredictions *predictions, const char *file, uint32_t dataset)
{
    MetricsNames *const names = predictions->names;
    if (!predictions->files &&
        !(predictions->files = calloc(predictions->capacity, sizeof *predictions->files)))
        return false;
    if (!index_grow(&names->files))
        return false;
    const Key key = {dataset, file, strlen(file)};
    Slot *const slot = index_find(&names->files, predictions, file_key, &key);
    if (slot->index_plus_one != 0) {
        predictions->duplicates++;
        predictions->files[predictions->count] = predictions->files[slot->index_plus_one - 1];
        return true;
    }
    predictions->files[predictions->count] = keep_text(names, file, key.length);
    if (!predictions->files[predictions->count])
        return false;
    index_put(&names->files, slot, predictions->count);
    return true;
}

/* The name of the row's video: as given, or what its path says (perhaps in `buffer`); false if it has neither. */
static bool video_of(const MetricsPrediction *row, char buffer[FILE_PATH_SIZE], Key *key)
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
        if (!intern_dataset(predictions, row->dataset, &dataset))
            return no_memory(predictions, error);
    Key key = {.dataset = dataset};
    char buffer[FILE_PATH_SIZE];
    if (video_of(row, buffer, &key)) {
        if (!intern_video(predictions, row, &key, &video))
            return no_memory(predictions, error);
        if (predictions->videos[video].label != row->label)
            return error_set(error, STATUS_FAILED,
                             "video %s of %s: has real and fake frames; a video has one "
                             "label: check labels and folders",
                             predictions->videos[video].name, row->dataset);
    }
    if (!grow_columns(predictions) ||
        (dataset > 0 && !make_column(predictions, &predictions->row_dataset, 0)) ||
        (video != METRICS_NO_VIDEO &&
         !make_column(predictions, &predictions->row_video, METRICS_NO_VIDEO)))
        return no_memory(predictions, error);

    const size_t at = predictions->count;
    if (row->has_margin && !predictions->margins &&
        !(predictions->margins = malloc(predictions->capacity * sizeof *predictions->margins)))
        return no_memory(predictions, error);
    if (predictions->margins)
        predictions->margins[at] = row->margin;
    if (predictions->row_dataset)
        predictions->row_dataset[at] = dataset;
    if (predictions->row_video)
        predictions->row_video[at] = video;
    if (predictions->files)
        predictions->files[at] = NULL;
    if (row->file && !put_file(predictions, row->file, dataset))
        return no_memory(predictions, error);
    predictions->scores[at] = row->fake;
    predictions->labels[at] = (uint8_t)row->label;
    predictions->count++;
    return STATUS_OK;
}

/* A margin of every row or of none, finite, and of the same logits as p_fake. */
static Status check_margin(const MetricsPredictions *predictions, const MetricsPrediction *row,
                           Error *error)
{
    if (predictions->count > 0 && row->has_margin != (predictions->margins != NULL))
        return error_set(
            error, STATUS_FAILED,
            "margin of row %zu: is %s, unlike those of the rows before; give every row "
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
    if (!predictions->names && !(predictions->names = calloc(1, sizeof *predictions->names)))
        return no_memory(predictions, error);
    return append(predictions, row, error);
}

bool metrics_predictions_source_differs(const MetricsPrediction *row)
{
    size_t length = 0;
    const char *const of_path = path_source(row->file, &length);
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
    Key video = {0};
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
        const char *const text = source_of(row, &length);
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
