/*
 * test_faces.c - face detector, landmarks and crops against dlib and OpenCV (tests/golden/faces.*,
 * align.txt), and damaged landmark files.
 */
#include "data/faces/align.h"
#include "data/faces/hog.h"
#include "data/faces/landmarks.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <math.h>
#include <string.h>

static DataImage sheet;
static DataShapePredictor *predictor;

static void open_golden(void)
{
    char path[4096];
    Error error = {0};
    support_golden(path, "faces.png");
    ck_ok(data_image_read(path, &sheet, &error), &error);
    support_golden(path, "faces.dat");
    ck_ok(data_shape_open(&predictor, path, &error), &error);
}

static void close_golden(void)
{
    data_image_free(&sheet);
    data_shape_close(predictor);
}

/* A cut of the sheet, as in make_faces.py. */
static void cut(DataImage *image, const int row[6])
{
    const int width = row[2] * row[4], height = row[3] * row[4];
    Error error = {0};
    ck_ok(data_image_create(image, width, height, &error), &error);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int from_x = row[0] + (row[5] ? width - 1 - x : x) / row[4];
            const int from_y = row[1] + y / row[4];
            memcpy(image->pixels + 3 * ((size_t)y * width + x),
                   sheet.pixels + 3 * ((size_t)from_y * sheet.width + from_x), 3);
        }
}

static void check_faces(FILE *golden, const DataImage *image, int threads)
{
    int upsample, count;
    ck_assert_int_eq(fscanf(golden, " faces %d %d", &upsample, &count), 2);
    Threads *pool;
    Error error = {0};
    DataFaces faces = {0};
    ck_ok(threads_create(&pool, threads, &error), &error);
    ck_ok(data_faces_find(image, upsample, pool, &faces, &error), &error);
    ck_assert_int_eq(faces.count, count);
    for (int i = 0; i < count; i++) {
        DataBox box;
        double score;
        int filter;
        ck_assert_int_eq(fscanf(golden, "%d %d %d %d %lf %d", &box.left, &box.top, &box.right,
                                &box.bottom, &score, &filter),
                         6);
        const DataFace *face = &faces.items[i];
        ck_assert_mem_eq(&face->box, &box, sizeof box);
        ck_close(face->score, score, 2e-6);
        ck_assert_int_eq(face->filter, filter);
    }
    if (count > 0) {
        int points[DATA_SHAPE_POINTS][2], x, y;
        ck_ok(data_shape_find(predictor, image, &faces.items[0].box, points, &error), &error);
        ck_assert_int_eq(fscanf(golden, " points%n", &x), 0);
        for (int k = 0; k < data_shape_count(predictor); k++) {
            ck_assert_int_eq(fscanf(golden, "%d %d", &x, &y), 2);
            ck_each(points[k][0] == x && points[k][1] == y, "point %d: %d %d, expected %d %d", k,
                    points[k][0], points[k][1], x, y);
        }
    }
    data_faces_free(&faces);
    threads_destroy(pool);
}

/* Boxes, scores and points equal those of dlib, for any number of threads. */
START_TEST(equal_to_dlib)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        FILE *golden = support_golden_open("faces.txt");
        int row[6], cuts = 0;
        ck_assert_int_eq(fscanf(golden, "#%*[^\n]"), 0);
        while (fscanf(golden, " cut %d %d %d %d %d %d", &row[0], &row[1], &row[2], &row[3], &row[4],
                      &row[5]) == 6) {
            DataImage image;
            cut(&image, row);
            check_faces(golden, &image, threads);
            check_faces(golden, &image, threads);
            data_image_free(&image);
            cuts++;
        }
        ck_assert_int_eq(cuts, 11);
        fclose(golden);
    }
}
END_TEST

START_TEST(largest_face)
{
    DataFace items[] = {{{0, 0, 9, 9}, 3, 0}, {{0, 0, 19, 9}, 2, 0}, {{5, 5, 14, 24}, 1, 0}};
    ck_assert_int_eq(data_faces_largest(&(DataFaces){items, 3, 3}), 1);
    ck_assert_int_eq(data_faces_largest(&(DataFaces){0}), -1);
}
END_TEST

/* ---- alignment ------------------------------------------------------------------------------- */

/* The templates for 256 pixels and a scale of 1.3, as published. */
START_TEST(templates)
{
    static const double DFB[5][2] = {
        {96.87, 120.43}, {158.83, 120.09}, {128.04, 155.67}, {102.59, 191.94}, {153.90, 191.66}};
    static const double GEND[5][2] = {
        {96.5, 120.1}, {159.5, 120.1}, {128, 155.6}, {102.4, 191}, {153.6, 191}};
    const DataPoints dfb = data_align_template_dfb(256, 1.3),
                     gend = data_align_template_gend(256, 1.3);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 2; j++) {
            ck_assert_double_eq_tol(dfb.at[i][j], DFB[i][j], 0.006);
            ck_assert_double_eq_tol(gend.at[i][j], GEND[i][j], 0.06);
        }
}
END_TEST

