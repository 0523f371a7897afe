/*
 * heatmap.c - see heatmap.h.
 *
 * A map is drawn over the image in grey, so that all colour comes from the map. Opacity increases
 * with relevance. Positions are in pixels from the upper left corner of the picture.
 */
#include "tools/report/heatmap.h"

#include "data/image/preprocess.h"
#include "tensor/base/mem.h"
#include "tensor/base/text.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/*
 * Glyphs of 8 x 8 dots for printable ASCII, drawn with SCALE pixels per dot: the public domain font
 * font8x8 by Daniel Hepper, after the font of IBM's VGA. One byte per row; bit 0 is the left dot.
 */
enum {
    SCALE = 2,
    DOTS = 8,             /* rows and columns of a glyph */
    GLYPH = DOTS * SCALE, /* height and distance of glyphs in pixels */
    GLYPHS = '~' - ' ' + 1,
};

/* clang-format off */
static const uint8_t glyphs[GLYPHS][DOTS] = {
    [' ' - ' '] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    ['!' - ' '] = {0x18, 0x3c, 0x3c, 0x18, 0x18, 0x00, 0x18, 0x00},
    ['"' - ' '] = {0x36, 0x36, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    ['#' - ' '] = {0x36, 0x36, 0x7f, 0x36, 0x7f, 0x36, 0x36, 0x00},
    ['$' - ' '] = {0x0c, 0x3e, 0x03, 0x1e, 0x30, 0x1f, 0x0c, 0x00},
    ['%' - ' '] = {0x00, 0x63, 0x33, 0x18, 0x0c, 0x66, 0x63, 0x00},
    ['&' - ' '] = {0x1c, 0x36, 0x1c, 0x6e, 0x3b, 0x33, 0x6e, 0x00},
    ['\'' - ' '] = {0x06, 0x06, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00},
    ['(' - ' '] = {0x18, 0x0c, 0x06, 0x06, 0x06, 0x0c, 0x18, 0x00},
    [')' - ' '] = {0x06, 0x0c, 0x18, 0x18, 0x18, 0x0c, 0x06, 0x00},
    ['*' - ' '] = {0x00, 0x66, 0x3c, 0xff, 0x3c, 0x66, 0x00, 0x00},
    ['+' - ' '] = {0x00, 0x0c, 0x0c, 0x3f, 0x0c, 0x0c, 0x00, 0x00},
    [',' - ' '] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c, 0x06},
    ['-' - ' '] = {0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x00, 0x00},
    ['.' - ' '] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c, 0x00},
    ['/' - ' '] = {0x60, 0x30, 0x18, 0x0c, 0x06, 0x03, 0x01, 0x00},
    ['0' - ' '] = {0x3e, 0x63, 0x73, 0x7b, 0x6f, 0x67, 0x3e, 0x00},
    ['1' - ' '] = {0x0c, 0x0e, 0x0c, 0x0c, 0x0c, 0x0c, 0x3f, 0x00},
    ['2' - ' '] = {0x1e, 0x33, 0x30, 0x1c, 0x06, 0x33, 0x3f, 0x00},
    ['3' - ' '] = {0x1e, 0x33, 0x30, 0x1c, 0x30, 0x33, 0x1e, 0x00},
    ['4' - ' '] = {0x38, 0x3c, 0x36, 0x33, 0x7f, 0x30, 0x78, 0x00},
    ['5' - ' '] = {0x3f, 0x03, 0x1f, 0x30, 0x30, 0x33, 0x1e, 0x00},
    ['6' - ' '] = {0x1c, 0x06, 0x03, 0x1f, 0x33, 0x33, 0x1e, 0x00},
    ['7' - ' '] = {0x3f, 0x33, 0x30, 0x18, 0x0c, 0x0c, 0x0c, 0x00},
    ['8' - ' '] = {0x1e, 0x33, 0x33, 0x1e, 0x33, 0x33, 0x1e, 0x00},
    ['9' - ' '] = {0x1e, 0x33, 0x33, 0x3e, 0x30, 0x18, 0x0e, 0x00},
    [':' - ' '] = {0x00, 0x0c, 0x0c, 0x00, 0x00, 0x0c, 0x0c, 0x00},
    [';' - ' '] = {0x00, 0x0c, 0x0c, 0x00, 0x00, 0x0c, 0x0c, 0x06},
    ['<' - ' '] = {0x18, 0x0c, 0x06, 0x03, 0x06, 0x0c, 0x18, 0x00},
    ['=' - ' '] = {0x00, 0x00, 0x3f, 0x00, 0x00, 0x3f, 0x00, 0x00},
    ['>' - ' '] = {0x06, 0x0c, 0x18, 0x30, 0x18, 0x0c, 0x06, 0x00},
    ['?' - ' '] = {0x1e, 0x33, 0x30, 0x18, 0x0c, 0x00, 0x0c, 0x00},
    ['@' - ' '] = {0x3e, 0x63, 0x7b, 0x7b, 0x7b, 0x03, 0x1e, 0x00},
    ['A' - ' '] = {0x0c, 0x1e, 0x33, 0x33, 0x3f, 0x33, 0x33, 0x00},
    ['B' - ' '] = {0x3f, 0x66, 0x66, 0x3e, 0x66, 0x66, 0x3f, 0x00},
    ['C' - ' '] = {0x3c, 0x66, 0x03, 0x03, 0x03, 0x66, 0x3c, 0x00},
    ['D' - ' '] = {0x1f, 0x36, 0x66, 0x66, 0x66, 0x36, 0x1f, 0x00},
    ['E' - ' '] = {0x7f, 0x46, 0x16, 0x1e, 0x16, 0x46, 0x7f, 0x00},
    ['F' - ' '] = {0x7f, 0x46, 0x16, 0x1e, 0x16, 0x06, 0x0f, 0x00},
    ['G' - ' '] = {0x3c, 0x66, 0x03, 0x03, 0x73, 0x66, 0x7c, 0x00},
    ['H' - ' '] = {0x33, 0x33, 0x33, 0x3f, 0x33, 0x33, 0x33, 0x00},
    ['I' - ' '] = {0x1e, 0x0c, 0x0c, 0x0c, 0x0c, 0x0c, 0x1e, 0x00},
    ['J' - ' '] = {0x78, 0x30, 0x30, 0x30, 0x33, 0x33, 0x1e, 0x00},
    ['K' - ' '] = {0x67, 0x66, 0x36, 0x1e, 0x36, 0x66, 0x67, 0x00},
    ['L' - ' '] = {0x0f, 0x06, 0x06, 0x06, 0x46, 0x66, 0x7f, 0x00},
    ['M' - ' '] = {0x63, 0x77, 0x7f, 0x7f, 0x6b, 0x63, 0x63, 0x00},
    ['N' - ' '] = {0x63, 0x67, 0x6f, 0x7b, 0x73, 0x63, 0x63, 0x00},
    ['O' - ' '] = {0x1c, 0x36, 0x63, 0x63, 0x63, 0x36, 0x1c, 0x00},
    ['P' - ' '] = {0x3f, 0x66, 0x66, 0x3e, 0x06, 0x06, 0x0f, 0x00},
    ['Q' - ' '] = {0x1e, 0x33, 0x33, 0x33, 0x3b, 0x1e, 0x38, 0x00},
    ['R' - ' '] = {0x3f, 0x66, 0x66, 0x3e, 0x36, 0x66, 0x67, 0x00},
    ['S' - ' '] = {0x1e, 0x33, 0x07, 0x0e, 0x38, 0x33, 0x1e, 0x00},
    ['T' - ' '] = {0x3f, 0x2d, 0x0c, 0x0c, 0x0c, 0x0c, 0x1e, 0x00},
    ['U' - ' '] = {0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x3f, 0x00},
    ['V' - ' '] = {0x33, 0x33, 0x33, 0x33, 0x33, 0x1e, 0x0c, 0x00},
    ['W' - ' '] = {0x63, 0x63, 0x63, 0x6b, 0x7f, 0x77, 0x63, 0x00},
    ['X' - ' '] = {0x63, 0x63, 0x36, 0x1c, 0x1c, 0x36, 0x63, 0x00},
    ['Y' - ' '] = {0x33, 0x33, 0x33, 0x1e, 0x0c, 0x0c, 0x1e, 0x00},
    ['Z' - ' '] = {0x7f, 0x63, 0x31, 0x18, 0x4c, 0x66, 0x7f, 0x00},
    ['[' - ' '] = {0x1e, 0x06, 0x06, 0x06, 0x06, 0x06, 0x1e, 0x00},
    ['\\' - ' '] = {0x03, 0x06, 0x0c, 0x18, 0x30, 0x60, 0x40, 0x00},
    [']' - ' '] = {0x1e, 0x18, 0x18, 0x18, 0x18, 0x18, 0x1e, 0x00},
    ['^' - ' '] = {0x08, 0x1c, 0x36, 0x63, 0x00, 0x00, 0x00, 0x00},
    ['_' - ' '] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff},
    ['`' - ' '] = {0x0c, 0x0c, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00},
    ['a' - ' '] = {0x00, 0x00, 0x1e, 0x30, 0x3e, 0x33, 0x6e, 0x00},
    ['b' - ' '] = {0x07, 0x06, 0x06, 0x3e, 0x66, 0x66, 0x3b, 0x00},
    ['c' - ' '] = {0x00, 0x00, 0x1e, 0x33, 0x03, 0x33, 0x1e, 0x00},
    ['d' - ' '] = {0x38, 0x30, 0x30, 0x3e, 0x33, 0x33, 0x6e, 0x00},
    ['e' - ' '] = {0x00, 0x00, 0x1e, 0x33, 0x3f, 0x03, 0x1e, 0x00},
    ['f' - ' '] = {0x1c, 0x36, 0x06, 0x0f, 0x06, 0x06, 0x0f, 0x00},
    ['g' - ' '] = {0x00, 0x00, 0x6e, 0x33, 0x33, 0x3e, 0x30, 0x1f},
    ['h' - ' '] = {0x07, 0x06, 0x36, 0x6e, 0x66, 0x66, 0x67, 0x00},
    ['i' - ' '] = {0x0c, 0x00, 0x0e, 0x0c, 0x0c, 0x0c, 0x1e, 0x00},
    ['j' - ' '] = {0x30, 0x00, 0x30, 0x30, 0x30, 0x33, 0x33, 0x1e},
    ['k' - ' '] = {0x07, 0x06, 0x66, 0x36, 0x1e, 0x36, 0x67, 0x00},
    ['l' - ' '] = {0x0e, 0x0c, 0x0c, 0x0c, 0x0c, 0x0c, 0x1e, 0x00},
    ['m' - ' '] = {0x00, 0x00, 0x33, 0x7f, 0x7f, 0x6b, 0x63, 0x00},
    ['n' - ' '] = {0x00, 0x00, 0x1f, 0x33, 0x33, 0x33, 0x33, 0x00},
    ['o' - ' '] = {0x00, 0x00, 0x1e, 0x33, 0x33, 0x33, 0x1e, 0x00},
    ['p' - ' '] = {0x00, 0x00, 0x3b, 0x66, 0x66, 0x3e, 0x06, 0x0f},
    ['q' - ' '] = {0x00, 0x00, 0x6e, 0x33, 0x33, 0x3e, 0x30, 0x78},
    ['r' - ' '] = {0x00, 0x00, 0x3b, 0x6e, 0x66, 0x06, 0x0f, 0x00},
    ['s' - ' '] = {0x00, 0x00, 0x3e, 0x03, 0x1e, 0x30, 0x1f, 0x00},
    ['t' - ' '] = {0x08, 0x0c, 0x3e, 0x0c, 0x0c, 0x2c, 0x18, 0x00},
    ['u' - ' '] = {0x00, 0x00, 0x33, 0x33, 0x33, 0x33, 0x6e, 0x00},
    ['v' - ' '] = {0x00, 0x00, 0x33, 0x33, 0x33, 0x1e, 0x0c, 0x00},
    ['w' - ' '] = {0x00, 0x00, 0x63, 0x6b, 0x7f, 0x7f, 0x36, 0x00},
    ['x' - ' '] = {0x00, 0x00, 0x63, 0x36, 0x1c, 0x36, 0x63, 0x00},
    ['y' - ' '] = {0x00, 0x00, 0x33, 0x33, 0x33, 0x3e, 0x30, 0x1f},
    ['z' - ' '] = {0x00, 0x00, 0x3f, 0x19, 0x0c, 0x26, 0x3f, 0x00},
    ['{' - ' '] = {0x38, 0x0c, 0x0c, 0x07, 0x0c, 0x0c, 0x38, 0x00},
    ['|' - ' '] = {0x18, 0x18, 0x18, 0x00, 0x18, 0x18, 0x18, 0x00},
    ['}' - ' '] = {0x07, 0x0c, 0x0c, 0x38, 0x0c, 0x0c, 0x07, 0x00},
    ['~' - ' '] = {0x6e, 0x3b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
};
/* clang-format on */

