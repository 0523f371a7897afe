/*
 * validate.c - see validate.h.
 */
#include "train/validate.h"

#include "train/metrics/reports.h"
#include "train/recipe.h"
#include "vit/head.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

TrainEpoch train_epoch_empty(void)
{
    const Metrics none = metrics_undefined();
    return (TrainEpoch){
        .lr = NAN, .train_loss = NAN, .val_loss = NAN, .frame = none, .video = none};
}

Status train_validation_metrics(const DataList *list, const float *probabilities,
                                const float *margins, const float *cross_entropy, TrainEpoch *epoch,
                                Error *error)
{
    MetricsPredictions predictions = metrics_predictions_empty();
    MetricsReport *reports = NULL;
    int report_count = 0;
    double loss = 0;
    Status status = STATUS_OK;
    for (int i = 0; i < list->count && status == STATUS_OK; i++) {
        const DataFrame *frame = &list->frames[i];
        const float *row = probabilities + (size_t)i * VIT_CLASSES;
        const MetricsPrediction prediction = {
            .file = frame->path,
            .dataset = "val",
            .video = list->videos[frame->video],
            .label = frame->label,
            .real = metrics_predictions_written(row[0]),
            .fake = metrics_predictions_written(row[1]),
            .has_margin = true,
            .margin = metrics_predictions_written(margins[i]),
        };
        status = metrics_predictions_append(&predictions, &prediction, error);
        loss += (double)cross_entropy[i];
    }
    if (status == STATUS_OK)
        status = metrics_reports(&predictions, &reports, &report_count, error);
    if (status == STATUS_OK) {
        assert(report_count == 1 && reports[0].has_videos);
        epoch->val_loss = loss / list->count;
        epoch->frame = reports[0].frame;
        epoch->video = reports[0].video;
        metrics_reports_free(reports, report_count);
    }
    metrics_predictions_free(&predictions);
    return status;
}

static TrainMonitor monitor_of(const char *name)
{
    TrainMonitor monitor = {0};
    const bool known = train_monitor_parse(name, &monitor);
    assert(known && "checked by train_recipe_set");
    (void)known;
    return monitor;
}

double train_monitor_value(const TrainEpoch *epoch, const char *name)
{
    const TrainMonitor monitor = monitor_of(name);
    if (monitor.metric < 0)
        return epoch->val_loss;
    return metrics_value(monitor.video ? &epoch->video : &epoch->frame, monitor.metric);
}

bool train_monitor_better(const char *name, double value, double best)
{
    if (isnan(value) || isnan(best))
        return !isnan(value) && isnan(best);
    return monitor_of(name).descends ? value < best : value > best;
}
