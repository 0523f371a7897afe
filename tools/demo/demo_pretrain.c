/*
 * demo_pretrain.c - trains all parameters of a small vision transformer from random weights.
 *
 * The task is to describe a portrait: pose, light, mouth, skin, hair, glasses, beard; noise, blur
 * and compression of the camera; brightness and detail in each cell of a coarse grid. All portraits
 * are real. A linear readout on the pooled feature predicts these targets, each scaled to mean 0
 * and variance 1. The loss is the mean squared error; its gradient is computed by hand and passed
 * to the tape.
 *
 * This is an example of full training: encoder and readout are flat arrays, each with its own
 * AdamW.
 */
#include "tools/demo/demo.h"

#include "tensor/base/mem.h"
#include "train/optimizer.h"
#include "train/stepper.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 32,
    FIRST_IDENTITY = 1 << 20, /* above those of any data set: people are not shared */
    CHUNK = 256,              /* frames drawn between two updates of the progress line */
};
_Static_assert((int)FIRST_IDENTITY > (int)DATA_SYNTH_MAX_VIDEOS,
               "pretraining must not share people with the data set");

/* Tuned on seeds that docs/benchmarks.md does not use. */
static const double RATE = 1.5e-3; /* highest learning rate */
static const double WARM_UP = 0.1; /* fraction of the steps with rising learning rate */
static const double DECAY = 0.05, MAX_GRAD_NORM = 1.0;

const char *const demo_trait_names[DEMO_TRAITS] = {"yaw",  "pitch",   "light",     "mouth",
                                                   "skin", "hair",    "roughness", "noise",
                                                   "blur", "quality", "glasses",   "beard"};

typedef struct Pretraining {
    const Demo *demo;
    const DemoScale *scale;
    Vit *vit;
    uint8_t *pixels; /* [portraits,S,S,3] */
    float *targets;  /* [portraits,DEMO_TARGETS] */
    VitTuned *encoder;
    VitTuned readout; /* weight [DEMO_TARGETS,D] and bias, in the layout of vit_tune */
    VitTunedEntry entries[2];
    Tensor weight, bias;
    TrainOptimizer optimizers[2]; /* encoder, readout */
    Arena *arena;
    Tape *tape;
    uint8_t *batch; /* [BATCH,S,S,3] */
    float *input;   /* [BATCH,3,S,S] */
    float gradient[BATCH * DEMO_TARGETS];
    int first; /* frame of the current chunk */
    Status status[CHUNK];
    Error *errors; /* [CHUNK] */
} Pretraining;

VitConfig demo_config(void)
{
    VitConfig config = vit_config_unknown();
    config.activation = ACTIVATION_QUICK_GELU;
    config.image_size = DEMO_SIZE;
    config.patch_size = 8;
    config.width = 64;
    config.layers = 4;
    config.heads = 4;
    config.mlp = 256;
    return config;
}

/* ---- frames and targets ---------------------------------------------------------------------- */

static float brightness(const uint8_t *pixels, int row, int column)
{
    const uint8_t *p = pixels + ((size_t)row * DEMO_SIZE + (size_t)column) * 3;
    return (float)(p[0] + p[1] + p[2]) / 765.0f;
}

/*
 * Computes the mean brightness of a cell, and the logarithm of the mean squared difference of its
 * pixels from their four neighbours.
 */
static void measure_cell(const uint8_t *pixels, int cell, float *mean, float *detail)
{
    const int side = DEMO_SIZE / DEMO_GRID;
    const int top = cell / DEMO_GRID * side, left = cell % DEMO_GRID * side;
    double sum = 0, squares = 0;
    for (int row = top; row < top + side; row++) {
        for (int column = left; column < left + side; column++) {
            const float here = brightness(pixels, row, column);
            sum += (double)here;
            if (row == 0 || column == 0 || row == DEMO_SIZE - 1 || column == DEMO_SIZE - 1)
                continue;
            const float around =
                brightness(pixels, row - 1, column) + brightness(pixels, row + 1, column) +
                brightness(pixels, row, column - 1) + brightness(pixels, row, column + 1);
            const float difference = here - 0.25f * around;
            squares += (double)(difference * difference);
        }
    }
    *mean = (float)(sum / (side * side));
    *detail = (float)log(squares / (side * side) + 1e-5);
}

static void fill_targets(const DataSynthTraits *traits, const uint8_t *pixels, float *targets)
{
    const float values[DEMO_TRAITS] = {
        traits->yaw,  traits->pitch,   traits->light,          traits->mouth,
        traits->skin, traits->hair,    traits->roughness,      traits->noise,
        traits->blur, traits->quality, (float)traits->glasses, (float)traits->beard};
    memcpy(targets, values, sizeof values);
    for (int cell = 0; cell < DEMO_GRID * DEMO_GRID; cell++)
        measure_cell(pixels, cell, targets + DEMO_TRAITS + cell,
                     targets + DEMO_TRAITS + DEMO_GRID * DEMO_GRID + cell);
}

