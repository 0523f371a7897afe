/*
 * decode_private.h - the interface between image.c and its decoders; private to data/.
 *
 * One file per library: each turns the library's way of failing (longjmp, NULL, warnings) into a
 * Status with one form of message. A decoder fills *image; on failure the caller frees it.
 *
 * Tests: tests/test_image.c.
 */
#ifndef LNCLIP_DATA_IMAGE_DECODE_PRIVATE_H
#define LNCLIP_DATA_IMAGE_DECODE_PRIVATE_H

#include "data/image/image.h"

#include <stdbool.h>

/* An encoded file in memory, borrowed. */
typedef struct DataSource {
    const unsigned char *bytes;
    size_t size;
    const char *name; /* the path, for messages */
} DataSource;

/* How much of an image to decode. */
typedef enum DataExtent {
    DATA_EXTENT_SIZE,   /* width and height; pixels stay NULL */
    DATA_EXTENT_PIXELS, /* everything */
} DataExtent;

typedef Status DataDecoder(const DataSource *source, DataExtent extent, DataImage *image,
                           Error *error);

/* decode_png.c and decode_jpeg.c: only in builds with their library. decode_stb.c: always. */
DataDecoder data_decode_png, data_decode_jpeg, data_decode_stb;

/*
 * Sets image->width and height if they are within the limits, and allocates the pixels if `extent`
 * asks for them. Every decoder calls it as soon as it knows the size. STATUS_FAILED, naming the
 * source, for an empty or too large image, or when out of memory.
 */
Status data_decode_begin(const DataSource *source, unsigned long width, unsigned long height,
                         DataExtent extent, DataImage *image, Error *error);

/*
 * Sets the error for a damaged file and returns STATUS_FAILED; `format` is "PNG" or similar,
 * `reason` the library's message.
 */
Status data_decode_damaged(const DataSource *source, const char *format, const char *reason,
                           Error *error);

/* Sets the error for 16-bit grey and returns STATUS_FAILED. */
Status data_decode_grey16(const DataSource *source, Error *error);

/*
 * For tests; used by decode_png.c in builds with libpng and libdeflate. Makes *stored the same PNG
 * with its pixel data stored instead of compressed, after their CRCs and Adler-32 were verified;
 * stored->bytes is owned by the caller (free). False, and *stored untouched, for interlaced, huge,
 * damaged or unusual files, or when out of memory. `source` starts with the PNG signature.
 */
bool data_png_stored(const DataSource *source, DataSource *stored);

#endif
