/*
 * test_list.c - lists of frames: reading, uniting, labels, videos, and everything that is refused. (Limits: test_list_limit.c.)
 */
#include "data/list.h"
#include "tensor/file.h"
#include "tests/support.h"
#include "tests/support_image.h"
#include "tests/support_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(test_text_forms)
{
    static const char *const FRAMES[] = {"FF/real/v/0.png",    "FF/real/v/1.png",
                                         "FF/DF/v w/a, b.png", "FF/DF/v w/\xfc.png",
                                         "FF/DF/v w/c.png",    NULL};
    static const char *const SORTED[] = {"FF/DF/v w/a, b.png", "FF/DF/v w/\xfc.png",
                                         "FF/real/v/0.png", "FF/real/v/1.png", NULL};
    static const char *const FORMS[] = {
        "FF/real/v/0.png\nFF/real/v/1.png\nFF/DF/v w/a, b.png\nFF/DF/v w/\xfc.png\n",
        "FF/DF/v w/\xfc.png\r\nFF/real/v/0.png\r\nFF/real/v/1.png\r\nFF/DF/v w/a, b.png",
        ("\357\273\277FF/real/v/1.png\n\n  \n\t FF/DF/v w/\xfc.png \nFF/real/v/0.png\n"
         "FF/DF/v w/a, b.png\n\n"),
    };
    support_list_enter();
    support_list_frames(FRAMES);
    char first[33] = "", hash[33];
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        support_list_text("list.txt", FORMS[i]);
        DataList list;
        support_list_read(&list, (const char *const[]){"list.txt"}, 1);
        support_list_paths(&list, SORTED);
        data_list_hash(&list, hash);
        ck_assert_uint_eq(strlen(hash), 32);
        ck_assert(i == 0 || strcmp(hash, first) == 0);
        memcpy(first, hash, sizeof first);
        data_list_free(&list);
    }
    support_list_text("list.txt",
                      "FF/DF/v w/\xfc.png\nFF/real/v/0.png\nFF/real/v/1.png\nFF/DF/v w/c.png\n");
    DataList other;
    support_list_read(&other, (const char *const[]){"list.txt"}, 1);
    data_list_hash(&other, hash);
    ck_assert_str_ne(hash, first);
    data_list_free(&other);
    support_list_leave();
}
END_TEST

