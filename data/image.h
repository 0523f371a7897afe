/*
 * image.h - 8-bit RGB images: decoding, encoding.
 */
#ifndef LNCLIP_DATA_IMAGE_H
#define LNCLIP_DATA_IMAGE_H

#include "tensor/error.h"

#include <stddef.h>
#include <stdint.h>

/* Pillow's limit against decompression bombs: twice its MAX_IMAGE_PIXELS. */
enum { DATA_MAX_PIXELS = 178956970 };

/* [height,width,3], row-major, owned by whoever holds the struct; {0} is the empty image. */
typedef struct DataImage {
    int width, height;
    uint8_t *pixels;
} DataImage;

void data_image_free(DataImage *image);

/* Allocates width x height pixels, uninitialised. STATUS_FAILED without memory. */
Status data_image_create(DataImage *image, int width, int height, Error *error);

/*
 * Decodes a PNG or JPEG (by content, not by name), and what stb_image reads of BMP, TGA, GIF, PNM, PSD,
 * as Pillow's Image.open(path).convert("RGB") does: grey replicated, alpha dropped, palette expanded, no EXIF
 * rotation. STATUS_FAILED, naming the file, for an unreadable, truncated, corrupt (checksums included),
 * empty or too large image, or one whose conversion differs between libraries (16-bit grey, CMYK:
 * see docs/formats.md). Thread-safe. *image is owned by the caller on success and empty on failure.
 */
Status data_image_read(const char *path, DataImage *image, Error *error);

/* The same from memory; `name` stands for the file in messages. */
Status data_image_decode(const void *bytes, size_t size, const char *name, DataImage *image,
                         Error *error);

/* Only the size, from the header. */
Status data_image_size(const char *path, int *width, int *height, Error *error);

/* Names and versions of the decoders in this build, e.g. "libpng 1.6.39, libjpeg-turbo 2.1.5, stb_image 2.27". */
const char *data_image_decoders(void);

/* Writes a PNG (8-bit RGB), atomically. */
Status data_image_write_png(const DataImage *image, const char *path, Error *error);

/*
 * JPEG in memory at `quality` 1..100 and back: chroma 4:2:0, the library's default tables and
 * transforms, as Pillow's save(quality=q) and load. In place.
 */
Status data_image_jpeg_roundtrip(DataImage *image, int quality, Error *error);

#endif
