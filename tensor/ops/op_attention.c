/*
 * op_attention.c - multi-head attention, o = softmax(q k^T / sqrt(K)) v, one image and head at a
 * time.
 *
 * Derivation. For one head, with s = K^(-1/2), S = q k^T, P = softmax(s S) by rows and o = P v:
 *
 *     dv = P^T do    dP = do v^T    dS = s P (dP - delta),  delta_i = sum over j of P_ij dP_ij
 *     dq = dS k          dk = dS^T q
 *
 * delta is the usual term of the softmax's gradient: adding a constant to a row of S leaves P
 * unchanged.
 *
 * Shapes. q [B,Tq,D], kv [B,T,2D]: the keys of all heads, then the values of all heads; head h owns
 * columns [hK, hK+K) of q, of both halves of kv, and of o [B,Tq,D].
 *
 * What is kept: q, kv and the log-sum-exp of every row of s S [B,H,Tq]. P itself [B,H,Tq,T] would
 * be four times as large as o at T = 257 and K = 64, so the backward recomputes it with one more
 * product. Heads write disjoint columns, so gradients are stored without a lock. A task is one head
 * of one image, so results do not depend on the batch size. Vaswani et al., arXiv 1706.03762,
 * section 3.2.
 *
 * Attention maps. A caller that needs P passes a leaf, which receives it. If that leaf needs a
 * gradient, it is one more input. The backward then adds dP, which it computes anyway, to the
 * leaf's gradient, and runs even if no earlier weight is trainable (vit/explain.h).
 */
#include "tensor/gemm.h"
#include "tensor/ops/attention_private.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { IN_Q, IN_KV, IN_PROBABILITIES, INPUTS };

/*
 * With n threads, a thread's next head is about n heads further on: that is the prefetch_distance.
 */
static AttentionShape shape_of(const Tape *tape, const Tensor *q, const Tensor *kv, int heads)
{
    const int K = q->shape[2] / heads;
    return (AttentionShape){.type = q->dtype,
                            .B = q->shape[0],
                            .Tq = q->shape[1],
                            .T = kv->shape[1],
                            .D = q->shape[2],
                            .H = heads,
                            .K = K,
                            .scale = (float)(1 / sqrt((double)K)),
                            .prefetch_distance = threads_count(tape_threads(tape))};
}

/*
 * True if gemm computes this attention (f32 only): if it is faster than the table's kernel, or if
 * the queries are so few (the class token in a last block) that laying out keys and values would
 * cost more than it gains.
 */
static bool is_plain(const AttentionShape *shape)
{
    return shape->type == DTYPE_F32 &&
           (!kernels()->product_is_fast || shape->Tq < KERNELS_TILE_ROWS);
}

/* Scratch memory of a head with gemm: one [Tq,T] matrix forward, two (P and dP) backward. */
static size_t plain_forward_scratch(const AttentionShape *shape)
{
    return (size_t)shape->Tq * shape->T * sizeof(float);
}

