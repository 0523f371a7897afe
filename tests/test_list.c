/*
 * test_list.c - lists of frames: reading, uniting, labels, videos, and everything that is refused.
 */
#include "data/list.h"
#include "tensor/file.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[4096]; /* the folder of a test, which is also its working directory */

static void enter(void)
{
    support_make_folder(root);
    ck_assert_int_eq(chdir(root), 0);
}

static void leave(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    support_remove_folder(root);
}

static void write_text(const char *name, const char *text)
{
    support_write_file(".", name, text, strlen(text));
}

/* Lists look at names and permissions only, never into the images. */
static void make_frames(const char *const *paths)
{
    for (; *paths; paths++)
        write_text(*paths, "x");
}

static void read_lists(DataList *list, const char *const *lists, int count)
{
    Error error = {0};
    ck_ok(data_list_read(list, lists, count, &error), &error);
}

static void check_paths(const DataList *list, const char *const *expected)
{
    int i = 0;
    for (; expected[i]; i++) {
        ck_assert_int_lt(i, list->count);
        ck_assert_str_eq(list->frames[i].path, expected[i]);
    }
    ck_assert_int_eq(list->count, i);
}

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
    enter();
    make_frames(FRAMES);
    char first[33] = "", hash[33];
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        write_text("list.txt", FORMS[i]);
        DataList list;
        read_lists(&list, (const char *const[]){"list.txt"}, 1);
        check_paths(&list, SORTED);
        data_list_hash(&list, hash);
        ck_assert_uint_eq(strlen(hash), 32);
        ck_assert(i == 0 || strcmp(hash, first) == 0);
        memcpy(first, hash, sizeof first);
        data_list_free(&list);
    }
    write_text("list.txt",
               "FF/DF/v w/\xfc.png\nFF/real/v/0.png\nFF/real/v/1.png\nFF/DF/v w/c.png\n");
    DataList other;
    read_lists(&other, (const char *const[]){"list.txt"}, 1);
    data_list_hash(&other, hash);
    ck_assert_str_ne(hash, first);
    data_list_free(&other);
    leave();
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
    enter();
    make_frames(FRAMES);
    DataList list;
    read_lists(&list, (const char *const[]){"X", "Y"}, 2);
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
    leave();
}
END_TEST

START_TEST(test_duplicates_and_links)
{
    static const char *const FRAMES[] = {"FF/real/v/0.png", "FF/real/v/1.png", "FF/real/v/2.png",
                                         NULL};
    enter();
    make_frames(FRAMES);
    ck_assert_int_eq(symlink("FF", "alias"), 0);
    ck_assert_int_eq(symlink("0.png", "FF/real/v/3.png"), 0);
    ck_assert_int_eq(link("FF/real/v/1.png", "FF/real/v/4.png"),
                     0); /* another file of equal contents */
    ck_assert_int_eq(symlink("..", "FF/real/loop"), 0);
    ck_assert_int_eq(symlink("/", "FF/real/.hidden"), 0);
    write_text("list.txt", "FF/real/v/0.png\nFF/real/v/0.png\n./FF/real/v/0.png\nFF//real/v/0.png\n"
                           "alias/real/v/1.png\nFF/real/v/3.png\n");
    static const char *const LISTED[] = {"./FF/real/v/0.png", "alias/real/v/1.png", NULL};
    DataList list, folder;
    read_lists(&list, (const char *const[]){"list.txt"}, 1);
    check_paths(&list, LISTED);
    ck_assert_int_eq(list.duplicates, 4);
    ck_assert_int_eq(list.video_count, 1); /* two spellings of one folder */
    static const char *const WALKED[] = {"FF/real/v/0.png", "FF/real/v/1.png", "FF/real/v/2.png",
                                         "FF/real/v/4.png", NULL};
    read_lists(&folder, (const char *const[]){"FF", "FF/"}, 2);
    check_paths(&folder, WALKED);
    ck_assert_int_eq(data_list_overlap(&list, &folder), 2);
    ck_assert_int_eq(data_list_overlap(&folder, &list), 2);
    data_list_limit_frames(&folder, 1); /* leaves 0.png */
    ck_assert_int_eq(data_list_overlap(&list, &folder), 1);
    data_list_free(&list);
    data_list_free(&folder);

    /* Which duplicate stays, and so every result, must not depend on the order of the lists. */
    write_text("a.txt", "FF/real/v/0.png\n");
    write_text("b.txt", "alias/real/v/0.png\n");
    read_lists(&list, (const char *const[]){"b.txt", "a.txt"}, 2);
    ck_assert_str_eq(list.frames[0].path, "FF/real/v/0.png");
    ck_assert_int_eq(list.count, 1);
    data_list_free(&list);
    leave();
}
END_TEST

