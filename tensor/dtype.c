/*
 * dtype.c - see dtype.h. Conversions work on bits instead of the compiler's half types, so that
 * every compiler gives the same results. The loops are simple enough to be vectorised, because a
 * model of 600 MB is converted at load.
 */
#include "tensor/dtype.h"

#include "tensor/base/arithmetic.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtype_table[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 4}, [DTYPE_BF16] = {"BF16", 2}, [DTYPE_F16] = {"F16", 2},
    [DTYPE_F64] = {"F64", 8}, [DTYPE_I64] = {"I64", 8},   [DTYPE_U8] = {"U8", 1},
};

static bool dtype_known(DType dtype)
{
    return (unsigned)dtype < DTYPE_COUNT;
}

size_t dtype_size(DType dtype)
{
    assert(dtype_known(dtype));
    return dtype_table[dtype].size;
}

const char *dtype_name(DType dtype)
{
    assert(dtype_known(dtype));
    return dtype_table[dtype].name;
}

bool dtype_parse(const char *name, DType *dtype)
{
    assert(name && dtype);
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, dtype_table[i].name) == 0) {
            *dtype = (DType)i;
            return true;
        }
    }
    return false;
}

/*
 * IEEE 754 binary16 has 5 exponent bits (bias 15) and 10 of fraction. Shifted left by 13, its
 * magnitude is an f32 that is too small by 2^(127-15); the product with 2^112 is exact and
 * normalises subnormals. Only the exponent 31 (infinity, NaN) is a special case.
 */
static float float_of_f16(uint16_t half)
{
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t scaled = float_bits(float_from_bits(magnitude) * 0x1p112f);
    const uint32_t special = magnitude | 0x7f800000;
    return float_from_bits(sign | ((half & 0x7c00) == 0x7c00 ? special : scaled));
}

void dtype_to_f32(DType dtype, const void *source, float *target, size_t count)
{
    assert(dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16);
    if (count == 0)
        return;
    assert(source && target);
    if (dtype == DTYPE_F32) {
        memcpy(target, source, count * sizeof *target);
        return;
    }
    const unsigned char *bytes = source;
    for (size_t i = 0; i < count; i++) {
        uint16_t element; /* by memcpy, because tensors in a file need not be aligned */
        memcpy(&element, bytes + 2 * i, sizeof element);
        target[i] =
            dtype == DTYPE_BF16 ? float_from_bits((uint32_t)element << 16) : float_of_f16(element);
    }
}

bool dtype_all_finite(const float *numbers, size_t count)
{
    /*
     * The exponent of infinities and NaNs is all ones: adding 1 to it carries into the sign bit.
     * The inner loop has no exit, so that it is vectorised.
     */
    enum { BLOCK = 1024 };
    for (size_t i = 0; i < count; i += BLOCK) {
        const size_t end = count - i < BLOCK ? count : i + BLOCK;
        uint32_t broken = 0;
        for (size_t k = i; k < end; k++)
            broken |= (float_bits(numbers[k]) & 0x7fffffff) + 0x00800000;
        if (broken >> 31)
            return false;
    }
    return true;
}

uint16_t dtype_bf16_from_f32(float value)
{
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 |
                          0x40); /* NaN: set the quiet bit; rounding could make it infinity */
    const uint32_t ties_to_even = 0x7fff + (bits >> 16 & 1);
    return (uint16_t)((bits + ties_to_even) >> 16);
}
