/*
 * attention_backward.c - the gradients of one head on the product kernels; see attention.h.
 *
 * Block after block of rows, P and dS are computed again and give their rows of dq. They are also laid out as
 * right operands, and when all rows are there they give dv and dk. What is added to in bf16 is rounded once.
 */
#include "tensor/attention.h"
#include "tensor/attention_operands.h"

#include <string.h>

/* What lives in scratch memory. */
typedef struct Layout {
    void *q_whole, *k_whole, *v_whole, *d_o_whole;
    void *q, *d_o, *ds;                    /* left operands */
    void *turned;                          /* do^T or q^T, 64 columns */
    AttentionRight keys, values;           /* k^T, v^T */
    AttentionRight k;                      /* k, for dq */
    AttentionRight probabilities, dscores; /* P and dS of all rows, for dv and dk */
    float *scores, *dP;                    /* [ATTENTION_ROWS][ld]; in f32 they become P and dS */
    ptrdiff_t ld;                          /* T, whole panels */
    uint16_t *P_bf16, *dS_bf16;            /* bf16: [ATTENTION_ROWS] rows of whole lines */
    int line;                              /* bf16: numbers in such a row */
} Layout;

static Layout layout_of(const AttentionShape *s, AttentionScratch *scratch)
{
    const DType type = s->type;
    const int Tq = s->Tq, T = s->T, K = s->K;
    Layout l = {.ld = (T + KERNELS_COLUMNS - 1) / KERNELS_COLUMNS * (ptrdiff_t)KERNELS_COLUMNS};
    l.q_whole = attention_take_whole(scratch, type, Tq, K);
    l.k_whole = attention_take_whole(scratch, type, T, K);
    l.v_whole = attention_take_whole(scratch, type, T, K);
    l.d_o_whole = attention_take_whole(scratch, type, Tq, K);
    l.q = attention_take_left(scratch, type, Tq, K);
    l.d_o = attention_take_left(scratch, type, Tq, K);
    l.ds = attention_take_left(scratch, type, ATTENTION_ROWS, T);
    l.turned = attention_take_left_transposed(scratch, type, Tq, K);
    l.keys = attention_take_right_transposed(scratch, type, T, K);
    l.values = attention_take_right_transposed(scratch, type, T, K);
    l.k = attention_take_right(scratch, type, T, K);
    l.probabilities = attention_take_right(scratch, type, Tq, T);
    l.dscores = attention_take_right(scratch, type, Tq, T);
    const size_t numbers = ATTENTION_ROWS * (size_t)l.ld;
    l.scores = attention_take(scratch, numbers * sizeof *l.scores);
    l.dP = attention_take(scratch, numbers * sizeof *l.dP);
    if (type == DTYPE_BF16) {
        l.line = attention_groups(type, T) * 2;
        const size_t bytes = ATTENTION_ROWS * (size_t)l.line * sizeof(uint16_t);
        l.P_bf16 = attention_take(scratch, bytes);
        l.dS_bf16 = attention_take(scratch, bytes);
    }
    return l;
}

size_t attention_backward_scratch(const AttentionShape *shape)
{
    AttentionScratch measured = {0};
    layout_of(shape, &measured);
    return measured.used;
}

/* The operands of one head. */
typedef struct Head {
    AttentionMatrix q, k, v, d_o; /* rows of whole groups */
    AttentionLeft q_left, d_o_left;
    void *dq, *dk, *dv; /* where this head's columns start, or NULL */
    const float *lse;   /* [Tq] */
    float *dP;          /* [Tq,T] to add dP to, or NULL */
} Head;

/* Where a gradient goes, from `row` on. */
static KernelFinish into(const AttentionShape *s, void *gradient, ptrdiff_t ld, int row, bool fresh)
{
    void *const c = (char *)gradient + row * ld * (ptrdiff_t)dtype_size(s->type);
    return (KernelFinish){.ld = ld, .type = s->type, .c = c, .addend = fresh ? NULL : c};
}

/* P and dS of some rows of a block, from their scores and dP. lse [rows of the block]. */
static void softmax_rows(const AttentionShape *s, const Layout *l, const float *lse, int begin,
                         int count)
{
    const Kernels *const kernel = kernels();
    for (int i = begin; i < begin + count; i++) {
        float *const scores = l->scores + i * l->ld, *const dP = l->dP + i * l->ld;
        const ptrdiff_t line = (ptrdiff_t)i * l->line;
        if (s->type == DTYPE_F32)
            kernel->softmax_gradient(scores, dP, s->T, s->scale, lse[i]);
        else
            kernel->softmax_gradient_bf16(scores, dP, s->T, s->scale, lse[i], l->P_bf16 + line,
                                          l->dS_bf16 + line);
    }
}

