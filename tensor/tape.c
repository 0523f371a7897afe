/*
 * tape.c - see tape.h and op.h.
 *
 * The tape owns two tables of fixed size, values and nodes, so that tensor pointers stay valid and
 * recording allocates nothing. Data and gradients are blocks of the arena, each freed as soon as
 * its last user is done. Several tapes may share the arena, so a tape frees its own blocks one by
 * one.
 */
#include "tensor/tape.h"

#include "tensor/base/mem.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/*
 * An output of an operation. The tensor is the first member, so a pointer to it is a pointer to the
 * Value.
 */
typedef struct Value {
    Tensor tensor;
    bool released;    /* by the caller */
    bool handed_over; /* op_output_over releases it and may reuse its data */
    bool retain_grad; /* keep the gradient after the backward of its producer */
    int keeps;        /* users counted in tensor.uses that are recorded nodes */
} Value;

/* A gradient that the tape allocated for a leaf without one. */
typedef struct LeafGrad {
    Tensor *leaf;
    void *grad;
} LeafGrad;

struct Tape {
    Arena *arena;
    Threads *threads;
    int max_nodes;
    Value *values;        /* [max_nodes] */
    Node *nodes;          /* [max_nodes] */
    LeafGrad *leaf_grads; /* [max_nodes] */
    int value_count, node_count, leaf_grad_count;
    Tape *inner; /* records segments that op_recompute runs again, or NULL */
    TapeDropout dropout;
    bool recording;
    bool consumed; /* tape_backward has run since the last reset */
};

Status tape_create(Tape **out, Arena *arena, Threads *threads, int max_nodes, Error *error)
{
    assert(out && arena && max_nodes > 0);
    *out = NULL;
    Tape *tape = mem_new(1, sizeof *tape, "a tape", error);
    if (tape) {
        tape->arena = arena;
        tape->threads = threads;
        tape->max_nodes = max_nodes;
        tape->recording = true;
        tape->values = mem_new(max_nodes, sizeof *tape->values, "a tape", error);
        tape->nodes = mem_new(max_nodes, sizeof *tape->nodes, "a tape", error);
        tape->leaf_grads = mem_new(max_nodes, sizeof *tape->leaf_grads, "a tape", error);
    }
    if (!tape || !tape->values || !tape->nodes || !tape->leaf_grads) {
        tape_destroy(tape);
        return error->status;
    }
    *out = tape;
    return STATUS_OK;
}

Status tape_allow_recompute(Tape *tape, int max_nodes, Error *error)
{
    assert(!tape->inner);
    return tape_create(&tape->inner, tape->arena, tape->threads, max_nodes, error);
}

Tape *tape_inner(const Tape *tape)
{
    return tape->inner;
}

void tape_destroy(Tape *tape)
{
    if (!tape)
        return;
    tape_destroy(tape->inner);
    tape_reset(tape);
    free(tape->leaf_grads);
    free(tape->nodes);
    free(tape->values);
    free(tape);
}

/* The value behind `tensor` if this tape made it, NULL for a leaf. */
static Value *value_of(const Tape *tape, Tensor *tensor)
{
    Value *value = (Value *)tensor;
    if (value >= tape->values && value < tape->values + tape->value_count)
        return value;
    assert(!tensor->owns_data && "a value of another tape");
    return NULL;
}

/* Drops one use; the last one frees the data. */
static void drop_use(Tape *tape, Value *value)
{
    assert(value->tensor.uses > 0);
    if (--value->tensor.uses > 0)
        return;
    arena_free(tape->arena, value->tensor.data);
    value->tensor.data = NULL;
}

/* Releases the values that `node` kept and saved: its backward has run, or never will. */
static void release_node(Tape *tape, Node *node)
{
    for (int i = 0; i < OP_MAX_SAVED; i++) {
        arena_free(tape->arena, node->saved[i]);
        node->saved[i] = NULL;
    }
    for (int i = 0; i < node->kept_count; i++) {
        Value *value = value_of(tape, node->kept[i]);
        if (value) {
            value->keeps--;
            drop_use(tape, value);
        }
    }
    node->kept_count = 0;
}

static void free_grad(Tape *tape, Value *value)
{
    arena_free(tape->arena, value->tensor.grad);
    value->tensor.grad = NULL;
}

