/*
 * test_list_checks.c - what lists have in common, sizes of images, and the mistakes found in them:
 * each both ways.
 */
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "train/list_checks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- sets made for
 * a test ---------------------------------------------------------------------- */

/* A file of `size` bytes that depend on `content`: lists do not look into images, comparing
 * neither. */
static void write_bytes(const char *name, unsigned content, size_t size)
{
    char *const bytes = malloc(size + 1);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + content);
    support_write_file(support_in_folder(""), name, bytes, size);
    free(bytes);
}

/* An image of that size, whose pixels depend on `content`. */
static void write_image(const char *name, int width, int height, unsigned content)
{
    DataImage image;
    support_write_file(support_in_folder(""), name, "", 0); /* and its folders */
    support_pattern(&image, width, height);
    memcpy(image.pixels, &content, 3);
    support_write_image(support_in_folder(name), &image);
    data_image_free(&image);
}

static void read_set(DataList *list, const char *folder)
{
    Error error = {0};
    const char *const path = support_in_folder(folder);
    ck_ok(data_list_read(list, &path, 1, &error), &error);
}

typedef struct Sets {
    DataList lists[DATA_COMPARE_SETS];
    int count;
} Sets;

static void read_sets(Sets *sets, int count)
{
    static const char *const NAMES[] = {"train", "val", "test"};
    sets->count = count;
    for (int i = 0; i < count; i++)
        read_set(&sets->lists[i], NAMES[i]);
}

static void free_sets(Sets *sets)
{
    for (int i = 0; i < sets->count; i++)
        data_list_free(&sets->lists[i]);
}

static Status try_compare(const Sets *sets, bool contents, Threads *threads,
                          DataComparison *comparison, Error *error)
{
    const DataList *pointers[DATA_COMPARE_SETS];
    for (int i = 0; i < sets->count; i++)
        pointers[i] = &sets->lists[i];
    return data_list_compare(pointers, sets->count, contents, threads, comparison, error);
}

static void compare(const Sets *sets, bool contents, DataComparison *comparison)
{
    Error error = {0};
    ck_ok(try_compare(sets, contents, NULL, comparison, &error), &error);
}

static void check_overlap(const DataOverlap *overlap, int files, int contents, int people)
{
    ck_assert_int_eq(overlap->files.count, files);
    ck_assert_int_eq(overlap->contents.count, contents);
    ck_assert_int_eq(overlap->people.count, people);
}

static void check_name(const char *path, const char *name)
{
    ck_assert_str_eq(path, support_in_folder(name));
}

/* ----
 * comparing --------------------------------------------------------------------------------- */

START_TEST(test_nothing_in_common)
{
    Sets sets;
    DataComparison comparison;
    write_bytes("train/real/a/0.png", 1, 100);
    write_bytes("train/DF/b/0.png", 2, 100);
    write_bytes("val/real/c/0.png", 3, 100);
    write_bytes("val/DF/d/0.png", 1, 101);
    read_sets(&sets, 2);
    compare(&sets, true, &comparison);
    check_overlap(&comparison.overlap[0][1], 0, 0, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(comparison.duplicates[i].count, 0);
        ck_assert_int_eq(comparison.contradictions[i].count, 0);
    }
    free_sets(&sets);
}
END_TEST

/* A link is the file itself; a copy is found by its bytes, and only if they are read. */
START_TEST(test_files_and_copies)
{
    Sets sets;
    DataComparison comparison;
    write_bytes("train/real/a/0.png", 1, 100);
    write_bytes("train/DF/b/0.png", 2, 100);
    write_bytes("train/DF/b/1.png", 3, 50000);
    write_bytes("val/DF/y/0.png", 4, 100);
    write_bytes("val/DF/z/0.png", 3, 50000);
    write_bytes("test/DF/x/0.png", 3, 50000);
    ck_assert_int_eq(mkdir(support_in_folder("val/real"), 0755), 0);
    ck_assert_int_eq(mkdir(support_in_folder("val/real/c"), 0755), 0);
    ck_assert_int_eq(
        symlink(support_in_folder("train/real/a/0.png"), support_in_folder("val/real/c/9.png")), 0);
    read_sets(&sets, 3);
    compare(&sets, true, &comparison);
    check_overlap(&comparison.overlap[0][1], 1, 1, 0);
    check_overlap(&comparison.overlap[0][2], 0, 1, 0);
    check_overlap(&comparison.overlap[1][2], 0, 1, 0);
    check_name(comparison.overlap[0][1].files.first[0], "train/real/a/0.png");
    check_name(comparison.overlap[0][1].files.second[0], "val/real/c/9.png");
    check_name(comparison.overlap[0][1].contents.first[0], "train/DF/b/1.png");
    check_name(comparison.overlap[0][1].contents.second[0], "val/DF/z/0.png");
    check_name(comparison.overlap[1][2].contents.first[0], "val/DF/z/0.png");
    compare(&sets, false, &comparison);
    check_overlap(&comparison.overlap[0][1], 1, 0, 0);
    check_overlap(&comparison.overlap[1][2], 0, 0, 0);
    free_sets(&sets);
}
END_TEST

