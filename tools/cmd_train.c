/*
 * cmd_train.c - lnclip train: LN-tunes a model on lists of face frames.
 *
 * The recipe, the lists with all their files, and the run folder are checked before the model is
 * loaded. Training itself is in train/train.c.
 */
#include "tools/cli/cli.h"
#include "tools/cli/cli_checks.h"
#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_machine.h"
#include "tools/cli/cli_model.h"

#include "tensor/base/file.h"
#include "train/run/run_files.h"
#include "train/run/run_record.h"
#include "train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Training {
    CliModelOptions model_options;
    CliStrings train_lists, val_lists, test_lists, labels;
    const char *out, *recipe_name, *checks;
    bool resume, dry_run, print, keys, allow_overlap;
    CliArguments arguments;
    TrainRecipe recipe;
    DataList train, val, test;
    CliModel model;
    VitTuned *tuned;
    CliProgress progress;
} Training;

/* ---- recipe ---------------------------------------------------------------------------------- */

/*
 * The recipe before KEY=VALUE is applied: --recipe (built-in name or file); with --resume, the
 * recipe of the run; otherwise "paper".
 */
static Status base_recipe(Training *training, Error *error)
{
    TrainRecipe *recipe = &training->recipe;
    char saved[FILE_PATH_SIZE];
    TRY(train_recipe_named(recipe, "paper", error));
    if (training->recipe_name) {
        Error unknown = {0};
        if (train_recipe_named(recipe, training->recipe_name, &unknown) == STATUS_OK)
            return STATUS_OK;
        if (file_exists(training->recipe_name))
            return train_recipe_read(recipe, training->recipe_name, error);
        *error = unknown;
        return unknown.status;
    }
    if (!training->resume)
        return STATUS_OK;
    TRY(file_join(saved, training->out, "recipe.txt", error));
    return file_exists(saved) ? train_recipe_read(recipe, saved, error) : STATUS_OK;
}

/*
 * head=KIND means the same as --head KIND, which also applies to an adapter that does not store its
 * kind of head.
 */
static Status set_head(Training *training, const char *kind, Error *error)
{
    const char **head = &training->model_options.head;
    if (*head && strcmp(*head, kind) != 0)
        return error_set(error, STATUS_USAGE, "--head %s: contradicts head=%s; give one of them",
                         *head, kind);
    *head = kind;
    return STATUS_OK;
}

static Status resolve_recipe(Training *training, Error *error)
{
    TrainRecipe *recipe = &training->recipe;
    TRY(base_recipe(training, error));
    for (int i = 0; i < training->arguments.settings.count; i++) {
        const char *setting = training->arguments.settings.items[i];
        const char *equals = strchr(setting, '=');
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)(equals - setting), setting);
        for (int before = 0; strcmp(key, "augment") == 0 && before < i; before++)
            if (strncmp(training->arguments.settings.items[before], "augment.", 8) == 0)
                return error_set(error, STATUS_USAGE,
                                 "%s: resets %s, which is given before it; give augment= first",
                                 setting, training->arguments.settings.items[before]);
        TRY(train_recipe_set(recipe, key, equals + 1, error));
        if (strcmp(key, "head") == 0)
            TRY(set_head(training, equals + 1, error));
    }
    if (training->model_options.head)
        TRY(train_recipe_set(recipe, "head", training->model_options.head, error));
    else if (training->resume) /* from the run's recipe.txt */
        training->model_options.head = vit_head_kind_name(recipe->head);
    if (training->arguments.threads > 0)
        recipe->threads = training->arguments.threads;
    else
        training->arguments.threads = recipe->threads;
    return train_recipe_check(recipe, error);
}

/* ---- run.log --------------------------------------------------------------------------------- */

/* Logs `text`, which it frees. */
static void log_text(char *text)
{
    if (text)
        cli_log("%s", text);
    free(text);
}

/* Starts the log with the command line, ready for a shell, and the version. */
static void begin_log(int argc, char **argv)
{
    char folder[FILE_PATH_SIZE], *text = NULL;
    size_t size = 0;
    cli_log_begin();
    FILE *stream = open_memstream(&text, &size);
    if (stream) {
        fputs("command: lnclip", stream);
        for (int i = 0; i < argc; i++) {
            fputc(' ', stream);
            cli_print_quoted(stream, argv[i]);
        }
        fclose(stream);
    }
    log_text(text);
    cli_log("folder: %s", getcwd(folder, sizeof folder) ? folder : "unknown");
    cli_log("version: lnclip %s, revision %s", LNCLIP_VERSION, train_revision());
}

