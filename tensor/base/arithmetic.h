/*
 * arithmetic.h - small arithmetic that every module needs, inlined. Pure functions, thread-safe.
 *
 * Tests: tests/test_base.c.
 */
#ifndef LNCLIP_TENSOR_BASE_ARITHMETIC_H
#define LNCLIP_TENSOR_BASE_ARITHMETIC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline int min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int max_int(int a, int b)
{
    return a > b ? a : b;
}

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Number of parts of `part` items that hold `n` items. */
static inline size_t ceil_div(size_t n, size_t part)
{
    return n / part + (n % part != 0);
}

/* The same for int, of which shapes and task counts are; n >= 0. */
static inline int ceil_div_int(int n, int part)
{
    return n / part + (n % part != 0);
}

static inline size_t round_up(size_t n, size_t multiple)
{
    return ceil_div(n, multiple) * multiple;
}

/* The 32 bits of a float, and the float of 32 bits. */
static inline uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A bf16 is the upper half of a float. */
static inline float bf16_to_float(uint16_t bits)
{
    return float_from_bits((uint32_t)bits << 16);
}

#endif
