/*
 * packed.c - see packed.h: first the product with a packed matrix, then how packs are filled.
 *
 * A task is one group of rows times one panel. Groups are processed one after the other: the rows
 * of a group stay in the second-level cache while all panels are multiplied with it. The panel that
 * this thread will probably need next is prefetched.
 *
 * The kernels read rows of A in the precision of the pack. Activations in bf16 already have it. But
 * AMX multiplies rows of 2 or 8 KiB a quarter faster from a copy in which they are an odd number of
 * cache lines apart. Rows that are not read in place are first prepared in scratch memory, chunk by
 * chunk. In f32 they are packed six by six: that takes 2 % of the time and gains 7 %, since the
 * kernel then reads sequentially, while rows 4 KiB apart share a few sets of the first-level cache.
 * In int8 they are quantised. If A has a z, its elements are multiplied by the derivative of the
 * activation at z.
 *
 * k is blocked so that a panel and the rows of A fit in the second-level cache: in f32 in blocks,
 * with partial sums in C; in bf16 in slices within a task, with partial sums on its stack. int8
 * panels are short enough to need neither.
 */
#include "tensor/packed.h"

#include "tensor/base/arithmetic.h"
#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum {
    TILE = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    DEPTH = 1024,      /* f32: k of a block; smaller blocks would store sums more often */
    SLICE = 1024,      /* bf16: k of a slice; products of K = 4096 gain 20 to 30 % */
    SLICED_ROWS = 256, /* most rows of a group in slices, whose sums are on the stack */
    GROUP_BYTES =
        1056 << 10,   /* most bytes of A in a group: 264 rows (an image) of a block in f32 */
    GROUP_ROWS = 544, /* most rows of a group, so that there are tasks for every thread */
    LOW_ROWS = 32,    /* bf16 and int8: groups are multiples of it, two tiles of AMX */
    LOW_SLACK = 16, /* up to this many extra rows join a group: 257 rows are one group of 256 + 1 */
    CHUNK_BYTES = 8 * GROUP_BYTES, /* bytes of A in scratch memory at once */
    CHUNK_ROWS = 8 * GROUP_ROWS,
    COPIED_COLUMNS = 512, /* least columns of B for which copying rows of A pays */
    PREPARED_ROWS = 8,    /* rows per task that prepares bf16 or int8 */
    CHUNK = 512,          /* elements that are converted at once */
};

bool packed_pays(Precision precision)
{
    return precision != PRECISION_F32 || kernels()->product_is_fast;
}

int packed_group(Precision precision)
{
    static const int numbers[PRECISION_COUNT] = {
        [PRECISION_F32] = 1, [PRECISION_BF16] = 2, [PRECISION_INT8] = 4};
    return numbers[precision];
}

int packed_depth(Precision precision, int depth)
{
    enum { LINE_GROUPS = KERNELS_LINE / 4 };
    if (precision == PRECISION_F32)
        return depth;
    return ceil_div_int(ceil_div_int(depth, packed_group(precision)), LINE_GROUPS) * LINE_GROUPS;
}

int packed_groups(const PackedMatrix *packed)
{
    return packed_depth(packed->precision, packed->K);
}

PackedMatrix packed_place(Arena *arena, Precision precision, int K, int N)
{
    assert(K >= 1 && N >= 1);
    PackedMatrix packed = {.precision = precision, .K = K, .N = N};
    const size_t columns = (size_t)ceil_div_int(N, COLUMNS) * COLUMNS;
    packed.panels = arena_alloc(arena, columns * (size_t)packed_groups(&packed) * sizeof(uint32_t));
    if (precision == PRECISION_INT8) {
        packed.scale = arena_alloc(arena, columns * sizeof *packed.scale);
        packed.sum = arena_alloc(arena, columns * sizeof *packed.sum);
        packed.factor = arena_alloc(arena, K * sizeof *packed.factor);
    }
    return packed;
}

/*
 * The tiling of a product and the layout of its scratch memory. Depends on shapes and types alone.
 */
typedef struct Tiling {
    bool prepares;    /* rows of A are prepared in scratch memory */
    int unit, slack;  /* groups are multiples of `unit` rows, plus up to `slack` rows */
    int group, chunk; /* rows, at most */
    int depth;        /* k of a block, at most */
    size_t row_bytes; /* bytes of a prepared row of A; in f32: of one block of k */
    size_t scale_at;  /* int8: offset of the scales of a chunk's rows, behind the rows */
    size_t zero_at;   /* int8: offset of their zero points */
    size_t wide_at; /* int8: offset of rows converted from f32 to bf16, one per task: [tasks][K] */
    size_t bytes;   /* bytes of scratch memory */
} Tiling;

