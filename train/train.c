/*
 * train.c - the whole project in one file, from top to bottom.
 *
 *     one_step      data -> encoder -> loss -> backward -> AdamW
 *     close_epoch   encoder -> scores -> metrics -> adapters
 *     train_run     what comes before the first step and after the last
 *
 * A frame's way into a step: the loader decodes, augments, resizes and crops it (data/loader.h);
 * the stepper normalises it and runs it through the encoder to its feature (train/stepper.h,
 * vit/vit.h); the objective puts the features of the batch on the unit sphere, through the head,
 * and compares them with their labels (train/objective.h); the tape takes the loss back to the
 * LayerNorms (tensor/tape.h); the optimizer moves them (train/optimizer.h).
 *
 * What is on the disk is always a run that can go on: rows and curves first, adapters next, and
 * state.safetensors last, which alone says how far the run is.
 */
#include "train/run/run_private.h"

#include "tensor/base/file.h"
#include "train/run/run_adapters.h"
#include "train/run/run_curves.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- One step -------------------------------------------------------------------------------- */

/* A batch, and its features [count,D] where the encoder is frozen and they are ready, else NULL. */
typedef struct Batch {
    DataBatch data;
    const float *features;
} Batch;

static Status next_batch(TrainRun *run, Batch *batch, Error *error)
{
    volatile sig_atomic_t *const stop = run->job->stop;
    if (stop && *stop)
        return error_set(error, STATUS_INTERRUPTED,
                         "training: stopped by a signal; go on with --resume");
    return train_batches_next(&run->batches, &batch->data, &batch->features, error);
}

/*
 * The error of a run whose `what` ("loss nan") is not finite after `done` steps, the last or present
 * one at rate lr. The weights in memory are useless then: what is on the disk stays as it is.
 */
static Status diverged(TrainRun *run, const char *what, int64_t done, double lr, Error *error)
{
    const TrainJob *const job = run->job;
    char from[FILE_PATH_SIZE + 40] = "";
    run->diverged = true;
    if (done == 0)
        return error_set(error, STATUS_FAILED,
                         "step 0: %s, before any training; the model, or the adapter that the run "
                         "starts from, is damaged: use another",
                         what);
    if (job->folder && job->val && run->state.has_best)
        snprintf(from, sizeof from, ", from --adapter %s/best.safetensors", job->folder);
    else if (job->folder && run->saved_step > 0 && run->saved_step < done)
        snprintf(from, sizeof from, ", from --adapter %s/last.safetensors", job->folder);
    return error_set(error, STATUS_FAILED,
                     "step %lld (epoch %d, lr %.3g): %s, training has diverged; start a new run "
                     "with a lower lr%s, grad_clip=1 or warmup_epochs=1%s (the state of step %lld "
                     "is kept)",
                     (long long)done, run->state.epoch + 1, lr, what,
                     run->sam.rho > 0 ? ", a lower sam.rho" : "", from, (long long)run->saved_step);
}

static void report_step(const TrainRun *run, const TrainStepRow *row)
{
    const TrainJob *const job = run->job;
    if (!job->progress)
        return;
    const int64_t left = run->steps - run->state.step;
    const int64_t epochs_left = (left + run->steps_per_epoch - 1) / run->steps_per_epoch;
    const double each = run->step_seconds / (double)(run->state.step - run->first_step);
    const TrainProgress progress = {
        .phase = "train",
        .epoch = row->epoch,
        .epochs = train_run_epochs(run),
        .step = run->state.step,
        .total_steps = run->steps,
        .lr = row->lr,
        .seconds_left = each * (double)left + run->validation_seconds * (double)epochs_left,
        .images_per_second = row->images_per_second,
        .losses = row->losses,
        .peak_bytes = train_peak_bytes(),
    };
    job->progress(job->context, &progress);
}

static void report_within_step(void *context, int done, int total)
{
    const TrainRun *const run = context;
    const int passes = run->sam.rho > 0 ? 2 : 1;
    run->job->within_step(run->job->context, run->state.step, run->ascents * total + done,
                          passes * total);
}

