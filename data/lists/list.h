/*
 * list.h - the frames of a data set, from text lists or folders.
 *
 * A list is a text file with one image path a line (CRLF, UTF-8 BOM, missing last newline accepted;
 * blank lines skipped; white space around a path dropped; paths are bytes, not characters). Each
 * path is tried from the working directory, then from the list's folder; if neither exists, once
 * more with backslashes read as slashes. All lists of a set are united, a frame that is named twice
 * (the same name in the same folder, links to folders followed) counts once, and all are sorted
 * bytewise by the path as written. Two names of one file, as links into a content store are, count
 * as two copies of it would.
 *
 * Source, video and label come from the path: see path.h. A video is the whole path of its folder,
 * symbolic links followed: two spellings of one folder are one video, two folders of the same name
 * are two.
 *
 * A line that begins with "#" and a blank is a comment. "# lnclip: label=real source=NAME" (or
 * label=fake) names source and label of all lines below it in this file, up to the next such line,
 * whatever their paths say: for data sets whose folders do not follow the layout. "video=image"
 * before source= makes every image a video of its own, "video=folder" every folder one.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_H
#define LNCLIP_DATA_LISTS_LIST_H

#include "data/lists/path.h"
#include "tensor/base/error.h"

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

/* Files or folders of one kind that were passed over in one folder. */
typedef struct DataSkipped {
    const char *folder; /* the folder that was named, or the first one below it */
    const char
        *what; /* the suffix with its dot, "" without one; the name of folders and system files */
    DataSkip reason;
    bool is_folder;
    int count;
} DataSkipped;

typedef struct DataList {
    DataFrame *frames; /* [count], sorted bytewise by path */
    int count;
    const char **videos; /* [video_count] paths of folders, in order of first frame */
    int *video_label;    /* [video_count] */
    int video_count;
    const char **sources; /* [source_count] names, bytewise order */
    int *source_label;    /* [source_count] */
    const char *
        *source_doubt; /* [source_count] why its label may be wrong, for a warning; or NULL */
    int source_count;
    int duplicates;       /* lines dropped because their file was already there */
    int left_out;         /* frames that data_list_choose_frames and the limits left out */
    DataSkipped *skipped; /* [skipped_count] what lay beside the frames */
    int skipped_count;
    void *memory; /* owns all the above */
} DataList;

/* The label that a user gives a source. */
typedef struct DataSourceLabel {
    const char *source;
    int label; /* 0 real, 1 fake */
    bool used; /* set if a list has such a source; the caller says so if none has */
} DataSourceLabel;

/*
 * Reads and unites `lists` [count] paths: each a text list or a folder in the layouts of path.h
 * (all images below it; what is passed over is in list->skipped; symbolic links are followed, loops
 * cut). STATUS_FAILED for: missing or unreadable files (all are counted, the first ten named as
 * details of *error), a list without a path, a path too short to name source and video, sources
 * whose label is in doubt (all named), a video, a file or a source with two labels, a header line
 * of another form, a line or a path of a folder longer than a path can be, and files that are no
 * text (UTF-16, zero bytes). *list is owned by the caller and freed with data_list_free; it is
 * empty on failure. Thread-safe.
 */
Status data_list_read(DataList *list, const char *const *lists, int count, Error *error);

/* The same; `labels` [label_count] replace what paths and header lines say of these sources. */
Status data_list_read_labelled(DataList *list, const char *const *lists, int count,
                               DataSourceLabel *labels, int label_count, Error *error);

/* "videos/a: 12 .webp files (images of a format ...)": the row in words. */
void data_skipped_describe(const DataSkipped *row, char *text, size_t size);

/*
 * Plain image paths and folders for predict and features: files in the order given, the images
 * below a folder in bytewise order of their paths. label is 0, video and source are -1, and there
 * are no tables. Missing files are kept (reading them reports it), duplicates too. STATUS_FAILED
 * for a folder without images.
 */
Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error);

/* Frees what the list owns and empties it. An empty list is allowed. */
void data_list_free(DataList *list);

/*
 * Which of n frames is the j-th of `kept` spread evenly over them: floor(linspace(0, n-1, kept)) as
 * NumPy computes it. 0 <= j < kept <= n.
 */
int data_list_spread(int j, int kept, int n);

/* Which frames of a video are kept. */
typedef enum DataFrameChoice {
    DATA_FRAMES_EVEN, /* spread evenly by data_list_spread */
    /* Drawn without repetition, a function of seed, video and number of frames alone. */
    DATA_FRAMES_RANDOM
} DataFrameChoice;

/* "even", "random"; NULL past the last. */
const char *data_frame_choice_name(int choice);

/*
 * The one choice of frames: which `kept` of the n frames of `video`, which are in the order of
 * data_path_compare, as ascending positions [kept]. 0 < kept <= n. The video is known by the last
 * two parts of its path, so that a data set that was moved keeps its draws.
 */
void data_list_choose(DataFrameChoice choice, uint64_t seed, const char *video, int n, int kept,
                      int *positions);

/*
 * Keeps at most `frames` frames of each video, 0 all, by data_list_choose over the frames in the
 * order of data_path_compare. The order of the list stays. STATUS_FAILED, and nothing changed,
 * without memory.
 */
Status data_list_choose_frames(DataList *list, int frames, DataFrameChoice choice, uint64_t seed,
                               Error *error);

/*
 * Keeps at most `frames` frames in all (0: everything): of each class its share of the list
 * (rounded, at least one frame of a class that is there), from videos in random order by (seed,
 * position of the video), of which the last one is cut to frames spread evenly over it. A pure
 * function of list and seed. STATUS_FAILED, and nothing changed, without memory, or if `frames` is
 * 1 and there are two classes.
 */
Status data_list_limit_ratio(DataList *list, int frames, uint64_t seed, Error *error);

/* Keeps the frames with keep[i], [count]; videos and sources without one go. Cannot fail. */
void data_list_keep_frames(DataList *list, const bool *keep);

/*
 * Keeps whole videos of at most `frames` frames in all (0, or a list that is no longer:
 * everything), as many real as fake frames and as many of every source of a class as the list
 * allows, and of each source videos spread evenly over the list. A pure function of the list.
 * STATUS_FAILED, and nothing changed, without memory or if one of two classes would vanish.
 */
Status data_list_limit_videos(DataList *list, int frames, Error *error);

/* Number of real [0] and fake [1] frames and videos. */
void data_list_counts(const DataList *list, int frames[2], int videos[2]);

/*
 * XXH3-128 over paths and labels in order, 32 hexadecimal digits and a zero: proves two runs used
 * the same frames.
 */
void data_list_hash(const DataList *list, char out[33]);

/* What lists of two sets share: number of files (by identity) that are in both. */
int data_list_overlap(const DataList *a, const DataList *b);

#endif
