/*
 * sets.c - see sets.h: the table of kinds, code shared by their readers (sources, videos, folders),
 * and checks of all sets.
 */
#include "data/sets/sets.h"

#include "data/lists/list.h"
#include "data/sets/sets_build_private.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char WHAT[] = "lists of data sets";

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
     DATA_TAKES_FILE | DATA_TAKES_COMPRESSION | DATA_TAKES_LABELS | DATA_TAKES_REPLACE |
         DATA_FINDS_ROOT,
     data_sets_deepfakebench},
    {"csv", "a FILE.csv of paths and labels: any table whose columns have the usual names",
     DATA_TAKES_FILE | DATA_TAKES_SPLIT | DATA_TAKES_COLUMNS | DATA_FINDS_ROOT, data_sets_csv},
    {"split", "LIST...: any lists, divided into train, val and test by video or person",
     DATA_TAKES_LISTS | DATA_TAKES_LABELS | DATA_FINDS_ROOT, data_sets_divide},
    {"folder", "source folders of your own: --real and --fake, or all below --root by their names",
     DATA_TAKES_LABELS | DATA_TAKES_SPLIT, data_sets_any_folder},
};

const DataSetsKind *data_sets_kinds(int *count)
{
    *count = COUNT_OF(kinds);
    return kinds;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static const char *copy_text(const DataSetsBuilder *builder, const char *text, Error *error)
{
    return mem_pool_text(builder->pool, text, strlen(text), WHAT, error);
}

Status data_texts_add(DataTexts *texts, MemPool *pool, const char *text, size_t length,
                      Error *error)
{
    TRY(mem_grow(&texts->items, texts->count + 1, &texts->capacity, sizeof *texts->items, WHAT,
                 error));
    const char *copy = mem_pool_text(pool, text, length, WHAT, error);
    if (!copy)
        return error->status;
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

/* Folders are often read in order; then there is nothing to do. */
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

/* ---- sources and videos ---------------------------------------------------------------------- */

void data_sets_warn(DataSetsBuilder *builder, const char *format, ...)
{
    DataSets *sets = builder->sets;
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    Error unused = {0};
    const char *copy = copy_text(builder, text, &unused);
    if (copy && mem_grow(&sets->warnings, sets->warning_count + 1, &sets->warning_capacity,
                         sizeof *sets->warnings, WHAT, &unused) == STATUS_OK)
        sets->warnings[sets->warning_count++] = copy;
}

/* True if the name is valid as a file name: SOURCE.txt. */
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
    DataSets *sets = builder->sets;
    *source = -1;
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *other = &sets->sources[i];
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
                         "%s: invalid list name; rename the source (no slash, control "
                         "character, leading dot or blank)",
                         name);
    TRY(mem_grow(&sets->sources, sets->count + 1, &sets->capacity, sizeof *sets->sources, WHAT,
                 error));
    const char *copy = copy_text(builder, name, error);
    if (!copy)
        return error->status;
    *source = sets->count++;
    sets->sources[*source] = (DataSetsSource){.split = split, .name = copy, .label = label};
    return STATUS_OK;
}

/* Returns STATUS_INTERRUPTED once *options->stop is set; called in every loop over names. */
static Status check_stop(const DataSetsBuilder *builder, Error *error)
{
    if (!builder->options->stop || !*builder->options->stop)
        return STATUS_OK;
    return error_set(error, STATUS_INTERRUPTED, "%s: interrupted while reading; start again",
                     builder->options->root);
}

/* Copies the frames that --frames keeps into the pool; NULL with *error set when out of memory. */
static const char **keep_frames(DataSetsBuilder *builder, const char *video, const char **frames,
                                int count, int kept, Error *error)
{
    const char **copies = mem_pool_new(builder->pool, kept * sizeof *copies, WHAT, error);
    int *positions = mem_new(kept, sizeof *positions, WHAT, error);
    if (copies && positions)
        data_list_choose(DATA_FRAMES_EVEN, 0, video, count, kept, positions);
    for (int j = 0; copies && positions && j < kept; j++)
        if (!(copies[j] = copy_text(builder, frames[positions[j]], error)))
            copies = NULL;
    copies = positions ? copies : NULL;
    free(positions);
    return copies;
}

