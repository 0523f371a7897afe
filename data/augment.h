/*
 * augment.h - training augmentation of one 8-bit image, before preprocessing.
 *
 * Every draw comes from a stream of (seed, frame, epoch): deterministic, independent of workers.
 */
#ifndef LNCLIP_DATA_AUGMENT_H
#define LNCLIP_DATA_AUGMENT_H

#include "data/image.h"
#include "tensor/random.h"

#include <stdbool.h>

typedef struct DataAugment {
    double flip; /* probability of a horizontal flip */
} DataAugment;

/* Parses `augment`: "off", or "flip". STATUS_USAGE names the values, and those of later versions. */
Status data_augment_parse(const char *name, DataAugment *augment, Error *error);

/* True if the augmentation may change an image at all. */
bool data_augment_active(const DataAugment *augment);

/* Applies the operations in the order of the recipe, in place. */
Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image, Error *error);

/* Mirrors left and right, in place. */
void data_flip_horizontal(DataImage *image);

#endif
