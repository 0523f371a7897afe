/*
 * list.h - the frames of a data set, from text lists or folders.
 *
 * A list is a text file with one image path per line. CRLF, a UTF-8 BOM and a missing last newline
 * are accepted; blank lines are skipped, and white space around a path is dropped. Paths are bytes,
 * not characters. Each path is tried from the working directory, then from the list's folder; if
 * neither exists, once more with backslashes read as slashes. All lists of a set are united and
 * sorted bytewise by the path as written. A frame that is named twice (the same name in the same
 * folder, after following links to folders) counts once. Two names of one file, such as links into
 * a content store, count as two frames, as two copies would.
 *
 * Source, video and label come from the path: see path.h. A video is the entire path of its folder
 * with symbolic links resolved: two spellings of one folder are one video, two folders of the same
 * name are two.
 *
 * A line that begins with "#" and a blank is a comment. The header line "# lnclip: label=real
 * source=NAME" (or label=fake) sets source and label of all lines below it in this file, up to the
 * next header line, whatever their paths say: for data sets in other layouts. "video=image" before
 * source= makes every image its own video, "video=folder" every folder one video, and
 * "video-name=NAME" all lines below one video, which is then named SOURCE/NAME.
 *
 * Tests: tests/test_list.c.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_H
#define LNCLIP_DATA_LISTS_LIST_H

#include "data/lists/path.h"
#include "tensor/base/error.h"
#include "tensor/base/hash.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct DataFrame {
    const char *path;     /* as written in the list */
    const char *file;     /* the path to open */
    const char *identity; /* absolute path without links; NULL after data_list_paths */
    int label;            /* 0 real, 1 fake */
    int video;            /* index into videos */
    int source;           /* index into sources */
} DataFrame;

/* Files or folders of one kind that were skipped in one folder. */
typedef struct DataSkipped {
    const char *folder; /* the listed folder, or the first folder below it */
    const char *what;   /* suffix with its dot, "" if none; for folders and system files the name */
    DataSkip reason;
    bool is_folder;
    int count;
} DataSkipped;

/* A sentence for the user. */
typedef struct DataNote {
    const char *text;
    bool warning;
} DataNote;

typedef struct DataList {
    DataFrame *frames; /* [count], sorted bytewise by path */
    int count;
    const char *
        *videos;      /* [video_count] paths of folders, or SOURCE/NAME; in order of first frame */
    int *video_label; /* [video_count] */
    int video_count;
    const char **sources; /* [source_count] names, bytewise order */
    int *source_label;    /* [source_count] */
    const char *
        /* [source_count] reason why the label may be wrong, for a warning; or NULL */
        *source_doubt;
    int source_count;
    int duplicates;       /* lines dropped because the frame was already listed */
    int left_out;         /* frames removed by data_list_choose_frames and the limits */
    DataSkipped *skipped; /* [skipped_count] other files next to the frames */
    int skipped_count;
    DataNote *notes; /* [note_count] how tables and folders were understood */
    int note_count;
    void *memory; /* owns all the above */
} DataList;

/* A label that the user sets for a source. */
typedef struct DataSourceLabel {
    const char *source;
    int label; /* 0 real, 1 fake */
    bool used; /* set to true if a list has this source; the caller reports unused ones */
} DataSourceLabel;

/*
 * Reads and unites lists [count]. Each is one of these, or several joined by commas:
 *
 *   a text list
 *   a folder in the layouts of path.h: all images below it; skipped files are in list->skipped;
 *     symbolic links are followed, loops are detected
 *   a folder without images, of text lists (*.txt), or with a folder train, val or test of them
 *   a pattern of glob(7), of images, lists or folders
 *   a table of paths and labels (list_table.h); of its splits, that of the set
 *   a JSON file of DeepfakeBench; likewise
 *
 * First bytes tell them apart (input.h); other files are refused by kind. STATUS_FAILED for:
 * missing or unreadable files (all are counted, the first
 * ten are details of *error), a list without a path, a path too short to name source and video,
 * sources with a doubtful label (all named), a video, a file or a source with two labels, an
 * invalid header line, a line or a path longer than a path may be, and files that are not text
 * (UTF-16, zero bytes). *list is owned by the caller (data_list_free); it is empty on failure.
 * Thread-safe.
 */