static size_t lines(size_t bytes)
{
    return (bytes + KERNELS_LINE - 1) / KERNELS_LINE * KERNELS_LINE;
}

/*
 * How many rows of A fit in `bytes`, in multiples of the unit: at least one unit, otherwise at most
 * `most` rows.
 */
static int rows_in(size_t bytes, int most, const Tiling *tiling)
{
    const size_t fitting = bytes / tiling->row_bytes;
    const int rows = (fitting < (size_t)most ? (int)fitting : most) / tiling->unit * tiling->unit;
    return rows < tiling->unit ? tiling->unit : rows;
}

/* True if rows of A that are an even number of lines apart should be copied. */
static bool repays_copy(int M, const PackedMatrix *B)
{
    return kernels()->product_wants_odd_rows && M >= LOW_ROWS && B->N >= COPIED_COLUMNS;
}

static bool is_sliced(const PackedMatrix *B)
{
    return B->precision == PRECISION_BF16 && B->K > SLICE;
}

/* The tiling of A B. Rows of A are prepared over all of k, in f32 one block of k at a time. */
static Tiling tiling_of(int M, const PackedInput *A, const PackedMatrix *B)
{
    const Precision precision = B->precision;
    const bool f32 = precision == PRECISION_F32, int8 = precision == PRECISION_INT8;
    const bool whole = packed_groups(B) * packed_group(precision) == B->K;
    Tiling tiling = {.unit = f32 ? TILE : LOW_ROWS, .slack = f32 ? 0 : LOW_SLACK, .chunk = M};
    tiling.depth = f32 ? min_int(B->K, DEPTH) : B->K;
    tiling.row_bytes = sizeof(uint32_t) * (size_t)(f32 ? tiling.depth : packed_groups(B));
    const bool even = !f32 && tiling.row_bytes / KERNELS_LINE % 2 == 0;
    tiling.prepares = precision != PRECISION_BF16 || A->type != DTYPE_BF16 || A->z || !whole ||
                      (even && repays_copy(M, B));
    tiling.group = rows_in(GROUP_BYTES, is_sliced(B) ? SLICED_ROWS : GROUP_ROWS, &tiling);
    if (!tiling.prepares)
        return tiling;
    if (even)
        tiling.row_bytes += KERNELS_LINE;
    tiling.chunk = min_int(M, rows_in(CHUNK_BYTES, CHUNK_ROWS, &tiling));
    const size_t rows = (size_t)ceil_div_int(tiling.chunk, TILE) * TILE;
    tiling.scale_at = lines(rows * tiling.row_bytes);
    tiling.zero_at = tiling.scale_at + (int8 ? lines(rows * sizeof(float)) : 0);
    tiling.wide_at = tiling.zero_at + (int8 ? lines(rows * sizeof(int32_t)) : 0);
    tiling.bytes = tiling.wide_at;
    if (int8 && A->type == DTYPE_F32)
        tiling.bytes += (size_t)ceil_div_int(tiling.chunk, PREPARED_ROWS) * B->K * sizeof(uint16_t);
    return tiling;
}

/* Number of groups in a chunk of `rows` rows. */
static int groups_of(const Tiling *tiling, int rows)
{
    return rows > tiling->slack ? ceil_div_int(rows - tiling->slack, tiling->group) : 1;
}

size_t packed_scratch(int M, const PackedInput *input, const PackedMatrix *B)
{
    const size_t bytes = tiling_of(M, input, B).bytes;
    return bytes > 0 ? bytes : KERNELS_LINE; /* arenas do not allocate 0 bytes */
}

/* The product of one chunk of rows and one block of k. */
typedef struct Product {
    const PackedInput *A;
    const PackedMatrix *B;
    const Epilogue *epilogue;
    Tiling tiling;
    char *scratch;
    int workers;
    int first, rows; /* rows of the chunk */
    int k, depth;    /* range of k of the block */
} Product;

/*
 * Elements [place, place + count) of A in f32, count <= CHUNK, multiplied by the derivative of the
 * activation if A has z. Returns a pointer into A, or x [count].
 */
