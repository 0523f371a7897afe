/*
 * decode_png.c - PNG by libpng: every checksum is verified, and every warning about pixels is an
 * error.
 *
 * libpng converts to 8-bit samples in Pillow's way: 16-bit samples lose their low byte, small grey
 * depths are scaled, alpha is dropped. Ancillary chunks (gamma, profiles, transparency, text) do
 * not change Pillow's pixels, so they are skipped after their CRC was checked. libdeflate, if
 * available, decompresses the data first.
 */
#include "data/image/decode_private.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#if LNCLIP_WITH_PNG

#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if LNCLIP_WITH_DEFLATE
#include <libdeflate.h>
#endif

/* ---- pixel data decompressed by libdeflate --------------------------------------------------- */

/*
 * Decompression takes half of libpng's time, and libdeflate is more than twice as fast as zlib; but
 * libpng supports only zlib. So libpng is given the same file with its pixel data stored instead of
 * compressed: DEFLATE has stored blocks, which zlib merely copies. libpng still reads the image.
 * This code reads only the sizes in the header and the framing of the chunks, and rewrites the file
 * only if all of them are valid. Otherwise libpng gets the original file and reports the problem.
 */
#if LNCLIP_WITH_DEFLATE

enum {
    SIGNATURE = 8,          /* bytes before the first chunk */
    FRAME = 12,             /* bytes of a chunk without its content: length, type, CRC */
    BLOCK = 65535,          /* largest stored block, in bytes */
    BLOCK_HEADER = 5,       /* "last" flag, length, its complement */
    ZLIB_FRAME = 2 + 4,     /* header, Adler-32 */
    MAX_RAW = 32 << 20,     /* larger images use zlib: slower, but without twice the memory */
    STORED_HEADER = 0x7801, /* start of a zlib stream: window of 32 KiB, fastest */
};

/* The consecutive IDAT chunks: bytes `begin` to before `end` of the file. */
typedef struct PixelData {
    size_t begin, end;
    size_t size;                  /* bytes of content */
    const unsigned char *content; /* set if there is only one chunk; else NULL */
} PixelData;

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static unsigned char *put_big_endian(unsigned char *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *out++ = (unsigned char)(value >> shift);
    return out;
}

/* True if a complete chunk begins at `at`. */
static bool has_chunk(const DataSource *source, size_t at)
{
    return source->size - at >= FRAME &&
           big_endian(source->bytes + at) <= source->size - at - FRAME;
}

static bool is_chunk(const DataSource *source, size_t at, const char *type)
{
    return memcmp(source->bytes + at + 4, type, 4) == 0;
}

/*
 * Bytes of the decompressed pixel data, including one filter byte per row. 0 if libpng must read
 * the original file.
 */
static size_t raw_size(const DataSource *source)
{
    static const unsigned char CHANNELS[7] = {1, 0, 3, 1, 2, 0, 4}; /* channels per colour type */
    if (source->size < SIGNATURE || !has_chunk(source, SIGNATURE) ||
        big_endian(source->bytes + SIGNATURE) != 13 || !is_chunk(source, SIGNATURE, "IHDR"))
        return 0;
    const unsigned char *header = source->bytes + SIGNATURE + 8;
    const uint32_t width = big_endian(header), height = big_endian(header + 4);
    const unsigned depth = header[8], color_type = header[9];
    const bool interlaced = header[12] != 0;
    if (color_type >= sizeof CHANNELS || depth > 16 || interlaced)
        return 0;
    const uint64_t row = ((uint64_t)width * CHANNELS[color_type] * depth + 7) / 8 + 1;
    return row <= MAX_RAW && height <= MAX_RAW / row ? (size_t)row * height : 0;
}

/*
 * Finds the IDAT chunks; false if there are none or a CRC is wrong. Other chunks are not examined.
 */
static bool find_pixel_data(const DataSource *source, PixelData *data)
{
    size_t at = SIGNATURE;
    while (has_chunk(source, at) && !is_chunk(source, at, "IDAT"))
        at += FRAME + big_endian(source->bytes + at);
    *data = (PixelData){.begin = at};
    for (int chunks = 0; has_chunk(source, at) && is_chunk(source, at, "IDAT"); chunks++) {
        const unsigned char *chunk = source->bytes + at;
        const size_t length = big_endian(chunk);
        if (libdeflate_crc32(0, chunk + 4, length + 4) != big_endian(chunk + 8 + length))
            return false;
        data->content = chunks == 0 ? chunk + 8 : NULL;
        data->size += length;
        at += FRAME + length;
    }
    data->end = at;
    return data->size > 0;
}