/* Files of one size that agree in their middle, or in all but one byte at either end, are no
 * copies. */
START_TEST(test_nearly_equal)
{
    static const size_t SIZES[] = {1, 4095, 4096, 4097, 8192, 70000};
    for (size_t n = 0; n < sizeof SIZES / sizeof SIZES[0]; n++) {
        const size_t size = SIZES[n];
        char *const bytes = calloc(size, 1);
        ck_assert_ptr_nonnull(bytes);
        const char *const folder = support_in_folder("");
        support_write_file(folder, "train/real/a/0.png", bytes, size);
        support_write_file(folder, "train/real/a/1.png", bytes, size);
        bytes[0] = 1;
        support_write_file(folder, "train/real/a/2.png", bytes, size);
        bytes[0] = 0;
        bytes[size - 1] = 2;
        support_write_file(folder, "train/real/a/3.png", bytes, size);
        Sets sets;
        DataComparison comparison;
        read_sets(&sets, 1);
        compare(&sets, true, &comparison);
        ck_assert_int_eq(comparison.duplicates[0].count, 1);
        check_name(comparison.duplicates[0].second[0], "train/real/a/1.png");
        free_sets(&sets);
        free(bytes);
    }
}
END_TEST

/* Of one label they are duplicates, of both a contradiction; each frame counts once. */
START_TEST(test_duplicates_and_contradictions)
{
    Sets sets;
    DataComparison comparison;
    write_bytes("train/DF/a/0.png", 1, 100);
    write_bytes("train/DF/a/1.png", 1, 100);
    write_bytes("train/DF/b/0.png", 1, 100);
    write_bytes("train/real/c/0.png", 1, 100);
    write_bytes("train/real/c/1.png", 2, 100);
    read_sets(&sets, 1);
    compare(&sets, true, &comparison);
    ck_assert_int_eq(comparison.duplicates[0].count, 2);
    check_name(comparison.duplicates[0].first[1], "train/DF/a/0.png");
    check_name(comparison.duplicates[0].second[1], "train/DF/b/0.png");
    ck_assert_int_eq(comparison.contradictions[0].count, 1);
    check_name(comparison.contradictions[0].first[0], "train/DF/a/0.png");
    check_name(comparison.contradictions[0].second[0], "train/real/c/0.png");
    free_sets(&sets);
}
END_TEST

START_TEST(test_many_matches)
{
    Sets sets;
    DataComparison comparison, threaded;
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "train/real/a/%03d.png", i);
        write_bytes(name, (unsigned)i % 100, 300);
    }
    read_sets(&sets, 1);
    compare(&sets, true, &comparison);
    ck_assert_int_eq(comparison.duplicates[0].count, 200);
    for (int i = 0; i < DATA_COMPARE_NAMED; i++) {
        char first[64], second[64];
        snprintf(first, sizeof first, "train/real/a/%03d.png", i);
        snprintf(second, sizeof second, "train/real/a/%03d.png", i + 100);
        check_name(comparison.duplicates[0].first[i], first);
        check_name(comparison.duplicates[0].second[i], second);
    }
    Error error = {0};
    Threads *threads;
    ck_ok(threads_create(&threads, 3, &error), &error);
    ck_ok(try_compare(&sets, true, threads, &threaded, &error), &error);
    threads_destroy(threads);
    ck_assert_mem_eq(&comparison, &threaded, sizeof comparison);
    free_sets(&sets);
}
END_TEST

