/*
 * test_kernels.c - every variant of the kernels of rows and elements in f32: accuracy against
 * double precision, agreement with the reference on random and extreme values at all small sizes,
 * no access outside the operands, in-place use, and the choice of the variant.
 */
#include "tensor/random.h"
#include "tests/support_guard.h"
#include "tests/support_kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_SIZE = 70 };

/* The error of `found` in units of the last place of the f32 nearest to `exact`. */
static double error_ulp(float found, double exact)
{
    if (isnan(exact) || isinf((float)exact))
        return isnan(exact) ? (isnan(found) ? 0 : INFINITY)
                            : (found == (float)exact ? 0 : INFINITY);
    int exponent;
    frexp(exact, &exponent);
    const double ulp = ldexp(1, (exact == 0 || exponent < -125 ? -125 : exponent) - FLT_MANT_DIG);
    return fabs(found - exact) / ulp;
}

/* --- Accuracy against double precision --- */

static double quick_gelu_exact(double z)
{
    return z / (1 + exp(-1.702 * z));
}

static double quick_gelu_slope(double z)
{
    const double s = 1 / (1 + exp(-1.702 * z));
    return s * (1 + 1.702 * z * (1 - s));
}

static double gelu_exact(double z)
{
    return z * 0.5 * erfc(-z / sqrt(2));
}

static double gelu_slope(double z)
{
    return 0.5 * erfc(-z / sqrt(2)) + z * exp(-z * z / 2) / sqrt(2 * acos(-1));
}

enum { SWEEP = 60000 };
static float sweep_x[SWEEP], sweep_y[SWEEP], ones[SWEEP];

/* Fills sweep_x evenly from `low` to `high`, with noise in the low bits. */
static void fill_sweep(double low, double high)
{
    Random random = random_stream(5, RANDOM_TEST, 0, 0);
    for (int i = 0; i < SWEEP; i++) {
        sweep_x[i] = (float)(low + (high - low) * (i + random_uniform(&random)) / SWEEP);
        ones[i] = 1;
    }
}

START_TEST(exp_is_within_two_ulp)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return; /* this processor cannot run it */
    fill_sweep(-110, 95);
    table->exp(sweep_x, sweep_y, SWEEP);
    for (int i = 0; i < SWEEP; i++) {
        const double error = error_ulp(sweep_y[i], exp(sweep_x[i]));
        ck_each(error <= 2, "%s: exp(%.9g) = %.9g is %.2f ulp off", table->name, (double)sweep_x[i],
                (double)sweep_y[i], error);
    }
    const float x[] = {0.0f,    -0.0f,   INFINITY, -INFINITY, NAN,     88.7228394f, 88.7229f,
                       -103.9f, -104.1f, FLT_MAX,  -FLT_MAX,  FLT_MIN, 1e-45f};
    float y[sizeof x / sizeof *x];
    table->exp(x, y, sizeof x / sizeof *x);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        ck_each(error_ulp(y[i], exp(x[i])) <= 2, "%s: exp(%g) = %g", table->name, (double)x[i],
                (double)y[i]);
}
END_TEST

/*
 * The exact GELU has no cancellation: its error is at most 8 ulp everywhere. quick-GELU inherits
 * the rounding of its argument 1.702 z, |1.702 z| / 2 ulp. Derivatives cross zero, so their bound
 * is absolute.
 */
START_TEST(activations_are_accurate)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    fill_sweep(-12.9, 14.5); /* below, exp(-z^2 / 2) is subnormal and has fewer bits */
    table->gelu(sweep_x, sweep_y, SWEEP);
    for (int i = 0; i < SWEEP; i++) {
        const double error = error_ulp(sweep_y[i], gelu_exact(sweep_x[i]));
        ck_each(error <= 8, "%s: gelu(%.9g) = %.9g is %.2f ulp off", table->name,
                (double)sweep_x[i], (double)sweep_y[i], error);
    }
    table->gelu_backward(sweep_x, ones, sweep_y, SWEEP);
    for (int i = 0; i < SWEEP; i++)
        ck_close(sweep_y[i], gelu_slope(sweep_x[i]), 3e-7);
    table->quick_gelu(sweep_x, sweep_y, SWEEP);
    for (int i = 0; i < SWEEP; i++) {
        const double error = error_ulp(sweep_y[i], quick_gelu_exact(sweep_x[i]));
        ck_each(error <= 4 + 2 * fabs((double)sweep_x[i]),
                "%s: quick_gelu(%.9g) = %.9g is %.2f ulp off", table->name, (double)sweep_x[i],
                (double)sweep_y[i], error);
    }
    table->quick_gelu_backward(sweep_x, ones, sweep_y, SWEEP);
    for (int i = 0; i < SWEEP; i++)
        ck_close(sweep_y[i], quick_gelu_slope(sweep_x[i]), 1e-6); /* 1 - s loses bits: z ulp */
}
END_TEST

