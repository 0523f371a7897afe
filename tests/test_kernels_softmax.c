/*
 * test_kernels_softmax.c - every variant of softmax in bf16, and of the backward of softmax in f32
 * and bf16, against double precision: short and long rows; gaps between panels are not written.
 */
#include "tests/support_kernels.h"

#include <math.h>
#include <string.h>

enum { LONG_ROW = 300, COLUMNS = KERNELS_COLUMNS };

/* Scores whose exponentials span a few binades, or most of the range of f32 if `wide`. */
static void fill_scores(float *row, int n, bool wide)
{
    support_fill_normal(row, (size_t)n, (unsigned)(2 * n + wide), wide ? 40 : 2);
}

START_TEST(softmax_bf16_is_rounded_once)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int n = 1; n <= LONG_ROW; n += 1 + n / 9) {
        for (int s = 0; s < 4; s++) {
            const float scale = s < 2 ? 0.125f : -1.5f;
            float row[LONG_ROW], inverse_sum;
            uint16_t p[LONG_ROW];
            fill_scores(row, n, s % 2);
            const float lse = table->softmax_bf16(row, n, scale, p, &inverse_sum);
            double largest = -INFINITY, sum = 0;
            for (int i = 0; i < n; i++)
                largest = fmax(largest, (double)scale * row[i]);
            for (int i = 0; i < n; i++) {
                const double exact = exp((double)scale * row[i] - largest);
                ck_each(support_is_rounded(p[i], exact, 4e-5), "%s: n %d, %d: %g, not %g",
                        table->name, n, i, (double)support_f32_of(p[i]), exact);
                sum += support_f32_of(p[i]);
            }
            ck_close(inverse_sum, 1 / sum, 1e-6);
            ck_close(lse, largest + log(sum), 1e-6);
        }
    }
}
END_TEST

START_TEST(softmax_bf16_masks_and_keeps_nans)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    float row[LONG_ROW], inverse_sum;
    uint16_t p[LONG_ROW];
    for (int i = 0; i < LONG_ROW; i++)
        row[i] = i % 3 ? -INFINITY : 2;
    ck_close(table->softmax_bf16(row, LONG_ROW, 0.5f, p, &inverse_sum), 1 + log(100), 1e-6);
    ck_close(inverse_sum, 0.01, 1e-7);
    for (int i = 0; i < LONG_ROW; i++)
        ck_assert(support_f32_of(p[i]) == (i % 3 ? 0.0f : 1.0f));
    for (int at = 0; at < LONG_ROW; at += 13) {
        fill_scores(row, LONG_ROW, false);
        row[at] = NAN;
        ck_assert(isnan(table->softmax_bf16(row, LONG_ROW, 1, p, &inverse_sum)));
        ck_assert(isnan(inverse_sum));
    }
}
END_TEST

/* The log-sum-exp of scale * row, in double. */
static double lse_of(const float *row, int n, double scale)
{
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, scale * row[i]);
    for (int i = 0; i < n; i++)
        sum += exp(scale * row[i] - largest);
    return largest + log(sum);
}

/* A row of panels, with gaps between them that must not be written. */
enum {
    PANELS = (LONG_ROW + COLUMNS - 1) / COLUMNS,
    PANEL_STEP = COLUMNS + 6,
    IN_PANELS = PANELS * PANEL_STEP,
};

static int in_panels(int i)
{
    return i / COLUMNS * PANEL_STEP + i % COLUMNS;
}

/* Checks P and dS of one row of scores, in bf16 if `bf16` is 1, else in f32, against double. */
static void check_gradient(const char *name, int bf16, const float *scores, const float *dP, int n,
                           float scale, float lse, const float *P, const float *dS)
{
    double delta = 0, size = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        const double p = exp((double)scale * scores[i] - (double)lse);
        delta += (bf16 ? (double)P[i] : p) * dP[i];
        sum += bf16 ? (double)P[i] : p;
        size += p * fabs((double)dP[i]);
    }
    for (int i = 0; i < n; i++) {
        const double p = exp((double)scale * scores[i] - (double)lse);
        const double exact = scale * (bf16 ? (double)P[i] : p) * (dP[i] - delta / sum);
        const double slack = scale * p * (fabs((double)dP[i]) + size);
        ck_each(fabs(P[i] - p) <= (bf16 ? 1.0 / 256 : 0) * p + 4e-5 * p + 1e-37,
                "%s, bf16 %d, n %d: p %g, not %g", name, bf16, n, (double)P[i], p);
        ck_each(fabs(dS[i] - exact) <=
                    (bf16 ? 1.0 / 256 : 0) * fabs(exact) + (bf16 ? 1e-5 : 5e-5) * slack + 1e-37,
                "%s, bf16 %d, n %d: dS %g, not %g", name, bf16, n, (double)dS[i], exact);
    }
}

