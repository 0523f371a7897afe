/*
 * ops.h - the operations, one declaration with its formula each: the library's reference card.
 *
 * Common contract. Operands are f32 tensors unless said otherwise, borrowed; outputs are new values
 * of the tape (headers valid until tape_reset, data until tape_release). Gradients have their
 * value's type. Wrong shapes assert and print both shapes. No operation runs out of memory, since
 * the arena was planned. "Rows" are all dimensions but the last taken together. Every operation
 * differentiates with respect to every tensor operand. One caller at a time: the work is spread
 * over the tape's threads.
 *
 * Reproducibility. Work is divided into tasks by shapes alone, so the number of threads never
 * changes a result. Samples are the first dimension of an operand of three or more dimensions, and
 * are computed and summed one by one, so their grouping into micro-batches changes no result
 * either. A matrix is one sample: features that must not depend on the grouping travel as [B,1,D].
 * The losses take their rows as one batch.
 *
 * Tests: tests/test_ops_gradients.c, tests/test_ops_golden.c, tests/test_ops_bf16.c.
 */
#ifndef LNCLIP_TENSOR_OPS_OPS_H
#define LNCLIP_TENSOR_OPS_OPS_H

#include "tensor/packed.h"
#include "tensor/tape.h"

typedef enum Activation { ACTIVATION_NONE, ACTIVATION_QUICK_GELU, ACTIVATION_GELU } Activation;

enum { LINEAR_MAX_PARTS = 3 };

/*
 * The weights of a linear map, stacked from parts, so that keys and values (or any maps of the same
 * input) are one product. Part p: weight[p] [out_p, in], bias[p] [out_p] or NULL. A part is frozen
 * or trainable according to needs_grad of its leaves. If all parts are frozen, the stacked weight W
 * may be packed; the packs, which must hold the same values, are then used instead of gemm.
 */
typedef struct Linear {
    int in, out; /* out = sum of the parts' rows */
    int parts;
    Tensor *weight[LINEAR_MAX_PARTS];
    Tensor *bias[LINEAR_MAX_PARTS];
    const PackedMatrix *forward;  /* W^T [in,out] for y, or NULL */
    const PackedMatrix *backward; /* W [out,in] for dx, or NULL; f32 or bf16 as forward is */
    /* Without packs: f32, or bf16, for which the f32 weights are packed in every product. */
    DType compute;
} Linear;

/*
 * The type of x that op_linear expects: bf16 if `forward` is packed in bf16 or int8, f32 if packed
 * in f32, else `compute`.
 */
DType op_linear_type(const Linear *linear);

/*
 * y = act(x W^T + b + residual). x [B,M,in] or [M,in] -> y [B,M,out] or [M,out]. x is of
 * op_linear_type. residual: [shape of y], f32 or of x's type, or NULL. y has the residual's type
 * (x's without one) and overwrites a residual that was handed over (tape_hand_over). A weight
 * packed in int8 has no backward: recording through it asserts. quick_gelu(z) = z sigmoid(1.702 z);
 * gelu(z) = z Phi(z), Phi the normal distribution function.
 */
Tensor *op_linear(Tape *tape, Tensor *x, const Linear *linear, Activation activation,
                  Tensor *residual);

/*
 * LoRA of a linear map in parts (Linear). Part p is rows[p] columns of y; it has A = down[p]
 * [rank,in] and B = up[p] [rows[p],rank], or both are NULL. At least one part has them.
 */
typedef struct Lora {
    int in, out; /* out = sum of rows */
    int parts;
    int rows[LINEAR_MAX_PARTS];
    Tensor *down[LINEAR_MAX_PARTS], *up[LINEAR_MAX_PARTS];
    float scale;  /* s; 0 counts as 1 */
    uint16_t map; /* number of the map in its network: part of dropout's random numbers */
} Lora;

/*
 * y = residual + s (D(x) A^T) B^T: with y as the residual of op_linear, the effective weight of the
 * linear map is W + s B A, while W itself, packed or not, is unchanged. On a tape with dropout
 * (tape_set_dropout) each element of D(x) is 0 with probability p, else x / (1 - p), with its own
 * mask for each part; otherwise D(x) = x. x [B,M,in] or [M,in], f32 or bf16; residual: f32 [shape
 * of y], or NULL for zeros. y [.., out] is f32 with a residual, else of x's type. Hu et al., arXiv
 * 2106.09685.
 */
Tensor *op_lora(Tape *tape, Tensor *x, const Lora *lora, Tensor *residual);

/*
 * y = gamma (x - mean) / sqrt(var + eps) + beta, by row; var is the biased variance. gamma, beta
 * [D]. x is f32, y of `type`, f32 or bf16. For the backward an f32 y keeps x; a bf16 y keeps a bf16
 * copy of (x - mean) / sqrt(var + eps).
 */
