/*
 * test_ops_gradients.c - what every operation owes, checked for every row of the table of operations:
 *
 *   - its gradients equal finite differences, for every operand;
 *   - a frozen operand gets no gradient, and the others get the same bits for every set of frozen ones;
 *   - backward adds to the gradient it finds;
 *   - the number of threads, and cutting the batch into micro-batches, change no bit;
 *   - planning over a measuring arena finds exactly the memory that running takes.
 *
 * Finite differences are central and of fourth order, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, on the
 * objective f = sum(seed y) in double. With numbers near 1 the truncation, about h^4 / 30 of the gradient,
 * is below 1e-6. The error allowed, in the Euclidean norm over an operand, is 1e-4 of the gradient and
 * what the rounding of a float32 y amounts to after division by h.
 *
 * Values in bf16 stand between two casts, and the numbers of such cases are multiples of h below 8: bf16 holds
 * them and their moves exactly, so that the same bounds apply. What rounds in bf16 is in test_ops_bf16.c.
 */
#include "tensor/op.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { MAX_OPERANDS = 8, MAX_OPTIONS = 5, SAMPLED = 48, ARENA_BYTES = 1 << 23 };

#define STEP (1.0 / 32)

typedef struct Case Case;

/*
 * `shapes` holds the operands' extents, as in "b3x5x7 11x7 11"; b marks an operand whose first dimension
 * is the batch, so that a micro-batch sees a part of it.
 */
struct Case {
    OpKind kind;
    const char *name;
    Tensor *(*build)(const Case *c, Tape *tape, Tensor *const *in);
    int option[MAX_OPTIONS];
    const char *shapes;
};

/* Labels, partners and positions on the arc for cases of up to nine rows. */
static const int some_labels[] = {1, 0, 1, 2, 1, 0, 2, 0, 1};
static const int some_partners[] = {2, 2, -1, 0, 1, 3, 4};
static const float some_t[] = {0.25F, 0.5F, 0.1F, 0.8F, 0.0F, 0.97F, 0.4F};

/* option: parts, bits of parts with bias, activation, whether there is a residual, bits of parts with LoRA. */
static Tensor *build_linear(const Case *c, Tape *tape, Tensor *const *in)
{
    Linear map = {.in = in[0]->shape[in[0]->ndim - 1], .parts = c->option[0]};
    int next = 1;
    for (int part = 0; part < map.parts; part++) {
        map.weight[part] = in[next++];
        map.out += map.weight[part]->shape[0];
    }
    for (int part = 0; part < map.parts; part++)
        map.bias[part] = c->option[1] >> part & 1 ? in[next++] : NULL;
    for (int part = 0; part < map.parts; part++) {
        const bool lora = c->option[4] >> part & 1;
        map.down[part] = lora ? in[next++] : NULL;
        map.up[part] = lora ? in[next++] : NULL;
    }
    return op_linear(tape, in[0], &map, (Activation)c->option[2], c->option[3] ? in[next] : NULL);
}

static Tensor *build_layer_norm(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_layer_norm(tape, in[0], in[1], in[2], 1e-5F, DTYPE_F32);
}

/* option: heads. */
static Tensor *build_attention(const Case *c, Tape *tape, Tensor *const *in)
{
    return op_attention(tape, in[0], in[1], c->option[0], NULL);
}

static Tensor *build_patch_embed(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_patch_embed(tape, in[0], in[1], NULL);
}

static Tensor *build_embed_tokens(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_embed_tokens(tape, in[0], in[1], in[2]);
}

static Tensor *in_bf16(Tape *tape, Tensor *x)
{
    return op_cast(tape, x, DTYPE_BF16);
}

static Tensor *in_f32(Tape *tape, Tensor *x)
{
    return op_cast(tape, x, DTYPE_F32);
}

