/*
 * number.h - numbers as text, alike in every locale.
 *
 * strtod and printf follow the locale of the process, which is not ours to set in a library: a
 * German one would read "0.5" as 0. Score files hold up to a hundred million numbers, so the common
 * short decimal is converted without strtod, and exactly.
 */
#ifndef LNCLIP_TENSOR_BASE_NUMBER_H
#define LNCLIP_TENSOR_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NUMBER_SIZE = 32 }; /* of a printed number, with its terminator */

/*
 * Reads the decimal number that is all of text [length] (no spaces, no hexadecimal), correctly
 * rounded. "nan", "inf" and "infinity" in any case, with a sign or not, give those values. False if
 * it is no number.
 */
bool number_parse(const char *text, size_t length, double *value);

/* The same for an unsigned decimal integer, and false beyond UINT64_MAX. */
bool number_parse_integer(const char *text, size_t length, uint64_t *value);

/* The order of two doubles that are numbers, for qsort. */
int number_compare(const void *a, const void *b);

/* The shortest of %.15g, %.16g, %.17g that reads back as the same finite double. */
void number_format(char out[NUMBER_SIZE], double value);

/* Writes `value` as %.DIGITSg. */
void number_write(FILE *stream, int digits, double value);

#endif
