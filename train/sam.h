/*
 * sam.h - sharpness-aware minimisation: the gradient from a little uphill, so that training looks
 * for flat minima.
 *
 * Foret et al., arXiv 2010.01412, equations 2 and 3; adaptive: Kwon et al. (ASAM), arXiv
 * 2102.11600, with the element-wise normalisation T = |w|. A step of training is then
 *
 *     g at w  ->  train_sam_climb: w + e  ->  g at w + e, same batch
 *             ->  train_sam_return: w     ->  optimizer
 *
 *     e = rho s g / (|t g| + 1e-12)      plain: s = t = 1;  adaptive: s = w^2, t = |w|
 *
 * with one norm over all trainable parameters, as the PyTorch code in common use computes both.
 */
#ifndef LNCLIP_TRAIN_SAM_H
#define LNCLIP_TRAIN_SAM_H

#include "train/recipe.h"
#include "vit/tune.h"

typedef struct TrainSam {
    double rho; /* 0: off */
    bool adaptive;
    float *saved; /* [count] w while the values are w + e; NULL if off */
    size_t count;
} TrainSam;

/*
 * For `count` parameters, by the recipe's sam.rho and sam.adaptive. STATUS_FAILED without memory;
 * *sam is {0} then. Owned by the caller: train_sam_destroy, which accepts {0}.
 */
Status train_sam_create(TrainSam *sam, const TrainRecipe *recipe, size_t count, Error *error);
void train_sam_destroy(TrainSam *sam);

/* tuned->values = w + e, from the gradient in tuned->grads, which stays. rho > 0. Cannot fail. */
void train_sam_climb(TrainSam *sam, VitTuned *tuned);

/* tuned->values = w again, the same bits: a copy is put back, nothing is subtracted. */
void train_sam_return(const TrainSam *sam, VitTuned *tuned);

#endif
