/*
 * bench_peak.c - what this machine can do at best: arithmetic from registers, and reading memory.
 */
#include "tools/bench/bench.h"
#include "tools/cli/cli_json.h"

#include "tensor/kernels/peak.h"
#include "train/plan.h"

#include <stdlib.h>
#include <string.h>

enum {
    TASKS = 16,     /* a thread: whoever is slowed down leaves the rest to the others */
    ROUNDS = 10000, /* of kernels_peak a task: some tenths of a millisecond */
    QUICK_ROUNDS = 100,
    CHUNK = 1 << 20, /* bytes of a task that reads memory */
    BUFFER = 512 << 20,
    QUICK_BUFFER = 8 << 20, /* bytes: no cache holds the first */
};

typedef struct Arithmetic {
    Threads *threads;
    Precision precision;
    int rounds;
    double work; /* operations of a task, alike for all */
} Arithmetic;

static void arithmetic_task(void *context, int task, int worker)
{
    (void)worker;
    Arithmetic *const a = context;
    const double work = kernels_peak(a->precision, a->rounds);
    if (task == 0)
        a->work = work;
}

static double arithmetic_run(void *context)
{
    Arithmetic *const a = context;
    const double start = train_clock();
    threads_run(a->threads, TASKS * threads_count(a->threads), arithmetic_task, a);
    return train_clock() - start;
}

static Arithmetic arithmetic_of(const Bench *bench, const BenchTeam *team, Precision loop)
{
    return (Arithmetic){team->threads, loop, bench->quick ? QUICK_ROUNDS : ROUNDS, 0};
}

double bench_peak_once(const Bench *bench, const BenchTeam *team, Precision loop)
{
    Arithmetic a = arithmetic_of(bench, team, loop);
    const double seconds = arithmetic_run(&a);
    return a.work * TASKS * team->count / seconds;
}

typedef struct Reading {
    Threads *threads;
    const unsigned char *buffer;
    size_t bytes;
    volatile uint64_t mixed; /* so that the reads have a purpose */
} Reading;

static void reading_task(void *context, int task, int worker)
{
    (void)worker;
    Reading *const r = context;
    const uint64_t mixed = kernels_read(r->buffer + (size_t)task * CHUNK, CHUNK);
    if (mixed == 1)
        r->mixed = mixed;
}

static double reading_run(void *context)
{
    Reading *const r = context;
    const double start = train_clock();
    threads_run(r->threads, (int)(r->bytes / CHUNK), reading_task, r);
    return train_clock() - start;
}

static Status measure_arithmetic(const Bench *bench, BenchTeam *team, Error *error)
{
    for (int p = 0; p < PRECISION_COUNT; p++) {
        Arithmetic a = arithmetic_of(bench, team, (Precision)p);
        BenchTime time = {0};
        TRY(bench_measure(bench, NULL, (Precision)p, arithmetic_run, &a, &time, error));
        team->peak[p] = a.work * TASKS * team->count / (time.ms * 1e-3);
        team->loop[p] = (Precision)p;
        /* On some processors the instruction for bf16 is slower than that of f32. */
        if (team->peak[p] < team->peak[PRECISION_F32]) {
            team->peak[p] = team->peak[PRECISION_F32];
            team->loop[p] = PRECISION_F32;
        }
    }
    return STATUS_OK;
}

static Status measure_memory(const Bench *bench, BenchTeam *team, unsigned char *buffer,
                             size_t bytes, Error *error)
{
    Reading reading = {.threads = team->threads, .buffer = buffer, .bytes = bytes};
    BenchTime time = {0};
    TRY(bench_measure(bench, NULL, PRECISION_F32, reading_run, &reading, &time, error));
    team->memory = (double)bytes / (time.ms * 1e-3);
    return STATUS_OK;
}

static json_t *team_json(const BenchTeam *team)
{
    json_t *const object = json_object();
    for (int p = 0; p < PRECISION_COUNT; p++)
        cli_json_set(object, precision_name((Precision)p), cli_json_number(team->peak[p] * 1e-9));
    cli_json_set(object, "dram", cli_json_number(team->memory * 1e-9));
    cli_json_set(object, "threads", json_integer(team->count));
    return object;
}

Status bench_peaks(Bench *bench, const char *key, Error *error)
{
    bench_note(bench, "the machine");
    bench_print(bench, "\n%-28s  %7s  %10s  %10s  %10s  %12s\n",
                strcmp(key, "peak") == 0 ? "peak, from registers" : "the same once more", "threads",
                "f32 G/s", "bf16 G/s", "int8 G/s", "memory GB/s");
    const size_t bytes = bench->quick ? QUICK_BUFFER : BUFFER;
    unsigned char *const buffer = aligned_alloc(ARENA_ALIGNMENT, bytes);
    if (!buffer)
        return error_set(error, STATUS_FAILED, "bench: no memory for %zu bytes; free some", bytes);
    memset(buffer, 1, bytes);
    Status status = STATUS_OK;
    json_t *const all = json_array();
    for (int t = 0; t < bench->team_count && status == STATUS_OK; t++) {
        BenchTeam *const team = &bench->teams[t];
        status = measure_arithmetic(bench, team, error);
        if (status == STATUS_OK)
            status = measure_memory(bench, team, buffer, bytes, error);
        if (status != STATUS_OK)
            break;
        bench_print(bench, "%-28s  %7d  %10.0f  %10.0f  %10.0f  %12.1f\n", "", team->count,
                    team->peak[PRECISION_F32] * 1e-9, team->peak[PRECISION_BF16] * 1e-9,
                    team->peak[PRECISION_INT8] * 1e-9, team->memory * 1e-9);
        cli_json_append(all, team_json(team));
        cli_json_set(bench->report, key, team_json(team)); /* the last one stays */
    }
    char every[32];
    snprintf(every, sizeof every, "%s_by_threads", key);
    cli_json_set(bench->report, every, all);
    free(buffer);
    return status;
}
