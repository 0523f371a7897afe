/*
 * bootstrap.c - see bootstrap.h.
 *
 * Draws come from a counter-based generator: resample r of a data set depends only on seed, name
 * and r. Threads share the resamples, so results are bit-identical for any number of threads.
 */
#include "train/metrics/bootstrap.h"

#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/random.h"
#include "train/metrics/metrics_private.h"
#include "train/metrics/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Purpose of allocations, for messages. */
static const char purpose[] = "the bootstrap";

/*
 * Sums over the rows of one cluster in one calibration bin. There are far fewer cells than rows,
 * and the calibration metrics are sums over cells in any order. All rows have the cluster's label.
 */
typedef struct Cell {
    double brier, log_loss,
        score; /* score is last: single rows are sorted by it before they are summed up */
    uint32_t cluster, rows;
    uint8_t bin, label;
} Cell;

/* Rows in one sort order. */
typedef struct Order {
    double *scores;    /* [count] distinct scores, descending */
    uint32_t *end;     /* [count] end of the rows with this score */
    uint32_t *cluster; /* [rows] in order of score */
    uint8_t *labels;   /* [rows] */
    size_t count;
} Order;

struct MetricsSample {
    Order ranked;
    bool exact;          /* by margins: see metrics_walk_begin */
    Order by_thresholds; /* by p_fake; empty if `ranked` groups the rows alike */
    Cell *cells;         /* [cell_count] */
    size_t rows, cell_count;
    bool outside; /* a score is not in [0, 1]: calibration metrics are undefined */
};

static void free_order(Order *order)
{
    free(order->scores);
    free(order->end);
    free(order->cluster);
    free(order->labels);
    *order = (Order){0};
}

void metrics_sample_free(MetricsSample *sample)
{
    if (!sample)
        return;
    free_order(&sample->ranked);
    free_order(&sample->by_thresholds);
    free(sample->cells);
    free(sample);
}

/* Sorts rows [n] by `scores`. The caller frees *order, also after a failure. */
static Status make_order(Order *order, const double *scores, const uint8_t *labels,
                         const uint32_t *cluster, size_t n, Error *error)
{
    const size_t room = n > 0 ? n : 1;
    uint32_t *rows = mem_new(room, sizeof *rows, purpose, error);
    order->scores = mem_new(room, sizeof *order->scores, purpose, error);
    order->end = mem_new(room, sizeof *order->end, purpose, error);
    order->cluster = mem_new(room, sizeof *order->cluster, purpose, error);
    order->labels = mem_new(room, 1, purpose, error);
    Status status = STATUS_OK;
    if (!rows || !order->scores || !order->end || !order->cluster || !order->labels)
        status = error->status;
    if (status == STATUS_OK)
        status = metrics_ranking_order(scores, n, rows, error);
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        const uint32_t row = rows[i];
        if (order->count == 0 || scores[row] != order->scores[order->count - 1])
            order->scores[order->count++] = scores[row];
        order->end[order->count - 1] = (uint32_t)i + 1;
        order->cluster[i] = cluster ? cluster[row] : row;
        order->labels[i] = labels[row];
    }
    free(rows);
    return status;
}

static bool same_groups(const Order *a, const Order *b, size_t rows)
{
    return a->count == b->count && memcmp(a->end, b->end, a->count * sizeof *a->end) == 0 &&
           memcmp(a->cluster, b->cluster, rows * sizeof *a->cluster) == 0 &&
           memcmp(a->labels, b->labels, rows) == 0;
}

static int compare_cells(const void *a, const void *b)
{
    const Cell *x = a, *y = b;
    if (x->cluster != y->cluster)
        return x->cluster > y->cluster ? 1 : -1;
    if (x->bin != y->bin)
        return x->bin > y->bin ? 1 : -1;
    return (x->score > y->score) - (x->score < y->score);
}

