/*
 * safetensors.h - reading and writing the safetensors format (huggingface/safetensors, README
 * "Format").
 *
 * A file is: u64 little-endian header length, that many bytes of JSON, then the data. Reading maps
 * the file and checks everything before it returns a pointer: header length and JSON, names unique,
 * dtype known, shape times size equal to the extent, extents inside the file, without overlap or
 * hole, and no bytes after the last one. A sharded model is read through its
 * model.safetensors.index.json.
 *
 * Data are used in place in the mapping. If another process shortens a mapped file, reads return
 * zeros, and file_check_mappings (base/file.h) reports it; replacing the file by rename, as all
 * writers here do, is harmless. Code that copies or packs the data right after opening is affected
 * only during that time.
 *
 * Tests: tests/test_safetensors.c.
 */
#ifndef LNCLIP_TENSOR_SAFETENSORS_H
#define LNCLIP_TENSOR_SAFETENSORS_H

#include "tensor/base/error.h"
#include "tensor/dtype.h"

#include <stdint.h>

enum {
    SAFETENSORS_MAX_DIMS = 8,
    SAFETENSORS_MAX_HEADER = 100000000, /* bytes; the reference implementation's limit */
    SAFETENSORS_MAX_SHARDS = 10000,     /* files of one index, all mapped at once */
};

typedef struct SafeTensor {
    const char *name;
    DType dtype;            /* DTYPE_COUNT for a type of the format that is not a DType */
    const char *dtype_text; /* name in the file, e.g. "I32"; writers use it for DTYPE_COUNT only */
    int ndim;               /* 0 for a scalar */
    int64_t shape[SAFETENSORS_MAX_DIMS]; /* extents may be 0 */
    const void *data;                    /* row-major; may be unaligned in a mapped file */
    size_t bytes;
} SafeTensor;

typedef struct SafeTensors SafeTensors;

/* Bits per element of any type of the format ("F4": 4); 0 if unknown. */
unsigned safetensors_element_bits(const char *dtype_text);

/* Number of elements. */
size_t safetensors_elements(const SafeTensor *tensor);

/*
 * Opens a .safetensors file or, if `path` ends in ".json", the shards named by that index (paths
 * relative to its folder and inside it). On STATUS_FAILED the message names the file, the problem
 * and its position. *file is owned by the caller and NULL on failure. Afterwards reading is
 * thread-safe.
 */
Status safetensors_open(SafeTensors **file, const char *path, Error *error);

/* Closes the file; pointers obtained from it become invalid. NULL is allowed. */
void safetensors_close(SafeTensors *file);

/*
 * The tensors, borrowed, in bytewise order of their names. safetensors_find returns NULL if the
 * name is unknown.
 */
int safetensors_count(const SafeTensors *file);
const SafeTensor *safetensors_at(const SafeTensors *file, int index);
const SafeTensor *safetensors_find(const SafeTensors *file, const char *name);

/*
 * Value of a key of "__metadata__" (borrowed), or NULL. Keys are enumerated in bytewise order. If
 * several shards have a key, the shard named first in the index takes precedence.
 */
const char *safetensors_metadata(const SafeTensors *file, const char *key);
int safetensors_metadata_count(const SafeTensors *file);
const char *safetensors_metadata_key(const SafeTensors *file, int index);

/* The path given to safetensors_open (borrowed). */
const char *safetensors_path(const SafeTensors *file);

typedef struct SafeTensorsMetadata {
    const char *key, *value; /* UTF-8 */
} SafeTensorsMetadata;

/*
 * Writes `tensors` [count] (names unique, in any order; data borrowed) and `metadata`
 * [metadata_count] (keys unique) atomically: to a temporary file, which is synced and renamed. The
 * layout is the reference implementation's: wider types first, then bytewise by name, the header
 * padded with spaces to a multiple of 8, so every element is aligned. Elements of a type that is
 * not a DType are written as they were read (DTYPE_COUNT and dtype_text). The bytes depend only on
 * the tensors and metadata, not on their order. STATUS_FAILED, with the old file unchanged, if the
 * disk is full, memory is exhausted or a string is not UTF-8. Thread-safe for distinct paths.
 */
Status safetensors_write(const char *path, const SafeTensor *tensors, int count,
                         const SafeTensorsMetadata *metadata, int metadata_count, Error *error);

#endif
