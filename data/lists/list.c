/*
 * list.c - see list.h: unites what list_collect.c found, numbers videos and sources, answers questions.
 *
 * Everything a list owns lives in one pool; it also keeps the scratch that the questions need, so that
 * they cannot fail.
 */
#include "data/lists/list.h"

#include "data/lists/list_collect_private.h"
#include "tensor/base/file.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for a hash state on the stack */
#include <xxhash.h>

typedef struct ListMemory {
    DataPool pool;
    const char **identities; /* [count], sorted: what data_list_overlap merges */
    int *renumbered;         /* [count,2], scratch of data_list_keep_frames */
    DataSkippedFiles skipped;
} ListMemory;

/* Open addressing from texts to numbers. The texts are borrowed. */
typedef struct Table {
    struct Slot {
        const char *text;
        int value;
    } * slots;
    size_t mask;
} Table;

static Status table_create(Table *table, int count, Error *error)
{
    size_t size = 16;
    while (size < (size_t)count * 2)
        size *= 2;
    *table = (Table){.slots = calloc(size, sizeof *table->slots), .mask = size - 1};
    if (!table->slots)
        return error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some", count);
    return STATUS_OK;
}

/* Where the value of `text` is; if it is new, `value` is stored there. */
static int *table_find(Table *table, const char *text, int value)
{
    size_t i = (size_t)XXH3_64bits(text, strlen(text)) & table->mask;
    while (table->slots[i].text && strcmp(table->slots[i].text, text) != 0)
        i = (i + 1) & table->mask;
    if (!table->slots[i].text)
        table->slots[i] = (struct Slot){.text = text, .value = value};
    return &table->slots[i].value;
}

/* The value of `text`; if it is new, `value` is stored and returned. */
static int table_put(Table *table, const char *text, int value)
{
    return *table_find(table, text, value);
}

static int compare_entries(const void *left, const void *right)
{
    const DataEntry *const a = left, *const b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : strcmp(a->place, b->place);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Keeps the first of the entries of one name in one folder. Entries are sorted, so the order of the lists is no matter. */
static Status remove_duplicates(DataEntries *entries, int *duplicates, Error *error)
{
    Table table;
    TRY(table_create(&table, entries->count, error));
    Status status = STATUS_OK;
    int kept = 0;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        const DataEntry *const entry = &entries->items[i];
        const int first = table_put(&table, entry->place, kept);
        if (first == kept)
            entries->items[kept++] = *entry;
        else if (entries->items[first].label != entry->label)
            status = error_set(
                error, STATUS_FAILED,
                "%s: the same file as %s, which makes it both real and fake; remove one of "
                "them from the lists",
                entry->path, entries->items[first].path);
    }
    *duplicates = entries->count - kept;
    entries->count = kept;
    free(table.slots);
    return status;
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* Sets the labels that the user gave. */
static void apply_labels(DataEntries *entries, DataSourceLabel *labels, int count)
{
    for (int i = 0; i < entries->count; i++) {
        DataEntry *const entry = &entries->items[i];
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

/* Names all sources without a label. */
static Status check_doubts(const DataEntries *entries, Error *error)
{
    Table table;
    const char *first = NULL;
    int sources = 0;
    TRY(table_create(&table, entries->count, error));
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *const entry = &entries->items[i];
        if (entry->label >= 0 || *table_find(&table, entry->source, i) != i)
            continue;
        error_detail(error, "source %s (%s): %s", entry->source, entry->path, entry->doubt);
        first = first ? first : entry->source;
        sources++;
    }
    free(table.slots);
    if (sources == 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "source %s%s: not clear whether real or fake; say it with --label %s=real or "
                     "--label %s=fake, or in the list, above its paths, with the line '# lnclip: "
                     "label=real source=NAME'",
                     first, sources > 1 ? " and others" : "", first, first);
}

/*
 * Folders real/id1 and fake/id1 make two sources of the name id1: where a name has both labels, that of the folder
 * is put before it.
 */
static Status part_sources(DataEntries *entries, DataPool *pool, Error *error)
{
    enum { BOTH = 2 };
    Table table;
    TRY(table_create(&table, entries->count, error));
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *const entry = &entries->items[i];
        int *const label = table_find(&table, entry->source, entry->label);
        if (*label != entry->label)
            *label = BOTH;
    }
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        DataEntry *const entry = &entries->items[i];
        if (!entry->above || *table_find(&table, entry->source, 0) != BOTH)
            continue;
        const size_t length = strlen(entry->source);
        char *const name = data_pool_allocate(pool, length + sizeof "real/");
        if (!name)
            status = error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some",
                               entries->count);
        else
            snprintf(name, length + sizeof "real/", "%s/%s", entry->label ? "fake" : "real",
                     entry->source);
        entry->source = name;
    }
    free(table.slots);
    return status;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Numbers the videos in order of first frame: frames[i].video, videos, video_label. */
