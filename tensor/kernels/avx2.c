/*
 * avx2.c - what processors with AVX2 and FMA run: the text of rows_template.h, eight lanes at a
 * time, and product_avx2.c.
 */
#include "tensor/kernels/variants_private.h"

#if defined(__x86_64__)

#define KERNELS_TARGET        __attribute__((target("avx2,fma")))
#define KERNELS_MADD(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/kernels/rows_template.h"

void kernels_overlay_avx2(Kernels *table)
{
    overlay_rows(table);
    table->product[PRECISION_F32] = kernels_product_f32_avx2;
    table->product[PRECISION_BF16] = kernels_product_bf16_avx2;
    table->product[PRECISION_INT8] = kernels_product_int8_avx2;
    table->interleave = kernels_interleave_avx2;
    table->transpose = kernels_transpose_avx2;
    table->product_is_fast = true;
}

#endif
