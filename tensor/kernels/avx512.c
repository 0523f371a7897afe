/*
 * avx512.c - the kernels for processors with AVX-512 (F, BW, DQ, VL): the text of rows_template.h, sixteen
 * lanes at a time; and product_avx512.c.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#define KERNELS_NAME          "avx512"
#define KERNELS_TARGET        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define KERNELS_MADD(a, b, c) __builtin_fmaf(a, b, c)
#define KERNELS_PRODUCT_F32   kernels_product_f32_avx512
#define KERNELS_INTERLEAVE    kernels_interleave_avx512
#define KERNELS_TRANSPOSE     kernels_transpose_avx512
#include "tensor/kernels/rows_template.h"

const Kernels *kernels_avx512_table(void)
{
    return &variant;
}

#else

const Kernels *kernels_avx512_table(void)
{
    return NULL;
}

#endif