/* For characters outside ASCII: an empty box. */
static const uint8_t unknown_glyph[DOTS] = {0x7f, 0x41, 0x41, 0x41, 0x41, 0x41, 0x7f, 0x00};

/* True if `byte` continues a character of UTF-8. */
static bool continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The width of UTF-8 text in pixels. */
static int width_of(const char *text)
{
    int width = 0;
    for (const char *p = text; *p; p++)
        width += continues(*p) ? 0 : GLYPH;
    return width;
}

static void draw_dot(DataImage *image, int x, int y, const uint8_t rgb[3])
{
    for (int i = 0; i < SCALE; i++)
        for (int j = 0; j < SCALE; j++)
            memcpy(image->pixels + 3 * ((size_t)(y + i) * (size_t)image->width + (size_t)(x + j)),
                   rgb, 3);
}

/*
 * Draws UTF-8 text without control characters with its upper left corner at (x, y) in the colour
 * `rgb`. It must fit into the image (asserted).
 */
static void draw_text(DataImage *image, int x, int y, const char *text, const uint8_t rgb[3])
{
    assert(x >= 0 && y >= 0 && y + GLYPH <= image->height);
    assert(x + width_of(text) <= image->width);
    for (const char *p = text; *p; p++) {
        if (continues(*p))
            continue;
        const bool known = *p >= ' ' && *p <= '~';
        const uint8_t *glyph = known ? glyphs[*p - ' '] : unknown_glyph;
        for (int row = 0; row < DOTS; row++)
            for (int column = 0; column < DOTS; column++)
                if (glyph[row] >> column & 1)
                    draw_dot(image, x + column * SCALE, y + row * SCALE, rgb);
        x += GLYPH;
    }
}

