/*
 * encode.c - writes images: PNG and JPEG files, and the JPEG round trip of the augmentation. It
 * also names the libraries of this build, because it includes all of their headers.
 */
#include "data/image/image.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#if LNCLIP_WITH_PNG
#include <png.h>
#include <setjmp.h>
#endif
#if LNCLIP_WITH_JPEG
#include "data/image/jpeg_private.h"
#endif

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *data_image_decoders(void)
{
    return ""
#if LNCLIP_WITH_PNG
           "libpng " PNG_LIBPNG_VER_STRING ", "
#endif
#if LNCLIP_WITH_JPEG && defined(LIBJPEG_TURBO_VERSION)
           "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION) ", "
#elif LNCLIP_WITH_JPEG
           "libjpeg " TEXT(JPEG_LIB_VERSION) ", "
#endif
                                                        "stb_image 2.27";
}

#if LNCLIP_WITH_PNG

/* libpng calls this for a failed write; the stream keeps the reason for file_commit. */
static void on_error(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t size)
{
    if (fwrite(bytes, 1, size, png_get_io_ptr(png)) != size)
        png_error(png, "cannot write");
}

static void flush_nothing(png_structp png)
{
    (void)png; /* file_commit flushes */
}

/*
 * Contains all calls that may longjmp. False if libpng ran out of memory or the stream failed.
 * *created, initially NULL, survives the jump.
 */
static bool write_image(png_structp png, png_infop *created, const DataImage *image, FILE *stream)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_infop const info = *created = png_create_info_struct(png);
    if (!info)
        return false;
    png_set_write_fn(png, stream, write_bytes, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    png_set_compression_level(png, 6);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + (size_t)y * image->width * 3);
    png_write_end(png, NULL);
    return true;
}

Status data_image_write_png(const DataImage *image, const char *path, Error *error)
{
    assert(image && image->pixels && path && error);
    FileWriter writer;
    TRY(file_begin(&writer, path, error));
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = NULL;
    const bool written = png && write_image(png, &info, image, writer.stream);
    png_destroy_write_struct(&png, &info);
    if (written || ferror(writer.stream))
        return file_commit(&writer, error);
    file_abort(&writer);
    return mem_full(0, path, error);
}

#else

Status data_image_write_png(const DataImage *image, const char *path, Error *error)
{
    (void)image;
    return error_set(error, STATUS_FAILED,
                     "%s: this build cannot write PNG files; build with WITH_PNG=1", path);
}

#endif

#if LNCLIP_WITH_JPEG

typedef struct JpegWriter {
    struct jpeg_compress_struct jpeg;
    DataJpegErrors errors;
    FILE *stream; /* writes to `bytes` */
    char *bytes;  /* allocated by the stream, malloc */
    size_t size;
} JpegWriter;

/*
 * Contains all calls that may longjmp. Writes to a stream, because jpeg_mem_dest returns a freed
 * buffer when out of memory.
 */
static bool write_scanlines(JpegWriter *writer, const DataImage *image, int quality)
{
    if (setjmp(writer->errors.jump))
        return false;
    struct jpeg_compress_struct *jpeg = &writer->jpeg;
    jpeg_create_compress(jpeg);
    jpeg_stdio_dest(jpeg, writer->stream);
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg); /* chroma 4:2:0 */
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->pixels + (size_t)jpeg->next_scanline * image->width * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return true;
}

/*
 * Encodes into writer->bytes, which the caller frees even after a failure. `name` is for messages.
 */
static Status compress(JpegWriter *writer, const DataImage *image, int quality, const char *name,
                       Error *error)
{
    writer->jpeg.err = data_jpeg_errors(&writer->errors);
    writer->stream = open_memstream(&writer->bytes, &writer->size);
    bool written = writer->stream && write_scanlines(writer, image, quality);
    jpeg_destroy_compress(&writer->jpeg);
    if (writer->stream && fclose(writer->stream) != 0)
        written = false;
    if (written && writer->bytes) /* NULL if closing the stream ran out of memory */
        return STATUS_OK;
    /*
     * A stream in memory fails only when out of memory; the other possible reason is a size that
     * JPEG does not support.
     */
    if (image->width <= JPEG_MAX_DIMENSION && image->height <= JPEG_MAX_DIMENSION)
        return mem_full(0, name, error);
    return error_set(error, STATUS_FAILED,
                     "%s: %d x %d pixels as JPEG: larger than 65500 per side; use a smaller image",
                     name, image->width, image->height);
}

Status data_image_write_jpeg(const DataImage *image, const char *path, int quality, Error *error)
{
    assert(image && image->pixels && path && quality >= 1 && quality <= 100 && error);
    JpegWriter writer = {0};
    Status status = compress(&writer, image, quality, path, error);
    if (status == STATUS_OK)
        status = file_write(path, writer.bytes, writer.size, error);
    free(writer.bytes);
    return status;
}

Status data_image_encode_jpeg(const DataImage *image, int quality, unsigned char **bytes,
                              size_t *size, Error *error)
{
    assert(image && image->pixels && bytes && size && quality >= 1 && quality <= 100 && error);
    JpegWriter writer = {0};
    *bytes = NULL;
    const Status status = compress(&writer, image, quality, "image", error);
    if (status != STATUS_OK) {
        free(writer.bytes);
        return status;
    }
    *bytes = (unsigned char *)writer.bytes;
    *size = writer.size;
    return STATUS_OK;
}

Status data_image_jpeg_roundtrip(DataImage *image, int quality, Error *error)
{
    assert(image && image->pixels && quality >= 1 && quality <= 100 && error);
    JpegWriter writer = {0};
    DataImage decoded = {0};
    Status status = compress(&writer, image, quality, "augmentation", error);
    if (status == STATUS_OK)
        status = data_image_decode(writer.bytes, writer.size, "JPEG augmentation", &decoded, error);
    free(writer.bytes);
    if (status != STATUS_OK)
        return status;
    data_image_free(image);
    *image = decoded;
    return STATUS_OK;
}

#else

Status data_image_write_jpeg(const DataImage *image, const char *path, int quality, Error *error)
{
    (void)image;
    (void)quality;
    return error_set(error, STATUS_FAILED,
                     "%s: this build cannot write JPEG files; build with WITH_JPEG=1", path);
}

Status data_image_encode_jpeg(const DataImage *image, int quality, unsigned char **bytes,
                              size_t *size, Error *error)
{
    (void)image;
    (void)quality;
    *bytes = NULL;
    *size = 0;
    return error_set(error, STATUS_FAILED,
                     "image: this build cannot write JPEG; build with WITH_JPEG=1");
}

Status data_image_jpeg_roundtrip(DataImage *image, int quality, Error *error)
{
    (void)image;
    (void)quality;
    return error_set(error, STATUS_FAILED,
                     "JPEG compression: this build has no libjpeg; build with WITH_JPEG=1 "
                     "(training with augment=flip needs none)");
}

#endif
