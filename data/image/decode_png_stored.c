/*
 * decode_png_stored.c - a PNG's pixel data unpacked by libdeflate before libpng reads the file.
 *
 * Inflating takes half of libpng's time, and libdeflate does it more than twice as fast as zlib; but libpng knows
 * zlib only. So it is given the same file with its pixel data stored instead of compressed: the DEFLATE format
 * has blocks for that, which zlib merely copies. Reading the image stays libpng's work. This file looks at nothing
 * but the header's sizes and the frames of the chunks, and it answers only where every check of theirs
 * passed: on any doubt libpng gets the file as it is, and finds the words for what is wrong with it.
 */
#include "data/image/decode_private.h"

#if LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIGNATURE = 8,          /* bytes before the first chunk */
    FRAME = 12,             /* of a chunk: length, type, CRC */
    BLOCK = 65535,          /* bytes of a stored block at most */
    BLOCK_HEADER = 5,       /* "last" flag, length, its complement */
    ZLIB_FRAME = 2 + 4,     /* header, Adler-32 */
    MAX_RAW = 32 << 20,     /* larger images take longer than they have to, and no memory twice */
    STORED_HEADER = 0x7801, /* of a zlib stream: window of 32 KiB, fastest */
};

/* The run of IDAT chunks, which begins at `begin` and ends before `end`. */
typedef struct PixelData {
    size_t begin, end;
    size_t size;                  /* bytes of content */
    const unsigned char *content; /* where there is one chunk only; else NULL */
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

/* Whether a whole chunk begins at `at`. */
static bool has_chunk(const DataSource *source, size_t at)
{
    return source->size - at >= FRAME &&
           big_endian(source->bytes + at) <= source->size - at - FRAME;
}

static bool is_chunk(const DataSource *source, size_t at, const char *type)
{
    return memcmp(source->bytes + at + 4, type, 4) == 0;
}

/* Bytes of the unpacked pixel data: every row has one before it, its filter. 0 for what is left to libpng. */
static size_t raw_size(const DataSource *source)
{
    static const unsigned char CHANNELS[7] = {1, 0, 3, 1, 2, 0, 4}; /* by colour type */
    if (source->size < SIGNATURE || !has_chunk(source, SIGNATURE) ||
        big_endian(source->bytes + SIGNATURE) != 13 || !is_chunk(source, SIGNATURE, "IHDR"))
        return 0;
    const unsigned char *const header = source->bytes + SIGNATURE + 8;
    const uint32_t width = big_endian(header), height = big_endian(header + 4);
    const unsigned depth = header[8], color_type = header[9];
    const bool interlaced = header[12] != 0;
    if (color_type >= sizeof CHANNELS || depth > 16 || interlaced)
        return 0;
    const uint64_t row = ((uint64_t)width * CHANNELS[color_type] * depth + 7) / 8 + 1;
    return row <= MAX_RAW && height <= MAX_RAW / row ? (size_t)row * height : 0;
}

/* False if there is none, or a CRC is wrong. Chunks before and after are not looked into. */
static bool find_pixel_data(const DataSource *source, PixelData *data)
{
    size_t at = SIGNATURE;
    while (has_chunk(source, at) && !is_chunk(source, at, "IDAT"))
        at += FRAME + (size_t)big_endian(source->bytes + at);
    *data = (PixelData){.begin = at};
    for (int chunks = 0; has_chunk(source, at) && is_chunk(source, at, "IDAT"); chunks++) {
        const unsigned char *const chunk = source->bytes + at;
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

/* The content of the run's chunks, one after the other, in new memory; NULL without. */
static unsigned char *join(const DataSource *source, const PixelData *data)
{
    unsigned char *const joined = malloc(data->size), *out = joined;
    for (size_t at = data->begin; joined && at < data->end;) {
        const size_t length = big_endian(source->bytes + at);
        memcpy(out, source->bytes + at + 8, length);
        out += length;
        at += FRAME + length;
    }
    return joined;
}

/* raw [size] = the whole zlib stream, whose Adler-32 is right and after which nothing follows. */
static bool unpack(const DataSource *source, const PixelData *data, unsigned char *raw, size_t size)
{
    unsigned char *const joined = data->content ? NULL : join(source, data);
    const unsigned char *const packed = data->content ? data->content : joined;
    struct libdeflate_decompressor *const decompressor = libdeflate_alloc_decompressor();
    size_t used = 0;
    const bool unpacked = packed && decompressor &&
                          libdeflate_zlib_decompress_ex(decompressor, packed, data->size, raw, size,
                                                        &used, NULL) == LIBDEFLATE_SUCCESS;
    libdeflate_free_decompressor(decompressor);
    free(joined);
    return unpacked && used == data->size;
}

/*
 * Cuts raw [size] into stored blocks that begin at `out`, and returns their end. `raw` may lie behind `out` in
 * the same memory, by as much as all headers take: then no block reaches bytes not moved yet.
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
    const size_t headers = (raw_bytes + BLOCK - 1) / BLOCK * BLOCK_HEADER;
    const size_t length = ZLIB_FRAME + headers + raw_bytes;
    const size_t after = source->size - data.end;
    unsigned char *const bytes = malloc(data.begin + FRAME + length + after);
    if (!bytes)
        return false;
    unsigned char *const chunk = bytes + data.begin, *const raw = chunk + 10 + headers;
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
    *stored =
        (DataSource){.bytes = bytes, .size = (size_t)(out - bytes) + after, .name = source->name};
    return true;
}

#endif
