/*
 * ranking.h - sorts the scores of each class and iterates over the distinct scores of both.
 *
 * Keys of eight bytes without labels are sorted in place, so that 100 million scores fit in memory.
 * metrics.c and curves.c compute metrics and curves from the groups.
 *
 * Tests: tests/test_metrics.c.
 */
#ifndef LNCLIP_TRAIN_METRICS_RANKING_H
#define LNCLIP_TRAIN_METRICS_RANKING_H

#include "tensor/base/error.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Scores as unsigned integers of the same order (-0 as +0). `real` owns the memory; `fake` points
 * into it. `reals` and `fakes` count the keys not yet visited by metrics_ranking_next.
 */
typedef struct MetricsRanking {
    uint64_t *real, *fake; /* [n_real], [n_fake] ascending */
    uint64_t n_real, n_fake;
    uint64_t reals, fakes;
} MetricsRanking;

/*
 * Sorts scores [n], split by labels [n] (0 or 1: asserted). threads may be NULL. STATUS_FAILED if n
 * = 0 or n > 2^32 - 1, a score is not finite, or memory runs out; *ranking then needs no free.
 */
Status metrics_ranking_create(MetricsRanking *ranking, Threads *threads, const double *scores,
                              const uint8_t *labels, size_t n, Error *error);
void metrics_ranking_free(MetricsRanking *ranking);

/* Returns the next lower distinct score and its numbers of reals and fakes; false at the end. */
bool metrics_ranking_next(MetricsRanking *ranking, double *score, uint64_t *reals, uint64_t *fakes);

/*
 * Fills order [n] with the rows of scores [n] in descending order, stable. STATUS_FAILED as for
 * metrics_ranking_create.
 */
Status metrics_ranking_order(const double *scores, size_t n, uint32_t *order, Error *error);

#endif
