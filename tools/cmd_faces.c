/*
 * cmd_faces.c - lnclip faces: aligned face crops of images, folders and lists.
 *
 * OUT holds the crops, faces.csv with a row for each frame (data/faces/records.h), and faces.json:
 * the crop card, which says how the crops were made, and the coverage. A job continues where an
 * earlier one of the same card stopped. Images that fail are reported at the end, and the others
 * are done all the same.
 */
#include "data/faces/crop.h"
#include "data/faces/inputs.h"
#include "data/faces/records.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "train/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN = 10 };

typedef struct Request {
    DataCropSettings settings;
    const char *out, *landmarks;
    const CliArguments *arguments;
} Request;

/* ---- the crop card --------------------------------------------------------------------------- */

static json_t *make_card(const DataCropSettings *settings)
{
    static const char *const ALIGNMENT[] = {[DATA_LIKE_DFB] = "least squares",
                                            [DATA_LIKE_GEND] = "least median of squares",
                                            [DATA_LIKE_FFPP] = "square box"};
    static const char *const POINTS[] = {[DATA_LIKE_DFB] = "landmarks 37 44 30 49 55",
                                         [DATA_LIKE_GEND] = "eye centres and landmarks 30 48 54"};
    static const char *const WARP[] = {
        [DATA_LIKE_DFB] = "OpenCV up to 4.10", [DATA_LIKE_GEND] = "OpenCV from 4.11"};
    const bool aligned = settings->like != DATA_LIKE_FFPP;
    const char *like = data_like_names[settings->like];
    return json_pack(
        "{s:s, s:s, s:b, s:s?, s:o, s:s?, s:s, s:s?, s:o, s:o, s:s?, s:b}", "like", like,
        "detector", "dlib 19.24 frontal HOG", "upsample", settings->upsample, "landmarks_hash",
        aligned ? data_shape_hash(settings->landmarks) : NULL, "landmarks",
        aligned ? json_integer(data_shape_count(settings->landmarks)) : json_null(), "points",
        aligned ? POINTS[settings->like] : NULL, "alignment", ALIGNMENT[settings->like], "template",
        aligned ? like : NULL, "scale", train_json_number(settings->scale), "size",
        aligned ? json_integer(settings->size) : json_null(), "warp",
        aligned ? WARP[settings->like] : NULL, "found_again", settings->like == DATA_LIKE_DFB);
}

