/*
 * support_image.c - see support_image.h.
 */
#include "tests/support_image.h"

#include "tensor/base/file.h"
#include "tests/support.h"

void support_pattern(DataImage *image, int width, int height)
{
    Error error = {0};
    ck_ok(data_image_create(image, width, height, &error), &error);
    uint8_t *out = image->pixels;
    for (uint32_t y = 0; y < (uint32_t)height; y++) {
        for (uint32_t x = 0; x < (uint32_t)width; x++) {
            for (uint32_t c = 0; c < 3; c++) {
                uint32_t value = x * 5 + y * 3 + c * 40 + ((x * y) >> 4);
                if ((width + height) % 2 != 0) {
                    value = (x * 73856093u) ^ (y * 19349663u) ^ (c * 83492791u);
                    value ^= value >> 13;
                    value *= 1274126177u;
                    value >>= 16;
                }
                *out++ = (uint8_t)value;
            }
        }
    }
}

void support_write_image(const char *path, const DataImage *image)
{
    Error error = {0};
    FileWriter writer;
    if (LNCLIP_WITH_PNG) {
        ck_ok(data_image_write_png(image, path, &error), &error);
        return;
    }
    ck_ok(file_begin(&writer, path, &error), &error);
    fprintf(writer.stream, "P6 %d %d 255\n", image->width, image->height);
    fwrite(image->pixels, 3, (size_t)image->width * (size_t)image->height, writer.stream);
    ck_ok(file_commit(&writer, &error), &error);
}

uint32_t support_crc32(const void *bytes, size_t size)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    uint32_t crc = 0xFFFFFFFFu;
    for (const uint8_t *byte = bytes; size > 0; size--, byte++)
        crc = (crc >> 8) ^ table[(crc ^ *byte) & 255];
    return crc ^ 0xFFFFFFFFu;
}

void support_write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    Error error = {0};
    char path[FILE_PATH_SIZE];
    ck_ok(file_join(path, folder, name, &error), &error);
    char parent[FILE_PATH_SIZE];
    snprintf(parent, sizeof parent, "%.*s", (int)(file_name(path) - path), path);
    ck_ok(file_make_folders(parent, &error), &error);
    FILE *const file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}
