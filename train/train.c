/*
 * train.c - a training run, from top to bottom: train_run first, then what it calls, in the order
 * of a run.
 *
 *     prepare       lists, steps of an epoch, memory; fails before anything is written
 *     open_run      folder, saved state, where batches come from
 *     one_step      images -> encoder -> features -> loss -> backward -> AdamW, a row of steps.csv
 *     close_epoch   encoder -> scores -> metrics, a row of epochs.csv, curves, adapters, state
 *
 * Trainable parameters: the LayerNorms of the encoder and the head, or what the key `tune` selects.
 * They form one flat array (vit/tune.h); everything else is frozen.
 *
 * Data flow of one step:
 *     loader      decodes, augments, resizes and crops each frame (data/loader.h)
 *     stepper     normalises the frames and runs the encoder (train/stepper.h, vit/vit.h)
 *     objective   L2-normalises the features, applies the head, computes the loss
 *                 (train/objective.h)
 *     tape        back-propagates the loss to the trainable parameters (tensor/tape.h)
 *     optimizer   updates them (train/optimizer.h)
 *
 * The files on disk always form a resumable run. Rows and curves are written first, then adapters,
 * then state.safetensors, which alone records how far the run is.
 */
#include "train/train.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "train/batches.h"
#include "train/feature_cache.h"
#include "train/list_checks.h"
#include "train/run/checkpoint.h"
#include "train/run/run_files.h"
#include "train/sam.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest validation batch. The loader holds a whole batch, and larger ones are not faster. */
enum { VALIDATION_BATCH = 32 };

typedef struct TrainRun {
    const TrainJob *job;
    TrainRecord record;
    int images;                     /* per epoch */
    int64_t steps_per_epoch, steps; /* steps: total of the run, T in optimizer.h */
    TrainOptimizer optimizer;
    TrainSam sam;
    TrainEma ema;
    TrainStepper *stepper;
    TrainRunFiles files;
    TrainState state;

    DataLoaderSettings loading;
    bool cached; /* frozen encoder, no augmentation: features are computed once */
    TrainFeatureCache cache;
    TrainBatches batches;

    double epoch_started;      /* train_clock() at the start of the epoch */
    double step_started;       /* train_clock() at the start of the step */
    int step_images;           /* images of the step in progress */
    TrainStepRow last_step;    /* last completed step of this session; losses.total NaN before it */
    double first_loss;         /* of step 0; NaN if it is not known */
    bool warned_of_loss;       /* once a session */
    double step_seconds;       /* total time of the steps of this session */
    double validation_seconds; /* duration of the last validation */
    int64_t first_step;        /* first step of this session */
    const char *phase;         /* TrainProgress.phase while frames are scored */
    int ascents;               /* SAM: 1 during the second gradient of a step, else 0 */
    int64_t saved_step;        /* step of the state on disk; 0 = none */
    bool diverged;             /* the parameters are not finite: never overwrite the saved ones */
    bool inconsistent;         /* parameters changed, row or file not yet written: do not save */
} TrainRun;

static Status prepare(TrainRun *run, Error *error);
static Status forecast(TrainRun *run, TrainResult *result, Error *error);
static Status open_run(TrainRun *run, Error *error);
static Status run_epochs(TrainRun *run, Error *error);
static Status one_step(TrainRun *run, Error *error);
static Status close_epoch(TrainRun *run, Error *error);
static Status save(TrainRun *run, Error *error);
static TrainScoring scoring_settings(TrainRun *run, const char *phase);
static void report_step_part(void *context, int done, int total);

static void report(const TrainRun *run, TrainEvent event)
{
    if (run->job->event)
        run->job->event(run->job->context, &event);
}

static void notice(const TrainRun *run, const char *text)
{
    report(run, (TrainEvent){.kind = TRAIN_NOTICE, .text = text});
}

static void warning(const TrainRun *run, const char *text)
{
    report(run, (TrainEvent){.kind = TRAIN_WARNING, .text = text});
}

static int epochs_of(const TrainRun *run)
{
    return (int)ceil_div(run->steps, run->steps_per_epoch);
}

