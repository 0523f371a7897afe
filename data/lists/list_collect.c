/*
 * list_collect.c - see list_collect_private.h: reads text lists, walks folders, finds the files.
 *
 * A set may have 100,000 frames, so a file costs only two system calls (lstat, access); a folder is
 * resolved once for consecutive paths in it.
 */
#include "data/lists/list_collect_private.h"

#include "data/lists/input.h"
#include "data/lists/list_table.h"
#include "tensor/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t MAX_LIST_SIZE = (size_t)1 << 30;

static Status collect_input(DataCollection *collection, const char *list, Error *error);

static Status append(DataEntries *entries, DataEntry entry, const char *list, Error *error)
{
    if (entries->count > INT_MAX / 2)
        return error_set(error, STATUS_FAILED, "%s: more than %d frames; split the set", list,
                         entries->count);
    TRY(mem_grow(&entries->items, entries->count + 1, &entries->capacity, sizeof entry, list,
                 error));
    entries->items[entries->count++] = entry;
    return STATUS_OK;
}

/* Appends a frame with only its path. */
static Status append_path(MemPool *pool, DataEntries *entries, const char *path, const char *list,
                          Error *error)
{
    const char *text = mem_pool_text(pool, path, strlen(path), list, error);
    return text ? append(entries, (DataEntry){.path = text, .file = text}, list, error)
                : error->status;
}

/* The state of collecting one list. */
typedef struct Collector {
    DataCollection *into;
    MemPool *pool;
    DataEntries *entries;
    DataSkippedFiles *skipped;
    const char *list;            /* the text file or folder, for messages */
    size_t top;                  /* start of a folder's own name in its path */
    bool walked;                 /* a folder, not a text file */
    char folder[FILE_PATH_SIZE]; /* folder of the text file */
    char seen[FILE_PATH_SIZE];   /* the last resolved folder, as written */
    const char *resolved;        /* its resolved path, in the pool */
    const char *source; /* source of the current header line, in the pool; NULL: by the path */
    int label;          /* label of that line */
    int own_video;      /* that line's setting: 1 each image is a video, 0 not; -1 none */
    const char *video;  /* SOURCE/NAME of that line's video, in the pool; or NULL */
} Collector;

static const char *copy_text(const Collector *collector, const char *text, size_t length,
                             Error *error)
{
    return mem_pool_text(collector->pool, text, length, collector->list, error);
}

/* 0 if `file` is a readable regular file, else an errno. *linked: the file is a symbolic link. */
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

/*
 * Finds where `path` can be opened: as written, or below the list's folder. Fills `file` and
 * returns 0, or an errno.
 */
static int find_file(const Collector *collector, const char *path, char file[FILE_PATH_SIZE],
                     bool *linked)
{
    memcpy(file, path, strlen(path) + 1);
    const int reason = check_file(file, linked);
    Error ignored; /* a joined path that is too long does not exist */
    if (reason != ENOENT || path[0] == '/' || collector->folder[0] == '\0' ||
        file_join(file, collector->folder, path, &ignored) != STATUS_OK)
        return reason;
    return check_file(file, linked);
}

/*
 * Sets entry->folder, location and identity; reuses the last resolved folder if it is the same.
 */
static Status resolve_links(Collector *collector, DataEntry *entry, bool linked, Error *error)
{
    char text[FILE_PATH_SIZE + NAME_MAX + 2], resolved[PATH_MAX];
    const char *name = file_name(entry->file);
    const size_t length = name - entry->file;
    memcpy(text, entry->file, length);
    memcpy(text + length, length ? "" : ".", length ? 1 : 2);
    if (!collector->resolved || strcmp(text, collector->seen) != 0) {
        if (!realpath(text, resolved))
            return error_set(error, STATUS_FAILED,
                             "%s: the folder cannot be resolved: %s; check its path", text,
                             strerror(errno));
        memcpy(collector->seen, text, strlen(text) + 1);
        collector->resolved = copy_text(collector, resolved, strlen(resolved), error);
        if (!collector->resolved)
            return error->status;
    }
    entry->folder = collector->resolved;
    const int size = snprintf(text, sizeof text, "%s/%s", entry->folder, name);
    entry->identity = entry->location = copy_text(collector, text, size, error);
    if (!entry->location)
        return error->status;
    if (linked) {
        if (!realpath(entry->file, resolved))
            return error_set(error, STATUS_FAILED,
                             "%s: the link cannot be resolved: %s; check its target", entry->file,
                             strerror(errno));
        entry->identity = copy_text(collector, resolved, strlen(resolved), error);
    }
    return entry->identity ? STATUS_OK : error->status;
}

