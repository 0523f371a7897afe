/*
 * op_select_token.c - one token of every image: y[b,0] = x[b,token].
 *
 * Derivation. A copy: dx[b,token] = dy[b,0]; the gradient of the other tokens is 0.
 *
 * Shapes. x [B,T,D] -> y [B,1,D], of x's type. What is kept: nothing.
 */
#include "tensor/ops/op.h"

#include <assert.h>
#include <string.h>

/* Operands of one call: x -> y, or dy -> dx. */
typedef struct Tokens {
    const Tensor *x;
    int token;
    char *tokens;   /* x or dx [B,T,D] */
    char *selected; /* y or dy [B,1,D] */
    bool clears;    /* dx is uninitialised: set it to zero first */
} Tokens;

static void forward(const void *context)
{
    const Tokens *f = context;
    const size_t bytes = (size_t)f->x->shape[2] * dtype_size(f->x->dtype);
    const size_t T = (size_t)f->x->shape[1];
    for (size_t b = 0; b < (size_t)f->x->shape[0]; b++)
        memcpy(f->selected + b * bytes, f->tokens + (b * T + (size_t)f->token) * bytes, bytes);
}

Tensor *op_select_token(Tape *tape, Tensor *x, int token)
{
    tensor_expect(x, "select_token", "x", 3, (const int[]){0, 0, 0});
    assert(token >= 0 && token < x->shape[1]);
    const int B = x->shape[0], D = x->shape[2];
    Tensor *y = op_output_as(tape, x->dtype, 3, (const int[]){B, 1, D});
    Node *node = op_record(tape, OP_SELECT_TOKEN, y, &x, 1);
    if (node)
        *(int *)op_settings(node, sizeof token) = token;
    const Tokens f = {
        .x = x, .token = token, .tokens = op_data(tape, x), .selected = op_data(tape, y)};
    op_run(tape, forward, &f);
    return y;
}

static void backward(const void *context)
{
    const Tokens *f = context;
    const size_t T = (size_t)f->x->shape[1], D = (size_t)f->x->shape[2];
    const size_t bytes = D * dtype_size(f->x->dtype);
    if (f->clears)
        memset(f->tokens, 0, tensor_count(f->x) * dtype_size(f->x->dtype));
    for (size_t b = 0; b < (size_t)f->x->shape[0]; b++)
        op_accumulate(f->x->dtype, f->selected + b * bytes, f->x->dtype,
                      f->tokens + (b * T + (size_t)f->token) * bytes, D);
}

void op_select_token_backward(Tape *tape, Node *node)
{
    Tokens f = {.x = node->in[0],
                .token = *(int *)op_settings(node, sizeof(int)),
                .selected = node->out->grad};
    f.tokens = op_grad_overwrite(tape, node->in[0], &f.clears);
    op_run(tape, backward, &f);
}
