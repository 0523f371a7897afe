/*
 * test_paired.c - two score files of the same rows: matched, compared, or refused.
 */
#include "tests/support.h"

#include "tensor/random.h"
#include "train/metrics/paired.h"
#include "train/metrics/reports.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VIDEOS = 60, FRAMES = 5 };

/* Which rows a file holds, and in which way. */
typedef struct Kind {
    double noise;        /* of the detector */
    bool backwards;      /* rows in reverse order */
    bool bare;           /* no file names */
    const char *dataset; /* NULL: "X" */
} Kind;

static void append_frame(MetricsPredictions *table, const Kind *kind, int video, int frame)
{
    Random shared = random_stream(1, RANDOM_TEST, (uint32_t)video, 0);
    Random own = random_stream(2, RANDOM_TEST, (uint32_t)(video * FRAMES + frame), 0);
    const int label = video % 2;
    const double logit = 1.5 * label + random_normal(&shared) + kind->noise * random_normal(&own);
    char file[64];
    snprintf(file, sizeof file, "d/%s/%02d/%d.png", label ? "swap" : "real", video, frame);
    Error error = {0};
    const MetricsPrediction row = {.file = kind->bare ? NULL : file,
                                   .dataset = kind->dataset ? kind->dataset : "X",
                                   .label = label,
                                   .fake = 1 / (1 + exp(-logit))};
    ck_ok(metrics_predictions_append(table, &row, &error), &error);
}

static MetricsPredictions make_table(const Kind *kind)
{
    MetricsPredictions table = metrics_predictions_empty();
    for (int i = 0; i < VIDEOS * FRAMES; i++) {
        const int at = kind->backwards ? VIDEOS * FRAMES - 1 - i : i;
        append_frame(&table, kind, at / FRAMES, at % FRAMES);
    }
    return table;
}

static MetricsUncertainty quick(void)
{
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    settings.resamples = 300;
    return settings;
}

static MetricsComparison *compare(const MetricsPredictions *a, const MetricsPredictions *b,
                                  const MetricsUncertainty *settings)
{
    MetricsComparison *found = NULL;
    int count = 0;
    Error error = {0};
    ck_ok(metrics_compare(a, "a.csv", b, "b.csv", settings, &found, &count, &error), &error);
    ck_assert_int_eq(count, 1);
    return found;
}

/* A sharp detector against a noisy one: metrics as each file has alone, a difference that is not
 * chance. */
