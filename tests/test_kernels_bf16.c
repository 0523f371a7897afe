/*
 * test_kernels_bf16.c - every variant of the kernels that write or read bf16 and int8: accuracy
 * against double precision (softmax: test_kernels_softmax.c), exact bits where the contract
 * requires them, and all small sizes at both ends of guarded memory. With LNCLIP_TEST_TIME=1 it
 * also prints the time of each kernel on rows or elements.
 */
#include "tensor/random.h"
#include "tests/support_guard.h"
#include "tests/support_kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIZE = 70, LONG_ROW = 300, COLUMNS = KERNELS_COLUMNS };

/* --- Conversions --- */

START_TEST(conversions_are_exact)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { UPPER = 0x10000, LOWER = sizeof lower / sizeof *lower };
    static uint32_t bits[UPPER];
    static float x[UPPER];
    static uint16_t y[UPPER], again[UPPER];
    for (int l = 0; l < LOWER; l++) {
        for (uint32_t i = 0; i < UPPER; i++)
            bits[i] = i << 16 | lower[l];
        memcpy(x, bits, sizeof x);
        table->to_bf16(x, y, UPPER);
        for (int i = 0; i < UPPER; i++)
            ck_each(isnan(x[i]) ? isnan(support_f32_of(y[i])) : y[i] == dtype_bf16_from_f32(x[i]),
                    "%s: %08x becomes %04x", table->name, (unsigned)bits[i], (unsigned)y[i]);
        kernels_reference()->to_bf16(x, again, UPPER);
        ck_assert(memcmp(y, again, sizeof y) ==
                  0); /* NaNs too: every ISA level stores the same file */
    }
    for (int i = 0; i < UPPER; i++)
        y[i] = (uint16_t)i;
    table->from_bf16(y, x, UPPER);
    memcpy(bits, x, sizeof bits);
    for (uint32_t i = 0; i < UPPER; i++)
        ck_each(bits[i] == i << 16, "%s: %04x becomes %08x", table->name, (unsigned)i,
                (unsigned)bits[i]);
}
END_TEST

/* --- LayerNorm --- */

START_TEST(layer_norm_bf16_is_rounded_once)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int D = 1; D <= LONG_ROW; D += 1 + D / 9) {
        float x[LONG_ROW], gamma[LONG_ROW], beta[LONG_ROW], y[LONG_ROW], mean, rstd, rstd16;
        uint16_t y16[LONG_ROW], xhat[LONG_ROW], alone[LONG_ROW];
        support_fill_normal(x, (size_t)D, 1, 3);
        support_fill_normal(gamma, (size_t)D, 2, 1);
        support_fill_normal(beta, (size_t)D, 3, 1);
        table->layer_norm(x, gamma, beta, D, 1e-5f, y, &mean, &rstd);
        table->layer_norm_bf16(x, gamma, beta, D, 1e-5f, y16, xhat, &rstd16);
        table->layer_norm_bf16(x, gamma, beta, D, 1e-5f, alone, NULL, &rstd16);
        ck_assert(rstd == rstd16 && memcmp(y16, alone, (size_t)D * sizeof *y16) == 0);
        for (int d = 0; d < D; d++) {
            ck_assert(y16[d] == dtype_bf16_from_f32(y[d]));
            ck_assert(xhat[d] == dtype_bf16_from_f32((x[d] - mean) * rstd));
        }
    }
}
END_TEST

