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
 * What is on the disk is always a run that can go on: rows first, adapters next, and
 * state.safetensors last, which alone says how far the run is.
 */
#include "train/train.h"

#include "tensor/file.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/feature_cache.h"
#include "train/optimizer.h"
#include "train/run_adapters.h"
#include "train/run_files.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Most images that validation decodes at once: more are no faster, and the loader would hold them
 * all.
 */
enum { VALIDATION_BATCH = 32 };

typedef struct Run {
    const TrainJob *job;
    TrainOrigin origin;
    int64_t steps_per_epoch, steps; /* T: of the whole run */
    TrainOptimizer optimizer;
    TrainStepper *stepper;
    TrainRunFiles files;
    TrainState state;

    DataLoaderSettings loading;
    bool cached; /* the encoder is frozen and nothing changes the images: features are ready */
    TrainFeatureCache cache;
    TrainBatches batches;

    double epoch_started;      /* seconds of train_clock */
    double step_seconds;       /* spent in the steps of this session */
    double validation_seconds; /* of the last validation */
    int64_t first_step;        /* of this session */
    const char *phase;         /* for the progress of scoring */
    bool torn; /* between a change and its row or file: what is in memory must not be saved now */
} Run;

static void notice(const TrainJob *job, const char *text)
{
    if (job->notice)
        job->notice(job->context, text);
}

static void warning(const TrainJob *job, const char *text)
{
    if (job->warning)
        job->warning(job->context, text);
}

/* ---- One step -------------------------------------------------------------------------------- */

/* Fetches the next batch and fills the gradient of everything that trains. */
static Status batch_gradient(Run *run, DataBatch *batch, TrainLosses *losses, Error *error)
{
    const int64_t step = run->state.step;
    volatile sig_atomic_t *const stop = run->job->stop;
    const float *features = NULL; /* [count,D] of a frozen encoder */
    if (stop && *stop)
        return error_set(error, STATUS_INTERRUPTED,
                         "training: stopped by a signal; go on with --resume");
    TRY(train_batches_next(&run->batches, batch, &features, error));
    if (features)
        return train_stepper_gradient_cached(run->stepper, features, batch->labels, batch->count,
                                             step, losses, error);
    return train_stepper_gradient(run->stepper, batch, step, stop, losses, error);
}

/* Names the step and the files of the batch whose loss or gradient is not a number. */
static Status not_finite(Run *run, const DataBatch *batch, const TrainLosses *losses, double norm,
                         Error *error)
{
    for (int i = 0; i < batch->count; i++)
        error_detail(error, "%s", run->job->train->frames[batch->index[i]].path);
    return error_set(
        error, STATUS_FAILED,
        "step %lld: loss %g, gradient norm %g; the state before this step is saved: look at the "
        "files named above, or lower lr, or set grad_clip",
        (long long)run->state.step, isnan(losses->total) ? (double)NAN : (double)losses->total,
        isnan(norm) ? (double)NAN : norm); /* a NaN without its sign */
}

static void report_step(const Run *run, const TrainStepRow *row)
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
        .epochs = (int)((run->steps + run->steps_per_epoch - 1) / run->steps_per_epoch),
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
    const Run *const run = context;
    run->job->within_step(run->job->context, run->state.step, done, total);
}

