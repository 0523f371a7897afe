/*
 * test_sets_json.c - DeepfakeBench's files: labels, splits, compression levels, paths; large ones;
 * bad ones.
 */
#include "data/sets/sets.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "tests/support_sets.h"

#include <stdio.h>
#include <string.h>

/* ---- DeepfakeBench
 * ----------------------------------------------------------------------------------------- */

static DataSetsOptions json_options(void)
{
    static char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", support_in_folder("x.json"));
    return (DataSetsOptions){.file = path};
}

START_TEST(deepfakebench)
{
    static const char *const REPLACE[] = {"FaceForensics++\\=ff pp/"};
    support_video("ff pp/original_sequences/youtube/c23/frames/071", 3);
    support_video("ff pp/original_sequences/youtube/c40/frames/071", 1);
    support_video("ff pp/manipulated_sequences/Deepfakes/c23/frames/071_054", 2);
    support_text(
        "x.json",
        "{\"FF-DF\": {\"FF-real\": {\"train\": {"
        "\"c23\": {\"071\": {\"label\": \"FF-real\", \"frames\": ["
        "\"FaceForensics++\\\\original_sequences\\\\youtube\\\\c23\\\\frames\\\\071\\\\002.png\","
        "\"FaceForensics++\\\\original_sequences\\\\youtube\\\\c23\\\\frames\\\\071\\\\000.png\","
        "\"FaceForensics++\\\\original_sequences\\\\youtube\\\\c23\\\\frames\\\\071\\\\009.png\"]},"
        "\"054\": {\"label\": \"FF-real\", \"frames\": []}},"
        "\"c40\": {\"071\": {\"label\": \"FF-real\", \"frames\": ["
        "\"FaceForensics++\\\\original_sequences\\\\youtube\\\\c40\\\\frames\\\\071\\\\000.png\"]}}"
        "},"
        "\"val\": {}, \"test\": {\"c23\": {}, \"c40\": {}}},"
        "\"FF-DF\": {\"train\": {\"c23\": {\"071_054\": {\"label\": \"FF-DF\", \"frames\": ["
        "\"./ff pp/manipulated_sequences/Deepfakes/c23/frames/071_054/000.png\"], \"masks\": "
        "[]}}}}}}");
    DataSetsOptions options = json_options();
    options.replace = REPLACE;
    options.replace_count = 1;
    DataSets sets = support_read_set("deepfakebench", "", options);
    ck_assert_int_eq(sets.count, 2);
    support_check_source(&sets, DATA_TRAIN, "FF-real", 0, 2, 1);
    support_check_source(&sets, DATA_TRAIN, "FF-DF", 1, 1, 1);
    const DataSetsVideo *const real = &support_source(&sets, DATA_TRAIN, "FF-real")->videos[1];
    ck_assert_str_eq(real->name, "071");
    ck_assert_int_eq(real->count, 2); /* 009 is not there */
    ck_assert(strstr(real->frames[0], "/c23/frames/071/000.png") && real->frames[0][0] == '/');
    ck_assert(
        support_set_warns(&sets, "1 frames of 1 videos are named in the file but do not exist"));
    support_check_list(&sets, DATA_TRAIN, "FF-real", 0, 1, 2);
    support_check_list(&sets, DATA_TRAIN, "FF-DF", 1, 1, 1);
    data_sets_free(&sets);
    options.compression = "raw";
    support_refuse_set("deepfakebench", "", options, STATUS_FAILED,
                       "has no compression level raw, but c23, c40");
    options.compression = "c40"; /* which the fakes of this file lack */
    support_refuse_set("deepfakebench", "", options, STATUS_FAILED,
                       "has no compression level c40, but c23");
    const char *const wrong[] = {"no rule"};
    options.replace = wrong;
    support_refuse_set("deepfakebench", "", options, STATUS_USAGE, "is not of the form OLD=NEW");
}
END_TEST