/* There and back, and to the own type; option 1: x used twice, so that both directions add to what is there. */
static Tensor *build_cast(const Case *c, Tape *tape, Tensor *const *in)
{
    Tensor *const narrow = in_bf16(tape, in[0]);
    Tensor *const same = in_bf16(tape, narrow);
    Tensor *const y = in_f32(tape, same);
    return c->option[0] ? op_add(tape, y, in_f32(tape, narrow)) : in_f32(tape, y);
}

/* A segment of two operations and a residual around them. */
static Tensor *some_segment(Tape *tape, Tensor *x, const void *context, int index)
{
    const float *const factor = context;
    Tensor *const inside = op_gelu(tape, x);
    Tensor *const scaled = op_scale(tape, inside, factor[index]);
    tape_release(tape, inside);
    Tensor *const y = op_add(tape, x, scaled);
    tape_release(tape, scaled);
    tape_release(tape, x);
    return y;
}

/* Two segments in a row, so that one takes over a leaf and the other a value. */
static Tensor *build_recompute(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    static const float factors[] = {0.5F, -1.5F};
    Error error = {0};
    if (!tape_inner(tape))
        ck_ok(tape_allow_recompute(tape, 8, &error), &error);
    Tensor *const y = op_recompute(tape, in[0], some_segment, factors, 0);
    return op_recompute(tape, y, some_segment, factors, 1);
}

/* option: token, and whether it is taken in bf16. */
static Tensor *build_select_token(const Case *c, Tape *tape, Tensor *const *in)
{
    if (!c->option[1])
        return op_select_token(tape, in[0], c->option[0]);
    return in_f32(tape, op_select_token(tape, in_bf16(tape, in[0]), c->option[0]));
}

/* Two tokens of a value in bf16: the second gradient is added to the first. */
static Tensor *build_two_tokens(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    Tensor *const x = in_bf16(tape, in[0]);
    return op_add(tape, in_f32(tape, op_select_token(tape, x, 1)),
                  in_f32(tape, op_select_token(tape, x, 2)));
}

static Tensor *build_add(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_add(tape, in[0], in[1]);
}

static Tensor *build_scale(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_scale(tape, in[0], -0.37F);
}

static Tensor *build_gelu(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_gelu(tape, in[0]);
}

static Tensor *build_softmax(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_softmax(tape, in[0]);
}

static Tensor *build_l2_normalize(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_l2_normalize(tape, in[0], 1e-12F);
}

/* option: smoothing in percent. */
static Tensor *build_cross_entropy(const Case *c, Tape *tape, Tensor *const *in)
{
    return op_cross_entropy(tape, in[0], some_labels, (float)c->option[0] / 100);
}

static Tensor *build_alignment(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_alignment(tape, in[0], some_labels);
}

/* option: factor in percent, which brings the rows to about the unit sphere, or far from it. */
static Tensor *build_uniformity(const Case *c, Tape *tape, Tensor *const *in)
{
    return op_uniformity(tape, op_scale(tape, in[0], (float)c->option[0] / 100));
}

static Tensor *build_slerp(const Case *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_slerp(tape, in[0], some_partners, some_t);
}

enum { NONE = ACTIVATION_NONE, QUICK_GELU = ACTIVATION_QUICK_GELU, GELU = ACTIVATION_GELU };

