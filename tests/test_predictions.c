/*
 * test_predictions.c - score files as they are found, refused and written. What is reported of
 * them: test_reports.c.
 */
#include "tests/splitmix.h"
#include "tests/support_folder.h"

#include "tensor/base/file.h"
#include "train/metrics/reports.h"
#include "train/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Writes a file; returns its path, of support_in_folder. */
static const char *write_scores(const char *name, const void *text, size_t size)
{
    const char *const path = support_in_folder(name);
    Error error = {0};
    ck_ok(file_write(path, text, size, &error), &error);
    return path;
}

static MetricsPredictions read_scores(const char *name, const void *text, size_t size)
{
    MetricsPredictions predictions;
    Error error = {0};
    ck_ok(metrics_predictions_read(&predictions, write_scores(name, text, size), &error), &error);
    return predictions;
}

#define READ(text) read_scores("scores.csv", (text), sizeof(text) - 1)

START_TEST(bare_scores)
{
    MetricsPredictions p = READ("label,score\n0,0.25\n1,-3e2\n1,.5\n");
    ck_assert_uint_eq(p.count, 3);
    ck_assert(p.scores[0] == 0.25 && p.scores[1] == -300 && p.scores[2] == 0.5);
    ck_assert(p.labels[0] == 0 && p.labels[1] == 1 && p.labels[2] == 1);
    ck_assert(!p.row_video && !p.files && !p.row_dataset); /* nine bytes a row */
    ck_assert_uint_eq(p.dataset_count, 1);
    ck_assert_str_eq(p.datasets[0], "scores");
    metrics_predictions_free(&p);
}
END_TEST

/* What spreadsheets and other systems make of such a file. */
START_TEST(dialects)
{
    MetricsPredictions p =
        READ("\xEF\xBB\xBFscore , other,\"label\"\r\n\r\n 0.5 ,\"a \"\"b\"\", c\nd\",1\r\n"
             "\"0.25\",,0.0");
    ck_assert_uint_eq(p.count, 2);
    ck_assert(p.scores[0] == 0.5 && p.labels[0] == 1 && p.scores[1] == 0.25 && p.labels[1] == 0);
    metrics_predictions_free(&p);
}
END_TEST

START_TEST(the_reference_writes_four_columns)
{
    MetricsPredictions p = READ("files,labels,prob_class_0,prob_class_1\n"
                                "d/FF/real/001/0.png,0,0.9,0.1\nd/FF/real/001/1.png,0,0.7,0.3\n"
                                "d/FF/DF/001/0.png,1,0.2,0.8\n");
    ck_assert_uint_eq(p.video_count, 2);
    ck_assert_str_eq(p.videos[0].name, "d/FF/real/001"); /* the whole folder, not its last part */
    ck_assert_str_eq(p.videos[1].name, "d/FF/DF/001");
    ck_assert_str_eq(p.videos[1].source, "DF");
    ck_assert_str_eq(p.files[2], "d/FF/DF/001/0.png");
    metrics_predictions_free(&p);
}
END_TEST

START_TEST(short_paths_have_no_source_or_video)
{
    MetricsPredictions p = READ("files,labels,prob_class_0,prob_class_1\nreal/v/0.png,0,1,0\n"
                                "v/0.png,1,0,1\n0.png,1,0,1\n/w/1.png,1,0,1\n");
    ck_assert_str_eq(p.videos[0].source, "real");
    ck_assert_ptr_null(p.videos[1].source);
    ck_assert_uint_eq(p.row_video[2], METRICS_NO_VIDEO);
    ck_assert_str_eq(p.videos[2].name, "/w");
    ck_assert_ptr_null(p.videos[2].source);
    metrics_predictions_free(&p);
}
END_TEST

/* A list may name the source of its frames, whatever their folders are called: a column tells it
 * on. */