static const float *chunk_of(const PackedInput *A, ptrdiff_t place, int count, float *x)
{
    const size_t n = (size_t)count;
    const float *numbers = (const float *)A->numbers + place;
    if (A->type == DTYPE_BF16) {
        kernels()->from_bf16((const uint16_t *)A->numbers + place, x, n);
        numbers = x;
    }
    if (!A->z)
        return numbers;
    float z[CHUNK];
    if (A->type == DTYPE_BF16)
        kernels()->from_bf16((const uint16_t *)A->z + place, z, n);
    A->backward(A->type == DTYPE_BF16 ? z : (const float *)A->z + place, numbers, x, n);
    return x;
}

/* Packs one tile of A. */
static void pack_a_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *p = context;
    const ptrdiff_t K = p->B->K;
    const int row = task * TILE, rows = min_int(TILE, p->rows - row);
    const ptrdiff_t corner = (p->first + row) * K + p->k;
    float *out = (float *)(void *)p->scratch + (ptrdiff_t)row * p->depth;
    if (!p->A->z) {
        kernels()->pack_a((const float *)p->A->numbers + corner, K, rows, p->depth, out);
        return;
    }
    for (int k = 0; k < p->depth; k += CHUNK) {
        float dz[TILE][CHUNK];
        const int count = min_int(CHUNK, p->depth - k);
        for (int r = 0; r < rows; r++)
            chunk_of(p->A, corner + r * K + k, count, dz[r]);
        kernels()->pack_a(dz[0], CHUNK, rows, count, out + (ptrdiff_t)k * TILE);
    }
}

/* Writes the row of A that starts at element `start` to out [K] in bf16. */
static void round_row(const PackedInput *A, ptrdiff_t start, int K, uint16_t *out)
{
    if (A->type == DTYPE_BF16 && !A->z) {
        memcpy(out, (const uint16_t *)A->numbers + start, K * sizeof *out);
        return;
    }
    for (int k = 0; k < K; k += CHUNK) {
        float x[CHUNK];
        const int count = min_int(CHUNK, K - k);
        kernels()->to_bf16(chunk_of(A, start + k, count, x), out + k, count);
    }
}

/* Prepares PREPARED_ROWS rows of A in bf16, padded with zeros. */
static void round_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *p = context;
    const int K = p->B->K, end = min_int((task + 1) * PREPARED_ROWS, p->rows);
    for (int row = task * PREPARED_ROWS; row < end; row++) {
        char *out = p->scratch + (size_t)row * p->tiling.row_bytes;
        const size_t bytes = K * sizeof(uint16_t);
        round_row(p->A, (ptrdiff_t)(p->first + row) * K, K, (uint16_t *)(void *)out);
        memset(out + bytes, 0, p->tiling.row_bytes - bytes);
    }
}

static float *row_scales(const Product *p)
{
    return (float *)(void *)(p->scratch + p->tiling.scale_at);
}

static int32_t *row_zeros(const Product *p)
{
    return (int32_t *)(void *)(p->scratch + p->tiling.zero_at);
}

/*
 * Prepares PREPARED_ROWS rows of A, quantised. The padding is the byte 0 rather than the zero
 * point, since B is zero there.
 */
static void quantize_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *p = context;
    const int K = p->B->K, end = min_int((task + 1) * PREPARED_ROWS, p->rows);
    uint16_t *wide = (uint16_t *)(void *)(p->scratch + p->tiling.wide_at) + (ptrdiff_t)task * K;
    for (int row = task * PREPARED_ROWS; row < end; row++) {
        uint8_t *out = (uint8_t *)p->scratch + (size_t)row * p->tiling.row_bytes;
        const ptrdiff_t start = (ptrdiff_t)(p->first + row) * K;
        const bool is_bf16 = p->A->type == DTYPE_BF16;
        if (!is_bf16)
            round_row(p->A, start, K, wide);
        row_scales(p)[row] =
            kernels()->quantize(is_bf16 ? (const uint16_t *)p->A->numbers + start : wide,
                                p->B->factor, K, out, row_zeros(p) + row);
        memset(out + K, 0, p->tiling.row_bytes - (size_t)K);
    }
}

