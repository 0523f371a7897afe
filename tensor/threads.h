/*
 * threads.h - a thread pool that runs numbered tasks.
 *
 * The result of a task must depend on its number alone, because an atomic counter decides which
 * thread runs it, and when. So the number of threads never changes a result. Idle workers spin for
 * a bounded time and then sleep: on two cores an endless spin would starve the loader's threads.
 *
 * Tests: tests/test_threads.c.
 */
#ifndef LNCLIP_TENSOR_THREADS_H
#define LNCLIP_TENSOR_THREADS_H

#include "tensor/base/error.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct Threads Threads;

/* One task. `worker` is in [0, threads_count): an index into per-worker scratch memory. */
typedef void (*ThreadsTask)(void *context, int task, int worker);

/*
 * Creates a pool of `count` threads, the caller included; 0 means the processors this process may
 * use (machine_processors). The pool has fewer threads if the system refuses some: see
 * threads_count and threads_refused. STATUS_FAILED, with *threads NULL, if out of memory. The
 * caller owns *threads and frees it with threads_destroy.
 */
Status threads_create(Threads **threads, int count, Error *error);

/* Joins all workers and frees the pool. NULL is allowed. */
void threads_destroy(Threads *threads);

/* Number of threads, the caller included: at least 1. NULL counts as a pool of one. */
int threads_count(const Threads *threads);

/*
 * Runs task(context, 0..tasks-1, worker) and returns when all are done; the caller works too. All
 * writes of the tasks are visible afterwards. Not reentrant: one caller at a time, and no task may
 * call it. With NULL or a pool of one the tasks run in order on the calling thread.
 */
void threads_run(Threads *threads, int tasks, ThreadsTask task, void *context);

/*
 * Starts a thread, which the caller joins. All signals but SIGBUS are blocked in it, so that they
 * reach the program's other threads. False if the system refuses (RLIMIT_NPROC, pids.max, no
 * address space for a stack): the caller must then do the work itself.
 */
bool threads_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* The errno of the last failed threads_start of this process, 0 if none failed. Thread-safe. */
int threads_refused(void);

#endif
