/*
 * list.c - see list.h: unites what list_collect.c found, numbers videos and sources, answers questions.
 *
 * Everything a list owns lives in one pool; it also keeps the scratch that the questions need, so that
 * they cannot fail.
 */
#include "data/list.h"

#include "data/list_collect.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for a hash state on the stack */
#include <xxhash.h>

typedef struct ListMemory {
    DataPool pool;
    const char **identities; /* [count], sorted: what data_list_overlap merges */
    int *video_frames;       /* [video_count,2], scratch of data_list_limit_frames */
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

/* The value of `text`; if it is new, `value` is stored and returned. */
static int table_put(Table *table, const char *text, int value)
{
    size_t i = (size_t)XXH3_64bits(text, strlen(text)) & table->mask;
    while (table->slots[i].text && strcmp(table->slots[i].text, text) != 0)
        i = (i + 1) & table->mask;
    if (!table->slots[i].text)
        table->slots[i] = (struct Slot){.text = text, .value = value};
    return table->slots[i].value;
}

static int compare_entries(const void *left, const void *right)
{
    const DataEntry *const a = left, *const b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : strcmp(a->identity, b->identity);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Keeps the first of the entries of one file. Entries are sorted, so the order of the lists is no matter. */
static Status remove_duplicates(DataEntries *entries, int *duplicates, Error *error)
{
    Table table;
    TRY(table_create(&table, entries->count, error));
    Status status = STATUS_OK;
    int kept = 0;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        const DataEntry *const entry = &entries->items[i];
        const int first = table_put(&table, entry->identity, kept);
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

/* Numbers the videos in order of first frame: frames[i].video, videos, video_label. */
static Status number_videos(DataList *list, const DataEntries *entries, DataPool *pool,
                            Error *error)
{
    Table table;
    TRY(table_create(&table, entries->count, error));
    Status status = STATUS_OK;
    for (int i = 0; i < entries->count && status == STATUS_OK; i++) {
        const DataEntry *const entry = &entries->items[i];
        const int video = table_put(&table, entry->folder, list->video_count);
        if (video == list->video_count) {
            const char *const slash = strrchr(entry->file, '/');
            const size_t length = slash ? (size_t)(slash - entry->file) : 0;
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
    for (int i = 0; i < list->source_count; i++)
        list->source_label[i] = -1;
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
    memory->identities = data_pool_allocate(&memory->pool, n * sizeof *memory->identities);
    memory->video_frames = data_pool_allocate(&memory->pool, 2 * n * sizeof *memory->video_frames);
    if (!list->frames || !list->videos || !list->video_label || !list->sources ||
        !list->source_label || !memory->identities || !memory->video_frames)
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

/* Everything after collecting: sort, drop duplicates, number. */
static Status unite(DataList *list, DataEntries *entries, Error *error)
{
    ListMemory *const memory = list->memory;
    qsort(entries->items, (size_t)entries->count, sizeof *entries->items, compare_entries);
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

Status data_list_read(DataList *list, const char *const *lists, int count, Error *error)
{
    assert(list && lists && count > 0 && error);
    TRY(begin(list, error));
    ListMemory *const memory = list->memory;
    DataEntries entries = {0};
    const int problems = error->problems;
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = data_collect_list(&memory->pool, &entries, lists[i], error);
    const int missing = error->problems - problems;
    if (status == STATUS_OK && missing > 0)
        status = error_set(
            error, STATUS_FAILED,
            "%s%s: %d of %d files are missing or cannot be read; check the folder the paths "
            "start from (the working directory, else the list's folder)",
            lists[0], count > 1 ? " and the other lists" : "", missing, missing + entries.count);
    if (status == STATUS_OK)
        status = unite(list, &entries, error);
    free(entries.items);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error)
{
    assert(list && paths && count > 0 && error);
    TRY(begin(list, error));
    ListMemory *const memory = list->memory;
    DataEntries entries = {0};
    Status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = data_collect_path(&memory->pool, &entries, paths[i], error);
    if (status == STATUS_OK)
        status = take_entries(list, &entries, error);
    free(entries.items);
    if (status != STATUS_OK)
        data_list_free(list);
    return status;
}

void data_list_free(DataList *list)
{
    ListMemory *const memory = list->memory;
    if (memory)
        data_pool_free(&memory->pool);
    free(memory);
    *list = (DataList){0};
}

int data_list_spread(int j, int kept, int n)
{
    assert(0 <= j && j < kept && kept <= n);
    if (j == 0)
        return 0;
    return j == kept - 1 ? n - 1 : (int)floor(j * ((double)(n - 1) / (kept - 1)));
}

void data_list_limit_frames(DataList *list, int frames)
{
    assert(list && frames >= 0);
    if (frames == 0 || list->video_count == 0)
        return;
    int *const total = ((ListMemory *)list->memory)->video_frames, *const seen =
                                                                       total + list->video_count;
    memset(total, 0, 2 * (size_t)list->video_count * sizeof *total);
    for (int i = 0; i < list->count; i++)
        total[list->frames[i].video]++;
    int kept = 0;
    for (int i = 0; i < list->count; i++) {
        const int video = list->frames[i].video, n = total[video], position = seen[video]++;
        bool keep = n <= frames || position == 0;
        if (!keep && frames > 1) {
            /* Kept is what some j yields: floor(j * step) = position; j is the one that comes nearest. */
            const double step = (double)(n - 1) / (frames - 1);
            const int j = (int)(position / step);
            for (int near = j; near <= j + 2 && near < frames && !keep; near++)
                keep = data_list_spread(near, frames, n) == position;
        }
        if (keep)
            list->frames[kept++] = list->frames[i];
    }
    list->count = kept;
    sort_identities(list);
}

void data_list_keep_videos(DataList *list, const bool *keep)
{
    assert(list && keep);
    const ListMemory *const memory = list->memory;
    int *const new_video = memory->video_frames; /* scratch of two numbers a video */
    int *const new_source = new_video + list->video_count;
    int videos = 0, sources = 0, kept = 0;
    for (int video = 0; video < list->video_count; video++) {
        new_video[video] = videos;
        if (!keep[video])
            continue;
        list->videos[videos] = list->videos[video];
        list->video_label[videos++] = list->video_label[video];
    }
    assert(list->source_count <= list->video_count);
    memset(new_source, 0, (size_t)list->source_count * sizeof *new_source);
    for (int i = 0; i < list->count; i++) {
        if (!keep[list->frames[i].video])
            continue;
        list->frames[kept] = list->frames[i];
        list->frames[kept].video = new_video[list->frames[i].video];
        new_source[list->frames[kept++].source] = 1;
    }
    for (int source = 0; source < list->source_count; source++) {
        const bool used = new_source[source] != 0;
        new_source[source] = sources;
        list->sources[sources] = list->sources[source];
        list->source_label[sources] = list->source_label[source];
        sources += used;
    }
    for (int i = 0; i < kept; i++)
        list->frames[i].source = new_source[list->frames[i].source];
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
