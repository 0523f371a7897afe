/*
 * list.h - the frames of a data set, from text lists or folders.
 *
 * A list is a text file with one image path a line (CRLF, BOM, missing last newline accepted; blank
 * lines skipped). Each path is tried from the working directory, then from the list's folder. All lists of a
 * set are united, duplicates (the same resolved file) removed, and sorted bytewise by the path as
 * written. Path from the right: .../SOURCE/VIDEO/FRAME; a source whose name holds "real" in any case is
 * real (0), any other fake (1). A video is the whole path of its folder.
 */
#ifndef LNCLIP_DATA_LIST_H
#define LNCLIP_DATA_LIST_H

#include "tensor/error.h"

#include <stdint.h>

typedef struct DataFrame {
    const char *path; /* as written in the list */
    const char *file; /* as it can be opened */
    int label;        /* 0 real, 1 fake */
    int video;        /* index into videos */
    int source;       /* index into sources */
} DataFrame;

typedef struct DataList {
    DataFrame *frames; /* [count], sorted bytewise by path */
    int count;
    const char **videos; /* [video_count] paths of folders, in order of first frame */
    int *video_label;    /* [video_count] */
    int video_count;
    const char **sources; /* [source_count] names, bytewise order */
    int *source_label;    /* [source_count] */
    int source_count;
    int duplicates; /* lines dropped because their file was already there */
    void *memory;   /* owns all the above */
} DataList;

/*
 * Reads and unites `lists` [count] paths: each a text list or a folder in the reference layout (walked in
 * bytewise order, images by suffix). Checks that every file exists and is readable: STATUS_FAILED counts
 * all missing ones and names the first ten. An empty set, a path too short to name source and video, and
 * a video with two labels are errors. *list is owned by the caller; data_list_free.
 */
Status data_list_read(DataList *list, const char *const *lists, int count, Error *error);

/*
 * Plain image paths and folders for predict and features: files in the order given, folders walked in
 * bytewise sorted order. label, video and source are 0/-1. Missing files are kept (reading reports them).
 */
Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error);

void data_list_free(DataList *list);

/*
 * Keeps at most `frames` frames of each video, spread evenly: positions floor(linspace(0, n-1, frames)).
 * 0 keeps all.
 */
void data_list_limit_frames(DataList *list, int frames);

/* Number of real and fake frames and videos. */
void data_list_counts(const DataList *list, int frames[2], int videos[2]);

/* XXH3-128 over paths and labels in order, 32 hexadecimal digits and a zero: proves two runs used the same frames. */
void data_list_hash(const DataList *list, char out[33]);

/* What lists of two sets share, by path of the file: number of common files. */
int data_list_overlap(const DataList *a, const DataList *b);

#endif
