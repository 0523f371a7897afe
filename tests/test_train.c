/*
 * test_train.c - whole runs: files, bits that do not depend on threads, workers and micro-batches,
 * resume after SIGKILL, and what a run refuses.
 */
#include "tests/support_folder.h"
#include "tests/support_train.h"

#include "tensor/file.h"
#include "tensor/random.h"
#include "tensor/safetensors.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *folder;

static void setup(void)
{
    static char path[4096];
    support_folder_setup();
    snprintf(path, sizeof path, "%s", support_in_folder(""));
    folder = path;
    support_write_frames(folder, 4, 4, 40);
}

/* Content of folder/run/name, to be freed; asserts that it is there. */
static char *content_of(const char *run, const char *name, size_t *size)
{
    Error error = {0};
    char path[8192], *content = NULL;
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    ck_ok(file_read(path, (size_t)1 << 24, &content, size, &error), &error);
    return content;
}

static bool has(const char *run, const char *name)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    return file_exists(path);
}

static void same_file(const char *a, const char *b, const char *name)
{
    size_t size_a = 0, size_b = 0;
    char *const content_a = content_of(a, name, &size_a);
    char *const content_b = content_of(b, name, &size_b);
    ck_assert_msg(size_a == size_b && memcmp(content_a, content_b, size_a) == 0,
                  "%s of %s and %s differ", name, a, b);
    free(content_a);
    free(content_b);
}

/* Empties one field of a CSV line, counted from the end: 0 is the last one. */
static void blank_field(char *line, int from_end)
{
    char *end = line + strlen(line);
    for (; from_end > 0; from_end--)
        for (end--; *end != ',';)
            end--;
    char *begin = end;
    while (begin[-1] != ',')
        begin--;
    memmove(begin, end, strlen(end) + 1);
}

/* The CSV files agree in every column but the one of wall-clock time. */
static void same_rows(const char *a, const char *b, const char *name, int timed_from_end)
{
    size_t size_a = 0, size_b = 0;
    char *const content_a = content_of(a, name, &size_a);
    char *const content_b = content_of(b, name, &size_b);
    char *keep_a = NULL, *keep_b = NULL;
    char *line_a = strtok_r(content_a, "\n", &keep_a), *line_b = strtok_r(content_b, "\n", &keep_b);
    ck_assert_str_eq(line_a, line_b); /* the header */
    while (line_a && line_b) {
        blank_field(line_a, timed_from_end);
        blank_field(line_b, timed_from_end);
        ck_assert_str_eq(line_a, line_b);
        line_a = strtok_r(NULL, "\n", &keep_a);
        line_b = strtok_r(NULL, "\n", &keep_b);
    }
    ck_assert_msg(!line_a && !line_b, "%s of %s and %s differ in their number of rows", name, a, b);
    free(content_a);
    free(content_b);
}

static void same_run(const char *a, const char *b)
{
    same_file(a, b, "best.safetensors");
    same_file(a, b, "last.safetensors");
    same_file(a, b, "state.safetensors");
    same_rows(a, b, "steps.csv", 0);
    same_rows(a, b, "epochs.csv", 1);
    same_file(a, b, "curves.svg");
}

static Status run_with(const char *run, const char *settings, bool resume, TrainResult *result,
                       Error *error)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    support_job_open(&job, folder, run, &config, settings);
    job.job.resume = resume;
    const Status status = train_run(&job.job, result, error);
    support_job_close(&job);
    return status;
}

static TrainResult run_to_end(const char *run, const char *settings)
{
    TrainResult result;
    Error error = {0};
    ck_ok(run_with(run, settings, false, &result, &error), &error);
    return result;
}

static int lines_in(const char *run, const char *name)
{
    size_t size = 0;
    int lines = 0;
    char *const content = content_of(run, name, &size);
    for (size_t i = 0; i < size; i++)
        lines += content[i] == '\n';
    free(content);
    return lines;
}

