/*
 * op_recompute.c - activation checkpointing: the values of a segment are recomputed instead of
 * kept.
 *
 * Derivation. The backward of a segment needs the values inside it, which are a function of its
 * input. So only the input is kept; in the backward the segment runs forward again, recorded on the
 * inner tape, and then backward. The operations and values are the same, so the result is
 * bit-identical. Memory falls from the values of all segments to their inputs and the values of one
 * segment; time grows by one forward. Chen et al., arXiv 1604.06174.
 *
 * Shapes. As the segment defines them; its input and output are f32.
 *
 * What is kept: the input.
 */
#include "tensor/ops/op.h"

#include <assert.h>

typedef struct Settings {
    TapeSegment *segment;
    const void *context; /* borrowed until backward */
    int index;
} Settings;

Tensor *op_recompute(Tape *tape, Tensor *x, TapeSegment *segment, const void *context, int index)
{
    if (!x->needs_grad || !tape_is_recording(tape))
        return segment(tape, x, context, index);
    assert(tape_inner(tape) && "tape_allow_recompute comes first");
    tape_set_recording(tape, false);
    Tensor input = tensor_leaf(x->data, x->ndim, x->shape); /* a leaf cannot be released */
    Tensor *y = segment(tape, &input, context, index);
    tape_set_recording(tape, true);
    Node *node = op_record(tape, OP_RECOMPUTE, y, &x, 1);
    op_keep(tape, node, x);
    tape_release(tape, x);
    *(Settings *)op_settings(node, sizeof(Settings)) = (Settings){segment, context, index};
    assert(y != &input && "a segment computes something");
    /* cppcheck-suppress returnDanglingLifetime */
    return y;
}

void op_recompute_backward(Tape *tape, Node *node)
{
    Tensor *x = node->in[0];
    Tape *inner = tape_inner(tape);
    Tensor input = tensor_leaf(x->data, x->ndim, x->shape);
    input.needs_grad = true;
    input.grad = op_grad(tape, x);
    tape_set_dropout(inner, tape_dropout(tape)); /* the dropout of the first run */
    const Settings *settings = op_settings(node, sizeof *settings);
    Tensor *y = settings->segment(inner, &input, settings->context, settings->index);
    tape_backward(inner, y, tensor_grad(node->out));
    tape_reset(inner);
}