START_TEST(a_source_that_the_path_does_not_tell)
{
    const MetricsPrediction rows[] = {
        {.file = "d/x/v/0.png", .dataset = "X", .source = "Face, Swap", .label = 1, .fake = 1},
        {.file = "d/x/w/0.png", .dataset = "X", .source = "x", .label = 0, .fake = 0},
        {.file = "d/y/z/0.png", .dataset = "X", .label = 1, .fake = 1},
        {.file = "0.png", .dataset = "X", .video = "u", .label = 1, .fake = 1},
    };
    ck_assert(metrics_predictions_source_differs(&rows[0]));
    ck_assert(!metrics_predictions_source_differs(&rows[1]));
    ck_assert(!metrics_predictions_source_differs(&rows[2]));
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    metrics_predictions_write_header(stream, true);
    for (int i = 0; i < 4; i++)
        metrics_predictions_write_row(stream, &rows[i], true);
    fclose(stream);
    ck_assert_ptr_nonnull(
        strstr(text, "video,source,margin\nd/x/v/0.png,1,0,1,X,d/x/v,\"Face, Swap\",\n"));
    ck_assert_ptr_nonnull(strstr(text, "X,u,,\n"));
    MetricsPredictions p = read_scores("named.csv", text, size);
    ck_assert_str_eq(p.videos[0].source, "Face, Swap");
    ck_assert_str_eq(p.videos[1].source, "x");
    ck_assert_str_eq(p.videos[2].source, "y");
    ck_assert_ptr_null(p.videos[3].source);
    metrics_predictions_free(&p);
    free(text);
}
END_TEST

START_TEST(duplicates_are_counted)
{
    MetricsPredictions p = READ("files,labels,prob_class_0,prob_class_1,dataset,video\n"
                                "a/b/c.png,0,1,0,X,v\na/b/c.png,0,1,0,Y,v\na/b/c.png,0,1,0,X,v\n"
                                "a/b/d.png,0,1,0,X,v\na/b/c.png,0,1,0,Y,v\n");
    ck_assert_uint_eq(p.duplicates, 2);
    ck_assert_uint_eq(p.dataset_count, 2);
    ck_assert_uint_eq(p.video_count, 2); /* v of X and v of Y */
    metrics_predictions_free(&p);
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
    BAD("label,score\n", "has a header but no rows"),
    BAD("label,score\n\n\r\n", "has a header but no rows"),
    BAD("0,0.5\n1,0.7\n", "line 1: has no column labels or label"),
    BAD("label;score\n0;0,5\n", "line 2, column 2 (score): '0,5' is not a number"),
    BAD("label,scores\n0,0.5\n", "line 1: has no column prob_class_1 or score"),
    BAD("label,score,score\n0,0.5,1\n", "line 1, column 3: duplicate column of scores"),
    BAD("label,score,labels\n0,0.5,1\n", "line 1, column 3: duplicate column of labels"),
    BAD("label,score\n0,0.5\n1,high\n", "line 3, column 2 (score): 'high' is not a number"),
    BAD("score,label\n0.5,0\n,1\n", "line 3, column 1 (score): '' is not a number"),
    BAD("label,score\n0,0,5\n", "line 2: has 3 columns, but the first line has 2"),
    BAD("label,score\n0\n", "line 2: has 1 columns"),
    BAD("label,score\n0,0x1p-1\n", "line 2, column 2 (score): '0x1p-1' is not a number"),
    BAD("label,score\n0,nan\n", "line 2, column 2 (score): 'nan' is not finite"),
    BAD("label,score\n0,-inf\n", "line 2, column 2 (score): '-inf' is not finite"),
    BAD("label,score\n0,1e999\n", "line 2, column 2 (score): '1e999' is not finite"),
    BAD("label,score\n2,0.5\n", "line 2, column 1 (label): '2' is not a label"),
    BAD("label,score\n-1,0.5\n", "'-1' is not a label"),
    BAD("label,score\nforged,0.5\n", "line 2, column 1 (label): 'forged' is not a label"),
    BAD("label,score\nnan,0.5\n", "'nan' is not finite"),
    BAD("\"label\nx\",label,score\n\"a\n\nb\",1,0.5\nc,3,0.5\n",
        "line 6, column 2 (label): '3' is not a label"),
    BAD("label,score\n0,\"0.5\n", "line 2: opens a quote that is never closed"),
    BAD("label,score\n0,\"0.5\"1\n", "line 2: has text after a closing quote"),
    BAD("\xFF\xFEl\0a\0b\0", "is UTF-16"),
    BAD("\xFE\xFF\0l\0a\0b", "is UTF-16"),
    BAD("l\0a\0b\0e\0l\0", "zero bytes"),
    BAD("files,labels,prob_class_0,prob_class_1\na/v/0.png,0,x,0.5\n",
        "line 2, column 3 (prob_class_0): 'x'"),
    BAD("files,labels,prob_class_0,prob_class_1\n,0,0.5,0.5\n",
        "line 2, column 1 (files): '' is empty"),
    BAD("files,labels,prob_class_0,prob_class_1,margin\na/b,0,0.5,0.5,2\n",
        "line 2: margin 2 of row 1: contradicts its probability 0.5"),
    BAD("files,labels,prob_class_0,prob_class_1,margin\na/b,0,0.5,0.5,0\na/c,0,0.5,0.5,\n",
        "line 3: margin of row 2: is missing"),
    BAD("files,labels,prob_class_0,prob_class_1,margin\na/b,0,0.5,0.5,nan\n", "is not finite"),
    BAD("files,labels,prob_class_0,prob_class_1,dataset\na/b,0,0.5,0.5,\n",
        "column 5 (dataset): '' is empty"),
    BAD("files,labels,prob_class_0,prob_class_1\na/v/0.png,0,1,0\na/v/1.png,1,0,1\n",
        "line 3: video a/v of scores: has real and fake frames"),
};

