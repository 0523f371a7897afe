/*
 * op_alignment.c - mean of |z_i - z_j|^2 over all pairs i < j of equal label.
 *
 * Derivation. Within a class of n rows with mean m,
 *
 *     sum over pairs of |z_i - z_j|^2 = n sum over i of |z_i - m|^2        (both are n sum z^2 - |sum z|^2)
 *     d / dz_i                        = 2 sum over j of (z_i - z_j) = 2 n (z_i - m)
 *
 * so with P the number of pairs of all classes, loss = (1/P) sum over classes of n sum |z_i - m|^2 and
 * dz_i = (2 n / P) (z_i - m). One pass for the means and one for the differences, instead of all pairs.
 *
 * The form 2 - 2 cos is never used: features of an untrained encoder are nearly collinear, distances of
 * 1e-6 would drown in the rounding of numbers near 1. Differences from a mean in double keep ten digits.
 *
 * Shapes. z [..,D], labels [rows], any integers -> [1]. Without a pair the loss and its gradient are 0.
 * What is kept: z (no copy). The mean of a class is one row of scratch.
 */
#include "tensor/ops/op.h"

#include <stdbool.h>
#include <string.h>

/* Whether the label of `row` occurred in an earlier row: then its class was dealt with. */
static bool seen_before(const int *labels, int row)
{
    for (int i = 0; i < row; i++)
        if (labels[i] == labels[row])
            return true;
    return false;
}

/* mean [D] of all rows of one class; returns how many there are. */
static int class_mean(const float *z, const int *labels, int rows, int D, int label, double *mean)
{
    int n = 0;
    memset(mean, 0, (size_t)D * sizeof *mean);
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

static double alignment(const float *z, const int *labels, int rows, int D, double *mean)
{
    const double pairs = pairs_of_equal_label(labels, rows);
    double sum = 0;
    for (int first = 0; pairs > 0 && first < rows; first++) {
        if (seen_before(labels, first))
            continue;
        const int n = class_mean(z, labels, rows, D, labels[first], mean);
        for (int row = first; row < rows; row++)
            if (labels[row] == labels[first])
                sum += n * squared_deviation(z + (ptrdiff_t)row * D, mean, D);
    }
    return pairs > 0 ? sum / pairs : 0;
}

Tensor *op_alignment(Tape *tape, Tensor *z, const int *labels)
{
    const int rows = tensor_rows(z), D = tensor_columns(z);
    Tensor *const y = op_output(tape, 1, (const int[]){1});
    Node *const node = op_record(tape, OP_ALIGNMENT, y, &z, 1);
    if (node) {
        node->settings.alignment.labels = labels;
        op_keep(tape, node, z);
    }
    double *const mean = arena_alloc(tape_arena(tape), (size_t)D * sizeof *mean);
    if (!tape_is_planning(tape))
        *tensor_f32(y) = (float)alignment(tensor_f32(z), labels, rows, D, mean);
    arena_free(tape_arena(tape), mean);
    return y;
}

static void alignment_backward(const float *z, const int *labels, int rows, int D, double dloss,
                               double *mean, float *dz)
{
    const double pairs = pairs_of_equal_label(labels, rows);
    for (int first = 0; pairs > 0 && first < rows; first++) {
        if (seen_before(labels, first))
            continue;
        const int n = class_mean(z, labels, rows, D, labels[first], mean);
        const double factor = dloss * 2 * n / pairs;
        for (int row = first; row < rows; row++) {
            if (labels[row] != labels[first])
                continue;
            const ptrdiff_t start = (ptrdiff_t)row * D;
            for (int d = 0; d < D; d++)
                dz[start + d] += (float)(factor * (z[start + d] - mean[d]));
        }
    }
}

void op_alignment_backward(Tape *tape, Node *node)
{
    Tensor *const z = node->in[0];
    const int rows = tensor_rows(z), D = tensor_columns(z);
    float *const dz = op_grad(tape, z);
    double *const mean = arena_alloc(tape_arena(tape), (size_t)D * sizeof *mean);
    if (!tape_is_planning(tape))
        alignment_backward(tensor_f32(z), node->settings.alignment.labels, rows, D,
                           (double)*tensor_grad(node->out), mean, dz);
    arena_free(tape_arena(tape), mean);
}
