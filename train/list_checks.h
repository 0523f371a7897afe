/*
 * list_checks.h - the classic mistakes that lists of frames are made with, found before anything is
 * computed.
 *
 * Frames of the training in the test, one class only, the same frame twice, whole video frames
 * instead of faces, and images whose size alone predicts the label. Findings are returned; what is
 * an error and what a warning is for the caller to say (tools/cli/cli_checks.h, docs/pitfalls.md).
 * train_run asks for two classes and warns of shared files, no more: a program that trains with the
 * library calls train_check_labels and train_check_lists first, and says so in
 * TrainJob.lists_checked.
 */
#ifndef LNCLIP_TRAIN_LIST_CHECKS_H
#define LNCLIP_TRAIN_LIST_CHECKS_H

#include "data/lists/crop_check.h"
#include "data/lists/list_compare.h"

/* How much is looked at. */
typedef enum TrainChecks {
    TRAIN_CHECKS_FULL,  /* all of it */
    TRAIN_CHECKS_QUICK, /* all but the contents of files: no copies are found */
    TRAIN_CHECKS_OFF,   /* nothing; labels are still counted */
} TrainChecks;

/* Sizes are read from this many images of a set, spread evenly over it. */
enum { TRAIN_CHECKS_IMAGES = 2000 };

enum { TRAIN_CROP_SHAPES = DATA_CROP_SMALL + 1 };

/* Images with something in common. */
typedef struct TrainOddImages {
    int count;
    DataFrameSize first[DATA_COMPARE_NAMED]; /* of these in the order of the list */
} TrainOddImages;

/*
 * The AUROC of "the larger image is fake", over videos (means of their images): 0.5 where size says
 * nothing. Undefined (NaN) with one class. `telling` where it is 0.3 or more from 0.5, when size
 * alone would pass for a detector, and more than three standard errors of an AUROC that means
 * nothing, sqrt((r + f + 1) / (12 r f)) for r real and f fake videos (Mann and Whitney 1947): then
 * a network can learn the size instead of the forgery.
 */
typedef struct TrainSizeLabel {
    double auroc;
    bool telling;
} TrainSizeLabel;

typedef struct TrainSizes {
    int images;                            /* looked at */
    int videos;                            /* of these images */
    int width[3], height[3];               /* smallest, median, largest */
    TrainOddImages odd[TRAIN_CROP_SHAPES]; /* by data_crop_shape; of face crops none */
    TrainSizeLabel pixels, bytes;          /* by width x height, and by the size of the file */
} TrainSizes;

typedef struct TrainListFindings {
    int frames[DATA_COMPARE_SETS][2], videos[DATA_COMPARE_SETS][2]; /* real [0], fake [1] */
    DataComparison same;
    TrainSizes sizes[DATA_COMPARE_SETS];
    double seconds;
} TrainListFindings;

/*
 * Checks lists [count], 1 <= count <= DATA_COMPARE_SETS, each alone and all against each other; the
 * paths in *findings are borrowed from them. STATUS_FAILED for what data_list_compare and
 * data_list_sizes fail for: files that cannot be read, and no memory. `threads` may be NULL; they
 * change no result.
 */
Status train_check_lists(const DataList *const *lists, int count, TrainChecks checks,
                         Threads *threads, TrainListFindings *findings, Error *error);

/*
 * For tests. STATUS_FAILED for a list that is real or fake alone: nothing can be learned or
 * compared. `name` is its name in the message ("training").
 */
Status train_check_classes(const DataList *list, const char *name, Error *error);

/*
 * train_check_classes of the lists of a run, unless it makes its own fakes (data.sbi;
 * data_order_create then asks for real frames); `val` may be NULL.
 */
Status train_check_labels(const DataList *train, const DataList *val, bool makes_fakes,
                          Error *error);

/* Whether sets a < b share a file, bytes or FF++ numbers. */
bool train_lists_overlap(const TrainListFindings *findings, int a, int b);

#endif
