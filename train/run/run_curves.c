/*
 * run_curves.c - see run_curves.h.
 */
#include "train/run/run_curves.h"

#include "train/plot/chart.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_POINTS = 400 }; /* of a curve: about what 640 pixels can show */

/* Losses of all steps, [count], in stretches of `stretch` steps each. */
typedef struct Stretches {
    double *step, *mean, *low, *high; /* [count] */
    int count;
    int stretch;
} Stretches;

static void free_stretches(Stretches *stretches)
{
    free(stretches->step);
    free(stretches->mean);
    free(stretches->low);
    free(stretches->high);
}

/* STATUS_FAILED without memory; free_stretches in any case. */
static Status make_stretches(Stretches *out, const double *losses, int steps, Error *error)
{
    const int stretch = (steps + MOST_POINTS - 1) / MOST_POINTS;
    const int count = stretch > 0 ? (steps + stretch - 1) / stretch : 0;
    const size_t bytes = ((size_t)count + 1) * sizeof(double);
    *out = (Stretches){.step = malloc(bytes),
                       .mean = malloc(bytes),
                       .low = malloc(bytes),
                       .high = malloc(bytes),
                       .count = count,
                       .stretch = stretch};
    if (!out->step || !out->mean || !out->low || !out->high)
        return error_set(error, STATUS_FAILED,
                         "curves.svg: no memory for %d steps; close other programs", steps);
    for (int i = 0; i < count; i++) {
        const int first = i * stretch, end = first + stretch < steps ? first + stretch : steps;
        double sum = 0, low = losses[first], high = losses[first];
        for (int step = first; step < end; step++) {
            sum += losses[step];
            low = fmin(low, losses[step]);
            high = fmax(high, losses[step]);
        }
        out->step[i] = 0.5 * (first + end - 1);
        out->mean[i] = sum / (end - first);
        out->low[i] = low;
        out->high[i] = high;
    }
    return STATUS_OK;
}

/* The columns of epochs.csv that are drawn. */
enum { STEP, VAL_LOSS, AUROC_VIDEO, MAP_VIDEO, AUROC_FRAME, MAP_FRAME, COLUMNS };

static const char *const columns[COLUMNS] = {[STEP] = "step",
                                             [VAL_LOSS] = "val_loss",
                                             [AUROC_VIDEO] = "val_auroc_video",
                                             [MAP_VIDEO] = "val_map_video",
                                             [AUROC_FRAME] = "val_auroc_frame",
                                             [MAP_FRAME] = "val_map_frame"};

typedef struct Curves {
    Stretches losses;
    double *epochs[COLUMNS]; /* [epoch_count] */
    double *number;          /* [epoch_count] of each epoch, from 1 */
    int epoch_count;
} Curves;

static void draw(FILE *stream, const Curves *curves, bool validated)
{
    const Stretches *const losses = &curves->losses;
    const int epochs = curves->epoch_count;
    const PlotSeries loss[] = {
        {.mark = PLOT_BAND,
         .x = losses->step,
         .low = losses->low,
         .high = losses->high,
         .count = losses->stretch > 1 ? losses->count : 0,
         .colour = 0},
        {.mark = PLOT_LINE,
         .name = "training",
         .x = losses->step,
         .y = losses->mean,
         .count = losses->count,
         .colour = 0},
        {.mark = PLOT_LINE,
         .x = curves->epochs[STEP],
         .y = curves->epochs[VAL_LOSS],
         .count = validated ? epochs : 0,
         .colour = 1},
        {.mark = PLOT_POINTS,
         .name = validated ? "validation (cross-entropy)" : NULL,
         .x = curves->epochs[STEP],
         .y = curves->epochs[VAL_LOSS],
         .count = validated ? epochs : 0,
         .colour = 1},
    };
    PlotSeries metrics[2 * 4];
    static const char *const names[4] = {"AUROC video", "mAP video", "AUROC frame", "mAP frame"};
    for (int i = 0; i < 4; i++) {
        metrics[i] = (PlotSeries){.mark = PLOT_LINE,
                                  .name = names[i],
                                  .x = curves->number,
                                  .y = curves->epochs[AUROC_VIDEO + i],
                                  .count = epochs,
                                  .colour = i % 2 == 0 ? 2 : 3,
                                  .dashed = i >= 2};
        metrics[4 + i] = metrics[i];
        metrics[4 + i].mark = PLOT_POINTS;
        metrics[4 + i].name = NULL;
    }
    const PlotChart charts[2] = {
        {.title = "Loss",
         .x = {.title = "step", .integers = true},
         .series = loss,
         .series_count = sizeof loss / sizeof loss[0]},
        {.title = "Validation",
         .x = {.title = "epoch", .integers = true},
         .series = metrics,
         .series_count = sizeof metrics / sizeof metrics[0]},
    };
    plot_write_file(stream, "Curves of a training run", charts, validated ? 2 : 1);
}

static Status read_curves(Curves *curves, const TrainRunFiles *files, Error *error)
{
    double *losses = NULL;
    int steps = 0;
    TRY(train_run_files_column(files, TRAIN_RUN_STEPS, "loss", &losses, &steps, error));
    Status status = make_stretches(&curves->losses, losses, steps, error);
    free(losses);
    for (int i = 0; i < COLUMNS && status == STATUS_OK; i++)
        status = train_run_files_column(files, TRAIN_RUN_EPOCHS, columns[i], &curves->epochs[i],
                                        &curves->epoch_count, error);
    if (status != STATUS_OK)
        return status;
    curves->number = malloc(((size_t)curves->epoch_count + 1) * sizeof(double));
    if (!curves->number)
        return error_set(error, STATUS_FAILED, "curves.svg: no memory; close other programs");
    for (int i = 0; i < curves->epoch_count; i++)
        curves->number[i] = i + 1;
    return STATUS_OK;
}

Status train_run_curves_write(const TrainRunFiles *files, bool validated, Error *error)
{
    Curves curves = {0};
    char path[FILE_PATH_SIZE];
    FileWriter writer;
    Status status = file_join(path, files->folder, "curves.svg", error);
    if (status == STATUS_OK)
        status = read_curves(&curves, files, error);
    if (status == STATUS_OK)
        status = file_begin(&writer, path, error);
    if (status == STATUS_OK) {
        draw(writer.stream, &curves, validated);
        status = file_commit(&writer, error);
    }
    for (int i = 0; i < COLUMNS; i++)
        free(curves.epochs[i]);
    free(curves.number);
    free_stretches(&curves.losses);
    return status;
}
