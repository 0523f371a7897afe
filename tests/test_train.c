/*
 * test_train.c - whole runs: files, bits that do not depend on threads, workers and micro-batches,
 * what a run refuses, and its variants. (Stopping and going on: test_train_resume.c.)
 */
#include "tests/support_folder.h"
#include "tests/support_run.h"

#include "tensor/base/file.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_run_leaves_its_files)
{
    const TrainResult result = support_run_to_end("run", "");
    ck_assert_int_eq((int)result.steps, 8); /* 24 frames in batches of 6, twice */
    ck_assert_int_eq((int)result.steps_done, 8);
    ck_assert(!result.stopped_early && result.last.epoch == 1);
    ck_assert_int_eq(support_run_lines("run", "steps.csv"), 9);
    ck_assert_int_eq(support_run_lines("run", "epochs.csv"), 3);
    ck_assert(support_run_has("run", "recipe.txt") && support_run_has("run", "best.safetensors"));
    size_t size = 0;
    char *const steps = support_run_content("run", "steps.csv", &size);
    ck_assert_int_eq(strncmp(steps,
                             "step,epoch,lr,loss,loss_ce,loss_alignment,loss_uniformity,grad_norm,"
                             "images_per_second\n0,1,8e-05,",
                             92),
                     0);
    free(steps);
}
END_TEST

START_TEST(bits_do_not_depend_on_threads_workers_and_micro_batches)
{
    const char *const settings[] = {
        "micro_batch=6 threads=1 workers=1",
        "micro_batch=1 threads=2 workers=4",
        "micro_batch=4 threads=2 workers=1",
        "micro_batch=5 threads=1 workers=0",
    };
    for (int i = 0; i < 4; i++) {
        char run[16];
        snprintf(run, sizeof run, "run%d", i);
        support_run_to_end(run, settings[i]);
        if (i > 0)
            support_run_same("run0", run);
    }
}
END_TEST

/* The metadata `key` of an adapter of folder/`run`, to be freed. */
static char *metadata_of_run(const char *run, const char *name, const char *key)
{
    Error error = {0};
    SafeTensors *file = NULL;
    char path[8192];
    snprintf(path, sizeof path, "%s/%s/%s", support_run_folder(), run, name);
    ck_ok(safetensors_open(&file, path, &error), &error);
    ck_assert_ptr_nonnull(safetensors_metadata(file, key));
    char *const copy = strdup(safetensors_metadata(file, key));
    safetensors_close(file);
    return copy;
}

static void says(const char *name, const char *key, const char *expected)
{
    char *const text = metadata_of_run("run", name, key);
    ck_assert_msg(strstr(text, expected), "%s of %s: \"%s\" lacks \"%s\"", key, name, text,
                  expected);
    free(text);
}

START_TEST(an_adapter_says_where_it_comes_from)
{
    const VitConfig config = support_tiny_config();
    const char *const train[] = {"lists/a \"b\".txt", "caf\xe9.txt"}, *const val[] = {"val.txt"};
    SupportJob job;
    TrainResult result;
    Error error = {0};
    char hash[33];
    support_job_open(&job, support_run_folder(), "run", &config, "epochs=2 keep=1");
    job.job.train_names = (TrainListNames){train, 2};
    job.job.val_names = (TrainListNames){val, 1};
    data_list_hash(&job.val, hash);
    ck_ok(train_run(&job.job, &result, &error), &error);
    char expected[256];
    snprintf(expected, sizeof expected,
             "val_map_video %.4f (epoch %d of 2) on val.txt (8 frames of 2 videos, hash %s)",
             result.best.video.map, result.best.epoch + 1, hash);
    says("best.safetensors", "selected_on", expected);
    snprintf(hash, sizeof hash, "epoch-%03d.safetensors", result.best.epoch + 1);
    says(hash, "selected_on", expected);
    says("last.safetensors", "selected_on", "nothing (the last step)");
    says("best.safetensors", "record",
         "\"lists\": [\"lists/a \\\"b\\\".txt\", \"caf\\\\xe9.txt\"]");
    says("best.safetensors", "record",
         "\"real\": {\"videos\": 3, \"frames\": 12}, \"fake\": {\"videos\": 3, \"frames\": 12}");
    says("best.safetensors", "record", "{\"lnclip\": \"" LNCLIP_VERSION "\", \"revision\": \"");
    says("best.safetensors", "record", "\"machine\": {\"processor\": \"");
    support_job_close(&job);
}
END_TEST