Status data_sets_frames(DataSetsBuilder *builder, int source, const char *name, const char **frames,
                        size_t count, const char *problem, Error *error)
{
    DataSetsSource *into = &builder->sets->sources[source];
    TRY(check_stop(builder, error));
    if (count > INT_MAX / 2)
        return error_set(error, STATUS_FAILED, "%s: has %zu frames; split the video", name, count);
    for (size_t i = 0; i < count; i++)
        if (strpbrk(frames[i], "\n\r"))
            return error_set(error, STATUS_FAILED,
                             "%s: a path containing a newline cannot be listed; rename the "
                             "file or its folder",
                             frames[i]);
    TRY(mem_grow(&into->videos, into->count + 1, &into->capacity, sizeof *into->videos, WHAT,
                 error));
    sort_by_numbers(frames, count);
    const int limit = builder->options->frames, all = (int)count;
    const int kept = limit > 0 ? min_int(limit, all) : all;
    DataSetsVideo video = {.name = copy_text(builder, name, error), .count = kept};
    if (kept > 0)
        video.frames = keep_frames(builder, name, frames, all, kept, error);
    else
        video.problem = copy_text(builder, problem, error);
    if (!video.name || (kept > 0 ? !video.frames : !video.problem))
        return error->status;
    into->videos[into->count++] = video;
    return STATUS_OK;
}

/* Converts the names in `folder` to paths, in the same array. */
static Status make_paths(DataListing *listing, const char *folder, Error *error)
{
    const size_t length = strlen(folder);
    const bool slash = length > 0 && folder[length - 1] == '/';
    for (size_t i = 0; i < listing->images.count; i++) {
        const char *name = listing->images.items[i];
        const size_t name_length = strlen(name);
        char *path = mem_pool_new(&listing->pool, length + 1 + name_length + 1, folder, error);
        if (!path)
            return error->status;
        memcpy(path, folder, length);
        path[length] = '/';
        memcpy(path + length + !slash, name, name_length + 1);
        listing->images.items[i] = path;
    }
    return STATUS_OK;
}

/* Counts all but images and folders of the listing as skipped. */
static Status count_skipped(DataSetsBuilder *builder, const char *folder,
                            const DataListing *listing, Error *error)
{
    const DataTexts *others[] = {&listing->others, &listing->videos, &listing->other_folders};
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < others[kind]->count; i++)
            TRY(data_skipped_add(&builder->skipped, builder->pool, folder, strlen(builder->root),
                                 others[kind]->items[i], kind == 2, error));
    return STATUS_OK;
}

/*
 * Adds a video whose frames are the images of `folder`, already read; their names in *listing
 * become paths.
 */
static Status add_listed(DataSetsBuilder *builder, int source, const char *name, const char *folder,
                         DataListing *listing, Error *error)
{
    TRY(make_paths(listing, folder, error));
    TRY(count_skipped(builder, folder, listing, error));
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
        status = add_listed(builder, source, name, folder, &listing, error);
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
        const DataSetsSource *other = &builder->sets->sources[i];
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
    const char *name = builder->options->split;
    for (int i = 0; i < DATA_SPLITS; i++)
        if (strcmp(name ? name : "test", data_split_names[i]) == 0) {
            *split = (DataSplit)i;
            return STATUS_OK;
        }
    return error_set(error, STATUS_USAGE, "--split %s: unknown split; use train, val or test",
                     name);
}

Status data_sets_wrong_root(const DataSetsBuilder *builder, const char *needs, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: does not contain this data set; --root needs the folder with %s",
                     builder->options->root, needs);
}

/* ---- folders --------------------------------------------------------------------------------- */

/* Counts a dangling link, which is skipped and reported. */
static void count_broken_link(DataSetsBuilder *builder, const char *path)
{
    if (builder->broken_links++ == 0)
        snprintf(builder->broken_link, sizeof builder->broken_link, "%s", path);
}

