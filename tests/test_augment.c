/*
 * test_augment.c - what the recipes draw and in which order, and the operations on images of
 * extreme sizes. That the operations are torchvision's is checked by test_augment_golden.c.
 */
#include "data/augment/augment.h"
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
        double flip, blur;
        const char *words;
    } CASES[] = {
        {"off", STATUS_OK, 0, 0, NULL},
        {"flip", STATUS_OK, 0.5, 0, NULL},
        {"paper", STATUS_OK, 0.5, 1, NULL},
        {"gend", STATUS_OK, 0.5, 0.1, NULL},
        {"Flip", STATUS_USAGE, 0, 0, "use paper, gend, flip or off"},
        {"", STATUS_USAGE, 0, 0, "use paper, gend, flip or off"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataAugment augment;
        ck_assert_int_eq(data_augment_parse(CASES[i].name, &augment, &error), CASES[i].status);
        ck_assert(augment.flip == CASES[i].flip && augment.blur == CASES[i].blur);
        ck_assert_int_eq(data_augment_active(&augment), CASES[i].flip > 0);
        ck_assert(!CASES[i].words || strstr(error.message, CASES[i].words));
    }
}
END_TEST

static DataAugment named(const char *name)
{
    Error error = {0};
    DataAugment augment;
    ck_ok(data_augment_parse(name, &augment, &error), &error);
    return augment;
}

static void apply(const DataAugment *augment, uint32_t index, uint32_t epoch, DataImage *image)
{
    Error error = {0};
    Random random = random_stream(9, RANDOM_AUGMENT, index, epoch);
    ck_ok(data_augment_apply(augment, &random, image, &error), &error);
}

/* Whether frame `index` is flipped in `epoch`. */
static int flips(const DataAugment *augment, uint32_t index, uint32_t epoch)
{
    uint8_t pixels[6] = {1, 2, 3, 4, 5, 6};
    DataImage image = {.width = 2, .height = 1, .pixels = pixels};
    apply(augment, index, epoch, &image);
    return pixels[0] == 4;
}

START_TEST(test_flip_probability)
{
    DataAugment augment = named("flip");
    enum { FRAMES = 4000 };
    int flipped = 0, same = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        flipped += flips(&augment, i, 0);
        same += flips(&augment, i, 0) == flips(&augment, i, 1);
        ck_assert_int_eq(flips(&augment, i, 0), flips(&augment, i, 0));
    }
    /* Binomial with standard deviation 32: five of them. The draws are fixed, so this never
     * flickers. */
    ck_assert(abs(flipped - FRAMES / 2) < 160 && abs(same - FRAMES / 2) < 160);
    augment.flip = 0;
    ck_assert_int_eq(flips(&augment, 1, 0) + flips(&augment, 2, 0) + flips(&augment, 3, 0), 0);
    augment.flip = 1;
    ck_assert_int_eq(flips(&augment, 1, 0) + flips(&augment, 2, 0) + flips(&augment, 3, 0), 3);
}
END_TEST

START_TEST(test_blur_probability)
{
    const DataAugment gend = named("gend");
    const DataAugment blur = {
        .blur = gend.blur, .blur_width = 3, .blur_height = 1, .sigma = gend.sigma};
    enum { FRAMES = 4000 };
    int blurred = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint8_t pixels[9] = {0, 0, 0, 255, 255, 255, 0, 0, 0};
        DataImage image = {.width = 3, .height = 1, .pixels = pixels};
        apply(&blur, i, 0, &image);
        blurred += pixels[4] < 255; /* sigma below 0.29 leaves the image alone: 10 % of the draws */
    }
    ck_assert_int_ge(blurred, 280); /* 360 expected, standard deviation 18 */
    ck_assert_int_le(blurred, 440);
}
END_TEST

/* Black pixels that a grey image of 100 x 100 has after the map, along the middle lines towards
 * each side. */
static void black_share(const DataAugment *augment, uint32_t frame, double share[4])
{
    enum { SIDE = 100 };
    DataImage image;
    Error error = {0};
    ck_ok(data_image_create(&image, SIDE, SIDE, &error), &error);
    memset(image.pixels, 200, SIDE * SIDE * 3);
    apply(augment, frame, 0, &image);
    for (int i = 0; i < 4; i++)
        share[i] = 0;
    for (int i = 0; i < SIDE; i++) { /* along the middle: left, right, top, bottom */
        const uint8_t *const across = image.pixels + ((size_t)(SIDE / 2 * SIDE + i)) * 3;
        const uint8_t *const down = image.pixels + ((size_t)(i * SIDE + SIDE / 2)) * 3;
        share[i < SIDE / 2 ? 0 : 1] += *across == 0;
        share[i < SIDE / 2 ? 2 : 3] += *down == 0;
    }
    data_image_free(&image);
}

