/*
 * test_input.c - what may be given as a list: kinds by first bytes, refusals, folders of lists,
 * patterns, tables, JSON of DeepfakeBench, several joined by commas.
 */
#include "data/lists/input.h"
#include "data/lists/list.h"
#include "tensor/base/mem.h"
#include "tests/support.h"
#include "tests/support_list.h"

#include <stdio.h>
#include <string.h>

static const char *const FRAMES[] = {"D/real/a/0.png",
                                     "D/real/b/0.png",
                                     "D/swap/a/0.png",
                                     "D/swap/b/0.png",
                                     "own/real/1.png",
                                     "own/fake/1.png",
                                     "own/fake/v/0.png",
                                     "flat/0.png",
                                     "flat/1.png",
                                     "flat/2.png",
                                     "q/E/real/a/0.png",
                                     "q/E/swap/a/0.png",
                                     NULL};

static void check_paths(const char *name, DataSplit split, const char *const *expected)
{
    DataList list;
    Error error = {0};
    ck_ok(data_list_read_labelled(&list, &name, 1, split, NULL, 0, &error), &error);
    support_list_paths(&list, expected);
    data_list_free(&list);
}

static void check_refused(const char *name, DataSplit split, const char *message)
{
    DataList list;
    Error error = {0};
    ck_assert_int_eq(data_list_read_labelled(&list, &name, 1, split, NULL, 0, &error),
                     STATUS_FAILED);
    ck_assert_msg(strstr(error.message, message) != NULL, "'%s' is not in: %s", message,
                  error.message);
    ck_assert_ptr_null(list.frames);
}

START_TEST(kinds_by_first_bytes)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
        DataInput input;
    } CASES[] = {
        {"a.txt", "", 0, DATA_INPUT_EMPTY},
        {"a.txt", "x/y/z.png\n", 10, DATA_INPUT_LIST},
        {"a.txt", "path,label\nx,1\n", 15, DATA_INPUT_TABLE},
        {"a.txt", "\n  {\"a\": 1}", 11, DATA_INPUT_JSON},
        {"a.txt", "[[1]]", 5, DATA_INPUT_JSON_LIST},
        {"a.txt", "[a]/y/z.png\n", 12, DATA_INPUT_LIST},
        {"a.CSV", "a,b\n1,2\n", 8, DATA_INPUT_TABLE},
        {"a.txt", "<html>", 6, DATA_INPUT_PAGE},
        {"a.txt", "\xff\xfex\0", 4, DATA_INPUT_UTF16},
        {"a.txt",
         "\0\0\0\x18"
         "ftypmp42",
         12, DATA_INPUT_VIDEO},
        {"a.txt", "RIFFxxxxAVI ", 12, DATA_INPUT_VIDEO},
        {"a.txt", "\x1a\x45\xdf\xa3xx", 6, DATA_INPUT_VIDEO},
        {"a.txt", "RIFFxxxxWEBP", 12, DATA_INPUT_IMAGE},
        {"a.txt",
         "\0\0\0\x18"
         "ftypheic",
         12, DATA_INPUT_IMAGE},
        {"a.txt", "\x89PNG\r\n\x1a\n", 8, DATA_INPUT_IMAGE},
        {"a.txt", "\xff\xd8\xff\xe0", 4, DATA_INPUT_IMAGE},
        {"a.txt", "P6\n1 1 255\nxyz", 14, DATA_INPUT_IMAGE},
        {"a.txt", "P6/v/0.png\n", 11, DATA_INPUT_LIST},
        {"a.txt", "BM/v/000000000.png\n", 19, DATA_INPUT_LIST},
        {"a.txt", "\x10\0\0\0\0\0\0\0{\"a\":{}}", 16, DATA_INPUT_MODEL},
        {"a.txt", "PK\x03\x04....", 8, DATA_INPUT_ZIP},
        {"a.txt", "\x1f\x8b\x08\0", 4, DATA_INPUT_ARCHIVE},
        {"a.txt", "\x93NUMPY\x01\0", 8, DATA_INPUT_NUMPY},
        {"a.txt",
         "\x01\x02\x03\x04"
         "abcd",
         8, DATA_INPUT_BINARY},
        {"a.txt", "gr\xfcn/caf\xc3\xa9/0.png\n", 17, DATA_INPUT_LIST},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        ck_assert_msg(data_input_of_bytes(CASES[i].name, CASES[i].bytes, CASES[i].size) ==
                          CASES[i].input,
                      "case %zu", i);
    for (int input = 0; input < DATA_INPUTS; input++)
        ck_assert((data_input_refusal((DataInput)input) != NULL) == (input >= DATA_INPUT_EMPTY));
}
END_TEST

