/*
 * test_curves.c - curves for drawing: exact where few points suffice, close where they are thinned.
 */
#include "tests/support.h"

#include "tensor/random.h"
#include "train/metrics/curves.h"

#include <math.h>

enum { MANY = 200000 };

static MetricsCurves curves_of(const double *scores, const uint8_t *labels, size_t n, int points)
{
    MetricsCurves curves;
    Error error = {0};
    ck_ok(metrics_curves(scores, NULL, labels, n, points, &curves, &error), &error);
    return curves;
}

static void check_points(const MetricsPoint *found, int count, const MetricsPoint *expected,
                         int wanted)
{
    ck_assert_int_eq(count, wanted);
    for (int i = 0; i < count; i++) {
        ck_close(found[i].x, expected[i].x, 1e-15);
        ck_close(found[i].y, expected[i].y, 1e-15);
    }
}

/* Few vertices: all of them, but those on a line between their neighbours. */
START_TEST(few_vertices_are_exact)
{
    const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.6, 0.2};
    const uint8_t labels[] = {1, 1, 0, 1, 0, 0};
    const MetricsPoint roc[] = {{0, 0}, {0, 2.0 / 3}, {1.0 / 3, 2.0 / 3}, {2.0 / 3, 1}, {1, 1}};
    const MetricsPoint pr[] = {{0, 1}, {2.0 / 3, 1}, {2.0 / 3, 2.0 / 3}, {1, 0.6}, {1, 0.5}};
    MetricsCurves curves = curves_of(scores, labels, 6, 100);
    check_points(curves.roc, curves.roc_count, roc, 5);
    check_points(curves.pr, curves.pr_count, pr, 5);
    metrics_curves_free(&curves);
    ck_assert(!curves.roc && !curves.pr);
}
END_TEST

static void fill(double *scores, uint8_t *labels, size_t n)
{
    Random random = random_stream(3, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) {
        labels[i] = random_uniform(&random) < 0.3;
        scores[i] = 1 / (1 + exp(-random_normal(&random) - 1.5 * labels[i]));
    }
}

/* How far a point is from a drawn curve. */
static double distance_to(const MetricsPoint *points, int count, MetricsPoint p)
{
    double nearest = INFINITY;
    for (int i = 1; i < count; i++) {
        const MetricsPoint a = points[i - 1], b = points[i];
        const double dx = b.x - a.x, dy = b.y - a.y;
        const double along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy);
        const double t = fmin(1, fmax(0, along));
        nearest = fmin(nearest, hypot(p.x - a.x - t * dx, p.y - a.y - t * dy));
    }
    return nearest;
}

/* Two hundred thousand vertices in 200 points: of a plot of 400 pixels, no vertex of the ROC is off
 * by a fifth of one. */
START_TEST(thinned_curves_stay_close)
{
    double *const scores = malloc(MANY * sizeof *scores);
    uint8_t *const labels = malloc(MANY);
    fill(scores, labels, MANY);
    MetricsCurves thin = curves_of(scores, labels, MANY, 200);
    MetricsCurves fine = curves_of(scores, labels, MANY, 4000);
    ck_assert(thin.roc_count <= 200 && thin.pr_count <= 200 && fine.roc_count > 200);
    ck_assert(thin.roc[0].x == 0 && thin.roc[0].y == 0);
    ck_assert(thin.roc[thin.roc_count - 1].x == 1 && thin.roc[thin.roc_count - 1].y == 1);
    ck_assert(thin.pr[thin.pr_count - 1].x == 1);
    for (int i = 1; i < thin.roc_count; i++)
        ck_each(thin.roc[i].x >= thin.roc[i - 1].x && thin.roc[i].y >= thin.roc[i - 1].y, "order");
    for (int i = 0; i < fine.roc_count; i++) {
        const double off = distance_to(thin.roc, thin.roc_count, fine.roc[i]);
        ck_each(off < 0.2 / 400, "ROC at %g off by %g", fine.roc[i].x, off);
    }
    for (int i = 0; i < fine.pr_count; i++) {
        const double off = distance_to(thin.pr, thin.pr_count, fine.pr[i]);
        ck_each(off < 1.0 / 400, "PR at %g off by %g", fine.pr[i].x, off);
    }
    /* The area under the drawn ROC is that of the exact one. */
    Metrics metrics;
    Error error = {0};
    ck_ok(metrics_compute(scores, labels, MANY, &metrics, &error), &error);
    double area = 0;
    for (int i = 1; i < thin.roc_count; i++)
        area += 0.5 * (thin.roc[i].x - thin.roc[i - 1].x) * (thin.roc[i].y + thin.roc[i - 1].y);
    ck_close(area, metrics.auroc, 2e-4);
    metrics_curves_free(&thin);
    metrics_curves_free(&fine);
    free(scores);
    free(labels);
}
END_TEST

