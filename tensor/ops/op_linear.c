/*
 * op_linear.c - y = act(x W^T + b + residual).
 *
 * Derivation. With z = x W^T + b + residual, y = act(z) and dy the gradient of the objective with
 * respect to y:
 *
 *     dz = dy act'(z)        dx = dz W        dW = dz^T x        db = sum over rows of dz
 *
 * The gradient of the residual is dz. W may be stacked from parts (e.g. keys and values). The
 * columns of z are then divided among the parts, and dx is a sum over the parts.
 *
 * Shapes. x [B,M,in] or [M,in]; W [out,in] in parts of rows; b [out]; y, z, residual [B,M,out].
 *
 * Products. y and dx are computed with a packed weight (packed.h), all samples at once. A frozen
 * weight has a pack; in bf16 a trainable weight, which is f32, is packed for each product. In f32
 * without a pack OpenBLAS computes them. dW is always summed in f32, sample by sample; in bf16 its
 * operands are dz^T, transposed here, and x, packed here.
 *
 * Tasks of OpenBLAS. A task computes all M rows of one sample and one panel of at most LINEAR_PANEL
 * columns of one part. Consecutive tasks are samples of the same panel, so that threads share the
 * panel of weights in the cache. The product is added to rows that already hold bias and residual;
 * the activation is applied while the panel is in the second-level cache.
 *
 * Types. A map works in f32 or bf16 (op_linear_type). In bf16, x, y, z and their gradients are
 * bf16, except that y, z and their gradients are f32 if the residual is. Weights, biases and their
 * gradients are always f32: a step of the optimizer is too small to change a bf16 weight.
 *
 * What is kept: x if a weight is trainable, the weights if x needs a gradient, z if there is an
 * activation. y is not read by the backward.
 */
#include "tensor/base/arithmetic.h"
#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <assert.h>
#include <string.h>

enum {
    /*
     * Columns of y or dx in one task. At 257 rows the panel takes 0.5 MiB and stays in the
     * second-level cache until the activation is applied. OpenBLAS reaches about 95 % of its speed
     * on full rows with 512 columns, 87 % with 256.
     */
    LINEAR_PANEL = 512,
    LINEAR_GRADIENT_ROWS =
        64,               /* rows of dW in one task; few, so that small layers have several tasks */
    TRANSPOSED_ROWS = 32, /* rows of a tile of dz that is transposed at once */
    TRANSPOSED_COLUMNS = 64, /* columns of the tile, and of a task */
};

/* Indices of the operands in Node.in. */
enum {
    IN_X,
    IN_RESIDUAL,
    IN_WEIGHT,
    IN_BIAS = IN_WEIGHT + LINEAR_MAX_PARTS,
    INPUTS = IN_BIAS + LINEAR_MAX_PARTS
};

/* A range of columns of y, which is a range of rows of one part's weight. */
typedef struct Panel {
    int part;
    OpRange rows;
    int column; /* where the panel starts in y */
} Panel;

static int panel_count(const Linear *linear, int size)
{
    int count = 0;
    for (int part = 0; part < linear->parts; part++)
        count += ceil_div_int(linear->weight[part]->shape[0], size);
    return count;
}

