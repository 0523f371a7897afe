/*
 * cmd_eval.c - lnclip eval: scores data sets, and writes predictions.csv, metrics.json, summary.json.
 *
 * An earlier evaluation in the folder stays whole until this one is finished; then the three files are
 * written beside theirs, brought to the disk, and put in their places one after the other. An
 * interrupted evaluation goes on where it stopped (cmd_eval_partial.h).
 */
#include "tools/cli.h"
#include "tools/cli_checks.h"
#include "tools/cli_lists.h"
#include "tools/cli_model.h"
#include "tools/cmd_eval_partial.h"

#include "tensor/kernels/kernels.h"
#include "train/reports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* One NAME of the command line. */
typedef struct DataSet {
    const char *name;
    const char **lists; /* [list_count] */
    int list_count;
    DataList frames;
    size_t first; /* of its frames, within all frames of the evaluation */
} DataSet;

typedef struct Evaluation {
    CliModelOptions model_options;
    const CliArguments *arguments;
    const char *out, *checks;
    int frames_per_video; /* 0 = all */
    DataSet *sets;        /* [set_count], in order of first mention */
    int set_count;
    size_t count;         /* frames of all sets */
    float *probabilities; /* [count,2] */
    char **texts;         /* [text_count] copies that set names and list paths point into */
    int text_count;
    CmdEvalPartial partial;
    CliProgress progress;
    size_t before; /* frames done when the set at hand was begun */
    bool finished; /* the results are in their places */
} Evaluation;

/* ---- arguments ----------------------------------------------------------------------------------- */

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED, "eval: not enough memory; evaluate fewer frames");
}

/* The set of that name, made if there is none. The array has room for one set an argument. */
static DataSet *find_set(Evaluation *evaluation, const char *name)
{
    for (int i = 0; i < evaluation->set_count; i++)
        if (strcmp(evaluation->sets[i].name, name) == 0)
            return &evaluation->sets[i];
    DataSet *const set = &evaluation->sets[evaluation->set_count++];
    set->name = name;
    return set;
}

static Status add_list(DataSet *set, const char *list, const char *argument, Error *error)
{
    if (list[0] == '\0')
        return error_set(error, STATUS_USAGE,
                         "%s: the name of a list is empty; write NAME=LIST[,LIST...]", argument);
    const char **const lists = realloc(set->lists, (size_t)(set->list_count + 1) * sizeof *lists);
    if (!lists)
        return no_memory(error);
    set->lists = lists;
    set->lists[set->list_count++] = list;
    return STATUS_OK;
}

/* NAME=LIST[,LIST...]; commas separate only if there is no file of the whole name. */
static Status add_argument(Evaluation *evaluation, const char *argument, Error *error)
{
    char *const text = strdup(argument);
    if (!text)
        return no_memory(error);
    evaluation->texts[evaluation->text_count++] = text;
    char *const equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(error, STATUS_USAGE,
                         "%s: does not name a data set; write NAME=LIST[,LIST...]", argument);
    *equals = '\0';
    DataSet *const set = find_set(evaluation, text);
    char *list = equals + 1;
    if (file_exists(list))
        return add_list(set, list, argument, error);
    for (char *comma; (comma = strchr(list, ',')); list = comma + 1) {
        *comma = '\0';
        TRY(add_list(set, list, argument, error));
    }
    return add_list(set, list, argument, error);
}

/* ---- lists --------------------------------------------------------------------------------------- */

/* Reads the lists of every set and lines their frames up. */
static Status read_lists(Evaluation *evaluation, Error *error)
{
    CliSet *const sets = calloc((size_t)evaluation->set_count, sizeof *sets);
    if (!sets)
        return no_memory(error);
    for (int i = 0; i < evaluation->set_count; i++) {
        DataSet *const set = &evaluation->sets[i];
        sets[i] = (CliSet){set->lists, set->list_count, evaluation->frames_per_video, &set->frames};
    }
    const Status status = cli_read_sets(sets, evaluation->set_count, error);
    free(sets);
    for (int i = 0; status == STATUS_OK && i < evaluation->set_count; i++) {
        evaluation->sets[i].first = evaluation->count;
        evaluation->count += (size_t)evaluation->sets[i].frames.count;
    }
    return status;
}

