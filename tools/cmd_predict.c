/*
 * cmd_predict.c - lnclip predict: prints the probability that each image is fake, as lines, JSON or
 * CSV.
 *
 * Lines are printed after each batch, in the order of the arguments, so that a long run can be
 * watched and piped. An unreadable image gets "nan"; a folder without images gets a warning. Both
 * make the exit code 1. Heat maps are drawn after all lines are printed.
 */
#include "data/image/preprocess.h"
#include "data/lists/crop_check.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_lists.h"
#include "tools/cli/cli_model.h"
#include "tools/report/heatmap.h"
#include "train/metrics/calibration.h"
#include "train/metrics/predictions.h"
#include "train/stepper.h"
#include "vit/explain.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- heat maps: --explain DIR ---------------------------------------------------------------- */

/*
 * Each scored image gets a picture (heatmap.h) in DIR, named STEM.png after the image. If two
 * images have the same stem, their folders are prepended with "_" until the names differ
 * (real_000_004.png); names that are still equal are numbered. Pictures of earlier runs are
 * replaced, input images never.
 */
typedef struct Explain {
    char **files; /* [count] path of the picture of each frame */
    int count;
    int failed; /* images that could not be read a second time */
} Explain;

/* ---- names ----------------------------------------------------------------------------------- */

enum {
    MAX_PARTS = 8,  /* path components in a name */
    MAX_STEM = 200, /* bytes; below 255 with number, suffix and the ending of file_begin */
    NAME_SIZE = MAX_STEM + 32
};

typedef struct Name {
    char text[NAME_SIZE];
    const char *path; /* of the frame */
    int frame;
    int parts; /* path components used, from the right */
} Name;

/*
 * Finds the last component of `path` before `end`: [*begin, *stop). Skips "." and "..". False if
 * there is none.
 */
static bool part_before(const char *path, const char *end, const char **begin, const char **stop)
{
    for (;;) {
        while (end > path && end[-1] == '/')
            end--;
        const char *at = end;
        while (at > path && at[-1] != '/')
            at--;
        const size_t length = end - at;
        if (length == 0)
            return false;
        if (strspn(at, ".") < length) {
            *begin = at;
            *stop = end;
            return true;
        }
        end = at;
    }
}

/*
 * Sets name->text to the last name->parts components of the path. False if more components would
 * not change it.
 */
static bool spell(Name *name)
{
    char text[FILE_PATH_SIZE + MAX_PARTS];
    size_t at = sizeof text; /* filled from the end */
    const char *end = name->path + strlen(name->path), *begin, *stop;
    int part = 0;
    for (; part < name->parts && part_before(name->path, end, &begin, &stop); part++, end = begin) {
        size_t length = stop - begin;
        for (size_t dot = length; part == 0 && dot > 1; dot--) {
            if (begin[dot - 1] == '.') {
                length = dot - 1;
                break;
            }
        }
        if (length + 1 > at)
            break;
        if (part > 0)
            text[--at] = '_';
        at -= length;
        memcpy(text + at, begin, length);
    }
    size_t length = sizeof text - at;
    if (length > MAX_STEM) { /* keep the end of the path */
        at += length - MAX_STEM;
        while (at < sizeof text && ((unsigned char)text[at] & 0xc0) == 0x80)
            at++; /* not inside a UTF-8 character */
        length = sizeof text - at;
        part = 0; /* more components would change nothing */
    }
    memcpy(name->text, text + at, length);
    name->text[length] = '\0';
    if (length == 0) /* the file name is all dots */
        strcpy(name->text, "image");
    return part == name->parts;
}

static int by_text(const void *left, const void *right)
{
    const Name *a = left, *b = right;
    const int order = strcmp(a->text, b->text);
    return order ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

/*
 * Sorts the names and adds a path component to each name that is not unique. False if nothing
 * changed.
 */
static bool lengthen_equal(Name *names, int count)
{
    bool changed = false;
    qsort(names, count, sizeof *names, by_text);
    for (int first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && strcmp(names[end].text, names[first].text) == 0;)
            end++;
        for (int i = first; end - first > 1 && i < end; i++) {
            Name longer = names[i];
            longer.parts++;
            if (longer.parts <= MAX_PARTS && spell(&longer)) {
                names[i] = longer;
                changed = true;
            }
        }
    }
    return changed;
}

static int find_text(const void *key, const void *name)
{
    return strcmp(key, ((const Name *)name)->text);
}

/*
 * Sets the picture path of every frame: DIR/NAME.png. Equal names become NAME, NAME-2, NAME-3 and
 * so on.
 */
