/*
 * decode_stb.c - BMP and binary PNM by stb_image; also PNG or JPEG in builds without their
 * libraries.
 *
 * stb_image reads zeros beyond the end of a truncated file, so every byte goes through a callback
 * that detects the end. Formats whose damage, or whose difference from Pillow, cannot be detected
 * even so are not supported: TGA (no signature), GIF, PSD, palette BMP (indices are not checked),
 * PNM other than 8-bit. As a replacement of libpng it checks no CRC; as a replacement of libjpeg
 * its pixels differ from Pillow's by a few units.
 *
 * stb_image is instantiated here as static: the library exports none of its symbols.
 */
#include "data/image/decode_private.h"
#include "tensor/base/mem.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_BMP
#define STBI_ONLY_PNM
#if !LNCLIP_WITH_PNG
#define STBI_ONLY_PNG
#endif
#if !LNCLIP_WITH_JPEG
#define STBI_ONLY_JPEG
#endif
#define STBI_MAX_DIMENSIONS 178956970 /* DATA_MAX_PIXELS; the product is checked below */
/*
 * For disabled formats it declares static functions without defining them; gcc reports that at the
 * end of the file.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>

_Static_assert(STBI_MAX_DIMENSIONS == DATA_MAX_PIXELS,
               "stb_image and the decoders share one limit");

typedef struct StbReader {
    const DataSource *source;
    size_t position;
    char *buffer; /* stb_image's read-ahead buffer: the first address it asks us to fill */
    bool ended;   /* a byte beyond the end was requested */
} StbReader;

/*
 * stb_image fills its read-ahead buffer speculatively, so a short read there means nothing until
 * the next request; bytes requested for any other address are pixels.
 */
static int read_bytes(void *user, char *target, int wanted)
{
    StbReader *reader = user;
    if (!reader->buffer)
        reader->buffer = target;
    const size_t left = reader->source->size - reader->position;
    const size_t given = (size_t)wanted < left ? (size_t)wanted : left;
    memcpy(target, reader->source->bytes + reader->position, given);
    reader->position += given;
    if (given == 0 || (given < (size_t)wanted && target != reader->buffer))
        reader->ended = true;
    return (int)given;
}

static void skip_bytes(void *user, int count)
{
    StbReader *reader = user;
    const size_t left = reader->source->size - reader->position;
    if (count > 0 && (size_t)count > left)
        reader->ended = true;
    reader->position += count > 0 && (size_t)count < left ? (size_t)count : left;
}

static int at_end(void *user)
{
    const StbReader *reader = user;
    return reader->position >= reader->source->size;
}

/* Bits per pixel of a BMP, with a 12-byte OS/2 header or a Windows header of 40 or more bytes. */
static int bmp_depth(const DataSource *source)
{
    if (source->size < 30)
        return 0;
    const unsigned char *const field = source->bytes + (source->bytes[14] == 12 ? 24 : 28);
    return field[0] | field[1] << 8;
}

/*
 * True if a BMP is compressed or its compression is invalid; stb_image reads that number as signed.
 */
static bool bmp_is_compressed(const DataSource *source)
{
    const unsigned char *const field = source->bytes + 30;
    if (source->bytes[14] == 12) /* a 12-byte header has no such field */
        return false;
    return source->size < 34 || (field[0] != 0 && field[0] != 3) || field[1] || field[2] ||
           field[3];
}

static bool is_blank(unsigned char c)
{
    return c != '\0' && strchr(" \t\n\v\f\r", c);
}

/*
 * The largest sample value of a PNM: its third number after "P5" or "P6". 0 if it is missing, or if
 * something other than a blank separates the numbers: stb_image skips any byte there.
 */
static int pnm_maximum(const DataSource *source)
{
    size_t i = 2;
    int value = 0;
    if (source->size <= i || !is_blank(source->bytes[i]))
        return 0;
    for (int number = 0; number < 3; number++) {
        bool comment = false;
        for (; i < source->size; i++) {
            const unsigned char c = source->bytes[i];
            comment = c != '\n' && c != '\r' && (comment || c == '#');
            if (!comment && c >= '0' && c <= '9')
                break;
            if (!comment && !is_blank(c))
                return 0;
        }
        const size_t start = i;
        value = 0;
        for (; i < source->size && source->bytes[i] >= '0' && source->bytes[i] <= '9'; i++) {
            if (i - start >= 9) /* ten digits overflow in stb_image's reader of numbers */
                return 0;
            value = value * 10 + (source->bytes[i] - '0');
        }
        if (i >= source->size || !is_blank(source->bytes[i]))
            return 0;
    }
    return value;
}

/* Refuses unsupported variants of BMP and PNM. */
static Status check_variant(const DataSource *source, Error *error)
{
    if (source->bytes[0] == 'B' && bmp_depth(source) != 24 && bmp_depth(source) != 32)
        return error_set(error, STATUS_FAILED,
                         "%s: not a 24-bit or 32-bit BMP; save the image as PNG", source->name);
    if (source->bytes[0] == 'B' && bmp_is_compressed(source))
        return error_set(error, STATUS_FAILED, "%s: a compressed BMP; save the image as PNG",
                         source->name);
    if (source->bytes[0] == 'P' && pnm_maximum(source) != 255)
        return error_set(error, STATUS_FAILED,
                         "%s: not an 8-bit binary PNM (largest value 255); save the image as PNG",
                         source->name);
    return STATUS_OK;
}

static Status load_pixels(const DataSource *source, DataImage *image, Error *error)
{
    const stbi_io_callbacks callbacks = {.read = read_bytes, .skip = skip_bytes, .eof = at_end};
    StbReader reader = {.source = source};
    int width, height, components;
    image->pixels = stbi_load_from_callbacks(&callbacks, &reader, &width, &height, &components, 3);
    if (!image->pixels && strcmp(stbi_failure_reason(), "outofmem") == 0)
        return mem_full(0, source->name, error);
    if (!image->pixels)
        return data_decode_damaged(source, "image", stbi_failure_reason(), error);
    if (reader.ended)
        return data_decode_damaged(source, "image", "the file ends too early", error);
    if (width != image->width || height != image->height)
        return data_decode_damaged(source, "image", "its header contradicts itself", error);
    return STATUS_OK;
}

Status data_decode_stb(const DataSource *source, DataExtent extent, DataImage *image, Error *error)
{
    TRY(check_variant(source, error));
    if (source->size > INT_MAX)
        return data_decode_damaged(source, "image", "2 GiB or larger", error);
    int width, height, components;
    if (!stbi_info_from_memory(source->bytes, (int)source->size, &width, &height, &components))
        return data_decode_damaged(source, "image", stbi_failure_reason(), error);
    if (components < 3 && stbi_is_16_bit_from_memory(source->bytes, (int)source->size))
        return data_decode_grey16(source, error);
    if (width < 0 || height < 0)
        return data_decode_damaged(source, "image", "negative size", error);
    TRY(data_decode_begin(source, (unsigned long)width, (unsigned long)height, DATA_EXTENT_SIZE,
                          image, error));
    return extent == DATA_EXTENT_SIZE ? STATUS_OK : load_pixels(source, image, error);
}
