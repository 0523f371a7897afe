/*
 * npy.h - small numeric arrays in NumPy's .npy files, as numpy.save writes them.
 *
 * Source: the NPY format specification (numpy.lib.format), versions 1.0 and 2.0. Little-endian i32,
 * i64, f32 and f64 are read, in C or Fortran order. Objects (pickled Python code), records,
 * strings, big-endian values and version 3.0 are refused: no file that this project reads has them.
 *
 * Tests: tests/test_landmarks.c.
 */
#ifndef LNCLIP_DATA_IMAGE_NPY_H
#define LNCLIP_DATA_IMAGE_NPY_H

#include "tensor/base/error.h"

#include <stddef.h>

enum {
    DATA_NPY_RANK = 4,         /* largest number of dimensions */
    DATA_NPY_BYTES = 16 << 20, /* largest accepted file, in bytes */
};

/*
 * An array in C order, whatever the order in the file; {0} is empty. The values are owned by the
 * holder of the struct.
 */
typedef struct DataArray {
    int rank; /* 0 for a scalar */
    size_t shape[DATA_NPY_RANK];
    size_t count;   /* the product of the shape */
    double *values; /* [count] */
} DataArray;

/*
 * Reads `path` into *array, owned by the caller (data_array_free) and empty on failure.
 * STATUS_FAILED, naming the file, if it cannot be read, is damaged, or holds what the top of this
 * header excludes. The data must have exactly the size that the shape implies, which is checked
 * before anything is allocated. Thread-safe.
 */
Status data_npy_read(const char *path, DataArray *array, Error *error);

/*
 * As data_npy_read, from memory; `name` replaces the path in messages. `bytes` is borrowed for the
 * call.
 */
Status data_npy_decode(const void *bytes, size_t size, const char *name, DataArray *array,
                       Error *error);

/* Frees the values and empties the struct. An empty one is allowed. */
void data_array_free(DataArray *array);

#endif
