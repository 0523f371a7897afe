/*
 * attention.c - one head on the product kernels, o = softmax(s q k^T) v and its gradients; see
 * attention_private.h.
 *
 * Forward. In bf16 the unnormalised exponentials (at most 1) are rounded, and the products with v
 * are divided by the sum of the exponentials, so a probability is rounded only once. In f32 the
 * softmax is completed in place.
 *
 * Backward. P and dS are recomputed one block of rows at a time and stored as right operands; each
 * block of dS gives its rows of dq. Once all rows are stored, P gives dv and dS gives dk. In f32
 * the scores are computed directly in the right operand. In bf16 the sum with an existing gradient
 * is rounded only once.
 */
#include "tensor/ops/attention_operands_private.h"
#include "tensor/ops/attention_private.h"

#include <string.h>

/* Scratch memory of the forward. */
typedef struct ForwardLayout {
    void *q_padded, *k_padded;
    void *q, *p;            /* left operands */
    AttentionRhs keys;      /* k^T */
    AttentionRhs values;    /* v */
    float *scores;          /* [ATTENTION_ROWS][ld], in f32 the probabilities too */
    ptrdiff_t ld;           /* T rounded up to whole panels */
    uint16_t *exponentials; /* bf16: [ATTENTION_ROWS] rows of whole lines */
    int line;               /* bf16: elements in a row of exponentials */
} ForwardLayout;

static ForwardLayout forward_layout(const AttentionShape *s, AttentionScratch *scratch)
{
    ForwardLayout l = {.ld = (s->T + KERNELS_COLUMNS - 1) / KERNELS_COLUMNS *
                             (ptrdiff_t)KERNELS_COLUMNS};
    l.q_padded = attention_allocate_padded(scratch, s->type, s->Tq, s->K);
    l.k_padded = attention_allocate_padded(scratch, s->type, s->T, s->K);
    l.q = attention_allocate_lhs(scratch, s->type, s->Tq, s->K);
    l.p = attention_allocate_lhs(scratch, s->type, ATTENTION_ROWS, s->T);
    l.keys = attention_allocate_rhs_transposed(scratch, s->type, s->T, s->K);
    l.values = attention_allocate_rhs(scratch, s->type, s->T, s->K);
    l.scores = attention_allocate(scratch, ATTENTION_ROWS * l.ld * sizeof *l.scores);
    if (s->type == DTYPE_BF16) {
        l.line = attention_groups(s->type, s->T) * 2;
        l.exponentials =
            attention_allocate(scratch, ATTENTION_ROWS * (size_t)l.line * sizeof *l.exponentials);
    }
    return l;
}

size_t attention_forward_scratch(const AttentionShape *shape)
{
    AttentionScratch measured = {0};
    forward_layout(shape, &measured);
    return measured.used;
}

/* KernelProduct.store for the forward in bf16: multiplies row r by row_scale[r], rounds to bf16. */
static void store_divided(const Epilogue *epilogue, int row, int count, const void *sums)
{
    const float *sum = sums;
    float mean[KERNELS_COLUMNS];
    for (int r = row; r < row + count; r++, sum += KERNELS_COLUMNS) {
        const float factor = epilogue->row_scale[r];
        for (int n = 0; n < KERNELS_COLUMNS; n++)
            mean[n] = sum[n] * factor;
        kernels()->to_bf16(mean, (uint16_t *)epilogue->c + r * epilogue->ld, epilogue->columns);
    }
}

/* The operands of one head, in place. */
typedef struct ForwardHead {
    AttentionMatrix q, k, v;
} ForwardHead;

static ForwardHead forward_head(const AttentionForward *f, int index)
{
    const AttentionShape *s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type), D = s->D;
    const char *q = (const char *)f->q + attention_query_offset(s, index) * size;
    const char *k = (const char *)f->kv + attention_key_offset(s, index) * size;
    return (ForwardHead){.q = {s->type, s->Tq, s->K, D, q},
                         .k = {s->type, s->T, s->K, 2 * D, k},
                         .v = {s->type, s->T, s->K, 2 * D, k + D * size}};
}