START_TEST(test_labels_videos_sources)
{
    static const char *const FRAMES[] = {
        "X/Celeb-Real/000/0.png", "X/Celeb-Real/000/1.png", "X/YouTube-real/000/0.png",
        "X/DF/000/0.png",         "X/DF/001/0.png",         "Y/DF/000/0.png",
        "X/REALITY/7/0.png",      "X/rea/7/0.png",          NULL};
    static const struct {
        const char *path, *source, *video;
        int label;
    } EXPECTED[] = {
        {"X/Celeb-Real/000/0.png", "Celeb-Real", "X/Celeb-Real/000", 0},
        {"X/Celeb-Real/000/1.png", "Celeb-Real", "X/Celeb-Real/000", 0},
        {"X/DF/000/0.png", "DF", "X/DF/000", 1},
        {"X/DF/001/0.png", "DF", "X/DF/001", 1},
        {"X/REALITY/7/0.png", "REALITY", "X/REALITY/7", 0},
        {"X/YouTube-real/000/0.png", "YouTube-real", "X/YouTube-real/000", 0},
        {"X/rea/7/0.png", "rea", "X/rea/7", 1},
        {"Y/DF/000/0.png", "DF", "Y/DF/000", 1},
    };
    support_list_enter();
    support_list_frames(FRAMES);
    DataList list;
    support_list_read(&list, (const char *const[]){"X", "Y"}, 2);
    ck_assert_int_eq(list.count, 8);
    for (int i = 0; i < list.count; i++) {
        const DataFrame *const frame = &list.frames[i];
        ck_assert_str_eq(frame->path, EXPECTED[i].path);
        ck_assert_str_eq(frame->file, EXPECTED[i].path);
        ck_assert_str_eq(list.sources[frame->source], EXPECTED[i].source);
        ck_assert_str_eq(list.videos[frame->video], EXPECTED[i].video);
        ck_assert_int_eq(frame->label, EXPECTED[i].label);
        ck_assert_int_eq(list.source_label[frame->source], EXPECTED[i].label);
        ck_assert_int_eq(list.video_label[frame->video], EXPECTED[i].label);
    }
    ck_assert_int_eq(list.video_count, 7);
    ck_assert_int_eq(list.source_count, 5);
    for (int i = 1; i < list.source_count; i++)
        ck_assert_int_lt(strcmp(list.sources[i - 1], list.sources[i]), 0);
    int frames[2], videos[2];
    data_list_counts(&list, frames, videos);
    ck_assert(frames[0] == 4 && frames[1] == 4 && videos[0] == 3 && videos[1] == 4);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_duplicates_and_links)
{
    static const char *const FRAMES[] = {"FF/real/v/0.png", "FF/real/v/1.png", "FF/real/v/2.png",
                                         NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    ck_assert_int_eq(symlink("FF", "alias"), 0);
    ck_assert_int_eq(symlink("0.png", "FF/real/v/3.png"), 0);
    ck_assert_int_eq(link("FF/real/v/1.png", "FF/real/v/4.png"),
                     0); /* another file of equal contents */
    ck_assert_int_eq(symlink("..", "FF/real/loop"), 0);
    ck_assert_int_eq(symlink("/", "FF/real/.hidden"), 0);
    support_list_text("list.txt",
                      "FF/real/v/0.png\nFF/real/v/0.png\n./FF/real/v/0.png\nFF//real/v/0.png\n"
                      "alias/real/v/1.png\nFF/real/v/3.png\n");
    static const char *const LISTED[] = {"./FF/real/v/0.png", "alias/real/v/1.png", NULL};
    DataList list, folder;
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    support_list_paths(&list, LISTED);
    ck_assert_int_eq(list.duplicates, 4);
    ck_assert_int_eq(list.video_count, 1); /* two spellings of one folder */
    static const char *const WALKED[] = {"FF/real/v/0.png", "FF/real/v/1.png", "FF/real/v/2.png",
                                         "FF/real/v/4.png", NULL};
    support_list_read(&folder, (const char *const[]){"FF", "FF/"}, 2);
    support_list_paths(&folder, WALKED);
    ck_assert_int_eq(data_list_overlap(&list, &folder), 2);
    ck_assert_int_eq(data_list_overlap(&folder, &list), 2);
    data_list_limit_frames(&folder, 1); /* leaves 0.png */
    ck_assert_int_eq(data_list_overlap(&list, &folder), 1);
    data_list_free(&list);
    data_list_free(&folder);

    /* Which duplicate stays, and so every result, must not depend on the order of the lists. */
    support_list_text("a.txt", "FF/real/v/0.png\n");
    support_list_text("b.txt", "alias/real/v/0.png\n");
    support_list_read(&list, (const char *const[]){"b.txt", "a.txt"}, 2);
    ck_assert_str_eq(list.frames[0].path, "FF/real/v/0.png");
    ck_assert_int_eq(list.count, 1);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_relative_to_list)
{
    static const char *const FRAMES[] = {"sets/a/real/v/0.png", "sets/b/real/v/0.png",
                                         "real/v/1.png", NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("sets/a/list.txt", "real/v/0.png\nreal/v/1.png\n");
    support_list_text("sets/b/list.txt", "real/v/0.png\n");
    DataList list;
    support_list_read(&list, (const char *const[]){"sets/b/list.txt", "sets/a/list.txt"}, 2);
    ck_assert_int_eq(list.count, 3);
    ck_assert_str_eq(list.frames[0].file, "sets/a/real/v/0.png");
    ck_assert_str_eq(list.frames[1].file, "sets/b/real/v/0.png");
    ck_assert_str_eq(list.frames[2].file, "real/v/1.png");
    ck_assert_str_eq(list.frames[0].path, "real/v/0.png");
    ck_assert_int_eq(list.video_count, 3); /* the same words, three folders */
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_backslashes)
{
    static const char *const FRAMES[] = {"FF/DF/v/0.png", "FF/DF/v/1\\2.png", NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("list.txt", "FF\\DF\\v\\0.png\nFF/DF/v/1\\2.png\n");
    DataList list;
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_str_eq(list.frames[0].path, "FF/DF/v/1\\2.png");
    ck_assert_str_eq(list.frames[0].file, "FF/DF/v/1\\2.png");
    ck_assert_str_eq(list.frames[1].path, "FF\\DF\\v\\0.png");
    ck_assert_str_eq(list.frames[1].file, "FF/DF/v/0.png");
    ck_assert_str_eq(list.sources[list.frames[1].source], "DF");
    ck_assert_int_eq(list.video_count, 1);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_missing_files_are_all_counted)
{
    support_list_enter();
    char text[4000] = "", name[100];
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "FF/real/v/%02d.png\n", i);
        strcat(text, name);
    }
    support_list_text("list.txt", text);
    support_list_text("FF/real/v/03.png", "x");
    ck_assert_int_eq(mkdir("FF/real/v/04.png", 0777), 0);
    ck_assert_int_eq(mkfifo("FF/real/v/05.png", 0666), 0);
    ck_assert_int_eq(symlink("nowhere", "FF/real/v/06.png"), 0);
    DataList list;
    Error error = {0};
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert_int_eq(error.problems, 24);
    ck_assert(strstr(error.message, "24 of 25 files") != NULL);
    ck_assert_str_eq(error.detail[0],
                     "FF/real/v/00.png (list.txt, line 1): No such file or directory");
    ck_assert(strstr(error.detail[3], "04.png") && strstr(error.detail[3], "directory"));
    ck_assert(strstr(error.detail[4], "05.png") && strstr(error.detail[4], "no regular file"));
    ck_assert(strstr(error.detail[9], "10.png") != NULL);
    ck_assert_ptr_null(list.memory);
    support_list_leave();
}
END_TEST

START_TEST(test_unreadable_file)
{
    support_list_enter();
    support_list_text("FF/real/v/0.png", "x");
    ck_assert_int_eq(chmod("FF/real/v/0.png", 0), 0);
    if (access("FF/real/v/0.png", R_OK) != 0) { /* the superuser may read everything */
        DataList list;
        Error error = {0};
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"FF"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_int_eq(error.problems, 1);
        ck_assert_str_eq(error.detail[0], "FF/real/v/0.png: Permission denied");
    }
    support_list_leave();
}
END_TEST

START_TEST(test_bad_lists)
{
    char long_line[6000];
    memset(long_line, 'a', sizeof long_line);
    memcpy(long_line, "FF/real/v/0.png\n", 16);
    static const struct {
        const char *text;
        size_t size;
        const char *words;
    } CASES[] = {
        {"", 0, "empty"},
        {"\n \r\n\t\n", 6, "empty"},
        {"\xef\xbb\xbf", 3, "empty"},
        {"\xff\xfe"
         "F\0F\0",
         6, "UTF-16"},
        {"\xfe\xff"
         "\0F\0F",
         6, "UTF-16"},
        {"FF/real/v/0.png\nFF\0/x\n", 22, "line 2 holds a zero byte"},
        {"v/0.png\n", 8, "does not name source and video"},
        {"0.png\n", 6, "does not name source and video"},
        {"./v/0.png\n", 10, "does not name source and video"},
        {"FF/../v/0.png\n", 14, "does not name source and video"},
        {NULL, sizeof long_line, "line 2 has 5984 bytes"},
    };
    support_list_enter();
    support_list_text("FF/real/v/0.png", "x");
    support_list_text("v/0.png", "x");
    support_list_text("0.png", "x");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        DataList list;
        Error error = {0};
        support_write_file(".", "list.txt", CASES[i].text ? CASES[i].text : long_line,
                           CASES[i].size);
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"FF", "list.txt"}, 2, &error),
                         STATUS_FAILED);
        ck_assert_msg(strncmp(error.message, "list.txt: ", 10) == 0 &&
                          strstr(error.message, CASES[i].words) && strchr(error.message, ';'),
                      "case %zu: %s", i, error.message);
        ck_assert_ptr_null(list.memory);
    }
    DataList list;
    Error error = {0};
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"nowhere.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "nowhere.txt") != NULL);
    ck_assert_int_eq(mkdir("hollow", 0777), 0);
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"hollow"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "no image below") != NULL);
    support_list_leave();
}
END_TEST