/*
 * Sets source, label and own_video of the entry from the header line, else from `path`. `literal`:
 * a backslash is part of a name.
 */
static Status read_labels(Collector *collector, DataEntry *entry, const char *path, bool literal,
                          Error *error)
{
    char read[FILE_PATH_SIZE];
    const size_t length = strlen(path);
    for (size_t i = 0; i <= length; i++)
        read[i] = (char)(literal && path[i] == '\\' ? '_' : path[i]);
    const DataPath parts = data_path_read(read);
    entry->own_video = parts.own_video;
    if (collector->source) {
        entry->source = collector->source;
        entry->label = collector->label;
        entry->video = collector->video;
        if (collector->own_video >= 0)
            entry->own_video = collector->own_video == 1;
        return STATUS_OK;
    }
    if (parts.source_length == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: the path %s does not name source and video; write it as "
                         "SOURCE/VIDEO/FRAME, with the source (real or a forgery) in it",
                         collector->list, entry->path);
    entry->source = copy_text(collector, path + (parts.source - read), parts.source_length, error);
    if (!entry->source)
        return error->status;
    const DataLabel label =
        data_path_label(read, &parts, collector->top, collector->walked, &entry->above);
    entry->label = label.label;
    entry->doubt = label.doubt;
    return STATUS_OK;
}

/* True for paths to skip: thumbnails and masks that find(1) has put into a list. */
static bool is_skipped(const char *path)
{
    const char *name = file_name(path);
    char folder[NAME_MAX + 2];
    size_t end = name - path;
    if (strncmp(name, "._", 2) == 0)
        return true;
    for (int up = 0; up < 2 && end > 0; up++) { /* the folders of the video and of the source */
        size_t begin = --end;
        while (begin > 0 && path[begin - 1] != '/')
            begin--;
        if (end - begin < sizeof folder) {
            memcpy(folder, path + begin, end - begin);
            folder[end - begin] = '\0';
            const DataSkip skip = folder[0] == '.' ? DATA_SKIP_NONE : data_path_skip(folder, true);
            if (skip != DATA_SKIP_NONE)
                return true;
        }
        end = begin;
    }
    return false;
}

/* Adds one path; `line` is 0 in a folder. An unreadable file becomes a detail of *error. */
static Status add_frame(Collector *collector, const char *text, size_t length, int line,
                        Error *error)
{
    char path[FILE_PATH_SIZE], file[FILE_PATH_SIZE];
    assert(length < sizeof path);
    memcpy(path, text, length);
    path[length] = '\0';
    DataEntry entry = {.path = copy_text(collector, path, length, error)};
    if (!entry.path)
        return error->status;
    bool linked = false, literal = true;
    int reason = find_file(collector, path, file, &linked);
    if (reason == ENOENT && strchr(path, '\\')) {
        literal = false;
        for (char *c = path; *c; c++)
            *c = (char)(*c == '\\' ? '/' : *c);
        reason = find_file(collector, path, file, &linked);
    }
    if (reason != 0) {
        const char *why = reason == EINVAL ? "not a regular file" : strerror(reason);
        Error ignored = {0}; /* a joined path that is too long does not exist */
        const bool below = collector->folder[0] && path[0] != '/' &&
                           file_join(file, collector->folder, path, &ignored) == STATUS_OK;
        if (reason == ENOENT && error->problems < ERROR_MAX_DETAILS &&
            (data_list_has_twin(path) || (below && data_list_has_twin(file))))
            why = "a file whose name differs only in Unicode normalisation (NFC, NFD) exists; "
                  "write the list on this machine, or rename the files, e.g. with convmv";
        if (line)
            error_detail(error, "%.*s (%s, line %d): %s", (int)length, text, collector->list, line,
                         why);
        else
            error_detail(error, "%.*s: %s", (int)length, text, why);
        return STATUS_OK;
    }
    if (!collector->walked && !collector->source && is_skipped(path)) {
        char folder[FILE_PATH_SIZE];
        const size_t end = file_name(path) - path;
        memcpy(folder, path, end);
        folder[end > 0 ? end - 1 : 0] = '\0';
        return data_skipped_add(collector->skipped, collector->pool, folder, strlen(folder),
                                file_name(path), false, error);
    }
    entry.file = strcmp(file, entry.path) == 0 ? entry.path
                                               : copy_text(collector, file, strlen(file), error);
    if (!entry.file)
        return error->status;
    TRY(read_labels(collector, &entry, path, literal, error));
    TRY(resolve_links(collector, &entry, linked, error));
    return append(collector->entries, entry, collector->list, error);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The text after `key` if [begin, end) starts with it and a value follows, else NULL. */
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

void data_list_write_video_name(FILE *stream, const char *name)
{
    fputs(" video-name=", stream);
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == '%' || *c == 0x7f)
            fprintf(stream, "%%%02X", (unsigned)(unsigned char)*c);
        else
            putc(*c, stream);
    }
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(char c)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    const char *found = c ? strchr(DIGITS, c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c) : NULL;
    return found ? (int)(found - DIGITS) : -1;
}