/* Data, encoder, loss, backward, optimizer; then the row of steps.csv. */
static Status one_step(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainRecipe *const recipe = job->recipe;
    const double started = train_clock();
    const double lr =
        train_learning_rate(recipe, run->state.step, run->steps, run->steps_per_epoch);

    DataBatch batch;
    TrainLosses losses;
    TRY(batch_gradient(run, &batch, &losses, error));
    const double norm = train_grad_norm(job->tuned);
    if (!isfinite(losses.total) || !isfinite(norm))
        return not_finite(run, &batch, &losses, norm, error);
    if (recipe->grad_clip > 0)
        train_clip_grads(job->tuned, norm, recipe->grad_clip);
    run->torn = true;
    train_optimizer_step(&run->optimizer, job->tuned, lr);

    const double seconds = train_clock() - started;
    const TrainStepRow row = {
        .step = run->state.step,
        .epoch = run->state.epoch,
        .lr = lr,
        .losses = losses,
        .grad_norm = norm,
        .images_per_second = batch.count / seconds,
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

static void report_scoring(void *context, int done, int total, double images_per_second)
{
    const Run *const run = context;
    if (!run->job->progress)
        return;
    const TrainProgress progress = {
        .phase = run->phase,
        .epoch = run->state.epoch,
        .epochs = (int)((run->steps + run->steps_per_epoch - 1) / run->steps_per_epoch),
        .step = done,
        .total_steps = total,
        .lr = NAN,
        .seconds_left = (total - done) / images_per_second,
        .images_per_second = images_per_second,
        .peak_bytes = train_peak_bytes(),
    };
    run->job->progress(run->job->context, &progress);
}

static TrainScoring scoring_of(Run *run, const char *phase)
{
    const int micro_batch = train_stepper_plan(run->stepper)->micro_batch;
    run->phase = phase;
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = micro_batch < VALIDATION_BATCH ? micro_batch : VALIDATION_BATCH;
    scoring.workers = run->job->recipe->workers;
    scoring.stop = run->job->stop;
    scoring.progress = report_scoring;
    scoring.context = run;
    scoring.arena = train_stepper_arena(run->stepper);
    return scoring;
}

/* Scores every validation frame and fills the metrics of *epoch. */
static Status validate(Run *run, TrainEpoch *epoch, Error *error)
{
    const TrainJob *const job = run->job;
    const DataList *const val = job->val;
    const double started = train_clock();
    const size_t count = (size_t)val->count;
    float *const probabilities = malloc(count * VIT_CLASSES * sizeof(float));
    float *const cross_entropy = malloc(count * sizeof(float));
    int *const labels = malloc(count * sizeof(int));
    Status status = STATUS_OK;
    if (!probabilities || !cross_entropy || !labels)
        status = error_set(error, STATUS_FAILED,
                           "validation: no memory for %zu frames; validate on fewer", count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        labels[i] = val->frames[i].label;
    if (status == STATUS_OK && run->cached) {
        status = train_score_features(job->head, run->cache.val, labels, val->count, job->threads,
                                      probabilities, cross_entropy, error);
    } else if (status == STATUS_OK) {
        TrainScoring scoring = scoring_of(run, "validate");
        scoring.cross_entropy = cross_entropy;
        status = train_score(job->vit, job->head, val, 0, &scoring, job->threads, NULL,
                             probabilities, error);
    }
    if (status == STATUS_OK)
        status = train_validation_metrics(val, probabilities, cross_entropy, epoch, error);
    free(labels);
    free(cross_entropy);
    free(probabilities);
    run->validation_seconds = train_clock() - started;
    return status;
}

static TrainRunAdapter adapter_of(const Run *run)
{
    const TrainJob *const job = run->job;
    return (TrainRunAdapter){
        .vit = job->vit,
        .head = job->head,
        .tuned = job->tuned,
        .recipe = job->recipe,
        .origin = &run->origin,
        .steps = run->state.step,
        .epoch = &run->state.last,
    };
}

/*
 * Saves where the run stands: rows, last adapter, and then the state, from which alone it is
 * resumed.
 */
static Status save(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->folder)
        return STATUS_OK;
    const TrainRunAdapter adapter = adapter_of(run);
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, job->folder, "state.safetensors", error));
    TRY(train_run_files_sync(&run->files, error));
    TRY(train_run_adapter_write(&adapter, job->folder, "last.safetensors", error));
    if (!job->val) /* nothing to choose by: the last one counts as the best */
        TRY(train_run_adapter_write(&adapter, job->folder, "best.safetensors", error));
    return train_state_write(&run->state, job->tuned, &run->optimizer, &run->origin, path, error);
}

/* Whether the epoch is the best so far; without validation each is. */
static bool is_best(const Run *run, const TrainEpoch *epoch)
{
    const char *const monitor = run->job->recipe->monitor;
    if (!run->job->val || !run->state.has_best)
        return true;
    return train_monitor_better(monitor, train_monitor_value(epoch, monitor),
                                train_monitor_value(&run->state.best, monitor));
}

/* Writes best.safetensors and the kept adapters of the epoch just closed. */
static Status write_best(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->folder || !job->val)
        return STATUS_OK;
    const TrainRunAdapter adapter = adapter_of(run);
    if (run->state.last.best)
        TRY(train_run_adapter_write(&adapter, job->folder, "best.safetensors", error));
    if (job->recipe->keep == 0)
        return STATUS_OK;
    double *values = NULL;
    int epochs = 0;
    TRY(train_run_files_column(&run->files, job->recipe->monitor, &values, &epochs, error));
    const Status status = train_run_adapters_keep(&adapter, job->folder, values, epochs, error);
    free(values);
    return status;
}

/* Validation, the row of epochs.csv, adapters, state. */
static Status close_epoch(Run *run, Error *error)
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
    TRY(write_best(run, error));
    TRY(save(run, error));
    run->torn = false;
    if (run->job->epoch_done)
        run->job->epoch_done(run->job->context, &epoch);
    return STATUS_OK;
}

/* ---- The run --------------------------------------------------------------------------------- */