/* The matrices to prefetch: o of this head, and q, k, v of this thread's next one. */
static AttentionPrefetch forward_prefetch(const AttentionForward *f, int index, const void *o)
{
    const AttentionShape *s = &f->shape;
    const AttentionMatrix written = {s->type, s->Tq, s->K, s->D, o};
    AttentionPrefetch prefetch = {0};
    attention_prefetch_add(&prefetch, &written);
    if (s->prefetch_distance > 0 && index + s->prefetch_distance < s->B * s->H) {
        const ForwardHead next = forward_head(f, index + s->prefetch_distance);
        attention_prefetch_add(&prefetch, &next.q);
        attention_prefetch_add(&prefetch, &next.k);
        attention_prefetch_add(&prefetch, &next.v);
    }
    return prefetch;
}

/* Computes rows [begin, begin + q->rows) of one head into o. */
static void forward_rows(const AttentionForward *f, int index, const ForwardLayout *l,
                         const AttentionLhs *q, int begin, AttentionPrefetch *prefetch, void *o)
{
    const AttentionShape *s = &f->shape;
    const int T = s->T;
    const bool f32 = s->type == DTYPE_F32;
    float inverse_sum[ATTENTION_ROWS];
    attention_sums(q, &l->keys, l->scores, l->ld, KERNELS_COLUMNS);
    for (int i = 0; i < q->rows; i++) {
        if (!f32)
            attention_prefetch_rows(prefetch, 1);
        const ptrdiff_t row = (ptrdiff_t)index * s->Tq + begin + i;
        float *scores = l->scores + i * l->ld;
        const float lse = f32 ? kernels()->softmax(scores, T, s->scale)
                              : kernels()->softmax_bf16(scores, T, s->scale,
                                                        l->exponentials + (ptrdiff_t)i * l->line,
                                                        inverse_sum + i);
        if (f->lse)
            f->lse[row] = lse;
        if (f->probabilities) {
            float *probabilities = f->probabilities + row * T;
            memcpy(probabilities, scores, T * sizeof *scores);
            if (!f32)
                kernels()->softmax(probabilities, T, s->scale);
        }
    }
    const AttentionMatrix P = {.type = s->type,
                               .rows = q->rows,
                               .columns = T,
                               .ld = f32 ? l->ld : l->line,
                               .elements = f32 ? (const void *)l->scores : l->exponentials};
    const AttentionLhs lhs = attention_lhs(&P, l->p);
    const Epilogue epilogue = {.ld = s->D, .type = s->type, .c = o, .row_scale = inverse_sum};
    const Epilogue plain = {.ld = s->D, .type = s->type, .c = o};
    attention_product(&lhs, &l->values, f32 ? kernels()->epilogue : store_divided,
                      f32 ? &plain : &epilogue);
}

void attention_forward(const AttentionForward *f, int index, void *memory)
{
    const AttentionShape *s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type);
    char *o = (char *)f->o + attention_query_offset(s, index) * size;
    AttentionScratch scratch = {.base = memory};
    ForwardLayout l = forward_layout(s, &scratch);
    const ForwardHead h = forward_head(f, index);
    AttentionPrefetch prefetch = forward_prefetch(f, index, o);

    const AttentionMatrix q = attention_pad_rows(&h.q, l.q_padded);
    const AttentionMatrix k = attention_pad_rows(&h.k, l.k_padded);
    const AttentionLhs lhs = attention_lhs(&q, l.q);
    attention_fill_rhs_transposed(&k, &l.keys);
    attention_fill_rhs(&h.v, &l.values);
    for (int i = 0; l.exponentials && i < ATTENTION_ROWS; i++)
        memset(l.exponentials + (ptrdiff_t)i * l.line + s->T, 0,
               (size_t)(l.line - s->T) * sizeof *l.exponentials);
    for (int begin = 0; begin < s->Tq; begin += ATTENTION_ROWS) {
        const int count = s->Tq - begin < ATTENTION_ROWS ? s->Tq - begin : ATTENTION_ROWS;
        const AttentionLhs rows = attention_lhs_rows(&lhs, begin, count);
        forward_rows(f, index, &l, &rows, begin, &prefetch, o + begin * (ptrdiff_t)s->D * size);
    }
}

