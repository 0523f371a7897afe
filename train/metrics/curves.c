/*
 * curves.c - see curves.h.
 *
 * A curve is first reduced to four vertices in each of 4,096 columns (first, lowest, highest, last:
 * no visible change), then simplified by the Ramer-Douglas-Peucker rule: the segment with the
 * largest distance is split until the number of points is reached.
 */
#include "train/metrics/curves.h"

#include "tensor/base/mem.h"
#include "train/metrics/metrics_private.h"
#include "train/metrics/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4096, COLUMN_POINTS = 4, CUT_POINTS = COLUMN_POINTS * (COLUMNS + 1) + 2 };

/* A curve under construction; vertices arrive in order of x. */
typedef struct Cut {
    MetricsPoint *points; /* [CUT_POINTS] */
    int count;
    int column;                       /* column of the vertices in `open`; -1: none yet */
    MetricsPoint open[COLUMN_POINTS]; /* first, lowest, highest, last of the column */
    size_t order[COLUMN_POINTS];      /* arrival number of each */
    size_t arrived;
} Cut;

/* Appends the vertices of the open column in order of arrival, without duplicates. */
static void close_column(Cut *cut)
{
    size_t after = 0;
    for (int round = 0; round < COLUMN_POINTS && cut->column >= 0; round++) {
        int next = -1;
        for (int i = 0; i < COLUMN_POINTS; i++)
            if (cut->order[i] > after && (next < 0 || cut->order[i] < cut->order[next]))
                next = i;
        if (next < 0)
            break;
        after = cut->order[next];
        cut->points[cut->count++] = cut->open[next];
    }
    cut->column = -1;
}

static void add_vertex(Cut *cut, double x, double y)
{
    const MetricsPoint point = {x, y};
    const int column = (int)(x * COLUMNS);
    cut->arrived++;
    if (column != cut->column) {
        close_column(cut);
        cut->column = column;
        for (int i = 0; i < COLUMN_POINTS; i++) {
            cut->open[i] = point;
            cut->order[i] = cut->arrived;
        }
        return;
    }
    const bool replaced[COLUMN_POINTS] = {false, y<cut->open[1].y, y> cut->open[2].y, true};
    for (int i = 0; i < COLUMN_POINTS; i++)
        if (replaced[i]) {
            cut->open[i] = point;
            cut->order[i] = cut->arrived;
        }
}

