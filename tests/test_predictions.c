/*
 * test_predictions.c - score files as they are found, refused and written; videos, sources, reports.
 */
#include "tests/splitmix.h"
#include "tests/support.h"

#include "tensor/file.h"
#include "train/reports.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char folder[4096];

static void make_folder(void)
{
    support_make_folder(folder);
}

static void remove_folder(void)
{
    support_remove_folder(folder);
}

static void write_scores(const char *name, const void *text, size_t size, char path[FILE_PATH_SIZE])
{
    Error error = {0};
    ck_ok(file_join(path, folder, name, &error), &error);
    ck_ok(file_write(path, text, size, &error), &error);
}

static TrainPredictions read_scores(const char *name, const void *text, size_t size)
{
    char path[FILE_PATH_SIZE];
    TrainPredictions predictions;
    Error error = {0};
    write_scores(name, text, size, path);
    ck_ok(train_predictions_read(&predictions, path, &error), &error);
    return predictions;
}

#define READ(text) read_scores("scores.csv", (text), sizeof(text) - 1)

START_TEST(bare_scores)
{
    TrainPredictions p = READ("label,score\n0,0.25\n1,-3e2\n1,.5\n");
    ck_assert_uint_eq(p.count, 3);
    ck_assert(p.scores[0] == 0.25 && p.scores[1] == -300 && p.scores[2] == 0.5);
    ck_assert(p.labels[0] == 0 && p.labels[1] == 1 && p.labels[2] == 1);
    ck_assert(!p.row_video && !p.files && !p.row_dataset); /* nine bytes a row */
    ck_assert_uint_eq(p.dataset_count, 1);
    ck_assert_str_eq(p.datasets[0], "scores");
    train_predictions_free(&p);
}
END_TEST

/* What spreadsheets and other systems make of such a file. */
START_TEST(dialects)
{
    TrainPredictions p =
        READ("\xEF\xBB\xBFscore , other,\"label\"\r\n\r\n 0.5 ,\"a \"\"b\"\", c\nd\",1\r\n"
             "\"0.25\",,0.0");
    ck_assert_uint_eq(p.count, 2);
    ck_assert(p.scores[0] == 0.5 && p.labels[0] == 1 && p.scores[1] == 0.25 && p.labels[1] == 0);
    train_predictions_free(&p);
}
END_TEST

START_TEST(the_reference_writes_four_columns)
{
    TrainPredictions p = READ("files,labels,prob_class_0,prob_class_1\n"
                              "d/FF/real/001/0.png,0,0.9,0.1\nd/FF/real/001/1.png,0,0.7,0.3\n"
                              "d/FF/DF/001/0.png,1,0.2,0.8\n");
    ck_assert_uint_eq(p.video_count, 2);
    ck_assert_str_eq(p.videos[0].name, "d/FF/real/001"); /* the whole folder, not its last part */
    ck_assert_str_eq(p.videos[1].name, "d/FF/DF/001");
    ck_assert_str_eq(p.videos[1].source, "DF");
    ck_assert_str_eq(p.files[2], "d/FF/DF/001/0.png");
    train_predictions_free(&p);
}
END_TEST

START_TEST(short_paths_have_no_source_or_video)
{
    TrainPredictions p = READ("files,labels,prob_class_0,prob_class_1\nreal/v/0.png,0,1,0\n"
                              "v/0.png,1,0,1\n0.png,1,0,1\n/w/1.png,1,0,1\n");
    ck_assert_str_eq(p.videos[0].source, "real");
    ck_assert_ptr_null(p.videos[1].source);
    ck_assert_uint_eq(p.row_video[2], TRAIN_NO_VIDEO);
    ck_assert_str_eq(p.videos[2].name, "/w");
    ck_assert_ptr_null(p.videos[2].source);
    train_predictions_free(&p);
}
END_TEST

