/*
 * panels_private.h - arithmetic of panels and groups, for the files that lay out operands. Private
 * to tensor/.
 *
 * Tests: tests/test_packed.c.
 */
#ifndef LNCLIP_TENSOR_PANELS_PRIVATE_H
#define LNCLIP_TENSOR_PANELS_PRIVATE_H

/* Number of parts of `size` that cover `total`. */
static inline int parts_of(int total, int size)
{
    return total / size + (total % size != 0);
}

#endif
