/*
 * cmd_predict.c - lnclip predict: the probability of being fake of each image, as lines, JSON or CSV.
 *
 * Lines come as soon as their batch is done, in the order of the arguments, so that a long run can be
 * watched and piped. An image that cannot be read costs its own line only, a folder without images nothing
 * but a warning and the exit code. Heat maps (cmd_predict_explain.h) are drawn when all lines are out.
 */
#include "data/lists/crop_check.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_model.h"
#include "tools/cmd_predict_explain.h"
#include "train/metrics/calibration_file.h"
#include "train/metrics/predictions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum Format { FORMAT_LINES, FORMAT_JSON, FORMAT_CSV } Format;

typedef struct Request {
    CliModelOptions model;
    const char *explain; /* folder, or NULL */
    bool json, csv, calibrated;
} Request;

typedef struct Work {
    const DataList *list;
    const float *probabilities; /* [count,2] */
    const float *margins;       /* [count] */
    char **pictures;            /* [count] paths of heat maps to come, or NULL */
    int printed;                /* frames whose line is out */
    int unreadable, lost;       /* images, and paths that led to no image */
    Format format;
    CliProgress progress;
} Work;

/* ---- what is printed ----------------------------------------------------------------------------- */

static void print_json(const Work *work, int frame, const char *path, double fake)
{
    fputs(frame == 0 ? "[\n  {\"path\": " : ",\n  {\"path\": ", stdout);
    cli_json_print_string(stdout, path);
    if (isnan(fake))
        fputs(", \"p_fake\": null", stdout);
    else
        printf(", \"p_fake\": %.9g", fake);
    if (work->pictures && isnan(fake)) {
        fputs(", \"heatmap\": null", stdout);
    } else if (work->pictures) {
        fputs(", \"heatmap\": ", stdout);
        cli_json_print_string(stdout, work->pictures[frame]);
    }
    if (isnan(fake))
        fputs(", \"margin\": null", stdout);
    else
        printf(", \"margin\": %.9g", (double)work->margins[frame]);
    putchar('}');
}

static void print_csv(const Work *work, int frame, const char *path, double fake)
{
    if (frame == 0)
        puts(work->pictures ? "path,p_fake,heatmap,margin" : "path,p_fake,margin");
    metrics_predictions_write_field(stdout, path, strlen(path));
    if (isnan(fake))
        fputs(",nan", stdout);
    else
        printf(",%.9g", fake);
    if (work->pictures) {
        putchar(',');
        const char *const picture = isnan(fake) ? "" : work->pictures[frame];
        metrics_predictions_write_field(stdout, picture, strlen(picture));
    }
    if (isnan(fake))
        puts(",nan");
    else
        printf(",%.9g\n", (double)work->margins[frame]);
}

static void print_line(const char *path, double fake)
{
    cli_print_escaped(stdout, path); /* a line break in a name must not make two lines */
    if (isnan(fake))
        fputs("\tnan\n", stdout);
    else
        printf("\t%.9g\n", fake);
}

static void print_until(Work *work, int done)
{
    for (; work->printed < done; work->printed++) {
        const int frame = work->printed;
        const char *const path = work->list->frames[frame].path;
        const double fake = (double)work->probabilities[2 * (size_t)frame + 1];
        if (work->format == FORMAT_JSON)
            print_json(work, frame, path, fake);
        else if (work->format == FORMAT_CSV)
            print_csv(work, frame, path, fake);
        else
            print_line(path, fake);
    }
    fflush(stdout);
}

static void show_progress(void *context, int done, int total, double images_per_second)
{
    Work *const work = context;
    print_until(work, done);
    cli_progress_show(&work->progress, done, total, images_per_second);
}

static void note_unreadable(void *context, const DataFrame *frame, const Error *reason)
{
    Work *const work = context;
    (void)frame; /* the reason names the file */
    work->unreadable++;
    cli_warn("%s", reason->message);
}

/* Probabilities that softmax rounded to the same number put nothing in order. */
static void note_saturated(const Work *work, const CliArguments *arguments)
{
    int zeros = 0, ones = 0;
    for (int i = 0; i < work->list->count; i++) {
        const float fake = work->probabilities[2 * (size_t)i + 1];
        zeros += fake == 0;
        ones += fake == 1;
    }
    if (zeros > 1 || ones > 1)
        cli_note(arguments,
                 "%d of %d p_fake are exactly 0 and %d exactly 1: f32 rounds what the logits tell "
                 "apart; %s",
                 zeros, work->list->count, ones,
                 work->format == FORMAT_LINES ? "--csv and --json print the margin, which orders "
                                                "them"
                                              : "the margin orders them");
}