/* A list may name the source of its frames, whatever their folders are called: a column tells it on. */
START_TEST(a_source_that_the_path_does_not_tell)
{
    const TrainPrediction rows[] = {
        {.file = "d/x/v/0.png", .dataset = "X", .source = "Face, Swap", .label = 1, .fake = 1},
        {.file = "d/x/w/0.png", .dataset = "X", .source = "x", .label = 0, .fake = 0},
        {.file = "d/y/z/0.png", .dataset = "X", .label = 1, .fake = 1},
        {.file = "0.png", .dataset = "X", .video = "u", .label = 1, .fake = 1},
    };
    ck_assert(train_predictions_source_differs(&rows[0]));
    ck_assert(!train_predictions_source_differs(&rows[1]));
    ck_assert(!train_predictions_source_differs(&rows[2]));
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    train_predictions_write_header(stream, true);
    for (int i = 0; i < 4; i++)
        train_predictions_write_row(stream, &rows[i], true);
    fclose(stream);
    ck_assert_ptr_nonnull(
        strstr(text, "dataset,video,source\nd/x/v/0.png,1,0,1,X,d/x/v,\"Face, Swap\"\n"));
    ck_assert_ptr_nonnull(strstr(text, "X,u,\n"));
    TrainPredictions p = read_scores("named.csv", text, size);
    ck_assert_str_eq(p.videos[0].source, "Face, Swap");
    ck_assert_str_eq(p.videos[1].source, "x");
    ck_assert_str_eq(p.videos[2].source, "y");
    ck_assert_ptr_null(p.videos[3].source);
    train_predictions_free(&p);
    free(text);
}
END_TEST

START_TEST(duplicates_are_counted)
{
    TrainPredictions p = READ("files,labels,prob_class_0,prob_class_1,dataset,video\n"
                              "a/b/c.png,0,1,0,X,v\na/b/c.png,0,1,0,Y,v\na/b/c.png,0,1,0,X,v\n"
                              "a/b/d.png,0,1,0,X,v\na/b/c.png,0,1,0,Y,v\n");
    ck_assert_uint_eq(p.duplicates, 2);
    ck_assert_uint_eq(p.dataset_count, 2);
    ck_assert_uint_eq(p.video_count, 2); /* v of X and v of Y */
    train_predictions_free(&p);
}
END_TEST

typedef struct BadFile {
    const char *text;
    size_t size;
    const char *says;
} BadFile;

#define BAD(text, says)                                                                            \
    {                                                                                              \
        text, sizeof(text) - 1, says                                                               \
    }
static const BadFile bad_files[] = {
    BAD("", "is empty"),
    BAD("\n", "has no column labels or label"),
    BAD("\xEF\xBB\xBF", "has no column"),
    BAD("label,score\n", "no row below its header"),
    BAD("label,score\n\n\r\n", "no row below its header"),
    BAD("0,0.5\n1,0.7\n", "line 1: has no column labels or label"),
    BAD("label;score\n0;0.5\n", "line 1: has no column"),
    BAD("label,scores\n0,0.5\n", "line 1: has no column prob_class_1 or score"),
    BAD("label,score,score\n0,0.5,1\n", "line 1, column 3: a second column of scores"),
    BAD("label,score,labels\n0,0.5,1\n", "line 1, column 3: a second column of labels"),
    BAD("label,score\n0,0.5\n1,high\n", "line 3, column 2 (score): 'high' is no number"),
    BAD("score,label\n0.5,0\n,1\n", "line 3, column 1 (score): '' is no number"),
    BAD("label,score\n0,0,5\n", "line 2: has 3 columns, but the first line has 2"),
    BAD("label,score\n0\n", "line 2: has 1 columns"),
    BAD("label,score\n0,0x1p-1\n", "line 2, column 2 (score): '0x1p-1' is no number"),
    BAD("label,score\n0,nan\n", "line 2, column 2 (score): 'nan' is not finite"),
    BAD("label,score\n0,-inf\n", "line 2, column 2 (score): '-inf' is not finite"),
    BAD("label,score\n0,1e999\n", "line 2, column 2 (score): '1e999' is not finite"),
    BAD("label,score\n2,0.5\n", "line 2, column 1 (label): '2' is no label"),
    BAD("label,score\n-1,0.5\n", "'-1' is no label"),
    BAD("label,score\nfake,0.5\n", "line 2, column 1 (label): 'fake' is no label"),
    BAD("label,score\nnan,0.5\n", "'nan' is not finite"),
    BAD("\"label\nx\",label,score\n\"a\n\nb\",1,0.5\nc,3,0.5\n",
        "line 6, column 2 (label): '3' is no label"),
    BAD("label,score\n0,\"0.5\n", "line 2: opens a quote that is never closed"),
    BAD("label,score\n0,\"0.5\"1\n", "line 2: has text behind a closing quote"),
    BAD("\xFF\xFEl\0a\0b\0", "is UTF-16"),
    BAD("\xFE\xFF\0l\0a\0b", "is UTF-16"),
    BAD("l\0a\0b\0e\0l\0", "zero bytes"),
    BAD("files,labels,prob_class_0,prob_class_1\na/v/0.png,0,x,0.5\n",
        "line 2, column 3 (prob_class_0): 'x'"),
    BAD("files,labels,prob_class_0,prob_class_1\n,0,0.5,0.5\n",
        "line 2, column 1 (files): '' is empty"),
    BAD("files,labels,prob_class_0,prob_class_1,dataset\na/b,0,0.5,0.5,\n",
        "column 5 (dataset): '' is empty"),
    BAD("files,labels,prob_class_0,prob_class_1\na/v/0.png,0,1,0\na/v/1.png,1,0,1\n",
        "line 3: video a/v of scores: has real and fake frames"),
};

