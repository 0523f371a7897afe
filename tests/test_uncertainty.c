/*
 * test_uncertainty.c - DeLong against his own definition and against resampling; the bootstrap
 * against resamples written out row by row; which interval goes where.
 */
#include "tests/support.h"

#include "tensor/random.h"
#include "train/metrics/bootstrap.h"
#include "train/metrics/delong.h"
#include "train/metrics/reports.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

enum { ROWS = 240 };

typedef struct Rows {
    int n;
    double scores[ROWS], others[ROWS];
    uint8_t labels[ROWS];
    uint32_t video[ROWS];
} Rows;

/* Scores of two detectors with ties (levels > 0) or without; fakes score higher. Four
 * rows a video. */
static Rows make_rows(uint64_t seed, int n, int levels, double shift)
{
    Rows rows = {.n = n};
    Random random = random_stream(seed, RANDOM_TEST, 0, 0);
    for (int i = 0; i < n; i++) {
        rows.video[i] = (uint32_t)i / 4;
        rows.labels[i] = rows.video[i] % 3 == 0;
        const double common = random_normal(&random) + shift * rows.labels[i];
        rows.scores[i] = common + 0.5 * random_normal(&random);
        rows.others[i] = common + random_normal(&random);
        if (levels > 0) {
            rows.scores[i] = floor(rows.scores[i] * levels) / levels;
            rows.others[i] = floor(rows.others[i] * levels) / levels;
        }
    }
    return rows;
}

static double kernel(double fake, double real)
{
    return fake > real ? 1 : fake == real ? 0.5 : 0;
}

/* DeLong's covariance of two AUROCs, word for word: every pair counted (1988, equations 4 to 6). */
static double plain_covariance(const double *a, const double *b, const uint8_t *labels, int n)
{
    double total = 0;
    for (int of = 0; of < 2; of++) {
        double va[ROWS], vb[ROWS], mean_a = 0, mean_b = 0, sum = 0;
        int count = 0;
        for (int i = 0; i < n; i++) {
            if (labels[i] != of)
                continue;
            double pa = 0, pb = 0;
            int pairs = 0;
            for (int j = 0; j < n; j++) {
                if (labels[j] == of)
                    continue;
                pa += of ? kernel(a[i], a[j]) : kernel(a[j], a[i]);
                pb += of ? kernel(b[i], b[j]) : kernel(b[j], b[i]);
                pairs++;
            }
            va[count] = pa / pairs;
            vb[count] = pb / pairs;
            mean_a += va[count];
            mean_b += vb[count++];
        }
        for (int i = 0; i < count; i++)
            sum += (va[i] - mean_a / count) * (vb[i] - mean_b / count);
        total += sum / (count - 1) / count;
    }
    return total;
}

static MetricsDelong delong_of(const double *scores, const uint8_t *labels, int n,
                               double *placements)
{
    Error error = {0};
    ck_ok(metrics_placements(scores, labels, (size_t)n, placements, &error), &error);
    return metrics_delong(placements, labels, (size_t)n);
}

START_TEST(delong_equals_its_definition)
{
    const int levels[] = {0, 1, 4, 50};
    for (uint64_t seed = 0; seed < 40; seed++) {
        const Rows rows =
            make_rows(seed, 20 + (int)(seed * 5), levels[seed % 4], 0.3 * (double)(seed % 6));
        double a[ROWS], b[ROWS];
        const MetricsDelong of_a = delong_of(rows.scores, rows.labels, rows.n, a);
        const MetricsDelong of_b = delong_of(rows.others, rows.labels, rows.n, b);
        Metrics metrics;
        Error error = {0};
        ck_ok(metrics_compute(rows.scores, rows.labels, (size_t)rows.n, &metrics, &error), &error);
        ck_close(of_a.auroc, metrics.auroc, 1e-14);
        const double va = plain_covariance(rows.scores, rows.scores, rows.labels, rows.n);
        const double vb = plain_covariance(rows.others, rows.others, rows.labels, rows.n);
        const double vab = plain_covariance(rows.scores, rows.others, rows.labels, rows.n);
        ck_close(of_a.variance, va, 1e-15);
        ck_close(of_b.variance, vb, 1e-15);
        const MetricsDifference d = metrics_delong_difference(a, b, rows.labels, (size_t)rows.n);
        ck_close(d.difference, of_b.auroc - of_a.auroc, 1e-14);
        const double deviation = sqrt(va + vb - 2 * vab);
        ck_close(d.interval.upper - d.difference, 1.959963984540054 * deviation, 1e-13);
        ck_close(d.p, erfc(fabs(d.difference) / deviation / sqrt(2)), 1e-11);

        const MetricsInterval interval = metrics_delong_interval(&of_a);
        const double logit = log(of_a.auroc / (1 - of_a.auroc));
        const double reach = 1.959963984540054 * sqrt(va) / (of_a.auroc * (1 - of_a.auroc));
        ck_close(log(interval.lower / (1 - interval.lower)), logit - reach, 1e-12);
        ck_close(log(interval.upper / (1 - interval.upper)), logit + reach, 1e-12);
    }
}
END_TEST

