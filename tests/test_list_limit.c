/*
 * test_list_limit.c - fewer frames of each video, evenly spread or at random, and fewer videos of a
 * list.
 */
#include "data/sets/sets.h"
#include "tests/support.h"
#include "tests/support_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        support_list_enter();
        char name[100];
        for (int i = 0; i < CASES[c].n; i++) {
            snprintf(name, sizeof name, "FF/real/v/%03d.png", i);
            support_list_text(name, "x");
        }
        support_list_text("FF/DF/w/0.png", "x");
        DataList list;
        support_list_read(&list, (const char *const[]){"FF"}, 1);
        Error error = {0};
        ck_ok(data_list_choose_frames(&list, CASES[c].k, DATA_FRAMES_EVEN, 0, &error), &error);
        ck_assert_str_eq(list.frames[0].path, "FF/DF/w/0.png");
        int i = 0;
        for (; CASES[c].kept[i] >= 0; i++) {
            snprintf(name, sizeof name, "FF/real/v/%03d.png", CASES[c].kept[i]);
            ck_assert_int_lt(i + 1, list.count);
            ck_assert_str_eq(list.frames[i + 1].path, name);
        }
        ck_assert_int_eq(list.count, i + 1);
        data_list_free(&list);
        support_list_leave();
    }
}
END_TEST

/* Names without leading zeros: their numbers count, and lists of data sets choose the same ones. */
START_TEST(test_frames_in_natural_order)
{
    static const int KEPT[4] = {0, 10, 20, 31}; /* floor(linspace(0, 31, 4)) */
    support_list_enter();
    char name[100];
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "FF/real/v/%d.png", i);
        support_list_text(name, "x");
    }
    DataList list;
    Error error = {0};
    support_list_read(&list, (const char *const[]){"FF"}, 1);
    ck_assert_str_eq(list.frames[2].path, "FF/real/v/10.png"); /* the list's own order: by bytes */
    ck_ok(data_list_choose_frames(&list, 4, DATA_FRAMES_EVEN, 0, &error), &error);
    ck_assert_int_eq(list.count, 4);
    ck_assert_int_eq(list.left_out, 28);
    const char *const paths[] = {"FF/real/v/0.png", "FF/real/v/10.png", "FF/real/v/20.png",
                                 "FF/real/v/31.png", NULL};
    support_list_paths(&list, paths);
    data_list_free(&list);

    const DataSetsKind *kind = NULL;
    int kinds;
    for (kind = data_sets_kinds(&kinds); strcmp(kind->name, "folder") != 0;)
        kind++;
    const char *const real[] = {"real"};
    const DataSetsOptions options = {.root = "FF", .real = real, .real_count = 1, .frames = 4};
    DataSets sets;
    ck_ok(data_sets_read(&sets, kind, &options, &error), &error);
    ck_assert_int_eq(sets.sources[0].videos[0].count, 4);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "/v/%d.png", KEPT[i]);
        ck_assert_msg(strstr(sets.sources[0].videos[0].frames[i], name) != NULL, "%s",
                      sets.sources[0].videos[0].frames[i]);
    }
    data_sets_free(&sets);
    support_list_leave();
}
END_TEST

START_TEST(test_natural_order)
{
    static const char *const SORTED[] = {"0.png", "01.png", "1.png", "2.png", "10.png",
                                         "a",     "a1b2",   "a1b10", "a2",    "b"};
    enum { COUNT = sizeof SORTED / sizeof SORTED[0] };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            const int order = data_path_compare(SORTED[i], SORTED[j]);
            ck_each((order > 0) - (order < 0) == (i > j) - (i < j), "%s, %s", SORTED[i], SORTED[j]);
        }
}
END_TEST

/* Random frames: distinct, in order, the same for the same seed and video wherever the set lies;
 * all equally often. */
START_TEST(test_random_frames)
{
    enum { N = 20, K = 5, SEEDS = 4000 };
    int a[K], b[K], often[N] = {0};
    for (int seed = 0; seed < SEEDS; seed++) {
        data_list_choose(DATA_FRAMES_RANDOM, (uint64_t)seed, "here/FF/real/071", N, K, a);
        data_list_choose(DATA_FRAMES_RANDOM, (uint64_t)seed, "elsewhere/real/071", N, K, b);
        ck_assert(memcmp(a, b, sizeof a) == 0);
        for (int j = 0; j < K; j++) {
            ck_assert(a[j] >= 0 && a[j] < N && (j == 0 || a[j] > a[j - 1]));
            often[a[j]]++;
        }
    }
    /* Each in K/N of the draws; six standard deviations of a binomial count. */
    for (int i = 0; i < N; i++)
        ck_each(abs(often[i] - SEEDS * K / N) < 165, "frame %d: %d times", i, often[i]);
    data_list_choose(DATA_FRAMES_RANDOM, 1, "FF/real/071", N, K, a);
    data_list_choose(DATA_FRAMES_RANDOM, 1, "FF/real/072", N, K, b);
    ck_assert(memcmp(a, b, sizeof a) != 0);
    data_list_choose(DATA_FRAMES_RANDOM, 2, "FF/real/071", N, K, b);
    ck_assert(memcmp(a, b, sizeof a) != 0);
    data_list_choose(DATA_FRAMES_RANDOM, 1, "FF/real/071", K, K, a);
    for (int j = 0; j < K; j++)
        ck_assert_int_eq(a[j], j);
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
            support_list_text(path, "x");
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
    support_list_enter();
    append_source("DF", 10, 4); /* sources in bytewise order: DF, F2F, FS, real */
    append_source("F2F", 10, 4);
    append_source("FS", 2, 3);
    append_source("real", 10, 4);
    support_list_read(&whole, lists, 1);
    ck_assert_int_eq(whole.count, 126);

    const int unlimited[] = {0, 126, 1000};
    for (int i = 0; i < 3; i++) {
        support_list_read(&list, lists, 1);
        ck_ok(data_list_limit_videos(&list, unlimited[i], &error), &error);
        ck_assert_int_eq(list.count, 126);
        data_list_free(&list);
    }
    /* 24 frames each of real and fake; of the fakes all 6 of FS, and about 9 of the others. */
    support_list_read(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 48, &error), &error);
    check_limited(&list, &whole, kept);
    ck_assert_int_eq(list.count, 46); /* a whole video more does not fit */
    ck_assert_int_eq(list.source_count, 4);
    ck_assert_int_eq(kept[3], 24);
    ck_assert_int_eq(kept[2], 6);
    ck_assert_int_eq(kept[0] + kept[1], 16);
    ck_assert_int_eq(kept[0], 8);
    data_list_free(&list);
    /* When all reals are used, fakes continue; sources that do not fit are dropped. */
    support_list_read(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 100, &error), &error);
    check_limited(&list, &whole, kept);
    data_list_counts(&list, frames, videos);
    ck_assert(frames[0] == 40 && frames[1] == 58 && videos[0] == 10 && videos[1] == 15);
    data_list_free(&list);
    support_list_read(&list, lists, 1);
    ck_ok(data_list_limit_videos(&list, 8, &error), &error);
    check_limited(&list, &whole, kept);
    ck_assert(list.count == 8 && list.source_count == 2 && list.video_count == 2);
    data_list_free(&list);

    support_list_read(&list, lists, 1);
    ck_assert_int_eq(data_list_limit_videos(&list, 6, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "limit of 6 frames"));
    ck_assert_int_eq(list.count, 126);
    data_list_free(&list);
    data_list_free(&whole);
    support_list_leave();
}
END_TEST

