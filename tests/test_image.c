/*
 * test_image.c - decoding and encoding: every kind of file against Pillow's pixels, every kind of
 * damage against its message. Golden files: make_images.py.
 */
#include "data/image/decode_private.h"
#include "data/image/image.h"
#include "tensor/base/file.h"
#include "tensor/random.h"
#include "tests/support.h"
#include "tests/support_allocations.h"
#include "tests/support_image.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t image_crc(const DataImage *image)
{
    return support_crc32(image->pixels, (size_t)image->width * (size_t)image->height * 3);
}

/* The fallback decoder of a build without a library: other pixels (JPEG), no CRC (PNG). */
static bool has_library(const char *name)
{
    const char *const suffix = strrchr(name, '.');
    return (LNCLIP_WITH_PNG || strcmp(suffix, ".png") != 0) &&
           (LNCLIP_WITH_JPEG || strcmp(suffix, ".jpg") != 0);
}

static void check_good(const char *path, const char *name, int width, int height, uint32_t crc)
{
    Error error = {0};
    DataImage image;
    ck_ok(data_image_read(path, &image, &error), &error);
    ck_assert_msg(image.width == width && image.height == height, "%s: %d x %d", name, image.width,
                  image.height);
    ck_assert_msg(image_crc(&image) == crc, "%s: CRC %08x, Pillow %08x", name, image_crc(&image),
                  crc);
    data_image_free(&image);
    int w, h;
    ck_ok(data_image_size(path, &w, &h, &error), &error);
    ck_assert_msg(w == width && h == height, "%s: size %d x %d", name, w, h);
}

static void check_bad(const char *path, const char *name, const char *words)
{
    Error error = {0};
    DataImage image = {.width = 1};
    ck_assert_msg(data_image_read(path, &image, &error) == STATUS_FAILED, "%s was accepted", name);
    ck_assert_msg(strstr(error.message, name) && strstr(error.message, words) &&
                      strchr(error.message, ';'),
                  "%s: \"%s\" lacks \"%s\"", name, error.message, words);
    ck_assert_msg(!image.pixels && image.width == 0 && image.height == 0, "%s: image not empty",
                  name);
}

START_TEST(test_files_as_pillow)
{
    char folder[4096], path[8192], name[100], words[100];
    FILE *const file = support_golden_open("images.txt");
    int good = 0, bad = 0;
    for (char line[300]; fgets(line, sizeof line, file);) {
        int width, height;
        unsigned crc;
        line[strcspn(line, "\n")] = '\0';
        ck_assert_int_eq(sscanf(line, "%99s", name), 1);
        support_golden(folder, "images");
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (!has_library(name))
            continue;
        if (sscanf(line, "%*s error %99[^\n]", words) == 1) {
            check_bad(path, name, words);
            bad++;
        } else {
            ck_assert_int_eq(sscanf(line, "%*s %d %d %x", &width, &height, &crc), 3);
            check_good(path, name, width, height, crc);
            good++;
        }
    }
    fclose(file);
    ck_assert(good >= 5 && bad >= 10);
    ck_assert(!LNCLIP_WITH_PNG || !LNCLIP_WITH_JPEG || good + bad >= 90);
}
END_TEST

START_TEST(test_missing_and_folder)
{
    Error error = {0};
    DataImage image;
    ck_assert_int_eq(data_image_read("/nonexistent/frame.png", &image, &error), STATUS_FAILED);
    ck_assert(strstr(error.message, "/nonexistent/frame.png") != NULL);
    ck_assert_int_eq(data_image_read("/", &image, &error), STATUS_FAILED);
    ck_assert_ptr_null(image.pixels);
    int width, height;
    ck_assert_int_eq(data_image_size("/nonexistent/frame.png", &width, &height, &error),
                     STATUS_FAILED);
}
END_TEST

/* Reads a golden file whole. */
static size_t read_golden(const char *name, char **content)
{
    Error error = {0};
    char folder[4096], path[8192];
    size_t size;
    support_golden(folder, "images");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_ok(file_read(path, 1 << 20, content, &size, &error), &error);
    return size;
}

