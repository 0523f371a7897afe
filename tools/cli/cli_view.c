/*
 * cli_view.c - see cli_view.h.
 */
#include "tools/cli/cli_view.h"

#include <stdlib.h>
#include <string.h>

/* Adds the metric named by text [length] to the view. */
static void add_metric(CliView *view, const char *text, size_t length)
{
    const char *names[METRICS_NAMES];
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    for (int m = 0; m < METRICS_NAMES; m++) {
        names[m] = metrics_names[m].name;
        if (strcmp(word, names[m]) != 0)
            continue;
        for (int i = 0; i < view->metric_count; i++)
            if ((int)view->metrics[i] == m)
                exit(cli_usage_error("--metrics: %s is given twice; name each metric once", word));
        view->metrics[view->metric_count++] = (Metric)m;
        return;
    }
    const char *nearest = cli_nearest(word, names, METRICS_NAMES);
    exit(nearest
             ? cli_usage_error("--metrics %s: unknown metric; did you mean '%s'?", word, nearest)
             : cli_usage_error("--metrics %s: unknown metric; name keys of metrics.json as "
                               "auroc, ap, map, eer or accuracy",
                               word));
}

CliView cli_view_expect(const CliViewOptions *options)
{
    CliView view = {.digits = options->digits, .percent = options->percent};
    if (options->format && !cli_format_parse(options->format, &view.format))
        exit(
            cli_usage_error("--format %s: unknown format; use " CLI_FORMAT_WORDS, options->format));
    view.no_videos = options->level && strcmp(options->level, "frame") == 0;
    view.no_frames = options->level && strcmp(options->level, "video") == 0;
    if (options->level && !view.no_videos && !view.no_frames)
        exit(cli_usage_error("--level %s: unknown level; use frame or video", options->level));
    for (const char *at = options->metrics; at && *at;) {
        const size_t length = strcspn(at, ",");
        add_metric(&view, at, length);
        at += length + (at[length] == ',');
    }
    return view;
}

int cli_view_metrics(const CliView *view, const Metric *own, int count, Metric *metrics)
{
    const Metric *from = view->metric_count > 0 ? view->metrics : own;
    const int number = view->metric_count > 0 ? view->metric_count : count;
    memmove(metrics, from, (size_t)number * sizeof *metrics); /* may be `own` itself */
    return number;
}

Status cli_view_print(const CliView *view, CliTable *table, FILE *stream, Error *error)
{
    cli_table_digits(table, view->digits, view->percent);
    return cli_table_print(table, view->format, stream, error);
}
