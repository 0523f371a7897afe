/*
 * predictions.h - the scores of frames: as a table and as predictions.csv.
 *
 * The table is a structure of arrays. A file of bare scores costs nine bytes a row, so that a
 * hundred million of them fit a small machine; names of data sets and videos are kept once each.
 * Nothing here prints: duplicates and one-class sets are counted, and the program decides what to
 * say about them.
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
    const char *video;   /* name of its video; NULL: data_path_video of `file`, if it has one */
    const char *source;  /* what it comes from; NULL: as data_path_read says of `file` */
    int label;           /* 0 real, 1 fake */
    /* prob_class_0 and prob_class_1; `fake` is what thresholds and calibration use. */
    double real, fake;
    bool has_margin; /* of all rows of a table or of none */
    double margin; /* logit of fake less logit of real: ranks rows whose `fake` rounds to 0 or 1 */
} MetricsPrediction;

/* A video of one data set. Its name is unique within the data set only. */
typedef struct MetricsVideo {
    const char *name;   /* path of the folder, or what the column `video` says */
    const char *source; /* of its first frame; NULL if that is not known */
    uint32_t dataset;   /* index into datasets */
    int label;          /* of every frame in it */
} MetricsVideo;

#define METRICS_NO_VIDEO UINT32_MAX

typedef struct MetricsNames MetricsNames; /* the strings and their hash tables */

typedef struct MetricsPredictions {
    size_t count;
    double *scores;        /* [count] p_fake, in file order */
    double *margins;       /* [count] or NULL: MetricsPrediction.margin */
    uint8_t *labels;       /* [count] 0 real, 1 fake */
    uint32_t *row_dataset; /* [count] index into datasets; NULL while there is one data set only */
    uint32_t *row_video;   /* [count] index into videos or METRICS_NO_VIDEO; NULL for bare scores */
    const char **files;    /* [count] NULL entries for bare scores; NULL if all rows are bare */
    const char **datasets; /* [dataset_count] in order of first row */
    uint32_t dataset_count;
    MetricsVideo *videos; /* [video_count] in order of first row */
    uint32_t video_count;
    size_t duplicates; /* rows whose file and data set were there before */
    size_t capacity;
    MetricsNames *names;
} MetricsPredictions;

/* A file rounded to three decimals by another program is still read; a margin of another model is
 * not. */
#define METRICS_MARGIN_TOLERANCE 1e-3

/* The empty table. */
MetricsPredictions metrics_predictions_empty(void);

/*
 * Appends a copy of `row`. STATUS_FAILED for a score or margin that is not finite, a margin whose
 * sigmoid differs from row->fake by more than METRICS_MARGIN_TOLERANCE or that only some rows have,
 * a label other than 0 and 1, or a video that had the other label before: the table then has the
 * rows it had. STATUS_FAILED without memory: the table is then good for metrics_predictions_free
 * alone.
 */
Status metrics_predictions_append(MetricsPredictions *predictions, const MetricsPrediction *row,
                                  Error *error);

/*
 * Reads predictions.csv (files,labels,prob_class_0,prob_class_1[,dataset,video[,source][,margin]];
 * RFC 4180 quoting) or two columns label,score (where a column `margin` is not read: it could be
 * anything). Columns are found by name, in any order, others are skipped; CRLF, a UTF-8 BOM,
 * blank lines and a missing last newline are accepted. Where the file has no dataset column, its
 * stem is the data set. STATUS_FAILED with line and column for a missing or doubled column, a row
 * of another width, text in a number, NaN, infinity, a label other than 0 and 1, a video with two
 * labels, an open quote, an empty table, UTF-16, a line beyond 64 MiB. *predictions is owned by the
 * caller on success (metrics_predictions_free) and empty on failure. Numbers are read alike in
 * every locale.
 */
Status metrics_predictions_read(MetricsPredictions *predictions, const char *path, Error *error);
void metrics_predictions_free(MetricsPredictions *predictions);

/*
 * Writes the header line, and one row with RFC 4180 quoting and numbers as %.9g (which gives every
 * f32 back exactly). row->video as in metrics_predictions_append. Write errors stay with the
 * stream. The last column is `margin`, empty without one. With `source` there is a column `source`
 * before it: for tables in which the source of a row, given by the head of its list, is not what
 * its path says (metrics_predictions_source_differs). Other readers pass over both.
 */
void metrics_predictions_write_header(FILE *stream, bool source);
void metrics_predictions_write_row(FILE *stream, const MetricsPrediction *row, bool source);

/* Whether row->source is given and differs from what its path says (data_path_read). */
bool metrics_predictions_source_differs(const MetricsPrediction *row);

/* One field as RFC 4180 wants it: in quotes, doubled inside, if a comma, quote or line end is in
 * it. */
void metrics_predictions_write_field(FILE *stream, const char *text, size_t length);

/*
 * The number that predictions.csv shows for an f32 probability, as its readers get it back: what
 * metrics are computed from everywhere, so that train, eval and auc agree to the last digit.
 */
double metrics_predictions_written(float probability);

#endif
