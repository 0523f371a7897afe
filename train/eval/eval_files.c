/*
 * eval_files.c - see eval_files.h. JSON is encoded by jansson.
 */
#include "train/eval/eval_files.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "train/json.h"
#include "train/run/run_record.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- metrics.json ---------------------------------------------------------------------------- */

static json_t *at_json(const MetricsAtThreshold *at)
{
    json_t *object = json_object();
    train_json_set(object, "threshold", train_json_number(at->threshold));
    train_json_set(object, "n_real", json_integer((json_int_t)at->n_real));
    train_json_set(object, "n_fake", json_integer((json_int_t)at->n_fake));
    train_json_set(object, "fpr", train_json_number(at->fpr));
    train_json_set(object, "tpr", train_json_number(at->tpr));
    train_json_set(object, "accuracy", train_json_number(at->accuracy));
    train_json_set(object, "balanced_accuracy", train_json_number(at->balanced_accuracy));
    return object;
}

json_t *eval_metrics_json(const EvalResult *result)
{
    json_t *document = metrics_reports_json(result->reports, result->sets->set_count);
    const char *name;
    json_t *set;
    int i = 0;
    if (!result->at)
        return document;
    json_object_foreach(document, name, set)
    {
        const EvalAtThresholds *at = &result->at[i++];
        json_t *levels = json_object();
        train_json_set(levels, "frame", at_json(&at->frame));
        if (at->video.n_real + at->video.n_fake > 0)
            train_json_set(levels, "video", at_json(&at->video));
        train_json_set(set, "at_threshold", levels);
    }
    return document;
}

static Status write_metrics(const EvalResult *result, FILE *stream, Error *error)
{
    return train_json_write(eval_metrics_json(result), stream, 17, "eval", error);
}

static Status write_summary(const EvalResult *result, FILE *stream, Error *error)
{
    return metrics_reports_write_summary(stream, result->reports, result->sets->set_count, error);
}

/* ---- predictions.csv ------------------------------------------------------------------------- */

/* True if a list gives a frame another source than its path. */
static bool names_sources(const EvalResult *result)
{
    for (int s = 0; s < result->sets->set_count; s++) {
        const EvalSet *set = &result->sets->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const MetricsPrediction row =
                eval_prediction(set, i, result->probabilities, result->margins);
            if (metrics_predictions_source_differs(&row))
                return true;
        }
    }
    return false;
}

static Status write_predictions(const EvalResult *result, FILE *stream, Error *error)
{
    (void)error; /* a failed write stays with the stream */
    const bool sources = names_sources(result);
    metrics_predictions_write_header(stream, sources);
    for (int s = 0; s < result->sets->set_count; s++) {
        const EvalSet *set = &result->sets->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const MetricsPrediction row =
                eval_prediction(set, i, result->probabilities, result->margins);
            metrics_predictions_write_row(stream, &row, sources);
        }
    }
    return STATUS_OK;
}

/* ---- evaluation.json ------------------------------------------------------------------------- */

static json_t *calibration_json(const EvalAdapter *adapter)
{
    const MetricsCalibration *calibration = &adapter->calibration;
    if (!adapter->calibrated)
        return json_null();
    json_t *object = json_object();
    train_json_set(object, "temperature", train_json_number(calibration->temperature));
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, calibration->rule);
    train_json_set(object, "threshold_fpr",
                   calibration->rule.kind == METRICS_RULE_FPR
                       ? train_json_number(calibration->rule.rate)
                       : json_null());
    train_json_set(object, "threshold_rule", json_string(rule));
    train_json_set(object, "threshold_frame", train_json_number(calibration->threshold_frame));
    train_json_set(object, "threshold_video", train_json_number(calibration->threshold_video));
    train_json_set(object, "calibrated_on", train_json_string(calibration->on));
    return object;
}

