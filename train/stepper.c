/*
 * stepper.c - see stepper.h.
 *
 * A Workspace is an arena and the tapes over it. There is one with memory, in which steps run, and
 * for a moment a measuring one whenever a size has to be planned: the very same run() goes over
 * both, so what was measured is what is used. A micro-batch that keeps its activations owns a tape;
 * all others take turns on the last one.
 *
 * Gradients of parameters are added up image by image, in order, inside the operations; phase 2
 * therefore visits the micro-batches in the order of the batch, whichever of them kept their tapes.
 */
#include "train/stepper.h"

#include "data/image/preprocess.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Rows (tokens of all images) beyond which a matrix product gets no faster: 8 images of 257 tokens.
 * Measured with OpenBLAS 0.3.21: 400 G/s at 257 rows, 450 at 2056.
 */
enum { ENOUGH_ROWS = 2048 };

/*
 * What the process grows by besides what is planned: packing buffers of the matrix library, stacks,
 * stdio. Per thread, measured with OpenBLAS 0.3.21, which touches this much of its buffers in
 * ViT-L/14's products.
 */
static const size_t GROWTH_PER_THREAD = (size_t)8 << 20;

/*
 * What one operation of a tape takes in its tables: a value, a node and room for a leaf's gradient.
 */
enum { OPERATION_BYTES = 368 };

typedef struct Piece { /* a micro-batch under way */
    int first, count;
    Tape *tape;
    float *numbers;   /* [count,3,S,S], a block of the arena */
    Tensor pixels;    /* leaf over numbers */
    Tensor *features; /* [count,1,D] on the tape */
} Piece;

typedef struct Workspace {
    Arena *arena;
    Tape *objective;
    Tape **tapes; /* [kept + 1], the last one shared */
    int kept;
    int micro_batch;
    Piece *pieces; /* [micro_batches] */
} Workspace;

struct TrainStepper {
    const Vit *vit;
    VitHead *head;
    VitTuned *tuned;
    const TrainRecipe *recipe;
    int batch_size; /* images of the largest batch */
    Threads *threads;
    bool encoder_trains;
    TrainObjective objective;
    float *features;  /* [batch_size,D] */
    float *dfeatures; /* [batch_size,D], NULL with a frozen encoder */
    bool *planned;    /* [batch_size + 1] batches of this count were measured */
    TrainPlan plan;
    TrainStepTimes times;
    Workspace work;
    void (*watch)(void *context, int done, int total); /* NULL: nobody */
    void *watch_context;
    int passed; /* images of the step under way */
};