START_TEST(deepfakebench_labels)
{
    /* The dictionary of DeepfakeBench's test configuration, and what each label means there. */
    static const struct {
        const char *name;
        int label;
    } LABELS[] = {
        {"DFD_fake", 1},       {"DFD_real", 0},       {"FF-SH", 1},          {"FF-F2F", 1},
        {"FF-DF", 1},          {"FF-FS", 1},          {"FF-NT", 1},          {"FF-FH", 1},
        {"FF-real", 0},        {"CelebDFv1_real", 0}, {"CelebDFv1_fake", 1}, {"CelebDFv2_real", 0},
        {"CelebDFv2_fake", 1}, {"DFDCP_Real", 0},     {"DFDCP_FakeA", 1},    {"DFDCP_FakeB", 1},
        {"DFDC_Fake", 1},      {"DFDC_Real", 0},      {"DF_fake", 1},        {"DF_real", 0},
        {"UADFV_Fake", 1},     {"UADFV_Real", 0},     {"roop_Real", 0},      {"roop_Fake", 1},
        {"heygen_Fake", 1},    {"heygen_Real", 0}};
    static const char *const FAKE[] = {"heygen_Fake"}, *const REAL[] = {"heygen_Real"};
    DataSetsOptions options = json_options();
    support_video("a", 1);
    for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
        char content[500];
        snprintf(content, sizeof content,
                 "{\"set\": {\"%s\": {\"test\": {\"v\": {\"label\": \"%s\", \"frames\": "
                 "[\"a/000.png\"]}}}}}",
                 LABELS[i].name, LABELS[i].name);
        support_text("x.json", content);
        if (strncmp(LABELS[i].name, "heygen", 6) == 0) {
            options.real_count = options.fake_count = 0;
            support_refuse_set("deepfakebench", "", options, STATUS_FAILED,
                               "is not in DeepfakeBench's dictionary");
            options.real = REAL, options.fake = FAKE;
            options.real_count = options.fake_count = 1;
        }
        DataSets sets = support_read_set("deepfakebench", "", options);
        support_check_source(&sets, DATA_TEST, LABELS[i].name, LABELS[i].label, 1, 1);
        data_sets_free(&sets);
    }
}
END_TEST

START_TEST(deepfakebench_shared_splits)
{
    support_video("a/r", 1);
    support_video("a/f", 1);
    support_text(
        "x.json",
        "{\"DeepFakeDetection\": {"
        "\"DFD_real\": {\"train\": {\"c23\": {\"r\": {\"label\": \"DFD_real\", \"frames\": "
        "[\"a/r/000.png\"]}}},"
        "\"val\": {\"c23\": {\"r\": {\"label\": \"DFD_real\", \"frames\": [\"a/r/000.png\"]}}}},"
        "\"DFD_fake\": {\"val\": {\"c23\": {\"f\": {\"label\": \"DFD_fake\", \"frames\": "
        "[\"a/f/000.png\"]}}},"
        "\"test\": {\"c23\": {\"f\": {\"label\": \"DFD_fake\", \"frames\": "
        "[\"a/f/000.png\"]}}}}}}");
    DataSets sets = support_read_set("deepfakebench", "", json_options());
    ck_assert(support_set_warns(&sets, "train and val share 1 videos"));
    ck_assert(support_set_warns(&sets, "val and test share 1 videos"));
    ck_assert(!support_set_warns(&sets, "train and test share"));
    data_sets_free(&sets);
}
END_TEST

/* More videos than are parsed at a time, with names full of what the cutting of the text must not
 * stumble on. */