static Status number_videos(DataList *list, const DataEntries *entries, DataPool *pool,
                            Error *error)
{
    Table table;
    TRY(table_create(&table, entries->count, error));
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        const DataEntry *const entry = &entries->items[i];
        const int video =
            table_put(&table, entry->alone ? entry->place : entry->folder, list->video_count);
        if (video == list->video_count) {
            const size_t folder = (size_t)(file_name(entry->file) - entry->file);
            const size_t length = entry->alone ? strlen(entry->file) : folder > 0 ? folder - 1 : 0;
            list->videos[video] = data_pool_text(pool, entry->file, length);
            list->video_label[video] = entry->label;
            list->video_count++;
            if (!list->videos[video])
                status = error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some",
                                   entries->count);
        } else if (list->video_label[video] != entry->label) {
            status = error_set(
                error, STATUS_FAILED,
                "%s: its video %s has both real and fake frames; a video needs one label, "
                "so check the source folders",
                entry->path, list->videos[video]);
        }
        list->frames[i].video = video;
    }
    free(table.slots);
    return status;
}

/* Collects the names of the sources in bytewise order, and sets frames[i].source. */
static Status number_sources(DataList *list, const DataEntries *entries, Error *error)
{
    Table table;
    TRY(table_create(&table, entries->count, error));
    for (int i = 0; i < entries->count; i++) {
        const char *const source = entries->items[i].source;
        if (table_put(&table, source, list->source_count) == list->source_count)
            list->sources[list->source_count++] = source;
    }
    free(table.slots);
    qsort(list->sources, (size_t)list->source_count, sizeof *list->sources, compare_texts);
    for (int i = 0; i < list->source_count; i++) {
        list->source_label[i] = -1;
        list->source_doubt[i] = NULL;
    }
    for (int i = 0; i < entries->count; i++) {
        const char *const *const found =
            bsearch(&entries->items[i].source, list->sources, (size_t)list->source_count,
                    sizeof *list->sources, compare_texts);
        const int source = (int)(found - list->sources);
        list->frames[i].source = source;
        if (list->source_label[source] == !entries->items[i].label)
            return error_set(
                error, STATUS_FAILED,
                "%s: its source %s is real in one list and fake in another; give the two "
                "different names in the header lines of the lists",
                entries->items[i].path, list->sources[source]);
        list->source_label[source] = entries->items[i].label;
        if (entries->items[i].doubt)
            list->source_doubt[source] = entries->items[i].doubt;
    }
    return STATUS_OK;
}

/* The identities of the frames that are left, sorted. */
static void sort_identities(const DataList *list)
{
    const ListMemory *const memory = list->memory;
    for (int i = 0; i < list->count; i++)
        memory->identities[i] = list->frames[i].identity;
    qsort(memory->identities, (size_t)list->count, sizeof *memory->identities, compare_texts);
}

/* Allocates the arrays of the list for `count` entries, zeroed where that matters. */
static Status create_arrays(DataList *list, int count, Error *error)
{
    const size_t n = (size_t)count;
    ListMemory *const memory = list->memory;
    list->frames = data_pool_allocate(&memory->pool, n * sizeof *list->frames);
    list->videos = data_pool_allocate(&memory->pool, n * sizeof *list->videos);
    list->video_label = data_pool_allocate(&memory->pool, n * sizeof *list->video_label);
    list->sources = data_pool_allocate(&memory->pool, n * sizeof *list->sources);
    list->source_label = data_pool_allocate(&memory->pool, n * sizeof *list->source_label);
    list->source_doubt = data_pool_allocate(&memory->pool, n * sizeof *list->source_doubt);
    memory->identities = data_pool_allocate(&memory->pool, n * sizeof *memory->identities);
    memory->renumbered = data_pool_allocate(&memory->pool, 2 * n * sizeof *memory->renumbered);
    if (!list->frames || !list->videos || !list->video_label || !list->sources ||
        !list->source_label || !list->source_doubt || !memory->identities || !memory->renumbered)
        return error_set(error, STATUS_FAILED, "list of %d frames: no memory; free some", count);
    return STATUS_OK;
}

