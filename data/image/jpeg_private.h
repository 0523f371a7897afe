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
 * Error handler of one (de)compressor. `manager` must be the first member: the library passes a
 * pointer to it back.
 */
typedef struct DataJpegErrors {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    char reason[JMSG_LENGTH_MAX];
    bool no_memory; /* the reason is a failed allocation */
} DataJpegErrors;

/*
 * Initialises `errors`: errors, and warnings about pixels, jump to errors->jump with errors->reason
 * set. The caller must call setjmp before any other call of the library, because creating a
 * (de)compressor can fail, too.
 */
struct jpeg_error_mgr *data_jpeg_errors(DataJpegErrors *errors);

#endif