START_TEST(activations_survive_extremes)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    const float x[] = {0,    -0.0f, 1e-45f, -1e-45f, 1e-20f,  100,
                       -100, 1e30f, -1e30f, FLT_MAX, -FLT_MAX};
    enum { COUNT = sizeof x / sizeof *x };
    float y[COUNT] = {0}, dz[COUNT] = {0};
    for (int which = 0; which < 2; which++) {
        (which ? table->gelu : table->quick_gelu)(x, y, COUNT);
        for (int i = 0; i < COUNT; i++) {
            const float slope = 1;
            (which ? table->gelu_backward : table->quick_gelu_backward)(&x[i], &slope, &dz[i], 1);
            const float wanted = x[i] >= 50 ? x[i] : x[i] <= -50 ? 0 : x[i] / 2;
            const float wanted_slope = x[i] >= 50 ? 1 : x[i] <= -50 ? 0 : 0.5f;
            ck_each(fabsf(y[i] - wanted) <= 1e-45f + fabsf(wanted) * 1e-6f, "%s: %d: y(%g) = %g",
                    table->name, which, (double)x[i], (double)y[i]);
            ck_each(fabsf(dz[i] - wanted_slope) <= 1e-6f, "%s: %d: slope(%g) = %g", table->name,
                    which, (double)x[i], (double)dz[i]);
        }
        const float nan = NAN;
        (which ? table->gelu : table->quick_gelu)(&nan, y, 1);
        ck_assert(isnan(y[0]));
    }
}
END_TEST

static double log_sum_exp(const float *x, int n, double scale)
{
    double largest = scale * x[0], sum = 0;
    for (int i = 1; i < n; i++)
        largest = fmax(largest, scale * x[i]);
    for (int i = 0; i < n; i++)
        sum += exp(scale * x[i] - largest);
    return largest + log(fmax(sum, 1)); /* the largest element alone is 1 */
}

START_TEST(softmax_is_accurate)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    static const float scales[] = {1.0f, 0.125f, -2.0f};
    for (int n = 1; n <= 300; n += 1 + n / 5) {
        for (int s = 0; s < 3; s++) {
            float x[300], row[300];
            support_fill_normal(x, (size_t)n, (unsigned)n, n % 2 ? 1 : 30);
            const double exact_lse = log_sum_exp(x, n, (double)scales[s]);
            memcpy(row, x, sizeof row);
            const float lse = table->softmax(row, n, scales[s]);
            ck_close(lse, exact_lse, 1e-6);
            for (int i = 0; i < n; i++) {
                const double exact = exp((double)scales[s] * x[i] - exact_lse);
                /* The argument scale x - max is rounded: |argument| / 2 ulp at most. */
                ck_each(fabs(row[i] - exact) <= 2e-5 * exact + 1e-37, "%s: n %d, %d: %g, not %g",
                        table->name, n, i, (double)row[i], exact);
            }
        }
    }
    float masked[5] = {1, -INFINITY, 1, -INFINITY, 1};
    ck_close(table->softmax(masked, 5, 1), 1 + log(3), 1e-6);
    ck_close(masked[0], 1.0 / 3, 1e-7);
    ck_assert(masked[1] == 0 && masked[3] == 0);
    float broken[20] = {1, 2, NAN};
    ck_assert(isnan(table->softmax(broken, 20, 1)) && isnan(broken[0]) && isnan(broken[19]));
}
END_TEST