/* Sums up rows [n] by cluster and bin, in order of score: bit-identical for any order of rows. */
static void fill_cells(MetricsSample *sample, const double *scores, const uint8_t *labels,
                       const uint32_t *cluster)
{
    Cell *cells = sample->cells;
    for (size_t i = 0; i < sample->rows; i++) {
        const double s = scores[i], miss = s - labels[i];
        const bool inside = s >= 0 && s <= 1;
        sample->outside = sample->outside || !inside;
        cells[i] = (Cell){.brier = miss * miss,
                          .log_loss = inside ? metrics_log_loss(s, labels[i]) : 0,
                          .score = s,
                          .cluster = cluster ? cluster[i] : (uint32_t)i,
                          .rows = 1,
                          .bin = (uint8_t)(inside ? metrics_calibration_bin(s) : 0),
                          .label = labels[i]};
    }
    qsort(cells, sample->rows, sizeof *cells, compare_cells);
    size_t count = 0;
    for (size_t i = 0; i < sample->rows; i++) {
        Cell *last = &cells[count > 0 ? count - 1 : 0];
        if (count == 0 || last->cluster != cells[i].cluster || last->bin != cells[i].bin) {
            cells[count++] = cells[i];
            continue;
        }
        last->brier += cells[i].brier;
        last->log_loss += cells[i].log_loss;
        last->score += cells[i].score;
        last->rows++;
    }
    sample->cell_count = count;
    Cell *shrunk = realloc(cells, (count > 0 ? count : 1) * sizeof *cells);
    sample->cells = shrunk ? shrunk : cells;
}

/* Sorts by rank and by p_fake. If both group the rows alike, only one order and walk is needed. */
static Status make_orders(MetricsSample *sample, const double *scores, const double *ranks,
                          const uint8_t *labels, const uint32_t *cluster, Error *error)
{
    const size_t n = sample->rows;
    TRY(make_order(&sample->by_thresholds, scores, labels, cluster, n, error));
    sample->exact = ranks && ranks != scores;
    if (sample->exact)
        TRY(make_order(&sample->ranked, ranks, labels, cluster, n, error));
    if (sample->exact && !same_groups(&sample->ranked, &sample->by_thresholds, n))
        return STATUS_OK;
    free_order(&sample->ranked);
    sample->ranked = sample->by_thresholds;
    sample->by_thresholds = (Order){0};
    return STATUS_OK;
}

Status metrics_sample_create(MetricsSample **sample, const double *scores, const double *ranks,
                             const uint8_t *labels, const uint32_t *cluster, size_t n, Error *error)
{
    assert(sample && error);
    *sample = NULL;
    if (n > INT32_MAX)
        return error_set(error, STATUS_FAILED,
                         "scores: %zu rows are too many for a bootstrap; use --ci off", n);
    MetricsSample *made = mem_new(1, sizeof *made, purpose, error);
    Status status = made ? STATUS_OK : error->status;
    if (made) {
        made->rows = n;
        made->cells = mem_new(n > 0 ? n : 1, sizeof *made->cells, purpose, error);
        status =
            made->cells ? make_orders(made, scores, ranks, labels, cluster, error) : error->status;
    }
    if (status == STATUS_OK)
        fill_cells(made, scores, labels, cluster);
    if (status != STATUS_OK) {
        metrics_sample_free(made);
        return status;
    }
    *sample = made;
    return STATUS_OK;
}

/*
 * Counts the rows of each class and sums up the calibration cells, with weights[cluster].
 * Uncompensated sums: a resample does not need the last digit.
 */
static MetricsProbabilitySums weigh_cells(const MetricsSample *sample, const uint32_t *weights,
                                          uint64_t total[2])
{
    double brier = 0, log_loss = 0, scores[METRICS_CALIBRATION_BINS] = {0};
    MetricsProbabilitySums calibration = {.outside = sample->outside};
    for (size_t i = 0; i < sample->cell_count; i++) {
        const Cell *cell = &sample->cells[i];
        const uint32_t weight = weights[cell->cluster];
        const uint64_t rows = (uint64_t)weight * cell->rows;
        total[cell->label] += rows;
        brier += weight * cell->brier;
        log_loss += weight * cell->log_loss;
        scores[cell->bin] += weight * cell->score;
        calibration.bin_fakes[cell->bin] += cell->label ? rows : 0;
    }
    calibration.brier.value = brier;
    calibration.log_loss.value = log_loss;
    for (int b = 0; b < METRICS_CALIBRATION_BINS; b++)
        calibration.bin_score[b].value = scores[b];
    return calibration;
}

