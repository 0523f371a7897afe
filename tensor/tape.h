/*
 * tape.h - reverse-mode automatic differentiation.
 *
 * Operations (ops.h) compute at once and, if one of their inputs needs a gradient, append a node to
 * the tape. tape_backward walks the nodes in reverse. An operation whose inputs need no gradient
 * leaves no node and saves nothing: inference is the same code with nothing to record.
 *
 * Memory. Values live in the step arena. A value's data live until the caller has released them
 * (tape_release) and the backward of every recorded node that keeps them has run. Tensor headers
 * are valid until tape_reset. Over a measuring arena the tape only plans: operations check shapes
 * and allocate, but compute nothing.
 *
 * Backward accumulates: every backward adds to its inputs' gradients, and gradients of intermediate
 * values are set to zero in exactly one place, op_grad. Parameters' gradients are zeroed by their
 * owner (train/), once a step. A leaf with needs_grad but no gradient buffer gets a zeroed one
 * until tape_reset, which also sets its pointer to NULL: such a leaf must live until then.
 *
 * Not thread-safe; operations spread their own work over the tape's threads.
 *
 * Tests: tests/test_tape.c.
 */
#ifndef LNCLIP_TENSOR_TAPE_H
#define LNCLIP_TENSOR_TAPE_H

#include "tensor/arena.h"
#include "tensor/tensor.h"
#include "tensor/threads.h"

#include <stdint.h>

typedef struct Tape Tape;

/*
 * Creates a tape over `arena` and `threads` (both borrowed; threads may be NULL). Its own tables
 * (nodes and tensor headers) are allocated here for up to `max_nodes` operations between two
 * resets, recorded or not, so that recording allocates nothing. Several tapes may share one arena.
 * The caller owns *tape and frees it with tape_destroy. STATUS_FAILED, with *tape NULL, if out of
 * memory.
 */
Status tape_create(Tape **tape, Arena *arena, Threads *threads, int max_nodes, Error *error);

/*
 * Prepares op_recompute: creates an inner tape over the same arena, for up to `max_nodes`
 * operations of one segment, which `tape` owns. Call at most once. STATUS_FAILED if out of memory.
 */
Status tape_allow_recompute(Tape *tape, int max_nodes, Error *error);

/* The inner tape, or NULL. It is empty except during a backward of op_recompute. */
Tape *tape_inner(const Tape *tape);

/* Releases everything the tape holds in the arena, then frees the tape. NULL is allowed. */
void tape_destroy(Tape *tape);

/*
 * Removes all nodes and values, frees their blocks and the gradients that the tape allocated for
 * leaves, and switches dropout off.
 */
void tape_reset(Tape *tape);

/* Enables recording (the default) or disables it (evaluation: nothing is kept). */
void tape_set_recording(Tape *tape, bool recording);

bool tape_is_recording(const Tape *tape);

/*
 * Dropout of the input of LoRA's A (op_lora in ops.h). Whether an element is dropped depends only
 * on seed, step, sample, map, part and element, so every pass over a sample drops the same
 * elements.
 */
typedef struct TapeDropout {
    double p; /* fraction of the elements that is dropped, 0 <= p < 1; 0: none */
    uint64_t seed;
    uint32_t step;
    uint32_t first; /* index in the batch of this tape's first sample */
} TapeDropout;

/* Sets dropout for the operations that follow, and for their backward, until tape_reset. */
void tape_set_dropout(Tape *tape, TapeDropout dropout);

/* The dropout set, with p = 0 if none. */
TapeDropout tape_dropout(const Tape *tape);

/* True over a measuring arena. */
bool tape_is_planning(const Tape *tape);

/*
 * Releases the data of `value`, an output of an operation on this tape, which the caller no longer
 * needs. They are freed now, or after the backward of the last recorded node that keeps them. The
 * gradient and the header are not affected. Leaves and NULL are ignored.
 */
void tape_release(Tape *tape, Tensor *value);

/*
 * Hands `value`, an output of an operation on this tape, over to the next op_linear whose residual
 * it is. That op_linear releases `value`, and overwrites its data with the result unless a recorded
 * node keeps them.
 */
void tape_hand_over(Tape *tape, Tensor *value);

/*
 * For tests. Keeps the gradient of `value`, which tape_backward otherwise frees after its use,
 * until tape_reset. Leaves always keep theirs.
 */
void tape_retain_grad(Tape *tape, Tensor *value);

/*
 * Back-propagates from `root`, an f32 output of this tape with needs_grad. `seed` [shape of root]
 * is the gradient of the objective with respect to root, borrowed for the call; NULL means 1 for a
 * root of one element. Adds to the gradients of all leaves that need one. Consumes the tape: kept
 * data are freed as their nodes run, so it can run once between resets.
 */
void tape_backward(Tape *tape, Tensor *root, const float *seed);

/*
 * For reports and tests. Number of recorded nodes, and bytes of the values that they keep and save.
 */
int tape_nodes(const Tape *tape);
size_t tape_kept_bytes(const Tape *tape);

/* The arguments of tape_create (borrowed). */
Threads *tape_threads(const Tape *tape);
Arena *tape_arena(const Tape *tape);

#endif
