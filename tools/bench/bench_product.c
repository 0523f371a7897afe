/*
 * bench_product.c - benchmarks of the four weight products of a block: packed in each precision,
 * and in f32 also unpacked with OpenBLAS.
 *
 * Each is an op_linear with bias, as in the encoder. It cycles through more weights than the caches
 * hold, because in a network, too, a weight is evicted before its next use.
 */
#include "tools/bench/bench.h"

#include "tensor/base/mem.h"
#include "tensor/gemm.h"
#include "tensor/ops/ops.h"
#include "train/plan.h"

#include <stdlib.h>

enum {
    MAX_COPIES = 64,
    ROTATION = 192 << 20, /* total bytes of all copies */
    QUICK_ROTATION = 1 << 20,
};

typedef struct Shape {
    const char *name;
    int K, N;
} Shape;

/* One shape in one precision: the inputs and all copies of the weights. */
typedef struct Product {
    int K, N, copies, next;
    int tokens;
    Tensor x; /* [B,T,K] */
    Tensor weights[MAX_COPIES], bias;
    PackedMatrix packs[MAX_COPIES];
    Linear linears[MAX_COPIES];
    Arena *arena; /* for the packs */
    void *values, *bias_values;
    float *weight_values; /* [copies,N,K] unpacked, or [N,K] */
    BenchTape work;
} Product;

static void product_graph(Tape *tape, void *context)
{
    Product *p = context;
    op_linear(tape, &p->x, &p->linears[p->next], ACTIVATION_NONE, NULL);
    p->next = (p->next + 1) % p->copies;
}

static double product_run(void *context)
{
    Product *p = context;
    const double start = train_clock();
    product_graph(p->work.tape, p);
    const double seconds = train_clock() - start;
    tape_reset(p->work.tape);
    return seconds;
}

static void product_free(Product *p)
{
    arena_destroy(p->arena);
    free(p->values);
    free(p->bias_values);
    free(p->weight_values);
}

/* Packs `copies` copies of one weight. The unpacked weight is not used afterwards. */
static Status pack(Product *p, Precision precision, Threads *threads, Error *error)
{
    Arena *plan = NULL;
    TRY(arena_create_measuring(&plan, error));
    for (int i = 0; i < p->copies; i++)
        packed_place(plan, precision, p->K, p->N);
    const Status status = arena_create(&p->arena, arena_peak(plan), error);
    arena_destroy(plan);
    TRY(status);
    const PackedPart part = {p->weight_values, p->N};
    for (int i = 0; i < p->copies; i++) {
        p->packs[i] = packed_place(p->arena, precision, p->K, p->N);
        packed_fill_transposed(&p->packs[i], &part, 1, NULL, threads);
        p->linears[i].forward = &p->packs[i];
    }
    return STATUS_OK;
}

/* packed = false measures gemm, as for trainable weights. */
static Status product_create(Product *p, const Bench *bench, Precision precision, bool packed,
                             Error *error)
{
    static const size_t bytes_of[PRECISION_COUNT] = {4, 2, 1};
    const size_t count = (size_t)p->K * (size_t)p->N;
    const size_t rotation = bench->quick ? QUICK_ROTATION : ROTATION;
    const size_t copies = rotation / (count * bytes_of[precision]) + 2;
    p->copies = copies < MAX_COPIES ? (int)copies : MAX_COPIES;
    p->tokens = vit_tokens(&bench->config);
    const size_t stored = packed ? 1 : p->copies;
    TRY(bench_values(DTYPE_F32, stored * count, 0.02F, (void **)&p->weight_values, error));
    TRY(bench_values(DTYPE_F32, p->N, 0.1F, &p->bias_values, error));
    p->bias = tensor_leaf(p->bias_values, 1, &p->N);
    for (int i = 0; i < p->copies; i++) {
        float *weight = p->weight_values + (packed ? 0 : (size_t)i * count);
        p->weights[i] = tensor_leaf(weight, 2, (const int[]){p->N, p->K});
        p->linears[i] = (Linear){
            .in = p->K, .out = p->N, .parts = 1, .weight = {&p->weights[i]}, .bias = {&p->bias}};
    }
    if (packed)
        TRY(pack(p, precision, bench->pools[bench->pool_count - 1].threads, error));
    const DType type = op_linear_type(&p->linears[0]);
    const size_t rows = (size_t)BENCH_BATCH * (size_t)p->tokens;
    TRY(bench_values(type, rows * (size_t)p->K, 1, &p->values, error));
    p->x = tensor_leaf(p->values, 3, (const int[]){BENCH_BATCH, p->tokens, p->K});
    p->x.dtype = type;
    return STATUS_OK;
}

