/*
 * number.c - see number.h.
 *
 * The fast path is Clinger's (How to read floating point numbers accurately, PLDI 1990): if the
 * digits form an integer of at most 2^53 and the power of ten is at most 10^22, both are exact
 * doubles, and one multiplication or division rounds once, which is correct rounding. Where long
 * double has 64 bits of significand (x86), the same holds for 19 digits and 10^27, enough for the
 * output of %.17g. Its result is rounded a second time, to double, which is correct unless it lies
 * halfway between two doubles. Other numbers are converted by strtod, in the C locale.
 */
#include "tensor/base/number.h"

#include "tensor/base/c_locale.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

enum { LARGEST_EXACT_POWER = sizeof powers_of_ten / sizeof powers_of_ten[0] - 1 };

#if LDBL_MANT_DIG == 64
static const long double long_powers_of_ten[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                                 1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                                 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                                 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

enum { LARGEST_LONG_POWER = sizeof long_powers_of_ten / sizeof long_powers_of_ten[0] - 1 };

/* digits * 10^exponent; false if the second rounding may go wrong or the power is not exact. */
static bool scale_in_long_double(uint64_t digits, int64_t exponent, double *magnitude)
{
    if (exponent > LARGEST_LONG_POWER || exponent < -LARGEST_LONG_POWER)
        return false;
    const long double scaled = exponent < 0 ? (long double)digits / long_powers_of_ten[-exponent]
                                            : (long double)digits * long_powers_of_ten[exponent];
    uint64_t significand;
    memcpy(&significand, &scaled, sizeof significand);
    *magnitude = (double)scaled;
    return (significand & 0x7ff) != 0x400; /* the 11 bits beyond double are exactly one half */
}
#else
static bool scale_in_long_double(uint64_t digits, int64_t exponent, double *magnitude)
{
    (void)digits, (void)exponent, (void)magnitude;
    return false;
}
#endif

/* The parts of a decimal number: (negative ? -1 : 1) * digits * 10^exponent. */
typedef struct Decimal {
    uint64_t digits;
    int significant; /* number of digits in `digits`, leading zeros not counted */
    int64_t exponent;
    bool negative;
} Decimal;

/* Reads digits into *decimal and returns where they end. */
static const char *scan_digits(const char *p, const char *end, Decimal *decimal, bool fraction)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (decimal->significant < 19)
            decimal->digits = decimal->digits * 10 + (uint64_t)(*p - '0');
        decimal->significant += decimal->digits > 0;
        decimal->exponent -= fraction;
    }
    return p;
}

/* Checks the grammar [+-] digits [. digits] [e [+-] digits] and fills *decimal. */
static bool scan_decimal(const char *p, const char *end, Decimal *decimal)
{
    *decimal = (Decimal){0};
    if (p < end && (*p == '-' || *p == '+'))
        decimal->negative = *p++ == '-';
    const char *whole = p;
    p = scan_digits(p, end, decimal, false);
    ptrdiff_t count = p - whole;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = scan_digits(p, end, decimal, true);
        count += p - fraction;
    }
    if (count == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        const bool minus = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        const char *first = p;
        int64_t power = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (power < 100000) /* already beyond the range of double */
                power = power * 10 + (*p - '0');
        if (p == first)
            return false;
        decimal->exponent += minus ? -power : power;
    }
    return p == end;
}

static bool parse_special(const char *text, size_t length, double *value)
{
    const bool negative = length > 0 && text[0] == '-';
    if (length > 0 && (text[0] == '-' || text[0] == '+')) {
        text++;
        length--;
    }
    if (length == 3 && strncasecmp(text, "nan", 3) == 0)
        *value = NAN;
    else if ((length == 3 && strncasecmp(text, "inf", 3) == 0) ||
             (length == 8 && strncasecmp(text, "infinity", 8) == 0))
        *value = negative ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

/* The slow path, for a `text` that is a decimal number. */
static bool parse_with_library(const char *text, size_t length, double *value)
{
    char small[64];
    char *copy = length < sizeof small ? small : malloc(length + 1);
    if (!copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    const locale_t before = c_locale_begin();
    *value = strtod(copy, NULL);
    c_locale_end(before);
    if (copy != small)
        free(copy);
    return true;
}

bool number_parse(const char *text, size_t length, double *value)
{
    Decimal decimal;
    if (!scan_decimal(text, text + length, &decimal))
        return parse_special(text, length, value);
    if (decimal.significant > 19)
        return parse_with_library(text, length, value);
    const int64_t exponent = decimal.exponent;
    double magnitude = 0;
    if (decimal.digits <= UINT64_C(1) << 53 && exponent <= LARGEST_EXACT_POWER &&
        exponent >= -LARGEST_EXACT_POWER) {
        const double digits = (double)decimal.digits;
        magnitude =
            exponent < 0 ? digits / powers_of_ten[-exponent] : digits * powers_of_ten[exponent];
    } else if (!scale_in_long_double(decimal.digits, exponent, &magnitude)) {
        return parse_with_library(text, length, value);
    }
    *value = decimal.negative ? -magnitude : magnitude;
    return true;
}

bool number_parse_integer(const char *text, size_t length, uint64_t *value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (result > (UINT64_MAX - digit) / 10)
            return false;
        result = result * 10 + digit;
    }
    *value = result;
    return length > 0;
}

/* snprintf in the C locale. */
static void format(char out[NUMBER_SIZE], int digits, double value)
{
    const locale_t before = c_locale_begin();
    snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
    c_locale_end(before);
}

void number_format(char out[NUMBER_SIZE], double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        double back = 0;
        format(out, digits, value);
        if (number_parse(out, strlen(out), &back) && back == value)
            return;
    }
}

void number_write(FILE *stream, int digits, double value)
{
    char text[NUMBER_SIZE];
    format(text, digits, value);
    fputs(text, stream);
}

int number_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
