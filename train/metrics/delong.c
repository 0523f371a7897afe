/*
 * delong.c - see delong.h.
 *
 * Placements are integer counts, divided once; means and variances are compensated sums.
 */
#include "train/metrics/delong.h"

#include "tensor/base/mem.h"
#include "train/metrics/metrics_private.h"
#include "train/metrics/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the order of the scores";

Status metrics_placements(const double *scores, const uint8_t *labels, size_t n, double *placements,
                          Error *error)
{
    assert(error && (n == 0 || (scores && labels && placements)));
    uint64_t total[2] = {0, 0}; /* reals, fakes */
    for (size_t i = 0; i < n; i++)
        total[labels[i]]++;
    if (total[0] == 0 || total[1] == 0)
        return error_set(error, STATUS_FAILED, "scores: only one class; give real and fake rows");
    uint32_t *order = mem_new(n, sizeof *order, purpose, error);
    if (!order)
        return error->status;
    const Status status = metrics_ranking_order(scores, n, order, error);
    uint64_t above[2] = {0, 0};
    for (size_t begin = 0, end; begin < n && status == STATUS_OK; begin = end) {
        uint64_t equal[2] = {0, 0};
        for (end = begin; end < n && scores[order[end]] == scores[order[begin]]; end++)
            equal[labels[order[end]]]++;
        const uint64_t below = total[0] - above[0] - equal[0];
        const double of_fake = (double)(2 * below + equal[0]) / (2.0 * (double)total[0]);
        const double of_real = (double)(2 * above[1] + equal[1]) / (2.0 * (double)total[1]);
        for (size_t i = begin; i < end; i++)
            placements[order[i]] = labels[order[i]] ? of_fake : of_real;
        above[0] += equal[0];
        above[1] += equal[1];
    }
    free(order);
    return status;
}

/* Mean placement of the reals [0] and of the fakes [1]; both equal the AUROC. */
static void class_means(const double *placements, const uint8_t *labels, size_t n, size_t count[2],
                        double mean[2])
{
    MetricsSum sum[2] = {{0, 0}, {0, 0}};
    count[0] = count[1] = 0;
    for (size_t i = 0; i < n; i++) {
        metrics_sum_add(&sum[labels[i]], placements[i]);
        count[labels[i]]++;
    }
    for (int c = 0; c < 2; c++)
        mean[c] = metrics_sum_total(&sum[c]) / (double)count[c];
}

/*
 * Deviations from a mean are multiples of 1 / (2 reals fakes). Up to 5e13 pairs a smaller value is
 * rounding of equal numbers; with more pairs it is negligible.
 */
static const double ROUNDING = 1e-14;

/* Sum over both classes of the variance of a's placement - b's placement (b = NULL: of a's
 * placement), divided by the rows of the class. */
static MetricsDelong variance_of(const double *a, const double *b, const uint8_t *labels, size_t n)
{
    size_t count[2];
    double mean_a[2], mean_b[2] = {0, 0};
    class_means(a, labels, n, count, mean_a);
    if (b)
        class_means(b, labels, n, count, mean_b);
    MetricsSum squares[2] = {{0, 0}, {0, 0}};
    for (size_t i = 0; i < n; i++) {
        const int c = labels[i];
        const double deviation = a[i] - mean_a[c] - (b ? b[i] - mean_b[c] : 0);
        if (fabs(deviation) > ROUNDING)
            metrics_sum_add(&squares[c], deviation * deviation);
    }
    double variance = 0;
    for (int c = 0; c < 2; c++)
        variance += count[c] > 1 ? metrics_sum_total(&squares[c]) /
                                       ((double)(count[c] - 1) * (double)count[c])
                                 : (double)NAN;
    return (MetricsDelong){.n_real = count[0],
                           .n_fake = count[1],
                           .auroc = mean_a[1] - mean_b[1],
                           .variance = variance};
}

MetricsDelong metrics_delong(const double *placements, const uint8_t *labels, size_t n)
{
    assert(placements && labels);
    return variance_of(placements, NULL, labels, n);
}

/* Newcombe's variance of an AUROC with true value `auroc`, from Hanley and McNeil's exponential
 * model. */
static double newcombe_variance(double auroc, double n_real, double n_fake)
{
    const double extra = 0.5 * (n_real + n_fake) - 1;
    return auroc * (1 - auroc) * (1 + extra * ((1 - auroc) / (2 - auroc) + auroc / (1 + auroc))) /
           (n_real * n_fake);
}

/* The AUROC whose distance from 1 is z times its own standard error, by bisection. */
static double newcombe_lower(double n_real, double n_fake)
{
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        const double reach = METRICS_NORMAL_975 * sqrt(newcombe_variance(middle, n_real, n_fake));
        if (middle + reach < 1)
            low = middle;
        else
            high = middle;
    }
    return low;
}

MetricsInterval metrics_delong_interval(const MetricsDelong *delong)
{
    const double a = delong->auroc, variance = delong->variance;
    if (!isfinite(a) || !isfinite(variance))
        return (MetricsInterval){NAN, NAN};
    if (a >= 1)
        return (MetricsInterval){newcombe_lower((double)delong->n_real, (double)delong->n_fake), 1};
    if (a <= 0)
        return (MetricsInterval){
            0, 1 - newcombe_lower((double)delong->n_real, (double)delong->n_fake)};
    const double logit = log(a / (1 - a));
    const double reach = METRICS_NORMAL_975 * sqrt(variance) / (a * (1 - a));
    return (MetricsInterval){1 / (1 + exp(-(logit - reach))), 1 / (1 + exp(-(logit + reach)))};
}

MetricsDifference metrics_delong_difference(const double *placements_a, const double *placements_b,
                                            const uint8_t *labels, size_t n)
{
    assert(placements_a && placements_b && labels);
    const MetricsDelong a = metrics_delong(placements_a, labels, n);
    const MetricsDelong b = metrics_delong(placements_b, labels, n);
    const double error = sqrt(variance_of(placements_a, placements_b, labels, n).variance);
    const double difference = b.auroc - a.auroc, reach = METRICS_NORMAL_975 * error;
    MetricsDifference found = {.a = a.auroc,
                               .b = b.auroc,
                               .difference = difference,
                               .interval = {difference - reach, difference + reach},
                               .p = erfc(fabs(difference) / (error * sqrt(2.0))),
                               .method = METRICS_INTERVAL_DELONG};
    if (error == 0) { /* zero variance, different AUROCs: no test */
        const bool equal = fabs(difference) <= ROUNDING;
        found.p = equal ? 1 : NAN;
        if (!equal)
            found.interval = (MetricsInterval){NAN, NAN};
    }
    return found;
}