/* Five fakes and five reals, by hand: placements 1, 1, .8, .8, .6 and 1, 1, 1, .8, .4. */
START_TEST(delong_by_hand)
{
    const double scores[] = {0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.8, 0.6, 0.55, 0.4};
    const uint8_t labels[] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    const double expected[] = {1, 1, 1, 0.8, 0.4, 1, 1, 0.8, 0.8, 0.6};
    double placements[10];
    const MetricsDelong found = delong_of(scores, labels, 10, placements);
    for (int i = 0; i < 10; i++)
        ck_close(placements[i], expected[i], 1e-15);
    /* Squares about 0.84: 0.272 of the reals, 0.112 of the fakes; over 4 and 5. */
    ck_close(found.auroc, 0.84, 1e-15);
    ck_close(found.variance, (0.272 + 0.112) / 4 / 5, 1e-15);
}
END_TEST

/*
 * The worked example of the textbooks: 109 computed tomograms rated 1 to 5 (Hanley and McNeil,
 * Radiology 143 (1982) 29, table I). Area 0.8932, DeLong's standard error 0.0307, interval 0.83295
 * to 0.95339 (Stata's manual of roctab).
 */
START_TEST(delong_of_hanley_and_mcneil)
{
    enum { IMAGES = 109, RATINGS = 5 };
    static const int counts[2][RATINGS] = {{33, 6, 6, 11, 2}, {3, 2, 2, 11, 33}};
    double scores[IMAGES], placements[IMAGES];
    uint8_t labels[IMAGES];
    int n = 0;
    for (int label = 0; label < 2; label++)
        for (int rating = 0; rating < RATINGS; rating++)
            for (int i = 0; i < counts[label][rating]; i++, n++) {
                scores[n] = rating + 1;
                labels[n] = (uint8_t)label;
            }
    ck_assert_int_eq(n, IMAGES);
    const MetricsDelong delong = delong_of(scores, labels, IMAGES, placements);
    const double sd = sqrt(delong.variance);
    ck_close(delong.auroc, 0.8932, 5e-5);
    ck_close(sd, 0.0307, 5e-5);
    ck_close(delong.auroc - 1.959964 * sd, 0.83295, 5e-6);
    ck_close(delong.auroc + 1.959964 * sd, 0.95339, 5e-6);
}
END_TEST

START_TEST(delong_at_its_limits)
{
    double placements[8];
    const uint8_t labels[] = {0, 0, 0, 0, 1, 1, 1, 1};
    const double perfect[] = {1, 2, 3, 4, 5, 6, 7, 8}, inverted[] = {8, 7, 6, 5, 4, 3, 2, 1};
    MetricsDelong found = delong_of(perfect, labels, 8, placements);
    ck_assert(found.auroc == 1 && found.variance == 0);
    const MetricsInterval top = metrics_delong_interval(&found);
    ck_assert(top.upper == 1 && top.lower > 0.5 && top.lower < 0.95);
    found = delong_of(inverted, labels, 8, placements);
    const MetricsInterval bottom = metrics_delong_interval(&found);
    ck_assert(bottom.lower == 0);
    ck_close(bottom.upper, 1 - top.lower, 1e-12);
    const MetricsDelong two = {.n_real = 2, .n_fake = 2, .auroc = 1, .variance = 0};
    ck_assert(metrics_delong_interval(&two).lower < 0.45); /* four pairs prove little */
    const MetricsDelong many = {.n_real = 400, .n_fake = 400, .auroc = 1, .variance = 0};
    ck_assert(metrics_delong_interval(&many).lower > 0.98);
    const MetricsDifference none = metrics_delong_difference(placements, placements, labels, 8);
    ck_assert(none.difference == 0 && none.p == 1);
    /* A constant score beside a perfect one used to get p = 0, from two rows of a class as from a
     * thousand. */
    const double constant[] = {3, 3, 3, 3, 3, 3, 3, 3};
    double others[8];
    found = delong_of(perfect, labels, 8, placements);
    found = delong_of(constant, labels, 8, others);
    const MetricsDifference same = metrics_delong_difference(placements, others, labels, 8);
    ck_assert(same.difference == -0.5 && isnan(same.p));
    ck_assert(isnan(same.interval.lower) && isnan(same.interval.upper));
    /* Placements of 1/3 and 1/7 have means that are rounded: still no variance. */
    for (int i = 0; i < 8; i++) {
        placements[i] = 1.0 / 3;
        others[i] = 1.0 / 7;
    }
    ck_assert(isnan(metrics_delong_difference(placements, others, labels, 8).p));
    ck_assert(metrics_delong_difference(placements, placements, labels, 8).p == 1);

    const uint8_t lone[] = {0, 0, 0, 1}, single[] = {1, 1, 1, 1};
    found = delong_of(perfect, lone, 4, placements);
    ck_assert(isnan(found.variance) && isnan(metrics_delong_interval(&found).lower));
    Error error = {0};
    ck_assert_int_eq(metrics_placements(perfect, single, 4, placements, &error), STATUS_FAILED);
}
END_TEST