/* The new adapter would lack what an earlier one changed, and what does not train now. */
START_TEST(a_start_that_would_be_lost_is_refused)
{
    const char *const settings[] = {"tune=ln max_steps=1", "tune=none max_steps=1",
                                    "tune=lora:2:q max_steps=1"};
    const VitConfig config = support_tiny_config();
    for (int i = 0; i < 3; i++) {
        char run[16];
        SupportJob job;
        TrainResult result;
        Error error = {0};
        snprintf(run, sizeof run, "start%d", i);
        support_job_open(&job, support_run_folder(), run, &config, settings[i]);
        for (int p = 0; p < job.vit->parameter_count; p++) {
            VitParameter *const parameter = &job.vit->parameters[p];
            parameter->changed =
                i == 2 ? parameter->method != NULL : parameter->kind == VIT_LAYER_NORM;
        }
        const Status status = train_run(&job.job, &result, &error);
        if (i == 0)
            ck_ok(status, &error);
        else
            ck_assert_msg(
                status == STATUS_FAILED &&
                    strstr(error.message, i == 1 ? "tune=none" : "self_attn.q_proj.weight"),
                "%s", error.message);
        ck_assert(support_run_has(run, "recipe.txt") == (i == 0));
        support_job_close(&job);
    }
}
END_TEST

START_TEST(monitors_know_which_way_is_better)
{
    ck_assert(train_monitor_better("val_map_video", 0.8, 0.7));
    ck_assert(!train_monitor_better("val_map_video", 0.7, 0.7));
    ck_assert(train_monitor_better("val_loss", 0.6, 0.7));
    ck_assert(train_monitor_better("val_eer_video", 0.1, 0.2));
    ck_assert(!train_monitor_better("val_auroc_frame", NAN, 0.1));
    ck_assert(train_monitor_better("val_auroc_frame", 0.1, NAN));
    ck_assert(train_monitor_better("val_log_loss_video", 0.1, 0.2));
    ck_assert(!train_monitor_better("val_ece_frame", NAN, 0.9));
    ck_assert(train_monitor_better("val_tpr_at_fpr_0.001_video", 0.2, 0.1));
    ck_assert(!train_monitor_better("val_loss", NAN, NAN));
}
END_TEST

/* ---- what a run refuses, and how it fails ---------------------------------------------------- */

START_TEST(a_start_from_damaged_weights_is_no_divergence)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, support_run_folder(), "run", &config, "");
    job.tuned->values[job.tuned->count - 1] = NAN; /* the head's bias */
    const Status status = train_run(&job.job, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "step 0: loss nan");
    ck_assert_ptr_nonnull(strstr(error.message, "before any training"));
    ck_assert_int_eq(error.problems, 0); /* no file of the batch is at fault */
    ck_assert(!support_run_has("run", "state.safetensors"));
    ck_assert_int_eq(support_run_lines("run", "steps.csv"), 1);
    support_job_close(&job);
}
END_TEST

/* Makes a trained parameter NaN after a step. */
typedef struct Ruin {
    SupportJob *job;
    int64_t after;
} Ruin;

static void ruin(void *context, const TrainEvent *event)
{
    Ruin *how = context;
    if (event->kind == TRAIN_STEP_DONE && event->progress->step == how->after)
        how->job->tuned->values[how->job->tuned->count - 1] = NAN;
}

/*
 * Whichever part of a run sees it first: training says that it diverged, where and at which rate,
 * and the state saved before stays, from which the run can be resumed.
 */