/* Scratch memory of the backward. */
typedef struct BackwardLayout {
    void *q_padded, *k_padded, *v_padded, *d_o_padded;
    void *q, *d_o, *ds;                  /* left operands */
    void *transposed;                    /* do^T or q^T, 64 columns */
    AttentionRhs keys, values;           /* k^T, v^T */
    AttentionRhs k;                      /* k, for dq */
    AttentionRhs probabilities, dscores; /* P and dS of all rows, for dv and dk */
    float *scores, *dP;                  /* bf16: [ATTENTION_ROWS][ld] */
    ptrdiff_t ld;                        /* T rounded up to whole panels */
    uint16_t *dS_bf16;                   /* bf16: [ATTENTION_ROWS] rows of whole lines */
    int line;                            /* bf16: elements in a row of dS_bf16 */
} BackwardLayout;

static BackwardLayout backward_layout(const AttentionShape *s, AttentionScratch *scratch)
{
    const DType type = s->type;
    const int Tq = s->Tq, T = s->T, K = s->K;
    BackwardLayout l = {.ld = (T + KERNELS_COLUMNS - 1) / KERNELS_COLUMNS *
                              (ptrdiff_t)KERNELS_COLUMNS};
    l.q_padded = attention_allocate_padded(scratch, type, Tq, K);
    l.k_padded = attention_allocate_padded(scratch, type, T, K);
    l.v_padded = attention_allocate_padded(scratch, type, T, K);
    l.d_o_padded = attention_allocate_padded(scratch, type, Tq, K);
    l.q = attention_allocate_lhs(scratch, type, Tq, K);
    l.d_o = attention_allocate_lhs(scratch, type, Tq, K);
    l.ds = attention_allocate_lhs(scratch, type, ATTENTION_ROWS, T);
    l.transposed = attention_allocate_lhs_transposed(scratch, type, Tq, K);
    l.keys = attention_allocate_rhs_transposed(scratch, type, T, K);
    l.values = attention_allocate_rhs_transposed(scratch, type, T, K);
    l.k = attention_allocate_rhs(scratch, type, T, K);
    l.probabilities = attention_allocate_rhs(scratch, type, Tq, T);
    l.dscores = attention_allocate_rhs(scratch, type, Tq, T);
    if (type == DTYPE_BF16) {
        const size_t bytes = ATTENTION_ROWS * l.ld * sizeof(float);
        l.scores = attention_allocate(scratch, bytes);
        l.dP = attention_allocate(scratch, bytes);
        l.line = attention_groups(type, T) * 2;
        l.dS_bf16 =
            attention_allocate(scratch, ATTENTION_ROWS * (size_t)l.line * sizeof *l.dS_bf16);
    }
    return l;
}

size_t attention_backward_scratch(const AttentionShape *shape)
{
    AttentionScratch measured = {0};
    backward_layout(shape, &measured);
    return measured.used;
}

/* The operands of one head. */
typedef struct BackwardHead {
    AttentionMatrix q, k, v, d_o; /* rows padded to whole groups */
    AttentionLhs q_lhs, d_o_lhs;
    void *dq, *dk, *dv; /* where this head's columns start, or NULL */
    const float *lse;   /* [Tq] */
    float *dP;          /* [Tq,T] to add dP to, or NULL */
} BackwardHead;

/* The epilogue that stores rows from `row` on of a gradient, or adds to them. */
static Epilogue into(const AttentionShape *s, void *gradient, ptrdiff_t ld, int row, bool overwrite)
{
    void *c = (char *)gradient + row * ld * (ptrdiff_t)dtype_size(s->type);
    return (Epilogue){.ld = ld, .type = s->type, .c = c, .residual = overwrite ? NULL : c};
}

/* Adds a row of dP to `sum` [T]. */
static void add_row(const AttentionShape *s, const float *dP, ptrdiff_t step, float *sum)
{
    for (int column = 0; column < s->T; column += KERNELS_COLUMNS, dP += step) {
        const int rest = s->T - column;
        kernels()->add(dP, sum + column, (size_t)(rest < KERNELS_COLUMNS ? rest : KERNELS_COLUMNS));
    }
}

/*
 * Turns scores and dP of rows [begin, begin + count) into P and dS, in place. Returns dS as a left
 * operand.
 */