/* P and dS of rows begin .. begin + count, and dq = dS k. */
static void backward_rows(const AttentionBackward *f, const Head *h, Layout *l, int begin,
                          int count)
{
    const AttentionShape *const s = &f->shape;
    const bool f32 = s->type == DTYPE_F32;
    const AttentionLeft q = attention_left_rows(&h->q_left, begin, count);
    const AttentionLeft d_o = attention_left_rows(&h->d_o_left, begin, count);
    attention_sums(&q, &l->keys, l->scores, l->ld);
    attention_sums(&d_o, &l->values, l->dP, l->ld);
    for (int i = 0; h->dP && i < count; i++)
        kernels()->add(l->dP + i * l->ld, h->dP + (ptrdiff_t)(begin + i) * s->T, (size_t)s->T);
    const ptrdiff_t ld = f32 ? l->ld : l->line;
    const AttentionMatrix P = {s->type, count, s->T, ld, f32 ? (void *)l->scores : l->P_bf16};
    const AttentionMatrix dS = {s->type, count, s->T, ld, f32 ? (void *)l->dP : l->dS_bf16};
    for (int i = 0, together; i < count; i += together) {
        together = count - i < 2 ? 1 : 2;
        softmax_rows(s, l, h->lse + begin, i, together);
        if (h->dk) { /* while the two rows are in the first-level cache */
            const AttentionMatrix P_rows = attention_rows(&P, i, together);
            const AttentionMatrix dS_rows = attention_rows(&dS, i, together);
            const bool more = begin + i + together < s->Tq;
            attention_fill_right(&P_rows, begin + i, more, &l->probabilities);
            attention_fill_right(&dS_rows, begin + i, more, &l->dscores);
        }
    }
    if (h->dq) {
        const AttentionLeft left = attention_left(&dS, l->ds);
        const KernelFinish finish = into(s, h->dq, s->D, begin, f->dq_fresh);
        attention_product(&left, &l->k, kernels()->finish, &finish);
    }
}

/* gradient [T,K] = right^T m, computed as (m^T right)^T. */
static void transposed_gradient(const AttentionBackward *f, const AttentionMatrix *m,
                                const AttentionRight *right, void *turned, void *gradient)
{
    const AttentionShape *const s = &f->shape;
    for (int column = 0; column < s->K; column += KERNELS_COLUMNS) {
        const AttentionLeft left = attention_left_transposed(m, column, turned);
        void *const c = (char *)gradient + (size_t)column * dtype_size(s->type);
        const KernelFinish finish = into(s, c, 2 * (ptrdiff_t)s->D, 0, f->dkv_fresh);
        attention_product_transposed(&left, right, &finish);
    }
}

static Head head_of(const AttentionBackward *f, int index, const Layout *l)
{
    const AttentionShape *const s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type), D = s->D;
    const ptrdiff_t query = attention_query_offset(s, index) * size;
    const ptrdiff_t key = attention_key_offset(s, index) * size;
    Head h = {.q = {s->type, s->Tq, s->K, D, (const char *)f->q + query},
              .k = {s->type, s->T, s->K, 2 * D, (const char *)f->kv + key},
              .v = {s->type, s->T, s->K, 2 * D, (const char *)f->kv + key + D * size},
              .d_o = {s->type, s->Tq, s->K, D, (const char *)f->d_o + query},
              .dq = f->dq ? (char *)f->dq + query : NULL,
              .dk = f->dkv ? (char *)f->dkv + key : NULL,
              .dv = f->dkv ? (char *)f->dkv + key + D * size : NULL,
              .lse = f->lse + (ptrdiff_t)index * s->Tq,
              .dP = f->dprobabilities ? f->dprobabilities + (ptrdiff_t)index * s->Tq * s->T : NULL};
    h.q = attention_whole(&h.q, l->q_whole);
    h.k = attention_whole(&h.k, l->k_whole);
    h.v = attention_whole(&h.v, l->v_whole);
    h.d_o = attention_whole(&h.d_o, l->d_o_whole);
    h.q_left = attention_left(&h.q, l->q);
    h.d_o_left = attention_left(&h.d_o, l->d_o);
    return h;
}

void attention_backward(const AttentionBackward *f, int index, void *memory)
{
    const AttentionShape *const s = &f->shape;
    AttentionScratch scratch = {.base = memory};
    Layout l = layout_of(s, &scratch);
    const Head h = head_of(f, index, &l);
    attention_fill_right_transposed(&h.k, &l.keys);
    attention_fill_right_transposed(&h.v, &l.values);
    if (h.dq)
        attention_fill_right(&h.k, 0, false, &l.k);
    for (int i = 0; l.dS_bf16 && i < ATTENTION_ROWS; i++)
        memset(l.dS_bf16 + (ptrdiff_t)i * l.line + s->T, 0,
               (size_t)(l.line - s->T) * sizeof *l.dS_bf16);
    for (int begin = 0; begin < s->Tq; begin += ATTENTION_ROWS)
        backward_rows(f, &h, &l, begin,
                      s->Tq - begin < ATTENTION_ROWS ? s->Tq - begin : ATTENTION_ROWS);
    if (!h.dk)
        return;
    transposed_gradient(f, &h.d_o, &l.probabilities, l.turned, h.dv);
    transposed_gradient(f, &h.q, &l.dscores, l.turned, h.dk);
}