START_TEST(layer_norm_backward_bf16_is_the_derivative)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int D = 1; D <= LONG_ROW; D += 1 + D / 9) {
        float numbers[LONG_ROW], gamma[LONG_ROW], dx[LONG_ROW], dgamma[LONG_ROW], dbeta[LONG_ROW];
        uint16_t xhat[LONG_ROW], dy[LONG_ROW];
        support_fill_normal(numbers, (size_t)D, 1, 1);
        kernels_reference()->to_bf16(numbers, xhat, (size_t)D);
        support_fill_normal(numbers, (size_t)D, 2, 1);
        kernels_reference()->to_bf16(numbers, dy, (size_t)D);
        support_fill_normal(gamma, (size_t)D, 3, 1);
        const float rstd = 1.5f;
        double mean_g = 0, mean_gx = 0;
        for (int d = 0; d < D; d++) {
            dx[d] = 1, dgamma[d] = 2, dbeta[d] = 3; /* the kernel adds to them */
            const double g = (double)gamma[d] * support_f32_of(dy[d]);
            mean_g += g / D;
            mean_gx += g * support_f32_of(xhat[d]) / D;
        }
        table->layer_norm_backward_bf16(xhat, gamma, dy, D, rstd, dx, dgamma, dbeta);
        for (int d = 0; d < D; d++) {
            const double x = support_f32_of(xhat[d]), g = support_f32_of(dy[d]);
            ck_close(dx[d], 1 + rstd * (gamma[d] * g - mean_g - x * mean_gx), 3e-6);
            ck_close(dgamma[d], 2 + g * x, 1e-6);
            ck_close(dbeta[d], 3 + g, 1e-6);
        }
        table->layer_norm_backward_bf16(xhat, gamma, dy, D, rstd, NULL, NULL, NULL);
    }
}
END_TEST

/* --- Quantisation --- */

START_TEST(quantised_bytes_are_the_nearest)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int n = 1; n <= LONG_ROW; n += 1 + n / 9) {
        for (int with_factor = 0; with_factor < 2; with_factor++) {
            float numbers[LONG_ROW], factor[LONG_ROW];
            uint16_t x[LONG_ROW];
            uint8_t y[LONG_ROW], reference[LONG_ROW];
            support_fill_normal(numbers, (size_t)n, (unsigned)n, with_factor ? 1e-3 : 50);
            support_fill_normal(factor, (size_t)n, 7, 2);
            kernels_reference()->to_bf16(numbers, x, (size_t)n);
            const float *const f = with_factor ? factor : NULL;
            if (n % 3 == 0) /* like the output of an activation: not negative */
                for (int i = 0; i < n; i++)
                    x[i] &= 0x7fff;
            int32_t zero, reference_zero;
            const float step = table->quantize(x, f, n, y, &zero);
            ck_assert(step == kernels_reference()->quantize(x, f, n, reference, &reference_zero));
            ck_assert_int_eq(zero, reference_zero);
            ck_assert(memcmp(y, reference, (size_t)n) == 0);
            float least = 0, largest = 0;
            for (int i = 0; i < n; i++) {
                least = fminf(least, support_f32_of(x[i]) * (f ? f[i] : 1));
                largest = fmaxf(largest, support_f32_of(x[i]) * (f ? f[i] : 1));
            }
            ck_close(step, ((double)largest - (double)least) / 254, 1e-6 * (double)step);
            ck_assert(fabs(zero + (double)least / (double)step) <= 0.5001);
            for (int i = 0; i < n; i++) {
                const double wanted =
                    (double)support_f32_of(x[i]) * (f ? (double)f[i] : 1) / (double)step;
                ck_each(fabs(y[i] - zero - wanted) <= 0.5001, "%s: %d, not %g", table->name,
                        y[i] - zero, wanted);
            }
        }
    }
    uint16_t zeros[LONG_ROW] = {0, 0x8000};
    uint8_t y[LONG_ROW];
    int32_t zero;
    ck_assert(table->quantize(zeros, NULL, LONG_ROW, y, &zero) == 0);
    for (int i = 0; i < LONG_ROW; i++)
        ck_assert_int_eq(y[i], zero);
}
END_TEST

/* --- Agreement with the reference between guarded pages --- */

enum { OPERANDS = 4 };

/* Operands of n elements. f32 and bf16 share memory: a run uses each place for one type. */
typedef struct Operands {
    float *f32[OPERANDS];
    uint16_t *bf16[2 * OPERANDS];
    int n;
} Operands;

static void run_conversions(const Kernels *table, const Operands *o)
{
    table->to_bf16(o->f32[0], o->bf16[0], (size_t)o->n);
    table->from_bf16(o->bf16[1], o->f32[1], (size_t)o->n);
    table->pair(o->bf16[1], o->bf16[2], (size_t)o->n, (uint32_t *)o->f32[2]);
}

static void run_quantize(const Kernels *table, const Operands *o)
{
    int32_t zero;
    o->f32[1][0] =
        table->quantize(o->bf16[1], o->f32[0], o->n, (uint8_t *)o->bf16[0] + o->n, &zero);
    o->f32[2][0] = table->quantize(o->bf16[1], NULL, o->n, (uint8_t *)o->bf16[2] + o->n, &zero);
}

