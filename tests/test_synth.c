/*
 * test_synth.c - the synthetic data set: reproducible, forged only in part, and split by identity.
 */
#include "data/synth/synth.h"
#include "tensor/base/file.h"
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 64, SEED = 7 };

static DataImage draw(DataSynthFamily family, uint64_t seed, int identity, int frame, int size)
{
    Error error = {0};
    DataImage image;
    ck_ok(data_synth_frame(&image, family, seed, identity, frame, size, NULL, &error), &error);
    ck_assert_int_eq(image.width, size);
    ck_assert_int_eq(image.height, size);
    return image;
}

/* Number of pixels in which two images differ. */
static int differing(const DataImage *a, const DataImage *b)
{
    int count = 0;
    for (int i = 0; i < a->width * a->height; i++)
        count += memcmp(a->pixels + 3 * i, b->pixels + 3 * i, 3) != 0;
    return count;
}

static double mean(const DataImage *image)
{
    double sum = 0;
    for (int i = 0; i < 3 * image->width * image->height; i++)
        sum += image->pixels[i];
    return sum / (3.0 * image->width * image->height);
}

START_TEST(test_pure_function)
{
    DataImage a = draw((DataSynthFamily)_i, SEED, 4, 3, SIZE);
    DataImage other = draw((DataSynthFamily)_i, SEED, 5, 0, SIZE);
    DataImage b = draw((DataSynthFamily)_i, SEED, 4, 3, SIZE);
    DataImage seeded = draw((DataSynthFamily)_i, SEED + 1, 4, 3, SIZE);
    DataImage next = draw((DataSynthFamily)_i, SEED, 4, 4, SIZE);
    ck_assert_int_eq(differing(&a, &b), 0);
    ck_assert_int_gt(differing(&a, &other), SIZE * SIZE / 2);
    ck_assert_int_gt(differing(&a, &seeded), SIZE * SIZE / 2);
    ck_assert_int_gt(differing(&a, &next), SIZE * SIZE / 4);
    data_image_free(&a);
    data_image_free(&b);
    data_image_free(&other);
    data_image_free(&seeded);
    data_image_free(&next);
}
END_TEST

/*
 * A fake is its real frame with a part of the face altered. Chroma is compressed in blocks of 16
 * pixels, so whatever does not touch a block leaves it as it was, to the bit: the corners always.
 */
START_TEST(test_forged_in_part)
{
    double drift = 0;
    int fewest = SIZE * SIZE, most = 0;
    for (int identity = 0; identity < 12; identity++) {
        DataImage real = draw(DATA_SYNTH_REAL, SEED, identity, 2, SIZE);
        DataImage fake = draw((DataSynthFamily)_i, SEED, identity, 2, SIZE);
        const int changed = differing(&real, &fake);
        fewest = changed < fewest ? changed : fewest;
        most = changed > most ? changed : most;
        drift += (mean(&fake) - mean(&real)) / 12;
        for (int row = 0; row < 8; row++) {
            const size_t top = (size_t)(row * SIZE) * 3;
            ck_assert_mem_eq(real.pixels + top, fake.pixels + top, 8 * 3);
        }
        data_image_free(&real);
        data_image_free(&fake);
    }
    ck_assert_int_gt(fewest, SIZE * SIZE / 50);
    ck_assert_int_lt(most, SIZE * SIZE * 4 / 5);
    ck_assert_double_lt(drift < 0 ? -drift : drift, 2.0); /* brightness is not a shortcut; of 255 */
}
END_TEST

START_TEST(test_traits)
{
    int glasses = 0, beards = 0;
    for (int identity = 0; identity < 100; identity++) {
        Error error = {0};
        DataImage image;
        DataSynthTraits t;
        ck_ok(data_synth_frame(&image, DATA_SYNTH_REAL, SEED, identity, 1, DATA_SYNTH_MIN_SIZE, &t,
                               &error),
              &error);
        ck_assert_int_eq(t.identity, identity);
        ck_assert(t.yaw >= -1 && t.yaw <= 1 && t.pitch >= -1 && t.pitch <= 1);
        ck_assert(t.light >= -1 && t.light <= 1 && t.mouth >= 0 && t.mouth <= 1);
        ck_assert(t.skin >= 0 && t.skin <= 1 && t.hair >= 0 && t.hair <= 1);
        glasses += t.glasses;
        beards += t.beard;
        data_image_free(&image);
    }
    ck_assert(glasses > 10 && glasses < 60);
    ck_assert(beards > 10 && beards < 60);
}
END_TEST

START_TEST(test_any_size)
{
    static const int sizes[] = {DATA_SYNTH_MIN_SIZE, 63, 97, 224, DATA_SYNTH_MAX_SIZE};
    DataImage image = draw(DATA_SYNTH_SWAP, SEED, 1, 0, sizes[_i]);
    DataImage small = draw(DATA_SYNTH_SWAP, SEED, 1, 0, SIZE);
    const double difference = mean(&image) - mean(&small);
    ck_assert(difference > -4 && difference < 4); /* the same picture, finer */
    data_image_free(&image);
    data_image_free(&small);
}
END_TEST

static void read_text(const char *folder, const char *name, char **text)
{
    Error error = {0};
    char path[FILE_PATH_SIZE];
    size_t size;
    ck_ok(file_join(path, folder, name, &error), &error);
    ck_ok(file_read(path, 1 << 24, text, &size, &error), &error);
}

static void count_progress(void *context, int done, int total)
{
    int *const seen = context;
    ck_assert_int_gt(done, *seen);
    ck_assert_int_eq(total, 6 * 6 * 2);
    *seen = done;
}

