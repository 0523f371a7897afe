/*
 * metrics.c - see metrics.h.
 *
 * Scores are ranked (ranking.h), and the walk down the distinct ones yields everything (metrics_walk.h). Groups
 * travel between the two in small parcels, so that neither knows the other and nothing grows with the rows.
 */
#include "train/metrics/metrics.h"

#include "train/metrics/metrics_walk_private.h"
#include "train/metrics/ranking.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const double train_fpr_points[TRAIN_FPR_POINTS] = {0.001, 0.01, 0.05};

#define METRIC(text, title, field, better)                                                         \
    {                                                                                              \
        text, title, offsetof(TrainMetrics, field), better                                         \
    }
const TrainMetricName train_metric_names[TRAIN_METRIC_NAMES] = {
    [TRAIN_AUROC] = METRIC("auroc", "AUROC", auroc, 1),
    [TRAIN_AP] = METRIC("ap", "average precision", ap, 1),
    [TRAIN_MAP] = METRIC("map", "mAP, mean of both classes", map, 1),
    [TRAIN_EER] = METRIC("eer", "EER", eer, -1),
    [TRAIN_EER_THRESHOLD] = METRIC("eer_threshold", "EER threshold", eer_threshold, 0),
    [TRAIN_ACCURACY] = METRIC("accuracy", "accuracy at > 0.5", accuracy, 1),
    [TRAIN_BALANCED_ACCURACY] =
        METRIC("balanced_accuracy", "balanced accuracy at > 0.5", balanced_accuracy, 1),
    [TRAIN_F1_MACRO] = METRIC("f1_macro", "macro F1 at > 0.5", f1_macro, 1),
    [TRAIN_ACCURACY_AT_EER] =
        METRIC("accuracy_at_eer", "accuracy at EER threshold", accuracy_at_eer, 1),
    [TRAIN_BALANCED_ACCURACY_AT_EER] = METRIC(
        "balanced_accuracy_at_eer", "balanced accuracy at EER t.", balanced_accuracy_at_eer, 1),
    [TRAIN_F1_MACRO_AT_EER] =
        METRIC("f1_macro_at_eer", "macro F1 at EER threshold", f1_macro_at_eer, 1),
    [TRAIN_TPR_AT_FPR_0001] = METRIC("tpr_at_fpr_0.001", "TPR at FPR 0.001", tpr_at_fpr[0], 1),
    [TRAIN_TPR_AT_FPR_001] = METRIC("tpr_at_fpr_0.01", "TPR at FPR 0.01", tpr_at_fpr[1], 1),
    [TRAIN_TPR_AT_FPR_005] = METRIC("tpr_at_fpr_0.05", "TPR at FPR 0.05", tpr_at_fpr[2], 1),
    [TRAIN_PARTIAL_AUROC] =
        METRIC("partial_auroc_fpr_0.1", "partial AUROC to FPR 0.1", partial_auroc, 1),
    [TRAIN_BRIER] = METRIC("brier", "Brier score", brier, -1),
    [TRAIN_LOG_LOSS] = METRIC("log_loss", "log loss", log_loss, -1),
    [TRAIN_ECE] = METRIC("ece", "expected calibration error", ece, -1),
};
#undef METRIC

double train_metric_value(const TrainMetrics *metrics, int index)
{
    assert(index >= 0 && index < TRAIN_METRIC_NAMES);
    double value;
    memcpy(&value, (const char *)metrics + train_metric_names[index].offset, sizeof value);
    return value;
}

TrainMetrics train_metrics_undefined(void)
{
    TrainMetrics metrics = {0};
    const double undefined = (double)NAN;
    for (int i = 0; i < TRAIN_METRIC_NAMES; i++)
        memcpy((char *)&metrics + train_metric_names[i].offset, &undefined, sizeof undefined);
    return metrics;
}

/* What is made of a ranking: two walks down the distinct scores, which need nothing of each other. */
typedef struct Passes {
    const TrainRanking *ranking;
    TrainWalk walk;
    TrainProbabilitySums sums;
} Passes;

static void pass(void *context, int task, int worker)
{
    enum { PARCEL = 256 };
    Passes *const passes = context;
    (void)worker;
    TrainRanking ranking = *passes->ranking; /* what is met; the memory stays the owner's */
    TrainWalk walk = passes->walk; /* copies: two threads must not write to one line of the cache */
    TrainProbabilitySums sums = {0};
    TrainGroup groups[PARCEL];
    size_t count;
    do {
        for (count = 0; count < PARCEL; count++) {
            TrainGroup *const group = &groups[count];
            if (!train_ranking_next(&ranking, &group->score, &group->reals, &group->fakes))
                break;
            if (task == 1)
                train_probability_add(&sums, group);
        }
        if (task == 0)
            train_walk_groups(&walk, groups, count);
    } while (count == PARCEL);
    if (task == 0)
        passes->walk = walk;
    else
        passes->sums = sums;
}

/* All metrics of one order; `exact` as in train_walk_begin. */
static Status rank_and_walk(Threads *threads, const double *scores, bool exact,
                            const uint8_t *labels, size_t n, TrainMetrics *metrics, Error *error)
{
    TrainRanking ranking;
    TRY(train_ranking_create(&ranking, threads, scores, labels, n, error));
    Passes passes = {.ranking = &ranking};
    train_walk_begin(&passes.walk, ranking.n_real, ranking.n_fake, exact);
    threads_run(threads, exact ? 1 : 2, pass, &passes); /* margins are not probabilities */
    train_walk_end(&passes.walk, metrics);
    if (!exact)
        train_probability_end(&passes.sums, metrics);
    train_ranking_free(&ranking);
    return STATUS_OK;
}

Status train_metrics_on(Threads *threads, const double *scores, const double *ranks,
                        const uint8_t *labels, size_t n, TrainMetrics *metrics, Error *error)
{
    assert(metrics && error);
    TRY(rank_and_walk(threads, scores, false, labels, n, metrics, error));
    if (!ranks || ranks == scores)
        return STATUS_OK;
    const TrainMetrics by_probability = *metrics;
    TRY(rank_and_walk(threads, ranks, true, labels, n, metrics, error));
    train_walk_thresholds(&by_probability, metrics);
    metrics->brier = by_probability.brier;
    metrics->log_loss = by_probability.log_loss;
    metrics->ece = by_probability.ece;
    return STATUS_OK;
}

Status train_metrics(const double *scores, const uint8_t *labels, size_t n, TrainMetrics *metrics,
                     Error *error)
{
    return train_metrics_on(NULL, scores, NULL, labels, n, metrics, error);
}
