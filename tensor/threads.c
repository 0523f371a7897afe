/*
 * threads.c - see threads.h.
 *
 * One 64-bit word, `claim`, holds the number of the run (upper half) and the next unclaimed task
 * (lower half). A worker reads the description of the run (task, context, tasks), then claims a
 * task by advancing the word with compare-and-swap. The word is CLOSED while the description
 * changes, so the exchange succeeds only if the worker has read the description of this run. The
 * caller never waits for workers that claimed no task, so a thread that the system has descheduled
 * costs nothing.
 *
 * Waiting is a bounded spin, then a condition variable. A worker counts itself among the sleepers
 * before it reads the word a last time; a thread that changes the word reads the number of sleepers
 * afterwards. All accesses are sequentially consistent, so one of the two sees the other's write
 * and no wake-up is lost.
 */
#include "tensor/threads.h"

#include "tensor/base/machine.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reads of the word before sleeping. One takes 40 to 140 cycles with the pause instruction, so a
 * worker spins for 20 to 100 microseconds: longer than the serial work between two operations, but
 * short compared with the decoding of a frame (milliseconds) for which another thread may need this
 * processor.
 */
enum { SPIN_LIMIT = 2000 };

/* The lower half of `claim` while the run's description changes; above any task number. */
static const uint64_t CLOSED = UINT32_MAX;

typedef struct Worker {
    Threads *threads;
    int index;
} Worker;

struct Threads {
    int count; /* the caller included */
    int started;
    pthread_t *handles; /* [count - 1] */
    Worker *workers;    /* [count - 1] */

    _Atomic(ThreadsTask) task; /* task, context and tasks describe the current run */
    _Atomic(void *) context;
    _Atomic(int) tasks;
    _Atomic(uint64_t) claim;
    _Atomic(int) finished; /* finished tasks of the current run */
    _Atomic(bool) running, stop;

    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t begin, end;
    _Atomic(int) sleepers; /* workers on `begin` */
    _Atomic(bool) caller_sleeps;
};

static uint32_t claim_run(uint64_t claim)
{
    return (uint32_t)(claim >> 32);
}

static void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Runs tasks of the current run until none is left. */
static void work(Threads *threads, int worker)
{
    uint64_t claim = atomic_load(&threads->claim);
    for (;;) {
        const ThreadsTask task = atomic_load(&threads->task);
        void *context = atomic_load(&threads->context);
        const int tasks = atomic_load(&threads->tasks);
        const uint32_t next = (uint32_t)claim;
        if (next >= (uint32_t)tasks)
            return;
        if (!atomic_compare_exchange_weak(&threads->claim, &claim, claim + 1))
            continue;
        claim++;
        task(context, (int)next, worker);
        if (atomic_fetch_add(&threads->finished, 1) + 1 == tasks &&
            atomic_load(&threads->caller_sleeps)) {
            pthread_mutex_lock(&threads->mutex);
            pthread_cond_signal(&threads->end);
            pthread_mutex_unlock(&threads->mutex);
        }
    }
}

static bool run_begun(Threads *threads, uint32_t seen)
{
    return claim_run(atomic_load(&threads->claim)) != seen || atomic_load(&threads->stop);
}

static void wait_for_run(Threads *threads, uint32_t seen)
{
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if (run_begun(threads, seen))
            return;
        spin_pause();
    }
    pthread_mutex_lock(&threads->mutex);
    atomic_fetch_add(&threads->sleepers, 1);
    while (!run_begun(threads, seen))
        pthread_cond_wait(&threads->begin, &threads->mutex);
    atomic_fetch_sub(&threads->sleepers, 1);
    pthread_mutex_unlock(&threads->mutex);
}

static void *worker_main(void *argument)
{
    const Worker *worker = argument;
    Threads *threads = worker->threads;
    uint32_t seen = 0;
    for (;;) {
        wait_for_run(threads, seen);
        if (atomic_load(&threads->stop))
            return NULL;
        seen = claim_run(atomic_load(&threads->claim));
        work(threads, worker->index);
    }
}

