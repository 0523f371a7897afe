/*
 * test_list.c - lists of frames: reading, uniting, labels, videos, and everything that is refused.
 * (Limits: test_list_limit.c.)
 */
#include "data/lists/list.h"
#include "data/lists/list_compare.h"
#include "tensor/base/file.h"
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
        "X/REAL/7/0.png",         "X/rea/7/0.png",          NULL};
    static const struct {
        const char *path, *source, *video;
        int label;
    } EXPECTED[] = {
        {"X/Celeb-Real/000/0.png", "Celeb-Real", "X/Celeb-Real/000", 0},
        {"X/Celeb-Real/000/1.png", "Celeb-Real", "X/Celeb-Real/000", 0},
        {"X/DF/000/0.png", "DF", "X/DF/000", 1},
        {"X/DF/001/0.png", "DF", "X/DF/001", 1},
        {"X/REAL/7/0.png", "REAL", "X/REAL/7", 0},
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

START_TEST(names_of_videos)
{
    static const char *const FRAMES[] = {"flat/0.png", "flat/1.png", "flat/2.png",
                                         "flat/3.png", "b/4.png",    NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    support_list_text("list.txt",
                      "# lnclip: label=real video-name=a%20b source=s\nflat/0.png\nb/4.png\n"
                      "# lnclip: label=real video-name=c%2 source=s\nflat/1.png\n"
                      "# lnclip: label=fake video-name=c%2 source=t\nflat/2.png\n"
                      "# lnclip: label=fake source=t\nflat/3.png\n");
    DataList list;
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_int_eq(list.video_count, 4);
    ck_assert_str_eq(list.videos[list.frames[0].video], "s/a b"); /* in two folders */
    ck_assert_int_eq(list.frames[0].video, list.frames[1].video);
    ck_assert_str_eq(list.videos[list.frames[2].video], "s/c%2");
    ck_assert_str_eq(list.videos[list.frames[3].video], "t/c%2");
    ck_assert_str_eq(list.videos[list.frames[4].video], "flat");
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
    static const char *const LISTED[] = {"./FF/real/v/0.png", "FF/real/v/3.png",
                                         "alias/real/v/1.png", NULL};
    DataList list, folder;
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    support_list_paths(&list, LISTED);
    ck_assert_int_eq(list.duplicates, 3);  /* 3.png is as good as a copy of 0.png */
    ck_assert_int_eq(list.video_count, 1); /* two spellings of one folder */
    static const char *const WALKED[] = {"FF/real/v/0.png", "FF/real/v/1.png", "FF/real/v/2.png",
                                         "FF/real/v/3.png", "FF/real/v/4.png", NULL};
    support_list_read(&folder, (const char *const[]){"FF", "FF/"}, 2);
    support_list_paths(&folder, WALKED);
    ck_assert_int_eq(data_list_overlap(&list, &folder), 3);
    ck_assert_int_eq(data_list_overlap(&folder, &list), 3);
    Error error = {0};
    ck_ok(data_list_choose_frames(&folder, 1, DATA_FRAMES_EVEN, 0, &error),
          &error); /* leaves 0.png */
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

/* Links into a store of contents (git-annex, DVC, a hub's cache): the data set is the same as with
 * copies. */
START_TEST(test_content_store)
{
    static const char *const NAMES[] = {"real/a/0.png", "real/a/1.png", "real/b/0.png",
                                        "DF/c/0.png", "DF/c/1.png"};
    static const char *const CONTENT[] = {"red", "red", "red", "blue", "red"};
    char name[200], target[200];
    DataList copies, links;
    support_list_enter();
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "copies/%s", NAMES[i]);
        support_list_text(name, CONTENT[i]);
        snprintf(name, sizeof name, "store/%s", CONTENT[i]); /* no suffix, as in such stores */
        support_list_text(name, CONTENT[i]);
        snprintf(name, sizeof name, "links/%s", NAMES[i]);
        support_list_text(name, "x");
        ck_assert_int_eq(unlink(name), 0);
        snprintf(target, sizeof target, "../../../store/%s", CONTENT[i]);
        ck_assert_int_eq(symlink(target, name), 0);
    }
    support_list_read(&copies, (const char *const[]){"copies"}, 1);
    support_list_read(&links, (const char *const[]){"links"}, 1);
    ck_assert_int_eq(links.count, 5);
    ck_assert_int_eq(links.duplicates, 0);
    ck_assert_int_eq(links.video_count, copies.video_count);
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(strchr(links.frames[i].path, '/'), strchr(copies.frames[i].path, '/'));
        ck_assert_int_eq(links.frames[i].label, copies.frames[i].label);
        ck_assert_int_eq(links.frames[i].video, copies.frames[i].video);
    }
    /* What is compared sees the same: the contents of the set itself, and of another one. */
    const DataList *const sets[2] = {&links, &copies};
    DataComparison of_links, of_copies, both;
    Error error = {0};
    ck_ok(data_list_compare(&sets[0], 1, true, NULL, &of_links, &error), &error);
    ck_ok(data_list_compare(&sets[1], 1, true, NULL, &of_copies, &error), &error);
    ck_ok(data_list_compare(sets, 2, true, NULL, &both, &error), &error);
    ck_assert_int_eq(of_links.duplicates[0].count, of_copies.duplicates[0].count);
    ck_assert_int_eq(of_links.contradictions[0].count, of_copies.contradictions[0].count);
    ck_assert_int_eq(of_links.contradictions[0].count, 3); /* real ones with the bytes of DF/c/1 */
    ck_assert_int_eq(both.overlap[0][1].contents.count, 5);
    data_list_free(&copies);
    /* Another farm of links to the same store shares its files. */
    support_list_text("other/real/z/0.png", "x");
    ck_assert_int_eq(unlink("other/real/z/0.png"), 0);
    ck_assert_int_eq(symlink("../../../store/red", "other/real/z/0.png"), 0);
    support_list_read(&copies, (const char *const[]){"other"}, 1);
    ck_ok(data_list_compare(sets, 2, false, NULL, &both, &error), &error);
    ck_assert_int_eq(both.overlap[0][1].files.count, 1);
    ck_assert_int_eq(data_list_overlap(&links, &copies), 1);
    data_list_free(&copies);
    data_list_free(&links);
    support_list_leave();
}
END_TEST