static void draw_task(void *context, int task, int worker)
{
    (void)worker;
    Pretraining *p = context;
    const size_t frame = (size_t)(p->first + task), bytes = (size_t)DEMO_SIZE * DEMO_SIZE * 3;
    DataImage image;
    DataSynthTraits traits;
    p->status[task] =
        data_synth_frame(&image, DATA_SYNTH_REAL, p->demo->seed, FIRST_IDENTITY + p->first + task,
                         0, DEMO_SIZE, &traits, &p->errors[task]);
    if (p->status[task] != STATUS_OK)
        return;
    memcpy(p->pixels + frame * bytes, image.pixels, bytes);
    fill_targets(&traits, image.pixels, p->targets + frame * DEMO_TARGETS);
    data_image_free(&image);
}

/* Scales each target to mean 0 and variance 1 over all frames. */
static void standardise(float *targets, int count)
{
    for (int t = 0; t < DEMO_TARGETS; t++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < count; i++)
            sum += (double)targets[i * DEMO_TARGETS + t];
        for (int i = 0; i < count; i++) {
            const double d = (double)targets[i * DEMO_TARGETS + t] - sum / count;
            squares += d * d;
        }
        const double scale = 1 / sqrt(squares / count);
        for (int i = 0; i < count; i++) {
            float *target = &targets[i * DEMO_TARGETS + t];
            *target = (float)(((double)*target - sum / count) * scale);
        }
    }
}

static Status interrupted(Error *error)
{
    return error_set(error, STATUS_INTERRUPTED, "demo: stopped by a signal; run it again");
}

static Status draw_frames(Pretraining *p, Error *error)
{
    const int total = p->scale->portraits;
    CliProgress progress = cli_progress_begin(p->demo->arguments, "drawing portraits", "frames");
    for (p->first = 0; p->first < total; p->first += CHUNK) {
        const int count = total - p->first < CHUNK ? total - p->first : CHUNK;
        threads_run(p->demo->threads, count, draw_task, p);
        for (int i = 0; i < count; i++) {
            if (p->status[i] != STATUS_OK) {
                *error = p->errors[i];
                return p->status[i];
            }
        }
        if (*p->demo->stop)
            return interrupted(error);
        cli_progress_show(&progress, p->first + count, total, 0);
    }
    cli_progress_end(&progress);
    standardise(p->targets, total);
    return STATUS_OK;
}

/* ---- the model with its readout -------------------------------------------------------------- */

/*
 * Creates the readout: weight ~ N(0, 0.02), bias 0, gradients, and entries as vit_tune makes them
 * for the encoder.
 */
static Status make_readout(Pretraining *p, Error *error)
{
    const int D = p->vit->config.width;
    const size_t weights = (size_t)DEMO_TARGETS * (size_t)D;
    VitTuned *readout = &p->readout;
    readout->count = weights + DEMO_TARGETS;
    readout->values = calloc(readout->count, sizeof(float));
    readout->grads = calloc(readout->count, sizeof(float));
    if (!readout->values || !readout->grads)
        return mem_full(0, "the pretraining", error);
    Random random = random_stream(p->demo->seed, RANDOM_HEAD, 1, 0);
    for (size_t i = 0; i < weights; i++)
        readout->values[i] = (float)(0.02 * random_normal(&random));
    p->weight = tensor_leaf(readout->values, 2, (const int[]){DEMO_TARGETS, D});
    p->bias = tensor_leaf(readout->values + weights, 1, (const int[]){DEMO_TARGETS});
    p->weight.grad = readout->grads;
    p->bias.grad = readout->grads + weights;
    p->weight.needs_grad = p->bias.needs_grad = true;
    p->entries[0] = (VitTunedEntry){"readout.weight", &p->weight, 0, weights, true};
    p->entries[1] = (VitTunedEntry){"readout.bias", &p->bias, weights, DEMO_TARGETS, false};
    readout->entries = p->entries;
    readout->entry_count = 2;
    return STATUS_OK;
}

/* input [count,3,S,S] -> predictions [count,1,DEMO_TARGETS]. */
static Tensor *predict(Pretraining *p, Tape *tape, Tensor *pixels)
{
    const Linear readout = {.in = p->vit->config.width,
                            .out = DEMO_TARGETS,
                            .parts = 1,
                            .weight = {&p->weight},
                            .bias = {&p->bias}};
    return op_linear(tape, vit_forward(p->vit, tape, pixels, NULL), &readout, ACTIVATION_NONE,
                     NULL);
}