/* Sets collector->video to SOURCE/NAME for the name [begin, end), in a header line escaped. */
static Status set_video(Collector *collector, const char *begin, const char *end, bool header,
                        Error *error)
{
    const size_t source = strlen(collector->source);
    char *text =
        mem_pool_new(collector->pool, source + 1 + (end - begin) + 1, collector->list, error);
    if (!text)
        return error->status;
    memcpy(text, collector->source, source);
    char *out = text + source;
    *out++ = '/';
    for (const char *c = begin; c < end; c++) {
        const int high = header && *c == '%' && end - c > 2 ? hex_digit(c[1]) : -1;
        const int low = high >= 0 ? hex_digit(c[2]) : -1;
        const bool escaped = low >= 0 && 16 * high + low != 0;
        *out++ = (char)(escaped ? 16 * high + low : *c);
        c += escaped ? 2 : 0;
    }
    *out = '\0';
    collector->video = text;
    return STATUS_OK;
}

/*
 * Reads a comment. "# lnclip: label=real source=NAME" sets the source of the lines below (NAME
 * extends to the end of the line). Before source=, video=image makes each image a video,
 * video=folder each folder, and video-name=NAME all lines below one video.
 */
static Status read_comment(Collector *collector, const char *begin, const char *end, int line,
                           Error *error)
{
    const char *text = skip_blanks(begin + 1, end);
    static const char MARK[] = "lnclip:";
    const size_t mark = sizeof MARK - 1;
    if ((size_t)(end - text) < mark || memcmp(text, MARK, mark) != 0)
        return STATUS_OK;
    const char *label = behind_key(skip_blanks(text + mark, end), end, "label=");
    const char *value = label;
    while (value && value < end && !is_blank(*value))
        value++;
    const bool real = label && value - label == 4 && memcmp(label, "real", 4) == 0;
    const bool fake = label && value - label == 4 && memcmp(label, "fake", 4) == 0;
    const char *rest = label ? skip_blanks(value, end) : end;
    const char *video = behind_key(rest, end, "video="),
               *name = behind_key(rest, end, "video-name=");
    const char *name_end = name;
    while (name && name_end < end && !is_blank(*name_end))
        name_end++;
    int own_video = -1;
    if (name) {
        rest = name_end;
    } else if (video) {
        for (rest = video; rest < end && !is_blank(*rest);)
            rest++;
        own_video = rest - video == 5 && memcmp(video, "image", 5) == 0    ? 1
                    : rest - video == 6 && memcmp(video, "folder", 6) == 0 ? 0
                                                                           : -2;
    }
    const char *source = behind_key(skip_blanks(rest, end), end, "source=");
    if (!source || !(real || fake) || own_video == -2)
        return error_set(error, STATUS_FAILED,
                         "%s: line %d: '%.*s' is not a valid header line; write it as "
                         "'# lnclip: label=real source=NAME', with real or fake",
                         collector->list, line, (int)(end - begin), begin);
    collector->source = copy_text(collector, source, end - source, error);
    collector->label = fake;
    collector->own_video = own_video;
    collector->video = NULL;
    if (!collector->source)
        return error->status;
    return name ? set_video(collector, name, name_end, true, error) : STATUS_OK;
}

