/*
 * fuzz_images.c - harnesses for image decoders and landmark arrays.
 *
 * Oracle for PNG: stb_image. It checks less, so only images that both accept are compared.
 */
#include "tests/fuzz/fuzz.h"

#include "data/augment/sbi.h"
#include "data/faces/landmarks.h"
#include "data/image/decode_private.h"
#include "data/image/npy.h"

#include <string.h>
#include <zlib.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

enum { MOST_PIXELS = 1 << 18 }; /* of a decoded image: larger ones take time and find nothing new */

static const char SIGNATURE[] = "\x89PNG\r\n\x1a\n";

/* Decodes if the header gives a small size; the sizes must agree. False if nothing was decoded. */
static bool decode(DataDecoder *decoder, const uint8_t *data, size_t size, DataImage *image)
{
    const DataSource source = {data, size, "input"};
    DataImage sized = {0};
    Error error = {0};
    *image = (DataImage){0};
    if (decoder(&source, DATA_EXTENT_SIZE, &sized, &error) != STATUS_OK)
        return false;
    CHECK(sized.width > 0 && sized.height > 0 && !sized.pixels);
    if ((int64_t)sized.width * sized.height > MOST_PIXELS)
        return false;
    if (decoder(&source, DATA_EXTENT_PIXELS, image, &error) != STATUS_OK) {
        CHECK(error.message[0] != '\0');
        data_image_free(image);
        return false;
    }
    CHECK(image->width == sized.width && image->height == sized.height);
    fuzz_touch(image->pixels, (size_t)image->width * (size_t)image->height * 3);
    return true;
}

void fuzz_png(const uint8_t *data, size_t size)
{
    if (size < 8 || memcmp(data, SIGNATURE, 8) != 0)
        return;
    DataImage image;
    if (!decode(data_decode_png, data, size, &image))
        return;
    int width, height, channels;
    stbi_uc *pixels = stbi_load_from_memory(data, (int)size, &width, &height, &channels, STBI_rgb);
    if (pixels) {
        CHECK(width == image.width && height == image.height);
        CHECK(memcmp(pixels, image.pixels, (size_t)width * (size_t)height * 3) == 0);
    }
    stbi_image_free(pixels);
    data_image_free(&image);
}

void fuzz_jpeg(const uint8_t *data, size_t size)
{
    DataImage image;
    if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0 &&
        decode(data_decode_jpeg, data, size, &image))
        data_image_free(&image);
}

void fuzz_bmp_pnm(const uint8_t *data, size_t size)
{
    DataImage image;
    if (size >= 2 &&
        (memcmp(data, "BM", 2) == 0 || memcmp(data, "P5", 2) == 0 || memcmp(data, "P6", 2) == 0) &&
        decode(data_decode_stb, data, size, &image))
        data_image_free(&image);
}

/* Any format, from a file and from memory, with the same result. */
void fuzz_image(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    int width, height;
    Error error = {0}, second = {0};
    DataImage read, decoded;
    if (data_image_size(path, &width, &height, &error) != STATUS_OK ||
        (int64_t)width * height > MOST_PIXELS)
        return;
    const Status status = data_image_read(path, &read, &error);
    CHECK(data_image_decode(data, size, path, &decoded, &second) == status);
    if (status != STATUS_OK) {
        CHECK(strcmp(error.message, second.message) == 0);
        return;
    }
    CHECK(read.width == width && read.height == height);
    CHECK(decoded.width == width && decoded.height == height);
    CHECK(memcmp(read.pixels, decoded.pixels, (size_t)width * (size_t)height * 3) == 0);
    data_image_free(&read);
    data_image_free(&decoded);
}

/* ---- a mutator for PNG ----------------------------------------------------------------------- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The length of the chunk at `at`. False if the chunk does not fit. */
static bool chunk_at(const uint8_t *data, size_t size, size_t at, size_t *length)
{
    if (at + 12 > size || get_u32(data + at) > size - at - 12)
        return false;
    *length = get_u32(data + at);
    return true;
}

/* Mutates the content of a chunk, selected by `choice`, in place. */
static void mutate_chunk(uint8_t *data, size_t size, unsigned choice)
{
    size_t picked = 0, picked_length = 0, length, count = 0;
    for (size_t at = 8; chunk_at(data, size, at, &length); at += 12 + length)
        if (choice % (unsigned)++count == 0) {
            picked = at;
            picked_length = length;
        }
    if (picked_length > 0)
        LLVMFuzzerMutate(data + picked + 8, picked_length, picked_length);
}

/*
 * Decompresses the pixel data, mutates it unless it is only to be recompressed, and compresses it.
 * Returns the new size.
 */
