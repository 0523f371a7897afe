/*
 * test_sets.c - data sets as they are distributed: every kind in small trees, and everything that is refused.
 *
 * Frames are empty files, since nothing here decodes them. What is written is read again as training reads it.
 */
#include "data/list.h"
#include "data/sets.h"
#include "tensor/file.h"
#include "tests/support.h"
#include "tests/support_folder.h"
#include "tests/support_image.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A text file below the folder of the test. */
static void text(const char *name, const char *content)
{
    support_write_file(support_in_folder(""), name, content, strlen(content));
}

/* folder/000.png, 001.png ... */
static void video(const char *folder, int frames)
{
    for (int i = 0; i < frames; i++) {
        char name[700];
        snprintf(name, sizeof name, "%.600s/%03d.png", folder, i);
        text(name, "");
    }
}

static void link_to(const char *target, const char *name)
{
    ck_assert_int_eq(symlink(target, support_in_folder(name)), 0);
}

static const DataSetsKind *kind_of(const char *name)
{
    int count;
    const DataSetsKind *const kinds = data_sets_kinds(&count);
    for (int i = 0; i < count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    ck_abort_msg("no kind %s", name);
}

/* Reads the set at `root` below the folder of the test ("" is that folder). */
static Status try_read(DataSets *sets, const char *kind, const char *root, DataSetsOptions options,
                       Error *error)
{
    char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", support_in_folder(root));
    options.root = path;
    error_clear(error);
    return data_sets_read(sets, kind_of(kind), &options, error);
}

static DataSets read_set(const char *kind, const char *root, DataSetsOptions options)
{
    DataSets sets;
    Error error;
    ck_ok(try_read(&sets, kind, root, options, &error), &error);
    return sets;
}

/* The read fails with that status and with a message that holds `words`. */
static void refuse(const char *kind, const char *root, DataSetsOptions options, Status status,
                   const char *words)
{
    DataSets sets;
    Error error;
    ck_assert_msg(try_read(&sets, kind, root, options, &error) == status, "%s: status %d: %s",
                  words, error.status, error.message);
    ck_assert_msg(strstr(error.message, words) != NULL, "'%s' is not in: %s", words, error.message);
    ck_assert_msg(strchr(error.message, ':') && strchr(error.message, ';'), "no advice: %s",
                  error.message);
    ck_assert_ptr_null(sets.memory);
    ck_assert_int_eq(sets.count, 0);
}

static const DataSetsSource *source_of(const DataSets *sets, DataSplit split, const char *name)
{
    for (int i = 0; i < sets->count; i++)
        if (sets->sources[i].split == split && strcmp(sets->sources[i].name, name) == 0)
            return &sets->sources[i];
    return NULL;
}

/* A source has that label, so many videos expected, and so many of them with frames. */
static void check(const DataSets *sets, DataSplit split, const char *name, int label, int expected,
                  int found)
{
    const DataSetsSource *const source = source_of(sets, split, name);
    ck_assert_msg(source != NULL, "no source %s in %s", name, data_split_names[split]);
    int there = 0;
    for (int v = 0; v < source->count; v++) {
        const DataSetsVideo *const one = &source->videos[v];
        there += one->count > 0;
        ck_assert((one->count > 0) == (one->problem == NULL));
        ck_assert((one->count > 0) == (one->frames != NULL));
    }
    ck_assert_msg(source->label == label && source->count == expected && there == found,
                  "%s/%s: label %d, %d expected, %d found", data_split_names[split], name,
                  source->label, source->count, there);
}

static bool warns(const DataSets *sets, const char *words)
{
    for (int i = 0; i < sets->warning_count; i++)
        if (strstr(sets->warnings[i], words))
            return true;
    return false;
}

/* Writes the lists and reads one again as training does: its source, label, videos and frames. */
static void check_list(const DataSets *sets, DataSplit split, const char *name, int label,
                       int videos, int frames)
{
    char out[FILE_PATH_SIZE], path[FILE_PATH_SIZE + 300];
    Error error = {0};
    snprintf(out, sizeof out, "%s", support_in_folder("lists"));
    ck_ok(data_sets_write(sets, out, true, "{}", 2, &error), &error);
    snprintf(path, sizeof path, "%s/%s/%s.txt", out, data_split_names[split], name);
    DataList list;
    ck_ok(data_list_read(&list, (const char *const[]){path}, 1, &error), &error);
    ck_assert_int_eq(list.source_count, 1);
    ck_assert_str_eq(list.sources[0], name);
    ck_assert_int_eq(list.source_label[0], label);
    ck_assert_int_eq(list.video_count, videos);
    ck_assert_int_eq(list.count, frames);
    for (int i = 0; i < list.count; i++)
        ck_assert(list.frames[i].path[0] == '/' && list.frames[i].label == label);
    data_list_free(&list);
}

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
            video(name, 3);
        }
    }
    snprintf(name, sizeof name, "%s/train.json", root);
    text(name, "[\n  [\n    \"071\",\n    \"054\"\n  ]\n]\n");
    snprintf(name, sizeof name, "%s/val.json", root);
    text(name, "\xef\xbb\xbf[[\"720\", \"672\"]]\r\n");
    snprintf(name, sizeof name, "%s/test.json", root);
    text(name, "[[\"953\",\"974\"]]");
}

