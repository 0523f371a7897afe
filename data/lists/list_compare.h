/*
 * list_compare.h - overlap between the frames of several sets, and the sizes of images.
 *
 * Results on frames that were also used for training are optimistic. Such a frame can be the same
 * file, a copy of it (the same bytes elsewhere), or another frame of the same people (FF++ videos
 * are forged from each other in pairs, which the official splits keep together). This module finds
 * all three, and duplicates within one set.
 *
 * Bytes are compared without reading everything: files of different size differ; of files of equal
 * size, 4 KiB from the middle are hashed (XXH3-128); only if these agree is the entire file hashed.
 * Images are never decoded: equal pixels that were saved differently are not found.
 *
 * Tests: tests/test_list.c.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_COMPARE_H
#define LNCLIP_DATA_LISTS_LIST_COMPARE_H

#include "data/lists/list.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stdint.h>

enum { DATA_COMPARE_SETS = 3, DATA_COMPARE_NAMED = 10 };

/* Pairs of matching frames or videos. */
typedef struct DataMatches {
    int count; /* frames (or videos) of the second set with a partner in the first */
    /* Paths of the first DATA_COMPARE_NAMED pairs, in list order, borrowed from the lists. */
    const char *first[DATA_COMPARE_NAMED], *second[DATA_COMPARE_NAMED];
} DataMatches;

/* Overlap of sets a < b, counted in b; each frame counts once, with its strongest match. */
typedef struct DataOverlap {
    DataMatches files;    /* the same file (symbolic links followed) */
    DataMatches contents; /* other frames with the same bytes */
    DataMatches people;   /* videos with an FF++ number that a video of set a has, too */
} DataOverlap;

typedef struct DataComparison {
    /* [a][b], a < b; the others are empty */
    DataOverlap overlap[DATA_COMPARE_SETS][DATA_COMPARE_SETS];
    DataMatches duplicates[DATA_COMPARE_SETS]; /* frames with the same bytes as an earlier one */
    DataMatches contradictions[DATA_COMPARE_SETS]; /* the same, but one is real and one is fake */
} DataComparison;

/*
 * Compares lists [count], 1 <= count <= DATA_COMPARE_SETS, each made by data_list_read and
 * unchanged while *comparison is in use. Without `contents` no file is read: only files and people
 * are compared. People are compared between sets that both contain videos named NNN_NNN, and
 * between such a set and one of only real videos named NNN (the training set of self-blended
 * fakes); elsewhere a folder named 003 proves nothing. STATUS_FAILED for unreadable files (all
 * counted, the first ten named) and when out of memory. `threads` may be NULL; the result does not
 * depend on it.
 */
Status data_list_compare(const DataList *const *lists, int count, bool contents, Threads *threads,
                         DataComparison *comparison, Error *error);

/* The size of one image, from its header and its directory entry. */
typedef struct DataFrameSize {
    int frame; /* index into list->frames */
    int width, height;
    int64_t bytes; /* size of the file */
} DataFrameSize;

/*
 * Reads the sizes of at most `limit` frames (0 = all), spread evenly over the list by
 * data_list_spread. Only headers are read. *sizes [*count] is owned by the caller (free).
 * STATUS_FAILED for images that cannot be read or have damaged headers (all counted, the first ten
 * named), and when out of memory; *sizes is then NULL. `threads` may be NULL.
 */
Status data_list_sizes(const DataList *list, int limit, Threads *threads, DataFrameSize **sizes,
                       int *count, Error *error);

#endif