static json_t *adapter_json(const EvalAdapter *adapter)
{
    if (!adapter->path)
        return json_null();
    json_t *object = json_object();
    train_json_set(object, "path", train_json_string(adapter->path));
    train_json_set(object, "hash", json_string(adapter->hash));
    train_json_set(object, "selected_on", train_json_string(adapter->selected_on));
    train_json_set(object, "recipe",
                   adapter->recipe ? train_json_recipe(adapter->recipe, train_json_string)
                                   : json_null());
    json_t *record = adapter->record ? json_loads(adapter->record, 0, NULL) : NULL;
    train_json_set(object, "record", record ? record : json_null());
    train_json_set(object, "calibration", calibration_json(adapter));
    return object;
}

static json_t *set_json(const EvalSet *set)
{
    json_t *object = json_object(), *lists = json_array();
    int frames[2], videos[2];
    data_list_counts(&set->frames, frames, videos);
    for (int i = 0; i < set->list_count; i++)
        train_json_append(lists, train_json_string(set->lists[i]));
    train_json_set(object, "lists", lists);
    train_json_set(object, "hash", json_string(set->hash));
    train_json_set(object, "real",
                   json_pack("{s:i, s:i}", "videos", videos[0], "frames", frames[0]));
    train_json_set(object, "fake",
                   json_pack("{s:i, s:i}", "videos", videos[1], "frames", frames[1]));
    return object;
}

/* A number, or an array for a combination of perturbations. */
static json_t *strength_json(const DataPerturbation *perturbation)
{
    if (perturbation->count == 1)
        return train_json_number(perturbation->strengths[0]);
    json_t *strengths = json_array();
    for (int i = 0; i < perturbation->count; i++)
        train_json_append(strengths, train_json_number(perturbation->strengths[i]));
    return strengths;
}

static json_t *perturbations_json(const EvalResult *result)
{
    json_t *object = json_object();
    for (int i = 0; i < result->perturbed_count; i++) {
        const EvalPerturbed *one = &result->perturbed[i];
        json_t *strengths = json_object_get(object, one->perturbation->kind);
        if (!strengths) {
            strengths = json_array();
            train_json_set(object, one->perturbation->kind, strengths);
        }
        train_json_append(strengths, strength_json(one->perturbation));
    }
    return object;
}

static Status write_evaluation(const EvalResult *result, FILE *stream, Error *error)
{
    static const char *const modes[] = {
        [METRICS_CI_AUTO] = "auto", [METRICS_CI_ON] = "on", [METRICS_CI_OFF] = "off"};
    const EvalProvenance *from = &result->provenance;
    char processor[256], seed[24]; /* a seed may be too large for the integers of JSON */
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)from->seed);
    train_processor(processor, sizeof processor);
    json_t *sets = json_object();
    for (int i = 0; i < result->sets->set_count; i++)
        train_json_set(sets, result->sets->sets[i].name, set_json(&result->sets->sets[i]));
    json_t *document = json_pack(
        "{s:s, s:s, s:{s:o, s:s}, s:{s:o, s:s, s:s, s:i}, s:o, s:s, s:s, s:i, s:s, s:s, s:o, s:o, "
        "s:s, s:i}",
        "lnclip", LNCLIP_VERSION, "revision", train_revision(), "machine", "processor",
        train_json_string(processor), "kernels", from->kernels, "model", "path",
        train_json_string(from->model), "arch", from->arch, "fingerprint", from->fingerprint,
        "image_size", from->image_size, "adapter", adapter_json(result->adapter), "precision",
        from->precision, "decoders", from->decoders, "frames_per_video", from->frames_per_video,
        "ci", modes[from->ci], "seed", seed, "sets", sets, "perturbations",
        perturbations_json(result), "frame_choice", from->frame_choice, "limit", from->limit);
    return train_json_write(document, stream, 17, "eval", error);
}

/* ---- robustness ------------------------------------------------------------------------------ */