/* The recipe as its built-in base and the keys that differ from it. */
static void log_recipe(const TrainRecipe *recipe)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return;
    fprintf(stream, "recipe: %s", recipe->name);
    train_recipe_print_changes(recipe, stream);
    fclose(stream);
    log_text(text);
}

static void log_model(const Training *training)
{
    const CliModelOptions *options = &training->model_options;
    char processor[256];
    cli_log("model: %s (%s, fingerprint %s)", options->model,
            vit_config_name(&training->model.vit->config), training->model.vit->fingerprint);
    if (options->adapter)
        cli_log("adapter: %s", options->adapter);
    train_processor(processor, sizeof processor);
    cli_log("machine: %s, %d threads", processor, threads_count(training->model.threads));
}

static void open_log(const Training *training)
{
    char path[FILE_PATH_SIZE];
    Error error = {0};
    if (file_join(path, training->out, "run.log", &error) == STATUS_OK)
        cli_log_open(path);
}

/* ---- before the first step ------------------------------------------------------------------- */

/* Lists the sets given on the command line: train, and optionally val and test. */
static int name_sets(const Training *training, CliCheckedSet sets[3])
{
    int count = 0;
    sets[count++] = (CliCheckedSet){"train", &training->train};
    if (training->val_lists.count > 0)
        sets[count++] = (CliCheckedSet){"val", &training->val};
    if (training->test_lists.count > 0)
        sets[count++] = (CliCheckedSet){"test", &training->test};
    return count;
}

static void print_lists(const Training *training)
{
    CliCheckedSet sets[3];
    const int count = name_sets(training, sets);
    cli_print_sources_head(&training->arguments);
    for (int i = 0; i < count; i++)
        cli_print_sources(&training->arguments, sets[i].name, sets[i].list);
}

static void print_model(const Training *training)
{
    const CliArguments *arguments = &training->arguments;
    const VitHead *head = &training->model.head;
    const size_t all =
        vit_size(training->model.vit) + tensor_count(&head->weight) + tensor_count(&head->bias);
    cli_note(arguments, "trainable: %s of %s parameters (%.3g %%), head %s",
             cli_count(training->tuned->count), cli_count(all),
             100.0 * (double)training->tuned->count / (double)all, vit_head_kind_name(head->kind));
    cli_print_machine(arguments);
}

static void show_plan(const Training *training, const TrainPlan *plan)
{
    const CliArguments *arguments = &training->arguments;
    cli_warn_threads();
    cli_note(arguments,
             "memory: model %s + training state %s + step %s + batch %s + loader %s + program %s = "
             "%s of %s (%s)",
             cli_bytes(plan->model), cli_bytes(plan->state), cli_bytes(plan->step),
             cli_bytes(plan->batch), cli_bytes(plan->loader), cli_bytes(plan->rest),
             cli_bytes(plan->total), cli_bytes(plan->budget), plan->source);
    if (plan->total > plan->machine)
        cli_warn("memory: the plan needs %s, but this machine allows %s; lower memory=",
                 cli_bytes(plan->total), cli_bytes(plan->machine));
    if (plan->recompute)
        cli_note(arguments, "not enough memory: using activation checkpointing");
    if (!plan->forward_twice)
        cli_note(arguments, "batch in %d micro-batches of %d images", plan->micro_batches,
                 plan->micro_batch);
    else
        cli_note(arguments,
                 "batch in %d micro-batches of %d images; %d keep their activations, the others "
                 "run the forward pass twice",
                 plan->micro_batches, plan->micro_batch, plan->kept);
}

/* ---- during the run -------------------------------------------------------------------------- */

/*
 * "epoch 2/10  step 31/9000 (50 %)  loss 0.531  0.9 img/s  6 h 02 min left". One line for completed
 * steps and for parts of a step, since a terminal shows only one every 0.2 seconds.
 */
static void show_step(Training *training, const TrainProgress *progress)
{
    char part[16] = "", loss[32] = "", text[256];
    const long long step = (long long)progress->step + (progress->part > 0);
    if (progress->part > 0)
        snprintf(part, sizeof part, " (%.0f %%)", 100.0 * progress->part);
    if (!isnan(progress->losses.total))
        snprintf(loss, sizeof loss, "  loss %.4g", (double)progress->losses.total);
    snprintf(text, sizeof text, "epoch %d/%d  step %lld/%lld%s%s  %s img/s  %s left",
             progress->epoch + 1, progress->epochs, step, (long long)progress->total_steps, part,
             loss, cli_rate(progress->images_per_second), cli_duration(progress->seconds_left));
    cli_progress_text(&training->progress, progress->step == progress->total_steps, text);
}

