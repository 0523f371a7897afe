/*
 * test_sets.c - data sets as they are distributed: every kind in small trees, and everything that is refused.
 * DeepfakeBench's files are in test_sets_json.c.
 *
 * What is written is read again as training reads it.
 */
#include "data/sets.h"
#include "tensor/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "tests/support_sets.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- FaceForensics++ -------------------------------------------------------------------------------- */

static const char *const FOLDERS[] = {
    "original_sequences/youtube", "manipulated_sequences/Deepfakes",
    "manipulated_sequences/Face2Face", "manipulated_sequences/FaceSwap",
    "manipulated_sequences/NeuralTextures"};
static const char *const SOURCES[] = {"real", "DF", "F2F", "FS", "NT"};

/* Six originals in three pairs, of the frames in `level` ("c23/frames"); splits beside. */
static void make_ff(const char *root, const char *level)
{
    static const char *const REALS[] = {"071", "054", "720", "672", "953", "974"};
    char name[600];
    for (int m = 0; m < 5; m++) {
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, m ? "%s/%s/%s/%s_%s" : "%s/%s/%s/%s", root, FOLDERS[m],
                     level, REALS[i], REALS[i ^ 1]);
            support_video(name, 3);
        }
    }
    snprintf(name, sizeof name, "%s/train.json", root);
    support_text(name, "[\n  [\n    \"071\",\n    \"054\"\n  ]\n]\n");
    snprintf(name, sizeof name, "%s/val.json", root);
    support_text(name, "\xef\xbb\xbf[[\"720\", \"672\"]]\r\n");
    snprintf(name, sizeof name, "%s/test.json", root);
    support_text(name, "[[\"953\",\"974\"]]");
}

START_TEST(ff_original_layout)
{
    make_ff("FF", "c23/frames");
    support_video("FF/manipulated_sequences/Deepfakes/c23/masks/071_054", 3); /* no frames */
    DataSets sets = support_read_set("ff", "FF", (DataSetsOptions){0});
    ck_assert_int_eq(sets.count, 15);
    for (int m = 0; m < 5; m++)
        for (int split = 0; split < DATA_SPLITS; split++)
            support_check_source(&sets, (DataSplit)split, SOURCES[m], m > 0, 2, 2);
    ck_assert_str_eq(support_source(&sets, DATA_TRAIN, "real")->videos[0].name, "054");
    ck_assert_str_eq(support_source(&sets, DATA_TEST, "NT")->videos[1].name, "974_953");
    ck_assert(
        support_set_warns(&sets, "train.json: has 1 pairs, where the official split has 360"));
    for (int m = 0; m < 5; m++)
        support_check_list(&sets, DATA_VAL, SOURCES[m], m > 0, 2, 6);
    data_sets_free(&sets);

    /* From above, with the frames in videos/, one video gone and one empty, and FaceShifter as it is. */
    char folder[FILE_PATH_SIZE];
    Error error = {0};
    ck_assert_int_eq(rename(support_in_folder("FF"), support_in_folder("FaceForensics++")), 0);
    support_video("FaceForensics++/manipulated_sequences/FaceShifter/c23/videos/071_054", 1);
    ck_assert_int_eq(
        rename(support_in_folder("FaceForensics++/original_sequences/youtube/c23/frames/071"),
               support_in_folder("away")),
        0);
    ck_assert_int_eq(
        rename(support_in_folder("FaceForensics++/original_sequences/youtube/c23/frames"),
               support_in_folder("FaceForensics++/original_sequences/youtube/c23/videos")),
        0);
    ck_ok(file_join(folder, support_in_folder(""),
                    "FaceForensics++/original_sequences/youtube/c23/videos/071", &error),
          &error);
    ck_ok(file_make_folders(folder, &error), &error);
    sets = support_read_set("ff", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "real", 0, 2, 1);
    ck_assert_str_eq(support_source(&sets, DATA_TRAIN, "real")->videos[1].problem,
                     "no image in its folder");
    support_check_source(&sets, DATA_TRAIN, "FSh", 1, 2, 1);
    ck_assert_str_eq(support_source(&sets, DATA_TRAIN, "FSh")->videos[0].problem, "no folder");
    support_check_source(&sets, DATA_TEST, "FSh", 1, 2, 0);
    data_sets_free(&sets);
}
END_TEST

