/*
 * op_patch_embed.c - the convolution with kernel = stride that turns an image into tokens.
 *
 * Derivation. Patches do not overlap, so the convolution is one product. With X the patches of one
 * image as rows, each in the weight's order (channel, row, column), and W as [D, C P P]:
 *
 *     y = X W^T        dW = dy^T X        dX = dy W; a pixel is in one patch at most
 *
 * Shapes. pixels [B,C,S,S], weight [D,C,P,P] -> y [B,N,D], N = G^2 patches, row-major, G = S / P
 * rounded down. Pixels beyond G P are in no patch; their gradient is zero.
 *
 * With a packed weight the patches of up to PATCH_IMAGES images are gathered for one product.
 *
 * What is kept: the pixels if the weight is trainable, the weight if the pixels need a gradient.
 * The backward gathers X again, since it is only a copy of the pixels. Dosovitskiy et al., arXiv
 * 2010.11929.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <string.h>

enum {
    PATCH_BLOCK = 128, /* patches per task: two tasks for an image of 224 pixels with P = 14 */
    PATCH_GRADIENT_ROWS = 64, /* rows of dW of one task */
    PATCH_IMAGES = 8,         /* gathered at once for a packed weight: 4.6 MiB in ViT-L/14 */
};

enum { IN_PIXELS, IN_WEIGHT, INPUTS };

/* Operands of one call; those of the other pass are NULL. */
typedef struct Patches {
    int B, C, S, P, G, N, D;
    int length;                   /* elements of a patch: C P P */
    int blocks;                   /* blocks of PATCH_BLOCK patches per image */
    int sample;                   /* first image of `gathered` */
    const float *pixels, *weight; /* [B,C,S,S], [D,C,P,P] */
    float *y;                     /* [B,N,D] */
    const float *dy;              /* [B,N,D] */
    float *dpixels, *dweight;     /* [B,C,S,S], [D,C,P,P], or NULL */
    float *gathered; /* [N,length] patches of `sample`, and of the following images if packed */
} Patches;

static Patches patches_of(const Tape *tape, const Tensor *pixels, const Tensor *weight)
{
    const int P = weight->shape[2], G = pixels->shape[2] / P;
    return (Patches){.B = pixels->shape[0],
                     .C = pixels->shape[1],
                     .S = pixels->shape[2],
                     .P = P,
                     .G = G,
                     .N = G * G,
                     .D = weight->shape[0],
                     .length = pixels->shape[1] * P * P,
                     .blocks = ceil_div_int(G * G, PATCH_BLOCK),
                     .pixels = op_f32(tape, pixels),
                     .weight = op_f32(tape, weight)};
}

/* Offset of row `row` of channel `channel` of a patch in its image [C,S,S]. */
static ptrdiff_t patch_row(const Patches *f, int patch, int channel, int row)
{
    const int y = patch / f->G * f->P + row, x = patch % f->G * f->P;
    return ((ptrdiff_t)channel * f->S + y) * f->S + x;
}

/* Copies patches of one image to rows [count,length]. */
static void gather(const Patches *f, int sample, OpRange patches, float *rows)
{
    const float *image = f->pixels + (ptrdiff_t)sample * f->C * f->S * f->S;
    for (int i = 0; i < patches.count; i++)
        for (int channel = 0; channel < f->C; channel++)
            for (int row = 0; row < f->P; row++, rows += f->P)
                memcpy(rows, image + patch_row(f, patches.begin + i, channel, row),
                       f->P * sizeof *rows);
}

/* The inverse of gather: adds rows [count,length] to the patches' pixels in dpixels. */
static void scatter(const Patches *f, int sample, OpRange patches, const float *rows)
{
    float *image = f->dpixels + (ptrdiff_t)sample * f->C * f->S * f->S;
    for (int i = 0; i < patches.count; i++)
        for (int channel = 0; channel < f->C; channel++)
            for (int row = 0; row < f->P; row++, rows += f->P)
                kernels()->add(rows, image + patch_row(f, patches.begin + i, channel, row), f->P);
}

/* scratch: [PATCH_BLOCK,length]. */
static void forward_task(const void *context, int task, float *scratch)
{
    const Patches *f = context;
    const int sample = task / f->blocks;
    const OpRange patches = op_range(f->N, PATCH_BLOCK, task % f->blocks);
    gather(f, sample, patches, scratch);
    gemm(false, true, patches.count, f->D, f->length, 1, scratch, f->length, f->weight, f->length,
         0, f->y + ((ptrdiff_t)sample * f->N + patches.begin) * f->D, f->D);
}

/* Gathers a block of patches of one of the images from `sample` on into `gathered`. */
static void gather_task(const void *context, int task)
{
    const Patches *f = context;
    const int image = task / f->blocks;
    const OpRange patches = op_range(f->N, PATCH_BLOCK, task % f->blocks);
    const ptrdiff_t row = (ptrdiff_t)image * f->N + patches.begin;
    gather(f, f->sample + image, patches, f->gathered + row * f->length);
}

