/*
 * list_checks.h - finds common mistakes in lists of frames before training or evaluation.
 *
 * Checks for training frames in the test set, a missing class, duplicate frames, full video frames
 * instead of face crops, and images whose size alone predicts the label. Findings are returned; the
 * caller decides which are errors (tools/cli/cli_checks.h, docs/pitfalls.md).
 *
 * train_run itself only requires two classes and warns about shared files. A program that trains
 * with the library should call train_check_labels and train_check_lists first and then set
 * TrainJob.lists_checked.
 *
 * Tests: tests/test_list_checks.c.
 */
#ifndef LNCLIP_TRAIN_LIST_CHECKS_H
#define LNCLIP_TRAIN_LIST_CHECKS_H

#include "data/lists/crop_check.h"
#include "data/lists/list_compare.h"

/* Extent of the checks. */
typedef enum TrainChecks {
    TRAIN_CHECKS_FULL,  /* all checks */
    TRAIN_CHECKS_QUICK, /* all but the contents of files: copies are not found */
    TRAIN_CHECKS_OFF,   /* count labels only */
} TrainChecks;

/* Maximum number of images per set whose size is read; spread evenly over the set. */
enum { TRAIN_CHECKS_IMAGES = 2000 };

enum { TRAIN_CROP_SHAPES = DATA_CROP_SMALL + 1 };

/* Images of one crop shape. */
typedef struct TrainOddImages {
    int count;
    DataFrameSize first[DATA_COMPARE_NAMED]; /* the first ones in list order */
} TrainOddImages;

/*
 * Label leakage by image size: the AUROC of the score "image size", per video (mean of its images).
 * 0.5 = no leakage; NaN with one class. `telling` if the AUROC differs from 0.5 by at least 0.3 and
 * by more than three standard errors under the null hypothesis, sqrt((r + f + 1) / (12 r f)) for r
 * real and f fake videos (Mann and Whitney 1947). A network could then learn the size instead of
 * the forgery.
 */
typedef struct TrainSizeLabel {
    double auroc;
    bool telling;
} TrainSizeLabel;

typedef struct TrainSizes {
    int images;                            /* images whose size was read */
    int videos;                            /* videos of these images */
    int width[3], height[3];               /* minimum, median, maximum in pixels */
    TrainOddImages odd[TRAIN_CROP_SHAPES]; /* by data_crop_shape; empty for face crops */
    TrainSizeLabel pixels, bytes;          /* leakage by width x height, and by file size */
} TrainSizes;

typedef struct TrainListFindings {
    int frames[DATA_COMPARE_SETS][2], videos[DATA_COMPARE_SETS][2]; /* real [0], fake [1] */
    DataComparison same;
    TrainSizes sizes[DATA_COMPARE_SETS];
    double seconds;
} TrainListFindings;

/*
 * Checks each of lists [count], 1 <= count <= DATA_COMPARE_SETS, and every pair of them. Paths in
 * *findings are borrowed from the lists. STATUS_FAILED if a file cannot be read or memory runs out
 * (data_list_compare, data_list_sizes). `threads` may be NULL and does not affect the result.
 */
Status train_check_lists(const DataList *const *lists, int count, TrainChecks checks,
                         Threads *threads, TrainListFindings *findings, Error *error);

/*
 * For tests. STATUS_FAILED if a list has only one class. `name` is the list's name in the message
 * ("training").
 */
Status train_check_classes(const DataList *list, const char *name, Error *error);

/*
 * train_check_classes for the lists of a run. With makes_fakes (data.sbi) the training list may
 * lack fakes; data_order_create then checks for real frames. `val` may be NULL.
 */
Status train_check_labels(const DataList *train, const DataList *val, bool makes_fakes,
                          Error *error);

/* True if sets a < b share a file, equal file contents or FF++ identities. */
bool train_lists_overlap(const TrainListFindings *findings, int a, int b);

#endif