static Panel panel_at(const Linear *linear, int size, int index)
{
    int column = 0;
    for (int part = 0;; part++) {
        const int rows = linear->weight[part]->shape[0];
        const int panels = ceil_div_int(rows, size);
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
    if (linear->forward)
        return linear->forward->precision == PRECISION_F32 ? DTYPE_F32 : DTYPE_BF16;
    return linear->compute;
}

static void check_shapes(const Tensor *x, const Linear *linear, const Tensor *residual)
{
    assert(x->ndim == 2 || x->ndim == 3);
    assert(linear->parts >= 1 && linear->parts <= LINEAR_MAX_PARTS);
    assert(x->dtype == op_linear_type(linear));
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
    assert(!linear->forward || (linear->forward->K == linear->in && linear->forward->N == out));
    assert(!linear->backward || (linear->backward->K == out && linear->backward->N == linear->in));
    memcpy(shape, x->shape, sizeof shape);
    shape[last] = linear->out;
    if (residual) {
        assert(residual->dtype == DTYPE_F32 || residual->dtype == x->dtype);
        tensor_expect(residual, "linear", "residual", x->ndim, shape);
    }
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

/* The tasks that compute a product with OpenBLAS. */
typedef struct GemmTasks {
    int count;
    OpTask *task;
    const void *context;
} GemmTasks;

/*
 * Computes input W^T if `transposed`, else input W, with the pack of a frozen weight, with a pack
 * made for this product (bf16), or with OpenBLAS (f32). `epilogue` is for packed_product;
 * gemm_tasks must have the same effect.
 */
static void product(Tape *tape, const Linear *linear, bool transposed, int rows,
                    const PackedInput *input, const Epilogue *epilogue, GemmTasks gemm_tasks)
{
    const PackedMatrix *own = transposed ? linear->forward : linear->backward;
    if (own) {
        op_packed_product(tape, rows, input, own, epilogue);
        return;
    }
    if (linear->compute == DTYPE_F32) {
        op_run_tasks(tape, gemm_tasks.count, gemm_tasks.task, gemm_tasks.context);
        return;
    }
    const int K = transposed ? linear->in : linear->out, N = transposed ? linear->out : linear->in;
    PackedMatrix packed = packed_place(tape_arena(tape), PRECISION_BF16, K, N);
    PackedPart parts[LINEAR_MAX_PARTS];
    for (int part = 0; part < linear->parts; part++) {
        const Tensor *weight = linear->weight[part];
        parts[part] = (PackedPart){op_f32(tape, weight), weight->shape[0]};
    }
    op_pack(tape, &packed, parts, linear->parts, transposed);
    op_packed_product(tape, rows, input, &packed, epilogue);
    arena_free(tape_arena(tape), packed.panels);
}

typedef struct Forward {
    const Linear *linear;
    Activate *activate;
    int B, M;
    const void *x;        /* [B,M,in] */
    const void *residual; /* [B,M,out] or NULL; may be y */
    void *z;              /* [B,M,out] to be saved, or NULL */
    void *y;              /* [B,M,out] */
    float *bias;          /* [out] stacked biases; zeros for a part without one */
} Forward;

/* OpenBLAS, one panel of one sample: z = bias + residual, z += x W^T, y = act(z). */
static void forward_task(const void *context, int task)
{
    const Forward *f = context;
    const int in = f->linear->in, out = f->linear->out, M = f->M, sample = task % f->B;
    const Panel panel = panel_at(f->linear, LINEAR_PANEL, task / f->B);
    const int width = panel.rows.count;
    const Tensor *bias = f->linear->bias[panel.part];
    const float *W = tensor_f32(f->linear->weight[panel.part]) + (ptrdiff_t)panel.rows.begin * in;
    const ptrdiff_t corner = (ptrdiff_t)sample * M * out + panel.column;
    float *y = (float *)f->y + corner, *z = f->z ? (float *)f->z + corner : y;
    const float *x = (const float *)f->x + (ptrdiff_t)sample * M * in;

    const bool prefilled = bias || f->residual;
    for (int m = 0; prefilled && m < M; m++) {
        float *row = z + (ptrdiff_t)m * out;
        const float *b = bias ? tensor_f32(bias) + panel.rows.begin : NULL;
        const float *r =
            f->residual ? (const float *)f->residual + corner + (ptrdiff_t)m * out : NULL;
        if (r != row)
            memcpy(row, r ? r : b, width * sizeof *row);
        if (b && r)
            kernels()->add(b, row, width);
    }
    gemm(false, true, M, width, in, 1, x, in, W, in, prefilled ? 1.0F : 0.0F, z, out);
    for (int m = 0; f->activate && m < M; m++)
        f->activate(z + (ptrdiff_t)m * out, y + (ptrdiff_t)m * out, width);
}

/* Stacks the biases of all parts for packed products. */
static void stack_biases(const void *context)
{
    const Forward *f = context;
    float *bias = f->bias;
    for (int part = 0; part < f->linear->parts; part++) {
        const Tensor *own = f->linear->bias[part];
        const int rows = f->linear->weight[part]->shape[0];
        for (int n = 0; n < rows; n++)
            bias[n] = own ? tensor_f32(own)[n] : 0;
        bias += rows;
    }
}

/* The fields of Linear that the backward needs besides the operands. */
typedef struct Settings {
    Activation activation;
    int parts;
    const PackedMatrix *backward; /* borrowed until backward */
    DType compute;                /* f32 if `forward` was packed */
} Settings;

/*
 * Records the operation and keeps the operands that the backward reads. NULL if nothing is
 * recorded.
 */
static Node *record(Tape *tape, Tensor *y, Tensor *x, const Linear *linear, Activation activation,
                    Tensor *residual)
{
    Tensor *inputs[INPUTS] = {[IN_X] = x, [IN_RESIDUAL] = residual};
    bool weight_trains = false;
    for (int part = 0; part < linear->parts; part++) {
        inputs[IN_WEIGHT + part] = linear->weight[part];
        inputs[IN_BIAS + part] = linear->bias[part];
        weight_trains |= linear->weight[part]->needs_grad;
    }
    Node *node = op_record(tape, OP_LINEAR, y, inputs, INPUTS);
    if (node == NULL)
        return NULL;
    assert(!linear->forward || linear->forward->precision != PRECISION_INT8);
    assert(x->dtype == DTYPE_F32 || !linear->forward ||
           (!weight_trains && (linear->backward || !x->needs_grad)));
    *(Settings *)op_settings(node, sizeof(Settings)) =
        (Settings){.activation = activation,
                   .parts = linear->parts,
                   .backward = linear->backward,
                   .compute = linear->forward ? DTYPE_F32 : linear->compute};
    if (weight_trains)
        op_keep(tape, node, x);
    for (int part = 0; x->needs_grad && part < linear->parts; part++)
        op_keep(tape, node, linear->weight[part]);
    return node;
}

Tensor *op_linear(Tape *tape, Tensor *x, const Linear *linear, Activation activation,
                  Tensor *residual)
{
    check_shapes(x, linear, residual);
    int shape[TENSOR_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = linear->out;
    Forward f = {.linear = linear,
                 .activate = activation_kernel(activation),
                 .B = op_samples(x),
                 .M = op_sample_rows(x),
                 .x = op_data(tape, x),
                 .residual = residual ? op_data(tape, residual) : NULL};
    Tensor *y =
        op_output_over(tape, residual, residual ? residual->dtype : x->dtype, x->ndim, shape);
    Node *node = record(tape, y, x, linear, activation, residual);
    f.y = y->data;
    if (node && activation != ACTIVATION_NONE)
        f.z = op_save_as(tape, node, y->dtype, tensor_count(y));
    bool biased = false;
    for (int part = 0; part < linear->parts; part++)
        biased |= linear->bias[part] != NULL;
    const bool packs = linear->forward || linear->compute != DTYPE_F32;
    if (packs) {
        f.bias = arena_alloc(tape_arena(tape), linear->out * sizeof *f.bias);
        op_run(tape, stack_biases, &f);
    }
    const PackedInput input = {.type = x->dtype, .numbers = f.x};
    const Epilogue epilogue = {.type = y->dtype,
                               .c = f.y,
                               .bias = biased ? f.bias : NULL,
                               .residual = f.residual,
                               .activate = f.activate,
                               .z = f.z};
    product(tape, linear, true, f.B * f.M, &input, &epilogue,
            (GemmTasks){f.B * panel_count(linear, LINEAR_PANEL), forward_task, &f});
    arena_free(tape_arena(tape), f.bias);
    return y;
}

/* Where the backward finds dz = dy act'(z). */
typedef enum DzSource {
    DZ_IS_DY,      /* there is no activation */
    DZ_IN_Z,       /* overwrites z: dx is not the only reader of dz, or OpenBLAS computes dx */
    DZ_IN_PRODUCT, /* computed from dy and z inside the packed product for dx; not stored */
} DzSource;

typedef struct Backward {
    const Linear *linear;
    Derive *derive;
    int B, M;
    DType x_type, y_type; /* x_type: x and dx; y_type: z, dy and dz */
    const void *dy;       /* [B,M,out] */
    void *z;              /* [B,M,out] saved, or NULL without activation */
    const void *dz;       /* [B,M,out], or NULL for DZ_IN_PRODUCT */
    const void *x;        /* [B,M,in], read if a weight trains */
    void *dx;             /* [B,M,in] or NULL */
    bool dx_overwrite;    /* dx holds no values yet */
    float *dW[LINEAR_MAX_PARTS], *db[LINEAR_MAX_PARTS]; /* NULL where frozen */
    int sample;           /* bf16: the sample whose dW is being computed */
    uint16_t *transposed; /* [out,M] dz^T of `sample` */
    float *wide;          /* [M,in] x of `sample` in f32 */
} Backward;

/* A range of rows: overwrites z with dz = dy act'(z), computed in f32 and rounded once. */
static void derive_rows(const void *context, OpRange rows)
{
    enum { BLOCK = 512 };
    const Backward *f = context;
    const size_t out = (size_t)f->linear->out;
    const size_t end = (size_t)(rows.begin + rows.count) * out;
    for (size_t i = (size_t)rows.begin * out; i < end; i += BLOCK) {
        const size_t count = end - i < BLOCK ? end - i : BLOCK, place = i * dtype_size(f->y_type);
        float z[BLOCK], dy[BLOCK];
        op_convert(f->y_type, (const char *)f->z + place, DTYPE_F32, z, count);
        op_convert(f->y_type, (const char *)f->dy + place, DTYPE_F32, dy, count);
        f->derive(z, dy, z, count);
        op_convert(DTYPE_F32, z, f->y_type, (char *)f->z + place, count);
    }
}

/* OpenBLAS, one panel of columns of one sample: dx += dz W, part by part. */
static void input_task(const void *context, int task)
{
    const Backward *f = context;
    const int in = f->linear->in, out = f->linear->out, M = f->M, sample = task % f->B;
    const OpRange columns = op_range(in, LINEAR_PANEL, task / f->B);
    float *dx = (float *)f->dx + (ptrdiff_t)sample * M * in + columns.begin;
    const float *dz = (const float *)f->dz + (ptrdiff_t)sample * M * out;
    for (int part = 0; part < f->linear->parts; part++) {
        const Tensor *weight = f->linear->weight[part];
        gemm(false, false, M, columns.count, weight->shape[0], 1, dz, out,
             tensor_f32(weight) + columns.begin, in, f->dx_overwrite && part == 0 ? 0.0F : 1.0F, dx,
             in);
        dz += weight->shape[0];
    }
}

/* A panel of rows of one part: dW += dz^T x (f32 only) and db += sum of dz, sample by sample. */
static void weight_task(const void *context, int task)
{
    const Backward *f = context;
    const int in = f->linear->in, out = f->linear->out, M = f->M;
    const Panel panel = panel_at(f->linear, LINEAR_GRADIENT_ROWS, task);
    const int width = panel.rows.count;
    float *dW = f->linear->compute == DTYPE_F32 ? f->dW[panel.part] : NULL;
    float *db = f->db[panel.part];
    for (int sample = 0; sample < f->B; sample++) {
        const ptrdiff_t corner = (ptrdiff_t)sample * M * out + panel.column;
        if (dW)
            gemm(true, false, width, in, M, 1, (const float *)f->dz + corner, out,
                 (const float *)f->x + (ptrdiff_t)sample * M * in, in, 1,
                 dW + (ptrdiff_t)panel.rows.begin * in, in);
        if (db) {
            const char *dz = (const char *)f->dz + corner * (ptrdiff_t)dtype_size(f->y_type);
            float sum[LINEAR_GRADIENT_ROWS] = {0};
            for (int m = 0; m < M; m++, dz += (size_t)out * dtype_size(f->y_type))
                op_accumulate(f->y_type, dz, DTYPE_F32, sum, width);
            kernels()->add(sum, db + panel.rows.begin, width);
        }
    }
}

/*
 * Transposes a range of columns of the sample's dz, tile by tile, so that the lines written stay in
 * the cache.
 */
static void transpose_task(const void *context, int task)
{
    const Backward *f = context;
    const int out = f->linear->out, M = f->M;
    const OpRange columns = op_range(out, TRANSPOSED_COLUMNS, task);
    const size_t size = dtype_size(f->y_type);
    const char *dz = (const char *)f->dz +
                     ((size_t)f->sample * (size_t)M * (size_t)out + (size_t)columns.begin) * size;
    uint16_t tile[TRANSPOSED_ROWS][TRANSPOSED_COLUMNS];
    for (int first = 0; first < M; first += TRANSPOSED_ROWS) {
        const int rows = M - first < TRANSPOSED_ROWS ? M - first : TRANSPOSED_ROWS;
        for (int m = 0; m < rows; m++)
            op_convert(f->y_type, dz + (size_t)(first + m) * (size_t)out * size, DTYPE_BF16,
                       tile[m], columns.count);
        for (int n = 0; n < columns.count; n++) {
            uint16_t *row = f->transposed + (ptrdiff_t)(columns.begin + n) * M + first;
            for (int m = 0; m < rows; m++)
                row[m] = tile[m][n];
        }
    }
}

/* Converts a row of the sample's x to f32, the type that packing reads. */
static void widen_task(const void *context, int task)
{
    const Backward *f = context;
    const ptrdiff_t in = f->linear->in;
    op_convert(DTYPE_BF16, (const uint16_t *)f->x + ((ptrdiff_t)f->sample * f->M + task) * in,
               DTYPE_F32, f->wide + task * in, in);
}

/*
 * bf16: dW += dz^T x, one product per sample and part, so that micro-batches do not change a bit.
 */
static void weights_bf16(Tape *tape, Backward *f)
{
    Arena *arena = tape_arena(tape);
    const Linear *linear = f->linear;
    const size_t M = (size_t)f->M;
    f->transposed = arena_alloc(arena, (size_t)linear->out * M * sizeof *f->transposed);
    f->wide = arena_alloc(arena, M * linear->in * sizeof *f->wide);
    PackedMatrix packed = packed_place(arena, PRECISION_BF16, f->M, linear->in);
    for (f->sample = 0; f->sample < f->B; f->sample++) {
        op_run_tasks(tape, ceil_div_int(linear->out, TRANSPOSED_COLUMNS), transpose_task, f);
        op_run_tasks(tape, f->M, widen_task, f);
        op_pack(tape, &packed, &(const PackedPart){f->wide, f->M}, 1, false);
        const uint16_t *rows = f->transposed;
        for (int part = 0; part < linear->parts; part++) {
            const int count = linear->weight[part]->shape[0];
            const PackedInput input = {.type = DTYPE_BF16, .numbers = rows};
            const Epilogue epilogue = {
                .type = DTYPE_F32, .c = f->dW[part], .residual = f->dW[part]};
            if (f->dW[part])
                op_packed_product(tape, count, &input, &packed, &epilogue);
            rows += (ptrdiff_t)count * f->M;
        }
    }
    arena_free(arena, packed.panels);
    arena_free(arena, f->wide);
    arena_free(arena, f->transposed);
}

void op_linear_backward(Tape *tape, Node *node)
{
    const Settings *settings = op_settings(node, sizeof *settings);
    Tensor *x = node->in[IN_X], *residual = node->in[IN_RESIDUAL];
    Linear linear = {.in = tensor_columns(x),
                     .out = tensor_columns(node->out),
                     .parts = settings->parts,
                     .backward = settings->backward,
                     .compute = settings->compute};
    Backward f = {.linear = &linear,
                  .derive = derivative_kernel(settings->activation),
                  .B = op_samples(x),
                  .M = op_sample_rows(x),
                  .x_type = x->dtype,
                  .y_type = node->out->dtype,
                  .dy = node->out->grad,
                  .z = node->saved[0],
                  .x = x->data};
    f.dx = op_grad_overwrite(tape, x, &f.dx_overwrite);
    bool weights = false, biases = false;
    for (int part = 0; part < linear.parts; part++) {
        linear.weight[part] = node->in[IN_WEIGHT + part];
        f.dW[part] = op_grad(tape, node->in[IN_WEIGHT + part]);
        f.db[part] = op_grad(tape, node->in[IN_BIAS + part]);
        weights |= f.dW[part] != NULL;
        biases |= f.db[part] != NULL;
    }

    const bool packs = linear.backward || linear.compute != DTYPE_F32;
    DzSource source = DZ_IS_DY;
    if (settings->activation != ACTIVATION_NONE)
        source = weights || biases || (residual && residual->needs_grad) || !f.dx || !packs
                     ? DZ_IN_Z
                     : DZ_IN_PRODUCT;
    if (source == DZ_IN_Z)
        op_run_rows(tape, f.B * f.M, linear.out, derive_rows, &f);
    f.dz = source == DZ_IS_DY ? f.dy : source == DZ_IN_Z ? f.z : NULL;

    if (f.dx) {
        PackedInput input = {.type = f.y_type, .numbers = f.dz};
        if (source == DZ_IN_PRODUCT)
            input =
                (PackedInput){.type = f.y_type, .numbers = f.dy, .z = f.z, .backward = f.derive};
        const Epilogue epilogue = {
            .type = f.x_type, .c = f.dx, .residual = f.dx_overwrite ? NULL : f.dx};
        product(tape, &linear, false, f.B * f.M, &input, &epilogue,
                (GemmTasks){f.B * ceil_div_int(linear.in, LINEAR_PANEL), input_task, &f});
    }
    if (weights && linear.compute != DTYPE_F32)
        weights_bf16(tape, &f);
    if (weights || biases)
        op_run_tasks(tape, panel_count(&linear, LINEAR_GRADIENT_ROWS), weight_task, &f);
    if (source == DZ_IN_Z)
        op_pass_saved(tape, node, 0, residual);
    else
        op_pass_grad(tape, node->out, residual);
}
