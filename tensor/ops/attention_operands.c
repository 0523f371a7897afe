/*
 * attention_operands.c - see attention_operands_private.h.
 */
#include "tensor/ops/attention_operands_private.h"

#include "tensor/base/arithmetic.h"
#include "tensor/packed.h"

#include <assert.h>
#include <string.h>

enum {
    TILE = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    SQUARE = COLUMNS * COLUMNS,
};

_Static_assert(ATTENTION_ROWS % TILE == 0 && ATTENTION_ROWS % 32 == 0, "whole tiles");

static Precision precision_of(DType type)
{
    return type == DTYPE_F32 ? PRECISION_F32 : PRECISION_BF16;
}

/* Elements in a 32-bit group. */
static int group_of(DType type)
{
    return packed_group(precision_of(type));
}

/* Bytes of an element: f32 or bf16. */
static ptrdiff_t size_of(DType type)
{
    return type == DTYPE_F32 ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(uint16_t);
}

/* The address of element [r,c]. */
static const void *at(const AttentionMatrix *m, int r, int c)
{
    return (const char *)m->elements + (r * m->ld + c) * size_of(m->type);
}

/*
 * Copies a few cache lines. memmove, because gcc compiles a memcpy this small into `rep movs`,
 * which is slow to start.
 */
static void copy_line(void *to, const void *from, size_t bytes)
{
    memmove(to, from, bytes);
}

AttentionLhs attention_lhs_rows(const AttentionLhs *lhs, int begin, int count)
{
    AttentionLhs rows = *lhs;
    rows.a += begin * (lhs->type == DTYPE_F32 ? lhs->groups * (ptrdiff_t)4 : lhs->ld);
    rows.rows = count;
    return rows;
}

int attention_groups(DType type, int depth)
{
    return packed_depth(precision_of(type), depth);
}

void *attention_allocate(AttentionScratch *scratch, size_t bytes)
{
    void *allocated = scratch->base ? scratch->base + scratch->used : NULL;
    scratch->used += (bytes + KERNELS_LINE - 1) / KERNELS_LINE * KERNELS_LINE;
    return allocated;
}

void attention_prefetch_add(AttentionPrefetch *prefetch, const AttentionMatrix *m)
{
    assert(prefetch->count < (int)(sizeof prefetch->matrix / sizeof *prefetch->matrix));
    const int i = prefetch->count++;
    prefetch->matrix[i].elements = m->elements;
    prefetch->matrix[i].row_bytes = m->ld * size_of(m->type);
    prefetch->matrix[i].rows = m->rows;
    prefetch->matrix[i].bytes = m->columns * (int)size_of(m->type);
}

void attention_prefetch_rows(AttentionPrefetch *prefetch, int rows)
{
    for (const int end = prefetch->row + rows; prefetch->row < end; prefetch->row++) {
        for (int i = 0; i < prefetch->count; i++) {
            const char *row =
                prefetch->matrix[i].elements + prefetch->row * prefetch->matrix[i].row_bytes;
            const int bytes =
                prefetch->row < prefetch->matrix[i].rows ? prefetch->matrix[i].bytes : 0;
            for (int line = 0; line < bytes; line += KERNELS_LINE)
                __builtin_prefetch(row + line, 0, 2);
        }
    }
}

/* Bytes of `rows` rows of `groups` groups. */
static size_t bytes_of(int rows, int groups)
{
    return (size_t)rows * groups * sizeof(uint32_t);
}

static bool is_padded(DType type, int columns)
{
    return attention_groups(type, columns) * group_of(type) == columns;
}

void *attention_allocate_padded(AttentionScratch *scratch, DType type, int rows, int columns)
{
    if (is_padded(type, columns))
        return NULL;
    return attention_allocate(scratch, bytes_of(rows, attention_groups(type, columns)));
}

void *attention_allocate_lhs(AttentionScratch *scratch, DType type, int rows, int columns)
{
    if (type != DTYPE_F32)
        return NULL;
    return attention_allocate(scratch, bytes_of(ceil_div_int(rows, TILE) * TILE, columns));
}

void *attention_allocate_lhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                        int columns)
{
    const int padded_rows = ceil_div_int(min_int(columns, COLUMNS), TILE) * TILE;
    return attention_allocate(scratch, bytes_of(padded_rows, attention_groups(type, rows)));
}

static AttentionRhs allocate_rhs(AttentionScratch *scratch, DType type, int depth, int columns)
{
    const int groups = attention_groups(type, depth);
    const size_t bytes = bytes_of(ceil_div_int(columns, COLUMNS) * COLUMNS, groups);
    return (AttentionRhs){type, groups, columns, attention_allocate(scratch, bytes)};
}

AttentionRhs attention_allocate_rhs(AttentionScratch *scratch, DType type, int rows, int columns)
{
    return allocate_rhs(scratch, type, rows, columns);
}

AttentionRhs attention_allocate_rhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                               int columns)
{
    return allocate_rhs(scratch, type, columns, rows);
}