static bool finished(const Run *run)
{
    const int patience = run->job->recipe->early_stopping;
    const int64_t begun = run->state.epoch * run->steps_per_epoch;
    return begun >= run->steps || (patience > 0 && run->state.since_best >= patience);
}

static Status run_epochs(Run *run, Error *error)
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

/*
 * However the run ends before its end (a signal, a loss that is no number), its last step is saved.
 */
static Status run_and_save(Run *run, Error *error)
{
    const Status status = run_epochs(run, error);
    if (status == STATUS_OK || run->torn)
        return status;
    Error saving = {0};
    if (save(run, &saving) == STATUS_OK || status != STATUS_INTERRUPTED)
        return status;
    *error = saving;
    return saving.status;
}

/* ---- Before the first step ------------------------------------------------------------------- */

static Status check_list(const DataList *list, const char *name, Error *error)
{
    int frames[2], videos[2];
    data_list_counts(list, frames, videos);
    if (frames[0] > 0 && frames[1] > 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s list: all %d frames are %s; add a list of %s frames (a source whose name "
                     "holds \"real\" is real, any other is fake)",
                     name, list->count, frames[0] > 0 ? "real" : "fake",
                     frames[0] > 0 ? "fake" : "real");
}

static Status check_lists(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    const int64_t count = job->train->count, batch = job->recipe->batch_size;
    TRY(check_list(job->train, "training", error));
    if (job->val) {
        TRY(check_list(job->val, "validation", error));
        const int shared = data_list_overlap(job->train, job->val);
        char text[160];
        snprintf(text, sizeof text,
                 "%d of %d validation frames are training frames too: their scores flatter", shared,
                 job->val->count);
        if (shared > 0)
            warning(job, text);
    }
    run->steps_per_epoch = job->recipe->drop_last ? count / batch : (count + batch - 1) / batch;
    if (run->steps_per_epoch == 0)
        return error_set(error, STATUS_FAILED,
                         "training list: %lld frames do not fill one batch of %lld; set "
                         "drop_last=off or a smaller batch_size",
                         (long long)count, (long long)batch);
    run->steps = job->recipe->epochs * run->steps_per_epoch;
    if (job->recipe->max_steps > 0 && job->recipe->max_steps < run->steps)
        run->steps = job->recipe->max_steps;
    return STATUS_OK;
}

static DataLoaderSettings loader_settings(const Run *run, const DataAugment *augment)
{
    const TrainRecipe *const recipe = run->job->recipe;
    DataLoaderSettings settings = data_loader_defaults();
    settings.image_size = run->job->vit->config.image_size;
    settings.batch_size = recipe->batch_size;
    settings.drop_last = recipe->drop_last;
    settings.shuffle = recipe->shuffle;
    settings.workers = recipe->workers;
    settings.seed = recipe->seed;
    settings.augment = *augment;
    return settings;
}

/* What the run holds beside model, state and step: batches in flight, cached features. */
static size_t other_bytes(const Run *run)
{
    const TrainJob *const job = run->job;
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = VALIDATION_BATCH;
    scoring.workers = job->recipe->workers;
    const DataLoaderSettings scoring_loader = train_scoring_loader(&scoring, &job->vit->config);
    size_t bytes = job->val || run->cached ? data_loader_bytes(&scoring_loader) : 0;
    bytes += run->cached ? train_feature_cache_bytes(job->vit, job->train, job->val)
                         : data_loader_bytes(&run->loading);
    return bytes;
}

/* Takes up state.safetensors, if the run has one. */
static Status resume_state(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    char path[FILE_PATH_SIZE], text[160];
    TRY(train_run_files_check_recipe(job->folder, job->recipe, error));
    TRY(file_join(path, job->folder, "state.safetensors", error));
    if (!file_exists(path)) {
        notice(job, "nothing was saved yet: the run starts at step 0");
        return STATUS_OK;
    }
    bool decoders_differ = false;
    TRY(train_state_read(&run->state, job->tuned, &run->optimizer, &run->origin, path,
                         &decoders_differ, error));
    if (decoders_differ)
        warning(job, "the images are decoded by other libraries than before: the bits may differ");
    /* Where the recipe and the lists are the same, only a damaged file says otherwise. */
    const TrainState *const state = &run->state;
    const int64_t begun = state->epoch * run->steps_per_epoch;
    if (state->step > run->steps || state->step > begun + run->steps_per_epoch ||
        (state->step < begun && state->step < run->steps))
        return error_set(error, STATUS_FAILED,
                         "%s: step %lld in epoch %d cannot be of this run; start a new one", path,
                         (long long)state->step, state->epoch);
    snprintf(text, sizeof text, "the run goes on at step %lld of %lld", (long long)run->state.step,
             (long long)run->steps);
    notice(job, text);
    return STATUS_OK;
}

/* Opens the run's folder: a new one, or one to go on with. */
static Status open_folder(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->folder)
        return STATUS_OK;
    if (!job->resume)
        return train_run_files_create(&run->files, job->folder, job->recipe, error);
    TRY(resume_state(run, error));
    return train_run_files_resume(&run->files, job->folder, job->recipe, run->state.step,
                                  run->state.epoch, error);
}