/* {NAME: {KIND: [{"strength": S, "frame": ..., "video": ..., ...}]}} */
static Status write_robustness(const EvalResult *result, FILE *stream, Error *error)
{
    json_t *document = json_object();
    for (int p = 0; p < result->perturbed_count; p++) {
        const EvalPerturbed *one = &result->perturbed[p];
        json_t *reports = metrics_reports_json(one->reports, result->sets->set_count);
        const char *name;
        json_t *metrics;
        json_object_foreach(reports, name, metrics)
        {
            json_t *kinds = json_object_get(document, name);
            if (!kinds)
                train_json_set(document, name, kinds = json_object());
            json_t *strengths = json_object_get(kinds, one->perturbation->kind);
            if (!strengths)
                train_json_set(kinds, one->perturbation->kind, strengths = json_array());
            json_t *entry = json_object();
            train_json_set(entry, "strength", strength_json(one->perturbation));
            if (json_object_update(entry, metrics) != 0)
                train_json_lose();
            train_json_append(strengths, entry);
        }
        json_decref(reports);
    }
    return train_json_write(document, stream, 17, "eval", error);
}

static void write_exactly(FILE *stream, double value)
{
    putc(',', stream);
    if (isfinite(value))
        fprintf(stream, "%.17g", value);
}

static void write_word(FILE *stream, const char *word)
{
    metrics_predictions_write_field(stream, word, strlen(word));
    putc(',', stream);
}

static void robustness_rows(FILE *stream, const MetricsReport *report, const char *kind,
                            const char *strength)
{
    MetricsReportLevel levels[METRICS_REPORT_LEVELS];
    metrics_report_levels(report, levels);
    for (int i = 0; i < (report->has_videos ? 2 : 1); i++) {
        const Metrics *metrics = levels[i].metrics;
        const MetricsInterval auroc = levels[i].intervals->of[METRICS_AUROC];
        write_word(stream, report->dataset);
        write_word(stream, kind);
        write_word(stream, strength);
        write_word(stream, levels[i].key);
        fprintf(stream, "%zu,%zu", metrics->n_real, metrics->n_fake);
        write_exactly(stream, metrics->auroc);
        write_exactly(stream, auroc.lower);
        write_exactly(stream, auroc.upper);
        write_exactly(stream, metrics->ap);
        write_exactly(stream, metrics->eer);
        write_exactly(stream, metrics->accuracy);
        putc('\n', stream);
    }
}

static Status write_robustness_csv(const EvalResult *result, FILE *stream, Error *error)
{
    (void)error; /* a failed write stays with the stream */
    fputs("dataset,perturbation,strength,level,n_real,n_fake,auroc,auroc_lower,auroc_upper,ap,eer,"
          "accuracy\n",
          stream);
    for (int s = 0; s < result->sets->set_count; s++) {
        robustness_rows(stream, &result->reports[s], "none", "");
        for (int p = 0; p < result->perturbed_count; p++)
            robustness_rows(stream, &result->perturbed[p].reports[s],
                            result->perturbed[p].perturbation->kind,
                            result->perturbed[p].perturbation->text);
    }
    return STATUS_OK;
}

/* ---- all together ---------------------------------------------------------------------------- */

typedef struct ResultFile {
    const char *name;
    Status (*write)(const EvalResult *result, FILE *stream, Error *error);
    bool of_perturbations; /* written only with perturbations */
} ResultFile;

static const ResultFile result_files[] = {
    {"predictions.csv", write_predictions, false}, {"metrics.json", write_metrics, false},
    {"summary.json", write_summary, false},        {"evaluation.json", write_evaluation, false},
    {"robustness.json", write_robustness, true},   {"robustness.csv", write_robustness_csv, true},
};
enum { RESULT_FILES = COUNT_OF(result_files) };
static const char comparison_file[] = "comparison.json";

/* Writes one file to its temporary path and syncs it to disk. */
static Status write_result(const EvalResult *result, const ResultFile *file, FileWriter *writer,
                           Error *error)
{
    const Status status = file->write(result, writer->stream, error);
    if (fflush(writer->stream) == 0 && !ferror(writer->stream) &&
        fsync(fileno(writer->stream)) == 0)
        return status;
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be written (disk full?); free some disk space and run the same "
                     "command again: the scores are kept",
                     writer->path);
}

