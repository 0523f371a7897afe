/*
 * heatmap.c - see heatmap.h.
 *
 * A map is drawn over the image in grey, so that all colour comes from the map. Opacity increases
 * with relevance. Positions are in pixels from the upper left corner of the picture.
 */
#include "tools/report/heatmap.h"

#include "data/image/preprocess.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PANEL = 320, /* minimum width of a panel in pixels */
    MARGIN = 24, /* around and between panels */
    GAP = 8,     /* between a panel, its title and its bar */
    BAR = 14,    /* height of a colour bar */
    PANELS = 3,
    LABEL_SIZE = 32
};

/* Minimum and maximum opacity of the colour over the grey image. */
#define COVER_LEAST 0.30
#define COVER_MOST  0.75

static const uint8_t white[3] = {255, 255, 255}, ink[3] = {32, 32, 32};

/* ---- text ------------------------------------------------------------------------------------ */

/* The glyphs needed here: 5 x 7 dots, and two rows for descenders. */

enum {
    CLI_GLYPH_SCALE = 2,                     /* pixels per dot, in each direction */
    CLI_GLYPH_HEIGHT = 9 * CLI_GLYPH_SCALE,  /* pixels */
    CLI_GLYPH_ADVANCE = 6 * CLI_GLYPH_SCALE, /* distance between glyphs */
};

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

/* The width of `text` in pixels. */
static int text_width(const char *text)
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

/*
 * Draws text with its upper left corner at (x, y) in the colour `rgb`. It must fit into the image,
 * and all characters must have a glyph (asserted).
 */
static void text_draw(DataImage *image, int x, int y, const char *text, const uint8_t rgb[3])
{
    assert(x >= 0 && y >= 0 && y + CLI_GLYPH_HEIGHT <= image->height);
    assert(x + text_width(text) <= image->width);
    for (; *text; text++, x += CLI_GLYPH_ADVANCE) {
        const unsigned char character = (unsigned char)*text;
        assert(character < CHARACTERS && glyphs[character][0] && "no such glyph");
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < COLUMNS; column++)
                if (glyphs[character][row][column] == '#')
                    draw_dot(image, x + column * CLI_GLYPH_SCALE, y + row * CLI_GLYPH_SCALE, rgb);
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* The width of a panel: the smallest multiple of `size` that is at least PANEL. */
static int panel_size(int size)
{
    return size * ((PANEL + size - 1) / size);
}

/* The size of the picture for an image of `size` x `size` pixels. */
static void picture_size(int size, int *width, int *height)
{
    const int panel = panel_size(size);
    *width = PANELS * panel + (PANELS + 1) * MARGIN;
    *height = 2 * MARGIN + 2 * CLI_GLYPH_HEIGHT + 3 * GAP + panel + BAR;
}

/* ---- colours --------------------------------------------------------------------------------- */

/* Converts linear light to an 8-bit sRGB component. */
static uint8_t encode(double linear)
{
    const double x = fmin(fmax(linear, 0), 1);
    const double coded = x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * coded);
}

/*
 * The colour for t, clamped to 0..1: from dark violet over red to light yellow. Equal steps of t
 * are equal steps of perceived lightness and hue in OKLCh: L = 0.25 + 0.69 t, hue = 285 + 175 t
 * degrees, chroma 0.10 + 0.08 sin(pi t), all within sRGB (Ottosson, "A perceptual color space for
 * image processing", 2020). Lightness is monotonic, so the order is visible in grey prints and to
 * colour-blind readers.
 */
