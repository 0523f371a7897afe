/*
 * op_elementwise.c - add, scale and GELU: each output element depends only on the input elements at
 * its position.
 *
 * Derivation. For y = f(x) element by element, dx = dy f'(x):
 *
 *     add    y = a + b       da = dy, db = dy
 *     scale  y = c x         dx = c dy
 *     gelu   y = x Phi(x)    dx = dy (Phi(x) + x phi(x)), phi the normal density, Phi' = phi
 *
 * Shapes. Any; operands and output agree. What is kept: only gelu's x (no copy).
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* Operands of one call: forward (a, b -> y) or backward (dy -> dx). */
typedef struct Elements {
    float factor;
    const float *a, *b, *dy;
    float *y, *dx;
} Elements;

/* Runs `task` over all elements of `tensor`. */
static void run_elements(Tape *tape, const Elements *f, const Tensor *tensor, OpRowsTask *task)
{
    assert(tensor_count(tensor) <= INT_MAX);
    op_run_rows(tape, (int)tensor_count(tensor), 1, task, f);
}

static void add_elements(const void *context, OpRange range)
{
    const Elements *f = context;
    memcpy(f->y + range.begin, f->a + range.begin, range.count * sizeof *f->y);
    kernels()->add(f->b + range.begin, f->y + range.begin, range.count);
}

/* dx += dy */
static void accumulate_elements(const void *context, OpRange range)
{
    const Elements *f = context;
    kernels()->add(f->dy + range.begin, f->dx + range.begin, range.count);
}

Tensor *op_add(Tape *tape, Tensor *a, Tensor *b)
{
    tensor_expect(b, "add", "b", a->ndim, a->shape);
    Tensor *y = op_output(tape, a->ndim, a->shape);
    op_record(tape, OP_ADD, y, (Tensor *const[]){a, b}, 2);
    const Elements f = {.a = op_f32(tape, a), .b = op_f32(tape, b), .y = op_f32(tape, y)};
    run_elements(tape, &f, y, add_elements);
    return y;
}

void op_add_backward(Tape *tape, Node *node)
{
    Tensor *a = node->in[0], *b = node->in[1], *y = node->out;
    if (a->needs_grad && b->needs_grad) {
        const Elements f = {.dy = y->grad, .dx = op_grad(tape, a)};
        run_elements(tape, &f, y, accumulate_elements);
    }
    op_pass_grad(tape, y, b->needs_grad ? b : a);
}

static void scale_elements(const void *context, OpRange range)
{
    const Elements *f = context;
    for (int i = range.begin; i < range.begin + range.count; i++)
        f->y[i] = f->factor * f->a[i];
}

static void scale_backward_elements(const void *context, OpRange range)
{
    const Elements *f = context;
    kernels()->axpy(f->factor, f->dy + range.begin, f->dx + range.begin, range.count);
}

Tensor *op_scale(Tape *tape, Tensor *x, float factor)
{
    Tensor *y = op_output(tape, x->ndim, x->shape);
    Node *node = op_record(tape, OP_SCALE, y, &x, 1);
    if (node)
        *(float *)op_settings(node, sizeof factor) = factor;
    const Elements f = {.factor = factor, .a = op_f32(tape, x), .y = op_f32(tape, y)};
    run_elements(tape, &f, y, scale_elements);
    return y;
}

void op_scale_backward(Tape *tape, Node *node)
{
    const Elements f = {.factor = *(float *)op_settings(node, sizeof(float)),
                        .dy = node->out->grad,
                        .dx = op_grad(tape, node->in[0])};
    run_elements(tape, &f, node->out, scale_backward_elements);
}

static void gelu_elements(const void *context, OpRange range)
{
    const Elements *f = context;
    kernels()->gelu(f->a + range.begin, f->y + range.begin, range.count);
}

/*
 * The kernel overwrites its output, but a backward must add: the result goes through a small
 * buffer.
 */
static void gelu_backward_elements(const void *context, OpRange range)
{
    enum { BUFFER = 1024 };
    const Elements *f = context;
    for (int done = 0; done < range.count; done += BUFFER) {
        const int start = range.begin + done, left = range.count - done;
        const size_t count = (size_t)(left < BUFFER ? left : BUFFER);
        float product[BUFFER];
        kernels()->gelu_backward(f->a + start, f->dy + start, product, count);
        kernels()->add(product, f->dx + start, count);
    }
}

Tensor *op_gelu(Tape *tape, Tensor *x)
{
    Tensor *y = op_output(tape, x->ndim, x->shape);
    Node *node = op_record(tape, OP_GELU, y, &x, 1);
    if (node)
        op_keep(tape, node, x);
    const Elements f = {.a = op_f32(tape, x), .y = op_f32(tape, y)};
    run_elements(tape, &f, y, gelu_elements);
    return y;
}

void op_gelu_backward(Tape *tape, Node *node)
{
    const Elements f = {
        .a = op_f32(tape, node->in[0]), .dy = node->out->grad, .dx = op_grad(tape, node->in[0])};
    run_elements(tape, &f, node->out, gelu_backward_elements);
}
