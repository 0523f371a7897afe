/*
 * support_image.h - images for tests, with the formula of tests/golden/make_images.py, and
 * checksums.
 */
#ifndef LNCLIP_TESTS_SUPPORT_IMAGE_H
#define LNCLIP_TESTS_SUPPORT_IMAGE_H

#include "data/image/image.h"

/* Creates an image with the test pattern: smooth if width + height is even, noise if it is odd. */
void support_pattern(DataImage *image, int width, int height);

/*
 * Writes an image as PNG, or as PNM if this build has no PNG. Readers detect the format by content.
 */
void support_write_image(const char *path, const DataImage *image);

/* CRC-32 as in zlib. */
uint32_t support_crc32(const void *bytes, size_t size);

/* Writes a file. */
void support_write_file(const char *folder, const char *name, const void *bytes, size_t size);

#endif
