/*
 * test_train.c - whole runs: files, bits that do not depend on threads, workers and micro-batches, resume after
 * SIGKILL, and what a run refuses.
 */
#include "tests/support_train.h"

#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "train/checkpoint.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[4096];

static void setup(void)
{
    support_make_folder(folder);
    support_write_frames(folder, 4, 4, 40);
}

static void teardown(void)
{
    support_remove_folder(folder);
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

/* The CSV files agree in every column but the given one (counted from the end). */
static void same_rows(const char *a, const char *b, const char *name, int timed_from_end)
{
    size_t size_a = 0, size_b = 0;
    char *const content_a = content_of(a, name, &size_a);
    char *const content_b = content_of(b, name, &size_b);
    char *keep_a = NULL, *keep_b = NULL;
    char *line_a = strtok_r(content_a, "\n", &keep_a), *line_b = strtok_r(content_b, "\n", &keep_b);
    for (bool header = true; line_a && line_b; header = false) {
        char text[2][512];
        const char *const lines[2] = {line_a, line_b};
        for (int i = 0; i < 2; i++) {
            snprintf(text[i], sizeof text[i], "%s", lines[i]);
            char *field = text[i] + strlen(text[i]);
            for (int commas = 0; !header && commas < timed_from_end; commas += *field == ',')
                field--;
            for (field += !header; !header && *field != '\0' && *field != ','; field++)
                *field = 't';
            /* All digits of the timed column are gone but their number may differ: drop them. */
            char *out = text[i];
            for (const char *in = text[i]; *in != '\0'; in++)
                if (header || *in != 't')
                    *out++ = *in;
            *out = '\0';
        }
        ck_assert_str_eq(text[0], text[1]);
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
    same_rows(a, b, "steps.csv", 1);
    same_rows(a, b, "epochs.csv", 2);
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

static Suite *suite(void)
{
    Suite *const suite = suite_create("train");
    TCase *const runs = support_case(suite, "runs", 120);
    tcase_add_checked_fixture(runs, setup, teardown);
    tcase_add_test(runs, a_run_leaves_its_files);
    tcase_add_test(runs, bits_do_not_depend_on_threads_workers_and_micro_batches);
    return suite;
}

int main(void)
{
    return support_main(suite());
}