START_TEST(ff_reference_layout)
{
    make_ff("x", "c23/frames");
    for (int m = 0; m < 5; m++) {
        char from[FILE_PATH_SIZE], to[600];
        snprintf(from, sizeof from, "%s/c23/frames", FOLDERS[m]);
        snprintf(to, sizeof to, "FF/%s", SOURCES[m]);
        support_text("FF/keep", "");
        char old[FILE_PATH_SIZE];
        snprintf(old, sizeof old, "x/%.3000s", from);
        ck_assert_int_eq(rename(support_in_folder(old), support_in_folder(to)), 0);
    }
    DataSets sets;
    const char *const splits = support_in_folder("x");
    sets = support_read_set("ff", "FF", (DataSetsOptions){.splits = splits, .frames = 2});
    for (int m = 0; m < 5; m++)
        support_check_list(&sets, DATA_TEST, SOURCES[m], m > 0, 2, 4);
    /* The paths say what the sources are, so any reader of path lists can use these. */
    char *content;
    size_t size;
    Error error = {0};
    ck_ok(file_read(support_in_folder("lists/test/real.txt"), 1 << 20, &content, &size, &error),
          &error);
    ck_assert_int_eq(content[0], '/');
    ck_assert(strstr(content, "/real/953/000.png\n") && strstr(content, "/real/953/002.png\n") &&
              !strstr(content, "001.png"));
    free(content);
    data_sets_free(&sets);
    support_refuse_set("ff", "FF",
                       (DataSetsOptions){.splits = support_in_folder("x"), .compression = "c23"},
                       STATUS_FAILED, "no folder of a compression level");
}
END_TEST

START_TEST(ff_compression)
{
    make_ff("FF", "c40/frames");
    support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "--compression c40");
    support_refuse_set("ff", "FF", (DataSetsOptions){.compression = "c24"}, STATUS_USAGE,
                       "no such level");
    DataSets sets = support_read_set("ff", "FF", (DataSetsOptions){.compression = "c40"});
    support_check_source(&sets, DATA_TRAIN, "DF", 1, 2, 2);
    data_sets_free(&sets);
    make_ff("raw", "c0"); /* frames right below the level */
    sets = support_read_set("ff", "raw", (DataSetsOptions){.compression = "raw"});
    support_check_source(&sets, DATA_TEST, "real", 0, 2, 2);
    data_sets_free(&sets);
}
END_TEST

START_TEST(ff_bad_splits)
{
    static const struct {
        const char *content, *words;
    } CASES[] = {
        {"", "val.json: the file is empty"},
        {"[[\"1\"", "val.json: line 1: no valid JSON"},
        {"{\"a\": 1}", "val.json: is no list of pairs"},
        {"[]", "val.json: is no list of pairs"},
        {"[[\"720\",\"672\"],[\"720\"]]", "entry 2 is no pair"},
        {"[[\"720\",\"672\",\"673\"]]", "entry 1 is no pair"},
        {"[[\"720\", 672]]", "entry 1 is no pair"},
        {"[[\"720\",\"720\"]]", "entry 1 is no pair"},
        {"[[\"720\",\"../672\"]]", "entry 1 is no pair"},
        {"[[\"720\",\"\"]]", "entry 1 is no pair"},
        {"[[\"720\",\"071\"]]", "the video 071 is in train.json and again in val.json"},
        {"[[\"720\",\"672\"],[\"673\",\"720\"]]",
         "the video 720 is in val.json and again in val.json"},
        {"[[\"720\",\"67\xff\"]]", "no valid JSON"},
    };
    make_ff("FF", "c23/frames");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("FF/val.json", CASES[i].content);
        support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("FF/val.json")), 0);
    support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "ondyari/FaceForensics");
    support_refuse_set("ff", "FF", (DataSetsOptions){.splits = "nowhere"}, STATUS_FAILED,
                       "nowhere: the split file train.json is not there");
    support_refuse_set("ff", "FF/train.json", (DataSetsOptions){0}, STATUS_FAILED, "is no folder");
    support_refuse_set("ff", "FG", (DataSetsOptions){0}, STATUS_FAILED, "cannot be read");
    support_refuse_set("ff", "FF/original_sequences/youtube/c23/frames/071", (DataSetsOptions){0},
                       STATUS_FAILED, "does not hold this data set");
}
END_TEST