#if LNCLIP_WITH_PNG
START_TEST(test_png_bit_flips_are_noticed)
{
    static const char *const NAMES[] = {"rgb8-srgb-text.png", "palette4-transparent.png",
                                        "grey1-interlaced.png", "filtered.png"};
    for (size_t n = 0; n < sizeof NAMES / sizeof NAMES[0]; n++) {
        char *bytes;
        const size_t size = read_golden(NAMES[n], &bytes);
        for (size_t bit = 0; bit < size * 8; bit++) {
            Error error = {0};
            DataImage image;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            ck_assert_msg(data_image_decode(bytes, size, "flipped", &image, &error) ==
                              STATUS_FAILED,
                          "%s: flipping bit %zu goes unnoticed", NAMES[n], bit);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        free(bytes);
    }
}
END_TEST
#endif

#if LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE
/* Where the first chunk of that type begins. */
static size_t find_chunk(const unsigned char *bytes, size_t size, const char *type)
{
    for (size_t i = 8; i + 8 <= size; i++) {
        if (memcmp(bytes + i + 4, type, 4) == 0)
            return i;
    }
    ck_abort_msg("no %s", type);
    return 0;
}

/* The file is unpacked, its pixels have this CRC, and the unpacked file passes
 * every check itself. */
static void check_stored(const DataSource *source, uint32_t crc)
{
    Error error = {0};
    DataSource stored, again;
    DataImage image;
    ck_assert_msg(data_png_stored(source, &stored), "%s was left to zlib", source->name);
    ck_ok(data_decode_png(source, DATA_EXTENT_PIXELS, &image, &error), &error);
    ck_assert_msg(image_crc(&image) == crc, "%s: other pixels", source->name);
    /* Unpacking it once more checks its CRC and Adler-32, and changes nothing. */
    ck_assert(data_png_stored(&stored, &again));
    ck_assert(again.size == stored.size && memcmp(again.bytes, stored.bytes, again.size) == 0);
    free((void *)stored.bytes);
    free((void *)again.bytes);
    data_image_free(&image);
}

START_TEST(test_png_is_unpacked)
{
    static const struct {
        const char *name;
        uint32_t crc; /* Pillow's, as in images.txt */
    } FILES[] = {{"rgb8.png", 0x29e64a42},        {"rgb8-srgb-text.png", 0x29e64a42},
                 {"rgb8-pieces.png", 0x29e64a42}, {"rgb16.png", 0x2ef09ebf},
                 {"filtered.png", 0x6bc40dc2},    {"grey1.png", 0x389a6e15},
                 {"rgba8.png", 0x5a9fa491},       {"palette4-transparent.png", 0x388589ab}};
    for (size_t n = 0; n < sizeof FILES / sizeof FILES[0]; n++) {
        char *bytes;
        const size_t size = read_golden(FILES[n].name, &bytes);
        check_stored(&(DataSource){(unsigned char *)bytes, size, FILES[n].name}, FILES[n].crc);
        free(bytes);
    }
    /* 65,535 bytes are what a stored block holds: one and two exactly, and sizes that
     * leave a rest. */
    static const int SIZES[][2] = {{1, 1}, {28, 771}, {28, 1542}, {28, 772}, {300, 301}};
    char folder[4096], path[8192];
    support_make_folder(folder);
    snprintf(path, sizeof path, "%s/x.png", folder);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        Error error = {0};
        DataImage image;
        char *bytes;
        size_t size;
        support_pattern(&image, SIZES[i][0], SIZES[i][1]);
        ck_ok(data_image_write_png(&image, path, &error), &error);
        ck_ok(file_read(path, 1 << 24, &bytes, &size, &error), &error);
        check_stored(&(DataSource){(unsigned char *)bytes, size, path}, image_crc(&image));
        free(bytes);
        data_image_free(&image);
    }
    support_remove_folder(folder);
}
END_TEST

