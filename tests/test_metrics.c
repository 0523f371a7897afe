/*
 * test_metrics.c - the metrics against scikit-learn's (tests/golden/make_metrics.py), against their
 * definitions on cases small enough to see through, and at their limits.
 */
#include "tests/splitmix.h"
#include "tests/support.h"

#include "train/metrics/metrics.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { CASES = 1000, MAX_ROWS = 2002 };

typedef struct ScoreFile {
    size_t n;
    double scores[MAX_ROWS];
    uint8_t labels[MAX_ROWS];
} ScoreFile;

/* The same as scores_of_case in make_metrics.py, line by line. */
static void make_case(uint64_t number, ScoreFile *file)
{
    static const uint64_t sizes[] = {10, 100, 600, 2000};
    static const uint64_t fakes_in_1000[] = {500, 100, 900, 10, 990};
    static const uint64_t levels_of[] = {2, 3, 10, 100, 5000, UINT64_C(1) << 40, 1};
    static const double scales[] = {1.0, 1.0, 1.0, 0x1p-55, -40.0, 1e300};
    uint64_t state = number;
    file->n = (size_t)(2 + splitmix(&state) % sizes[number % 4]);
    const uint64_t fakes = fakes_in_1000[number / 4 % 5];
    const uint64_t levels = levels_of[number / 20 % 7];
    const double scale = scales[number / 140 % 6];
    const uint64_t favoured = splitmix(&state) % 3;
    for (size_t i = 0; i < file->n; i++) {
        file->labels[i] = (uint8_t)(i < 2 ? i : splitmix(&state) % 1000 < fakes);
        uint64_t level = splitmix(&state) % levels;
        const uint64_t other = splitmix(&state) % levels;
        if (file->labels[i] == favoured && other > level)
            level = other;
        file->scores[i] = (double)level / (double)levels * scale;
    }
}

static Metrics metrics_of(const double *scores, const uint8_t *labels, size_t n)
{
    Metrics metrics;
    Error error = {0};
    ck_ok(metrics_compute(scores, labels, n, &metrics, &error), &error);
    return metrics;
}

/* Every key of metrics.json, 1,000 files: ties from none to all, class ratios to 1 : 99, tiny and
 * huge scores. */
START_TEST(equals_scikit_learn)
{
    FILE *const golden = support_golden_open("metrics.txt");
    static ScoreFile file;
    for (int number = 0; number < CASES; number++) {
        make_case((uint64_t)number, &file);
        const Metrics metrics = metrics_of(file.scores, file.labels, file.n);
        for (int i = 0; i < METRICS_NAMES; i++) {
            double expected = 0;
            ck_assert_int_eq(fscanf(golden, "%lf", &expected), 1);
            /* fmax: the threshold may be as large as 1e300; all others are fractions. */
            const double value = metrics_value(&metrics, i);
            ck_assert_msg(isnan(expected)
                              ? isnan(value)
                              : fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected)),
                          "file %d: %s = %.17g, expected %.17g", number, metrics_names[i].name,
                          value, expected);
        }
    }
    fclose(golden);
}
END_TEST

/* AUROC is the chance that a fake outscores a real, ties one half: counted pair by pair. */
START_TEST(auroc_counts_pairs)
{
    static ScoreFile file;
    for (uint64_t number = 0; number < 140; number += 4) {
        make_case(number, &file);
        uint64_t twice = 0, pairs = 0;
        for (size_t i = 0; i < file.n; i++)
            for (size_t j = 0; j < file.n; j++)
                if (file.labels[i] > file.labels[j]) {
                    pairs++;
                    twice += file.scores[i] > file.scores[j] ? 2 : file.scores[i] == file.scores[j];
                }
        const Metrics metrics = metrics_of(file.scores, file.labels, file.n);
        ck_assert_double_eq(metrics.auroc, (double)twice / (2.0 * (double)pairs));
    }
}
END_TEST

START_TEST(perfect_separation)
{
    const double scores[] = {0.1, 0.9, 0.2, 0.7, 0.4};
    const uint8_t labels[] = {0, 1, 0, 1, 0};
    const Metrics metrics = metrics_of(scores, labels, 5);
    ck_assert_uint_eq(metrics.n_real, 3);
    ck_assert_uint_eq(metrics.n_fake, 2);
    ck_assert_double_eq(metrics.eer, 0);
    ck_assert_double_eq(metrics.eer_threshold, 0.5 * 0.7 + 0.5 * 0.4);
    for (int i = 0; i < METRICS_BRIER; i++)
        if (metrics.eer != metrics_value(&metrics, i) &&
            metrics.eer_threshold != metrics_value(&metrics, i))
            ck_assert_msg(metrics_value(&metrics, i) == 1, "%s = %g", metrics_names[i].name,
                          metrics_value(&metrics, i));
}
END_TEST

