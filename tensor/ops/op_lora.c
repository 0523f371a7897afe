/*
 * op_lora.c - y = residual + s (D(x) A^T) B^T: the low-rank update (LoRA) of a linear map of the
 * same x.
 *
 * Derivation. With u = D(x) A^T and dy the gradient of the objective with respect to y:
 *
 *     v = s dy B      dB = s dy^T u      dA = v^T D(x)     dx = D(v A)
 *
 * The gradient of the residual is dy. Dropout D multiplies each element, and its gradient, by 0 or
 * 1/(1-p); without dropout D(x) = x. Each part has a mask of its own, like each weight in peft.
 * Whether an element is dropped is a function of seed, step, the sample's index in the batch, map,
 * part and element (random.h), so no mask is kept.
 *
 * Shapes. x [B,M,in] or [M,in]; A [rank,in], B [rows,rank] of each part; y, residual [..,out], out
 * the sum of rows.
 *
 * Types. y is of the residual's type, or of x's without one. In bf16 a block of x or dy is
 * converted to f32 in scratch memory, and all sums are f32. The products with A and B take about a
 * thousandth of the time of the map's own.
 *
 * Tasks. The rows of u and y (forward), v and dx (backward) are divided into blocks within a
 * sample. dA and dB are divided into panels along their long side; a task adds the terms of all
 * blocks of all samples to its panel, in order.
 *
 * What is kept: x and u. Source: Hu et al., arXiv 2106.09685.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"
#include "tensor/random.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_ROWS = 64, PANEL = 256, DRAWN = 256 };

/* Indices of the operands in Node.in. */
enum {
    IN_X,
    IN_RESIDUAL,
    IN_DOWN,
    IN_UP = IN_DOWN + LINEAR_MAX_PARTS,
    INPUTS = IN_UP + LINEAR_MAX_PARTS
};

/* The rank of a part; 0 without LoRA. */
static int part_rank(const Lora *lora, int part)
{
    return lora->down[part] ? lora->down[part]->shape[0] : 0;
}

/* Columns of u: the sum of all ranks. */
static int width_of(const Lora *lora)
{
    int width = 0;
    for (int part = 0; part < lora->parts; part++)
        width += part_rank(lora, part);
    return width;
}

static float scale_of(const Lora *lora)
{
    return lora->scale == 0 ? 1 : lora->scale;
}

/* One forward or backward. */
typedef struct Pass {
    const Lora *lora;
    int B, M;  /* samples, rows of one */
    int width; /* columns of u and v */
    DType x_type, y_type;
    const void *x;         /* [B,M,in] */
    const float *residual; /* [B,M,out] or NULL */
    void *y;               /* [B,M,out] */
    const void *dy;        /* [B,M,out] */
    float *u, *v;          /* [B,M,width] */
    void *dx;              /* [B,M,in] or NULL */
    TapeDropout dropout;
} Pass;

static Pass pass_of(const Tape *tape, const Lora *lora, const Tensor *x, const Tensor *y)
{
    return (Pass){.lora = lora,
                  .B = op_samples(x),
                  .M = op_sample_rows(x),
                  .width = width_of(lora),
                  .x_type = x->dtype,
                  .y_type = y->dtype,
                  .x = op_data(tape, x),
                  .dropout = tape_dropout(tape)};
}

/* A range of rows of one sample; `first` is its first row, counted over all samples. */
typedef struct Block {
    ptrdiff_t first;
    int rows;
} Block;

static int block_count(const Pass *pass)
{
    return pass->B * ceil_div_int(pass->M, BLOCK_ROWS);
}

static Block block_at(const Pass *pass, int index)
{
    const int blocks = ceil_div_int(pass->M, BLOCK_ROWS);
    const OpRange range = op_range(pass->M, BLOCK_ROWS, index % blocks);
    return (Block){(ptrdiff_t)(index / blocks) * pass->M + range.begin, range.count};
}

/* A range of columns of a block of a matrix, as f32: in place, or converted into `scratch`. */
typedef struct View {
    const float *values;
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
                   scratch + (ptrdiff_t)m * range.count, range.count);
    return (View){scratch, range.count};
}

/*
 * Applies the dropout of one part in place to `x` [block.rows,columns.count], which holds those
 * columns of a block of x or dx.
 */
