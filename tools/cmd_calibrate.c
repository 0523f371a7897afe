/*
 * cmd_calibrate.c - lnclip calibrate: fits a temperature and thresholds on validation frames and
 * stores them in a copy of the adapter.
 *
 * The weights of the adapter do not change, and only --calibrated applies the calibration. Its
 * results on these frames are optimistic; use eval --calibrated on others.
 */
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/base/text.h"
#include "tensor/safetensors.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_checks.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_lists.h"
#include "tools/eval/eval_model.h"
#include "train/metrics/calibration.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The command line. */
typedef struct Request {
    const CliArguments *arguments;
    CliModelOptions model; /* without adapter */
    const char *adapter, *out, *fpr_text, *tpr_text, *checks, *frame_choice;
    char file[FILE_PATH_SIZE]; /* the adapter, else the model's tensors */
    uint64_t seed;
    bool eer, youden;
    CliStrings val, labels;
    MetricsThresholdRule rule;
    int frames_per_video, limit;
    bool json;
} Request;

/* The fit on the validation frames. */
typedef struct Fit {
    MetricsTemperature temperature;
    MetricsCalibration calibration;
    double ece_before, ece_fitted; /* calibration error at T = 1 and at the fitted T */
    bool no_help;                  /* the fitted T does not lower the ECE; T stays 1 */
    MetricsAtThreshold frame, video;
} Fit;

/* ---- fitting --------------------------------------------------------------------------------- */

/* Copies a UTF-8 text, shortened to `size` with "..." at the end. */
static void copy_shortened(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length < size) {
        memcpy(out, text, length + 1);
        return;
    }
    length = size - sizeof "...";
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    memcpy(out, text, length);
    memcpy(out + length, "...", sizeof "...");
}

/* "640 frames of 20 videos, hash 0123...: a.txt, b.txt" */
static Status describe_lists(const EvalSet *set, char *out, size_t size, Error *error)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    bool written = stream != NULL;
    if (stream) {
        fprintf(stream, "%d frames of %d videos, hash %s: ", set->frames.count,
                set->frames.video_count, set->hash);
        for (int i = 0; i < set->list_count; i++) {
            fputs(i > 0 ? ", " : "", stream);
            text_print(stream, set->lists[i]);
        }
        written = fclose(stream) == 0 && text; /* NULL if memory ran out at the end */
    }
    if (written)
        copy_shortened(out, size, text);
    free(text);
    return written ? STATUS_OK : mem_full(0, "the calibration", error);
}

/* The predictions of all frames at a temperature; margins [frames]. */
static Status table_at(const EvalSet *set, const double *margins, double temperature,
                       MetricsPredictions *table, Error *error)
{
    *table = metrics_predictions_empty();
    for (int i = 0; i < set->frames.count; i++) {
        const DataFrame *frame = &set->frames.frames[i];
        const double fake = metrics_calibration_probability(margins[i], temperature);
        const MetricsPrediction row = {.file = frame->path,
                                       .dataset = set->name,
                                       .video = set->frames.videos[frame->video],
                                       .source = set->frames.sources[frame->source],
                                       .label = frame->label,
                                       .real = 1 - fake,
                                       .fake = fake,
                                       .has_margin = true,
                                       .margin = margins[i] / temperature};
        TRY(metrics_predictions_append(table, &row, error));
    }
    return STATUS_OK;
}

static Status find_thresholds(const MetricsScores *scores, Fit *fit, Error *error)
{
    MetricsCalibration *calibration = &fit->calibration;
    TRY(metrics_calibration_threshold(scores->scores, scores->labels, scores->frames,
                                      calibration->rule, &calibration->threshold_frame, error));
    TRY(metrics_calibration_threshold(scores->video_mean, scores->video_labels, scores->videos,
                                      calibration->rule, &calibration->threshold_video, error));
    fit->frame = metrics_at_threshold(scores->scores, scores->labels, scores->frames,
                                      calibration->threshold_frame);
    fit->video = metrics_at_threshold(scores->video_mean, scores->video_labels, scores->videos,
                                      calibration->threshold_video);
    return STATUS_OK;
}

