/*
 * evaluate.h - scores frames: encoder and head, without gradients.
 *
 * Feature and probability of a frame do not depend on its batch, on threads or on workers.
 *
 * Tests: tests/test_evaluate.c.
 */
#ifndef LNCLIP_TRAIN_EVALUATE_H
#define LNCLIP_TRAIN_EVALUATE_H

#include "data/loader.h"
#include "vit/head.h"

#include <signal.h>

typedef struct TrainScoring {
    int batch_size; /* images per batch */
    int workers;    /* loader threads */
    /*
     * Perturbation of every image before preprocessing; {0} = none. Its random draws depend only
     * on the seed and on the index of the frame in the list.
     */
    DataAugment augment;
    uint64_t seed;
    size_t decode_bytes; /* DataLoaderSettings.decode_bytes; 0 = 1/4 of the machine's memory */
    bool tolerant;       /* unreadable frames get NaN scores and are reported, not an error */
    volatile sig_atomic_t *stop; /* may be NULL */
    void (*progress)(void *context, int done, int total,
                     double images_per_second); /* may be NULL */
    /* Called for each unreadable frame when tolerant; may be NULL. */
    void (*unreadable)(void *context, const DataFrame *frame, const Error *error);
    void *context;
    bool *not_finite;     /* set to true if a score is not finite; may be NULL */
    float *cross_entropy; /* output [count]: -log softmax(logits)[label]; may be NULL */
    /*
     * Output [count]: logits[1] - logits[0]; may be NULL. Ranks frames whose probabilities round to
     * 0 or 1 in f32.
     */
    float *margins;
    /* An empty arena, used if large enough and empty again afterwards; may be NULL. */
    Arena *arena;
} TrainScoring;

/* batch_size 8, one worker, all else 0. */
TrainScoring train_scoring_defaults(void);

/* The loader settings that train_score uses for this model. */
DataLoaderSettings train_scoring_loader(const TrainScoring *scoring, const VitConfig *config);

/*
 * Scores frames [first, list->count) in list order. Outputs, each may be NULL: features [count,D]
 * (pooled), probabilities [count,2] (softmax of the logits). They are indexed by frame; rows before
 * `first` are unchanged. head may be NULL if probabilities, scoring->cross_entropy and
 * scoring->margins are NULL. STATUS_INTERRUPTED if stopped; STATUS_FAILED if a frame cannot be read
 * (unless tolerant) or a score is not finite. Use a model from one thread at a time.
 */
Status train_score(const Vit *vit, VitHead *head, const DataList *list, int first,
                   const TrainScoring *scoring, Threads *threads, float *features,
                   float *probabilities, Error *error);

/*
 * Applies the head to features [count,D]. Bit-identical to train_score of the same frames. Outputs:
 * probabilities [count,2]; cross_entropy [count], for labels [count]; margins [count]; the last two
 * may be NULL. STATUS_FAILED if out of memory.
 */
Status train_score_features(VitHead *head, const float *features, const int *labels, int count,
                            Threads *threads, float *probabilities, float *cross_entropy,
                            float *margins, Error *error);

#endif
