/*
 * sam.c - see sam.h. The norm is accumulated in double; the rest is f32 in PyTorch's order of
 * operations.
 */
#include "train/sam.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Status train_sam_create(TrainSam *sam, const TrainRecipe *recipe, size_t count, Error *error)
{
    assert(sam && recipe && error);
    *sam = (TrainSam){.rho = recipe->sam_rho, .adaptive = recipe->sam_adaptive, .count = count};
    if (sam->rho <= 0)
        return STATUS_OK;
    sam->saved =
        mem_new(count, sizeof *sam->saved, "the parameters of SAM (sam.rho=0 needs none)", error);
    if (sam->saved)
        return STATUS_OK;
    *sam = (TrainSam){0};
    return error->status;
}

void train_sam_destroy(TrainSam *sam)
{
    free(sam->saved);
    *sam = (TrainSam){0};
}

void train_sam_climb(TrainSam *sam, VitTuned *tuned)
{
    assert(sam->saved && sam->rho > 0 && sam->count == tuned->count);
    const size_t count = sam->count;
    float *w = tuned->values;
    const float *g = tuned->grads;
    memcpy(sam->saved, w, count * sizeof *w);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double scaled = (double)g[i] * (sam->adaptive ? (double)w[i] : 1);
        sum += scaled * scaled;
    }
    const float scale = (float)(sam->rho / (sqrt(sum) + 1e-12));
    if (sam->adaptive)
        for (size_t i = 0; i < count; i++)
            w[i] += w[i] * w[i] * g[i] * scale;
    else
        for (size_t i = 0; i < count; i++)
            w[i] += g[i] * scale;
}

void train_sam_return(const TrainSam *sam, VitTuned *tuned)
{
    assert(sam->saved && sam->count == tuned->count);
    memcpy(tuned->values, sam->saved, sam->count * sizeof *sam->saved);
}
