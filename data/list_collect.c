/*
 * list_collect.c - see list_collect.h: reads text lists, walks folders, finds the files.
 *
 * A set may have 100,000 frames, so a file costs two system calls (lstat, access); folders are resolved
 * once while consecutive paths share them.
 */
#include "data/list_collect.h"

#include "tensor/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POOL_BLOCK = 1 << 18 };
static const size_t MAX_LIST_SIZE = (size_t)1 << 30;

typedef struct DataPoolBlock {
    struct DataPoolBlock *next;
    alignas(max_align_t) char bytes[];
} DataPoolBlock;

void *data_pool_allocate(DataPool *pool, size_t size)
{
    const size_t rounded =
        (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (!pool->blocks || rounded > pool->size - pool->used) {
        const size_t block_size = rounded > POOL_BLOCK ? rounded : POOL_BLOCK;
        DataPoolBlock *const block = malloc(sizeof *block + block_size);
        if (!block)
            return NULL;
        block->next = pool->blocks;
        *pool = (DataPool){.blocks = block, .size = block_size};
    }
    void *const result = pool->blocks->bytes + pool->used;
    pool->used += rounded;
    return result;
}

const char *data_pool_text(DataPool *pool, const char *text, size_t length)
{
    char *const copy = data_pool_allocate(pool, length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

void data_pool_free(DataPool *pool)
{
    for (DataPoolBlock *block = pool->blocks; block;) {
        DataPoolBlock *const next = block->next;
        free(block);
        block = next;
    }
    *pool = (DataPool){0};
}

static Status no_memory(const char *list, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: no memory for its list of frames; free some", list);
}

static Status append(DataEntries *entries, DataEntry entry, const char *list, Error *error)
{
    if (entries->count == entries->capacity) {
        const int capacity = entries->capacity ? entries->capacity : 1024;
        if (capacity > INT_MAX / 2)
            return error_set(error, STATUS_FAILED, "%s: more than %d frames; split the set", list,
                             entries->count);
        DataEntry *const items = realloc(entries->items, (size_t)capacity * 2 * sizeof *items);
        if (!items)
            return no_memory(list, error);
        entries->items = items;
        entries->capacity = capacity * 2;
    }
    entries->items[entries->count++] = entry;
    return STATUS_OK;
}

/* What collecting one list needs beside its lines. */
typedef struct Collector {
    DataPool *pool;
    DataEntries *entries;
    const char *list;            /* the text file or folder, for messages */
    char folder[FILE_PATH_SIZE]; /* of the text file */
    char seen[FILE_PATH_SIZE];   /* the folder resolved last, as written */
    const char *resolved;        /* what it resolved to, in the pool */
    const char *source;          /* of the header line that holds, in the pool; NULL: by the path */
    int label;                   /* of that line */
} Collector;

/* 0 if `file` is a readable regular file, else an errno. *linked: the name itself is a symbolic link. */
static int check_file(const char *file, bool *linked)
{
    struct stat facts;
    if (lstat(file, &facts) != 0)
        return errno;
    *linked = S_ISLNK(facts.st_mode);
    if (*linked && stat(file, &facts) != 0)
        return errno;
    if (!S_ISREG(facts.st_mode))
        return S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
    return access(file, R_OK) == 0 ? 0 : errno;
}

/* Where `path` can be opened: as written, or below the list's folder. 0 and `file` filled, or an errno. */
static int find_file(const Collector *collector, const char *path, char file[FILE_PATH_SIZE],
                     bool *linked)
{
    memcpy(file, path, strlen(path) + 1);
    const int reason = check_file(file, linked);
    Error ignored; /* a joined path that is too long is a file that is not there */
    if (reason != ENOENT || path[0] == '/' || collector->folder[0] == '\0' ||
        file_join(file, collector->folder, path, &ignored) != STATUS_OK)
        return reason;
    return check_file(file, linked);
}

/* Sets entry->folder and identity, by way of the folder resolved last if it is the same one. */
static Status resolve_links(Collector *collector, DataEntry *entry, bool linked, Error *error)
{
    char text[FILE_PATH_SIZE + NAME_MAX + 2], resolved[PATH_MAX];
    const char *const name = file_name(entry->file);
    const size_t length = (size_t)(name - entry->file);
    memcpy(text, entry->file, length);
    memcpy(text + length, length ? "" : ".", length ? 1 : 2);
    if (!collector->resolved || strcmp(text, collector->seen) != 0) {
        if (!realpath(text, resolved))
            return error_set(error, STATUS_FAILED,
                             "%s: the folder cannot be resolved: %s; check its path", text,
                             strerror(errno));
        memcpy(collector->seen, text, strlen(text) + 1);
        collector->resolved = data_pool_text(collector->pool, resolved, strlen(resolved));
        if (!collector->resolved)
            return no_memory(collector->list, error);
    }
    entry->folder = collector->resolved;
    if (linked) {
        if (!realpath(entry->file, resolved))
            return error_set(error, STATUS_FAILED,
                             "%s: the link cannot be resolved: %s; check its target", entry->file,
                             strerror(errno));
        entry->identity = data_pool_text(collector->pool, resolved, strlen(resolved));
    } else {
        const int size = snprintf(text, sizeof text, "%s/%s", entry->folder, name);
        entry->identity = data_pool_text(collector->pool, text, (size_t)size);
    }
    return entry->identity ? STATUS_OK : no_memory(collector->list, error);
}

int data_source_label(const char *source)
{
    for (; *source; source++) {
        if (strncasecmp(source, "real", 4) == 0)
            return 0;
    }
    return 1;
}

size_t data_path_source(const char *path, const char **source)
{
    const char *starts[3] = {"", "", ""}; /* of the last three parts, oldest first */
    for (const char *c = path; *c; c++) {
        if (*c != '/' && (c == path || c[-1] == '/')) {
            starts[0] = starts[1];
            starts[1] = starts[2];
            starts[2] = c;
        }
    }
    *source = starts[0];
    const size_t length = strcspn(starts[0], "/");
    const bool is_dots =
        length <= 2 && strncmp(starts[0], "..", length) == 0; /* "", "." and ".." */
    return is_dots ? 0 : length;
}

/* Sets entry->source and label: from the header line, else from the third-last part of `path`. */
static Status read_labels(Collector *collector, DataEntry *entry, const char *path, Error *error)
{
    if (collector->source) {
        entry->source = collector->source;
        entry->label = collector->label;
        return STATUS_OK;
    }
    const char *source;
    const size_t length = data_path_source(path, &source);
    if (length == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: the path %s does not name source and video; write it as "
                         "SOURCE/VIDEO/FRAME, with the source (real or a forgery) in it",
                         collector->list, entry->path);
    entry->source = data_pool_text(collector->pool, source, length);
    if (!entry->source)
        return no_memory(collector->list, error);
    entry->label = data_source_label(entry->source);
    return STATUS_OK;
}

/* Adds one path; `line` is 0 in a folder. A file that cannot be read becomes a detail of *error. */
static Status add_frame(Collector *collector, const char *text, size_t length, int line,
                        Error *error)
{
    char path[FILE_PATH_SIZE], file[FILE_PATH_SIZE];
    assert(length < sizeof path);
    memcpy(path, text, length);
    path[length] = '\0';
    DataEntry entry = {.path = data_pool_text(collector->pool, path, length)};
    bool linked = false;
    int reason = find_file(collector, path, file, &linked);
    if (reason == ENOENT && strchr(path, '\\')) {
        for (char *c = path; *c; c++)
            *c = (char)(*c == '\\' ? '/' : *c);
        reason = find_file(collector, path, file, &linked);
    }
    if (reason != 0) {
        const char *const why = reason == EINVAL ? "no regular file" : strerror(reason);
        if (line)
            error_detail(error, "%.*s (%s, line %d): %s", (int)length, text, collector->list, line,
                         why);
        else
            error_detail(error, "%.*s: %s", (int)length, text, why);
        return STATUS_OK;
    }
    entry.file = strcmp(file, entry.path ? entry.path : "") == 0
                     ? entry.path
                     : data_pool_text(collector->pool, file, strlen(file));
    if (!entry.path || !entry.file)
        return no_memory(collector->list, error);
    TRY(read_labels(collector, &entry, path, error));
    TRY(resolve_links(collector, &entry, linked, error));
    return append(collector->entries, entry, collector->list, error);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The text behind `key` if [begin, end) starts with it and a value follows, else NULL. */
static const char *behind_key(const char *begin, const char *end, const char *key)
{
    const size_t length = strlen(key);
    const bool there = (size_t)(end - begin) > length && memcmp(begin, key, length) == 0;
    return there && !is_blank(begin[length]) ? begin + length : NULL;
}

static const char *skip_blanks(const char *begin, const char *end)
{
    while (begin < end && is_blank(*begin))
        begin++;
    return begin;
}

/*
 * A line that begins with "#" and a blank is a comment, one of the form "# lnclip: label=real source=NAME" names the
 * source of the lines below it (NAME reaches to the end of the line).
 */
static Status read_comment(Collector *collector, const char *begin, const char *end, int line,
                           Error *error)
{
    const char *const text = skip_blanks(begin + 1, end);
    static const char MARK[] = "lnclip:";
    const size_t mark = sizeof MARK - 1;
    if ((size_t)(end - text) < mark || memcmp(text, MARK, mark) != 0)
        return STATUS_OK;
    const char *const label = behind_key(skip_blanks(text + mark, end), end, "label=");
    const char *value = label;
    while (value && value < end && !is_blank(*value))
        value++;
    const bool real = label && value - label == 4 && memcmp(label, "real", 4) == 0;
    const bool fake = label && value - label == 4 && memcmp(label, "fake", 4) == 0;
    const char *const source = label ? behind_key(skip_blanks(value, end), end, "source=") : NULL;
    if (!source || !(real || fake))
        return error_set(error, STATUS_FAILED,
                         "%s: line %d: '%.*s' is no header of a list; write it as "
                         "'# lnclip: label=real source=NAME', with real or fake",
                         collector->list, line, (int)(end - begin), begin);
    collector->source = data_pool_text(collector->pool, source, (size_t)(end - source));
    collector->label = fake;
    return collector->source ? STATUS_OK : no_memory(collector->list, error);
}

/* Adds the path of one line [begin, end), if there is one. */
static Status add_line(Collector *collector, const char *begin, const char *end, int line,
                       Error *error)
{
    while (begin < end && is_blank(*begin))
        begin++;
    while (begin < end && is_blank(end[-1]))
        end--;
    const size_t length = (size_t)(end - begin);
    if (memchr(begin, '\0', length))
        return error_set(
            error, STATUS_FAILED,
            "%s: line %d holds a zero byte: this is no text list; give one image path a line",
            collector->list, line);
    if (length >= FILE_PATH_SIZE)
        return error_set(
            error, STATUS_FAILED,
            "%s: line %d has %zu bytes, more than a path can have (%d); give one image path "
            "a line",
            collector->list, line, length, FILE_PATH_SIZE - 1);
    if (length == 0)
        return STATUS_OK;
    if (begin[0] == '#' && (length == 1 || is_blank(begin[1])))
        return read_comment(collector, begin, end, line, error);
    return add_frame(collector, begin, length, line, error);
}

static Status collect_text(Collector *collector, Error *error)
{
    char *content;
    size_t size;
    TRY(file_read(collector->list, MAX_LIST_SIZE, &content, &size, error));
    const size_t folder_length = (size_t)(file_name(collector->list) - collector->list);
    memcpy(collector->folder, collector->list, folder_length);
    collector->folder[folder_length] = '\0';

    Status status = STATUS_OK;
    if (size >= 2 && (memcmp(content, "\xff\xfe", 2) == 0 || memcmp(content, "\xfe\xff", 2) == 0))
        status = error_set(error, STATUS_FAILED, "%s: the list is UTF-16 text; save it as UTF-8",
                           collector->list);
    const char *const end = content + size;
    const char *at = content + (size >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    for (int line = 1; status == STATUS_OK && at < end; line++) {
        const char *const newline = memchr(at, '\n', (size_t)(end - at));
        const char *const stop = newline ? newline : end;
        status = add_line(collector, at, stop, line, error);
        at = newline ? newline + 1 : end;
    }
    free(content);
    return status;
}

DataAncestor data_ancestor(const DataAncestor *above, const struct stat *facts)
{
    return (DataAncestor){above, facts->st_dev, facts->st_ino, above ? above->depth + 1 : 0};
}

bool data_ancestor_again(const DataAncestor *here)
{
    for (const DataAncestor *a = here->above; a; a = a->above)
        if (a->device == here->device && a->inode == here->inode)
            return true;
    return false;
}

bool data_is_image(const char *name)
{
    static const char *const SUFFIXES[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm"};
    const char *const dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
        if (strcasecmp(dot, SUFFIXES[i]) == 0)
            return true;
    }
    return false;
}

/* Appends all images below `folder`, in no particular order; only path and file are set. */
static Status walk(DataPool *pool, DataEntries *entries, const char *folder,
                   const DataAncestor *above, Error *error)
{
    struct stat facts;
    DIR *const stream = opendir(folder);
    if (!stream || fstat(dirfd(stream), &facts) != 0) {
        const int reason = errno;
        if (stream)
            closedir(stream);
        return error_set(error, STATUS_FAILED,
                         "%s: the folder cannot be read: %s; check its permissions", folder,
                         strerror(reason));
    }
    const DataAncestor here = data_ancestor(above, &facts);
    const bool loop = data_ancestor_again(&here);

    Status status = STATUS_OK;
    char path[FILE_PATH_SIZE];
    for (struct dirent *item; !loop && status == STATUS_OK && (item = readdir(stream));) {
        if (item->d_name[0] == '.')
            continue;
        status = file_join(path, folder, item->d_name, error);
        if (status != STATUS_OK)
            break;
        const bool unknown = item->d_type == DT_LNK || item->d_type == DT_UNKNOWN;
        if (item->d_type == DT_DIR || (unknown && file_is_folder(path))) {
            status = walk(pool, entries, path, &here, error);
        } else if (data_is_image(item->d_name)) {
            const char *const text = data_pool_text(pool, path, strlen(path));
            status = text ? append(entries, (DataEntry){.path = text, .file = text}, folder, error)
                          : no_memory(folder, error);
        }
    }
    closedir(stream);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const DataEntry *)a)->path, ((const DataEntry *)b)->path);
}

/* Appends the images below `folder`, sorted; an error if there are none. */
static Status walk_sorted(DataPool *pool, DataEntries *entries, const char *folder, Error *error)
{
    const int before = entries->count;
    TRY(walk(pool, entries, folder, NULL, error));
    const size_t found = (size_t)(entries->count - before);
    if (found == 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: no image below this folder; check the path, or name the lists in it one by one "
            "(images are found by suffix: png, jpg, jpeg, bmp, ppm, pgm)",
            folder);
    qsort(entries->items + before, found, sizeof *entries->items, compare_paths);
    return STATUS_OK;
}

static Status collect_folder(Collector *collector, Error *error)
{
    DataEntries found = {0};
    Status status = walk_sorted(collector->pool, &found, collector->list, error);
    for (int i = 0; status == STATUS_OK && i < found.count; i++)
        status = add_frame(collector, found.items[i].path, strlen(found.items[i].path), 0, error);
    free(found.items);
    return status;
}

Status data_collect_list(DataPool *pool, DataEntries *entries, const char *list, Error *error)
{
    if (strlen(list) >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         list);
    Collector collector = {.pool = pool, .entries = entries, .list = list};
    const int before = entries->count, problems = error->problems;
    if (file_is_folder(list))
        return collect_folder(&collector, error);
    TRY(collect_text(&collector, error));
    if (entries->count == before && error->problems == problems)
        return error_set(error, STATUS_FAILED, "%s: the list is empty; give one image path a line",
                         list);
    return STATUS_OK;
}

Status data_collect_path(DataPool *pool, DataEntries *entries, const char *path, Error *error)
{
    if (file_is_folder(path))
        return walk_sorted(pool, entries, path, error);
    const char *const text = data_pool_text(pool, path, strlen(path));
    return text ? append(entries, (DataEntry){.path = text, .file = text}, path, error)
                : no_memory(path, error);
}
