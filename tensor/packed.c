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
    COLUMNS = KERNELS_TILE_COLUMNS,
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

bool packed_pays(void)
{
    return kernels()->tile_is_fast;
}

PackedMatrix packed_place(Arena *arena, int K, int N)
{
    assert(K >= 1 && N >= 1);
    const size_t count = (size_t)parts_of(N, COLUMNS) * COLUMNS * (size_t)K;
    return (PackedMatrix){.K = K, .N = N, .panels = arena_alloc(arena, count * sizeof(float))};
}

typedef struct Fill {
    PackedMatrix *packed;
    const PackedPart *parts;
    int count;
} Fill;

static float *panel_at(const PackedMatrix *packed, int panel)
{
    return packed->panels + (size_t)panel * (size_t)packed->K * COLUMNS;
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
    const float *rows[COLUMNS];
    for (int n = 0; n < columns; n++)
        rows[n] = row_of(fill, first + n, packed->K);
    kernels()->transpose(rows, columns, packed->K, panel_at(packed, task));
}

void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads)
{
    assert(rows_of(parts, count) == packed->K);
    Fill fill = {packed, parts, count};
    threads_run(threads, parts_of(packed->N, COLUMNS), fill_task, &fill);
}

void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            Threads *threads)
{
    assert(rows_of(parts, count) == packed->N);
    Fill fill = {packed, parts, count};
    threads_run(threads, parts_of(packed->N, COLUMNS), fill_transposed_task, &fill);
}

size_t packed_scratch(int M, int K)
{
    const size_t rows = (size_t)parts_of(smaller(M, CHUNK_ROWS), ROWS) * ROWS;
    return rows * (size_t)smaller(K, DEPTH);
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

/* The activation of a finished tile, while it is in the first-level cache. */
static void activate_tile(const PackedEpilogue *epilogue, const KernelTile *tile, float *y)
{
    for (int r = 0; r < tile->rows; r++)
        epilogue->activate(tile->c + r * tile->ld, y + r * tile->ld, (size_t)tile->columns);
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
    float *const z = epilogue->activate && epilogue->z ? epilogue->z : p->C;

    const float *const b = panel_at(B, panel) + (ptrdiff_t)p->k * COLUMNS;
    const int next = (panel + p->workers) % panels;
    const int lines = p->depth * COLUMNS * (int)sizeof(float) / CACHE_LINE / (end - begin) + 1;
    const char *const ahead = (const char *)(panel_at(B, next) + (ptrdiff_t)p->k * COLUMNS);
    for (int t = begin; t < end; t++) {
        const int row = t * ROWS;
        const ptrdiff_t place = (ptrdiff_t)(p->first + row) * B->N + column;
        const KernelTile tile = {
            .rows = smaller(ROWS, p->rows - row),
            .columns = smaller(COLUMNS, B->N - column),
            .depth = p->depth,
            .a = p->scratch + (ptrdiff_t)row * p->depth,
            .b = b,
            .bias = starts && epilogue->bias ? epilogue->bias + column : NULL,
            .addend = !starts              ? z + place
                      : epilogue->residual ? epilogue->residual + place
                                           : NULL,
            .c = z + place,
            .ld = B->N,
            .ahead = ahead + (ptrdiff_t)(t - begin) * lines * CACHE_LINE,
            .ahead_lines = lines,
        };
        kernels()->tile(&tile);
        if (ends && epilogue->activate)
            activate_tile(epilogue, &tile, p->C + place);
    }
}

void packed_product(Threads *threads, int M, const float *A, const PackedMatrix *B,
                    const PackedEpilogue *epilogue, float *scratch, float *C)
{
    assert(M >= 1 && A && C && scratch);
    Product p = {.B = B,
                 .epilogue = epilogue,
                 .A = A,
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