/* {"card", "hash", "decoders"}: what faces.json holds at first. NULL without memory. */
static json_t *make_document(const DataCropSettings *settings)
{
    json_t *card = make_card(settings);
    char *text = card ? json_dumps(card, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char digits[HASH_TEXT_SIZE] = "";
    if (text) {
        Hash hash;
        hash_begin(&hash);
        hash_bytes(&hash, text, strlen(text));
        hash_end(&hash, digits);
    }
    free(text);
    return json_pack("{s:o, s:s, s:s}", "card", card, "hash", digits, "decoders",
                     data_image_decoders());
}

/* STATUS_FAILED, naming the first setting that differs, if `path` has another card. */
static Status check_card(const char *path, const json_t *document, Error *error)
{
    json_error_t why;
    json_t *before = json_load_file(path, 0, &why);
    json_t *old = json_object_get(before, "card"), *new = json_object_get(document, "card");
    Status status = STATUS_OK;
    const char *key;
    json_t *value;
    if (!json_is_object(old))
        status = error_set(error, STATUS_FAILED,
                           "%s: is not a crop card of lnclip faces; choose another --out", path);
    json_object_foreach(new, key, value)
    {
        if (status != STATUS_OK || json_equal(value, json_object_get(old, key)))
            continue;
        char *one = json_dumps(json_object_get(old, key), JSON_ENCODE_ANY);
        char *two = json_dumps(value, JSON_ENCODE_ANY);
        status = error_set(error, STATUS_FAILED,
                           "%s: these crops were made with %s %s, not %s; use the same settings, "
                           "or choose another --out",
                           path, key, one ? one : "missing", two ? two : "missing");
        free(one);
        free(two);
    }
    json_decref(before);
    return status;
}

/* Prepares the output folder. *resumed: it has crops of the same card. */
static Status open_folder(const Request *request, json_t *document, char path[FILE_PATH_SIZE],
                          bool *resumed, Error *error)
{
    TRY(file_join(path, request->out, "faces.json", error));
    *resumed = file_exists(path);
    if (*resumed)
        return check_card(path, document, error);
    file_remove_leftovers(path);
    if (!file_folder_is_empty(request->out))
        return error_set(error, STATUS_FAILED,
                         "%s: is not empty and has no faces.json; choose another --out",
                         request->out);
    TRY(file_make_folders(request->out, error));
    return train_json_save(json_incref(document), path, 9, error);
}

/* ---- the work -------------------------------------------------------------------------------- */

/* An image of the current round. */
typedef struct Item {
    const DataFacesInput *input;
    DataCrop crop;
    Status status;
    char problem[ERROR_MESSAGE_SIZE];
} Item;

typedef struct Job {
    const Request *request;
    Threads *threads; /* for the rows of one image; NULL while images run in parallel */
    bool resumed;
    Item *items; /* [items_size] */
} Job;

static Status crop_image(const Job *job, Item *item, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, job->request->out, item->input->crop, error));
    DataImage image;
    TRY(data_image_read(item->input->path, &image, error));
    Status status =
        data_crop_face(&image, &job->request->settings, job->threads, &item->crop, error);
    if (status != STATUS_OK) { /* which image, the message does not say */
        char why[ERROR_MESSAGE_SIZE];
        memcpy(why, error->message, sizeof why);
        error_set(error, status, "%s: %.1500s", item->input->path, why);
    }
    data_image_free(&image);
    if (status != STATUS_OK || !item->crop.found)
        return status;
    char folder[FILE_PATH_SIZE];
    memcpy(folder, path, sizeof folder);
    folder[file_name(path) - path - 1] = '\0';
    status = file_make_folders(folder, error);
    if (job->resumed)
        file_remove_leftovers(path);
    return status == STATUS_OK ? data_image_write_png(&item->crop.image, path, error) : status;
}

static void run_item(void *context, int task, int worker)
{
    (void)worker;
    const Job *job = context;
    Item *item = &job->items[task];
    Error error = {0};
    item->status = crop_image(job, item, &error);
    memcpy(item->problem, error.message, sizeof item->problem);
}

/* The number of the next images that make a round, [*next, ...) without those that have a row. */
static int choose_round(Item *items, int limit, const DataFacesInputs *inputs,
                        const DataRecords *records, int *next)
{
    int count = 0;
    for (; count < limit && *next < inputs->count; (*next)++) {
        const DataFacesInput *input = &inputs->items[*next];
        if (!data_records_has(records, input->path, input->frame))
            items[count++] = (Item){.input = input};
    }
    return count;
}

/* Records a round. Failed images are appended to `failed`. */
static Status record_round(Item *items, int count, DataRecords *records, json_t *failed,
                           Error *error)
{
    Status status = STATUS_OK;
    for (int i = 0; i < count; i++) {
        Item *item = &items[i];
        if (item->status != STATUS_OK)
            train_json_append(failed,
                              json_pack("{s:o, s:o}", "path", train_json_string(item->input->path),
                                        "reason", train_json_string(item->problem)));
        else if (status == STATUS_OK)
            status = data_records_add(records, item->input->path, item->input->frame, &item->crop,
                                      item->input->crop, error);
        data_crop_free(&item->crop);
    }
    return status;
}

