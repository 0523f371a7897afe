/*
 * text.h - names of files and sources in text for people, SVG and HTML: any bytes in, well-formed
 * UTF-8 out.
 */
#ifndef LNCLIP_TENSOR_BASE_TEXT_H
#define LNCLIP_TENSOR_BASE_TEXT_H

#include <stdio.h>

/* Writes text with control characters and bytes that are no UTF-8 as \n, \t, \r or \xNN. */
void text_print(FILE *stream, const char *text);

/* The same in memory that the caller frees; NULL without memory. */
char *text_printed(const char *text);

/* The same for XML and HTML: & < > " and ' become entities. Fit for element content and quoted
 * attributes. */
void text_print_xml(FILE *stream, const char *text);

/* Characters that text_print writes. */
int text_width(const char *text);

#endif