/* Numbers count where both sets hold videos of pairs, or one is FF++'s real videos alone; a fake
 * shows two people. */
START_TEST(test_people)
{
    Sets sets;
    DataComparison comparison;
    write_bytes("train/real/003/0.png", 1, 10);
    write_bytes("train/DF/003_000/0.png", 2, 10);
    write_bytes("val/real/000/0.png", 3, 10);
    write_bytes("val/real/007/0.png", 4, 10);
    read_sets(&sets, 2);
    compare(&sets, false, &comparison);
    check_overlap(&comparison.overlap[0][1], 0, 0, 1); /* pairs against FF++'s reals */
    free_sets(&sets);

    write_bytes("val/fake/011/0.png", 4, 10);
    read_sets(&sets, 2);
    compare(&sets, false, &comparison);
    /* fakes named with three digits are not FF++ */
    check_overlap(&comparison.overlap[0][1], 0, 0, 0);
    free_sets(&sets);

    write_bytes("val/DF/007_009/0.png", 5, 10);
    read_sets(&sets, 2);
    compare(&sets, false, &comparison);
    check_overlap(&comparison.overlap[0][1], 0, 0, 1);
    check_name(comparison.overlap[0][1].people.first[0], "train/DF/003_000");
    check_name(comparison.overlap[0][1].people.second[0], "val/real/000");
    free_sets(&sets);

    write_bytes("val/F2F/008_003/0.png", 6, 10);
    write_bytes("val/F2F/id3_id0_0000/0.png", 7, 10); /* of another data set */
    read_sets(&sets, 2);
    compare(&sets, false, &comparison);
    check_overlap(&comparison.overlap[0][1], 0, 0, 2);
    free_sets(&sets);
}
END_TEST

/* All unreadable files are counted; a single one is reported with its own message. */
START_TEST(test_unreadable)
{
    Sets sets;
    DataComparison comparison;
    Error error = {0};
    write_bytes("train/real/a/0.png", 1, 10);
    write_bytes("train/real/a/1.png", 2, 10);
    write_bytes("train/real/a/2.png", 3, 10);
    read_sets(&sets, 1);
    ck_assert_int_eq(unlink(support_in_folder("train/real/a/1.png")), 0);
    ck_assert_int_eq(try_compare(&sets, true, NULL, &comparison, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "1.png: cannot be read"));
    ck_assert_ptr_nonnull(strstr(error.message, "; "));
    compare(&sets, false, &comparison);

    ck_assert_int_eq(unlink(support_in_folder("train/real/a/2.png")), 0);
    ck_assert_int_eq(mkdir(support_in_folder("train/real/a/2.png"), 0755), 0);
    error_clear(&error);
    ck_assert_int_eq(try_compare(&sets, true, NULL, &comparison, &error), STATUS_FAILED);
    ck_assert_int_eq(error.problems, 2);
    ck_assert_ptr_nonnull(strstr(error.message, "2 of 3 images"));
    ck_assert_ptr_nonnull(strstr(error.detail[0], "1.png"));
    ck_assert_ptr_nonnull(strstr(error.detail[1], "not a regular file"));
    free_sets(&sets);
}
END_TEST

/* ----
 * sizes ------------------------------------------------------------------------------------- */

START_TEST(test_sizes)
{
    DataList list;
    DataFrameSize *sizes;
    int count;
    Error error = {0};
    write_image("train/real/a/0.png", 40, 30, 1);
    write_image("train/real/a/1.png", 20, 20, 2);
    write_image("train/real/a/2.png", 16, 64, 3);
    support_write_file(support_in_folder(""), "train/real/a/3.png", "P6 5 7 255\n", 11);
    read_set(&list, "train");
    ck_ok(data_list_sizes(&list, 0, NULL, &sizes, &count, &error), &error);
    ck_assert_int_eq(count, 4);
    ck_assert(sizes[0].width == 40 && sizes[0].height == 30);
    ck_assert(sizes[2].width == 16 && sizes[2].height == 64);
    ck_assert(sizes[3].width == 5 && sizes[3].height == 7 && sizes[3].bytes == 11);
    free(sizes);
    ck_ok(data_list_sizes(&list, 3, NULL, &sizes, &count, &error), &error);
    ck_assert_int_eq(count, 3);
    ck_assert(sizes[0].frame == 0 && sizes[1].frame == 1 && sizes[2].frame == 3);
    free(sizes);
    support_write_file(support_in_folder(""), "train/real/a/2.png", "text", 4);
    ck_assert_int_eq(data_list_sizes(&list, 0, NULL, &sizes, &count, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "2.png: unsupported image format"));
    ck_assert_ptr_null(sizes);
    data_list_free(&list);
}
END_TEST