START_TEST(bad_files_name_line_and_column)
{
    const BadFile *const bad = &bad_files[_i];
    char path[FILE_PATH_SIZE];
    TrainPredictions predictions;
    Error error = {0};
    write_scores("scores.csv", bad->text, bad->size, path);
    ck_assert_int_eq(train_predictions_read(&predictions, path, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, bad->says) != NULL, "%s", error.message);
    ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    ck_assert_msg(strchr(error.message, ';') != NULL, "%s", error.message);
    ck_assert(predictions.count == 0 && !predictions.scores && !predictions.names);
}
END_TEST

START_TEST(no_file_and_a_folder)
{
    TrainPredictions predictions;
    Error error = {0};
    ck_assert_int_eq(train_predictions_read(&predictions, folder, &error), STATUS_FAILED);
    ck_assert_int_eq(train_predictions_read(&predictions, "/nonexistent", &error), STATUS_FAILED);
}
END_TEST

/* Any cut through a valid file, as a full disk leaves it, gives fewer rows or an error. */
START_TEST(truncated_files)
{
    static const char whole[] =
        "files,labels,prob_class_0,prob_class_1,dataset,video\n"
        "\"a,b/v/0.png\",0,0.75,0.25,X,\"a,b/v\"\n\"c\"\"d/w/0.png\",1,0.5,0.5,X,w\n";
    char path[FILE_PATH_SIZE];
    for (size_t size = 0; size < sizeof whole; size++) {
        TrainPredictions predictions;
        Error error = {0};
        write_scores("cut.csv", whole, size, path);
        const Status status = train_predictions_read(&predictions, path, &error);
        ck_assert(status == STATUS_FAILED || (predictions.count >= 1 && predictions.count <= 2));
        train_predictions_free(&predictions);
    }
}
END_TEST

/* A header of a million columns, of which two count. */
START_TEST(a_million_columns)
{
    enum { COLUMNS = 1000000 };
    char *const text = malloc(4 * COLUMNS + 64);
    char *p = text;
    for (int i = 0; i < COLUMNS; i++)
        p += sprintf(p, "%s,", i == 7 ? "score" : "x");
    p += sprintf(p, "label\n");
    for (int i = 0; i < COLUMNS; i++)
        p += sprintf(p, "%s,", i == 7 ? "0.5" : "");
    p += sprintf(p, "1\n");
    TrainPredictions predictions = read_scores("wide.csv", text, (size_t)(p - text));
    ck_assert(predictions.count == 1 && predictions.scores[0] == 0.5 && predictions.labels[0] == 1);
    train_predictions_free(&predictions);
    free(text);
}
END_TEST

