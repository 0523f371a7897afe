/*
 * support_run.h - whole runs over a small list of frames, and whether two of them are the same to
 * the bit.
 */
#ifndef LNCLIP_TESTS_SUPPORT_RUN_H
#define LNCLIP_TESTS_SUPPORT_RUN_H

#include "tests/support_train.h"

#include <signal.h>

/*
 * Makes a folder with the frames of support_write_frames (4 videos a source, 4 frames, 40 pixels):
 * the fixture of a case, together with support_folder_teardown. Runs are named by their folder
 * within it.
 */
void support_run_setup(void);
const char *support_run_folder(void);

/* Content of run/name, to be freed; asserts that it is there. */
char *support_run_content(const char *run, const char *name, size_t *size);
bool support_run_has(const char *run, const char *name);
int support_run_lines(const char *run, const char *name);

/* Asserts that a file of two runs, their tables, or all their files have the same bytes, but for
 * columns of time. */
void support_run_same_file(const char *a, const char *b, const char *name);
void support_run_same_rows(const char *a, const char *b);
void support_run_same(const char *a, const char *b);

/* Runs the small encoder with `settings`, see support_job_open. */
Status support_run_with(const char *run, const char *settings, bool resume, TrainResult *result,
                        Error *error);

/* The same; asserts that it ends well. */
TrainResult support_run_to_end(const char *run, const char *settings);

/* Receives the events of a run: stops it, or pauses. */
typedef struct SupportWatcher {
    SupportJob *job;
    int64_t stop_after; /* steps of this session; 0 = never */
    int64_t seen;
    int pause_us;
    volatile sig_atomic_t stop;
    char notices[1024];
} SupportWatcher;

/* support_run_with under a watcher, which also collects notices and warnings. */
Status support_run_watched(const char *run, const char *settings, bool resume,
                           SupportWatcher *watcher, Error *error);

/* Asserts that `status` is as expected and that the message holds `word`. */
void support_fails_with(Status status, const Error *error, Status expected, const char *word);

#endif