/* Adds one name to the list of its type. */
static Status sort_in(DataListing *listing, DataSetsBuilder *builder, const char *folder,
                      const struct dirent *item, Error *error)
{
    const char *name = item->d_name;
    bool is_folder = item->d_type == DT_DIR, is_file = item->d_type == DT_REG;
    if (!is_folder && !is_file) { /* a link, or a file system that does not report types */
        char path[FILE_PATH_SIZE];
        struct stat facts;
        TRY(file_join(path, folder, name, error));
        const bool there = stat(path, &facts) == 0;
        is_folder = there && S_ISDIR(facts.st_mode);
        is_file = there && S_ISREG(facts.st_mode);
        if (!there && data_path_skip(name, false) == DATA_SKIP_NONE)
            count_broken_link(builder, path);
    }
    const DataSkip skip = data_path_skip(name, is_folder);
    DataTexts *into = &listing->others;
    if (skip == DATA_SKIP_SYSTEM || skip == DATA_SKIP_MASKS)
        into = is_folder ? &listing->other_folders : &listing->others;
    else if (is_folder)
        into = &listing->folders;
    else if (is_file && skip == DATA_SKIP_NONE)
        into = &listing->images;
    else if (is_file && skip == DATA_SKIP_VIDEO)
        into = &listing->videos;
    return data_texts_add(into, &listing->pool, name, strlen(name), error);
}

Status data_listing_read(DataListing *listing, DataSetsBuilder *builder, const char *folder,
                         bool *found, Error *error)
{
    *listing = (DataListing){0};
    *found = false;
    DIR *stream = opendir(folder);
    if (!stream) {
        if (errno == ENOENT || errno == ENOTDIR)
            return STATUS_OK;
        return error_set(error, STATUS_FAILED,
                         "%s: the folder cannot be read: %s; check its permissions and links",
                         folder, strerror(errno));
    }
    *found = true;
    Status status = STATUS_OK;
    const struct dirent *item;
    while (status == STATUS_OK && (errno = 0, item = readdir(stream))) {
        status = check_stop(builder, error);
        if (status == STATUS_OK && strcmp(item->d_name, ".") != 0 &&
            strcmp(item->d_name, "..") != 0)
            status = sort_in(listing, builder, folder, item, error);
    }
    if (status == STATUS_OK && errno != 0)
        status =
            error_set(error, STATUS_FAILED, "%s: the folder cannot be read: %s; check the disk",
                      folder, strerror(errno));
    closedir(stream);
    return status;
}

void data_listing_free(DataListing *listing)
{
    free(listing->images.items);
    free(listing->videos.items);
    free(listing->folders.items);
    free(listing->other_folders.items);
    free(listing->others.items);
    mem_pool_free(&listing->pool);
    *listing = (DataListing){0};
}

Status data_find_folder(char out[FILE_PATH_SIZE], const char *parent, const char *name,
                        Error *error)
{
    TRY(file_join(out, parent, name, error));
    if (file_is_folder(out))
        return STATUS_OK;
    out[0] = '\0';
    DIR *stream = opendir(parent);
    if (!stream && errno != ENOENT && errno != ENOTDIR)
        return error_set(error, STATUS_FAILED,
                         "%s: the folder cannot be read: %s; check its permissions and links",
                         parent, strerror(errno));
    Status status = STATUS_OK;
    for (const struct dirent *item;
         stream && status == STATUS_OK && out[0] == '\0' && (item = readdir(stream));) {
        if (strcasecmp(item->d_name, name) != 0)
            continue;
        status = file_join(out, parent, item->d_name, error);
        if (status == STATUS_OK && !file_is_folder(out))
            out[0] = '\0';
    }
    if (stream)
        closedir(stream);
    return status;
}

