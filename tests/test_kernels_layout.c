/*
 * test_kernels_layout.c - the kernels that lay out operands of the packed product: every element is
 * in its place, the padding is zero, and nothing outside is accessed.
 */
#include "tests/support_guard.h"
#include "tests/support_kernels.h"

#include <string.h>

enum { COLUMNS = KERNELS_COLUMNS, TILE = KERNELS_TILE_ROWS, GROUP = 4 /* bytes */ };

START_TEST(rows_of_a_are_packed)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    enum { MAX_DEPTH = 70, MAX_LDA = MAX_DEPTH + 3 };
    SupportGuarded in = support_guarded(TILE * MAX_LDA * GROUP, 64);
    SupportGuarded out = support_guarded(TILE * MAX_DEPTH * GROUP, 64);
    for (int rows = 1; rows <= TILE; rows++) {
        for (int depth = 1; depth <= MAX_DEPTH; depth++) {
            const int lda = depth + depth % 3;
            const size_t span = (size_t)((rows - 1) * lda + depth);
            const size_t dealt = (size_t)(depth * TILE) * sizeof(float);
            float *const a = support_guarded_place(&in, span * sizeof(float), 4, true);
            float *const groups = support_guarded_place(&out, dealt, 4, true);
            for (size_t i = 0; i < span; i++)
                a[i] = (float)(i + 1);
            memset(groups, 0xff, dealt);
            table->pack_a(a, lda, rows, depth, groups);
            for (int k = 0; k < depth; k++)
                for (int r = 0; r < TILE; r++)
                    ck_each(groups[k * TILE + r] == (r < rows ? (float)(r * lda + k + 1) : 0.0f),
                            "%s: rows %d, depth %d: [%d][%d] = %g", table->name, rows, depth, k, r,
                            (double)groups[k * TILE + r]);
        }
    }
    support_guarded_free(&in);
    support_guarded_free(&out);
}
END_TEST

START_TEST(rows_become_columns)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    enum { MAX_DEPTH = 70 };
    SupportGuarded in = support_guarded(COLUMNS * MAX_DEPTH * GROUP, 64);
    SupportGuarded out = support_guarded(COLUMNS * MAX_DEPTH * GROUP, 64);
    for (int count = 1; count <= COLUMNS; count++) {
        for (int depth = 1; depth <= MAX_DEPTH; depth += 1 + depth / 20) {
            const size_t written = (size_t)(depth * COLUMNS) * GROUP;
            uint32_t *const from =
                support_guarded_place(&in, (size_t)(count * depth) * GROUP, 4, true);
            uint32_t *const to = support_guarded_place(&out, written, 64, true);
            const uint32_t *rows[COLUMNS]; /* elements beyond `count` are uninitialised */
            for (int n = 0; n < count; n++)
                rows[n] = from + (ptrdiff_t)(count - 1 - n) * depth;
            for (int i = 0; i < count * depth; i++)
                from[i] = (uint32_t)i + 1;
            memset(to, 0xff, written);
            table->transpose(rows, count, depth, to);
            for (int k = 0; k < depth; k++)
                for (int n = 0; n < COLUMNS; n++)
                    ck_each(to[k * COLUMNS + n] == (n < count ? rows[n][k] : 0),
                            "%s: %d rows, depth %d: [%d][%d] = %u", table->name, count, depth, k, n,
                            to[k * COLUMNS + n]);
        }
    }
    support_guarded_free(&in);
    support_guarded_free(&out);
}
END_TEST

int main(void)
{
    const int levels = support_levels();
    Suite *const suite = suite_create("kernels_layout");
    TCase *const layouts = support_case(suite, "layouts", 120);
    tcase_add_loop_test(layouts, rows_of_a_are_packed, 0, levels);
    tcase_add_loop_test(layouts, rows_become_columns, 0, levels);
    return support_main(suite);
}