START_TEST(layer_norm_is_accurate)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    enum { D = 1024 };
    static float x[D], gamma[D], beta[D], y[D];
    for (int offset = 0; offset <= 100;
         offset += 50) { /* rows whose mean outweighs their deviation */
        support_fill_normal(x, D, 1, 1);
        support_fill_normal(gamma, D, 2, 1);
        support_fill_normal(beta, D, 3, 1);
        double mean = 0, variance = 0;
        for (int d = 0; d < D; d++) {
            x[d] += (float)offset;
            mean += x[d];
        }
        mean /= D;
        for (int d = 0; d < D; d++)
            variance += (x[d] - mean) * (x[d] - mean) / D;
        float found_mean, rstd;
        table->layer_norm(x, gamma, beta, D, 1e-5f, y, &found_mean, &rstd);
        ck_close(found_mean, mean, 3e-7);
        ck_close(rstd, 1 / sqrt(variance + 1e-5), 1e-6);
        for (int d = 0; d < D; d++)
            ck_close(y[d], (x[d] - mean) / sqrt(variance + 1e-5) * gamma[d] + beta[d],
                     2e-6 + 4e-7 * offset);
    }
    for (int d = 0; d < D; d++)
        x[d] = 3; /* variance 0: eps determines rstd */
    float mean, rstd;
    table->layer_norm(x, gamma, beta, D, 1e-5f, y, &mean, &rstd);
    ck_assert(mean == 3 && memcmp(y, beta, sizeof y) == 0);
}
END_TEST

START_TEST(layer_norm_backward_is_the_derivative)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    enum { D = 257 };
    static float x[D], gamma[D], beta[D], y[D], dy[D], dx[D], dgamma[D], dbeta[D];
    support_fill_normal(x, D, 1, 2);
    support_fill_normal(gamma, D, 2, 1);
    support_fill_normal(beta, D, 3, 1);
    support_fill_normal(dy, D, 4, 1);
    float mean, rstd;
    table->layer_norm(x, gamma, beta, D, 1e-5f, y, &mean, &rstd);
    double mean_g = 0, mean_gx = 0;
    for (int d = 0; d < D; d++) {
        dx[d] = 1, dgamma[d] = 2, dbeta[d] = 3; /* the kernel adds to them */
        mean_g += (double)gamma[d] * dy[d] / D;
        mean_gx += (double)gamma[d] * dy[d] * (x[d] - (double)mean) * rstd / D;
    }
    table->layer_norm_backward(x, gamma, dy, D, mean, rstd, dx, dgamma, dbeta);
    for (int d = 0; d < D; d++) {
        const double xhat = (x[d] - (double)mean) * rstd;
        ck_close(dx[d], 1 + rstd * ((double)gamma[d] * dy[d] - mean_g - xhat * mean_gx), 2e-6);
        ck_close(dgamma[d], 2 + dy[d] * xhat, 2e-6);
        ck_close(dbeta[d], 3 + (double)dy[d], 1e-6);
    }
    table->layer_norm_backward(x, gamma, dy, D, mean, rstd, NULL, NULL, NULL); /* no output */
}
END_TEST

START_TEST(sums_are_in_double_and_in_a_fixed_order)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    static float x[1000], y[1000];
    support_fill_normal(x, 1000, 1, 1);
    support_fill_normal(y, 1000, 2, 1);
    double exact = 0;
    for (int i = 0; i < 1000; i++)
        exact += (double)x[i] * y[i];
    ck_close(table->dot(x, y, 1000), exact, 1e-13);
    ck_assert(table->dot(x, y, 1000) == kernels_reference()->dot(x, y, 1000));
    ck_assert(table->dot(x, y, 0) == 0);
}
END_TEST

/* --- Agreement with the reference, between guard pages --- */

enum { OPERANDS = 7 }; /* x, gamma, beta, dy and up to three outputs */

typedef struct Case {
    int n;
    float scale;
    float *in[4];  /* [n] each */
    float *out[3]; /* [n] each */
    double scalar[2];
} Case;

static void run_exp(const Kernels *table, Case *c)
{
    table->exp(c->in[0], c->out[0], (size_t)c->n);
}