void tape_reset(Tape *tape)
{
    for (int i = tape->node_count - 1; i >= 0; i--)
        release_node(tape, &tape->nodes[i]);
    for (int i = tape->value_count - 1; i >= 0; i--) {
        Value *value = &tape->values[i];
        free_grad(tape, value);
        if (!value->released)
            drop_use(tape, value);
    }
    for (int i = 0; i < tape->leaf_grad_count; i++) {
        arena_free(tape->arena, tape->leaf_grads[i].grad);
        tape->leaf_grads[i].leaf->grad = NULL;
    }
    tape->node_count = tape->value_count = tape->leaf_grad_count = 0;
    tape->dropout = (TapeDropout){0};
    tape->consumed = false;
}

void tape_set_recording(Tape *tape, bool recording)
{
    tape->recording = recording;
}

bool tape_is_recording(const Tape *tape)
{
    return tape->recording;
}

void tape_set_dropout(Tape *tape, TapeDropout dropout)
{
    assert(dropout.p >= 0 && dropout.p < 1);
    tape->dropout = dropout;
}

TapeDropout tape_dropout(const Tape *tape)
{
    return tape->dropout;
}

bool tape_is_planning(const Tape *tape)
{
    return arena_is_measuring(tape->arena);
}

void tape_release(Tape *tape, Tensor *tensor)
{
    Value *value = tensor ? value_of(tape, tensor) : NULL;
    if (!value)
        return;
    assert(!value->released);
    value->released = true;
    drop_use(tape, value);
}

void tape_hand_over(Tape *tape, Tensor *tensor)
{
    Value *value = value_of(tape, tensor);
    assert(value && !value->released);
    value->handed_over = true;
}

void tape_retain_grad(Tape *tape, Tensor *tensor)
{
    Value *value = value_of(tape, tensor);
    if (value)
        value->retain_grad = true;
}

void tape_backward(Tape *tape, Tensor *root, const float *seed)
{
    assert(value_of(tape, root) && root->needs_grad && !tape->consumed);
    assert(seed || tensor_count(root) == 1);
    tape->consumed = true;
    float *droot = op_grad(tape, root);
    if (!tape_is_planning(tape)) {
        const float one = 1;
        memcpy(droot, seed ? seed : &one, tensor_count(root) * sizeof *droot);
    }
    for (int i = tape->node_count - 1; i >= 0; i--) {
        Node *node = &tape->nodes[i];
        Value *out = value_of(tape, node->out);
        if (out->tensor.grad) /* NULL if the root does not depend on it */
            op_table[node->kind].backward(tape, node);
        release_node(tape, node);
        if (!out->retain_grad)
            free_grad(tape, out);
    }
}

int tape_nodes(const Tape *tape)
{
    return tape->node_count;
}

size_t tape_kept_bytes(const Tape *tape)
{
    size_t bytes = 0;
    for (int i = 0; i < tape->value_count; i++) {
        if (tape->values[i].keeps > 0)
            bytes += arena_block_size(tape->arena, tape->values[i].tensor.data);
    }
    for (int i = 0; i < tape->node_count; i++) {
        for (int j = 0; j < OP_MAX_SAVED; j++) {
            if (tape->nodes[i].saved[j])
                bytes += arena_block_size(tape->arena, tape->nodes[i].saved[j]);
        }
    }
    return bytes;
}

Threads *tape_threads(const Tape *tape)
{
    return tape->threads;
}

Arena *tape_arena(const Tape *tape)
{
    return tape->arena;
}

/* A new value of the tape, without data. */
static Value *new_value(Tape *tape, DType type, int ndim, const int *shape)
{
    assert(tape->value_count < tape->max_nodes && "more operations than max_nodes of tape_create");
    assert(type == DTYPE_F32 || type == DTYPE_BF16);
    Value *value = &tape->values[tape->value_count++];
    *value = (Value){.tensor = tensor_leaf(NULL, ndim, shape)};
    value->tensor.dtype = type;
    value->tensor.owns_data = true;
    value->tensor.uses = 1;
    return value;
}

Tensor *op_output_as(Tape *tape, DType type, int ndim, const int *shape)
{
    Tensor *tensor = &new_value(tape, type, ndim, shape)->tensor;
    tensor->data = arena_alloc(tape->arena, tensor_count(tensor) * dtype_size(type));
    return tensor;
}

Tensor *op_output_over(Tape *tape, Tensor *tensor, DType type, int ndim, const int *shape)
{
    Value *value = tensor ? value_of(tape, tensor) : NULL;
    if (!value || !value->handed_over)
        return op_output_as(tape, type, ndim, shape);
    if (value->tensor.uses > 1) {
        tape_release(tape, tensor);
        return op_output_as(tape, type, ndim, shape);
    }
    Tensor *out = &new_value(tape, type, ndim, shape)->tensor;
    assert(type == tensor->dtype && tensor_count(out) == tensor_count(tensor));
    out->data = tensor->data;
    tensor->data = NULL;
    tensor->uses = 0;
    value->released = true;
    return out;
}