Tensor *op_layer_norm(Tape *tape, Tensor *x, Tensor *gamma, Tensor *beta, float eps, DType type);

/*
 * Multi-head attention: for each image and head, softmax(q k^T / sqrt(K)) v with K = D / heads. q
 * [B,Tq,D], kv [B,T,2D] (keys, then values) -> [B,Tq,D], all f32 or all bf16; softmax in f32.
 * probabilities: NULL, or an f32 leaf [B,heads,Tq,T] of the caller that lives until tape_reset: its
 * data, unless NULL, are overwritten with the softmax; if it needs a gradient, the backward adds
 * the objective's gradient with respect to the softmax to it. Temporary memory: one [Tq,T] matrix
 * per thread forward, two backward.
 */
Tensor *op_attention(Tape *tape, Tensor *q, Tensor *kv, int heads, Tensor *probabilities);

/*
 * Convolution with kernel = stride = P, no bias: pixels [B,C,S,S], weight [D,C,P,P] ->
 * [B,(S/P)^2,D], patches in row-major order. If S is not a multiple of P, the remaining border is
 * ignored, as in PyTorch's convolution. packed: NULL, or a frozen weight as W^T [C P P,D], packed
 * in f32 or bf16 and borrowed for the call; the forward then uses it instead of gemm. All tensors
 * are f32.
 */
Tensor *op_patch_embed(Tape *tape, Tensor *pixels, Tensor *weight, const PackedMatrix *packed);

/*
 * concat(class_embedding, patches) + position: patches [B,T-1,D], class [D], position [T,D] ->
 * [B,T,D].
 */
Tensor *op_embed_tokens(Tape *tape, Tensor *patches, Tensor *class_embedding, Tensor *position);

/* x, f32 or bf16 -> the same values in `type`, f32 or bf16 (rounded to nearest even). */
Tensor *op_cast(Tape *tape, Tensor *x, DType type);

/* x [B,T,D], f32 or bf16 -> the given token of each image, [B,1,D], of the same type. */
Tensor *op_select_token(Tape *tape, Tensor *x, int token);

/* a + b, same shapes. */
Tensor *op_add(Tape *tape, Tensor *a, Tensor *b);

/* factor * x. */
Tensor *op_scale(Tape *tape, Tensor *x, float factor);

/* For tests. x Phi(x), exact (erf), element by element. Hendrycks & Gimpel, arXiv 1606.08415. */
Tensor *op_gelu(Tape *tape, Tensor *x);

/* exp(x - max) / sum, by row. */
Tensor *op_softmax(Tape *tape, Tensor *x);

/* x / max(|x|, eps), by row. */
Tensor *op_l2_normalize(Tape *tape, Tensor *x, float eps);

/*
 * Mean over rows of cross-entropy with label smoothing s: -(1-s) log p_y - s/C sum_c log p_c.
 * logits [..,C], labels [rows] in [0,C), borrowed until backward -> [1]. Same as PyTorch's
 * CrossEntropyLoss.
 */
Tensor *op_cross_entropy(Tape *tape, Tensor *logits, const int *labels, float smoothing);

/*
 * Mean of |z_i - z_j|^2 over all pairs i<j of equal label; 0 without such a pair. z [..,D] -> [1].
 * labels [rows] borrowed until backward. Wang & Isola, arXiv 2005.10242, section 4.
 */
Tensor *op_alignment(Tape *tape, Tensor *z, const int *labels);

/*
 * log mean over pairs i<j of exp(-2 |z_i - z_j|^2); 0 for fewer than two rows. z [..,D] -> [1].
 * Wang & Isola, section 4.
 */
Tensor *op_uniformity(Tape *tape, Tensor *z);

/*
 * Spherical interpolation of row i of z with row partner[i], both normalised first:
 * sin((1-t)w)/sin(w) a + sin(t w)/sin(w) b, w = acos(clamp(a.b, -1+1e-7, 1-1e-7)).
 * partner[i] = -1 leaves row i as it is. z [..,D] -> like z. partner, t [rows] borrowed until
 * backward. Shoemake, SIGGRAPH 1985; used as in arXiv 2503.19683.
 */
Tensor *op_slerp(Tape *tape, Tensor *z, const int *partner, const float *t);

/*
 * A function that applies operations to x, which it must release, and returns their result.
 * `context` and `index` are those of op_recompute.
 */
typedef Tensor *TapeSegment(Tape *tape, Tensor *x, const void *context, int index);

/*
 * segment(tape, x) with activation checkpointing: only x is kept, and the backward recomputes the
 * values of the segment on tape_inner(tape), which must exist (tape_allow_recompute). x, which is
 * released, and the result are f32. `context` is borrowed until backward. If x needs no gradient,
 * the segment runs and is recorded as usual. Chen et al., arXiv 1604.06174.
 */
Tensor *op_recompute(Tape *tape, Tensor *x, TapeSegment *segment, const void *context, int index);

#endif
