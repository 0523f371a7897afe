/*
 * op_linear_lora.c - what LoRA adds to a linear map; see op_linear.h.
 *
 * Derivation. With u = D(x) A^T, z = s u B^T and dz the gradient by z:
 *
 *     v = s dz B      dB = s dz^T u      dA = v^T D(x)     dx = D(v A)
 *
 * Dropout D multiplies each element by 0 or 1/(1-p), and so does its gradient; without dropout D(x)
 * is x. Each part has its own, as each weight has one in peft. Whether an element is dropped is a
 * function of seed, step, the sample's place in the whole batch, map, part and element (random.h),
 * so nothing of it is kept.
 *
 * Tasks. Rows (u and z forward, v and dx backward) are cut into blocks of a sample; dA and dB into panels of
 * their long side, each of which adds all blocks of all samples in order. In bf16 a block of x or dz becomes f32
 * in scratch memory, and sums are f32 throughout: A and B are a thousandth of the work of the map.
 */
#include "tensor/ops/op_linear_private.h"

#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_ROWS = 64, PANEL = 256, DRAWN = 256 };

static int part_rows(const Linear *linear, int part)
{
    return linear->weight[part]->shape[0];
}

/* 0 for a part without LoRA. */
static int part_rank(const Linear *linear, int part)
{
    return linear->down[part] ? linear->down[part]->shape[0] : 0;
}

static float scale_of(const Linear *linear)
{
    return linear->lora_scale == 0 ? 1 : linear->lora_scale;
}

int op_linear_lora_width(const Linear *linear)
{
    int width = 0;
    for (int part = 0; part < linear->parts; part++)
        width += part_rank(linear, part);
    return width;
}

void op_linear_lora_check(const Linear *linear)
{
    for (int part = 0; part < linear->parts; part++) {
        const Tensor *const down = linear->down[part], *const up = linear->up[part];
        assert(!down == !up);
        if (!down)
            continue;
        tensor_expect(down, "linear", "A of LoRA", 2, (const int[]){0, linear->in});
        tensor_expect(up, "linear", "B of LoRA", 2,
                      (const int[]){part_rows(linear, part), down->shape[0]});
    }
}

/* One pass over the rows, or one over the panels of dA and dB. */
typedef struct Pass {
    const LinearLora *lora;
    int width; /* of u and v */
    const float *residual;
    DType z_type; /* of z; backward: of dz */
    void *z;
    const void *dz;
    float *v; /* [B,M,width] */
    void *dx;
    TapeDropout dropout;
} Pass;

/* Some rows of one sample, by their place among all rows. */
typedef struct Block {
    ptrdiff_t first;
    int rows;
} Block;

static int block_count(const LinearLora *lora)
{
    return lora->B * op_range_count(lora->M, BLOCK_ROWS);
}

static Block block_at(const LinearLora *lora, int index)
{
    const int blocks = op_range_count(lora->M, BLOCK_ROWS);
    const OpRange range = op_range(lora->M, BLOCK_ROWS, index % blocks);
    return (Block){(ptrdiff_t)(index / blocks) * lora->M + range.begin, range.count};
}

/* Columns [begin, begin + count) of a block of a matrix with `columns`, as f32: in place, or in `scratch`. */
typedef struct View {
    const float *numbers;
    int stride;
} View;

static View view(DType type, const void *matrix, int columns, Block block, OpRange range,
                 float *scratch)
{
    const ptrdiff_t corner = block.first * columns + range.begin;
    if (type == DTYPE_F32)
        return (View){(const float *)matrix + corner, columns};
    for (int m = 0; m < block.rows; m++)
        op_convert(type, (const char *)matrix + (corner + (ptrdiff_t)m * columns) * 2, DTYPE_F32,
                   scratch + (ptrdiff_t)m * range.count, (size_t)range.count);
    return (View){scratch, range.count};
}

static OpRange whole(int columns)
{
    return (OpRange){0, columns};
}

/* D of one part, in place: some columns [block.rows,columns.count] of a block of what is like x. */
static void drop(const Pass *pass, int part, Block block, OpRange columns, float *x)
{
    const TapeDropout *const dropout = &pass->dropout;
    const Linear *const linear = pass->lora->linear;
    const int M = pass->lora->M;
    const uint32_t sample = dropout->first + (uint32_t)(block.first / M);
    const uint32_t map = linear->lora_map * (uint32_t)LINEAR_MAX_PARTS + (uint32_t)part;
    const Random stream =
        random_stream_part(dropout->seed, RANDOM_DROPOUT, dropout->step, sample, map);
    const uint32_t least = (uint32_t)(dropout->p * 0x1p32); /* of the words that keep */
    const float factor = (float)(1 / (1 - dropout->p));
    for (int m = 0; m < block.rows; m++, x += columns.count) {
        const uint64_t row = (uint64_t)(block.first % M + m) * (uint64_t)linear->in;
        for (int n = 0; n < columns.count; n += DRAWN) {
            uint32_t words[DRAWN];
            const int count = columns.count - n < DRAWN ? columns.count - n : DRAWN;
            random_words(&stream, row + (uint64_t)(columns.begin + n), (size_t)count, words);
            for (int i = 0; i < count; i++)
                x[n + i] = words[i] >= least ? x[n + i] * factor : 0;
        }
    }
}

