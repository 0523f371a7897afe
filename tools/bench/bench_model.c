/*
 * bench_model.c - benchmarks of the full encoder in each precision: forward at batch 1 and 8, and
 * the gradient of an LN-tuning step at batch 8.
 *
 * Both use the same encoder, packed as for training. The weights come from a model or are random,
 * which takes the same time. Pixels are noise. A step is train_stepper_step on a batch: forward,
 * losses, backward. The optimizer update is not included; with 0.1 million parameters it is
 * negligible.
 */
#include "tools/bench/bench.h"

#include "tensor/base/mem.h"
#include "train/stepper.h"

#include <stdlib.h>

typedef struct Model {
    Vit *vit;
    VitHead head;
    VitTuned *tuned;
} Model;

static void model_free(Model *model)
{
    vit_tuned_destroy(model->tuned);
    vit_head_destroy(&model->head);
    vit_destroy(model->vit);
    *model = (Model){0};
}

static Status model_create(Model *model, const Bench *bench, Precision precision, bool step,
                           Error *error)
{
    Threads *threads = bench->pools[bench->pool_count - 1].threads;
    *model = (Model){0};
    if (bench->model)
        TRY(vit_load_with(&model->vit, bench->model, &bench->hints, threads, error));
    else
        TRY(vit_create(&model->vit, &bench->config, 1, threads, error));
    TRY(vit_head_create(&model->head, VIT_HEAD_LINEAR_NORM, bench->config.width, 1, error));
    if (step)
        TRY(vit_tune(&model->tuned, model->vit, &model->head, "ln", 0, error));
    return vit_pack(model->vit, precision, step, threads, error);
}

static void report(Bench *bench, const char *section, const BenchPool *pool, Precision precision,
                   int batch, double work, BenchTime time)
{
    time.ms /= batch;
    const BenchRate rate = bench_rate(pool, precision, work, &time);
    char name[32];
    snprintf(name, sizeof name, "%s, batch %d", section, batch);
    bench_print(bench, "%-22s  %-9s  %7d  %12.2f  %10.0f  %7.1f %%  %7.1f %%\n", name,
                precision_name(precision), pool->count, time.ms, rate.gflops, 100 * rate.fraction,
                100 * rate.live_fraction);
    bench_add(bench, section,
              json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "precision",
                        precision_name(precision), "batch", batch, "threads", pool->count,
                        "ms_per_image", time.ms, "gflops", rate.gflops, "share", rate.fraction,
                        "share_beside", rate.live_fraction));
}

/* ---- forward --------------------------------------------------------------------------------- */

typedef struct Forward {
    const Vit *vit;
    Tensor pixels; /* [B,3,S,S] */
    float *values;
    BenchTape work;
} Forward;

static void forward_graph(Tape *tape, void *context)
{
    Forward *f = context;
    tape_set_recording(tape, false);
    vit_forward(f->vit, tape, &f->pixels, NULL);
}

static double forward_run(void *context)
{
    Forward *f = context;
    const double start = train_clock();
    forward_graph(f->work.tape, f);
    tape_reset(f->work.tape);
    return train_clock() - start;
}

static Status forward_on(Bench *bench, const BenchPool *pool, Forward *f, Precision precision,
                         Error *error)
{
    BenchTime time = {0};
    Status status = bench_tape_create(&f->work, pool->threads, vit_forward_operations(f->vit),
                                      forward_graph, f, error);
    if (status == STATUS_OK)
        status = bench_measure(bench, pool, precision, forward_run, f, &time, error);
    bench_tape_free(&f->work);
    TRY(status);
    const int batch = f->pixels.shape[0];
    report(bench, "forward", pool, precision, batch, bench_forward_work(&bench->config), time);
    return STATUS_OK;
}