/* y = X W^T with the packed weight, PATCH_IMAGES images at a time. */
static void forward_packed(Tape *tape, Patches *f, const PackedMatrix *packed)
{
    const int images = f->B < PATCH_IMAGES ? f->B : PATCH_IMAGES;
    f->gathered = arena_alloc(tape_arena(tape), (size_t)images * (size_t)f->N * (size_t)f->length *
                                                    sizeof *f->gathered);
    const PackedInput input = {.type = DTYPE_F32, .numbers = f->gathered};
    for (f->sample = 0; f->sample < f->B; f->sample += images) {
        const int count = f->B - f->sample < images ? f->B - f->sample : images;
        op_run_tasks(tape, count * f->blocks, gather_task, f);
        const Epilogue epilogue = {.type = DTYPE_F32,
                                   .c = f->y + (ptrdiff_t)f->sample * f->N * f->D};
        op_packed_product(tape, count * f->N, &input, packed, &epilogue);
    }
    arena_free(tape_arena(tape), f->gathered);
}

Tensor *op_patch_embed(Tape *tape, Tensor *pixels, Tensor *weight, const PackedMatrix *packed)
{
    tensor_expect(pixels, "patch_embed", "pixels", 4, (const int[]){0, 0, 0, pixels->shape[2]});
    tensor_expect(weight, "patch_embed", "weight", 4,
                  (const int[]){0, pixels->shape[1], 0, weight->shape[2]});
    Patches f = patches_of(tape, pixels, weight);
    assert(f.G >= 1);
    assert(!packed || (packed->K == f.length && packed->N == f.D && !weight->needs_grad));
    Tensor *y = op_output(tape, 3, (const int[]){f.B, f.N, f.D});
    Tensor *const inputs[INPUTS] = {pixels, weight};
    Node *node = op_record(tape, OP_PATCH_EMBED, y, inputs, INPUTS);
    if (node) {
        if (weight->needs_grad)
            op_keep(tape, node, pixels);
        if (pixels->needs_grad)
            op_keep(tape, node, weight);
    }
    f.y = op_f32(tape, y);
    if (packed)
        forward_packed(tape, &f, packed);
    else
        op_run_scratch(tape, f.B * f.blocks, (size_t)PATCH_BLOCK * (size_t)f.length, forward_task,
                       &f);
    return y;
}

/*
 * A block of patches of one image: dX = dy W, scattered to dpixels. scratch: [PATCH_BLOCK,length].
 */
static void pixels_task(const void *context, int task, float *scratch)
{
    const Patches *f = context;
    const int sample = task / f->blocks;
    const OpRange patches = op_range(f->N, PATCH_BLOCK, task % f->blocks);
    gemm(false, false, patches.count, f->length, f->D, 1,
         f->dy + ((ptrdiff_t)sample * f->N + patches.begin) * f->D, f->D, f->weight, f->length, 0,
         scratch, f->length);
    scatter(f, sample, patches, scratch);
}

/* A range of rows of the weight: dW += dy^T X for image `sample`. */
static void weight_task(const void *context, int task)
{
    const Patches *f = context;
    const OpRange rows = op_range(f->D, PATCH_GRADIENT_ROWS, task);
    gemm(true, false, rows.count, f->length, f->N, 1,
         f->dy + (ptrdiff_t)f->sample * f->N * f->D + rows.begin, f->D, f->gathered, f->length, 1,
         f->dweight + (ptrdiff_t)rows.begin * f->length, f->length);
}

/* One image at a time, so that dW is summed in the order of the images. */
static void weight_backward(Tape *tape, Patches *f)
{
    f->gathered = arena_alloc(tape_arena(tape), (size_t)f->N * f->length * sizeof *f->gathered);
    for (f->sample = 0; f->sample < f->B; f->sample++) {
        op_run_tasks(tape, f->blocks, gather_task, f);
        op_run_tasks(tape, ceil_div_int(f->D, PATCH_GRADIENT_ROWS), weight_task, f);
    }
    arena_free(tape_arena(tape), f->gathered);
}

void op_patch_embed_backward(Tape *tape, Node *node)
{
    Tensor *pixels = node->in[IN_PIXELS], *weight = node->in[IN_WEIGHT];
    Patches f = patches_of(tape, pixels, weight);
    f.dy = node->out->grad;
    f.dpixels = op_grad(tape, pixels);
    f.dweight = op_grad(tape, weight);
    if (f.dpixels)
        op_run_scratch(tape, f.B * f.blocks, (size_t)PATCH_BLOCK * (size_t)f.length, pixels_task,
                       &f);
    if (f.dweight)
        weight_backward(tape, &f);
}
