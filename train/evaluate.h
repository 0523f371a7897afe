/*
 * evaluate.h - scoring frames: the encoder and head without gradients.
 */
#ifndef LNCLIP_TRAIN_EVALUATE_H
#define LNCLIP_TRAIN_EVALUATE_H

#include "data/loader.h"
#include "vit/head.h"

#include <signal.h>

typedef struct TrainScoring {
    int batch_size; /* images in memory at once */
    int workers;
    bool tolerant; /* an unreadable frame yields NaN and an Error instead of ending the run */
    volatile sig_atomic_t *stop; /* may be NULL */
    void (*progress)(void *context, int done, int total, double images_per_second); /* may be NULL */
    /* Called for each unreadable frame when tolerant; may be NULL. */
    void (*unreadable)(void *context, const DataFrame *frame, const Error *error);
    void *context;
} TrainScoring;

TrainScoring train_scoring_defaults(void);

/*
 * Scores frames [first, list->count) in list order. features: NULL, or [count,D] filled with the pooled
 * feature; probabilities: NULL, or [count,2] filled with softmax(logits). head may be NULL
 * when probabilities is. Both arrays are indexed by frame. STATUS_INTERRUPTED if stopped.
 */
Status train_score(const Vit *vit, VitHead *head, const DataList *list, int first,
                   const TrainScoring *scoring, Threads *threads, float *features,
                   float *probabilities, Error *error);

#endif
