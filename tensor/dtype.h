/*
 * dtype.h - element types of stored tensors, and exact conversion to f32. Thread-safe.
 *
 * Tests: tests/test_dtype.c.
 */
#ifndef LNCLIP_TENSOR_DTYPE_H
#define LNCLIP_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum DType {
    DTYPE_F32,
    DTYPE_BF16,
    DTYPE_F16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_U8,
    DTYPE_COUNT,
} DType;

/* Bytes of one element. */
size_t dtype_size(DType dtype);

/* The name safetensors uses: "F32", "BF16", "F16", "F64", "I64", "U8". Static string. */
const char *dtype_name(DType dtype);

/* The inverse of dtype_name. For any other name returns false and leaves *dtype unchanged. */
bool dtype_parse(const char *name, DType *dtype);

/*
 * Converts `count` elements at `source` (any alignment) to f32. F32, BF16 and F16 convert exactly
 * (subnormals, infinities and NaN kept); other types are a programmer's mistake and assert.
 */
void dtype_to_f32(DType dtype, const void *source, float *target, size_t count);

/* True if no element of numbers [count] is NaN or infinity. */
bool dtype_all_finite(const float *numbers, size_t count);

/* f32 to bf16, round to nearest even; NaN stays NaN (quiet). A bf16 is the upper half of an f32. */
uint16_t dtype_bf16_from_f32(float value);

#endif
