/*
 * test_landmarks.c - .npy files as NumPy writes them (tests/golden/make_sbi.py) and as it never
 * would, and where the landmarks of a frame are looked for.
 */
#include "data/image/npy.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "tests/support_landmarks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Every kind of array that is read holds the same face, as whole numbers where its type has no
 * others. */
START_TEST(test_npy_kinds)
{
    static const struct {
        const char *name;
        int count;
        double tolerance;
    } CASES[] = {{"f4", 81, 1e-5},      {"i8", 81, 0.5001},         {"i4", 81, 0.5001},
                 {"fortran", 81, 1e-5}, {"version2", 81, 1e-5},     {"half", 68, 1e-5},
                 {"faces", 68, 0.5001}, {"faces_fortran", 81, 1e-5}};
    const DataLandmarks face = support_landmarks("f8");
    ck_assert_int_eq(face.count, 81);
    ck_close(face.x[0], 128 + 66 * cos(3.14159265358979 * 0.98), 1e-6);
    ck_close(face.y[16], 132 + 98 * sin(3.14159265358979 * 0.02), 1e-6);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const DataLandmarks other = support_landmarks(CASES[i].name);
        ck_assert_int_eq(other.count, CASES[i].count);
        for (int k = 0; k < other.count; k++)
            ck_each(fabsf(other.x[k] - face.x[k]) <= (float)CASES[i].tolerance &&
                        fabsf(other.y[k] - face.y[k]) <= (float)CASES[i].tolerance,
                    "%s: point %d is (%g, %g)", CASES[i].name, k, (double)other.x[k],
                    (double)other.y[k]);
    }
}
END_TEST

START_TEST(test_npy_shape)
{
    Error error = {0};
    DataArray array;
    char path[4096];
    support_landmarks_path(path, "scalar");
    ck_ok(data_npy_read(path, &array, &error), &error);
    ck_assert(array.rank == 0 && array.count == 1 && array.values[0] == 3);
    data_array_free(&array);
    support_landmarks_path(path, "faces");
    ck_ok(data_npy_read(path, &array, &error), &error);
    ck_assert(array.rank == 3 && array.count == 2 * 68 * 2);
    ck_assert(array.shape[0] == 2 && array.shape[1] == 68 && array.shape[2] == 2);
    for (size_t i = 0; i < 68; i++) /* the second face is half the first, rounded towards zero */
        ck_assert(array.values[136 + i] == floor(array.values[i] / 2));
    data_array_free(&array);
    ck_assert_ptr_null(array.values);
}
END_TEST

/* What NumPy can write, but no landmarks are. */
START_TEST(test_other_arrays)
{
    static const struct {
        const char *name, *words;
    } CASES[] = {{"big_endian", "values of type \">f8\""},
                 {"half_precision", "values of type \"<f2\""},
                 {"complex", "values of type \"<c8\""},
                 {"object", "values of type \"|O\""},
                 {"records", "holds records"},
                 {"version3", "version 3.0"},
                 {"scalar", "not landmarks: 0 dimensions"},
                 {"flat", "not landmarks: 1 dimensions"},
                 {"seventy", "not landmarks: 2 dimensions, [70, 2"},
                 {"three", "not landmarks: 2 dimensions, [81, 3"},
                 {"none", "not landmarks: 3 dimensions, [0, 81, 2]"},
                 {"deep", "more than 4 dimensions"},
                 {"nan", "landmark 40 is at"},
                 {"far", "landmark 40 is at"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataLandmarks landmarks;
        char frame[4096], path[4096];
        support_landmarks_frame(frame, CASES[i].name);
        support_landmarks_path(path, CASES[i].name);
        ck_assert_int_eq(data_landmarks_read(frame, &landmarks, &error), STATUS_FAILED);
        ck_assert_msg(strstr(error.message, CASES[i].words) && strstr(error.message, path),
                      "%s: %s", CASES[i].name, error.message);
        ck_assert_int_eq(landmarks.count, 0);
    }
}
END_TEST

/* A version 1.0 file of that header, padded as NumPy does unless `length` says otherwise, and 16
 * bytes of data. */
static size_t make_npy(unsigned char *out, const char *header, int length)
{
    const size_t size = strlen(header);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    const size_t stated = length < 0 ? size : (size_t)length;
    out[8] = (unsigned char)(stated & 255);
    out[9] = (unsigned char)(stated >> 8);
    memcpy(out + 10, header, size);
    memset(out + 10 + size, 0, 16);
    return 10 + size + 16;
}

START_TEST(test_hostile_headers)
{
    static const struct {
        const char *header;
        int length; /* stated; -1 for the true one */
        const char *words;
    } CASES[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", -1, NULL},
        {"{'shape':(4,),'fortran_order':True,'descr':'<i4'}", -1, NULL},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 1, 1)}", -1, NULL},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", -1, "number of values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", -1, "number of values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", -1, "number of values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2), }", -1,
         "its shape cannot be read"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", -1,
         "its shape cannot be read"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (16777216, 16777216, 16777216), }", -1,
         "number of values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2), }", -1, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4), }", -1, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2", -1, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2, 2], }", -1, "its shape"},
        {"{'descr': '<f4', 'fortran_order': false, 'shape': (2, 2), }", -1, "fortran_order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'more': 1}", -1, "unknown"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (2, 2)}", -1, "repeated"},
        {"{'descr': '<f4', 'shape': (2, 2)}", -1, "incomplete"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)", -1, "does not end"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)} + exit()", -1, "trailing"},
        {"{'descr': '<f4xxxxxxxxxxxxxxxxxxxxx', 'fortran_order': False}", -1, "holds records"},
        {"{'descr", -1, "a key"},
        {"{'descr': '<f4", -1, "holds records"},
        {"", -1, "not a dictionary"},
        {"__import__('os')", -1, "not a dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 65535, "within its header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 20, "cannot be read"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataArray array;
        unsigned char buffer[256];
        const size_t size = make_npy(buffer, CASES[i].header, CASES[i].length);
        unsigned char *const exact = malloc(size); /* so that a sanitizer sees reads behind it */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, buffer, size);
        const Status status = data_npy_decode(exact, size, "x.npy", &array, &error);
        free(exact);
        ck_assert_msg(status == (CASES[i].words ? STATUS_FAILED : STATUS_OK), "%s: %s",
                      CASES[i].header, error.message);
        ck_assert_msg(!CASES[i].words || (strstr(error.message, CASES[i].words) &&
                                          strncmp(error.message, "x.npy: ", 7) == 0),
                      "%s: %s", CASES[i].header, error.message);
        data_array_free(&array);
    }
}
END_TEST