/* Extents are odd, and for each way of cutting work into tasks one case is larger than one task. */
static const Case cases[] = {
    {OP_LINEAR, "linear", build_linear, {1, 1, NONE, 0}, "b3x5x7 11x7 11"},
    {OP_LINEAR, "linear no bias", build_linear, {1, 0, NONE, 0}, "b3x2x7 4x7"},
    {OP_LINEAR, "linear residual", build_linear, {1, 1, NONE, 1}, "b3x5x7 9x7 9 b3x5x9"},
    {OP_LINEAR, "linear residual, no bias", build_linear, {1, 0, NONE, 1}, "b3x1x6 5x6 b3x1x5"},
    {OP_LINEAR, "linear quick_gelu", build_linear, {1, 1, QUICK_GELU, 0}, "b3x5x7 11x7 11"},
    {OP_LINEAR, "linear gelu, no bias", build_linear, {1, 0, GELU, 0}, "b3x5x7 11x7"},
    {OP_LINEAR,
     "linear three parts, two biases, residual",
     build_linear,
     {3, 5, NONE, 1},
     "b3x2x6 5x6 1x6 3x6 5 3 b3x2x9"},
    {OP_LINEAR, "linear many columns", build_linear, {2, 3, NONE, 0}, "b2x3x5 521x5 70x5 521 70"},
    {OP_LINEAR, "linear long rows", build_linear, {1, 0, NONE, 0}, "b2x3x517 3x517"},
    {OP_LINEAR,
     "linear many rows, quick_gelu",
     build_linear,
     {1, 1, QUICK_GELU, 0},
     "b2x150x3 65x3 65"},
    {OP_LINEAR, "linear 257 rows", build_linear, {1, 1, GELU, 0}, "b2x257x24 520x24 520"},
    {OP_LINEAR, "LoRA", build_linear, {1, 1, NONE, 0, 1}, "b3x5x7 11x7 11 2x7 11x2"},
    {OP_LINEAR,
     "LoRA, quick_gelu",
     build_linear,
     {1, 1, QUICK_GELU, 0, 1},
     "b3x5x7 11x7 11 1x7 11x1"},
    {OP_LINEAR, "LoRA, residual", build_linear, {1, 1, NONE, 1, 1}, "b3x2x6 5x6 5 3x6 5x3 b3x2x5"},
    {OP_LINEAR,
     "LoRA of both parts",
     build_linear,
     {2, 0, NONE, 0, 3},
     "b3x2x6 5x6 3x6 2x6 5x2 4x6 3x4"},
    {OP_LINEAR, "LoRA of one part", build_linear, {2, 1, GELU, 0, 2}, "b3x2x6 5x6 3x6 5 2x6 3x2"},
    {OP_LINEAR, "LoRA long", build_linear, {1, 0, NONE, 0, 1}, "b2x70x270 300x270 3x270 300x3"},
    {OP_LINEAR, "linear of a matrix", build_linear, {1, 1, NONE, 0}, "6x5 2x5 2"},
    {OP_LAYER_NORM, "layer_norm", build_layer_norm, {0}, "b3x5x19 19 19"},
    {OP_LAYER_NORM, "layer_norm long", build_layer_norm, {0}, "b2x3x201 201 201"},
    {OP_LAYER_NORM, "layer_norm rows", build_layer_norm, {0}, "b2x131x9 9 9"},
    {OP_LAYER_NORM, "layer_norm matrix", build_layer_norm, {0}, "4x6 6 6"},
    {OP_ATTENTION, "attention", build_attention, {3}, "b3x7x15 b3x7x30"},
    {OP_ATTENTION, "attention class", build_attention, {2}, "b2x1x8 b2x19x16"},
    {OP_ATTENTION, "attention one head", build_attention, {1}, "b2x4x3 b2x9x6"},
    {OP_ATTENTION, "attention 257 tokens", build_attention, {2}, "b2x33x64 b2x257x128"},
    {OP_PATCH_EMBED, "patch_embed", build_patch_embed, {0}, "b3x3x11x11 5x3x5x5"},
    {OP_PATCH_EMBED, "patch_embed many patches", build_patch_embed, {0}, "b2x1x25x25 67x1x2x2"},
    {OP_EMBED_TOKENS, "embed_tokens", build_embed_tokens, {0}, "b3x4x5 5 5x5"},
    {OP_SELECT_TOKEN, "select_token 0", build_select_token, {0}, "b3x4x5"},
    {OP_SELECT_TOKEN, "select_token 3", build_select_token, {3}, "b3x4x5"},
    {OP_SELECT_TOKEN, "select_token in bf16", build_select_token, {2, 1}, "b3x4x5"},
    {OP_SELECT_TOKEN, "select_token twice in bf16", build_two_tokens, {0}, "b3x4x5"},
    {OP_CAST, "cast", build_cast, {0}, "b3x4x5"},
    {OP_CAST, "cast twice", build_cast, {1}, "b3x4x5"},
    {OP_CAST, "cast many", build_cast, {1}, "b2x71x65"},
    {OP_ADD, "add", build_add, {0}, "b3x4x5 b3x4x5"},
    {OP_ADD, "add many", build_add, {0}, "b2x71x65 b2x71x65"},
    {OP_SCALE, "scale", build_scale, {0}, "b3x4x5"},
    {OP_SCALE, "scale many", build_scale, {0}, "b2x71x65"},
    {OP_GELU, "gelu", build_gelu, {0}, "b3x4x5"},
    {OP_GELU, "gelu many", build_gelu, {0}, "b2x71x65"},
    {OP_SOFTMAX, "softmax", build_softmax, {0}, "b3x4x7"},
    {OP_SOFTMAX, "softmax vector", build_softmax, {0}, "9"},
    {OP_SOFTMAX, "softmax many", build_softmax, {0}, "b2x900x5"},
    {OP_L2_NORMALIZE, "l2_normalize", build_l2_normalize, {0}, "b3x2x17"},
    {OP_L2_NORMALIZE, "l2_normalize many", build_l2_normalize, {0}, "b2x900x5"},
    {OP_CROSS_ENTROPY, "cross_entropy", build_cross_entropy, {0}, "7x3"},
    {OP_CROSS_ENTROPY, "cross_entropy smoothed", build_cross_entropy, {10}, "3x3x4"},
    {OP_ALIGNMENT, "alignment", build_alignment, {0}, "9x5"},
    {OP_ALIGNMENT, "alignment of a pair", build_alignment, {0}, "3x1x4"},
    {OP_UNIFORMITY, "uniformity", build_uniformity, {20}, "9x5"},
    {OP_UNIFORMITY, "uniformity of a pair", build_uniformity, {20}, "2x11"},
    {OP_UNIFORMITY, "uniformity far apart", build_uniformity, {200}, "3x11"},
    {OP_SLERP, "slerp", build_slerp, {0}, "7x9"},
    {OP_RECOMPUTE, "recompute", build_recompute, {0}, "b3x2x17"},
};