START_TEST(a_run_leaves_its_files)
{
    const TrainResult result = run_to_end("run", "");
    ck_assert_int_eq((int)result.steps, 8); /* 24 frames in batches of 6, twice */
    ck_assert_int_eq((int)result.steps_done, 8);
    ck_assert(!result.stopped_early && result.last.epoch == 1);
    ck_assert_int_eq(lines_in("run", "steps.csv"), 9);
    ck_assert_int_eq(lines_in("run", "epochs.csv"), 3);
    ck_assert(has("run", "recipe.txt") && has("run", "best.safetensors"));
    size_t size = 0;
    char *const steps = content_of("run", "steps.csv", &size);
    ck_assert_int_eq(strncmp(steps,
                             "step,epoch,lr,loss,loss_ce,loss_alignment,loss_uniformity,grad_norm,"
                             "images_per_second\n0,0,8e-05,",
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
        run_to_end(run, settings[i]);
        if (i > 0)
            same_run("run0", run);
    }
}
END_TEST

/* ---- stopping and going on ------------------------------------------------------------------- */

/* Told after every step: stops the run, kills the process, or takes its time. */
typedef struct Watcher {
    SupportJob *job;
    int64_t stop_after; /* steps of this session; 0 = never */
    int64_t seen;
    int pause_us;
    volatile sig_atomic_t stop;
    char notices[1024];
} Watcher;

static void watch(void *context, const TrainProgress *progress)
{
    Watcher *const watcher = context;
    if (watcher->pause_us > 0)
        usleep((useconds_t)watcher->pause_us);
    if (strcmp(progress->phase, "train") == 0 && ++watcher->seen == watcher->stop_after)
        watcher->stop = 1;
}

static void collect_notice(void *context, const char *text)
{
    Watcher *const watcher = context;
    const size_t used = strlen(watcher->notices);
    snprintf(watcher->notices + used, sizeof watcher->notices - used, "%s\n", text);
}

static Status run_watched(const char *run, const char *settings, bool resume, Watcher *watcher,
                          Error *error)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    support_job_open(&job, folder, run, &config, settings);
    job.job.resume = resume;
    job.job.stop = &watcher->stop;
    job.job.progress = watch;
    job.job.notice = job.job.warning = collect_notice;
    job.job.context = watcher;
    const Status status = train_run(&job.job, &result, error);
    support_job_close(&job);
    return status;
}

START_TEST(a_stopped_run_goes_on_to_the_same_bits)
{
    run_to_end("whole", "");
    /*
     * After step 3 (within an epoch), 4 (its last: validation is not begun), 5 and 8 (the last of
     * all).
     */
    const int64_t stops[] = {3, 1, 1, 3};
    for (size_t i = 0; i < 4; i++) {
        Watcher watcher = {.stop_after = stops[i]};
        Error error = {0};
        ck_assert_int_eq(run_watched("parts", "", i > 0, &watcher, &error), STATUS_INTERRUPTED);
        ck_assert(has("parts", "state.safetensors") && has("parts", "last.safetensors"));
    }
    Watcher watcher = {0};
    Error error = {0};
    ck_ok(
        run_watched("parts", "threads=2 workers=3 micro_batch=2 memory=3", true, &watcher, &error),
        &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "goes on at step 8 of 8"));
    same_run("whole", "parts");
    /* A finished run has nothing left to do, and stays as it is. */
    ck_ok(run_with("parts", "", true, &(TrainResult){0}, &error), &error);
    same_run("whole", "parts");
}
END_TEST

/* The metadata `key` of an adapter of folder/run, to be freed. */
static char *metadata_of(const char *name, const char *key)
{
    Error error = {0};
    SafeTensors *file = NULL;
    char path[8192];
    snprintf(path, sizeof path, "%s/run/%s", folder, name);
    ck_ok(safetensors_open(&file, path, &error), &error);
    ck_assert_ptr_nonnull(safetensors_metadata(file, key));
    char *const copy = strdup(safetensors_metadata(file, key));
    safetensors_close(file);
    return copy;
}

