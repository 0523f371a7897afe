/*
 * list.c - see list.h: unites the entries of list_collect.c, numbers videos and sources, and
 * answers queries.
 *
 * Everything that a list owns is in one pool, including the scratch memory of the queries, so that
 * these cannot fail.
 */
#include "data/lists/list.h"

#include "data/lists/list_collect_private.h"
#include "tensor/base/file.h"
#include "tensor/base/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char WHAT[] = "a list of frames";

typedef struct ListMemory {
    MemPool pool;
    const char **identities; /* [count], sorted, for data_list_overlap */
    int *renumbered;         /* [count,2], scratch of data_list_keep_frames */
    DataSkippedFiles skipped;
    DataNote *notes;
} ListMemory;

/* Keys of the tables of locations, sources and videos; a value is the index of an entry. */
static TableKey key_text(const char *text)
{
    return (TableKey){.text = text, .length = strlen(text)};
}

static TableKey key_location(const void *entries, uint32_t i)
{
    return key_text(((const DataEntry *)entries)[i].location);
}

static TableKey key_source(const void *entries, uint32_t i)
{
    return key_text(((const DataEntry *)entries)[i].source);
}

static TableKey key_video(const void *entries, uint32_t i)
{
    const DataEntry *entry = (const DataEntry *)entries + i;
    return key_text(entry->video       ? entry->video
                    : entry->own_video ? entry->location
                                       : entry->folder);
}

/*
 * Sets *first to the index of the first entry with the key of items[i]; i itself if the key is new.
 */
static Status find_first(Table *table, TableKeyOf key_of, const DataEntry *items, uint32_t i,
                         uint32_t *first, Error *error)
{
    bool added;
    *first = i;
    return table_find(table, key_of(items, i), key_of, items, first, &added, error);
}

static int compare_entries(const void *left, const void *right)
{
    const DataEntry *a = left, *b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : strcmp(a->location, b->location);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/*
 * Keeps the first of the entries with the same name and folder. Entries are sorted, so the order of
 * the lists does not matter.
 */
static Status remove_duplicates(DataEntries *entries, int *duplicates, Error *error)
{
    Table table = {0};
    DataEntry *items = entries->items;
    Status status = STATUS_OK;
    int kept = 0;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        uint32_t first = kept;
        bool added;
        status =
            table_find(&table, key_location(items, i), key_location, items, &first, &added, error);
        if (status == STATUS_OK && added)
            items[kept++] = items[i];
        else if (status == STATUS_OK && items[first].label != items[i].label)
            status = error_set(
                error, STATUS_FAILED,
                "%s: the same file as %s, which makes it both real and fake; remove one of "
                "them from the lists",
                items[i].path, items[first].path);
    }
    *duplicates = entries->count - kept;
    entries->count = kept;
    table_free(&table);
    return status;
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* Applies the user's labels. */
static void apply_labels(DataEntries *entries, DataSourceLabel *labels, int count)
{
    for (int i = 0; i < entries->count; i++) {
        DataEntry *entry = &entries->items[i];
        for (int l = 0; l < count; l++) {
            if (strcmp(labels[l].source, entry->source) != 0)
                continue;
            labels[l].used = true;
            entry->label = labels[l].label;
            entry->doubt = NULL;
            entry->above = false;
        }
    }
}

/* Reports all sources without a label. */
static Status check_doubts(const DataEntries *entries, Error *error)
{
    Table table = {0};
    const char *name = NULL;
    int sources = 0;
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        const DataEntry *entry = &entries->items[i];
        uint32_t first;
        if (entry->label >= 0)
            continue;
        status = find_first(&table, key_source, entries->items, i, &first, error);
        if (status != STATUS_OK || first != (uint32_t)i)
            continue;
        error_detail(error, "source %s (%s): %s", entry->source, entry->path, entry->doubt);
        name = name ? name : entry->source;
        sources++;
    }
    table_free(&table);
    if (status != STATUS_OK || sources == 0)
        return status;
    return error_set(error, STATUS_FAILED,
                     "source %s%s: not clear whether real or fake; set it with --label %s=real or "
                     "--label %s=fake, or in the list, above its paths, with the line '# lnclip: "
                     "label=real source=NAME'",
                     name, sources > 1 ? " and others" : "", name, name);
}

