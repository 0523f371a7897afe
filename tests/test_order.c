/*
 * test_order.c - what an epoch holds, and where: permutations, pairs, repeats, blends.
 */
#include "data/order.h"
#include "tensor/random.h"
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 4096, PATH = 160 };

/* A list without files: an order asks for names, labels and tables alone. */
static char paths[MOST][PATH], folders[MOST][PATH], names[MOST][PATH];
static DataFrame frames[MOST];
static const char *videos[MOST], *sources[MOST];
static int video_label[MOST], source_label[MOST];
static DataList list;
static DataSample samples[MOST];

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void empty_list(void)
{
    list = (DataList){.frames = frames,
                      .videos = videos,
                      .video_label = video_label,
                      .sources = sources,
                      .source_label = source_label};
}

static void add_frame(const char *path)
{
    snprintf(paths[list.count++], PATH, "%s", path);
}

/* FOLDER/000.png... of `count` frames. */
static void add_video(const char *folder, int count)
{
    char path[PATH];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%03d.png", folder, i);
        add_frame(path);
    }
}

/* Index of `text` in the table, where it is added if need be; *held is what the table's pointers
 * show. */
static int number_of(const char **table, char held[][PATH], int *count, const char *text)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(table[i], text) == 0)
            return i;
    snprintf(held[*count], PATH, "%s", text);
    table[*count] = held[*count];
    return (*count)++;
}

/* Makes the list of what was added, as data_list_read would. */
static void close_list(void)
{
    qsort(paths, (size_t)list.count, sizeof *paths, compare_paths);
    for (int i = 0; i < list.count; i++) {
        char folder[PATH];
        snprintf(folder, sizeof folder, "%s", paths[i]);
        *strrchr(folder, '/') = '\0';
        const int video = number_of(videos, folders, &list.video_count, folder);
        const int label = strstr(folder, "real") ? 0 : 1;
        *strrchr(folder, '/') = '\0';
        const int source = number_of(sources, names, &list.source_count, strrchr(folder, '/') + 1);
        video_label[video] = source_label[source] = label;
        frames[i] = (DataFrame){
            .path = paths[i], .file = paths[i], .label = label, .video = video, .source = source};
    }
}

/* Two identities, three methods: each real frame has four fakes, but 002 has none. */
static void make_faceforensics(int count)
{
    empty_list();
    add_video("/FF/real/000", count);
    add_video("/FF/real/001", count);
    add_video("/FF/DF/000_001", count);
    add_video("/FF/F2F/000_001", count);
    add_video("/FF/FS/000_001", count);
    add_video("/FF/DF/001_000", count);
}

static int find(const char *path)
{
    for (int i = 0; i < list.count; i++)
        if (strcmp(paths[i], path) == 0)
            return i;
    ck_abort_msg("%s is not in the list", path);
    return -1;
}

static DataOrder *create(const DataOrderSettings *settings)
{
    Error error = {0};
    DataOrder *order;
    ck_ok(data_order_create(&order, &list, settings, &error), &error);
    ck_assert_int_le(data_order_count(order), MOST);
    return order;
}

/* One epoch into `samples`; its number of samples. Checks what holds for every epoch. */
static int fill(const DataOrderSettings *settings, int epoch)
{
    DataOrder *const order = create(settings);
    const int count = data_order_count(order);
    int seen[MOST] = {0};
    data_order_fill(order, epoch, samples);
    for (int i = 0; i < count; i++) {
        const DataSample *const sample = &samples[i];
        ck_each(sample->frame >= 0 && sample->frame < list.count, "sample %d: frame %d", i,
                sample->frame);
        ck_each(sample->occurrence == seen[sample->frame]++, "sample %d: occurrence %d", i,
                sample->occurrence);
        ck_each(data_sample_label(&list, sample) ==
                    (sample->blend ? 1 : list.frames[sample->frame].label),
                "sample %d: label", i);
    }
    for (int i = 0; i < list.count; i++)
        if (!settings->blend || list.frames[i].label == 0)
            ck_each(seen[i] > 0, "%s is left out", paths[i]);
    data_order_destroy(order);
    return count;
}

static DataOrderSettings shuffled(void)
{
    return (DataOrderSettings){.seed = 5, .batch_size = 8, .shuffle = true};
}