START_TEST(least_squares)
{
    const DataPoints from = data_align_template_dfb(256, 1.3);
    const DataSimilarity truth = {0.8, -0.3, 17, -40};
    DataPoints to;
    for (int i = 0; i < 5; i++) {
        to.at[i][0] = truth.a * from.at[i][0] - truth.b * from.at[i][1] + truth.x0;
        to.at[i][1] = truth.b * from.at[i][0] + truth.a * from.at[i][1] + truth.y0;
    }
    DataSimilarity map;
    ck_assert(data_align_least_squares(&from, &to, &map));
    ck_close(map.a, truth.a, 1e-12);
    ck_close(map.b, truth.b, 1e-12);
    ck_close(map.x0, truth.x0, 1e-12);
    ck_close(map.y0, truth.y0, 1e-12);
    /* The median ignores a wrong point. */
    to.at[3][0] += 60;
    ck_assert(data_align_least_median(&from, &to, &map));
    ck_close(map.a, truth.a, 1e-5);
    ck_close(map.y0, truth.y0, 1e-5);
    const DataPoints same = {{{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}}};
    ck_assert(!data_align_least_squares(&same, &to, &map));
    ck_assert(!data_align_least_median(&same, &to, &map));
}
END_TEST

/* Similarities and crops equal those of OpenCV 4.6. */
START_TEST(equal_to_opencv)
{
    FILE *golden = support_golden_open("align.txt");
    const DataPoints target = data_align_template_gend(256, 1.3);
    int medians = 0, warps = 0;
    char kind[8];
    ck_assert_int_eq(fscanf(golden, "#%*[^\n]"), 0);
    while (fscanf(golden, "%7s", kind) == 1) {
        DataSimilarity truth, map;
        DataPoints points = {0};
        Error error = {0};
        const bool median = strcmp(kind, "median") == 0;
        for (int i = 0; i < 5 && median; i++)
            ck_assert_int_eq(fscanf(golden, "%lf %lf", &points.at[i][0], &points.at[i][1]), 2);
        ck_assert_int_eq(
            fscanf(golden, "%lf %lf %lf %lf", &truth.a, &truth.b, &truth.x0, &truth.y0), 4);
        if (median) {
            ck_assert(data_align_least_median(&points, &target, &map));
            ck_close(map.a, truth.a, 1e-6);
            ck_close(map.b, truth.b, 1e-6);
            ck_close(map.x0, truth.x0, 1e-5);
            ck_close(map.y0, truth.y0, 1e-5);
            medians++;
        } else {
            unsigned checksum;
            ck_assert_int_eq(fscanf(golden, "%x", &checksum), 1);
            DataImage crop;
            ck_ok(data_align_warp(&sheet, &truth, 96, DATA_WARP_FIXED, &crop, &error), &error);
            ck_assert_uint_eq(support_crc32(crop.pixels, 3 * 96 * 96), checksum);
            data_image_free(&crop);
            warps++;
        }
    }
    ck_assert_int_eq(medians, 12);
    ck_assert_int_eq(warps, 12);
    fclose(golden);
}
END_TEST

/* The value of one channel at (x, y), interpolated in double. */
static double interpolated(const DataImage *image, double x, double y, int channel)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const int column = (int)floor(x) + i % 2, row = (int)floor(y) + i / 2;
        const double weight = (1 - fabs(x - column)) * (1 - fabs(y - row));
        if (column >= 0 && row >= 0 && column < image->width && row < image->height)
            sum += weight * image->pixels[3 * ((size_t)row * image->width + column) + channel];
    }
    return sum;
}

/* The warp in f32 is within rounding of a model in double; a shift by whole pixels is exact. */
START_TEST(warp_float)
{
    Error error = {0};
    DataImage crop;
    const DataSimilarity shift = {1, 0, -31, 9};
    ck_ok(data_align_warp(&sheet, &shift, 80, DATA_WARP_FLOAT, &crop, &error), &error);
    for (int y = 0; y < 80; y++)
        for (int x = 0; x < 80; x++)
            ck_each(crop.pixels[3 * (y * 80 + x)] ==
                        (y < 9 ? 0 : sheet.pixels[3 * ((y - 9) * sheet.width + x + 31)]),
                    "%d %d", x, y);
    data_image_free(&crop);
    const DataSimilarity turn = {0.6, 0.5, 3.25, -20.5};
    ck_ok(data_align_warp(&sheet, &turn, 96, DATA_WARP_FLOAT, &crop, &error), &error);
    const double square = turn.a * turn.a + turn.b * turn.b;
    for (int y = 0; y < 96; y++)
        for (int x = 0; x < 96; x++) {
            const double u = x - turn.x0, v = y - turn.y0;
            const double model = interpolated(&sheet, (turn.a * u + turn.b * v) / square,
                                              (turn.a * v - turn.b * u) / square, 1);
            ck_each(fabs(crop.pixels[3 * (y * 96 + x) + 1] - model) < 0.51, "%d %d: %d, model %g",
                    x, y, crop.pixels[3 * (y * 96 + x) + 1], model);
        }
    data_image_free(&crop);
    ck_assert_int_eq(
        data_align_warp(&sheet, &(DataSimilarity){0}, 96, DATA_WARP_FIXED, &crop, &error),
        STATUS_FAILED);
    ck_assert_ptr_null(crop.pixels);
}
END_TEST