/* Independent rows, drawn 20,000 times: the spread of the AUROC is DeLong's, but for the
 * bootstrap's factor (n - 1) / n. */
START_TEST(delong_equals_resampling)
{
    enum { RESAMPLES = 20000 };
    const Rows rows = make_rows(77, ROWS, 0, 1.5);
    double placements[ROWS];
    const MetricsDelong delong = delong_of(rows.scores, rows.labels, rows.n, placements);
    double *const values = malloc(METRICS_NAMES * RESAMPLES * sizeof *values);
    MetricsSample *sample = NULL;
    Error error = {0};
    ck_ok(metrics_sample_create(&sample, rows.scores, NULL, rows.labels, NULL, ROWS, &error),
          &error);
    const MetricsClusters clusters = {ROWS, rows.labels, true};
    const MetricsDraw draw = {RESAMPLES, 3, "a", NULL};
    ck_ok(metrics_bootstrap((const MetricsSample *const[]){sample}, 1, &clusters, &draw, values,
                            &error),
          &error);
    double mean = 0, squares = 0;
    for (int r = 0; r < RESAMPLES; r++)
        mean += values[METRICS_AUROC * RESAMPLES + r] / RESAMPLES;
    for (int r = 0; r < RESAMPLES; r++)
        squares += pow(values[METRICS_AUROC * RESAMPLES + r] - mean, 2) / RESAMPLES;
    ck_close(mean, delong.auroc, 1e-3);
    const double ratio = sqrt(squares / delong.variance);
    ck_assert_msg(fabs(ratio - 1) < 0.02, "bootstrap / DeLong = %g", ratio);
    const MetricsInterval by_delong = metrics_delong_interval(&delong);
    const MetricsInterval by_draws =
        metrics_percentile_interval(values + METRICS_AUROC * RESAMPLES, RESAMPLES);
    ck_assert(fabs(by_delong.lower - by_draws.lower) < 0.006);
    ck_assert(fabs(by_delong.upper - by_draws.upper) < 0.006);
    metrics_sample_free(sample);
    free(values);
}
END_TEST