static AttentionLhs gradient_f32(const AttentionShape *s, const BackwardHead *h,
                                 const BackwardLayout *l, int begin, int count)
{
    const ptrdiff_t step = attention_step(&l->dscores);
    for (int i = begin; i < begin + count; i++)
        kernels()->softmax_gradient(attention_rhs_row(&l->probabilities, i),
                                    attention_rhs_row(&l->dscores, i), step, s->T, s->scale,
                                    h->lse[i]);
    return attention_lhs_of_rhs(&l->dscores, begin, count, l->ds);
}

/*
 * gradient_f32 for bf16: reads scores and dP from their block two rows at a time, which become one
 * row of pairs.
 */
static AttentionLhs gradient_bf16(const AttentionShape *s, const BackwardHead *h,
                                  const BackwardLayout *l, int begin, int count,
                                  AttentionPrefetch *prefetch)
{
    KernelScores rows = {.n = s->T,
                         .scale = s->scale,
                         .ld = l->ld,
                         .ld_dS = l->line,
                         .step = attention_step(&l->dscores)};
    for (int i = 0; i < count; i += 2) {
        rows.rows = count - i < 2 ? 1 : 2;
        attention_prefetch_rows(prefetch, rows.rows);
        rows.lse = h->lse + begin + i;
        rows.scores = l->scores + i * l->ld;
        rows.dP = l->dP + i * l->ld;
        rows.dS = l->dS_bf16 + (ptrdiff_t)i * l->line;
        rows.P_pairs = attention_rhs_row(&l->probabilities, begin + i);
        rows.dS_pairs = attention_rhs_row(&l->dscores, begin + i);
        kernels()->softmax_gradient_bf16(&rows);
    }
    const AttentionMatrix dS = {s->type, count, s->T, l->line, l->dS_bf16};
    return attention_lhs(&dS, NULL);
}

/* Computes P and dS of rows [begin, begin + count), and dq = dS k. */
static void backward_rows(const AttentionBackward *f, const BackwardHead *h,
                          const BackwardLayout *l, int begin, int count,
                          AttentionPrefetch *prefetch)
{
    const AttentionShape *s = &f->shape;
    const bool f32 = s->type == DTYPE_F32;
    const AttentionLhs q = attention_lhs_rows(&h->q_lhs, begin, count);
    const AttentionLhs d_o = attention_lhs_rows(&h->d_o_lhs, begin, count);
    float *scores = f32 ? attention_rhs_row(&l->probabilities, begin) : l->scores;
    float *dP = f32 ? attention_rhs_row(&l->dscores, begin) : l->dP;
    const ptrdiff_t ld = f32 ? KERNELS_COLUMNS : l->ld;
    const ptrdiff_t step = f32 ? attention_step(&l->dscores) : KERNELS_COLUMNS;
    attention_sums(&q, &l->keys, scores, ld, step);
    attention_sums(&d_o, &l->values, dP, ld, step);
    for (int i = 0; h->dP && i < count; i++)
        add_row(s, dP + i * ld, step, h->dP + (ptrdiff_t)(begin + i) * s->T);
    const AttentionLhs dS =
        f32 ? gradient_f32(s, h, l, begin, count) : gradient_bf16(s, h, l, begin, count, prefetch);
    if (h->dq) {
        const Epilogue epilogue = into(s, h->dq, s->D, begin, f->dq_overwrite);
        attention_product(&dS, &l->k, kernels()->epilogue, &epilogue);
    }
}

/* gradient [T,K] = rhs^T m, computed as (m^T rhs)^T. */
static void transposed_gradient(const AttentionBackward *f, const AttentionMatrix *m,
                                const AttentionRhs *rhs, void *transposed, void *gradient)
{
    const AttentionShape *s = &f->shape;
    for (int column = 0; column < s->K; column += KERNELS_COLUMNS) {
        const AttentionLhs lhs = attention_lhs_transposed(m, column, transposed);
        void *c = (char *)gradient + (size_t)column * dtype_size(s->type);
        const Epilogue epilogue = into(s, c, 2 * (ptrdiff_t)s->D, 0, f->dkv_overwrite);
        attention_product_transposed(&lhs, rhs, &epilogue);
    }
}