START_TEST(test_names_in_doubt)
{
    /* By whole words; in the lists of the method's authors every label stays what it was. */
    static const struct {
        const char *name;
        int label;
    } CASES[] = {
        {"real", 0},
        {"Real", 0},
        {"REAL", 0},
        {"real-youtube", 0},
        {"Celeb-real", 0},
        {"YouTube-real", 0},
        {"Youtube-real", 0},
        {"FF-real", 0},
        {"DFDCP_Real", 0},
        {"roop_Real", 0},
        {"real_videos", 0},
        {"RealVideos", 0},
        {"CelebReal", 0},
        {"real2", 0},
        {"0_real", 0},
        {"reals", 0},
        {"DF", 1},
        {"F2F", 1},
        {"FS", 1},
        {"NT", 1},
        {"FSh", 1},
        {"fake", 1},
        {"Celeb-synthesis", 1},
        {"Deepfakes", 1},
        {"original", 1},
        {"rea", 1},
        {"UADFV_Fake", 1},
        {"1_fake", 1},
        {"surreal", -1},
        {"RealityForge", -1},
        {"unreal", -1},
        {"realistic", -1},
        {"FFreal", -1},
        {"cereal", -1},
        {"whichfaceisreal", -1},
        {"REALITY", -1},
        {"realesrgan", -1},
        {"real-vs-fake", -1},
        {"RealFake", -1},
        {"not_real", -1},
        {"Real3D-Portrait", -1},
        {"real-time-swap", -1},
        {"\xc3\xbcreal", -1},
        {"DeepFakeDetection_real", -1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const DataLabel label = data_label(CASES[i].name, strlen(CASES[i].name));
        ck_each(label.label == CASES[i].label, "%s: %d", CASES[i].name, label.label);
        ck_each((label.label < 0) <= (label.doubt != NULL), "%s: no reason", CASES[i].name);
    }
    ck_assert_ptr_nonnull(data_label("original", 8).doubt); /* fake as ever, but worth a warning */

    static const char *const FRAMES[] = {"X/surreal/a/0.png", "X/surreal/b/0.png",
                                         "X/RealityForge/a/0.png", "X/real/a/0.png", NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    DataList list;
    Error error = {0};
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"X"}, 1, &error), STATUS_FAILED);
    ck_assert_int_eq(error.problems, 2);
    ck_assert_msg(strstr(error.message, "RealityForge") && strstr(error.message, "--label") &&
                      strstr(error.message, "# lnclip: label="),
                  "%s", error.message);
    ck_assert(strstr(error.detail[1], "source surreal (X/surreal/a/0.png)") != NULL);
    ck_assert_ptr_null(list.memory);
    DataSourceLabel labels[] = {
        {"surreal", 1, false}, {"RealityForge", 1, false}, {"DF", 1, false}};
    error = (Error){0};
    ck_ok(
        data_list_read_labelled(&list, (const char *const[]){"X"}, 1, DATA_TEST, labels, 3, &error),
        &error);
    ck_assert(labels[0].used && labels[1].used && !labels[2].used);
    int frames[2], videos[2];
    data_list_counts(&list, frames, videos);
    ck_assert(frames[0] == 1 && frames[1] == 3 && videos[1] == 3);
    data_list_free(&list);
    support_list_text("list.txt", "# lnclip: label=real source=surreal\nX/surreal/a/0.png\n");
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_int_eq(list.source_label[0], 0);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

