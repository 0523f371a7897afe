/*
 * bench.c - see bench.h: the peak of the machine, timing, formulas and output. The other parts are
 * in bench_*.c.
 */
#include "tools/bench/bench.h"

#include "tensor/base/mem.h"
#include "tensor/kernels/peak.h"
#include "tensor/random.h"
#include "train/json.h"
#include "train/plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- peak loops ------------------------------------------------------------------------------ */

enum {
    TASKS = 16,     /* per thread, so that a slowed-down thread gets fewer */
    ROUNDS = 10000, /* of kernels_peak per task: some tenths of a millisecond */
    QUICK_ROUNDS = 100,
    CHUNK = 1 << 20, /* bytes per task that reads memory */
    BUFFER = 512 << 20,
    QUICK_BUFFER = 8 << 20, /* bytes; BUFFER is larger than any cache */
};

typedef struct Arithmetic {
    Threads *threads;
    Precision precision;
    int rounds;
    double work; /* operations per task, equal for all */
} Arithmetic;

static void arithmetic_task(void *context, int task, int worker)
{
    (void)worker;
    Arithmetic *a = context;
    const double work = kernels_peak(a->precision, a->rounds);
    if (task == 0)
        a->work = work;
}

static double arithmetic_run(void *context)
{
    Arithmetic *a = context;
    const double start = train_clock();
    threads_run(a->threads, TASKS * threads_count(a->threads), arithmetic_task, a);
    return train_clock() - start;
}

static Arithmetic arithmetic_of(const Bench *bench, const BenchPool *pool, Precision loop)
{
    return (Arithmetic){pool->threads, loop, bench->quick ? QUICK_ROUNDS : ROUNDS, 0};
}

/* Operations per second in one short run of the peak loop. */
static double peak_once(const Bench *bench, const BenchPool *pool, Precision loop)
{
    Arithmetic a = arithmetic_of(bench, pool, loop);
    const double seconds = arithmetic_run(&a);
    return a.work * TASKS * pool->count / seconds;
}

typedef struct Reading {
    Threads *threads;
    const unsigned char *buffer;
    size_t bytes;
    volatile uint64_t mixed; /* keeps the reads from being optimised away */
} Reading;

static void reading_task(void *context, int task, int worker)
{
    (void)worker;
    Reading *r = context;
    const uint64_t mixed = kernels_read(r->buffer + (size_t)task * CHUNK, CHUNK);
    if (mixed == 1)
        r->mixed = mixed;
}

static double reading_run(void *context)
{
    Reading *r = context;
    const double start = train_clock();
    threads_run(r->threads, (int)(r->bytes / CHUNK), reading_task, r);
    return train_clock() - start;
}

/* ---- timing ---------------------------------------------------------------------------------- */

enum { MAX_ROUNDS = 1000, MEDIANS = 3, LONG_ROUNDS = 3, MAX_CALLS = 10000 };

static const double LONG_CALL = 1;  /* seconds */
static const double SAMPLE = 0.004; /* seconds; long compared with clock and scheduling overhead */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples, int count)
{
    qsort(samples, count, sizeof *samples, ascending);
    return (samples[(count - 1) / 2] + samples[count / 2]) / 2;
}

/* The parameters of one series of samples. */
typedef struct Sampling {
    const Bench *bench;
    const BenchPool *pool;
    Precision loop;
    BenchRun run;
    void *context;
    int rounds, calls;
} Sampling;

static Status sample(const Sampling *s, BenchTime *time, Error *error)
{
    double seconds[MAX_ROUNDS] = {0}, peaks[MAX_ROUNDS] = {0};
    for (int r = 0; r < s->rounds; r++) {
        peaks[r] = s->pool ? peak_once(s->bench, s->pool, s->loop) : 0;
        seconds[r] = 0;
        for (int c = 0; c < s->calls; c++)
            seconds[r] += s->run(s->context);
        TRY(cli_interrupted("bench", "no files were left", error));
    }
    *time = (BenchTime){median(seconds, s->rounds) / s->calls * 1e3, median(peaks, s->rounds)};
    return STATUS_OK;
}