START_TEST(test_affine_ranges)
{
    const DataAugment paper = named("paper");
    DataAugment moves = {.scale = {1, 1}, .translate = paper.translate};
    double most[4] = {0};
    for (uint32_t frame = 0; frame < 400; frame++) {
        double share[4];
        black_share(&moves, frame, share);
        ck_assert(share[0] == 0 || share[1] == 0); /* a shift uncovers one side */
        for (int i = 0; i < 4; i++)
            most[i] = share[i] > most[i] ? share[i] : most[i];
    }
    for (int i = 0; i < 4; i++)
        ck_assert_msg(most[i] == 10, "side %d: %g", i, most[i]);
    moves = (DataAugment){.scale = paper.scale};
    double sum = 0;
    for (uint32_t frame = 0; frame < 400; frame++) {
        double share[4];
        black_share(&moves, frame, share);
        ck_assert(share[0] <= 5.5 && share[1] <= 5.5); /* half of 10 % on either side */
        sum += share[0] + share[1];
    }
    ck_assert(sum / 400 > 2 && sum / 400 < 3); /* none above 1; below, U(0,10) pixels */
}
END_TEST

/* The range of the brightness factor, seen on one grey pixel. */
START_TEST(test_colour_ranges)
{
    const DataAugment paper = named("paper");
    const DataAugment jitter = {.brightness = paper.brightness};
    int lowest = 255, highest = 0;
    for (uint32_t frame = 0; frame < 2000; frame++) {
        uint8_t pixels[3] = {200, 200, 200};
        DataImage image = {.width = 1, .height = 1, .pixels = pixels};
        apply(&jitter, frame, 0, &image);
        lowest = pixels[0] < lowest ? pixels[0] : lowest;
        highest = pixels[0] > highest ? pixels[0] : highest;
    }
    ck_assert_int_eq(lowest, 180); /* 0.9 x 200 to 1.1 x 200, truncated */
    ck_assert_int_eq(highest, 219);
}
END_TEST

static uint32_t crc_of(const DataImage *image)
{
    return support_crc32(image->pixels, (size_t)image->width * (size_t)image->height * 3);
}

/* Both orders of brightness and contrast occur, about equally often. */
START_TEST(test_colour_order)
{
    const DataAugment jitter = {.brightness = 0.9, .contrast = 0.9};
    int brighter_first = 0, differing = 0;
    for (uint32_t frame = 0; frame < 400; frame++) {
        Random random = random_stream(9, RANDOM_AUGMENT, frame, 0);
        double u[10];
        for (int i = 0; i < 10; i++)
            u[i] = random_uniform(&random);
        uint32_t crc[2];
        for (int contrast_first = 0; contrast_first < 2; contrast_first++) {
            DataImage image;
            support_pattern(&image, 12, 12);
            if (contrast_first)
                data_contrast(&image, 1 + (1.8 * u[9] - 0.9));
            data_brightness(&image, 1 + (1.8 * u[8] - 0.9));
            if (!contrast_first)
                data_contrast(&image, 1 + (1.8 * u[9] - 0.9));
            crc[contrast_first] = crc_of(&image);
            data_image_free(&image);
        }
        DataImage image;
        support_pattern(&image, 12, 12);
        apply(&jitter, frame, 0, &image);
        ck_assert(crc_of(&image) == crc[u[7] < 0.5]);
        differing += crc[0] != crc[1];
        brighter_first += u[7] >= 0.5;
        data_image_free(&image);
    }
    ck_assert(abs(brighter_first - 200) < 50 && differing > 300);
}
END_TEST

