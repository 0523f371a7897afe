/*
 * cmd_auc.c - lnclip auc: the metrics of any score file, as a table for people or as metrics.json.
 *
 * Frame and video level stand in columns of their own, under their names and their numbers of real and
 * fake: the two differ by several points, and are too often compared with one another.
 */
#include "tools/cli.h"

#include "train/reports.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

enum { TITLE_WIDTH = 28 };

static void print_fraction(double value)
{
    if (isnan(value))
        printf("  %12s", "-");
    else
        printf("  %12.6f", value);
}

/* The EER threshold is on the scale of the scores, whatever that is. */
static void print_threshold(double value)
{
    if (isnan(value))
        printf("  %12s", "-");
    else
        printf("  %12.6g", value);
}

static void print_counts(const char *title, size_t frames, size_t videos, bool has_videos)
{
    printf("  %-*s  %12zu", TITLE_WIDTH, title, frames);
    if (has_videos)
        printf("  %12zu", videos);
    putchar('\n');
}

static void print_sources(const TrainReport *report)
{
    if (report->source_count > 0)
        printf("  AUROC of all real against one source of fake:\n");
    for (int i = 0; i < report->source_count; i++) {
        const TrainSourceReport *const source = &report->sources[i];
        printf("  %-*s", TITLE_WIDTH, "");
        print_fraction(source->frame.auroc);
        print_fraction(source->video.auroc);
        printf("  ");
        cli_print_escaped(stdout, source->name);
        printf(" (fake: %zu frames, %zu videos)\n", source->frame.n_fake, source->video.n_fake);
    }
}

static void print_report(const TrainReport *report)
{
    cli_print_escaped(stdout, report->dataset);
    printf("\n  %-*s  %12s", TITLE_WIDTH, "", "FRAMES");
    if (report->has_videos)
        printf("  %12s  (mean p_fake of a video's frames)", "VIDEOS");
    putchar('\n');
    print_counts("real", report->frame.n_real, report->video.n_real, report->has_videos);
    print_counts("fake", report->frame.n_fake, report->video.n_fake, report->has_videos);
    for (int m = 0; m < TRAIN_METRIC_NAMES; m++) {
        const bool threshold =
            train_metric_names[m].offset == offsetof(TrainMetrics, eer_threshold);
        void (*const print)(double) = threshold ? print_threshold : print_fraction;
        printf("  %-*s", TITLE_WIDTH, train_metric_names[m].title);
        print(train_metric_value(&report->frame, m));
        if (report->has_videos)
            print(train_metric_value(&report->video, m));
        putchar('\n');
    }
    print_sources(report);
}

/* What is no error, but should not be overlooked. */
static void warn_about(const char *path, const TrainPredictions *predictions,
                       const TrainReport *reports, int count)
{
    if (predictions->duplicates > 0)
        cli_warn("%s: %s %s a file of its data set a second time, and each is counted; remove what "
                 "is not meant",
                 path, cli_count(predictions->duplicates),
                 predictions->duplicates == 1 ? "row names" : "rows name");
    for (int i = 0; i < count; i++) {
        const TrainMetrics *const frame = &reports[i].frame;
        if (frame->n_real == 0 || frame->n_fake == 0)
            cli_warn("%s: all rows are %s; what needs both classes is undefined",
                     reports[i].dataset, frame->n_real == 0 ? "fake" : "real");
        else if (frame->auroc < 0.5)
            cli_warn("%s: the frame AUROC of %.4f is below chance; are labels or scores the wrong "
                     "way round? "
                     "(label 1 and high scores mean fake)",
                     reports[i].dataset, frame->auroc);
    }
}

static Status show(const char *path, bool json, Error *error)
{
    TrainPredictions predictions;
    TrainReport *reports = NULL;
    int count = 0;
    TRY(train_predictions_read(&predictions, path, error));
    Status status = train_reports(&predictions, &reports, &count, error);
    if (status == STATUS_OK) {
        warn_about(path, &predictions, reports, count);
        if (json)
            status = train_reports_write_json(stdout, reports, count, error);
        for (int i = 0; i < count && !json; i++)
            print_report(&reports[i]);
    }
    train_reports_free(reports, count);
    train_predictions_free(&predictions);
    return status;
}

int cmd_auc(int argc, char **argv)
{
    bool json = false;
    CliOption options[] = {
        {"--json", CLI_FLAG, &json, 0, 0, NULL,
         "print the object of metrics.json instead of a table"},
        {0},
    };
    const CliCommand command = {
        .name = "auc",
        .summary = "metrics of any score file",
        .usage = "lnclip auc SCORES.csv [--json]",
        .details =
            "SCORES.csv has the columns files,labels,prob_class_0,prob_class_1[,dataset,video] or "
            "label,score, in any\norder; label 1 and high scores mean fake. A video is the folder "
            "of its "
            "frames, unless the column video\nsays otherwise. Fractions, never per cent; the "
            "definitions are scikit-learn's. The EER threshold is\nchosen on the same scores, so "
            "what "
            "is measured at it is optimistic.",
        .example = "lnclip auc eval/predictions.csv",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, 2, "a score file");
    if (arguments.positional.count == 2)
        return cli_usage_error(
            "%s: the paired comparison of two files is not in this version; give one file",
            arguments.positional.items[1]);
    Error error = {0};
    return show(arguments.positional.items[0], json, &error) == STATUS_OK ? CLI_DONE
                                                                          : cli_report(&error);
}