static size_t mutate_pixels(uint8_t *data, size_t size, size_t capacity, unsigned choice)
{
    enum { MOST = 1 << 16 };
    static uint8_t packed[2 * MOST], raw[MOST], rest[MOST];
    size_t first = 0, end = 0, count = 0, length;
    for (size_t at = 8; chunk_at(data, size, at, &length); at += 12 + length)
        if (memcmp(data + at + 4, "IDAT", 4) == 0 && count + length <= sizeof packed) {
            first = first ? first : at;
            memcpy(packed + count, data + at + 8, length);
            count += length;
            end = at + 12 + length;
        }
    uLongf raw_size = sizeof raw, packed_size = sizeof packed;
    if (first == 0 || size - end > MOST || uncompress(raw, &raw_size, packed, count) != Z_OK)
        return size;
    if (choice % 3 > 0)
        raw_size = LLVMFuzzerMutate(raw, raw_size, sizeof raw);
    if (compress2(packed, &packed_size, raw, raw_size, (int)(choice / 3 % 10)) != Z_OK ||
        first + 12 + packed_size + (size - end) > capacity)
        return size;
    memcpy(rest, data + end, size - end);
    put_u32(data + first, (uint32_t)packed_size);
    memcpy(data + first + 4, "IDAT", 4);
    memcpy(data + first + 8, packed, packed_size);
    memcpy(data + first + 12 + packed_size, rest, size - end);
    return first + 12 + packed_size + (size - end);
}

size_t fuzz_mutate_png(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    if (size < 33 || memcmp(data, SIGNATURE, 8) != 0)
        return LLVMFuzzerMutate(data, size, capacity);
    if (seed % 8 == 0) /* keep the wrong checksums */
        return LLVMFuzzerMutate(data, size, capacity);
    if (seed % 8 < 3)
        size = LLVMFuzzerMutate(data, size, capacity);
    else if (seed % 8 < 5)
        mutate_chunk(data, size, seed / 8);
    else
        size = mutate_pixels(data, size, capacity, seed / 8);
    size_t length;
    for (size_t at = 8; chunk_at(data, size, at, &length); at += 12 + length)
        put_u32(data + at + 8 + length, (uint32_t)crc32(0, data + at + 4, (uInt)(4 + length)));
    return size;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static void decode_array(const void *data, size_t size)
{
    DataArray array;
    Error error = {0};
    if (data_npy_decode(data, size, "input", &array, &error) != STATUS_OK)
        return;
    size_t count = 1;
    for (int d = 0; d < array.rank; d++)
        count *= array.shape[d];
    CHECK(array.count == count);
    fuzz_touch(array.values, count * sizeof *array.values);
    data_array_free(&array);
}

void fuzz_npy(const uint8_t *data, size_t size)
{
    decode_array(data, size);
}

/* The input is the dictionary of the header. Its last byte times eight is the size of the data. */
void fuzz_npy_header(const uint8_t *data, size_t size)
{
    enum { PREFIX = 10 };
    if (size == 0)
        return;
    const size_t bytes = (size_t)data[size - 1] * 8;
    uint8_t *file = calloc(1, PREFIX + size + bytes);
    CHECK(file);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (uint8_t)size;
    file[9] = (uint8_t)(size >> 8);
    memcpy(file + PREFIX, data, size);
    decode_array(file, PREFIX + size + bytes);
    free(file);
}

void fuzz_landmarks_file(const uint8_t *data, size_t size)
{
    fuzz_write("frame.npy", data, size);
    DataLandmarks landmarks;
    Error error = {0};
    if (data_landmarks_read("frame.png", &landmarks, &error) != STATUS_OK)
        return;
    CHECK(landmarks.count == 68 || landmarks.count == 81);
    for (int i = 0; i < landmarks.count; i++)
        CHECK(landmarks.x[i] >= -1e6F && landmarks.x[i] <= 1e6F && landmarks.y[i] >= -1e6F &&
              landmarks.y[i] <= 1e6F);
}

void fuzz_shape_predictor(const uint8_t *data, size_t size)
{
    fuzz_write("shape.dat", data, size);
    DataShapePredictor *trees;
    Error error = {0};
    if (data_shape_open(&trees, "shape.dat", &error) != STATUS_OK)
        return;
    enum { SIDE = 24 };
    static uint8_t pixels[3 * SIDE * SIDE];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = data[i % size];
    const DataImage image = {SIDE, SIDE, pixels};
    const DataBox boxes[] = {{2, 3, 20, 22}, {-90, -5, 400, 9}};
    int points[DATA_SHAPE_POINTS][2];
    CHECK(data_shape_count(trees) >= 2 && data_shape_count(trees) <= DATA_SHAPE_POINTS);
    for (int i = 0; i < 2; i++)
        CHECK(data_shape_find(trees, &image, &boxes[i], points, &error) == STATUS_OK);
    data_shape_close(trees);
}