/* Adds the path of one line [begin, end), if it has one. */
static Status add_line(Collector *collector, const char *begin, const char *end, int line,
                       Error *error)
{
    while (begin < end && is_blank(*begin))
        begin++;
    while (begin < end && is_blank(end[-1]))
        end--;
    const size_t length = end - begin;
    if (memchr(begin, '\0', length))
        return error_set(
            error, STATUS_FAILED,
            "%s: line %d has a zero byte: not a text list; give one image path per line",
            collector->list, line);
    if (length >= FILE_PATH_SIZE)
        return error_set(
            error, STATUS_FAILED,
            "%s: line %d has %zu bytes, more than a path can have (%d); give one image path "
            "per line",
            collector->list, line, length, FILE_PATH_SIZE - 1);
    if (length == 0)
        return STATUS_OK;
    if (begin[0] == '#' && (length == 1 || is_blank(begin[1])))
        return read_comment(collector, begin, end, line, error);
    return add_frame(collector, begin, length, line, error);
}

static void set_list_folder(Collector *collector)
{
    const size_t length = file_name(collector->list) - collector->list;
    memcpy(collector->folder, collector->list, length);
    collector->folder[length] = '\0';
}

static Status collect_text(Collector *collector, Error *error)
{
    char *content;
    size_t size;
    TRY(file_read(collector->list, MAX_LIST_SIZE, &content, &size, error));
    set_list_folder(collector);

    Status status = STATUS_OK;
    const char *end = content + size;
    const char *at = content + (size >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    for (int line = 1; status == STATUS_OK && at < end; line++) {
        const char *newline = memchr(at, '\n', end - at);
        const char *stop = newline ? newline : end;
        status = add_line(collector, at, stop, line, error);
        at = newline ? newline + 1 : end;
    }
    free(content);
    return status;
}

/* ---- folders --------------------------------------------------------------------------------- */

/* Length of `folder` up to the first folder below its first `top` bytes, or all of it. */
static size_t first_folder(const char *folder, size_t top)
{
    size_t end = top < strlen(folder) ? top : strlen(folder);
    while (folder[end] == '/')
        end++;
    return end + strcspn(folder + end, "/");
}

Status data_skipped_add(DataSkippedFiles *skipped, MemPool *pool, const char *folder, size_t top,
                        const char *name, bool is_folder, Error *error)
{
    const DataSkip reason = data_path_skip(name, is_folder);
    const char *what = is_folder || reason == DATA_SKIP_SYSTEM ? name : data_path_suffix(name);
    const size_t length = first_folder(folder, top);
    for (int i = skipped->count - 1; i >= 0; i--) {
        DataSkipped *row = &skipped->items[i];
        if (row->reason == reason && row->is_folder == is_folder &&
            strncmp(row->folder, folder, length) == 0 && row->folder[length] == '\0' &&
            (strcmp(row->what, what) == 0 ||
             (reason == DATA_SKIP_SYSTEM && row->what[0] == '.' && what[0] == '.'))) {
            row->count++;
            return STATUS_OK;
        }
    }
    TRY(mem_grow(&skipped->items, skipped->count + 1, &skipped->capacity, sizeof *skipped->items,
                 folder, error));
    DataSkipped *row = &skipped->items[skipped->count];
    *row = (DataSkipped){.folder = mem_pool_text(pool, folder, length, folder, error),
                         .what = mem_pool_text(pool, what, strlen(what), folder, error),
                         .reason = reason,
                         .is_folder = is_folder,
                         .count = 1};
    if (!row->folder || !row->what)
        return error->status;
    skipped->count++;
    return STATUS_OK;
}

/* A folder that is being walked or is pending. */
typedef struct WalkFolder {
    const char *path;
    int above; /* index of its parent; -1 at the top */
    dev_t device;
    ino_t inode;
} WalkFolder;

/* A walk without recursion, because a tree may be deeper than the stack. */
typedef struct Walk {
    MemPool *pool;
    DataEntries *entries;
    DataSkippedFiles *skipped;
    size_t top; /* length of the path of the listed folder */
    WalkFolder *folders;
    int count;
    size_t capacity;
} Walk;

static Status push_folder(Walk *walk, const char *path, int above, Error *error)
{
    if (walk->count > INT_MAX / 2)
        return error_set(error, STATUS_FAILED, "%s: more than %d folders; split the set", path,
                         walk->count);
    TRY(mem_grow(&walk->folders, walk->count + 1, &walk->capacity, sizeof *walk->folders, path,
                 error));
    const char *copy = mem_pool_text(walk->pool, path, strlen(path), path, error);
    if (!copy)
        return error->status;
    walk->folders[walk->count++] = (WalkFolder){.path = copy, .above = above};
    return STATUS_OK;
}

/* True if folder `at` is one of its own ancestors: a loop of symbolic links. */
static bool is_loop(const Walk *walk, int at)
{
    const WalkFolder *here = &walk->folders[at];
    for (int i = here->above; i >= 0; i = walk->folders[i].above)
        if (walk->folders[i].device == here->device && walk->folders[i].inode == here->inode)
            return true;
    return false;
}

/* Adds one name to the folders, the images or the skipped files. */
static Status sort_name(Walk *walk, int at, const struct dirent *item, Error *error)
{
    const char *folder = walk->folders[at].path, *name = item->d_name;
    char path[FILE_PATH_SIZE];
    if (file_join(path, folder, name, error) != STATUS_OK)
        return error_set(
            error, STATUS_FAILED,
            "%.200s...: folders are nested so deeply that a path exceeds %d bytes; name "
            "a folder further down, or move it up",
            folder, FILE_PATH_SIZE - 1);
    const bool unknown = item->d_type == DT_LNK || item->d_type == DT_UNKNOWN;
    const bool is_folder = item->d_type == DT_DIR || (unknown && file_is_folder(path));
    if (data_path_skip(name, is_folder) != DATA_SKIP_NONE)
        return data_skipped_add(walk->skipped, walk->pool, folder, walk->top, name, is_folder,
                                error);
    if (is_folder)
        return push_folder(walk, path, at, error);
    return append_path(walk->pool, walk->entries, path, folder, error);
}

static Status read_folder(Walk *walk, int at, Error *error)
{
    WalkFolder *here = &walk->folders[at];
    struct stat facts;
    DIR *stream = opendir(here->path);
    if (!stream || fstat(dirfd(stream), &facts) != 0) {
        const int reason = errno;
        if (stream)
            closedir(stream);
        return error_set(error, STATUS_FAILED,
                         "%s: the folder cannot be read: %s; check its permissions", here->path,
                         strerror(reason));
    }
    here->device = facts.st_dev;
    here->inode = facts.st_ino;
    Status status = STATUS_OK;
    const bool loop = is_loop(walk, at);
    errno = 0;
    for (const struct dirent *item; !loop && status == STATUS_OK && (item = readdir(stream));) {
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            status = sort_name(walk, at, item, error);
        errno = 0;
    }
    if (status == STATUS_OK && errno != 0)
        status =
            error_set(error, STATUS_FAILED, "%s: the folder cannot be read: %s; check the disk",
                      walk->folders[at].path, strerror(errno));
    closedir(stream);
    return status;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const DataEntry *)a)->path, ((const DataEntry *)b)->path);
}

