/*
 * op.h - what an operation's file needs from the tape. Users of the library include ops.h instead.
 *
 * An operation is one file op_NAME.c: derivation, shape rule, forward (what is saved and why),
 * backward. One line in OPS registers it. Its forward has the pattern
 *
 *     Tensor *y = op_output(tape, ndim, shape);         allocates [shape]
 *     Node *node = op_record(tape, OP_NAME, y, inputs, count);   NULL when nothing needs a gradient
 *     if (node) { op_keep(tape, node, x); node->saved[0] = ...; }
 *     op_run_rows(tape, ...);                           computes y
 *
 * and its backward reads node->out->grad and adds to op_grad(tape, input), which is NULL for an
 * input that needs no gradient. The backward then skips that input: behind a frozen weight dX is
 * computed, dW is not.
 *
 * Planning (a measuring arena). The same forward and backward run, but op_run_*, through which all
 * arithmetic goes, does nothing. So an operation must make the same calls of op_output, op_grad,
 * op_save, arena_alloc and so on in the same order whatever the values are. While planning, the
 * pointers it gets are addresses that must not be accessed.
 *
 * Tasks. Work is divided by the shapes of the operands alone: never by the number of threads, and
 * never by how many samples are in the batch. A sample is an index of the first dimension of a
 * tensor of three or more dimensions; a matrix is a single sample. Sums over samples (gradients of
 * parameters) are added to the existing gradient sample by sample, in order: so dividing a batch
 * into micro-batches changes no bit.
 *
 * Tests: tests/test_tape.c, tests/test_ops_gradients.c.
 */
#ifndef LNCLIP_TENSOR_OPS_OP_H
#define LNCLIP_TENSOR_OPS_OP_H

#include "tensor/ops/ops.h"

#include <stddef.h>

/* Every operation: X(NAME, name) is OP_NAME, with op_name_backward in its own file. */
#define OPS(X)                                                                                     \
    X(LINEAR, linear)                                                                              \
    X(LORA, lora)                                                                                  \
    X(LAYER_NORM, layer_norm)                                                                      \
    X(ATTENTION, attention)                                                                        \
    X(PATCH_EMBED, patch_embed)                                                                    \
    X(EMBED_TOKENS, embed_tokens)                                                                  \
    X(CAST, cast)                                                                                  \
    X(SELECT_TOKEN, select_token)                                                                  \
    X(ADD, add)                                                                                    \
    X(SCALE, scale)                                                                                \
    X(GELU, gelu)                                                                                  \
    X(SOFTMAX, softmax)                                                                            \
    X(L2_NORMALIZE, l2_normalize)                                                                  \
    X(CROSS_ENTROPY, cross_entropy)                                                                \
    X(ALIGNMENT, alignment)                                                                        \
    X(UNIFORMITY, uniformity)                                                                      \
    X(SLERP, slerp)                                                                                \
    X(RECOMPUTE, recompute)

typedef enum OpKind {
#define X(NAME, name) OP_##NAME,
    OPS(X)
#undef X
        OP_COUNT
} OpKind;

enum {
    OP_MAX_INPUTS = 8,
    OP_MAX_SAVED = 3,
    OP_MAX_KEPT = 4,
    OP_SETTINGS_BYTES = 64,
    /*
     * Elements per task of a row-wise or element-wise operation. A task then takes much longer than
     * claiming it (well under a microsecond), a layer still has tasks for all threads, and its data
     * fill half of a first-level cache.
     */
    OP_TASK_ELEMENTS = 8192,
};

typedef struct Node {
    OpKind kind;
    Tensor *out;
    Tensor *in[OP_MAX_INPUTS]; /* NULL where an optional operand is absent */
    int inputs;
    Tensor *kept[OP_MAX_KEPT]; /* values whose data the backward reads */
    int kept_count;
    void *saved[OP_MAX_SAVED]; /* the operation's own values, blocks of the arena, or NULL */
    _Alignas(max_align_t) unsigned char settings[OP_SETTINGS_BYTES]; /* op_settings */
} Node;

/* One row of the table of operations. */
typedef struct Op {
    const char *name;
    void (*backward)(Tape *tape, Node *node);
} Op;

extern const Op op_table[OP_COUNT];

#define X(NAME, name) void op_##name##_backward(Tape *tape, Node *node);
OPS(X)
#undef X

/*
 * A new value [shape] on the tape: uninitialised, f32 or of `type` (f32 or bf16), owned by the
 * tape, one use (the caller's). Asserts that fewer than the max_nodes of tape_create were made
 * since the last reset.
 */
Tensor *op_output(Tape *tape, int ndim, const int *shape);
Tensor *op_output_as(Tape *tape, DType type, int ndim, const int *shape);

/*
 * op_output_as for an operation that can write its result over `value` (NULL allowed), of the same
 * type and size. If the caller handed `value` over (tape_hand_over), it is released, and the output
 * reuses its data where nothing else needs them.
 */
Tensor *op_output_over(Tape *tape, Tensor *value, DType type, int ndim, const int *shape);

/*
 * The data of an operand of an operation: f32, or of any type. Asserts that they are present,
 * except while planning, where NULL or an address that must not be accessed is returned.
 */
