/*
 * sets_build_private.h - shared by the readers of data sets; private to data/.
 *
 * A reader finds folders and calls data_sets_video for every video it expects. That function reads
 * the folder, chooses frames and records missing videos. Texts are copied. Every function with a
 * Status returns STATUS_FAILED when out of memory. One builder is for one thread.
 *
 * Tests: tests/test_sets.c.
 */
#ifndef LNCLIP_DATA_SETS_SETS_BUILD_PRIVATE_H
#define LNCLIP_DATA_SETS_SETS_BUILD_PRIVATE_H

#include "data/lists/list_collect_private.h"
#include "data/sets/sets.h"
#include "tensor/base/file.h"

/* A growing array of texts; free(items). The texts belong to a pool. {0} is empty. */
typedef struct DataTexts {
    const char **items;
    size_t count, capacity;
} DataTexts;

typedef struct DataSetsBuilder {
    const DataSetsKind *kind;
    const DataSetsOptions *options;
    DataSets *sets;
    MemPool *pool;             /* lives as long as the sets */
    char root[FILE_PATH_SIZE]; /* absolute, without symbolic links */
    bool rooted;               /* options->root was given */
    /* A folder with videos instead of frames, for the message; "" if none was found. */
    char videos[FILE_PATH_SIZE];
    DataSkippedFiles skipped;         /* files next to the frames */
    int broken_links;                 /* frames that are dangling links */
    char broken_link[FILE_PATH_SIZE]; /* the first of them */
} DataSetsBuilder;

/* ---- sources and videos ---------------------------------------------------------------------- */

/* Finds or adds a source; *source is its index. STATUS_FAILED for a name with two labels. */
Status data_sets_source(DataSetsBuilder *builder, DataSplit split, const char *name, int label,
                        int *source, Error *error);

/*
 * Adds a video whose frames are the images in `folder`. If `folder` is NULL or does not exist, the
 * video is recorded as missing.
 */
Status data_sets_video(DataSetsBuilder *builder, int source, const char *name, const char *folder,
                       Error *error);

/*
 * Adds a video with the absolute paths frames [count]. Sorts them in place and keeps at most
 * options->frames. If count is 0, the video is missing for the reason `problem`.
 */
Status data_sets_frames(DataSetsBuilder *builder, int source, const char *name, const char **frames,
                        size_t count, const char *problem, Error *error);

/* True if the video is a single image: it then has the name of its file. */
bool data_sets_own_video(const DataSetsVideo *video);

/* Adds a warning for the user. It is dropped when out of memory. */
void data_sets_warn(DataSetsBuilder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Warns if the splits of a source do not have `published` videos in total. */
void data_sets_expect(DataSetsBuilder *builder, const char *source, int published);

/* Appends a copy of the first `length` bytes of `text`. */
Status data_texts_add(DataTexts *texts, MemPool *pool, const char *text, size_t length,
                      Error *error);

/* Sorts in natural order: frame_2 before frame_10. */
void data_texts_sort(DataTexts *texts);

/* Sorts by bytes. data_texts_has requires this order; texts may be NULL. */
void data_texts_sort_bytewise(DataTexts *texts);
bool data_texts_has(const DataTexts *texts, const char *text);

/* ---- folders --------------------------------------------------------------------------------- */

/* The contents of a folder, classified by data_path_skip. Free with data_listing_free. */
typedef struct DataListing {
    MemPool pool;
    DataTexts images, videos, folders;
    DataTexts others;        /* all other files */
    DataTexts other_folders; /* masks, landmarks, thumbnails, hidden folders */
} DataListing;               /* Names, unsorted. */

/*
 * Reads a folder. *found is false, without an error, if it does not exist; another failure
 * (permissions, a loop of links) is an error. Images that are dangling links are counted in the
 * builder.
 */
Status data_listing_read(DataListing *listing, DataSetsBuilder *builder, const char *folder,
                         bool *found, Error *error);
void data_listing_free(DataListing *listing);

/* Finds parent/name, ignoring case, if it is a folder; "" if there is none. */
Status data_find_folder(char out[FILE_PATH_SIZE], const char *parent, const char *name,
                        Error *error);

/*
 * Finds the folder below `base` whose subfolders are videos: base/frames, base/faces, base/crops,
 * base/images, base/videos or base itself. "" if none has subfolders; if there are videos instead,
 * the builder records that.
 */
Status data_find_container(DataSetsBuilder *builder, char out[FILE_PATH_SIZE], const char *base,
                           Error *error);

/* Adds the video container/name; it is missing if `container` is "". */
Status data_sets_contained(DataSetsBuilder *builder, int source, const char *container,
                           const char *name, Error *error);

/*
 * Adds all videos below `base`: each folder with images in its container, at any depth, except
 * folders named masks or landmarks; and, as missing, every video file without such a folder. Names
 * in `except` (sorted bytewise, may be NULL) are skipped. *added, unless NULL, is their number.
 */
Status data_sets_discover(DataSetsBuilder *builder, int source, const char *base,
                          const DataTexts *except, int *added, Error *error);

/* The compression levels and their folders: c23, c40, raw, c0; raw and c0 are the same level. */
enum { DATA_SETS_LEVELS = 4, DATA_SETS_RAW = 2 };
extern const char *const data_sets_levels[DATA_SETS_LEVELS];

/* ---- the kinds ------------------------------------------------------------------------------- */

/* Each adds all videos of one kind of data set. STATUS_FAILED if the root has another layout. */
Status data_sets_ff(DataSetsBuilder *builder, Error *error);
Status data_sets_dfd(DataSetsBuilder *builder, Error *error);
Status data_sets_celebdf2(DataSetsBuilder *builder, Error *error);
Status data_sets_dfdc(DataSetsBuilder *builder, Error *error);
Status data_sets_dfdcp(DataSetsBuilder *builder, Error *error);
Status data_sets_ffiw(DataSetsBuilder *builder, Error *error);
Status data_sets_uadfv(DataSetsBuilder *builder, Error *error);
Status data_sets_deepfakebench(DataSetsBuilder *builder, Error *error);
Status data_sets_divide(DataSetsBuilder *builder, Error *error);
Status data_sets_csv(DataSetsBuilder *builder, Error *error);
Status data_sets_any_folder(DataSetsBuilder *builder, Error *error);

/*
 * Finds the first of root, root/names[0], root/names[1]... (NULL-terminated) that contains any of
 * `marks` (NULL-terminated); "" if none does.
 */
Status data_find_base(char out[FILE_PATH_SIZE], const char *root, const char *const *names,
                      const char *const *marks, Error *error);

/* The split in options->split, test if NULL; STATUS_USAGE for an unknown name. */
Status data_sets_split(const DataSetsBuilder *builder, DataSplit *split, Error *error);

/* Sets the error that `root` does not contain the data set and returns STATUS_FAILED. */
Status data_sets_wrong_root(const DataSetsBuilder *builder, const char *needs, Error *error);

#endif