enum { CASES = sizeof cases / sizeof *cases };

typedef struct Operand {
    bool batched;
    int ndim, shape[TENSOR_MAX_DIMS];
} Operand;

/* The numbers of one case. */
typedef struct Bench {
    const Case *c;
    int operands;
    Operand operand[MAX_OPERANDS];
    size_t count[MAX_OPERANDS];
    float *data[MAX_OPERANDS];
    size_t outputs;
    float *seed; /* [outputs] */
} Bench;

/* Results of a run: y and the gradient of every operand that was to get one. */
typedef struct Run {
    float *y;
    float *grad[MAX_OPERANDS];
} Run;

static Tensor operand_leaf(const Bench *bench, int i, int first, int samples)
{
    const Operand *const operand = &bench->operand[i];
    int shape[TENSOR_MAX_DIMS];
    memcpy(shape, operand->shape, sizeof shape);
    float *data = bench->data[i];
    if (operand->batched) {
        data += (size_t)first * (bench->count[i] / (size_t)shape[0]);
        shape[0] = samples;
    }
    return tensor_leaf(data, operand->ndim, shape);
}

/* Rounds to multiples of STEP, which bf16 holds exactly up to 8, and so do their sums with small multiples. */
static void make_exact(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(round(values[i] / STEP) * STEP);
}

static bool is_in_bf16(const Case *c)
{
    return c->kind == OP_CAST || c->kind == OP_SELECT_TOKEN;
}