/* One walk down a sort order, with weights[cluster]. */
static void weighted_walk(const Order *order, const uint32_t *weights, const uint64_t total[2],
                          bool exact, Metrics *metrics)
{
    enum { PARCEL = 128 };
    const uint32_t *cluster = order->cluster;
    const uint8_t *labels = order->labels;
    MetricsWalk walk;
    MetricsGroup parcel[PARCEL];
    size_t filled = 0, row = 0;
    metrics_walk_begin(&walk, total[0], total[1], exact);
    for (size_t g = 0; g < order->count; g++) {
        const size_t end = order->end[g];
        uint64_t rows = 0, fakes = 0;
        for (; row < end; row++) {
            const uint64_t weight = weights[cluster[row]];
            rows += weight;
            fakes += weight & -(uint64_t)labels[row]; /* if the label is 1, without a branch */
        }
        parcel[filled] = (MetricsGroup){order->scores[g], rows - fakes, fakes};
        filled += rows > 0; /* about a third of the groups is empty */
        if (filled == PARCEL) {
            metrics_walk_groups(&walk, parcel, filled);
            filled = 0;
        }
    }
    metrics_walk_groups(&walk, parcel, filled);
    metrics_walk_end(&walk, metrics);
}

/* The metrics of the sample with weights[cluster]. */
static void weighted_metrics(const MetricsSample *sample, const uint32_t *weights, Metrics *metrics)
{
    uint64_t total[2] = {0, 0};
    const MetricsProbabilitySums calibration = weigh_cells(sample, weights, total);
    weighted_walk(&sample->ranked, weights, total, sample->exact, metrics);
    if (sample->by_thresholds.count > 0) {
        Metrics by_probability;
        weighted_walk(&sample->by_thresholds, weights, total, false, &by_probability);
        metrics_walk_thresholds(&by_probability, metrics);
    }
    metrics_probability_end(&calibration, metrics);
}

/* Data shared by the threads. */
typedef struct Bootstrap {
    const MetricsSample *const *samples;
    int count;
    const MetricsDraw *draw;
    uint32_t stream; /* hash of the data set name */
    uint32_t clusters;
    uint32_t *members; /* [clusters] the reals, then the fakes */
    uint32_t n_real;
    uint32_t *weights; /* [threads][clusters] */
    double *values;
} Bootstrap;

/* Draws end - begin clusters from [begin, end) with replacement. */
static void draw_class(const Bootstrap *b, uint32_t begin, uint32_t end, Random *random,
                       uint32_t *weights)
{
    for (uint32_t i = begin; i < end; i++)
        weights[b->members[begin + random_below(random, end - begin)]]++;
}

static void resample(void *context, int task, int worker)
{
    const Bootstrap *b = context;
    uint32_t *weights = b->weights + (size_t)worker * b->clusters;
    const size_t resamples = (size_t)b->draw->resamples;
    Random random = random_stream(b->draw->seed, RANDOM_BOOTSTRAP, (uint32_t)task, b->stream);
    memset(weights, 0, b->clusters * sizeof *weights);
    draw_class(b, 0, b->n_real, &random, weights);
    draw_class(b, b->n_real, b->clusters, &random, weights);
    for (int s = 0; s < b->count; s++) {
        Metrics metrics;
        weighted_metrics(b->samples[s], weights, &metrics);
        for (int m = 0; m < METRICS_NAMES; m++)
            b->values[((size_t)s * METRICS_NAMES + (size_t)m) * resamples + (size_t)task] =
                metrics_value(&metrics, m);
    }
}

