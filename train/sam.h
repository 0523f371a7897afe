/*
 * sam.h - sharpness-aware minimisation: the gradient is taken at a perturbed point of higher loss,
 * which favours flat minima.
 *
 * Foret et al., arXiv 2010.01412, equations 2 and 3; adaptive: Kwon et al. (ASAM), arXiv
 * 2102.11600, with the element-wise normalisation T = |w|. A training step is
 *
 *     g at w  ->  train_sam_climb: w + e  ->  g at w + e, same batch
 *             ->  train_sam_return: w     ->  optimizer
 *
 *     e = rho s g / (|t g| + 1e-12)      plain: s = t = 1;  adaptive: s = w^2, t = |w|
 *
 * with one norm over all trainable parameters, as in the common PyTorch implementation.
 *
 * Tests: tests/test_sam.c.
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
 * Prepares SAM for `count` parameters with sam.rho and sam.adaptive of the recipe. STATUS_FAILED if
 * out of memory; *sam is {0} then. The caller frees it by train_sam_destroy, which accepts {0}.
 */
Status train_sam_create(TrainSam *sam, const TrainRecipe *recipe, size_t count, Error *error);
void train_sam_destroy(TrainSam *sam);

/* Saves w, then sets tuned->values = w + e from tuned->grads. Needs rho > 0. Cannot fail. */
void train_sam_climb(TrainSam *sam, VitTuned *tuned);

/* Restores tuned->values = w from the saved copy, bit-identically. */
void train_sam_return(const TrainSam *sam, VitTuned *tuned);

#endif