/* Of 13 videos each quarter of the list gives some, whatever number fits. */
/* Random videos, classes in proportion, the last video cut: 3 real and 9 fake videos
 * of 8 frames. */
START_TEST(test_limit_ratio)
{
    DataList list;
    Error error = {0};
    support_list_enter();
    append_source("real", 3, 8);
    append_source("DF", 5, 8);
    append_source("FS", 4, 8);
    char kept[2][4096] = {"", ""};
    static const struct {
        int limit, real, fake;
    } CASES[] = {{96, 24, 72}, {0, 24, 72}, {48, 12, 36}, {50, 13, 37}, {10, 3, 7}, {2, 1, 1}};
    for (size_t c = 0; c < sizeof CASES / sizeof CASES[0]; c++) {
        int frames[2], videos[2];
        support_list_read(&list, (const char *const[]){"list.txt"}, 1);
        ck_ok(data_list_limit_ratio(&list, CASES[c].limit, 1, &error), &error);
        data_list_counts(&list, frames, videos);
        ck_assert(frames[0] == CASES[c].real && frames[1] == CASES[c].fake);
        ck_assert_int_eq(videos[0], (CASES[c].real + 7) / 8); /* whole but for the last */
        ck_assert_int_eq(videos[1], (CASES[c].fake + 7) / 8);
        ck_assert_int_eq(list.left_out, 96 - list.count);
        data_list_free(&list);
    }
    for (int seed = 0; seed < 2; seed++) {
        support_list_read(&list, (const char *const[]){"list.txt"}, 1);
        ck_ok(data_list_limit_ratio(&list, 40, (uint64_t)seed, &error), &error);
        for (int i = 0; i < list.video_count; i++)
            strcat(strcat(kept[seed], list.videos[i]), "\n");
        data_list_free(&list);
    }
    ck_assert_str_ne(kept[0], kept[1]);
    support_list_read(&list, (const char *const[]){"list.txt"}, 1);
    ck_assert_int_eq(data_list_limit_ratio(&list, 1, 1, &error), STATUS_FAILED);
    ck_assert_int_eq(list.count, 96);
    data_list_free(&list);
    support_list_leave();
}
END_TEST

START_TEST(test_limit_videos_evenly)
{
    const char *const lists[] = {"list.txt"};
    Error error = {0};
    support_list_enter();
    append_source("fake", 13, 1);
    append_source("real", 13, 1);
    for (int limit = 2; limit < 26; limit += 2) {
        DataList list;
        support_list_read(&list, lists, 1);
        ck_ok(data_list_limit_videos(&list, limit, &error), &error);
        ck_assert_int_eq(list.count, limit);
        int quarters[4] = {0};
        for (int i = 0; i < limit / 2; i++) {
            int video = 0;
            ck_assert_int_eq(sscanf(strstr(list.frames[i].path, "/v"), "/v%d", &video), 1);
            quarters[video * 4 / 13]++;
        }
        /* The grid of a bit-reversed order has 16 positions, of which 13 are videos. */
        for (int i = 0; i < 4; i++)
            ck_assert_msg(limit / 2 < 4 || (quarters[i] >= limit / 2 / 5 && quarters[i] > 0),
                          "%d frames: %d of quarter %d", limit / 2, quarters[i], i);
        data_list_free(&list);
    }
    support_list_leave();
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

int main(void)
{
    Suite *const suite = suite_create("list_limit");
    TCase *const limits = support_case(suite, "limits", 60);
    tcase_add_test(limits, test_limit_frames);
    tcase_add_test(limits, test_frames_in_natural_order);
    tcase_add_test(limits, test_natural_order);
    tcase_add_test(limits, test_random_frames);
    tcase_add_test(limits, test_limit_ratio);
    tcase_add_test(limits, test_limit_videos);
    tcase_add_test(limits, test_limit_videos_evenly);
    tcase_add_test(limits, test_spread);
    return support_main(suite);
}