/* The gradient of a batch and its norm, both finite: else the error names step, epoch and rate. */
static Status finite_gradient(TrainRun *run, const Batch *batch, double lr, TrainLosses *losses,
                              double *norm, Error *error)
{
    char what[80];
    TRY(train_stepper_step(run->stepper, &batch->data, batch->features, run->state.step,
                           run->job->stop, losses, error));
    TRY(file_check_mappings(
        error)); /* before the weights move: the state saved is that of the step before */
    *norm = train_grad_norm(run->job->tuned);
    if (isfinite(losses->total) && isfinite(*norm))
        return STATUS_OK;
    snprintf(what, sizeof what, "loss %g, gradient norm %g",
             isnan(losses->total) ? (double)NAN : (double)losses->total,
             isnan(*norm) ? (double)NAN : *norm); /* a NaN without its sign */
    return diverged(run, what, run->state.step, lr, error);
}

/*
 * The gradient that the optimizer takes and its norm. *losses are those at the weights themselves, also with
 * SAM, whose second gradient comes from uphill of them, from the same batch and the same draws.
 */
static Status step_gradient(TrainRun *run, const Batch *batch, double lr, TrainLosses *losses,
                            double *norm, Error *error)
{
    VitTuned *const tuned = run->job->tuned;
    run->ascents = 0;
    TRY(finite_gradient(run, batch, lr, losses, norm, error));
    if (run->sam.rho <= 0)
        return STATUS_OK;
    TrainLosses uphill;
    run->ascents = 1;
    train_sam_climb(&run->sam, tuned);
    const Status status = finite_gradient(run, batch, lr, &uphill, norm, error);
    train_sam_return(&run->sam, tuned);
    return status;
}

/* Data, encoder, loss, backward, optimizer; then the row of steps.csv. */
static Status one_step(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainRecipe *const recipe = job->recipe;
    const double started = train_clock();
    const double lr =
        train_learning_rate(recipe, run->state.step, run->steps, run->steps_per_epoch);

    Batch batch;
    TrainLosses losses;
    double norm;
    TRY(next_batch(run, &batch, error));
    TRY(step_gradient(run, &batch, lr, &losses, &norm, error));
    if (recipe->grad_clip > 0)
        train_clip_grads(job->tuned, norm, recipe->grad_clip);
    run->torn = true;
    train_optimizer_step(&run->optimizer, job->tuned, lr);
    train_ema_update(&run->ema, job->tuned, run->optimizer.steps);

    const double seconds = train_clock() - started;
    const TrainStepRow row = {
        .step = run->state.step,
        .epoch = run->state.epoch,
        .lr = lr,
        .losses = losses,
        .grad_norm = norm,
        .images_per_second = batch.data.count / seconds,
    };
    run->step_seconds += seconds;
    run->state.step++;
    run->state.loss_sum += (double)losses.total;
    run->state.loss_steps++;
    report_step(run, &row);
    TRY(train_run_files_step(&run->files, &row, error));
    run->torn = false;
    return STATUS_OK;
}

/* ---- The end of an epoch --------------------------------------------------------------------- */

