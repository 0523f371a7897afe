/*
 * support_op_cases.c - see support_op_cases.h.
 */
#include "tests/support_op_cases.h"

#include "tests/support.h"

/* Labels, partners and slerp positions for cases with up to nine rows. */
static const int some_labels[] = {1, 0, 1, 2, 1, 0, 2, 0, 1};
static const int some_partners[] = {2, 2, -1, 0, 1, 3, 4};
static const float some_t[] = {0.25F, 0.5F, 0.1F, 0.8F, 0.0F, 0.97F, 0.4F};

/*
 * option: number of parts, bit mask of parts with bias, activation, residual (0 or 1), bit mask of
 * parts with LoRA, dropout in per cent.
 */
static Tensor *build_linear(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    Linear map = {.in = in[0]->shape[in[0]->ndim - 1], .parts = c->option[0]};
    int next = 1;
    for (int part = 0; part < map.parts; part++) {
        map.weight[part] = in[next++];
        map.out += map.weight[part]->shape[0];
    }
    for (int part = 0; part < map.parts; part++)
        map.bias[part] = c->option[1] >> part & 1 ? in[next++] : NULL;
    Lora lora = {.in = map.in, .out = map.out, .parts = map.parts, .map = 4};
    for (int part = 0; part < map.parts; part++) {
        const bool has = c->option[4] >> part & 1;
        lora.rows[part] = map.weight[part]->shape[0];
        lora.down[part] = has ? in[next++] : NULL;
        lora.up[part] = has ? in[next++] : NULL;
    }
    TapeDropout dropout = tape_dropout(tape); /* its sample positions are set by the caller */
    dropout.p = c->option[5] / 100.0;
    dropout.seed = 3;
    dropout.step = 11;
    tape_set_dropout(tape, dropout);
    Tensor *residual = c->option[3] ? in[next] : NULL;
    if (c->option[4]) {
        residual = op_lora(tape, in[0], &lora, residual);
        tape_hand_over(tape, residual);
    }
    return op_linear(tape, in[0], &map, (Activation)c->option[2], residual);
}

/* option: residual (0 or 1). */
static Tensor *build_lora(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    const int rows = in[2]->shape[0];
    const Lora lora = {.in = in[1]->shape[1],
                       .out = rows,
                       .parts = 1,
                       .rows = {rows},
                       .down = {in[1]},
                       .up = {in[2]},
                       .scale = 0.5F};
    return op_lora(tape, in[0], &lora, c->option[0] ? in[3] : NULL);
}

static Tensor *build_layer_norm(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_layer_norm(tape, in[0], in[1], in[2], 1e-5F, DTYPE_F32);
}

/* option: number of heads. */
static Tensor *build_attention(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    return op_attention(tape, in[0], in[1], c->option[0], NULL);
}

static Tensor *build_patch_embed(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_patch_embed(tape, in[0], in[1], NULL);
}

static Tensor *build_embed_tokens(const SupportOpCase *c, Tape *tape, Tensor *const *in)
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

/*
 * Casts to another type and back, and to the same type. With option 1, x is used twice, so that
 * both casts accumulate gradients.
 */
static Tensor *build_cast(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    Tensor *const as_bf16 = in_bf16(tape, in[0]);
    Tensor *const same = in_bf16(tape, as_bf16);
    Tensor *const y = in_f32(tape, same);
    return c->option[0] ? op_add(tape, y, in_f32(tape, as_bf16)) : in_f32(tape, y);
}

/* A segment of two operations with a residual. */
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

/* Two consecutive segments: the input of one is a leaf, of the other a value. */
static Tensor *build_recompute(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    static const float factors[] = {0.5F, -1.5F};
    Error error = {0};
    if (!tape_inner(tape))
        ck_ok(tape_allow_recompute(tape, 8, &error), &error);
    Tensor *const y = op_recompute(tape, in[0], some_segment, factors, 0);
    return op_recompute(tape, y, some_segment, factors, 1);
}

/* option: token, and 1 to select it in bf16. */
static Tensor *build_select_token(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    if (!c->option[1])
        return op_select_token(tape, in[0], c->option[0]);
    return in_f32(tape, op_select_token(tape, in_bf16(tape, in[0]), c->option[0]));
}

