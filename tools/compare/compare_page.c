/*
 * compare_page.c - see compare_page.h.
 */
#include "tools/compare/compare_page.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tools/report/report_page.h"
#include "train/plot/chart.h"
#include "train/run/run_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- curves ---------------------------------------------------------------------------------- */

/* Points of a curve: enough for the width of a chart, few enough to smooth the loss of steps. */
enum { POINTS = 60 };

enum { WIDTH = 440, HEIGHT = 280 }; /* of a chart, in its own units */

/* A chart with a curve for each run. */
typedef struct Overlay {
    const char *title, *x_title, *column;
    TrainRunTable table;
} Overlay;

static const Overlay overlays[] = {
    {"Training loss, smoothed", "step", "loss", TRAIN_RUN_STEPS},
    {"Validation mAP, videos", "epoch", "val_map_video", TRAIN_RUN_EPOCHS},
    {"Validation mAP, frames", "epoch", "val_map_frame", TRAIN_RUN_EPOCHS},
    {"Validation loss", "epoch", "val_loss", TRAIN_RUN_EPOCHS},
};

/* One curve, in memory of its own. */
typedef struct Curve {
    double x[POINTS], y[POINTS];
    int count;
} Curve;

static Status read_curve(Curve *curve, const CompareItems *runs, size_t run, const Overlay *overlay,
                         Error *error)
{
    TrainRunFiles files;
    double *values = NULL;
    const json_t *item = runs->order[run];
    const char *monitor =
        json_string_value(json_object_get(json_object_get(item, "recipe"), "monitor"));
    int count = 0;
    TRY(train_run_files_name(&files, json_string_value(json_object_get(item, "path")),
                             monitor ? monitor : "", error));
    TRY(train_run_files_column(&files, overlay->table, overlay->column, &values, &count, error));
    curve->count = plot_summarise(values, count, POINTS, curve->x, curve->y, NULL, NULL);
    for (int i = 0; i < curve->count; i++)
        curve->x[i] += 1; /* steps and epochs from 1 */
    free(values);
    return STATUS_OK;
}

/* Writes the chart, unless no run has a value. */
static Status write_overlay(FILE *stream, const CompareItems *runs, const Overlay *overlay,
                            Error *error)
{
    static const char what[] = "the curves of the runs";
    Curve *curves = mem_new(runs->count, sizeof *curves, what, error);
    PlotSeries *series = mem_new(runs->count, sizeof *series, what, error);
    Status status = STATUS_FAILED;
    bool any = false;
    if (!curves || !series)
        goto done;
    for (size_t i = 0; i < runs->count; i++) {
        status = read_curve(&curves[i], runs, i, overlay, error);
        if (status != STATUS_OK)
            goto done;
        for (int p = 0; p < curves[i].count; p++)
            any = any || isfinite(curves[i].y[p]);
        /* Runs of one method have one colour and one line of the legend. */
        const bool first = i == 0 || runs->group[i] != runs->group[i - 1];
        series[i] = (PlotSeries){.mark = curves[i].count > 1 ? PLOT_LINE : PLOT_POINTS,
                                 .name = first ? runs->group_names[runs->group[i]] : NULL,
                                 .x = curves[i].x,
                                 .y = curves[i].y,
                                 .count = curves[i].count,
                                 .colour = runs->group[i] % PLOT_COLOURS,
                                 .dashed = runs->group[i] >= PLOT_COLOURS};
    }
    const PlotChart chart = {.title = overlay->title,
                             .grows = true,
                             .width = WIDTH,
                             .height = HEIGHT,
                             .x = {.title = overlay->x_title, .integers = true},
                             .series = series,
                             .series_count = (int)runs->count};
    if (any) {
        fputs("<figure>\n", stream);
        plot_write(stream, &chart);
        fputs("</figure>\n", stream);
    }
    status = STATUS_OK;
done:
    free(curves);
    free(series);
    return status;
}

/* ---- the page -------------------------------------------------------------------------------- */

static Status write_table(FILE *stream, const CliView *view, CliTable *table, Error *error)
{
    CliView page = *view;
    page.format = CLI_HTML;
    return cli_view_print(&page, table, stream, error);
}

static Status write_runs(FILE *stream, const CompareItems *runs, const CliView *view, Error *error)
{
    fputs("<section id=\"runs\"><h2>Training runs</h2>\n", stream);
    TRY(write_table(stream, view, compare_runs_table(runs), error));
    if (compare_has_seeds(runs))
        TRY(write_table(stream, view, compare_seeds_table(runs, view), error));
    fputs("<h3>Curves</h3>\n<div class=\"figures\">\n", stream);
    for (size_t i = 0; i < COUNT_OF(overlays); i++)
        TRY(write_overlay(stream, runs, &overlays[i], error));
    fputs("</div>\n", stream);
    TRY(write_table(stream, view, compare_selection_table(runs), error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

static Status write_evaluations(FILE *stream, const CompareItems *evaluations, const CliView *view,
                                Error *error)
{
    static const Metric own[] = {METRICS_AUROC, METRICS_AP, METRICS_EER};
    Metric metrics[METRICS_NAMES];
    const int count = cli_view_metrics(view, own, COUNT_OF(own), metrics);
    fputs("<section id=\"evaluations\"><h2>Evaluations</h2>\n", stream);
    for (int m = 0; m < count; m++)
        for (int videos = 1; videos >= 0; videos--)
            if (videos ? !view->no_videos : !view->no_frames)
                TRY(write_table(stream, view,
                                compare_pivot_table(evaluations, view, metrics[m], videos), error));
    TRY(write_table(stream, view, compare_intervals_table(evaluations, view), error));
    TRY(write_table(stream, view, compare_selection_table(evaluations), error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

Status compare_page_write(const char *path, const CompareItems *runs,
                          const CompareItems *evaluations, const CliView *view, Error *error)
{
    FileWriter writer;
    char title[128];
    snprintf(title, sizeof title, "Comparison of %zu runs and %zu evaluations", runs->count,
             evaluations->count);
    TRY(file_begin(&writer, path, error));
    report_open_page(writer.stream, title);
    report_open_sections(writer.stream);
    Status status = STATUS_OK;
    if (runs->count > 0)
        status = write_runs(writer.stream, runs, view, error);
    if (status == STATUS_OK && evaluations->count > 0)
        status = write_evaluations(writer.stream, evaluations, view, error);
    if (status != STATUS_OK) {
        file_abort(&writer);
        return status;
    }
    report_close_page(writer.stream);
    return file_commit(&writer, error);
}
