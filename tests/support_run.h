/*
 * support_run.h - training runs on a small list of frames, and comparison of two runs bit by bit.
 */
#ifndef LNCLIP_TESTS_SUPPORT_RUN_H
#define LNCLIP_TESTS_SUPPORT_RUN_H

#include "tests/support_train.h"

#include <signal.h>

/*
 * Creates a folder with the frames of support_write_frames (4 videos per source, 4 frames, 40
 * pixels): the fixture of a case, with support_folder_teardown. Runs are named by their folder in
 * it.
 */
void support_run_setup(void);
const char *support_run_folder(void);

/* The content of run/name; the caller frees it. Asserts that the file exists. */
char *support_run_content(const char *run, const char *name, size_t *size);
bool support_run_has(const char *run, const char *name);
int support_run_lines(const char *run, const char *name);

/*
 * Assert that a file of two runs, their tables, or all their files are equal, except for time
 * columns.
 */
void support_run_same_file(const char *a, const char *b, const char *name);
void support_run_same_rows(const char *a, const char *b);
void support_run_same(const char *a, const char *b);

/* Trains the small encoder with `settings`, see support_job_open. */
Status support_run_with(const char *run, const char *settings, bool resume, TrainResult *result,
                        Error *error);

/* Like support_run_with without resuming, but asserts success. */
TrainResult support_run_to_end(const char *run, const char *settings);

/* A handler of run events, which stops or pauses the run. */
typedef struct SupportWatcher {
    SupportJob *job;
    int64_t stop_after; /* steps of this call; 0 = never */
    int64_t seen;
    int pause_us;
    volatile sig_atomic_t stop;
    char notices[1024];
} SupportWatcher;

/* Like support_run_with, with a watcher, which also collects notices and warnings. */
Status support_run_watched(const char *run, const char *settings, bool resume,
                           SupportWatcher *watcher, Error *error);

/* Asserts that `status` is as expected and that the message contains `word`. */
void support_fails_with(Status status, const Error *error, Status expected, const char *word);

#endif