/* Two tokens of a bf16 value: the second gradient is added to the first. */
static Tensor *build_two_tokens(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    Tensor *const x = in_bf16(tape, in[0]);
    return op_add(tape, in_f32(tape, op_select_token(tape, x, 1)),
                  in_f32(tape, op_select_token(tape, x, 2)));
}

static Tensor *build_add(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_add(tape, in[0], in[1]);
}

static Tensor *build_scale(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_scale(tape, in[0], -0.37F);
}

static Tensor *build_gelu(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_gelu(tape, in[0]);
}

static Tensor *build_softmax(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_softmax(tape, in[0]);
}

static Tensor *build_l2_normalize(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_l2_normalize(tape, in[0], 1e-12F);
}

/* option: label smoothing in per cent. */
static Tensor *build_cross_entropy(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    return op_cross_entropy(tape, in[0], some_labels, (float)c->option[0] / 100);
}

static Tensor *build_alignment(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_alignment(tape, in[0], some_labels);
}

/* option: scale in per cent, which gives rows with a norm of about 1, or far from it. */
static Tensor *build_uniformity(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    return op_uniformity(tape, op_scale(tape, in[0], (float)c->option[0] / 100));
}

static Tensor *build_slerp(const SupportOpCase *c, Tape *tape, Tensor *const *in)
{
    (void)c;
    return op_slerp(tape, in[0], some_partners, some_t);
}

enum { NONE = ACTIVATION_NONE, QUICK_GELU = ACTIVATION_QUICK_GELU, GELU = ACTIVATION_GELU };

/* Extents are odd, and for each way of splitting work into tasks one case has several tasks. */
const SupportOpCase support_op_cases[] = {
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
    {OP_LINEAR,
     "linear residual, quick_gelu",
     build_linear,
     {1, 1, QUICK_GELU, 1},
     "b3x5x7 9x7 9 b3x5x9"},
    {OP_LORA, "LoRA alone", build_lora, {0}, "b3x5x7 2x7 11x2"},
    {OP_LORA, "LoRA alone, residual", build_lora, {1}, "b3x70x7 2x7 11x2 b3x70x11"},
    {OP_LORA, "LoRA alone of a matrix", build_lora, {1}, "6x5 2x5 3x2 6x3"},
    {OP_LORA, "LoRA", build_linear, {1, 1, NONE, 0, 1}, "b3x5x7 11x7 11 2x7 11x2"},
    {OP_LORA,
     "LoRA, quick_gelu",
     build_linear,
     {1, 1, QUICK_GELU, 0, 1},
     "b3x5x7 11x7 11 1x7 11x1"},
    {OP_LORA, "LoRA, residual", build_linear, {1, 1, NONE, 1, 1}, "b3x2x6 5x6 5 3x6 5x3 b3x2x5"},
    {OP_LORA,
     "LoRA of both parts",
     build_linear,
     {2, 0, NONE, 0, 3},
     "b3x2x6 5x6 3x6 2x6 5x2 4x6 3x4"},
    {OP_LORA, "LoRA of one part", build_linear, {2, 1, GELU, 0, 2}, "b3x2x6 5x6 3x6 5 2x6 3x2"},
    {OP_LORA, "LoRA long", build_linear, {1, 0, NONE, 0, 1}, "b2x70x270 300x270 3x270 300x3"},
    {OP_LORA,
     "dropout, quick_gelu",
     build_linear,
     {1, 1, QUICK_GELU, 0, 1, 30},
     "b3x5x7 11x7 11 1x7 11x1"},
    {OP_LORA,
     "dropout of both parts",
     build_linear,
     {2, 1, NONE, 0, 3, 50},
     "b3x2x6 5x6 3x6 5 2x6 5x2 4x6 3x4"},
    {OP_LORA,
     "dropout of one part, residual",
     build_linear,
     {2, 0, NONE, 1, 2, 20},
     "b3x2x6 5x6 3x6 2x6 3x2 b3x2x8"},
    {OP_LORA,
     "dropout long",
     build_linear,
     {1, 0, NONE, 0, 1, 40},
     "b2x70x270 300x270 3x270 300x3"},
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

const int support_op_case_count = sizeof support_op_cases / sizeof *support_op_cases;