Status bench_measure(const Bench *bench, const BenchPool *pool, Precision precision, BenchRun run,
                     void *context, BenchTime *time, Error *error)
{
    const double once = run(context);
    TRY(cli_interrupted("bench", "no files were left", error));
    const bool slow = once > LONG_CALL;
    const double wanted = bench->quick ? 0 : SAMPLE / (once > 1e-9 ? once : 1e-9);
    const int most = slow ? LONG_ROUNDS : MAX_ROUNDS;
    const Sampling sampling = {
        .bench = bench,
        .pool = pool,
        .loop = pool ? pool->loop[precision] : PRECISION_F32,
        .run = run,
        .context = context,
        .rounds = bench->rounds < most ? bench->rounds : most,
        .calls = wanted < 1           ? 1
                 : wanted > MAX_CALLS ? MAX_CALLS
                                      : (int)wanted,
    };
    for (int m = 0; m < (slow || bench->quick ? 1 : MEDIANS); m++) {
        BenchTime one;
        TRY(sample(&sampling, &one, error));
        if (m == 0 || one.ms < time->ms)
            *time = one;
    }
    return STATUS_OK;
}

/* ---- the peak -------------------------------------------------------------------------------- */

static Status measure_arithmetic(const Bench *bench, BenchPool *pool, Error *error)
{
    for (int p = 0; p < PRECISION_COUNT; p++) {
        Arithmetic a = arithmetic_of(bench, pool, (Precision)p);
        BenchTime time = {0};
        TRY(bench_measure(bench, NULL, (Precision)p, arithmetic_run, &a, &time, error));
        pool->peak[p] = a.work * TASKS * pool->count / (time.ms * 1e-3);
        pool->loop[p] = (Precision)p;
        /* On some processors the bf16 instruction is slower than the f32 one. */
        if (pool->peak[p] < pool->peak[PRECISION_F32]) {
            pool->peak[p] = pool->peak[PRECISION_F32];
            pool->loop[p] = PRECISION_F32;
        }
    }
    return STATUS_OK;
}

static Status measure_memory(const Bench *bench, BenchPool *pool, unsigned char *buffer,
                             size_t bytes, Error *error)
{
    Reading reading = {.threads = pool->threads, .buffer = buffer, .bytes = bytes};
    BenchTime time = {0};
    TRY(bench_measure(bench, NULL, PRECISION_F32, reading_run, &reading, &time, error));
    pool->memory = (double)bytes / (time.ms * 1e-3);
    return STATUS_OK;
}

static json_t *pool_json(const BenchPool *pool)
{
    json_t *object = json_object();
    for (int p = 0; p < PRECISION_COUNT; p++)
        train_json_set(object, precision_name((Precision)p),
                       train_json_number(pool->peak[p] * 1e-9));
    train_json_set(object, "dram", train_json_number(pool->memory * 1e-9));
    train_json_set(object, "threads", json_integer(pool->count));
    return object;
}

Status bench_peaks(Bench *bench, const char *key, Error *error)
{
    bench_note(bench, "peak of the machine");
    bench_print(bench, "\n%-28s  %7s  %10s  %10s  %10s  %12s\n",
                strcmp(key, "peak") == 0 ? "peak, from registers" : "peak at the end", "threads",
                "f32 G/s", "bf16 G/s", "int8 G/s", "memory GB/s");
    const size_t bytes = bench->quick ? QUICK_BUFFER : BUFFER;
    unsigned char *buffer = aligned_alloc(ARENA_ALIGNMENT, bytes);
    if (!buffer)
        return mem_full(bytes, "the benchmark", error);
    memset(buffer, 1, bytes);
    Status status = STATUS_OK;
    json_t *all = json_array();
    for (int t = 0; t < bench->pool_count && status == STATUS_OK; t++) {
        BenchPool *pool = &bench->pools[t];
        status = measure_arithmetic(bench, pool, error);
        if (status == STATUS_OK)
            status = measure_memory(bench, pool, buffer, bytes, error);
        if (status != STATUS_OK)
            break;
        bench_print(bench, "%-28s  %7d  %10.0f  %10.0f  %10.0f  %12.1f\n", "", pool->count,
                    pool->peak[PRECISION_F32] * 1e-9, pool->peak[PRECISION_BF16] * 1e-9,
                    pool->peak[PRECISION_INT8] * 1e-9, pool->memory * 1e-9);
        train_json_append(all, pool_json(pool));
        train_json_set(bench->report, key, pool_json(pool)); /* keeps the largest pool */
    }
    char every[32];
    snprintf(every, sizeof every, "%s_by_threads", key);
    train_json_set(bench->report, every, all);
    free(buffer);
    return status;
}

