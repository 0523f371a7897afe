/*
 * eval_result.c - see eval_result.h.
 */
#include "train/eval/eval_result.h"

#include "tensor/base/mem.h"
#include "train/eval/eval_scores.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

MetricsPrediction eval_prediction(const EvalSet *set, int i, const float *probabilities,
                                  const float *margins)
{
    const DataFrame *frame = &set->frames.frames[i];
    const size_t at = set->first + (size_t)i;
    const float *p = probabilities + 2 * at;
    return (MetricsPrediction){
        .file = frame->path,
        .dataset = set->name,
        .video = set->frames.videos[frame->video],
        .source = set->frames.sources[frame->source],
        .label = frame->label,
        .real = metrics_predictions_written(p[0]),
        .fake = metrics_predictions_written(p[1]),
        .has_margin = true,
        .margin = metrics_predictions_written(margins[at]),
    };
}

static Status make_predictions(const EvalSets *sets, const float *probabilities,
                               const float *margins, MetricsPredictions *predictions, Error *error)
{
    *predictions = metrics_predictions_empty();
    for (int s = 0; s < sets->set_count; s++) {
        const EvalSet *set = &sets->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const MetricsPrediction row = eval_prediction(set, i, probabilities, margins);
            TRY(metrics_predictions_append(predictions, &row, error));
        }
    }
    return STATUS_OK;
}

static Status make_reports(const EvalSets *sets, const float *probabilities, const float *margins,
                           const MetricsUncertainty *settings, MetricsPredictions *predictions,
                           MetricsReport **reports, Error *error)
{
    int count = 0;
    TRY(make_predictions(sets, probabilities, margins, predictions, error));
    TRY(metrics_reports_with(predictions, settings, reports, &count, error));
    assert(count == sets->set_count);
    return STATUS_OK;
}

static Status make_perturbed(EvalResult *result, const EvalScoring *scoring,
                             const EvalScores *scores, const MetricsUncertainty *settings,
                             Error *error)
{
    if (scoring->perturbation_count == 0)
        return STATUS_OK;
    result->perturbed = mem_new(scoring->perturbation_count, sizeof *result->perturbed,
                                "the results of perturbations", error);
    if (!result->perturbed)
        return error->status;
    for (int i = 0; i < scoring->perturbation_count; i++) {
        const size_t first = (size_t)(1 + i) * scoring->sets->count;
        EvalPerturbed *perturbed = &result->perturbed[result->perturbed_count++];
        perturbed->perturbation = &scoring->perturbations[i];
        TRY(make_reports(scoring->sets, scores->probabilities + 2 * first, scores->margins + first,
                         settings, &perturbed->predictions, &perturbed->reports, error));
    }
    return STATUS_OK;
}

static Status find_at_thresholds(EvalResult *result, Error *error)
{
    const MetricsCalibration *calibration = &result->adapter->calibration;
    if (!result->adapter->calibrated)
        return STATUS_OK;
    result->at =
        mem_new(result->sets->set_count, sizeof *result->at, "errors at thresholds", error);
    if (!result->at)
        return error->status;
    for (int i = 0; i < result->sets->set_count; i++) {
        const MetricsScores *scores = &result->scores[i];
        result->at[i].frame = metrics_at_threshold(scores->scores, scores->labels, scores->frames,
                                                   calibration->threshold_frame);
        result->at[i].video = metrics_at_threshold(scores->video_mean, scores->video_labels,
                                                   scores->videos, calibration->threshold_video);
    }
    return STATUS_OK;
}

Status eval_result_make(EvalResult *result, const EvalScoring *scoring, const EvalAdapter *adapter,
                        const EvalScores *scores, const MetricsUncertainty *settings, Error *error)
{
    const EvalSets *sets = scoring->sets;
    int count = 0;
    result->sets = sets;
    result->adapter = adapter;
    result->probabilities =
        mem_new(sets->count, 2 * sizeof *result->probabilities, "the scores", error);
    if (!result->probabilities)
        return error->status;
    result->margins = mem_new(sets->count, sizeof *result->margins, "the scores", error);
    if (!result->margins)
        return error->status;
    memcpy(result->margins, scores->margins, sets->count * sizeof *result->margins);
    memcpy(result->probabilities, scores->probabilities,
           sets->count * 2 * sizeof *result->probabilities);
    TRY(make_reports(sets, result->probabilities, result->margins, settings, &result->predictions,
                     &result->reports, error));
    TRY(metrics_scores_gather(&result->predictions, &result->scores, &count, error));
    TRY(find_at_thresholds(result, error));
    return make_perturbed(result, scoring, scores, settings, error);
}

void eval_result_free(EvalResult *result)
{
    const int count = result->sets ? result->sets->set_count : 0;
    for (int i = 0; i < result->perturbed_count; i++) {
        if (result->perturbed[i].reports)
            metrics_reports_free(result->perturbed[i].reports, count);
        metrics_predictions_free(&result->perturbed[i].predictions);
    }
    free(result->perturbed);
    free(result->at);
    if (result->scores)
        metrics_scores_free(result->scores, count);
    if (result->reports)
        metrics_reports_free(result->reports, count);
    metrics_predictions_free(&result->predictions);
    free(result->probabilities);
    free(result->margins);
    *result = (EvalResult){0};
}