static void run_softmax(const Kernels *table, const Operands *o)
{
    o->f32[1][0] = table->softmax_bf16(o->f32[0], o->n, 0.5f, o->bf16[0], &o->f32[2][0]);
}

/*
 * Two rows with the same scores and dP but different lse. Both write dS to the same place, so that
 * of the second remains. Pairs are split for the comparison.
 */
static void run_softmax_gradient(const Kernels *table, const Operands *o)
{
    const float lse[2] = {3, 2.5f};
    uint32_t *const pairs[2] = {(void *)o->f32[2], (void *)o->f32[3]};
    const KernelScores s = {.rows = 2,
                            .n = o->n,
                            .scale = 0.5f,
                            .lse = lse,
                            .scores = o->f32[0],
                            .dP = o->f32[1],
                            .dS = o->bf16[0],
                            .P_pairs = pairs[0],
                            .dS_pairs = pairs[1],
                            .step = COLUMNS};
    table->softmax_gradient_bf16(&s);
    for (int i = 0; i < o->n; i++) {
        for (int r = 0; r < 2; r++)
            for (int which = 0; which < 2; which++)
                o->bf16[1 + 2 * which + r][i] = (uint16_t)(pairs[which][i] >> 16 * r);
        pairs[0][i] = pairs[1][i] = 0;
    }
    table->softmax_gradient(o->f32[0], o->f32[1], COLUMNS, o->n, 0.5f, 3);
}

static void run_layer_norm(const Kernels *table, const Operands *o)
{
    table->layer_norm_bf16(o->f32[0], o->f32[1], o->f32[2], o->n, 1e-5f, o->bf16[0], o->bf16[1],
                           &o->f32[3][0]);
}

static void run_layer_norm_backward(const Kernels *table, const Operands *o)
{
    table->layer_norm_backward_bf16(o->bf16[0], o->f32[0], o->bf16[1], o->n, 1.5f, o->f32[1],
                                    o->f32[2], o->f32[3]);
}

static const struct {
    const char *name;
    void (*run)(const Kernels *table, const Operands *o);
    double tolerance; /* relative to max(|result|, 0.1); a step of bf16 is 1 / 128 */
} RUNS[] = {
    {"conversions", run_conversions, 0},
    {"quantize", run_quantize, 0},
    {"softmax_bf16", run_softmax, 0.01},
    {"softmax_gradient", run_softmax_gradient, 0.01},
    {"layer_norm_bf16", run_layer_norm, 0.01},
    {"layer_norm_backward_bf16", run_layer_norm_backward, 1e-5},
};
enum { RUN_COUNT = sizeof RUNS / sizeof *RUNS };

static void fill_operands(const Operands *o, int which)
{
    for (int i = 0; i < OPERANDS; i++)
        support_fill_normal(o->f32[i], (size_t)o->n, (unsigned)(100 * which + i), 2);
    for (int i = 0; i < 2 * OPERANDS; i++) {
        float numbers[MAX_SIZE];
        support_fill_normal(numbers, (size_t)o->n, (unsigned)(100 * which + 50 + i), 2);
        for (int j = 0; j < o->n; j++)
            o->bf16[i][j] = dtype_bf16_from_f32(numbers[j]);
    }
}

static bool near(double a, double b, double tolerance)
{
    return a == b || fabs(a - b) <= tolerance * fmax(fabs(b), 0.1);
}

static void compare_operands(const Kernels *table, int which, const Operands *found,
                             const Operands *wanted)
{
    const double tolerance = RUNS[which].tolerance;
    for (int i = 0; i < OPERANDS; i++)
        for (int j = 0; j < found->n; j++)
            ck_each(memcmp(&found->f32[i][j], &wanted->f32[i][j], sizeof(float)) == 0 ||
                        near(found->f32[i][j], wanted->f32[i][j], tolerance),
                    "%s: %s, n %d: f32 operand %d [%d] is %g, not %g", table->name,
                    RUNS[which].name, found->n, i, j, (double)found->f32[i][j],
                    (double)wanted->f32[i][j]);
    for (int i = 0; i < 2 * OPERANDS; i++)
        for (int j = 0; j < found->n; j++)
            ck_each(found->bf16[i][j] == wanted->bf16[i][j] ||
                        near(support_f32_of(found->bf16[i][j]), support_f32_of(wanted->bf16[i][j]),
                             tolerance),
                    "%s: %s, n %d: bf16 operand %d [%d] is %g, not %g", table->name,
                    RUNS[which].name, found->n, i, j, (double)support_f32_of(found->bf16[i][j]),
                    (double)support_f32_of(wanted->bf16[i][j]));
}