static void says(const char *name, const char *key, const char *expected)
{
    char *const text = metadata_of(name, key);
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
    support_job_open(&job, folder, "run", &config, "epochs=2 keep=1");
    job.job.train_names = (TrainListNames){train, 2};
    job.job.val_names = (TrainListNames){val, 1};
    data_list_hash(&job.val, hash);
    ck_ok(train_run(&job.job, &result, &error), &error);
    char expected[256];
    snprintf(expected, sizeof expected,
             "val_map_video %.4f (epoch %d of 2) on val.txt (8 frames of 2 videos, hash %s)",
             result.best.video.map, result.best.epoch + 1, hash);
    says("best.safetensors", "selected_on", expected);
    snprintf(hash, sizeof hash, "epoch-%03d.safetensors", result.best.epoch);
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
        support_job_open(&job, folder, run, &config, settings[i]);
        for (int p = 0; p < job.vit->parameter_count; p++) {
            VitParameter *const parameter = &job.vit->parameters[p];
            parameter->changed = i == 2 ? parameter->lora : parameter->kind == VIT_LAYER_NORM;
        }
        const Status status = train_run(&job.job, &result, &error);
        if (i == 0)
            ck_ok(status, &error);
        else
            ck_assert_msg(
                status == STATUS_FAILED &&
                    strstr(error.message, i == 1 ? "tune=none" : "self_attn.q_proj.weight"),
                "%s", error.message);
        ck_assert(has(run, "recipe.txt") == (i == 0));
        support_job_close(&job);
    }
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
        run_to_end(whole, settings[i]);
        const int64_t stops[] = {2, 2, 1};
        for (size_t j = 0; j < 3; j++) {
            Watcher watcher = {.stop_after = stops[j]};
            Error error = {0};
            ck_assert_int_eq(run_watched(parts, settings[i], j > 0, &watcher, &error),
                             STATUS_INTERRUPTED);
        }
        Watcher watcher = {0};
        Error error = {0};
        ck_ok(run_watched(parts, other, true, &watcher, &error), &error);
        same_run(whole, parts);
    }
}
END_TEST

/* Stops during a step: with SAM in its second gradient. */
static void stop_within(void *context, int64_t step, int done, int total)
{
    Watcher *const watcher = context;
    if (step == 1 && done * 4 > total * 3)
        watcher->stop = 1;
}

START_TEST(a_stop_uphill_leaves_the_weights_below)
{
    const VitConfig config = support_tiny_config();
    const char *const settings = "sam.rho=0.5 micro_batch=1";
    Watcher watcher = {0};
    Error error = {0};
    SupportJob job;
    TrainResult result;
    run_to_end("whole", settings);
    support_job_open(&job, folder, "parts", &config, settings);
    job.job.stop = &watcher.stop;
    job.job.within_step = stop_within;
    job.job.context = &watcher;
    ck_assert_int_eq(train_run(&job.job, &result, &error), STATUS_INTERRUPTED);
    ck_assert_int_eq((int)result.steps_done, 1);
    support_job_close(&job);
    error_clear(&error);
    ck_ok(run_with("parts", settings, true, &result, &error), &error);
    same_run("whole", "parts");
}
END_TEST

