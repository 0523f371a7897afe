/*
 * eval_scores.h - the scores of all frames: of one adapter, without and under every perturbation.
 */
#ifndef LNCLIP_TOOLS_EVAL_EVAL_SCORES_H
#define LNCLIP_TOOLS_EVAL_EVAL_SCORES_H

#include "tools/cli/cli_model.h"
#include "tools/eval/eval_sets.h"
#include "train/eval/eval_partial.h"

/* What is to be scored, and how. Everything is borrowed. */
typedef struct EvalScoring {
    const CliArguments *arguments;
    const CliModelOptions *options; /* without an adapter */
    const EvalSets *sets;
    const DataPerturbation *perturbations; /* [perturbation_count] */
    int perturbation_count;
    uint64_t seed; /* of noise */
} EvalScoring;

/* Pass 0 shows the frames as they are, pass 1 + i under perturbation i. */
typedef struct EvalScores {
    float *probabilities;  /* [passes][sets->count,2] */
    float *margins;        /* [passes][sets->count] logit of fake less logit of real */
    EvalPartial *partials; /* [passes] */
    int passes;
} EvalScores;

/*
 * Loads the model with `adapter`, applies its calibration if it is `calibrated`, and scores whatever `folder`
 * does not hold already: each pass is kept there in a file of its own until eval_scores_close, so that the
 * same command goes on where it was stopped. The folder is made once the model is known to be good; NULL
 * keeps nothing. Fills the part of
 * *provenance that the model knows. STATUS_INTERRUPTED after a signal. *scores is to be closed in every case.
 */
Status eval_score(const EvalScoring *scoring, const EvalAdapter *adapter, const char *folder,
                  EvalScores *scores, EvalProvenance *provenance, Error *error);

/* Frees the scores; `finished` also deletes what was kept for a restart. {0} is allowed. */
void eval_scores_close(EvalScores *scores, bool finished);

#endif
