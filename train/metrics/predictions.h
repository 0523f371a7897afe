/*
 * predictions.h - the scores of frames: in memory as a table, on disk as predictions.csv.
 *
 * The table is a structure of arrays. A bare score takes nine bytes per row, so that 100 million
 * rows fit on a small machine; names of data sets and videos are stored once. Duplicates are only
 * counted; the caller reports them.
 *
 * Tests: tests/test_predictions.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_PREDICTIONS_H
#define LNCLIP_TRAIN_METRICS_PREDICTIONS_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One row, for writing and for metrics_predictions_append. All strings are borrowed. */
typedef struct MetricsPrediction {
    const char *file;    /* path as written; NULL for a bare score */
    const char *dataset; /* never NULL */
    const char *video;   /* name of its video; NULL: data_path_video of `file`, if any */
    const char *source;  /* manipulation or data source; NULL: data_path_read of `file` */
    int label;           /* 0 real, 1 fake */
    /* prob_class_0 and prob_class_1; `fake` is what thresholds and calibration use. */
    double real, fake;
    bool has_margin; /* equal for all rows of a table */
    double margin;   /* logit of fake - logit of real; ranks rows whose `fake` rounds to 0 or 1 */
} MetricsPrediction;

/* A video of one data set. Its name is unique within the data set only. */
typedef struct MetricsVideo {
    const char *name;   /* path of the folder, or the value of column `video` */
    const char *source; /* source of its first frame; NULL if unknown */
    uint32_t dataset;   /* index into datasets */
    int label;          /* label of all its frames */
} MetricsVideo;

#define METRICS_NO_VIDEO UINT32_MAX

typedef struct MetricsNames MetricsNames; /* the strings and their hash tables */

typedef struct MetricsPredictions {
    size_t count;
    double *scores;        /* [count] p_fake, in file order */
    double *margins;       /* [count] MetricsPrediction.margin; may be NULL */
    uint8_t *labels;       /* [count] 0 real, 1 fake */
    uint32_t *row_dataset; /* [count] index into datasets; NULL if there is only one data set */
    uint32_t *row_video;   /* [count] index into videos or METRICS_NO_VIDEO; NULL for bare scores */
    const char **files;    /* [count] NULL for a bare score; array NULL if all rows are bare */
    const char **datasets; /* [dataset_count] in order of first row */
    uint32_t dataset_count;
    MetricsVideo *videos; /* [video_count] in order of first row */
    uint32_t video_count;
    size_t duplicates; /* rows with the file and data set of an earlier row */
    size_t capacity;
    MetricsNames *names;
} MetricsPredictions;

/* Accepts files rounded to three decimals, and rejects the margin of another model. */
#define METRICS_MARGIN_TOLERANCE 1e-3

/* The empty table. */
MetricsPredictions metrics_predictions_empty(void);

/*
 * Appends a copy of `row`. STATUS_FAILED if score or margin is not finite, sigmoid(margin) differs
 * from row->fake by more than METRICS_MARGIN_TOLERANCE, only some rows have a margin, the label is
 * not 0 or 1, or the video has both labels; the table is then unchanged. STATUS_FAILED also if out
 * of memory; the table can then only be freed.
 */
Status metrics_predictions_append(MetricsPredictions *predictions, const MetricsPrediction *row,
                                  Error *error);

/*
 * Reads predictions.csv (files,labels,prob_class_0,prob_class_1[,dataset,video[,source][,margin]];
 * RFC 4180 quoting), or a file with columns label,score, whose column `margin` is ignored. Columns
 * are found by name, in any order; others are skipped. CRLF, a UTF-8 BOM, blank lines and a missing
 * last newline are accepted; labels may be the words real and fake. Without a column dataset, the
 * data set is the file name without folder and suffix. Parsing does not depend on the locale.
 *
 * STATUS_FAILED, with line and column, for a missing or duplicate column, a row of another width,
 * an invalid number or label, a video with two labels, an unclosed quote, an empty table, UTF-16,
 * or a line longer than 64 MiB. On success the caller frees *predictions by
 * metrics_predictions_free; on failure it is empty.
 */
Status metrics_predictions_read(MetricsPredictions *predictions, const char *path, Error *error);

/* Names of columns that replace the usual ones; NULL: the usual ones. */
typedef struct MetricsColumns {
    const char *label;
    const char *score; /* high means fake; a column margin is then ignored */
} MetricsColumns;

/* As metrics_predictions_read, with these columns. */
Status metrics_predictions_read_columns(MetricsPredictions *predictions, const char *path,
                                        const MetricsColumns *columns, Error *error);
void metrics_predictions_free(MetricsPredictions *predictions);

/*
 * Write the header line, and one row with RFC 4180 quoting and numbers as %.9g (exact for f32).
 * row->video is as in metrics_predictions_append. The last column is `margin`, empty if the row has
 * none. `source` adds a column source before it, needed if the list gives a row another source than
 * its path (metrics_predictions_source_differs). Write errors are left to ferror(stream).
 */
void metrics_predictions_write_header(FILE *stream, bool source);
void metrics_predictions_write_row(FILE *stream, const MetricsPrediction *row, bool source);

/* True if row->source is set and differs from the source in its path (data_path_read). */
bool metrics_predictions_source_differs(const MetricsPrediction *row);

/* Writes one field, quoted by RFC 4180 if it contains a comma, a quote or a line end. */
void metrics_predictions_write_field(FILE *stream, const char *text, size_t length);

/*
 * An f32 probability after a round trip through predictions.csv. All metrics are computed from such
 * values, so that train, eval and auc agree exactly.
 */
double metrics_predictions_written(float probability);

#endif
