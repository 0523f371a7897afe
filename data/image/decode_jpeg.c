/*
 * decode_jpeg.c - JPEG by libjpeg-turbo with its defaults, which are Pillow's.
 *
 * JPEG has no checksum. The library's warnings (premature end, bad Huffman code, stray bytes) are
 * the only sign of damage, and it continues with grey blocks after them. Here they end the
 * decoding. Two warnings that concern only metadata are ignored.
 */
#include "data/image/decode_private.h"

#if LNCLIP_WITH_JPEG

#include "data/image/jpeg_private.h"
#include "tensor/base/mem.h"

#include <jerror.h>
#include <stdbool.h>
#include <stdlib.h>

static void on_error(j_common_ptr common)
{
    DataJpegErrors *errors = (DataJpegErrors *)common->err;
    common->err->format_message(common, errors->reason);
    errors->no_memory = common->err->msg_code == JERR_OUT_OF_MEMORY;
    longjmp(errors->jump, 1);
}

static void on_message(j_common_ptr common, int level)
{
    const int code = common->err->msg_code;
    if (level < 0 && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM)
        on_error(common);
}

struct jpeg_error_mgr *data_jpeg_errors(DataJpegErrors *errors)
{
    jpeg_std_error(&errors->manager);
    errors->no_memory = false;
    errors->manager.error_exit = on_error;
    errors->manager.emit_message = on_message;
    return &errors->manager;
}

/*
 * Converts one row of four inks to RGB, in place at the row's start. Files from Adobe programs, the
 * only common ones, store 255 minus the ink. Pillow assumes that of all CMYK JPEGs and multiplies
 * (255 - ink) by (255 - black), rounding to nearest.
 */
static void convert_cmyk_row(uint8_t *out, const uint8_t *inks, size_t width)
{
    for (size_t x = 0; x < width; x++) {
        const int black = inks[4 * x + 3];
        for (size_t c = 0; c < 3; c++) {
            const int product = (255 - inks[4 * x + c]) * black + 128;
            out[3 * x + c] = (uint8_t)(black - ((product + (product >> 8)) >> 8));
        }
    }
}

typedef struct JpegReader {
    struct jpeg_decompress_struct jpeg;
    DataJpegErrors errors;
    uint8_t *inks; /* [width,4], one row of a CMYK file */
} JpegReader;

/* All calls that may longjmp. Values that must survive the jump are accessed through pointers. */
static Status read_image(JpegReader *reader, const DataSource *source, DataExtent extent,
                         DataImage *image, Error *error)
{
    if (setjmp(reader->errors.jump))
        return reader->errors.no_memory
                   ? mem_full(0, source->name, error)
                   : data_decode_damaged(source, "JPEG", reader->errors.reason, error);
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, source->bytes, (unsigned long)source->size);
    jpeg_read_header(jpeg, TRUE);
    TRY(data_decode_begin(source, jpeg->image_width, jpeg->image_height, extent, image, error));
    if (extent == DATA_EXTENT_SIZE)
        return STATUS_OK;

    const bool cmyk = jpeg->num_components == 4;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    const size_t width = image->width;
    if (cmyk && !(reader->inks = mem_new(width, 4, source->name, error)))
        return error->status;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *out = image->pixels + jpeg->output_scanline * width * 3;
        JSAMPROW row = cmyk ? reader->inks : out;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (cmyk)
            convert_cmyk_row(out, row, width);
    }
    jpeg_finish_decompress(jpeg);
    return STATUS_OK;
}

Status data_decode_jpeg(const DataSource *source, DataExtent extent, DataImage *image, Error *error)
{
    JpegReader reader = {0};
    reader.jpeg.err = data_jpeg_errors(&reader.errors);
    const Status status = read_image(&reader, source, extent, image, error);
    jpeg_destroy_decompress(&reader.jpeg);
    free(reader.inks);
    return status;
}

#endif
