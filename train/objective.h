/*
 * objective.h - from the gathered features of a whole batch to the loss, on a tape of its own.
 *
 *     loss = sum over TRAIN_LOSS_ROWS of weight * loss of the row
 *     paper: ce CE(logits, y) + alignment A(z, y) + uniformity U(z)  (arXiv 2503.19683, section 3)
 *
 * It sees the full batch, however small the micro-batches that the encoder embedded.
 */
#ifndef LNCLIP_TRAIN_OBJECTIVE_H
#define LNCLIP_TRAIN_OBJECTIVE_H

#include "vit/head.h"

typedef struct TrainRecipe TrainRecipe; /* recipe.h, which includes this header */

/*
 * The table of losses. Recipe keys, columns of steps.csv and tags of TensorBoard are loops over it,
 * in this order.
 *
 *     LOSS(NAME, name, weight, help)
 *         recipe key loss.name, the weight; column loss_name and tag loss/name, the loss before its
 *         weight; `weight` is that of recipe paper. objective.c defines loss_name(), which computes
 *         it from what it needs of a batch (struct Inputs).
 *     PARAMETER(name, value, minimum, limit, help)
 *         recipe key loss.name, a number from `minimum` to below `limit` that a loss reads from
 *         recipe->loss_name; `value` is that of recipe paper.
 *
 * A new loss is a row and a function here, its operation, a test and a line in docs/method.md.
 */
#define TRAIN_LOSS_ROWS(LOSS, PARAMETER)                                                           \
    LOSS(CE, ce, "1", "weight of the cross-entropy")                                               \
    PARAMETER(label_smoothing, "0", 0, 1, "share of the target spread over both classes")          \
    LOSS(ALIGNMENT, alignment, "0", "weight of the alignment")                                     \
    LOSS(UNIFORMITY, uniformity, "0", "weight of the uniformity")

#define TRAIN_LOSS_SKIP(...)
#define TRAIN_LOSS_ENUM(NAME, ...) TRAIN_LOSS_##NAME,
enum { TRAIN_LOSS_ROWS(TRAIN_LOSS_ENUM, TRAIN_LOSS_SKIP) TRAIN_LOSSES };
#undef TRAIN_LOSS_ENUM

typedef struct TrainLosses {
    float total;
    float part[TRAIN_LOSSES]; /* before their weights */
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
 * memory; *objective is {0} then.
 */
Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error);
void train_objective_destroy(TrainObjective *objective);

/*
 * features: leaf [N,D], N at most batch_size, with or without a gradient; labels [N] of 0 and 1,
 * borrowed until the tape is reset. Records slerp (drawn from (seed, step); only when `training`),
 * head and losses on `tape`, fills *losses, and returns the total [1] to back-propagate from.
 *
 * Every loss is computed and reported, also at weight 0; those of z on the sphere after slerp.
 * On a planning tape labels may be NULL and *losses stays as it is.
 */
Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses);

#endif