START_TEST(a_divergence_is_reported_and_the_last_good_state_kept)
{
    static const struct {
        int64_t after; /* steps; an epoch has 4, and each second step is saved */
        const char *settings, *says, *also;
        int64_t kept;
    } cases[] = {
        {7, "", "step 7 (epoch 2, lr ", "loss nan", 6},
        {6, "", "step 6 (epoch 2, lr ", "parameters are not finite", 4},
        {4, "", "step 4 (epoch 1, lr ", "validation scores are not finite", 2},
        {4, "tune=none augment=off", "step 4 (epoch 1, lr ", "validation scores are not finite", 2},
        {7, "sam.rho=0.05", "step 7 (epoch 2, lr ", "a lower sam.rho", 6},
    };
    const VitConfig config = support_tiny_config();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SupportJob job;
        TrainResult result;
        Error error = {0};
        char run[16], settings[80], kept[40];
        snprintf(run, sizeof run, "run%zu", i);
        snprintf(settings, sizeof settings, "save_every=2 %s", cases[i].settings);
        support_job_open(&job, support_run_folder(), run, &config, settings);
        Ruin how = {.job = &job, .after = cases[i].after};
        job.job.event = ruin;
        job.job.context = &how;
        const Status status = train_run(&job.job, &result, &error);
        support_fails_with(status, &error, STATUS_FAILED, cases[i].says);
        support_fails_with(status, &error, STATUS_FAILED, cases[i].also);
        ck_assert_ptr_null(strstr(error.message, ".png"));
        ck_assert_int_eq(error.problems, 0);
        snprintf(kept, sizeof kept, "state saved at step %d is unchanged", (int)cases[i].kept);
        support_fails_with(status, &error, STATUS_FAILED, kept);
        support_job_close(&job);

        SupportWatcher watcher = {0};
        error = (Error){0};
        ck_ok(support_run_watched(run, settings, true, &watcher, &error), &error);
        snprintf(kept, sizeof kept, "at step %d", (int)cases[i].kept);
        ck_assert_ptr_nonnull(strstr(watcher.notices, kept));
        snprintf(run, sizeof run, "whole%zu", i);
        support_run_to_end(run, settings);
        char resumed[16];
        snprintf(resumed, sizeof resumed, "run%zu", i);
        support_run_same(run, resumed);
    }
}
END_TEST

START_TEST(a_list_of_one_class_is_refused)
{
    FILE *const list = fopen(support_in_folder("train.txt"), "w");
    fputs("data/real/v00/000.png\ndata/real/v00/001.png\n", list);
    fclose(list);
    Error error = {0};
    TrainResult result;
    const Status status = support_run_with("run", "", false, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "training list: all 2 frames are real");
    ck_assert(!support_run_has("run", "recipe.txt"));
}
END_TEST

/* Real frames alone, 12 of the 24, each with its self-blended fake; the others would not be looked
 * at. */
START_TEST(self_blended_fakes_need_no_list_of_fakes)
{
    SupportWatcher watcher = {0};
    Error error = {0};
    ck_ok(support_run_watched("both", "data.sbi=on", false, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "the 12 fake frames of the lists are not used"));
    FILE *const list = fopen(support_in_folder("train.txt"), "w");
    for (int i = 0; i < 12; i++)
        fprintf(list, "data/real/v%02d/%03d.png\n", i / 4, i % 4);
    fclose(list);
    ck_assert_int_eq((int)support_run_to_end("real", "data.sbi=on").steps_done, 8);
    ck_assert_int_eq(
        (int)support_run_to_end("probe", "data.sbi=on tune=none augment=off").steps_done, 8);
    ck_assert(!support_run_has("probe", "features.safetensors"));
}
END_TEST

START_TEST(shared_frames_are_told)
{
    FILE *const list = fopen(support_in_folder("val.txt"), "a");
    fputs("data/real/v00/000.png\n", list);
    fclose(list);
    SupportWatcher watcher = {0};
    Error error = {0};
    ck_ok(support_run_watched("run", "max_steps=1", false, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "1 of 9 validation frames"));
}
END_TEST

START_TEST(a_budget_that_holds_nothing_is_refused)
{
    Error error = {0};
    TrainResult result;
    const Status status = support_run_with("run", "memory=0.001", false, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "set memory=");
    ck_assert(!support_run_has("run", "recipe.txt"));
}
END_TEST

/* ---- variants of a run ----------------------------------------------------------------------- */