static Status number_equal(Explain *explain, const char *folder, const Name *names, Error *error)
{
    int number = 1;
    for (int i = 0; i < explain->count; i++) {
        char file[NAME_SIZE + 32], path[FILE_PATH_SIZE];
        const char *text = names[i].text;
        if (i == 0 || strcmp(text, names[i - 1].text) != 0) {
            number = 1;
            snprintf(file, sizeof file, "%s", text);
        } else {
            do
                snprintf(file, sizeof file, "%s-%d", text, ++number);
            while (bsearch(file, names, explain->count, sizeof *names, find_text));
        }
        strcat(file, ".png");
        TRY(file_join(path, folder, file, error));
        explain->files[names[i].frame] = strdup(path);
        if (!explain->files[names[i].frame])
            return mem_full(0, "the images", error);
    }
    return STATUS_OK;
}

/* ---- protection of input images -------------------------------------------------------------- */

/* The identity of a file, independent of its path. */
typedef struct FileId {
    dev_t device;
    ino_t inode;
} FileId;

static bool file_id(const char *path, FileId *id)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return false;
    *id = (FileId){facts.st_dev, facts.st_ino};
    return true;
}

static int by_id(const void *left, const void *right)
{
    const FileId *a = left, *b = right;
    return a->device != b->device ? (a->device > b->device) - (a->device < b->device)
                                  : (a->inode > b->inode) - (a->inode < b->inode);
}

/* STATUS_FAILED if a picture would replace an input image. */
static Status check_images_safe(const Explain *explain, const DataList *list, Error *error)
{
    FileId *images = calloc(list->count, sizeof *images);
    if (!images)
        return mem_full(0, "the images", error);
    size_t count = 0;
    for (int i = 0; i < list->count; i++)
        count += file_id(list->frames[i].file, &images[count]);
    qsort(images, count, sizeof *images, by_id);
    Status status = STATUS_OK;
    for (int i = 0; i < explain->count && status == STATUS_OK; i++) {
        FileId id;
        if (file_id(explain->files[i], &id) && bsearch(&id, images, count, sizeof id, by_id))
            status = error_set(error, STATUS_FAILED,
                               "%s: is an input image and would be replaced by its heat map; give "
                               "--explain another folder",
                               explain->files[i]);
    }
    free(images);
    return status;
}

/*
 * Chooses the paths of the pictures and creates the folder. Free with explain_free, also after a
 * failure. STATUS_FAILED if a picture would replace an input image, if the folder cannot be
 * created, or without memory.
 */
static Status explain_plan(Explain *explain, const char *folder, const DataList *list, Error *error)
{
    *explain = (Explain){.count = list->count};
    explain->files = mem_new(list->count, sizeof *explain->files, "the images", error);
    if (!explain->files)
        return error->status;
    Name *names = mem_new(list->count, sizeof *names, "the images", error);
    if (!names)
        return error->status;
    for (int i = 0; i < list->count; i++) {
        names[i] = (Name){.path = list->frames[i].path, .frame = i, .parts = 1};
        (void)spell(&names[i]);
    }
    while (lengthen_equal(names, list->count))
        ;
    const Status status = number_equal(explain, folder, names, error);
    free(names);
    TRY(status);
    TRY(check_images_safe(explain, list, error));
    return file_make_folders(folder, error);
}

