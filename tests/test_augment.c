/*
 * test_augment.c - the horizontal flip, its probability and its independence of everything but its stream.
 */
#include "data/augment.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <string.h>

START_TEST(test_flip_mirrors)
{
    static const int SIZES[][2] = {{1, 1}, {1, 5}, {2, 3}, {7, 4}, {8, 1}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        const int width = SIZES[i][0], height = SIZES[i][1];
        DataImage image, mirrored;
        support_pattern(&image, width, height);
        support_pattern(&mirrored, width, height);
        data_flip_horizontal(&mirrored);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++)
                ck_assert_mem_eq(mirrored.pixels + (y * width + x) * 3,
                                 image.pixels + (y * width + width - 1 - x) * 3, 3);
        }
        data_flip_horizontal(&mirrored);
        ck_assert_mem_eq(mirrored.pixels, image.pixels, (size_t)(width * height * 3));
        data_image_free(&image);
        data_image_free(&mirrored);
    }
}
END_TEST

START_TEST(test_names)
{
    static const struct {
        const char *name;
        Status status;
        double flip;
        const char *words;
    } CASES[] = {
        {"off", STATUS_OK, 0, NULL},
        {"flip", STATUS_OK, 0.5, NULL},
        {"paper", STATUS_USAGE, 0, "does not have"},
        {"gend", STATUS_USAGE, 0, "does not have"},
        {"Flip", STATUS_USAGE, 0, "use flip or off"},
        {"", STATUS_USAGE, 0, "use flip or off"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataAugment augment;
        ck_assert_int_eq(data_augment_parse(CASES[i].name, &augment, &error), CASES[i].status);
        ck_assert(augment.flip == CASES[i].flip);
        ck_assert_int_eq(data_augment_active(&augment), CASES[i].flip > 0);
        ck_assert(!CASES[i].words || strstr(error.message, CASES[i].words));
    }
}
END_TEST

/* Whether frame `index` is flipped in `epoch`. */
static int flips(const DataAugment *augment, uint32_t index, uint32_t epoch)
{
    Error error = {0};
    uint8_t pixels[6] = {1, 2, 3, 4, 5, 6};
    DataImage image = {.width = 2, .height = 1, .pixels = pixels};
    Random random = random_stream(9, RANDOM_AUGMENT, index, epoch);
    ck_ok(data_augment_apply(augment, &random, &image, &error), &error);
    return pixels[0] == 4;
}

START_TEST(test_flip_probability)
{
    Error error = {0};
    DataAugment augment;
    ck_ok(data_augment_parse("flip", &augment, &error), &error);
    enum { FRAMES = 4000 };
    int flipped = 0, same = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        flipped += flips(&augment, i, 0);
        same += flips(&augment, i, 0) == flips(&augment, i, 1);
        ck_assert_int_eq(flips(&augment, i, 0), flips(&augment, i, 0));
    }
    /* Binomial with standard deviation 32: five of them. The draws are fixed, so this never flickers. */
    ck_assert(abs(flipped - FRAMES / 2) < 160 && abs(same - FRAMES / 2) < 160);
    augment.flip = 0;
    ck_assert_int_eq(flips(&augment, 1, 0) + flips(&augment, 2, 0) + flips(&augment, 3, 0), 0);
    augment.flip = 1;
    ck_assert_int_eq(flips(&augment, 1, 0) + flips(&augment, 2, 0) + flips(&augment, 3, 0), 3);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("augment");
    TCase *const flip = support_case(suite, "flip", 30);
    tcase_add_test(flip, test_flip_mirrors);
    tcase_add_test(flip, test_names);
    tcase_add_test(flip, test_flip_probability);
    return support_main(suite);
}
