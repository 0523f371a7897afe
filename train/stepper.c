/*
 * stepper.c - see stepper.h.
 *
 * A Workspace is an arena and the tapes that use it. Planning runs train_stepper_step in a second
 * Workspace whose arena only measures, so the planned size is exact. A micro-batch that keeps its
 * activations has a tape of its own; all others share the last tape.
 *
 * The operations accumulate parameter gradients image by image. Phase 2 visits the micro-batches in
 * batch order, so the sum is bit-identical for every micro-batch size and every `kept`.
 */
#include "train/stepper.h"

#include "data/image/preprocess.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Rows (tokens of all images) beyond which a matrix product is not faster: 8 images of 257 tokens.
 * Measured with OpenBLAS 0.3.21: 400 GFLOP/s at 257 rows, 450 GFLOP/s at 2056.
 */
enum { ENOUGH_ROWS = 2048 };

/*
 * Memory per thread that is not planned: packing buffers of the BLAS, stacks, stdio. Measured with
 * the matrix products of ViT-L/14 and OpenBLAS 0.3.21.
 */
static const size_t GROWTH_PER_THREAD = (size_t)8 << 20;

/* Bytes per operation in the tables of a tape: a value, a node and the gradient of a leaf. */
enum { OPERATION_BYTES = 368 };

typedef struct MicroBatch {
    int first, count;
    Tape *tape;       /* own tape if the activations are kept, else the shared one */
    float *values;    /* [count,3,S,S], allocated in the arena */
    Tensor pixels;    /* leaf over values */
    Tensor *features; /* [count,1,D] on the tape */
} MicroBatch;

typedef struct Workspace {
    Arena *arena;
    Tape *objective;
    Tape **tapes;              /* [kept + 1], the last one shared */
    int kept;                  /* micro-batches that keep their activations */
    int micro_batch;           /* images per micro-batch; the last one may be smaller */
    MicroBatch *micro_batches; /* [ceil(batch_size / micro_batch)] */
} Workspace;

struct TrainStepper {
    const Vit *vit;
    VitHead *head;
    VitTuned *tuned;
    const TrainRecipe *recipe;
    int batch_size; /* images in the largest batch */
    Threads *threads;
    bool encoder_trains;
    TrainObjective objective;
    float *features;  /* [batch_size,D] */
    float *dfeatures; /* [batch_size,D], NULL with a frozen encoder */
    bool *planned;    /* [batch_size + 1] true if a batch of this size has been planned */
    TrainPlan plan;
    TrainStepTimes times;
    Workspace work;
    void (*watch)(void *context, int done, int total); /* may be NULL */
    void *watch_context;
    int passed; /* image passes done in this step */
};

bool train_encoder_trains(const VitTuned *tuned, const VitHead *head)
{
    for (int i = 0; i < tuned->entry_count; i++) {
        const Tensor *tensor = tuned->entries[i].tensor;
        if (tensor != &head->weight && tensor != &head->bias)
            return true;
    }
    return false;
}

typedef struct Normalize {
    const VitConfig *config;
    const uint8_t *pixels;
    float *out;
} Normalize;

static void normalize_image(void *context, int task, int worker)
{
    (void)worker;
    const Normalize *n = context;
    const int S = n->config->image_size;
    const size_t first = (size_t)3 * S * S * task;
    data_normalize(n->pixels + first, S, n->config->mean, n->config->std, n->out + first);
}

void train_normalize(const VitConfig *config, const uint8_t *pixels, int count, Threads *threads,
                     float *out)
{
    Normalize normalize = {config, pixels, out};
    threads_run(threads, count, normalize_image, &normalize);
}

/* Accepts {0} and a partly created workspace. */
static void workspace_destroy(Workspace *work)
{
    for (int i = 0; work->tapes && i <= work->kept; i++)
        tape_destroy(work->tapes[i]);
    tape_destroy(work->objective);
    arena_destroy(work->arena);
    free(work->micro_batches);
    free(work->tapes);
    *work = (Workspace){0};
}