static void drop(const Pass *pass, int part, Block block, OpRange columns, float *x)
{
    const TapeDropout *dropout = &pass->dropout;
    const int M = pass->M;
    const uint32_t sample = dropout->first + (uint32_t)(block.first / M);
    const uint32_t map = pass->lora->map * (uint32_t)LINEAR_MAX_PARTS + (uint32_t)part;
    const Random stream =
        random_stream_part(dropout->seed, RANDOM_DROPOUT, dropout->step, sample, map);
    const uint32_t least = (uint32_t)(dropout->p * 0x1p32); /* words below it drop the element */
    const float factor = (float)(1 / (1 - dropout->p));
    for (int m = 0; m < block.rows; m++, x += columns.count) {
        const uint64_t row = (uint64_t)(block.first % M + m) * (uint64_t)pass->lora->in;
        for (int n = 0; n < columns.count; n += DRAWN) {
            uint32_t words[DRAWN];
            const int count = columns.count - n < DRAWN ? columns.count - n : DRAWN;
            random_words(&stream, row + (uint64_t)(columns.begin + n), count, words);
            for (int i = 0; i < count; i++)
                x[n + i] = words[i] >= least ? x[n + i] * factor : 0;
        }
    }
}

/* D(x) of one part. With dropout it is computed in `scratch`. */
static View dropped(const Pass *pass, int part, Block block, OpRange columns, float *scratch)
{
    const View x = view(pass->x_type, pass->x, pass->lora->in, block, columns, scratch);
    if (pass->dropout.p == 0)
        return x;
    for (int m = 0; m < block.rows && x.values != scratch; m++)
        memcpy(scratch + (ptrdiff_t)m * columns.count, x.values + (ptrdiff_t)m * x.stride,
               columns.count * sizeof *scratch);
    drop(pass, part, block, columns, scratch);
    return (View){scratch, columns.count};
}

/* One block: u = D(x) A^T, y = residual + s u B^T. */
static void forward_task(const void *context, int task, float *scratch)
{
    const Pass *pass = context;
    const Lora *lora = pass->lora;
    const int in = lora->in, out = lora->out;
    const Block block = block_at(pass, task);
    float *u = pass->u + block.first * pass->width;
    View x = {NULL, 0};
    for (int part = 0, at = 0; part < lora->parts; at += part_rank(lora, part++)) {
        if (!lora->down[part])
            continue;
        if (!x.values || pass->dropout.p > 0)
            x = dropped(pass, part, block, (OpRange){0, in}, scratch);
        gemm(false, true, block.rows, part_rank(lora, part), in, 1, x.values, x.stride,
             tensor_f32(lora->down[part]), in, 0, u + at, pass->width);
    }

    const bool direct = pass->y_type == DTYPE_F32;
    const size_t count = (size_t)block.rows * (size_t)out;
    float *y = direct ? (float *)pass->y + block.first * out : scratch;
    if (pass->residual)
        memcpy(y, pass->residual + block.first * out, count * sizeof *y);
    else
        memset(y, 0, count * sizeof *y);
    for (int part = 0, at = 0, column = 0; part < lora->parts; part++) {
        const int rank = part_rank(lora, part);
        if (rank)
            gemm(false, true, block.rows, lora->rows[part], rank, scale_of(lora), u + at,
                 pass->width, tensor_f32(lora->up[part]), rank, 1, y + column, out);
        column += lora->rows[part];
        at += rank;
    }
    if (!direct)
        op_convert(DTYPE_F32, y, pass->y_type,
                   (char *)pass->y + block.first * out * (ptrdiff_t)dtype_size(pass->y_type),
                   count);
}

/* Scratch memory of a task: a block of x or y. */
static size_t block_floats(const Lora *lora)
{
    return (size_t)BLOCK_ROWS * (size_t)(lora->in > lora->out ? lora->in : lora->out);
}

