/*
 * sets.c - see sets.h: the table of kinds, what their readers build, and what is checked of all of them.
 */
#include "data/sets/sets.h"

#include "data/lists/list.h"
#include "data/sets/sets_build_private.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const data_split_names[DATA_SPLITS] = {"train", "val", "test"};
const char *const data_sets_levels[DATA_SETS_LEVELS] = {"c23", "c40", "raw", "c0"};

static const DataSetsKind kinds[] = {
    {"ff", "FaceForensics++: official splits; real, DF, F2F, FS, NT and, if there, FSh",
     DATA_TAKES_SPLITS | DATA_TAKES_COMPRESSION, data_sets_ff},
    {"celebdf2", "Celeb-DF-v2: test by List_of_testing_videos.txt, the rest is train",
     DATA_TAKES_SPLITS, data_sets_celebdf2},
    {"dfdc", "DFDC: train parts by metadata.json, test by labels.csv", 0, data_sets_dfdc},
    {"dfdcp", "DFDC preview: dataset.json", 0, data_sets_dfdcp},
    {"dfd", "DeepFakeDetection, in the folders of FaceForensics++; no splits",
     DATA_TAKES_COMPRESSION | DATA_TAKES_SPLIT, data_sets_dfd},
    {"ffiw", "FFIW-10K: source is real, target is fake", 0, data_sets_ffiw},
    {"uadfv", "UADFV: real and fake; no splits", DATA_TAKES_SPLIT, data_sets_uadfv},
    {"deepfakebench", "a FILE.json of DeepfakeBench's rearrange step",
     DATA_TAKES_FILE | DATA_TAKES_COMPRESSION | DATA_TAKES_LABELS | DATA_TAKES_REPLACE,
     data_sets_deepfakebench},
    {"folder", "source folders of your own: --real and --fake, or all below --root by their names",
     DATA_TAKES_LABELS | DATA_TAKES_SPLIT, data_sets_any_folder},
};

const DataSetsKind *data_sets_kinds(int *count)
{
    *count = sizeof kinds / sizeof kinds[0];
    return kinds;
}

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED, "lists: no memory; free some");
}

/* ---- arrays that grow ------------------------------------------------------------------------------ */

/* Makes room for one more of `size` bytes each in *items; false without memory. */
static bool grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    const size_t larger = *capacity ? 2 * *capacity : 16;
    void *const old = *(void **)items, *const moved = realloc(old, larger * size);
    if (!moved)
        return false;
    *(void **)items = moved;
    *capacity = larger;
    return true;
}

/* The same for the public arrays, which count in int. */
static bool grow_int(void *items, int count, int *capacity, size_t size)
{
    size_t room = (size_t)*capacity;
    if (count > INT_MAX / 2 - 16 || !grow(items, (size_t)count, &room, size))
        return false;
    *capacity = (int)room;
    return true;
}

Status data_texts_add(DataTexts *texts, DataPool *pool, const char *text, size_t length,
                      Error *error)
{
    if (!grow(&texts->items, texts->count, &texts->capacity, sizeof *texts->items))
        return no_memory(error);
    const char *const copy = data_pool_text(pool, text, length);
    if (!copy)
        return no_memory(error);
    texts->items[texts->count++] = copy;
    return STATUS_OK;
}

static int compare_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void data_texts_sort_bytewise(DataTexts *texts)
{
    if (texts->count > 0)
        qsort(texts->items, texts->count, sizeof *texts->items, compare_bytes);
}

bool data_texts_has(const DataTexts *texts, const char *text)
{
    return texts && texts->count > 0 &&
           bsearch(&text, texts->items, texts->count, sizeof *texts->items, compare_bytes);
}

static int compare_items(const void *a, const void *b)
{
    return data_path_compare(*(const char *const *)a, *(const char *const *)b);
}

