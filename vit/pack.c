/*
 * pack.c - vit_pack: frozen weights in the layout of the matrix kernels.
 *
 * Each block has five linear maps; keys and values form one. A map is packed only if all its
 * weights are frozen. Otherwise gemm computes it, or, in bf16, op_linear packs it for each product.
 * The patch embedding is packed for the forward alone, because no gradient flows to pixels in
 * training. With int8 it uses bf16: it is small, and int8 cannot scale outliers of pixels.
 *
 * int8 needs the relative magnitude of each input channel of a map (packed.h). It is estimated from
 * the weights, without images. A LayerNorm's output has mean beta and standard deviation |gamma|. A
 * linear map of it, with independent u_j of mean 0 and variance 1,
 *
 *     z_k = sum_j W[k,j] (gamma_j u_j + beta_j) + b_k
 *
 * has mean sum_j W[k,j] beta_j + b_k and standard deviation sqrt(sum_j (W[k,j] gamma_j)^2). The
 * input of `out` is an average of such z, weighted by attention; the input of fc2 is an activation
 * of them. In all cases the magnitude is |mean| plus standard deviation.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "vit/part.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { LINEAR_PACKS = 2 };

/* Longer int8 inner products would overflow (packed_fill_transposed). */
enum { INT8_WIDEST = 1 << 16 };

static Linear *linear_at(const Vit *vit, int index)
{
    return &vit->blocks[index / VIT_MAPS].maps[index % VIT_MAPS];
}

static bool is_frozen(const Linear *linear)
{
    for (int part = 0; part < linear->parts; part++)
        if (linear->weight[part]->needs_grad)
            return false;
    return true;
}

/*
 * The index of the first parameter that is trainable or has trainable parts. Gradients do not flow
 * back further.
 */
static int first_trainable(const Vit *vit)
{
    int index = 0;
    while (index < vit->parameter_count && !vit->parameters[index].tensor.needs_grad &&
           !vit_parts_train(&vit->parameters[index]))
        index++;
    return index;
}

/* True if gradients flow through the weights to trainable parameters at this map or before it. */
static bool needs_backward(const Linear *linear, const VitParameter *first_trainable)
{
    for (int part = 0; part < linear->parts; part++) {
        const VitParameter *parameter = vit_parameter_of(linear->weight[part]);
        if (vit_parts_train(parameter) && parameter->method->through_weight)
            return true;
    }
    return vit_parameter_of(linear->weight[0]) > first_trainable;
}

/* K of the patch embedding's weight [D,3,P,P] as a matrix [D,K]. */
static int patch_columns(const Vit *vit)
{
    const Tensor *weight = vit->patch_embedding;
    return (int)(tensor_count(weight) / weight->shape[0]);
}

/* The pack of the patch embedding follows those of the linear maps. */
static PackedMatrix *patch_pack_of(const Vit *vit)
{
    return vit->packed + (ptrdiff_t)vit->config.layers * VIT_MAPS * LINEAR_PACKS;
}

/* Allocates the memory of all packs. With `keep` false, only measures it. */
static void place(Vit *vit, Precision precision, bool backward, Arena *arena, bool keep)
{
    const VitParameter *first = vit->parameters + first_trainable(vit);
    if (!vit->patch_embedding->needs_grad) {
        const PackedMatrix patch =
            packed_place(arena, precision == PRECISION_INT8 ? PRECISION_BF16 : precision,
                         patch_columns(vit), vit->config.width);
        if (keep)
            *patch_pack_of(vit) = patch;
    }
    for (int i = 0; i < vit->config.layers * VIT_MAPS; i++) {
        Linear *linear = linear_at(vit, i);
        if (!is_frozen(linear))
            continue;
        const bool flows = backward && needs_backward(linear, first);
        const PackedMatrix forward_pack = packed_place(arena, precision, linear->in, linear->out);
        PackedMatrix backward_pack = {0};
        if (flows)
            backward_pack = packed_place(arena, precision, linear->out, linear->in);
        if (!keep)
            continue;
        PackedMatrix *packs = vit->packed + (ptrdiff_t)i * LINEAR_PACKS;
        packs[0] = forward_pack;
        packs[1] = backward_pack;
    }
}

