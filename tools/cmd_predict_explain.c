/*
 * cmd_predict_explain.c - see cmd_predict_explain.h.
 */
#include "tools/cmd_predict_explain.h"

#include "data/image/preprocess.h"
#include "tensor/base/file.h"
#include "tools/report/heatmap.h"
#include "train/stepper.h"
#include "vit/explain.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names --------------------------------------------------------------------------------------- */

enum {
    MAX_PARTS = 8,  /* of a path that a name is made of */
    MAX_STEM = 200, /* bytes; with a suffix, a number and what file_begin adds, below 255 */
    NAME_SIZE = MAX_STEM + 32
};

typedef struct Name {
    char text[NAME_SIZE];
    const char *path; /* of the frame */
    int frame;
    int parts; /* of the path, from the right */
} Name;

/*
 * The part of `path` that ends before `end`: where it begins, and where the rest of the path ends. Dots,
 * which lead to other folders and name none, are passed over. False if there is none.
 */
static bool part_before(const char *path, const char *end, const char **begin, const char **stop)
{
    for (;;) {
        while (end > path && end[-1] == '/')
            end--;
        const char *at = end;
        while (at > path && at[-1] != '/')
            at--;
        const size_t length = (size_t)(end - at);
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

/* Writes name->text from the last parts of the path, and returns whether the path had as many. */
static bool spell(Name *name)
{
    char text[FILE_PATH_SIZE + MAX_PARTS];
    size_t at = sizeof text; /* it is written from its end */
    const char *end = name->path + strlen(name->path), *begin, *stop;
    int part = 0;
    for (; part < name->parts && part_before(name->path, end, &begin, &stop); part++, end = begin) {
        size_t length = (size_t)(stop - begin);
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
    if (length > MAX_STEM) { /* the end of a path tells more than its beginning */
        at += length - MAX_STEM;
        while (at < sizeof text && ((unsigned char)text[at] & 0xc0) == 0x80)
            at++; /* not inside a character */
        length = sizeof text - at;
        part = 0; /* more parts would change nothing */
    }
    memcpy(name->text, text + at, length);
    name->text[length] = '\0';
    if (length == 0) /* a name of dots alone */
        strcpy(name->text, "image");
    return part == name->parts;
}

static int by_text(const void *left, const void *right)
{
    const Name *const a = left, *const b = right;
    const int order = strcmp(a->text, b->text);
    return order ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

/* Takes one more part into every name that another one equals; false once that changes nothing. Sorts them. */
static bool lengthen_equal(Name *names, int count)
{
    bool changed = false;
    qsort(names, (size_t)count, sizeof *names, by_text);
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

/* The picture of every frame: DIR/NAME.png, where equal names after the first are NAME-2, NAME-3 and so on. */
static Status number_equal(CmdPredictExplain *explain, const char *folder, const Name *names,
                           Error *error)
{
    int number = 1;
    for (int i = 0; i < explain->count; i++) {
        char file[NAME_SIZE + 32], path[FILE_PATH_SIZE];
        const char *const text = names[i].text;
        if (i == 0 || strcmp(text, names[i - 1].text) != 0) {
            number = 1;
            snprintf(file, sizeof file, "%s", text);
        } else {
            do
                snprintf(file, sizeof file, "%s-%d", text, ++number);
            while (bsearch(file, names, (size_t)explain->count, sizeof *names, find_text));
        }
        strcat(file, ".png");
        TRY(file_join(path, folder, file, error));
        explain->files[names[i].frame] = strdup(path);
        if (!explain->files[names[i].frame])
            return error_set(error, STATUS_FAILED, "%s: no memory to name %d heat maps; give fewer",
                             folder, explain->count);
    }
    return STATUS_OK;
}

/* ---- the images are safe ------------------------------------------------------------------------- */

/* A file, whatever its names. */
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
    const FileId *const a = left, *const b = right;
    return a->device != b->device ? (a->device > b->device) - (a->device < b->device)
                                  : (a->inode > b->inode) - (a->inode < b->inode);
}

/* No picture would replace an image. */
static Status check_images_safe(const CmdPredictExplain *explain, const DataList *list,
                                Error *error)
{
    FileId *const images = calloc((size_t)list->count, sizeof *images);
    if (!images)
        return error_set(error, STATUS_FAILED, "predict: no memory for %d images; give fewer",
                         list->count);
    size_t count = 0;
    for (int i = 0; i < list->count; i++)
        count += file_id(list->frames[i].file, &images[count]);
    qsort(images, count, sizeof *images, by_id);
    Status status = STATUS_OK;
    for (int i = 0; i < explain->count && status == STATUS_OK; i++) {
        FileId id;
        if (file_id(explain->files[i], &id) && bsearch(&id, images, count, sizeof id, by_id))
            status = error_set(error, STATUS_FAILED,
                               "%s: it is one of the images, and its heat map would replace it; "
                               "give --explain another folder",
                               explain->files[i]);
    }
    free(images);
    return status;
}

Status cmd_predict_explain_plan(CmdPredictExplain *explain, const char *folder,
                                const DataList *list, Error *error)
{
    *explain = (CmdPredictExplain){.count = list->count};
    explain->files = calloc((size_t)list->count, sizeof *explain->files);
    Name *const names = calloc((size_t)list->count, sizeof *names);
    Status status =
        explain->files && names
            ? STATUS_OK
            : error_set(error, STATUS_FAILED, "%s: no memory to name %d heat maps; give fewer",
                        folder, list->count);
    for (int i = 0; status == STATUS_OK && i < list->count; i++) {
        names[i] = (Name){.path = list->frames[i].path, .frame = i, .parts = 1};
        (void)spell(&names[i]);
    }
    while (status == STATUS_OK && lengthen_equal(names, list->count))
        ;
    if (status == STATUS_OK)
        status = number_equal(explain, folder, names, error);
    free(names);
    if (status == STATUS_OK)
        status = check_images_safe(explain, list, error);
    if (status == STATUS_OK)
        status = file_make_folders(folder, error);
    return status;
}

void cmd_predict_explain_free(CmdPredictExplain *explain)
{
    for (int i = 0; explain->files && i < explain->count; i++)
        free(explain->files[i]);
    free(explain->files);
    *explain = (CmdPredictExplain){0};
}

/* ---- pictures ------------------------------------------------------------------------------------ */

/* What is needed to draw one image after another. */
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
    const VitConfig *const config = &model->vit->config;
    const size_t S = (size_t)config->image_size, G = (size_t)vit_explain_grid(config);
    *painter = (Painter){.model = model};
    painter->crop = malloc(3 * S * S);
    painter->pixels = malloc(3 * S * S * sizeof(float));
    painter->rollout = malloc(G * G * sizeof(float));
    painter->gradient = malloc(G * G * sizeof(float));
    if (!painter->crop || !painter->pixels || !painter->rollout || !painter->gradient)
        return error_set(error, STATUS_FAILED,
                         "--explain: no memory for an image; close other programs");
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

/* Reads the image as the network sees it: painter->crop. */
static Status read_crop(Painter *painter, const char *file, Error *error)
{
    DataImage image = {0};
    TRY(data_image_read(file, &image, error));
    const Status status = data_resize_crop(
        &painter->resizer, &image, painter->model->vit->config.image_size, painter->crop, error);
    data_image_free(&image);
    return status;
}

/* Explains painter->crop in a picture at `path`. */
static Status paint(Painter *painter, double p_fake, const char *path, Error *error)
{
    const VitConfig *const config = &painter->model->vit->config;
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

Status cmd_predict_explain_draw(CmdPredictExplain *explain, CliModel *model, const DataList *list,
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
                     "all scores were printed, and %d of %d heat maps are written", drawn,
                     list->count);
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