START_TEST(a_dry_run_forecasts_and_writes_nothing)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, support_run_folder(), "run", &config, "");
    job.job.dry_run = true;
    ck_ok(train_run(&job.job, &result, &error), &error);
    ck_assert_int_eq((int)result.steps, 8);
    ck_assert_int_eq((int)result.steps_done, 0);
    ck_assert(result.forecast_seconds > 0 && result.forecast_step_seconds > 0);
    ck_assert(!file_exists(support_in_folder("run")));
    support_job_close(&job);
}
END_TEST

START_TEST(a_probe_caches_its_features)
{
    const char *const settings = "tune=none augment=off";
    support_run_to_end("whole", settings);
    ck_assert(support_run_has("whole", "features.safetensors"));
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    ck_assert_int_eq(support_run_watched("parts", settings, false, &watcher, &error),
                     STATUS_INTERRUPTED);
    watcher = (SupportWatcher){0};
    ck_ok(support_run_watched("parts", settings, true, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "features.safetensors"));
    support_run_same("whole", "parts");
    support_run_same_file("whole", "parts", "features.safetensors");
}
END_TEST

/* An image that was replaced under its name: its old feature used to be taken from the run. */
START_TEST(a_probe_computes_features_of_replaced_images_again)
{
    const char *const settings = "tune=none augment=off";
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    ck_assert_int_eq(support_run_watched("run", settings, false, &watcher, &error),
                     STATUS_INTERRUPTED);
    const char *const image = support_in_folder("data/real/v00/000.png");
    char *content = NULL;
    size_t size = 0;
    error_clear(&error);
    ck_ok(file_read(image, 1 << 20, &content, &size, &error), &error);
    ck_ok(file_write(image, content, size, &error), &error);
    free(content);
    watcher = (SupportWatcher){0};
    ck_ok(support_run_watched("run", settings, true, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "computing the features again"));
    ck_assert_ptr_null(strstr(watcher.notices, "cached features"));
}
END_TEST

START_TEST(without_validation_the_last_is_the_best)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, support_run_folder(), "run", &config, "");
    job.job.val = NULL;
    ck_ok(train_run(&job.job, &result, &error), &error);
    ck_assert(isnan(result.last.val_loss) && isnan(result.last.video.auroc));
    size_t last = 0, best = 0;
    char *const last_content = support_run_content("run", "last.safetensors", &last);
    char *const best_content = support_run_content("run", "best.safetensors", &best);
    ck_assert(last == best && memcmp(last_content, best_content, last) == 0);
    free(last_content);
    free(best_content);
    support_job_close(&job);
}
END_TEST

START_TEST(max_steps_and_drop_last_count_steps)
{
    ck_assert_int_eq((int)support_run_to_end("a", "max_steps=6").steps_done, 6);
    ck_assert_int_eq(support_run_lines("a", "epochs.csv"), 3);
    ck_assert_int_eq((int)support_run_to_end("b", "batch_size=7").steps_done, 8);
    ck_assert_int_eq((int)support_run_to_end("c", "batch_size=7 drop_last=on").steps_done, 6);
    Error error = {0};
    TrainResult result;
    const Status status =
        support_run_with("d", "batch_size=25 drop_last=on", false, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "drop_last=off");
}
END_TEST

/* A fraction of an epoch is cut to whole steps; where none is left, that is never silent. */
START_TEST(a_schedule_of_less_than_a_step_is_reported)
{
    SupportWatcher watcher = {0};
    Error error = {0};
    Status status = support_run_watched("a", "scheduler=cyclic cycle_epochs=0.2", false, &watcher,
                                        &error); /* of 4 steps */
    support_fails_with(status, &error, STATUS_USAGE, "cycle_epochs=0.2");
    ck_assert(!support_run_has("a", "recipe.txt"));
    watcher = (SupportWatcher){0};
    status = support_run_watched("b", "warmup_epochs=0.2", false, &watcher, &error);
    ck_ok(status, &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "no warm-up"));
    watcher = (SupportWatcher){0};
    status = support_run_watched("c", "warmup_epochs=2", false, &watcher, &error);
    ck_ok(status, &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "never reaches lr"));
}
END_TEST

