/*
 * text.c - see text.h. Well-formed UTF-8: RFC 3629, section 4.
 */
#include "tensor/base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 sequence at `text` if it is well-formed and printable, else 0. */
static int printable_length(const unsigned char *text)
{
    const unsigned char c = text[0];
    if (c < 0x80)
        return c >= 0x20 && c != 0x7f;
    const int length = c >= 0xc2 && c < 0xe0   ? 2
                       : c >= 0xe0 && c < 0xf0 ? 3
                       : c >= 0xf0 && c < 0xf5 ? 4
                                               : 0;
    for (int i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80) /* true for the terminating zero too */
            return 0;
    const bool overlong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xf0 && text[1] < 0x90);
    const bool surrogate = c == 0xed && text[1] >= 0xa0;
    const bool too_large = c == 0xf4 && text[1] >= 0x90;
    const bool control = c == 0xc2 && text[1] < 0xa0; /* U+0080..U+009F: terminals interpret them */
    return overlong || surrogate || too_large || control ? 0 : length;
}

/* The escape sequence for a byte that is not printable. */
static void escape(unsigned char byte, char out[5])
{
    const char *letter = byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r";
    if (byte == '\n' || byte == '\t' || byte == '\r')
        snprintf(out, 5, "%s", letter);
    else
        snprintf(out, 5, "\\x%02x", byte);
}

void text_print(FILE *stream, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int length = printable_length(at);
        char escaped[5];
        escape(*at, escaped);
        if (length > 0)
            fwrite(at, 1, length, stream);
        else
            fputs(escaped, stream);
        at += length > 0 ? length : 1;
    }
}

char *text_printed(const char *text)
{
    char *copy = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&copy, &size);
    if (!stream)
        return NULL;
    text_print(stream, text);
    if (fclose(stream) == 0)
        return copy;
    free(copy);
    return NULL;
}

void text_print_xml(FILE *stream, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int length = printable_length(at);
        char escaped[5];
        escape(*at, escaped);
        if (*at == '&')
            fputs("&amp;", stream);
        else if (*at == '<')
            fputs("&lt;", stream);
        else if (*at == '>')
            fputs("&gt;", stream);
        else if (*at == '"')
            fputs("&quot;", stream);
        else if (*at == '\'')
            fputs("&#39;", stream);
        else if (length > 0)
            fwrite(at, 1, length, stream);
        else
            fputs(escaped, stream);
        at += length > 0 ? length : 1;
    }
}

int text_width(const char *text)
{
    int width = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int length = printable_length(at);
        char escaped[5];
        escape(*at, escaped);
        width += length > 0 ? 1 : (int)strlen(escaped);
        at += length > 0 ? length : 1;
    }
    return width;
}
