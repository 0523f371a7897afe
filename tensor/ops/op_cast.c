/*
 * op_cast.c - conversion between f32 and bf16.
 *
 * Derivation. As a function of real numbers it is the identity, so dx = dy. Rounding has no
 * derivative; it is treated as the identity too.
 *
 * Shapes. x and y alike. What is kept: nothing.
 */
#include "tensor/ops/op.h"

#include <assert.h>
#include <limits.h>

/* Operands of one call: x -> y, or dy -> dx. */
typedef struct Cast {
    DType from_type, type;
    const char *from; /* [count] */
    char *to;         /* [count] */
    bool adds;        /* adds to `to` instead of overwriting it */
} Cast;

static void cast_elements(const void *context, OpRange range)
{
    const Cast *cast = context;
    const size_t begin = (size_t)range.begin;
    (cast->adds ? op_accumulate
                : op_convert)(cast->from_type, cast->from + begin * dtype_size(cast->from_type),
                              cast->type, cast->to + begin * dtype_size(cast->type), range.count);
}

Tensor *op_cast(Tape *tape, Tensor *x, DType type)
{
    assert((x->dtype == DTYPE_F32 || x->dtype == DTYPE_BF16) && tensor_count(x) <= INT_MAX);
    Tensor *y = op_output_as(tape, type, x->ndim, x->shape);
    (void)op_record(tape, OP_CAST, y, &x, 1);
    const Cast cast = {
        .from_type = x->dtype, .type = type, .from = op_data(tape, x), .to = y->data};
    op_run_rows(tape, (int)tensor_count(x), 1, cast_elements, &cast);
    return y;
}

void op_cast_backward(Tape *tape, Node *node)
{
    Tensor *x = node->in[0];
    bool overwrite;
    void *dx = op_grad_overwrite(tape, x, &overwrite);
    const Cast cast = {.from_type = node->out->dtype,
                       .type = x->dtype,
                       .from = node->out->grad,
                       .to = dx,
                       .adds = !overwrite};
    op_run_rows(tape, (int)tensor_count(x), 1, cast_elements, &cast);
}