/* Scores every validation frame by the averaged weights, where there are any, and fills the metrics of *epoch. */
static Status validate(TrainRun *run, TrainEpoch *epoch, Error *error)
{
    const TrainJob *const job = run->job;
    const DataList *const val = job->val;
    const double started = train_clock();
    const size_t count = (size_t)val->count;
    float *const probabilities = malloc(count * VIT_CLASSES * sizeof(float));
    float *const margins = malloc(count * sizeof(float));
    float *const cross_entropy = malloc(count * sizeof(float));
    bool not_finite = false;
    int *const labels = malloc(count * sizeof(int));
    Status status = STATUS_OK;
    if (!probabilities || !margins || !cross_entropy || !labels)
        status = error_set(error, STATUS_FAILED,
                           "validation: no memory for %zu frames; validate on fewer", count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        labels[i] = val->frames[i].label;
    train_ema_swap(&run->ema, job->tuned);
    if (status == STATUS_OK && run->cached) {
        status = train_score_features(job->head, run->cache.val, labels, val->count, job->threads,
                                      probabilities, cross_entropy, margins, error);
    } else if (status == STATUS_OK) {
        TrainScoring scoring = train_run_scoring(run, "validate");
        scoring.cross_entropy = cross_entropy;
        scoring.margins = margins;
        scoring.not_finite = &not_finite;
        status = train_score(job->vit, job->head, val, 0, &scoring, job->threads, NULL,
                             probabilities, error);
    }
    train_ema_swap(&run->ema, job->tuned);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        not_finite = not_finite || !isfinite(cross_entropy[i]);
    if (not_finite)
        status = diverged(run, "the scores of validation are not finite", run->state.step,
                          epoch->lr, error);
    if (status == STATUS_OK)
        status = train_validation_metrics(val, probabilities, margins, cross_entropy, epoch, error);
    free(labels);
    free(margins);
    free(cross_entropy);
    free(probabilities);
    run->validation_seconds = train_clock() - started;
    return status;
}

static TrainRunAdapter adapter_of(const TrainRun *run)
{
    const TrainJob *const job = run->job;
    return (TrainRunAdapter){
        .vit = job->vit,
        .head = job->head,
        .tuned = job->tuned,
        .recipe = job->recipe,
        .origin = &run->origin,
        .record = &run->record,
        .steps = run->state.step,
        .epoch = &run->state.last,
    };
}

/* Writes adapters by `write`, of the averaged weights where there are any. */
static Status write_adapters(TrainRun *run, Status (*write)(const TrainRun *, Error *),
                             Error *error)
{
    if (!run->job->folder)
        return STATUS_OK;
    train_ema_swap(&run->ema, run->job->tuned);
    const Status status = write(run, error);
    train_ema_swap(&run->ema, run->job->tuned);
    return status;
}

static Status write_last(const TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainRunAdapter adapter = adapter_of(run);
    TRY(train_run_adapter_write(&adapter, job->folder, TRAIN_RUN_LAST, error));
    if (job->val)
        return STATUS_OK;
    /* Nothing to choose by: the last one counts as the best. */
    return train_run_adapter_write(&adapter, job->folder, TRAIN_RUN_BEST, error);
}

/* Writes best.safetensors and the kept adapters of the epoch just closed. */
static Status write_best(const TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->val)
        return STATUS_OK;
    const TrainRunAdapter adapter = adapter_of(run);
    if (run->state.last.best)
        TRY(train_run_adapter_write(&adapter, job->folder, TRAIN_RUN_BEST, error));
    if (job->recipe->keep == 0)
        return STATUS_OK;
    double *values = NULL;
    int epochs = 0;
    TRY(train_run_files_column(&run->files, TRAIN_RUN_EPOCHS, job->recipe->monitor, &values,
                               &epochs, error));
    const Status status = train_run_adapters_keep(&adapter, job->folder, values, epochs, error);
    free(values);
    return status;
}

/* What is written is finite: the last update may have ended that, and no loss has followed it yet. */
static Status check_finite_weights(TrainRun *run, Error *error)
{
    const VitTuned *const tuned = run->job->tuned;
    const int64_t last = run->state.step > 0 ? run->state.step - 1 : 0;
    for (size_t i = 0; i < tuned->count; i++)
        if (!isfinite(tuned->values[i]))
            return diverged(
                run, "the trained parameters are not finite", run->state.step,
                train_learning_rate(run->job->recipe, last, run->steps, run->steps_per_epoch),
                error);
    return STATUS_OK;
}

/*
 * Saves the run as it is: rows, last adapter, and then the state, from which alone it is
 * resumed.
 */
static Status save(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->folder)
        return STATUS_OK;
    char path[FILE_PATH_SIZE];
    TRY(check_finite_weights(run, error));
    TRY(file_join(path, job->folder, "state.safetensors", error));
    TRY(train_run_files_sync(&run->files, error));
    TRY(write_adapters(run, write_last, error));
    TRY(train_state_write(&run->state, job->tuned, &run->optimizer, &run->ema, &run->origin, path,
                          error));
    run->saved_step = run->state.step;
    return STATUS_OK;
}

/* Whether the epoch is the best so far; without validation each is. */
static bool is_best(const TrainRun *run, const TrainEpoch *epoch)
{
    const char *const monitor = run->job->recipe->monitor;
    if (!run->job->val || !run->state.has_best)
        return true;
    return train_monitor_better(monitor, train_monitor_value(epoch, monitor),
                                train_monitor_value(&run->state.best, monitor));
}

/* A picture that cannot be drawn, as of a steps.csv that another program cut, is no reason to lose an epoch. */
static void write_curves(const TrainRun *run)
{
    Error error = {0};
    const TrainJob *const job = run->job;
    if (train_run_curves_write(&run->files, job->val != NULL, &error) != STATUS_OK && job->warning)
        job->warning(job->context, error.message);
}