/* Asserts that the gaps between panels of n columns are unchanged. */
static void check_gaps(const uint32_t *panels, int n)
{
    for (int i = 0; i < IN_PANELS; i++)
        if (i % PANEL_STEP >= COLUMNS || i / PANEL_STEP * COLUMNS + i % PANEL_STEP >= n)
            ck_each(panels[i] == 0x7fc0dead, "n %d: wrote [%d]", n, i);
}

static void check_gradient_f32(const Kernels *table, const float *scores, const float *dP, int n,
                               float scale, float lse)
{
    uint32_t P_panels[IN_PANELS], dS_panels[IN_PANELS];
    float P[LONG_ROW], dS[LONG_ROW];
    for (int i = 0; i < IN_PANELS; i++)
        P_panels[i] = dS_panels[i] = 0x7fc0dead;
    for (int i = 0; i < n; i++) {
        memcpy(P_panels + in_panels(i), scores + i, sizeof *scores);
        memcpy(dS_panels + in_panels(i), dP + i, sizeof *dP);
    }
    table->softmax_gradient((float *)(void *)P_panels, (float *)(void *)dS_panels, PANEL_STEP, n,
                            scale, lse);
    for (int i = 0; i < n; i++) {
        memcpy(P + i, P_panels + in_panels(i), sizeof *P);
        memcpy(dS + i, dS_panels + in_panels(i), sizeof *dS);
    }
    check_gradient(table->name, 0, scores, dP, n, scale, lse, P, dS);
    check_gaps(P_panels, n);
    check_gaps(dS_panels, n);
}

/*
 * Checks that dS by rows equals dS in pairs, and that both are correct. With one row the other half
 * of each pair is zero.
 */
static void check_gradient_bf16(const Kernels *table, int rows, const float (*scores)[LONG_ROW],
                                const float (*dP)[LONG_ROW], int n, float scale, const float *lse)
{
    uint32_t P_pairs[IN_PANELS], dS_pairs[IN_PANELS];
    uint16_t dS[2][LONG_ROW + 1];
    for (int i = 0; i < IN_PANELS; i++)
        P_pairs[i] = dS_pairs[i] = 0x7fc0dead;
    const KernelScores s = {.rows = rows,
                            .n = n,
                            .scale = scale,
                            .lse = lse,
                            .scores = scores[0],
                            .dP = dP[0],
                            .ld = LONG_ROW,
                            .dS = dS[0],
                            .ld_dS = LONG_ROW + 1,
                            .P_pairs = P_pairs,
                            .dS_pairs = dS_pairs,
                            .step = PANEL_STEP};
    table->softmax_gradient_bf16(&s);
    for (int r = 0; r < 2; r++) {
        float P_found[LONG_ROW], dS_found[LONG_ROW];
        for (int i = 0; i < n; i++) {
            const uint32_t p = P_pairs[in_panels(i)] >> 16 * r & 0xffff;
            const uint32_t d = dS_pairs[in_panels(i)] >> 16 * r & 0xffff;
            ck_each(r < rows ? d == dS[r][i] : p == 0 && d == 0,
                    "%s, n %d, row %d of %d: [%d] of pairs is %x and %x", table->name, n, r, rows,
                    i, p, d);
            P_found[i] = support_f32_of((uint16_t)p);
            dS_found[i] = support_f32_of((uint16_t)d);
        }
        if (r < rows)
            check_gradient(table->name, 1, scores[r], dP[r], n, scale, lse[r], P_found, dS_found);
    }
    check_gaps(P_pairs, n);
    check_gaps(dS_pairs, n);
}

START_TEST(softmax_gradient_is_the_derivative)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    for (int n = 1; n <= LONG_ROW; n += 1 + n / 9) {
        const float scale = 0.125f;
        float scores[2][LONG_ROW], dP[2][LONG_ROW], lse[2];
        for (int r = 0; r < 2; r++) {
            fill_scores(scores[r], n, (n + r) % 2);
            support_fill_normal(dP[r], (size_t)n, (unsigned)(9 + r), 1);
            lse[r] = (float)lse_of(scores[r], n, (double)scale);
            check_gradient_f32(table, scores[r], dP[r], n, scale, lse[r]);
        }
        for (int rows = 1; rows <= 2; rows++)
            check_gradient_bf16(table, rows, scores, dP, n, scale, lse);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("kernels_softmax");
    TCase *const all = support_case(suite, "kernels_softmax", 120);
    tcase_add_loop_test(all, softmax_bf16_is_rounded_once, 0, support_levels());
    tcase_add_loop_test(all, softmax_bf16_masks_and_keeps_nans, 0, support_levels());
    tcase_add_loop_test(all, softmax_gradient_is_the_derivative, 0, support_levels());
    return support_main(suite);
}