/* Memory is bounded however long a line is. */
START_TEST(an_endless_line)
{
    enum { SIZE = (64 << 20) + 100 };
    char path[FILE_PATH_SIZE];
    char *const text = malloc(SIZE);
    memset(text, 'x', SIZE);
    memcpy(text, "label,score\n", 12);
    write_scores("long.csv", text, SIZE, path);
    TrainPredictions predictions;
    Error error = {0};
    ck_assert_int_eq(train_predictions_read(&predictions, path, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, "line 2: is longer than 64 MiB") != NULL, "%s",
                  error.message);
    free(text);
}
END_TEST

/* A name with all that needs quotes, of any length up to `longest`. */
static void draw_name(uint64_t *state, int row, char *out, int longest)
{
    static const char alphabet[] = "ab/,\"\n\r' \xC3\xA9\xFF";
    const int length = 1 + (int)(splitmix(state) % (uint64_t)longest);
    for (int i = 0; i < length; i++)
        out[i] = alphabet[splitmix(state) % (sizeof alphabet - 1)];
    sprintf(out + length, "/%d/f", row);
}

/*
 * Writing and reading gives every row back: f32 probabilities to the bit, names to the byte. The file is
 * several buffers long, so that records and quotes straddle their ends; some records are longer than one.
 */
START_TEST(round_trip)
{
    enum { ROWS = 3000, LONGEST = 3000000 };
    char path[FILE_PATH_SIZE];
    char *const name = malloc(LONGEST + 16), dataset[16];
    Error error = {0};
    FileWriter writer;
    ck_ok(file_join(path, folder, "predictions.csv", &error), &error);
    ck_ok(file_begin(&writer, path, &error), &error);
    train_predictions_write_header(writer.stream, false);
    for (int pass = 0; pass < 2; pass++) {
        TrainPredictions back = {0};
        if (pass == 1) {
            ck_ok(file_commit(&writer, &error), &error);
            ck_ok(train_predictions_read(&back, path, &error), &error);
            ck_assert_uint_eq(back.count, ROWS);
        }
        uint64_t state = 5;
        for (int i = 0; i < ROWS; i++) {
            draw_name(&state, i, name, i == 1500 ? LONGEST : i % 100 == 0 ? 20000 : 200);
            snprintf(dataset, sizeof dataset, "set, %d", (int)(splitmix(&state) % 3));
            const float fake = (float)((double)(splitmix(&state) >> 40) * 0x1p-24);
            const TrainPrediction row = {.file = name,
                                         .dataset = dataset,
                                         .label = i & 1,
                                         .real = 1 - (double)fake,
                                         .fake = (double)fake};
            if (pass == 0) {
                train_predictions_write_row(writer.stream, &row, false);
                continue;
            }
            ck_assert((float)back.scores[i] == fake && back.labels[i] == row.label);
            ck_assert_str_eq(back.files[i], name);
            ck_assert_str_eq(back.datasets[back.row_dataset[i]], dataset);
            name[strlen(name) - 2] = '\0';
            ck_assert_str_eq(back.videos[back.row_video[i]].name, name);
        }
        train_predictions_free(&back);
    }
    free(name);
}
END_TEST

static const char two_sets[] = "files,labels,prob_class_0,prob_class_1,dataset,video\n"
                               "r/real/a/0.png,0,0.9,0.1,X,a\n"
                               "q/real/a/0.png,0,0.5,0.5,Y,a\n"
                               "r/real/a/1.png,0,0.3,0.7,X,a\n"
                               "r/real/b/0.png,0,0.8,0.2,X,b\n"
                               "r/swap/c/0.png,1,0.4,0.6,X,c\n"
                               "r/swap/c/1.png,1,0.4,0.6,X,c\n"
                               "r/face/d/0.png,1,0.7,0.3,X,d\n"
                               "q/swap/c/0.png,1,0.2,0.8,Y,c\n"
                               "r/face/d/1.png,1,0.7,0.3,X,d\n";

