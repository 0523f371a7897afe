/*
 * predictions.h - the scores of frames: as a table, as predictions.csv, and summed up by video.
 */
#ifndef LNCLIP_TRAIN_PREDICTIONS_H
#define LNCLIP_TRAIN_PREDICTIONS_H

#include "train/metrics.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct TrainPrediction {
    const char *file;    /* path as written; NULL in a table of bare scores */
    const char *dataset; /* never NULL */
    const char *video;   /* folder of the frame; NULL in a table of bare scores */
    const char *source;  /* third-last part of the path; NULL if the path is too short */
    int label;           /* 0 real, 1 fake */
    double real, fake;   /* prob_class_0 and prob_class_1; real = 1 - fake for bare scores */
} TrainPrediction;

typedef struct TrainPredictions {
    TrainPrediction *rows; /* [count], in file order */
    size_t count;
    size_t duplicates; /* rows whose file and dataset were there before */
    void *memory;      /* owns the strings */
} TrainPredictions;

/*
 * Reads predictions.csv (files,labels,prob_class_0,prob_class_1[,dataset,video]; RFC 4180 quoting) or two
 * columns label,score. Columns are found by name, CRLF and BOM accepted. STATUS_FAILED with line and column
 * for a missing column, text in a number, NaN, infinity, a label other than 0 and 1, an empty table.
 * Where the file has no dataset column, the file's stem is the data set.
 */
Status train_predictions_read(TrainPredictions *predictions, const char *path, Error *error);
void train_predictions_free(TrainPredictions *predictions);

/* Writes the header line, and one row with RFC 4180 quoting and probabilities as %.9g. */
void train_predictions_write_header(FILE *stream);
void train_predictions_write_row(FILE *stream, const TrainPrediction *row);

/* The metrics of one source (its frames against all reals of the data set). */
typedef struct TrainSourceReport {
    const char *name;
    TrainMetrics frame, video;
} TrainSourceReport;

/* The metrics of one data set. A video's score is the mean p_fake of its frames, in double, file order. */
typedef struct TrainReport {
    const char *dataset;
    TrainMetrics frame, video;
    bool has_videos; /* false for bare scores: no video level, no sources */
    TrainSourceReport *sources; /* [source_count] fake sources, bytewise order */
    int source_count;
} TrainReport;

/*
 * Sums up by data set, in order of first row. *reports [*count] is owned by the caller
 * (train_reports_free); names are borrowed from `predictions`. A video with two labels is STATUS_FAILED.
 */
Status train_reports(const TrainPredictions *predictions, TrainReport **reports, int *count,
                     Error *error);
void train_reports_free(TrainReport *reports, int count);

/* metrics.json: {NAME: {"frame": {...}, "video": {...}, "sources": {...}}}, undefined = null. */
void train_reports_write_json(FILE *stream, const TrainReport *reports, int count);

/* summary.json: the macro average over data sets of every metric defined in all of them. */
void train_reports_write_summary(FILE *stream, const TrainReport *reports, int count);

#endif