/*
 * Every key that takes numbers, at the ends of what it takes: the run is planned and forecast, or
 * refused by an error that names the cause; in an instant, for all of them together have one
 * minute.
 */
START_TEST(extreme_values_are_planned_or_refused_at_once)
{
    static const char *const values[] = {
        "0",          "1",        "2",     "7",    "1e-300",
        "0.001",      "0.999999", "1000",  "1024", "1000000",
        "2147483647", "1e17",     "1e300", "-1",   "18446744073709551615"};
    static const char *const begun = "batch_size=6 max_steps=2";
    const VitConfig config = support_tiny_config();
    int planned = 0;
    for (int k = 0; train_recipe_key(k); k++) {
        const char *const key = train_recipe_key(k);
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            TrainRecipe recipe;
            char settings[120];
            Error error = {0};
            ck_ok(train_recipe_named(&recipe, "paper", &error), &error);
            if (train_recipe_set(&recipe, key, values[v], &error) != STATUS_OK) {
                ck_assert_ptr_nonnull(strstr(error.message, key));
                continue;
            }
            if (strcmp(key, "tune") == 0) /* a pattern */
                continue;
            SupportJob job;
            TrainResult result;
            snprintf(settings, sizeof settings, "%s %s=%s", begun, key, values[v]);
            support_job_open(&job, support_run_folder(), "never", &config, settings);
            job.job.dry_run = true;
            error = (Error){0};
            const Status status = train_run(&job.job, &result, &error);
            ck_assert_msg(status == STATUS_OK || strstr(error.message, key) ||
                              strstr(error.message, "memory"),
                          "%s: %s", settings, error.message);
            planned += status == STATUS_OK;
            support_job_close(&job);
        }
    }
    ck_assert_int_gt(planned, 100);
    ck_assert(!support_run_has("never", "recipe.txt"));
}
END_TEST

START_TEST(patience_ends_a_run)
{
    /* At rate 0 nothing ever changes: the first epoch is the best, and two more are patience. */
    const TrainResult result =
        support_run_to_end("run", "epochs=9 lr=0 min_lr=0 early_stopping=2 keep=2 augment=off");
    ck_assert(result.stopped_early);
    ck_assert_int_eq((int)result.steps_done, 12);
    ck_assert_int_eq(result.best.epoch, 0);
    ck_assert(support_run_has("run", "epoch-001.safetensors") &&
              support_run_has("run", "epoch-002.safetensors"));
    ck_assert(!support_run_has("run", "epoch-000.safetensors") &&
              !support_run_has("run", "epoch-003.safetensors"));
}
END_TEST

/*
 * Any metric of validation chooses, in its direction: the best epoch is that of its column in
 * epochs.csv, also after a stop. It is recorded in the adapters, and ranks the kept ones.
 */