static void plain_forward(const AttentionForward *f, int index, void *scratch)
{
    const AttentionShape *s = &f->shape;
    const int Tq = s->Tq, T = s->T, D = s->D, K = s->K;
    const ptrdiff_t query = attention_query_offset(s, index);
    const float *q = (const float *)f->q + query;
    const float *k = (const float *)f->kv + attention_key_offset(s, index), *v = k + D;
    const size_t scores = (size_t)Tq * (size_t)T;
    float *P = scratch;
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

static size_t plain_backward_scratch(const AttentionShape *shape)
{
    return 2 * plain_forward_scratch(shape);
}

static void plain_backward(const AttentionBackward *f, int index, void *scratch)
{
    const AttentionShape *s = &f->shape;
    const int Tq = s->Tq, T = s->T, D = s->D, K = s->K;
    const ptrdiff_t query = attention_query_offset(s, index), key = attention_key_offset(s, index);
    const float *q = (const float *)f->q + query, *d_o = (const float *)f->d_o + query;
    const float *k = (const float *)f->kv + key, *v = k + D;
    float *P = scratch, *dP = P + (ptrdiff_t)Tq * T, *dS = dP;
    float *dq = f->dq, *dkv = f->dkv;
    const float keep_q = f->dq_overwrite ? 0.0F : 1.0F, keep_kv = f->dkv_overwrite ? 0.0F : 1.0F;

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

/* Bytes as floats, rounded up. */
static size_t floats(size_t bytes)
{
    return (bytes + sizeof(float) - 1) / sizeof(float);
}

static void forward_task(const void *context, int head, float *scratch)
{
    const AttentionForward *f = context;
    if (is_plain(&f->shape))
        plain_forward(f, head, scratch);
    else
        attention_forward(f, head, scratch);
}

Tensor *op_attention(Tape *tape, Tensor *q, Tensor *kv, int heads, Tensor *probabilities)
{
    tensor_expect(q, "attention", "q", 3, (const int[]){0, 0, 0});
    tensor_expect(kv, "attention", "kv", 3, (const int[]){q->shape[0], 0, 2 * q->shape[2]});
    assert(heads >= 1 && q->shape[2] % heads == 0);
    assert((q->dtype == DTYPE_F32 || q->dtype == DTYPE_BF16) && kv->dtype == q->dtype);
    if (probabilities) {
        assert(probabilities->dtype == DTYPE_F32);
        tensor_expect(probabilities, "attention", "probabilities", 4,
                      (const int[]){q->shape[0], heads, q->shape[1], kv->shape[1]});
    }
    Tensor *o = op_output_as(tape, q->dtype, 3, q->shape);
    Tensor *const inputs[INPUTS] = {[IN_Q] = q, [IN_KV] = kv, [IN_PROBABILITIES] = probabilities};
    Node *node = op_record(tape, OP_ATTENTION, o, inputs, INPUTS);
    const AttentionShape shape = shape_of(tape, q, kv, heads);
    AttentionForward f = {.shape = shape,
                          .q = op_data(tape, q),
                          .kv = op_data(tape, kv),
                          .o = o->data,
                          .probabilities = probabilities ? probabilities->data : NULL};
    if (node) {
        *(int *)op_settings(node, sizeof heads) = heads;
        op_keep(tape, node, q);
        op_keep(tape, node, kv);
        f.lse = op_save(tape, node, (size_t)shape.B * (size_t)heads * (size_t)shape.Tq);
    }
    const size_t bytes =
        is_plain(&shape) ? plain_forward_scratch(&shape) : attention_forward_scratch(&shape);
    op_run_scratch(tape, shape.B * heads, floats(bytes), forward_task, &f);
    return o;
}

static void backward_task(const void *context, int head, float *scratch)
{
    const AttentionBackward *f = context;
    if (is_plain(&f->shape))
        plain_backward(f, head, scratch);
    else
        attention_backward(f, head, scratch);
}

void op_attention_backward(Tape *tape, Node *node)
{
    Tensor *q = node->in[IN_Q], *kv = node->in[IN_KV];
    const AttentionShape shape = shape_of(tape, q, kv, *(int *)op_settings(node, sizeof(int)));
    AttentionBackward f = {.shape = shape,
                           .q = op_data(tape, q),
                           .kv = op_data(tape, kv),
                           .d_o = node->out->grad,
                           .lse = node->saved[0]};
    f.dq = op_grad_overwrite(tape, q, &f.dq_overwrite);
    f.dkv = op_grad_overwrite(tape, kv, &f.dkv_overwrite);
    f.dprobabilities = op_grad(tape, node->in[IN_PROBABILITIES]);
    const size_t bytes =
        is_plain(&shape) ? plain_backward_scratch(&shape) : attention_backward_scratch(&shape);
    op_run_scratch(tape, shape.B * shape.H, floats(bytes), backward_task, &f);
}