/* Expected of one frame of a list or folder. */
typedef struct Seen {
    const char *path, *source, *video;
    int label;
} Seen;

static void check_seen(const char *list_name, const Seen *expected, int count)
{
    DataList list;
    support_list_read(&list, &list_name, 1);
    ck_assert_int_eq(list.count, count);
    for (int i = 0; i < count; i++) {
        const DataFrame *const frame = &list.frames[i];
        ck_assert_str_eq(frame->path, expected[i].path);
        ck_assert_str_eq(list.sources[frame->source], expected[i].source);
        ck_assert_str_eq(list.videos[frame->video], expected[i].video);
        ck_assert_int_eq(frame->label, expected[i].label);
        ck_assert_int_eq(list.video_label[frame->video], expected[i].label);
    }
    data_list_free(&list);
}

START_TEST(test_class_folders)
{
    static const Seen EXPECTED[] = {
        {"d/1_fake/0.png", "1_fake", "d/1_fake/0.png", 1},
        {"d/Fake/b.png", "Fake", "d/Fake/b.png", 1},
        {"d/fake/DF/000_003/0.png", "DF", "d/fake/DF/000_003", 1},
        {"d/fake/clip/0.png", "fake", "d/fake/clip", 1},
        {"d/fake/clip/1.png", "fake", "d/fake/clip", 1},
        {"d/fake/id1/x/0.png", "fake/id1", "d/fake/id1/x", 1},
        {"d/real/0.png", "real", "d/real/0.png", 0},
        {"d/real/1.png", "real", "d/real/1.png", 0},
        {"d/real/id1/x/0.png", "real/id1", "d/real/id1/x", 0},
        {"d/real/youtube/071/0.png", "youtube", "d/real/youtube/071", 0},
    };
    enum { COUNT = sizeof EXPECTED / sizeof EXPECTED[0] };
    support_list_enter();
    for (int i = 0; i < COUNT; i++)
        support_list_text(EXPECTED[i].path, "x");
    check_seen("d", EXPECTED, COUNT);
    check_seen("d/real/",
               (const Seen[]){{"d/real/0.png", "real", "d/real/0.png", 0},
                              {"d/real/1.png", "real", "d/real/1.png", 0},
                              {"d/real/id1/x/0.png", "id1", "d/real/id1/x", 0},
                              {"d/real/youtube/071/0.png", "youtube", "d/real/youtube/071", 0}},
               4);
    /*
     * The same images in a list: folders above are not a layout there, so the label is asked for.
     */
    support_list_text("list.txt", "d/real/0.png\nd/1_fake/0.png\nd\\Fake\\b.png\n");
    check_seen("list.txt",
               (const Seen[]){{"d/1_fake/0.png", "1_fake", "d/1_fake/0.png", 1},
                              {"d/real/0.png", "real", "d/real/0.png", 0},
                              {"d\\Fake\\b.png", "Fake", "d/Fake/b.png", 1}},
               3);
    DataList list;
    Error error = {0};
    support_list_text("list.txt", "d/real/youtube/071/0.png\n");
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.detail[0], "folder named real") != NULL);
    /* A header may say what is a video. */
    support_list_text("e/0.png", "x");
    support_list_text("e/1.png", "x");
    support_list_text("list.txt", "# lnclip: label=real video=image source=s\ne/0.png\ne/1.png\n"
                                  "# lnclip: label=real video=folder source=t\nd/real/0.png\n"
                                  "d/real/1.png\n");
    check_seen("list.txt",
               (const Seen[]){{"d/real/0.png", "t", "d/real", 0},
                              {"d/real/1.png", "t", "d/real", 0},
                              {"e/0.png", "s", "e/0.png", 0},
                              {"e/1.png", "s", "e/1.png", 0}},
               4);
    /* No image is lost to a limit of frames a video. */
    error = (Error){0};
    support_list_read(&list, (const char *const[]){"d"}, 1);
    ck_ok(data_list_choose_frames(&list, 1, DATA_FRAMES_EVEN, 0, &error), &error);
    ck_assert_int_eq(list.count, COUNT - 1);
    ck_assert_int_eq(list.left_out, 1);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

