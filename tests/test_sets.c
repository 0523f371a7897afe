/*
 * test_sets.c - data sets that come with splits and lists of their own, in small trees, and what is
 * refused of them. Sets defined by folders, links, and writing: test_sets_folder.c. DeepfakeBench's
 * files: test_sets_json.c.
 *
 * What is written is read again as training reads it.
 */
#include "data/sets/sets.h"
#include "tensor/base/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"
#include "tests/support_sets.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- FaceForensics++
 * -------------------------------------------------------------------------------- */

static const char *const SOURCES[] = {"real", "DF", "F2F", "FS", "NT"};

START_TEST(ff_original_layout)
{
    support_ff_set("FF", "c23/frames");
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

    /* From above, with the frames in videos/, one video gone and one empty, and FaceShifter as it
     * is. */
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

/* Used to be read to the end whatever happened: minutes of a large set on a slow disk. */
START_TEST(reading_stops)
{
    volatile sig_atomic_t stop = 0;
    support_ff_set("FF", "c23/frames");
    DataSets sets = support_read_set("ff", "FF", (DataSetsOptions){.stop = &stop});
    ck_assert_int_eq(sets.count, 15);
    data_sets_free(&sets);
    stop = 1;
    support_refuse_set("ff", "FF", (DataSetsOptions){.stop = &stop}, STATUS_INTERRUPTED,
                       "interrupted");
    const char *const real = "original_sequences", *const fake = "manipulated_sequences";
    support_refuse_set(
        "folder", "FF",
        (DataSetsOptions){
            .real = &real, .real_count = 1, .fake = &fake, .fake_count = 1, .stop = &stop},
        STATUS_INTERRUPTED, "interrupted");
}
END_TEST

START_TEST(ff_reference_layout)
{
    support_ff_set("x", "c23/frames");
    for (int m = 0; m < 5; m++) {
        char from[FILE_PATH_SIZE], to[600];
        snprintf(from, sizeof from, "%s/c23/frames", support_ff_folders[m]);
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
    support_ff_set("FF", "c40/frames");
    support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "--compression c40");
    support_refuse_set("ff", "FF", (DataSetsOptions){.compression = "c24"}, STATUS_USAGE,
                       "unknown level");
    DataSets sets = support_read_set("ff", "FF", (DataSetsOptions){.compression = "c40"});
    support_check_source(&sets, DATA_TRAIN, "DF", 1, 2, 2);
    data_sets_free(&sets);
    support_ff_set("raw", "c0"); /* frames right below the level */
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
        {"[[\"1\"", "val.json: line 1: invalid JSON"},
        {"{\"a\": 1}", "val.json: is not a list of pairs"},
        {"[]", "val.json: is not a list of pairs"},
        {"[[\"720\",\"672\"],[\"720\"]]", "entry 2 is not a pair"},
        {"[[\"720\",\"672\",\"673\"]]", "entry 1 is not a pair"},
        {"[[\"720\", 672]]", "entry 1 is not a pair"},
        {"[[\"720\",\"720\"]]", "entry 1 is not a pair"},
        {"[[\"720\",\"../672\"]]", "entry 1 is not a pair"},
        {"[[\"720\",\"\"]]", "entry 1 is not a pair"},
        {"[[\"720\",\"071\"]]", "the video 071 is in train.json and again in val.json"},
        {"[[\"720\",\"672\"],[\"673\",\"720\"]]",
         "the video 720 is in val.json and again in val.json"},
        {"[[\"720\",\"67\xff\"]]", "invalid JSON"},
    };
    support_ff_set("FF", "c23/frames");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("FF/val.json", CASES[i].content);
        support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("FF/val.json")), 0);
    support_refuse_set("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "ondyari/FaceForensics");
    support_refuse_set("ff", "FF", (DataSetsOptions){.splits = "nowhere"}, STATUS_FAILED,
                       "nowhere: the split file train.json is missing");
    support_refuse_set("ff", "FF/train.json", (DataSetsOptions){0}, STATUS_FAILED,
                       "is not a folder");
    support_refuse_set("ff", "FG", (DataSetsOptions){0}, STATUS_FAILED, "cannot be read");
    support_refuse_set("ff", "FF/original_sequences/youtube/c23/frames/071", (DataSetsOptions){0},
                       STATUS_FAILED, "does not contain this data set");
}
END_TEST

