/*
 * test_dtype.c - all 65,536 values of each half type, against their definition in IEEE 754 terms.
 */
#include "tests/support.h"

#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

/* sign, exponent and fraction as the standard defines them, in double: slow, and
 * nothing to share. */
static double defined_value(unsigned bits, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const unsigned fraction = bits & ((1u << fraction_bits) - 1);
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (double)(1u << fraction_bits), exponent - bias - fraction_bits);
}

static void check_all_halves(DType dtype, int exponent_bits, int fraction_bits)
{
    enum { VALUES = 65536 };
    static unsigned char source[2 * VALUES + 1]; /* one byte off: alignment does not matter */
    static float target[VALUES];
    for (unsigned i = 0; i < VALUES; i++) {
        const uint16_t element = (uint16_t)i;
        memcpy(source + 1 + 2 * i, &element, sizeof element);
    }
    dtype_to_f32(dtype, source + 1, target, VALUES);
    for (unsigned i = 0; i < VALUES; i++) {
        const double wanted = defined_value(i, exponent_bits, fraction_bits);
        if (isnan(wanted)) {
            ck_each(isnan(target[i]), "%s %04x: %g, expected NaN", dtype_name(dtype), i,
                    (double)target[i]);
        } else {
            ck_each((double)target[i] == wanted && !signbit(target[i]) == !signbit(wanted),
                    "%s %04x: %.9g, expected %.9g", dtype_name(dtype), i, (double)target[i],
                    wanted);
        }
    }
}

START_TEST(every_f16_converts_exactly)
{
    check_all_halves(DTYPE_F16, 5, 10);
}
END_TEST

START_TEST(every_bf16_converts_exactly)
{
    check_all_halves(DTYPE_BF16, 8, 7);
}
END_TEST

START_TEST(f32_is_copied_bit_by_bit)
{
    const float source[] = {0.0f, -0.0f, 1.5f, INFINITY, 1e-45f};
    float target[5];
    dtype_to_f32(DTYPE_F32, source, target, 5);
    ck_assert_mem_eq(source, target, sizeof source);
    dtype_to_f32(DTYPE_F32, NULL, NULL, 0); /* an empty tensor is allowed */
}
END_TEST

START_TEST(bf16_rounds_to_nearest_even)
{
    static const struct {
        float value;
        uint16_t wanted;
    } known[] = {
        {0.0f, 0x0000},          {-0.0f, 0x8000},
        {1.0f, 0x3f80},          {0x1.01p0f, 0x3f80},       /* tie: down to the even one */
        {0x1.03p0f, 0x3f82},                                /* tie: up to the even one */
        {0x1.010002p0f, 0x3f81}, {0x1.fffffep127f, 0x7f80}, /* beyond the largest: infinity */
        {INFINITY, 0x7f80},      {-INFINITY, 0xff80},
        {0x1p-149f, 0x0000},     {0x1p-133f, 0x0001}, /* the smallest subnormal of bf16 */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_each(dtype_bf16_from_f32(known[i].value) == known[i].wanted, "%a: %04x, expected %04x",
                (double)known[i].value, dtype_bf16_from_f32(known[i].value), known[i].wanted);
    const uint32_t low_nan_bits = 0x7f800001; /* a NaN whose upper half alone would be infinity */
    float low_nan;
    memcpy(&low_nan, &low_nan_bits, sizeof low_nan);
    ck_assert_uint_eq(dtype_bf16_from_f32(low_nan) & 0x7fc0, 0x7fc0);
    for (unsigned i = 0; i < 65536; i++) {
        const uint16_t element = (uint16_t)i;
        float value;
        dtype_to_f32(DTYPE_BF16, &element, &value, 1);
        ck_each(isnan(value) || dtype_bf16_from_f32(value) == i, "%04x does not come back", i);
    }
}
END_TEST

START_TEST(names_and_sizes)
{
    static const size_t sizes[DTYPE_COUNT] = {4, 2, 2, 8, 8, 1};
    static const char *const names[DTYPE_COUNT] = {"F32", "BF16", "F16", "F64", "I64", "U8"};
    for (int i = 0; i < DTYPE_COUNT; i++) {
        DType parsed = DTYPE_COUNT;
        ck_assert_uint_eq(dtype_size((DType)i), sizes[i]);
        ck_assert_str_eq(dtype_name((DType)i), names[i]);
        ck_assert(dtype_parse(names[i], &parsed) && parsed == (DType)i);
    }
    DType kept = DTYPE_F64;
    ck_assert(!dtype_parse("f32", &kept) && !dtype_parse("", &kept) &&
              !dtype_parse("F8_E4M3", &kept));
    ck_assert_int_eq(kept, DTYPE_F64);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("dtype");
    TCase *const all = support_case(suite, "dtype", 60);
    tcase_add_test(all, every_f16_converts_exactly);
    tcase_add_test(all, every_bf16_converts_exactly);
    tcase_add_test(all, f32_is_copied_bit_by_bit);
    tcase_add_test(all, bf16_rounds_to_nearest_even);
    tcase_add_test(all, names_and_sizes);
    return support_main(suite);
}