START_TEST(variants_agree_with_the_reference_and_stay_inside)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    SupportGuarded memory[3 * OPERANDS];
    float f32[OPERANDS][MAX_SIZE];
    uint16_t bf16[2 * OPERANDS][MAX_SIZE];
    for (int i = 0; i < 3 * OPERANDS; i++)
        memory[i] = support_guarded(MAX_SIZE * sizeof(float), sizeof(float));
    for (int n = 1; n <= MAX_SIZE; n++) {
        for (int which = 0; which < 2 * RUN_COUNT; which++) {
            const bool at_end = which % 2;
            Operands found = {.n = n}, wanted = {.n = n};
            for (int i = 0; i < OPERANDS; i++) {
                found.f32[i] = support_guarded_place(&memory[i], (size_t)n * sizeof(float),
                                                     sizeof(float), at_end);
                wanted.f32[i] = f32[i];
            }
            for (int i = 0; i < 2 * OPERANDS; i++) {
                found.bf16[i] = support_guarded_place(
                    &memory[OPERANDS + i], (size_t)n * sizeof(uint16_t), sizeof(uint16_t), at_end);
                wanted.bf16[i] = bf16[i];
            }
            fill_operands(&found, which / 2);
            fill_operands(&wanted, which / 2);
            RUNS[which / 2].run(table, &found);
            RUNS[which / 2].run(kernels_reference(), &wanted);
            compare_operands(table, which / 2, &found, &wanted);
        }
    }
    for (int i = 0; i < 3 * OPERANDS; i++)
        support_guarded_free(&memory[i]);
}
END_TEST

/* --- Speed, on request --- */

enum { TIMED = 1024, TOKENS = 257 };
static float timed_f32[4][TIMED];
static uint16_t timed_bf16[3][TIMED];

static void time_exp(const Kernels *t)
{
    t->exp(timed_f32[0], timed_f32[3], TIMED);
}

static void time_quick_gelu(const Kernels *t)
{
    t->quick_gelu(timed_f32[0], timed_f32[3], TIMED);
}

static void time_quick_gelu_backward(const Kernels *t)
{
    t->quick_gelu_backward(timed_f32[0], timed_f32[1], timed_f32[3], TIMED);
}

static void time_gelu(const Kernels *t)
{
    t->gelu(timed_f32[0], timed_f32[3], TIMED);
}

static void time_softmax(const Kernels *t)
{
    memcpy(timed_f32[3], timed_f32[0], TOKENS * sizeof(float));
    t->softmax(timed_f32[3], TOKENS, 0.125f);
}

static void time_softmax_bf16(const Kernels *t)
{
    t->softmax_bf16(timed_f32[0], TOKENS, 0.125f, timed_bf16[1], timed_f32[3]);
}

static void time_softmax_gradient_bf16(const Kernels *t)
{
    const float lse[2] = {3, 3};
    const KernelScores s = {.rows = 2,
                            .n = TOKENS,
                            .scale = 0.125f,
                            .lse = lse,
                            .scores = timed_f32[0],
                            .dP = timed_f32[1],
                            .ld = TOKENS,
                            .dS = timed_bf16[1],
                            .ld_dS = TOKENS,
                            .P_pairs = (void *)timed_f32[3],
                            .dS_pairs = (void *)(timed_f32[3] + TIMED / 2),
                            .step = COLUMNS};
    t->softmax_gradient_bf16(&s);
}

static void time_layer_norm(const Kernels *t)
{
    float mean, rstd;
    t->layer_norm(timed_f32[0], timed_f32[1], timed_f32[2], TIMED, 1e-5f, timed_f32[3], &mean,
                  &rstd);
}

static void time_layer_norm_bf16(const Kernels *t)
{
    float rstd;
    t->layer_norm_bf16(timed_f32[0], timed_f32[1], timed_f32[2], TIMED, 1e-5f, timed_bf16[1],
                       timed_bf16[2], &rstd);
}

