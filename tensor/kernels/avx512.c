/*
 * avx512.c - what processors with AVX-512 (F, BW, DQ, VL) run: rows_avx512.c, elements_avx512.c and
 * product_avx512.c; and the rungs above, which have the same row kernels and better products.
 */
#include "tensor/kernels/variants_private.h"

#if defined(__x86_64__)

void kernels_overlay_avx512(Kernels *table)
{
    kernels_overlay_rows_avx512(table);
    kernels_overlay_elements_avx512(table);
    table->product[PRECISION_F32] = kernels_product_f32_avx512;
    table->product[PRECISION_BF16] = kernels_product_bf16_avx512;
    table->interleave = kernels_interleave_avx512;
    table->transpose = kernels_transpose_avx512;
    table->product_is_fast = true;
}

void kernels_overlay_avx512_vnni(Kernels *table)
{
    table->product[PRECISION_INT8] = kernels_product_int8_avx512_vnni;
}

void kernels_overlay_avx512_bf16(Kernels *table)
{
    table->product[PRECISION_BF16] = kernels_product_bf16_avx512_bf16;
}

void kernels_overlay_amx(Kernels *table)
{
    table->product[PRECISION_BF16] = kernels_product_bf16_amx;
    table->product[PRECISION_INT8] = kernels_product_int8_amx;
    table->product_wants_odd_rows = true;
}

#endif