static void show_scoring(Training *training, const TrainProgress *progress)
{
    char text[256];
    snprintf(text, sizeof text, "epoch %d/%d  %s %lld/%lld  %s img/s  %s left", progress->epoch + 1,
             progress->epochs, progress->phase, (long long)progress->step,
             (long long)progress->total_steps, cli_rate(progress->images_per_second),
             cli_duration(progress->seconds_left));
    cli_progress_text(&training->progress, progress->step == progress->total_steps, text);
}

static void show_epoch(const Training *training, const TrainEpoch *epoch)
{
    const CliArguments *arguments = &training->arguments;
    if (training->val_lists.count == 0)
        cli_note_event(arguments, "epoch %d: train loss %.4f, %s", epoch->epoch + 1,
                       epoch->train_loss, cli_duration(epoch->seconds));
    else
        cli_note_event(arguments,
                       "epoch %d: train loss %.4f, val loss %.4f, AUROC %.4f frame, %.4f video, "
                       "mAP %.4f video, %s%s",
                       epoch->epoch + 1, epoch->train_loss, epoch->val_loss, epoch->frame.auroc,
                       epoch->video.auroc, epoch->video.map, cli_duration(epoch->seconds),
                       epoch->best ? " (best so far)" : "");
}

static void show_event(void *context, const TrainEvent *event)
{
    Training *training = context;
    switch (event->kind) {
    case TRAIN_PLANNED:
        show_plan(training, event->plan);
        break;
    case TRAIN_OPENED:
        open_log(training);
        break;
    case TRAIN_STEP_PART: /* a log gets completed steps */
        if (training->progress.terminal)
            show_step(training, event->progress);
        break;
    case TRAIN_STEP_DONE:
        show_step(training, event->progress);
        break;
    case TRAIN_SCORING:
        show_scoring(training, event->progress);
        break;
    case TRAIN_EPOCH_DONE:
        show_epoch(training, event->epoch);
        break;
    case TRAIN_NOTICE:
        cli_note(&training->arguments, "%s", event->text);
        break;
    case TRAIN_WARNING:
        cli_warn("%s", event->text);
        break;
    }
}

/* ---- after the run --------------------------------------------------------------------------- */

/* The last column is the monitored metric, by which the best epoch is chosen. */
static void print_epoch(const CliArguments *arguments, const char *name, const TrainEpoch *epoch,
                        const char *monitor)
{
    cli_note(arguments, "%-5s %6d %10.4f %12.4f %12.4f %12.4f %12.4f  %*.4f", name,
             epoch->epoch + 1, epoch->val_loss, epoch->frame.auroc, epoch->video.auroc,
             epoch->frame.map, epoch->video.map, (int)strlen(monitor),
             train_monitor_value(epoch, monitor));
}

static void print_epochs(const CliArguments *arguments, const TrainRecipe *recipe,
                         const CliStrings *val, const TrainResult *result)
{
    cli_note(arguments, "%-5s %6s %10s %12s %12s %12s %12s  %s", "", "epoch", "val loss",
             "AUROC frame", "AUROC video", "mAP frame", "mAP video", recipe->monitor);
    print_epoch(arguments, "best", &result->best, recipe->monitor);
    print_epoch(arguments, "last", &result->last, recipe->monitor);
    for (int i = 0; i < val->count; i++)
        cli_note(arguments, "selected on: %s (%s)", val->items[i], recipe->monitor);
}

/*
 * Prints the best and the last epoch together, and the lists used for selecting the best: its
 * metrics are optimistic there. Then steps, time, memory and files of the run.
 */
static void print_result(const CliArguments *arguments, const char *out, const TrainRecipe *recipe,
                         const CliStrings *val, const TrainResult *result)
{
    if (result->stopped_early)
        cli_note(arguments, "stopped early: %s has not improved for %d epochs", recipe->monitor,
                 recipe->early_stopping);
    if (val->count > 0)
        print_epochs(arguments, recipe, val, result);
    cli_note(arguments, "%s: %s steps in %s, peak memory %s; best.safetensors and last.safetensors",
             out, cli_count((unsigned long long)result->steps_done), cli_duration(result->seconds),
             cli_bytes(train_peak_bytes()));
}

