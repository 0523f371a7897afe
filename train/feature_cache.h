/*
 * feature_cache.h - the features of a frozen encoder, computed once instead of in every epoch.
 *
 * Usable if the encoder is frozen (tune = none) and images are not augmented (augment = off,
 * data.sbi = off): the feature of a frame is then constant. Saved as features.safetensors, so that
 * --resume does not compute the features again.
 *
 * Tests: tests/test_train_resume.c.
 */
#ifndef LNCLIP_TRAIN_FEATURE_CACHE_H
#define LNCLIP_TRAIN_FEATURE_CACHE_H

#include "train/evaluate.h"
#include "train/run/run_record.h"

typedef struct TrainFeatureCache {
    float *train; /* [train->count,D] */
    float *val;   /* [val->count,D], NULL without validation */
} TrainFeatureCache;

/* Size of the cache in bytes, for the memory plan. `val` may be NULL. */
size_t train_feature_cache_bytes(const Vit *vit, const DataList *train, const DataList *val);

/*
 * Fills the cache. Reads folder/features.safetensors if it was written for the same encoder, lists
 * and decoders (`record`) and for unchanged images (file_stamp of each); *from_file is true then.
 * Otherwise runs the encoder on both lists and writes the file. folder may be NULL: no file.
 * STATUS_INTERRUPTED if stopped; STATUS_FAILED if out of memory, if a frame cannot be read or if
 * the file cannot be written; *cache is {0} then. The caller frees it by train_feature_cache_free.
 */
Status train_feature_cache_fill(TrainFeatureCache *cache, const Vit *vit, const DataList *train,
                                const DataList *val, const TrainRecord *record, const char *folder,
                                const TrainScoring *scoring, Threads *threads, bool *from_file,
                                Error *error);

/* {0} is allowed. */
void train_feature_cache_free(TrainFeatureCache *cache);

#endif
