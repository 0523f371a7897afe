/*
 * heatmap.h - a picture of the maps of vit_explain in three panels,
 *
 *     network input | attention rollout | gradient x attention
 *
 * with the path of the image above the panels, p_fake below the first panel and a colour bar below
 * each of the others. The bar goes from the smallest to the largest relevance of a patch, in
 * multiples of the mean; 1 is the value of a uniform map. It spans at least one mean, so that a
 * nearly uniform map looks uniform. Each map has its own scale: colours compare patches within a
 * map, not between images.
 *
 * Tests: tests/test_predict.sh.
 */
#ifndef LNCLIP_TOOLS_REPORT_HEATMAP_H
#define LNCLIP_TOOLS_REPORT_HEATMAP_H

#include "data/image/image.h"

typedef struct CliHeatmap {
    const char *name;                /* path of the image: the heading; any bytes */
    const uint8_t *image;            /* [size,size,3], 8-bit RGB */
    int size;                        /* S */
    int grid, patch;                 /* G patches of P pixels per side: G P <= S */
    const float *rollout, *gradient; /* [G,G], from vit_explain */
    double p_fake;
} CliHeatmap;

/*
 * Draws the picture into *picture, which the caller frees. Maps are interpolated between patch
 * centres by Keys' cubic and clamped to the range of the bar. STATUS_FAILED without memory.
 */
Status cli_heatmap_draw(const CliHeatmap *heatmap, DataImage *picture, Error *error);

#endif
