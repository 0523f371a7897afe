/*
 * ema.c - see ema.h. f32 throughout, in PyTorch's order of operations.
 */
#include "train/ema.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

Status train_ema_create(TrainEma *ema, const TrainRecipe *recipe, const VitTuned *tuned,
                        Error *error)
{
    assert(ema && recipe && tuned && error);
    *ema = (TrainEma){.decay = recipe->ema, .count = tuned->count};
    if (ema->decay <= 0)
        return STATUS_OK;
    ema->average = mem_new(tuned->count, sizeof *ema->average,
                           "the averaged parameters (ema=0 needs none)", error);
    if (!ema->average) {
        *ema = (TrainEma){0};
        return error->status;
    }
    memcpy(ema->average, tuned->values, tuned->count * sizeof *ema->average);
    return STATUS_OK;
}

void train_ema_destroy(TrainEma *ema)
{
    free(ema->average);
    *ema = (TrainEma){0};
}

void train_ema_update(TrainEma *ema, const VitTuned *tuned, int64_t steps)
{
    if (!ema->average)
        return;
    assert(ema->count == tuned->count && steps > 0);
    const float keep = steps == 1 ? 0 : (float)ema->decay;
    const float add = steps == 1 ? 1 : (float)(1 - ema->decay);
    for (size_t i = 0; i < ema->count; i++)
        ema->average[i] = ema->average[i] * keep + tuned->values[i] * add;
}

void train_ema_swap(TrainEma *ema, VitTuned *tuned)
{
    if (!ema->average)
        return;
    assert(ema->count == tuned->count);
    for (size_t i = 0; i < ema->count; i++) {
        const float value = tuned->values[i];
        tuned->values[i] = ema->average[i];
        ema->average[i] = value;
    }
}
