/*
 * objective.c - see objective.h.
 *
 * The random draws of slerp depend only on (seed, step, class) and on the order of the batch. SAM's
 * second pass, any micro-batch size and a resumed run therefore get equal partners and t.
 */
#include "train/objective.h"

#include "tensor/base/mem.h"
#include "tensor/random.h"
#include "train/recipe.h"

#include <assert.h>
#include <stdlib.h>

/* ---- The losses ------------------------------------------------------------------------------ */

/* Inputs of the losses for a batch of N images. */
typedef struct Inputs {
    const TrainRecipe *recipe;
    Tensor *logits;    /* [N,2] */
    Tensor *z;         /* [N,D] features on the unit sphere */
    const int *labels; /* [N] */
} Inputs;

static Tensor *loss_ce(Tape *tape, const Inputs *in)
{
    return op_cross_entropy(tape, in->logits, in->labels, (float)in->recipe->loss_label_smoothing);
}

static Tensor *loss_alignment(Tape *tape, const Inputs *in)
{
    return op_alignment(tape, in->z, in->labels);
}

static Tensor *loss_uniformity(Tape *tape, const Inputs *in)
{
    return op_uniformity(tape, in->z);
}

/* loss_name() by row. Each returns a mean over the batch, [1]. */
#define FUNCTION(NAME, name, ...) [TRAIN_LOSS_##NAME] = loss_##name,
static Tensor *(*const functions[TRAIN_LOSSES])(Tape *tape, const Inputs *in) = {
    TRAIN_LOSS_ROWS(FUNCTION, TRAIN_LOSS_SKIP)};

/* ---- The objective --------------------------------------------------------------------------- */

Status train_objective_create(TrainObjective *objective, const TrainRecipe *recipe, Error *error)
{
    const char *what = "the slerp buffers (batch_size)";
    const size_t batch = recipe->batch_size;
    *objective = (TrainObjective){.recipe = recipe};
    if ((objective->partner = mem_new(batch, sizeof(int), what, error)) &&
        (objective->t = mem_new(batch, sizeof(float), what, error)) &&
        (objective->members = mem_new(batch, sizeof(int), what, error)) &&
        (objective->order = mem_new(batch, sizeof(int), what, error)))
        return STATUS_OK;
    train_objective_destroy(objective);
    return error->status;
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
 * Pairs each row with a row of its class, by a random permutation of the class, and draws its t
 * uniformly between slerp.min and slerp.max. The only row of a class gets no partner. Reference:
 * arXiv 2503.19683, section 3 (SLERP).
 */
static void draw_partners(TrainObjective *objective, const int *labels, int N, int64_t step)
{
    const TrainRecipe *recipe = objective->recipe;
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

Tensor *train_objective_forward(TrainObjective *objective, Tape *tape, VitHead *head,
                                Tensor *features, const int *labels, int64_t step, bool training,
                                TrainLosses *losses)
{
    const TrainRecipe *recipe = objective->recipe;
    const bool planning = tape_is_planning(tape);
    const int N = features->shape[0];
    assert(features->ndim == 2 && N <= recipe->batch_size && (labels || planning));

    Tensor *f = features; /* [N,D] */
    if (recipe->slerp && training) {
        if (!planning)
            draw_partners(objective, labels, N, step);
        f = op_slerp(tape, f, objective->partner, objective->t);
    }
    Inputs in = {.recipe = recipe, .labels = labels};
    in.logits = vit_head_forward(head, tape, f, &in.z);

    Tensor *part[TRAIN_LOSSES], *total = NULL;
    for (int i = 0; i < TRAIN_LOSSES; i++)
        part[i] = functions[i](tape, &in);
    for (int i = 0; i < TRAIN_LOSSES; i++) {
        const double weight = recipe->loss_weight[i];
        if (weight == 0) /* keep it out of the graph: no gradient to compute */
            continue;
        Tensor *scaled = weight == 1 ? part[i] : op_scale(tape, part[i], (float)weight);
        total = total ? op_add(tape, total, scaled) : scaled;
    }
    if (!total) /* all weights 0: a constant loss, for callers that only report the losses */
        total = op_scale(tape, part[0], 0);
    if (planning)
        return total;
    losses->total = *tensor_f32(total);
    for (int i = 0; i < TRAIN_LOSSES; i++)
        losses->part[i] = *tensor_f32(part[i]);
    return total;
}
