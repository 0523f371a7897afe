/*
 * test_train_resume.c - runs that are stopped, killed or cut short go on to the same bits, or say
 * why they cannot.
 */
#include "tests/support_folder.h"
#include "tests/support_run.h"

#include "tensor/base/file.h"
#include "tensor/safetensors.h"
#include "train/run/run_files.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

START_TEST(a_stopped_run_goes_on_to_the_same_bits)
{
    support_run_to_end("whole", "");
    /*
     * After step 3 (within an epoch), 4 (its last: validation is not begun), 5 and 8 (the last of
     * all).
     */
    const int64_t stops[] = {3, 1, 1, 3};
    for (size_t i = 0; i < 4; i++) {
        SupportWatcher watcher = {.stop_after = stops[i]};
        Error error = {0};
        ck_assert_int_eq(support_run_watched("parts", "", i > 0, &watcher, &error),
                         STATUS_INTERRUPTED);
        ck_assert(support_run_has("parts", "state.safetensors") &&
                  support_run_has("parts", "last.safetensors"));
    }
    SupportWatcher watcher = {0};
    Error error = {0};
    ck_ok(support_run_watched("parts", "threads=2 workers=3 micro_batch=2 memory=3", true, &watcher,
                              &error),
          &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "resuming at step 8 of 8"));
    support_run_same("whole", "parts");
    /* A finished run has nothing left to do, and stays as it is. */
    ck_ok(support_run_with("parts", "", true, &(TrainResult){0}, &error), &error);
    support_run_same("whole", "parts");
}
END_TEST

/* Two gradients a step, and an average beside the weights: stopped between and within epochs. */
START_TEST(sam_and_ema_go_on_to_the_same_bits)
{
    const char *const settings[] = {"sam.rho=0.05 ema=0.8 save_every=1",
                                    "sam.rho=0.5 sam.adaptive=on ema=0.5 tune=none augment=off"};
    for (size_t i = 0; i < 2; i++) {
        char whole[16], parts[16], other[256];
        snprintf(whole, sizeof whole, "whole%zu", i);
        snprintf(parts, sizeof parts, "parts%zu", i);
        snprintf(other, sizeof other, "%s threads=2 workers=3 micro_batch=4", settings[i]);
        support_run_to_end(whole, settings[i]);
        const int64_t stops[] = {2, 2, 1};
        for (size_t j = 0; j < 3; j++) {
            SupportWatcher watcher = {.stop_after = stops[j]};
            Error error = {0};
            ck_assert_int_eq(support_run_watched(parts, settings[i], j > 0, &watcher, &error),
                             STATUS_INTERRUPTED);
        }
        SupportWatcher watcher = {0};
        Error error = {0};
        ck_ok(support_run_watched(parts, other, true, &watcher, &error), &error);
        support_run_same(whole, parts);
    }
}
END_TEST

/* Stops during a step: with SAM in its second gradient. */
static void stop_within(void *context, const TrainEvent *event)
{
    SupportWatcher *watcher = context;
    if (event->kind == TRAIN_STEP_PART && event->step == 1 && event->done * 4 > event->total * 3)
        watcher->stop = 1;
}

START_TEST(a_stop_uphill_leaves_the_weights_below)
{
    const VitConfig config = support_tiny_config();
    const char *const settings = "sam.rho=0.5 micro_batch=1";
    SupportWatcher watcher = {0};
    Error error = {0};
    SupportJob job;
    TrainResult result;
    support_run_to_end("whole", settings);
    support_job_open(&job, support_run_folder(), "parts", &config, settings);
    job.job.stop = &watcher.stop;
    job.job.event = stop_within;
    job.job.context = &watcher;
    ck_assert_int_eq(train_run(&job.job, &result, &error), STATUS_INTERRUPTED);
    ck_assert_int_eq((int)result.steps_done, 1);
    support_job_close(&job);
    error_clear(&error);
    ck_ok(support_run_with("parts", settings, true, &result, &error), &error);
    support_run_same("whole", "parts");
}
END_TEST