START_TEST(inverted_separation)
{
    const double scores[] = {0.9, 0.1, 0.8, 0.3};
    const uint8_t labels[] = {0, 1, 0, 1};
    const Metrics metrics = metrics_of(scores, labels, 4);
    ck_assert_double_eq(metrics.auroc, 0);
    ck_assert_double_eq(metrics.eer, 1);
    ck_assert_double_eq(metrics.accuracy, 0);
    ck_assert_double_eq(metrics.accuracy_at_eer, 0);
    ck_assert_double_eq(metrics.tpr_at_fpr[2], 0);
}
END_TEST

/* A score of exactly one half is called real; all scores equal say nothing. */
START_TEST(all_tied)
{
    const double scores[] = {0.5, 0.5, 0.5, 0.5};
    const uint8_t labels[] = {0, 1, 1, 1};
    const Metrics metrics = metrics_of(scores, labels, 4);
    ck_assert_double_eq(metrics.auroc, 0.5);
    ck_assert_double_eq(metrics.ap, 0.75);
    ck_assert_double_eq(metrics.map, 0.5);
    ck_assert_double_eq(metrics.eer, 0.5);
    ck_assert_double_eq(metrics.accuracy, 0.25);
    ck_assert_double_eq(metrics.balanced_accuracy, 0.5);
    ck_assert_double_eq(metrics.f1_macro, 0.5 * (2.0 / 5));
    ck_assert_double_eq_tol(metrics.tpr_at_fpr[1], 0.01, 1e-15);
}
END_TEST

/* Where the ROC rises vertically at an FPR that is asked for, its highest point counts. */
START_TEST(tpr_takes_the_top_of_a_vertical)
{
    double scores[200];
    uint8_t labels[200];
    for (int i = 0; i < 200;
         i++) { /* one real first, then fifty fakes, then the other reals and fakes */
        scores[i] = -i;
        labels[i] = (i >= 1 && i <= 50) || i >= 150;
    }
    const Metrics metrics = metrics_of(scores, labels, 200);
    ck_assert_double_eq(metrics.tpr_at_fpr[0],
                        0); /* 0.1 of the way along the first, flat segment */
    ck_assert_double_eq(metrics.tpr_at_fpr[1], 0.5);
    ck_assert_double_eq(metrics.tpr_at_fpr[2], 0.5);
}
END_TEST

/* -0 and +0 are one score; denormals and the largest doubles keep their order. */
START_TEST(extreme_doubles)
{
    const double scores[] = {-0.0, 0.0, 5e-324, -5e-324, 1.7e308, -1.7e308};
    const uint8_t labels[] = {0, 1, 1, 0, 1, 0};
    const Metrics metrics = metrics_of(scores, labels, 6);
    ck_assert_double_eq(metrics.auroc, (9 - 0.5) / 9);
    ck_assert(isfinite(metrics.eer_threshold));
}
END_TEST

/* Two scores one unit in the last place apart are told apart by their threshold. */
START_TEST(neighbouring_scores)
{
    const double scores[] = {0.3, nextafter(0.3, 1)};
    const uint8_t labels[] = {0, 1};
    const Metrics metrics = metrics_of(scores, labels, 2);
    ck_assert_double_eq(metrics.auroc, 1);
    ck_assert_double_eq(metrics.accuracy_at_eer, 1);
}
END_TEST

START_TEST(one_class_is_undefined)
{
    const double scores[] = {0.4, 0.6, 0.7};
    for (uint8_t label = 0; label <= 1; label++) {
        const uint8_t labels[] = {label, label, label};
        const Metrics metrics = metrics_of(scores, labels, 3);
        ck_assert_uint_eq(label ? metrics.n_fake : metrics.n_real, 3);
        for (int i = 0; i < METRICS_NAMES; i++)
            if (metrics_names[i].offset == offsetof(Metrics, accuracy))
                ck_assert_double_eq(metrics_value(&metrics, i), label ? 2.0 / 3 : 1.0 / 3);
            else if (i < METRICS_BRIER)
                ck_assert_msg(isnan(metrics_value(&metrics, i)), "%s", metrics_names[i].name);
    }
}
END_TEST

