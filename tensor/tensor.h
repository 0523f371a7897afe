/*
 * tensor.h - the tensor: shape, data and gradient.
 *
 * The struct is public, because its fields show what autograd keeps. Elements are row-major and
 * contiguous. No function here changes a tensor, so all are thread-safe. Dimension letters used
 * everywhere: B batch, T tokens, D width, H heads, K head width, F MLP width, L layers, P patch
 * size, S image size, N and M generic rows.
 *
 * Tests: tests/test_tensor.c.
 */
#ifndef LNCLIP_TENSOR_TENSOR_H
#define LNCLIP_TENSOR_TENSOR_H

#include "tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>

enum { TENSOR_MAX_DIMS = 4 };

typedef struct Tensor {
    DType dtype; /* f32, or bf16 for activations of bf16 products */
    int ndim;
    int shape[TENSOR_MAX_DIMS]; /* every extent >= 1; only [0..ndim) is meaningful */
    void *data; /* [shape] of dtype, borrowed from an arena or a mapped file; NULL once released */
    void *grad; /* [shape] of dtype or NULL; of a parameter: a view into the flat gradient */
    bool needs_grad; /* a trainable leaf, or computed from one */
    bool owns_data;  /* data is a block of the tape's arena (leaves borrow theirs) */
    int uses;        /* number of users of data: the caller and recorded nodes */
} Tensor;

/*
 * A leaf over borrowed memory: `data` [shape] in f32, no gradient. Asserts 1 <= ndim <=
 * TENSOR_MAX_DIMS.
 */
Tensor tensor_leaf(void *data, int ndim, const int *shape);

/* Number of elements; asserts that the product fits in size_t. */
size_t tensor_count(const Tensor *tensor);

/*
 * The tensor as a matrix, for row-wise operations: its columns are the last extent, its rows the
 * product of all others.
 */
int tensor_rows(const Tensor *tensor);
int tensor_columns(const Tensor *tensor);

/*
 * The data as f32, or (for tests) as the bits of bf16. Both assert that the tensor has data of that
 * type.
 */
float *tensor_f32(const Tensor *tensor);
uint16_t *tensor_bf16(const Tensor *tensor);

/* The gradient as f32, NULL if there is none; asserts that the type is f32. */
float *tensor_grad(const Tensor *tensor);

/* For tests. True if ndim and all extents are equal. */
bool tensor_same_shape(const Tensor *a, const Tensor *b);

/*
 * Checks that `tensor` has the extents `shape` [ndim] (0 = any). If it has not, or is NULL, prints
 * `operation`, `operand` and both shapes to stderr, and aborts.
 */
void tensor_expect(const Tensor *tensor, const char *operation, const char *operand, int ndim,
                   const int *shape);

#endif
