/*
 * text.h - prints names of files and sources for people, SVG and HTML: any bytes in, well-formed
 * UTF-8 out. Thread-safe.
 *
 * Tests: tests/test_chart.c.
 */
#ifndef LNCLIP_TENSOR_BASE_TEXT_H
#define LNCLIP_TENSOR_BASE_TEXT_H

#include <stdio.h>

/* Writes text; control characters and bytes that are not valid UTF-8 become \n, \t, \r or \xNN. */
void text_print(FILE *stream, const char *text);

/* The output of text_print in memory that the caller frees; NULL if out of memory. */
char *text_printed(const char *text);

/*
 * text_print for XML and HTML: & < > " and ' become entities. For element content and quoted
 * attributes.
 */
void text_print_xml(FILE *stream, const char *text);

/* Number of characters that text_print writes. */
int text_width(const char *text);

#endif