/* Samples of the whole batch; 1 if the case has none. */
static int batch_of(const Bench *bench)
{
    return bench->operand[0].batched ? bench->operand[0].shape[0] : 1;
}

/* Reads the next operand of a case's shapes; returns what follows it. */
static const char *parse_operand(const char *text, Operand *operand)
{
    *operand = (Operand){.batched = *text == 'b'};
    text += operand->batched;
    for (;; text++) {
        ck_assert_int_lt(operand->ndim, TENSOR_MAX_DIMS);
        char *end;
        operand->shape[operand->ndim++] = (int)strtol(text, &end, 10);
        text = end;
        if (*text != 'x')
            return text + (*text == ' ');
    }
}

static void bench_open(Bench *bench, const Case *c)
{
    *bench = (Bench){.c = c};
    for (const char *text = c->shapes; *text;) {
        ck_assert_int_lt(bench->operands, MAX_OPERANDS);
        const int i = bench->operands++;
        Operand *const operand = &bench->operand[i];
        text = parse_operand(text, operand);
        const Tensor whole = tensor_leaf(NULL, operand->ndim, operand->shape);
        bench->count[i] = tensor_count(&whole);
        bench->data[i] = malloc(bench->count[i] * sizeof(float));
        support_fill_normal(bench->data[i], bench->count[i], (unsigned)i, 1);
        if (is_in_bf16(c))
            make_exact(bench->data[i], bench->count[i]);
    }
    SupportEngine engine;
    support_engine_open(&engine, 1, 0);
    Tensor leaf[MAX_OPERANDS] = {0}, *in[MAX_OPERANDS];
    for (int i = 0; i < bench->operands; i++) {
        leaf[i] = operand_leaf(bench, i, 0, batch_of(bench));
        in[i] = &leaf[i];
    }
    bench->outputs = tensor_count(c->build(c, engine.tape, in));
    bench->seed = malloc(bench->outputs * sizeof(float));
    support_fill_normal(bench->seed, bench->outputs, 100, 1);
    if (is_in_bf16(c))
        make_exact(bench->seed, bench->outputs);
    support_engine_close(&engine);
}

static void bench_close(Bench *bench)
{
    for (int i = 0; i < bench->operands; i++)
        free(bench->data[i]);
    free(bench->seed);
}

static Run run_open(const Bench *bench)
{
    Run run = {.y = calloc(bench->outputs, sizeof(float))};
    for (int i = 0; i < bench->operands; i++)
        run.grad[i] = calloc(bench->count[i], sizeof(float));
    return run;
}

static void run_close(Run *run)
{
    free(run->y);
    for (int i = 0; i < MAX_OPERANDS; i++)
        free(run->grad[i]);
}

/* Forward, and backward for the operands in `mask`, of some samples; adds to the gradients of `run`. */
static void run_samples(const Bench *bench, Tape *tape, unsigned mask, int first, int samples,
                        Run *run)
{
    Tensor leaf[MAX_OPERANDS] = {0}, *in[MAX_OPERANDS];
    for (int i = 0; i < bench->operands; i++) {
        leaf[i] = operand_leaf(bench, i, first, samples);
        leaf[i].needs_grad = mask >> i & 1;
        if (leaf[i].needs_grad)
            leaf[i].grad = run->grad[i] + ((float *)leaf[i].data - bench->data[i]);
        in[i] = &leaf[i];
    }
    Tensor *const y = bench->c->build(bench->c, tape, in);
    const size_t count = tensor_count(y);
    const size_t start = count == bench->outputs ? 0 : (size_t)first * count / (size_t)samples;
    if (!tape_is_planning(tape))
        memcpy(run->y + start, tensor_f32(y), count * sizeof(float));
    if (mask == 0) {
        ck_assert_int_eq(tape_nodes(tape), 0);
        ck_assert_uint_eq(tape_kept_bytes(tape), 0);
    } else {
        tape_release(tape, y);
        tape_backward(tape, y, bench->seed + start);
    }
    for (int i = 0; i < bench->operands; i++)
        ck_assert_msg(leaf[i].needs_grad || leaf[i].grad == NULL,
                      "%s: operand %d is frozen and got a gradient", bench->c->name, i);
    tape_reset(tape);
}