/* Every metric of a resample is that of its rows written out as often as they were drawn. */
START_TEST(resamples_equal_rows_written_out)
{
    const bool saturated = _i == 1; /* p_fake is 0 or 1 in f32, and margins rank */
    enum { RESAMPLES = 50, VIDEOS = ROWS / 4 };
    static double values[METRICS_NAMES * RESAMPLES];
    Rows rows = make_rows(5, ROWS, 8, 1);
    double margins[ROWS];
    for (int i = 0; i < ROWS; i++) {
        margins[i] = (saturated ? 300 : 1) * rows.scores[i];
        const float fake = (float)(1 / (1 + exp(-margins[i])));
        rows.scores[i] = saturated ? (double)fake : 1 / (1 + exp(-margins[i]));
    }
    uint8_t video_labels[VIDEOS];
    for (int v = 0; v < VIDEOS; v++)
        video_labels[v] = rows.labels[4 * v];
    MetricsSample *sample = NULL;
    Error error = {0};
    ck_ok(metrics_sample_create(&sample, rows.scores, saturated ? margins : NULL, rows.labels,
                                rows.video, ROWS, &error),
          &error);
    const MetricsClusters clusters = {VIDEOS, video_labels, false};
    const MetricsDraw draw = {RESAMPLES, 9, "b", NULL};
    ck_ok(metrics_bootstrap((const MetricsSample *const[]){sample}, 1, &clusters, &draw, values,
                            &error),
          &error);
    for (uint32_t r = 0; r < RESAMPLES; r++) {
        /* As bootstrap.h tells: the reals in their order first, then the fakes. */
        Random random = random_stream(9, RANDOM_BOOTSTRAP, r, (uint32_t)XXH3_64bits("b", 1));
        double scores[ROWS], ranks[ROWS];
        uint8_t labels[ROWS];
        int n = 0;
        for (int label = 0; label < 2; label++) {
            int members[VIDEOS], count = 0;
            for (int v = 0; v < VIDEOS; v++)
                if (video_labels[v] == label)
                    members[count++] = v;
            for (int k = 0; k < count; k++) {
                const int video = members[random_below(&random, (uint32_t)count)];
                for (int f = 0; f < 4; f++) {
                    labels[n] = (uint8_t)label;
                    ranks[n] = margins[4 * video + f];
                    scores[n++] = rows.scores[4 * video + f];
                }
            }
        }
        Metrics metrics;
        ck_ok(
            metrics_on(NULL, scores, saturated ? ranks : NULL, labels, (size_t)n, &metrics, &error),
            &error);
        for (int m = 0; m < METRICS_NAMES; m++)
            ck_each(fabs(values[(uint32_t)m * RESAMPLES + r] - metrics_value(&metrics, m)) < 1e-13,
                    "resample %lu, %s: %.17g, expected %.17g", (unsigned long)r,
                    metrics_names[m].name, values[(uint32_t)m * RESAMPLES + r],
                    metrics_value(&metrics, m));
    }
    metrics_sample_free(sample);
}
END_TEST

START_TEST(percentiles)
{
    double values[] = {4, NAN, 1, 3, 2, 0, NAN};
    const MetricsInterval found = metrics_percentile_interval(values, 7);
    ck_close(found.lower, 0.1, 1e-15);
    ck_close(found.upper, 3.9, 1e-15);
    double undefined[] = {NAN, NAN, 1};
    ck_assert(isnan(metrics_percentile_interval(undefined, 3).lower));
}
END_TEST

/* Areas: Student's factor on the logit scale; values at the end of the scale count
 * as nearly there. */
START_TEST(logit_intervals)
{
    const double logits[] = {1.5, 2.5, 2, 3, 1};
    double values[6] = {NAN};
    for (int i = 0; i < 5; i++)
        values[i + 1] = 1 / (1 + exp(-logits[i]));
    const MetricsInterval found =
        metrics_logit_interval(1 / (1 + exp(-2.2)), values, 6, (size_t[]){31, 40});
    const double reach =
        2.0422724563 * sqrt(2.5 / 4); /* t of 30 degrees; squares of 0, .5, .5, 1, 1 */
    ck_close(log(found.lower / (1 - found.lower)), 2.2 - reach, 1e-5);
    ck_close(log(found.upper / (1 - found.upper)), 2.2 + reach, 1e-5);
    double ends[] = {1, 0.5, 1, 0.75};
    const MetricsInterval clipped = metrics_logit_interval(0.9, ends, 4, (size_t[]){10, 10});
    ck_assert(clipped.lower > 0 && clipped.lower < 0.9 && clipped.upper > 0.9 && clipped.upper < 1);
    /* Nearer to 1 than half a pair of clusters: the interval keeps its width. */
    double nearly[] = {1, 0.9999, 0.9998, 0.9999};
    const MetricsInterval near = metrics_logit_interval(0.9999, nearly, 4, (size_t[]){10, 10});
    ck_assert(near.lower < 0.9998 && near.upper > 0.99995 && near.upper < 1);
    /* Few clusters: t of 1, 9 and 10 degrees. */
    const double factors[] = {12.7062047, 2.2621572, 2.2281389};
    const size_t counts[] = {2, 10, 11};
    for (int i = 0; i < 3; i++) {
        double pair[] = {1 / (1 + exp(-1)), 1 / (1 + exp(1))};
        const MetricsInterval few =
            metrics_logit_interval(0.5, pair, 2, (size_t[]){counts[i], counts[i]});
        ck_close(log(few.upper / (1 - few.upper)), factors[i] * sqrt(2), 3e-4);
    }
    double perfect[] = {1, 1, 1, 0.75};
    ck_assert(metrics_logit_interval(1, perfect, 4, (size_t[]){10, 10}).upper == 1);
}
END_TEST

