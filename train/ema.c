/*
 * ema.c - see ema.h. f32 throughout, in PyTorch's order of operations.
 */
#include "train/ema.h"

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
    const size_t bytes = tuned->count * sizeof *ema->average;
    ema->average = malloc(bytes > 0 ? bytes : 1);
    if (!ema->average) {
        *ema = (TrainEma){0};
        return error_set(
            error, STATUS_FAILED,
            "ema: no memory for the average of %zu numbers; free some, tune less, or set ema=0",
            tuned->count);
    }
    memcpy(ema->average, tuned->values, bytes);
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
