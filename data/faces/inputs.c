/*
 * inputs.c - see inputs.h.
 */
#include "data/faces/inputs.h"

#include "data/lists/list_collect_private.h"
#include "data/lists/path.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"

#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char WHAT[] = "the images and videos";

/* Start of the last `parts` components of a path. */
static size_t last_parts(const char *path, int parts)
{
    size_t at = strlen(path);
    for (; parts > 0 && at > 0; parts--) {
        while (at > 0 && path[at - 1] == '/')
            at--;
        while (at > 0 && path[at - 1] != '/')
            at--;
    }
    return at;
}

/* The number that the file's name is, without suffix; -1 if it is not a number. */
static int frame_number(const char *path)
{
    const char *name = file_name(path);
    uint64_t number;
    const size_t length = data_path_suffix(name) - name;
    return length > 0 && number_parse_integer(name, length, &number) && number <= INT_MAX
               ? (int)number
               : -1;
}

/* Adds an image or video; its crop is named by the path from `start` on. */
static Status add(DataFacesInputs *inputs, const char *path, const char *from, size_t start,
                  Error *error)
{
    char crop[FILE_PATH_SIZE + 8] = "";
    size_t used = 0;
    for (const char *part = from + start; *part;) { /* without empty parts, "." and ".." */
        const size_t length = strcspn(part, "/");
        if (length > 0 && strspn(part, ".") < length) {
            memcpy(crop + used, part, length);
            used += length;
            crop[used++] = '/';
        }
        part += length + (part[length] == '/');
    }
    if (used > 0)
        used--;
    crop[used] = '\0';
    const char *name = file_name(crop);
    size_t stem;
    const bool is_video = data_is_video(name, &stem);
    if (is_video)
        crop[name - crop + stem] = '\0';
    else
        memcpy(crop + (data_path_suffix(crop) - crop), ".png", 5);
    if (strpbrk(path, "\r\n"))
        return error_set(error, STATUS_FAILED,
                         "%s: a path containing a newline cannot be listed; rename it", path);
    TRY(mem_grow(&inputs->items, (size_t)inputs->count + 1, &inputs->capacity,
                 sizeof *inputs->items, WHAT, error));
    DataFacesInput *input = &inputs->items[inputs->count];
    input->path = mem_pool_text(inputs->memory, path, strlen(path), WHAT, error);
    input->crop = mem_pool_text(inputs->memory, crop, strlen(crop), WHAT, error);
    input->frame = is_video ? -1 : frame_number(path);
    input->is_video = is_video;
    if (!input->path || !input->crop)
        return error->status;
    inputs->count++;
    return STATUS_OK;
}

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

/* Adds the images and videos below a folder; follows links, except to a folder above. */
static Status add_folder(DataFacesInputs *inputs, char *path, Error *error)
{
    char *roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return mem_full(0, WHAT, error);
    const int before = inputs->count;
    Status status = STATUS_OK;
    for (FTSENT *entry; status == STATUS_OK && (entry = fts_read(walk));) {
        const bool top = entry->fts_level == 0;
        const DataSkip skip = data_path_skip(entry->fts_name, entry->fts_info == FTS_D);
        if (entry->fts_info == FTS_D && skip != DATA_SKIP_NONE && !top)
            (void)fts_set(walk, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_F && (skip == DATA_SKIP_NONE || skip == DATA_SKIP_VIDEO) &&
                 entry->fts_pathlen < FILE_PATH_SIZE)
            status = add(inputs, entry->fts_path, entry->fts_path, strlen(path), error);
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            status = error_set(error, STATUS_FAILED,
                               "%s: the folder cannot be read: %s; check its permissions",
                               entry->fts_path, strerror(entry->fts_errno));
    }
    fts_close(walk);
    if (status == STATUS_OK && inputs->count == before)
        return error_set(error, STATUS_FAILED,
                         "%s: no image or video below this folder; check the path", path);
    return status;
}

