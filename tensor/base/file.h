/*
 * file.h - whole-file input and atomic output.
 *
 * Functions that take an Error return STATUS_FAILED for every failure, with a message that names
 * the path. All are thread-safe; only mappings are recorded globally.
 *
 * Tests: tests/test_file.c.
 */
#ifndef LNCLIP_TENSOR_BASE_FILE_H
#define LNCLIP_TENSOR_BASE_FILE_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FILE_PATH_SIZE = 4096 }; /* longest path handled, with its terminator: PATH_MAX of Linux */

/*
 * Reads a whole file into memory that the caller frees with free(). Appends a zero byte, which
 * *size does not count. STATUS_FAILED if it cannot be read, is not a regular file, or is larger
 * than `limit` bytes.
 */
Status file_read(const char *path, size_t limit, char **content, size_t *size, Error *error);

/*
 * Read-only mapping of a whole regular file. If another process shortens the file while it is
 * mapped, touching the lost part raises SIGBUS, which would kill the process. The first file_map
 * installs a handler that maps zeros there instead and remembers the file: call file_check_mappings
 * before using results computed from mapped data. Other faults go to the previous handler. Writers
 * that replace a file by renaming, as file_commit does, never cause this, since the mapping keeps
 * the old file.
 */
typedef struct FileMap {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
} FileMap;

/* Maps `path` into *map, which the caller frees with file_unmap. On failure *map is empty. */
Status file_map(const char *path, FileMap *map, Error *error);

/* Unmaps and empties *map. An empty *map is allowed. */
void file_unmap(FileMap *map);

/*
 * STATUS_FAILED, naming the file, if a mapped file shrank since the process began, so that results
 * computed from it are invalid. Costs one load.
 */
Status file_check_mappings(Error *error);

/*
 * Releases the memory of the pages that lie entirely in data [bytes], a part of a mapping. A later
 * access reads them from the file again.
 */
void file_release_pages(const void *data, size_t bytes);

/*
 * A file being written: next to its target under a temporary name, renamed by file_commit (flush,
 * fsync, rename, fsync of the folder) or deleted by file_abort. Until then readers see the old
 * file. Write with stdio on `stream`; write errors are found by file_commit.
 */
typedef struct FileWriter {
    FILE *stream;
    char path[FILE_PATH_SIZE];
    char temporary[FILE_PATH_SIZE];
} FileWriter;

/*
 * Starts a file. An existing target that is not a regular file (a device, a folder) is an error. On
 * success the caller ends it with file_commit or file_abort; on failure there is nothing to end.
 */
Status file_begin(FileWriter *writer, const char *path, Error *error);

/*
 * Removes files that killed processes left from earlier writes of `path`: PATH.tmp-PID next to it,
 * if no process has that id and no process holds the writer's lock (on a shared disk the writer may
 * run on another machine). Reads the entire folder, so it is meant for large files that are written
 * repeatedly (safetensors_write). Errors are ignored.
 */
void file_remove_leftovers(const char *path);

/*
 * Removes a file, or a folder with its contents; symbolic links are removed, not followed. Returns
 * 0, or the errno of the first entry that cannot be removed (ENOENT if `path` does not exist).
 * Thread-safe.
 */
int file_remove_tree(const char *path);

/*
 * Renames the file to its target. On failure the old file is unchanged and the temporary one is
 * deleted.
 */
Status file_commit(FileWriter *writer, Error *error);

/* Deletes the temporary file. Does nothing after file_commit. */
void file_abort(FileWriter *writer);

/* Writes `size` bytes atomically: begin, write, commit. */
Status file_write(const char *path, const void *content, size_t size, Error *error);

/*
 * A folder that gets its name only when it is complete: files are written into `temporary`,
 * PATH.tmp-PID next to the target. A process killed at any moment leaves no folder, the complete
 * old one, or the complete new one; its temporary folder is removed when the same folder is written
 * again.
 */
typedef struct FolderWriter {
    char path[FILE_PATH_SIZE]; /* symbolic links resolved where the folder exists */
    char temporary[FILE_PATH_SIZE];
    int lock;      /* a descriptor of `temporary`; -1 after the end */
    bool in_place; /* `path` is the working directory */
} FolderWriter;

/*
 * Starts writing the folder `path`; creates its parents. On success the caller ends it with
 * file_folder_commit or file_folder_abort; on failure there is nothing to end.
 */
Status file_folder_begin(FolderWriter *writer, const char *path, Error *error);

/*
 * Renames the folder to its target. An existing folder is replaced, with its contents, by
 * RENAME_EXCHANGE. On file systems without it the old folder is first renamed to PATH.before; if
 * the process is killed then, the next file_folder_begin restores it. In the working directory and
 * mount points, which cannot be renamed, the entries are replaced one by one. On failure the old
 * folder stays and the new one is removed.
 */
Status file_folder_commit(FolderWriter *writer, Error *error);

/* Deletes the temporary folder. Does nothing after file_folder_commit. */
void file_folder_abort(FolderWriter *writer);

/* True if `path` does not exist or is an empty folder. */
bool file_folder_is_empty(const char *path);

/* The result of an attempt to lock a file or folder. */
typedef enum FileLock {
    FILE_LOCK_TAKEN,       /* until the descriptor is closed or the process ends */
    FILE_LOCK_BUSY,        /* another process holds it */
    FILE_LOCK_UNSUPPORTED, /* not supported here: continue without a lock and report it */
} FileLock;

/* Locks an open file or folder exclusively, without waiting. */
FileLock file_lock(int descriptor);

/*
 * A hash of the size, mtime and ctime (in nanoseconds) of the file at `path`, symbolic links
 * followed. It changes when the file is written or replaced, even by a file of the same size and
 * mtime. 0 if the file does not exist. Does not read the content.
 */
uint64_t file_stamp(const char *path);

/* XXH3 of the content, never 0; 0 if the file cannot be read. */
uint64_t file_content_hash(const char *path);

/* Creates a folder and its parents; an existing folder is not an error. */
Status file_make_folders(const char *path, Error *error);

/* True if `path` exists, or is a folder (symbolic links followed). */
bool file_exists(const char *path);
bool file_is_folder(const char *path);

/* True if folder/name exists. */
bool file_is_in(const char *folder, const char *name);

/*
 * Writes folder/name to `out`, or an absolute `name` itself. STATUS_FAILED if it exceeds
 * FILE_PATH_SIZE.
 */
Status file_join(char out[FILE_PATH_SIZE], const char *folder, const char *name, Error *error);

/* The part after the last slash; the path itself if there is none. Borrowed from `path`. */
const char *file_name(const char *path);

/*
 * Length of the folders that both paths begin with, with the last slash, within the first `length`
 * bytes; 0 if there are none. Cannot fail; thread-safe.
 */
size_t file_shared_folders(const char *a, const char *b, size_t length);

#endif
