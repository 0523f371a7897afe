/*
 * file.c - see file.h.
 *
 * All files are written through FileWriter, so that a reader never sees half a file, and a full
 * disk never destroys the old one. The order flush, fsync, rename, fsync of the folder makes the
 * name refer to complete contents even after a power cut (POSIX does not order a rename by itself).
 */
#include "tensor/base/file.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static Status cannot_read(const char *path, int reason, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be read: %s; check the path and its permissions", path,
                     strerror(reason));
}

/* Opens a regular file and fills *facts. Returns the descriptor, or -1 with *error set. */
static int open_regular(const char *path, struct stat *facts, Error *error)
{
    /* O_NONBLOCK: opening a named pipe without a writer must not block. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        cannot_read(path, errno, error);
        return -1;
    }
    if (fstat(descriptor, facts) != 0) {
        cannot_read(path, errno, error);
    } else if (S_ISDIR(facts->st_mode)) {
        error_set(error, STATUS_FAILED, "%s: is a folder; name a file", path);
    } else if (!S_ISREG(facts->st_mode)) {
        error_set(error, STATUS_FAILED, "%s: is not a regular file; copy its contents to one",
                  path);
    } else {
        return descriptor;
    }
    close(descriptor);
    return -1;
}

/* Reads exactly `size` bytes, the size of the file when it was opened; fewer is an error. */
static Status read_fully(int descriptor, const char *path, char *target, size_t size, Error *error)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(descriptor, target + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cannot_read(path, errno, error);
        if (got == 0)
            return error_set(error, STATUS_FAILED,
                             "%s: shrank while being read; wait until it is complete", path);
        done += (size_t)got;
    }
    return STATUS_OK;
}

Status file_read(const char *path, size_t limit, char **content, size_t *size, Error *error)
{
    assert(path && content && size && error);
    *content = NULL;
    *size = 0;
    struct stat facts;
    const int descriptor = open_regular(path, &facts, error);
    if (descriptor < 0)
        return STATUS_FAILED;

    Status status = STATUS_OK;
    const size_t length = (size_t)facts.st_size;
    char *buffer = NULL;
    if (length > limit)
        status = error_set(error, STATUS_FAILED,
                           "%s: has %zu bytes, more than the %zu allowed here; "
                           "check that it is the right file",
                           path, length, limit);
    else if (!(buffer = malloc(length + 1)))
        status = mem_full(length, path, error);
    else
        status = read_fully(descriptor, path, buffer, length, error);
    close(descriptor);
    if (status != STATUS_OK) {
        free(buffer);
        return status;
    }
    buffer[length] = '\0';
    *content = buffer;
    *size = length;
    return STATUS_OK;
}

/*
 * The mappings, for the handler of SIGBUS: a list that only grows, and whose nodes are reused. A
 * node is free while begin is 0. The node of a file that shrank is never reused.
 */
typedef struct Mapping {
    struct Mapping *next;
    _Atomic uintptr_t begin;
    size_t size;
    char *path;
} Mapping;

static _Atomic(Mapping *) mappings;
static _Atomic(const Mapping *) shrunk; /* the first mapping of which a part was lost */
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handler_once = PTHREAD_ONCE_INIT;
static struct sigaction handler_before;
static uintptr_t page_size;

/*
 * Maps zeros from the faulting page to the end of its mapping: everything after that page is beyond
 * the end of the file too. mmap is a plain system call, which is safe in a signal handler.
 */
static void replace_lost_pages(int number, siginfo_t *information, void *context)
{
    (void)context;
    const int kept = errno;
    const uintptr_t at = (uintptr_t)information->si_addr;
    for (const Mapping *m = mappings; m; m = m->next) {
        const uintptr_t begin = m->begin;
        if (begin == 0 || at < begin || at >= begin + m->size)
            continue;
        const uintptr_t page = at / page_size * page_size;
        const void *zeros = mmap((void *)page, begin + m->size - page, PROT_READ,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        if (zeros == MAP_FAILED)
            break;
        const Mapping *none = NULL;
        atomic_compare_exchange_strong(&shrunk, &none, m);
        errno = kept;
        return;
    }
    sigaction(number, &handler_before, NULL); /* the access faults again, for that handler */
    if (information->si_code <= 0)            /* sent by a process, not by an access */
        raise(number);
}

static void install_handler(void)
{
    struct sigaction action = {.sa_sigaction = replace_lost_pages, .sa_flags = SA_SIGINFO};
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &handler_before);
}