/* Prepares the rows of a block as the kernel reads them. */
static void prepare(Threads *threads, Product *p)
{
    static const ThreadsTask tasks[PRECISION_COUNT] = {[PRECISION_F32] = pack_a_task,
                                                       [PRECISION_BF16] = round_task,
                                                       [PRECISION_INT8] = quantize_task};
    const Precision precision = p->B->precision;
    const int rows = precision == PRECISION_F32 ? TILE : PREPARED_ROWS;
    threads_run(threads, ceil_div_int(p->rows, rows), tasks[precision], p);
}

/* The group of panel `panel` that contains row k of B. */
static const char *panel_at(const PackedMatrix *B, int panel, int k)
{
    const ptrdiff_t group = (ptrdiff_t)panel * packed_groups(B) + k / packed_group(B->precision);
    return (const char *)B->panels + group * COLUMNS * (ptrdiff_t)sizeof(uint32_t);
}

/* The address of element `index` of a matrix of C's type, or NULL if `matrix` is NULL. */
static void *element(const Product *p, const void *matrix, ptrdiff_t index)
{
    /* The cast drops const, since the matrix may be C, which is written. */
    return matrix ? (char *)(uintptr_t)matrix + index * (ptrdiff_t)dtype_size(p->epilogue->type)
                  : NULL;
}

/*
 * The epilogue of the sums at [row,column] of the chunk. The first block of k adds bias and
 * residual, later ones add to the partial sums in C or z, the last one applies the activation.
 */
static Epilogue panel_epilogue(const Product *p, int row, int column)
{
    const PackedMatrix *B = p->B;
    const Epilogue *epilogue = p->epilogue;
    const bool starts = p->k == 0, ends = p->k + p->depth == B->K;
    void *z = epilogue->z && epilogue->activate ? epilogue->z : epilogue->c;
    const ptrdiff_t place = (ptrdiff_t)(p->first + row) * B->N + column;
    Epilogue panel = {
        .columns = min_int(COLUMNS, B->N - column),
        .ld = B->N,
        .type = epilogue->type,
        .bias = starts && epilogue->bias ? epilogue->bias + column : NULL,
        .residual = element(p, starts ? epilogue->residual : z, place),
        .activate = ends ? epilogue->activate : NULL,
        .z = ends && z != epilogue->c ? element(p, z, place) : NULL,
        .c = element(p, ends ? epilogue->c : z, place),
    };
    if (B->precision == PRECISION_INT8) {
        panel.row_scale = row_scales(p) + row;
        panel.column_scale = B->scale + column;
        panel.row_zero = row_zeros(p) + row;
        panel.column_sum = B->sum + column;
    }
    return panel;
}

/*
 * The partial sums of a product in slices of k. `epilogue` is the first member: `store` gets only
 * its address.
 */
typedef struct Slices {
    Epilogue epilogue;
    float *sums; /* [rows,64] */
    bool last;   /* the last slice */
} Slices;

static void add_slice(const Epilogue *epilogue, int row, int count, const void *sums)
{
    const Slices *slices = (const Slices *)(const void *)epilogue;
    const float *more = sums;
    float *all = slices->sums + (ptrdiff_t)row * COLUMNS;
    for (int r = 0; r < count; r++)
        for (int n = 0; n < epilogue->columns; n++)
            all[r * COLUMNS + n] += more[r * COLUMNS + n];
    if (slices->last)
        kernels()->epilogue(epilogue, row, count, all);
}

/*
 * A bf16 product with a long panel, one slice of k at a time, so that a slice of the panel, the
 * prefetched one and the rows of A fit in the cache. whole->prefetch is the next panel.
 */
static void product_in_slices(const KernelProduct *whole)
{
    const int count = ceil_div_int(whole->groups, SLICE / 2), line = KERNELS_LINE / 4;
    const int most = ceil_div_int(ceil_div_int(whole->groups, count), line) * line;
    const ptrdiff_t group_bytes = COLUMNS * sizeof(uint32_t);
    _Alignas(KERNELS_LINE) float sums[(SLICED_ROWS + LOW_SLACK) * COLUMNS];
    Slices slices = {.epilogue = *whole->epilogue, .sums = sums};
    assert(whole->rows <= SLICED_ROWS + LOW_SLACK);
    for (int done = 0; done < whole->groups; done += most) {
        const int groups = min_int(most, whole->groups - done);
        const char *b = (const char *)whole->b + done * group_bytes;
        slices.last = done + groups == whole->groups;
        slices.epilogue.c =
            slices.last ? whole->epilogue->c
                        : NULL; /* NULL, so that kernels do not prefetch C for every slice */
        KernelProduct slice = *whole;
        slice.groups = groups;
        slice.a = (const char *)whole->a + done * (ptrdiff_t)sizeof(uint32_t);
        slice.b = b;
        slice.prefetch = slices.last ? whole->prefetch : b + groups * group_bytes;
        slice.prefetch_bytes = (size_t)(most * group_bytes);
        slice.epilogue = &slices.epilogue;
        slice.store = add_slice;
        if (done == 0) {
            slice.store = NULL;
            slice.sums = sums;
            slice.ld_sums = COLUMNS;
        }
        kernels()->product[PRECISION_BF16](&slice);
    }
}