/* A finished run, and one that was stopped, extended: the same bits as a long run. */
START_TEST(a_run_can_be_extended)
{
    static const char *const schedules[] = {
        "scheduler=constant loss.alignment=0.1 keep=1",
        "scheduler=cyclic cycle_epochs=2 warmup_epochs=1 ema=0.9",
    };
    for (int i = 0; i < 2; i++) {
        char longer[160], shorter[160], whole[24], run[24], stopped[24];
        Error error = {0};
        TrainResult result;
        SupportWatcher watcher = {.stop_after = 5};
        snprintf(whole, sizeof whole, "whole%d", i);
        snprintf(run, sizeof run, "run%d", i);
        snprintf(stopped, sizeof stopped, "stopped%d", i);
        snprintf(longer, sizeof longer, "epochs=4 lr=3e-3 %s", schedules[i]);
        snprintf(shorter, sizeof shorter, "epochs=2 lr=3e-3 %s", schedules[i]);
        support_run_to_end(whole, longer);
        support_run_to_end(run, shorter);
        ck_ok(support_run_with(run, longer, true, &result, &error), &error);
        ck_assert_int_eq(support_run_watched(stopped, shorter, false, &watcher, &error),
                         STATUS_INTERRUPTED);
        error_clear(&error);
        ck_ok(support_run_with(stopped, longer, true, &result, &error), &error);
        for (int other = 0; other < 2; other++) {
            const char *const name = other == 0 ? run : stopped;
            support_run_same_file(whole, name, "last.safetensors");
            support_run_same_file(whole, name, "state.safetensors");
            support_run_same_file(whole, name, "recipe.txt");
            support_run_same_rows(whole, name);
        }
    }
}
END_TEST

START_TEST(some_runs_cannot_be_extended)
{
    static const struct {
        const char *first, *then, *says;
    } cases[] = {
        {"epochs=2", "epochs=4", "--adapter RUN"}, /* cosine */
        {"epochs=2 scheduler=constant", "epochs=1 scheduler=constant", "has completed 8 steps"},
        {"epochs=2 max_steps=6 scheduler=constant", "epochs=2 scheduler=constant",
         "ended at step 6, within epoch 2"},
    };
    for (int i = 0; i < 3; i++) {
        char run[16];
        Error error = {0};
        TrainResult result;
        snprintf(run, sizeof run, "run%d", i);
        support_run_to_end(run, cases[i].first);
        const Status status = support_run_with(run, cases[i].then, true, &result, &error);
        support_fails_with(status, &error, STATUS_USAGE, cases[i].says);
        /* It is still the run that it was. */
        error_clear(&error);
        ck_ok(support_run_with(run, cases[i].first, true, &result, &error), &error);
    }
}
END_TEST

START_TEST(a_killed_run_goes_on_to_the_same_bits)
{
    const char *const settings = "epochs=3 save_every=2 keep=2 loss.alignment=0.1 grad_clip=0.5";
    support_run_to_end("whole", settings);
    Random random = random_stream((uint64_t)time(NULL), RANDOM_TEST, 0, 0);
    uint32_t span = 60000; /* microseconds within which it is killed */
    int kills = 0;
    for (int attempt = 0;; attempt++) {
        ck_assert_int_lt(attempt, 60);
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            SupportWatcher watcher = {.pause_us = 3000};
            Error error = {0};
            _exit(support_run_watched("killed", settings, attempt > 0, &watcher, &error) ==
                          STATUS_OK
                      ? 0
                      : 1);
        }
        usleep(5000 + random_below(&random, span));
        span += span / 8; /* a slow build needs long to get anywhere */
        kill(child, SIGKILL);
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            break;
        }
        kills++;
    }
    ck_assert_int_gt(kills, 0);
    support_run_same("whole", "killed");
    for (int epoch = 1; epoch <= 3; epoch++) {
        char name[32];
        snprintf(name, sizeof name, "epoch-%03d.safetensors", epoch);
        ck_assert_int_eq(support_run_has("whole", name), support_run_has("killed", name));
    }
}
END_TEST

