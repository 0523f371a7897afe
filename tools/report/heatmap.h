/*
 * heatmap.h - a picture of what vit_explain found: three panels side by side,
 *
 *     what the network sees | attention rollout over it | gradient x attention over it
 *
 * with p_fake under the first and a colour bar under each of the others. The bar begins at the
 * least relevance of a patch and ends at the largest, in multiples of the mean patch: 1 is what
 * each would have if the map were flat. It spans at least one mean, so that a map which is nearly
 * flat looks so. Every map has a scale of its own: colours compare patches of one map and never two
 * images.
 */
#ifndef LNCLIP_TOOLS_REPORT_HEATMAP_H
#define LNCLIP_TOOLS_REPORT_HEATMAP_H

#include "data/image/image.h"

typedef struct CliHeatmap {
    const uint8_t *image;            /* [size,size,3], 8-bit RGB */
    int size;                        /* S */
    int grid, patch;                 /* G patches along a side, of P pixels: G P <= S */
    const float *rollout, *gradient; /* [G,G], as vit_explain gives them */
    double p_fake;
} CliHeatmap;

/*
 * Draws it into *picture, owned by the caller. Between the centres of patches the map is
 * interpolated by Keys' cubic, kept within the ends of the bar. STATUS_FAILED without memory.
 */
Status cli_heatmap_draw(const CliHeatmap *heatmap, DataImage *picture, Error *error);

#endif
