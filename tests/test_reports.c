/*
 * test_reports.c - what is reported of score files: over frames, videos and sources, and as JSON.
 */
#include "tests/splitmix.h"
#include "tests/support_folder.h"

#include "tensor/base/file.h"
#include "train/metrics/reports.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MetricsPredictions read_named(const char *name, const char *text)
{
    MetricsPredictions predictions;
    Error error = {0};
    ck_ok(file_write(support_in_folder(name), text, strlen(text), &error), &error);
    ck_ok(metrics_predictions_read(&predictions, support_in_folder(name), &error), &error);
    return predictions;
}

static MetricsPredictions read_scores(const char *text)
{
    return read_named("scores.csv", text);
}

static const char two_sets[] = "files,labels,prob_class_0,prob_class_1,dataset,video\n"
                               "r/real/a/0.png,0,0.9,0.1,X,a\n"
                               "q/real/a/0.png,0,0.5,0.5,Y,a\n"
                               "r/real/a/1.png,0,0.3,0.7,X,a\n"
                               "r/real/b/0.png,0,0.8,0.2,X,b\n"
                               "r/swap/c/0.png,1,0.4,0.6,X,c\n"
                               "r/swap/c/1.png,1,0.4,0.6,X,c\n"
                               "r/face/d/0.png,1,0.7,0.3,X,d\n"
                               "q/swap/c/0.png,1,0.2,0.8,Y,c\n"
                               "r/face/d/1.png,1,0.7,0.3,X,d\n";

typedef struct Reports {
    MetricsPredictions predictions;
    MetricsReport *items;
    int count;
} Reports;

static Reports report_on(MetricsPredictions predictions)
{
    Reports reports = {.predictions = predictions};
    Error error = {0};
    ck_ok(metrics_reports(&predictions, &reports.items, &reports.count, &error), &error);
    return reports;
}

static void free_reports(Reports *reports)
{
    metrics_reports_free(reports->items, reports->count);
    metrics_predictions_free(&reports->predictions);
}

START_TEST(frames_videos_and_sources)
{
    Reports reports = report_on(read_scores(two_sets));
    ck_assert_int_eq(reports.count, 2);
    const MetricsReport *const x = &reports.items[0], *const y = &reports.items[1];
    ck_assert_str_eq(x->dataset, "X");
    ck_assert(x->frame.n_real == 3 && x->frame.n_fake == 4 && x->has_videos);
    ck_assert(x->video.n_real == 2 && x->video.n_fake == 2);
    /* Frames: reals .1 .7 .2, fakes .6 .6 .3 .3: 8 of 12 pairs are in order. Videos: .4 .2 and .6
     * .3: 3 of 4. */
    ck_assert_double_eq_tol(x->frame.auroc, 8.0 / 12, 1e-15);
    ck_assert_double_eq(x->video.auroc, 0.75);
    ck_assert_int_eq(x->source_count, 2);
    ck_assert_str_eq(x->sources[0].name, "face");
    ck_assert_str_eq(x->sources[1].name, "swap");
    ck_assert(x->sources[0].frame.n_real == 3 && x->sources[0].frame.n_fake == 2);
    ck_assert_double_eq(x->sources[0].video.auroc, 0.5); /* .3 against .4 and .2 */
    ck_assert_double_eq(x->sources[1].video.auroc, 1);
    ck_assert_double_eq_tol(x->sources[1].frame.auroc, 4.0 / 6, 1e-15);
    ck_assert_str_eq(y->dataset, "Y");
    ck_assert(y->frame.auroc == 1 && y->video.auroc == 1 && y->source_count == 1);
    free_reports(&reports);
}
END_TEST

/* The same frames alone, or among other data sets: the same bits. */
START_TEST(data_sets_do_not_touch)
{
    MetricsPredictions alone = metrics_predictions_empty(), mixed = metrics_predictions_empty();
    Error error = {0};
    uint64_t state = 11;
    for (int i = 0; i < 500; i++) {
        char file[64];
        const int video = (int)(splitmix(&state) % 40);
        snprintf(file, sizeof file, "x/%s/%d/%d.png", video % 2 ? "swap" : "real", video, i);
        const MetricsPrediction row = {.file = file,
                                       .dataset = "A",
                                       .label = video % 2,
                                       .fake = (double)(splitmix(&state) >> 11) * 0x1p-53};
        MetricsPrediction other = row;
        other.dataset = i % 3 ? "B" : "C";
        other.fake = 1 - row.fake;
        ck_ok(metrics_predictions_append(&mixed, &other, &error), &error);
        ck_ok(metrics_predictions_append(&mixed, &row, &error), &error);
        ck_ok(metrics_predictions_append(&alone, &row, &error), &error);
    }
    Reports a = report_on(alone), b = report_on(mixed);
    const MetricsReport *found = NULL;
    for (int i = 0; i < b.count; i++)
        found = strcmp(b.items[i].dataset, "A") == 0 ? &b.items[i] : found;
    ck_assert(a.count == 1 && b.count == 3 && found);
    ck_assert_mem_eq(&a.items[0].frame, &found->frame, sizeof found->frame);
    ck_assert_mem_eq(&a.items[0].video, &found->video, sizeof found->video);
    free_reports(&a);
    free_reports(&b);
}
END_TEST

