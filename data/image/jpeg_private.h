/*
 * jpeg_private.h - libjpeg's way of failing, turned into a jump; private to data/.
 */
#ifndef LNCLIP_DATA_IMAGE_JPEG_PRIVATE_H
#define LNCLIP_DATA_IMAGE_JPEG_PRIVATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h uses FILE and size_t but includes neither */

#include <jpeglib.h>

/*
 * Error handler of one (de)compressor. `manager` must come first: the library hands it back to us.
 */
typedef struct DataJpegErrors {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    char reason[JMSG_LENGTH_MAX];
    bool no_memory; /* the reason is a failed allocation */
} DataJpegErrors;

/*
 * Prepares `errors`: errors and warnings about pixels jump to errors->jump with errors->reason set.
 * The caller sets the jump before anything else is asked of the library: creating a (de)compressor
 * can fail, too.
 */
struct jpeg_error_mgr *data_jpeg_errors(DataJpegErrors *errors);

#endif
