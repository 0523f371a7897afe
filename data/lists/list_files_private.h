/*
 * list_files_private.h - looking at many files at once, each no further than needed; private to data/.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_FILES_PRIVATE_H
#define LNCLIP_DATA_LISTS_LIST_FILES_PRIVATE_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <stddef.h>
#include <stdint.h>

/* What tells two files apart: their size, and XXH3-128 of a part of them (0 at first). */
typedef struct DataFileKey {
    int64_t size;
    uint64_t high, low;
} DataFileKey;

/* How far a file is looked at. */
typedef enum DataFilePart {
    DATA_FILE_SIZE,  /* its folder entry */
    DATA_FILE_BLOCK, /* 4 KiB from its middle, or all of a smaller one */
    DATA_FILE_WHOLE, /* all of it; for one no larger than the block, *key is right already and stays */
} DataFilePart;

/*
 * Sets what `part` says of *key; for BLOCK and WHOLE key->size must have been found before. STATUS_FAILED if
 * the file cannot be read or is no regular file. Thread-safe.
 */
Status data_file_key(const char *path, DataFilePart part, DataFileKey *key, Error *error);

/* -1, 0 or 1: an order of keys, by size first. */
int data_file_key_compare(const DataFileKey *a, const DataFileKey *b);

/*
 * Calls visit(context, 0..count-1, error) on the threads (NULL: on the caller). All are visited; if any
 * fails, the failures are counted and the first ten of them, in order of index, are details of *error:
 * STATUS_FAILED. One failure alone is reported in its own words.
 */
typedef Status DataFilesVisit(void *context, size_t index, Error *error);
Status data_files_each(DataFilesVisit *visit, void *context, size_t count, Threads *threads,
                       Error *error);

#endif