/* Folders are often read in order already: then nothing is to be done. */
static void sort_by_numbers(const char **items, size_t count)
{
    size_t sorted = 1;
    while (sorted < count && data_path_compare(items[sorted - 1], items[sorted]) <= 0)
        sorted++;
    if (sorted < count)
        qsort(items, count, sizeof *items, compare_items);
}

void data_texts_sort(DataTexts *texts)
{
    sort_by_numbers(texts->items, texts->count);
}

/* ---- sources and videos ---------------------------------------------------------------------------- */

void data_sets_warn(DataSetsBuilder *builder, const char *format, ...)
{
    DataSets *const sets = builder->sets;
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *const copy = data_pool_text(builder->pool, text, strlen(text));
    if (copy && grow_int(&sets->warnings, sets->warning_count, &sets->warning_capacity,
                         sizeof *sets->warnings))
        sets->warnings[sets->warning_count++] = copy;
}

/* Names become files: SOURCE.txt. */
static bool is_file_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > 200)
        return false;
    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return name[0] != ' ' && name[strlen(name) - 1] != ' ';
}

Status data_sets_source(DataSetsBuilder *builder, DataSplit split, const char *name, int label,
                        int *source, Error *error)
{
    DataSets *const sets = builder->sets;
    *source = -1;
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *const other = &sets->sources[i];
        if (strcmp(other->name, name) != 0)
            continue;
        if (other->label != label)
            return error_set(error, STATUS_FAILED,
                             "%s: the source is named as real and as fake; give it one label",
                             name);
        if (other->split == split)
            *source = i;
    }
    if (*source >= 0)
        return STATUS_OK;
    if (!is_file_name(name))
        return error_set(error, STATUS_FAILED,
                         "%s: a list cannot be called so; rename the source (no slash, control "
                         "character, leading dot or blank)",
                         name);
    const char *const copy = data_pool_text(builder->pool, name, strlen(name));
    if (!copy || !grow_int(&sets->sources, sets->count, &sets->capacity, sizeof *sets->sources))
        return no_memory(error);
    *source = sets->count++;
    sets->sources[*source] = (DataSetsSource){.split = split, .name = copy, .label = label};
    return STATUS_OK;
}

Status data_sets_go_on(const DataSetsBuilder *builder, Error *error)
{
    if (!builder->options->stop || !*builder->options->stop)
        return STATUS_OK;
    return error_set(error, STATUS_INTERRUPTED, "%s: stopped while it was read; start again",
                     builder->options->root);
}

/* Copies the frames that --frames keeps into the pool; NULL without memory. */
static const char **keep_frames(DataSetsBuilder *builder, const char *video, const char **frames,
                                int count, int kept)
{
    const char **const copies = data_pool_allocate(builder->pool, (size_t)kept * sizeof *copies);
    int *const positions = malloc((size_t)kept * sizeof *positions);
    bool complete = copies && positions;
    if (complete)
        data_list_choose(DATA_FRAMES_EVEN, 0, video, count, kept, positions);
    for (int j = 0; complete && j < kept; j++) {
        const char *const frame = frames[positions[j]];
        copies[j] = data_pool_text(builder->pool, frame, strlen(frame));
        complete = copies[j] != NULL;
    }
    free(positions);
    return complete ? copies : NULL;
}

Status data_sets_frames(DataSetsBuilder *builder, int source, const char *name, const char **frames,
                        size_t count, const char *problem, Error *error)
{
    DataSetsSource *const into = &builder->sets->sources[source];
    TRY(data_sets_go_on(builder, error));
    if (count > INT_MAX / 2)
        return error_set(error, STATUS_FAILED, "%s: has %zu frames; split the video", name, count);
    for (size_t i = 0; i < count; i++)
        if (strpbrk(frames[i], "\n\r"))
            return error_set(error, STATUS_FAILED,
                             "%s: a path with a line end in it cannot stand in a list; rename the "
                             "file or its folder",
                             frames[i]);
    if (!grow_int(&into->videos, into->count, &into->capacity, sizeof *into->videos))
        return no_memory(error);
    sort_by_numbers(frames, count);
    const int limit = builder->options->frames, all = (int)count;
    const int kept = limit > 0 && limit < all ? limit : all;
    DataSetsVideo video = {.name = data_pool_text(builder->pool, name, strlen(name)),
                           .count = kept};
    if (kept > 0)
        video.frames = keep_frames(builder, name, frames, all, kept);
    else
        video.problem = data_pool_text(builder->pool, problem, strlen(problem));
    if (!video.name || (kept > 0 ? !video.frames : !video.problem))
        return no_memory(error);
    into->videos[into->count++] = video;
    return STATUS_OK;
}