/* The same over a fresh tape; returns the arena's peak. */
static size_t run_whole(const Bench *bench, int threads, unsigned mask, Run *run)
{
    SupportEngine engine;
    support_engine_open(&engine, threads, ARENA_BYTES);
    run_samples(bench, engine.tape, mask, 0, batch_of(bench), run);
    const size_t peak = arena_peak(engine.arena);
    ck_assert_uint_eq(arena_used(engine.arena), 0);
    support_engine_close(&engine);
    return peak;
}

static void assert_same_bits(const Bench *bench, const Run *a, const Run *b, unsigned mask,
                             const char *what)
{
    ck_assert_msg(memcmp(a->y, b->y, bench->outputs * sizeof(float)) == 0, "%s: y differs %s",
                  bench->c->name, what);
    for (int i = 0; i < bench->operands; i++)
        ck_assert_msg(!(mask >> i & 1) ||
                          memcmp(a->grad[i], b->grad[i], bench->count[i] * sizeof(float)) == 0,
                      "%s: the gradient of operand %d differs %s", bench->c->name, i, what);
}

static unsigned all_operands(const Bench *bench)
{
    return (1U << bench->operands) - 1;
}

/* The objective sum(seed y), after moving one number of one operand by `move`. */
static double objective(Bench *bench, Tape *tape, Run *run, int operand, size_t at, double move)
{
    float *const number = &bench->data[operand][at];
    const float before = *number;
    *number = (float)(before + move);
    run_samples(bench, tape, 0, 0, batch_of(bench), run);
    *number = before;
    double sum = 0;
    for (size_t i = 0; i < bench->outputs; i++)
        sum += (double)bench->seed[i] * run->y[i];
    return sum;
}

static double difference_quotient(Bench *bench, Tape *tape, Run *run, int operand, size_t at)
{
    const double h = STEP;
    const double near =
        objective(bench, tape, run, operand, at, h) - objective(bench, tape, run, operand, at, -h);
    const double far = objective(bench, tape, run, operand, at, 2 * h) -
                       objective(bench, tape, run, operand, at, -2 * h);
    return (8 * near - far) / (12 * h);
}

/* Each check below gets the results of one run of everything on one thread. */

/* Euclidean norm of seed y: what roundings of y, some 2e-7 of it, do to the objective. */
static double objective_size(const Bench *bench, const Run *run)
{
    double sum = 0;
    for (size_t i = 0; i < bench->outputs; i++)
        sum += pow((double)bench->seed[i] * run->y[i], 2);
    return sqrt(sum);
}

static void check_finite_differences(Bench *bench, const Run *whole)
{
    const double rounding = 2e-7 * objective_size(bench, whole) / STEP;
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run run = run_open(bench);
    for (int i = 0; i < bench->operands; i++) {
        const size_t checked = bench->count[i] < SAMPLED ? bench->count[i] : SAMPLED;
        double error = 0, size = 0;
        for (size_t n = 0; n < checked; n++) {
            /* Spread over the operand, the last number included. */
            const size_t at = checked > 1 ? n * (bench->count[i] - 1) / (checked - 1) : 0;
            const double expected = difference_quotient(bench, engine.tape, &run, i, at);
            error += pow(whole->grad[i][at] - expected, 2);
            size += pow(expected, 2);
        }
        const double allowed = 1e-4 * sqrt(size) + rounding * sqrt((double)checked);
        ck_assert_msg(sqrt(error) <= allowed, "%s, operand %d: error %.3g of %.3g, allowed %.3g",
                      bench->c->name, i, sqrt(error), sqrt(size), allowed);
    }
    run_close(&run);
    support_engine_close(&engine);
}

