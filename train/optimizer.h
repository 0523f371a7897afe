/*
 * optimizer.h - AdamW and SGD on the flat array of trainable parameters, and learning-rate
 * schedules.
 *
 * An optimizer belongs to one run and one thread. Its state is `first`, `second` and `steps`, which
 * the checkpoint saves and restores. The learning rate is a function of the step, not state.
 *
 * Tests: tests/test_optimizer.c.
 */
#ifndef LNCLIP_TRAIN_OPTIMIZER_H
#define LNCLIP_TRAIN_OPTIMIZER_H

#include "train/recipe.h"
#include "vit/tune.h"

typedef struct TrainOptimizer {
    TrainOptimizerKind kind;
    double beta1, beta2, eps, weight_decay;
    float *first;  /* [count] first moment (AdamW) or momentum buffer (SGD) */
    float *second; /* [count] second moment (AdamW); NULL for SGD */
    size_t count;  /* parameters */
    int64_t steps; /* completed steps */
} TrainOptimizer;

/*
 * Creates an optimizer for `count` parameters with zero moments. STATUS_FAILED if out of memory;
 * *optimizer is {0} then. The caller frees it by train_optimizer_destroy, which accepts {0}.
 */
Status train_optimizer_create(TrainOptimizer *optimizer, const TrainRecipe *recipe, size_t count,
                              Error *error);
void train_optimizer_destroy(TrainOptimizer *optimizer);

/*
 * Updates tuned->values by one step at learning rate `lr` and increments `steps`; tuned->grads is
 * unchanged. All arithmetic is f32, scalars rounded to f32, as in PyTorch's single-tensor code.
 * AdamW: Loshchilov & Hutter, arXiv 1711.05101, in the order of operations of torch.optim.AdamW
 * (decay first; denominator sqrt(v)/sqrt(1-b2^t) + eps). SGD: torch.optim.SGD with momentum beta1.
 * Weight decay acts only on entries with `decays` set. tuned->count must equal optimizer->count.
 * Cannot fail, allocates nothing.
 */
void train_optimizer_step(TrainOptimizer *optimizer, VitTuned *tuned, double lr);

/*
 * L2 norm of tuned->grads, accumulated in double in index order. Not finite if a gradient is not.
 */
double train_grad_norm(const VitTuned *tuned);

/*
 * Scales the gradients by limit / (norm + 1e-6) if that is below 1, as does
 * torch.nn.utils.clip_grad_norm_. `norm` is their train_grad_norm; limit > 0. No-op for a NaN norm.
 */
void train_clip_grads(VitTuned *tuned, double norm, double limit);

/*
 * Number of optimizer steps in `epochs`, rounded down, as in GenD's code. For warm-up and cycles.
 */
int64_t train_schedule_steps(double epochs, int64_t steps_per_epoch);

/*
 * The learning rate of optimizer step s = `step` (from 0) of T = `total`.
 *
 *   warm-up:  w = floor(warmup_epochs steps_per_epoch) steps at min + (lr - min) s/w, from min
 *   then, with s' = s - w:
 *   cosine:   min + (lr - min)/2 (1 + cos(pi s'/T)), from lr. The period is T even after a
 *             warm-up, as in GenD's code; the last step is then above min
 *   cyclic:   min + (lr - min)/2 (1 + cos(pi (s' mod c)/c)), warm restarts every
 *             c = floor(cycle_epochs steps_per_epoch) steps; c >= 1
 *   constant: lr
 */
double train_learning_rate(const TrainRecipe *recipe, int64_t step, int64_t total,
                           int64_t steps_per_epoch);

#endif
