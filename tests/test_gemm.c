/*
 * test_gemm.c - the matrix product against sums in double, by OpenBLAS and by the plain loop.
 */
#include "tests/support.h"

#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/threads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST = 300, SLACK = 3 }; /* SLACK: floats between rows that must stay as they are */

static float A[LARGEST * (LARGEST + SLACK)], B[LARGEST * (LARGEST + SLACK)];
static float C[LARGEST * (LARGEST + SLACK)], before[LARGEST * (LARGEST + SLACK)];

typedef struct Product {
    bool transpose_a, transpose_b;
    int M, N, K;
    float alpha, beta;
} Product;

static void check_product(Product p)
{
    const int lda = (p.transpose_a ? p.M : p.K) + SLACK, ldb = (p.transpose_b ? p.K : p.N) + SLACK;
    const int ldc = p.N + SLACK;
    memcpy(C, before, sizeof C);
    if (p.beta == 0)
        for (int m = 0; m < p.M; m++)
            for (int n = 0; n < p.N; n++)
                C[m * ldc + n] = NAN; /* must not be read */
    gemm(p.transpose_a, p.transpose_b, p.M, p.N, p.K, p.alpha, A, lda, B, ldb, p.beta, C, ldc);
    for (int m = 0; m < p.M; m++) {
        for (int n = 0; n < p.N; n++) {
            double sum = 0, magnitude = 0;
            for (int k = 0; k < p.K; k++) {
                const double a = p.transpose_a ? A[k * lda + m] : A[m * lda + k];
                const double b = p.transpose_b ? B[n * ldb + k] : B[k * ldb + n];
                sum += a * b;
                magnitude += fabs(a * b);
            }
            const double old = p.beta == 0 ? 0 : (double)p.beta * before[m * ldc + n];
            const double wanted = p.alpha * sum + old, found = C[m * ldc + n];
            ck_each(fabs(found - wanted) <= 1e-6 * (fabs(p.alpha) * magnitude + fabs(old)),
                    "%s: trans %d %d, M %d N %d K %d, alpha %g beta %g: C[%d,%d] = %.9g, not %.9g",
                    gemm_library(), p.transpose_a, p.transpose_b, p.M, p.N, p.K, (double)p.alpha,
                    (double)p.beta, m, n, found, wanted);
        }
        ck_each(memcmp(&C[m * ldc + p.N], &before[m * ldc + p.N], SLACK * sizeof *C) == 0,
                "M %d N %d K %d: written beyond row %d", p.M, p.N, p.K, m);
    }
}

static void check_all_products(void)
{
    static const int shapes[][3] = {{1, 1, 1},    {1, 7, 3},     {5, 1, 9},     {2, 3, 1},
                                    {17, 33, 65}, {64, 64, 64},  {50, 257, 31}, {257, 64, 33},
                                    {3, 300, 40}, {130, 20, 300}};
    static const float factors[][2] = {{1, 0}, {1, 1}, {0.5f, -2}, {-1, 0.25f}};
    support_fill_normal(A, sizeof A / sizeof *A, 1, 1);
    support_fill_normal(B, sizeof B / sizeof *B, 2, 1);
    support_fill_normal(before, sizeof before / sizeof *before, 3, 1);
    for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++)
        for (int transposed = 0; transposed < 4; transposed++)
            for (int factor = 0; factor < 4; factor++)
                check_product((Product){.transpose_a = transposed & 1,
                                        .transpose_b = transposed & 2,
                                        .M = shapes[shape][0],
                                        .N = shapes[shape][1],
                                        .K = shapes[shape][2],
                                        .alpha = factors[factor][0],
                                        .beta = factors[factor][1]});
}

START_TEST(products_equal_sums_in_double)
{
    check_all_products();
}
END_TEST

/* Needs a process of its own: the choice is made once. */
static bool forked(void)
{
    const char *const mode = getenv("CK_FORK");
    return !mode || strcmp(mode, "no") != 0;
}

START_TEST(the_plain_loop_equals_sums_in_double)
{
    if (!forked())
        return;
    setenv("LNCLIP_CPU", "ref", 1);
    check_all_products();
    ck_assert_str_eq(gemm_library(), "plain C");
    ck_assert_str_eq(gemm_core(), "ref");
}
END_TEST

START_TEST(the_library_names_itself)
{
    if (!forked())
        return;
    unsetenv("LNCLIP_CPU");
    ck_each(strncmp(gemm_library(), "OpenBLAS", 8) == 0, "%s", gemm_library());
    ck_assert(strlen(gemm_core()) > 0 && strcmp(gemm_core(), "ref") != 0);
}
END_TEST

/* Many products at once give the bits of one alone. */
enum { TASKS = 16, SIDE = 100 };
static float together[TASKS][SIDE * SIDE];

static void product_task(void *context, int task, int worker)
{
    (void)context;
    (void)worker;
    gemm(false, true, SIDE, SIDE, SIDE, 1, A + task, SIDE + SLACK, B + task, SIDE + SLACK, 0,
         together[task], SIDE);
}

START_TEST(concurrent_products_do_not_disturb_each_other)
{
    Error error;
    Threads *threads;
    static float alone[TASKS][SIDE * SIDE];
    support_fill_normal(A, sizeof A / sizeof *A, 1, 1);
    support_fill_normal(B, sizeof B / sizeof *B, 2, 1);
    threads_run(NULL, TASKS, product_task, NULL);
    memcpy(alone, together, sizeof alone);
    ck_ok(threads_create(&threads, 4, &error), &error);
    for (int round = 0; round < 20; round++) {
        memset(together, 0, sizeof together);
        threads_run(threads, TASKS, product_task, NULL);
        ck_assert_mem_eq(together, alone, sizeof alone);
    }
    threads_destroy(threads);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("gemm");
    TCase *const all = support_case(suite, "gemm", 120);
    tcase_add_test(all, products_equal_sums_in_double);
    tcase_add_test(all, the_plain_loop_equals_sums_in_double);
    tcase_add_test(all, the_library_names_itself);
    tcase_add_test(all, concurrent_products_do_not_disturb_each_other);
    return support_main(suite);
}