/* ---- work over a tape ------------------------------------------------------------------------ */

Status bench_tape_create(BenchTape *work, Threads *threads, int operations, BenchGraph graph,
                         void *context, Error *error)
{
    *work = (BenchTape){0};
    BenchTape plan = {0};
    Status status = arena_create_measuring(&plan.arena, error);
    if (status == STATUS_OK)
        status = tape_create(&plan.tape, plan.arena, threads, operations, error);
    if (status == STATUS_OK) {
        graph(plan.tape, context);
        tape_reset(plan.tape);
        status = arena_create(&work->arena, arena_peak(plan.arena), error);
    }
    if (status == STATUS_OK)
        status = tape_create(&work->tape, work->arena, threads, operations, error);
    bench_tape_free(&plan);
    return status;
}

void bench_tape_free(BenchTape *work)
{
    tape_destroy(work->tape);
    arena_destroy(work->arena);
    *work = (BenchTape){0};
}

static void fill(float *values, size_t count, float scale)
{
    enum { PERIOD = 65521 }; /* prime, so that rows of a matrix differ */
    Random random = random_stream(1, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < count && i < PERIOD; i++)
        values[i] = scale * (float)random_normal(&random);
    for (size_t i = PERIOD; i < count; i++)
        values[i] = values[i - PERIOD];
}

static void fill_as(DType type, void *values, size_t count, float scale)
{
    if (type == DTYPE_F32) {
        fill(values, count, scale);
        return;
    }
    enum { PART = 4096 };
    float part[PART];
    uint16_t *out = values;
    fill(part, PART, scale);
    for (size_t i = 0; i < count; i++)
        out[i] = dtype_bf16_from_f32(part[i % (PART - 1)]);
}

Status bench_values(DType type, size_t count, float scale, void **values, Error *error)
{
    /* Rounded up to cache lines, as in an arena. */
    const size_t bytes =
        (count * dtype_size(type) + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    *values = aligned_alloc(ARENA_ALIGNMENT, bytes);
    if (!*values)
        return mem_full(bytes, "the benchmark", error);
    fill_as(type, *values, count, scale);
    return STATUS_OK;
}

/* ---- formulas -------------------------------------------------------------------------------- */

double bench_product_work(int M, int K, int N)
{
    return 2.0 * M * K * N;
}

double bench_attention_work(const VitConfig *config, bool backward)
{
    const double T = vit_tokens(config);
    return (backward ? 10 : 4) * T * T * config->width;
}

/* The weight products of all blocks, forward. */
static double weights_work(const VitConfig *config)
{
    const int T = vit_tokens(config), D = config->width, F = config->mlp;
    const double block = bench_product_work(T, D, 4 * D) + 2 * bench_product_work(T, D, F);
    const double last = bench_product_work(T, D, 2 * D) + bench_product_work(1, D, 2 * D) +
                        2 * bench_product_work(1, D, F);
    return (config->layers - 1) * block + last;
}

/* Attention of all blocks; the last block has one query instead of T. */
static double attention_work(const VitConfig *config, bool backward)
{
    return bench_attention_work(config, backward) * (config->layers - 1 + 1.0 / vit_tokens(config));
}

double bench_forward_work(const VitConfig *config)
{
    const double embed = bench_product_work(
        vit_tokens(config) - 1, 3 * config->patch_size * config->patch_size, config->width);
    return embed + weights_work(config) + attention_work(config, false);
}

double bench_step_work(const VitConfig *config)
{
    return bench_forward_work(config) + weights_work(config) + attention_work(config, true);
}

/* ---- rows ------------------------------------------------------------------------------------ */

void bench_print(const Bench *bench, const char *format, ...)
{
    if (bench->json)
        return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout); /* show each row at once, also in a file */
}

void bench_note(const Bench *bench, const char *what)
{
    if (bench->json)
        cli_note(bench->arguments, "measuring: %s", what);
}

void bench_add(Bench *bench, const char *section, json_t *row)
{
    train_json_append(json_object_get(bench->report, section), row);
}

BenchRate bench_rate(const BenchPool *pool, Precision precision, double work, const BenchTime *time)
{
    const double rate = work / (time->ms * 1e-3);
    return (BenchRate){rate * 1e-9, rate / pool->peak[precision], rate / time->live_peak};
}