Status metrics_bootstrap(const MetricsSample *const *samples, int count,
                         const MetricsClusters *clusters, const MetricsDraw *draw, double *values,
                         Error *error)
{
    assert(samples && count > 0 && clusters && draw && draw->resamples > 0 && values && error);
    const size_t room = clusters->count > 0 ? clusters->count : 1;
    Bootstrap b = {.samples = samples,
                   .count = count,
                   .draw = draw,
                   .stream = (uint32_t)XXH3_64bits(draw->dataset, strlen(draw->dataset)),
                   .clusters = clusters->count,
                   .values = values};
    b.members = mem_new(room, sizeof *b.members, purpose, error);
    b.weights =
        mem_new(room * (size_t)threads_count(draw->threads), sizeof *b.weights, purpose, error);
    if (!b.members || !b.weights) {
        free(b.members);
        free(b.weights);
        return error->status;
    }
    uint32_t filled = 0;
    for (int label = 0; label < 2; label++) {
        for (uint32_t i = 0; i < clusters->count; i++) {
            const uint32_t member = clusters->are_rows ? samples[0]->ranked.cluster[i] : i;
            if (clusters->labels[member] == label)
                b.members[filled++] = member;
        }
        b.n_real = label == 0 ? filled : b.n_real;
    }
    threads_run(draw->threads, draw->resamples, resample, &b);
    free(b.members);
    free(b.weights);
    return STATUS_OK;
}

/* Quantile q of sorted values [n]. */
static double quantile(const double *values, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return values[below] + (at - (double)below) * (values[above] - values[below]);
}

MetricsInterval metrics_percentile_interval(double *values, size_t n)
{
    size_t defined = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            values[defined++] = values[i];
    for (size_t i = defined; i < n; i++)
        values[i] = NAN;
    if (defined == 0 || 2 * defined < n)
        return (MetricsInterval){NAN, NAN};
    qsort(values, defined, sizeof *values, number_compare);
    return (MetricsInterval){quantile(values, defined, 0.025), quantile(values, defined, 0.975)};
}

/*
 * The 97.5 % quantile of Student's t distribution with `degrees` >= 1 of freedom: a table for few,
 * otherwise Abramowitz and Stegun 26.7.5, whose error is below 2e-4 for 10 degrees or more.
 */
static double student_975(size_t degrees)
{
    static const double few[] = {12.706205, 4.302653, 3.182446, 2.776445, 2.570582,
                                 2.446912,  2.364624, 2.306004, 2.262157};
    if (degrees <= COUNT_OF(few))
        return few[degrees - 1];
    const double x = METRICS_NORMAL_975, x2 = x * x, n = (double)degrees;
    const double g1 = x * (x2 + 1) / 4;
    const double g2 = x * ((5 * x2 + 16) * x2 + 3) / 96;
    const double g3 = x * (((3 * x2 + 19) * x2 + 17) * x2 - 15) / 384;
    return x + g1 / n + g2 / (n * n) + g3 / (n * n * n);
}

static double clipped_logit(double value, double margin)
{
    const double p = fmin(fmax(value, margin), 1 - margin);
    return log(p / (1 - p));
}

MetricsInterval metrics_logit_interval(double estimate, double *values, size_t n,
                                       const size_t clusters[2])
{
    const MetricsInterval percentiles = metrics_percentile_interval(values, n);
    if (!(estimate > 0 && estimate < 1) || isnan(percentiles.lower))
        return percentiles;
    /* Must stay closer to the end than the estimate, or an area very close to the end would get no
     * spread. */
    const double pair = 1 / ((double)clusters[0] * (double)clusters[1]);
    const double margin = 0.5 * fmin(pair, fmin(estimate, 1 - estimate));
    const size_t fewer = clusters[0] < clusters[1] ? clusters[0] : clusters[1];
    MetricsSum sum = {0}, squares = {0};
    size_t defined = 0;
    for (; defined < n && !isnan(values[defined]); defined++) /* sorted, NaN last */
        metrics_sum_add(&sum, clipped_logit(values[defined], margin));
    const double mean = metrics_sum_total(&sum) / (double)defined;
    for (size_t i = 0; i < defined; i++) {
        const double deviation = clipped_logit(values[i], margin) - mean;
        metrics_sum_add(&squares, deviation * deviation);
    }
    const double spread = sqrt(metrics_sum_total(&squares) / (double)(defined - 1));
    const double logit = log(estimate / (1 - estimate));
    const double reach = student_975(fewer > 1 ? fewer - 1 : 1) * spread;
    return (MetricsInterval){1 / (1 + exp(-(logit - reach))), 1 / (1 + exp(-(logit + reach)))};
}
