/*
 * test_augment_golden.c - every operation against torchvision on Pillow images, draw by draw
 * (tests/golden/make_augment.py): CRC for CRC, but for the blur, whose results are compared value
 * by value.
 */
#include "data/augment/augment.h"
#include "tests/support.h"
#include "tests/support_image.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PARAMETERS = 4 };

/* One line of augment.txt. */
typedef struct Case {
    char operation[16];
    DataImage image; /* the pattern, and what the operation makes of it */
    double p[MAX_PARAMETERS];
    uint32_t crc; /* of torchvision's result */
} Case;

static Status resize_by_name(Case *c, Error *error)
{
    DataPerturbation perturbation;
    char text[32];
    snprintf(text, sizeof text, "%s=0.5", c->operation); /* the pixels wanted may be just one */
    TRY(data_augment_perturb(text, &perturbation, error));
    return data_resize_shorter(&c->image, (int)c->p[0], perturbation.augment.resize_filter, error);
}

/* Applies the operation of the line to its image. */
static Status apply(Case *c, Error *error)
{
    const double *const p = c->p;
    if (strcmp(c->operation, "flip") == 0)
        data_flip_horizontal(&c->image);
    else if (strcmp(c->operation, "affine") == 0)
        return data_affine(
            &c->image,
            &(const DataAffine){
                .degrees = p[0], .shift_x = (int)p[1], .shift_y = (int)p[2], .scale = p[3]},
            error);
    else if (strcmp(c->operation, "brightness") == 0)
        data_brightness(&c->image, p[0]);
    else if (strcmp(c->operation, "contrast") == 0)
        data_contrast(&c->image, p[0]);
    else if (strcmp(c->operation, "jpeg") == 0)
        return data_image_jpeg_roundtrip(&c->image, (int)p[0], error);
    else if (strncmp(c->operation, "resize-", 7) == 0) /* as the user names the filter */
        return resize_by_name(c, error);
    else if (strcmp(c->operation, "noise") == 0)
        data_noise(&c->image, p[0], (uint64_t)p[1]);
    else if (strcmp(c->operation, "blur") == 0)
        return data_blur(&c->image, (int)p[0], (int)p[1], p[2], error);
    else { /* gend SEED FRAME EPOCH: the whole recipe, drawn */
        DataAugment augment;
        Random random =
            random_stream((uint64_t)p[0], RANDOM_AUGMENT, (uint32_t)p[1], (uint32_t)p[2]);
        TRY(data_augment_parse(c->operation, &augment, error));
        return data_augment_apply(&augment, &random, &c->image, error);
    }
    return STATUS_OK;
}

static void parse(Case *c, const char *line)
{
    int width = 0, height = 0, used = 0;
    *c = (Case){0};
    ck_assert_int_eq(sscanf(line, "%15s %d %d%n", c->operation, &width, &height, &used), 3);
    char *at = (char *)line + used, *last = strrchr(line, ' ');
    for (int i = 0; at < last; i++) {
        ck_assert_int_lt(i, MAX_PARAMETERS);
        c->p[i] = strtod(at, &at);
    }
    c->crc = (uint32_t)strtoul(last, NULL, 16);
    support_pattern(&c->image, width, height);
}

/* Calls check on every line of the operation and returns how many there were. */
static int each(const char *operation, void (*check)(Case *c, const char *line, void *context),
                void *context)
{
    char line[256];
    FILE *const file = support_golden_open("augment.txt");
    int cases = 0;
    while (fgets(line, sizeof line, file)) {
        Case c;
        parse(&c, line);
        if (strcmp(c.operation, operation) == 0) {
            check(&c, line, context);
            cases++;
        }
        data_image_free(&c.image);
    }
    fclose(file);
    return cases;
}

static void check_equal(Case *c, const char *line, void *context)
{
    (void)context;
    Error error = {0};
    ck_ok(apply(c, &error), &error);
    const size_t size = (size_t)c->image.width * (size_t)c->image.height * 3;
    const uint32_t crc = support_crc32(c->image.pixels, size);
    ck_assert_msg(crc == c->crc, "%s: CRC %08x", line, crc);
}

/* Operations whose results are torchvision's byte for byte. */
static const char *const exact[] = {"flip",
                                    "affine",
                                    "brightness",
                                    "contrast",
                                    "resize-nearest",
                                    "resize-box",
                                    "resize-bilinear",
                                    "resize-hamming",
                                    "resize-bicubic",
                                    "resize-lanczos",
                                    "noise",
#if LNCLIP_WITH_JPEG
                                    "jpeg",
                                    "gend"
#endif
};

START_TEST(operation_is_torchvision)
{
    ck_assert_int_ge(each(exact[_i], check_equal, NULL), strcmp(exact[_i], "gend") == 0 ? 40 : 50);
}
END_TEST

typedef struct Blurs {
    FILE *file;
    size_t values, differing;
} Blurs;

static void check_blur(Case *c, const char *line, void *context)
{
    Blurs *const blurs = context;
    Error error = {0};
    uint8_t expected[64 * 64 * 3];
    const size_t size = (size_t)c->image.width * (size_t)c->image.height * 3;
    ck_assert_uint_le(size, sizeof expected);
    ck_assert_uint_eq(fread(expected, 1, size, blurs->file), size);
    ck_assert_uint_eq(support_crc32(expected, size), c->crc); /* the two files belong together */
    ck_ok(apply(c, &error), &error);
    for (size_t i = 0; i < size; i++) {
        const int difference = abs(c->image.pixels[i] - expected[i]);
        ck_assert_msg(difference <= 1, "%s: value %zu is %d, not %d", line, i, c->image.pixels[i],
                      expected[i]);
        blurs->differing += difference > 0;
    }
    blurs->values += size;
}

/* Sums of f32 in another order: at most one value in 1,000 may be rounded the other way. */
START_TEST(blur_is_torchvision)
{
    Blurs blurs = {.file = support_golden_open("augment_blur.bin")};
    ck_assert_int_eq(each("blur", check_blur, &blurs), 50);
    ck_assert_int_eq(fgetc(blurs.file), EOF);
    fclose(blurs.file);
    ck_assert_msg(blurs.differing * 1000 <= blurs.values, "%zu of %zu values differ",
                  blurs.differing, blurs.values);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("augment_golden");
    TCase *const golden = support_case(suite, "golden", 60);
    tcase_add_loop_test(golden, operation_is_torchvision, 0, sizeof exact / sizeof exact[0]);
    tcase_add_test(golden, blur_is_torchvision);
    return support_main(suite);
}
