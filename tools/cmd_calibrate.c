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

#include <stdlib.h>
#include <string.h>

/* The command line. */
typedef struct Request {
    const CliArguments *arguments;
    CliModelOptions model; /* without adapter */
    const char *adapter, *out, *fpr_text, *checks;
    CliStrings val, labels;
    double fpr;
    int frames_per_video;
    bool json;
} Request;

/* The fit on the validation frames. */
typedef struct Fit {
    MetricsTemperature temperature;
    MetricsCalibration calibration;
    double ece_before, ece_after;
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
                                      calibration->fpr, &calibration->threshold_frame, error));
    TRY(metrics_calibration_threshold(scores->video_mean, scores->video_labels, scores->videos,
                                      calibration->fpr, &calibration->threshold_video, error));
    fit->frame = metrics_at_threshold(scores->scores, scores->labels, scores->frames,
                                      calibration->threshold_frame);
    fit->video = metrics_at_threshold(scores->video_mean, scores->video_labels, scores->videos,
                                      calibration->threshold_video);
    return STATUS_OK;
}

/*
 * Computes the expected calibration error over frames at a temperature, and the thresholds at the
 * fitted one.
 */
static Status examine(const EvalSet *set, const double *margins, double temperature, bool fitted,
                      Fit *fit, Error *error)
{
    MetricsPredictions table;
    MetricsScores *scores = NULL;
    Metrics metrics;
    int count = 0;
    Status status = table_at(set, margins, temperature, &table, error);
    if (status == STATUS_OK)
        status = metrics_compute(table.scores, table.labels, table.count, &metrics, error);
    if (status == STATUS_OK)
        *(fitted ? &fit->ece_after : &fit->ece_before) = metrics.ece;
    if (status == STATUS_OK && fitted) {
        status = metrics_scores_gather(&table, &scores, &count, error);
        if (status == STATUS_OK)
            status = find_thresholds(scores, fit, error);
        if (scores)
            metrics_scores_free(scores, count);
    }
    metrics_predictions_free(&table);
    return status;
}

static Status fit_set(const EvalSet *set, const float *of_frames, Fit *fit, Error *error)
{
    const size_t count = set->frames.count;
    double *margins = malloc(count * sizeof *margins);
    uint8_t *labels = malloc(count);
    Status status = STATUS_OK;
    if (!margins || !labels)
        status = mem_full(0, "the calibration", error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        margins[i] = (double)of_frames[i];
        labels[i] = (uint8_t)set->frames.frames[i].label;
    }
    if (status == STATUS_OK)
        status = metrics_calibration_fit(margins, labels, count, &fit->temperature, error);
    if (status == STATUS_OK) {
        fit->calibration.temperature = fit->temperature.temperature;
        status = examine(set, margins, 1, false, fit, error);
    }
    if (status == STATUS_OK)
        status = examine(set, margins, fit->temperature.temperature, true, fit, error);
    free(margins);
    free(labels);
    return status;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void warn_about(const MetricsTemperature *temperature)
{
    if (temperature->separated)
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
    return json_pack(
        "{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "written",
        train_json_string(out), "temperature", train_json_number(fit->temperature.temperature),
        "fitted", (int)fit->temperature.fitted, "nll_before",
        train_json_number(fit->temperature.nll_before), "nll_after",
        train_json_number(fit->temperature.nll_after), "ece_before",
        train_json_number(fit->ece_before), "ece_after", train_json_number(fit->ece_after),
        "threshold_fpr", train_json_number(fit->calibration.fpr), "frame", at_json(&fit->frame),
        "video", at_json(&fit->video), "calibrated_on", train_json_string(fit->calibration.on));
}

static Status print_fit(const Request *request, const Fit *fit, Error *error)
{
    warn_about(&fit->temperature);
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
    Fit fit = {.calibration.fpr = request->fpr};
    TRY(describe_lists(&sets->sets[0], fit.calibration.on, sizeof fit.calibration.on, error));
    Status status = eval_score_model(&scoring, &request->model, request->arguments, adapter, NULL,
                                     &scores, &provenance, error);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("calibrate", "nothing was written; start it again", error);
    if (status == STATUS_OK)
        status = fit_set(&sets->sets[0], scores.margins, &fit, error);
    if (status == STATUS_OK)
        status = metrics_calibration_write(request->adapter, request->out, provenance.head,
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
    TRY(safetensors_open(&file, request->adapter, error));
    const char *trained = safetensors_metadata(file, "train_list");
    if (trained && strcmp(trained, set->hash) == 0)
        cli_warn("val: %s was trained on this list, so T and the thresholds will be too small; "
                 "give validation frames",
                 request->adapter);
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
    const CliFrames frames = {.a_video = request->frames_per_video};
    Status status = eval_sets_name(&sets, "val", request->val.items, request->val.count, error);
    if (status != STATUS_OK)
        goto done;
    status = eval_read_lists(&sets, &frames, &request->labels, error);
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

static const CliCommand calibrate_command = {
    .name = "calibrate",
    .summary = "fit temperature and thresholds on validation frames",
    .usage = "lnclip calibrate --model M --adapter A --val LIST... --out CALIBRATED.safetensors",
    .details =
        "Fits a temperature T, by which the logits are divided so that p_fake is a calibrated "
        "probability, and\nthresholds with at most the false-positive rate --fpr on real "
        "validation frames and videos. Both are\nstored in a copy of the adapter and applied by "
        "eval --calibrated and predict --calibrated. See\ndocs/evaluation.md.",
    .example = "lnclip calibrate --model clip-vit-l-14 --adapter run/best.safetensors --val "
               "lists/val/*.txt --out calibrated.safetensors",
};

int cmd_calibrate(int argc, char **argv)
{
    Request request = {.fpr_text = "0.01"};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        {"--adapter", CLI_STRING, &request.adapter, 0, 0, "A",
         "trained LayerNorms and head (.safetensors)"},
        CLI_HEAD_OPTION(request.model),
        {"--val", CLI_STRINGS, &request.val, 0, 0, "LIST", "validation frames: lists or folders"},
        {"--out", CLI_STRING, &request.out, 0, 0, "FILE", "calibrated adapter to write"},
        {"--fpr", CLI_STRING, &request.fpr_text, 0, 0, "SHARE",
         "false-positive rate for the thresholds (default 0.01)"},
        {"--frames", CLI_INT, &request.frames_per_video, 0, 1000000, "N",
         "use at most N evenly spaced frames per video\n(default: all)"},
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
    cli_expect_option(&arguments, "--adapter", request.adapter);
    cli_expect_option(&arguments, "--out", request.out);
    cli_checks_expect(request.checks);
    cli_expect_positional(&arguments, 0, 0, "options only");
    if (request.val.count == 0)
        return cli_usage_error("calibrate: --val LIST is missing; name frames to calibrate on");
    if (!number_parse(request.fpr_text, strlen(request.fpr_text), &request.fpr) ||
        !(request.fpr >= 0 && request.fpr < 1))
        return cli_usage_error("--fpr %s: invalid rate; give a number from 0 to below 1",
                               request.fpr_text);
    request.arguments = &arguments;
    Error error = {0};
    return calibrate(&request, &error) == STATUS_OK ? CLI_DONE : cli_report(&error);
}
