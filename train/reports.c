/*
 * reports.c - from a table of predictions to metrics by data set, frame, video and source, and to JSON.
 *
 * Rows are visited data set by data set and otherwise in file order, so that the mean of a video has the same
 * bits wherever its data set stands in the file. A table of bare scores is handed on without a copy.
 */
#include "train/predictions.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Working memory of train_reports. Rows of data set d are order[first[d]] to order[first[d + 1]]. */
typedef struct Work {
    const TrainPredictions *table; /* borrowed */
    uint32_t *order;               /* [count] rows by data set, stable; NULL: as they are */
    size_t *first;                 /* [dataset_count + 1] */
    double *video_sum;             /* [video_count] */
    uint32_t *video_frames;        /* [video_count] */
    int *video_source; /* [video_count] index into the sources of its data set, or NO_SOURCE */
    uint32_t *videos;  /* [video_count] those of one data set, in order of first row */
    double *scores;    /* [count] gathered for train_metrics */
    uint8_t *labels;   /* [count] */
} Work;

enum { NO_SOURCE = -1, ALL_SOURCES = -2 };

static void free_work(Work *work)
{
    free(work->order);
    free(work->first);
    free(work->video_sum);
    free(work->video_frames);
    free(work->video_source);
    free(work->videos);
    free(work->scores);
    free(work->labels);
}

/* Sorts the rows by data set, by counting. */
static void order_rows(Work *work)
{
    const TrainPredictions *const table = work->table;
    for (size_t i = 0; i < table->count; i++)
        work->first[(table->row_dataset ? table->row_dataset[i] : 0) + 1]++;
    for (uint32_t d = 0; d < table->dataset_count; d++)
        work->first[d + 1] += work->first[d];
    if (!work->order)
        return;
    for (size_t i = 0; i < table->count; i++)
        work->order[work->first[table->row_dataset[i]]++] = (uint32_t)i;
    for (uint32_t d = table->dataset_count; d > 0; d--) /* undo the advance */
        work->first[d] = work->first[d - 1];
    work->first[0] = 0;
}

static Status make_work(Work *work, const TrainPredictions *table, Error *error)
{
    *work = (Work){.table = table};
    const size_t videos = table->video_count + (size_t)1;
    const bool gathers = table->row_dataset || table->row_video;
    work->first = calloc(table->dataset_count + (size_t)1, sizeof *work->first);
    work->order = table->row_dataset ? malloc(table->count * sizeof *work->order) : NULL;
    work->video_sum = calloc(videos, sizeof *work->video_sum);
    work->video_frames = calloc(videos, sizeof *work->video_frames);
    work->video_source = malloc(videos * sizeof *work->video_source);
    work->videos = malloc(videos * sizeof *work->videos);
    work->scores = gathers ? malloc(table->count * sizeof *work->scores) : NULL;
    work->labels = gathers ? malloc(table->count) : NULL;
    if (!work->first || (table->row_dataset && !work->order) || !work->video_sum ||
        !work->video_frames || !work->video_source || !work->videos ||
        (gathers && (!work->scores || !work->labels)))
        return error_set(error, STATUS_FAILED, "scores: no memory to sum up %zu rows; free some",
                         table->count);
    order_rows(work);
    return STATUS_OK;
}

static size_t row_at(const Work *work, size_t position)
{
    return work->order ? work->order[position] : position;
}

/* Sums the frames of each video of data set d and lists its videos; false if a frame has none. */
static bool sum_videos(Work *work, uint32_t d, uint32_t *count)
{
    const TrainPredictions *const table = work->table;
    *count = 0;
    if (!table->row_video)
        return false;
    for (size_t i = work->first[d]; i < work->first[d + 1]; i++) {
        const size_t row = row_at(work, i);
        const uint32_t video = table->row_video[row];
        if (video == TRAIN_NO_VIDEO)
            return false;
        if (work->video_frames[video]++ == 0)
            work->videos[(*count)++] = video;
        work->video_sum[video] += table->scores[row];
    }
    return true;
}

