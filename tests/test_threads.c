/*
 * test_threads.c - every task runs once, results do not depend on the pool, sleepers wake up.
 */
#include "tests/support.h"

#include "tensor/random.h"
#include "tensor/threads.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { MAX_TASKS = 1000, MAX_THREADS = 8 };

typedef struct Count {
    _Atomic(int) runs[MAX_TASKS];
    _Atomic(int) bad_workers;
    int pool;
} Count;

static void count_task(void *context, int task, int worker)
{
    Count *const count = context;
    atomic_fetch_add(&count->runs[task], 1);
    if (worker < 0 || worker >= count->pool)
        atomic_fetch_add(&count->bad_workers, 1);
}

static Threads *new_pool(int count)
{
    Error error;
    Threads *threads;
    ck_ok(threads_create(&threads, count, &error), &error);
    ck_assert_int_eq(threads_count(threads), count);
    return threads;
}

START_TEST(every_task_runs_once)
{
    static const int sizes[] = {0, 1, 2, 3, 7, 8, 64, MAX_TASKS};
    for (int pool = 1; pool <= MAX_THREADS; pool++) {
        Threads *const threads = new_pool(pool);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            static Count count;
            memset(&count, 0, sizeof count);
            count.pool = pool;
            threads_run(threads, sizes[i], count_task, &count);
            for (int task = 0; task < MAX_TASKS; task++)
                ck_each(count.runs[task] == (task < sizes[i]),
                        "pool %d, %d tasks: task %d ran %d times", pool, sizes[i], task,
                        count.runs[task]);
            ck_assert_int_eq(count.bad_workers, 0);
        }
        threads_destroy(threads);
    }
}
END_TEST

/*
 * Writes plain memory, which the caller reads after the run. If threads_run did not make the writes
 * visible, that would be a data race.
 */
static void add_task(void *context, int task, int worker)
{
    (void)worker;
    long *const sums = context;
    sums[task] += task + 1;
}

START_TEST(short_runs_in_quick_succession)
{
    enum { RUNS = 20000, TASKS = 3 };
    Threads *const threads = new_pool(4);
    long sums[TASKS] = {0};
    for (int run = 0; run < RUNS; run++)
        threads_run(threads, 1 + run % TASKS, add_task, sums);
    long wanted[TASKS] = {0};
    for (int run = 0; run < RUNS; run++)
        for (int task = 0; task < 1 + run % TASKS; task++)
            wanted[task] += task + 1;
    ck_assert_mem_eq(sums, wanted, sizeof sums);
    threads_destroy(threads);
}
END_TEST

static void pause_ms(long milliseconds)
{
    const struct timespec time = {.tv_sec = 0, .tv_nsec = milliseconds * 1000000};
    nanosleep(&time, NULL);
}

static void slow_task(void *context, int task, int worker)
{
    pause_ms(task == 0 ? 10 : 1); /* the caller runs out of tasks and must sleep too */
    count_task(context, task, worker);
}

START_TEST(sleepers_wake_up)
{
    Threads *const threads = new_pool(3);
    for (int round = 0; round < 10; round++) {
        static Count count;
        memset(&count, 0, sizeof count);
        count.pool = 3;
        pause_ms(5); /* longer than the spin: all workers are asleep */
        threads_run(threads, 4, slow_task, &count);
        for (int task = 0; task < 4; task++)
            ck_assert_int_eq(count.runs[task], 1);
    }
    threads_destroy(threads);
}
END_TEST

typedef struct Order {
    int next;
    int in_order;
} Order;

static void order_task(void *context, int task, int worker)
{
    Order *const order = context;
    order->in_order += task == order->next++ && worker == 0;
}

START_TEST(a_pool_of_one_runs_in_order)
{
    Threads *const one = new_pool(1);
    Threads *const pools[] = {NULL, one};
    for (int i = 0; i < 2; i++) {
        Order order = {0};
        ck_assert_int_eq(threads_count(pools[i]), 1);
        threads_run(pools[i], 100, order_task, &order);
        ck_assert_int_eq(order.in_order, 100);
    }
    threads_destroy(one);
    threads_destroy(NULL);
}
END_TEST

/*
 * The sum of a chunk depends only on its number, and the caller adds the sums in order, so the
 * result does not depend on the pool.
 */
typedef struct Sum {
    const float *values;
    float partial[64];
} Sum;

static void sum_task(void *context, int task, int worker)
{
    (void)worker;
    Sum *const sum = context;
    float total = 0;
    for (int i = 0; i < 100; i++)
        total += sum->values[task * 100 + i];
    sum->partial[task] = total;
}

START_TEST(the_thread_count_does_not_change_a_bit)
{
    static float values[6400];
    support_fill_normal(values, 6400, 1, 1e3);
    Sum reference = {.values = values};
    threads_run(NULL, 64, sum_task, &reference);
    for (int pool = 1; pool <= MAX_THREADS; pool++) {
        Threads *const threads = new_pool(pool);
        Sum sum = {.values = values};
        threads_run(threads, 64, sum_task, &sum);
        ck_assert_mem_eq(sum.partial, reference.partial, sizeof sum.partial);
        threads_destroy(threads);
    }
}
END_TEST

static void signal_task(void *context, int task, int worker)
{
    (void)task;
    _Atomic(int) *const open = context;
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    if (worker != 0 && !sigismember(&blocked, SIGINT))
        atomic_fetch_add(open, 1);
    pause_ms(1);
}

START_TEST(workers_leave_signals_to_the_caller)
{
    Threads *const threads = new_pool(3);
    _Atomic(int) open = 0;
    threads_run(threads, 30, signal_task, &open);
    ck_assert_int_eq(open, 0);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    ck_assert(!sigismember(&blocked, SIGINT));
    threads_destroy(threads);
}
END_TEST

START_TEST(zero_means_the_processors_available)
{
    Error error;
    Threads *threads;
    ck_ok(threads_create(&threads, 0, &error), &error);
    ck_assert_int_ge(threads_count(threads), 1);
    cpu_set_t one, before;
    const int available = threads_count(threads);
    threads_destroy(threads);
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    ck_assert_int_eq(CPU_COUNT(&before), available);
    size_t first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_ok(threads_create(&threads, 0, &error), &error);
    ck_assert_int_eq(threads_count(threads), 1);
    threads_destroy(threads);
    sched_setaffinity(0, sizeof before, &before);
}
END_TEST

START_TEST(pools_come_and_go)
{
    for (int i = 0; i < 50; i++)
        threads_destroy(new_pool(1 + i % MAX_THREADS));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("threads");
    TCase *const all = support_case(suite, "threads", 120);
    tcase_add_test(all, every_task_runs_once);
    tcase_add_test(all, short_runs_in_quick_succession);
    tcase_add_test(all, sleepers_wake_up);
    tcase_add_test(all, a_pool_of_one_runs_in_order);
    tcase_add_test(all, the_thread_count_does_not_change_a_bit);
    tcase_add_test(all, workers_leave_signals_to_the_caller);
    tcase_add_test(all, zero_means_the_processors_available);
    tcase_add_test(all, pools_come_and_go);
    return support_main(suite);
}
