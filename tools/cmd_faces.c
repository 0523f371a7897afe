/*
 * cmd_faces.c - lnclip faces: aligned face crops of images, videos, folders and lists.
 *
 * OUT holds the crops, faces.csv with a row for each frame (data/faces/records.h), and faces.json:
 * the crop card, which says how the crops were made, and the coverage. A job continues where an
 * earlier one of the same card stopped. Files that fail are reported at the end, and the others
 * are done all the same.
 */
#include "data/faces/crop.h"
#include "data/faces/inputs.h"
#include "data/faces/records.h"
#include "data/faces/video.h"
#include "data/lists/list.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tools/cli/cli.h"
#include "train/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN = 10 };

/* The frames of a video to crop. */
typedef struct Frames {
    int count;  /* evenly spaced, or for gend as many faces; 0: all, or by stride */
    int stride; /* every stride-th from frame 0 */
} Frames;

typedef struct Request {
    DataCropSettings settings;
    Frames frames;
    const char *out, *landmarks;
    const CliArguments *arguments;
} Request;

/* ---- the crop card --------------------------------------------------------------------------- */

static json_t *describe_frames(const Request *request)
{
    char text[64];
    if (request->frames.count == 0)
        snprintf(text, sizeof text, "every %d", request->frames.stride);
    else if (request->settings.like == DATA_LIKE_GEND)
        snprintf(text, sizeof text, "%d faces, longest gap first", request->frames.count);
    else
        snprintf(text, sizeof text, "%d evenly spaced", request->frames.count);
    return json_string(text);
}

static json_t *make_card(const Request *request)
{
    const DataCropSettings *settings = &request->settings;
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
        "{s:s, s:o, s:s, s:b, s:s?, s:o, s:s?, s:s, s:s?, s:o, s:o, s:s?, s:b}", "like", like,
        "frames", describe_frames(request), "detector", "dlib 19.24 frontal HOG", "upsample",
        settings->upsample, "landmarks_hash", aligned ? data_shape_hash(settings->landmarks) : NULL,
        "landmarks", aligned ? json_integer(data_shape_count(settings->landmarks)) : json_null(),
        "points", aligned ? POINTS[settings->like] : NULL, "alignment", ALIGNMENT[settings->like],
        "template", aligned ? like : NULL, "scale", train_json_number(settings->scale), "size",
        aligned ? json_integer(settings->size) : json_null(), "warp",
        aligned ? WARP[settings->like] : NULL, "found_again", settings->like == DATA_LIKE_DFB);
}

/* {"card", "hash", "decoders"}: what faces.json holds at first. NULL without memory. */
static json_t *make_document(const Request *request)
{
    json_t *card = make_card(request);
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

/* An image, or a frame of a video, of the current round. */
typedef struct Item {
    const char *path; /* borrowed from the input */
    int frame;
    char crop_path[FILE_PATH_SIZE]; /* below the output folder */
    DataImage image;                /* a decoded frame; empty: the image is read from `path` */
    DataCrop crop;
    Status status;
    char problem[ERROR_MESSAGE_SIZE];
} Item;

typedef struct Job {
    const Request *request;
    Threads *threads;
    Threads *inner; /* for the rows of one image; NULL while images run in parallel */
    bool resumed;
    DataRecords *records;
    json_t *failed; /* [{path, reason}] */
    Item *items;    /* [limit] */
    int limit, count;
    CliProgress progress;
} Job;

static Status crop_item(const Job *job, Item *item, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, job->request->out, item->crop_path, error));
    if (!item->image.pixels)
        TRY(data_image_read(item->path, &item->image, error));
    Status status =
        data_crop_face(&item->image, &job->request->settings, job->inner, &item->crop, error);
    data_image_free(&item->image);
    if (status != STATUS_OK) { /* the message does not say which image */
        char why[ERROR_MESSAGE_SIZE];
        memcpy(why, error->message, sizeof why);
        return error_set(error, status, "%s: %.1500s", item->path, why);
    }
    if (!item->crop.found)
        return STATUS_OK;
    char folder[FILE_PATH_SIZE];
    memcpy(folder, path, sizeof folder);
    folder[file_name(path) - path - 1] = '\0';
    TRY(file_make_folders(folder, error));
    if (job->resumed)
        file_remove_leftovers(path);
    return data_image_write_png(&item->crop.image, path, error);
}

static void run_item(void *context, int task, int worker)
{
    (void)worker;
    const Job *job = context;
    Item *item = &job->items[task];
    Error error = {0};
    item->status = crop_item(job, item, &error);
    memcpy(item->problem, error.message, sizeof item->problem);
}

static void add_failure(Job *job, const char *path, const char *reason)
{
    train_json_append(job->failed, json_pack("{s:o, s:o}", "path", train_json_string(path),
                                             "reason", train_json_string(reason)));
}

