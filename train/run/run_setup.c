/*
 * run_setup.c - what comes before the first step of a run: see run.h.
 *
 * Checks come first, then the plan of the memory, and only then is anything written: a run that cannot work
 * leaves no trace.
 */
#include "train/run/run_private.h"

#include "train/list_checks.h"
#include "train/run/run_adapters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Most images that validation decodes at once: more are no faster, and the loader would hold them
 * all.
 */
enum { VALIDATION_BATCH = 32 };

static void tell(const TrainRun *run, const char *text)
{
    if (run->job->notice)
        run->job->notice(run->job->context, text);
}

static void warning(const TrainRun *run, const char *text)
{
    if (run->job->warning)
        run->job->warning(run->job->context, text);
}

int train_run_epochs(const TrainRun *run)
{
    return (int)((run->steps + run->steps_per_epoch - 1) / run->steps_per_epoch);
}

/* ---- Scoring ---------------------------------------------------------------------------------- */

static void report_scoring(void *context, int done, int total, double images_per_second)
{
    const TrainRun *const run = context;
    if (!run->job->progress)
        return;
    const TrainProgress progress = {
        .phase = run->phase,
        .epoch = run->state.epoch,
        .epochs = train_run_epochs(run),
        .step = done,
        .total_steps = total,
        .lr = NAN,
        .seconds_left = (total - done) / images_per_second,
        .images_per_second = images_per_second,
        .peak_bytes = train_peak_bytes(),
    };
    run->job->progress(run->job->context, &progress);
}

TrainScoring train_run_scoring(TrainRun *run, const char *phase)
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
    scoring.decode_bytes = run->loading.decode_bytes;
    return scoring;
}

/* ---- Lists and memory -------------------------------------------------------------------------- */

/* Epochs of the schedule are cut to whole steps (optimizer.h): reports where that leaves none. */
static Status check_schedule(const TrainRun *run, Error *error)
{
    const TrainRecipe *const recipe = run->job->recipe;
    const int64_t warmup = train_schedule_steps(recipe->warmup_epochs, run->steps_per_epoch);
    char text[160];
    if (recipe->scheduler == TRAIN_SCHEDULER_CYCLIC &&
        train_schedule_steps(recipe->cycle_epochs, run->steps_per_epoch) < 1)
        return error_set(error, STATUS_USAGE,
                         "cycle_epochs=%g: is less than one step (an epoch has %lld); raise it, or "
                         "set scheduler=constant",
                         recipe->cycle_epochs, (long long)run->steps_per_epoch);
    if (recipe->warmup_epochs > 0 && warmup < 1) {
        snprintf(text, sizeof text,
                 "warmup_epochs=%g is less than one step (an epoch has %lld): there is no warm-up",
                 recipe->warmup_epochs, (long long)run->steps_per_epoch);
        warning(run, text);
    }
    if (warmup >= run->steps) {
        snprintf(text, sizeof text,
                 "warmup_epochs=%g: the run ends within its warm-up and never reaches lr=%g",
                 recipe->warmup_epochs, recipe->lr);
        warning(run, text);
    }
    return STATUS_OK;
}

/* Places and steps of an epoch, and what there is to tell about its order. */
static Status count_steps(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainRecipe *const recipe = job->recipe;
    DataOrder *order;
    TRY(data_loader_order(&order, job->train, &run->loading, error));
    const int places = data_order_count(order), unpaired = data_order_unpaired(order);
    data_order_destroy(order);

    int frames[2], videos[2];
    char text[160];
    data_list_counts(job->train, frames, videos);
    if (unpaired > 0) {
        snprintf(text, sizeof text,
                 "pairs=on: %d of %d fake frames have no real frame of their video in the lists: "
                 "they stand alone",
                 unpaired, frames[1]);
        warning(run, text);
    }
    if (recipe->sbi && frames[1] > 0) {
        snprintf(text, sizeof text, "data.sbi=on: the %d fake frames of the lists are not used",
                 frames[1]);
        warning(run, text);
    }
    run->places = places;
    run->steps_per_epoch = data_epoch_batches(&run->loading, places);
    if (run->steps_per_epoch == 0)
        return error_set(error, STATUS_FAILED,
                         "training list: %d frames do not fill one batch of %d; set "
                         "drop_last=off or a smaller batch_size",
                         places, recipe->batch_size);
    /* An epoch that does not fill a batch is one batch: no memory for more. Even, as for pairs. */
    if (places < run->loading.batch_size)
        run->loading.batch_size = places + places % 2;
    run->steps = recipe->epochs * run->steps_per_epoch;
    if (recipe->max_steps > 0 && recipe->max_steps < run->steps)
        run->steps = recipe->max_steps;
    return check_schedule(run, error);
}

