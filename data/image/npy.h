/*
 * npy.h - small arrays of numbers in NumPy's .npy files, as numpy.save writes them.
 *
 * Source: the NPY format specification (numpy.lib.format), versions 1.0 and 2.0. Little-endian i32,
 * i64, f32 and f64 are read, in C or Fortran order. Objects, which would be pickled Python code,
 * records, strings, big-endian numbers and version 3.0 are refused: none of the files this project
 * reads has them.
 */
#ifndef LNCLIP_DATA_IMAGE_NPY_H
#define LNCLIP_DATA_IMAGE_NPY_H

#include "tensor/base/error.h"

#include <stddef.h>

enum {
    DATA_NPY_RANK = 4,         /* most dimensions of an array */
    DATA_NPY_BYTES = 16 << 20, /* largest file that is read */
};

/*
 * An array in C order, whatever the order in the file; {0} is empty. Owned by whoever holds the
 * struct.
 */
typedef struct DataArray {
    int rank; /* 0 for a single number */
    size_t shape[DATA_NPY_RANK];
    size_t count;   /* the product of the shape */
    double *values; /* [count] */
} DataArray;

/*
 * Reads `path` into *array, which the caller frees; on failure it is empty. STATUS_FAILED, naming
 * the file, if it cannot be read, is damaged, or holds what the head of this header excludes; the
 * size of the data must be exactly what the shape says, which is checked before anything is
 * allocated. Thread-safe.
 */
Status data_npy_read(const char *path, DataArray *array, Error *error);

/*
 * The same from memory; `name` stands for the file in messages. `bytes` is borrowed for the call.
 */
Status data_npy_decode(const void *bytes, size_t size, const char *name, DataArray *array,
                       Error *error);

/* Frees the values and empties the struct. An empty one is allowed. */
void data_array_free(DataArray *array);

#endif
