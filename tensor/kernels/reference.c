/*
 * reference.c - the kernels in portable C: the text to read, what a processor without an overlay runs,
 * and the oracle of the overlays' tests.
 */
#define KERNELS_NAME          "ref"
#define KERNELS_TARGET        /* whatever the whole build targets */
#define KERNELS_MADD(a, b, c) ((a) * (b) + (c))
#include "tensor/kernels/rows_template.h"

const Kernels *kernels_reference(void)
{
    return &variant;
}
