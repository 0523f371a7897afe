/*
 * npy.c - see npy.h.
 *
 * The header of the file is a Python dictionary with three known keys. It is parsed by a grammar
 * for exactly that; anything else is an error and never evaluated.
 */
#include "data/image/npy.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";

enum {
    MAGIC_SIZE = 6,
    PREFIX_SIZE = 8, /* magic and version; the header's length follows, in 2 or 4 bytes */
};

/* The supported element types, all little-endian. */
typedef struct Type {
    const char *descr;
    size_t size;
    double (*read)(const unsigned char *bytes);
} Type;

static double read_i32(const unsigned char *bytes)
{
    int32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static double read_i64(const unsigned char *bytes)
{
    int64_t value;
    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

static double read_f32(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

static double read_f64(const unsigned char *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are copied without swapping bytes");

static const Type TYPES[] = {
    {"<i4", 4, read_i32}, {"<i8", 8, read_i64}, {"<f4", 4, read_f32}, {"<f8", 8, read_f64}};

/* The remaining text of the header, and what has been parsed. */
typedef struct Header {
    const char *at, *end;
    const char *name; /* the path, for messages */
    char descr[16];
    bool fortran;
    int rank;
    size_t shape[DATA_NPY_RANK];
} Header;

static Status damaged(const char *name, const char *reason, Error *error)
{
    return error_set(error, STATUS_FAILED, "%s: damaged .npy file: %s; write it again", name,
                     reason);
}

static void skip_blanks(Header *header)
{
    while (header->at < header->end && (*header->at == ' ' || *header->at == '\n'))
        header->at++;
}

/* Skips blanks and then `text`; false if something else comes next. */
static bool accept(Header *header, const char *text)
{
    skip_blanks(header);
    const size_t length = strlen(text);
    if ((size_t)(header->end - header->at) < length || memcmp(header->at, text, length) != 0)
        return false;
    header->at += length;
    return true;
}

/* Reads a string in single quotes, without escapes, into out [size]. */
static bool read_string(Header *header, char *out, size_t size)
{
    if (!accept(header, "'"))
        return false;
    const size_t left = header->end - header->at;
    const char *quote = memchr(header->at, '\'', left);
    if (!quote || (size_t)(quote - header->at) >= size)
        return false;
    const size_t length = quote - header->at;
    memcpy(out, header->at, length);
    out[length] = '\0';
    header->at = quote + 1;
    return true;
}

/* Reads one dimension: digits, at most DATA_NPY_BYTES. */
static bool read_extent(Header *header, size_t *extent)
{
    skip_blanks(header);
    const char *first = header->at;
    size_t value = 0;
    for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++) {
        value = value * 10 + (*header->at - '0');
        if (value > DATA_NPY_BYTES)
            return false;
    }
    *extent = value;
    return header->at > first;
}

/* Reads a shape: "(81, 2)", "(3,)" or "()". */
static bool read_shape(Header *header)
{
    if (!accept(header, "("))
        return false;
    header->rank = 0;
    while (!accept(header, ")")) {
        if (header->rank == DATA_NPY_RANK || !read_extent(header, &header->shape[header->rank]))
            return false;
        header->rank++;
        if (!accept(header, ","))
            return header->rank > 1 && accept(header, ")");
    }
    return true;
}

static Status read_dictionary(Header *header, Error *error)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    if (!accept(header, "{"))
        return damaged(header->name, "its header is not a dictionary", error);
    while (!accept(header, "}")) {
        char key[16];
        if (!read_string(header, key, sizeof key) || !accept(header, ":"))
            return damaged(header->name, "a key of its header cannot be read", error);
        const int bit = strcmp(key, "descr") == 0           ? DESCR
                        : strcmp(key, "fortran_order") == 0 ? ORDER
                        : strcmp(key, "shape") == 0         ? SHAPE
                                                            : 0;
        if (bit == 0 || (seen & bit) != 0)
            return damaged(header->name, "its header has an unknown or a repeated key", error);
        seen |= bit;
        if (bit == DESCR && !read_string(header, header->descr, sizeof header->descr))
            return error_set(error, STATUS_FAILED,
                             "%s: holds records, not numbers; save a plain array", header->name);
        if (bit == ORDER && !(header->fortran = accept(header, "True")) && !accept(header, "False"))
            return damaged(header->name, "fortran_order is neither True nor False", error);
        if (bit == SHAPE && !read_shape(header))
            return error_set(error, STATUS_FAILED,
                             "%s: its shape cannot be read, has more than %d dimensions, or is "
                             "too large; save a small array of points",
                             header->name, DATA_NPY_RANK);
        if (!accept(header, ",")) {
            if (!accept(header, "}"))
                return damaged(header->name, "its header does not end", error);
            break;
        }
    }
    skip_blanks(header);
    if (seen != ALL || header->at != header->end)
        return damaged(header->name, "its header is incomplete or has trailing text", error);
    return STATUS_OK;
}

/* Parses the header of `bytes` and sets *data to the offset of the values. */
static Status read_header(const unsigned char *bytes, size_t size, Header *header, size_t *data,
                          Error *error)
{
    if (size < MAGIC_SIZE || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: not a .npy file (judged by content, not by name); write it with numpy.save",
            header->name);
    if (size < PREFIX_SIZE + 4)
        return damaged(header->name, "it ends within its header", error);
    const int major = bytes[MAGIC_SIZE], minor = bytes[MAGIC_SIZE + 1];
    if ((major != 1 && major != 2) || minor != 0)
        return error_set(
            error, STATUS_FAILED,
            "%s: version %d.%d of the .npy format; only 1.0 and 2.0 are supported: save "
            "a plain array of numbers",
            header->name, major, minor);
    const unsigned char *field = bytes + PREFIX_SIZE;
    size_t length = (size_t)field[0] | (size_t)field[1] << 8;
    *data = PREFIX_SIZE + 2;
    if (major == 2) {
        length |= (size_t)field[2] << 16 | (size_t)field[3] << 24;
        *data = PREFIX_SIZE + 4;
    }
    if (length > size - *data)
        return damaged(header->name, "it ends within its header", error);
    header->at = (const char *)bytes + *data;
    header->end = header->at + length;
    *data += length;
    return read_dictionary(header, error);
}

/* Copies the values into C order. */
static void copy_values(const Header *header, const Type *type, const unsigned char *data,
                        DataArray *array)
{
    for (size_t i = 0; i < array->count; i++) {
        size_t from = i;
        if (header->fortran) { /* the first index runs fastest */
            size_t rest = i, stride = array->count;
            from = 0;
            for (int d = array->rank - 1; d >= 0; d--) {
                stride /= array->shape[d];
                from += rest % array->shape[d] * stride;
                rest /= array->shape[d];
            }
        }
        array->values[i] = type->read(data + from * type->size);
    }
}

Status data_npy_decode(const void *bytes, size_t size, const char *name, DataArray *array,
                       Error *error)
{
    assert((bytes || size == 0) && name && array && error);
    *array = (DataArray){0};
    Header header = {.name = name};
    size_t start = 0;
    TRY(read_header(bytes, size, &header, &start, error));
    const Type *type = NULL;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (strcmp(TYPES[i].descr, header.descr) == 0)
            type = &TYPES[i];
    if (!type)
        return error_set(error, STATUS_FAILED,
                         "%s: holds values of type \"%s\"; save it as little-endian int32, int64, "
                         "float32 or float64",
                         name, header.descr);
    size_t count = 1;
    for (int d = 0; d < header.rank; d++) /* both factors are at most 2^24 */
        count = min_size(count * header.shape[d], DATA_NPY_BYTES + 1);
    if (count * type->size != size - start)
        return damaged(name, "the number of values does not match its shape", error);
    double *values = mem_new(count, sizeof *values, name, error);
    if (!values)
        return error->status;
    *array = (DataArray){.rank = header.rank, .count = count, .values = values};
    memcpy(array->shape, header.shape, sizeof array->shape);
    copy_values(&header, type, (const unsigned char *)bytes + start, array);
    return STATUS_OK;
}

Status data_npy_read(const char *path, DataArray *array, Error *error)
{
    assert(path && array && error);
    char *content;
    size_t size;
    *array = (DataArray){0};
    TRY(file_read(path, DATA_NPY_BYTES, &content, &size, error));
    const Status status = data_npy_decode(content, size, path, array, error);
    free(content);
    return status;
}

void data_array_free(DataArray *array)
{
    free(array->values);
    *array = (DataArray){0};
}