/* Opens what batches come from: the loader, or the features of a frozen encoder. */
static Status open_data(Run *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (run->cached) {
        const TrainScoring scoring = scoring_of(run, "cache features");
        bool from_file = false;
        TRY(train_feature_cache_fill(&run->cache, job->vit, job->train, job->val, &run->origin,
                                     job->folder, &scoring, job->threads, &from_file, error));
        if (from_file)
            notice(job, "the features were computed before: taken from features.safetensors");
    }
    return train_batches_open(&run->batches, job->train, &run->loading, run->cache.train,
                              job->vit->config.width, error);
}

/* Measures a few micro-batches of the first batch and forecasts the whole run. */
static Status forecast(Run *run, TrainResult *result, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainPlan *const plan = train_stepper_plan(run->stepper);
    const double opened = train_clock();
    DataBatch batch;
    TrainLosses losses;
    const float *ready = NULL;
    TRY(train_batches_open(&run->batches, job->train, &run->loading, NULL, 0, error));
    TRY(train_batches_start(&run->batches, 0, 0, error));
    TRY(train_batches_next(&run->batches, &batch, &ready, error));
    const double loading = (train_clock() - opened) / batch.count; /* an image, all workers at it */
    if (batch.count > 3 * plan->micro_batch)
        batch.count = 3 * plan->micro_batch;
    TRY(train_stepper_gradient(run->stepper, &batch, 0, job->stop, &losses, error));

    const TrainStepTimes *const times = train_stepper_times(run->stepper);
    const double forward = times->forward / (double)times->forward_images;
    const double backward =
        times->backward_images > 0 ? times->backward / (double)times->backward_images : 0;
    /* The share of images that go forward twice. */
    const double again = plan->forward_twice ? 1 - (double)plan->kept / plan->micro_batches : 0;
    const double an_image = fmax(forward * (1 + again) + backward, loading);
    const double epochs = (double)run->steps / (double)run->steps_per_epoch;
    const double scored = job->val ? job->val->count * fmax(forward, loading) : 0;
    result->forecast_step_seconds = an_image * job->recipe->batch_size;
    result->forecast_seconds = epochs * (an_image * job->train->count + scored);
    if (run->cached) /* every frame once; a step over ready features takes no time beside that */
        result->forecast_seconds = job->train->count * fmax(forward, loading) + scored;
    return STATUS_OK;
}

static Status run_job(Run *run, TrainResult *result, Error *error)
{
    const TrainJob *const job = run->job;
    DataAugment augment;
    TRY(train_recipe_check(job->recipe, error));
    TRY(data_augment_parse(job->recipe->augment, &augment, error));
    TRY(check_lists(run, error));
    if (job->folder && !job->resume && !job->dry_run && train_run_exists(job->folder))
        return train_run_files_create(&run->files, job->folder, job->recipe, error); /* its error */
    TRY(train_origin_find(&run->origin, job->vit, job->recipe, job->train, job->val, error));
    run->cached = !train_encoder_trains(job->tuned, job->head) && !data_augment_active(&augment);

    TRY(vit_pack(job->vit, train_recipe_precision(job->recipe), true, job->threads, error));
    run->loading = loader_settings(run, &augment);
    TRY(train_optimizer_create(&run->optimizer, job->recipe, job->tuned->count, error));
    TRY(train_stepper_create(&run->stepper, job->vit, job->head, job->tuned, job->recipe,
                             job->threads, other_bytes(run), error));
    if (job->within_step)
        train_stepper_watch(run->stepper, report_within_step, run);
    if (job->planned)
        job->planned(job->context, train_stepper_plan(run->stepper));
    if (job->dry_run)
        return forecast(run, result, error);

    TRY(open_folder(run, error));
    TRY(open_data(run, error));
    run->first_step = run->state.step;
    return run_and_save(run, error);
}

Status train_run(const TrainJob *job, TrainResult *result, Error *error)
{
    assert(job->vit && job->head && job->tuned && job->recipe && job->train);
    const double started = train_clock();
    Run run = {.job = job, .state = train_state_empty()};
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
    train_optimizer_destroy(&run.optimizer);
    return status;
}