/* Folders whose labels would be guesses. */
START_TEST(test_layouts_in_doubt)
{
    static const struct {
        const char *frame, *words;
    } CASES[] = {
        {"d/Celeb-real/frames/id0_0000/0.png", "folder above says it is real"},
        {"d/original_sequences/youtube/c23/frames/071/0.png", "folder above says it is real"},
        {"d/Celeb-real/0.png", "looks like a video"},
        {"d/fake/Celeb-real/v/0.png", "folder of the other class"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        support_list_enter();
        support_list_text(CASES[i].frame, "x");
        DataList list;
        Error error = {0};
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"d"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_msg(strstr(error.detail[0], CASES[i].words) != NULL, "case %zu: %s", i,
                      error.detail[0]);
        support_list_leave();
    }
}
END_TEST

static const DataSkipped *find_skipped(const DataList *list, const char *folder, const char *what)
{
    for (int i = 0; i < list->skipped_count; i++)
        if (strcmp(list->skipped[i].folder, folder) == 0 &&
            strcmp(list->skipped[i].what, what) == 0)
            return &list->skipped[i];
    return NULL;
}

START_TEST(test_skipped)
{
    static const char *const FRAMES[] = {"d/real/v/0.png",          "d/real/v/@eaDir/0.png",
                                         "d/real/v/masks/0.png",    "d/real/v/.thumbnails/0.png",
                                         "d/real/v/._0.png",        "d/real/v/Thumbs.db",
                                         "d/DF/v/0.webp",           "d/DF/v/1.WEBP",
                                         "d/DF/w/0.webp",           "d/DF/w/clip.mp4",
                                         "d/DF/w/notes.txt",        "d/DF/w/0.png",
                                         "d/__MACOSX/real/v/0.png", NULL};
    support_list_enter();
    support_list_frames(FRAMES);
    DataList list;
    support_list_read(&list, (const char *const[]){"d"}, 1);
    support_list_paths(&list, (const char *const[]){"d/DF/w/0.png", "d/real/v/0.png", NULL});
    static const struct {
        const char *folder, *what;
        DataSkip reason;
        int count;
    } ROWS[] = {
        {"d/DF", ".webp", DATA_SKIP_FORMAT, 2},       {"d/DF", ".WEBP", DATA_SKIP_FORMAT, 1},
        {"d/DF", ".mp4", DATA_SKIP_VIDEO, 1},         {"d/DF", ".txt", DATA_SKIP_OTHER, 1},
        {"d/real", "@eaDir", DATA_SKIP_SYSTEM, 1},    {"d/real", "masks", DATA_SKIP_MASKS, 1},
        {"d/real", "Thumbs.db", DATA_SKIP_SYSTEM, 1}, {"d", "__MACOSX", DATA_SKIP_SYSTEM, 1},
    };
    int counted = 0;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const DataSkipped *const row = find_skipped(&list, ROWS[i].folder, ROWS[i].what);
        ck_assert_msg(row && row->reason == ROWS[i].reason && row->count == ROWS[i].count, "%s %s",
                      ROWS[i].folder, ROWS[i].what);
        counted++;
    }
    ck_assert_int_eq(list.skipped_count, counted + 2); /* .thumbnails and ._0.png */
    data_list_free(&list);

    Error error = {0};
    ck_ok(data_list_paths(&list, (const char *const[]){"d"}, 1, &error), &error);
    ck_assert_int_eq(list.count, 2);
    ck_assert_int_eq(list.skipped_count, counted + 2);
    data_list_free(&list);

    /* A source of another format alone: named, not just "no image". */
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"d/DF/v"}, 1, &error),
                     STATUS_FAILED);
    ck_assert(strstr(error.message, "no image below") && error.problems == 2 &&
              strstr(error.detail[0], "format"));

    /* What find(1) lists of such folders is passed over, too, and counted. */
    support_list_text("list.txt", "d/real/v/0.png\nd/real/v/@eaDir/0.png\nd/real/v/masks/0.png\n"
                                  "d/real/v/._0.png\n");
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_int_eq(list.count, 1);
    int skipped = 0;
    for (int i = 0; i < list.skipped_count; i++)
        skipped += list.skipped[i].count;
    ck_assert_int_eq(skipped, 3);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