static void check_shapes(const Tensor *x, const Lora *lora, const Tensor *residual)
{
    int shape[TENSOR_MAX_DIMS] = {0}, out = 0;
    assert(x->ndim == 2 || x->ndim == 3);
    assert(lora->parts >= 1 && lora->parts <= LINEAR_MAX_PARTS && width_of(lora) > 0);
    assert(x->dtype == DTYPE_F32 || x->dtype == DTYPE_BF16);
    shape[x->ndim - 1] = lora->in;
    tensor_expect(x, "lora", "x", x->ndim, shape);
    for (int part = 0; part < lora->parts; part++) {
        const Tensor *down = lora->down[part], *up = lora->up[part];
        out += lora->rows[part];
        assert(!down == !up);
        if (!down)
            continue;
        tensor_expect(down, "lora", "A", 2, (const int[]){0, lora->in});
        tensor_expect(up, "lora", "B", 2, (const int[]){lora->rows[part], down->shape[0]});
    }
    assert(out == lora->out);
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = out;
    if (residual)
        tensor_expect(residual, "lora", "residual", x->ndim, shape);
}

/* The fields of Lora that the backward needs besides the operands. */
typedef struct Settings {
    int parts;
    int rows[LINEAR_MAX_PARTS];
    float scale;
    uint16_t map;
} Settings;