START_TEST(better_is_told_from_worse)
{
    MetricsPredictions a = make_table(&(Kind){.noise = 0.3}), b = make_table(&(Kind){.noise = 4});
    const MetricsUncertainty settings = quick();
    MetricsComparison *const found = compare(&a, &b, &settings);
    MetricsReport *reports[2] = {NULL};
    int count = 0;
    Error error = {0};
    ck_ok(metrics_reports(&a, &reports[0], &count, &error), &error);
    ck_ok(metrics_reports(&b, &reports[1], &count, &error), &error);
    for (int m = 0; m < METRICS_NAMES; m++) {
        ck_assert(found->frame[m].a == metrics_value(&reports[0]->frame, m));
        ck_assert(found->frame[m].b == metrics_value(&reports[1]->frame, m));
        ck_assert(found->video[m].a == metrics_value(&reports[0]->video, m));
        ck_assert(found->video[m].b == metrics_value(&reports[1]->video, m));
        ck_assert(found->frame[m].difference == found->frame[m].b - found->frame[m].a);
    }
    ck_assert_int_eq(found->video[METRICS_AUROC].method, METRICS_INTERVAL_DELONG);
    ck_assert_int_eq(found->frame[METRICS_AUROC].method, METRICS_INTERVAL_BOOTSTRAP);
    ck_assert(found->frame[METRICS_AUROC].difference < -0.1 &&
              found->frame[METRICS_AUROC].p < 0.01);
    /* No resample on the other side of zero: p is at its floor. DeLong's p has none. */
    ck_assert(found->frame[METRICS_AUROC].p_lowest);
    ck_assert_double_eq(found->frame[METRICS_AUROC].p, 2.0 / (1 + settings.resamples));
    ck_assert(!found->video[METRICS_AUROC].p_lowest);
    ck_assert(found->frame[METRICS_AUROC].interval.upper < 0);
    ck_assert(found->frame[METRICS_BRIER].interval.lower > 0);
    ck_assert(found->video[METRICS_AUROC].p < 0.05);
    for (int i = 0; i < 2; i++)
        metrics_reports_free(reports[i], 1);
    free(found);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

/* Turned round, every difference changes its sign and no p changes. */
START_TEST(both_ways)
{
    MetricsPredictions a = make_table(&(Kind){.noise = 1}), b = make_table(&(Kind){.noise = 1.5});
    const MetricsUncertainty settings = quick();
    MetricsComparison *const there = compare(&a, &b, &settings), *const back =
                                                                     compare(&b, &a, &settings);
    for (int m = 0; m < METRICS_NAMES; m++) {
        ck_close(there->frame[m].difference, -back->frame[m].difference, 1e-15);
        ck_close(there->frame[m].interval.lower, -back->frame[m].interval.upper, 1e-12);
        ck_close(there->frame[m].p, back->frame[m].p, 1e-12);
        ck_close(there->video[m].p, back->video[m].p, 1e-12);
    }
    free(there);
    free(back);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

/* A file against itself, row by row backwards: matched by name, nothing differs, and p is 1. */
START_TEST(the_same_backwards)
{
    MetricsPredictions a = make_table(&(Kind){.noise = 1});
    MetricsPredictions b = make_table(&(Kind){.noise = 1, .backwards = true, .dataset = "Y"});
    const MetricsUncertainty settings = quick();
    MetricsComparison *const found = compare(&a, &b, &settings);
    ck_assert(found->has_videos && found->frames == VIDEOS * FRAMES && found->videos == VIDEOS);
    for (int m = 0; m < METRICS_NAMES; m++) {
        /* The sum of a video's frames runs backwards: the last bit may differ, and no rank does. */
        ck_each(fabs(found->frame[m].difference) < 1e-14 &&
                    fabs(found->video[m].difference) < 1e-14,
                "%s", metrics_names[m].name);
    }
    ck_assert(found->frame[METRICS_AUROC].difference == 0 && found->frame[METRICS_AUROC].p == 1);
    ck_assert(!found->frame[METRICS_AUROC].p_lowest);
    ck_assert(found->video[METRICS_AUROC].difference == 0 && found->video[METRICS_AUROC].p == 1);
    ck_assert(found->frame[METRICS_AUROC].interval.lower == 0);
    free(found);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

START_TEST(bare_rows_by_position)
{
    MetricsPredictions a = make_table(&(Kind){.noise = 0.3, .bare = true});
    MetricsPredictions b = make_table(&(Kind){.noise = 3, .bare = true});
    MetricsUncertainty settings = quick();
    MetricsComparison *const found = compare(&a, &b, &settings);
    ck_assert(!found->has_videos);
    ck_assert_int_eq(found->frame[METRICS_AUROC].method, METRICS_INTERVAL_DELONG_ROWS);
    ck_assert_int_eq(found->frame[METRICS_AP].method, METRICS_INTERVAL_BOOTSTRAP_ROWS);
    ck_assert(found->frame[METRICS_AUROC].interval.upper < 0);
    free(found);
    settings.mode = METRICS_CI_OFF;
    MetricsComparison *const off = compare(&a, &b, &settings);
    ck_assert(isnan(off->frame[METRICS_AUROC].p) && off->frame[METRICS_AUROC].difference < 0);
    ck_assert_int_eq(off->frame[METRICS_AP].method, METRICS_INTERVAL_NONE);
    free(off);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

static void refuse(const MetricsPredictions *a, const MetricsPredictions *b, const char *says)
{
    MetricsComparison *found = NULL;
    int count = 0;
    Error error = {0};
    const MetricsUncertainty settings = quick();
    ck_assert_int_eq(metrics_compare(a, "a.csv", b, "b.csv", &settings, &found, &count, &error),
                     STATUS_FAILED);
    ck_assert_msg(strstr(error.message, says) != NULL, "%s", error.message);
    ck_assert(strchr(error.message, ';') != NULL && !found && count == 0);
}

static void add(MetricsPredictions *table, const char *file, const char *dataset, const char *video,
                int label)
{
    Error error = {0};
    const MetricsPrediction row = {
        .file = file, .dataset = dataset, .video = video, .label = label, .fake = 0.5};
    ck_ok(metrics_predictions_append(table, &row, &error), &error);
}

START_TEST(what_does_not_match_is_refused)
{
    MetricsPredictions a = metrics_predictions_empty(), b = metrics_predictions_empty();
    add(&a, "r/real/v/0.png", "X", NULL, 0);
    add(&a, "r/swap/w/0.png", "X", NULL, 1);
    add(&b, "r/real/v/0.png", "X", NULL, 0);
    refuse(&a, &b,
           "1 rows of data set X are not in b.csv, and 0 the other way round, r/swap/w/0.png");
    add(&b, "r/swap/w/0.png", "X", NULL, 1);
    add(&b, "r/swap/w/0.png", "X", NULL, 1);
    refuse(&a, &b, "b.csv: duplicate file r/swap/w/0.png");
    add(&a, "r/swap/w/0.png", "Y", NULL, 1);
    refuse(&a, &b, "a.csv: has 2 data sets, and b.csv has 1");
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);

    add(&a, NULL, "X", NULL, 0);
    add(&a, NULL, "X", NULL, 1);
    add(&b, NULL, "Z", NULL, 1);
    refuse(&a, &b, "a.csv: has 2 rows of data set X, and b.csv has 1");
    add(&b, NULL, "Z", NULL, 1);
    refuse(&a, &b, "b.csv: row 1 of data set Z is labelled 1, but 0 in a.csv");
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);

    add(&a, NULL, "X", NULL, 0);
    add(&b, NULL, "X", "v", 0);
    refuse(&a, &b, "a.csv: has no videos for data set X, but b.csv has");
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);

    add(&a, "0.png", "X", "v", 0);
    add(&a, "1.png", "X", "w", 0);
    add(&a, "2.png", "X", "w", 0);
    add(&b, "0.png", "X", "p", 0);
    add(&b, "1.png", "X", "p", 0);
    add(&b, "2.png", "X", "q", 0);
    refuse(&a, &b, "b.csv: groups the frames of data set X into other videos than a.csv");
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);

    add(&a, "0.png", "X", "v", 0);
    add(&a, "0.png", "Y", "v", 0);
    add(&b, "0.png", "X", "v", 0);
    add(&b, "0.png", "Z", "v", 0);
    refuse(&a, &b, "b.csv: has no data set Y");
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

/* One class: differences of what is defined, nothing else. */
START_TEST(one_class)
{
    MetricsPredictions a = metrics_predictions_empty(), b = metrics_predictions_empty();
    for (int i = 0; i < 4; i++) {
        char file[24];
        snprintf(file, sizeof file, "v/%d.png", i);
        add(&a, file, "X", NULL, 1);
        add(&b, file, "X", NULL, 1);
    }
    const MetricsUncertainty settings = quick();
    MetricsComparison *const found = compare(&a, &b, &settings);
    ck_assert(isnan(found->frame[METRICS_AUROC].difference) &&
              isnan(found->frame[METRICS_AUROC].p));
    ck_assert(found->frame[METRICS_BRIER].difference == 0);
    free(found);
    metrics_predictions_free(&a);
    metrics_predictions_free(&b);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("paired");
    TCase *const paired = support_case(suite, "paired", 120);
    tcase_add_test(paired, better_is_told_from_worse);
    tcase_add_test(paired, both_ways);
    tcase_add_test(paired, the_same_backwards);
    tcase_add_test(paired, bare_rows_by_position);
    tcase_add_test(paired, what_does_not_match_is_refused);
    tcase_add_test(paired, one_class);
    return support_main(suite);
}
