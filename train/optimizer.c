/*
 * optimizer.c - see optimizer.h.
 *
 * Plain f32 loops in PyTorch's order of operations, so that a run can be compared with a PyTorch
 * run value by value. Single-threaded: the 104,450 parameters of LN-tuning take a millisecond.
 */
#include "train/optimizer.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* torch.optim.AdamW's default; both papers keep it. */
static const double adamw_eps = 1e-8;

Status train_optimizer_create(TrainOptimizer *optimizer, const TrainRecipe *recipe, size_t count,
                              Error *error)
{
    assert(optimizer && recipe && error);
    *optimizer = (TrainOptimizer){.kind = recipe->optimizer,
                                  .beta1 = recipe->beta1,
                                  .beta2 = recipe->beta2,
                                  .eps = adamw_eps,
                                  .weight_decay = recipe->weight_decay,
                                  .count = count};
    const char *what = "the optimizer state (train fewer parameters: tune)";
    if ((optimizer->first = mem_new(count, sizeof *optimizer->first, what, error)) &&
        (recipe->optimizer == TRAIN_OPTIMIZER_SGD ||
         (optimizer->second = mem_new(count, sizeof *optimizer->second, what, error))))
        return STATUS_OK;
    train_optimizer_destroy(optimizer);
    return error->status;
}

void train_optimizer_destroy(TrainOptimizer *optimizer)
{
    free(optimizer->first);
    free(optimizer->second);
    *optimizer = (TrainOptimizer){0};
}

/*
 * p <- p (1 - lr wd);  m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2
 * p <- p - lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps)
 */
static void adamw(const TrainOptimizer *optimizer, const VitTunedEntry *entry, VitTuned *tuned,
                  double lr)
{
    const double t = (double)optimizer->steps;
    const float keep1 = (float)optimizer->beta1, add1 = (float)(1 - optimizer->beta1);
    const float keep2 = (float)optimizer->beta2, add2 = (float)(1 - optimizer->beta2);
    const float correction2 = (float)sqrt(1 - pow(optimizer->beta2, t));
    const float rate = (float)(lr / (1 - pow(optimizer->beta1, t)));
    const float eps = (float)optimizer->eps;
    const float shrink = entry->decays ? (float)(1 - lr * optimizer->weight_decay) : 1;
    float *p = tuned->values + entry->offset;
    const float *g = tuned->grads + entry->offset;
    float *m = optimizer->first + entry->offset, *v = optimizer->second + entry->offset;
    for (size_t i = 0; i < entry->count; i++) {
        m[i] = m[i] * keep1 + add1 * g[i];
        v[i] = v[i] * keep2 + add2 * g[i] * g[i];
        const float denominator = sqrtf(v[i]) / correction2 + eps;
        p[i] = p[i] * shrink - rate * m[i] / denominator;
    }
}

/*
 * g <- g + wd p;  m <- momentum m + g;  p <- p - lr m. (torch.optim.SGD, dampening 0, no Nesterov.)
 */
static void sgd(const TrainOptimizer *optimizer, const VitTunedEntry *entry, VitTuned *tuned,
                double lr)
{
    const float momentum = (float)optimizer->beta1, rate = (float)lr;
    const float decay = entry->decays ? (float)optimizer->weight_decay : 0;
    float *p = tuned->values + entry->offset;
    const float *g = tuned->grads + entry->offset;
    float *m = optimizer->first + entry->offset;
    for (size_t i = 0; i < entry->count; i++) {
        m[i] = m[i] * momentum + (g[i] + decay * p[i]);
        p[i] -= rate * m[i];
    }
}

void train_optimizer_step(TrainOptimizer *optimizer, VitTuned *tuned, double lr)
{
    assert(optimizer && tuned && optimizer->count == tuned->count);
    optimizer->steps++;
    for (int i = 0; i < tuned->entry_count; i++) {
        assert(tuned->entries[i].offset + tuned->entries[i].count <= tuned->count);
        if (optimizer->kind == TRAIN_OPTIMIZER_ADAMW)
            adamw(optimizer, &tuned->entries[i], tuned, lr);
        else
            sgd(optimizer, &tuned->entries[i], tuned, lr);
    }
}

double train_grad_norm(const VitTuned *tuned)
{
    double sum = 0;
    for (size_t i = 0; i < tuned->count; i++)
        sum += (double)tuned->grads[i] * tuned->grads[i];
    return sqrt(sum);
}

void train_clip_grads(VitTuned *tuned, double norm, double limit)
{
    assert(limit > 0);
    const double factor = limit / (norm + 1e-6); /* PyTorch's guard against a zero norm */
    if (!(factor < 1))
        return;
    for (size_t i = 0; i < tuned->count; i++)
        tuned->grads[i] *= (float)factor;
}

/* ---- learning rate --------------------------------------------------------------------------- */

/*
 * The learning rate is a pure function of the step, so resuming needs no scheduler state. PyTorch
 * computes the same values recursively (CosineAnnealingLR) or by counting cycles
 * (CosineAnnealingWarmRestarts); GenD's code chains them after a LinearLR warm-up (SequentialLR).
 */
int64_t train_schedule_steps(double epochs, int64_t steps_per_epoch)
{
    return (int64_t)(epochs * (double)steps_per_epoch);
}

/* Half a cosine from lr at position 0 to min_lr at position `length`. */
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
