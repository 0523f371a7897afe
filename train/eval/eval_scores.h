/*
 * eval_scores.h - the scores of all frames of an evaluation, without and under every perturbation.
 *
 * eval_score continues what an interrupted evaluation left (eval_partial.h). Nothing here prints:
 * progress, and what was kept, is reported through EvalEvents. One evaluation at a time may use a
 * model.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_SCORES_H
#define LNCLIP_TRAIN_EVAL_EVAL_SCORES_H

#include "train/eval/eval_partial.h"
#include "train/eval/eval_result.h"
#include "train/evaluate.h"
#include "vit/vit.h"

/* Pass 0 shows the frames as they are, pass 1 + i under perturbation i. */
typedef struct EvalScores {
    float *probabilities;  /* [passes][sets->count,2] */
    float *margins;        /* [passes][sets->count] logit of fake less logit of real */
    EvalPartial *partials; /* [passes] */
    int passes;
    size_t count; /* sets->count */
} EvalScores;

/* What the caller is told meanwhile, with `context`; each may be NULL. */
typedef struct EvalEvents {
    /* The scores that an earlier try left are read: see EvalPartial.done, replaced and unlocked. */
    void (*opened)(void *context, const EvalScores *scores);
    /* `done` of all passes' frames are scored, at so many a second. */
    void (*progress)(void *context, size_t done, size_t total, double images_per_second);
    /* Scores can no longer be kept in this file (a full disk); the evaluation goes on. */
    void (*not_kept)(void *context, const char *path);
    void *context;
} EvalEvents;

/* What is to be scored, and how. Everything is borrowed. */
typedef struct EvalScoring {
    const EvalSets *sets;
    const DataPerturbation *perturbations; /* [perturbation_count] */
    int perturbation_count;
    uint64_t seed; /* of noise */
    /* The model with its adapter, not packed yet. */
    const char *model; /* its path */
    Vit *vit;
    VitHead *head;
    Precision precision;
    Threads *threads;
    TrainScoring settings; /* batch_size, workers, stop */
    EvalEvents events;
} EvalScoring;

/*
 * Applies the calibration of `adapter` to the head if it is `calibrated`, and scores whatever
 * `folder` does not hold already: each pass is kept there in a file of its own until
 * eval_scores_close, so that the same command continues where it was stopped. The folder is made;
 * NULL keeps nothing. Fills the part of *provenance that the model knows. STATUS_INTERRUPTED after
 * a signal. *scores is to be closed in every case.
 */
Status eval_score(const EvalScoring *scoring, const EvalAdapter *adapter, const char *folder,
                  EvalScores *scores, EvalProvenance *provenance, Error *error);

/* Frees the scores; `finished` also deletes what was kept for a restart. {0} is allowed. */
void eval_scores_close(EvalScores *scores, bool finished);

#endif