static bool wanted(int source, int label, int of_video)
{
    return source == ALL_SOURCES || label == 0 || of_video == source;
}

/* Metrics of the frames of data set d: all of them, or the reals and one fake source. */
static Status frame_metrics(Work *work, uint32_t d, int source, TrainMetrics *metrics, Error *error)
{
    const TrainPredictions *const table = work->table;
    const size_t first = work->first[d], end = work->first[d + 1];
    if (!work->order && source == ALL_SOURCES)
        return train_metrics(table->scores + first, table->labels + first, end - first, metrics,
                             error);
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        const size_t row = row_at(work, i);
        if (source != ALL_SOURCES &&
            !wanted(source, table->labels[row], work->video_source[table->row_video[row]]))
            continue;
        work->scores[n] = table->scores[row];
        work->labels[n++] = table->labels[row];
    }
    return train_metrics(work->scores, work->labels, n, metrics, error);
}

/* The same of the means of work->videos [count]. */
static Status video_metrics(Work *work, uint32_t count, int source, TrainMetrics *metrics,
                            Error *error)
{
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t video = work->videos[i];
        const int label = work->table->videos[video].label;
        if (!wanted(source, label, work->video_source[video]))
            continue;
        work->scores[n] = work->video_sum[video] / work->video_frames[video];
        work->labels[n++] = (uint8_t)label;
    }
    return train_metrics(work->scores, work->labels, n, metrics, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * The names of the fake sources among work->videos [count], in bytewise order, and work->video_source
 * for each of those videos. *names [*name_count] is the caller's to free.
 */
static Status find_sources(Work *work, uint32_t count, const char ***names, int *name_count,
                           Error *error)
{
    const TrainVideo *const videos = work->table->videos;
    const char **const found = malloc(((size_t)count + 1) * sizeof *found);
    if (!found)
        return error_set(error, STATUS_FAILED, "scores: no memory to list the sources; free some");
    size_t n = 0, unique = 0;
    for (uint32_t i = 0; i < count; i++)
        if (videos[work->videos[i]].label == 1 && videos[work->videos[i]].source)
            found[n++] = videos[work->videos[i]].source;
    qsort(found, n, sizeof *found, compare_names);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || strcmp(found[unique - 1], found[i]) != 0)
            found[unique++] = found[i];
    for (uint32_t i = 0; i < count; i++) {
        const TrainVideo *const video = &videos[work->videos[i]];
        const char **const at =
            video->label == 1 && video->source
                ? bsearch(&video->source, found, unique, sizeof *found, compare_names)
                : NULL;
        work->video_source[work->videos[i]] = at ? (int)(at - found) : NO_SOURCE;
    }
    *names = found;
    *name_count = unique <= TRAIN_MAX_SOURCES ? (int)unique : 0;
    return STATUS_OK;
}

static Status report_sources(Work *work, uint32_t d, uint32_t videos, TrainReport *report,
                             Error *error)
{
    const char **names = NULL;
    TRY(find_sources(work, videos, &names, &report->source_count, error));
    Status status = STATUS_OK;
    report->sources = calloc((size_t)report->source_count + 1, sizeof *report->sources);
    if (!report->sources)
        status = error_set(error, STATUS_FAILED, "scores: no memory for the reports; free some");
    for (int s = 0; s < report->source_count && status == STATUS_OK; s++) {
        TrainSourceReport *const source = &report->sources[s];
        source->name = names[s];
        status = frame_metrics(work, d, s, &source->frame, error);
        if (status == STATUS_OK)
            status = video_metrics(work, videos, s, &source->video, error);
    }
    free(names);
    return status;
}