START_TEST(a_killed_run_goes_on_to_the_same_bits)
{
    const char *const settings = "epochs=3 save_every=2 keep=2 loss.alignment=0.1 grad_clip=0.5";
    run_to_end("whole", settings);
    Random random = random_stream((uint64_t)time(NULL), RANDOM_TEST, 0, 0);
    uint32_t span = 60000; /* microseconds within which it is killed */
    int kills = 0;
    for (int attempt = 0;; attempt++) {
        ck_assert_int_lt(attempt, 60);
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            Watcher watcher = {.pause_us = 3000};
            Error error = {0};
            _exit(run_watched("killed", settings, attempt > 0, &watcher, &error) == STATUS_OK ? 0
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
    same_run("whole", "killed");
    for (int epoch = 0; epoch < 3; epoch++) {
        char name[32];
        snprintf(name, sizeof name, "epoch-%03d.safetensors", epoch);
        ck_assert_int_eq(has("whole", name), has("killed", name));
    }
}
END_TEST

START_TEST(resume_starts_at_0_when_nothing_was_saved)
{
    run_to_end("whole", "");
    Watcher watcher = {0};
    Error error = {0};
    ck_ok(run_watched("new", "", true, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "starts at step 0"));
    same_run("whole", "new");
}
END_TEST

/* What went wrong names what it is about. */
static void fails_with(Status status, const Error *error, Status expected, const char *word)
{
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(error->message, word), "\"%s\" does not say \"%s\"", error->message, word);
}

START_TEST(resume_refuses_what_would_change_the_result)
{
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    Status status = run_with("run", "", false, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "--resume");
    error_clear(&error);
    status = run_with("run", "lr=1e-4", true, &result, &error);
    fails_with(status, &error, STATUS_USAGE, "lr");
    error_clear(&error);
    ck_assert_int_eq(unlink(support_in_folder("run/recipe.txt")), 0); /* the state knows it too */
    status = run_with("run", "lr=1e-4", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "recipe has changed");
    error_clear(&error);

    FILE *const list = fopen(support_in_folder("train.txt"), "a");
    fputs("data/real/v03/000.png\n", list);
    fclose(list);
    status = run_with("run", "", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "training list has changed");
}
END_TEST

START_TEST(a_folder_serves_one_process)
{
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    error_clear(&error);
    const int other = open(support_in_folder("run"), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(other, LOCK_EX), 0);
    const Status status = run_with("run", "", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "another process");
    error_clear(&error);
    close(other);
    ck_ok(run_with("run", "", true, &result, &error), &error);
}
END_TEST

START_TEST(damaged_files_of_a_run_are_told)
{
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    error_clear(&error);
    ck_assert_int_eq(truncate(support_in_folder("run/steps.csv"), 150), 0);
    Status status = run_with("run", "", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "steps.csv");
    error_clear(&error);
    FILE *const rows = fopen(support_in_folder("run/steps.csv"), "r+"); /* a row of two columns */
    ck_assert_int_eq(fseek(rows, 86, SEEK_SET), 0);
    ck_assert_int_eq(fputs("0,0\n1,0\n2,0\n", rows) < 0, 0);
    fclose(rows);
    status = run_with("run", "", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "steps.csv: row 0");
    error_clear(&error);
    ck_assert_int_eq(truncate(support_in_folder("run/state.safetensors"), 100), 0);
    status = run_with("run", "", true, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "state.safetensors");
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
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    TrainResult result;
    ck_assert_int_eq(run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    size_t size = 0;
    char *const good = content_of("run", "state.safetensors", &size);
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        forge_state(forgeries[i].tensor, forgeries[i].index, forgeries[i].value);
        error_clear(&error);
        const Status status = run_with("run", "", true, &result, &error);
        fails_with(status, &error, STATUS_FAILED, "state.safetensors");
        ck_ok(file_write(support_in_folder("run/state.safetensors"), good, size, &error), &error);
    }
    free(good);
    ck_ok(run_with("run", "", true, &result, &error), &error);
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
    ck_assert(!train_monitor_better("val_loss", NAN, NAN));
}
END_TEST

/* ---- what a run refuses, and how it fails ---------------------------------------------------- */

START_TEST(a_loss_that_is_no_number_names_the_step_and_the_files)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, folder, "run", &config, "");
    job.tuned->values[job.tuned->count - 1] = NAN; /* the head's bias */
    const Status status = train_run(&job.job, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "step 0");
    ck_assert_int_eq(error.problems, 6);
    ck_assert_ptr_nonnull(strstr(error.detail[0], ".png"));
    ck_assert(has("run", "state.safetensors"));
    ck_assert_int_eq(lines_in("run", "steps.csv"), 1);
    support_job_close(&job);
}
END_TEST