/* An operation more or less leaves the draws of the others as they are. */
START_TEST(test_draws_are_independent)
{
    const DataAugment paper = named("paper");
    const DataAugment flip_only = named("flip");
    DataAugment map_only = {
        .scale = paper.scale, .degrees = paper.degrees, .translate = paper.translate};
    DataAugment both = map_only;
    both.flip = 0.5;
    for (uint32_t frame = 0; frame < 50; frame++) {
        DataImage one, two;
        support_pattern(&one, 31, 24);
        support_pattern(&two, 31, 24);
        apply(&both, frame, 2, &one);
        apply(&flip_only, frame, 2, &two);
        apply(&map_only, frame, 2, &two);
        ck_assert_mem_eq(one.pixels, two.pixels, 31 * 24 * 3);
        data_image_free(&one);
        data_image_free(&two);
    }
}
END_TEST

START_TEST(test_epochs_and_frames_differ)
{
    const DataAugment moves = {.scale = {0.9, 1.1}, .degrees = 10, .translate = 0.1};
    uint32_t seen[100];
    for (uint32_t i = 0; i < 100; i++) {
        DataImage image;
        support_pattern(&image, 63, 40);
        apply(&moves, i / 10, i % 10, &image);
        seen[i] = crc_of(&image);
        for (uint32_t k = 0; k < i; k++)
            ck_assert_msg(seen[k] != seen[i], "draws %u and %u are the same", k, i);
        data_image_free(&image);
    }
}
END_TEST

/* Thin and tiny images go through everything that does not need neighbours. */
START_TEST(test_extreme_sizes)
{
    static const int SIZES[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 2}, {3, 101}, {101, 3}, {17, 13}};
    DataAugment augment = named("paper");
    augment.blur = 0;
    augment.quality_high = augment.quality_low = LNCLIP_WITH_JPEG ? 40 : 0;
    augment.resize = 5;
    augment.noise = 0.1;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        for (uint32_t frame = 0; frame < 20; frame++) {
            DataImage image;
            support_pattern(&image, SIZES[i][0], SIZES[i][1]);
            apply(&augment, frame, 0, &image);
            const int shorter = image.width < image.height ? image.width : image.height;
            ck_assert_int_eq(shorter, 5);
            data_image_free(&image);
        }
    }
}
END_TEST

/* Reflection about the border needs a pixel more than half the kernel: less is refused, as by
 * torchvision. */
START_TEST(test_blur_of_small_images)
{
    static const struct {
        int width, height;
        Status status;
    } CASES[] = {{1, 8, STATUS_FAILED},
                 {8, 3, STATUS_FAILED},
                 {1, 1, STATUS_FAILED},
                 {2, 4, STATUS_OK},
                 {100, 4, STATUS_OK}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, CASES[i].width, CASES[i].height);
        ck_assert_int_eq(data_blur(&image, 3, 7, 1, &error), CASES[i].status);
        ck_assert_int_eq(strstr(error.message, "too small for a blur of 3 x 7") != NULL,
                         CASES[i].status == STATUS_FAILED);
        data_image_free(&image);
    }
}
END_TEST

START_TEST(test_even_images_stay)
{
    for (int value = 0; value < 256; value += 5) {
        Error error = {0};
        DataImage image;
        ck_ok(data_image_create(&image, 9, 11, &error), &error);
        memset(image.pixels, value, 9 * 11 * 3);
        ck_ok(data_blur(&image, 7, 7, 1.7, &error), &error);
        data_contrast(&image, 1.1);
        for (int i = 0; i < 9 * 11 * 3; i++)
            ck_assert_int_eq(image.pixels[i], value);
        data_image_free(&image);
    }
}
END_TEST

START_TEST(test_noise_is_normal)
{
    enum { SIDE = 200, VALUES = SIDE * SIDE * 3 };
    Error error = {0};
    DataImage image;
    ck_ok(data_image_create(&image, SIDE, SIDE, &error), &error);
    memset(image.pixels, 128, VALUES);
    data_noise(&image, 0.1, 5);
    double sum = 0, squares = 0;
    for (int i = 0; i < VALUES; i++) {
        const double offset =
            image.pixels[i] + 0.5 - 128; /* truncation takes off one half on average */
        sum += offset;
        squares += offset * offset;
    }
    ck_assert(sum / VALUES > -0.4 && sum / VALUES < 0.4); /* standard error 0.07 */
    ck_assert(squares / VALUES > 25.3 * 25.3 && squares / VALUES < 25.7 * 25.7);
    data_image_free(&image);
}
END_TEST

typedef struct PerturbCase {
    const char *text;
    const char *words; /* of the refusal; NULL if it is accepted */
} PerturbCase;