/* Takes ownership of `arena` in every case. On failure call workspace_destroy. */
static Status workspace_create(Workspace *work, const TrainStepper *stepper, Arena *arena,
                               int micro_batch, int kept, bool recompute, Error *error)
{
    const char *what = "the micro-batches of a step";
    const size_t count = ceil_div(stepper->batch_size, micro_batch);
    assert((size_t)kept <= count && !(kept > 0 && recompute));
    *work = (Workspace){.arena = arena, .kept = kept, .micro_batch = micro_batch};
    work->micro_batches = mem_new(count, sizeof *work->micro_batches, what, error);
    work->tapes = mem_new((size_t)kept + 1, sizeof *work->tapes, what, error);
    if (!work->micro_batches || !work->tapes)
        return error->status;
    TRY(tape_create(&work->objective, arena, stepper->threads, TRAIN_OBJECTIVE_OPERATIONS, error));
    const int operations = vit_model_operations(stepper->vit);
    for (int i = 0; i <= kept; i++)
        TRY(tape_create(&work->tapes[i], arena, stepper->threads, operations, error));
    return recompute
               ? tape_allow_recompute(work->tapes[kept], vit_block_operations(stepper->vit), error)
               : STATUS_OK;
}

/* Splits a batch of `count` images into micro-batches; returns their number. */
static int divide(Workspace *work, int count)
{
    int parts = 0;
    for (int first = 0; first < count; first += work->micro_batch, parts++)
        work->micro_batches[parts] = (MicroBatch){
            .first = first,
            .count = min_int(work->micro_batch, count - first),
            .tape = work->tapes[min_int(parts, work->kept)],
        };
    return parts;
}

/* Runs the encoder on one micro-batch. `pixels` of the whole batch; not read when planning. */
static void embed(TrainStepper *stepper, MicroBatch *part, const uint8_t *pixels, int64_t step,
                  bool recording)
{
    const double start = train_clock();
    const VitConfig *config = &stepper->vit->config;
    const int S = config->image_size;
    const size_t image = (size_t)3 * S * S;
    part->values = arena_alloc(stepper->work.arena, part->count * image * sizeof(float));
    part->pixels = tensor_leaf(part->values, 4, (const int[]){part->count, 3, S, S});
    if (!tape_is_planning(part->tape))
        train_normalize(config, pixels + part->first * image, part->count, stepper->threads,
                        part->values);
    tape_set_recording(part->tape, recording);
    tape_set_dropout(part->tape, (TapeDropout){.p = stepper->recipe->lora_dropout,
                                               .seed = stepper->recipe->seed,
                                               .step = (uint32_t)step,
                                               .first = (uint32_t)part->first});
    part->features = vit_model_forward(stepper->vit, part->tape, &part->pixels, NULL);
    stepper->times.forward += train_clock() - start;
    stepper->times.forward_images += part->count;
}

/* Frees the activations of a micro-batch. */
static void release(Workspace *work, MicroBatch *part)
{
    tape_reset(part->tape);
    arena_free(work->arena, part->values);
    part->values = NULL;
}

Status train_interrupted(Error *error)
{
    return error_set(error, STATUS_INTERRUPTED,
                     "training: stopped by a signal; continue with --resume");
}

static Status interrupted(Workspace *work, Error *error)
{
    for (int i = 0; i <= work->kept; i++)
        tape_reset(work->tapes[i]);
    arena_reset(work->arena); /* frees the pixels of micro-batches that keep their activations */
    return train_interrupted(error);
}

/* Reports the image passes done in both phases of this step. */
static void pass(TrainStepper *stepper, const MicroBatch *part, int batch)
{
    stepper->passed += part->count;
    if (stepper->watch && !arena_is_measuring(stepper->work.arena))
        stepper->watch(stepper->watch_context, stepper->passed,
                       stepper->encoder_trains ? 2 * batch : batch);
}

/*
 * True if planning can skip micro-batch i of `parts`: it keeps nothing and needs as much arena as
 * the previous one. Planning time therefore does not grow with the batch.
 */
static bool adds_nothing(const Workspace *work, int i, int parts)
{
    return arena_is_measuring(work->arena) && i > work->kept && i + 1 < parts;
}

static Status plan_count(TrainStepper *stepper, int count, Error *error);

