/*
 * number.h - numbers as text, independent of the locale.
 *
 * strtod and printf follow the locale of the process, which a library must not change: under a
 * German one "0.5" is read as 0. Score files hold up to a hundred million numbers, so common short
 * decimals are converted without strtod, correctly rounded too. Thread-safe.
 *
 * Tests: tests/test_locale.c.
 */
#ifndef LNCLIP_TENSOR_BASE_NUMBER_H
#define LNCLIP_TENSOR_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NUMBER_SIZE = 32 }; /* bytes of a printed number, with its terminator */

/*
 * Reads text [length], a decimal number without spaces (no hexadecimal), correctly rounded. "nan",
 * "inf" and "infinity" are accepted in any case, with an optional sign. False if the text is not a
 * number.
 */
bool number_parse(const char *text, size_t length, double *value);

/*
 * Reads text [length], an unsigned decimal integer. False if it is not one or exceeds UINT64_MAX.
 */
bool number_parse_integer(const char *text, size_t length, uint64_t *value);

/* Compares two doubles, neither NaN, for qsort. */
int number_compare(const void *a, const void *b);

/*
 * Writes a finite double as the shortest of %.15g, %.16g, %.17g that reads back as the same value.
 */
void number_format(char out[NUMBER_SIZE], double value);

/* Writes `value` as %.*g with `digits`. */
void number_write(FILE *stream, int digits, double value);

#endif