/* The concatenated content of the IDAT chunks, in new memory; NULL when out of memory. */
static unsigned char *join(const DataSource *source, const PixelData *data)
{
    unsigned char *joined = malloc(data->size), *out = joined;
    for (size_t at = data->begin; joined && at < data->end;) {
        const size_t length = big_endian(source->bytes + at);
        memcpy(out, source->bytes + at + 8, length);
        out += length;
        at += FRAME + length;
    }
    return joined;
}

/*
 * Decompresses the entire zlib stream into raw [size]; false if its Adler-32 is wrong or data
 * follow it.
 */
static bool unpack(const DataSource *source, const PixelData *data, unsigned char *raw, size_t size)
{
    unsigned char *joined = data->content ? NULL : join(source, data);
    const unsigned char *packed = data->content ? data->content : joined;
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    size_t used = 0;
    const bool unpacked = packed && decompressor &&
                          libdeflate_zlib_decompress_ex(decompressor, packed, data->size, raw, size,
                                                        &used, NULL) == LIBDEFLATE_SUCCESS;
    libdeflate_free_decompressor(decompressor);
    free(joined);
    return unpacked && used == data->size;
}

/*
 * Writes raw [size] as stored blocks to `out` and returns their end. `raw` may follow `out` in the
 * same memory, at a distance of all block headers, so that no block overwrites unmoved bytes.
 */
static unsigned char *store(unsigned char *out, const unsigned char *raw, size_t size)
{
    for (size_t done = 0; done < size;) {
        const size_t length = size - done < BLOCK ? size - done : BLOCK;
        *out++ = done + length == size;
        *out++ = (unsigned char)length;
        *out++ = (unsigned char)(length >> 8);
        *out++ = (unsigned char)~length;
        *out++ = (unsigned char)(~length >> 8);
        memmove(out, raw + done, length);
        out += length;
        done += length;
    }
    return out;
}

bool data_png_stored(const DataSource *source, DataSource *stored)
{
    PixelData data;
    const size_t raw_bytes = raw_size(source);
    if (raw_bytes == 0 || !find_pixel_data(source, &data))
        return false;
    const size_t headers = ceil_div(raw_bytes, BLOCK) * BLOCK_HEADER;
    const size_t length = ZLIB_FRAME + headers + raw_bytes;
    const size_t after = source->size - data.end;
    unsigned char *bytes = malloc(data.begin + FRAME + length + after);
    if (!bytes)
        return false;
    unsigned char *chunk = bytes + data.begin, *raw = chunk + 10 + headers;
    if (!unpack(source, &data, raw, raw_bytes)) {
        free(bytes);
        return false;
    }
    const uint32_t adler = libdeflate_adler32(1, raw, raw_bytes);

    memcpy(bytes, source->bytes, data.begin);
    put_big_endian(chunk, (uint32_t)length);
    memcpy(chunk + 4, "IDAT", 4);
    chunk[8] = STORED_HEADER >> 8;
    chunk[9] = STORED_HEADER & 0xff;
    unsigned char *out = store(chunk + 10, raw, raw_bytes);
    out = put_big_endian(out, adler);
    out = put_big_endian(out, libdeflate_crc32(0, chunk + 4, length + 4));
    memcpy(out, source->bytes + data.end, after);
    *stored = (DataSource){.bytes = bytes, .size = out - bytes + after, .name = source->name};
    return true;
}

#endif

/* ---- reading by libpng ----------------------------------------------------------------------- */

typedef struct PngReader {
    const DataSource *source;
    size_t position;
    png_structp png;
    png_infop info;
    bool stored;    /* the pixel data were decompressed and verified: see data_png_stored */
    bool no_memory; /* an allocation of the library failed */
    char reason[128];
} PngReader;