/*
 * Folders real/id1 and fake/id1 are two sources with the name id1: if a name has both labels, the
 * label's folder is put before it.
 */
static Status part_sources(DataEntries *entries, MemPool *pool, Error *error)
{
    Table table = {0};
    DataEntry *items = entries->items;
    Status status = STATUS_FAILED;
    /* The first entry with the same source, and for it whether the source has both labels. */
    uint32_t *first = mem_new(entries->count, sizeof *first, WHAT, error);
    bool *both = mem_new(entries->count, sizeof *both, WHAT, error);
    if (!first || !both)
        goto done;
    for (int i = 0; i < entries->count; i++) {
        status = find_first(&table, key_source, items, i, &first[i], error);
        if (status != STATUS_OK)
            goto done;
        both[first[i]] |= items[i].label != items[first[i]].label;
    }
    for (int i = 0; i < entries->count; i++) {
        DataEntry *entry = &items[i];
        if (!entry->above || !both[first[i]])
            continue;
        const size_t size = strlen(entry->source) + sizeof "real/";
        char *name = mem_pool_new(pool, size, WHAT, error);
        if (!name) {
            status = error->status;
            goto done;
        }
        snprintf(name, size, "%s/%s", entry->label ? "fake" : "real", entry->source);
        entry->source = name;
    }
done:
    free(first);
    free(both);
    table_free(&table);
    return status;
}

/* ---- numbering of videos and sources --------------------------------------------------------- */

/* Numbers the videos in order of their first frame: frames[i].video, videos, video_label. */
static Status number_videos(DataList *list, const DataEntries *entries, MemPool *pool, Error *error)
{
    Table table = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *entry = &entries->items[i];
        uint32_t first;
        status = find_first(&table, key_video, entries->items, i, &first, error);
        if (status != STATUS_OK)
            goto done;
        const bool is_new = first == (uint32_t)i;
        const int video = is_new ? list->video_count++ : list->frames[first].video;
        list->frames[i].video = video;
        if (is_new) {
            const size_t folder = file_name(entry->file) - entry->file;
            const char *name = entry->video ? entry->video : entry->file;
            const size_t length = entry->video || entry->own_video ? strlen(name)
                                  : folder > 0                     ? folder - 1
                                                                   : 0;
            list->video_label[video] = entry->label;
            list->videos[video] = mem_pool_text(pool, name, length, WHAT, error);
            if (!list->videos[video]) {
                status = error->status;
                goto done;
            }
        } else if (list->video_label[video] != entry->label) {
            status = error_set(
                error, STATUS_FAILED,
                "%s: its video %s has both real and fake frames; a video needs one label, "
                "so check the source folders",
                entry->path, list->videos[video]);
            goto done;
        }
    }
done:
    table_free(&table);
    return status;
}

/* Collects the source names in bytewise order and sets frames[i].source. */
static Status number_sources(DataList *list, const DataEntries *entries, Error *error)
{
    Table table = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        uint32_t first;
        status = find_first(&table, key_source, entries->items, i, &first, error);
        if (status == STATUS_OK && first == (uint32_t)i)
            list->sources[list->source_count++] = entries->items[i].source;
    }
    table_free(&table);
    TRY(status);
    qsort(list->sources, list->source_count, sizeof *list->sources, compare_texts);
    for (int i = 0; i < list->source_count; i++) {
        list->source_label[i] = -1;
        list->source_doubt[i] = NULL;
    }
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *entry = &entries->items[i];
        const char *const *found = bsearch(&entry->source, list->sources, list->source_count,
                                           sizeof *list->sources, compare_texts);
        const int source = (int)(found - list->sources);
        list->frames[i].source = source;
        if (list->source_label[source] == !entry->label)
            return error_set(
                error, STATUS_FAILED,
                "%s: its source %s is real in one list and fake in another; give the two "
                "different names in the header lines of the lists",
                entry->path, list->sources[source]);
        list->source_label[source] = entry->label;
        if (entry->doubt)
            list->source_doubt[source] = entry->doubt;
    }
    return STATUS_OK;
}