/* False if out of memory. */
static bool remember_mapping(const char *path, const FileMap *map)
{
    pthread_once(&handler_once, install_handler);
    char *copy = strdup(path);
    pthread_mutex_lock(&mappings_lock);
    Mapping *node = mappings;
    while (node && (node->begin != 0 || node == shrunk))
        node = node->next;
    const bool is_new = !node;
    if (is_new && copy)
        node = calloc(1, sizeof *node);
    if (copy && node) {
        free(node->path);
        node->path = copy;
        node->size = map->size;
        node->begin = (uintptr_t)map->data;
        if (is_new) {
            node->next = mappings;
            mappings = node;
        }
    } else {
        free(copy);
    }
    pthread_mutex_unlock(&mappings_lock);
    return copy && node;
}

static void forget_mapping(const FileMap *map)
{
    pthread_mutex_lock(&mappings_lock);
    for (Mapping *node = mappings; node; node = node->next)
        if (node->begin == (uintptr_t)map->data)
            node->begin = 0;
    pthread_mutex_unlock(&mappings_lock);
}

Status file_check_mappings(Error *error)
{
    const Mapping *lost = shrunk;
    if (!lost)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: shrank while in use, so the data read from it are "
                     "invalid; restore the complete file and start again (training: with --resume)",
                     lost->path);
}

Status file_map(const char *path, FileMap *map, Error *error)
{
    assert(path && map && error);
    *map = (FileMap){0};
    struct stat facts;
    const int descriptor = open_regular(path, &facts, error);
    if (descriptor < 0)
        return STATUS_FAILED;

    Status status = STATUS_OK;
    if (facts.st_size > 0) {
        const size_t size = (size_t)facts.st_size;
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED)
            status = cannot_read(path, errno, error);
        else
            *map = (FileMap){.data = data, .size = size};
    }
    close(descriptor);
    if (map->data && !remember_mapping(path, map)) {
        munmap((void *)(uintptr_t)map->data, map->size);
        *map = (FileMap){0};
        status = error_set(error, STATUS_FAILED, "%s: out of memory; close other programs", path);
    }
    return status;
}

void file_unmap(FileMap *map)
{
    if (map->data) {
        forget_mapping(map);
        munmap((void *)(uintptr_t)map->data, map->size);
    }
    *map = (FileMap){0};
}

void file_release_pages(const void *data, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (begin < end) /* a failure only keeps the memory in use */
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static Status cannot_write(const char *path, int reason, Error *error)
{
    const char *advice = reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                             ? "free some space or choose another folder"
                             : "check the folder and its permissions";
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be written: %s; %s (the previous file is unchanged)", path,
                     strerror(reason), advice);
}

/*
 * Creates a file and locks it, so that file_remove_leftovers sees that it is being written. A
 * process on another machine may delete it as a leftover before it is locked: then it is created
 * again. Leftovers stay on file systems without locks.
 */
static int create_locked(const char *path)
{
    for (;;) {
        struct stat facts;
        const int descriptor =
            open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (descriptor < 0 || flock(descriptor, LOCK_EX) != 0 || stat(path, &facts) == 0 ||
            errno != ENOENT)
            return descriptor;
        close(descriptor);
    }
}

Status file_begin(FileWriter *writer, const char *path, Error *error)
{
    assert(writer && path && error);
    *writer = (FileWriter){0};
    const int length =
        snprintf(writer->temporary, FILE_PATH_SIZE, "%s.tmp-%ld", path, (long)getpid());
    if (length < 0 || length >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         path);
    memcpy(writer->path, path, strlen(path) + 1);

    /* The rename must not replace a device or a folder. */
    struct stat facts;
    if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
        return error_set(error, STATUS_FAILED,
                         "%s: exists and is not a regular file; choose another name", path);

    /* A file of this name is a leftover of a killed process that had the same process id. */
    unlink(writer->temporary);
    const int descriptor = create_locked(writer->temporary);
    if (descriptor < 0)
        return cannot_write(path, errno, error);
    writer->stream = fdopen(descriptor, "wb");
    if (!writer->stream) {
        const int reason = errno;
        close(descriptor);
        unlink(writer->temporary);
        return cannot_write(path, reason, error);
    }
    return STATUS_OK;
}

/* The folder of a path, with its last slash; "" if it names none. */
static void folder_of(const char *path, char folder[FILE_PATH_SIZE])
{
    const size_t length = (size_t)(file_name(path) - path);
    memcpy(folder, path, length);
    folder[length] = '\0';
}