Status train_stepper_step(TrainStepper *stepper, const DataBatch *batch, const float *features,
                          int64_t step, volatile sig_atomic_t *stop, TrainLosses *losses,
                          Error *error)
{
    assert(!(features && stepper->encoder_trains) && "cached features need a frozen encoder");
    const bool planning = arena_is_measuring(stepper->work.arena);
    const size_t D = vit_model_width(stepper->vit);
    if (!planning) {
        TRY(plan_count(stepper, batch->count, error));
        vit_tuned_zero_grads(stepper->tuned);
    }
    Workspace *work = &stepper->work;
    const int parts = features ? 0 : divide(work, batch->count);
    stepper->passed = 0;

    /* Phase 1: encode each micro-batch and gather the features [count,D] of the batch. */
    for (int i = 0; i < parts; i++) {
        if (stop && *stop)
            return interrupted(work, error);
        if (adds_nothing(work, i, parts))
            continue;
        MicroBatch *part = &work->micro_batches[i];
        const bool keep = i < work->kept;
        embed(stepper, part, batch->pixels, step, keep);
        if (!planning)
            memcpy(stepper->features + part->first * D, tensor_f32(part->features),
                   part->count * D * sizeof(float));
        if (!keep)
            release(work, part);
        pass(stepper, part, batch->count);
    }
    if (features)
        memcpy(stepper->features, features, batch->count * D * sizeof(float));

    /* Loss, a mean over the batch; backward to the head and to the features. */
    Tensor gathered = tensor_leaf(stepper->features, 2, (const int[]){batch->count, (int)D});
    if (stepper->encoder_trains) {
        gathered.needs_grad = true;
        gathered.grad = stepper->dfeatures;
        if (!planning)
            memset(gathered.grad, 0, batch->count * D * sizeof(float));
    }
    Tensor *total = train_objective_forward(&stepper->objective, work->objective, stepper->head,
                                            &gathered, batch->labels, step, true, losses);
    if (total->needs_grad)
        tape_backward(work->objective, total, NULL);
    tape_reset(work->objective);
    if (!stepper->encoder_trains)
        return STATUS_OK;

    /* Phase 2: backward from the features of each micro-batch. Parameter gradients accumulate over
       the micro-batches: the sum is the gradient of the mean over the batch. */
    for (int i = 0; i < parts; i++) {
        if (stop && *stop)
            return interrupted(work, error);
        if (adds_nothing(work, i, parts))
            continue;
        MicroBatch *part = &work->micro_batches[i];
        if (i >= work->kept)
            embed(stepper, part, batch->pixels, step, true);
        const double start = train_clock();
        tape_backward(part->tape, part->features, stepper->dfeatures + part->first * D);
        stepper->times.backward += train_clock() - start;
        stepper->times.backward_images += part->count;
        release(work, part);
        pass(stepper, part, batch->count);
    }
    return STATUS_OK;
}

/* ---- Planning -------------------------------------------------------------------------------- */

/* *bytes: arena size for a batch of `count`, found by running the step in a measuring arena. */
static Status measure(TrainStepper *stepper, int count, int micro_batch, int kept, bool recompute,
                      size_t *bytes, Error *error)
{
    const Workspace work = stepper->work;
    const TrainStepTimes times = stepper->times; /* restored: planning must not count */
    Arena *arena = NULL;
    TrainLosses losses;
    TRY(arena_create_measuring(&arena, error));
    Status status =
        workspace_create(&stepper->work, stepper, arena, micro_batch, kept, recompute, error);
    if (status == STATUS_OK)
        status = train_stepper_step(stepper, &(DataBatch){.count = count}, NULL, 0, NULL, &losses,
                                    error);
    *bytes = arena_peak(arena);
    workspace_destroy(&stepper->work);
    stepper->work = work;
    stepper->times = times;
    return status;
}

static Status measure_batch(void *context, int micro_batch, int kept, bool recompute, size_t *bytes,
                            Error *error)
{
    TrainStepper *stepper = context;
    return measure(stepper, stepper->batch_size, micro_batch, kept, recompute, bytes, error);
}

/* Plans a batch size that has not been seen yet, and grows the arena if needed. */
static Status plan_count(TrainStepper *stepper, int count, Error *error)
{
    assert(count >= 1 && count <= stepper->batch_size);
    if (stepper->planned[count])
        return STATUS_OK;
    size_t bytes = 0;
    const int micro_batch = stepper->work.micro_batch, kept = stepper->work.kept;
    const bool recompute = stepper->plan.recompute;
    TRY(measure(stepper, count, micro_batch, kept, recompute, &bytes, error));
    if (bytes > arena_capacity(stepper->work.arena)) {
        Arena *arena = NULL;
        workspace_destroy(&stepper->work);
        TRY(arena_create(&arena, bytes, error));
        TRY(workspace_create(&stepper->work, stepper, arena, micro_batch, kept, recompute, error));
        stepper->plan.step = bytes;
    }
    stepper->planned[count] = true;
    return STATUS_OK;
}

/*
 * Fills the fixed parts of the plan. `rest` is the memory that is resident now and is not counted
 * in another part.
 */
