/*
 * op.h - what an operation's file needs from the tape. Users of the library include ops.h instead.
 *
 * An operation is one file op_NAME.c: derivation, shape rule, forward (what is saved and why), backward.
 * Its forward has the pattern
 *
 *     Tensor *y = op_output(tape, ndim, shape);         allocates [shape]
 *     if (!tape_is_planning(tape)) compute y
 *     Node *node = op_record(tape, OP_NAME, y, inputs, count);   NULL when nothing needs a gradient
 *     if (node) { op_keep(node, x); node->saved[0] = ...; }
 *
 * and its backward reads node->out->grad and adds to op_grad(tape, input), which is NULL for an input
 * that needs no gradient: that branch is then skipped, dX still flows while dW is never computed.
 *
 * Planning (a measuring arena): tape_backward runs every backward there too, so a backward must make
 * the same calls of op_grad, op_pass_grad, op_scratch, arena_alloc and arena_free in the same order
 * whatever the numbers are, and leave out the arithmetic when tape_is_planning(tape). The pointers it
 * gets are addresses nobody may read or write.
 */
#ifndef LNCLIP_TENSOR_OPS_OP_H
#define LNCLIP_TENSOR_OPS_OP_H

#include "tensor/ops/ops.h"

enum { OP_MAX_INPUTS = 14, OP_MAX_SAVED = 3, OP_MAX_KEPT = 4 };

typedef enum OpKind {
    OP_LINEAR,
    OP_LAYER_NORM,
    OP_ATTENTION,
    OP_PATCH_EMBED,
    OP_EMBED_TOKENS,
    OP_CAST,
    OP_SELECT_TOKEN,
    OP_ADD,
    OP_SCALE,
    OP_GELU,
    OP_SOFTMAX,
    OP_L2_NORMALIZE,
    OP_CROSS_ENTROPY,
    OP_ALIGNMENT,
    OP_UNIFORMITY,
    OP_SLERP,
    OP_RECOMPUTE,
    OP_COUNT,
} OpKind;

/* Settings of one recorded operation that are not tensors: which member is valid follows from the kind. */
typedef union OpSettings {
    struct {
        int parts;
        Activation activation;
        const PackedMatrix *backward; /* borrowed until backward; NULL: gemm, or narrow */
        bool narrow;
        uint16_t lora_map; /* as Linear has it, and the scale too */
        float lora_scale;
    } linear;
    struct {
        int heads;
    } attention;
    struct {
        int token;
    } select_token;
    struct {
        float factor;
    } scale;
    struct {
        float eps;
    } l2_normalize;
    struct {
        const int *labels; /* [N], borrowed until backward */
        float smoothing;
    } cross_entropy;
    struct {
        const int *labels; /* [N], borrowed until backward */
    } alignment;
    struct {
        const int *partner; /* [N], borrowed until backward */
        const float *t;     /* [N], borrowed until backward */
    } slerp;
    struct {
        TapeSegment *segment;
        const void *context; /* borrowed until backward */
        int index;
    } recompute;
} OpSettings;

typedef struct Node {
    OpKind kind;
    Tensor *out;
    Tensor *in[OP_MAX_INPUTS]; /* NULL where an optional operand is absent */
    int inputs;
    Tensor *kept[OP_MAX_KEPT]; /* whose numbers the backward reads */
    int kept_count;
    void *saved[OP_MAX_SAVED]; /* the operation's own numbers, blocks of the arena, or NULL */
    OpSettings settings;
} Node;

/* One row of the table of operations: which exist, and how each is differentiated. */
typedef struct Op {
    const char *name;
    void (*backward)(Tape *tape, Node *node);
} Op;

extern const Op op_table[OP_COUNT];

/*
 * A new value [shape] on the tape: uninitialised numbers, f32 or of `type` (f32 or bf16), owned by the tape, one
 * use (the caller's). Asserts that fewer than the max_nodes of tape_create were made since the last reset.
 */
Tensor *op_output(Tape *tape, int ndim, const int *shape);
Tensor *op_output_as(Tape *tape, DType type, int ndim, const int *shape);

/*
 * Appends a node if the tape is recording and one of `inputs` [count] (NULLs allowed) needs a gradient,
 * and marks `out` as needing one. Returns NULL, and records nothing, otherwise. May be called before
 * `out` is computed. Inputs that are leaves are borrowed until tape_reset.
 */
Node *op_record(Tape *tape, OpKind kind, Tensor *out, Tensor *const *inputs, int count);

/* Keeps the numbers of `value` (an input, `out`, or a leaf) until the node's backward has run. */
void op_keep(Tape *tape, Node *node, Tensor *value);

/*
 * Allocates `count` numbers, f32 or of `type`, that live until the node's backward has run, in the next free
 * saved[]. A block that the forward had to allocate earlier may be put into saved[] directly: the tape frees it.
 */
float *op_save(Tape *tape, Node *node, size_t count);
void *op_save_as(Tape *tape, Node *node, DType type, size_t count);

/*
 * The gradient [shape of value] to add to, set to zero on first use; NULL if value (or NULL itself)
 * needs none. A leaf that needs a gradient and brought no buffer gets one that lives until tape_reset.
 * Asserts that value is f32.
 */
float *op_grad(Tape *tape, Tensor *value);

/*
 * The same in the value's own type, for an operation that can as well write all of it as add to it: on first
 * use nothing is set to zero, and *fresh tells that the numbers there mean nothing yet.
 */
void *op_grad_fresh(Tape *tape, Tensor *value, bool *fresh);

/*
 * Hands the gradient of `out` on to `in` where the operation passes it through unchanged (a residual):
 * the buffer moves if `in` has none yet, and is added otherwise. Call it last: out->grad may be NULL
 * after. Does nothing if `in` (or NULL) needs no gradient.
 */
void op_pass_grad(Tape *tape, Tensor *out, Tensor *in);

/*
 * Scratch of `count` floats for each worker of the tape's threads, [threads, count]; worker w uses
 * scratch + w * op_scratch_stride(count). Give back with arena_free(tape_arena(tape), scratch).
 */
float *op_scratch(Tape *tape, size_t count);
size_t op_scratch_stride(size_t count);

/*
 * Some numbers [count], f32 or bf16, written as those of another type or the same one, or added to such:
 * the sum is made in f32 and rounded once. `from` and `to` must not overlap. On the calling thread alone.
 */
void op_convert(DType from_type, const void *from, DType type, void *to, size_t count);
void op_accumulate(DType from_type, const void *from, DType type, void *to, size_t count);

/* The backward functions, one an operation's file, listed here for the table in tape.c. */
void op_linear_backward(Tape *tape, Node *node);
void op_layer_norm_backward(Tape *tape, Node *node);
void op_attention_backward(Tape *tape, Node *node);
void op_patch_embed_backward(Tape *tape, Node *node);
void op_embed_tokens_backward(Tape *tape, Node *node);
void op_cast_backward(Tape *tape, Node *node);
void op_select_token_backward(Tape *tape, Node *node);
void op_add_backward(Tape *tape, Node *node);
void op_scale_backward(Tape *tape, Node *node);
void op_gelu_backward(Tape *tape, Node *node);
void op_softmax_backward(Tape *tape, Node *node);
void op_l2_normalize_backward(Tape *tape, Node *node);
void op_cross_entropy_backward(Tape *tape, Node *node);
void op_alignment_backward(Tape *tape, Node *node);
void op_uniformity_backward(Tape *tape, Node *node);
void op_slerp_backward(Tape *tape, Node *node);
void op_recompute_backward(Tape *tape, Node *node);

#endif