static void colour_of(double t, uint8_t rgb[3])
{
    const double pi = 3.14159265358979323846, at = fmin(fmax(t, 0), 1);
    const double L = 0.25 + 0.69 * at, hue = (285 + 175 * at) * pi / 180;
    const double chroma = 0.10 + 0.08 * sin(pi * at);
    const double a = chroma * cos(hue), b = chroma * sin(hue);
    /* Ottosson's two matrices, from OKLab to linear sRGB. */
    const double l = pow(L + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = pow(L - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = pow(L - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

/* ---- a map ----------------------------------------------------------------------------------- */

typedef struct Map {
    const float *values; /* [grid,grid] */
    int grid;
    double mean, least, most; /* least and most: ends of the colour scale */
} Map;

static Map map_of(const float *values, int grid)
{
    Map map = {values, grid, 0, (double)values[0], (double)values[0]};
    for (int i = 0; i < grid * grid; i++) {
        map.mean += (double)values[i] / (grid * grid);
        map.least = fmin(map.least, (double)values[i]);
        map.most = fmax(map.most, (double)values[i]);
    }
    map.most = fmax(map.most, map.least + map.mean);
    return map;
}

/*
 * The weight of Keys' cubic with a = -1/2 at distance x; the weights of the four neighbours sum to
 * 1.
 */
static double keys(double x)
{
    const double d = fabs(x);
    return d < 1   ? 1.5 * d * d * d - 2.5 * d * d + 1
           : d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2
                   : 0;
}

static int clamp_index(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* The value of the map at (x, y), in patches from the corner, scaled to 0..1. */
static double map_at(const Map *map, double x, double y)
{
    const int column = (int)floor(x - 0.5), row = (int)floor(y - 0.5);
    double sum = 0;
    for (int i = row - 1; i <= row + 2; i++) {
        const float *line = map->values + (ptrdiff_t)clamp_index(i, map->grid) * map->grid;
        double across = 0;
        for (int j = column - 1; j <= column + 2; j++)
            across += keys(x - 0.5 - j) * (double)line[clamp_index(j, map->grid)];
        sum += keys(y - 0.5 - i) * across;
    }
    const double range = map->most - map->least;
    return range > 0 ? fmin(fmax((sum - map->least) / range, 0), 1) : 0;
}

/* ---- the picture ----------------------------------------------------------------------------- */

static uint8_t *pixel(DataImage *image, int x, int y)
{
    return image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
}

static void draw_image(DataImage *picture, const DataImage *image, int x, int y)
{
    for (int row = 0; row < image->height; row++)
        memcpy(pixel(picture, x, y + row), image->pixels + 3 * (size_t)row * (size_t)image->width,
               3 * (size_t)image->width);
}

/* Blends the colour of `t` over the grey value of rgb. */
static void cover(uint8_t rgb[3], double t)
{
    uint8_t colour[3];
    colour_of(t, colour);
    const double share = COVER_LEAST + (COVER_MOST - COVER_LEAST) * t;
    const double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; /* luma, ITU-R BT.601 */
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround((1 - share) * grey + share * colour[c]);
}

static void draw_map(DataImage *picture, const CliHeatmap *heatmap, const Map *map, int x, int y,
                     int panel)
{
    const double patches = (double)heatmap->size / heatmap->patch / panel; /* per pixel */
    for (int row = 0; row < panel; row++)
        for (int column = 0; column < panel; column++)
            cover(pixel(picture, x + column, y + row),
                  map_at(map, (column + 0.5) * patches, (row + 0.5) * patches));
}

/* Draws the colour bar, with the ends of the scale and its unit below it. */
static void draw_bar(DataImage *picture, const Map *map, int x, int y, int panel)
{
    for (int column = 0; column < panel; column++) {
        uint8_t rgb[3];
        colour_of((column + 0.5) / panel, rgb);
        for (int row = 0; row < BAR; row++)
            memcpy(pixel(picture, x + column, y + row), rgb, 3);
    }
    const int below = y + BAR + GAP;
    const double unit = map->mean > 0 ? map->mean : 1; /* mean 0: an all-zero map */
    char label[LABEL_SIZE];
    snprintf(label, sizeof label, "%.2f", map->least / unit);
    text_draw(picture, x, below, label, ink);
    snprintf(label, sizeof label, "%.2f", map->most / unit);
    text_draw(picture, x + panel - text_width(label), below, label, ink);
    text_draw(picture, x + (panel - text_width("x mean")) / 2, below, "x mean", ink);
}

Status cli_heatmap_draw(const CliHeatmap *heatmap, DataImage *picture, Error *error)
{
    assert(heatmap && heatmap->size > 0 && heatmap->grid > 0);
    assert(heatmap->grid * heatmap->patch <= heatmap->size);
    const int panel = panel_size(heatmap->size);
    int width, height;
    picture_size(heatmap->size, &width, &height);
    DataImage large = {0};
    DataResizer resizer = {.filter = DATA_FILTER_BICUBIC};
    /* The resizer does not write to its input. */
    const DataImage small = {heatmap->size, heatmap->size, (uint8_t *)(uintptr_t)heatmap->image};
    *picture = (DataImage){0};
    Status status = data_image_create(&large, panel, panel, error);
    if (status == STATUS_OK)
        status = data_resize(&resizer, &small, panel, panel, large.pixels, error);
    if (status == STATUS_OK)
        status = data_image_create(picture, width, height, error);
    if (status == STATUS_OK) {
        for (int i = 0; i < width * height; i++)
            memcpy(picture->pixels + 3 * (size_t)i, white, 3);
        static const char *const titles[PANELS] = {"network input", "attention rollout",
                                                   "gradient x attention"};
        const float *const maps[PANELS] = {NULL, heatmap->rollout, heatmap->gradient};
        const int top = MARGIN + CLI_GLYPH_HEIGHT + GAP, bar = top + panel + GAP;
        for (int i = 0; i < PANELS; i++) {
            const int x = MARGIN + i * (panel + MARGIN);
            text_draw(picture, x, MARGIN, titles[i], ink);
            draw_image(picture, &large, x, top);
            if (!maps[i])
                continue;
            const Map map = map_of(maps[i], heatmap->grid);
            draw_map(picture, heatmap, &map, x, top, panel);
            draw_bar(picture, &map, x, bar, panel);
        }
        char score[LABEL_SIZE];
        snprintf(score, sizeof score, "p_fake %.4f", heatmap->p_fake);
        text_draw(picture, MARGIN, bar, score, ink);
    }
    data_resizer_free(&resizer);
    data_image_free(&large);
    return status;
}
