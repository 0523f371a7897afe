/*
 * op_attention.c - multi-head attention, o = softmax(q k^T / sqrt(K)) v, one image and head at a time.
 *
 * Derivation. For one head, with s = K^(-1/2), S = q k^T, P = softmax(s S) by rows and o = P v:
 *
 *     dv = P^T do        dP = do v^T        dS = P (dP - delta),  delta_i = sum over j of P_ij dP_ij
 *     dq = s dS k        dk = s dS^T q
 *
 * delta is the usual term of the softmax: moving a whole row of S by a constant changes nothing.
 *
 * Shapes. q [B,Tq,D], kv [B,T,2D]: the keys of all heads, then the values of all heads; head h owns
 * columns [hK, hK+K) of q, of both halves of kv, and of o [B,Tq,D].
 *
 * What is kept: q, kv and the log-sum-exp of every row of S [B,H,Tq]. P itself [B,H,Tq,T] would be four
 * times larger than o at T = 257 and K = 64; the backward computes it again from one more
 * product. Heads write disjoint columns, so all gradients are added without a lock. Never more than one
 * [Tq,T] matrix a worker lives in the forward, and two (P and dP) in the backward. Every task works on
 * one image, so a batch's size does not change a bit. Vaswani et al., arXiv 1706.03762, section 3.2.
 */
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/op_tasks.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { IN_Q, IN_KV, INPUTS };

/* Extents of one call. */
typedef struct Extents {
    int B, Tq, T, D, H, K;
    float scale;    /* K^(-1/2) */
    size_t scores;  /* Tq T: floats of one head's matrix */
    ptrdiff_t step; /* floats between two workers' scratch */
} Extents;

static Extents extents_of(const Tensor *q, const Tensor *kv, int heads, int matrices)
{
    const int K = q->shape[2] / heads;
    Extents e = {.B = q->shape[0],
                 .Tq = q->shape[1],
                 .T = kv->shape[1],
                 .D = q->shape[2],
                 .H = heads,
                 .K = K,
                 .scale = (float)(1 / sqrt((double)K))};
    e.scores = (size_t)e.Tq * (size_t)e.T;
    e.step = (ptrdiff_t)op_scratch_stride((size_t)matrices * e.scores);
    return e;
}

/* Where one head of one image starts in a [B,Tq,D] and in a [B,T,2D] tensor (there: its keys). */
static ptrdiff_t query_offset(const Extents *e, int task)
{
    return (ptrdiff_t)(task / e->H) * e->Tq * e->D + task % e->H * e->K;
}

static ptrdiff_t key_offset(const Extents *e, int task)
{
    return (ptrdiff_t)(task / e->H) * e->T * 2 * e->D + task % e->H * e->K;
}

typedef struct Forward {
    Extents e;
    const float *q, *kv;  /* [B,Tq,D], [B,T,2D] */
    float *o;             /* [B,Tq,D] */
    float *lse;           /* [B,H,Tq], or NULL if nothing is recorded */
    float *probabilities; /* [B,H,Tq,T] or NULL */
    float *scratch;       /* [workers][Tq,T] */
} Forward;

static void forward_task(void *context, int task, int worker)
{
    const Forward *const f = context;
    const Extents *const e = &f->e;
    const float *const q = f->q + query_offset(e, task);
    const float *const k = f->kv + key_offset(e, task), *const v = k + e->D;
    float *const P = f->scratch + worker * e->step;
    gemm(false, true, e->Tq, e->T, e->K, 1, q, e->D, k, 2 * e->D, 0, P, e->T);
    for (int i = 0; i < e->Tq; i++) {
        const float lse = kernels()->softmax(P + (ptrdiff_t)i * e->T, e->T, e->scale);
        if (f->lse)
            f->lse[(ptrdiff_t)task * e->Tq + i] = lse;
    }
    if (f->probabilities)
        memcpy(f->probabilities + (size_t)task * e->scores, P, e->scores * sizeof *P);
    gemm(false, false, e->Tq, e->K, e->T, 1, P, e->T, v, 2 * e->D, 0, f->o + query_offset(e, task),
         e->D);
}