/* The size of a JPEG is found even if metadata fill its first bytes. */
START_TEST(test_size_behind_metadata)
{
    Error error = {0};
    DataImage image;
    char *content;
    size_t size;
    const char *const path = support_in_folder("a.jpg");
    support_pattern(&image, 33, 21);
    ck_ok(data_image_write_jpeg(&image, path, 90, &error), &error);
    data_image_free(&image);
    FILE *const file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    content = malloc(1 << 20);
    ck_assert_ptr_nonnull(content);
    size = fread(content, 1, 1 << 20, file);
    fclose(file);
    enum { COMMENT = 60000 };
    char *const longer = calloc(size + COMMENT + 2, 1);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, content, 2);
    memcpy(longer + 2, "\xff\xfe\xea\x60", 4); /* a comment of 60,000 bytes */
    memcpy(longer + 4 + COMMENT, content + 2, size - 2);
    support_write_file(support_in_folder(""), "b.jpg", longer, size + COMMENT + 2);
    int width = 0, height = 0;
    ck_ok(data_image_size(support_in_folder("b.jpg"), &width, &height, &error), &error);
    ck_assert(width == 33 && height == 21);
    free(longer);
    free(content);
}
END_TEST

/* ----
 * findings ---------------------------------------------------------------------------------- */

static void check_set(const char *folder, TrainChecks checks, TrainListFindings *findings)
{
    Error error = {0};
    DataList list;
    read_set(&list, folder);
    const DataList *const lists[] = {&list};
    ck_ok(train_check_lists(lists, 1, checks, NULL, findings, &error), &error);
    data_list_free(&list);
}

/* `videos` of each label with one image each: squares of real and fake sides. */
static void write_videos(int videos, int real_side, int fake_side)
{
    for (int i = 0; i < 2 * videos; i++) {
        char name[64];
        const int side = i < videos ? real_side : fake_side;
        snprintf(name, sizeof name, "set/%s/%02d/0.png", i < videos ? "real" : "DF", i);
        write_image(name, side, side, (unsigned)i);
    }
}

START_TEST(test_shapes)
{
    static const struct {
        int width, height;
        DataCropShape shape;
    } SHAPES[] = {
        {256, 256, DATA_CROP_FACE},        {1024, 1024, DATA_CROP_FACE},
        {100, 96, DATA_CROP_FACE},         {100, 94, DATA_CROP_NOT_SQUARE},
        {64, 200, DATA_CROP_NOT_SQUARE},   {400, 300, DATA_CROP_WHOLE_FRAME},
        {480, 640, DATA_CROP_WHOLE_FRAME}, {120, 90, DATA_CROP_NOT_SQUARE},
        {810, 700, DATA_CROP_WHOLE_FRAME}, {60, 60, DATA_CROP_SMALL},
    };
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        TrainListFindings findings;
        write_image("set/real/a/0.png", SHAPES[i].width, SHAPES[i].height, 1);
        check_set("set", TRAIN_CHECKS_FULL, &findings);
        const TrainSizes *const sizes = &findings.sizes[0];
        for (int shape = 0; shape < TRAIN_CROP_SHAPES; shape++) {
            const bool odd = shape != DATA_CROP_FACE && shape == (int)SHAPES[i].shape;
            ck_assert_int_eq(sizes->odd[shape].count, odd);
        }
        ck_assert_int_eq(sizes->width[1], SHAPES[i].width);
        ck_assert_int_eq(sizes->height[2], SHAPES[i].height);
        ck_assert(isnan(sizes->pixels.auroc) && !sizes->pixels.telling); /* one class */
        ck_assert(findings.frames[0][0] == 1 && findings.frames[0][1] == 0);
    }
}
END_TEST