START_TEST(test_png_in_doubt_is_left_alone)
{
    DataSource stored = {.size = 1};
    char *bytes;
    const size_t interlaced_size = read_golden("palette4-interlaced.png", &bytes);
    ck_assert(!data_png_stored(&(DataSource){(unsigned char *)bytes, interlaced_size, "interlaced"},
                               &stored));
    free(bytes);

    const size_t size = read_golden("rgb8.png", &bytes);
    unsigned char *const file = (unsigned char *)bytes;
    const size_t begin = find_chunk(file, size, "IDAT"), end = find_chunk(file, size, "IEND");
    for (size_t i = begin + 4; i < end; i++) { /* not the length: a chunk may end elsewhere */
        for (int bit = 0; bit < 8; bit++) {
            file[i] ^= (unsigned char)(1 << bit);
            ck_assert_msg(!data_png_stored(&(DataSource){file, size, "flipped"}, &stored),
                          "bit %d of byte %zu goes unnoticed", bit, i);
            file[i] ^= (unsigned char)(1 << bit);
        }
    }
    for (size_t length = 8; length < end; length++) {
        unsigned char *const copy = malloc(length); /* exactly as long, for ASan */
        memcpy(copy, file, length);
        ck_assert(!data_png_stored(&(DataSource){copy, length, "cut"}, &stored));
        free(copy);
    }
    /* Sizes that no memory has: 2^31 - 1 pixels wide, or high; and of no rows or columns. */
    static const unsigned char HUGE_SIDE[4] = {0x7f, 0xff, 0xff, 0xff}, NO_SIDE[4] = {0};
    for (size_t side = 16; side <= 20; side += 4) {
        unsigned char before[4];
        memcpy(before, file + side, 4);
        memcpy(file + side, HUGE_SIDE, 4);
        ck_assert(!data_png_stored(&(DataSource){file, size, "huge"}, &stored));
        memcpy(file + side, NO_SIDE, 4);
        ck_assert(!data_png_stored(&(DataSource){file, size, "empty"}, &stored));
        memcpy(file + side, before, 4);
    }
    ck_assert(stored.size == 1 && !stored.bytes);
    free(bytes);
}
END_TEST
#endif

START_TEST(test_every_truncation_is_noticed)
{
    static const char *const NAMES[] = {"rgb8.png",    "palette4-interlaced.png",
                                        "rgb-420.jpg", "rgb-420-progressive.jpg",
                                        "rgb.bmp",     "rgb.ppm"};
    for (size_t n = 0; n < sizeof NAMES / sizeof NAMES[0]; n++) {
        char *bytes;
        const size_t size = read_golden(NAMES[n], &bytes);
        for (size_t length = 0; has_library(NAMES[n]) && length < size; length++) {
            Error error = {0};
            DataImage image;
            char *const copy =
                malloc(length + 1); /* exactly as long, so that ASan sees an over-read */
            memcpy(copy, bytes, length);
            ck_assert_msg(data_image_decode(copy, length, "cut", &image, &error) == STATUS_FAILED,
                          "%s: %zu of %zu bytes are accepted", NAMES[n], length, size);
            free(copy);
        }
        free(bytes);
    }
}
END_TEST

START_TEST(test_random_damage_never_crashes)
{
    static const char *const NAMES[] = {"rgb8.png",
                                        "palette4-interlaced.png",
                                        "rgb-420.jpg",
                                        "cmyk.jpg",
                                        "rgb-420-progressive.jpg",
                                        "rgb.bmp",
                                        "rgba.bmp",
                                        "grey.pgm"};
    Random random = random_stream(1, RANDOM_TEST, 77, 0);
    int accepted = 0;
    for (size_t n = 0; n < sizeof NAMES / sizeof NAMES[0]; n++) {
        char *bytes;
        const size_t size = read_golden(NAMES[n], &bytes);
        char *const copy = malloc(size);
        for (int trial = 0; trial < 300; trial++) {
            memcpy(copy, bytes, size);
            for (uint32_t flips = 1 + random_below(&random, 8); flips > 0; flips--)
                copy[random_below(&random, (uint32_t)size)] = (char)random_u32(&random);
            Error error = {0};
            DataImage image;
            if (data_image_decode(copy, size, "damaged", &image, &error) == STATUS_OK) {
                accepted++;
                ck_assert_int_gt(image.width, 0);
                data_image_free(&image);
            } else {
                ck_assert(strncmp(error.message, "damaged: ", 9) == 0 && !image.pixels);
            }
        }
        free(copy);
        free(bytes);
    }
    ck_assert_int_gt(accepted, 0); /* BMP and PNM have no redundancy: the loop did decode */
}
END_TEST