START_TEST(a_list_of_one_class_is_refused)
{
    FILE *const list = fopen(support_in_folder("train.txt"), "w");
    fputs("data/real/v00/000.png\ndata/real/v00/001.png\n", list);
    fclose(list);
    Error error = {0};
    TrainResult result;
    const Status status = run_with("run", "", false, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "training list: all 2 frames are real");
    ck_assert(!has("run", "recipe.txt"));
}
END_TEST

/* Real frames alone, 12 of the 24, each with its self-blended fake; the others would not be looked at. */
START_TEST(self_blended_fakes_need_no_list_of_fakes)
{
    Watcher watcher = {0};
    Error error = {0};
    ck_ok(run_watched("both", "data.sbi=on", false, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "the 12 fake frames of the lists are not used"));
    FILE *const list = fopen(support_in_folder("train.txt"), "w");
    for (int i = 0; i < 12; i++)
        fprintf(list, "data/real/v%02d/%03d.png\n", i / 4, i % 4);
    fclose(list);
    ck_assert_int_eq((int)run_to_end("real", "data.sbi=on").steps_done, 8);
    ck_assert_int_eq((int)run_to_end("probe", "data.sbi=on tune=none augment=off").steps_done, 8);
    ck_assert(!has("probe", "features.safetensors"));
}
END_TEST

/* Pairs, repeats and blends: stopped within an epoch, with other workers, and over ready features. */
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
        ck_assert_int_eq((int)run_to_end(whole, SETTINGS[i]).steps_done, steps[i]);
        Watcher watcher = {.stop_after = 2};
        Error error = {0};
        ck_assert_int_eq(run_watched(parts, SETTINGS[i], false, &watcher, &error),
                         STATUS_INTERRUPTED);
        ck_assert_msg((i == 0 || i == 3) ==
                          (strstr(watcher.notices, "4 of 12 fake frames") != NULL),
                      "%s", watcher.notices);
        watcher = (Watcher){0};
        ck_ok(run_watched(parts, other, true, &watcher, &error), &error);
        same_run(whole, parts);
    }
}
END_TEST

START_TEST(shared_frames_are_told)
{
    FILE *const list = fopen(support_in_folder("val.txt"), "a");
    fputs("data/real/v00/000.png\n", list);
    fclose(list);
    Watcher watcher = {0};
    Error error = {0};
    ck_ok(run_watched("run", "max_steps=1", false, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "1 of 9 validation frames"));
}
END_TEST

START_TEST(a_budget_that_holds_nothing_is_refused)
{
    Error error = {0};
    TrainResult result;
    const Status status = run_with("run", "memory=0.001", false, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "set memory=");
    ck_assert(!has("run", "recipe.txt"));
}
END_TEST

START_TEST(a_full_disk_keeps_the_old_checkpoint)
{
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    ck_assert_int_eq(run_watched("run", "", false, &watcher, &error), STATUS_INTERRUPTED);
    size_t before = 0, after = 0;
    char *const state = content_of("run", "state.safetensors", &before);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) { /* files may not grow beyond what is below a checkpoint's size */
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
        Watcher none = {0};
        Error full = {0};
        _exit(run_watched("run", "", true, &none, &full) == STATUS_FAILED ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *const still = content_of("run", "state.safetensors", &after);
    ck_assert(before == after && memcmp(state, still, before) == 0);
    free(state);
    free(still);
    run_to_end("whole", "");
    ck_ok(run_with("run", "", true, &(TrainResult){0}, &error), &error);
    same_run("whole", "run");
}
END_TEST

/* ---- variants of a run ----------------------------------------------------------------------- */

START_TEST(a_dry_run_forecasts_and_writes_nothing)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, folder, "run", &config, "");
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
    run_to_end("whole", settings);
    ck_assert(has("whole", "features.safetensors"));
    Watcher watcher = {.stop_after = 3};
    Error error = {0};
    ck_assert_int_eq(run_watched("parts", settings, false, &watcher, &error), STATUS_INTERRUPTED);
    watcher = (Watcher){0};
    ck_ok(run_watched("parts", settings, true, &watcher, &error), &error);
    ck_assert_ptr_nonnull(strstr(watcher.notices, "features.safetensors"));
    same_run("whole", "parts");
    same_file("whole", "parts", "features.safetensors");
}
END_TEST