/* True if any of `folders` can hold the frames of a video. */
static bool has_video_folder(const DataTexts *folders)
{
    static const char *const OTHERS[] = {"frames", "faces", "crops", "images", "videos"};
    for (size_t i = 0; i < folders->count; i++) {
        bool other = false;
        for (size_t j = 0; j < COUNT_OF(OTHERS); j++)
            other |= strcmp(folders->items[i], OTHERS[j]) == 0;
        if (!other)
            return true;
    }
    return false;
}

Status data_find_container(DataSetsBuilder *builder, char out[FILE_PATH_SIZE], const char *base,
                           Error *error)
{
    static const char *const NAMES[] = {"frames", "faces", "crops", "images", "videos", ""};
    char videos[FILE_PATH_SIZE] = "";
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        DataListing listing;
        bool found;
        char folder[FILE_PATH_SIZE];
        TRY(file_join(folder, base, NAMES[i], error));
        if (NAMES[i][0] == '\0')
            folder[strlen(folder) - 1] = '\0'; /* the trailing slash */
        Status status = data_listing_read(&listing, builder, folder, &found, error);
        const bool holds = status == STATUS_OK && found && has_video_folder(&listing.folders);
        if (status == STATUS_OK && listing.videos.count > 0)
            memcpy(videos, folder, strlen(folder) + 1);
        data_listing_free(&listing);
        if (status != STATUS_OK)
            return status;
        if (holds) {
            memcpy(out, folder, strlen(folder) + 1);
            return STATUS_OK;
        }
    }
    out[0] = '\0';
    if (videos[0] && builder->videos[0] == '\0')
        memcpy(builder->videos, videos, strlen(videos) + 1);
    return STATUS_OK;
}

Status data_sets_contained(DataSetsBuilder *builder, int source, const char *container,
                           const char *name, Error *error)
{
    if (container[0] == '\0')
        return data_sets_video(builder, source, name, NULL, error);
    char folder[FILE_PATH_SIZE];
    TRY(file_join(folder, container, name, error));
    return data_sets_video(builder, source, name, folder, error);
}

Status data_find_base(char out[FILE_PATH_SIZE], const char *root, const char *const *names,
                      const char *const *marks, Error *error)
{
    for (int i = -1; i < 0 || names[i]; i++) {
        char base[FILE_PATH_SIZE], mark[FILE_PATH_SIZE];
        memcpy(base, root, strlen(root) + 1);
        if (i >= 0)
            TRY(data_find_folder(base, root, names[i], error));
        for (const char *const *m = marks; base[0] && *m; m++) {
            TRY(data_find_folder(mark, base, *m, error));
            if (mark[0]) {
                memcpy(out, base, strlen(base) + 1);
                return STATUS_OK;
            }
        }
    }
    out[0] = '\0';
    return STATUS_OK;
}

/* ---- discovery ------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 32 }; /* folders below the given one */

/* A folder on the path of the walk, to detect loops of symbolic links. */
typedef struct Ancestor {
    const struct Ancestor *above; /* NULL at the top */
    dev_t device;
    ino_t inode;
    int depth; /* 0 at the top */
} Ancestor;

/* True if one of the folders above is `here` itself. */
static bool is_loop(const Ancestor *here)
{
    for (const Ancestor *a = here->above; a; a = a->above)
        if (a->device == here->device && a->inode == here->inode)
            return true;
    return false;
}

typedef struct Discovery {
    DataSetsBuilder *builder;
    int source;
    const DataTexts *except;
    /* The top is a container: an empty folder in it is a video without frames. */
    bool contained;
    size_t top;      /* length of the container's path with its slash; names begin there */
    MemPool pool;    /* memory of `found` */
    DataTexts found; /* names of the added videos */
    int added;
} Discovery;

static Status discover_below(Discovery *discovery, const char *folder, const Ancestor *above,
                             Error *error);

/* Visits every subfolder; masks and landmarks are not among them. */
static Status discover_folders(Discovery *discovery, const char *folder, DataTexts *folders,
                               const Ancestor *here, Error *error)
{
    data_texts_sort(folders);
    for (size_t i = 0; i < folders->count; i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, folder, folders->items[i], error));
        TRY(discover_below(discovery, path, here, error));
    }
    return STATUS_OK;
}

