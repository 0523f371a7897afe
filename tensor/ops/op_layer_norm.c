/*
 * op_layer_norm.c - y = gamma xhat + beta with xhat = (x - mean) / sqrt(var + eps), by row.
 *
 * Derivation. For one row of width D, with rstd = 1 / sqrt(var + eps) and g = gamma dy,
 *
 *     dx     = rstd (g - mean(g) - xhat mean(g xhat))
 *     dgamma = sum over rows of dy xhat        dbeta = sum over rows of dy
 *
 * The two means in dx appear because mean and var depend on every x of the row: changing x along 1
 * or along xhat leaves y unchanged, so dx has no component in either direction.
 *
 * Shapes. x [..,D], gamma and beta [D], y like x.
 *
 * What is kept: rstd of each row. If y is f32, also x (no copy) and the means, from which xhat is
 * recomputed. If y is bf16, a copy of xhat in bf16 instead, half the size of x. Ba, Kiros & Hinton,
 * arXiv 1607.06450.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <string.h>

enum {
    NORM_BLOCK_ROWS = 64,      /* rows of one sample summed to one partial dgamma and dbeta */
    NORM_REDUCE_COLUMNS = 128, /* columns per task that adds the partial sums */
};

enum { IN_X, IN_GAMMA, IN_BETA, INPUTS };
enum {
    SAVED_RSTD,
    SAVED_MEAN,
    SAVED_XHAT = SAVED_MEAN
}; /* saved[1] is mean if y is f32, xhat if bf16 */

typedef struct Forward {
    int D;
    float eps;
    const float *x;            /* [rows,D] */
    const float *gamma, *beta; /* [D] */
    DType type;                /* type of y */
    void *y;                   /* [rows,D] */
    float *rstd;               /* [rows], or NULL if nothing is recorded */
    float *mean;               /* [rows]; NULL unless recorded and y is f32 */
    uint16_t *xhat;            /* [rows,D] in bf16; NULL unless recorded and y is bf16 */
} Forward;

static void forward_rows(const void *context, OpRange rows)
{
    const Forward *f = context;
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        const ptrdiff_t start = (ptrdiff_t)row * f->D;
        float mean = 0, rstd;
        if (f->type == DTYPE_F32)
            kernels()->layer_norm(f->x + start, f->gamma, f->beta, f->D, f->eps,
                                  (float *)f->y + start, &mean, &rstd);
        else
            kernels()->layer_norm_bf16(f->x + start, f->gamma, f->beta, f->D, f->eps,
                                       (uint16_t *)f->y + start, f->xhat ? f->xhat + start : NULL,
                                       &rstd);
        if (f->rstd)
            f->rstd[row] = rstd;
        if (f->mean)
            f->mean[row] = mean;
    }
}

Tensor *op_layer_norm(Tape *tape, Tensor *x, Tensor *gamma, Tensor *beta, float eps, DType type)
{
    const int D = tensor_columns(x), rows = tensor_rows(x);
    tensor_expect(gamma, "layer_norm", "gamma", 1, &D);
    tensor_expect(beta, "layer_norm", "beta", 1, &D);
    Tensor *y = op_output_as(tape, type, x->ndim, x->shape);
    Tensor *const inputs[INPUTS] = {x, gamma, beta};
    Node *node = op_record(tape, OP_LAYER_NORM, y, inputs, INPUTS);
    Forward f = {.D = D,
                 .eps = eps,
                 .x = op_f32(tape, x),
                 .gamma = op_f32(tape, gamma),
                 .beta = op_f32(tape, beta),
                 .type = type,
                 .y = y->data};
    if (node) {
        op_keep(tape, node, gamma);
        f.rstd = op_save(tape, node, rows);
    }
    if (node && type == DTYPE_F32) {
        op_keep(tape, node, x);
        f.mean = op_save(tape, node, rows);
    } else if (node) {
        f.xhat = op_save_as(tape, node, DTYPE_BF16, tensor_count(x));
    }
    op_run_rows(tape, rows, D, forward_rows, &f);
    return y;
}

