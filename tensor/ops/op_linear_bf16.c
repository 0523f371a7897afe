/*
 * op_linear_bf16.c - a weight that trains, in bf16; see op_linear.h.
 *
 * The weight itself is f32, for steps of the optimizer are smaller than what bf16 can add to it. Each product
 * packs it anew: that reads 4 bytes a number for the 2 M operations, M the rows of all samples, that the product then
 * does with it, and nobody has to tell when the weight changed.
 *
 * dW += dz^T x is one product a sample, in f32 sums: A = dz^T, transposed here, and B = x, packed. Micro-batches
 * thus change no bit of it.
 */
#include "tensor/ops/op_linear_private.h"

#include <string.h>

enum { TILE = 32, TASK_COLUMNS = 64 };

PackedMatrix op_linear_pack(Tape *tape, const Linear *linear, bool transposed)
{
    const int K = transposed ? linear->in : linear->out, N = transposed ? linear->out : linear->in;
    PackedMatrix packed = packed_place(tape_arena(tape), PRECISION_BF16, K, N);
    PackedPart parts[LINEAR_MAX_PARTS];
    for (int part = 0; part < linear->parts; part++) {
        const Tensor *const weight = linear->weight[part];
        parts[part] = (PackedPart){op_f32(tape, weight), weight->shape[0]};
    }
    op_pack(tape, &packed, parts, linear->parts, transposed);
    return packed;
}

/* The operands of dW of one sample. */
typedef struct Sample {
    int M, in, out;
    DType dz_type;
    const void *dz;       /* [M,out] */
    const uint16_t *x;    /* [M,in] */
    uint16_t *transposed; /* [out,M] dz^T */
    float *wide;          /* [M,in] x */
} Sample;

/* Some columns of dz become rows: tile by tile, so that a tile's lines are in the cache when they are written. */
static void transpose_task(const void *context, int task)
{
    const Sample *const s = context;
    const OpRange columns = op_range(s->out, TASK_COLUMNS, task);
    const size_t size = dtype_size(s->dz_type);
    uint16_t tile[TILE][TASK_COLUMNS];
    for (int first = 0; first < s->M; first += TILE) {
        const int rows = s->M - first < TILE ? s->M - first : TILE;
        for (int m = 0; m < rows; m++)
            op_convert(s->dz_type,
                       (const char *)s->dz +
                           ((size_t)(first + m) * (size_t)s->out + (size_t)columns.begin) * size,
                       DTYPE_BF16, tile[m], (size_t)columns.count);
        for (int n = 0; n < columns.count; n++) {
            uint16_t *const row = s->transposed + (ptrdiff_t)(columns.begin + n) * s->M + first;
            for (int m = 0; m < rows; m++)
                row[m] = tile[m][n];
        }
    }
}

/* A row of x as f32, as packing reads it. */
static void widen_task(const void *context, int task)
{
    const Sample *const s = context;
    const ptrdiff_t at = (ptrdiff_t)task * s->in;
    op_convert(DTYPE_BF16, s->x + at, DTYPE_F32, s->wide + at, (size_t)s->in);
}

void op_linear_bf16_weights(Tape *tape, const Linear *linear, int B, int M, DType dz_type,
                            const void *dz, const void *x, float *const dW[LINEAR_MAX_PARTS])
{
    Arena *const arena = tape_arena(tape);
    const size_t in = (size_t)linear->in, out = (size_t)linear->out, rows = (size_t)M;
    Sample sample = {.M = M, .in = linear->in, .out = linear->out, .dz_type = dz_type};
    sample.transposed = arena_alloc(arena, out * rows * sizeof *sample.transposed);
    sample.wide = arena_alloc(arena, rows * in * sizeof *sample.wide);
    PackedMatrix packed = packed_place(arena, PRECISION_BF16, M, linear->in);
    for (int b = 0; b < B; b++) {
        sample.dz = (const char *)dz + (size_t)b * rows * out * dtype_size(dz_type);
        sample.x = (const uint16_t *)x + (size_t)b * rows * in;
        op_run_tasks(tape, op_range_count(sample.out, TASK_COLUMNS), transpose_task, &sample);
        op_run_tasks(tape, M, widen_task, &sample);
        op_pack(tape, &packed, &(const PackedPart){sample.wide, M}, 1, false);
        const uint16_t *row = sample.transposed;
        for (int part = 0; part < linear->parts; part++) {
            const int part_rows = linear->weight[part]->shape[0];
            const PackedInput input = {.type = DTYPE_BF16, .numbers = row};
            const PackedEpilogue epilogue = {.residual = dW[part]};
            if (dW[part])
                op_packed_product(tape, part_rows, &input, &packed, &epilogue, DTYPE_F32, dW[part]);
            row += (ptrdiff_t)part_rows * M;
        }
    }
    arena_free(arena, packed.panels);
    arena_free(arena, sample.wide);
    arena_free(arena, sample.transposed);
}