START_TEST(deepfakebench_many_videos)
{
    enum { VIDEOS = 1300 };
    char *content = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&content, &size);
    ck_assert_ptr_nonnull(stream);
    fputs("{\"a\": {\"FF-DF\": {\"train\": {}, \"test\": {\n", stream);
    for (int i = 0; i < VIDEOS; i++)
        fprintf(stream,
                "%s\"%d {\\\"}[\\\\\": {\"label\": \"FF-DF\",\n\"@\": 7, \"frames\": "
                "[\"v%d\\\\000.png\"]}\n",
                i ? "," : "", i, i % 3);
    fputs("}}}}", stream);
    ck_assert_int_eq(fclose(stream), 0);
    support_write_file(support_in_folder(""), "x.json", content, size);
    support_video("v0", 1);
    support_video("v1", 1);
    DataSetsOptions options = json_options();
    Error error = {0};
    for (int threads = 1; threads <= 3; threads += 2) {
        ck_ok(threads_create(&options.threads, threads, &error), &error);
        DataSets sets = support_read_set("deepfakebench", "", options);
        support_check_source(&sets, DATA_TEST, "FF-DF", 1, VIDEOS, 867);
        ck_assert_str_eq(sets.sources[0].videos[0].name, "0 {\"}[\\");
        data_sets_free(&sets);
        /* A slip in a late video is found, at its line, whatever the number of threads. */
        char *const late = strstr(content, "v2\\\\000.png\"]}\n,\"1290 ");
        ck_assert_ptr_nonnull(late);
        late[12] = ' ';
        support_write_file(support_in_folder(""), "x.json", content, size);
        support_refuse_set("deepfakebench", "", options, STATUS_FAILED, "line 2581: invalid JSON");
        late[12] = ']';
        support_write_file(support_in_folder(""), "x.json", content, size);
        threads_destroy(options.threads);
    }
    free(content);
}
END_TEST

START_TEST(deepfakebench_bad_files)
{
    static const struct {
        const char *content, *words;
    } CASES[] = {
        {"", "the file is empty"},
        {"{\"a\": ", "invalid JSON"},
        {"[]", "there is no object of a data set"},
        {"\xef\xbb\xbf", "the file is empty"},
        {"\"", "invalid JSON"},
        {"\"\\\"", "invalid JSON"},
        {"}{", "invalid JSON"},
        {"{{}: {}}", "line 1: invalid JSON"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\n\"v\": {\n\"frames\": [1,]}}}}}",
         "line 3: invalid JSON"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\n\"v\": {\n\"frames\": []}, ]}}}",
         "line 3: invalid JSON"},
        {"{\"@\": 0}", "@: the data set holds no labels"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"@\": 0}}}}}", "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": []}, \"v\": {}}}}}", "duplicate"},
        {"{}", "there is no object of a data set"},
        {"{\"a\": []}", "a: the data set holds no labels"},
        {"{\"a\": {\"Fake\": {}}}", "the label Fake is not in DeepfakeBench's dictionary"},
        {"{\"a\": {\"FF-DF\": 3}}", "a / FF-DF: a label holds no splits"},
        {"{\"a\": {\"FF-DF\": {\"dev\": {}}}}", "a / FF-DF / dev: there is a split"},
        {"{\"a\": {\"FF-DF\": {\"test\": []}}}",
         "a / FF-DF / test: a split is not an object of videos"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": []}}}}", "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": {}}}}}}",
         "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [7]}}}}}", "a frame is not a string"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"\"]}}}}}", "empty or too long"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"label\": \"FF-real\", \"frames\": [\"a\"]}}}}}",
         "label differs from the label it is listed under"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"c23\": {}, \"c40\": 1}}}}",
         "a compression level is not an object"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"no/0.png\"]}}}}}",
         "has frames of none of the 1 videos expected"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"a/000.png\"]}}},"
         " \"FF-real\": {\"test\": {\"w\": {\"frames\": [\"a/000.png\"]}}}}}",
         "named as real and as fake"},
    };
    support_video("a", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("x.json", CASES[i].content);
        support_refuse_set("deepfakebench", "", json_options(), STATUS_FAILED, CASES[i].words);
    }
    support_text("x.json",
                 "{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"a/000.png\"]}}}}}");
    DataSetsOptions options = json_options();
    options.compression = "c23";
    support_refuse_set("deepfakebench", "", options, STATUS_FAILED, "has no compression levels");
    options.file = "nowhere.json";
    support_refuse_set("deepfakebench", "", options, STATUS_FAILED, "nowhere.json: cannot be read");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sets_json");
    TCase *const files = support_case(suite, "files", 120);
    tcase_add_checked_fixture(files, support_folder_setup, support_folder_teardown);
    tcase_add_test(files, deepfakebench);
    tcase_add_test(files, deepfakebench_labels);
    tcase_add_test(files, deepfakebench_shared_splits);
    tcase_add_test(files, deepfakebench_many_videos);
    tcase_add_test(files, deepfakebench_bad_files);
    return support_main(suite);
}
