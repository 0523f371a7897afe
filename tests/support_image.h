/*
 * support_image.h - images for tests: a formula that tests/golden/make_images.py shares, and
 * checksums.
 */
#ifndef LNCLIP_TESTS_SUPPORT_IMAGE_H
#define LNCLIP_TESTS_SUPPORT_IMAGE_H

#include "data/image/image.h"

/* Fills a new image with the pattern: smooth if width + height is even, noise if it is odd. */
void support_pattern(DataImage *image, int width, int height);

/* Writes it as PNG, or, where this build writes none, as PNM: the content decides, not the name. */
void support_write_image(const char *path, const DataImage *image);

/* CRC-32 as zlib computes it. */
uint32_t support_crc32(const void *bytes, size_t size);

/* Writes a file of a test. */
void support_write_file(const char *folder, const char *name, const void *bytes, size_t size);

#endif