/* ---- From beginning to end ------------------------------------------------------------------- */

Status train_run(const TrainJob *job, TrainResult *result, Error *error)
{
    assert(job->vit && job->head && job->tuned && job->recipe && job->train);
    const double started = train_clock();
    TrainRun run = {.job = job, .state = train_state_empty()};
    run.first_loss = NAN;
    run.last_step = (TrainStepRow){.lr = NAN, .losses.total = NAN};
    *result = (TrainResult){0};
    Status status = prepare(&run, error);
    if (status != STATUS_OK)
        goto done;
    report(&run, (TrainEvent){.kind = TRAIN_PLANNED, .plan = train_stepper_plan(run.stepper)});
    if (job->dry_run) {
        status = forecast(&run, result, error);
        goto done;
    }
    status = open_run(&run, error);
    if (status != STATUS_OK)
        goto done;
    status = run_epochs(&run, error);
    if (status != STATUS_OK && !run.inconsistent && !run.diverged) {
        /* After a signal or a full disk, try to save the last step. */
        Error saving = {0};
        if (save(&run, &saving) != STATUS_OK && status == STATUS_INTERRUPTED) {
            *error = saving;
            status = saving.status;
        }
    }
done:
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
    train_record_free(&run.record);
    train_ema_destroy(&run.ema);
    train_sam_destroy(&run.sam);
    train_optimizer_destroy(&run.optimizer);
    return status;
}

/* ---- Before the first step ------------------------------------------------------------------- */

/*
 * Checks that every parameter changed by the initial adapter is trainable. The adapter that
 * training writes is relative to the base model, so it would lack any other change, and loading it
 * would not give the model that was validated.
 */
static Status check_start(const TrainJob *job, Error *error)
{
    int lost = 0;
    const VitParameter *first = NULL;
    for (int i = 0; i < job->vit->parameter_count; i++) {
        const VitParameter *parameter = &job->vit->parameters[i];
        if (!parameter->changed || parameter->tensor.needs_grad)
            continue;
        first = first ? first : parameter;
        lost++;
    }
    if (lost == 0)
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "tune=%s: the initial adapter changes %d tensors that are not trainable, such as %s, so "
        "the new adapter would lack them; add them to tune, or merge the initial adapter into a "
        "model first (lnclip export) and start from that model",
        job->tuned->tune, lost, first->name);
}

