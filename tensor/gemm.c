/*
 * gemm.c - see gemm.h. OpenBLAS runs with one thread, since parallel work is divided into tasks
 * (tensor/threads.h). The plain loop is for LNCLIP_CPU=ref.
 */
#include "tensor/gemm.h"

#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <cblas.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LIBRARY_NAME_SIZE = 64 };

static pthread_once_t gemm_once = PTHREAD_ONCE_INIT;
static char library_name[LIBRARY_NAME_SIZE];

/*
 * The configuration is like "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."; the name is its first
 * two words.
 */
static void gemm_start(void)
{
    openblas_set_num_threads(1);
    char product[LIBRARY_NAME_SIZE / 2] = "OpenBLAS", version[LIBRARY_NAME_SIZE / 2 - 1] = "";
    sscanf(openblas_get_config(), "%31s %30s", product, version);
    snprintf(library_name, sizeof library_name, "%s%s%s", product, version[0] ? " " : "", version);
}

/* C = beta C, without reading C when beta is 0. */
static void scale_rows(int M, int N, float beta, float *C, size_t ldc)
{
    for (int m = 0; m < M; m++) {
        float *row = C + (size_t)m * ldc;
        if (beta == 0)
            memset(row, 0, N * sizeof *row);
        else if (beta != 1)
            for (int n = 0; n < N; n++)
                row[n] *= beta;
    }
}

/*
 * The product in plain C, one element of A times one row of B at a time, so that the inner loop
 * runs along rows of B and C. If B is stored transposed, blocks of it are transposed first.
 */
static void gemm_plain(bool transpose_a, bool transpose_b, int M, int N, int K, float alpha,
                       const float *A, size_t lda, const float *B, size_t ldb, float *C, size_t ldc)
{
    enum { BLOCK_K = 32, BLOCK_N = 256 };
    float transposed[BLOCK_K][BLOCK_N];
    for (int n0 = 0; n0 < N; n0 += BLOCK_N) {
        const int columns = N - n0 < BLOCK_N ? N - n0 : BLOCK_N;
        for (int k0 = 0; k0 < K; k0 += BLOCK_K) {
            const int depth = K - k0 < BLOCK_K ? K - k0 : BLOCK_K;
            for (int n = 0; transpose_b && n < columns; n++)
                for (int k = 0; k < depth; k++)
                    transposed[k][n] = B[(size_t)(n0 + n) * ldb + (size_t)(k0 + k)];
            for (int m = 0; m < M; m++) {
                float *const restrict c = C + (size_t)m * ldc + n0;
                for (int k = 0; k < depth; k++) {
                    const size_t row = (size_t)(k0 + k);
                    const float a =
                        alpha * (transpose_a ? A[row * lda + (size_t)m] : A[(size_t)m * lda + row]);
                    const float *const restrict b =
                        transpose_b ? transposed[k] : B + row * ldb + n0;
                    for (int n = 0; n < columns; n++)
                        c[n] += a * b[n];
                }
            }
        }
    }
}

void gemm(bool transpose_a, bool transpose_b, int M, int N, int K, float alpha, const float *A,
          int lda, const float *B, int ldb, float beta, float *C, int ldc)
{
    assert(M > 0 && N > 0 && K > 0);
    assert(lda >= (transpose_a ? M : K) && ldb >= (transpose_b ? K : N) && ldc >= N);
    assert(A && B && C);
    if (kernels_plain()) {
        scale_rows(M, N, beta, C, ldc);
        gemm_plain(transpose_a, transpose_b, M, N, K, alpha, A, lda, B, ldb, C, ldc);
        return;
    }
    pthread_once(&gemm_once, gemm_start);
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, M, N, K, alpha, A, lda, B, ldb, beta, C,
                ldc);
}

const char *gemm_library(void)
{
    if (kernels_plain())
        return "plain C";
    pthread_once(&gemm_once, gemm_start);
    return library_name;
}

const char *gemm_core(void)
{
    return kernels_plain() ? "ref" : openblas_get_corename();
}