START_TEST(ff_original_layout)
{
    make_ff("FF", "c23/frames");
    video("FF/manipulated_sequences/Deepfakes/c23/masks/071_054", 3); /* no frames */
    DataSets sets = read_set("ff", "FF", (DataSetsOptions){0});
    ck_assert_int_eq(sets.count, 15);
    for (int m = 0; m < 5; m++)
        for (int split = 0; split < DATA_SPLITS; split++)
            check(&sets, (DataSplit)split, SOURCES[m], m > 0, 2, 2);
    ck_assert_str_eq(source_of(&sets, DATA_TRAIN, "real")->videos[0].name, "054");
    ck_assert_str_eq(source_of(&sets, DATA_TEST, "NT")->videos[1].name, "974_953");
    ck_assert(warns(&sets, "train.json: has 1 pairs, where the official split has 360"));
    for (int m = 0; m < 5; m++)
        check_list(&sets, DATA_VAL, SOURCES[m], m > 0, 2, 6);
    data_sets_free(&sets);

    /* From above, with the frames in videos/, one video gone and one empty, and FaceShifter as it is. */
    char folder[FILE_PATH_SIZE];
    Error error = {0};
    ck_assert_int_eq(rename(support_in_folder("FF"), support_in_folder("FaceForensics++")), 0);
    video("FaceForensics++/manipulated_sequences/FaceShifter/c23/videos/071_054", 1);
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
    sets = read_set("ff", "", (DataSetsOptions){0});
    check(&sets, DATA_TRAIN, "real", 0, 2, 1);
    ck_assert_str_eq(source_of(&sets, DATA_TRAIN, "real")->videos[1].problem,
                     "no image in its folder");
    check(&sets, DATA_TRAIN, "FSh", 1, 2, 1);
    ck_assert_str_eq(source_of(&sets, DATA_TRAIN, "FSh")->videos[0].problem, "no folder");
    check(&sets, DATA_TEST, "FSh", 1, 2, 0);
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
        text("FF/keep", "");
        char old[FILE_PATH_SIZE];
        snprintf(old, sizeof old, "x/%.3000s", from);
        ck_assert_int_eq(rename(support_in_folder(old), support_in_folder(to)), 0);
    }
    DataSets sets;
    const char *const splits = support_in_folder("x");
    sets = read_set("ff", "FF", (DataSetsOptions){.splits = splits, .frames = 2});
    for (int m = 0; m < 5; m++)
        check_list(&sets, DATA_TEST, SOURCES[m], m > 0, 2, 4);
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
    refuse("ff", "FF", (DataSetsOptions){.splits = support_in_folder("x"), .compression = "c23"},
           STATUS_FAILED, "no folder of a compression level");
}
END_TEST

