/*
 * attention_private.h - attention of one image and head on the product kernels. Private to tensor/.
 *
 * op_attention.c is the operation: it derives the formulas and computes them with gemm where that
 * is faster. attention.c computes them with the product kernels of the table, for f32 and bf16 in
 * the same code. attention_operands.c lays out the operands for the kernels.
 *
 * A head is small (257 x 64 elements are 33 KB in bf16), so its matrices and a block of rows of the
 * scores stay in the second-level cache from the first product to the last. All scores of a row
 * exist before its softmax, so no running maximum is needed. The result of a head does not depend
 * on the worker that computes it, nor on other heads and images.
 *
 * A head's rows are short and kilobytes apart, which the hardware prefetcher does not follow. So in
 * bf16, where products take little of the time, the output of this head and the operands of the
 * next are prefetched between rows of the softmax. In f32 that gained nothing.
 *
 * Tests: tests/test_attention.c.
 */
#ifndef LNCLIP_TENSOR_OPS_ATTENTION_PRIVATE_H
#define LNCLIP_TENSOR_OPS_ATTENTION_PRIVATE_H

#include "tensor/kernels/kernels.h"

/* Extents of one call: q [B,Tq,D], kv [B,T,2D], H heads of width K = D / H. */
typedef struct AttentionShape {
    DType type; /* type of q, kv, o and gradients: f32 or bf16 */
    int B, Tq, T, D, H, K;
    float scale;           /* K^(-1/2) */
    int prefetch_distance; /* bf16: index distance to this thread's next head; 0: do not prefetch */
} AttentionShape;

/* The tensors of a forward. */
typedef struct AttentionForward {
    AttentionShape shape;
    const void *q, *kv;   /* [B,Tq,D], [B,T,2D] */
    void *o;              /* [B,Tq,D] */
    float *lse;           /* [B,H,Tq] log-sum-exp of the scaled scores, or NULL */
    float *probabilities; /* [B,H,Tq,T] or NULL */
} AttentionForward;

/*
 * The tensors of a backward. dq and dkv are added to, or overwritten where they hold no values yet.
 */
typedef struct AttentionBackward {
    AttentionShape shape;
    const void *q, *kv;    /* [B,Tq,D], [B,T,2D] */
    const void *d_o;       /* [B,Tq,D] */
    const float *lse;      /* [B,H,Tq] from the forward */
    void *dq, *dkv;        /* [B,Tq,D], [B,T,2D], or NULL */
    float *dprobabilities; /* [B,H,Tq,T] to add dP to, or NULL */
    bool dq_overwrite, dkv_overwrite;
} AttentionBackward;

/*
 * Compute one head: `index` in [0, B H), heads of an image adjacent. Heads write disjoint parts of
 * the results, so they may run on any threads. scratch: 64-byte aligned, of the size that the
 * *_scratch function returns.
 */
size_t attention_forward_scratch(const AttentionShape *shape);
void attention_forward(const AttentionForward *forward, int index, void *scratch);
size_t attention_backward_scratch(const AttentionShape *shape);
void attention_backward(const AttentionBackward *backward, int index, void *scratch);

/*
 * Offset of head `index` in elements: in a [B,Tq,D] tensor, and of its keys in a [B,T,2D] tensor
 * (its values are D elements later).
 */
static inline ptrdiff_t attention_query_offset(const AttentionShape *shape, int index)
{
    return (ptrdiff_t)(index / shape->H) * shape->Tq * shape->D +
           (ptrdiff_t)(index % shape->H) * shape->K;
}

static inline ptrdiff_t attention_key_offset(const AttentionShape *shape, int index)
{
    return (ptrdiff_t)(index / shape->H) * shape->T * 2 * shape->D +
           (ptrdiff_t)(index % shape->H) * shape->K;
}

#endif