static Status add_list(DataFacesInputs *inputs, const char *path, Error *error)
{
    DataSkippedFiles skipped = {0};
    DataCollection found = {.pool = inputs->memory, .split = DATA_SPLITS, .skipped = &skipped};
    Status status = data_collect_list(&found, path, error);
    if (status == STATUS_OK && error->problems > 0)
        status = error_set(error, STATUS_FAILED, "%s: %d images cannot be read; correct the list",
                           path, error->problems);
    const DataEntry *items = found.entries.items;
    size_t shared = 0;
    for (int i = 0; status == STATUS_OK && i < found.entries.count; i++) {
        const size_t end = last_parts(items[i].location, 3);
        shared = i == 0 ? end : file_shared_folders(items[0].location, items[i].location, shared);
        shared = end < shared ? end : shared;
    }
    for (int i = 0; status == STATUS_OK && i < found.entries.count; i++)
        status = add(inputs, items[i].file, items[i].location, shared, error);
    free(found.entries.items);
    free(found.notes);
    free(skipped.items);
    return status;
}

static Status add_path(DataFacesInputs *inputs, const char *path, Error *error)
{
    if (strlen(path) >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         path);
    if (!file_exists(path))
        return error_set(error, STATUS_FAILED, "%s: does not exist; check the path", path);
    if (file_is_folder(path)) {
        char copy[FILE_PATH_SIZE];
        memcpy(copy, path, strlen(path) + 1);
        return add_folder(inputs, copy, error);
    }
    const DataSkip kind = data_path_skip(file_name(path), false);
    if (kind == DATA_SKIP_NONE || kind == DATA_SKIP_VIDEO)
        return add(inputs, path, file_name(path), 0, error);
    return add_list(inputs, path, error);
}

static int by_crop(const void *left, const void *right)
{
    const DataFacesInput *const *a = left, *const *b = right;
    const int order = strcmp((*a)->crop, (*b)->crop);
    return order ? order : (*a > *b) - (*a < *b);
}

/* Drops images that were given twice. STATUS_FAILED if two images have the same crop. */
static Status check_crops(DataFacesInputs *inputs, Error *error)
{
    const DataFacesInput **sorted = mem_new(inputs->count, sizeof(void *), WHAT, error);
    if (!sorted)
        return error->status;
    for (int i = 0; i < inputs->count; i++)
        sorted[i] = &inputs->items[i];
    qsort(sorted, inputs->count, sizeof(void *), by_crop);
    int clashes = 0;
    for (int i = 1; i < inputs->count; i++) {
        if (strcmp(sorted[i]->crop, sorted[i - 1]->crop) != 0)
            continue;
        if (strcmp(sorted[i]->path, sorted[i - 1]->path) == 0) {
            inputs->items[sorted[i] - inputs->items].crop = NULL;
            sorted[i] = sorted[i - 1];
        } else {
            error_detail(error, "%s and %s", sorted[i - 1]->path, sorted[i]->path);
            clashes++;
        }
    }
    free(sorted);
    if (clashes > 0)
        return error_set(
            error, STATUS_FAILED,
            "the images and videos: %d would have the same crop as another; name a folder above "
            "them, or use an output folder for each",
            clashes);
    int kept = 0;
    for (int i = 0; i < inputs->count; i++)
        if (inputs->items[i].crop)
            inputs->items[kept++] = inputs->items[i];
    inputs->count = kept;
    return STATUS_OK;
}

Status data_faces_inputs_read(DataFacesInputs *inputs, const char *const *paths, int count,
                              Error *error)
{
    *inputs = (DataFacesInputs){.memory = mem_new(1, sizeof(MemPool), WHAT, error)};
    Status status = inputs->memory ? STATUS_OK : error->status;
    for (int i = 0; status == STATUS_OK && i < count; i++)
        status = add_path(inputs, paths[i], error);
    if (status == STATUS_OK)
        status = check_crops(inputs, error);
    if (status != STATUS_OK)
        data_faces_inputs_free(inputs);
    return status;
}

void data_faces_inputs_free(DataFacesInputs *inputs)
{
    if (inputs->memory)
        mem_pool_free(inputs->memory);
    free(inputs->memory);
    free(inputs->items);
    *inputs = (DataFacesInputs){0};
}