/* Appends the images below `folder`, sorted; fails if there are none. */
static Status walk_sorted(MemPool *pool, DataEntries *entries, DataSkippedFiles *skipped,
                          const char *folder, Error *error)
{
    const int before = entries->count, skipped_before = skipped->count;
    Walk walk = {.pool = pool, .entries = entries, .skipped = skipped, .top = strlen(folder)};
    Status status = push_folder(&walk, folder, -1, error);
    for (int at = 0; status == STATUS_OK && at < walk.count; at++)
        status = read_folder(&walk, at, error);
    free(walk.folders);
    TRY(status);
    const int found = entries->count - before;
    if (found > 0) {
        qsort(entries->items + before, found, sizeof *entries->items, compare_paths);
        return STATUS_OK;
    }
    for (int i = skipped_before; i < skipped->count; i++) {
        char text[ERROR_DETAIL_SIZE];
        data_skipped_describe(&skipped->items[i], text, sizeof text);
        error_detail(error, "%s", text);
    }
    return error_set(
        error, STATUS_FAILED,
        "%s: no image below this folder; check the path, or name the lists in it one by one "
        "(images are found by suffix: png, jpg, jpeg, bmp, ppm, pgm)",
        folder);
}

void data_skipped_describe(const DataSkipped *row, char *text, size_t size)
{
    snprintf(text, size, "%s: %d %s%s%s (%s)", row->folder, row->count,
             row->is_folder ? "folders " : "",
             row->reason == DATA_SKIP_SYSTEM && row->what[0] == '.' ? "names with a leading dot"
             : row->what[0]                                         ? row->what
                                                                    : "files without a suffix",
             row->is_folder || row->reason == DATA_SKIP_SYSTEM || !row->what[0] ? "" : " files",
             data_skip_reason(row->reason));
}