/* ---- what is given ------------------------------------------------------------------------------- */

/* The images of those paths that lead to any. The others are warned of, unless there are no more. */
static Status list_images(DataList *list, const CliStrings *paths, int *lost, Error *error)
{
    *lost = 0;
    const Status status = data_list_paths(list, paths->items, paths->count, error);
    if (status == STATUS_OK || paths->count == 1)
        return status;
    const char **const kept = calloc((size_t)paths->count, sizeof *kept);
    if (!kept)
        return status;
    int count = 0;
    for (int i = 0; i < paths->count; i++) {
        DataList alone = {0};
        Error reason = {0};
        if (data_list_paths(&alone, &paths->items[i], 1, &reason) == STATUS_OK) {
            kept[count++] = paths->items[i];
        } else {
            cli_warn("%s", reason.message);
            *lost += 1;
        }
        data_list_free(&alone);
    }
    Status retried = status;
    if (count > 0) {
        *error = (Error){0};
        retried = data_list_paths(list, kept, count, error);
    }
    free(kept);
    return retried;
}

enum { SHAPES_NAMED = 3 };

/* One warning about all images that are no face crops by their shape; unreadable ones have one of their own. */
static void warn_of_shapes(const DataList *list)
{
    char names[ERROR_MESSAGE_SIZE / 2] = "";
    size_t length = 0;
    int odd = 0, named = 0;
    for (int i = 0; i < list->count; i++) {
        Error ignored = {0};
        int width, height;
        if (data_image_size(list->frames[i].file, &width, &height, &ignored) != STATUS_OK)
            continue;
        const DataCropShape shape = data_crop_shape(width, height);
        if (shape == DATA_CROP_FACE)
            continue;
        odd++;
        const size_t room = sizeof names - length;
        const int more =
            named == SHAPES_NAMED
                ? 0
                : snprintf(names + length, room, "%s%s (%d x %d, %s)", named ? ", " : "",
                           list->frames[i].path, width, height, data_crop_shape_name(shape));
        if (more > 0 && (size_t)more < room) {
            length += (size_t)more;
            named++;
        } else {
            names[length] = '\0'; /* what does not fit is not named */
        }
    }
    if (odd > 0)
        cli_warn(
            "%d of %d images do not look like aligned face crops: %s%s; find and crop the face "
            "first, for a score of anything else means little",
            odd, list->count, names, odd > named ? " and more" : "");
}

/* ---- the work ------------------------------------------------------------------------------------ */

/* Scores all images and prints them; then draws the heat maps, if any are planned. */
static Status score(const Request *request, const CliArguments *arguments, CliModel *model,
                    Work *work, float *probabilities, float *margins, CmdPredictExplain *explain,
                    Error *error)
{
    const DataList *const list = work->list;
    work->probabilities = probabilities;
    work->margins = margins;
    TrainScoring scoring = cli_model_scoring(&request->model);
    scoring.tolerant = true;
    scoring.stop = cli_catch_signals();
    scoring.progress = show_progress;
    scoring.unreadable = note_unreadable;
    scoring.margins = margins;
    scoring.context = work;
    Status status = train_score(model->vit, &model->head, list, 0, &scoring, model->threads, NULL,
                                probabilities, error);
    if (status == STATUS_OK)
        print_until(work, list->count);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("predict", "the images printed so far are complete", error);
    if (work->format == FORMAT_JSON && work->printed > 0)
        puts("\n]");
    fflush(stdout);
    cli_progress_end(&work->progress);
    if (status == STATUS_OK)
        note_saturated(work, arguments);
    if (status == STATUS_OK && request->explain)
        status = cmd_predict_explain_draw(explain, model, list, probabilities, arguments,
                                          scoring.stop, error);
    return status;
}

/* The end of a run that went through: a failure if anything that was given is missing in what was made. */
static Status sum_up(const Work *work, const CmdPredictExplain *explain, Error *error)
{
    if (work->unreadable > 0)
        return error_set(error, STATUS_FAILED,
                         "predict: %d of %d images could not be read and have no probability; see "
                         "the warnings above",
                         work->unreadable, work->list->count);
    if (work->lost > 0)
        return error_set(error, STATUS_FAILED,
                         "predict: %d of the paths led to no image; see the warnings above",
                         work->lost);
    if (explain->failed > 0)
        return error_set(error, STATUS_FAILED,
                         "predict: %d of %d heat maps are missing; see the warnings above",
                         explain->failed, work->list->count);
    return STATUS_OK;
}

