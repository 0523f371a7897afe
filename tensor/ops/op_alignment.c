/*
 * op_alignment.c - mean of |z_i - z_j|^2 over all pairs i < j of equal label.
 *
 * Derivation. Within a class of n rows with mean m,
 *
 *     sum over pairs of |z_i - z_j|^2 = n sum over i of |z_i - m|^2 (= n sum z^2 - |sum z|^2)
 *     d / dz_i                        = 2 sum over j of (z_i - z_j) = 2 n (z_i - m)
 *
 * With P the number of pairs of all classes, loss = (1/P) sum over classes of n sum |z_i - m|^2 and
 * dz_i = (2 n / P) (z_i - m). One pass for the means and one for the differences, instead of all
 * pairs.
 *
 * The form 2 - 2 cos is not used: features of an untrained encoder are nearly collinear, and
 * distances of 1e-6 would be lost in the rounding of values near 1. Differences from a mean, in
 * double, keep ten digits.
 *
 * Shapes. z [..,D], labels [rows], any integers -> [1]. Without a pair the loss and its gradient
 * are 0. What is kept: z (no copy). The mean of a class is one row of scratch.
 */
#include "tensor/ops/op.h"

#include <stdbool.h>
#include <string.h>

/* True if an earlier row has the label of `row`, so its class is done. */
static bool seen_before(const int *labels, int row)
{
    for (int i = 0; i < row; i++)
        if (labels[i] == labels[row])
            return true;
    return false;
}

/* Computes the mean [D] of all rows of one class; returns their number. */
static int class_mean(const float *z, const int *labels, int rows, int D, int label, double *mean)
{
    int n = 0;
    memset(mean, 0, D * sizeof *mean);
    for (int row = 0; row < rows; row++) {
        if (labels[row] != label)
            continue;
        n++;
        for (int d = 0; d < D; d++)
            mean[d] += z[(ptrdiff_t)row * D + d];
    }
    for (int d = 0; d < D; d++)
        mean[d] /= n;
    return n;
}

/* |z - mean|^2 */
static double squared_deviation(const float *z, const double *mean, int D)
{
    double sum = 0;
    for (int d = 0; d < D; d++)
        sum += (z[d] - mean[d]) * (z[d] - mean[d]);
    return sum;
}

static double pairs_of_equal_label(const int *labels, int rows)
{
    double pairs = 0;
    for (int i = 0; i < rows; i++)
        for (int j = i + 1; j < rows; j++)
            pairs += labels[i] == labels[j];
    return pairs;
}

/* Operands of one call. */
typedef struct Alignment {
    int rows, D;
    const int *labels;      /* [rows] */
    const float *z, *dloss; /* [rows,D], [1] */
    float *loss, *dz;       /* [1], [rows,D] */
    double *mean;           /* [D], scratch */
} Alignment;

static void forward(const void *context)
{
    const Alignment *f = context;
    const double pairs = pairs_of_equal_label(f->labels, f->rows);
    double sum = 0;
    for (int first = 0; pairs > 0 && first < f->rows; first++) {
        const int label = f->labels[first];
        if (seen_before(f->labels, first))
            continue;
        const int n = class_mean(f->z, f->labels, f->rows, f->D, label, f->mean);
        for (int row = first; row < f->rows; row++)
            if (f->labels[row] == label)
                sum += n * squared_deviation(f->z + (ptrdiff_t)row * f->D, f->mean, f->D);
    }
    *f->loss = (float)(pairs > 0 ? sum / pairs : 0);
}

Tensor *op_alignment(Tape *tape, Tensor *z, const int *labels)
{
    Tensor *y = op_output(tape, 1, (const int[]){1});
    Node *node = op_record(tape, OP_ALIGNMENT, y, &z, 1);
    if (node) {
        *(const int **)op_settings(node, sizeof labels) = labels;
        op_keep(tape, node, z);
    }
    Alignment f = {.rows = tensor_rows(z),
                   .D = tensor_columns(z),
                   .labels = labels,
                   .z = op_f32(tape, z),
                   .loss = op_f32(tape, y)};
    f.mean = arena_alloc(tape_arena(tape), f.D * sizeof *f.mean);
    op_run(tape, forward, &f);
    arena_free(tape_arena(tape), f.mean);
    return y;
}

static void backward(const void *context)
{
    const Alignment *f = context;
    const double pairs = pairs_of_equal_label(f->labels, f->rows);
    for (int first = 0; pairs > 0 && first < f->rows; first++) {
        const int label = f->labels[first];
        if (seen_before(f->labels, first))
            continue;
        const int n = class_mean(f->z, f->labels, f->rows, f->D, label, f->mean);
        const double factor = (double)*f->dloss * 2 * n / pairs;
        for (int row = first; row < f->rows; row++) {
            if (f->labels[row] != label)
                continue;
            const ptrdiff_t start = (ptrdiff_t)row * f->D;
            for (int d = 0; d < f->D; d++)
                f->dz[start + d] += (float)(factor * (f->z[start + d] - f->mean[d]));
        }
    }
}

void op_alignment_backward(Tape *tape, Node *node)
{
    Tensor *z = node->in[0];
    Alignment f = {.rows = tensor_rows(z),
                   .D = tensor_columns(z),
                   .labels = *(const int **)op_settings(node, sizeof f.labels),
                   .z = op_f32(tape, z),
                   .dloss = tensor_grad(node->out),
                   .dz = op_grad(tape, z)};
    f.mean = arena_alloc(tape_arena(tape), f.D * sizeof *f.mean);
    op_run(tape, backward, &f);
    arena_free(tape_arena(tape), f.mean);
}