/* True if `name` is TARGET.tmp-PID (file_begin), and no process has that PID. */
static bool names_leftover(const char *name, const char *target)
{
    static const char mark[] = ".tmp-";
    const size_t length = strlen(target);
    if (strncmp(name, target, length) != 0 || strncmp(name + length, mark, strlen(mark)) != 0)
        return false;
    const char *digits = name + length + strlen(mark);
    const size_t count = strlen(digits);
    if (count == 0 || count > 9 || digits[0] == '0' || strspn(digits, "0123456789") != count)
        return false;
    return kill((pid_t)atoi(digits), 0) != 0 && errno == ESRCH;
}

/*
 * Not every file system has locks: NFS without its daemon, FUSE, Lustre without -o flock, some
 * kernels.
 */
FileLock file_lock(int descriptor)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return FILE_LOCK_TAKEN;
    return errno == EWOULDBLOCK ? FILE_LOCK_BUSY : FILE_LOCK_UNSUPPORTED;
}

uint64_t file_stamp(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return 0;
    const int64_t state[] = {facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec,
                             facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec};
    const uint64_t stamp = XXH3_64bits(state, sizeof state);
    return stamp ? stamp : 1;
}

uint64_t file_content_hash(const char *path)
{
    FILE *stream = fopen(path, "rbe");
    XXH3_state_t *state = stream ? XXH3_createState() : NULL;
    unsigned char block[1 << 14];
    uint64_t hash = 0;
    if (state) {
        XXH3_64bits_reset(state);
        for (size_t got; (got = fread(block, 1, sizeof block, stream)) > 0;)
            XXH3_64bits_update(state, block, got);
        hash = ferror(stream) ? 0 : XXH3_64bits_digest(state) | 1;
    }
    XXH3_freeState(state);
    if (stream)
        fclose(stream);
    return hash;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts, (void)kind, (void)where;
    return remove(path);
}

int file_remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : errno;
}

/* Deletes a regular file, or a folder with its contents, unless another process holds its lock. */
static void remove_unlocked(const char *path, bool folder)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || !(folder ? S_ISDIR(facts.st_mode) : S_ISREG(facts.st_mode)))
        return;
    const int access = folder ? O_RDONLY | O_DIRECTORY : O_WRONLY;
    const int descriptor = open(path, access | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return;
    if (file_lock(descriptor) == FILE_LOCK_TAKEN)
        file_remove_tree(path);
    close(descriptor);
}

static void remove_leftovers(const char *path, bool folders)
{
    assert(path && strlen(path) < FILE_PATH_SIZE);
    char folder[FILE_PATH_SIZE], leftover[FILE_PATH_SIZE];
    Error ignored;
    folder_of(path, folder);
    DIR *list = opendir(folder[0] ? folder : ".");
    if (!list)
        return;
    for (const struct dirent *item; (item = readdir(list));)
        if (names_leftover(item->d_name, file_name(path)) &&
            file_join(leftover, folder, item->d_name, &ignored) == STATUS_OK)
            remove_unlocked(leftover, folders);
    closedir(list);
}

void file_remove_leftovers(const char *path)
{
    remove_leftovers(path, false);
}