static void run_softmax(const Kernels *table, Case *c)
{
    memcpy(c->out[0], c->in[0], (size_t)c->n * sizeof(float));
    c->scalar[0] = table->softmax(c->out[0], c->n, c->scale);
}

static void run_softmax_gradient(const Kernels *table, Case *c)
{
    memcpy(c->out[0], c->in[0], (size_t)c->n * sizeof(float));
    memcpy(c->out[1], c->in[3], (size_t)c->n * sizeof(float));
    table->softmax_gradient(c->out[0], c->out[1], KERNELS_COLUMNS, c->n, c->scale, 1.5f);
}

static void run_quick_gelu(const Kernels *table, Case *c)
{
    table->quick_gelu(c->in[0], c->out[0], (size_t)c->n);
    table->quick_gelu_backward(c->in[0], c->in[3], c->out[1], (size_t)c->n);
}

static void run_gelu(const Kernels *table, Case *c)
{
    table->gelu(c->in[0], c->out[0], (size_t)c->n);
    table->gelu_backward(c->in[0], c->in[3], c->out[1], (size_t)c->n);
}

static void run_layer_norm(const Kernels *table, Case *c)
{
    float mean, rstd;
    table->layer_norm(c->in[0], c->in[1], c->in[2], c->n, 1e-5f, c->out[0], &mean, &rstd);
    c->scalar[0] = mean;
    c->scalar[1] = rstd;
}

static void run_layer_norm_backward(const Kernels *table, Case *c)
{
    table->layer_norm_backward(c->in[0], c->in[1], c->in[3], c->n, 0.25f, 1.5f, c->out[0],
                               c->out[1], c->out[2]);
}

static void run_sums(const Kernels *table, Case *c)
{
    table->add(c->in[0], c->out[0], (size_t)c->n);
    table->axpy(c->scale, c->in[0], c->out[1], (size_t)c->n);
    c->scalar[0] = table->dot(c->in[0], c->in[1], (size_t)c->n);
}

/*
 * `wild`: the kernel is also tested on extreme values. The tolerance is relative to max(1,
 * |result|).
 */
static const struct {
    const char *name;
    void (*run)(const Kernels *table, Case *c);
    int wild;
    double tolerance;
} RUNS[] = {
    {"exp", run_exp, 1, 3e-7},
    {"softmax", run_softmax, 0, 4e-6},
    {"softmax_gradient", run_softmax_gradient, 0, 4e-6},
    {"quick_gelu", run_quick_gelu, 1, 1e-6},
    {"gelu", run_gelu, 1, 1e-6},
    {"layer_norm", run_layer_norm, 0, 3e-6},
    {"layer_norm_backward", run_layer_norm_backward, 0, 2e-5},
    {"sums", run_sums, 0, 1e-6},
};
enum { RUN_COUNT = sizeof RUNS / sizeof *RUNS };

/* Normally distributed values, every third one extreme if `wild`. */
static void fill_case(float *values, int n, unsigned stream, int wild)
{
    static const float extremes[] = {0.0f,     -0.0f,   1e-45f, -1e-40f, FLT_MIN, 88.0f, -103.0f,
                                     -1000.0f, 1000.0f, 1e-8f,  NAN,     -87.5f,  1e30f, -FLT_MAX};
    Random random = random_stream(6, RANDOM_TEST, stream, 0);
    for (int i = 0; i < n; i++) {
        values[i] = (float)(3 * random_normal(&random));
        const uint32_t pick = random_below(&random, 3 * sizeof extremes / sizeof *extremes);
        if (wild && pick < sizeof extremes / sizeof *extremes)
            values[i] = extremes[pick];
    }
}

static int agree(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return (isnan(a) && isnan(b)) || a == b;
    return fabs(a - b) <= tolerance * fmax(fabs(b), 1) || fabs(a - b) <= 1e-37;
}

/* `n` floats that end where the upper guard begins, or begin where the lower one ends. */
static float *place(const SupportGuarded *memory, int n, int at_end)
{
    return support_guarded_place(memory, (size_t)n * sizeof(float), sizeof(float), at_end);
}

