/*
 * gemm.h - the matrix product. All calls to OpenBLAS are in gemm.c.
 *
 * Tests: tests/test_gemm.c.
 */
#ifndef LNCLIP_TENSOR_GEMM_H
#define LNCLIP_TENSOR_GEMM_H

#include <stdbool.h>

/*
 * C[M,N] = alpha op(A) op(B) + beta C, row-major, on the calling thread alone. op(A) is [M,K]: A is
 * stored [M,K], or [K,M] when transpose_a. op(B) is [K,N]: B is stored [K,N], or [N,K] when
 * transpose_b. M, N, K >= 1. lda, ldb, ldc: floats between rows as stored. C must not overlap A or
 * B; with beta = 0 the old values of C are not read. Thread-safe. OpenBLAS, or the plain C loop
 * under LNCLIP_CPU=ref.
 */
void gemm(bool transpose_a, bool transpose_b, int M, int N, int K, float alpha, const float *A,
          int lda, const float *B, int ldb, float beta, float *C, int ldc);

/*
 * The library behind gemm, and the core type it chose, e.g. "OpenBLAS 0.3.21", "SkylakeX"; "plain
 * C", "ref" under LNCLIP_CPU=ref. Static strings. Thread-safe.
 */
const char *gemm_library(void);
const char *gemm_core(void);

#endif