typedef struct Reports {
    TrainPredictions predictions;
    TrainReport *items;
    int count;
} Reports;

static Reports report_on(TrainPredictions predictions)
{
    Reports reports = {.predictions = predictions};
    Error error = {0};
    ck_ok(train_reports(&predictions, &reports.items, &reports.count, &error), &error);
    return reports;
}

static void free_reports(Reports *reports)
{
    train_reports_free(reports->items, reports->count);
    train_predictions_free(&reports->predictions);
}

START_TEST(frames_videos_and_sources)
{
    Reports reports = report_on(READ(two_sets));
    ck_assert_int_eq(reports.count, 2);
    const TrainReport *const x = &reports.items[0], *const y = &reports.items[1];
    ck_assert_str_eq(x->dataset, "X");
    ck_assert(x->frame.n_real == 3 && x->frame.n_fake == 4 && x->has_videos);
    ck_assert(x->video.n_real == 2 && x->video.n_fake == 2);
    /* Frames: reals .1 .7 .2, fakes .6 .6 .3 .3: 8 of 12 pairs are in order. Videos: .4 .2 and .6 .3: 3 of 4. */
    ck_assert_double_eq_tol(x->frame.auroc, 8.0 / 12, 1e-15);
    ck_assert_double_eq(x->video.auroc, 0.75);
    ck_assert_int_eq(x->source_count, 2);
    ck_assert_str_eq(x->sources[0].name, "face");
    ck_assert_str_eq(x->sources[1].name, "swap");
    ck_assert(x->sources[0].frame.n_real == 3 && x->sources[0].frame.n_fake == 2);
    ck_assert_double_eq(x->sources[0].video.auroc, 0.5); /* .3 against .4 and .2 */
    ck_assert_double_eq(x->sources[1].video.auroc, 1);
    ck_assert_double_eq_tol(x->sources[1].frame.auroc, 4.0 / 6, 1e-15);
    ck_assert_str_eq(y->dataset, "Y");
    ck_assert(y->frame.auroc == 1 && y->video.auroc == 1 && y->source_count == 1);
    free_reports(&reports);
}
END_TEST

/* The same frames alone, or among other data sets: the same bits. */
START_TEST(data_sets_do_not_touch)
{
    TrainPredictions alone = train_predictions_empty(), mixed = train_predictions_empty();
    Error error = {0};
    uint64_t state = 11;
    for (int i = 0; i < 500; i++) {
        char file[64];
        const int video = (int)(splitmix(&state) % 40);
        snprintf(file, sizeof file, "x/%s/%d/%d.png", video % 2 ? "swap" : "real", video, i);
        const TrainPrediction row = {.file = file,
                                     .dataset = "A",
                                     .label = video % 2,
                                     .fake = (double)(splitmix(&state) >> 11) * 0x1p-53};
        TrainPrediction other = row;
        other.dataset = i % 3 ? "B" : "C";
        other.fake = 1 - row.fake;
        ck_ok(train_predictions_append(&mixed, &other, &error), &error);
        ck_ok(train_predictions_append(&mixed, &row, &error), &error);
        ck_ok(train_predictions_append(&alone, &row, &error), &error);
    }
    Reports a = report_on(alone), b = report_on(mixed);
    const TrainReport *found = NULL;
    for (int i = 0; i < b.count; i++)
        found = strcmp(b.items[i].dataset, "A") == 0 ? &b.items[i] : found;
    ck_assert(a.count == 1 && b.count == 3 && found);
    ck_assert_mem_eq(&a.items[0].frame, &found->frame, sizeof found->frame);
    ck_assert_mem_eq(&a.items[0].video, &found->video, sizeof found->video);
    free_reports(&a);
    free_reports(&b);
}
END_TEST

