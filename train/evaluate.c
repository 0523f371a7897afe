/*
 * evaluate.c - see evaluate.h.
 *
 * The head runs on features [B,1,D]: operations then treat each image as a sample of its own, so
 * its result does not depend on the batch.
 */
#include "train/evaluate.h"
#include "tensor/base/machine.h"

#include "tensor/base/file.h"
#include "train/stepper.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_OPERATIONS = 8,  /* upper bound: normalise, linear, softmax */
    FEATURES_AT_ONCE = 64 /* batch size of the head on cached features */
};

TrainScoring train_scoring_defaults(void)
{
    return (TrainScoring){.batch_size = 8, .workers = 1};
}

DataLoaderSettings train_scoring_loader(const TrainScoring *scoring, const VitConfig *config)
{
    DataLoaderSettings settings = data_loader_defaults();
    settings.image_size = config->image_size;
    settings.batch_size = scoring->batch_size;
    settings.drop_last = false;
    settings.shuffle = false;
    settings.tolerant = scoring->tolerant;
    settings.workers = scoring->workers;
    settings.augment = scoring->augment;
    settings.seed = scoring->seed;
    settings.decode_bytes = scoring->decode_bytes;
    return settings;
}

/* Outputs per frame, each may be NULL. Pointers to the row of the first frame of a batch. */
typedef struct Rows {
    float *features;      /* [count,D] */
    float *probabilities; /* [count,2] */
    float *cross_entropy; /* [count] */
    float *margins;       /* [count] */
} Rows;

static Rows rows_from(const Rows *all, size_t first, size_t D)
{
    return (Rows){
        .features = all->features ? all->features + first * D : NULL,
        .probabilities = all->probabilities ? all->probabilities + first * VIT_CLASSES : NULL,
        .cross_entropy = all->cross_entropy ? all->cross_entropy + first : NULL,
        .margins = all->margins ? all->margins + first : NULL,
    };
}

/* log(sum exp(logits)) - logits[label], in double so that a small loss does not round to 0. */
static float cross_entropy(const float *logits, int label)
{
    double most = logits[0], sum = 0;
    for (int c = 1; c < VIT_CLASSES; c++)
        most = fmax(most, (double)logits[c]);
    for (int c = 0; c < VIT_CLASSES; c++)
        sum += exp((double)logits[c] - most);
    return (float)(most + log(sum) - (double)logits[label]);
}

/* features [count,1,D] -> rows. */
static void head_forward(Tape *tape, VitHead *head, Tensor *features, const int *labels,
                         const Rows *rows)
{
    const int count = features->shape[0];
    Tensor *logits = vit_head_forward(head, tape, features, NULL); /* [count,1,2] */
    Tensor *probabilities = op_softmax(tape, logits);
    if (tape_is_planning(tape))
        return;
    const float *z = tensor_f32(logits);
    for (int i = 0; rows->probabilities && i < count * VIT_CLASSES; i++) {
        /* softmax would hide an infinite logit as a plausible 0 or 1 */
        const bool finite = isfinite(z[i]) && isfinite(z[i ^ 1]);
        rows->probabilities[i] = finite ? tensor_f32(probabilities)[i] : NAN;
    }
    for (int i = 0; rows->cross_entropy && i < count; i++)
        rows->cross_entropy[i] = cross_entropy(z + i * VIT_CLASSES, labels[i]);
    for (int i = 0; rows->margins && i < count; i++)
        rows->margins[i] = z[i * VIT_CLASSES + 1] - z[i * VIT_CLASSES];
}

typedef struct Scorer {
    const Vit *vit;
    VitHead *head; /* NULL: features only */
    Threads *threads;
    Arena *arena;
    bool owns_arena;
    Tape *tape;
} Scorer;

/* Encoder and head for `count` images; pixels and labels are not read when planning. */
static void score_batch(Scorer *scorer, int count, const uint8_t *pixels, const int *labels,
                        const Rows *rows)
{
    const VitConfig *config = &scorer->vit->config;
    const int S = config->image_size;
    const size_t numbers = (size_t)count * 3 * (size_t)S * (size_t)S;
    float *block = arena_alloc(scorer->arena, numbers * sizeof(float));
    Tensor input = tensor_leaf(block, 4, (const int[]){count, 3, S, S});
    if (!tape_is_planning(scorer->tape))
        train_normalize(config, pixels, count, scorer->threads, block);
    Tensor *features = vit_model_forward(scorer->vit, scorer->tape, &input, NULL); /* [count,1,D] */
    if (rows->features && !tape_is_planning(scorer->tape))
        memcpy(rows->features, tensor_f32(features), tensor_count(features) * sizeof(float));
    if (scorer->head)
        head_forward(scorer->tape, scorer->head, features, labels, rows);
    tape_reset(scorer->tape);
    arena_free(scorer->arena, block);
}

