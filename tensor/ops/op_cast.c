/*
 * op_cast.c - the same numbers in another type, between maps that work in f32 and those that work in bf16.
 *
 * Derivation. As a function of real numbers it is the identity, so dx = dy. Rounding has no derivative; its
 * steps are taken as what they replace.
 *
 * Shapes. x and y alike. What is kept: nothing.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op_tasks_private.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

void op_convert(DType from_type, const void *from, DType type, void *to, size_t count)
{
    if (from_type == type)
        memcpy(to, from, count * dtype_size(type));
    else if (type == DTYPE_BF16)
        kernels()->to_bf16(from, to, count);
    else
        kernels()->from_bf16(from, to, count);
}

void op_accumulate(DType from_type, const void *from, DType type, void *to, size_t count)
{
    enum { BLOCK = 512 };
    if (from_type == DTYPE_F32 && type == DTYPE_F32) {
        kernels()->add(from, to, count);
        return;
    }
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        const size_t n = count - begin < BLOCK ? count - begin : BLOCK;
        float term[BLOCK], sum[BLOCK];
        void *const place = (char *)to + begin * dtype_size(type);
        op_convert(from_type, (const char *)from + begin * dtype_size(from_type), DTYPE_F32, term,
                   n);
        op_convert(type, place, DTYPE_F32, sum, n);
        kernels()->add(term, sum, n);
        op_convert(DTYPE_F32, sum, type, place, n);
    }
}

/* One call: numbers of x to y, or of dy to dx. */
typedef struct Cast {
    int count;
    DType from_type, type;
    const void *from; /* [count] */
    void *to;         /* [count] */
    bool adds;        /* to what is there */
} Cast;

static void cast_task(void *context, int task, int worker)
{
    (void)worker;
    const Cast *const cast = context;
    const OpRange range = op_range(cast->count, OP_TASK_ELEMENTS, task);
    const size_t begin = (size_t)range.begin;
    (cast->adds ? op_accumulate : op_convert)(
        cast->from_type, (const char *)cast->from + begin * dtype_size(cast->from_type), cast->type,
        (char *)cast->to + begin * dtype_size(cast->type), (size_t)range.count);
}

static void run_cast(Tape *tape, Cast *cast)
{
    if (!tape_is_planning(tape))
        threads_run(tape_threads(tape), op_range_count(cast->count, OP_TASK_ELEMENTS), cast_task,
                    cast);
}

Tensor *op_cast(Tape *tape, Tensor *x, DType type)
{
    assert(x->dtype == DTYPE_F32 || x->dtype == DTYPE_BF16);
    assert((x->data || tape_is_planning(tape)) && tensor_count(x) <= INT_MAX);
    Tensor *const y = op_output_as(tape, type, x->ndim, x->shape);
    (void)op_record(tape, OP_CAST, y, &x, 1);
    Cast cast = {.count = (int)tensor_count(x),
                 .from_type = x->dtype,
                 .type = type,
                 .from = x->data,
                 .to = y->data};
    run_cast(tape, &cast);
    return y;
}

void op_cast_backward(Tape *tape, Node *node)
{
    Tensor *const x = node->in[0];
    bool fresh;
    void *const dx = op_grad_fresh(tape, x, &fresh);
    Cast cast = {.count = (int)tensor_count(x),
                 .from_type = node->out->dtype,
                 .type = x->dtype,
                 .from = node->out->grad,
                 .to = dx,
                 .adds = !fresh};
    run_cast(tape, &cast);
}
