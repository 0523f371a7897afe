/*
 * list_compare.h - what the frames of several sets have in common, and how large the images are.
 *
 * A frame that is trained on and tested on flatters the result. It hides under three names: the
 * same file, a copy of it (the same bytes elsewhere), and another frame of the same people (FF++
 * videos are forged from each other in pairs, which the official splits keep together). This file
 * finds all three, and the frames that one set holds twice.
 *
 * Bytes are compared without reading everything: files of different size differ; of equal size, 4
 * KiB from the middle are hashed (XXH3-128); the whole file only where these agree, too. Images are
 * never decoded: what is equal as pixels but saved twice in different ways is not found.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_COMPARE_H
#define LNCLIP_DATA_LISTS_LIST_COMPARE_H

#include "data/lists/list.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stdint.h>

enum { DATA_COMPARE_SETS = 3, DATA_COMPARE_NAMED = 10 };

/* Pairs that are alike. */
typedef struct DataMatches {
    int count; /* frames (or videos) of the second set that have a partner in the first */
    /* Paths of the first of these in the order of the list, borrowed from it. */
    const char *first[DATA_COMPARE_NAMED], *second[DATA_COMPARE_NAMED];
} DataMatches;

/* Of sets a < b, counted in b; of each frame the strongest match alone. */
typedef struct DataOverlap {
    DataMatches files;    /* frames that are one file (symbolic links followed) */
    DataMatches contents; /* other frames of the same bytes */
    DataMatches people;   /* videos that show an FF++ number which videos of a show, too */
} DataOverlap;

typedef struct DataComparison {
    DataOverlap overlap[DATA_COMPARE_SETS][DATA_COMPARE_SETS]; /* [a][b], a < b; others are empty */
    DataMatches duplicates[DATA_COMPARE_SETS];     /* frames with the bytes of an earlier one */
    DataMatches contradictions[DATA_COMPARE_SETS]; /* the same, of which one is real and one fake */
} DataComparison;

/*
 * Compares lists [count], 1 <= count <= DATA_COMPARE_SETS; each as data_list_read made it, and none
 * changed while *comparison is in use. Without `contents` no file is touched: files and people
 * alone. People are compared between sets that both hold videos called NNN_NNN, and between such a
 * set and one of nothing but real videos called NNN (which self-blended fakes are trained on);
 * elsewhere a folder called 003 proves nothing. STATUS_FAILED for files that cannot be read (all
 * counted, the first ten named) and without memory. `threads` may be NULL. The same result whatever
 * their number.
 */
Status data_list_compare(const DataList *const *lists, int count, bool contents, Threads *threads,
                         DataComparison *comparison, Error *error);

/* One image as its header and its folder entry describe it. */
typedef struct DataFrameSize {
    int frame; /* index into list->frames */
    int width, height;
    int64_t bytes; /* of the file */
} DataFrameSize;

/*
 * Sizes of at most `limit` frames of the list, spread evenly over it by data_list_spread; 0 = all.
 * Only headers are read. *sizes [*count] is owned by the caller (free). STATUS_FAILED for images
 * that cannot be read or whose headers are damaged (all counted, the first ten named), and without
 * memory; *sizes is then NULL. `threads` may be NULL.
 */
Status data_list_sizes(const DataList *list, int limit, Threads *threads, DataFrameSize **sizes,
                       int *count, Error *error);

#endif