/* ----
 * Without anything ------------------------------------------------------------------------- */

START_TEST(every_frame_stands_once_in_one_permutation)
{
    make_faceforensics(7);
    close_list();
    DataOrderSettings settings = shuffled();
    settings.batch_size = 5;
    for (int epoch = 0; epoch < 3; epoch++) {
        int expected[MOST];
        Random random = random_stream(settings.seed, RANDOM_SHUFFLE, (uint32_t)epoch, 0);
        random_permutation(&random, list.count, expected);
        ck_assert_int_eq(fill(&settings, epoch), list.count);
        for (int i = 0; i < list.count; i++)
            ck_each(samples[i].frame == expected[i] && !samples[i].blend, "sample %d", i);
    }
    settings.shuffle = false;
    ck_assert_int_eq(fill(&settings, 2), list.count);
    for (int i = 0; i < list.count; i++)
        ck_each(samples[i].frame == i, "sample %d", i);
}
END_TEST

/* The same epoch whatever was drawn before it; another one for another epoch or seed. */
START_TEST(an_epoch_depends_on_seed_and_number_alone)
{
    static const DataOrderSettings KINDS[] = {
        {.shuffle = true},
        {.pairs = true, .shuffle = true},
        {.blend = true, .shuffle = true},
        {.sampling = DATA_SAMPLING_CLASS},
        {.sampling = DATA_SAMPLING_SOURCE, .shuffle = true},
    };
    make_faceforensics(9);
    add_video("/FF/FSh/007_008", 3);
    close_list();
    for (size_t kind = 0; kind < sizeof KINDS / sizeof *KINDS; kind++) {
        DataOrderSettings settings = KINDS[kind];
        DataSample once[MOST];
        settings.batch_size = 4;
        settings.seed = 11;
        const int count = fill(&settings, 1);
        memcpy(once, samples, sizeof samples);
        DataOrder *const order = create(&settings);
        for (int epoch = 3; epoch >= 0; epoch--) {
            int same = 0;
            data_order_fill(order, epoch, samples);
            for (int i = 0; i < count; i++)
                same += samples[i].frame == once[i].frame && samples[i].blend == once[i].blend &&
                        samples[i].occurrence == once[i].occurrence;
            ck_assert_msg((same == count) == (epoch == 1), "kind %zu, epoch %d: %d of %d same",
                          kind, epoch, same, count);
        }
        data_order_destroy(order);
        settings.seed = 12;
        ck_assert_int_eq(fill(&settings, 1), count);
        int same = 0;
        for (int i = 0; i < count; i++)
            same += samples[i].frame == once[i].frame;
        ck_assert_int_lt(same, count);
    }
}
END_TEST

/* ----
 * Pairs ------------------------------------------------------------------------------------ */

START_TEST(pairs_stay_in_one_batch_and_real_frames_repeat)
{
    enum { FRAMES = 9 };
    make_faceforensics(FRAMES);
    close_list();
    for (int batch = 2; batch <= 10; batch += 2) {
        DataOrderSettings settings = shuffled();
        settings.pairs = true;
        settings.batch_size = batch;
        ck_assert_int_eq(fill(&settings, batch), 2 * 4 * FRAMES);
        int repeats[MOST] = {0};
        for (int i = 0; i < 2 * 4 * FRAMES; i += 2) {
            const DataSample *const real = &samples[i], *const fake = &samples[i + 1];
            ck_each(list.frames[real->frame].label == 0 && list.frames[fake->frame].label == 1,
                    "pair %d", i / 2);
            ck_each(i / batch == (i + 1) / batch, "pair %d is cut", i / 2);
            const char *const r = paths[real->frame], *const f = paths[fake->frame];
            ck_each(strncmp(strstr(r, "real/") + 5, strrchr(f, '/') - 7, 3) == 0 &&
                        strcmp(strrchr(r, '/'), strrchr(f, '/')) == 0,
                    "%s is paired with %s", f, r);
            repeats[real->frame]++;
        }
        for (int i = 0; i < list.count; i++)
            if (list.frames[i].label == 0)
                ck_each(repeats[i] == (strstr(paths[i], "/000/") ? 3 : 1), "%s: %d times", paths[i],
                        repeats[i]);
    }
}
END_TEST