static void scorer_end(Scorer *scorer)
{
    tape_destroy(scorer->tape);
    if (scorer->owns_arena)
        arena_destroy(scorer->arena);
    scorer->tape = NULL;
    scorer->arena = NULL;
}

static Status scorer_tape(Scorer *scorer, Error *error)
{
    const int operations = vit_model_operations(scorer->vit) + HEAD_OPERATIONS;
    TRY(tape_create(&scorer->tape, scorer->arena, scorer->threads, operations, error));
    tape_set_recording(scorer->tape, false);
    return STATUS_OK;
}

/* *bytes: arena size for batches of `batch_size` and a last one of `last` images. */
static Status scorer_measure(const Scorer *like, int batch_size, int last, size_t *bytes,
                             Error *error)
{
    Scorer scorer = *like;
    scorer.owns_arena = true;
    TRY(arena_create_measuring(&scorer.arena, error));
    const Status status = scorer_tape(&scorer, error);
    if (status == STATUS_OK) {
        score_batch(&scorer, batch_size, NULL, NULL, &(Rows){0});
        score_batch(&scorer, last, NULL, NULL, &(Rows){0});
        *bytes = arena_peak(scorer.arena);
    }
    scorer_end(&scorer);
    return status;
}

/* Uses the offered arena if it is large enough, otherwise creates one. */
static Status scorer_begin(Scorer *scorer, Arena *offered, int batch_size, int last, Error *error)
{
    size_t bytes = 0;
    TRY(scorer_measure(scorer, batch_size, last, &bytes, error));
    scorer->owns_arena = !offered || arena_capacity(offered) < bytes;
    if (scorer->owns_arena)
        TRY(arena_create(&scorer->arena, bytes, error));
    else
        scorer->arena = offered;
    const Status status = scorer_tape(scorer, error);
    if (status != STATUS_OK)
        scorer_end(scorer);
    return status;
}

/* Sets the scores of unreadable frames to NaN and reports each frame. */
static void mark_unreadable(const DataBatch *batch, const DataList *list,
                            const TrainScoring *scoring, const Rows *rows, size_t D)
{
    for (int i = 0; batch->errors && i < batch->count; i++) {
        if (!batch->errors[i])
            continue;
        const Rows row = rows_from(rows, (size_t)i, D);
        for (size_t d = 0; row.features && d < D; d++)
            row.features[d] = NAN;
        for (int c = 0; row.probabilities && c < VIT_CLASSES; c++)
            row.probabilities[c] = NAN;
        if (row.cross_entropy)
            *row.cross_entropy = NAN;
        if (row.margins)
            *row.margins = NAN;
        if (scoring->unreadable)
            scoring->unreadable(scoring->context, &list->frames[batch->index[i]], batch->errors[i]);
    }
}

/*
 * Fails if a readable frame has a score that is not finite, which must not look like the NaN of an
 * unreadable frame.
 */
static Status check_finite(const DataBatch *batch, const DataList *list, const Rows *rows, size_t D,
                           Error *error)
{
    for (int i = 0; i < batch->count; i++) {
        if (batch->errors && batch->errors[i])
            continue;
        const Rows row = rows_from(rows, (size_t)i, D);
        bool finite = true;
        for (size_t d = 0; row.features && d < D; d++)
            finite = finite && isfinite(row.features[d]);
        for (int c = 0; row.probabilities && c < VIT_CLASSES; c++)
            finite = finite && isfinite(row.probabilities[c]);
        finite = finite && (!row.margins || isfinite(*row.margins));
        if (!finite)
            return error_set(error, STATUS_FAILED,
                             "%s: the score is not finite; the model or the adapter is damaged or "
                             "diverged in training, use another one",
                             list->frames[batch->index[i]].path);
    }
    return STATUS_OK;
}