/* A table of videos x frames; videos 3 k are fake, of two sources. */
static MetricsPredictions make_table(int videos, int frames, bool with_files)
{
    MetricsPredictions table = metrics_predictions_empty();
    Random random = random_stream(1, RANDOM_TEST, 2, 0);
    Error error = {0};
    for (int v = 0; v < videos; v++) {
        const int label = v % 3 == 0;
        const double own = random_normal(&random) + label;
        for (int f = 0; f < frames; f++) {
            char file[64];
            snprintf(file, sizeof file, "d/%s/%d/%d.png",
                     !label  ? "real"
                     : v % 2 ? "swap"
                             : "face",
                     v, f);
            const MetricsPrediction row = {.file = with_files ? file : NULL,
                                           .dataset = "X",
                                           .label = label,
                                           .fake = 1 / (1 + exp(-own - random_normal(&random)))};
            ck_ok(metrics_predictions_append(&table, &row, &error), &error);
        }
    }
    return table;
}

static MetricsReport *report_with(const MetricsPredictions *table,
                                  const MetricsUncertainty *settings)
{
    MetricsReport *reports = NULL;
    int count = 0;
    Error error = {0};
    ck_ok(metrics_reports_with(table, settings, &reports, &count, &error), &error);
    ck_assert_int_eq(count, 1);
    return reports;
}

START_TEST(every_level_has_its_method)
{
    MetricsPredictions table = make_table(90, 5, true);
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.resamples = 200;
    MetricsReport *report = report_with(&table, &settings);
    ck_assert_int_eq(report->frame_ci.auroc, METRICS_INTERVAL_BOOTSTRAP);
    ck_assert_int_eq(report->frame_ci.others, METRICS_INTERVAL_BOOTSTRAP);
    ck_assert_int_eq(report->video_ci.auroc, METRICS_INTERVAL_DELONG);
    ck_assert_int_eq(report->video_median_ci.auroc, METRICS_INTERVAL_DELONG);
    ck_assert_int_eq(report->video_ci.others, METRICS_INTERVAL_BOOTSTRAP);
    ck_assert_int_eq(report->source_count, 2);
    ck_assert_int_eq(report->sources[1].video_ci.auroc, METRICS_INTERVAL_DELONG);
    for (int m = 0; m < METRICS_NAMES; m++) {
        const MetricsInterval f = report->frame_ci.of[m], v = report->video_ci.of[m];
        ck_assert_msg(f.lower < f.upper && v.lower <= v.upper, "%s", metrics_names[m].name);
        if (m != METRICS_ECE) /* that of a resample is biased upwards */
            ck_assert_msg(f.lower <= metrics_value(&report->frame, m) &&
                              metrics_value(&report->frame, m) <= f.upper,
                          "%s", metrics_names[m].name);
    }
    /* Frames within a video agree, so taking them for independent rows would promise too much. */
    MetricsPredictions bare = make_table(90, 5, false);
    MetricsReport *const rows = report_with(&bare, &settings);
    ck_assert_int_eq(rows->frame_ci.auroc, METRICS_INTERVAL_DELONG_ROWS);
    ck_assert_int_eq(rows->frame_ci.others, METRICS_INTERVAL_BOOTSTRAP_ROWS);
    const MetricsInterval wide = report->frame_ci.of[METRICS_AUROC];
    const MetricsInterval narrow = rows->frame_ci.of[METRICS_AUROC];
    ck_assert(narrow.upper - narrow.lower < 0.8 * (wide.upper - wide.lower));
    metrics_reports_free(rows, 1);
    metrics_predictions_free(&bare);

    settings.mode = METRICS_CI_OFF;
    MetricsReport *const off = report_with(&table, &settings);
    ck_assert(off->frame_ci.auroc == METRICS_INTERVAL_NONE && isnan(off->frame_ci.of[0].lower));
    ck_assert(off->frame.auroc == report->frame.auroc && !off->ci_left_out);
    metrics_reports_free(off, 1);
    metrics_reports_free(report, 1);
    metrics_predictions_free(&table);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    MetricsPredictions table = make_table(40, 6, true);
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.resamples = 150;
    MetricsReport *const alone = report_with(&table, &settings);
    Error error = {0};
    ck_ok(threads_create(&settings.threads, 3, &error), &error);
    MetricsReport *const shared = report_with(&table, &settings);
    ck_assert_mem_eq(&alone->frame_ci, &shared->frame_ci, sizeof alone->frame_ci);
    ck_assert_mem_eq(&alone->video_ci, &shared->video_ci, sizeof alone->video_ci);
    settings.seed = 1;
    MetricsReport *const other = report_with(&table, &settings);
    ck_assert(other->frame_ci.of[METRICS_AP].lower != alone->frame_ci.of[METRICS_AP].lower);
    metrics_reports_free(alone, 1);
    metrics_reports_free(shared, 1);
    metrics_reports_free(other, 1);
    threads_destroy(settings.threads);
    metrics_predictions_free(&table);
}
END_TEST