/* D(x) of one part as a view; in `scratch` where there is dropout, else as view() has it. */
static View dropped(const Pass *pass, int part, Block block, OpRange columns, float *scratch)
{
    const LinearLora *const lora = pass->lora;
    const int in = lora->linear->in;
    const View x = view(lora->x_type, lora->x, in, block, columns, scratch);
    if (pass->dropout.p == 0)
        return x;
    for (int m = 0; m < block.rows && x.numbers != scratch; m++)
        memcpy(scratch + (ptrdiff_t)m * columns.count, x.numbers + (ptrdiff_t)m * x.stride,
               (size_t)columns.count * sizeof *scratch);
    drop(pass, part, block, columns, scratch);
    return (View){scratch, columns.count};
}

/* Some columns of z, f32: residual, or zeros. */
static void fill(float *z, const float *residual, int out, int rows, OpRange columns)
{
    for (int m = 0; m < rows; m++) {
        float *const row = z + (ptrdiff_t)m * out + columns.begin;
        if (residual)
            memcpy(row, residual + (ptrdiff_t)m * out + columns.begin,
                   (size_t)columns.count * sizeof *row);
        else
            memset(row, 0, (size_t)columns.count * sizeof *row);
    }
}

/* A block: u = D(x) A^T and z = residual + s u B^T. */
static void forward_task(const void *context, int task, float *scratch)
{
    const Pass *const pass = context;
    const LinearLora *const lora = pass->lora;
    const Linear *const linear = lora->linear;
    const int in = linear->in, out = linear->out;
    const Block block = block_at(lora, task);
    float *const u = lora->u + block.first * pass->width;
    View x = {NULL, 0};
    for (int part = 0, at = 0; part < linear->parts; at += part_rank(linear, part++)) {
        if (!linear->down[part])
            continue;
        if (!x.numbers || pass->dropout.p > 0)
            x = dropped(pass, part, block, whole(in), scratch);
        gemm(false, true, block.rows, part_rank(linear, part), in, 1, x.numbers, x.stride,
             tensor_f32(linear->down[part]), in, 0, u + at, pass->width);
    }

    const bool direct = pass->z_type == DTYPE_F32;
    float *const z = direct ? (float *)pass->z + block.first * out : scratch;
    const float *const residual = pass->residual ? pass->residual + block.first * out : NULL;
    for (int part = 0, at = 0, column = 0; part < linear->parts; part++) {
        const OpRange columns = {column, part_rows(linear, part)};
        const int rank = part_rank(linear, part);
        fill(z, residual, out, block.rows, columns);
        if (rank)
            gemm(false, true, block.rows, columns.count, rank, scale_of(linear), u + at,
                 pass->width, tensor_f32(linear->up[part]), rank, 1, z + column, out);
        column += columns.count;
        at += rank;
    }
    if (!direct)
        op_convert(DTYPE_F32, z, pass->z_type,
                   (char *)pass->z + block.first * out * (ptrdiff_t)dtype_size(pass->z_type),
                   (size_t)block.rows * (size_t)out);
}

/* Room for a block of x or z, per worker. */
static size_t block_floats(const Linear *linear)
{
    return (size_t)BLOCK_ROWS * (size_t)(linear->in > linear->out ? linear->in : linear->out);
}

/* The same in the backward: with dropout one more for dx of a part. */
static size_t backward_floats(const Linear *linear, const TapeDropout *dropout)
{
    return block_floats(linear) + (dropout->p > 0 ? BLOCK_ROWS * (size_t)linear->in : 0);
}

void op_linear_lora_forward(Tape *tape, const LinearLora *lora, const float *residual, DType z_type,
                            void *z)
{
    const Pass pass = {.lora = lora,
                       .width = op_linear_lora_width(lora->linear),
                       .residual = residual,
                       .z_type = z_type,
                       .z = z,
                       .dropout = tape_dropout(tape)};
    op_run_scratch(tape, block_count(lora), block_floats(lora->linear), forward_task, &pass);
}