static void explain_free(Explain *explain)
{
    for (int i = 0; explain->files && i < explain->count; i++)
        free(explain->files[i]);
    free(explain->files);
    *explain = (Explain){0};
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* Buffers for drawing the pictures one by one. */
typedef struct Painter {
    CliModel *model;
    VitExplainer *explainer;
    DataResizer resizer;
    uint8_t *crop;             /* [S,S,3] */
    float *pixels;             /* [3,S,S] */
    float *rollout, *gradient; /* [G,G] */
} Painter;

static Status painter_open(Painter *painter, CliModel *model, Error *error)
{
    const VitConfig *config = &model->vit->config;
    const size_t S = config->image_size, G = vit_explain_grid(config);
    *painter = (Painter){.model = model};
    painter->crop = malloc(3 * S * S);
    painter->pixels = malloc(3 * S * S * sizeof(float));
    painter->rollout = malloc(G * G * sizeof(float));
    painter->gradient = malloc(G * G * sizeof(float));
    if (!painter->crop || !painter->pixels || !painter->rollout || !painter->gradient)
        return mem_full(0, "the images", error);
    return vit_explainer_create(&painter->explainer, model->vit, &model->head, model->threads,
                                error);
}

static void painter_close(Painter *painter)
{
    vit_explainer_destroy(painter->explainer);
    data_resizer_free(&painter->resizer);
    free(painter->crop);
    free(painter->pixels);
    free(painter->rollout);
    free(painter->gradient);
}

/* Reads an image, resized and cropped for the network, into painter->crop. */
static Status read_crop(Painter *painter, const char *file, Error *error)
{
    DataImage image = {0};
    TRY(data_image_read(file, &image, error));
    const Status status = data_resize_crop(
        &painter->resizer, &image, painter->model->vit->config.image_size, painter->crop, error);
    data_image_free(&image);
    return status;
}

/* Draws the heat maps of painter->crop and writes them to `path`. */
static Status paint(Painter *painter, double p_fake, const char *path, Error *error)
{
    const VitConfig *config = &painter->model->vit->config;
    train_normalize(config, painter->crop, 1, painter->model->threads, painter->pixels);
    vit_explain(painter->explainer, painter->pixels, painter->rollout, painter->gradient);
    const CliHeatmap heatmap = {.image = painter->crop,
                                .size = config->image_size,
                                .grid = vit_explain_grid(config),
                                .patch = config->patch_size,
                                .rollout = painter->rollout,
                                .gradient = painter->gradient,
                                .p_fake = p_fake};
    DataImage picture;
    Status status = cli_heatmap_draw(&heatmap, &picture, error);
    if (status == STATUS_OK)
        status = data_image_write_png(&picture, path, error);
    data_image_free(&picture);
    return status;
}

/*
 * Draws the pictures of all frames whose probability is not NaN; probabilities [count,2].
 * STATUS_INTERRUPTED after a signal (`stop`): pictures written so far are complete. STATUS_FAILED
 * if one cannot be written, or without memory.
 */
static Status explain_draw(Explain *explain, CliModel *model, const DataList *list,
                           const float *probabilities, const CliArguments *arguments,
                           const volatile sig_atomic_t *stop, Error *error)
{
    assert(explain->count == list->count);
    Painter painter;
    int drawn = 0;
    CliProgress progress = cli_progress_begin(arguments, "explaining", "images");
    Status status = painter_open(&painter, model, error);
    for (int i = 0; status == STATUS_OK && i < list->count; i++) {
        const double fake = (double)probabilities[2 * (size_t)i + 1];
        Error reason = {0};
        if (*stop) {
            char advice[96];
            snprintf(advice, sizeof advice,
                     "all scores are printed; %d of %d heat maps are written", drawn, list->count);
            status = cli_interrupted("predict", advice, error);
        } else if (isnan(fake)) {
            continue;
        } else if (read_crop(&painter, list->frames[i].file, &reason) != STATUS_OK) {
            cli_warn("%s", reason.message);
            explain->failed++;
        } else {
            status = paint(&painter, fake, explain->files[i], error);
            drawn += status == STATUS_OK;
        }
        cli_progress_show(&progress, i + 1, list->count, 0);
    }
    cli_progress_end(&progress);
    painter_close(&painter);
    return status;
}

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
    char **pictures;            /* [count] paths of heat maps, or NULL */
    int printed;                /* frames printed so far */
    int unreadable, lost;       /* images; paths without an image */
    Format format;
    CliProgress progress;
} Work;

/* ---- output ---------------------------------------------------------------------------------- */

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
        const char *picture = isnan(fake) ? "" : work->pictures[frame];
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
        const char *path = work->list->frames[frame].path;
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
    Work *work = context;
    print_until(work, done);
    cli_progress_show(&work->progress, done, total, images_per_second);
}

static void note_unreadable(void *context, const DataFrame *frame, const Error *reason)
{
    Work *work = context;
    (void)frame; /* the reason names the file */
    work->unreadable++;
    cli_warn("%s", reason->message);
}

/* Notes that probabilities rounded to exactly 0 or 1 do not rank the images. */
static void note_saturated(const Work *work, const CliArguments *arguments)
{
    int zeros = 0, ones = 0;
    for (int i = 0; i < work->list->count; i++) {
        const float fake = work->probabilities[2 * (size_t)i + 1];
        zeros += fake == 0;
        ones += fake == 1;
    }
    if (zeros > 1 || ones > 1)
        cli_note(arguments, "%d of %d p_fake are exactly 0 and %d exactly 1, rounded by f32; %s",
                 zeros, work->list->count, ones,
                 work->format == FORMAT_LINES
                     ? "--csv and --json print the margin, which ranks them"
                     : "the margin ranks them");
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Lists the images of all paths. Warns of paths without an image; fails if none has one. */
static Status list_images(DataList *list, const CliStrings *paths, int *lost, Error *error)
{
    *lost = 0;
    const Status status = data_list_paths(list, paths->items, paths->count, error);
    if (status == STATUS_OK || paths->count == 1)
        return status;
    const char **kept = calloc(paths->count, sizeof *kept);
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

/*
 * Warns once about all images whose shape is not that of a face crop. Unreadable images are
 * skipped.
 */
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
            length += more;
            named++;
        } else {
            names[length] = '\0'; /* drop a name that does not fit */
        }
    }
    if (odd > 0)
        cli_warn("%d of %d images do not look like aligned face crops: %s%s; find and crop the "
                 "face first, scores of other images are meaningless",
                 odd, list->count, names, odd > named ? " and more" : "");
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Scores all images and prints the scores, then draws the heat maps, if any. */
static Status score(const Request *request, const CliArguments *arguments, CliModel *model,
                    Work *work, float *probabilities, float *margins, Explain *explain,
                    Error *error)
{
    const DataList *list = work->list;
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
        status = explain_draw(explain, model, list, probabilities, arguments, scoring.stop, error);
    return status;
}

