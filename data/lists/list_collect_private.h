/*
 * list_collect_private.h - the entries of one list, before lists are united; private to data/.
 *
 * Tests: tests/test_sets_folder.c.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_COLLECT_PRIVATE_H
#define LNCLIP_DATA_LISTS_LIST_COLLECT_PRIVATE_H

#include "data/lists/list.h"
#include "tensor/base/error.h"
#include "tensor/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One line of a list, or one file of a folder. All strings are in the pool. */
typedef struct DataEntry {
    const char *path, *file, *identity; /* see DataFrame */
    const char *folder;                 /* resolved folder of the file: names the video */
    const char *location;               /* folder and name: two links to one file are two frames */
    const char *source;
    const char *video; /* SOURCE/NAME if a header line or a table names the video; else NULL */
    const char *doubt; /* see DataLabel; NULL after a header line */
    int label;         /* -1 unknown */
    bool own_video;    /* the image is its own video */
    bool above;        /* a folder above the source gave the label */
} DataEntry;

/* A growing array; free(items). {0} is empty. */
typedef struct DataEntries {
    DataEntry *items;
    int count;
    size_t capacity;
} DataEntries;

/* The skipped files; free(items). {0} is empty. */
typedef struct DataSkippedFiles {
    DataSkipped *items;
    int count;
    size_t capacity;
} DataSkippedFiles;

/* True if `path` does not exist, but a path that differs from it only in Unicode normalisation. */
bool data_list_has_twin(const char *path);

/* Writes " video-name=NAME" for a header line, blanks and control characters as %XX. */
void data_list_write_video_name(FILE *stream, const char *name);

/*
 * Counts a skipped file or folder `name` in `folder`. A row names only the first folder below the
 * first `top` bytes of `folder`. STATUS_FAILED when out of memory.
 */
Status data_skipped_add(DataSkippedFiles *skipped, MemPool *pool, const char *folder, size_t top,
                        const char *name, bool is_folder, Error *error);

/* What is collected from the lists of one set. */
typedef struct DataCollection {
    MemPool *pool;
    DataSplit split; /* what the set is for: it chooses the rows of a table; DATA_SPLITS: all */
    DataEntries entries;
    DataSkippedFiles *skipped;
    DataNote *notes; /* [note_count] free() */
    int note_count;
    size_t note_capacity;
} DataCollection;

/*
 * Appends the entries of `list`, in any of the forms of data_list_read. Unreadable files are
 * counted as details of *error and omitted; any other problem gives STATUS_FAILED at once.
 */
Status data_collect_list(DataCollection *collection, const char *list, Error *error);

/* Adds a note (printf format). STATUS_FAILED when out of memory. */
Status data_collect_note(DataCollection *collection, bool warning, Error *error, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));

/*
 * Appends the frames of collection->split of a JSON file of DeepfakeBench. STATUS_FAILED for
 * another file, or if none of its frames is found. Defined in data/sets.
 */
Status data_collect_json(DataCollection *collection, const char *file, Error *error);

/* Appends one frame whose source, label and video are known; its absolute path may not exist. */
Status data_collect_frame(DataCollection *collection, const char *list, const char *path,
                          const char *source, int label, Error *error);

/*
 * Appends `path`, or, if it is a folder, the images below it in bytewise order. If it does not
 * exist, below_folder/path is tried, too, unless below_folder is "". Sets only path and file of
 * each entry. STATUS_FAILED if a folder cannot be read or when out of memory.
 */
Status data_collect_path(MemPool *pool, DataEntries *entries, DataSkippedFiles *skipped,
                         const char *path, const char *below_folder, Error *error);

#endif