START_TEST(test_two_labels)
{
    support_list_enter();
    support_list_text("FF/real/v/0.png", "x");
    support_list_text("FF/real/v/1.png", "x");
    ck_assert_int_eq(symlink("real", "FF/DF"), 0);
    DataList list;
    Error error = {0};
    support_list_text("list.txt", "FF/real/v/0.png\nFF/DF/v/0.png\n");
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "both real and fake") != NULL);
    support_list_text("list.txt", "FF/real/v/0.png\nFF/DF/v/1.png\n");
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "both real and fake frames") != NULL);
    support_list_leave();
}
END_TEST

/* Folders of data sets that name neither source nor label where the layout has them. */
static const char *const DISTRIBUTED[] = {"youtube/c23/frames/071/0.png",
                                          "Deepfakes/frames/071_054/0.png",
                                          "Deepfakes/frames/071_054/1.png",
                                          "FF/real/v/0.png",
                                          "#1/real/w/0.png",
                                          NULL};

START_TEST(test_header_lines)
{
    static const char TEXT[] = "# a comment: lnclip: label=fake source=x\r\n"
                               "#1/real/w/0.png\n" /* no blank behind the sign: a path */
                               "FF/real/v/0.png\n"
                               "# lnclip: label=real source=my real ones\r\n"
                               "#\n"
                               "youtube/c23/frames/071/0.png\n"
                               "#\tlnclip:label=fake  source=DF \n"
                               "Deepfakes/frames/071_054/0.png\n"
                               "Deepfakes/frames/071_054/1.png\n";
    static const char *const SOURCES[] = {"DF", "my real ones", "real"};
    support_list_enter();
    support_list_frames(DISTRIBUTED);
    support_list_text("list.txt", TEXT);
    DataList list;
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_int_eq(list.count, 5);
    ck_assert_int_eq(list.video_count, 4);
    ck_assert_int_eq(list.source_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(list.sources[i], SOURCES[i]);
        ck_assert_int_eq(list.source_label[i], i == 0);
    }
    for (int i = 0; i < list.count; i++) {
        const bool fake = strncmp(list.frames[i].path, "Deepfakes", 9) == 0;
        ck_assert_int_eq(list.frames[i].label, fake);
        ck_assert_int_eq(list.video_label[list.frames[i].video], fake);
        if (fake) /* the video is the folder, whatever the source is called */
            ck_assert_str_eq(list.videos[list.frames[i].video], "Deepfakes/frames/071_054");
    }
    data_list_free(&list);

    /* A header holds for its own file only: the next list goes by its paths again. */
    support_list_text("other.txt", "Deepfakes/frames/071_054/0.png\n");
    support_list_text("first.txt", "# lnclip: label=real source=r\nyoutube/c23/frames/071/0.png\n");
    support_list_read(&list, (const char *const[]){"first.txt", "other.txt"}, 2);
    ck_assert_str_eq(list.sources[0], "frames");
    ck_assert_int_eq(list.source_label[0], 1);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_bad_header_lines)
{
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"# lnclip:\nFF/real/v/0.png\n", "line 1: '# lnclip:' is no header"},
        {"\n# lnclip: label=Real source=x\n",
         "line 2: '# lnclip: label=Real source=x' is no header"},
        {"# lnclip: label=real\n", "is no header"},
        {"# lnclip: label=real source=\n", "is no header"},
        {"# lnclip: label= real source=x\n", "is no header"},
        {"# lnclip: source=x label=real\n", "is no header"},
        {"# lnclip: label=realistic source=x\n", "is no header"},
        {"# lnclip: label=real source=x\n", "list.txt: the list is empty"},
        {"# lnclip: label=real source=x\nyoutube/c23/frames/071/0.png\n"
         "# lnclip: label=fake source=x\nDeepfakes/frames/071_054/0.png\n",
         "its source x is real in one list and fake in another"},
        {"# lnclip: label=real source=x\nDeepfakes/frames/071_054/0.png\n"
         "# lnclip: label=fake source=y\nDeepfakes/frames/071_054/1.png\n",
         "has both real and fake frames"},
        {"# lnclip: label=real source=x\nDeepfakes/frames/071_054/0.png\n"
         "# lnclip: label=fake source=y\n./Deepfakes/frames/071_054/0.png\n",
         "which makes it both real and fake"},
    };
    support_list_enter();
    support_list_frames(DISTRIBUTED);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        DataList list;
        Error error = {0};
        support_list_text("list.txt", CASES[i].text);
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_msg(strstr(error.message, CASES[i].message) != NULL, "case %zu: %s", i,
                      error.message);
        ck_assert_ptr_null(list.frames);
    }
    support_list_leave();
}
END_TEST

