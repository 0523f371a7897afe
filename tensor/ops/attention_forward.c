/*
 * attention_forward.c - o = softmax(s q k^T) v of one head on the product kernels; see attention.h.
 *
 * In bf16 the exponentials are rounded as they are, at most 1, and the products with v are divided by their
 * sum, so that a probability is rounded once. In f32 the softmax is finished in place.
 */
#include "tensor/ops/attention_operands_private.h"
#include "tensor/ops/attention_private.h"

#include <string.h>

/* What lives in scratch memory. */
typedef struct Layout {
    void *q_whole, *k_whole;
    void *q, *p;            /* left operands */
    AttentionRight keys;    /* k^T */
    AttentionRight values;  /* v */
    float *scores;          /* [ATTENTION_ROWS][ld], in f32 the probabilities too */
    ptrdiff_t ld;           /* T, whole panels */
    uint16_t *exponentials; /* bf16: [ATTENTION_ROWS] rows of whole lines */
    int line;               /* bf16: numbers in such a row */
} Layout;

static Layout layout_of(const AttentionShape *s, AttentionScratch *scratch)
{
    Layout l = {.ld = (s->T + KERNELS_COLUMNS - 1) / KERNELS_COLUMNS * (ptrdiff_t)KERNELS_COLUMNS};
    l.q_whole = attention_take_whole(scratch, s->type, s->Tq, s->K);
    l.k_whole = attention_take_whole(scratch, s->type, s->T, s->K);
    l.q = attention_take_left(scratch, s->type, s->Tq, s->K);
    l.p = attention_take_left(scratch, s->type, ATTENTION_ROWS, s->T);
    l.keys = attention_take_right_transposed(scratch, s->type, s->T, s->K);
    l.values = attention_take_right(scratch, s->type, s->T, s->K);
    l.scores = attention_take(scratch, ATTENTION_ROWS * (size_t)l.ld * sizeof *l.scores);
    if (s->type == DTYPE_BF16) {
        l.line = attention_groups(s->type, s->T) * 2;
        l.exponentials =
            attention_take(scratch, ATTENTION_ROWS * (size_t)l.line * sizeof *l.exponentials);
    }
    return l;
}

size_t attention_forward_scratch(const AttentionShape *shape)
{
    AttentionScratch measured = {0};
    layout_of(shape, &measured);
    return measured.used;
}

/* A KernelProduct's deliver: row by row, the sums times row_scale, rounded to bf16. */
static void deliver_divided(const KernelFinish *finish, int row, int count, const void *sums)
{
    const float *sum = sums;
    float mean[KERNELS_COLUMNS];
    for (int r = row; r < row + count; r++, sum += KERNELS_COLUMNS) {
        const float factor = finish->row_scale[r];
        for (int n = 0; n < KERNELS_COLUMNS; n++)
            mean[n] = sum[n] * factor;
        kernels()->to_bf16(mean, (uint16_t *)finish->c + r * finish->ld, (size_t)finish->columns);
    }
}

/* A head's operands where they lie. */
typedef struct Head {
    AttentionMatrix q, k, v;
} Head;

static Head head_of(const AttentionForward *f, int index)
{
    const AttentionShape *const s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type), D = s->D;
    const char *const q = (const char *)f->q + attention_query_offset(s, index) * size;
    const char *const k = (const char *)f->kv + attention_key_offset(s, index) * size;
    return (Head){.q = {s->type, s->Tq, s->K, D, q},
                  .k = {s->type, s->T, s->K, 2 * D, k},
                  .v = {s->type, s->T, s->K, 2 * D, k + D * size}};
}

/* What this head writes and the next one reads. */
static AttentionAhead ahead_of(const AttentionForward *f, int index, const void *o)
{
    const AttentionShape *const s = &f->shape;
    const AttentionMatrix written = {s->type, s->Tq, s->K, s->D, o};
    AttentionAhead ahead = {0};
    attention_expect(&ahead, &written);
    if (s->ahead > 0 && index + s->ahead < s->B * s->H) {
        const Head next = head_of(f, index + s->ahead);
        attention_expect(&ahead, &next.q);
        attention_expect(&ahead, &next.k);
        attention_expect(&ahead, &next.v);
    }
    return ahead;
}

/* Rows begin .. begin + q->rows of one head, which starts at o. */
static void forward_rows(const AttentionForward *f, int index, const Layout *l,
                         const AttentionLeft *q, int begin, AttentionAhead *ahead, void *o)
{
    const AttentionShape *const s = &f->shape;
    const int T = s->T;
    const bool f32 = s->type == DTYPE_F32;
    float inverse_sum[ATTENTION_ROWS];
    attention_sums(q, &l->keys, l->scores, l->ld, KERNELS_COLUMNS);
    for (int i = 0; i < q->rows; i++) {
        if (!f32)
            attention_fetch(ahead, 1);
        const ptrdiff_t row = (ptrdiff_t)index * s->Tq + begin + i;
        float *const scores = l->scores + i * l->ld;
        const float lse = f32 ? kernels()->softmax(scores, T, s->scale)
                              : kernels()->softmax_bf16(scores, T, s->scale,
                                                        l->exponentials + (ptrdiff_t)i * l->line,
                                                        inverse_sum + i);
        if (f->lse)
            f->lse[row] = lse;
        if (f->probabilities) {
            float *const probabilities = f->probabilities + row * T;
            memcpy(probabilities, scores, (size_t)T * sizeof *scores);
            if (!f32)
                kernels()->softmax(probabilities, T, s->scale);
        }
    }
    const AttentionMatrix P = {.type = s->type,
                               .rows = q->rows,
                               .columns = T,
                               .ld = f32 ? l->ld : l->line,
                               .numbers = f32 ? (const void *)l->scores : l->exponentials};
    const AttentionLeft left = attention_left(&P, l->p);
    const KernelFinish finish = {.ld = s->D, .type = s->type, .c = o, .row_scale = inverse_sum};
    const KernelFinish plain = {.ld = s->D, .type = s->type, .c = o};
    attention_product(&left, &l->values, f32 ? kernels()->finish : deliver_divided,
                      f32 ? &plain : &finish);
}

void attention_forward(const AttentionForward *f, int index, void *memory)
{
    const AttentionShape *const s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type);
    char *const o = (char *)f->o + attention_query_offset(s, index) * size;
    AttentionScratch scratch = {.base = memory};
    Layout l = layout_of(s, &scratch);
    const Head h = head_of(f, index);
    AttentionAhead ahead = ahead_of(f, index, o);

    const AttentionMatrix q = attention_whole(&h.q, l.q_whole);
    const AttentionMatrix k = attention_whole(&h.k, l.k_whole);
    const AttentionLeft left = attention_left(&q, l.q);
    attention_fill_right_transposed(&k, &l.keys);
    attention_fill_right(&h.v, &l.values);
    for (int i = 0; l.exponentials && i < ATTENTION_ROWS; i++)
        memset(l.exponentials + (ptrdiff_t)i * l.line + s->T, 0,
               (size_t)(l.line - s->T) * sizeof *l.exponentials);
    for (int begin = 0; begin < s->Tq; begin += ATTENTION_ROWS) {
        const int count = s->Tq - begin < ATTENTION_ROWS ? s->Tq - begin : ATTENTION_ROWS;
        const AttentionLeft rows = attention_left_rows(&left, begin, count);
        forward_rows(f, index, &l, &rows, begin, &ahead, o + begin * (ptrdiff_t)s->D * size);
    }
}
