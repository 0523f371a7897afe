/*
 * augment.h - training augmentation of one 8-bit image, before preprocessing.
 *
 * Every draw comes from a stream of (seed, frame, epoch): deterministic, independent of workers. An operation
 * is one field here (its probability or range), one name in data_augment_parse and one step of
 * data_augment_apply, in the order of the recipe; a field that is zero draws nothing.
 */
#ifndef LNCLIP_DATA_AUGMENT_H
#define LNCLIP_DATA_AUGMENT_H

#include "data/image.h"
#include "tensor/random.h"

#include <stdbool.h>

/* {0} changes nothing. */
typedef struct DataAugment {
    double flip; /* probability of a horizontal flip */
} DataAugment;

/*
 * Parses `augment`: "off", or "flip" (with probability 0.5). STATUS_USAGE for any other name; the full
 * recipes "paper" and "gend" are named as such, and refused rather than replaced by less.
 */
Status data_augment_parse(const char *name, DataAugment *augment, Error *error);

/* True if the augmentation may change an image at all. */
bool data_augment_active(const DataAugment *augment);

/* Applies the operations in the order of the recipe, in place. The draws come from *random. */
Status data_augment_apply(const DataAugment *augment, Random *random, DataImage *image,
                          Error *error);

/* Mirrors left and right, in place. */
void data_flip_horizontal(DataImage *image);

#endif