START_TEST(append_refuses)
{
    TrainPredictions p = train_predictions_empty();
    Error error = {0};
    TrainPrediction row = {.file = "a/v/0.png", .dataset = "X", .label = 0, .fake = 0.5};
    ck_ok(train_predictions_append(&p, &row, &error), &error);
    row.label = 1;
    ck_assert_int_eq(train_predictions_append(&p, &row, &error), STATUS_FAILED);
    row.label = 2;
    ck_assert_int_eq(train_predictions_append(&p, &row, &error), STATUS_FAILED);
    row.label = 0;
    row.fake = NAN;
    ck_assert_int_eq(train_predictions_append(&p, &row, &error), STATUS_FAILED);
    ck_assert_uint_eq(p.count, 1);
    train_predictions_free(&p);
    Reports none = {.predictions = p};
    ck_assert_int_eq(train_reports(&p, &none.items, &none.count, &error), STATUS_FAILED);
}
END_TEST

typedef Status (*Writer)(FILE *stream, const TrainReport *reports, int count, Error *error);

static json_t *written(Writer writer, const Reports *reports)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    Error error = {0};
    ck_ok(writer(stream, reports->items, reports->count, &error), &error);
    fclose(stream);
    json_error_t why;
    json_t *const document = json_loads(text, 0, &why);
    ck_assert_msg(document != NULL, "%s in %s", why.text, text);
    free(text);
    return document;
}

static json_t *at(json_t *document, const char *a, const char *b, const char *c)
{
    return json_object_get(json_object_get(json_object_get(document, a), b), c);
}

static const char *const metric_keys[] = {"n_real",
                                          "n_fake",
                                          "auroc",
                                          "ap",
                                          "map",
                                          "eer",
                                          "eer_threshold",
                                          "accuracy",
                                          "f1_macro",
                                          "accuracy_at_eer",
                                          "f1_macro_at_eer",
                                          "balanced_accuracy",
                                          "tpr_at_fpr_0.01",
                                          "tpr_at_fpr_0.001",
                                          "tpr_at_fpr_0.05",
                                          "partial_auroc_fpr_0.1",
                                          "brier",
                                          "log_loss",
                                          "ece",
                                          "balanced_accuracy_at_eer"};

START_TEST(metrics_json)
{
    Reports reports = report_on(READ(two_sets));
    json_t *const document = written(train_reports_write_json, &reports);
    ck_assert_uint_eq(json_object_size(at(document, "X", "frame", NULL)), 0);
    json_t *const frame = json_object_get(json_object_get(document, "X"), "frame");
    ck_assert_uint_eq(json_object_size(frame), sizeof metric_keys / sizeof metric_keys[0]);
    for (size_t i = 0; i < sizeof metric_keys / sizeof metric_keys[0]; i++)
        ck_assert_msg(json_object_get(frame, metric_keys[i]) != NULL, "%s", metric_keys[i]);
    ck_assert(json_real_value(at(document, "X", "frame", "auroc")) == reports.items[0].frame.auroc);
    ck_assert(json_integer_value(at(document, "X", "video", "n_fake")) == 2);
    ck_assert(json_real_value(json_object_get(
                  json_object_get(at(document, "X", "sources", "face"), "video"), "auroc")) == 0.5);
    json_decref(document);
    free_reports(&reports);
}
END_TEST

/* No paths: no "video"; one class: null; a name that is no UTF-8: escaped. */
START_TEST(metrics_json_of_little)
{
    Reports reports = report_on(read_scores("n\xE9.csv", "label,score\n1,0.5\n", 18));
    json_t *const document = written(train_reports_write_json, &reports);
    json_t *const report = json_object_get(document, "n\\xe9");
    ck_assert_ptr_nonnull(report);
    ck_assert_ptr_null(json_object_get(report, "video"));
    ck_assert(json_is_null(json_object_get(json_object_get(report, "frame"), "auroc")));
    json_decref(document);
    free_reports(&reports);
}
END_TEST

START_TEST(summary_json)
{
    Reports reports = report_on(READ(two_sets));
    json_t *const document = written(train_reports_write_summary, &reports);
    const double expected = (8.0 / 12 + 1) / 2;
    ck_assert_double_eq_tol(
        json_real_value(json_object_get(json_object_get(document, "frame"), "auroc")), expected,
        1e-15);
    ck_assert_double_eq(
        json_real_value(json_object_get(json_object_get(document, "video"), "auroc")), 0.875);
    ck_assert(json_integer_value(json_object_get(document, "datasets")) == 2);
    json_decref(document);
    free_reports(&reports);
}
END_TEST

