/*
 * run_adapters.h - the adapters that a run leaves: last, best, and those of the best epochs
 * (`keep`).
 *
 * What they say about themselves depends on the recipe and the data alone, never on the clock or on
 * threads, workers, memory and micro_batch: two runs of one recipe leave the same bytes.
 */
#ifndef LNCLIP_TRAIN_RUN_RUN_ADAPTERS_H
#define LNCLIP_TRAIN_RUN_RUN_ADAPTERS_H

#include "train/recipe.h"
#include "train/run/checkpoint.h"
#include "train/run/run_record.h"

/* Which adapter of a run, and so the name of its file and how it was selected. */
typedef enum TrainRunRole {
    TRAIN_RUN_LAST, /* last.safetensors */
    TRAIN_RUN_BEST, /* best.safetensors */
    TRAIN_RUN_KEPT  /* epoch-NNN.safetensors, of the epoch just closed */
} TrainRunRole;

typedef struct TrainRunAdapter {
    const Vit *vit;
    const VitHead *head;
    const VitTuned *tuned;
    const TrainRecipe *recipe;
    const TrainOrigin *origin;
    const TrainRunRecord *record;
    int64_t steps;           /* completed when it is written */
    const TrainEpoch *epoch; /* the latest closed epoch: its metrics go with the adapter */
} TrainRunAdapter;

/* Writes the adapter of this role into `folder`, atomically. */
Status train_run_adapter_write(const TrainRunAdapter *adapter, const char *folder,
                               TrainRunRole role, Error *error);

/*
 * Writes folder/epoch-NNN.safetensors for the epoch just closed if it is among the recipe->keep
 * best of `values` [epochs], the monitor of all closed epochs, and removes those that no longer
 * are. Of equal values the earlier epoch is better.
 */
Status train_run_adapters_keep(const TrainRunAdapter *adapter, const char *folder,
                               const double *values, int epochs, Error *error);

#endif