static DataLoaderSettings loader_settings(const TrainRun *run)
{
    const TrainRecipe *recipe = run->job->recipe;
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

/* Reports the keys that are set but have no effect without validation. */
static void report_idle_settings(const TrainRun *run)
{
    const TrainRecipe *recipe = run->job->recipe;
    char text[160] = "these keys have no effect without validation:";
    const char *separator = " ";
    const struct {
        const char *key;
        int value;
    } idle[] = {{"early_stopping", recipe->early_stopping},
                {"keep", recipe->keep},
                {"val_frames", recipe->val_frames},
                {"val_limit", recipe->val_limit}};
    for (size_t i = 0; i < COUNT_OF(idle); i++) {
        if (idle[i].value == 0)
            continue;
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", separator, idle[i].key);
        separator = ", ";
    }
    if (separator[0] == ' ') /* none was named */
        return;
    notice(run, text);
}

/*
 * Checks the schedule in steps: fractions of an epoch are rounded down (optimizer.h), which may
 * leave no step.
 */
static Status check_schedule(const TrainRun *run, Error *error)
{
    const TrainRecipe *recipe = run->job->recipe;
    const int64_t warmup = train_schedule_steps(recipe->warmup_epochs, run->steps_per_epoch);
    char text[160];
    if (recipe->scheduler == TRAIN_SCHEDULER_CYCLIC &&
        train_schedule_steps(recipe->cycle_epochs, run->steps_per_epoch) < 1)
        return error_set(error, STATUS_USAGE,
                         "cycle_epochs=%g: is less than one step (an epoch has %lld steps); raise "
                         "it, or set scheduler=constant",
                         recipe->cycle_epochs, (long long)run->steps_per_epoch);
    if (recipe->warmup_epochs > 0 && warmup < 1) {
        snprintf(text, sizeof text,
                 "warmup_epochs=%g is less than one step (an epoch has %lld steps): no warm-up",
                 recipe->warmup_epochs, (long long)run->steps_per_epoch);
        warning(run, text);
    }
    if (warmup >= run->steps) {
        snprintf(text, sizeof text,
                 "warmup_epochs=%g: the run ends during the warm-up and never reaches lr=%g",
                 recipe->warmup_epochs, recipe->lr);
        warning(run, text);
    }
    return STATUS_OK;
}

/* Counts images and steps, and reports frames that the order leaves out or cannot pair. */
static Status count_steps(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    const TrainRecipe *recipe = job->recipe;
    DataOrder *order;
    TRY(data_loader_order(&order, job->train, &run->loading, error));
    const int images = data_order_count(order), unpaired = data_order_unpaired(order);
    data_order_destroy(order);

    int frames[2], videos[2];
    char text[160];
    data_list_counts(job->train, frames, videos);
    if (unpaired > 0) {
        snprintf(text, sizeof text,
                 "pairs=on: %d of %d fake frames have no real frame of their source video in the "
                 "lists and stay unpaired",
                 unpaired, frames[1]);
        warning(run, text);
    }
    if (recipe->sbi && frames[1] > 0) {
        snprintf(text, sizeof text, "data.sbi=on: the %d fake frames of the lists are not used",
                 frames[1]);
        warning(run, text);
    }
    run->images = images;
    run->steps_per_epoch = data_epoch_batches(&run->loading, images);
    if (run->steps_per_epoch == 0)
        return error_set(
            error, STATUS_FAILED,
            "training list: %d frames do not fill a batch of %d; set drop_last=off or a "
            "smaller batch_size",
            images, recipe->batch_size);
    /* A batch is never larger than an epoch. Rounded up to even, which pairs require. */
    if (images < run->loading.batch_size)
        run->loading.batch_size = images + images % 2;
    run->steps = recipe->epochs * run->steps_per_epoch;
    if (recipe->max_steps > 0 && recipe->max_steps < run->steps)
        run->steps = recipe->max_steps;
    return check_schedule(run, error);
}

static Status check_lists(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    if (!job->lists_checked)
        TRY(train_check_labels(job->train, job->val, job->recipe->sbi, error));
    if (!job->val)
        report_idle_settings(run);
    const int shared =
        job->val && !job->lists_checked ? data_list_overlap(job->train, job->val) : 0;
    if (shared > 0) {
        char text[160];
        snprintf(text, sizeof text,
                 "%d of %d validation frames are also training frames; their scores will be "
                 "optimistic",
                 shared, job->val->count);
        warning(run, text);
    }
    return count_steps(run, error);
}

/*
 * Raises *decode_bytes to the decoding memory of a loader of `list`: enough for its largest frame,
 * and otherwise up to 1/8 of the budget. Fails if one frame would need the entire budget.
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
                         "%s: decoding and resizing this frame needs %.0f MiB, but the memory "
                         "budget of the run is %.0f MiB; set memory=%.2f or more, or shrink the "
                         "frame",
                         list->frames[frame].file, (double)largest / (1 << 20),
                         (double)budget / (1 << 20), 2.0 * (double)largest / (1 << 30) + 0.01);
    const size_t wanted = data_loader_decode_bytes(settings, largest, budget / 8);
    if (wanted > *decode_bytes)
        *decode_bytes = wanted;
    return STATUS_OK;
}

/*
 * *bytes: memory in addition to model, state and step. It holds batches in flight, cached features
 * and frames being decoded. Training and validation never decode at the same time.
 */
static Status plan_loaders(TrainRun *run, size_t *bytes, Error *error)
{
    const TrainJob *job = run->job;
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

/*
 * Checks recipe and lists, counts the steps, plans the memory and allocates everything a step
 * needs. Writes no file and decodes no image. On failure train_run frees what was allocated.
 */
static Status prepare(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    const TrainRecipe *recipe = job->recipe;
    TRY(train_recipe_check(recipe, error));
    TRY(check_start(job, error));
    run->loading = loader_settings(run);
    TRY(check_lists(run, error));
    if (job->folder && !job->resume && !job->dry_run)
        TRY(train_run_check_new(job->folder, error));
    TRY(train_record_create(&run->record, job, error));
    run->cached = !train_encoder_trains(job->tuned, job->head) &&
                  !data_augment_active(&recipe->augmentation) && !recipe->sbi;

    TRY(vit_pack(job->vit, train_recipe_precision(recipe), true, job->threads, error));
    TRY(train_optimizer_create(&run->optimizer, recipe, job->tuned->count, error));
    TRY(train_sam_create(&run->sam, recipe, job->tuned->count, error));
    TRY(train_ema_create(&run->ema, recipe, job->tuned, error));
    size_t other_bytes = 0;
    TRY(plan_loaders(run, &other_bytes, error));
    TRY(train_stepper_create(&run->stepper, job->vit, job->head, job->tuned, recipe,
                             run->loading.batch_size, job->threads, other_bytes, error));
    train_stepper_watch(run->stepper, report_step_part, run);
    return STATUS_OK;
}

/*
 * Checks that the saved step is one of this run. Recipe and lists are equal to the saved ones,
 * apart from the length of the run, so otherwise only a damaged file fails here.
 */
static Status check_length(const TrainRun *run, const char *path, Error *error)
{
    const TrainState *state = &run->state;
    const int64_t begun = state->epoch * run->steps_per_epoch;
    if (state->step > run->steps && train_recipe_can_be_extended(run->job->recipe))
        return error_set(
            error, STATUS_USAGE,
            "%s: has completed %lld steps, and the run would now have %lld; set higher "
            "epochs or max_steps",
            path, (long long)state->step, (long long)run->steps);
    if (state->step < begun && state->step > begun - run->steps_per_epoch &&
        state->step < run->steps && train_recipe_can_be_extended(run->job->recipe))
        return error_set(error, STATUS_USAGE,
                         "%s: the run ended at step %lld, within epoch %d, which is validated and "
                         "saved; only a run that ended with an epoch can be extended: start a new "
                         "run with --adapter RUN and another --out",
                         path, (long long)state->step, state->epoch);
    if (state->step > run->steps || state->step > begun + run->steps_per_epoch ||
        (state->step < begun && state->step < run->steps))
        return error_set(error, STATUS_FAILED,
                         "%s: step %lld in epoch %d does not exist in this run; the file is "
                         "damaged, start a new run",
                         path, (long long)state->step, state->epoch + 1);
    return STATUS_OK;
}

/* Reads state.safetensors, if the run has one. */
static Status resume_state(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    char path[FILE_PATH_SIZE], text[160];
    TRY(train_run_files_check_recipe(job->folder, job->recipe, error));
    TRY(file_join(path, job->folder, "state.safetensors", error));
    if (!file_exists(path)) {
        notice(run, "no saved state yet: starting at step 0");
        return STATUS_OK;
    }
    bool decoders_differ = false;
    TRY(train_state_read(&run->state, job->tuned, &run->optimizer, &run->ema, &run->record, path,
                         &decoders_differ, error));
    if (decoders_differ)
        warning(run, "the image decoders have changed since the state was saved: results may not "
                     "be bit-identical");
    run->saved_step = run->state.step;
    TRY(check_length(run, path, error));
    snprintf(text, sizeof text, "resuming at step %lld of %lld", (long long)run->state.step,
             (long long)run->steps);
    notice(run, text);
    return STATUS_OK;
}

/* Opens the folder of the run: a new one, or the one to resume. */
static Status open_folder(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
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
        warning(run, "this file system does not support locks; make sure that no other process "
                     "trains in the same folder");
    return STATUS_OK;
}

/* Opens the source of batches: the image loader, or the cached features of a frozen encoder. */
static Status open_data(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    if (run->cached) {
        const TrainScoring scoring = scoring_settings(run, "cache features");
        bool from_file = false;
        TRY(train_feature_cache_fill(&run->cache, job->vit, job->train, job->val, &run->record,
                                     job->folder, &scoring, job->threads, &from_file, error));
        if (from_file)
            warning(run, "using the cached features in features.safetensors: encoder, lists and "
                         "images are unchanged");
        else if (job->resume)
            notice(run, "computing the features again: features.safetensors is missing, or the "
                        "encoder, a list or an image has changed");
    }
    return train_batches_open(&run->batches, job->train, &run->loading, run->cache.train,
                              vit_model_width(job->vit), error);
}

/* Reads the loss of step 0 of a resumed run, for warn_of_loss. */
static void read_first_loss(TrainRun *run)
{
    double *losses = NULL;
    int count = 0;
    Error ignored = {0};
    if (train_run_files_column(&run->files, TRAIN_RUN_STEPS, "loss", &losses, &count, &ignored) ==
            STATUS_OK &&
        count > 0)
        run->first_loss = losses[0];
    free(losses);
}

static Status open_run(TrainRun *run, Error *error)
{
    TRY(open_folder(run, error));
    report(run, (TrainEvent){.kind = TRAIN_OPENED});
    TRY(open_data(run, error));
    run->first_step = run->state.step;
    if (run->state.step > 0)
        read_first_loss(run);
    return STATUS_OK;
}

/* ---- Epochs ---------------------------------------------------------------------------------- */

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

/* ---- One step -------------------------------------------------------------------------------- */

/*
 * Sets the error of a diverged run. `what` is the value that is not finite ("loss nan"), `done` the
 * number of completed steps, `lr` the learning rate. The files on disk are left unchanged.
 */
static Status diverged(TrainRun *run, const char *what, int64_t done, double lr, Error *error)
{
    const TrainJob *job = run->job;
    char from[FILE_PATH_SIZE + 40] = "";
    run->diverged = true;
    if (done == 0)
        return error_set(error, STATUS_FAILED,
                         "step 0: %s, before any training; the model or the initial adapter is "
                         "damaged, use another one",
                         what);
    if (job->folder && job->val && run->state.has_best)
        snprintf(from, sizeof from, ", from --adapter %s/best.safetensors", job->folder);
    else if (job->folder && run->saved_step > 0 && run->saved_step < done)
        snprintf(from, sizeof from, ", from --adapter %s/last.safetensors", job->folder);
    return error_set(error, STATUS_FAILED,
                     "step %lld (epoch %d, lr %.3g): %s, training has diverged; start a new run "
                     "with a lower lr%s, grad_clip=1 or warmup_epochs=1%s (the state saved at step "
                     "%lld is unchanged)",
                     (long long)done, run->state.epoch + 1, lr, what,
                     run->sam.rho > 0 ? ", a lower sam.rho" : "", from, (long long)run->saved_step);
}

/* Computes the gradient and its norm. STATUS_FAILED (diverged) unless loss and norm are finite. */
static Status finite_gradient(TrainRun *run, const DataBatch *batch, const float *features,
                              double lr, TrainLosses *losses, double *norm, Error *error)
{
    char what[80];
    TRY(train_stepper_step(run->stepper, batch, features, run->state.step, run->job->stop, losses,
                           error));
    /* Checked before the parameters change, so that the previous step can be saved. */
    TRY(file_check_mappings(error));
    *norm = train_grad_norm(run->job->tuned);
    if (isfinite(losses->total) && isfinite(*norm))
        return STATUS_OK;
    snprintf(what, sizeof what, "loss %g, gradient norm %g",
             isnan(losses->total) ? (double)NAN : (double)losses->total,
             isnan(*norm) ? (double)NAN : *norm); /* "nan", never "-nan" */
    return diverged(run, what, run->state.step, lr, error);
}

/*
 * Computes the gradient for the optimizer and its norm. With SAM that is the gradient at the
 * perturbed parameters, for the same batch and random draws. *losses are always those at the
 * unperturbed parameters.
 */
static Status step_gradient(TrainRun *run, const DataBatch *batch, const float *features, double lr,
                            TrainLosses *losses, double *norm, Error *error)
{
    VitTuned *tuned = run->job->tuned;
    run->ascents = 0;
    TRY(finite_gradient(run, batch, features, lr, losses, norm, error));
    if (run->sam.rho <= 0)
        return STATUS_OK;
    TrainLosses uphill;
    run->ascents = 1;
    train_sam_climb(&run->sam, tuned);
    const Status status = finite_gradient(run, batch, features, lr, &uphill, norm, error);
    train_sam_return(&run->sam, tuned);
    return status;
}

/*
 * Progress when the fraction `part` of the step in progress is done, 0 between steps. The duration
 * of a step is its mean in this session, including the step in progress.
 */
static TrainProgress step_progress(const TrainRun *run, double part)
{
    const int64_t left = run->steps - run->state.step;
    const int64_t epochs_left = (int64_t)ceil_div(left, run->steps_per_epoch);
    const double running = part > 0 ? train_clock() - run->step_started : 0;
    const double done = (double)(run->state.step - run->first_step) + part;
    const double each = (run->step_seconds + running) / done;
    const bool any = run->state.step > run->first_step;
    return (TrainProgress){
        .phase = "train",
        .epoch = run->state.epoch,
        .epochs = epochs_of(run),
        .step = run->state.step,
        .total_steps = run->steps,
        .part = part,
        .lr = run->last_step.lr,
        .seconds_left =
            each * ((double)left - part) + run->validation_seconds * (double)epochs_left,
        .images_per_second =
            any ? run->last_step.images_per_second : part * run->step_images / running,
        .losses = run->last_step.losses,
        .peak_bytes = train_peak_bytes(),
    };
}

static void report_step(const TrainRun *run)
{
    const TrainProgress progress = step_progress(run, 0);
    report(run, (TrainEvent){.kind = TRAIN_STEP_DONE, .progress = &progress});
}

static void report_step_part(void *context, int done, int total)
{
    const TrainRun *run = context;
    const int passes = run->sam.rho > 0 ? 2 : 1;
    const int all = passes * total, so_far = run->ascents * total + done;
    const TrainProgress progress = step_progress(run, (double)so_far / all);
    report(run, (TrainEvent){.kind = TRAIN_STEP_PART,
                             .progress = &progress,
                             .step = run->state.step,
                             .done = so_far,
                             .total = all});
}

/* Warns once if the loss is more than 10 times that of step 0. A loss may also be negative. */
static void warn_of_loss(TrainRun *run, int64_t step, double loss)
{
    char text[240];
    if (step == 0)
        run->first_loss = loss;
    if (run->warned_of_loss || !(run->first_loss > 0) || loss <= 10 * run->first_loss)
        return;
    run->warned_of_loss = true;
    snprintf(
        text, sizeof text,
        "step %lld: loss %.4g is more than 10 times that of step 0 (%.4g); if it does not fall "
        "again, start a new run with a lower lr, grad_clip=1 or warmup_epochs=1",
        (long long)step, loss, run->first_loss);
    warning(run, text);
}

/* Images, encoder, loss, backward, optimizer; then the row of steps.csv. */
static Status one_step(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    const TrainRecipe *recipe = job->recipe;
    const double started = train_clock();
    const double lr =
        train_learning_rate(recipe, run->state.step, run->steps, run->steps_per_epoch);

    DataBatch batch;
    const float *features; /* [count,D] cached features of a frozen encoder, else NULL */
    TrainLosses losses;
    double norm;
    if (job->stop && *job->stop)
        return train_interrupted(error);
    run->step_started = started;
    TRY(train_batches_next(&run->batches, &batch, &features, error));
    run->step_images = batch.count;
    TRY(step_gradient(run, &batch, features, lr, &losses, &norm, error));
    if (recipe->grad_clip > 0)
        train_clip_grads(job->tuned, norm, recipe->grad_clip);
    run->inconsistent = true;
    train_optimizer_step(&run->optimizer, job->tuned, lr);
    train_ema_update(&run->ema, job->tuned, run->optimizer.steps);

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
    run->last_step = row;
    report_step(run);
    warn_of_loss(run, row.step, (double)losses.total);
    TRY(train_run_files_step(&run->files, &row, error));
    run->inconsistent = false;
    return STATUS_OK;
}

/* ---- Saving ---------------------------------------------------------------------------------- */

static TrainRunAdapter adapter_of(const TrainRun *run)
{
    const TrainJob *job = run->job;
    return (TrainRunAdapter){
        .vit = job->vit,
        .head = job->head,
        .tuned = job->tuned,
        .recipe = job->recipe,
        .record = &run->record,
        .steps = run->state.step,
        .epoch = &run->state.last,
    };
}

/* Calls `write` with the averaged parameters in place (ema > 0), or with the current ones. */
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
    const TrainJob *job = run->job;
    const TrainRunAdapter adapter = adapter_of(run);
    TRY(train_run_adapter_write(&adapter, job->folder, TRAIN_RUN_LAST, error));
    if (job->val)
        return STATUS_OK;
    /* Without validation the last adapter is also the best. */
    return train_run_adapter_write(&adapter, job->folder, TRAIN_RUN_BEST, error);
}

/* Writes best.safetensors and the kept adapters of the epoch just closed. */
static Status write_best(const TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
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

/* The last update may have produced parameters that are not finite; its loss was still finite. */
static Status check_finite_weights(TrainRun *run, Error *error)
{
    const VitTuned *tuned = run->job->tuned;
    const int64_t last = run->state.step > 0 ? run->state.step - 1 : 0;
    for (size_t i = 0; i < tuned->count; i++)
        if (!isfinite(tuned->values[i]))
            return diverged(
                run, "the trainable parameters are not finite", run->state.step,
                train_learning_rate(run->job->recipe, last, run->steps, run->steps_per_epoch),
                error);
    return STATUS_OK;
}

/* Saves rows and last adapter, then the state that --resume starts from. */
static Status save(TrainRun *run, Error *error)
{
    const TrainJob *job = run->job;
    if (!job->folder)
        return STATUS_OK;
    char path[FILE_PATH_SIZE];
    TRY(check_finite_weights(run, error));
    TRY(file_join(path, job->folder, "state.safetensors", error));
    TRY(train_run_files_sync(&run->files, error));
    TRY(write_adapters(run, write_last, error));
    TRY(train_state_write(&run->state, job->tuned, &run->optimizer, &run->ema, &run->record, path,
                          error));
    run->saved_step = run->state.step;
    return STATUS_OK;
}

/* ---- The end of an epoch --------------------------------------------------------------------- */

static void report_scoring(void *context, int done, int total, double images_per_second)
{
    const TrainRun *run = context;
    const TrainProgress progress = {
        .phase = run->phase,
        .epoch = run->state.epoch,
        .epochs = epochs_of(run),
        .step = done,
        .total_steps = total,
        .lr = NAN,
        .seconds_left = (total - done) / images_per_second,
        .images_per_second = images_per_second,
        .peak_bytes = train_peak_bytes(),
    };
    report(run, (TrainEvent){.kind = TRAIN_SCORING, .progress = &progress});
}

/* Settings for scoring frames; `phase` is reported as the progress phase. */
static TrainScoring scoring_settings(TrainRun *run, const char *phase)
{
    const int micro_batch = train_stepper_plan(run->stepper)->micro_batch;
    run->phase = phase;
    TrainScoring scoring = train_scoring_defaults();
    scoring.batch_size = min_int(micro_batch, VALIDATION_BATCH);
    scoring.workers = run->job->recipe->workers;
    scoring.stop = run->job->stop;
    scoring.progress = report_scoring;
    scoring.context = run;
    scoring.arena = train_stepper_arena(run->stepper);
    scoring.decode_bytes = run->loading.decode_bytes;
    return scoring;
}

/*
 * Scores every validation frame, with the averaged parameters if ema > 0, and fills the validation
 * metrics of *epoch.
 */
static Status validate(TrainRun *run, TrainEpoch *epoch, Error *error)
{
    const TrainJob *job = run->job;
    const DataList *val = job->val;
    const double started = train_clock();
    const size_t count = val->count;
    const char *what = "the validation scores";
    float *probabilities = mem_new(count * VIT_CLASSES, sizeof(float), what, error);
    float *margins = mem_new(count, sizeof(float), what, error);
    float *cross_entropy = mem_new(count, sizeof(float), what, error);
    int *labels = mem_new(count, sizeof(int), what, error);
    bool not_finite = false;
    Status status = STATUS_FAILED;
    if (!probabilities || !margins || !cross_entropy || !labels)
        goto done;
    for (size_t i = 0; i < count; i++)
        labels[i] = val->frames[i].label;
    train_ema_swap(&run->ema, job->tuned);
    if (run->cached) {
        status = train_score_features(job->head, run->cache.val, labels, val->count, job->threads,
                                      probabilities, cross_entropy, margins, error);
    } else {
        TrainScoring scoring = scoring_settings(run, "validate");
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
        status = diverged(run, "the validation scores are not finite", run->state.step, epoch->lr,
                          error);
    if (status == STATUS_OK)
        status = train_validation_metrics(val, probabilities, margins, cross_entropy, epoch, error);
done:
    free(labels);
    free(margins);
    free(cross_entropy);
    free(probabilities);
    run->validation_seconds = train_clock() - started;
    return status;
}

/* True if the epoch is the best so far. Without validation every epoch is. */
static bool is_best(const TrainRun *run, const TrainEpoch *epoch)
{
    const char *monitor = run->job->recipe->monitor;
    if (!run->job->val || !run->state.has_best)
        return true;
    return train_monitor_better(monitor, train_monitor_value(epoch, monitor),
                                train_monitor_value(&run->state.best, monitor));
}

/* Draws curves.svg. A failure, such as a steps.csv truncated by another program, only warns. */
static void write_curves(const TrainRun *run)
{
    Error error = {0};
    const TrainJob *job = run->job;
    if (train_run_curves_write(&run->files, job->val != NULL, &error) != STATUS_OK)
        warning(run, error.message);
}

/* Validates, then writes the row of epochs.csv, curves, adapters and state. */
static Status close_epoch(TrainRun *run, Error *error)
{
    TrainState *state = &run->state;
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
    run->inconsistent = true;
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
    run->inconsistent = false;
    report(run, (TrainEvent){.kind = TRAIN_EPOCH_DONE, .epoch = &epoch});
    return STATUS_OK;
}

/* ---- A dry run ------------------------------------------------------------------------------- */

/* Measures a few micro-batches of the first batch and forecasts the whole run. */
static Status forecast(TrainRun *run, TrainResult *result, Error *error)
{
    const TrainJob *job = run->job;
    const TrainPlan *plan = train_stepper_plan(run->stepper);
    const double opened = train_clock();
    DataBatch batch;
    TrainLosses losses;
    const float *ready = NULL;
    TRY(train_batches_open(&run->batches, job->train, &run->loading, NULL, 0, error));
    TRY(train_batches_start(&run->batches, 0, 0, error));
    TRY(train_batches_next(&run->batches, &batch, &ready, error));
    const double loading = (train_clock() - opened) / batch.count; /* per image, all workers */
    if (batch.count > 3 * plan->micro_batch)
        batch.count = 3 * plan->micro_batch;
    run->step_started = train_clock();
    run->step_images = batch.count;
    TRY(train_stepper_step(run->stepper, &batch, NULL, 0, job->stop, &losses, error));

    const TrainStepTimes *times = train_stepper_times(run->stepper);
    const double forward = times->forward / (double)times->forward_images;
    const double backward =
        times->backward_images > 0 ? times->backward / (double)times->backward_images : 0;
    /* Fraction of images whose forward pass runs twice. */
    const double again = plan->forward_twice ? 1 - (double)plan->kept / plan->micro_batches : 0;
    const double gradients = job->recipe->sam_rho > 0 ? 2 : 1;
    const double an_image = fmax(gradients * (forward * (1 + again) + backward), loading);
    const double epochs = (double)run->steps / (double)run->steps_per_epoch;
    const double scored = job->val ? job->val->count * fmax(forward, loading) : 0;
    result->forecast_step_seconds = an_image * run->loading.batch_size;
    result->forecast_seconds = epochs * (an_image * run->images + scored);
    if (run->cached) /* each frame is encoded once; steps on cached features take little time */
        result->forecast_seconds = job->train->count * fmax(forward, loading) + scored;
    return STATUS_OK;
}
