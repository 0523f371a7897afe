/*
 * bench_layer.c - benchmarks of attention and LayerNorm of one layer, forward and backward.
 */
#include "tools/bench/bench.h"

#include "tensor/kernels/kernels.h"
#include "tensor/ops/ops.h"
#include "train/plan.h"

#include <stdlib.h>

/* ---- attention ------------------------------------------------------------------------------- */

enum { ATTENTION_OPERATIONS = 2 };

typedef struct Attention {
    int heads;
    bool backward; /* the direction to count */
    double seconds;
    DType type;
    Tensor q, kv; /* [B,T,D], [B,T,2D] */
    float *seed;  /* [B,T,D] gradient of the output */
    void *values[4];
    BenchTape work;
} Attention;

/* In bf16 the f32 gradient is rounded first, which adds about 2 % to the backward. */
static void attention_graph(Tape *tape, void *context)
{
    Attention *a = context;
    const double start = train_clock();
    Tensor *y = op_attention(tape, &a->q, &a->kv, a->heads, NULL);
    a->seconds = train_clock() - start;
    if (!a->backward)
        return;
    if (a->type != DTYPE_F32)
        y = op_cast(tape, y, DTYPE_F32);
    const double middle = train_clock();
    tape_backward(tape, y, a->seed);
    a->seconds = train_clock() - middle;
}

static double attention_run(void *context)
{
    Attention *a = context;
    attention_graph(a->work.tape, a);
    tape_reset(a->work.tape);
    return a->seconds;
}

static Tensor leaf_as(DType type, void *values, void *gradient, const int shape[3])
{
    Tensor leaf = tensor_leaf(values, 3, shape);
    leaf.dtype = type;
    leaf.grad = gradient;
    leaf.needs_grad = gradient != NULL;
    return leaf;
}

static Status attention_create(Attention *a, const VitConfig *config, DType type, bool backward,
                               Error *error)
{
    const int T = vit_tokens(config), D = config->width;
    const size_t count = (size_t)BENCH_BATCH * T * D;
    *a = (Attention){.heads = config->heads, .backward = backward, .type = type};
    TRY(bench_values(type, count, 1, &a->values[0], error));
    TRY(bench_values(type, 2 * count, 1, &a->values[1], error));
    if (backward) {
        TRY(bench_values(type, count, 0, &a->values[2], error));
        TRY(bench_values(type, 2 * count, 0, &a->values[3], error));
        TRY(bench_values(DTYPE_F32, count, 1e-3F, (void **)&a->seed, error));
    }
    a->q = leaf_as(type, a->values[0], a->values[2], (const int[]){BENCH_BATCH, T, D});
    a->kv = leaf_as(type, a->values[1], a->values[3], (const int[]){BENCH_BATCH, T, 2 * D});
    return STATUS_OK;
}

static void attention_free(Attention *a)
{
    for (size_t i = 0; i < sizeof a->values / sizeof a->values[0]; i++)
        free(a->values[i]);
    free(a->seed);
}

static Status attention_measure(Bench *bench, Attention *a, Precision precision, Error *error)
{
    const char *direction = a->backward ? "backward" : "forward";
    for (int t = 0; t < bench->pool_count; t++) {
        const BenchPool *pool = &bench->pools[t];
        BenchTime time = {0};
        Status status = bench_tape_create(&a->work, pool->threads, ATTENTION_OPERATIONS,
                                          attention_graph, a, error);
        if (status == STATUS_OK)
            status = bench_measure(bench, pool, precision, attention_run, a, &time, error);
        bench_tape_free(&a->work);
        TRY(status);
        time.ms /= BENCH_BATCH;
        const BenchRate rate =
            bench_rate(pool, precision, bench_attention_work(&bench->config, a->backward), &time);
        bench_print(bench, "%-22s  %-9s  %7d  %12.3f  %10.0f  %7.1f %%  %7.1f %%\n", direction,
                    precision_name(precision), pool->count, time.ms, rate.gflops,
                    100 * rate.fraction, 100 * rate.live_fraction);
        bench_add(bench, "attention",
                  json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "precision",
                            precision_name(precision), "direction", direction, "batch", BENCH_BATCH,
                            "threads", pool->count, "ms_per_image", time.ms, "gflops", rate.gflops,
                            "share", rate.fraction, "share_beside", rate.live_fraction));
    }
    return STATUS_OK;
}

/* int8 is not measured: its attention is that of bf16. */
Status bench_attention(Bench *bench, Error *error)
{
    bench_note(bench, "attention");
    bench_print(bench, "\n%-22s  %-9s  %7s  %12s  %10s  %9s  %9s\n", "attention, one layer",
                "precision", "threads", "ms/image", "GFLOP/s", "of peak", "live peak");
    for (int p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        for (int backward = 0; backward <= 1 && bench->precisions[p]; backward++) {
            Attention a = {0};
            const DType type = p == PRECISION_F32 ? DTYPE_F32 : DTYPE_BF16;
            Status status = attention_create(&a, &bench->config, type, backward, error);
            if (status == STATUS_OK)
                status = attention_measure(bench, &a, (Precision)p, error);
            attention_free(&a);
            TRY(status);
        }
    }
    return STATUS_OK;
}

/* ---- LayerNorm ------------------------------------------------------------------------------- */