/* The frame before the fake of that path; asserts that it is real. */
static const char *partner_of(int count, const char *path)
{
    const int fake = find(path);
    for (int i = 1; i < count; i++)
        if (samples[i].frame == fake) {
            ck_assert_int_eq(i % 2, 1);
            ck_assert_int_eq(list.frames[samples[i - 1].frame].label, 0);
            return paths[samples[i - 1].frame];
        }
    ck_abort_msg("%s is not in the epoch", path);
    return NULL;
}

static int fill_pairs(void)
{
    close_list();
    return fill(&(const DataOrderSettings){.batch_size = 2, .pairs = true}, 0);
}

START_TEST(the_frame_of_a_pair_has_the_same_or_the_nearest_number)
{
    empty_list();
    add_frame("/s/real/000/frame_8.png");
    add_frame("/s/real/000/frame_12.png");
    add_frame("/s/real/000/frame_100.png");
    add_frame("/s/DF/000_001/img2_0002.png");
    add_frame("/s/DF/000_001/img2_0010.jpg");
    add_frame("/s/DF/000_001/img2_0011.png");
    add_frame("/s/DF/000_001/img2_0100.png");
    add_frame("/s/DF/000_001/img2_9999.png");
    const int count = fill_pairs();
    ck_assert_int_eq(count, 10);
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/img2_0002.png"), "/s/real/000/frame_8.png");
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/img2_0010.jpg"), "/s/real/000/frame_8.png");
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/img2_0011.png"), "/s/real/000/frame_12.png");
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/img2_0100.png"), "/s/real/000/frame_100.png");
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/img2_9999.png"), "/s/real/000/frame_100.png");
}
END_TEST

/* "12_0.png": the last number is the face's and does not distinguish frames. */
START_TEST(without_numbers_the_place_in_the_video_counts)
{
    empty_list();
    add_frame("/s/real/000/11_0.png");
    add_frame("/s/real/000/12_0.png");
    add_frame("/s/real/000/13_0.png");
    add_frame("/s/real/000/14_0.png");
    add_frame("/s/DF/000_001/a.png");
    add_frame("/s/DF/000_001/b.png");
    add_frame("/s/F2F/000_001/1.png");
    add_frame("/s/F2F/000_001/12345678901234567890.png"); /* too long for a number */
    add_frame("/s/F2F/000_001/3.png");
    add_frame("/s/F2F/000_001/4.png");
    const int count = fill_pairs();
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/a.png"), "/s/real/000/12_0.png");
    ck_assert_str_eq(partner_of(count, "/s/DF/000_001/b.png"), "/s/real/000/14_0.png");
    ck_assert_str_eq(partner_of(count, "/s/F2F/000_001/1.png"), "/s/real/000/11_0.png");
    ck_assert_str_eq(partner_of(count, "/s/F2F/000_001/12345678901234567890.png"),
                     "/s/real/000/12_0.png");
    ck_assert_str_eq(partner_of(count, "/s/F2F/000_001/4.png"), "/s/real/000/14_0.png");
}
END_TEST

START_TEST(the_real_video_is_found_by_the_names_of_every_data_set)
{
    empty_list();
    add_video("/cdf/Celeb-real/id0_0000", 1);
    add_video("/cdf/Celeb-real/id1_0000", 1);
    add_video("/cdf/Celeb-synthesis/id0_id1_0000", 1);
    add_video("/dfd/real/01__walking_and_outside", 1);
    add_video("/dfd/real/02__walking_and_outside", 1);
    add_video("/dfd/fake/01_02__walking_and_outside__YVGY8LOK", 1);
    add_video("/own/real/clip", 1);
    add_video("/own/fake/clip", 1);
    const int count = fill_pairs();
    ck_assert_int_eq(count, 8);
    ck_assert_str_eq(partner_of(count, "/cdf/Celeb-synthesis/id0_id1_0000/000.png"),
                     "/cdf/Celeb-real/id0_0000/000.png");
    ck_assert_str_eq(partner_of(count, "/dfd/fake/01_02__walking_and_outside__YVGY8LOK/000.png"),
                     "/dfd/real/01__walking_and_outside/000.png");
    ck_assert_str_eq(partner_of(count, "/own/fake/clip/000.png"), "/own/real/clip/000.png");
}
END_TEST