START_TEST(bad_files_name_line_and_column)
{
    const BadFile *const bad = &bad_files[_i];
    MetricsPredictions predictions;
    Error error = {0};
    const char *const path = write_scores("scores.csv", bad->text, bad->size);
    ck_assert_int_eq(metrics_predictions_read(&predictions, path, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, bad->says) != NULL, "%s", error.message);
    ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    ck_assert_msg(strchr(error.message, ';') != NULL, "%s", error.message);
    ck_assert(predictions.count == 0 && !predictions.scores && !predictions.names);
}
END_TEST

START_TEST(no_file_and_a_folder)
{
    MetricsPredictions predictions;
    Error error = {0};
    ck_assert_int_eq(metrics_predictions_read(&predictions, support_in_folder(""), &error),
                     STATUS_FAILED);
    ck_assert_int_eq(metrics_predictions_read(&predictions, "/nonexistent", &error), STATUS_FAILED);
}
END_TEST

/* Any cut through a valid file, as a full disk leaves it, gives fewer rows or an error. */
START_TEST(truncated_files)
{
    static const char whole[] =
        "files,labels,prob_class_0,prob_class_1,dataset,video\n"
        "\"a,b/v/0.png\",0,0.75,0.25,X,\"a,b/v\"\n\"c\"\"d/w/0.png\",1,0.5,0.5,X,w\n";
    for (size_t size = 0; size < sizeof whole; size++) {
        MetricsPredictions predictions;
        Error error = {0};
        const char *const path = write_scores("cut.csv", whole, size);
        const Status status = metrics_predictions_read(&predictions, path, &error);
        ck_assert(status == STATUS_FAILED || (predictions.count >= 1 && predictions.count <= 2));
        metrics_predictions_free(&predictions);
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
    MetricsPredictions predictions = read_scores("wide.csv", text, (size_t)(p - text));
    ck_assert(predictions.count == 1 && predictions.scores[0] == 0.5 && predictions.labels[0] == 1);
    metrics_predictions_free(&predictions);
    free(text);
}
END_TEST

/* Memory is bounded however long a line is. */
START_TEST(an_endless_line)
{
    enum { SIZE = (64 << 20) + 100 };
    char *const text = malloc(SIZE);
    memset(text, 'x', SIZE);
    memcpy(text, "label,score\n", 12);
    const char *const path = write_scores("long.csv", text, SIZE);
    MetricsPredictions predictions;
    Error error = {0};
    ck_assert_int_eq(metrics_predictions_read(&predictions, path, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, "line 2: is longer than 64 MiB") != NULL, "%s",
                  error.message);
    free(text);
}
END_TEST

/* Paths of either slash, as other programs write them: the videos and sources that eval finds for
 * these files. */
START_TEST(videos_of_paths)
{
    static const char TEXT[] = "files,labels,prob_class_0,prob_class_1\n"
                               "datasets\\FF\\DF\\000_003\\025.png,1,0.5,0.5\n"
                               "datasets/FF/DF/000_003/026.png,1,0.5,0.5\n"
                               "./datasets/FF//DF\\000_003\\./027.png,1,0.5,0.5\n"
                               "datasets\\FF\\DF\\001_870\\025.png,1,0.5,0.5\n"
                               "datasets/FF/real/000/025.png,0,0.5,0.5\n"
                               "faces\\real\\a.png,0,0.5,0.5\n"
                               "faces/real/b.png,0,0.5,0.5\n"
                               "alone.png,0,0.5,0.5\n";
    static const struct {
        const char *name, *source;
        int label;
    } VIDEOS[] = {{"datasets/FF/DF/000_003", "DF", 1},
                  {"datasets/FF/DF/001_870", "DF", 1},
                  {"datasets/FF/real/000", "real", 0},
                  {"faces/real/a.png", "real", 0},
                  {"faces/real/b.png", "real", 0}};
    static const uint32_t OF_ROW[] = {0, 0, 0, 1, 2, 3, 4, METRICS_NO_VIDEO};
    MetricsPredictions predictions = read_scores("slashes.csv", TEXT, sizeof TEXT - 1);
    ck_assert_uint_eq(predictions.video_count, 5);
    for (uint32_t v = 0; v < 5; v++) {
        ck_assert_str_eq(predictions.videos[v].name, VIDEOS[v].name);
        ck_assert_str_eq(predictions.videos[v].source, VIDEOS[v].source);
        ck_assert_int_eq(predictions.videos[v].label, VIDEOS[v].label);
    }
    for (size_t i = 0; i < predictions.count; i++)
        ck_assert_uint_eq(predictions.row_video[i], OF_ROW[i]);
    metrics_predictions_free(&predictions);
}
END_TEST

/* A name with all that needs quotes, of any length up to `longest`. */
static void draw_name(uint64_t *state, int row, char *out, int longest)
{
    static const char alphabet[] = "ab-,\"\n\r' \xC3\xA9\xFF";
    const int length = 1 + (int)(splitmix(state) % (uint64_t)longest);
    for (int i = 0; i < length; i++)
        out[i] = alphabet[splitmix(state) % (sizeof alphabet - 1)];
    sprintf(out + length, "/%d/f", row);
}

/*
 * Writing and reading gives every row back: f32 probabilities to the bit, names to the byte. The
 * file is several buffers long, so that records and quotes straddle their ends; some records are
 * longer than one.
 */
START_TEST(round_trip)
{
    enum { ROWS = 3000, LONGEST = 3000000 };
    const char *const path = support_in_folder("predictions.csv");
    char *const name = malloc(LONGEST + 16), dataset[16];
    Error error = {0};
    FileWriter writer;
    ck_ok(file_begin(&writer, path, &error), &error);
    metrics_predictions_write_header(writer.stream, false);
    for (int pass = 0; pass < 2; pass++) {
        MetricsPredictions back = {0};
        if (pass == 1) {
            ck_ok(file_commit(&writer, &error), &error);
            ck_ok(metrics_predictions_read(&back, path, &error), &error);
            ck_assert_uint_eq(back.count, ROWS);
        }
        uint64_t state = 5;
        for (int i = 0; i < ROWS; i++) {
            draw_name(&state, i, name, i == 1500 ? LONGEST : i % 100 == 0 ? 20000 : 200);
            snprintf(dataset, sizeof dataset, "set, %d", (int)(splitmix(&state) % 3));
            const float fake = (float)((double)(splitmix(&state) >> 40) * 0x1p-24);
            const MetricsPrediction row = {.file = name,
                                           .dataset = dataset,
                                           .label = i & 1,
                                           .real = 1 - (double)fake,
                                           .fake = (double)fake};
            if (pass == 0) {
                metrics_predictions_write_row(writer.stream, &row, false);
                continue;
            }
            ck_assert((float)back.scores[i] == fake && back.labels[i] == row.label);
            ck_assert_str_eq(back.files[i], name);
            ck_assert_str_eq(back.datasets[back.row_dataset[i]], dataset);
            name[strlen(name) - 2] = '\0';
            ck_assert_str_eq(back.videos[back.row_video[i]].name, name);
        }
        metrics_predictions_free(&back);
    }
    free(name);
}
END_TEST

/* The last column: the margin of every row to the bit of its f32, where p_fake is long 1. */
START_TEST(margins)
{
    const MetricsPrediction rows[] = {
        {.file = "d/x/v/0.png",
         .dataset = "X",
         .label = 1,
         .fake = 1,
         .has_margin = true,
         .margin = 41.2500038},
        {.file = "d/x/w/0.png",
         .dataset = "X",
         .label = 0,
         .fake = 0.25,
         .has_margin = true,
         .margin = -1.09861231},
    };
    char *text = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&text, &size);
    metrics_predictions_write_header(stream, false);
    for (int i = 0; i < 2; i++)
        metrics_predictions_write_row(stream, &rows[i], false);
    fclose(stream);
    ck_assert_ptr_nonnull(
        strstr(text, "dataset,video,margin\nd/x/v/0.png,1,0,1,X,d/x/v,41.2500038\n"));
    MetricsPredictions p = read_scores("margins.csv", text, size);
    ck_assert(p.margins && p.margins[0] == rows[0].margin && p.margins[1] == rows[1].margin);
    metrics_predictions_free(&p);
    free(text);

    /* Of bare scores it is another quantity; an empty column is none. */
    p = READ("label,score,margin\n0,0.25,1.3\n");
    ck_assert_ptr_null(p.margins);
    metrics_predictions_free(&p);
    p = READ("files,labels,prob_class_0,prob_class_1,margin\na/b/c.png,0,1,0,\n");
    ck_assert_ptr_null(p.margins);
    metrics_predictions_free(&p);
}
END_TEST