static Tensor input_leaf(Pretraining *p, int count)
{
    return tensor_leaf(p->input, 4, (const int[]){count, 3, DEMO_SIZE, DEMO_SIZE});
}

/* The loss weight of a target: traits and grid statistics have the same total weight. */
static float weight_of(int target)
{
    return target < DEMO_TRAITS ? 1.0f / DEMO_TRAITS : 1.0f / (DEMO_TARGETS - DEMO_TRAITS);
}

/*
 * The mean over the batch of sum_t w_t (prediction - target)^2, and its gradient with respect to
 * the predictions [count,DEMO_TARGETS].
 */
static double loss_gradient(const float *predictions, const float *const *targets, int count,
                            float *gradient)
{
    double loss = 0;
    for (int i = 0; i < count; i++) {
        for (int t = 0; t < DEMO_TARGETS; t++) {
            const float w = weight_of(t) / (float)count;
            const float difference = predictions[i * DEMO_TARGETS + t] - targets[i][t];
            gradient[i * DEMO_TARGETS + t] = 2 * w * difference;
            loss += (double)(w * difference * difference);
        }
    }
    return loss;
}

/* Measures the arena size of a step by running it on a measuring arena. */
static Status plan(Pretraining *p, size_t *bytes, Error *error)
{
    Arena *arena;
    Tape *tape;
    TRY(arena_create_measuring(&arena, error));
    Status status =
        tape_create(&tape, arena, p->demo->threads, vit_forward_operations(p->vit) + 1, error);
    if (status == STATUS_OK) {
        Tensor pixels = input_leaf(p, BATCH);
        tape_backward(tape, predict(p, tape, &pixels), p->gradient);
        *bytes = arena_peak(arena);
        tape_destroy(tape);
    }
    arena_destroy(arena);
    return status;
}

static Status prepare(Pretraining *p, Error *error)
{
    const size_t size = (size_t)3 * DEMO_SIZE * DEMO_SIZE;
    const size_t portraits = p->scale->portraits;
    size_t bytes = 0;
    p->pixels = malloc(portraits * size);
    p->targets = malloc(portraits * DEMO_TARGETS * sizeof(float));
    p->batch = malloc(BATCH * size);
    p->input = malloc(BATCH * size * sizeof(float));
    p->errors = calloc(CHUNK, sizeof(Error));
    if (!p->pixels || !p->targets || !p->batch || !p->input || !p->errors)
        return mem_full(0, "the pretraining", error);
    TrainRecipe recipe;
    TRY(train_recipe_named(&recipe, "paper", error)); /* AdamW, betas 0.9 and 0.999 */
    recipe.weight_decay = DECAY;
    TRY(vit_tune(&p->encoder, p->vit, NULL, "all", 0, error));
    for (int i = 0; i < p->encoder->entry_count; i++) /* weight decay on matrices only */
        p->encoder->entries[i].decays = p->encoder->entries[i].tensor->ndim >= 2;
    TRY(make_readout(p, error));
    TRY(train_optimizer_create(&p->optimizers[0], &recipe, p->encoder->count, error));
    TRY(train_optimizer_create(&p->optimizers[1], &recipe, p->readout.count, error));
    TRY(plan(p, &bytes, error));
    TRY(arena_create(&p->arena, bytes, error));
    return tape_create(&p->tape, p->arena, p->demo->threads, vit_forward_operations(p->vit) + 1,
                       error);
}

static void clean_up(Pretraining *p)
{
    tape_destroy(p->tape);
    arena_destroy(p->arena);
    train_optimizer_destroy(&p->optimizers[0]);
    train_optimizer_destroy(&p->optimizers[1]);
    free(p->readout.values);
    free(p->readout.grads);
    free(p->pixels);
    free(p->targets);
    free(p->batch);
    free(p->input);
    free(p->errors);
}

/* ---- training -------------------------------------------------------------------------------- */

/* Copies frames order[0..count) to the input; targets[i] points to the targets of row i. */
static Tensor load_batch(Pretraining *p, const int *order, int count, const float **targets)
{
    const size_t size = (size_t)3 * DEMO_SIZE * DEMO_SIZE;
    for (int i = 0; i < count; i++) {
        memcpy(p->batch + (size_t)i * size, p->pixels + (size_t)order[i] * size, size);
        targets[i] = p->targets + (size_t)order[i] * DEMO_TARGETS;
    }
    train_normalize(&p->vit->config, p->batch, count, p->demo->threads, p->input);
    return input_leaf(p, count);
}

