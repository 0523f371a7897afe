/*
 * op_l2_normalize.c - y = x / max(|x|, eps), by row: projects features onto the unit sphere.
 *
 * Derivation. With n = |x| and dn/dx = x / n = y,
 *
 *     dx = (dy - y <y,dy>) / n        the component of dy along y is removed
 *     dx = dy / eps                   where n < eps: the divisor is constant
 *
 * PyTorch does the same; its clamp passes the gradient at n = eps. A row of zeros yields zeros, not
 * NaN.
 *
 * Shapes. x [..,D], y like x. What is kept: x (no copy); its norm is one dot product. Norms and dot
 * products are in double, because features of an untrained encoder are nearly collinear and the
 * losses that follow depend on their small differences.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <math.h>

typedef struct Rows {
    int D;
    double eps;
    const float *x, *dy; /* [rows,D] */
    float *y, *dx;       /* [rows,D] */
} Rows;

static void forward_rows(const void *context, OpRange rows)
{
    const Rows *f = context;
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        const float *x = f->x + (ptrdiff_t)row * f->D;
        float *y = f->y + (ptrdiff_t)row * f->D;
        const double norm = fmax(sqrt(kernels()->dot(x, x, f->D)), f->eps);
        for (int d = 0; d < f->D; d++)
            y[d] = (float)(x[d] / norm);
    }
}

Tensor *op_l2_normalize(Tape *tape, Tensor *x, float eps)
{
    Tensor *y = op_output(tape, x->ndim, x->shape);
    Node *node = op_record(tape, OP_L2_NORMALIZE, y, &x, 1);
    if (node) {
        *(float *)op_settings(node, sizeof eps) = eps;
        op_keep(tape, node, x);
    }
    const Rows f = {.D = tensor_columns(x), .eps = eps, .x = op_f32(tape, x), .y = op_f32(tape, y)};
    op_run_rows(tape, tensor_rows(x), f.D, forward_rows, &f);
    return y;
}

static void backward_rows(const void *context, OpRange rows)
{
    const Rows *f = context;
    for (int row = rows.begin; row < rows.begin + rows.count; row++) {
        const ptrdiff_t start = (ptrdiff_t)row * f->D;
        const float *x = f->x + start, *dy = f->dy + start;
        const double norm = sqrt(kernels()->dot(x, x, f->D));
        const double divisor = fmax(norm, f->eps);
        /* y <y,dy> / n, written with x = n y. */
        const double along =
            norm < f->eps ? 0 : kernels()->dot(x, dy, f->D) / (divisor * divisor * divisor);
        for (int d = 0; d < f->D; d++)
            f->dx[start + d] += (float)(dy[d] / divisor - x[d] * along);
    }
}

void op_l2_normalize_backward(Tape *tape, Node *node)
{
    const Tensor *x = node->in[0];
    const Rows f = {.D = tensor_columns(x),
                    .eps = *(float *)op_settings(node, sizeof(float)),
                    .x = op_f32(tape, x),
                    .dy = node->out->grad,
                    .dx = op_grad(tape, node->in[0])};
    op_run_rows(tape, tensor_rows(x), f.D, backward_rows, &f);
}