/* Frames in perfect order: no resample differs, but so few videos do not prove an AUROC of 1. */
START_TEST(perfect_frames_claim_no_certainty)
{
    MetricsPredictions table = make_table(30, 5, true);
    for (size_t i = 0; i < table.count; i++)
        table.scores[i] = 0.5 * table.scores[i] + 0.5 * table.labels[i];
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.resamples = 100;
    MetricsReport *const report = report_with(&table, &settings);
    ck_assert(report->frame.auroc == 1 && report->video.auroc == 1);
    ck_assert(report->frame_ci.of[METRICS_AUROC].lower == report->video_ci.of[METRICS_AUROC].lower);
    ck_assert(report->frame_ci.of[METRICS_AUROC].lower < 0.9);
    ck_assert_int_eq(report->frame_ci.auroc, METRICS_INTERVAL_DELONG);
    ck_assert_int_eq(report->frame_ci.others, METRICS_INTERVAL_BOOTSTRAP);
    metrics_reports_free(report, 1);
    metrics_predictions_free(&table);
}
END_TEST

/* One score that is no probability: no calibration and no interval of it, whether a resample draws
 * that row or not. */
START_TEST(no_probabilities_no_calibration)
{
    MetricsPredictions table = make_table(40, 5, true);
    table.scores[7] = 1.5;
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.resamples = 100;
    MetricsReport *const report = report_with(&table, &settings);
    for (int m = METRICS_BRIER; m <= METRICS_ECE; m++) {
        ck_assert(isnan(metrics_value(&report->frame, m)));
        ck_assert(isnan(report->frame_ci.of[m].lower) && isnan(report->frame_ci.of[m].upper));
    }
    ck_assert(isfinite(report->frame_ci.of[METRICS_AP].lower));
    metrics_reports_free(report, 1);
    metrics_predictions_free(&table);
}
END_TEST

/* One fake video has no spread; a million rows and one are too many unless asked for. */
START_TEST(where_there_is_no_interval)
{
    MetricsPredictions table = make_table(3, 4, true);
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    MetricsReport *const report = report_with(&table, &settings);
    ck_assert_int_eq(report->video_ci.auroc, METRICS_INTERVAL_NONE);
    ck_assert_int_eq(report->frame_ci.others, METRICS_INTERVAL_NONE);
    ck_assert(isfinite(report->frame.auroc) && isnan(report->frame_ci.of[METRICS_AUROC].upper));
    metrics_reports_free(report, 1);
    metrics_predictions_free(&table);
    ck_assert(metrics_uncertainty_resamples(&settings, 1000000));
    ck_assert(!metrics_uncertainty_resamples(&settings, 1000001));
    settings.mode = METRICS_CI_ON;
    ck_assert(metrics_uncertainty_resamples(&settings, 1000001));
    settings.mode = METRICS_CI_OFF;
    ck_assert(!metrics_uncertainty_resamples(&settings, 10));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("uncertainty");
    TCase *const delong = support_case(suite, "DeLong", 60);
    tcase_add_test(delong, delong_equals_its_definition);
    tcase_add_test(delong, delong_by_hand);
    tcase_add_test(delong, delong_of_hanley_and_mcneil);
    tcase_add_test(delong, delong_at_its_limits);
    tcase_add_test(delong, delong_equals_resampling);
    TCase *const bootstrap = support_case(suite, "bootstrap", 60);
    tcase_add_loop_test(bootstrap, resamples_equal_rows_written_out, 0, 2);
    tcase_add_test(bootstrap, percentiles);
    tcase_add_test(bootstrap, logit_intervals);
    TCase *const reports = support_case(suite, "reports", 120);
    tcase_add_test(reports, every_level_has_its_method);
    tcase_add_test(reports, threads_change_no_bit);
    tcase_add_test(reports, no_probabilities_no_calibration);
    tcase_add_test(reports, perfect_frames_claim_no_certainty);
    tcase_add_test(reports, where_there_is_no_interval);
    return support_main(suite);
}