/* The operands and gradients of head `index`, in place. */
static BackwardHead backward_head(const AttentionBackward *f, int index)
{
    const AttentionShape *s = &f->shape;
    const ptrdiff_t size = (ptrdiff_t)dtype_size(s->type), D = s->D;
    const ptrdiff_t query = attention_query_offset(s, index) * size;
    const ptrdiff_t key = attention_key_offset(s, index) * size;
    return (BackwardHead){
        .q = {s->type, s->Tq, s->K, D, (const char *)f->q + query},
        .k = {s->type, s->T, s->K, 2 * D, (const char *)f->kv + key},
        .v = {s->type, s->T, s->K, 2 * D, (const char *)f->kv + key + D * size},
        .d_o = {s->type, s->Tq, s->K, D, (const char *)f->d_o + query},
        .dq = f->dq ? (char *)f->dq + query : NULL,
        .dk = f->dkv ? (char *)f->dkv + key : NULL,
        .dv = f->dkv ? (char *)f->dkv + key + D * size : NULL,
        .lse = f->lse + (ptrdiff_t)index * s->Tq,
        .dP = f->dprobabilities ? f->dprobabilities + (ptrdiff_t)index * s->Tq * s->T : NULL};
}

/* Pads rows to whole groups and lays out the left operands. */
static void lay_out_operands(BackwardHead *h, const BackwardLayout *l)
{
    h->q = attention_pad_rows(&h->q, l->q_padded);
    h->k = attention_pad_rows(&h->k, l->k_padded);
    h->v = attention_pad_rows(&h->v, l->v_padded);
    h->d_o = attention_pad_rows(&h->d_o, l->d_o_padded);
    h->q_lhs = attention_lhs(&h->q, l->q);
    h->d_o_lhs = attention_lhs(&h->d_o, l->d_o);
}

/*
 * The matrices to prefetch: the gradients of this head, and the operands of this thread's next one.
 */
static AttentionPrefetch backward_prefetch(const AttentionBackward *f, int index)
{
    const AttentionShape *s = &f->shape;
    const BackwardHead this = backward_head(f, index);
    const AttentionMatrix dq = {s->type, s->Tq, s->K, s->D, this.dq};
    AttentionMatrix dk = {s->type, s->T, s->K, 2 * (ptrdiff_t)s->D, this.dk}, dv = dk;
    dv.elements = this.dv;
    AttentionPrefetch prefetch = {0};
    if (this.dq)
        attention_prefetch_add(&prefetch, &dq);
    if (this.dk) {
        attention_prefetch_add(&prefetch, &dk);
        attention_prefetch_add(&prefetch, &dv);
    }
    if (s->prefetch_distance > 0 && index + s->prefetch_distance < s->B * s->H) {
        const BackwardHead next = backward_head(f, index + s->prefetch_distance);
        attention_prefetch_add(&prefetch, &next.q);
        attention_prefetch_add(&prefetch, &next.d_o);
        attention_prefetch_add(&prefetch, &next.k);
        attention_prefetch_add(&prefetch, &next.v);
    }
    return prefetch;
}

void attention_backward(const AttentionBackward *f, int index, void *memory)
{
    const AttentionShape *s = &f->shape;
    AttentionScratch scratch = {.base = memory};
    BackwardLayout l = backward_layout(s, &scratch);
    BackwardHead h = backward_head(f, index);
    AttentionPrefetch prefetch = backward_prefetch(f, index);
    lay_out_operands(&h, &l);
    attention_fill_rhs_transposed(&h.k, &l.keys);
    attention_fill_rhs_transposed(&h.v, &l.values);
    if (h.dq)
        attention_fill_rhs(&h.k, &l.k);
    for (int i = 0; l.dS_bf16 && i < ATTENTION_ROWS; i++)
        memset(l.dS_bf16 + (ptrdiff_t)i * l.line + s->T, 0,
               (size_t)(l.line - s->T) * sizeof *l.dS_bf16);
    for (int begin = 0; begin < s->Tq; begin += ATTENTION_ROWS)
        backward_rows(f, &h, &l, begin,
                      s->Tq - begin < ATTENTION_ROWS ? s->Tq - begin : ATTENTION_ROWS, &prefetch);
    if (!h.dk)
        return;
    attention_clear_rest(&l.probabilities, s->Tq);
    attention_clear_rest(&l.dscores, s->Tq);
    transposed_gradient(f, &h.d_o, &l.probabilities, l.transposed, h.dv);
    transposed_gradient(f, &h.q, &l.dscores, l.transposed, h.dk);
}
