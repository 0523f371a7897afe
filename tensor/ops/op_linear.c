/*
 * op_linear.c - y = residual + act(x W^T + (x A^T) B^T + b).
 *
 * Derivation. With z = x W^T + b, y = act(z) and dy the gradient of the objective by y:
 *
 *     dz = dy act'(z)        dx = dz W        dW = dz^T x        db = sum over rows of dz
 *
 * and a residual receives dy itself. W may be given in parts (keys and values, say): then columns of z
 * belong to parts, and dx is the sum over them. What LoRA (A, B) adds to z is written first, in the residual's
 * place, and the product is added to it: op_linear_lora.c, also for its gradients.
 *
 * Shapes. x [B,M,in] or [M,in]; W [out,in] in parts of rows; b [out]; y, z, residual [B,M,out].
 *
 * Tasks. One product is one sample times one panel of columns: all M rows of the sample, at most
 * LINEAR_PANEL columns of one part. Samples vary fastest, so that the threads share a panel of weights
 * while it is in the cache. The product is added to rows that already hold bias and residual, and the
 * activation follows while the panel is in the second-level cache. Where the weight is packed, packed.h
 * does all this, with the rows of all samples at once; in the backward it even forms dz on its way to dx,
 * so that dz is written to memory only for what trains in the map itself.
 *
 * Types. A map works in f32, unless its weight was packed in bf16, or is narrow, then to be packed for each
 * product: op_linear_bf16.c. In bf16, x, z, y and their gradients are bf16; only a residual, y where there is
 * one, and dy then are f32. So are weights, biases, LoRA and their gradients always.
 *
 * What is kept: x where a weight or LoRA trains, x A^T, the weights where x needs a gradient, z where there is an
 * activation. Frozen weights thus cost no memory, and y itself is never read again.
 */
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op_linear_private.h"

#include <assert.h>
#include <string.h>

/*
 * Columns of y or dx in one task. At 257 rows the panel is 0.5 MiB, which a second-level cache holds until
 * the activation has run. OpenBLAS keeps about 95 % of its speed on whole rows with it, 87 % with 256.
 */
enum { LINEAR_PANEL = 512 };

/* Rows of dW in one task: fewer, because it is small networks that train whole. */
enum { LINEAR_GRADIENT_ROWS = 64 };

/* Places of the operands in Node.in. */
enum {
    IN_X,
    IN_RESIDUAL,
    IN_WEIGHT,
    IN_BIAS = IN_WEIGHT + LINEAR_MAX_PARTS,
    IN_DOWN = IN_BIAS + LINEAR_MAX_PARTS,
    IN_UP = IN_DOWN + LINEAR_MAX_PARTS,
    INPUTS = IN_UP + LINEAR_MAX_PARTS
};

/* Some columns of y: rows [begin, begin + count) of one part's weight. */
typedef struct Panel {
    int part;
    OpRange rows;
    int column; /* where the panel starts in y */
} Panel;

static int panel_count(const Linear *linear, int size)
{
    int count = 0;
    for (int part = 0; part < linear->parts; part++)
        count += op_range_count(linear->weight[part]->shape[0], size);
    return count;
}

static Panel panel_at(const Linear *linear, int size, int index)
{
    int column = 0;
    for (int part = 0;; part++) {
        const int rows = linear->weight[part]->shape[0];
        const int panels = op_range_count(rows, size);
        if (index < panels) {
            const OpRange range = op_range(rows, size, index);
            return (Panel){part, range, column + range.begin};
        }
        index -= panels;
        column += rows;
    }
}

DType op_linear_type(const Linear *linear)
{
    const bool narrow =
        linear->forward ? linear->forward->precision != PRECISION_F32 : linear->narrow;
    return narrow ? DTYPE_BF16 : DTYPE_F32;
}

