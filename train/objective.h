/*
 * objective.h - from the gathered features of a whole batch to the loss, on a tape of its own.
 *
 *     loss = ce CE(logits, y) + alignment A(z, y) + uniformity U(z)     (arXiv 2503.19683, section 3)
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

/* Working arrays of the objective for batches of up to recipe->batch_size. */
typedef struct TrainObjective {
    const TrainRecipe *recipe; /* borrowed */
    int *partner;              /* [batch_size] of slerp */
    float *t;                  /* [batch_size] */
    int *members, *order;      /* [batch_size] the rows of one class, and their permutation */
} TrainObjective;

/* Upper bound on the operations that one train_objective_forward records, for tape_create. */
enum { TRAIN_OBJECTIVE_OPERATIONS = 32 };

/*
 * `recipe` is borrowed until train_objective_destroy, which also accepts {0}. STATUS_FAILED without
 * memory.
 */
Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error);
void train_objective_destroy(TrainObjective *objective);

/*
 * features: leaf [N,D], N at most batch_size, with or without a gradient; labels [N] of 0 and 1,
 * borrowed until the tape is reset. Records slerp (drawn from (seed, step); only when `training`),
 * head and losses on `tape`, fills *losses, and returns the total [1] to back-propagate from.
 *
 * alignment and uniformity are computed and reported even at weight 0, on the sphere after slerp.
 * On a planning tape labels may be NULL and *losses stays as it is.
 */
Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses);

#endif