static const PerturbCase perturb_cases[] = {
    {"jpeg=1", NULL},
    {"jpeg=100", NULL},
    {"blur=0.5", NULL},
    {"blur=3", NULL},
    {"resize=112", NULL},
    {"resize=0.25", NULL},
    {"resize=1", NULL},
    {"noise=0.05", NULL},
    {"noise=1e-2", NULL},
    {"jpeg=0", "an integer from 1 to 100"},
    {"jpeg=101", "an integer from 1 to 100"},
    {"jpeg=40.5", "an integer from 1 to 100"},
    {"jpeg", "an integer from 1 to 100"},
    {"jpeg=", "an integer from 1 to 100"},
    {"jpeg=40,50", "an integer from 1 to 100"},
    {"blur=0", "a sigma in pixels"},
    {"blur=-1", "a sigma in pixels"},
    {"blur=nan", "a sigma in pixels"},
    {"blur=0x1", "a sigma in pixels"},
    {"blur= 1", "a sigma in pixels"},
    {"resize=1e9", "from 2 to 8192"},
    {"resize=1.5", "from 2 to 8192"},
    {"resize=0", "a share of the shorter edge"},
    {"noise=inf", "a standard deviation"},
    {"noises=1", "use jpeg=Q, blur=S, resize=N, resize-FILTER=N"},
    {"", "use jpeg=Q, blur=S, resize=N, resize-FILTER=N"},
    {"resize-nearest=64", NULL},
    {"resize-box=0.5", NULL},
    {"resize-bilinear=64", NULL},
    {"resize-hamming=64", NULL},
    {"resize-bicubic=64", NULL},
    {"resize-lanczos=64", NULL},
    {"resize-lanczos=1.5", "from 2 to 8192"},
    {"resize-cubic=64", "lanczos"},
    {"resize-=64", "lanczos"},
    {"blur=2+jpeg=50", NULL},
    {"noise=0.1+resize-box=64+jpeg=50+blur=2", NULL},
    {"jpeg=50+jpeg=30", "cannot be combined with jpeg=50"},
    {"resize=64+resize-box=32", "cannot be combined with resize=64"},
    {"jpeg=50+", "unknown perturbation"},
    {"+jpeg=50", "unknown perturbation"},
    {"jpeg=50++blur=2", "unknown perturbation"},
    {"jpeg=50+blur", "a sigma in pixels"},
    {"jpeg=50+blur=0", "blur=0: invalid strength of blur"},
    {"noise=0.1000000000000000000000000000000000000000", "a standard deviation"},
};

START_TEST(test_perturbations)
{
    const PerturbCase *const c = &perturb_cases[_i];
    Error error = {0};
    DataPerturbation perturbation;
    const Status status = data_augment_perturb(c->text, &perturbation, &error);
    ck_assert_msg(status == (c->words ? STATUS_USAGE : STATUS_OK), "%s: %s", c->text,
                  error.message);
    ck_assert_int_eq(data_augment_active(&perturbation.augment), !c->words);
    ck_assert_msg(!c->words || strstr(error.message, c->words), "%s", error.message);
}
END_TEST

/* A perturbation is the operation of that strength, and nothing else. */
START_TEST(test_perturbation_is_its_operation)
{
    static const char *const TEXTS[] = {"blur=1.5", "resize=20",
                                        LNCLIP_WITH_JPEG ? "jpeg=33" : "blur=2", "resize=0.25",
                                        "resize=1"};
    for (int i = 0; i < 5; i++) {
        Error error = {0};
        DataPerturbation perturbation;
        DataImage one, two;
        support_pattern(&one, 45, 32);
        support_pattern(&two, 45, 32);
        ck_ok(data_augment_perturb(TEXTS[i], &perturbation, &error), &error);
        apply(&perturbation.augment, 3, 0, &one);
        if (i == 0)
            ck_ok(data_blur(&two, 11, 11, 1.5, &error), &error);
        else if (i == 1)
            ck_ok(data_resize_shorter(&two, 20, DATA_FILTER_BILINEAR, &error), &error);
        else if (i == 3)
            ck_ok(data_resize_shorter(&two, 8, DATA_FILTER_BILINEAR, &error), &error);
        else if (i == 4)
            ck_assert(two.width == 45); /* the size it has: nothing changes */
        else if (LNCLIP_WITH_JPEG)
            ck_ok(data_image_jpeg_roundtrip(&two, 33, &error), &error);
        else
            ck_ok(data_blur(&two, 13, 13, 2, &error), &error);
        ck_assert(one.width == two.width && one.height == two.height);
        ck_assert(crc_of(&one) == crc_of(&two));
        data_image_free(&one);
        data_image_free(&two);
    }
}
END_TEST