/* What needs validation and does nothing without it. */
static void tell_idle_settings(const TrainRun *run)
{
    const TrainRecipe *const recipe = run->job->recipe;
    char text[160] = "without validation these have no effect:";
    const char *separator = " ";
    const struct {
        const char *key;
        int value;
    } idle[] = {{"early_stopping", recipe->early_stopping},
                {"keep", recipe->keep},
                {"val_frames", recipe->val_frames},
                {"val_limit", recipe->val_limit}};
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
        if (idle[i].value == 0)
            continue;
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", separator, idle[i].key);
        separator = ", ";
    }
    if (separator[0] == ' ') /* none was named */
        return;
    tell(run, text);
}

static Status check_lists(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->recipe->sbi) /* which makes its fakes; data_order_create asks for real frames */
        TRY(train_check_classes(job->train, "training", error));
    if (job->val) {
        TRY(train_check_classes(job->val, "validation", error));
        const int shared = job->lists_compared ? 0 : data_list_overlap(job->train, job->val);
        char text[160];
        snprintf(text, sizeof text,
                 "%d of %d validation frames are training frames too: their scores flatter", shared,
                 job->val->count);
        if (shared > 0)
            warning(run, text);
    } else {
        tell_idle_settings(run);
    }
    return count_steps(run, error);
}

/*
 * What training writes is an adapter of the model alone: what an earlier adapter changed in it must be part of
 * that, or whoever reads the new one gets another model than the one that was validated.
 */
static Status check_start(const TrainJob *job, Error *error)
{
    int lost = 0;
    const VitParameter *first = NULL;
    for (int i = 0; i < job->vit->parameter_count; i++) {
        const VitParameter *const parameter = &job->vit->parameters[i];
        if (!parameter->changed || parameter->tensor.needs_grad)
            continue;
        first = first ? first : parameter;
        lost++;
    }
    if (lost == 0)
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "tune=%s: the adapter that the run starts from changed %d tensors that would not "
        "train, %s for one, so that the new adapter would lack them; name them in tune, or "
        "merge the old one into a model first (lnclip export) and start from that",
        job->tuned->tune, lost, first->name);
}

static DataLoaderSettings loader_settings(const TrainRun *run)
{
    const TrainRecipe *const recipe = run->job->recipe;
    DataLoaderSettings settings = data_loader_defaults();
    settings.image_size = run->job->vit->config.image_size;
    settings.batch_size = recipe->batch_size;
    settings.drop_last = recipe->drop_last;
    settings.shuffle = recipe->shuffle;
    settings.pairs = recipe->pairs;
    settings.sampling = recipe->sampling;
    settings.blend = recipe->sbi;
    settings.workers = recipe->workers;
    settings.seed = recipe->seed;
    settings.augment = recipe->augmentation;
    return settings;
}

/*
 * Raises *decode_bytes to what a loader of `list` should have: by its largest frame, and at least as much as fits into
 * an eighth of the budget. Refuses a frame that takes the whole budget.
 */
static Status plan_decoding(const TrainRun *run, const DataList *list,
                            const DataLoaderSettings *settings, size_t *decode_bytes, Error *error)
{
    const size_t budget = train_plan_budget(run->job->recipe->memory).bytes;
    size_t largest = 0;
    int frame = 0;
    TRY(data_loader_largest(list, settings, run->job->threads, &largest, &frame, error));
    if (largest >= budget)
        return error_set(error, STATUS_FAILED,
                         "%s: takes %.0f MiB from the file to the network, and all memory for the "
                         "run is %.0f MiB; set memory=%.2f or more, or shrink the frame",
                         list->frames[frame].file, (double)largest / (1 << 20),
                         (double)budget / (1 << 20), 2.0 * (double)largest / (1 << 30) + 0.01);
    const size_t wanted = data_loader_decode_bytes(settings, largest, budget / 8);
    if (wanted > *decode_bytes)
        *decode_bytes = wanted;
    return STATUS_OK;
}

/*
 * What the run holds beside model, state and step: batches in flight, cached features, and the frames being decoded,
 * which are those of training or of validation, never of both at a time.
 */
static Status plan_loaders(TrainRun *run, size_t *bytes, Error *error)
{
    const TrainJob *const job = run->job;
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = VALIDATION_BATCH;
    scoring.workers = job->recipe->workers;
    const DataLoaderSettings scoring_loader = train_scoring_loader(&scoring, &job->vit->config);
    size_t decode_bytes = 0;
    if (job->val)
        TRY(plan_decoding(run, job->val, &scoring_loader, &decode_bytes, error));
    TRY(plan_decoding(run, job->train, &run->loading, &decode_bytes, error));
    *bytes = job->val || run->cached ? data_loader_bytes(&scoring_loader) : 0;
    *bytes += run->cached ? train_feature_cache_bytes(job->vit, job->train, job->val)
                          : data_loader_bytes(&run->loading);
    *bytes += decode_bytes;
    run->loading.decode_bytes = decode_bytes;
    return STATUS_OK;
}