/* Histogram and reliability hold every row, and the expected calibration error can be read off. */
START_TEST(histogram_and_reliability)
{
    enum { N = 5000 };
    static double scores[N];
    static uint8_t labels[N];
    fill(scores, labels, N);
    scores[0] = 1;
    scores[1] = 0;
    MetricsCurves curves = curves_of(scores, labels, N, 50);
    Metrics metrics;
    Error error = {0};
    ck_ok(metrics_compute(scores, labels, N, &metrics, &error), &error);
    size_t reals = 0, fakes = 0, rows = 0;
    double gaps = 0;
    for (int b = 0; b < METRICS_HISTOGRAM_BINS; b++) {
        reals += curves.real[b];
        fakes += curves.fake[b];
    }
    for (int b = 0; b < METRICS_CALIBRATION_BINS; b++) {
        const MetricsReliability *const bin = &curves.reliability[b];
        rows += bin->rows;
        gaps += (double)bin->rows * fabs(bin->mean_score - bin->fraction_fake);
    }
    ck_assert(reals == metrics.n_real && fakes == metrics.n_fake && rows == N);
    ck_assert(curves.has_reliability && curves.low == 0 && curves.real[0] + curves.fake[0] > 0);
    ck_close(gaps / N, metrics.ece, 1e-13);
    metrics_curves_free(&curves);
}
END_TEST

START_TEST(scores_that_are_no_probabilities)
{
    const double scores[] = {-1.7e308, 1.7e308, 0, 3}, tied[] = {7, 7, 7, 7};
    const uint8_t labels[] = {0, 1, 0, 1}, fakes[] = {1, 1, 1, 1};
    MetricsCurves curves = curves_of(scores, labels, 4, 50);
    ck_assert(!curves.has_reliability && curves.real[0] == 1 && isfinite(curves.width));
    ck_assert(curves.fake[METRICS_HISTOGRAM_BINS - 1] == 1 &&
              curves.real[20] + curves.fake[20] == 2);
    metrics_curves_free(&curves);
    curves = curves_of(tied, labels, 4, 50);
    ck_assert(curves.real[0] == 2 && curves.fake[0] == 2 && curves.roc_count == 2);
    metrics_curves_free(&curves);
    curves = curves_of(tied, fakes, 4, 50);
    ck_assert(!curves.roc && !curves.pr && curves.fake[0] == 4);
    metrics_curves_free(&curves);
    Error error = {0};
    ck_assert_int_eq(metrics_curves((double[]){NAN}, NULL, fakes, 1, 50, &curves, &error),
                     STATUS_FAILED);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("curves");
    TCase *const curves = support_case(suite, "curves", 60);
    tcase_add_test(curves, few_vertices_are_exact);
    tcase_add_test(curves, thinned_curves_stay_close);
    tcase_add_test(curves, histogram_and_reliability);
    tcase_add_test(curves, scores_that_are_no_probabilities);
    return support_main(suite);
}