static void wake_workers(Threads *threads)
{
    if (atomic_load(&threads->sleepers) == 0)
        return;
    pthread_mutex_lock(&threads->mutex);
    pthread_cond_broadcast(&threads->begin);
    pthread_mutex_unlock(&threads->mutex);
}

static void wait_for_end(Threads *threads, int tasks)
{
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if (atomic_load(&threads->finished) == tasks)
            return;
        spin_pause();
    }
    pthread_mutex_lock(&threads->mutex);
    atomic_store(&threads->caller_sleeps, true);
    while (atomic_load(&threads->finished) != tasks)
        pthread_cond_wait(&threads->end, &threads->mutex);
    atomic_store(&threads->caller_sleeps, false);
    pthread_mutex_unlock(&threads->mutex);
}

void threads_run(Threads *threads, int tasks, ThreadsTask task, void *context)
{
    assert(tasks >= 0 && task);
    if (threads_count(threads) == 1 || tasks <= 1) {
        for (int i = 0; i < tasks; i++)
            task(context, i, 0);
        return;
    }
    const bool was_running = atomic_exchange(&threads->running, true);
    assert(!was_running); /* one caller at a time, and never from a task */
    (void)was_running;

    const uint32_t run = claim_run(atomic_load(&threads->claim));
    atomic_store(&threads->claim, (uint64_t)run << 32 | CLOSED);
    atomic_store(&threads->finished, 0);
    atomic_store(&threads->task, task);
    atomic_store(&threads->context, context);
    atomic_store(&threads->tasks, tasks);
    atomic_store(&threads->claim, (uint64_t)(run + 1) << 32);
    wake_workers(threads);
    work(threads, 0);
    wait_for_end(threads, tasks);

    atomic_store(&threads->running, false);
}

int threads_count(const Threads *threads)
{
    return threads ? threads->count : 1;
}

static _Atomic(int) refused;

bool threads_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* raised by faults (file.c): if blocked, it would end the process */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        atomic_store(&refused, failure);
    return failure == 0;
}

int threads_refused(void)
{
    return atomic_load(&refused);
}

/*
 * Continues with fewer workers if the system refuses some: results do not depend on their number.
 */
static void start_workers(Threads *threads)
{
    for (int i = 0; i < threads->count - 1; i++) {
        threads->workers[i] = (Worker){.threads = threads, .index = i + 1};
        if (!threads_start(&threads->handles[i], worker_main, &threads->workers[i]))
            break;
        threads->started++;
    }
    threads->count = threads->started + 1;
}

Status threads_create(Threads **out, int count, Error *error)
{
    assert(out && count >= 0);
    *out = NULL;
    if (count == 0)
        count = machine_processors("");
    Threads *threads = mem_new(1, sizeof *threads, "the thread pool", error);
    if (!threads)
        return error->status;
    threads->count = count;
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->begin, NULL);
    pthread_cond_init(&threads->end, NULL);
    threads->handles = mem_new(count, sizeof *threads->handles, "the threads", error);
    threads->workers = mem_new(count, sizeof *threads->workers, "the threads", error);
    if (!threads->handles || !threads->workers) {
        threads_destroy(threads);
        return error->status;
    }
    start_workers(threads);
    *out = threads;
    return STATUS_OK;
}

void threads_destroy(Threads *threads)
{
    if (!threads)
        return;
    atomic_store(&threads->stop, true);
    wake_workers(threads);
    for (int i = 0; i < threads->started; i++)
        pthread_join(threads->handles[i], NULL);
    pthread_cond_destroy(&threads->end);
    pthread_cond_destroy(&threads->begin);
    pthread_mutex_destroy(&threads->mutex);
    free(threads->workers);
    free(threads->handles);
    free(threads);
}
