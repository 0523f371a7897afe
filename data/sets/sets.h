/*
 * sets.h - data sets, as distributed or as preprocessed by the usual tools, read into lists.
 *
 * A kind knows one data set: its folders, its split files, and the meaning of its labels. Reading
 * finds the frame folder of every video that the data set promises and reports the missing ones.
 * Only frames that are images are listed: lnclip lists does not extract frames or detect faces, and
 * reports folders that hold only videos. Nothing is guessed: a file of unexpected form, a name
 * without a known label, or a video with two labels is an error.
 *
 * The layouts and their pitfalls are in docs/formats.md.
 *
 * Tests: tests/test_sets.c, tests/test_lists.sh.
 */
#ifndef LNCLIP_DATA_SETS_SETS_H
#define LNCLIP_DATA_SETS_SETS_H

#include "data/lists/list_table.h"
#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One expected video. */
typedef struct DataSetsVideo {
    const char *name;          /* name in the data set */
    const char *const *frames; /* [count] absolute paths, in natural order */
    int count;                 /* 0 if missing */
    const char *problem;       /* why it is missing, else NULL */
    bool named;                /* it is not its folder, and not an image: lists need its name */
} DataSetsVideo;

/* The videos of one source in one split, written as one list. */
typedef struct DataSetsSource {
    DataSplit split;
    const char *name;
    int label;             /* 0 real, 1 fake */
    DataSetsVideo *videos; /* [count], sorted by name */
    int count;
    size_t capacity;
} DataSetsSource;

/* The result of reading. All strings are owned by `memory`. */
typedef struct DataSets {
    DataSetsSource *sources; /* [count], sorted by split, then by name */
    int count;
    size_t capacity;
    const char **warnings; /* [warning_count] complete sentences for the user */
    int warning_count;
    size_t warning_capacity;
    const char *note; /* a sentence: how the file was understood; or NULL */
    void *memory;
} DataSets;

/* What to read. All pointers are borrowed; options that a kind does not accept are NULL or 0. */
typedef struct DataSetsOptions {
    /* Folder of the data set; for DATA_TAKES_FILE the base of relative paths. With DATA_FINDS_ROOT
       it may be NULL: the working folder, the folder of the file, or one near them. */
    const char *root;
    const char *file;   /* DATA_TAKES_FILE */
    const char *splits; /* DATA_TAKES_SPLITS: folder of the split files; NULL: next to the data */
    /* DATA_TAKES_COMPRESSION: "c23" (the default where needed), "c40", "raw" or "c0". */
    const char *compression;
    const char
        *split; /* DATA_TAKES_SPLIT: "train", "val" or "test" (default), for sets without splits */
    const char *const *real; /* DATA_TAKES_LABELS [real_count]: folders, or labels of the file */
    const char *const *fake; /* likewise [fake_count] */
    const char *const
        *replace; /* DATA_TAKES_REPLACE [replace_count]: "OLD=NEW" prefixes of paths */
    int real_count, fake_count, replace_count;
    const char *const *lists; /* DATA_TAKES_LISTS [list_count]: see data_list_read */
    int list_count;
    const char *by;             /* DATA_TAKES_LISTS: "video" (default) or "person" */
    const char *parts;          /* DATA_TAKES_LISTS: "8:1:1" (default), of train, val and test */
    uint64_t seed;              /* DATA_TAKES_LISTS */
    const char *const *columns; /* DATA_TAKES_COLUMNS [DATA_COLUMNS]: see data_table_read */
    Threads *threads; /* may be NULL: only the calling thread; results do not depend on it */
    int frames;       /* kept per video, spread evenly (data_list_spread); 0 = all */
    volatile sig_atomic_t *stop; /* may be NULL; checked before each name that is read */
} DataSetsOptions;

/* The options of DataSetsOptions that a kind accepts. */
enum {
    DATA_TAKES_FILE = 1,
    DATA_TAKES_SPLITS = 2,
    DATA_TAKES_COMPRESSION = 4,
    DATA_TAKES_SPLIT = 8,
    DATA_TAKES_LABELS = 16,
    DATA_TAKES_REPLACE = 32,
    DATA_TAKES_COLUMNS = 64,
    DATA_FINDS_ROOT = 128, /* options->root may be NULL */
    DATA_TAKES_LISTS = 256,
};

struct DataSetsBuilder; /* data/sets/sets_build_private.h */

typedef struct DataSetsKind {
    const char *name;    /* "celebdf2" */
    const char *summary; /* one line of help */
    unsigned takes;      /* DATA_TAKES_... */
    Status (*read)(struct DataSetsBuilder *builder, Error *error);
} DataSetsKind;

/* All kinds [*count], in the order of the help. Static. */
const DataSetsKind *data_sets_kinds(int *count);

/*
 * Reads a data set of that kind. STATUS_FAILED for a root without that data set, a missing or
 * malformed split file, an unknown label, an unreadable folder, a video with two labels, videos
 * where frames are needed, a set without any frame, and when out of memory; STATUS_USAGE for a bad
 * value of an option; STATUS_INTERRUPTED after *stop became non-zero. Missing videos are not a
 * failure: they are recorded in *sets. Videos shared between splits, and a split with only one
 * class, become warnings. *sets is owned by the caller (data_sets_free); it is empty on failure.
 * Thread-safe.
 */
Status data_sets_read(DataSets *sets, const DataSetsKind *kind, const DataSetsOptions *options,
                      Error *error);

/* Frees what was read and empties the struct. An empty one is allowed. */
void data_sets_free(DataSets *sets);

/*
 * Writes OUT/SPLIT/SOURCE.txt for every source with a frame, and content [size] as
 * OUT/coverage.json. A list starts with the header line "# lnclip: label=... source=..." if its
 * paths alone imply another source or label. Everything is written to a temporary folder and moved
 * into place at the end; on failure `out` is unchanged. STATUS_FAILED if writing fails, or if `out`
 * is not empty; with `replace` an earlier output of this function is replaced entirely.
 */
Status data_sets_write(const DataSets *sets, const char *out, bool replace, const char *content,
                       size_t size, Error *error);

#endif