/* A block: v = s dz B, dx += D(v A). */
static void rows_task(const void *context, int task, float *scratch)
{
    const Pass *const pass = context;
    const LinearLora *const lora = pass->lora;
    const Linear *const linear = lora->linear;
    const int in = linear->in, out = linear->out;
    const Block block = block_at(lora, task);
    float *const v = pass->v + block.first * pass->width;
    const View dz = view(pass->z_type, pass->dz, out, block, whole(out), scratch);
    for (int part = 0, at = 0, column = 0; part < linear->parts; part++) {
        const int rank = part_rank(linear, part);
        if (rank)
            gemm(false, false, block.rows, rank, part_rows(linear, part), scale_of(linear),
                 dz.numbers + column, dz.stride, tensor_f32(linear->up[part]), rank, 0, v + at,
                 pass->width);
        column += part_rows(linear, part);
        at += rank;
    }
    if (!pass->dx)
        return;
    const bool direct = lora->x_type == DTYPE_F32;
    float *const dx = direct ? (float *)pass->dx + block.first * in : scratch;
    const bool drops = pass->dropout.p > 0;
    bool adds = direct;
    for (int part = 0, at = 0; part < linear->parts; at += part_rank(linear, part++)) {
        if (!linear->down[part])
            continue;
        float *const own = adds && drops ? scratch + block_floats(linear) : dx;
        gemm(false, false, block.rows, in, part_rank(linear, part), 1, v + at, pass->width,
             tensor_f32(linear->down[part]), in, adds && !drops ? 1.0F : 0.0F, own, in);
        if (drops)
            drop(pass, part, block, whole(in), own);
        if (own != dx)
            kernels()->add(own, dx, (size_t)block.rows * (size_t)in);
        adds = true;
    }
    if (!direct)
        op_accumulate(DTYPE_F32, dx, lora->x_type,
                      (char *)pass->dx + block.first * in * (ptrdiff_t)dtype_size(lora->x_type),
                      (size_t)block.rows * (size_t)in);
}

/* Panels of dA and of dB of one part. */
static int part_panels(const Linear *linear, int part)
{
    return linear->down[part]
               ? op_range_count(linear->in, PANEL) + op_range_count(part_rows(linear, part), PANEL)
               : 0;
}

/* Columns of dA of one part: += v^T D(x), block after block. `at`: of the part's v. */
static void down_panel(const Pass *pass, int part, int at, OpRange columns, float *scratch)
{
    const LinearLora *const lora = pass->lora;
    const Tensor *const down = lora->linear->down[part];
    const int in = lora->linear->in;
    for (int i = 0; down->needs_grad && i < block_count(lora); i++) {
        const Block block = block_at(lora, i);
        const View x = dropped(pass, part, block, columns, scratch);
        gemm(true, false, down->shape[0], columns.count, block.rows, 1,
             pass->v + block.first * pass->width + at, pass->width, x.numbers, x.stride, 1,
             tensor_grad(down) + columns.begin, in);
    }
}

/* Rows of dB of one part: += s dz^T u. `column`: where they stand in dz. */
static void up_panel(const Pass *pass, int part, int at, OpRange rows, int column, float *scratch)
{
    const LinearLora *const lora = pass->lora;
    const Tensor *const up = lora->linear->up[part];
    const int rank = up->shape[1];
    for (int i = 0; up->needs_grad && i < block_count(lora); i++) {
        const Block block = block_at(lora, i);
        const View dz = view(pass->z_type, pass->dz, lora->linear->out, block,
                             (OpRange){column, rows.count}, scratch);
        gemm(true, false, rows.count, rank, block.rows, scale_of(lora->linear), dz.numbers,
             dz.stride, lora->u + block.first * pass->width + at, pass->width, 1,
             tensor_grad(up) + (ptrdiff_t)rows.begin * rank, rank);
    }
}

static void sums_task(const void *context, int task, float *scratch)
{
    const Pass *const pass = context;
    const Linear *const linear = pass->lora->linear;
    int part = 0, at = 0, column = 0;
    for (; task >= part_panels(linear, part); part++) {
        task -= part_panels(linear, part);
        at += part_rank(linear, part);
        column += part_rows(linear, part);
    }
    const int downs = op_range_count(linear->in, PANEL);
    if (task < downs) {
        down_panel(pass, part, at, op_range(linear->in, PANEL, task), scratch);
        return;
    }
    const OpRange rows = op_range(part_rows(linear, part), PANEL, task - downs);
    up_panel(pass, part, at, rows, column + rows.begin, scratch);
}

void op_linear_lora_backward(Tape *tape, const LinearLora *lora, DType dz_type, const void *dz,
                             void *dx)
{
    const Linear *const linear = lora->linear;
    const TapeDropout dropout = tape_dropout(tape);
    const size_t floats = backward_floats(linear, &dropout);
    const int width = op_linear_lora_width(linear);
    const size_t rows = (size_t)lora->B * (size_t)lora->M;
    Pass pass = {.lora = lora,
                 .width = width,
                 .z_type = dz_type,
                 .dz = dz,
                 .v = arena_alloc(tape_arena(tape), rows * (size_t)width * sizeof(float)),
                 .dx = dx,
                 .dropout = dropout};
    int panels = 0;
    for (int part = 0; part < linear->parts; part++) {
        panels += part_panels(linear, part);
        (void)op_grad(tape, linear->down[part]); /* gives a leaf without a buffer its own */
        (void)op_grad(tape, linear->up[part]);
    }
    op_run_scratch(tape, block_count(lora), floats, rows_task, &pass);
    op_run_scratch(tape, panels, floats, sums_task, &pass);
    arena_free(tape_arena(tape), pass.v);
}
