/*
 * image.c - see image.h. Chooses the decoder by the first bytes of the file and enforces the
 * limits.
 *
 * PNG and JPEG go to libpng and libjpeg-turbo, because these verify what they read and give
 * Pillow's pixels. stb_image ignores checksums, so it decodes only the remaining formats (and
 * everything in builds without those libraries).
 */
#include "data/image/image.h"

#include "data/image/decode_private.h"
#include "data/lists/input.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Larger files are not images for this project: 178 million uncompressed pixels fit in half of it.
 */
static const size_t MAX_FILE_SIZE = (size_t)1 << 30;

/* The size of nearly every image is within these bytes; a JPEG may have more metadata before it. */
enum { HEAD_SIZE = 16384 };

void data_image_free(DataImage *image)
{
    free(image->pixels);
    *image = (DataImage){0};
}

Status data_image_create(DataImage *image, int width, int height, Error *error)
{
    assert(image && width > 0 && height > 0 && (int64_t)width * height <= DATA_MAX_PIXELS);
    const size_t size = (size_t)width * height * 3;
    *image = (DataImage){.pixels = malloc(size)};
    if (!image->pixels)
        return mem_full(size, "the pixels of an image", error);
    image->width = width;
    image->height = height;
    return STATUS_OK;
}

Status data_decode_begin(const DataSource *source, unsigned long width, unsigned long height,
                         DataExtent extent, DataImage *image, Error *error)
{
    if (width == 0 || height == 0)
        return error_set(error, STATUS_FAILED,
                         "%s: the image is empty (%lu x %lu pixels); extract the frame again",
                         source->name, width, height);
    if (width > DATA_MAX_PIXELS || height > DATA_MAX_PIXELS / width)
        return error_set(error, STATUS_FAILED,
                         "%s: %lu x %lu pixels exceed the limit of %d; crop or shrink the image",
                         source->name, width, height, DATA_MAX_PIXELS);
    *image = (DataImage){.width = (int)width, .height = (int)height};
    if (extent == DATA_EXTENT_SIZE)
        return STATUS_OK;
    return data_image_create(image, (int)width, (int)height, error);
}

Status data_decode_damaged(const DataSource *source, const char *format, const char *reason,
                           Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: damaged %s: %s; copy or extract the file again",
                     source->name, format, reason);
}

Status data_decode_grey16(const DataSource *source, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: 16-bit grey, which Pillow's versions convert to 8 bits differently; "
                     "save it with 8 bits first",
                     source->name);
}

static bool starts_with(const DataSource *source, const char *magic, size_t length)
{
    return source->size >= length && memcmp(source->bytes, magic, length) == 0;
}

/* The decoder for the format of the first bytes, or NULL. */
static DataDecoder *choose_decoder(const DataSource *source)
{
    if (starts_with(source, "\x89PNG\r\n\x1a\n", 8))
        return LNCLIP_WITH_PNG ? data_decode_png : data_decode_stb;
    if (starts_with(source, "\xff\xd8\xff", 3))
        return LNCLIP_WITH_JPEG ? data_decode_jpeg : data_decode_stb;
    if (starts_with(source, "BM", 2) || starts_with(source, "P5", 2) ||
        starts_with(source, "P6", 2))
        return data_decode_stb;
    return NULL;
}

static Status decode(const DataSource *source, DataExtent extent, DataImage *image, Error *error)
{
    *image = (DataImage){0};
    if (source->size == 0)
        return error_set(error, STATUS_FAILED, "%s: the file is empty; copy or extract it again",
                         source->name);
    DataDecoder *decoder = choose_decoder(source);
    if (!decoder &&
        data_input_of_bytes(source->name, source->bytes, source->size) == DATA_INPUT_VIDEO)
        return error_set(error, STATUS_FAILED, "%s: %s", source->name,
                         data_input_refusal(DATA_INPUT_VIDEO));
    if (!decoder)
        return error_set(
            error, STATUS_FAILED,
            "%s: unsupported image format (judged by content, not by name); give a PNG, "
            "JPEG, BMP or binary PNM file",
            source->name);
    const Status status = decoder(source, extent, image, error);
    if (status != STATUS_OK)
        data_image_free(image);
    return status;
}

