/*
 * op_softmax.c - y = exp(x - max) / sum, by row.
 *
 * Derivation. dy_i/dx_j = y_i (delta_ij - y_j). With <y,dy> the dot product of one row:
 *
 *     dx = y (dy - <y,dy>)
 *
 * Shapes. x [..,C], y like x. What is kept: y (no copy); the derivative is a function of y alone.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <string.h>

typedef struct Rows {
    int C;
    const float *x, *dy; /* [rows,C] */
    float *y, *dx;       /* [rows,C] */
} Rows;

static void forward_rows(const void *context, OpRange rows)
{
    const Rows *f = context;
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        float *y = f->y + (ptrdiff_t)row * f->C;
        memcpy(y, f->x + (ptrdiff_t)row * f->C, f->C * sizeof *y);
        kernels()->softmax(y, f->C, 1);
    }
}

Tensor *op_softmax(Tape *tape, Tensor *x)
{
    Tensor *y = op_output(tape, x->ndim, x->shape);
    Node *node = op_record(tape, OP_SOFTMAX, y, &x, 1);
    if (node)
        op_keep(tape, node, y);
    const Rows f = {.C = tensor_columns(x), .x = op_f32(tape, x), .y = op_f32(tape, y)};
    op_run_rows(tape, tensor_rows(x), f.C, forward_rows, &f);
    return y;
}

static void backward_rows(const void *context, OpRange rows)
{
    const Rows *f = context;
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        const ptrdiff_t start = (ptrdiff_t)row * f->C;
        const float *y = f->y + start, *dy = f->dy + start;
        const float dot = (float)kernels()->dot(y, dy, f->C);
        for (int c = 0; c < f->C; c++)
            f->dx[start + c] += y[c] * (dy[c] - dot);
    }
}

void op_softmax_backward(Tape *tape, Node *node)
{
    const Tensor *y = node->out;
    const Rows f = {.C = tensor_columns(y),
                    .y = op_f32(tape, y),
                    .dy = y->grad,
                    .dx = op_grad(tape, node->in[0])};
    op_run_rows(tape, tensor_rows(y), f.C, backward_rows, &f);
}
