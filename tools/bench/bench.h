/*
 * bench.h - the parts of lnclip bench, and what they share: thread pools, the clock, formulas,
 * rows.
 *
 * Every part measures the library's own functions as the program runs them, judges them by the peak
 * that was measured first on as many threads, appends rows to the report and, unless JSON was asked
 * for, prints each as soon as it is known.
 *
 * What is counted. Arithmetic follows from shapes alone, a multiply-add is two operations, and only
 * matrix products count (everything else together is below 1 %). With T tokens, width D, MLP width
 * F, L layers:
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
 * What a step computes twice because memory does not hold its activations (train/stepper.h) counts
 * once: the rate is that of the work wanted, and falls where work is repeated.
 *
 * All functions are for the main thread.
 */
#ifndef LNCLIP_TOOLS_BENCH_BENCH_H
#define LNCLIP_TOOLS_BENCH_BENCH_H

#include "tensor/tape.h"
#include "tools/cli/cli.h"
#include "vit/config.h"

#include <jansson.h>
#include <signal.h>

enum { BENCH_BATCH = 8, BENCH_POOLS = 2 };

/* Threads that work together, and what they reach at best. */
typedef struct BenchPool {
    int count;
    Threads *threads;
    double peak[PRECISION_COUNT];    /* operations a second, from registers */
    Precision loop[PRECISION_COUNT]; /* whose loop of kernels_peak is fastest: bf16's may not be */
    double memory;                   /* bytes read a second */
} BenchPool;

typedef struct Bench {
    const CliArguments *arguments;
    volatile sig_atomic_t *stop;
    bool json, quick;
    int rounds;
    bool precisions[PRECISION_COUNT]; /* which are measured */
    const char *model;                /* path, or NULL: random weights */
    VitHints hints;                   /* for the model */
    VitConfig config;
    BenchPool pools[BENCH_POOLS]; /* the last one is the largest */
    int pool_count;
    json_t *report; /* what --json prints */
} Bench;

/* The parts. Each returns STATUS_INTERRUPTED after a signal, and leaves nothing behind. */
Status bench_peaks(Bench *bench, const char *key, Error *error); /* fills the pools' peaks */
Status bench_products(Bench *bench, Error *error);
Status bench_attention(Bench *bench, Error *error);
Status bench_layer_norm(Bench *bench, Error *error);
Status bench_model(Bench *bench, bool forward, bool step, Error *error);
Status bench_loader(Bench *bench, Error *error);

/* ---- the clock ------------------------------------------------------------------------------- */

/* One measured call: returns the seconds of the part that counts. */
typedef double (*BenchRun)(void *context);

/* What is measured, and the yardstick that takes turns with it. */
typedef struct BenchTime {
    double ms;     /* of one call */
    double beside; /* operations a second of the peak's loop in the same minute; 0 without a pool */
} BenchTime;

/*
 * *time: the best of three medians of bench->rounds samples each, after a call that warms up; a
 * sample is as many calls as take some milliseconds. A call longer than a second is sampled thrice,
 * and only --quick less. Between samples the loop of the peak runs on `pool` for a moment: on a
 * machine that is shared, the ratio of the two is steadier than either. pool NULL: it does not.
 */
Status bench_measure(const Bench *bench, const BenchPool *pool, Precision precision, BenchRun run,
                     void *context, BenchTime *time, Error *error);

/* ---- work over a tape ------------------------------------------------------------------------ */

/* Records and computes something on a tape; runs over a measuring tape first. */
typedef void (*BenchGraph)(Tape *tape, void *context);

typedef struct BenchTape {
    Arena *arena;
    Tape *tape;
} BenchTape;

/*
 * A tape for `operations` over an arena that `graph` fits into. Free with bench_tape_free, also
 * after a failure.
 */
Status bench_tape_create(BenchTape *work, Threads *threads, int operations, BenchGraph graph,
                         void *context, Error *error);
void bench_tape_free(BenchTape *work);

/*
 * An array of `count` elements of `type` that the caller frees: numbers of a standard normal
 * distribution, repeated with a long period, times `scale`. STATUS_FAILED without memory.
 */
Status bench_values(DType type, size_t count, float scale, void **numbers, Error *error);

/* ---- formulas (operations, see above) -------------------------------------------------------- */

double bench_product_work(int M, int K, int N);
double bench_attention_work(const VitConfig *config, bool backward); /* of one image and layer */
double bench_forward_work(const VitConfig *config);                  /* of one image */
double bench_step_work(const VitConfig *config);                     /* of one image, LN-tuning */

/* ---- rows ------------------------------------------------------------------------------------ */

/* A line of text for people; nothing with --json. */
void bench_print(const Bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells on stderr what is being measured, where stdout does not show it. */
void bench_note(const Bench *bench, const char *what);

/* Appends `row` (its reference is taken) to the array `section` of the report. */
void bench_add(Bench *bench, const char *section, json_t *row);

/*
 * What `work` operations in a time mean: the rate, its share of the peak of `pool` that was
 * measured first, and its share of the peak beside it.
 */
typedef struct BenchRate {
    double gflops, share, share_beside;
} BenchRate;
BenchRate bench_rate(const BenchPool *pool, Precision precision, double work,
                     const BenchTime *time);

#endif