/* STATUS_FAILED if an image has no score or no heat map. */
static Status sum_up(const Work *work, const Explain *explain, Error *error)
{
    if (work->unreadable > 0)
        return error_set(error, STATUS_FAILED,
                         "predict: %d of %d images could not be read and have no probability; see "
                         "the warnings above",
                         work->unreadable, work->list->count);
    if (work->lost > 0)
        return error_set(error, STATUS_FAILED,
                         "predict: %d of the paths contain no image; see the warnings above",
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
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, calibration.rule);
    cli_note(arguments, "T = %.4g, calibrated on %s; threshold of frames by %s: p_fake > %.6g",
             calibration.temperature, calibration.on, rule, calibration.threshold_frame);
    return STATUS_OK;
}

static Status predict(const Request *request, const CliArguments *arguments, Work *work,
                      Error *error)
{
    const DataList *list = work->list;
    CliModel model = {0};
    Explain explain = {0};
    float *probabilities = mem_new(list->count, 2 * sizeof *probabilities, "the images", error);
    float *margins = mem_new(list->count, sizeof *margins, "the images", error);
    Status status = STATUS_OK;
    if (!probabilities || !margins) {
        status = error->status;
        goto done;
    }
    status = load_model(request, arguments, &model, error);
    if (status != STATUS_OK)
        goto done;
    if (request->explain)
        status = explain_plan(&explain, request->explain, list, error);
    if (status != STATUS_OK)
        goto done;
    status = vit_pack(model.vit, model.precision, false, model.threads, error);
    if (status != STATUS_OK)
        goto done;
    work->pictures = explain.files;
    warn_of_shapes(list);
    status = score(request, arguments, &model, work, probabilities, margins, &explain, error);
    if (status != STATUS_OK)
        goto done;
    if (request->explain)
        cli_note(arguments, "heat maps are in %s; docs/method.md explains them", request->explain);
    status = sum_up(work, &explain, error);
done:
    cli_model_free(&model);
    explain_free(&explain);
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
         "write heat maps of each image to DIR"},
        {"--calibrated", CLI_FLAG, &request.calibrated, 0, 0, NULL,
         "apply the adapter's temperature (see lnclip calibrate)"},
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL,
         "print a JSON array of {path, p_fake, margin}"},
        {"--csv", CLI_FLAG, &request.csv, 0, 0, NULL,
         "print CSV with the columns path,p_fake,margin"},
        {0},
    };
    const CliCommand command = {
        .name = "predict",
        .summary = "print the probability that each image is fake",
        .usage = "lnclip predict --model M [--adapter A] [--explain DIR] PATH...",
        .details = "A PATH is an image of a cropped face, or a folder, which is searched in "
                   "bytewise sorted order. Prints\none line per image: path, tab, p_fake. An "
                   "unreadable image gets nan and a warning, and the exit code is\n1. --explain "
                   "writes DIR/NAME.png for each image: the network input, and heat maps of "
                   "attention rollout\nand of gradient x attention for \"fake\".",
        .example =
            "lnclip predict --model clip-vit-l-14 --adapter run/best.safetensors faces/ one.png",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &request.model);
    cli_expect_positional(&arguments, 1, argc, "an image or a folder");
    if (request.json && request.csv)
        return cli_usage_error("--json and --csv: mutually exclusive; give one of them");
    if (request.explain && request.model.precision && strcmp(request.model.precision, "f32") != 0)
        return cli_usage_error("--explain: heat maps need f32; remove --precision %s",
                               request.model.precision);
    Error error = {0};
    DataList list = {0};
    Work work = {.list = &list,
                 .format = request.json  ? FORMAT_JSON
                           : request.csv ? FORMAT_CSV
                                         : FORMAT_LINES};
    work.progress = cli_progress_begin(&arguments, "scoring", "images");
    work.progress.silent |= isatty(STDOUT_FILENO); /* the printed lines show the progress */
    Status status = cli_model_find_all(&arguments, &request.model, &error);
    if (status == STATUS_OK)
        status = list_images(&list, &arguments.positional, &work.lost, &error);
    if (status == STATUS_OK) {
        cli_print_skipped(&arguments, "predict", &list);
        status = predict(&request, &arguments, &work, &error);
        data_list_free(&list);
    }
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
