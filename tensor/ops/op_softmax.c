/*
 * op_softmax.c - y = exp(x - max) / sum, row by row.
 *
 * Derivation. dy_i/dx_j = y_i (delta_ij - y_j), so with <y,dy> the row's dot product
 *
 *     dx = y (dy - <y,dy>)
 *
 * Shapes. x [..,C], y like x. What is kept: y, from which alone the derivative is made (no copy).
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op_tasks_private.h"

#include <string.h>

typedef struct Rows {
    int rows, C;
    const float *x, *dy; /* [rows,C] */
    float *y, *dx;       /* [rows,C] */
} Rows;

static void forward_task(void *context, int task, int worker)
{
    (void)worker;
    const Rows *const f = context;
    const OpRange rows = op_range(f->rows, op_task_rows(f->C), task);
    const ptrdiff_t start = (ptrdiff_t)rows.begin * f->C;
    memcpy(f->y + start, f->x + start, (size_t)rows.count * (size_t)f->C * sizeof *f->y);
    for (int i = 0; i < rows.count; i++)
        kernels()->softmax(f->y + start + (ptrdiff_t)i * f->C, f->C, 1);
}

Tensor *op_softmax(Tape *tape, Tensor *x)
{
    Tensor *const y = op_output(tape, x->ndim, x->shape);
    Node *const node = op_record(tape, OP_SOFTMAX, y, &x, 1);
    if (node)
        op_keep(tape, node, y);
    if (!tape_is_planning(tape)) {
        Rows f = {
            .rows = tensor_rows(x), .C = tensor_columns(x), .x = tensor_f32(x), .y = tensor_f32(y)};
        threads_run(tape_threads(tape), op_range_count(f.rows, op_task_rows(f.C)), forward_task,
                    &f);
    }
    return y;
}

static void backward_task(void *context, int task, int worker)
{
    (void)worker;
    const Rows *const f = context;
    const OpRange rows = op_range(f->rows, op_task_rows(f->C), task);
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        const ptrdiff_t start = (ptrdiff_t)row * f->C;
        const float *const y = f->y + start, *const dy = f->dy + start;
        const float dot = (float)kernels()->dot(y, dy, (size_t)f->C);
        for (int c = 0; c < f->C; c++)
            f->dx[start + c] += y[c] * (dy[c] - dot);
    }
}

void op_softmax_backward(Tape *tape, Node *node)
{
    const Tensor *const y = node->out;
    Rows f = {.rows = tensor_rows(y),
              .C = tensor_columns(y),
              .dy = y->grad,
              .dx = op_grad(tape, node->in[0])};
    if (!tape_is_planning(tape)) {
        f.y = tensor_f32(y);
        threads_run(tape_threads(tape), op_range_count(f.rows, op_task_rows(f.C)), backward_task,
                    &f);
    }
}