/* Turns entries into the frames of the list; video and source are still to be numbered. */
static Status take_entries(DataList *list, const DataEntries *entries, Error *error)
{
    TRY(create_arrays(list, entries->count, error));
    list->count = entries->count;
    for (int i = 0; i < entries->count; i++) {
        const DataEntry *const entry = &entries->items[i];
        list->frames[i] = (DataFrame){.path = entry->path,
                                      .file = entry->file,
                                      .identity = entry->identity,
                                      .label = entry->label,
                                      .video = -1,
                                      .source = -1};
    }
    return STATUS_OK;
}

/* Everything after collecting: labels, sort, drop duplicates, number. */
static Status unite(DataList *list, DataEntries *entries, DataSourceLabel *labels, int label_count,
                    Error *error)
{
    ListMemory *const memory = list->memory;
    qsort(entries->items, (size_t)entries->count, sizeof *entries->items, compare_entries);
    apply_labels(entries, labels, label_count);
    TRY(check_doubts(entries, error));
    TRY(part_sources(entries, &memory->pool, error));
    TRY(remove_duplicates(entries, &list->duplicates, error));
    TRY(take_entries(list, entries, error));
    TRY(number_videos(list, entries, &memory->pool, error));
    TRY(number_sources(list, entries, error));
    sort_identities(list);
    return STATUS_OK;
}

static Status begin(DataList *list, Error *error)
{
    *list = (DataList){.memory = calloc(1, sizeof(ListMemory))};
    if (!list->memory)
        return error_set(error, STATUS_FAILED, "list of frames: no memory; free some");
    return STATUS_OK;
}

/* Hands what was passed over to the list. */
static void take_skipped(DataList *list)
{
    const ListMemory *const memory = list->memory;
    list->skipped = memory->skipped.items;
    list->skipped_count = memory->skipped.count;
}

Status data_list_read_labelled(DataList *list, const char *const *lists, int count,
                               DataSourceLabel *labels, int label_count, Error *error)
{
    assert(list && lists && count > 0 && (labels || label_count == 0) && error);
    TRY(begin(list, error));
    ListMemory *const memory = list->memory;
    DataEntries entries = {0};
    const int problems = error->problems;
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = data_collect_list(&memory->pool, &entries, &memory->skipped, lists[i], error);
    const int missing = error->problems - problems;
    if (status == STATUS_OK && missing > 0)
        status = error_set(
            error, STATUS_FAILED,
            "%s%s: %d of %d files are missing or cannot be read; check the folder the paths "
            "start from (the working directory, else the list's folder)",
            lists[0], count > 1 ? " and the other lists" : "", missing, missing + entries.count);
    if (status == STATUS_OK && entries.count == 0)
        status = error_set(error, STATUS_FAILED,
                           "%s%s: all paths are masks, landmarks or files of the system; list the "
                           "frames",
                           lists[0], count > 1 ? " and the other lists" : "");
    if (status == STATUS_OK)
        status = unite(list, &entries, labels, label_count, error);
    free(entries.items);
    take_skipped(list);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

Status data_list_read(DataList *list, const char *const *lists, int count, Error *error)
{
    return data_list_read_labelled(list, lists, count, NULL, 0, error);
}

Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error)
{
    assert(list && paths && count > 0 && error);
    TRY(begin(list, error));
    ListMemory *const memory = list->memory;
    DataEntries entries = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = data_collect_path(&memory->pool, &entries, &memory->skipped, paths[i], error);
    if (status == STATUS_OK)
        status = take_entries(list, &entries, error);
    free(entries.items);
    take_skipped(list);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

void data_list_free(DataList *list)
{
    ListMemory *const memory = list->memory;
    if (memory) {
        data_pool_free(&memory->pool);
        free(memory->skipped.items);
    }
    free(memory);
    *list = (DataList){0};
}

void data_list_keep_frames(DataList *list, const bool *keep)
{
    assert(list && (keep || list->count == 0));
    const ListMemory *const memory = list->memory;
    int *const video_number = memory->renumbered, *const source_number = video_number + list->count;
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

void data_list_hash(const DataList *list, char out[33])
{
    assert(list && out);
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (int i = 0; i < list->count; i++) {
        const DataFrame *const frame = &list->frames[i];
        const char label = (char)('0' + frame->label);
        XXH3_128bits_update(&state, frame->path, strlen(frame->path) + 1);
        XXH3_128bits_update(&state, &label, 1);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

int data_list_overlap(const DataList *a, const DataList *b)
{
    assert(a && b);
    const ListMemory *const left = a->memory, *const right = b->memory;
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
