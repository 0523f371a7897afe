/*
 * heatmap_text.c - see heatmap_text.h. Five dots by seven and two more for what hangs below the line, drawn for this
 * program: the characters it needs and no more.
 */
#include "tools/report/heatmap_text.h"

#include <assert.h>
#include <string.h>

enum { COLUMNS = 5, ROWS = 9, CHARACTERS = 128 };

/* clang-format off */
static const char *const glyphs[CHARACTERS][ROWS] = {
    [' '] = {"     ", "     ", "     ", "     ", "     ", "     ", "     ", "     ", "     "},
    ['.'] = {"     ", "     ", "     ", "     ", "     ", " ##  ", " ##  ", "     ", "     "},
    ['0'] = {" ### ", "#   #", "#  ##", "# # #", "##  #", "#   #", " ### ", "     ", "     "},
    ['1'] = {"  #  ", " ##  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### ", "     ", "     "},
    ['2'] = {" ### ", "#   #", "    #", "   # ", "  #  ", " #   ", "#####", "     ", "     "},
    ['3'] = {"#### ", "    #", "    #", " ### ", "    #", "    #", "#### ", "     ", "     "},
    ['4'] = {"   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # ", "     ", "     "},
    ['5'] = {"#####", "#    ", "#### ", "    #", "    #", "#   #", " ### ", "     ", "     "},
    ['6'] = {"  ## ", " #   ", "#    ", "#### ", "#   #", "#   #", " ### ", "     ", "     "},
    ['7'] = {"#####", "    #", "   # ", "  #  ", "  #  ", "  #  ", "  #  ", "     ", "     "},
    ['8'] = {" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### ", "     ", "     "},
    ['9'] = {" ### ", "#   #", "#   #", " ####", "    #", "   # ", " ##  ", "     ", "     "},
    ['_'] = {"     ", "     ", "     ", "     ", "     ", "     ", "     ", "     ", "#####"},
    ['a'] = {"     ", "     ", " ### ", "    #", " ####", "#   #", " ####", "     ", "     "},
    ['d'] = {"    #", "    #", " ####", "#   #", "#   #", "#   #", " ####", "     ", "     "},
    ['e'] = {"     ", "     ", " ### ", "#   #", "#####", "#    ", " ### ", "     ", "     "},
    ['f'] = {"  ## ", " #  #", " #   ", "###  ", " #   ", " #   ", " #   ", "     ", "     "},
    ['g'] = {"     ", "     ", " ####", "#   #", "#   #", "#   #", " ####", "    #", " ### "},
    ['i'] = {"  #  ", "     ", " ##  ", "  #  ", "  #  ", "  #  ", " ### ", "     ", "     "},
    ['k'] = {"#    ", "#    ", "#  # ", "# #  ", "##   ", "# #  ", "#  # ", "     ", "     "},
    ['l'] = {" ##  ", "  #  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### ", "     ", "     "},
    ['m'] = {"     ", "     ", "## # ", "# # #", "# # #", "# # #", "# # #", "     ", "     "},
    ['n'] = {"     ", "     ", "#### ", "#   #", "#   #", "#   #", "#   #", "     ", "     "},
    ['o'] = {"     ", "     ", " ### ", "#   #", "#   #", "#   #", " ### ", "     ", "     "},
    ['p'] = {"     ", "     ", "#### ", "#   #", "#   #", "#   #", "#### ", "#    ", "#    "},
    ['r'] = {"     ", "     ", "# ## ", "##  #", "#    ", "#    ", "#    ", "     ", "     "},
    ['t'] = {" #   ", " #   ", "###  ", " #   ", " #   ", " #  #", "  ## ", "     ", "     "},
    ['u'] = {"     ", "     ", "#   #", "#   #", "#   #", "#  ##", " ## #", "     ", "     "},
    ['w'] = {"     ", "     ", "#   #", "#   #", "# # #", "# # #", " # # ", "     ", "     "},
    ['x'] = {"     ", "     ", "#   #", " # # ", "  #  ", " # # ", "#   #", "     ", "     "},
};
/* clang-format on */

int cli_heatmap_text_width(const char *text)
{
    return (int)strlen(text) * CLI_GLYPH_ADVANCE - (CLI_GLYPH_ADVANCE - COLUMNS * CLI_GLYPH_SCALE);
}

static void draw_dot(DataImage *image, int x, int y, const uint8_t rgb[3])
{
    for (int i = 0; i < CLI_GLYPH_SCALE; i++)
        for (int j = 0; j < CLI_GLYPH_SCALE; j++)
            memcpy(image->pixels + 3 * ((size_t)(y + i) * (size_t)image->width + (size_t)(x + j)),
                   rgb, 3);
}

void cli_heatmap_text_draw(DataImage *image, int x, int y, const char *text, const uint8_t rgb[3])
{
    assert(x >= 0 && y >= 0 && y + CLI_GLYPH_HEIGHT <= image->height);
    assert(x + cli_heatmap_text_width(text) <= image->width);
    for (; *text; text++, x += CLI_GLYPH_ADVANCE) {
        const unsigned char character = (unsigned char)*text;
        assert(character < CHARACTERS && glyphs[character][0] && "no such glyph");
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < COLUMNS; column++)
                if (glyphs[character][row][column] == '#')
                    draw_dot(image, x + column * CLI_GLYPH_SCALE, y + row * CLI_GLYPH_SCALE, rgb);
    }
}