float *op_f32(const Tape *tape, const Tensor *tensor);
void *op_data(const Tape *tape, const Tensor *tensor);

/*
 * Appends a node if the tape is recording and one of `inputs` [count] (NULLs allowed) needs a
 * gradient, and marks `out` as needing one. Returns NULL, and records nothing, otherwise. May be
 * called before `out` is computed. Inputs that are leaves are borrowed until tape_reset.
 */
Node *op_record(Tape *tape, OpKind kind, Tensor *out, Tensor *const *inputs, int count);

/*
 * The node's memory for a struct of `bytes` (at most OP_SETTINGS_BYTES): what the backward needs
 * besides tensors. Zero until written.
 */
void *op_settings(Node *node, size_t bytes);

/* Keeps the data of `value` (an input, `out`, or a leaf) until the node's backward has run. */
void op_keep(Tape *tape, Node *node, Tensor *value);

/*
 * Allocates `count` values, f32 or of `type`, that live until the node's backward has run, in the
 * next free saved[]. A block that the forward had to allocate earlier may be put into saved[]
 * directly: the tape frees it.
 */
float *op_save(Tape *tape, Node *node, size_t count);
void *op_save_as(Tape *tape, Node *node, DType type, size_t count);

/*
 * The gradient [shape of value] to add to, set to zero on first use. NULL if `value` is NULL or
 * needs no gradient. A leaf that needs a gradient and has no buffer gets one that lives until
 * tape_reset. op_grad asserts that value is f32; op_grad_as returns a gradient of the value's type.
 */
float *op_grad(Tape *tape, Tensor *value);
void *op_grad_as(Tape *tape, Tensor *value);

/*
 * op_grad_as without the zeroing, for an operation that can overwrite a whole gradient as well as
 * add to it: on first use *overwrite is true, and the gradient is uninitialised.
 */
void *op_grad_overwrite(Tape *tape, Tensor *value, bool *overwrite);

/*
 * Passes the gradient of `out` on to `in`, of the same type, where the operation leaves it
 * unchanged (a residual): the buffer moves if `in` has none yet, and is added otherwise. Call it
 * last: out->grad may be NULL after. op_pass_saved passes node->saved[slot] on instead. Both do
 * nothing if `in` is NULL or needs no gradient.
 */
void op_pass_grad(Tape *tape, Tensor *out, Tensor *in);
void op_pass_saved(Tape *tape, Node *node, int slot, Tensor *in);

/* A range of rows, columns or elements. */
typedef struct OpRange {
    int begin, count;
} OpRange;

/* Range `index` of the ceil_div_int(total, size) ranges of at most `size` that cover `total`. */
static inline OpRange op_range(int total, int size, int index)
{
    const int begin = index * size;
    return (OpRange){begin, total - begin < size ? total - begin : size};
}

/* Number of samples of a tensor, and of rows per sample. */
static inline int op_samples(const Tensor *tensor)
{
    return tensor->ndim >= 3 ? tensor->shape[0] : 1;
}

static inline int op_sample_rows(const Tensor *tensor)
{
    return tensor_rows(tensor) / op_samples(tensor);
}

typedef void OpTask(const void *context, int task);
typedef void OpRowsTask(const void *context, OpRange rows);
typedef void OpScratchTask(const void *context, int task, float *scratch);

/*
 * Run the arithmetic of an operation and return when all is done. While planning they run nothing;
 * only op_run_scratch allocates its scratch memory. op_run runs on the calling thread, the others
 * spread their tasks over the tape's threads, in any order:
 *
 *     op_run          function(context)
 *     op_run_tasks    task(context, 0..tasks-1)
 *     op_run_rows     task(context, range) for ranges of about OP_TASK_ELEMENTS elements that cover
 *                     `rows` rows of `columns` elements (1 for element-wise operations)
 *     op_run_scratch  task(context, 0..tasks-1, scratch), each task with `floats` uninitialised
 *                     floats
 */
void op_run(const Tape *tape, void (*function)(const void *context), const void *context);
void op_run_tasks(Tape *tape, int tasks, OpTask *task, const void *context);
void op_run_rows(Tape *tape, int rows, int columns, OpRowsTask *task, const void *context);
void op_run_scratch(Tape *tape, int tasks, size_t floats, OpScratchTask *task, const void *context);

/*
 * packed_fill, or packed_fill_transposed without magnitudes (packed.h); does nothing while
 * planning.
 */
void op_pack(Tape *tape, PackedMatrix *packed, const PackedPart *parts, int count, bool transposed);

/*
 * packed_product (packed.h) with scratch memory from the arena. While planning only the scratch
 * memory is allocated.
 */
void op_packed_product(Tape *tape, int rows, const PackedInput *input, const PackedMatrix *packed,
                       const Epilogue *epilogue);

/*
 * op_convert: to [count] = from [count], each f32 or bf16. op_accumulate: to += from; the sum is
 * computed in f32 and rounded once. `from` and `to` must not overlap. On the calling thread alone.
 */
void op_convert(DType from_type, const void *from, DType type, void *to, size_t count);
void op_accumulate(DType from_type, const void *from, DType type, void *to, size_t count);

#endif