/* Undefined in one data set is undefined in the average. */
START_TEST(summary_json_of_one_class)
{
    Reports reports = report_on(READ("labels,score,dataset\n1,0.5,X\n1,0.5,Y\n0,0.25,Y\n"));
    json_t *const document = written(train_reports_write_summary, &reports);
    ck_assert(json_is_null(json_object_get(json_object_get(document, "frame"), "auroc")));
    ck_assert(json_is_real(json_object_get(json_object_get(document, "frame"), "accuracy")));
    ck_assert_ptr_null(json_object_get(document, "video"));
    json_decref(document);
    free_reports(&reports);
}
END_TEST

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Many rows with the 17 digits that other programs print. $LNCLIP_TEST_ROWS asks for more of them. */
START_TEST(many_rows)
{
    const char *const wanted = getenv("LNCLIP_TEST_ROWS");
    const size_t rows = wanted ? strtoul(wanted, NULL, 10) : 200000;
    char path[FILE_PATH_SIZE];
    Error error = {0};
    FileWriter writer;
    ck_ok(file_join(path, folder, "many.csv", &error), &error);
    ck_ok(file_begin(&writer, path, &error), &error);
    fputs("label,score\n", writer.stream);
    uint64_t state = 3;
    for (size_t i = 0; i < rows; i++) {
        const int label = (int)(splitmix(&state) & 1);
        fprintf(writer.stream, "%d,%.17g\n", label, (double)(splitmix(&state) >> 11) * 0x1p-53);
    }
    ck_ok(file_commit(&writer, &error), &error);
    const double start = seconds();
    TrainPredictions predictions;
    ck_ok(train_predictions_read(&predictions, path, &error), &error);
    const double read = seconds();
    Reports reports = report_on(predictions);
    printf("%zu rows: read in %.3f s, metrics in %.3f s\n", rows, read - start, seconds() - read);
    ck_assert_uint_eq(predictions.count, rows);
    state = 3;
    for (size_t i = 0; i < rows; i++) {
        ck_assert(predictions.labels[i] == (splitmix(&state) & 1));
        ck_assert(predictions.scores[i] == (double)(splitmix(&state) >> 11) * 0x1p-53);
    }
    free_reports(&reports);
}
END_TEST

static TCase *folder_case(Suite *suite, const char *name)
{
    TCase *const test_case = support_case(suite, name, 120);
    tcase_add_checked_fixture(test_case, make_folder, remove_folder);
    return test_case;
}

int main(void)
{
    Suite *const suite = suite_create("predictions");
    TCase *const reading = folder_case(suite, "reading");
    tcase_add_test(reading, bare_scores);
    tcase_add_test(reading, dialects);
    tcase_add_test(reading, the_reference_writes_four_columns);
    tcase_add_test(reading, short_paths_have_no_source_or_video);
    tcase_add_test(reading, a_source_that_the_path_does_not_tell);
    tcase_add_test(reading, duplicates_are_counted);
    tcase_add_test(reading, round_trip);
    tcase_add_test(reading, many_rows);
    TCase *const bad = folder_case(suite, "bad files");
    tcase_add_loop_test(bad, bad_files_name_line_and_column, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(bad, no_file_and_a_folder);
    tcase_add_test(bad, truncated_files);
    tcase_add_test(bad, a_million_columns);
    tcase_add_test(bad, an_endless_line);
    TCase *const reports = folder_case(suite, "reports");
    tcase_add_test(reports, frames_videos_and_sources);
    tcase_add_test(reports, data_sets_do_not_touch);
    tcase_add_test(reports, append_refuses);
    tcase_add_test(reports, metrics_json);
    tcase_add_test(reports, metrics_json_of_little);
    tcase_add_test(reports, summary_json);
    tcase_add_test(reports, summary_json_of_one_class);
    return support_main(suite);
}