/* Crops and records the items. Adds the number of crops to *crops. */
static Status run_round(Job *job, int *crops, Error *error)
{
    /* Few images: they run one after the other, each by all threads. */
    job->inner = job->count < threads_count(job->threads) ? job->threads : NULL;
    if (job->inner)
        for (int i = 0; i < job->count; i++)
            run_item(job, i, 0);
    else
        threads_run(job->threads, job->count, run_item, job);
    Status status = STATUS_OK;
    for (int i = 0; i < job->count; i++) {
        Item *item = &job->items[i];
        if (item->status != STATUS_OK)
            add_failure(job, item->path, item->problem);
        else if (status == STATUS_OK)
            status = data_records_add(job->records, item->path, item->frame, &item->crop,
                                      item->crop_path, error);
        *crops += item->status == STATUS_OK && item->crop.found;
        data_crop_free(&item->crop);
    }
    job->count = 0;
    return status == STATUS_OK
               ? cli_interrupted("faces",
                                 "the crops so far are kept; run the same command again to "
                                 "continue",
                                 error)
               : status;
}

/* A new item of the round, which has room. */
static Item *new_item(Job *job, const char *path, int frame)
{
    Item *item = &job->items[job->count++];
    *item = (Item){.path = path, .frame = frame};
    return item;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static Status crop_images(Job *job, const DataFacesInputs *inputs, Error *error)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    Status status = STATUS_OK;
    int total = 0, seen = 0, done = 0, crops = 0;
    for (int i = 0; i < inputs->count; i++)
        total += !inputs->items[i].is_video;
    job->progress = cli_progress_begin(job->request->arguments, "cropping", "images");
    for (int i = 0; i < inputs->count && status == STATUS_OK; i++) {
        const DataFacesInput *input = &inputs->items[i];
        if (input->is_video)
            continue;
        seen++;
        if (data_records_find(job->records, input->path, input->frame) == DATA_ROW_NONE) {
            Item *item = new_item(job, input->path, input->frame);
            snprintf(item->crop_path, sizeof item->crop_path, "%s", input->crop);
        }
        if (job->count < job->limit && seen < total)
            continue;
        done += job->count;
        status = run_round(job, &crops, error);
        const double seconds = seconds_since(&start);
        cli_progress_show(&job->progress, seen, total, seconds > 0 ? done / seconds : 0);
    }
    cli_progress_end(&job->progress);
    return status;
}

/* ---- videos ---------------------------------------------------------------------------------- */

/*
 * Crops the frames with wanted [count] that have no row yet. Adds the crops, earlier ones included,
 * to *crops, and the chosen frames that the video lacks to *missing.
 */
static Status crop_frames(Job *job, const DataFacesInput *input, const bool *wanted, int count,
                          int *crops, int *missing, Error *error)
{
    int last = -1;
    for (int i = 0; i < count; i++) {
        const DataRow row =
            wanted[i] ? data_records_find(job->records, input->path, i) : DATA_ROW_NO_FACE;
        *crops += row == DATA_ROW_CROP;
        if (row == DATA_ROW_NONE)
            last = i;
    }
    if (last < 0)
        return STATUS_OK;
    DataVideo *video;
    TRY(data_video_open(&video, input->path, threads_count(job->threads), error));
    Status status = STATUS_OK;
    bool end = false;
    for (int i = 0; i <= last && status == STATUS_OK && !end; i++) {
        const bool take =
            wanted[i] && data_records_find(job->records, input->path, i) == DATA_ROW_NONE;
        DataImage image;
        status = data_video_next(video, take, &image, &end, error);
        if (status == STATUS_OK && take && !end) {
            Item *item = new_item(job, input->path, i);
            item->image = image;
            if (snprintf(item->crop_path, sizeof item->crop_path, "%s/%03d.png", input->crop, i) >=
                (int)sizeof item->crop_path)
                item->crop_path[0] = '\0'; /* a path this long cannot be created anyway */
        }
        if (status == STATUS_OK && (job->count == job->limit || i == last || end))
            status = run_round(job, crops, error);
        for (int k = i; end && k <= last; k++)
            *missing += wanted[k];
    }
    for (int i = 0; i < job->count; i++)
        data_image_free(&job->items[i].image);
    job->count = 0;
    if (status == STATUS_OK && data_video_damaged(video) > 0)
        cli_warn("%s: %d of %d frames were damaged and repaired by the decoder", input->path,
                 data_video_damaged(video), data_video_position(video));
    data_video_close(video);
    return status;
}

/* GenD's choice: frames by the longest gap until there are enough faces. */
static Status crop_by_gaps(Job *job, const DataFacesInput *input, int count, bool *wanted,
                           int *missing, Error *error)
{
    int *order = mem_new(count, sizeof *order, "the order of frames", error);
    if (!order)
        return error->status;
    Status status = data_video_gap_order(count, order, error);
    int crops = 0;
    for (int taken = 0;
         status == STATUS_OK && taken < count && crops < job->request->frames.count;) {
        memset(wanted, 0, count * sizeof *wanted);
        for (int needed = job->request->frames.count - crops; needed > 0 && taken < count; needed--)
            wanted[order[taken++]] = true;
        status = crop_frames(job, input, wanted, count, &crops, missing, error);
    }
    free(order);
    return status;
}