/* Computes the expected calibration error over frames at a temperature; margins [frames]. */
static Status ece_at(const double *margins, const uint8_t *labels, size_t count, double temperature,
                     double *ece, Error *error)
{
    Metrics metrics;
    double *fake = mem_new(count, sizeof *fake, "the calibration", error);
    if (!fake)
        return error->status;
    for (size_t i = 0; i < count; i++)
        fake[i] = metrics_calibration_probability(margins[i], temperature);
    Status status = metrics_compute(fake, labels, count, &metrics, error);
    free(fake);
    *ece = status == STATUS_OK ? metrics.ece : (double)NAN;
    return status;
}

/* Finds the thresholds at the kept temperature. */
static Status thresholds_at(const EvalSet *set, const double *margins, Fit *fit, Error *error)
{
    MetricsPredictions table;
    MetricsScores *scores = NULL;
    int count = 0;
    Status status = table_at(set, margins, fit->calibration.temperature, &table, error);
    if (status == STATUS_OK)
        status = metrics_scores_gather(&table, &scores, &count, error);
    if (status == STATUS_OK)
        status = find_thresholds(scores, fit, error);
    metrics_scores_free(scores, count);
    metrics_predictions_free(&table);
    return status;
}

/* Fits T and keeps it if it lowers the calibration error of these frames, else T is 1. */
static Status fit_temperature(const EvalSet *set, const double *margins, const uint8_t *labels,
                              Fit *fit, Error *error)
{
    const size_t count = (size_t)set->frames.count;
    MetricsTemperature *found = &fit->temperature;
    TRY(metrics_calibration_fit(margins, labels, count, found, error));
    TRY(ece_at(margins, labels, count, 1, &fit->ece_before, error));
    TRY(ece_at(margins, labels, count, found->temperature, &fit->ece_fitted, error));
    fit->no_help = found->fitted && !(fit->ece_fitted < fit->ece_before);
    fit->calibration.temperature = fit->no_help ? 1 : found->temperature;
    return thresholds_at(set, margins, fit, error);
}

