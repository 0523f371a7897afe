/*
 * optimizer.c - see optimizer.h.
 *
 * Plain loops over the flat arrays, in f32 and in PyTorch's order of operations, so that a run can be laid
 * beside a PyTorch one number by number. No threads: LN-tuning has 104,450 numbers, a millisecond's work.
 */
#include "train/optimizer.h"

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
    const size_t length = count > 0 ? count : 1;
    const bool adamw = recipe->optimizer == TRAIN_OPTIMIZER_ADAMW;
    optimizer->first = calloc(length, sizeof *optimizer->first);
    optimizer->second = adamw ? calloc(length, sizeof *optimizer->second) : NULL;
    if (!optimizer->first || (adamw && !optimizer->second)) {
        train_optimizer_destroy(optimizer);
        return error_set(error, STATUS_FAILED,
                         "optimizer: no memory for the moments of %zu numbers; "
                         "free some, or tune less",
                         count);
    }
    return STATUS_OK;
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
    float *const p = tuned->values + entry->offset;
    const float *const g = tuned->grads + entry->offset;
    float *const m = optimizer->first + entry->offset, *const v = optimizer->second + entry->offset;
    for (size_t i = 0; i < entry->count; i++) {
        m[i] = m[i] * keep1 + add1 * g[i];
        v[i] = v[i] * keep2 + add2 * g[i] * g[i];
        const float denominator = sqrtf(v[i]) / correction2 + eps;
        p[i] = p[i] * shrink - rate * m[i] / denominator;
    }
}

/* g <- g + wd p;  m <- momentum m + g;  p <- p - lr m. (torch.optim.SGD, dampening 0, no Nesterov.) */
static void sgd(const TrainOptimizer *optimizer, const VitTunedEntry *entry, VitTuned *tuned,
                double lr)
{
    const float momentum = (float)optimizer->beta1, rate = (float)lr;
    const float decay = entry->decays ? (float)optimizer->weight_decay : 0;
    float *const p = tuned->values + entry->offset;
    const float *const g = tuned->grads + entry->offset;
    float *const m = optimizer->first + entry->offset;
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