/* Validation, the row of epochs.csv, curves, adapters, state. */
static Status close_epoch(TrainRun *run, Error *error)
{
    TrainState *const state = &run->state;
    TrainEpoch epoch = train_epoch_empty();
    epoch.epoch = state->epoch;
    epoch.step = state->step;
    epoch.lr =
        train_learning_rate(run->job->recipe, state->step - 1, run->steps, run->steps_per_epoch);
    epoch.train_loss = state->loss_sum / (double)state->loss_steps;
    if (run->job->val)
        TRY(validate(run, &epoch, error));
    epoch.best = is_best(run, &epoch);
    epoch.seconds = train_clock() - run->epoch_started;
    run->torn = true;
    TRY(train_run_files_epoch(&run->files, &epoch, error));
    state->last = epoch;
    if (epoch.best) {
        state->best = epoch;
        state->has_best = true;
    }
    state->since_best = epoch.best ? 0 : state->since_best + 1;
    state->epoch++;
    state->loss_sum = 0;
    state->loss_steps = 0;
    if (run->job->folder)
        write_curves(run);
    TRY(write_adapters(run, write_best, error));
    TRY(save(run, error));
    run->torn = false;
    if (run->job->epoch_done)
        run->job->epoch_done(run->job->context, &epoch);
    return STATUS_OK;
}

/* ---- The run --------------------------------------------------------------------------------- */

static bool finished(const TrainRun *run)
{
    const int patience = run->job->recipe->early_stopping;
    const int64_t begun = run->state.epoch * run->steps_per_epoch;
    return begun >= run->steps || (patience > 0 && run->state.since_best >= patience);
}

static Status run_epochs(TrainRun *run, Error *error)
{
    const int save_every = run->job->recipe->save_every;
    while (!finished(run)) {
        const int64_t full = (run->state.epoch + 1) * run->steps_per_epoch;
        const int64_t end = full < run->steps ? full : run->steps;
        const int64_t begun = run->state.epoch * run->steps_per_epoch;
        run->epoch_started = train_clock();
        if (run->state.step < end)
            TRY(train_batches_start(&run->batches, run->state.epoch, (int)(run->state.step - begun),
                                    error));
        while (run->state.step < end) {
            TRY(one_step(run, error));
            if (save_every > 0 && run->state.step % save_every == 0 && run->state.step < end)
                TRY(save(run, error));
        }
        TRY(close_epoch(run, error));
    }
    return STATUS_OK;
}

/* However the run ends before its end (a signal, a full disk), its last step is saved if it is any good. */
static Status run_and_save(TrainRun *run, Error *error)
{
    const Status status = run_epochs(run, error);
    if (status == STATUS_OK || run->torn || run->diverged)
        return status;
    Error saving = {0};
    if (save(run, &saving) == STATUS_OK || status != STATUS_INTERRUPTED)
        return status;
    *error = saving;
    return saving.status;
}

/* ---- From beginning to end -------------------------------------------------------------------- */

static Status run_job(TrainRun *run, TrainResult *result, Error *error)
{
    const TrainJob *const job = run->job;
    TRY(train_run_prepare(run, error));
    if (job->within_step)
        train_stepper_watch(run->stepper, report_within_step, run);
    if (job->planned)
        job->planned(job->context, train_stepper_plan(run->stepper));
    if (job->dry_run)
        return train_run_forecast(run, result, error);
    TRY(train_run_open(run, error));
    return run_and_save(run, error);
}

Status train_run(const TrainJob *job, TrainResult *result, Error *error)
{
    assert(job->vit && job->head && job->tuned && job->recipe && job->train);
    const double started = train_clock();
    TrainRun run = {.job = job, .state = train_state_empty()};
    *result = (TrainResult){0};
    const Status status = run_job(&run, result, error);
    result->steps = run.steps;
    result->steps_done = run.state.step;
    result->stopped_early = status == STATUS_OK && !job->dry_run && run.state.step < run.steps;
    result->best = run.state.best;
    result->last = run.state.last;
    result->seconds = train_clock() - started;
    train_batches_close(&run.batches);
    train_feature_cache_free(&run.cache);
    train_run_files_close(&run.files);
    train_stepper_destroy(run.stepper);
    train_ema_swap(&run.ema, job->tuned);
    train_run_record_free(&run.record);
    train_ema_destroy(&run.ema);
    train_sam_destroy(&run.sam);
    train_optimizer_destroy(&run.optimizer);
    return status;
}