START_TEST(of_real_videos_of_one_name_the_one_in_the_same_set_counts)
{
    empty_list();
    add_video("/a/real/000", 1);
    add_video("/b/real/000", 1);
    add_video("/b/DF/000_001", 1);
    add_video("/ff/real_sequences/youtube/c23/frames/071", 1);
    add_video("/ff/real_sequences/youtube/c40/frames/071", 1);
    add_video("/ff/manipulated/Deepfakes/c40/frames/071_054", 1);
    const int count = fill_pairs();
    ck_assert_str_eq(partner_of(count, "/b/DF/000_001/000.png"), "/b/real/000/000.png");
    ck_assert_str_eq(partner_of(count, "/ff/manipulated/Deepfakes/c40/frames/071_054/000.png"),
                     "/ff/real_sequences/youtube/c40/frames/071/000.png");
}
END_TEST

START_TEST(frames_that_stand_alone_lie_among_the_pairs)
{
    enum { FRAMES = 20, ALONE = 2 * FRAMES + 7 };
    make_faceforensics(FRAMES);
    add_video("/FF/real/002", 2 * FRAMES); /* no fake was made from it */
    add_video("/FF/DF/777_000", 7);        /* its real video is not there */
    close_list();
    DataOrderSettings settings = shuffled();
    settings.pairs = true;
    DataOrder *const order = create(&settings);
    ck_assert_int_eq(data_order_unpaired(order), 7);
    data_order_destroy(order);
    const int count = fill(&settings, 0);
    ck_assert_int_eq(count, 8 * FRAMES + ALONE);
    int alone = 0, early = 0;
    for (int i = 0; i < count; i++) {
        const char *const path = paths[samples[i].frame];
        const bool single = strstr(path, "real/002") || strstr(path, "777_000");
        alone += single;
        early += single && i < count / 2;
        if (!single && i % 2 == 1)
            ck_each(list.frames[samples[i - 1].frame].label == 0 &&
                        list.frames[samples[i].frame].label == 1,
                    "sample %d: no pair", i);
        if (i == count - 1) /* an odd number of them */
            ck_assert(single);
    }
    ck_assert_int_eq(alone, ALONE);
    ck_assert(early > ALONE / 4 && early < ALONE * 3 / 4);

    settings.shuffle = false;
    ck_assert_int_eq(fill(&settings, 0), count);
    ck_assert_str_eq(paths[samples[0].frame], "/FF/real/000/000.png");
    ck_assert_str_eq(paths[samples[1].frame], "/FF/DF/000_001/000.png");
    ck_assert_str_eq(paths[samples[count - 1].frame], "/FF/real/002/039.png");
}
END_TEST

/* ----
 * Balance ---------------------------------------------------------------------------------- */

/* Asserts that each of n frames is used floor(m / n) or ceil(m / n) times in m samples. */
static void check_even(const int *seen, const char *word, int n, int m)
{
    int total = 0;
    for (int i = 0; i < list.count; i++) {
        if (!strstr(paths[i], word))
            continue;
        ck_each(seen[i] == m / n || seen[i] == (m + n - 1) / n, "%s: %d times", paths[i], seen[i]);
        total += seen[i];
    }
    ck_assert_int_eq(total, m);
}

static void make_unequal(void)
{
    empty_list();
    add_video("/s/real/000", 10);
    add_video("/s/DF/000_001", 23);
    add_video("/s/F2F/000_001", 14);
    close_list();
}

static void count_frames(int count, int seen[MOST])
{
    memset(seen, 0, MOST * sizeof *seen);
    for (int i = 0; i < count; i++)
        seen[samples[i].frame]++;
}

START_TEST(classes_and_sources_stand_equally_often)
{
    make_unequal();
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        int seen[2][MOST];
        DataOrderSettings settings = shuffled();
        settings.shuffle = shuffle == 1;
        settings.batch_size = 7;
        settings.sampling = DATA_SAMPLING_CLASS;
        for (int epoch = 0; epoch < 2; epoch++) {
            ck_assert_int_eq(fill(&settings, epoch), 2 * 37);
            count_frames(2 * 37, seen[epoch]);
            check_even(seen[epoch], "/real/", 10, 37);
            check_even(seen[epoch], "/DF/", 23, 23);
            check_even(seen[epoch], "/F2F/", 14, 14);
            for (int i = 1; i < 2 * 37 && !shuffle; i++)
                ck_each(samples[i - 1].frame <= samples[i].frame, "sample %d: not in order", i);
        }
        ck_assert(memcmp(seen[0], seen[1], sizeof seen[0]) != 0); /* others are used once more */

        settings.sampling = DATA_SAMPLING_SOURCE;
        ck_assert_int_eq(fill(&settings, 0), 3 * 23);
        count_frames(3 * 23, seen[0]);
        check_even(seen[0], "/real/", 10, 23);
        check_even(seen[0], "/DF/", 23, 23);
        check_even(seen[0], "/F2F/", 14, 23);
    }
}
END_TEST