static Status score_list(Scorer *scorer, DataLoader *loader, const DataList *list,
                         const TrainScoring *scoring, const Rows *all, Error *error)
{
    const size_t D = vit_model_width(scorer->vit);
    const double start = train_clock();
    TRY(data_loader_start(loader, 0, 0, error));
    for (int done = 0; done < list->count;) {
        if (scoring->stop && *scoring->stop)
            return error_set(error, STATUS_INTERRUPTED,
                             "scoring: stopped by a signal; run the command again");
        DataBatch batch;
        TRY(data_loader_next(loader, &batch, error));
        const Rows rows = rows_from(all, (size_t)done, D);
        score_batch(scorer, batch.count, batch.pixels, batch.labels, &rows);
        TRY(file_check_mappings(error));
        const Status finite = check_finite(&batch, list, &rows, D, error);
        if (finite != STATUS_OK && scoring->not_finite)
            *scoring->not_finite = true;
        TRY(finite);
        mark_unreadable(&batch, list, scoring, &rows, D);
        done += batch.count;
        if (scoring->progress)
            scoring->progress(scoring->context, done, list->count,
                              done / (train_clock() - start + 1e-9));
    }
    return STATUS_OK;
}

Status train_score(const Vit *vit, VitHead *head, const DataList *list, int first,
                   const TrainScoring *scoring, Threads *threads, float *features,
                   float *probabilities, Error *error)
{
    assert(first >= 0 && first <= list->count && scoring->batch_size > 0);
    assert(head || (!probabilities && !scoring->cross_entropy && !scoring->margins));
    if (first == list->count)
        return STATUS_OK;
    /* The frames from `first` on, as a list. */
    DataList rest = *list;
    rest.frames += first;
    rest.count -= first;
    TrainScoring own = *scoring;
    if (own.batch_size > rest.count)
        own.batch_size = rest.count;
    const int remainder = rest.count % own.batch_size;
    DataLoaderSettings settings = train_scoring_loader(&own, &vit->config);
    settings.first_frame = (uint32_t)first;
    if (settings.decode_bytes == 0)
        settings.decode_bytes = machine_memory("").bytes / 4;
    const Rows all = {features, probabilities, scoring->cross_entropy, scoring->margins};
    const Rows rows = rows_from(&all, (size_t)first, vit_model_width(vit));

    Scorer scorer = {.vit = vit, .head = head, .threads = threads};
    DataLoader *loader = NULL;
    TRY(scorer_begin(&scorer, scoring->arena, own.batch_size,
                     remainder ? remainder : own.batch_size, error));
    Status status = data_loader_create(&loader, &rest, &settings, error);
    if (status == STATUS_OK)
        status = score_list(&scorer, loader, &rest, &own, &rows, error);
    data_loader_destroy(loader);
    scorer_end(&scorer);
    return status;
}

/* Applies the head to all rows, FEATURES_AT_ONCE at a time. */
static Status score_features(Arena *arena, VitHead *head, const float *features, const int *labels,
                             int count, Threads *threads, const Rows *all, Error *error)
{
    const int D = head->weight.shape[1];
    Tape *tape = NULL;
    TRY(tape_create(&tape, arena, threads, HEAD_OPERATIONS, error));
    tape_set_recording(tape, false);
    for (int done = 0; done < count; done += FEATURES_AT_ONCE) {
        const int group = count - done < FEATURES_AT_ONCE ? count - done : FEATURES_AT_ONCE;
        /* A leaf needs a non-const pointer, but no operation writes to its input. */
        float *numbers = (float *)(uintptr_t)features + (size_t)done * (size_t)D;
        Tensor leaf = tensor_leaf(numbers, 3, (const int[]){group, 1, D});
        const Rows rows = rows_from(all, (size_t)done, (size_t)D);
        head_forward(tape, head, &leaf, labels + done, &rows);
        tape_reset(tape);
    }
    tape_destroy(tape);
    return STATUS_OK;
}

Status train_score_features(VitHead *head, const float *features, const int *labels, int count,
                            Threads *threads, float *probabilities, float *cross_entropies,
                            float *margins, Error *error)
{
    const Rows all = {NULL, probabilities, cross_entropies, margins};
    Arena *arena = NULL;
    TRY(arena_create_measuring(&arena, error));
    Status status = score_features(arena, head, features, labels, count, threads, &all, error);
    const size_t bytes = arena_peak(arena);
    arena_destroy(arena);
    TRY(status);
    TRY(arena_create(&arena, bytes, error));
    status = score_features(arena, head, features, labels, count, threads, &all, error);
    arena_destroy(arena);
    return status;
}