AttentionMatrix attention_pad_rows(const AttentionMatrix *m, void *memory)
{
    if (is_padded(m->type, m->columns))
        return *m;
    AttentionMatrix padded = *m;
    padded.ld = attention_groups(m->type, m->columns) * (ptrdiff_t)group_of(m->type);
    padded.elements = memory;
    const size_t size = dtype_size(m->type), used = (size_t)m->columns * size;
    for (int r = 0; r < m->rows; r++) {
        char *row = (char *)memory + (size_t)r * (size_t)padded.ld * size;
        copy_line(row, at(m, r, 0), used);
        memset(row + used, 0, (size_t)padded.ld * size - used);
    }
    return padded;
}

AttentionLhs attention_lhs(const AttentionMatrix *m, void *memory)
{
    AttentionLhs lhs = {m->type, m->rows, attention_groups(m->type, m->columns),
                        m->ld * (ptrdiff_t)dtype_size(m->type), m->elements};
    if (m->type != DTYPE_F32)
        return lhs;
    lhs.a = memory;
    for (int r = 0; r < m->rows; r += TILE)
        kernels()->pack_a(at(m, r, 0), m->ld, min_int(TILE, m->rows - r), m->columns,
                          (float *)memory + (ptrdiff_t)r * lhs.groups);
    return lhs;
}

/*
 * Interleaves rows 2 group and 2 group + 1 of a bf16 matrix to one row of pairs. A missing second
 * row counts as zeros.
 */
static void pair_rows(const Kernels *kernel, const AttentionMatrix *m, int group, int column,
                      int width, uint32_t *out)
{
    static const uint16_t zeros[COLUMNS];
    const int even = 2 * group;
    kernel->pair(at(m, even, column), even + 1 < m->rows ? at(m, even + 1, column) : zeros, width,
                 out);
}

AttentionLhs attention_lhs_of_rhs(const AttentionRhs *rhs, int begin, int count, void *memory)
{
    const AttentionLhs lhs = {rhs->type, count, rhs->columns, 0, memory};
    for (int r = 0; r < count; r += TILE) {
        const float *from = attention_rhs_row(rhs, begin + r);
        float *out = (float *)memory + (ptrdiff_t)r * lhs.groups;
        for (int column = 0; column < rhs->columns; column += COLUMNS) {
            kernels()->pack_a(from, COLUMNS, min_int(TILE, count - r),
                              min_int(COLUMNS, rhs->columns - column), out);
            from += attention_step(rhs);
            out += COLUMNS * TILE;
        }
    }
    return lhs;
}

/*
 * In f32, groups of six columns are copied: elements of a row that are adjacent in `m` are adjacent
 * in `out`.
 */
static void transpose_f32(const AttentionMatrix *m, int column, int width, float *out)
{
    const ptrdiff_t step = (ptrdiff_t)m->rows * TILE;
    const int full = width / TILE, rest = width % TILE;
    for (int k = 0; k < m->rows; k++, out += TILE) {
        const float *row = at(m, k, column);
        for (int tile = 0; tile < full; tile++)
            memcpy(out + tile * step, row + (ptrdiff_t)tile * TILE, TILE * sizeof *out);
        for (int i = 0; rest && i < TILE; i++)
            out[full * step + i] = i < rest ? row[full * TILE + i] : 0.0F;
    }
}

/*
 * Transposes 64 pairs of rows at a time, the most that the kernel accepts. Both squares then stay
 * in the first-level cache.
 */
static void transpose_bf16(const AttentionMatrix *m, int column, int width, int groups,
                           uint32_t *out)
{
    const Kernels *kernel = kernels();
    const int filled = ceil_div_int(m->rows, 2);
    _Alignas(KERNELS_LINE) uint32_t paired[SQUARE], transposed[SQUARE];
    const uint32_t *rows[COLUMNS];
    for (int g = 0; g < COLUMNS; g++)
        rows[g] = paired + (ptrdiff_t)g * COLUMNS;
    for (int k = 0; k < groups; k += COLUMNS) {
        const int count = min_int(COLUMNS, filled - k);
        for (int g = 0; g < count; g++)
            pair_rows(kernel, m, k + g, column, width, paired + (ptrdiff_t)g * COLUMNS);
        kernel->transpose(rows, count, width, transposed);
        const int copied = min_int(COLUMNS, groups - k);
        for (int c = 0; c < width; c++)
            copy_line(out + (ptrdiff_t)c * groups + k, transposed + (ptrdiff_t)c * COLUMNS,
                      copied * sizeof *transposed);
    }
}

AttentionLhs attention_lhs_transposed(const AttentionMatrix *m, int column, void *memory)
{
    const int groups = attention_groups(m->type, m->rows);
    const int width = min_int(COLUMNS, m->columns - column);
    if (m->type == DTYPE_F32)
        transpose_f32(m, column, width, memory);
    else
        transpose_bf16(m, column, width, groups, memory);
    return (AttentionLhs){m->type, width, groups, groups * (ptrdiff_t)sizeof(uint32_t), memory};
}