#if LNCLIP_WITH_PNG
START_TEST(test_png_written_reads_back)
{
    char folder[4096], path[8192];
    support_make_folder(folder);
    static const int SIZES[][2] = {{1, 1}, {224, 224}, {37, 5}, {1, 20000}, {20000, 1}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        Error error = {0};
        DataImage image, again;
        char *first, *second;
        size_t first_size, second_size;
        support_pattern(&image, SIZES[i][0], SIZES[i][1]);
        snprintf(path, sizeof path, "%s/x.png", folder);
        ck_ok(data_image_write_png(&image, path, &error), &error);
        ck_ok(file_read(path, 1 << 24, &first, &first_size, &error), &error);
        ck_ok(data_image_read(path, &again, &error), &error);
        ck_assert(again.width == image.width && again.height == image.height);
        ck_assert_uint_eq(image_crc(&again), image_crc(&image));
        ck_ok(data_image_write_png(&again, path, &error), &error);
        ck_ok(file_read(path, 1 << 24, &second, &second_size, &error), &error);
        ck_assert(first_size == second_size && memcmp(first, second, first_size) == 0);
        free(first);
        free(second);
        data_image_free(&image);
        data_image_free(&again);
    }
    support_remove_folder(folder);
}
END_TEST

START_TEST(test_png_write_failures)
{
    Error error = {0};
    DataImage image;
    support_pattern(&image, 300, 301);
    ck_assert_int_eq(data_image_write_png(&image, "/nonexistent/x.png", &error), STATUS_FAILED);
    ck_assert(strstr(error.message, "/nonexistent/x.png") != NULL);
    data_image_free(&image);
}
END_TEST
#endif

START_TEST(test_jpeg_roundtrip_as_pillow)
{
    FILE *const file = support_golden_open("jpeg_roundtrip.txt");
    int width, height, quality, cases = 0;
    unsigned crc;
    for (; fscanf(file, "%d %d %d %x", &width, &height, &quality, &crc) == 4; cases++) {
        Error error = {0};
        DataImage image;
        support_pattern(&image, width, height);
        const uint32_t before = image_crc(&image);
        const Status status = data_image_jpeg_roundtrip(&image, quality, &error);
        if (LNCLIP_WITH_JPEG) {
            ck_ok(status, &error);
            ck_assert_msg(image_crc(&image) == crc, "%d x %d at quality %d: CRC %08x, Pillow %08x",
                          width, height, quality, image_crc(&image), crc);
        } else {
            ck_assert_int_eq(status, STATUS_FAILED);
            ck_assert(strstr(error.message, "WITH_JPEG") && image_crc(&image) == before);
        }
        data_image_free(&image);
    }
    fclose(file);
    ck_assert_int_ge(cases, 40);
}
END_TEST

START_TEST(test_decoders_are_named)
{
    const char *const names = data_image_decoders();
    ck_assert(strstr(names, "stb_image 2.27") != NULL);
    ck_assert((strstr(names, "libpng 1.") != NULL) == LNCLIP_WITH_PNG);
    ck_assert((strstr(names, "libjpeg") != NULL) == LNCLIP_WITH_JPEG);
}
END_TEST

#if SUPPORT_ALLOCATIONS
typedef Status Attempt(void *context, Error *error);

/* Every allocation of `attempt` fails in turn, alone and with all after it: each time an error, or
 * what succeeded. */
static void fail_every_allocation(Attempt *attempt, void *context, const char *what)
{
    Error error = {0};
    ck_ok(attempt(context, &error), &error); /* fills the tables that libraries keep */
    const long before = support_allocations();
    const Status whole = attempt(context, &error);
    const long count = support_allocations() - before;
    ck_assert_int_eq(whole, STATUS_OK);
    ck_assert_int_gt(count, 0);
    int failed = 0;
    for (long n = 1; n <= count; n++)
        for (int on = 0; on < 2; on++) {
            error = (Error){0};
            support_fail_allocation(n, on);
            const Status status = attempt(context, &error);
            support_fail_allocation(0, 0);
            failed += status != STATUS_OK;
            ck_each(status == STATUS_OK || strstr(error.message, "memory"),
                    "%s: allocation %ld of %ld: \"%s\"", what, n, count, error.message);
        }
    ck_assert_int_gt(failed, 0);
}