START_TEST(test_relative_to_list)
{
    static const char *const FRAMES[] = {"sets/a/real/v/0.png", "sets/b/real/v/0.png",
                                         "real/v/1.png", NULL};
    enter();
    make_frames(FRAMES);
    write_text("sets/a/list.txt", "real/v/0.png\nreal/v/1.png\n");
    write_text("sets/b/list.txt", "real/v/0.png\n");
    DataList list;
    read_lists(&list, (const char *const[]){"sets/b/list.txt", "sets/a/list.txt"}, 2);
    ck_assert_int_eq(list.count, 3);
    ck_assert_str_eq(list.frames[0].file, "sets/a/real/v/0.png");
    ck_assert_str_eq(list.frames[1].file, "sets/b/real/v/0.png");
    ck_assert_str_eq(list.frames[2].file, "real/v/1.png");
    ck_assert_str_eq(list.frames[0].path, "real/v/0.png");
    ck_assert_int_eq(list.video_count, 3); /* the same words, three folders */
    data_list_free(&list);
    leave();
}
END_TEST

START_TEST(test_backslashes)
{
    static const char *const FRAMES[] = {"FF/DF/v/0.png", "FF/DF/v/1\\2.png", NULL};
    enter();
    make_frames(FRAMES);
    write_text("list.txt", "FF\\DF\\v\\0.png\nFF/DF/v/1\\2.png\n");
    DataList list;
    read_lists(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_str_eq(list.frames[0].path, "FF/DF/v/1\\2.png");
    ck_assert_str_eq(list.frames[0].file, "FF/DF/v/1\\2.png");
    ck_assert_str_eq(list.frames[1].path, "FF\\DF\\v\\0.png");
    ck_assert_str_eq(list.frames[1].file, "FF/DF/v/0.png");
    ck_assert_str_eq(list.sources[list.frames[1].source], "DF");
    ck_assert_int_eq(list.video_count, 1);
    data_list_free(&list);
    leave();
}
END_TEST

START_TEST(test_missing_files_are_all_counted)
{
    enter();
    char text[4000] = "", name[100];
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "FF/real/v/%02d.png\n", i);
        strcat(text, name);
    }
    write_text("list.txt", text);
    write_text("FF/real/v/03.png", "x");
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
    leave();
}
END_TEST

START_TEST(test_unreadable_file)
{
    enter();
    write_text("FF/real/v/0.png", "x");
    ck_assert_int_eq(chmod("FF/real/v/0.png", 0), 0);
    if (access("FF/real/v/0.png", R_OK) != 0) { /* the superuser may read everything */
        DataList list;
        Error error = {0};
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"FF"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_int_eq(error.problems, 1);
        ck_assert_str_eq(error.detail[0], "FF/real/v/0.png: Permission denied");
    }
    leave();
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
    enter();
    write_text("FF/real/v/0.png", "x");
    write_text("v/0.png", "x");
    write_text("0.png", "x");
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
    leave();
}
END_TEST