/* ---- Celeb-DF-v2 ------------------------------------------------------------------------------------- */

static void make_celeb(const char *inner)
{
    static const char *const VIDEOS[] = {
        "Celeb-real/%s/id0_0000",          "Celeb-real/%s/id0_0001",
        "YouTube-real/%s/00170",           "YouTube-real/%s/00000",
        "Celeb-synthesis/%s/id0_id1_0000", "Celeb-synthesis/%s/id0_id1_0001",
        "Celeb-synthesis/%s/id2_id1_0000"};
    for (int i = 0; i < 7; i++) {
        char name[600];
        snprintf(name, sizeof name, VIDEOS[i], inner);
        support_video(name, 2);
    }
    support_text("List_of_testing_videos.txt", "\xef\xbb\xbf"
                                               "1 YouTube-real/00170.mp4\r\n"
                                               "1 Celeb-real/id0_0001.mp4\r\n"
                                               "0 Celeb-synthesis/id0_id1_0000.mp4\r\n\r\n"
                                               "0 Celeb-synthesis/id0_id9_0000.mp4");
}

START_TEST(celebdf2)
{
    make_celeb("frames");
    support_text("Celeb-real/videos/id0_0000.mp4", ""); /* has frames */
    support_text("Celeb-real/videos/id0_0001.mp4", ""); /* is in the test */
    support_text("Celeb-real/videos/id7_0000.mp4", ""); /* was forgotten */
    DataSets sets = support_read_set("celebdf2", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TEST, "Celeb-real", 0, 1, 1);
    support_check_source(&sets, DATA_TEST, "YouTube-real", 0, 1, 1);
    support_check_source(&sets, DATA_TEST, "Celeb-synthesis", 1, 2, 1);
    support_check_source(&sets, DATA_TRAIN, "Celeb-real", 0, 2, 1);
    support_check_source(&sets, DATA_TRAIN, "YouTube-real", 0, 1, 1);
    support_check_source(&sets, DATA_TRAIN, "Celeb-synthesis", 1, 2, 2);
    ck_assert_str_eq(support_source(&sets, DATA_TRAIN, "Celeb-real")->videos[1].name, "id7_0000");
    ck_assert_str_eq(support_source(&sets, DATA_TRAIN, "Celeb-synthesis")->videos[0].name,
                     "id0_id1_0001");
    ck_assert(!support_set_warns(&sets, "share"));
    ck_assert(support_set_warns(&sets, "Celeb-real: frames of 2 videos, where 590 are published"));
    support_check_list(&sets, DATA_TEST, "YouTube-real", 0, 1, 2);
    support_check_list(&sets, DATA_TRAIN, "Celeb-synthesis", 1, 2, 4);
    data_sets_free(&sets);

    /* One folder of another spelling, the list elsewhere. */
    ck_assert_int_eq(rename(support_in_folder("YouTube-real"), support_in_folder("Youtube-real")),
                     0);
    support_text("list/x", "");
    ck_assert_int_eq(rename(support_in_folder("List_of_testing_videos.txt"),
                            support_in_folder("list/List_of_testing_videos.txt")),
                     0);
    support_refuse_set("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "List_of_testing_videos.txt is not there");
    sets = support_read_set("celebdf2", "", (DataSetsOptions){.splits = support_in_folder("list")});
    support_check_source(&sets, DATA_TEST, "YouTube-real", 0, 1, 1);
    data_sets_free(&sets);
}
END_TEST

START_TEST(celebdf2_bad_lists)
{
    static const struct {
        const char *content, *words;
    } CASES[] = {
        {"", "the file is empty"},
        {"1 YouTube-real/00170.mp4\n0 YouTube-real/00000.mp4\n",
         "line 2: '0 YouTube-real/00000.mp4' contradicts"},
        {"1 Celeb-synthesis/id0_id1_0000.mp4\n", "contradicts its folder (1 means real"},
        {"2 YouTube-real/00170.mp4\n", "line 1: '2 YouTube-real/00170.mp4' is not of the form"},
        {"YouTube-real/00170.mp4\n", "is not of the form"},
        {"1 YouTube-real\n", "is not of the form"},
        {"1 Else-real/00170.mp4\n", "is not of the form"},
        {"1 YouTube-real/\n", "is not of the form"},
    };
    make_celeb("videos");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("List_of_testing_videos.txt", CASES[i].content);
        support_refuse_set("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    support_write_file(support_in_folder(""), "List_of_testing_videos.txt",
                       "\xff\xfe"
                       "1\0 \0",
                       6);
    support_refuse_set("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED, "holds a zero byte");
    support_refuse_set("celebdf2", "Celeb-real", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not hold this data set");
}
END_TEST

/* ---- DFDC and its preview ------------------------------------------------------------------------------ */

START_TEST(dfdc)
{
    support_video("train/dfdc_train_part_0/frames/owxbbpjpch", 2);
    support_video("train/dfdc_train_part_0/frames/vpmyeepbep", 3);
    support_text("train/dfdc_train_part_0/metadata.json",
                 "{\"owxbbpjpch.mp4\": {\"label\": \"FAKE\", \"split\": \"train\", \"original\": "
                 "\"wynotylpnm.mp4\"},"
                 " \"vpmyeepbep.mp4\": {\"label\": \"REAL\", \"split\": \"train\"}}");
    support_video("train/dfdc_train_part_1/dfdc_train_part_1/aa",
                  1); /* as unpacked by some tools */
    support_text("train/dfdc_train_part_1/dfdc_train_part_1/metadata.json",
                 "{\"aa.mp4\": {\"label\": \"FAKE\"}, \"bb.mp4\": {\"label\": \"REAL\", \"split\": "
                 "\"train\"}}");
    support_video("test/frames/x, y", 1);
    support_video("test/frames/\xc3\xa9t\xc3\xa9", 1);
    support_video("test/frames/q\"q", 1);
    support_text("test/labels.csv",
                 "\xef\xbb\xbf"
                 "filename,label\r\n\"x, y.mp4\",0\r\n\xc3\xa9t\xc3\xa9.mp4,1\r\n\r\n"
                 "\"q\"\"q.mp4\",\"1\"\r\ngone.mp4,1");
    DataSets sets = support_read_set("dfdc", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "real", 0, 2, 1);
    support_check_source(&sets, DATA_TRAIN, "fake", 1, 2, 2);
    support_check_source(&sets, DATA_TEST, "real", 0, 1, 1);
    support_check_source(&sets, DATA_TEST, "fake", 1, 3, 2);
    support_check_list(&sets, DATA_TRAIN, "fake", 1, 2, 3);
    support_check_list(&sets, DATA_TEST, "real", 0, 1, 1);
    support_check_list(&sets, DATA_TEST, "fake", 1, 2, 2);
    data_sets_free(&sets);
    support_text("test/labels.csv", "label,filename,more\n0,\"x, y.mp4\",\n0,\"x, y.mp4\",\n");
    sets = support_read_set("dfdc", "test", (DataSetsOptions){0}); /* the test alone */
    support_check_source(&sets, DATA_TEST, "real", 0, 1, 1);
    ck_assert(support_set_warns(&sets, "train: no part"));
    ck_assert(support_set_warns(&sets, "test/real: 1 videos are named twice; they count once"));
    data_sets_free(&sets);
    support_text("test/labels.csv", "filename,label\n\"x, y.mp4\",0\n\"x, y.mp4\",1\n");
    support_refuse_set("dfdc", "test", (DataSetsOptions){0}, STATUS_FAILED,
                       "named as real and as fake");
}
END_TEST

/* Named by the folder above: parts and test are both found. */
START_TEST(dfdc_from_above)
{
    support_video("DFDC/train/dfdc_train_part_0/frames/aa", 1);
    support_text("DFDC/train/dfdc_train_part_0/metadata.json",
                 "{\"aa.mp4\": {\"label\": \"FAKE\"}}");
    support_video("DFDC/test/frames/bb", 1);
    support_text("DFDC/test/labels.csv", "filename,label\nbb.mp4,0\n");
    DataSets sets = support_read_set("dfdc", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "fake", 1, 1, 1);
    support_check_source(&sets, DATA_TEST, "real", 0, 1, 1);
    data_sets_free(&sets);
}
END_TEST

START_TEST(dfdc_bad_files)
{
    static const struct {
        const char *content, *words;
    } CASES[] =
        {
            {"", "does not name the columns filename and label"},
            {"name,label\nx.mp4,0\n", "does not name the columns filename and label"},
            {"filename;label\nx.mp4;0\n", "does not name the columns"},
            {"filename,label\nx.mp4,2\n", "line 2: the label is not 0 (real) or 1 (fake)"},
            {"filename,label\nx.mp4\n", "line 2: has too few columns"},
            {"filename,label\n\"x.mp4,0\n", "line 2: a quote does not close"},
            {"filename,label\n\"x\"y.mp4,0\n",
             "line 2: a quote does not close, or text stands behind one"},
            {"filename,label\nx.mp4,0\n,1\n", "line 3: the filename is no name of a video"},
            {"filename,label\n..mp4,1\n", "line 2: the filename is no name of a video"},
        },
      PARTS[] = {
          {"[]", "is no object of videos"},
          {"{\"x.mp4\": 1}", "x.mp4: has no label REAL or FAKE"},
          {"{\"x.mp4\": {\"label\": \"maybe\"}}", "x.mp4: has no label REAL or FAKE"},
          {"{\"x.mp4\": {\"label\": \"REAL\", \"split\": 3}}", "its split is not"},
          {"{\"x.mp4\": {\"label\": \"REAL\"}, \"x.mp4\": {\"label\": \"FAKE\"}}",
           "no valid JSON (duplicate"},
          {"{\"a/\": {\"label\": \"REAL\"}}", "is no name of a video"},
      };
    support_video("test/frames/x", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("test/labels.csv", CASES[i].content);
        support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("test/labels.csv")), 0);
    support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not hold this data set");
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        support_text("part/metadata.json", PARTS[i].content);
        support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, PARTS[i].words);
    }
}
END_TEST