/* Distance of a point from the segment ab. */
static double distance(MetricsPoint p, MetricsPoint a, MetricsPoint b)
{
    const double dx = b.x - a.x, dy = b.y - a.y, squared = dx * dx + dy * dy;
    const double along =
        squared > 0 ? fmin(1, fmax(0, ((p.x - a.x) * dx + (p.y - a.y) * dy) / squared)) : 0;
    return hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

/* A segment between two kept vertices, and the farthest vertex between them. */
typedef struct Segment {
    int begin, end, worst;
    double error;
} Segment;

static Segment measure(const MetricsPoint *points, int begin, int end)
{
    Segment segment = {.begin = begin, .end = end, .worst = -1, .error = 0};
    for (int i = begin + 1; i < end; i++) {
        const double error = distance(points[i], points[begin], points[end]);
        if (error > segment.error) {
            segment.error = error;
            segment.worst = i;
        }
    }
    return segment;
}

static int compare_indices(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Keeps at most `limit` of points [count], including both ends, and moves them to the front. False
 * if out of memory. */
static bool thin(MetricsPoint *points, int *count, int limit)
{
    if (*count <= 2)
        return true;
    Segment *segments = malloc((size_t)limit * sizeof *segments);
    int *kept = malloc((size_t)limit * sizeof *kept);
    int segment_count = 1, kept_count = 2;
    if (!segments || !kept) {
        free(segments);
        free(kept);
        return false;
    }
    kept[0] = 0;
    kept[1] = *count - 1;
    segments[0] = measure(points, 0, *count - 1);
    while (kept_count < limit) {
        int worst = 0;
        for (int i = 1; i < segment_count; i++)
            worst = segments[i].error > segments[worst].error ? i : worst;
        const Segment split = segments[worst];
        if (split.worst < 0)
            break; /* all dropped vertices are on the line */
        kept[kept_count++] = split.worst;
        segments[worst] = measure(points, split.begin, split.worst);
        segments[segment_count++] = measure(points, split.worst, split.end);
    }
    qsort(kept, (size_t)kept_count, sizeof *kept, compare_indices);
    for (int i = 0; i < kept_count; i++)
        points[i] = points[kept[i]];
    *count = kept_count;
    free(segments);
    free(kept);
    return true;
}

/* Finishes a curve: simplified, in memory of exact size. */
static bool finish(Cut *cut, int limit, MetricsPoint **points, int *count)
{
    close_column(cut);
    if (!thin(cut->points, &cut->count, limit))
        return false;
    *points = malloc((size_t)cut->count * sizeof **points);
    if (*points)
        memcpy(*points, cut->points, (size_t)cut->count * sizeof **points);
    *count = cut->count;
    return *points != NULL;
}

/* Computes ROC and precision-recall curve from the distinct scores. */
static bool draw_curves(MetricsRanking *ranking, int limit, MetricsCurves *curves)
{
    const double n_real = (double)ranking->n_real, n_fake = (double)ranking->n_fake;
    Cut roc = {.points = malloc(CUT_POINTS * sizeof *roc.points), .column = -1};
    Cut pr = {.points = malloc(CUT_POINTS * sizeof *pr.points), .column = -1};
    bool complete = roc.points && pr.points;
    if (complete) {
        double score;
        uint64_t reals, fakes, fp = 0, tp = 0;
        add_vertex(&roc, 0, 0);
        add_vertex(&pr, 0, 1);
        while (metrics_ranking_next(ranking, &score, &reals, &fakes)) {
            fp += reals;
            tp += fakes;
            add_vertex(&roc, (double)fp / n_real, (double)tp / n_fake);
            add_vertex(&pr, (double)tp / n_fake, (double)tp / (double)(tp + fp));
        }
        complete = finish(&roc, limit, &curves->roc, &curves->roc_count) &&
                   finish(&pr, limit, &curves->pr, &curves->pr_count);
    }
    free(roc.points);
    free(pr.points);
    return complete;
}

static void fill_histogram(const double *scores, const uint8_t *labels, size_t n,
                           MetricsCurves *curves)
{
    double low = scores[0], high = scores[0];
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, scores[i]);
        high = fmax(high, scores[i]);
    }
    curves->has_reliability = low >= 0 && high <= 1;
    curves->low = curves->has_reliability ? 0 : low;
    /* Computed by halves, so that the width is finite for any doubles. Equal scores: any width. */
    const double width = curves->has_reliability
                             ? 1.0 / METRICS_HISTOGRAM_BINS
                             : (0.5 * high - 0.5 * low) / (0.5 * METRICS_HISTOGRAM_BINS);
    curves->width = width > 0 ? width : 1;
    for (size_t i = 0; i < n; i++) {
        const double at = scores[i] / curves->width - curves->low / curves->width;
        const int bin = at < METRICS_HISTOGRAM_BINS ? (int)fmax(at, 0) : METRICS_HISTOGRAM_BINS - 1;
        (labels[i] ? curves->fake : curves->real)[bin]++;
    }
}

static void fill_reliability(const double *scores, const uint8_t *labels, size_t n,
                             MetricsCurves *curves)
{
    MetricsSum sums[METRICS_CALIBRATION_BINS] = {{0, 0}};
    size_t fakes[METRICS_CALIBRATION_BINS] = {0};
    for (size_t i = 0; i < n && curves->has_reliability; i++) {
        const int bin = metrics_calibration_bin(scores[i]);
        metrics_sum_add(&sums[bin], scores[i]);
        curves->reliability[bin].rows++;
        fakes[bin] += labels[i];
    }
    for (int b = 0; b < METRICS_CALIBRATION_BINS; b++) {
        MetricsReliability *bin = &curves->reliability[b];
        bin->mean_score =
            bin->rows > 0 ? metrics_sum_total(&sums[b]) / (double)bin->rows : (double)NAN;
        bin->fraction_fake = bin->rows > 0 ? (double)fakes[b] / (double)bin->rows : (double)NAN;
    }
}

Status metrics_curves(const double *scores, const double *ranks, const uint8_t *labels, size_t n,
                      int points, MetricsCurves *curves, Error *error)
{
    assert(curves && points >= 8);
    *curves = (MetricsCurves){0};
    MetricsRanking ranking;
    TRY(metrics_ranking_create(&ranking, NULL, ranks ? ranks : scores, labels, n, error));
    const bool both = ranking.n_real > 0 && ranking.n_fake > 0;
    const bool complete = !both || draw_curves(&ranking, points, curves);
    metrics_ranking_free(&ranking);
    if (!complete) {
        metrics_curves_free(curves);
        return mem_full(0, "the curves", error);
    }
    fill_histogram(scores, labels, n, curves);
    fill_reliability(scores, labels, n, curves);
    return STATUS_OK;
}

void metrics_curves_free(MetricsCurves *curves)
{
    free(curves->roc);
    free(curves->pr);
    *curves = (MetricsCurves){0};
}