Tensor *op_lora(Tape *tape, Tensor *x, const Lora *lora, Tensor *residual)
{
    check_shapes(x, lora, residual);
    int shape[TENSOR_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = lora->out;
    Tensor *y = op_output_as(tape, residual ? DTYPE_F32 : x->dtype, x->ndim, shape);
    Tensor *inputs[INPUTS] = {[IN_X] = x, [IN_RESIDUAL] = residual};
    memcpy(inputs + IN_DOWN, lora->down, sizeof lora->down);
    memcpy(inputs + IN_UP, lora->up, sizeof lora->up);
    Node *node = op_record(tape, OP_LORA, y, inputs, INPUTS);
    Pass pass = pass_of(tape, lora, x, y);
    const size_t count = (size_t)tensor_rows(x) * (size_t)pass.width;
    if (node) {
        Settings *settings = op_settings(node, sizeof *settings);
        *settings = (Settings){.parts = lora->parts, .scale = lora->scale, .map = lora->map};
        memcpy(settings->rows, lora->rows, sizeof lora->rows);
        op_keep(tape, node, x);
        pass.u = op_save(tape, node, count);
    } else {
        pass.u = arena_alloc(tape_arena(tape), count * sizeof *pass.u);
    }
    pass.residual = residual ? op_f32(tape, residual) : NULL;
    pass.y = y->data;
    op_run_scratch(tape, block_count(&pass), block_floats(lora), forward_task, &pass);
    if (!node)
        arena_free(tape_arena(tape), pass.u);
    return y;
}

/* One block: v = s dy B, dx += D(v A). */
static void rows_task(const void *context, int task, float *scratch)
{
    const Pass *pass = context;
    const Lora *lora = pass->lora;
    const int in = lora->in, out = lora->out;
    const Block block = block_at(pass, task);
    float *v = pass->v + block.first * pass->width;
    const View dy = view(pass->y_type, pass->dy, out, block, (OpRange){0, out}, scratch);
    for (int part = 0, at = 0, column = 0; part < lora->parts; part++) {
        const int rank = part_rank(lora, part);
        if (rank)
            gemm(false, false, block.rows, rank, lora->rows[part], scale_of(lora),
                 dy.values + column, dy.stride, tensor_f32(lora->up[part]), rank, 0, v + at,
                 pass->width);
        column += lora->rows[part];
        at += rank;
    }
    if (!pass->dx)
        return;
    const bool direct = pass->x_type == DTYPE_F32;
    const size_t count = (size_t)block.rows * (size_t)in;
    float *dx = direct ? (float *)pass->dx + block.first * in : scratch;
    const bool drops = pass->dropout.p > 0;
    bool adds = direct;
    for (int part = 0, at = 0; part < lora->parts; at += part_rank(lora, part++)) {
        if (!lora->down[part])
            continue;
        float *own = adds && drops ? scratch + block_floats(lora) : dx;
        gemm(false, false, block.rows, in, part_rank(lora, part), 1, v + at, pass->width,
             tensor_f32(lora->down[part]), in, adds && !drops ? 1.0F : 0.0F, own, in);
        if (drops)
            drop(pass, part, block, (OpRange){0, in}, own);
        if (own != dx)
            kernels()->add(own, dx, count);
        adds = true;
    }
    if (!direct)
        op_accumulate(DTYPE_F32, dx, pass->x_type,
                      (char *)pass->dx + block.first * in * (ptrdiff_t)dtype_size(pass->x_type),
                      count);
}

/* Number of panels of dA and dB of one part. */
static int part_panels(const Lora *lora, int part)
{
    return lora->down[part] ? ceil_div_int(lora->in, PANEL) + ceil_div_int(lora->rows[part], PANEL)
                            : 0;
}

/*
 * dA += v^T D(x) for a range of columns of one part, block by block. `at`: the part's first column
 * of v.
 */
static void down_panel(const Pass *pass, int part, int at, OpRange columns, float *scratch)
{
    const Tensor *down = pass->lora->down[part];
    for (int i = 0; down->needs_grad && i < block_count(pass); i++) {
        const Block block = block_at(pass, i);
        const View x = dropped(pass, part, block, columns, scratch);
        gemm(true, false, down->shape[0], columns.count, block.rows, 1,
             pass->v + block.first * pass->width + at, pass->width, x.values, x.stride, 1,
             tensor_grad(down) + columns.begin, pass->lora->in);
    }
}

/*
 * dB += s dy^T u for a range of rows of one part. `at`: the part's first column of u; `column`: the
 * column of dy of the first of those rows.
 */
static void up_panel(const Pass *pass, int part, int at, OpRange rows, int column, float *scratch)
{
    const Tensor *up = pass->lora->up[part];
    const int rank = up->shape[1];
    for (int i = 0; up->needs_grad && i < block_count(pass); i++) {
        const Block block = block_at(pass, i);
        const View dy = view(pass->y_type, pass->dy, pass->lora->out, block,
                             (OpRange){column, rows.count}, scratch);
        gemm(true, false, rows.count, rank, block.rows, scale_of(pass->lora), dy.values, dy.stride,
             pass->u + block.first * pass->width + at, pass->width, 1,
             tensor_grad(up) + (ptrdiff_t)rows.begin * rank, rank);
    }
}

static void sums_task(const void *context, int task, float *scratch)
{
    const Pass *pass = context;
    const Lora *lora = pass->lora;
    int part = 0, at = 0, column = 0;
    for (; task >= part_panels(lora, part); part++) {
        task -= part_panels(lora, part);
        at += part_rank(lora, part);
        column += lora->rows[part];
    }
    const int downs = ceil_div_int(lora->in, PANEL);
    if (task < downs) {
        down_panel(pass, part, at, op_range(lora->in, PANEL, task), scratch);
        return;
    }
    const OpRange rows = op_range(lora->rows[part], PANEL, task - downs);
    up_panel(pass, part, at, rows, column + rows.begin, scratch);
}

void op_lora_backward(Tape *tape, Node *node)
{
    Tensor *x = node->in[IN_X];
    const Settings *settings = op_settings(node, sizeof *settings);
    Lora lora = {.in = tensor_columns(x),
                 .out = tensor_columns(node->out),
                 .parts = settings->parts,
                 .scale = settings->scale,
                 .map = settings->map};
    memcpy(lora.rows, settings->rows, sizeof lora.rows);
    memcpy(lora.down, node->in + IN_DOWN, sizeof lora.down);
    memcpy(lora.up, node->in + IN_UP, sizeof lora.up);
    Pass pass = pass_of(tape, &lora, x, node->out);
    pass.dy = node->out->grad;
    pass.u = node->saved[0];
    pass.dx = op_grad_as(tape, x);
    int panels = 0;
    for (int part = 0; part < lora.parts; part++) {
        panels += part_panels(&lora, part);
        (void)op_grad(tape, lora.down[part]); /* allocates the gradient of a leaf without one */
        (void)op_grad(tape, lora.up[part]);
    }
    pass.v = arena_alloc(tape_arena(tape), (size_t)tensor_rows(x) * pass.width * sizeof *pass.v);
    /* With dropout, dx of a part is computed in a second block. */
    const size_t floats =
        block_floats(&lora) + (pass.dropout.p > 0 ? BLOCK_ROWS * (size_t)lora.in : 0);
    op_run_scratch(tape, block_count(&pass), floats, rows_task, &pass);
    op_run_scratch(tape, panels, floats, sums_task, &pass);
    arena_free(tape_arena(tape), pass.v);
    op_pass_grad(tape, node->out, node->in[IN_RESIDUAL]);
}
