/*
 * eval_result.h - the result of an evaluation, from which files, tables and reports are written.
 *
 * An EvalResult is one model with one adapter (or none) on all data sets. Several adapters give
 * several results on the same EvalSets, and an EvalComparison of each with the first. The report of
 * a score file uses an EvalResult without lists, probabilities, model and adapter (NULL, "" or 0).
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_RESULT_H
#define LNCLIP_TRAIN_EVAL_EVAL_RESULT_H

#include "data/augment/augment.h"
#include "data/lists/list.h"
#include "tensor/base/hash.h"
#include "train/metrics/calibration.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"
#include "vit/head.h"

/* A data set: one NAME=LIST[,LIST...] of the command line. */
typedef struct EvalSet {
    const char *name;
    const char **lists; /* [list_count] paths */
    int list_count;
    DataList frames;
    char hash[HASH_TEXT_SIZE]; /* data_list_hash of frames */
    size_t first;              /* index of its first frame among all frames of the evaluation */
} EvalSet;

typedef struct EvalSets {
    EvalSet *sets; /* [set_count], in order of first mention */
    int set_count;
    size_t count; /* total number of frames */
    char **texts; /* [text_count] owned strings that names and paths point into */
    int text_count;
} EvalSets;

/* An adapter and its metadata. */
typedef struct EvalAdapter {
    const char *name;          /* NAME of NAME=FILE; NULL without one */
    const char *path;          /* NULL: the head is the model's own */
    char hash[HASH_TEXT_SIZE]; /* XXH3-128 of the file; "" without one */
    char *selected_on;         /* list by which it was selected; "unknown" if missing */
    char *recipe;              /* recipe as `key = value` lines; NULL if missing */
    char *record;              /* JSON of train/run/run_record.h; NULL if missing */
    bool calibrated;           /* --calibrated: `calibration` is applied to every score */
    MetricsCalibration calibration;
} EvalAdapter;

/* Everything else that the scores depend on. */
typedef struct EvalProvenance {
    const char *model;                /* path, borrowed; NULL: scores from a file */
    char arch[32];                    /* vit_config_name */
    char fingerprint[HASH_TEXT_SIZE]; /* hash of the encoder without an adapter */
    int image_size;                   /* input size of the network in pixels */
    VitHeadKind head;
    const char *precision;    /* "f32", ...; static */
    const char *kernels;      /* static */
    const char *decoders;     /* static */
    int frames_per_video;     /* maximum; 0 = all */
    const char *frame_choice; /* "even" or "random" */
    int limit;                /* maximum number of frames per set; 0 = all */
    uint64_t seed;            /* random seed of resamples and noise */
    MetricsCiMode ci;
} EvalProvenance;

/* The result of all data sets under one perturbation. */
typedef struct EvalPerturbed {
    const DataPerturbation *perturbation; /* borrowed */
    MetricsPredictions predictions;       /* owns the names in reports */
    MetricsReport *reports;               /* [set_count] as EvalResult.reports */
} EvalPerturbed;

/* Rates at the thresholds stored in the adapter. */
typedef struct EvalAtThresholds {
    MetricsAtThreshold frame, video; /* video: n_real = n_fake = 0 if the set has none */
} EvalAtThresholds;

typedef struct EvalResult {
    const EvalSets *sets; /* borrowed */
    EvalProvenance provenance;
    const EvalAdapter *adapter;     /* borrowed */
    float *probabilities;           /* [sets->count,2] real and fake, in the order of sets */
    float *margins;                 /* [sets->count] logit of fake - logit of real */
    MetricsPredictions predictions; /* rows of predictions.csv, one per frame */
    MetricsScores *scores;  /* [set_count] scores of frames and videos, for curves and histograms */
    MetricsReport *reports; /* [set_count] in the order of sets */
    EvalAtThresholds *at;   /* [set_count]; NULL unless adapter->calibrated */
    EvalPerturbed *perturbed; /* [perturbed_count] grouped by kind */
    int perturbed_count;
} EvalResult;

/* Comparison of two results on the same frames: differences are other - first. */
typedef struct EvalComparison {
    const EvalResult *first, *other;
    MetricsComparison *sets; /* [set_count] */
} EvalComparison;

/* Declared in eval_scores.h. */
struct EvalScoring;
struct EvalScores;

/*
 * Computes metrics and intervals for every pass of `scores`, and the rates at the thresholds of a
 * calibrated adapter. Copies the scores; *scores may be closed afterwards. result->provenance,
 * filled by eval_score, is kept. STATUS_FAILED if out of memory or if a video has two labels within
 * a set. Call eval_result_free in every case.
 */
Status eval_result_make(EvalResult *result, const struct EvalScoring *scoring,
                        const EvalAdapter *adapter, const struct EvalScores *scores,
                        const MetricsUncertainty *settings, Error *error);
void eval_result_free(EvalResult *result);

/*
 * The row of frame i of a set. probabilities [all frames of the evaluation,2], margins [all
 * frames]. Strings are borrowed from the set. Values are rounded as in predictions.csv, from which
 * the metrics are computed.
 */
MetricsPrediction eval_prediction(const EvalSet *set, int i, const float *probabilities,
                                  const float *margins);

#endif