/* One group of rows times one panel. */
static void product_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *p = context;
    const PackedMatrix *B = p->B;
    const int panels = ceil_div_int(B->N, COLUMNS), panel = task % panels, group = task / panels;
    const int units = ceil_div_int(p->rows, p->tiling.unit),
              groups = groups_of(&p->tiling, p->rows);
    const int row = units * group / groups * p->tiling.unit;
    const int end = min_int(units * (group + 1) / groups * p->tiling.unit, p->rows);
    const Epilogue epilogue = panel_epilogue(p, row, panel * COLUMNS);
    const int next = (panel + p->workers) % panels;
    const int deep = B->precision == PRECISION_F32 ? p->depth : packed_groups(B);
    const size_t row_bytes =
        B->precision == PRECISION_F32 ? sizeof(float) * (size_t)deep : p->tiling.row_bytes;
    const char *a = p->tiling.prepares ? p->scratch
                                       : (const char *)p->A->numbers + (size_t)p->first * row_bytes;
    _Alignas(KERNELS_LINE) float sums[KERNELS_SUMS];
    const KernelProduct product = {
        .rows = end - row,
        .columns = epilogue.columns,
        .groups = deep,
        .a = a + (size_t)row * row_bytes,
        .lda = (ptrdiff_t)row_bytes,
        .b = panel_at(B, panel, p->k),
        .store = kernels()->epilogue,
        .epilogue = &epilogue,
        .sums = sums,
        .prefetch = panel_at(B, next, p->k),
        .prefetch_bytes = (size_t)deep * COLUMNS * sizeof(uint32_t),
    };
    if (is_sliced(B))
        product_in_slices(&product);
    else
        kernels()->product[B->precision](&product);
}

static void check(const PackedInput *A, const PackedMatrix *B, DType type)
{
    assert(A->type == DTYPE_F32 || A->type == DTYPE_BF16);
    assert(type == DTYPE_F32 || type == DTYPE_BF16);
    assert(B->precision != PRECISION_F32 || (A->type == DTYPE_F32 && type == DTYPE_F32));
    assert(!A->z || (A->backward && B->precision != PRECISION_INT8));
}

void packed_product(Threads *threads, int M, const PackedInput *A, const PackedMatrix *B,
                    const Epilogue *epilogue, void *scratch)
{
    assert(M >= 1 && A->numbers && epilogue->c && scratch);
    check(A, B, epilogue->type);
    Product p = {.A = A,
                 .B = B,
                 .epilogue = epilogue,
                 .tiling = tiling_of(M, A, B),
                 .scratch = scratch,
                 .workers = threads_count(threads)};
    for (p.first = 0; p.first < M; p.first += p.tiling.chunk) {
        p.rows = min_int(p.tiling.chunk, M - p.first);
        const int tasks = groups_of(&p.tiling, p.rows) * ceil_div_int(B->N, COLUMNS);
        for (p.k = 0; p.k < B->K; p.k += p.tiling.depth) {
            p.depth = min_int(p.tiling.depth, B->K - p.k);
            if (p.tiling.prepares)
                prepare(threads, &p);
            threads_run(threads, tasks, product_task, &p);
        }
    }
}