static Status report_dataset(Work *work, uint32_t d, TrainReport *report, Error *error)
{
    uint32_t videos = 0;
    report->dataset = work->table->datasets[d];
    report->has_videos = sum_videos(work, d, &videos);
    TRY(frame_metrics(work, d, ALL_SOURCES, &report->frame, error));
    if (!report->has_videos)
        return STATUS_OK;
    TRY(video_metrics(work, videos, ALL_SOURCES, &report->video, error));
    return report_sources(work, d, videos, report, error);
}

Status train_reports(const TrainPredictions *predictions, TrainReport **reports, int *count,
                     Error *error)
{
    assert(predictions && reports && count && error);
    *reports = NULL;
    *count = 0;
    if (predictions->count == 0)
        return error_set(error, STATUS_FAILED, "scores: there are none; give at least one row");
    Work work;
    Status status = make_work(&work, predictions, error);
    TrainReport *const made =
        status == STATUS_OK ? calloc(predictions->dataset_count, sizeof *made) : NULL;
    if (status == STATUS_OK && !made)
        status = error_set(error, STATUS_FAILED, "scores: no memory for the reports; free some");
    for (uint32_t d = 0; d < predictions->dataset_count && status == STATUS_OK; d++)
        status = report_dataset(&work, d, &made[d], error);
    free_work(&work);
    if (status != STATUS_OK) {
        train_reports_free(made, made ? (int)predictions->dataset_count : 0);
        return status;
    }
    *reports = made;
    *count = (int)predictions->dataset_count;
    return STATUS_OK;
}

void train_reports_free(TrainReport *reports, int count)
{
    for (int i = 0; i < count; i++)
        free(reports[i].sources);
    free(reports);
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* One level's metrics, with the keys of metrics.json. */
static json_t *metrics_json(const TrainMetrics *metrics)
{
    json_t *const object = json_object();
    bool complete =
        json_object_set_new(object, "n_real", json_integer((json_int_t)metrics->n_real)) == 0 &&
        json_object_set_new(object, "n_fake", json_integer((json_int_t)metrics->n_fake)) == 0;
    for (int i = 0; i < TRAIN_METRIC_NAMES && complete; i++)
        complete = json_object_set_new(object, train_metric_names[i].name,
                                       number_or_null(train_metric_value(metrics, i))) == 0;
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
    char *const escaped = malloc(4 * strlen(name) + 1);
    if (!escaped) {
        json_decref(value);
        return false;
    }
    char *out = escaped;
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < 0x80)
            *out++ = *p;
        else
            out += sprintf(out, "\\x%02X", (unsigned)(unsigned char)*p);
    }
    *out = '\0';
    const bool done = json_object_set_new(object, escaped, value) == 0;
    free(escaped);
    return done;
}

static json_t *report_json(const TrainReport *report)
{
    json_t *const object = json_object(), *const sources = json_object();
    bool complete = json_object_set_new(object, "frame", metrics_json(&report->frame)) == 0;
    if (report->has_videos)
        complete =
            complete && json_object_set_new(object, "video", metrics_json(&report->video)) == 0;
    complete = complete && json_object_set(object, "sources", sources) == 0;
    for (int i = 0; i < report->source_count && complete; i++) {
        const TrainSourceReport *const source = &report->sources[i];
        json_t *const levels = json_object();
        complete = json_object_set_new(levels, "frame", metrics_json(&source->frame)) == 0 &&
                   json_object_set_new(levels, "video", metrics_json(&source->video)) == 0;
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

Status train_reports_write_json(FILE *stream, const TrainReport *reports, int count, Error *error)
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
static json_t *averages_json(const TrainReport *reports, int count, bool of_videos)
{
    json_t *const object = json_object();
    bool complete = object != NULL;
    for (int m = 0; m < TRAIN_METRIC_NAMES && complete; m++) {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += train_metric_value(of_videos ? &reports[i].video : &reports[i].frame, m);
        complete = json_object_set_new(object, train_metric_names[m].name,
                                       number_or_null(sum / count)) == 0;
    }
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}

Status train_reports_write_summary(FILE *stream, const TrainReport *reports, int count,
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