Status data_list_read(DataList *list, const char *const *lists, int count, Error *error);

/*
 * As data_list_read; `split` is what the set is for (data_list_read: test; DATA_SPLITS: all of a
 * table with splits), and labels [label_count] override the labels from paths and header lines for
 * these sources.
 */
Status data_list_read_labelled(DataList *list, const char *const *lists, int count, DataSplit split,
                               DataSourceLabel *labels, int label_count, Error *error);

/* Describes a row: "videos/a: 12 .webp files (images of a format ...)", into text [size]. */
void data_skipped_describe(const DataSkipped *row, char *text, size_t size);

/*
 * A list of plain image paths and folders, for predict and features: files in the order given, the
 * images below a folder in bytewise order of their paths. label is 0, video and source are -1, and
 * there are no tables. Missing files (reported when they are read) and duplicates are kept.
 * STATUS_FAILED for a folder without images or when out of memory. Ownership as for data_list_read.
 * Thread-safe.
 */
Status data_list_paths(DataList *list, const char *const *paths, int count, Error *error);

/* As data_list_paths; a path that does not exist is also tried below `folder`, unless it is "". */
Status data_list_paths_from(DataList *list, const char *const *paths, int count, const char *folder,
                            Error *error);

/* Frees what the list owns and empties it. An empty list is allowed. */
void data_list_free(DataList *list);

/*
 * Index of the j-th of `kept` frames spread evenly over n: floor(linspace(0, n-1, kept)) as NumPy
 * computes it. 0 <= j < kept <= n.
 */
int data_list_spread(int j, int kept, int n);

/* How the frames of a video are chosen. */
typedef enum DataFrameChoice {
    DATA_FRAMES_EVEN, /* spread evenly by data_list_spread */
    /* Drawn without replacement, as a function of seed, video and number of frames. */
    DATA_FRAMES_RANDOM
} DataFrameChoice;

/* "even", "random"; NULL past the last. */
const char *data_frame_choice_name(int choice);

/*
 * Chooses `kept` of the n frames of `video`, sorted by data_path_compare: writes ascending indices
 * to positions [kept]. 0 < kept <= n. The random choice depends on the last two parts of the
 * video's path only, so that a data set that was moved keeps its frames.
 */
void data_list_choose(DataFrameChoice choice, uint64_t seed, const char *video, int n, int kept,
                      int *positions);

/*
 * Keeps at most `frames` frames of each video (0: all), by data_list_choose over the frames sorted
 * by data_path_compare. The list keeps its order. STATUS_FAILED, with the list unchanged, when out
 * of memory.
 */
Status data_list_choose_frames(DataList *list, int frames, DataFrameChoice choice, uint64_t seed,
                               Error *error);

/*
 * Keeps at most `frames` frames in total (0: all). Each class keeps its proportion (rounded, at
 * least one frame of a class that is present), from videos in random order by (seed, position of
 * the video); the last of these videos is reduced to frames spread evenly over it. A pure function
 * of list and seed. STATUS_FAILED, with the list unchanged, when out of memory, or if `frames` is 1
 * and there are two classes.
 */
Status data_list_limit_ratio(DataList *list, int frames, uint64_t seed, Error *error);

/*
 * Keeps the frames with keep[i], keep [count]; videos and sources without frames are removed.
 * Cannot fail.
 */
void data_list_keep_frames(DataList *list, const bool *keep);

/*
 * Keeps entire videos with at most `frames` frames in total (0, or a list that is short enough:
 * all): as many real as fake frames, and as many of every source of a class, as the list allows; of
 * each source, videos spread evenly over the list. A pure function of the list. STATUS_FAILED, with
 * the list unchanged, when out of memory or if one of two classes would vanish.
 */
Status data_list_limit_videos(DataList *list, int frames, Error *error);

/* Counts real [0] and fake [1] frames and videos. */
void data_list_counts(const DataList *list, int frames[2], int videos[2]);

/*
 * XXH3-128 over paths and labels in order, as 32 hexadecimal digits and a zero: equal hashes prove
 * that two runs used the same frames.
 */
void data_list_hash(const DataList *list, char out[HASH_TEXT_SIZE]);

/* Number of files (by identity) that are in both lists. */
int data_list_overlap(const DataList *a, const DataList *b);

#endif