/* After a dry run: the expected duration of the full run. */
static void print_forecast(const CliArguments *arguments, const TrainResult *result)
{
    cli_note(arguments, "forecast: %s per step, %s steps, %s in total (nothing was written)",
             cli_duration(result->forecast_step_seconds),
             cli_count((unsigned long long)result->steps), cli_duration(result->forecast_seconds));
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Limits the validation lists to complete videos with `val_frames` frames in total. */
static Status limit_validation(Training *training, Error *error)
{
    Error reason = {0};
    const int frames = training->recipe.val_frames;
    if (data_list_limit_videos(&training->val, frames, &reason) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, reason.status, "val_frames=%d: %s", frames, reason.message);
}

/*
 * Reads the lists of each set and keeps `frames` frames per video. The test lists keep all frames:
 * they are only checked for overlap.
 */
static Status read_lists(Training *training, Error *error)
{
    const TrainRecipe *recipe = &training->recipe;
    CliFrames frames = {recipe->frames, recipe->frame_choice, recipe->limit, recipe->seed};
    const CliFrames all = {0};
    const CliStrings *train = &training->train_lists, *val = &training->val_lists;
    const CliStrings *test = &training->test_lists;
    CliSet sets[3] = {{"train", train->items, train->count, DATA_TRAIN, frames, &training->train}};
    int count = 1;
    frames.limit = recipe->val_limit;
    if (val->count > 0)
        sets[count++] = (CliSet){"val", val->items, val->count, DATA_VAL, frames, &training->val};
    if (test->count > 0)
        sets[count++] = (CliSet){"test", test->items, test->count, DATA_TEST, all, &training->test};
    TRY(cli_read_sets(sets, count, &training->labels, error));
    if (val->count > 0)
        TRY(limit_validation(training, error));
    print_lists(training);
    return STATUS_OK;
}

static Status check_lists(const Training *training, Error *error)
{
    CliCheckedSet sets[3];
    const int count = name_sets(training, sets);
    TRY(train_check_labels(&training->train, training->val_lists.count > 0 ? &training->val : NULL,
                           training->recipe.sbi, error));
    return cli_check_training(&training->arguments, sets, count,
                              cli_checks_expect(training->checks), training->allow_overlap, error);
}

/* Loads model, adapter and head. If neither file has a head, one is initialised from the seed. */
static Status load_model(Training *training, Error *error)
{
    CliModel *model = &training->model;
    const TrainRecipe *recipe = &training->recipe;
    TRY(cli_model_load(model, &training->model_options, &training->arguments, CLI_HEAD_IF_ANY,
                       error));
    if (model->has_head && model->head.kind != recipe->head)
        return error_set(error, STATUS_USAGE,
                         "head=%s: the model or adapter has a head of kind %s; give head=%s",
                         vit_head_kind_name(recipe->head), vit_head_kind_name(model->head.kind),
                         vit_head_kind_name(model->head.kind));
    if (!model->has_head) {
        vit_head_destroy(&model->head);
        model->head_created = false;
        TRY(vit_head_create(&model->head, recipe->head, vit_model_width(model->vit), recipe->seed,
                            error));
        model->head_created = true;
    }
    TRY(vit_tune(&training->tuned, model->vit, &model->head, recipe->tune, recipe->seed, error));
    vit_tune_set_alpha(model->vit, recipe->lora_alpha);
    print_model(training);
    return STATUS_OK;
}

static Status run(Training *training, Error *error)
{
    if (!training->resume && !training->dry_run)
        TRY(train_run_check_new(training->out, error));
    TRY(read_lists(training, error));
    TRY(check_lists(training, error));
    TRY(load_model(training, error));
    log_model(training);
    training->progress = cli_progress_begin(&training->arguments, "train", "steps");
    const TrainJob job = {
        .vit = training->model.vit,
        .head = &training->model.head,
        .tuned = training->tuned,
        .recipe = &training->recipe,
        .train = &training->train,
        .val = training->val_lists.count > 0 ? &training->val : NULL,
        .lists_checked = cli_checks_expect(training->checks) != TRAIN_CHECKS_OFF,
        .train_names = {training->train_lists.items, training->train_lists.count},
        .val_names = {training->val_lists.items, training->val_lists.count},
        .folder = training->out,
        .resume = training->resume,
        .dry_run = training->dry_run,
        .threads = training->model.threads,
        .stop = cli_catch_signals(),
        .event = show_event,
        .context = training,
    };
    TrainResult result;
    Status status = train_run(&job, &result, error);
    cli_progress_end(&training->progress);
    if (status == STATUS_INTERRUPTED)
        status = cli_interrupted(training->out, "continue with --resume", error);
    if (status == STATUS_OK && training->dry_run)
        print_forecast(&training->arguments, &result);
    else if (status == STATUS_OK)
        print_result(&training->arguments, training->out, &training->recipe, &training->val_lists,
                     &result);
    return status;
}

static void free_training(Training *training)
{
    vit_tuned_destroy(training->tuned);
    cli_model_free(&training->model);
    data_list_free(&training->test);
    data_list_free(&training->val);
    data_list_free(&training->train);
}

/* Runs the parsed command. */
static int apply(Training *training)
{
    CliArguments *arguments = &training->arguments;
    cli_expect_positional(arguments, 0, 0, "KEY=VALUE");
    cli_checks_expect(training->checks);
    if (training->keys) {
        train_recipe_describe(stdout);
        return CLI_DONE;
    }
    Error error = {0};
    if (training->resume) /* the recipe is in the run folder */
        cli_expect_option(arguments, "--out", training->out);
    Status status = resolve_recipe(training, &error);
    if (status == STATUS_OK && training->print) {
        train_recipe_print(&training->recipe, stdout);
        return CLI_DONE;
    }
    if (status == STATUS_OK) {
        cli_expect_option(arguments, "--model", training->model_options.model);
        if (training->train_lists.count == 0)
            return cli_usage_error("--train: missing; name the lists or folders to train on");
        if (!training->dry_run)
            cli_expect_option(arguments, "--out", training->out);
        log_recipe(&training->recipe);
        status = cli_model_find_all(arguments, &training->model_options, &error);
        if (status == STATUS_OK)
            status = run(training, &error);
    }
    free_training(training);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}

int cmd_train(int argc, char **argv)
{
    Training training = {0};
    CliOption options[] = {
        CLI_MODEL_OPTION(training.model_options),
        CLI_ADAPTER_OPTION(training.model_options),
        CLI_HEAD_OPTION(training.model_options),
        {"--train", CLI_STRINGS, &training.train_lists, 0, 0, "LIST",
         "lists, folders, tables (.csv), patterns in quotes, or JSON\nof DeepfakeBench to train "
         "on"},
        {"--val", CLI_STRINGS, &training.val_lists, 0, 0, "LIST",
         "likewise, to select the best epoch on"},
        {"--test", CLI_STRINGS, &training.test_lists, 0, 0, "LIST",
         "likewise, checked for overlap, not used otherwise"},
        CLI_LABEL_OPTION(training.labels),
        CLI_CHECKS_OPTION(training.checks),
        {"--allow-overlap", CLI_FLAG, &training.allow_overlap, 0, 0, NULL,
         "continue even if train, val and test share frames or people"},
        {"--out", CLI_STRING, &training.out, 0, 0, "RUN", "run folder"},
        {"--recipe", CLI_STRING, &training.recipe_name, 0, 0, "NAME",
         "paper (default), released, gend, probe, probe-norm, cpu, or a file"},
        {"--resume", CLI_FLAG, &training.resume, 0, 0, NULL,
         "continue the run in RUN; the results are bit-identical"},
        {"--dry-run", CLI_FLAG, &training.dry_run, 0, 0, NULL,
         "forecast time and memory; write nothing"},
        {"--print", CLI_FLAG, &training.print, 0, 0, NULL, "print the recipe and exit"},
        {"--keys", CLI_FLAG, &training.keys, 0, 0, NULL,
         "print all recipe keys with their values and meaning, and exit"},
        {0},
    };
    const CliCommand command = {
        .name = "train",
        .summary = "LN-tune a model on lists of face frames",
        .usage = "lnclip train --model M --train LIST... --val LIST... --out RUN [--recipe NAME] "
                 "[--adapter A] [--resume] [KEY=VALUE...]",
        .details =
            "Trains the LayerNorms and the head, or the parameters named by tune; all others stay "
            "frozen. KEY=VALUE\nor --KEY VALUE overrides the recipe: --print shows all keys, "
            "--keys "
            "explains them. Writes recipe.txt,\nsteps.csv, epochs.csv, curves.svg, run.log, "
            "best.safetensors, last.safetensors and state.safetensors\nto RUN. Ctrl-C saves the "
            "last completed step; --resume continues from it.",
        .example = "lnclip train --model clip-vit-l-14 --train lists/train/*.txt --val "
                   "lists/val/*.txt --out run "
                   "--recipe cpu memory=4",
        .options = options,
        .accepts_settings = true,
    };
    cli_parse(&command, argc, argv, &training.arguments);
    begin_log(argc, argv);
    return apply(&training);
}