static void check_shapes(const Tensor *x, const Linear *linear, Activation activation,
                         const Tensor *residual)
{
    assert(x->ndim == 2 || x->ndim == 3);
    assert(linear->parts >= 1 && linear->parts <= LINEAR_MAX_PARTS);
    assert(activation == ACTIVATION_NONE || residual == NULL);
    assert(x->dtype == op_linear_type(linear) && (!residual || residual->dtype == DTYPE_F32));
    const int last = x->ndim - 1;
    int shape[TENSOR_MAX_DIMS] = {0};
    shape[last] = linear->in;
    tensor_expect(x, "linear", "x", x->ndim, shape);
    int out = 0;
    for (int part = 0; part < linear->parts; part++) {
        tensor_expect(linear->weight[part], "linear", "weight", 2, (const int[]){0, linear->in});
        const int rows = linear->weight[part]->shape[0];
        if (linear->bias[part])
            tensor_expect(linear->bias[part], "linear", "bias", 1, &rows);
        out += rows;
    }
    assert(out == linear->out);
    op_linear_lora_check(linear);
    assert(!linear->forward || (linear->forward->K == linear->in && linear->forward->N == out));
    assert(!linear->backward || (linear->backward->K == out && linear->backward->N == linear->in));
    memcpy(shape, x->shape, sizeof shape);
    shape[last] = linear->out;
    if (residual)
        tensor_expect(residual, "linear", "residual", x->ndim, shape);
}

/* The kernels of an activation, y = act(z) and dz = dy act'(z); NULL for none. */
typedef void Activate(const float *z, float *y, size_t n);
typedef void Derive(const float *z, const float *dy, float *dz, size_t n);

static Activate *activation_kernel(Activation activation)
{
    switch (activation) {
    case ACTIVATION_QUICK_GELU:
        return kernels()->quick_gelu;
    case ACTIVATION_GELU:
        return kernels()->gelu;
    case ACTIVATION_NONE:
        break;
    }
    return NULL;
}

static Derive *derivative_kernel(Activation activation)
{
    switch (activation) {
    case ACTIVATION_QUICK_GELU:
        return kernels()->quick_gelu_backward;
    case ACTIVATION_GELU:
        return kernels()->gelu_backward;
    case ACTIVATION_NONE:
        break;
    }
    return NULL;
}

typedef struct Forward {
    const Linear *linear;
    Activate *activate;
    int B, M;
    DType x_type, y_type;
    const void *x;        /* [B,M,in] */
    const void *residual; /* [B,M,out] or NULL; what z, or y of packs, already holds with LoRA */
    void *z;              /* [B,M,out]; y itself, or NULL for packs, where z need not be saved */
    void *y;              /* [B,M,out] */
} Forward;

/* One panel of one sample: z = bias + residual, z += x W^T, y = act(z). */
static void forward_task(const void *context, int task)
{
    const Forward *const f = context;
    const int in = f->linear->in, out = f->linear->out, M = f->M, sample = task % f->B;
    const Panel panel = panel_at(f->linear, LINEAR_PANEL, task / f->B);
    const int width = panel.rows.count;
    const Tensor *const bias = f->linear->bias[panel.part];
    const float *const W =
        tensor_f32(f->linear->weight[panel.part]) + (ptrdiff_t)panel.rows.begin * in;
    const ptrdiff_t corner = (ptrdiff_t)sample * M * out + panel.column;
    float *const z = (float *)f->z + corner, *const y = (float *)f->y + corner;
    const float *const x = (const float *)f->x + (ptrdiff_t)sample * M * in;

    const bool prefilled = bias || f->residual;
    for (int m = 0; prefilled && m < M; m++) {
        float *const row = z + (ptrdiff_t)m * out;
        const float *const b = bias ? tensor_f32(bias) + panel.rows.begin : NULL;
        const float *const r =
            f->residual ? (const float *)f->residual + corner + (ptrdiff_t)m * out : NULL;
        if (r != row)
            memcpy(row, r ? r : b, (size_t)width * sizeof *row);
        if (b && r)
            kernels()->add(b, row, (size_t)width);
    }
    gemm(false, true, M, width, in, 1, x, in, W, in, prefilled ? 1.0F : 0.0F, z, out);
    for (int m = 0; f->activate && m < M; m++)
        f->activate(z + (ptrdiff_t)m * out, y + (ptrdiff_t)m * out, (size_t)width);
}

typedef struct StackedBias {
    const Linear *linear;
    float *bias; /* [out] */
} StackedBias;

/* The biases of all parts, one after the other; zeros for a part without. */
static void stack_biases(const void *context)
{
    const StackedBias *const stacked = context;
    float *bias = stacked->bias;
    for (int part = 0; part < stacked->linear->parts; part++) {
        const Tensor *const own = stacked->linear->bias[part];
        const int rows = stacked->linear->weight[part]->shape[0];
        for (int n = 0; n < rows; n++)
            bias[n] = own ? tensor_f32(own)[n] : 0;
        bias += rows;
    }
}

static bool has_bias(const Linear *linear)
{
    bool any = false;
    for (int part = 0; part < linear->parts; part++)
        any |= linear->bias[part] != NULL;
    return any;
}