static double rate(int step, int steps)
{
    const double warm = WARM_UP * steps;
    if (step < warm)
        return RATE * (step + 1) / warm;
    return 0.5 * RATE * (1 + cos(3.14159265358979323846 * (step - warm) / (steps - warm)));
}

static double one_step(Pretraining *p, const int *order, double lr)
{
    const float *targets[BATCH];
    VitTuned *const tuned[2] = {p->encoder, &p->readout};
    for (int i = 0; i < 2; i++)
        vit_tuned_zero_grads(tuned[i]);
    Tensor pixels = load_batch(p, order, BATCH, targets);
    Tensor *predictions = predict(p, p->tape, &pixels);
    const double loss = loss_gradient(tensor_f32(predictions), targets, BATCH, p->gradient);
    tape_backward(p->tape, predictions, p->gradient);
    tape_reset(p->tape);
    for (int i = 0; i < 2; i++) {
        train_clip_grads(tuned[i], train_grad_norm(tuned[i]), MAX_GRAD_NORM);
        train_optimizer_step(&p->optimizers[i], tuned[i], lr);
    }
    return loss;
}

static Status train_all(Pretraining *p, int *steps_done, Error *error)
{
    const int frames = p->scale->portraits - p->scale->held_out, steps_per_epoch = frames / BATCH;
    const int steps = p->scale->pretraining_epochs * steps_per_epoch;
    int *order = malloc(frames * sizeof *order);
    if (!order)
        return mem_full(0, "the pretraining", error);
    CliProgress progress = cli_progress_begin(p->demo->arguments, "pretraining", "steps");
    double smooth = 0;
    Status status = STATUS_OK;
    for (int step = 0; step < steps && status == STATUS_OK; step++) {
        const int position = step % steps_per_epoch;
        if (position == 0) {
            Random random =
                random_stream(p->demo->seed, RANDOM_SHUFFLE, (uint32_t)(step / steps_per_epoch), 1);
            random_permutation(&random, frames, order);
        }
        const double loss = one_step(p, order + position * BATCH, rate(step, steps));
        smooth = step == 0 ? loss : 0.95 * smooth + 0.05 * loss;
        char text[96];
        snprintf(text, sizeof text, "pretraining: step %d/%d, loss %.3f", step + 1, steps, smooth);
        cli_progress_text(&progress, step + 1 == steps, text);
        if (*p->demo->stop)
            status = interrupted(error);
    }
    cli_progress_end(&progress);
    free(order);
    *steps_done = steps;
    return status;
}

/* Computes the explained variance on the held-out frames. */
static void measure(Pretraining *p, double r2[DEMO_TARGETS])
{
    double squares[DEMO_TARGETS] = {0}, sums[DEMO_TARGETS] = {0}, errors[DEMO_TARGETS] = {0};
    const int end = p->scale->portraits;
    tape_set_recording(p->tape, false);
    for (int first = end - p->scale->held_out; first < end; first += BATCH) {
        const int count = end - first < BATCH ? end - first : BATCH;
        const float *targets[BATCH];
        int order[BATCH];
        for (int i = 0; i < count; i++)
            order[i] = first + i;
        Tensor pixels = load_batch(p, order, count, targets);
        const float *values = tensor_f32(predict(p, p->tape, &pixels));
        for (int i = 0; i < count; i++) {
            for (int t = 0; t < DEMO_TARGETS; t++) {
                const double target = (double)targets[i][t];
                const double difference = (double)values[i * DEMO_TARGETS + t] - target;
                errors[t] += difference * difference;
                sums[t] += target;
                squares[t] += target * target;
            }
        }
        tape_reset(p->tape);
    }
    for (int t = 0; t < DEMO_TARGETS; t++)
        r2[t] = 1 - errors[t] / (squares[t] - sums[t] * sums[t] / p->scale->held_out);
}

Status demo_pretrain(const Demo *demo, Vit *vit, const char *folder, DemoPretraining *result,
                     Error *error)
{
    assert(vit->config.image_size == DEMO_SIZE);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const DemoScale *scale = demo->scale;
    *result = (DemoPretraining){.frames = scale->portraits - scale->held_out,
                                .held_out = scale->held_out};
    Pretraining p = {.demo = demo, .scale = scale, .vit = vit};
    Status status = prepare(&p, error);
    if (status == STATUS_OK)
        status = draw_frames(&p, error);
    if (status == STATUS_OK)
        status = train_all(&p, &result->steps, error);
    if (status == STATUS_OK) {
        measure(&p, result->r2);
        status = vit_save(vit, folder, error);
    }
    vit_tuned_destroy(p.encoder);
    clean_up(&p);
    clock_gettime(CLOCK_MONOTONIC, &end);
    result->seconds =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    return status;
}
