/*
 * metrics.c - see metrics.h.
 *
 * The scores of both classes are turned into integer keys of the same order, sorted apart in one array (so no
 * label has to travel along), and then met together, one distinct score at a time. That walk is the ROC. It
 * refuses to interpolate what scikit-learn does not, and rounds only when a ratio of counts is formed.
 */
#include "train/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const double train_fpr_points[TRAIN_FPR_POINTS] = {0.001, 0.01, 0.05};

#define METRIC(text, field)                                                                        \
    {                                                                                              \
        text, offsetof(TrainMetrics, field)                                                        \
    }
const TrainMetricName train_metric_names[TRAIN_METRIC_NAMES] = {
    METRIC("auroc", auroc),
    METRIC("ap", ap),
    METRIC("map", map),
    METRIC("eer", eer),
    METRIC("eer_threshold", eer_threshold),
    METRIC("accuracy", accuracy),
    METRIC("balanced_accuracy", balanced_accuracy),
    METRIC("f1_macro", f1_macro),
    METRIC("accuracy_at_eer", accuracy_at_eer),
    METRIC("balanced_accuracy_at_eer", balanced_accuracy_at_eer),
    METRIC("f1_macro_at_eer", f1_macro_at_eer),
    METRIC("tpr_at_fpr_0.001", tpr_at_fpr[0]),
    METRIC("tpr_at_fpr_0.01", tpr_at_fpr[1]),
    METRIC("tpr_at_fpr_0.05", tpr_at_fpr[2]),
};
#undef METRIC

double train_metric_value(const TrainMetrics *metrics, int index)
{
    assert(index >= 0 && index < TRAIN_METRIC_NAMES);
    double value;
    memcpy(&value, (const char *)metrics + train_metric_names[index].offset, sizeof value);
    return value;
}

#define SIGN_BIT (UINT64_C(1) << 63)

/*
 * The bits of an IEEE 754 double, made so that unsigned order is numeric order: the sign bit of positive
 * numbers is set, all bits of negative ones are inverted. Adding 0 turns -0 into +0, which equals it.
 */