Tensor *op_attention(Tape *tape, Tensor *q, Tensor *kv, int heads, float *probabilities)
{
    tensor_expect(q, "attention", "q", 3, (const int[]){0, 0, 0});
    tensor_expect(kv, "attention", "kv", 3, (const int[]){q->shape[0], 0, 2 * q->shape[2]});
    assert(heads >= 1 && q->shape[2] % heads == 0);
    Tensor *const o = op_output(tape, 3, q->shape);
    Tensor *const inputs[INPUTS] = {q, kv};
    Node *const node = op_record(tape, OP_ATTENTION, o, inputs, INPUTS);
    Forward f = {.e = extents_of(q, kv, heads, 1), .probabilities = probabilities};
    if (node) {
        node->settings.attention.heads = heads;
        op_keep(tape, node, q);
        op_keep(tape, node, kv);
        f.lse = op_save(tape, node, (size_t)f.e.B * (size_t)f.e.H * (size_t)f.e.Tq);
    }
    f.scratch = op_scratch(tape, f.e.scores);
    if (!tape_is_planning(tape)) {
        f.q = tensor_f32(q);
        f.kv = tensor_f32(kv);
        f.o = tensor_f32(o);
        threads_run(tape_threads(tape), f.e.B * f.e.H, forward_task, &f);
    }
    arena_free(tape_arena(tape), f.scratch);
    return o;
}

typedef struct Backward {
    Extents e;
    const float *q, *kv; /* [B,Tq,D], [B,T,2D] */
    const float *d_o;    /* [B,Tq,D] */
    const float *lse;    /* [B,H,Tq] */
    float *dq, *dkv;     /* [B,Tq,D], [B,T,2D], or NULL */
    float *scratch;      /* [workers][2][Tq,T] */
} Backward;

/* dS = P (dP - delta), row by row, in dP's place. */
static void softmax_gradient(const float *P, float *dP, int n)
{
    const float delta = (float)kernels()->dot(P, dP, (size_t)n);
    for (int j = 0; j < n; j++)
        dP[j] = P[j] * (dP[j] - delta);
}

static void backward_task(void *context, int task, int worker)
{
    const Backward *const f = context;
    const Extents *const e = &f->e;
    const int Tq = e->Tq, T = e->T, D = e->D, K = e->K;
    const ptrdiff_t query = query_offset(e, task), key = key_offset(e, task);
    const float *const q = f->q + query, *const d_o = f->d_o + query;
    const float *const k = f->kv + key, *const v = k + D;
    float *const P = f->scratch + worker * e->step, *const dP = P + e->scores;

    gemm(false, true, Tq, T, K, 1, q, D, k, 2 * D, 0, P, T);
    gemm(false, true, Tq, T, K, 1, d_o, D, v, 2 * D, 0, dP, T);
    for (int i = 0; i < Tq; i++)
        kernels()->softmax_again(P + (ptrdiff_t)i * T, T, e->scale,
                                 f->lse[(ptrdiff_t)task * Tq + i]);
    if (f->dkv)
        gemm(true, false, T, K, Tq, 1, P, T, d_o, D, 1, f->dkv + key + D, 2 * D);
    for (int i = 0; i < Tq; i++)
        softmax_gradient(P + (ptrdiff_t)i * T, dP + (ptrdiff_t)i * T, T);
    if (f->dq)
        gemm(false, false, Tq, K, T, e->scale, dP, T, k, 2 * D, 1, f->dq + query, D);
    if (f->dkv)
        gemm(true, false, T, K, Tq, e->scale, dP, T, q, D, 1, f->dkv + key, 2 * D);
}

void op_attention_backward(Tape *tape, Node *node)
{
    Tensor *const q = node->in[IN_Q], *const kv = node->in[IN_KV];
    Backward f = {.e = extents_of(q, kv, node->settings.attention.heads, 2),
                  .d_o = node->out->grad,
                  .lse = node->saved[0],
                  .dq = op_grad(tape, q),
                  .dkv = op_grad(tape, kv)};
    f.scratch = op_scratch(tape, 2 * f.e.scores);
    if (!tape_is_planning(tape)) {
        f.q = tensor_f32(q);
        f.kv = tensor_f32(kv);
        threads_run(tape_threads(tape), f.e.B * f.e.H, backward_task, &f);
    }
    arena_free(tape_arena(tape), f.scratch);
}