/* Intervals of the data set `name` of rows A, then B (or B, then A), or of rows
 * in reverse order. */
static MetricsReport intervals_of(const char *name, bool swapped, bool reversed, bool bare)
{
    enum { ROWS = 240 };
    MetricsPredictions table = metrics_predictions_empty();
    MetricsUncertainty settings = metrics_uncertainty_defaults();
    MetricsReport *reports = NULL, found = {0};
    Error error = {0};
    int count = 0;
    for (int k = 0; k < 2 * ROWS; k++) {
        const int at = reversed ? 2 * ROWS - 1 - k : k, i = at % ROWS, video = i / 4;
        uint64_t state = (uint64_t)i + 1;
        const double margin = (double)(splitmix(&state) >> 11) * 0x1p-51 + video % 2;
        char file[64];
        snprintf(file, sizeof file, "x/%s/%d/%d.png", video % 2 ? "swap" : "real", video, i);
        const MetricsPrediction row = {.file = bare ? NULL : file,
                                       .dataset = (at < ROWS) == swapped ? "B" : "A",
                                       .label = video % 2,
                                       .fake = 1 / (1 + exp(-margin)),
                                       .has_margin = true,
                                       .margin = margin};
        ck_ok(metrics_predictions_append(&table, &row, &error), &error);
    }
    settings.resamples = 200;
    ck_ok(metrics_reports_with(&table, &settings, &reports, &count, &error), &error);
    for (int i = 0; i < count; i++)
        if (strcmp(reports[i].dataset, name) == 0)
            found = reports[i];
    for (int i = 0; i < count; i++)
        free(reports[i].sources);
    free(reports);
    metrics_predictions_free(&table);
    return found;
}

/* Intervals used to depend on where the data set stood on the command line, and on the order of its
 * rows. */
START_TEST(intervals_do_not_depend_on_any_order)
{
    for (int bare = 0; bare < 2; bare++) {
        const MetricsReport plain = intervals_of("A", false, false, bare == 1);
        const MetricsReport second = intervals_of("A", true, false, bare == 1);
        const MetricsReport reversed = intervals_of("A", false, true, bare == 1);
        const MetricsReport other = intervals_of("B", false, false, bare == 1);
        ck_assert_mem_eq(&plain.frame_ci, &second.frame_ci, sizeof plain.frame_ci);
        ck_assert_mem_eq(&plain.video_ci, &second.video_ci, sizeof plain.video_ci);
        for (int m = 0; m < METRICS_NAMES; m++) { /* sums of frames may round another way */
            ck_close(reversed.frame_ci.of[m].lower, plain.frame_ci.of[m].lower, 1e-13);
            ck_close(reversed.frame_ci.of[m].upper, plain.frame_ci.of[m].upper, 1e-13);
        }
        ck_assert_double_ne(plain.frame_ci.of[METRICS_AP].lower,
                            other.frame_ci.of[METRICS_AP].lower);
    }
}
END_TEST

/* Two frames a video, all with p_fake 1 in f32: means tie at 1, but the logits of the
 * means do not. */
START_TEST(videos_are_ranked_without_saturation)
{
    Reports reports =
        report_on(read_scores("files,labels,prob_class_0,prob_class_1,margin\n"
                              "x/real/a/0.png,0,0,1,30\nx/real/a/1.png,0,0,1,50\n"
                              "x/real/b/0.png,0,1,0,-300\nx/real/b/1.png,0,1,0,-200\n"
                              "x/swap/c/0.png,1,0,1,31\nx/swap/c/1.png,1,0,1,31\n"
                              "x/swap/d/0.png,1,1,0,-150\nx/swap/d/1.png,1,1,0,-1000\n"));
    const MetricsReport *const report = &reports.items[0];
    ck_assert(report->by_margin && report->video.n_real == 2 && report->video.n_fake == 2);
    /* a: log(p) - log(q) is 30 + log 2; c: 31; d: -150 - log 2; b: -200 - log 2. c > a > d > b. */
    ck_assert_double_eq(report->video.auroc, 0.75);
    ck_assert_double_eq(report->video_median.auroc, 0.75);
    ck_assert_double_eq(report->video.accuracy, 0.5);
    MetricsScores *sets = NULL;
    int count = 0;
    Error error = {0};
    ck_ok(metrics_scores_gather(&reports.predictions, &sets, &count, &error), &error);
    ck_close(sets[0].video_mean_ranks[0], 30 + log(2), 1e-8);
    ck_assert_double_eq(sets[0].video_mean_ranks[2], 31);
    ck_close(sets[0].video_mean_ranks[3], -150 - log(2), 1e-12);
    ck_assert_ptr_ne(sets[0].ranks, sets[0].scores);
    metrics_scores_free(sets, count);
    free_reports(&reports);
}
END_TEST

