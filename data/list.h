/*
 * list.h - the frames of a data set, from text lists or folders.
 *
 * A list is a text file with one image path a line (CRLF, UTF-8 BOM, missing last newline accepted; blank
 * lines skipped; white space around a path dropped; paths are bytes, not characters). Each path is tried
 * from the working directory, then from the list's folder; if neither exists, once more with backslashes
 * read as slashes. All lists of a set are united, duplicates (the same file after following symbolic
 * links) removed, and sorted bytewise by the path as written. Path from the right: .../SOURCE/VIDEO/FRAME; a
 * source whose name holds "real" in any case is real (0), any other fake (1). A video is the whole path of
 * its folder, symbolic links followed: two spellings of one folder are one video, two folders of the same
 * name are two.
 *
 * A line that begins with "#" and a blank is a comment. "# lnclip: label=real source=NAME" (or label=fake) names
 * source and label of all lines below it in this file, up to the next such line, whatever their paths say: for data
 * sets whose folders do not follow the layout.
 */
#ifndef LNCLIP_DATA_LIST_H
#define LNCLIP_DATA_LIST_H

#include "tensor/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct DataFrame {
    const char *path;     /* as written in the list */
    const char *file;     /* as it can be opened */
    const char *identity; /* absolute path without links; NULL in a list of data_list_paths */
    int label;            /* 0 real, 1 fake */
    int video;            /* index into videos */
    int source;           /* index into sources */
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
 * Reads and unites `lists` [count] paths: each a text list or a folder in the reference layout (all files
 * below it with the suffix of an image and no leading dot; symbolic links are followed, loops cut).
 * STATUS_FAILED for: missing or unreadable files (all are counted, the first ten named as details of
 * *error), a list without a path, a path too short to name source and video, a video, a file or a source with
 * two labels, a header line of another form, a line longer than a path can be, and files that are no text
 * (UTF-16, zero bytes). *list is owned by the caller and freed with data_list_free; it is empty on failure.
 * Thread-safe.
 */
Status data_list_read(DataList *list, const char *const *lists, int count, Error *error);

/*
 * Plain image paths and folders for predict and features: files in the order given, the images below a
 * folder in bytewise order of their paths. label is 0, video and source are -1, and there are no tables.
 * Missing files are kept (reading them reports it), duplicates too. STATUS_FAILED for a folder without
 * images.
 */
Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error);

/* Frees what the list owns and empties it. An empty list is allowed. */
void data_list_free(DataList *list);

/*
 * Which of n frames is the j-th of `kept` spread evenly over them: floor(linspace(0, n-1, kept)) as NumPy computes
 * it. 0 <= j < kept <= n.
 */
int data_list_spread(int j, int kept, int n);

/* Keeps at most `frames` frames of each video, spread evenly by data_list_spread. 0 keeps all. Cannot fail. */
void data_list_limit_frames(DataList *list, int frames);

/*
 * Keeps the videos with keep[video], [video_count]; the others go, and sources that have no frame left.
 * Cannot fail.
 */
void data_list_keep_videos(DataList *list, const bool *keep);

/*
 * Keeps whole videos of at most `frames` frames in all (0, or a list that is no longer: everything), as many
 * real as fake frames and as many of every source of a class as the list allows, and of each source videos
 * spread evenly over the list. A pure function of the list. STATUS_FAILED, and nothing changed, without
 * memory or if one of two classes would vanish.
 */
Status data_list_limit_videos(DataList *list, int frames, Error *error);

/* Number of real [0] and fake [1] frames and videos. */
void data_list_counts(const DataList *list, int frames[2], int videos[2]);

/*
 * XXH3-128 over paths and labels in order, 32 hexadecimal digits and a zero: proves two runs used the same
 * frames.
 */
void data_list_hash(const DataList *list, char out[33]);

/* What lists of two sets share: number of files (by identity) that are in both. */
int data_list_overlap(const DataList *a, const DataList *b);

#endif