START_TEST(dfdcp)
{
    support_video("original_videos/frames/m_1", 2);
    support_video("method_A/frames/m_1_A", 2);
    support_video("method_B/20/20_B/m_1_B", 1);
    support_text(
        "dataset.json",
        "{\"original_videos/20/m_1.mp4\": {\"label\": \"real\", \"set\": \"train\", "
        "\"augmentations\": []},"
        " \"method_A/20/20_A/m_1_A.mp4\": {\"label\": \"fake\", \"set\": \"test\", \"target_id\": "
        "20},"
        " \"method_A/20/20_A/m_2_A.mp4\": {\"label\": \"fake\", \"set\": \"test\"},"
        " \"method_B/20/20_B/m_1_B.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    DataSets sets = support_read_set("dfdcp", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "real", 0, 1, 1);
    support_check_source(&sets, DATA_TEST, "FakeA", 1, 2, 1);
    support_check_source(&sets, DATA_TRAIN, "FakeB", 1, 1, 1);
    ck_assert(support_set_warns(&sets, "test: only fake videos were found"));
    support_check_list(&sets, DATA_TRAIN, "real", 0, 1, 2);
    data_sets_free(&sets);
    support_text("dataset.json",
                 "{\"original_videos/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "its label contradicts its folder");
    support_text("dataset.json",
                 "{\"method_C/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "lies in none of");
    support_text("dataset.json",
                 "{\"method_A/../m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "lies in none of");
    support_text("dataset.json", "{\"method_A/20/m_1.mp4\": {\"label\": \"fake\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "has no set");
    support_text("dataset.json", "[1]");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "is no object of videos");
    support_refuse_set("dfdcp", "method_A", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not hold this data set");
}
END_TEST

/* ---- told by folders ------------------------------------------------------------------------------------- */

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
                       "no such split");

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
                       "does not hold this data set");

    support_video("UADFV/real/frames/0000", 2);
    support_video("UADFV/fake/frames/0000_fake", 2);
    sets = support_read_set("uadfv", "", (DataSetsOptions){.split = "val"});
    support_check_source(&sets, DATA_VAL, "real", 0, 1, 1);
    support_check_source(&sets, DATA_VAL, "fake", 1, 1, 1);
    support_check_list(&sets, DATA_VAL, "real", 0, 1, 2);
    data_sets_free(&sets);
    support_refuse_set("uadfv", "FF", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not hold this data set");
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
                       STATUS_FAILED, "d: there is no such folder");
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
    ck_assert(
        support_set_warns(&sets, "1 frames are links to nothing and were left out, the first:"));
    int frames = 0;
    for (int v = 0; v < source->count; v++)
        frames += strcmp(source->videos[v].name, "v1") == 0 ? source->videos[v].count : 0;
    ck_assert_int_eq(frames, 3);
    data_sets_free(&sets);

    /* A loop in the place of a video that is expected. */
    make_ff("FF", "c23/frames");
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
                       "holds videos, no frames; extract");
    make_ff("FF", "c23/frames");
    support_text("CDF/Celeb-real/id0_0000.mp4", "");
    support_text("CDF/Celeb-synthesis/id0_id1_0000.mp4", "");
    support_text("CDF/List_of_testing_videos.txt", "1 Celeb-real/id0_0000.mp4\n");
    support_refuse_set("celebdf2", "CDF", (DataSetsOptions){0}, STATUS_FAILED,
                       "holds videos, no frames; extract");
    support_text("P/method_A/1/a.mp4", "");
    support_text("P/dataset.json",
                 "{\"method_A/1/a.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "P", (DataSetsOptions){0}, STATUS_FAILED,
                       "holds videos, no frames; extract");
    /* Some of it: a warning, and the missing ones are counted. */
    support_video("real/frames/0001", 1);
    DataSets sets = support_read_set("uadfv", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TEST, "real", 0, 2, 1);
    support_check_source(&sets, DATA_TEST, "fake", 1, 1, 0);
    ck_assert(support_set_warns(&sets, "fake: holds videos, no frames"));
    ck_assert(support_set_warns(&sets, "test: only real videos were found"));
    data_sets_free(&sets);
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------------------------- */

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
    /* A list of earlier does not stay beside the new ones. */
    support_text("o/train/old.txt", "");
    ck_ok(data_sets_write(&sets, out, true, "{2}", 3, &error), &error);
    ck_assert(!file_exists(support_in_folder("o/train")));
    /* Somebody's own file is left alone. */
    support_text("o/test/notes.md", "");
    ck_assert_int_eq(data_sets_write(&sets, out, true, "{3}", 3, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, "holds other things") != NULL);
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
    Suite *const suite = suite_create("sets");
    TCase *const kinds = support_case(suite, "kinds", 120);
    tcase_add_checked_fixture(kinds, support_folder_setup, support_folder_teardown);
    tcase_add_test(kinds, ff_original_layout);
    tcase_add_test(kinds, ff_reference_layout);
    tcase_add_test(kinds, ff_compression);
    tcase_add_test(kinds, celebdf2);
    tcase_add_test(kinds, dfdc);
    tcase_add_test(kinds, dfdc_from_above);
    tcase_add_test(kinds, dfdcp);
    tcase_add_test(kinds, dfd_ffiw_uadfv);
    tcase_add_test(kinds, own_folders);
    tcase_add_test(kinds, writing_is_all_or_nothing);
    TCase *const bad = support_case(suite, "bad input", 120);
    tcase_add_checked_fixture(bad, support_folder_setup, support_folder_teardown);
    tcase_add_test(bad, ff_bad_splits);
    tcase_add_test(bad, celebdf2_bad_lists);
    tcase_add_test(bad, dfdc_bad_files);
    tcase_add_test(bad, links_and_loops);
    tcase_add_test(bad, too_deep);
    tcase_add_test(bad, videos_alone);
    return support_main(suite);
}
