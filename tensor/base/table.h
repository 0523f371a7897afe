/*
 * table.h - a hash table from texts to numbers, by open addressing.
 *
 * The table holds numbers alone. What text a number stands for, its owner tells through `key_of`:
 * so the texts are stored once, wherever the owner keeps them. Texts of different groups differ
 * (one table serves the frames of several data sets). Not thread-safe.
 */
#ifndef LNCLIP_TENSOR_BASE_TABLE_H
#define LNCLIP_TENSOR_BASE_TABLE_H

#include "tensor/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TableKey {
    const char *text; /* [length], borrowed */
    size_t length;
    uint32_t group;
} TableKey;

typedef struct Table {
    struct TableSlot *slots; /* [capacity] */
    size_t capacity;         /* 0 or a power of two, more than 4/3 of `used` */
    size_t used;
} Table; /* zero-initialised */

/* The key that number `value` was stored for. `context` is what the caller of table_find passes. */
typedef TableKey (*TableKeyOf)(const void *context, uint32_t value);

/*
 * Looks `key` up. If it is known, *value becomes its number and *added false; else *value, below
 * 2^32 - 1, is stored for it and *added is true: the caller then makes `key_of` know it. On failure
 * (no memory) nothing changes.
 */
Status table_find(Table *table, TableKey key, TableKeyOf key_of, const void *context,
                  uint32_t *value, bool *added, Error *error);

/* Forgets all and frees the memory. */
void table_free(Table *table);

#endif