static Status remove_old(const char *folder, const char *name, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, name, error));
    if (unlink(path) == 0 || errno == ENOENT)
        return STATUS_OK;
    return error_set(
        error, STATUS_FAILED,
        "%s: belongs to an earlier evaluation and cannot be removed (%s); remove it by "
        "hand",
        path, strerror(errno));
}

Status eval_result_write(const EvalResult *result, const char *folder, Error *error)
{
    FileWriter writers[RESULT_FILES];
    char path[FILE_PATH_SIZE];
    int begun = 0;
    Status status = STATUS_OK;
    for (int i = 0; i < RESULT_FILES && status == STATUS_OK; i++) {
        const ResultFile *file = &result_files[i];
        if (file->of_perturbations && result->perturbed_count == 0)
            continue;
        status = file_join(path, folder, file->name, error);
        if (status == STATUS_OK)
            status = file_begin(&writers[begun], path, error);
        if (status == STATUS_OK)
            status = write_result(result, file, &writers[begun++], error);
    }
    for (int i = 0; i < begun; i++) {
        if (status == STATUS_OK)
            status = file_commit(&writers[i], error);
        else
            file_abort(&writers[i]);
    }
    for (int i = 0; i < RESULT_FILES && status == STATUS_OK && result->perturbed_count == 0; i++)
        if (result_files[i].of_perturbations)
            status = remove_old(folder, result_files[i].name, error);
    return status;
}

Status eval_result_remove(const char *folder, Error *error)
{
    for (int i = 0; i < RESULT_FILES; i++)
        TRY(remove_old(folder, result_files[i].name, error));
    return STATUS_OK;
}

bool eval_result_is_in(const char *folder)
{
    for (int i = 0; i < RESULT_FILES; i++)
        if (file_is_in(folder, result_files[i].name))
            return true;
    return false;
}

/* Copies a string of a JSON object; "" if it has none. */
static void copy_member(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

void eval_origin_read(const char *folder, EvalOrigin *origin)
{
    char path[FILE_PATH_SIZE];
    Error ignored = {0};
    *origin = (EvalOrigin){.found = eval_result_is_in(folder)};
    if (!origin->found || file_join(path, folder, "evaluation.json", &ignored) != STATUS_OK)
        return;
    json_t *document = json_load_file(path, 0, NULL);
    const json_t *adapter = json_object_get(document, "adapter");
    copy_member(json_object_get(document, "model"), "fingerprint", origin->fingerprint,
                sizeof origin->fingerprint);
    copy_member(adapter, "hash", origin->adapter, sizeof origin->adapter);
    copy_member(adapter, "path", origin->path, sizeof origin->path);
    if (!origin->path[0])
        snprintf(origin->path, sizeof origin->path, "the model's own head");
    json_decref(document);
}

bool eval_is_file_name(const char *name)
{
    for (int i = 0; i < RESULT_FILES; i++)
        if (strcmp(name, result_files[i].name) == 0)
            return true;
    return strcmp(name, comparison_file) == 0 || strcmp(name, "report.html") == 0;
}

/* ---- comparison.json ------------------------------------------------------------------------- */

json_t *eval_comparisons_json(const EvalComparison *comparisons, int count)
{
    json_t *others = json_object();
    for (int i = 0; i < count; i++)
        train_json_set(
            others, comparisons[i].other->adapter->name,
            metrics_comparisons_json(comparisons[i].sets, comparisons[i].first->sets->set_count));
    return json_pack("{s:o, s:o}", "first", train_json_string(comparisons[0].first->adapter->name),
                     "others", others);
}

Status eval_comparisons_write(const EvalComparison *comparisons, int count, const char *folder,
                              Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, comparison_file, error));
    return train_json_save(eval_comparisons_json(comparisons, count), path, 17, error);
}

bool eval_comparisons_are_in(const char *folder)
{
    return file_is_in(folder, comparison_file);
}

Status eval_comparisons_remove(const char *folder, Error *error)
{
    return remove_old(folder, comparison_file, error);
}
