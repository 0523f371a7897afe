/*
 * list_collect_private.h - the entries of one list, before they are united; private to data/.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_COLLECT_PRIVATE_H
#define LNCLIP_DATA_LISTS_LIST_COLLECT_PRIVATE_H

#include "data/lists/list.h"
#include "tensor/base/error.h"
#include "tensor/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* One line of a list, or one file of a folder. All strings are in the pool. */
typedef struct DataEntry {
    const char *path, *file, *identity; /* see DataFrame */
    const char *folder;                 /* of the file, without symbolic links: names the video */
    const char *location; /* folder and name: two names of one linked file are two frames */
    const char *source;
    const char *doubt; /* see DataLabel; NULL below a header line */
    int label;         /* -1 in doubt */
    bool own_video;    /* a video by itself */
    bool above;        /* the label is that of a folder above the source */
} DataEntry;

/* A growing array, by malloc. {0} is empty. */
typedef struct DataEntries {
    DataEntry *items;
    int count;
    size_t capacity;
} DataEntries;

/* What was passed over, by malloc. {0} is empty. */
typedef struct DataSkippedFiles {
    DataSkipped *items;
    int count;
    size_t capacity;
} DataSkippedFiles;

/*
 * Counts one file or folder `name` that was passed over in `folder`, of which the part below `top`
 * bytes that names its first folder is kept. STATUS_FAILED without memory.
 */
Status data_skipped_add(DataSkippedFiles *skipped, MemPool *pool, const char *folder, size_t top,
                        const char *name, bool is_folder, Error *error);

/*
 * Appends the entries of the text list or folder at `list`. Files that cannot be read are counted
 * in *error as details and left out; anything else that is wrong fails at once.
 */
Status data_collect_list(MemPool *pool, DataEntries *entries, DataSkippedFiles *skipped,
                         const char *list, Error *error);

/*
 * Appends `path`, or the images below it if it is a folder, bytewise sorted; only path and file are
 * set.
 */
Status data_collect_path(MemPool *pool, DataEntries *entries, DataSkippedFiles *skipped,
                         const char *path, Error *error);

#endif