START_TEST(test_write)
{
    Error error = {0};
    char one[4096], two[4096], folder[FILE_PATH_SIZE];
    support_make_folder(one);
    support_make_folder(two);
    DataSynthSettings settings = data_synth_defaults();
    settings.videos = 6;
    settings.frames = 2;
    settings.size = 32;
    settings.seed = SEED;
    int done = 0;
    ck_ok(data_synth_write(one, &settings, count_progress, &done, &error), &error);
    ck_assert_int_eq(done, 6 * 6 * 2);
    ck_ok(threads_create(&settings.threads, 3, &error), &error);
    ck_ok(file_join(folder, two, "new/data", &error), &error);
    ck_ok(data_synth_write(folder, &settings, NULL, NULL, &error), &error);
    threads_destroy(settings.threads);

    static const char *const files[] = {"real/005/001.png", "splice/000_001/000.png",
                                        "warp/003_002/001.png", "lists/train/swap.txt"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *a, *b, path[FILE_PATH_SIZE];
        size_t na, nb;
        ck_ok(file_join(path, one, files[i], &error), &error);
        ck_ok(file_read(path, 1 << 24, &a, &na, &error), &error);
        ck_ok(file_join(path, folder, files[i], &error), &error);
        ck_ok(file_read(path, 1 << 24, &b, &nb, &error), &error);
        ck_assert_uint_eq(na, nb);
        ck_assert_mem_eq(a, b, na);
        free(a);
        free(b);
    }
    char *text;
    read_text(one, "lists/train/real.txt", &text);
    ck_assert_str_eq(text, "../../real/000/000.png\n../../real/000/001.png\n"
                           "../../real/001/000.png\n../../real/001/001.png\n");
    free(text);
    read_text(one, "lists/val/reenact.txt", &text);
    ck_assert_str_eq(text, "../../reenact/002_003/000.png\n../../reenact/002_003/001.png\n"
                           "../../reenact/003_002/000.png\n../../reenact/003_002/001.png\n");
    free(text);
    read_text(one, "lists/test/splice.txt", &text);
    ck_assert_str_eq(text, "../../splice/004_005/000.png\n../../splice/004_005/001.png\n"
                           "../../splice/005_004/000.png\n../../splice/005_004/001.png\n");
    free(text);

    ck_assert_int_eq(data_synth_write(one, &settings, NULL, NULL, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "not empty"));
    support_remove_folder(one);
    support_remove_folder(two);
}
END_TEST

/* Any number of videos: pairs stay together where there are enough, and no split is empty. */
START_TEST(test_few_and_odd_videos)
{
    static const struct {
        int videos, first[4]; /* first identity of train, val, test, and their end */
    } cases[] = {{3, {0, 1, 2, 3}}, {5, {0, 3, 4, 5}}, {7, {0, 4, 6, 7}}};
    static const char *const splits[] = {"train", "val", "test"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Error error = {0};
        char folder[4096];
        support_make_folder(folder);
        const DataSynthSettings settings = {.videos = cases[i].videos, .frames = 1, .size = 32};
        ck_ok(data_synth_write(folder, &settings, NULL, NULL, &error), &error);
        for (int split = 0; split < 3; split++) {
            char name[64], *text, expected[512] = "";
            snprintf(name, sizeof(name), "lists/%s/real.txt", splits[split]);
            read_text(folder, name, &text);
            for (int id = cases[i].first[split]; id < cases[i].first[split + 1]; id++)
                snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                         "../../real/%03d/000.png\n", id);
            ck_assert_str_eq(text, expected);
            free(text);
        }
        support_remove_folder(folder);
    }
}
END_TEST

START_TEST(test_settings_out_of_range)
{
    static const struct {
        int videos, frames, size;
        const char *message;
    } cases[] = {
        {2, 2, 64, "videos 2"},       {1002, 2, 64, "videos 1002"}, {6, 0, 64, "frames 0"},
        {6, 1000, 64, "frames 1000"}, {6, 2, 31, "size 31"},        {6, 2, 513, "size 513"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Error error = {0};
        const DataSynthSettings settings = {
            .videos = cases[i].videos, .frames = cases[i].frames, .size = cases[i].size};
        ck_assert_int_eq(data_synth_write("/nonexistent/never", &settings, NULL, NULL, &error),
                         STATUS_USAGE);
        ck_assert_ptr_nonnull(strstr(error.message, cases[i].message));
    }
}
END_TEST

/* Frames are compressed as JPEG, so that a build without libjpeg-turbo draws none, and says so. */
START_TEST(test_needs_jpeg)
{
    Error error = {0};
    DataImage image;
    ck_assert_int_eq(data_synth_frame(&image, DATA_SYNTH_REAL, SEED, 1, 0, SIZE, NULL, &error),
                     STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "WITH_JPEG=1"));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("synth");
    TCase *const frames = support_case(suite, "frames", 120);
    if (LNCLIP_WITH_JPEG) {
        tcase_add_loop_test(frames, test_pure_function, 0, DATA_SYNTH_FAMILIES);
        tcase_add_loop_test(frames, test_forged_in_part, 1, DATA_SYNTH_FAMILIES);
        tcase_add_test(frames, test_traits);
        tcase_add_loop_test(frames, test_any_size, 0, 5);
    } else {
        tcase_add_test(frames, test_needs_jpeg);
    }
    TCase *const files = support_case(suite, "files", 60);
    if (LNCLIP_WITH_JPEG && LNCLIP_WITH_PNG) {
        tcase_add_test(files, test_write);
        tcase_add_test(files, test_few_and_odd_videos);
    }
    tcase_add_test(files, test_settings_out_of_range);
    return support_main(suite);
}
