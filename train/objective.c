/*
 * objective.c - see objective.h.
 *
 * SLERP's draws belong to (seed, step, class) and to the order of the batch: every pass over the
 * batch, whatever the micro-batch, and every resumed run sees the same partners and t.
 */
#include "train/objective.h"

#include "tensor/random.h"

#include <assert.h>
#include <stdlib.h>

Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error)
{
    const size_t batch = (size_t)recipe->batch_size;
    *objective = (TrainObjective){
        .recipe = recipe,
        .partner = calloc(batch, sizeof(int)),
        .t = calloc(batch, sizeof(float)),
        .members = calloc(batch, sizeof(int)),
        .order = calloc(batch, sizeof(int)),
    };
    if (objective->partner && objective->t && objective->members && objective->order)
        return STATUS_OK;
    train_objective_destroy(objective);
    return error_set(error, STATUS_FAILED,
                     "objective: no memory for a batch of %d; lower batch_size",
                     recipe->batch_size);
}

void train_objective_destroy(TrainObjective *objective)
{
    free(objective->order);
    free(objective->members);
    free(objective->t);
    free(objective->partner);
    *objective = (TrainObjective){0};
}

/*
 * Pairs the rows of each class that has at least two with a permutation of the class, and draws t
 * for each, between slerp.min and slerp.max. A class of one keeps its row as it is. reference: arXiv 2503.19683, section 3 (SLERP).
 */
static void draw_partners(TrainObjective *objective, const int *labels, int N, int64_t step)
{
    const TrainRecipe *const recipe = objective->recipe;
    const double least = recipe->slerp_min, span = recipe->slerp_max - least;
    for (int label = 0; label < VIT_CLASSES; label++) {
        int count = 0;
        for (int row = 0; row < N; row++) {
            if (labels[row] == label)
                objective->members[count++] = row;
        }
        Random random = random_stream(recipe->seed, RANDOM_SLERP, (uint32_t)step, (uint32_t)label);
        random_permutation(&random, count, objective->order);
        for (int i = 0; i < count; i++) {
            const int row = objective->members[i];
            const double t = random_uniform(&random) * span + least;
            objective->partner[row] = count < 2 ? -1 : objective->members[objective->order[i]];
            objective->t[row] = (float)t;
        }
    }
}

/*
 * sum + weight * part; a weight of 0 leaves the part out of the graph, so nothing flows back into
 * it.
 */
static Tensor *add_part(Tape *tape, Tensor *sum, Tensor *part, double weight)
{
    if (weight == 0)
        return sum;
    Tensor *const scaled = weight == 1 ? part : op_scale(tape, part, (float)weight);
    return sum ? op_add(tape, sum, scaled) : scaled;
}

Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses)
{
    const TrainRecipe *const recipe = objective->recipe;
    const bool planning = tape_is_planning(tape);
    const int N = features->shape[0];
    assert(features->ndim == 2 && N <= recipe->batch_size && (labels || planning));

    Tensor *f = features; /* [N,D] */
    if (recipe->slerp && training) {
        if (!planning)
            draw_partners(objective, labels, N, step);
        f = op_slerp(tape, f, objective->partner, objective->t);
    }
    Tensor *z = NULL;                                           /* [N,D] on the unit sphere */
    Tensor *const logits = vit_head_forward(head, tape, f, &z); /* [N,2] */

    Tensor *const ce = op_cross_entropy(tape, logits, labels, (float)recipe->loss_label_smoothing);
    Tensor *const alignment = op_alignment(tape, z, labels);
    Tensor *const uniformity = op_uniformity(tape, z);
    Tensor *total = add_part(tape, NULL, ce, recipe->loss_ce);
    total = add_part(tape, total, alignment, recipe->loss_alignment);
    total = add_part(tape, total, uniformity, recipe->loss_uniformity);
    if (!total) /* all weights 0: nothing to learn, but a run may still be asked for its losses */
        total = op_scale(tape, ce, 0);
    if (!planning)
        *losses = (TrainLosses){
            .total = *tensor_f32(total),
            .ce = *tensor_f32(ce),
            .alignment = *tensor_f32(alignment),
            .uniformity = *tensor_f32(uniformity),
        };
    return total;
}
