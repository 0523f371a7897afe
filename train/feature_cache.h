/*
 * feature_cache.h - the features of a frozen encoder, computed once instead of in every epoch.
 *
 * Valid when nothing in the encoder trains and nothing changes the images (tune = none, augment =
 * off): then a frame has one feature for the whole run. The run keeps it as features.safetensors,
 * so that --resume need not compute it again.
 */
#ifndef LNCLIP_TRAIN_FEATURE_CACHE_H
#define LNCLIP_TRAIN_FEATURE_CACHE_H

#include "train/evaluate.h"
#include "train/run/run_record.h"

typedef struct TrainFeatureCache {
    float *train; /* [train->count,D] */
    float *val;   /* [val->count,D], NULL without validation */
} TrainFeatureCache;

/* Bytes it will hold: for the memory plan. `val` may be NULL. */
size_t train_feature_cache_bytes(const Vit *vit, const DataList *train, const DataList *val);

/*
 * Fills the cache: from folder/features.safetensors if that holds the features of the same encoder,
 * lists and decoders (`record`) and of the same images (file_stamp of each), else by running the
 * encoder over both lists; then it writes that file. folder may be NULL: nothing is read or
 * written. *from_file says which. STATUS_INTERRUPTED if stopped, STATUS_FAILED without memory.
 */
Status train_feature_cache_fill(TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                                const DataList *val, const TrainRecord *record, const char *folder,
                                const TrainScoring *scoring, Threads *threads, bool *from_file,
                                Error *error);

/* {0} is allowed. */
void train_feature_cache_free(TrainFeatureCache *cache);

#endif