static void compare_run(const Kernels *table, int which, int n, int at_end,
                        const SupportGuarded *memory)
{
    static float reference_out[3][MAX_SIZE];
    Case reference = {.n = n, .scale = 0.125f}, found = reference;
    for (int i = 0; i < 4; i++) {
        reference.in[i] = found.in[i] = place(&memory[i], n, at_end);
        /* Gradients are factors and stay ordinary, because 0 times infinity would be NaN. */
        fill_case(found.in[i], n, (unsigned)(which * 1000 + n * 10 + i), RUNS[which].wild && i < 3);
    }
    for (int i = 0; i < 3; i++) {
        reference.out[i] = reference_out[i];
        found.out[i] = place(&memory[4 + i], n, at_end);
        fill_case(found.out[i], n, (unsigned)(i + 7), 0);
        memcpy(reference.out[i], found.out[i], (size_t)n * sizeof(float));
    }
    RUNS[which].run(kernels_reference(), &reference);
    RUNS[which].run(table, &found);
    for (int i = 0; i < 2; i++)
        ck_each(agree(found.scalar[i], reference.scalar[i], RUNS[which].tolerance),
                "%s %s, n %d: scalar %d is %.9g, reference %.9g", table->name, RUNS[which].name, n,
                i, found.scalar[i], reference.scalar[i]);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < n; j++)
            ck_each(agree(found.out[i][j], reference.out[i][j], RUNS[which].tolerance),
                    "%s %s, n %d, at end %d: output %d [%d] is %.9g, reference %.9g (x = %.9g)",
                    table->name, RUNS[which].name, n, at_end, i, j, (double)found.out[i][j],
                    (double)reference.out[i][j], (double)found.in[0][j]);
}

START_TEST(variants_agree_with_the_reference_and_stay_inside)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    SupportGuarded memory[OPERANDS];
    for (int i = 0; i < OPERANDS; i++)
        memory[i] = support_guarded(MAX_SIZE * sizeof(float), sizeof(float));
    for (int which = 0; which < RUN_COUNT; which++)
        for (int n = 1; n <= MAX_SIZE; n++)
            for (int at_end = 0; at_end < 2; at_end++)
                compare_run(table, which, n, at_end, memory);
    for (int i = 0; i < OPERANDS; i++)
        support_guarded_free(&memory[i]);
}
END_TEST

/*
 * All levels compile these kernels from one template, and AVX2 fuses the same operations as
 * AVX-512. NaNs are excluded: which of two is propagated depends on the processor.
 */
START_TEST(levels_with_fused_products_give_the_same_bits)
{
    const Kernels *const table = support_level(_i), *const avx2 = kernels_variant("avx2");
    if (!table || !avx2 || table == kernels_reference())
        return;
    enum { SIZE = 1030 };
    static float in[4][SIZE], out[2][3][SIZE];
    for (int which = 0; which < RUN_COUNT; which++) {
        for (int n = 1; n <= SIZE; n += n < MAX_SIZE ? 1 : 160) {
            Case c[2] = {{.n = n, .scale = 0.125f}, {.n = n, .scale = 0.125f}};
            for (int i = 0; i < 4; i++) {
                fill_case(in[i], n, (unsigned)(which * 1000 + n + i), 0);
                c[0].in[i] = c[1].in[i] = in[i];
            }
            for (int t = 0; t < 2; t++) {
                for (int i = 0; i < 3; i++) {
                    fill_case(out[t][i], n, (unsigned)i, 0);
                    c[t].out[i] = out[t][i];
                }
                RUNS[which].run(t ? table : avx2, &c[t]);
            }
            ck_each(memcmp(c[0].scalar, c[1].scalar, sizeof c[0].scalar) == 0 &&
                        memcmp(out[0], out[1], sizeof out[0]) == 0,
                    "%s %s, n %d: other bits than avx2", table->name, RUNS[which].name, n);
        }
    }
}
END_TEST

