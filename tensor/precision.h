/*
 * precision.h - the number formats in which an encoder computes. Thread-safe.
 *
 * Tests: tests/test_vit_precision.c.
 */
#ifndef LNCLIP_TENSOR_PRECISION_H
#define LNCLIP_TENSOR_PRECISION_H

#include <stdbool.h>

/*
 * How a computation stores frozen weights and activations. f32: both f32. bf16: both bf16; sums,
 * LayerNorm statistics, softmax and residual stream are f32. int8: as bf16, but weights are int8,
 * and activations are quantised to 8 bits for the product with them; forward only.
 */
typedef enum Precision {
    PRECISION_F32,
    PRECISION_BF16,
    PRECISION_INT8,
    PRECISION_COUNT,
} Precision;

/* "f32", "bf16", "int8". Static string. */
const char *precision_name(Precision precision);

/*
 * The inverse of precision_name. For any other name returns false and leaves *precision unchanged.
 */
bool precision_parse(const char *name, Precision *precision);

#endif