/* Adds the images directly in the source folder; each is its own video. */
static Status add_images(Discovery *discovery, const char *folder, DataListing *listing,
                         Error *error)
{
    DataSetsBuilder *builder = discovery->builder;
    TRY(count_skipped(builder, folder, listing, error));
    for (size_t i = 0; i < listing->images.count; i++) {
        char path[FILE_PATH_SIZE];
        const char *name = listing->images.items[i], *frame = path;
        if (data_texts_has(discovery->except, name))
            continue;
        TRY(file_join(path, folder, name, error));
        TRY(data_sets_frames(builder, discovery->source, name, &frame, 1, "", error));
        discovery->added++;
    }
    data_sets_warn(builder, "%s: %zu images are directly in this folder; each counts as a video",
                   folder, listing->images.count);
    return STATUS_OK;
}

/* Counts skipped files next to the video folders: unsupported formats, masks, thumbnails. */
static Status skip_others(Discovery *discovery, const char *folder, DataListing *listing,
                          Error *error)
{
    DataTexts *others = &listing->others;
    size_t kept = 0; /* lists, documents and videos of the data set are expected here */
    for (size_t i = 0; i < others->count; i++)
        if (data_path_skip(others->items[i], false) == DATA_SKIP_FORMAT)
            others->items[kept++] = others->items[i];
    others->count = kept;
    listing->videos.count = 0; /* miss_videos reports these */
    return count_skipped(discovery->builder, folder, listing, error);
}

/* Adds what `folder`, which was read into *listing, has, and visits its subfolders. */
static Status add_folder(Discovery *discovery, const char *folder, DataListing *listing,
                         const Ancestor *here, Error *error)
{
    const char *name = strlen(folder) >= discovery->top ? folder + discovery->top : ".";
    const bool empty_video = discovery->contained && here->above && listing->folders.count == 0 &&
                             listing->videos.count == 0;
    if (!here->above && listing->images.count > 0) {
        TRY(add_images(discovery, folder, listing, error));
    } else if ((listing->images.count > 0 || empty_video) &&
               !data_texts_has(discovery->except, name)) {
        TRY(add_listed(discovery->builder, discovery->source, name, folder, listing, error));
        TRY(data_texts_add(&discovery->found, &discovery->pool, name, strlen(name), error));
        discovery->added++;
    } else {
        TRY(skip_others(discovery, folder, listing, error));
    }
    return discover_folders(discovery, folder, &listing->folders, here, error);
}

static Status discover_below(Discovery *discovery, const char *folder, const Ancestor *above,
                             Error *error)
{
    struct stat facts;
    if (stat(folder, &facts) != 0)
        return error_set(error, STATUS_FAILED, "%s: the folder cannot be read: %s; check it",
                         folder, strerror(errno));
    const Ancestor here = {above, facts.st_dev, facts.st_ino, above ? above->depth + 1 : 0};
    if (here.depth > MAX_DEPTH)
        return error_set(
            error, STATUS_FAILED,
            "%.200s...: folders are nested more than %d deep; name the folder of the frames",
            folder, MAX_DEPTH);
    if (is_loop(&here))
        return STATUS_OK;
    DataListing listing;
    bool found;
    Status status = data_listing_read(&listing, discovery->builder, folder, &found, error);
    if (status == STATUS_OK)
        status = add_folder(discovery, folder, &listing, &here, error);
    data_listing_free(&listing);
    return status;
}

/* Adds the video files of `folder` without frames as missing videos. */
static Status miss_videos(Discovery *discovery, const char *folder, Error *error)
{
    DataListing listing;
    bool found;
    Status status = data_listing_read(&listing, discovery->builder, folder, &found, error);
    for (size_t i = 0; i < listing.videos.count && status == STATUS_OK; i++) {
        size_t length;
        data_is_video(listing.videos.items[i], &length);
        const char *stem =
            mem_pool_text(&discovery->pool, listing.videos.items[i], length, folder, error);
        if (!stem)
            status = error->status;
        else if (!data_texts_has(discovery->except, stem) &&
                 !data_texts_has(&discovery->found, stem))
            status = data_sets_frames(discovery->builder, discovery->source, stem, NULL, 0,
                                      "only a video, no frames", error);
    }
    data_listing_free(&listing);
    return status;
}

