/*
 * tensor.h - the tensor: a shape, its numbers, and their gradient.
 *
 * Public on purpose: reading the fields is how one learns what autograd keeps. Row-major,
 * contiguous. Dimension letters used everywhere: B batch, T tokens, D width, H heads, K head width,
 * F MLP width, L layers, P patch size, S image size, N and M generic rows.
 */
#ifndef LNCLIP_TENSOR_TENSOR_H
#define LNCLIP_TENSOR_TENSOR_H

#include "tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>

enum { TENSOR_MAX_DIMS = 4 };

typedef struct Tensor {
    DType dtype; /* f32, or bf16 for activations between products in bf16 */
    int ndim;
    int shape[TENSOR_MAX_DIMS]; /* every extent >= 1; only [0..ndim) is meaningful */
    void *data; /* [shape] of dtype, borrowed from an arena or a mapped file; NULL once released */
    void *grad; /* [shape] of dtype or NULL; a parameter's is a view of the flat gradient */
    bool needs_grad; /* a leaf that trains, or computed from one */
    bool owns_data;  /* data is a block of the tape's arena (leaves borrow theirs) */
    int uses;        /* who still needs data: the caller, and recorded nodes */
} Tensor;

/* A leaf over borrowed memory: `data` [shape] in f32, no gradient. Asserts 1 <= ndim <=
 * TENSOR_MAX_DIMS. */
Tensor tensor_leaf(void *data, int ndim, const int *shape);

/* Number of elements; asserts that the product fits in size_t. */
size_t tensor_count(const Tensor *tensor);

/* Product of all extents but the last, and the last: how row-wise operations see a tensor. */
int tensor_rows(const Tensor *tensor);
int tensor_columns(const Tensor *tensor);

/* The numbers as f32, or as the bits of bf16; assert that the type is that and the data present. */
float *tensor_f32(const Tensor *tensor);
uint16_t *tensor_bf16(const Tensor *tensor);

/* The gradient as f32, NULL if there is none; asserts that the type is f32. */
float *tensor_grad(const Tensor *tensor);

/* True if ndim and all extents agree. */
bool tensor_same_shape(const Tensor *a, const Tensor *b);

/* Asserts, printing `operation`, `operand`, the shape found and the one wanted (0 = any extent). */
void tensor_expect(const Tensor *tensor, const char *operation, const char *operand, int ndim,
                   const int *shape);

#endif
