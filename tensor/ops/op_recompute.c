/*
 * op_recompute.c - a stretch of operations whose values are computed a second time instead of kept.
 *
 * Derivation. The backward of a stretch needs the values inside it, and these follow from its input. So only the
 * input is kept; when the gradient arrives, the stretch runs forward again, recorded on a tape of its own, and back.
 * The same operations on the same numbers: not a bit of the result differs. Memory falls from all values of all
 * stretches to their inputs and the values of one; time grows by one forward. Chen et al., arXiv 1604.06174.
 *
 * Shapes. Those of the stretch; its input and output are f32.
 *
 * What is kept: the input.
 */
#include "tensor/ops/op.h"

#include <assert.h>

Tensor *op_recompute(Tape *tape, Tensor *x, TapeSegment *segment, const void *context, int index)
{
    if (!x->needs_grad || !tape_is_recording(tape))
        return segment(tape, x, context, index);
    assert(tape_inner(tape) && "tape_allow_recompute comes first");
    tape_set_recording(tape, false);
    Tensor input = tensor_leaf(x->data, x->ndim, x->shape); /* a leaf cannot be released */
    Tensor *const y = segment(tape, &input, context, index);
    tape_set_recording(tape, true);
    Node *const node = op_record(tape, OP_RECOMPUTE, y, &x, 1);
    op_keep(tape, node, x);
    tape_release(tape, x);
    node->settings.recompute.segment = segment;
    node->settings.recompute.context = context;
    node->settings.recompute.index = index;
    assert(y != &input && "a segment computes something");
    /* cppcheck-suppress returnDanglingLifetime */
    return y;
}

void op_recompute_backward(Tape *tape, Node *node)
{
    Tensor *const x = node->in[0];
    Tape *const inner = tape_inner(tape);
    Tensor input = tensor_leaf(x->data, x->ndim, x->shape);
    input.needs_grad = true;
    input.grad = op_grad(tape, x);
    tape_set_dropout(inner, tape_dropout(tape)); /* what the first run dropped */
    Tensor *const y = node->settings.recompute.segment(
        inner, &input, node->settings.recompute.context, node->settings.recompute.index);
    tape_backward(inner, y, tensor_grad(node->out));
    tape_reset(inner);
}