/* Makes the rename durable. Errors are ignored, since some file systems cannot sync a folder. */
static void sync_folder_of(const char *path)
{
    char folder[FILE_PATH_SIZE];
    folder_of(path, folder);
    const int descriptor = open(folder[0] ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

Status file_commit(FileWriter *writer, Error *error)
{
    assert(writer && writer->stream && error);
    int reason = 0;
    if (fflush(writer->stream) != 0)
        reason = errno;
    /*
     * The stream records that an earlier write failed, but not why. The file is lost anyway, so one
     * more byte is written to get the reason.
     */
    else if (ferror(writer->stream))
        reason = write(fileno(writer->stream), "", 1) < 0 ? errno : EIO;
    if (reason == 0 && fsync(fileno(writer->stream)) != 0)
        reason = errno;
    /* A second descriptor keeps the lock of create_locked until the rename. */
    const int lock = fcntl(fileno(writer->stream), F_DUPFD_CLOEXEC, 0);
    if (fclose(writer->stream) != 0 && reason == 0)
        reason = errno;
    writer->stream = NULL;
    if (reason == 0 && rename(writer->temporary, writer->path) != 0)
        reason = errno;
    if (lock >= 0)
        close(lock);
    if (reason != 0) {
        unlink(writer->temporary);
        return cannot_write(writer->path, reason, error);
    }
    sync_folder_of(writer->path);
    return STATUS_OK;
}

void file_abort(FileWriter *writer)
{
    if (!writer->stream)
        return;
    fclose(writer->stream);
    writer->stream = NULL;
    unlink(writer->temporary);
}

Status file_write(const char *path, const void *content, size_t size, Error *error)
{
    FileWriter writer;
    TRY(file_begin(&writer, path, error));
    if (size > 0)
        (void)fwrite(content, 1, size, writer.stream); /* file_commit sees a failure */
    return file_commit(&writer, error);
}

Status file_make_folders(const char *path, Error *error)
{
    assert(path && error);
    char prefix[FILE_PATH_SIZE];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof prefix)
        return error_set(error, STATUS_FAILED,
                         "%.200s: empty or too long for a folder; use another path", path);
    memcpy(prefix, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (prefix[i] != '/' && prefix[i] != '\0')
            continue;
        const char kept = prefix[i];
        prefix[i] = '\0';
        const int reason = mkdir(prefix, 0777) == 0 ? 0 : errno;
        /*
         * Systems differ in the errno for an existing folder on a read-only disk, so its existence
         * is checked.
         */
        if (reason != 0 && !file_is_folder(prefix))
            return error_set(error, STATUS_FAILED,
                             "%s: the folder cannot be created: %s; choose another place", prefix,
                             strerror(reason));
        prefix[i] = kept;
    }
    return STATUS_OK;
}

bool file_folder_is_empty(const char *path)
{
    DIR *list = opendir(path);
    if (!list)
        return !file_exists(path);
    bool empty = true;
    for (const struct dirent *item; empty && (item = readdir(list));)
        empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
    closedir(list);
    return empty;
}

/* PATH.before: the temporary name of the old folder on file systems without RENAME_EXCHANGE. */
static Status path_before(char out[FILE_PATH_SIZE], const char *path, Error *error)
{
    if (snprintf(out, FILE_PATH_SIZE, "%s.before", path) >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         path);
    return STATUS_OK;
}

Status file_folder_begin(FolderWriter *writer, const char *path, Error *error)
{
    assert(writer && path && error);
    *writer = (FolderWriter){.lock = -1};
    char before[FILE_PATH_SIZE], parent[FILE_PATH_SIZE], *here = NULL;
    TRY(file_join(writer->path, "", path, error));
    for (size_t n = strlen(writer->path); n > 1 && writer->path[n - 1] == '/'; n--)
        writer->path[n - 1] = '\0';
    TRY(path_before(before, writer->path, error));
    /* Restores the old folder if a process was killed between the two renames of replace_in_two. */
    if (!file_exists(writer->path) && file_is_folder(before))
        (void)rename(before, writer->path);
    if (file_exists(writer->path)) {
        char *resolved = realpath(writer->path, NULL);
        here = getcwd(NULL, 0);
        Status status = STATUS_OK;
        if (!resolved || !file_is_folder(resolved))
            status = error_set(error, STATUS_FAILED, "%s: is not a folder; choose another name",
                               writer->path);
        else
            status = file_join(writer->path, "", resolved, error);
        writer->in_place = here && resolved && strcmp(here, resolved) == 0;
        free(here);
        free(resolved);
        TRY(status);
    }
    folder_of(writer->path, parent);
    if (parent[0])
        TRY(file_make_folders(parent, error));
    remove_leftovers(writer->path, true);
    if (snprintf(writer->temporary, FILE_PATH_SIZE, "%s.tmp-%ld", writer->path, (long)getpid()) >=
        FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         path);
    file_remove_tree(writer->temporary); /* left by an earlier process of the same id */
    if (mkdir(writer->temporary, 0777) != 0)
        return cannot_write(path, errno, error);
    writer->lock = open(writer->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (writer->lock < 0) {
        const int reason = errno;
        file_remove_tree(writer->temporary);
        return cannot_write(path, reason, error);
    }
    (void)file_lock(writer->lock);
    return STATUS_OK;
}

/*
 * Replaces the folder by two renames. Returns 0, or the errno of a failure, after which the old
 * folder is restored.
 */
static int replace_in_two(const FolderWriter *writer)
{
    char before[FILE_PATH_SIZE];
    Error ignored;
    if (path_before(before, writer->path, &ignored) != STATUS_OK)
        return ENAMETOOLONG;
    file_remove_tree(before);
    if (rename(writer->path, before) != 0)
        return errno;
    if (rename(writer->temporary, writer->path) != 0) {
        const int reason = errno;
        (void)rename(before, writer->path);
        return reason;
    }
    file_remove_tree(before);
    return 0;
}

/* Removes the entries of `folder` that are not in `kept`. */
static void remove_others(const char *folder, const char *kept)
{
    char here[FILE_PATH_SIZE], there[FILE_PATH_SIZE];
    Error ignored;
    DIR *list = opendir(folder);
    for (const struct dirent *item; list && (item = readdir(list));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0 &&
            file_join(here, folder, item->d_name, &ignored) == STATUS_OK &&
            file_join(there, kept, item->d_name, &ignored) == STATUS_OK && !file_exists(there))
            file_remove_tree(here);
    if (list)
        closedir(list);
}

/*
 * Replaces the entries of a folder one by one, for folders that cannot be renamed: the working
 * directory and mount points. Returns 0 or the errno of a failure.
 */
static int replace_entries(const FolderWriter *writer)
{
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
    Error ignored;
    int reason = 0;
    remove_others(writer->path, writer->temporary);
    DIR *list = opendir(writer->temporary);
    if (!list)
        return errno;
    for (const struct dirent *item; reason == 0 && (item = readdir(list));) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        if (file_join(from, writer->temporary, item->d_name, &ignored) != STATUS_OK ||
            file_join(to, writer->path, item->d_name, &ignored) != STATUS_OK)
            reason = ENAMETOOLONG;
        else if (rename(from, to) != 0)
            reason = errno;
        if (reason == ENOTEMPTY || reason == EEXIST) {
            file_remove_tree(to);
            reason = rename(from, to) == 0 ? 0 : errno;
        }
    }
    closedir(list);
    if (reason == 0)
        file_remove_tree(writer->temporary);
    return reason;
}

Status file_folder_commit(FolderWriter *writer, Error *error)
{
    assert(writer && writer->lock >= 0 && error);
    (void)fsync(writer->lock); /* some file systems cannot sync a folder */
    int reason = EBUSY;
    if (!writer->in_place)
        reason = rename(writer->temporary, writer->path) == 0 ? 0 : errno;
    if (reason == EBUSY)
        reason = replace_entries(writer);
    if (reason == ENOTEMPTY || reason == EEXIST) {
        reason = 0;
        if (renameat2(AT_FDCWD, writer->temporary, AT_FDCWD, writer->path, RENAME_EXCHANGE) == 0)
            file_remove_tree(writer->temporary); /* the old folder now */
        else
            reason = errno == EINVAL || errno == ENOSYS ? replace_in_two(writer) : errno;
    }
    if (reason != 0) {
        file_folder_abort(writer);
        return cannot_write(writer->path, reason, error);
    }
    close(writer->lock);
    writer->lock = -1;
    sync_folder_of(writer->path);
    return STATUS_OK;
}

void file_folder_abort(FolderWriter *writer)
{
    if (writer->lock < 0)
        return;
    file_remove_tree(writer->temporary);
    close(writer->lock);
    writer->lock = -1;
}

bool file_exists(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

bool file_is_in(const char *folder, const char *name)
{
    char path[FILE_PATH_SIZE];
    Error error = {0};
    return file_join(path, folder, name, &error) == STATUS_OK && file_exists(path);
}

bool file_is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

Status file_join(char out[FILE_PATH_SIZE], const char *folder, const char *name, Error *error)
{
    const bool alone = name[0] == '/' || folder[0] == '\0';
    const size_t folder_length = alone ? 0 : strlen(folder);
    const bool slash = folder_length > 0 && folder[folder_length - 1] != '/';
    const size_t name_length = strlen(name);
    if (folder_length + slash + name_length >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use shorter names",
                         name);
    /* memmove: `name` may be the tail of `out`. */
    memmove(out + folder_length + slash, name, name_length + 1);
    memmove(out, folder, folder_length);
    if (slash)
        out[folder_length] = '/';
    return STATUS_OK;
}

const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t file_shared_folders(const char *a, const char *b, size_t length)
{
    size_t end = 0;
    for (size_t i = 0; i < length && a[i] && a[i] == b[i]; i++)
        if (a[i] == '/')
            end = i + 1;
    return end;
}
