/*
 * test_calibration.c - the temperature against SciPy's (tests/golden/make_calibration.py) and
 * against what the margins were made with, and thresholds with ties.
 */
#include "tests/splitmix.h"
#include "tests/support.h"

#include "tensor/base/mem.h"
#include "train/metrics/calibration.h"

#include <math.h>
#include <stdio.h>

enum { CASES = 60, MAX_ROWS = 2020 };

/* The same as margins_of_case in make_calibration.py. */
static size_t make_case(uint64_t number, double *margins, uint8_t *labels)
{
    static const double scales[] = {1.0, 0.25, 12.0, 80.0}, gaps[] = {0.5, 1.0, 2.0};
    const double scale = scales[number % 4], gap = gaps[number % 3];
    uint64_t state = number;
    const size_t n = (size_t)(20 + splitmix(&state) % 2000);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (uint8_t)(i < 2 ? i : splitmix(&state) % 3 % 2);
        uint64_t sum = splitmix(&state) % 65536;
        sum += splitmix(&state) % 65536;
        sum += splitmix(&state) % 65536;
        margins[i] = ((double)sum / 65536 - 1.5 + (labels[i] ? gap / 2 : -gap / 2)) * scale;
    }
    margins[0] = scale;
    margins[1] = -scale;
    return n;
}

static MetricsTemperature fit(const double *margins, const uint8_t *labels, size_t n)
{
    MetricsTemperature result;
    Error error = {0};
    ck_ok(metrics_calibration_fit(margins, labels, n, &result, &error), &error);
    return result;
}

START_TEST(equals_scipy)
{
    static double margins[MAX_ROWS];
    static uint8_t labels[MAX_ROWS];
    FILE *const golden = support_golden_open("calibration.txt");
    for (uint64_t number = 0; number < CASES; number++) {
        unsigned long long read_number;
        size_t rows;
        double temperature, nll;
        ck_assert_int_eq(
            fscanf(golden, "%llu %zu %lf %lf", &read_number, &rows, &temperature, &nll), 4);
        ck_assert_uint_eq(read_number, number);
        const size_t n = make_case(number, margins, labels);
        ck_assert_uint_eq(rows, n);
        const MetricsTemperature result = fit(margins, labels, n);
        ck_assert(result.fitted && !result.separated);
        ck_each(fabs(result.temperature / temperature - 1) < 1e-9,
                "case %llu: T = %.17g, not %.17g", read_number, result.temperature, temperature);
        ck_each(fabs(result.nll_after - nll) < 1e-13 && result.nll_after <= result.nll_before,
                "case %llu: loss %.17g, not %.17g", read_number, result.nll_after, nll);
    }
    fclose(golden);
}
END_TEST

/* Labels drawn from the probabilities that margins / T say: T comes back, as well as so many labels
 * can tell. */
START_TEST(recovers_a_known_temperature)
{
    enum { N = 400000 };
    double *const margins = malloc(N * sizeof *margins);
    uint8_t *const labels = malloc(N);
    ck_assert(margins && labels);
    static const double temperatures[] = {0.25, 1, 2.5, 7};
    for (int t = 0; t < 4; t++) {
        uint64_t state = (uint64_t)t;
        for (int i = 0; i < N; i++) {
            const double u = (double)(splitmix(&state) >> 11) * 0x1p-53;
            const double honest = 8 * (u - 0.5);
            margins[i] = honest * temperatures[t];
            labels[i] = (double)(splitmix(&state) >> 11) * 0x1p-53 <
                        metrics_calibration_probability(honest, 1);
        }
        const MetricsTemperature result = fit(margins, labels, N);
        ck_assert_double_eq_tol(result.temperature / temperatures[t], 1, 0.015);
    }
    free(margins);
    free(labels);
}
END_TEST

/* Nothing on the wrong side: any smaller T is better. Margins that tell nothing: any greater. T
 * stays 1 then. */
START_TEST(no_minimum_is_told)
{
    const double right[] = {-1, -2, 0.5, 3}, wrong[] = {1, 2, -0.5, -3};
    const uint8_t labels[] = {0, 0, 1, 1};
    const MetricsTemperature separated = fit(right, labels, 4), inverted = fit(wrong, labels, 4);
    ck_assert(separated.separated && !separated.fitted && separated.temperature == 1);
    ck_assert(!inverted.separated && !inverted.fitted && inverted.temperature == 1);
    ck_assert(separated.nll_after == separated.nll_before);
}
END_TEST