/* The same with a packed weight, all samples at once. */
static void forward_packed(Tape *tape, const Forward *f, const PackedMatrix *packed)
{
    StackedBias bias = {.linear = f->linear};
    bias.bias = arena_alloc(tape_arena(tape), (size_t)f->linear->out * sizeof *bias.bias);
    op_run(tape, stack_biases, &bias);
    const PackedInput input = {.type = f->x_type, .numbers = f->x};
    const PackedEpilogue epilogue = {.bias = has_bias(f->linear) ? bias.bias : NULL,
                                     .residual = f->residual,
                                     .activate = f->activate,
                                     .z = f->z};
    op_packed_product(tape, f->B * f->M, &input, packed, &epilogue, f->y_type, f->y);
    arena_free(tape_arena(tape), bias.bias);
}

typedef struct Settings {
    int parts;
    Activation activation;
    const PackedMatrix *backward; /* borrowed until backward; NULL: gemm, or narrow */
    bool narrow;
    uint16_t lora_map; /* as Linear has it, and the scale too */
    float lora_scale;
} Settings;

/* Records the map and keeps the operands that the backward will read; NULL if there will be none. */
static Node *record(Tape *tape, Tensor *y, Tensor *x, const Linear *linear, Activation activation,
                    Tensor *residual)
{
    Tensor *inputs[INPUTS] = {[IN_X] = x, [IN_RESIDUAL] = residual};
    bool weight_trains = false;
    for (int part = 0; part < linear->parts; part++) {
        inputs[IN_WEIGHT + part] = linear->weight[part];
        inputs[IN_BIAS + part] = linear->bias[part];
        inputs[IN_DOWN + part] = linear->down[part];
        inputs[IN_UP + part] = linear->up[part];
        weight_trains |= linear->weight[part]->needs_grad;
    }
    Node *const node = op_record(tape, OP_LINEAR, y, inputs, INPUTS);
    if (node == NULL)
        return NULL;
    assert(!linear->forward || linear->forward->precision != PRECISION_INT8);
    assert(x->dtype == DTYPE_F32 || linear->narrow ||
           (!weight_trains && (linear->backward || !x->needs_grad)));
    *(Settings *)op_settings(node, sizeof(Settings)) =
        (Settings){.parts = linear->parts,
                   .activation = activation,
                   .backward = linear->backward,
                   .narrow = linear->narrow && !linear->forward,
                   .lora_map = linear->lora_map,
                   .lora_scale = linear->lora_scale};
    if (weight_trains || op_linear_lora_width(linear) > 0)
        op_keep(tape, node, x);
    for (int part = 0; x->needs_grad && part < linear->parts; part++)
        op_keep(tape, node, linear->weight[part]);
    return node;
}

/* Writes what LoRA adds, and the residual, to where z, or y of packs, will be; returns x A^T [B,M,width]. */
static float *add_lora(Tape *tape, Node *node, Forward *f)
{
    const int width = op_linear_lora_width(f->linear);
    if (width == 0)
        return NULL;
    const size_t count = (size_t)f->B * (size_t)f->M * (size_t)width;
    float *const u =
        node ? op_save(tape, node, count) : arena_alloc(tape_arena(tape), count * sizeof(float));
    const LinearLora lora = {
        .linear = f->linear, .B = f->B, .M = f->M, .x_type = f->x_type, .x = f->x, .u = u};
    const bool packs = f->linear->forward || f->linear->narrow;
    void *const z = f->z && !packs ? f->z : f->y;
    op_linear_lora_forward(tape, &lora, f->residual, f->y_type, z);
    f->residual = z;
    return u;
}