static Status fit_set(const EvalSet *set, const float *of_frames, Fit *fit, Error *error)
{
    const size_t count = set->frames.count;
    uint8_t *labels = NULL;
    double *margins = mem_new(count, sizeof *margins, "the calibration", error);
    Status status = STATUS_FAILED;
    if (!margins || !(labels = mem_new(count, 1, "the calibration", error)))
        goto done;
    for (size_t i = 0; i < count; i++) {
        margins[i] = (double)of_frames[i];
        labels[i] = (uint8_t)set->frames.frames[i].label;
    }
    status = fit_temperature(set, margins, labels, fit, error);
done:
    free(margins);
    free(labels);
    return status;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void warn_about(const Fit *fit)
{
    const MetricsTemperature *temperature = &fit->temperature;
    if (fit->no_help)
        cli_warn(
            "temperature: T = %.4g would change the calibration error from %.4f to %.4f, which "
            "is no improvement; T stays 1",
            temperature->temperature, fit->ece_before, fit->ece_fitted);
    else if (temperature->separated)
        cli_warn("temperature: the classes are almost perfectly separated, so no finite "
                 "temperature minimises the loss; T stays 1. Use a larger or harder set");
    else if (!temperature->fitted)
        cli_warn("temperature: the scores do not increase with the labels, so no temperature "
                 "minimises the loss; T stays 1. Check the labels");
}

static json_t *at_json(const MetricsAtThreshold *at)
{
    return json_pack("{s:o, s:o, s:o}", "threshold", train_json_number(at->threshold), "fpr",
                     train_json_number(at->fpr), "tpr", train_json_number(at->tpr));
}

static json_t *fit_json(const Fit *fit, const char *out)
{
    const MetricsThresholdRule *rule = &fit->calibration.rule;
    char text[METRICS_RULE_SIZE];
    metrics_rule_format(text, *rule);
    json_t *object = json_object();
    train_json_set(object, "written", train_json_string(out));
    train_json_set(object, "temperature", train_json_number(fit->calibration.temperature));
    train_json_set(object, "fitted", json_boolean(fit->temperature.fitted && !fit->no_help));
    train_json_set(object, "nll_before", train_json_number(fit->temperature.nll_before));
    train_json_set(
        object, "nll_after",
        train_json_number(fit->no_help ? fit->temperature.nll_before : fit->temperature.nll_after));
    train_json_set(object, "ece_before", train_json_number(fit->ece_before));
    train_json_set(object, "ece_after",
                   train_json_number(fit->no_help ? fit->ece_before : fit->ece_fitted));
    train_json_set(object, "threshold_fpr",
                   rule->kind == METRICS_RULE_FPR ? train_json_number(rule->rate) : json_null());
    train_json_set(object, "threshold_rule", json_string(text));
    train_json_set(object, "frame", at_json(&fit->frame));
    train_json_set(object, "video", at_json(&fit->video));
    train_json_set(object, "calibrated_on", train_json_string(fit->calibration.on));
    return object;
}

static Status print_fit(const Request *request, const Fit *fit, Error *error)
{
    warn_about(fit);
    return cli_json_show(fit_json(fit, request->out), request->json, stdout, 17, "calibrate",
                         error);
}

/* ---- the command ----------------------------------------------------------------------------- */

static Status fit_and_write(const Request *request, const EvalAdapter *adapter,
                            const EvalSets *sets, Error *error)
{
    const EvalScoring scoring = {.sets = sets};
    EvalScores scores = {0};
    EvalProvenance provenance;
    Fit fit = {.calibration.rule = request->rule};
    TRY(describe_lists(&sets->sets[0], fit.calibration.on, sizeof fit.calibration.on, error));
    Status status = eval_score_model(&scoring, &request->model, request->arguments, adapter, NULL,
                                     false, &scores, &provenance, error);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("calibrate", "nothing was written; start it again", error);
    if (status == STATUS_OK)
        status = fit_set(&sets->sets[0], scores.margins, &fit, error);
    if (status == STATUS_OK)
        status = metrics_calibration_write(request->file, request->out, provenance.head,
                                           request->adapter ? NULL : provenance.fingerprint,
                                           &fit.calibration, error);
    if (status == STATUS_OK)
        status = print_fit(request, &fit, error);
    eval_scores_close(&scores, true);
    return status;
}

/*
 * Warns if the adapter was trained on these frames: their scores are too good for calibration. Its
 * own validation frames are fine.
 */
static Status check_training(const Request *request, const EvalSet *set, Error *error)
{
    SafeTensors *file = NULL;
    TRY(safetensors_open(&file, request->file, error));
    const char *trained = safetensors_metadata(file, "train_list");
    if (trained && strcmp(trained, set->hash) == 0)
        cli_warn("val: %s was trained on this list, so T and the thresholds will be too small; "
                 "give validation frames",
                 request->file);
    safetensors_close(file);
    return STATUS_OK;
}

/* STATUS_FAILED if --out cannot be written; checked before the frames are scored. */
static Status check_out(const Request *request, Error *error)
{
    FileWriter writer;
    TRY(file_begin(&writer, request->out, error));
    file_abort(&writer);
    return STATUS_OK;
}

static Status calibrate(const Request *request, Error *error)
{
    EvalSets sets = {0};
    const CliStrings none = {0};
    const EvalAdapter adapter = {.path = request->adapter};
    const CliFrames frames = {request->frames_per_video,
                              cli_frame_choice_expect(request->frame_choice), request->limit,
                              request->seed};
    Status status = eval_sets_name(&sets, "val", request->val.items, request->val.count, error);
    if (status != STATUS_OK)
        goto done;
    status = eval_read_lists(&sets, DATA_VAL, &frames, &request->labels, error);
    if (status != STATUS_OK)
        goto done;
    const EvalSet *set = &sets.sets[0];
    cli_print_sources_head(request->arguments);
    cli_print_sources(request->arguments, set->name, &set->frames);
    status = cli_check_evaluated(request->arguments, set->name, &set->frames,
                                 cli_checks_expect(request->checks), &none, error);
    if (status == STATUS_OK)
        status = check_training(request, set, error);
    if (status == STATUS_OK)
        status = check_out(request, error);
    if (status == STATUS_OK)
        status = fit_and_write(request, &adapter, &sets, error);
done:
    eval_sets_free(&sets);
    return status;
}

/* The rule of --fpr, --tpr, --eer or --youden. Nonzero: the exit code after a usage error. */
static int choose_rule(Request *request)
{
    if (!!request->fpr_text + !!request->tpr_text + request->eer + request->youden > 1)
        return cli_usage_error("calibrate: --fpr, --tpr, --eer and --youden exclude each other; "
                               "give one of them");
    request->rule.kind = request->tpr_text ? METRICS_RULE_TPR
                         : request->eer    ? METRICS_RULE_EER
                         : request->youden ? METRICS_RULE_YOUDEN
                                           : METRICS_RULE_FPR;
    request->rule.rate = request->rule.kind == METRICS_RULE_FPR ? 0.01 : 0;
    const char *text = request->tpr_text ? request->tpr_text : request->fpr_text;
    double *rate = &request->rule.rate;
    if (!text)
        return 0;
    if (!number_parse(text, strlen(text), rate) ||
        (request->tpr_text ? !(*rate > 0 && *rate <= 1) : !(*rate >= 0 && *rate < 1)))
        return cli_usage_error("--%cpr %s: invalid rate; give a number %s",
                               request->tpr_text ? 't' : 'f', text,
                               request->tpr_text ? "above 0 and at most 1" : "from 0 to below 1");
    return 0;
}

static const CliCommand calibrate_command = {
    .name = "calibrate",
    .summary = "fit temperature and thresholds on validation frames",
    .usage = "lnclip calibrate --model M [--adapter A] --val LIST... --out CALIBRATED.safetensors",
    .details =
        "Fits a temperature T, by which the logits are divided so that p_fake is a calibrated "
        "probability, and\nthresholds for validation frames and videos by --fpr, --tpr, --eer or "
        "--youden. T stays 1 if it does not\nlower the expected calibration error. Both are "
        "stored in a copy of the adapter and applied by eval\n--calibrated and predict "
        "--calibrated. Without --adapter, for a model with its head, the copy is an\nadapter with "
        "this head. See docs/evaluation.md.",
    .example = "lnclip calibrate --model clip-vit-l-14 --adapter run/best.safetensors --val "
               "lists/val/*.txt --out calibrated.safetensors",
};

int cmd_calibrate(int argc, char **argv)
{
    Request request = {0};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        {"--adapter", CLI_STRING, &request.adapter, 0, 0, "A",
         "trained LayerNorms and head (.safetensors); not needed if\nthe model has its head"},
        CLI_HEAD_OPTION(request.model),
        {"--val", CLI_STRINGS, &request.val, 0, 0, "LIST",
         "validation frames: lists, folders, tables (.csv)..."},
        {"--out", CLI_STRING, &request.out, 0, 0, "FILE", "calibrated adapter to write"},
        {"--fpr", CLI_STRING, &request.fpr_text, 0, 0, "SHARE",
         "lowest thresholds with at most this false-positive rate\n(default 0.01)"},
        {"--tpr", CLI_STRING, &request.tpr_text, 0, 0, "SHARE",
         "highest thresholds with at least this true-positive rate"},
        {"--eer", CLI_FLAG, &request.eer, 0, 0, NULL, "thresholds at the equal error rate"},
        {"--youden", CLI_FLAG, &request.youden, 0, 0, NULL,
         "thresholds with the highest TPR - FPR"},
        {"--frames", CLI_INT, &request.frames_per_video, 0, 1000000, "N",
         "use at most N frames per video (default: all)"},
        {"--frame-choice", CLI_STRING, &request.frame_choice, 0, 0, "HOW",
         "selection by --frames: even (default), or random with\n--seed"},
        {"--limit", CLI_INT, &request.limit, 0, INT_MAX, "N",
         "use at most N frames: random videos with --seed, class\nratio kept"},
        {"--seed", CLI_UINT64, &request.seed, 0, 0, "N", "random seed (default 0)"},
        CLI_LABEL_OPTION(request.labels),
        CLI_CHECKS_OPTION(request.checks),
        CLI_SCORING_OPTIONS(request.model),
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL, "print a JSON object"},
        {0},
    };
    CliCommand command = calibrate_command;
    command.options = options;
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &request.model);
    cli_expect_option(&arguments, "--out", request.out);
    cli_checks_expect(request.checks);
    cli_frame_choice_expect(request.frame_choice);
    cli_expect_positional(&arguments, 0, 0, "options only");
    if (request.val.count == 0)
        return cli_usage_error("calibrate: --val LIST is missing; name frames to calibrate on");
    const int wrong = choose_rule(&request);
    if (wrong)
        return wrong;
    request.arguments = &arguments;
    Error error = {0};
    Status status = cli_model_find_all(&arguments, &request.model, &error);
    if (status == STATUS_OK && request.adapter)
        status = cli_adapter_find(&arguments, &request.adapter, &error);
    if (status == STATUS_OK)
        status = request.adapter ? file_join(request.file, "", request.adapter, &error)
                                 : vit_model_file(request.model.model, request.file, &error);
    if (status == STATUS_OK)
        status = calibrate(&request, &error);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
