/*
 * test_kernels_epilogue.c - the epilogue of the packed products, in every variant: each combination
 * of options is bit-identical to its formula, writes only the rows and columns asked for, and stays
 * inside guarded memory.
 */
#include "tests/support_guard.h"
#include "tests/support_kernels.h"

#include <stdbool.h>
#include <string.h>

enum {
    COLUMNS = KERNELS_COLUMNS,
    MAX_ROWS = 19,
    FIRST_ROW = 2,
    GAP = 5,       /* elements between rows of c */
    CANARY = 0x7d, /* a byte where nothing may be written */
};

/* The arguments of one call of epilogue. */
typedef struct Ending {
    int columns, rows;
    DType type;
    bool bias, residual, in_place, activates, saves_z, integers;
} Ending;

static void *element(DType type, void *at, ptrdiff_t index)
{
    return (char *)at + index * (ptrdiff_t)dtype_size(type);
}

static float load_element(DType type, void *at, ptrdiff_t index)
{
    float value;
    dtype_to_f32(type, element(type, at, index), &value, 1);
    return value;
}

/* True if the element has the bits of `value`, rounded to its type. */
static bool holds(DType type, void *at, ptrdiff_t index, float value)
{
    const uint16_t rounded = dtype_bf16_from_f32(value);
    const void *const wanted = type == DTYPE_BF16 ? (const void *)&rounded : (const void *)&value;
    return memcmp(element(type, at, index), wanted, dtype_size(type)) == 0;
}

/* Operands of an epilogue. */
typedef struct Operands {
    float sums[MAX_ROWS * COLUMNS], bias[COLUMNS], scale[COLUMNS], row_scale[FIRST_ROW + MAX_ROWS];
    int32_t integers[MAX_ROWS * COLUMNS], column_sum[COLUMNS], row_zero[FIRST_ROW + MAX_ROWS];
    float residual[(FIRST_ROW + MAX_ROWS) * (COLUMNS + GAP)]; /* in the layout of c, rounded */
} Operands;

static void fill_operands(Operands *o)
{
    support_fill_normal(o->sums, MAX_ROWS * COLUMNS, 1, 2);
    support_fill_normal(o->bias, COLUMNS, 2, 1);
    support_fill_normal(o->scale, COLUMNS, 3, 0.01);
    support_fill_normal(o->row_scale, FIRST_ROW + MAX_ROWS, 4, 0.1);
    support_fill_normal(o->residual, (FIRST_ROW + MAX_ROWS) * (COLUMNS + GAP), 5, 1);
    for (int i = 0; i < MAX_ROWS * COLUMNS; i++)
        o->integers[i] = (int32_t)(o->sums[i] * 1e5f);
    for (int i = 0; i < COLUMNS; i++)
        o->column_sum[i] = (int32_t)(o->bias[i] * 1e3f);
    for (int i = 0; i < FIRST_ROW + MAX_ROWS; i++)
        o->row_zero[i] = 255 - 37 * i % 256;
}

/* Element n of a row, before the activation. */
static float formula(const Ending *e, const Operands *o, int row, int n)
{
    const int at = (row - FIRST_ROW) * COLUMNS + n;
    float z = o->sums[at];
    if (e->integers)
        z = o->row_scale[row] * o->scale[n] *
            (float)(o->integers[at] - o->row_zero[row] * o->column_sum[n]);
    if (e->bias)
        z += o->bias[n];
    if (e->residual)
        z += o->residual[row * (e->columns + GAP) + n];
    return z;
}