/* LayerNorm of one image. */
typedef struct Norm {
    int T, D;
    float eps;
    DType type;
    bool backward;
    float *x;                             /* [T,D] also dx */
    void *y, *xhat, *dy;                  /* [T,D] of `type` */
    float *gamma, *beta, *dgamma, *dbeta; /* [D] */
    float *mean, *rstd;                   /* [T] */
} Norm;

static void norm_forward(const Norm *n, int row)
{
    const ptrdiff_t at = (ptrdiff_t)row * n->D;
    if (n->type == DTYPE_F32)
        kernels()->layer_norm(n->x + at, n->gamma, n->beta, n->D, n->eps, (float *)n->y + at,
                              &n->mean[row], &n->rstd[row]);
    else
        kernels()->layer_norm_bf16(n->x + at, n->gamma, n->beta, n->D, n->eps,
                                   (uint16_t *)n->y + at, (uint16_t *)n->xhat + at, &n->rstd[row]);
}

/* The f32 kernel gets xhat as x, which has the same distribution, since x holds dx. */
static void norm_backward(const Norm *n, int row)
{
    const ptrdiff_t at = (ptrdiff_t)row * n->D;
    if (n->type == DTYPE_F32)
        kernels()->layer_norm_backward((const float *)n->xhat + at, n->gamma,
                                       (const float *)n->dy + at, n->D, n->mean[row], n->rstd[row],
                                       n->x + at, n->dgamma, n->dbeta);
    else
        kernels()->layer_norm_backward_bf16((const uint16_t *)n->xhat + at, n->gamma,
                                            (const uint16_t *)n->dy + at, n->D, n->rstd[row],
                                            n->x + at, n->dgamma, n->dbeta);
}

static double norm_run(void *context)
{
    const Norm *n = context;
    const double start = train_clock();
    for (int row = 0; row < n->T; row++)
        (n->backward ? norm_backward : norm_forward)(n, row);
    return train_clock() - start;
}

static Status norm_create(Norm *n, const VitConfig *config, DType type, Error *error)
{
    *n = (Norm){.T = vit_tokens(config), .D = config->width, .eps = config->eps, .type = type};
    const size_t D = n->D, T = n->T;
    const struct {
        void **values;
        DType type;
        size_t count;
        float scale;
    } wanted[] = {
        {(void **)&n->x, DTYPE_F32, T * D, 1},
        {&n->y, type, T * D, 1},
        {&n->xhat, type, T * D, 1},
        {&n->dy, type, T * D, 1e-3F},
        {(void **)&n->gamma, DTYPE_F32, D, 1},
        {(void **)&n->beta, DTYPE_F32, D, 1},
        {(void **)&n->dgamma, DTYPE_F32, D, 0},
        {(void **)&n->dbeta, DTYPE_F32, D, 0},
        {(void **)&n->mean, DTYPE_F32, T, 0},
        {(void **)&n->rstd, DTYPE_F32, T, 1},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        TRY(bench_values(wanted[i].type, wanted[i].count, wanted[i].scale, wanted[i].values,
                         error));
    return STATUS_OK;
}

static void norm_free(Norm *n)
{
    void *const all[] = {n->x,    n->y,      n->xhat,  n->dy,   n->gamma,
                         n->beta, n->dgamma, n->dbeta, n->mean, n->rstd};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/*
 * Bytes read and written per element: forward x, y (and xhat); backward x or xhat, dy, and dx
 * twice.
 */
static double norm_bytes(DType type, bool backward)
{
    if (type == DTYPE_F32)
        return backward ? 4 + 4 + 8 : 4 + 4;
    return backward ? 2 + 2 + 8 : 4 + 2 + 2;
}

static Status norm_measure(Bench *bench, Norm *n, Precision precision, Error *error)
{
    for (int backward = 0; backward <= 1; backward++) {
        const char *direction = backward ? "backward" : "forward";
        BenchTime time = {0};
        n->backward = backward;
        TRY(bench_measure(bench, NULL, precision, norm_run, n, &time, error));
        const double bytes = norm_bytes(n->type, backward) * n->T * n->D;
        const double rate = bytes / (time.ms * 1e-3) * 1e-9;
        bench_print(bench, "%-22s  %-9s  %7d  %12.4f  %10.1f\n", direction,
                    precision_name(precision), 1, time.ms, rate);
        bench_add(bench, "layer_norm",
                  json_pack("{s:s, s:s, s:i, s:f, s:f}", "precision", precision_name(precision),
                            "direction", direction, "threads", 1, "ms_per_image", time.ms,
                            "gb_per_second", rate));
    }
    return STATUS_OK;
}

Status bench_layer_norm(Bench *bench, Error *error)
{
    bench_note(bench, "LayerNorm");
    bench_print(bench, "\n%-22s  %-9s  %7s  %12s  %10s\n", "LayerNorm, one layer", "precision",
                "threads", "ms/image", "GB/s");
    for (int p = PRECISION_F32; p <= PRECISION_BF16; p++) {
        if (!bench->precisions[p])
            continue;
        Norm n = {0};
        Status status =
            norm_create(&n, &bench->config, p == PRECISION_F32 ? DTYPE_F32 : DTYPE_BF16, error);
        if (status == STATUS_OK)
            status = norm_measure(bench, &n, (Precision)p, error);
        norm_free(&n);
        TRY(status);
    }
    return STATUS_OK;
}
