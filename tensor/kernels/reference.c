/*
 * reference.c - the kernels in portable C: the text to read, what a processor without an overlay runs,
 * and the oracle of the overlays' tests. The products are in product_reference.c.
 */
#define KERNELS_TARGET        /* whatever the whole build targets */
#define KERNELS_MADD(a, b, c) ((a) * (b) + (c))
#include "tensor/kernels/rows_template.h"

void kernels_overlay_reference(Kernels *table)
{
    overlay_rows(table);
    table->product[PRECISION_F32] = kernels_product_f32_reference;
    table->product[PRECISION_BF16] = kernels_product_bf16_reference;
    table->product[PRECISION_INT8] = kernels_product_int8_reference;
    table->interleave = kernels_interleave_reference;
    table->transpose = kernels_transpose_reference;
    table->product_is_fast = false;
    table->product_wants_odd_rows = false;
}