Status data_sets_discover(DataSetsBuilder *builder, int source, const char *base,
                          const DataTexts *except, int *added, Error *error)
{
    char container[FILE_PATH_SIZE], videos[FILE_PATH_SIZE];
    Discovery discovery = {.builder = builder, .source = source, .except = except};
    TRY(data_find_container(builder, container, base, error));
    TRY(file_join(videos, base, "videos", error));
    const char *top = container[0] ? container : base;
    discovery.contained = container[0] != '\0';
    discovery.top = strlen(top) + 1;
    Status status = discover_below(&discovery, top, NULL, error);
    if (discovery.found.count > 0)
        data_texts_sort_bytewise(&discovery.found);
    if (status == STATUS_OK)
        status = miss_videos(&discovery, videos, error);
    if (status == STATUS_OK)
        status = miss_videos(&discovery, base, error);
    if (added)
        *added = discovery.added;
    free(discovery.found.items);
    mem_pool_free(&discovery.pool);
    return status;
}

/* ---- checks of every set --------------------------------------------------------------------- */

static int compare_sources(const void *a, const void *b)
{
    const DataSetsSource *left = a, *right = b;
    if (left->split != right->split)
        return left->split < right->split ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_videos(const void *a, const void *b)
{
    const DataSetsVideo *left = a, *right = b;
    const int order = strcmp(left->name, right->name);
    if (order != 0 || !left->frames || !right->frames)
        return order != 0 ? order : (right->frames != NULL) - (left->frames != NULL);
    return strcmp(left->frames[0], right->frames[0]);
}

/* Sorts the videos of a source and drops duplicates with the same frames; returns their number. */
static int sort_videos(DataSetsSource *source)
{
    if (source->count == 0)
        return 0;
    qsort(source->videos, source->count, sizeof *source->videos, compare_videos);
    int kept = 1;
    for (int v = 1; v < source->count; v++) {
        const DataSetsVideo *last = &source->videos[kept - 1], *one = &source->videos[v];
        const bool again = last->frames && one->frames && compare_videos(last, one) == 0;
        if (!again)
            source->videos[kept++] = *one;
    }
    const int dropped = source->count - kept;
    source->count = kept;
    return dropped;
}

/* The folder of a video's first frame, and its use. */
typedef struct Folder {
    const char *frame;
    size_t length; /* length of its folder */
    DataSplit split;
    int label;
} Folder;

static int compare_folders(const void *a, const void *b)
{
    const Folder *left = a, *right = b;
    const int order = memcmp(left->frame, right->frame, min_size(left->length, right->length));
    return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/*
 * All found videos, sorted by their folders, in memory that the caller frees; NULL with *error set
 * when out of memory.
 */
static Folder *sort_folders(const DataSets *sets, size_t *count, Error *error)
{
    size_t videos = 0;
    for (int i = 0; i < sets->count; i++)
        videos += sets->sources[i].count;
    Folder *folders = mem_new(videos, sizeof *folders, WHAT, error);
    *count = 0;
    for (int i = 0; folders && i < sets->count; i++) {
        const DataSetsSource *source = &sets->sources[i];
        for (int v = 0; v < source->count; v++) {
            if (source->videos[v].count == 0)
                continue;
            const char *frame = source->videos[v].frames[0];
            /* A video that is not its folder shares it with others: its frame stands for it. */
            const bool own = source->videos[v].named || data_sets_own_video(&source->videos[v]);
            const size_t length = own ? strlen(frame) : (size_t)(file_name(frame) - frame);
            folders[(*count)++] = (Folder){frame, length, source->split, source->label};
        }
    }
    if (folders)
        qsort(folders, *count, sizeof *folders, compare_folders);
    return folders;
}

/* Checks that a folder has one label, and warns of folders in two splits. */
static Status compare_splits(DataSetsBuilder *builder, Error *error)
{
    size_t count;
    Folder *folders = sort_folders(builder->sets, &count, error);
    if (!folders)
        return error->status;
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
                               "%s and %s share %d videos: results on %s are not valid for a "
                               "model trained on %s",
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
            const DataSetsSource *source = &builder->sets->sources[i];
            for (int v = 0; v < source->count && (int)source->split == split; v++)
                has[source->label] |= source->videos[v].count > 0;
        }
        if (has[0] != has[1])
            data_sets_warn(builder, "%s: only %s videos were found", data_split_names[split],
                           NAMES[has[1]]);
    }
}