static void time_layer_norm_backward_bf16(const Kernels *t)
{
    memset(timed_f32[3], 0, sizeof timed_f32[3]);
    t->layer_norm_backward_bf16(timed_bf16[0], timed_f32[1], timed_bf16[0], TIMED, 1, timed_f32[3],
                                timed_f32[3], timed_f32[3]);
}

static void time_to_bf16(const Kernels *t)
{
    t->to_bf16(timed_f32[0], timed_bf16[1], TIMED);
}

static void time_from_bf16(const Kernels *t)
{
    t->from_bf16(timed_bf16[0], timed_f32[3], TIMED);
}

static void time_quantize(const Kernels *t)
{
    int32_t zero;
    t->quantize(timed_bf16[0], NULL, TIMED, (uint8_t *)timed_bf16[1], &zero);
}

static void time_epilogue(const Kernels *t)
{
    const Epilogue epilogue = {.columns = COLUMNS,
                               .ld = COLUMNS,
                               .type = DTYPE_BF16,
                               .bias = timed_f32[1],
                               .activate = t->quick_gelu,
                               .z = timed_bf16[1],
                               .c = timed_bf16[2]};
    t->epilogue(&epilogue, 0, TIMED / COLUMNS, timed_f32[0]);
}

static const struct {
    const char *name;
    void (*run)(const Kernels *table);
    int n;
} TIMINGS[] = {
    {"exp", time_exp, TIMED},
    {"quick_gelu", time_quick_gelu, TIMED},
    {"quick_gelu_backward", time_quick_gelu_backward, TIMED},
    {"gelu", time_gelu, TIMED},
    {"softmax", time_softmax, TOKENS},
    {"softmax_bf16", time_softmax_bf16, TOKENS},
    {"softmax_gradient_bf16", time_softmax_gradient_bf16, 2 * TOKENS},
    {"layer_norm", time_layer_norm, TIMED},
    {"layer_norm_bf16, with xhat", time_layer_norm_bf16, TIMED},
    {"layer_norm_backward_bf16", time_layer_norm_backward_bf16, TIMED},
    {"to_bf16", time_to_bf16, TIMED},
    {"from_bf16", time_from_bf16, TIMED},
    {"quantize", time_quantize, TIMED},
    {"epilogue, quick_gelu, z", time_epilogue, TIMED},
};

/* One kernel of one table. */
typedef struct Timed {
    const Kernels *table;
    void (*run)(const Kernels *table);
} Timed;

static void run_timing(void *context)
{
    const Timed *const timed = context;
    timed->run(timed->table);
}

START_TEST(speed)
{
    const Kernels *const table = support_level(_i), *const below =
                                                        _i ? support_level(_i - 1) : NULL;
    if (!support_speed_wanted() || !table || (below && below->epilogue == table->epilogue))
        return; /* not requested, or the kernel is that of the level below */
    for (int i = 0; i < 3; i++)
        support_fill_normal(timed_f32[i], TIMED, (unsigned)i, 2);
    kernels_reference()->to_bf16(timed_f32[0], timed_bf16[0], TIMED);
    for (size_t i = 0; i < sizeof TIMINGS / sizeof *TIMINGS; i++) {
        Timed timed = {table, TIMINGS[i].run};
        const double seconds = support_seconds_of(run_timing, &timed, 60, 50e-6);
        printf("%-8s %-28s %7.3f ns an element\n", table->name, TIMINGS[i].name,
               1e9 * seconds / TIMINGS[i].n);
    }
}
END_TEST

int main(void)
{
    const int levels = support_levels();
    Suite *const suite = suite_create("kernels_bf16");
    TCase *const all = support_case(suite, "kernels_bf16", 120);
    tcase_add_loop_test(all, conversions_are_exact, 0, levels);
    tcase_add_loop_test(all, layer_norm_bf16_is_rounded_once, 0, levels);
    tcase_add_loop_test(all, layer_norm_backward_bf16_is_the_derivative, 0, levels);
    tcase_add_loop_test(all, quantised_bytes_are_the_nearest, 0, levels);
    tcase_add_loop_test(all, variants_agree_with_the_reference_and_stay_inside, 0, levels);
    tcase_add_loop_test(all, speed, 0, levels);
    return support_main(suite);
}
