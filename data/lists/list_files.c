/*
 * list_files.c - see list_files.h.
 *
 * Files are read by pread, never mapped: a disk that fails must be an error, not a signal. The threads are
 * there for the waiting: most of the time goes into opening small files.
 */
#include "data/lists/list_files_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY /* for a hash state on the stack */
#include <xxhash.h>

enum { BLOCK_BYTES = 4096, READ_BYTES = 65536 };

static Status cannot_read(const char *path, const char *reason, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be read (%s); check the file, or take it from the list", path,
                     reason);
}

static Status find_size(const char *path, DataFileKey *key, Error *error)
{
    struct stat info;
    *key = (DataFileKey){0};
    if (stat(path, &info) != 0)
        return cannot_read(path, strerror(errno), error);
    if (!S_ISREG(info.st_mode))
        return cannot_read(path, "no regular file", error);
    key->size = info.st_size;
    return STATUS_OK;
}

/* Hashes `length` bytes from `offset` on. */
static Status hash_range(const char *path, int descriptor, int64_t offset, int64_t length,
                         DataFileKey *key, Error *error)
{
    char buffer[READ_BYTES];
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (int64_t done = 0; done < length;) {
        const int64_t rest = length - done;
        const size_t wanted = (size_t)(rest < READ_BYTES ? rest : READ_BYTES);
        const ssize_t got = pread(descriptor, buffer, wanted, offset + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return cannot_read(path, got < 0 ? strerror(errno) : "it became shorter", error);
        XXH3_128bits_update(&state, buffer, (size_t)got);
        done += got;
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    key->high = hash.high64;
    key->low = hash.low64;
    return STATUS_OK;
}

Status data_file_key(const char *path, DataFilePart part, DataFileKey *key, Error *error)
{
    if (part == DATA_FILE_SIZE)
        return find_size(path, key, error);
    if (part == DATA_FILE_WHOLE && key->size <= BLOCK_BYTES)
        return STATUS_OK;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return cannot_read(path, strerror(errno), error);
    const bool block = part == DATA_FILE_BLOCK && key->size > BLOCK_BYTES;
    const int64_t length = block ? BLOCK_BYTES : key->size;
    /* From where a page begins: one read, of one page. */
    const int64_t offset = block ? key->size / 2 / BLOCK_BYTES * BLOCK_BYTES : 0;
    const int64_t after = key->size - offset;
    const Status status =
        hash_range(path, descriptor, offset, after < length ? after : length, key, error);
    close(descriptor);
    return status;
}

int data_file_key_compare(const DataFileKey *a, const DataFileKey *b)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    return (a->low > b->low) - (a->low < b->low);
}

/* ---- many files ------------------------------------------------------------------------------ */

enum { CHUNK = 64 };

typedef struct Visits {
    DataFilesVisit *visit;
    void *context;
    size_t count;
    unsigned char *failed; /* [count] */
} Visits;

static void visit_chunk(void *context, int task, int worker)
{
    const Visits *const visits = context;
    (void)worker;
    const size_t begin = (size_t)task * CHUNK;
    Error unused = {0};
    for (size_t i = begin; i < begin + CHUNK && i < visits->count; i++)
        visits->failed[i] = visits->visit(visits->context, i, &unused) != STATUS_OK;
}

/* Visits the first that failed once more, in order, for their words; the others are only counted. */
static Status report_failures(const Visits *visits, Error *error)
{
    size_t failures = 0;
    Error one = {0};
    for (size_t i = 0; i < visits->count; i++) {
        if (!visits->failed[i])
            continue;
        if (failures < ERROR_MAX_DETAILS && visits->visit(visits->context, i, &one) == STATUS_OK)
            continue; /* it can be read now */
        error_detail(error, "%s", one.message);
        failures++;
    }
    if (failures == 0)
        return STATUS_OK;
    if (failures == 1) {
        *error = one;
        return one.status;
    }
    return error_set(error, STATUS_FAILED,
                     "lists: %zu of %zu images cannot be read; copy or extract them again, or take "
                     "them from the lists",
                     failures, visits->count);
}

Status data_files_each(DataFilesVisit *visit, void *context, size_t count, Threads *threads,
                       Error *error)
{
    assert(visit && count <= INT32_MAX);
    Visits visits = {visit, context, count, calloc(count + 1, 1)};
    if (!visits.failed)
        return error_set(error, STATUS_FAILED, "comparing lists: no memory; close other programs");
    threads_run(threads, (int)((count + CHUNK - 1) / CHUNK), visit_chunk, &visits);
    const Status status = report_failures(&visits, error);
    free(visits.failed);
    return status;
}