/* ---- Celeb-DF-v2
 * ------------------------------------------------------------------------------------- */

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
                       "List_of_testing_videos.txt not found");
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
    support_refuse_set("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED, "has a zero byte");
    support_refuse_set("celebdf2", "Celeb-real", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not contain this data set");
}
END_TEST

/* ---- DFDC and its preview
 * ------------------------------------------------------------------------------ */

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
/* As it is distributed: validation by labels.csv, test by metadata.json with is_fake. */
START_TEST(dfdc_as_distributed)
{
    static const char TEST[] = "{\"tt.mp4\": {\"is_fake\": 1, \"augmentations\": {}},"
                               " \"uu.mp4\": {\"is_fake\": 0}, \"ww.mp4\": {\"is_fake\": true}}";
    support_video("train/dfdc_train_part_0/frames/aa", 2);
    support_video("train/dfdc_train_part_0/frames/bb", 2);
    support_text(
        "train/dfdc_train_part_0/metadata.json",
        "{\"aa.mp4\": {\"label\": \"FAKE\", \"split\": \"train\", \"original\": \"bb.mp4\"},"
        " \"bb.mp4\": {\"label\": \"REAL\", \"split\": \"train\"}}");
    support_video("validation/frames/vv", 3);
    support_text("validation/labels.csv", "filename,label\r\nvv.mp4,0\r\nxx.mp4,1\r\n");
    support_video("test/frames/tt", 4);
    support_video("test/frames/uu", 4);
    support_text("test/metadata.json", TEST);
    DataSets sets = support_read_set("dfdc", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "fake", 1, 1, 1);
    support_check_source(&sets, DATA_TRAIN, "real", 0, 1, 1);
    support_check_source(&sets, DATA_VAL, "real", 0, 1, 1);
    support_check_source(&sets, DATA_VAL, "fake", 1, 1, 0);
    support_check_source(&sets, DATA_TEST, "fake", 1, 2, 1);
    support_check_source(&sets, DATA_TEST, "real", 0, 1, 1);
    ck_assert(!support_set_warns(&sets, "was found"));
    data_sets_free(&sets);
    sets = support_read_set("dfdc", "test", (DataSetsOptions){0}); /* the test alone */
    support_check_source(&sets, DATA_TEST, "fake", 1, 2, 1);
    data_sets_free(&sets);
    support_text("test/metadata.json", "{\"tt.mp4\": {\"is_fake\": 2}}");
    support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, "tt.mp4: has no label");
    support_text("test/metadata.json", "{\"tt.mp4\": {\"is_fake\": 1, \"label\": \"REAL\"}}");
    support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, "tt.mp4: has no label");
    ck_assert_int_eq(unlink(support_in_folder("test/metadata.json")), 0);
    sets = support_read_set("dfdc", "", (DataSetsOptions){0});
    ck_assert(support_set_warns(&sets, "test: has neither labels.csv nor metadata.json"));
    data_sets_free(&sets);
}
END_TEST

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
            {"", "is empty"},
            {"name,label\nx.mp4,0\n", "does not name the columns filename and label"},
            {"filename,label\nx.mp4,2\n", "line 2: the label is not 0 (real) or 1 (fake)"},
            {"filename,label\nx.mp4\n", "line 2: has too few columns"},
            {"filename,label\n\"x.mp4,0\n", "line 2: opens a quote that is never closed"},
            {"filename,label\n\"x\"y.mp4,0\n", "line 2: has text after a closing quote"},
            {"filename,label\nx.mp4,0\n,1\n", "line 3: the filename is not the name of a video"},
            {"filename,label\n..mp4,1\n", "line 2: the filename is not the name of a video"},
        },
      PARTS[] = {
          {"[]", "is not an object of videos"},
          {"{\"x.mp4\": 1}", "x.mp4: has no label REAL or FAKE"},
          {"{\"x.mp4\": {\"label\": \"maybe\"}}", "x.mp4: has no label REAL or FAKE"},
          {"{\"x.mp4\": {\"label\": \"REAL\", \"split\": 3}}", "its split is not"},
          {"{\"x.mp4\": {\"label\": \"REAL\"}, \"x.mp4\": {\"label\": \"FAKE\"}}",
           "invalid JSON (duplicate"},
          {"{\"a/\": {\"label\": \"REAL\"}}", "is not the name of a video"},
      };
    support_video("test/frames/x", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_text("test/labels.csv", CASES[i].content);
        support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("test/labels.csv")), 0);
    support_refuse_set("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not contain this data set");
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
    support_text("dataset.json", "{\"original_videos\\\\20\\\\m_1.mp4\": {\"label\": \"real\", "
                                 "\"set\": \"train\"}}"); /* written on Windows */
    sets = support_read_set("dfdcp", "", (DataSetsOptions){0});
    support_check_source(&sets, DATA_TRAIN, "real", 0, 1, 1);
    data_sets_free(&sets);
    support_text("dataset.json",
                 "{\"original_videos/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "its label contradicts its folder");
    support_text("dataset.json",
                 "{\"method_C/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "is in none of");
    support_text("dataset.json",
                 "{\"method_A/../m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "is in none of");
    support_text("dataset.json", "{\"method_A/20/m_1.mp4\": {\"label\": \"fake\"}}");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "has no set");
    support_text("dataset.json", "[1]");
    support_refuse_set("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED,
                       "is not an object of videos");
    support_refuse_set("dfdcp", "method_A", (DataSetsOptions){0}, STATUS_FAILED,
                       "does not contain this data set");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sets");
    TCase *const kinds = support_case(suite, "kinds", 120);
    tcase_add_checked_fixture(kinds, support_folder_setup, support_folder_teardown);
    tcase_add_test(kinds, ff_original_layout);
    tcase_add_test(kinds, reading_stops);
    tcase_add_test(kinds, ff_reference_layout);
    tcase_add_test(kinds, ff_compression);
    tcase_add_test(kinds, celebdf2);
    tcase_add_test(kinds, dfdc);
    tcase_add_test(kinds, dfdc_as_distributed);
    tcase_add_test(kinds, dfdc_from_above);
    tcase_add_test(kinds, dfdcp);
    TCase *const bad = support_case(suite, "bad input", 120);
    tcase_add_checked_fixture(bad, support_folder_setup, support_folder_teardown);
    tcase_add_test(bad, ff_bad_splits);
    tcase_add_test(bad, celebdf2_bad_lists);
    tcase_add_test(bad, dfdc_bad_files);
    return support_main(suite);
}
