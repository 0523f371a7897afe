/*
 * safetensors.h - reading and writing the safetensors format (huggingface/safetensors, README
 * "Format").
 *
 * A file is: u64 little-endian header length, that many bytes of JSON, then the numbers. Reading
 * maps the file and checks everything before a pointer is handed out: header length and JSON, names
 * unique, dtype known, shape times size equal to the extent, extents inside the file, without
 * overlap or hole, no byte left over. A sharded model is read through its
 * model.safetensors.index.json.
 *
 * Numbers are used where they lie in the mapping. Who shortens a file that another process has
 * mapped makes that process die of SIGBUS on the next touch; replacing it by rename, as all writers
 * here do, is harmless. Code that copies or packs the numbers soon after opening is exposed only
 * that long.
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
    DType dtype; /* DTYPE_COUNT for a type of the format that this library does not compute with */
    const char
        *dtype_text; /* as the file spells it, e.g. "I32"; in writing for DTYPE_COUNT alone */
    int ndim;        /* 0 for a scalar */
    int64_t shape[SAFETENSORS_MAX_DIMS]; /* extents may be 0 */
    const void *data; /* row-major; in a mapped file, aligned only as the file is */
    size_t bytes;
} SafeTensor;

typedef struct SafeTensors SafeTensors;

/* Bits of an element of this type of the format ("F4": 4), also of those not computed with; 0 if
 * unknown. */
unsigned safetensors_element_bits(const char *dtype_text);

/* Number of elements. */
size_t safetensors_elements(const SafeTensor *tensor);

/*
 * Opens a .safetensors file or, if `path` ends in ".json", the shards named by that index (paths
 * relative to its folder, which they may not leave). STATUS_FAILED names the file, what is wrong
 * and where. *file is owned by the caller and NULL on failure. Afterwards reading is thread-safe.
 */
Status safetensors_open(SafeTensors **file, const char *path, Error *error);

/* Unmaps. Pointers obtained from the file die with it. NULL is allowed. */
void safetensors_close(SafeTensors *file);

/* Tensors in bytewise order of their names; find returns NULL if there is none of that name. */
int safetensors_count(const SafeTensors *file);
const SafeTensor *safetensors_at(const SafeTensors *file, int index);
const SafeTensor *safetensors_find(const SafeTensors *file, const char *name);

/*
 * Value of a key of "__metadata__" (borrowed), or NULL. Keys are enumerated in bytewise order. Of
 * several shards that have a key, the one named first in the index counts.
 */
const char *safetensors_metadata(const SafeTensors *file, const char *key);
int safetensors_metadata_count(const SafeTensors *file);
const char *safetensors_metadata_key(const SafeTensors *file, int index);

/* The path it was opened by (borrowed). */
const char *safetensors_path(const SafeTensors *file);

typedef struct SafeTensorsMetadata {
    const char *key, *value; /* UTF-8 */
} SafeTensorsMetadata;

/*
 * Writes `tensors` [count] (names unique, in any order; data borrowed) and `metadata`
 * [metadata_count] (keys unique) atomically: beside the target, synced, renamed. The layout is the
 * reference implementation's: wider types first, then bytewise by name, the header padded with
 * spaces to a multiple of 8, so every number is aligned. Types that are not computed with are kept
 * (DTYPE_COUNT and dtype_text, as a reader gives them). The bytes depend on the set of arguments
 * alone. STATUS_FAILED, with the old file untouched, when the disk is full, memory is short (the
 * header is read back before it is written) or a string is not UTF-8.
 */
Status safetensors_write(const char *path, const SafeTensor *tensors, int count,
                         const SafeTensorsMetadata *metadata, int metadata_count, Error *error);

#endif
