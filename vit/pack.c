/*
 * pack.c - vit_pack: the frozen weights in the layout that the matrix kernel reads.
 *
 * Each block has five linear maps; keys and values are one. A map is packed whole or not at all: one part that
 * trains leaves it to gemm. The patch embedding is not a map of this kind and stays as it is.
 */
#include "tensor/file.h"
#include "vit/vit.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

enum { BLOCK_LINEARS = 5, LINEAR_PACKS = 2 };

static Linear *linear_at(const Vit *vit, int index)
{
    VitBlock *const block = &vit->blocks[index / BLOCK_LINEARS];
    Linear *const linears[BLOCK_LINEARS] = {&block->q, &block->kv, &block->out, &block->fc1,
                                            &block->fc2};
    return linears[index % BLOCK_LINEARS];
}

/* The parameter that a weight's Tensor is a member of. */
static VitParameter *parameter_of(Tensor *weight)
{
    return (VitParameter *)((char *)weight - offsetof(VitParameter, tensor));
}

static bool is_frozen(const Linear *linear)
{
    for (int part = 0; part < linear->parts; part++)
        if (linear->weight[part]->needs_grad)
            return false;
    return true;
}

/* The place in the list of the first parameter that trains: gradients flow back no further than that. */
static int first_trained(const Vit *vit)
{
    int index = 0;
    while (index < vit->parameter_count && !vit->parameters[index].tensor.needs_grad)
        index++;
    return index;
}

/* Gives each pack its memory; `keep` is false to measure how much that is. */
static void place(Vit *vit, bool backward, Arena *arena, bool keep)
{
    const VitParameter *const first = vit->parameters + first_trained(vit);
    for (int i = 0; i < vit->config.layers * BLOCK_LINEARS; i++) {
        Linear *const linear = linear_at(vit, i);
        if (!is_frozen(linear))
            continue;
        const bool flows = backward && parameter_of(linear->weight[0]) > first;
        const PackedMatrix forth = packed_place(arena, PRECISION_F32, linear->in, linear->out);
        PackedMatrix back = {0};
        if (flows)
            back = packed_place(arena, PRECISION_F32, linear->out, linear->in);
        if (!keep)
            continue;
        PackedMatrix *const packs = vit->packed + (ptrdiff_t)i * LINEAR_PACKS;
        packs[0] = forth;
        packs[1] = back;
    }
}

/* Fills the packs of one map, points it at them, and lets its weights' pages go. */
static void pack_linear(Vit *vit, int index, Threads *threads)
{
    Linear *const linear = linear_at(vit, index);
    PackedMatrix *const packs = vit->packed + (ptrdiff_t)index * LINEAR_PACKS;
    PackedPart parts[LINEAR_MAX_PARTS];
    for (int part = 0; part < linear->parts; part++)
        parts[part] =
            (PackedPart){tensor_f32(linear->weight[part]), linear->weight[part]->shape[0]};
    packed_fill_transposed(&packs[0], parts, linear->parts, NULL, threads);
    linear->forward = &packs[0];
    if (packs[1].panels) {
        packed_fill(&packs[1], parts, linear->parts, threads);
        linear->backward = &packs[1];
    }
    for (int part = 0; part < linear->parts; part++) {
        VitParameter *const parameter = parameter_of(linear->weight[part]);
        parameter->packed = true;
        if (parameter->mapped && !parameter->adapted)
            file_let_go(parameter->tensor.data, tensor_count(&parameter->tensor) * sizeof(float));
    }
}

Status vit_pack(Vit *vit, Precision precision, bool backward, Threads *threads, Error *error)
{
    assert(vit && error && !vit->packed && precision == PRECISION_F32);
    if (!packed_pays(precision))
        return STATUS_OK;
    Arena *plan;
    TRY(arena_create_measuring(&plan, error));
    place(vit, backward, plan, false);
    const size_t bytes = arena_peak(plan);
    arena_destroy(plan);
    const int linears = vit->config.layers * BLOCK_LINEARS;
    PackedMatrix *const packed = calloc((size_t)linears * LINEAR_PACKS, sizeof *packed);
    if (!packed || arena_create(&vit->packs, bytes, error) != STATUS_OK) {
        free(packed);
        return error_set(error, STATUS_FAILED,
                         "model: no memory for %.2f GiB of packed weights; free some",
                         (double)bytes / (1 << 30));
    }
    vit->packed = packed;
    place(vit, backward, vit->packs, true);
    for (int i = 0; i < linears; i++)
        if (is_frozen(linear_at(vit, i)))
            pack_linear(vit, i, threads);
    return STATUS_OK;
}

size_t vit_bytes(const Vit *vit)
{
    size_t bytes = vit->packs ? arena_capacity(vit->packs) : 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *const parameter = &vit->parameters[i];
        if (!parameter->packed || !parameter->mapped || parameter->adapted)
            bytes += tensor_count(&parameter->tensor) * sizeof(float);
    }
    return bytes;
}