START_TEST(folders_patterns_and_commas)
{
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("l/train/real.txt", "D/real/a/0.png\n");
    support_list_text("l/train/swap.txt", "D/swap/a/0.png\n");
    support_list_text("l/test/real.txt", "../../D/real/b/0.png\n");
    check_paths("l", DATA_TRAIN, (const char *const[]){"D/real/a/0.png", "D/swap/a/0.png", NULL});
    check_paths("l", DATA_TEST, (const char *const[]){"../../D/real/b/0.png", NULL});
    check_paths("l/train/", DATA_TEST,
                (const char *const[]){"D/real/a/0.png", "D/swap/a/0.png", NULL});
    check_refused("l", DATA_VAL, "no image below this folder");
    check_paths("l/train/*.txt", DATA_VAL,
                (const char *const[]){"D/real/a/0.png", "D/swap/a/0.png", NULL});
    check_paths("D/*/a/*.png", DATA_VAL,
                (const char *const[]){"D/real/a/0.png", "D/swap/a/0.png", NULL});
    check_paths("l/train/real.txt,D/swap", DATA_VAL,
                (const char *const[]){"D/real/a/0.png", "D/swap/a/0.png", "D/swap/b/0.png", NULL});
    check_refused("D/*/none.png", DATA_VAL, "no file matches this pattern");
    check_refused("D/**/0.png", DATA_VAL, "** is not known");
    support_list_text("a,b.txt", "D/real/a/0.png\n");
    check_paths("a,b.txt", DATA_VAL, (const char *const[]){"D/real/a/0.png", NULL});

    DataList list;
    support_list_read(&list, (const char *const[]){"own"}, 1);
    ck_assert_int_eq(list.count, 3);
    ck_assert_int_eq(list.video_count, 3);
    ck_assert(list.frames[0].label == 1 && list.frames[1].label == 1 && list.frames[2].label == 0);
    ck_assert_int_eq(list.note_count, 0);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(tables)
{
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("flat/t.csv",
                      "img;class;split;video\n0.png;real;train;a\n1.png;fake;train;b\n"
                      "2.png;fake;val;b\n");
    DataList list;
    Error error = {0};
    const char *const name = "flat/t.csv";
    ck_ok(data_list_read_labelled(&list, &name, 1, DATA_TRAIN, NULL, 0, &error), &error);
    support_list_paths(&list, (const char *const[]){"0.png", "1.png", NULL});
    ck_assert_str_eq(list.videos[list.frames[0].video], "real/a");
    ck_assert_str_eq(list.videos[list.frames[1].video], "fake/b");
    ck_assert_int_eq(list.note_count, 1);
    ck_assert_ptr_nonnull(strstr(list.notes[0].text, "labels from 'class'"));
    data_list_free(&list);
    check_paths(name, DATA_VAL, (const char *const[]){"2.png", NULL});
    check_refused(name, DATA_TEST, "its column of splits has no test, but train, val");
    support_list_text("t.csv", "path,score\nflat/0.png,0\n");
    check_refused("t.csv", DATA_TEST,
                  "name it with --label-column (the columns are: path, score); "
                  "the options are those of lnclip lists csv");
    support_list_text("t.csv", "path,label\nflat/0.png,0\nflat/7.png,1\n");
    check_refused("t.csv", DATA_TEST, "t.csv: 1 of 2 files are missing");
    support_list_leave();
}
END_TEST

START_TEST(deepfakebench)
{
    static const char TEXT[] =
        "{\"X\": {\"FF-real\": {\"train\": {\"c23\": {\"a\": {\"label\": \"FF-real\", \"frames\": "
        "[\"E\\\\real\\\\a\\\\0.png\"]}}}}, \"FF-FS\": {\"train\": {\"c23\": {\"a\": {\"label\": "
        "\"FF-FS\", \"frames\": [\".\\\\E\\\\swap\\\\a\\\\0.png\"]}, \"z\": {\"label\": \"FF-FS\", "
        "\"frames\": [\"E/swap/z/0.png\"]}}}}}}";
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("q/p/dataset_json/X.json", TEXT); /* the frames are two folders above */
    DataList list;
    Error error = {0};
    const char *const name = "q/p/dataset_json/X.json";
    ck_ok(data_list_read_labelled(&list, &name, 1, DATA_TRAIN, NULL, 0, &error), &error);
    ck_assert_int_eq(list.count, 2);
    ck_assert_str_eq(list.sources[list.frames[0].source], "FF-real");
    ck_assert_str_eq(list.sources[list.frames[1].source], "FF-FS");
    ck_assert_int_eq(list.frames[1].label, 1);
    ck_assert_int_eq(list.note_count, 2);
    ck_assert(list.notes[1].warning);
    ck_assert_ptr_nonnull(strstr(list.notes[1].text, "1 of 3 videos are missing"));
    data_list_free(&list);
    check_refused(name, DATA_TEST, "has no frames in its split test");
    support_list_text("p/o.json", "{\"model_type\": \"clip\"}");
    check_refused("p/o.json", DATA_TEST, "use a file of DeepfakeBench's rearrange step");
    support_list_text("p/s.json", "[[\"071\", \"054\"]]");
    check_refused("p/s.json", DATA_TEST, "lists ff --splits");
    support_list_text("p/v.mp4", "\x1a\x45\xdf\xa3");
    check_refused("p/v.mp4", DATA_TEST, "is a video; crop its faces first");
    support_list_leave();
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("input");
    TCase *const inputs = support_case(suite, "inputs", 20);
    tcase_add_test(inputs, kinds_by_first_bytes);
    tcase_add_test(inputs, folders_patterns_and_commas);
    tcase_add_test(inputs, tables);
    tcase_add_test(inputs, deepfakebench);
    return support_main(suite);
}