/* ---- the kinds of input ---------------------------------------------------------------------- */

Status data_collect_note(DataCollection *collection, bool warning, Error *error, const char *format,
                         ...)
{
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *copy = mem_pool_text(collection->pool, text, strlen(text), "a note", error);
    if (!copy)
        return error->status;
    TRY(mem_grow(&collection->notes, collection->note_count + 1, &collection->note_capacity,
                 sizeof *collection->notes, "a note", error));
    collection->notes[collection->note_count++] = (DataNote){copy, warning};
    return STATUS_OK;
}

static bool has_suffix_txt(const char *name)
{
    return name[0] != '.' && strcmp(data_path_suffix(name), ".txt") == 0;
}

/* Finds the text files of `folder`, as a sorted array of paths in the pool; free(*lists). */
static Status find_lists(Collector *collector, const char *folder, const char ***lists, int *count,
                         Error *error)
{
    size_t capacity = 0;
    *lists = NULL;
    *count = 0;
    DIR *stream = opendir(folder);
    Status status = STATUS_OK;
    for (const struct dirent *item; stream && status == STATUS_OK && (item = readdir(stream));) {
        char path[FILE_PATH_SIZE];
        if (!has_suffix_txt(item->d_name) ||
            file_join(path, folder, item->d_name, error) != STATUS_OK || file_is_folder(path))
            continue;
        status = mem_grow(lists, *count + 1, &capacity, sizeof **lists, folder, error);
        if (status == STATUS_OK &&
            !((*lists)[*count] = copy_text(collector, path, strlen(path), error)))
            status = error->status;
        *count += status == STATUS_OK;
    }
    if (stream)
        closedir(stream);
    if (*count > 0)
        qsort(*lists, *count, sizeof **lists, compare_texts);
    return status;
}

/* Collects the lists (*.txt) directly in `folder`. Sets *found if there are any. */
static Status collect_lists_in(Collector *collector, const char *folder, bool *found, Error *error)
{
    const char **lists;
    int count;
    Status status = find_lists(collector, folder, &lists, &count, error);
    *found |= count > 0;
    if (status == STATUS_OK && count > 0)
        status = data_collect_note(collector->into, false, error, "%s: %d list%s of this folder",
                                   folder, count, count > 1 ? "s" : "");
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = collect_input(collector->into, lists[i], error);
    free(lists);
    return status;
}

/*
 * Collects the lists of a folder without images: those directly in it, else those in its folder
 * train, val or test, as the set is for.
 */
