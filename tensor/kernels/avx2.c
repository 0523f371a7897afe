/*
 * avx2.c - the kernels for processors with AVX2 and FMA: the text of rows_template.h, eight lanes at
 * a time.
 */
#include "tensor/kernels/variants.h"

#if defined(__x86_64__)

#define KERNELS_NAME          "avx2"
#define KERNELS_TARGET        __attribute__((target("avx2,fma")))
#define KERNELS_MADD(a, b, c) __builtin_fmaf(a, b, c)
#include "tensor/kernels/rows_template.h"

const Kernels *kernels_avx2_table(void)
{
    return &variant;
}

#else

const Kernels *kernels_avx2_table(void)
{
    return NULL;
}

#endif