/*
 * Filling packs.
 *
 * W is read once, 64 rows per task, in blocks of columns that stay in the first-level cache while
 * they are converted and laid out. In W^T the 64 rows are one panel; they are transposed in units
 * of 32 bits, since the elements of a group are adjacent in a row. In W they are 64 values of k of
 * every panel; two rows of bf16 become one row of pairs. So a mapped file is read at the speed of
 * memory, and packing all of ViT-L/14 takes a fraction of a second.
 *
 * int8. With w[k] the largest weight of input channel k, and a[k] the expected magnitude of its
 * activation, the factor of the channel is sqrt(w[k] / a[k]): then a[k] factor and w[k] / factor
 * are both sqrt(a[k] w[k]). A column's scale is its largest weight divided by 127.
 */
enum {
    BLOCK = 256,          /* columns of W converted at once: 32 KiB of bf16 */
    FACTOR_COLUMNS = 128, /* columns of W per task of largest_task */
    LANE_BYTES = 4,
    STEPS = 127,                /* largest value of a quantised weight */
    MOST_INT8 = 1 << 16,        /* largest k for which a sum of 255 x 127 fits 32 bits */
    LINE_LOW = KERNELS_LINE / 2 /* bf16 elements of a line */
};

/* W, and the packs to fill from it. */
typedef struct Fill {
    const PackedPart *parts;
    int rows, width;          /* shape of W */
    PackedMatrix *transposed; /* B = W^T, or NULL */
    PackedMatrix *plain;      /* B = W, or NULL */
    const float *magnitude;   /* int8: [width] or NULL */
} Fill;

/* Row `row` of W. */
static const float *row_of(const Fill *fill, int row)
{
    const PackedPart *part = fill->parts;
    for (; row >= part->rows; part++)
        row -= part->rows;
    return part->numbers + (ptrdiff_t)row * fill->width;
}

/* The groups [64] at index `group` along k of a panel. */
static uint32_t *groups_at(const PackedMatrix *packed, int panel, int group)
{
    return (uint32_t *)packed->panels +
           ((ptrdiff_t)panel * packed_groups(packed) + group) * COLUMNS;
}

/*
 * Fills k in [column, column + columns) of a panel of W^T from `count` (up to 64) rows of W, given
 * from `column` on.
 */
static void lay_across(const PackedMatrix *packed, int panel, int column, int columns,
                       const uint32_t *const *rows, int count)
{
    const int group = packed_group(packed->precision);
    kernels()->transpose(rows, count, ceil_div_int(columns, group),
                         groups_at(packed, panel, column / group));
}

/* Sets the padding of a panel of W^T beyond K to zero. */
static void clear_rest(const PackedMatrix *packed, int panel)
{
    const int used = ceil_div_int(packed->K, packed_group(packed->precision));
    memset(groups_at(packed, panel, used), 0,
           (size_t)(packed_groups(packed) - used) * COLUMNS * LANE_BYTES);
}

/* Packs 64 rows of W in f32. */
static void f32_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *fill = context;
    const int first = task * COLUMNS, count = min_int(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    for (int r = 0; r < count; r++)
        rows[r] = row_of(fill, first + r);
    for (int column = 0; column < fill->width; column += BLOCK) {
        const int columns = min_int(BLOCK, fill->width - column);
        const uint32_t *bits[COLUMNS];
        for (int r = 0; r < count; r++)
            bits[r] = (const uint32_t *)(const void *)(rows[r] + column);
        if (fill->transposed)
            lay_across(fill->transposed, task, column, columns, bits, count);
        for (int c = 0; fill->plain && c < columns; c += COLUMNS) {
            const size_t used = (size_t)min_int(COLUMNS, columns - c) * LANE_BYTES;
            for (int r = 0; r < count; r++) {
                char *out = (char *)groups_at(fill->plain, (column + c) / COLUMNS, first + r);
                memcpy(out, bits[r] + c, used);
                memset(out + used, 0, COLUMNS * LANE_BYTES - used);
            }
        }
    }
}

/*
 * Converts columns of `count` rows of W to bf16: block [64][BLOCK], zero beyond `columns` up to
 * whole panels and beyond `count` rows.
 */
static void round_block(const float *const *rows, int count, int column, int columns,
                        uint16_t block[COLUMNS][BLOCK])
{
    const size_t filled = (size_t)ceil_div_int(columns, COLUMNS) * COLUMNS;
    for (int r = 0; r < COLUMNS; r++) {
        const size_t used = r < count ? (size_t)columns : 0;
        if (used)
            kernels()->to_bf16(rows[r] + column, block[r], used);
        memset(block[r] + used, 0, (filled - used) * sizeof *block[r]);
    }
}

