/*
 * sets_csv.c - any table of paths and labels (data/lists/list_table.h) as a data set.
 */
#include "data/lists/list_table.h"
#include "data/sets/sets_build_private.h"
#include "tensor/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* One row: its place in the sets, the key of its video, and its file. */
typedef struct Item {
    const DataTableRow *row;
    DataSplit split;
    const char *key; /* [key_length] */
    size_t key_length;
    const char *file; /* absolute, in the pool; NULL if it does not exist */
} Item;

/* Order of items: those of a video are neighbours. */
static int compare_videos(const Item *a, const Item *b)
{
    if (a->split != b->split)
        return a->split < b->split ? -1 : 1;
    int order = strcmp(a->row->source, b->row->source);
    if (order == 0 && a->row->video_by != b->row->video_by)
        order = a->row->video_by < b->row->video_by ? -1 : 1;
    if (order == 0 && a->key_length != b->key_length)
        order = a->key_length < b->key_length ? -1 : 1;
    return order != 0 ? order : memcmp(a->key, b->key, a->key_length);
}

static int compare_items(const void *left, const void *right)
{
    const Item *a = left, *b = right;
    int order = compare_videos(a, b);
    if (order == 0 && a->file && b->file)
        order = strcmp(a->file, b->file);
    if (order == 0 && !a->file != !b->file)
        order = a->file ? -1 : 1;
    return order != 0 ? order : (a->row->line > b->row->line) - (a->row->line < b->row->line);
}

/*
 * Finds the file of a path: below --root, else from the working folder, else from the table's
 * folder; then once more with slashes for backslashes. *file is NULL if there is none.
 */
static Status find_file(DataSetsBuilder *builder, const char *path, const char **file, Error *error)
{
    const char *table = builder->options->file;
    char beside[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], text[FILE_PATH_SIZE],
        found[FILE_PATH_SIZE];
    TRY(file_join(beside, builder->root, table, error));
    beside[file_name(beside) - beside] = '\0';
    TRY(file_join(text, "", path, error)); /* checks the length */
    *file = NULL;
    for (int slashes = 0; slashes < 2; slashes++) {
        for (int place = 0; place < (builder->rooted ? 1 : 2); place++) {
            TRY(file_join(folder, "", place == 0 ? builder->root : beside, error));
            const char *below = strncmp(text, "./", 2) == 0 ? text + 2 : text;
            TRY(file_join(found, folder, below, error));
            if (!file_exists(found) || file_is_folder(found))
                continue;
            *file = mem_pool_text(builder->pool, found, strlen(found), table, error);
            return *file ? STATUS_OK : error->status;
        }
        if (!strchr(text, '\\'))
            break;
        for (char *c = text; *c; c++)
            *c = (char)(*c == '\\' ? '/' : *c);
    }
    return STATUS_OK;
}

static Status fill_items(DataSetsBuilder *builder, const DataTable *table, DataSplit usual,
                         Item *items, Error *error)
{
    int lost = 0;
    const DataTableRow *first = NULL;
    for (int i = 0; i < table->count; i++) {
        const DataTableRow *row = &table->rows[i];
        Item *item = &items[i];
        *item = (Item){.row = row,
                       .split = row->split < 0 ? usual : (DataSplit)row->split,
                       .key = row->video ? row->video : row->path};
        item->key_length = row->video_by == DATA_VIDEO_FOLDER
                               ? data_path_read(row->path).video_length
                               : strlen(item->key);
        TRY(find_file(builder, row->path, &item->file, error));
        first = first || item->file ? first : row;
        lost += !item->file;
    }
    if (lost > 0)
        data_sets_warn(builder, "%s: %d of %d files do not exist, the first in line %zu: %s",
                       builder->options->file, lost, table->count, first->line, first->path);
    return STATUS_OK;
}

/* Adds the video of items [count]; the ones without a file come last. */
static Status add_video(DataSetsBuilder *builder, const Item *items, int count, const char **frames,
                        Error *error)
{
    const DataTableRow *row = items[0].row;
    int source, kept = 0;
    for (int i = 0; i < count && items[i].file; i++)
        if (kept == 0 || strcmp(frames[kept - 1], items[i].file) != 0)
            frames[kept++] = items[i].file;
    char name[FILE_PATH_SIZE];
    const char *key = items[0].key;
    if (row->video_by == DATA_VIDEO_IMAGE)
        key = file_name(key);
    snprintf(name, sizeof name, "%.*s",
             (int)(row->video_by == DATA_VIDEO_FOLDER ? items[0].key_length : strlen(key)), key);
    TRY(data_sets_source(builder, items[0].split, row->source, row->label, &source, error));
    TRY(data_sets_frames(builder, source, name[0] ? name : ".", frames, kept,
                         "none of its files exists", error));
    DataSetsSource *into = &builder->sets->sources[source];
    into->videos[into->count - 1].named = row->video_by == DATA_VIDEO_NAME;
    return STATUS_OK;
}

static Status add_table(DataSetsBuilder *builder, const DataTable *table, Error *error)
{
    DataSplit usual;
    TRY(data_sets_split(builder, &usual, error));
    if (table->has_split && builder->options->split)
        return error_set(error, STATUS_USAGE,
                         "--split %s: the table has a column of splits; remove --split, or give "
                         "--split-column none",
                         builder->options->split);
    Item *items = mem_new(table->count, sizeof *items, builder->options->file, error);
    const char **frames = mem_new(table->count, sizeof *frames, builder->options->file, error);
    Status status = items && frames ? STATUS_OK : error->status;
    if (status == STATUS_OK)
        status = fill_items(builder, table, usual, items, error);
    if (status == STATUS_OK)
        qsort(items, table->count, sizeof *items, compare_items);
    for (int begin = 0, end; begin < table->count && status == STATUS_OK; begin = end) {
        for (end = begin + 1;
             end < table->count && compare_videos(&items[begin], &items[end]) == 0;)
            end++;
        status = add_video(builder, &items[begin], end - begin, frames, error);
    }
    free(items);
    free(frames);
    return status;
}

Status data_sets_csv(DataSetsBuilder *builder, Error *error)
{
    DataTable table;
    TRY(data_table_read(&table, builder->options->file, builder->options->columns, error));
    if (table.doubts)
        data_sets_warn(builder, "%s", table.doubts);
    builder->sets->note =
        mem_pool_text(builder->pool, table.taken, strlen(table.taken), "a table", error);
    Status status = builder->sets->note ? STATUS_OK : error->status;
    if (status == STATUS_OK)
        status = add_table(builder, &table, error);
    data_table_free(&table);
    return status;
}
