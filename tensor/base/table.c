/*
 * table.c - see table.h.
 */
#include "tensor/base/table.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct TableSlot {
    uint32_t value_plus_one; /* 0: free */
    uint32_t hash;
} TableSlot;

/* Makes room for one more entry. */
static Status make_room(Table *table, Error *error)
{
    enum { FIRST = 64 };
    if ((table->used + 1) * 4 < table->capacity * 3)
        return STATUS_OK;
    const size_t capacity = table->capacity > 0 ? 2 * table->capacity : FIRST;
    TableSlot *slots = mem_new(capacity, sizeof *slots, "a table of names", error);
    if (!slots)
        return error->status;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].value_plus_one == 0)
            continue;
        size_t at = table->slots[i].hash & (capacity - 1);
        while (slots[at].value_plus_one != 0)
            at = (at + 1) & (capacity - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return STATUS_OK;
}

Status table_find(Table *table, TableKey key, TableKeyOf key_of, const void *context,
                  uint32_t *value, bool *added, Error *error)
{
    assert(table && key.text && key_of && value && added && *value < UINT32_MAX);
    TRY(make_room(table, error));
    const uint32_t hash = (uint32_t)XXH3_64bits_withSeed(key.text, key.length, key.group);
    TableSlot *slot = &table->slots[hash & (table->capacity - 1)];
    for (; slot->value_plus_one != 0;
         slot = slot + 1 < table->slots + table->capacity ? slot + 1 : table->slots) {
        if (slot->hash != hash)
            continue;
        const TableKey other = key_of(context, slot->value_plus_one - 1);
        if (other.group != key.group || other.length != key.length ||
            memcmp(other.text, key.text, key.length) != 0)
            continue;
        *value = slot->value_plus_one - 1;
        *added = false;
        return STATUS_OK;
    }
    *slot = (TableSlot){.value_plus_one = *value + 1, .hash = hash};
    table->used++;
    *added = true;
    return STATUS_OK;
}

void table_free(Table *table)
{
    free(table->slots);
    *table = (Table){0};
}
