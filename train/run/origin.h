/*
 * origin.h - what a run is made from, as hashes: the proof that it goes on with what it began with.
 */
#ifndef LNCLIP_TRAIN_RUN_ORIGIN_H
#define LNCLIP_TRAIN_RUN_ORIGIN_H

#include "data/lists/list.h"
#include "train/recipe.h"
#include "vit/vit.h"

/* Hashes: 32 hexadecimal digits each. */
typedef struct TrainOrigin {
    char base[33];                     /* fingerprint of the encoder */
    char network[2 * VIT_CONFIG_TEXT]; /* how it is computed and fed, which no tensor tells */
    char frozen[33];      /* of the LayerNorms that do not train: an adapter may have set them */
    char recipe[33];      /* of every key that can change a result */
    char train[33];       /* of the training list */
    char val[33];         /* of the validation list; "" without one */
    const char *decoders; /* names and versions of the image decoders; static */
} TrainOrigin;

/* Call after vit_tune. `val` may be NULL. STATUS_FAILED without memory. */
Status train_origin_find(TrainOrigin *origin, const Vit *vit, const TrainRecipe *recipe,
                         const DataList *train, const DataList *val, Error *error);

#endif