/* By hand: probabilities at the ends of bins, wrong with certainty, and alone in their class. */
START_TEST(calibration)
{
    const double scores[] = {0, 1, 1, 0.1, 0.12, 0.9};
    const uint8_t labels[] = {0, 1, 0, 0, 1, 1};
    const Metrics metrics = metrics_of(scores, labels, 6);
    const double squares = 0 + 0 + 1 + 0.01 + 0.88 * 0.88 + 0.01;
    ck_assert_double_eq_tol(metrics.brier, squares / 6, 1e-15);
    const double losses = -2 * log(1 - 0x1p-52) - log(0x1p-52) - log(0.9) - log(0.12) - log(0.9);
    ck_assert_double_eq_tol(metrics.log_loss, losses / 6, 1e-14);
    /* Bins: {0}, {0.1, 0.12} with one fake, {0.9}, {1, 1} with one fake. */
    ck_assert_double_eq_tol(metrics.ece, (0 + fabs(0.22 - 1) + 0.1 + 1) / 6, 1e-15);
    ck_assert_uint_eq(metrics.repeated, 0);

    const uint8_t fakes[] = {1, 1, 1, 1, 1, 1};
    const Metrics one_class = metrics_of(scores, fakes, 6);
    ck_assert(isfinite(one_class.brier) && isfinite(one_class.log_loss) &&
              isfinite(one_class.ece) && isnan(one_class.partial_auroc));
    ck_assert_uint_eq(one_class.repeated, 1);

    const double logits[] = {0, 1, 1, 0.1, 0.12, 1.5};
    const Metrics none = metrics_of(logits, labels, 6);
    ck_assert(isnan(none.brier) && isnan(none.log_loss) && isnan(none.ece));
    ck_assert(isfinite(none.partial_auroc));
}
END_TEST

/* Any number of threads: the same bits. */
START_TEST(threads_change_no_bit)
{
    static ScoreFile file;
    Threads *threads = NULL;
    Error error = {0};
    ck_ok(threads_create(&threads, 3, &error), &error);
    for (uint64_t number = 0; number < 140; number++) {
        make_case(number, &file);
        const Metrics alone = metrics_of(file.scores, file.labels, file.n);
        Metrics shared;
        ck_ok(metrics_on(threads, file.scores, NULL, file.labels, file.n, &shared, &error), &error);
        ck_assert_mem_eq(&alone, &shared, sizeof alone);
    }
    threads_destroy(threads);
}
END_TEST

/*
 * A head of large weights: softmax in f32 makes 0 and 1 of nearly every frame, and p_fake alone an
 * AUROC near 0.5. Ranking metrics are those of the margins, thresholds and calibration those of
 * p_fake.
 */
START_TEST(margins_rank_what_softmax_ties)
{
    static ScoreFile file;
    make_case(23, &file);
    double *const margins = malloc(file.n * sizeof *margins), *const p = malloc(file.n * sizeof *p);
    for (int scale = 1; scale <= 1000; scale *= 1000) {
        for (size_t i = 0; i < file.n; i++) {
            margins[i] = scale * (4 * file.scores[i] + (scale > 1 ? 100 : 0));
            const float fake = (float)(1 / (1 + exp(-margins[i])));
            p[i] = (double)fake;
        }
        Error error = {0};
        Metrics found;
        ck_ok(metrics_on(NULL, p, margins, file.labels, file.n, &found, &error), &error);
        const Metrics by_margin = metrics_of(margins, file.labels, file.n);
        const Metrics by_p = metrics_of(p, file.labels, file.n);
        static const int of_ranks[] = {METRICS_AUROC,
                                       METRICS_AP,
                                       METRICS_EER,
                                       METRICS_TPR_AT_FPR_0001,
                                       METRICS_TPR_AT_FPR_001,
                                       METRICS_TPR_AT_FPR_005,
                                       METRICS_PARTIAL_AUROC};
        static const int of_p[] = {METRICS_EER_THRESHOLD,     METRICS_ACCURACY,
                                   METRICS_BALANCED_ACCURACY, METRICS_F1_MACRO,
                                   METRICS_ACCURACY_AT_EER,   METRICS_BRIER,
                                   METRICS_LOG_LOSS,          METRICS_ECE,
                                   METRICS_F1_MACRO_AT_EER,   METRICS_BALANCED_ACCURACY_AT_EER};
        for (size_t k = 0; k < sizeof of_ranks / sizeof of_ranks[0]; k++)
            ck_assert_double_eq(metrics_value(&found, of_ranks[k]),
                                metrics_value(&by_margin, of_ranks[k]));
        for (size_t k = 0; k < sizeof of_p / sizeof of_p[0]; k++)
            ck_assert_double_eq(metrics_value(&found, of_p[k]), metrics_value(&by_p, of_p[k]));
        ck_assert_uint_eq(found.saturated[0] + found.saturated[1], scale > 1 ? file.n : 0);
        if (scale > 1)
            ck_assert(by_p.auroc == 0.5 && found.auroc > 0.6 && found.tied[0] == by_margin.tied[0]);
    }
    free(margins);
    free(p);
}
END_TEST

