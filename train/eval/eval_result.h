/*
 * eval_result.h - everything one evaluation found: what its files, tables and report are made from.
 *
 * An EvalResult is one model with one adapter (or none) over all data sets. Files, tables and pages
 * only read it. Several adapters give several results over the same EvalSets, and an EvalComparison
 * of each with the first. A file of scores makes one too, for its report: without lists,
 * probabilities, model and adapter (NULL, "" or 0).
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_RESULT_H
#define LNCLIP_TRAIN_EVAL_EVAL_RESULT_H

#include "data/augment/augment.h"
#include "data/lists/list.h"
#include "train/metrics/calibration.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"
#include "vit/head.h"

/* One NAME of the command line. */
typedef struct EvalSet {
    const char *name;
    const char **lists; /* [list_count] as given */
    int list_count;
    DataList frames;
    char hash[33]; /* data_list_hash of frames */
    size_t first;  /* of its frames, within all frames of the evaluation */
} EvalSet;

typedef struct EvalSets {
    EvalSet *sets; /* [set_count], in order of first mention */
    int set_count;
    size_t count; /* frames of all sets */
    char **texts; /* [text_count] copies that names and paths of lists point into */
    int text_count;
} EvalSets;

/* An adapter, and what its metadata says about where it comes from. */
typedef struct EvalAdapter {
    const char *name;  /* NAME of NAME=FILE; NULL without one */
    const char *path;  /* NULL: the head is the model's own */
    char hash[33];     /* XXH3-128 of the file; "" without one */
    char *selected_on; /* which list chose these weights; "unknown" if the file does not say */
    char *recipe;      /* every key and its value, one a line; NULL if the file does not say */
    char *record;      /* JSON of train/run/run_record.h; NULL if the file does not say */
    bool calibrated;   /* --calibrated: `calibration` is applied to every score */
    MetricsCalibration calibration;
} EvalAdapter;

/* What else the scores depend on. */
typedef struct EvalProvenance {
    const char *model;    /* path, borrowed; NULL: scores from a file */
    char arch[32];        /* vit_config_name */
    char fingerprint[33]; /* of the encoder without any adapter */
    int image_size;       /* pixels a side that the network sees */
    VitHeadKind head;
    const char *precision;    /* "f32", ...; static */
    const char *kernels;      /* static */
    const char *decoders;     /* static */
    int frames_per_video;     /* at most; 0 = all */
    const char *frame_choice; /* "even" or "random": which these are */
    int limit;                /* frames of a set at most; 0 = all */
    uint64_t seed;            /* of resamples and of noise */
    MetricsCiMode ci;
} EvalProvenance;

/* All data sets once more, under one perturbation. */
typedef struct EvalPerturbed {
    const DataPerturbation *perturbation; /* borrowed */
    MetricsPredictions predictions;       /* which the names in reports belong to */
    MetricsReport *reports;               /* [set_count] as EvalResult.reports */
} EvalPerturbed;

/* At the thresholds stored in the adapter. */
typedef struct EvalAtThresholds {
    MetricsAtThreshold frame, video; /* video: n_real = n_fake = 0 if the set has none */
} EvalAtThresholds;

typedef struct EvalResult {
    const EvalSets *sets; /* borrowed */
    EvalProvenance provenance;
    const EvalAdapter *adapter;     /* borrowed */
    float *probabilities;           /* [sets->count,2] real and fake, in the order of sets */
    float *margins;                 /* [sets->count] logit of fake less logit of real */
    MetricsPredictions predictions; /* the same as written to predictions.csv; row = frame */
    MetricsScores
        *scores; /* [set_count] frames and videos of each set: for curves and histograms */
    MetricsReport *reports;   /* [set_count] in the order of sets */
    EvalAtThresholds *at;     /* [set_count]; NULL unless adapter->calibrated */
    EvalPerturbed *perturbed; /* [perturbed_count] strengths of one kind stand together */
    int perturbed_count;
} EvalResult;

/* Result `other` of the same frames against the first: differences are other - first. */
typedef struct EvalComparison {
    const EvalResult *first, *other;
    MetricsComparison *sets; /* [set_count] */
} EvalComparison;

/* Declared in eval_scores.h. */
struct EvalScoring;
struct EvalScores;

/*
 * Computes metrics and intervals of every pass of `scores`, and what the thresholds of a calibrated
 * adapter do. Takes what it needs over from *scores, which may be closed afterwards.
 * result->provenance, filled by eval_score, stays. STATUS_FAILED without memory, or if a video has
 * two labels within a set. To be freed (eval_result_free) in every case.
 */
Status eval_result_make(EvalResult *result, const struct EvalScoring *scoring,
                        const EvalAdapter *adapter, const struct EvalScores *scores,
                        const MetricsUncertainty *settings, Error *error);
void eval_result_free(EvalResult *result);

/*
 * The row of frame i of a set, probabilities [all frames of the evaluation,2] and margins [the
 * same]; strings are borrowed from the set. Numbers are as predictions.csv shows them, since
 * metrics are computed from exactly these.
 */
MetricsPrediction eval_prediction(const EvalSet *set, int i, const float *probabilities,
                                  const float *margins);

#endif