START_TEST(in_place_gives_the_same_bits)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int n = 1; n <= MAX_SIZE; n++) {
        float x[MAX_SIZE], dy[MAX_SIZE], apart[MAX_SIZE], place[MAX_SIZE];
        const size_t count = (size_t)n, bytes = count * sizeof(float);
        support_fill_normal(x, count, 1, 2);
        support_fill_normal(dy, count, 2, 2);

        void (*const unary[])(const float *, float *, size_t) = {table->exp, table->gelu,
                                                                 table->quick_gelu};
        for (int i = 0; i < 3; i++) {
            unary[i](x, apart, count);
            memcpy(place, x, bytes);
            unary[i](place, place, count);
            ck_assert_mem_eq(place, apart, bytes);
        }
        void (*const binary[])(const float *, const float *, float *,
                               size_t) = {table->gelu_backward, table->quick_gelu_backward};
        for (int i = 0; i < 2; i++) {
            binary[i](x, dy, apart, count);
            memcpy(place, x, bytes); /* over z */
            binary[i](place, dy, place, count);
            ck_assert_mem_eq(place, apart, bytes);
            memcpy(place, dy, bytes); /* over dy */
            binary[i](x, place, place, count);
            ck_assert_mem_eq(place, apart, bytes);
        }
        float mean, rstd;
        table->layer_norm(x, dy, dy, n, 1e-5f, apart, &mean, &rstd);
        memcpy(place, x, bytes);
        table->layer_norm(place, dy, dy, n, 1e-5f, place, &mean, &rstd);
        ck_assert_mem_eq(place, apart, bytes);
    }
}
END_TEST

/* --- The choice of the variant --- */

/* Exit code of a new process that calls kernels_init with LNCLIP_CPU = value. */
static int init_in_child(const char *value)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        Error error;
        setenv("LNCLIP_CPU", value, 1);
        const Status status = kernels_init(&error);
        if (status == STATUS_OK)
            _exit(strcmp(kernels()->name, value) == 0 &&
                          kernels_plain() == (strcmp(value, "ref") == 0)
                      ? 0
                      : 90);
        bool named = strstr(error.message, value) != NULL;
        for (int i = 0; kernels_variant_name(i); i++)
            named = named && strstr(error.message, kernels_variant_name(i));
        _exit(named && error.status == status ? (int)status : 91);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

START_TEST(the_environment_chooses_the_variant)
{
    for (int i = 0; kernels_variant_name(i); i++) {
        const char *const name = kernels_variant_name(i);
        const Kernels *const table = kernels_variant(name);
        ck_assert_int_eq(init_in_child(name), table ? 0 : (int)STATUS_FAILED);
        if (table)
            ck_assert_str_eq(table->name, name);
        else /* then no higher level is available either */
            ck_assert(!kernels_variant_name(i + 1) ||
                      !kernels_variant(kernels_variant_name(i + 1)));
    }
    ck_assert_int_eq(init_in_child("sse9"), STATUS_USAGE);
    ck_assert_int_eq(init_in_child("AVX2"), STATUS_USAGE);
    ck_assert_ptr_null(kernels_variant("sse9"));
    ck_assert_ptr_eq(kernels_variant("ref"), kernels_reference());
}
END_TEST

int main(void)
{
    const int levels = support_levels();
    Suite *const suite = suite_create("kernels");
    TCase *const all = support_case(suite, "kernels", 120);
    tcase_add_test(all, the_environment_chooses_the_variant); /* first: no variant is chosen yet */
    tcase_add_loop_test(all, exp_is_within_two_ulp, 0, levels);
    tcase_add_loop_test(all, activations_are_accurate, 0, levels);
    tcase_add_loop_test(all, activations_survive_extremes, 0, levels);
    tcase_add_loop_test(all, softmax_is_accurate, 0, levels);
    tcase_add_loop_test(all, layer_norm_is_accurate, 0, levels);
    tcase_add_loop_test(all, layer_norm_backward_is_the_derivative, 0, levels);
    tcase_add_loop_test(all, sums_are_in_double_and_in_a_fixed_order, 0, levels);
    tcase_add_loop_test(all, variants_agree_with_the_reference_and_stay_inside, 0, levels);
    tcase_add_loop_test(all, levels_with_fused_products_give_the_same_bits, 0, levels);
    tcase_add_loop_test(all, in_place_gives_the_same_bits, 0, levels);
    return support_main(suite);
}