/* Crops all images that have no row yet. */
static Status crop_all(Job *job, Threads *threads, const DataFacesInputs *inputs,
                       DataRecords *records, json_t *failed, Error *error)
{
    enum { IMAGES_A_THREAD = 4 };
    const int workers = threads_count(threads), limit = IMAGES_A_THREAD * workers;
    job->items = mem_new(limit, sizeof *job->items, "the images", error);
    if (!job->items)
        return error->status;
    CliProgress progress = cli_progress_begin(job->request->arguments, "cropping", "images");
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    Status status = STATUS_OK;
    int next = 0, done = 0;
    for (int count; status == STATUS_OK &&
                    (count = choose_round(job->items, limit, inputs, records, &next)) > 0;) {
        /* Few images: they run one after the other, each by all threads. */
        job->threads = count < workers ? threads : NULL;
        if (job->threads)
            for (int i = 0; i < count; i++)
                run_item(job, i, 0);
        else
            threads_run(threads, count, run_item, job);
        status = record_round(job->items, count, records, failed, error);
        done += count;
        clock_gettime(CLOCK_MONOTONIC, &now);
        const double seconds =
            (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
        cli_progress_show(&progress, next, inputs->count, seconds > 0 ? done / seconds : 0);
        if (status == STATUS_OK)
            status = cli_interrupted(
                "faces", "the crops so far are kept; run the same command again to continue",
                error);
    }
    cli_progress_end(&progress);
    free(job->items);
    return status;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void print_failed(const json_t *failed)
{
    const size_t count = json_array_size(failed);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        fputs("  ", stderr);
        cli_print_escaped(stderr,
                          json_string_value(json_object_get(json_array_get(failed, i), "reason")));
        putc('\n', stderr);
    }
    if (count > SHOWN)
        fprintf(stderr, "  and %s more\n", cli_count(count - SHOWN));
}

/* Sorts faces.csv, completes faces.json, and reports the coverage. */
static Status finish(const Request *request, json_t *document, const char *path,
                     DataRecords *records, json_t *failed, Error *error)
{
    DataCoverage coverage;
    const char *empty[SHOWN];
    TRY(data_records_finish(records, error));
    TRY(data_records_coverage(records, &coverage, empty, SHOWN, error));
    const int failures = (int)json_array_size(failed);
    train_json_set(document, "frames", json_integer(coverage.frames));
    train_json_set(document, "crops", json_integer(coverage.crops));
    train_json_set(document, "videos", json_integer(coverage.videos));
    train_json_set(document, "videos_without_face", json_integer(coverage.empty_videos));
    train_json_set(document, "failed", json_incref(failed));
    TRY(train_json_save(json_incref(document), path, 9, error));
    if (coverage.empty_videos > 0 && coverage.crops > 0) {
        cli_warn("no face in any frame of %s of %s videos%s", cli_count(coverage.empty_videos),
                 cli_count(coverage.videos), coverage.empty_videos > SHOWN ? ", the first:" : ":");
        for (int i = 0; i < coverage.empty_videos && i < SHOWN; i++) {
            fputs("  ", stderr);
            cli_print_escaped(stderr, empty[i]);
            putc('\n', stderr);
        }
    }
    cli_note(request->arguments, "%s: %s crops of %s frames, %s without a face", request->out,
             cli_count(coverage.crops), cli_count(coverage.frames),
             cli_count(coverage.frames - coverage.crops));
    print_failed(failed);
    if (failures > 0)
        return error_set(error, STATUS_FAILED,
                         "%s: %d images failed (see above); the others are done: correct these "
                         "and run the same command again",
                         request->out, failures);
    if (coverage.crops == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: no face was found in %s frames; check that they show frontal faces "
                         "of at least %d pixels%s",
                         request->out, cli_count(coverage.frames),
                         request->settings.upsample ? 40 : 80,
                         request->settings.upsample ? "" : ", or use --upsample 1");
    return STATUS_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Opens the landmark file: the one given, or that of libdlib-data. */
static Status open_landmarks(const char *given, DataShapePredictor **landmarks, Error *error)
{
    enum { LEAST_POINTS = 68 };
    static const char *const PLACES[] = {
        "/usr/share/dlib/shape_predictor_68_face_landmarks.dat",
        "/usr/local/share/dlib/shape_predictor_68_face_landmarks.dat"};
    for (size_t i = 0; i < COUNT_OF(PLACES) && !given; i++)
        if (file_exists(PLACES[i]))
            given = PLACES[i];
    if (!given)
        return error_set(
            error, STATUS_FAILED,
            "%s: does not exist; run: apt-get install libdlib-data, or name a landmark "
            "file with --landmarks",
            PLACES[0]);
    TRY(data_shape_open(landmarks, given, error));
    if (data_shape_count(*landmarks) < LEAST_POINTS)
        return error_set(error, STATUS_FAILED, "%s: has %d points; use a file with 68 or 81 points",
                         given, data_shape_count(*landmarks));
    return STATUS_OK;
}

static Status make_crops(const Request *request, const DataFacesInputs *inputs, Error *error)
{
    json_t *document = make_document(&request->settings), *failed = json_array();
    char path[FILE_PATH_SIZE];
    Job job = {.request = request};
    DataRecords *records = NULL;
    Threads *threads = NULL;
    Status status = document && failed ? STATUS_OK : mem_full(0, "the crop card", error);
    if (status == STATUS_OK)
        status = threads_create(&threads, request->arguments->threads, error);
    if (status == STATUS_OK)
        status = open_folder(request, document, path, &job.resumed, error);
    if (status == STATUS_OK)
        status = data_records_open(&records, request->out, error);
    if (status == STATUS_OK)
        status = crop_all(&job, threads, inputs, records, failed, error);
    if (status == STATUS_OK)
        status = finish(request, document, path, records, failed, error);
    data_records_close(records);
    threads_destroy(threads);
    json_decref(document);
    json_decref(failed);
    return status;
}

static DataLike like_expect(const char *name)
{
    for (int i = 0; i < DATA_LIKES && name; i++)
        if (strcmp(name, data_like_names[i]) == 0)
            return (DataLike)i;
    if (name)
        exit(cli_usage_error("--like %s: unknown; use dfb, gend or ffpp", name));
    return DATA_LIKE_DFB;
}

int cmd_faces(int argc, char **argv)
{
    Request request = {.settings = data_crop_defaults()};
    const char *like = NULL;
    int upsample = 1, size = 0;
    CliOption table[] = {
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR",
         "output folder: empty, missing, or with crops of the same settings"},
        {"--like", CLI_STRING, &like, 0, 0, "NAME",
         "dfb: aligned as in DeepfakeBench (default); gend: as in GenD;\nffpp: square box as in "
         "FaceForensics++, not aligned"},
        {"--landmarks", CLI_STRING, &request.landmarks, 0, 0, "FILE",
         "shape predictor of dlib with 68 or 81 points (default: that of\nDebian's libdlib-data)"},
        {"--upsample", CLI_INT, &upsample, 0, 1, "N",
         "1: double the image first, finds faces from 40 pixels (default);\n0: from 80 pixels, "
         "four times as fast"},
        {"--size", CLI_INT, &size, 64, 1024, "PX",
         "sides of an aligned crop in pixels (default 256)"},
        {0},
    };
    const CliCommand command = {
        .name = "faces",
        .summary = "crop the faces of images, folders and lists",
        .usage = "lnclip faces --out DIR [--like dfb|gend|ffpp] [OPTION...] PATH...",
        .details =
            "Finds the largest face of each image and writes its crop as DIR/<path below "
            "PATH>.png, "
            "a row of\nDIR/faces.csv, and the settings to DIR/faces.json. PATH is an image, a "
            "folder, or a list with one\nimage path per line. `lnclip lists` reads the crops as it "
            "reads the frames. A stopped job continues\nif the same command is run again.",
        .example = "lnclip faces --out crops FaceForensics++",
        .options = table,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_option(&arguments, "--out", request.out);
    if (arguments.positional.count == 0)
        return cli_usage_error("PATH: missing; give an image, a folder or a list");
    request.arguments = &arguments;
    request.settings.like = like_expect(like);
    request.settings.upsample = upsample == 1;
    const bool aligned = request.settings.like != DATA_LIKE_FFPP;
    if (!aligned && (request.landmarks || size))
        return cli_usage_error("%s: does not apply to --like ffpp; remove it",
                               size ? "--size" : "--landmarks");
    if (size)
        request.settings.size = size;
    (void)cli_catch_signals();
    Error error = {0};
    DataShapePredictor *landmarks = NULL;
    DataFacesInputs inputs = {0};
    Status status = data_faces_inputs_read(&inputs, arguments.positional.items,
                                           arguments.positional.count, &error);
    if (status == STATUS_OK && aligned)
        status = open_landmarks(request.landmarks, &landmarks, &error);
    request.settings.landmarks = landmarks;
    if (status == STATUS_OK)
        status = make_crops(&request, &inputs, &error);
    data_faces_inputs_free(&inputs);
    data_shape_close(landmarks);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