START_TEST(test_two_labels)
{
    enter();
    write_text("FF/real/v/0.png", "x");
    write_text("FF/real/v/1.png", "x");
    ck_assert_int_eq(symlink("real", "FF/DF"), 0);
    DataList list;
    Error error = {0};
    write_text("list.txt", "FF/real/v/0.png\nFF/DF/v/0.png\n");
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "both real and fake") != NULL);
    write_text("list.txt", "FF/real/v/0.png\nFF/DF/v/1.png\n");
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "both real and fake frames") != NULL);
    leave();
}
END_TEST

START_TEST(test_limit_frames)
{
    /* Positions of np.linspace(0, n - 1, k, dtype=int). */
    static const struct {
        int n, k;
        int kept[12];
    } CASES[] = {
        {50, 4, {0, 16, 32, 49, -1}},
        {39, 4, {0, 12, 25, 38, -1}},
        {10, 1, {0, -1}},
        {10, 2, {0, 9, -1}},
        {3, 5, {0, 1, 2, -1}},
        {11, 10, {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, -1}},
        {5, 0, {0, 1, 2, 3, 4, -1}},
        {8, 8, {0, 1, 2, 3, 4, 5, 6, 7, -1}},
        {7, 3, {0, 3, 6, -1}},
    };
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        enter();
        char name[100];
        for (int i = 0; i < CASES[c].n; i++) {
            snprintf(name, sizeof name, "FF/real/v/%03d.png", i);
            write_text(name, "x");
        }
        write_text("FF/DF/w/0.png", "x");
        DataList list;
        read_lists(&list, (const char *const[]){"FF"}, 1);
        data_list_limit_frames(&list, CASES[c].k);
        ck_assert_str_eq(list.frames[0].path, "FF/DF/w/0.png");
        int i = 0;
        for (; CASES[c].kept[i] >= 0; i++) {
            snprintf(name, sizeof name, "FF/real/v/%03d.png", CASES[c].kept[i]);
            ck_assert_int_lt(i + 1, list.count);
            ck_assert_str_eq(list.frames[i + 1].path, name);
        }
        ck_assert_int_eq(list.count, i + 1);
        data_list_free(&list);
        leave();
    }
}
END_TEST

/* `videos` videos of `frames` frames each below root/SOURCE, in list.txt. */
static void append_source(const char *source, int videos, int frames)
{
    FILE *const list = fopen("list.txt", "a");
    for (int video = 0; video < videos; video++)
        for (int frame = 0; frame < frames; frame++) {
            char path[128];
            snprintf(path, sizeof path, "set/%s/v%03d/%02d.png", source, video, frame);
            write_text(path, "x");
            fprintf(list, "%s\n", path);
        }
    fclose(list);
}

/* Tables agree with frames, videos are whole, and *kept counts the frames of each source. */
static void check_limited(const DataList *list, const DataList *whole, int kept[8])
{
    int *const frames = calloc((size_t)list->video_count, sizeof *frames);
    int last_video = -1;
    memset(kept, 0, 8 * sizeof *kept);
    for (int i = 0; i < list->count; i++) {
        const DataFrame *const frame = &list->frames[i];
        ck_assert_int_lt(frame->video, list->video_count);
        ck_assert_int_lt(frame->source, list->source_count);
        ck_assert_int_eq(frame->label, list->video_label[frame->video]);
        ck_assert_int_eq(frame->label, list->source_label[frame->source]);
        ck_assert_ptr_nonnull(strstr(frame->path, list->sources[frame->source]));
        ck_assert(frame->video == last_video || frame->video == last_video + 1);
        last_video = frame->video;
        frames[frame->video]++;
        kept[frame->source]++;
    }
    ck_assert_int_eq(last_video, list->video_count - 1);
    for (int i = 0; i < list->video_count; i++) {
        int expected = 0;
        for (int j = 0; j < whole->count; j++)
            expected += strcmp(whole->videos[whole->frames[j].video], list->videos[i]) == 0;
        ck_assert_int_eq(frames[i], expected);
    }
    free(frames);
    ck_assert_int_eq(data_list_overlap(list, whole), list->count);
}

