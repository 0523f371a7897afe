/*
 * tower.c - see tower.h.
 */
#include "vit/towers/tower.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const VitTower *const vit_tower_default = &vit_clip;

void vit_tensor_name(const VitTower *tower, const VitTensorRow *row, int block,
                     char name[VIT_NAME_SIZE])
{
    const int length = vit_slot_in_block(row->slot)
                           ? snprintf(name, VIT_NAME_SIZE, "%s%s%d.%s", tower->prefix, tower->block,
                                      block, row->name)
                           : snprintf(name, VIT_NAME_SIZE, "%s%s", tower->prefix, row->name);
    assert(length > 0 && length < VIT_NAME_SIZE);
    (void)length;
}

const VitTensorRow *vit_tower_row(const VitTower *tower, VitSlot slot)
{
    for (int i = 0; i < tower->row_count; i++)
        if (tower->rows[i].slot == slot)
            return &tower->rows[i];
    return NULL;
}

bool vit_tower_begins(const VitTower *tower, const char *name)
{
    for (int i = 0; i < tower->row_count; i++) {
        const VitTensorRow *row = &tower->rows[i];
        const bool in_block = vit_slot_in_block(row->slot);
        const char *begin = in_block ? tower->block : row->name;
        const size_t length = in_block ? strlen(begin) : strcspn(begin, ".") + 1;
        if (strncmp(name, begin, length) == 0)
            return true;
    }
    return false;
}

bool vit_tower_ignores(const VitTower *tower, const char *name)
{
    const size_t length = strlen(name), end = strlen(tower->ignored_suffix);
    for (int i = 0; tower->ignored[i]; i++)
        if (strcmp(name, tower->ignored[i]) == 0)
            return true;
    return strncmp(name, tower->ignored_prefix, strlen(tower->ignored_prefix)) == 0 ||
           (length >= end && strcmp(name + length - end, tower->ignored_suffix) == 0);
}