/* For int8: magnitudes of the input channels of each map in one block. */
typedef struct Magnitudes {
    float *map[VIT_MAPS]; /* [in] of each map; q and kv share one array */
} Magnitudes;

/* Estimates magnitude [D] of a LayerNorm's output. */
static void magnitudes_of_norm(const VitLayerNorm *norm, int D, float *magnitude)
{
    const float *gamma = tensor_f32(norm->weight), *beta = tensor_f32(norm->bias);
    for (int k = 0; k < D; k++)
        magnitude[k] = fabsf(gamma[k]) + fabsf(beta[k]);
}

/* A linear map of a LayerNorm's output. */
typedef struct MappedNorm {
    const Tensor *weight, *bias; /* [N,D], [N] or NULL */
    const VitLayerNorm *norm;
    float *magnitude; /* [N] */
} MappedNorm;

enum { MAPPED_ROWS = 64, LANES = 8 };

static void mapped_task(void *context, int task, int worker)
{
    (void)worker;
    const MappedNorm *mapped = context;
    const int N = mapped->weight->shape[0], D = mapped->weight->shape[1];
    const float *gamma = tensor_f32(mapped->norm->weight);
    const float *beta = tensor_f32(mapped->norm->bias);
    for (int n = task * MAPPED_ROWS; n < N && n < (task + 1) * MAPPED_ROWS; n++) {
        const float *w = tensor_f32(mapped->weight) + (ptrdiff_t)n * D;
        /* Separate sums, so the compiler can vectorise the loop. */
        float variance[LANES] = {0}, mean[LANES] = {0};
        int k = 0;
        for (; k + LANES <= D; k += LANES)
            for (int lane = 0; lane < LANES; lane++) {
                const float scaled = w[k + lane] * gamma[k + lane];
                variance[lane] += scaled * scaled;
                mean[lane] += w[k + lane] * beta[k + lane];
            }
        for (; k < D; k++) {
            variance[0] += w[k] * gamma[k] * (w[k] * gamma[k]);
            mean[0] += w[k] * beta[k];
        }
        float total_variance = 0, total_mean = mapped->bias ? tensor_f32(mapped->bias)[n] : 0;
        for (int lane = 0; lane < LANES; lane++) {
            total_variance += variance[lane];
            total_mean += mean[lane];
        }
        mapped->magnitude[n] = sqrtf(total_variance) + fabsf(total_mean);
    }
}

static void magnitudes_of_map(const Linear *linear, int part, const VitLayerNorm *norm,
                              float *magnitude, Threads *threads)
{
    MappedNorm mapped = {linear->weight[part], linear->bias[part], norm, magnitude};
    const int rows = mapped.weight->shape[0];
    threads_run(threads, (int)ceil_div(rows, MAPPED_ROWS), mapped_task, &mapped);
}

static void magnitudes_of_block(const Vit *vit, const VitBlock *block, const Magnitudes *magnitudes,
                                Threads *threads)
{
    const int values = block->kv.parts - 1;
    magnitudes_of_norm(&block->ln1, vit->config.width, magnitudes->map[VIT_MAP_Q]);
    magnitudes_of_norm(&block->ln2, vit->config.width, magnitudes->map[VIT_MAP_FC1]);
    magnitudes_of_map(&block->kv, values, &block->ln1, magnitudes->map[VIT_MAP_OUT], threads);
    magnitudes_of_map(&block->fc1, 0, &block->ln2, magnitudes->map[VIT_MAP_FC2], threads);
}

/* Releases the file pages of a packed weight. */
static void release_pages(Tensor *weight)
{
    VitParameter *parameter = vit_parameter_of(weight);
    parameter->packed = true;
    if (parameter->mapped && !parameter->adapted)
        file_release_pages(parameter->tensor.data,
                           tensor_count(&parameter->tensor) * sizeof(float));
}

/* Fills the packs of one map, makes the map use them and releases the weights' file pages. */
static void pack_linear(Vit *vit, int index, const float *magnitude, Threads *threads)
{
    Linear *linear = linear_at(vit, index);
    PackedMatrix *packs = vit->packed + (ptrdiff_t)index * LINEAR_PACKS;
    PackedPart parts[LINEAR_MAX_PARTS];
    for (int part = 0; part < linear->parts; part++)
        parts[part] =
            (PackedPart){tensor_f32(linear->weight[part]), linear->weight[part]->shape[0]};
    linear->forward = &packs[0];
    if (packs[1].panels) {
        packed_fill_both(&packs[0], &packs[1], parts, linear->parts, threads);
        linear->backward = &packs[1];
    } else {
        packed_fill_transposed(&packs[0], parts, linear->parts, magnitude, threads);
    }
    for (int part = 0; part < linear->parts; part++)
        release_pages(linear->weight[part]);
}