/* Draws the name of a file; of one that is too long, "..." and its end. */
static Status draw_name(DataImage *image, int x, int y, const char *name, Error *error)
{
    const int room = image->width - 2 * x;
    char *text = text_printed(name);
    if (!text)
        return mem_full(0, "a heat map", error);
    const char *end = text;
    if (width_of(text) > room) {
        draw_text(image, x, y, "...", ink);
        x += 3 * GLYPH;
        while (continues(*end) || width_of(end) > room - 3 * GLYPH)
            end++;
    }
    draw_text(image, x, y, end, ink);
    free(text);
    return STATUS_OK;
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
    *height = 2 * MARGIN + 3 * GLYPH + 4 * GAP + panel + BAR;
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
    draw_text(picture, x, below, label, ink);
    snprintf(label, sizeof label, "%.2f", map->most / unit);
    draw_text(picture, x + panel - width_of(label), below, label, ink);
    draw_text(picture, x + (panel - width_of("x mean")) / 2, below, "x mean", ink);
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
        const int titles_top = MARGIN + GLYPH + GAP;
        const int top = titles_top + GLYPH + GAP, bar = top + panel + GAP;
        for (int i = 0; i < PANELS; i++) {
            const int x = MARGIN + i * (panel + MARGIN);
            draw_text(picture, x, titles_top, titles[i], ink);
            draw_image(picture, &large, x, top);
            if (!maps[i])
                continue;
            const Map map = map_of(maps[i], heatmap->grid);
            draw_map(picture, heatmap, &map, x, top, panel);
            draw_bar(picture, &map, x, bar, panel);
        }
        char score[LABEL_SIZE];
        snprintf(score, sizeof score, "p_fake %.4f", heatmap->p_fake);
        draw_text(picture, MARGIN, bar, score, ink);
        status = draw_name(picture, MARGIN, MARGIN, heatmap->name, error);
    }
    data_resizer_free(&resizer);
    data_image_free(&large);
    return status;
}