START_TEST(append_refuses)
{
    MetricsPredictions p = metrics_predictions_empty();
    Error error = {0};
    MetricsPrediction row = {.file = "a/v/0.png", .dataset = "X", .label = 0, .fake = 0.5};
    ck_ok(metrics_predictions_append(&p, &row, &error), &error);
    row.label = 1;
    ck_assert_int_eq(metrics_predictions_append(&p, &row, &error), STATUS_FAILED);
    row.label = 2;
    ck_assert_int_eq(metrics_predictions_append(&p, &row, &error), STATUS_FAILED);
    row.label = 0;
    row.fake = NAN;
    ck_assert_int_eq(metrics_predictions_append(&p, &row, &error), STATUS_FAILED);
    ck_assert_uint_eq(p.count, 1);
    metrics_predictions_free(&p);
    MetricsReport *reports;
    int count;
    ck_assert_int_eq(metrics_reports(&p, &reports, &count, &error), STATUS_FAILED);
}
END_TEST

/* Many rows with the 17 digits that other programs print. $LNCLIP_TEST_ROWS asks for
 * more of them. */
START_TEST(many_rows)
{
    const char *const wanted = getenv("LNCLIP_TEST_ROWS");
    const size_t rows = wanted ? strtoul(wanted, NULL, 10) : 200000;
    const char *const path = support_in_folder("many.csv");
    Error error = {0};
    FileWriter writer;
    ck_ok(file_begin(&writer, path, &error), &error);
    fputs("label,score\n", writer.stream);
    uint64_t state = 3;
    for (size_t i = 0; i < rows; i++) {
        const int label = (int)(splitmix(&state) & 1);
        fprintf(writer.stream, "%d,%.17g\n", label, (double)(splitmix(&state) >> 11) * 0x1p-53);
    }
    ck_ok(file_commit(&writer, &error), &error);
    const double start = train_clock();
    MetricsPredictions predictions;
    ck_ok(metrics_predictions_read(&predictions, path, &error), &error);
    const double read = train_clock();
    MetricsReport *reports;
    int count;
    ck_ok(metrics_reports(&predictions, &reports, &count, &error), &error);
    printf("%zu rows: read in %.3f s, metrics in %.3f s\n", rows, read - start,
           train_clock() - read);
    ck_assert_uint_eq(predictions.count, rows);
    state = 3;
    for (size_t i = 0; i < rows; i++) {
        ck_assert(predictions.labels[i] == (splitmix(&state) & 1));
        ck_assert(predictions.scores[i] == (double)(splitmix(&state) >> 11) * 0x1p-53);
    }
    metrics_reports_free(reports, count);
    metrics_predictions_free(&predictions);
}
END_TEST

static TCase *folder_case(Suite *suite, const char *name)
{
    TCase *const test_case = support_case(suite, name, 120);
    tcase_add_checked_fixture(test_case, support_folder_setup, support_folder_teardown);
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
    tcase_add_test(reading, videos_of_paths);
    tcase_add_test(reading, round_trip);
    tcase_add_test(reading, margins);
    tcase_add_test(reading, append_refuses);
    tcase_add_test(reading, many_rows);
    TCase *const bad = folder_case(suite, "bad files");
    tcase_add_loop_test(bad, bad_files_name_line_and_column, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(bad, no_file_and_a_folder);
    tcase_add_test(bad, truncated_files);
    tcase_add_test(bad, a_million_columns);
    tcase_add_test(bad, an_endless_line);
    return support_main(suite);
}