/* Cut anywhere, or with a byte behind it, a good file is an error; so is every damaged byte of its
 * magic and version. */
START_TEST(test_truncated_npy)
{
    Error error = {0};
    DataArray array;
    char *content;
    size_t size;
    char path[4096];
    support_landmarks_path(path, "version2");
    ck_ok(file_read(path, 1 << 20, &content, &size, &error), &error);
    for (size_t length = 0; length <= size + 1; length++) {
        char *const part = malloc(length + 1);
        ck_assert_ptr_nonnull(part);
        memcpy(part, content, length <= size ? length : size);
        if (length > size)
            part[size] = 0;
        const Status status = data_npy_decode(part, length, "cut", &array, &error);
        free(part);
        ck_each((status == STATUS_OK) == (length == size), "%zu of %zu bytes: %s", length, size,
                error.message);
        data_array_free(&array);
    }
    for (size_t i = 0; i < 8; i++) {
        content[i] ^= 0x40;
        ck_assert_int_eq(data_npy_decode(content, size, "bent", &array, &error), STATUS_FAILED);
        content[i] ^= 0x40;
    }
    free(content);
}
END_TEST

static void put_landmarks(const char *name, const char *golden)
{
    Error error = {0};
    char *content;
    size_t size;
    char path[4096];
    support_landmarks_path(path, golden);
    ck_ok(file_read(path, 1 << 20, &content, &size, &error), &error);
    support_write_file(support_in_folder(""), name, content, size);
    free(content);
}

/*
 * The locations in docs/formats.md, in order of precedence. The files differ in how many points
 * they have.
 */
START_TEST(test_places)
{
    static const struct {
        const char *put, *golden; /* what is added */
        const char *frame;
        int count; /* of the landmarks then found */
    } STEPS[] = {
        {"other/071/000.npy", "half", "c23/frames/071/000.png", 0},
        {"c23/landmarks/071/001.npy", "half", "c23/frames/071/000.png", 0},
        {"c23/landmarks/071/000.npy", "half", "c23/videos/071/000.png", 0},
        {"c23/landmarks/071/000.npy", "half", "c23/frames/071/000.png", 68},
        {"c23/landmarks/071/000.npy", "half", "c23/faces/071/000.jpg", 68},
        {"c23/frames/landmarks/071/000.npy", "f8", "c23/frames/071/000.png", 81},
        {"c23/frames/071/000.npy", "half", "c23/frames/071/000.png", 68},
        {"real/landmarks/a.b/f.1.npy", "f8", "real/a.b/f.1.png", 81},
        {"real/landmarks/a.b/f.1.npy", "f8", "real//a.b//f.1.png", 81},
        {"real/landmarks/a.b/f.npy", "f8", "real/a.b/f", 81},
    };
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        Error error = {0};
        DataLandmarks landmarks;
        put_landmarks(STEPS[i].put, STEPS[i].golden);
        ck_ok(data_landmarks_read(support_in_folder(STEPS[i].frame), &landmarks, &error), &error);
        ck_assert_msg(landmarks.count == STEPS[i].count, "step %zu: %d", i, landmarks.count);
    }
    /* Relative paths, from none to two folders. */
    Error error = {0};
    DataLandmarks landmarks;
    put_landmarks("c23/071/002.npy", "half");
    char *const back = realpath(".", NULL);
    ck_assert(back && chdir(support_in_folder("c23")) == 0);
    ck_ok(data_landmarks_read("frames/071/000.png", &landmarks, &error), &error);
    ck_assert_int_eq(landmarks.count, 68);
    ck_ok(data_landmarks_read("071/000.png", &landmarks, &error), &error); /* c23/landmarks/071 */
    ck_assert_int_eq(landmarks.count, 68);
    ck_assert_int_eq(chdir("071"), 0);
    ck_ok(data_landmarks_read("002.png", &landmarks, &error), &error);
    ck_assert_int_eq(landmarks.count, 68);
    ck_ok(data_landmarks_read("000.png", &landmarks, &error), &error);
    ck_assert_int_eq(landmarks.count, 0);
    ck_assert_int_eq(chdir(back), 0);
    free(back);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("landmarks");
    TCase *const files = support_case(suite, "landmarks", 60);
    tcase_add_checked_fixture(files, support_folder_setup, support_folder_teardown);
    tcase_add_test(files, test_npy_kinds);
    tcase_add_test(files, test_npy_shape);
    tcase_add_test(files, test_other_arrays);
    tcase_add_test(files, test_hostile_headers);
    tcase_add_test(files, test_truncated_npy);
    tcase_add_test(files, test_places);
    return support_main(suite);
}
