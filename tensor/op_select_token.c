/*
 * op_select_token.c - one token of every image: y[b,0] = x[b,token].
 *
 * Derivation. A copy: dx[b,token] = dy[b,0], and the other tokens receive nothing.
 *
 * Shapes. x [B,T,D] -> y [B,1,D]. What is kept: nothing.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/op.h"

#include <assert.h>
#include <string.h>

/* Where the token of image b starts in x. */
static ptrdiff_t token_offset(const Tensor *x, int b, int token)
{
    return ((ptrdiff_t)b * x->shape[1] + token) * x->shape[2];
}

Tensor *op_select_token(Tape *tape, Tensor *x, int token)
{
    tensor_expect(x, "select_token", "x", 3, (const int[]){0, 0, 0});
    assert(token >= 0 && token < x->shape[1]);
    const int B = x->shape[0], D = x->shape[2];
    Tensor *const y = op_output(tape, 3, (const int[]){B, 1, D});
    Node *const node = op_record(tape, OP_SELECT_TOKEN, y, &x, 1);
    if (node)
        node->settings.select_token.token = token;
    if (!tape_is_planning(tape))
        for (int b = 0; b < B; b++)
            memcpy(tensor_f32(y) + (ptrdiff_t)b * D, tensor_f32(x) + token_offset(x, b, token),
                   (size_t)D * sizeof(float));
    return y;
}

void op_select_token_backward(Tape *tape, Node *node)
{
    Tensor *const x = node->in[0];
    const int D = x->shape[2];
    float *const dx = op_grad(tape, x);
    if (!tape_is_planning(tape))
        for (int b = 0; b < x->shape[0]; b++)
            kernels()->add(tensor_grad(node->out) + (ptrdiff_t)b * D,
                           dx + token_offset(x, b, node->settings.select_token.token), (size_t)D);
}
