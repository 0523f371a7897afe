/*
 * input.h - what a path that a user gave is: one table of the kinds of input, told apart by their
 * first bytes.
 *
 * All functions are thread-safe.
 *
 * Tests: tests/test_input.c.
 */
#ifndef LNCLIP_DATA_LISTS_INPUT_H
#define LNCLIP_DATA_LISTS_INPUT_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum DataInput {
    /* Read as lists. */
    DATA_INPUT_FOLDER, /* of images, or of lists */
    DATA_INPUT_LIST,   /* text: one path a line; also a file that cannot be read */
    DATA_INPUT_TABLE,  /* text: CSV with columns of paths and labels */
    DATA_INPUT_JSON,   /* an object: DeepfakeBench's */
    DATA_INPUT_GLOB,   /* no file, but a pattern */
    /* Refused. */
    DATA_INPUT_EMPTY,
    DATA_INPUT_IMAGE,
    DATA_INPUT_VIDEO,
    DATA_INPUT_JSON_LIST, /* JSON that is not an object */
    DATA_INPUT_MODEL,     /* safetensors */
    DATA_INPUT_ZIP,
    DATA_INPUT_ARCHIVE, /* gzip, xz, tar, ... */
    DATA_INPUT_NUMPY,
    DATA_INPUT_PAGE, /* HTML, XML */
    DATA_INPUT_UTF16,
    DATA_INPUT_BINARY, /* anything else that is not text */
    DATA_INPUTS
} DataInput;

/*
 * The kind of the file, folder or pattern `path`. A file that cannot be read is DATA_INPUT_LIST:
 * reading it gives the reason.
 */
DataInput data_input(const char *path);

/* The kind of a file that begins with `bytes` [size], and is named `path`. */
DataInput data_input_of_bytes(const char *path, const void *bytes, size_t size);

/* Why a list of this kind is refused, and what to do: "is a video; ..."; NULL if it is read. */
const char *data_input_refusal(DataInput input);

/*
 * Length of the first of the lists in `text`, which commas separate unless a file or folder has the
 * entire name.
 */
size_t data_input_first(const char *text);

#endif