/* Turns the names in `folder` into paths, in the same array. */
static Status make_paths(DataListing *listing, const char *folder, Error *error)
{
    const size_t length = strlen(folder);
    const bool slash = length > 0 && folder[length - 1] == '/';
    for (size_t i = 0; i < listing->images.count; i++) {
        const char *const name = listing->images.items[i];
        const size_t name_length = strlen(name);
        char *const path = data_pool_allocate(&listing->pool, length + 1 + name_length + 1);
        if (!path)
            return no_memory(error);
        memcpy(path, folder, length);
        path[length] = '/';
        memcpy(path + length + !slash, name, name_length + 1);
        listing->images.items[i] = path;
    }
    return STATUS_OK;
}

Status data_sets_listed(DataSetsBuilder *builder, int source, const char *name, const char *folder,
                        DataListing *listing, Error *error)
{
    TRY(make_paths(listing, folder, error));
    TRY(data_sets_skip(builder, folder, listing, error));
    return data_sets_frames(
        builder, source, name, listing->images.items, listing->images.count,
        listing->videos.count > 0 ? "only a video, no frames" : "no image in its folder", error);
}

Status data_sets_video(DataSetsBuilder *builder, int source, const char *name, const char *folder,
                       Error *error)
{
    DataListing listing = {0};
    bool found = false;
    Status status = STATUS_OK;
    if (folder)
        status = data_listing_read(&listing, builder, folder, &found, error);
    if (status == STATUS_OK && found)
        status = data_sets_listed(builder, source, name, folder, &listing, error);
    else if (status == STATUS_OK)
        status = data_sets_frames(builder, source, name, NULL, 0, "no folder", error);
    data_listing_free(&listing);
    return status;
}

void data_sets_expect(DataSetsBuilder *builder, const char *source, int published)
{
    int found = 0;
    bool there = false;
    for (int i = 0; i < builder->sets->count; i++) {
        const DataSetsSource *const other = &builder->sets->sources[i];
        if (strcmp(other->name, source) != 0)
            continue;
        there = true;
        for (int v = 0; v < other->count; v++)
            found += other->videos[v].count > 0;
    }
    if (there && found != published)
        data_sets_warn(builder, "%s: frames of %d videos, where %d are published", source, found,
                       published);
}

Status data_sets_split(const DataSetsBuilder *builder, DataSplit *split, Error *error)
{
    const char *const name = builder->options->split;
    for (int i = 0; i < DATA_SPLITS; i++)
        if (strcmp(name ? name : "test", data_split_names[i]) == 0) {
            *split = (DataSplit)i;
            return STATUS_OK;
        }
    return error_set(error, STATUS_USAGE, "--split %s: no such split; use train, val or test",
                     name);
}

Status data_sets_wrong_root(const DataSetsBuilder *builder, const char *needs, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: does not hold this data set; --root needs the folder with %s",
                     builder->options->root, needs);
}

/* ---- what is checked of every set ------------------------------------------------------------------- */