/* A kill while curves.svg or a table is written leaves its temporary file. */
START_TEST(resume_removes_what_a_killed_process_was_writing)
{
    static const char *const names[] = {"curves.svg", "recipe.txt", "steps.csv", "epochs.csv",
                                        "events.out.tfevents.lnclip"};
    enum { COUNT = sizeof names / sizeof names[0] };
    support_run_to_end("run", "");
    const pid_t gone = fork();
    ck_assert_int_ge(gone, 0);
    if (gone == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(gone, NULL, 0), gone);
    char left[COUNT][80];
    Error error = {0};
    for (int i = 0; i < COUNT; i++) {
        char path[512];
        snprintf(left[i], sizeof left[i], "%s.tmp-%d", names[i], (int)gone);
        snprintf(path, sizeof path, "run/%s", left[i]);
        ck_ok(file_write(support_in_folder(path), "half", 4, &error), &error);
    }
    ck_ok(support_run_with("run", "", true, &(TrainResult){0}, &error), &error);
    for (int i = 0; i < COUNT; i++)
        ck_each(!support_run_has("run", left[i]), "%s is still there", left[i]);
}
END_TEST

START_TEST(resume_starts_at_0_when_nothing_was_saved)
{
    support_run_to_end("whole", "");
    SupportWatcher watcher = {0};
    Error error = {0};
    ck_ok(support_run_watched("new", "", true, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "starting at step 0"));
    support_run_same("whole", "new");
}
END_TEST

START_TEST(resume_refuses_what_would_change_the_result)
{
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    Status status = support_run_with("run", "", false, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "--resume");
    error_clear(&error);
    status = support_run_with("run", "lr=1e-4", true, &result, &error);
    support_fails_with(status, &error, STATUS_USAGE, "lr");
    error_clear(&error);
    ck_assert_int_eq(unlink(support_in_folder("run/recipe.txt")), 0); /* the state knows it too */
    status = support_run_with("run", "lr=1e-4", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "recipe has changed");
    error_clear(&error);

    FILE *const list = fopen(support_in_folder("train.txt"), "a");
    fputs("data/real/v03/000.png\n", list);
    fclose(list);
    status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "training list has changed");
}
END_TEST

START_TEST(a_folder_serves_one_process)
{
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    error_clear(&error);
    const int other = open(support_in_folder("run"), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(other, LOCK_EX), 0);
    const Status status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "another process");
    error_clear(&error);
    close(other);
    ck_ok(support_run_with("run", "", true, &result, &error), &error);
}
END_TEST

/* steps.csv cut by another program while the run goes on: it used to be read past its end. */
START_TEST(a_table_cut_during_the_run)
{
    TrainRecipe recipe;
    TrainRunFiles files;
    TrainStepRow row = {0};
    Error error = {0};
    double *values = NULL;
    int count = 0;
    const char *const name = support_in_folder("cut/steps.csv");
    ck_ok(train_recipe_named(&recipe, "cpu", &error), &error);
    ck_ok(train_run_files_create(&files, support_in_folder("cut"), &recipe, &error), &error);
    ck_ok(train_run_files_step(&files, &row, &error), &error);
    FILE *const rows = fopen(name, "a");
    ck_assert_int_gt(fputs("1,0\n2\n", rows), 0);
    fclose(rows);
    ck_ok(train_run_files_column(&files, TRAIN_RUN_STEPS, "images_per_second", &values, &count,
                                 &error),
          &error);
    ck_assert_int_eq(count, 3);
    ck_assert(values[0] == 0 && isnan(values[1]) && isnan(values[2]));
    free(values);
    ck_assert_int_eq(truncate(name, 0), 0);
    for (row.step = 1; row.step < 20; row.step++)
        ck_ok(train_run_files_step(&files, &row, &error), &error);
    const Status status =
        train_run_files_column(&files, TRAIN_RUN_STEPS, "loss", &values, &count, &error);
    support_fails_with(status, &error, STATUS_FAILED, "steps.csv: the header line is missing");
    train_run_files_close(&files);
}
END_TEST