static Status crop_video(Job *job, const DataFacesInput *input, Error *error)
{
    const Frames *frames = &job->request->frames;
    DataVideo *video;
    TRY(data_video_open(&video, input->path, 1, error));
    const int count = data_video_count(video);
    data_video_close(video);
    bool *wanted = mem_new(count, sizeof *wanted, "the frames of a video", error);
    if (!wanted)
        return error->status;
    int crops = 0, missing = 0;
    Status status;
    if (frames->count > 0 && job->request->settings.like == DATA_LIKE_GEND) {
        status = crop_by_gaps(job, input, count, wanted, &missing, error);
    } else {
        const int kept = frames->count < count ? frames->count : count;
        for (int i = 0; i < kept; i++)
            wanted[data_list_spread(i, kept, count)] = true;
        for (int i = 0; i < count && frames->count == 0; i += frames->stride)
            wanted[i] = true;
        status = crop_frames(job, input, wanted, count, &crops, &missing, error);
    }
    free(wanted);
    if (status == STATUS_OK && missing > 0)
        status = error_set(error, STATUS_FAILED,
                           "%s: ends early: %d of the chosen frames are missing; copy it again",
                           input->path, missing);
    return status;
}

/* Crops all videos. One that fails is reported at the end; its crops so far remain. */
static Status crop_videos(Job *job, const DataFacesInputs *inputs, Error *error)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    Status status = STATUS_OK;
    int total = 0, done = 0;
    for (int i = 0; i < inputs->count; i++)
        total += inputs->items[i].is_video;
    job->progress = cli_progress_begin(job->request->arguments, "cropping", "videos");
    for (int i = 0; i < inputs->count && status == STATUS_OK; i++) {
        const DataFacesInput *input = &inputs->items[i];
        if (!input->is_video)
            continue;
        Error problem = {0};
        const Status one = crop_video(job, input, &problem);
        if (one == STATUS_INTERRUPTED) {
            *error = problem;
            status = one;
        } else if (one != STATUS_OK) {
            add_failure(job, input->path, problem.message);
        }
        done++;
        const double seconds = seconds_since(&start);
        cli_progress_show(&job->progress, done, total, seconds > 0 ? done / seconds : 0);
    }
    cli_progress_end(&job->progress);
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
                         "%s: %d files failed (see above); the others are done: correct these "
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
    enum { IMAGES_A_THREAD = 4 };
    json_t *document = make_document(request);
    char path[FILE_PATH_SIZE];
    Job job = {.request = request, .failed = json_array()};
    Status status = document && job.failed ? STATUS_OK : mem_full(0, "the crop card", error);
    if (status == STATUS_OK)
        status = threads_create(&job.threads, request->arguments->threads, error);
    if (status == STATUS_OK) {
        job.limit = IMAGES_A_THREAD * threads_count(job.threads);
        job.items = mem_new(job.limit, sizeof *job.items, "the images", error);
        status =
            job.items ? open_folder(request, document, path, &job.resumed, error) : error->status;
    }
    if (status == STATUS_OK)
        status = data_records_open(&job.records, request->out, error);
    if (status == STATUS_OK)
        status = crop_images(&job, inputs, error);
    if (status == STATUS_OK)
        status = crop_videos(&job, inputs, error);
    for (int i = 0; i < inputs->count && status == STATUS_OK; i++)
        if (inputs->items[i].is_video)
            train_json_set(document, "video_decoders", json_string(data_video_decoders()));
    if (status == STATUS_OK)
        status = finish(request, document, path, job.records, job.failed, error);
    data_records_close(job.records);
    threads_destroy(job.threads);
    free(job.items);
    json_decref(document);
    json_decref(job.failed);
    return status;
}

/* Parses --frames: N, stride=N or all. Exits 2 for another value. */
static Frames frames_expect(const char *text)
{
    const char *digits = strncmp(text, "stride=", 7) == 0 ? text + 7 : text;
    uint64_t number;
    if (strcmp(text, "all") == 0)
        return (Frames){.stride = 1};
    if (!number_parse_integer(digits, strlen(digits), &number) || number < 1 || number > 1000000)
        exit(cli_usage_error("--frames %s: invalid; use a number, stride=N or all", text));
    Frames frames = {0};
    *(digits == text ? &frames.count : &frames.stride) = (int)number;
    return frames;
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
    const char *like = NULL, *frames = "32";
    int upsample = 1, size = 0;
    CliOption table[] = {
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR",
         "output folder: empty, missing, or with crops of the same settings"},
        {"--like", CLI_STRING, &like, 0, 0, "NAME",
         "dfb: aligned as in DeepfakeBench (default); gend: as in GenD;\nffpp: square box as in "
         "FaceForensics++, not aligned"},
        {"--frames", CLI_STRING, &frames, 0, 0, "N",
         "of each video: N evenly spaced frames, with gend frames until N\nfaces are found; "
         "stride=N: every N-th; all (default 32)"},
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
        .summary = "crop the faces of images, videos, folders and lists",
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
        return cli_usage_error("PATH: missing; give an image, a video, a folder or a list");
    request.arguments = &arguments;
    request.settings.like = like_expect(like);
    request.settings.upsample = upsample == 1;
    request.frames = frames_expect(frames);
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