bool train_encoder_trains(const VitTuned *tuned, const VitHead *head)
{
    for (int i = 0; i < tuned->entry_count; i++) {
        const Tensor *const tensor = tuned->entries[i].tensor;
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
    const Normalize *const n = context;
    const int S = n->config->image_size;
    const size_t numbers = (size_t)3 * (size_t)S * (size_t)S;
    data_normalize(n->pixels + (size_t)task * numbers, S, n->config->mean, n->config->std,
                   n->out + (size_t)task * numbers);
}

void train_normalize(const VitConfig *config, const uint8_t *pixels, int count, Threads *threads,
                     float *out)
{
    Normalize normalize = {config, pixels, out};
    threads_run(threads, count, normalize_image, &normalize);
}

/* Frees what workspace_create made, also half of it. */
static void workspace_destroy(Workspace *work)
{
    for (int i = 0; work->tapes && i <= work->kept; i++)
        tape_destroy(work->tapes[i]);
    tape_destroy(work->objective);
    arena_destroy(work->arena);
    free(work->pieces);
    free(work->tapes);
    *work = (Workspace){0};
}

/* Takes over `arena`, also on failure. */
static Status workspace_create(Workspace *work, const TrainStepper *stepper, Arena *arena,
                               int micro_batch, int kept, bool recompute, Error *error)
{
    const int pieces = (stepper->batch_size + micro_batch - 1) / micro_batch;
    assert(kept <= pieces && !(kept > 0 && recompute));
    *work = (Workspace){.arena = arena, .kept = kept, .micro_batch = micro_batch};
    work->pieces = calloc((size_t)pieces, sizeof *work->pieces);
    work->tapes = calloc((size_t)kept + 1, sizeof *work->tapes);
    Status status = STATUS_OK;
    if (!work->pieces || !work->tapes)
        status = error_set(error, STATUS_FAILED,
                           "step: no memory for %d tapes; set a larger micro_batch", kept + 1);
    if (status == STATUS_OK)
        status = tape_create(&work->objective, arena, stepper->threads, TRAIN_OBJECTIVE_OPERATIONS,
                             error);
    const int operations = vit_forward_operations(&stepper->vit->config);
    for (int i = 0; i <= kept && status == STATUS_OK; i++)
        status = tape_create(&work->tapes[i], arena, stepper->threads, operations, error);
    if (recompute && status == STATUS_OK)
        status = tape_allow_recompute(work->tapes[kept], vit_block_operations(), error);
    if (status != STATUS_OK)
        workspace_destroy(work);
    return status;
}

/*
 * Runs the encoder over one micro-batch. `pixels` of the whole batch are not looked at when
 * planning.
 */
static void piece_forward(TrainStepper *stepper, Workspace *work, Piece *piece,
                          const uint8_t *pixels, int64_t step, bool recording)
{
    const double start = train_clock();
    const VitConfig *const config = &stepper->vit->config;
    const int S = config->image_size;
    const size_t numbers = (size_t)3 * (size_t)S * (size_t)S;
    piece->numbers = arena_alloc(work->arena, (size_t)piece->count * numbers * sizeof(float));
    piece->pixels = tensor_leaf(piece->numbers, 4, (const int[]){piece->count, 3, S, S});
    if (!tape_is_planning(piece->tape))
        train_normalize(config, pixels + (size_t)piece->first * numbers, piece->count,
                        stepper->threads, piece->numbers);
    tape_set_recording(piece->tape, recording);
    tape_set_dropout(piece->tape, (TapeDropout){.p = stepper->recipe->lora_dropout,
                                                .seed = stepper->recipe->seed,
                                                .step = (uint32_t)step,
                                                .first = (uint32_t)piece->first});
    piece->features = vit_forward(stepper->vit, piece->tape, &piece->pixels, NULL);
    stepper->times.forward += train_clock() - start;
    stepper->times.forward_images += piece->count;
}

static void piece_backward(TrainStepper *stepper, Piece *piece)
{
    const double start = train_clock();
    const size_t D = (size_t)stepper->vit->config.width;
    tape_backward(piece->tape, piece->features, stepper->dfeatures + (size_t)piece->first * D);
    stepper->times.backward += train_clock() - start;
    stepper->times.backward_images += piece->count;
}

static void piece_end(Workspace *work, Piece *piece)
{
    tape_reset(piece->tape);
    arena_free(work->arena, piece->numbers);
    piece->numbers = NULL;
}

/* From the gathered features [count,D] to the loss, the head's gradient and the features' own. */
static void run_objective(TrainStepper *stepper, Workspace *work, const int *labels, int count,
                          int64_t step, TrainLosses *losses)
{
    const int D = stepper->vit->config.width;
    Tensor features = tensor_leaf(stepper->features, 2, (const int[]){count, D});
    if (stepper->encoder_trains) {
        features.needs_grad = true;
        features.grad = stepper->dfeatures;
        if (!tape_is_planning(work->objective))
            memset(features.grad, 0, (size_t)count * (size_t)D * sizeof(float));
    }
    Tensor *const total = train_objective_forward(
        &stepper->objective, work->objective, stepper->head, &features, labels, step, true, losses);
    if (total->needs_grad)
        tape_backward(work->objective, total, NULL);
    tape_reset(work->objective);
}

/* Cuts the batch into micro-batches and returns their number. */
static int divide(Workspace *work, int count)
{
    const int micro_batch = work->micro_batch;
    for (int i = 0, first = 0; first < count; i++, first += micro_batch)
        work->pieces[i] = (Piece){
            .first = first,
            .count = count - first < micro_batch ? count - first : micro_batch,
            .tape = work->tapes[i < work->kept ? i : work->kept],
        };
    return (count + micro_batch - 1) / micro_batch;
}

static Status interrupted(Workspace *work, Error *error)
{
    for (int i = 0; i <= work->kept; i++)
        tape_reset(work->tapes[i]);
    arena_reset(work->arena); /* the pixels of kept micro-batches */
    return error_set(error, STATUS_INTERRUPTED,
                     "training: stopped by a signal; go on with --resume");
}

/* Tells how many images have passed of those that pass in both phases. */
static void pass(TrainStepper *stepper, const Workspace *work, const Piece *piece, int batch)
{
    stepper->passed += piece->count;
    if (stepper->watch && !arena_is_measuring(work->arena))
        stepper->watch(stepper->watch_context, stepper->passed,
                       stepper->encoder_trains ? 2 * batch : batch);
}

/*
 * Whether planning may leave out a micro-batch: it keeps nothing, and finds and leaves the arena as
 * the one before it did. So a plan takes no longer for a batch of a million images.
 */
static bool adds_nothing(const Workspace *work, int i, int pieces)
{
    return arena_is_measuring(work->arena) && i > work->kept && i + 1 < pieces;
}

/*
 * Both phases over a batch, or, in a measuring workspace, over its shape (then pixels and labels
 * are NULL).
 */
static Status run(TrainStepper *stepper, Workspace *work, const DataBatch *batch, int64_t step,
                  volatile sig_atomic_t *stop, TrainLosses *losses, Error *error)
{
    const int pieces = divide(work, batch->count);
    const size_t D = (size_t)stepper->vit->config.width;
    stepper->passed = 0;

    /* Phase 1: features of the whole batch. */
    for (int i = 0; i < pieces; i++) {
        if (stop && *stop)
            return interrupted(work, error);
        Piece *const piece = &work->pieces[i];
        const bool keep = i < work->kept;
        if (adds_nothing(work, i, pieces))
            continue;
        piece_forward(stepper, work, piece, batch->pixels, step, keep);
        if (!tape_is_planning(piece->tape))
            memcpy(stepper->features + (size_t)piece->first * D, tensor_f32(piece->features),
                   (size_t)piece->count * D * sizeof(float));
        if (!keep)
            piece_end(work, piece);
        pass(stepper, work, piece, batch->count);
    }

    run_objective(stepper, work, batch->labels, batch->count, step, losses);
    if (!stepper->encoder_trains)
        return STATUS_OK;

    /* Phase 2: each micro-batch backward, which adds to the gradient of what trains. */
    for (int i = 0; i < pieces; i++) {
        if (stop && *stop)
            return interrupted(work, error);
        Piece *const piece = &work->pieces[i];
        if (adds_nothing(work, i, pieces))
            continue;
        if (i >= work->kept)
            piece_forward(stepper, work, piece, batch->pixels, step, true);
        piece_backward(stepper, piece);
        piece_end(work, piece);
        pass(stepper, work, piece, batch->count);
    }
    return STATUS_OK;
}

/* Bytes of arena that a batch of `count` needs, by running it on shapes alone. */
static Status measure(TrainStepper *stepper, int count, int micro_batch, int kept, bool recompute,
                      size_t *bytes, Error *error)
{
    Workspace work = {0};
    Arena *arena = NULL;
    TRY(arena_create_measuring(&arena, error));
    TRY(workspace_create(&work, stepper, arena, micro_batch, kept, recompute, error));
    const TrainStepTimes times = stepper->times; /* planning takes no images */
    const DataBatch shape = {.count = count};
    TrainLosses losses;
    const Status status = run(stepper, &work, &shape, 0, NULL, &losses, error);
    *bytes = arena_peak(arena);
    stepper->times = times;
    workspace_destroy(&work);
    return status;
}

static Status measure_batch(void *context, int micro_batch, int kept, bool recompute, size_t *bytes,
                            Error *error)
{
    TrainStepper *const stepper = context;
    return measure(stepper, stepper->batch_size, micro_batch, kept, recompute, bytes, error);
}

/*
 * Plans a batch shorter than the whole one, the first time it comes, and grows the arena if it
 * must.
 */
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

/* The parts of the plan that are given; what stays resident now and is none of them is "rest". */
static void plan_given(TrainStepper *stepper, size_t other_bytes)
{
    TrainPlan *const plan = &stepper->plan;
    const TrainRecipe *const recipe = stepper->recipe;
    const size_t count = stepper->tuned->count;
    const size_t moments = recipe->optimizer == TRAIN_OPTIMIZER_ADAMW ? 2 : 1;
    const size_t D = (size_t)stepper->vit->config.width;
    plan->model = vit_bytes(stepper->vit);
    /* Values, gradients, base; what SAM and the moving average keep beside them. */
    const size_t copies = 3 + moments + (recipe->sam_rho > 0) + (recipe->ema > 0);
    plan->state = count * sizeof(float) * copies;
    plan->batch = (size_t)stepper->batch_size * D * sizeof(float) * (stepper->dfeatures ? 2 : 1);
    plan->loader = other_bytes;
    const size_t resident = train_resident_bytes();
    const size_t counted =
        plan->model + 2 * count * sizeof(float); /* values and base are touched */
    plan->rest = (resident > counted ? resident - counted : 0) +
                 GROWTH_PER_THREAD * (size_t)threads_count(stepper->threads);
    const TrainBudget budget = train_plan_budget(recipe->memory);
    plan->budget = budget.bytes;
    plan->machine = budget.machine;
    memcpy(plan->source, budget.source, sizeof plan->source);
}

static Status create(TrainStepper *stepper, size_t other_bytes, Error *error)
{
    const TrainRecipe *const recipe = stepper->recipe;
    const size_t batch = (size_t)stepper->batch_size;
    const size_t D = (size_t)stepper->vit->config.width;
    TRY(train_objective_create(&stepper->objective, recipe, error));
    stepper->features = calloc(batch * D, sizeof(float));
    stepper->planned = calloc(batch + 1, sizeof(bool));
    if (stepper->encoder_trains)
        stepper->dfeatures = calloc(batch * D, sizeof(float));
    if (!stepper->features || !stepper->planned || (stepper->encoder_trains && !stepper->dfeatures))
        return error_set(error, STATUS_FAILED,
                         "step: no memory for a batch of %d; lower batch_size",
                         stepper->batch_size);
    plan_given(stepper, other_bytes);

    const int T = vit_tokens(&stepper->vit->config);
    const TrainPlanLimits limits = {
        .batch_size = stepper->batch_size,
        .micro_batch = recipe->micro_batch,
        .preferred = (ENOUGH_ROWS + T - 1) / T,
        .keeps = stepper->encoder_trains,
        .table_bytes = (size_t)vit_forward_operations(&stepper->vit->config) * OPERATION_BYTES,
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
    TrainStepper *const stepper = calloc(1, sizeof *stepper);
    if (!stepper)
        return error_set(error, STATUS_FAILED, "step: no memory; close other programs");
    stepper->vit = vit;
    stepper->head = head;
    stepper->tuned = tuned;
    stepper->recipe = recipe;
    stepper->batch_size = batch_size;
    stepper->threads = threads;
    stepper->encoder_trains = train_encoder_trains(tuned, head);
    const Status status = create(stepper, other_bytes, error);
    if (status != STATUS_OK) {
        train_stepper_destroy(stepper);
        return status;
    }
    *out = stepper;
    return STATUS_OK;
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

Status train_stepper_gradient(TrainStepper *stepper, const DataBatch *batch, int64_t step,
                              volatile sig_atomic_t *stop, TrainLosses *losses, Error *error)
{
    TRY(plan_count(stepper, batch->count, error));
    vit_tuned_zero_grads(stepper->tuned);
    return run(stepper, &stepper->work, batch, step, stop, losses, error);
}

Status train_stepper_gradient_cached(TrainStepper *stepper, const float *features,
                                     const int *labels, int count, int64_t step,
                                     TrainLosses *losses, Error *error)
{
    assert(!stepper->encoder_trains && "features of an encoder that trains are never ready");
    TRY(plan_count(stepper, count, error));
    const size_t D = (size_t)stepper->vit->config.width;
    memcpy(stepper->features, features, (size_t)count * D * sizeof(float));
    vit_tuned_zero_grads(stepper->tuned);
    run_objective(stepper, &stepper->work, labels, count, step, losses);
    return STATUS_OK;
}