/* Checks that no reader does itself: no frames at all, order, labels, shared videos. */
static Status check_sets(DataSetsBuilder *builder, Error *error)
{
    DataSets *sets = builder->sets;
    long long expected = 0, found = 0;
    for (int i = 0; i < sets->count; i++) {
        DataSetsSource *source = &sets->sources[i];
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
            "%s: has videos but no frames; extract the frames and crop the faces first, for "
            "example with DeepfakeBench's preprocessing, into a folder frames/VIDEO next to it",
            builder->videos);
    if (found == 0 && !builder->rooted)
        return error_set(
            error, STATUS_FAILED,
            "%s: frames of none of its %lld videos are found from the working folder or near the "
            "file; name the folder its paths start from: lnclip lists %s %s --root DIR --out DIR",
            builder->options->file, expected, builder->kind->name, builder->options->file);
    if (found == 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: has frames of none of the %lld videos expected; check --root%s, and that the "
            "frames are extracted",
            builder->options->root, expected, builder->options->file ? " and --replace" : "");
    if (builder->videos[0])
        data_sets_warn(builder,
                       "%s: has videos but no frames; extract and crop them to use these, too",
                       builder->videos);
    for (int i = 0; i < builder->skipped.count; i++) {
        char text[ERROR_DETAIL_SIZE];
        data_skipped_describe(&builder->skipped.items[i], text, sizeof text);
        data_sets_warn(builder, "skipped: %s", text);
    }
    if (builder->broken_links > 0)
        data_sets_warn(builder, "%d frames are dangling links and were skipped, the first: %s",
                       builder->broken_links, builder->broken_link);
    qsort(sets->sources, sets->count, sizeof *sets->sources, compare_sources);
    TRY(compare_splits(builder, error));
    warn_one_class(builder);
    return STATUS_OK;
}

Status data_sets_read(DataSets *sets, const DataSetsKind *kind, const DataSetsOptions *options,
                      Error *error)
{
    assert(sets && kind && options && options->frames >= 0 && error);
    assert(options->root || (kind->takes & DATA_FINDS_ROOT));
    DataSetsOptions used = *options;
    used.root = options->root ? options->root : ".";
    MemPool *pool = mem_new(1, sizeof *pool, WHAT, error);
    *sets = (DataSets){.memory = pool};
    if (!pool)
        return error->status;
    DataSetsBuilder builder = {.kind = kind,
                               .options = &used,
                               .sets = sets,
                               .pool = pool,
                               .rooted = options->root != NULL};
    char resolved[PATH_MAX];
    Status status = STATUS_OK;
    if (!realpath(used.root, resolved))
        status = error_set(error, STATUS_FAILED, "%s: cannot be read: %s; check --root", used.root,
                           strerror(errno));
    else if (!file_is_folder(resolved))
        status =
            error_set(error, STATUS_FAILED, "%s: is not a folder; --root needs one", used.root);
    if (status != STATUS_OK)
        goto done;
    snprintf(builder.root, sizeof builder.root, "%s", resolved);
    status = kind->read(&builder, error);
    if (status == STATUS_OK)
        status = check_sets(&builder, error);
done:
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
        mem_pool_free(sets->memory);
    free(sets->memory);
    *sets = (DataSets){0};
}