/* What will be scored. A set of one class has no AUROC, but its scores may still be wanted. */
static void describe_set(const DataSet *set, const CliArguments *arguments)
{
    int frames[2], videos[2];
    cli_tell_sources(arguments, set->name, &set->frames);
    data_list_counts(&set->frames, frames, videos);
    if (frames[0] == 0 || frames[1] == 0)
        cli_warn("%s: all frames are %s; AUROC and everything else that compares the classes is "
                 "undefined (null)",
                 set->name, frames[0] == 0 ? "fake" : "real");
}

/* ---- scores -------------------------------------------------------------------------------------- */

static void hash_text(XXH3_state_t *state, const char *text)
{
    XXH3_128bits_update(state, text, strlen(text) + 1);
}

static void hash_floats(XXH3_state_t *state, const Tensor *tensor)
{
    XXH3_128bits_update(state, tensor_f32(tensor), tensor_count(tensor) * sizeof(float));
}

/* All that a score depends on but the contents of the images: program, kernels, precision, weights, frames. */
static Status make_key(const Evaluation *evaluation, const CliModel *model,
                       char key[CMD_EVAL_KEY_SIZE], Error *error)
{
    XXH3_state_t *const state = XXH3_createState();
    if (!state)
        return no_memory(error);
    const Vit *const vit = model->vit;
    XXH3_128bits_reset(state);
    hash_text(state, LNCLIP_VERSION);
    hash_text(state, kernels()->name);
    hash_text(state, precision_name(model->precision));
    hash_text(state, vit->fingerprint);
    const VitConfig *const config = &vit->config;
    const float numbers[] = {(float)config->image_size,
                             (float)config->heads,
                             (float)config->activation,
                             (float)model->head.kind,
                             config->eps,
                             config->mean[0],
                             config->mean[1],
                             config->mean[2],
                             config->std[0],
                             config->std[1],
                             config->std[2]};
    XXH3_128bits_update(state, numbers, sizeof numbers);
    for (int i = 0; i < vit->parameter_count; i++)
        if (vit->parameters[i].kind == VIT_LAYER_NORM || vit->parameters[i].adapted)
            hash_floats(state, &vit->parameters[i].tensor);
    hash_floats(state, &model->head.weight);
    hash_floats(state, &model->head.bias);
    for (int i = 0; i < evaluation->set_count; i++) {
        char frames[33];
        data_list_hash(&evaluation->sets[i].frames, frames);
        hash_text(state, evaluation->sets[i].name);
        hash_text(state, frames);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(key, CMD_EVAL_KEY_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return STATUS_OK;
}

static void show_progress(void *context, int done, int total, double images_per_second)
{
    Evaluation *const evaluation = context;
    (void)total; /* of this call of train_score; shown is the whole evaluation */
    const size_t all = evaluation->before + (size_t)done;
    if (!cmd_eval_partial_append(&evaluation->partial, evaluation->probabilities, all))
        cli_warn("%s: scores can no longer be kept for a restart (a full disk?)",
                 evaluation->partial.path);
    cli_progress_show(&evaluation->progress, (long long)all, (long long)evaluation->count,
                      images_per_second);
}

static Status score_sets(Evaluation *evaluation, CliModel *model, Error *error)
{
    TrainScoring scoring = cli_model_scoring(&evaluation->model_options);
    scoring.stop = cli_catch_signals();
    scoring.progress = show_progress;
    scoring.context = evaluation;
    evaluation->progress = cli_progress_begin(evaluation->arguments, "scoring", "images");
    const size_t kept = evaluation->partial.done;
    Status status = STATUS_OK;
    for (int i = 0; i < evaluation->set_count && status == STATUS_OK; i++) {
        const DataSet *const set = &evaluation->sets[i];
        const size_t count = (size_t)set->frames.count;
        const size_t first = kept > set->first ? kept - set->first : 0;
        evaluation->before = set->first + first;
        if (first < count)
            status = train_score(model->vit, &model->head, &set->frames, (int)first, &scoring,
                                 model->threads, NULL, evaluation->probabilities + 2 * set->first,
                                 error);
    }
    cli_progress_end(&evaluation->progress);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("eval", "the scores so far are kept: the same command goes on", error);
    return status;
}

/* Makes the folder, and opens the scores an earlier try may have left there. */
static Status open_folder(Evaluation *evaluation, const CliModel *model, Error *error)
{
    char key[CMD_EVAL_KEY_SIZE], path[FILE_PATH_SIZE];
    TRY(file_make_folders(evaluation->out, error));
    TRY(file_join(path, evaluation->out, "predictions.csv", error));
    if (file_exists(path))
        cli_note(evaluation->arguments,
                 "%s: holds an evaluation; it is replaced when this one is finished",
                 evaluation->out);
    TRY(make_key(evaluation, model, key, error));
    TRY(cmd_eval_partial_open(&evaluation->partial, evaluation->out, key, evaluation->probabilities,
                              evaluation->count, error));
    if (evaluation->partial.done > 0)
        cli_note(evaluation->arguments, "%s: goes on after %s frames scored before",
                 evaluation->out, cli_count(evaluation->partial.done));
    return STATUS_OK;
}

/* Nothing is written before the model is known to be good. */
static Status score_or_continue(Evaluation *evaluation, Error *error)
{
    evaluation->probabilities = calloc(evaluation->count, 2 * sizeof *evaluation->probabilities);
    if (!evaluation->probabilities)
        return no_memory(error);
    CliModel model = {0};
    Status status =
        cli_model_load(&model, &evaluation->model_options, evaluation->arguments, true, error);
    if (status == STATUS_OK)
        status = vit_pack(model.vit, model.precision, false, model.threads, error);
    if (status == STATUS_OK)
        status = open_folder(evaluation, &model, error);
    if (status == STATUS_OK)
        status = score_sets(evaluation, &model, error);
    cli_model_free(&model);
    return status;
}

/* ---- results ------------------------------------------------------------------------------------- */

/* The row of frame i of a set; strings are borrowed from its list. */
static TrainPrediction prediction(const Evaluation *evaluation, const DataSet *set, int i)
{
    const DataFrame *const frame = &set->frames.frames[i];
    const float *const p = evaluation->probabilities + 2 * (set->first + (size_t)i);
    return (TrainPrediction){
        .file = frame->path,
        .dataset = set->name,
        .video = set->frames.videos[frame->video],
        .source = set->frames.sources[frame->source],
        .label = frame->label,
        .real = train_predictions_written(p[0]),
        .fake = train_predictions_written(p[1]),
    };
}

static Status make_predictions(const Evaluation *evaluation, TrainPredictions *predictions,
                               Error *error)
{
    for (int s = 0; s < evaluation->set_count; s++) {
        const DataSet *const set = &evaluation->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const TrainPrediction row = prediction(evaluation, set, i);
            TRY(train_predictions_append(predictions, &row, error));
        }
    }
    return STATUS_OK;
}

/* Whether a list tells other sources than the paths of its frames do. */
static bool names_sources(const Evaluation *evaluation)
{
    for (int s = 0; s < evaluation->set_count; s++) {
        const DataSet *const set = &evaluation->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const TrainPrediction row = prediction(evaluation, set, i);
            if (train_predictions_source_differs(&row))
                return true;
        }
    }
    return false;
}

