/*
 * sets_folder.c - see sets_build.h: what stands in a folder, and where the videos of a data set lie.
 *
 * A folder is read once and its names are used; asking for every frame by itself would take 32 times as long.
 */
#include "data/lists/list_collect_private.h"
#include "data/sets/sets_build_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* A link that leads nowhere: kept out, and told. */
static void count_broken_link(DataSetsBuilder *builder, const char *path)
{
    if (builder->broken_links++ == 0)
        snprintf(builder->broken_link, sizeof builder->broken_link, "%s", path);
}

/* Puts one name where it belongs. */
static Status sort_in(DataListing *listing, DataSetsBuilder *builder, const char *folder,
                      const struct dirent *item, Error *error)
{
    const char *const name = item->d_name;
    bool is_folder = item->d_type == DT_DIR, is_file = item->d_type == DT_REG;
    if (!is_folder && !is_file) { /* a link, or a file system that does not tell */
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
    DIR *const stream = opendir(folder);
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
        status = data_sets_go_on(builder, error);
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
    data_pool_free(&listing->pool);
    *listing = (DataListing){0};
}

Status data_sets_skip(DataSetsBuilder *builder, const char *folder, const DataListing *listing,
                      Error *error)
{
    const DataTexts *const kinds[] = {&listing->others, &listing->videos, &listing->other_folders};
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < kinds[kind]->count; i++)
            TRY(data_skipped_add(&builder->skipped, builder->pool, folder, strlen(builder->root),
                                 kinds[kind]->items[i], kind == 2, error));
    return STATUS_OK;
}

Status data_find_folder(char out[FILE_PATH_SIZE], const char *parent, const char *name,
                        Error *error)
{
    TRY(file_join(out, parent, name, error));
    if (file_is_folder(out))
        return STATUS_OK;
    out[0] = '\0';
    DIR *const stream = opendir(parent);
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

/* Whether any of `names` [count] is a folder that can hold the frames of a video. */
static bool has_video_folder(const DataTexts *folders)
{
    static const char *const OTHERS[] = {"frames", "faces", "crops", "images", "videos"};
    for (size_t i = 0; i < folders->count; i++) {
        bool other = false;
        for (size_t j = 0; j < sizeof OTHERS / sizeof OTHERS[0]; j++)
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
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        DataListing listing;
        bool found;
        char folder[FILE_PATH_SIZE];
        TRY(file_join(folder, base, NAMES[i], error));
        if (NAMES[i][0] == '\0')
            folder[strlen(folder) - 1] = '\0'; /* the slash */
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

/* ---- discovery --------------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 32 }; /* of folders below the one that was named */

/* A folder on the way down from where a walk began: to recognise a loop of symbolic links. */
typedef struct Ancestor {
    const struct Ancestor *above; /* NULL at the top */
    dev_t device;
    ino_t inode;
    int depth; /* 0 at the top */
} Ancestor;

/* Whether one of the folders above is `here` itself. */
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
    bool
        contained; /* the top is a container: a folder without anything in it is a video without frames */
    size_t top;      /* length of the container's path with its slash: names begin there */
    DataPool pool;   /* of `found` */
    DataTexts found; /* names of the videos that were added */
    int added;
} Discovery;

static Status discover_below(Discovery *discovery, const char *folder, const Ancestor *above,
                             Error *error);

/* Goes into every subfolder; masks and landmarks are not among them. */
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

/* Images right in the folder of the source: each is a video by itself. */
static Status add_images(Discovery *discovery, const char *folder, DataListing *listing,
                         Error *error)
{
    DataSetsBuilder *const builder = discovery->builder;
    TRY(data_sets_skip(builder, folder, listing, error));
    for (size_t i = 0; i < listing->images.count; i++) {
        char path[FILE_PATH_SIZE];
        const char *const name = listing->images.items[i], *frame = path;
        if (data_texts_has(discovery->except, name))
            continue;
        TRY(file_join(path, folder, name, error));
        TRY(data_sets_frames(builder, discovery->source, name, &frame, 1, "", error));
        discovery->added++;
    }
    data_sets_warn(builder, "%s: %zu images lie right in this folder; each counts as a video",
                   folder, listing->images.count);
    return STATUS_OK;
}

/* What lies beside the folders of videos: formats that are not read, masks, thumbnails. */
static Status skip_others(Discovery *discovery, const char *folder, DataListing *listing,
                          Error *error)
{
    DataTexts *const others = &listing->others;
    size_t kept = 0; /* lists of the data set, its documents and videos lie there, too */
    for (size_t i = 0; i < others->count; i++)
        if (data_path_skip(others->items[i], false) == DATA_SKIP_FORMAT)
            others->items[kept++] = others->items[i];
    others->count = kept;
    listing->videos.count = 0; /* miss_videos names these */
    return data_sets_skip(discovery->builder, folder, listing, error);
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
        return error_set(error, STATUS_FAILED,
                         "%.200s...: folders lie more than %d deep; name the folder of the frames",
                         folder, MAX_DEPTH);
    if (is_loop(&here))
        return STATUS_OK;
    const char *const name = strlen(folder) >= discovery->top ? folder + discovery->top : ".";
    DataListing listing;
    bool found;
    Status status = data_listing_read(&listing, discovery->builder, folder, &found, error);
    const bool empty_video =
        discovery->contained && above && listing.folders.count == 0 && listing.videos.count == 0;
    if (status == STATUS_OK && !above && listing.images.count > 0) {
        status = add_images(discovery, folder, &listing, error);
    } else if (status == STATUS_OK && (listing.images.count > 0 || empty_video) &&
               !data_texts_has(discovery->except, name)) {
        status =
            data_sets_listed(discovery->builder, discovery->source, name, folder, &listing, error);
        if (status == STATUS_OK)
            status = data_texts_add(&discovery->found, &discovery->pool, name, strlen(name), error);
        discovery->added++;
    } else if (status == STATUS_OK) {
        status = skip_others(discovery, folder, &listing, error);
    }
    if (status == STATUS_OK)
        status = discover_folders(discovery, folder, &listing.folders, &here, error);
    data_listing_free(&listing);
    return status;
}

/* Video files of `folder` without frames are missing videos. */
static Status miss_videos(Discovery *discovery, const char *folder, Error *error)
{
    DataListing listing;
    bool found;
    Status status = data_listing_read(&listing, discovery->builder, folder, &found, error);
    for (size_t i = 0; i < listing.videos.count && status == STATUS_OK; i++) {
        size_t length;
        data_is_video(listing.videos.items[i], &length);
        const char *const stem = data_pool_text(&discovery->pool, listing.videos.items[i], length);
        if (!stem)
            status = error_set(error, STATUS_FAILED, "%s: no memory; free some", folder);
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
    const char *const top = container[0] ? container : base;
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
    data_pool_free(&discovery.pool);
    return status;
}