START_TEST(test_limit_videos)
{
    const char *const lists[] = {"list.txt"};
    DataList whole, list;
    Error error = {0};
    int kept[8], frames[2], videos[2];
    enter();
    append_source("DF", 10, 4); /* sources in bytewise order: DF, F2F, FS, real */
    append_source("F2F", 10, 4);
    append_source("FS", 2, 3);
    append_source("real", 10, 4);
    read_lists(&whole, lists, 1);
    ck_assert_int_eq(whole.count, 126);

    const int unlimited[] = {0, 126, 1000};
    for (int i = 0; i < 3; i++) {
        read_lists(&list, lists, 1);
        ck_ok(data_list_limit_videos(&list, unlimited[i], &error), &error);
        ck_assert_int_eq(list.count, 126);
        data_list_free(&list);
    }
    /* 24 frames each of real and fake; of the fakes all 6 of FS, and about 9 of the others. */
    read_lists(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 48, &error), &error);
    check_limited(&list, &whole, kept);
    ck_assert_int_eq(list.count, 46); /* a whole video more does not fit */
    ck_assert_int_eq(list.source_count, 4);
    ck_assert_int_eq(kept[3], 24);
    ck_assert_int_eq(kept[2], 6);
    ck_assert_int_eq(kept[0] + kept[1], 16);
    ck_assert_int_eq(kept[0], 8);
    data_list_free(&list);
    /* Where the real ones are all taken, the fakes go on; and sources that fit nowhere are gone. */
    read_lists(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 100, &error), &error);
    check_limited(&list, &whole, kept);
    data_list_counts(&list, frames, videos);
    ck_assert(frames[0] == 40 && frames[1] == 58 && videos[0] == 10 && videos[1] == 15);
    data_list_free(&list);
    read_lists(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 8, &error), &error);
    check_limited(&list, &whole, kept);
    ck_assert(list.count == 8 && list.source_count == 2 && list.video_count == 2);
    data_list_free(&list);

    read_lists(&list, lists, 1);
    ck_assert_int_eq(data_list_limit_videos(&list, 6, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "limit of 6 frames"));
    ck_assert_int_eq(list.count, 126);
    data_list_free(&list);
    data_list_free(&whole);
    leave();
}
END_TEST

/* Of 13 videos each quarter of the list gives some, whatever number fits. */
START_TEST(test_limit_videos_evenly)
{
    const char *const lists[] = {"list.txt"};
    Error error = {0};
    enter();
    append_source("fake", 13, 1);
    append_source("real", 13, 1);
    for (int limit = 2; limit < 26; limit += 2) {
        DataList list;
        read_lists(&list, lists, 1);
        ck_ok(data_list_limit_videos(&list, limit, &error), &error);
        ck_assert_int_eq(list.count, limit);
        int quarters[4] = {0};
        for (int i = 0; i < limit / 2; i++) {
            int video = 0;
            ck_assert_int_eq(sscanf(strstr(list.frames[i].path, "/v"), "/v%d", &video), 1);
            quarters[video * 4 / 13]++;
        }
        /* The grid of a bit-reversed order has 16 places, of which 13 are videos. */
        for (int i = 0; i < 4; i++)
            ck_assert_msg(limit / 2 < 4 || (quarters[i] >= limit / 2 / 5 && quarters[i] > 0),
                          "%d frames: %d of quarter %d", limit / 2, quarters[i], i);
        data_list_free(&list);
    }
    leave();
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
    enter();
    make_frames(DISTRIBUTED);
    write_text("list.txt", TEXT);
    DataList list;
    read_lists(&list, (const char *const[]){"list.txt"}, 1);
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
    write_text("other.txt", "Deepfakes/frames/071_054/0.png\n");
    write_text("first.txt", "# lnclip: label=real source=r\nyoutube/c23/frames/071/0.png\n");
    read_lists(&list, (const char *const[]){"first.txt", "other.txt"}, 2);
    ck_assert_str_eq(list.sources[0], "frames");
    ck_assert_int_eq(list.source_label[0], 1);
    data_list_free(&list);
    leave();
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
    enter();
    make_frames(DISTRIBUTED);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        DataList list;
        Error error = {0};
        write_text("list.txt", CASES[i].text);
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_msg(strstr(error.message, CASES[i].message) != NULL, "case %zu: %s", i,
                      error.message);
        ck_assert_ptr_null(list.frames);
    }
    leave();
}
END_TEST