/* Sorts the identities of the remaining frames. */
static void sort_identities(const DataList *list)
{
    const ListMemory *memory = list->memory;
    for (int i = 0; i < list->count; i++)
        memory->identities[i] = list->frames[i].identity;
    qsort(memory->identities, list->count, sizeof *memory->identities, compare_texts);
}

/* Allocates the arrays of the list for `count` entries. */
static Status create_arrays(DataList *list, int count, Error *error)
{
    const size_t n = count;
    ListMemory *memory = list->memory;
    MemPool *pool = &memory->pool;
    if (!(list->frames = mem_pool_new(pool, n * sizeof *list->frames, WHAT, error)) ||
        !(list->videos = mem_pool_new(pool, n * sizeof *list->videos, WHAT, error)) ||
        !(list->video_label = mem_pool_new(pool, n * sizeof *list->video_label, WHAT, error)) ||
        !(list->sources = mem_pool_new(pool, n * sizeof *list->sources, WHAT, error)) ||
        !(list->source_label = mem_pool_new(pool, n * sizeof *list->source_label, WHAT, error)) ||
        !(list->source_doubt = mem_pool_new(pool, n * sizeof *list->source_doubt, WHAT, error)) ||
        !(memory->identities = mem_pool_new(pool, n * sizeof *memory->identities, WHAT, error)) ||
        !(memory->renumbered = mem_pool_new(pool, 2 * n * sizeof *memory->renumbered, WHAT, error)))
        return error->status;
    return STATUS_OK;
}

/* Converts the entries to frames of the list; video and source are numbered later. */
static Status fill_frames(DataList *list, const DataEntries *entries, Error *error)
{
    TRY(create_arrays(list, entries->count, error));
    list->count = entries->count;
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *entry = &entries->items[i];
        list->frames[i] = (DataFrame){.path = entry->path,
                                      .file = entry->file,
                                      .identity = entry->identity,
                                      .label = entry->label,
                                      .video = -1,
                                      .source = -1};
    }
    return STATUS_OK;
}

/* All steps after collecting: labels, sorting, duplicates, numbering. */
static Status unite(DataList *list, DataEntries *entries, DataSourceLabel *labels, int label_count,
                    Error *error)
{
    ListMemory *memory = list->memory;
    qsort(entries->items, entries->count, sizeof *entries->items, compare_entries);
    apply_labels(entries, labels, label_count);
    TRY(check_doubts(entries, error));
    TRY(part_sources(entries, &memory->pool, error));
    TRY(remove_duplicates(entries, &list->duplicates, error));
    TRY(fill_frames(list, entries, error));
    TRY(number_videos(list, entries, &memory->pool, error));
    TRY(number_sources(list, entries, error));
    sort_identities(list);
    return STATUS_OK;
}

static Status begin(DataList *list, Error *error)
{
    *list = (DataList){.memory = mem_new(1, sizeof(ListMemory), WHAT, error)};
    return list->memory ? STATUS_OK : error->status;
}

/* Transfers the skipped files to the list. */
static void set_skipped(DataList *list)
{
    const ListMemory *memory = list->memory;
    list->skipped = memory->skipped.items;
    list->skipped_count = memory->skipped.count;
}

