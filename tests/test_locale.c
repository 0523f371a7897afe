/* Under a locale with a decimal comma, which a program around us may have set, files keep their
 * points. */
#include "tests/support.h"

#include "data/augment/augment.h"
#include "tensor/base/number.h"
#include "train/metrics/predictions.h"
#include "train/plot/chart.h"
#include "train/run/run_files.h"
#include "vit/config.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool comma; /* the locale is in force */

/* Makes de_DE for this test alone; some systems have neither it nor what it is made from. */
static void take_comma_locale(void)
{
    char folder[] = "/tmp/test_locale-XXXXXX", command[200];
    if (!mkdtemp(folder))
        exit(1);
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/log 2>&1",
             folder, folder);
    const bool made = system(command) == 0;
    setenv("LOCPATH", folder, 1);
    comma =
        made && setlocale(LC_ALL, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        exit(1);
    if (!comma)
        puts("not run: localedef cannot make de_DE.UTF-8 here (package locales)");
}

static const char *content_of(FILE *stream)
{
    static char text[100000];
    rewind(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    fclose(stream);
    return text;
}

START_TEST(rows_of_a_run_have_points)
{
    Error error = {0};
    TrainRunFiles files = {.steps = tmpfile(), .epochs = tmpfile()};
    const TrainStepRow step = {.epoch = 1, .lr = 0.5, .losses = {.total = 0.25F}, .grad_norm = 1.5};
    const TrainEpoch epoch = {.epoch = 1, .lr = 0.5, .train_loss = 0.25, .seconds = 1.5};
    ck_ok(train_run_files_step(&files, &step, &error), &error);
    ck_ok(train_run_files_epoch(&files, &epoch, &error), &error);
    ck_assert_str_eq(content_of(files.steps), "0,2,0.5,0.25,0,0,0,1.5,0\n");
    ck_assert_ptr_nonnull(strstr(content_of(files.epochs), ",0.5,0.25,"));
}
END_TEST

START_TEST(numbers_are_read_and_written_with_points)
{
    Error error = {0};
    char text[NUMBER_SIZE];
    double value = 0;
    number_format(text, 0.5);
    ck_assert_str_eq(text, "0.5");
    /* More digits than the fast path takes. */
    ck_assert(number_parse("0.1234567890123456789012", 24, &value) && value > 0.12);
    ck_assert(metrics_predictions_written(0.1F) == 0.100000001);
    DataPerturbation perturbation;
    ck_ok(data_augment_perturb("noise=0.5", &perturbation, &error), &error);
    error_set(&error, STATUS_FAILED, "%.1f", 0.5);
    ck_assert_str_eq(error.message, "0.5");
}
END_TEST

START_TEST(json_and_svg_have_points)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    char *json = vit_config_format_preprocessor(&config, &error);
    ck_assert_ptr_nonnull(strstr(json, "0.48145467"));
    free(json);
    const double x[] = {0, 0.3, 1}, y[] = {0.5, 0.25, 0.125};
    const PlotSeries series = {.x = x, .y = y, .count = 3};
    const PlotChart chart = {.title = "t", .series = &series, .series_count = 1};
    FILE *stream = tmpfile();
    plot_write_file(stream, "t", &chart, 1);
    const char *svg = content_of(stream);
    ck_assert_ptr_null(strstr(svg, "0,5"));
    ck_assert_ptr_nonnull(strchr(svg, '.'));
    ck_assert_str_eq(localeconv()->decimal_point, comma ? "," : "."); /* it is given back */
}
END_TEST

int main(void)
{
    take_comma_locale();
    Suite *const suite = suite_create("locale");
    TCase *const all = support_case(suite, "locale", 60);
    tcase_add_test(all, rows_of_a_run_have_points);
    tcase_add_test(all, numbers_are_read_and_written_with_points);
    tcase_add_test(all, json_and_svg_have_points);
    return support_main(suite);
}