/* Packs 64 rows of W in bf16. The last task of a plain pack also writes its padding. */
static void bf16_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *fill = context;
    const int first = task * COLUMNS, count = min_int(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    _Alignas(KERNELS_LINE) uint16_t block[COLUMNS][BLOCK];
    const uint32_t *bits[COLUMNS];
    for (int r = 0; r < count; r++) {
        rows[r] = row_of(fill, first + r);
        bits[r] = (const uint32_t *)(const void *)block[r];
    }
    const int pairs = ceil_div_int(count, LINE_LOW) * LINE_LOW / 2;
    for (int column = 0; column < fill->width; column += BLOCK) {
        const int columns = min_int(BLOCK, fill->width - column);
        round_block(rows, count, column, columns, block);
        if (fill->transposed)
            lay_across(fill->transposed, task, column, columns, bits, count);
        for (int c = 0; fill->plain && c < columns; c += COLUMNS)
            for (int pair = 0; pair < pairs; pair++)
                kernels()->pair(block[pair * 2] + c, block[pair * 2 + 1] + c, COLUMNS,
                                groups_at(fill->plain, (column + c) / COLUMNS, first / 2 + pair));
    }
    if (fill->transposed)
        clear_rest(fill->transposed, task);
}

/*
 * max[n] = bits of max(max[n], |x[n]|). The bits of |x| are ordered like the values, with NaN the
 * largest.
 */
static void raise(const float *x, int n, uint32_t *max)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= INT32_MAX;
        max[i] = bits > max[i] ? bits : max[i];
    }
}

/* Stores the largest weight of a range of input channels in `factor`. */
static void largest_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *fill = context;
    const int column = task * FACTOR_COLUMNS, n = min_int(FACTOR_COLUMNS, fill->width - column);
    uint32_t max[FACTOR_COLUMNS] = {0};
    for (int row = 0; row < fill->rows; row++)
        raise(row_of(fill, row) + column, n, max);
    memcpy(fill->transposed->factor + column, max, n * sizeof *max);
}

/* `value` if it is finite and above `least`, else `least`. */
static double sound(float value, double least)
{
    return isfinite(value) && (double)value > least ? (double)value : least;
}

/*
 * factor[n] = sqrt(factor[n] / magnitude[n]), divided by the geometric mean of all, which does not
 * change products but keeps the factors near 1. Values below a millionth of the largest are raised
 * to it.
 */
static void balance(float *factor, const float *magnitude, int n)
{
    double weight = 0, activation = 0, sum = 0;
    for (int k = 0; k < n; k++) {
        weight = fmax(weight, sound(factor[k], 0));
        activation = fmax(activation, sound(magnitude[k], 0));
    }
    weight = weight > 0 ? weight * 1e-6 : 1;
    activation = activation > 0 ? activation * 1e-6 : 1;
    for (int k = 0; k < n; k++) {
        const double ratio = sound(factor[k], weight) / sound(magnitude[k], activation);
        factor[k] = (float)sqrt(ratio);
        sum += log(ratio) / 2;
    }
    const double mean = exp(sum / n);
    for (int k = 0; k < n; k++)
        factor[k] = (float)(factor[k] / mean);
}

/* inverse[n] = 1 / factor from `column` on, or 1 without factors. */
static void invert(const PackedMatrix *packed, int column, int n, float *inverse)
{
    for (int k = 0; k < n; k++)
        inverse[k] = packed->factor ? 1 / packed->factor[column + k] : 1;
}

/*
 * out[n] = x inverse step, rounded to nearest even; returns the sum of out. |x inverse step| <=
 * 127.
 */
static int32_t quantize(const float *x, const float *inverse, float step, int n, int8_t *out)
{
    /* Adding 1.5 2^23 leaves the rounded value in the low bits of the sum. */
    const float shift = 12582912.0F;
    int32_t sum = 0;
    for (int k = 0; k < n; k++) {
        const float shifted = x[k] * inverse[k] * step + shift;
        uint32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        const int8_t value = (int8_t)(uint8_t)bits;
        out[k] = value;
        sum += value;
    }
    return sum;
}