static Status collect_lists(Collector *collector, bool *found, Error *error)
{
    const DataSplit split = collector->into->split;
    TRY(collect_lists_in(collector, collector->list, found, error));
    for (int s = *found ? DATA_SPLITS : 0; s < DATA_SPLITS; s++) {
        char folder[FILE_PATH_SIZE];
        if (split != DATA_SPLITS && s != (int)split)
            continue;
        TRY(file_join(folder, collector->list, data_split_names[s], error));
        TRY(collect_lists_in(collector, folder, found, error));
    }
    return STATUS_OK;
}

static Status collect_folder(Collector *collector, Error *error)
{
    DataEntries found = {0};
    Error reason = {0};
    const int before = collector->skipped->count;
    Status status =
        walk_sorted(collector->pool, &found, collector->skipped, collector->list, &reason);
    if (status != STATUS_OK && found.count == 0) {
        bool lists = false;
        free(found.items);
        const int skipped = collector->skipped->count;
        collector->skipped->count = before; /* the lists are not skipped, if there are any */
        TRY(collect_lists(collector, &lists, error));
        if (lists)
            return STATUS_OK;
        collector->skipped->count = skipped;
        for (int i = 0; i < reason.problems && i < ERROR_MAX_DETAILS; i++)
            error_detail(error, "%s", reason.detail[i]);
        return error_set(error, status, "%s", reason.message);
    }
    size_t top = strlen(collector->list); /* start of the folder's own name */
    while (top > 0 && collector->list[top - 1] == '/')
        top--;
    while (top > 0 && collector->list[top - 1] != '/')
        top--;
    collector->top = top;
    collector->walked = true;
    for (int i = 0; status == STATUS_OK && i < found.count; i++)
        status = add_frame(collector, found.items[i].path, strlen(found.items[i].path), 0, error);
    free(found.items);
    return status;
}

/* The splits of a table, for a message: "train, val". */
static void join_splits(const DataTable *table, char text[32])
{
    text[0] = '\0';
    for (int split = 0; split < DATA_SPLITS; split++)
        for (int i = 0; i < table->count; i++)
            if (table->rows[i].split == split) {
                strcat(strcat(text, text[0] ? ", " : ""), data_split_names[split]);
                break;
            }
}

static Status collect_rows(Collector *collector, const DataTable *table, Error *error)
{
    const DataSplit split = collector->into->split;
    const int before = collector->entries->count, problems = error->problems;
    for (int i = 0; i < table->count; i++) {
        const DataTableRow *row = &table->rows[i];
        if (row->split >= 0 && split != DATA_SPLITS && row->split != (int)split)
            continue;
        if (strlen(row->path) >= FILE_PATH_SIZE)
            return error_set(error, STATUS_FAILED,
                             "%s: line %zu: the path is too long; use a shorter one",
                             collector->list, row->line);
        collector->source = copy_text(collector, row->source, strlen(row->source), error);
        collector->label = row->label;
        collector->own_video = row->video_by == DATA_VIDEO_IMAGE;
        collector->video = NULL;
        if (!collector->source)
            return error->status;
        if (row->video)
            TRY(set_video(collector, row->video, row->video + strlen(row->video), false, error));
        TRY(add_frame(collector, row->path, strlen(row->path), (int)row->line, error));
    }
    if (collector->entries->count > before || error->problems > problems)
        return STATUS_OK;
    char splits[32];
    join_splits(table, splits);
    return error_set(error, STATUS_FAILED,
                     "%s: its column of splits has no %s, but %s; correct it, or make lists with "
                     "lnclip lists csv %s --out DIR and name them",
                     collector->list, data_split_names[split], splits, collector->list);
}

static Status collect_table(Collector *collector, Error *error)
{
    DataTable table;
    Error reason = {0};
    if (data_table_read(&table, collector->list, NULL, &reason) != STATUS_OK)
        return error_set(error, reason.status, "%s%s", reason.message,
                         strstr(reason.message, "-column")
                             ? "; the options are those of lnclip "
                               "lists csv FILE --out DIR, which makes "
                               "lists of it"
                             : "");
    set_list_folder(collector);
    const bool one_split = table.has_split && collector->into->split != DATA_SPLITS;
    Status status = data_collect_note(collector->into, false, error, "%s%s%s", table.taken,
                                      one_split ? "; the rows of " : "",
                                      one_split ? data_split_names[collector->into->split] : "");
    if (status == STATUS_OK && table.doubts)
        status = data_collect_note(collector->into, true, error, "%s", table.doubts);
    if (status == STATUS_OK)
        status = collect_rows(collector, &table, error);
    data_table_free(&table);
    return status;
}

