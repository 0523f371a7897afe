/*
 * table.h - a hash table from texts to numbers, with open addressing.
 *
 * The table stores only numbers; the caller's `key_of` returns the text of a number. So texts are
 * stored once, by the caller. Equal texts of different groups are different keys (one table can
 * serve the frames of several data sets). Not thread-safe.
 *
 * Tests: tests/test_base.c.
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
} Table; /* must be zero-initialised */

/* Returns the key of the number `value`. `context` is the one passed to table_find. */
typedef TableKey (*TableKeyOf)(const void *context, uint32_t value);

/*
 * Looks up `key`. If found, sets *value to its number and *added to false. Otherwise stores *value
 * (below 2^32 - 1) under `key` and sets *added to true; from then on `key_of` must return `key` for
 * that number. On failure (out of memory) nothing changes.
 */
Status table_find(Table *table, TableKey key, TableKeyOf key_of, const void *context,
                  uint32_t *value, bool *added, Error *error);

/* Removes all entries and frees the memory. */
void table_free(Table *table);

#endif
