/*
 * ranking.h - scores in order: both classes sorted apart, met together one distinct score at a
 * time.
 *
 * Eight bytes a score and no label beside it, sorted in place, because a hundred million scores
 * leave no room for copies. What is computed from the groups is metrics.c's and curves.h's
 * business.
 */
#ifndef LNCLIP_TRAIN_METRICS_RANKING_H
#define LNCLIP_TRAIN_METRICS_RANKING_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Scores as unsigned integers of the same order (-0 as +0): `real` owns the memory, `fake` points
 * behind its keys. `reals` and `fakes` of both are still to be met by metrics_ranking_next.
 */
typedef struct MetricsRanking {
    uint64_t *real, *fake; /* [n_real], [n_fake] ascending */
    uint64_t n_real, n_fake;
    uint64_t reals, fakes;
} MetricsRanking;

/*
 * Ranks scores [n] by labels [n] (0 or 1: asserted). STATUS_FAILED for n = 0, n beyond 2^32 - 1, a
 * score that is not finite, or without memory; there is then nothing to free. NULL threads: the
 * calling one.
 */
Status metrics_ranking_create(MetricsRanking *ranking, Threads *threads, const double *scores,
                              const uint8_t *labels, size_t n, Error *error);
void metrics_ranking_free(MetricsRanking *ranking);

/* The next lower distinct score with the number of its reals and fakes; false when all have been
 * met. */
bool metrics_ranking_next(MetricsRanking *ranking, double *score, uint64_t *reals, uint64_t *fakes);

/*
 * The rows of scores [n] from the highest down, rows of equal score as they stand, into order [n].
 * STATUS_FAILED for n = 0, n beyond 2^32 - 1, a score that is not finite, or without memory.
 */
Status metrics_ranking_order(const double *scores, size_t n, uint32_t *order, Error *error);

#endif
