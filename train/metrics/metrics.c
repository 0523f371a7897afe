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

const double metrics_fpr_points[METRICS_FPR_POINTS] = {0.001, 0.01, 0.05};

#define METRIC(text, title, field, better)                                                         \
    {                                                                                              \
        text, title, offsetof(Metrics, field), better                                              \
    }
const MetricName metrics_names[METRICS_NAMES] = {
    [METRICS_AUROC] = METRIC("auroc", "AUROC", auroc, 1),
    [METRICS_AP] = METRIC("ap", "average precision", ap, 1),
    [METRICS_MAP] = METRIC("map", "mAP, mean of both classes", map, 1),
    [METRICS_EER] = METRIC("eer", "EER", eer, -1),
    [METRICS_EER_THRESHOLD] = METRIC("eer_threshold", "EER threshold", eer_threshold, 0),
    [METRICS_ACCURACY] = METRIC("accuracy", "accuracy at > 0.5", accuracy, 1),
    [METRICS_BALANCED_ACCURACY] =
        METRIC("balanced_accuracy", "balanced accuracy at > 0.5", balanced_accuracy, 1),
    [METRICS_F1_MACRO] = METRIC("f1_macro", "macro F1 at > 0.5", f1_macro, 1),
    [METRICS_ACCURACY_AT_EER] =
        METRIC("accuracy_at_eer", "accuracy at EER threshold", accuracy_at_eer, 1),
    [METRICS_BALANCED_ACCURACY_AT_EER] = METRIC(
        "balanced_accuracy_at_eer", "balanced accuracy at EER t.", balanced_accuracy_at_eer, 1),
    [METRICS_F1_MACRO_AT_EER] =
        METRIC("f1_macro_at_eer", "macro F1 at EER threshold", f1_macro_at_eer, 1),
    [METRICS_TPR_AT_FPR_0001] = METRIC("tpr_at_fpr_0.001", "TPR at FPR 0.001", tpr_at_fpr[0], 1),
    [METRICS_TPR_AT_FPR_001] = METRIC("tpr_at_fpr_0.01", "TPR at FPR 0.01", tpr_at_fpr[1], 1),
    [METRICS_TPR_AT_FPR_005] = METRIC("tpr_at_fpr_0.05", "TPR at FPR 0.05", tpr_at_fpr[2], 1),
    [METRICS_PARTIAL_AUROC] =
        METRIC("partial_auroc_fpr_0.1", "partial AUROC to FPR 0.1", partial_auroc, 1),
    [METRICS_BRIER] = METRIC("brier", "Brier score", brier, -1),
    [METRICS_LOG_LOSS] = METRIC("log_loss", "log loss", log_loss, -1),
    [METRICS_ECE] = METRIC("ece", "expected calibration error", ece, -1),
};
#undef METRIC

double metrics_value(const Metrics *metrics, int index)
{
    assert(index >= 0 && index < METRICS_NAMES);
    double value;
    memcpy(&value, (const char *)metrics + metrics_names[index].offset, sizeof value);
    return value;
}

Metrics metrics_undefined(void)
{
    Metrics metrics = {0};
    const double undefined = (double)NAN;
    for (int i = 0; i < METRICS_NAMES; i++)
        memcpy((char *)&metrics + metrics_names[i].offset, &undefined, sizeof undefined);
    return metrics;
}

/* What is made of a ranking: two walks down the distinct scores, which need nothing of each other. */
typedef struct Passes {
    const MetricsRanking *ranking;
    MetricsWalk walk;
    MetricsProbabilitySums sums;
} Passes;

static void pass(void *context, int task, int worker)
{
    enum { PARCEL = 256 };
    Passes *const passes = context;
    (void)worker;
    MetricsRanking ranking = *passes->ranking; /* what is met; the memory stays the owner's */
    MetricsWalk walk =
        passes->walk; /* copies: two threads must not write to one line of the cache */
    MetricsProbabilitySums sums = {0};
    MetricsGroup groups[PARCEL];
    size_t count;
    do {
        for (count = 0; count < PARCEL; count++) {
            MetricsGroup *const group = &groups[count];
            if (!metrics_ranking_next(&ranking, &group->score, &group->reals, &group->fakes))
                break;
            if (task == 1)
                metrics_probability_add(&sums, group);
        }
        if (task == 0)
            metrics_walk_groups(&walk, groups, count);
    } while (count == PARCEL);
    if (task == 0)
        passes->walk = walk;
    else
        passes->sums = sums;
}

/* All metrics of one order; `exact` as in metrics_walk_begin. */
static Status rank_and_walk(Threads *threads, const double *scores, bool exact,
                            const uint8_t *labels, size_t n, Metrics *metrics, Error *error)
{
    MetricsRanking ranking;
    TRY(metrics_ranking_create(&ranking, threads, scores, labels, n, error));
    Passes passes = {.ranking = &ranking};
    metrics_walk_begin(&passes.walk, ranking.n_real, ranking.n_fake, exact);
    threads_run(threads, exact ? 1 : 2, pass, &passes); /* margins are not probabilities */
    metrics_walk_end(&passes.walk, metrics);
    if (!exact)
        metrics_probability_end(&passes.sums, metrics);
    metrics_ranking_free(&ranking);
    return STATUS_OK;
}

Status metrics_on(Threads *threads, const double *scores, const double *ranks,
                  const uint8_t *labels, size_t n, Metrics *metrics, Error *error)
{
    assert(metrics && error);
    TRY(rank_and_walk(threads, scores, false, labels, n, metrics, error));
    if (!ranks || ranks == scores)
        return STATUS_OK;
    const Metrics by_probability = *metrics;
    TRY(rank_and_walk(threads, ranks, true, labels, n, metrics, error));
    metrics_walk_thresholds(&by_probability, metrics);
    metrics->brier = by_probability.brier;
    metrics->log_loss = by_probability.log_loss;
    metrics->ece = by_probability.ece;
    return STATUS_OK;
}

Status metrics_compute(const double *scores, const uint8_t *labels, size_t n, Metrics *metrics,
                       Error *error)
{
    return metrics_on(NULL, scores, NULL, labels, n, metrics, error);
}
