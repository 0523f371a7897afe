/*
 * c_locale.h - numbers as text alike in every locale.
 *
 * strtod and printf follow the locale of the process, which is not a library's to set: under a
 * German one "%.9g" writes 0,5, which no reader of ours understands. Code that writes or reads
 * numbers does so between c_locale_begin and c_locale_end, which change the calling thread's locale
 * only.
 */
#ifndef LNCLIP_TENSOR_BASE_C_LOCALE_H
#define LNCLIP_TENSOR_BASE_C_LOCALE_H

#include <locale.h>

/* The C locale, for strtod_l and the like; (locale_t)0 if there was no memory for it. From any
 * thread. */
locale_t c_locale(void);

/* Puts the calling thread into the C locale. Returns what c_locale_end restores; pairs may be
 * nested. */
locale_t c_locale_begin(void);
void c_locale_end(locale_t before);

#endif
