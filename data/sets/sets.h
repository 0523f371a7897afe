/*
 * sets.h - data sets as they are distributed or as the usual tools preprocess them, read into
 * lists.
 *
 * A kind knows one data set: its folders, its split files, and which of its labels means what.
 * Reading finds the folder of frames of every video that the data set promises, and tells which are
 * not there. Only frames that are images are listed: lnclip neither cuts videos nor finds faces,
 * and says so where it meets videos alone. Nothing is guessed: a file of another shape, a name
 * without a known label, a video with two labels is an error.
 *
 * The layouts and their traps are in docs/formats.md.
 */
#ifndef LNCLIP_DATA_SETS_SETS_H
#define LNCLIP_DATA_SETS_SETS_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum DataSplit { DATA_TRAIN, DATA_VAL, DATA_TEST, DATA_SPLITS } DataSplit;

/* "train", "val", "test". */
extern const char *const data_split_names[DATA_SPLITS];

/* One video that is expected. */
typedef struct DataSetsVideo {
    const char *name;          /* as the data set calls it: "071", "id0_id1_0000" */
    const char *const *frames; /* [count] absolute paths, by the numbers in their names */
    int count;                 /* 0: missing */
    const char *problem;       /* why it is missing, else NULL */
} DataSetsVideo;

/* The videos of one source in one split: one list. */
typedef struct DataSetsSource {
    DataSplit split;
    const char *name;
    int label;             /* 0 real, 1 fake */
    DataSetsVideo *videos; /* [count] by name */
    int count;
    size_t capacity;
} DataSetsSource;

/* What was read. All strings are owned by `memory`. */
typedef struct DataSets {
    DataSetsSource *sources; /* [count] by split, then name */
    int count;
    size_t capacity;
    const char **warnings; /* [warning_count] whole sentences, for people */
    int warning_count;
    size_t warning_capacity;
    void *memory;
} DataSets;

/* Where to read, and how. Everything is borrowed; what a kind does not take is NULL or 0. */
typedef struct DataSetsOptions {
    const char
        *root; /* folder of the data set; for DATA_TAKES_FILE what relative paths start from */
    const char *file;   /* DATA_TAKES_FILE */
    const char *splits; /* DATA_TAKES_SPLITS: folder of the split files, NULL: beside the data */
    /* DATA_TAKES_COMPRESSION: "c23" (the default where needed), "c40", "raw" or "c0". */
    const char *compression;
    const char
        *split; /* DATA_TAKES_SPLIT: "train", "val" or "test" (default) for a set without splits */
    const char *const *real; /* DATA_TAKES_LABELS [real_count]: folders, or labels of the file */
    const char *const *fake; /* the same [fake_count] */
    const char *const
        *replace; /* DATA_TAKES_REPLACE [replace_count]: "OLD=NEW" prefixes of paths */
    int real_count, fake_count, replace_count;
    Threads *threads; /* may be NULL: the calling thread alone; results do not depend on it */
    int frames;       /* kept of each video, spread evenly (data_list_spread); 0 = all */
    volatile sig_atomic_t *stop; /* may be NULL; looked at before each name that is read */
} DataSetsOptions;

/* The options of DataSetsOptions that a kind understands. */
enum {
    DATA_TAKES_FILE = 1,
    DATA_TAKES_SPLITS = 2,
    DATA_TAKES_COMPRESSION = 4,
    DATA_TAKES_SPLIT = 8,
    DATA_TAKES_LABELS = 16,
    DATA_TAKES_REPLACE = 32,
};

struct DataSetsBuilder; /* data/sets/sets_build_private.h */

typedef struct DataSetsKind {
    const char *name;    /* "celebdf2" */
    const char *summary; /* one line of help */
    unsigned takes;      /* DATA_TAKES_... */
    Status (*read)(struct DataSetsBuilder *builder, Error *error);
} DataSetsKind;

/* All kinds [*count], in the order of the help. Lives for ever. */
const DataSetsKind *data_sets_kinds(int *count);

/*
 * Reads a data set of that kind. STATUS_FAILED for a root that does not hold it, a split file that
 * is missing or of another shape, an unknown label, a folder that cannot be read, a video with two
 * labels, videos where frames are needed, and a set without any frame; STATUS_USAGE for a bad value
 * of an option; STATUS_INTERRUPTED once *stop is not 0. Missing videos are no failure: they are in
 * *sets. What the set shares between its splits, and a split with one class, become warnings. *sets
 * is owned by the caller and freed with data_sets_free; it is empty on failure. Thread-safe.
 */
Status data_sets_read(DataSets *sets, const DataSetsKind *kind, const DataSetsOptions *options,
                      Error *error);

/* Frees what was read and empties it. An empty one is allowed. */
void data_sets_free(DataSets *sets);

/*
 * Writes OUT/SPLIT/SOURCE.txt for every source with a frame, and `content` [size] as
 * OUT/coverage.json. A list begins with the line "# lnclip: label=... source=..." where the paths
 * alone would tell another source or label. Everything is written beside and moved in at the end;
 * on failure `out` is as it was. An `out` that holds anything is refused, but for an earlier output
 * of this function if `replace` is set: then that is replaced whole.
 */
Status data_sets_write(const DataSets *sets, const char *out, bool replace, const char *content,
                       size_t size, Error *error);

#endif
