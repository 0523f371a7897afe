/*
 * file.h - whole-file input and atomic output.
 *
 * Functions that take an Error return STATUS_FAILED for every failure, with a message that names
 * the path. They may be called from any thread; state is kept of mappings alone.
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
 * Reads a whole file into memory the caller frees with free(). A zero byte is appended that *size
 * does not count. STATUS_FAILED if it cannot be read, is no regular file, or is larger than `limit`
 * bytes.
 */
Status file_read(const char *path, size_t limit, char **content, size_t *size, Error *error);

/*
 * Read-only mapping of a whole regular file. If another process shortens the file while it is
 * mapped, touching the lost part raises SIGBUS, which would kill the process. The first file_map
 * installs a handler that puts zeros there instead and remembers the file: whoever computes with
 * mapped numbers asks file_check_mappings before the result is used. A fault anywhere else goes to
 * the handler of before. Writers that replace a file by renaming, as file_commit does, never cause
 * it, for the mapping keeps the old file.
 */
typedef struct FileMap {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;
} FileMap;

/* Maps `path` into *map, which the caller hands to file_unmap. On failure *map is empty. */
Status file_map(const char *path, FileMap *map, Error *error);

/* Ends the mapping and empties *map. An empty one is allowed. */
void file_unmap(FileMap *map);

/*
 * STATUS_FAILED, naming the file, if part of a mapped file was lost since the process began: what
 * was computed from it is worthless. Costs one load.
 */
Status file_check_mappings(Error *error);

/*
 * Lets the whole pages of data [bytes], a part of a mapping, go from memory: what is read there
 * later comes from the file again. Pages shared with what lies beside stay.
 */
void file_release_pages(const void *data, size_t bytes);

/*
 * A file in the making: written beside its target under a temporary name, put in its place by
 * file_commit (flush, fsync, rename, fsync of the folder) and deleted by file_abort. Until then
 * readers see the old file. Write with stdio on `stream`; write errors are found by file_commit.
 */
typedef struct FileWriter {
    FILE *stream;
    char path[FILE_PATH_SIZE];
    char temporary[FILE_PATH_SIZE];
} FileWriter;

/*
 * Starts a file. An existing target that is no regular file (a device, a folder) is refused. On
 * success the caller ends it with file_commit or file_abort; on failure there is nothing to end.
 */
Status file_begin(FileWriter *writer, const char *path, Error *error);

/*
 * Removes what killed processes left of earlier writes of `path`: PATH.tmp-PID beside it, as
 * file_begin calls it, if no process has that number and nobody holds the lock that every writer
 * takes, for on a shared disk the process may be one of another machine. Reads the whole folder, so
 * that it is for large files that are written again (safetensors_write). What cannot be removed
 * stays.
 */
void file_remove_leftovers(const char *path);

/*
 * Removes a file, or a folder with all it holds; symbolic links are removed, never followed. 0, or
 * the errno of the first entry that cannot be removed: ENOENT if there is nothing. Thread-safe.
 */
int file_remove_tree(const char *path);

/* Puts the file in its place. On failure the old file stands and the temporary one is gone. */
Status file_commit(FileWriter *writer, Error *error);

/* Drops what was written. Does nothing after file_commit. */
void file_abort(FileWriter *writer);

/* Writes `size` bytes atomically: begin, write, commit. */
Status file_write(const char *path, const void *content, size_t size, Error *error);

/*
 * A folder that gets its name only when all of it is written: files go into `temporary`,
 * PATH.tmp-PID next to the target. A process killed at any moment leaves either no folder, the
 * complete old one, or the complete new one; what it left next to it is removed when the same
 * folder is written again.
 */
typedef struct FolderWriter {
    char path[FILE_PATH_SIZE]; /* symbolic links resolved where the folder exists */
    char temporary[FILE_PATH_SIZE];
    int lock;      /* a descriptor of `temporary`; -1 after the end */
    bool in_place; /* `path` is the working directory */
} FolderWriter;

/*
 * Starts the folder `path`, and makes its parents. On success the caller ends it with
 * file_folder_commit or file_folder_abort; on failure nothing is left.
 */
Status file_folder_begin(FolderWriter *writer, const char *path, Error *error);

/*
 * Gives the folder its name by one rename. A folder that is there is replaced whole, with
 * everything in it, by RENAME_EXCHANGE; where the file system has none, the old one is PATH.before
 * for a moment, and comes back with the next file_folder_begin if the process is killed then. The
 * working directory and mount points stay: their entries are replaced one by one. On failure the
 * old folder stays and the new one is removed.
 */
Status file_folder_commit(FolderWriter *writer, Error *error);

/* Removes what was written. Does nothing after file_folder_commit. */
void file_folder_abort(FolderWriter *writer);

/* Whether nothing is at `path`, or a folder without any entry. */
bool file_folder_is_empty(const char *path);

/* What became of an attempt to lock a file or folder. */
typedef enum FileLock {
    FILE_LOCK_TAKEN,       /* until the descriptor is closed or the process ends */
    FILE_LOCK_BUSY,        /* another process holds it */
    FILE_LOCK_UNSUPPORTED, /* by this file system or kernel: continue without a lock, and say so */
} FileLock;

/* Locks an open file or folder for this process alone, without waiting. */
FileLock file_lock(int descriptor);

/*
 * A number for the state of the file at `path` (symbolic links followed): its size and the times,
 * in nanoseconds, of its last change of content and of anything else. Another one when the file was
 * written to or replaced, even by one of the same size and modification time; 0 if there is none.
 * Reads no content.
 */
uint64_t file_stamp(const char *path);

/* XXH3 of the content, never 0; 0 if the file cannot be read. */
uint64_t file_content_hash(const char *path);

/* Creates a folder and its parents; an existing folder is fine. */
Status file_make_folders(const char *path, Error *error);

/* Whether anything, or a folder, is there (symbolic links followed). */
bool file_exists(const char *path);
bool file_is_folder(const char *path);

/* folder/name into `out`; STATUS_FAILED if longer than FILE_PATH_SIZE. name may be absolute: then
 * itself. */
Status file_join(char out[FILE_PATH_SIZE], const char *folder, const char *name, Error *error);

/* The part after the last slash; the path itself if there is none. Borrowed from `path`. */
const char *file_name(const char *path);

#endif
