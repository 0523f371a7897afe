/*
 * precision.h - in which numbers an encoder computes.
 */
#ifndef LNCLIP_TENSOR_PRECISION_H
#define LNCLIP_TENSOR_PRECISION_H

#include <stdbool.h>

/*
 * How frozen weights and activations are stored in a computation. f32: both f32. bf16: both bf16,
 * sums, LayerNorm statistics, softmax and residual stream f32. int8: as bf16, but weights int8, and
 * activations quantised to 8 bits on their way into a product with them; forward only.
 */
typedef enum Precision {
    PRECISION_F32,
    PRECISION_BF16,
    PRECISION_INT8,
    PRECISION_COUNT,
} Precision;

/* "f32", "bf16", "int8". Static string. */
const char *precision_name(Precision precision);

/* The inverse. Returns false, leaving *precision alone, for any other name. */
bool precision_parse(const char *name, Precision *precision);

#endif