void attention_fill_rhs(const AttentionMatrix *m, AttentionRhs *rhs)
{
    const Kernels *kernel = kernels();
    const bool f32 = m->type == DTYPE_F32;
    const int filled = ceil_div_int(m->rows, group_of(m->type));
    for (int column = 0; column < m->columns; column += COLUMNS) {
        const int width = min_int(COLUMNS, m->columns - column);
        uint32_t *out = rhs->panels + (ptrdiff_t)column * rhs->groups;
        for (int g = 0; g < filled; g++, out += COLUMNS) {
            if (f32)
                copy_line(out, at(m, g, column), width * sizeof *out);
            else
                pair_rows(kernel, m, g, column, width, out);
        }
    }
    attention_clear_rest(rhs, m->rows);
}

void *attention_rhs_row(const AttentionRhs *rhs, int row)
{
    return rhs->panels + (ptrdiff_t)(row / group_of(rhs->type)) * COLUMNS;
}

ptrdiff_t attention_step(const AttentionRhs *rhs)
{
    return (ptrdiff_t)rhs->groups * COLUMNS;
}

void attention_clear_rest(AttentionRhs *rhs, int rows)
{
    const int filled = ceil_div_int(rows, group_of(rhs->type));
    const size_t bytes = (size_t)(rhs->groups - filled) * COLUMNS * sizeof *rhs->panels;
    for (int column = 0; column < rhs->columns; column += COLUMNS)
        memset(rhs->panels + (ptrdiff_t)column * rhs->groups + (ptrdiff_t)filled * COLUMNS, 0,
               bytes);
}

void attention_fill_rhs_transposed(const AttentionMatrix *m, AttentionRhs *rhs)
{
    for (int row = 0; row < m->rows; row += COLUMNS) {
        const int count = min_int(COLUMNS, m->rows - row);
        const uint32_t *rows[COLUMNS];
        for (int r = 0; r < count; r++)
            rows[r] = at(m, row + r, 0);
        kernels()->transpose(rows, count, rhs->groups, rhs->panels + (ptrdiff_t)row * rhs->groups);
    }
}

/* The product with the panel that begins at `column`. The caller sets where the sums go. */
static KernelProduct panel_product(const AttentionLhs *lhs, const AttentionRhs *rhs, int column)
{
    assert(lhs->groups == rhs->groups && lhs->type == rhs->type);
    return (KernelProduct){.rows = lhs->rows,
                           .columns = min_int(COLUMNS, rhs->columns - column),
                           .groups = lhs->groups,
                           .a = lhs->a,
                           .lda = lhs->ld,
                           .b = rhs->panels + (ptrdiff_t)column * rhs->groups};
}

void attention_sums(const AttentionLhs *lhs, const AttentionRhs *rhs, float *sums, ptrdiff_t ld,
                    ptrdiff_t step)
{
    for (int column = 0; column < rhs->columns; column += COLUMNS, sums += step) {
        KernelProduct product = panel_product(lhs, rhs, column);
        product.sums = sums;
        product.ld_sums = ld;
        kernels()->product[precision_of(lhs->type)](&product);
    }
}

void attention_product(const AttentionLhs *lhs, const AttentionRhs *rhs,
                       void (*store)(const Epilogue *, int, int, const void *),
                       const Epilogue *epilogue)
{
    _Alignas(KERNELS_LINE) float sums[KERNELS_SUMS];
    const size_t size = dtype_size(epilogue->type);
    for (int column = 0; column < rhs->columns; column += COLUMNS) {
        KernelProduct product = panel_product(lhs, rhs, column);
        Epilogue panel = *epilogue;
        panel.columns = product.columns;
        panel.c = (char *)epilogue->c + (size_t)column * size;
        if (epilogue->residual)
            panel.residual = (const char *)epilogue->residual + (size_t)column * size;
        product.store = store;
        product.epilogue = &panel;
        product.sums = sums;
        kernels()->product[precision_of(lhs->type)](&product);
    }
}

void attention_product_transposed(const AttentionLhs *lhs, const AttentionRhs *rhs,
                                  const Epilogue *epilogue)
{
    assert(lhs->rows <= COLUMNS);
    _Alignas(KERNELS_LINE) float sums[SQUARE], transposed[SQUARE];
    Epilogue rows = *epilogue;
    rows.columns = lhs->rows;
    const uint32_t *columns[COLUMNS];
    for (int r = 0; r < lhs->rows; r++)
        columns[r] = (const uint32_t *)(const void *)(sums + (ptrdiff_t)r * COLUMNS);
    for (int column = 0; column < rhs->columns; column += COLUMNS) {
        KernelProduct product = panel_product(lhs, rhs, column);
        product.sums = sums;
        product.ld_sums = COLUMNS;
        kernels()->product[precision_of(lhs->type)](&product);
        kernels()->transpose(columns, lhs->rows, product.columns, (uint32_t *)(void *)transposed);
        kernels()->epilogue(&rows, column, product.columns, transposed);
    }
}