static int compare_sources(const void *a, const void *b)
{
    const DataSetsSource *const left = a, *const right = b;
    if (left->split != right->split)
        return left->split < right->split ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_videos(const void *a, const void *b)
{
    const DataSetsVideo *const left = a, *const right = b;
    const int order = strcmp(left->name, right->name);
    if (order != 0 || !left->frames || !right->frames)
        return order != 0 ? order : (right->frames != NULL) - (left->frames != NULL);
    return strcmp(left->frames[0], right->frames[0]);
}

/* Sorts the videos of a source; one that is named again, with the same frames, is dropped. Returns how many. */
static int sort_videos(DataSetsSource *source)
{
    if (source->count == 0)
        return 0;
    qsort(source->videos, (size_t)source->count, sizeof *source->videos, compare_videos);
    int kept = 1;
    for (int v = 1; v < source->count; v++) {
        const DataSetsVideo *const last = &source->videos[kept - 1], *const one =
                                                                         &source->videos[v];
        const bool again = last->frames && one->frames && compare_videos(last, one) == 0;
        if (!again)
            source->videos[kept++] = *one;
    }
    const int dropped = source->count - kept;
    source->count = kept;
    return dropped;
}

/* The folder of a video's first frame, and where it is used. */
typedef struct Folder {
    const char *frame;
    size_t length; /* of its folder */
    DataSplit split;
    int label;
} Folder;

static int compare_folders(const void *a, const void *b)
{
    const Folder *const left = a, *const right = b;
    const size_t shorter = left->length < right->length ? left->length : right->length;
    const int order = memcmp(left->frame, right->frame, shorter);
    return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/* All videos that were found by their folders, sorted, in memory the caller frees. */
static Folder *sort_folders(const DataSets *sets, size_t *count)
{
    size_t capacity = 0;
    Folder *folders = NULL;
    *count = 0;
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *const source = &sets->sources[i];
        for (int v = 0; v < source->count; v++) {
            if (source->videos[v].count == 0)
                continue;
            const char *const frame = source->videos[v].frames[0];
            if (!grow(&folders, *count, &capacity, sizeof *folders)) {
                free(folders);
                return NULL;
            }
            folders[(*count)++] =
                (Folder){frame, (size_t)(file_name(frame) - frame), source->split, source->label};
        }
    }
    if (*count > 0)
        qsort(folders, *count, sizeof *folders, compare_folders);
    return folders;
}

/* One label for a folder; and how many folders are in two splits. */
static Status compare_splits(DataSetsBuilder *builder, Error *error)
{
    size_t count;
    Folder *const folders = sort_folders(builder->sets, &count);
    if (!folders)
        return no_memory(error);
    int shared[DATA_SPLITS][DATA_SPLITS] = {0};
    Status status = STATUS_OK;
    for (size_t begin = 0, end; begin < count && status == STATUS_OK; begin = end) {
        bool in[DATA_SPLITS] = {false};
        for (end = begin; end < count && compare_folders(&folders[begin], &folders[end]) == 0;
             end++) {
            in[folders[end].split] = true;
            if (folders[end].label != folders[begin].label)
                status = error_set(
                    error, STATUS_FAILED,
                    "%.*s: the folder is named as real and as fake; a video needs one label",
                    (int)folders[begin].length, folders[begin].frame);
        }
        for (int a = 0; a < DATA_SPLITS; a++)
            for (int b = a + 1; b < DATA_SPLITS; b++)
                shared[a][b] += in[a] && in[b];
    }
    free(folders);
    for (int a = 0; a < DATA_SPLITS; a++)
        for (int b = a + 1; b < DATA_SPLITS; b++)
            if (shared[a][b] > 0)
                data_sets_warn(builder,
                               "%s and %s share %d videos: numbers on %s say nothing about a "
                               "model that saw %s",
                               data_split_names[a], data_split_names[b], shared[a][b],
                               data_split_names[b], data_split_names[a]);
    return status;
}

static void warn_one_class(DataSetsBuilder *builder)
{
    static const char *const NAMES[] = {"real", "fake"};
    for (int split = 0; split < DATA_SPLITS; split++) {
        bool has[2] = {false, false};
        for (int i = 0; i < builder->sets->count; i++) {
            const DataSetsSource *const source = &builder->sets->sources[i];
            for (int v = 0; v < source->count && (int)source->split == split; v++)
                has[source->label] |= source->videos[v].count > 0;
        }
        if (has[0] != has[1])
            data_sets_warn(builder, "%s: only %s videos were found", data_split_names[split],
                           NAMES[has[1]]);
    }
}

/* What no reader looks at by itself: no frames at all, order, labels, shared videos. */
static Status finish(DataSetsBuilder *builder, Error *error)
{
    DataSets *const sets = builder->sets;
    long long expected = 0, found = 0;
    for (int i = 0; i < sets->count; i++) {
        DataSetsSource *const source = &sets->sources[i];
        const int again = sort_videos(source);
        if (again > 0)
            data_sets_warn(builder, "%s/%s: %d videos are named twice; they count once",
                           data_split_names[source->split], source->name, again);
        expected += source->count;
        for (int v = 0; v < source->count; v++)
            found += source->videos[v].count > 0;
    }
    for (int i = 0; i < sets->count && found == 0; i++)
        for (int v = 0; v < sets->sources[i].count; v++)
            error_detail(error, "%s/%s: %s (%s)", data_split_names[sets->sources[i].split],
                         sets->sources[i].name, sets->sources[i].videos[v].name,
                         sets->sources[i].videos[v].problem);
    if (found == 0 && builder->videos[0])
        return error_set(
            error, STATUS_FAILED,
            "%s: holds videos, no frames; extract the frames and crop the faces first, for "
            "example with DeepfakeBench's preprocessing, into a folder frames/VIDEO beside it",
            builder->videos);
    if (found == 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: has frames of none of the %lld videos expected; check --root%s, and that the "
            "frames are extracted",
            builder->options->root, expected, builder->options->file ? " and --replace" : "");
    if (builder->videos[0])
        data_sets_warn(builder,
                       "%s: holds videos, no frames; extract and crop them to use these, too",
                       builder->videos);
    for (int i = 0; i < builder->skipped.count; i++) {
        char text[ERROR_DETAIL_SIZE];
        data_skipped_describe(&builder->skipped.items[i], text, sizeof text);
        data_sets_warn(builder, "passed over: %s", text);
    }
    if (builder->broken_links > 0)
        data_sets_warn(builder, "%d frames are links to nothing and were left out, the first: %s",
                       builder->broken_links, builder->broken_link);
    qsort(sets->sources, (size_t)sets->count, sizeof *sets->sources, compare_sources);
    TRY(compare_splits(builder, error));
    warn_one_class(builder);
    return STATUS_OK;
}

Status data_sets_read(DataSets *sets, const DataSetsKind *kind, const DataSetsOptions *options,
                      Error *error)
{
    assert(sets && kind && options && options->root && options->frames >= 0 && error);
    DataPool *const pool = calloc(1, sizeof *pool);
    *sets = (DataSets){.memory = pool};
    if (!pool)
        return no_memory(error);
    DataSetsBuilder builder = {.options = options, .sets = sets, .pool = pool};
    char resolved[PATH_MAX];
    Status status = STATUS_OK;
    if (!realpath(options->root, resolved))
        status = error_set(error, STATUS_FAILED, "%s: cannot be read: %s; check --root",
                           options->root, strerror(errno));
    else if (!file_is_folder(resolved))
        status =
            error_set(error, STATUS_FAILED, "%s: is no folder; --root needs one", options->root);
    if (status == STATUS_OK) {
        snprintf(builder.root, sizeof builder.root, "%s", resolved);
        status = kind->read(&builder, error);
    }
    if (status == STATUS_OK)
        status = finish(&builder, error);
    free(builder.skipped.items);
    if (status != STATUS_OK)
        data_sets_free(sets);
    return status;
}

void data_sets_free(DataSets *sets)
{
    for (int i = 0; i < sets->count; i++)
        free(sets->sources[i].videos);
    free(sets->sources);
    free(sets->warnings);
    if (sets->memory)
        data_pool_free(sets->memory);
    free(sets->memory);
    *sets = (DataSets){0};
}
