/*
 * eval_scores.h - scores all frames of an evaluation, unperturbed and under every perturbation.
 *
 * eval_score continues an interrupted evaluation (eval_partial.h). Progress is reported through
 * EvalEvents; nothing is printed. One evaluation at a time may use a model.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_SCORES_H
#define LNCLIP_TRAIN_EVAL_EVAL_SCORES_H

#include "train/eval/eval_partial.h"
#include "train/eval/eval_result.h"
#include "train/evaluate.h"
#include "vit/vit.h"

/* Pass 0 is unperturbed; pass 1 + i has perturbation i. */
typedef struct EvalScores {
    float *probabilities;  /* [passes][sets->count,2] */
    float *margins;        /* [passes][sets->count] logit of fake - logit of real */
    EvalPartial *partials; /* [passes] */
    int passes;
    size_t count; /* sets->count */
} EvalScores;

/* Callbacks; each may be NULL. */
typedef struct EvalEvents {
    /* Saved scores have been read: see EvalPartial.done, replaced and unlocked. */
    void (*opened)(void *context, const EvalScores *scores);
    /* `done` of `total` frames of all sets and passes are scored; the rate is that of this run. */
    void (*progress)(void *context, size_t done, size_t total, double images_per_second);
    /* Scores can no longer be saved to this file (disk full); the evaluation continues. */
    void (*not_kept)(void *context, const char *path);
    void *context;
} EvalEvents;

/* Inputs and settings of an evaluation. All pointers are borrowed. */
typedef struct EvalScoring {
    const EvalSets *sets;
    const DataPerturbation *perturbations; /* [perturbation_count] */
    int perturbation_count;
    uint64_t seed; /* random seed of noise */
    /* The model with its adapter, not yet packed. */
    const char *model; /* path */
    Vit *vit;
    VitHead *head;
    Precision precision;
    Threads *threads;
    TrainScoring settings; /* batch_size, workers, stop */
    EvalEvents events;
} EvalScoring;

/*
 * Applies the calibration of `adapter` to the head if it is `calibrated`, and scores all frames
 * whose scores are not yet saved in `folder`. Each pass is saved in a file there until
 * eval_scores_close, so that the same command can continue. The folder is created; NULL saves
 * nothing. Fills the fields of *provenance that depend on the model. STATUS_INTERRUPTED after a
 * signal; STATUS_FAILED if a frame cannot be read, a file cannot be written or memory runs out.
 * Call eval_scores_close in every case.
 */
Status eval_score(const EvalScoring *scoring, const EvalAdapter *adapter, const char *folder,
                  EvalScores *scores, EvalProvenance *provenance, Error *error);

/* Frees the scores; `finished` also deletes the saved ones. Accepts {0}. */
void eval_scores_close(EvalScores *scores, bool finished);

#endif