Tensor *op_linear(Tape *tape, Tensor *x, const Linear *linear, Activation activation,
                  Tensor *residual)
{
    check_shapes(x, linear, activation, residual);
    int shape[TENSOR_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = linear->out;
    Tensor *const y = op_output_as(tape, residual ? DTYPE_F32 : x->dtype, x->ndim, shape);
    Node *const node = record(tape, y, x, linear, activation, residual);
    const bool saves = node && activation != ACTIVATION_NONE;
    Forward forward = {.linear = linear,
                       .activate = activation_kernel(activation),
                       .B = op_samples(x),
                       .M = op_sample_rows(x),
                       .x_type = x->dtype,
                       .y_type = y->dtype,
                       .x = op_data(tape, x),
                       .residual = residual ? op_f32(tape, residual) : NULL,
                       .z = saves ? op_save_as(tape, node, y->dtype, tensor_count(y)) : NULL,
                       .y = y->data};
    float *const u = add_lora(tape, node, &forward);
    if (linear->forward) {
        forward_packed(tape, &forward, linear->forward);
    } else if (linear->narrow) {
        const PackedMatrix packed = op_linear_pack(tape, linear, true);
        forward_packed(tape, &forward, &packed);
        arena_free(tape_arena(tape), packed.panels);
    } else {
        forward.z = saves ? forward.z : forward.y;
        op_run_tasks(tape, forward.B * panel_count(linear, LINEAR_PANEL), forward_task, &forward);
    }
    if (!node && u)
        arena_free(tape_arena(tape), u);
    return y;
}

typedef struct Backward {
    Linear linear;
    Derive *derive;
    int B, M;
    DType dx_type, dy_type; /* of x and dx; of z, dy and dz */
    const void *dy;         /* [B,M,out] */
    void *z;                /* [B,M,out] saved, or NULL without activation */
    const void *dz; /* [B,M,out]: dy, or in z's place; NULL if only packed_product wants it */
    const void *x;  /* [B,M,in], read if a weight or LoRA trains */
    float *u;       /* [B,M,width] x A^T, NULL without LoRA */
    void *dx;       /* [B,M,in] or NULL */
    bool trains;    /* a weight does */
    bool dx_fresh;  /* dx holds nothing yet */
    float *dW[LINEAR_MAX_PARTS], *db[LINEAR_MAX_PARTS]; /* NULL where frozen */
} Backward;

/* A stretch of rows: z <- dz = dy act'(z), in f32 and rounded once. */
static void derive_rows(const void *context, OpRange rows)
{
    enum { BLOCK = 512 };
    const Backward *const f = context;
    const int out = f->linear.out;
    const size_t end = (size_t)(rows.begin + rows.count) * (size_t)out;
    for (size_t i = (size_t)rows.begin * (size_t)out; i < end; i += BLOCK) {
        const size_t count = end - i < BLOCK ? end - i : BLOCK, place = i * dtype_size(f->dy_type);
        float z[BLOCK], dy[BLOCK];
        op_convert(f->dy_type, (const char *)f->z + place, DTYPE_F32, z, count);
        op_convert(f->dy_type, (const char *)f->dy + place, DTYPE_F32, dy, count);
        f->derive(z, dy, z, count);
        op_convert(DTYPE_F32, z, f->dy_type, (char *)f->z + place, count);
    }
}

/* A panel of columns of one sample: dx += dz W, part after part. */
static void input_task(const void *context, int task)
{
    const Backward *const f = context;
    const int in = f->linear.in, out = f->linear.out, M = f->M, sample = task % f->B;
    const OpRange columns = op_range(in, LINEAR_PANEL, task / f->B);
    float *const dx = (float *)f->dx + (ptrdiff_t)sample * M * in + columns.begin;
    const float *dz = (const float *)f->dz + (ptrdiff_t)sample * M * out;
    for (int part = 0; part < f->linear.parts; part++) {
        const Tensor *const weight = f->linear.weight[part];
        gemm(false, false, M, columns.count, weight->shape[0], 1, dz, out,
             tensor_f32(weight) + columns.begin, in, f->dx_fresh && part == 0 ? 0.0F : 1.0F, dx,
             in);
        dz += weight->shape[0];
    }
}

/* The same with a packed weight, all samples at once. */
static void input_packed(Tape *tape, const Backward *f, const PackedMatrix *packed)
{
    PackedInput input = {.type = f->dy_type, .numbers = f->dz};
    if (!f->dz)
        input =
            (PackedInput){.type = f->dy_type, .numbers = f->dy, .z = f->z, .backward = f->derive};
    const PackedEpilogue epilogue = {.residual = f->dx_fresh ? NULL : f->dx};
    op_packed_product(tape, f->B * f->M, &input, packed, &epilogue, f->dx_type, f->dx);
}

/* A panel of rows of one part: dW += dz^T x and db += sum of dz, sample after sample. */
static void weight_task(const void *context, int task)
{
    const Backward *const f = context;
    const int in = f->linear.in, out = f->linear.out, M = f->M;
    const Panel panel = panel_at(&f->linear, LINEAR_GRADIENT_ROWS, task);
    const int width = panel.rows.count;
    float *const dW = f->linear.narrow ? NULL : f->dW[panel.part], *const db = f->db[panel.part];
    for (int sample = 0; sample < f->B; sample++) {
        const ptrdiff_t corner = (ptrdiff_t)sample * M * out + panel.column;
        if (dW)
            gemm(true, false, width, in, M, 1, (const float *)f->dz + corner, out,
                 (const float *)f->x + (ptrdiff_t)sample * M * in, in, 1,
                 dW + (ptrdiff_t)panel.rows.begin * in, in);
        if (db) {
            const char *dz = (const char *)f->dz + corner * (ptrdiff_t)dtype_size(f->dy_type);
            float sum[LINEAR_GRADIENT_ROWS] = {0};
            for (int m = 0; m < M; m++, dz += (size_t)out * dtype_size(f->dy_type))
                op_accumulate(f->dy_type, dz, DTYPE_F32, sum, (size_t)width);
            kernels()->add(sum, db + panel.rows.begin, (size_t)width);
        }
    }
}

/* What the node says, with the gradients that are wanted; `sums` tells whether dW or db is among them. */
static Backward backward_of(Tape *tape, Node *node, bool *sums)
{
    Tensor *const x = node->in[IN_X];
    const Settings *const settings = op_settings(node, sizeof *settings);
    const Activation activation = settings->activation;
    Backward f = {.derive = derivative_kernel(activation),
                  .B = op_samples(x),
                  .M = op_sample_rows(x),
                  .dx_type = x->dtype,
                  .dy_type = node->out->dtype,
                  .dy = node->out->grad,
                  .z = activation != ACTIVATION_NONE ? node->saved[0] : NULL,
                  .x = x->data};
    f.dx = op_grad_overwrite(tape, x, &f.dx_fresh);
    f.linear = (Linear){.in = x->shape[x->ndim - 1],
                        .out = node->out->shape[x->ndim - 1],
                        .parts = settings->parts,
                        .backward = settings->backward,
                        .narrow = settings->narrow,
                        .lora_scale = settings->lora_scale,
                        .lora_map = settings->lora_map};
    *sums = false;
    for (int part = 0; part < f.linear.parts; part++) {
        f.linear.weight[part] = node->in[IN_WEIGHT + part];
        f.linear.down[part] = node->in[IN_DOWN + part];
        f.linear.up[part] = node->in[IN_UP + part];
        f.dW[part] = op_grad(tape, node->in[IN_WEIGHT + part]);
        f.db[part] = op_grad(tape, node->in[IN_BIAS + part]);
        f.trains |= f.dW[part] != NULL;
        *sums |= f.dW[part] || f.db[part];
    }
    if (op_linear_lora_width(&f.linear) > 0)
        f.u = node->saved[activation != ACTIVATION_NONE];
    return f;
}

/* dx, if it is wanted. */
static void backward_input(Tape *tape, Backward *f)
{
    if (!f->dx)
        return;
    if (f->linear.backward) {
        input_packed(tape, f, f->linear.backward);
    } else if (f->linear.narrow) {
        const PackedMatrix packed = op_linear_pack(tape, &f->linear, false);
        input_packed(tape, f, &packed);
        arena_free(tape_arena(tape), packed.panels);
    } else {
        op_run_tasks(tape, f->B * op_range_count(f->linear.in, LINEAR_PANEL), input_task, f);
    }
}

/* dW and db. */
static void backward_sums(Tape *tape, Backward *f)
{
    if (f->linear.narrow && f->trains)
        op_linear_bf16_weights(tape, &f->linear, f->B, f->M, f->dy_type, f->dz, f->x, f->dW);
    op_run_tasks(tape, panel_count(&f->linear, LINEAR_GRADIENT_ROWS), weight_task, f);
}

void op_linear_backward(Tape *tape, Node *node)
{
    bool sums;
    Backward f = backward_of(tape, node, &sums);
    const bool packed = f.dx && (f.linear.backward || f.linear.narrow);
    const bool derives = f.z && (sums || f.u || !packed);
    if (derives)
        op_run_rows(tape, f.B * f.M, f.linear.out, derive_rows, &f);
    f.dz = derives ? f.z : f.z ? NULL : f.dy;
    backward_input(tape, &f);
    if (sums)
        backward_sums(tape, &f);
    if (f.u) {
        const LinearLora lora = {&f.linear, f.B, f.M, f.dx_type, f.x, f.u};
        op_linear_lora_backward(tape, &lora, f.dy_type, f.dz, f.dx);
    }
    op_pass_grad(tape, node->out, node->in[IN_RESIDUAL]);
}
