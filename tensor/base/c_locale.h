/*
 * c_locale.h - numbers as text, independent of the locale.
 *
 * strtod and printf follow the locale of the process, which a library must not change: under a
 * German one "%.9g" writes 0,5, which our readers reject. Code that writes or reads numbers does so
 * between c_locale_begin and c_locale_end, which change the calling thread's locale only.
 *
 * Tests: tests/test_locale.c.
 */
#ifndef LNCLIP_TENSOR_BASE_C_LOCALE_H
#define LNCLIP_TENSOR_BASE_C_LOCALE_H

#include <locale.h>

/* The C locale, for strtod_l and similar functions; (locale_t)0 if out of memory. Thread-safe. */
locale_t c_locale(void);

/*
 * Sets the calling thread's locale to C. Returns the old one, for c_locale_end. Pairs may be
 * nested.
 */
locale_t c_locale_begin(void);
void c_locale_end(locale_t before);

#endif