static void write_predictions(const Evaluation *evaluation, FILE *stream)
{
    const bool sources = names_sources(evaluation);
    train_predictions_write_header_with(stream, sources);
    for (int s = 0; s < evaluation->set_count; s++) {
        const DataSet *const set = &evaluation->sets[s];
        for (int i = 0; i < set->frames.count; i++) {
            const TrainPrediction row = prediction(evaluation, set, i);
            train_predictions_write_row_with(stream, &row, sources);
        }
    }
}

enum { PREDICTIONS, METRICS, SUMMARY, RESULT_FILES };
static const char *const result_names[RESULT_FILES] = {"predictions.csv", "metrics.json",
                                                       "summary.json"};

/* Writes one result to its temporary file, down to the disk. */
static Status write_result(const Evaluation *evaluation, int which, const TrainReport *reports,
                           int report_count, FileWriter *writer, Error *error)
{
    Status status = STATUS_OK;
    if (which == PREDICTIONS)
        write_predictions(evaluation, writer->stream);
    else if (which == METRICS)
        status = train_reports_write_json(writer->stream, reports, report_count, error);
    else
        status = train_reports_write_summary(writer->stream, reports, report_count, error);
    if (fflush(writer->stream) == 0 && !ferror(writer->stream) &&
        fsync(fileno(writer->stream)) == 0)
        return status;
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be written (a full disk?); free some space and run the same "
                     "command: the scores are kept",
                     writer->path);
}