/* Every set of frozen operands, in memory that planning foresees to the byte. */
static void check_frozen_and_planned(const Bench *bench, const Run *whole)
{
    for (unsigned mask = 0; mask <= all_operands(bench); mask++) {
        Run part = run_open(bench);
        const size_t taken = run_whole(bench, 2, mask, &part);
        assert_same_bits(bench, &part, whole, mask, "when others are frozen");
        SupportEngine engine;
        support_engine_open(&engine, 2, 0);
        run_samples(bench, engine.tape, mask, 0, batch_of(bench), &part);
        ck_assert_msg(arena_peak(engine.arena) == taken, "%s: planned %zu bytes, took %zu",
                      bench->c->name, arena_peak(engine.arena), taken);
        support_engine_close(&engine);
        run_close(&part);
    }
}

static void check_accumulation(const Bench *bench, const Run *whole)
{
    Run again = run_open(bench);
    for (int i = 0; i < bench->operands; i++)
        support_fill_normal(again.grad[i], bench->count[i], 50, 1);
    run_whole(bench, 1, all_operands(bench), &again);
    for (int i = 0; i < bench->operands; i++) {
        float *const sum = malloc(bench->count[i] * sizeof *sum);
        support_fill_normal(sum, bench->count[i], 50, 1);
        for (size_t n = 0; n < bench->count[i]; n++)
            sum[n] += whole->grad[i][n];
        /* The same terms in another order. */
        const double relative = support_relative_error(again.grad[i], sum, bench->count[i]);
        ck_assert_msg(relative <= 2e-6, "%s: the gradient of operand %d was overwritten: %.3g",
                      bench->c->name, i, relative);
        free(sum);
    }
    run_close(&again);
}

static void check_threads(const Bench *bench, const Run *whole)
{
    for (int threads = 2; threads <= 3; threads++) {
        Run more = run_open(bench);
        run_whole(bench, threads, all_operands(bench), &more);
        assert_same_bits(bench, &more, whole, all_operands(bench), "with more threads");
        run_close(&more);
    }
}

static void check_micro_batches(const Bench *bench, const Run *whole)
{
    const int B = batch_of(bench);
    SupportEngine engine;
    support_engine_open(&engine, 1, ARENA_BYTES);
    Run parts = run_open(bench);
    for (int first = 0; first < B; first += first ? 2 : 1) { /* one sample, then two at a time */
        const int left = B - first, most = first ? 2 : 1;
        run_samples(bench, engine.tape, all_operands(bench), first, left < most ? left : most,
                    &parts);
    }
    assert_same_bits(bench, &parts, whole, all_operands(bench), "in micro-batches");
    run_close(&parts);
    support_engine_close(&engine);
}

START_TEST(owes_nothing)
{
    Bench bench;
    bench_open(&bench, &cases[_i]);
    Run whole = run_open(&bench);
    run_whole(&bench, 1, all_operands(&bench), &whole);
    check_finite_differences(&bench, &whole);
    check_frozen_and_planned(&bench, &whole);
    check_accumulation(&bench, &whole);
    check_threads(&bench, &whole);
    check_micro_batches(&bench, &whole);
    run_close(&whole);
    bench_close(&bench);
}
END_TEST

START_TEST(every_operation_has_a_case)
{
    for (int kind = 0; kind < OP_COUNT; kind++) {
        bool found = false;
        for (int i = 0; i < CASES; i++)
            found = found || (int)cases[i].kind == kind;
        ck_assert_msg(found, "%s has no case", op_table[kind].name);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ops_gradients");
    TCase *const each = support_case(suite, "each operation", 120);
    tcase_add_loop_test(each, owes_nothing, 0, CASES);
    tcase_add_test(each, every_operation_has_a_case);
    return support_main(suite);
}