START_TEST(ff_compression)
{
    make_ff("FF", "c40/frames");
    refuse("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "--compression c40");
    refuse("ff", "FF", (DataSetsOptions){.compression = "c24"}, STATUS_USAGE, "no such level");
    DataSets sets = read_set("ff", "FF", (DataSetsOptions){.compression = "c40"});
    check(&sets, DATA_TRAIN, "DF", 1, 2, 2);
    data_sets_free(&sets);
    make_ff("raw", "c0"); /* frames right below the level */
    sets = read_set("ff", "raw", (DataSetsOptions){.compression = "raw"});
    check(&sets, DATA_TEST, "real", 0, 2, 2);
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
        text("FF/val.json", CASES[i].content);
        refuse("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("FF/val.json")), 0);
    refuse("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "ondyari/FaceForensics");
    refuse("ff", "FF", (DataSetsOptions){.splits = "nowhere"}, STATUS_FAILED,
           "nowhere: the split file train.json is not there");
    refuse("ff", "FF/train.json", (DataSetsOptions){0}, STATUS_FAILED, "is no folder");
    refuse("ff", "FG", (DataSetsOptions){0}, STATUS_FAILED, "cannot be read");
    refuse("ff", "FF/original_sequences/youtube/c23/frames/071", (DataSetsOptions){0},
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
        video(name, 2);
    }
    text("List_of_testing_videos.txt", "\xef\xbb\xbf"
                                       "1 YouTube-real/00170.mp4\r\n"
                                       "1 Celeb-real/id0_0001.mp4\r\n"
                                       "0 Celeb-synthesis/id0_id1_0000.mp4\r\n\r\n"
                                       "0 Celeb-synthesis/id0_id9_0000.mp4");
}

START_TEST(celebdf2)
{
    make_celeb("frames");
    text("Celeb-real/videos/id0_0000.mp4", ""); /* has frames */
    text("Celeb-real/videos/id0_0001.mp4", ""); /* is in the test */
    text("Celeb-real/videos/id7_0000.mp4", ""); /* was forgotten */
    DataSets sets = read_set("celebdf2", "", (DataSetsOptions){0});
    check(&sets, DATA_TEST, "Celeb-real", 0, 1, 1);
    check(&sets, DATA_TEST, "YouTube-real", 0, 1, 1);
    check(&sets, DATA_TEST, "Celeb-synthesis", 1, 2, 1);
    check(&sets, DATA_TRAIN, "Celeb-real", 0, 2, 1);
    check(&sets, DATA_TRAIN, "YouTube-real", 0, 1, 1);
    check(&sets, DATA_TRAIN, "Celeb-synthesis", 1, 2, 2);
    ck_assert_str_eq(source_of(&sets, DATA_TRAIN, "Celeb-real")->videos[1].name, "id7_0000");
    ck_assert_str_eq(source_of(&sets, DATA_TRAIN, "Celeb-synthesis")->videos[0].name,
                     "id0_id1_0001");
    ck_assert(!warns(&sets, "share"));
    ck_assert(warns(&sets, "Celeb-real: frames of 2 videos, where 590 are published"));
    check_list(&sets, DATA_TEST, "YouTube-real", 0, 1, 2);
    check_list(&sets, DATA_TRAIN, "Celeb-synthesis", 1, 2, 4);
    data_sets_free(&sets);

    /* One folder of another spelling, the list elsewhere. */
    ck_assert_int_eq(rename(support_in_folder("YouTube-real"), support_in_folder("Youtube-real")),
                     0);
    text("list/x", "");
    ck_assert_int_eq(rename(support_in_folder("List_of_testing_videos.txt"),
                            support_in_folder("list/List_of_testing_videos.txt")),
                     0);
    refuse("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED,
           "List_of_testing_videos.txt is not there");
    sets = read_set("celebdf2", "", (DataSetsOptions){.splits = support_in_folder("list")});
    check(&sets, DATA_TEST, "YouTube-real", 0, 1, 1);
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
        text("List_of_testing_videos.txt", CASES[i].content);
        refuse("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    support_write_file(support_in_folder(""), "List_of_testing_videos.txt",
                       "\xff\xfe"
                       "1\0 \0",
                       6);
    refuse("celebdf2", "", (DataSetsOptions){0}, STATUS_FAILED, "holds a zero byte");
    refuse("celebdf2", "Celeb-real", (DataSetsOptions){0}, STATUS_FAILED,
           "does not hold this data set");
}
END_TEST

/* ---- DFDC and its preview ------------------------------------------------------------------------------ */

START_TEST(dfdc)
{
    video("train/dfdc_train_part_0/frames/owxbbpjpch", 2);
    video("train/dfdc_train_part_0/frames/vpmyeepbep", 3);
    text("train/dfdc_train_part_0/metadata.json",
         "{\"owxbbpjpch.mp4\": {\"label\": \"FAKE\", \"split\": \"train\", \"original\": "
         "\"wynotylpnm.mp4\"},"
         " \"vpmyeepbep.mp4\": {\"label\": \"REAL\", \"split\": \"train\"}}");
    video("train/dfdc_train_part_1/dfdc_train_part_1/aa", 1); /* as unpacked by some tools */
    text("train/dfdc_train_part_1/dfdc_train_part_1/metadata.json",
         "{\"aa.mp4\": {\"label\": \"FAKE\"}, \"bb.mp4\": {\"label\": \"REAL\", \"split\": "
         "\"train\"}}");
    video("test/frames/x, y", 1);
    video("test/frames/\xc3\xa9t\xc3\xa9", 1);
    video("test/frames/q\"q", 1);
    text("test/labels.csv", "\xef\xbb\xbf"
                            "filename,label\r\n\"x, y.mp4\",0\r\n\xc3\xa9t\xc3\xa9.mp4,1\r\n\r\n"
                            "\"q\"\"q.mp4\",\"1\"\r\ngone.mp4,1");
    DataSets sets = read_set("dfdc", "", (DataSetsOptions){0});
    check(&sets, DATA_TRAIN, "real", 0, 2, 1);
    check(&sets, DATA_TRAIN, "fake", 1, 2, 2);
    check(&sets, DATA_TEST, "real", 0, 1, 1);
    check(&sets, DATA_TEST, "fake", 1, 3, 2);
    check_list(&sets, DATA_TRAIN, "fake", 1, 2, 3);
    check_list(&sets, DATA_TEST, "real", 0, 1, 1);
    check_list(&sets, DATA_TEST, "fake", 1, 2, 2);
    data_sets_free(&sets);
    sets = read_set("dfdc", "test", (DataSetsOptions){0}); /* the test alone */
    check(&sets, DATA_TEST, "real", 0, 1, 1);
    ck_assert(warns(&sets, "train: no part"));
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
    video("test/frames/x", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        text("test/labels.csv", CASES[i].content);
        refuse("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, CASES[i].words);
    }
    ck_assert_int_eq(unlink(support_in_folder("test/labels.csv")), 0);
    refuse("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, "does not hold this data set");
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        text("part/metadata.json", PARTS[i].content);
        refuse("dfdc", "", (DataSetsOptions){0}, STATUS_FAILED, PARTS[i].words);
    }
}
END_TEST

START_TEST(dfdcp)
{
    video("original_videos/frames/m_1", 2);
    video("method_A/frames/m_1_A", 2);
    video("method_B/20/20_B/m_1_B", 1);
    text("dataset.json",
         "{\"original_videos/20/m_1.mp4\": {\"label\": \"real\", \"set\": \"train\", "
         "\"augmentations\": []},"
         " \"method_A/20/20_A/m_1_A.mp4\": {\"label\": \"fake\", \"set\": \"test\", \"target_id\": "
         "20},"
         " \"method_A/20/20_A/m_2_A.mp4\": {\"label\": \"fake\", \"set\": \"test\"},"
         " \"method_B/20/20_B/m_1_B.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    DataSets sets = read_set("dfdcp", "", (DataSetsOptions){0});
    check(&sets, DATA_TRAIN, "real", 0, 1, 1);
    check(&sets, DATA_TEST, "FakeA", 1, 2, 1);
    check(&sets, DATA_TRAIN, "FakeB", 1, 1, 1);
    ck_assert(warns(&sets, "test: only fake videos were found"));
    check_list(&sets, DATA_TRAIN, "real", 0, 1, 2);
    data_sets_free(&sets);
    text("dataset.json",
         "{\"original_videos/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    refuse("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "its label contradicts its folder");
    text("dataset.json", "{\"method_C/20/m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    refuse("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "lies in none of");
    text("dataset.json", "{\"method_A/../m_1.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    refuse("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "lies in none of");
    text("dataset.json", "{\"method_A/20/m_1.mp4\": {\"label\": \"fake\"}}");
    refuse("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "has no set");
    text("dataset.json", "[1]");
    refuse("dfdcp", "", (DataSetsOptions){0}, STATUS_FAILED, "is no object of videos");
    refuse("dfdcp", "method_A", (DataSetsOptions){0}, STATUS_FAILED, "does not hold this data set");
}
END_TEST

/* ---- told by folders ------------------------------------------------------------------------------------- */

START_TEST(dfd_ffiw_uadfv)
{
    video("FF/original_sequences/actors/c23/frames/01__walking", 2);
    video("FF/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__walking__YVGY8LOK", 2);
    video("FF/manipulated_sequences/DeepFakeDetection/c23/masks/01_02__walking__YVGY8LOK", 2);
    DataSets sets = read_set("dfd", "FF", (DataSetsOptions){0});
    ck_assert_int_eq(sets.count, 2);
    check(&sets, DATA_TEST, "real", 0, 1, 1);
    check(&sets, DATA_TEST, "fake", 1, 1, 1);
    ck_assert(warns(&sets, "fake: frames of 1 videos, where 3068 are published"));
    data_sets_free(&sets);
    refuse("dfd", "FF", (DataSetsOptions){.split = "dev"}, STATUS_USAGE, "no such split");

    video("FFIW10K-v1-release/source/val/videos/0001", 2);
    video("FFIW10K-v1-release/target/val/videos/0001", 2);
    video("FFIW10K-v1-release/target_mask/val/videos/0001", 2);
    video("FFIW10K-v1-release-test/target/test/0009", 1);
    sets = read_set("ffiw", "", (DataSetsOptions){0});
    check(&sets, DATA_VAL, "real", 0, 1, 1);
    check(&sets, DATA_VAL, "fake", 1, 1, 1);
    check(&sets, DATA_TEST, "fake", 1, 1, 1);
    ck_assert_int_eq(sets.count, 3);
    check_list(&sets, DATA_VAL, "real", 0, 1, 2);
    data_sets_free(&sets);
    refuse("ffiw", "FF", (DataSetsOptions){0}, STATUS_FAILED, "does not hold this data set");

    video("UADFV/real/frames/0000", 2);
    video("UADFV/fake/frames/0000_fake", 2);
    sets = read_set("uadfv", "", (DataSetsOptions){.split = "val"});
    check(&sets, DATA_VAL, "real", 0, 1, 1);
    check(&sets, DATA_VAL, "fake", 1, 1, 1);
    check_list(&sets, DATA_VAL, "real", 0, 1, 2);
    data_sets_free(&sets);
    refuse("uadfv", "FF", (DataSetsOptions){0}, STATUS_FAILED, "does not hold this data set");
}
END_TEST

START_TEST(own_folders)
{
    static const char *const REAL[] = {"my pictures, true"}, *const FAKE[] = {"b/gen\xfc", "c/"},
                             *const TWICE[] = {"c", "./c/"}, *const GONE[] = {"d"};
    video("my pictures, true/deep/er/v 1", 2);
    video("my pictures, true/v,2", 12);
    text("my pictures, true/v,2/notes.txt", "");
    text("my pictures, true/.hidden/v/000.png", "");
    video("my pictures, true/v,2/masks", 2);
    text("b/gen\xfc/v/1.jpg", "");
    text("b/gen\xfc/v/10.JPEG", "");
    text("b/gen\xfc/v/2.jpg", "");
    video("c", 1); /* images right in the source */
    const DataSetsOptions options = {.real = REAL, .real_count = 1, .fake = FAKE, .fake_count = 2};
    DataSets sets = read_set("folder", "", options);
    check(&sets, DATA_TEST, "my pictures, true", 0, 2, 2);
    check(&sets, DATA_TEST, "b_gen\xfc", 1, 1, 1);
    check(&sets, DATA_TEST, "c", 1, 1, 1);
    ck_assert_str_eq(source_of(&sets, DATA_TEST, "my pictures, true")->videos[0].name,
                     "deep/er/v 1");
    /* By the numbers, not by the bytes. */
    const DataSetsVideo *const numbered = &source_of(&sets, DATA_TEST, "b_gen\xfc")->videos[0];
    ck_assert(strstr(numbered->frames[0], "/1.jpg") && strstr(numbered->frames[1], "/2.jpg") &&
              strstr(numbered->frames[2], "/10.JPEG"));
    check_list(&sets, DATA_TEST, "my pictures, true", 0, 2, 14);
    check_list(&sets, DATA_TEST, "b_gen\xfc", 1, 1, 3);
    check_list(&sets, DATA_TEST, "c", 1, 1, 1);
    data_sets_free(&sets);

    refuse("folder", "", (DataSetsOptions){0}, STATUS_USAGE, "no source was named");
    refuse("folder", "", (DataSetsOptions){.real = TWICE, .real_count = 2}, STATUS_USAGE,
           "named twice");
    refuse("folder", "", (DataSetsOptions){.real = GONE, .real_count = 1}, STATUS_FAILED,
           "d: there is no such folder");
    refuse("folder", "",
           (DataSetsOptions){.real = FAKE, .real_count = 2, .fake = FAKE, .fake_count = 2},
           STATUS_FAILED, "named as real and as fake");
    const char *const inner[] = {"b"};
    refuse("folder", "",
           (DataSetsOptions){.real = inner, .real_count = 1, .fake = FAKE, .fake_count = 2},
           STATUS_FAILED, "a video needs one label");
}
END_TEST

START_TEST(links_and_loops)
{
    static const char *const REAL[] = {"a"};
    const DataSetsOptions options = {.real = REAL, .real_count = 1};
    video("elsewhere/v2", 2);
    video("a/v1", 2);
    link_to("..", "a/up");        /* a loop */
    link_to("self", "a/v1/self"); /* a link to itself */
    link_to("../../elsewhere/v2", "a/v1/linked");
    link_to("nothing.png", "a/v1/9.png");
    link_to("000.png", "a/v1/002.png");
    DataSets sets = read_set("folder", "", options);
    const DataSetsSource *const source = source_of(&sets, DATA_TEST, "a");
    ck_assert_ptr_nonnull(source);
    ck_assert(warns(&sets, "1 frames are links to nothing and were left out, the first:"));
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
    link_to("071", "FF/original_sequences/youtube/c23/frames/071");
    refuse("ff", "FF", (DataSetsOptions){0}, STATUS_FAILED, "/071: the folder cannot be read");
    if (geteuid() != 0) { /* root reads everything */
        ck_assert_int_eq(chmod(support_in_folder("a/v1"), 0), 0);
        refuse("folder", "", options, STATUS_FAILED, "a/v1: the folder cannot be read");
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
    video(name, 1);
    refuse("folder", "", (DataSetsOptions){.real = REAL, .real_count = 1}, STATUS_FAILED,
           "more than 32 deep");
}
END_TEST

START_TEST(videos_alone)
{
    text("real/videos/0000.mp4", "");
    text("fake/0000_fake.mp4", "");
    refuse("uadfv", "", (DataSetsOptions){0}, STATUS_FAILED, "holds videos, no frames; extract");
    make_ff("FF", "c23/frames");
    text("CDF/Celeb-real/id0_0000.mp4", "");
    text("CDF/Celeb-synthesis/id0_id1_0000.mp4", "");
    text("CDF/List_of_testing_videos.txt", "1 Celeb-real/id0_0000.mp4\n");
    refuse("celebdf2", "CDF", (DataSetsOptions){0}, STATUS_FAILED,
           "holds videos, no frames; extract");
    text("P/method_A/1/a.mp4", "");
    text("P/dataset.json", "{\"method_A/1/a.mp4\": {\"label\": \"fake\", \"set\": \"train\"}}");
    refuse("dfdcp", "P", (DataSetsOptions){0}, STATUS_FAILED, "holds videos, no frames; extract");
    /* Some of it: a warning, and the missing ones are counted. */
    video("real/frames/0001", 1);
    DataSets sets = read_set("uadfv", "", (DataSetsOptions){0});
    check(&sets, DATA_TEST, "real", 0, 2, 1);
    check(&sets, DATA_TEST, "fake", 1, 1, 0);
    ck_assert(warns(&sets, "fake: holds videos, no frames"));
    ck_assert(warns(&sets, "test: only real videos were found"));
    data_sets_free(&sets);
}
END_TEST

/* ---- DeepfakeBench ----------------------------------------------------------------------------------------- */

static DataSetsOptions json_options(void)
{
    static char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s", support_in_folder("x.json"));
    return (DataSetsOptions){.file = path};
}

START_TEST(deepfakebench)
{
    static const char *const REPLACE[] = {"FaceForensics++\\=ff pp/"};
    video("ff pp/original_sequences/youtube/c23/frames/071", 3);
    video("ff pp/original_sequences/youtube/c40/frames/071", 1);
    video("ff pp/manipulated_sequences/Deepfakes/c23/frames/071_054", 2);
    text(
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
    DataSets sets = read_set("deepfakebench", "", options);
    ck_assert_int_eq(sets.count, 2);
    check(&sets, DATA_TRAIN, "FF-real", 0, 2, 1);
    check(&sets, DATA_TRAIN, "FF-DF", 1, 1, 1);
    const DataSetsVideo *const real = &source_of(&sets, DATA_TRAIN, "FF-real")->videos[1];
    ck_assert_str_eq(real->name, "071");
    ck_assert_int_eq(real->count, 2); /* 009 is not there */
    ck_assert(strstr(real->frames[0], "/c23/frames/071/000.png") && real->frames[0][0] == '/');
    ck_assert(warns(&sets, "1 frames of 1 videos are named in the file but are not there"));
    check_list(&sets, DATA_TRAIN, "FF-real", 0, 1, 2);
    check_list(&sets, DATA_TRAIN, "FF-DF", 1, 1, 1);
    data_sets_free(&sets);
    options.compression = "raw";
    refuse("deepfakebench", "", options, STATUS_FAILED,
           "has no compression level raw, but c23, c40");
    options.compression = "c40"; /* which the fakes of this file lack */
    refuse("deepfakebench", "", options, STATUS_FAILED, "has no compression level c40, but c23");
    const char *const wrong[] = {"no rule"};
    options.replace = wrong;
    refuse("deepfakebench", "", options, STATUS_USAGE, "is not of the form OLD=NEW");
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
    video("a", 1);
    for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
        char content[500];
        snprintf(content, sizeof content,
                 "{\"set\": {\"%s\": {\"test\": {\"v\": {\"label\": \"%s\", \"frames\": "
                 "[\"a/000.png\"]}}}}}",
                 LABELS[i].name, LABELS[i].name);
        text("x.json", content);
        if (strncmp(LABELS[i].name, "heygen", 6) == 0) {
            options.real_count = options.fake_count = 0;
            refuse("deepfakebench", "", options, STATUS_FAILED,
                   "is not in DeepfakeBench's dictionary");
            options.real = REAL, options.fake = FAKE;
            options.real_count = options.fake_count = 1;
        }
        DataSets sets = read_set("deepfakebench", "", options);
        check(&sets, DATA_TEST, LABELS[i].name, LABELS[i].label, 1, 1);
        data_sets_free(&sets);
    }
}
END_TEST

START_TEST(deepfakebench_shared_splits)
{
    video("a/r", 1);
    video("a/f", 1);
    text("x.json",
         "{\"DeepFakeDetection\": {"
         "\"DFD_real\": {\"train\": {\"c23\": {\"r\": {\"label\": \"DFD_real\", \"frames\": "
         "[\"a/r/000.png\"]}}},"
         "\"val\": {\"c23\": {\"r\": {\"label\": \"DFD_real\", \"frames\": [\"a/r/000.png\"]}}}},"
         "\"DFD_fake\": {\"val\": {\"c23\": {\"f\": {\"label\": \"DFD_fake\", \"frames\": "
         "[\"a/f/000.png\"]}}},"
         "\"test\": {\"c23\": {\"f\": {\"label\": \"DFD_fake\", \"frames\": "
         "[\"a/f/000.png\"]}}}}}}");
    DataSets sets = read_set("deepfakebench", "", json_options());
    ck_assert(warns(&sets, "train and val share 1 videos"));
    ck_assert(warns(&sets, "val and test share 1 videos"));
    ck_assert(!warns(&sets, "train and test share"));
    data_sets_free(&sets);
}
END_TEST

/* More videos than are parsed at a time, with names full of what the cutting of the text must not stumble on. */
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
    video("v0", 1);
    video("v1", 1);
    DataSetsOptions options = json_options();
    Error error = {0};
    for (int threads = 1; threads <= 3; threads += 2) {
        ck_ok(threads_create(&options.threads, threads, &error), &error);
        DataSets sets = read_set("deepfakebench", "", options);
        check(&sets, DATA_TEST, "FF-DF", 1, VIDEOS, 867);
        ck_assert_str_eq(sets.sources[0].videos[0].name, "0 {\"}[\\");
        data_sets_free(&sets);
        /* A slip in a late video is found, at its line, whatever the number of threads. */
        char *const late = strstr(content, "v2\\\\000.png\"]}\n,\"1290 ");
        ck_assert_ptr_nonnull(late);
        late[12] = ' ';
        support_write_file(support_in_folder(""), "x.json", content, size);
        refuse("deepfakebench", "", options, STATUS_FAILED, "line 2581: no valid JSON");
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
        {"{\"a\": ", "no valid JSON"},
        {"[]", "there is no object of a data set"},
        {"\xef\xbb\xbf", "the file is empty"},
        {"\"", "no valid JSON"},
        {"\"\\\"", "no valid JSON"},
        {"}{", "no valid JSON"},
        {"{{}: {}}", "line 1: no valid JSON"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\n\"v\": {\n\"frames\": [1,]}}}}}",
         "line 3: no valid JSON"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\n\"v\": {\n\"frames\": []}, ]}}}",
         "line 3: no valid JSON"},
        {"{\"@\": 0}", "@: the data set holds no labels"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"@\": 0}}}}}", "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": []}, \"v\": {}}}}}", "duplicate"},
        {"{}", "there is no object of a data set"},
        {"{\"a\": []}", "a: the data set holds no labels"},
        {"{\"a\": {\"Fake\": {}}}", "the label Fake is not in DeepfakeBench's dictionary"},
        {"{\"a\": {\"FF-DF\": 3}}", "a / FF-DF: a label holds no splits"},
        {"{\"a\": {\"FF-DF\": {\"dev\": {}}}}", "a / FF-DF / dev: there is a split"},
        {"{\"a\": {\"FF-DF\": {\"test\": []}}}",
         "a / FF-DF / test: a split is no object of videos"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": []}}}}", "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": {}}}}}}",
         "a video has no list of frames"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [7]}}}}}", "a frame is no text"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"\"]}}}}}", "empty or too long"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"label\": \"FF-real\", \"frames\": [\"a\"]}}}}}",
         "label is another than that it stands under"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"c23\": {}, \"c40\": 1}}}}",
         "a compression level is no object"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"no/0.png\"]}}}}}",
         "has frames of none of the 1 videos expected"},
        {"{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"a/000.png\"]}}},"
         " \"FF-real\": {\"test\": {\"w\": {\"frames\": [\"a/000.png\"]}}}}}",
         "named as real and as fake"},
    };
    video("a", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        text("x.json", CASES[i].content);
        refuse("deepfakebench", "", json_options(), STATUS_FAILED, CASES[i].words);
    }
    text("x.json", "{\"a\": {\"FF-DF\": {\"test\": {\"v\": {\"frames\": [\"a/000.png\"]}}}}}");
    DataSetsOptions options = json_options();
    options.compression = "c23";
    refuse("deepfakebench", "", options, STATUS_FAILED, "has no compression levels");
    options.file = "nowhere.json";
    refuse("deepfakebench", "", options, STATUS_FAILED, "nowhere.json: cannot be read");
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------------------------- */