/* The largest |weight / factor| of each row; 0 beyond `count`. */
static void largest_of_rows(const Fill *fill, const float *const *rows, int count, float *largest)
{
    uint32_t max[COLUMNS] = {0};
    for (int column = 0; column < fill->width; column += BLOCK) {
        float inverse[BLOCK];
        const int columns = min_int(BLOCK, fill->width - column);
        invert(fill->transposed, column, columns, inverse);
        for (int r = 0; r < count; r++) {
            uint32_t row_max = max[r];
            for (int k = 0; k < columns; k++) {
                const float scaled = rows[r][column + k] * inverse[k];
                uint32_t bits;
                memcpy(&bits, &scaled, sizeof bits);
                bits &= INT32_MAX;
                row_max = bits > row_max ? bits : row_max;
            }
            max[r] = row_max;
        }
    }
    memcpy(largest, max, sizeof max);
}

/*
 * Packs 64 rows of W in int8, and stores the scales and sums of the 64 columns of W^T that they
 * are.
 */
static void int8_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *fill = context;
    const PackedMatrix *packed = fill->transposed;
    const int first = task * COLUMNS, count = min_int(COLUMNS, fill->rows - first);
    const float *rows[COLUMNS];
    const uint32_t *bits[COLUMNS];
    _Alignas(KERNELS_LINE) int8_t block[COLUMNS][BLOCK];
    float largest[COLUMNS], step[COLUMNS];
    int32_t sum[COLUMNS] = {0};
    for (int r = 0; r < count; r++) {
        rows[r] = row_of(fill, first + r);
        bits[r] = (const uint32_t *)(const void *)block[r];
    }
    largest_of_rows(fill, rows, count, largest);
    for (int r = 0; r < COLUMNS; r++) {
        const bool counts = largest[r] >= FLT_MIN * STEPS; /* else its inverse might overflow */
        step[r] = counts ? STEPS / largest[r] : 0;
        packed->scale[first + r] = isfinite(largest[r]) ? (counts ? largest[r] / STEPS : 0) : NAN;
    }
    for (int column = 0; column < fill->width; column += BLOCK) {
        float inverse[BLOCK];
        const int columns = min_int(BLOCK, fill->width - column);
        invert(packed, column, columns, inverse);
        for (int r = 0; r < count; r++) {
            sum[r] += quantize(rows[r] + column, inverse, step[r], columns, block[r]);
            memset(block[r] + columns, 0, (size_t)(-columns & (LANE_BYTES - 1)));
        }
        lay_across(packed, task, column, columns, bits, count);
    }
    for (int r = 0; r < COLUMNS; r++)
        packed->sum[first + r] = sum[r];
    clear_rest(packed, task);
}

static void fill_all(Fill *fill, int count, Threads *threads)
{
    static const ThreadsTask tasks[PRECISION_COUNT] = {
        [PRECISION_F32] = f32_task, [PRECISION_BF16] = bf16_task, [PRECISION_INT8] = int8_task};
    const PackedMatrix *any = fill->transposed ? fill->transposed : fill->plain;
    fill->rows = fill->transposed ? fill->transposed->N : fill->plain->K;
    fill->width = fill->transposed ? fill->transposed->K : fill->plain->N;
    int rows = 0;
    for (int i = 0; i < count; i++)
        rows += fill->parts[i].rows;
    assert(rows == fill->rows);
    if (any->precision == PRECISION_INT8) {
        PackedMatrix *packed = fill->transposed;
        assert(packed && !fill->plain && packed->K <= MOST_INT8);
        if (!fill->magnitude)
            packed->factor = NULL;
        if (packed->factor) {
            threads_run(threads, ceil_div_int(fill->width, FACTOR_COLUMNS), largest_task, fill);
            balance(packed->factor, fill->magnitude, fill->width);
        }
    }
    threads_run(threads, ceil_div_int(fill->rows, COLUMNS), tasks[any->precision], fill);
}

void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads)
{
    fill_all(&(Fill){.parts = parts, .plain = packed}, count, threads);
}

void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            const float *magnitude, Threads *threads)
{
    fill_all(&(Fill){.parts = parts, .transposed = packed, .magnitude = magnitude}, count, threads);
}

void packed_fill_both(PackedMatrix *transposed, PackedMatrix *plain, const PackedPart *parts,
                      int count, Threads *threads)
{
    assert(transposed->precision == plain->precision && transposed->precision != PRECISION_INT8);
    assert(transposed->N == plain->K && transposed->K == plain->N);
    fill_all(&(Fill){.parts = parts, .transposed = transposed, .plain = plain}, count, threads);
}
