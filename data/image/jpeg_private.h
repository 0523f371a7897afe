/*
 * jpeg_private.h - libjpeg's errors as a longjmp; private to data/.
 *
 * Tests: tests/test_image.c.
 */
#ifndef LNCLIP_DATA_IMAGE_JPEG_PRIVATE_H
#define LNCLIP_DATA_IMAGE_JPEG_PRIVATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h uses FILE and size_t but includes neither */

#include <jpeglib.h>

/*
 * Error handler of one (de)compressor. `manager` must be the first member, because the library
 * passes a pointer to it to the callbacks.
 */
typedef struct DataJpegErrors {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    char reason[JMSG_LENGTH_MAX];
    bool no_memory; /* the reason is a failed allocation */
} DataJpegErrors;

/*
 * Initialises `errors` and returns its manager (borrowed). Errors, and warnings about pixels, set
 * errors->reason and jump to errors->jump. So call setjmp before any other call of the library;
 * creating a (de)compressor can fail, too. Thread-safe for different objects.
 */
struct jpeg_error_mgr *data_jpeg_errors(DataJpegErrors *errors);

#endif