/* With 3 videos a side an AUROC of 1 comes about by chance; with 8 it does not. */
START_TEST(test_size_tells_label)
{
    TrainListFindings findings;
    write_videos(3, 32, 48);
    check_set("set", TRAIN_CHECKS_FULL, &findings);
    ck_assert_double_eq(findings.sizes[0].pixels.auroc, 1);
    ck_assert(!findings.sizes[0].pixels.telling);
    write_videos(8, 32, 48);
    check_set("set", TRAIN_CHECKS_FULL, &findings);
    ck_assert_double_eq(findings.sizes[0].pixels.auroc, 1);
    ck_assert(findings.sizes[0].pixels.telling && findings.sizes[0].bytes.telling);
    ck_assert(findings.sizes[0].width[0] == 32 && findings.sizes[0].width[2] == 48);
}
END_TEST

START_TEST(test_size_tells_nothing)
{
    TrainListFindings findings;
    write_videos(8, 32, 32);
    check_set("set", TRAIN_CHECKS_FULL, &findings);
    ck_assert_double_eq(findings.sizes[0].pixels.auroc, 0.5);
    ck_assert(!findings.sizes[0].pixels.telling);
    check_set("set", TRAIN_CHECKS_OFF, &findings);
    ck_assert_int_eq(findings.sizes[0].images, 0);
    ck_assert_int_eq(findings.videos[0][1], 8);
}
END_TEST

START_TEST(test_levels)
{
    TrainListFindings findings;
    write_image("set/real/a/0.png", 32, 32, 1);
    write_image("set/real/a/1.png", 32, 32, 1);
    write_image("set/DF/b/0.png", 32, 32, 1);
    check_set("set", TRAIN_CHECKS_FULL, &findings);
    ck_assert_int_eq(findings.same.duplicates[0].count, 0);
    ck_assert_int_eq(findings.same.contradictions[0].count, 2);
    check_set("set", TRAIN_CHECKS_QUICK, &findings);
    ck_assert_int_eq(findings.sizes[0].images, 3);
    ck_assert_int_eq(findings.same.contradictions[0].count, 0);
}
END_TEST

START_TEST(test_lists_overlap)
{
    Error error = {0};
    Sets sets;
    TrainListFindings findings;
    write_image("train/real/a/0.png", 32, 32, 1);
    write_image("val/real/b/0.png", 32, 32, 2);
    write_image("test/real/c/0.png", 32, 32, 1);
    read_sets(&sets, 3);
    const DataList *const lists[] = {&sets.lists[0], &sets.lists[1], &sets.lists[2]};
    ck_ok(train_check_lists(lists, 3, TRAIN_CHECKS_FULL, NULL, &findings, &error), &error);
    ck_assert(!train_lists_overlap(&findings, 0, 1));
    ck_assert(train_lists_overlap(&findings, 0, 2));
    ck_assert(!train_lists_overlap(&findings, 1, 2));
    free_sets(&sets);
}
END_TEST

START_TEST(test_classes)
{
    DataList list;
    Error error = {0};
    write_image("set/DF/b/0.png", 32, 32, 1);
    read_set(&list, "set");
    ck_assert_int_eq(train_check_classes(&list, "training", &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "training list: all 1 frames are fake"));
    data_list_free(&list);
    write_image("set/real/a/0.png", 32, 32, 2);
    read_set(&list, "set");
    ck_ok(train_check_classes(&list, "training", &error), &error);
    data_list_free(&list);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("list_checks");
    TCase *const test = support_case(suite, "list_checks", 60);
    tcase_add_checked_fixture(test, support_folder_setup, support_folder_teardown);
    tcase_add_test(test, test_nothing_in_common);
    tcase_add_test(test, test_files_and_copies);
    tcase_add_test(test, test_nearly_equal);
    tcase_add_test(test, test_duplicates_and_contradictions);
    tcase_add_test(test, test_many_matches);
    tcase_add_test(test, test_people);
    tcase_add_test(test, test_unreadable);
    tcase_add_test(test, test_sizes);
    if (LNCLIP_WITH_JPEG)
        tcase_add_test(test, test_size_behind_metadata);
    tcase_add_test(test, test_shapes);
    tcase_add_test(test, test_size_tells_label);
    tcase_add_test(test, test_size_tells_nothing);
    tcase_add_test(test, test_levels);
    tcase_add_test(test, test_lists_overlap);
    tcase_add_test(test, test_classes);
    return support_main(suite);
}
