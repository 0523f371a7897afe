/*
 * attention_plain.c - attention of one head by the general matrix product, in f32: the text to read, and
 * what runs where packing does not pay (op_attention.c says when).
 *
 * One [Tq,T] matrix lives in the forward, and two (P and dP) in the backward.
 */
#include "tensor/gemm.h"
#include "tensor/ops/attention_private.h"

#include <string.h>

size_t attention_plain_forward_scratch(const AttentionShape *shape)
{
    return (size_t)shape->Tq * (size_t)shape->T * sizeof(float);
}

void attention_plain_forward(const AttentionForward *f, int index, void *scratch)
{
    const AttentionShape *const s = &f->shape;
    const int Tq = s->Tq, T = s->T, D = s->D, K = s->K;
    const ptrdiff_t query = attention_query_offset(s, index);
    const float *const q = (const float *)f->q + query;
    const float *const k = (const float *)f->kv + attention_key_offset(s, index), *const v = k + D;
    const size_t scores = (size_t)Tq * (size_t)T;
    float *const P = scratch;
    gemm(false, true, Tq, T, K, 1, q, D, k, 2 * D, 0, P, T);
    for (int i = 0; i < Tq; i++) {
        const float lse = kernels()->softmax(P + (ptrdiff_t)i * T, T, s->scale);
        if (f->lse)
            f->lse[(ptrdiff_t)index * Tq + i] = lse;
    }
    if (f->probabilities)
        memcpy(f->probabilities + (size_t)index * scores, P, scores * sizeof *P);
    gemm(false, false, Tq, K, T, 1, P, T, v, 2 * D, 0, (float *)f->o + query, D);
}

size_t attention_plain_backward_scratch(const AttentionShape *shape)
{
    return 2 * attention_plain_forward_scratch(shape);
}

void attention_plain_backward(const AttentionBackward *f, int index, void *scratch)
{
    const AttentionShape *const s = &f->shape;
    const int Tq = s->Tq, T = s->T, D = s->D, K = s->K;
    const ptrdiff_t query = attention_query_offset(s, index), key = attention_key_offset(s, index);
    const float *const q = (const float *)f->q + query, *const d_o = (const float *)f->d_o + query;
    const float *const k = (const float *)f->kv + key, *const v = k + D;
    float *const P = scratch, *const dP = P + (ptrdiff_t)Tq * T, *const dS = dP;
    float *const dq = f->dq, *const dkv = f->dkv;
    const float keep_q = f->dq_fresh ? 0.0F : 1.0F, keep_kv = f->dkv_fresh ? 0.0F : 1.0F;

    gemm(false, true, Tq, T, K, 1, q, D, k, 2 * D, 0, P, T);
    gemm(false, true, Tq, T, K, 1, d_o, D, v, 2 * D, 0, dP, T);
    if (f->dprobabilities) {
        const size_t scores = (size_t)Tq * (size_t)T;
        kernels()->add(dP, f->dprobabilities + (size_t)index * scores, scores);
    }
    for (int i = 0; i < Tq; i++)
        kernels()->softmax_gradient(P + (ptrdiff_t)i * T, dP + (ptrdiff_t)i * T, KERNELS_COLUMNS, T,
                                    s->scale, f->lse[(ptrdiff_t)index * Tq + i]);
    if (dkv)
        gemm(true, false, T, K, Tq, 1, P, T, d_o, D, keep_kv, dkv + key + D, 2 * D);
    if (dq)
        gemm(false, false, Tq, K, T, 1, dS, T, k, 2 * D, keep_q, dq + query, D);
    if (dkv)
        gemm(true, false, T, K, Tq, 1, dS, T, q, D, keep_kv, dkv + key, 2 * D);
}
