/*
 * test_resize.c - bicubic resize, crop and normalisation against Pillow and CLIPImageProcessor,
 * byte for byte. Golden values: make_images.py.
 */
#include "data/image/preprocess.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

START_TEST(test_crop_as_pillow)
{
    FILE *const file = support_golden_open("resize.txt");
    DataResizer resizer = {0};
    int width, height, size, cases = 0;
    unsigned crc;
    for (; fscanf(file, "%d %d %d %x", &width, &height, &size, &crc) == 4; cases++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, width, height);
        const size_t bytes = (size_t)size * (size_t)size * 3;
        uint8_t *const out = malloc(bytes);
        for (int again = 0; again < 2; again++) { /* the second time with the tables of the first */
            memset(out, again, bytes);
            ck_ok(data_resize_crop(&resizer, &image, size, out, &error), &error);
            ck_assert_msg(support_crc32(out, bytes) == crc, "%d x %d to %d: differs from Pillow",
                          width, height, size);
        }
        free(out);
        data_image_free(&image);
    }
    data_resizer_free(&resizer);
    fclose(file);
    ck_assert_int_ge(cases, 200);
}
END_TEST

START_TEST(test_whole_image_as_pillow)
{
    FILE *const file = support_golden_open("resize_full.txt");
    DataResizer resizer = {.filter = DATA_FILTER_BICUBIC};
    int width, height, new_width, new_height, cases = 0;
    unsigned crc;
    for (; fscanf(file, "%d %d %d %d %x", &width, &height, &new_width, &new_height, &crc) == 5;
         cases++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, width, height);
        const size_t bytes = (size_t)new_width * (size_t)new_height * 3;
        uint8_t *const out = malloc(bytes);
        ck_ok(data_resize(&resizer, &image, new_width, new_height, out, &error), &error);
        ck_assert_msg(support_crc32(out, bytes) == crc, "%d x %d to %d x %d: differs from Pillow",
                      width, height, new_width, new_height);
        free(out);
        data_image_free(&image);
    }
    data_resizer_free(&resizer);
    fclose(file);
    ck_assert_int_ge(cases, 10);
}
END_TEST

START_TEST(test_thin_images)
{
    static const struct {
        int width, height;
        bool fits; /* 224 * 224 * ratio <= DATA_MAX_PIXELS: up to a ratio of 3566 */
    } CASES[] = {{1, 20000, false}, {20000, 1, false}, {1, 3566, true},
                 {3566, 1, true},   {1, 3567, false},  {2, 20000, false}};
    uint8_t *const out = malloc(224 * 224 * 3);
    DataResizer resizer = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, CASES[i].width, CASES[i].height);
        const Status status = data_resize_crop(&resizer, &image, 224, out, &error);
        ck_assert_msg((status == STATUS_OK) == CASES[i].fits, "%d x %d", CASES[i].width,
                      CASES[i].height);
        ck_assert(CASES[i].fits || strstr(error.message, "too elongated"));
        data_image_free(&image);
    }
    data_resizer_free(&resizer);
    free(out);
}
END_TEST

START_TEST(test_constant_image_stays)
{
    Error error = {0};
    DataImage image;
    DataResizer resizer = {0};
    uint8_t *const out = malloc(224 * 224 * 3);
    ck_ok(data_image_create(&image, 301, 199, &error), &error);
    for (int value = 0; value < 256; value += 51) {
        memset(image.pixels, value, 301 * 199 * 3);
        ck_ok(data_resize_crop(&resizer, &image, 224, out, &error), &error);
        for (int i = 0; i < 224 * 224 * 3; i++)
            ck_assert_int_eq(out[i], value);
    }
    data_image_free(&image);
    data_resizer_free(&resizer);
    free(out);
}
END_TEST

START_TEST(test_normalize_as_processor)
{
    static const float MEAN[3] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float STD[3] = {0.26862954f, 0.26130258f, 0.27577711f};
    FILE *const file = support_golden_open("normalize.txt");
    uint8_t pixels[16 * 16 * 3];
    float out[3 * 16 * 16];
    for (int i = 0; i < 256; i++) {
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] =
                (uint8_t)(i * (c == 1 ? 3 : 1)); /* channels differ: planes are not mixed up */
    }
    double golden[3][256];
    for (int c = 0; c < 3; c++) {
        for (int value = 0; value < 256; value++)
            ck_assert_int_eq(fscanf(file, "%la", &golden[c][value]), 1);
    }
    fclose(file);
    data_normalize(pixels, 16, MEAN, STD, out);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < 256; i++)
            ck_assert_msg((double)out[c * 256 + i] == golden[c][pixels[3 * i + c]],
                          "channel %d value %d: %a, processor %a", c, pixels[3 * i + c],
                          (double)out[c * 256 + i], golden[c][pixels[3 * i + c]]);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("resize");
    TCase *const resize = support_case(suite, "resize", 120);
    tcase_add_test(resize, test_crop_as_pillow);
    tcase_add_test(resize, test_whole_image_as_pillow);
    tcase_add_test(resize, test_thin_images);
    tcase_add_test(resize, test_constant_image_stays);
    tcase_add_test(resize, test_normalize_as_processor);
    return support_main(suite);
}
