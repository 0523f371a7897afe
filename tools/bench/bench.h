/*
 * bench.h - the parts of lnclip bench, and their shared thread pools, timing, formulas and output.
 *
 * Every part measures library functions as the program uses them, relates them to the peak of the
 * same number of threads, appends rows to the report and, without --json, prints each row at once.
 *
 * Operation counts follow from the shapes. A multiply-add counts as two operations; only matrix
 * products are counted (all others are below 1 %). With T tokens, width D, MLP width F, L layers:
 *
 *     product [M,K] [K,N]             2 M K N
 *     attention, forward              4 T^2 D            scores, and their product with the values
 *     attention, backward            10 T^2 D            scores again, dP, dv, dq, dk
 *     one block                       2 T D (4 D + 2 F) + 4 T^2 D
 *     the last block                  keys and values of T tokens, everything else of one
 *     forward                         patch embedding, L - 1 blocks, the last block
 *     LN-tuning step                  forward, and its products but the patch embedding once more
 * for the gradient of its input, attention as above; no weight gradients
 *
 * Recomputation in a step that lacks memory for its activations (train/stepper.h) is not counted,
 * so it lowers the rate.
 *
 * All functions are for the main thread.
 *
 * Tests: tests/test_bench.sh.
 */
#ifndef LNCLIP_TOOLS_BENCH_BENCH_H
#define LNCLIP_TOOLS_BENCH_BENCH_H

#include "tensor/tape.h"
#include "tools/cli/cli.h"
#include "vit/config.h"

#include <jansson.h>
#include <signal.h>

enum { BENCH_BATCH = 8, BENCH_POOLS = 2 };

/* A thread pool and its measured peaks. */
typedef struct BenchPool {
    int count;
    Threads *threads;
    double peak[PRECISION_COUNT];    /* operations per second, from registers */
    Precision loop[PRECISION_COUNT]; /* fastest peak loop; for bf16 it may be f32 */
    double memory;                   /* bytes read per second */
} BenchPool;

typedef struct Bench {
    const CliArguments *arguments;
    volatile sig_atomic_t *stop;
    bool json, quick;
    int rounds;
    bool precisions[PRECISION_COUNT]; /* precisions to measure */
    const char *model;                /* path; NULL for random weights */
    VitHints hints;                   /* for the model */
    VitConfig config;
    BenchPool pools[BENCH_POOLS]; /* the last one is the largest */
    int pool_count;
    json_t *report; /* what --json prints */
} Bench;

/* The parts. Each returns STATUS_INTERRUPTED after a signal, and leaves no files. */
Status bench_peaks(Bench *bench, const char *key, Error *error); /* fills the pools' peaks */
Status bench_products(Bench *bench, Error *error);
Status bench_attention(Bench *bench, Error *error);
Status bench_layer_norm(Bench *bench, Error *error);
Status bench_model(Bench *bench, bool forward, bool step, Error *error);
Status bench_loader(Bench *bench, Error *error);

/* ---- timing ---------------------------------------------------------------------------------- */

/* One measured call; returns the seconds to count. */
typedef double (*BenchRun)(void *context);

/* The time of a call, and the peak measured between the samples. */
typedef struct BenchTime {
    double ms;        /* per call */
    double live_peak; /* operations per second of the peak loop; 0 without a pool */
} BenchTime;

/*
 * Sets *time to the best of three medians of bench->rounds samples each, after a warm-up call. A
 * sample is as many calls as take some milliseconds. A call longer than a second gets one median of
 * at most three samples. Between samples the peak loop runs briefly on `pool`, unless that is NULL:
 * on a shared machine the ratio of the two is more stable than either.
 */
Status bench_measure(const Bench *bench, const BenchPool *pool, Precision precision, BenchRun run,
                     void *context, BenchTime *time, Error *error);

/* ---- work over a tape ------------------------------------------------------------------------ */

/* Computes the measured graph on a tape; also runs on a measuring tape first. */
typedef void (*BenchGraph)(Tape *tape, void *context);

typedef struct BenchTape {
    Arena *arena;
    Tape *tape;
} BenchTape;

/*
 * Creates a tape for `operations`, with an arena large enough for `graph`. Free with
 * bench_tape_free, also after a failure.
 */
Status bench_tape_create(BenchTape *work, Threads *threads, int operations, BenchGraph graph,
                         void *context, Error *error);
void bench_tape_free(BenchTape *work);

/*
 * Allocates `count` random elements of `type`: normal with standard deviation `scale`, repeated
 * with a long period. The caller frees *values. STATUS_FAILED without memory.
 */
Status bench_values(DType type, size_t count, float scale, void **values, Error *error);

/* ---- formulas (operations, see above) -------------------------------------------------------- */

double bench_product_work(int M, int K, int N);
double bench_attention_work(const VitConfig *config, bool backward); /* per image and layer */
double bench_forward_work(const VitConfig *config);                  /* per image */
double bench_step_work(const VitConfig *config);                     /* per image, LN-tuning */

/* ---- rows ------------------------------------------------------------------------------------ */

/* Prints text; nothing with --json. */
void bench_print(const Bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* With --json prints a note on stderr that `what` is being measured. */
void bench_note(const Bench *bench, const char *what);

/* Appends `row`, taking its reference, to the array `section` of the report. */
void bench_add(Bench *bench, const char *section, json_t *row);

/*
 * The rate of `work` operations, as a fraction of the peak of `pool` measured first, and of the
 * peak measured between the samples.
 */
typedef struct BenchRate {
    double gflops, fraction, live_fraction;
} BenchRate;
BenchRate bench_rate(const BenchPool *pool, Precision precision, double work,
                     const BenchTime *time);

#endif