/* ----
 * Blends ----------------------------------------------------------------------------------- */

START_TEST(a_blend_stands_beside_its_real_frame)
{
    make_unequal();
    DataOrderSettings settings = shuffled();
    settings.blend = true;
    for (int epoch = 0; epoch < 3; epoch++) {
        ck_assert_int_eq(fill(&settings, epoch), 20);
        for (int i = 0; i < 20; i += 2) {
            ck_each(samples[i].frame == samples[i + 1].frame, "sample %d", i);
            ck_each(!samples[i].blend && samples[i + 1].blend, "sample %d: blends", i);
            ck_each(data_sample_label(&list, &samples[i]) == 0, "sample %d: label", i);
            ck_each(data_sample_label(&list, &samples[i + 1]) == 1, "sample %d: label", i + 1);
        }
    }
    /* With sampling: over the real frames alone. */
    add_video("/t/real2/000", 4);
    list.video_count = list.source_count = 0;
    close_list();
    settings.sampling = DATA_SAMPLING_CLASS;
    ck_assert_int_eq(fill(&settings, 0), 2 * 14);
    settings.sampling = DATA_SAMPLING_SOURCE;
    ck_assert_int_eq(fill(&settings, 0), 2 * 2 * 10);
    int seen[MOST];
    count_frames(40, seen);
    for (int i = 0; i < list.count; i++)
        ck_each(list.frames[i].label == 1 ? seen[i] == 0 : seen[i] >= 2 && seen[i] % 2 == 0,
                "%s: %d times", paths[i], seen[i]);
}
END_TEST

/* ---- Lists that do
 * not fit -------------------------------------------------------------------- */

static void check_refused(const DataOrderSettings *settings, const char *words)
{
    Error error = {0};
    DataOrder *order = (DataOrder *)&list;
    ck_assert_int_eq(data_order_create(&order, &list, settings, &error), STATUS_FAILED);
    ck_assert_ptr_null(order);
    ck_assert_msg(strstr(error.message, words) != NULL, "%s", error.message);
}

START_TEST(lists_without_pairs_or_real_frames_are_refused)
{
    empty_list();
    add_video("/s/real/abc", 2);
    add_video("/s/DF/000_001", 2);
    close_list();
    check_refused(&(const DataOrderSettings){.batch_size = 2, .pairs = true},
                  "pairs=on: no fake video is named after a real one");
    empty_list();
    add_video("/s/DF/000_001", 2);
    close_list();
    check_refused(&(const DataOrderSettings){.batch_size = 2, .blend = true},
                  "data.sbi=on: none of the 2 frames is real");
    data_order_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("order");
    TCase *const order = support_case(suite, "order", 60);
    tcase_add_test(order, every_frame_stands_once_in_one_permutation);
    tcase_add_test(order, an_epoch_depends_on_seed_and_number_alone);
    tcase_add_test(order, pairs_stay_in_one_batch_and_real_frames_repeat);
    tcase_add_test(order, the_frame_of_a_pair_has_the_same_or_the_nearest_number);
    tcase_add_test(order, without_numbers_the_place_in_the_video_counts);
    tcase_add_test(order, the_real_video_is_found_by_the_names_of_every_data_set);
    tcase_add_test(order, of_real_videos_of_one_name_the_one_in_the_same_set_counts);
    tcase_add_test(order, frames_that_stand_alone_lie_among_the_pairs);
    tcase_add_test(order, classes_and_sources_stand_equally_often);
    tcase_add_test(order, a_blend_stands_beside_its_real_frame);
    tcase_add_test(order, lists_without_pairs_or_real_frames_are_refused);
    return support_main(suite);
}
