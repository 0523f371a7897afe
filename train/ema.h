/*
 * ema.h - exponential moving average (EMA) of the trainable parameters. Validation and adapters use
 * the average.
 *
 *     a_1 = w_1,   a_s = d a_(s-1) + (1 - d) w_s      w_s: the values after optimizer step s
 *
 * Equivalent to torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(d). The average
 * starts at w_1, so it needs no bias correction. It covers about the last 1/(1 - d) steps; a run
 * should be several times as long.
 *
 * Tests: tests/test_sam.c.
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
 * Creates an average with decay recipe->ema, initialised with tuned->values. STATUS_FAILED if out
 * of memory; *ema is {0} then. The caller frees it by train_ema_destroy, which accepts {0}.
 */
Status train_ema_create(TrainEma *ema, const TrainRecipe *recipe, const VitTuned *tuned,
                        Error *error);
void train_ema_destroy(TrainEma *ema);

/* Updates the average with tuned->values after step `steps`, from 1. No-op if off. Cannot fail. */
void train_ema_update(TrainEma *ema, const VitTuned *tuned, int64_t steps);

/*
 * Swaps the average and tuned->values; a second call restores both bit-identically. No-op if off.
 */
void train_ema_swap(TrainEma *ema, VitTuned *tuned);

#endif
