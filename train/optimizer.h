/*
 * optimizer.h - AdamW and SGD over the flat array of trainable parameters, and the learning-rate
 * schedules.
 *
 * An optimizer belongs to one run and one thread. Its whole state is `first`, `second` and `steps`,
 * which the checkpoint saves and restores. The rate is not part of it: it is a function of the
 * step.
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

/*
 * An optimizer of `count` parameters, moments zero, no step done. STATUS_FAILED without memory;
 * *optimizer is empty then. Owned by the caller: train_optimizer_destroy, which an empty one
 * survives.
 */
Status train_optimizer_create(TrainOptimizer *optimizer, const TrainRecipe *recipe, size_t count,
                              Error *error);
void train_optimizer_destroy(TrainOptimizer *optimizer);

/*
 * One step at rate `lr` over tuned->values from tuned->grads, which stay; steps grows by one. f32
 * throughout, with the scalars rounded to f32, as PyTorch's single-tensor code computes. AdamW:
 * Loshchilov & Hutter, arXiv 1711.05101, in the order of operations of torch.optim.AdamW (decay
 * first; denominator sqrt(v)/sqrt(1-b2^t) + eps). SGD: torch.optim.SGD with momentum beta1. Decay
 * acts on entries that decay only. tuned->count must be the optimizer's. Cannot fail, allocates
 * nothing.
 */
void train_optimizer_step(TrainOptimizer *optimizer, VitTuned *tuned, double lr);

/*
 * Euclidean norm of tuned->grads, summed in double in their order. Not finite if a gradient is not.
 */
double train_grad_norm(const VitTuned *tuned);

/*
 * Scales the gradients by limit / (norm + 1e-6) if that is below 1, as
 * torch.nn.utils.clip_grad_norm_. `norm` is their train_grad_norm, limit > 0. Does nothing for a
 * norm that is not a number.
 */
void train_clip_grads(VitTuned *tuned, double norm, double limit);

/*
 * Optimizer steps in `epochs`, for warm-up and cycles; a fraction of a step is dropped, as in
 * GenD's code.
 */
int64_t train_schedule_steps(double epochs, int64_t steps_per_epoch);

/*
 * The rate of optimizer step s = `step` (from 0) of T = `total`, with `steps_per_epoch` for cycles
 * and warm-up. Warm-up, w = floor(warmup_epochs steps_per_epoch) steps: min + (lr - min) s/w, so
 * step 0 runs at min. Then, with s' = s - w:
 *   cosine:   min + (lr - min)/2 (1 + cos(pi s'/T)): the first step at lr. The period is T also
 *             after a warm-up, as in GenD's code, so that the last step runs above min then
 *   cyclic:   the same with s' mod c and c = floor(cycle_epochs steps_per_epoch), which must be 1
 *             or more, for T: warm restarts
 *   constant: lr
 */
double train_learning_rate(const TrainRecipe *recipe, int64_t step, int64_t total,
                           int64_t steps_per_epoch);

#endif
