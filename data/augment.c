/*
 * augment.c - see augment.h.
 */
#include "data/augment.h"

#include <assert.h>
#include <string.h>

Status data_augment_parse(const char *name, DataAugment *augment, Error *error)
{
    assert(name && augment && error);
    *augment = (DataAugment){0};
    if (strcmp(name, "off") == 0)
        return STATUS_OK;
    if (strcmp(name, "flip") == 0) {
        augment->flip = 0.5;
        return STATUS_OK;
    }
    if (strcmp(name, "paper") == 0 || strcmp(name, "gend") == 0)
        return error_set(
            error, STATUS_USAGE,
            "augment=%s: this version does not have the augmentations of that recipe yet; use "
            "flip or off",
            name);
    return error_set(error, STATUS_USAGE, "augment=%s: unknown value; use flip or off", name);
}

bool data_augment_active(const DataAugment *augment)
{
    return augment->flip > 0;
}

void data_flip_horizontal(DataImage *image)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image->pixels + (size_t)y * (size_t)image->width * 3;
        uint8_t *right = left + (size_t)(image->width - 1) * 3;
        for (; left < right; left += 3, right -= 3) {
            for (int c = 0; c < 3; c++) {
                const uint8_t value = left[c];
                left[c] = right[c];
                right[c] = value;
            }
        }
    }
}

Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image,
                          Error *error)
{
    assert(augment && random && image && image->pixels && error);
    if (augment->flip > 0 && random_uniform(random) < augment->flip)
        data_flip_horizontal(image);
    return STATUS_OK;
}
