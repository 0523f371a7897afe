/*
 * evaluate.h - scoring frames: the encoder and head without gradients.
 *
 * A frame's feature and probability depend on the frame alone: not on its batch, nor on threads or
 * workers.
 */
#ifndef LNCLIP_TRAIN_EVALUATE_H
#define LNCLIP_TRAIN_EVALUATE_H

#include "data/loader.h"
#include "vit/head.h"

#include <signal.h>

typedef struct TrainScoring {
    int batch_size; /* images in memory at once */
    int workers;
    /*
     * What is done to every image before preprocessing: {0}, or a perturbation whose draws depend
     * on the seed and the frame's place in the list alone.
     */
    DataAugment augment;
    uint64_t seed;
    size_t decode_bytes; /* as DataLoaderSettings has it; 0 = a quarter of the machine's memory */
    bool tolerant;       /* an unreadable frame yields NaN and an Error instead of ending the run */
    volatile sig_atomic_t *stop; /* may be NULL */
    void (*progress)(void *context, int done, int total,
                     double images_per_second); /* may be NULL */
    /* Called for each unreadable frame when tolerant; may be NULL. */
    void (*unreadable)(void *context, const DataFrame *frame, const Error *error);
    void *context;
    bool *not_finite;     /* NULL, or set if it fails because a score is not finite */
    float *cross_entropy; /* NULL, or [count] to be filled with -log softmax(logits)[label] */
    /*
     * NULL, or [count] to be filled with logits[1] - logits[0]: ranks frames whose probability is 0
     * or 1 in f32
     */
    float *margins;
    /*
     * NULL, or an empty arena to work in, used if it is large enough, and empty again afterwards.
     */
    Arena *arena;
} TrainScoring;

/* batch_size 8, one worker, everything else off. */
TrainScoring train_scoring_defaults(void);

/* The settings of the loader that train_score uses for this model. */
DataLoaderSettings train_scoring_loader(const TrainScoring *scoring, const VitConfig *config);

/*
 * Scores frames [first, list->count) in list order. features: NULL, or [count,D] filled with the
 * pooled feature; probabilities: NULL, or [count,2] filled with softmax(logits). head may be NULL
 * when probabilities, scoring->cross_entropy and scoring->margins are. All arrays are indexed by
 * frame; rows before `first` are left alone. STATUS_INTERRUPTED if stopped, STATUS_FAILED for an
 * unreadable frame unless tolerant, or when the weights make a score that is not finite.
 */
Status train_score(const Vit *vit, VitHead *head, const DataList *list, int first,
                   const TrainScoring *scoring, Threads *threads, float *features,
                   float *probabilities, Error *error);

/*
 * The head alone over ready features [count,D]: what train_score would give, to the bit.
 * probabilities [count,2]; cross_entropy: NULL, or [count], for labels [count]; margins: NULL, or
 * [count].
 */
Status train_score_features(VitHead *head, const float *features, const int *labels, int count,
                            Threads *threads, float *probabilities, float *cross_entropy,
                            float *margins, Error *error);

#endif
