/*
 * tensor.c - see tensor.h. Only shapes; operations work on the data.
 */
#include "tensor/tensor.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

Tensor tensor_leaf(void *data, int ndim, const int *shape)
{
    assert(ndim >= 1 && ndim <= TENSOR_MAX_DIMS);
    Tensor tensor = {.dtype = DTYPE_F32, .ndim = ndim, .data = data};
    for (int i = 0; i < ndim; i++) {
        assert(shape[i] >= 1);
        tensor.shape[i] = shape[i];
    }
    return tensor;
}

size_t tensor_count(const Tensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        const size_t extent = (size_t)tensor->shape[i];
        assert(extent >= 1 && count <= SIZE_MAX / extent);
        count *= extent;
    }
    return count;
}

int tensor_rows(const Tensor *tensor)
{
    const size_t rows = tensor_count(tensor) / (size_t)tensor_columns(tensor);
    assert(rows <= INT_MAX);
    return (int)rows;
}

int tensor_columns(const Tensor *tensor)
{
    return tensor->shape[tensor->ndim - 1];
}

float *tensor_f32(const Tensor *tensor)
{
    assert(tensor->dtype == DTYPE_F32 && tensor->data);
    return tensor->data;
}

uint16_t *tensor_bf16(const Tensor *tensor)
{
    assert(tensor->dtype == DTYPE_BF16 && tensor->data);
    return tensor->data;
}

float *tensor_grad(const Tensor *tensor)
{
    assert(tensor->dtype == DTYPE_F32);
    return tensor->grad;
}

bool tensor_same_shape(const Tensor *a, const Tensor *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++) {
        if (a->shape[i] != b->shape[i])
            return false;
    }
    return true;
}

static void print_shape(const char *label, int ndim, const int *shape)
{
    fprintf(stderr, "%s[", label);
    for (int i = 0; i < ndim; i++) {
        const char *comma = i ? "," : "";
        if (shape[i] == 0)
            fprintf(stderr, "%sany", comma);
        else
            fprintf(stderr, "%s%d", comma, shape[i]);
    }
    fprintf(stderr, "]");
}

void tensor_expect(const Tensor *tensor, const char *operation, const char *operand, int ndim,
                   const int *shape)
{
    bool fits = tensor && tensor->ndim == ndim;
    for (int i = 0; fits && i < ndim; i++)
        fits = shape[i] == 0 || tensor->shape[i] == shape[i];
    if (fits)
        return;
    fprintf(stderr, "%s: operand %s", operation, operand);
    if (tensor)
        print_shape(" has the shape ", tensor->ndim, tensor->shape);
    else
        fprintf(stderr, " is NULL");
    print_shape(", expected ", ndim, shape);
    fprintf(stderr, "\n");
    abort();
}