typedef struct Expected {
    char path[8192];
    uint32_t crc;
} Expected;

static Status try_reading(void *context, Error *error)
{
    const Expected *const expected = context;
    DataImage image;
    TRY(data_image_read(expected->path, &image, error));
    const bool same = image_crc(&image) == expected->crc;
    data_image_free(&image);
    return same ? STATUS_OK : error_set(error, STATUS_FAILED, "other pixels");
}

static Status try_png(void *image, Error *error)
{
    char path[4096];
    snprintf(path, sizeof path, "/tmp/lnclip-test-%ld.png", (long)getpid());
    const Status status = data_image_write_png(image, path, error);
    unlink(path);
    return status;
}

static Status try_roundtrip(void *image, Error *error)
{
    return data_image_jpeg_roundtrip(image, 95, error);
}

static Status try_encoding(void *image, Error *error)
{
    unsigned char *bytes;
    size_t size;
    TRY(data_image_encode_jpeg(image, 95, &bytes, &size, error));
    free(bytes);
    return STATUS_OK;
}

/* libpng's structs were set up before its jump: out of memory there was an abort. */
START_TEST(test_every_failed_allocation_is_an_error)
{
    char folder[4096], name[100];
    support_golden(folder, "images");
    FILE *const file = support_golden_open("images.txt");
    for (char line[300]; fgets(line, sizeof line, file);) {
        Expected expected;
        if (sscanf(line, "%99s %*d %*d %x", name, &expected.crc) != 2 || !has_library(name))
            continue;
        snprintf(expected.path, sizeof expected.path, "%s/%s", folder, name);
        fail_every_allocation(try_reading, &expected, name);
    }
    fclose(file);
    DataImage image;
    support_pattern(&image, 301, 200); /* noise: a file of many buffers */
    if (LNCLIP_WITH_PNG)
        fail_every_allocation(try_png, &image, "writing PNG");
    if (LNCLIP_WITH_JPEG) {
        fail_every_allocation(try_roundtrip, &image, "JPEG and back");
        fail_every_allocation(try_encoding, &image, "JPEG");
    }
    data_image_free(&image);
}
END_TEST
#endif

/* For each path of stdin a line: "WIDTH HEIGHT CRC32", or "error MESSAGE"
 * (tests/check_long_pixels.sh). */
static int read_images(void)
{
    for (char path[4096]; fgets(path, sizeof path, stdin);) {
        Error error = {0};
        DataImage image;
        path[strcspn(path, "\n")] = '\0';
        if (data_image_read(path, &image, &error) == STATUS_OK)
            printf("%d %d %08x\n", image.width, image.height, image_crc(&image));
        else
            printf("error %s\n", error.message);
        data_image_free(&image);
    }
    return 0;
}

int main(void)
{
    if (getenv("LNCLIP_READ_IMAGES"))
        return read_images();
    Suite *const suite = suite_create("image");
    TCase *const decode = support_case(suite, "decode", 60);
    tcase_add_test(decode, test_files_as_pillow);
    tcase_add_test(decode, test_missing_and_folder);
    tcase_add_test(decode, test_every_truncation_is_noticed);
    tcase_add_test(decode, test_random_damage_never_crashes);
    TCase *const encode = support_case(suite, "encode", 60);
    tcase_add_test(encode, test_jpeg_roundtrip_as_pillow);
    tcase_add_test(encode, test_decoders_are_named);
#if SUPPORT_ALLOCATIONS
    tcase_add_test(decode, test_every_failed_allocation_is_an_error);
#endif
#if LNCLIP_WITH_PNG
    tcase_add_test(decode, test_png_bit_flips_are_noticed);
    tcase_add_test(encode, test_png_written_reads_back);
    tcase_add_test(encode, test_png_write_failures);
#endif
#if LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE
    tcase_add_test(decode, test_png_is_unpacked);
    tcase_add_test(decode, test_png_in_doubt_is_left_alone);
#endif
    return support_main(suite);
}
