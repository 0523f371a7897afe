/*
 * op_cross_entropy.c - mean over rows of the cross-entropy of softmax(logits) with smoothed labels.
 *
 * Derivation. The target of a row with label y is q_c = (1-s) [c = y] + s/C. With p the softmax,
 *
 *     loss = -sum over c of q_c log p_c = lse - (1-s) l_y - s/C sum over c of l_c
 *     dl   = (p - q) / rows
 *
 * because d lse / dl = p and q sums to 1.
 *
 * Shapes. logits [..,C], labels [rows] in [0,C) -> [1].
 *
 * What is kept: the logits (no copy), from which p is recomputed. Everything is in double: the
 * elements are few, and the whole gradient of a step starts from them. Szegedy et al., arXiv
 * 1512.00567, section 7.
 */
#include "tensor/ops/op.h"

#include <assert.h>
#include <math.h>

/* log sum exp of one row [C], stable for logits of any size. */
static double log_sum_exp(const float *logits, int C)
{
    float most = logits[0];
    for (int c = 1; c < C; c++)
        most = fmaxf(most, logits[c]);
    double sum = exp((double)logits[0] - most);
    for (int c = 1; c < C; c++)
        sum += exp((double)logits[c] - most);
    return most + log(sum);
}

static double row_loss(const float *logits, int C, int label, double smoothing)
{
    assert(label >= 0 && label < C);
    const double lse = log_sum_exp(logits, C);
    double loss = (1 - smoothing) * (lse - logits[label]);
    /* Without smoothing a logit of minus infinity is allowed, and 0 x infinity would be NaN. */
    for (int c = 0; smoothing > 0 && c < C; c++)
        loss += smoothing / C * (lse - logits[c]);
    return loss;
}

typedef struct Settings {
    const int *labels; /* [rows], borrowed until backward */
    float smoothing;
} Settings;

/* Operands of one call. */
typedef struct Loss {
    int rows, C;
    Settings settings;
    const float *logits, *dloss; /* [rows,C], [1] */
    float *loss, *dlogits;       /* [1], [rows,C] */
} Loss;

static void forward(const void *context)
{
    const Loss *f = context;
    double sum = 0;
    for (int row = 0; row < f->rows; row++)
        sum += row_loss(f->logits + (ptrdiff_t)row * f->C, f->C, f->settings.labels[row],
                        (double)f->settings.smoothing);
    *f->loss = (float)(sum / f->rows);
}

Tensor *op_cross_entropy(Tape *tape, Tensor *logits, const int *labels, float smoothing)
{
    assert(smoothing >= 0 && smoothing <= 1);
    Tensor *y = op_output(tape, 1, (const int[]){1});
    Node *node = op_record(tape, OP_CROSS_ENTROPY, y, &logits, 1);
    const Loss f = {.rows = tensor_rows(logits),
                    .C = tensor_columns(logits),
                    .settings = {labels, smoothing},
                    .logits = op_f32(tape, logits),
                    .loss = op_f32(tape, y)};
    if (node) {
        *(Settings *)op_settings(node, sizeof(Settings)) = f.settings;
        op_keep(tape, node, logits);
    }
    op_run(tape, forward, &f);
    return y;
}

static void backward(const void *context)
{
    const Loss *f = context;
    const int C = f->C;
    const double factor = (double)*f->dloss / f->rows;
    const double smoothing = (double)f->settings.smoothing;
    for (int row = 0; row < f->rows; row++) {
        const float *l = f->logits + (ptrdiff_t)row * C;
        float *dl = f->dlogits + (ptrdiff_t)row * C;
        const double lse = log_sum_exp(l, C);
        for (int c = 0; c < C; c++) {
            const double target =
                (c == f->settings.labels[row] ? 1 - smoothing : 0) + smoothing / C;
            dl[c] += (float)(factor * (exp(l[c] - lse) - target));
        }
    }
}

void op_cross_entropy_backward(Tape *tape, Node *node)
{
    Tensor *logits = node->in[0];
    const Loss f = {.rows = tensor_rows(logits),
                    .C = tensor_columns(logits),
                    .settings = *(Settings *)op_settings(node, sizeof(Settings)),
                    .logits = op_f32(tape, logits),
                    .dloss = tensor_grad(node->out),
                    .dlogits = op_grad(tape, logits)};
    op_run(tape, backward, &f);
}