START_TEST(damaged_files_of_a_run_are_told)
{
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    error_clear(&error);
    ck_assert_int_eq(truncate(support_in_folder("run/steps.csv"), 150), 0);
    Status status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "steps.csv");
    error_clear(&error);
    FILE *const rows = fopen(support_in_folder("run/steps.csv"), "r+"); /* a row of two columns */
    ck_assert_int_eq(fseek(rows, 86, SEEK_SET), 0);
    ck_assert_int_eq(fputs("0,0\n1,0\n2,0\n", rows) < 0, 0);
    fclose(rows);
    status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "steps.csv: row 0");
    error_clear(&error);
    ck_assert_int_eq(truncate(support_in_folder("run/state.safetensors"), 100), 0);
    status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "state.safetensors");
}
END_TEST

/* Rewrites the state of folder/run with one number of one f64 or i64 tensor replaced. */
static void forge_state(const char *name, size_t index, double value)
{
    Error error = {0};
    SafeTensors *file = NULL;
    SafeTensor tensors[8];
    SafeTensorsMetadata metadata[16];
    const char *const path = support_in_folder("run/state.safetensors");
    ck_ok(safetensors_open(&file, path, &error), &error);
    const int count = safetensors_count(file), keys = safetensors_metadata_count(file);
    char *forged = NULL;
    for (int i = 0; i < count; i++) {
        tensors[i] = *safetensors_at(file, i);
        if (strcmp(tensors[i].name, name) != 0)
            continue;
        const int64_t integer = (int64_t)value;
        forged = malloc(tensors[i].bytes);
        memcpy(forged, tensors[i].data, tensors[i].bytes);
        memcpy(forged + 8 * index, tensors[i].dtype == DTYPE_F64 ? (const void *)&value : &integer,
               8);
        tensors[i].data = forged;
    }
    for (int i = 0; i < keys; i++) {
        metadata[i].key = safetensors_metadata_key(file, i);
        metadata[i].value = safetensors_metadata(file, metadata[i].key);
    }
    ck_assert_ptr_nonnull(forged);
    ck_ok(safetensors_write(path, tensors, count, metadata, keys, &error), &error);
    safetensors_close(file);
    free(forged);
}

/* The files of older versions count epochs from 0. */
START_TEST(a_state_of_an_older_version_is_refused)
{
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    size_t size = 0;
    char *const state = support_run_content("run", "state.safetensors", &size);
    static const char format[] = "lnclip state 2";
    char *const at = memmem(state, size, format, strlen(format));
    ck_assert_ptr_nonnull(at);
    at[strlen(format) - 1] = '1';
    ck_ok(file_write(support_in_folder("run/state.safetensors"), state, size, &error), &error);
    free(state);
    error_clear(&error);
    const Status status = support_run_with("run", "", true, &result, &error);
    support_fails_with(status, &error, STATUS_FAILED, "count epochs from 0");
}
END_TEST

START_TEST(a_state_that_makes_no_sense_is_refused)
{
    const struct {
        const char *tensor;
        size_t index;
        double value;
    } forgeries[] = {
        {"progress", 0, 2},         /* step: not that of the optimizer */
        {"progress", 0, -1},        /* no count */
        {"progress", 1, 0.5},       /* epoch: no count */
        {"progress", 1, 1e9},       /* far beyond the run */
        {"progress", 1, 1},         /* step 3 is not in it */
        {"progress", 5, 2},         /* neither true nor false */
        {"optimizer_steps", 0, -7}, /* no count */
    };
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    size_t size = 0;
    char *const good = support_run_content("run", "state.safetensors", &size);
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        forge_state(forgeries[i].tensor, forgeries[i].index, forgeries[i].value);
        error_clear(&error);
        const Status status = support_run_with("run", "", true, &result, &error);
        support_fails_with(status, &error, STATUS_FAILED, "state.safetensors");
        ck_ok(file_write(support_in_folder("run/state.safetensors"), good, size, &error), &error);
    }
    free(good);
    ck_ok(support_run_with("run", "", true, &result, &error), &error);
}
END_TEST