/* Measures one image on every pool, and a batch on the largest. */
static Status forward(Bench *bench, const Vit *vit, Precision precision, Error *error)
{
    const int S = bench->config.image_size;
    Forward f = {.vit = vit};
    TRY(bench_values(DTYPE_F32, (size_t)BENCH_BATCH * 3 * S * S, 1, (void **)&f.values, error));
    Status status = STATUS_OK;
    for (int batch = 1; batch <= BENCH_BATCH; batch += BENCH_BATCH - 1) {
        f.pixels = tensor_leaf(f.values, 4, (const int[]){batch, 3, S, S});
        const int last = bench->pool_count - 1;
        for (int t = batch == 1 ? 0 : last; t <= last && status == STATUS_OK; t++)
            status = forward_on(bench, &bench->pools[t], &f, precision, error);
    }
    free(f.values);
    return status;
}

/* ---- step ------------------------------------------------------------------------------------ */

typedef struct Step {
    TrainStepper *stepper;
    DataBatch batch;
    volatile sig_atomic_t *stop;
    Status status;
    Error *error;
} Step;

static double step_run(void *context)
{
    Step *s = context;
    TrainLosses losses;
    const double start = train_clock();
    s->status = train_stepper_step(s->stepper, &s->batch, NULL, 0, s->stop, &losses, s->error);
    return train_clock() - start;
}

static Status step_measure(Bench *bench, Step *s, Precision precision, Error *error)
{
    BenchTime time = {0};
    const BenchPool *pool = &bench->pools[bench->pool_count - 1];
    TRY(bench_measure(bench, pool, precision, step_run, s, &time, error));
    TRY(s->status);
    report(bench, "step", pool, precision, BENCH_BATCH, bench_step_work(&bench->config), time);
    return STATUS_OK;
}

static Status step(Bench *bench, Model *model, Precision precision, Error *error)
{
    static const int labels[BENCH_BATCH] = {0, 1, 0, 1, 0, 1, 0, 1};
    TrainRecipe recipe;
    TRY(train_recipe_named(&recipe, "paper", error));
    TRY(train_recipe_set(&recipe, "precision", precision_name(precision), error));
    recipe.batch_size = BENCH_BATCH;
    Step s = {.stop = bench->stop, .error = error};
    TRY(train_stepper_create(&s.stepper, model->vit, &model->head, model->tuned, &recipe,
                             BENCH_BATCH, bench->pools[bench->pool_count - 1].threads, 0, error));
    const size_t S = bench->config.image_size;
    const size_t bytes = (size_t)BENCH_BATCH * 3 * S * S;
    uint8_t *pixels = malloc(bytes);
    Status status = STATUS_OK;
    if (!pixels)
        status = mem_full(0, "the pixels", error);
    for (size_t i = 0; status == STATUS_OK && i < bytes; i++)
        pixels[i] = (uint8_t)(i * 2654435761U >> 24); /* noise from Knuth's multiplicative hash */
    s.batch = (DataBatch){.count = BENCH_BATCH, .pixels = pixels, .labels = labels};
    if (status == STATUS_OK)
        status = step_measure(bench, &s, precision, error);
    free(pixels);
    train_stepper_destroy(s.stepper);
    return status;
}

/* int8 has no backward pass, so no step. */
Status bench_model(Bench *bench, bool with_forward, bool with_step, Error *error)
{
    bench_note(bench, with_forward ? "encoder" : "training step");
    bench_print(bench, "\n%-22s  %-9s  %7s  %12s  %10s  %9s  %9s\n", "encoder", "precision",
                "threads", "ms/image", "GFLOP/s", "of peak", "live peak");
    for (int p = 0; p < PRECISION_COUNT; p++) {
        const bool steps = with_step && p != PRECISION_INT8;
        if (!bench->precisions[p] || (!with_forward && !steps))
            continue;
        Model model;
        Status status = model_create(&model, bench, (Precision)p, steps, error);
        if (status == STATUS_OK && with_forward)
            status = forward(bench, model.vit, (Precision)p, error);
        if (status == STATUS_OK && steps)
            status = step(bench, &model, (Precision)p, error);
        model_free(&model);
        TRY(status);
    }
    return STATUS_OK;
}