typedef struct Backward {
    int rows, blocks, D; /* rows and blocks of one sample */
    int samples;
    DType type;            /* type of y and dy */
    const void *dy;        /* [samples,rows,D] */
    const float *x;        /* [samples,rows,D], for f32 */
    const uint16_t *xhat;  /* [samples,rows,D], for bf16 */
    const float *gamma;    /* [D] */
    const float *rstd;     /* [samples,rows] */
    const float *mean;     /* [samples,rows], for f32 */
    float *dx;             /* [samples,rows,D] or NULL */
    float *dgamma, *dbeta; /* [D] or NULL */
    float *partial; /* [samples,blocks,2,D] sums of dgamma and dbeta, NULL if both are frozen */
} Backward;

/* Computes dx of one row and adds its terms to dgamma and dbeta. */
static void backward_row(const Backward *f, ptrdiff_t row, float *dgamma, float *dbeta)
{
    const ptrdiff_t start = row * f->D;
    float *dx = f->dx ? f->dx + start : NULL;
    if (f->type == DTYPE_F32)
        kernels()->layer_norm_backward(f->x + start, f->gamma, (const float *)f->dy + start, f->D,
                                       f->mean[row], f->rstd[row], dx, dgamma, dbeta);
    else
        kernels()->layer_norm_backward_bf16(f->xhat + start, f->gamma,
                                            (const uint16_t *)f->dy + start, f->D, f->rstd[row], dx,
                                            dgamma, dbeta);
}

/* One block of rows of one sample: computes dx and the block's partial sums of dgamma and dbeta. */
static void block_task(const void *context, int task)
{
    const Backward *f = context;
    const int sample = task / f->blocks;
    const OpRange rows = op_range(f->rows, NORM_BLOCK_ROWS, task % f->blocks);
    float *dgamma = f->partial ? f->partial + (ptrdiff_t)task * 2 * f->D : NULL;
    float *dbeta = dgamma ? dgamma + f->D : NULL;
    if (dgamma)
        memset(dgamma, 0, 2 * (size_t)f->D * sizeof *dgamma);
    for (int i = 0; i < rows.count; i++)
        backward_row(f, (ptrdiff_t)sample * f->rows + rows.begin + i, dgamma, dbeta);
}

/*
 * A range of columns: adds the partial sums of all blocks and samples, in order, to dgamma and
 * dbeta.
 */
static void reduce_task(const void *context, int task)
{
    const Backward *f = context;
    const OpRange columns = op_range(f->D, NORM_REDUCE_COLUMNS, task);
    for (int block = 0; block < f->samples * f->blocks; block++) {
        const float *sums = f->partial + (ptrdiff_t)block * 2 * f->D + columns.begin;
        if (f->dgamma)
            kernels()->add(sums, f->dgamma + columns.begin, columns.count);
        if (f->dbeta)
            kernels()->add(sums + f->D, f->dbeta + columns.begin, columns.count);
    }
}

void op_layer_norm_backward(Tape *tape, Node *node)
{
    Tensor *x = node->in[IN_X];
    const DType type = node->out->dtype;
    Backward f = {.rows = op_sample_rows(x),
                  .blocks = ceil_div_int(op_sample_rows(x), NORM_BLOCK_ROWS),
                  .D = tensor_columns(x),
                  .samples = op_samples(x),
                  .type = type,
                  .dy = node->out->grad,
                  .x = type == DTYPE_F32 ? op_f32(tape, x) : NULL,
                  .gamma = op_f32(tape, node->in[IN_GAMMA]),
                  .rstd = node->saved[SAVED_RSTD],
                  .mean = type == DTYPE_F32 ? node->saved[SAVED_MEAN] : NULL,
                  .xhat = type == DTYPE_F32 ? NULL : node->saved[SAVED_XHAT],
                  .dx = op_grad(tape, x),
                  .dgamma = op_grad(tape, node->in[IN_GAMMA]),
                  .dbeta = op_grad(tape, node->in[IN_BETA])};
    const int blocks = f.samples * f.blocks;
    if (f.dgamma || f.dbeta)
        f.partial = arena_alloc(tape_arena(tape), (size_t)blocks * 2 * f.D * sizeof *f.partial);
    op_run_tasks(tape, blocks, block_task, &f);
    if (f.partial)
        op_run_tasks(tape, ceil_div_int(f.D, NORM_REDUCE_COLUMNS), reduce_task, &f);
    arena_free(tape_arena(tape), f.partial);
}
