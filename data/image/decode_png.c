/*
 * decode_png.c - PNG by libpng: every checksum is verified, every complaint about pixels is an error.
 *
 * libpng is asked for 8-bit samples with its transformations, in the ways Pillow converts: 16-bit samples
 * lose their low byte, small grey depths are scaled, alpha is dropped. Ancillary chunks (gamma, profiles,
 * transparency, text) do not change Pillow's pixels, so they are skipped after their CRC was checked.
 * decode_png_stored.c saves libpng the slow part of the work where it can.
 */
#include "data/image/decode_private.h"

#if LNCLIP_WITH_PNG

#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct PngReader {
    const DataSource *source;
    size_t position;
    png_structp png;
    png_infop info;
    bool stored;    /* the pixel data were unpacked and checked before: see data_png_stored */
    bool no_memory; /* an allocation of the library failed */
    char reason[128];
} PngReader;

static void on_error(png_structp png, png_const_charp message)
{
    PngReader *const reader = png_get_error_ptr(png);
    snprintf(reader->reason, sizeof reader->reason, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message; /* about metadata only: what concerns pixels is an error, see set_rules */
}

static void read_bytes(png_structp png, png_bytep target, size_t size)
{
    PngReader *const reader = png_get_io_ptr(png);
    if (size > reader->source->size - reader->position)
        png_error(png, "the file ends too early");
    memcpy(target, reader->source->bytes + reader->position, size);
    reader->position += size;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    PngReader *const reader = png_get_mem_ptr(png);
    void *const block = malloc(size);
    reader->no_memory = reader->no_memory || !block;
    return block;
}

static void release(png_structp png, png_voidp block)
{
    (void)png;
    free(block);
}

static void set_rules(const PngReader *reader)
{
    png_structp const png = reader->png;
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 0); /* a wrong Adler-32 or missing rows would count as benign */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* all ancillary ones */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tRNS", 1);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are in decode_begin */
    if (reader->stored)
        png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON); /* ours, of their copy */
}

/* Asks for 8-bit RGB rows, or 8-bit palette indices. */
static void set_conversion(PngReader *reader, int color_type)
{
    if (color_type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(reader->png);
        return;
    }
    png_set_expand_gray_1_2_4_to_8(reader->png);
    png_set_strip_16(reader->png);
    png_set_strip_alpha(reader->png);
    if (!(color_type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(reader->png);
}

/*
 * Replaces indices by colours: those of row y stand in the last third of the row, where the colour of
 * pixel x never overwrites an index not read yet.
 */
static Status expand_palette(const PngReader *reader, DataImage *image, Error *error)
{
    png_colorp palette = NULL;
    int colors = 0;
    png_get_PLTE(reader->png, reader->info, &palette, &colors);
    const size_t width = (size_t)image->width;
    for (int y = 0; y < image->height; y++) {
        uint8_t *const row = image->pixels + (size_t)y * width * 3;
        for (size_t x = 0; x < width; x++) {
            const int index = row[2 * width + x];
            if (index >= colors)
                return data_decode_damaged(reader->source, "PNG", "a colour is not in the palette",
                                           error);
            row[3 * x] = palette[index].red;
            row[3 * x + 1] = palette[index].green;
            row[3 * x + 2] = palette[index].blue;
        }
    }
    return STATUS_OK;
}

/*
 * Everything that may longjmp: all that is asked of the library once it has a struct to jump from. What must
 * survive the jump lives behind pointers.
 */
static Status read_image(PngReader *reader, DataExtent extent, DataImage *image, Error *error)
{
    if (setjmp(png_jmpbuf(reader->png)))
        return reader->no_memory
                   ? data_decode_no_memory(reader->source, error)
                   : data_decode_damaged(reader->source, "PNG", reader->reason, error);
    png_structp const png = reader->png;
    reader->info = png_create_info_struct(png);
    if (!reader->info)
        return data_decode_no_memory(reader->source, error);
    png_set_read_fn(png, reader, read_bytes);
    set_rules(reader);
    png_read_info(png, reader->info);
    const int color_type = png_get_color_type(png, reader->info);
    if (color_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, reader->info) == 16)
        return data_decode_grey16(reader->source, error);
    TRY(data_decode_begin(reader->source, png_get_image_width(png, reader->info),
                          png_get_image_height(png, reader->info), extent, image, error));
    if (extent == DATA_EXTENT_SIZE)
        return STATUS_OK;

    set_conversion(reader, color_type);
    const int passes = png_set_interlace_handling(png);
    png_start_read_image(png);
    const bool indexed = color_type == PNG_COLOR_TYPE_PALETTE;
    const size_t stride = (size_t)image->width * 3;
    const size_t offset = indexed ? (size_t)image->width * 2 : 0;
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < image->height; y++)
            png_read_row(png, image->pixels + (size_t)y * stride + offset, NULL);
    }
    png_read_end(png, NULL);
    return indexed ? expand_palette(reader, image, error) : STATUS_OK;
}

Status data_decode_png(const DataSource *source, DataExtent extent, DataImage *image, Error *error)
{
    DataSource stored = {0};
    PngReader reader = {.source = source};
    if (LNCLIP_WITH_DEFLATE && extent == DATA_EXTENT_PIXELS && data_png_stored(source, &stored)) {
        reader.source = &stored;
        reader.stored = true;
    }
    /* An error in here ends in NULL: the library has a jump of its own for the time being. */
    reader.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning,
                                          &reader, allocate, release);
    const Status status = reader.png ? read_image(&reader, extent, image, error)
                                     : data_decode_no_memory(source, error);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    free((void *)stored.bytes);
    return status;
}

#endif