/* Pairs, repeats and blends: stopped within an epoch, with other workers, and
 * over ready features. */
START_TEST(every_order_goes_on_to_the_same_bits)
{
    static const char *const SETTINGS[] = {"pairs=on", "data.sbi=on", "sampling=class",
                                           "pairs=on tune=none augment=off"};
    FILE *const list =
        fopen(support_in_folder("train.txt"), "w"); /* 8 real, 12 fake, 4 of these alone */
    for (int i = 0; i < 12; i++)
        fprintf(list, "data/fake/v%02d/%03d.png\n", i / 4, i % 4);
    for (int i = 0; i < 8; i++)
        fprintf(list, "data/real/v%02d/%03d.png\n", i / 4, i % 4);
    fclose(list);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
        char whole[16], parts[16], other[256];
        snprintf(whole, sizeof whole, "whole%zu", i);
        snprintf(parts, sizeof parts, "parts%zu", i);
        snprintf(other, sizeof other, "%s workers=3 micro_batch=4", SETTINGS[i]);
        /* Places of an epoch, in batches of 6: 16 + 4, 16, 24, 16 + 4. */
        const int steps[] = {8, 6, 8, 8};
        ck_assert_int_eq((int)support_run_to_end(whole, SETTINGS[i]).steps_done, steps[i]);
        SupportWatcher watcher = {.stop_after = 2};
        Error error = {0};
        ck_assert_int_eq(support_run_watched(parts, SETTINGS[i], false, &watcher, &error),
                         STATUS_INTERRUPTED);
        ck_assert_msg((i == 0 || i == 3) ==
                          (strstr(watcher.notices, "4 of 12 fake frames") != NULL),
                      "%s", watcher.notices);
        watcher = (SupportWatcher){0};
        ck_ok(support_run_watched(parts, other, true, &watcher, &error), &error);
        support_run_same(whole, parts);
    }
}
END_TEST

START_TEST(a_full_disk_keeps_the_old_checkpoint)
{
    SupportWatcher watcher = {.stop_after = 3};
    Error error = {0};
    ck_assert_int_eq(support_run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    size_t before = 0, after = 0;
    char *const state = support_run_content("run", "state.safetensors", &before);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child ==
        0) { /* no file may grow as large as a checkpoint; Check's own messages need some room */
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){before - 1, before - 1});
        SupportWatcher none = {0};
        Error full = {0};
        _exit(support_run_watched("run", "", true, &none, &full) == STATUS_FAILED ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *const still = support_run_content("run", "state.safetensors", &after);
    ck_assert(before == after && memcmp(state, still, before) == 0);
    free(state);
    free(still);
    support_run_to_end("whole", "");
    ck_ok(support_run_with("run", "", true, &(TrainResult){0}, &error), &error);
    support_run_same("whole", "run");
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        a_stopped_run_goes_on_to_the_same_bits,
        sam_and_ema_go_on_to_the_same_bits,
        a_stop_uphill_leaves_the_weights_below,
        a_killed_run_goes_on_to_the_same_bits,
        resume_removes_what_a_killed_process_was_writing,
        resume_starts_at_0_when_nothing_was_saved,
        resume_refuses_what_would_change_the_result,
        a_folder_serves_one_process,
        a_table_cut_during_the_run,
        damaged_files_of_a_run_are_told,
        a_state_of_an_older_version_is_refused,
        a_run_can_be_extended,
        some_runs_cannot_be_extended,
        a_state_that_makes_no_sense_is_refused,
        every_order_goes_on_to_the_same_bits,
        a_full_disk_keeps_the_old_checkpoint,
    };
    Suite *const suite = suite_create("train_resume");
    TCase *const runs = support_case(suite, "runs", 120);
    tcase_add_checked_fixture(runs, support_run_setup, support_folder_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(runs, tests[i]);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