static Status collect_glob(Collector *collector, Error *error)
{
    glob_t matches;
    const int result =
        strstr(collector->list, "**") ? GLOB_NOMATCH : glob(collector->list, 0, NULL, &matches);
    if (result == GLOB_NOSPACE)
        return mem_full(0, collector->list, error);
    if (result != 0)
        return error_set(error, STATUS_FAILED, "%s: no file matches this pattern; %s",
                         collector->list,
                         strstr(collector->list, "**")
                             ? "** is not known: name the folder, which is searched at any depth"
                             : "check it, and put it in quotes");
    Status status = STATUS_OK;
    for (size_t i = 0; i < matches.gl_pathc && status == STATUS_OK; i++) {
        const char *path = matches.gl_pathv[i];
        const bool image = data_path_skip(file_name(path), false) == DATA_SKIP_NONE;
        if (image && strlen(path) < FILE_PATH_SIZE && !file_is_folder(path))
            status = add_frame(collector, path, strlen(path), 0, error);
        else
            status = collect_input(collector->into, path, error);
    }
    globfree(&matches);
    return status;
}

/* Collects one folder, file or pattern. */
static Status collect_input(DataCollection *collection, const char *list, Error *error)
{
    if (strlen(list) >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         list);
    Collector collector = {.into = collection,
                           .pool = collection->pool,
                           .entries = &collection->entries,
                           .skipped = collection->skipped,
                           .list = list};
    const int before = collection->entries.count, problems = error->problems;
    const DataInput input = data_input(list);
    const char *refusal = data_input_refusal(input);
    if (refusal)
        return error_set(error, STATUS_FAILED, "%s: %s", list, refusal);
    if (input == DATA_INPUT_FOLDER)
        return collect_folder(&collector, error);
    if (input == DATA_INPUT_TABLE)
        return collect_table(&collector, error);
    if (input == DATA_INPUT_JSON)
        return data_collect_json(collection, list, error);
    if (input == DATA_INPUT_GLOB)
        return collect_glob(&collector, error);
    TRY(collect_text(&collector, error));
    if (collection->entries.count == before && error->problems == problems)
        return error_set(error, STATUS_FAILED,
                         "%s: the list is empty; give one image path per line", list);
    return STATUS_OK;
}

Status data_collect_frame(DataCollection *collection, const char *list, const char *path,
                          const char *source, int label, Error *error)
{
    Collector collector = {.into = collection,
                           .pool = collection->pool,
                           .entries = &collection->entries,
                           .skipped = collection->skipped,
                           .list = list,
                           .source = source,
                           .label = label};
    return add_frame(&collector, path, strlen(path), 0, error);
}

Status data_collect_list(DataCollection *collection, const char *list, Error *error)
{
    for (size_t length;; list += length + 1) {
        length = data_input_first(list);
        const char *one = mem_pool_text(collection->pool, list, length, list, error);
        if (!one)
            return error->status;
        TRY(collect_input(collection, one, error));
        if (list[length] == '\0')
            return STATUS_OK;
    }
}

Status data_collect_path(MemPool *pool, DataEntries *entries, DataSkippedFiles *skipped,
                         const char *path, const char *below_folder, Error *error)
{
    char below[FILE_PATH_SIZE];
    Error ignored = {0}; /* a joined path that is too long does not exist */
    const bool joined = below_folder[0] && path[0] != '/' && !file_exists(path) &&
                        file_join(below, below_folder, path, &ignored) == STATUS_OK &&
                        file_exists(below);
    const char *file = joined ? below : path;
    if (file_is_folder(file))
        return walk_sorted(pool, entries, skipped, file, error);
    TRY(append_path(pool, entries, path, path, error));
    DataEntry *entry = &entries->items[entries->count - 1];
    if (joined)
        entry->file = mem_pool_text(pool, file, strlen(file), path, error);
    return entry->file ? STATUS_OK : error->status;
}