START_TEST(writing_is_all_or_nothing)
{
    static const char *const REAL[] = {"real"}, *const FAKE[] = {"swap"};
    video("real/a", 2);
    video("swap/b", 2);
    DataSets sets =
        read_set("folder", "",
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
    text("o/train/old.txt", "");
    ck_ok(data_sets_write(&sets, out, true, "{2}", 3, &error), &error);
    ck_assert(!file_exists(support_in_folder("o/train")));
    /* Somebody's own file is left alone. */
    text("o/test/notes.md", "");
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
    tcase_add_test(kinds, dfdcp);
    tcase_add_test(kinds, dfd_ffiw_uadfv);
    tcase_add_test(kinds, own_folders);
    tcase_add_test(kinds, deepfakebench);
    tcase_add_test(kinds, deepfakebench_labels);
    tcase_add_test(kinds, deepfakebench_shared_splits);
    tcase_add_test(kinds, deepfakebench_many_videos);
    tcase_add_test(kinds, writing_is_all_or_nothing);
    TCase *const bad = support_case(suite, "bad input", 120);
    tcase_add_checked_fixture(bad, support_folder_setup, support_folder_teardown);
    tcase_add_test(bad, ff_bad_splits);
    tcase_add_test(bad, celebdf2_bad_lists);
    tcase_add_test(bad, dfdc_bad_files);
    tcase_add_test(bad, links_and_loops);
    tcase_add_test(bad, too_deep);
    tcase_add_test(bad, videos_alone);
    tcase_add_test(bad, deepfakebench_bad_files);
    return support_main(suite);
}