static uint64_t key_of(double score)
{
    const double value = score + 0.0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static double score_of(uint64_t key)
{
    const uint64_t bits = key & SIGN_BIT ? key & ~SIGN_BIT : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

enum { SMALL_SORT = 48 }; /* below this, insertion beats another pass of counting (measured) */

static void insertion_sort(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

/*
 * Ascending radix sort in place, from the most significant byte (McIlroy, Bostic, McIlroy, "Engineering radix
 * sort", 1993: the American flag). In place because a hundred million scores leave no room for a copy.
 */
static void sort_keys(uint64_t *keys, size_t n, int shift)
{
    if (n <= SMALL_SORT) {
        insertion_sort(keys, n);
        return;
    }
    size_t begin[257] = {0}, next[256]; /* bucket b is [begin[b], begin[b+1]) */
    for (size_t i = 0; i < n; i++)
        begin[(keys[i] >> shift & 255) + 1]++;
    for (int b = 0; b < 256; b++) {
        next[b] = begin[b];
        begin[b + 1] += begin[b];
    }
    for (int b = 0; b < 256; b++) {
        while (next[b] < begin[b + 1]) {
            uint64_t key = keys[next[b]];
            for (int home; (home = (int)(key >> shift & 255)) != b;) {
                const uint64_t evicted = keys[next[home]];
                keys[next[home]++] = key;
                key = evicted;
            }
            keys[next[b]++] = key;
        }
    }
    for (int b = 0; b < 256 && shift > 0; b++)
        if (begin[b + 1] - begin[b] > 1)
            sort_keys(keys + begin[b], begin[b + 1] - begin[b], shift - 8);
}

/* Both classes in one array: the reals' keys, then the fakes', each ascending. */
typedef struct Ranking {
    uint64_t *real, *fake; /* [n_real], [n_fake]; `real` owns the memory */
    uint64_t n_real, n_fake;
} Ranking;

static Status rank_scores(const double *scores, const uint8_t *labels, size_t n, Ranking *ranking,
                          Error *error)
{
    *ranking = (Ranking){0};
    for (size_t i = 0; i < n; i++) {
        assert(labels[i] <= 1);
        ranking->n_fake += labels[i];
        if (!isfinite(scores[i]))
            return error_set(error, STATUS_FAILED,
                             "scores: number %zu of %zu is not finite; find out what produced it",
                             i + 1, n);
    }
    ranking->n_real = n - ranking->n_fake;
    ranking->real = malloc(n * sizeof *ranking->real);
    if (!ranking->real)
        return error_set(error, STATUS_FAILED, "scores: no memory to sort %zu of them; free some",
                         n);
    ranking->fake = ranking->real + ranking->n_real;
    uint64_t *end[2] = {ranking->real, ranking->fake};
    for (size_t i = 0; i < n; i++)
        *end[labels[i]]++ = key_of(scores[i]);
    sort_keys(ranking->real, ranking->n_real, 56);
    sort_keys(ranking->fake, ranking->n_fake, 56);
    return STATUS_OK;
}

/* A sum that carries its rounding error along (Neumaier, 1974): millions of terms cost no digits. */
typedef struct Sum {
    double value, lost;
} Sum;

static void sum_add(Sum *sum, double term)
{
    const double total = sum->value + term;
    sum->lost +=
        fabs(sum->value) >= fabs(term) ? sum->value - total + term : term - total + sum->value;
    sum->value = total;
}

/* A vertex of the ROC, as counts: so many reals (fp) and fakes (tp) score `score` or more. */
typedef struct Vertex {
    uint64_t fp, tp;
    double score;
} Vertex;

/* Moves *vertex down to the next lower distinct score; false when all scores are above. */
static bool next_vertex(const Ranking *ranking, Vertex *vertex)
{
    const uint64_t reals = ranking->n_real - vertex->fp, fakes = ranking->n_fake - vertex->tp;
    if (reals + fakes == 0)
        return false;
    uint64_t key = reals > 0 ? ranking->real[reals - 1] : 0; /* no finite score has key 0 */
    if (fakes > 0 && ranking->fake[fakes - 1] > key)
        key = ranking->fake[fakes - 1];
    while (vertex->fp < ranking->n_real && ranking->real[ranking->n_real - 1 - vertex->fp] == key)
        vertex->fp++;
    while (vertex->tp < ranking->n_fake && ranking->fake[ranking->n_fake - 1 - vertex->tp] == key)
        vertex->tp++;
    vertex->score = score_of(key);
    return true;
}

/* FPR - (1 - TPR), times n_real n_fake: from -1 to 1 along the ROC, and strictly growing. */
static int64_t imbalance(const Ranking *ranking, const Vertex *vertex)
{
    return (int64_t)(vertex->fp * ranking->n_fake + vertex->tp * ranking->n_real) -
           (int64_t)(ranking->n_real * ranking->n_fake);
}

/* The threshold t for which "score > t" is what `vertex` counts. */
static double vertex_threshold(const Ranking *ranking, const Vertex *vertex)
{
    Vertex lower = *vertex;
    if (vertex->fp + vertex->tp == 0) {
        next_vertex(ranking, &lower);
        return lower.score;
    }
    if (!next_vertex(ranking, &lower))
        return vertex->score;
    const double middle = 0.5 * vertex->score + 0.5 * lower.score;
    return middle < vertex->score ? middle : lower.score; /* neighbouring doubles have no middle */
}

/* The segment from `a` to `b` crosses the diagonal FPR = 1 - TPR. */
static void set_eer(const Ranking *ranking, const Vertex *a, const Vertex *b, TrainMetrics *metrics)
{
    const int64_t before = imbalance(ranking, a), after = imbalance(ranking, b);
    const double t = (double)-before / (double)(after - before); /* in (0,1] */
    metrics->eer = ((double)a->fp + t * (double)(b->fp - a->fp)) / (double)ranking->n_real;
    metrics->eer_threshold = vertex_threshold(ranking, after < -before ? b : a);
}

/* TPR at `fpr` on the segment from `a`, the last vertex whose FPR is at most `fpr`, to `b`. */
static double interpolate_tpr(const Ranking *ranking, const Vertex *a, const Vertex *b, double fpr)
{
    const double t = (fpr * (double)ranking->n_real - (double)a->fp) / (double)(b->fp - a->fp);
    /* fpr n_real is rounded: a point that lies on the vertex must not fall before it. */
    return ((double)a->tp + fmax(t, 0) * (double)(b->tp - a->tp)) / (double)ranking->n_fake;
}

/* The walk down the ROC: area, average precision of fake, equal error rate, TPR at given FPRs. */
static void walk_roc(const Ranking *ranking, TrainMetrics *metrics)
{
    const double n_real = (double)ranking->n_real, n_fake = (double)ranking->n_fake;
    uint64_t twice_area = 0; /* at most 2 n_real n_fake <= n^2 / 2 < 2^63 */
    Sum ap = {0};
    int points = 0;
    Vertex a = {0}, b = {0};
    for (; next_vertex(ranking, &b); a = b) {
        twice_area += (b.fp - a.fp) * (a.tp + b.tp);
        if (b.tp > a.tp)
            sum_add(&ap, (double)(b.tp - a.tp) * ((double)b.tp / (double)(b.tp + b.fp)));
        if (imbalance(ranking, &a) < 0 && imbalance(ranking, &b) >= 0)
            set_eer(ranking, &a, &b, metrics);
        for (; points < TRAIN_FPR_POINTS && (double)b.fp / n_real > train_fpr_points[points];
             points++)
            metrics->tpr_at_fpr[points] =
                interpolate_tpr(ranking, &a, &b, train_fpr_points[points]);
    }
    metrics->auroc = (double)twice_area / (2.0 * n_real * n_fake);
    metrics->ap = (ap.value + ap.lost) / n_fake;
}

/*
 * Average precision of real scored by 1 - p_fake. That difference rounds, so scores that differ can tie here:
 * they are grouped by it, as a caller of average_precision_score would see them.
 */
static double average_precision_of_real(const Ranking *ranking)
{
    Sum ap = {0};
    uint64_t reals = 0, fakes = 0;
    while (reals + fakes < ranking->n_real + ranking->n_fake) {
        uint64_t key = UINT64_MAX; /* the key of no finite score */
        if (reals < ranking->n_real)
            key = ranking->real[reals];
        if (fakes < ranking->n_fake && ranking->fake[fakes] < key)
            key = ranking->fake[fakes];
        const double inverted = 1.0 - score_of(key);
        const uint64_t reals_before = reals;
        while (reals < ranking->n_real && 1.0 - score_of(ranking->real[reals]) >= inverted)
            reals++;
        while (fakes < ranking->n_fake && 1.0 - score_of(ranking->fake[fakes]) >= inverted)
            fakes++;
        if (reals > reals_before)
            sum_add(&ap,
                    (double)(reals - reals_before) * ((double)reals / (double)(reals + fakes)));
    }
    return (ap.value + ap.lost) / (double)ranking->n_real;
}

/* Accuracy, balanced accuracy and macro F1 of "score > threshold is fake". */
static void classify(const double *scores, const uint8_t *labels, size_t n, double threshold,
                     double *accuracy, double *balanced, double *f1_macro)
{
    uint64_t count[2][2] = {{0}}; /* [label][predicted] */
    for (size_t i = 0; i < n; i++)
        count[labels[i]][scores[i] > threshold]++;
    const double tn = (double)count[0][0], fp = (double)count[0][1];
    const double fn = (double)count[1][0], tp = (double)count[1][1];
    *accuracy = (tp + tn) / (double)n;
    if (tn + fp > 0 && fn + tp > 0) {
        *balanced = 0.5 * (tn / (tn + fp) + tp / (tp + fn));
        *f1_macro = 0.5 * (2 * tn / (2 * tn + fn + fp) + 2 * tp / (2 * tp + fp + fn));
    }
}

Status train_metrics(const double *scores, const uint8_t *labels, size_t n, TrainMetrics *metrics,
                     Error *error)
{
    assert(metrics && error && (n == 0 || (scores && labels)));
    if (n == 0 || n > UINT32_MAX)
        return error_set(error, STATUS_FAILED, "scores: %s; give between 1 and %lu rows",
                         n == 0 ? "there are none" : "there are too many",
                         (unsigned long)UINT32_MAX);
    Ranking ranking;
    TRY(rank_scores(scores, labels, n, &ranking, error));

    *metrics = (TrainMetrics){.n_real = (size_t)ranking.n_real, .n_fake = (size_t)ranking.n_fake};
    const double undefined = (double)NAN;
    for (int i = 0; i < TRAIN_METRIC_NAMES; i++)
        memcpy((char *)metrics + train_metric_names[i].offset, &undefined, sizeof undefined);
    classify(scores, labels, n, 0.5, &metrics->accuracy, &metrics->balanced_accuracy,
             &metrics->f1_macro);
    if (ranking.n_real > 0 && ranking.n_fake > 0) {
        walk_roc(&ranking, metrics);
        metrics->map = 0.5 * (metrics->ap + average_precision_of_real(&ranking));
        classify(scores, labels, n, metrics->eer_threshold, &metrics->accuracy_at_eer,
                 &metrics->balanced_accuracy_at_eer, &metrics->f1_macro_at_eer);
    }
    free(ranking.real);
    return STATUS_OK;
}