static void on_error(png_structp png, png_const_charp message)
{
    PngReader *reader = png_get_error_ptr(png);
    snprintf(reader->reason, sizeof reader->reason, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message; /* concerns only metadata: for pixels it is an error, see set_rules */
}

static void read_bytes(png_structp png, png_bytep target, size_t size)
{
    PngReader *reader = png_get_io_ptr(png);
    if (size > reader->source->size - reader->position)
        png_error(png, "the file ends too early");
    memcpy(target, reader->source->bytes + reader->position, size);
    reader->position += size;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    PngReader *reader = png_get_mem_ptr(png);
    void *block = malloc(size);
    reader->no_memory = reader->no_memory || !block;
    return block;
}

static void release(png_structp png, png_voidp block)
{
    (void)png;
    free(block);
}

static void set_rules(const PngReader *reader)
{
    png_structp const png = reader->png;
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 0); /* else a wrong Adler-32 or missing rows count as benign */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* all ancillary chunks */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tRNS", 1);
    /* the limits are in data_decode_begin */
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    if (reader->stored)
        /* already verified on the original */
        png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
}

/* Requests 8-bit RGB rows, or 8-bit palette indices. */
static void set_conversion(PngReader *reader, int color_type)
{
    if (color_type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(reader->png);
        return;
    }
    png_set_expand_gray_1_2_4_to_8(reader->png);
    png_set_strip_16(reader->png);
    png_set_strip_alpha(reader->png);
    if (!(color_type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(reader->png);
}

/*
 * Replaces indices by colours. The indices of row y are in the last third of the row, so that the
 * colour of pixel x never overwrites an index not read yet.
 */
static Status expand_palette(const PngReader *reader, DataImage *image, Error *error)
{
    png_colorp palette = NULL;
    int colors = 0;
    png_get_PLTE(reader->png, reader->info, &palette, &colors);
    const size_t width = image->width;
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + y * width * 3;
        for (size_t x = 0; x < width; x++) {
            const int index = row[2 * width + x];
            if (index >= colors)
                return data_decode_damaged(reader->source, "PNG", "a colour is not in the palette",
                                           error);
            row[3 * x] = palette[index].red;
            row[3 * x + 1] = palette[index].green;
            row[3 * x + 2] = palette[index].blue;
        }
    }
    return STATUS_OK;
}

/* Contains all calls that may longjmp. Values that must survive the jump are behind pointers. */
static Status read_image(PngReader *reader, DataExtent extent, DataImage *image, Error *error)
{
    if (setjmp(png_jmpbuf(reader->png)))
        return reader->no_memory
                   ? mem_full(0, reader->source->name, error)
                   : data_decode_damaged(reader->source, "PNG", reader->reason, error);
    png_structp const png = reader->png;
    reader->info = png_create_info_struct(png);
    if (!reader->info)
        return mem_full(0, reader->source->name, error);
    png_set_read_fn(png, reader, read_bytes);
    set_rules(reader);
    png_read_info(png, reader->info);
    const int color_type = png_get_color_type(png, reader->info);
    if (color_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, reader->info) == 16)
        return data_decode_grey16(reader->source, error);
    TRY(data_decode_begin(reader->source, png_get_image_width(png, reader->info),
                          png_get_image_height(png, reader->info), extent, image, error));
    if (extent == DATA_EXTENT_SIZE)
        return STATUS_OK;

    set_conversion(reader, color_type);
    const int passes = png_set_interlace_handling(png);
    png_start_read_image(png);
    const bool indexed = color_type == PNG_COLOR_TYPE_PALETTE;
    const size_t stride = (size_t)image->width * 3;
    const size_t offset = indexed ? stride / 3 * 2 : 0;
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < image->height; y++)
            png_read_row(png, image->pixels + y * stride + offset, NULL);
    }
    png_read_end(png, NULL);
    return indexed ? expand_palette(reader, image, error) : STATUS_OK;
}

Status data_decode_png(const DataSource *source, DataExtent extent, DataImage *image, Error *error)
{
    DataSource stored = {0};
    PngReader reader = {.source = source};
    if (LNCLIP_WITH_DEFLATE && extent == DATA_EXTENT_PIXELS && data_png_stored(source, &stored)) {
        reader.source = &stored;
        reader.stored = true;
    }
    /* On an error this returns NULL: the library uses its own jump here. */
    reader.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning,
                                          &reader, allocate, release);
    const Status status =
        reader.png ? read_image(&reader, extent, image, error) : mem_full(0, source->name, error);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    free((void *)stored.bytes);
    return status;
}

#endif