START_TEST(without_validation_the_last_is_the_best)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    Error error = {0};
    support_job_open(&job, folder, "run", &config, "");
    job.job.val = NULL;
    ck_ok(train_run(&job.job, &result, &error), &error);
    ck_assert(isnan(result.last.val_loss) && isnan(result.last.video.auroc));
    size_t last = 0, best = 0;
    char *const last_content = content_of("run", "last.safetensors", &last);
    char *const best_content = content_of("run", "best.safetensors", &best);
    ck_assert(last == best && memcmp(last_content, best_content, last) == 0);
    free(last_content);
    free(best_content);
    support_job_close(&job);
}
END_TEST

START_TEST(max_steps_and_drop_last_count_steps)
{
    ck_assert_int_eq((int)run_to_end("a", "max_steps=6").steps_done, 6);
    ck_assert_int_eq(lines_in("a", "epochs.csv"), 3);
    ck_assert_int_eq((int)run_to_end("b", "batch_size=7").steps_done, 8);
    ck_assert_int_eq((int)run_to_end("c", "batch_size=7 drop_last=on").steps_done, 6);
    Error error = {0};
    TrainResult result;
    const Status status = run_with("d", "batch_size=25 drop_last=on", false, &result, &error);
    fails_with(status, &error, STATUS_FAILED, "drop_last=off");
}
END_TEST

START_TEST(patience_ends_a_run)
{
    /* At rate 0 nothing ever changes: the first epoch is the best, and two more are patience. */
    const TrainResult result =
        run_to_end("run", "epochs=9 lr=0 min_lr=0 early_stopping=2 keep=2 augment=off");
    ck_assert(result.stopped_early);
    ck_assert_int_eq((int)result.steps_done, 12);
    ck_assert_int_eq(result.best.epoch, 0);
    ck_assert(has("run", "epoch-000.safetensors") && has("run", "epoch-001.safetensors"));
    ck_assert(!has("run", "epoch-002.safetensors"));
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {
        a_run_leaves_its_files,
        bits_do_not_depend_on_threads_workers_and_micro_batches,
        a_stopped_run_goes_on_to_the_same_bits,
        an_adapter_says_where_it_comes_from,
        a_start_that_would_be_lost_is_refused,
        sam_and_ema_go_on_to_the_same_bits,
        a_stop_uphill_leaves_the_weights_below,
        a_killed_run_goes_on_to_the_same_bits,
        resume_starts_at_0_when_nothing_was_saved,
        resume_refuses_what_would_change_the_result,
        a_folder_serves_one_process,
        damaged_files_of_a_run_are_told,
        a_state_that_makes_no_sense_is_refused,
        monitors_know_which_way_is_better,
        a_loss_that_is_no_number_names_the_step_and_the_files,
        a_list_of_one_class_is_refused,
        self_blended_fakes_need_no_list_of_fakes,
        every_order_goes_on_to_the_same_bits,
        shared_frames_are_told,
        a_budget_that_holds_nothing_is_refused,
        a_full_disk_keeps_the_old_checkpoint,
        a_dry_run_forecasts_and_writes_nothing,
        a_probe_caches_its_features,
        without_validation_the_last_is_the_best,
        max_steps_and_drop_last_count_steps,
        patience_ends_a_run,
    };
    Suite *const suite = suite_create("train");
    TCase *const runs = support_case(suite, "runs", 120);
    tcase_add_checked_fixture(runs, setup, support_folder_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(runs, tests[i]);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
