/*
 * objective.h - from the gathered features of a whole batch to the loss, on a tape of its own.
 *
 *     loss = ce CE(logits, y) + alignment A(z, y) + uniformity U(z)       (arXiv 2503.19683, section 3)
 *
 * The batch is whole here, however small the pieces in which the encoder saw it.
 */
#ifndef LNCLIP_TRAIN_OBJECTIVE_H
#define LNCLIP_TRAIN_OBJECTIVE_H

#include "train/recipe.h"
#include "vit/head.h"

typedef struct TrainLosses {
    float total, ce, alignment, uniformity; /* the three parts before their weights */
} TrainLosses;

/* Working arrays of the objective for batches of up to `batch_size`. */
typedef struct TrainObjective {
    const TrainRecipe *recipe; /* borrowed */
    int *partner;              /* [batch_size] of slerp */
    float *t;                  /* [batch_size] */
} TrainObjective;

Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error);
void train_objective_destroy(TrainObjective *objective);

/*
 * features: leaf [N,D] with its gradient; labels [N]. Records slerp (drawn from (seed, step); off in
 * validation), head and losses on `tape`, fills *losses, and returns the total [1] to back-propagate from.
 * alignment and uniformity are computed and reported even at weight 0, on the sphere after slerp.
 */
Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses);

#endif
