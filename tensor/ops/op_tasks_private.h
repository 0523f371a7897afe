/*
 * op_tasks_private.h - how an operation's work is cut into tasks: by the shapes of its operands alone.
 *
 * Never by the number of threads, and never by how many samples stand beside each other. A sample is an
 * index of the first dimension of a tensor of three or more dimensions; a matrix is a single sample.
 * What operations sum over samples (gradients of parameters), they add sample by sample, in order, to
 * what is there: so cutting a batch into micro-batches changes no bit.
 */
#ifndef LNCLIP_TENSOR_OPS_OP_TASKS_PRIVATE_H
#define LNCLIP_TENSOR_OPS_OP_TASKS_PRIVATE_H

#include "tensor/ops/op.h"

/*
 * Elements that one task of a row-wise or element-wise operation takes: long beside the claim of a task
 * (well under a microsecond), short beside a layer, and half of a first-level cache.
 */
enum { OP_TASK_ELEMENTS = 8192 };

/* A stretch of rows, columns or elements. */
typedef struct OpRange {
    int begin, count;
} OpRange;

/* How many stretches of `size` cover `total`, and the one numbered `index`. */
static inline int op_range_count(int total, int size)
{
    return total / size + (total % size != 0);
}

static inline OpRange op_range(int total, int size, int index)
{
    const int begin = index * size;
    return (OpRange){begin, total - begin < size ? total - begin : size};
}

/* Samples of a tensor, and rows of each of them. */
static inline int op_samples(const Tensor *tensor)
{
    return tensor->ndim >= 3 ? tensor->shape[0] : 1;
}

static inline int op_sample_rows(const Tensor *tensor)
{
    return tensor_rows(tensor) / op_samples(tensor);
}

/* Rows of `columns` that one task takes. */
static inline int op_task_rows(int columns)
{
    return columns < OP_TASK_ELEMENTS ? OP_TASK_ELEMENTS / columns : 1;
}

#endif