START_TEST(refuses_one_class)
{
    const double margins[] = {1, 2};
    const uint8_t fakes[] = {1, 1};
    MetricsTemperature result;
    Error error = {0};
    ck_assert_int_eq(metrics_calibration_fit(margins, fakes, 2, &result, &error), STATUS_FAILED);
    ck_assert_int_eq(metrics_calibration_fit(margins, fakes, 0, &result, &error), STATUS_FAILED);
    double threshold;
    ck_assert_int_eq(metrics_calibration_threshold(margins, fakes, 2,
                                                   (MetricsThresholdRule){METRICS_RULE_FPR, 0.1},
                                                   &threshold, &error),
                     STATUS_FAILED);
}
END_TEST

START_TEST(probabilities_follow_margins)
{
    ck_assert_double_eq(metrics_calibration_probability(3, 2), 1 / (1 + exp(-1.5)));
    ck_assert_double_eq(metrics_calibration_probability(-1e6, 1), 0);
}
END_TEST

static double threshold_by(const char *text, const double *scores, const uint8_t *labels, size_t n)
{
    double threshold;
    MetricsThresholdRule rule;
    Error error = {0};
    ck_assert(metrics_rule_parse(text, &rule));
    ck_ok(metrics_calibration_threshold(scores, labels, n, rule, &threshold, &error), &error);
    return threshold;
}

static double threshold_of(const double *scores, const uint8_t *labels, size_t n, double fpr)
{
    char text[METRICS_RULE_SIZE];
    metrics_rule_format(text, (MetricsThresholdRule){METRICS_RULE_FPR, fpr});
    return threshold_by(text, scores, labels, n);
}

/* Ten reals, five of them tied: what a tie would take beyond the share is left
 * below the threshold. */
START_TEST(threshold_with_ties)
{
    const double scores[] = {0.9, 0.8, 0.5, 0.5, 0.5, 0.5, 0.5, 0.2, 0.1, 0.1, 0.95, 0.5, 0.6};
    const uint8_t labels[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0), 0.9 + (0.95 - 0.9) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.0999), 0.9 + (0.95 - 0.9) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.1), 0.8 + (0.9 - 0.8) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.2), 0.5 + (0.6 - 0.5) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.6), 0.5 + (0.6 - 0.5) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.7), 0.2 + (0.5 - 0.2) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 13, 0.999), 0.1 + (0.2 - 0.1) / 2);
    ck_assert_double_eq(threshold_of(scores, labels, 10, 0), 0.9 + (1 - 0.9) / 2);
    const MetricsAtThreshold at = metrics_at_threshold(scores, labels, 13, 0.5);
    ck_assert_uint_eq(at.n_real, 10);
    ck_assert_uint_eq(at.n_fake, 3);
    ck_assert_double_eq(at.fpr, 0.2);
    ck_assert_double_eq(at.tpr, 2.0 / 3);
    ck_assert_double_eq(at.accuracy, 10.0 / 13);
    ck_assert_double_eq_tol(at.balanced_accuracy, (0.8 + 2.0 / 3) / 2, 1e-15);
}
END_TEST

/* Any share of any number of reals: never exceeded, and any lower score would exceed it. */
START_TEST(threshold_is_the_lowest)
{
    enum { N = 300 };
    double scores[N];
    uint8_t labels[N];
    for (uint64_t number = 0; number < 200; number++) {
        uint64_t state = number;
        const size_t n = (size_t)(1 + splitmix(&state) % N);
        const uint64_t levels = 1 + splitmix(&state) % 400;
        for (size_t i = 0; i < n; i++) {
            labels[i] = i > 0 && splitmix(&state) % 2;
            scores[i] = (double)(splitmix(&state) % levels) / (double)levels;
        }
        const double fpr = (double)(splitmix(&state) % 100) / 100;
        const double threshold = threshold_of(scores, labels, n, fpr);
        const MetricsAtThreshold at = metrics_at_threshold(scores, labels, n, threshold);
        ck_each(at.fpr <= fpr + 1e-12, "file %llu", (unsigned long long)number);
        double next = -1; /* the highest score below */
        for (size_t i = 0; i < n; i++)
            if (scores[i] < threshold && scores[i] > next)
                next = scores[i];
        const MetricsAtThreshold below =
            metrics_at_threshold(scores, labels, n, nextafter(next, -1));
        ck_each(below.fpr > fpr, "file %llu", (unsigned long long)number);
    }
}
END_TEST

/* 0.29 * 100 is 28.999... in binary. */
START_TEST(shares_are_decimal)
{
    double scores[100];
    uint8_t labels[100] = {0};
    for (int i = 0; i < 100; i++)
        scores[i] = i / 100.0;
    for (int share = 0; share < 100; share++)
        ck_assert_double_eq_tol(threshold_of(scores, labels, 100, share / 100.0),
                                (99.5 - share) / 100, 1e-12);
}
END_TEST