/* Packs the patch embedding likewise. */
static void pack_patches(Vit *vit, Threads *threads)
{
    const PackedPart part = {tensor_f32(vit->patch_embedding), vit->config.width};
    packed_fill_transposed(patch_pack_of(vit), &part, 1, NULL, threads);
    vit->patch_pack = patch_pack_of(vit);
    release_pages(vit->patch_embedding);
}

/* Fills all packs, block by block. `scratch` [3 D + F] is for magnitudes in int8, else
 * NULL. */
static void pack_all(Vit *vit, Precision precision, float *scratch, Threads *threads)
{
    const ptrdiff_t D = vit->config.width;
    Magnitudes magnitudes = {{NULL}};
    if (scratch)
        magnitudes =
            (Magnitudes){{scratch, scratch, scratch + D, scratch + 2 * D, scratch + 3 * D}};
    if (!vit->patch_embedding->needs_grad)
        pack_patches(vit, threads);
    for (int i = 0; i < vit->config.layers * VIT_MAPS; i++) {
        /* Computed before packing, which releases the pages of these weights. */
        if (scratch && i % VIT_MAPS == 0)
            magnitudes_of_block(vit, &vit->blocks[i / VIT_MAPS], &magnitudes, threads);
        if (!is_frozen(linear_at(vit, i)))
            linear_at(vit, i)->compute = precision == PRECISION_F32 ? DTYPE_F32 : DTYPE_BF16;
        else
            pack_linear(vit, i, magnitudes.map[i % VIT_MAPS], threads);
    }
}

Status vit_pack(Vit *vit, Precision precision, bool backward, Threads *threads, Error *error)
{
    const bool int8 = precision == PRECISION_INT8;
    assert(vit && error && !vit->packed && !(int8 && backward));
    if (!packed_pays(precision))
        return STATUS_OK;
    const VitConfig *config = &vit->config;
    if (int8 && (config->width > INT8_WIDEST || config->mlp > INT8_WIDEST))
        return error_set(error, STATUS_FAILED,
                         "model: %d channels are too many for precision int8; use bf16",
                         max_int(config->mlp, config->width));
    Arena *plan;
    TRY(arena_create_measuring(&plan, error));
    place(vit, precision, backward, plan, false);
    const size_t bytes = arena_peak(plan);
    arena_destroy(plan);
    static const char what[] = "the packed weights of the model";
    const int packs = config->layers * VIT_MAPS * LINEAR_PACKS + 1;
    const size_t magnitudes = int8 ? (size_t)config->width * 3 + config->mlp : 0;
    Status status = STATUS_FAILED;
    float *scratch = int8 ? mem_new(magnitudes, sizeof *scratch, what, error) : NULL;
    vit->packed = mem_new(packs, sizeof *vit->packed, what, error); /* vit_destroy frees it */
    if (!vit->packed || (int8 && !scratch))
        goto done;
    if (arena_create(&vit->packs, bytes, error) != STATUS_OK) {
        status = mem_full(bytes, what, error);
        goto done;
    }
    place(vit, precision, backward, vit->packs, true);
    pack_all(vit, precision, scratch, threads);
    status = STATUS_OK;
done:
    free(scratch);
    return status;
}

size_t vit_bytes(const Vit *vit)
{
    size_t bytes = vit->packs ? arena_capacity(vit->packs) : 0;
    for (int i = 0; i < vit->parameter_count; i++) {
        const VitParameter *parameter = &vit->parameters[i];
        if (!parameter->packed || !parameter->mapped || parameter->adapted)
            bytes += tensor_count(&parameter->tensor) * sizeof(float);
        for (int k = 0; parameter->owns_parts && k < parameter->method->row_count; k++)
            bytes += tensor_count(&parameter->parts[k]) * sizeof(float);
    }
    return bytes;
}
