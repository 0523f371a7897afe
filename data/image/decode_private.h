/*
 * decode_private.h - what the decoders of image.c share; private to data/.
 *
 * One file a library: each turns its library's way of failing (longjmp, NULL, warnings) into a
 * Status with one form of message. A decoder fills *image and leaves it to the caller to free it on
 * failure.
 */
#ifndef LNCLIP_DATA_IMAGE_DECODE_PRIVATE_H
#define LNCLIP_DATA_IMAGE_DECODE_PRIVATE_H

#include "data/image/image.h"

#include <stdbool.h>

/* An encoded file in memory, borrowed. */
typedef struct DataSource {
    const unsigned char *bytes;
    size_t size;
    const char *name; /* for messages: the path */
} DataSource;

/* How much of the image a decoder is asked for. */
typedef enum DataExtent {
    DATA_EXTENT_SIZE,   /* width and height; pixels stay NULL */
    DATA_EXTENT_PIXELS, /* all */
} DataExtent;

typedef Status DataDecoder(const DataSource *source, DataExtent extent, DataImage *image,
                           Error *error);

/* decode_png.c, decode_jpeg.c: in builds with the library. decode_stb.c: always. */
DataDecoder data_decode_png, data_decode_jpeg, data_decode_stb;

/*
 * Sets image->width and height if the limits allow them, and allocates the pixels if `extent` asks
 * for them. Every decoder calls it as soon as it knows the size.
 */
Status data_decode_begin(const DataSource *source, unsigned long width, unsigned long height,
                         DataExtent extent, DataImage *image, Error *error);

/* The one message for damaged files: `format` is "PNG" or so, `reason` the library's words. */
Status data_decode_damaged(const DataSource *source, const char *format, const char *reason,
                           Error *error);

/* Refuses 16-bit grey. */
Status data_decode_grey16(const DataSource *source, Error *error);

/*
 * A test seam of decode_png.c, in builds with libpng and libdeflate: makes *stored the same PNG
 * with its pixel data stored instead of compressed, after their CRCs and Adler-32 were found right;
 * stored->bytes is owned by the caller, to be freed. False, and *stored untouched, for interlaced,
 * huge, damaged or strange files, or without memory. `source` begins with the signature of PNG.
 */
bool data_png_stored(const DataSource *source, DataSource *stored);

#endif
