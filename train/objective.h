/*
 * objective.h - the loss of a whole batch, computed from its gathered features on a separate tape.
 *
 *     loss = sum over TRAIN_LOSS_ROWS of weight * loss of the row
 *     paper: ce CE(logits, y) + alignment A(z, y) + uniformity U(z)  (arXiv 2503.19683, section 3)
 *
 * The loss covers the full batch, whatever the micro-batch size of the encoder.
 *
 * Tests: tests/test_objective.c.
 */
#ifndef LNCLIP_TRAIN_OBJECTIVE_H
#define LNCLIP_TRAIN_OBJECTIVE_H

#include "vit/head.h"

typedef struct TrainRecipe TrainRecipe; /* recipe.h, which includes this header */

/*
 * The table of losses. Recipe keys, columns of steps.csv and TensorBoard tags are generated from
 * it, in this order.
 *
 *     LOSS(NAME, name, weight, help)
 *         Recipe key loss.name is the weight, `weight` its value in recipe paper. Column loss_name
 *         and tag loss/name hold the unweighted loss, which loss_name() in objective.c computes
 *         from struct Inputs.
 *     PARAMETER(name, value, minimum, limit, help)
 *         Recipe key loss.name is a number in [minimum, limit), `value` in recipe paper. Losses
 *         read it from recipe->loss_name.
 *
 * To add a loss: a row here, its loss_name(), its operation, a test and a line in docs/method.md.
 */
#define TRAIN_LOSS_ROWS(LOSS, PARAMETER)                                                           \
    LOSS(CE, ce, "1", "weight of the cross-entropy loss")                                          \
    PARAMETER(label_smoothing, "0", 0, 1,                                                          \
              "label smoothing: share of the target spread over both classes")                     \
    LOSS(ALIGNMENT, alignment, "0", "weight of the alignment loss")                                \
    LOSS(UNIFORMITY, uniformity, "0", "weight of the uniformity loss")

#define TRAIN_LOSS_SKIP(...)
#define TRAIN_LOSS_ENUM(NAME, ...) TRAIN_LOSS_##NAME,
enum { TRAIN_LOSS_ROWS(TRAIN_LOSS_ENUM, TRAIN_LOSS_SKIP) TRAIN_LOSSES };
#undef TRAIN_LOSS_ENUM

typedef struct TrainLosses {
    float total;
    float part[TRAIN_LOSSES]; /* unweighted */
} TrainLosses;

/* Buffers of the objective for batches of up to recipe->batch_size. For one thread at a time. */
typedef struct TrainObjective {
    const TrainRecipe *recipe; /* borrowed */
    int *partner;              /* [batch_size] row that slerp mixes with; -1 = none */
    float *t;                  /* [batch_size] slerp parameter: 0 = own row, 1 = partner */
    int *members, *order;      /* [batch_size] rows of one class, and their permutation */
} TrainObjective;

/* Maximum number of operations recorded by train_objective_forward, for tape_create. */
enum { TRAIN_OBJECTIVE_OPERATIONS = 32 };

/*
 * `recipe` is borrowed until train_objective_destroy, which also accepts {0}. STATUS_FAILED without
 * memory; *objective is {0} then.
 */
Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error);
void train_objective_destroy(TrainObjective *objective);

/*
 * Records slerp (only if `training`), head and losses on `tape`, fills *losses and returns the
 * total loss [1], from which to back-propagate. Cannot fail.
 *
 * features: leaf [N,D], N at most batch_size, with or without a gradient. labels: [N] of 0 (real)
 * and 1 (fake), borrowed until the tape is reset. The random draws of slerp depend on (seed, step).
 *
 * Every loss is computed, also at weight 0. Alignment and uniformity use z, the unit-length
 * features after slerp. On a planning tape labels may be NULL and *losses is unchanged.
 */
Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses);

#endif
