/*
 * list_collect.h - the entries of one list, before they are united; private to data/.
 */
#ifndef LNCLIP_DATA_LIST_COLLECT_H
#define LNCLIP_DATA_LIST_COLLECT_H

#include "tensor/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Memory that lives as long as the list: blocks that are never moved. {0} is empty. */
typedef struct DataPool {
    struct DataPoolBlock *blocks;
    size_t used, size; /* of the newest block */
} DataPool;

/* `size` bytes, aligned for any type, or NULL. */
void *data_pool_allocate(DataPool *pool, size_t size);

/* A copy of text[0..length) with a terminator, or NULL. */
const char *data_pool_text(DataPool *pool, const char *text, size_t length);

void data_pool_free(DataPool *pool);

/* One line of a list, or one file of a folder. All strings are in the pool. */
typedef struct DataEntry {
    const char *path, *file, *identity; /* see DataFrame */
    const char *folder;                 /* of the file, without symbolic links: names the video */
    const char *source;
    int label;
} DataEntry;

/* A growing array, by malloc. {0} is empty. */
typedef struct DataEntries {
    DataEntry *items;
    int count, capacity;
} DataEntries;

/*
 * Appends the entries of the text list or folder at `list`. Files that cannot be read are counted in
 * *error as details and left out; anything else that is wrong fails at once.
 */
Status data_collect_list(DataPool *pool, DataEntries *entries, const char *list, Error *error);

/*
 * Appends `path`, or the images below it if it is a folder, bytewise sorted; only path and file are set.
 */
Status data_collect_path(DataPool *pool, DataEntries *entries, const char *path, Error *error);

/* 0 if the name of a source holds "real" in any case, else 1: the convention of the method's lists. */
int data_source_label(const char *source);

/* Where the third-last part of `path` begins, and its length: 0 if there is none, or it is "." or "..". */
size_t data_path_source(const char *path, const char **source);

/* A folder on the way down from where a walk began: to recognise a loop of symbolic links. */
typedef struct DataAncestor {
    const struct DataAncestor *above; /* NULL at the top */
    dev_t device;
    ino_t inode;
    int depth; /* 0 at the top */
} DataAncestor;

/* The folder of these `facts` below `above`, which may be NULL and must outlive it. */
DataAncestor data_ancestor(const DataAncestor *above, const struct stat *facts);

/* Whether one of the folders above is `here` itself. */
bool data_ancestor_again(const DataAncestor *here);

/* Whether the name ends in the suffix of an image: png, jpg, jpeg, bmp, ppm, pgm in any case. */
bool data_is_image(const char *name);

#endif
