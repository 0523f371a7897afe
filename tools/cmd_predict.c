/*
 * cmd_predict.c - lnclip predict: prints the probability that each image is fake, as lines, JSON or
 * CSV.
 *
 * Lines are printed after each batch, in the order of the arguments, so that a long run can be
 * watched and piped. An unreadable image gets "nan"; a folder without images gets a warning. Both
 * make the exit code 1. Heat maps are drawn after all lines are printed. With --by video, lines are
 * printed at the end, one for each folder of frames, with the mean of its readable frames.
 */
#include "data/image/preprocess.h"
#include "data/lists/crop_check.h"
#include "data/lists/input.h"
#include "data/lists/path.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/base/table.h"
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
#include <errno.h>
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

/* Draws the heat maps of painter->crop, the image `name`, and writes them to `path`. */
static Status paint(Painter *painter, const char *name, double p_fake, const char *path,
                    Error *error)
{
    const VitConfig *config = &painter->model->vit->config;
    train_normalize(config, painter->crop, 1, painter->model->threads, painter->pixels);
    vit_explain(painter->explainer, painter->pixels, painter->rollout, painter->gradient);
    const CliHeatmap heatmap = {.name = name,
                                .image = painter->crop,
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
            status = paint(&painter, list->frames[i].path, fake, explain->files[i], error);
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
    const char *list;    /* text file of paths, "-" for standard input, or NULL */
    const char *by, *threshold_text;
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
    bool by_video;
    double threshold; /* above: fake; NaN: no verdict is printed */
    CliProgress progress;
} Work;

/* ---- output ---------------------------------------------------------------------------------- */

/* One line, row or object: an image, or a video. */
typedef struct Row {
    const char *path;
    double fake;         /* NaN: no score */
    const char *picture; /* path of the heat map, or NULL */
    double margin;       /* of an image */
    int frames;          /* of a video: those with a score */
} Row;

static const char *verdict(const Work *work, double fake)
{
    return fake > work->threshold ? "fake" : "real";
}

static void print_json(const Work *work, bool first, const Row *row)
{
    fputs(first ? "[\n  {\"path\": " : ",\n  {\"path\": ", stdout);
    cli_json_print_string(stdout, row->path);
    if (isnan(row->fake))
        fputs(", \"p_fake\": null", stdout);
    else
        printf(", \"p_fake\": %.9g", row->fake);
    if (work->by_video) {
        printf(", \"frames\": %d", row->frames);
    } else {
        if (work->pictures) {
            fputs(", \"heatmap\": ", stdout);
            if (row->picture)
                cli_json_print_string(stdout, row->picture);
            else
                fputs("null", stdout);
        }
        if (isnan(row->fake))
            fputs(", \"margin\": null", stdout);
        else
            printf(", \"margin\": %.9g", row->margin);
    }
    if (!isnan(work->threshold) && isnan(row->fake))
        fputs(", \"verdict\": null", stdout);
    else if (!isnan(work->threshold))
        printf(", \"verdict\": \"%s\"", verdict(work, row->fake));
    putchar('}');
}

static void print_csv(const Work *work, bool first, const Row *row)
{
    if (first)
        printf("path,p_fake%s%s\n",
               work->by_video   ? ",frames"
               : work->pictures ? ",heatmap,margin"
                                : ",margin",
               isnan(work->threshold) ? "" : ",verdict");
    metrics_predictions_write_field(stdout, row->path, strlen(row->path));
    if (isnan(row->fake))
        fputs(",nan", stdout);
    else
        printf(",%.9g", row->fake);
    if (work->pictures && !work->by_video) {
        const char *picture = row->picture ? row->picture : "";
        putchar(',');
        metrics_predictions_write_field(stdout, picture, strlen(picture));
    }
    if (work->by_video)
        printf(",%d", row->frames);
    else if (isnan(row->fake))
        fputs(",nan", stdout);
    else
        printf(",%.9g", row->margin);
    if (!isnan(work->threshold))
        printf(",%s", isnan(row->fake) ? "" : verdict(work, row->fake));
    putchar('\n');
}

static void print_line(const Work *work, const Row *row)
{
    cli_print_escaped(stdout, row->path); /* a line break in a name must not make two lines */
    if (isnan(row->fake))
        fputs("\tnan", stdout);
    else
        printf("\t%.9g", row->fake);
    if (!isnan(work->threshold))
        printf("\t%s", isnan(row->fake) ? "nan" : verdict(work, row->fake));
    putchar('\n');
}

static void print_row(const Work *work, bool first, const Row *row)
{
    if (work->format == FORMAT_JSON)
        print_json(work, first, row);
    else if (work->format == FORMAT_CSV)
        print_csv(work, first, row);
    else
        print_line(work, row);
}

static void print_until(Work *work, int done)
{
    for (; work->printed < done; work->printed++) {
        const int frame = work->printed;
        const double fake = (double)work->probabilities[2 * (size_t)frame + 1];
        const Row row = {
            .path = work->list->frames[frame].path,
            .fake = fake,
            .picture = work->pictures && !isnan(fake) ? work->pictures[frame] : NULL,
            .margin = (double)work->margins[frame],
        };
        print_row(work, frame == 0, &row);
    }
    fflush(stdout);
}

/* A video: its name is path[0..length) of its first frame. */
typedef struct Video {
    const char *path;
    size_t length;
    double sum; /* of p_fake */
    int frames; /* those with a score */
} Video;

static TableKey video_key(const void *videos, uint32_t i)
{
    const Video *video = (const Video *)videos + i;
    return (TableKey){video->path, video->length, 0};
}

/* Prints all videos, in the order of their first frames. */
static Status print_videos(Work *work, Error *error)
{
    const DataList *list = work->list;
    Table table = {0};
    uint32_t count = 0;
    char path[FILE_PATH_SIZE];
    Video *videos = mem_new(list->count, sizeof *videos, "the videos", error);
    Status status = videos ? STATUS_OK : error->status;
    for (int i = 0; i < list->count && status == STATUS_OK; i++) {
        const DataPath parts = data_path_read(list->frames[i].path);
        const bool own = parts.own_video || parts.video_length == 0;
        bool added;
        uint32_t at = count;
        videos[count] = (Video){.path = list->frames[i].path};
        videos[count].length = own ? strlen(videos[count].path) : parts.video_length;
        status =
            table_find(&table, video_key(videos, count), video_key, videos, &at, &added, error);
        const float fake = work->probabilities[2 * (size_t)i + 1];
        if (status != STATUS_OK)
            break;
        count += added;
        if (isnan(fake))
            continue;
        videos[at].sum += (double)fake;
        videos[at].frames++;
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const Video *video = &videos[i];
        snprintf(path, sizeof path, "%.*s", (int)video->length, video->path);
        const Row row = {.path = path, .fake = video->sum / video->frames, .frames = video->frames};
        print_row(work, i == 0, &row);
    }
    work->printed = list->count;
    table_free(&table);
    free(videos);
    return status;
}

static void show_progress(void *context, int done, int total, double images_per_second)
{
    Work *work = context;
    if (!work->by_video)
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

/* The paths to score, as given or read from --list or standard input. */
typedef struct Paths {
    const char **items; /* [count], into content or argv */
    int count;
    size_t capacity;
    char *content;               /* of the file, or NULL */
    char folder[FILE_PATH_SIZE]; /* of the file; "" */
} Paths;

static Status add_path(Paths *paths, const char *path, Error *error)
{
    TRY(mem_grow(&paths->items, paths->count + 1, &paths->capacity, sizeof *paths->items,
                 "the paths", error));
    paths->items[paths->count++] = path;
    return STATUS_OK;
}

/* Reads all of standard input. */
static Status read_input(char **content, size_t *size, Error *error)
{
    size_t capacity = 0;
    *content = NULL;
    *size = 0;
    for (;;) {
        TRY(mem_grow(content, *size + 65536, &capacity, 1, "the paths", error));
        const size_t got = fread(*content + *size, 1, 65535, stdin);
        *size += got;
        if (got == 0)
            break;
    }
    (*content)[*size] = '\0';
    if (ferror(stdin))
        return error_set(error, STATUS_FAILED, "standard input: cannot be read: %s; check the pipe",
                         strerror(errno));
    return STATUS_OK;
}

/* Reads a list of paths: separated by zero bytes if there are any, else by line ends. */
static Status read_paths(Paths *paths, const char *file, Error *error)
{
    size_t size;
    const bool input = strcmp(file, "-") == 0;
    const DataInput kind = input ? DATA_INPUT_LIST : data_input(file);
    const char *refusal = data_input_refusal(kind);
    if (kind == DATA_INPUT_BINARY) /* zero bytes between the paths */
        refusal = NULL;
    if (refusal)
        return error_set(error, STATUS_FAILED, "%s: %s", file, refusal);
    if (kind == DATA_INPUT_TABLE || kind == DATA_INPUT_JSON)
        return error_set(error, STATUS_FAILED,
                         "%s: is %s; --list needs one path a line: write its paths to a text file, "
                         "or score it with lnclip eval",
                         file, kind == DATA_INPUT_JSON ? "JSON" : "a table");
    TRY(input ? read_input(&paths->content, &size, error)
              : file_read(file, (size_t)1 << 30, &paths->content, &size, error));
    if (!input) {
        TRY(file_join(paths->folder, "", file, error));
        paths->folder[file_name(paths->folder) - paths->folder] = '\0';
    }
    char *text = paths->content, *const end = text + size;
    const char separator = memchr(text, '\0', size) ? '\0' : '\n';
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    for (char *next; text < end; text = next) {
        char *stop = memchr(text, separator, end - text);
        stop = stop ? stop : end;
        next = stop + 1;
        if (separator == '\n' && stop > text && stop[-1] == '\r')
            stop--;
        *stop = '\0'; /* file_read and read_input leave room for the last one */
        const bool comment = separator == '\n' && text[0] == '#' && (text[1] == ' ' || !text[1]);
        if (text[0] && !comment)
            TRY(add_path(paths, text, error));
    }
    if (paths->count == 0)
        return error_set(error, STATUS_FAILED, "%s: has no path; write one path a line",
                         input ? "standard input" : file);
    return STATUS_OK;
}

/* Lists the images of all paths. Warns of paths without an image; fails if none has one. */
static Status list_images(DataList *list, const Paths *paths, int *lost, Error *error)
{
    *lost = 0;
    const Status status =
        data_list_paths_from(list, paths->items, paths->count, paths->folder, error);
    if (status == STATUS_OK || paths->count == 1)
        return status;
    const char **kept = calloc(paths->count, sizeof *kept);
    if (!kept)
        return status;
    int count = 0;
    for (int i = 0; i < paths->count; i++) {
        DataList alone = {0};
        Error reason = {0};
        if (data_list_paths_from(&alone, &paths->items[i], 1, paths->folder, &reason) ==
            STATUS_OK) {
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
        retried = data_list_paths_from(list, kept, count, paths->folder, error);
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
    if (status == STATUS_OK && work->by_video)
        status = print_videos(work, error);
    else if (status == STATUS_OK)
        print_until(work, list->count);
    if (status == STATUS_INTERRUPTED)
        cli_interrupted("predict",
                        work->by_video ? "nothing was printed"
                                       : "the images printed so far are complete",
                        error);
    if (work->format == FORMAT_JSON && work->printed > 0)
        puts("\n]");
    fflush(stdout);
    cli_progress_end(&work->progress);
    if (status == STATUS_OK && !work->by_video)
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

/* Loads the model; with --calibrated also the temperature and, unless given, the threshold. */
static Status load_model(const Request *request, const CliArguments *arguments, CliModel *model,
                         Work *work, Error *error)
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
    const double threshold =
        work->by_video ? calibration.threshold_video : calibration.threshold_frame;
    if (isnan(work->threshold))
        work->threshold = threshold;
    cli_note(arguments, "T = %.4g, calibrated on %s; threshold of %s by %s: p_fake > %.6g",
             calibration.temperature, calibration.on, work->by_video ? "videos" : "frames", rule,
             threshold);
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
    status = load_model(request, arguments, &model, work, error);
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
        {"--by", CLI_STRING, &request.by, 0, 0, "UNIT",
         "image (default), or video: one line per folder of frames,\nwith their mean"},
        {"--threshold", CLI_STRING, &request.threshold_text, 0, 0, "X",
         "add a column: fake if p_fake > X, else real"},
        {"--calibrated", CLI_FLAG, &request.calibrated, 0, 0, NULL,
         "apply the adapter's temperature, and add a column by its\nthreshold (see lnclip "
         "calibrate)"},
        {"--list", CLI_STRING, &request.list, 0, 0, "FILE",
         "read the paths from FILE, or - for standard input: one a\nline, or separated by zero "
         "bytes"},
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL,
         "print a JSON array of {path, p_fake, margin}"},
        {"--csv", CLI_FLAG, &request.csv, 0, 0, NULL,
         "print CSV with the columns path,p_fake,margin"},
        {0},
    };
    const CliCommand command = {
        .name = "predict",
        .summary = "print the probability that each image is fake",
        .usage = "lnclip predict --model M [--adapter A] [--by video] [--threshold X] "
                 "[--explain DIR] PATH...",
        .details = "A PATH is an image of a cropped face, or a folder, which is searched in "
                   "bytewise sorted order. Prints\none line per image: path, tab, p_fake. - reads "
                   "the paths from standard input. An "
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
    cli_expect_positional(&arguments, request.list ? 0 : 1, request.list ? 0 : argc,
                          request.list ? "options only, since --list is given"
                                       : "an image or a folder");
    if (arguments.positional.count == 1 && strcmp(arguments.positional.items[0], "-") == 0)
        request.list = "-";
    if (request.by && strcmp(request.by, "video") != 0 && strcmp(request.by, "image") != 0)
        return cli_usage_error("--by %s: unknown unit; use image or video", request.by);
    double threshold = NAN;
    if (request.threshold_text &&
        !(number_parse(request.threshold_text, strlen(request.threshold_text), &threshold) &&
          threshold >= 0 && threshold <= 1))
        return cli_usage_error("--threshold %s: is not a probability; give a number from 0 to 1",
                               request.threshold_text);
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
                                         : FORMAT_LINES,
                 .by_video = request.by && strcmp(request.by, "video") == 0,
                 .threshold = threshold};
    work.progress = cli_progress_begin(&arguments, "scoring", "images");
    /* The printed lines show the progress, except by video. */
    work.progress.silent |= isatty(STDOUT_FILENO) && !work.by_video;
    Paths paths = {0};
    Status status = cli_model_find_all(&arguments, &request.model, &error);
    if (status == STATUS_OK && request.list)
        status = read_paths(&paths, request.list, &error);
    for (int i = 0; !request.list && i < arguments.positional.count && status == STATUS_OK; i++)
        status = add_path(&paths, arguments.positional.items[i], &error);
    if (status == STATUS_OK)
        status = list_images(&list, &paths, &work.lost, &error);
    if (status == STATUS_OK) {
        cli_print_skipped(&arguments, "predict", &list);
        status = predict(&request, &arguments, &work, &error);
        data_list_free(&list);
    }
    free(paths.items);
    free(paths.content);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
