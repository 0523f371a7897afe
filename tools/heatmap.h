/*
 * heatmap.h - a picture of what vit_explain found: three panels side by side,
 *
 *     what the network sees | attention rollout over it | gradient x attention over it
 *
 * with p_fake under the first and a colour bar under each of the others. The bar begins at the least relevance of a patch
 * and ends at the largest, in multiples of the mean patch: 1 is what each would have if the map were flat. It spans at
 * least one mean, so that a map which is nearly flat looks so. Every map has a scale of its own: colours compare
 * patches of one map and never two images.
 */
#ifndef LNCLIP_TOOLS_HEATMAP_H
#define LNCLIP_TOOLS_HEATMAP_H

#include "data/image.h"

typedef struct CliHeatmap {
    const uint8_t *image;            /* [size,size,3], 8-bit RGB */
    int size;                        /* S */
    int grid, patch;                 /* G patches along a side, of P pixels: G P <= S */
    const float *rollout, *gradient; /* [G,G], as vit_explain gives them */
    double p_fake;
} CliHeatmap;

/* Size of the picture of an image of S pixels: a panel is the smallest multiple of S with at least 320 pixels. */
void cli_heatmap_size(int size, int *width, int *height);

/*
 * The colour of t, 0..1 (others are clamped). Equal steps of t are equal steps of perceived lightness and hue: from
 * dark violet over red to light yellow in OKLCh, with L = 0.25 + 0.69 t, hue = 285 + 175 t degrees and chroma
 * 0.10 + 0.08 sin(pi t), which sRGB holds everywhere (Ottosson, "A perceptual color space for image processing", 2020).
 * Lightness rises all the way, so that a print in grey and a colour-blind reader see the same order.
 */
void cli_heatmap_colour(double t, uint8_t rgb[3]);

/*
 * Draws it into *picture, owned by the caller. Between the centres of patches the map is interpolated by Keys' cubic,
 * kept within the ends of the bar. STATUS_FAILED without memory.
 */
Status cli_heatmap_draw(const CliHeatmap *heatmap, DataImage *picture, Error *error);

#endif