/* Counted by hand: TPR needs a share of fakes; EER and Youden compare the rates. */
START_TEST(other_rules)
{
    const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};
    const uint8_t labels[] = {1, 1, 0, 1, 0, 1, 0, 0};
    ck_assert_double_eq(threshold_by("tpr=0.01", scores, labels, 8), 0.8 + (0.9 - 0.8) / 2);
    ck_assert_double_eq(threshold_by("tpr=0.5", scores, labels, 8), 0.7 + (0.8 - 0.7) / 2);
    ck_assert_double_eq(threshold_by("tpr=0.75", scores, labels, 8), 0.5 + (0.6 - 0.5) / 2);
    ck_assert_double_eq(threshold_by("tpr=1", scores, labels, 8), 0.3 + (0.4 - 0.3) / 2);
    /* FPR and miss rate are 0.25 above 0.55; TPR - FPR is 0.5 there and above 0.75, the highest. */
    ck_assert_double_eq(threshold_by("eer", scores, labels, 8), 0.5 + (0.6 - 0.5) / 2);
    ck_assert_double_eq(threshold_by("youden", scores, labels, 8), 0.7 + (0.8 - 0.7) / 2);
    /* All fakes must be above, the lowest included. */
    const double low[] = {0.5, 0.2};
    const uint8_t reversed[] = {0, 1};
    ck_assert_double_eq(threshold_by("tpr=1", low, reversed, 2), 0.1);
}
END_TEST

/* Any rate: never missed, and any higher score would miss it. */
START_TEST(tpr_threshold_is_the_highest)
{
    enum { N = 300 };
    double scores[N];
    uint8_t labels[N];
    for (uint64_t number = 0; number < 200; number++) {
        uint64_t state = number;
        const size_t n = (size_t)(2 + splitmix(&state) % (N - 1));
        const uint64_t levels = 1 + splitmix(&state) % 400;
        for (size_t i = 0; i < n; i++) {
            labels[i] = i == 0 || (i > 1 && splitmix(&state) % 2);
            scores[i] = (double)(1 + splitmix(&state) % levels) / (double)(levels + 1);
        }
        char text[METRICS_RULE_SIZE];
        const double tpr = (double)(1 + splitmix(&state) % 100) / 100;
        metrics_rule_format(text, (MetricsThresholdRule){METRICS_RULE_TPR, tpr});
        const double threshold = threshold_by(text, scores, labels, n);
        ck_each(metrics_at_threshold(scores, labels, n, threshold).tpr >= tpr - 1e-12, "file %llu",
                (unsigned long long)number);
        double next = 2; /* the lowest score above */
        for (size_t i = 0; i < n; i++)
            if (scores[i] > threshold && scores[i] < next)
                next = scores[i];
        ck_each(metrics_at_threshold(scores, labels, n, next).tpr < tpr, "file %llu",
                (unsigned long long)number);
    }
}
END_TEST

START_TEST(rules_as_text)
{
    static const char *const good[] = {"fpr=0", "fpr=0.01", "tpr=1", "tpr=0.95", "eer", "youden"};
    static const char *const bad[] = {"",         "fpr",     "fpr=",     "fpr=1",
                                      "fpr=-0.1", "tpr=0",   "eer=",     "tpr=2",
                                      "youden 1", "fpr=nan", "fpr=0.1x", "FPR=0.1"};
    MetricsThresholdRule rule;
    char text[METRICS_RULE_SIZE];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert(metrics_rule_parse(good[i], &rule));
        metrics_rule_format(text, rule);
        ck_assert_str_eq(text, good[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_each(!metrics_rule_parse(bad[i], &rule), "'%s'", bad[i]);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("calibration");
    TCase *const temperature = support_case(suite, "temperature", 30);
    tcase_add_test(temperature, equals_scipy);
    tcase_add_test(temperature, recovers_a_known_temperature);
    tcase_add_test(temperature, no_minimum_is_told);
    tcase_add_test(temperature, refuses_one_class);
    tcase_add_test(temperature, probabilities_follow_margins);
    TCase *const threshold = support_case(suite, "threshold", 10);
    tcase_add_test(threshold, threshold_with_ties);
    tcase_add_test(threshold, threshold_is_the_lowest);
    tcase_add_test(threshold, shares_are_decimal);
    tcase_add_test(threshold, other_rules);
    tcase_add_test(threshold, tpr_threshold_is_the_highest);
    tcase_add_test(threshold, rules_as_text);
    return support_main(suite);
}