/* The positions NumPy yields: np.floor(np.linspace(0, n - 1, k)). */
START_TEST(test_spread)
{
    static const int TEN_OF_4[] = {0, 3, 6, 9}, SEVEN_OF_3[] = {0, 3, 6},
                     LAST[] = {0, 2, 5, 8, 11}; /* of 12 */
    for (int j = 0; j < 4; j++)
        ck_assert_int_eq(data_list_spread(j, 4, 10), TEN_OF_4[j]);
    for (int j = 0; j < 3; j++)
        ck_assert_int_eq(data_list_spread(j, 3, 7), SEVEN_OF_3[j]);
    for (int j = 0; j < 5; j++)
        ck_assert_int_eq(data_list_spread(j, 5, 12), LAST[j]);
    ck_assert_int_eq(data_list_spread(0, 1, 100), 0);
    ck_assert_int_eq(data_list_spread(0, 1, 1), 0);
    for (int n = 2; n < 70; n++)
        for (int k = 2; k <= n; k++) {
            ck_assert_int_eq(data_list_spread(k - 1, k, n), n - 1);
            for (int j = 1; j < k; j++)
                ck_each(data_list_spread(j, k, n) > data_list_spread(j - 1, k, n), "%d of %d, n %d",
                        j, k, n);
        }
}
END_TEST

START_TEST(test_plain_paths)
{
    static const char *const FRAMES[] = {
        "z.png", "d/a/2.JPG", "d/a.b/1.jpeg", "d/a/x.txt", "d/.git/y.png", "d/a/10.png", NULL};
    static const char *const EXPECTED[] = {
        "z.png", "missing.png", "d/a.b/1.jpeg", "d/a/10.png", "d/a/2.JPG", "z.png", NULL};
    enter();
    make_frames(FRAMES);
    ck_assert_int_eq(symlink(".", "d/self"), 0);
    DataList list;
    Error error = {0};
    ck_ok(data_list_paths(&list, (const char *const[]){"z.png", "missing.png", "d", "z.png"}, 4,
                          &error),
          &error);
    check_paths(&list, EXPECTED);
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
    leave();
}
END_TEST

/* Many lists of many videos: exercises the pool and the tables, and stays fast. */
START_TEST(test_large_set)
{
    enter();
    char name[100], path[8192];
    for (int video = 0; video < 100; video++) {
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "FF/%s/%03d/%03d.png", video % 2 ? "DF" : "real", video, i);
            write_text(name, "x");
        }
    }
    snprintf(path, sizeof path, "%s/FF", root);
    DataList list, absolute;
    read_lists(&list, (const char *const[]){"FF", "FF/DF"}, 2);
    read_lists(&absolute, (const char *const[]){path}, 1);
    ck_assert_int_eq(list.count, 3000);
    ck_assert_int_eq(list.duplicates, 1500);
    ck_assert_int_eq(list.video_count, 100);
    ck_assert_int_eq(data_list_overlap(&list, &absolute), 3000);
    for (int i = 1; i < list.count; i++)
        ck_assert_int_lt(strcmp(list.frames[i - 1].path, list.frames[i].path), 0);
    data_list_free(&list);
    data_list_free(&absolute);
    leave();
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
    tcase_add_test(lists, test_limit_frames);
    tcase_add_test(lists, test_limit_videos);
    tcase_add_test(lists, test_limit_videos_evenly);
    tcase_add_test(lists, test_header_lines);
    tcase_add_test(lists, test_spread);
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
