/*
 * op_select_token.c - one token of every image: y[b,0] = x[b,token].
 *
 * Derivation. A copy: dx[b,token] = dy[b,0], and the other tokens receive nothing.
 *
 * Shapes. x [B,T,D] -> y [B,1,D], of x's type. What is kept: nothing.
 */
#include "tensor/ops/op.h"

#include <assert.h>
#include <string.h>

/* Bytes before the token of image b in x or dx. */
static size_t token_offset(const Tensor *x, int b, int token)
{
    const size_t row = (size_t)b * (size_t)x->shape[1] + (size_t)token;
    return row * (size_t)x->shape[2] * dtype_size(x->dtype);
}

Tensor *op_select_token(Tape *tape, Tensor *x, int token)
{
    tensor_expect(x, "select_token", "x", 3, (const int[]){0, 0, 0});
    assert(token >= 0 && token < x->shape[1]);
    const int B = x->shape[0], D = x->shape[2];
    Tensor *const y = op_output_as(tape, x->dtype, 3, (const int[]){B, 1, D});
    Node *const node = op_record(tape, OP_SELECT_TOKEN, y, &x, 1);
    if (node)
        node->settings.select_token.token = token;
    if (tape_is_planning(tape))
        return y;
    assert(x->data);
    for (int b = 0; b < B; b++)
        memcpy((char *)y->data + token_offset(y, b, 0),
               (const char *)x->data + token_offset(x, b, token), (size_t)D * dtype_size(x->dtype));
    return y;
}

void op_select_token_backward(Tape *tape, Node *node)
{
    Tensor *const x = node->in[0], *const y = node->out;
    const size_t D = (size_t)x->shape[2];
    bool fresh;
    char *const dx = op_grad_fresh(tape, x, &fresh);
    if (tape_is_planning(tape))
        return;
    if (fresh)
        memset(dx, 0, tensor_count(x) * dtype_size(x->dtype));
    for (int b = 0; b < x->shape[0]; b++)
        op_accumulate(x->dtype, (const char *)y->grad + token_offset(y, b, 0), x->dtype,
                      dx + token_offset(x, b, node->settings.select_token.token), D);
}
