/*
 * tape.h - reverse-mode automatic differentiation.
 *
 * Operations (ops.h) compute at once and, if one of their inputs needs a gradient, append a node to
 * the tape. tape_backward walks the nodes in reverse. An operation whose inputs need no gradient
 * leaves no node and saves nothing: inference is the same code with nothing to record.
 *
 * Memory. Values live in the step arena. A value's numbers stay as long as someone needs them: the
 * caller until tape_release, and each recorded node that asked to keep them until its backward ran.
 * Tensor headers stay valid until tape_reset. Over a measuring arena the tape only plans:
 * operations check shapes and allocate, but compute nothing.
 *
 * Backward accumulates: every backward adds to its inputs' gradients, and gradients of intermediate
 * values are set to zero in exactly one place, op_grad. Parameters' gradients are zeroed by whoever
 * owns them (train/), once a step. A leaf with needs_grad but no buffer of its own is given one,
 * zeroed, that lives until tape_reset, which also sets its pointer back to NULL: such a leaf must
 * live as long.
 *
 * Not thread-safe; operations spread their own work over the tape's threads.
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
 * STATUS_FAILED without memory.
 */
Status tape_create(Tape **tape, Arena *arena, Threads *threads, int max_nodes, Error *error);

/*
 * Makes room for op_recompute: an inner tape over the same arena, for up to `max_nodes` operations
 * of one segment. Once at most. STATUS_FAILED without memory.
 */
Status tape_allow_recompute(Tape *tape, int max_nodes, Error *error);

/* That inner tape, empty but in a backward of op_recompute; NULL if there is none. */
Tape *tape_inner(const Tape *tape);

/* Releases everything the tape holds in the arena, then frees the tape. NULL is allowed. */
void tape_destroy(Tape *tape);

/* Forgets all nodes and values and gives their blocks back to the arena. */
void tape_reset(Tape *tape);

/* Whether operations may record (default true). False: evaluation, nothing is kept. */
void tape_set_recording(Tape *tape, bool recording);

bool tape_is_recording(const Tape *tape);

/*
 * Dropout of what LoRA's A reads (op_lora in ops.h). Whether an element is dropped is a function
 * of seed, step, sample, map, part and element alone, so every pass over a sample drops the same.
 */
typedef struct TapeDropout {
    double p; /* fraction of the elements that is dropped, 0 <= p < 1; 0: none */
    uint64_t seed;
    uint32_t step;
    uint32_t first; /* place of the tape's first sample in the whole batch */
} TapeDropout;

/* Operations drop from now on, and so does their backward, until tape_reset. Comes before them. */
void tape_set_dropout(Tape *tape, TapeDropout dropout);

/* What is set, p = 0 if nothing is. */
TapeDropout tape_dropout(const Tape *tape);

/* True over a measuring arena. */
bool tape_is_planning(const Tape *tape);

/*
 * The caller no longer needs the numbers of `value`, an output of an operation on this tape. They
 * are given back now, or once the last recorded node that kept them has run backward. The gradient
 * and the header are not affected. Leaves and NULL are allowed and ignored.
 */
void tape_release(Tape *tape, Tensor *value);

/*
 * The caller's use of `value`, an output of an operation on this tape, ends with the next op_linear
 * that has it as its residual: that one releases it, and writes its result in its place where no
 * recorded node keeps its data.
 */
void tape_hand_over(Tape *tape, Tensor *value);

/*
 * Asks for the gradient of `value` [shape], which tape_backward would give back once it is used, to
 * stay until tape_reset. Leaves always keep theirs.
 */
void tape_retain_grad(Tape *tape, Tensor *value);

/*
 * Back-propagates from `root`, an f32 output of this tape with needs_grad. `seed` [shape of root]
 * is the gradient of the objective with respect to root; NULL means 1 for a root of one element.
 * Adds to the gradients of all leaves that need one. Consumes the tape: kept numbers are given back
 * as their nodes run, so it can run once between resets.
 */
void tape_backward(Tape *tape, Tensor *root, const float *seed);

/* Number of recorded nodes, and of bytes of values and saved numbers they keep: for reports and
 * tests. */
int tape_nodes(const Tape *tape);
size_t tape_kept_bytes(const Tape *tape);

Threads *tape_threads(const Tape *tape);
Arena *tape_arena(const Tape *tape);

#endif
