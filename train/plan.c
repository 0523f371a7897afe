/*
 * plan.c - see plan.h.
 */
#include "train/plan.h"

#include "tensor/base/machine.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double GIB = 1 << 30;

/* Maximum number of kept micro-batches: more than any real batch has, and fast to plan. */
enum { MOST_KEPT = 512 };

/* Bytes needed without the step arena. */
static size_t fixed_bytes(const TrainPlan *plan)
{
    return plan->model + plan->state + plan->batch + plan->loader + plan->rest;
}

static size_t available_bytes(const TrainPlan *plan)
{
    const size_t fixed = fixed_bytes(plan);
    return plan->budget > fixed ? plan->budget - fixed : 0;
}

static int micro_batches(const TrainPlanLimits *limits, int micro_batch)
{
    return (limits->batch_size + micro_batch - 1) / micro_batch;
}

/*
 * Sets plan->micro_batch to the largest micro-batch, from the preferred one down, that fits when
 * nothing is kept, and plan->step to its arena. If none fits: the smallest one tried.
 */
static Status shrink_micro_batch(TrainPlan *plan, const TrainPlanLimits *limits,
                                 TrainMeasure measure, void *context, Error *error)
{
    const bool given = limits->micro_batch > 0;
    int micro_batch = given ? limits->micro_batch : limits->preferred;
    if (micro_batch > limits->batch_size)
        micro_batch = limits->batch_size;
    for (;; micro_batch /= 2) {
        TRY(measure(context, micro_batch, 0, plan->recompute, &plan->step, error));
        if (plan->step <= available_bytes(plan) || given || micro_batch == 1)
            break;
    }
    plan->micro_batch = micro_batch;
    return STATUS_OK;
}

/* Chooses micro_batch, with recompute only if nothing fits without it. */
static Status choose_micro_batch(TrainPlan *plan, const TrainPlanLimits *limits,
                                 TrainMeasure measure, void *context, Error *error)
{
    plan->recompute = false;
    TRY(shrink_micro_batch(plan, limits, measure, context, error));
    if (plan->step <= available_bytes(plan))
        return STATUS_OK;
    if (limits->keeps) {
        plan->recompute = true;
        TRY(shrink_micro_batch(plan, limits, measure, context, error));
        if (plan->step <= available_bytes(plan))
            return STATUS_OK;
    }
    const bool given = limits->micro_batch > 0;
    const int micro_batch = plan->micro_batch;
    /* In GiB; the message rounds it up to two decimals. */
    const double enough = (double)(fixed_bytes(plan) + plan->step) / GIB;
    return error_set(
        error, STATUS_FAILED,
        "memory = %.4g GiB (%s): a micro-batch of %d image%s needs %.2f GiB for the whole process; "
        "set memory=%.2f or more%s%s",
        (double)plan->budget / GIB, plan->source, micro_batch, micro_batch == 1 ? "" : "s", enough,
        enough + 0.01, given && micro_batch > 1 ? ", or a smaller micro_batch" : "",
        plan->batch + plan->loader > plan->budget ? ", or a smaller batch_size" : "");
}

/*
 * Sets plan->kept to the number of micro-batches that can keep their activations. The arena grows
 * linearly with that number, so two measurements give an estimate, which is measured and lowered
 * until it fits.
 */
static Status choose_kept(TrainPlan *plan, const TrainPlanLimits *limits, TrainMeasure measure,
                          void *context, Error *error)
{
    const size_t none = plan->step;
    const int all = plan->micro_batches < MOST_KEPT ? plan->micro_batches : MOST_KEPT;
    size_t one = 0, two = 0;
    TRY(measure(context, plan->micro_batch, 1, false, &one, error));
    TRY(measure(context, plan->micro_batch, all < 2 ? 1 : 2, false, &two, error));
    const size_t each = (two > one ? two - one : 0) + limits->table_bytes;
    const size_t available = available_bytes(plan);
    int kept = 0;
    if (one + limits->table_bytes <= available) {
        const size_t more = (available - one - limits->table_bytes) / each;
        kept = more < (size_t)(all - 1) ? 1 + (int)more : all;
    }
    plan->kept = 0;
    plan->step = none;
    for (; kept > 0; kept--) {
        size_t bytes = 0;
        TRY(measure(context, plan->micro_batch, kept, false, &bytes, error));
        if (bytes + (size_t)kept * limits->table_bytes > available)
            continue;
        plan->kept = kept;
        plan->step = bytes;
        plan->batch += (size_t)kept * limits->table_bytes;
        break;
    }
    return STATUS_OK;
}

Status train_plan_choose(TrainPlan *plan, const TrainPlanLimits *limits, TrainMeasure measure,
                         void *context, Error *error)
{
    assert(limits->batch_size > 0 && limits->preferred > 0 && limits->table_bytes > 0);
    TRY(choose_micro_batch(plan, limits, measure, context, error));
    plan->micro_batches = micro_batches(limits, plan->micro_batch);
    plan->kept = 0;
    if (limits->keeps && !plan->recompute)
        TRY(choose_kept(plan, limits, measure, context, error));
    plan->forward_twice = limits->keeps && plan->kept < plan->micro_batches;
    plan->total = fixed_bytes(plan) + plan->step;
    return STATUS_OK;
}

/* The entry `key` of /proc/self/status in bytes; 0 if there is none. */
static size_t process_bytes(const char *key)
{
    FILE *stream = fopen("/proc/self/status", "r");
    if (!stream)
        return 0;
    char line[256];
    size_t bytes = 0;
    while (fgets(line, sizeof line, stream)) {
        if (strncmp(line, key, strlen(key)) == 0)
            bytes = (size_t)strtoull(line + strlen(key), NULL, 10) * 1024; /* KiB */
    }
    fclose(stream);
    return bytes;
}

size_t train_resident_bytes(void)
{
    return process_bytes("VmRSS:");
}

size_t train_peak_bytes(void)
{
    return process_bytes("VmHWM:");
}

double train_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

TrainBudget train_plan_budget(double memory)
{
    const MachineMemory limit = machine_memory("");
    const size_t available = machine_available(""), resident = train_resident_bytes();
    const size_t free_now = available < SIZE_MAX - resident ? available + resident : SIZE_MAX;
    TrainBudget budget = {.bytes = limit.bytes / 4 * 3, .machine = limit.bytes};
    snprintf(budget.source, sizeof budget.source, "three quarters of %s", limit.source);
    if (memory > 0) {
        budget.bytes = (size_t)(memory * GIB);
        snprintf(budget.source, sizeof budget.source, "recipe key memory");
    } else if (free_now < budget.bytes) {
        budget.bytes = free_now;
        snprintf(budget.source, sizeof budget.source, "available now: MemAvailable");
    }
    return budget;
}
