/*
 * schedule.c - the learning rate of a step, in closed form: see optimizer.h.
 *
 * A pure function of the step, so that resuming needs no state. PyTorch's schedulers reach the same
 * values by recursion (CosineAnnealingLR) or by counting cycles (CosineAnnealingWarmRestarts);
 * GenD's code chains them to a LinearLR for the warm-up (SequentialLR).
 */
#include "train/optimizer.h"

#include <assert.h>
#include <math.h>

int64_t train_schedule_steps(double epochs, int64_t steps_per_epoch)
{
    return (int64_t)(epochs * (double)steps_per_epoch);
}

/* From lr at position 0 to min_lr at position `length`, along half a cosine. */
static double half_cosine(const TrainRecipe *recipe, int64_t position, int64_t length)
{
    const double pi = 3.14159265358979323846;
    const double height = 0.5 * (recipe->lr - recipe->min_lr);
    return recipe->min_lr + height * (1 + cos(pi * (double)position / (double)length));
}

double train_learning_rate(const TrainRecipe *recipe, int64_t step, int64_t total,
                           int64_t steps_per_epoch)
{
    assert(recipe && step >= 0 && step < total && steps_per_epoch > 0);
    const int64_t warmup = train_schedule_steps(recipe->warmup_epochs, steps_per_epoch);
    if (step < warmup)
        return recipe->min_lr + (recipe->lr - recipe->min_lr) * ((double)step / (double)warmup);
    switch (recipe->scheduler) {
    case TRAIN_SCHEDULER_COSINE:
        return half_cosine(recipe, step - warmup, total);
    case TRAIN_SCHEDULER_CYCLIC: {
        const int64_t cycle = train_schedule_steps(recipe->cycle_epochs, steps_per_epoch);
        assert(cycle > 0 && "checked before the run");
        return half_cosine(recipe, (step - warmup) % cycle, cycle);
    }
    case TRAIN_SCHEDULER_CONSTANT:
        return recipe->lr;
    }
    assert(0 && "a known scheduler");
    return recipe->lr;
}