START_TEST(test_plain_paths)
{
    static const char *const FRAMES[] = {
        "z.png", "d/a/2.JPG", "d/a.b/1.jpeg", "d/a/x.txt", "d/.git/y.png", "d/a/10.png", NULL};
    static const char *const EXPECTED[] = {
        "z.png", "missing.png", "d/a.b/1.jpeg", "d/a/10.png", "d/a/2.JPG", "z.png", NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    ck_assert_int_eq(symlink(".", "d/self"), 0);
    DataList list;
    Error error = {0};
    ck_ok(data_list_paths(&list, (const char *const[]){"z.png", "missing.png", "d", "z.png"}, 4,
                          &error),
          &error);
    support_list_paths(&list, EXPECTED);
    ck_assert(list.frames[0].video == -1 && list.frames[0].source == -1 &&
              list.frames[0].label == 0);
    char hash[33];
    data_list_hash(&list, hash);
    data_list_limit_frames(&list, 1); /* no videos: nothing to limit */
    ck_assert_int_eq(list.count, 6);
    data_list_free(&list);
    ck_assert_int_eq(mkdir("hollow", 0777), 0);
    ck_assert_int_eq(data_list_paths(&list, (const char *const[]){"z.png", "hollow"}, 2, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "hollow: no image") != NULL);
    support_list_leave();
}
END_TEST

/* Many lists of many videos: exercises the pool and the tables, and stays fast. */
START_TEST(test_large_set)
{
    support_list_enter();
    char name[100], path[8192];
    for (int video = 0; video < 100; video++) {
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "FF/%s/%03d/%03d.png", video % 2 ? "DF" : "real", video, i);
            support_list_text(name, "x");
        }
    }
    snprintf(path, sizeof path, "%s/FF", support_list_root());
    DataList list, absolute;
    support_list_read(&list, (const char *const[]){"FF", "FF/DF"}, 2);
    support_list_read(&absolute, (const char *const[]){path}, 1);
    ck_assert_int_eq(list.count, 3000);
    ck_assert_int_eq(list.duplicates, 1500);
    ck_assert_int_eq(list.video_count, 100);
    ck_assert_int_eq(data_list_overlap(&list, &absolute), 3000);
    for (int i = 1; i < list.count; i++)
        ck_assert_int_lt(strcmp(list.frames[i - 1].path, list.frames[i].path), 0);
    data_list_free(&list);
    data_list_free(&absolute);
    support_list_leave();
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("list");
    TCase *const lists = support_case(suite, "lists", 60);
    tcase_add_test(lists, test_text_forms);
    tcase_add_test(lists, test_labels_videos_sources);
    tcase_add_test(lists, test_duplicates_and_links);
    tcase_add_test(lists, test_relative_to_list);
    tcase_add_test(lists, test_backslashes);
    tcase_add_test(lists, test_header_lines);
    tcase_add_test(lists, test_plain_paths);
    tcase_add_test(lists, test_large_set);
    TCase *const bad = support_case(suite, "bad input", 60);
    tcase_add_test(bad, test_missing_files_are_all_counted);
    tcase_add_test(bad, test_unreadable_file);
    tcase_add_test(bad, test_bad_lists);
    tcase_add_test(bad, test_bad_header_lines);
    tcase_add_test(bad, test_two_labels);
    return support_main(suite);
}
