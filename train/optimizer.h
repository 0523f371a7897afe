/*
 * optimizer.h - AdamW and SGD over the flat array of what trains, and the learning-rate schedules.
 */
#ifndef LNCLIP_TRAIN_OPTIMIZER_H
#define LNCLIP_TRAIN_OPTIMIZER_H

#include "train/recipe.h"
#include "vit/tune.h"

typedef struct TrainOptimizer {
    TrainOptimizerKind kind;
    double beta1, beta2, eps, weight_decay;
    float *first;  /* [count] exponential average of gradients (AdamW), or momentum (SGD) */
    float *second; /* [count] of their squares (AdamW); NULL for SGD */
    size_t count;
    int64_t steps; /* completed */
} TrainOptimizer;

Status train_optimizer_create(TrainOptimizer *optimizer, const TrainRecipe *recipe, size_t count,
                              Error *error);
void train_optimizer_destroy(TrainOptimizer *optimizer);

/*
 * One step at rate `lr` over tuned->values from tuned->grads. AdamW: Loshchilov & Hutter, arXiv 1711.05101, in
 * the order of operations of torch.optim.AdamW (decay first; denominators sqrt(v)/sqrt(1-b2^t) + eps).
 * SGD: torch.optim.SGD with momentum beta1. Decay acts on entries that decay only.
 */
void train_optimizer_step(TrainOptimizer *optimizer, VitTuned *tuned, double lr);

/* Euclidean norm of tuned->grads, in double. */
double train_grad_norm(const VitTuned *tuned);

/* Scales the gradients so that their norm is at most `limit`, as torch.nn.utils.clip_grad_norm_. */
void train_clip_grads(VitTuned *tuned, double norm, double limit);

/*
 * The rate of optimizer step `step` (from 0) of `total`, with `steps_per_epoch` for cycles and warm-up.
 * cosine: min + (lr - min)/2 (1 + cos(pi s / T)). See docs/recipes.md.
 */
double train_learning_rate(const TrainRecipe *recipe, int64_t step, int64_t total,
                           int64_t steps_per_epoch);

#endif