Status data_list_read_labelled(DataList *list, const char *const *lists, int count, DataSplit split,
                               DataSourceLabel *labels, int label_count, Error *error)
{
    assert(list && lists && count > 0 && (labels || label_count == 0) && error);
    TRY(begin(list, error));
    ListMemory *memory = list->memory;
    DataCollection collection = {
        .pool = &memory->pool, .split = split, .skipped = &memory->skipped};
    DataEntries *entries = &collection.entries;
    const char *others = count > 1 ? " and the other lists" : "";
    const int problems = error->problems;
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = data_collect_list(&collection, lists[i], error);
    const int missing = error->problems - problems;
    if (status != STATUS_OK)
        goto done;
    if (missing > 0)
        status = error_set(
            error, STATUS_FAILED,
            "%s%s: %d of %d files are missing or cannot be read; check the folder the paths "
            "start from (the working directory, else the list's folder)",
            lists[0], others, missing, missing + entries->count);
    else if (entries->count == 0)
        status = error_set(error, STATUS_FAILED,
                           "%s%s: all paths are masks, landmarks or system files; list frames "
                           "instead",
                           lists[0], others);
    else
        status = unite(list, entries, labels, label_count, error);
done:
    free(entries->items);
    memory->notes = list->notes = collection.notes;
    list->note_count = collection.note_count;
    set_skipped(list);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

Status data_list_read(DataList *list, const char *const *lists, int count, Error *error)
{
    return data_list_read_labelled(list, lists, count, DATA_TEST, NULL, 0, error);
}

Status data_list_paths_from(DataList *list, const char *const *paths, int count, const char *folder,
                            Error *error)
{
    assert(list && paths && count > 0 && folder && error);
    TRY(begin(list, error));
    ListMemory *memory = list->memory;
    DataEntries entries = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status =
            data_collect_path(&memory->pool, &entries, &memory->skipped, paths[i], folder, error);
    if (status == STATUS_OK)
        status = fill_frames(list, &entries, error);
    free(entries.items);
    set_skipped(list);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error)
{
    return data_list_paths_from(list, paths, count, "", error);
}

void data_list_free(DataList *list)
{
    ListMemory *memory = list->memory;
    if (memory) {
        mem_pool_free(&memory->pool);
        free(memory->skipped.items);
        free(memory->notes);
    }
    free(memory);
    *list = (DataList){0};
}

void data_list_keep_frames(DataList *list, const bool *keep)
{
    assert(list && (keep || list->count == 0));
    const ListMemory *memory = list->memory;
    int *video_number = memory->renumbered, *source_number = video_number + list->count;
    assert(list->video_count <= list->count && list->source_count <= list->count);
    for (int video = 0; video < list->video_count; video++)
        video_number[video] = 0;
    for (int source = 0; source < list->source_count; source++)
        source_number[source] = 0;
    int kept = 0, videos = 0, sources = 0;
    for (int i = 0; i < list->count; i++) {
        if (!keep[i])
            continue;
        video_number[list->frames[i].video] = source_number[list->frames[i].source] = 1;
        list->frames[kept++] = list->frames[i];
    }
    for (int video = 0; video < list->video_count; video++) {
        const int used = video_number[video];
        video_number[video] = videos;
        list->videos[videos] = list->videos[video];
        list->video_label[videos] = list->video_label[video];
        videos += used;
    }
    for (int source = 0; source < list->source_count; source++) {
        const int used = source_number[source];
        source_number[source] = sources;
        list->sources[sources] = list->sources[source];
        list->source_label[sources] = list->source_label[source];
        list->source_doubt[sources] = list->source_doubt[source];
        sources += used;
    }
    for (int i = 0; i < kept; i++) {
        list->frames[i].video = video_number[list->frames[i].video];
        list->frames[i].source = source_number[list->frames[i].source];
    }
    list->left_out += list->count - kept;
    list->count = kept;
    list->video_count = videos;
    list->source_count = sources;
    sort_identities(list);
}

void data_list_counts(const DataList *list, int frames[2], int videos[2])
{
    assert(list && frames && videos);
    frames[0] = frames[1] = videos[0] = videos[1] = 0;
    for (int i = 0; i < list->count; i++)
        frames[list->frames[i].label]++;
    for (int i = 0; i < list->video_count; i++)
        videos[list->video_label[i]]++;
}

void data_list_hash(const DataList *list, char out[HASH_TEXT_SIZE])
{
    assert(list && out);
    Hash hash;
    hash_begin(&hash);
    for (int i = 0; i < list->count; i++) {
        const DataFrame *frame = &list->frames[i];
        const char label = (char)('0' + frame->label);
        hash_text(&hash, frame->path);
        hash_bytes(&hash, &label, 1);
    }
    hash_end(&hash, out);
}

int data_list_overlap(const DataList *a, const DataList *b)
{
    assert(a && b);
    const ListMemory *left = a->memory, *right = b->memory;
    assert((a->count == 0 || a->frames[0].identity) && (b->count == 0 || b->frames[0].identity));
    int common = 0;
    for (int i = 0, j = 0; i < a->count && j < b->count;) {
        const int order = strcmp(left->identities[i], right->identities[j]);
        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}