START_TEST(refuses_what_cannot_be_ranked)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const uint8_t labels[] = {0, 1};
    Metrics metrics;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const double scores[] = {0.5, bad[i]};
        Error error = {0};
        ck_assert_int_eq(metrics_compute(scores, labels, 2, &metrics, &error), STATUS_FAILED);
        ck_assert_ptr_nonnull(strstr(error.message, "row 2 of 2"));
    }
    Error error = {0};
    ck_assert_int_eq(metrics_compute(NULL, NULL, 0, &metrics, &error), STATUS_FAILED);
}
END_TEST

/* The order of the rows changes no bit, whatever the sort did with them. */
START_TEST(order_of_rows_is_irrelevant)
{
    static ScoreFile file, reversed;
    make_case(23, &file);
    reversed.n = file.n;
    for (size_t i = 0; i < file.n; i++) {
        reversed.scores[i] = file.scores[file.n - 1 - i];
        reversed.labels[i] = file.labels[file.n - 1 - i];
    }
    const Metrics a = metrics_of(file.scores, file.labels, file.n);
    const Metrics b = metrics_of(reversed.scores, reversed.labels, reversed.n);
    ck_assert_mem_eq(&a, &b, sizeof a);
}
END_TEST

/* A million scores spread as a classifier spreads them: 53 bits each, most of them near 0 and 1. */
START_TEST(a_million_scores)
{
    const size_t n =
        getenv("LNCLIP_TEST_SCORES") ? strtoul(getenv("LNCLIP_TEST_SCORES"), NULL, 10) : 1000000;
    double *const scores = malloc(n * sizeof *scores);
    uint8_t *const labels = malloc(n);
    ck_assert(scores && labels);
    uint64_t state = 7;
    for (size_t i = 0; i < n; i++) {
        labels[i] = splitmix(&state) & 1;
        const double u = (double)(splitmix(&state) >> 11) * 0x1p-53;
        scores[i] = 1 / (1 + exp(-12 * (u - 0.5) - (labels[i] ? 2 : -2)));
    }
    Metrics metrics;
    for (int count = 1; count <= 2; count++) {
        Threads *threads = NULL;
        Error error = {0};
        struct timespec start, end;
        ck_ok(threads_create(&threads, count, &error), &error);
        clock_gettime(CLOCK_MONOTONIC, &start);
        ck_ok(metrics_on(threads, scores, NULL, labels, n, &metrics, &error), &error);
        clock_gettime(CLOCK_MONOTONIC, &end);
        threads_destroy(threads);
        printf("%zu scores, %d thread%s: %.3f s\n", n, count, count > 1 ? "s" : "",
               (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    }
    /* u and v uniform: a fake wins if u + 4/12 > v, which has probability 1 - (1 - 1/3)^2 / 2. */
    ck_assert_double_eq_tol(metrics.auroc, 1 - 2.0 / 9, 5 / sqrt((double)n));
    ck_assert_double_eq_tol(metrics.eer, 1.0 / 3, 5 / sqrt((double)n));
    free(scores);
    free(labels);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("metrics");
    TCase *const golden = support_case(suite, "golden", 60);
    tcase_add_test(golden, equals_scikit_learn);
    tcase_add_test(golden, auroc_counts_pairs);
    TCase *const definitions = support_case(suite, "definitions", 10);
    tcase_add_test(definitions, perfect_separation);
    tcase_add_test(definitions, inverted_separation);
    tcase_add_test(definitions, all_tied);
    tcase_add_test(definitions, tpr_takes_the_top_of_a_vertical);
    tcase_add_test(definitions, extreme_doubles);
    tcase_add_test(definitions, neighbouring_scores);
    tcase_add_test(definitions, one_class_is_undefined);
    tcase_add_test(definitions, calibration);
    tcase_add_test(definitions, margins_rank_what_softmax_ties);
    tcase_add_test(definitions, refuses_what_cannot_be_ranked);
    TCase *const size = support_case(suite, "size", 60);
    tcase_add_test(size, threads_change_no_bit);
    tcase_add_test(size, order_of_rows_is_irrelevant);
    tcase_add_test(size, a_million_scores);
    return support_main(suite);
}
