/*
 * reports_json.c - metrics.json and summary.json: see reports.h.
 */
#include "train/metrics/reports.h"

#include "tensor/base/text.h"
#include "train/metrics/metrics_walk_private.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* METRIC_ci95: [lo, hi], or null. */
static bool set_interval(json_t *object, const char *name, MetricsInterval interval)
{
    char key[64];
    snprintf(key, sizeof key, "%s_ci95", name);
    json_t *value = json_null();
    if (isfinite(interval.lower) && isfinite(interval.upper))
        value = json_pack("[f, f]", interval.lower, interval.upper);
    return json_object_set_new(object, key, value) == 0;
}

/* Where the intervals come from. */
static bool set_methods(json_t *object, const MetricsIntervals *intervals)
{
    const bool rows = intervals->auroc == METRICS_INTERVAL_DELONG_ROWS;
    json_t *const method = json_object();
    bool complete =
        json_object_set_new(method, "auroc",
                            json_string(metrics_interval_method_name(intervals->auroc))) == 0;
    if (intervals->others != METRICS_INTERVAL_NONE)
        complete =
            complete &&
            json_object_set_new(method, "others",
                                json_string(metrics_interval_method_name(intervals->others))) == 0;
    if (rows)
        complete = complete &&
                   json_object_set_new(method, "assumes", json_string("independent rows")) == 0;
    return json_object_set_new(object, "ci95_method", method) == 0 && complete;
}

/* One level's metrics, with the keys of metrics.json, and their intervals if there are any. */
static json_t *metrics_json(const Metrics *metrics, const MetricsIntervals *intervals)
{
    json_t *const object = json_object();
    bool complete =
        json_object_set_new(object, "n_real", json_integer((json_int_t)metrics->n_real)) == 0 &&
        json_object_set_new(object, "n_fake", json_integer((json_int_t)metrics->n_fake)) == 0;
    for (int i = 0; i < METRICS_NAMES && complete; i++) {
        const MetricsIntervalMethod method =
            i == METRICS_AUROC ? intervals->auroc : intervals->others;
        const char *const name = metrics_names[i].name;
        complete =
            json_object_set_new(object, name, number_or_null(metrics_value(metrics, i))) == 0;
        if (method != METRICS_INTERVAL_NONE)
            complete = complete && set_interval(object, name, intervals->of[i]);
    }
    if (intervals->auroc != METRICS_INTERVAL_NONE)
        complete = complete && set_methods(object, intervals);
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}

/* Sets object[name] = value, whatever bytes are in the name: JSON is UTF-8, file names are not always. */
static bool set_named(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, json_incref(value)) == 0) {
        json_decref(value);
        return true;
    }
    char *const escaped = text_printed(name);
    if (!escaped) {
        json_decref(value);
        return false;
    }
    const bool done = json_object_set_new(object, escaped, value) == 0;
    free(escaped);
    return done;
}

static json_t *report_json(const MetricsReport *report)
{
    json_t *const object = json_object(), *const sources = json_object();
    bool complete =
        json_object_set_new(object, "frame", metrics_json(&report->frame, &report->frame_ci)) == 0;
    if (report->has_videos)
        complete =
            complete &&
            json_object_set_new(object, "video", metrics_json(&report->video, &report->video_ci)) ==
                0 &&
            json_object_set_new(object, "video_median",
                                metrics_json(&report->video_median, &report->video_median_ci)) == 0;
    complete = complete && json_object_set(object, "sources", sources) == 0;
    for (int i = 0; i < report->source_count && complete; i++) {
        const MetricsSourceReport *const source = &report->sources[i];
        json_t *const levels = json_object();
        complete = json_object_set_new(levels, "frame",
                                       metrics_json(&source->frame, &source->frame_ci)) == 0 &&
                   json_object_set_new(levels, "video",
                                       metrics_json(&source->video, &source->video_ci)) == 0;
        complete = set_named(sources, source->name, levels) && complete;
    }
    json_decref(sources);
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}

/* Writes a document, which may be NULL or incomplete for want of memory, and ends it. */
static Status write_document(FILE *stream, json_t *document, bool complete, Error *error)
{
    Status status = STATUS_OK;
    if (!document || !complete)
        status = error_set(error, STATUS_FAILED, "metrics: no memory to write them; free some");
    else if (json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) != 0 ||
             putc('\n', stream) == EOF)
        status = error_set(error, STATUS_FAILED, "metrics: cannot be written; free some space");
    json_decref(document);
    return status;
}

Status metrics_reports_write_json(FILE *stream, const MetricsReport *reports, int count,
                                  Error *error)
{
    assert(stream && error && (count == 0 || reports));
    json_t *const document = json_object();
    bool complete = document != NULL;
    for (int i = 0; i < count && complete; i++) {
        json_t *const report = report_json(&reports[i]);
        complete = report && set_named(document, reports[i].dataset, report);
    }
    return write_document(stream, document, complete, error);
}

/* The mean of every metric over the reports; NaN if one of them is. */
static json_t *averages_json(const MetricsReport *reports, int count, bool of_videos)
{
    json_t *const object = json_object();
    bool complete = object != NULL;
    for (int m = 0; m < METRICS_NAMES && complete; m++) {
        MetricsSum sum = {0}; /* exact enough that the order of the data sets changes no bit */
        for (int i = 0; i < count; i++)
            metrics_sum_add(&sum,
                            metrics_value(of_videos ? &reports[i].video : &reports[i].frame, m));
        complete = json_object_set_new(object, metrics_names[m].name,
                                       number_or_null(metrics_sum_total(&sum) / count)) == 0;
    }
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}

Status metrics_reports_write_summary(FILE *stream, const MetricsReport *reports, int count,
                                     Error *error)
{
    assert(stream && error && reports && count > 0);
    bool videos = true;
    for (int i = 0; i < count; i++)
        videos = videos && reports[i].has_videos;
    json_t *const document = json_object();
    bool complete =
        json_object_set_new(document, "datasets", json_integer(count)) == 0 &&
        json_object_set_new(document, "frame", averages_json(reports, count, false)) == 0;
    if (videos)
        complete = complete &&
                   json_object_set_new(document, "video", averages_json(reports, count, true)) == 0;
    return write_document(stream, document, complete, error);
}