/* Takes up state.safetensors, if the run has one. */
static Status resume_state(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    char path[FILE_PATH_SIZE], text[160];
    TRY(train_run_files_check_recipe(job->folder, job->recipe, error));
    TRY(file_join(path, job->folder, "state.safetensors", error));
    if (!file_exists(path)) {
        tell(run, "nothing was saved yet: the run starts at step 0");
        return STATUS_OK;
    }
    bool decoders_differ = false;
    TRY(train_state_read(&run->state, job->tuned, &run->optimizer, &run->ema, &run->origin, path,
                         &decoders_differ, error));
    if (decoders_differ)
        warning(run, "the images are decoded by other libraries than before: the bits may differ");
    run->saved_step = run->state.step;
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
    tell(run, text);
    return STATUS_OK;
}

/* Opens the run's folder: a new one, or one to go on with. */
static Status open_folder(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (!job->folder)
        return STATUS_OK;
    if (job->resume) {
        TRY(resume_state(run, error));
        TRY(train_run_files_resume(&run->files, job->folder, job->recipe, run->state.step,
                                   run->state.epoch, error));
    } else {
        TRY(train_run_files_create(&run->files, job->folder, job->recipe, error));
    }
    if (run->files.unlocked)
        warning(run, "this file system has no locks; make sure that no other process trains in "
                     "the folder of this run");
    return STATUS_OK;
}

/* Opens what batches come from: the loader, or the features of a frozen encoder. */
static Status open_data(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    if (run->cached) {
        const TrainScoring scoring = train_run_scoring(run, "cache features");
        bool from_file = false;
        TRY(train_feature_cache_fill(&run->cache, job->vit, job->train, job->val, &run->origin,
                                     job->folder, &scoring, job->threads, &from_file, error));
        if (from_file)
            warning(run, "the features were computed before: taken from features.safetensors, "
                         "whose encoder, lists and images are the same");
        else if (job->resume)
            tell(run, "the features are computed again: features.safetensors is missing, or of "
                      "another encoder, other lists or images that were replaced");
    }
    return train_batches_open(&run->batches, job->train, &run->loading, run->cache.train,
                              job->vit->config.width, error);
}

/* Measures a few micro-batches of the first batch and forecasts the whole run. */
Status train_run_forecast(TrainRun *run, TrainResult *result, Error *error)
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
    TRY(train_stepper_step(run->stepper, &batch, NULL, 0, job->stop, &losses, error));

    const TrainStepTimes *const times = train_stepper_times(run->stepper);
    const double forward = times->forward / (double)times->forward_images;
    const double backward =
        times->backward_images > 0 ? times->backward / (double)times->backward_images : 0;
    /* The share of images that go forward twice. */
    const double again = plan->forward_twice ? 1 - (double)plan->kept / plan->micro_batches : 0;
    const double gradients = job->recipe->sam_rho > 0 ? 2 : 1;
    const double an_image = fmax(gradients * (forward * (1 + again) + backward), loading);
    const double epochs = (double)run->steps / (double)run->steps_per_epoch;
    const double scored = job->val ? job->val->count * fmax(forward, loading) : 0;
    result->forecast_step_seconds = an_image * run->loading.batch_size;
    result->forecast_seconds = epochs * (an_image * run->places + scored);
    if (run->cached) /* every frame once; a step over ready features takes no time beside that */
        result->forecast_seconds = job->train->count * fmax(forward, loading) + scored;
    return STATUS_OK;
}

Status train_run_prepare(TrainRun *run, Error *error)
{
    const TrainJob *const job = run->job;
    const TrainRecipe *const recipe = job->recipe;
    TRY(train_recipe_check(recipe, error));
    TRY(check_start(job, error));
    run->loading = loader_settings(run);
    TRY(check_lists(run, error));
    if (job->folder && !job->resume && !job->dry_run && train_run_exists(job->folder))
        return train_run_files_create(&run->files, job->folder, recipe, error); /* its error */
    TRY(train_origin_find(&run->origin, job->vit, recipe, job->train, job->val, error));
    TRY(train_run_record_create(&run->record, job, &run->origin, error));
    run->cached = !train_encoder_trains(job->tuned, job->head) &&
                  !data_augment_active(&recipe->augmentation) && !recipe->sbi;

    TRY(vit_pack(job->vit, train_recipe_precision(recipe), true, job->threads, error));
    TRY(train_optimizer_create(&run->optimizer, recipe, job->tuned->count, error));
    TRY(train_sam_create(&run->sam, recipe, job->tuned->count, error));
    TRY(train_ema_create(&run->ema, recipe, job->tuned, error));
    size_t other_bytes = 0;
    TRY(plan_loaders(run, &other_bytes, error));
    return train_stepper_create(&run->stepper, job->vit, job->head, job->tuned, recipe,
                                run->loading.batch_size, job->threads, other_bytes, error);
}

Status train_run_open(TrainRun *run, Error *error)
{
    TRY(open_folder(run, error));
    TRY(open_data(run, error));
    run->first_step = run->state.step;
    return STATUS_OK;
}
