/*
 * metrics.c - see metrics.h.
 *
 * Scores are sorted (ranking.h); one walk down the distinct scores computes all metrics. Groups of
 * equal scores are passed in chunks of constant size.
 */
#include "train/metrics/metrics.h"

#include "train/metrics/metrics_private.h"
#include "train/metrics/ranking.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double fpr_points[METRICS_FPR_POINTS] = {0.001, 0.01, 0.05};

#define METRIC(text, heading, title, field, better)                                                \
    {                                                                                              \
        text, heading, title, offsetof(Metrics, field), better                                     \
    }
const MetricName metrics_names[METRICS_NAMES] = {
    [METRICS_AUROC] = METRIC("auroc", "AUROC", "AUROC", auroc, 1),
    [METRICS_AP] = METRIC("ap", "AP", "average precision", ap, 1),
    [METRICS_MAP] = METRIC("map", "mAP", "mAP, mean of both classes", map, 1),
    [METRICS_EER] = METRIC("eer", "EER", "EER", eer, -1),
    [METRICS_EER_THRESHOLD] =
        METRIC("eer_threshold", "EER threshold", "EER threshold", eer_threshold, 0),
    [METRICS_ACCURACY] = METRIC("accuracy", "accuracy", "accuracy at > 0.5", accuracy, 1),
    [METRICS_BALANCED_ACCURACY] = METRIC("balanced_accuracy", "balanced accuracy",
                                         "balanced accuracy at > 0.5", balanced_accuracy, 1),
    [METRICS_F1_MACRO] = METRIC("f1_macro", "macro F1", "macro F1 at > 0.5", f1_macro, 1),
    [METRICS_ACCURACY_AT_EER] = METRIC("accuracy_at_eer", "accuracy at EER",
                                       "accuracy at EER threshold", accuracy_at_eer, 1),
    [METRICS_BALANCED_ACCURACY_AT_EER] =
        METRIC("balanced_accuracy_at_eer", "balanced accuracy at EER",
               "balanced accuracy at EER t.", balanced_accuracy_at_eer, 1),
    [METRICS_F1_MACRO_AT_EER] = METRIC("f1_macro_at_eer", "macro F1 at EER",
                                       "macro F1 at EER threshold", f1_macro_at_eer, 1),
    [METRICS_TPR_AT_FPR_0001] =
        METRIC("tpr_at_fpr_0.001", "TPR at FPR 0.001", "TPR at FPR 0.001", tpr_at_fpr[0], 1),
    [METRICS_TPR_AT_FPR_001] =
        METRIC("tpr_at_fpr_0.01", "TPR at FPR 0.01", "TPR at FPR 0.01", tpr_at_fpr[1], 1),
    [METRICS_TPR_AT_FPR_005] =
        METRIC("tpr_at_fpr_0.05", "TPR at FPR 0.05", "TPR at FPR 0.05", tpr_at_fpr[2], 1),
    [METRICS_PARTIAL_AUROC] = METRIC("partial_auroc_fpr_0.1", "partial AUROC",
                                     "partial AUROC to FPR 0.1", partial_auroc, 1),
    [METRICS_BRIER] = METRIC("brier", "Brier", "Brier score", brier, -1),
    [METRICS_LOG_LOSS] = METRIC("log_loss", "log loss", "log loss", log_loss, -1),
    [METRICS_ECE] = METRIC("ece", "ECE", "expected calibration error", ece, -1),
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

/* ---- the walk down the distinct scores ------------------------------------------------------- */

/*
 * The groups of equal scores, from the highest down, are the vertices of the ROC. Counts are
 * integers; ratios are divided last.
 */

#define PARTIAL_FPR 0.1 /* upper FPR of the partial area; part of its name in metrics.json */

double metrics_log_loss(double score, int label)
{
    const double p = fmin(fmax(score, 0x1p-52), 1 - 0x1p-52);
    return -log(label ? p : 1 - p);
}

int metrics_calibration_bin(double score)
{
    const int bin = (int)(score * METRICS_CALIBRATION_BINS);
    return bin < METRICS_CALIBRATION_BINS ? bin : METRICS_CALIBRATION_BINS - 1;
}

/* Adds the rows of a group. {0} is the empty sum. */
static void add_probability(MetricsProbabilitySums *calibration, const MetricsGroup *group)
{
    const double s = group->score, reals = (double)group->reals, fakes = (double)group->fakes;
    if (!(s >= 0 && s <= 1)) {
        calibration->outside = true;
        return;
    }
    double loss = group->reals > 0 ? reals * metrics_log_loss(s, 0) : 0;
    loss += group->fakes > 0 ? fakes * metrics_log_loss(s, 1) : 0;
    const int bin = metrics_calibration_bin(s);
    metrics_sum_add(&calibration->brier, reals * (s * s) + fakes * ((s - 1) * (s - 1)));
    metrics_sum_add(&calibration->log_loss, loss);
    metrics_sum_add(&calibration->bin_score[bin], (reals + fakes) * s);
    calibration->bin_fakes[bin] += group->fakes;
}

void metrics_probability_end(const MetricsProbabilitySums *calibration, Metrics *metrics)
{
    const double rows = (double)metrics->n_real + (double)metrics->n_fake;
    if (calibration->outside || rows == 0)
        return;
    metrics->brier = metrics_sum_total(&calibration->brier) / rows;
    metrics->log_loss = metrics_sum_total(&calibration->log_loss) / rows;
    MetricsSum gaps = {0};
    for (int b = 0; b < METRICS_CALIBRATION_BINS; b++)
        metrics_sum_add(&gaps, fabs(metrics_sum_total(&calibration->bin_score[b]) -
                                    (double)calibration->bin_fakes[b]));
    metrics->ece = metrics_sum_total(&gaps) / rows;
}

void metrics_walk_begin(MetricsWalk *walk, uint64_t n_real, uint64_t n_fake, bool exact)
{
    *walk = (MetricsWalk){
        .n_real = n_real, .n_fake = n_fake, .exact = exact, .eer = NAN, .eer_threshold = NAN};
}

/* (FPR - (1 - TPR)) n_real n_fake. FPR - (1 - TPR) increases strictly from -1 to 1 on the ROC. */
static int64_t imbalance(const MetricsWalk *walk, uint64_t fp, uint64_t tp)
{
    return (int64_t)(fp * walk->n_fake + tp * walk->n_real) -
           (int64_t)(walk->n_real * walk->n_fake);
}

/* A threshold such that "score > threshold" separates two scores. */
static double between(double upper, double lower)
{
    const double middle = 0.5 * upper + 0.5 * lower;
    return middle < upper ? middle : lower; /* adjacent doubles */
}

/*
 * Called for the segment to vertex (fp, tp) at `score` that crosses FPR = 1 - TPR. The EER is the
 * crossing; the threshold belongs to the nearer end of the segment.
 */
static void cross_diagonal(MetricsWalk *walk, uint64_t fp, uint64_t tp, double score)
{
    const int64_t before = imbalance(walk, walk->fp, walk->tp), after = imbalance(walk, fp, tp);
    if (before >= 0 || after < 0)
        return;
    const double t = (double)-before / (double)(after - before); /* in (0,1] */
    walk->has_eer = true;
    walk->eer = ((double)walk->fp + t * (double)(fp - walk->fp)) / (double)walk->n_real;
    walk->threshold_open = after < -before;
    walk->eer_fp = walk->threshold_open ? fp : walk->fp;
    walk->eer_tp = walk->threshold_open ? tp : walk->tp;
    if (walk->threshold_open)
        walk->eer_threshold = score; /* used if no lower score follows */
    else
        walk->eer_threshold = walk->fp + walk->tp == 0 ? score : between(walk->last_score, score);
}

/* TPR times n_fake at `fpr` on the segment from the last vertex, whose FPR is at most `fpr`, to
 * (fp, tp). */
static double interpolate_tp(const MetricsWalk *walk, uint64_t fp, uint64_t tp, double fpr)
{
    const double t = (fpr * (double)walk->n_real - (double)walk->fp) / (double)(fp - walk->fp);
    /* fpr n_real is rounded: a point on the vertex must not move before it. */
    return (double)walk->tp + fmax(t, 0) * (double)(tp - walk->tp);
}

/* Handles the FPR points on the segment to (fp, tp): their TPRs, the end of the partial area. */
static void pass_points(MetricsWalk *walk, uint64_t fp, uint64_t tp)
{
    const double fpr = (double)fp / (double)walk->n_real;
    for (; walk->points < METRICS_FPR_POINTS && fpr > fpr_points[walk->points]; walk->points++)
        walk->tpr[walk->points] =
            interpolate_tp(walk, fp, tp, fpr_points[walk->points]) / (double)walk->n_fake;
    if (walk->points == METRICS_FPR_POINTS && fpr > PARTIAL_FPR) {
        const double end = interpolate_tp(walk, fp, tp, PARTIAL_FPR);
        const double width = PARTIAL_FPR - (double)walk->fp / (double)walk->n_real;
        walk->twice_partial = walk->twice_area;
        walk->partial_tail = 0.5 * width * ((double)walk->tp + end);
        walk->points++;
    }
}

/* Adds the finished group of equal 1 - score to the average precision of real. */
static void close_inverted(MetricsWalk *walk)
{
    const double reals = (double)(walk->n_real - walk->inverted_fp);
    const double rows = reals + (double)(walk->n_fake - walk->inverted_tp);
    metrics_sum_add(&walk->ap_real, (double)walk->inverted_reals * (reals / rows));
}

/*
 * Average precision of class real, scored by 1 - p_fake. The difference is rounded, so distinct
 * scores can tie; they are grouped as average_precision_score would group them, unless the walk is
 * exact. The precision of a group counts all rows with this or a lower p_fake.
 */
static void add_inverted(MetricsWalk *walk, const MetricsGroup *group)
{
    const double inverted = 1.0 - group->score;
    if (!walk->has_inverted || walk->exact || inverted != walk->inverted) {
        if (walk->has_inverted)
            close_inverted(walk);
        walk->has_inverted = true;
        walk->inverted = inverted;
        walk->inverted_reals = 0;
        walk->inverted_fp = walk->fp;
        walk->inverted_tp = walk->tp;
    }
    walk->inverted_reals += group->reals;
}

static void add_group(MetricsWalk *walk, const MetricsGroup *group, bool both)
{
    const uint64_t fp = walk->fp + group->reals, tp = walk->tp + group->fakes;
    if (walk->threshold_open) {
        walk->eer_threshold = between(walk->eer_threshold, group->score);
        walk->threshold_open = false;
    }
    if (group->score > 0.5) {
        walk->half_fp = fp;
        walk->half_tp = tp;
    }
    walk->repeated +=
        (group->reals > 0 ? group->reals - 1 : 0) + (group->fakes > 0 ? group->fakes - 1 : 0);
    if (group->reals > 0 && group->fakes > 0) {
        const bool saturated = group->score == 0 || group->score == 1;
        walk->tied_reals += group->reals;
        walk->tied_fakes += group->fakes;
        walk->saturated_reals += saturated ? group->reals : 0;
        walk->saturated_fakes += saturated ? group->fakes : 0;
    }
    if (both) {
        metrics_sum_add(&walk->ap, (double)group->fakes * ((double)tp / (double)(tp + fp)));
        add_inverted(walk, group);
        if (!walk->has_eer)
            cross_diagonal(walk, fp, tp, group->score);
        if (walk->points <= METRICS_FPR_POINTS)
            pass_points(walk, fp, tp);
        walk->twice_area += (fp - walk->fp) * (walk->tp + tp);
    }
    walk->last_score = group->score;
    walk->fp = fp;
    walk->tp = tp;
}

void metrics_walk_groups(MetricsWalk *walk, const MetricsGroup *groups, size_t count)
{
    const bool both = walk->n_real > 0 && walk->n_fake > 0;
    for (size_t i = 0; i < count; i++)
        if (groups[i].reals + groups[i].fakes > 0)
            add_group(walk, &groups[i], both);
}

/* Accuracy, balanced accuracy and macro F1 if fp reals and tp fakes are classified as fake. */
static void classify(const MetricsWalk *walk, uint64_t fp, uint64_t tp, double *accuracy,
                     double *balanced, double *f1_macro)
{
    const double reals = (double)walk->n_real, fakes = (double)walk->n_fake;
    const double hits = (double)tp, rejected = (double)(walk->n_real - fp);
    *accuracy = (hits + rejected) / (reals + fakes);
    if (walk->n_real == 0 || walk->n_fake == 0)
        return;
    *balanced = 0.5 * (rejected / reals + hits / fakes);
    *f1_macro = 0.5 * (2 * rejected / (reals + rejected + (fakes - hits)) +
                       2 * hits / (fakes + hits + (double)fp));
}

void metrics_walk_end(MetricsWalk *walk, Metrics *metrics)
{
    const double n_real = (double)walk->n_real, n_fake = (double)walk->n_fake;
    assert(walk->fp == walk->n_real && walk->tp == walk->n_fake);
    *metrics = metrics_undefined();
    metrics->n_real = (size_t)walk->n_real;
    metrics->n_fake = (size_t)walk->n_fake;
    metrics->repeated = (size_t)walk->repeated;
    metrics->tied[0] = (size_t)walk->tied_reals;
    metrics->tied[1] = (size_t)walk->tied_fakes;
    metrics->saturated[0] = (size_t)walk->saturated_reals;
    metrics->saturated[1] = (size_t)walk->saturated_fakes;
    if (walk->n_real + walk->n_fake == 0)
        return;
    classify(walk, walk->half_fp, walk->half_tp, &metrics->accuracy, &metrics->balanced_accuracy,
             &metrics->f1_macro);
    if (walk->n_real == 0 || walk->n_fake == 0)
        return;
    close_inverted(walk);
    metrics->auroc = (double)walk->twice_area / (2.0 * n_real * n_fake);
    metrics->ap = metrics_sum_total(&walk->ap) / n_fake;
    metrics->map = 0.5 * (metrics->ap + metrics_sum_total(&walk->ap_real) / n_real);
    metrics->eer = walk->eer;
    metrics->eer_threshold = walk->eer_threshold;
    classify(walk, walk->eer_fp, walk->eer_tp, &metrics->accuracy_at_eer,
             &metrics->balanced_accuracy_at_eer, &metrics->f1_macro_at_eer);
    memcpy(metrics->tpr_at_fpr, walk->tpr, sizeof metrics->tpr_at_fpr);
    const double area = (0.5 * (double)walk->twice_partial / n_real + walk->partial_tail) / n_fake;
    const double chance = 0.5 * PARTIAL_FPR * PARTIAL_FPR;
    metrics->partial_auroc = 0.5 * (1 + (area - chance) / (PARTIAL_FPR - chance));
}

void metrics_walk_thresholds(const Metrics *by_probability, Metrics *metrics)
{
    metrics->accuracy = by_probability->accuracy;
    metrics->balanced_accuracy = by_probability->balanced_accuracy;
    metrics->f1_macro = by_probability->f1_macro;
    metrics->eer_threshold = by_probability->eer_threshold;
    metrics->accuracy_at_eer = by_probability->accuracy_at_eer;
    metrics->balanced_accuracy_at_eer = by_probability->balanced_accuracy_at_eer;
    metrics->f1_macro_at_eer = by_probability->f1_macro_at_eer;
    metrics->saturated[0] = by_probability->saturated[0];
    metrics->saturated[1] = by_probability->saturated[1];
}

/* ---- all metrics ----------------------------------------------------------------------------- */

/* Two independent walks down the distinct scores. */
typedef struct Passes {
    const MetricsRanking *ranking;
    MetricsWalk walk;
    MetricsProbabilitySums sums;
} Passes;

static void pass(void *context, int task, int worker)
{
    enum { CHUNK = 256 };
    Passes *passes = context;
    (void)worker;
    MetricsRanking ranking = *passes->ranking; /* position in the ranking; memory is borrowed */
    MetricsWalk walk = passes->walk;           /* copies, to avoid false sharing between threads */
    MetricsProbabilitySums sums = {0};
    MetricsGroup groups[CHUNK];
    size_t count;
    do {
        for (count = 0; count < CHUNK; count++) {
            MetricsGroup *group = &groups[count];
            if (!metrics_ranking_next(&ranking, &group->score, &group->reals, &group->fakes))
                break;
            if (task == 1)
                add_probability(&sums, group);
        }
        if (task == 0)
            metrics_walk_groups(&walk, groups, count);
    } while (count == CHUNK);
    if (task == 0)
        passes->walk = walk;
    else
        passes->sums = sums;
}

/* All metrics of one sort order; `exact` as in metrics_walk_begin. */
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

/* ---- intervals ------------------------------------------------------------------------------- */

const char *metrics_interval_method_name(MetricsIntervalMethod method)
{
    static const char *const names[] = {
        [METRICS_INTERVAL_NONE] = "",
        [METRICS_INTERVAL_DELONG] = "delong_videos",
        [METRICS_INTERVAL_BOOTSTRAP] = "bootstrap_videos",
        [METRICS_INTERVAL_DELONG_ROWS] = "delong_rows",
        [METRICS_INTERVAL_BOOTSTRAP_ROWS] = "bootstrap_rows",
    };
    _Static_assert(sizeof names / sizeof names[0] == METRICS_INTERVAL_METHODS, "a name for each");
    return names[method];
}

MetricsIntervals metrics_intervals_none(void)
{
    MetricsIntervals none = {.auroc = METRICS_INTERVAL_NONE, .others = METRICS_INTERVAL_NONE};
    for (int i = 0; i < METRICS_NAMES; i++)
        none.of[i] = (MetricsInterval){NAN, NAN};
    return none;
}