static Status load_model(const Request *request, const CliArguments *arguments, CliModel *model,
                         Error *error)
{
    TRY(cli_model_load(model, &request->model, arguments, CLI_HEAD_NEEDED, error));
    if (!request->calibrated)
        return STATUS_OK;
    MetricsCalibration calibration;
    char path[FILE_PATH_SIZE];
    if (request->model.adapter)
        TRY(file_join(path, "", request->model.adapter, error));
    else
        TRY(vit_model_file(request->model.model, path, error));
    TRY(metrics_calibration_read(path, &calibration, error));
    metrics_calibration_apply(&model->head, &calibration);
    cli_note(arguments, "T = %.4g, calibrated on %s; at FPR %g of its frames fake is p_fake > %.6g",
             calibration.temperature, calibration.on, calibration.fpr, calibration.threshold_frame);
    return STATUS_OK;
}

static Status predict(const Request *request, const CliArguments *arguments, Work *work,
                      Error *error)
{
    const DataList *const list = work->list;
    CliModel model = {0};
    CmdPredictExplain explain = {0};
    float *const probabilities = calloc((size_t)list->count, 2 * sizeof *probabilities);
    float *const margins = calloc((size_t)list->count, sizeof *margins);
    Status status = probabilities && margins
                        ? STATUS_OK
                        : error_set(error, STATUS_FAILED,
                                    "predict: no memory for %d images; give fewer", list->count);
    if (status == STATUS_OK)
        status = load_model(request, arguments, &model, error);
    if (status == STATUS_OK && request->explain)
        status = cmd_predict_explain_plan(&explain, request->explain, list, error);
    if (status == STATUS_OK)
        status = vit_pack(model.vit, model.precision, false, model.threads, error);
    if (status == STATUS_OK) {
        work->pictures = explain.files;
        warn_of_shapes(list);
        status = score(request, arguments, &model, work, probabilities, margins, &explain, error);
    }
    if (status == STATUS_OK && request->explain)
        cli_note(arguments, "heat maps are in %s; docs/method.md says how to read them",
                 request->explain);
    if (status == STATUS_OK)
        status = sum_up(work, &explain, error);
    cli_model_free(&model);
    cmd_predict_explain_free(&explain);
    free(probabilities);
    free(margins);
    return status;
}

int cmd_predict(int argc, char **argv)
{
    Request request = {0};
    CliOption options[] = {
        CLI_MODEL_OPTION(request.model),
        CLI_ADAPTER_OPTION(request.model),
        CLI_HEAD_OPTION(request.model),
        CLI_SCORING_OPTIONS(request.model),
        {"--explain", CLI_STRING, &request.explain, 0, 0, "DIR",
         "draw into DIR, for each image, where the score came from"},
        {"--calibrated", CLI_FLAG, &request.calibrated, 0, 0, NULL,
         "apply the adapter's temperature (lnclip calibrate)"},
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL,
         "print a JSON array of {path, p_fake, margin}"},
        {"--csv", CLI_FLAG, &request.csv, 0, 0, NULL,
         "print CSV with the columns path,p_fake,margin"},
        {0},
    };
    const CliCommand command = {
        .name = "predict",
        .summary = "print the probability of being fake of each image",
        .usage = "lnclip predict --model M [--adapter A] [--explain DIR] PATH...",
        .details =
            "A PATH is an image of a cropped face, or a folder, which is walked in bytewise sorted "
            "order. One line\nan image: path, tab, p_fake. An image that cannot be read yields nan "
            "and a warning; the exit code is\nthen 1. --explain writes DIR/NAME.png for each "
            "image: "
            "what the network sees, and over it, as heat maps,\nattention rollout and gradient x "
            "attention for \"fake\".",
        .example =
            "lnclip predict --model clip-vit-l-14 --adapter run/best.safetensors faces/ one.png",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &request.model);
    cli_expect_positional(&arguments, 1, argc, "an image or a folder");
    if (request.json && request.csv)
        return cli_usage_error("--json and --csv: the output has one form; give one of them");
    if (request.explain && request.model.precision && strcmp(request.model.precision, "f32") != 0)
        return cli_usage_error("--explain: gradients of the attention are computed in f32; leave "
                               "--precision %s out",
                               request.model.precision);
    Error error = {0};
    DataList list = {0};
    Work work = {.list = &list,
                 .format = request.json  ? FORMAT_JSON
                           : request.csv ? FORMAT_CSV
                                         : FORMAT_LINES};
    work.progress = cli_progress_begin(&arguments, "scoring", "images");
    work.progress.silent |= isatty(STDOUT_FILENO); /* the lines themselves show the progress */
    Status status = list_images(&list, &arguments.positional, &work.lost, &error);
    if (status == STATUS_OK) {
        cli_tell_skipped(&arguments, "predict", &list);
        status = predict(&request, &arguments, &work, &error);
        data_list_free(&list);
    }
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