/*
 * Writes all files beside their targets first: a full disk is met before any earlier result is replaced.
 */
static Status write_results(const Evaluation *evaluation, const TrainReport *reports,
                            int report_count, Error *error)
{
    FileWriter writers[RESULT_FILES];
    int begun = 0;
    Status status = STATUS_OK;
    while (begun < RESULT_FILES && status == STATUS_OK) {
        char path[FILE_PATH_SIZE];
        status = file_join(path, evaluation->out, result_names[begun], error);
        if (status == STATUS_OK)
            status = file_begin(&writers[begun], path, error);
        if (status != STATUS_OK)
            break;
        status = write_result(evaluation, begun, reports, report_count, &writers[begun], error);
        begun++;
    }
    for (int i = 0; i < begun; i++) {
        if (status == STATUS_OK)
            status = file_commit(&writers[i], error);
        else
            file_abort(&writers[i]);
    }
    return status;
}

static void print_fraction(double value)
{
    if (isnan(value))
        printf("  %8s", "-");
    else
        printf("  %8.4f", value);
}

static void print_row(int width, const char *name, const char *level, const TrainMetrics *metrics)
{
    printf("%-*s  %-20s  %8zu  %8zu", width, name, level, metrics->n_real, metrics->n_fake);
    print_fraction(metrics->auroc);
    print_fraction(metrics->eer);
    print_fraction(metrics->map);
    putchar('\n');
}

static void print_table(const TrainReport *reports, int count)
{
    int width = (int)strlen("data set");
    for (int i = 0; i < count; i++) {
        const int length = (int)strlen(reports[i].dataset);
        width = length > width ? length : width;
    }
    printf("%-*s  %-20s  %8s  %8s  %8s  %8s  %8s\n", width, "data set", "level", "real", "fake",
           "AUROC", "EER", "mAP");
    for (int i = 0; i < count; i++) {
        print_row(width, reports[i].dataset, "frame", &reports[i].frame);
        if (reports[i].has_videos)
            print_row(width, "", "video (mean p_fake)", &reports[i].video);
    }
}