static void report(Bench *bench, const BenchPool *pool, const Shape *shape, int M,
                   Precision precision, bool packed, const BenchTime *time)
{
    const BenchRate rate =
        bench_rate(pool, precision, bench_product_work(M, shape->K, shape->N), time);
    const char *library = packed ? "lnclip" : gemm_library();
    bench_print(bench, "%-5s %5d %5d %5d  %-9s  %-15s %4d  %9.3f  %8.0f  %7.1f %%  %7.1f %%\n",
                shape->name, M, shape->K, shape->N, precision_name(precision), library, pool->count,
                time->ms, rate.gflops, 100 * rate.fraction, 100 * rate.live_fraction);
    bench_add(bench, "gemm",
              json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f}", "precision",
                        precision_name(precision), "library", library, "name", shape->name, "M", M,
                        "N", shape->N, "K", shape->K, "threads", pool->count, "ms", time->ms,
                        "gflops", rate.gflops, "share", rate.fraction, "share_beside",
                        rate.live_fraction));
}

/* Measures one image and a batch, on every pool. */
static Status measure(Bench *bench, Product *p, const Shape *shape, Precision precision,
                      bool packed, Error *error)
{
    for (int batch = 1; batch <= BENCH_BATCH; batch += BENCH_BATCH - 1) {
        p->x.shape[0] = batch;
        for (int t = 0; t < bench->pool_count; t++) {
            const BenchPool *pool = &bench->pools[t];
            BenchTime time = {0};
            p->next = 0;
            Status status = bench_tape_create(&p->work, pool->threads, 1, product_graph, p, error);
            if (status == STATUS_OK)
                status = bench_measure(bench, pool, precision, product_run, p, &time, error);
            bench_tape_free(&p->work);
            TRY(status);
            report(bench, pool, shape, batch * p->tokens, precision, packed, &time);
        }
    }
    return STATUS_OK;
}

static Status run(Bench *bench, const Shape *shape, Precision precision, bool packed, Error *error)
{
    Product *p = calloc(1, sizeof *p);
    if (!p)
        return mem_full(0, "a product", error);
    p->K = shape->K;
    p->N = shape->N;
    Status status = product_create(p, bench, precision, packed, error);
    if (status == STATUS_OK)
        status = measure(bench, p, shape, precision, packed, error);
    product_free(p);
    free(p);
    return status;
}

Status bench_products(Bench *bench, Error *error)
{
    const int D = bench->config.width, F = bench->config.mlp;
    const Shape shapes[] = {{"QKV", D, 3 * D}, {"out", D, D}, {"fc1", D, F}, {"fc2", F, D}};
    bench_note(bench, "products");
    bench_print(bench, "\n%-5s %5s %5s %5s  %-9s  %-15s %4s  %9s  %8s  %9s  %9s\n", "gemm", "M",
                "K", "N", "precision", "by", "thr.", "ms", "GFLOP/s", "of peak", "live peak");
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        for (int p = 0; p < PRECISION_COUNT; p++) {
            if (!bench->precisions[p])
                continue;
            if (packed_pays((Precision)p))
                TRY(run(bench, &shapes[i], (Precision)p, true, error));
            if (p == PRECISION_F32)
                TRY(run(bench, &shapes[i], PRECISION_F32, false, error));
        }
    }
    return STATUS_OK;
}
