/*
 * sets_build_private.h - what the readers of data sets share; private to data/.
 *
 * A reader finds folders and calls data_sets_video for every video it expects; everything that all
 * data sets have in common - reading a folder of frames, spreading, what is missing - happens
 * behind that.
 */
#ifndef LNCLIP_DATA_SETS_SETS_BUILD_PRIVATE_H
#define LNCLIP_DATA_SETS_SETS_BUILD_PRIVATE_H

#include "data/lists/list_collect_private.h"
#include "data/sets/sets.h"
#include "tensor/base/file.h"

/* A growing array of texts, by malloc; the texts belong to a pool. {0} is empty. */
typedef struct DataTexts {
    const char **items;
    size_t count, capacity;
} DataTexts;

typedef struct DataSetsBuilder {
    const DataSetsOptions *options;
    DataSets *sets;
    MemPool *pool;             /* lives as long as the sets */
    char root[FILE_PATH_SIZE]; /* absolute, without symbolic links */
    /* A folder with videos in place of frames, for the message; "" if none was met. */
    char videos[FILE_PATH_SIZE];
    DataSkippedFiles skipped;         /* what lies beside the frames */
    int broken_links;                 /* frames that are links to nothing */
    char broken_link[FILE_PATH_SIZE]; /* the first of them */
} DataSetsBuilder;

/* ---- sources and videos ---------------------------------------------------------------------- */

/* The number of that source, added if it is new. A name with two labels is an error. */
Status data_sets_source(DataSetsBuilder *builder, DataSplit split, const char *name, int label,
                        int *source, Error *error);

/*
 * Adds a video whose frames are the images in `folder`; NULL or a folder that is not there: it is
 * missing.
 */
Status data_sets_video(DataSetsBuilder *builder, int source, const char *name, const char *folder,
                       Error *error);

/*
 * Adds a video with these absolute `frames` [count], which are sorted, spread and copied; with none
 * it is missing for the reason `problem` (copied).
 */
Status data_sets_frames(DataSetsBuilder *builder, int source, const char *name, const char **frames,
                        size_t count, const char *problem, Error *error);

/* A sentence for people. Without memory it is lost. */
void data_sets_warn(DataSetsBuilder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Warns if the splits of a source hold not `published` videos in all. */
void data_sets_expect(DataSetsBuilder *builder, const char *source, int published);

Status data_texts_add(DataTexts *texts, MemPool *pool, const char *text, size_t length,
                      Error *error);

/* Sorted by the numbers in the texts: frame_2 before frame_10. */
void data_texts_sort(DataTexts *texts);

/* Sorted by bytes; and whether such texts (NULL: none) hold one. */
void data_texts_sort_bytewise(DataTexts *texts);
bool data_texts_has(const DataTexts *texts, const char *text);

/* ---- folders --------------------------------------------------------------------------------- */

/* What a folder holds, as data_path_skip sorts it. Free with data_listing_free. */
typedef struct DataListing {
    MemPool pool;
    DataTexts images, videos, folders;
    DataTexts others;        /* files that are neither */
    DataTexts other_folders; /* masks, landmarks, thumbnails, hidden ones */
} DataListing;               /* names, unsorted */

/*
 * Reads a folder. *found is false, without an error, if there is none of this name; another reason
 * why it cannot be read (permissions, a loop of links) is an error. Images that are links to
 * nothing are counted in the builder.
 */
Status data_listing_read(DataListing *listing, DataSetsBuilder *builder, const char *folder,
                         bool *found, Error *error);
void data_listing_free(DataListing *listing);

/* parent/name if that is a folder, whatever the case of its letters; "" if there is none. */
Status data_find_folder(char out[FILE_PATH_SIZE], const char *parent, const char *name,
                        Error *error);

/*
 * The folder below `base` whose subfolders are videos: base/frames, base/faces, base/crops,
 * base/images, base/videos or base itself. "" if none has subfolders; if there are videos instead,
 * the builder remembers that.
 */
Status data_find_container(DataSetsBuilder *builder, char out[FILE_PATH_SIZE], const char *base,
                           Error *error);

/* data_sets_video for container/name, or a missing one if `container` is "". */
Status data_sets_contained(DataSetsBuilder *builder, int source, const char *container,
                           const char *name, Error *error);

/*
 * Adds all videos below `base`: each folder with images in its container, at any depth, but for
 * folders called masks or landmarks; and, as missing, every video file without such a folder. Those
 * whose names are in `except` (sorted bytewise, may be NULL) are left out. *added, unless NULL, is
 * the number of them.
 */
Status data_sets_discover(DataSetsBuilder *builder, int source, const char *base,
                          const DataTexts *except, int *added, Error *error);

/* The folders and names of compression: c23, c40, raw, c0, of which the last two are one level. */
enum { DATA_SETS_LEVELS = 4, DATA_SETS_RAW = 2 };
extern const char *const data_sets_levels[DATA_SETS_LEVELS];

/* ---- the kinds ------------------------------------------------------------------------------- */

Status data_sets_ff(DataSetsBuilder *builder, Error *error);
Status data_sets_dfd(DataSetsBuilder *builder, Error *error);
Status data_sets_celebdf2(DataSetsBuilder *builder, Error *error);
Status data_sets_dfdc(DataSetsBuilder *builder, Error *error);
Status data_sets_dfdcp(DataSetsBuilder *builder, Error *error);
Status data_sets_ffiw(DataSetsBuilder *builder, Error *error);
Status data_sets_uadfv(DataSetsBuilder *builder, Error *error);
Status data_sets_deepfakebench(DataSetsBuilder *builder, Error *error);
Status data_sets_any_folder(DataSetsBuilder *builder, Error *error);

/*
 * The first of root, root/names[0], root/names[1]... (NULL ends) that has any of `marks` (NULL
 * ends); "" if none.
 */
Status data_find_base(char out[FILE_PATH_SIZE], const char *root, const char *const *names,
                      const char *const *marks, Error *error);

/* The split that options->split names, test if none; STATUS_USAGE for another word. */
Status data_sets_split(const DataSetsBuilder *builder, DataSplit *split, Error *error);

/* STATUS_FAILED: `root` does not hold what the kind needs. */
Status data_sets_wrong_root(const DataSetsBuilder *builder, const char *needs, Error *error);

#endif
