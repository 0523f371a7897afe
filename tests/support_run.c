/*
 * support_run.c - see support_run.h.
 */
#include "tests/support_run.h"

#include "tests/support_folder.h"

#include "tensor/base/file.h"

#include <string.h>
#include <unistd.h>

static const char *folder;

void support_run_setup(void)
{
    static char path[4096];
    support_folder_setup();
    snprintf(path, sizeof path, "%s", support_in_folder(""));
    folder = path;
    support_write_frames(folder, 4, 4, 40);
}

const char *support_run_folder(void)
{
    return folder;
}

char *support_run_content(const char *run, const char *name, size_t *size)
{
    Error error = {0};
    char path[8192], *content = NULL;
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    ck_ok(file_read(path, (size_t)1 << 24, &content, size, &error), &error);
    return content;
}

bool support_run_has(const char *run, const char *name)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    return file_exists(path);
}

void support_run_same_file(const char *a, const char *b, const char *name)
{
    size_t size_a = 0, size_b = 0;
    char *const content_a = support_run_content(a, name, &size_a);
    char *const content_b = support_run_content(b, name, &size_b);
    ck_assert_msg(size_a == size_b && memcmp(content_a, content_b, size_a) == 0,
                  "%s of %s and %s differ", name, a, b);
    free(content_a);
    free(content_b);
}

/* Clears a field of a CSV line, counted from the end; 0 is the last. */
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

/* Asserts that CSV files agree in all columns except that of wall-clock time. */
static void same_rows(const char *a, const char *b, const char *name, const char *timed)
{
    size_t size_a = 0, size_b = 0;
    char *const content_a = support_run_content(a, name, &size_a);
    char *const content_b = support_run_content(b, name, &size_b);
    char *keep_a = NULL, *keep_b = NULL;
    char *line_a = strtok_r(content_a, "\n", &keep_a), *line_b = strtok_r(content_b, "\n", &keep_b);
    ck_assert_str_eq(line_a, line_b); /* the header */
    int from_end = 0;
    for (const char *at = strstr(line_a, timed); *at; at++)
        from_end += *at == ',';
    while (line_a && line_b) {
        blank_field(line_a, from_end);
        blank_field(line_b, from_end);
        ck_assert_str_eq(line_a, line_b);
        line_a = strtok_r(NULL, "\n", &keep_a);
        line_b = strtok_r(NULL, "\n", &keep_b);
    }
    ck_assert_msg(!line_a && !line_b, "%s of %s and %s differ in their number of rows", name, a, b);
    free(content_a);
    free(content_b);
}

void support_run_same_rows(const char *a, const char *b)
{
    same_rows(a, b, "steps.csv", "images_per_second");
    same_rows(a, b, "epochs.csv", "seconds");
}

/* Compares curves.svg after its heading, which is the name of the run. */
static void same_curves(const char *a, const char *b)
{
    const char *const runs[2] = {a, b};
    char *content[2], *after[2];
    for (int i = 0; i < 2; i++) {
        size_t size;
        content[i] = support_run_content(runs[i], "curves.svg", &size);
        after[i] = strstr(content[i], "class=\"name\"");
        ck_assert_ptr_nonnull(after[i]);
        after[i] = strchr(after[i], '\n');
    }
    ck_assert_msg(strcmp(after[0], after[1]) == 0, "curves.svg of %s and %s differ", a, b);
    free(content[0]);
    free(content[1]);
}

void support_run_same(const char *a, const char *b)
{
    support_run_same_file(a, b, "best.safetensors");
    support_run_same_file(a, b, "last.safetensors");
    support_run_same_file(a, b, "state.safetensors");
    support_run_same_rows(a, b);
    same_curves(a, b);
}

Status support_run_with(const char *run, const char *settings, bool resume, TrainResult *result,
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

TrainResult support_run_to_end(const char *run, const char *settings)
{
    TrainResult result;
    Error error = {0};
    ck_ok(support_run_with(run, settings, false, &result, &error), &error);
    return result;
}

int support_run_lines(const char *run, const char *name)
{
    size_t size = 0;
    int lines = 0;
    char *const content = support_run_content(run, name, &size);
    for (size_t i = 0; i < size; i++)
        lines += content[i] == '\n';
    free(content);
    return lines;
}

static void watch(void *context, const TrainEvent *event)
{
    SupportWatcher *watcher = context;
    if (watcher->pause_us > 0 && event->progress)
        usleep((useconds_t)watcher->pause_us);
    if (event->kind == TRAIN_STEP_DONE && ++watcher->seen == watcher->stop_after)
        watcher->stop = 1;
    const size_t used = strlen(watcher->notices);
    if (event->kind == TRAIN_NOTICE || event->kind == TRAIN_WARNING)
        snprintf(watcher->notices + used, sizeof watcher->notices - used, "%s\n", event->text);
}

Status support_run_watched(const char *run, const char *settings, bool resume,
                           SupportWatcher *watcher, Error *error)
{
    const VitConfig config = support_tiny_config();
    SupportJob job;
    TrainResult result;
    support_job_open(&job, folder, run, &config, settings);
    job.job.resume = resume;
    job.job.stop = &watcher->stop;
    job.job.event = watch;
    job.job.context = watcher;
    const Status status = train_run(&job.job, &result, error);
    support_job_close(&job);
    return status;
}

/* Asserts the status, and that the message contains `word`. */
void support_fails_with(Status status, const Error *error, Status expected, const char *word)
{
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(error->message, word), "\"%s\" does not say \"%s\"", error->message, word);
}
