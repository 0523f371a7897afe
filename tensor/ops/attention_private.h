/*
 * attention_private.h - attention of one image and head on the product kernels. Private to tensor/.
 *
 * op_attention.c is the operation, derives the formulas, and computes them with gemm where that is
 * faster. attention.c computes them with the product kernels of the table, in f32 and bf16 by the
 * same text, from operands that attention_operands.c lays out as the kernels read them.
 *
 * A head is small (257 x 64 numbers are 33 KB in bf16), so its matrices and a block of rows of the
 * scores stay in the second-level cache from the first product to the last. A row's scores are all
 * there when its softmax is taken: no running maximum is needed. Nothing depends on which worker
 * takes a head, nor on the other heads and images.
 *
 * A head's rows are short and kilobytes apart, which no processor foresees. So in bf16, where
 * products take little of the time, what the next head reads and this one writes is fetched between
 * rows of the softmax. In f32 that gained nothing.
 */
#ifndef LNCLIP_TENSOR_OPS_ATTENTION_PRIVATE_H
#define LNCLIP_TENSOR_OPS_ATTENTION_PRIVATE_H

#include "tensor/kernels/kernels.h"

/* Extents of one call: q [B,Tq,D], kv [B,T,2D], H heads of width K = D / H. */
typedef struct AttentionShape {
    DType type; /* of q, kv, o and their gradients: f32 or bf16 */
    int B, Tq, T, D, H, K;
    float scale;           /* K^(-1/2) */
    int prefetch_distance; /* bf16: distance to the next head of this thread; 0 for none */
} AttentionShape;

/* The tensors of a forward. */
typedef struct AttentionForward {
    AttentionShape shape;
    const void *q, *kv;   /* [B,Tq,D], [B,T,2D] */
    void *o;              /* [B,Tq,D] */
    float *lse;           /* [B,H,Tq] log-sum-exp of the scaled scores, or NULL */
    float *probabilities; /* [B,H,Tq,T] or NULL */
} AttentionForward;

/* The tensors of a backward. A fresh gradient is overwritten, any other is added to. */
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
 * One head, `index` of B H with heads varying fastest; heads write disjoint parts of the results.
 * scratch: as many bytes as the function before it says, 64-byte aligned.
 */
size_t attention_forward_scratch(const AttentionShape *shape);
void attention_forward(const AttentionForward *forward, int index, void *scratch);
size_t attention_backward_scratch(const AttentionShape *shape);
void attention_backward(const AttentionBackward *backward, int index, void *scratch);

/* Where head `index` starts in a [B,Tq,D] and in a [B,T,2D] tensor (there: its keys; D on, its
 * values). */
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