/* Two thousand levels: as deep as a path can be, and deeper; and a loop of links on the way. */
START_TEST(test_deep_tree)
{
    enum { LEVELS = 2100, WITHIN = 1990 };
    support_list_enter();
    ck_assert_int_eq(mkdir("deep", 0777), 0);
    ck_assert_int_eq(mkdir("far", 0777), 0);
    for (int tree = 0; tree < 2; tree++) {
        ck_assert_int_eq(chdir(tree == 0 ? "deep" : "far"), 0);
        for (int i = 0; i < (tree == 0 ? WITHIN : LEVELS); i++) {
            ck_assert_int_eq(mkdir("a", 0777), 0);
            ck_assert_int_eq(chdir("a"), 0);
        }
        if (tree == 0)
            ck_assert_int_eq(symlink("..", "up"), 0);
        support_list_text("0.png", "x");
        ck_assert_int_eq(chdir(support_list_root()), 0);
    }
    DataList list;
    Error error = {0};
    ck_ok(data_list_paths(&list, (const char *const[]){"deep"}, 1, &error), &error);
    ck_assert_int_eq(list.count, 1);
    data_list_free(&list);
    support_list_read(&list, (const char *const[]){"deep"}, 1);
    ck_assert_int_eq(list.count, 1);
    data_list_free(&list);
    ck_assert_int_eq(data_list_read(&list, (const char *const[]){"far"}, 1, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, "folders are nested so deeply") != NULL, "%s",
                  error.message);
    /* rm -r of the fixture goes by descriptors, not by paths. */
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
    ck_assert(strstr(error.detail[4], "05.png") && strstr(error.detail[4], "not a regular file"));
    ck_assert(strstr(error.detail[9], "10.png") != NULL);
    ck_assert_ptr_null(list.memory);
    support_list_leave();
}
END_TEST

START_TEST(other_normalisation)
{
    static const char *const FRAMES[] = {"FF/real/cafe\xcc\x81/0.png",             /* NFD */
                                         "FF/real/\xe1\x84\x92\xe1\x85\xa1/0.png", /* Hangul, NFD */
                                         "FF/real/\xc3\xa9/0.png", NULL};          /* NFC */
    static const struct {
        const char *line;
        bool found;
    } CASES[] = {{"FF/real/caf\xc3\xa9/0.png\n", true},
                 {"FF/real/\xed\x95\x98/0.png\n", true},
                 {"FF/real/e\xcc\x81/0.png\n", true},
                 {"FF/real/\xc3\xa8/0.png\n", false}, /* another letter */
                 {"FF/real/cafe/0.png\n", false},
                 {"FF/real/caf\xc3\xa9s/0.png\n", false}};
    support_list_enter();
    support_list_frames(FRAMES);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        DataList list;
        Error error = {0};
        support_list_text("list.txt", CASES[i].line);
        ck_assert_int_eq(data_list_read(&list, (const char *const[]){"list.txt"}, 1, &error),
                         STATUS_FAILED);
        ck_assert_msg((strstr(error.detail[0], "differs only in Unicode normalisation") != NULL) ==
                          CASES[i].found,
                      "case %zu: %s", i, error.detail[0]);
    }
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
        {"FF/real/v/0.png\nFF\0/x\n", 22, "line 2 has a zero byte"},
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
        if (fake) /* the video is the folder, whatever the name of the source */
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
        {"# lnclip:\nFF/real/v/0.png\n", "line 1: '# lnclip:' is not a valid header"},
        {"\n# lnclip: label=Real source=x\n",
         "line 2: '# lnclip: label=Real source=x' is not a valid header"},
        {"# lnclip: label=real\n", "is not a valid header"},
        {"# lnclip: label=real source=\n", "is not a valid header"},
        {"# lnclip: label= real source=x\n", "is not a valid header"},
        {"# lnclip: source=x label=real\n", "is not a valid header"},
        {"# lnclip: label=realistic source=x\n", "is not a valid header"},
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
    ck_ok(data_list_choose_frames(&list, 1, DATA_FRAMES_EVEN, 0, &error), &error); /* no videos */
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
    tcase_add_test(lists, names_of_videos);
    tcase_add_test(lists, other_normalisation);
    tcase_add_test(lists, test_content_store);
    tcase_add_test(lists, test_names_in_doubt);
    tcase_add_test(lists, test_class_folders);
    tcase_add_test(lists, test_layouts_in_doubt);
    tcase_add_test(lists, test_skipped);
    tcase_add_test(lists, test_deep_tree);
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
