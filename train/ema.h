/*
 * ema.h - an exponential moving average of the trainable parameters, which is validated and saved
 * in their place.
 *
 *     a_1 = w_1,   a_s = d a_(s-1) + (1 - d) w_s      w_s: the values after optimizer step s
 *
 * as torch.optim.swa_utils.AveragedModel with an exponential average: it begins at the first
 * values, so there is no bias towards zero to be corrected, and d is never lower than asked for. It
 * looks back over about 1/(1 - d) steps: a run should be several times as long.
 */
#ifndef LNCLIP_TRAIN_EMA_H
#define LNCLIP_TRAIN_EMA_H

#include "train/recipe.h"
#include "vit/tune.h"

typedef struct TrainEma {
    double decay;   /* 0: off */
    float *average; /* [count]; NULL if off */
    size_t count;
} TrainEma;

/*
 * The average of tuned->values so far, by the recipe's `ema`. STATUS_FAILED without memory; *ema is
 * {0} then. Owned by the caller: train_ema_destroy, which accepts {0}.
 */
Status train_ema_create(TrainEma *ema, const TrainRecipe *recipe, const VitTuned *tuned,
                        Error *error);
void train_ema_destroy(TrainEma *ema);

/* Takes in tuned->values after step `steps`, counted from 1. Does nothing if off. Cannot fail. */
void train_ema_update(TrainEma *ema, const VitTuned *tuned, int64_t steps);

/*
 * Exchanges average and values: the model is the averaged one until the next call, which puts all
 * bits back. Does nothing if off.
 */
void train_ema_swap(TrainEma *ema, VitTuned *tuned);

#endif