static Status read_and_decode(const char *path, DataExtent extent, DataImage *image, Error *error)
{
    char *content;
    DataSource source = {.name = path};
    *image = (DataImage){0};
    TRY(file_read(path, MAX_FILE_SIZE, &content, &source.size, error));
    source.bytes = (const unsigned char *)content;
    const Status status = decode(&source, extent, image, error);
    free(content);
    return status;
}

Status data_image_decode(const void *bytes, size_t size, const char *name, DataImage *image,
                         Error *error)
{
    assert((bytes || size == 0) && name && image && error);
    const DataSource source = {.bytes = bytes, .size = size, .name = name};
    return decode(&source, DATA_EXTENT_PIXELS, image, error);
}

Status data_image_read(const char *path, DataImage *image, Error *error)
{
    assert(path && image && error);
    return read_and_decode(path, DATA_EXTENT_PIXELS, image, error);
}

/* The first bytes of a file, and its size. */
typedef struct Head {
    unsigned char bytes[HEAD_SIZE];
    size_t length, file_size;
} Head;

/* Reads the head; false on failure, because reading the entire file will report the reason. */
static bool read_head(const char *path, Head *head)
{
    const int descriptor =
        open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never waits for a pipe */
    if (descriptor < 0)
        return false;
    struct stat info;
    const ssize_t length = read(descriptor, head->bytes, sizeof head->bytes);
    const bool known = fstat(descriptor, &info) == 0;
    close(descriptor);
    if (length <= 0 || !known)
        return false;
    head->length = length;
    head->file_size = info.st_size;
    return true;
}

/* Finds the size in the first bytes of the file, else in the entire file. */
static Status find_size(const char *path, const Head *head, DataImage *image, Error *error)
{
    Error unused = {0};
    const DataSource source = {head->bytes, head->length, path};
    if (head->length > 0 && decode(&source, DATA_EXTENT_SIZE, image, &unused) == STATUS_OK)
        return STATUS_OK;
    return read_and_decode(path, DATA_EXTENT_SIZE, image, error);
}

/* True unless the head shows that a JPEG is sequential: one pass over its blocks (SOF0, SOF1). */
static bool may_be_progressive(const Head *head)
{
    const unsigned char *bytes = head->bytes;
    for (size_t at = 2; at + 4 <= head->length && bytes[at] == 0xff;) {
        const unsigned marker = bytes[at + 1];
        if (marker == 0xc0 || marker == 0xc1)
            return false;
        if (marker == 0xff) /* fill byte */
            at++;
        else
            at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    }
    return true;
}

Status data_image_header(const char *path, DataImageHeader *header, Error *error)
{
    assert(path && header && error);
    Head head;
    DataImage image;
    if (!read_head(path, &head))
        head.length = head.file_size = 0;
    TRY(find_size(path, &head, &image, error));
    const size_t pixels = (size_t)image.width * image.height * 3;
    const size_t row_filters = image.height;
    size_t library = 0;
    if (head.length > 3 && memcmp(head.bytes, "\xff\xd8\xff", 3) == 0)
        library = may_be_progressive(&head) ? 2 * pixels : 0; /* 16 bits each, at most 4:4:4 */
    else if (head.length > 4 && memcmp(head.bytes, "\x89PNG", 4) == 0)
        library = LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE ? pixels + row_filters : 0;
    *header = (DataImageHeader){image.width, image.height, head.file_size + library};
    return STATUS_OK;
}

Status data_image_size(const char *path, int *width, int *height, Error *error)
{
    assert(path && width && height && error);
    DataImageHeader header;
    TRY(data_image_header(path, &header, error));
    *width = header.width;
    *height = header.height;
    return STATUS_OK;
}

size_t data_image_decoding_bytes(int width, int height)
{
    assert(width > 0 && height > 0);
    const size_t row = (size_t)width * 3, rows = height;
    /* Each row of a PNG starts with a byte for its filter. */
    const size_t unpacked = LNCLIP_WITH_PNG && LNCLIP_WITH_DEFLATE ? rows * (row + 1) : 0;
    return rows * row + unpacked;
}
