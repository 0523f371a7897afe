/*
 * heatmap_text.h - the few words that stand in a heat map, as pixels.
 */
#ifndef LNCLIP_TOOLS_REPORT_HEATMAP_TEXT_H
#define LNCLIP_TOOLS_REPORT_HEATMAP_TEXT_H

#include "data/image/image.h"

enum {
    CLI_GLYPH_SCALE = 2,                     /* a dot of a glyph is so many pixels wide and high */
    CLI_GLYPH_HEIGHT = 9 * CLI_GLYPH_SCALE,  /* pixels */
    CLI_GLYPH_ADVANCE = 6 * CLI_GLYPH_SCALE, /* from one glyph to the next */
};

/* Pixels that `text` is wide. */
int cli_heatmap_text_width(const char *text);

/*
 * Draws text, its upper left corner at (x, y), in `rgb`. It must lie within the image, and hold only what is
 * in the font:
 * blanks, digits, the full stop, the underscore and a part of the small letters (asserted).
 */
void cli_heatmap_text_draw(DataImage *image, int x, int y, const char *text, const uint8_t rgb[3]);

#endif
