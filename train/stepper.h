/*
 * stepper.h - the gradient of one optimizer step, in two phases, within a memory budget.
 *
 * Phase 1 runs the encoder forward on each micro-batch and gathers the features of the whole batch.
 * The objective, on a separate tape, computes the loss and its gradient with respect to the
 * features. Phase 2 back-propagates each micro-batch from its rows of that gradient. Micro-batches
 * whose activations fit in the budget keep them until phase 2; the others repeat their forward
 * pass. If the activations of one image do not fit, activation checkpointing is used: a block keeps
 * only its input and is recomputed in the backward pass. Results are bit-identical in all cases.
 *
 * Tests: tests/test_stepper.c.
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
 * Plans the memory, by running the step on shapes alone, and allocates it. All pointers are
 * borrowed until train_stepper_destroy.
 *
 * recipe->micro_batch = 0 lets plan.h choose. batch_size is the size of the largest batch to come,
 * at most recipe->batch_size. other_bytes is the memory that the caller needs in addition: loaders,
 * cached features. A frozen encoder (tune = none) keeps no activations.
 *
 * STATUS_FAILED if a micro-batch of one image does not fit; the message gives the smallest
 * sufficient `memory`.
 */
Status train_stepper_create(TrainStepper **stepper, const Vit *vit, VitHead *head, VitTuned *tuned,
                            const TrainRecipe *recipe, int batch_size, Threads *threads,
                            size_t other_bytes, Error *error);

/* NULL is allowed. */
void train_stepper_destroy(TrainStepper *stepper);

const TrainPlan *train_stepper_plan(const TrainStepper *stepper);

/*
 * Computes the gradient of one batch: overwrites tuned->grads and *losses. `features` is NULL, or
 * [count,D], the cached features of a frozen encoder (train/feature_cache.h), used instead of
 * batch->pixels. `step` selects the random draws of slerp and LoRA dropout.
 *
 * STATUS_INTERRUPTED if *stop (may be NULL), which is read between micro-batches, is set; the
 * gradient is then invalid. Losses that are not finite are not an error here. Allocates only for
 * the first batch of each size below batch_size, which is planned then; the arena may grow.
 */
Status train_stepper_step(TrainStepper *stepper, const DataBatch *batch, const float *features,
                          int64_t step, volatile sig_atomic_t *stop, TrainLosses *losses,
                          Error *error);

/* Time spent in the steps so far, for the forecast of a dry run. */
typedef struct TrainStepTimes {
    double forward, backward;                /* seconds */
    int64_t forward_images, backward_images; /* images processed in that time */
} TrainStepTimes;

const TrainStepTimes *train_stepper_times(const TrainStepper *stepper);

/*
 * Sets a callback after each micro-batch of a phase: `done` of `total` image passes of the step. An
 * image passes twice, forward and backward; once with a frozen encoder. NULL removes the callback.
 */
void train_stepper_watch(TrainStepper *stepper, void (*watch)(void *context, int done, int total),
                         void *context);

/* The arena of the stepper, empty between steps: train_score may use it. */
Arena *train_stepper_arena(TrainStepper *stepper);

/* True if any trainable parameter is outside the head. */
bool train_encoder_trains(const VitTuned *tuned, const VitHead *head);

/*
 * pixels [count,S,S,3], 8 bits -> out [count,3,S,S], normalised by the mean and std of `config`;
 * parallel over images.
 */
void train_normalize(const VitConfig *config, const uint8_t *pixels, int count, Threads *threads,
                     float *out);

/* Sets the error of a run stopped by a signal and returns STATUS_INTERRUPTED. */
Status train_interrupted(Error *error);

#endif
