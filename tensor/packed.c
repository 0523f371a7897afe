/*
 * packed.c - see packed.h.
 *
 * The product goes chunk of rows by chunk, and depth block by depth block within a chunk. Of each block
 * the rows of A are interleaved first, six by six, into scratch memory. That takes 2 % of the time, and
 * makes every read of the kernel sequential, which gains 7 %: rows 4 KiB apart fall into the same few sets
 * of the first-level cache. Then a task is one group of rows times one panel, group after group: a group's
 * block of A stays in the second-level cache while panel after panel passes by, and the panel that this
 * thread will probably take next is fetched meanwhile.
 */
#include "tensor/packed.h"

#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <string.h>

enum {
    ROWS = KERNELS_TILE_ROWS,
    COLUMNS = KERNELS_COLUMNS,
    DEPTH = 1024, /* k of one block: a panel of it is 256 KiB. Less would store sums more often */
    GROUP_TILES = 44, /* 264 rows, an image of 257 tokens; a block of them takes 1 MiB */
    CHUNK_GROUPS = 8, /* bounds the scratch memory to 8.25 MiB */
    CHUNK_ROWS = CHUNK_GROUPS * GROUP_TILES * ROWS,
    CACHE_LINE = 64, /* bytes */
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int parts_of(int total, int size)
{
    return total / size + (total % size != 0);
}

bool packed_pays(Precision precision)
{
    return precision != PRECISION_F32 || kernels()->product_is_fast;
}

PackedMatrix packed_place(Arena *arena, Precision precision, int K, int N)
{
    assert(K >= 1 && N >= 1);
    const size_t count = (size_t)parts_of(N, COLUMNS) * COLUMNS * (size_t)K;
    assert(precision == PRECISION_F32);
    return (PackedMatrix){.precision = precision,
                          .K = K,
                          .N = N,
                          .panels = arena_alloc(arena, count * sizeof(float))};
}

typedef struct Fill {
    PackedMatrix *packed;
    const PackedPart *parts;
    int count;
} Fill;

static float *panel_at(const PackedMatrix *packed, int panel)
{
    return (float *)packed->panels + (size_t)panel * (size_t)packed->K * COLUMNS;
}

/* Row `row` of all parts one below the other, each row `width` wide. */
static const float *row_of(const Fill *fill, int row, int width)
{
    const PackedPart *part = fill->parts;
    for (; row >= part->rows; part++)
        row -= part->rows;
    return part->numbers + (ptrdiff_t)row * width;
}

static int rows_of(const PackedPart *parts, int count)
{
    int rows = 0;
    for (int i = 0; i < count; i++)
        rows += parts[i].rows;
    return rows;
}

/* One panel: columns of B are columns of the parts. */
static void fill_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const PackedMatrix *const packed = fill->packed;
    const int first = task * COLUMNS, columns = smaller(COLUMNS, packed->N - first);
    float *out = panel_at(packed, task);
    for (int k = 0; k < packed->K; k++, out += COLUMNS) {
        memcpy(out, row_of(fill, k, packed->N) + first, (size_t)columns * sizeof *out);
        memset(out + columns, 0, (size_t)(COLUMNS - columns) * sizeof *out);
    }
}

/* One panel: columns of B are rows of the parts. */
static void fill_transposed_task(void *context, int task, int worker)
{
    (void)worker;
    const Fill *const fill = context;
    const PackedMatrix *const packed = fill->packed;
    const int first = task * COLUMNS, columns = smaller(COLUMNS, packed->N - first);
    const uint32_t *rows[COLUMNS];
    for (int n = 0; n < columns; n++)
        rows[n] = (const uint32_t *)row_of(fill, first + n, packed->K);
    kernels()->transpose(rows, columns, packed->K, (uint32_t *)panel_at(packed, task));
}

void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads)
{
    assert(rows_of(parts, count) == packed->K);
    Fill fill = {packed, parts, count};
    threads_run(threads, parts_of(packed->N, COLUMNS), fill_task, &fill);
}

void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            const float *magnitude, Threads *threads)
{
    (void)magnitude;
    assert(rows_of(parts, count) == packed->N);
    Fill fill = {packed, parts, count};
    threads_run(threads, parts_of(packed->N, COLUMNS), fill_transposed_task, &fill);
}

