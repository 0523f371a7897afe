/*
 * plan.h - the memory plan of a training process, within a budget.
 *
 * The budget covers the whole process: mapped model pages, training state, step, batches in flight.
 * The plan chooses the micro-batch size and the number of micro-batches that keep their activations
 * between the phases of a step (stepper.h). If a single image does not fit, it uses activation
 * checkpointing. Results are bit-identical for every plan.
 *
 * Tests: tests/test_train.c.
 */
#ifndef LNCLIP_TRAIN_PLAN_H
#define LNCLIP_TRAIN_PLAN_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { TRAIN_SOURCE_SIZE = 560 }; /* description of a limit */

/* Sizes are in bytes. Printed before the first step. */
typedef struct TrainPlan {
    int micro_batch;    /* images per micro-batch */
    int micro_batches;  /* micro-batches in a full batch */
    int kept;           /* the first `kept` of them keep their activations until backward */
    bool recompute;     /* activation checkpointing: a block keeps its input only (op_recompute) */
    bool forward_twice; /* kept < micro_batches: the others repeat their forward pass */
    size_t model;       /* weights: packed copies, and mapped pages of unpacked tensors */
    size_t state;       /* trainable parameters: values, gradients, base, moments, SAM, EMA */
    size_t step;        /* arena: activations, saved values, scratch */
    size_t batch;       /* features of a batch and their gradient; tables of the tapes */
    size_t loader;      /* batches in flight, cached features, frames being decoded */
    size_t rest;        /* program, libraries, decoders, thread stacks: measured at start */
    size_t total, budget;
    size_t machine;                 /* memory limit of the machine */
    char source[TRAIN_SOURCE_SIZE]; /* origin of the budget, for messages */
} TrainPlan;

/* Constraints of a plan. */
typedef struct TrainPlanLimits {
    int batch_size;
    int micro_batch;    /* > 0: set by the user; 0: choose */
    int preferred;      /* larger micro-batches are not faster */
    bool keeps;         /* activations are needed for backward; false with a frozen encoder */
    size_t table_bytes; /* tables of one tape, which are outside the arena */
} TrainPlanLimits;

/* Measures *bytes, the arena that a step with a full batch needs with this plan. */
typedef Status (*TrainMeasure)(void *context, int micro_batch, int kept, bool recompute,
                               size_t *bytes, Error *error);

/*
 * Fills micro_batch, micro_batches, kept, recompute, forward_twice, step and total of *plan; the
 * caller has filled the other fields. Unless set by the user, micro_batch is the preferred one,
 * halved until its activations fit, with recompute if necessary. Then as many micro-batches as fit
 * keep their activations. STATUS_FAILED if nothing fits; the message gives the smallest sufficient
 * `memory`.
 */
Status train_plan_choose(TrainPlan *plan, const TrainPlanLimits *limits, TrainMeasure measure,
                         void *context, Error *error);

/* Resident set size of this process in bytes, now and at its peak; 0 if /proc lacks it. */
size_t train_resident_bytes(void);
size_t train_peak_bytes(void);

/* Seconds of a monotonic clock with an arbitrary origin. */
double train_clock(void);

/* Memory budget of a process, and its origin. */
typedef struct TrainBudget {
    size_t bytes;
    size_t machine; /* memory limit of the machine (machine_memory) */
    char source[TRAIN_SOURCE_SIZE];
} TrainBudget;

/*
 * The budget for recipe key `memory` in GiB. 0: three quarters of the machine's memory limit, but
 * at most the memory available now.
 */
TrainBudget train_plan_budget(double memory);

#endif