typedef Status (*Writer)(FILE *stream, const MetricsReport *reports, int count, Error *error);

static json_t *written(Writer writer, const Reports *reports)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    Error error = {0};
    ck_ok(writer(stream, reports->items, reports->count, &error), &error);
    fclose(stream);
    json_error_t why;
    json_t *const document = json_loads(text, 0, &why);
    ck_assert_msg(document != NULL, "%s in %s", why.text, text);
    free(text);
    return document;
}

static json_t *at(json_t *document, const char *a, const char *b, const char *c)
{
    return json_object_get(json_object_get(json_object_get(document, a), b), c);
}

static const char *const metric_keys[] = {"n_real",
                                          "n_fake",
                                          "auroc",
                                          "ap",
                                          "map",
                                          "eer",
                                          "eer_threshold",
                                          "accuracy",
                                          "f1_macro",
                                          "accuracy_at_eer",
                                          "f1_macro_at_eer",
                                          "balanced_accuracy",
                                          "tpr_at_fpr_0.01",
                                          "tpr_at_fpr_0.001",
                                          "tpr_at_fpr_0.05",
                                          "partial_auroc_fpr_0.1",
                                          "brier",
                                          "log_loss",
                                          "ece",
                                          "balanced_accuracy_at_eer"};

START_TEST(metrics_json)
{
    Reports reports = report_on(read_scores(two_sets));
    json_t *const document = written(metrics_reports_write_json, &reports);
    ck_assert_uint_eq(json_object_size(at(document, "X", "frame", NULL)), 0);
    json_t *const frame = json_object_get(json_object_get(document, "X"), "frame");
    ck_assert_uint_eq(json_object_size(frame), sizeof metric_keys / sizeof metric_keys[0]);
    for (size_t i = 0; i < sizeof metric_keys / sizeof metric_keys[0]; i++)
        ck_assert_msg(json_object_get(frame, metric_keys[i]) != NULL, "%s", metric_keys[i]);
    ck_assert(json_real_value(at(document, "X", "frame", "auroc")) == reports.items[0].frame.auroc);
    ck_assert(json_integer_value(at(document, "X", "video", "n_fake")) == 2);
    ck_assert(json_real_value(json_object_get(
                  json_object_get(at(document, "X", "sources", "face"), "video"), "auroc")) == 0.5);
    json_decref(document);
    free_reports(&reports);
}
END_TEST

/* No paths: no "video"; one class: null; a name that is no UTF-8: escaped. */
START_TEST(metrics_json_of_little)
{
    Reports reports = report_on(read_named("n\xE9.csv", "label,score\n1,0.5\n"));
    json_t *const document = written(metrics_reports_write_json, &reports);
    json_t *const report = json_object_get(document, "n\\xe9");
    ck_assert_ptr_nonnull(report);
    ck_assert_ptr_null(json_object_get(report, "video"));
    ck_assert(json_is_null(json_object_get(json_object_get(report, "frame"), "auroc")));
    json_decref(document);
    free_reports(&reports);
}
END_TEST

START_TEST(summary_json)
{
    Reports reports = report_on(read_scores(two_sets));
    json_t *const document = written(metrics_reports_write_summary, &reports);
    const double expected = (8.0 / 12 + 1) / 2;
    ck_assert_double_eq_tol(
        json_real_value(json_object_get(json_object_get(document, "frame"), "auroc")), expected,
        1e-15);
    ck_assert_double_eq(
        json_real_value(json_object_get(json_object_get(document, "video"), "auroc")), 0.875);
    ck_assert(json_integer_value(json_object_get(document, "datasets")) == 2);
    ck_assert(json_is_null(json_object_get(json_object_get(document, "frame"), "eer_threshold")));
    json_decref(document);
    free_reports(&reports);
}
END_TEST

/* Undefined in one data set is undefined in the average. */
START_TEST(summary_json_of_one_class)
{
    Reports reports = report_on(read_scores("labels,score,dataset\n1,0.5,X\n1,0.5,Y\n0,0.25,Y\n"));
    json_t *const document = written(metrics_reports_write_summary, &reports);
    ck_assert(json_is_null(json_object_get(json_object_get(document, "frame"), "auroc")));
    ck_assert(json_is_real(json_object_get(json_object_get(document, "frame"), "accuracy")));
    ck_assert_ptr_null(json_object_get(document, "video"));
    json_decref(document);
    free_reports(&reports);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("reports");
    TCase *const reports = support_case(suite, "reports", 120);
    tcase_add_checked_fixture(reports, support_folder_setup, support_folder_teardown);
    tcase_add_test(reports, frames_videos_and_sources);
    tcase_add_test(reports, data_sets_do_not_touch);
    tcase_add_test(reports, intervals_do_not_depend_on_any_order);
    tcase_add_test(reports, videos_are_ranked_without_saturation);
    tcase_add_test(reports, metrics_json);
    tcase_add_test(reports, metrics_json_of_little);
    tcase_add_test(reports, summary_json);
    tcase_add_test(reports, summary_json_of_one_class);
    return support_main(suite);
}
