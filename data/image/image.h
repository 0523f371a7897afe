/*
 * image.h - 8-bit RGB images: decoding and encoding.
 *
 * Decoding yields the pixels of Pillow's Image.open(path).convert("RGB"), because every published
 * weight and result of the method saw its images through that call. Where Pillow guesses (damaged
 * files) or its versions disagree (16-bit grey), this module returns a clear error instead.
 *
 * Tests: tests/test_image.c.
 */
#ifndef LNCLIP_DATA_IMAGE_IMAGE_H
#define LNCLIP_DATA_IMAGE_IMAGE_H

#include "tensor/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Pillow's limit against decompression bombs: twice its MAX_IMAGE_PIXELS. */
enum { DATA_MAX_PIXELS = 178956970 };

/*
 * [height,width,3], row-major. The pixels are owned by the holder of the struct; {0} is the empty
 * image.
 */
typedef struct DataImage {
    int width, height;
    uint8_t *pixels;
} DataImage;

/* Frees the pixels and empties the struct. An empty image is allowed. */
void data_image_free(DataImage *image);

/*
 * Allocates width x height pixels, uninitialised; the previous pixels of *image are not freed. Both
 * sides must be positive and within DATA_MAX_PIXELS. STATUS_FAILED when out of memory.
 */
Status data_image_create(DataImage *image, int width, int height, Error *error);

/*
 * Decodes a PNG, JPEG, BMP or binary PNM (by content, not by name) as Pillow's convert("RGB") does:
 * grey replicated, alpha dropped without blending, palette expanded, 16-bit colour reduced to its
 * high byte, CMYK multiplied out, no EXIF rotation, no gamma. STATUS_FAILED, naming the file, for
 * an unreadable, truncated, damaged, empty or too large image, an unknown format, or 16-bit grey,
 * which Pillow's versions convert differently (see docs/formats.md). Every checksum is verified,
 * and a warning of the JPEG library counts as damage. Sizes are checked in the header, before any
 * pixel is allocated. *image is owned by the caller on success and empty on failure. Thread-safe.
 */
Status data_image_read(const char *path, DataImage *image, Error *error);

/*
 * As data_image_read, from memory; `name` replaces the path in messages. `bytes` is borrowed for
 * the call.
 */
Status data_image_decode(const void *bytes, size_t size, const char *name, DataImage *image,
                         Error *error);

/*
 * The memory that reading an image needs, computed from its header and the size of the file.
 * decoding_bytes is data_image_decoding_bytes, plus the coefficients that the JPEG library keeps
 * for a progressive file.
 */
typedef struct DataImageHeader {
    int width, height;
    size_t decoding_bytes;
} DataImageHeader;

/*
 * Fills *header from the file's header; damage behind it is not detected. Fails as data_image_read
 * does. Thread-safe.
 */
Status data_image_header(const char *path, DataImageHeader *header, Error *error);

/*
 * Reads width and height, in pixels, from the header; damage behind it is not detected. Fails as
 * data_image_read does. Thread-safe.
 */
Status data_image_size(const char *path, int *width, int *height, Error *error);

/*
 * Bytes needed to read an RGB image of that size, in addition to its pixels: the file, assumed to
 * be as large as the pixels, and in builds with libpng and libdeflate the decompressed data of a
 * PNG.
 */
size_t data_image_decoding_bytes(int width, int height);

/*
 * Names and versions of the decoders in this build, e.g. "libpng 1.6.39, libjpeg-turbo 2.1.5,
 * stb_image 2.27". A static string.
 */
const char *data_image_decoders(void);

/*
 * Writes a PNG (8-bit RGB), atomically. It has no metadata and fixed settings, so equal pixels give
 * equal bytes under one version of libpng and zlib. STATUS_FAILED if the file cannot be written,
 * when out of memory, or in a build without libpng. Thread-safe.
 */
Status data_image_write_png(const DataImage *image, const char *path, Error *error);

/*
 * Writes a JPEG at `quality` 1..100, atomically, with chroma 4:2:0 and the library's default
 * tables. STATUS_FAILED if the file cannot be written, when out of memory, or in a build without
 * libjpeg. Thread-safe.
 */
Status data_image_write_jpeg(const DataImage *image, const char *path, int quality, Error *error);

/*
 * As data_image_write_jpeg, into memory: *bytes [*size] is owned by the caller (free), NULL on
 * failure. Messages name no file.
 */
Status data_image_encode_jpeg(const DataImage *image, int quality, unsigned char **bytes,
                              size_t *size, Error *error);

/*
 * Compresses to JPEG in memory at `quality` 1..100 and decodes it again, in place: chroma 4:2:0,
 * the library's default tables and transforms, as Pillow's save(quality=q) and load. STATUS_FAILED
 * when out of memory or in a build without libjpeg. Thread-safe.
 */
Status data_image_jpeg_roundtrip(DataImage *image, int quality, Error *error);

#endif
