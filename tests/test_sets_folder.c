/*
 * test_sets_folder.c - data sets defined by folders, custom ones included; links, depth, videos
 * without frames; and writing. What is written is read again as training reads it.
 */
#include "data/sets/sets.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_sets.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- defined by folders ---------------------------------------------------------------------- */

START_TEST(dfd_ffiw_uadfv)
{
    support_video("FF/original_sequences/actors/c23/frames/01__walking", 2);
    support_video("FF/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__walking__YVGY8LOK",
                  2);
    support_video("FF/manipulated_sequences/DeepFakeDetection/c23/masks/01_02__walking__YVGY8LOK",
                  2);
    DataSets sets = support_read_set("dfd", "FF", (DataSetsOptions){0});
    ck_assert_int_eq(sets.count, 2);
    support_check_source(&sets, DATA_TEST, "real", 0, 1, 1);
    support_check_source(&sets, DATA_TEST, "fake", 1, 1, 1);
    ck_assert(support_set_warns(&sets, "fake: frames of 1 videos, where 3068 are published"));
    data_sets_free(&sets);
    support_refuse_set("dfd", "FF", (DataSetsOptions){.split = "dev"}, STATUS_USAGE,
                       "unknown split");

    support_video("FFIW10K-v1-release/source/val/videos/0001", 2);
    support_video("FFIW10K-v1-release/target/val/videos/0001", 2);
    support_video("FFIW10K-v1-release/target_mask/val/videos/0001", 2);
    support_video("FFIW10K-v1-release-test/target/test/0009", 1);
    sets = support_read_set("ffiw", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_VAL, "real", 0, 1, 1);
    support_check_source(&sets, DATA_VAL, "fake", 1, 1, 1);
    support_check_source(&sets, DATA_TEST, "fake", 1, 1, 1);
    ck_assert_int_eq(sets.count, 3);
    support_check_list(&sets, DATA_VAL, "real", 0, 1, 2);
    data_sets_free(&sets);
    support_refuse_set("ffiw", "FF", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not contain this data set");

    support_video("UADFV/real/frames/0000", 2);
    support_video("UADFV/fake/frames/0000_fake", 2);
    sets = support_read_set("uadfv", "", (DataSetsOptions){.split = "val"});
    support_check_source(&sets, DATA_VAL, "real", 0, 1, 1);
    support_check_source(&sets, DATA_VAL, "fake", 1, 1, 1);
    support_check_list(&sets, DATA_VAL, "real", 0, 1, 2);
    data_sets_free(&sets);
    support_refuse_set("uadfv", "FF", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not contain this data set");
}
END_TEST

START_TEST(own_folders)
{
    static const char *const REAL[] = {"my pictures, true"}, *const FAKE[] = {"b/gen\xfc", "c/"},
                             *const TWICE[] = {"c", "./c/"}, *const GONE[] = {"d"};
    support_video("my pictures, true/deep/er/v 1", 2);
    support_video("my pictures, true/v,2", 12);
    support_text("my pictures, true/v,2/notes.txt", "");
    support_text("my pictures, true/.hidden/v/000.png", "");
    support_video("my pictures, true/v,2/masks", 2);
    support_text("b/gen\xfc/v/1.jpg", "");
    support_text("b/gen\xfc/v/10.JPEG", "");
    support_text("b/gen\xfc/v/2.jpg", "");
    support_video("c", 1); /* images right in the source */
    const DataSetsOptions options = {.real = REAL, .real_count = 1, .fake = FAKE, .fake_count = 2};
    DataSets sets = support_read_set("folder", "", options);
    support_check_source(&sets, DATA_TEST, "my pictures, true", 0, 2, 2);
    support_check_source(&sets, DATA_TEST, "b_gen\xfc", 1, 1, 1);
    support_check_source(&sets, DATA_TEST, "c", 1, 1, 1);
    ck_assert_str_eq(support_source(&sets, DATA_TEST, "my pictures, true")->videos[0].name,
                     "deep/er/v 1");
    /* By the numbers, not by the bytes. */
    const DataSetsVideo *const numbered = &support_source(&sets, DATA_TEST, "b_gen\xfc")->videos[0];
    ck_assert(strstr(numbered->frames[0], "/1.jpg") && strstr(numbered->frames[1], "/2.jpg") &&
              strstr(numbered->frames[2], "/10.JPEG"));
    support_check_list(&sets, DATA_TEST, "my pictures, true", 0, 2, 14);
    support_check_list(&sets, DATA_TEST, "b_gen\xfc", 1, 1, 3);
    support_check_list(&sets, DATA_TEST, "c", 1, 1, 1);
    data_sets_free(&sets);

    support_refuse_set("folder", "", (DataSetsOptions){0}, STATUS_USAGE, "no source was named");
    support_refuse_set("folder", "", (DataSetsOptions){.real = TWICE, .real_count = 2},
                       STATUS_USAGE, "named twice");
    support_refuse_set("folder", "", (DataSetsOptions){.real = GONE, .real_count = 1},
                       STATUS_FAILED, "d: the folder does not exist");
    support_refuse_set(
        "folder", "",
        (DataSetsOptions){.real = FAKE, .real_count = 2, .fake = FAKE, .fake_count = 2},
        STATUS_FAILED, "named as real and as fake");
    const char *const inner[] = {"b"};
    support_refuse_set(
        "folder", "",
        (DataSetsOptions){.real = inner, .real_count = 1, .fake = FAKE, .fake_count = 2},
        STATUS_FAILED, "a video needs one label");
}
END_TEST

START_TEST(links_and_loops)
{
    static const char *const REAL[] = {"a"};
    const DataSetsOptions options = {.real = REAL, .real_count = 1};
    support_video("elsewhere/v2", 2);
    support_video("a/v1", 2);
    support_link("..", "a/up");        /* a loop */
    support_link("self", "a/v1/self"); /* a link to itself */
    support_link("../../elsewhere/v2", "a/v1/linked");
    support_link("nothing.png", "a/v1/9.png");
    support_link("000.png", "a/v1/002.png");
    DataSets sets = support_read_set("folder", "", options);
    const DataSetsSource *const source = support_source(&sets, DATA_TEST, "a");
    ck_assert_ptr_nonnull(source);
    ck_assert(support_set_warns(&sets, "1 frames are dangling links and were skipped, the first:"));
    int frames = 0;
    for (int v = 0; v < source->count; v++)
        frames += strcmp(source->videos[v].name, "v1") == 0 ? source->videos[v].count : 0;
    ck_assert_int_eq(frames, 3);
    data_sets_free(&sets);

    /* A loop instead of an expected video. */
    support_ff_set("FF", "c23/frames");
    ck_assert_int_eq(rename(support_in_folder("FF/original_sequences/youtube/c23/frames/071"),
                            support_in_folder("moved")),
                     0);
    support_link("071", "FF/original_sequences/youtube/c23/frames/071");
    support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED,
                       "/071: the folder cannot be read");
    if (geteuid() != 0) { /* root reads everything */
        ck_assert_int_eq(chmod(support_in_folder("a/v1"), 0), 0);
        support_refuse_set("folder", "", options, STATUS_FAILED, "a/v1: the folder cannot be read");
        ck_assert_int_eq(chmod(support_in_folder("a/v1"), 0700), 0);
    }
}
END_TEST

START_TEST(too_deep)
{
    static const char *const REAL[] = {"a"};
    char name[200] = "a";
    for (int i = 0; i < 40; i++)
        strcat(name, "/d");
    support_video(name, 1);
    support_refuse_set("folder", "", (DataSetsOptions){.real = REAL, .real_count = 1},
                       STATUS_FAILED, "more than 32 deep");
}
END_TEST

START_TEST(videos_alone)
{
    support_text("real/videos/0000.mp4", "");
    support_text("fake/0000_fake.mp4", "");
    support_refuse_set("uadfv", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "has videos but no frames; extract");
    support_ff_set("FF", "c23/frames");
    support_text("CDF/Celeb-real/id0_0000.mp4", "");
    support_text("CDF/Celeb-synthesis/id0_id1_0000.mp4", "");
    support_text("CDF/List_of_testing_videos.txt", "1 Celeb-real/id0_0000.mp4\n");
    support_refuse_set("celebdf2", "CDF", (DataSetsOptions){0}, STATUS_FAILED,
                       "has videos but no frames; extract");
    support_text("P/method_A/1/a.mp4", "");
    support_text("P/dataset.json",
                 "{\"method_A/1/a.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "P", (DataSetsOptions){0}, STATUS_FAILED,
                       "has videos but no frames; extract");
    /* Some of it: a warning, and the missing ones are counted. */
    support_video("real/frames/0001", 1);
    DataSets sets = support_read_set("uadfv", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TEST, "real", 0, 2, 1);
    support_check_source(&sets, DATA_TEST, "fake", 1, 1, 0);
    ck_assert(support_set_warns(&sets, "fake: has videos but no frames"));
    ck_assert(support_set_warns(&sets, "test: only real videos were found"));
    data_sets_free(&sets);
}
END_TEST

/* ---- writing
 * -----------------------------------------------------------------------------------------------
 * */

START_TEST(writing_is_all_or_nothing)
{
    static const char *const REAL[] = {"real"}, *const FAKE[] = {"swap"};
    support_video("real/a", 2);
    support_video("swap/b", 2);
    DataSets sets = support_read_set(
        "folder", "",
        (DataSetsOptions){.real = REAL, .real_count = 1, .fake = FAKE, .fake_count = 1});
    char out[FILE_PATH_SIZE];
    Error error = {0};
    snprintf(out, sizeof out, "%s", support_in_folder("o"));
    ck_ok(data_sets_write(&sets, out, false, "{}", 2, &error), &error);
    ck_assert_int_eq(data_sets_write(&sets, out, false, "{}", 2, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, "--overwrite") != NULL);
    ck_ok(data_sets_write(&sets, out, true, "{1}", 3, &error), &error);
    char *content;
    size_t size;
    ck_ok(file_read(support_in_folder("o/coverage.json"), 100, &content, &size, &error), &error);
    ck_assert_str_eq(content, "{1}");
    free(content);
    /* Earlier lists are removed. */
    support_text("o/train/old.txt", "");
    ck_ok(data_sets_write(&sets, out, true, "{2}", 3, &error), &error);
    ck_assert(!file_exists(support_in_folder("o/train")));
    /* Somebody's own file is left alone. */
    support_text("o/test/notes.md", "");
    ck_assert_int_eq(data_sets_write(&sets, out, true, "{3}", 3, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, "lnclip did not write") != NULL);
    ck_assert(file_exists(support_in_folder("o/test/notes.md")));
    ck_assert_int_eq(data_sets_write(&sets, support_in_folder("real"), true, "{}", 2, &error),
                     STATUS_FAILED);
    ck_assert_int_eq(
        data_sets_write(&sets, support_in_folder("o/coverage.json"), true, "{}", 2, &error),
        STATUS_FAILED);
    data_sets_free(&sets);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sets_folder");
    TCase *const kinds = support_case(suite, "kinds", 120);
    tcase_add_checked_fixture(kinds, support_folder_setup, support_folder_teardown);
    tcase_add_test(kinds, dfd_ffiw_uadfv);
    tcase_add_test(kinds, own_folders);
    tcase_add_test(kinds, writing_is_all_or_nothing);
    TCase *const bad = support_case(suite, "bad input", 120);
    tcase_add_checked_fixture(bad, support_folder_setup, support_folder_teardown);
    tcase_add_test(bad, links_and_loops);
    tcase_add_test(bad, too_deep);
    tcase_add_test(bad, videos_alone);
    return support_main(suite);
}
