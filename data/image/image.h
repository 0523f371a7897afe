/*
 * image.h - 8-bit RGB images: decoding, encoding.
 *
 * What is wanted is what Pillow's Image.open(path).convert("RGB") yields, since every published
 * weight and figure of the method saw its pixels through that call. Where Pillow guesses (a damaged
 * file) or its versions disagree (16-bit grey), this module refuses with a clear error instead.
 */
#ifndef LNCLIP_DATA_IMAGE_IMAGE_H
#define LNCLIP_DATA_IMAGE_IMAGE_H

#include "tensor/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Pillow's limit against decompression bombs: twice its MAX_IMAGE_PIXELS. */
enum { DATA_MAX_PIXELS = 178956970 };

/* [height,width,3], row-major, owned by whoever holds the struct; {0} is the empty image. */
typedef struct DataImage {
    int width, height;
    uint8_t *pixels;
} DataImage;

/* Frees the pixels and empties the struct. An empty image is allowed. */
void data_image_free(DataImage *image);

/*
 * Allocates width x height pixels, uninitialised; what *image held before is not freed. Both sides
 * must be positive and within DATA_MAX_PIXELS. STATUS_FAILED without memory.
 */
Status data_image_create(DataImage *image, int width, int height, Error *error);

/*
 * Decodes a PNG, JPEG, BMP or binary PNM (by content, not by name) as Pillow's convert("RGB") does:
 * grey replicated, alpha dropped without blending, palette expanded, 16-bit colour cut to its high
 * byte, CMYK multiplied out, no EXIF rotation, no gamma. STATUS_FAILED, naming the file, for an
 * unreadable, truncated, damaged (every checksum is verified, and a warning of the JPEG library
 * counts as damage), empty or too large image, an unknown format, or 16-bit grey, which Pillow's
 * versions convert differently (see docs/formats.md). Sizes are judged by the header, before any
 * pixel is allocated. Thread-safe. *image is owned by the caller on success and empty on failure.
 */
Status data_image_read(const char *path, DataImage *image, Error *error);

/*
 * The same from memory; `name` stands for the file in messages. `bytes` is borrowed for the call.
 */
Status data_image_decode(const void *bytes, size_t size, const char *name, DataImage *image,
                         Error *error);

/*
 * What reading an image will take, judged by the header and the size of the file. decoding_bytes:
 * as data_image_decoding_bytes, with the coefficients that the JPEG library keeps of a progressive
 * file.
 */
typedef struct DataImageHeader {
    int width, height;
    size_t decoding_bytes;
} DataImageHeader;

/* Fills *header as data_image_size would; damage behind the header is not looked for. */
Status data_image_header(const char *path, DataImageHeader *header, Error *error);

/* Only the size, from the header; damage behind it is not looked for. */
Status data_image_size(const char *path, int *width, int *height, Error *error);

/*
 * Bytes that reading an RGB image of that size takes beside its pixels: the file, taken for as
 * large as these, and in builds with libpng and libdeflate the unpacked data of a PNG.
 */
size_t data_image_decoding_bytes(int width, int height);

/*
 * Names and versions of the decoders in this build, e.g. "libpng 1.6.39, libjpeg-turbo 2.1.5,
 * stb_image 2.27". A static string.
 */
const char *data_image_decoders(void);

/*
 * Writes a PNG (8-bit RGB), atomically: no metadata and fixed settings, so equal pixels give equal
 * bytes under one version of libpng and zlib. A build without libpng fails with a clear error.
 */
Status data_image_write_png(const DataImage *image, const char *path, Error *error);

/*
 * Writes a JPEG at `quality` 1..100, atomically: chroma 4:2:0 and the library's default tables. A
 * build without libjpeg fails with a clear error.
 */
Status data_image_write_jpeg(const DataImage *image, const char *path, int quality, Error *error);

/*
 * The same bytes in memory: *bytes [*size] is the caller's to free(), NULL on failure. No file is
 * named in messages.
 */
Status data_image_encode_jpeg(const DataImage *image, int quality, unsigned char **bytes,
                              size_t *size, Error *error);

/*
 * JPEG in memory at `quality` 1..100 and back: chroma 4:2:0, the library's default tables and
 * transforms, as Pillow's save(quality=q) and load. In place. A build without libjpeg fails with a
 * clear error.
 */
Status data_image_jpeg_roundtrip(DataImage *image, int quality, Error *error);

#endif