static void check_ending(const Kernels *table, const Ending *e, const SupportGuarded memory[3])
{
    const ptrdiff_t ld = e->columns + GAP, count = (FIRST_ROW + e->rows - 1) * ld + e->columns;
    const size_t size = dtype_size(e->type), bytes = (size_t)count * size;
    Operands o;
    fill_operands(&o);
    void *place[3]; /* c, z, residual */
    for (int i = 0; i < 3; i++) {
        place[i] = support_guarded_place(&memory[i], bytes, size, e->rows % 2);
        memset(place[i], CANARY, bytes);
    }
    void *const c = place[0], *const added = e->in_place ? c : place[2];
    for (ptrdiff_t i = 0; e->residual && i < count; i++) {
        const uint16_t rounded = dtype_bf16_from_f32(o.residual[i]);
        memcpy(element(e->type, added, i),
               e->type == DTYPE_BF16 ? (const void *)&rounded : (const void *)&o.residual[i], size);
        o.residual[i] = load_element(e->type, added, i);
    }
    char before[(FIRST_ROW + MAX_ROWS) * (COLUMNS + GAP) * sizeof(float)];
    memcpy(before, c, bytes);
    const Epilogue epilogue = {.columns = e->columns,
                               .ld = ld,
                               .type = e->type,
                               .bias = e->bias ? o.bias : NULL,
                               .residual = e->residual ? added : NULL,
                               .activate = e->activates ? table->quick_gelu : NULL,
                               .z = e->saves_z ? place[1] : NULL,
                               .c = c,
                               .row_scale = e->integers ? o.row_scale : NULL,
                               .row_zero = o.row_zero,
                               .column_scale = o.scale,
                               .column_sum = o.column_sum};
    table->epilogue(&epilogue, FIRST_ROW, e->rows,
                    e->integers ? (void *)o.integers : (void *)o.sums);

    for (ptrdiff_t i = 0; i < count; i++) {
        const int row = (int)(i / ld), n = (int)(i % ld);
        if (row < FIRST_ROW || n >= e->columns) {
            ck_each(memcmp(element(e->type, c, i), before + (size_t)i * size, size) == 0,
                    "%s: %d columns: row %d, %d was touched", table->name, e->columns, row, n);
            continue;
        }
        const float z = formula(e, &o, row, n);
        float y = z;
        if (e->activates)
            table->quick_gelu(&z, &y, 1); /* the bits of a result do not depend on its position */
        ck_each(holds(e->type, c, i, y), "%s: %d columns, row %d, %d: c is %g, not %g", table->name,
                e->columns, row, n, (double)load_element(e->type, c, i), (double)y);
        ck_each(!e->saves_z || holds(e->type, place[1], i, z), "%s: z of row %d, %d is not %g",
                table->name, row, n, (double)z);
    }
}

START_TEST(the_end_of_a_product_has_the_bits_of_its_formula)
{
    const Kernels *const table = support_level(_i);
    if (!table)
        return; /* this processor cannot run it */
    static const int columns[] = {1, 15, 16, 17, 31, 32, 33, 48, 50, 63, 64};
    SupportGuarded memory[3];
    for (int i = 0; i < 3; i++)
        memory[i] = support_guarded((FIRST_ROW + MAX_ROWS) * (COLUMNS + GAP) * sizeof(float),
                                    sizeof(float));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        for (int flags = 0; flags < 128; flags++) {
            const Ending ending = {.columns = columns[i],
                                   .rows = 1 + (flags * 7 + (int)i) % MAX_ROWS,
                                   .type = flags & 1 ? DTYPE_BF16 : DTYPE_F32,
                                   .bias = flags & 2,
                                   .residual = flags & 4,
                                   .in_place = flags & 8,
                                   .activates = flags & 16,
                                   .saves_z = flags & 32,
                                   .integers = flags & 64};
            check_ending(table, &ending, memory);
        }
    }
    for (int i = 0; i < 3; i++)
        support_guarded_free(&memory[i]);
}
END_TEST

int main(void)
{
    const int levels = support_levels();
    Suite *const suite = suite_create("kernels_epilogue");
    TCase *const all = support_case(suite, "kernels_epilogue", 120);
    tcase_add_loop_test(all, the_end_of_a_product_has_the_bits_of_its_formula, 0, levels);
    return support_main(suite);
}
