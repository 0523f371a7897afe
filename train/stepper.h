/*
 * stepper.h - one optimizer step's gradient, in two phases, within a memory budget.
 *
 * Phase 1 runs the encoder forward micro-batch by micro-batch and gathers the features of the whole batch.
 * The objective, on a tape of its own, yields the loss and its gradient with respect to the features.
 * Phase 2 takes each micro-batch backward from its rows of that gradient. If the budget holds the activations of
 * the whole batch, every micro-batch keeps its tape and phase 2 needs no second forward; else the forward
 * runs again. Neither choice, nor the size of a micro-batch, changes a bit.
 */
#ifndef LNCLIP_TRAIN_STEPPER_H
#define LNCLIP_TRAIN_STEPPER_H

#include "data/loader.h"
#include "train/objective.h"
#include "vit/tune.h"

#include <signal.h>

/* Where the memory goes, in bytes: printed before the first step. */
typedef struct TrainPlan {
    int micro_batch;       /* chosen or given */
    bool forward_twice;    /* the budget does not hold the activations of a whole batch */
    size_t model;          /* weights in memory, mapped pages included */
    size_t state;          /* what trains: values, gradients, base, moments */
    size_t step;           /* arena of activations, saved numbers and scratch */
    size_t batch;          /* pixels and features of a batch */
    size_t loader;         /* batches in flight */
    size_t rest;           /* program, libraries, decoders, thread stacks: measured at start */
    size_t total, budget;
} TrainPlan;

typedef struct TrainStepper TrainStepper;

/*
 * Plans (by running the step's own code on shapes alone) and allocates. micro_batch = 0 chooses the largest that
 * fits recipe->memory. STATUS_FAILED, with the smallest sufficient `memory`, if even one image does not fit.
 * All arguments are borrowed until train_stepper_destroy. With a frozen encoder (tune = none) no activations are
 * kept at all.
 */
Status train_stepper_create(TrainStepper **stepper, const Vit *vit, VitHead *head, VitTuned *tuned,
                            const TrainRecipe *recipe, Threads *threads, size_t loader_bytes,
                            Error *error);
void train_stepper_destroy(TrainStepper *stepper);

const TrainPlan *train_stepper_plan(const TrainStepper *stepper);

/*
 * Gradient of one batch: zeroes tuned->grads, fills them, and *losses. `step` selects slerp's draws. `stop`
 * (may be NULL) is looked at between micro-batches: STATUS_INTERRUPTED then, nothing to be used. Non-finite
 * losses are returned as they are: the caller decides. Allocates nothing.
 */
Status train_stepper_gradient(TrainStepper *stepper, const DataBatch *batch, int64_t step,
                              volatile sig_atomic_t *stop, TrainLosses *losses, Error *error);

/* The same from ready features [N,D] of a frozen encoder (the cache of `probe`). */
Status train_stepper_gradient_cached(TrainStepper *stepper, const float *features,
                                     const int *labels, int count, int64_t step,
                                     TrainLosses *losses, Error *error);

#endif
