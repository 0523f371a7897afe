/*
 * plan.h - where the memory of a training process goes, and what fits into its budget.
 *
 * The budget is for the whole process: mapped model pages, training state, step, batches in flight.
 * It can be met by changing the images encoded at once, how many micro-batches keep their
 * activations between the phases of a step (stepper.h), and, if a single image does not fit
 * otherwise, the activations within a block, which are then computed again; none of it changes a
 * bit of the result.
 */
#ifndef LNCLIP_TRAIN_PLAN_H
#define LNCLIP_TRAIN_PLAN_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { TRAIN_SOURCE_SIZE = 560 }; /* of the words for a limit */

/* In bytes: printed before the first step. */
typedef struct TrainPlan {
    int micro_batch;   /* chosen or given */
    int micro_batches; /* of a full batch */
    int kept;       /* of these, the first ones that keep their activations until their backward */
    bool recompute; /* a block keeps its input only (op_recompute) */
    bool forward_twice; /* kept < micro_batches: the others run their forward again */
    size_t model;       /* weights in memory: packs, and mapped pages of what is not packed */
    size_t state;       /* what trains: values, gradients, base, moments, copies of SAM and ema */
    size_t step;        /* arena of activations, saved values and scratch */
    size_t batch;       /* features of a batch and their gradient; tables of the tapes */
    size_t loader;      /* batches in flight, cached features */
    size_t rest;        /* program, libraries, decoders, thread stacks: measured at start */
    size_t total, budget;
    size_t machine;                 /* what the limits of the machine allow */
    char source[TRAIN_SOURCE_SIZE]; /* where the budget comes from */
} TrainPlan;

/* What train_plan_choose may choose from. */
typedef struct TrainPlanLimits {
    int batch_size;
    int micro_batch;    /* > 0: given; 0: to be chosen */
    int preferred;      /* the micro-batch beyond which nothing gets faster */
    bool keeps;         /* activations can be kept: false with a frozen encoder */
    size_t table_bytes; /* of the tape of one kept micro-batch, outside the arena */
} TrainPlanLimits;

/* Finds the *bytes of step arena that a full batch needs with these choices. */
typedef Status (*TrainMeasure)(void *context, int micro_batch, int kept, bool recompute,
                               size_t *bytes, Error *error);

/*
 * Fills micro_batch, micro_batches, kept, recompute, forward_twice, step and total of *plan, whose
 * other sizes and budget are given. A chosen micro_batch is the preferred one, halved until its
 * activations fit, if need be with recompute; then as many micro-batches as fit keep theirs.
 * STATUS_FAILED, with the smallest sufficient `memory`, if nothing fits.
 */
Status train_plan_choose(TrainPlan *plan, const TrainPlanLimits *limits, TrainMeasure measure,
                         void *context, Error *error);

/* Bytes of this process in memory now, and at their largest; 0 where /proc has no such entry. */
size_t train_resident_bytes(void);
size_t train_peak_bytes(void);

/* Seconds of a clock that only goes forward, from some moment on. */
double train_clock(void);

/* What a process may use for training, and why. */
typedef struct TrainBudget {
    size_t bytes;
    size_t machine; /* what the limits of the machine allow (machine_memory) */
    char source[TRAIN_SOURCE_SIZE];
} TrainBudget;

/*
 * The bytes that the key `memory` allows, in GiB; 0 = three quarters of what the machine allows,
 * and no more than is free now.
 */
TrainBudget train_plan_budget(double memory);

#endif