static Status finish(Evaluation *evaluation, bool json, Error *error)
{
    TrainPredictions predictions = train_predictions_empty();
    TrainReport *reports = NULL;
    int count = 0;
    Status status = make_predictions(evaluation, &predictions, error);
    if (status == STATUS_OK)
        status = train_reports(&predictions, &reports, &count, error);
    if (status == STATUS_OK)
        status = write_results(evaluation, reports, count, error);
    evaluation->finished = status == STATUS_OK;
    if (status == STATUS_OK && json)
        status = train_reports_write_json(stdout, reports, count, error);
    else if (status == STATUS_OK)
        print_table(reports, count);
    train_reports_free(reports, count);
    train_predictions_free(&predictions);
    return status;
}

/* ---- the command --------------------------------------------------------------------------------- */

static Status evaluate(Evaluation *evaluation, bool json, Error *error)
{
    const CliStrings *const arguments = &evaluation->arguments->positional;
    evaluation->sets = calloc((size_t)arguments->count, sizeof *evaluation->sets);
    evaluation->texts = calloc((size_t)arguments->count, sizeof *evaluation->texts);
    if (!evaluation->sets || !evaluation->texts)
        return no_memory(error);
    for (int i = 0; i < arguments->count; i++)
        TRY(add_argument(evaluation, arguments->items[i], error));
    TRY(read_lists(evaluation, error));
    cli_tell_sources_head(evaluation->arguments);
    for (int i = 0; i < evaluation->set_count; i++) {
        const DataSet *const set = &evaluation->sets[i];
        describe_set(set, evaluation->arguments);
        TRY(cli_check_evaluated(evaluation->arguments, set->name, &set->frames,
                                cli_checks_expect(evaluation->checks),
                                &evaluation->model_options.adapters, error));
    }
    TRY(score_or_continue(evaluation, error));
    return finish(evaluation, json, error);
}

static void evaluation_free(Evaluation *evaluation)
{
    for (int i = 0; i < evaluation->set_count; i++) {
        free(evaluation->sets[i].lists);
        data_list_free(&evaluation->sets[i].frames);
    }
    for (int i = 0; i < evaluation->text_count; i++)
        free(evaluation->texts[i]);
    free(evaluation->sets);
    free(evaluation->texts);
    free(evaluation->probabilities);
}

int cmd_eval(int argc, char **argv)
{
    Evaluation evaluation = {0};
    bool json = false;
    CliOption options[] = {
        CLI_MODEL_OPTION(evaluation.model_options),
        CLI_ADAPTER_OPTION(evaluation.model_options),
        {"--out", CLI_STRING, &evaluation.out, 0, 0, "DIR", "folder for the results"},
        {"--frames", CLI_INT, &evaluation.frames_per_video, 0, 1000000, "N",
         "score at most N frames a video, spread evenly\n(default: all)"},
        CLI_CHECKS_OPTION(evaluation.checks),
        CLI_SCORING_OPTIONS(evaluation.model_options),
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "print the object of metrics.json"},
        {0},
    };
    const CliCommand command = {
        .name = "eval",
        .summary = "score data sets and compute their metrics",
        .usage = "lnclip eval --model M [--adapter A] --out DIR NAME=LIST[,LIST...]...",
        .details =
            "A LIST is a text file with one frame a line, or a folder DIR/SOURCE/VIDEO/FRAME. "
            "Lists "
            "of the same NAME\nare united; a comma separates lists unless there is a file of the "
            "whole name. Writes predictions.csv,\nmetrics.json and summary.json when all frames "
            "are "
            "scored. Stopped before that, the same command goes\non where it was.",
        .example = "lnclip eval --model clip-vit-l-14 --adapter run/best.safetensors --out eval "
                   "cdf=real.txt,fake.txt",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &evaluation.model_options);
    cli_expect_option(&arguments, "--out", evaluation.out);
    cli_checks_expect(evaluation.checks);
    cli_expect_positional(&arguments, 1, argc, "a data set, NAME=LIST");
    evaluation.arguments = &arguments;
    Error error = {0};
    const Status status = evaluate(&evaluation, json, &error);
    cmd_eval_partial_close(&evaluation.partial, evaluation.finished);
    evaluation_free(&evaluation);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