START_TEST(any_metric_is_a_monitor)
{
    const struct {
        const char *name;
        bool descends;
    } monitors[] = {{"val_tpr_at_fpr_0.01_video", false},
                    {"val_brier_frame", true},
                    {"val_balanced_accuracy_at_eer_video", false},
                    {"val_log_loss_video", true},
                    {"val_ap_video", false},
                    {"val_eer_frame", true},
                    {"val_auroc_frame", false}};
    for (size_t i = 0; i < sizeof monitors / sizeof *monitors; i++) {
        const char *const name = monitors[i].name;
        char run[16], stopped[16], settings[160], expected[160];
        snprintf(run, sizeof run, "run%zu", i);
        snprintf(stopped, sizeof stopped, "stopped%zu", i);
        snprintf(settings, sizeof settings, "epochs=4 lr=3e-3 keep=1 log.tensorboard=on monitor=%s",
                 name);
        const TrainResult result = support_run_to_end(run, settings);
        size_t size = 0;
        char *const text = support_run_content(run, "epochs.csv", &size), *keep = NULL;
        char *line = strtok_r(text, "\n", &keep);
        const bool own = strcmp(name, "val_auroc_frame") != 0;
        ck_assert_msg((strcmp(strrchr(line, ',') + 1, name) == 0) == own, "%s", line);
        int best = -1, epoch = 0;
        double value = 0;
        for (line = strtok_r(NULL, "\n", &keep); line && own; epoch++) {
            const double now = strtod(strrchr(line, ',') + 1, NULL);
            if (best < 0 || (monitors[i].descends ? now < value : now > value)) {
                best = epoch;
                value = now;
            }
            line = strtok_r(NULL, "\n", &keep);
        }
        free(text);
        if (own)
            ck_assert_int_eq(result.best.epoch, best);
        snprintf(expected, sizeof expected, "%s %.4f (epoch %d of 4) on ", name,
                 train_monitor_value(&result.best, name), result.best.epoch + 1);
        char *const selected = metadata_of_run(run, "best.safetensors", "selected_on");
        char *const metrics = metadata_of_run(run, "best.safetensors", "metrics");
        ck_assert_ptr_eq(strstr(selected, expected), selected);
        snprintf(expected, sizeof expected, "\"%s\": ", name);
        ck_assert_ptr_nonnull(strstr(metrics, expected));
        ck_assert_ptr_null(strstr(strstr(metrics, expected) + 1, expected)); /* once */
        free(metrics);
        free(selected);

        SupportWatcher watcher = {.stop_after = 9};
        Error error = {0};
        TrainResult resumed;
        ck_assert_int_eq(support_run_watched(stopped, settings, false, &watcher, &error),
                         STATUS_INTERRUPTED);
        error_clear(&error);
        ck_ok(support_run_with(stopped, settings, true, &resumed, &error), &error);
        support_run_same(run, stopped);
    }
    TrainResult result;
    Error error = {0};
    support_fails_with(
        support_run_with("run0", "epochs=4 lr=3e-3 keep=1 monitor=val_loss", true, &result, &error),
        &error, STATUS_USAGE, "monitor");
}
END_TEST

/* An epoch that does not fill a batch is one batch, and no memory is planned for more. */
START_TEST(a_batch_beyond_the_epoch_holds_the_epoch)
{
    const char *const settings[][2] = {
        {"batch_size=24", "batch_size=1000000"},
        {"batch_size=24 micro_batch=24", "batch_size=1000000 micro_batch=1000000"},
        {"batch_size=24 pairs=on", "batch_size=1000000 pairs=on"},
        {"batch_size=24 sampling=source", "batch_size=1000000 sampling=source memory=0.4"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char runs[2][16];
        for (int j = 0; j < 2; j++) {
            snprintf(runs[j], sizeof runs[j], "run%zu%d", i, j);
            ck_assert_int_eq((int)support_run_to_end(runs[j], settings[i][j]).steps, 2);
        }
        support_run_same_rows(runs[0], runs[1]);
    }
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        a_run_leaves_its_files,
        bits_do_not_depend_on_threads_workers_and_micro_batches,
        an_adapter_says_where_it_comes_from,
        a_start_that_would_be_lost_is_refused,
        monitors_know_which_way_is_better,
        a_start_from_damaged_weights_is_no_divergence,
        a_divergence_is_reported_and_the_last_good_state_kept,
        a_list_of_one_class_is_refused,
        self_blended_fakes_need_no_list_of_fakes,
        shared_frames_are_told,
        a_budget_that_holds_nothing_is_refused,
        a_dry_run_forecasts_and_writes_nothing,
        a_probe_caches_its_features,
        a_probe_computes_features_of_replaced_images_again,
        a_schedule_of_less_than_a_step_is_reported,
        without_validation_the_last_is_the_best,
        max_steps_and_drop_last_count_steps,
        patience_ends_a_run,
        any_metric_is_a_monitor,
        a_batch_beyond_the_epoch_holds_the_epoch,
    };
    Suite *const suite = suite_create("train");
    TCase *const runs = support_case(suite, "runs", 120);
    tcase_add_checked_fixture(runs, support_run_setup, support_folder_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(runs, tests[i]);
    TCase *const extremes = support_case(suite, "extremes", 60);
    tcase_add_checked_fixture(extremes, support_run_setup, support_folder_teardown);
    tcase_add_test(extremes, extreme_values_are_planned_or_refused_at_once);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