Tensor *op_output(Tape *tape, int ndim, const int *shape)
{
    return op_output_as(tape, DTYPE_F32, ndim, shape);
}

Node *op_record(Tape *tape, OpKind kind, Tensor *out, Tensor *const *inputs, int count)
{
    assert((unsigned)kind < OP_COUNT && op_table[kind].backward);
    assert(count >= 0 && count <= OP_MAX_INPUTS);
    bool needed = false;
    for (int i = 0; i < count; i++)
        needed = needed || (inputs[i] && inputs[i]->needs_grad);
    if (!needed || !tape->recording)
        return NULL;
    assert(!tape->consumed && tape->node_count < tape->max_nodes && value_of(tape, out));
    out->needs_grad = true;
    Node *node = &tape->nodes[tape->node_count++];
    *node = (Node){.kind = kind, .out = out, .inputs = count};
    for (int i = 0; i < count; i++)
        node->in[i] = inputs[i];
    return node;
}

void op_keep(Tape *tape, Node *node, Tensor *tensor)
{
    assert(node->kept_count < OP_MAX_KEPT && tensor->data);
    node->kept[node->kept_count++] = tensor;
    Value *value = value_of(tape, tensor);
    if (value) {
        value->keeps++;
        value->tensor.uses++;
    }
}

void *op_save_as(Tape *tape, Node *node, DType type, size_t count)
{
    int slot = 0;
    while (slot < OP_MAX_SAVED && node->saved[slot])
        slot++;
    assert(slot < OP_MAX_SAVED);
    node->saved[slot] = arena_alloc(tape->arena, count * dtype_size(type));
    return node->saved[slot];
}

float *op_save(Tape *tape, Node *node, size_t count)
{
    return op_save_as(tape, node, DTYPE_F32, count);
}

void *op_grad_overwrite(Tape *tape, Tensor *tensor, bool *overwrite)
{
    *overwrite = false;
    if (!tensor || !tensor->needs_grad)
        return NULL;
    if (tensor->grad)
        return tensor->grad;
    *overwrite = true;
    tensor->grad = arena_alloc(tape->arena, tensor_count(tensor) * dtype_size(tensor->dtype));
    if (!value_of(tape, tensor)) {
        assert(tape->leaf_grad_count < tape->max_nodes);
        tape->leaf_grads[tape->leaf_grad_count++] = (LeafGrad){tensor, tensor->grad};
    }
    return tensor->grad;
}

void *op_grad_as(Tape *tape, Tensor *tensor)
{
    bool overwrite;
    void *grad = op_grad_overwrite(tape, tensor, &overwrite);
    if (overwrite && !tape_is_planning(tape))
        memset(grad, 0, tensor_count(tensor) * dtype_size(tensor->dtype));
    return grad;
}

float *op_grad(Tape *tape, Tensor *tensor)
{
    assert(!tensor || tensor->dtype == DTYPE_F32);
    return op_grad_as(tape, tensor);
}

typedef struct PassGrad {
    DType type;
    const char *from;
    char *to;
} PassGrad;

static void add_elements(const void *context, OpRange range)
{
    const PassGrad *pass = context;
    const size_t place = (size_t)range.begin * dtype_size(pass->type);
    op_accumulate(pass->type, pass->from + place, pass->type, pass->to + place, range.count);
}

/* Makes *from the gradient of `in` if `moves` is set and `in` has none; otherwise adds it. */
static void pass_block(Tape *tape, void **from, bool moves, Tensor *in)
{
    assert(*from && tensor_count(in) <= INT_MAX);
    if (moves && !in->grad && value_of(tape, in)) {
        in->grad = *from;
        *from = NULL;
        return;
    }
    const PassGrad pass = {.type = in->dtype, .from = *from, .to = op_grad_as(tape, in)};
    op_run_rows(tape, (int)tensor_count(in), 1, add_elements, &pass);
}

void op_pass_grad(Tape *tape, Tensor *out, Tensor *in)
{
    if (!in || !in->needs_grad)
        return;
    assert(tensor_count(out) == tensor_count(in) && out->dtype == in->dtype);
    pass_block(tape, &out->grad, !value_of(tape, out)->retain_grad, in);
}

void op_pass_saved(Tape *tape, Node *node, int slot, Tensor *in)
{
    if (in && in->needs_grad)
        pass_block(tape, &node->saved[slot], true, in);
}
