/*
 * avx2.c - what processors with AVX2 and FMA run: the text of rows_template.h, eight lanes at a time.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#define KERNELS_TARGET        __attribute__((target("avx2,fma")))
#define KERNELS_MADD(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/kernels/rows_template.h"

void kernels_overlay_avx2(Kernels *table)
{
    overlay_rows(table);
}

#endif
