/*
 * op_uniformity.c - log of the mean over all pairs i < j of exp(-2 |z_i - z_j|^2).
 *
 * Derivation. With w_ij = exp(-2 d2_ij), P pairs and W = sum over pairs of w,
 *
 *     loss = log(W / P) = log1p((1/P) sum over pairs of expm1(-2 d2))
 *     dz_i = -(4/W) sum over j of w_ij (z_i - z_j)
 *
 * Features of an untrained encoder are nearly collinear, so d2 may be 1e-6 and the loss -2e-6; the
 * second form then keeps ten more digits. Rows that are far apart, which happens off the unit
 * sphere, need the first form, since log1p near -1 cannot represent a W below 1e-16 P. The second
 * form is used if the mean weight W / P is above 1/2. Everything is computed in double and rounded
 * once.
 *
 * Shapes. z [..,D] -> [1]; 0 with zero gradient for fewer than two rows, where there is no pair.
 *
 * What is kept: z (no copy) and W. The backward recomputes the weights: all N^2 would take more
 * memory than the features. A task is one row against all later rows (forward) or all others
 * (backward); sums run in the order of the rows. Wang & Isola, arXiv 2005.10242, section 4, with t
 * = 2.
 */
#include "tensor/ops/op.h"

#include <math.h>
#include <string.h>

typedef struct Pairs {
    int rows, D;
    const float *z;     /* [rows,D] */
    double *excess;     /* [rows]: sum over later rows of w - 1 */
    double *weight;     /* [rows]: sum over later rows of w */
    double *W;          /* [1] sum of all weights, or NULL if nothing is recorded */
    const float *dloss; /* [1] */
    float *loss, *dz;   /* [1], [rows,D] */
} Pairs;

/* |a - b|^2 in double. Four partial sums, so that additions do not wait for each other. */
static double squared_distance(const float *a, const float *b, int D)
{
    double sum[4] = {0};
    int d = 0;
    for (; d + 4 <= D; d += 4)
        for (int lane = 0; lane < 4; lane++) {
            const double difference = (double)a[d + lane] - b[d + lane];
            sum[lane] += difference * difference;
        }
    for (; d < D; d++) {
        const double difference = (double)a[d] - b[d];
        sum[0] += difference * difference;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void forward_task(const void *context, int i)
{
    const Pairs *f = context;
    double excess = 0, weight = 0;
    for (int j = i + 1; j < f->rows; j++) {
        const double exponent =
            -2 * squared_distance(f->z + (ptrdiff_t)i * f->D, f->z + (ptrdiff_t)j * f->D, f->D);
        excess += expm1(exponent);
        weight += exp(exponent);
    }
    f->excess[i] = excess;
    f->weight[i] = weight;
}

static void loss_of_sums(const void *context)
{
    const Pairs *f = context;
    const double pairs = 0.5 * f->rows * (f->rows - 1.0);
    double excess = 0, W = 0;
    for (int i = 0; i < f->rows; i++) {
        excess += f->excess[i];
        W += f->weight[i];
    }
    if (f->W)
        *f->W = W;
    const double loss = 2 * W > pairs ? log1p(excess / pairs) : log(W / pairs);
    *f->loss = f->rows > 1 ? (float)loss : 0;
}

Tensor *op_uniformity(Tape *tape, Tensor *z)
{
    Tensor *y = op_output(tape, 1, (const int[]){1});
    Node *node = op_record(tape, OP_UNIFORMITY, y, &z, 1);
    Pairs f = {.rows = tensor_rows(z),
               .D = tensor_columns(z),
               .z = op_f32(tape, z),
               .loss = op_f32(tape, y)};
    if (node) {
        op_keep(tape, node, z);
        f.W = (double *)(void *)op_save(tape, node, sizeof *f.W / sizeof(float));
    }
    f.excess = arena_alloc(tape_arena(tape), 2 * (size_t)f.rows * sizeof *f.excess);
    f.weight = f.excess + f.rows;
    op_run_tasks(tape, f.rows, forward_task, &f);
    op_run(tape, loss_of_sums, &f);
    arena_free(tape_arena(tape), f.excess);
    return y;
}

/* scratch: [D] doubles. */
static void backward_task(const void *context, int i, float *scratch)
{
    const Pairs *f = context;
    const int D = f->D;
    const float *zi = f->z + (ptrdiff_t)i * D;
    float *dz = f->dz + (ptrdiff_t)i * D;
    double *gradient = (double *)(void *)scratch; /* blocks of the arena are aligned for any type */
    memset(gradient, 0, D * sizeof *gradient);
    for (int j = 0; j < f->rows; j++) {
        if (j == i)
            continue;
        const float *zj = f->z + (ptrdiff_t)j * D;
        const double w = exp(-2 * squared_distance(zi, zj, D));
        for (int d = 0; d < D; d++)
            gradient[d] += w * ((double)zi[d] - zj[d]);
    }
    const double factor = -4 / *f->W * (double)*f->dloss;
    for (int d = 0; d < D; d++)
        dz[d] += (float)(factor * gradient[d]);
}

void op_uniformity_backward(Tape *tape, Node *node)
{
    Tensor *z = node->in[0];
    const Pairs f = {.rows = tensor_rows(z),
                     .D = tensor_columns(z),
                     .z = op_f32(tape, z),
                     .W = node->saved[0],
                     .dloss = tensor_grad(node->out),
                     .dz = op_grad(tape, z)};
    const size_t floats = f.D * sizeof(double) / sizeof(float);
    op_run_scratch(tape, f.rows > 1 ? f.rows : 0, floats, backward_task, &f);
}
