/*
 * op_elementwise.c - add, scale and GELU: every output number comes from the inputs in the same place.
 *
 * Derivation. For y = f(x) element by element, dx = dy f'(x):
 *
 *     add    y = a + b       da = dy, db = dy
 *     scale  y = c x         dx = c dy
 *     gelu   y = x Phi(x)    dx = dy (Phi(x) + x phi(x)), phi the normal density, Phi' = phi
 *
 * Shapes. Any; operands and output agree. What is kept: nothing but gelu's x (no copy).
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op_tasks_private.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* One call, forward (a, b -> y) or backward (dy -> dx). */
typedef struct Elements {
    int count;
    float factor;
    const float *a, *b, *dy;
    float *y, *dx;
} Elements;

/* Runs `task` over all elements of `tensor`. */
static void run_elements(Tape *tape, Elements *f, const Tensor *tensor, ThreadsTask task)
{
    assert(tensor_count(tensor) <= INT_MAX);
    f->count = (int)tensor_count(tensor);
    threads_run(tape_threads(tape), op_range_count(f->count, OP_TASK_ELEMENTS), task, f);
}

static void add_task(void *context, int task, int worker)
{
    (void)worker;
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
    memcpy(f->y + range.begin, f->a + range.begin, (size_t)range.count * sizeof *f->y);
    kernels()->add(f->b + range.begin, f->y + range.begin, (size_t)range.count);
}

/* dx += dy */
static void accumulate_task(void *context, int task, int worker)
{
    (void)worker;
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
    kernels()->add(f->dy + range.begin, f->dx + range.begin, (size_t)range.count);
}

Tensor *op_add(Tape *tape, Tensor *a, Tensor *b)
{
    tensor_expect(b, "add", "b", a->ndim, a->shape);
    Tensor *const y = op_output(tape, a->ndim, a->shape);
    op_record(tape, OP_ADD, y, (Tensor *const[]){a, b}, 2);
    if (!tape_is_planning(tape)) {
        Elements f = {.a = tensor_f32(a), .b = tensor_f32(b), .y = tensor_f32(y)};
        run_elements(tape, &f, y, add_task);
    }
    return y;
}

void op_add_backward(Tape *tape, Node *node)
{
    Tensor *const a = node->in[0], *const b = node->in[1], *const y = node->out;
    if (a->needs_grad && b->needs_grad) {
        Elements f = {.dy = y->grad, .dx = op_grad(tape, a)};
        if (!tape_is_planning(tape))
            run_elements(tape, &f, y, accumulate_task);
    }
    op_pass_grad(tape, y, b->needs_grad ? b : a);
}

static void scale_task(void *context, int task, int worker)
{
    (void)worker;
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
    for (int i = range.begin; i < range.begin + range.count; i++)
        f->y[i] = f->factor * f->a[i];
}

static void scale_backward_task(void *context, int task, int worker)
{
    (void)worker;
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
    kernels()->axpy(f->factor, f->dy + range.begin, f->dx + range.begin, (size_t)range.count);
}

Tensor *op_scale(Tape *tape, Tensor *x, float factor)
{
    Tensor *const y = op_output(tape, x->ndim, x->shape);
    Node *const node = op_record(tape, OP_SCALE, y, &x, 1);
    if (node)
        node->settings.scale.factor = factor;
    if (!tape_is_planning(tape)) {
        Elements f = {.factor = factor, .a = tensor_f32(x), .y = tensor_f32(y)};
        run_elements(tape, &f, y, scale_task);
    }
    return y;
}

void op_scale_backward(Tape *tape, Node *node)
{
    Elements f = {.factor = node->settings.scale.factor,
                  .dy = node->out->grad,
                  .dx = op_grad(tape, node->in[0])};
    if (!tape_is_planning(tape))
        run_elements(tape, &f, node->out, scale_backward_task);
}

static void gelu_task(void *context, int task, int worker)
{
    (void)worker;
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
    kernels()->gelu(f->a + range.begin, f->y + range.begin, (size_t)range.count);
}

/* The kernel overwrites and a backward adds: the product passes through a small buffer. */
static void gelu_backward_task(void *context, int task, int worker)
{
    (void)worker;
    enum { BUFFER = 1024 };
    const Elements *const f = context;
    const OpRange range = op_range(f->count, OP_TASK_ELEMENTS, task);
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
    Tensor *const y = op_output(tape, x->ndim, x->shape);
    Node *const node = op_record(tape, OP_GELU, y, &x, 1);
    if (node)
        op_keep(tape, node, x);
    if (!tape_is_planning(tape)) {
        Elements f = {.a = tensor_f32(x), .y = tensor_f32(y)};
        run_elements(tape, &f, y, gelu_task);
    }
    return y;
}

void op_gelu_backward(Tape *tape, Node *node)
{
    Elements f = {.dy = node->out->grad, .dx = op_grad(tape, node->in[0])};
    if (!tape_is_planning(tape)) {
        f.a = tensor_f32(node->in[0]);
        run_elements(tape, &f, node->out, gelu_backward_task);
    }
}
