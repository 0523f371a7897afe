/*
 * forward.c - the encoder's forward.
 *
 * Each tensor is released after its last use. In inference its memory is then free; in training the
 * tape keeps the tensors that the backward needs.
 *
 * Types: the residual stream and the feature are f32. Between a LayerNorm and the addition to the
 * stream, tensors have the compute type of the linear maps (op_linear_type), which vit_pack sets to
 * the same type for all maps.
 */
#include "tensor/base/arithmetic.h"
#include "vit/part.h"

#include <assert.h>

enum {
    EMBEDDING_OPERATIONS = 3,        /* patches, tokens, pre */
    BLOCK_OPERATIONS = 3 + VIT_MAPS, /* ln1, attention, ln2, linear maps */
    LAST_OPERATIONS = 2,             /* the class token of ln1(x) and of x */
    POST_OPERATIONS = 1,
};

/* Operations of one block, including those of methods. */
static int block_operations(const Vit *vit, int block)
{
    int operations = BLOCK_OPERATIONS;
    for (int map = 0; map < VIT_MAPS; map++)
        for (int m = 0; vit_methods[m]; m++) {
            VitMapParts parts;
            if (vit_map_parts(&vit->blocks[block].maps[map], vit_methods[m], map, &parts))
                operations += vit_methods[m]->operations;
        }
    return operations + (block == vit->config.layers - 1 ? LAST_OPERATIONS : 0);
}

int vit_forward_operations(const Vit *vit)
{
    int operations = EMBEDDING_OPERATIONS + POST_OPERATIONS;
    for (int i = 0; i < vit->config.layers; i++)
        operations += block_operations(vit, i);
    return operations;
}

int vit_block_operations(const Vit *vit)
{
    int most = 0;
    for (int i = 0; i < vit->config.layers; i++)
        most = max_int(most, block_operations(vit, i));
    return most;
}

static Tensor *layer_norm(const Vit *vit, Tape *tape, Tensor *x, const VitLayerNorm *norm,
                          DType type)
{
    return op_layer_norm(tape, x, norm->weight, norm->bias, vit->config.eps, type);
}

/* pixels [B,3,S,S] -> [B,T,D] */
static Tensor *embed(const Vit *vit, Tape *tape, Tensor *pixels)
{
    Tensor *patches = op_patch_embed(tape, pixels, vit->patch_embedding, vit->patch_pack);
    Tensor *tokens = op_embed_tokens(tape, patches, vit->class_embedding, vit->position_embedding);
    tape_release(tape, patches);
    Tensor *x = layer_norm(vit, tape, tokens, &vit->pre, DTYPE_F32);
    tape_release(tape, tokens);
    return x;
}

/* act(linear(x) + residual) for map VIT_MAP_... `index` of a block, with the parts of methods. */
static Tensor *linear_map(const Vit *vit, Tape *tape, const VitBlock *block, int index, Tensor *x,
                          Activation activation, Tensor *residual)
{
    const Linear *linear = &block->maps[index];
    const int map = (int)(block - vit->blocks) * VIT_MAPS + index;
    Tensor *input = x, *added = residual;
    for (int m = 0; vit_methods[m]; m++) {
        const VitMethod *method = vit_methods[m];
        VitMapParts parts;
        if (!vit_map_parts(linear, method, map, &parts))
            continue;
        if (method->residual) {
            Tensor *before = added;
            added = method->residual(tape, &parts, x, before);
            if (before != residual)
                tape_release(tape, before);
        }
        if (method->input) {
            Tensor *before = input;
            input = method->input(tape, &parts, before);
            if (before != x)
                tape_release(tape, before);
        }
    }
    if (added != residual)
        tape_hand_over(tape, added);
    Tensor *y = op_linear(tape, input, linear, activation, added);
    if (input != x)
        tape_release(tape, input);
    return y;
}

/* x + fc2(act(fc1(ln2(x)))). Releases x. x [B,M,D] -> [B,M,D] */
static Tensor *mlp(const Vit *vit, Tape *tape, const VitBlock *block, Tensor *x)
{
    Tensor *normed = layer_norm(vit, tape, x, &block->ln2, op_linear_type(&block->fc1));
    Tensor *hidden =
        linear_map(vit, tape, block, VIT_MAP_FC1, normed, vit->config.activation, NULL);
    tape_release(tape, normed);
    Tensor *y = linear_map(vit, tape, block, VIT_MAP_FC2, hidden, ACTIVATION_NONE, x);
    tape_release(tape, hidden);
    tape_release(tape, x);
    return y;
}

/*
 * One block. Releases x. x [B,T,D] -> [B,T,D], but [B,1,D] for the last block: only its class token
 * is read, so queries, attention output and MLP are computed for that token alone.
 */
static Tensor *block_forward(const Vit *vit, Tape *tape, const VitBlock *block, bool last,
                             Tensor *x, Tensor *probabilities)
{
    Tensor *normed = layer_norm(vit, tape, x, &block->ln1, op_linear_type(&block->q));
    Tensor *queried = last ? op_select_token(tape, normed, 0) : normed;
    Tensor *kv = linear_map(vit, tape, block, VIT_MAP_KV, normed, ACTIVATION_NONE, NULL);
    if (last) {
        tape_release(tape, normed);
        Tensor *class_token = op_select_token(tape, x, 0);
        tape_release(tape, x);
        x = class_token;
    }
    Tensor *q = linear_map(vit, tape, block, VIT_MAP_Q, queried, ACTIVATION_NONE, NULL);
    tape_release(tape, queried);
    Tensor *mixed = op_attention(tape, q, kv, vit->config.heads, probabilities);
    tape_release(tape, q);
    tape_release(tape, kv);
    Tensor *y = linear_map(vit, tape, block, VIT_MAP_OUT, mixed, ACTIVATION_NONE, x);
    tape_release(tape, mixed);
    tape_release(tape, x);
    return mlp(vit, tape, block, y);
}

/* One block as a function for op_recompute. */
static Tensor *block_segment(Tape *tape, Tensor *x, const void *context, int index)
{
    const Vit *vit = context;
    return block_forward(vit, tape, &vit->blocks[index], index == vit->config.layers - 1, x, NULL);
}

Tensor *vit_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities)
{
    const VitConfig *config = &vit->config;
    const int wanted[] = {0, 3, config->image_size, config->image_size};
    tensor_expect(pixels, "vit_forward", "pixels", 4, wanted);
    assert(!tape_inner(tape) || !probabilities);
    Tensor *x = embed(vit, tape, pixels);
    for (int i = 0; i < config->layers; i++)
        x = tape_inner(tape) ? op_recompute(tape, x, block_segment, vit, i)
                             : block_forward(vit, tape, &vit->blocks[i], i == config->layers - 1, x,
                                             probabilities ? &probabilities[i] : NULL);
    Tensor *feature = layer_norm(vit, tape, x, &vit->post, DTYPE_F32);
    tape_release(tape, x);
    return feature;
}

Tensor *vit_model_forward(const Vit *vit, Tape *tape, Tensor *pixels, Tensor *probabilities)
{
    return vit_forward(vit, tape, pixels, probabilities);
}

int vit_model_width(const Vit *vit)
{
    return vit->config.width;
}

int vit_model_operations(const Vit *vit)
{
    return vit_forward_operations(vit);
}