size_t packed_scratch(int M, const PackedInput *input, const PackedMatrix *B)
{
    (void)input;
    const size_t rows = (size_t)parts_of(smaller(M, CHUNK_ROWS), ROWS) * ROWS;
    return rows * (size_t)smaller(B->K, DEPTH) * sizeof(float);
}

/* One block of one chunk. */
typedef struct Product {
    const PackedMatrix *B;
    const PackedEpilogue *epilogue;
    const float *A; /* [M,K] */
    float *C;       /* [M,N] */
    float *scratch; /* [tiles][depth][ROWS] */
    int workers;
    int first, rows; /* of the chunk */
    int k, depth;    /* of the block */
} Product;

/* One tile of A, interleaved. */
static void interleave_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *const p = context;
    const ptrdiff_t K = p->B->K;
    const int row = task * ROWS;
    kernels()->interleave(p->A + (p->first + row) * K + p->k, K, smaller(ROWS, p->rows - row),
                          p->depth, p->scratch + (ptrdiff_t)row * p->depth);
}

/*
 * One group of rows times one panel. The first block adds bias and residual; the later ones add to what is
 * there; the last one activates.
 */
static void product_task(void *context, int task, int worker)
{
    (void)worker;
    const Product *const p = context;
    const PackedMatrix *const B = p->B;
    const PackedEpilogue *const epilogue = p->epilogue;
    const int panels = parts_of(B->N, COLUMNS), panel = task % panels;
    const int tiles = parts_of(p->rows, ROWS), groups = parts_of(tiles, GROUP_TILES);
    const int group = task / panels, column = panel * COLUMNS;
    const int begin = tiles * group / groups, end = tiles * (group + 1) / groups;
    const bool starts = p->k == 0, ends = p->k + p->depth == B->K;
    float *const z = epilogue->z && epilogue->activate ? epilogue->z : p->C;
    const int row = begin * ROWS;
    const ptrdiff_t place = (ptrdiff_t)(p->first + row) * B->N + column;
    const float *const residual = epilogue->residual;
    const KernelFinish finish = {
        .columns = smaller(COLUMNS, B->N - column),
        .ld = B->N,
        .bias = starts && epilogue->bias ? epilogue->bias + column : NULL,
        .addend = !starts    ? z + place
                  : residual ? residual + place
                             : NULL,
        .activate = ends ? epilogue->activate : NULL,
        .z = ends && z != p->C ? z + place : NULL,
        .c = (ends ? p->C : z) + place,
    };
    const int next = (panel + p->workers) % panels;
    _Alignas(CACHE_LINE) float sums[KERNELS_SUMS];
    const KernelProduct product = {
        .rows = smaller(end * ROWS, p->rows) - row,
        .columns = finish.columns,
        .groups = p->depth,
        .a = p->scratch + (ptrdiff_t)row * p->depth,
        .b = panel_at(B, panel) + (ptrdiff_t)p->k * COLUMNS,
        .deliver = kernels()->finish,
        .finish = &finish,
        .sums = sums,
        .ahead = (const char *)(panel_at(B, next) + (ptrdiff_t)p->k * COLUMNS),
        .ahead_bytes = (size_t)p->depth * COLUMNS * sizeof(float),
    };
    kernels()->product[PRECISION_F32](&product);
}

void packed_product(Threads *threads, int M, const PackedInput *A, const PackedMatrix *B,
                    const PackedEpilogue *epilogue, void *scratch, DType type, void *C)
{
    assert(M >= 1 && A && C && scratch && A->type == DTYPE_F32 && !A->z && type == DTYPE_F32);
    Product p = {.B = B,
                 .epilogue = epilogue,
                 .A = A->numbers,
                 .C = C,
                 .scratch = scratch,
                 .workers = threads_count(threads)};
    for (p.first = 0; p.first < M; p.first += CHUNK_ROWS) {
        p.rows = smaller(CHUNK_ROWS, M - p.first);
        const int tiles = parts_of(p.rows, ROWS);
        const int tasks = parts_of(tiles, GROUP_TILES) * parts_of(B->N, COLUMNS);
        for (p.k = 0; p.k < B->K; p.k += DEPTH) {
            p.depth = smaller(DEPTH, B->K - p.k);
            threads_run(threads, tiles, interleave_task, &p);
            threads_run(threads, tasks, product_task, &p);
        }
    }
}