/* Joined operations are applied in the order of the pipeline, in whichever they are given, under
 * one name. */
START_TEST(test_joined_perturbations)
{
    static const char *const TEXTS[] = {"blur=1.50+resize-lanczos=20+noise=0.1",
                                        "noise=0.1+blur=1.50+resize-lanczos=20"};
    DataImage expected;
    Error error = {0};
    support_pattern(&expected, 45, 32);
    ck_ok(data_blur(&expected, 11, 11, 1.5, &error), &error);
    ck_ok(data_resize_shorter(&expected, 20, DATA_FILTER_LANCZOS, &error), &error);
    const DataAugment noise = {.noise = 0.1};
    apply(&noise, 3, 0, &expected);
    for (int i = 0; i < 2; i++) {
        DataPerturbation perturbation;
        DataImage image;
        support_pattern(&image, 45, 32);
        ck_ok(data_augment_perturb(TEXTS[i], &perturbation, &error), &error);
        ck_assert_str_eq(perturbation.kind, "blur+resize-lanczos+noise");
        ck_assert_str_eq(perturbation.text, "1.50+20+0.1");
        ck_assert_int_eq(perturbation.count, 3);
        ck_assert(perturbation.strengths[0] == 1.5 && perturbation.strengths[1] == 20 &&
                  perturbation.strengths[2] == 0.1);
        apply(&perturbation.augment, 3, 0, &image);
        ck_assert(image.width == expected.width && image.height == expected.height);
        ck_assert(crc_of(&image) == crc_of(&expected));
        data_image_free(&image);
    }
    data_image_free(&expected);
}
END_TEST

START_TEST(test_resize_beyond_the_limit)
{
    Error error = {0};
    DataImage image;
    support_pattern(&image, 1, 30000);
    ck_assert_int_eq(data_resize_shorter(&image, 100, DATA_FILTER_BILINEAR, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "would exceed"));
    data_image_free(&image);
}
END_TEST

START_TEST(test_bytes)
{
    const DataAugment off = {0}, flip = named("flip"), paper = named("paper");
    const DataAugment blur = {.blur = 1, .blur_width = 3, .blur_height = 7};
    ck_assert_uint_eq(data_augment_bytes(&off, 100, 100), 0);
    ck_assert_uint_eq(data_augment_bytes(&flip, 100, 100), 0);
    ck_assert_uint_ge(data_augment_bytes(&paper, 100, 80), 2 * 100 * 80 * 3);
    ck_assert_uint_ge(data_augment_bytes(&blur, 100, 80), 8 * 100 * 3 * sizeof(float));
    ck_assert_uint_eq(data_augment_bytes(&blur, 100, 80), data_blur_bytes(100, 3, 7));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("augment");
    TCase *const recipe = support_case(suite, "recipe", 60);
    tcase_add_test(recipe, test_flip_mirrors);
    tcase_add_test(recipe, test_names);
    tcase_add_test(recipe, test_flip_probability);
    tcase_add_test(recipe, test_blur_probability);
    tcase_add_test(recipe, test_affine_ranges);
    tcase_add_test(recipe, test_colour_ranges);
    tcase_add_test(recipe, test_colour_order);
    tcase_add_test(recipe, test_draws_are_independent);
    tcase_add_test(recipe, test_epochs_and_frames_differ);
    TCase *const operations = support_case(suite, "operations", 60);
    tcase_add_test(operations, test_extreme_sizes);
    tcase_add_test(operations, test_blur_of_small_images);
    tcase_add_test(operations, test_even_images_stay);
    tcase_add_test(operations, test_noise_is_normal);
    tcase_add_test(operations, test_resize_beyond_the_limit);
    tcase_add_test(operations, test_bytes);
    tcase_add_loop_test(operations, test_perturbations, 0,
                        sizeof perturb_cases / sizeof perturb_cases[0]);
    tcase_add_test(operations, test_perturbation_is_its_operation);
    tcase_add_test(operations, test_joined_perturbations);
    return support_main(suite);
}