static void plan_given(TrainStepper *stepper, size_t other_bytes)
{
    TrainPlan *plan = &stepper->plan;
    const TrainRecipe *recipe = stepper->recipe;
    const size_t count = stepper->tuned->count;
    const size_t moments = recipe->optimizer == TRAIN_OPTIMIZER_ADAMW ? 2 : 1;
    const size_t D = vit_model_width(stepper->vit);
    plan->model = vit_bytes(stepper->vit);
    /* Values, gradients and base; SAM and the moving average each keep one more copy. */
    const size_t copies = 3 + moments + (recipe->sam_rho > 0) + (recipe->ema > 0);
    plan->state = count * sizeof(float) * copies;
    plan->batch = stepper->batch_size * D * sizeof(float) * (stepper->dfeatures ? 2 : 1);
    plan->loader = other_bytes;
    const size_t resident = train_resident_bytes();
    const size_t counted =
        plan->model + 2 * count * sizeof(float); /* values and base are already resident */
    plan->rest = (resident > counted ? resident - counted : 0) +
                 GROWTH_PER_THREAD * threads_count(stepper->threads);
    const TrainBudget budget = train_plan_budget(recipe->memory);
    plan->budget = budget.bytes;
    plan->machine = budget.machine;
    memcpy(plan->source, budget.source, sizeof plan->source);
}

static Status create(TrainStepper *stepper, size_t other_bytes, Error *error)
{
    const TrainRecipe *recipe = stepper->recipe;
    const size_t batch = stepper->batch_size, D = vit_model_width(stepper->vit);
    const char *what = "the features of a batch (batch_size)";
    TRY(train_objective_create(&stepper->objective, recipe, error));
    if (!(stepper->features = mem_new(batch * D, sizeof(float), what, error)) ||
        !(stepper->planned = mem_new(batch + 1, sizeof(bool), what, error)))
        return error->status;
    if (stepper->encoder_trains &&
        !(stepper->dfeatures = mem_new(batch * D, sizeof(float), what, error)))
        return error->status;
    plan_given(stepper, other_bytes);

    const TrainPlanLimits limits = {
        .batch_size = stepper->batch_size,
        .micro_batch = recipe->micro_batch,
        .preferred = (int)ceil_div(ENOUGH_ROWS, vit_tokens(&stepper->vit->config)),
        .keeps = stepper->encoder_trains,
        .table_bytes = (size_t)vit_model_operations(stepper->vit) * OPERATION_BYTES,
    };
    TRY(train_plan_choose(&stepper->plan, &limits, measure_batch, stepper, error));
    stepper->planned[stepper->batch_size] = true;
    Arena *arena = NULL;
    TRY(arena_create(&arena, stepper->plan.step, error));
    return workspace_create(&stepper->work, stepper, arena, stepper->plan.micro_batch,
                            stepper->plan.kept, stepper->plan.recompute, error);
}

Status train_stepper_create(TrainStepper **out, const Vit *vit, VitHead *head, VitTuned *tuned,
                            const TrainRecipe *recipe, int batch_size, Threads *threads,
                            size_t other_bytes, Error *error)
{
    assert(batch_size >= 1 && batch_size <= recipe->batch_size);
    *out = NULL;
    TrainStepper *stepper = mem_new(1, sizeof *stepper, "the training step", error);
    if (!stepper)
        return error->status;
    *stepper = (TrainStepper){
        .vit = vit,
        .head = head,
        .tuned = tuned,
        .recipe = recipe,
        .batch_size = batch_size,
        .threads = threads,
        .encoder_trains = train_encoder_trains(tuned, head),
    };
    const Status status = create(stepper, other_bytes, error);
    if (status == STATUS_OK)
        *out = stepper;
    else
        train_stepper_destroy(stepper);
    return status;
}

void train_stepper_destroy(TrainStepper *stepper)
{
    if (!stepper)
        return;
    workspace_destroy(&stepper->work);
    train_objective_destroy(&stepper->objective);
    free(stepper->planned);
    free(stepper->dfeatures);
    free(stepper->features);
    free(stepper);
}

const TrainPlan *train_stepper_plan(const TrainStepper *stepper)
{
    return &stepper->plan;
}

const TrainStepTimes *train_stepper_times(const TrainStepper *stepper)
{
    return &stepper->times;
}

void train_stepper_watch(TrainStepper *stepper, void (*watch)(void *context, int done, int total),
                         void *context)
{
    stepper->watch = watch;
    stepper->watch_context = context;
}

Arena *train_stepper_arena(TrainStepper *stepper)
{
    return stepper->work.arena;
}
