/*
 * crop_check.c - see crop_check.h.
 */
#include "data/lists/crop_check.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

static bool has_ratio(double longer, double shorter, double a, double b)
{
    return fabs(longer * b / (shorter * a) - 1) <= 0.01;
}

DataCropShape data_crop_shape(int width, int height)
{
    assert(width > 0 && height > 0);
    const double longer = fmax(width, height), shorter = fmin(width, height);
    const bool square = longer - shorter <= 0.05 * longer;
    const bool screen = has_ratio(longer, shorter, 16, 9) || has_ratio(longer, shorter, 4, 3);
    if ((longer >= 320 && screen) || (longer > 800 && !square))
        return DATA_CROP_WHOLE_FRAME;
    if (!square)
        return DATA_CROP_NOT_SQUARE;
    return shorter < 64 ? DATA_CROP_SMALL : DATA_CROP_FACE;
}

const char *data_crop_shape_name(DataCropShape shape)
{
    static const char *const names[] = {[DATA_CROP_FACE] = "a face crop",
                                        [DATA_CROP_WHOLE_FRAME] = "a whole video frame",
                                        [DATA_CROP_NOT_SQUARE] = "not square",
                                        [DATA_CROP_SMALL] = "small"};
    return names[shape];
}
