/*
 * stepper.h - one optimizer step's gradient, in two phases, within a memory budget.
 *
 * Phase 1 runs the encoder forward micro-batch by micro-batch and gathers the features of the whole
 * batch. The objective, on a tape of its own, yields the loss and its gradient with respect to the
 * features. Phase 2 takes each micro-batch backward from its rows of that gradient. Micro-batches
 * whose activations the budget holds keep their tapes and need no second forward; for the others
 * the forward runs again. Where even one image's activations are too many, blocks keep their input
 * only and are computed again one by one. None of these choices changes a bit.
 */
#ifndef LNCLIP_TRAIN_STEPPER_H
#define LNCLIP_TRAIN_STEPPER_H

#include "data/loader.h"
#include "train/plan.h"
#include "train/recipe.h"
#include "vit/tune.h"

#include <signal.h>

typedef struct TrainStepper TrainStepper;

/*
 * Plans (by running the step's own code on shapes alone) and allocates. recipe->micro_batch = 0
 * lets plan.h choose. batch_size is that of the largest batch to come: at most recipe->batch_size,
 * which an epoch of fewer images never fills. `other_bytes` is what the caller
 * holds in addition: loaders, cached features.
 * STATUS_FAILED, with the smallest sufficient `memory`, if even one image does not fit. All
 * arguments are borrowed until train_stepper_destroy. With a frozen encoder (tune = none) no
 * activations are kept at all.
 */
Status train_stepper_create(TrainStepper **stepper, const Vit *vit, VitHead *head, VitTuned *tuned,
                            const TrainRecipe *recipe, int batch_size, Threads *threads,
                            size_t other_bytes, Error *error);

/* NULL is allowed. */
void train_stepper_destroy(TrainStepper *stepper);

const TrainPlan *train_stepper_plan(const TrainStepper *stepper);

/*
 * The gradient of one batch: zeroes tuned->grads and fills them, and *losses. `features` is NULL,
 * or the ready features [count,D] of a frozen encoder (train/feature_cache.h), which take the place
 * of batch->pixels. `step` selects the draws of slerp and of LoRA's dropout. `stop` (may be NULL)
 * is looked at between micro-batches: STATUS_INTERRUPTED then, and no gradient is valid. Losses
 * that are not finite are returned as they are: the caller decides. Allocates nothing, except in
 * the first batch of a size that is smaller than the planned one: that size is planned too, and the
 * arena grows if it must.
 */
Status train_stepper_step(TrainStepper *stepper, const DataBatch *batch, const float *features,
                          int64_t step, volatile sig_atomic_t *stop, TrainLosses *losses,
                          Error *error);

/* Where the time of the steps so far went: for the forecast of a dry run. */
typedef struct TrainStepTimes {
    double forward, backward;                /* seconds in all */
    int64_t forward_images, backward_images; /* images that went through */
} TrainStepTimes;

const TrainStepTimes *train_stepper_times(const TrainStepper *stepper);

/*
 * Has `watch` called after each micro-batch of a phase, with the images that have passed and those
 * that pass in all (each twice, forward and backward; once with a frozen encoder). NULL: none.
 */
void train_stepper_watch(TrainStepper *stepper, void (*watch)(void *context, int done, int total),
                         void *context);

/* The arena, empty between steps: train_score may work in it. */
Arena *train_stepper_arena(TrainStepper *stepper);

/* True if anything but the head trains. */
bool train_encoder_trains(const VitTuned *tuned, const VitHead *head);

/*
 * pixels [count,S,S,3] 8-bit -> out [count,3,S,S], normalised as `config` says, image by image on
 * `threads`.
 */
void train_normalize(const VitConfig *config, const uint8_t *pixels, int count, Threads *threads,
                     float *out);

/* STATUS_INTERRUPTED, with the message of a run that a signal stopped. */
Status train_interrupted(Error *error);

#endif