/* Squares at the border shrink; values follow FaceForensics++'s formula by hand. */
START_TEST(square)
{
    const DataImage image = {.width = 200, .height = 150};
    static const struct {
        DataBox box, square;
    } CASES[] = {
        {{50, 40, 110, 90}, {41, 26, 118, 103}},     /* 78 = int(60 * 1.3) */
        {{-11, -20, 49, 40}, {0, 0, 77, 77}},        /* left and above */
        {{150, 100, 210, 160}, {141, 91, 199, 149}}, /* 59 pixels remain */
        {{400, 400, 460, 460}, {391, 391, 199, 149}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        DataBox box;
        data_align_square(&image, &CASES[i].box, 1.3, &box);
        ck_each(box.left == CASES[i].square.left && box.top == CASES[i].square.top,
                "case %zu: %d %d", i, box.left, box.top);
        ck_each(i == 3 ? box.right < box.left
                       : box.right == CASES[i].square.right && box.bottom == CASES[i].square.bottom,
                "case %zu: %d %d", i, box.right, box.bottom);
    }
    DataImage crop;
    Error error = {0};
    ck_ok(data_align_copy(&sheet, &(DataBox){7, 9, 16, 13}, &crop, &error), &error);
    ck_assert_int_eq(crop.width, 10);
    ck_assert_int_eq(crop.height, 5);
    ck_assert_mem_eq(crop.pixels + 30, sheet.pixels + 3 * (10 * sheet.width + 7), 30);
    data_image_free(&crop);
}
END_TEST

/* ---- damaged landmark files ------------------------------------------------------------------ */

static char folder[4096];

static Status open_bytes(const char *bytes, size_t size, DataShapePredictor **landmarks,
                         Error *error)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/x.dat", folder);
    support_write_file(folder, "x.dat", bytes, size);
    return data_shape_open(landmarks, path, error);
}

static void check_refused(const char *bytes, size_t size, const char *key)
{
    DataShapePredictor *landmarks;
    Error error = {0};
    ck_assert_int_eq(open_bytes(bytes, size, &landmarks, &error), STATUS_FAILED);
    ck_assert_ptr_null(landmarks);
    ck_assert_msg(strstr(error.message, "x.dat") && strstr(error.message, key), "'%s' lacks '%s'",
                  error.message, key);
}

START_TEST(damaged_landmarks)
{
    char path[4096], *bytes;
    size_t size;
    Error error = {0};
    support_make_folder(folder);
    support_golden(path, "faces.dat");
    ck_ok(file_read(path, 1 << 20, &bytes, &size, &error), &error);
    check_refused(bytes, 0, "cut");
    for (size_t cut_at = 1; cut_at < size; cut_at += cut_at < 40 ? 1 : 997)
        check_refused(bytes, cut_at, cut_at < 620 ? "" : ":");
    check_refused(bytes, size - 1, "cut");
    char *longer = malloc(size + 1);
    memcpy(longer, bytes, size);
    longer[size] = 1;
    check_refused(longer, size + 1, "behind its end");
    longer[1] = 2;
    check_refused(longer, size, "not a shape predictor");
    longer[1] = 1;
    longer[3] = 87; /* an odd number of coordinates */
    check_refused(longer, size, "number of points");
    free(longer);
    /* Every other damage is refused, or gives points somewhere. */
    int accepted = 0;
    int points[DATA_SHAPE_POINTS][2];
    for (size_t at = 0; at < size; at += at < 64 ? 1 : 61)
        for (int value = 0; value < 3; value++) {
            const char old = bytes[at];
            bytes[at] = (char)(value == 0 ? 0 : value == 1 ? 0xff : old ^ 0x81);
            DataShapePredictor *landmarks;
            if (open_bytes(bytes, size, &landmarks, &error) == STATUS_OK) {
                accepted++;
                ck_ok(
                    data_shape_find(landmarks, &sheet, &(DataBox){-9, 5, 400, 300}, points, &error),
                    &error);
                data_shape_close(landmarks);
            }
            bytes[at] = old;
        }
    ck_assert_int_gt(accepted, 10);
    free(bytes);
    support_remove_folder(folder);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("faces");
    TCase *const detector = support_case(suite, "detector", 60);
    tcase_add_checked_fixture(detector, open_golden, close_golden);
    tcase_add_test(detector, equal_to_dlib);
    tcase_add_test(detector, largest_face);
    TCase *const align = support_case(suite, "align", 30);
    tcase_add_checked_fixture(align, open_golden, close_golden);
    tcase_add_test(align, templates);
    tcase_add_test(align, least_squares);
    tcase_add_test(align, equal_to_opencv);
    tcase_add_test(align, warp_float);
    tcase_add_test(align, square);
    TCase *const damage = support_case(suite, "damage", 60);
    tcase_add_checked_fixture(damage, open_golden, close_golden);
    tcase_add_test(damage, damaged_landmarks);
    return support_main(suite);
}
